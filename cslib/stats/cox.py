"""Cox regression on rows: fit, base risk, check of proportionality. Knows no column of any table."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.utils import concordance_index
from numpy.typing import NDArray

from cslib.stats.intervals import Floats, product_limit, wilson
from cslib.stats.survival import TIE, TRUSTED

ENDS: Final = ("duration", "entry")
PRECISION: Final = {"precision": 1e-11, "r_precision": 1e-13}  # so that a ratio without end grows large
LIMIT: Final = 15.0  # of a log ratio and its error: beyond, nothing was estimated
CALIBRATION: Final = ["decile", "n", "predicted", "observed", "ci_lower", "ci_upper"]
GROUP_CHURNED: Final = 20  # in a group of the calibration, on average


@dataclass(frozen=True)
class CoxFit:
    """Log hazard ratios of the columns of a design.

    Attributes
    ----------
    coefficients
        By column; NaN where the fit failed. Columns that do not vary, or of :func:`never_left`, have none.
    variance
        Their covariance matrix.
    log_likelihood
        Partial log-likelihood (Efron).
    sound
        Whether the fit converged to finite values.
    kept
        Which rows it rests on.
    """

    coefficients: pd.Series
    variance: Floats
    log_likelihood: float
    sound: bool
    kept: NDArray[np.bool_] = field(repr=False)

    @property
    def errors(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.variance))

    def shrunk(self, kept_share: float) -> CoxFit:
        """Return the fit with so much of its log ratios, for predictions."""
        return replace(self, coefficients=kept_share * self.coefficients)


def never_left(design: pd.DataFrame, life: pd.DataFrame) -> list[Any]:
    """Find the columns of zeros and ones that are zero for all who left.

    Their likelihood grows without end as their ratio nears 0, where it is the likelihood of the rows without them.
    """
    left = design[life["event"].to_numpy()]
    return [c for c in design if not left[c].any() and design[c].isin([0.0, 1.0]).all()]


def fit_cox(design: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series | None = None) -> CoxFit:
    """Fit a Cox regression on rows, ties by Efron.

    Parameters
    ----------
    design
        Numeric columns, one row per customer.
    life
        ``entry`` (-1: from the start), ``duration``, ``event``; same rows.
    stratum
        Groups with a base risk of their own; None for one.

    Returns
    -------
    CoxFit
    """
    kept = ~design[never_left(design, life)].any(axis=1).to_numpy()
    design, life = design[kept], life[kept]
    design = design.loc[:, (design.max() > design.min()).to_numpy()]
    if not len(design.columns):
        return CoxFit(pd.Series(dtype=float), np.empty((0, 0)), np.nan, sound=True, kept=kept)
    # of equal spread, so that a rare value is no numerical matter
    scale = design.std(ddof=0).to_numpy()
    frame = pd.DataFrame(design.to_numpy() / scale, columns=[f"x{i}" for i in range(len(scale))], index=life.index)
    late = bool((life["entry"] > 0).any())
    frame = frame.join(life if late else life[["duration", "event"]])
    if stratum is not None:
        frame["stratum"] = stratum[kept]
    fitter = CoxPHFitter(strata=None if stratum is None else ["stratum"])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitter.fit(frame, "duration", "event", entry_col="entry" if late else None, fit_options=PRECISION)
    except (ConvergenceError, np.linalg.LinAlgError):
        lost = np.full((len(scale), len(scale)), np.nan)
        return CoxFit(pd.Series(lost[0], index=design.columns), lost, np.nan, sound=False, kept=kept)
    coefficients = pd.Series(fitter.params_.to_numpy() / scale, index=design.columns)
    variance = fitter.variance_matrix_.to_numpy() / np.outer(scale, scale)
    size = np.concatenate([np.abs(coefficients), np.sqrt(np.diag(variance))])
    sound = bool((size < LIMIT).all()) and not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return CoxFit(coefficients, variance, float(fitter.log_likelihood_), sound, kept)


def scores_of(log_ratios: pd.Series, design: pd.DataFrame) -> Floats:
    """Return each row's hazard against the base, exp(βx)."""
    columns = list(log_ratios.index)
    return np.exp(design[columns].to_numpy() @ log_ratios.to_numpy()) if columns else np.ones(len(design))


def sum_at_risk(times: Floats, life: pd.DataFrame, values: Floats) -> Floats:
    """Sum values over the customers at risk at each time: entry < t ≤ duration.

    Parameters
    ----------
    times
        Ascending, shape (m,).
    life
        ``entry`` and ``duration``, n rows.
    values
        Shape (n, k).

    Returns
    -------
    numpy.ndarray
        Shape (m, k).
    """
    gone = np.searchsorted(times, life["duration"], side="right")
    come = np.searchsorted(times, life["entry"], side="right")

    def later(steps: Any) -> Floats:
        summed = np.stack([np.bincount(steps, v, minlength=len(times) + 1) for v in values.T], axis=1)
        return summed[::-1].cumsum(axis=0)[::-1][1:]

    return later(gone) - later(come) if come.any() else later(gone)


