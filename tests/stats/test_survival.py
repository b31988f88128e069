"""Survival: curves, medians, mean stay, hazard and comparison, on counts."""

from contextlib import nullcontext

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_rossi, load_waltons
from lifelines.statistics import multivariate_logrank_test
from scipy import stats

import cslib
from cslib.data.lifetimes import lifetimes
from cslib.errors import DataError, ParameterError
from cslib.sample.world import TRUTH
from cslib.stats.survival import (
    compare_segments,
    hazard_by_age,
    life_table,
    shared_horizon,
    survival_at,
    survival_curve,
    survival_summary,
)


def counts_of(duration, event, *, entry=0.0, n=1, segment="All"):
    return pd.DataFrame(
        {"segment": segment, "entry_months": entry, "duration_months": np.asarray(duration, float), "event_observed": np.asarray(event, bool), "n": n}
    )  # fmt: skip


@pytest.fixture(scope="module")
def waltons():
    rows = load_waltons()
    each = counts_of(rows["T"], rows["E"] == 1, segment=rows["group"])
    return survival_curve(pd.concat([each.assign(segment="All"), each]))


@pytest.fixture(scope="module")
def telco(real_data):
    return survival_curve(lifetimes(cslib.load(real_data / "telco.toml"), segment_by="Contract"))


# By hand: five customers leave at 1, 3, 3 and 6 months, one is still here at 4.
# At risk 5, 4, 2, 1; S = 4/5, 4/5 · 2/4 = 2/5, then 2/5, then 0.
FIVE = counts_of([1, 3, 3, 4, 6], [True, True, True, False, True])


def test_life_table_by_hand():
    table = life_table(FIVE)
    assert table.duration_months.tolist() == [0, 1, 3, 4, 6]
    assert table.n_at_risk.tolist() == [5, 5, 4, 2, 1]
    assert table.n_events.tolist() == [0, 1, 2, 0, 1]
    assert table.n_censored.tolist() == [0, 0, 0, 1, 0]


def test_curve_and_summary_by_hand():
    """Mean stay of 5 months: 1 + 2 · 0.8 + 2 · 0.4 = 3.4."""
    curve = survival_curve(FIVE)
    assert np.allclose(curve.survival, [1, 0.8, 0.4, 0.4, 0])
    summary = survival_summary(curve, tau_months=5).iloc[0]
    assert (summary.n_customers, summary.n_events, summary.median_months) == (5, 4, 3)
    assert summary.rmst_months == pytest.approx(3.4)


def test_the_mean_stay_bounds_by_hand():
    """Lost time 1.6; Var = 2.4² · 1/(5 · 4) + 0.8² · 2/(4 · 2) = 0.448, bounds 5 − 1.6 · exp(±1.96 · se / 1.6)."""
    summary = survival_summary(survival_curve(FIVE), tau_months=5).iloc[0]
    factor = np.exp(stats.norm.ppf(0.975) * np.sqrt(0.448) / 1.6)
    assert (summary.rmst_ci_lower, summary.rmst_ci_upper) == pytest.approx((max(5 - 1.6 * factor, 0), 5 - 1.6 / factor))


def test_late_entry_as_published():
    """DEFINITIONS: entry 1, 2, 4, 0, 0 and time 2, 10, 5, 4, 3 give 1, 1, .667, .444, .222, .111, 0."""
    curve = survival_curve(counts_of([2, 10, 5, 4, 3], True, entry=[1.0, 2, 4, 0, 0]))
    assert np.allclose(curve.survival, [1, 1, 2 / 3, 4 / 9, 2 / 9, 1 / 9, 0])


def test_waltons_as_published(waltons):
    """lifelines' documentation: median 56 (53 to 58), control 58, miR-137 26; log-rank 122.249."""
    summary = survival_summary(waltons).set_index("segment")
    assert summary.median_months.to_dict() == {"All": 56, "control": 58, "miR-137": 26}
    assert summary.loc["All", ["median_ci_lower", "median_ci_upper"]].tolist() == [53, 58]
    test = compare_segments(waltons).iloc[0]
    assert (test.segment_a, test.segment_b, test.df) == ("All", "All", 1)
    assert test.statistic == pytest.approx(122.249, abs=5e-4)


