"""A log of movements of MRR, as ``subscriptions``: each change lasts until the next one.

The log says either the level after each change (``mrr``) or the difference (``change``):

- After **churn** nothing is paid. After a **pause**, too, until the next **resume**, **new** or **reactivation**; what
  was paid before is paid again, unless ``mrr`` says otherwise. A ``change`` of a pause or a resume is disregarded.
- ``change`` may have its sign or not: contraction takes off, new, expansion and reactivation add.
- Rows of one moment are taken in the order churn, pause, all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.contract import Fault
from cslib.data.customers import MINOR_UNITS, cents
from cslib.data.engine import kept
from cslib.data.texts import filled
from cslib.errors import counted

UNITED: Final = ("customer_id", "scope")


@dataclass(frozen=True)
class Billed:
    """``subscriptions`` made of billing, the tables that account for them, what to say and what is odd."""

    subscriptions: ir.Table
    accounts: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def of_movements(rows: ir.Table, extra: Sequence[str]) -> Billed:
    """Make ``subscriptions`` of a log, with the ``rate`` of each row; columns ``extra`` come along."""
    keys = {f"k{i}": rows[name] for i, name in enumerate(extra)}
    scope = filled(rows.subscription_id).fill_null("") if "subscription_id" in rows.columns else ibis.literal("")
    value = rows["mrr"] if "mrr" in rows.columns else rows["change"]
    log = rows.select("customer_id", "kind", at=rows.occurred_on, scope=scope, cents=cents(value * rows.rate), **keys)
    turn = ibis.cases((log.kind == "churn", 0), (log.kind == "pause", 1), else_=2)
    log = kept(log.mutate(turn=turn))
    order: dict[str, Any] = {"group_by": list(UNITED), "order_by": ["at", "turn", "kind", "cents", *keys]}
    known = _of_levels(log, order) if "mrr" in rows.columns else _of_changes(log, order)
    marked = _with_last(known, "paused", _pausing(known), order)
    level = ibis.ifelse((marked.paused > 0) | (marked.kind == "churn"), 0, ibis.greatest(marked.level, 0))
    rows = marked.mutate(day=marked["at"].cast("date"), level=level, below=marked.level < 0)
    rows = rows.mutate(ended_on=rows.day.lead().over(ibis.window(**order)))
    spans = rows.filter((rows.level > 0) & (rows.ended_on.isnull() | (rows.ended_on > rows.day)))
    names = {name: spans[f"k{i}"] for i, name in enumerate(extra)}
    made = spans.select("customer_id", started_on="day", ended_on="ended_on", mrr=spans.level / MINOR_UNITS, **names)
    below = int(rows.below.sum().fill_null(0).execute())
    text = f"movements takes off more than there was {counted(below, 'time')}; MRR is 0 then."
    faults = (Fault("movements", "change", "below 0", "warning", below, text),) if below else ()
    note = "subscriptions is not there: it is made of movements (docs/billing.md has the rules)."
    return Billed(kept(made), notes=(note,), faults=faults)


def _pausing(log: ir.Table) -> ir.IntegerValue:
    over = log.kind.isin(["resume", "new", "reactivation", "churn"])
    return ibis.cases((log.kind == "pause", 1), (over, 0), else_=ibis.null("int64"))


def _of_levels(log: ir.Table, order: Mapping[str, Any]) -> ir.Table:
    """Take ``mrr`` for the level; where a row has none, and in a pause, the last one known."""
    known = ibis.cases((log.kind == "pause", ibis.null("int64")), (log.kind == "churn", 0), else_=log.cents)
    return _with_last(log, "level", known, order)


def _of_changes(log: ir.Table, order: Mapping[str, Any]) -> ir.Table:
    """Add up ``change`` from one churn to the next."""
    size = log.cents.fill_null(0)
    signed = ibis.cases(
        (log.kind.isin(["pause", "resume", "churn"]), 0), (log.kind == "contraction", -size.abs()), else_=size.abs()
    )
    running = ibis.cumulative_window(**order)
    rows = log.mutate(step=signed, life=(log.kind == "churn").cast("int64").sum().over(running))
    within = ibis.cumulative_window(group_by=[*order["group_by"], "life"], order_by=order["order_by"])
    return rows.mutate(level=rows.step.sum().over(within).cast("int64")).drop("step", "life")


def _with_last(log: ir.Table, name: str, value: ir.Value, order: Mapping[str, Any]) -> ir.Table:
    """Add the last value known by then, or 0, on any engine: few can leave out what is missing themselves."""
    rows = log.mutate(**{name: value})
    runs = rows.mutate(run=rows[name].notnull().cast("int64").sum().over(ibis.cumulative_window(**order)))
    last = runs[name].max().over(ibis.window(group_by=[*order["group_by"], "run"])).fill_null(0)
    return runs.mutate(**{name: last.cast("int64")}).drop("run")
