from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, ttest_ind
from survey_world import by_period, counted

from cslib.stats.intervals import wilson
from cslib.surveys.answers import SMALL, measure
from cslib.surveys.scores import (
    EXTRA,
    _crossed,
    _permuted,
    cells,
    distribution,
    drivers,
    family,
    last_period,
    of_columns,
    score_interval,
    scores,
    small_groups,
    small_segments,
    trend,
)

NPS, CSAT, CES = measure("nps"), measure("csat"), measure("ces")
REPEATS = 2000
COVERED = (0.935, 0.965)
MIXES = {
    "middling": (0.3, 0.45),
    "loved": (0.75, 0.05),
    "hated": (0.1, 0.7),
    "extreme": (0.93, 0.02),
    "split": (0.5, 0.45),
}


def nps_counts(promoters, detractors, n):
    """Counts by score, shape (..., 11)."""
    promoters, detractors = np.asarray(promoters), np.asarray(detractors)
    given = np.zeros((*promoters.shape, 11))
    given[..., 0], given[..., 10], given[..., 7] = detractors, promoters, n - promoters - detractors
    return given


def drawn(mix, n, repeats=REPEATS, seed=5):
    p, d = MIXES[mix]
    found = np.random.default_rng(seed).multinomial(n, [p, d, 1 - p - d], repeats)
    return nps_counts(found[:, 0], found[:, 1], n), 100 * (p - d)


def test_nps_by_hand():
    """Two promoters, a passive, a detractor: 25. With the prior 8 → n 7, p 2.75/7, d 1.75/7."""
    found = scores(counted([{"plan": "A", "now": s} for s in (9, 10, 8, 3)]))
    row = found.iloc[0]
    assert (row.nps, row.n_promoters, row.n_passives, row.n_detractors) == (25, 2, 1, 1)
    p, d = 2.75 / 7, 1.75 / 7
    half = 1.959964 * np.sqrt((p + d - (p - d) ** 2) / 7)
    assert (row.ci_lower, row.ci_upper) == pytest.approx((100 * (p - d - half), 100 * (p - d + half)), abs=1e-4)


def test_published_interval():
    """DEFINITIONS: 1,000 answers, 250 promoters, 75 detractors."""
    interval = score_interval(nps_counts(250, 75, 1000), NPS)
    assert (float(interval.lower), float(interval.upper)) == pytest.approx((14.09, 20.81), abs=0.005)


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("n", [30, 300, 3000])
def test_nps_interval_covers(mix, n):
    given, truth = drawn(mix, n)
    interval = score_interval(given, NPS)
    covered = np.mean((interval.lower <= truth) & (truth <= interval.upper))
    assert 0.935 <= covered <= (0.985 if n == 30 else COVERED[1] + 0.005)


def test_plain_wald_does_not_cover_where_the_adjusted_does():
    """30 answers, nearly all promoters: the plain interval misses the truth once in eight."""
    given, truth = drawn("extreme", 30)
    p, d = given[:, 9:].sum(axis=1) / 30, given[:, :7].sum(axis=1) / 30
    half = 1.96 * np.sqrt((p + d - (p - d) ** 2) / 30)
    plain = np.mean(np.abs(100 * (p - d) - truth) <= 100 * half)
    interval = score_interval(given, NPS)
    assert plain < 0.89
    assert np.mean((interval.lower <= truth) & (truth <= interval.upper)) > 0.935


@given(st.lists(st.integers(0, 40), min_size=11, max_size=11).filter(any))
def test_the_score_lies_in_its_interval_and_on_its_scale(given_counts):
    given = np.array(given_counts, float)
    for asked in (NPS, CES):
        counts = given[: len(asked.scores)]
        if not counts.sum():
            continue
        score, interval = counts @ np.array(asked.worth) / counts.sum(), score_interval(counts, asked)
        assert np.isnan(interval.lower) or interval.lower <= score + 1e-9
        assert np.isnan(interval.upper) or score - 1e-9 <= interval.upper
        assert not interval.lower < min(asked.worth)