def test_rossi_mean_stay_as_published():
    """RMST(52) 45.8542 with standard error 0.6085."""
    rows = load_rossi()
    summary = survival_summary(survival_curve(counts_of(rows.week, rows.arrest == 1)), tau_months=52).iloc[0]
    assert summary.rmst_months == pytest.approx(45.8542, abs=5e-5)
    lost = 52 - summary.rmst_months
    error = np.log((52 - summary.rmst_ci_lower) / lost) * lost / stats.norm.ppf(0.975)
    assert error == pytest.approx(0.6085, abs=5e-5)


def test_telco_as_published(telco):
    at = survival_at(telco, [12, 24, 48, 72]).pivot(index="segment", columns="duration_months", values="survival")
    assert at.loc["All"].tolist() == pytest.approx([0.84320, 0.78874, 0.70884, 0.59279], abs=5e-6)
    assert at.loc["Month-to-month"].tolist() == pytest.approx([0.70310, 0.58592, 0.39726, 0.12895], abs=5e-6)
    stays = survival_summary(telco, tau_months=72).rmst_months
    assert stays.tolist() == pytest.approx([54.4924, 36.2979, 66.4175, 71.5403], abs=5e-5)
    test = compare_segments(telco).iloc[0]
    assert test.statistic == pytest.approx(2352.8725, abs=5e-5)
    assert test.log10_p_value == pytest.approx(-510.92, abs=0.01)
    assert test.p_value == 0


lives = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 30), st.booleans(), st.integers(1, 5)), min_size=2, max_size=25
)


@pytest.mark.slow
@given(lives)
@settings(max_examples=50)
def test_counts_equal_lifelines_on_rows_late_entry_included(rows):
    rows = [*rows, (0, 61, False, 1)]  # lifelines wants somebody at risk throughout
    entry, stay, event, n = (np.array(column) for column in zip(*rows, strict=True))
    each = [np.repeat(column, n) for column in (entry + stay, event, entry)]
    curve = survival_curve(counts_of(entry + stay, event, entry=entry, n=n))
    fitted = lifelines.KaplanMeierFitter().fit(each[0], each[1], entry=each[2])
    expected = fitted.survival_function_.iloc[:, 0].reindex(curve.duration_months).to_numpy()
    assert np.allclose(curve.survival, expected, atol=1e-9)
    bounds = fitted.confidence_interval_.reindex(curve.duration_months).to_numpy()
    inside = (curve.survival > 0) & (curve.survival < 1)
    assert np.allclose(curve.loc[inside, ["ci_lower", "ci_upper"]], bounds[inside], atol=1e-9)


@pytest.mark.slow
@given(lives)
@settings(max_examples=50)
def test_order_and_splitting_of_counts_change_nothing(rows):
    entry, stay, event, n = (np.array(column) for column in zip(*rows, strict=True))
    counts = counts_of(entry + stay, event, entry=entry, n=n)
    split = pd.concat([counts.assign(n=1), counts.assign(n=counts.n - 1)]).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(survival_curve(counts), survival_curve(split))


@pytest.mark.long
@given(lives, st.integers(1, 30))
@settings(max_examples=50)
def test_mean_stay_equals_lifelines(rows, tau):
    _, stay, event, n = (np.array(column) for column in zip(*rows, strict=True))
    curve = survival_curve(counts_of(stay, event, n=n))
    if stay.max() < tau:
        with pytest.raises(ParameterError, match="tau_months is") if curve.survival.iloc[-1] else nullcontext():
            survival_summary(curve, tau_months=float(tau))
        return
    summary = survival_summary(curve, tau_months=float(tau)).iloc[0]
    fitted = lifelines.KaplanMeierFitter().fit(np.repeat(stay, n), np.repeat(event, n))
    assert summary.rmst_months == pytest.approx(lifelines.utils.restricted_mean_survival_time(fitted, t=tau))
    assert not summary.rmst_ci_lower > summary.rmst_months + 1e-9
    assert not summary.rmst_ci_upper < summary.rmst_months - 1e-9


