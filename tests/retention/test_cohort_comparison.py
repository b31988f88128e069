from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import multivariate_logrank_test
from scipy.stats import chi2, hypergeom

from cslib import load
from cslib.data.dataset import counted_anew
from cslib.retention import cohorts
from cslib.retention.cohorts import COMPARISON, _compare, _log_rank, _means, _starts, compare_cohorts
from cslib.stats.intervals import compare_means, log_rank


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
    small = np.zeros(2)
    for _ in range(2000):
        here = (rng.geometric(0.2, (4, 60, 1)) > np.arange(4)).sum(axis=1)
        x = rng.binomial(3, rng.uniform(0.1, 0.9, (4, 60)))  # some customers are keener than others
        n, sums, squares = (np.array(v)[:, None] for v in ([60] * 4, x.sum(axis=1), (x**2).sum(axis=1)))
        at_risk = np.column_stack([n, here[:, :-1]])
        small += [t.p_value < 0.05 for t in (log_rank(at_risk, at_risk - here), compare_means(n, sums, squares))]
    assert ((small >= 70) & (small <= 130)).all()


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


@pytest.mark.long
def test_pauses_do_not_look_like_a_change():
    """60 worlds through the whole path: at 5 %, more than 9 rejections of 60 have a chance below 1 in 1,000."""
    rng = np.random.default_rng(12)
    results = [compare_cohorts(data).set_index("comparison") for data in worlds(rng, 60, 0.04, 0.06)]
    for name in ("all cohorts", "newer half", "newest cohort"):
        assert sum(r.loc[name, "p_value"] < 0.05 for r in results) <= 9
    assert abs(np.mean([r.loc["newest cohort", "difference"] for r in results])) < 0.03


@pytest.mark.long
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
        merged = shown.groupby(_starts(shown)).sum().to_numpy()
        assert merged.sum() == shown.to_numpy().sum()
        rejected += log_rank(merged[:, :-1], merged[:, :-1] - merged[:, 1:]).p_value < 0.05
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


def monthly(n):
    """The first days of the last n months in which cohorts are old enough by the end of 2024."""
    return [f"{day:%Y-%m-%d}" for day in pd.date_range(end="2024-06-01", periods=n, freq="MS")]


