"""The home page: what needs attention first, the headlines, every report with its answer, and what failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from cslib.errors import counted
from cslib.report.html import ALL, moment, render_template
from cslib.report.parameters import output_folder, words
from cslib.report.publish import bound, earlier_record, locked, point, put, read_record, with_addresses
from cslib.show.display import Card, card_html
from cslib.show.formats import format_day, format_value, inline
from cslib.stats.survival import DAYS_PER_MONTH

HEADLINES: Final = 8  # cards
SENTENCE: Final = re.compile(r"(?<=\.) (?=[A-Z*])")  # where one ends and the next begins
HOLDS: Final = "Every KPI with its target, its interval and what it was before. "
HEAD: Final = re.compile(r"\*\*(.+?)\*\*(.*?)(?:; (?!estimated)|\. )")  # of a sentence: its finding with the verdict
NAMED: Final = 5  # of the others, in short
SENTENCES: Final = 3  # on what needs attention; the report has all
TITLE: Final = "What needs attention first?"
LATE: Final = 35  # days from the end of the data to the run, above which it is said
TEXTS: Final = ("answer", "subtitle", "error", "status", "group")


def write_index(out: Path) -> Path:
    """Write ``index.html`` over all reports found in a folder, and bind their pages together.

    Parameters
    ----------
    out
        The folder of the reports.

    Returns
    -------
    Path
        The page.
    """
    out = output_folder(out)
    with locked(out):
        for page in out.glob("*.html"):
            if not (out / page.stem).exists():  # lost where the folder was copied without links
                point(out, page.stem)
        runs = {r["slug"]: r for r in _records(out.glob("*/run.json")) if (out / f"{r['slug']}.html").exists()}
        failures = [f | {"last_good": runs.pop(f["slug"], None)} for f in _records(out.glob("*.failed.json"))]
        kept = [f["last_good"] for f in failures if f["last_good"]]
        pages = sorted([*runs.values(), *kept], key=_place)
        bound(out, pages)
        known = {r["notebook"]: r["slug"] for r in pages if not r["group"]}
        html = render_template("index.html", _shown(out, sorted(runs.values(), key=_place), failures, pages))
        return put(out / "index.html", with_addresses(html, known))


def _shown(
    out: Path, runs: list[dict[str, Any]], failures: list[dict[str, Any]], pages: list[dict[str, Any]]
) -> dict[str, Any]:
    not_made = [f for f in failures if f["status"] == "not made" and not f["last_good"]]
    failed = [f for f in failures if f not in not_made]
    summary = counted(len(runs) + len(failed), "report") + f", {len(failed)} failed" * bool(failed)
    front = next((run for run in pages if run["attention"] and not run["group"]), None)
    listed = [_told(run, _holds if run is front else _brief) for run in sorted(runs, key=_group)]
    groups = [[*own] for _, own in groupby(listed, key=_group)]
    about: dict[str, Any] = {"groups": groups, "failures": failed, "not_made": not_made, "line": _line(summary, front)}
    about |= {"digest": (out / "digest.html").is_file(), "late": next((run["late"] for run in pages), "")}
    about |= {"pages": [run for run in pages if not run["group"]], "front": front}
    about |= {"title": TITLE if front else "Reports", "reach": front["as_of"] if front else ""}
    if front:
        about |= {"old": any(f["last_good"] is front for f in failed)}
        about |= {"views": [{**front, "id": ALL, "value": "All"}, *front["segments"]], "column": front["column"]}
        about |= {"column_words": words(front["column"]), "changes": _changes(out, front)}
        if len(about["views"]) > 1:
            about["groups"] = [[_by_view(run, front["column"], about["views"]) for run in runs] for runs in groups]
        about["views"] = [_told_first(view) for view in about["views"]]
    return about


def _line(summary: str, front: Mapping[str, Any] | None) -> str:
    """Say in a line up to when the data reach, how many reports there are, and when they were made."""
    if front is None:
        return summary
    reach = f"Data up to {front['as_of']} · " if front["as_of"] else ""
    return f"{reach}{summary}, made on {front['ended']}"


def _told_first(view: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the first sentences on what needs attention, count the rest, and draw the headlines once more."""
    said, rest = view["attention"][:SENTENCES], view["attention"][SENTENCES:]
    heads = [found[1] + found[2] for text in rest if (found := HEAD.match(text))]
    named = heads if len(heads) == len(rest) <= NAMED else []
    told = {"attention": [Markup(inline(text)) for text in said], "more": len(rest), "next": named}
    return {**view, "cards": _cards(view), **told}


