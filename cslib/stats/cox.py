"""Cox regression on rows: fit, base risk, check of proportionality. Knows no column of any table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from lifelines.utils import concordance_index
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from cslib.stats.intervals import Floats, product_limit, wilson
from cslib.stats.survival import TIE, TRUSTED

ENDS: Final = ("duration", "entry")
STEPS: Final = 100  # of Newton's method, which takes about five
PRECISION: Final = 1e-13  # of the likelihood, as a share of it: so that a ratio without end grows large
FAR: Final = 0.1  # of the last step: there is no end, or no single one
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
    x, columns = design.to_numpy(dtype=float), list(design)
    none = np.flatnonzero(~x[life["event"].to_numpy(bool)].any(axis=0))
    return [columns[i] for i in none if np.isin(x[:, i], (0.0, 1.0)).all()]


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
    # from their mean and of equal spread, so that a rare value is no numerical matter
    x = design.to_numpy(dtype=float)
    scale = x.std(axis=0)
    strata = np.zeros(len(life)) if stratum is None else stratum[kept].to_numpy()
    ratios, variance, likelihood = _newton((x - x.mean(axis=0)) / scale, life, strata)
    coefficients, variance = pd.Series(ratios / scale, index=design.columns), variance / np.outer(scale, scale)
    size = np.concatenate([np.abs(coefficients), np.sqrt(np.diag(variance))])
    return CoxFit(coefficients, variance, likelihood, bool((size < LIMIT).all()), kept)


def _newton(x: Floats, life: pd.DataFrame, strata: Any) -> tuple[Floats, Floats, float]:
    """Maximise the partial likelihood: log ratios, their variance and its logarithm; NaN where there is no end."""
    parts = [(x[own], _Leaving.of(life.iloc[own])) for own in life.groupby(strata).indices.values()]
    ratios, step, best, unit = np.zeros(x.shape[1]), np.zeros(x.shape[1]), -np.inf, np.eye(x.shape[1])
    for _ in range(STEPS):
        with np.errstate(all="ignore"):
            each = [_slope(ratios + step, *part) for part in parts]
        slope, information, likelihood = (sum(values) for values in zip(*each, strict=True))
        near = PRECISION * abs(likelihood)
        if not likelihood - best >= -near:  # too far, or no number
            step = step / 2
            continue
        gain, best, ratios = likelihood - best, likelihood, ratios + step
        try:
            variance = cho_solve(cho_factor(information), unit)
        except (np.linalg.LinAlgError, ValueError):
            break
        step = variance @ slope
        if gain <= near and np.abs(step).max() < FAR:
            return ratios + step, variance, float(likelihood)
    return np.nan * step, np.nan * unit, np.nan


def _slope(ratios: Floats, x: Floats, leaving: _Leaving) -> tuple[Floats, Floats, float]:
    """Gradient, information and logarithm of the partial likelihood of a stratum."""
    scores = x @ ratios
    scores -= scores.max()
    weights = np.exp(scores)
    left = leaving.at_risk(weights[:, None] * np.column_stack([np.ones(len(x)), x]))
    hazards, means = 1 / left[:, 0], left[:, 1:] / left[:, :1]
    borne = (weights * leaving.borne(hazards))[:, None]
    slope = (x[leaving.events] - means).sum(axis=0)
    return slope, x.T @ (borne * x) - means.T @ means, (scores[leaving.events] + np.log(hazards)).sum()


def scores_of(log_ratios: pd.Series, design: pd.DataFrame) -> Floats:
    """Return each row's hazard against the base, exp(βx)."""
    if log_ratios.empty:
        return np.ones(len(design))
    own = design if log_ratios.index.equals(design.columns) else design[list(log_ratios.index)]
    return np.exp(own.to_numpy() @ log_ratios.to_numpy())


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
    return _summed(len(times), *_passed(times, life), values)


def _passed(times: Floats, life: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count the times up to the end of each row, and up to its entry."""
    until, since = (np.searchsorted(times, life[end].to_numpy(), side="right") for end in ENDS)
    return until, since


def _summed(n: int, until: NDArray[np.intp], since: NDArray[np.intp], values: Floats) -> Floats:
    """Sum values over the rows at risk at each of n times, from the numbers of times up to their ends."""

    def later(steps: NDArray[np.intp]) -> Floats:
        summed = np.stack([np.bincount(steps, v, minlength=n + 1) for v in values.T], axis=1)
        return summed[::-1].cumsum(axis=0)[::-1][1:]

    return later(until) - later(since) if since.any() else later(until)


@dataclass(frozen=True)
class _Leaving:
    """The events of a stratum by age; of d tied ones, at the k-th (k − 1)/d have gone (Efron).

    ``events`` are their rows, ``first`` the first of each age, ``group`` the age of each, ``gone`` the share of tied
    ones that have gone; ``until`` and ``since`` count the ages at which a row is at risk at last, and not yet.
    """

    events: NDArray[np.intp]
    ages: Floats
    first: NDArray[np.intp]
    group: NDArray[np.intp]
    gone: Floats
    until: NDArray[np.intp]
    since: NDArray[np.intp]

    @classmethod
    def of(cls, life: pd.DataFrame) -> _Leaving:
        """Read them of ``entry``, ``duration`` and ``event``."""
        duration = life["duration"].to_numpy()
        events = np.flatnonzero(life["event"])
        events = events[np.argsort(duration[events], kind="stable")]
        ages, first, group, ties = np.unique(
            duration[events], return_index=True, return_inverse=True, return_counts=True
        )
        gone = (np.arange(len(events)) - first[group]) / ties[group]
        return cls(events, ages, first, group, gone, *_passed(ages, life))

    def at_risk(self, values: Floats) -> Floats:
        """Sum values over those at risk as each event happens."""
        tied = np.add.reduceat(values[self.events], self.first)[self.group]
        summed = _summed(len(self.ages), self.until, self.since, values)
        return summed[self.group] - self.gone[:, None] * tied

    def borne(self, hazards: Floats) -> Floats:
        """Sum the hazards of events over those at which each row was at risk."""
        total = np.concatenate([[0.0], np.cumsum(np.add.reduceat(hazards, self.first))])
        result = total[self.until] - total[self.since]
        result[self.events] -= np.add.reduceat(self.gone * hazards, self.first)[self.group]
        return result


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
        leaving = _Leaving.of(own)
        ages, hazards = leaving.ages, 1 / leaving.at_risk(scores[index, None])[:, 0]
        total = np.cumsum(np.add.reduceat(hazards, leaving.first))
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
    found = fit.coefficients
    if unseen := never_left(design, life):
        until, since = (cumulative_hazards(base, stratum, life[end].to_numpy(), tail=np.inf) for end in ENDS)
    for column in unseen:
        own = (design[column] > 0).to_numpy()
        expected = np.nansum(scores_of(found, design[own]) * (until - since)[own])
        found = pd.Series({**dict(found.items()), column: -np.log(max(2 * expected, 1.0))})
    return base, found


def log_ratios(fit: CoxFit, design: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series) -> pd.Series:
    """Give the log ratios of :func:`completed` alone, sooner where somebody left with every value."""
    return completed(fit, design, life, stratum)[1] if never_left(design, life) else fit.coefficients


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
        leaving = _Leaving.of(life.iloc[index])
        left, own = leaving.at_risk(weights[index]), index[leaving.events]
        ties = np.bincount(leaving.group)
        means = np.add.reduceat(left[:, 1:] / left[:, :1], leaving.first) / ties[:, None]
        residuals[own] = design.to_numpy()[own] - means[leaving.group]
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
