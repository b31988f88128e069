"""The KPIs of churn by calendar month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from cslib.churn.rates import YEAR, churn_rates, last_year
from cslib.data.dataset import DataSet
from cslib.data.drift import drift
from cslib.data.kpi import CHURN, OVER_YEAR, Kpi, Setting, by_id, history_rows, month_ends, never_recorded
from cslib.errors import DataError

NEEDS: Final = "customers with dates, or subscriptions"
NOBODY: Final = "nobody was a customer when the period began, as far as records reach"


def _rates(data: DataSet, setting: Setting) -> pd.DataFrame:
    """Give the rates by month, for the KPIs and for their year."""
    by = setting.segment_by
    return data.found(f"churn rates by {by}", lambda: churn_rates(data, segment_by=by))


def _left_and_stayed(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    DataError.when(found := never_recorded(data), found)
    rates = _rates(data, setting)
    rates = month_ends(rates[rates["method"] == "start_of_period"])
    yield history_rows("customer_churn_rate", rates, "churn_rate", n="n_start")
    stayed = rates.assign(ci_lower=1 - rates["ci_upper"], ci_upper=1 - rates["ci_lower"])
    yield history_rows("customer_retention_rate", stayed, "retention_rate", n="n_start")


def _over_year(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    if never_recorded(data):
        return
    rates = _rates(data, setting)
    for segment in rates["segment"].unique():
        year = last_year(rates, segment=segment)
        if year is not None:
            trend = _trend(data) if segment == "All" else ("", "")
            earlier = last_year(rates, segment=segment, ago=YEAR)
            before = float("nan") if earlier is None else float(earlier["churn_rate"])
            left = {"value": year["churn_rate"], "ci_lower": year["ci_lower"], "ci_upper": year["ci_upper"]}
            stayed = {"value": 1 - left["value"], "ci_lower": 1 - left["ci_upper"], "ci_upper": 1 - left["ci_lower"]}
            rows = [
                {"kpi": "customer_churn_rate", "trend": trend[0], "before": before, **left},
                {"kpi": "customer_retention_rate", "trend": trend[1], "before": 1 - before, **stayed},
            ]
            yield pd.DataFrame(rows).assign(segment=segment, n=year["n_start"]).reindex(columns=OVER_YEAR)


def _trend(data: DataSet) -> tuple[str, str]:
    """Tell how churn and retention moved, where that is clear."""
    found = drift(data)
    if not (found and found.clear):
        return "", ""
    return ("rising", "falling") if found.faster else ("falling", "rising")


MONTHLY: Final[Any] = {
    "group": "retention", "unit": CHURN["unit"], "months": 1, "base": "customers when the month begins",
    "sources": ("customers",), "needs": NEEDS, "blank": NOBODY, "measure": _left_and_stayed,
    "over_year": _over_year,
    "explained": "churn_survival#How many leave in a month?",
}  # fmt: skip
KPIS: Final = by_id(
    Kpi(id=CHURN["kpi"], label="Customer churn", question="How many customers leave a month?",
        formula="customers of the month's start who left in it / customers of its start", direction=CHURN["direction"],
        variants=("over the average base", "per customer-day", "newcomers in the base (Stripe)"), **MONTHLY),
    Kpi(id="customer_retention_rate", label="Customer retention", question="How many customers stay a month?",
        formula="1 − customer churn rate", direction="up", twin="customer_churn_rate", mirror=True,
        variants=("by cohort and age",), **MONTHLY),
)  # fmt: skip
