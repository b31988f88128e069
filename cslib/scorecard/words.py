"""Sentences and cards of the scorecard: what needs attention, and where every KPI stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import counted
from cslib.scorecard.catalogue import CATALOGUE
from cslib.show.display import Card
from cslib.show.formats import format_interval, format_value

__all__ = [
    "attention",
    "kpi_cards",
    "kpi_table",
    "not_measured",
    "scorecard_answer",
    "scorecard_subtitle",
    "segment_table",
]

WORSE: Final = {"up": "lower", "down": "higher"}
YEAR: Final = 12
NOUNS: Final = {"upsell_rate": "order", "cross_sell_rate": "order"}  # what n counts, where it is not customers
SPANS: Final = {1: "a month", 3: "3 months", YEAR: "a year"}
POINTS: Final = 24  # of a small line
SENTENCES: Final = 3
Row = Any  # one row of the scorecard, as from itertuples
HOW_TO_READ: Final = (
    "The small line is the KPI over time, its last point marked. The grey band is its usual range: where the next "
    "period lies while nothing but chance moves it. It needs eight periods that do not overlap; with fewer, the last "
    "period is compared with the one before by their intervals. A target is met or missed only where the whole 95 % "
    "interval says so."
)


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["value"].notna()]


def scorecard_subtitle(table: pd.DataFrame) -> str:
    """Say in one line how many KPIs are measured, and how many have a target."""
    n, targets = len(_measured(table)), int(table["target"].notna().sum())
    return f"{n} of {len(table)} KPIs measured · {counted(targets, 'target')}"


def scorecard_answer(table: pd.DataFrame) -> str:
    """Answer "are we on target?" in one sentence, with ``**bold**`` parts.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.

    Returns
    -------
    str
    """
    known = _measured(table)
    states = known["status"].value_counts()
    n, all_targets = int(known["target"].notna().sum()), int(table["target"].notna().sum())
    worse_rows = known[known["change"] == known["direction"].map(WORSE)]
    moved = len({CATALOGUE[kpi].twin or kpi for kpi in worse_rows["kpi"]})
    worse = f"{counted(moved, 'KPI')} got worse by more than noise" if moved else "no KPI got worse by more than noise"
    if not all_targets:
        return f"No targets are set; **{worse}**."
    missed, unclear = int(states.get("missed", 0)), int(states.get("not clear", 0))
    blind = all_targets - n
    rest = f"; {counted(blind, 'KPI')} with a target {'is' if blind == 1 else 'are'} not measured" if blind else ""
    return f"{_targets_said(n, missed, unclear)}; {worse}{rest}."


def _targets_said(n: int, missed: int, unclear: int) -> str:
    rest = f", {unclear} {'lies' if unclear == 1 else 'lie'} within the margin of error" if unclear else ""
    if not n:
        return "**No KPI with a target is measured**"
    if missed:
        return f"**{missed} of {counted(n, 'target')} {'is' if missed == 1 else 'are'} missed**{rest}"
    if n == 1:
        return (
            "**The one target is not missed**, but it lies within the margin of error"
            if unclear
            else "**The one target is met**"
        )
    return (
        f"**None of {n} targets is missed**{rest}"
        if unclear
        else f"**{'Both' if n == 2 else f'All {n}'} targets are met**"
    )


def attention(table: pd.DataFrame, *, currency: str = "") -> list[str]:
    """Say in three sentences what needs attention most.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.
    currency
        Of the amounts.

    Returns
    -------
    list of str
        At most three, with ``**bold**`` parts: missed targets first, by how far; then what got worse by more than
        noise, targets that cannot be told, what got better, and what is not measured. One of each KPI and its twin.
    """
    rows: list[Row] = list(_measured(table).itertuples())
    ranked: list[Row] = [
        *sorted((r for r in rows if r.status == "missed"), key=_miss, reverse=True),
        *(r for r in rows if r.change and r.change == WORSE.get(r.direction)),
        *sorted((r for r in rows if r.status == "not clear"), key=_miss, reverse=True),
        *(r for r in rows if r.change and r.change != "noise"),
    ]
    families = {CATALOGUE[r.kpi].twin or r.kpi: r for r in reversed(ranked)}
    first = [r for r in ranked if families[CATALOGUE[r.kpi].twin or r.kpi] is r]
    said = [_said(r, currency) for r in dict.fromkeys(first)]
    blind: Iterable[Row] = table[table["value"].isna() & table["target"].notna()].itertuples()
    said += [f"**{r.label} has a target but is {r.status.rstrip('.')}**." for r in blind]
    others = [str(r.label) for r in dict.fromkeys(ranked) if r not in first]
    return [*said, *_rest(table, others, anything=bool(said))][:SENTENCES]


def _miss(row: Row) -> float:
    """How far a value lies from its target, in shares of it; below 0 where it is on the good side."""
    if pd.notna(row.target_upper):
        beyond = max(row.target - row.value, row.value - row.target_upper)
    else:
        beyond = row.target - row.value if row.direction == "up" else row.value - row.target
    ends = [e for e in (row.target, row.target_upper, row.value) if np.isfinite(e)]
    return float(beyond / (max(map(abs, ends), default=1.0) or 1.0))


def _said(row: Row, currency: str) -> str:
    value = _value(row, row.value, currency)
    moved = "" if row.change in ("", "noise") else f", {_moved(row)}"
    if row.status == "missed":
        text = f"**{row.label} is {value}; the target is {_target(row, currency)}**{_known(row)}"
        return f"{text}{moved}{_before(row, currency)}."
    if row.status == "not clear" and row.change != WORSE.get(row.direction):
        size = f" from {counted(int(row.n), NOUNS.get(row.kpi, 'customer'))}" if pd.notna(row.n) else ""
        text = f"Whether **{row.label} ({value}) reaches its target of {_target(row, currency)}** cannot be told"
        return f"{text}{size}{_known(row)}."
    way = {"higher": "rose", "lower": "fell"}[row.change]
    return f"**{row.label} {way} to {value}**{moved}{_before(row, currency)}."


def _value(row: Row, value: float, currency: str) -> str:
    if np.isinf(value):
        return "not reached"
    return format_value(value, row.unit, currency)


def _known(row: Row) -> str:
    interval = format_interval(row.ci_lower, row.ci_upper, row.unit) if np.isfinite(row.ci_lower) else ""
    return f" (95 % interval {interval})" if interval else ""


def _before(row: Row, currency: str) -> str:
    if pd.isna(row.previous):
        return ""
    return f"; it was {_value(row, row.previous, currency)} {SPANS[CATALOGUE[row.kpi].months]} before"


def _moved(row: Row) -> str:
    if np.isfinite(row.limit_lower):
        side = "above" if row.change == "higher" else "below"
        return f"{side} its usual {format_interval(row.limit_lower, row.limit_upper, row.unit)}"
    return f"{row.change} than before by more than noise"


def _target(row: Row, currency: str = "") -> str:
    if pd.notna(row.target_upper):
        return f"{_value(row, row.target, currency)} to {_value(row, row.target_upper, currency)}"
    return f"at {'least' if row.direction == 'up' else 'most'} {_value(row, row.target, currency)}"


def _rest(table: pd.DataFrame, others: list[str], *, anything: bool) -> Iterator[str]:
    if others:
        yield f"The same shows in {' and '.join(others)}."
    yield f"Nothing {'else ' * anything}is off its target or has moved by more than noise."
    missing = table[table["value"].isna() & table["target"].isna()]
    if len(missing):
        first = missing["label"].iloc[0]
        several = f"{len(missing)} KPIs are not measured, among them {first}."
        yield several if len(missing) > 1 else f"{first} is not measured."
    if not table["target"].notna().any():
        yield "No targets are set: name them in [targets] of cslib.toml, such as nps = 30."


def kpi_cards(table: pd.DataFrame, history: pd.DataFrame, group: str, *, currency: str = "") -> list[Card]:
    """Make a card of every measured KPI of a group.

    Parameters
    ----------
    table
        As from ``scorecard.scorecard.scorecard``.
    history
        ``kpi``, ``segment`` and ``value``, the earliest first.
    group
        One of ``kpis.GROUPS``.
    currency
        Of the amounts.

    Returns
    -------
    list of Card
    """
    whole = history[history["segment"] == "All"]
    rows: Iterable[Row] = _measured(table[table["group"] == group]).itertuples()
    return [_card(row, whole.loc[whole["kpi"] == row.kpi, "value"].tail(POINTS), currency) for row in rows]


def _card(row: Row, values: pd.Series[float], currency: str) -> Card:
    limited = bool(np.isfinite(row.limit_lower)) and not CATALOGUE[row.kpi].grows  # else they hold for the last only
    sure, has_target = row.ci_lower == row.ci_upper, pd.notna(row.target)
    return Card(
        row.label,
        row.value,
        row.unit,
        None if sure else row.ci_lower,
        None if sure else row.ci_upper,
        None if pd.isna(row.n) else int(row.n),
        currency,
        "\n".join(filter(None, [row.period, _never(row), _compared(row, currency), _noise(row)])),
        status=row.status if has_target else "",
        target=_target(row, currency) if has_target else "",
        trend=tuple(values.astype(float)),
        limits=(float(row.limit_lower), float(row.limit_upper)) if limited else None,
    )


def _never(row: Row) -> str:
    return "" if np.isfinite(row.value) else "not reached within the time looked ahead"


def _compared(row: Row, currency: str) -> str:
    """Name the values before, one a line; of a period of a year both are the same."""
    spans = {} if CATALOGUE[row.kpi].months == YEAR else {SPANS[CATALOGUE[row.kpi].months]: row.previous}
    spans |= {SPANS[YEAR]: row.year_before}
    return "\n".join(f"{span} before: {_value(row, v, currency)}" for span, v in spans.items() if pd.notna(v))


def _noise(row: Row) -> str:
    if row.change == "":
        return ""
    if row.change == "noise":
        usual = format_interval(row.limit_lower, row.limit_upper, row.unit)
        inside = row.limit_lower <= row.value <= row.limit_upper
        away = "" if inside else "outside its usual {}, but not by more than its interval"
        return (away or "within its usual {}").format(usual) if usual else "change within noise"
    text = _moved(row)
    return text if text.endswith("noise") else f"{text}: more than noise"


def not_measured(table: pd.DataFrame, group: str) -> list[str]:
    """Say which KPIs of a group are not measured, and what they need; KPIs of one reason share a sentence."""
    rows = table[(table["group"] == group) & table["value"].isna()]
    reasons = rows["status"].str.removeprefix("not measured: ")
    return [
        f"Not measured: {', '.join(own['label'])} – {str(reason).rstrip('.')}."
        for reason, own in rows.groupby(reasons, sort=False)
    ]


def kpi_table(table: pd.DataFrame, *, currency: str = "") -> pd.DataFrame:
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
    rows = [
        {
            "KPI": r.label,
            "value": _with_interval(r, r, currency) if pd.notna(r.value) else "",
            "target": _target(r, currency) if pd.notna(r.target) else "",
            "status": r.status,
            "n": r.n,
            "before": _value(r, r.previous, currency) if pd.notna(r.previous) else "",
            "last year": _value(r, r.year_before, currency) if pd.notna(r.year_before) else "",
            "period": r.period,
        }
        for r in each
    ]
    return pd.DataFrame(rows).astype({"n": "Int64"})


def segment_table(parts: pd.DataFrame, table: pd.DataFrame, *, most: int = 6, currency: str = "") -> pd.DataFrame:
    """Lay the KPIs of the largest segments side by side, each as text with its interval.

    Parameters
    ----------
    parts
        As from ``scorecard.scorecard.by_segment``.
    table
        As from ``scorecard.scorecard.scorecard``.
    most
        Segments to show.
    currency
        Of the amounts.

    Returns
    -------
    pandas.DataFrame
        ``KPI``, and one column per segment; no rows without segments.
    """
    if parts.empty:
        return pd.DataFrame(columns=["KPI"])
    sizes = parts.groupby("segment")["n"].max().sort_values(ascending=False, kind="stable")
    rows, each = [], table[table["kpi"].isin(parts["kpi"])].itertuples()
    for r in each:
        own = parts[parts["kpi"] == r.kpi].set_index("segment")
        rows.append({"KPI": r.label} | {s: _shown(r, own, s, currency) for s in sizes.index[:most]})
    return pd.DataFrame(rows)


def _shown(row: Row, own: pd.DataFrame, segment: str, currency: str) -> str:
    if segment not in own.index or own.loc[[segment], "value"].isna().any():
        return "–"
    return _with_interval(row, own.loc[segment], currency)


def _with_interval(row: Row, cell: Any, currency: str) -> str:
    interval = format_interval(cell.ci_lower, cell.ci_upper, row.unit)
    return f"{_value(row, cell.value, currency)}{f' ({interval})' if interval else ''}"