def _leaving(life: pd.DataFrame, values: Floats) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp], Floats]:
    """Sum values over those at risk as each event happens; of d tied ones, at the k-th (k − 1)/d have gone (Efron).

    Returns the rows with events by age, the ages, the first event of each age, and the sums.
    """
    duration = life["duration"].to_numpy()
    events = np.flatnonzero(life["event"])
    events = events[np.argsort(duration[events], kind="stable")]
    ages, first, group, ties = np.unique(duration[events], return_index=True, return_inverse=True, return_counts=True)
    share = (np.arange(len(events)) - first[group]) / ties[group]
    tied = np.add.reduceat(values[events], first)[group]
    return events, ages, first, sum_at_risk(ages, life, values)[group] - share[:, None] * tied


def _trusted(life: pd.DataFrame) -> float:
    """Last age with enough customers at risk; without one, the last age."""
    ages = np.unique(life["duration"])
    many = ages[sum_at_risk(ages, life, np.ones((len(life), 1)))[:, 0] >= TRUSTED]
    return float(many[-1] if len(many) else ages[-1])


def base_risk(life: pd.DataFrame, scores: Floats, stratum: pd.Series) -> pd.DataFrame:
    """Estimate the cumulative base risk of each stratum by age; see ``baseline`` of ``DriverModel``.

    Notes
    -----
    Σ 1/(sum of scores at risk) over events, ties by Efron, which without drivers is close to −log of
    Kaplan–Meier. A stratum without events has the constant risk of half a customer in the time observed.

    References
    ----------
    Breslow (1972), JRSS B 34:216–217; Efron (1977), JASA 72:557–565.
    """
    parts = []
    for name, index in life.groupby(stratum).indices.items():
        own, last = life.iloc[index], _trusted(life.iloc[index])
        _, ages, first, left = _leaving(own, scores[index, None])
        total = np.cumsum(np.add.reduceat(1 / left[:, 0], first))
        if not len(ages):
            last = max(last, 1.0)
            ages = np.arange(1.0, last + 1)  # risk is read at whole months
            total = ages * 0.5 / (own["duration"] - own["entry"].clip(lower=0) + 0.5).sum()
        known = np.searchsorted(ages, last, side="right")
        reached = total[known - 1] if known else 0.0
        part = pd.DataFrame({"age": [*ages[:known], last], "cumulative_hazard": [*total[:known], reached]})
        parts.append(part.assign(stratum=str(name)))
    return pd.concat(parts, ignore_index=True)[["stratum", "age", "cumulative_hazard"]]


def completed(
    fit: CoxFit, design: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series
) -> tuple[pd.DataFrame, pd.Series]:
    """Add to a fit its base risk, and log ratios for the values that nobody left with.

    Parameters
    ----------
    fit, design, life, stratum
        A fit and what it was fitted on.

    Returns
    -------
    pandas.DataFrame
        As from :func:`base_risk`.
    pandas.Series
        Log ratios by column. Of a column of :func:`never_left` the one with which the model expects half a
        customer to have left, given their ages and other values; 0 where it expects less than that anyhow.
    """
    kept = fit.kept
    base = base_risk(life[kept], scores_of(fit.coefficients, design[kept]), stratum[kept])
    until, since = (cumulative_hazards(base, stratum, life[end].to_numpy(), tail=np.inf) for end in ENDS)
    found = fit.coefficients
    for column in never_left(design, life):
        own = (design[column] > 0).to_numpy()
        expected = np.nansum(scores_of(found, design[own]) * (until - since)[own])
        found = pd.Series({**dict(found.items()), column: -np.log(max(2 * expected, 1.0))})
    return base, found


def kept_share(scores: Floats, life: pd.DataFrame, fold: pd.Series) -> float:
    """Estimate how much of log ratios holds for customers that they were not fitted on.

    Parameters
    ----------
    scores
        exp(βx) of each customer, by a fit without it.
    life
        Same rows.
    fold
        Customers are compared within it: those of one fit and stratum.

    Returns
    -------
    float
        The slope of the log hazard on βx (calibration slope), cut to 0–1; 1 where it cannot be told.

    References
    ----------
    van Houwelingen (2000), Statistics in Medicine 19:3401–3415.
    """
    slope = fit_cox(pd.DataFrame({"score": np.log(scores)}, index=life.index), life, fold).coefficients
    return float(slope.fillna(1.0).clip(0.0, 1.0).iloc[0]) if len(slope) else 1.0


