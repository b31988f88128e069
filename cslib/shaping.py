"""What happens to sound tables before an analysis sees them: cut at ``as_of``, derived, filtered, described."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.checks import Fault
from cslib.contract import CONTRACT
from cslib.errors import ParameterError, counted, did_you_mean

__all__ = ["MOMENT", "Spans", "cut", "derive_customers", "keep", "spans_of", "statistics", "suspicions"]

MOMENT: Final = {
    "customers": "started_on",
    "subscriptions": "started_on",
    "orders": "ordered_on",
    "usage": "occurred_at",
    "surveys": "asked_on",
    "touchpoints": "occurred_on",
    "costs": "month",
}
ENDING: Final = {"customers": ("churned_on",), "subscriptions": ("ended_on",), "surveys": ("answered_on",)}
TELLS: Final = {"churned_on": ("churn_kind",), "answered_on": ("score",)}  # unknown until then, too
Tables = Mapping[str, ir.Table]
Spans = Mapping[str, Mapping[str, tuple[date, date]]]


def spans_of(tables: Tables) -> Spans:
    """First and last day of every date column, by table and column; columns without any are left out."""
    return {name: dict(_span(name, table)) for name, table in tables.items()}


def _span(name: str, table: ir.Table) -> Iterator[tuple[str, tuple[date, date]]]:
    columns = [c for c in (MOMENT[name], *ENDING.get(name, ())) if c in table.columns]
    if columns:
        days = {c: table[c].cast("date") for c in columns}
        ends = {f"{c}_{e}": getattr(d, e)() for c, d in days.items() for e in ("min", "max")}
        row = table.aggregate(**ends).execute().iloc[0]
        for column in columns:
            if pd.notna(row[f"{column}_min"]):
                low, high = (pd.Timestamp(row[f"{column}_{e}"]).date() for e in ("min", "max"))
                yield column, (low, high)


def cut(tables: Tables, spans: Spans, as_of: date) -> tuple[dict[str, ir.Table], list[Fault]]:
    """Leave out what happened after ``as_of``; what ends later is still open then. Say how many rows."""
    cut_tables, faults = {}, []
    for name, table in tables.items():
        late = {c for c, (_, last) in spans[name].items() if last > as_of}
        if MOMENT[name] in late:
            faults.append(_late(name, table, as_of))
        cut_tables[name] = _cut(name, table, as_of, late) if late else table
    if (as_of + timedelta(days=1)).day != 1:
        text = f"{as_of:%B %Y} is observed only up to {as_of}; what needs the whole month is left empty."
        faults.append(Fault("", "as_of", "unfinished period", "warning", 0, text))
    return cut_tables, faults


def _late(name: str, table: ir.Table, as_of: date) -> Fault:
    n = int((table[MOMENT[name]].cast("date") > as_of).sum().execute())
    text = f"{name}.{MOMENT[name]} is after as_of {as_of} in {counted(n, 'row')}, left out."
    return Fault(name, MOMENT[name], "after as_of", "warning", n, text)


def _cut(name: str, table: ir.Table, as_of: date, late: set[str]) -> ir.Table:
    if MOMENT[name] in late:
        table = table.filter(table[MOMENT[name]].cast("date") <= as_of)
    for end in late - {MOMENT[name]}:
        later = (table[end] > as_of).fill_null(False)
        unknown = [end, *(c for c in TELLS.get(end, ()) if c in table.columns)]
        table = table.mutate(**{c: ibis.ifelse(later, ibis.null(table[c].type()), table[c]) for c in unknown})
    return table


def derive_customers(subscriptions: ir.Table) -> ir.Table:
    """Make customers of subscriptions: first start, last end where nothing runs, columns as at the first."""
    extra = [c for c in subscriptions.columns if c not in CONTRACT["subscriptions"] and c != "currency"]
    running = subscriptions.ended_on.isnull().any()
    return subscriptions.group_by("customer_id").aggregate(
        started_on=subscriptions.started_on.min(),
        churned_on=ibis.ifelse(running, ibis.null("date"), subscriptions.ended_on.max()),
        **{c: subscriptions[c].argmin(subscriptions.started_on) for c in extra},
    )


def suspicions(customers: ir.Table, segments: tuple[str, ...], *, truncation_known: bool) -> Iterator[Fault]:
    """Yield what is odd about customers as a whole: empty segments, and a sign of left truncation."""
    there = [s for s in dict.fromkeys(segments) if s in customers.columns]
    if there:
        empty = customers.aggregate(**{s: customers[s].isnull().sum() for s in there}).execute().iloc[0]
        for column, n in empty.items():
            if n:
                text = f"customers.{column} is empty in {counted(int(n), 'row')}; they count as (missing)."
                yield Fault("customers", str(column), "segment empty", "warning", int(n), text)
    if "started_on" in customers.columns and not truncation_known:
        yield from _truncated(customers)


def _truncated(customers: ir.Table) -> Iterator[Fault]:
    first = customers.churned_on.min().execute()
    if pd.isna(first):
        return
    day = pd.Timestamp(first).date()
    n = int(customers.filter(customers.started_on <= day - timedelta(days=180)).count().execute())
    if n >= 100:
        text = (
            f"customers has {n:,} customers who started at least 180 days before the first recorded churn ({day}): "
            "earlier losses seem unrecorded. Set observed_from in cslib.toml."
        )
        yield Fault("customers", "churned_on", "left truncation", "warning", n, text)


def keep(tables: Tables, where: str) -> dict[str, ir.Table]:
    """Keep the customers that meet ``where``, in every table that has customers.

    Raises
    ------
    ParameterError
        It cannot be read, names a column that no table has, or leaves nothing.
    """
    tables = dict(tables)
    for column, sign, value in _conditions(where):
        holders = [n for n, t in tables.items() if column in t.columns]
        if not holders:
            there = {c for t in tables.values() for c in t.columns}
            msg = f"where={where!r}: no table has the column {column!r}. {did_you_mean(column, there)}"
            raise ParameterError(msg)
        main = tables["customers" if "customers" in holders else holders[0]]
        text = main[column].cast("string").fill_null("(missing)")
        kept = main.filter(text == value if sign == "=" else text != value)
        if not int(kept.count().execute()):
            values = main.select(value=text).distinct().limit(20).execute()["value"]
            msg = f"where={where!r} leaves nothing. {did_you_mean(value, values)}"
            raise ParameterError(msg)
        ids = kept.select("customer_id").distinct()
        tables = {
            n: t.filter(t.customer_id.isin(ids.customer_id)) if "customer_id" in t.columns else t
            for n, t in tables.items()
        }
    return tables


def _conditions(where: str) -> list[tuple[str, str, str]]:
    conditions = []
    for part in re.split(r"\s+and\s+", where.strip()):
        match = re.fullmatch(r"\s*([^=!]+?)\s*(!?=)\s*(.+?)\s*", part)
        if not match:
            msg = (
                f"where={where!r} cannot be read at {part!r}. Write column=value or column!=value, joined with ' and '."
            )
            raise ParameterError(msg)
        conditions.append((match[1], match[2], match[3]))
    return conditions


def statistics(name: str, table: ir.Table) -> dict[str, Any]:
    """Rows, first and last day, sums of numbers, and for customers the share still here; plain values."""
    numbers = [c for c in table.columns if table[c].type().is_floating()]
    measures = {"rows": table.count()}
    if MOMENT[name] in table.columns:
        moment = table[MOMENT[name]].cast("date")
        measures |= {"first": moment.min(), "last": moment.max()}
    measures |= {f"sum_{c}": table[c].sum() for c in numbers}
    if name == "customers":
        measures["share_censored"] = (
            (~table.churned).mean() if "churned" in table.columns else table.churned_on.isnull().mean()
        )
    row = table.aggregate(**measures).execute().iloc[0].to_dict()
    return {k: _plain(v) for k, v in row.items()}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, (pd.Timestamp, date)):
        return pd.Timestamp(value).date().isoformat()
    return int(value) if float(value).is_integer() else float(f"{float(value):.12g}")
