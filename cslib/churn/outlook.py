"""What is to be expected of today's customers: their forecast, and how it goes with the list of those at risk."""

from __future__ import annotations

from typing import Any, Final

import ibis
import numpy as np
import pandas as pd

from cslib.data.calendar import months_later
from cslib.data.dataset import DataSet
from cslib.data.lifetimes import lifetimes
from cslib.data.lives import ended, lives, settled
from cslib.data.parts import Parts, in_parts
from cslib.stats.models import FittedModels, fit_averaged, forecast

YEAR: Final = 12
APART: Final = 0.01  # shares closer than that are told alike


def forecast_customers(
    data: DataSet, counts: pd.DataFrame, models: FittedModels, *, segment_by: str, split: str, horizon_months: int
) -> pd.DataFrame:
    """Forecast today's customers, all of them and each segment as the sum over the column by which they differ most.

    Parameters
    ----------
    data
        With ``customers``.
    counts, models
        As from :func:`cslib.data.lifetimes.lifetimes` by ``segment_by``, and :func:`cslib.stats.models.fit_models`.
    segment_by
        A column; empty for the whole only.
    split
        The column over which they are summed, as from :func:`cslib.data.parts.split_by`: customers of one age who
        differ in it do not leave alike. Empty: those of a segment are forecast as one.
    horizon_months
        Months ahead.

    Returns
    -------
    pandas.DataFrame
        As from :func:`cslib.stats.models.forecast`.
    """
    when: Any = {"horizon_months": horizon_months, "as_of": settled(data) if data.as_of else None}
    own = forecast(counts, models, **when)
    if not split:
        return own
    summed = _summed(in_parts(data, None, split=split), models.unit_months, **when)
    if segment_by not in ("", split):
        summed |= _summed(in_parts(data, None, split=split, within=segment_by), models.unit_months, **when)
    each = own.groupby("segment", sort=False)
    return pd.concat([summed.get(str(segment), rows) for segment, rows in each] or [own], ignore_index=True)


def _summed(parts: Parts, unit_months: float, **when: Any) -> dict[str, pd.DataFrame]:
    """Forecast every segment that has several parts as their sum."""
    counts, tables = lifetimes(parts.data, segment_by=parts.column), {}
    for segment, names in parts.several.items():
        own = counts[counts["segment"].isin(names)]
        table = forecast(own, fit_averaged(own, unit_months=unit_months), **when)
        tables[segment] = table[table["segment"] == "All"].assign(segment=segment)
    return tables


def outlook(forecast: pd.DataFrame) -> pd.Series[Any] | None:
    """Sum up how many of all of today's customers are expected to leave.

    Parameters
    ----------
    forecast
        As from :func:`forecast_customers`.

    Returns
    -------
    pandas.Series or None
        ``n_active`` (customers today), ``months_ahead`` (within so many), ``lost``, ``ci_lower``, ``ci_upper``
        (expected to leave), ``share_lost`` (of today's, 0–1). None where there is no forecast of the whole.
    """
    rows = forecast[forecast["segment"] == "All"]
    if rows.empty:
        return None
    last = rows.iloc[-1]
    n = int(last["n_active"])
    lost, lower, upper = (float(n - last[c]) for c in ("expected_active", "active_ci_upper", "active_ci_lower"))
    ahead = {"n_active": n, "months_ahead": int(last["months_ahead"]), "lost": lost, "ci_lower": lower}
    return pd.Series(ahead | {"ci_upper": upper, "share_lost": lost / n if n else np.nan}, dtype=object)


def came(then: pd.Series[Any], data: DataSet, past: DataSet) -> pd.Series[Any]:
    """Lay beside a forecast of then how many left.

    Parameters
    ----------
    then
        As from :func:`outlook`, of what was known then.
    data, past
        What is known now, and what was then, from :func:`cslib.data.dataset.rewind`.

    Returns
    -------
    pandas.Series
        ``then`` with ``left`` (of the customers of then, within its months; who has come back has left all the same),
        ``back`` (of these, who are here again at the end of its months), ``error`` (foretold / left − 1; missing where
        nobody left) and ``held`` (its interval holds what came).
    """
    start, stays = settled(past), lives(data)
    until = months_later(start, int(then["months_ahead"]))
    gone, end = ended(data, begun=start, after=start, until=until), ibis.date(until)
    again = stays.filter((stays.started_on <= end) & (stays.churned_on.isnull() | (stays.churned_on > end)))
    left, back = (int(t.count().execute()) for t in (gone, gone.semi_join(again, "customer_id")))
    error = then["lost"] / left - 1 if left else np.nan
    held = round(then["ci_lower"]) <= left <= round(then["ci_upper"])  # as they are told
    return pd.concat([then, pd.Series({"left": left, "back": back, "error": error, "held": held}, dtype=object)])


