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
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.checks import Checked, Fault, check_columns, check_relations, check_rows
from cslib.contract import CONTRACT, filled, has_try_cast, specification
from cslib.errors import DataError, ParameterError, did_you_mean
from cslib.sources import ROW, Config, Raw, TableLike, TableOptions, open_tables, read_config

__all__ = ["DataSet", "check", "load"]

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
    day, latest = _as_of(as_of or config.as_of, tables)
    result = DataSet(
        tables=tables,
        as_of=day,
        currency=currency,
        observed_from=_day(config.observed_from, "observed_from") if config.observed_from else None,
        segments=tuple(s for o in config.tables.values() for s in o.segments),
        targets=config.targets,
        set_aside={n: c.set_aside for n, c in checked.items() if len(c.set_aside)},
        label=config.label,
        notes=(*_zone_notes(checked), *([latest] if latest else [])),
    )
    if not any(f.severity == "error" for f in faults):
        result, more = _complete(result, where)
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


def _ends(name: str, table: ir.Table) -> list[str]:
    return [c for c in (MOMENT[name], *ENDING.get(name, ())) if c in table.columns]


def _as_of(declared: str | date, tables: Mapping[str, ir.Table]) -> tuple[date | None, str]:
    first, last = _span(tables)
    if declared:
        day = _day(declared, "as_of")
        if first and day < first[0]:
            msg = f"as_of {day} is before all data (first: {first[1]} on {first[0]}). Give a day after that."
            raise ParameterError(msg)
        return day, ""
    if last is None:
        return None, ""
    return last[0], f"as_of is not declared: the latest date in the data is taken, {last[0]} in {last[1]}."


def _span(tables: Mapping[str, ir.Table]) -> tuple[tuple[date, str] | None, tuple[date, str] | None]:
    firsts, lasts = [], []
    for name, table in tables.items():
        for column in _ends(name, table):
            day = table[column].cast("date")
            low, high = table.aggregate(low=day.min(), high=day.max()).execute().iloc[0]
            if pd.notna(low):
                firsts.append((pd.Timestamp(low).date(), f"{name}.{column}"))
                lasts.append((pd.Timestamp(high).date(), f"{name}.{column}"))
    return min(firsts, default=None), max(lasts, default=None)


def _zone_notes(checked: Mapping[str, Checked]) -> list[str]:
    return [f"{n}.{c} has times with a zone; they were converted to UTC." for n, r in checked.items() for c in r.zoned]


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


def _complete(data: DataSet, where: str) -> tuple[DataSet, list[Fault]]:
    """Cut at ``as_of``, derive customers, filter, and add what only whole tables can tell."""
    faults = list(check_relations(data.tables))
    if day := data.as_of:
        for name, table in data.tables.items():
            faults += _late(name, table, day)
        data = replace(data, tables={n: _cut(n, t, day) for n, t in data.tables.items()})
        faults += _unfinished_month(day)
    if "customers" not in data.tables and "subscriptions" in data.tables:
        note = (
            "customers is not there: it is derived from subscriptions (start: the first start; churned: the last "
            "end where nothing runs; other columns: as in the first subscription)."
        )
        derived = _derive_customers(data.tables["subscriptions"])
        data = replace(data, tables={"customers": derived, **data.tables}, notes=(*data.notes, note))
    faults += list(_missing_segments(data)) + list(_truncated(data))
    if where:
        data = _filter(data, where)
    return replace(data, statistics={n: _statistics(n, t) for n, t in data.tables.items()}), faults


def _late(name: str, table: ir.Table, as_of: date) -> list[Fault]:
    n = int((table[MOMENT[name]].cast("date") > as_of).sum().fill_null(0).execute()) if _ends(name, table) else 0
    if MOMENT[name] not in table.columns or not n:
        return []
    text = f"{name}.{MOMENT[name]} has {n:,} rows after as_of {as_of}; they are left out."
    return [Fault(name, MOMENT[name], "after as_of", "warning", n, text)]


def _cut(name: str, table: ir.Table, as_of: date) -> ir.Table:
    if MOMENT[name] not in table.columns:
        return table
    known = table.filter(table[MOMENT[name]].cast("date") <= as_of)
    for end in (c for c in ENDING.get(name, ()) if c in known.columns):
        open_columns = [end, *(c for c in ("churn_kind",) if c in known.columns)]
        if name == "surveys":
            open_columns.append("score")
        later = (known[end] > as_of).fill_null(False)
        known = known.mutate(**{c: ibis.ifelse(later, ibis.null(known[c].type()), known[c]) for c in open_columns})
    return known


def _unfinished_month(as_of: date) -> list[Fault]:
    if (as_of + timedelta(days=1)).day == 1:
        return []
    text = f"{as_of:%B %Y} is observed only up to {as_of}; what needs the whole month is left empty."
    return [Fault("", "as_of", "unfinished period", "warning", 0, text)]


def _derive_customers(subscriptions: ir.Table) -> ir.Table:
    extra = [c for c in subscriptions.columns if c not in CONTRACT["subscriptions"] and c != "currency"]
    running = subscriptions.ended_on.isnull().any()
    return subscriptions.group_by("customer_id").aggregate(
        started_on=subscriptions.started_on.min(),
        churned_on=ibis.ifelse(running, ibis.null("date"), subscriptions.ended_on.max()),
        **{c: subscriptions[c].argmin(subscriptions.started_on) for c in extra},
    )


def _missing_segments(data: DataSet) -> list[Fault]:
    customers = data.tables.get("customers")
    there = [s for s in dict.fromkeys(data.segments) if customers is not None and s in customers.columns]
    if customers is None or not there:
        return []
    counted = customers.aggregate(**{s: customers[s].isnull().sum() for s in there}).execute().iloc[0]
    return [
        Fault(
            "customers",
            s,
            "segment empty",
            "warning",
            int(n),
            f"customers.{s} is empty in {int(n):,} rows; they count as (missing).",
        )
        for s, n in counted.items()
        if n
    ]


def _truncated(data: DataSet) -> list[Fault]:
    """Look for the sign of left truncation: many starts, and no churn at all for a long first while."""
    if not data.has_dates("customers") or data.observed_from:
        return []
    customers = data.tables["customers"]
    first = customers.churned_on.min().execute()
    if pd.isna(first):
        return []
    early = customers.filter(customers.started_on <= pd.Timestamp(first).date() - timedelta(days=180))
    n = int(early.count().execute())
    if n < 100:
        return []
    text = (
        f"customers has {n:,} customers who started at least 180 days before the first recorded churn "
        f"({pd.Timestamp(first).date()}): earlier losses seem unrecorded. Set observed_from in cslib.toml."
    )
    return [Fault("customers", "churned_on", "left truncation", "warning", n, text)]


def _filter(data: DataSet, where: str) -> DataSet:
    tables = dict(data.tables)
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
    return replace(data, tables=tables, notes=(*data.notes, f"Only customers with {where}."))


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


def _statistics(name: str, table: ir.Table) -> dict[str, Any]:
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


def _shown(statistics: Mapping[str, Any]) -> dict[str, Any]:
    return {k: statistics.get(k) for k in ("rows", "first", "last")}
