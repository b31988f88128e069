"""Who belongs to which part of a sum."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib import load
from cslib.data.customers import PART, segment_of
from cslib.data.lifetimes import lifetimes
from cslib.data.parts import in_parts, pooled, split_by


def counts(**each):
    """By value: how many left, and months lived."""
    return pd.DataFrame(each.values(), each.keys(), ["left", "lived"])


def test_values_that_ten_left_stand_alone_and_others_are_one_part():
    parts = pooled(counts(A=(10, 500.0), B=(9, 80.0), C=(40, 900.0), D=(3, 20.0)))
    assert parts.to_dict() == {"A": "A", "B": "B + D", "C": "C", "D": "B + D"}


@pytest.mark.parametrize(("left", "lived", "joined"), [(1, 400.0, "Pro"), (5, 50.0, "Lite"), (0, 0.0, "Lite")])
def test_where_they_are_fewer_than_ten_together_they_join_whom_they_leave_like(left, lived, joined):
    """Lite leaves at 10 % a month, Pro at 1 %."""
    parts = pooled(counts(Lite=(100, 1000.0), Pro=(20, 2000.0), rare=(left, lived)))
    assert parts["rare"] == parts[joined] == f"{joined} + rare"
    assert parts.nunique() == 2


def test_there_is_one_part_where_no_value_has_ten():
    assert pooled(counts(A=(9, 10.0), B=(0, 10.0))).unique().tolist() == ["A + B"]


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1e4)), min_size=1, max_size=8))
def test_every_value_is_in_one_part_and_no_part_of_several_has_fewer_than_ten(rows):
    table = counts(**{f"v{i}": row for i, row in enumerate(rows)})
    parts = pooled(table)
    assert parts.index.tolist() == table.index.tolist()
    left = table["left"].groupby(parts).sum()
    assert len(left) == 1 or left.min() >= 10


def of_plans(**left):
    """Customers here since January 2024, 60 of each plan, of whom so many left in March."""
    places = np.tile(np.arange(60), len(left))
    people = pd.DataFrame({"started_on": "2024-01-05", "mrr": 10.0, "plan": np.repeat(list(left), 60)})
    gone = places < np.repeat(list(left.values()), 60)
    people = people.assign(churned_on=np.where(gone, "2024-03-05", None), team=np.where(places % 2, "x", "y"))
    people["customer_id"] = people.index.astype(str)
    return replace(load({"customers": people}, as_of="2024-12-31"), segments=("plan", "team"))


def sizes(parts):
    """Customers of each part."""
    return lifetimes(parts.data, segment_by=parts.column).groupby("segment")["n"].sum()


@pytest.mark.parametrize("within", ["", "team"])
def test_parts_have_all_customers_between_them(within):
    parts = in_parts(of_plans(Pro=25, Lite=40, Rare=4, Odd=3), None, split="plan", within=within)
    n = sizes(parts)
    assert n.drop("All").sum() == n["All"] == 240
    assert set(n.index) == {"All", *parts.table["part"]}
    each = parts.table.drop_duplicates("part").groupby("segment")["part"].agg(lambda own: n[own].sum())
    assert each.to_dict() == ({"x": 120, "y": 120} if within else {"All": 240})


def test_where_each_value_is_a_part_nothing_is_made():
    data = of_plans(Pro=25, Lite=40)
    parts = in_parts(data, None, split="plan")
    assert (parts.data is data, parts.column) == (True, "plan")
    assert parts.several == {"All": {"Lite": "Lite", "Pro": "Pro"}}
    assert in_parts(of_plans(Pro=25, Lite=40, Rare=4), None, split="plan").column == PART


def test_parts_within_a_segment_are_pooled_by_those_who_left_there():
    """25 of Pro left: 13 of team y and 12 of x. Of Lite 18, 9 of each."""
    parts = in_parts(of_plans(Pro=25, Lite=18), None, split="plan", within="team")
    assert parts.several == {}
    assert list(in_parts(of_plans(Pro=25, Lite=18), None, split="plan").several["All"].values()) == ["Lite", "Pro"]


def test_there_may_be_more_parts_than_segments_that_can_be_compared():
    n = 2400
    people = pd.DataFrame(
        {"customer_id": range(n), "tenure_months": 1 + np.arange(n) % 7, "churned": np.arange(n) % 2 == 0}
    )
    people = people.assign(plan=np.arange(n) // 600, team=np.arange(n) % 30)
    parts = in_parts(load({"customers": people}), None, split="plan", within="team")
    assert sizes(parts).drop("All").sum() == n
    assert parts.table["part"].nunique() == 75  # nobody left the odd teams


def test_customers_are_split_by_the_column_by_which_they_leave_most_differently():
    assert split_by(of_plans(Pro=12, Lite=40)) == "plan"
    assert split_by(of_plans(Pro=20, Lite=22)) == ""  # by chance
    assert split_by(of_plans(Pro=2, Lite=40)) == ""  # of two nothing is known


def test_a_value_that_hardly_anybody_left_does_not_hide_its_column():
    assert split_by(of_plans(Pro=12, Lite=40, Rare=1)) == "plan"


def test_some_customers_are_split_as_the_whole_is(tmp_path):
    data = of_plans(Pro=12, Lite=40)
    assert split_by(segment_of(data, "team", "x")) == "plan"
    data.table("customers").execute().to_csv(tmp_path / "customers.csv", index=False)
    (tmp_path / "cslib.toml").write_text('as_of = 2024-12-31\n[customers]\nsegments = ["plan", "team"]\n')
    assert split_by(load(tmp_path, where="plan=Pro")) == "plan"
    assert split_by(replace(data, segments=("team",))) == ""


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
