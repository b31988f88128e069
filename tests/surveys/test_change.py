import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from survey_world import counted, tally

from cslib.stats.intervals import z_value
from cslib.surveys.answers import SMALL
from cslib.surveys.change import answers_needed, change, most_moved, non_response, silence_moves
from cslib.surveys.scores import allowing

ANSWERS = [(score, -2) for score in (0, 7, 9)] + [(-2, score) for score in (0, 7, 9)]
COVERED = 3 * np.sqrt(0.05 * 0.95 / 400)


def moves(*rows):
    return counted([dict(zip(("plan", "before", "now", "n"), row, strict=True)) for row in rows])


def test_change_by_hand():
    """Before: A 100 of 10, B −100 of 10 → 0. Now: A 100 of 15, B −100 of 5 → 50. All of it is mix."""
    found = change(moves(("A", 9, -2, 10), ("B", 0, -2, 10), ("A", -2, 9, 15), ("B", -2, 0, 5)), "plan", min_group=0)
    whole = found.iloc[0]
    assert (whole.score_before, whole.score_now, whole.change) == (0, 50, 50)
    assert (whole.mix_effect, whole.within_effect) == pytest.approx((50, 0))
    parts = found.set_index("segment")
    assert parts.loc["A", "mix_effect"] == pytest.approx(0.25 * (100 - 25))


def test_within_by_hand():
    """The same shares; A goes from 0 to 100: within ½·100."""
    found = change(moves(("A", 7, 9, 10), ("B", 9, 9, 10)), "plan", min_group=0)
    assert found.iloc[0][["change", "mix_effect", "within_effect"]].tolist() == pytest.approx([50, 0, 50])


STEPS = st.dictionaries(
    st.tuples(st.sampled_from("ABCD"), st.integers(-2, 10), st.integers(-2, 10)),
    st.integers(1, 50),
    min_size=2,
    max_size=40,
)


@pytest.mark.long
@given(STEPS, st.integers(0, 60))
def test_mix_and_within_add_up_exactly(steps, least):
    table = change(moves(*((*key, n) for key, n in steps.items())), "plan", min_group=least)
    if table.empty:
        return
    whole, parts = table.iloc[0], table.iloc[1:]
    assert whole.mix_effect + whole.within_effect == pytest.approx(whole.change, abs=1e-9)
    if len(parts):
        assert parts.mix_effect.sum() + parts.within_effect.sum() == pytest.approx(whole.change, abs=1e-9)
        assert parts["n_now"].sum() == whole.n_now
        for window in ("n_now", "n_before"):
            assert ((parts[window] >= least) | (parts[window] == 0)).all()


def test_a_segment_that_is_new_moves_the_mix_alone():
    table = change(moves(("A", 9, 9, 20), ("B", -2, 0, 20)), "plan", min_group=0).set_index("segment")
    assert table.loc["B", "within_effect"] == 0
    assert table.loc["All", "within_effect"] == 0
    assert table.loc["All", "mix_effect"] == pytest.approx(table.loc["All", "change"])
    assert np.isnan(table.loc["B", "p_value"])


def test_small_in_either_window_is_merged():
    table = change(moves(("A", 9, 9, 50), ("B", 9, 9, 20), ("C", 9, -2, 40), ("C", -2, 9, 3)), "plan")
    assert table["segment"].tolist() == ["All", "A", SMALL]


def test_merging_leaves_the_effects_as_they_are():
    """A and B hold still at 50, Starter is new at −50: all mix, however small segments are merged."""
    steps = [
        ("A", 9, 9, 150),
        ("A", 0, 0, 50),
        ("B", 9, 9, 45),
        ("B", 0, 0, 15),
        ("S", -2, 9, 50),
        ("S", -2, 0, 150),
        ("T", 9, 9, 3),
    ]
    fine, coarse = (change(moves(*steps), "plan", min_group=least).iloc[0] for least in (0, 10))
    assert fine.within_effect == pytest.approx(0)
    assert (coarse.mix_effect, coarse.within_effect) == pytest.approx((fine.mix_effect, fine.within_effect))


