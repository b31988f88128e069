"""Steps of the reduction that every analysis shares: calendar periods, segments, MRR over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.contract import CONTRACT
from cslib.errors import DataError, ParameterError, check_choice, did_you_mean
from cslib.shaping import MOMENT
from cslib.tables import DataSet

__all__ = [
    "PERIODS",
    "current_mrr",
    "first_whole",
    "largest_segments",
    "last_complete",
    "monthly",
    "mrr_steps",
    "ordinal",
    "period_ordinal",
    "period_start",
    "segments",
    "well_observed",
    "with_segment",
]

PERIODS: Final = ("day", "week", "month", "quarter", "year")
HOLDERS: Final = ("customers", "subscriptions", "orders", "usage", "surveys")  # of segment columns
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
EPOCH: Final = date(1970, 1, 1)
MONDAY: Final = date(1969, 12, 29)
MAX_SEGMENTS: Final = 50
MINOR_UNITS: Final = 100
ESTIMATES: Final = ("survival", "hazard", "incidence", "churn_rate", "ci_lower", "ci_upper")
SIZES: Final = ("n_customers", "n_at_risk", "n_start")


def ordinal(day: date, period: str) -> int:
    """Return the number of a day's calendar period; the next period has one more.

    Examples
    --------
    >>> ordinal(date(2025, 3, 31), "month") - ordinal(date(2024, 12, 1), "month")
    3
    >>> ordinal(date(2025, 1, 6), "week") - ordinal(date(2025, 1, 5), "week")
    1
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        return (day.year * 12 + day.month - 1) // MONTHS[period]
    return (day - EPOCH).days if period == "day" else (day - MONDAY).days // 7


def period_start(number: int, period: str) -> date:
    """First day of a numbered period.

    Examples
    --------
    >>> period_start(ordinal(date(2025, 8, 20), "quarter"), "quarter")
    datetime.date(2025, 7, 1)
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        months = number * MONTHS[period]
        return date(months // 12, months % 12 + 1, 1)
    return EPOCH + timedelta(days=number) if period == "day" else MONDAY + timedelta(weeks=number)


def first_whole(day: date, period: str) -> int:
    """Return the number of the first period that begins on a day or later.

    Examples
    --------
    >>> first_whole(date(2025, 6, 2), "month") - first_whole(date(2025, 6, 1), "month")
    1
    """
    return ordinal(day - timedelta(days=1), period) + 1


def last_complete(as_of: date, period: str) -> int:
    """Return the number of the last period of which every day is observed.

    Examples
    --------
    >>> last_complete(date(2025, 6, 30), "month") - last_complete(date(2025, 6, 29), "month")
    1
    """
    return ordinal(as_of + timedelta(days=1), period) - 1


def monthly(moved: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the whole, and refuse a table that is not by month.

    Raises
    ------
    ParameterError
        Its periods are not months one after the other.
    """
    whole = moved[moved["segment"] == "All"]
    if (whole["month"].dt.to_period("M").astype("int64").diff().dropna() != 1).any():
        msg = "The movements are not by month, which is what costs and conventions are counted by. Set period='month'."
        raise ParameterError(msg)
    return whole


