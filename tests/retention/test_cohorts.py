import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import WHO, few_or_many

from cslib import DataError, ParameterError, load
from cslib.retention import cohorts as subject
from cslib.retention.cohorts import by_cohort_year, compare_cohorts, retention, retention_curve, tenure_curve
from cslib.retention.revenue import revenue_levels
from cslib.show.charts import largest_segments


def orders(*rows, as_of="2025-04-30", **extra):
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_on"]).assign(amount=1.0, **extra)
    return load({"orders": frame}, as_of=as_of)


def subscriptions(*rows, as_of="2025-04-30"):
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on"]).assign(mrr=10.0)
    return load({"subscriptions": frame.astype({"ended_on": object})}, as_of=as_of)


def cells(table):
    n = table["n_retained"].astype(object).where(table["n_retained"].notna(), None)
    return [
        (c.month, k, m, r) for c, k, m, r in zip(table.cohort, table.period_index, table.n_customers, n, strict=True)
    ]


ACTIVITY = (("a", "2025-01-05"), ("a", "2025-03-01"), ("b", "2025-01-31"), ("c", "2025-03-31"), ("c", "2025-04-01"))


def test_on_by_hand():
    assert cells(retention(orders(*ACTIVITY), max_periods=3)) == [
        (1, 0, 2, 2),
        (1, 1, 2, 0),
        (1, 2, 2, 1),
        (1, 3, 2, 0),
        (3, 0, 1, 1),
        (3, 1, 1, 1),
    ]


def test_on_or_after_by_hand():
    found = cells(retention(orders(*ACTIVITY), kind="on_or_after", max_periods=3))
    assert [r for *_, r in found] == [2, 1, 1, 0, 1, 1]


def test_brackets_by_hand():
    found = cells(retention(orders(*ACTIVITY), kind="0,1-2,3-5", max_periods=12))
    assert found == [(1, 0, 2, 2), (1, 1, 2, 1), (1, 3, 2, None), (3, 0, 1, 1), (3, 1, 1, None)]


def test_brackets_say_themselves_how_far_they_go():
    table = retention(orders(("a", "2022-01-05"), ("a", "2024-06-01")), kind="1-3,25-30", max_periods=3)
    assert [(k, r) for _, k, _, r in cells(table)] == [(1, 0), (25, 1)]


def test_on_or_after_needs_a_covered_period():
    """A second subscription that covers no month's end retains nobody."""
    data = subscriptions(
        ("a", "2025-01-05", "2025-01-20"), ("a", "2025-03-05", "2025-03-20"), ("b", "2025-01-05", None)
    )
    for kind in ("on", "on_or_after"):
        assert [r for *_, r in cells(retention(data, kind=kind))] == [1, 1, 1, 1]


def test_a_period_that_is_not_over_is_missing_never_zero():
    table = retention(orders(*ACTIVITY, as_of="2025-04-29"), max_periods=3)
    april = table[table.cohort + pd.to_timedelta(0) >= "2025-03-01"]
    assert cells(april) == [(3, 0, 1, 1), (3, 1, 1, None)]
    assert table[table.n_retained.isna()][["retention_rate", "ci_lower", "ci_upper"]].isna().all(axis=None)
    assert table.n_customers.notna().all()


def test_a_subscription_counts_where_it_covers_the_last_day():
    data = subscriptions(
        ("a", "2025-01-31", None),
        ("b", "2025-01-01", "2025-01-31"),  # ends on the last day, which it does not cover
        ("c", "2025-01-15", "2025-02-01"),
        ("d", "2025-01-02", "2025-02-10"),
        ("d", "2025-03-31", None),
    )
    assert [r for *_, r in cells(retention(data, max_periods=3))] == [3, 1, 2, 2]


def test_declared_customers_and_events_after_as_of():
    frame = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "started_on": ["2025-01-01", "2025-01-01", "2025-05-05"],
            "churned_on": ["2025-06-01", "2025-02-28", None],
        }
    )
    table = retention(load({"customers": frame}, as_of="2025-03-31"))
    assert cells(table) == [(1, 0, 2, 2), (1, 1, 2, 1), (1, 2, 2, 1)]


def test_wilson_and_columns():
    table = retention(orders(*ACTIVITY))
    assert list(table) == [
        *("segment", "cohort", "period_index", "n_customers", "n_retained"),
        *("retention_rate", "ci_lower", "ci_upper"),
    ]
    # Wilson of 1 in 2 by hand: centre 1/2, half width sqrt(z²(1/2 + z²/4)) / (2 + z²), z² = 3.841459
    half = np.sqrt(3.841459 * (0.5 + 3.841459 / 4)) / (2 + 3.841459)
    row = table[(table.period_index == 2)].iloc[0]
    assert (row.ci_lower, row.ci_upper) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_pooled_curve_weighs_by_customers():
    cells_ = pd.DataFrame(
        {"segment": "All", "period_index": 1, "n_customers": [10, 100, 7], "n_retained": [2, 0, None]}
    )
    curve = retention_curve(cells_.astype({"n_retained": "Int64"}))
    assert curve["retention_rate"].iloc[0] == pytest.approx(2 / 110)
    assert curve["n_customers"].iloc[0] == 110


