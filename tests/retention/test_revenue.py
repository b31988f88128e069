import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import WHO, few_or_many

from cslib import DataError, load
from cslib.retention.revenue import net_and_gross, revenue_curve, revenue_levels, revenue_retention


def subscriptions(*rows, as_of="2025-04-30"):
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])
    return load({"subscriptions": frame.astype({"ended_on": object})}, as_of=as_of)


CASE = (
    ("a", "2025-01-10", "2025-03-01", 100.0),  # doubles in March, then leaves
    ("a", "2025-03-01", "2025-04-10", 200.0),
    ("b", "2025-01-20", "2025-02-15", 50.0),  # pauses in February, returns smaller
    ("b", "2025-03-05", None, 30.0),
)


def test_net_and_gross_by_hand():
    table = revenue_retention(revenue_levels(subscriptions(*CASE), max_periods=3))
    assert table.mrr_start.tolist() == [150.0] * 4
    assert table.mrr.tolist() == [150.0, 100.0, 230.0, 30.0]
    assert table.net_retention.tolist() == pytest.approx([1, 100 / 150, 230 / 150, 30 / 150])
    assert table.gross_retention.tolist() == pytest.approx([1, 100 / 150, 130 / 150, 30 / 150])
    assert list(table) == [
        *("segment", "cohort", "period_index", "mrr_start", "mrr", "net_retention", "gross_retention"),
    ]


def test_unfinished_period_and_cohort_without_mrr_are_missing():
    data = subscriptions(*CASE, ("c", "2025-03-02", "2025-03-09", 10.0), as_of="2025-04-29")
    table = revenue_retention(revenue_levels(data))
    assert table.loc[table.period_index == 3, ["mrr", "net_retention", "gross_retention"]].isna().all(axis=None)
    march = table[table.cohort == "2025-03-01"]
    assert march.mrr_start.tolist() == [0, 0]
    assert march.net_retention.isna().all()


def test_pooling_adds_money_over_cohorts():
    data = subscriptions(*CASE, ("c", "2025-02-01", "2025-03-01", 850.0))
    pooled = revenue_curve(revenue_levels(data)).set_index("period_index")
    assert pooled.loc[1, "mrr_start"] == 1000.0
    assert pooled.loc[1, "net_retention"] == pytest.approx(0.1)
    shape = net_and_gross(pooled.reset_index())
    assert shape.segment.unique().tolist() == ["net", "gross"]


TRIALS = [(f"t{i}", "2025-01-05", "2025-02-05", 0.0) for i in range(10)]
CONVERTED = [(f"t{i}", "2025-02-05", None, 10.0) for i in range(10)]


def test_a_cohort_begins_with_the_first_paid_month_and_not_with_a_trial():
    data = subscriptions(*TRIALS, *CONVERTED, ("payer", "2025-01-10", None, 10.0))
    table = revenue_retention(revenue_levels(data))
    assert table.net_retention.tolist() == [1.0] * 7  # one payer of January over 4 months, ten of February over 3
    assert table.groupby("cohort").mrr_start.first().tolist() == [10.0, 100.0]
    assert revenue_curve(revenue_levels(data))[["n_customers", "mrr_start"]].iloc[0].tolist() == [11, 110.0]


def test_free_accounts_and_trials_that_end_are_in_no_cohort():
    data = subscriptions(*TRIALS, ("free", "2025-01-05", None, 0.0), ("payer", "2025-01-10", None, 10.0))
    assert revenue_curve(revenue_levels(data)).n_customers.tolist() == [1] * 4


def test_a_free_month_after_a_paid_one_loses_its_mrr():
    rows = (
        ("a", "2025-01-05", "2025-02-05", 10.0),
        ("a", "2025-02-05", "2025-03-05", 0.0),
        ("a", "2025-03-05", None, 10.0),
    )
    assert revenue_retention(revenue_levels(subscriptions(*rows))).net_retention.tolist() == [1, 0, 1, 1]


ROWS = few_or_many(
    st.tuples(WHO, st.integers(0, 300), st.one_of(st.none(), st.integers(0, 200)), st.integers(0, 50_000))
).filter(lambda rows: any(mrr for *_, mrr in rows))


def _frame(rows):
    start = pd.Timestamp("2024-01-01")
    days = [
        (start + pd.Timedelta(days=s), None if n is None else start + pd.Timedelta(days=s + n)) for _, s, n, _ in rows
    ]
    return pd.DataFrame(
        {
            "customer_id": [f"c{c}" for c, *_ in rows],
            "started_on": [f"{s:%Y-%m-%d}" for s, _ in days],
            "ended_on": [None if e is None else f"{e:%Y-%m-%d}" for _, e in days],
            "mrr": [m / 100 for *_, m in rows],
            "plan": ["x" if c % 2 else "y" for c, *_ in rows],
        }
    )


def _by_rows(frame, months):
    """MRR per cohort and month, net and capped, month end by month end: an independent computation."""
    frame = frame[frame.mrr > 0]
    frame = frame.assign(first=frame.groupby("customer_id").started_on.transform("min").str[:7])
    found = {}
    for month in months:
        last = f"{month.end_time:%Y-%m-%d}"
        live = frame[(frame.started_on <= last) & (frame.ended_on.isna() | (frame.ended_on > last))]
        for (customer, first), own in live.groupby(["customer_id", "first"]):
            found[customer, first, str(month)] = round(own.mrr.sum(), 2)
    net, gross = {}, {}
    for (customer, first, month), mrr in found.items():
        net[first, month] = net.get((first, month), 0) + mrr
        gross[first, month] = gross.get((first, month), 0) + min(mrr, found.get((customer, first, first), 0))
    return net, gross


@pytest.mark.long
@settings(max_examples=8)
@given(ROWS)
def test_steps_equal_rows(rows):
    frame = _frame(rows).astype({"ended_on": object})
    months = pd.period_range("2024-01", "2025-06", freq="M")
    net, gross = _by_rows(frame, months)
    data = load({"subscriptions": frame}, as_of="2025-06-30")
    table = revenue_retention(revenue_levels(data, segment_by="plan", max_periods=99))
    whole = table[table.segment == "All"]
    for row in whole.itertuples():
        key = (f"{row.cohort:%Y-%m}", str(pd.Period(row.cohort, "M") + row.period_index))
        assert row.mrr == pytest.approx(net.get(key, 0), abs=1e-6)
        if row.mrr_start > 0:
            assert row.gross_retention * row.mrr_start == pytest.approx(gross.get(key, 0), abs=1e-6)
    parts = table[table.segment != "All"].groupby(["cohort", "period_index"]).mrr.sum()
    assert np.allclose(parts, whole.set_index(["cohort", "period_index"]).mrr.reindex(parts.index))


def test_no_subscriptions():
    data = load({"orders": pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2025-01-01"], "amount": [1]})})
    with pytest.raises(DataError, match="no table 'subscriptions'"):
        revenue_levels(data)
