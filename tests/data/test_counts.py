import operator
from datetime import date, timedelta

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib import load
from cslib.data.calendar import PERIODS, last_complete, ordinal, period_ordinal, period_start
from cslib.data.customers import TAKEN, exact_product, mrr_steps, product_of, segments
from cslib.errors import DataError, ParameterError
from cslib.surveys.answers import SMALL

DAYS = st.dates(date(1995, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize("period", PERIODS)
@given(day=DAYS)
def test_a_period_starts_with_its_first_day(period, day):
    number = ordinal(day, period)
    start = period_start(number, period)
    assert start <= day < period_start(number + 1, period)
    assert ordinal(start, period) == number


@pytest.mark.parametrize("period", PERIODS)
def test_engine_and_python_number_alike(period):
    days = [date(1969, 12, 20) + timedelta(days=11 * i) for i in range(2500)]
    table = ibis.memtable({"day": days})
    found = table.select(n=period_ordinal(table.day, period)).execute()["n"]
    assert found.tolist() == [ordinal(d, period) for d in days]


@pytest.mark.parametrize(
    ("as_of", "period", "complete"),
    [
        (date(2025, 6, 30), "month", date(2025, 6, 1)),
        (date(2025, 6, 29), "month", date(2025, 5, 1)),
        (date(2024, 2, 29), "month", date(2024, 2, 1)),
        (date(2025, 1, 5), "week", date(2024, 12, 30)),
        (date(2025, 1, 4), "week", date(2024, 12, 23)),
        (date(2025, 12, 31), "year", date(2025, 1, 1)),
        (date(2025, 9, 29), "quarter", date(2025, 4, 1)),
        (date(2025, 9, 29), "day", date(2025, 9, 29)),
    ],
)
def test_last_complete(as_of, period, complete):
    assert period_start(last_complete(as_of, period), period) == complete


def test_unknown_period_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="'months'. Did you mean 'month'"):
        ordinal(date(2025, 1, 1), "months")


def _subscriptions(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])
    return load({"subscriptions": frame.astype({"ended_on": object})}, as_of="2025-06-30")


def _steps(data):
    first = ordinal(date(2025, 1, 1), "month")
    steps = mrr_steps(data, "month").execute().sort_values(["customer_id", "step"])
    return [(r.customer_id, r.step - first, r.cents, r.cents_first) for r in steps.itertuples()]


def test_steps_add_overlaps_and_skip_pauses():
    data = _subscriptions(
        ("a", "2025-01-10", "2025-03-15", 10.5),
        ("a", "2025-02-01", None, 5),
        ("b", "2025-01-31", "2025-02-28", 7),
        ("b", "2025-05-01", None, 8),
    )
    assert _steps(data) == [
        ("a", 0, 1050, 1050),
        ("a", 1, 1550, 1050),
        ("a", 2, 500, 1050),
        ("b", 0, 700, 700),
        ("b", 1, 0, 700),
        ("b", 4, 800, 700),
    ]


def test_a_subscription_that_misses_the_month_end_has_no_mrr():
    assert _steps(_subscriptions(("a", "2025-01-10", "2025-01-20", 9))) == [("a", 0, 0, 0)]


def test_segments_from_another_table_take_the_first_value():
    orders = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "ordered_on": ["2025-02-01", "2025-01-01", "2025-01-05"],
            "amount": 1,
            "shop": ["web", "store", None],
        }
    )
    found = segments(load({"orders": orders}), "shop").execute().set_index("customer_id")["segment"]
    assert found.to_dict() == {"a": "store", "b": "(missing)"}


def _customers(values):
    n = len(values)
    frame = {"customer_id": [f"{i}" for i in range(n)], "started_on": "2025-01-01", "churned_on": None, "plan": values}
    return load({"customers": pd.DataFrame(frame)}, as_of="2025-02-01")


@pytest.mark.parametrize(
    ("values", "segment_by", "message"),
    [
        (["x"], "plna", "segment_by is 'plna'.*Did you mean 'plan'"),
        (["All", "x"], "plan", "'All', which names the whole. Rename it"),
        (["(small groups)", "x"], "plan", "'\\(small groups\\)', which names those that are too small"),
        ([str(i) for i in range(51)], "plan", "more than 50 values.*Choose a column with fewer"),
        (["x"], "customer_id", "segment_by is 'customer_id'"),
    ],
)
def test_bad_segments_are_refused(values, segment_by, message):
    with pytest.raises(ParameterError, match=message):
        segments(_customers(values), segment_by)


def test_the_name_of_merged_groups_is_taken():
    assert {*TAKEN} == {"All", SMALL}


def test_mrr_needs_subscriptions():
    with pytest.raises(DataError, match="no table 'subscriptions'.*Add subscriptions.csv"):
        mrr_steps(_customers(["x"]), "month")


@pytest.mark.parametrize(("mrr", "product"), [(9_999_999.99, operator.mul), (10_000_000.01, exact_product)])
def test_products_are_of_64_bits_only_where_every_one_fits(mrr, product):
    assert product_of(_subscriptions(("a", "2025-01-10", None, mrr)), "month") is product


def test_what_changes_in_one_period_is_one_step():
    data = _subscriptions(
        ("a", "2025-01-10", "2025-03-15", 10), ("a", "2025-03-15", None, 12), ("a", "2025-03-01", None, 1)
    )
    assert [step[:3] for step in _steps(data)] == [("a", 0, 1000), ("a", 2, 1300)]