def test_csat_is_a_share_and_ces_a_mean():
    csat = scores(counted([{"plan": "A", "now": s} for s in (5, 4, 4, 2, 1)], survey="csat")).iloc[0]
    interval = wilson(3, 5)
    assert (csat.csat, csat.ci_lower, csat.ci_upper) == (0.6, float(interval.lower), float(interval.upper))
    assert csat.mean_answer == 3.2
    ces = scores(counted([{"plan": "A", "now": s} for s in (1, 2, 6)], survey="ces")).iloc[0]
    assert ces.ces == 3
    assert (ces.ci_upper - 3) == pytest.approx(4.302653 * np.std([1, 2, 6], ddof=1) / np.sqrt(3), rel=1e-6)
    assert 3.2 - csat.mean_ci_lower == pytest.approx(2.776445 * np.std([5, 4, 4, 2, 1], ddof=1) / np.sqrt(5), rel=1e-6)


@pytest.mark.parametrize("n", [30, 300, 3000])
def test_ces_interval_covers(n):
    shares = np.array([0.3, 0.25, 0.15, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.01])
    given = np.random.default_rng(8).multinomial(n, shares, REPEATS).astype(float)
    interval, truth = score_interval(given, CES), shares @ np.arange(1, 11)
    assert 0.925 <= np.mean((interval.lower <= truth) & (truth <= interval.upper)) <= COVERED[1]


def test_one_answer_and_answers_all_alike():
    one = scores(counted([{"plan": "A", "now": 10}])).iloc[0]
    assert (one.nps, one.ci_upper) == (100, 100)
    assert one.ci_lower < 0
    alike = scores(counted([{"plan": "A", "now": 4, "n": 30}], survey="ces")).iloc[0]
    assert alike.ces == 4
    assert np.isnan(alike.ci_lower)


def test_segments_against_the_rest():
    """A: 6 promoters of 10, 2 detractors → 40. B: 2 of 10, 4 → −20. Total 10; contributions ±15."""
    rows = [
        {"plan": p, "now": s, "n": n}
        for p, s, n in [("A", 9, 6), ("A", 7, 2), ("A", 0, 2), ("B", 9, 2), ("B", 7, 4), ("B", 0, 4)]
    ]
    found = scores(counted(rows)).set_index("segment")
    assert found["nps"].to_dict() == pytest.approx({"All": 10, "A": 40, "B": -20})
    assert found.loc["A", "difference_from_rest"] == pytest.approx(60)
    assert found.loc["A", "contribution"] == pytest.approx(15)
    assert found.loc["A", "p_value"] == found.loc["B", "p_value"]
    assert found.loc["A", "p_adjusted"] == found.loc["A", "p_value"]  # two segments are one test
    low, high = found.loc["A", ["difference_ci_lower", "difference_ci_upper"]]
    assert low < 60 < high


def test_ces_differences_have_welch_intervals():
    rng = np.random.default_rng(3)
    a, b = rng.integers(1, 8, 40), rng.integers(1, 11, 25)
    rows = [{"plan": p, "now": int(s)} for p, own in (("a", a), ("b", b)) for s in own]
    found = scores(counted(rows, survey="ces")).set_index("segment").loc["a"]
    ends = ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.difference_ci_lower, found.difference_ci_upper) == pytest.approx((ends.low, ends.high))


def test_intervals_of_differences_allow_for_all_groups_compared():
    """Of three groups, none of them clear, each interval is one of 98⅓ %."""
    rng = np.random.default_rng(3)
    given = {name: rng.integers(1, 8, n) for name, n in (("a", 40), ("b", 25), ("c", 30))}
    rest = np.concatenate([given["b"], given["c"]])
    rows = [{"plan": p, "now": int(s)} for p, own in given.items() for s in own]
    found = scores(counted(rows, survey="ces")).set_index("segment").loc["a"]
    ends = ttest_ind(given["a"], rest, equal_var=False).confidence_interval(1 - 0.05 / 3)
    assert (found.difference_ci_lower, found.difference_ci_upper) == pytest.approx((ends.low, ends.high))