def period_ordinal(day: ir.DateValue, period: str) -> ir.IntegerValue:
    """Compute :func:`ordinal` in the engine, on any engine.

    Parameters
    ----------
    day
        Dates, not before 1900.
    period
        ``day``, ``week`` (Monday to Sunday), ``month``, ``quarter`` or ``year``.

    Returns
    -------
    ibis.expr.types.IntegerValue
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        months = day.year().cast("int64") * 12 + day.month().cast("int64") - 1
        return months if period == "month" else (months // MONTHS[period]).cast("int64")
    if period == "day":
        return day.delta(ibis.date(EPOCH), unit="day").cast("int64")
    shift = 10_000  # keeps the division on positive numbers: engines differ on negative ones
    days = day.delta(ibis.date(MONDAY), unit="day").cast("int64")
    return ((days + 7 * shift) // 7).cast("int64") - shift


def segments(data: DataSet, segment_by: str) -> ir.Table:
    """Give every customer the one segment it belongs to.

    Parameters
    ----------
    data
        The data set.
    segment_by
        A column of ``customers``, or else of ``subscriptions``, ``orders``, ``usage`` or ``surveys``: then the
        value in the customer's first row counts.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``segment`` (text; ``(missing)`` where empty).

    Raises
    ------
    ParameterError
        No table has the column, it has more than 50 values, or one of them is ``All``.
    """
    holder = _holder(data, segment_by)
    table = data.table(holder)
    text = table[segment_by].cast("string").fill_null("(missing)")
    if holder == "customers":
        result = table.select(customer_id=table.customer_id, segment=text)
    else:
        first = text.argmin(table[MOMENT[holder]])
        result = table.group_by("customer_id").aggregate(segment=first)
    found = result.select("segment").distinct().limit(MAX_SEGMENTS + 1).execute()["segment"]
    check_segments(found, segment_by)
    return result


def with_segment(table: ir.Table, data: DataSet, segment_by: str) -> ir.Table:
    """Add the column ``segment`` to a table of customers: ``All`` where ``segment_by`` is empty."""
    if not segment_by:
        return table.mutate(segment=ibis.literal("All"))
    joined = table.left_join(segments(data, segment_by), "customer_id")
    return joined.select(*table.columns, segment=joined.segment.fill_null("(missing)"))


def _holder(data: DataSet, segment_by: str) -> str:
    names = [n for n in HOLDERS if n in data.tables]
    for name in names:
        if segment_by in data.table(name).columns and segment_by != "customer_id":
            return name
    there = {c for n in names for c in data.table(n).columns if c not in CONTRACT[n]}
    msg = f"segment_by is {segment_by!r}, which no table has as a column. {did_you_mean(segment_by, there)}"
    raise ParameterError(msg)


def check_segments(values: Iterable[str], segment_by: str) -> None:
    """Refuse a column with too many values to compare, or with one that names the whole.

    Raises
    ------
    ParameterError
        It has more than 50 values, or one of them is ``All``.
    """
    different = sorted(set(values))
    if len(different) > MAX_SEGMENTS:
        msg = (
            f"segment_by={segment_by!r} has more than {MAX_SEGMENTS} values (such as "
            f"{', '.join(different[:3])}). Choose a column with fewer, or group them with a query."
        )
        raise ParameterError(msg)
    if "All" in different:
        msg = f"segment_by={segment_by!r} has the value 'All', which names the whole. Rename it in the data."
        raise ParameterError(msg)


def mrr_steps(data: DataSet, period: str) -> ir.Table:
    """Turn subscriptions into each customer's MRR at period ends, as steps rather than one row a period.

    Parameters
    ----------
    data
        With ``subscriptions``; overlapping ones of a customer add up.
    period
        As in :func:`period_ordinal`. A subscription counts in a period when it covers its last day.

    Returns
    -------
    ibis.expr.types.Table
        One row per customer and period in which its MRR changes: ``customer_id``, ``step`` (number of
        the period), ``first`` (of the customer's first start) and, in hundredths, ``cents`` (MRR from
        then on) and ``cents_first`` (MRR at the end of the first period).

    Raises
    ------
    DataError
        There is no ``subscriptions``.
    """
    rows = data.table("subscriptions")
    cents = (rows.mrr * MINOR_UNITS).round().cast("int64")
    start = period_ordinal(rows.started_on, period)
    # a subscription that ends inside a period (end exclusive) does not cover its last day
    end = period_ordinal(rows.ended_on, period)
    begun = rows.select(customer_id=rows.customer_id, step=start, change=cents)
    ended = rows.filter(rows.ended_on.notnull()).select(
        customer_id=rows.customer_id, step=ibis.greatest(end, start), change=-cents
    )
    changes = begun.union(ended).group_by(["customer_id", "step"]).aggregate(change=ibis._.change.sum())
    order = ibis.window(group_by="customer_id", order_by="step")
    running = ibis.cumulative_window(group_by="customer_id", order_by="step")
    return changes.select(
        customer_id=changes.customer_id,
        step=changes.step,
        first=changes.step.min().over(ibis.window(group_by="customer_id")),
        cents=changes.change.sum().over(running),
        cents_first=changes.change.first().over(order),
    )


def current_mrr(data: DataSet) -> ir.Table | None:
    """Find what each customer pays a month at ``as_of``.

    Parameters
    ----------
    data
        With ``subscriptions``, or ``mrr`` in ``customers``.

    Returns
    -------
    ibis.expr.types.Table or None
        ``customer_id``, ``mrr`` (of the subscriptions that run at ``as_of``, summed; only customers with
        one are there; else the column of ``customers``). None: the data set does not tell.
    """
    if "subscriptions" in data.tables:
        rows = data.table("subscriptions")
        day = ibis.date(observed(data))
        running = rows.filter((rows.started_on <= day) & (rows.ended_on.isnull() | (rows.ended_on > day)))
        return running.group_by("customer_id").aggregate(mrr=running.mrr.sum())
    customers = data.table("customers")
    return customers.select("customer_id", "mrr") if "mrr" in customers.columns else None


def _size(curve: pd.DataFrame) -> pd.Series[Any]:
    return curve[next(c for c in SIZES if c in curve)]


def largest_segments(curve: pd.DataFrame, *, most: int = 8) -> pd.DataFrame:
    """Keep the whole and the largest segments of a curve: as many lines as a chart can show.

    Parameters
    ----------
    curve
        With ``segment`` and ``n_customers``, or else ``n_at_risk`` or ``n_start``.
    most
        Segments to keep beside ``All``.

    Returns
    -------
    pandas.DataFrame
        The rows of those segments, unchanged.
    """
    sizes = _size(curve[curve["segment"] != "All"]).groupby(curve["segment"]).max()
    kept = {"All", *sizes.sort_values(ascending=False, kind="stable").index[:most]}
    return curve[curve["segment"].isin(kept)]


def well_observed(curve: pd.DataFrame, *, least: int = 10) -> pd.DataFrame:
    """Leave out of a curve the estimates that rest on fewer customers; keep all where none has so many.

    Returns
    -------
    pandas.DataFrame
        The same rows, so that every segment keeps its place; estimates and bounds of few are missing.

    Examples
    --------
    >>> well_observed(pd.DataFrame({"n_at_risk": [90, 40, 3], "survival": [1.0, 0.5, 0.0]}))["survival"].tolist()
    [1.0, 0.5, nan]
    """
    firm = _size(curve) >= least
    shown = {c: curve[c].where(firm) for c in ESTIMATES if c in curve}
    return curve.assign(**shown) if firm.any() else curve


def observed(data: DataSet) -> date:
    """Return ``as_of``, or say that a calendar needs dates.

    Raises
    ------
    DataError
        The tables hold no date.
    """
    if data.as_of is None:
        msg = f"{data.label} holds no dates, so there are no calendar periods. Add started_on, orders or usage."
        raise DataError(msg)
    return data.as_of
