"""Which KPIs are an alarm, off their target or their usual range: false ones are bounded over all KPIs together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from cslib.data.kpi import Kpi
from cslib.scorecard.history import WHOLE
from cslib.scorecard.scorecard import (
    YEAR,
    aimed,
    decided,
    earlier,
    errors_of,
    has_value,
    margin_between,
    periods_before,
    reach_of,
)
from cslib.stats.intervals import holm, z_value
from cslib.stats.limits import UNKNOWN, control_limits, surprise

RATE: Final = 0.05  # of the runs in which nothing changes, at most so many raise an alarm
TARGET, RANGE = "target", "range"  # what a KPI is compared with
MOVED: Final = ("higher", "lower")


def comparisons(table: pd.DataFrame, history: pd.DataFrame, kpis: Mapping[str, Kpi]) -> pd.DataFrame:
    """Compare every KPI of a scorecard with its target and with its past.

    Parameters
    ----------
    table
        As from :func:`cslib.scorecard.scorecard.scorecard`.
    history
        As in :class:`cslib.scorecard.history.Measured`.
    kpis
        As from :func:`cslib.scorecard.catalogue.catalogue`.

    Returns
    -------
    pandas.DataFrame
        One row per comparison: ``kpi``, ``what`` (``target`` or ``range``), ``said`` (whether the scorecard says that
        the target is missed, or that the KPI moved by more than noise) and ``p``, how often chance alone would take it
        so far: missing where there is no chance in it, because a counted KPI has missed its target.

    Notes
    -----
    Of a target: one-sided, by how many times its distance from the value spans the interval's half on that side; twice
    that where the last 12 months are looked at, too, as either look can be false.

    Of a usual range: the larger of :func:`cslib.stats.limits.surprise` and the same of the interval and the middle of
    the range, two-sided; the first knows how much a KPI moves, the second how few customers it rests on. Without
    limits, of the difference from the year before, or else from the period before, as the scorecard takes them. Where a
    season cannot be told yet, the difference from the year before, if it is known, must be as unlikely, too.
    """
    whole = {kpi: own for kpi, own in history[history["segment"] == WHOLE].groupby("kpi")}
    known = table[has_value(table) & table["kpi"].isin(whole) & table["kpi"].isin(kpis)]
    rows = [row for _, now in known.iterrows() for row in _of_one(now, whole[now["kpi"]], kpis[now["kpi"]])]
    return pd.DataFrame(rows, columns=["kpi", "what", "said", "p"])


def _of_one(now: pd.Series[Any], own: pd.DataFrame, kpi: Kpi) -> Iterator[tuple[str, str, bool, float]]:
    if pd.notna(now["target"]):
        yield kpi.id, TARGET, now["status"] == "missed", np.nan if kpi.exact else _off_target(now)
    if now["change"] in (*MOVED, "noise"):
        yield kpi.id, RANGE, now["change"] in MOVED, _off_range(now, own, kpi)


def alarms(compared: pd.DataFrame, *, rate: float = RATE) -> pd.Series[bool]:
    """Choose the comparisons that are an alarm, so that few runs raise a false one.

    Parameters
    ----------
    compared
        As from :func:`comparisons`, of one scorecard or of several together.
    rate
        Share of the runs that may raise any alarm where nothing changes.

    Returns
    -------
    pandas.Series of bool
        Of each row: the scorecard says so, and its ``p``, adjusted for their number, is at most the rate.

    Notes
    -----
    Half of the rate is for targets, which are few and chosen, and half for usual ranges; all of it for one of them
    where the other is not there. Within each the adjustment is Holm's, which holds however KPIs hang together, and the
    halves add up. KPIs that say the same count each: that makes alarms rarer, and not more frequent.

    Simulated with 17 KPIs and four targets that are just reached, 300 businesses each of 60 and 300 customers and 150
    of 3,000, without a season and with two: 0 to 4 % of the runs raised an alarm, where the scorecard by itself says
    something in 19 to 33 %. Churn that doubles in one month was found in 8 to 33, 53 to 90 and 100 %.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65–70.

    Examples
    --------
    Three ranges: 0.003 · 3 and 0.02 · 2 are at most 0.05, and with a target beside them 0.04 is above 0.025:

    >>> ranges = pd.DataFrame({"kpi": ["a", "b", "c"], "what": "range", "said": True, "p": [0.003, 0.02, 0.2]})
    >>> alarms(ranges).tolist()
    [True, True, False]
    >>> alarms(pd.concat([ranges, ranges.head(1).assign(what="target")])).tolist()
    [True, False, False, True]
    """
    n_kinds = compared.loc[compared["p"].notna(), "what"].nunique()
    adjusted = compared.groupby("what")["p"].transform(holm) * n_kinds
    return compared["said"].astype(bool) & ~(adjusted > rate)


def _off_target(now: pd.Series[Any]) -> float:
    """Tell how often a KPI that just reaches its target would be seen as far on its wrong side."""
    value, low, high = decided(now)
    target = aimed(now)
    least, most = target.low, target.high
    if not (value < least or value > most):
        return 1.0
    seen = _beyond(least - value, high - value) if value < least else _beyond(value - most, value - low)
    return min(1.0, seen)


def _beyond(apart: float, half: float) -> float:
    """Give the share of a normal distribution beyond a distance, of which the 95 % interval spans a half."""
    if not np.isfinite(half):
        return 1.0
    return float(norm.sf(z_value(0.95) * apart / half)) if half > 0 else 0.0


def _off_range(now: pd.Series[Any], own: pd.DataFrame, kpi: Kpi) -> float:
    """Tell how often a KPI that does not move would be seen as far from its middle, or from its value before."""
    past, per_year = periods_before(own, now, kpi.months), YEAR // kpi.months
    how: Any = {"error": errors_of(past, now), "grows": kpi.grows, "per_year": per_year}
    limits = control_limits(past["value"], **how)
    if np.isnan(limits.lower):
        return _off_before(now, past, per_year)
    value, middle = now["value"], (limits.lower + limits.upper) / 2
    low, high = reach_of(now, kpi)
    by_few = 2 * _beyond(abs(value - middle), value - low if value > middle else high - value)
    found = max(surprise(value, past["value"], **how), by_few)
    may_be_season = now["season"] == UNKNOWN and not kpi.grows and pd.notna(past["value"].get(per_year))
    return max(found, _off_before(now, past, per_year)) if may_be_season else found


def _off_before(now: pd.Series[Any], past: pd.DataFrame, per_year: int) -> float:
    then = earlier(past, per_year).iloc[0]
    return 2 * _beyond(abs(now["value"] - then["value"]), margin_between(now, then))
