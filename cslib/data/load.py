"""Load a data set: canonical, checked, lazy tables with one declared last day.

>>> import pandas as pd
>>> orders = pd.DataFrame({"customer_id": ["007", "007"], "ordered_on": ["2025-01-03", "2025-02-01"], "amount": [5, 6]})
>>> data = load({"orders": orders})
>>> data.as_of.isoformat(), int(data.table("orders").count().execute())
('2025-02-01', 2)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.billing import billed
from cslib.data.checks import (
    CORRECT,
    OTHERWISE,
    SET_ASIDE,
    Checked,
    check_columns,
    check_rows,
)
from cslib.data.config import SOLD, Config, TableLike, TableOptions, read_config
from cslib.data.contract import ENDS, FIRST_YEAR, LAST_YEAR, PAYING, ROW, Fault, is_list, of_other_form, specification
from cslib.data.customers import segment_of
from cslib.data.dataset import (
    DataSet,
    Spans,
    counted_anew,
    cut,
    derive_customers,
    ended_with_churn,
    fatal,
    keep,
    last_day,
    spans_of,
    what_is_cut,
    with_columns,
)
from cslib.data.engine import as_made, can_try, held, remembering, session_zone
from cslib.data.limit import Limit
from cslib.data.lives import lives, paying, settled
from cslib.data.rates import BILLING, converted, currency_of, faults_of, in_units
from cslib.data.reading import PERIODS, as_meant, monthly, with_constants
from cslib.data.relations import check_list, check_relations, price_periods, stale, suspicions
from cslib.data.snapshot import SUFFIX, at_hand, made_from, named, segment_at_hand
from cslib.data.sources import Raw, as_spelt, mapped, open_tables, reading
from cslib.data.texts import filled
from cslib.errors import DataError, ParameterError, counted, did_you_mean

DERIVED: Final = (
    "customers is not there: it is derived from paid subscriptions (start: the first start; churned: the last end "
    "where nothing runs; other columns: as in the first subscription)."
)
FIRST: Final = "Correct them first."
ATTRIBUTES: Final = (
    "customers does not say who left, so it is a list of attributes: {} tell who is a customer, and when."
)
PAYERS: Final = (
    "Customers are those who pay, from their first paid day until they stop paying. Paying again after a gap "
    "in which {} counts as leaving and coming back ({} so far)."
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
        The data break the contract: one message lists every fault. Where some tables are sound, only who asks for
        another is told.
    LimitError
        It takes longer than ``CSLIB_LOAD_LIMIT`` (in the environment; seconds, 1,800 unless set).
    ParameterError
        ``data`` is not there, ``as_of`` is no date, ``where`` cannot be read, or ``pause_months`` is negative.
    """
    result = _loaded(data, as_of=as_of, pause_months=pause_months)
    if fatal(result, result.faults):
        errors = [f.message for f in result.faults if f.severity == "error"]
        msg = f"{result.label} has {counted(len(errors), 'fault')}:\n" + "\n".join(f"- {e}" for e in errors)
        raise DataError(msg)
    result = only(result, where) if where else result
    segment = segment_at_hand()
    return segment_of(result, *segment) if segment else result


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
    sold = next((config.tables[n] for n in SOLD if n in config.tables), TableOptions())
    pause = sold.pause_months if pause_months is None else pause_months
    config = replace(config, as_of=as_of or config.as_of)
    limit = Limit()
    con, raws, failures = open_tables(config, limit)
    checked: dict[str, Checked] = {}
    broken: dict[str, pd.DataFrame] = {}
    found: list[Fault] = []
    notes: list[str] = []
    for name, raw in raws.items():
        try:
            with limit.of(con, name), reading(name):
                options = _declared(config.tables.get(name, TableOptions()), config)
                checked |= _check_table(con, name, raw, options, raws.keys() - {name}, found, notes, broken)
        except DataError as error:
            failures[name] = str(error)
    found += [Fault(n, "", "unreadable table", "error", 0, m) for n, m in failures.items()]
    with limit.of(con, config.label), reading(config.label):
        return replace(_data_set(config, checked, found, notes, pause), set_aside=broken)


