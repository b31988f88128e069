"""Sentences, cards and texts of the scorecard: what needs attention, and where every KPI stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite, isinf
from typing import Any, Final

import pandas as pd

from cslib.data.drift import Drift
from cslib.data.kpi import Kpi
from cslib.errors import counted
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import Standing
from cslib.show.display import Card
from cslib.show.formats import MAY_BE_SEASON, format_interval, format_value
from cslib.show.result import Answer, Cards
from cslib.value.words import changed_pace

YEAR: Final = 12
SPANS: Final = {1: "a month", 3: "3 months", YEAR: "a year"}
SENTENCES: Final = 3
Row = Any  # one row of the scorecard, as from itertuples
HOW_TO_READ: Final = (
    "The small line is the KPI over time, its last point marked. The grey band is its usual range: where the next "
    "period lies while nothing but chance moves it. Where two years or more show a season, the usual range is that of "
    "the time of the year, and no band is drawn. It needs eight periods that do not overlap; with fewer, the last "
    "period is compared with the same one of the year before, or else with the one before it, by their intervals. "
    "A target is met or missed only where the whole 95 % interval says so."
)
MORE: Final = {
    "growth": {"revenue": "Revenue and its movements"},
    "retention": {"churn_survival": "Who leaves, when and why"}
    | {"cohort_retention": "Retention by cohort", "revenue": "Revenue kept"},
    "value": {"lifetime_value": "What a customer is worth"},
    "sentiment": {"nps_segmentation": "How customers feel"},
    "engagement": {"churn_survival": "Whom to call first"},
}


def scorecard_answer(stand: Standing) -> Answer:
    """Say how many KPIs are measured, and answer "are we on target?" in one sentence."""
    said = f"{stand.n_measured} of {stand.n_kpis} KPIs measured · {counted(stand.n_targets, 'target')}"
    n = stand.n_worse
    worse = f"{counted(n, 'KPI')} got worse by more than noise" if n else "no KPI got worse by more than noise"
    worse += ", which may be the season" if stand.untold else ""
    if not stand.n_targets:
        return Answer(said, f"No targets are set; **{worse}**.")
    n = stand.n_blind
    rest = f"; {counted(n, 'KPI')} with a target {'is' if n == 1 else 'are'} not measured" if n else ""
    return Answer(said, f"{_targets_said(stand)}; {worse}{rest}.")


def _targets_said(stand: Standing) -> str:
    n, missed, unclear = stand.n_judged, stand.n_missed, stand.n_unclear
    rest = f", {unclear} {'lies' if unclear == 1 else 'lie'} within the margin of error" if unclear else ""
    if not n:
        return "**No KPI with a target is measured**"
    if missed:
        return f"**{missed} of {counted(n, 'target')} {'is' if missed == 1 else 'are'} missed**{rest}"
    if unclear:
        one = "**The one target is not missed**, but it lies within the margin of error"
        return one if n == 1 else f"**None of {n} targets is missed**{rest}"
    return "**The one target is met**" if n == 1 else f"**{'Both' if n == 2 else f'All {n}'} targets are met**"


def attention(table: pd.DataFrame, stand: Standing, measured: Measured) -> Cards:
    """Say in three sentences what needs attention most.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.
    stand
        As from ``scorecard.scorecard.standing``.
    measured
        What both are made of.

    Returns
    -------
    Cards
        No cards, and at most three sentences with ``**bold**`` parts: missed targets first, by how far; then what got
        worse by more than noise, targets that cannot be told, what got better, and what is not measured. One of each
        KPI and its twin.
    """
    ranked: list[Row] = list(stand.attention.itertuples())
    said = [_said(r, measured) for r in ranked if not r.repeats]
    unmeasured: list[Row] = [r for r in table.itertuples() if pd.isna(r.value)]
    said += [f"**{r.label} has a target but is {r.status.rstrip('.')}**." for r in unmeasured if pd.notna(r.target)]
    others = [str(r.label) for r in ranked if r.repeats]
    missing = [str(r.label) for r in unmeasured if pd.isna(r.target)]
    said += _rest(others, missing, anything=bool(said), targets=bool(stand.n_targets))
    how: Any = {"how_to_read": HOW_TO_READ, "caption": "What needs attention"}
    return Cards("attention", stand.attention, before=tuple(said[:SENTENCES]), **how)


def _said(row: Row, measured: Measured) -> str:
    kpi, currency = measured.kpis[row.kpi], measured.currency
    value, known = _value(row, row.value, currency), _known(row)
    moved = "" if row.change in ("", "noise") else f", {_moved(row)}"
    before = f"{_before(row, kpi, currency)}{_season(row)}"
    if row.why == "missed":
        return f"**{row.label} is {value}; the target is {_target(row, currency)}**{known}{moved}{before}."
    if row.why == "not clear":
        size = f" from {counted(int(row.n), kpi.noun)}" if pd.notna(row.n) else ""
        text = f"Whether **{row.label} ({value}) reaches its target of {_target(row, currency)}** cannot be told"
        return f"{text}{size}{known}."
    way = {"higher": "rose", "lower": "fell"}[row.change]
    return f"**{row.label} {way} to {value}**{moved}{before}."


def _value(row: Row, value: float, currency: str) -> str:
    return "not reached" if isinf(value) else format_value(value, row.unit, currency)


def _known(row: Row) -> str:
    interval = format_interval(row.ci_lower, row.ci_upper, row.unit) if isfinite(row.ci_lower) else ""
    return f" (95 % interval {interval})" if interval else ""


def _before(row: Row, kpi: Kpi, currency: str) -> str:
    if pd.isna(row.previous):
        return ""
    return f"; it was {_value(row, row.previous, currency)} {SPANS[kpi.months]} before"


def _moved(row: Row) -> str:
    if isfinite(row.limit_lower):
        return f"{'above' if row.change == 'higher' else 'below'} {_usual(row)}"
    return f"{row.change} than {'a year ' * (row.season == 'allowed for')}before by more than noise"


def _usual(row: Row) -> str:
    now = " at this time of the year" if row.season == "allowed for" else ""
    return f"its usual {format_interval(row.limit_lower, row.limit_upper, row.unit)}{now}"


def _season(row: Row) -> str:
    """Say of a change that it may be the season, where the data cannot tell."""
    return MAY_BE_SEASON if row.season == "unknown" and row.change not in ("", "noise") else ""


def _target(row: Row, currency: str = "") -> str:
    if pd.notna(row.target_upper):
        return f"{_value(row, row.target, currency)} to {_value(row, row.target_upper, currency)}"
    return f"at {'least' if row.direction == 'up' else 'most'} {_value(row, row.target, currency)}"


def _rest(others: list[str], missing: list[str], *, anything: bool, targets: bool) -> Iterator[str]:
    if others:
        yield f"The same shows in {' and '.join(others)}."
    yield f"Nothing {'else ' * anything}is off its target or has moved by more than noise."
    if missing:
        several = f"{len(missing)} KPIs are not measured, among them {missing[0]}."
        yield several if len(missing) > 1 else f"{missing[0]} is not measured."
    if not targets:
        yield "No targets are set: name them in [targets] of cslib.toml, such as nps = 30."


def cards_of_group(group: str, rows: pd.DataFrame, measured: Measured, *, found: Drift | None = None) -> Cards:
    """Make a card of every measured KPI of a group, say why the others are not, and where to read on.

    Parameters
    ----------
    group
        One of ``data.kpi.GROUPS``.
    rows
        Of the scorecard: those of the group.
    measured
        What they are made of.
    found
        That churn has changed, where these KPIs rest on it.

    Returns
    -------
    Cards
    """
    each: list[Row] = list(rows.itertuples())
    cards = tuple(_card(r, measured) for r in each if pd.notna(r.value))
    moved = [changed_pace(found, what="Values of a new customer")] if found and cards else []
    notes = (*moved, *_not_measured(r for r in each if pd.isna(r.value)))
    return Cards(group, rows, cards=cards, notes=notes, see_also=MORE[group], caption=f"KPIs of {group}")


def _card(row: Row, measured: Measured) -> Card:
    kpi, currency = measured.kpis[row.kpi], measured.currency
    limited = isfinite(row.limit_lower) and not (kpi.grows or row.season == "allowed for")  # else of one period only
    sure, has_target = row.ci_lower == row.ci_upper, pd.notna(row.target)
    lower, upper = (None, None) if sure else (row.ci_lower, row.ci_upper)
    n = None if pd.isna(row.n) else int(row.n)
    never = "" if isfinite(row.value) else "not reached within the time looked ahead"
    detail = "\n".join(filter(None, [row.period, never, _compared(row, kpi, currency), _noise(row)]))
    judged: Any = {"status": row.status, "target": _target(row, currency)} if has_target else {}
    limits = (float(row.limit_lower), float(row.limit_upper)) if limited else None
    more: Any = {"trend": measured.trend(row.kpi), "limits": limits, "kpi": row.kpi}
    return Card(row.label, row.value, row.unit, lower, upper, n, currency, detail, **judged, **more)


def _compared(row: Row, kpi: Kpi, currency: str) -> str:
    """Name the values before, one a line; of a period of a year both are the same."""
    spans = {} if kpi.months == YEAR else {SPANS[kpi.months]: row.previous}
    spans |= {SPANS[YEAR]: row.year_before}
    return "\n".join(f"{span} before: {_value(row, v, currency)}" for span, v in spans.items() if pd.notna(v))


def _noise(row: Row) -> str:
    if row.change == "":
        return ""
    if row.change == "noise":
        if not isfinite(row.limit_lower):
            return "change within noise"
        inside = row.limit_lower <= row.value <= row.limit_upper
        return f"within {_usual(row)}" if inside else f"outside {_usual(row)}, but not by more than its interval"
    text = _moved(row)
    return f"{text}{'' if text.endswith('noise') else ': more than noise'}{_season(row)}"


def _not_measured(rows: Iterable[Row]) -> Iterator[str]:
    """Say which KPIs are not measured, and what they need; KPIs of one reason share a sentence."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        labels.setdefault(row.status.removeprefix("not measured: "), []).append(row.label)
    for reason, own in labels.items():
        yield f"Not measured: {', '.join(own)} – {reason.rstrip('.')}."


