"""With hindsight: what became of the customers who were present on an earlier day, and of their revenue."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.counts import MINOR_UNITS, observed, with_segment
from cslib.errors import check_choice
from cslib.tables import DataSet
from cslib.value_counts import SOURCES, cents

__all__ = ["came_true"]

ONE_DAY: Final = pd.Timedelta(days=1)


def came_true(data: DataSet, past: DataSet, *, segment_by: str = "", months: int = 12, source: str) -> pd.DataFrame:
    """Follow the customers who were present at an earlier ``as_of``, month by month.

    Parameters
    ----------
    data
        What is known now, with ``customers`` in dates.
    past
        What was known then, from :func:`cslib.tables.rewind`.
    segment_by
        A column; empty for the whole only.
    months
        To follow them.
    source
        Of revenue, as in :class:`cslib.value_counts.ValueCounts`.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``months_ahead`` (0 to ``months``), ``month`` (date: ``past.as_of`` and so many
        calendar months), ``n_active`` (still customers at the end of that day), ``mrr`` (what they pay that day, per
        month; with orders, all their orders since the date before, so that none is known for 0). Missing after
        ``data.as_of``.

    Raises
    ------
    ParameterError
        The source is none of the three.
    DataError
        The source is not in the data.
    """
    check_choice("source", source, SOURCES)
    after = pd.Timestamp(observed(past)) + ONE_DAY  # the end of a month is followed by ends of months
    dates = [after + pd.DateOffset(months=k) - ONE_DAY for k in range(months + 1)]
    days = [d.date() for d in dates]
    here = _followed(data, past, segment_by)
    active = _sums(here, [_is_here(here, day).cast("int64") for day in days])
    paid = _paid(data, here, days, source).reindex(active.index, fill_value=0) / MINOR_UNITS
    table = pd.DataFrame(
        {
            "segment": np.repeat(active.index, len(days)),
            "months_ahead": np.tile(np.arange(len(days)), len(active)),
            "month": dates * len(active),
            "n_active": active.to_numpy(float).ravel(),
            "mrr": paid.to_numpy(float).ravel(),
        }
    )
    table.loc[table["month"] > pd.Timestamp(observed(data)), ["n_active", "mrr"]] = np.nan
    if source == "orders":
        table.loc[table["months_ahead"] == 0, "mrr"] = np.nan
    return table


def _followed(data: DataSet, past: DataSet, segment_by: str) -> ir.Table:
    """Take the customers known then: whether they were still here, until when they stayed, and their MRR in cents."""
    then, now = past.table("customers"), data.table("customers")
    mrr = now.mrr.fill_null(0.0) if "mrr" in now.columns else ibis.literal(0.0)
    stayed = now.select("customer_id", "churned_on", own=cents(mrr))
    rows = then.select("customer_id", present=then.churned_on.isnull()).join(stayed, "customer_id")
    return with_segment(rows.select("customer_id", "present", "churned_on", "own"), data, segment_by)


def _is_here(rows: ir.Table, day: date) -> ir.BooleanValue:
    return rows.present & (rows.churned_on.isnull() | (rows.churned_on > day))


def _paid(data: DataSet, here: ir.Table, days: list[date], source: str) -> pd.DataFrame:
    if source == "customers":
        return _sums(here, [ibis.ifelse(_is_here(here, day), here.own, 0) for day in days])
    rows = data.table(source)
    if source == "orders":
        rows = rows.select("customer_id", day=rows.ordered_on, cents=cents(rows.amount)).join(here, "customer_id")
        spans = pairwise([days[0], *days])
        then = rows.present & (rows.churned_on.isnull() | (rows.churned_on > rows.day))
        counted = [then & (rows.day > since) & (rows.day <= until) for since, until in spans]
    else:
        rows = rows.select("customer_id", begun=rows.started_on, ended=rows.ended_on, cents=cents(rows.mrr))
        rows = rows.join(here, "customer_id")
        counted = [
            _is_here(rows, day) & (rows.begun <= day) & (rows.ended.isnull() | (rows.ended > day)) for day in days
        ]
    return _sums(rows, [ibis.ifelse(c, rows.cents, 0) for c in counted])


def _sums(rows: ir.Table, amounts: list[ir.NumericValue]) -> pd.DataFrame:
    """Sum every amount by segment; the whole first."""
    sums = rows.group_by("segment").aggregate(**{f"sum{k}": a.sum() for k, a in enumerate(amounts)}).execute()
    sums = sums.set_index("segment").sort_index()
    return pd.concat([sums.sum().to_frame("All").T, sums.drop(index="All", errors="ignore")])
