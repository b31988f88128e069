"""Tables tell periods by their first or last day, never by the number that the engine counts them with."""

import pandas as pd
import pytest

from cslib.churn.rates import churn_rates
from cslib.data.calendar import last_complete
from cslib.engagement.activity import activity, time_to_value
from cslib.retention.cohorts import compare_cohorts, retention
from cslib.retention.revenue import revenue_levels
from cslib.revenue.movements import movements, trailing
from cslib.revenue.spending import conversions, retention_cost
from cslib.surveys.answers import answers_by_period, measure

PLAIN = (activity, churn_rates, compare_cohorts, conversions, movements, retention, revenue_levels, time_to_value)
TABLES = {f.__name__: f for f in (*PLAIN, trailing)} | {
    "answers_by_period": lambda data: answers_by_period(data, measure("nps")).counts,
    "retention_cost": lambda data: retention_cost(data, movements(data)),
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_periods_are_days(sample, name):
    table = TABLES[name](sample)
    days = table.select_dtypes("datetime64[ns]")
    assert len(days.columns) == 1
    assert days.min().min() >= pd.Timestamp("2022-01-01")
    assert days.max().max() <= pd.Timestamp(sample.as_of)
    number = last_complete(sample.as_of, "month")
    counted = table.select_dtypes("number")
    assert not [
        c for c in counted if counted[c].dropna().between(number - 60, number).all() and counted[c].notna().any()
    ]