def _by_view(run: Mapping[str, Any], column: str, views: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a report its answer in each view of the page: its own of the segment, or else the one it has, said so."""
    if run["group"] or not run["answer"]:
        return {**run}
    own = {s["value"]: s["answer"] for s in run["segments"]} if run["column"] == column else {}
    whole = {view["id"]: f"Not of this segment alone: {run['answer']}" for view in views} | {ALL: run["answer"]}
    return {**run, "answers": {view["id"]: own.get(view["value"]) or whole[view["id"]] for view in views}}


def _told(run: Mapping[str, Any], how: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    """List a report, and each of its segments, by a short answer."""
    return {**run, "answer": how(run), "segments": [{**own, "answer": how(own)} for own in run["segments"]]}


def _holds(run: Mapping[str, Any]) -> str:
    """Say what the report holds that heads the page: its answer stands above."""
    return f"{HOLDS}{run['subtitle']}."


def _brief(run: Mapping[str, Any]) -> str:
    """Keep the sentences of an answer that hold its findings, in bold; all where none does."""
    answer = str(run["answer"])
    return " ".join(text for text in _sentences(answer) if "**" in text) or answer


def _sentences(text: str) -> list[str]:
    """Part a text into its sentences, none of which ends within brackets or bold."""
    first, *pieces = SENTENCE.split(text)
    sentences = [first]
    for piece in pieces:
        last = sentences[-1]
        if last.count("(") > last.count(")") or last.count("**") % 2:
            sentences[-1] = f"{last} {piece}"
        else:
            sentences.append(piece)
    return sentences


def _place(run: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Order reports: first the one that tells what needs attention, then by name."""
    return not run["attention"], run["label"], run["slug"]


def _group(run: Mapping[str, Any]) -> str:
    return str(run["group"])


def _records(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Read what the page says of each run; what another program has written is passed over."""
    for path in sorted(paths):
        slug = path.name.removesuffix(".failed.json") if path.name != "run.json" else path.parent.name
        run = _run(read_record(path, slug), slug)
        if run:
            yield run


def _run(record: Mapping[str, Any], slug: str) -> dict[str, Any]:
    """Take out of a record what the page says of the run; nothing where it is not one of ours."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        shown = {key: str(record.get(key) or "") for key in TEXTS}
        shown |= {"slug": slug, "title": str(record["title"]), "ended": moment(record["ended"])}
        shown |= {"notebook": str(record.get("notebook") or slug), "label": str(record.get("label") or words(slug))}
        switch = (record.get("parameters") or {}) if record.get("segments") else {}
        shown["column"] = str(switch.get("segment_by") or "")
        lists = {key: [*(record.get(key) or ())] for key in ("attention", "cards")}
        lists["attention"] = [*map(str, lists["attention"])]
        lists["segments"] = [_segment(value, own) for value, own in (record.get("segments") or {}).items() if own]
        day = format_day(str(record["as_of"])) if record.get("as_of") else ""
        check = record.get("data_check", {})
        return {
            **shown,
            **lists,
            "as_of": day,
            "warnings": len(check.get("warnings", [])),
            "late": _late(record, check),
        }
    return {}


def _segment(value: str, own: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: str(own.get(key) or "") for key in ("answer", "subtitle", "error")}
    said = [*map(str, own.get("attention") or ())]
    return {**texts, "id": str(own["folder"]), "value": value, "attention": said, "cards": [*(own.get("cards") or ())]}


def _late(record: Mapping[str, Any], check: Mapping[str, Any]) -> str:
    """Say that the data end long before the reports were made, where nobody has declared that they do."""
    if not record.get("as_of") or check.get("as_of_declared", True):
        return ""
    ended, made = (date.fromisoformat(str(record[key])[:10]) for key in ("as_of", "ended"))
    days = (made - ended).days
    before = f"{counted(round(days / DAYS_PER_MONTH), 'month')} before these reports were made"
    return f"The data end on {format_day(record['as_of'])}, {before}." if days > LATE else ""


def _cards(run: Mapping[str, Any]) -> Markup:
    """Draw the first cards of a report once more, with their period; what they were before stands in the report."""
    brief = (replace(card, detail=card.detail.partition("\n")[0]) for card in _readable(run))
    return Markup("").join(Markup(card_html(card)) for card in brief)


def _readable(run: Mapping[str, Any]) -> Iterator[Card]:
    for record in run["cards"][:HEADLINES]:
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            limits = tuple(record["limits"]) if record.get("limits") else None
            trend = tuple(float("nan") if v is None else float(v) for v in record.get("trend") or ())
            aims = tuple(map(float, record.get("aims") or ()))
            yield Card(**{**record, "limits": limits, "trend": trend, "aims": aims})


def _changes(out: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the headlines with those of the run before; empty where there was none."""
    known = _run(earlier_record(out, run["slug"]), run["slug"])
    if not known:
        return {}
    old = {card.kpi: card for card in _readable(known) if card.kpi}
    rows = [(card, old[card.kpi]) for card in _readable(run) if card.kpi in old]
    moved = [(new, was) for new, was in rows if (new.value, new.status) != (was.value, was.status)]
    texts = [(new.label, _valued(was), _valued(new), _status(was, new)) for new, was in moved]
    day = known["as_of"]
    return {"ended": known["ended"], "day": day, "same_day": day == run["as_of"], "rows": texts}


def _valued(card: Card) -> str:
    return format_value(card.value, card.unit, card.currency)


def _status(was: Card, new: Card) -> str:
    return "" if was.status == new.status else f"{was.status or 'no target'} → {new.status or 'no target'}"
