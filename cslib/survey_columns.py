"""Columns by which answers are compared: which there are, and what each customer has in them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np

from cslib.contract import CONTRACT
from cslib.counts import segments
from cslib.tables import DataSet

__all__ = ["available_columns", "holder_of", "wanted", "with_columns"]

FEW_VALUES: Final = 12  # of a column that is compared without being asked for
BANDS: Final = 4


def holder_of(data: DataSet, column: str) -> str:
    """Tell whether ``customers`` or else ``surveys`` has a column; empty: neither."""
    if "customers" in data.tables and column in data.table("customers").columns:
        return "customers"
    return "surveys" if column in data.table("surveys").columns else ""


def with_columns(each: ir.Table, data: DataSet, columns: Sequence[str]) -> ir.Table:
    """Add columns of customers, numbers in bands, and of other tables as counts.segments reads them."""
    own = [c for c in columns if holder_of(data, c)]
    if own:
        customers = data.table("customers")
        values = {c: _text(customers, c) for c in own}
        joined = each.left_join(customers.select("customer_id", **values), "customer_id")
        each = joined.select(*each.columns, **{c: joined[c].fill_null("(missing)") for c in own})
    for column in columns:
        if column not in own:
            joined = each.left_join(segments(data, column), "customer_id")
            each = joined.select(*each.columns, **{column: joined.segment.fill_null("(missing)")})
    return each


def _text(customers: ir.Table, column: str) -> ir.StringValue:
    """Read a column as text; numbers with many values as bands between their quartiles."""
    value = customers[column]
    if value.type().is_numeric():
        number = value.cast("float64")
        found = customers.aggregate(
            n=number.nunique(), **{f"q{i}": number.quantile(i / BANDS) for i in range(1, BANDS)}
        ).execute().iloc[0]  # fmt: skip
        cuts = sorted({float(found[f"q{i}"]) for i in range(1, BANDS)} - {np.nan})
        if found["n"] > FEW_VALUES and cuts:
            return _bands(number, cuts)
        value = ibis.ifelse(number == number.floor(), number.cast("int64").cast("string"), number.cast("string"))
    return value.cast("string").fill_null("(missing)")


def _bands(number: ir.FloatingValue, cuts: list[float]) -> ir.StringValue:
    names = [f"up to {cuts[0]:,.6g}"]
    names += [f"{low:,.6g} to {high:,.6g}" for low, high in pairwise(cuts)]
    steps = [(number <= cut, name) for cut, name in zip(cuts, names, strict=True)]
    return ibis.cases((number.isnull(), "(missing)"), *steps, else_=f"over {cuts[-1]:,.6g}")


def available_columns(data: DataSet, segment_by: str = "") -> list[str]:
    """List the columns by which answers can be compared.

    Parameters
    ----------
    data
        With ``surveys``.
    segment_by
        A column, or several with commas between; they come first. Empty: none asked for.

    Returns
    -------
    list of str
        Those asked for, then the declared segments, or without any the columns of ``customers`` and ``surveys``
        beyond the contract that hold 2 to 12 texts, or numbers.

    Raises
    ------
    ParameterError
        A column asked for is in no table.
    """
    first = wanted(segment_by)
    for column in first:
        if column == "customer_id" or not holder_of(data, column):
            segments(data, column)  # says that there is no such column
    candidates = [c for name in ("customers", "surveys") for c in _free(data, name)]
    found = [c for c in data.segments if c in candidates] or _comparable(data, candidates)
    return list(dict.fromkeys([*first, *found]))


def wanted(segment_by: str) -> list[str]:
    """Split what was asked for at commas.

    Examples
    --------
    >>> wanted("plan, region"), wanted("")
    (['plan', 'region'], [])
    """
    return [c.strip() for c in segment_by.split(",") if c.strip()]


def _free(data: DataSet, name: str) -> list[str]:
    return [c for c in data.table(name).columns if c not in CONTRACT[name]] if name in data.tables else []


def _comparable(data: DataSet, columns: Sequence[str]) -> list[str]:
    found = []
    for name in ("customers", "surveys"):
        table = data.tables.get(name)
        own = [c for c in columns if table is not None and c in table.columns and holder_of(data, c) == name]
        if table is None or not own:
            continue
        kinds = {c: table[c].type() for c in own}
        usable = [c for c in own if kinds[c].is_string() or kinds[c].is_boolean() or kinds[c].is_numeric()]
        if not usable:
            continue
        n = table.aggregate(**{c: table[c].nunique() for c in usable}).execute().iloc[0]
        numeric = {c for c in usable if kinds[c].is_numeric() and name == "customers"}
        found += [c for c in usable if 2 <= n[c] <= (np.inf if c in numeric else FEW_VALUES)]
    return found
