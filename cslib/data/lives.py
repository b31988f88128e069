"""Lives: from when to when somebody was a customer.

Where anything is paid (``subscriptions`` with an MRR above 0), a customer is who pays: a life begins with the first
paid day and ends when nothing is paid any more. Who pays again begins another life, unless the gap was a pause.
Elsewhere a life is what ``customers`` say of it.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.calendar import (
    age_in_months,
    last_complete,
    months_later,
    observed,
    ordinal,
    period_ordinal,
    period_start,
)
from cslib.data.contract import CONTRACT
from cslib.data.dataset import DataSet
from cslib.stats.survival import DAYS_PER_MONTH

FEWEST: Final = 20  # customers of a day on which anything can be foretold
FOREVER: Final = date(9999, 1, 1)  # the end of what still runs


def paying(data: DataSet) -> bool:
    """Tell whether subscriptions say who pays: then lives are those of payment."""
    dated = data.has_dates("customers") and "subscriptions" in data.tables
    return dated and (data.statistics["subscriptions"].get("sum_mrr") or 0) > 0


def settled(data: DataSet) -> date:
    """Return the last day up to which it is known who left: a gap since then may yet turn out to be a pause.

    Raises
    ------
    DataError
        The tables hold no date.
    """
    day = observed(data)
    if not data.pause_months or not paying(data):
        return day
    return period_start(last_complete(day, "month") - data.pause_months + 1, "month") - timedelta(days=1)


def lives(data: DataSet, **more: str) -> ir.Table:
    """List every life of every customer.

    Parameters
    ----------
    data
        With ``customers`` in dates, declared or derived from ``subscriptions``.
    **more
        Columns of ``customers`` that come along, by the name that they are given.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``life`` (1, 2, … of the customer), ``started_on``, ``churned_on`` (missing where it had not
        ended by :func:`settled`), ``here`` (whether it runs at ``as_of``), where ``customers`` have it ``churn_kind``
        (of the last life), and ``more``.

    Raises
    ------
    DataError
        There is no ``customers``, nor ``subscriptions`` to derive it from.

    Notes
    -----
    A gap in which no month ends is none: movements of MRR do not see it either. One in which no more than
    ``pause_months`` months end is a pause and ends no life. As that is known only so many months later, an end after
    :func:`settled` is not told yet: rates, lifetimes and retention are of the time before, and say the same then and in
    hindsight.

    Examples
    --------
    A customer pays in January, and again from April on.

    >>> import cslib, pandas as pd
    >>> paid = pd.DataFrame({"customer_id": "a", "started_on": ["2025-01-01", "2025-04-01"],
    ...                      "ended_on": ["2025-02-01", None], "mrr": 10.0})
    >>> both = lives(cslib.load({"subscriptions": paid}, as_of="2025-06-30")).order_by("life").execute()
    >>> both[["life", "here"]].values.tolist()
    [[1, False], [2, True]]
    >>> data = cslib.load({"subscriptions": paid}, as_of="2025-06-30", pause_months=2)
    >>> int(lives(data).count().execute()), settled(data).isoformat()
    (1, '2025-04-30')
    """
    table = data.table("customers")
    kinds = ["churn_kind"] if "churn_kind" in table.columns else []
    if not paying(data):
        own = {"life": ibis.literal(1), "here": table.churned_on.isnull()}
        return table.select("customer_id", "started_on", "churned_on", *kinds, **own, **more)
    spans = _spans(data)
    ended = spans.ended.nullif(ibis.date(FOREVER))
    until = ibis.date(settled(data))
    known = {"churned_on": ibis.ifelse(ended <= until, ended, ibis.null("date")), "here": ended.isnull()}
    rows = spans.select("customer_id", "life", "started_on", **known, last=spans.life == spans.n_lives)
    if not kinds and not more:
        return rows.drop("last")
    joined = rows.left_join(table.select("customer_id", *kinds, **more), "customer_id")
    told = joined.last & joined.churned_on.notnull()
    kind = {k: ibis.ifelse(told, joined[k], ibis.null("string")) for k in kinds}
    return joined.select(*rows.drop("last").columns, *more, **kind)


def _spans(data: DataSet) -> ir.Table:
    return data.made("spans", lambda: _joined(data))


def _joined(data: DataSet) -> ir.Table:
    """Join what is paid without a gap: ``customer_id``, ``life``, ``started_on``, ``ended``, ``n_lives``."""
    rows = data.table("subscriptions").filter(ibis._.mrr > 0)
    rows = rows.select("customer_id", "started_on", ended=rows.ended_on.fill_null(ibis.date(FOREVER)))
    order = {"group_by": "customer_id", "order_by": ["started_on", "ended"]}
    running = ibis.cumulative_window(**order)
    reached = rows.mutate(reach=rows.ended.max().over(running))
    before = reached.mutate(before=reached.reach.lag().over(ibis.window(**order)))
    gap = period_ordinal(before.started_on, "month") - period_ordinal(before.before, "month")
    begins = before.before.isnull() | (gap > data.pause_months)
    numbered = before.mutate(life=begins.cast("int64").sum().over(running))
    each = numbered.group_by(["customer_id", "life"])
    spans = each.aggregate(started_on=numbered.started_on.min(), ended=numbered.ended.max())
    return spans.mutate(n_lives=spans.life.max().over(ibis.window(group_by="customer_id")))


def counted_as(data: DataSet) -> str:
    """Name what is counted as customers are: ``stay`` where some have come back, whose lives count one by one."""
    return "stay" if paying(data) and bool(_spans(data).life.max().execute() > 1) else "customer"


def has_history(data: DataSet, column: str) -> bool:
    """Tell whether paid subscriptions know when customers had which value of a column that customers have, too."""
    known = {*CONTRACT["customers"], *CONTRACT["subscriptions"]}
    both = paying(data) and all(column in data.table(t).columns for t in ("customers", "subscriptions"))
    return both and column not in known and "customers" not in data.derived


def gaps(data: DataSet) -> ir.Table:
    """List how many months ended between the end of a life and the start of the next, or since.

    Parameters
    ----------
    data
        As for :func:`lives`.

    Returns
    -------
    ibis.expr.types.Table
        One row per life that has ended: ``customer_id``, ``age`` (months, at its end), ``gap`` (months), ``returned``
        (false: not by ``as_of``).
    """
    rows = lives(data)
    after = rows.mutate(next=rows.started_on.lead().over(ibis.window(group_by="customer_id", order_by="life")))
    after = after.filter(after.churned_on.notnull())
    day = ordinal(observed(data) + timedelta(days=1), "month")
    gap = period_ordinal(after.next, "month").fill_null(day) - period_ordinal(after.churned_on, "month")
    age = age_in_months(after.started_on, after.churned_on)
    return after.select("customer_id", age=age, gap=gap, returned=after.next.notnull())


def ended(data: DataSet, *, begun: date, after: date, until: date) -> ir.Table:
    """Find the stays, as from :func:`lives`, that had begun by a day and ended after one, up to another.

    Parameters
    ----------
    data
        With ``customers``.
    begun, after, until
        The days.
    """
    stays = lives(data)
    gone = (stays.started_on <= ibis.date(begun)) & (stays.churned_on > ibis.date(after))
    return stays.filter((gone & (stays.churned_on <= ibis.date(until))).fill_null(False))


def day_before(data: DataSet, months: int) -> date | None:
    """Find the day so many months before ``as_of``, or None where too little was known by then.

    Too little: fewer than 20 customers were present, or none of them had been observed for half as long.
    """
    if data.as_of is None or not data.has_dates("customers"):
        return None
    day = months_later(data.as_of, -months)
    table = lives(data)
    present = table.filter((table.started_on <= day) & (table.churned_on.isnull() | (table.churned_on > day)))
    known = present.aggregate(n=present.count(), since=present.started_on.min()).execute().iloc[0]
    if known["n"] < FEWEST or (data.observed_from and data.observed_from >= day):
        return None
    since = max(pd.Timestamp(known["since"]), pd.Timestamp(data.observed_from or date.min))
    return day if (pd.Timestamp(day) - since).days / DAYS_PER_MONTH >= months / 2 else None
