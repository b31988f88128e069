"""What the MRR of a cohort becomes."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.calendar import period_start
from cslib.data.customers import MINOR_UNITS, Product, mrr_steps, product_of, tier, with_all, with_segment
from cslib.data.dataset import DataSet
from cslib.retention.cohorts import KEY, Spans, check_periods, read_spans
from cslib.stats.intervals import TIERED, retained_of_tiers

# of each customer: x its MRR at the end of its first period, y its MRR now, l what it lost of x, e what it added
PRODUCTS: Final = {"xx": ("x", "x"), "ll": ("l", "l"), "xl": ("x", "l"), "ee": ("e", "e"), "xe": ("x", "e")}
KEYS: Final = [*KEY, "tier"]
AMOUNTS: Final = ["x", "y", "l", "e"]
SUMS: Final = ["n", *AMOUNTS, *PRODUCTS]
RETAINED: Final = [*KEY, "period_index", "mrr_start", "mrr", "net_retention", "gross_retention"]
RATES: Final = [f"{m}_{column}" for m in ("net", "gross") for column in ("retention", "ci_lower", "ci_upper")]
CURVE: Final = ["segment", "period_index", "n_customers", "mrr_start", "mrr", *RATES]


def revenue_levels(
    data: DataSet, *, segment_by: str = "", period: str = "month", max_periods: int = 24
) -> pd.DataFrame:
    """Sum up what each cohort pays at the end of every period since its first paid one, from ``subscriptions``.

    Parameters
    ----------
    data, segment_by, period, max_periods
        As in :func:`cslib.retention.cohorts.retention`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``cohort``, ``tier`` (of x, as :func:`cslib.data.customers.tier`), ``period_index``, ``n``
        (customers) and sums over them: ``x`` (MRR at the end of the cohort's first period), ``y`` (at the end of this
        one), ``l`` (what of x is lost), ``e`` (what has come on top), and ``xx``, ``ll``, ``xl``, ``ee``, ``xe``. What
        is not fully observed is missing.

    Raises
    ------
    DataError
        There is no ``subscriptions``.
    """
    check_periods(max_periods)
    spans = read_spans(data, "subscriptions", period)
    steps = mrr_steps(data, period)  # from the first paid one on: a trial before it is no MRR to keep
    product = product_of(data, period)
    steps = steps.filter(steps["first"] >= spans.earliest)
    changes = with_all(_changes(steps, segment_by, data, product).rename(columns={"step": "at"}))
    if changes.empty and (data.table("subscriptions").mrr > 0).any().execute():
        spans.refuse_nobody(changes)
    levels = _cumulated(changes, spans, max_periods)
    starts = {c: pd.Timestamp(period_start(int(c), period)) for c in levels["cohort"].unique()}
    levels["cohort"] = pd.to_datetime(levels["cohort"].map(starts))
    levels[AMOUNTS] /= MINOR_UNITS
    levels[list(PRODUCTS)] /= MINOR_UNITS**2
    return levels[[*KEYS, "period_index", *SUMS]]


def revenue_retention(levels: pd.DataFrame) -> pd.DataFrame:
    """Net and gross revenue retention of each cohort.

    Parameters
    ----------
    levels
        As from :func:`revenue_levels`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``cohort``, ``period_index``, ``mrr_start`` (MRR at the end of the cohort's first
        period), ``mrr`` (at the end of this one; missing where it is not fully observed),
        ``net_retention`` (mrr / mrr_start, may exceed 1), ``gross_retention`` (each customer's MRR
        counted up to its start, 0–1). Without MRR at the start the rates are missing.
    """
    levels = levels.groupby([*KEY, "period_index"], sort=False)[["x", "y", "l"]].sum(min_count=1).reset_index()
    start = levels["x"].where(levels["x"] > 0)
    rates = {"net_retention": levels["y"] / start, "gross_retention": (levels["x"] - levels["l"]) / start}
    return levels.rename(columns={"x": "mrr_start", "y": "mrr"}).assign(**rates)[RETAINED]


def revenue_curve(levels: pd.DataFrame) -> pd.DataFrame:
    """Revenue retention pooled over the cohorts that have reached a period, with intervals.

    Parameters
    ----------
    levels
        As from :func:`revenue_levels`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``period_index``, ``n_customers`` (of the cohorts that have reached it, those lost
        within the first period included), ``mrr_start``, ``mrr`` (sums), ``net_retention``,
        ``net_ci_lower``, ``net_ci_upper``, ``gross_retention``, ``gross_ci_lower``, ``gross_ci_upper``
        (95 %, :func:`cslib.stats.intervals.retained_of_tiers`).
    """
    reached = levels.dropna(subset="y")
    sums = reached.groupby(["segment", "period_index"], sort=False)[SUMS].sum().reset_index()
    start = sums["x"].where(sums["x"] > 0)
    curve = sums.rename(columns={"n": "n_customers", "x": "mrr_start", "y": "mrr"}).astype({"n_customers": int})
    keys = ["segment", "period_index"]
    told = retained_of_tiers(reached.groupby([*keys, "tier"])[TIERED].sum().reset_index(), keys)
    told = told.reindex(pd.MultiIndex.from_frame(sums[keys])).reset_index(drop=True)
    curve = curve.assign(**told.rename(columns={"net": "net_retention", "gross": "gross_retention"}))
    bounds = [c for c in CURVE if "ci_" in c]
    curve.loc[(curve["period_index"] == 0) & start.notna(), bounds] = 1.0  # by definition
    return curve[CURVE]


def _changes(steps: ir.Table, segment_by: str, data: DataSet, product: Product) -> pd.DataFrame:
    """Sum, per segment, cohort and period, the change of every measure; levels are cumulated sums."""
    rows = steps.mutate(cohort=steps["first"], tier=tier(steps.cents_first), begins=steps.step == steps["first"])
    rows = with_segment(rows, data, segment_by)
    now, before = (_measures(rows.cents_first, paid, product) for paid in (rows.cents, rows.before))
    changes = {m: now[m] - ibis.ifelse(rows.begins, 0, before[m]) for m in SUMS}
    sums = {m: change.sum().cast("float64") for m, change in changes.items()}
    return rows.group_by([*KEYS, "step"]).aggregate(**sums).execute()


def _measures(x: ir.IntegerValue, y: ir.IntegerValue, product: Product) -> dict[str, ir.NumericValue]:
    amounts = {"x": x, "y": y, "l": ibis.greatest(x - y, 0), "e": ibis.greatest(y - x, 0)}
    products = {name: product(amounts[a], amounts[b]) for name, (a, b) in PRODUCTS.items()}
    return {"n": ibis.literal(1, "int64"), **amounts, **products}


def _cumulated(changes: pd.DataFrame, spans: Spans, max_periods: int) -> pd.DataFrame:
    """Every measure per segment, cohort and period begun; missing where it is not fully observed."""
    keys = changes[KEYS].drop_duplicates()
    n_periods = np.minimum(spans.current - keys["cohort"], max_periods) + 1
    grid = keys.loc[keys.index.repeat(n_periods)].reset_index(drop=True)
    grid["period_index"] = grid.groupby(KEYS, sort=False).cumcount()
    grid["at"] = grid["cohort"] + grid["period_index"]
    levels = grid.merge(changes, on=[*KEYS, "at"], how="left").fillna(dict.fromkeys(SUMS, 0.0))
    levels[SUMS] = levels.astype(dict.fromkeys(SUMS, float)).groupby(KEYS, sort=False)[SUMS].cumsum()
    levels.loc[levels["at"] > spans.complete, [m for m in SUMS if m not in ("n", "x", "xx")]] = np.nan
    return levels


def net_and_gross(table: pd.DataFrame, *, x: str = "period_index") -> pd.DataFrame:
    """Lay net and gross retention of the whole one under the other, to be drawn as two lines.

    Parameters
    ----------
    table
        As from :func:`revenue_curve`, or from :func:`cslib.revenue.movements.trailing` with ``x="month"``.
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
    columns = {f"{n}_{end}": end for n in (name, short) for end in ("ci_lower", "ci_upper")}
    renamed = table.rename(columns=columns | {f"{name}_retention": "share", short: "share", "n_opening": "n_customers"})
    return renamed[["segment", x, "n_customers", "share", "ci_lower", "ci_upper"]]
