"""The report engine: run a notebook, check that it ran to its end, publish it whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import re
import secrets
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

import cslib
from cslib.errors import CslibError, MissingTableError, ReportError
from cslib.report.clock import SPENT, USUAL, Limits
from cslib.report.marks import FLOOD, LAST_READ, OWN
from cslib.report.parameters import Notebook, Value, parse_parameters
from cslib.report.publish import (
    RECORD,
    cleaned,
    locked,
    new_version,
    public,
    publish,
    refuse_foreign,
    run_folder,
)
from cslib.report.segments import MOST_BYTES, NONE, Segments, free_name
from cslib.show.seal import KEY

if TYPE_CHECKING:
    from cslib.report.html import Segment

Values = Mapping[str, Value]
Say = Callable[[str], None]
Step = Callable[[int], None]

PACKAGES = ["ibis-framework", "duckdb", "pandas", "numpy", "matplotlib", "lifelines", "papermill", "nbconvert"]
TOLD = ["answer", "subtitle", "attention", "cards", "tables"]  # of a segment, in the record
MOST_LOG = 1_000_000  # characters of a log that are kept
UNEXPECTED = "an error that cslib did not expect"
STOPPED = threading.Event()  # by whom asked for the reports: what is under way has not failed by itself


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
    lacks_data: bool = False  # the data hold nothing of what it is about, nor ever did
    spent: Mapping[str, float] = field(default_factory=dict)  # seconds by phase, where they were asked for

    def __str__(self) -> str:
        failed = f"{'not made' if self.lacks_data else 'FAILED'}. {self.error}"
        return f"{self.slug}: {f'done in {self.seconds:.1f} s' if self.ok else failed}"


def nothing(_: Any) -> None:
    """Stand where nobody wants to be told."""


def render(
    notebook: Notebook, *, out: Path, parameters: Values, slug: str | None = None, progress: Step = nothing,
    group: str = "", env: Mapping[str, str] = MappingProxyType({}), limits: Limits = USUAL,
    segments: Segments = NONE,
) -> Run:  # fmt: skip
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
    progress
        Called with the number of code cells that have run, after each.
    group
        Of whom the report is, where there is one for each value of a column; the index says so.
    env
        What the kernel's environment has beyond ours.
    limits
        How long the report and each of its cells may take.
    segments
        Of which the page holds the same report, to switch to.

    Returns
    -------
    Run
        `ok` only if every cell ran to its end.

    Raises
    ------
    ParameterError
        A parameter, the slug or the folder is not usable.
    """
    slug = notebook.name if slug is None else slug
    values = parse_parameters(notebook, parameters)
    with run_folder(out, slug) as folder:
        job = _Job(notebook, slug, values, folder, new_version(folder, slug), group, progress, env, limits, segments)
        try:
            return _succeeded(job)
        except Exception as error:  # whatever is wrong with one report, the others and the index must come
            return _failed(job, error)


def note_failure(
    notebook: Notebook, *, out: Path, parameters: Values, slug: str, group: str, error: CslibError
) -> Run:  # fmt: skip
    """Note that a report could not be begun, as :func:`render` notes what failed under way; the last good one stays."""
    values = parse_parameters(notebook, parameters)
    with run_folder(out, slug) as folder:
        return _failed(_Job(notebook, slug, values, folder, new_version(folder, slug), group), error)


