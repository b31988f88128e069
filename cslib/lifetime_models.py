"""Parametric models of churn on counts of lifetimes: fit, compare, draw.

Ages are in months. Models reject an age of 0, so lifetimes, which are recorded in whole units (days, or months
for tenures), stand in the middle of their unit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
from lifelines import (
    ExponentialFitter,
    GeneralizedGammaFitter,
    LogLogisticFitter,
    LogNormalFitter,
    PiecewiseExponentialFitter,
    WeibullFitter,
)
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray

from cslib.contract_models import CONTRACT_MODELS, fit_contract, from_lives
from cslib.errors import DataError, ParameterError, counted, did_you_mean
from cslib.likelihood import cumulative, log_likelihoods, scores

__all__ = ["MODELS", "FittedModels", "cumulative_draws", "fit_models", "model_curves"]

Floats = NDArray[np.float64]
# each with where its search starts, given the mean months per churn (the exponential's own answer)
SIMPLE: Final[dict[str, tuple[Callable[[], Any], Callable[[float], list[float]]]]] = {
    "Exponential": (ExponentialFitter, lambda mean: [mean]),
    "Weibull": (WeibullFitter, lambda mean: [mean, 1.0]),
    "Log-normal": (LogNormalFitter, lambda mean: [float(np.log(mean)), 1.0]),
    "Log-logistic": (LogLogisticFitter, lambda mean: [mean, 1.0]),
}
GAMMA: Final = "Generalised gamma"
PIECEWISE: Final = "Piecewise exponential"
MODELS: Final = (*SIMPLE, GAMMA, PIECEWISE)
# a hair later, because lifelines halves the slope for a lifetime that ends exactly on a breakpoint
BREAKPOINTS: Final = tuple(month * (1 + 1e-9) for month in (1, 3, 6, 12, 24, 36, 48, 60))
ENOUGH: Final = 10  # churns a piece needs
TRAINING_SHARE: Final = 0.6
# lifelines minimises a mean per customer, so its own tolerances are loose where there are many
PRECISE: Final = {"ftol": 1e-12, "gtol": 1e-8}
FLAT: Final = 0.1  # standard errors from the top
NOT_CONVERGED: Final = (
    "The fit did not settle on one answer: the model does not suit these lifetimes, or they are too few."
)
LIFE: Final = ["entry_months", "duration_months", "event_observed"]
TABLE: Final = ["segment", "model", "n_parameters", "log_likelihood", "aic", "holdout_score"]


@dataclass(frozen=True)
class FittedModels:
    """Models fitted to the lifetimes of each segment.

    Attributes
    ----------
    table
        One row per segment and model: ``segment``, ``model``, ``n_parameters``, ``log_likelihood``, ``aic``
        (lower is better), ``holdout_score`` (mean log-likelihood of a later lifetime under the model fitted
        to the first 60 % of ages; higher is better; NaN where it cannot be known) and ``best`` (true for
        the highest holdout score of the segment, or the lowest AIC where there is none).
    left_out
        One row per model that could not be fitted: ``segment``, ``model``, ``reason``.
    fits
        The fitted lifelines objects, and :class:`cslib.contract_models.ContractFit`, by (segment, model). Their ages
        are half a unit late.
    unit_months
        The unit of the lifetimes, in months.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    fits: dict[tuple[str, str], Any]
    unit_months: float


