"""Sentences that several reports say."""

from cslib.data.words import assumed_pace


def test_the_pace_that_a_forecast_assumes_is_said():
    assert assumed_pace(recent=True) == (
        "We assume that they go on leaving as customers of the same age did in the last 12 months."
    )
    assert assumed_pace(recent=False, by_start=True).endswith("of the same age and quarter of start have so far.")
