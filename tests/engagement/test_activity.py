import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import WHO, few_or_many

from cslib import load
from cslib.engagement.activity import activity, has_features, time_to_value
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.stats.intervals import wilson


def people(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on"])


def usage(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "occurred_at", "feature"])


PEOPLE = people(("a", "2024-12-05", None), ("b", "2024-12-05", "2025-02-10"), ("c", "2025-01-20", None))
USES = usage(
    ("a", "2025-01-01", "chat"), ("a", "2025-01-31T23:59:00", "chat"), ("a", "2025-01-09", "mail"),
    ("b", "2025-01-15", "chat"), ("b", "2025-02-03", "mail"), ("c", "2025-02-28", "files"), ("c", "2025-02-20", None),
)  # fmt: skip


def tables(as_of="2025-02-28", **more):
    return load({"customers": PEOPLE, "usage": USES, **more}, as_of=as_of)


@pytest.mark.long
def test_activity_by_hand():
    """b leaves in February and counts in January only; files is known from February on."""
    found = activity(tables()).set_index("month")
    january, february = found.loc["2025-01-01"], found.loc["2025-02-01"]
    assert january[["n_customers", "n_active", "uses_per_active"]].tolist() == [3, 2, 2.0]
    assert january["adoption"] == pytest.approx((2 + 1) / 2 / 3)
    assert february[["n_customers", "n_active", "uses_per_active"]].tolist() == [2, 1, 2.0]
    assert february["adoption"] == pytest.approx(1 / 3 / 2)
    bounds = wilson(2, 3)
    assert january[["active_share_ci_lower", "active_share_ci_upper"]].tolist() == pytest.approx(
        [float(bounds.lower), float(bounds.upper)]
    )


def test_one_feature_is_a_share_of_customers():
    found = activity(tables(), value_feature="chat").iloc[0]
    assert found["adoption"] == pytest.approx(2 / 3)
    assert found["adoption_ci_upper"] == pytest.approx(float(wilson(2, 3).upper))


def test_uses_have_the_interval_of_a_mean():
    """3 and 1 uses: mean 2, standard error 1, Student's t of one degree 12.706."""
    row = activity(tables()).iloc[0]
    assert row["uses_per_active_ci_upper"] == pytest.approx(2 + 12.7062, abs=1e-3)


def test_customers_all_alike_are_no_proof():
    """All use the one feature once: no spread is known of the uses, and adoption is not surely 1."""
    same = usage(*((c, day, "x") for c in "abc" for day in ("2025-01-01", "2025-02-28")))
    row = activity(load({"customers": PEOPLE, "usage": same}, as_of="2025-02-28")).iloc[0]
    assert np.isnan(row["uses_per_active_ci_upper"])
    assert row["adoption"] == 1
    assert np.isnan(row["adoption_ci_lower"])


@pytest.mark.long
def test_only_whole_recorded_months_count():
    assert activity(tables("2025-02-27"))["month"].tolist() == [pd.Timestamp("2025-01-01")]
    late = USES[USES["occurred_at"] > "2025-01-02"]
    assert activity(load({"customers": PEOPLE, "usage": late}, as_of="2025-02-28"))["month"].min().month == 2
    stale = activity(tables("2025-06-30"))
    assert stale["month"].max() == pd.Timestamp("2025-02-01")
    with pytest.raises(DataError, match="no whole month"):
        activity(tables("2025-01-15"))


@pytest.mark.long
def test_an_export_that_stops_early_is_no_loss_of_users():
    """Used daily until 10 February: that month is not recorded, and customers are seen until then only."""
    days = pd.date_range("2025-01-01", "2025-02-10")
    uses = usage(*(("a", day, "x") for day in days))
    data = load({"customers": PEOPLE, "usage": uses}, as_of="2025-02-28")
    assert activity(data)["month"].tolist() == [pd.Timestamp("2025-01-01")]
    weekly = uses[uses["occurred_at"].dt.dayofweek < 5]  # not used at weekends: January, which ends on a Friday, counts
    data = load({"customers": PEOPLE, "usage": weekly[weekly["occurred_at"] < "2025-02-01"]}, as_of="2025-02-28")
    assert activity(data)["month"].tolist() == [pd.Timestamp("2025-01-01")]


