"""Would we have known? Fit on what was known a year ago, forecast the year, and lay what happened beside it."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.calendar import months_later
from cslib.data.customers import MINOR_UNITS, cents, with_segment
from cslib.data.dataset import DataSet, rewind
from cslib.data.drift import drift
from cslib.data.lives import day_before, lives, settled
from cslib.data.parts import split_by
from cslib.errors import check_choice
from cslib.stats.intervals import Floats, percentiles
from cslib.value.prices import SOURCES, payments, price_source
from cslib.value.together import whole_paths

ACTIVE: Final = "active customers"
JUDGED: Final = ["months_ahead", "error", "held", "n_held"]
COLUMNS: Final = ["segment", "month", "predicted", "ci_lower", "ci_upper", "actual", "measure", *JUDGED]
SEED: Final = 1
FAR: Final = 10  # times what happened: beyond that a share of it says nothing
SELDOM: Final = 0.8  # of months held: fewer are not what an interval of 95 % promises, even as months go together


def came_true(data: DataSet, past: DataSet, *, segment_by: str = "", months: int = 12, source: str) -> pd.DataFrame:
    """Follow the customers who were present at an earlier ``as_of``, month by month.

    Parameters
    ----------
    data
        What is known now, with ``customers`` in dates.
    past
        What was known then, from :func:`cslib.data.dataset.rewind`.
    segment_by
        A column; empty for the whole only.
    months
        To follow them.
    source
        Of revenue, as in :class:`cslib.value.prices.ValueCounts`.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``months_ahead`` (0 to ``months``), ``month`` (date: the last day settled
        then, ``past.as_of`` but for pauses, and so many calendar months), ``n_active`` (still customers at the end of
        that day), ``mrr`` (what they pay that day, per month; with orders, all their orders since the date before, so
        that none is known for 0). Missing after the last day up to which it is known who left.

    Raises
    ------
    ParameterError
        The source is none of the three.
    DataError
        The source is not in the data.
    """
    check_choice("source", source, SOURCES)
    days = [months_later(settled(past), k) for k in range(months + 1)]
    here = _followed(data, past, segment_by)
    active = _sums(here, [_is_here(here, day).cast("int64") for day in days])
    paid = _paid(data, here, days, source).reindex(active.index, fill_value=0) / MINOR_UNITS
    ahead = pd.DataFrame({"months_ahead": range(len(days)), "month": pd.to_datetime(days)})
    table = pd.DataFrame({"segment": active.index}).merge(ahead, how="cross")
    table = table.assign(n_active=active.to_numpy(float).ravel(), mrr=paid.to_numpy(float).ravel())
    table.loc[table["month"] > pd.Timestamp(settled(data)), ["n_active", "mrr"]] = np.nan
    if source == "orders":
        table.loc[table["months_ahead"] == 0, "mrr"] = np.nan
    return table


def _followed(data: DataSet, past: DataSet, segment_by: str) -> ir.Table:
    """Take the customers of then, with every life that they are known to have now, and their MRR in cents."""
    then, priced = lives(past), "mrr" in data.table("customers").columns
    now = lives(data, mrr="mrr") if priced else lives(data).mutate(mrr=ibis.literal(0.0))
    mrr = now.mrr.fill_null(0.0)
    known = now.select("customer_id", "started_on", "churned_on", own=cents(mrr))
    day = ibis.date(settled(past))
    here = then.filter((then.started_on <= day) & then.churned_on.isnull()).select("customer_id")
    return with_segment(here.join(known, "customer_id").select(*known.columns), data, segment_by)


def _is_here(rows: ir.Table, day: date | ir.DateValue) -> ir.BooleanValue:
    return (rows.started_on <= day) & (rows.churned_on.isnull() | (rows.churned_on > day))


def _paid(data: DataSet, here: ir.Table, days: list[date], source: str) -> pd.DataFrame:
    if source == "customers":
        return _sums(here, [ibis.ifelse(_is_here(here, day), here.own, 0) for day in days])
    rows = payments(data, source).join(here, "customer_id")
    if source == "orders":
        then, day, spans = _is_here(rows, rows.begun), rows.begun, pairwise([days[0], *days])
        counted = [then & (day > since) & (day <= until) for since, until in spans]
    else:
        running = [(rows.begun <= day) & (rows.ended.isnull() | (rows.ended > day)) for day in days]
        counted = [_is_here(rows, day) & runs for day, runs in zip(days, running, strict=True)]
    return _sums(rows, [ibis.ifelse(c, rows.cents, 0) for c in counted])


def _sums(rows: ir.Table, amounts: list[ir.NumericValue]) -> pd.DataFrame:
    """Sum every amount by segment; the whole first."""
    sums = rows.group_by("segment").aggregate(**{f"sum{k}": a.sum() for k, a in enumerate(amounts)}).execute()
    sums = sums.set_index("segment").sort_index()
    return pd.concat([sums.sum().to_frame("All").T, sums.drop(index="All", errors="ignore")])


def backtest(data: DataSet, *, segment_by: str = "", months: int = 12) -> pd.DataFrame:
    """Forecast customers and revenue from what was known so many months ago, and compare with what happened.

    Parameters
    ----------
    data
        With a source of revenue (:func:`cslib.value.prices.value_counts`).
    segment_by
        A column; empty for the whole only.
    months
        To go back, and to foretell.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``month`` (date), ``predicted``, ``ci_lower``, ``ci_upper``, ``actual``, ``measure`` (``active
        customers``, then ``MRR``, or ``revenue`` of the month where orders tell it), ``months_ahead`` (1 to
        ``months``), ``error`` (predicted / actual − 1; infinite where it is above 10, or where ``actual`` is 0 and the
        interval lies above it; else missing where that is 0 or less), ``held`` (the interval holds what happened),
        ``n_held`` (months so far of which it does). Customers
        present on the day alone are followed, new ones are not. Empty where customers have no dates, or where on the
        day fewer than 20 were present or nobody had been observed for half as long as is to be foretold.

    Notes
    -----
    The 95 % interval holds what a bootstrap leaves unknown of survival and price, and chance: who of the present
    customers leaves, Σ p(1 − p), weighted with squared MRR for revenue. It does not hold a change of the times.
    """
    day = day_before(data, months)
    if day is None:
        return pd.DataFrame(columns=COLUMNS)
    past = rewind(data, day)
    asked: Any = {"segment_by": segment_by, "horizon_months": months}
    paths, source = whole_paths(past, drift(past), **asked, split=split_by(past)), price_source(past)
    actual = came_true(data, past, segment_by=segment_by, months=months, source=source)
    ordered = source == "orders"
    active, paid = {}, {}
    for segment, own in paths.items():
        ahead, rng = own.ahead(months), np.random.default_rng(SEED)  # alone and beside others the same
        active[segment] = _with_chance(ahead.active, ahead.active_variance, rng)
        paid[segment] = _with_chance(ahead.mrr, ahead.mrr_variance, rng)[:, : -1 if ordered else None]
    customers = _compared(active, actual, "n_active").assign(measure=ACTIVE)
    revenue = _compared(paid, actual, "mrr").assign(measure="revenue" if ordered else "MRR")
    return _judged(pd.concat([customers, revenue], ignore_index=True))[COLUMNS]


def last_year(tested: pd.DataFrame) -> pd.DataFrame:
    """Sum up a backtest: how far off each segment was at the end and why, and where its intervals were too narrow.

    Parameters
    ----------
    tested
        As from :func:`backtest`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``customers`` and ``revenue`` (error in the last month known, missing where nothing was foretold),
        ``allow_customers`` and ``allow_revenue`` (the largest error in any month, where the interval held in fewer than
        80 % of months; infinite where it passes what happened; else missing), ``weighted`` and ``each`` (see below).
        Empty where nothing was.

    Notes
    -----
    Where the error of revenue is less than half of that of customers and all are the sum of the segments, revenue is
    led to in two steps: with n customers who pay p each in a segment, ``weighted`` is Σ p n' / Σ p n − 1 (the error of
    customers, weighted by what they pay), and ``each`` is Σ p' n' / Σ p n' − 1 (that of what customers of one segment
    pay; ' is what was forecast). So (1 + weighted) (1 + each) = 1 + revenue. Elsewhere both are missing: a mean over
    all customers also moves with who stays.
    """
    known = tested.dropna(subset=["predicted", "actual"])
    known = known.assign(what=(known["measure"] == ACTIVE).map({True: "customers", False: "revenue"}))
    each = known.groupby(["segment", "what"], sort=False)
    ends = each.tail(1).set_index(["segment", "what"])
    ends["worst"] = each["error"].agg(lambda errors: errors.abs().max())
    allow = ends["worst"].mask(ends["worst"] > 1, np.inf).where(ends["n_held"] < SELDOM * ends["months_ahead"])
    measures: Any = {"index": known["segment"].unique(), "columns": ["customers", "revenue"]}
    table, allowed = (of.unstack().reindex(**measures) for of in (ends["error"], allow))
    table = table.join(allowed.add_prefix("allow_")).assign(weighted=np.nan, each=np.nan)
    cancel = (2 * table["revenue"].abs() < table["customers"].abs()) & np.isfinite(table["customers"])
    if len(table) > 1 and cancel.get("All", default=False):
        table.loc["All", ["weighted", "each"]] = _in_steps(ends)
    return table.rename_axis("segment").reset_index()


def _in_steps(ends: pd.DataFrame) -> tuple[float, float]:
    """Lead to the error of revenue of all: by customers, weighted, and by what those of one segment pay."""
    told, came = (ends[of].unstack()[["customers", "revenue"]] for of in ("predicted", "actual"))
    every = told.loc["All"].to_numpy(float)
    (n_told, told_revenue), (n, revenue) = (of.drop(index="All").to_numpy(float).T for of in (told, came))
    if not np.allclose([n_told.sum(), told_revenue.sum()], every) or not (n > 0).all():
        return np.nan, np.nan
    at_what_they_paid = float((n_told * revenue / n).sum())
    if not min(at_what_they_paid, told_revenue.sum()) > 0:  # of refunds no share tells
        return np.nan, np.nan
    return at_what_they_paid / revenue.sum() - 1, told_revenue.sum() / at_what_they_paid - 1


def _with_chance(expected: Floats, variance: Floats, rng: np.random.Generator) -> Floats:
    """Add to each draw, but not to the estimate, who happens to leave."""
    luck = rng.standard_normal((len(expected), 1))
    luck[0] = 0
    return np.asarray(expected + luck * np.sqrt(variance))


def _compared(drawn: dict[str, Floats], actual: pd.DataFrame, column: str) -> pd.DataFrame:
    """Lay what was drawn for the last months beside what happened in them; the present month is none."""
    rows = []
    for segment, own in drawn.items():
        known = actual[(actual["segment"] == segment) & (actual["months_ahead"] > 0)]
        ahead = own[:, -len(known) :]
        bounds = [percentiles(month) for month in ahead.T]
        told = known[["segment", "month", "months_ahead"]].assign(predicted=ahead[0], actual=known[column])
        rows.append(told.join(pd.DataFrame(bounds, index=known.index)))
    return pd.concat(rows)


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """Tell how far off each forecast was, and how many of a segment's months its interval has held so far."""
    held = table["actual"].between(table["ci_lower"], table["ci_upper"])
    n_held = held.groupby([table["measure"], table["segment"]]).cumsum()
    error = table["predicted"] / table["actual"].where(table["actual"] > 0) - 1
    nothing_left = (table["actual"] == 0) & (table["ci_lower"] > 0)
    return table.assign(error=error.mask((error > FAR) | nothing_left, np.inf), held=held, n_held=n_held)
