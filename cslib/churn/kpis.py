"""The KPIs of churn by calendar month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pandas as pd

from cslib.churn.rates import churn_rates
from cslib.data.dataset import DataSet
from cslib.data.kpi import Kpi, Setting, by_id, history_rows, month_ends

AT_START: Final = "customers when the month begins"
NEEDS: Final = "customers with dates, or subscriptions"
NOBODY: Final = "nobody was a customer when the period began, as far as records reach"


def _left_and_stayed(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    rates = churn_rates(data, segment_by=setting.segment_by)
    rates = month_ends(rates[rates["method"] == "start_of_period"])
    yield history_rows("customer_churn_rate", rates, "churn_rate", n="n_start")
    stayed = rates.assign(ci_lower=1 - rates["ci_upper"], ci_upper=1 - rates["ci_lower"])
    yield history_rows("customer_retention_rate", stayed, "retention_rate", n="n_start")


KPIS: Final = by_id(
    Kpi(
        id="customer_churn_rate", label="Customer churn", group="retention", unit="percent", direction="down", months=1,
        question="How many customers leave a month?",
        formula="customers of the month's start who left in it / customers of its start",
        base=AT_START,
        sources=("customers",), needs=NEEDS, blank=NOBODY,
        variants=("over the average base", "per customer-day", "newcomers in the base (Stripe)"),
        measure=_left_and_stayed,
    ),
    Kpi(
        id="customer_retention_rate", label="Customer retention", group="retention", unit="percent", direction="up",
        months=1,
        question="How many customers stay a month?",
        formula="1 − customer churn rate",
        base=AT_START,
        sources=("customers",), needs=NEEDS, blank=NOBODY,
        variants=("by cohort and age",),
        twin="customer_churn_rate", measure=_left_and_stayed,
    ),
)  # fmt: skip
