import numpy as np
import pandas as pd
import pytest

from cslib.stats.peaks import alike, find_peaks, stands_out


def found(events, exposure=None):
    peaks = find_peaks(events, [1000.0] * len(events) if exposure is None else exposure)
    return [tuple(p) for p in peaks.itertuples(index=False)]


# By hand: 80 of 4,000 elsewhere, 80 of 1,000 there.
def test_the_month_that_stands_out_is_named_with_its_rate():
    assert found([20, 20, 80, 20, 20]) == [(3, 3, 0.08)]
    assert found([20, 20, 80, 70, 20, 20]) == [(3, 4, 0.075)]


def test_several_peaks_come_in_order_and_a_flank_is_none():
    assert found([20, 90, 20, 20, 80, 20]) == [(2, 2, 0.09), (5, 5, 0.08)]
    assert [p[:2] for p in found([300, 60, 20, 20, 20, 20])] == [(1, 1)]


def test_a_low_start_is_a_peak_of_all_later_months():
    assert [p[:2] for p in found([0, 0, 0, 30, 30, 30, 30])] == [(4, 7)]


def test_exposure_is_what_counts():
    """20 of 1,000 and 5 of 250 are one rate; 20 of 250 are not."""
    exposure = [1000.0, 1000.0, 250.0, 1000.0]
    assert found([20, 20, 5, 20], exposure) == []
    assert found([20, 20, 20, 20], exposure) == [(3, 3, 0.08)]


def test_no_peak_reaches_over_a_month_that_nobody_was_observed_in():
    assert [p[:2] for p in found([20, 80, 0, 20, 20], [1000.0, 1000.0, 0.0, 1000.0, 1000.0])] == [(2, 2)]


@pytest.mark.parametrize("events", [[0, 0, 0], [40], [1, 0, 0, 0], [40_000, 41_000, 44_000, 40_000]])
def test_none_of_few_of_none_or_of_hardly_more(events):
    assert found(events, [1e6] * len(events)) == []


# Of 5 months with 100 churns each, shares at 99 % (Wilson): .1582 to .2502, so ratios of .7515 to 1.3345.
def test_months_are_alike_where_no_interval_reaches_twice_or_half():
    assert alike([100] * 5, [1000.0] * 5) == 5
    assert alike([100] * 5 + [2], [1000.0] * 5 + [20.0]) == 5
    assert alike([9] * 5, [1000.0] * 5) == 0
    assert alike([100, 100, 100, 230, 100], [1000.0] * 5) == 3
    assert alike([100] * 2, [1000.0] * 2) == 0
    assert alike([0] * 5, [1000.0] * 5) == 0


@pytest.mark.long
@pytest.mark.parametrize("n", [30, 300, 3000])
def test_peaks_of_chance_are_rare_and_doublings_are_seen_or_left_open(n):
    """24 months at 3 %, customers of all ages: 5 % have a peak; where one month has 6 %, "alike" is said of none."""
    rng, repetitions = np.random.default_rng(n), 200
    false, same, missed, seen = 0, 0, 0, 0
    for _ in range(repetitions):
        for double in (False, True):
            rates = np.where(double & (np.arange(24) == 5), 0.06, 0.03)
            here, left, lived = n, [], []
            for month, rate in enumerate(rates):
                lived.append(here)
                left.append(rng.binomial(here, rate))
                here -= left[-1]
                here -= rng.binomial(here, 1 / (24 - month))  # joined so recently
            named, like = find_peaks(left, lived), alike(left, lived)
            if double:
                missed += not len(named) and like > 5
                seen += bool((named["first"] <= 6).any() and (named["last"] >= 6).any())
            else:
                false, same = false + bool(len(named)), same + bool(like)
    assert false / repetitions <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repetitions)
    assert missed == 0
    if n == 3000:
        assert min(same, seen) >= 0.9 * repetitions
    else:
        assert same == 0


def stands(events, *peaks, exposure=None):
    months = pd.DataFrame(peaks, columns=["first", "last"])
    exposure = [1000.0] * len(events) if exposure is None else exposure
    return stands_out(events, exposure, months, confidence_level=0.95)


# By hand: 60 of 100 fall into a third of the time; Wilson's interval is 50 to 69 %. Of 24 of 64 it is 27 to 50 %.
def test_peaks_of_others_stand_out_where_the_interval_says_so():
    assert stands([60, 20, 20], (1, 1))
    assert not stands([24, 20, 20], (1, 1))
    assert not stands([60, 20, 20], (1, 1), exposure=[3000.0, 1000.0, 1000.0])


def test_each_of_several_peaks_must_stand_out_against_the_months_outside_all():
    assert stands([60, 20, 20, 60], (1, 1), (4, 4))
    assert not stands([60, 20, 20, 20], (1, 1), (4, 4))


def test_what_nobody_lived_or_nobody_left_does_not_stand_out():
    assert not stands([0, 0, 0], (1, 1))
    assert not stands([0, 20, 20], (1, 1), exposure=[0.0, 1000.0, 1000.0])
    assert not stands([20, 0, 0], (1, 1), exposure=[1000.0, 0.0, 0.0])
