import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter
from scipy.stats import norm

from cslib.stats.intervals import product_limit, wilson
from cslib.stats.survival import cumulative_incidence, life_table

Z = norm.ppf(0.975)


def lifetimes(*rows, segment="All"):
    frame = pd.DataFrame(rows, columns=["entry_months", "duration_months", "churn_kind", "n"])
    return frame.assign(segment=segment, event_observed=frame["churn_kind"] != "")


def of(table, kind, segment="All"):
    return table[(table.churn_kind == kind) & (table.segment == segment)].set_index("duration_months")


def variance(own):
    """Recover the variance from the log(−log) bounds."""
    log_f = np.log(own.incidence)
    return (np.log(np.log(own.ci_lower) / log_f) / Z * own.incidence * log_f) ** 2


TEN = lifetimes(
    (0, 1.0, "voluntary", 2),
    (0, 1.0, "failed", 1),
    (0, 1.0, "", 1),
    (0, 2.0, "voluntary", 1),
    (0, 2.0, "failed", 2),
    (0, 3.0, "", 3),
)


def test_by_hand():
    """At risk 10, 10, 6, 3 at ages 0 to 3; survival after age 1 is 0.7."""
    table = cumulative_incidence(TEN)
    assert of(table, "voluntary").incidence.tolist() == pytest.approx([0, 0.2, *[0.2 + 0.7 / 6] * 2])
    assert of(table, "failed").incidence.tolist() == pytest.approx([0, 0.1, *[0.1 + 0.7 * 2 / 6] * 2])
    assert of(table, "failed").n_at_risk.tolist() == [10, 10, 6, 3]
    assert of(table, "failed").n_events.tolist() == [0, 1, 2, 0]


def test_bounds_by_hand():
    """2 of 10: standard error √0.016, on the scale log(−log) 0.12649 / (0.2 · 1.60944) = 0.39297, times 1.95996."""
    row = of(cumulative_incidence(TEN), "voluntary").loc[1]
    width = 1.959964 * 0.126491 / (0.2 * 1.609438)
    assert row.ci_lower == pytest.approx(0.2 ** np.exp(width), rel=1e-5)
    assert row.ci_upper == pytest.approx(0.2 ** np.exp(-width), rel=1e-5)


def test_late_entry_by_hand():
    """Two from the start, two from age 2 on: at risk 2 at age 1 and 1 + 2 at age 3, so 1/2 and 1/2 · 1/3."""
    counts = lifetimes((0, 1.0, "a", 1), (0, 3.0, "b", 1), (2.0, 4.0, "", 2))
    table = cumulative_incidence(counts)
    assert of(table, "a").incidence.loc[4] == pytest.approx(1 / 2)
    assert of(table, "b").incidence.loc[4] == pytest.approx(1 / 6)


def test_before_the_first_event_the_bounds_are_those_of_none():
    """At age 1 ten at risk had no failed payment; then nobody has, of nine."""
    own = of(cumulative_incidence(lifetimes((0, 1.0, "a", 1), (0, 2.0, "", 5), (0, 3.0, "b", 4))), "b")
    assert own.ci_lower.loc[[0, 1, 2]].tolist() == [0, 0, 0]
    assert own.ci_upper.loc[[0, 1, 2]].tolist() == pytest.approx(wilson([0] * 3, [10, 10, 9]).upper.tolist())


def test_where_an_age_had_nobody_nothing_is_known():
    own = of(cumulative_incidence(lifetimes((2.0, 4.0, "a", 3), (2.0, 5.0, "b", 1))), "b")
    assert own[["incidence", "ci_lower", "ci_upper"]].isna().all(axis=None)


def test_once_all_left_in_one_way_bounds_are_missing():
    last = cumulative_incidence(lifetimes((0, 1.0, "a", 1), (0, 2.0, "a", 2))).iloc[-1]
    assert last.incidence == pytest.approx(1)
    assert np.isnan(last.ci_lower)
    assert np.isnan(last.ci_upper)


def test_kinds_stand_by_frequency_in_every_segment():
    part = lifetimes((0, 1.0, "failed", 1), (0, 5.0, "", 1), segment="Pro")
    table = cumulative_incidence(pd.concat([TEN.assign(n=TEN.n * 2), part]))
    keys = table[["segment", "churn_kind"]].drop_duplicates()
    assert keys.values.tolist() == [[s, k] for s in ("All", "Pro") for k in ("failed", "voluntary")]
    assert of(table, "voluntary", "Pro").incidence.eq(0).all()


@pytest.mark.parametrize("rows", [[(0, 1.0, "not recorded", 2), (0, 2.0, "", 1)], [(0, 2.0, "", 1)], []])
def test_without_kinds_there_are_no_rows(rows):
    table = cumulative_incidence(lifetimes(*rows).astype({"event_observed": bool}))
    assert table.empty
    assert list(table) == list(cumulative_incidence(TEN))


