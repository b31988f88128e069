"""Billing to MRR: ``subscriptions`` made of invoice lines, or of a log of changes, in the engine.

Every invoice line has one kind, and lands in one bucket of the reconciliation. What of it is MRR:

- The MRR of a **recurring** line is its amount over the months of its period (``calendar.billed_months``): 1,200 from
  2024-03-15 to 2025-03-15 is 100 a month. Lines that overlap add up.
- A recurring line **without a period** is for the month that begins on its day. Where the next of the subscription
  comes up to three days before that month ends, it ends there.
- **Gaps** of up to three days between lines of a subscription are closed: a renewal is often dated a day or two late.
  Where a line is for whole months with the gap, and without is not, its end was its last day, and they count. Where
  nothing follows, a day that lacks is such a gap, too, unless most renewals begin on the day of an end.
  Longer ones stay. What is a pause and what is churn, ``lives`` tells.
- A **discount** or **credit** with a period is taken off what the subscription pays in that time, of each part in
  proportion. Where one of a customer's has no ``subscription_id``, all are taken off all that the customer pays.
  A discount without a period is taken off the recurring lines of its invoice (same customer and day). A credit or
  **refund** without a period, a **one-off** and **tax** change no MRR. MRR never falls below 0.
- A **proration** that ends with a line it lies in is measured in that line's days: 16 of 31 days of a month are 16/31
  of it. One below 0 that is the unused rest of such a line ends that line on its first day; a charge for the same days
  is then measured by that credit: the new price is the old one times charge over credit, exact to the hour.
  A recurring line below 0, or one that begins in the middle of another, is read in the same way, as some exports call
  prorations so.
- Several **currencies** are converted by ``rates``: of the month of the invoice, for all of its period.
- Amounts are whole hundredths from the start, so no sum depends on the order of the rows.

A log of ``movements`` has rules of its own (:mod:`~cslib.data.movements`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.calendar import billed_months
from cslib.data.config import SOLD
from cslib.data.contract import CONTRACT, Fault
from cslib.data.customers import MINOR_UNITS, cents
from cslib.data.engine import kept
from cslib.data.movements import UNITED, Billed, of_movements
from cslib.data.rates import rated
from cslib.data.texts import filled
from cslib.errors import counted

GAP: Final = 3  # days between two lines of a subscription that are none
RARE: Final = 75  # days from one line to the next of a subscription, for each to be of more than a month
FEW: Final = 50  # values of a text column that is kept, where no segments are declared
SHARE: Final = 0.2  # of what is expected, by which a lone credit may differ from the rest of a line
RECONCILED: Final = "reconciliation"
BUCKETS: Final = CONTRACT["invoices"]["kind"].choices


def _kept(name: str, table: ir.Table, segments: Sequence[str]) -> list[str]:
    """Choose the columns that subscriptions take over: those declared, or else texts of few values."""
    theirs = [c for c in table.columns if c not in CONTRACT[name] and c not in CONTRACT["subscriptions"]]
    declared = [c for c in theirs if c in segments]
    texts = [c for c in theirs if table[c].type().is_string()]
    if declared or not texts:
        return declared
    count = table.aggregate(**{f"n{i}": table[c].nunique() for i, c in enumerate(texts)}).execute().iloc[0]
    return [c for i, c in enumerate(texts) if count[f"n{i}"] <= FEW]


def billed(tables: Mapping[str, ir.Table], currency: str, segments: Sequence[str]) -> Billed | None:
    """Make ``subscriptions`` of ``invoices`` or ``movements``, by the rules above; None where there are neither.

    Parameters
    ----------
    tables
        Canonical, up to ``as_of``.
    currency
        Into which ``rates`` convert.
    segments
        Columns declared as segments: they come along.

    Returns
    -------
    Billed or None
    """
    name = next((n for n in SOLD[1:] if n in tables), "")
    if not name:
        return None
    extra = _kept(name, tables[name], segments)
    rows = rated(name, tables, currency)
    made = _of_invoices(rows, extra, currency) if name == "invoices" else of_movements(rows, extra)
    return made


def _of_invoices(rows: ir.Table, extra: Sequence[str], currency: str) -> Billed:
    lines = kept(_lines(rows, extra))
    prices, less = _prices(lines), lines.filter(lines.role == "less")
    prices, less = _prorated(kept(prices), less)
    paid, over = _paid(_pieces(prices, less), len(extra))
    names = {name: paid[f"k{i}"] for i, name in enumerate(extra)}
    subscriptions = paid.select("customer_id", "started_on", "ended_on", mrr=paid.level / MINOR_UNITS, **names)
    counts = _counts(lines, prices, over)
    table = _reconciled(lines, rows, currency)
    return Billed(kept(subscriptions), {RECONCILED: table}, tuple(_said(counts)), tuple(_odd(counts)))


def _lines(rows: ir.Table, extra: Sequence[str]) -> ir.Table:
    """Read every line: ``own`` and ``cents`` (before and after conversion), its period, its scope and its role.

    The ``role`` is ``price`` (it is paid for a time), ``less`` (taken off for a time), ``invoice`` (taken off the lines
    of its invoice) or ``none``.
    """
    keys = {f"k{i}": rows[name].cast("string") for i, name in enumerate(extra)}
    start, end = (rows[c] if c in rows.columns else ibis.null("date") for c in ("line_start", "line_end"))
    timed = (end > start).fill_null(False)
    subscription = filled(rows.subscription_id) if "subscription_id" in rows.columns else ibis.null("string")
    own = {"own": cents(rows.amount), "cents": cents(rows.amount * rows.rate)}
    read = rows.select(
        "customer_id", "kind", "code", day=rows.invoiced_on, start=start, end=end, timed=timed,
        subscription=subscription, **own, **keys,
    )  # fmt: skip
    recurring, above = read.kind == "recurring", read.cents >= 0
    role = ibis.cases(
        ((recurring & above) | ((read.kind == "proration") & above & read.timed), "price"),
        (~read.kind.isin(["one_off", "tax"]) & read.timed, "less"),
        (recurring | (read.kind == "discount"), "invoice"),
        else_="none",
    )
    read = read.mutate(role=role)
    loose = read.subscription.isnull() & read.role.isin(["less", "invoice"])
    shared = loose.cast("int64").max().over(ibis.window(group_by="customer_id"))
    scope = ibis.ifelse(shared > 0, "", read.subscription.fill_null(""))
    return _with_off(read.mutate(scope=scope).drop("subscription"))


def _with_off(lines: ir.Table) -> ir.Table:
    """Tell recurring lines what their invoice takes off, as a share of them (``off``)."""
    invoice = ibis.window(group_by=["customer_id", "scope", "day"])
    listed_ = (lines.role == "price") & (lines.kind == "recurring")
    both = lines.mutate(
        taken=lines.cents.sum(where=lines.role == "invoice").over(invoice).fill_null(0).cast("float64"),
        listed=lines.cents.sum(where=listed_).over(invoice).fill_null(0).cast("float64"),
    )
    alone = (both.role == "invoice") & (both.listed <= 0)
    share = (both.taken / both.listed.nullif(0)).fill_null(0.0)
    off = ibis.ifelse((both.role == "price") & (both.kind == "recurring"), share, 0.0)
    return both.mutate(role=ibis.ifelse(alone, "none", both.role), off=off).drop("taken", "listed")


def _prices(lines: ir.Table) -> ir.Table:
    """Take what is paid for a time, numbered: for how many ``months``, and until when (``stop``)."""
    own = lines.filter(lines.role == "price")
    own = own.mutate(start=ibis.ifelse(own.timed, own.start, own.start.fill_null(own.day)))
    month = (own.start + ibis.interval(months=1)).cast("date")
    own = own.mutate(end=ibis.ifelse(own.timed, own.end, month))
    own = _with_months(own, "end", "months")
    return _closed(own.mutate(months=ibis.ifelse(own.timed, own.months, 1.0), n=_numbered(own)))


def _with_months(rows: ir.Table, end: str, name: str) -> ir.Table:
    """Count the months from ``start`` to an end, once for each two days: the expression is long."""
    spans = rows.select("start", until=end).distinct()
    known = spans.select("start", "until", **{name: billed_months(spans.start, spans.until)})
    both = rows.join(known, [rows.start == known.start, rows[end] == known.until])
    return both.select(*rows.columns, name)


def _order(lines: ir.Table) -> list[str]:
    return [
        "start",
        "end",
        "cents",
        "day",
        "kind",
        *(c for c in lines.columns if c.startswith("k") and c[1:].isdigit()),
    ]


def _closed(prices: ir.Table) -> ir.Table:
    """Find until when each line lasts: to the next one of its scope, where that begins a few days away."""
    begins = prices.mutate(at=prices.start, starts=ibis.literal(1, "int8"), next=prices.start)
    ends = prices.mutate(at=prices.end, starts=ibis.literal(0, "int8"), next=ibis.null("date"))
    both = begins.union(ends)
    later = ibis.cumulative_window(group_by=list(UNITED), order_by=[both["at"].desc(), both.starts.desc()])
    sooner = ibis.cumulative_window(group_by=list(UNITED), order_by=[both["at"], both.starts])
    seen = both.mutate(next=both.next.min().over(later), last=both.next.max().over(sooner))
    seen = seen.filter(seen.starts == 0)
    late = (seen.next.delta(seen.end, unit="day") <= GAP).fill_null(False)
    early = ~seen.timed & (seen.end.delta(seen["last"], unit="day") <= GAP).fill_null(False)
    stop = ibis.cases((late, seen.next), (early, seen["last"]), else_=seen.end)
    gap = ibis.ifelse(late, seen.next.delta(seen.end, unit="day"), ibis.null("int64"))
    stop = ibis.ifelse(seen.timed & gap.isnull(), (seen.end + ibis.interval(days=1)).cast("date"), stop)
    return _whole(seen.mutate(stop=stop, gap=gap).drop("at", "starts", "next", "last"))


def _whole(prices: ir.Table) -> ir.Table:
    """Count whole months up to the next line where a gap before it is all that lacks: the end was the last day.

    Where no line follows, a day that lacks for them is such a gap, too, unless most renewals (of the subscription, or
    else of all) begin on the day of an end.
    """
    rows = _with_months(prices, "stop", "whole")
    says = ibis.cases((rows.gap == 0, 1), (rows.gap == 1, -1), else_=0).sum()
    own = says.over(ibis.window(group_by=list(UNITED)))
    exact = ibis.ifelse(own != 0, own, says.over(ibis.window()))
    alone = rows.timed & rows.gap.isnull()
    lacks = rows.timed & (rows.months != rows.months.round()) & (rows.whole == rows.whole.round())
    lacks = (lacks & ((rows.gap > 0).fill_null(False) | (alone & (exact <= 0)))).fill_null(False)
    rows = rows.mutate(months=ibis.ifelse(lacks, rows.whole, rows.months), final=alone & lacks)
    return rows.mutate(stop=ibis.ifelse(alone & ~rows.final, rows.end, rows.stop)).drop("whole")


def _prorated(prices: ir.Table, less: ir.Table) -> tuple[ir.Table, ir.Table]:
    """Give every line its ``mrr``; end the lines of which the rest is credited, and leave those credits out."""
    inside = _inside(prices, less)
    prices = _measured(prices, inside)
    less = _measured(_with_months(less, "end", "months"), inside)
    copies = ibis.window(group_by=[*UNITED, "start", "end", "cents"], order_by=_order(less))
    less = kept(less.mutate(copy=ibis.row_number().over(copies), n=_numbered(less)))
    prices = kept(prices)
    ending = kept(_ending(prices, less))
    cut = ending.group_by([*UNITED, "ends"]).aggregate(cut=ending.start.min())
    both = prices.left_join(cut, [*((prices[c] == cut[c]) for c in UNITED), prices.n == cut.ends])
    stop = ibis.ifelse(both.cut.notnull(), ibis.least(both.stop, both.cut.fill_null(both.stop)), both.stop)
    prices = both.select(*(c for c in prices.columns if c != "stop"), stop=stop)
    return _repriced(prices, ending), less.anti_join(ending, [*UNITED, "n"])


def _numbered(lines: ir.Table) -> ir.IntegerValue:
    return ibis.row_number().over(ibis.window(group_by=list(UNITED), order_by=_order(lines)))


def _inside(prices: ir.Table, less: ir.Table) -> ir.Table:
    """Find the spans that end with a line they lie in, and how many months a day of that line is (``daily``)."""
    columns = [*UNITED, "start", "end"]
    spans = prices.filter(prices.timed).select(*columns).union(less.select(*columns)).distinct()
    whole = prices.filter(prices.timed).select(*UNITED, "end", since="start", all="months")
    both = spans.join(whole, [*UNITED, "end"])
    both = both.filter(both.since < both.start)
    longest = both.since == both.since.min().over(ibis.window(group_by=columns))
    found = both.mutate(longest=longest).filter("longest")
    days = found.end.delta(found.since, unit="day")
    return found.select(*columns, daily=found["all"] / days).group_by(columns).aggregate(daily=ibis._.daily.min())


def _measured(lines: ir.Table, inside: ir.Table) -> ir.Table:
    """Give lines their ``mrr`` in hundredths, and what a day of the line they lie in is in months (``daily``)."""
    both = lines.left_join(inside, [*UNITED, "start", "end"])
    credit = (lines.kind == "recurring") & (lines.cents < 0)
    odd = (lines.kind == "proration") | credit | (lines.months != lines.months.round())
    daily = ibis.ifelse(odd, both.daily, ibis.null("float64"))
    rows = both.select(*lines.columns, daily=daily, plain=lines.months)
    months = ibis.ifelse(rows.daily.notnull(), rows.daily * rows.end.delta(rows.start, unit="day"), rows.months)
    rows = rows.mutate(months=months)
    return rows.mutate(mrr=(rows.cents / rows.months).round().cast("int64"))


def _ending(prices: ir.Table, less: ir.Table) -> ir.Table:
    """Match credits with the line of which they are the unused rest: the best fit within a day's worth."""
    copies = ibis.window(group_by=[*UNITED, "start", "end", "cents"], order_by=_order(prices))
    priced = prices.select(
        *UNITED, "end", ends="n", since="start", was="mrr", copy=ibis.row_number().over(copies), timed="timed"
    )
    charges = prices.filter(prices.daily.notnull()).select(*UNITED, "start", "end").distinct().mutate(charged=True)
    own = less.filter((less.cents < 0) & less.kind.isin(["proration", "recurring", "credit"]) & less.daily.notnull())
    own = own.left_join(charges, [*UNITED, "start", "end"]).select(*own.columns, "charged")
    both = own.join(priced.filter("timed").drop("timed"), [*UNITED, "end", "copy"])
    both = both.filter(both.since < both.start)
    by_days, by_months = ((both.cents + both.was * m).abs() for m in (both.months, both.plain))
    differs, day = ibis.least(by_days, by_months), both.was * both.daily
    room = ibis.ifelse(both.charged.fill_null(False), day, ibis.least(day, SHARE * both.was * both.months))
    near = both.mutate(differs=differs).filter(differs <= room + 1)
    best = ibis.window(group_by=[*UNITED, "n"], order_by=["differs", "ends"])
    return near.mutate(best=ibis.row_number().over(best)).filter(ibis._.best == 0)


