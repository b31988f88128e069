"""The year foretold: days to look back to, what is compared, and the sample's own year."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cslib
from cslib.value.backtest import _judged, backtest, last_year


def customers(n=60, start="2023-01-10", every=7, churned=None, **more):
    starts = pd.date_range(start, periods=n, freq=f"{every}D")
    rows = pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], "started_on": starts, "churned_on": pd.NaT})
    if churned is not None:
        rows["churned_on"] = churned
    return rows.assign(**more)


def test_a_year_is_summed_up_by_hand():
    """Five months: 3 held are fewer than four of five, 4 are not. All: −10 % of customers, +4 % of revenue."""
    errors = {("All", "active customers"): (-0.12, -0.1), ("All", "MRR"): (0.02, 0.04), ("Pro", "MRR"): (0.3, -0.2)}
    held, known = {"All": 4, "Pro": 3}, {"predicted": 1.0, "actual": 1.0}
    rows = [
        {"segment": s, "measure": m, "error": e, "months_ahead": 4 + i, "n_held": held[s] - 1 + i, **known}
        for (s, m), each in errors.items()
        for i, e in enumerate(each)
    ]
    unknown = [{"segment": "New", "measure": "MRR", "error": np.nan, "months_ahead": 5, "n_held": 0}]
    negative = [{**rows[3], "error": np.nan, "months_ahead": 6, "actual": -1.0}]  # a refund: no share of it tells
    table = last_year(pd.DataFrame(rows + unknown)).set_index("segment")
    assert table.index.tolist() == ["All", "Pro"]
    assert table.loc["All", ["customers", "revenue"]].tolist() == [-0.1, 0.04]
    assert table.loc["All", ["allow_customers", "allow_revenue", "weighted", "each"]].isna().all()
    assert table.loc["Pro", ["revenue", "allow_revenue"]].tolist() == [-0.2, 0.3]
    assert table.loc["Pro", ["customers", "allow_customers", "each"]].isna().all()
    both = [row | {"n_held": 3, "error": row["error"] / 2} for row in rows if row["segment"] == "All"]
    ends = last_year(pd.DataFrame(both)).iloc[0]
    assert ends[["allow_customers", "allow_revenue"]].tolist() == [0.06, 0.02]
    assert last_year(pd.DataFrame(rows).head(0)).empty
    wide = last_year(pd.DataFrame([row | {"error": 12 * row["error"]} for row in both])).iloc[0]
    assert wide["allow_customers"] == 0.72
    far = last_year(pd.DataFrame([row | {"error": 20 * row["error"]} for row in both])).iloc[0]
    assert far["allow_customers"] == np.inf
    assert pd.isna(last_year(pd.DataFrame(rows + negative)).set_index("segment").loc["All", "revenue"])


def test_a_segment_is_summed_up_where_all_could_not_be_foretold():
    rows = {"segment": ["Pro", "Team"], "measure": "MRR", "error": 0.1, "predicted": 1.1, "actual": 1.0}
    assert last_year(pd.DataFrame(rows).assign(months_ahead=1, n_held=1))["segment"].tolist() == ["Pro", "Team"]


def compared(*, parts, all_told):
    """Last months of a backtest: by segment customers and revenue, forecast and actual; and what was forecast of all."""
    came = [sum(of[k] for of in parts.values()) for k in (1, 3)]
    every = {"All": (all_told[0], came[0], all_told[1], came[1]), **parts}
    rows = [
        {"segment": s, "measure": m, "predicted": told, "actual": now, "error": told / now - 1 if now else np.nan}
        for s, (n_told, n, paid_told, paid) in every.items()
        for m, told, now in (("active customers", n_told, n), ("MRR", paid_told, paid))
    ]
    return last_year(pd.DataFrame(rows).assign(months_ahead=1, n_held=1)).set_index("segment").loc["All"]


def test_two_errors_that_nearly_cancel_are_told_like_for_like():
    """Of 100 Lite at 10 and 20 Pro at 100, 80 at 12 and 20 at 105 were forecast: Σ p n' is 2,800 of 3,000."""
    parts = {"Lite": (80, 100, 960, 1000), "Pro": (20, 20, 2100, 2000)}
    row = compared(parts=parts, all_told=(100, 3060))
    assert row[["customers", "revenue"]].tolist() == pytest.approx([-1 / 6, 0.02])
    assert row[["weighted", "each"]].tolist() == pytest.approx([-1 / 15, 3060 / 2800 - 1])
    assert (1 + row.weighted) * (1 + row.each) == pytest.approx(1 + row.revenue)