@pytest.mark.long
@given(lives)
@settings(max_examples=40)
def test_log_rank_over_segments_equals_lifelines(rows):
    _, stay, event, n = (np.array(column) for column in zip(*rows, strict=True))
    group = np.where(np.arange(len(n)) % 3 == 0, "a", np.where(np.arange(len(n)) % 3 == 1, "b", "c"))
    test = compare_segments(survival_curve(counts_of(stay, event, n=n, segment=group))).iloc[0]
    if np.isnan(test.statistic) or event.sum() == 0:
        return
    expected = multivariate_logrank_test(np.repeat(stay, n), np.repeat(group, n), np.repeat(event, n))
    if np.linalg.cond(np.atleast_2d(expected.test_statistic)) < 1e12:
        assert test.statistic == pytest.approx(expected.test_statistic, rel=1e-6)


def test_ages_beyond_the_data_are_unknown_unless_nobody_is_left():
    at = survival_at(survival_curve(FIVE), [0, 2, 6, 9])
    assert np.allclose(at.survival, [1, 0.8, 0, 0])
    assert at.n_at_risk.tolist() == [5, 4, 1, 0]
    here = survival_at(survival_curve(counts_of([3], [False])), [2, 3, 4])
    assert here.survival.isna().tolist() == [False, False, True]


def test_nobody_left_is_no_certainty():
    """Ten customers, all here after 6 months: Wilson's lower bound is 10 / (10 + 1.96²) = 0.722."""
    curve = survival_curve(counts_of([6] * 10, False))
    summary = survival_summary(curve).iloc[0]
    assert np.isnan(summary.median_months)
    assert summary.rmst_months == 6
    assert (summary.rmst_ci_lower, summary.rmst_ci_upper) == pytest.approx((6 * 0.7225, 6), abs=2e-3)
    assert survival_at(curve, [6]).ci_lower.iloc[0] == pytest.approx(0.7225, abs=1e-4)


@pytest.mark.parametrize(
    "duration", [[4.0], [4.0] * 8, [0.0, 0.0]], ids=["one customer", "all at once", "on the first day"]
)
def test_all_leaving_at_once_has_no_interval(duration):
    summary = survival_summary(survival_curve(counts_of(duration, True)), tau_months=5).iloc[0]
    assert (summary.median_months, summary.rmst_months) == (duration[0], duration[0])
    assert np.isnan([summary.rmst_ci_lower, summary.rmst_ci_upper]).all()


def test_a_segment_too_young_for_the_horizon_has_no_mean_stay():
    curve = survival_curve(
        pd.concat([counts_of([2, 3], [True, False], segment="new"), counts_of([9, 30], [True, False], segment="old")])
    )
    assert shared_horizon(curve) == 3
    assert survival_summary(curve, tau_months=12).rmst_months.isna().tolist() == [True, False]
    assert survival_summary(curve).tau_months.tolist() == [3, 3]


def test_a_young_segment_of_few_does_not_shorten_the_horizon():
    old = counts_of([9, 30], [True, False], n=20, segment="old")
    new, gone = counts_of([0.1], [False], n=9, segment="new"), counts_of([2], [True], n=40, segment="gone")
    assert shared_horizon(survival_curve(pd.concat([old, new, gone]))) == 30
    assert shared_horizon(survival_curve(pd.concat([new, gone]))) == 0.1


def test_ages_that_nobody_was_observed_through_leave_survival_unknown():
    """One starts and leaves at month 1; all others enter at month 5: what they show holds from month 5 on."""
    counts = pd.concat([counts_of([1], True), counts_of([8, 20], [True, False], entry=5.0, n=50)])
    curve = survival_curve(counts)
    assert curve.survival.isna().tolist() == [False, True, True, True, True]
    summary = survival_summary(curve, tau_months=12).iloc[0]
    assert np.isnan([summary.median_months, summary.rmst_months, summary.survival_12m]).all()
    assert hazard_by_age(curve).query("duration_months > 5").n_events.sum() == 50


@pytest.mark.parametrize("n", [6, 24, 130, 398])
def test_the_median_is_where_the_curve_touches_a_half(n):
    """One leaves at each age 1, 2, …, n: half are gone at n / 2."""
    assert survival_summary(survival_curve(counts_of(np.arange(1, n + 1), True))).median_months[0] == n / 2


def test_bounds_where_nobody_left_use_the_right_numbers():
    """226 and 860 days: with 2 at risk 2 / (2 + 1.96²) = 0.342, with one 0.207."""
    days = np.array([226, 860]) / 30.4375
    row = survival_summary(survival_curve(counts_of(days, False))).iloc[0]
    z2 = stats.norm.ppf(0.975) ** 2
    assert row.rmst_ci_lower == pytest.approx(days[0] * 2 / (2 + z2) + (days[1] - days[0]) / (1 + z2))


