"""What is read off curves, hazards and comparisons before a sentence is made of it."""

import numpy as np
import pandas as pd
import pytest
from churn_world import LITE, PRO, lives

from cslib.churn.stays import Differences, firm_medians, kept, lost, pace
from cslib.stats.survival import (
    LANDMARKS,
    compare_segments,
    cumulative_incidence,
    hazard_by_age,
    survival_at,
    survival_curve,
    survival_summary,
)


@pytest.fixture(scope="module")
def curve():
    return survival_curve(lives(Lite=LITE, Pro=PRO))


@pytest.fixture(scope="module")
def comparison(curve):
    return compare_segments(curve)


def test_medians_of_few_are_left_out():
    """Half are gone at month 9, to which two customers were followed."""
    curve = survival_curve(lives(a=[(1, True, 2), (3, False, 20), (9, True, 1), (10, False, 1)]))
    raw = survival_summary(curve)
    firm = firm_medians(raw, curve)
    assert raw.median_months.tolist() == [9, 9]
    assert firm[["median_months", "median_ci_lower", "median_ci_upper"]].isna().all(axis=None)
    assert firm.from_start.all()
    pd.testing.assert_frame_equal(firm.drop(columns="from_start").iloc[:, 6:], raw.iloc[:, 6:])


def test_early_ages_that_nobody_saw_are_marked():
    late = lives(Pro=PRO).assign(entry_months=2.0)
    curve = survival_curve(pd.concat([late[late.segment == "Pro"], lives(Lite=LITE)]))
    firm = firm_medians(survival_summary(curve), curve)
    assert firm.set_index("segment").from_start.to_dict() == {"Pro": False, "All": True, "Lite": True}


def test_a_difference_is_clear_by_test_and_interval(comparison):
    """Of Lite 60 leave at month 3, 60 at 12: 200 stay (60·3 + 60·12 + 80·24) / 200 = 14.1 months; of Pro 21.75."""
    found = Differences.of(comparison)
    pair = found.clear.iloc[0]
    assert (pair.segment_a, pair.segment_b) == ("Pro", "Lite")
    assert pair.rmst_difference_months == pytest.approx(21.75 - 14.1)
    assert (found.tau_months, found.rates_differ, found.n_unclear) == (24, True, 0)
    assert found.p_value == comparison.p_value[0]
    assert Differences.of(comparison.assign(p_adjusted=0.2)).clear.empty
    assert Differences.of(comparison.assign(ci_lower=-1.0)).n_unclear == 1
    assert Differences.of(comparison.iloc[:0]) is None


def test_pairs_are_told_the_widest_first():
    """a stays least, c and d alike: of six pairs five are clear, and all are drawn."""
    curve = survival_curve(lives(a=[(1, True, 180), (24, False, 20)], b=LITE, c=PRO, d=PRO))
    found = Differences.of(compare_segments(curve))
    assert found.measured[["segment_a", "segment_b"]].iloc[0].tolist() == ["c", "a"]
    assert found.pairs.rmst_difference_months.is_monotonic_decreasing
    assert (len(found.measured), len(found.clear), found.n_unclear) == (6, 5, 1)


def test_a_chart_holds_a_few_pairs():
    segments = {f"s{k}": [(1 + 3 * k, True, 300), (24, False, 300)] for k in range(6)}
    found = Differences.of(compare_segments(survival_curve(lives(**segments))))
    assert (len(found.pairs), len(found.measured)) == (15, 12)


def test_pairs_not_observed_long_enough_are_not_measured(comparison):
    short = comparison.assign(rmst_difference_months=np.nan, ci_lower=np.nan, ci_upper=np.nan)
    found = Differences.of(short)
    assert found.measured.empty
    assert found.clear.empty


def test_survival_is_told_of_two_segments_only_where_they_differ(curve, comparison):
    """Of Pro 170 of 200 stay longer than 12 months, of Lite 80, of all 250 of 400."""
    at = survival_at(curve, LANDMARKS)
    both = kept(at, Differences.of(comparison))
    assert both[["duration_months", "segment"]].values.tolist() == [[12, "Pro"], [12, "Lite"]]
    assert both["survival"].tolist() == pytest.approx([0.85, 0.4])
    alike = kept(at, Differences.of(comparison.assign(p_adjusted=0.5)))
    assert alike.set_index("segment")["survival"].to_dict() == pytest.approx({"All": 0.625})
    young = survival_at(survival_curve(lives(Pro=[(0.5, False, 40)])), [1, 12])
    assert kept(young, None).empty


