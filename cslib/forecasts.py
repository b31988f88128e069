"""Forecast of the present customers: Kaplan–Meier as far as ages are well observed, a model beyond."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import ParameterError
from cslib.intervals import Floats, z_value
from cslib.lifetime_models import FittedModels
from cslib.lifetimes import DAYS_PER_MONTH
from cslib.likelihood import cumulative
from cslib.survival import TRUSTED, life_table

__all__ = ["Extended", "extended", "forecast", "reach"]

Change = Callable[[Floats], Floats]
WHOLE: Final = "All"
FEW: Final = "One rate (few left)"
ENOUGH: Final = 10  # churned customers of a segment: with fewer a model follows single customers
# of what is still here after 0, 1, 2 … months: that after each month, and what goes within it
CHANGES: Final[dict[str, Change]] = {
    "active": lambda still: still[:, 1:],
    "churned": lambda still: -np.diff(still),
}
COLUMNS: Final = [
    *("segment", "months_ahead", "month", "model", "n_active", "expected_active", "active_ci_lower"),
    *("active_ci_upper", "expected_churned", "churned_ci_lower", "churned_ci_upper"),
]


@dataclass(frozen=True)
class Extended:
    """Survival at any age: Kaplan–Meier up to a last trusted age, and from there on a fitted model.

    Attributes
    ----------
    ages
        With churn, up to the last trusted one, ascending, shape (m,).
    hazards
        Share of those at risk who left at each, shape (m,).
    variances
        Of each step of the cumulative hazard, shape (m,).
    last
        The last trusted age, months.
    fitter
        The model beyond, or None.
    shift
        Months by which the model's ages are later.
    """

    ages: Floats
    hazards: Floats
    variances: Floats
    last: float
    fitter: Any
    shift: float

    def observed(self, ages: Floats) -> Floats:
        """Cumulative hazard by Kaplan–Meier at ages of any shape; what it was at the last trusted age beyond that."""
        steps = np.concatenate([[0.0], np.cumsum(-np.log1p(-self.hazards))])
        return np.asarray(steps[np.searchsorted(self.ages, ages, side="right")])

    def beyond(self, ages: Floats, parameters: Floats) -> Floats:
        """Cumulative hazard since the last trusted age by the model; 0 up to that age."""
        since = cumulative(self.fitter, parameters, np.array([self.last + self.shift]))
        return cumulative(self.fitter, parameters, np.maximum(ages, self.last) + self.shift) - since

    def cumulative_hazard(self, ages: Floats, parameters: Floats | None = None) -> Floats:
        """Cumulative hazard at ages of any shape, with the model's own or other parameters."""
        own = self.fitter._fitted_parameters_ if parameters is None else parameters
        return self.observed(ages) + self.beyond(ages, own)


def extended(counts: pd.DataFrame, fitter: Any, *, unit_months: float) -> Extended:
    """Put Kaplan–Meier and a fitted model together.

    Parameters
    ----------
    counts
        As from :func:`cslib.lifetimes.lifetimes`, of one segment.
    fitter
        One of ``FittedModels.fits``, fitted to them; None where nothing beyond is asked for.
    unit_months
        As for :func:`cslib.lifetime_models.fit_models`.

    Returns
    -------
    Extended
        Trusted up to the last age with 20 customers at risk of whom not all left.
    """
    table = life_table(counts)
    trusted = table[(table["n_at_risk"] >= TRUSTED) & (table["n_events"] < table["n_at_risk"])]
    last = float(trusted["duration_months"].max()) if len(trusted) else 0.0
    steps = table[(table["duration_months"] <= last) & table["n_events"].between(1, table["n_at_risk"] - 1)]
    d, r = steps["n_events"].to_numpy(float), steps["n_at_risk"].to_numpy(float)
    return Extended(steps["duration_months"].to_numpy(float), d / r, d / (r * (r - d)), last, fitter, unit_months / 2)


def reach(counts: pd.DataFrame, horizon_months: int) -> int:
    """Return how many months to look ahead: as asked, but no more than the longest lifetime observed, at least one."""
    return max(1, min(horizon_months, int(counts["duration_months"].max())))


