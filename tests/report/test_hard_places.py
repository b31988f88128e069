"""Reports where disks are full, folders are closed, two runs meet, and cslib is a wheel in somebody else's folder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from notebook_world import write

from cslib.errors import ParameterError
from cslib.report import batch
from cslib.report import engine as reports
from cslib.report.parameters import Notebook
from cslib.report.publish import version_of

TABLE = """import pandas as pd
from cslib.show import display as d
d.note(f"**Version {n}**", kind="answer")
d.table(pd.DataFrame({"n": [n] * rows, "filler": "x" * 100}), name="t", caption="T")"""


def tabled(folder: Path, *names: str) -> list[Notebook]:
    cells = [("md", "# T"), ("parameters", "n: int = 0\nrows: int = 3"), ("code", TABLE)]
    return [write(folder, name, cells) for name in names]


def seen(out: Path, slug: str) -> int:
    """Read a page and every file it links to; which version they all are of."""
    text = (out / f"{slug}.html").read_text(encoding="utf-8")
    assert text.endswith("</html>")
    links = set(re.findall(r'href="([^":#]+\.(?:csv|json))"', text))
    files = {Path(link).name: (out / link).read_text(encoding="utf-8") for link in links}
    assert files.keys() == {"t.csv", "run.json"}
    facts = json.loads(files["run.json"])
    assert facts["version"] == re.findall(r'cslib-version" content="([^"]+)', text)[0]
    (n,) = {line.split(",")[0] for line in files["t.csv"].splitlines()[1:]}
    assert {n, str(facts["parameters"]["n"])} == set(re.findall(r"Version (\d+)", text))
    return int(n)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes."""
    (place := tmp_path / "disk").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root only")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass


@pytest.mark.long
@pytest.mark.parametrize("rows", [3, 60_000], ids=["by others", "by its table"])
def test_a_full_disk_leaves_the_last_good_report(tmp_path: Path, disk: Path, rows: int) -> None:
    (notebook,), out = tabled(tmp_path / "n", "r"), disk / "out"
    assert reports.render(notebook, out=out, parameters={"n": 1}).ok
    if rows == 3:
        fill(disk / "filler")
    run = reports.render(notebook, out=out, parameters={"n": 2, "rows": rows})
    assert re.match(r"t.csv cannot be written: No space left|The disk of the reports is full. Make room", run.error)
    assert seen(out, "r") == 1
    (disk / "filler").unlink(missing_ok=True)
    assert reports.render(notebook, out=out, parameters={"n": 3}).ok
    assert seen(out, "r") == 3
    assert {p.name for p in out.iterdir()} == {"r", "r.html", "r.versions"}


def refused(notebook: Notebook, out: Path) -> None:
    """Be somebody who may only read, and say what comes of it."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    try:
        batch.render_all([notebook], out=out, parameters={})
    except ParameterError as error:
        os._exit(0 if f"cannot be written ({os.strerror(errno.EACCES)}). Name a folder." in str(error) else 1)
    os._exit(2)


@pytest.mark.slow
def test_who_may_only_read_is_told_so_before_anything_runs(tmp_path: Path) -> None:
    (notebook,) = tabled(tmp_path / "n", "r")
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        out = Path(place, "out")
        assert reports.render(notebook, out=out, parameters={"n": 1}).ok
        out.chmod(0o555)
        before = sorted(out.rglob("*"))
        child = multiprocessing.get_context("fork").Process(target=refused, args=(notebook, out))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert sorted(out.rglob("*")) == before
        assert seen(out, "r") == 1
        out.chmod(0o755)


RUN = """
import sys
from pathlib import Path
from cslib.cli import main
from cslib.report import parameters
found = parameters.find_notebooks(Path(sys.argv[1]))
parameters.find_notebooks = lambda: found
main(["report", "--out", sys.argv[2], "--jobs", "2", "-p", f"n={sys.argv[3]}"])
"""


@pytest.mark.long
def test_two_whole_runs_at_once_show_no_reader_half_a_report(tmp_path: Path) -> None:
    out, names = tmp_path / "out", ("a", "b")
    tabled(tmp_path / "n", *names)
    command = [sys.executable, "-c", RUN, str(tmp_path / "n"), str(out)]
    own = [subprocess.Popen([*command, n], stderr=subprocess.PIPE, stdout=subprocess.PIPE) for n in ("2", "3")]
    n_reads, versions = 0, set()
    while any(run.poll() is None for run in own):
        found = {seen(out, name) for name in names if (out / f"{name}.html").exists()}
        n_reads, versions = n_reads + len(found), versions | found
        time.sleep(0.01)
    assert [run.wait() for run in own] == [0, 0]
    for run in own:
        run.communicate()
    assert n_reads > 10
    assert versions <= {2, 3}
    assert {seen(out, name) for name in names} <= {2, 3}
    assert {p.name for p in out.iterdir()} == {
        "index.html",
        *(f"{n}{end}" for n in names for end in ("", ".html", ".versions")),
    }
    assert (out / "index.html").read_text().count("Version") == 2
    assert all(version_of(out / f"{name}.html") for name in names)


@pytest.mark.long
def test_a_wheel_works_where_it_is_installed(tmp_path: Path, root: Path, small: Path) -> None:
    """Built, put into an environment that has nothing of the clone, and run in a folder of its own."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    quiet = {"check": True, "capture_output": True, "text": True}
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=root, **quiet)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", symlinks=True)
    place = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    (place / "others.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    pip = [sys.executable, "-m", "pip", "--python", str(tmp_path / "env" / "bin" / "python"), "install", "--quiet"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--disable-pip-version-check", "--force-reinstall", str(wheel)], **quiet
    )
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    (work := tmp_path / "work").mkdir()

    def run(*arguments: str) -> str:
        command = [str(tmp_path / "env" / "bin" / arguments[0]), *arguments[1:]]
        return subprocess.run(command, cwd=work, env=env, **quiet).stdout

    where = run(
        "python", "-c", "import cslib, cslib.report.parameters as p; print(cslib.__file__, len(p.find_notebooks()))"
    )
    assert where == f"{place}/cslib/__init__.py 6\n"
    assert "1 of 1 reports written" in run("cslib", "report", "revenue", "--data", str(small), "--out", "out")
    assert {"index.html", "revenue.html", "revenue"} <= {p.name for p in (work / "out").iterdir()}
