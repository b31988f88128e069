"""What became of the customers of an earlier day, by hand; and the day as it was known then."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from cslib import load
from cslib.data.dataset import rewind
from cslib.errors import ParameterError
from cslib.value.backtest import came_true

DAY = date(2025, 3, 31)
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["stays", "leaves", "left", "new"],
        "started_on": ["2024-01-01", "2024-06-01", "2024-02-01", "2025-04-02"],
        "churned_on": [None, "2025-05-10", "2025-03-31", None],
        "plan": ["A", "B", "A", "B"],
    }
)
PAID = pd.DataFrame(
    {
        "customer_id": ["stays", "stays", "leaves", "left", "new"],
        "started_on": ["2024-01-01", "2025-04-15", "2024-06-01", "2024-02-01", "2025-04-02"],
        "ended_on": ["2025-04-15", None, None, "2025-03-31", None],
        "mrr": [10.0, 15.5, 20.0, 99.0, 99.0],
    }
)
ORDERS = pd.DataFrame(
    {
        "customer_id": ["stays", "leaves", "leaves", "left", "new", "stays"],
        "ordered_on": ["2025-04-01", "2025-05-09", "2025-05-20", "2025-04-20", "2025-04-20", "2025-06-02"],
        "amount": [5.0, 7.0, 99.0, 99.0, 99.0, 3.0],
    }
)


def followed(source, segment_by="", **tables):
    data = load({"customers": CUSTOMERS, **tables}, as_of="2025-06-30")
    return came_true(data, rewind(data, DAY), segment_by=segment_by, months=4, source=source)


def test_who_was_there_is_followed_from_month_end_to_month_end():
    table = followed("subscriptions", subscriptions=PAID)
    assert table["month"].dt.strftime("%Y-%m-%d").tolist()[:3] == ["2025-03-31", "2025-04-30", "2025-05-31"]
    assert table["n_active"].tolist()[:4] == [2, 2, 1, 1]
    assert table["mrr"].tolist()[:4] == [30, 35.5, 15.5, 15.5]  # beyond its churn no subscription counts
    assert table[["n_active", "mrr"]].iloc[4].isna().all()  # July is not known


def test_segments_add_up():
    table = followed("subscriptions", "plan", subscriptions=PAID).set_index(["segment", "months_ahead"])
    assert table.loc["B", "n_active"].tolist()[:4] == [1, 1, 0, 0]
    parts = table.loc["A", "mrr"] + table.loc["B", "mrr"]
    assert parts[:4].tolist() == table.loc["All", "mrr"][:4].tolist()


def test_mrr_of_customers():
    data = load({"customers": CUSTOMERS.assign(mrr=[10.0, 20.0, 99.0, 99.0])}, as_of="2025-06-30")
    assert came_true(data, rewind(data, DAY), months=3, source="customers")["mrr"].tolist() == [30, 30, 10, 10]


def test_orders_count_in_the_month_before_the_date_while_a_customer_is_one():
    table = followed("orders", orders=ORDERS)
    assert np.isnan(table["mrr"].iloc[0])
    assert table["mrr"].tolist()[1:4] == [5, 7, 3]


@pytest.mark.long
def test_the_order_of_rows_changes_no_digit():
    rng = np.random.default_rng(2)
    people = pd.DataFrame({"customer_id": [f"c{i}" for i in range(2000)], "started_on": "2024-01-01"})
    people = people.assign(
        churned_on=rng.choice(["2025-04-10", "2025-05-10", None], 2000), plan=rng.choice(list("ab"), 2000)
    )
    paid = people[["customer_id", "started_on"]].assign(ended_on=None, mrr=rng.integers(1, 99999, 2000) / 1000)
    bought = paid[["customer_id"]].assign(ordered_on="2025-04-05", amount=paid["mrr"])
    tables = {"customers": people, "subscriptions": paid, "orders": bought}
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    for source in ("subscriptions", "orders"):
        one, other = (
            came_true(d, rewind(d, DAY), segment_by="plan", months=3, source=source)
            for d in (load(t, as_of="2025-06-30") for t in (tables, shuffled))
        )
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_source_is_one_of_three():
    with pytest.raises(ParameterError, match="source is 'order'. Did you mean 'orders'"):
        followed("order", orders=ORDERS)


@pytest.mark.long
def test_rewound_data_are_those_loaded_as_of_the_day(root, sample):
    then, back = load(root / "data", as_of="2024-06-15"), rewind(sample, date(2024, 6, 15))
    assert back.as_of == then.as_of
    assert set(back.tables) == set(then.tables)
    for name in then.tables:
        one, other = (d.table(name).execute() for d in (back, then))
        order = list(other.columns)
        one, other = (t[order].sort_values(order, ignore_index=True) for t in (one, other))
        pd.testing.assert_frame_equal(one, other)


def test_derived_customers_are_derived_anew():
    """With hindsight the pause is none; on the day before it ends the customer had left."""
    spells = pd.DataFrame(
        {
            "customer_id": "a", "started_on": ["2025-01-01", "2025-05-01"], "ended_on": ["2025-03-01", None],
            "mrr": 9.0,
        }
    )  # fmt: skip
    data = load({"subscriptions": spells}, as_of="2025-06-30")
    assert data.table("customers").churned_on.execute().isna().all()
    assert rewind(data, date(2025, 4, 1)).table("customers").churned_on.execute().notna().all()


def test_no_day_to_go_back_to():
    data = load({"customers": CUSTOMERS}, as_of="2025-06-30")
    with pytest.raises(ParameterError, match="day is 2026-01-01. Give one from the first to 2025-06-30"):
        rewind(data, date(2026, 1, 1))
