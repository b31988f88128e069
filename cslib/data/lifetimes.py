"""Lifetimes: how long each customer has been here, and whether and how it left. Reduced in the engine.

A lifetime is told in months: of the calendar where customers have dates (:func:`cslib.data.calendar.age_in_months`),
of tenure where they have tenures. A customer still here is censored at ``as_of``; one known only from
``observed_from`` on enters the risk set at the age it had then.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.calendar import age_in_months, observed
from cslib.data.customers import check_segments, with_all, with_segment
from cslib.data.dataset import DataSet
from cslib.data.lives import has_history, lives, settled
from cslib.errors import DataError
from cslib.stats.survival import DAYS_PER_MONTH

NOT_RECORDED: Final = "not recorded"
ENOUGH, YOUNG = 20, 12  # customers, and months of the shortest stay among them that tells of missing ones


def unit_months(data: DataSet) -> float:
    """Return how finely lifetimes are recorded, in months: to the day, or to the month where tenures are whole."""
    return 1.0 if not data.has_dates("customers") and data.whole_tenures else 1 / DAYS_PER_MONTH


def lifetime_rows(data: DataSet, *, segment: str = "") -> ir.Table:
    """Give every life of every customer under observation its length.

    Parameters
    ----------
    data
        With ``customers``, in dates or in tenures.
    segment
        A column of ``customers`` that comes along as ``segment`` (text; ``(missing)`` where empty), if any.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, ``life`` (1, 2, … of the customer, as in :func:`cslib.data.lives.lives`), ``entry`` and
        ``duration`` (in months: the age from which the customer was under observation, and the age at churn or on the
        last day known), ``event_observed`` (true: churned), ``churn_kind`` (text; empty while here, ``not recorded``
        where a churn has none). Who left before ``observed_from`` was never under observation and is not there.

    Raises
    ------
    DataError
        There is no ``customers``, nor ``subscriptions`` to derive it from.
    """
    return _rows(data, segment) if segment else data.made("lifetimes", lambda: _rows(data, ""))


def _rows(data: DataSet, segment: str) -> ir.Table:
    table, own = data.table("customers"), {"segment": segment} if segment else {}
    if not data.has_dates("customers"):
        churned, entry, life = table.churned, ibis.literal(_youngest(data)), ibis.literal(1)
        duration = table.tenure_months.cast("float64")
    else:
        table, last = lives(data, **own), ibis.date(settled(data))
        own = dict.fromkeys(own, "segment")
        table = table.filter(table.started_on <= last) if data.pause_months else table
        table, entry = _under_observation(table, data.observed_from)
        churned, life = table.churned_on.notnull(), table.life
        duration = age_in_months(table.started_on, table.churned_on.fill_null(last))
    kind = table.churn_kind.fill_null(NOT_RECORDED) if "churn_kind" in table.columns else ibis.literal(NOT_RECORDED)
    columns = {"customer_id": table.customer_id, "life": life, "entry": entry, "duration": duration}
    columns |= {"event_observed": churned, "churn_kind": ibis.ifelse(churned, kind, "")}
    return table.select(**columns, **{k: table[c].cast("string").fill_null("(missing)") for k, c in own.items()})


def _youngest(data: DataSet) -> float:
    """Age from which a file of tenures shows customers: above 0 where those who were here for less are not in it."""
    known = data.statistics["customers"]
    least = float(known["least_tenure"] or 0.0)
    return least - (1.0 if data.whole_tenures else 0.0) if short_missing(known["rows"], least) else 0.0


def short_missing(n: int, least: float) -> bool:
    """Tell whether the short ones seem to be missing among so many tenures, of which one is the shortest."""
    return n >= ENOUGH and least >= YOUNG


def _under_observation(table: ir.Table, since: date | None) -> tuple[ir.Table, ir.Value]:
    """Leave out who had left before records began, and give the others the age they had on the day before."""
    if since is None:
        return table, ibis.literal(0.0)
    first = ibis.date(since)
    table = table.filter((table.started_on >= first) | table.churned_on.isnull() | (table.churned_on >= first))
    # the day before, so that a churn on the first recorded day still counts
    return table, ibis.greatest(age_in_months(table.started_on, ibis.date(since - timedelta(days=1))), 0.0)


def present(data: DataSet) -> ir.Table:
    """List who is a customer at ``as_of``, or by tenure: ``customer_id``, and ``duration`` (age in months)."""
    if not data.has_dates("customers"):
        rows = lifetime_rows(data)
        return rows.filter(~rows.event_observed).select("customer_id", "duration")
    rows = lives(data)
    return rows.filter(rows.here).select(
        "customer_id", duration=age_in_months(rows.started_on, ibis.date(observed(data)))
    )


def lifetimes(data: DataSet, *, segment_by: str = "") -> pd.DataFrame:
    """Count customers by how long they have been here and whether, and how, they left.

    Parameters
    ----------
    data
        With ``customers``, in dates or in tenures.
    segment_by
        A column; empty for the whole only.

    Returns
    -------
    pandas.DataFrame
        One row per combination: ``segment`` (``All`` first), ``entry_months`` (age from which the customers
        were under observation; they are at risk at every later age), ``duration_months`` (age at churn or
        on the last day known), ``event_observed`` (true: churned), ``churn_kind`` (empty while here),
        ``n`` (customers; who came back counts once for each life).

    Raises
    ------
    DataError
        There is no ``customers``, or none of them was under observation.

    Examples
    --------
    >>> import pandas as pd, cslib
    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "tenure_months": [3, 3, 8],
    ...                           "churned": [True, True, False]})
    >>> counts = lifetimes(cslib.load({"customers": customers}))
    >>> counts[["segment", "duration_months", "event_observed", "n"]].values.tolist()
    [['All', 3.0, True, 2], ['All', 8.0, False, 1]]
    """
    return data.found(f"lifetimes {segment_by}", lambda: _counted(data, segment_by)).copy()


def _counted(data: DataSet, segment_by: str) -> pd.DataFrame:
    rows, known = _with_segment(data, segment_by), data.table("customers").columns
    # what is the same for all is no key: the engine has less to compare
    late = data.observed_from or (not data.has_dates("customers") and _youngest(data))
    keys = ["entry", "duration"] if late else ["duration"]
    keys += ["event_observed", "churn_kind"] if "churn_kind" in known else ["event_observed"]
    counted = rows.group_by(["segment", *keys]).aggregate(n=rows.count()).execute()
    check_segments(counted["segment"] if segment_by else (), segment_by)
    if counted.empty:
        raise nobody_observed(data)
    every = with_all(counted)
    left = every["event_observed"].astype(bool)
    kinds = every["churn_kind"].astype(str) if "churn_kind" in keys else np.where(left, NOT_RECORDED, "")
    columns = {"segment": every["segment"].astype(str), "entry_months": every.get("entry", 0.0)}
    columns |= {"duration_months": every["duration"], "event_observed": left}
    return pd.DataFrame({**columns, "churn_kind": kinds, "n": every["n"]})


def nobody_observed(data: DataSet) -> DataError:
    """Say that no customer was under observation."""
    since = f" from observed_from {data.observed_from} on" if data.observed_from else ""
    who = f"No customer of {data.label or 'the data set'}"
    return DataError(f"{who} was under observation{since}. Check it, or widen where.")


def _with_segment(data: DataSet, segment_by: str) -> ir.Table:
    table = data.table("customers")
    own = segment_by in table.columns and segment_by != "customer_id"
    if segment_by and own and not has_history(data, segment_by):  # at hand
        return lifetime_rows(data, segment=segment_by)
    return with_segment(lifetime_rows(data), data, segment_by)
