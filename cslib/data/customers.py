"""Steps of the reduction that analyses share: segments, and what each customer pays over time."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.calendar import observed, period_ordinal
from cslib.data.contract import CONTRACT, MOMENT, TENURE
from cslib.data.dataset import DataSet, counted_anew
from cslib.data.engine import earliest, held
from cslib.data.lives import has_history, paying
from cslib.errors import ParameterError, counted, did_you_mean, listed

HOLDERS: Final = ("customers", "subscriptions", "orders", "usage", "surveys")  # of segment columns
MAX_SEGMENTS: Final = 50
TAKEN: Final = {"All": "the whole", "(small groups)": "those that are too small to stand alone"}  # names of no segment
PART: Final = "part_of_sum"  # a column that cslib.data.parts adds to customers: of as many values as there are parts
MINOR_UNITS: Final = 100
NARROW: Final = 1_000_000_000  # whose square, and the difference of two, fit into 64 bits
Product: TypeAlias = Callable[[ir.NumericValue, ir.NumericValue], ir.NumericValue]


def cents(amount: ir.NumericValue) -> ir.IntegerValue:
    """Turn an amount into whole hundredths, whose sums are the same in whichever order an engine adds."""
    return (amount * MINOR_UNITS).round().cast("int64")


def segments(data: DataSet, segment_by: str, *, today: bool = False) -> ir.Table:
    """Give every customer the one segment it belongs to.

    Parameters
    ----------
    data
        The data set.
    segment_by
        A column of ``customers``, or else of ``subscriptions``, ``orders``, ``usage`` or ``surveys``: then the
        value in the customer's first row counts. Where both ``customers`` and paid subscriptions have it, the first
        paid subscription counts, too: a plan that only those reach who stay would seem to make customers stay.
    today
        Take the value that ``customers`` have, if any, all the same: for a list of who is here.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``segment`` (text; ``(missing)`` where empty).

    Raises
    ------
    ParameterError
        No table has the column, it has more than 50 values, or one of them is ``All``.
    """

    def make() -> ir.Table:
        first = has_history(data, segment_by) and not today
        found = at_start(data, segment_by) if first else _values(data, _holder(data, segment_by), segment_by)
        check_segments(found.select("segment").distinct().limit(MAX_SEGMENTS + 1).execute()["segment"], segment_by)
        return found

    return data.made(f"segments {today} {segment_by}", make)


def segment_of(data: DataSet, segment_by: str, segment: str) -> DataSet:
    """Keep the customers of one segment, those that a comparison by this column counts as such.

    Parameters
    ----------
    data, segment_by
        As for :func:`segments`.
    segment
        One of its values.

    Returns
    -------
    DataSet
        Every table that has customers holds theirs only.

    Raises
    ------
    ParameterError
        As from :func:`segments`, or nobody belongs to it.
    """
    theirs = _segments_of_all(data, segment_by)
    there = theirs.select("segment").distinct().execute()["segment"]
    msg = f"{segment_by} is {segment!r} for nobody. {did_you_mean(segment, there)}"
    ParameterError.when(segment not in set(there), msg)
    return _kept(data, theirs, (segment_by, segment))


def _kept(data: DataSet, theirs: ir.Table, segment: tuple[str, str]) -> DataSet:
    """Keep the customers whose segment is this one in a table of them."""
    ids = held(theirs.filter(theirs.segment == segment[1]).select("customer_id")).customer_id
    own = {n: t.filter(t.customer_id.isin(ids)) if "customer_id" in t.columns else t for n, t in data.tables.items()}
    notes = (
        *data.notes,
        f"From here on only customers whose {segment[0]} is {segment[1]}; the data were checked as a whole.",
    )
    more: Any = {"unfiltered": data.unfiltered or (lambda: data), "whole": lambda: data, "segment": segment}
    return counted_anew(replace(data, tables=own, notes=notes, **more))


def segment_today(data: DataSet) -> DataSet:
    """Give those who are of a segment now, where the data are those who began with it; else the data as they are.

    Surveys are compared by what customers are when they answer, and whom to call is asked of those who are here, not of
    what they began with. Nobody may be of it now.
    """
    if data.whole is None or not has_history(data.whole(), data.segment[0]):
        return data
    whole, (column, _) = data.whole(), data.segment
    return _kept(whole, _segments_of_all(whole, column, today=True), data.segment)


def segment_sizes(data: DataSet, segment_by: str) -> pd.Series[int]:
    """Count the customers of each segment, the largest first; of the same size in alphabetical order."""
    table = _segments_of_all(data, segment_by)
    sizes = table.group_by("segment").aggregate(n=table.count()).execute().sort_values("segment")
    return sizes.set_index("segment")["n"].sort_values(ascending=False, kind="stable")


def _segments_of_all(data: DataSet, segment_by: str, *, today: bool = False) -> ir.Table:
    """Give :func:`segments` with the customers whom its table does not know, as :func:`with_segment` counts them."""
    known = segments(data, segment_by, today=today)
    if "customers" not in data.tables:
        return known
    others = data.tables["customers"].anti_join(known, "customer_id").select("customer_id")
    return known.union(others.mutate(segment=ibis.literal("(missing)")))


def at_start(data: DataSet, column: str) -> ir.Table:
    """Give every customer the value of its first paid subscription, or else its own, as text.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``segment``.
    """
    own, first = (_values(data, holder, column) for holder in ("customers", "subscriptions"))
    both = own.left_join(first.select("customer_id", at_start="segment"), "customer_id")
    return both.select("customer_id", segment=ibis.coalesce(both.at_start, both.segment))


def _values(data: DataSet, holder: str, column: str) -> ir.Table:
    table, text = _texts(data, holder, column)
    if holder == "customers":
        return table.select(customer_id=table.customer_id, segment=text)
    each = table.group_by("customer_id", segment=text).aggregate(since=table[MOMENT[holder]].min())
    return each.group_by("customer_id").aggregate(segment=earliest(each.segment, each.since))


def _texts(data: DataSet, holder: str, column: str) -> tuple[ir.Table, ir.StringValue]:
    """Give the rows of a table, of subscriptions those that are paid for, and a column of them as text."""
    table = data.table(holder)
    if holder == "subscriptions" and paying(data):
        table = table.filter(table.mrr > 0)
    return table, table[column].cast("string").fill_null("(missing)")


def segment_remark(data: DataSet, segment_by: str) -> tuple[str, ...]:
    """Say of which day the segments of customers are, to stand beside a comparison of them.

    Returns
    -------
    tuple of str
        One sentence; none where it is clear: no segments, nobody ever had another one, or they come from orders or
        usage.
    """
    kept = has_history(data, segment_by)
    if segment_by and _holder(data, segment_by) == "customers" and not kept and "customers" not in data.derived:
        return today_remark(data, [segment_by])
    if "subscriptions" not in data.tables or segment_by not in data.table("subscriptions").columns:
        return ()
    changed = int(_changed(data, segment_by, also="customers" if kept else "").count().execute())
    what = f"The {segment_by.replace('_', ' ')} of a customer is the first one paid for"
    return (f"{what}: {counted(changed, 'customer')} had another one later.",) * bool(changed)


def _changed(data: DataSet, column: str, *, also: str) -> ir.Table:
    """List who has paid for another value than the first, or has another one in a further table, which is of today."""
    rows, text = _texts(data, "subscriptions", column)
    later = rows.select("customer_id", now=text)
    values = later.union(_values(data, also, column).select("customer_id", now="segment")) if also else later
    both = _values(data, "subscriptions", column).join(values, "customer_id")
    return both.filter(both.segment != both.now).select("customer_id").distinct()


def today_remark(data: DataSet, columns: Iterable[str]) -> tuple[str, ...]:
    """Say which columns of customers are known of today only, to stand beside what is told by them."""
    if "customers" not in data.tables or "customers" in data.derived:  # then they are those of the first row
        return ()
    own, known = data.table("customers"), {*CONTRACT["customers"], *TENURE}
    told = [c for c in columns if c in own.columns and c not in known and not has_history(data, c)]
    if not told:
        return ()
    return (f"We only know today's {listed(told)}, so don't read a difference as a cause.",)


def with_segment(table: ir.Table, data: DataSet, segment_by: str, *, today: bool = False) -> ir.Table:
    """Add the column ``segment`` to a table of customers: ``All`` where ``segment_by`` is empty."""
    if not segment_by:
        return table.mutate(segment=ibis.literal("All"))
    joined = table.left_join(segments(data, segment_by, today=today), "customer_id")
    return joined.select(*table.columns, segment=joined.segment.fill_null("(missing)"))


def _holder(data: DataSet, segment_by: str) -> str:
    columns = {n: data.table(n).columns for n in HOLDERS if n in data.tables}
    for name, own in columns.items():
        if segment_by in own and segment_by != "customer_id":
            return name
    there = {c for name, own in columns.items() for c in own if c not in CONTRACT[name]}
    msg = f"segment_by is {segment_by!r} (in Python: by), which no table has as a column."
    msg += f" {did_you_mean(segment_by, there)}"
    raise ParameterError(msg)


def check_segments(values: Iterable[str], segment_by: str) -> None:
    """Refuse a column with too many values to compare, or with one that names the whole, or those merged.

    Raises
    ------
    ParameterError
        It has more than 50 values, or one of them is ``All`` or ``(small groups)``.
    """
    different = [] if segment_by == PART else sorted(set(values))
    msg = f"segment_by={segment_by!r} has more than {MAX_SEGMENTS} values (such as {', '.join(different[:3])})."
    msg += " Choose a column with fewer, or group them with a query."
    ParameterError.when(len(different) > MAX_SEGMENTS, msg)
    for name, whom in TAKEN.items():
        msg = f"segment_by={segment_by!r} has the value {name!r}, which names {whom}. Rename it in the data."
        ParameterError.when(name in different, msg)


def mrr_steps(data: DataSet, period: str) -> ir.Table:
    """Turn subscriptions into each customer's MRR at period ends, as steps rather than one row a period.

    Parameters
    ----------
    data
        With ``subscriptions``; overlapping ones of a customer add up.
    period
        As in :func:`period_ordinal`. A subscription counts in a period when it covers its last day.

    Returns
    -------
    ibis.expr.types.Table
        One row per customer and period in which its MRR may change: ``customer_id``, ``step`` (number of the period),
        ``first`` (the one in which something paid began; missing before) and, in hundredths, ``cents`` (MRR from then
        on), ``before`` (MRR up to then) and ``cents_first`` (MRR at the end of ``first``; missing before).

    Raises
    ------
    DataError
        There is no ``subscriptions``.
    """
    rows = data.table("subscriptions")

    def make() -> ir.Table:
        mrr = cents(rows.mrr)
        start = period_ordinal(rows.started_on, period)
        # a subscription that ends inside a period (end exclusive) does not cover its last day
        end = period_ordinal(rows.ended_on, period)
        begun = rows.select("customer_id", step=start, cents=mrr, first=ibis.ifelse(mrr > 0, start, ibis.null("int64")))
        ended = rows.filter(rows.ended_on.notnull())
        ended = ended.select("customer_id", step=ibis.greatest(end, start), cents=-mrr, first=ibis.null("int64"))
        steps = cumulated(begun.union(ended), cents="sum", first="min")
        order = {"group_by": "customer_id", "order_by": "step"}
        at_first = steps.cents.max(where=steps.step == steps["first"]).over(ibis.cumulative_window(**order))
        before = steps.cents.lag().over(ibis.window(**order)).fill_null(0)
        return steps.mutate(before=before, cents_first=at_first)

    return data.made(f"steps {period}", make)


def cumulated(changes: ir.Table, **how: str) -> ir.Table:
    """Add up what changes for each customer, in the order of ``step``: one row a step, with all of its changes."""
    running = ibis.cumulative_window(group_by="customer_id", order_by="step")
    levels = {name: getattr(changes[name], kind)().over(running) for name, kind in how.items()}
    rows = changes.select("customer_id", "step", **levels, last=last_of_step(changes))
    return rows.filter("last").drop("last")


def last_of_step(changes: ir.Table) -> ir.BooleanValue:
    """Tell the last of the changes of a customer at a step, where sums over them in their order are whole."""
    after = changes.step.lead().over(ibis.window(group_by="customer_id", order_by="step"))
    return after.isnull() | (after != changes.step)


def current_mrr(data: DataSet) -> ir.Table | None:
    """Find what each customer pays a month at ``as_of``.

    Parameters
    ----------
    data
        With ``subscriptions``, or ``mrr`` in ``customers``.

    Returns
    -------
    ibis.expr.types.Table or None
        ``customer_id``, ``mrr`` (of the subscriptions that run at ``as_of``, summed; only customers with
        one are there; else the column of ``customers``). None: the data set does not tell.
    """
    if "subscriptions" in data.tables:
        rows = data.table("subscriptions")
        day = ibis.date(observed(data))
        running = rows.filter((rows.started_on <= day) & (rows.ended_on.isnull() | (rows.ended_on > day)))
        return running.group_by("customer_id").aggregate(mrr=exact_sum(running.mrr))
    customers = data.table("customers")
    return customers.select("customer_id", "mrr") if "mrr" in customers.columns else None


def first_mrr(data: DataSet) -> ir.Table:
    """Find what each customer paid a month on its first paid day, whatever it paid later.

    Parameters
    ----------
    data
        With ``subscriptions``.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``mrr`` (missing where nothing was ever paid); only customers with a subscription are there.
    """
    steps = mrr_steps(data, "day")
    return steps.group_by("customer_id").aggregate(mrr=steps.cents_first.max() / MINOR_UNITS)


def with_all(counted: pd.DataFrame) -> pd.DataFrame:
    """Put the whole before its segments: every customer is in exactly one. They are added in one order."""
    keys = [c for c in ("cohort", "tier", "at", "entry", "duration", "event_observed", "churn_kind") if c in counted]
    counted = counted.sort_values(["segment", *keys])
    whole = counted.drop(columns="segment").groupby(keys, as_index=False).sum().assign(segment="All")
    parts = counted[counted["segment"] != "All"]
    return pd.concat([whole, parts], ignore_index=True)[counted.columns]


def summed_changes(
    table: ir.Table, names: Sequence[str], keys: Sequence[str], *, products: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """Sum by keys how much each customer's measures change at its steps; cumulated, these are the sums themselves.

    Parameters
    ----------
    table
        ``customer_id``, ``step``, the keys and the measures in whole numbers, such as hundredths, so that the sums are
        exact.
    names
        The measures to sum.
    keys
        Columns to sum by.
    products
        Of which two measures to sum the product, too, by its name: of counts, as 64 bits must hold it.

    Returns
    -------
    pandas.DataFrame
        The keys and, in floats, the sums.
    """
    order = ibis.window(group_by="customer_id", order_by="step")
    measures = {*names, *(m for pair in products.values() for m in pair)}
    before = {f"{m}_before": table[m].lag().over(order).fill_null(0) for m in sorted(measures)}
    moves = table.select("customer_id", *dict.fromkeys(["step", *keys]), *sorted(measures), **before)
    changes = {m: moves[m] - moves[f"{m}_before"] for m in names}
    for name, (a, b) in products.items():
        changes[name] = moves[a] * moves[b] - moves[f"{a}_before"] * moves[f"{b}_before"]
    return moves.group_by(list(keys)).aggregate(**{m: c.sum().cast("float64") for m, c in changes.items()}).execute()


def tier(cents: ir.IntegerValue) -> ir.IntegerValue:
    """Group amounts so that each group goes up to twice its least; 0 and less are one group."""
    return ibis.greatest(cents, 1).log2().floor().cast("int64")


def exact_product(a: ir.NumericValue, b: ir.NumericValue) -> ir.NumericValue:
    """Multiply whole numbers, such as amounts in hundredths, so that sums of the products are exact.

    Engines add in any order, and in several threads: with floats the last digits would differ from run to run. 64 bits
    would not hold the square of 30 million, in hundredths.
    """
    return a.cast("decimal(38, 0)") * b.cast("decimal(38, 0)")


def product_of(data: DataSet, period: str) -> Product:
    """Choose how to multiply what is paid at steps, exactly: in 64 bits where every product fits, far quicker."""
    steps = mrr_steps(data, period)

    def choose() -> Product:
        if steps.get_backend().name != "duckdb":
            return exact_product
        most = steps.cents.abs().max().execute()
        return operator.mul if pd.isna(most) or most <= NARROW else exact_product

    return data.found(f"product {period}", choose)


def exact_sum(amounts: ir.NumericValue) -> ir.NumericValue:
    """Add amounts in billionths, so that the sum does not depend on the order in which an engine adds."""
    return amounts.cast("decimal(38, 9)").sum().cast("float64")
