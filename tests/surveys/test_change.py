import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from survey_world import counted

from cslib.surveys.answers import SMALL
from cslib.surveys.change import answers_needed, change, non_response

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
    """A share of customers keeps its answer from one window to the next; scores truly rise by 10."""
    rng, hits, widths = np.random.default_rng(int(n + 10 * loyal)), 0, []
    before_shares, now_shares = [0.25, 0.35, 0.4], [0.2, 0.35, 0.45]
    for _ in range(400):
        before = rng.choice([0, 7, 9], n, p=before_shares)
        fresh = rng.choice([0, 7, 9], n, p=now_shares)
        rise = np.where((before == 0) & (rng.random(n) < 0.2), 9, before)
        now = np.where(rng.random(n) < loyal, rise, fresh)
        truth = 10.0
        row = change(
            counted([{"plan": "A", "before": int(b), "now": int(a)} for b, a in zip(before, now, strict=True)])
        ).iloc[0]
        hits += row.ci_lower <= truth <= row.ci_upper
        widths.append(row.ci_upper - row.ci_lower)
    assert hits / 400 >= 0.95 - COVERED


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


@pytest.mark.slow
def test_weighted_interval_covers_where_columns_tell_who_is_silent():
    """Promoters are many in A and answer twice as often there; weighted by plan, 95 % of intervals hold the truth."""
    rng, hits, raw = np.random.default_rng(4), 0, 0
    shares = {"A": [0.1, 0.2, 0.7], "B": [0.5, 0.3, 0.2]}
    truth = 100 * (0.5 * 0.6 + 0.5 * -0.3)
    for _ in range(300):
        rows = []
        for plan, chance in (("A", 0.7), ("B", 0.3)):
            n = rng.binomial(200, chance)
            rows += [
                (plan, "x", s, int(k)) for s, k in zip((0, 7, 9), rng.multinomial(n, shares[plan]), strict=True) if k
            ]
            rows.append((plan, "x", -1, 200 - n))
        table = non_response(answered(*rows)).set_index("weighted_by")
        hits += table.loc["plan", "ci_lower"] <= truth <= table.loc["plan", "ci_upper"]
        raw += table.loc["nothing", "ci_lower"] <= truth <= table.loc["nothing", "ci_upper"]
    assert hits / 300 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)
    assert raw / 300 < 0.4


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
    rng, shares, shifted = np.random.default_rng(9), [0.25, 0.35, 0.4], [0.15, 0.35, 0.5]
    found = counted([{"plan": "A", "now": s, "n": int(1e5 * p)} for s, p in zip((0, 7, 9), shares, strict=True)])
    n = answers_needed(found, 20.0)
    seen = 0
    for _ in range(400):
        rows = [("A", s, -2, int(k)) for s, k in zip((0, 7, 9), rng.multinomial(n, shares), strict=True) if k]
        rows += [("A", -2, s, int(k)) for s, k in zip((0, 7, 9), rng.multinomial(n, shifted), strict=True) if k]
        seen += change(moves(*rows)).iloc[0].p_value < 0.05
    assert 0.72 <= seen / 400 <= 0.9
