"""What is odd in sound tables, alone and together: it warns, and stops nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.checks import counts
from cslib.data.contract import CONTRACT, LAST_YEAR, MOMENT, NPS_LABELS, Fault, plain_name
from cslib.data.dataset import Spans, last_day
from cslib.data.lifetimes import ENOUGH, YOUNG, short_missing
from cslib.data.reading import months_of
from cslib.errors import counted

LONG: Final = timedelta(days=180)  # for nobody to leave
STALE: Final = {"orders": 31, "usage": 31, "surveys": 92, "touchpoints": 92}  # days without any row
PERIOD: Final = re.compile(
    r"(billing|plan|payment|price)?_?(interval|period|cycle|frequency|term|unit)|abrechnung.*|.*periodi.*"
)


def check_relations(tables: Mapping[str, ir.Table]) -> Iterator[Fault]:
    """Yield the warnings that need more than one row or more than one table."""
    for name in ("subscriptions", "orders", "surveys", "invoices", "movements"):
        if name in tables:
            yield from _repeated_rows(name, tables[name])
    if "subscriptions" in tables:
        yield from _overlaps(tables["subscriptions"])
        yield from _inclusive(tables["subscriptions"])
    if "customers" in tables:
        yield from _similar_ids(tables["customers"])
        for name in ("subscriptions", "orders", "usage", "surveys", "touchpoints", "invoices", "movements"):
            if name in tables:
                yield from _events(name, tables[name], tables["customers"])
    if "surveys" in tables:
        yield from _contradictions(tables["surveys"])
        yield from _scale(tables["surveys"])


def check_list(customers: ir.Table, tables: Mapping[str, ir.Table]) -> Iterator[Fault]:
    """Yield the warnings of customers that are a list of attributes."""
    yield from _similar_ids(customers)
    for name in ("subscriptions", "orders", "usage", "surveys", "touchpoints", "invoices", "movements"):
        if name in tables:
            yield from _events(name, tables[name], customers)


def _warning(table: str, column: str, rule: str, n: int, text: str) -> Iterator[Fault]:
    if n:
        yield Fault(table, column, rule, "warning", n, f"{table}{'.' + column if column else ''} {text}")


def _repeated_rows(name: str, table: ir.Table) -> Iterator[Fault]:
    found = counts(table, n=table.count(), own=table.distinct().count().as_scalar())
    n = found["n"] - found["own"]
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
        first = wrong.order_by(["score", column]).limit(1).execute().to_dict("records")
        shown = f" (first: {first[0]['score']:.0f} called {first[0][column]})" if first else ""
        text = f"calls {counted(n, 'answer')} another thing than the score says{shown}; the score counts."
        yield from _warning("surveys", column, "contradicting label", n, text)


def _scale(surveys: ir.Table) -> Iterator[Fault]:
    """Suspect answers called NPS that are on another scale."""
    nps = surveys.filter((surveys.survey == "nps") & surveys.score.notnull())
    found = counts(nps, n=nps.count(), high=(nps.score > 5).sum())
    if found["n"] >= ENOUGH and not found["high"]:
        text = f"surveys.score has {found['n']:,} answers called nps, and none above 5. NPS is asked from 0 to 10. "
        text += 'If these are on a scale of 1 to 5, they are csat: labels = { survey = { nps = "csat" } } in [surveys].'
        yield Fault("surveys", "score", "nps scale", "warning", found["n"], text)


def price_periods(name: str, table: ir.Table, unit: str) -> Iterator[Fault]:
    """Suspect prices of other periods than a month, where a column says so and no option does."""
    columns = [c for c in table.columns if table[c].type().is_string() and PERIOD.fullmatch(plain_name(c))]
    for column in columns if "mrr" in table.columns and not unit else ():
        other = table.filter(months_of(table[column]).fill_null(1.0) != 1.0)
        n = int(other.count().execute())
        first = other.limit(1).execute().to_dict("records") if n else []
        shown = f" (first: mrr {first[0]['mrr']:g}, {first[0][column]})" if first else ""
        text = f"says in {counted(n, 'row')} that the price is for another period than a month{shown}, and mrr is "
        text += f'taken as it stands. If it is the price of that period, set unit = "{column}" in [{name}]; if it is '
        text += 'one of a month, set unit = "month".'
        yield from _warning(name, column, "price period", n, text)


def stale(spans: Spans, as_of: date) -> Iterator[Fault]:
    """Yield tables that end long before others do."""
    newest = last_day(spans)
    if newest is None:
        return
    day, where = min(newest[0], as_of), newest[1].split(".")[0]
    for name, days in STALE.items():
        last = spans.get(name, {}).get(MOMENT[name], (None, day))[1]
        if (day - last).days > days:
            text = f"{name} ends on {last}, {(day - last).days} days before {where} does: since then nothing seems "
            text += f"to have happened. Export {name} anew, or set as_of = {last}."
            yield Fault(name, MOMENT[name], "ends early", "warning", 0, text)


def _overlaps(subscriptions: ir.Table) -> Iterator[Fault]:
    until = subscriptions.ended_on.fill_null(ibis.date(f"{LAST_YEAR}-12-31"))
    spells = subscriptions.select("customer_id", "started_on", until=until)
    order = ibis.window(group_by="customer_id", order_by=["started_on", "until"], preceding=(None, 1))
    earlier = spells.mutate(before=spells.until.max().over(order))
    n = int((earlier.started_on < earlier.before).sum().fill_null(0).execute())
    text = f"has {counted(n, 'row')} starting before an earlier one of the customer ends; their MRR adds up."
    yield from _warning("subscriptions", "", "overlap", n, text)


def _inclusive(subscriptions: ir.Table) -> Iterator[Fault]:
    """Suspect ends that are the last day paid: what goes on then begins a day after the end, and not on it."""
    order = ibis.window(group_by="customer_id", order_by="started_on")
    followed = subscriptions.mutate(next=subscriptions.started_on.lead().over(order))
    gap = followed.next.delta(followed.ended_on, unit="day")
    found = counts(followed, n=(gap == 1).sum(), without=(gap == 0).sum())
    n, renewals = found["n"], found["n"] + found["without"]
    if n > max(1, found["without"]):
        text = (
            f"lies one day before the customer's next start in {n:,} of {counted(renewals, 'renewal')}, each of which "
            'counts as a churn and a return. If it is the last day paid, set ends = "inclusive" in [subscriptions] of '
            "a cslib.toml, or add a day to it."
        )
        yield Fault("subscriptions", "ended_on", "inclusive ends", "warning", n, f"subscriptions.ended_on {text}")


def _similar_ids(customers: ir.Table) -> Iterator[Fault]:
    ids = customers.customer_id
    n = int((ids.nunique() - ids.strip().lower().nunique()).execute())
    text = f"has {counted(n, 'id')} differing from another only by case or blanks; they count as different customers."
    yield from _warning("customers", "customer_id", "similar ids", n, text)


def _events(name: str, events: ir.Table, customers: ir.Table) -> Iterator[Fault]:
    moment = MOMENT[name]
    started = customers.started_on if "started_on" in customers.columns else ibis.null("date")
    start = customers.select(known="customer_id", started=started)
    happened = events.select("customer_id", day=events[moment].cast("date"))
    joined = happened.left_join(start, happened.customer_id == start.known)
    found = counts(joined, unknown=joined.known.isnull().sum(), early=(joined.day < joined.started).sum())
    n = found["unknown"]
    text = f"has {counted(n, 'row')} of customers not in the customers table; their segment is (missing)."
    yield from _warning(name, "customer_id", "unknown customer", n, text)
    text = f"has {counted(found['early'], 'row')} before the customer's start; kept."
    yield from _warning(name, moment, "before start", found["early"], text)


def _subscribers(customers: ir.Table, subscriptions: ir.Table) -> Iterator[Fault]:
    """Where customers and subscriptions do not agree on who is still here."""
    column = "churned_on" if "churned_on" in customers.columns else "churned"
    churned = customers.churned_on.notnull() if column == "churned_on" else customers.churned
    held = subscriptions.group_by(holder="customer_id").aggregate(running=subscriptions.ended_on.isnull().any())
    asked = customers.select("customer_id", churned=churned)
    joined = asked.left_join(held, asked.customer_id == held.holder)
    found = counts(joined, without=joined.holder.isnull().sum(), contrary=(joined.churned & joined.running).sum())
    text = f"has {counted(found['without'], 'customer')} without any subscription; no MRR is known of them."
    yield from _warning("customers", "", "no subscription", found["without"], text)
    n = found["contrary"]
    text = f"is set for {counted(n, 'customer')} with a subscription still running, which is taken to end then."
    yield from _warning("customers", column, "churned but subscribed", n, f"{text} Correct one of the two.")


def suspicions(
    tables: Mapping[str, ir.Table], segments: tuple[str, ...], *, as_of: date | None, truncation_known: bool
) -> Iterator[Fault]:
    """Yield what is odd at ``as_of``: empty segments, customers contradicting subscriptions, a late first churn."""
    holder = {s: next((n for n, t in tables.items() if s in t.columns), "") for s in segments}
    for name, table in tables.items():
        yield from _empty_segments(name, table, [s for s, n in holder.items() if n == name])
    if {"customers", "subscriptions"} <= tables.keys():
        yield from _subscribers(tables["customers"], tables["subscriptions"])
    if "customers" in tables:
        yield from _churn(tables["customers"], as_of, truncation_known=truncation_known)


def _churn(customers: ir.Table, as_of: date | None, *, truncation_known: bool) -> Iterator[Fault]:
    """Doubt what the records of churn may not hold: churn at all, its first years, who was here for a short time."""
    dated = "churned_on" in customers.columns
    left = customers.churned_on.notnull() if dated else customers.churned
    ends = {"first": customers.churned_on.min()} if dated else {"least": customers.tenure_months.min()}
    old = customers.started_on <= (as_of or date.max) - LONG if dated else customers.tenure_months >= YOUNG / 2
    sums = {"left": left.sum().fill_null(0), "old": old.sum().fill_null(0)}
    found = customers.aggregate(n=customers.count(), **sums, **ends).execute().iloc[0]
    n = int(found["n"])
    if found["old"] >= ENOUGH and not found["left"]:
        column, what = ("churned_on", "is empty") if dated else ("churned", "is false")
        text = f"customers.{column} {what} for all {n:,} customers: churn was never recorded, or nobody has "
        text += "left. In the first case its figures mean nothing: map the column that holds the day customers left."
        yield Fault("customers", column, "no churn", "warning", n, text)
    if not dated and short_missing(n, found["least"]):
        text = f"customers.tenure_months has none below {found['least']:g} among {n:,} customers, so who was here for "
        text += "less seems not to be in the data: nothing is said of those months."
        yield Fault("customers", "tenure_months", "no short tenures", "warning", 0, text)
    if dated and found["left"] and not truncation_known:
        yield from _truncated(customers, pd.Timestamp(found["first"]).date())


def _empty_segments(name: str, table: ir.Table, segments: list[str]) -> Iterator[Fault]:
    empty = counts(table, **{s: table[s].isnull().sum() for s in segments}) if segments else {}
    for column, n in empty.items():
        text = f"is empty in {counted(n, 'row')}; they count as (missing)."
        yield from _warning(name, column, "segment empty", n, text)


def _truncated(customers: ir.Table, day: date) -> Iterator[Fault]:
    n = int(customers.filter(customers.started_on <= day - LONG).count().execute())
    if n >= 100:
        text = f"customers has {n:,} customers who started at least 180 days before the first recorded churn ({day}): "
        text += "earlier losses seem unrecorded. Set observed_from in a cslib.toml."
        yield Fault("customers", "churned_on", "left truncation", "warning", n, text)
