"""Has churn changed? What is told, when it is not, and how often chance is taken for change."""

from datetime import date
from itertools import product

import numpy as np
import pandas as pd
import pytest
from drift_world import LAST, ageing, constant, counted, customers, loaded, rising, seasonal, stepped
from scipy.stats import chi2

import cslib as cs
from cslib.data.customers import segment_of
from cslib.data.drift import drift, drift_before, judged, recent, recent_lives
from cslib.data.lifetimes import lifetimes


@pytest.fixture(scope="module")
def moved():
    return loaded(np.random.default_rng(1), 3000, stepped)


def test_a_step_is_told_with_both_paces(moved):
    found = drift(moved)
    assert found.since == date(2025, 1, 1)
    assert found.recent == pytest.approx(0.08, abs=0.008)
    assert found.before == pytest.approx(0.04, abs=0.004)
    assert found.faster
    assert found.carries
    assert found.p_value < 1e-6


def by_hand(table):
    """The score of a trend and of the last year, age by age and month by month, with hypergeometric covariances."""
    month = lambda day: (day.dt.year - 2023) * 12 + day.dt.month - 1  # noqa: E731
    start, end = month(table["started_on"]), month(table["churned_on"]).fillna(99)
    at_risk, left = (np.zeros((36, 36)) for _ in range(2))
    for age, now in product(range(36), range(36)):
        own = (start == now - age) & (end >= now)
        at_risk[age, now], left[age, now] = own.sum(), (own & (end == now)).sum()
    off, covariance = np.zeros(36), np.zeros((36, 36))
    for n, d in zip(at_risk, left, strict=True):
        total, gone = n.sum(), d.sum()
        if total > 1:
            off += d - n * gone / total
            unlike = np.diag(n) / total - np.outer(n, n) / total**2
            covariance += unlike * gone * (total - gone) / (total - 1)
    scores = np.array([np.arange(36), np.arange(36) >= 24], float)
    return np.square(scores @ off), np.diag(scores @ covariance @ scores.T)


def test_the_test_is_a_log_rank_test_by_age():
    """Here months vary no more than by chance, so that nothing is multiplied."""
    table = customers(np.random.default_rng(4), 400, stepped)
    squares, variances = by_hand(table)
    found = drift(cs.load({"customers": table}, as_of=LAST))
    assert found.p_value == pytest.approx(2 * chi2.sf(squares / variances, 1).min(), rel=1e-6)


def test_a_change_of_the_calendar_is_found_among_those_who_joined_before_it(moved):
    older = drift_before(moved, date(2024, 7, 1))
    assert older.faster
    assert older.since == drift(moved).since


def test_a_change_from_cohort_to_cohort_is_not_found_among_the_older_ones():
    """Who joins from April 2024 on leaves at less than half the rate of earlier ones, of whom nothing changes."""
    better = loaded(np.random.default_rng(3), 3000, lambda now, age: np.where(now - age >= 15, 0.03, 0.07))
    assert not drift(better).faster
    assert drift_before(better, date(2024, 4, 1)) is None


def test_one_cohort_cannot_tell_time_from_age():
    table = customers(np.random.default_rng(2), 500, stepped).assign(started_on=pd.Timestamp("2023-01-01"))
    assert drift(cs.load({"customers": table}, as_of=LAST)) is None


def test_what_is_too_short_or_undated_is_not_told(moved):
    late = customers(np.random.default_rng(3), 3000, rising).query("started_on >= '2024-02-01'")
    assert drift(cs.load({"customers": late}, as_of=LAST)) is None
    tenures = pd.DataFrame({"customer_id": list("ab"), "tenure_months": [3, 4], "churned": [True, False]})
    assert drift(cs.load({"customers": tenures})) is None


def test_estimates_rest_on_what_the_last_year_saw(moved):
    now = recent(moved, drift(moved))
    assert now.observed_from == date(2025, 1, 1)
    lives = recent_lives(moved, drift(moved))
    lived = ((lives["duration_months"] - lives["entry_months"]) * lives["n"]).sum()
    assert lives.loc[lives["event_observed"], "n"].sum() / lived == pytest.approx(0.08, abs=0.006)
    assert recent(moved, None) is moved


