import numpy as np
import pytest
from scipy.stats import t as student

from cslib.stats.limits import control_limits, season_of, surprise


def test_limits_by_hand():
    """Moving ranges 1, 1, …: 4.5 ± 2.66."""
    limits = control_limits([4, 5] * 4)
    assert (limits.lower, limits.upper) == pytest.approx((1.84, 7.16))


def test_limits_of_what_grows_follow_its_last_value():
    """Five and fifteen per cent in turn: three of their standard deviations, 2.66 of their moving ranges, about ten."""
    factors = np.exp([0.05, 0.15] * 5)
    limits = control_limits(100 * np.cumprod([1, *factors]), grows=True)
    assert np.log([limits.lower, limits.upper]) == pytest.approx(np.log(100) + 1 + 0.1 + 2.66 * 0.1 * np.array([-1, 1]))
    assert np.isnan(control_limits(100 * 1.1 ** np.arange(10), grows=True).lower)  # nothing to measure by
    assert np.isnan(control_limits([*range(9)], grows=True).lower)
    for error in (9.0, np.full(9, 9.0)):  # which is one of the values, and not of their changes
        assert control_limits(100 * np.cumprod([1, *factors]), grows=True, error=error) == limits


def test_limits_need_eight_periods_and_take_the_last_24():
    assert np.isnan(control_limits([1, 2] * 3).lower)
    assert np.isnan(control_limits([1, np.nan] * 7).lower)
    assert control_limits([1000, *[4, 5] * 12]).upper == pytest.approx(7.16)


def test_limits_are_no_narrower_than_three_errors():
    limits = control_limits([5.0] * 9, error=0.2)
    assert (limits.lower, limits.upper) == pytest.approx((4.4, 5.6))


def test_limits_rarely_cry_wolf():
    """One in a hundred months of nothing but chance lies outside, with 24 before it."""
    rows = np.random.default_rng(5).normal(size=(4000, 25))
    limits = [control_limits(row[:-1]) for row in rows]
    outside = np.mean([not limit.lower <= row[-1] <= limit.upper for limit, row in zip(limits, rows, strict=True)])
    assert outside == pytest.approx(0.0096, abs=0.005)


PEAK = np.array([3.0, -1, -1, -1])


def test_a_season_by_hand():
    """Three years of quarters at 3, with residuals of 1, −2 and 1: R = 12, M = 36, f = 6; (4 − 3) / (6 + 2) · R / M."""
    off = np.array([1.0, -1, 0, 0])
    season = season_of(np.concatenate([3 + PEAK + off, 3 + PEAK - 2 * off, 3 + PEAK + off]), per_year=4)
    assert season.kept == pytest.approx(1 - 12 / 36 / 8)
    assert season.effect == pytest.approx(season.kept * PEAK[np.arange(13) % 4])
    assert (season.ahead, season.behind) == pytest.approx((1 + season.kept**2 / 3, season.ahead - 2 * season.kept / 3))


def test_a_trend_and_levels_of_years_are_no_season():
    assert not season_of(np.arange(36.0), per_year=12).effect.any()
    grows = np.tile([6.0, *[0.0] * 11], 3) + np.arange(36.0)
    assert season_of(grows, per_year=12).effect[[-1, -2]] == pytest.approx([5.5, -0.5])


@pytest.mark.parametrize(("n", "per_year"), [(23, 12), (11, 4), (30, 1), (60, 0)])
def test_too_few_years_tell_no_season(n, per_year):
    season = season_of(np.arange(n) % 12 == 0, per_year=per_year)
    assert (season.kept, season.effect.tolist()) == (0, [0] * (n + 1))


def test_a_missing_value_stands_as_that_time_of_other_years_and_a_month_never_seen_tells_nothing():
    whole = np.tile([6.0, *[0.0] * 11], 3)
    gap, never = whole.copy(), whole.copy()
    gap[[3, 12]], never[[4, 16, 28]] = np.nan, np.nan
    assert season_of(gap, per_year=12).effect == pytest.approx(season_of(whole, per_year=12).effect)
    assert not season_of(never, per_year=12).effect.any()
    assert np.isfinite(control_limits([*never, *[0, 1] * 12], per_year=12).upper)


