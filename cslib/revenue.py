"""Recurring revenue: what the MRR of a cohort becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.cohorts import KEY, Spans, read_spans, refuse_nobody, with_all
from cslib.counts import MINOR_UNITS, last_complete, mrr_steps, observed, ordinal, period_start, with_segment
from cslib.intervals import grown_of_sums, kept_of_sums, ratio_of_sums, wilson
from cslib.tables import DataSet

__all__ = ["net_and_gross", "net_by_segment", "revenue_curve", "revenue_retention", "summed_changes", "trailing"]

# of each customer: x its MRR at the end of its first period, y its MRR now, z the same but at most x
PRODUCTS: Final = ("xx", "yy", "zz", "xy", "xz")
SUMS: Final = ["n", "x", "y", "z", *PRODUCTS]


def revenue_retention(
    data: DataSet, *, segment_by: str = "", period: str = "month", max_periods: int = 24
) -> pd.DataFrame:
    """Net and gross revenue retention of each cohort, from ``subscriptions``.

    Parameters
    ----------
    data, segment_by, period, max_periods
        As in :func:`cslib.cohorts.retention`.

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
    levels = _levels(data, segment_by, period, max_periods)
    start = levels["x"].where(levels["x"] > 0)
    levels = levels.assign(
        mrr_start=levels["x"], net_retention=levels["y"] / start, gross_retention=levels["z"] / start
    )
    levels = levels.rename(columns={"y": "mrr"})
    return levels[[*KEY, "period_index", "mrr_start", "mrr", "net_retention", "gross_retention"]]


def revenue_curve(data: DataSet, *, segment_by: str = "", period: str = "month", max_periods: int = 24) -> pd.DataFrame:
    """Revenue retention pooled over the cohorts that have reached a period, with intervals.

    Parameters
    ----------
    data, segment_by, period, max_periods
        As in :func:`cslib.cohorts.retention`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``period_index``, ``n_customers`` (of the cohorts that have reached it, those lost
        within the first period included), ``mrr_start``, ``mrr`` (sums), ``net_retention``,
        ``net_ci_lower``, ``net_ci_upper``, ``gross_retention``, ``gross_ci_lower``, ``gross_ci_upper``
        (ratios of sums, 95 % by the delta method over customers).

    Raises
    ------
    DataError
        There is no ``subscriptions``.
    """
    levels = _levels(data, segment_by, period, max_periods).dropna(subset="y")
    sums = levels.groupby(["segment", "period_index"], sort=False)[SUMS].sum().reset_index()
    start = sums["x"].where(sums["x"] > 0)
    curve = sums[["segment", "period_index"]].assign(
        n_customers=sums["n"].astype(int), mrr_start=sums["x"], mrr=sums["y"]
    )
    for name, value in (("net", "y"), ("gross", "z")):
        squares = (sums["xx"], sums[value * 2], sums[f"x{value}"])
        interval = ratio_of_sums(sums["x"], sums[value], squares=squares, n=sums["n"])
        curve[f"{name}_retention"] = sums[value] / start
        curve[f"{name}_ci_lower"] = np.maximum(interval.lower, 0)
        curve[f"{name}_ci_upper"] = interval.upper if name == "net" else np.minimum(interval.upper, 1)
    return curve


def _changes(steps: ir.Table, segment_by: str, data: DataSet) -> pd.DataFrame:
    """Sum, per segment, cohort and period, the change of every measure; levels are cumulated sums."""
    scale = float(MINOR_UNITS)
    money = steps.mutate(
        cohort=steps["first"], n=ibis.literal(1), x=steps.cents_first, y=steps.cents,
        z=ibis.least(steps.cents, steps.cents_first),
    )  # fmt: skip
    products = {f"{a}{b}": (money[a] / scale) * (money[b] / scale) for a, b in PRODUCTS}
    measures = with_segment(money.mutate(**products), data, segment_by)
    return summed_changes(measures, SUMS, [*KEY, "step"])


