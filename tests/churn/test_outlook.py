"""The forecast of today's customers, summed up."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from churn_world import forecast

from cslib import load
from cslib.churn.outlook import believed, beside_new, came, forecast_customers, line, outlook
from cslib.data.customers import segment_of
from cslib.data.dataset import rewind
from cslib.data.lifetimes import lifetimes, unit_months
from cslib.stats.models import fit_models


def test_an_outlook_by_hand():
    """Of 100, 80 are expected after two months, between 75 and 85."""
    found = outlook(forecast())
    assert (found.n_active, found.months_ahead, found.lost, found.ci_lower, found.ci_upper) == (100, 2, 20, 15, 25)
    assert found.share_lost == pytest.approx(0.2)


def test_the_line_begins_today():
    drawn = line(forecast())
    assert drawn.months_ahead.tolist() == [0, 1, 2]
    assert drawn.expected_active.tolist() == [100, 90, 80]
    assert drawn.ci_upper.tolist() == [100, 95, 85]
    assert drawn.ci_lower.tolist() == [100, 85, 75]


def test_the_band_ends_where_the_interval_to_believe_does():
    """100 customers: 10 and 20 are expected to leave, (5 to 15) and (15 to 25); a year ago it was off by 1.5."""
    drawn = line(forecast(), off=1.5)
    assert drawn.expected_active.tolist() == [100, 90, 80]
    assert drawn.ci_lower.tolist() == [100, 85, 70]
    assert drawn.ci_upper.tolist() == pytest.approx([100, 95, 100 - 20 / 1.5])
    told = believed(outlook(forecast()), pd.Series({"lost": 30.0, "left": 20, "held": False}))
    assert told.off == 1.5
    assert [100 - told.ci_upper, 100 - told.ci_lower] == pytest.approx(
        drawn.iloc[-1][["ci_lower", "ci_upper"]].tolist()
    )
    assert line(forecast(), off=9.0).ci_lower.tolist() == [100, 10, 0]


def ages(**here):
    """Customers of today by age in months, and ten who left at one month."""
    rows = [(float(age[1:]), False, n) for age, n in here.items()]
    parts = pd.DataFrame([*rows, (1.0, True, 10)], columns=["duration_months", "event_observed", "n"])
    return parts.assign(segment="All", entry_months=0.0)


def beside(here, *, today=0.3, new=0.4, first_months=1, ahead=12):
    ends = {"ci_lower": 100 * today - 5, "ci_upper": 100 * today + 5}
    now = pd.Series({"months_ahead": ahead, "share_lost": today, "n_active": 100, **ends}, dtype=object)
    return beside_new(now, pd.Series({"survival_12m": 1 - new}), here, first_months=first_months)


def test_todays_customers_are_past_the_first_months_where_most_are():
    """Of 100, 60 are in their third month or beyond."""
    found = beside(ages(m0=40, m2=60))
    assert (found.new, found.today, found.past) == (pytest.approx(0.4), 0.3, 1)
    assert beside(ages(m0=40, m2=60), first_months=2).past == 2
    assert beside(ages(m0=40, m2=60), first_months=3).past == 0
    assert beside(ages(m0=60, m2=40)).past == 0
    assert beside(ages(m14=100)).past == 1  # all of one age


def test_no_reason_is_given_that_does_not_hold():
    assert beside(ages(m2=100), first_months=0).past == 0  # no peak at the start
    assert beside(ages(m2=100), today=0.5).past == 0  # risk rises with age, more of today's leave


def test_shares_that_are_not_known_or_alike_are_not_compared():
    here = ages(m2=100)
    assert beside(here, ahead=6) is None
    assert beside(here, new=np.nan) is None
    assert beside(here, today=np.nan) is None
    assert beside(here, today=0.395) is None
    assert beside(here, today=0.36) is None  # its interval, 31 to 41 of 100, holds the 40
    assert beside(here, today=0.34) is not None
    assert beside_new(None, pd.Series({"survival_12m": 0.6}), here, first_months=1) is None


def test_no_forecast_of_the_whole_is_none():
    assert outlook(pd.DataFrame({"segment": []})) is None
    assert outlook(forecast().assign(segment="Pro")) is None


@pytest.fixture(scope="module")
def mixed():
    """80 customers followed for ten months, 40 of tier A, of whom 2 left then, and 40 of B, of whom 7 did."""
    frame = pd.DataFrame({"tier": ["A", "B"] * 40, "channel": ["web"] * 40 + ["sales"] * 40, "tenure_months": 10})
    places = frame.groupby("tier").cumcount()
    frame["churned"] = places < frame["tier"].map({"A": 2, "B": 7})
    return load({"customers": frame.assign(customer_id=frame.index.astype(str))})


def foretold(data, *, by="", split=""):
    counts = lifetimes(data, segment_by=by)
    fitted = fit_models(counts, unit_months=unit_months(data))
    ahead = forecast_customers(data, counts, fitted, segment_by=by, split=split, horizon_months=6)
    return ahead.set_index(["segment", "months_ahead"])


@pytest.fixture(scope="module")
def many():
    """400 customers who left at 3 or 10 % a month, by tier, seen for up to 20 months; half of them by channel web."""
    rng, n = np.random.default_rng(8), 400
    frame = pd.DataFrame({"tier": ["A", "B"] * (n // 2), "channel": ["web"] * (n // 2) + ["sales"] * (n // 2)})
    life, seen = rng.exponential(1 / np.where(frame["tier"] == "A", 0.03, 0.1)), rng.uniform(1, 20, n)
    frame = frame.assign(
        tenure_months=np.minimum(life, seen), churned=life < seen, customer_id=[f"{i}" for i in range(n)]
    )
    return load({"customers": frame})


@pytest.mark.long
def test_the_whole_is_the_sum_over_the_split(many):
    summed, tiers = foretold(many, split="tier").loc["All"], foretold(many, by="tier")
    expected = tiers.loc["A"].expected_active + tiers.loc["B"].expected_active
    assert summed.expected_active.tolist() == pytest.approx(expected.tolist())
    assert foretold(many).loc["All"].expected_active.tolist() != pytest.approx(expected.tolist(), rel=1e-3)


@pytest.mark.long
def test_a_segment_is_the_sum_within_it_beside_the_others_and_alone(many):
    rows, alone = foretold(many, by="channel", split="tier"), foretold(segment_of(many, "channel", "web"), split="tier")
    pd.testing.assert_frame_equal(rows.loc["web"], alone.loc["All"])
    assert (rows.loc["web"].expected_active != foretold(many, by="channel").loc["web"].expected_active).all()


def test_values_that_fewer_than_ten_left_are_forecast_together(mixed):
    """Of the 9 of both tiers no model is taken: they leave at one rate, (left + ½) / months observed."""
    k, found = np.arange(1, 7), foretold(mixed, split="tier").loc["All"]
    assert found.expected_active.to_numpy() == pytest.approx(71 * np.exp(-9.5 / 800 * k))


def test_segments_keep_their_own_forecast_beside_it(mixed):
    own, both, tiers = (
        foretold(mixed, by="channel"),
        foretold(mixed, by="channel", split="tier"),
        foretold(mixed, by="tier"),
    )
    assert both.index.unique("segment").tolist() == ["All", "sales", "web"]
    pd.testing.assert_frame_equal(both.loc[["sales", "web"]], own.loc[["sales", "web"]])
    summed = foretold(mixed, by="tier", split="tier")
    pd.testing.assert_frame_equal(both.loc["All"], summed.loc["All"])
    pd.testing.assert_frame_equal(summed.drop("All", level=0), tiers.drop("All", level=0))
    pd.testing.assert_frame_equal(own.loc["All"], tiers.loc["All"])  # whatever the segments


ROWS = [("a", "2024-01-01", "2024-06-30"), ("b", "2024-01-01", "2024-07-01"), ("c", "2024-01-01", None),
        ("d", "2024-01-01", "2024-04-30"), ("e", "2024-01-01", None), ("f", "2024-05-01", "2024-06-01")]  # fmt: skip


@pytest.mark.parametrize(("lower", "held"), [(1.4, True), (1.6, False)], ids=["told as 1", "told as 2"])
def test_what_came_counts_who_was_there_and_left_within_the_months(lower, held):
    """Of 4 on 30 April one leaves within two months and one after; who joined in May does not count."""
    people = pd.DataFrame(ROWS, columns=["customer_id", "started_on", "churned_on"])
    data, then = load({"customers": people}, as_of="2024-08-31"), outlook(forecast())
    then["ci_lower"] = lower
    found = came(then, data, rewind(data, date(2024, 4, 30)))
    assert (found.left, found.error, found.held) == (1, 19, held)


def test_who_left_and_is_here_again_is_told_beside_who_left():
    """Of a, b and c, who leave in May, a is back in June, b until then, and c is not."""
    paid = [("a", "2024-01-01", "2024-05-10"), ("a", "2024-06-15", None), ("b", "2024-01-01", "2024-05-10"),
            ("b", "2024-06-05", "2024-06-25"), ("c", "2024-01-01", "2024-05-10"), ("d", "2024-01-01", None)]  # fmt: skip
    rows = pd.DataFrame(paid, columns=["customer_id", "started_on", "ended_on"]).assign(mrr=9.0)
    data = load({"subscriptions": rows}, as_of="2024-08-31")
    found = came(outlook(forecast()), data, rewind(data, date(2024, 4, 30)))
    assert (found.left, found.back) == (3, 1)


def test_where_nobody_left_there_is_no_error_as_a_share():
    people = pd.DataFrame(ROWS[2:3], columns=["customer_id", "started_on", "churned_on"])
    data = load({"customers": people}, as_of="2024-08-31")
    found = came(outlook(forecast()), data, rewind(data, date(2024, 4, 30)))
    assert found.left == 0
    assert np.isnan(found.error)


@pytest.mark.parametrize(
    ("left", "held", "ends"),
    [
        (448, True, [632, 770]),  # it held: nothing is added
        (448, False, [700 * 448 / 560, 700 * 560 / 448]),
        (700, False, [700 * 560 / 700, 700 * 700 / 560]),  # as far off the other way
        (550, False, [632, 770]),  # 2 % off, within what the model allows for
        (30, False, [700 * 30 / 560, 2193]),  # not more than there are
        (0, False, [632, 770]),  # no error as a share
    ],
)
def test_an_interval_is_widened_to_hold_the_error_of_the_last_time(left, held, ends):
    now = pd.Series({"n_active": 2193, "lost": 700.0, "ci_lower": 632.0, "ci_upper": 770.0})
    told = believed(now, pd.Series({"lost": 560.0, "left": left, "held": held}))
    assert [told.ci_lower, told.ci_upper] == pytest.approx(ends)
    assert told.wider == (ends != [632, 770])
    assert not believed(now, None).wider
    assert believed(now, None)[["lost", "ci_lower", "ci_upper"]].tolist() == [700.0, 632.0, 770.0]
