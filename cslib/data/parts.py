"""Segments as sums of parts: customers of one age who differ in a declared segment do not leave alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.customers import PART, with_segment
from cslib.data.dataset import DataSet
from cslib.data.drift import Drift, drift, recent
from cslib.data.lifetimes import lifetime_rows, lifetimes
from cslib.errors import ParameterError
from cslib.stats.intervals import SIGNIFICANT, Floats
from cslib.stats.models import ENOUGH
from cslib.stats.survival import DAYS_PER_MONTH, compare_segments, survival_curve

KEYS: Final = ["segment", "value"]
FINE: Final = 2**20  # parts of a month, so that sums of them are exact


@dataclass(frozen=True)
class Parts:
    """Who belongs to which part.

    Attributes
    ----------
    data, column
        The data set, and what to segment it by: the column over which is summed where each of its values is a part,
        else ``PART`` of :mod:`cslib.data.customers`, which is added to customers.
    table
        One row per value: ``segment`` (``All``, or a value of the column within), ``value`` (of the column over which
        it is summed), ``part`` (as in the column), ``name`` (the values of the part).
    """

    data: DataSet
    column: str
    table: pd.DataFrame

    @property
    def several(self) -> dict[str, dict[str, str]]:
        """Names of the parts of every segment that has more than one, by what the column has."""
        each = self.table.groupby("segment")
        named = {str(s): dict(zip(own["part"], own["name"], strict=True)) for s, own in each}
        return {segment: names for segment, names in named.items() if len(names) > 1}


def split_by(data: DataSet) -> str:
    """Find the declared segment by which customers leave most differently, by more than chance; else an empty text.

    Parameters
    ----------
    data
        With ``customers``. Of some customers of a whole, a segment or those whom ``where`` keeps, it is that of the
        whole, so that they have the figures that they have beside the others.

    Notes
    -----
    The log-rank test of all parts at once (:func:`pooled`), over the months on which estimates rest
    (:func:`cslib.data.drift.recent`), adjusted by Bonferroni. Other things are not held equal, as in a regression: a
    sum over the column is of customers as they are, whatever else makes those of one value leave faster.
    """
    whole = data.whole or data.unfiltered
    return split_by(whole()) if whole else data.found("split", lambda: _split(data))


def _split(data: DataSet) -> str:
    now = recent(data, drift(data))
    found = {column: _difference(now, column) for column in data.segments}
    least = min(found, key=lambda column: found[column], default="")
    return least if least and found[least] < np.log10(SIGNIFICANT / len(found)) else ""


def _difference(data: DataSet, column: str) -> float:
    """Give the p-value of no difference between the parts of a column, as its logarithm to base 10."""
    try:
        counts = lifetimes(data, segment_by=column).query("segment != 'All'")
    except ParameterError:  # too many values to compare
        return 0.0
    lived = (counts["duration_months"] - counts["entry_months"]) * counts["n"]
    sums = counts.assign(left=counts["n"].where(counts["event_observed"], 0), lived=lived).groupby("segment")
    parts = pooled(sums[["left", "lived"]].sum())
    if parts.nunique() < 2:
        return 0.0
    curves = survival_curve(counts.assign(segment=counts["segment"].map(parts)))
    found = float(compare_segments(curves)["log10_p_value"].iloc[0])
    return 0.0 if np.isnan(found) else found  # of ages that they share none of


def pooled(counts: pd.DataFrame) -> pd.Series[str]:
    """Put values that fewer than ten customers left into one part together, so that every customer is in a part.

    Parameters
    ----------
    counts
        By value: ``left`` (customers) and ``lived`` (customer-months).

    Returns
    -------
    pandas.Series
        By value the name of its part: the value, or several joined by ``+``.

    Notes
    -----
    Of fewer than ten the rate of leaving is hardly known, and of nobody not at all. Where all of these values together
    were left by fewer than ten, they join the part whose rate, (left + ½) / months, is the nearest to theirs: a few
    customers of unknown value then change hardly anything, and many who hardly ever leave are not taken for those who
    do. One part is left where no value has ten.

    Examples
    --------
    >>> counts = pd.DataFrame({"left": [90, 12, 6, 1], "lived": [1000.0, 900.0, 700.0, 90.0]}, ["S", "T", "E", ""])
    >>> pooled(counts).tolist()
    ['S', 'T + E + ', 'T + E + ', 'T + E + ']
    """
    left, lived = (counts[c].to_numpy(float) for c in ("left", "lived"))
    few = left < ENOUGH
    if few.any() and left[few].sum() < ENOUGH:
        apart = np.abs(_log_rate(left, lived) - _log_rate(left[few].sum(), lived[few].sum()))
        few[np.where(few, np.inf, apart).argmin()] = True
    part = np.where(few, -1, np.arange(len(counts)))
    return counts.index.to_series().astype(str).groupby(part).transform(" + ".join)


def _log_rate(left: Floats, lived: Floats) -> Floats:
    return np.asarray(np.log((left + 0.5) / np.maximum(lived, 1 / DAYS_PER_MONTH)))


def in_parts(data: DataSet, found: Drift | None, *, split: str, within: str = "") -> Parts:
    """Put every customer into a part: all by the values of a column, or those of each segment by themselves.

    Parameters
    ----------
    data, found
        As for :func:`cslib.data.drift.recent`: of the months on which estimates rest it is counted who left.
    split
        A column, such as from :func:`split_by`.
    within
        A column whose values are segments; empty: the whole is one.

    Notes
    -----
    Values that fewer than ten left are pooled in each segment (:func:`pooled`).
    """
    every, now = (_counted(own, split, within) for own in (data, recent(data, found)))
    counts = now.reindex(every.index, fill_value=0)  # a value may be of those alone who left before
    names = pd.concat([pooled(own.droplevel("segment")) for _, own in counts.groupby("segment")])
    table = every.reset_index()[KEYS].assign(name=names.to_numpy())
    if not within and (table["name"] == table["value"]).all():  # nothing is to be made
        return Parts(data, split, table.assign(part=table["value"]))
    table["part"] = table.groupby(["segment", "name"], sort=False).ngroup().astype(str)
    customers = data.table("customers")
    places = _valued(customers.select("customer_id"), data, split, within)
    each = zip(table["segment"], table["value"], table["part"], strict=True)
    first, *others = [((places.segment == s) & (places.value == v), part) for s, v, part in each]
    part = ibis.cases(first, *others, else_=first[1])
    known = customers.left_join(places.select("customer_id", **{PART: part}), "customer_id")
    tables = {**data.tables, "customers": known.select(*customers.columns, PART)}
    return Parts(replace(data, tables=tables), PART, table)


def _valued(rows: ir.Table, data: DataSet, split: str, within: str) -> ir.Table:
    return with_segment(with_segment(rows, data, split).rename(value="segment"), data, within)


def _counted(data: DataSet, split: str, within: str) -> pd.DataFrame:
    """Count by segment and value who left, and sum the months that were lived."""
    rows = _valued(lifetime_rows(data), data, split, within)
    months = ((rows.duration - rows.entry).cast("float64") * FINE).round().cast("int64").sum()
    sums = rows.group_by(KEYS).aggregate(left=rows.event_observed.sum(), months=months).execute()
    table = sums.assign(left=sums["left"].astype(int), lived=sums["months"].astype(float) / FINE)
    return table.set_index(KEYS)[["left", "lived"]].sort_index()