def test_by_cohort_year_keeps_the_whole_only():
    data = orders(("a", "2024-12-31"), ("b", "2025-01-01"), shop=["x", "y"])
    years = by_cohort_year(retention(data, segment_by="shop"))
    assert years.groupby("segment").n_customers.first().to_dict() == {"2024": 1, "2025": 1}


EVENTS = few_or_many(st.tuples(WHO, st.integers(0, 500)))


def _from(events):
    rows = [(f"c{c:02d}", f"{pd.Timestamp('2023-12-20') + pd.Timedelta(days=d):%Y-%m-%d}") for c, d in events]
    return orders(*rows, as_of="2025-06-30", shop=["x" if c % 3 else "y" for c, _ in events])


def _by_rows(events, period):
    """Retention on, straight from pandas rows: an independent computation."""
    days = pd.DataFrame(events, columns=["id", "d"])
    days["at"] = (pd.Timestamp("2023-12-20") + pd.to_timedelta(days.d, unit="D")).dt.to_period(period)
    days["first"] = days.groupby("id")["at"].transform("min")
    days["k"] = [(a - f).n for a, f in zip(days["at"], days["first"], strict=True)]
    return days.groupby(["first", "k"]).id.nunique().to_dict()


@pytest.mark.long
@settings(max_examples=8)
@given(EVENTS)
def test_counts_equal_rows(events):
    data = _from(events)
    for name, pandas_name in (("month", "M"), ("week", "W-SUN"), ("quarter", "Q"), ("year", "Y")):
        check_counts(retention(data, period=name, max_periods=80), events, pandas_name)


def check_counts(table, events, pandas_name):
    known = table[table.n_retained.fillna(0) > 0]
    found = {
        (pd.Period(c, pandas_name), k): n
        for c, k, n in zip(known.cohort, known.period_index, known.n_retained, strict=True)
    }
    unfinished = table[table.n_retained.isna()]
    skipped = {(pd.Period(c, pandas_name), k) for c, k in zip(unfinished.cohort, unfinished.period_index, strict=True)}
    assert found == {k: n for k, n in _by_rows(events, pandas_name).items() if k not in skipped}


@pytest.mark.long
@settings(max_examples=6)
@given(EVENTS)
def test_portable_path_and_order_give_the_same(events):
    masks = retention(_from(events), segment_by="shop", period="week")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "MAX_WORDS", 0)  # as on an engine without BIT_OR
        portable = retention(_from(events[::-1]), segment_by="shop", period="week")
    pd.testing.assert_frame_equal(masks, portable)


@pytest.mark.long
@settings(max_examples=6)
@given(EVENTS)
def test_segments_add_up_to_the_whole(events):
    table = retention(_from(events), segment_by="shop")
    whole = table[table.segment == "All"].set_index(["cohort", "period_index"])
    parts = table[table.segment != "All"].groupby(["cohort", "period_index"])[["n_customers", "n_retained"]].sum()
    assert (parts.n_customers == whole.n_customers.reindex(parts.index)).all()
    assert (parts.n_retained == whole.n_retained.reindex(parts.index).fillna(0)).all()


@pytest.mark.long
@settings(max_examples=6)
@given(EVENTS)
def test_a_bracket_of_one_is_the_period_itself(events):
    data = _from(events)
    single = retention(data, kind="1,2,3", max_periods=3)
    plain = retention(data, max_periods=3)
    pd.testing.assert_frame_equal(single, plain[plain.period_index > 0].reset_index(drop=True))


@pytest.mark.slow
@pytest.mark.parametrize("source", ["orders", "usage", "subscriptions", "customers"])
@pytest.mark.parametrize("kind", ["on", "on_or_after", "1-2,3-4"])
def test_every_source_and_kind_under_a_filter(root, teams, source, kind):
    table = retention(teams, source=source, kind=kind, period="quarter", segment_by="region")
    whole = table[(table.segment == "All") & (table.period_index == 1)]
    team = pd.read_csv(root / "data" / "customers.csv", dtype=str).query("plan == 'Team'")
    first = pd.read_csv(root / "data" / f"{source}.csv", dtype=str)
    moment = {"orders": "ordered_on", "usage": "occurred_at"}.get(source, "started_on")
    first = first[first.customer_id.isin(team.customer_id)].groupby("customer_id")[moment].min()
    assert whole.n_customers.sum() == (first < "2025-04-01").sum()