@pytest.mark.parametrize(
    ("parts", "all_told"),
    [
        ({"Lite": (80, 100, 960, 1000), "Pro": (20, 20, 2100, 2000)}, (98, 3060)),  # no sum of the segments
        ({"Lite": (100, 100, 1000, 1000), "Pro": (20, 0, 0, 0)}, (120, 1000)),  # what those of Pro would pay is unknown
        ({"Lite": (80, 100, 800, 1000)}, (80, 800)),  # nothing cancels
        ({}, (1.0, 1.0)),
    ],
)  # fmt: skip
def test_misses_are_not_told_apart_where_that_cannot_be_done(parts, all_told):
    if not parts:
        parts = {"All": (0.8, 1.0, 1.0, 1.0)}  # without segments
    assert compared(parts=parts, all_told=all_told)[["weighted", "each"]].isna().all()


@pytest.mark.long
def test_the_year_ends_today_and_a_month_end_stays_one():
    """The day to look back from is 29 February 2024, or 30 November 2024."""
    data = cslib.load({"customers": customers(mrr=10.0)}, as_of="2025-02-28")
    ends = [
        "2024-03-31",
        *[f"2024-{m:02}-{d}" for m, d in zip(range(4, 13), (30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True)],
        "2025-01-31",
        "2025-02-28",
    ]
    for months in (12, 3):
        rows = backtest(data, months=months).query("measure == 'MRR'")
        assert rows["month"].dt.strftime("%Y-%m-%d").tolist() == ends[-months:]
        assert rows["months_ahead"].tolist() == list(range(1, months + 1))


@pytest.mark.parametrize(
    ("rows", "as_of"),
    [
        (customers(), "2024-06-30"),  # five months before the year
        (customers(n=19), "2025-06-30"),
        (customers(churned=pd.Timestamp("2024-05-01"), n=40), "2025-06-30"),
        (pd.DataFrame({"customer_id": ["a"], "tenure_months": [30], "churned": [False]}), ""),
    ],
    ids=["too short", "too few", "all gone by then", "tenures"],
)
def test_without_enough_known_then_the_table_is_empty(rows, as_of):
    table = backtest(cslib.load({"customers": rows.assign(mrr=10.0)}, as_of=as_of))
    assert table.empty
    assert list(table)[:7] == ["segment", "month", "predicted", "ci_lower", "ci_upper", "actual", "measure"]
    assert list(table)[7:] == ["months_ahead", "error", "held", "n_held"]


@pytest.mark.long
def test_what_came_is_counted_by_hand():
    """50 customers were here on 30 June 2024; then one left on the 15th of each month."""
    left = [pd.Timestamp(2024, 7, 15) + pd.DateOffset(months=k) for k in range(12)]
    rows = customers(n=62, every=8, churned=[*[pd.Timestamp("2024-02-01")] * 12, *left, *[pd.NaT] * 38], mrr=10.0)
    rows["started_on"] = pd.date_range("2023-01-10", periods=62, freq="5D")
    data = cslib.load({"customers": rows}, as_of="2025-06-30")
    table = backtest(data).set_index(["measure", "month"])
    active = table.loc["active customers", "actual"]
    assert active.tolist() == list(range(49, 37, -1))
    assert active.index[[0, -1]].strftime("%Y-%m-%d").tolist() == ["2024-07-31", "2025-06-30"]
    assert table.loc["MRR", "actual"].tolist() == [10.0 * n for n in active]
    assert (table.loc["MRR", "predicted"] / table.loc["active customers", "predicted"]).tolist() == pytest.approx(
        [10] * 12
    )


def test_a_share_of_nearly_nothing_is_not_told():
    ends = {"segment": "All", "measure": "MRR", "ci_lower": 0.0, "ci_upper": 9.0}
    told = _judged(pd.DataFrame({"predicted": [11.0, 12.0, 0.0], "actual": [1.0, 1.0, 1.0], **ends}))
    assert told["error"].tolist() == [10, np.inf, -1]


def test_nobody_left_is_far_off_where_the_interval_says_so():
    """40 were expected and nobody is here; where 1 was, or it is not known who is, nothing is said."""
    ends = {"segment": "All", "measure": "MRR", "ci_lower": [31.0, 0.0, 31.0], "ci_upper": 49.0}
    told = _judged(pd.DataFrame({"predicted": [40.0, 1.0, 40.0], "actual": [0.0, 0.0, np.nan], **ends}))
    assert told["error"].tolist() == pytest.approx([np.inf, np.nan, np.nan], nan_ok=True)


@pytest.mark.long
def test_forecasts_are_judged_by_hand():
    """Error, and how many months the interval has held so far, from the columns beside them."""
    left = [pd.Timestamp(2024, 7, 15) + pd.DateOffset(months=k) for k in range(12)]
    churned = [*[pd.Timestamp("2024-02-01")] * 12, *left, *[pd.NaT] * 38]
    rows = customers(n=62, every=5, churned=churned, mrr=10.0, plan=["Pro", "Team"] * 31)
    table = backtest(cslib.load({"customers": rows}, as_of="2025-06-30"), segment_by="plan")
    assert table["error"].tolist() == pytest.approx((table["predicted"] / table["actual"] - 1).tolist())
    inside = [
        low <= now <= high for low, now, high in zip(table["ci_lower"], table["actual"], table["ci_upper"], strict=True)
    ]
    assert table["held"].tolist() == inside
    for _, own in table.groupby(["measure", "segment"]):
        assert own["n_held"].tolist() == [int(own["held"].iloc[: k + 1].sum()) for k in range(12)]
    assert len(table) == 2 * 3 * 12


@pytest.mark.long
def test_the_year_of_the_sample_lies_in_its_interval(sample, paused):
    """Cohorts from January 2024 on leave more slowly; without an eye for that the forecast is 11 % too low."""
    alone, table = backtest(replace(paused, segments=())), backtest(paused, segment_by="plan")
    assert table["month"].min() == pd.Timestamp("2024-04-30")  # who left since March is not settled
    held = alone["actual"].between(alone["ci_lower"], alone["ci_upper"])
    assert held[alone["measure"] == "active customers"].sum() >= 11
    last = table[table["measure"] == "active customers"].groupby("segment").last()
    assert last.loc["All", "predicted"] == pytest.approx(last.drop(index="All")["predicted"].sum())
    assert np.abs(last["predicted"] / last["actual"] - 1).max() < 0.12
    assert last.loc["All", "actual"] == last.drop(index="All")["actual"].sum()
    usual = backtest(sample)
    assert usual.loc[usual["measure"] == "MRR", "n_held"].iloc[-1] >= 11


@pytest.mark.long
def test_orders_are_compared_month_by_month():
    rows = customers(n=40, every=10)
    ordered = [
        pd.DataFrame({"customer_id": c, "ordered_on": pd.date_range(s, "2025-06-30", freq="30D"), "amount": 20.0})
        for c, s in zip(rows["customer_id"], rows["started_on"], strict=True)
    ]
    data = cslib.load({"customers": rows, "orders": pd.concat(ordered)}, as_of="2025-06-30")
    table = backtest(data)
    revenue = table[table["measure"] == "revenue"]
    assert len(revenue) == 12
    assert revenue["actual"].sum() == pytest.approx(20 * 40 * 365 / 30, rel=0.02)
