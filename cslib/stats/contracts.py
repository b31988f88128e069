"""Models of renewal: customers differ in how likely they are to renew, and each of them decides every period anew.

The shifted beta-geometric (sBG) and the beta-discrete-Weibull (BdW) model, by maximum likelihood on counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import gammaln

from cslib.errors import DataError, check_choice, counted
from cslib.stats.intervals import Floats

SBG: Final = "Shifted beta-geometric"
BDW: Final = "Beta-discrete-Weibull"
CONTRACT_MODELS: Final = (SBG, BDW)
LIMITS: Final = (12.0, 12.0, 2.5)  # of the logarithms of α, β and c
MARGIN: Final = 0.5
LOOSE: Final = 3.0  # standard error of a logarithm from which on there is no answer
FAR: Final = 20.0  # from which on the logarithm of the gamma function is a series to the last digit
STEP: Final = 2e-4  # of differences, in the logarithm of a parameter
LONGEST: Final = 2.0  # move of the search, in the same
STRIDES: Final = 0.5 ** np.arange(-1, 20)[:, None]  # of which the search takes the best
ROUNDS: Final = 200
NOT_SETTLED: Final = (
    "The fit did not settle on one answer: as far as these renewals tell, customers do not differ, or the model does "
    "not suit them."
)
FUZZ: Final = 1e-9
TINY: Final = 1e-300


def _rise(z: Floats, a: Floats) -> Floats:
    """Compute log Γ(z + a) − log Γ(z): where z is large by Stirling's series, whose differences keep their digits."""
    far = np.maximum(z, FAR)
    series = (far - 0.5) * np.log1p(a / far) + a * (np.log(far + a) - 1) + _remainder(far + a) - _remainder(far)
    return np.where(z >= FAR, series, gammaln(np.minimum(z, FAR) + a) - gammaln(np.minimum(z, FAR)))


def _remainder(z: Floats) -> Floats:
    """Compute what Stirling's formula leaves of log Γ(z) (Abramowitz & Stegun 6.1.41)."""
    return np.asarray((1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * z**2)) / z**2) / z**2) / z)


def _lost(z: Floats, alpha: Floats, d: Floats) -> Floats:
    """Compute log S as it falls by d from where β + t^c is z: log B(α, z) − log B(α, z + d)."""
    # α and d may change places: the smaller one loses fewer digits
    small, large = np.minimum(alpha, d), np.maximum(alpha, d)
    return np.asarray(_rise(z + large, small) - _rise(z, small))


def _log_survival(logs: Floats, periods: Floats) -> Floats:
    """Compute log S(t) = log B(α, β + t^c) − log B(α, β); parameters (draws, 1) and periods (k,) broadcast."""
    alpha, beta, c = _parameters(logs)
    return -_lost(beta, alpha, periods**c)


def _log_odds(logs: Floats, periods: Floats) -> Floats:
    """Compute log P(T = t) − log S(t), for t from 1."""
    alpha, beta, c = _parameters(logs)
    before = (periods - 1) ** c
    lost = _lost(beta + before, alpha, periods**c - before)
    return np.asarray(lost + np.log(-np.expm1(-np.maximum(lost, TINY))))


def _parameters(logs: Floats) -> tuple[Floats, Floats, Floats]:
    alpha, beta, *shape = (np.exp(np.clip(log, -limit, limit)) for log, limit in zip(logs, LIMITS, strict=False))
    return alpha, beta, shape[0] if shape else np.ones_like(alpha)


@dataclass(frozen=True)
class ContractFit:
    """A contract model fitted to renewals. It can stand where a fitted lifelines model stands.

    Attributes
    ----------
    model
        One of ``CONTRACT_MODELS``.
    log_likelihood_, AIC_
        At the estimate.
    _fitted_parameters_
        Logarithms of α, β (and c).
    variance_matrix_
        Of these logarithms: the inverse of the observed information.
    """

    model: str
    log_likelihood_: float
    AIC_: float
    _fitted_parameters_: Floats
    variance_matrix_: Floats

    @property
    def parameters(self) -> Floats:
        """Parameters α and β of the beta distribution of the chance not to renew, and c.

        With c below 1 each customer's chance to leave falls with age, above 1 it grows; it is 1 for sBG.
        """
        return np.array(_parameters(self._fitted_parameters_))

    def survival(self, periods: Floats) -> Floats:
        """Share still here after so many periods."""
        return np.asarray(np.exp(_log_survival(self._fitted_parameters_, np.asarray(periods, float))))

    def _cumulative_hazard(self, logs: Floats, ages: Floats) -> Floats:
        """Compute −log S(t) at ages t + ½, where models of lifetimes in whole months stand."""
        return -_log_survival(logs, _periods(ages))

    def _log_hazard(self, logs: Floats, ages: Floats) -> Floats:
        """Compute log P(T = t) − log S(t) at ages t + ½."""
        return _log_odds(logs, np.maximum(_periods(ages), 1.0))


