"""What a retention report says: sentences computed from its tables."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cslib.errors import counted
from cslib.show.display import Card
from cslib.show.formats import FIRM, between, p_value, percent
from cslib.stats.intervals import SIGNIFICANT

__all__ = [
    "bracket_names",
    "cohort_difference",
    "milestones",
    "retained",
    "retention_answer",
    "retention_cards",
    "revenue_finding",
    "segment_finding",
]

MILESTONES: Final = {
    "day": (1, 7, 14, 30),
    "week": (1, 4, 8, 12, 26),
    "month": (1, 3, 6, 12, 24, 36),
    "quarter": (1, 2, 4, 8),
    "year": (1, 2, 3),
}


def retained(k: int, *, source: str, kind: str = "on", period: str = "month") -> str:
    """Say what being retained in period k means for this source and kind.

    Examples
    --------
    >>> retained(12, source="subscriptions")
    'are still customers 12 months on'
    >>> retained(2, source="customers", period="quarter")
    'are still customers at the end of quarter 2'
    >>> retained(1, source="orders", kind="on_or_after")
    'order in month 1 or later'
    >>> retained(4, source="usage", kind="1-3,4-6")
    'are active in months 4–6'
    """
    names = bracket_names(kind)
    if source in ("subscriptions", "customers", "tenure"):
        if names:
            return f"are customers at the end of some {period} of {names[k]}"
        later = " or later" if kind == "on_or_after" else ""
        coarse = period in ("quarter", "year")
        return (
            "are still customers " + (f"at the end of {period} {k}" if coarse else f"{counted(k, period)} on") + later
        )
    verb = "order" if source == "orders" else "are active"
    when = f"{'on' if period == 'day' else 'in'} {period}"
    if names:
        return f"{verb} {when}{'s' * ('–' in names[k])} {names[k]}"
    return f"{verb} {when} {k}" + (" or later" if kind == "on_or_after" else "")


def bracket_names(kind: str) -> dict[int, str]:
    """Name brackets by their first period, for axes and sentences; empty for the plain kinds.

    Examples
    --------
    >>> bracket_names("1-3,4-6,12")
    {1: '1–3', 4: '4–6', 12: '12'}
    """
    if kind in ("on", "on_or_after"):
        return {}
    return {int(b.split("-")[0]): b.strip().replace("-", "–") for b in kind.split(",")}


def milestones(curve: pd.DataFrame, *, kind: str = "on", period: str = "month", most: int = 3) -> list[int]:
    """Pick the periods worth a headline: the latest well-observed landmarks of the whole curve.

    Parameters
    ----------
    curve
        As from ``retention.cohorts.retention_curve``.
    kind, period
        As given to ``retention.cohorts.retention``; every bracket is a landmark.
    most
        How many at most.

    Returns
    -------
    list of int
        Periods that the whole (without one: any segment) reaches, with at least 30 customers where any have
        so many, ascending.
    """
    known = curve[curve["retention_rate"].notna() & (curve["period_index"] > 0)]
    whole = known[known["segment"] == "All"] if (known["segment"] == "All").any() else known
    firm = whole[whole["n_customers"] >= FIRM]
    there = sorted({int(k) for k in (firm if len(firm) else whole)["period_index"]})
    found = [k for k in (bracket_names(kind) or MILESTONES[period]) if k in there] or there
    return found[-most:]


def _cell(curve: pd.DataFrame, k: int) -> pd.Series[Any]:
    return curve[(curve["segment"] == "All") & (curve["period_index"] == k)].iloc[0]


def _headline(marks: list[int], period: str) -> int:
    return 12 if 12 in marks and period == "month" else marks[-1]


def retention_answer(
    curve: pd.DataFrame, comparison: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month"
) -> str:
    """Answer "do customers stay, and are newer ones better?" in at most two sentences.

    Parameters
    ----------
    curve
        As from ``retention.cohorts.retention_curve`` or ``retention.cohorts.tenure_curve``.
    comparison
        As from ``compare_cohorts``; may be empty.
    source, kind, period
        As given to ``retention.cohorts.retention``; ``source`` is ``tenure`` for a tenure curve.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    marks = milestones(curve, kind=kind, period=period)
    if not marks:
        return "No period after the first is fully observed yet, so **retention is not known yet**."
    cell = _cell(curve, k := _headline(marks, period))
    interval = between(cell.ci_lower, cell.ci_upper)
    first = (
        f"**{percent(cell.retention_rate)} of customers {retained(k, source=source, kind=kind, period=period)}** "
        f"(95 % interval {interval}, {counted(int(cell.n_customers), 'customer')} observed that long)."
    )
    if source == "tenure":
        return f"{first} Whether newer customers are better cannot be told: these data hold no start dates."
    return f"{first} {cohort_difference(comparison, source=source, period=period)}"


