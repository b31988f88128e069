"""Competing ways to leave: the share of customers lost to each kind of churn by an age, from counts of lifetimes."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from cslib.intervals import Floats, Interval, wilson, z_value
from cslib.survival import life_table, supported

__all__ = ["cumulative_incidence"]

COLUMNS: Final = [
    *("segment", "churn_kind", "duration_months", "n_at_risk", "n_events"),
    *("incidence", "ci_lower", "ci_upper"),
]
COMPLETE: Final = 1 - 1e-12  # a sum that should be 1 may end this close to it


def cumulative_incidence(counts: pd.DataFrame, *, confidence_level: float = 0.95) -> pd.DataFrame:
    """Share of customers lost to each kind of churn by each age, given that the other kinds take theirs.

    Parameters
    ----------
    counts
        As from :func:`cslib.lifetimes.lifetimes`.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One row per segment, kind and distinct age (0 included): ``segment``, ``churn_kind`` (the most frequent
        first, the same in every segment), ``duration_months``, ``n_at_risk`` (customers at risk at that age),
        ``n_events`` (of the kind, at that age), ``incidence`` (0–1; missing where survival is,
        see :func:`cslib.survival.supported`), ``ci_lower``, ``ci_upper``. Without rows where no churn has a kind.

    Raises
    ------
    ParameterError
        The confidence level is outside 0 to 1.

    Notes
    -----
    Aalen–Johansen, F_j(t) = Σ S(tᵢ−) · d_ij / nᵢ; over the kinds it adds up to 1 − Kaplan–Meier. The variance is
    the delta method's for events that are multinomial at each age, with D = F_j(t) − F_j(tᵢ):
    Σ D² · dᵢ / (nᵢ(nᵢ − dᵢ)) + S(tᵢ−)² · d_ij(nᵢ − d_ij) / nᵢ³ − 2D · S(tᵢ−) · d_ij / nᵢ².

    Bounds are log(−log) on F. Before the first event of a kind they run from 0 to the Wilson bound of 0 events
    among the fewest customers at risk at any age so far (to 1 where there was an age with nobody); once everybody
    left in one way they are missing. Simulated, 95 % bounds cover 94 to 96.5 % from ten expected events on, and 95 to
    99.5 % with fewer. Among 30 customers it sinks where hardly any is left: 93.5 % at first, 73 % where the
    truth is that 93 % have gone, because bounds are missing once all have.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141–150; Marubini & Valsecchi (1995), Analysing
    Survival Data from Clinical Trials, eq. 10.12; Choudhury (2002), Statistics in Medicine 21:1129–1144.

    Examples
    --------
    Of four customers one leaves by choice at month 1 and one by a failed payment at month 2.

    >>> counts = pd.DataFrame({
    ...     "segment": "All", "entry_months": 0.0, "duration_months": [1.0, 2.0, 3.0], "n": [1, 1, 2],
    ...     "event_observed": [True, True, False], "churn_kind": ["voluntary", "involuntary", ""]})
    >>> table = cumulative_incidence(counts)
    >>> table[table["duration_months"] == 3][["churn_kind", "incidence"]].values.tolist()
    [['involuntary', 0.25], ['voluntary', 0.25]]
    """
    events = counts[counts["event_observed"]].groupby("churn_kind")["n"].sum()
    kinds = list(events.sort_values(ascending=False, kind="stable").index)
    if set(kinds) <= {"not recorded"}:
        return pd.DataFrame(columns=COLUMNS)
    segments = counts.groupby("segment", sort=False)
    return pd.concat([_curves(str(s), own, kinds, confidence_level) for s, own in segments], ignore_index=True)


def _curves(segment: str, own: pd.DataFrame, kinds: list[str], confidence_level: float) -> pd.DataFrame:
    table = life_table(own)
    times, n = table["duration_months"].to_numpy(), table["n_at_risk"].to_numpy(float)[:, None]
    leaving = own.groupby(["duration_months", "churn_kind"])["n"].sum().unstack()
    events = leaving.reindex(index=times, columns=kinds).fillna(0.0).to_numpy()
    incidence, variance = _aalen_johansen(n, events)
    bounds = _bounds(incidence, variance, n, confidence_level)
    estimates = [np.where(supported(table)[:, None], c, np.nan) for c in (incidence, bounds.lower, bounds.upper)]
    counted = [np.broadcast_to(n, events.shape).astype("int64"), events.astype("int64")]
    parts = [
        pd.DataFrame(dict(zip(COLUMNS, [segment, kind, times, *columns], strict=True)))
        for kind, *columns in zip(kinds, *(c.T for c in (*counted, *estimates)), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def _aalen_johansen(n: Floats, events: Floats) -> tuple[Floats, Floats]:
    """Incidence and its variance, shape (ages, kinds), from those at risk (ages, 1) and events (ages, kinds)."""
    some = np.maximum(n, 1.0)  # with nobody at risk nothing happens
    every, q = events.sum(axis=1, keepdims=True), events / some
    survival = np.cumprod(1 - every / some, axis=0)
    before = np.vstack([[[1.0]], survival[:-1]])
    f = np.minimum(np.cumsum(before * q, axis=0), 1.0)
    # where all leave nothing can follow, so that age's term is 0
    g = np.where(some > every, every / (some * np.maximum(some - every, 1.0)), 0.0)
    own, shared = before**2 * q * (1 - q) / some, before * q / some
    spread = f**2 * np.cumsum(g, axis=0) - 2 * f * np.cumsum(f * g, axis=0) + np.cumsum(f**2 * g, axis=0)
    cross = f * np.cumsum(shared, axis=0) - np.cumsum(f * shared, axis=0)
    return f, np.maximum(spread + np.cumsum(own, axis=0) - 2 * cross, 0.0)


def _bounds(f: Floats, variance: Floats, n: Floats, confidence_level: float) -> Interval:
    """Bounds log(−log) on the incidence; before the first event those of no event."""
    none = wilson(0 * n, np.minimum.accumulate(n), confidence_level=confidence_level).upper
    known = np.where((f > 0) & (f < COMPLETE), f, np.nan)
    width = z_value(confidence_level) * np.sqrt(variance) / (known * -np.log(known))
    lower, upper = known ** np.exp(width), known ** np.exp(-width)
    return Interval(np.where(f > 0, lower, 0.0), np.where(f > 0, upper, np.nan_to_num(none, nan=1.0)))
