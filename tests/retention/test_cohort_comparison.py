from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import multivariate_logrank_test

from cslib import load
from cslib.data.dataset import counted_anew
from cslib.retention import cohorts
from cslib.retention.cohorts import COMPARISON, _log_rank, _means, _merge, compare_cohorts


def customers(months, leaves):
    """Customers of one cohort per month; ``leaves`` gives each one's months until it leaves (0: stays)."""
    rows = []
    for month, own in zip(months, leaves, strict=True):
        for left in own:
            start = pd.Timestamp(month) + pd.Timedelta(days=3)
            end = f"{start + pd.DateOffset(months=left):%Y-%m-%d}" if left else None
            rows.append((f"c{len(rows):04d}", f"{start:%Y-%m-%d}", end))
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on"]).astype({"churned_on": object})
    return load({"customers": frame}, as_of="2024-12-31")


MONTHS = [f"2024-{m:02d}-01" for m in range(1, 9)]


def test_log_rank_equals_lifelines_on_the_shared_periods():
    rng = np.random.default_rng(1)
    leaves = [rng.integers(0, 8, 40) for _ in MONTHS]
    result = compare_cohorts(customers(MONTHS, leaves), max_shared_age=4).set_index("comparison")
    times = np.concatenate([np.where((own > 0) & (own <= 4), own, 4) for own in leaves])
    events = np.concatenate([(own > 0) & (own <= 4) for own in leaves])
    cohort = np.repeat(np.arange(8), 40)
    for name, groups in (("all cohorts", cohort), ("newer half", cohort >= 4), ("newest cohort", cohort == 7)):
        expected = multivariate_logrank_test(times, groups, events)
        assert result.loc[name, "statistic"] == pytest.approx(expected.test_statistic, rel=1e-9)
        assert result.loc[name, "p_value"] == pytest.approx(expected.p_value, rel=1e-9)
    assert result.p_adjusted.ge(result.p_value).all()


def test_a_planted_change_is_found_and_its_size_is_right():
    better = [[0] * 80 + [2] * 20] * 4
    worse = [[0] * 50 + [2] * 50] * 4
    row = compare_cohorts(customers(MONTHS, worse + better), max_shared_age=4).set_index("comparison").loc["newer half"]
    assert (row.rate_newer, row.rate_older) == pytest.approx((0.8, 0.5))
    assert row.ci_lower < row.difference == pytest.approx(0.3)
    assert row.p_adjusted < 1e-6
    assert (row.n_newer, row.n_older, row.n_cohorts) == (400, 400, 8)


@pytest.mark.slow
def test_without_a_change_one_in_twenty_differs():
    """2,000 worlds without a change, both kinds of test: 5 % and three Monte Carlo standard errors."""
    rng = np.random.default_rng(4)
    months = pd.DatetimeIndex(MONTHS[:4])
    small = {"log-rank": 0, "mean retained periods": 0}
    for _ in range(2000):
        left = rng.geometric(0.2, (4, 60))
        table = pd.DataFrame({k: (left > k).sum(axis=1) for k in range(4)}, index=months)
        table.insert(0, -1, 60)
        x = rng.binomial(3, rng.uniform(0.1, 0.9, (4, 60)))  # some customers are keener than others
        sums = pd.DataFrame({"n": 60.0, "x": x.sum(axis=1), "xx": (x**2).sum(axis=1)}, index=months).astype(float)
        for result in (_log_rank(table, list(months)), _means(sums, list(months))):
            small[result["test"]] += result["p_value"] < 0.05
    assert all(0.035 <= n / 2000 <= 0.065 for n in small.values())


def test_mean_retained_periods_by_hand():
    """Active periods 1 to 3 of ten copies each: cohort January 2, 0, 1 and February 0, 0, 1."""
    days = {"a": ["01", "02", "04"], "b": ["01"], "c": ["01", "03"], "d": ["02"], "e": ["02"], "f": ["02", "05"]}
    rows = [(f"{c}{i}", f"2024-{m}-10") for c, months in days.items() for m in months for i in range(10)]
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_on"]).assign(amount=1.0)
    data = load({"orders": frame}, as_of="2024-08-31")
    between = 30 * (1 - 2 / 3) ** 2 + 30 * (1 / 3 - 2 / 3) ** 2
    within = 10 * ((1 + 1 + 0) + (2 * (1 / 3) ** 2 + (2 / 3) ** 2)) / 58
    for words in (30, 0):  # bit masks, and the portable path
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cohorts, "MAX_WORDS", words)
            result = compare_cohorts(data, max_shared_age=3).iloc[-1]
        assert result.statistic == pytest.approx(between / within)
        assert (result.test, result.df) == ("mean retained periods", 1)
        assert result.periods_difference == pytest.approx(1 / 3 - 1)


