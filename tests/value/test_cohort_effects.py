"""Quarters of start that leave faster or slower: counts by hand, factors of planted worlds."""

import numpy as np
import pandas as pd
import pytest

import cslib
from cslib.value.prices import cohort_counts, cohort_effects

CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "started_on": ["2025-01-01", "2025-01-01", "2025-06-01"],
        "churned_on": ["2025-03-05", None, None],  # after 2 months and 4 of 31 days: in the third month of age
        "plan": ["Pro", "Lite", "Lite"],
    }
)


def test_counts_by_hand():
    data = cslib.load(
        {"customers": CUSTOMERS}, as_of="2025-06-30"
    )  # 5 months and 29 of 30 days, and 29 of 30 days after the starts
    table = cohort_counts(data).set_index(["quarter", "month"])
    old = table.loc[1]
    assert old["n_events"].to_dict() == {0: 0, 1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0}
    assert old["lived"].tolist() == pytest.approx(
        [2, 2, 2, 2, 1, 1, 29 / 30]
    )  # all the churn of month 3 was faced by both
    assert table.loc[0, "lived"].tolist() == pytest.approx([1, 29 / 30])
    by_plan = cohort_counts(data, segment_by="plan")
    assert by_plan["segment"].unique().tolist() == ["All", "Lite", "Pro"]
    of_all = by_plan[by_plan["segment"] == "All"]
    pd.testing.assert_frame_equal(of_all.set_index(["quarter", "month"]), table)


def test_who_has_not_come_to_the_day_of_renewal_has_not_faced_it():
    """a leaves on its first monthly anniversary, b goes on; c is a day before its own, and has not had the choice."""
    customers = CUSTOMERS.assign(churned_on=["2025-02-01", None, None])
    table = cohort_counts(cslib.load({"customers": customers}, as_of="2025-06-30")).set_index(["quarter", "month"])
    assert table.loc[1, "lived"].tolist() == pytest.approx([2, 2, 1, 1, 1, 1, 29 / 30])
    assert table.loc[0].index.tolist() == [0]


def test_tenures_know_no_quarters():
    customers = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [True]})
    assert cohort_counts(cslib.load({"customers": customers})).empty


def world(rng, factors, *, lived=1000.0, hazard=0.05, ages=12):
    """Quarters seen through all ages; all leave at one hazard times their factor."""
    months = np.arange(1, ages + 1)
    rows = [
        pd.DataFrame({"quarter": q, "month": months, "lived": lived, "n_events": rng.poisson(lived * hazard * f, ages)})
        for q, f in enumerate(factors)
    ]
    return pd.concat(rows).assign(segment="All")


def pooled(cohorts, ages=12):
    sums = cohorts.groupby("month")[["n_events", "lived"]].sum()
    return np.append(0.0, sums["n_events"] / sums["lived"])[: ages + 1]


def test_quarters_that_differ_are_told_apart():
    """A true step from 1.3 to 0.7; with 600 expected churns a quarter, factors come within 10 %."""
    cohorts = world(np.random.default_rng(3), [0.7] * 4 + [1.3] * 4)
    effects = cohort_effects(cohorts, pooled(cohorts))
    assert effects.table["factor"].to_numpy() == pytest.approx([0.7] * 4 + [1.3] * 4, rel=0.1)
    drawn = effects.draw(np.array([1.0, 22.0, 400.0]), 4000, np.random.default_rng(0))
    assert drawn[0, 1] == effects.table["factor"].iloc[7]
    assert drawn[0, 2] == drawn[0, 1]  # before the first quarter known: as in that
    assert drawn[1:].mean(axis=0) == pytest.approx(drawn[0], rel=0.005)


def test_baseline_is_the_hazard_of_a_mean_quarter():
    """New quarters, at half the rate, have lived only the first months: later ones are those of old quarters."""
    old = world(np.random.default_rng(5), [1.0] * 6, lived=40_000.0)
    new = world(np.random.default_rng(6), [0.5] * 6, lived=40_000.0, ages=4)
    cohorts = pd.concat([new, old.assign(quarter=old["quarter"] + 6)])
    effects = cohort_effects(cohorts, pooled(cohorts))
    hazard = pooled(cohorts) * effects.baseline
    assert hazard[1:5].mean() == pytest.approx(hazard[5:].mean(), rel=0.02)
    factor = effects.table["factor"].to_numpy()
    assert factor[:6].mean() / factor[6:].mean() == pytest.approx(0.5, rel=0.02)


@pytest.mark.long
def test_quarters_alike_have_a_factor_of_one_nearly():
    rng = np.random.default_rng(11)
    found = [cohort_effects(c := world(rng, [1.0] * 8), pooled(c)).table["factor"] for _ in range(40)]
    assert np.abs(np.array(found) - 1).mean() < 0.015  # unshrunk ones are off by 0.033 on average


def test_one_quarter_alone_is_no_difference():
    cohorts = world(np.random.default_rng(1), [1.0])
    effects = cohort_effects(cohorts, pooled(cohorts))
    assert (effects.variance, effects.draw(np.array([0.0]), 3, np.random.default_rng(0)).tolist()) == (0.0, [[1.0]] * 4)
