"""Lifetimes: what is counted, and from which age on."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import few_or_many

import cslib
from cslib.data.dataset import rewind
from cslib.data.lifetimes import lifetime_rows, lifetimes, unit_months
from cslib.errors import DataError, ParameterError
from cslib.stats.survival import DAYS_PER_MONTH

DAYS = 1 / DAYS_PER_MONTH


def dated(*rows, **options):
    columns = ["customer_id", "started_on", "churned_on", "plan"]
    frame = pd.DataFrame([row + ("Pro",) * (len(columns) - len(row)) for row in rows], columns=columns)
    return cslib.load({"customers": frame}, **options)


def by_customer(data):
    return lifetime_rows(data).execute().set_index("customer_id").sort_index()


def test_days_from_start_to_churn_or_to_as_of():
    data = dated(
        ("a", "2025-01-01", "2025-01-31"),
        ("b", "2025-01-01", None),
        ("c", "2025-03-31", "2025-03-31"),
        as_of="2025-03-31",
    )
    rows = by_customer(data)
    assert rows.duration.tolist() == [30 / 31, 2 + 30 / 31, 0]
    assert rows.event_observed.tolist() == [True, False, True]
    assert unit_months(data) == DAYS


def test_a_churn_after_as_of_is_not_known_yet():
    rows = by_customer(dated(("a", "2025-01-01", "2025-05-31"), as_of="2025-03-31"))
    assert (rows.event_observed["a"], rows.duration["a"]) == (False, 2 + 30 / 31)


def test_tenures_are_months_and_zero_is_kept():
    customers = pd.DataFrame({"customer_id": ["a", "b"], "tenure_months": [0, 2], "churned": [True, False]})
    data = cslib.load({"customers": customers})
    assert lifetimes(data).duration_months.tolist() == [0.0, 2.0]
    assert unit_months(data) == 1


def test_tenures_with_fractions_are_no_whole_months():
    customers = pd.DataFrame({"customer_id": ["a", "b"], "tenure_months": [0, 2.5], "churned": [True, False]})
    data = cslib.load({"customers": customers})
    assert lifetimes(data).duration_months.tolist() == pytest.approx([0.0, 2.5])
    assert unit_months(data) == DAYS


def test_customers_older_than_the_records_enter_late(tmp_path):
    """Records begin on 1 February. a and e left before: never seen. b leaves on that very day: at risk on it."""
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on\na,2025-01-01,2025-01-20\nb,2025-01-01,2025-02-01\nc,2025-01-22,\nd,2025-02-05,\ne,2025-01-31,2025-01-31\n"
    )
    (tmp_path / "cslib.toml").write_text("as_of = 2025-03-31\nobserved_from = 2025-02-01\n")
    rows = by_customer(cslib.load(tmp_path))
    assert rows.index.tolist() == ["b", "c", "d"]
    assert rows.entry.tolist() == [30 / 31, 9 / 31, 0]
    assert (rows.duration > rows.entry).all()


def test_kinds_of_churn_that_nobody_wrote_down_are_named():
    customers = pd.DataFrame(
        {
            "customer_id": list("abc"),
            "started_on": "2025-01-01",
            "churned_on": ["2025-02-01", "2025-02-01", None],
            "churn_kind": ["voluntary", None, None],
        }
    )
    counts = lifetimes(cslib.load({"customers": customers}, as_of="2025-03-31"))
    assert counts.churn_kind.tolist() == ["not recorded", "voluntary", ""]


def test_customers_may_be_derived_from_subscriptions():
    subscriptions = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "started_on": ["2025-01-01", "2025-02-01"],
            "ended_on": ["2025-02-01", "2025-03-01"],
            "mrr": 5,
        }
    )
    counts = lifetimes(cslib.load({"subscriptions": subscriptions}, as_of="2025-03-31"))
    assert counts[["event_observed", "n"]].values.tolist() == [[True, 1]]
    assert counts.duration_months[0] == 2


def test_without_customers_the_error_names_the_table():
    orders = pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2025-01-01"], "amount": 1})
    with pytest.raises(DataError, match="no table 'customers', which this needs"):
        lifetimes(cslib.load({"orders": orders}))


def test_an_unknown_segment_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="Did you mean 'plan'"):
        lifetimes(dated(("a", "2025-01-01", None), as_of="2025-03-31"), segment_by="plam")


def test_nobody_under_observation_is_an_error(tmp_path):
    (tmp_path / "customers.csv").write_text("customer_id,started_on,churned_on\na,2025-01-01,2025-01-20\n")
    (tmp_path / "cslib.toml").write_text("as_of = 2025-03-31\nobserved_from = 2025-02-01\n")
    with pytest.raises(DataError, match="was under observation from observed_from 2025-02-01 on"):
        lifetimes(cslib.load(tmp_path))


@pytest.mark.long
@given(few_or_many(st.tuples(st.integers(0, 60), st.booleans(), st.sampled_from("xyz"))))
@settings(max_examples=8)
def test_counts_add_up_and_order_does_not_matter(people):
    frame = pd.DataFrame(people, columns=["tenure_months", "churned", "plan"]).assign(
        customer_id=lambda d: [str(i) for i in d.index]
    )
    counts = lifetimes(cslib.load({"customers": frame}), segment_by="plan")
    shuffled = lifetimes(cslib.load({"customers": frame.iloc[::-1]}), segment_by="plan")
    pd.testing.assert_frame_equal(counts, shuffled)
    assert counts.groupby("segment").n.sum()["All"] == len(people)
    expected = frame.groupby(["plan", "tenure_months", "churned"]).size()
    parts = counts[counts.segment != "All"]
    assert np.array_equal(parts.n, expected)


def test_counts_are_found_once_and_whoever_changes_them_changes_their_own():
    rows = [("a", "2025-01-01", "2025-01-31"), ("b", "2025-01-05", None, "Team"), ("c", "2025-01-05", None)]
    data, teams = dated(*rows, as_of="2025-02-28"), dated(*rows, as_of="2025-02-28", where="plan=Team")
    whole = lifetimes(data)
    whole["n"] = 99
    assert lifetimes(data)["n"].sum() == 3
    assert lifetimes(data, segment_by="plan").query("segment == 'Team'")["n"].sum() == 1
    assert lifetimes(teams)["n"].sum() == 1
    assert lifetimes(teams.everybody)["n"].sum() == 3
    assert lifetimes(rewind(data, date(2025, 1, 3)))["n"].sum() == 1
