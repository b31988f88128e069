"""What survival curves let one say: the landmark that is told, which segments differ, how the risk moves with age.

Each picks the rows or the few figures that a sentence needs off a table of :mod:`cslib.stats.survival`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import pandas as pd

from cslib.stats.intervals import FIRM, SIGNIFICANT
from cslib.stats.peaks import WORTH, alike, find_peaks, stands_out

FEW: Final = 10  # at risk: a median reached by fewer is no firm estimate
TOLD: Final = (12, 6, 3, 1)  # months, the first one that is observed is told
DRAWN: Final = 12  # pairs in a chart
YEAR: Final = 12
MEDIAN: Final = ["median_months", "median_ci_lower", "median_ci_upper"]


def firm_medians(summary: pd.DataFrame, curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out medians to which fewer than ten customers were observed: a curve may fall by half for one of them.

    Parameters
    ----------
    summary, curve
        As from :func:`cslib.stats.survival.survival_summary` and :func:`cslib.stats.survival.survival_curve`.

    Returns
    -------
    pandas.DataFrame
        The summary, such medians and their bounds missing, and ``from_start``: whether survival from the start is
        known at all ages, as it is not where nobody was under observation at some early one.
    """
    at_risk = curve.set_index(["segment", "duration_months"])["n_at_risk"]
    few = [at_risk.get(key, FEW) < FEW for key in zip(summary["segment"], summary["median_months"], strict=True)]
    firm = summary.assign(**{c: summary[c].mask(pd.Series(few, index=summary.index)) for c in MEDIAN})
    known = curve["survival"].notna().groupby(curve["segment"]).all()
    return firm.assign(from_start=summary["segment"].map(known))


@dataclass(frozen=True)
class Differences:
    """Which segments differ in months stayed by more than chance, and by how much.

    Attributes
    ----------
    pairs
        The pairs of ``compare_segments``, the widest apart first, with ``clear``: more than chance, by the adjusted
        log-rank test and by the interval of the months.
    tau_months
        Over their first so many months.
    rates_differ
        Some log-rank test, of a pair or of all at once, says more than chance.
    p_value, log10_p_value
        Of the test of all at once.
    """

    pairs: pd.DataFrame = field(repr=False)
    tau_months: float
    rates_differ: bool
    p_value: float
    log10_p_value: float

    @classmethod
    def of(cls, comparison: pd.DataFrame) -> Self | None:
        """Judge a comparison; None where there are no two segments.

        Parameters
        ----------
        comparison
            As from :func:`cslib.stats.survival.compare_segments`.

        Examples
        --------
        >>> from cslib.stats.survival import compare_segments, survival_curve
        >>> counts = pd.DataFrame({"segment": ["a", "b", "b"], "entry_months": 0.0, "duration_months": [6.0, 2.0, 6.0],
        ...                        "event_observed": [False, True, False], "n": [90, 60, 30]})
        >>> Differences.of(compare_segments(survival_curve(counts))).clear["rmst_difference_months"].round(2).tolist()
        [2.67]
        """
        if comparison.empty:
            return None
        own = comparison[comparison["segment_a"] != "All"]
        clear = (own["p_adjusted"] < SIGNIFICANT) & ((own["ci_lower"] > 0) | (own["ci_upper"] < 0))
        pairs = own.assign(clear=clear).sort_values("rmst_difference_months", ascending=False, key=abs, kind="stable")
        differ = bool((comparison["p_adjusted"] < SIGNIFICANT).any())
        tau, p, log10_p = (float(comparison[c].iloc[0]) for c in ("tau_months", "p_value", "log10_p_value"))
        return cls(pairs, tau, rates_differ=differ, p_value=p, log10_p_value=log10_p)

    @property
    def clear(self) -> pd.DataFrame:
        """The pairs that differ by more than chance, the widest apart first."""
        return self.pairs[self.pairs["clear"]]

    @property
    def measured(self) -> pd.DataFrame:
        """The pairs observed long enough to be compared, as many as a chart holds."""
        return self.pairs.dropna(subset="rmst_difference_months").head(DRAWN)

    @property
    def n_unclear(self) -> int:
        """Count the pairs whose difference may be chance."""
        return len(self.pairs) - len(self.clear)


def kept(at: pd.DataFrame, differences: Differences | None) -> pd.DataFrame:
    """Choose what is told of those who stay: of the two segments that differ most by more than chance, else of all.

    Parameters
    ----------
    at
        As from :func:`cslib.stats.survival.survival_at`, at the landmarks.
    differences
        Of the same curves.

    Returns
    -------
    pandas.DataFrame
        The rows of ``at`` at the latest of 12, 6, 3 and 1 months that is observed: two, or that of ``All``; none where
        customers have been observed for less than a month.
    """
    known = at[at["survival"].notna()]
    clear = None if differences is None else differences.clear.head(1)
    pairs = [] if clear is None else clear[["segment_a", "segment_b"]].to_numpy().tolist()
    for names in [*pairs, ["All"]]:
        for months in TOLD:
            rows = known[(known["duration_months"] == months) & known["segment"].isin(names)]
            if len(rows) == len(names):
                return rows.set_index("segment").loc[names].reset_index()
    return known.head(0)