def believed(now: pd.Series[Any], last: pd.Series[Any] | None) -> pd.Series[Any]:
    """Widen the interval of a forecast to what holds an error as large as the same forecast made when it last could.

    Parameters
    ----------
    now
        As from :func:`outlook`.
    last
        As from :func:`came`; None where there was none.

    Returns
    -------
    pandas.Series
        ``now`` with ``wider`` (whether it was widened) and ``off``, the larger of ``left`` / ``lost`` of then and its
        inverse: to ``lost`` times and over it, up to all customers, where the interval of then did not hold and anybody
        left; else 1. The interval of a model knows chance and not that customers may leave otherwise than they did.
    """
    if last is None or last["held"] or not (last["left"] and last["lost"]):
        return pd.concat([now, pd.Series({"wider": False, "off": 1.0})])
    off = max(last["left"] / last["lost"], last["lost"] / last["left"])
    lower, upper = min(now["ci_lower"], now["lost"] / off), max(now["ci_upper"], now["lost"] * off)
    ends = {"ci_lower": lower, "ci_upper": min(upper, float(now["n_active"]))}
    return pd.Series({**now, **ends, "wider": any(ends[end] != now[end] for end in ends), "off": off}, dtype=object)


def beside_new(
    now: pd.Series[Any] | None, summary: pd.Series[Any], counts: pd.DataFrame, *, first_months: int
) -> pd.Series[Any] | None:
    """Lay the share of today's customers who leave within a year beside that of those who start today.

    Parameters
    ----------
    now
        As from :func:`believed`.
    summary
        Of all, a row of :func:`cslib.stats.survival.survival_summary`.
    counts
        As from :func:`cslib.data.lifetimes.lifetimes`.
    first_months
        In which risk is highest, see :attr:`cslib.churn.stays.Pace.first_months`.

    Returns
    -------
    pandas.Series or None
        ``new`` and ``today`` (shares, 0–1), and ``past``: those first months where most of today's customers are past
        them and fewer of these leave, so that this tells why; else 0. None where one of the shares is not known for 12
        months, or the two are within a point or the interval of today's customers.
    """
    new = 1 - float(summary["survival_12m"])
    if now is None or now["months_ahead"] != YEAR or not abs(new - now["share_lost"]) >= APART:
        return None
    if now["ci_lower"] <= new * now["n_active"] <= now["ci_upper"]:  # it may be the same
        return None
    here = counts[(counts["segment"] == "All") & ~counts["event_observed"].astype(bool)]
    most = here.loc[here["duration_months"] >= first_months, "n"].sum() > here["n"].sum() / 2
    past = first_months if most and now["share_lost"] < new else 0
    return pd.Series({"new": new, "today": now["share_lost"], "past": past}, dtype=object)


def line(forecast: pd.DataFrame, *, off: float = 1.0) -> pd.DataFrame:
    """Lay out the forecast of the whole to be drawn, from today on.

    Parameters
    ----------
    forecast
        As from :func:`forecast_customers`.
    off
        As from :func:`believed`: in each month the interval holds as many times more who leave, and as many times
        fewer.

    Returns
    -------
    pandas.DataFrame
        Today and each month ahead: ``segment``, ``months_ahead``, ``expected_active``, ``ci_lower``, ``ci_upper``.
    """
    names = {"active_ci_lower": "ci_lower", "active_ci_upper": "ci_upper"}
    rows = forecast[forecast["segment"] == "All"].rename(columns=names)
    lost = rows["n_active"] - rows["expected_active"]
    rows["ci_lower"] = np.minimum(rows["ci_lower"], (rows["n_active"] - lost * off).clip(lower=0))
    rows["ci_upper"] = np.maximum(rows["ci_upper"], rows["n_active"] - lost / off)
    estimates = ["expected_active", "ci_lower", "ci_upper"]
    now = rows.head(1).assign(months_ahead=0, **dict.fromkeys(estimates, rows["n_active"]))
    return pd.concat([now, rows], ignore_index=True)[["segment", "months_ahead", *estimates]]