def test_a_season_alone_is_no_difference():
    """Of 24 who start in the k-th month of a year k leave two months on, every year; the newer half begins in April."""
    months = monthly(30)
    data = customers(months, [[2] * int(m[5:7]) + [0] * (24 - int(m[5:7])) for m in months])
    result = compare_cohorts(data).set_index("comparison")
    assert result["season"].eq("allowed for").all()
    assert result["statistic"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert result.loc["newer half", ["difference", "periods_difference"]].tolist() == pytest.approx([0, 0])
    assert result.loc["newest cohort", ["n_newer", "n_older"]].tolist() == [24, 48]  # those of June 2024, 2022 and 2023
    few = compare_cohorts(customers(months[-16:], [[2] * 5 + [0] * 19] * 16))
    assert few["season"].eq("unknown").all()
    assert compare_cohorts(data, period="year", max_shared_age=1)["season"].eq("").all()


def test_strata_add_up_and_rates_are_averaged_over_them():
    """January and February of two years, 100 or 50 who start: tables two by two, one per month and period."""
    sizes, kept = {-1: [100, 50, 50, 50], 0: [100, 50, 50, 50]}, {1: [80, 45, 30, 40], 2: [70, 40, 25, 30]}
    days = pd.DatetimeIndex(["2023-01-01", "2023-02-01", "2024-01-01", "2024-02-01"])
    shown = pd.DataFrame(sizes | kept, index=days, dtype=float)
    row = _compare(shown, _log_rank, shown=shown, season="allowed for").set_index("comparison").loc["newer half"]
    score = variance = 0.0
    for old, new in ((0, 2), (1, 3)):
        for before, after in ((0, 1), (1, 2)):
            here, left = shown.iloc[[old, new]][before], shown.iloc[[old, new]][before] - shown.iloc[[old, new]][after]
            table = hypergeom(here.sum(), here.iloc[1], left.sum())
            score, variance = score + left.iloc[1] - table.mean(), variance + table.var()
    assert row["statistic"] == pytest.approx(score**2 / variance)
    assert row["p_value"] == pytest.approx(chi2(1).sf(score**2 / variance))
    january, february = 100 * 50 / 150, 50 * 50 / 100
    share = january / (january + february)
    assert row["rate_newer"] == pytest.approx(share * 25 / 50 + (1 - share) * 30 / 50)
    assert row["rate_older"] == pytest.approx(share * 70 / 100 + (1 - share) * 40 / 50)
    assert row["periods_difference"] == pytest.approx(
        share * ((30 + 25) / 50 - (80 + 70) / 100) + (1 - share) * ((40 + 30) / 50 - (45 + 40) / 50)
    )
    assert (row["n_newer"], row["n_older"], row["df"]) == (100, 150, 1)


WAVE = 1 + 0.6 * np.cos(np.pi * np.arange(12) / 6)


def periodic(rng, n, months, phase, *, worse=0.0, season=WAVE, activity=False):
    """Cohorts that began in so many months and lived six more; ``worse``: leave so much more in the newer half."""
    days = pd.date_range("2023-01-01", periods=months, freq="MS")
    k, newer = np.arange(months), np.arange(months) >= months - months // 2
    size = rng.poisson(n / months * season[(k + phase + 3) % 12])
    cohort, at = np.repeat(k, size), (k[:, None] + np.arange(1, 7) + phase) % 12
    now = season[at[cohort]] * (1 + worse * newer[cohort, None])
    here = rng.random(now.shape) >= 0.06 * now
    if activity:
        here = rng.random(now.shape) < rng.beta(2, 2, (len(cohort), 1)) * now / now.max()
    here = here if activity else here.cumprod(axis=1)
    kept = np.array([np.bincount(cohort, column, months) for column in here.T]).T
    shown = pd.DataFrame(np.column_stack([size, size, kept]), index=days, columns=range(-1, 7), dtype=float)
    x = here.sum(axis=1)
    sums = {"n": size, "x": np.bincount(cohort, x, months), "xx": np.bincount(cohort, x**2, months)}
    return shown, (pd.DataFrame(sums, index=days, dtype=float), _means) if activity else (shown, _log_rank)


def claims(worlds, *, season="allowed for"):
    """Share of worlds in which the newer half differs by more than chance."""
    rows = [
        _compare(*test, shown=shown, season=season).set_index("comparison").loc["newer half"] for shown, test in worlds
    ]
    return np.mean([row["p_value"] < 0.05 for row in rows])


@pytest.mark.long
@pytest.mark.parametrize("activity", [False, True])
@pytest.mark.parametrize(("n", "months"), [(300, 30), (3000, 18), (3000, 30)])
def test_what_comes_every_year_is_no_change_of_cohorts(n, months, activity):
    """120 strictly periodic worlds: 5 % and three Monte Carlo standard errors at most."""
    rng = np.random.default_rng(n + months)
    worlds = [periodic(rng, n, months, w % 12, activity=activity) for w in range(120)]
    assert claims(worlds) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)
    if months == 18:
        assert claims(worlds[:60], season="unknown") > 0.2


@pytest.mark.long
@pytest.mark.parametrize("activity", [False, True])
def test_worse_cohorts_are_found_as_often_without_a_season_and_with_one(activity):
    rng, steady = np.random.default_rng(9), np.ones(12)
    how = {"worse": -0.3 if activity else 0.3, "activity": activity}
    worlds = [periodic(rng, 2000, 30, 0, season=steady, **how) for _ in range(60)]
    assert claims(worlds) >= max(0.7, claims(worlds, season="unknown") - 0.1)
    assert claims([periodic(rng, 2000, 30, w % 12, **how) for w in range(60)]) >= 0.7