def test_a_family_of_intervals_and_beside_it():
    """Crossed groups are beside the family: theirs are wider, those of the family are as without them."""
    rng = np.random.default_rng(5)
    rows = [
        {"plan": p, "region": r, "now": int(rng.choice([0, 8, 9])), "n": 30} for p in "ABC" for r in "xyz" for _ in "12"
    ]
    found = counted(rows, columns=("plan", "region"))
    own = scores(found, columns=["plan", "region"])
    beside = family(found, ["plan", "region"], beside=[("plan", "region")])
    pd.testing.assert_frame_equal(beside.iloc[:7], own)
    assert (beside["difference_ci_lower"].iloc[7:] < beside["difference_from_rest"].iloc[7:]).all()


@pytest.mark.long
@pytest.mark.parametrize("survey", ["nps", "csat", "ces"])
def test_intervals_leave_out_0_where_a_group_is_clear(survey):
    """As nearly as a permutation and an interval can agree: in 50 worlds of four groups, some of which differ."""
    rng, low, alike = np.random.default_rng(7), {"nps": (0, 10), "csat": (1, 5), "ces": (1, 10)}[survey], []
    for _ in range(50):
        lifts = rng.choice([0, 0, 1], 4)
        rows = [
            {"plan": f"p{i}", "now": int(s), "n": 1}
            for i, lift in enumerate(lifts)
            for s in np.clip(rng.integers(low[0], low[1] + 1, 320) + lift, *low)
        ]
        table = scores(counted(rows, survey=survey)).iloc[1:]
        apart = (table["difference_ci_lower"] > 0) | (table["difference_ci_upper"] < 0)
        alike += (apart == (table["p_adjusted"] < 0.05)).tolist()
    assert np.mean(alike) >= 0.97


@pytest.mark.long
def test_all_intervals_of_a_family_hold_the_truth_together():
    """Nothing differs: in 95 % of worlds none of six intervals leaves out 0; by itself, each would in 95 % of them."""
    rng, missed = np.random.default_rng(11), []
    for _ in range(300):
        shares = rng.multinomial(2600, [1 / 18] * 18).reshape(6, 3)
        rows = [
            {"plan": f"p{i}", "now": s, "n": n}
            for i, own in enumerate(shares)
            for s, n in zip((0, 7, 9), own, strict=True)
        ]
        table = scores(counted(rows)).iloc[1:]
        missed.append(((table["difference_ci_lower"] > 0) | (table["difference_ci_upper"] < 0)).any())
    assert np.mean(missed) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_csat_differences_are_newcombe():
    rows = [{"plan": p, "now": s, "n": n} for p, s, n in [("a", 5, 56), ("a", 1, 14), ("b", 4, 48), ("b", 2, 32)]]
    found = scores(counted(rows, survey="csat")).set_index("segment").loc["a"]
    assert (found.difference_ci_lower, found.difference_ci_upper) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_permutation_by_hand():
    """Scores 0, 0, 1, 1 dealt out to two and two: 1 of 6 ways gives 0 and 2, 1 gives 2 and 0, so p is 1/3."""
    worth = np.array([0.0, 1.0])
    assert _permuted(np.array([2.0, 0]), np.array([0, 2.0]), worth) == pytest.approx(1 / 3, abs=0.02)
    assert _permuted(np.array([1.0, 1]), np.array([1.0, 1]), worth) == 1
    assert _permuted(np.array([0, 5.0]), np.array([0, 9.0]), worth) == 1


def test_permutation_equals_fisher_and_its_limit():
    worth, rng = np.array([0.0, 1.0]), np.random.default_rng(2)
    table = np.array([[30, 10], [500, 400]], float)
    expected = fisher_exact(table).pvalue
    assert _permuted(table[0], table[1], worth) == pytest.approx(expected, abs=0.01)
    large = rng.multinomial(4000, [0.3, 0.3, 0.4], 2).astype(float)
    values = np.repeat([0.0, 1.0, 5.0], large[0].astype(int)), np.repeat([0.0, 1.0, 5.0], large[1].astype(int))
    assert _permuted(large[0], large[1], np.array([0.0, 1.0, 5.0])) == pytest.approx(
        ttest_ind(*values).pvalue, abs=2e-3
    )