def test_bad_parameters_and_no_counts_are_refused():
    with pytest.raises(DataError, match="no lifetimes"):
        survival_curve(FIVE.iloc[:0])
    with pytest.raises(ParameterError, match="tau_months is 36. Give up to 12.0"):
        compare_segments(survival_curve(counts_of([12], False)), tau_months=36)
    with pytest.raises(ParameterError, match="tau_months is -1"):
        survival_summary(survival_curve(FIVE), tau_months=-1)


def test_hazard_is_events_over_exposure_by_hand():
    """200 start, 100 leave in the middle of the second month: 100 / (100 · 0.5 + 100 · 1) in that month."""
    curve = survival_curve(counts_of([1.5, 2.0], [True, False], n=100))
    hazard = hazard_by_age(curve)
    assert hazard.customer_months.tolist() == [200, 150]
    assert hazard.window_months.tolist() == [2, 1]
    assert hazard.hazard.iloc[1] == pytest.approx(100 / 150)
    exact = [stats.chi2.ppf(0.025, 200) / 2 / 150, stats.chi2.ppf(0.975, 202) / 2 / 150]
    assert hazard.loc[1, ["ci_lower", "ci_upper"]].tolist() == pytest.approx(exact)


def test_all_lines_of_the_hazard_are_smoothed_alike_and_a_peak_not_at_all():
    """Of 1,000 with A and 100 with B a tenth each leave in the first month, of the others one in a hundred each month."""
    left = {"A": [100, *[9] * 11], "B": [10, *[1] * 11]}
    parts = [pd.DataFrame({"segment": s, "duration_months": range(1, 13), "n": n}) for s, n in left.items()]
    gone = pd.concat(parts).assign(event_observed=True)
    here = pd.DataFrame({"segment": ["A", "B"], "duration_months": 12, "n": [801, 79], "event_observed": False})
    own = pd.concat([gone, here]).assign(entry_months=0.0)
    hazard = hazard_by_age(survival_curve(pd.concat([own.assign(segment="All"), own])))
    first = hazard[hazard["duration_months"] == 0.5]
    assert first["hazard"].tolist() == pytest.approx([0.1, 0.1, 0.1])
    wide = hazard.pivot(index="duration_months", columns="segment", values="window_months")
    assert (wide["A"] == wide["All"]).all()
    assert (wide["B"] == wide["All"]).all()
    later = hazard[(hazard["duration_months"] == 1.5) & (hazard["segment"] == "B")]
    assert later["hazard"].iloc[0] < 0.02
    alone = survival_curve(own[own["segment"] == "B"])
    like = hazard_by_age(alone, like=survival_curve(own.assign(segment="All")))
    pd.testing.assert_frame_equal(like, hazard[hazard["segment"] == "B"].reset_index(drop=True))
    assert hazard_by_age(alone)["window_months"].iloc[0] > 1


def test_hazard_of_a_segment_that_keeps_all_is_bounded_above():
    """No event in 120 customer-months, a window over all of them: the bound is that of a weighted zero."""
    hazard = hazard_by_age(survival_curve(counts_of([12] * 10, False)))
    assert (hazard.hazard == 0).all()
    assert (hazard.ci_lower == 0).all()
    assert (hazard.ci_upper > 0).all()


def test_hazard_recovers_a_constant_and_a_falling_rate():
    rng = np.random.default_rng(3)
    for shape in (1.0, 0.6):
        time = 20 * rng.weibull(shape, 400_000)
        hazard = hazard_by_age(survival_curve(counts_of(np.minimum(time, 24), time <= 24)))
        inner = hazard[hazard.duration_months > 2]
        truth = shape / 20 * (inner.duration_months / 20) ** (shape - 1)
        assert ((inner.ci_lower <= truth) & (truth <= inner.ci_upper)).mean() > 0.8
        assert np.allclose(inner.hazard, truth, rtol=0.05)


