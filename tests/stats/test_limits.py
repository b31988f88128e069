import numpy as np
import pytest

from cslib.stats.intervals import control_limits


def test_limits_by_hand():
    """Moving ranges 1, 1, …: 4.5 ± 2.66."""
    limits = control_limits([4, 5] * 4)
    assert (float(limits.lower), float(limits.upper)) == pytest.approx((1.84, 7.16))


def test_limits_of_what_grows_follow_its_last_value():
    """Five and fifteen per cent in turn: three of their standard deviations, 2.66 of their moving ranges, about ten."""
    factors = np.exp([0.05, 0.15] * 5)
    limits = control_limits(100 * np.cumprod([1, *factors]), grows=True)
    assert np.log([float(limits.lower), float(limits.upper)]) == pytest.approx(
        np.log(100) + 1 + 0.1 + 2.66 * 0.1 * np.array([-1, 1])
    )
    assert np.isnan(control_limits(100 * 1.1 ** np.arange(10), grows=True).lower)  # nothing to measure by
    assert np.isnan(control_limits([*range(9)], grows=True).lower)


def test_limits_need_eight_periods_and_take_the_last_24():
    assert np.isnan(control_limits([1, 2] * 3).lower)
    assert np.isnan(control_limits([1, np.nan] * 7).lower)
    assert float(control_limits([1000, *[4, 5] * 12]).upper) == pytest.approx(7.16)


def test_limits_are_no_narrower_than_three_errors():
    limits = control_limits([5.0] * 9, error=0.2)
    assert (float(limits.lower), float(limits.upper)) == pytest.approx((4.4, 5.6))


def test_limits_rarely_cry_wolf():
    """One in a hundred months of nothing but chance lies outside, with 24 before it."""
    rows = np.random.default_rng(5).normal(size=(4000, 25))
    limits = [control_limits(row[:-1]) for row in rows]
    outside = np.mean([not limit.lower <= row[-1] <= limit.upper for limit, row in zip(limits, rows, strict=True)])
    assert outside == pytest.approx(0.0096, abs=0.005)