def retention_cards(
    curve: pd.DataFrame, comparison: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month"
) -> list[Card]:
    """Make the headline cards of a retention report: landmarks of the whole, and newer against older cohorts.

    Parameters
    ----------
    curve, comparison, source, kind, period
        As for :func:`retention_answer`.

    Returns
    -------
    list of Card
        At most four.
    """
    cards = []
    for k in milestones(curve, kind=kind, period=period):
        cell = _cell(curve, k)
        label = retained(k, source=source, kind=kind, period=period).removeprefix("are ").replace("order ", "ordered ")
        label = label[0].upper() + label[1:]
        cards.append(Card(label, cell.retention_rate, "percent", cell.ci_lower, cell.ci_upper, int(cell.n_customers)))
    row = _telling(comparison)
    if row is not None:
        label = f"Newer cohorts less older ones, {period} {row.shared_age}"
        n = int(row.n_newer + row.n_older)
        detail = {(True, True): "more than chance", (False, False): "could be chance"}.get(_verdict(row), "not clear")
        cards.append(Card(label, row.difference, "points", row.ci_lower, row.ci_upper, n, detail=detail))
    return cards


def _telling(comparison: pd.DataFrame) -> pd.Series[Any] | None:
    """Pick the contrast of newer with older cohorts: the halves, unless only the newest differs."""
    rows = comparison[comparison["comparison"].isin(["newer half", "newest cohort"])]
    if rows.empty:
        return None
    firm = rows[rows["p_adjusted"] < SIGNIFICANT]
    return (firm if len(firm) else rows).iloc[0]


def _verdict(row: pd.Series[Any]) -> tuple[bool, bool]:
    """Whether all shared periods together, and the last one alone, differ by more than chance."""
    one_way = row.difference * row.periods_difference > 0
    return bool(row.p_adjusted < SIGNIFICANT), bool(one_way and (row.ci_lower > 0 or row.ci_upper < 0))


def cohort_difference(comparison: pd.DataFrame, *, source: str, period: str = "month") -> str:
    """Say whether newer cohorts changed, by how much, and whether that is more than chance.

    Parameters
    ----------
    comparison
        As from ``compare_cohorts``; may be empty.
    source, period
        As given to it.

    Returns
    -------
    str
        One sentence. The test speaks of all shared periods, the rates of the last one; where the two disagree
        the sentence says so.
    """
    row = _telling(comparison)
    if row is None:
        return "Too few cohorts are old enough, or too few customers left, to say whether newer ones are better."
    who = f"since {_start(row.cohort, period)}"
    who = f"The newest cohort old enough ({who})" if row.comparison == "newest cohort" else f"Cohorts {who}"
    k = int(row.shared_age)
    state = retained(k, source=source, period=period)
    rates = f"{percent(row.rate_newer)} against {percent(row.rate_older)} {state}"
    span = f"over the first {counted(k, period)} together"
    s = "s" * (row.comparison == "newest cohort")
    together, alone = _verdict(row)
    if together and alone:
        word = "better" if row.difference > 0 else "worse"
        return f"**{who} hold{s} {word} than older ones**: {rates}, more than chance."
    if together:
        return f"{who} differ{s} from older ones {span} (p {p_value(row.p_adjusted)}), not clearly at the end: {rates}."
    if alone:
        return f"{who}: {rates}, but {span} the difference could be chance (p {p_value(row.p_adjusted)})."
    return f"{who} {'is' if s else 'are'} not clearly different from older ones: {rates}, which could be chance."


def _start(day: pd.Timestamp, period: str) -> str:
    return f"{day:%B %Y}" if period in ("month", "quarter") else f"{day.day} {day:%B %Y}"


def segment_finding(
    curve: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month", year: bool = False
) -> str:
    """State what a retention curve shows: the whole, or the best against the worst segment.

    Parameters
    ----------
    curve, source, kind, period
        As for :func:`retention_answer`.
    year
        Whether the segments are the years in which customers started.

    Returns
    -------
    str
        One sentence, fit for a chart's title. Segments with at least 30 customers are compared at the latest
        landmark that all of them reach, or else at least two; the best and the worst are called different only
        beyond chance, all pairs allowed for.
    """
    marks = milestones(curve, kind=kind, period=period)
    parts = curve[(curve["segment"] != "All") & (curve["n_customers"] >= FIRM) & curve["retention_rate"].notna()]
    reached = {k: int((parts["period_index"] == k).sum()) for k in bracket_names(kind) or MILESTONES[period]}
    shared = [k for k, n in reached.items() if n == parts["segment"].nunique() >= 2]
    k = (shared or [k for k, n in reached.items() if n >= 2] or [0])[-1]
    if k:
        return _extremes(parts[parts["period_index"] == k], retained(k, source=source, kind=kind, period=period), year)
    if not marks or not (curve["segment"] == "All").any():
        return "Too few customers to compare"
    k = _headline(marks, period)
    state = retained(k, source=source, kind=kind, period=period)
    return f"{percent(_cell(curve, k).retention_rate)} of customers {state}"