def test_many_words_of_days():
    """300 days need five words of 62 bits; the last day sits in the fifth."""
    data = orders(("a", "2024-06-01"), ("a", "2025-03-27"), ("a", "2024-08-01"), as_of="2025-03-27")
    table = retention(data, period="day", max_periods=400)
    assert table.loc[table.n_retained == 1, "period_index"].tolist() == [0, 61, 299]
    assert len(table) == 300


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"source": "usage"}, DataError, "no table 'usage'.*columns: customer_id, occurred_at"),
        ({"source": "order"}, ParameterError, "source is 'order'. Did you mean 'orders'"),
        ({"period": "fortnight"}, ParameterError, "period is 'fortnight'"),
        ({"kind": "6-4"}, ParameterError, "rising brackets"),
        ({"kind": "1-3,2-4"}, ParameterError, "rising brackets"),
        ({"kind": "after"}, ParameterError, "kind is 'after'. Choose 'on', 'on_or_after'"),
        ({"max_periods": 0}, ParameterError, "max_periods is 0. Give 1 or more"),
        ({"segment_by": "plan"}, ParameterError, "segment_by is 'plan'"),
    ],
)
def test_bad_parameters(options, error, message):
    with pytest.raises(error, match=message):
        retention(orders(*ACTIVITY), **options)


def tenures(*rows, **extra):
    frame = pd.DataFrame(rows, columns=["customer_id", "tenure_months", "churned"]).assign(**extra)
    return load({"customers": frame})


def test_tenure_curve_by_hand():
    """At risk 4, 4, 3, 1; one leaves in month 1 and one in month 2: 3/4, then 3/4 · 2/3."""
    curve = tenure_curve(tenures(("a", 1, "yes"), ("b", 2, "yes"), ("c", 2, "no"), ("d", 3, "no")))
    assert curve.n_customers.tolist() == [4, 4, 3, 1]
    assert curve.n_retained.tolist() == [4, 3, 2, 1]
    assert curve.retention_rate.tolist() == pytest.approx([1, 0.75, 0.5, 0.5])


def test_tenure_zero_is_kept():
    curve = tenure_curve(tenures(("a", 0, True), ("b", 0, False), ("c", 1, False)))
    assert curve.retention_rate.tolist() == pytest.approx([2 / 3, 2 / 3])


def test_far_tenures_cost_nothing_and_still_count_as_at_risk():
    curve = tenure_curve(tenures(("a", 30_000_000, True), ("b", 1, True), ("c", 9, False)), max_periods=3)
    assert curve.n_customers.tolist() == [3, 3, 2, 2]
    assert curve.retention_rate.tolist() == pytest.approx([1, 2 / 3, 2 / 3, 2 / 3])


def test_nothing_up_to_as_of_is_an_error():
    frame = pd.DataFrame({"customer_id": ["a"], "started_on": ["2025-01-01"], "churned_on": None})
    late = pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2025-06-01"], "amount": [1]})
    data = load({"customers": frame, "orders": late}, as_of="2025-02-28")
    with pytest.raises(DataError, match="orders has no rows up to 2025-02-28"):
        retention(data, source="orders")


def test_observed_from_after_every_start_is_an_error(tmp_path):
    (tmp_path / "cslib.toml").write_text("observed_from = 2025-04-15\nas_of = 2025-04-30\n")
    (tmp_path / "subscriptions.csv").write_text("customer_id,started_on,ended_on,mrr\na,2025-01-01,,5\n")
    data = load(tmp_path)
    for analysis in (retention, compare_cohorts, revenue_levels):
        with pytest.raises(DataError, match="No cohort of .* began from observed_from 2025-04-15 on up to 2025-04-30"):
            analysis(data)


def test_largest_segments_keep_the_whole():
    curve = pd.DataFrame({"segment": ["All", *"abc"], "n_customers": [9, 1, 3, 2]})
    assert largest_segments(curve, most=2).segment.tolist() == ["All", "b", "c"]


def test_tenures_have_no_cohorts():
    data = tenures(("a", 1, True))
    with pytest.raises(DataError, match="tenure_curve"):
        retention(data)
    with pytest.raises(DataError, match="tenures, not dates"):
        retention(data, source="customers")
    with pytest.raises(DataError, match="dates, not tenures"):
        tenure_curve(subscriptions(("a", "2025-01-01", None)))


@pytest.mark.parametrize(("day", "months"), [("2025-02-01", [2, 3]), ("2025-02-02", [3])])
def test_observed_from_leaves_out_cohorts_of_survivors(tmp_path, day, months):
    (tmp_path / "cslib.toml").write_text(f'observed_from = {day}\nas_of = "2025-04-30"\n')
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on\na,2025-01-01,\nb,2025-02-01,\nc,2025-03-01,\n"
    )
    assert retention(load(tmp_path)).cohort.dt.month.unique().tolist() == months