@dataclass(frozen=True)
class _Job:
    """One run under way: `folder` is its run folder, where everything is written first, `version` takes its files."""

    notebook: Notebook
    slug: str
    values: Values
    folder: Path
    version: Path
    group: str
    progress: Step = nothing
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = USUAL
    segments: Segments = NONE
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.monotonic)

    def left(self, cell: object = None) -> int:
        """Seconds that a cell may take from now on."""
        return max(1, min(self.limits.cell, math.ceil(self.limits.report - (time.monotonic() - self.clock))))

    def late(self) -> str:
        """Say which limit has just been reached."""
        if time.monotonic() - self.clock >= self.limits.report:
            return f"the report took longer than {self.limits.report:,} s in all (--report-limit)"
        return f"it took longer than {self.limits.cell:,} s (--cell-limit)"

    def facts(self) -> dict[str, Any]:
        """Give what is known of a run whether or not it succeeds."""
        given = {name: public(value) for name, value in self.values.items()}
        about: dict[str, Any] = {"slug": self.slug, "title": self.notebook.title, "label": self.notebook.label}
        about |= {"notebook": self.notebook.name, "parameters": given}
        about |= {"group": self.group} if self.group else {}
        started, ended = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (self.started, datetime.now(UTC)))
        return {**about, "started": started, "ended": ended, "seconds": round(time.monotonic() - self.clock, 2)}

    def clean(self, value: Any) -> Any:
        """Make a text, or every text in what run.json is to hold, fit to be published."""
        return cleaned(value, self.values.values(), (self.folder, self.folder.parent, self.notebook.path.parent))

    def write(self, path: Path, content: str | Mapping[str, Any]) -> None:
        """Write a file."""
        text = content if isinstance(content, str) else json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")

    def log(self, text: str) -> None:
        """Add to the log."""
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            log.write(text)

    def write_log(self, path: Path) -> None:
        """Put the log, if it says anything, among the files to publish."""
        log = self.folder / "log"
        text = _beginning(log, MOST_LOG) if log.exists() else ""
        # What ipykernel says whenever it is asked to go.
        if text := text.replace("[IPKernelApp] ERROR | KeyboardInterrupt caught in kernel.\n", ""):
            self.write(path, self.clean(text))


def _succeeded(job: _Job) -> Run:
    from cslib.report.html import gathered, page, trust_own

    with locked(job.folder.parent):  # else another run of this report could be half in place
        refuse_foreign(job.folder.parent, job.slug)
    raw = job.notebook.path.read_bytes()
    executed = _execute(job, raw.decode(), key := secrets.token_hex(16))
    since = time.monotonic()
    trust_own(executed, key)
    facts = job.clean({"status": "ok", **job.facts(), **gathered(executed)})
    facts |= {"notebook_sha256": hashlib.sha256(raw).hexdigest(), "versions": _versions(), "version": job.version.name}
    parts = sorted(_of_segments(job, raw.decode(), executed), key=lambda part: part.value)  # as in every chart
    about = {p.value: {key: p.facts.get(key) for key in TOLD} | {"folder": p.id, "error": p.reason} for p in parts}
    facts |= {"segments": about} if about else {}
    whole = job.facts()
    facts |= {key: whole[key] for key in ("ended", "seconds")}  # with the segments
    job.write(job.version / RECORD, facts)
    job.write_log(job.version / "run.log")
    left_out = job.segments.left_out(len(parts))
    how: dict[str, Any] = {"column": job.segments.column, "segments": parts, "left_out": left_out}
    job.write(job.folder / f"{job.slug}.html", job.clean(page(executed, facts, **how)))
    html = publish(job.folder, job.slug, job.version)
    spent = executed.metadata["spent"] | {"page": time.monotonic() - since}
    return Run(job.slug, facts["title"], True, facts["answer"], "", facts["seconds"], facts["as_of"], html, spent=spent)