def _repriced(prices: ir.Table, ending: ir.Table) -> ir.Table:
    """Measure charges by the credits of the same days: what a hundredth of those was in MRR."""
    span = [*UNITED, "start", "end"]
    by = ending.group_by(span).aggregate(was=ending.was.sum(), credit=-ending.cents.sum())
    both = prices.left_join(by, span)
    rows = both.select(*prices.columns, "was", "credit")
    paired = rows.credit.notnull() & rows.daily.notnull()
    exact = (rows.cents.cast("float64") * rows.was / rows.credit.nullif(0)).round().cast("int64")
    return _settled(rows.mutate(mrr=ibis.ifelse(paired, exact, rows.mrr)))


def _settled(prices: ir.Table) -> ir.Table:
    """Let a charge for part of a period lead to the price that follows, where no more than the hundredths differ."""
    after = prices.filter(prices.daily.isnull()).select(*UNITED, since="start", then="mrr").distinct()
    parts = prices.filter(prices.daily.notnull() & (prices.cents > 0))
    both = parts.join(after, [*UNITED, parts.stop == after.since])
    room = 1 + both.then * (1 / both.cents + 1 / both.credit.fill_null(both.cents).nullif(0))
    near = both.mutate(differs=(both.then - both.mrr).abs()).filter(lambda t: t.differs <= room)
    best = ibis.window(group_by=[*UNITED, "n"], order_by=["differs", "then"])
    chosen = near.mutate(best=ibis.row_number().over(best)).filter(ibis._.best == 0).select(*UNITED, "n", "then")
    joined = prices.left_join(chosen, [*UNITED, "n"])
    return joined.select(*(c for c in prices.columns if c != "mrr"), mrr=joined.then.fill_null(joined.mrr))


