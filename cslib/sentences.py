"""Sentences computed from result tables: what a manager reads first, true for whatever was run."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cslib.display import Card
from cslib.errors import counted
from cslib.formats import format_value

__all__ = [
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
SIGNIFICANT: Final = 0.05


def percent(share: float) -> str:
    """Write a share as a percentage for a sentence: whole above 10 %, one decimal below.

    Examples
    --------
    >>> percent(0.6149), percent(0.0416)
    ('61 %', '4.2 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else format_value(share, "percent")


def points(difference: float) -> str:
    """Write a difference of shares in percentage points, without its sign.

    Examples
    --------
    >>> points(-0.0976)
    '9.8 points'
    """
    return f"{100 * abs(difference):.1f} points"


def retained(k: int, *, source: str, kind: str = "on", period: str = "month") -> str:
    """Say what being retained in period k means for this source and kind.

    Examples
    --------
    >>> retained(12, source="subscriptions")
    'are still customers 12 months on'
    >>> retained(1, source="orders", kind="on_or_after")
    'order again in month 1 or later'
    >>> retained(4, source="usage", kind="1-3,4-6")
    'are active in months 4–6'
    """
    if source in ("subscriptions", "customers", "tenure"):
        bracket = kind not in ("on", "on_or_after")
        return f"are still customers {counted(int(k), period)} on" + (" or later in the bracket" if bracket else "")
    verb = "order again" if source == "orders" else "are active"
    if kind == "on_or_after":
        return f"{verb} in {period} {k} or later"
    ends = {int(b.split("-")[0]): b.strip().replace("-", "–") for b in kind.split(",") if "-" in b}
    return f"{verb} in {period}s {ends[k]}" if k in ends else f"{verb} in {period} {k}"


def milestones(curve: pd.DataFrame, *, period: str = "month", most: int = 3) -> list[int]:
    """Pick the periods worth a headline: the latest well-observed landmarks of the whole curve.

    Parameters
    ----------
    curve
        As from ``cohorts.retention_curve``.
    period
        The period it counts.
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
    firm = whole[whole["n_customers"] >= 30]
    there = sorted({int(k) for k in (firm if len(firm) else whole)["period_index"]})
    found = [k for k in MILESTONES[period] if k in there] or there
    return found[-most:]


def _cell(curve: pd.DataFrame, k: int, segment: str = "All") -> pd.Series[Any]:
    return curve[(curve["segment"] == segment) & (curve["period_index"] == k)].iloc[0]


def retention_answer(
    curve: pd.DataFrame, comparison: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month"
) -> str:
    """Answer "do customers stay, and are newer ones better?" in at most two sentences.

    Parameters
    ----------
    curve
        As from ``cohorts.retention_curve`` or ``cohorts.tenure_curve``.
    comparison
        As from ``compare_cohorts``; may be empty.
    source, kind, period
        As given to ``cohorts.retention``; ``source`` is ``tenure`` for a tenure curve.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    marks = milestones(curve, period=period)
    if not marks:
        n = int(curve["n_customers"].max()) if len(curve) else 0
        return f"No period after the first is fully observed yet, so retention of the {n:,} customers is not known."
    k = 12 if 12 in marks and period == "month" else marks[-1]
    cell = _cell(curve, k)
    interval = f"{percent(cell.ci_lower).removesuffix(' %')} to {percent(cell.ci_upper)}"
    first = (
        f"**{percent(cell.retention_rate)} of customers {retained(k, source=source, kind=kind, period=period)}** "
        f"(95 % interval {interval}, {int(cell.n_customers):,} customers observed that long)."
    )
    return f"{first} {cohort_difference(comparison, period=period)}".strip()


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
    for k in milestones(curve, period=period):
        cell = _cell(curve, k)
        label = retained(k, source=source, kind=kind, period=period)
        label = label.removeprefix("are ").capitalize()
        cards.append(Card(label, cell.retention_rate, "percent", cell.ci_lower, cell.ci_upper, int(cell.n_customers)))
    newer = comparison[comparison["comparison"] == "newer half"]
    if len(newer):
        row = newer.iloc[0]
        label = f"Newer against older cohorts, {counted(int(row.shared_age), period)} on"
        detail = "more than noise" if row.p_adjusted < SIGNIFICANT else "within noise"
        cards.append(Card(label, row.difference, "points", row.ci_lower, row.ci_upper, int(row.n_newer), detail=detail))
    return cards


def cohort_difference(comparison: pd.DataFrame, *, period: str = "month") -> str:
    """Say whether newer cohorts changed, by how much, and whether that is more than noise.

    Parameters
    ----------
    comparison
        As from ``compare_cohorts``; may be empty.
    period
        The period it counts.

    Returns
    -------
    str
        One sentence; empty without a comparison.
    """
    wanted = comparison[comparison["comparison"].isin(["newer half", "newest cohort"])]
    if wanted.empty:
        return ""
    row = wanted.iloc[0]
    who = (
        f"since {pd.Timestamp(row.cohort):%B %Y}" if period in ("month", "quarter") else f"since {row.cohort:%Y-%m-%d}"
    )
    span = counted(int(row.shared_age), period)
    rates = f"{percent(row.rate_newer)} against {percent(row.rate_older)} after {span}"
    if not row.p_adjusted < SIGNIFICANT:
        return f"Cohorts {who} are not clearly different from older ones: {rates}, within noise."
    word = "better" if row.difference > 0 else "worse"
    return f"Cohorts {who} hold **{word} than older ones**: {rates}, more than noise."


def segment_finding(
    curve: pd.DataFrame, *, source: str, kind: str = "on", period: str = "month", noun: str = ""
) -> str:
    """State what a retention curve shows: the whole, or the best against the worst segment.

    Parameters
    ----------
    curve, source, kind, period
        As for :func:`retention_answer`.
    noun
        What to call a segment before its name, such as ``cohorts of``; by default its name and "customers".

    Returns
    -------
    str
        One sentence, fit for a chart's title. Segments are compared at the latest landmark that all with
        at least 30 customers reach; the best and the worst
        are called different only beyond noise, all pairs allowed for.
    """
    marks = milestones(curve, period=period)
    if not marks:
        return "Nothing after the first period is fully observed yet"
    parts = curve[(curve["segment"] != "All") & (curve["n_customers"] >= 30) & curve["retention_rate"].notna()]
    shared = [m for m in marks if (parts["period_index"] == m).sum() == parts["segment"].nunique()]
    k = (shared or marks[:1])[-1]
    at = parts[parts["period_index"] == k].sort_values("retention_rate")
    state = retained(k, source=source, kind=kind, period=period)
    if len(at) < 2:
        return f"{percent(_cell(curve, marks[-1]).retention_rate)} of customers " + retained(
            marks[-1], source=source, kind=kind, period=period
        )
    low, high = at.iloc[0], at.iloc[-1]
    best = f"{noun} {high.segment}" if noun else f"{high.segment} customers"
    values = f"{percent(high.retention_rate)} of {best} {state}, {percent(low.retention_rate)} of {low.segment}"
    return values if _apart(high, low, len(at)) else f"{values}: no clear difference"


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
        As from ``revenue.revenue_curve``.
    period
        The period it counts.

    Returns
    -------
    str
    """
    whole = pooled[pooled["segment"] == "All"]
    marks = [k for k in MILESTONES[period] if k in set(whole["period_index"])]
    if not marks:
        return "No cohort has revenue after its first period yet"
    k = 12 if 12 in marks and period == "month" else marks[-1]
    row = whole[whole["period_index"] == k].iloc[0]
    return (
        f"After {counted(int(k), period)} a cohort brings {percent(row.net_retention)} of its first MRR, "
        f"{percent(row.gross_retention)} without expansion"
    )