@pytest.mark.long
@pytest.mark.parametrize("shares", [[0.02, 0.05, 0.93], [0.5, 0.0, 0.5], [0.3, 0.35, 0.35]])
def test_permutation_holds_its_level_for_small_groups(shares):
    rng, worth = np.random.default_rng(6), np.array([-100.0, 0, 100])
    own, rest = rng.multinomial(10, shares, 600), rng.multinomial(500, shares, 600)
    found = np.array([_permuted(a.astype(float), b.astype(float), worth) for a, b in zip(own, rest, strict=True)])
    assert (found <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)
    assert (found <= 0.005).mean() <= 0.005 + 3 * np.sqrt(0.005 / 600)


def test_lower_is_better_is_ranked_so():
    rows = [{"plan": p, "now": s, "n": 15} for p, s in (("easy", 1), ("easy", 2), ("hard", 8), ("hard", 10))]
    assert scores(counted(rows, survey="ces"))["segment"].tolist() == ["All", "easy", "hard"]


TALLY = st.dictionaries(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("xyz"), st.integers(-1, 10)),
    st.integers(1, 30),
    min_size=2,
    max_size=40,
).filter(lambda t: any(key[2] >= 0 for key in t))


@pytest.mark.long
@given(TALLY, st.integers(0, 40))
def test_contributions_and_customers_add_up_and_nothing_small_is_shown(tally, least):
    found = counted([{"plan": p, "region": r, "now": s, "n": n} for (p, r, s), n in tally.items()], ("plan", "region"))
    with patch("cslib.surveys.scores.DRAWS", 10):  # p-values are not looked at
        table = scores(found, min_group=least)
    total = table.iloc[0]
    for _, own in table[table["segment_by"] != "All"].groupby("segment_by"):
        assert own["contribution"].sum() == pytest.approx(0, abs=1e-9)
        assert (own["n_responses"].sum(), own["n_invited"].sum()) == (total.n_responses, total.n_invited)
        assert (own["n_responses"] >= min(least, 1)).all() or least == 0
        assert (own["n_responses"] >= least).all()


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(0, 60), min_size=1))
def test_no_small_group_follows_from_the_others(sizes):
    hidden = small_groups(pd.DataFrame({"now": sizes}), 10)
    assert {g for g, n in sizes.items() if n < 10} <= set(hidden)
    if hidden and len(hidden) < len(sizes):
        assert len(hidden) >= 2
        assert not 0 < sum(sizes[g] for g in hidden) < 10


@pytest.mark.long
@given(TALLY, st.integers(1, 40))
def test_no_cell_of_a_grid_follows_from_its_row_or_column(tally, least):
    found = counted([{"plan": p, "region": r, "now": s, "n": n} for (p, r, s), n in tally.items()], ("plan", "region"))
    frame = _crossed(found, ("plan", "region"), least)
    answered = frame[frame["now"] >= 0]
    grid = answered.groupby(["row", "column", "segment"])["n"].sum().reset_index()
    shown = grid[grid["segment"] != SMALL]
    assert (shown["n"] >= least).all()
    for axis in ("row", "column"):
        for _, line in grid.groupby(axis):
            hidden = line[line["segment"] == SMALL]
            assert len(hidden) != 1 or len(line) == 1 or not (line["segment"] != SMALL).any()


def test_small_groups_are_merged_with_the_next():
    rows = [{"plan": p, "now": 9, "n": n} for p, n in (("A", 50), ("B", 12), ("C", 3))]
    table = scores(counted(rows)).set_index("segment")
    assert table["n_responses"].to_dict() == {"All": 65, "A": 50, SMALL: 15}