def test_one_customer_of_thirty_is_no_change():
    found = change(moves(("A", 10, 10, 14), ("A", 8, 8, 9), ("A", 3, 3, 6), ("A", 8, 10, 1))).iloc[0]
    assert found.p_value > 0.3
    assert found.ci_lower < 0 < found.ci_upper


def test_answers_that_all_stay_are_no_change():
    found = change(moves(("A", 10, 10, 14), ("A", 3, 3, 6))).iloc[0]
    assert (found.change, found.p_value) == (0, 1)
    assert found.ci_lower < 0 < found.ci_upper


def test_columns_that_come_with_the_answer_are_not_weighted_by():
    """A label is filled in where there is a score: it says nothing of the silent."""
    rows = [("a", "x", 9, 60), ("b", "y", 0, 60), ("a", "(missing)", -1, 40), ("b", "(missing)", -1, 40)]
    table = non_response(answered(*rows))
    assert "region" not in set(table["weighted_by"])
    assert "plan" in set(table["weighted_by"])


def test_nothing_to_compare():
    assert change(moves(("A", -2, 9, 5))).empty
    assert change(moves(("A", -1, 9, 5))).empty
    assert list(change(moves(("A", 9, 9, 5)))["segment"]) == ["All"]


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 300])
@pytest.mark.parametrize("loyal", [0.0, 0.8, 0.95])
def test_interval_of_a_change_covers_when_customers_answer_twice(n, loyal):
    """A share of customers keeps its answer from one window to the next; scores truly rise by 10. A segment a draw.

    Intervals of 400 segments allow for all of them: they are taken back to what each would have by itself.
    """
    rng, draws = np.random.default_rng(int(n + 10 * loyal)), 400
    before = rng.choice([0, 7, 9], (draws, n), p=[0.25, 0.35, 0.4])
    fresh = rng.choice([0, 7, 9], (draws, n), p=[0.2, 0.35, 0.45])
    rise = np.where((before == 0) & (rng.random((draws, n)) < 0.2), 9, before)
    now = np.where(rng.random((draws, n)) < loyal, rise, fresh)
    found = tally(plan=np.repeat(np.arange(draws).astype(str), n), before=before.ravel(), now=now.ravel(), n=1)
    table = change(found, "plan", min_group=0).iloc[1:]
    assert len(table) == draws
    middle, half = (table["ci_lower"] + table["ci_upper"]) / 2, (table["ci_upper"] - table["ci_lower"]) / 2
    alone = half * z_value() / ndtri((1 + allowing(table["p_value"])) / 2)
    assert (abs(middle - 10) <= alone).mean() >= 0.95 - COVERED


@given(st.lists(st.tuples(*[st.integers(1, 40)] * 6), min_size=2, max_size=5))
@pytest.mark.long
def test_the_interval_of_a_change_leaves_out_0_where_the_segment_clearly_moved(sizes):
    """Of each segment so many detractors, passives and promoters, before and now."""
    rows = [(f"s{i}", *pair, n) for i, own in enumerate(sizes) for pair, n in zip(ANSWERS, own, strict=True)]
    table = change(moves(*rows), "plan", min_group=0)
    clear = (table["ci_lower"] > 0) | (table["ci_upper"] < 0)
    assert clear.tolist() == (table["p_adjusted"] < 0.05).tolist()


def test_intervals_of_changes_allow_for_the_segments_compared():
    """One segment by itself has the interval of the whole; each of five has that of 99 %."""
    rows = [(f"s{i}", *pair, 20) for i in range(5) for pair in ANSWERS]
    whole, one, *_ = change(moves(*rows), "plan", min_group=0).itertuples()
    alone = change(moves(*rows[:6])).iloc[0]
    assert one.ci_upper == pytest.approx(alone.ci_upper * 2.575829 / 1.959964, rel=1e-6)
    assert whole.ci_upper < alone.ci_upper


def test_answering_twice_narrows_the_interval():
    same = change(moves(("A", 9, 9, 40), ("A", 0, 0, 30), ("A", 7, 9, 5))).iloc[0]
    other = change(moves(("A", 9, -2, 40), ("A", 0, -2, 30), ("A", 7, -2, 5), ("A", -2, 9, 45), ("A", -2, 0, 30))).iloc[
        0
    ]
    assert same.change == pytest.approx(other.change)
    assert same.ci_upper - same.ci_lower < 0.5 * (other.ci_upper - other.ci_lower)


