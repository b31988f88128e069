"""Many reports of one call: side by side, on data that are loaded once, then the index over all of them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cslib.errors import CslibError, LimitError, ParameterError, counted
from cslib.report import engine
from cslib.report.clock import PROFILE, USUAL, Limits
from cslib.report.engine import Run, Say, Values, nothing
from cslib.report.forks import warm
from cslib.report.parameters import Notebook, given_for, output_folder, parse_parameters
from cslib.report.publish import read_record, run_folder
from cslib.report.segments import NONE, Segments, free_name, segments_of
from cslib.shared import SHARED

Progress = Callable[[float], None]
LONG: Final = {  # seconds, of the sample; of more customers churn takes longer than surveys
    "scorecard": 12, "lifetime_value": 12, "churn_survival": 8, "nps_segmentation": 7,
    "cohort_retention": 3, "revenue": 2,
}  # fmt: skip
MOST: Final = 500  # values of a column, each of which gets its reports


@dataclass(frozen=True)
class _Task:
    """One report to make: `group` says of whom it is, where there is one for each value of a column."""

    notebook: Notebook
    given: Values
    slug: str
    group: str = ""
    segments: Segments = NONE

    @property
    def cells(self) -> int:
        """How many cells are to run."""
        return self.notebook.cells * (1 + len(self.segments.values))


@dataclass(frozen=True)
class _How:
    """What all reports of a call have in common."""

    env: Mapping[str, str]
    limits: Limits
    say: Say
    progress: Progress
    late: LimitError | None  # reading the data has taken too long for all


def render_all(
    notebooks: Sequence[Notebook], *, out: Path, parameters: Values, say: Say = nothing, progress: Progress = nothing,
    jobs: int = 0, each: str = "", keep_snapshot: Path | None = None, limits: Limits = USUAL, profile: bool = False,
) -> list[Run]:  # fmt: skip
    """Render reports side by side, then the index page; a failure does not stop the others.

    Parameters
    ----------
    notebooks
        Which ones.
    out
        Folder of the reports; made if missing.
    parameters
        Values by name. Each notebook gets those it has.
    say
        Called with a line of text before and after each report.
    progress
        Called with the share of the work behind us (0–1), after each code cell.
    jobs
        How many at once; by default one for each processor, and no more than there is memory for.
    each
        A column, for each value of which every notebook is rendered anew, with ``where`` set to it.
    keep_snapshot
        A ``.cslib`` file that is to take the data as they were loaded for the reports.
    limits
        How long each report and cell may take.
    profile
        Whether the runs tell what they spent their time on.

    Returns
    -------
    list of Run
        In the order of the values of ``each``, then of the notebooks.

    Raises
    ------
    ParameterError
        A parameter that no chosen notebook has, a value of a wrong type, a notebook's name that cannot
        name a report, no folder to write to, or a column that is not there or has over 500 values; nothing has
        run then.
    """
    ParameterError.when(jobs < 0, f"jobs is {jobs}. Give 1 or more, or 0 for as many as this machine takes.")
    tasks = [_Task(n, given_for(n, notebooks, parameters), n.name) for n in notebooks]
    out = output_folder(out)
    warm()
    with run_folder(out, "snapshot") as folder:
        path = keep_snapshot.resolve() if keep_snapshot else folder / "data.cslib"
        jobs, kept = jobs or _as_many_as_fit(), keep_snapshot is not None
        threads = max(1, _processors() // jobs)  # of the engine of each report
        env: dict[str, str] = {}
        late: LimitError | None = None
        try:
            env, tasks = _prepared(tasks, path, each, kept=kept, threads=threads, say=say)
        except LimitError as error:  # nobody waits for the same once more
            if each:  # nor is known of whom the reports would be
                raise
            late = error
        try:
            env |= _shared_folder(folder) | ({PROFILE: "1"} if profile else {})
            return _side_by_side(tasks, out, jobs, _How(env, limits, say, progress, late))
        finally:
            from cslib.report.home import write_index

            write_index(out)


def _prepared(
    tasks: list[_Task], path: Path, each: str, *, kept: bool, threads: int, say: Say
) -> tuple[dict[str, str], list[_Task]]:
    """Load the data that several reports share, and tell their kernels where they are; faults are left to them."""
    from cslib.data.dataset import values_of
    from cslib.data.load import load
    from cslib.data.snapshot import AT_HAND, made_from, save, save_answers

    values = [parse_parameters(task.notebook, task.given) for task in tasks]
    asked = Counter((str(own["data"]), str(own["as_of"])) for own in values if {"data", "as_of"} <= own.keys())
    split = any(own.get("segment_by") for own in values)
    if not (asked and (len(tasks) > 1 or kept or each or split)):
        ParameterError.when(each, "--each needs notebooks with the parameters data, as_of and where.")
        return {}, tasks
    data, as_of = asked.most_common(1)[0][0]
    say("data …")
    try:
        known = load(data, as_of=as_of)
    except CslibError as error:
        if each or isinstance(error, LimitError):
            raise
        return {}, tasks
    tasks = list(_of_each(tasks, each, values_of(known, each))) if each else tasks
    for i, task in enumerate(tasks):
        own = parse_parameters(task.notebook, task.given)
        if own.get("segment_by") and (own.get("data"), own.get("as_of")) == (data, as_of):  # else of other customers
            tasks[i] = replace(task, segments=segments_of(known, str(own["segment_by"]), str(own.get("where", ""))))
    warehouse = not save(known, path)
    if warehouse:
        ParameterError.when(kept, f"{known.label} is a warehouse: its tables are read where they are.")
        save_answers(known, path)
    shared = {"path": str(path), "asked": made_from(data, as_of, None), "threads": threads, "warehouse": warehouse}
    return {AT_HAND: json.dumps(shared)}, tasks


def _shared_folder(run: Path) -> dict[str, str]:
    """Make the folder in which kernels share what each has worked out; none where there is no room."""
    with suppress(OSError):
        (folder := run / "shared").mkdir()
        return {SHARED: str(folder)}
    return {}


def _of_each(tasks: Sequence[_Task], column: str, values: Sequence[str]) -> Iterator[_Task]:
    """Make of every task one for each value of a column."""
    msg = f"{column} has {counted(len(values), 'value')}, and each would get its reports. Choose a column with at most "
    ParameterError.when(len(values) > MOST, f"{msg}{MOST}.")
    taken: set[str] = set()
    for value in values:
        only = f'{column}="{value.replace(chr(34), chr(34) * 2)}"'
        name = free_name(column, value, taken)
        for task in tasks:
            where = " and ".join(filter(None, [str(task.given.get("where", "")), only]))
            given = {**task.given, "where": where}
            yield replace(task, given=given, slug=f"{task.slug}-{name}", group=f"{column}: {value}")


def _side_by_side(tasks: Sequence[_Task], out: Path, jobs: int, how: _How) -> list[Run]:
    """Run so many at once, those that took longest the last time first; whoever stops us stops all of them."""
    from cslib.report.kernels import stop_all

    took = {t.slug: read_record(out / t.slug / "run.json", t.slug).get("seconds", _usual(t)) for t in tasks}
    one = _one(tasks, out, how)
    with ThreadPoolExecutor(jobs, thread_name_prefix="report") as pool:
        runs = {task.slug: pool.submit(one, task) for task in sorted(tasks, key=lambda task: -took[task.slug])}
        try:
            return [runs[task.slug].result() for task in tasks]
        except BaseException:
            engine.STOPPED.set()
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(run.done() for run in runs.values()):  # one may just have been about to start its kernel
                stop_all()
                time.sleep(0.1)
            engine.STOPPED.clear()
            raise


def _usual(task: _Task) -> int:
    """Guess the seconds of a report that was not made before, for the long ones to begin first."""
    return LONG.get(task.notebook.name, task.notebook.cells // 4)


def _one(tasks: Sequence[_Task], out: Path, how: _How) -> Callable[[_Task], Run]:
    from jupyter_core.utils import ensure_event_loop

    behind, lock, total = Counter[str](), threading.Lock(), sum(task.cells for task in tasks)

    def one(task: _Task) -> Run:
        def step(n: int) -> None:
            with lock:
                behind[task.slug] = n
                how.progress(behind.total() / max(total, 1))

        how.say(f"{task.slug} …")
        own: Any = {"out": out, "parameters": task.given, "slug": task.slug, "group": task.group}
        with closing(ensure_event_loop()):  # of this thread
            if how.late:
                run = engine.note_failure(task.notebook, **own, error=how.late)
            else:
                more: Any = {"env": how.env, "limits": how.limits, "segments": task.segments}
                run = engine.render(task.notebook, **own, progress=step, **more)
        step(task.cells)
        how.say(str(run))
        return run

    return one


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_many_as_fit() -> int:
    """One for each processor that we may use, and a gigabyte for each."""
    processors = _processors()
    with suppress(AttributeError, OSError, ValueError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**30
        return max(1, min(processors, free))
    return processors
