"""Load a data set: canonical, checked, lazy tables with one declared last day.

>>> import pandas as pd
>>> orders = pd.DataFrame({"customer_id": ["007", "007"], "ordered_on": ["2025-01-03", "2025-02-01"], "amount": [5, 6]})
>>> data = load({"orders": orders})
>>> data.as_of.isoformat(), int(data.table("orders").count().execute())
('2025-02-01', 2)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.checks import SET_ASIDE, Checked, check_columns, check_relations, check_rows, suspicions
from cslib.data.config import Config, TableLike, TableOptions, read_config
from cslib.data.contract import ENDS, FIRST_YEAR, LAST_YEAR, ROW, Fault, filled, of_other_form, specification
from cslib.data.dataset import (
    DataSet,
    Spans,
    counted_anew,
    cut,
    derive_customers,
    ended_with_churn,
    keep,
    last_day,
    spans_of,
    what_is_cut,
)
from cslib.data.engine import can_try, remembering, session_zone
from cslib.data.limit import Limit
from cslib.data.lives import lives, paying, settled
from cslib.data.snapshot import SUFFIX, at_hand, made_from, named
from cslib.data.sources import Raw, as_made, mapped, open_tables, reading
from cslib.errors import DataError, ParameterError, counted

DERIVED: Final = (
    "customers is not there: it is derived from paid subscriptions (start: the first start; churned: the last end "
    "where nothing runs; other columns: as in the first subscription)."
)
PAYERS: Final = (
    "A customer is who pays: from the first paid day until nothing is paid any more. Who pays again after a gap in "
    "which {} counts as gone and back, each time anew ({} times so far)."
)


def load(
    data: str | Path | Mapping[str, TableLike] = "",
    *,
    as_of: str | date = "",
    where: str = "",
    pause_months: int | None = None,
) -> DataSet:
    """Open a data set, check it and cut it at ``as_of``.

    Parameters
    ----------
    data
        A folder, a ``cslib.toml``, one CSV or Parquet file named after its table, a ``.cslib`` file as from
        ``cslib load``, a connection URL that Ibis understands, or a mapping of table name to DataFrame, path
        or Ibis table (whose connection must speak UTC where its times have a zone; its settings are left
        alone). Empty: the nearest folder ``data`` at or above the working directory.
    as_of
        Last fully observed day, over the declared one. Without either it is the latest day on which
        something started or happened. Ends do not count, because they may be planned, nor do costs,
        which may be budgets; only where ``customers`` stands alone does its latest ``churned_on``
        count, up to ten years after the latest start. Declare it where you know it.
    where
        Keep some customers only: ``plan=Pro``, ``region!=EMEA``, several joined with `` and ``. Each
        condition is about ``customers``, or else the first table with that column: a customer with
        such a row stays, and of that table such rows only.
    pause_months
        Over the declared one: who pays again after a gap in which no more than so many months end had paused, and
        had not left. Who left is then known only so many months later. 0, the usual: a gap in which a month ends is
        churn and return.

    Returns
    -------
    DataSet

    Raises
    ------
    DataError
        The data break the contract: one message lists every fault.
    LimitError
        It takes longer than ``CSLIB_LOAD_LIMIT`` (in the environment; seconds, 1,800 unless set).
    ParameterError
        ``data`` is not there, ``as_of`` is no date, ``where`` cannot be read, or ``pause_months`` is negative.
    """
    result = _loaded(data, as_of=as_of, pause_months=pause_months)
    errors = [f.message for f in result.faults if f.severity == "error"]
    if errors:
        msg = f"{result.label} has {counted(len(errors), 'fault')}:\n" + "\n".join(f"- {e}" for e in errors)
        raise DataError(msg)
    return _only(result, where) if where else result


def _loaded(
    data: str | Path | Mapping[str, TableLike], *, as_of: str | date, pause_months: int | None = None
) -> DataSet:
    """Take what was loaded before, for all reports of a run or into a file that is named; else load it now."""
    if isinstance(data, (str, Path)):
        if str(data).endswith(SUFFIX) and Path(data).is_file():
            return named(Path(data), as_of=as_of, pause_months=pause_months, day=_day)
        known = at_hand(made_from(data, as_of, pause_months))
        if isinstance(known, DataSet):
            return known
        return _examine(data, as_of=as_of, pause_months=pause_months, known=known)
    return _examine(data, as_of=as_of, pause_months=pause_months)


def check(data: str | Path | Mapping[str, TableLike] = "", *, as_of: str | date = "") -> DataSet:
    """Open a data set and report every fault without stopping at errors.

    Parameters
    ----------
    data, as_of
        As in :func:`load`.

    Returns
    -------
    DataSet
        Its ``faults`` hold errors and warnings; tables with errors are missing from it.

    Raises
    ------
    DataError
        The configuration cannot be read, or the connection cannot be made.
    """
    return _loaded(data, as_of=as_of)


def _examine(
    data: str | Path | Mapping[str, TableLike],
    *,
    as_of: str | date,
    pause_months: int | None = None,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> DataSet:
    with remembering(known) as answers:
        return replace(_read(data, as_of=as_of, pause_months=pause_months), answers=answers)


def _read(data: str | Path | Mapping[str, TableLike], *, as_of: str | date, pause_months: int | None = None) -> DataSet:
    if pause_months is not None and pause_months < 0:
        msg = f"pause_months is {pause_months}. Give 0 or more: how many months may end in a gap that is a pause."
        raise ParameterError(msg)
    config = read_config(data)
    sold = config.tables.get("subscriptions", TableOptions())
    pause = sold.pause_months if pause_months is None else pause_months
    config = replace(config, as_of=as_of or config.as_of)
    limit = Limit()
    con, raws, failures = open_tables(config, limit)
    checked: dict[str, Checked] = {}
    found: list[Fault] = []
    notes: list[str] = []
    for name, raw in raws.items():
        try:
            with limit.of(con, name), reading(name):
                checked |= _check_table(con, name, raw, config.tables.get(name, TableOptions()), found, notes)
        except DataError as error:
            failures[name] = str(error)
    found += [Fault(n, "", "unreadable table", "error", 0, m) for n, m in failures.items()]
    with limit.of(con, config.label), reading(config.label):
        return _data_set(config, checked, found, notes, pause)


def _data_set(
    config: Config, checked: dict[str, Checked], found: list[Fault], notes: list[str], pause_months: int
) -> DataSet:
    tables = {n: c.table for n, c in checked.items()}
    currency, mixed = _currency(config, tables)
    spans = spans_of(tables)
    day, said = _as_of(config.as_of, spans)
    segments = tuple(s for o in config.tables.values() for s in o.segments)
    aside = {n: c.set_aside for n, c in checked.items() if len(c.set_aside)}
    more: Any = {"targets": config.targets, "set_aside": aside, "label": config.label, "notes": (*notes, *said)}
    result = DataSet(tables, day, currency, _observed_from(config, day), pause_months, segments, **more)
    faults = [*found, *mixed]
    if not any(f.severity == "error" for f in faults):
        result, more = _complete(result, spans)
        faults += more
    return replace(result, faults=tuple(sorted(faults, key=lambda f: f.severity)))


def _check_table(
    con: ibis.BaseBackend, name: str, raw: Raw, options: TableOptions, found: list[Fault], notes: list[str]
) -> dict[str, Checked]:
    """Check one table, add to ``found`` and ``notes``, and return it by name if it is sound."""
    table = mapped(name, raw.table, options.columns, notes)
    spec = specification(name, tuple(table.columns))
    unmapped = [c for c in options.columns.values() if c not in raw.table.columns]
    faults = check_columns(name, table, spec, (*unmapped, *options.segments, *options.reading.numbers))
    if twice := of_other_form(name, tuple(table.columns)):
        table = table.drop(*twice)
        notes.append(f"{name} says how long customers stayed in two ways; {' and '.join(twice)} not used.")
    result = None
    if not any(f.column in spec for f in faults):
        result = check_rows(name, replace(raw, table=table), spec, options.reading, try_cast=can_try(con))
        faults += [_as_set_aside(f) if options.on_fault == "set_aside" else f for f in result.faults]
        notes += [f"{name}.{c} has times with a zone; they were converted to UTC." for c in result.zoned]
        faults += _foreign_zone(con, name, result.zoned)
    if isinstance(options.table, (pd.DataFrame, ir.Table)):
        faults = [_for_memory(f) for f in faults]
    found += faults
    if result is None or any(f.severity == "error" for f in faults):
        return {}
    if options.ends == "inclusive":
        result = replace(result, table=_exclusive(result.table, ENDS[name]))
    if ROW in table.columns and con.name == "duckdb":
        result = replace(result, table=as_made(con, ibis.util.gen_name("cslib"), result.table))
    if len(result.set_aside) and not int(result.table.count().execute()):
        text = f"All rows of {name} have faults, so nothing is left. Correct them at the source."
        found.append(Fault(name, "", "empty table", "error", result.n_rows, text))
        return {}
    return {name: result}


def _exclusive(table: ir.Table, end: str) -> ir.Table:
    """Take the last day of a row for the day before its end."""
    return table.mutate(**{end: table[end] + ibis.interval(days=1)}) if end in table.columns else table


def _foreign_zone(con: ibis.BaseBackend, name: str, zoned: tuple[str, ...]) -> list[Fault]:
    zone = session_zone(con) if zoned else "UTC"
    if zone in ("UTC", "Etc/UTC", "GMT"):
        return []
    text = f"{name}.{zoned[0]} has times with a zone, and your connection speaks {zone}."
    text += " Run SET TimeZone = 'UTC' on it first."
    return [Fault(name, zoned[0], "session zone", "error", 0, text)]


def _for_memory(fault: Fault) -> Fault:
    """Leave out advice that needs a ``cslib.toml``, which a mapping does not have."""
    message = fault.message.replace(SET_ASIDE, "Correct them first.")
    message = re.sub(r" in the file, or map it: .* of cslib\.toml\.|, or set date_format[^.]*\.", ".", message)
    return replace(fault, message=re.sub(r"Set true_values = .*?\. ", "Make it boolean. ", message))


def _as_set_aside(fault: Fault) -> Fault:
    if fault.severity == "warning" or not fault.n_rows:
        return fault
    found = fault.message.split("). ")[0] + ")"
    return replace(fault, severity="warning", message=f"{found}: these rows are left out (set_aside_{fault.table}).")


def _day(value: str | date, what: str) -> date:
    try:
        if not isinstance(value, (str, date, np.datetime64)):
            raise TypeError
        day = pd.Timestamp(datetime.fromisoformat(value.strip()) if isinstance(value, str) else value).date()
    except (TypeError, ValueError) as error:
        msg = f"{what} is {value!r}, which is no date. Write it as YYYY-MM-DD."
        raise ParameterError(msg) from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        msg = f"{what} is {day}, outside {FIRST_YEAR}–{LAST_YEAR}. Give the last fully observed day."
        raise ParameterError(msg)
    return day


def _observed_from(config: Config, as_of: date | None) -> date | None:
    if not config.observed_from:
        return None
    day = _day(config.observed_from, "observed_from")
    if as_of and day > as_of:
        msg = f"observed_from {day} is after all data (as_of {as_of}). Give the first day with recorded churn."
        raise ParameterError(msg)
    return day


def _currency(config: Config, tables: Mapping[str, ir.Table]) -> tuple[str, list[Fault]]:
    found = {config.currency.strip().upper()} - {""}
    for table in tables.values():
        if "currency" in table.columns:
            values = table.select(currency=filled(table["currency"]).upper()).distinct().limit(6).execute()
            found |= set(values["currency"].dropna())
    if len(found) < 2:
        return next(iter(found), ""), []
    text = f"Amounts are in {len(found)} currencies ({', '.join(sorted(found))}). Convert them to one, and declare it."
    return "", [Fault("", "currency", "two currencies", "error", len(found), text)]


def _as_of(declared: str | date, spans: Spans) -> tuple[date | None, list[str]]:
    if declared:
        day = _day(declared, "as_of")
        first = min(((low, f"{n}.{c}") for n, own in spans.items() for c, (low, _) in own.items()), default=None)
        if first and day < first[0]:
            msg = f"as_of {day} is before all data (first: {first[1]} on {first[0]}). Give a day after that."
            raise ParameterError(msg)
        return day, []
    last = last_day(spans)
    if not last:
        return None, []
    what = "churn" if last[1] == "customers.churned_on" else "start or event"
    note = f"as_of is not declared: the latest {what} is taken, {last[0]} in {last[1]}; planned ends do not count."
    return last[0], [note]


def _payers(data: DataSet) -> list[str]:
    """Say who is a customer, how many only have an account, and of how many customers tells another story."""
    if not paying(data):
        return []
    rows = lives(data).group_by("customer_id")
    rows = rows.aggregate(
        begun=ibis._.started_on.min(), here=ibis._.here.any(), ended=ibis._.churned_on.max(), n_lives=ibis._.count()
    )
    left = ibis.ifelse(rows.here, ibis.null("date"), rows.ended)
    own = data.table("customers" if "customers" not in data.derived else "subscriptions")
    paid = own.select("customer_id").distinct().left_join(rows.mutate(left=left), "customer_id")
    sums = {"free": paid.begun.isnull().sum().fill_null(0), "again": (paid.n_lives - 1).sum().fill_null(0)}
    sums["other"] = ibis.literal(0)
    if "customers" not in data.derived:
        both = rows.mutate(left=left).join(own.select("customer_id", s="started_on", e="churned_on"), "customer_id")
        same = (both.begun == both.s) & (both.left.identical_to(both.e))
        sums["other"] = (~same).sum().fill_null(0).as_scalar()
    free, again, other = (int(n) for n in paid.aggregate(**sums).execute().iloc[0])
    who = counted(free, "account") + (" has" if free == 1 else " have")
    unpaid = f"{who} never paid (free, or a trial): no customers, and in no rate, value or price."
    differ = f"{counted(other, 'customer')} began or stopped paying on another day than customers says: payment counts."
    gap = f"more than {counted(data.pause_months, 'month')} ended" if data.pause_months else "a month ended"
    known = f" Who left is known up to {settled(data)}." * bool(data.pause_months)
    return [PAYERS.format(gap, f"{again:,}") + known, *[unpaid] * bool(free), *[differ] * bool(other)]


def _complete(data: DataSet, spans: Spans) -> tuple[DataSet, list[Fault]]:
    """Cut at ``as_of``, derive customers, and add what only whole tables can tell."""
    faults = list(check_relations(data.tables))
    tables, notes = dict(data.tables), list(data.notes)
    if data.as_of:
        faults += what_is_cut(tables, spans, data.as_of)
        tables = cut(tables, spans, data.as_of)
    if "customers" not in tables and "subscriptions" in tables:
        tables = {"customers": derive_customers(tables["subscriptions"]), **tables}
        notes.append(DERIVED)
        data = replace(data, derived=("customers",))
    faults += suspicions(tables, data.segments, truncation_known=data.observed_from is not None)
    data = counted_anew(replace(data, tables=ended_with_churn(tables)))
    notes += _payers(data)
    return replace(data, notes=tuple(notes)), faults


def _only(data: DataSet, where: str) -> DataSet:
    with reading(data.label):
        kept, notes = keep(data.tables, where), (*data.notes, f"Only customers with {where}.")
        return counted_anew(replace(data, tables=kept, notes=notes, unfiltered=lambda: data))
