"""Do newer customers leave at another rate than older ones of the same age? A factor for each quarter of start.

Factors are shrunk towards 1, as far as quarters differ by no more than chance. Present customers are foretold
with that of their own quarter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from cslib.counts import observed, with_segment
from cslib.lifetimes import DAYS_PER_MONTH, lifetime_rows
from cslib.tables import DataSet

__all__ = ["QUARTER", "CohortEffects", "cohort_counts", "cohort_effects"]

Floats = NDArray[np.float64]
QUARTER: Final = 3  # months
ROUNDS: Final = 20
LEAST: Final = 1e-4  # variance below which quarters do not differ
MOST: Final = 4.0
COLUMNS: Final = ["segment", "quarter", "month", "lived", "n_events"]


@dataclass(frozen=True)
class CohortEffects:
    """How fast the customers of each quarter of start leave, against others of their age and segment.

    Attributes
    ----------
    table
        One row per quarter: ``quarter`` (0: started in the three months before ``as_of``), ``n_churned``,
        ``expected`` (churns, at a factor of 1), ``factor``.
    variance
        Of the factors between quarters; 0: they do not differ by more than chance.
    baseline
        By segment, what turns the hazard of each month of age into that at a factor of 1.
    """

    table: pd.DataFrame
    variance: float
    baseline: Mapping[str, Floats]

    def draw(self, months: Floats, draws: int, rng: np.random.Generator) -> Floats:
        """Give the factor of customers who started so many months before ``as_of``, and draw it from its posterior.

        Returns
        -------
        numpy.ndarray
            Shape (1 + draws, len(months)): the estimate, then draws.
        """
        if not self.variance:
            return np.ones((1 + draws, len(months)))
        shape, rate = self.table["n_churned"] + 1 / self.variance, self.table["expected"] + 1 / self.variance
        all_rows = np.vstack([shape, rng.gamma(shape, size=(draws, len(shape)))]) / rate.to_numpy()
        place = np.searchsorted(self.table["quarter"], np.floor(months / QUARTER + 1e-9))
        return np.asarray(all_rows[:, np.minimum(place, len(shape) - 1)])


def cohort_counts(data: DataSet, *, segment_by: str = "") -> pd.DataFrame:
    """Sum what customers of each quarter of start lived, and count who left, by month of age.

    Parameters
    ----------
    data
        With ``customers``; without dates the result is empty.
    segment_by
        A column; empty for the whole only.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (that of ``segment_by``, or ``All``), ``quarter`` (whole quarters of 91.3 days from the start to
        ``as_of``), ``month`` (of age: 0 at the start itself, 1 the first month, …), ``lived`` (customer-months in
        it; at 0 customers), ``n_events``.
    """
    if not data.has_dates("customers"):
        return pd.DataFrame(columns=COLUMNS)
    starts = data.table("customers").select("customer_id", "started_on")
    rows = lifetime_rows(data).join(starts, "customer_id")
    days = ibis.date(observed(data)).delta(rows.started_on, unit="day").cast("float64")
    rows = rows.select(
        "customer_id", "entry", "duration", "event_observed",
        quarter=(days / (QUARTER * DAYS_PER_MONTH)).floor().cast("int64"),
    )  # fmt: skip
    keys = ["segment", "quarter", "entry", "duration", "event_observed"]
    rows = with_segment(rows, data, segment_by)
    counted = rows.group_by(keys).aggregate(n=rows.count()).order_by(keys).execute()  # sums depend on the order
    return pd.concat([_by_month(own, str(s)) for s, own in counted.groupby("segment")], ignore_index=True)[COLUMNS]


def _by_month(counted: pd.DataFrame, segment: str) -> pd.DataFrame:
    entry, duration = (counted[[c]].to_numpy(float) / DAYS_PER_MONTH for c in ("entry", "duration"))
    months = np.arange(np.ceil(duration.max()) + 1)
    lived = np.clip(duration, months - 1, months) - np.clip(entry, months - 1, months)
    lived[:, 0] = entry[:, 0] == 0
    left = (np.ceil(duration - 1e-9) == months) & counted[["event_observed"]].to_numpy(bool)
    quarters, place = np.unique(counted["quarter"], return_inverse=True)
    sums = np.zeros((2, len(quarters), len(months)))
    for table, values in zip(sums, (lived, left), strict=True):
        np.add.at(table, place, values * counted[["n"]].to_numpy(float))
    keys = {"quarter": np.repeat(quarters, len(months)), "month": np.tile(months.astype(int), len(quarters))}
    result = pd.DataFrame(keys | {"lived": sums[0].ravel(), "n_events": sums[1].ravel()})
    return result[result["lived"] > 0].assign(segment=segment)


def cohort_effects(cohorts: pd.DataFrame, hazards: Mapping[str, Floats]) -> CohortEffects:
    """Estimate how the quarters of start differ, all segments together.

    Parameters
    ----------
    cohorts
        As from :func:`cohort_counts`.
    hazards
        Hazard of each month of age (0: at the start itself) by segment, over all quarters, shape (ages,).

    Returns
    -------
    CohortEffects
        Factors of 1 where quarters do not differ by more than chance, or are not known.

    Notes
    -----
    Churns of a quarter are Poisson around factor × expected; factors are Gamma with mean 1, their variance is that
    of greatest likelihood, and the estimate is the posterior mean. Expected churns and the hazard at a factor of 1
    are computed from one another until they settle (EM).

    References
    ----------
    Clayton (1978), Biometrika 65:141–151; Klein (1992), Biometrics 48:795–806 (EM for shared gamma frailty).
    """
    parts = {str(segment): own for segment, own in cohorts.groupby("segment")}
    tables = {s: _squares(own, len(hazards[s])) for s, own in parts.items() if s in hazards}
    quarters = np.unique(cohorts["quarter"])
    baseline = {segment: np.ones(len(hazard)) for segment, hazard in hazards.items()}
    churned = cohorts.groupby("quarter")["n_events"].sum().reindex(quarters).to_numpy(float)
    factors, expected, variance = np.ones(len(quarters)), np.zeros(len(quarters)), 0.0
    for _ in range(ROUNDS):
        expected = np.zeros(len(quarters))
        for segment, lived in tables.items():
            own = lived.reindex(quarters, fill_value=0.0).to_numpy()
            baseline[segment] = _baseline(own, factors)
            expected += own @ (hazards[segment] * baseline[segment])
        variance = _variance(churned, expected)
        factors = (churned + 1 / variance) / (expected + 1 / variance) if variance else np.ones(len(quarters))
    table = pd.DataFrame({"quarter": quarters, "n_churned": churned, "expected": expected, "factor": factors})
    return CohortEffects(table, variance, baseline)


def _squares(cohorts: pd.DataFrame, n_ages: int) -> pd.DataFrame:
    table = cohorts.pivot_table(index="quarter", columns="month", values="lived", aggfunc="sum", fill_value=0.0)
    return table.reindex(columns=range(n_ages), fill_value=0.0)


def _baseline(lived: Floats, factors: Floats) -> Floats:
    """Divide by the mean factor of those who lived each month; beyond the last, by that of the last."""
    mean = pd.Series(lived.T @ factors).div(lived.sum(axis=0)).where(lived.sum(axis=0) > 0)
    return np.asarray(1 / mean.ffill().fillna(1.0), float)


def _variance(churned: Floats, expected: Floats) -> float:
    """Variance between factors under which the churns are likeliest (negative binomial)."""
    known = expected > 0
    d, e = churned[known], expected[known]

    def unlikelihood(log_variance: float) -> float:
        k = np.exp(-log_variance)
        return -float((gammaln(d + k) - gammaln(k) + k * np.log(k) - (d + k) * np.log(e + k) + d * np.log(e)).sum())

    if len(d) < 2:
        return 0.0
    found = minimize_scalar(unlikelihood, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    variance = float(np.exp(found.x))
    return variance if variance > 2 * LEAST else 0.0