def summed_changes(table: ir.Table, names: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """Sum by keys how much each customer's measures change at its steps; cumulated, these are the sums themselves."""
    order = ibis.window(group_by="customer_id", order_by="step")
    moves = table.mutate(**{m: table[m] - table[m].lag().over(order).fill_null(0) for m in names})
    return moves.group_by(list(keys)).aggregate(**{m: moves[m].sum() for m in names}).execute()


def trailing(data: DataSet, *, segment_by: str = "", months: int = 12) -> pd.DataFrame:
    """NRR, GRR and customer retention over the months before the end of every month.

    Parameters
    ----------
    data
        With ``subscriptions``.
    segment_by
        A column; empty for the whole only.
    months
        How far back the opening lies.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``month`` (first day; from the first with a whole span behind it), ``n_opening``
        (customers who paid ``months`` earlier), ``n_kept`` (who pay now, too), ``opening`` (their MRR then), ``mrr``
        (their MRR now), ``nrr``, ``nrr_ci_lower``, ``nrr_ci_upper`` (mrr / opening), ``grr``, ``grr_ci_lower``,
        ``grr_ci_upper`` (each counted up to its MRR then), ``customer_retention``, ``customer_retention_ci_lower``,
        ``customer_retention_ci_upper``.

    Raises
    ------
    DataError
        There is no ``subscriptions``.

    Notes
    -----
    Of each customer, MRR then and now change at few steps: the sums over all customers are cumulated changes at these.
    """
    steps = mrr_steps(data, "month")
    order = ibis.window(group_by="customer_id", order_by="step")
    change = steps.cents - steps.cents.lag().over(order).fill_null(0)
    now = steps.select("customer_id", "step", now=change, then=ibis.literal(0, "int64"))
    then = now.select("customer_id", step=now.step + months, now=ibis.literal(0, "int64"), then=now.now)
    both = now.union(then).group_by(["customer_id", "step"]).aggregate(now=ibis._.now.sum(), then=ibis._.then.sum())
    running = ibis.cumulative_window(group_by="customer_id", order_by="step")
    levels = both.select("customer_id", "step", **{c: both[c].sum().over(running) for c in ("then", "now")})
    x, y = (levels[c] / float(MINOR_UNITS) for c in ("then", "now"))
    present, least = x > 0, ibis.least(x, y)
    values = {"n": 1.0, "kept": (y > 0).cast("float64"), "x": x, "y": y, "z": least}
    values |= {"xx": x * x, "yy": y * y, "xy": x * y}
    measured = levels.select("customer_id", "step", **{k: ibis.ifelse(present, v, 0.0) for k, v in values.items()})
    sums = with_all(
        summed_changes(with_segment(measured, data, segment_by), list(values), ["segment", "step"]).rename(
            columns={"step": "at"}
        )
    )
    complete = last_complete(observed(data), "month")
    numbers = range(int(sums["at"].min()), complete + 1)
    parts = [_cumulated(own, list(values), numbers) for _, own in sums.groupby("segment", sort=False)]
    levels = pd.concat(parts, ignore_index=True)
    if data.observed_from:  # who had left before is missing from every opening until then
        levels = levels[levels["at"] >= ordinal(data.observed_from, "month") + months].reset_index(drop=True)
    return _trailing_rates(levels)


def _cumulated(own: pd.DataFrame, names: list[str], numbers: range) -> pd.DataFrame:
    level = own.set_index("at")[names].cumsum().reindex(numbers, method="ffill")
    return level[level["n"].round() > 0].rename_axis("at").reset_index().assign(segment=own["segment"].iloc[0])


def _trailing_rates(levels: pd.DataFrame) -> pd.DataFrame:
    n, kept = levels["n"].round().astype("int64"), levels["kept"].round().astype("int64")
    table = pd.DataFrame({"segment": levels["segment"], "n_opening": n, "n_kept": kept})
    table.insert(1, "month", [pd.Timestamp(period_start(int(at), "month")) for at in levels["at"]])
    table = table.assign(opening=levels["x"].round(2), mrr=levels["y"].round(2))
    squares = (levels["xx"], levels["yy"], levels["xy"])
    net = grown_of_sums(levels["x"], levels["y"], squares=squares, n=n)
    gross = kept_of_sums(levels["x"], levels["z"], xx=levels["xx"])
    for name, value, bounds in (("nrr", "y", net), ("grr", "z", gross)):
        table[name] = levels[value] / levels["x"]
        table[f"{name}_ci_lower"], table[f"{name}_ci_upper"] = bounds.lower, bounds.upper
    share = wilson(kept, n)
    return table.assign(
        customer_retention=kept / n, customer_retention_ci_lower=share.lower, customer_retention_ci_upper=share.upper
    )


def _levels(data: DataSet, segment_by: str, period: str, max_periods: int) -> pd.DataFrame:
    """Every measure per segment, cohort and period begun; missing where it is not fully observed."""
    spans = read_spans(data, "subscriptions", period)
    steps = mrr_steps(data, period).filter(ibis._["first"] >= spans.earliest)
    changes = with_all(_changes(steps, segment_by, data).rename(columns={"step": "at"}))
    refuse_nobody(changes, spans)
    parts = [_level(own, spans, max_periods) for _, own in changes.groupby(KEY, sort=False)]
    levels = pd.concat(parts, ignore_index=True)
    levels["cohort"] = [pd.Timestamp(period_start(int(c), period)) for c in levels["cohort"]]
    levels[["x", "y", "z"]] /= MINOR_UNITS
    return levels


def _level(own: pd.DataFrame, spans: Spans, max_periods: int) -> pd.DataFrame:
    cohort = int(own["cohort"].iloc[0])
    at = np.arange(cohort, min(spans.current, cohort + max_periods) + 1)
    level = own.set_index("at")[SUMS].astype(float).reindex(at, fill_value=0).cumsum()
    level.loc[at > spans.complete, [m for m in SUMS if m not in ("n", "x", "xx")]] = np.nan
    return level.reset_index(drop=True).assign(segment=own["segment"].iloc[0], cohort=cohort, period_index=at - cohort)


def net_and_gross(table: pd.DataFrame, *, x: str = "period_index") -> pd.DataFrame:
    """Lay net and gross retention of the whole one under the other, to be drawn as two lines.

    Parameters
    ----------
    table
        As from :func:`revenue_curve`, or from :func:`trailing` with ``x="month"``.
    x
        The column to draw over.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``net`` or ``gross``), the column ``x``, ``n_customers``, ``share`` (of the first MRR),
        ``ci_lower``, ``ci_upper``.
    """
    whole = table[table["segment"] == "All"]
    return pd.concat([_measure(whole, m, x).assign(segment=m) for m in ("net", "gross")], ignore_index=True)


def net_by_segment(table: pd.DataFrame, *, x: str = "period_index") -> pd.DataFrame:
    """Net retention of every segment, to be drawn as one line each; columns as :func:`net_and_gross`."""
    return _measure(table, "net", x)


def _measure(table: pd.DataFrame, name: str, x: str) -> pd.DataFrame:
    short = {"net": "nrr", "gross": "grr"}[name]
    columns = {
        f"{n}{end}": to for n in (name, short) for end, to in (("_ci_lower", "ci_lower"), ("_ci_upper", "ci_upper"))
    }
    renamed = table.rename(columns=columns | {f"{name}_retention": "share", short: "share", "n_opening": "n_customers"})
    return renamed[["segment", x, "n_customers", "share", "ci_lower", "ci_upper"]]