def test_small_in_the_window_before_is_merged_too():
    """Else its answers now would follow from those of both windows together."""
    rows = [
        {"plan": p, "before": b, "now": 9, "n": n}
        for p, b, n in (("A", 9, 50), ("B", 9, 3), ("B", -2, 60), ("C", 9, 20))
    ]
    found = counted(rows)
    assert scores(found).set_index("segment")["n_responses"].to_dict() == {"All": 133, "A": 50, SMALL: 83}
    assert small_segments(found, "plan", 10) == ["B", "C"]


def test_what_is_merged_in_a_column_is_merged_in_the_grid():
    """Region b has 4 answers and is merged with c; no cell of c may be shown, or b would follow."""
    sizes = {("X", "b"): 4, ("X", "c"): 15, ("Y", "c"): 15, ("X", "big"): 200, ("Y", "big"): 200}
    found = counted([{"plan": p, "region": r, "now": 9, "n": n} for (p, r), n in sizes.items()], ("plan", "region"))
    shown = cells(found, ("plan", "region"))
    assert set(shown["column"]) <= {"big", SMALL}
    assert (shown["n_responses"] >= 10).all()


def test_a_column_of_small_groups_only_is_left_out():
    table = scores(counted([{"plan": p, "now": 9, "n": 4} for p in "ABC"]))
    assert table["segment"].tolist() == ["All"]


def test_holm_over_all_segments_of_all_columns():
    rng = np.random.default_rng(1)
    rows = [
        {"plan": str(rng.choice(list("ABC"))), "region": str(rng.choice(list("xy"))), "now": int(rng.integers(0, 11))}
        for _ in range(300)
    ]
    table = scores(counted(rows, ("plan", "region")))
    p = [*table.query("segment_by == 'plan'").p_value, table.query("segment_by == 'region'").p_value.iloc[0]]
    assert table["p_adjusted"].min() == pytest.approx(min(1, 4 * min(p)))


def test_only_answers_have_no_response_rate():
    table = scores(counted([{"plan": "A", "now": 9}], only_answers=True))
    assert table[["response_rate", "response_ci_lower"]].isna().all(axis=None)


def test_response_rate_has_an_interval():
    row = scores(counted([{"plan": "A", "now": 9, "n": 40}, {"plan": "A", "now": -1, "n": 60}])).iloc[0]
    interval = wilson(40, 100)
    assert (row.response_rate, row.response_ci_lower, row.response_ci_upper) == (0.4, interval.lower, interval.upper)


def test_exported_columns_are_those_promised():
    table = scores(counted([{"plan": p, "now": 9, "n": 40} for p in "AB"])).drop(columns=list(EXTRA))
    assert list(table) == [
        "segment_by", "segment", "n_invited", "n_responses", "response_rate", "n_promoters", "n_passives", "n_detractors",
        "nps", "ci_lower", "ci_upper", "difference_from_rest", "p_value", "p_adjusted", "contribution",
    ]  # fmt: skip


def test_distribution():
    found = distribution(counted([{"plan": "A", "now": 9, "n": 3}, {"plan": "A", "now": 2}, {"plan": "A", "now": -1}]))
    assert found["n"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0]
    assert found.set_index("score").loc[9, ["group", "share"]].tolist() == ["promoters", 0.75]


JANUARY, FEBRUARY = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-02-01")


def test_trend_by_hand():
    counts = by_period(
        [(JANUARY, "All", 9, 3), (JANUARY, "All", 0, 1), (JANUARY, "All", -1, 9), (FEBRUARY, "All", 8, 2)]
    )
    found = trend(counts)
    assert found[["n_responses", "nps"]].values.tolist() == [[4, 50.0], [2, 0.0]]
    assert found["period"].tolist() == [JANUARY, FEBRUARY]