def fit_models(counts: pd.DataFrame, *, unit_months: float) -> FittedModels:
    """Fit models of churn to the lifetimes of every segment: six, and two more of renewals month by month.

    Parameters
    ----------
    counts
        As from :func:`cslib.lifetimes.lifetimes`.
    unit_months
        As from :func:`cslib.lifetimes.unit_months`.

    Returns
    -------
    FittedModels
        Exponential, Weibull, log-normal, log-logistic, generalised gamma and piecewise exponential models; with
        whole-month tenures, which are renewals, also the shifted beta-geometric and the beta-discrete-Weibull
        (:mod:`cslib.contract_models`); and by name those that could not be fitted.

    Raises
    ------
    DataError
        There are no lifetimes.
    ParameterError
        ``unit_months`` is not positive.

    Notes
    -----
    Maximum likelihood with censoring and late entry: each customer contributes log h(d) if it left at age d,
    less H(d) − H(entry). The hazard of the piecewise model is constant between 1, 3, 6, 12, 24, 36, 48
    and 60 months; a breakpoint is used where at least 10 customers left on either side (up to the next one in use).

    The holdout score censors everything beyond 60 % of the segment's largest duration (whole units), fits,
    and scores who was still at risk then: the mean of log h(d) (if it left) − H(d) + H(cut). It is NaN where
    nobody left beyond the cut, or the model cannot be fitted to what came before. The contract models give whole
    months a probability where the others have a density per month, so both can be compared.

    With tenures in whole months the early shape is coarse, which can change what fits best (and leave the
    generalised gamma without an answer, where many leave in the first month); days do not have that.

    References
    ----------
    Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, 2nd ed., ch. 2 and 3;
    Cox, Chu, Schneider & Muñoz (2007), Statistics in Medicine 26:4352–4374 (generalised gamma).

    Examples
    --------
    40 customers left at ages 2 to 5 after 160 months in all (each counted to the middle of its month).

    >>> counts = pd.DataFrame({"segment": "All", "entry_months": 0.0, "duration_months": [2.0, 3.0, 4.0, 5.0],
    ...                        "event_observed": True, "churn_kind": "", "n": 10})
    >>> models = fit_models(counts, unit_months=1.0)
    >>> float(models.fits["All", "Exponential"].lambda_.round(6))
    4.0
    """
    if unit_months <= 0:
        msg = f"unit_months is {unit_months!r}. Take it from lifetimes.unit_months."
        raise ParameterError(msg)
    if counts.empty:
        msg = "There are no lifetimes to fit a model to. Supply customers."
        raise DataError(msg)
    fits, rows, left_out = {}, [], []
    names = (*MODELS, *CONTRACT_MODELS * (unit_months >= 1))
    for name, own in counts.groupby("segment", sort=False):
        segment, lives = str(name), _collapsed(own, unit_months / 2)
        early, late = _split(lives, unit_months)
        fitted, reasons = _fit_all(lives, names)
        trained = _fit_all(early, names)[0] if late["event_observed"].any() else {}
        left_out += [(segment, model, reason) for model, reason in reasons.items()]
        for model, fitter in fitted.items():
            fits[segment, model] = fitter
            size, score = len(fitter._fitted_parameters_), _score(trained.get(model), late)
            rows.append((segment, model, size, float(fitter.log_likelihood_), float(fitter.AIC_), score))
    table = pd.DataFrame(rows, columns=TABLE)
    missing = pd.DataFrame(left_out, columns=["segment", "model", "reason"])
    return FittedModels(table.assign(best=_best(table)), missing, fits, unit_months)


def _best(table: pd.DataFrame) -> NDArray[np.bool_]:
    ranked = table.sort_values(["holdout_score", "aic"], ascending=[False, True], na_position="last")
    return table.index.isin(ranked.drop_duplicates("segment").index)


def _collapsed(counts: pd.DataFrame, shift: float) -> pd.DataFrame:
    """Count lifetimes however they ended, with ages moved by a shift; who was there from the start stays there."""
    rows = counts.groupby(LIFE, as_index=False)["n"].sum()
    return rows.assign(
        duration_months=rows["duration_months"] + shift,
        entry_months=rows["entry_months"] + shift * (rows["entry_months"] > 0),
    )


