"""Compare the last run of the scorecard with the run before, and tell what is new, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from cslib.errors import ParameterError, ReportError, counted
from cslib.report import digest as say
from cslib.report.digest import Digest, News
from cslib.report.home import write_index
from cslib.report.look import Seen, failures, last_good, last_runs, run_before
from cslib.report.publish import locked, put, sync
from cslib.report.standing import Judged, corrected, judge, less_sure, news_of, standing, still

STATE: Final = "alerts.json"
LOCK: Final = ".alerts.lock"
FORMAT: Final = 1
Send = Callable[[Digest], Sequence[str]]


@dataclass(frozen=True)
class State:
    """What has been told: how each scorecard stood, what had failed since when, and what has yet to be sent."""

    scorecards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[News, ...] = ()


def tell(out: Path, send: Send | None = None) -> Digest:
    """Find what is new in a folder of reports, write it as ``digest.html`` and ``digest.md``, and send it.

    Parameters
    ----------
    out
        The folder of the reports.
    send
        Sends a digest, and names the receivers that it did not reach; none: the two files are all.

    Returns
    -------
    Digest
        What is told by this call: what is new, and what could not be sent before.

    Raises
    ------
    ParameterError
        There is no such folder.
    ReportError
        It holds no report of the scorecard, or one that cannot be read; what has been told cannot be read; or a
        receiver was not reached.

    Notes
    -----
    Each thing is told at least once, and once where all goes well. What is new is written to ``alerts.json`` as waiting
    before it is sent, and taken off when every receiver has it: whatever ends the process in between, the next call
    sends it again, also to receivers that have it already.
    """
    ParameterError.when(not out.is_dir(), f"There is no folder {out}. Make reports first: cslib report --out {out}.")
    (out / LOCK).touch()
    with locked(out / LOCK):  # one call at a time, while reports may be published
        state = _read_state(out / STATE)
        with locked(out):
            digest, state = _compared(out, state)
        _write_state(out, state)
        first = not (out / "digest.html").exists()
        put(out / "digest.html", say.page(digest))
        put(out / "digest.md", say.markdown(digest))
        if first and (out / "index.html").exists():
            write_index(out)  # which leads to the digest from now on
        unreached = send(digest) if send and digest.news else ()
        again = "What is new is kept, and sent with the next call."
        ReportError.when(unreached, f"The digest did not reach {' and '.join(unreached)}. {again}")
        _write_state(out, State(state.scorecards, state.failed))
        return digest


def _compared(out: Path, state: State) -> tuple[Digest, State]:
    """Find what is new, and what stands from now on."""
    runs, failed = last_runs(out), failures(out)
    why = f"{out} holds no report of the scorecard. Make one first: cslib report scorecard --out {out}."
    ReportError.when(not runs and not failed, why)
    judged, scorecards = judge(runs), dict(state.scorecards)
    news, notes = list(state.waiting), list[str]()
    for run in runs:
        found = _of_scorecard(out, run, judged, state.scorecards.get(run.slug))
        scorecards[run.slug] = found.stands
        news += found.news
        notes += found.notes
    since = {slug: state.failed.get(slug) or str(record["started"]) for slug, record in failed.items()}
    news += _of_failures(out, failed, since, state.failed)
    n_compared = sum(int(run.compared["p"].notna().sum()) for run in runs)
    as_of = max((run.as_of for run in runs), default="")
    waiting = say.in_order(news)
    return Digest(waiting, tuple(notes), as_of, n_compared), State(scorecards, since, waiting)


@dataclass(frozen=True)
class _OfOne:
    """What is new in one scorecard, what else is to be said of it, and how it stands."""

    news: Sequence[News]
    notes: Sequence[str]
    stands: Mapping[str, Any]


def _of_scorecard(out: Path, run: Seen, judged: Judged, told: Mapping[str, Any] | None) -> _OfOne:
    if told and run.as_of < told["as_of"]:
        note = f"{run.name} is as of {run.as_of or 'no day'}, before {told['as_of']}, which was told last, and is not"
        return _OfOne([], [f"{note} compared with it. To begin anew, move {STATE} away."], told)
    before, notes = _before(out, run, told)
    now = standing(run, judged, before)
    page = (out / f"{run.slug}.html").read_text("utf-8", errors="replace")
    if n := corrected(run, before):
        are = "is" if n == 1 else "are"
        notes.append(f"{run.name}: {counted(n, 'value')} of the last time {are} different in today's data.")
    if held := still(run, before, now):
        notes.append(f"{run.name}, still so: {', '.join(held)}.")
    if unsure := less_sure(run, judged, now):
        notes.append(f"{run.name}, seen but less sure: {', '.join(unsure)}.")
    return _OfOne(news_of(run, before, now, page), notes, {"as_of": run.as_of, "setting": run.setting, "kpis": now})


def _before(out: Path, run: Seen, told: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], list[str]]:
    """Give how a scorecard stood: as told, or else as its run before says."""
    if told and told["setting"] == run.setting:
        return told["kpis"], []
    if told:
        return {}, [f"{run.name} was made with other parameters than before, so all that stands in it is told."]
    earlier = run_before(out, run)
    if earlier and earlier.setting == run.setting:
        return standing(earlier, judge([earlier]), {}), []
    return {}, [f"{run.name} has no run before to compare with, so all that stands in it is told."]


def _of_failures(
    out: Path, failed: Mapping[str, Mapping[str, Any]], since: Mapping[str, str], told: Mapping[str, str]
) -> list[News]:
    """Say which reports have failed, and which work again."""
    news = []
    for slug in failed.keys() - told.keys():
        record, good = failed[slug], last_good(out, slug)
        text = say.failed(
            _title(record), since[slug], str(record.get("error") or ""), str(good.get("ended") or "")[:10]
        )
        news.append(News(say.FAILED, 0.0, text, f"{slug}.html" if good else "index.html", "Reports"))
    for slug in told.keys() - failed.keys():
        if good := last_good(out, slug):
            news.append(News(say.WORKS, 0.0, say.works(_title(good), told[slug]), f"{slug}.html", "Reports"))
    return sorted(news, key=lambda one: one.text)


def _title(record: Mapping[str, Any]) -> str:
    name = str(record.get("label") or record["slug"])
    return f"{name} ({record['group']})" if record.get("group") else name


def _read_state(path: Path) -> State:
    """Read what has been told; nothing where nothing was."""
    if not path.exists():
        return State()
    away = "Move it away: the next call then tells all that stands."
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw["format"] == FORMAT:
            told = {slug: _scorecard(one) for slug, one in raw["scorecards"].items()}
            failed = {slug: _day(since) for slug, since in raw["failed"].items()}
            return State(told, failed, say.in_order(News(**one) for one in raw["waiting"]))
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        msg = f"{path.name} cannot be read. {away}"
        raise ReportError(msg) from error
    msg = f"{path.name} is of format {raw['format']!r}; this version of cslib knows {FORMAT}. Update cslib. Or: {away}"
    raise ReportError(msg)


def _scorecard(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take from the file how a scorecard stood, and refuse anything else."""
    kpis = {
        kpi: {
            "value": None if one["value"] is None else float(one["value"]),
            "until": one["until"] and _day(one["until"]),
        }
        | {"target": str(one["target"]), "missed": bool(one["missed"]), "moved": str(one["moved"])}
        for kpi, one in raw["kpis"].items()
    }
    return {"as_of": str(raw["as_of"]), "setting": dict(raw["setting"]), "kpis": kpis}


def _day(text: str) -> str:
    date.fromisoformat(text[:10])
    return text


def _write_state(out: Path, state: State) -> None:
    content = {"format": FORMAT, "scorecards": state.scorecards, "failed": state.failed}
    waiting = [asdict(one) for one in state.waiting]
    put(out / STATE, json.dumps({**content, "waiting": waiting}, indent=1, ensure_ascii=False) + "\n")
    sync(out)