def _data_set(
    config: Config, checked: dict[str, Checked], found: list[Fault], notes: list[str], pause_months: int
) -> DataSet:
    tables = {n: c.table for n, c in checked.items()}
    listed = None
    if "customers" in tables and is_list("customers", tables["customers"].columns, ["orders"]):
        listed = tables.pop("customers")
        found += check_list(listed, tables)
        notes.append(ATTRIBUTES.format(" or ".join(n for n in PAYING if n in tables)))
        if not {"subscriptions", *BILLING} & tables.keys():
            tables = {n: with_columns(n, t, listed) for n, t in tables.items()}
    currency, mixed = _currency(config, tables)
    unpaid = [*faults_of(tables, currency, found)]
    tables = {n: t for n, t in tables.items() if n != "subscriptions" or not unpaid}
    spans = spans_of(tables)
    day, said = _as_of(config.as_of, spans)
    segments = tuple(s for o in config.tables.values() for s in o.segments)
    notes += _segments_said(segments)
    known: Any = {"targets": config.targets, "label": config.label, "notes": (*notes, *said)}
    known |= {"listed": listed is not None, "as_of_declared": bool(config.as_of), "gross_margin": config.gross_margin}
    known["value_feature"] = config.value_feature
    result = DataSet(tables, day, currency, _observed_from(config, day), pause_months, segments, **known)
    faults = [*found, *mixed, *unpaid]
    if not fatal(result, faults):
        broken = {f.table for f in faults if f.severity == "error"}
        result, late = _complete(result, spans, broken, listed)
        faults += late
    return replace(result, faults=tuple(sorted(faults, key=lambda f: f.severity)))


def _segments_said(segments: tuple[str, ...]) -> list[str]:
    if not segments:
        return []
    return [f"Segments to compare by: {', '.join(segments)}."]


def _declared(options: TableOptions, config: Config) -> TableOptions:
    """Give the options of a table what the top of ``cslib.toml`` declares for all."""
    return replace(options, reading=replace(options.reading, timezone=config.timezone, currency=config.currency))


def _check_table(
    con: ibis.BaseBackend, name: str, raw: Raw, options: TableOptions, others: Collection[str], found: list[Fault],
    notes: list[str], broken: dict[str, pd.DataFrame],
) -> dict[str, Checked]:  # fmt: skip
    """Check one table, add to ``found``, ``notes`` and ``broken``, and return it by name if it is sound."""
    raw = replace(raw, table=as_spelt(name, raw.table, options.columns, notes, named=options.named))
    table = with_constants(name, mapped(name, raw.table, options.columns, notes), options.reading.values)
    table = _running(name, table, found)
    spec = specification(name, tuple(table.columns), others)
    faults = check_columns(name, table, spec, _named(raw.table, options)) + _no_unit(name, table, options.reading.unit)
    if twice := of_other_form(name, tuple(table.columns), others):
        listed = is_list(name, table.columns, others)
        table = table.drop(*twice)
        why = "" if listed else f"{name} says how long customers stayed in two ways; "
        notes.append(f"{why}{' and '.join(twice)}{' of customers' * listed} not used.")
    result = None
    if not any(f.column in spec or f.rule == "unknown unit" for f in faults):
        table = as_meant(table, spec, options.reading)
        result = check_rows(name, _renamed(raw, table, options), spec, options.reading, try_cast=can_try(con))
        faults += [_as_set_aside(f) if options.on_fault == "set_aside" else f for f in result.faults]
        zone = options.reading.timezone
        notes += [f"{name}.{c} has times with a zone; they were converted to {zone}." for c in result.zoned]
        faults += _foreign_zone(con, name, result.zoned)
    if isinstance(options.table, (pd.DataFrame, ir.Table)):
        faults = [_for_memory(f) for f in faults]
    found += faults
    if result is not None and len(result.set_aside):
        broken[name] = result.set_aside
    if result is None or any(f.severity == "error" for f in faults):
        return {}
    found += price_periods(name, result.table, options.reading.unit)
    result = replace(result, table=_in_our_units(name, result.table, options, tenures="tenure_months" in spec))
    if ROW in table.columns and con.name == "duckdb":
        result = replace(result, table=as_made(con, ibis.util.gen_name("cslib"), result.table))
    if len(result.set_aside) and not int(result.table.count().execute()):
        text = f"All rows of {name} have faults, so nothing is left. Correct them at the source."
        found.append(Fault(name, "", "empty table", "error", result.n_rows, text))
        return {}
    return {name: result}


def _in_our_units(name: str, table: ir.Table, options: TableOptions, *, tenures: bool) -> ir.Table:
    """Give prices a month in whole units of money, tenures that count the month of leaving, and ends that are out."""
    table = in_units(monthly(table, options.reading.unit), options.reading.currency, minor=options.minor_units)
    table = _left_in(table) if options.tenures == "completed" and tenures else table
    return _exclusive(table, ENDS[name]) if options.ends == "inclusive" else table


def _renamed(raw: Raw, table: ir.Table, options: TableOptions) -> Raw:
    """Give what is known of a raw table to the same with its columns renamed."""
    unclear = {ours for ours, theirs in options.columns.items() if theirs in raw.unclear}
    return replace(raw, table=table, unclear=raw.unclear | unclear)


def _named(raw: ir.Table, options: TableOptions) -> tuple[str, ...]:
    """List the columns that the options of a table name, but for those that ``columns`` has found."""
    return (*(c for c in options.columns.values() if c not in raw.columns), *options.named)