def _pieces(prices: ir.Table, less: ir.Table) -> ir.Table:
    """Put what is paid and what is taken off side by side, each with the days between which it counts."""
    keys = [c for c in prices.columns if c.startswith("k") and c[1:].isdigit()]
    off = (prices.mrr * prices.off).round().cast("int64")
    paid = prices.filter(prices.stop > prices.start)
    paid = paid.select(*UNITED, *keys, "start", "stop", gross="mrr", net=off, active=ibis.literal(1, "int64"))
    zero, none = ibis.literal(0, "int64"), {k: ibis.null("string") for k in keys}
    taken = less.select(*UNITED, **none, start="start", stop="end", gross=zero, net="mrr", active=zero)
    return paid.union(taken)


def _paid(pieces: ir.Table, n_keys: int) -> tuple[ir.Table, ir.Table]:
    """Add up what is paid from day to day, net; and name who has more taken off than there is to pay.

    Returns
    -------
    paid, over
        ``customer_id``, ``k0`` …, ``started_on``, ``ended_on``, ``level`` (in hundredths); ``customer_id``.
    """
    keys = [f"k{i}" for i in range(n_keys)]
    ranked = (
        ibis.dense_rank().over(ibis.window(group_by=list(UNITED), order_by=keys)) if keys else ibis.literal(0, "int64")
    )
    rows = kept(pieces.mutate(g=ranked))
    changes = rows.select(*UNITED, "g", "gross", "net", "active", day=rows.start)
    ends = rows.select(*UNITED, "g", gross=-rows.gross, net=-rows.net, active=-rows.active, day=rows.stop)
    changes = kept(changes.select(*ends.columns).union(ends))
    groups = rows.filter(rows.active > 0).select(*UNITED, "g", *keys).distinct()
    levels = kept(_levels(changes, groups))
    over = levels.filter(levels.whole + levels.net < 0).select("customer_id").distinct()
    return _runs(levels, keys), over


