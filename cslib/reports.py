"""The report engine: run a notebook, check that it ran to its end, publish it whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import cslib
from cslib import errors
from cslib.display import RUN_DIR
from cslib.errors import ReportError
from cslib.parameters import Notebook, Parameter, Value, find_notebooks, known_parameter, parse_parameters
from cslib.publish import checked_slug, public, publish, sync, without_folders

__all__ = [
    "Notebook",
    "Parameter",
    "Run",
    "find_notebooks",
    "parse_parameters",
    "render",
    "render_all",
    "write_index",
]

PACKAGES = (
    "ibis-framework",
    "duckdb",
    "pandas",
    "numpy",
    "matplotlib",
    "lifelines",
    "papermill",
    "nbconvert",
)
CELL_SECONDS = 3600


@dataclass(frozen=True)
class Run:
    """What became of one report; `html` is None where it failed, and `error` then says why."""

    slug: str
    title: str
    ok: bool
    answer: str
    error: str
    seconds: float
    as_of: str | None
    html: Path | None


def render_all(
    notebooks: Sequence[Notebook],
    *,
    out: Path,
    parameters: Mapping[str, Value],
    progress: Callable[[str], None] | None = None,
) -> list[Run]:
    """Render reports one after the other, then the index page; a failure does not stop the others.

    Parameters
    ----------
    notebooks
        Which ones.
    out
        Folder of the reports; made if missing.
    parameters
        Values by name. Each notebook gets those it has.
    progress
        Called with a line of text before and after each report.

    Returns
    -------
    list of Run
        In the order of the notebooks.

    Raises
    ------
    ParameterError
        A parameter that no chosen notebook has, or a value of a wrong type; nothing has run then.
    """
    known = {p.name: p for notebook in notebooks for p in notebook.parameters}
    for name in parameters:
        known_parameter(known, name, notebooks[0].name if len(notebooks) == 1 else "the chosen notebooks")
    own = [{p.name: parameters[p.name] for p in n.parameters if p.name in parameters} for n in notebooks]
    for notebook, given in zip(notebooks, own, strict=True):
        parse_parameters(notebook, given)
    say = progress or (lambda line: None)
    runs = []
    for notebook, given in zip(notebooks, own, strict=True):
        say(f"{notebook.name} …")
        runs.append(run := render(notebook, out=out, parameters=given))
        say(f"{run.slug}: {f'done in {run.seconds:.1f} s' if run.ok else f'FAILED. {run.error}'}")
    write_index(out)
    return runs


def render(notebook: Notebook, *, out: Path, parameters: Mapping[str, Value], slug: str | None = None) -> Run:
    """Run one notebook and publish its report, or keep the last good one and note the failure.

    Parameters
    ----------
    notebook
        The notebook.
    out
        Folder of the reports; made if missing.
    parameters
        Values by name, checked before a kernel starts.
    slug
        Name of the report; by default the notebook's.

    Returns
    -------
    Run
        `ok` only if every cell ran to its end.

    Raises
    ------
    ParameterError
        A parameter or the slug is not usable.
    """
    slug = checked_slug(slug or notebook.name)
    values = parse_parameters(notebook, parameters)
    out.mkdir(parents=True, exist_ok=True)
    folder = out.resolve() / f".run-{slug}-{os.getpid()}"
    job = _Job(notebook, slug, values, folder, datetime.now(UTC), time.monotonic())
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed and had the same process number
    (folder / slug).mkdir(parents=True)
    try:
        return _succeeded(job)
    except ReportError as error:
        return _failed(job, str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Job:
    """One run under way: `folder` is its run folder, where everything is written first."""

    notebook: Notebook
    slug: str
    values: Mapping[str, Value]
    folder: Path
    started: datetime
    clock: float

    def facts(self) -> dict[str, Any]:
        """Give what is known of a run whether or not it succeeds."""
        ended = datetime.now(UTC)
        return {
            "slug": self.slug,
            "title": self.notebook.title,
            "notebook": self.notebook.name,
            "parameters": {name: public(value) for name, value in self.values.items()},
            "started": f"{self.started:%Y-%m-%dT%H:%M:%SZ}",
            "ended": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
            "seconds": round(time.monotonic() - self.clock, 2),
        }

    def write(self, name: str, text: str) -> None:
        """Write a file of the run folder, without this machine's folders in it."""
        paths = [os.path.dirname(v) for v in self.values.values() if isinstance(v, str) and os.path.isabs(v)]
        own: list[str | Path] = [*paths, self.folder, self.folder.parent, self.notebook.path.parent]
        (self.folder / name).write_text(without_folders(text, own), encoding="utf-8")

    def write_log(self, name: str) -> None:
        """Put the log, if it says anything, among the files to publish."""
        log = self.folder / "log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        # What ipykernel says whenever it is asked to go.
        if text := text.replace("[IPKernelApp] ERROR | KeyboardInterrupt caught in kernel.\n", ""):
            self.write(name, text)


