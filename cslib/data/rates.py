"""Amounts of billing in one currency: rates, minor units, and why they cannot be converted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import ibis
import ibis.expr.types as ir

from cslib.data.calendar import period_ordinal
from cslib.data.config import SOLD
from cslib.data.contract import CONTRACT, Fault
from cslib.data.customers import MINOR_UNITS
from cslib.data.texts import filled
from cslib.errors import counted, listed

BILLING: Final = ("invoices", "movements", "rates")
WHOLE: Final = (  # currencies without a hundredth
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
)


def in_units(table: ir.Table, currency: str, *, minor: bool) -> ir.Table:
    """Take ``minor`` amounts for hundredths, or for wholes where their currency, or the declared one, has none."""
    if not minor:
        return table
    scale = ibis.ifelse(_code(table, currency.strip().upper()).isin(WHOLE), 1.0, float(MINOR_UNITS))
    amounts = [c for c in ("amount", "mrr", "change", "acquisition_cost") if c in table.columns]
    return table.mutate(**{c: table[c] / scale for c in amounts})


def converted(tables: Mapping[str, ir.Table]) -> tuple[str, ...]:
    """Name the tables whose amounts ``rates`` convert, and which may have several currencies therefore."""
    return ("invoices", "movements", "rates") if "rates" in tables else ()


def currency_of(rates: ir.Table | None) -> str:
    """Find the one currency whose rate is always 1; empty where there is none, or more."""
    if rates is None:
        return ""
    each = rates.group_by(code=_code(rates, "")).aggregate(low=rates.rate.min(), high=rates.rate.max())
    found = each.filter((each.low == 1) & (each.high == 1)).limit(2).execute()["code"]
    return str(found.iloc[0]) if len(found) == 1 else ""


def faults_of(tables: Mapping[str, ir.Table], currency: str, found: Sequence[Fault] = ()) -> Iterator[Fault]:
    """Yield why no ``subscriptions`` can be made of billing, as faults of ``subscriptions``.

    Parameters
    ----------
    tables
        Those that are sound.
    currency
        Of the data set.
    found
        Faults of the tables.
    """
    for text in _reasons(tables, currency, {f.table for f in found if f.severity == "error"}):
        yield Fault("subscriptions", "", "no billing", "error", 0, text)


def _reasons(tables: Mapping[str, ir.Table], currency: str, broken: set[str]) -> Iterator[str]:
    there = [name for name in SOLD if name in tables]
    if len(there) > 1:
        yield f"{listed(there)} each say what customers pay. Keep one of them."
    billing = {n for n in SOLD[1:] if n in (*tables, *broken)}
    for name in sorted(broken & {*BILLING}) if billing else ():
        yield f"subscriptions are made of {name}, which has faults. Correct them first."
    if "movements" in tables and not {"mrr", "change"} & {*tables["movements"].columns}:
        yield "movements has neither mrr (the level after each change) nor change (the difference). Map one of them."
    if not billing or "rates" not in tables:
        return
    if not currency:
        yield 'rates convert amounts, but into which currency is not declared. Set currency = "EUR" or alike.'
    else:
        yield from _reasons_of_rates(tables, currency)


def _reasons_of_rates(tables: Mapping[str, ir.Table], currency: str) -> Iterator[str]:
    rates = tables["rates"]
    keyed = rates.select(code=_code(rates, ""), month=_month_of(rates, "month"))
    twice = keyed.group_by("code", "month").aggregate(n=ibis._.count()).filter(ibis._.n > 1)
    rows = [*twice.order_by(["code", "month"]).limit(1).execute().itertuples()]
    yield from (f"rates has {row.n} rates of {row.code}{_said_month(row.month)}. Keep one." for row in rows)
    if not rows:
        for name in (n for n in ("invoices", "movements") if n in tables):
            yield from _missing_rates(name, rated(name, tables, currency), currency)


def _missing_rates(name: str, rows: ir.Table, currency: str) -> Iterator[str]:
    lost = rows.filter(rows["rate"].isnull()).group_by("code").aggregate(n=ibis._.count(), month=ibis._.month.min())
    for row in lost.order_by("code").limit(5).execute().itertuples():
        text = f"rates has no rate of {row.code}{_said_month(row.month)}, in which {name} has {counted(row.n, 'row')}. "
        yield f"{text}Add what 1 {row.code} is in {currency}."


def _said_month(month: Any) -> str:
    return f" for {int(month) // 12}-{int(month) % 12 + 1:02d}" if month >= 0 else ""


def _month_of(table: ir.Table, column: str) -> ir.IntegerValue:
    return period_ordinal(table[column].cast("date"), "month") if column in table.columns else ibis.literal(-1, "int64")


def _code(table: ir.Table, currency: str) -> ir.StringValue:
    own = filled(table.currency).upper() if "currency" in table.columns else ibis.null("string")
    return own.fill_null(currency)


def rated(name: str, tables: Mapping[str, ir.Table], currency: str) -> ir.Table:
    """Give each row of billing the ``code`` of its currency, the ``month`` of its rate and the ``rate``."""
    table, rates, moment = tables[name], tables.get("rates"), next(iter(_moments(name)))
    own = [c for c in table.columns if c not in ("code", "month", "rate")]
    by_month = rates is not None and "month" in rates.columns
    month = _month_of(table, moment) if by_month else ibis.literal(-1, "int64")
    rows = table.select(*own, code=_code(table, currency), month=month)
    if rates is None:
        return rows.mutate(rate=ibis.literal(1.0))
    known = rates.select(code=_code(rates, ""), month=_month_of(rates, "month"), known=rates.rate)
    both = rows.left_join(known, ["code", "month"])
    return both.select(*rows.columns, rate=ibis.ifelse(both.code == currency, 1.0, both.known))


def _moments(name: str) -> list[str]:
    return [c for c, s in CONTRACT[name].items() if s.dated]