def test_where_hardly_anybody_is_new_all_years_count():
    table = customers(np.random.default_rng(5), 4000, stepped).query("started_on < '2025-01-01'")
    data = cs.load({"customers": table}, as_of=LAST)
    found = drift(data)
    assert found.faster
    assert not found.carries
    assert recent(data, found) is data


@pytest.mark.long
def test_those_whom_where_keeps_are_judged_by_the_whole_as_a_segment_is():
    table = customers(np.random.default_rng(6), 3000, stepped).assign(plan=np.where(np.arange(3000) % 30, "Old", "New"))
    whole, few = (cs.load({"customers": table}, as_of=LAST, where=where) for where in ("", "plan=New"))
    assert drift(few) == drift(segment_of(whole, "plan", "New"))
    assert drift(few) is not None
    assert not drift(few).clear  # by themselves they would show nothing


def test_a_segment_without_new_customers_keeps_all_its_years():
    table = customers(np.random.default_rng(6), 3000, stepped)
    old = (table["started_on"] < "2024-06-01") & (np.arange(3000) % 4 == 0)
    data = cs.load({"customers": table.assign(plan=np.where(old, "Old", "New"))}, as_of=LAST)
    lives = recent_lives(data, drift(data), segment_by="plan")
    known = lifetimes(data, segment_by="plan")
    late = lives.groupby("segment")["entry_months"].max()
    assert list(lives["segment"].unique()) == ["All", "New", "Old"]
    assert late["Old"] == 0 < late["New"]
    assert lives[lives["segment"] == "Old"]["n"].sum() == known[known["segment"] == "Old"]["n"].sum()


def share_found(n, hazard, times, **more):
    rng = np.random.default_rng(7)
    each = (counted(rng, n, hazard, **more) for _ in range(times))
    return np.mean([judged(*counts, since=date(2025, 1, 1)) is not None for counts in each])


@pytest.mark.long
@pytest.mark.parametrize("n", [30, 300, 3000])
@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("hazard", [constant, ageing])
def test_chance_is_not_taken_for_change(hazard, growing, n):
    assert share_found(n, hazard, 400, growing=growing) <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(300, 0.35), (3000, 0.9)])
def test_a_rise_is_found(n, least):
    assert share_found(n, rising, 200) >= least


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 3000])
def test_a_season_is_seldom_taken_for_change(n):
    """The same every year, ± 60 %: over three years of months."""
    assert share_found(n, seasonal, 200) <= 0.03


def test_the_pace_before_is_known_where_nobody_left_lately():
    """100 at risk in each of 24 months of one age; 4 left in each of the first twelve, nobody since: 4 % are expected."""
    at_risk, left = np.zeros((24, 24)), np.zeros((24, 24))
    at_risk[1], left[1, :12] = 100, 4
    found = judged(at_risk, left, since=date(2025, 1, 1))
    assert (found.recent, found.faster, found.clear) == (0, False, True)
    assert found.before == pytest.approx(0.04)


def test_a_segment_that_is_gone_has_not_changed():
    at_risk, left = np.zeros((24, 24)), np.zeros((24, 24))
    at_risk[1, :6], left[1, :6] = 10, 1
    assert judged(at_risk, left, since=date(2025, 1, 1), sure=True) is None


@pytest.mark.long
def test_every_view_of_a_segment_that_is_gone_is_told():
    """Churn of all has risen; those of Z had left years before."""
    rng = np.random.default_rng(1)
    table = customers(rng, 3000, stepped)
    gone = pd.DataFrame({"customer_id": [f"z{i}" for i in range(40)], "started_on": pd.Timestamp("2023-01-05")})
    gone = gone.assign(churned_on=pd.to_datetime(["2023-09-01"] * 20 + ["2024-03-01"] * 20), plan="Z")
    both = pd.concat([table.assign(plan="A"), gone], ignore_index=True)
    data = cs.load({"customers": both}, as_of=LAST)
    assert drift(data)
    own = segment_of(data, "plan", "Z")
    assert drift(own) is None
    assert "customers leave within" in cs.Churn(own).answer.text
    assert cs.Retention(own).answer.text
