"""Columns by which answers are compared: which there are, and what each customer has in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import ibis
import ibis.expr.types as ir

from cslib.contract import CONTRACT, EXACT, NPS_LABELS
from cslib.counts import MAX_SEGMENTS, segments
from cslib.errors import ParameterError
from cslib.tables import DataSet

__all__ = ["MISSING", "SMALL", "available_columns", "holder_of", "wanted", "with_columns"]

FEW_VALUES: Final = 12  # of a column that is compared without being asked for
BANDS: Final = 4
MISSING: Final = "(missing)"
SMALL: Final = "(small groups)"
RESERVED: Final = ("before", "now", "n")


def holder_of(data: DataSet, column: str) -> str:
    """Tell whether ``customers``, or else ``surveys`` beyond its contract, has a column; empty: neither."""
    if "customers" in data.tables and column in data.table("customers").columns:
        return "customers"
    return "surveys" if column in _free(data, "surveys") else ""


def with_columns(each: ir.Table, data: DataSet, columns: Mapping[str, str]) -> ir.Table:
    """Add columns under other names: of customers, numbers in bands; others by ``counts.segments``."""
    theirs = {name: c for name, c in columns.items() if holder_of(data, c)}
    parts = [segments(data, c).rename({name: "segment"}) for name, c in columns.items() if name not in theirs]
    if theirs:
        customers = data.table("customers")
        parts.append(customers.select("customer_id", **{name: _text(customers, c) for name, c in theirs.items()}))
    for part in parts:
        joined, more = each.left_join(part, "customer_id"), [c for c in part.columns if c != "customer_id"]
        each = joined.select(*each.columns, **{c: joined[c].fill_null(MISSING) for c in more})
    return each


def _text(customers: ir.Table, column: str) -> ir.StringValue:
    """Read a column as text; numbers with many values as bands between their quartiles."""
    value = customers[column]
    if value.type().is_numeric():
        number = value.cast("float64")
        number = ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
        quartiles = {f"q{i}": number.quantile(i / BANDS) for i in range(1, BANDS)}
        found = customers.aggregate(n=number.nunique(), **quartiles).execute().iloc[0]
        cuts = sorted({float(found[q]) for q in quartiles if found[q] == found[q]})
        if found["n"] > FEW_VALUES and cuts:
            return _bands(number, cuts)
        exact = ibis.ifelse(number.abs() < EXACT, number, ibis.null("float64"))
        value = ibis.ifelse(exact == exact.floor(), exact.cast("int64").cast("string"), number.cast("string"))
    return value.cast("string").fill_null(MISSING)


def _bands(number: ir.FloatingValue, cuts: list[float]) -> ir.StringValue:
    digits = next((d for d in range(6, 16) if len({f"{cut:.{d}g}" for cut in cuts}) == len(cuts)), 16)
    shown = [f"{float(f'{cut:.{digits}g}'):,.15g}" for cut in cuts]
    names = [f"up to {shown[0]}", *(f"{low} to {high}" for low, high in pairwise(shown))]
    steps = [(number <= cut, name) for cut, name in zip(cuts, names, strict=True)]
    return ibis.cases((number.isnull(), MISSING), *steps, else_=f"over {shown[-1]}")


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
        beyond the contract that hold 2 to 12 texts, or numbers; not those that say the score again.

    Raises
    ------
    ParameterError
        A column asked for is in no table, or has a name that is taken.
    """
    first = wanted(segment_by)
    for column in first:
        if column in RESERVED or (column in CONTRACT["surveys"] and not holder_of(data, column)):
            msg = f"segment_by is {column!r}, a name that counts of answers have themselves. Choose another column."
            raise ParameterError(msg)
        if column == "customer_id" or not holder_of(data, column):
            segments(data, column)  # says that there is no such column
    candidates = [c for name in ("customers", "surveys") for c in _free(data, name) if c not in RESERVED]
    declared = [c for c in data.segments if c in candidates]
    found = _comparable(data, declared, MAX_SEGMENTS) or _comparable(data, candidates, FEW_VALUES)
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


def _comparable(data: DataSet, columns: Sequence[str], most: int) -> list[str]:
    """Keep columns with a few values, and numbers of customers, that can be compared without being asked for."""
    result = []
    for column in columns:
        holder = holder_of(data, column)
        table = data.table(holder)
        kind = table[column].type()
        if kind.is_numeric() and holder == "customers":
            result += [column] if table[column].nunique().execute() > 1 else []
        elif kind.is_string() or kind.is_boolean() or kind.is_numeric():
            text = table.filter(table[column].notnull()).select(value=table[column].cast("string"))
            values = set(text.distinct().limit(most + 1).execute()["value"])
            usable = 2 <= len(values) <= most and not values & {"All", SMALL}
            result += [column] if usable and not _is_label(values) else []
    return result


def _is_label(values: Iterable[str]) -> bool:
    """Tell whether values name the groups of NPS: they say the score again."""
    return all(v.strip().lower().removesuffix("s") in (*NPS_LABELS, "neutral") for v in values)