def _succeeded(job: _Job) -> Run:
    from cslib.html import gathered, page

    raw = job.notebook.path.read_bytes()
    executed = _execute(job, raw.decode())
    facts = {"status": "ok", **job.facts(), **gathered(executed)}
    facts |= {"notebook_sha256": hashlib.sha256(raw).hexdigest(), "versions": _versions()}
    job.write(f"{job.slug}/run.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    job.write_log(f"{job.slug}/run.log")
    job.write(f"{job.slug}.html", page(executed, facts))
    html = publish(job.folder, job.slug)
    return Run(job.slug, facts["title"], True, facts["answer"], "", facts["seconds"], facts["as_of"], html)


def _failed(job: _Job, reason: str) -> Run:
    facts = {"status": "failed", "error": reason, **job.facts()}
    job.write(f"{job.slug}.failed.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    job.write_log(f"{job.slug}.failed.log")
    error = json.loads((job.folder / f"{job.slug}.failed.json").read_text(encoding="utf-8"))["error"]
    for file in job.folder.glob("*.failed.*"):
        os.replace(file, job.folder.parent / file.name)
    return Run(job.slug, facts["title"], False, "", error, facts["seconds"], None, None)


def _versions() -> dict[str, str]:
    versions = {"cslib": cslib.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _execute(job: _Job, text: str) -> Any:
    """Run a notebook in memory; anything but a run to the last cell is an error.

    papermill's own marks prove nothing: it calls every cell completed after a killed kernel, and returns
    as if all were well after ``sys.exit(0)``. So the cells are looked at.
    """
    import nbformat
    import papermill

    started: list[Any] = []
    try:
        with _log(job.folder / "log") as log, tempfile.TemporaryDirectory(prefix="cslib-") as tmp:
            executed = papermill.execute_notebook(
                nbformat.reads(text, as_version=4),  # type: ignore[no-untyped-call]
                None,
                parameters=dict(job.values),
                kernel_name="python3",
                language="python",
                kernel_manager_class=_kernel_class(job.folder / job.slug, Path(tmp), log),
                on_cell_execute=lambda cell, cell_index: started.append(cell),
                on_cell_executed=_note_exit,
                stderr_file=log,
                progress_bar=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                execution_timeout=CELL_SECONDS,
            )
    except papermill.PapermillExecutionError as error:
        with (job.folder / "log").open("a", encoding="utf-8") as log:
            print(re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)), file=log)
        raise ReportError(_reason(error.ename, error.evalue, started)) from error
    except TimeoutError as error:
        raise ReportError(_reason("", f"it took longer than {CELL_SECONDS} s", started)) from error
    except RuntimeError as error:  # how jupyter_client and nbclient report a kernel that died
        dead = "its process died (it ran out of memory, crashed or was killed)"
        why = dead if "died" in str(error) else str(error)
        raise ReportError(_reason("", why, started)) from error
    _check_finished(executed, started)
    return executed


def _note_exit(cell: Any, cell_index: int, execute_reply: Any) -> None:
    """Mark a cell that called ``exit()``: it leaves no error, and the kernel goes a moment later."""
    payload = execute_reply["content"].get("payload") or []
    cell.metadata["asked_exit"] = any(entry.get("source") == "ask_exit" for entry in payload)


def _check_finished(executed: Any, started: list[Any]) -> None:
    cells = [c for c in executed.cells if c.cell_type == "code" and c.source.strip()]
    for cell in cells:
        errors_shown = [o for o in cell.outputs if o.output_type == "error"]
        if errors_shown:
            raise ReportError(_reason(errors_shown[0].ename, errors_shown[0].evalue, started))
        if cell.metadata.get("asked_exit"):
            raise ReportError(_reason("SystemExit", "", [cell]))
        if cell.execution_count is None:
            raise ReportError(_reason("", "it was never run", [cell]))
    if not executed.metadata.papermill.get("end_time"):
        raise ReportError(_reason("", "the run has no end", started))


def _reason(kind: str, message: str, started: list[Any]) -> str:
    """Say why a run failed so that its reader knows what to do; cslib's own errors say it themselves."""
    if kind in errors.__all__:
        return message
    first = started[-1].source.strip().splitlines()[0] if started else "(none)"
    if kind == "SystemExit":
        return f"The notebook stopped itself before its end, in the cell: {first}"
    return f"The notebook stopped in the cell: {first} – {f'{kind}: {message}' if kind else message}."


@contextmanager
def _log(path: Path) -> Iterator[IO[str]]:
    """Open the log that takes what papermill and the kernel would say on stderr."""
    logger = logging.getLogger("papermill")
    with path.open("a", encoding="utf-8") as log:
        handler, propagate = logging.StreamHandler(log), logger.propagate
        handler.setLevel(logging.ERROR)  # its guesses at our typed parameters are not worth a line
        logger.addHandler(handler)
        logger.propagate = False
        try:
            yield log
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagate


def _kernel_class(run_dir: Path, sockets: Path, log: IO[str]) -> type:
    """Make a kernel manager for this interpreter, whatever kernel specs are installed.

    It talks over sockets in a private folder: no port is open, and ipykernel does not warn of one.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = KernelSpec(argv=argv, name="python3", display_name="Python 3", language="python")
    transport = "ipc" if os.name == "posix" else "tcp"
    env = os.environ | {RUN_DIR: str(run_dir), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}

    class OwnKernel(AsyncKernelManager):
        kernel_spec = spec

        def __init__(self, **options: Any) -> None:
            super().__init__(transport=transport, connection_file=str(sockets / "kernel.json"), **options)

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await self._async_start_kernel(env=env, stdout=log, stderr=log, **options)

    return OwnKernel


def write_index(out: Path) -> Path:
    """Write ``index.html`` over all reports found in a folder.

    Parameters
    ----------
    out
        The folder of the reports.

    Returns
    -------
    Path
        The page.
    """
    from cslib.html import render_template

    runs = {r["slug"]: r for r in _records(out.glob("*/run.json")) if (out / f"{r['slug']}.html").exists()}
    failures = [f | {"last_good": runs.pop(f["slug"], None)} for f in _records(out.glob("*.failed.json"))]
    summary = f"{len(runs)} up to date" + f", {len(failures)} failed" * bool(failures)
    html = render_template("index.html", {"runs": list(runs.values()), "failures": failures, "summary": summary})
    new = out / f".index-{os.getpid()}.html"
    new.write_text(html, encoding="utf-8")
    sync(new)
    os.replace(new, out / "index.html")
    return out / "index.html"


def _records(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    from cslib.html import moment

    for path in sorted(paths):
        with suppress(OSError, ValueError, KeyError):
            record = json.loads(path.read_text(encoding="utf-8"))
            check = record.get("data_check", {})
            said = {"warnings": len(check.get("warnings", [])), "ended": moment(record["ended"])}
            yield {**record, **said}