def random_counts(seed, kinds=("a", "b", "c"), latest=3):
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, latest + 1, 40)
    frame = pd.DataFrame({"entry_months": entry, "duration_months": entry + rng.integers(1, 8, 40)}).astype(float)
    kind = rng.choice(["", *kinds], 40)
    kind[0] = kinds[0]
    return frame.assign(churn_kind=kind, event_observed=kind != "", n=rng.integers(1, 5, 40), segment="All")


@given(st.integers(0, 10_000))
def test_kinds_add_up_to_one_less_kaplan_meier(seed):
    counts = random_counts(seed)
    lives = life_table(counts)
    survival = product_limit(lives["n_at_risk"], lives["n_events"])["survival"]
    total = cumulative_incidence(counts).groupby("duration_months")["incidence"].sum()
    np.testing.assert_allclose(total, 1 - survival, atol=1e-12)


@pytest.mark.long
@given(st.integers(0, 10_000))
def test_order_and_splitting_of_rows_do_not_matter(seed):
    counts = random_counts(seed)
    parts = pd.concat([counts.assign(n=1), counts.assign(n=counts.n - 1)]).query("n > 0").sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(cumulative_incidence(parts), cumulative_incidence(counts))


@given(st.integers(0, 10_000))
def test_variance_of_one_kind_is_greenwoods(seed):
    counts = random_counts(seed, kinds=("a",))
    own, lives = cumulative_incidence(counts), life_table(counts)
    n, d = lives["n_at_risk"], lives["n_events"]
    known = ((own.incidence > 0) & (own.incidence < 1 - 1e-9)).to_numpy()
    greenwood = (1 - own.incidence) ** 2 * (d / (n * (n - d)).where(n > d)).fillna(0).cumsum()
    np.testing.assert_allclose(variance(own[known]), greenwood[known], rtol=1e-8)


@given(st.integers(0, 10_000))
def test_variance_of_complete_data_is_binomial(seed):
    """Nobody is censored: F is a plain share of N customers, with variance F(1 − F) / N, ties or not."""
    counts = random_counts(seed, latest=0).query("event_observed")
    own = cumulative_incidence(counts)
    own = own[(own.incidence > 0) & (own.incidence < 1 - 1e-9)]
    np.testing.assert_allclose(variance(own), own.incidence * (1 - own.incidence) / counts.n.sum(), rtol=1e-8)


def test_without_ties_equals_lifelines():
    rng = np.random.default_rng(8)
    times, kinds = rng.permutation(200) + 1.0, rng.integers(0, 3, 200)
    fit = AalenJohansenFitter(calculate_variance=True).fit(times, kinds, event_of_interest=2)
    own = of(
        cumulative_incidence(lifetimes(*((0, t, ["", "a", "b"][k], 1) for t, k in zip(times, kinds, strict=True)))), "b"
    )
    own = own[(own.incidence > 0) & (own.n_at_risk > 1)]  # lifelines divides 0 by 0 where the last one leaves
    np.testing.assert_allclose(own.incidence, fit.cumulative_density_.iloc[:, 0].loc[own.index], rtol=1e-10)
    np.testing.assert_allclose(variance(own), fit.variance_.loc[own.index], rtol=1e-6)


def worlds(n, repeats, hazards, seed):
    """Leave at constant hazards per month, counted in whole months, seen for 1 to 60; a segment per world."""
    rng = np.random.default_rng(seed)
    left, seen = np.ceil(rng.exponential(1 / sum(hazards), (repeats, n))), rng.integers(1, 61, (repeats, n))
    kind = np.where(left > seen, 0, np.where(rng.random((repeats, n)) < hazards[0] / sum(hazards), 1, 2))
    cell = np.ravel_multi_index(
        (np.arange(repeats)[:, None], np.minimum(left, seen).astype(int), kind), (repeats, 61, 3)
    )
    n = np.bincount(cell.ravel())
    world, duration, kind = np.unravel_index(np.flatnonzero(n), (repeats, 61, 3))
    columns = {
        "segment": world,
        "duration_months": duration.astype(float),
        "churn_kind": np.array(["", "a", "b"])[kind],
    }
    return pd.DataFrame({**columns, "n": n[n > 0], "entry_months": 0.0, "event_observed": kind > 0})


@pytest.mark.long
@pytest.mark.parametrize(
    ("n", "hazards", "least", "most"),
    # rare at n = 30: one to six events, so that the bounds are cautious
    [(30, (0.02, 0.01), 0.935, 0.995), (300, (0.02, 0.01), 0.935, 0.965), (3000, (0.1, 0.002), 0.935, 0.965)],
)
def test_bounds_cover(n, hazards, least, most):
    table = cumulative_incidence(worlds(n, 2000, hazards, seed=n))
    for age in (3, 12) if n > 300 else (12,):
        at_age = table[table.duration_months <= age].groupby(["churn_kind", "segment"]).tail(1)
        for kind, hazard in zip("ab", hazards, strict=True):
            truth = hazard / sum(hazards) * (1 - np.exp(-sum(hazards) * age))
            own = at_age[at_age.churn_kind == kind]
            assert least <= np.mean((own.ci_lower <= truth) & (truth <= own.ci_upper)) <= most, (age, kind)