def answered(*rows, **more):
    return counted(
        [dict(zip(("plan", "region", "now", "n"), row, strict=True)) for row in rows], ("plan", "region"), **more
    )


def test_weighting_by_hand():
    """Glad: 80 asked, 60 answer 9; sad: 80 asked, 20 answer 0. Raw 50; with equal weights 0."""
    found = answered(("glad", "x", 9, 60), ("glad", "x", -1, 20), ("sad", "x", 0, 20), ("sad", "x", -1, 60))
    table = non_response(found).set_index("weighted_by")
    assert table["nps"].to_dict() == pytest.approx(
        {"nothing": 50, "plan": 0, "if all silent were detractors": -25, "if all silent were promoters": 75}
    )
    assert table.loc["plan", "n_effective"] == pytest.approx(
        (60 * 80 / 60 + 20 * 4) ** 2 / (60 * (80 / 60) ** 2 + 20 * 16)
    )


def test_the_weighted_score_is_told_where_its_interval_leaves_out_the_other():
    rows = [("nothing", 50.0, 45.0, 55.0, 90.0), ("all of these", 40.0, 31.0, 49.0, 80.0)]
    bounds = [
        ("if all silent were detractors", -25.0, *[np.nan] * 3),
        ("if all silent were promoters", 75.0, *[np.nan] * 3),
    ]
    columns = ["weighted_by", "nps", "ci_lower", "ci_upper", "n_effective"]
    table = pd.DataFrame(rows + bounds, columns=columns)
    assert silence_moves(table, "nps") == {"worst": -25, "best": 75, "shift": -10, "of_all": 40}
    assert silence_moves(table.assign(ci_lower=51.0, ci_upper=60.0), "nps")["of_all"] == 40
    assert np.isnan(silence_moves(table.assign(ci_upper=50.0), "nps")["of_all"])
    alone = silence_moves(table.drop(index=1), "nps")
    assert np.isnan([alone["shift"], alone["of_all"]]).all()
    assert silence_moves(table.head(2), "nps") == {}


def test_raking_meets_every_margin():
    rng = np.random.default_rng(2)
    rows = []
    for plan, chance in (("A", 0.8), ("B", 0.3)):
        for region, more in (("x", 0.1), ("y", -0.1)):
            n = 200
            silent = rng.binomial(n, 1 - chance - more)
            rows += [(plan, region, -1, silent), (plan, region, 9 if plan == "A" else 0, n - silent)]
    table = non_response(answered(*rows)).set_index("weighted_by")
    assert abs(table.loc["all of these", "nps"]) < abs(table.loc["nothing", "nps"])
    assert table.loc["all of these", "nps"] == pytest.approx(0, abs=1e-6)


@pytest.mark.long
def test_weighted_interval_covers_where_columns_tell_who_is_silent():
    """Promoters are many in A and answer twice as often there; weighted by plan, 95 % of intervals hold the truth."""
    rng, draws, shares = np.random.default_rng(4), 300, {"A": [0.1, 0.2, 0.7], "B": [0.5, 0.3, 0.2]}
    truth = 100 * (0.5 * 0.6 + 0.5 * -0.3)
    n = {plan: rng.binomial(200, chance, draws) for plan, chance in (("A", 0.7), ("B", 0.3))}
    given = np.hstack([np.c_[rng.multinomial(n[p], shares[p]), 200 - n[p]] for p in "AB"])
    plan, now = np.repeat(["A", "B"], 4), np.tile([0, 7, 9, -1], 2)
    tables = [non_response(tally(plan=plan, now=now, n=row)).set_index("weighted_by") for row in given]
    ends = np.array([t.loc[["nothing", "plan"], ["ci_lower", "ci_upper"]].to_numpy(float) for t in tables])
    raw, weighted = ((ends[..., 0] <= truth) & (truth <= ends[..., 1])).mean(axis=0)
    assert weighted >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / draws)
    assert raw < 0.4