def lost(incidence: pd.DataFrame) -> pd.DataFrame:
    """Pick how many of all customers are lost to each kind of churn, within the latest landmark that is observed.

    Parameters
    ----------
    incidence
        As from :func:`cslib.stats.survival.cumulative_incidence`.

    Returns
    -------
    pandas.DataFrame
        The last row of each kind until then, and ``months``: 12, 6, 3 or 1. ``incidence`` is missing where early ages
        were never observed; no rows where a month was not.
    """
    rows = incidence[incidence["segment"] == "All"]
    months = next((m for m in TOLD if rows["duration_months"].max() >= m), 0)
    within = rows[rows["duration_months"] <= months].assign(months=months)
    return within.groupby("churn_kind", sort=False).tail(1) if months else within.head(0)


@dataclass(frozen=True)
class Pace:
    """How the rate of leaving moves with age, as far as the counts tell.

    Attributes
    ----------
    peaks
        As from :func:`cslib.stats.peaks.find_peaks`: the months, 1 being the first, that are riskier than the others.
    elsewhere
        Churns per customer and month in all other months.
    n_months
        Months looked at; where nothing peaks, those that are known to be alike, or 0 where too few left to say.
    later, later_month
        Where the only peak is at the start, the rate in a later month of the first year that is clearly lower; NaN and
        0 where there is none.
    rise
        The month after all peaks up to which the line rises most, by a quarter or more, though none there clearly
        stands out; 0 where it does not.
    shown_by, not_by
        The segments whose risk, too, is higher in these peaks than in other months by more than chance (the intervals
        of all segments hold together, by Bonferroni), and those of which that is not clear.
    """

    peaks: pd.DataFrame = field(repr=False)
    elsewhere: float
    n_months: int
    later: float
    later_month: int
    rise: int
    shown_by: tuple[str, ...] = ()
    not_by: tuple[str, ...] = ()

    @property
    def first_months(self) -> int:
        """Length of the only peak where it is at the start; 0 where risk is not highest then."""
        return int(self.peaks["last"].iloc[0]) if len(self.peaks) == 1 and self.peaks["first"].iloc[0] == 1 else 0


def pace(hazard: pd.DataFrame) -> Pace | None:
    """Tell how the rate of leaving moves with age, by the counts of months with 30 at risk.

    Parameters
    ----------
    hazard
        As from :func:`cslib.stats.survival.hazard_by_age`.

    Returns
    -------
    Pace or None
        None where too few are observed from the first month on, or left.
    """
    rows = hazard[(hazard["segment"] == "All") & (hazard["n_at_risk"] >= FIRM)]
    if len(rows) < 2 or rows["duration_months"].iloc[0] > 1 or not rows["n_events"].sum():
        return None
    rows = rows.set_index((rows["duration_months"] + 0.5).round().astype(int))
    counts = rows[["n_events", "customer_months"]].reindex(range(1, rows.index[-1] + 1), fill_value=0)
    left, lived = (counts[c].to_numpy(float) for c in counts)
    peaks = find_peaks(left, lived)
    rest = np.ones(len(counts), bool)
    for first, last in zip(peaks["first"], peaks["last"], strict=True):
        rest[first - 1 : last] = False
    n_months = len(counts) if len(peaks) else alike(left, lived)
    rest[n_months:] &= not n_months
    after = _after(rows, peaks)
    later, month = (after["hazard"].iloc[-1], int(after.index[-1])) if len(after) else (np.nan, 0)
    rise = _rise(rows.loc[rows.index > peaks["last"].max(), "hazard"] if len(peaks) else rows["hazard"])
    sure, unsure = _shown_by(hazard, peaks) if len(peaks) else ((), ())
    elsewhere = float(left[rest].sum() / lived[rest].sum())
    return Pace(peaks, elsewhere, n_months, float(later), month, rise, sure, unsure)


def _shown_by(hazard: pd.DataFrame, peaks: pd.DataFrame) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part the segments into those that clearly have the peaks of all, and the others."""
    parts = hazard[hazard["segment"] != "All"]
    months = parts.assign(month=(parts["duration_months"] + 0.5).round().astype(int))
    level = 1 - SIGNIFICANT / max(months["segment"].nunique(), 1)
    found: dict[bool, list[str]] = {True: [], False: []}
    for segment, own in months.groupby("segment"):
        rows = own.groupby("month")[["n_events", "customer_months"]].sum()
        rows = rows.reindex(range(1, int(max(rows.index.max(), peaks["last"].max())) + 1), fill_value=0)
        left, lived = rows.to_numpy(float).T
        found[stands_out(left, lived, peaks, confidence_level=level)].append(str(segment))
    return tuple(found[True]), tuple(found[False])


def _rise(line: pd.Series[float]) -> int:
    low = line.cummin()
    again = line[(line > 0) & (line >= WORTH * low)]
    return int((again / low[again.index]).idxmax()) if len(again) else 0


def _after(rows: pd.DataFrame, peaks: pd.DataFrame) -> pd.DataFrame:
    """Take the last month of the first year whose rate is clearly below a peak at the start, if one is."""
    if len(peaks) != 1 or peaks["first"].iloc[0] > 1:
        return rows.head(0)
    beyond = rows.index - rows["window_months"] >= peaks["last"].iloc[0]
    year = rows[beyond & (rows.index <= YEAR)].tail(1)
    return year[year["ci_upper"] < peaks["rate"].iloc[0]]