def cumulative_hazard(baseline: pd.DataFrame, stratum: str, ages: Floats, *, tail: float) -> Floats:
    """Read the base risk of a stratum at any age.

    Parameters
    ----------
    baseline
        As in :class:`cslib.churn.drivers.DriverModel`.
    stratum
        One of its strata.
    ages, tail
        In months. Beyond the last well-observed age the risk goes on at its mean over the last ``tail`` before it.

    Returns
    -------
    numpy.ndarray
        Shape of ``ages``.
    """
    own = baseline[baseline["stratum"] == stratum]
    at, total = own["age"].to_numpy(), np.concatenate([[0.0], own["cumulative_hazard"]])
    last, span = at[-1], min(tail, at[-1])
    before = total[np.searchsorted(at, last - span, side="right")]
    slope = (total[-1] - before) / span if span > 0 else 0.0
    return total[np.searchsorted(at, ages + TIE, side="right")] + slope * np.maximum(ages - last, 0)


def cumulative_hazards(baseline: pd.DataFrame, stratum: pd.Series, ages: Floats, *, tail: float) -> Floats:
    """Read the base risk of each row's stratum at its age; NaN in a stratum without base risk."""
    result = np.full(len(stratum), np.nan)
    for name in baseline["stratum"].unique():
        own = (stratum == name).to_numpy()
        result[own] = cumulative_hazard(baseline, name, ages[own], tail=tail)
    return result


def risk_from_start(baseline: pd.DataFrame, scores: Floats, stratum: pd.Series, horizon: float) -> Floats:
    """Return the probability of churn from the start to the horizon; NaN in a stratum without base risk."""
    return 1 - np.exp(-cumulative_hazards(baseline, stratum, np.full(len(scores), horizon), tail=horizon) * scores)


def proportionality(
    fit: CoxFit, design: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series | None = None
) -> pd.Series:
    """Test whether the effect of each column stays the same over age.

    Parameters
    ----------
    fit, design, life, stratum
        A fit and what it was fitted on.

    Returns
    -------
    pandas.Series
        By column: chi-squared with one degree of freedom; 0 where all left at one age.

    Notes
    -----
    (Σ (g − ḡ)·s)² / (d·Var(β)·Σ (g − ḡ)²) over d events, with g the rank of age and s the scaled Schoenfeld
    residuals under Efron's ties, within strata. Tied ages share their mean rank. lifelines ranks them by their
    order in the table, so its statistic changes with that order (Rossi, age: 11.4535 there, 11.1573 here).

    References
    ----------
    Grambsch & Therneau (1994), Biometrika 81:515–526.
    """
    columns = list(fit.coefficients.index)
    if not columns:
        return pd.Series(dtype=float)
    design, life = design.loc[fit.kept, columns], life[fit.kept]
    weights = scores_of(fit.coefficients, design)[:, None] * np.column_stack([np.ones(len(design)), design])
    residuals = np.zeros(design.shape)
    groups = np.zeros(len(life)) if stratum is None else stratum[fit.kept].to_numpy()
    for index in life.groupby(groups).indices.values():
        events, _, first, left = _leaving(life.iloc[index], weights[index])
        ties = np.diff([*first, len(events)])
        means = np.add.reduceat(left[:, 1:] / left[:, :1], first) / ties[:, None]
        residuals[index[events]] = design.to_numpy()[index[events]] - np.repeat(means, ties, axis=0)
    event = life["event"].to_numpy()
    rank = life["duration"][event].rank().to_numpy()
    rank -= rank.mean()
    trend = rank @ residuals[event] @ fit.variance
    scale = np.diag(fit.variance) * (rank @ rank or 1.0)
    return pd.Series(len(rank) * trend**2 / scale, index=fit.coefficients.index)


def concordance(life: pd.DataFrame, risk: Floats) -> float:
    """Return the share of pairs in which the customer of higher risk left first; NaN without such pairs.

    References
    ----------
    Harrell et al. (1982), JAMA 247:2543–2546.
    """
    try:
        return float(concordance_index(life["duration"], -risk, life["event"]))
    except ZeroDivisionError:  # no pair of customers of whom one is known to have left first
        return np.nan


def calibrated(life: pd.DataFrame, order: Floats, risk: Floats, horizon: float) -> pd.DataFrame:
    """Group customers by ``order`` and compare the mean of their ``risk`` with what happened up to the horizon."""
    churned = int((life["event"] & (life["duration"] <= horizon)).sum())
    groups = min(max(churned // GROUP_CHURNED, 1), 10)
    # customers of equal risk stay together, so there may be fewer groups
    decile = np.unique(np.ceil(pd.Series(order).rank(pct=True) * groups), return_inverse=True)[1] + 1
    rows = []
    for number, own in life.assign(risk=risk).groupby(decile):
        ages, events = np.unique(own["duration"][own["event"] & (own["duration"] <= horizon)], return_counts=True)
        at_risk = sum_at_risk(ages, own, np.ones((len(own), 1)))[:, 0]
        curve = product_limit(at_risk, events)
        if len(ages):
            observed = [1 - curve[end][-1] for end in ("survival", "upper", "lower")]
        else:
            bounds = wilson(0, (own["duration"] >= horizon).sum())
            observed = [0.0, float(bounds.lower), float(bounds.upper)]
        rows.append([number, len(own), own["risk"].mean(), *observed])
    return pd.DataFrame(rows, columns=CALIBRATION)
