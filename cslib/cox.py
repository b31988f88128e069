"""Cox regression on rows: fit, base risk, check of proportionality. Knows no column of any table."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.utils import concordance_index
from numpy.typing import NDArray

__all__ = [
    "CoxFit",
    "breslow",
    "concordance",
    "cumulative_hazard",
    "fit_cox",
    "proportionality",
    "scores_of",
    "sum_at_risk",
]

Floats = NDArray[np.float64]
TRUSTED: Final = 20  # customers at risk at the last age whose risk is believed
PRECISION: Final = {"precision": 1e-11, "r_precision": 1e-13}  # so that a ratio without end grows large
LIMIT: Final = 15.0  # of a log ratio and its error: beyond, nothing was estimated


@dataclass(frozen=True)
class CoxFit:
    """Log hazard ratios of the columns of a design.

    Attributes
    ----------
    coefficients
        By column of the design; NaN where the fit failed.
    variance
        Their covariance matrix.
    log_likelihood
        Partial log-likelihood (Efron).
    sound
        Whether the fit converged to finite values.
    """

    coefficients: pd.Series
    variance: Floats
    log_likelihood: float
    sound: bool

    @property
    def errors(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.sqrt(np.diag(self.variance))


def fit_cox(design: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series | None = None) -> CoxFit:
    """Fit a Cox regression on rows, ties by Efron.

    Parameters
    ----------
    design
        Numeric columns, one row per customer; none constant.
    life
        ``entry`` (-1: from the start), ``duration``, ``event``; same rows.
    stratum
        Groups with a base risk of their own; None for one.

    Returns
    -------
    CoxFit
    """
    if not len(design.columns):
        return CoxFit(pd.Series(dtype=float), np.empty((0, 0)), np.nan, sound=True)
    # of equal spread, so that a rare value is no numerical matter
    scale = design.std(ddof=0).to_numpy()
    frame = pd.DataFrame(design.to_numpy() / scale, columns=[f"x{i}" for i in range(len(scale))], index=life.index)
    frame = frame.assign(duration=life["duration"], event=life["event"])
    late = bool((life["entry"] > 0).any())
    if late:
        frame["entry"] = life["entry"]
    if stratum is not None:
        frame["stratum"] = stratum
    fitter = CoxPHFitter(strata=None if stratum is None else ["stratum"])
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitter.fit(frame, "duration", "event", entry_col="entry" if late else None, fit_options=PRECISION)
    except (ConvergenceError, np.linalg.LinAlgError):
        lost = np.full((len(scale), len(scale)), np.nan)
        return CoxFit(pd.Series(lost[0], index=design.columns), lost, np.nan, sound=False)
    coefficients = pd.Series(fitter.params_.to_numpy() / scale, index=design.columns)
    variance = fitter.variance_matrix_.to_numpy() / np.outer(scale, scale)
    size = np.concatenate([np.abs(coefficients), np.sqrt(np.diag(variance))])
    sound = bool((size < LIMIT).all()) and not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return CoxFit(coefficients, variance, float(fitter.log_likelihood_), sound)


def scores_of(fit: CoxFit, design: pd.DataFrame) -> Floats:
    """Return each row's hazard against the base, exp(βx), from the columns of the fit."""
    columns = list(fit.coefficients.index)
    return np.exp(design[columns].to_numpy() @ fit.coefficients.to_numpy()) if columns else np.ones(len(design))


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


def breslow(life: pd.DataFrame, scores: Floats, stratum: pd.Series) -> pd.DataFrame:
    """Cumulative base risk of each stratum by age; see ``baseline`` of :class:`cslib.drivers.DriverModel`."""
    parts = []
    for name, index in life.groupby(stratum).indices.items():
        own = life.iloc[index]
        last = own["duration"].nlargest(TRUSTED).iloc[-1] if len(own) >= TRUSTED else own["duration"].max()
        ages, events = np.unique(own["duration"][own["event"]], return_counts=True)
        total = np.cumsum(events / sum_at_risk(ages, own, scores[index, None])[:, 0])
        known = np.searchsorted(ages, last, side="right")
        reached = total[known - 1] if known else 0.0
        part = pd.DataFrame({"age": [*ages[:known], last], "cumulative_hazard": [*total[:known], reached]})
        parts.append(part.assign(stratum=str(name)))
    return pd.concat(parts, ignore_index=True)[["stratum", "age", "cumulative_hazard"]]


def cumulative_hazard(baseline: pd.DataFrame, stratum: str, ages: Floats, *, tail: float) -> Floats:
    """Read the base risk of a stratum at any age.

    Parameters
    ----------
    baseline
        As in :class:`cslib.drivers.DriverModel`.
    stratum
        One of its strata.
    ages, tail
        In units. Beyond the last well-observed age the risk goes on at its mean over the last ``tail`` before it.

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
    return total[np.searchsorted(at, ages, side="right")] + slope * np.maximum(ages - last, 0)


def proportionality(fit: CoxFit, design: pd.DataFrame, life: pd.DataFrame) -> pd.Series:
    """Test whether the effect of each column stays the same over age.

    Parameters
    ----------
    fit, design, life
        A fit and what it was fitted on.

    Returns
    -------
    pandas.Series
        By column: chi-squared with one degree of freedom.

    Notes
    -----
    (Σ (g − ḡ)·s)² / (d·Var(β)·Σ (g − ḡ)²) over d events, with g the rank of age and s the scaled Schoenfeld
    residuals under Efron's ties.

    References
    ----------
    Grambsch & Therneau (1994), Biometrika 81:515–526.
    """
    if not len(design.columns):
        return pd.Series(dtype=float)
    x = design.to_numpy()
    weights = scores_of(fit, design)[:, None] * np.column_stack([np.ones(len(x)), x])
    events = np.flatnonzero(life["event"])
    events = events[np.argsort(life["duration"].to_numpy()[events], kind="stable")]
    times, first, group, ties = np.unique(
        life["duration"].to_numpy()[events], return_index=True, return_inverse=True, return_counts=True
    )
    # Efron: of d tied events, the k-th leaves with k/d of them gone
    share = (np.arange(len(events)) - first[group]) / ties[group]
    tied = np.add.reduceat(weights[events], first)[group]
    left = sum_at_risk(times, life, weights)[group] - share[:, None] * tied
    means = np.add.reduceat(left[:, 1:] / left[:, :1], first) / ties[:, None]
    rank = np.arange(len(events)) - (len(events) - 1) / 2
    trend = rank @ (x[events] - means[group]) @ fit.variance
    return pd.Series(len(events) * trend**2 / (np.diag(fit.variance) * (rank @ rank)), index=design.columns)


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
