"""The KPIs of revenue, of what is sold to customers and of what is spent on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from cslib.data.calendar import period_start
from cslib.data.dataset import DataSet
from cslib.data.kpi import (
    CHURN,
    Kpi,
    Setting,
    Target,
    by_id,
    history_rows,
    month_ends,
    never_recorded,
    of_margin,
    target_among,
)
from cslib.errors import DataError, MissingTableError
from cslib.revenue.movements import movements, trailing
from cslib.revenue.spending import conversions, retention_cost
from cslib.value.prices import acquisition

YEAR: Final = 12
TOLD: Final = ("mrr", "nrr", "grr")  # by the report's cards


def _movements(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    moved = month_ends(movements(data, segment_by=setting.segment_by))
    moved["n_moved"] = moved["n_opening"] + moved["n_new"] + moved["n_reactivated"]
    yield history_rows("mrr", moved, "closing", n="n_paying")
    yield history_rows("arpa", moved, "arpa", n="n_paying", bounds="arpa_")
    yield history_rows("quick_ratio", moved, "quick_ratio", n="n_moved", bounds="quick_ratio_")
    yield history_rows("revenue_retention_rate", moved, "grr", n="n_opening", bounds="grr_")
    lost = moved.assign(lost=1 - moved["grr"], ci_lower=1 - moved["grr_ci_upper"], ci_upper=1 - moved["grr_ci_lower"])
    yield history_rows("revenue_churn_rate", lost, "lost", n="n_opening")


def _kept(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    kept = month_ends(trailing(data, segment_by=setting.segment_by))
    for kpi in ("nrr", "grr"):
        yield history_rows(kpi, kept, kpi, n="n_opening", bounds=f"{kpi}_")


def _orders(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    sold, months = _last_years(conversions(data, months=YEAR))
    for kind in ("upsell", "cross_sell"):
        yield history_rows(f"{kind}_rate", sold[sold["kind"] == kind], "rate", n="n_all", months=months)


def _costs(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    data.table("costs")
    DataError.when(data.unfiltered, "retention cost is booked for all customers together")
    cost = retention_cost(data, movements(data), gross_margin=setting.margin, months=YEAR)
    spans = _last_years(cost)[0]
    months = spans["months_retention"]
    spans = spans.assign(n_kept=(spans["n_retained"] / months.where(months > 0)).round())
    yield _known("crc", spans, "crc", n="n_kept", months="months_retention")
    yield _known("crc_share_of_margin", spans, "share_of_margin", n="n_kept", months="months_retention")


def _won(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    won = acquisition(data, months=YEAR)
    msg = f"{data.label or 'The data set'} tells no cost of acquisition. Add costs."
    MissingTableError.when(won["cac"].isna().all(), msg)
    starts = [pd.Timestamp(period_start(int(step), "month")) for step in won.index]
    yield _known("cac", _last_years(won.assign(month=starts))[0], "cac", n="n_new", months="months_acquisition")


def _known(kpi: str, spans: pd.DataFrame, value: str, *, n: str, months: str) -> pd.DataFrame:
    """Tell each value with the number of months it is known from; without any with that of the definition."""
    told = history_rows(kpi, spans, value, n=n)
    return told.assign(months=spans[months].where(spans[months] > 0).astype(float))


def _last_years(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the months with a whole year up to them, or the last one of a shorter time; and say how long that is."""
    table = month_ends(table).assign(segment="All")
    at = table["until"].dt.year * YEAR + table["until"].dt.month
    months = min(YEAR, int(at.max() - at.min()) + 1) if len(table) else YEAR
    return table[at >= at.min() + months - 1], months


def aims(data: DataSet) -> dict[str, Target]:
    """Read the targets of what the report's cards tell, and no others; that of churn where it was recorded."""
    own = {name: KPIS[name].target(data.targets) for name in TOLD}
    known = {name: target for name, target in own.items() if target}
    churn = target_among(data.targets, **CHURN)
    return known | ({CHURN["kpi"]: churn} if churn and not never_recorded(data) else {})