def _levels(changes: ir.Table, groups: ir.Table) -> ir.Table:
    """Tell for each part of a scope, on each day on which anything changes, what it and the scope pay."""
    days = changes.group_by([*UNITED, "day"]).aggregate(net=changes.net.sum())
    days = days.mutate(net=days.net.sum().over(ibis.cumulative_window(group_by=list(UNITED), order_by="day")))
    each = changes.group_by([*UNITED, "g", "day"]).aggregate(gross=changes.gross.sum(), active=changes.active.sum())
    grid = days.join(groups, list(UNITED)).select(*days.columns, *(c for c in groups.columns if c not in UNITED))
    both = grid.left_join(each, [*UNITED, "g", "day"])
    moved = both.select(*grid.columns, up=both.gross.fill_null(0), more=both.active.fill_null(0))
    running = ibis.cumulative_window(group_by=[*UNITED, "g"], order_by="day")
    run = moved.mutate(gross=moved.up.sum().over(running), active=moved.more.sum().over(running))
    run = run.mutate(**{c: run[c].cast("int64") for c in ("gross", "net", "active")})
    whole = run.gross.sum().over(ibis.window(group_by=[*UNITED, "day"])).cast("int64")
    return run.mutate(whole=whole).drop("up", "more")


def _runs(levels: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Join the days on which a part pays the same: a row for each run in which it pays anything, or is free."""
    left = ibis.greatest(levels.whole + levels.net, 0)
    share = (levels.gross.cast("float64") * left / levels.whole.nullif(0)).round().cast("int64").fill_null(0)
    level = ibis.ifelse(levels.gross == levels.whole, left, share)
    level = ibis.ifelse(levels.active > 0, level, -1)
    part = ibis.window(group_by=[*UNITED, "g"], order_by="day")
    rows = levels.select(*UNITED, "g", *keys, "day", level=level)
    changed = rows.mutate(before=rows.level.lag().over(part))
    changed = changed.filter(changed.before.isnull() | (changed.before != changed.level))
    ended = changed.mutate(started_on=changed.day, ended_on=changed.day.lead().over(part))
    return ended.filter(ended.level >= 0).select("customer_id", *keys, "started_on", "ended_on", "level")


def _counts(lines: ir.Table, prices: ir.Table, over: ir.Table) -> dict[str, int]:
    """Count what a reader should know of how lines were read."""
    gaps = prices.filter(prices.gap > 0).select(*UNITED, "end").distinct()
    timed, untimed = prices.filter("timed"), prices.filter(~prices.timed).select(*UNITED, "start").distinct()
    order = ibis.window(group_by=list(UNITED), order_by="start")
    waits = untimed.mutate(next=untimed.start.lead().over(order))
    wait = waits.next.delta(waits.start, unit="day")
    asked = {
        "above": (lines.kind.isin(["discount", "credit", "refund"]) & (lines.cents > 0)).sum(),
        "untimed": ((lines.role == "price") & ~lines.timed).sum(),
        "idle": ((lines.role == "none") & (lines.kind.isin(["proration", "credit"]))).sum(),
        "closed": gaps.count().as_scalar(),
        "over": over.count().as_scalar(),
        "days": (timed.gap == 1).sum().as_scalar(),
        "final": timed.final.cast("int64").sum().as_scalar(),
        "renewed": timed.gap.notnull().sum().as_scalar(),
        "rare": (wait >= RARE).sum().as_scalar(),
        "often": (wait < RARE).sum().as_scalar(),
    }
    found = lines.aggregate(**asked).execute().iloc[0]
    return {name: int(found[name]) if pd.notna(found[name]) else 0 for name in asked}


def _said(n: Mapping[str, int]) -> Iterator[str]:
    yield (
        "subscriptions is not there: it is made of invoices (docs/billing.md has the rules). Its MRR is each recurring "
        "line over the months of its period, less discounts and credits; one-offs, refunds and tax are left out."
    )
    if n["untimed"]:
        lines = counted(n["untimed"], "recurring line")
        yield f"{lines} without line_start and line_end: each is taken for the month from its invoice on."
    if n["closed"]:
        gaps = counted(n["closed"], "gap")
        yield f"{gaps} of up to {GAP} days between two lines of a subscription closed: the renewal was dated late."
    if n["idle"]:
        yield f"{counted(n['idle'], 'credit or proration')} without a period: they change no MRR."


def _odd(n: Mapping[str, int]) -> Iterator[Fault]:
    if n["days"] > max(1, n["renewed"] - n["days"]):
        text = f"invoices.line_end lies one day before the next line in {n['days']:,} of "
        text += f'{counted(n["renewed"], "renewal")}. If it is the last day paid, set ends = "inclusive" in [invoices].'
        yield Fault("invoices", "line_end", "inclusive ends", "warning", n["days"], text)
    elif n["final"]:
        text = f"invoices.line_end lies one day before whole months in {counted(n['final'], 'line')} that nothing "
        text += 'follows, and is taken for the last day paid. If that is so, set ends = "inclusive" in [invoices].'
        yield Fault("invoices", "line_end", "inclusive ends", "warning", n["final"], text)
    if n["rare"] > n["often"]:
        text = f"invoices has {counted(n['rare'], 'recurring line')} without a period whose next comes months later, "
        text += "and each counts for one month. If they are for longer, map line_start and line_end."
        yield Fault("invoices", "line_end", "rare lines", "warning", n["rare"], text)
    if n["above"]:
        text = (
            f"invoices.amount is above 0 in {counted(n['above'], 'discount, credit or refund')}: they add to what is "
        )
        text += "invoiced. Write what is taken off with a minus."
        yield Fault("invoices", "amount", "credit above 0", "warning", n["above"], text)
    if n["over"]:
        who = counted(n["over"], "customer")
        text = f"invoices takes off more than there is to pay of {who} at some time; MRR is 0 then."
        yield Fault("invoices", "amount", "more off than on", "warning", n["over"], text)


def _reconciled(lines: ir.Table, rows: ir.Table, currency: str) -> pd.DataFrame:
    """Put every line into one bucket, by currency, and prove that they add up to what was invoiced.

    Returns
    -------
    pandas.DataFrame
        ``currency``, ``bucket`` (a kind, or ``invoiced`` for their sum), ``in_mrr``, ``lines``, ``amount`` (in that
        currency) and ``converted`` (in that of the data set).
    """
    sums = {"lines": ibis._.count(), "own": ibis._.own.sum().cast("int64"), "cents": ibis._.cents.sum().cast("int64")}
    each = lines.group_by("code", "kind", in_mrr=lines.role != "none").aggregate(**sums).execute()
    whole = rows.select("code", own=cents(rows.amount), cents=cents(rows.amount * rows.rate))
    total = whole.group_by("code").aggregate(**sums).execute().assign(kind="invoiced", in_mrr=None)
    order = {kind: i for i, kind in enumerate((*BUCKETS, "invoiced"))}
    both = pd.concat([each.astype({"in_mrr": object}), total], ignore_index=True)
    both = both.assign(at=both["kind"].map(order)).sort_values(["code", "at", "in_mrr"], ignore_index=True)
    amounts = {
        "amount": both["own"].astype("int64") / MINOR_UNITS,
        "converted": both["cents"].astype("int64") / MINOR_UNITS,
    }
    told = both["in_mrr"].map({True: "yes", False: "no"}).fillna("")
    both = both.assign(currency=both["code"].replace("", currency), bucket=both["kind"], in_mrr=told, **amounts)
    return both[["currency", "bucket", "in_mrr", "lines", "amount", "converted"]]