def _extremes(at: pd.DataFrame, state: str, year: bool) -> str:
    at = at.sort_values("retention_rate", kind="stable")
    low, high = at.iloc[0], at.iloc[-1]
    best, worst = (percent(r.retention_rate) for r in (high, low))
    if year:
        text = f"Of customers who started in {high.segment}, {best} {state}; of those of {low.segment}, {worst}"
    else:
        text = f"{best} of {high.segment} customers {state}, {worst} of {low.segment}"
    return text if _apart(high, low, len(at)) else f"{text}: no clear difference"


def _apart(high: pd.Series[Any], low: pd.Series[Any], n_segments: int) -> bool:
    """Whether best and worst differ beyond noise, allowing for all pairs they were picked from.

    The interval of the difference is put together from the two intervals (Zou & Donner 2008, Statistics in
    Medicine 27:1693–1702), widened by Bonferroni's factor.
    """
    pairs = n_segments * (n_segments - 1) / 2
    widening = ndtri(1 - SIGNIFICANT / 2 / pairs) / ndtri(1 - SIGNIFICANT / 2)
    margin = np.hypot(high.retention_rate - high.ci_lower, low.ci_upper - low.retention_rate)
    return bool(high.retention_rate - low.retention_rate > widening * margin)


def revenue_finding(pooled: pd.DataFrame, *, period: str = "month") -> str:
    """State what becomes of a cohort's revenue, with and without expansion.

    Parameters
    ----------
    pooled
        As from ``retention.revenue.revenue_curve``.
    period
        The period it counts.

    Returns
    -------
    str
    """
    whole = pooled[(pooled["segment"] == "All") & pooled["net_retention"].notna()]
    marks = [k for k in MILESTONES[period] if k in set(whole["period_index"])]
    if not marks:
        return "No cohort has revenue after its first period yet"
    row = whole[whole["period_index"] == (k := _headline(marks, period))].iloc[0]
    interval = between(row.net_ci_lower, row.net_ci_upper)
    return (
        f"{counted(k, period).capitalize()} on, cohorts bring {percent(row.net_retention)} of their first MRR "
        f"({interval}), {percent(row.gross_retention)} without expansion"
    )


HOW_TO_READ_LINES: Final = (
    "Follow one line to the right: its height at any age is the share retained then. The numbers below the chart are "
    "the customers it rests on. Where they are small the band is wide, and the line should not be trusted beyond."
)
HOW_TO_READ_HEATMAP: Final = (
    "Each row is one cohort, growing older from left to right. Read down a column to compare cohorts at the same age: "
    "darker further down means that newer cohorts hold better. The number beside a cohort is its size."
)
RIGHT_EDGE: Final = (
    "“Or later” looks too low for recent periods, because the later ones, in which customers may yet return, are still "
    "to come. Do not compare newer with older cohorts by it."
)


def retention_subtitle(
    triangle: pd.DataFrame, curve: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month"
) -> str:
    """Say in one line whom a retention report is about and what retained means in it.

    Parameters
    ----------
    triangle, curve, source, kind, period
        As for :func:`retention_answer`.

    Returns
    -------
    str
    """
    if source == "tenure":
        n = int(curve["n_customers"].max())
        return f"{counted(n, 'customer')} by tenure · retained: not yet left"
    sizes = triangle[triangle["segment"] == "All"].drop_duplicates("cohort")["n_customers"]
    means = {"usage": f"active in the {period}", "orders": f"an order in the {period}"}
    what = means.get(source, f"still a customer at the end of the {period}")
    what += {"on": "", "on_or_after": " or later"}.get(kind, " or another of its bracket")
    return f"{counted(int(sizes.sum()), 'customer')} in {counted(len(sizes), f'{period} cohort')} · retained: {what}"


def heatmap_subtitle(triangle: pd.DataFrame, *, period: str, most: int) -> str:
    """Say what a retention heatmap plots, what it leaves out and what hatching means, where it does.

    Parameters
    ----------
    triangle
        As from ``retention.cohorts.retention``.
    period
        The period it counts.
    most
        Cohorts the chart has room for.
    """
    whole = triangle[triangle["segment"] == "All"]
    n = whole["cohort"].nunique()
    text = f"Percent of each cohort retained, by {period}s since it began."
    if n > most:
        text += f" The latest {most} of {n} cohorts."
    if whole["n_retained"].isna().any():
        text += " Hatched: not fully observed yet."
    return text


def comparison_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Keep what a reader needs of a comparison: who, since when, the rates, their difference, the adjusted p."""
    names = {"newest cohort": "newest cohort old enough", "all cohorts": "all cohorts, any difference"}
    return comparison.assign(comparison=comparison["comparison"].replace(names))[
        ["comparison", "cohort", "rate_newer", "rate_older", "difference", "p_adjusted"]
    ]


def comparison_caption(comparison: pd.DataFrame, *, period: str = "month") -> str:
    """Say over which periods cohorts were compared, and how many were too young for it."""
    row = comparison.iloc[0]
    age, young = int(row.shared_age), int(row.n_too_young)
    text = f"Newer against older cohorts over their first {counted(age, period)}; rates at the end of it"
    return f"{text}. {counted(young, 'cohort')} too young to compare" if young else text
