"""The KPIs of use: who is active, how often, how many features, and how soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from cslib.data.dataset import DataSet
from cslib.data.kpi import Kpi, Setting, by_id, history_rows, month_ends
from cslib.engagement.activity import activity, has_features, left_out, time_to_value
from cslib.errors import DataError, listed


def _activity(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    used = month_ends(activity(data, segment_by=setting.segment_by, value_feature=setting.value_feature))
    yield history_rows("usage_frequency", used, "uses_per_active", n="n_active", bounds="uses_per_active_")
    yield history_rows("active_share", used, "active_share", n="n_customers", bounds="active_share_")
    if has_features(data):
        _refuse_left_out(data, setting.value_feature)
        yield history_rows("feature_adoption", used, "adoption", n="n_customers", bounds="adoption_")


def _to_value(data: DataSet, setting: Setting) -> Iterator[pd.DataFrame]:
    if setting.value_feature:
        _refuse_left_out(data, setting.value_feature)
    table = time_to_value(data, segment_by=setting.segment_by, value_feature=setting.value_feature)
    yield history_rows("time_to_value", table, "median_days", n="n_customers")


def _refuse_left_out(data: DataSet, value_feature: str) -> None:
    """Refuse what rests on features of whose use a filter leaves nothing: it would be 0."""
    gone = left_out(data)
    told = [value_feature] if value_feature in gone else [] if value_feature else gone
    DataError.when(bool(told), f"where leaves no use of {listed(told)}")


def _as_named(kpi: Kpi, setting: Setting) -> Kpi:
    """Call the first use of anything what it is: it is held against no target, which is one of the feature."""
    return kpi if setting.value_feature else replace(kpi, label="Time to first use", unset=UNNAMED)


UNNAMED: Final = "which feature's first use brings value is not set (value_feature)"
PRESENT: Final = "customers on the last day of the month"
DATED: Final[Any] = {
    "group": "engagement", "sources": ("usage", "customers"), "needs": "usage, and customers with dates"
}  # fmt: skip
MONTHLY: Final[Any] = DATED | {"direction": "up", "months": 1, "measure": _activity}
KPIS: Final = by_id(
    Kpi(id="usage_frequency", label="Uses per active customer", unit="number",
        question="How often is it used a month?", formula="uses in the month / customers who used it",
        base="customers on the last day of the month who used it in the month", blank="nobody used it",
        variants=("days of use",), **MONTHLY),
    Kpi(id="active_share", label="Active customers", unit="percent", question="How many customers use it?",
        formula="customers with a use in the month / customers at its end", base=PRESENT,
        blank="there were no customers", variants=("by day (DAU/MAU)",), **MONTHLY),
    Kpi(id="feature_adoption", label="Feature adoption", unit="percent", base=PRESENT,
        question="How much of it do customers use?",
        formula="share of customers who used a feature in the month, mean over features (or of the one named)",
        blank="there were no customers, or no feature is named", variants=("ever used", "over active customers"),
        **MONTHLY | {"sources": ("usage.feature", "customers")}
        | {"needs": "usage with a feature, and customers with dates"}),
    Kpi(id="time_to_value", label="Time to value", unit="days", direction="down", months=3, measure=_to_value,
        question="How long until customers get value?",
        formula="days in which half of those who started have used it (or the feature named) first, churn before it "
        "counted",
        base="customers who started in the 3 months",
        blank="nobody started in the period, or fewer than half of those who did have got there",
        variants=("share who got there in 30 days", "mean of those who did (too short)"), adapt=_as_named,
        **DATED),
)  # fmt: skip