def test_values_that_nobody_answered_for_are_merged():
    found = answered(("A", "x", 9, 30), ("B", "x", -1, 30), ("C", "x", 0, 20), ("C", "x", -1, 5))
    table = non_response(found)
    assert table["nps"].notna().all()


def test_answers_alone_cannot_be_weighted():
    table = non_response(answered(("A", "x", 9, 30), ("B", "x", 0, 30), only_answers=True))
    assert table["weighted_by"].tolist() == ["nothing"]


@pytest.mark.parametrize(("survey", "low", "high"), [("csat", 0.4, 0.9), ("ces", 1.0, 5.5)])
def test_bounds_of_the_other_surveys(survey, low, high):
    """CSAT: 2 of 5 satisfied if the silent half is not, 9 of 10 if it is. CES: the silent half at 10, or at 1."""
    scores = {"csat": (5, 2), "ces": (1, 1)}[survey]
    rows = [
        {"plan": "A", "now": scores[0], "n": 4},
        {"plan": "A", "now": scores[1], "n": 1},
        {"plan": "A", "now": -1, "n": 5},
    ]
    table = non_response(counted(rows, survey=survey))
    bounds = table.loc[table["n_effective"].isna(), survey]
    assert sorted(bounds) == pytest.approx([low, high])
    assert "were" in table["weighted_by"].iloc[-1]


def test_answers_needed_by_hand():
    """p 0.5, d 0.5 of very many: variance 10,000, so 2 · 7.8489 · 10,000 / 25 = 6,279.1."""
    found = counted([{"plan": "A", "now": 9, "n": 10**6}, {"plan": "A", "now": 0, "n": 10**6}])
    assert answers_needed(found, 5.0) == 6280
    assert answers_needed(counted([{"plan": "A", "now": 4, "n": 9}], survey="ces"), 0.5) == 0


@pytest.mark.slow
def test_as_many_answers_as_needed_see_the_change_four_times_of_five():
    rng, shares, shifted, draws = np.random.default_rng(9), [0.25, 0.35, 0.4], [0.15, 0.35, 0.5], 400
    found = counted([{"plan": "A", "now": s, "n": int(1e5 * p)} for s, p in zip((0, 7, 9), shares, strict=True)])
    n = answers_needed(found, 20.0)
    given = np.concatenate([rng.multinomial(n, p, draws).ravel() for p in (shares, shifted)])
    plan, score = np.tile(np.repeat(np.arange(draws).astype(str), 3), 2), np.tile([0, 7, 9], 2 * draws)
    first = np.arange(len(given)) < 3 * draws
    found = tally(plan=plan, before=np.where(first, score, -2), now=np.where(first, -2, score), n=given)
    table = change(found, "plan", min_group=0).iloc[1:]
    assert len(table) == draws
    assert 0.72 <= (table["p_value"] < 0.05).mean() <= 0.9


def test_the_whole_by_hand():
    row = change(moves(("A", 0, -2, 200), ("A", -2, 9, 200))).iloc[0]
    assert (row.score_before, row.score_now, row.change, row.n_before, row.n_now) == (-100, 100, 200, 200, 200)
    assert row.p_value < 0.05
    same = change(moves(("A", 9, 9, 30), ("A", 0, 0, 15))).iloc[0]
    assert same.change == 0
    assert same.p_value > 0.05
    assert change(moves(("A", -2, 9, 5))).empty
    assert np.isnan(change(counted([{"plan": "A", "before": 4, "now": 4, "n": 9}], survey="ces"))["p_value"][0])


def test_a_segment_that_clearly_moved_is_chosen_before_one_that_moved_further():
    rows = [("All", 30.0, True), ("Few", -50.0, False), ("A", 20.0, True), ("B", -25.0, True), (SMALL, 90.0, True)]
    moved = pd.DataFrame(rows, columns=["segment", "change", "clear"]).assign(p_value=0.01)
    chosen = most_moved(moved)
    assert (chosen.segment, chosen.among) == ("B", 4), "merged segments are compared, too"
    assert most_moved(moved.assign(clear=False)).segment == "Few"
    assert most_moved(moved.head(2)) is None
    assert most_moved(moved.assign(p_value=[0.1, np.nan, np.nan, 0.1, 0.1])) is None
