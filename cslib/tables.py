"""Load a data set: canonical, checked, lazy tables with one declared last day.

>>> import pandas as pd
>>> orders = pd.DataFrame({"customer_id": ["007", "007"], "ordered_on": ["2025-01-03", "2025-02-01"], "amount": [5, 6]})
>>> data = load({"orders": orders})
>>> data.as_of.isoformat(), int(data.table("orders").count().execute())
('2025-02-01', 2)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.checks import Checked, Fault, check_columns, check_relations, check_rows
from cslib.config import Config, TableLike, TableOptions, read_config
from cslib.contract import CONTRACT, filled, has_try_cast, specification
from cslib.errors import DataError, ParameterError
from cslib.shaping import MOMENT, Spans, cut, derive_customers, keep, spans_of, statistics, suspicions
from cslib.sources import ROW, Raw, open_tables

__all__ = ["DataSet", "check", "load"]

DERIVED: Final = (
    "customers is not there: it is derived from subscriptions (start: the first start; churned: the last end where "
    "nothing runs; other columns: as in the first subscription)."
)


@dataclass(frozen=True)
class DataSet:
    """Canonical tables of one data set, cut at ``as_of``; made by :func:`load`.

    Attributes
    ----------
    tables
        Lazy Ibis tables by name of the contract.
    as_of
        Last fully observed day; None where the tables hold no date at all.
    currency
        ISO code of every amount, or empty.
    observed_from
        First day from which churn was recorded, or None: customers enter the risk set then.
    segments
        Columns declared as segments.
    targets
        The ``[targets]`` of ``cslib.toml``.
    faults
        Every fault found, errors first.
    set_aside
        Faulty rows left out, by table: ``reason``, ``row`` (1 = first below the header) and raw columns.
    """

    tables: Mapping[str, ir.Table]
    as_of: date | None = None
    currency: str = ""
    observed_from: date | None = None
    segments: tuple[str, ...] = ()
    targets: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    set_aside: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    label: str = ""
    notes: tuple[str, ...] = ()
    statistics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def table(self, name: str) -> ir.Table:
        """Return one table, or say how to supply it.

        Raises
        ------
        DataError
            The data set has no such table.
        """
        if name in self.tables:
            return self.tables[name]
        columns = [c for c, s in CONTRACT.get(name, {}).items() if s.required]
        msg = (
            f"{self.label or 'The data set'} has no table {name!r}, which this needs (columns: "
            f"{', '.join(columns)}). There are: {', '.join(self.tables)}. Add {name}.csv, or map it in cslib.toml."
        )
        raise DataError(msg)

    def has_dates(self, name: str) -> bool:
        """Tell whether a table is there with the dates of its contract (``customers`` may have tenures)."""
        return name in self.tables and MOMENT[name] in self.tables[name].columns

    def describe(self) -> dict[str, Any]:
        """Return what a reader must know of the data before the figures: plain values, ready for JSON.

        Returns
        -------
        dict
            ``source, as_of, currency, fingerprint, tables`` (a list of ``table, rows, first, last,
            set_aside, note``), ``share_censored`` (share of customers still here), ``notes``, ``warnings``.
        """
        tables = [
            {
                "table": n,
                "set_aside": len(self.set_aside.get(n, ())),
                "note": "",
                **_shown(self.statistics[n]),
            }
            for n in self.tables
        ]
        return {
            "source": self.label,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "currency": self.currency or None,
            "fingerprint": hashlib.sha256(json.dumps(self.statistics, default=str).encode()).hexdigest()[:12],
            "tables": tables,
            "share_censored": self.statistics.get("customers", {}).get("share_censored"),
            "notes": list(self.notes),
            "warnings": [f.message for f in self.faults],
        }


def load(data: str | Path | Mapping[str, TableLike] = "", *, as_of: str | date = "", where: str = "") -> DataSet:
    """Open a data set, check it and cut it at ``as_of``.

    Parameters
    ----------
    data
        A folder, a ``cslib.toml``, one CSV or Parquet file named after its table, a connection URL that
        Ibis understands, or a mapping of table name to DataFrame, path or Ibis table. Empty: the nearest
        folder ``data`` at or above the working directory.
    as_of
        Last fully observed day, over the declared one; without either, the latest date in the data.
    where
        Keep some customers only: ``plan=Pro``, ``region!=EMEA``, several joined with `` and ``.

    Returns
    -------
    DataSet

    Raises
    ------
    DataError
        The data break the contract: one message lists every fault.
    ParameterError
        ``as_of`` is no date, or ``where`` cannot be read.
    """
    result = _examine(data, as_of=as_of, where=where)
    errors = [f.message for f in result.faults if f.severity == "error"]
    if errors:
        count = "1 fault" if len(errors) == 1 else f"{len(errors)} faults"
        msg = f"{result.label} has {count}:\n" + "\n".join(f"- {e}" for e in errors)
        raise DataError(msg)
    return result


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
        A file or connection cannot be opened at all.
    """
    return _examine(data, as_of=as_of, where="")