def _split(lives: pd.DataFrame, unit: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lifetimes as known up to the cut, and the rest of those that lasted longer."""
    entry, duration = lives["entry_months"], lives["duration_months"]
    # between two units: no recorded age lies on it
    cut = unit * np.floor(TRAINING_SHARE * (duration.max() - unit / 2) / unit)
    known = lives.assign(
        duration_months=duration.clip(upper=cut), event_observed=lives["event_observed"] & (duration <= cut)
    )
    later = lives.assign(entry_months=entry.clip(lower=cut))
    return _collapsed(known[entry < cut], 0.0), later[duration > cut]


def _score(fitter: Any, late: pd.DataFrame) -> float:
    """Mean log-likelihood of lifetimes, given that they lasted until their entry; NaN without a model."""
    if fitter is None:
        return np.nan
    return float(np.average(log_likelihoods(fitter, fitter._fitted_parameters_, late), weights=late["n"]))


def cumulative_draws(fitter: Any, parameters: Floats, ages: Floats) -> Floats:
    """Cumulative hazard of a model at ages (k,) for many parameter vectors (m, p): shape (m, k)."""
    if isinstance(fitter, PiecewiseExponentialFitter):
        pieces = np.where(np.eye(parameters.shape[1], dtype=bool), 1.0, np.inf)
        return np.asarray((1 / parameters) @ np.array([cumulative(fitter, piece, ages) for piece in pieces]))
    if isinstance(fitter, GeneralizedGammaFitter):  # which branches on the sign of a parameter
        return np.array([cumulative(fitter, row, ages) for row in parameters])
    return np.asarray(fitter._cumulative_hazard([column[:, None] for column in parameters.T], ages))


def _fit_all(lives: pd.DataFrame, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Fit every model: those that could be fitted, and the reasons of the others."""
    fitted: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for model in names:
        try:
            if model in CONTRACT_MODELS:
                fitted[model] = fit_contract(from_lives(lives), model=model)
            else:
                fitted[model] = _fit_gamma(lives, fitted) if model == GAMMA else _fit(lives, model)
        except DataError as error:
            reasons[model] = str(error)
    return fitted, reasons


def _fit(lives: pd.DataFrame, model: str) -> Any:
    """Fit one model, other than the generalised gamma, to lifetimes in months as they stand."""
    if model == PIECEWISE:
        _check(lives, 1)
        breakpoints = _breakpoints(lives)
        return _search(_close(PiecewiseExponentialFitter(breakpoints)), lives, _months_per_churn(lives, breakpoints))
    fitter, start = SIMPLE[model]
    _check(lives, len(start(1.0)))
    begin = start(_months_per_churn(lives, [])[0])
    if model != "Log-normal":  # whose second search may stop short of the best
        try:
            return _search(_close(fitter()), lives, begin)
        except DataError:
            pass
    return _search(fitter(), lives, begin)


def _check(lives: pd.DataFrame, needed: int) -> None:
    """Refuse lifetimes with fewer different ages at churn than the model has parameters."""
    n_ages = lives.loc[lives["event_observed"], "duration_months"].nunique()
    msg = f"Customers left at only {counted(n_ages, 'different age')}; this model needs at least {needed}."
    if not n_ages:
        msg = "No customer left, so there is no churn to model."
    elif len(lives) == 1:  # which lifelines cannot read, either
        msg = "All customers left at the same age, which shows no shape of churn."
    elif n_ages >= needed:
        return
    raise DataError(msg)


def _fit_gamma(lives: pd.DataFrame, fitted: dict[str, Any]) -> Any:
    """Fit the generalised gamma from its special cases, whose likelihood it must reach."""
    _check(lives, 3)
    starts: dict[str, Callable[[float, float], list[float]]] = {
        "Weibull": lambda scale, shape: [float(np.log(scale)), -float(np.log(shape)), 1.0],
        "Log-normal": lambda mean, deviation: [mean, float(np.log(deviation)), 0.3],  # 0 would be divided by
    }
    nested = {model: fitted[model] for model in starts if model in fitted}
    reason = NOT_CONVERGED
    for model, special in nested.items():
        try:
            fitter = _search(_close(GeneralizedGammaFitter()), lives, starts[model](*special._fitted_parameters_))
        except DataError:
            continue
        if fitter.log_likelihood_ > max(each.log_likelihood_ for each in nested.values()) - 0.01:
            return fitter
        reason = "The search stopped short: simpler models that it contains fit better."
    raise DataError(reason)


def _search(fitter: Any, lives: pd.DataFrame, start: Sequence[float]) -> Any:
    """Maximise the likelihood from a starting point; what lifelines would warn of is an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)  # the kind of all of lifelines' own
            fitter.fit(
                lives["duration_months"],
                lives["event_observed"],
                entry=lives["entry_months"],
                weights=lives["n"],
                timeline=[lives["duration_months"].mean()],
                initial_point=np.asarray(start, float),
                fit_options=PRECISE,
            )
    except (ConvergenceError, np.linalg.LinAlgError, RuntimeWarning) as error:
        raise DataError(NOT_CONVERGED) from error
    if not np.isfinite([fitter.log_likelihood_, *np.ravel(fitter.variance_matrix_)]).all() or not _settled(
        fitter, lives
    ):
        raise DataError(NOT_CONVERGED)
    return fitter


def _settled(fitter: Any, lives: pd.DataFrame) -> bool:
    """Tell whether the likelihood is flat where the search ended, against how sure it is of each parameter."""
    slopes = lives["n"].to_numpy(float) @ scores(fitter, lives)
    return bool((np.abs(slopes) * np.sqrt(np.diag(np.asarray(fitter.variance_matrix_))) < FLAT).all())


def _close(fitter: Any) -> Any:
    """Let the first of lifelines' two searches stop at once: the slow one, not needed where the start is close."""
    searches = iter([True])

    def stop(_: Any) -> None:
        if next(searches, False):
            raise StopIteration

    fitter._scipy_fit_callback = stop
    return fitter


def _breakpoints(lives: pd.DataFrame) -> list[float]:
    """Breakpoints with enough churns before (since the last one in use) and after."""
    left = lives[lives["event_observed"]]
    used: list[float] = []
    for point in BREAKPOINTS:
        before = left["duration_months"] <= point
        since = before & (left["duration_months"] > max(used, default=0.0))
        if left.loc[since, "n"].sum() >= ENOUGH and left.loc[~before, "n"].sum() >= ENOUGH:
            used.append(point)
    if not used:
        msg = f"Fewer than {ENOUGH} customers left on one side of every change point (1 month to 60)."
        raise DataError(msg)
    return used


def _months_per_churn(lives: pd.DataFrame, breakpoints: list[float]) -> list[float]:
    """Months lived per churn in each piece: the piecewise exponential's exact answer."""
    entry, duration, n = (lives[c].to_numpy(float) for c in ("entry_months", "duration_months", "n"))
    pieces = list(pairwise([0.0, *breakpoints, np.inf]))
    lived = [n @ (duration.clip(low, high) - entry.clip(low, high)) for low, high in pieces]
    left = [n @ (lives["event_observed"] & (duration > low) & (duration <= high)) for low, high in pieces]
    return [float(months / churned) for months, churned in zip(lived, left, strict=True)]


def model_curves(models: FittedModels, *, months: Sequence[float], segment: str = "All") -> pd.DataFrame:
    """Survival by each fitted model, to lay over the Kaplan–Meier curve.

    Parameters
    ----------
    models
        As from :func:`fit_models`.
    months
        Ages, in months, from 0.
    segment
        Of which customers.

    Returns
    -------
    pandas.DataFrame
        One row per model and age: ``model``, ``duration_months``, ``survival`` (0–1). Empty where no model
        could be fitted to the segment.

    Raises
    ------
    ParameterError
        There is no such segment.

    Notes
    -----
    The value at age t is S(t + ½ unit), where the fit has put lifetimes of t. The curve then crosses each
    step of Kaplan–Meier at half its height, and both enclose the same area. Nothing starts at 1 by force:
    who left on the first day is a step at 0 there, too.
    """
    known = pd.concat([models.table["segment"], models.left_out["segment"]]).unique()
    if segment not in known:
        msg = f"segment is {segment!r}, which no model was fitted to. {did_you_mean(segment, known)}"
        raise ParameterError(msg)
    ages, half = np.asarray(months, float), models.unit_months / 2
    curves = [
        {"model": model, "duration_months": age, "survival": survival}
        for (owner, model), fitter in models.fits.items()
        if owner == segment
        for age, survival in zip(
            ages, np.exp(-cumulative(fitter, fitter._fitted_parameters_, ages + half)), strict=True
        )
    ]
    return pd.DataFrame(curves, columns=["model", "duration_months", "survival"])
