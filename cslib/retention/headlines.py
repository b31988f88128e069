"""What retention tables let one say: landmarks, best and worst segment, newer against older cohorts, revenue kept.

Each picks the rows or the few figures that a sentence needs off a table of :mod:`cslib.retention.cohorts` or
:mod:`cslib.retention.revenue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.data.calendar import MONTHS, ordinal, period_start
from cslib.retention.cohorts import read_brackets, retention_curve
from cslib.stats.intervals import FIRM, SIGNIFICANT, Interval, like_the_lowest, margin_of_picked

AGES: Final = {
    "day": (1, 7, 14, 30), "week": (1, 4, 8, 12, 26), "month": (1, 3, 6, 12, 24, 36),
    "quarter": (1, 2, 4, 8), "year": (1, 2, 3),
}  # fmt: skip
MOST: Final = 3  # landmarks
YEAR: Final = 12


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The periods worth a headline, and what is told at them.

    Attributes
    ----------
    kind, period
        As given to :func:`cslib.retention.cohorts.retention`; every bracket is a landmark.
    """

    kind: str = "on"
    period: str = "month"

    def of(self, curve: pd.DataFrame) -> pd.DataFrame:
        """Pick the periods worth a headline: the latest well-observed ones of the whole curve.

        Parameters
        ----------
        curve
            As from :func:`cslib.retention.cohorts.retention_curve`.

        Returns
        -------
        pandas.DataFrame
            The rows of ``All`` at these periods, three at most, ascending, with at least 30 customers where any has so
            many; and ``headline`` (bool): the one to tell first, 12 months where it is there.
        """
        known = curve[(curve["segment"] == "All") & curve["retention_rate"].notna() & (curve["period_index"] > 0)]
        firm = known[known["n_customers"] >= FIRM]
        there = firm if len(firm) else known
        named = there[there["period_index"].isin(self._ages)]
        picked = (named if len(named) else there).sort_values("period_index").tail(MOST)
        return picked.assign(headline=picked["period_index"] == self._headline(list(picked["period_index"])))

    def joined_by(self, triangle: pd.DataFrame, *, told: str = "n_retained") -> pd.Series[Any]:
        """Find the last day on which those began who have come as far, by ``period_index``; none without cohorts.

        A cohort has come as far as the column ``told`` is known.
        """
        known = triangle[(triangle["segment"] == "All") & triangle[told].notna()]
        return known.groupby("period_index")["cohort"].max().map(partial(_last_day, period=self.period))

    def extremes(self, curve: pd.DataFrame) -> pd.DataFrame:
        """Pick the best and the worst segment at the latest landmark that all of them reach, or else at least two.

        Returns
        -------
        pandas.DataFrame
            The two rows of ``retention_curve``, the best first, of segments with at least 30 customers, and ``clear``:
            they differ beyond chance, all pairs allowed for. No rows where fewer than two segments can be compared.
        """
        parts = curve[(curve["segment"] != "All") & (curve["n_customers"] >= FIRM) & curve["retention_rate"].notna()]
        reached = {k: int((parts["period_index"] == k).sum()) for k in self._ages}
        every = [k for k, n in reached.items() if n == parts["segment"].nunique() >= 2]
        some = every or [k for k, n in reached.items() if n >= 2]
        if not some:
            return parts.head(0)
        at = parts[parts["period_index"] == some[-1]].sort_values("retention_rate", kind="stable")
        return at.iloc[[-1, 0]].assign(clear=_apart(at.iloc[-1], at.iloc[0], len(at)))

    def extreme_years(self, years: pd.DataFrame) -> pd.DataFrame:
        """Pick the best and the worst year of start among those of which every cohort has come as far.

        Parameters
        ----------
        years
            As from :func:`cslib.retention.cohorts.by_cohort_year`: where only some months of a year are known they can
            differ by the season alone.

        Returns
        -------
        pandas.DataFrame
            As from :meth:`extremes`, and ``whole``; where no two years are whole, of what is known of each.
        """
        known = years.dropna(subset="n_retained")
        january, first = 12 * known["segment"].astype(int) + 1, known["cohort"].min()
        newest = known.groupby("period_index")["cohort"].transform("max").dt
        begun = 12 * first.year + first.month <= january
        over = 12 * newest.year + newest.month + MONTHS.get(self.period, 1)
        whole = known[begun & (over >= january + 12)]
        if whole["segment"].nunique() > 1:
            found = self.extremes(retention_curve(whole))
            if len(found):
                return found.assign(whole=True)
        return self.extremes(retention_curve(known)).assign(whole=False)

    def newest_years(self, triangle: pd.DataFrame) -> pd.DataFrame:
        """Lay the newest year of cohorts that have come through 12 months beside the year before it.

        Parameters
        ----------
        triangle
            As from :func:`cslib.retention.cohorts.retention`.

        Returns
        -------
        pandas.DataFrame
            As from :meth:`extreme_years`, at 12 months; ``segment`` is the year in which each ends. No rows where
            periods are not months, or either has fewer than 30 customers or is not whole.
        """
        known = triangle[(triangle["segment"] == "All") & (triangle["period_index"] == YEAR)].dropna(
            subset="n_retained"
        )
        if (self.period, self.kind) != ("month", "on") or known.empty:
            return known.head(0)
        month = YEAR * known["cohort"].dt.year + known["cohort"].dt.month
        years = (month.max() - month) // YEAR
        last = known["cohort"].max().year
        rows = retention_curve(known.assign(segment=(last - years).astype(str))[years < 2])
        if month.max() - month.min() < 2 * YEAR - 1 or rows["n_customers"].min() < FIRM or len(rows) < 2:
            return rows.head(0)
        ends = rows.sort_values("retention_rate", ascending=False, kind="stable")
        return ends.assign(clear=_apart(ends.iloc[0], ends.iloc[1], 2), whole=True)

    def revenue_kept(self, pooled: pd.DataFrame) -> pd.Series[Any] | None:
        """Pick the landmark of ``revenue_curve`` to tell: 12 months where it is there, else the latest; or None."""
        rows = pooled[pooled["segment"] == "All"].dropna(subset="net_retention")
        ages = [k for k in AGES[self.period] if k in set(rows["period_index"])]
        return rows[rows["period_index"] == self._headline(ages)].iloc[0] if ages else None

    def extreme_shares(self, shares: pd.DataFrame) -> pd.DataFrame:
        """Pick the segments that keep most and least of their revenue, at the landmark to tell.

        Parameters
        ----------
        shares
            ``segment``, ``period_index``, ``share``, ``ci_lower``, ``ci_upper``, ``n_customers``.

        Returns
        -------
        pandas.DataFrame
            The two rows, the best first, of segments with at least 30 customers, and ``clear``: they differ beyond
            chance, all pairs allowed for. Where they do, also those that are as low as the last, see
            :func:`cslib.stats.intervals.like_the_lowest`. None where there are not two.
        """
        firm = shares[(shares["segment"] != "All") & (shares["n_customers"] >= FIRM)].dropna(subset="share")
        sizes = firm["period_index"].value_counts()
        ages = [k for k in AGES[self.period] if sizes.get(k, 0) > 1]
        rows = firm[firm["period_index"] == self._headline(ages)].sort_values("share", kind="stable")
        if not ages:
            return rows.head(0)
        ends = rows.rename(columns={"share": "retention_rate"})
        clear = _apart(ends.iloc[-1], ends.iloc[0], len(rows))
        low = like_the_lowest(rows["share"], Interval(rows["ci_lower"].to_numpy(), rows["ci_upper"].to_numpy()))
        named = [-1, *np.flatnonzero(low)] if clear else [-1, 0]
        return rows.iloc[named].assign(clear=clear)

    @property
    def _ages(self) -> list[int]:
        return list(read_brackets(self.kind)) or list(AGES[self.period])

    def _headline(self, ages: list[int]) -> int:
        return 12 if 12 in ages and self.period == "month" else max(ages, default=0)