def test_trend_hides_small_cells_and_what_would_reveal_them():
    """B's 3 of the second period would follow from its other period, or from those of A and C."""
    sizes = {"A": (50, 50), "B": (50, 3), "C": (20, 20)}
    counts = by_period(
        [(day, s, 9, n) for s, own in sizes.items() for day, n in zip((JANUARY, FEBRUARY), own, strict=True)]
    )
    found = trend(counts).set_index(["segment", "period"])["nps"].unstack()
    assert found.notna().sum(axis=1).to_dict() == {"All": 2, "A": 2, "B": 0, "C": 0}


def test_trend_without_answers_is_empty():
    assert trend(by_period([(JANUARY, "All", -1, 3)])).empty


def test_a_measure_without_prior_is_a_mean():
    plain = replace(NPS, prior=(0.0,) * 11)
    given = nps_counts(20, 10, 60)
    wide, own = score_interval(given, plain), score_interval(given, NPS)
    assert float(own.lower) == pytest.approx(float(wide.lower), abs=2)


def answered(*rows):
    """Rows of plan, answer and customers."""
    return counted([dict(zip(("plan", "now", "n"), row, strict=True)) for row in rows])


APART = answered(("A", 10, 80), ("A", 0, 20), ("B", 10, 30), ("B", 0, 70), ("B", -1, 50), ("C", 8, 60))


def test_segments_against_the_rest_by_hand():
    """A is at 60, B at −40, C at 0; of 260 answers 110 are promoters and 90 detractors: 8 in all."""
    table = scores(APART)
    assert table["nps"].iloc[0] == pytest.approx(100 * 20 / 260)
    clear = drivers(table).query("clear")
    assert sorted(clear["segment"]) == ["A", "B"]
    assert drivers(scores(answered(("A", 9, 30)))).empty


def test_one_family_whatever_column_is_asked_for():
    """Five plans and two regions: Holm over six tests, as both regions are one; four cells are adjusted for all ten."""
    rng = np.random.default_rng(4)
    rows = {"plan": rng.choice(list("ABCDE"), 400), "region": rng.choice(["EU", "US"], 400)}
    found = counted(pd.DataFrame(rows).assign(now=rng.integers(0, 11, 400)), columns=("plan", "region"))
    table = family(found, ["plan", "region"], beside=[("plan", "region")])
    own = scores(found, columns=["plan", "region"])
    for column in ("plan", "region"):
        pd.testing.assert_frame_equal(
            of_columns(table, [column]), own[own["segment_by"].isin(["All", column])].reset_index(drop=True)
        )
    least = own.loc[own["p_value"].idxmin()]
    assert least.p_adjusted == pytest.approx(min(6 * least.p_value, 1))
    cells = table[table["segment_by"] == "plan × region"]
    assert (cells["p_adjusted"] >= scores(found, columns=[("plan", "region")])["p_adjusted"].iloc[1:].to_numpy()).all()
    assert of_columns(table, ["plan"])["segment_by"].unique().tolist() == ["All", "plan"]


def test_those_who_move_the_score_most_are_kept_in_order_of_their_difference():
    table = drivers(scores(APART), most=2)
    assert table["difference"].is_monotonic_decreasing
    assert set(table["segment"]) == {"A", "B"}
    first = table.iloc[0]
    assert (first.level, first.clear) == ("plan: A", True)
    assert (first.share, first.contribution) == pytest.approx((100 / 260, 100 / 260 * (60 - 2000 / 260)))


def test_the_last_period_against_all_before_by_hand():
    """Before: 30 answers at 100, 10 at 0 → 75. The last: 0 of 40, half of them promoters."""
    march = pd.Timestamp("2025-03-01")
    rows = [(JANUARY, "All", 9, 30), (FEBRUARY, "All", 8, 10), (march, "All", 9, 20), (march, "All", 0, 20)]
    last = last_period(trend(by_period(rows)), "nps")
    assert (last.period, last.nps, last.before, last.n_before) == (march, 0, 75, 2)
    assert last.clear
    assert last_period(trend(by_period(rows[:1])), "nps") is None
    alike = last_period(trend(by_period([(JANUARY, "All", 9, 30), (FEBRUARY, "All", 9, 5)])), "nps")
    assert not alike.clear
