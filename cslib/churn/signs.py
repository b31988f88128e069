"""What is on record of a customer beside the model: segments, last use, tickets and the last answer."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.calendar import observed, period_ordinal, read_window
from cslib.data.dataset import DataSet
from cslib.data.lives import lives

SEPARATOR: Final = "\x1f"  # between reasons: no value of a segment holds it
QUIET: Final = 30  # days without use, and three times the usual pause, before somebody has stopped
PAUSES: Final = 3
USES: Final = 3  # days of use from which a usual pause is known
RECENT: Final = 90  # days in which tickets count
TICKETS: Final = 2  # from which they are a reason to call
FRESH: Final = "12 months"  # of invitations: a bad answer to one of these is a reason to call
ANSWERS: Final = {"ces": 0, "csat": 1, "nps": 2}  # of one day the last of these counts
LOW: Final = {"nps": 6, "csat": 2}  # up to which an answer is a bad one; the direction of CES is not known here
SCORES: Final = 16  # more than any scale has
STOPPED: Final = "stopped using it"
KINDS: Final = {  # of reasons, and what only the text of such a one holds
    STOPPED: SEPARATOR + STOPPED, "low NPS": SEPARATOR + "gave NPS", "low CSAT": SEPARATOR + "gave CSAT",
    "tickets": f" tickets in {RECENT} days",
}  # fmt: skip
SIGNS: Final = {"last_used_on": "date", "n_tickets": "int64", "last_answer": "string", "answered_on": "date"}
MOST_SEGMENTS: Final = 4


def with_signs(table: ir.Table, data: DataSet) -> ir.Table:
    """Add what is on record of each customer's present stay, as far as there are tables of it.

    Parameters
    ----------
    table
        With ``customer_id``.
    data
        With ``customers``, and with ``usage``, ``touchpoints`` or ``surveys``, or none of them. What lies before a
        customer's present stay is not told: who has come back is not called for why they left.

    Returns
    -------
    ibis.expr.types.Table
        The table with ``last_used_on``, ``n_tickets`` (contacts whose kind has ``ticket`` in it, of the last 90 days),
        ``last_answer`` (such as ``NPS 3``), ``answered_on``, and ``sign``: reasons to call, each after a separator:
        use that has stopped (no use for 30 days and for three times the customer's usual pause), an NPS up to 6 or a
        CSAT up to 2 as the last answer to that survey, asked for within a year, two tickets or more. Null where a table
        is not there.

    Examples
    --------
    >>> import cslib, pandas as pd
    >>> customers = pd.DataFrame({"customer_id": ["a"], "started_on": "2025-01-01", "churned_on": None})
    >>> asked = {"customer_id": ["a"], "asked_on": "2025-04-20", "survey": "nps", "score": [3]}
    >>> data = cslib.load({"customers": customers, "surveys": pd.DataFrame(asked)}, as_of="2025-06-30")
    >>> with_signs(data.table("customers").select("customer_id"), data).execute()["sign"].str.strip(SEPARATOR).tolist()
    ['gave NPS 3 in April']
    """
    readers = {"usage": _used, "surveys": _answered, "touchpoints": _contacted} if data.as_of else {}
    found = [read(data) for name, read in readers.items() if name in data.tables]
    signs = [f"sign{i}" for i in range(len(found))]
    for name, part in zip(signs, found, strict=True):
        part = part.rename({name: "sign"})
        own = [c for c in part.columns if c != "customer_id"]
        table = table.left_join(part, "customer_id").select(*table.columns, *own)
    absent = {c: ibis.null(kind) for c, kind in SIGNS.items() if c not in table.columns}
    sign = reduce(lambda text, name: text + table[name].fill_null(""), signs, ibis.literal(""))
    counted = table.n_tickets.fill_null(0) if "n_tickets" in table.columns else ibis.null("int64")
    return table.mutate(**absent | {"n_tickets": counted, "sign": sign}).drop(*signs)


def gives(reasons: pd.Series[Any], kinds: Sequence[str]) -> pd.Series[bool]:
    """Tell of each customer whether they give a reason of one of some kinds.

    Parameters
    ----------
    reasons
        As in ``reason`` of :func:`cslib.churn.at_risk.at_risk`.
    kinds
        Of :data:`KINDS`.

    Examples
    --------
    >>> gives(pd.Series(["2 tickets in 90 days; gave NPS 3 in May", None]), ["low NPS"]).tolist()
    [True, False]
    """
    texts = SEPARATOR + reasons.fillna("").str.replace("; ", SEPARATOR)
    return reduce(or_, (texts.str.contains(KINDS[kind], regex=False) for kind in kinds), pd.Series(False, texts.index))


def segment_columns(data: DataSet, *taken: str) -> list[str]:
    """Name the declared segments that ``customers`` hold, four at most, to stand beside a list."""
    own = data.table("customers").columns
    return [c for c in data.segments if c in own and c not in taken][:MOST_SEGMENTS]


def _in_stay(rows: ir.Table, day: ir.DateValue, data: DataSet) -> ir.Table:
    """Tell of each row whether its customer's present stay had begun by then (``now``)."""
    if not data.has_dates("customers"):
        return rows.mutate(day=day, now=True)
    own = lives(data)
    begun = own.filter(own.here).select("customer_id", began="started_on")
    joined = rows.mutate(day=day).left_join(begun, "customer_id")
    return joined.select(*rows.columns, "day", now=(joined.day >= joined.began).fill_null(False))


def _used(data: DataSet) -> ir.Table:
    """Find the last use of each customer, and whether it has stopped; against the last day on which anybody used it."""
    rows = data.table("usage")
    rows = _in_stay(rows.select("customer_id", "occurred_at"), rows.occurred_at.cast("date"), data)
    rows = rows.mutate(at=period_ordinal(rows.day, "day"))
    ends: Any = {"first": rows["at"].min(where=rows.now), "last": rows["at"].max(where=rows.now)}
    ends |= {"last_used_on": rows.day.max(where=rows.now), "n": rows["at"].nunique(where=rows.now)}
    each = rows.group_by("customer_id").aggregate(ever=rows["at"].max(), **ends)
    silent = each.ever.max() - each["last"]
    usual = (each["last"] - each["first"]) / ibis.greatest(each.n - 1, 1)
    stopped = (each.n >= USES) & (silent > QUIET) & (silent > PAUSES * usual)
    sign = ibis.ifelse(stopped.fill_null(False), f"{SEPARATOR}{STOPPED} " + _when(each.last_used_on, data), "")
    return each.select("customer_id", "last_used_on", sign=sign)


def _contacted(data: DataSet) -> ir.Table:
    """Count the tickets of the last 90 days."""
    rows = data.table("touchpoints")
    since = ibis.date(observed(data) - timedelta(days=RECENT - 1))
    rows = _in_stay(rows.select("customer_id", "kind", "occurred_on"), rows.occurred_on.cast("date"), data)
    tickets = rows.filter(rows.now & (rows.day >= since) & rows.kind.lower().contains("ticket"))
    each = tickets.group_by("customer_id").aggregate(n_tickets=tickets.count().cast("int64"))
    text = SEPARATOR + each.n_tickets.cast("string") + f" tickets in {RECENT} days"
    return each.mutate(sign=ibis.ifelse(each.n_tickets >= TICKETS, text, ""))


def _answered(data: DataSet) -> ir.Table:
    """Find the last answer of each customer; of several on one day the worse."""
    rows = data.table("surveys")
    day = rows.answered_on.coalesce(rows.asked_on) if "answered_on" in rows.columns else rows.asked_on
    asked = rows.select("customer_id", "survey", "score", "asked_on", on=day)
    rows = _in_stay(asked, day.cast("date"), data)
    rows = rows.filter(rows.now & rows.score.notnull())
    place = ibis.cases(*((rows.survey == name, k) for name, k in ANSWERS.items()), else_=0)
    key = (period_ordinal(rows.day, "day") * len(ANSWERS) + place) * SCORES + (SCORES - 1) - rows.score.cast("int64")
    since = read_window(FRESH, as_of=observed(data), earliest=observed(data)).first
    fresh = rows.asked_on.cast("date") >= ibis.date(since)
    rows = rows.select("customer_id", "survey", "day", fresh=fresh, key=key.cast("int64"))
    own = {n: rows.survey == n for n in LOW}
    last = {n: rows.key.max(where=of) for n, of in own.items()}
    last |= {f"{n}_on": rows.day.max(where=of & rows.fresh) for n, of in own.items()}
    each = rows.group_by("customer_id").aggregate(any=rows.key.max(), answered_on=rows.day.max(), **last)
    name = ibis.cases(*((_place(each.any) == k, n.upper()) for n, k in ANSWERS.items()), else_="")
    text = name + " " + _score(each.any).cast("string")
    sign = reduce(lambda said, n: said + _bad(n, each[n], each[f"{n}_on"], data), LOW, ibis.literal(""))
    return each.select("customer_id", "answered_on", last_answer=text, sign=sign)


def _bad(survey: str, key: ir.IntegerValue, day: ir.DateValue, data: DataSet) -> ir.StringValue:
    """Name a bad answer to an invitation of the last year, as the survey report counts it: ``gave NPS 3 in April``."""
    text = SEPARATOR + f"gave {survey.upper()} " + _score(key).cast("string") + " " + _when(day, data)
    return ibis.ifelse((day.notnull() & (_score(key) <= LOW[survey])).fill_null(False), text, "")


def _score(key: ir.IntegerValue) -> ir.IntegerValue:
    return (SCORES - 1) - key % SCORES


def _place(key: ir.IntegerValue) -> ir.IntegerValue:
    return (key // SCORES).cast("int64") % len(ANSWERS)


def _when(day: ir.DateValue, data: DataSet) -> ir.StringValue:
    """Write the month of a day, with its year where that is not clear: ``in May``."""
    told = ((day.month() == k, f"in {month_name[k]}") for k in range(1, 13))
    long_ago = day < ibis.date(observed(data) - timedelta(days=330))
    return ibis.cases(*told, else_="") + ibis.ifelse(long_ago, " " + day.year().cast("string"), "")