def test_segments_add_up_to_the_whole():
    data = load({"customers": PEOPLE.assign(plan=["x", "y", "y"]), "usage": USES}, as_of="2025-02-28")
    found = activity(data, segment_by="plan")
    for _, month in found.groupby("month"):
        whole, parts = month[month["segment"] == "All"], month[month["segment"] != "All"]
        assert parts[["n_customers", "n_active"]].sum().tolist() == whole[["n_customers", "n_active"]].iloc[0].tolist()


@pytest.mark.long
def test_a_segment_that_never_used_the_feature_has_it_all_the_same():
    """Mail is used by a and b alone; of c its adoption is none, and nobody there has got to value."""
    uses = pd.concat([USES, usage(("c", "2025-01-31", "files"))])
    data = load({"customers": PEOPLE.assign(plan=["A", "A", "C"]), "usage": uses}, as_of="2025-02-28", where="plan=C")
    assert activity(data, value_feature="mail")["adoption"].tolist() == [0.0]
    assert time_to_value(data, value_feature="mail")["median_days"].isna().all()
    with pytest.raises(ParameterError, match="which nobody used"):
        activity(data, value_feature="fax")


@pytest.mark.long
def test_what_is_missing_is_said():
    plain = load({"customers": PEOPLE, "usage": USES.drop(columns="feature")}, as_of="2025-02-28")
    assert not has_features(plain)
    assert activity(plain)["adoption"].isna().all()
    with pytest.raises(ParameterError, match="no column feature"):
        activity(plain, value_feature="chat")
    with pytest.raises(ParameterError, match="Did you mean 'chat'"):
        activity(tables(), value_feature="chatt")
    tenures = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [False]})
    with pytest.raises(MissingTableError, match="tenures"):
        activity(load({"customers": tenures, "usage": USES}, as_of="2025-02-28"))


def test_activity_equals_pandas():
    rng = np.random.default_rng(3)
    n = 400
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")
    gone = (start + pd.to_timedelta(rng.integers(0, 300, n), "D")).where(rng.random(n) < 0.5)
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], "started_on": start, "churned_on": gone})
    customers.loc[customers["churned_on"] > "2024-12-31", "churned_on"] = pd.NaT
    who = rng.integers(0, n, 5000)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, 5000), "D")
    uses = pd.DataFrame({"customer_id": customers["customer_id"].to_numpy()[who], "occurred_at": days})
    uses["feature"] = rng.choice(["x", "y", "z"], 5000)
    found = activity(load({"customers": customers, "usage": uses}, as_of="2024-12-31")).set_index("month")
    for month, row in found.iterrows():
        end = month + pd.offsets.MonthEnd(0)
        here = customers[(customers["started_on"] <= end) & ~(customers["churned_on"] <= end)]["customer_id"]
        own = uses[(uses["occurred_at"] >= month) & (uses["occurred_at"] <= end) & uses["customer_id"].isin(here)]
        assert row["n_customers"] == len(here)
        assert row["active_share"] == pytest.approx(own["customer_id"].nunique() / len(here))
        assert row["uses_per_active"] == pytest.approx(len(own) / own["customer_id"].nunique())
        assert row["adoption"] == pytest.approx(len(own.drop_duplicates(["customer_id", "feature"])) / 3 / len(here))


# Ten start on 1 January: uses after 2, 4, 6, 8 days; one leaves on day 5, the others are seen for 58 days.
TEN = people(*((f"c{i}", "2025-01-01", "2025-01-06" if i == 9 else None) for i in range(10)))


def first_uses(days):
    """Uses so many days after the start, and a last one on the last day, so that all three months are recorded."""
    firsts = ((f"c{i}", pd.Timestamp("2025-01-01") + pd.Timedelta(days=d), "chat") for i, d in enumerate(days))
    return usage(*firsts, ("c0", pd.Timestamp("2025-03-31"), "chat"))


def found_for(days, **options):
    data = load({"customers": TEN, "usage": first_uses(days)}, as_of="2025-03-31")
    return time_to_value(data, **options).iloc[-1]


@pytest.mark.long
def test_half_of_all_who_started_is_what_counts():
    """Five of ten by day 9; the mean of those who got there would say 5.8 days."""
    row = found_for([0, 2, 6, 8, 9, 20, 40])
    assert row[["n_customers", "n_reached", "median_days"]].tolist() == [10, 7, 9.0]
    assert found_for([0, 2, 6, 8])["n_reached"] == 4
    assert np.isnan(found_for([0, 2, 6, 8])["median_days"])


