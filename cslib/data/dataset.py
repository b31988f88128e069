"""A data set: its tables as they are after checks, cut at ``as_of``, and what is known about them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.contract import CONTRACT, ENDS, MOMENT, MORE, TENURE, Fault
from cslib.data.engine import earliest, held
from cslib.errors import DataError, MissingTableError, ParameterError, counted, did_you_mean

ENDING: Final = {n: c for n, c in ENDS.items() if n != "invoices"} | {"surveys": "answered_on"}
TELLS: Final = {"churned_on": "churn_kind", "answered_on": "score"}  # unknown until then, too
READ: Final[list[str]] = []  # the table asked for last, for a report to tell where it stopped
CONDITION: Final = re.compile(r'\s*([^=!]+?)\s*(!?=)\s*(?:"((?:[^"]|"")*)"|(.+?))\s*(?:\s+and\s+(?=\S)|$)', re.S)
BOOKED: Final = ("costs", "rates")  # whose months may lie ahead
Found = TypeVar("Found")
Tables = Mapping[str, ir.Table]
Spans = Mapping[str, Mapping[str, tuple[date, date]]]


def spans_of(tables: Tables) -> Spans:
    """First and last day of every date column, by table and column; columns without any are left out."""
    return {name: _span(name, table) for name, table in tables.items()}


def _span(name: str, table: ir.Table) -> dict[str, tuple[date, date]]:
    days = {c: table[c].cast("date") for c in (MOMENT[name], ENDING.get(name, "")) if c in table.columns}
    if not days:
        return {}
    ends = {f"{end}_{c}": getattr(day, end)() for c, day in days.items() for end in ("min", "max")}
    found = {c: pd.Timestamp(day) for c, day in table.aggregate(**ends).execute().iloc[0].items()}
    known = [c for c in days if pd.notna(found[f"min_{c}"])]
    return {c: (found[f"min_{c}"].date(), found[f"max_{c}"].date()) for c in known}


def last_day(spans: Spans) -> tuple[date, str] | None:
    """Latest day on which something started or happened, and the column that says so.

    Ends may be planned and costs budgeted, so they do not count. Only where ``customers`` stands alone
    do its ``churned_on``, up to ten years after the last start (later ones stand for never).
    """
    days = [(own[MOMENT[n]][1], f"{n}.{MOMENT[n]}") for n, own in spans.items() if n not in BOOKED and MOMENT[n] in own]
    answers = spans.get("surveys", {}).get("answered_on")
    if answers:
        days.append((answers[1], "surveys.answered_on"))
    churn = spans.get("customers", {}).get("churned_on")
    if churn and len(days) == 1 and churn[1] - days[0][0] < timedelta(days=3653):
        days.append((churn[1], "customers.churned_on"))
    return max(days, default=None)


def cut(tables: Tables, spans: Spans, as_of: date) -> dict[str, ir.Table]:
    """Leave out what happened after ``as_of``; what ends later is still open then."""
    return {name: _cut(name, table, as_of, _later(spans[name], as_of)) for name, table in tables.items()}


def _later(own: Mapping[str, tuple[date, date]], as_of: date) -> list[str]:
    return sorted(column for column, (_, last) in own.items() if last > as_of)


def what_is_cut(tables: Tables, spans: Spans, as_of: date) -> list[Fault]:
    """Say how many rows :func:`cut` leaves out or open, and how ``as_of`` lies to the data."""
    faults = [_late(name, table, c, as_of) for name, table in tables.items() for c in _later(spans[name], as_of)]
    last = last_day(spans)
    if last and as_of - last[0] > timedelta(days=31):
        text = f"Nothing happened after {last[0]} ({last[1]}): is as_of {as_of} right?"
        faults.append(Fault("", "as_of", "late as_of", "warning", 0, text))
    if (as_of + timedelta(days=1)).day != 1:
        text = f"{as_of:%B %Y} is observed only up to {as_of}; what needs the whole month is left empty."
        faults.append(Fault("", "as_of", "unfinished period", "warning", 0, text))
    return faults


def _late(name: str, table: ir.Table, column: str, as_of: date) -> Fault:
    n = int((table[column].cast("date") > as_of).sum().execute())
    what = "left out" if column == MOMENT[name] else "planned or later ends: open at as_of"
    what = "which count as not answered" if column == "answered_on" else what
    text = f"{name}.{column} is after as_of {as_of} in {counted(n, 'row')}, {what}."
    return Fault(name, column, "after as_of", "warning", n, text)


def _cut(name: str, table: ir.Table, as_of: date, late: list[str]) -> ir.Table:
    if MOMENT[name] in late:
        table = table.filter(table[MOMENT[name]].cast("date") <= as_of)
    for end in (column for column in late if column != MOMENT[name]):
        later = (table[end] > as_of).fill_null(False)
        unknown = [c for c in (end, TELLS.get(end, "")) if c in table.columns]
        table = table.mutate(**{c: ibis.ifelse(later, ibis.null(table[c].type()), table[c]) for c in unknown})
    return table


def derive_customers(subscriptions: ir.Table) -> ir.Table:
    """Make customers of paid subscriptions: first start, last end where nothing runs, columns as at the first.

    Who never paid (free accounts, trials) is no customer, unless nobody ever paid, so that no prices seem to be known.
    """
    not_theirs = {*CONTRACT["subscriptions"], *CONTRACT["customers"], *TENURE, "currency"}
    extra = [c for c in subscriptions.columns if c not in not_theirs]
    if (subscriptions.mrr > 0).any().execute():
        subscriptions = subscriptions.filter(subscriptions.mrr > 0)
    running = subscriptions.ended_on.isnull().any()
    left = ibis.ifelse(running, ibis.null("date"), subscriptions.ended_on.max())
    ends = {"started_on": subscriptions.started_on.min(), "churned_on": left}
    first = {c: earliest(subscriptions[c], subscriptions.started_on) for c in extra}
    return subscriptions.group_by("customer_id").aggregate(**ends, **first)


def with_columns(name: str, table: ir.Table, listed: ir.Table) -> ir.Table:
    """Give rows the columns of their customer that they do not have, that tell no day and mean nothing of their own."""
    meant = (*CONTRACT["customers"], *TENURE, *CONTRACT[name], *MORE.get(name, ()))
    taken = {c.lower() for c in (*table.columns, *meant)}
    own = [c for c in listed.columns if c.lower() not in taken]
    if "customer_id" not in table.columns or not own:
        return table
    rows = listed.select(*own, __listed="customer_id")
    return table.left_join(rows, table.customer_id == rows["__listed"]).select(*table.columns, *own)


def fatal(data: DataSet, faults: Collection[Fault]) -> bool:
    """Tell whether faults leave nothing to work on: no table is sound, or one concerns all."""
    errors = [f for f in faults if f.severity == "error"]
    return bool(errors) and (not data.tables or not all(f.table for f in errors))


def ended_with_churn(tables: Tables) -> dict[str, ir.Table]:
    """Let no subscription run on after its customer left; one that begins later is kept: the customer came back."""
    if not {"customers", "subscriptions"} <= tables.keys() or "churned_on" not in tables["customers"].columns:
        return dict(tables)
    rows, left = tables["subscriptions"], tables["customers"].select("customer_id", __left="churned_on")
    both = rows.left_join(left, "customer_id").select(*rows.columns, "__left")
    too_long = (both.started_on <= both["__left"]) & (both.ended_on.isnull() | (both.ended_on > both["__left"]))
    if not both.filter(too_long).count().execute():
        return dict(tables)
    ended = both.mutate(ended_on=ibis.ifelse(too_long, both["__left"], both.ended_on)).drop("__left")
    return {**tables, "subscriptions": ended}


def keep(tables: Tables, where: str) -> dict[str, ir.Table]:
    """Keep the customers that meet every condition of ``where``, in every table that has customers.

    A condition reads the column in ``customers``, or else in the first table that has it: then rows of
    that table that do not meet it go as well.

    Raises
    ------
    ParameterError
        It cannot be read, names a column that no table of customers has, or leaves nothing.
    """
    kept = dict(tables)
    for column, sign, value in _conditions(str(where)):
        holder = _holder(tables, column, f"where={where!r}")
        meets = _meets(tables[holder][column], sign, value)
        ids = held(tables[holder].filter(meets).select("customer_id").distinct())  # asked by every table
        if not int(ids.count().execute()):
            values = tables[holder].select(value=_shown(tables[holder][column])).distinct().limit(20).execute()
            msg = f"where={where!r} leaves nothing. {did_you_mean(value, values['value'])}"
            raise ParameterError(msg)
        if holder != "customers":
            kept[holder] = kept[holder].filter(_meets(kept[holder][column], sign, value))
        theirs = {n: t for n, t in kept.items() if "customer_id" in t.columns}
        kept |= {n: t.filter(t.customer_id.isin(ids.customer_id)) for n, t in theirs.items()}
    msg = f"where={where!r} leaves nothing: no customer meets all of it. Leave a condition out."
    ParameterError.when(not any(int(t.count().execute()) for t in kept.values() if "customer_id" in t.columns), msg)
    return kept


def _holder(tables: Tables, column: str, asked: str) -> str:
    owned = {n: t.columns for n, t in tables.items() if "customer_id" in t.columns}
    holders = [n for n, columns in owned.items() if column in columns]
    if not holders:
        there = {c for columns in owned.values() for c in columns}
        msg = f"{asked}: no table has the column {column!r}. {did_you_mean(column, there)}"
        raise ParameterError(msg)
    return "customers" if "customers" in holders else holders[0]


def _shown(column: ir.Value) -> ir.Value:
    return column.cast("string").fill_null("(missing)")


def _meets(column: ir.Value, sign: str, value: str) -> ir.BooleanValue:
    same = _shown(column) == value
    if column.type().is_numeric():
        with suppress(ValueError):  # no number is left as text
            same = (column.cast("float64") == float(value)).fill_null(False)
    return same if sign == "=" else ~same


def _conditions(where: str) -> list[tuple[str, str, str]]:
    conditions, rest = [], where.strip()
    while rest:
        match = CONDITION.match(rest)
        if not match:
            msg = f"where={where!r} cannot be read at {rest!r}."
            msg += (
                " Write column=value or column!=value, joined with ' and '; a value that holds ' and ' in quotes (\")."
            )
            raise ParameterError(msg)
        column, sign, quoted, plain = match.groups()
        conditions.append((column, sign, plain if quoted is None else quoted.replace('""', '"')))
        rest = rest[match.end() :]
    return conditions


def values_of(data: DataSet, column: str) -> list[str]:
    """List the values of a column as ``where`` takes them, in alphabetical order.

    Raises
    ------
    ParameterError
        No table of customers has it.
    """
    table = data.table(_holder(data.tables, column, f"each={column!r}"))
    return sorted(table.select(value=_shown(table[column])).distinct().execute()["value"])


def _statistics(name: str, table: ir.Table) -> dict[str, Any]:
    """Rows, first and last day, sums of numbers, and for customers the share still here; plain values."""
    measures = {"rows": table.count()}
    if MOMENT[name] in table.columns:
        moment = table[MOMENT[name]].cast("date")
        measures |= {"first": moment.min(), "last": moment.max()}
    measures |= {f"sum_{c}": table[c].sum() for c in table.columns if table[c].type().is_floating()}
    if name == "customers":
        dated = "churned_on" in table.columns
        measures["share_censored"] = (table.churned_on.isnull() if dated else ~table.churned).mean()
        measures |= {} if dated else {"least_tenure": table.tenure_months.min()}
    row = table.aggregate(**measures).execute().iloc[0].to_dict()
    return {k: _plain(v) for k, v in row.items()}


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, (pd.Timestamp, date)):
        return pd.Timestamp(value).date().isoformat()
    return int(value) if float(value).is_integer() else float(f"{float(value):.12g}")


@dataclass(frozen=True)
class DataSet:
    """Canonical tables of one data set, cut at ``as_of``; made by :func:`cslib.load`.

    Attributes
    ----------
    tables
        Lazy Ibis tables by name of the contract.
    as_of
        Last fully observed day; None where the tables hold no date at all.
    as_of_declared
        Whether it was given or declared; else it is the last day of the data.
    currency
        ISO code of every amount, or empty.
    gross_margin
        The share of revenue that is margin; 0: not declared.
    value_feature
        The feature whose first use is when customers get value; empty: not declared.
    observed_from
        First day from which churn was recorded, or None: customers enter the risk set then.
    pause_months
        How many months may end in a gap between subscriptions that is a pause.
    segments
        Columns declared as segments.
    targets
        The ``[targets]`` of ``cslib.toml``.
    faults
        Every fault found, errors first.
    set_aside
        Faulty rows, by table, which goes without them or is not there at all: ``reason``, ``row`` (of the rows that
        can be read, from 1) and raw columns; for broken lines ``line`` (in the file) and ``text``.
    accounts
        Tables that account for how others were made, by name: the ``reconciliation`` of invoices and MRR.
    label
        The name of the data set in reports.
    notes
        What a reader should know of how the tables were made.
    derived
        Tables that are not in the data but made of others: their churn is seen with hindsight.
    listed
        Whether ``customers`` only lists attributes: it is no table then.
    statistics
        By table: rows, first and last day, sums of numbers.
    unfiltered
        Makes the same without ``where``, for :attr:`everybody`; None where nobody was left out.
    whole
        Makes the data of which these are the customers of one segment, see :func:`cslib.data.customers.segment_of`:
        whether churn has changed is judged there, so that a segment is told alike alone and beside the others.
    segment
        The column and the value of that segment.
    answers
        What a warehouse told while its tables were read and checked, by query.
    kept
        What :meth:`made` has made and :meth:`found` has found, by name.
    """

    tables: Mapping[str, ir.Table]
    as_of: date | None = None
    currency: str = ""
    observed_from: date | None = None
    pause_months: int = 0
    segments: tuple[str, ...] = ()
    targets: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    set_aside: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    accounts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    label: str = ""
    notes: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    listed: bool = False
    as_of_declared: bool = False
    gross_margin: float = 0.0
    value_feature: str = ""
    statistics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unfiltered: Callable[[], DataSet] | None = field(default=None, repr=False, compare=False)
    whole: Callable[[], DataSet] | None = field(default=None, repr=False, compare=False)
    segment: tuple[str, str] = ("", "")
    answers: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def everybody(self) -> DataSet:
        """The same data set without ``where``, itself where there was none; no file is read anew.

        Costs are booked for all customers, so what is set against them is, too.
        """
        return replace(self.unfiltered(), faults=self.faults) if self.unfiltered else self

    def margin(self, asked: float = 0.0) -> float:
        """Give the share of revenue that counts as margin: as asked for, else as declared, else all of it."""
        return asked or self.gross_margin or 1.0

    def table(self, name: str) -> ir.Table:
        """Return one table, or say how to supply it.

        Raises
        ------
        DataError
            It has faults.
        MissingTableError
            The data set has no such table.
        """
        if name in self.tables:
            READ[:] = [name]
            return self.tables[name]
        broken = [f.message for f in self.faults if f.severity == "error" and f.table == name]
        msg = f"{name} of {self.label} has {counted(len(broken), 'fault')}:\n" + "\n".join(f"- {m}" for m in broken)
        DataError.when(broken, msg)
        msg = f"customers of {self.label} only lists attributes, and this needs to know when customers came and left. "
        msg += 'Map the columns that say so: columns = { started_on = "…", churned_on = "…" } in [customers].'
        MissingTableError.when(name == "customers" and self.listed, msg)
        columns = ", ".join(c for c, s in CONTRACT.get(name, {}).items() if s.required)
        msg = f"{self.label or 'The data set'} has no table {name!r}, which this needs (columns: {columns})."
        msg += f" There are: {', '.join(self.tables)}. Add {name}.csv, or map it in cslib.toml."
        raise MissingTableError(msg)

    def has_dates(self, name: str) -> bool:
        """Tell whether a table is there with the dates of its contract (``customers`` may have tenures)."""
        return name in self.tables and MOMENT[name] in self.tables[name].columns

    @cached_property
    def whole_tenures(self) -> bool:
        """Tell whether the tenures of customers are whole months; asked of the engine once."""
        tenure = self.table("customers").tenure_months.cast("float64")
        return bool((tenure == tenure.round()).all().execute())

    def made(self, name: str, make: Callable[[], ir.Table]) -> ir.Table:
        """Give what was made of the tables for one analysis and serves others, too."""
        return self.found(name, lambda: held(make()))

    def found(self, name: str, find: Callable[[], Found]) -> Found:
        """Give what was found out of the tables once; who gets what can be changed takes a copy."""
        if name not in self.kept:
            self.kept[name] = find()
        found: Found = self.kept[name]
        return found

    def _ipython_display_(self) -> None:
        from cslib.show import display

        display.data_check(self.describe())
        for name, rows in self.set_aside.items():
            what = "left out" if name in self.tables else "with a fault"
            display.table(rows, name=f"set_aside_{name}", caption=f"Rows of {name} {what}")
        for name, rows in self.accounts.items():
            display.table(rows, name=name, caption="What was invoiced, and what of it is MRR")

    def describe(self) -> dict[str, Any]:
        """Return what a reader must know of the data before the figures: plain values, ready for JSON.

        Returns
        -------
        dict
            ``source, as_of, as_of_declared, currency, gross_margin, value_feature, fingerprint, tables`` (a list of
            ``table, rows, first, last, set_aside, note``), ``share_censored`` (share of customers still here),
            ``notes``, ``warnings``.
        """
        tables = []
        for name in self.tables:
            known = {k: self.statistics[name].get(k) for k in ("rows", "first", "last")}
            tables.append({"table": name, "set_aside": len(self.set_aside.get(name, ())), "note": "", **known})
        fingerprint = hashlib.sha256(json.dumps(self.statistics, default=str).encode()).hexdigest()[:12]
        check: dict[str, Any] = {"source": self.label, "as_of": self.as_of.isoformat() if self.as_of else None}
        check |= {
            "as_of_declared": self.as_of_declared,
            "currency": self.currency or None,
            "gross_margin": self.gross_margin or None,
            "value_feature": self.value_feature or None,
            "fingerprint": fingerprint,
            "tables": tables,
        }
        check["share_censored"] = self.statistics.get("customers", {}).get("share_censored")
        return check | {"notes": list(self.notes), "warnings": [f.message for f in self.faults]}


def rewind(data: DataSet, day: date) -> DataSet:
    """Go back to what was known at the end of an earlier day; no file is read anew.

    Parameters
    ----------
    data
        As from :func:`load`.
    day
        From ``observed_from`` to ``as_of``.

    Returns
    -------
    DataSet
        Tables as ``load`` with this ``as_of`` gives them. Faults and notes stay those of the whole; what ``where``
        kept stays kept, even if a row that came later made the difference.

    Raises
    ------
    ParameterError
        The day is not one of those observed.
    """
    msg = f"day is {day}. Give one from {data.observed_from or 'the first'} to {data.as_of or 'as_of (unknown)'}."
    ParameterError.when(data.as_of is None or not (data.observed_from or date.min) <= day <= data.as_of, msg)
    spans = data.found("days", lambda: spans_of(data.tables))
    anew = {"customers"} & {*data.derived}  # what is made of billing has its days, and is cut as what it is made of
    known = cut({n: t for n, t in data.tables.items() if n not in anew}, spans, day)
    derived = {}
    if anew:
        made = derive_customers(known["subscriptions"])
        derived = {"customers": with_columns("customers", made, data.tables["customers"])}
    unfiltered = (lambda: rewind(data.everybody, day)) if data.unfiltered else None
    whole = (lambda whole=data.whole: rewind(whole(), day)) if data.whole else None
    tables = {**derived, **known}
    return replace(data, tables=tables, as_of=day, unfiltered=unfiltered, whole=whole, statistics=_WhenAsked(tables))


def counted_anew(data: DataSet) -> DataSet:
    """Give a data set the statistics of its tables."""
    return replace(data, statistics={n: _statistics(n, t) for n, t in data.tables.items()})


class _WhenAsked(dict[str, dict[str, Any]]):
    """The statistics of tables, each counted once it is asked for: few are, of days gone by."""

    def __init__(self, tables: Tables) -> None:
        super().__init__()
        self._tables = tables

    def __missing__(self, name: str) -> dict[str, Any]:
        self[name] = _statistics(name, self._tables[name])
        return self[name]
