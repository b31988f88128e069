"""Sentences that several reports say."""

import numpy as np
import pandas as pd

from cslib.data.kpi import Target
from cslib.data.words import assumed_pace, churn_card, on_card, to_reach

AT_MOST = Target(-np.inf, 0.03)


def test_a_target_is_written_in_its_unit():
    assert to_reach(AT_MOST, "percent") == "at most 3 %"
    assert to_reach(Target(40.0, np.inf), "number") == "at least 40"
    assert to_reach(Target(900_000.0, np.inf), "money", "USD") == "at least USD 900 k"
    assert to_reach(Target(0.03, 0.06), "percent") == "3 to 6 %"


def test_a_card_shows_a_target_that_is_judged():
    assert on_card(AT_MOST, "missed", "percent") == {"status": "missed", "target": "at most 3 %", "aims": (0.03,)}
    assert on_card(AT_MOST, "", "percent") == on_card(None, "met", "percent") == {}


def test_churn_with_a_target_is_that_of_the_year_and_the_last_month_beneath():
    year = {"month": pd.Timestamp("2025-06-01"), "churn_rate": 0.039, "ci_lower": 0.037, "ci_upper": 0.042}
    card = churn_card(pd.Series(year | {"n_start": 20_411.0}, dtype=object), (0.0306, 0.0241, 0.0388), AT_MOST)
    assert (card.label, card.value, card.status, card.n) == ("Customer churn a month", 0.039, "missed", 20_411)
    assert card.detail == "12 months to June 2025\nJune alone: 3.1 (2.4 to 3.9)"
    assert (card.kpi, card.noun) == ("customer_churn_rate", "customer month")
    empty = churn_card(pd.Series(year | {"n_start": 9.0}, dtype=object), (np.nan, np.nan, np.nan), AT_MOST)
    assert empty.detail.endswith("June alone: not measured")


def test_the_pace_that_a_forecast_assumes_is_said():
    assert assumed_pace(recent=True) == (
        "We assume that they go on leaving as customers of the same age did in the last 12 months."
    )
    assert assumed_pace(recent=False, by_start=True).endswith("of the same age and quarter of start have so far.")