def _of_segments(job: _Job, text: str, whole: Any) -> Iterator[Segment]:
    """Run the same notebook on each segment, as long as the page has room for one as large as the largest so far.

    Where its data are too few for the report, the reason takes its place.
    """
    from cslib.data.snapshot import SEGMENT
    from cslib.report.html import Segment, gathered, trust_own, weight

    taken, largest = {"all"}, 0
    used = weight(whole) if job.segments.values else 0

    def step(done: int) -> Step:
        return lambda n: job.progress(done + n)

    for place, value in enumerate(job.segments.values, start=1):
        if used + largest > MOST_BYTES:
            return
        name = free_name(job.segments.column, value, taken)
        version, key = job.version / name, secrets.token_hex(16)
        version.mkdir()
        env = {**job.env, SEGMENT: json.dumps([job.segments.column, value])}
        ahead = step(place * job.notebook.cells)
        own = replace(
            job, values={**job.values, "segment_by": ""}, version=version, env=env, clock=time.monotonic(),
            progress=ahead,
        )  # fmt: skip
        try:
            executed = _execute(own, text, key)
        except _ToldError as error:
            yield Segment(value, name, reason=str(job.clean(str(error))))
            continue
        except ReportError as error:
            msg = f"Of {job.segments.column} {value}: {error}"
            raise ReportError(msg) from error
        trust_own(executed, key)
        own_weight = weight(executed)
        used, largest = used + own_weight, max(largest, own_weight)
        if used > MOST_BYTES:
            shutil.rmtree(version)
            return
        yield Segment(value, name, executed, job.clean({**own.facts(), **gathered(executed)}))


def _failed(job: _Job, error: Exception) -> Run:
    error = ReportError("It was stopped before its end.") if STOPPED.is_set() else error
    own = isinstance(error, CslibError)
    with suppress(OSError):  # where the disk is full, the caller at least gets to know
        job.log("" if own else "".join(traceback.format_exception(error)))
    reason = str(error) if own else f"The report could not be put together: {UNEXPECTED}.{_see_log(job)}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = "The disk of the reports is full. Make room there, and make the report anew."
    lacks_data = isinstance(error, MissingTableError) and not (job.folder.parent / f"{job.slug}.html").exists()
    facts = job.clean({"status": "not made" if lacks_data else "failed", "error": reason, **job.facts()})
    with suppress(OSError):
        job.write(job.folder / f"{job.slug}.failed.json", facts)
        job.write_log(job.folder / f"{job.slug}.failed.log")
        for file in job.folder.glob("*.failed.*"):
            os.replace(file, job.folder.parent / file.name)
    return Run(job.slug, facts["title"], False, "", facts["error"], facts["seconds"], None, None, lacks_data)


def _beginning(path: Path, most: int) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(most)
        return text + "\n… (the rest is left out)\n" if file.read(1) else text


def _versions() -> dict[str, str]:
    versions = {"cslib": cslib.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _execute(job: _Job, text: str, key: str) -> Any:
    """Run a notebook in memory; anything but a run to the last cell is an error.

    papermill's own marks prove nothing: it calls every cell completed after a killed kernel, and returns
    as if all were well after ``sys.exit(0)``. So the cells are looked at.
    """
    import nbformat
    import papermill

    from cslib.report.kernels import kernel_class

    started: list[Any] = []
    spent: dict[str, float] = {}

    def before(cell: Any, cell_index: int) -> None:
        spent.setdefault("start", time.monotonic() - job.clock)
        started.append(cell)

    def after(cell: Any, cell_index: int, execute_reply: Any) -> None:
        # exit() leaves no error, and the kernel goes a moment later.
        payload = execute_reply["content"].get("payload") or []
        cell.metadata["asked_exit"] = any(entry.get("source") == "ask_exit" for entry in payload)
        cell.metadata["flood"] = next((entry["text"] for entry in payload if entry.get("source") == FLOOD), "")
        spent.update(*(entry["spent"] for entry in payload if entry.get("source") == SPENT))
        job.progress(sum("injected-parameters" not in c.metadata.get("tags", []) for c in started))

    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    _under_headings(notebook.cells)
    how: dict[str, Any] = {"kernel_name": "python3", "language": "python", "timeout_func": job.left}
    how |= {"progress_bar": False, "request_save_on_cell_execute": False, "autosave_cell_every": 0}
    how |= {"on_cell_execute": before, "on_cell_executed": after}
    try:
        with _log(job.folder / "log") as log, _folder_for_a_time() as tmp:
            kernel = kernel_class(job.version, Path(tmp), job.folder / "log", {**job.env, KEY: key})
            how |= {"parameters": dict(job.values), "kernel_manager_class": kernel, "stderr_file": log}
            executed = papermill.execute_notebook(notebook, None, **how)
    except papermill.PapermillExecutionError as error:
        job.log(re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback)).removesuffix(OWN))
        _check_finished(job, started)
        raise ReportError(_stopped(job, started[-1], UNEXPECTED)) from error
    except (TimeoutError, RuntimeError) as error:  # RuntimeError: how jupyter_client reports a kernel that died
        dead = "its process died (it ran out of memory, crashed or was killed)" if "died" in str(error) else str(error)
        flood = "it showed more than could be taken" if "IOPub" in str(error) else ""
        why = (flood or job.late()) if isinstance(error, TimeoutError) else dead
        raise ReportError(_stopped(job, started[-1] if started else None, why)) from error
    _check_finished(job, [c for c in executed.cells if c.cell_type == "code" and c.source.strip()])
    if not executed.metadata.papermill.get("end_time"):
        raise ReportError(_stopped(job, started[-1], "the run has no end"))
    executed.metadata["spent"] = spent
    return executed


