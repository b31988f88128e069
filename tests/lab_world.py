"""JupyterLab as `make lab` starts it, for a copy of the notebooks, and what its reader sees of one that has run."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

WINDOW = {"width": 1400, "height": 900}
PATIENCE = 120
# What cslib shows: its texts, and the side to which each cell of its tables is set.
FRAGMENTS = """
root => [...root.querySelectorAll(".cs:not(p.cs-subtitle)")].filter(e => !e.parentElement.closest(".cs")).map(e => {
  const copy = e.cloneNode(true), texts = [];
  copy.querySelectorAll("script, style, a[download]").forEach(own => own.remove());
  copy.querySelectorAll("a").forEach(link => link.replaceWith(link.textContent));
  copy.normalize();
  const walk = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) texts.push(walk.currentNode.data.replace(/\\s+/g, " ").trim());
  const side = cell => getComputedStyle(cell).textAlign.replace("start", "left");
  return {kind: e.className, texts: texts.filter(t => t && t !== "·"), sides: [...e.querySelectorAll("th, td")].map(side)};
})"""
# What does not fit in its place. A wide table of cslib scrolls by itself; a chart must not have to.
WIDE = """
root => [...root.querySelectorAll(".jp-OutputArea-output, .jp-RenderedMarkdown, .cs-scroll:has(svg)")]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute("aria-label") || e.textContent.slice(-200))"""
SEEN = """
root => {
  const texts = which => [...root.querySelectorAll(which)].map(e => e.textContent.trim());
  const size = e => { const box = e.getBoundingClientRect(); return Math.min(box.width, box.height); };
  const drawn = (all, which) => [...all.querySelectorAll(which)].filter(e => e.checkVisibility()).map(size);
  return {
    prompts: texts(".jp-CodeCell .jp-InputPrompt"),
    complaints: texts("[data-mime-type$='jupyter.stderr'], [data-mime-type$='jupyter.error']"),
    drawn: drawn(root, ".cs-card, .cs-table table"),
    figures: [...root.querySelectorAll(".cs-figure")].map(figure => drawn(figure, ".cs-scroll > *")),
  };
}"""
DONE = """
root => {
  const prompts = [...root.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map(e => e.textContent);
  const failed = root.querySelector("[data-mime-type$='jupyter.stderr'], [data-mime-type$='jupyter.error']");
  return !prompts.some(text => text.includes("*")) && (!!failed || prompts.every(text => /\\d/.test(text)));
}"""


def settings(home):
    """Let the server listen on loopback only, to whoever has the key, and ask nothing of the network."""
    server = {
        "ServerApp": {"ip": "127.0.0.1", "port": 0, "open_browser": False, "allow_root": True},
        "IdentityProvider": {"token": secrets.token_hex(16)},  # one that is given, the server does not print
        "LabApp": {"check_for_updates_class": "jupyterlab.NeverCheckForUpdate", "extension_manager": "readonly"},
    }
    told = {"config/jupyter_server_config.json": server}
    told["settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"] = {"fetchNews": "false"}
    for name, entries in told.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_text(json.dumps(entries))


@contextmanager
def server(root, folder):
    """Run `make lab` in a folder with notebooks and data of its own; give where its record is."""
    settings(home := folder / "jupyter")
    places = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    places |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    places["IPYTHONDIR"] = str(home / "ipython")
    make = ["make", "--file", root / "Makefile", "--assume-old", ".venv/lab", "lab", f"BIN={Path(sys.prefix) / 'bin'}"]
    with (home / "log").open("w") as log:
        run = {"cwd": folder, "env": os.environ | places, "stdout": log, "stderr": log}
        own = subprocess.Popen(make, start_new_session=True, **run)
    try:
        yield record(own, home)
    finally:
        stop(own)


def record(own, home):
    """Wait until the server has written where it listens."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and own.poll() is None:
        for file in (home / "runtime").glob("jpserver-*.json"):
            if file.stat().st_size:
                return file
        time.sleep(0.1)
    raise AssertionError((home / "log").read_text())


def stop(own):
    """End make, which ends the server that it started, which ends its kernels."""
    own.terminate()
    try:
        own.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(own.pid, signal.SIGKILL)
        own.wait()


def enter(page, record):
    """Show the key once, for which the browser is given a cookie, and wait for the list of notebooks."""
    page.set_default_timeout(PATIENCE * 1000)
    told = json.loads(record.read_text())
    assert page.request.get(told["url"] + "api/status", headers={"Authorization": f"token {told['token']}"}).ok
    page.goto(told["url"] + "lab")
    page.locator(".jp-DirListing-item").first.wait_for()


def run_all(page, name, segment):
    """Open a notebook, type a segment into its parameters, run all cells and wait for them; give what is then seen."""
    page.locator(".jp-DirListing-item", has_text=f"{name}.ipynb").dblclick()
    book = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
    type_segment(page, book, segment)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(DONE, arg=book.element_handle())
    return {"fragments": book.evaluate(FRAGMENTS), "wide": book.evaluate(WIDE), **book.evaluate(SEEN)}


def type_segment(page, book, segment):
    """Put it between the quotes, as a reader does by keyboard."""
    line = book.locator(".cm-line", has_text='segment_by: str = ""')
    line.wait_for()
    page.get_by_text("| Idle").wait_for()  # at the bottom; where there is no kernel yet, cells are passed over
    line.click()
    page.keyboard.press("Home")
    for _ in 'segment_by: str = "':
        page.keyboard.press("ArrowRight")
    page.keyboard.type(segment)
    book.locator(".cm-line", has_text=f'segment_by: str = "{segment}"').wait_for()


def page_of(browser, path):
    """Give what a report shows on all customers, as it was written: its scripts add buttons and further rows."""
    context = browser.new_context(java_script_enabled=False, offline=True, viewport=WINDOW)
    page = context.new_page()
    page.goto(path.as_uri())
    shown = page.locator("main .view").first.evaluate(FRAGMENTS)
    context.close()
    return shown
