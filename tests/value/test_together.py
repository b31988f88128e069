"""All customers as the sum of their segments."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from value_world import both_counted

from cslib import load
from cslib.data.customers import segment_of
from cslib.stats.models import fit_averaged, fit_models
from cslib.value.ltv import Terms, base_steps, base_value, leavers_pay_less, what_if
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts
from cslib.value.together import added_up, split_by

TERMS = Terms(costs=UnitCosts())
STAY = np.repeat([1, 2, 3, 4, 5, 6], 10)


def paths_of(cheap_left=40, dear_left=12):
    """100 customers at 10 a month of whom many leave, 72 at 100 of whom few do; the rest here for 1 to 6 months."""
    cheap = np.append(np.repeat([1, 2, 3, 4], 10), STAY), np.arange(100) < cheap_left, 10.0
    dear = np.append(np.repeat([1, 2, 3, 4], 3), STAY), np.arange(72) < dear_left, 100.0
    counts, values = both_counted(cheap=cheap, dear=dear)
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=6, draws=300)
    return added_up(paths, paths)


def one_group(paths):
    return {"All": replace(paths["All"], parts={})}


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


def test_who_leaves_moves_what_a_sum_pays_where_it_does_so_in_parts_that_make_most_of_it():
    paths = paths_of()
    one = one_group(paths)["All"]
    for parts, moved in (({"cheap": paths["cheap"], "dear": paths["dear"]}, False), ({"a": one, "b": one}, True)):
        steps = base_steps(added_up(paths, parts), TERMS, horizon_months=6).set_index(["segment", "step"])
        assert steps.loc[("All", "what they pay"), "by_leaving"] == moved


def test_a_change_adds_what_it_adds_by_segment_and_to_a_new_customer_the_mean_of_them():
    gains = what_if(paths_of(), TERMS, horizon_months=6).pivot_table(
        index="change", columns="segment", values=["base_gain", "ltv_gain"]
    )
    base, new = gains["base_gain"], gains["ltv_gain"]
    assert base["All"].tolist() == pytest.approx((base["cheap"] + base["dear"]).tolist())
    assert new["All"].tolist() == pytest.approx(((100 * new["cheap"] + 72 * new["dear"]) / 172).tolist())


def test_who_leaves_pays_less_as_one_group_but_not_within_segments_of_one_price():
    paths = paths_of()
    assert leavers_pay_less(one_group(paths))
    assert not leavers_pay_less(paths)
    mixed = {"north": one_group(paths)["All"], "south": paths["dear"]}
    assert leavers_pay_less(added_up(paths, mixed))  # in the north they are of both prices


def test_as_one_group_less_churn_would_seem_to_add_more_where_dear_customers_stay():
    paths = paths_of()
    alone, added = (one_group(paths), paths)
    less = [
        what_if(own, TERMS, horizon_months=6)
        .set_index(["segment", "change"])
        .loc[("All", "10 % less churn"), "base_gain"]
        for own in (alone, added)
    ]
    assert less[0] > 1.3 * less[1]


@pytest.mark.long
def test_in_worlds_of_cheap_and_dear_customers_the_sum_is_right_and_one_group_is_not():
    """Exponential lives: what present customers bring, and 10 % less churn adds, is known in closed form."""
    rng, horizon, found = np.random.default_rng(5), 24, []
    for _ in range(6):
        lives, true, more = {}, 0.0, 0.0
        for name, rate, price, n in (("cheap", 0.08, 10.0, 300), ("dear", 0.02, 100.0, 150)):
            since, life = rng.uniform(0, 36, n), rng.exponential(1 / rate, n)
            left = life < since
            lives[name] = (np.where(left, np.ceil(life), np.floor(since)), left, price)
            now, less = (price * (~left).sum() * -np.expm1(-h * horizon) / -np.expm1(-h) for h in (rate, 0.9 * rate))
            true, more = true + now, more + less - now
        counts, values = both_counted(**lives)
        models = fit_averaged(counts, unit_months=1.0)
        paths = value_paths(counts, values, models, horizon_months=horizon, draws=50)
        for own in (added_up(paths, paths), {"All": paths["All"]}):
            worth = base_value(own, TERMS, horizon_months=horizon)["base_value"].iloc[0]
            gain = what_if(own, TERMS, horizon_months=horizon)["base_gain"].iloc[0]
            found.append((len(own), worth / true, gain / more))
    means = pd.DataFrame(found, columns=["n", "worth", "gain"]).groupby("n").mean()
    assert means.loc[3].tolist() == pytest.approx([1, 1], abs=0.15)
    assert means.loc[1, "gain"] > 1.5


def test_segments_that_fewer_than_ten_left_are_not_added_up():
    few = paths_of(dear_left=9)
    assert list(paths_of()["All"].parts) == ["cheap", "dear"]
    assert few["All"].parts == added_up(few, {"All": few["All"], "cheap": few["cheap"]})["All"].parts == {}
    assert few["All"].summands == (few["All"],)


def of_plans(**left):
    """Customers here since January 2024, 60 of each plan, of whom so many left in March."""
    places = np.tile(np.arange(60), len(left))
    people = pd.DataFrame({"started_on": "2024-01-05", "mrr": 10.0, "plan": np.repeat(list(left), 60)})
    gone = places < np.repeat(list(left.values()), 60)
    people = people.assign(churned_on=np.where(gone, "2024-03-05", None), team=np.where(places % 2, "x", "y"))
    people["customer_id"] = people.index.astype(str)
    return replace(load({"customers": people}, as_of="2024-12-31"), segments=("plan", "team"))


def test_customers_are_split_by_the_column_by_which_they_leave_most_differently():
    assert split_by(of_plans(Pro=12, Lite=40)) == "plan"
    assert split_by(of_plans(Pro=20, Lite=22)) == ""  # by chance
    assert split_by(of_plans(Pro=2, Lite=40)) == ""  # of two nothing is known


def test_one_segment_is_not_split():
    data = of_plans(Pro=12, Lite=40)
    assert split_by(segment_of(data, "team", "x")) == ""


def test_a_column_whose_values_share_no_age_does_not_hide_another():
    """Of ``gen`` nothing can be tested: the old began long before records, the new after. By plan customers differ."""
    rng = np.random.default_rng(5)
    n = 300
    old = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="D")
    new = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    plan = np.where(np.arange(2 * n) % 2, "A", "B")
    start = pd.Series([*old, *new])
    since = pd.Series([*[pd.Timestamp("2023-01-01")] * n, *new])
    ends = since + pd.to_timedelta(rng.exponential(np.where(plan == "A", 150, 900)), unit="D")
    people = pd.DataFrame(
        {"customer_id": range(2 * n), "started_on": start, "plan": plan, "gen": ["old"] * n + ["new"] * n}
    )
    people["churned_on"] = ends.dt.normalize().where(ends < "2024-12-31")
    for order in (("gen", "plan"), ("plan", "gen")):
        data = replace(load({"customers": people}, as_of="2024-12-31"), segments=order, observed_from=date(2023, 1, 1))
        assert split_by(data) == "plan"