def test_the_usual_range_of_a_peak_is_that_of_earlier_peaks():
    """Strictly periodic, of errors 1 and in January 2: 16 ± 3 · 2 · √(1 + 1/2)."""
    values, errors = np.tile([16.0, *[4.0] * 11], 2), np.tile([2.0, *[1.0] * 11], 2)
    limits = control_limits(values, error=errors, per_year=12)
    assert (limits.lower, limits.upper) == pytest.approx((16 - 6 * 1.5**0.5, 16 + 6 * 1.5**0.5))
    assert limits.seasonal
    assert control_limits(values, error=errors).upper < 16


def outside(rows, **how):
    limits = [control_limits(row[:-1], **how) for row in rows]
    return np.mean([not limit.lower <= row[-1] <= limit.upper for limit, row in zip(limits, rows, strict=True)])


@pytest.mark.slow
@pytest.mark.parametrize(("years", "per_year", "most"), [(2, 12, 0.03), (3, 12, 0.03), (5, 12, 0.03), (3, 4, 0.05)])
@pytest.mark.parametrize("shape", ["none", "wave", "peak"])
def test_what_comes_every_year_rarely_cries_wolf(years, per_year, most, shape):
    """700 worlds of noise about a season that ends at its peak: at most so many outside, and three errors of that."""
    place = np.arange(years * per_year + 1) % per_year
    season = {"none": 0 * place, "wave": 3 * np.cos(2 * np.pi * place / per_year), "peak": 8.0 * (place == 0)}[shape]
    rows = np.random.default_rng(years).normal(size=(700, len(place))) + season
    assert outside(rows, per_year=per_year) <= most + 3 * np.sqrt(most * (1 - most) / 700)
    if shape != "none" and per_year == 12:
        assert outside(rows[:200]) > 0.15


@pytest.mark.slow
def test_a_change_of_four_errors_is_found_as_often_without_a_season_and_mostly_with_one():
    rng, month = np.random.default_rng(6), np.arange(37) % 12
    rows = rng.normal(size=(800, 37)) + 4.0 * (np.arange(37) == 36)
    assert outside(rows, per_year=12) == pytest.approx(outside(rows), abs=0.03)
    assert outside(rows + 8.0 * (month == 0), per_year=12) > 0.6


def test_surprise_by_hand():
    """Eight values about 4.5 with a standard deviation of 1 / 1.128: 9 is 5.08 of it away, by t on 0.605 · 7 degrees."""
    away = 4.5 / (2.66 / 3) / np.sqrt(1 + 1 / 8)
    assert surprise(9.0, [4, 5] * 4) == pytest.approx(2 * student.sf(away, 0.605 * 7))
    assert surprise(0.0, [4, 5] * 4) == surprise(9.0, [4, 5] * 4)
    assert surprise(4.5, [4, 5] * 4) == 1
    assert np.isnan(surprise(4.5, [4, 5]))


def test_surprise_of_what_grows_is_of_its_change_and_by_heavier_tails():
    """Changes of five and fifteen per cent in turn, about ten, with 0.1 / 1.128 as standard deviation."""
    past = 100 * np.cumprod([1, *np.exp([0.05, 0.15] * 5)])
    away = 0.4 / (0.266 / 3) / np.sqrt(1 + 1 / 10)
    for change in (-0.3, 0.5):
        found = surprise(past[-1] * np.exp(change), past, grows=True)
        assert found == pytest.approx(2 * student.sf(away, 4))
    assert surprise(0.0, past, grows=True) == 0


def test_an_error_makes_a_value_less_surprising():
    assert surprise(7.0, [4, 5] * 4, error=2.0) > 5 * surprise(7.0, [4, 5] * 4)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "per_year"), [(8, 0), (24, 0), (36, 12)])
def test_a_surprise_of_so_much_is_as_rare_as_it_says(n, per_year):
    """2,000 series of nothing but chance: three errors are allowed above 1 and 5 %."""
    rows = np.random.default_rng(n).normal(size=(2000, n + 1))
    p = np.array([surprise(row[-1], row[:-1], per_year=per_year) for row in rows])
    for share in (0.01, 0.05):
        assert share / 3 < (p <= share).mean() <= share + 3 * np.sqrt(share * (1 - share) / len(p))