def world(rng, monthly_churn, monthly_pause, customers=900):
    """Subscriptions without declared churn in which nothing changes from cohort to cohort; some pause."""
    rows = []
    for i in range(customers):
        month, day = rng.integers(0, 20), rng.integers(0, 28)
        while month is not None and month < 24:
            left, paused = rng.geometric(monthly_churn), rng.geometric(monthly_pause)
            end = month + min(left, paused)
            rows.append((f"c{i:04d}", day, month, end if end < 24 else np.nan))
            month = end + 2 if paused < left else None
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "started_on", "ended_on"])
    firsts = dict(enumerate(pd.date_range("2023-01-01", periods=24, freq="MS")))
    dates = {c: frame[c].map(firsts) + pd.to_timedelta(frame["day"], "D") for c in ("started_on", "ended_on")}
    return frame[["customer_id"]].assign(mrr=10.0, **dates)


def worlds(rng, n, *chances):
    """Data sets of n worlds, cut from one that is loaded once."""
    rows = pd.concat([world(rng, *chances).assign(world=w) for w in range(n)], ignore_index=True)
    rows["customer_id"] += rows["world"].map(" of {}".format)
    data = load({"subscriptions": rows}, as_of="2024-12-31")
    for w in range(n):
        yield counted_anew(replace(data, tables={k: t.filter(t.world == w).cache() for k, t in data.tables.items()}))


@pytest.mark.slow
def test_pauses_do_not_look_like_a_change():
    """60 worlds through the whole path: at 5 %, more than 9 rejections of 60 have a chance below 1 in 1,000."""
    rng = np.random.default_rng(12)
    results = [compare_cohorts(data).set_index("comparison") for data in worlds(rng, 60, 0.04, 0.06)]
    for name in ("all cohorts", "newer half", "newest cohort"):
        assert sum(r.loc[name, "p_value"] < 0.05 for r in results) <= 9
    assert abs(np.mean([r.loc["newest cohort", "difference"] for r in results])) < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 5, 40])
def test_small_cohorts_are_joined_so_that_the_test_keeps_its_level(size):
    """1,000 worlds of 30 cohorts; 5 % and three Monte Carlo standard errors at most."""
    rng = np.random.default_rng(size)
    days = pd.date_range("2022-01-01", periods=30, freq="MS")
    rejected = 0
    for _ in range(1000):
        left = rng.geometric(0.05, (30, size))
        shown = pd.DataFrame({k: (left > k).sum(axis=1) for k in range(4)}, index=days)
        shown.insert(0, -1, size)
        merged = _merge(shown, shown)
        assert merged.to_numpy().sum() == shown.to_numpy().sum()
        rejected += _log_rank(merged, list(merged.index))["p_value"] < 0.05
    assert rejected <= 71


def test_a_quarter_that_the_data_do_not_cover_is_left_out():
    late = [f"2023-{m:02d}-01" for m in (3, 4, 5, 6, 7, 8, 9)]
    leaves = [[0] * 30 + [4] * 10] * 7
    result = compare_cohorts(customers(late, leaves), period="quarter")
    assert (result.n_cohorts.iloc[0], result.cohort.iloc[0]) == (2, pd.Timestamp("2023-07-01"))


def test_too_few_cohorts_give_no_rows():
    result = compare_cohorts(customers(MONTHS[:1], [[0, 0, 3]]))
    assert result.empty
    assert list(result) == COMPARISON


def test_nobody_leaves_says_nothing():
    result = compare_cohorts(customers(MONTHS[:4], [[0] * 25] * 4))
    assert result.p_value.isna().all()
    assert result.loc[result.comparison == "newer half", "difference"].tolist() == [0.0]