def _folder_for_a_time() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cslib-", ignore_cleanup_errors=True)


def _under_headings(cells: Iterable[Any]) -> None:
    """Note with each cell the heading it stands under: that is what readers call the step."""
    heading = ""
    for cell in cells:
        titles = re.findall(r"(?m)^#+ (.+)$", cell.source) if cell.cell_type == "markdown" else []
        heading = titles[-1] if titles else heading
        cell.metadata["heading"] = heading


class _ToldError(ReportError):
    """What cslib itself said of the data or the parameters, in the notebook."""


class _LacksDataError(_ToldError, MissingTableError):
    """The data hold nothing of what the notebook is about."""


def _check_finished(job: _Job, cells: Iterable[Any]) -> None:
    """Blame the first cell that did not run to its end; one that was meant to raise did not either."""
    for cell in cells:
        if cell.metadata.get("flood"):
            raise ReportError(_stopped(job, cell, f"{cell.metadata['flood']}. Show less, or keep a table as a file"))
        for error in (o for o in cell.outputs if o.output_type == "error"):
            if OWN in error.traceback:
                raise (_LacksDataError if error.ename == MissingTableError.__name__ else _ToldError)(error.evalue)
            read = next((line for line in error.traceback if line.startswith(LAST_READ)), "").removeprefix(LAST_READ)
            why = f"{UNEXPECTED}, after reading the table {read}" if read else UNEXPECTED
            why = "it stopped itself before its end" if error.ename == "SystemExit" else why
            raise ReportError(_stopped(job, cell, why))
        if cell.metadata.get("asked_exit"):
            raise ReportError(_stopped(job, cell, "it stopped itself before its end"))
        if cell.execution_count is None:
            raise ReportError(_stopped(job, cell, "it was never run"))


def _stopped(job: _Job, cell: Any, why: str) -> str:
    """Say where and why a run failed; what an error itself says is for the log."""
    if cell is None:
        return f"The notebook could not be started: {why}.{_see_log(job)}"
    under = f"“{cell.metadata['heading']}”, " if cell.metadata.get("heading") else ""
    return f"The notebook stopped at {under}in the cell: {cell.source.strip().splitlines()[0]} – {why}.{_see_log(job)}"


def _see_log(job: _Job) -> str:
    log = job.folder / "log"
    return f" The log says more: {job.slug}.failed.log." if log.exists() and log.stat().st_size else ""


@contextmanager
def _log(path: Path) -> Iterator[IO[str]]:
    """Open the log that takes what papermill and the kernel would say on stderr."""
    logger = logging.getLogger("papermill")
    with path.open("a", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        handler.setLevel(logging.ERROR)  # its guesses at our typed parameters are not worth a line
        own = threading.get_ident()
        handler.addFilter(lambda record: record.thread == own)  # another report may run beside this one
        logger.addHandler(handler)
        logger.propagate = False
        try:
            yield log
        finally:
            logger.removeHandler(handler)
            logger.propagate = not logger.handlers
