"""Recurring revenue: what the MRR of a cohort becomes."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.cohorts import KEY, Spans, read_spans, with_all
from cslib.counts import MINOR_UNITS, mrr_steps, period_start, segments
from cslib.tables import DataSet

__all__ = ["net_and_gross", "revenue_curve", "revenue_retention"]


def revenue_retention(
    data: DataSet, *, segment_by: str = "", period: str = "month", max_periods: int = 24
) -> pd.DataFrame:
    """Net and gross revenue retention of each cohort, from ``subscriptions``.

    Parameters
    ----------
    data, segment_by, period, max_periods
        As in :func:`retention`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``cohort``, ``period_index``, ``mrr_start`` (MRR at the end of the cohort's first
        period), ``mrr`` (at the end of this one; missing where it is not fully observed),
        ``net_retention`` (mrr / mrr_start, may exceed 1), ``gross_retention`` (each customer's MRR
        counted up to its start, 0–1). Without MRR at the start the rates are missing.

    Raises
    ------
    DataError
        There is no ``subscriptions``.
    """
    spans = read_spans(data, "subscriptions", period)
    steps = mrr_steps(data, period).filter(ibis._["first"] >= spans.earliest)
    named = segments(data, segment_by) if segment_by else None
    changes = with_all(_revenue_changes(steps, named))
    levels = _levels(changes, spans)
    starts = levels[levels["at"] == levels["cohort"]].rename(columns={"mrr": "mrr_start"})
    grid = levels.merge(starts[[*KEY, "mrr_start"]], on=KEY)
    grid["period_index"] = grid["at"] - grid["cohort"]
    grid = grid[grid["period_index"] <= max_periods].reset_index(drop=True)
    start = grid["mrr_start"].where(grid["mrr_start"] > 0)
    grid["cohort"] = [pd.Timestamp(period_start(int(c), period)) for c in grid["cohort"]]
    grid = grid.assign(net_retention=grid["mrr"] / start, gross_retention=grid["capped"] / start)
    return grid[[*KEY, "period_index", "mrr_start", "mrr", "net_retention", "gross_retention"]]


def _revenue_changes(steps: ir.Table, named: ir.Table | None) -> pd.DataFrame:
    """Sum the changes of MRR, and of MRR capped at its start, per segment, cohort and period."""
    order = ibis.window(group_by="customer_id", order_by="step")
    capped = steps.mutate(capped=ibis.least(steps.cents, steps.cents_first), cohort=steps["first"])
    moves = capped.mutate(
        d_net=capped.cents - capped.cents.lag().over(order).fill_null(0),
        d_gross=capped.capped - capped.capped.lag().over(order).fill_null(0),
    )
    if named is None:
        moves = moves.mutate(segment=ibis.literal("All"))
    else:
        joined = moves.left_join(named, "customer_id")
        moves = joined.select(*moves.columns, segment=joined.segment.fill_null("(missing)"))
    summed = moves.group_by([*KEY, "step"]).aggregate(mrr=moves.d_net.sum(), capped=moves.d_gross.sum())
    return summed.execute().rename(columns={"step": "at"}).astype({"mrr": "int64", "capped": "int64"})


def _levels(changes: pd.DataFrame, spans: Spans) -> pd.DataFrame:
    """Cumulate changes to levels at every period end so far; missing where it is not fully observed."""
    parts = []
    for _, own in changes.groupby(KEY, sort=False):
        segment, cohort = own["segment"].iloc[0], int(own["cohort"].iloc[0])
        at = np.arange(cohort, spans.current + 1)
        level = own.set_index("at")[["mrr", "capped"]].reindex(at, fill_value=0).cumsum() / MINOR_UNITS
        level.loc[at > spans.complete] = np.nan
        parts.append(level.rename_axis("at").reset_index().assign(segment=segment, cohort=cohort))
    return pd.concat(parts, ignore_index=True)


def revenue_curve(revenue: pd.DataFrame) -> pd.DataFrame:
    """Pool revenue retention over the cohorts that have reached a period.

    Parameters
    ----------
    revenue
        As from :func:`revenue_retention`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``period_index``, ``mrr_start`` and ``mrr`` (sums), ``net_retention``,
        ``gross_retention`` (ratios of sums).
    """
    known = revenue[revenue["mrr"].notna() & (revenue["mrr_start"] > 0)]
    known = known.assign(gross=known["gross_retention"] * known["mrr_start"])
    sums = known.groupby(["segment", "period_index"], sort=False)[["mrr_start", "mrr", "gross"]].sum()
    sums["net_retention"] = sums["mrr"] / sums["mrr_start"]
    sums["gross_retention"] = sums["gross"] / sums["mrr_start"]
    return sums.drop(columns="gross").reset_index()


def net_and_gross(pooled: pd.DataFrame) -> pd.DataFrame:
    """Lay net and gross retention of the whole one under the other, to be drawn as two lines.

    Parameters
    ----------
    pooled
        As from :func:`revenue_curve`.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``net`` or ``gross``), ``period_index``, ``share`` (of the first MRR).
    """
    whole = pooled[pooled["segment"] == "All"].rename(columns={"net_retention": "net", "gross_retention": "gross"})
    return whole.melt("period_index", ["net", "gross"], var_name="segment", value_name="share")
