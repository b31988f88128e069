"""Figures that sentences rest on, by hand."""

import numpy as np
import pandas as pd
import pytest

from cslib.revenue.headlines import (
    balance,
    best_and_worst,
    largest_moves,
    quick_ratios,
    recent_sales,
    shares_by_year,
    spread,
)

MONTHS = pd.date_range("2025-01-01", periods=3, freq="MS")


def moved(**columns):
    """Three months that open with 100; nothing moves but what is given."""
    table = pd.DataFrame({"segment": "All", "month": MONTHS, "opening": 100.0, "closing": 100.0, "n_closing": 7})
    table[["new", "expansion", "reactivation", "contraction", "churn"]] = 0.0
    return table.assign(quick_ratio=np.nan).assign(**columns)


def test_the_balance_of_the_last_month():
    table = moved(
        new=[9, 9, 20.0], reactivation=5.0, churn=-10.0, contraction=[0, 0, -5.0], closing=110.0, quick_ratio=25 / 15
    )
    found = balance(pd.concat([table, table.assign(segment="Pro", closing=1.0)]))
    assert (found.month, found.n_months, found.n_closing, found.closing) == (MONTHS[2], 3, 7, 110.0)
    assert (found.won, found.lost, found.quick_ratio) == (25, 15, 25 / 15)
    assert (found.change, found.change_share) == (10, 0.1)


def test_without_an_opening_there_is_no_share_of_it():
    assert np.isnan(balance(moved(opening=0.0)).change_share)
    assert balance(moved(closing=100.001)).change == 0


def steps(*amounts):
    return pd.DataFrame(
        {"step": ["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"], "amount": amounts}
    )


def test_the_largest_movements():
    assert largest_moves(steps(100, 30, 0, 40, -5, -20, 145)).tolist() == [45, "expansion", 40, "churn", 20]
    lost = largest_moves(steps(100, 0, 0, 0, 0, -20, 80))
    assert (lost.net, lost.gained, lost.loss, lost.lost) == (-20, 0, "churn", 20)
    still = largest_moves(steps(100, 0, 0, 0, 0, 0, 100))
    assert (still.net, still.gained, still.lost) == (0, 0, 0)


def test_quick_ratios_of_months_together():
    table = moved(new=[10.0, 20, 30], churn=[-5.0, -10, -10])
    found = quick_ratios(table, months=1)
    assert (found.now, found.before, found.n_months) == (3, 2, 1)
    both = quick_ratios(table, months=2)
    assert (both.now, both.n_months) == (2.5, 2)
    assert np.isnan(both.before)  # one month is not as many
    assert np.isnan(quick_ratios(moved(new=1.0)).now)


def test_the_segments_at_both_ends():
    rows = [("All", 0.9, 500), ("Pro", 1.1, 30), ("Free", 0.7, 31), ("Tiny", 3.0, 29)]
    kept = pd.DataFrame(rows, columns=["segment", "nrr", "n_opening"]).assign(month=MONTHS[2])
    before = kept.assign(month=MONTHS[1], nrr=9.0)
    found = best_and_worst(pd.concat([before, kept]))
    assert found[["segment", "nrr"]].values.tolist() == [["Pro", 1.1], ["Free", 0.7]]
    assert best_and_worst(kept[kept.segment != "Free"]).empty


def test_shares_by_year_of_start():
    layers = pd.DataFrame(
        {"cohort": ["2024", "2025", "2024"], "month": [*MONTHS[[2, 2]], MONTHS[0]], "mrr": [75.0, 25, 9]}
    )
    assert shares_by_year(layers).to_dict() == {"2024": 0.75, "2025": 0.25}
    assert shares_by_year(layers.iloc[::-1]).index[-1] == "2025"
    assert shares_by_year(layers.tail(1)).to_dict() == {"2024": 1.0}
    assert shares_by_year(layers.assign(mrr=0.0)).empty


def test_the_widest_spread_leaves_nrr_and_quick_ratio_aside():
    ways = pd.DataFrame(
        {
            "measure": ["customer churn"] * 2 + ["net revenue churn"] * 2 + ["NRR"] * 2 + ["quick ratio"] * 2,
            "value": [0.02, 0.03, -0.01, 0.01, 1, 2, 1, 9],
        }
    )
    found = spread(ways)
    assert (found.name, *found) == ("net revenue churn", -0.01, 0.01)
    assert spread(ways.assign(value=np.nan)) is None


@pytest.mark.parametrize(("n_all", "kinds"), [(9, ["upsell", "cross_sell"]), (0, [])])
def test_recent_sales_are_those_of_the_last_month(n_all, kinds):
    every = ["new", "renewal", "cross_sell", "upsell"]
    sold = pd.concat([pd.DataFrame({"month": month, "kind": every, "n": 1, "n_all": n_all}) for month in MONTHS])
    found = recent_sales(sold)
    assert found["kind"].tolist() == kinds
    assert set(found["month"]) <= {MONTHS[2]}
