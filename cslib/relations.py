"""Warnings that need whole tables, or more than one: repeats, overlaps, customers that do not match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.checks import Fault
from cslib.contract import CONTRACT, LAST_YEAR, NPS_LABELS
from cslib.errors import counted

__all__ = ["check_relations", "suspicions"]


def check_relations(tables: Mapping[str, ir.Table]) -> Iterator[Fault]:
    """Yield the warnings that need more than one row or more than one table."""
    for name in ("subscriptions", "orders", "surveys"):
        if name in tables:
            yield from _repeated_rows(name, tables[name])
    if "subscriptions" in tables:
        yield from _overlaps(tables["subscriptions"])
    if "customers" in tables:
        yield from _similar_ids(tables["customers"])
        for name in ("subscriptions", "orders", "usage", "surveys", "touchpoints"):
            if name in tables:
                yield from _events(name, tables[name], tables["customers"])
    if "surveys" in tables:
        yield from _contradictions(tables["surveys"])


def _warning(table: str, column: str, rule: str, n: int, text: str) -> Iterator[Fault]:
    if n:
        yield Fault(table, column, rule, "warning", n, f"{table}{'.' + column if column else ''} {text}")


def _repeated_rows(name: str, table: ir.Table) -> Iterator[Fault]:
    n = int(table.count().execute()) - int(table.distinct().count().execute())
    kept = "of which one counts" if name == "surveys" else "kept and counted"
    text = f"has {counted(n, 'row')} repeating another exactly, {kept}. Remove what is a copy."
    yield from _warning(name, "", "repeated rows", n, text)


def _contradictions(surveys: ir.Table) -> Iterator[Fault]:
    """Find columns that call an NPS answer promoter, passive or detractor against its score."""
    nps = surveys.filter((surveys.survey == "nps") & surveys.score.notnull())
    said = ibis.cases((nps.score >= 9, "promoter"), (nps.score >= 7, "passive"), else_="detractor")
    for column in (c for c in surveys.columns if surveys[c].type().is_string() and c not in CONTRACT["surveys"]):
        label = nps[column].strip().lower().re_replace("s$", "").replace("neutral", "passive")
        wrong = nps.filter(label.isin(NPS_LABELS) & (label != said))
        n = int(wrong.count().execute())
        first = wrong.limit(1).execute().to_dict("records")
        shown = f" (first: {first[0]['score']:.0f} called {first[0][column]})" if first else ""
        text = f"calls {counted(n, 'answer')} another thing than the score says{shown}; the score counts."
        yield from _warning("surveys", column, "contradicting label", n, text)


def _overlaps(subscriptions: ir.Table) -> Iterator[Fault]:
    until = subscriptions.ended_on.fill_null(ibis.date(f"{LAST_YEAR}-12-31"))
    spells = subscriptions.select("customer_id", "started_on", until=until)
    order = ibis.window(group_by="customer_id", order_by=["started_on", "until"], preceding=(None, 1))
    earlier = spells.mutate(before=spells.until.max().over(order))
    n = int((earlier.started_on < earlier.before).sum().fill_null(0).execute())
    text = f"has {counted(n, 'row')} starting before an earlier one of the customer ends; their MRR adds up."
    yield from _warning("subscriptions", "", "overlap", n, text)


def _similar_ids(customers: ir.Table) -> Iterator[Fault]:
    ids = customers.customer_id
    n = int((ids.nunique() - ids.strip().lower().nunique()).execute())
    text = f"has {counted(n, 'id')} differing from another only by case or blanks; they count as different customers."
    yield from _warning("customers", "customer_id", "similar ids", n, text)


def _events(name: str, events: ir.Table, customers: ir.Table) -> Iterator[Fault]:
    moment = next(c for c, s in CONTRACT[name].items() if s.kind in ("date", "time"))
    dated = "started_on" in customers.columns
    start = customers.select(known="customer_id", started=customers.started_on if dated else ibis.null("date"))
    happened = events.select("customer_id", day=events[moment].cast("date"))
    joined = happened.left_join(start, happened.customer_id == start.known)
    found = joined.aggregate(
        unknown=joined.known.isnull().sum().fill_null(0),
        early=(joined.day < joined.started).sum().fill_null(0),
    ).execute()
    unknown, early = (int(found[c].iloc[0]) for c in ("unknown", "early"))
    text = f"has {counted(unknown, 'row')} of customers not in the customers table; their segment is (missing)."
    yield from _warning(name, "customer_id", "unknown customer", unknown, text)
    text = f"has {counted(early, 'row')} before the customer's start; kept."
    yield from _warning(name, moment, "before start", early, text)


def _subscribers(customers: ir.Table, subscriptions: ir.Table) -> Iterator[Fault]:
    """Where customers and subscriptions do not agree on who is still here."""
    churned = customers.churned_on.notnull() if "churned_on" in customers.columns else customers.churned
    held = subscriptions.group_by(holder="customer_id").aggregate(running=subscriptions.ended_on.isnull().any())
    asked = customers.select("customer_id", churned=churned)
    joined = asked.left_join(held, asked.customer_id == held.holder)
    found = joined.aggregate(
        without=joined.holder.isnull().sum().fill_null(0),
        contrary=(joined.churned & joined.running).sum().fill_null(0),
    ).execute()
    without, contrary = (int(found[c].iloc[0]) for c in ("without", "contrary"))
    text = f"has {counted(without, 'customer')} without any subscription; no MRR is known of them."
    yield from _warning("customers", "", "no subscription", without, text)
    text = f"is set for {counted(contrary, 'customer')} with a subscription still running. Correct one of the two."
    column = "churned_on" if "churned_on" in customers.columns else "churned"
    yield from _warning("customers", column, "churned but subscribed", contrary, text)


def suspicions(tables: Mapping[str, ir.Table], segments: tuple[str, ...], *, truncation_known: bool) -> Iterator[Fault]:
    """Yield what is odd at ``as_of``: empty segments, customers contradicting subscriptions, a late first churn."""
    holder = {s: next((n for n, t in tables.items() if s in t.columns), "") for s in segments}
    for name, table in tables.items():
        yield from _empty_segments(name, table, [s for s, n in holder.items() if n == name])
    if {"customers", "subscriptions"} <= tables.keys():
        yield from _subscribers(tables["customers"], tables["subscriptions"])
    if "customers" in tables and "started_on" in tables["customers"].columns and not truncation_known:
        yield from _truncated(tables["customers"])


def _empty_segments(name: str, table: ir.Table, segments: list[str]) -> Iterator[Fault]:
    if not segments:
        return
    empty = table.aggregate(**{s: table[s].isnull().sum() for s in segments}).execute().iloc[0]
    for column, n in empty.fillna(0).astype(int).items():
        text = f"is empty in {counted(n, 'row')}; they count as (missing)."
        yield from _warning(name, str(column), "segment empty", n, text)


def _truncated(customers: ir.Table) -> Iterator[Fault]:
    first = customers.churned_on.min().execute()
    if pd.isna(first):
        return
    day = pd.Timestamp(first).date()
    n = int(customers.filter(customers.started_on <= day - timedelta(days=180)).count().execute())
    if n >= 100:
        text = (
            f"customers has {n:,} customers who started at least 180 days before the first recorded churn ({day}): "
            "earlier losses seem unrecorded. Set observed_from in a cslib.toml."
        )
        yield Fault("customers", "churned_on", "left truncation", "warning", n, text)