def _no_unit(name: str, table: ir.Table, unit: str) -> list[Fault]:
    if not unit or unit in PERIODS or unit in table.columns:
        return []
    near = did_you_mean(unit, [*PERIODS, *(c for c in table.columns if c != ROW)])
    return [
        Fault(name, unit, "unknown unit", "error", 0, f"unit of {name} is {unit!r}, no period and no column. {near}")
    ]


def _running(name: str, table: ir.Table, found: list[Fault]) -> ir.Table:
    """Take subscriptions without an end for running ones, and say so."""
    if name != "subscriptions" or "ended_on" in table.columns or "started_on" not in table.columns:
        return table
    near = did_you_mean("ended_on", [c for c in table.columns if c != ROW])
    text = (
        f"subscriptions has no column 'ended_on', so all of them are taken to run still. {near} If one holds the day "
    )
    text += 'they ended, map it: columns = { ended_on = "…" } in [subscriptions] of cslib.toml.'
    found.append(Fault(name, "ended_on", "no ends", "warning", 0, text))
    return table.mutate(ended_on=ibis.null("date"))


def _left_in(table: ir.Table) -> ir.Table:
    """Take completed months for the age at churn: who had completed two left in the third."""
    return table.mutate(tenure_months=table.tenure_months + table.churned.cast("int64"))


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
    message = fault.message.replace(SET_ASIDE, FIRST).replace(CORRECT, FIRST)
    message = re.sub(r"Correct them at the source, or set on_fault = .*? of the rows\)\.", FIRST, message)
    hint = r"(Set|Say what they mean:|If it stands for not yet, set) \w+ = .* of cslib\.toml, or (\w)"
    message = re.sub(hint, lambda found: found[2].upper(), message)
    message = re.sub(r" in the file, or map it: .* of cslib\.toml\.", ".", message)
    message = OTHERWISE.sub("", message)
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
    found = {config.currency.strip().upper() or currency_of(tables.get("rates"))} - {""}
    for name, table in tables.items():
        if "currency" in table.columns and name not in converted(tables):
            values = table.select(currency=filled(table["currency"]).upper()).distinct().limit(6).execute()
            found |= set(values["currency"].dropna())
    if len(found) < 2:
        return next(iter(found), ""), []
    text = f"Amounts are in {len(found)} currencies ({', '.join(sorted(found))}). Convert them to one, and declare it."
    text += " Or supply their rates (docs/billing.md)." * bool({*BILLING} & tables.keys())
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
    return [PAYERS.format(gap, counted(again, "time")) + known, *[unpaid] * bool(free), *[differ] * bool(other)]


def _complete(
    data: DataSet, spans: Spans, broken: Collection[str], listed: ir.Table | None
) -> tuple[DataSet, list[Fault]]:
    """Cut at ``as_of``, derive customers unless theirs are broken, and add what only whole tables can tell."""
    faults = list(check_relations(data.tables))
    tables, notes = dict(data.tables), list(data.notes)
    if data.as_of:
        faults += [*what_is_cut(tables, spans, data.as_of), *stale(spans, data.as_of)]
        tables = cut(tables, spans, data.as_of)
    if "subscriptions" not in broken and (account := billed(tables, data.currency, data.segments)):
        tables = {"subscriptions": _as_known(account.subscriptions, data.as_of), **tables}
        notes += account.notes
        faults += account.faults
        data = replace(data, derived=("subscriptions",), accounts=account.accounts)
    if "customers" not in (*tables, *broken) and "subscriptions" in tables:
        made = derive_customers(tables["subscriptions"])
        tables = {"customers": held(made if listed is None else with_columns("customers", made, listed)), **tables}
        notes += [DERIVED] * (listed is None)
        data = replace(data, derived=("customers", *data.derived))
    faults += suspicions(tables, data.segments, as_of=data.as_of, truncation_known=data.observed_from is not None)
    data = counted_anew(replace(data, tables=ended_with_churn(tables)))
    notes += _payers(data)
    return replace(data, notes=tuple(notes)), faults


def _as_known(subscriptions: ir.Table, as_of: date | None) -> ir.Table:
    """Leave open at ``as_of`` what is invoiced beyond it, and out what begins later."""
    if as_of is None:
        return subscriptions
    tables = {"subscriptions": subscriptions}
    return cut(tables, spans_of(tables), as_of)["subscriptions"]


def only(data: DataSet, where: str) -> DataSet:
    """Keep the customers that meet ``where``, as in :func:`load`."""
    with reading(data.label):
        kept, notes = keep(data.tables, where), (*data.notes, f"Only customers with {where}.")
        return counted_anew(replace(data, tables=kept, notes=notes, unfiltered=lambda: data))