def test_kinds_are_told_at_the_latest_landmark():
    rows = {"voluntary": [0.1, 0.3], "involuntary": [0.02, 0.05]}
    table = pd.DataFrame([("All", k, m, f) for k, each in rows.items() for m, f in zip([3.0, 7.0], each, strict=True)],
                         columns=["segment", "churn_kind", "duration_months", "incidence"])  # fmt: skip
    told = [[6, "voluntary", 0.1], [6, "involuntary", 0.02]]
    assert lost(table)[["months", "churn_kind", "incidence"]].values.tolist() == told
    assert lost(table.assign(duration_months=0.5)).empty
    unknown = lost(table.assign(incidence=np.nan))
    assert unknown["months"].tolist() == [6, 6]
    assert unknown["incidence"].isna().all()
    assert lost(cumulative_incidence(lives(a=PRO).assign(churn_kind="not recorded"))).empty


def hazard(*left, entry=0.0):
    counts = lives(a=[(k + 1, True, n) for k, n in enumerate(left) if n] + [(len(left), False, 600)])
    return hazard_by_age(survival_curve(counts.assign(entry_months=entry)))


@pytest.mark.parametrize(
    ("left", "peaks"),
    [
        ([300, 20, 20, 20, 20, 20], [(1, 1, 0.3)]),
        ([5, 5, 5, 100, 150, 200], [(4, 6, 450 / (1050 + 950 + 800))]),
        ([20, 20, 20, 20, 20, 100, 100, 20], [(6, 7, 200 / (820 + 720))]),
        ([40] * 6, []),
    ],
)
def test_the_pace_names_the_months_that_stand_out(left, peaks):
    """Of 600 who stay and those who leave later; a churn is at the end of its month, so all of it was lived."""
    found = pace(hazard(*left))
    assert found.peaks.to_numpy().ravel() == pytest.approx(np.ravel(peaks))
    here = 600 + sum(left) - np.cumsum([0, *left[:-1]])
    outside = [all(not a <= k + 1 <= b for a, b, _ in peaks) for k in range(len(left))]
    assert found.elsewhere == pytest.approx(np.array(left)[outside].sum() / here[outside].sum())


def test_a_peak_of_all_is_held_against_each_segment():
    """Of Lite 300 of 1,000 leave in the first month; of Pro as many as in any other, and of Few too few to tell."""
    parts = {
        "Lite": [(1, True, 300), *[(k, True, 20) for k in range(2, 7)], (6, False, 600)],
        "Pro": [*[(k, True, 20) for k in range(1, 7)], (6, False, 600)],
        "Few": [(1, True, 1), (3, True, 1), (6, False, 6)],
    }
    found = pace(hazard_by_age(survival_curve(lives(**parts))))
    assert (found.first_months, found.shown_by, found.not_by) == (1, ("Lite",), ("Few", "Pro"))
    alone = pace(hazard_by_age(survival_curve(lives(Lite=parts["Lite"]))))
    assert (alone.shown_by, alone.not_by) == (("Lite",), ())
    assert pace(hazard(*[60] * 6)).not_by == ()


def test_a_later_month_is_told_where_smoothing_leaves_the_first_out():
    """Month 12 with the two before it, at weights of 1, 2/3 and 1/3: 80 of 640 + 2/3 · 680 + 1/3 · 720."""
    falls = pace(hazard(300, *[40] * 11))
    assert falls.later_month == 12
    assert falls.later == pytest.approx(80 / (640 + 2 / 3 * 680 + 720 / 3))
    near = pace(hazard(300, 20, 20))
    assert (near.later_month, np.isnan(near.later)) == (0, True)
    assert pace(hazard(*[20] * 16, *[200] * 4)).later_month == 0


def test_months_are_alike_or_too_few_left_to_tell():
    assert pace(hazard(*[60] * 6)).n_months == 6
    assert pace(hazard(*[4] * 6)).n_months == 0


def test_no_pace_of_few_of_nobody_who_left_or_of_a_first_month_unseen():
    assert pace(hazard_by_age(survival_curve(lives(a=[(3, True, 2)])))) is None
    assert pace(hazard(0, 0, 0)) is None
    assert pace(hazard(0, 0, 0, 20, 20, 20)) is not None
    assert pace(hazard(0, 0, 0, 20, 20, 20, entry=2.0)) is None