def _examine(data: str | Path | Mapping[str, TableLike], *, as_of: str | date, where: str) -> DataSet:
    config = read_config(data)
    con, raws = open_tables(config)
    currency, faults = _currency(config, raws)
    checked = {}
    for name, raw in raws.items():
        options = config.tables.get(name, TableOptions())
        sound, found = _check_table(con, name, raw, options)
        faults += found
        if sound is not None:
            checked[name] = sound
    tables = {n: c.table for n, c in checked.items()}
    spans = spans_of(tables)
    day, notes = _as_of(as_of or config.as_of, spans)
    result = DataSet(
        tables=tables,
        as_of=day,
        currency=currency,
        observed_from=_day(config.observed_from, "observed_from") if config.observed_from else None,
        segments=tuple(s for o in config.tables.values() for s in o.segments),
        targets=config.targets,
        set_aside={n: c.set_aside for n, c in checked.items() if len(c.set_aside)},
        label=config.label,
        notes=(*(_zone_note(n, c) for n, r in checked.items() for c in r.zoned), *notes),
    )
    if not any(f.severity == "error" for f in faults):
        result, more = _complete(result, spans, where)
        faults += more
    return replace(result, faults=tuple(sorted(faults, key=lambda f: f.severity)))


def _check_table(
    con: ibis.BaseBackend, name: str, raw: Raw, options: TableOptions
) -> tuple[Checked | None, list[Fault]]:
    unmapped = [c for c in options.columns.values() if c not in raw.table.columns]
    table = raw.table.rename({k: v for k, v in options.columns.items() if v not in unmapped and k != v})
    spec = specification(name, tuple(table.columns))
    named = (*unmapped, *options.segments, *options.reading.numbers)
    missing = check_columns(name, table, spec, named)
    if missing:
        return None, missing
    result = check_rows(name, table, raw.rejects, spec, options.reading, try_cast=has_try_cast(con))
    faults = list(result.faults)
    if options.on_fault == "set_aside":
        faults = [_as_set_aside(f) for f in faults]
    if any(f.severity == "error" for f in faults):
        return None, faults
    if ROW in table.columns:
        local = con.create_table(ibis.util.gen_name("cslib"), result.table, temp=True)
        result = replace(result, table=local)
    if not int(result.table.count().execute()):
        text = f"All rows of {name} have faults, so nothing is left. Correct them at the source."
        return None, [*faults, Fault(name, "", "empty table", "error", result.n_rows, text)]
    return result, faults


def _as_set_aside(fault: Fault) -> Fault:
    if fault.severity == "warning" or not fault.n_rows:
        return fault
    found = fault.message.split("). ")[0] + ")"
    return replace(fault, severity="warning", message=f"{found}: these rows are left out (set_aside_{fault.table}).")


def _day(text: str | date, what: str) -> date:
    try:
        return text if isinstance(text, date) else date.fromisoformat(text)
    except ValueError as error:
        msg = f"{what} is {text!r}, which is no date. Write it as YYYY-MM-DD."
        raise ParameterError(msg) from error


def _currency(config: Config, raws: Mapping[str, Raw]) -> tuple[str, list[Fault]]:
    found = {config.currency} if config.currency else set()
    for name, raw in raws.items():
        column = config.tables.get(name, TableOptions()).columns.get("currency", "currency")
        if column in raw.table.columns:
            values = raw.table.select(currency=filled(raw.table[column])).distinct().limit(6).execute()
            found |= set(values["currency"].dropna())
    if len(found) < 2:
        return next(iter(found), ""), []
    text = f"Amounts are in {len(found)} currencies ({', '.join(sorted(found))}). Convert them to one, and declare it."
    return "", [Fault("", "currency", "two currencies", "error", len(found), text)]


def _shown(statistics: Mapping[str, Any]) -> dict[str, Any]:
    return {k: statistics.get(k) for k in ("rows", "first", "last")}


def _zone_note(table: str, column: str) -> str:
    return f"{table}.{column} has times with a zone; they were converted to UTC."


def _as_of(declared: str | date, spans: Spans) -> tuple[date | None, list[str]]:
    days = [(low, high, f"{name}.{c}") for name, own in spans.items() for c, (low, high) in own.items()]
    if declared:
        day = _day(declared, "as_of")
        first = min(days, default=None)
        if first and day < first[0]:
            msg = f"as_of {day} is before all data (first: {first[2]} on {first[0]}). Give a day after that."
            raise ParameterError(msg)
        return day, []
    if not days:
        return None, []
    last = max(days, key=lambda d: d[1])
    return last[1], [f"as_of is not declared: the latest date in the data is taken, {last[1]} in {last[2]}."]


def _complete(data: DataSet, spans: Spans, where: str) -> tuple[DataSet, list[Fault]]:
    """Cut at ``as_of``, derive customers, filter, and add what only whole tables can tell."""
    faults = list(check_relations(data.tables))
    tables, notes = dict(data.tables), list(data.notes)
    if data.as_of:
        tables, late = cut(tables, spans, data.as_of)
        faults += late
    if "customers" not in tables and "subscriptions" in tables:
        tables = {"customers": derive_customers(tables["subscriptions"]), **tables}
        notes.append(DERIVED)
    if "customers" in tables:
        faults += suspicions(tables["customers"], data.segments, truncation_known=data.observed_from is not None)
    if where:
        tables = keep(tables, where)
        notes.append(f"Only customers with {where}.")
    facts = {n: statistics(n, t) for n, t in tables.items()}
    return replace(data, tables=tables, notes=tuple(notes), statistics=facts), faults