PAID: Final[Any] = {"sources": ("subscriptions",), "needs": "subscriptions"}
MOVED: Final[Any] = PAID | {"months": 1, "measure": _movements}
GROWTH: Final[Any] = MOVED | {"group": "growth", "direction": "up", "explained": "revenue#What moved it?"}
MONTHLY: Final[Any] = MOVED | {
    "group": "retention", "unit": "percent", "weight": "mrr", "base": "customers with MRR when the month begins",
    "blank": "nobody paid when the period began, as far as records reach",
    "explained": "revenue#What do we keep?",
}  # fmt: skip
YEARLY: Final[Any] = PAID | {
    "group": "retention", "unit": "percent", "direction": "up", "months": YEAR, "measure": _kept, "weight": "mrr",
    "base": "customers with MRR 12 months before",
    "blank": "nobody paid 12 months before, as far as records reach",
    "explained": "revenue#What do we keep?",
}  # fmt: skip
SOLD: Final[Any] = {
    "group": "growth", "unit": "percent", "direction": "up", "months": YEAR, "measure": _orders, "noun": "order",
    "base": "orders of the period, of any kind", "sources": ("orders",), "needs": "orders with a kind",
    "blank": "there were no orders in the period", "variants": ("over customers instead of orders",),
    "explained": "revenue#What do existing customers buy?",
}  # fmt: skip
SPENT: Final[Any] = {
    "months": YEAR, "exact": True, "measure": _costs, "sources": ("costs", "subscriptions"),
    "needs": "costs, and subscriptions",
    "blank": "no month of the period has costs, or there is nobody to spread them over",
    "explained": "revenue#What does it cost to keep and to win customers?",
}  # fmt: skip
KEEPING: Final[Any] = SPENT | {
    "group": "retention", "base": "customers retained in a month, on average of the months whose costs are known",
}  # fmt: skip
WINNING: Final[Any] = SPENT | {
    "group": "growth", "measure": _won, "sources": ("customers",), "needs": "costs, or acquisition_cost of customers",
    "base": "customers who started in the months of the period whose costs are known",
}  # fmt: skip
KPIS: Final = by_id(
    Kpi(id="mrr", label="MRR", unit="money", question="How much recurs every month?",
        formula="MRR of all subscriptions that cover the last day of the month",
        base="customers with MRR on the last day of the month", blank="there are no customers",
        variants=("discounts and trials count as priced",), grows=True, exact=True, **GROWTH),
    Kpi(id="arpa", label="ARPA", unit="money", question="What does a customer pay a month?",
        formula="MRR / customers who pay", base="customers with MRR on the last day of the month",
        blank="nobody pays", variants=("over all customers, trials included",), grows=True, **GROWTH),
    Kpi(id="quick_ratio", label="Quick ratio", unit="times", question="How much MRR comes for each 1 that goes?",
        formula="(new + expansion + reactivation) / (contraction + churn)",
        base="customers with MRR when the month begins, and those who start or return in it",
        blank="nothing was lost in the month", variants=("without reactivation",), **GROWTH),
    Kpi(id="upsell_rate", label="Upsell rate", question="How many orders are upsells?",
        formula="upsell orders / orders of any kind", **SOLD),
    Kpi(id="cross_sell_rate", label="Cross-sell rate", question="How many orders are cross-sells?",
        formula="cross-sell orders / orders of any kind", **SOLD),
    Kpi(id="cac", label="CAC", unit="amount", direction="down",
        question="What does it cost to win a customer?", formula="acquisition cost / new customers",
        variants=("mean acquisition_cost of customers",), **WINNING),
    Kpi(id="revenue_churn_rate", label="Revenue churn", direction="down", question="How much MRR is lost a month?",
        formula="(churn + contraction) / opening MRR",
        variants=("cancellations only", "net of expansion", "net of expansion and reactivation (ChartMogul)"),
        **MONTHLY),
    Kpi(id="revenue_retention_rate", label="Revenue retention", direction="up",
        question="How much MRR is kept a month?", formula="1 − revenue churn rate", variants=("net of expansion",),
        twin="revenue_churn_rate", mirror=True, **MONTHLY),
    Kpi(id="nrr", label="NRR over 12 months", question="What do the customers of a year ago bring today?",
        formula="MRR today of customers of 12 months before / their MRR then", span=(0.0, float("inf")),
        variants=("month by month", "with reactivation"), **YEARLY),
    Kpi(id="grr", label="GRR over 12 months", question="And without what some of them added?",
        formula="as NRR, each customer counted up to its MRR then", variants=("month by month",), twin="nrr", **YEARLY),
    Kpi(id="crc", label="CRC a month", unit="amount", direction="down",
        question="What does it cost to keep a customer for a month?",
        formula="retention cost / customers retained, month by month", variants=("a year's cost per customer",),
        **KEEPING),
    Kpi(id="crc_share_of_margin", label="CRC as share of margin", unit="percent", direction="band",
        question="How much of the margin it protects does retention cost?",
        formula="retention cost / (MRR of the retained × gross margin)", span=(0.0, float("inf")),
        variants=("share of revenue",), twin="crc", adapt=of_margin, **KEEPING),
)  # fmt: skip
