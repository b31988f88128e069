"""All customers as the sum of their segments."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from value_world import both_counted

from cslib import load
from cslib.data.drift import drift
from cslib.data.parts import split_by
from cslib.stats.models import fit_averaged, fit_models
from cslib.value.ltv import Terms, Worth
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts
from cslib.value.together import added_up, whole_paths

TERMS = Terms(costs=UnitCosts())
STAY = np.repeat([1, 2, 3, 4, 5, 6], 10)


def paths_of(cheap_left=40, dear_left=12):
    """100 customers at 10 a month of whom many leave, 72 at 100 of whom few do; the rest here for 1 to 6 months."""
    cheap = np.append(np.repeat([1, 2, 3, 4], 10), STAY), np.arange(100) < cheap_left, 10.0
    dear = np.append(np.repeat([1, 2, 3, 4], 3), STAY), np.arange(72) < dear_left, 100.0
    counts, values = both_counted(cheap=cheap, dear=dear)
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=6, draws=300)
    return added_up(paths, in_all(paths))


def one_group(paths):
    return {"All": replace(paths["All"], parts={})}


@pytest.mark.long
def test_all_bring_what_their_segments_bring_together():
    table = Worth(paths_of(), TERMS, horizon_months=6).base_value.set_index("segment")
    assert table.index.tolist() == ["All", "cheap", "dear"]
    sums = table.loc[["cheap", "dear"]].sum()
    assert table.loc["All", ["n_active", "mrr", "base_value"]].tolist() == pytest.approx(
        sums[["n_active", "mrr", "base_value"]].tolist()
    )


@pytest.mark.long
def test_segments_are_drawn_each_by_itself_so_their_errors_partly_cancel():
    table = Worth(paths_of(), TERMS, horizon_months=6).base_value.set_index("segment")
    half = (table["ci_upper"] - table["ci_lower"]) / 2
    assert half["All"] == pytest.approx(np.hypot(half["cheap"], half["dear"]), rel=0.15)


@pytest.mark.long
def test_the_steps_to_the_sum_add_up_too():
    steps = Worth(paths_of(), TERMS, horizon_months=6).base_steps.pivot_table(
        index="step", columns="segment", values="difference"
    )
    assert steps["All"].tolist() == pytest.approx((steps["cheap"] + steps["dear"]).tolist())


@pytest.mark.long
def test_who_leaves_moves_what_a_sum_pays_where_it_does_so_in_parts_that_make_most_of_it():
    paths = paths_of()
    one = one_group(paths)["All"]
    for parts, moved in (({"cheap": paths["cheap"], "dear": paths["dear"]}, False), ({"a": one, "b": one}, True)):
        steps = Worth(added_up(paths, {"All": parts}), TERMS, horizon_months=6).base_steps.set_index(
            ["segment", "step"]
        )
        assert steps.loc[("All", "what they pay"), "by_leaving"] == moved


@pytest.mark.long
def test_a_change_adds_what_it_adds_by_segment_and_to_a_new_customer_the_mean_of_them():
    gains = Worth(paths_of(), TERMS, horizon_months=6).what_if.pivot_table(
        index="change", columns="segment", values=["base_gain", "ltv_gain"]
    )
    base, new = gains["base_gain"], gains["ltv_gain"]
    assert base["All"].tolist() == pytest.approx((base["cheap"] + base["dear"]).tolist())
    assert new["All"].tolist() == pytest.approx(((100 * new["cheap"] + 72 * new["dear"]) / 172).tolist())


@pytest.mark.long
def test_who_leaves_pays_less_as_one_group_but_not_within_segments_of_one_price():
    paths = paths_of()
    assert Worth(one_group(paths), TERMS).leavers_pay_less
    assert not Worth(paths, TERMS).leavers_pay_less
    mixed = {"north": one_group(paths)["All"], "south": paths["dear"]}
    assert Worth(added_up(paths, {"All": mixed}), TERMS).leavers_pay_less  # in the north they are of both prices


@pytest.mark.long
def test_as_one_group_less_churn_would_seem_to_add_more_where_dear_customers_stay():
    paths = paths_of()
    alone, added = (one_group(paths), paths)
    less = [
        Worth(own, TERMS, horizon_months=6)
        .what_if.set_index(["segment", "change"])
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
        for own in (added_up(paths, in_all(paths)), {"All": paths["All"]}):
            worth = Worth(own, TERMS, horizon_months=horizon).base_value["base_value"].iloc[0]
            gain = Worth(own, TERMS, horizon_months=horizon).what_if["base_gain"].iloc[0]
            found.append((len(own), worth / true, gain / more))
    means = pd.DataFrame(found, columns=["n", "worth", "gain"]).groupby("n").mean()
    assert means.loc[3].tolist() == pytest.approx([1, 1], abs=0.15)
    assert means.loc[1, "gain"] > 1.5


@pytest.mark.long
def test_segments_without_parts_are_one_group():
    paths = added_up(paths_of(), {})
    assert paths["All"].parts == {}
    assert paths["All"].summands == (paths["All"],)


def in_all(paths):
    """The parts of all customers: each of the segments."""
    return {"All": {name: own for name, own in paths.items() if name != "All"}}


def of_regions(*, blank=0, seed=4):
    """480 customers of three years in two regions: the cheap plan leaves at 12 % a month, the dear one at 3 %."""
    rng = np.random.default_rng(seed)
    plan = np.where(np.arange(480) % 3, "Lite", "Pro")
    start = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 1090, 480), unit="D")
    end = start + pd.to_timedelta(rng.exponential(30 / np.where(plan == "Lite", 0.12, 0.03)), unit="D")
    people = pd.DataFrame({"customer_id": np.arange(480).astype(str), "started_on": start, "plan": plan})
    people = people.assign(mrr=np.where(plan == "Lite", 10.0, 100.0), region=np.where(np.arange(480) % 2, "N", "S"))
    people["churned_on"] = pd.Series(end).dt.normalize().where(end < "2024-12-31")
    people.loc[: blank - 1, "plan"] = None
    return people


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    return kept(of_regions(), tmp_path_factory.mktemp("regions"))


def kept(people, folder):
    people.to_csv(folder / "customers.csv", index=False)
    (folder / "cslib.toml").write_text('as_of = 2024-12-31\n[customers]\nsegments = ["plan", "region"]\n')
    return folder


def worth_of(folder, *, segment_by="", where=""):
    data = load(folder, where=where)
    asked = {"segment_by": segment_by, "horizon_months": 12, "split": split_by(data)}
    return whole_paths(data, drift(data), **asked)


def figures(paths, segment):
    worth = Worth(paths, TERMS, horizon_months=12)
    tables = [worth.base_value, worth.what_if]
    return [t[t["segment"] == segment].drop(columns="segment").to_csv(index=False) for t in tables]


@pytest.mark.long
def test_a_segment_has_the_same_figures_however_it_is_asked(regions):
    """As a row, and kept by ``where``: within each region customers are added up by plan."""
    rows, alone = worth_of(regions, segment_by="region"), worth_of(regions, where="region=N")
    assert list(rows["N"].parts) == list(alone["All"].parts) == ["Lite", "Pro"]
    assert figures(rows, "N") == figures(alone, "All")
    assert figures(worth_of(regions), "All") == figures(rows, "All")


@pytest.mark.long
def test_a_segment_of_one_part_is_one_group_in_both(regions):
    rows, alone = worth_of(regions, segment_by="plan"), worth_of(regions, where="plan=Pro")
    assert rows["Pro"].parts == alone["All"].parts == {}
    assert figures(rows, "Pro") == figures(alone, "All")


@pytest.mark.long
def test_a_few_blank_cells_hardly_change_the_total(regions, tmp_path):
    full, blank = worth_of(regions), worth_of(kept(of_regions(blank=3), tmp_path))
    assert list(full["All"].parts) == ["Lite", "Pro"]
    assert list(blank["All"].parts) == ["(missing) + Pro", "Lite"]
    values = [Worth(own, TERMS, horizon_months=12).base_value.iloc[0] for own in (full, blank)]
    assert values[0].n_active == values[1].n_active
    assert values[0].base_value == pytest.approx(values[1].base_value, rel=0.02)