def _periods(ages: Floats) -> Floats:
    return np.maximum(np.floor(np.asarray(ages, float) - 0.5 + FUZZ), 0.0)


def renewals(counts: pd.DataFrame) -> pd.DataFrame:
    """Count lifetimes in whole months, as periods of renewal.

    Parameters
    ----------
    counts
        As from :func:`cslib.data.lifetimes.lifetimes`.

    Returns
    -------
    pandas.DataFrame
        The same rows: ``segment``, ``entry_index`` (periods before the customer came under observation),
        ``period_index`` (in which it was lost, from 1; or that it has survived), ``event_observed``, ``n``.

    Notes
    -----
    A customer who left after d periods was lost in period ⌈d⌉. One still here has survived d rounded to whole
    periods, as on average half a period has passed since the last renewal and half of it is observed exposure.

    Examples
    --------
    >>> counts = pd.DataFrame({"segment": "All", "entry_months": 0.0, "duration_months": [2.2, 2.2, 2.7],
    ...                        "event_observed": [True, False, False], "n": 5})
    >>> renewals(counts)["period_index"].tolist()
    [3, 2, 3]
    """
    entry, duration = (counts[c].to_numpy(float) for c in ("entry_months", "duration_months"))
    left = counts["event_observed"].to_numpy(bool)
    index = np.where(left, np.maximum(np.ceil(duration - FUZZ), 1), np.floor(duration + 0.5 + FUZZ)).astype("int64")
    begun = np.minimum(np.floor(entry + 0.5 + FUZZ).astype("int64"), index - left)
    return counts[["segment"]].assign(entry_index=begun, period_index=index, event_observed=left, n=counts["n"])


def as_lives(rows: pd.DataFrame) -> pd.DataFrame:
    """Set renewals to the ages of a model of lifetimes: the middle of a month."""
    entry, duration = rows["entry_index"], rows["period_index"]
    own = rows[["event_observed", "n"]]
    return own.assign(entry_months=entry + 0.5 * (entry > 0), duration_months=duration + 0.5)


def from_lives(lives: pd.DataFrame) -> pd.DataFrame:
    """Set lifetimes at the ages of a model back to renewals: the opposite of :func:`as_lives`."""
    periods = _periods(lives[["entry_months", "duration_months"]].to_numpy()).astype(int)
    return pd.DataFrame(periods, lives.index, ["entry_index", "period_index"]).join(lives[["event_observed", "n"]])