def test_a_use_after_the_churn_is_none_and_one_before_the_start_is_at_once():
    odd = usage(("c9", pd.Timestamp("2025-01-20"), "chat"), ("c5", pd.Timestamp("2025-01-01"), "chat"))
    mixed = pd.concat([first_uses([0] * 5), odd])
    rows = TEN.assign(started_on=TEN["started_on"].where(TEN["customer_id"] != "c5", "2025-01-15"))
    row = time_to_value(load({"customers": rows, "usage": mixed}, as_of="2025-03-31")).iloc[-1]
    assert row[["n_reached", "median_days"]].tolist() == [6, 0.0]


def test_the_feature_that_is_value_counts():
    mixed = pd.concat([first_uses([0] * 10), first_uses([3] * 8).assign(feature="reports")])
    data = load({"customers": TEN, "usage": mixed}, as_of="2025-03-31")
    assert time_to_value(data, value_feature="reports").iloc[-1]["median_days"] == 3


def test_starts_are_taken_together_back_from_the_last_complete_month():
    starts = pd.date_range("2025-01-01", "2025-05-31", freq="D")
    rows = people(*((f"c{i}", day, None) for i, day in enumerate(starts)))
    used = usage(*((f"c{i}", day, "x") for i, day in enumerate(starts)))
    found = time_to_value(load({"customers": rows, "usage": used}, as_of="2025-06-10"))
    assert found["until"].tolist() == [pd.Timestamp("2025-05-31")]
    assert found["n_customers"].tolist() == [31 + 30 + 31]


def test_months_in_which_nobody_started_are_there():
    rows = people(("a", "2025-01-03", None), ("b", "2025-01-04", None))
    used = usage(("a", "2025-01-01", "x"), ("b", "2025-01-06", "x"), ("a", "2025-12-31", "x"))
    found = time_to_value(load({"customers": rows, "usage": used}, as_of="2025-12-31"))
    assert found["until"].tolist() == [pd.Timestamp("2025-03-31"), pd.Timestamp("2025-12-31")]
    assert found["n_customers"].tolist() == [2, 0]


@pytest.mark.long
@pytest.mark.parametrize("n", [30, 300])
def test_the_interval_of_the_median_covers(n):
    """Value after an exponential time, a fifth of all leave first at the same pace, all are seen for 89 days."""
    rng, hits, worlds, loads = np.random.default_rng(n), 0, 50, 12
    start, hazard = pd.Timestamp("2025-01-01"), 1.25 * np.log(2) / 20
    truth = -np.log(1 - 0.5 / 0.8) / hazard  # where 0.8 (1 − exp(−ht)) is half
    for _ in range(loads):
        rows = pd.DataFrame({"customer_id": [f"c{i}" for i in range(n * worlds)], "started_on": start})
        rows["world"] = [f"w{i % worlds}" for i in range(n * worlds)]
        days, reached = rng.exponential(1 / hazard, len(rows)).astype(int), rng.random(len(rows)) < 0.8
        when = start + pd.to_timedelta(days, "D")
        seen = days < 89
        rows["churned_on"] = (when + pd.Timedelta(days=1)).where(~reached & (days < 88))
        used = pd.DataFrame({"customer_id": rows["customer_id"], "occurred_at": when, "feature": "x"})[reached & seen]
        ends = usage(("c0", start, "y"), ("c0", pd.Timestamp("2025-03-31"), "y"))
        data = load({"customers": rows, "usage": pd.concat([used, ends])}, as_of="2025-03-31")
        found = time_to_value(data, segment_by="world", value_feature="x")
        found = found[found["segment"] != "All"]
        hits += ((found["ci_lower"] <= truth) & (found["ci_upper"].fillna(np.inf) + 1 >= truth)).sum()  # whole days
    assert 0.92 <= hits / worlds / loads <= 0.985


@pytest.mark.long
@settings(max_examples=8)
@given(few_or_many(st.tuples(WHO, st.integers(0, 80), st.sampled_from("xy"))))
def test_order_and_repetition_of_rows_do_not_matter(rows):
    day = pd.Timestamp("2025-01-01")
    used = usage(
        *((f"c{i}", day + pd.Timedelta(days=d), f) for i, d, f in rows),
        ("c0", day, "x"),
        ("c0", pd.Timestamp("2025-03-31"), "x"),
    )
    whole = people(*((f"c{i}", "2024-12-15", None) for i in range(31)))
    one = activity(load({"customers": whole, "usage": used}, as_of="2025-03-31"))
    other = activity(load({"customers": whole[::-1], "usage": used[::-1]}, as_of="2025-03-31"))
    pd.testing.assert_frame_equal(one, other)
