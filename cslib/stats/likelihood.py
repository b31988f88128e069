"""Likelihoods of fitted models of churn: slopes in their parameters, and the parameters of customers drawn anew.

A fitted model has what lifelines' have: ``_fitted_parameters_``, ``variance_matrix_``, ``_cumulative_hazard`` and
``_log_hazard`` of parameters and ages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.stats.intervals import Floats

EARLIEST: Final = 1e-9  # age, months, that every model takes
FARTHEST: Final = 3.0  # a positive parameter moves by a factor of e³ at most


def cumulative(model: Any, parameters: Floats, ages: Floats) -> Floats:
    """Cumulative hazard H(age) = −log S(age) of a fitted model, with its own or other parameters; any shape."""
    return np.asarray(model._cumulative_hazard(parameters, ages.ravel())).reshape(ages.shape)


def log_likelihoods(model: Any, parameters: Floats, lives: pd.DataFrame) -> Floats:
    """Log-likelihood of each lifetime, given that it lasted until its entry.

    Parameters
    ----------
    model
        Fitted.
    parameters
        Its own or others, shape (p,).
    lives
        ``entry_months``, ``duration_months`` (at the ages of the model), ``event_observed``.

    Returns
    -------
    numpy.ndarray
        Shape (lifetimes,).
    """
    entry, ages = (lives[c].to_numpy(float) for c in ("entry_months", "duration_months"))
    with np.errstate(all="ignore"):
        left = np.where(lives["event_observed"], model._log_hazard(parameters, ages), 0.0)
        before = np.where(entry > 0, cumulative(model, parameters, entry.clip(min=EARLIEST)), 0.0)
        return np.asarray(left - cumulative(model, parameters, ages) + before)


def slopes(model: Any, value: Callable[[Floats], Floats]) -> Floats:
    """Slope in each parameter of what a function makes of them, by differences, shape (parameters, values).

    Missing in a parameter of which the fit knows no standard error, or one of 0.
    """
    own = np.asarray(model._fitted_parameters_, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.diag(1e-3 * np.sqrt(np.diag(np.asarray(model.variance_matrix_))))
        return np.array([(value(own + step) - value(own - step)) / (2 * step.sum()) for step in steps])


def scores(model: Any, lives: pd.DataFrame) -> Floats:
    """Slope of the log-likelihood of each lifetime in each parameter, shape (lifetimes, parameters)."""
    return slopes(model, lambda parameters: log_likelihoods(model, parameters, lives)).T


def moved_parameters(model: Any, scores: Floats, changes: Floats) -> Floats:
    """Move the parameters of a model by one step of Newton's method: as far as customers drawn anew pull them.

    Parameters
    ----------
    model
        Fitted.
    scores
        Mean slopes of groups of customers, shape (groups, p).
    changes
        By how many customers each draw has more or fewer of each group, shape (draws, groups).

    Returns
    -------
    numpy.ndarray
        Shape (draws, p): own + changes · scores · variance; a positive parameter moves by the factor that this is.

    References
    ----------
    Davison & Hinkley (1997), Bootstrap Methods and their Application, sec. 2.7.
    """
    own = np.asarray(model._fitted_parameters_, float)
    steps = changes @ scores @ np.asarray(model.variance_matrix_)
    positive = np.array([low is not None for low, _ in getattr(model, "_bounds", [(None, None)] * len(own))])
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.exp(np.clip(steps / own, -FARTHEST, FARTHEST))
    return np.where(positive, own * factors, own + steps)
