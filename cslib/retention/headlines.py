"""What retention tables let one say: landmarks, best and worst segment, newer against older cohorts, revenue kept.

Each class holds the few figures that a sentence needs, read off a table of :mod:`cslib.retention.cohorts` or
:mod:`cslib.retention.revenue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cslib.retention.cohorts import read_brackets
from cslib.stats.intervals import SIGNIFICANT

__all__ = ["Contrast", "Extremes", "Followed", "RevenueKept", "landmarks"]

FIRM: Final = 30  # customers: a rate of fewer is no headline where another one rests on more
AGES: Final = {
    "day": (1, 7, 14, 30),
    "week": (1, 4, 8, 12, 26),
    "month": (1, 3, 6, 12, 24, 36),
    "quarter": (1, 2, 4, 8),
    "year": (1, 2, 3),
}


def landmarks(curve: pd.DataFrame, *, kind: str = "on", period: str = "month", most: int = 3) -> pd.DataFrame:
    """Pick the periods worth a headline: the latest well-observed ones of the whole curve.

    Parameters
    ----------
    curve
        As from :func:`cslib.retention.cohorts.retention_curve`.
    kind, period
        As given to :func:`cslib.retention.cohorts.retention`; every bracket is a landmark.
    most
        How many at most.

    Returns
    -------
    pandas.DataFrame
        The rows of ``All`` at these periods, ascending, with at least 30 customers where any has so many; and
        ``headline`` (bool): the one to tell first, 12 months where it is there.
    """
    known = curve[(curve["segment"] == "All") & curve["retention_rate"].notna() & (curve["period_index"] > 0)]
    firm = known[known["n_customers"] >= FIRM]
    there = firm if len(firm) else known
    named = there[there["period_index"].isin(_ages(kind, period))]
    picked = (named if len(named) else there).sort_values("period_index").tail(most)
    return picked.assign(headline=picked["period_index"] == _headline(list(picked["period_index"]), period))


def _ages(kind: str, period: str) -> list[int]:
    return list(read_brackets(kind)) or list(AGES[period])


def _headline(ages: list[int], period: str) -> int:
    return 12 if 12 in ages and period == "month" else max(ages, default=0)


@dataclass(frozen=True)
class Followed:
    """Whom a report is about.

    Attributes
    ----------
    n_customers
        In all cohorts; without cohorts, at the start.
    n_cohorts
        0: none can be formed.
    unfinished
        Some period of some cohort is not fully observed yet.
    """

    n_customers: int
    n_cohorts: int
    unfinished: bool

    @classmethod
    def of(cls, triangle: pd.DataFrame, curve: pd.DataFrame) -> Self:
        """Read it off ``retention`` and, where that has no rows, off ``tenure_curve``."""
        whole = triangle[triangle["segment"] == "All"]
        sizes = whole.drop_duplicates("cohort")["n_customers"] if len(whole) else curve["n_customers"].nlargest(1)
        return cls(int(sizes.sum()), whole["cohort"].nunique(), bool(whole["n_retained"].isna().any()))


@dataclass(frozen=True)
class Contrast:
    """Newer against older cohorts: the newer half, unless only the newest cohort differs.

    Attributes
    ----------
    since
        First day of the newer cohorts.
    newest
        It is the newest cohort alone.
    shared_age
        Periods that all compared cohorts have behind them.
    rate_newer, rate_older, difference, ci_lower, ci_upper, n_customers
        Of the last shared period, both groups together.
    p_adjusted
        Of the test over all shared periods together.
    together, alone
        All shared periods together, and the last one alone in the same direction, differ by more than chance.
    """

    since: pd.Timestamp
    newest: bool
    shared_age: int
    rate_newer: float
    rate_older: float
    difference: float
    ci_lower: float
    ci_upper: float
    n_customers: int
    p_adjusted: float
    together: bool
    alone: bool

    @classmethod
    def of(cls, comparison: pd.DataFrame) -> Self | None:
        """Read it off ``compare_cohorts``; None where that compares nothing."""
        rows = comparison[comparison["comparison"].isin(["newer half", "newest cohort"])]
        if rows.empty:
            return None
        firm = rows[rows["p_adjusted"] < SIGNIFICANT]
        row = (firm if len(firm) else rows).iloc[0]
        one_way = row.difference * row.periods_difference > 0
        return cls(
            since=row.cohort,
            newest=row.comparison == "newest cohort",
            shared_age=int(row.shared_age),
            **{name: float(row[name]) for name in ("rate_newer", "rate_older", "difference", "ci_lower", "ci_upper")},
            n_customers=int(row.n_newer + row.n_older),
            p_adjusted=float(row.p_adjusted),
            together=bool(row.p_adjusted < SIGNIFICANT),
            alone=bool(one_way and (row.ci_lower > 0 or row.ci_upper < 0)),
        )


@dataclass(frozen=True)
class Extremes:
    """The best and the worst segment at the latest landmark that all of them reach, or else at least two.

    Attributes
    ----------
    period_index
        The landmark.
    best, worst, best_rate, worst_rate
        Segments with at least 30 customers, and their retention rates (0–1).
    clear
        They differ beyond chance, all pairs allowed for.
    """

    period_index: int
    best: str
    best_rate: float
    worst: str
    worst_rate: float
    clear: bool

    @classmethod
    def of(cls, curve: pd.DataFrame, *, kind: str = "on", period: str = "month") -> Self | None:
        """Read them off ``retention_curve``; None where fewer than two segments can be compared."""
        firm = (curve["segment"] != "All") & (curve["n_customers"] >= FIRM) & curve["retention_rate"].notna()
        parts = curve[firm]
        reached = {k: int((parts["period_index"] == k).sum()) for k in _ages(kind, period)}
        every = [k for k, n in reached.items() if n == parts["segment"].nunique() >= 2]
        some = every or [k for k, n in reached.items() if n >= 2]
        if not some:
            return None
        at = parts[parts["period_index"] == some[-1]].sort_values("retention_rate", kind="stable")
        low, high = at.iloc[0], at.iloc[-1]
        rates = {"best_rate": float(high.retention_rate), "worst_rate": float(low.retention_rate)}
        return cls(some[-1], best=high.segment, worst=low.segment, **rates, clear=_apart(high, low, len(at)))


def _apart(high: pd.Series[Any], low: pd.Series[Any], n_segments: int) -> bool:
    """Whether best and worst differ beyond noise, allowing for all pairs they were picked from.

    The interval of the difference is put together from the two intervals (Zou & Donner 2008, Statistics in
    Medicine 27:1693–1702), widened by Bonferroni's factor.
    """
    pairs = n_segments * (n_segments - 1) / 2
    widening = ndtri(1 - SIGNIFICANT / 2 / pairs) / ndtri(1 - SIGNIFICANT / 2)
    margin = np.hypot(high.retention_rate - high.ci_lower, low.ci_upper - low.retention_rate)
    return bool(high.retention_rate - low.retention_rate > widening * margin)


@dataclass(frozen=True)
class RevenueKept:
    """Net and gross revenue retention of all cohorts at a landmark: 12 months where they reach it, else the latest."""

    period_index: int
    net: float
    ci_lower: float
    ci_upper: float
    gross: float

    @classmethod
    def of(cls, pooled: pd.DataFrame, *, period: str = "month") -> Self | None:
        """Read it off ``revenue_curve``; None where no landmark is reached."""
        whole = pooled[(pooled["segment"] == "All") & pooled["net_retention"].notna()].set_index("period_index")
        ages = [k for k in AGES[period] if k in whole.index]
        if not ages:
            return None
        row = whole.loc[k := _headline(ages, period)]
        return cls(k, *(float(row[c]) for c in ("net_retention", "net_ci_lower", "net_ci_upper", "gross_retention")))