def test_pairs_are_adjusted_and_the_longer_stay_comes_first(waltons, telco):
    pairs = compare_segments(telco).iloc[1:]
    assert pairs[["segment_a", "segment_b"]].values.tolist() == [
        ["Two year", "One year"],
        ["Two year", "Month-to-month"],
        ["One year", "Month-to-month"],
    ]
    assert (pairs.rmst_difference_months > 0).all()
    assert pairs.rmst_difference_months.iloc[1] == pytest.approx(71.5403 - 36.2979, abs=1e-4)
    assert (pairs.p_adjusted >= pairs.p_value).all()
    assert compare_segments(waltons[waltons.segment == "All"]).empty


@pytest.mark.parametrize(("statistic", "df"), [(1300.0, 1), (1400.0, 2), (2000.0, 7), (1380.0, 1)])
def test_the_far_tail_joins_the_exact_one(statistic, df):
    """Against the recurrence Q(a + 1, x) = Q(a, x) + xᵃe⁻ˣ/Γ(a + 1), summed in logarithms from Q(½) and Q(1)."""
    from cslib.stats.survival import _log10_p

    x, a = statistic / 2, df / 2
    start = a - int(a)
    logs = [stats.norm.logsf(np.sqrt(statistic)) + np.log(2)] if start else []
    steps = np.arange(start, a)
    from scipy.special import gammaln, logsumexp

    exact = logsumexp(np.concatenate([logs, steps * np.log(x) - x - gammaln(steps + 1)])) / np.log(10)
    assert _log10_p(statistic, df) == pytest.approx(exact, rel=1e-9)
    assert _log10_p(30.0, df) == pytest.approx(np.log10(stats.chi2.sf(30, df)), rel=1e-9)


def test_the_planted_order_of_plans_is_found(sample):
    curve = survival_curve(lifetimes(sample, segment_by="plan"))
    stays = survival_summary(curve).set_index("segment").rmst_months
    assert stays["Starter"] < stays["Team"] < stays["Enterprise"]
    assert (compare_segments(curve).p_adjusted < 1e-6).all()
    assert list(TRUTH.plan_hazard_ratio) == ["Starter", "Team", "Enterprise"]


def _weibull_worlds(rng, repeats, n, shape, scale):
    """Lifetimes in whole days, follow-up uniform over 3 years, one customer followed throughout; a segment per world."""
    time = np.ceil(scale * rng.weibull(shape, (repeats, n)) * 30.4375)
    seen = np.ceil(rng.uniform(0, 36, (repeats, n)) * 30.4375)
    seen[:, 0] = 36 * 30.4375
    counts = counts_of((np.minimum(time, seen) / 30.4375).ravel(), (time <= seen).ravel())
    return counts.assign(segment=np.repeat(np.arange(repeats), n))


@pytest.mark.long
@pytest.mark.parametrize(
    ("n", "shape", "scale"), [(30, 0.7, 26), (300, 0.7, 26), (3000, 0.7, 26), (30, 1.0, 60), (300, 1.0, 150)]
)
def test_intervals_cover(n, shape, scale):
    """Survival at 3 and 12 months, mean stay of 20 and the median, over seeded worlds; three standard errors."""
    rng, repeats = np.random.default_rng(7), 2000 if n < 3000 else 600
    survival = np.exp(-((np.array([3, 12]) / scale) ** shape))
    grid = np.linspace(0, 20, 200_001)
    stay, median = np.trapezoid(np.exp(-((grid / scale) ** shape)), grid), scale * np.log(2) ** (1 / shape)
    curve = survival_curve(_weibull_worlds(rng, repeats, n, shape, scale))
    at, rows = survival_at(curve, [3, 12]), survival_summary(curve, tau_months=20)
    lower, upper = (at[c].to_numpy().reshape(-1, 2) for c in ("ci_lower", "ci_upper"))
    of_stay = (rows.rmst_ci_lower <= stay) & (stay <= rows.rmst_ci_upper)
    # days are whole: a lifetime is up to a day longer than the world's
    of_median = ~(rows.median_ci_lower > median + 1 / 30) & ~(rows.median_ci_upper < median)
    covered = np.mean([*((lower <= survival) & (survival <= upper)).T, of_stay, of_median], axis=1)
    margin = 3 * np.sqrt(0.95 * 0.05 / repeats)
    assert (covered[:2] > 0.95 - margin - (0.01 if n == 30 else 0)).all(), covered
    assert covered[2] > (0.92 if n == 30 else 0.95 - margin), covered
    if median < 30:
        assert abs(covered[3] - 0.95) < margin + (0.02 if n == 30 else 0), covered