def forecast(
    counts: pd.DataFrame,
    models: FittedModels,
    *,
    horizon_months: int = 12,
    as_of: date | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Forecast how many of today's customers will still be here, month by month.

    Parameters
    ----------
    counts
        As from :func:`cslib.lifetimes.lifetimes`; who has not left is active now.
    models
        As from :func:`cslib.lifetime_models.fit_models` on them; the best one of each segment is its tail.
    horizon_months
        Months ahead.
    as_of
        The day on which the customers were last observed, for the dates.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per segment and month ahead: ``segment``, ``months_ahead`` (from 1), ``month`` (the date then;
        NaT without ``as_of``), ``model``, ``n_active`` (now), ``expected_active`` (of these, at that date),
        ``active_ci_lower``, ``active_ci_upper``, ``expected_churned`` (within that one month),
        ``churned_ci_lower``, ``churned_ci_upper``. ``All`` is the sum of its segments where there are any (``model``
        says so). No further ahead than the longest lifetime observed; empty where that is less than a month.
        A segment that nobody is left of is absent.

    Raises
    ------
    ParameterError
        ``horizon_months`` is below 1, or the confidence level is outside 0 to 1.

    Notes
    -----
    A customer aged a is still here after k months with probability S(a + k) / S(a): Kaplan–Meier up to the last
    age with 20 customers at risk, and beyond it the model that predicts later ages best. The variance of a sum
    over customers is Σ p(1 − p), for chance, plus what is not known of S (delta method on the hazards and on the
    parameters, taken as independent). A segment of which fewer than ten customers left is taken to leave at one
    rate, (churned + ½) / months observed, whatever the age. The interval is normal and clipped to what is possible.
    It speaks of today's customers only, new ones are not counted; and it covers chance and estimation, not a wrong
    tail or a world that changes.

    In simulated Weibull worlds the 95 % interval held the truth in 93 to 97 % of cases with 300 and with 3,000
    customers, and in 91 to 97 % with 100, for who is active after a year and who leaves in months 1 to 3. Where one
    segment mixes customers of very different risk, 86 % with 100: the model beyond the last well-observed age is wrong.
    """
    if horizon_months < 1:
        msg = f"horizon_months is {horizon_months!r}. Give a whole number of months from 1 on."
        raise ParameterError(msg)
    if counts["duration_months"].max() < 1:
        return pd.DataFrame(columns=COLUMNS)
    z, ahead = z_value(confidence_level), np.arange(1, reach(counts, horizon_months) + 1)
    month = pd.DatetimeIndex([pd.Timestamp(as_of) + pd.DateOffset(months=int(k)) if as_of else pd.NaT for k in ahead])
    parts = {
        str(segment): _project(own, models, len(ahead))
        for segment, own in counts.groupby("segment", sort=False)
        if not own["event_observed"].all()
    }
    segments = [part for segment, part in parts.items() if segment != WHOLE]
    if segments:
        # segments are independent, so variances add up, too
        together = pd.concat(segments).groupby(level=0).sum(numeric_only=True)
        parts[WHOLE] = together.assign(model="sum of segments")
    tables = [_bounded(part, z).assign(segment=s, months_ahead=ahead, month=month) for s, part in parts.items()]
    return pd.concat(tables, ignore_index=True)[COLUMNS] if tables else pd.DataFrame(columns=COLUMNS)


def _project(counts: pd.DataFrame, models: FittedModels, horizon: int) -> pd.DataFrame:
    """Expect numbers by month ahead, with their variances: still here, and gone within the month."""
    segment, n_events = str(counts["segment"].iloc[0]), int(counts.loc[counts["event_observed"], "n"].sum())
    best = models.table[(models.table["segment"] == segment) & models.table["best"]]["model"]
    if n_events < ENOUGH or best.empty:
        return _constant(counts, n_events, horizon)
    model = str(best.iloc[0])
    curve = extended(counts, models.fits[segment, model], unit_months=models.unit_months)
    active = counts[~counts["event_observed"]].groupby("duration_months")["n"].sum()
    ages, n = active.index.to_numpy(float), active.to_numpy(float)
    here = _still_here(curve, ages, horizon)
    by_age, by_parameter = _slopes_of_hazards(curve, ages, n[:, None] * here), _slopes_of_model(curve, ages, n, horizon)
    covariance = np.asarray(curve.fitter.variance_matrix_)

    def unknown(change: Change) -> Floats:
        steps, slopes = change(by_age), change(by_parameter)
        return np.asarray(curve.variances @ steps**2 + np.einsum("ik,ij,jk->k", slopes, covariance, slopes))

    return _projected(model, n, here, unknown)


def _constant(counts: pd.DataFrame, n_events: int, horizon: int) -> pd.DataFrame:
    """Project at one rate for all ages, (events + ½) / exposure with the variance of a Poisson count."""
    lived = counts["duration_months"] - counts["entry_months"]
    exposure = max(float((lived * counts["n"]).sum()), 1 / DAYS_PER_MONTH)
    n = np.array([float(counts.loc[~counts["event_observed"], "n"].sum())])
    rate, k = (n_events + 0.5) / exposure, np.arange(horizon + 1)
    here = np.exp(-rate * k)[None, :]
    return _projected(FEW, n, here, lambda change: change(-k * here * n)[0] ** 2 * rate / exposure)


def _projected(model: str, n: Floats, here: Floats, unknown: Callable[[Change], Floats]) -> pd.DataFrame:
    """Add up n customers by age and what of them is still here: by chance, and by what is not known of S."""
    columns: dict[str, Any] = {"model": model, "n_active": n.sum()}
    for name, change in CHANGES.items():
        share = change(here)
        columns[f"expected_{name}"] = n @ share
        columns[f"variance_{name}"] = n @ (share * (1 - share)) + unknown(change)
    return pd.DataFrame(columns)


def _still_here(curve: Extended, ages: Floats, horizon: int, parameters: Floats | None = None) -> Floats:
    """P(still here after 0 to horizon months), one row per age."""
    later = curve.cumulative_hazard(ages[:, None] + np.arange(horizon + 1.0), parameters)
    return np.exp(later[:, :1] - later)


def _slopes_of_hazards(curve: Extended, ages: Floats, expected: Floats) -> Floats:
    """Slope of the expected numbers after each month in each observed step of the hazard, shape (m, horizon + 1).

    A step at age t takes from those expected of the ages a < t ≤ a + k.
    """
    months = np.arange(expected.shape[1])
    sums = np.vstack([np.zeros(expected.shape[1]), np.cumsum(expected, axis=0)])
    before = sums[np.searchsorted(ages, curve.ages, side="left")]
    not_yet = [sums[np.searchsorted(ages + k, curve.ages, side="left"), k] for k in months]
    return np.asarray(np.stack(not_yet, axis=1) - before)


def _slopes_of_model(curve: Extended, ages: Floats, n: Floats, horizon: int) -> Floats:
    """Slope of the expected numbers in each parameter of the model, shape (parameters, horizon + 1)."""
    parameters = curve.fitter._fitted_parameters_
    steps = np.diag(1e-3 * np.sqrt(np.diag(np.asarray(curve.fitter.variance_matrix_))))
    moved = [[n @ _still_here(curve, ages, horizon, parameters + sign * step) for sign in (1, -1)] for step in steps]
    return np.array([(up - down) / (2 * step.sum()) for (up, down), step in zip(moved, steps, strict=True)])


def _bounded(part: pd.DataFrame, z: float) -> pd.DataFrame:
    table = part.astype({"n_active": "int64"})
    for name in CHANGES:
        expected, half = part[f"expected_{name}"], z * np.sqrt(part[f"variance_{name}"])
        table[f"{name}_ci_lower"] = (expected - half).clip(lower=0)
        table[f"{name}_ci_upper"] = (expected + half).clip(upper=part["n_active"])
    return table