def fit_contract(rows: pd.DataFrame, *, model: str = SBG) -> ContractFit:
    """Fit a contract model to the renewals of one segment: one cohort, or many of different ages together.

    Parameters
    ----------
    rows
        As from :func:`renewals`: ``period_index``, ``event_observed``, ``n``, and ``entry_index`` where customers
        came under observation late.
    model
        ``Shifted beta-geometric`` or ``Beta-discrete-Weibull``.

    Returns
    -------
    ContractFit

    Raises
    ------
    DataError
        Too few different periods in which customers were lost, one of them before the first, or the likelihood has
        no highest point, as where customers do not differ (α and β then run away together).
    ParameterError
        There is no such model.

    Notes
    -----
    S(t) = B(α, β + t^c) / B(α, β), with c = 1 for sBG. A lost customer contributes log(S(t − 1) − S(t)), one still
    here log S(t), less log S(entry). No answer is one with α or β beyond e^±11.5, c beyond e^±2, or a standard error
    above 3 in some direction of their logarithms: what the data then tell is that the likelihood hardly changes there.

    References
    ----------
    Fader & Hardie (2007), Journal of Interactive Marketing 21(1):76–90; Fader, Hardie, Liu, Davin & Steenburgh
    (2018), Journal of Interactive Marketing 43:1–16.

    Examples
    --------
    Fader & Hardie (2007), "High End": 1,000 customers, of whom 869, 743, 653, 593, 551, 517 and 491 are left after
    each of seven years.

    >>> left = [131, 126, 90, 60, 42, 34, 26]
    >>> rows = pd.DataFrame({"period_index": [*range(1, 8), 7], "event_observed": [True] * 7 + [False],
    ...                      "n": [*left, 491]})
    >>> fit = fit_contract(rows)
    >>> fit.parameters.round(3).tolist(), round(float(fit.survival(12)), 3)
    ([0.668, 3.806, 1.0], 0.378)
    """
    check_choice("model", model, CONTRACT_MODELS)
    known = rows[rows["n"] > 0].assign(entry_index=rows.get("entry_index", 0))
    known = known.groupby(["entry_index", "period_index", "event_observed"])["n"].sum().reset_index()
    size = 2 + (model == BDW)
    lost = known.loc[known["event_observed"], "period_index"]
    msg = "Customers left at age 0, before a first period that this model could count from."
    DataError.when(len(lost) and lost.min() < 1, msg)
    refuse_few(lost.nunique(), size, "in only", "different period")
    told = _Told.of(known)
    # customers as different as can be, and as sBG says
    starts = [np.zeros(size)] + [np.append(_highest(told, np.zeros(2)), 0.0)] * (model == BDW)
    found = max((_highest(told, start) for start in starts), key=lambda logs: _heights(told, logs[None])[0])
    height, information = float(_heights(told, found[None])[0]), -_bends(told, found)[1]
    inside = (np.abs(found) < np.array(LIMITS[:size]) - MARGIN).all()
    if not inside or np.linalg.eigvalsh(information)[0] < LOOSE**-2:
        raise DataError(NOT_SETTLED)
    return ContractFit(model, height, 2 * size - 2 * height, found, np.asarray(np.linalg.inv(information)))


def refuse_few(n_times: int, needed: int, only: str, time: str) -> None:
    """Refuse to fit a model where customers left at fewer different times than it has parameters."""
    if n_times < needed:
        few = f"Customers left {only} {counted(n_times, time)}; this model needs at least {needed}."
        raise DataError(few if n_times else "No customer left, so there is no churn to model.")


@dataclass(frozen=True)
class _Told:
    """What renewals tell of a model: how many survived so many periods, and were lost in which, of different ones."""

    periods: Floats
    survived: Floats  # less those who had before they came under observation
    lost_in: Floats
    lost: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Told:
        """Count them."""
        left = rows["event_observed"].to_numpy(bool)
        n, t, entry = (rows[c].to_numpy(float) for c in ("n", "period_index", "entry_index"))
        periods, where = np.unique(np.append(t, entry), return_inverse=True)
        lost_in, when = np.unique(t[left], return_inverse=True)
        survived, lost = (np.bincount(*sums).astype(float) for sums in ((where, np.append(n, -n)), (when, n[left])))
        return cls(periods[periods > 0], survived[periods > 0], lost_in, lost)  # everybody survives none


def _heights(told: _Told, logs: Floats) -> Floats:
    """Log-likelihood of renewals at each of m points, shape (m, parameters)."""
    points = logs.T[:, :, None]
    lived = _log_survival(points, told.periods) @ told.survived
    return np.asarray(lived + _log_odds(points, told.lost_in) @ told.lost)


def _bends(told: _Told, at: Floats) -> tuple[Floats, Floats]:
    """Slope and curvature of the log-likelihood at a point, by differences."""
    steps = STEP * np.eye(len(at))
    ends = np.array([[a + b, a - b, b - a, -a - b] for a in steps for b in steps]) + at
    heights = _heights(told, ends.reshape(-1, len(at))).reshape(len(at), len(at), 4)
    # a + a is a step of two
    slope = (np.diagonal(heights[:, :, 0]) - np.diagonal(heights[:, :, 3])) / (4 * STEP)
    return slope, heights @ [1, -1, -1, 1] / (4 * STEP**2)


def _highest(told: _Told, start: Floats) -> Floats:
    """Climb to the parameters of greatest likelihood by Newton's method."""
    at, limits = start, np.array(LIMITS[: len(start)])
    height = _heights(told, at[None])[0]
    for _ in range(ROUNDS):
        slope, curvature = _bends(told, at)
        sizes, axes = np.linalg.eigh(curvature)
        step = axes @ (axes.T @ slope / np.maximum(np.abs(sizes), TINY))
        step *= LONGEST / max(LONGEST, np.abs(step).max())
        tries = np.clip(at + STRIDES * step, -limits, limits)
        heights = _heights(told, tries)
        if not heights.max() > height:
            break
        at, height = tries[heights.argmax()], heights.max()
    return np.asarray(at)