def _last_day(cohort: pd.Timestamp, period: str) -> pd.Timestamp:
    return pd.Timestamp(period_start(ordinal(cohort.date(), period) + 1, period)) - pd.Timedelta(days=1)


def followed(triangle: pd.DataFrame, curve: pd.DataFrame) -> pd.Series[Any]:
    """Count whom a report is about, in ``retention`` and, where that has no rows, in ``tenure_curve``.

    Returns
    -------
    pandas.Series
        ``n_customers`` (in all cohorts; without cohorts, at the start), ``n_cohorts`` (0: none can be formed),
        ``unfinished`` (some period of some cohort is not fully observed yet).
    """
    rows = triangle[triangle["segment"] == "All"]
    sizes = rows.drop_duplicates("cohort")["n_customers"] if len(rows) else curve["n_customers"].nlargest(1)
    unfinished = bool(rows["n_retained"].isna().any())
    counts = {"n_customers": int(sizes.sum()), "n_cohorts": rows["cohort"].nunique()}
    return pd.Series(counts | {"unfinished": unfinished}, dtype=object)


def contrast(comparison: pd.DataFrame) -> pd.Series[Any] | None:
    """Choose what is told of newer against older cohorts: the newer half, unless only the newest cohort differs.

    Returns
    -------
    pandas.Series or None
        The row of ``compare_cohorts``, and ``newest`` (it is the newest cohort alone), ``n_customers``, ``together``
        and ``alone`` (all shared periods together, and the last one alone in the same direction, differ by more than
        chance); None where that compares nothing.
    """
    rows = comparison[comparison["comparison"].isin(["newer half", "newest cohort"]) & comparison["difference"].notna()]
    if rows.empty:
        return None
    newest, n = rows["comparison"] == "newest cohort", rows["n_newer"] + rows["n_older"]
    alone = (rows["difference"] * rows["periods_difference"] > 0) & ((rows["ci_lower"] > 0) | (rows["ci_upper"] < 0))
    rows = rows.assign(newest=newest, n_customers=n, together=rows["p_adjusted"] < SIGNIFICANT, alone=alone)
    return rows.sort_values("together", ascending=False, kind="stable").iloc[0]


def borne_out(years: pd.DataFrame, contrast: pd.Series[Any] | None) -> pd.DataFrame:
    """Give the later and the earlier of two years of start that bear out a clear change; no rows where none do.

    Parameters
    ----------
    years
        As from :meth:`Landmarks.extreme_years` or :meth:`Landmarks.newest_years`.
    contrast
        As from :func:`contrast`.

    Returns
    -------
    pandas.DataFrame
        Both rows of ``years``, the later year first, where both are whole, clearly differ, and the later is better
        where newer cohorts are, or worse where these are.
    """
    if contrast is None or contrast.newest or not (contrast.together and contrast.alone) or years.empty:
        return years.head(0)
    best, worst = years["segment"].astype(int)
    alike = bool(years["clear"].all() and years["whole"].all() and (best > worst) == (contrast.difference > 0))
    return years.sort_values("segment", ascending=False) if alike else years.head(0)


def _apart(high: pd.Series[Any], low: pd.Series[Any], n_segments: int) -> bool:
    """Whether best and worst differ beyond noise, allowing for all pairs they were picked from."""
    margin = margin_of_picked(high.retention_rate, high.ci_lower, low.retention_rate, low.ci_upper, n=n_segments)
    return bool(high.retention_rate - low.retention_rate > margin)