def kpi_texts(table: pd.DataFrame, *, currency: str = "") -> pd.DataFrame:
    """Write the scorecard as text, every KPI in its unit.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.
    currency
        Of the amounts.

    Returns
    -------
    pandas.DataFrame
        ``KPI``, ``value`` (with its interval), ``target``, ``status``, ``n``, ``before``, ``last year``, ``period``.
    """
    each: Iterable[Row] = table.itertuples()
    rows = []
    for r in each:
        value = _with_interval(r, r, currency) if pd.notna(r.value) else ""
        target = _target(r, currency) if pd.notna(r.target) else ""
        before = [_value(r, v, currency) if pd.notna(v) else "" for v in (r.previous, r.year_before)]
        rows.append([r.label, value, target, r.status, r.n, *before, r.period])
    columns = ["KPI", "value", "target", "status", "n", "before", "last year", "period"]
    return pd.DataFrame(rows, columns=columns).astype({"n": "Int64"})


def segment_texts(table: pd.DataFrame, measured: Measured, *, most: int = 6) -> pd.DataFrame:
    """Lay the KPIs of the largest segments side by side, each as text with its interval.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.
    measured
        What it is made of.
    most
        Segments to show.

    Returns
    -------
    pandas.DataFrame
        ``KPI``, and one column per segment; no rows without segments.
    """
    cells = {(cell.kpi, cell.segment): cell for cell in measured.by_segment().itertuples()}
    shown, there = measured.segments()[:most], {kpi for kpi, _ in cells}
    each: list[Row] = [row for row in table.itertuples() if row.kpi in there]
    texts = ({s: _shown(row, cells.get((row.kpi, s)), measured.currency) for s in shown} for row in each)
    rows = [{"KPI": row.label} | text for row, text in zip(each, texts, strict=True)]
    return pd.DataFrame(rows, columns=["KPI", *shown])


def _shown(row: Row, cell: Any, currency: str) -> str:
    return "–" if cell is None or pd.isna(cell.value) else _with_interval(row, cell, currency)


def _with_interval(row: Row, cell: Any, currency: str) -> str:
    interval = format_interval(cell.ci_lower, cell.ci_upper, row.unit)
    return f"{_value(row, cell.value, currency)}{f' ({interval})' if interval else ''}"
