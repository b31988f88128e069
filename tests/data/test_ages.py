"""Ages in months of the calendar: anniversaries are whole numbers, and who leaves at one has left by then."""

import ibis
import numpy as np
import pandas as pd
import pytest
from age_world import ages

from cslib import Churn, load
from cslib.churn.at_risk import at_risk
from cslib.churn.drivers import fit_drivers
from cslib.data.calendar import age_in_months
from cslib.data.lifetimes import lifetimes
from cslib.stats.survival import survival_at, survival_curve
from cslib.value.prices import value_counts


def test_ages_equal_a_count_of_anniversaries():
    days = np.sort(np.random.default_rng(0).integers(10_592, 47_847, (4000, 2)))  # of 1999 to 2100
    pairs = pd.DataFrame(days.astype("datetime64[D]").astype("datetime64[s]"), columns=["start", "end"])
    rows = ibis.memtable(pairs)
    rows = rows.mutate(start=rows.start.cast("date"), end=rows.end.cast("date"))
    found = rows.mutate(age=age_in_months(rows.start, rows.end)).execute()
    assert found["age"].tolist() == ages(found["start"], found["end"])


@pytest.mark.parametrize("start", ["2020-02-29", "2023-01-31", "2023-12-31", "2024-02-29", "2019-11-30", "2021-06-15"])
@pytest.mark.parametrize("months", [1, 2, 6, 12, 24, 48])
def test_an_anniversary_is_a_whole_number_whatever_days_lie_between(start, months):
    day = ibis.literal(pd.Timestamp(start).date())
    end = (pd.Timestamp(start) + pd.DateOffset(months=months)).date()
    assert float(age_in_months(day, ibis.literal(end)).execute()) == months


def renewals(every, shares, *, n=100, first="2023-03-01", freq="20D", as_of="2026-12-31"):
    """Customers of 20 days of start, of whom the shares given leave at the first, second … renewal."""
    rows = []
    for day in pd.date_range(first, periods=20, freq=freq):
        there = n
        for k, share in enumerate(shares, 1):
            left = round(there * share)
            rows += [(day, day + pd.DateOffset(months=every * k))] * left
            there -= left
        rows += [(day, None)] * there
    frame = pd.DataFrame(rows, columns=["started_on", "churned_on"])
    return load(
        {"customers": frame.assign(customer_id=[f"c{i}" for i in frame.index], mrr=10.0, plan="x")}, as_of=as_of
    )


def at(data, months):
    return survival_at(survival_curve(lifetimes(data)), months)["survival"].tolist()


@pytest.mark.parametrize("first", ["2022-03-01", "2023-02-01", "2023-07-01"])  # some spans hold a leap day
def test_a_yearly_renewal_is_told_at_the_anniversary(first):
    data = renewals(12, (0.3, 0.3), first=first)
    assert at(data, [11.9, 12, 23.9, 24]) == pytest.approx([1, 0.7, 0.7, 0.49])
    assert Churn(data).survival.title == "70 % of customers stay longer than 12 months"


def test_monthly_renewals_are_told_at_each_month():
    assert at(renewals(1, (0.1,) * 7), range(7)) == pytest.approx([1, 0.9, 0.81, 0.73, 0.66, 0.59, 0.53])


@pytest.mark.slow
def test_a_customer_is_priced_up_to_the_renewal_it_does_not_take():
    paid = value_counts(renewals(12, (0.3,))).paid
    by_age = paid.groupby("age")["n_priced"].sum()
    assert by_age.loc[[0, 11, 12, 13]].tolist() == [2000, 2000, 1400, 1400]


def test_the_risk_ahead_holds_the_renewal_at_its_end():
    data = renewals(12, (0.3, 0.3), freq="60D", as_of="2026-06-30")
    calls = at_risk(data, fit_drivers(data), horizon_months=12)
    before_the_second = calls["tenure_months"].between(12, 23)
    assert calls.loc[before_the_second, "p_churn"].to_numpy() == pytest.approx(0.3, abs=0.001)


def test_who_leaves_at_a_stated_age_has_left_whatever_the_rounding():
    counts = pd.DataFrame(
        {
            "segment": "All",
            "entry_months": 0.0,
            "duration_months": [30 * (1 / 30.4375), 3.0],
            "event_observed": [True, False],
            "n": 1,
        }
    )
    (row,) = survival_at(survival_curve(counts), [30 / 30.4375]).to_dict("records")
    assert (row["survival"], row["n_at_risk"]) == (0.5, 2)
