"""All customers as the sum of their segments."""

import numpy as np
import pandas as pd
import pytest
from value_world import both_counted

from cslib.stats.models import fit_models
from cslib.value.ltv import Terms, _mostly_by_leaving, base_steps, base_value, what_if
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts
from cslib.value.together import followed, summands

TERMS = Terms(costs=UnitCosts())
STAY = np.repeat([1, 2, 3, 4, 5, 6], 10)


def paths_of(cheap_left=40, dear_left=12):
    """100 customers at 10 a month of whom many leave, 72 at 100 of whom few do; the rest here for 1 to 6 months."""
    cheap = np.append(np.repeat([1, 2, 3, 4], 10), STAY), np.arange(100) < cheap_left, 10.0
    dear = np.append(np.repeat([1, 2, 3, 4], 3), STAY), np.arange(72) < dear_left, 100.0
    counts, values = both_counted(cheap=cheap, dear=dear)
    return value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=6, draws=300)


def test_all_bring_what_their_segments_bring_together():
    table = base_value(paths_of(), TERMS, horizon_months=6).set_index("segment")
    assert table.index.tolist() == ["All", "cheap", "dear"]
    sums = table.loc[["cheap", "dear"]].sum()
    assert table.loc["All", ["n_active", "mrr", "base_value"]].tolist() == pytest.approx(
        sums[["n_active", "mrr", "base_value"]].tolist()
    )


def test_segments_are_drawn_each_by_itself_so_their_errors_partly_cancel():
    table = base_value(paths_of(), TERMS, horizon_months=6).set_index("segment")
    half = (table["ci_upper"] - table["ci_lower"]) / 2
    assert half["All"] == pytest.approx(np.hypot(half["cheap"], half["dear"]), rel=0.15)


def test_the_steps_to_the_sum_add_up_too():
    steps = base_steps(paths_of(), TERMS, horizon_months=6).pivot_table(
        index="step", columns="segment", values="difference"
    )
    assert steps["All"].tolist() == pytest.approx((steps["cheap"] + steps["dear"]).tolist())


def test_who_leaves_moves_what_all_pay_where_it_does_so_in_segments_that_make_most_of_it():
    rows = [(s, "what they pay", d, b) for s, d, b in (("All", 10.0, True), ("A", 6.0, True), ("B", 4.0, False))]
    steps = pd.DataFrame(rows, columns=["segment", "step", "difference", "by_leaving"])
    assert _mostly_by_leaving(steps)["by_leaving"].tolist() == [True, True, False]
    assert not _mostly_by_leaving(steps.assign(by_leaving=[True, False, True]))["by_leaving"].iloc[0]
    assert not _mostly_by_leaving(steps.assign(difference=[0.0, 6.0, -6.0]))["by_leaving"].iloc[0]


def test_a_change_adds_what_it_adds_by_segment_and_to_a_new_customer_the_mean_of_them():
    gains = what_if(paths_of(), TERMS, horizon_months=6).pivot_table(
        index="change", columns="segment", values=["base_gain", "ltv_gain"]
    )
    base, new = gains["base_gain"], gains["ltv_gain"]
    assert base["All"].tolist() == pytest.approx((base["cheap"] + base["dear"]).tolist())
    assert new["All"].tolist() == pytest.approx(((100 * new["cheap"] + 72 * new["dear"]) / 172).tolist())


def test_as_one_group_less_churn_would_seem_to_add_more_where_dear_customers_stay():
    paths = paths_of()
    alone, added = ({"All": paths["All"]}, paths)
    less = [
        what_if(own, TERMS, horizon_months=6)
        .set_index(["segment", "change"])
        .loc[("All", "10 % less churn"), "base_gain"]
        for own in (alone, added)
    ]
    assert less[0] > 1.3 * less[1]


def test_segments_that_fewer_than_ten_left_are_not_added_up():
    few = paths_of(dear_left=9)
    assert list(summands(paths_of())) == ["cheap", "dear"]
    assert summands(few) == summands({"All": few["All"]}) == summands({"All": few["All"], "cheap": few["cheap"]}) == {}
    assert followed(few, 6)["All"].mrr == pytest.approx(few["All"].ahead(6).mrr)
