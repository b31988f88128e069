"""Figures that sentences rest on, by hand."""

import numpy as np
import pandas as pd
import pytest

from cslib.revenue.headlines import (
    Kept,
    Moves,
    held_by_year,
    largest_moves,
    recent_sales,
    sales_by_year,
    shares_by_year,
    spread,
    who_moved,
    years_that_hold,
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
    found = Moves(pd.concat([table, table.assign(segment="Pro", closing=1.0)])).balance
    assert (found.month, found.n_months, found.n_closing, found.closing) == (MONTHS[2], 3, 7, 110.0)
    assert (found.change, found.change_share) == (10, 0.1)
    assert np.isnan(found.year_share)


def test_churn_of_a_year_is_pooled_over_its_months():
    """Thirteen months of 100 customers; 8 leave in the first, 3 in each other: 36 of 1,200."""
    months = pd.date_range("2024-01-01", periods=13, freq="MS")
    table = pd.DataFrame({"segment": "All", "month": months, "n_opening": 100, "n_churned": [8, *[3] * 12]})
    table["logo_churn_rate"] = table["n_churned"] / 100
    found = Moves(table).left_in_a_year
    assert (found.month, found.n_start, found.churn_rate) == (months[-1], 1200, 0.03)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((0.02175, 0.04125), abs=1e-4)  # Wilson
    unsettled = table.assign(logo_churn_rate=table["logo_churn_rate"].where(months < "2025-01-01"))
    assert Moves(unsettled).left_in_a_year.month == months[-2]
    assert Moves(table.tail(11)).left_in_a_year is None
    assert Moves(table.assign(n_opening=0)).left_in_a_year is None


def test_the_balance_of_a_year():
    """80 thirteen months before the last, 60 twelve months before it; it closes with 90."""
    closing = [80.0, 60.0, *[70.0] * 11, 90.0]
    year = pd.DataFrame({"segment": "All", "opening": 70.0, "closing": closing})
    assert Moves(year).balance.year_share == 0.5
    assert np.isnan(Moves(year.tail(12)).balance.year_share)
    assert np.isnan(Moves(year.assign(closing=0.0)).balance.year_share)


def test_without_an_opening_there_is_no_share_of_it():
    assert np.isnan(Moves(moved(opening=0.0)).balance.change_share)
    assert Moves(moved(closing=100.001)).balance.change == 0


def steps(*amounts):
    return pd.DataFrame(
        {"step": ["opening", "new", "reactivation", "expansion", "contraction", "churn", "closing"], "amount": amounts}
    )


def test_the_largest_movements():
    both = largest_moves(steps(100, 30, 0, 40, -5, -20, 145))
    assert (both.net, both.gain, both.gained, both.loss, both.lost) == (45, "expansion", 70, "churn", 25)
    assert (both.one_gain, both.one_loss) == (False, False)
    lost = largest_moves(steps(100, 0, 0, 0, 0, -20, 80))
    assert (lost.net, lost.gained, lost.loss, lost.lost, lost.one_loss) == (-20, 0, "churn", 20, True)
    still = largest_moves(steps(100, 0, 0, 0, 0, 0, 100))
    assert (still.net, still.gained, still.lost) == (0, 0, 0)


def test_quick_ratios_of_months_together():
    table = moved(new=[10.0, 20, 30], churn=[-5.0, -10, -10])
    found = Moves(table).quick_ratios(months=1)
    assert (found.now, found.before, found.n_months) == (3, 2, 1)
    both = Moves(table).quick_ratios(months=2)
    assert (both.now, both.n_months) == (2.5, 2)
    assert np.isnan(both.before)  # one month is not as many
    assert np.isnan(Moves(moved(new=1.0)).quick_ratios().now)


def a_year(**last):
    """Twelve months that open with 100 and expand by 1 or 3, and shrink by 1 or 2, but for the last."""
    months = pd.date_range("2024-01-01", periods=12, freq="MS")
    table = pd.DataFrame({"segment": "All", "month": months, "opening": 100.0, "churn": 0.0})
    table = table.assign(expansion=[1.0, 3.0] * 6, contraction=[-1.0, -2.0] * 6)
    table = table.assign(n_opening=50, n_expanded=range(12), n_contracted=2, n_churned=1)
    table.loc[11, list(last)] = list(last.values())
    return table


def test_a_month_far_out_of_all_others():
    found = Moves(a_year(expansion=14.0)).far_out()
    assert found.to_dict() == {
        "kind": "expansion", "month": pd.Timestamp("2024-12-01"), "amount": 14, "share": 0.14, "usual": 0.02,
        "n": 11, "n_opening": 50,
    }  # fmt: skip
    both = Moves(a_year(expansion=14.0, contraction=-9.0)).far_out()  # 12 and 15 deviations from the median
    assert (both.kind, both.amount) == ("contraction", 9)


def test_years_that_hold_a_month_far_out():
    row = Moves(a_year(expansion=14.0)).far_out()  # December 2024
    ends = pd.Series(pd.date_range("2024-06-01", "2026-06-01", freq="MS"))
    assert years_that_hold(row, ends) == [pd.Timestamp("2024-12-01"), pd.Timestamp("2025-11-01")]
    assert years_that_hold(row, ends[ends < "2025-03-01"]) == [pd.Timestamp("2024-12-01"), pd.Timestamp("2025-02-01")]
    assert years_that_hold(row, ends[ends < "2025-01-01"]) == []  # one month has no width
    assert years_that_hold(row, ends[ends >= "2025-12-01"]) == []
    assert years_that_hold(None, ends) == []


def test_sales_are_drawn_from_two_whole_years_on():
    months = pd.date_range("2024-01-01", periods=13, freq="MS")
    table = pd.DataFrame({"month": months.repeat(2), "kind": ["new", "upsell"] * 13, "rate": 0.1, "n_all": 10})
    assert sales_by_year(table)[["month", "segment"]].to_numpy().tolist() == [
        [pd.Timestamp("2024-12-01"), "upsell"], [pd.Timestamp("2025-01-01"), "upsell"]
    ]  # fmt: skip
    assert sales_by_year(table[table["month"] < "2025-01-01"]).empty
    assert sales_by_year(table.assign(rate=np.nan)).empty


def test_a_month_far_out_among_all_is_told_of_a_segment_where_it_is_its_largest_by_far():
    """Nothing is usual in a segment of which most months have none: alone it tells of no month."""
    of_all = Moves(a_year(expansion=14.0)).far_out()
    alone = a_year(expansion=14.0)
    alone["expansion"] = alone["expansion"].where(alone["expansion"] > 13, 0.0)
    assert Moves(alone).far_out() is None
    found = Moves(alone).far_out(of_all=of_all)
    assert (found.kind, found.month, found.amount, found.usual) == ("expansion", pd.Timestamp("2024-12-01"), 14, 0)
    assert Moves(a_year(expansion=6.0)).far_out(of_all=of_all) is None  # no more than twice the next
    assert Moves(alone.assign(expansion=0.0)).far_out(of_all=of_all) is None
    assert Moves(alone).far_out(of_all=pd.Series({"kind": "expansion", "month": pd.Timestamp("2024-11-01")})) is None
    assert Moves(alone).far_out(of_all=pd.Series({"kind": "churn", "month": pd.Timestamp("2024-12-01")})) is None


def rates(months):
    """NRR of so many months from January 2025 on: 0.90, 0.91 …"""
    own = pd.DataFrame({"month": pd.date_range("2025-01-01", periods=months, freq="MS"), "segment": "All"})
    return own.assign(nrr=0.9 + 0.01 * np.arange(months))


def test_a_month_far_out_leaves_the_year_twelve_months_later():
    """Of March 2024: the twelve months to March 2025 are the first after it."""
    row = pd.Series({"month": pd.Timestamp("2024-03-01")})
    found = Kept(rates(12)).left_the_year(row)
    assert found.left == pd.Timestamp("2025-03-01")
    assert [found.before, found.nrr] == pytest.approx([0.91, 0.92])
    assert Kept(rates(3)).left_the_year(row) is not None
    assert Kept(rates(2)).left_the_year(row) is None, "still in the year"
    assert Kept(rates(14)).left_the_year(row) is not None
    assert Kept(rates(15)).left_the_year(row) is None, "long ago"
    assert Kept(rates(6)).left_the_year(pd.Series({"month": pd.Timestamp("2024-01-01")})) is None, (
        "nothing before to compare"
    )
    assert Kept(rates(12)).left_the_year(None) is None
    assert Kept(rates(0)).left_the_year(row) is None


def test_who_moved_and_how_much_of_the_loss_five_are():
    """Twelve falls of 30, 29 … 19, 294 together, the five largest 140; one rise."""
    falls = [-30.0 + i for i in range(12)]
    table = pd.DataFrame({"step": ["churn"] * 9 + ["contraction"] * 3 + ["expansion"], "change": [*falls, 50.0]})
    row = pd.Series({"n_opening": 40, "churn": -234.0, "contraction": -60.0})
    assert who_moved(table, row).to_dict() == pytest.approx(
        {"churn": 9, "contraction": 3, "expansion": 1, "n_opening": 40, "of_few": 140 / 294}
    )
    assert np.isnan(who_moved(table.tail(6), row).of_few), "they are all"


def test_no_month_is_far_out():
    assert Moves(a_year()).far_out() is None
    assert Moves(a_year(expansion=6.0)).far_out() is None  # twice the next largest month, but not more
    assert Moves(a_year(expansion=14.0, opening=200.0)).far_out() is None  # five deviations: it opened with more
    assert Moves(a_year(churn=-9.0)).far_out() is None  # where most months have none: one customer
    assert Moves(a_year(churn=-4.0, n_churned=30)).far_out() is None  # and here too little of MRR
    rare = Moves(a_year(churn=-9.0, n_churned=30)).far_out()
    assert (rare.kind, rare.amount, rare.usual, rare.n) == ("churn", 9, 0, 30)
    assert Moves(a_year(expansion=14.0).tail(11)).far_out() is None
    assert Moves(a_year(expansion=14.0).assign(segment="Pro")).far_out() is None


def test_the_segments_at_both_ends():
    rows = [("All", 0.9, 500), ("Pro", 1.1, 30), ("Free", 0.7, 31), ("Tiny", 3.0, 29)]
    kept = pd.DataFrame(rows, columns=["segment", "nrr", "n_opening"]).assign(month=MONTHS[2])
    before = kept.assign(month=MONTHS[1], nrr=9.0)
    found = Kept(pd.concat([before, kept])).best_and_worst
    assert found[["segment", "nrr", "but_few"]].values.tolist() == [["Pro", 1.1, True], ["Free", 0.7, True]]
    inside = Kept(kept.replace({"nrr": {3.0: 0.8}})).best_and_worst
    assert inside["but_few"].tolist() == [False, False]
    assert Kept(kept[kept.segment != "Free"]).best_and_worst.empty


def test_segments_that_cannot_be_told_from_the_lowest_stand_beside_it():
    """Free is at 0.70, up to 0.73, Lite begins 0.04 lower: √(3² + 4²) = 5 points, of three pairs 5 · 2.394 / 1.96 = 6.1."""

    def names(lite, **more):
        rows = [("All", 0.9, 0.8, 1.0, 500), ("Pro", 1.1, 1.0, 1.2, 30), ("Lite", lite, lite - 0.04, lite + 0.04, 40)]
        rows += [("Free", 0.7, 0.68, 0.73, 31), ("Tiny", 0.5, 0.4, 0.6, 29)]
        columns = ["segment", "nrr", "nrr_ci_lower", "nrr_ci_upper", "n_opening"]
        table = pd.DataFrame(rows, columns=columns).assign(month=MONTHS[2], **more)
        return Kept(table).alike_at_the_bottom["segment"].tolist()

    assert names(0.7610) == ["Free", "Lite"]
    assert names(0.7612) == ["Free"]
    assert names(0.89, nrr_ci_lower=np.nan) == ["Free", "Lite"]
    assert names(0.91, nrr_ci_lower=np.nan) == ["Free"]  # nearer to Pro
    assert names(0.9, n_opening=29) == []


def test_who_keeps_least_weighs_what_it_pays():
    rows = [("All", 0.9, 0.8, 500), ("Pro", 1.1, 0.9, 30), ("Free", 0.7, 0.7, 31)]
    kept = pd.DataFrame(rows, columns=["segment", "nrr", "grr", "n_opening"]).assign(month=MONTHS[2])
    paid = pd.DataFrame({"segment": ["All", "Pro", "Free"], "closing": [80.0, 60.0, 20.0], "month": MONTHS[2]})
    earlier = paid.assign(month=MONTHS[1], closing=1.0)
    row = Kept(kept).least_kept(pd.concat([earlier, paid]))
    assert (row.segment, row.nrr, row.share_of_mrr, row.flat) == ("Free", 0.7, 0.25, True)
    assert not Kept(kept.assign(grr=0.6)).least_kept(paid).flat
    assert Kept(kept).least_kept(paid.assign(closing=0.0)) is None
    assert Kept(kept.head(2)).least_kept(paid) is None


def test_shares_by_year_of_start():
    layers = pd.DataFrame(
        {"cohort": ["2024", "2025", "2024"], "month": [*MONTHS[[2, 2]], MONTHS[0]], "mrr": [75.0, 25, 9]}
    )
    assert shares_by_year(layers).to_dict() == {"2024": 0.75, "2025": 0.25}
    assert shares_by_year(layers.iloc[::-1]).index[-1] == "2025"
    assert shares_by_year(layers.tail(1)).to_dict() == {"2024": 1.0}
    assert shares_by_year(layers.assign(mrr=0.0)).empty


def test_years_are_held_against_their_end():
    """2023 closed with 80 and has 60 left; 2024 closed with 50 and has 75; 2025 has not ended."""
    ends = pd.to_datetime(["2023-11-01", "2023-12-01", "2024-12-01", "2024-12-01", "2025-01-01", "2025-01-01"])
    rows = pd.DataFrame({"cohort": ["2023", "2023", "2023", "2024", "2024", "2025"], "month": ends})
    table = rows.assign(mrr=[99.0, 80, 70, 50, 75, 5])
    left = pd.DataFrame({"cohort": ["2023"], "month": [ends[-1]], "mrr": [60.0]})
    found = held_by_year(pd.concat([table, left]))
    assert found.reset_index().values.tolist() == [["2024", 1.5, 1], ["2023", 0.75, 13]]
    assert held_by_year(table)["share"].to_dict() == {"2024": 1.5, "2023": 0.0}
    assert held_by_year(table.head(2)).empty  # the year ends with the data


def test_what_was_kept_a_year_before():
    months = pd.to_datetime(["2024-03-01", "2024-04-01", "2025-03-01"])
    kept = pd.DataFrame({"segment": "All", "month": months, "nrr": [0.8, 0.7, 0.9], "n_opening": 30})
    assert Kept(kept).a_year_before.nrr == 0.8
    assert Kept(kept.assign(n_opening=29)).a_year_before is None
    assert Kept(kept.tail(2)).a_year_before is None


def test_the_widest_spread_leaves_nrr_and_quick_ratio_aside():
    ways = pd.DataFrame(
        {
            "measure": ["customer churn"] * 2
            + ["net revenue churn"] * 2
            + ["NRR of a month"] * 2
            + ["quick ratio"] * 2,
            "value": [0.02, 0.03, -0.01, 0.01, 1, 2, 1, 9],
        }
    )
    found = spread(ways)
    assert (found.name, *found) == ("net revenue churn", -0.01, 0.01)
    assert spread(ways.assign(value=np.nan)) is None


@pytest.mark.parametrize(("n_all", "kinds"), [(9, ["upsell", "cross_sell"]), (0, [])])
def test_recent_sales_are_those_of_the_last_month(n_all, kinds):
    every = ["new", "renewal", "cross_sell", "upsell"]
    row = {"kind": every, "n": 1, "n_all": n_all, "rate": 0.5}
    sold = pd.concat([pd.DataFrame(row | {"month": month}) for month in MONTHS])
    found = recent_sales(sold)
    assert found["kind"].tolist() == kinds
    assert set(found["month"]) <= {MONTHS[2]}
    assert found["rate_before"].isna().all()


def test_sales_of_the_twelve_months_before():
    months = pd.date_range("2023-01-01", periods=24, freq="MS")
    sold = pd.DataFrame({"month": months, "kind": "upsell", "n": 1, "n_all": 9, "rate": [*range(24)]})
    assert recent_sales(sold)[["rate", "rate_before"]].values.tolist() == [[23, 11]]
    assert recent_sales(sold.tail(23))["rate_before"].isna().all()
