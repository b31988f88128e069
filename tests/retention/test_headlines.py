"""Figures that sentences rest on, by hand."""

import pandas as pd
import pytest
from retention_world import comparison, curve

from cslib.retention.cohorts import COMPARISON, TRIANGLE
from cslib.retention.headlines import Landmarks, contrast, followed


def picked(table, **how):
    return Landmarks(**how).of(table)["period_index"].tolist()


def test_landmarks_rest_on_thirty_customers():
    thin = curve(All=0.6)
    thin.loc[thin.period_index > 6, "n_customers"] = 29
    assert picked(thin) == [1, 3, 6]
    assert picked(curve(All=0.6)) == [3, 6, 12]
    assert picked(curve(All=0.6).assign(n_customers=9)) == [3, 6, 12]
    assert picked(curve(All=0.6), kind="1-3,4-6") == [1, 4]
    assert picked(curve(x=0.6)) == []


@pytest.mark.parametrize(
    ("period", "cohorts", "last"),
    [
        ("month", ["2024-01-01", "2024-02-01", "2024-03-01"], "2024-02-29"),
        ("quarter", ["2024-01-01", "2024-04-01", "2024-07-01"], "2024-06-30"),
        ("week", ["2024-01-01", "2024-01-08", "2024-01-15"], "2024-01-14"),
    ],
)
def test_who_has_come_as_far_joined_by_the_end_of_the_newest_cohort_that_did(period, cohorts, last):
    """Of three cohorts the newest has not been through period 1 yet."""
    rows = [("All", pd.Timestamp(c), k, 5.0) for c in cohorts for k in (0, 1)]
    triangle = pd.DataFrame(rows, columns=["segment", "cohort", "period_index", "n_retained"])
    triangle.loc[len(triangle) - 1, "n_retained"] = float("nan")
    assert Landmarks(period=period).joined_by(triangle)[1] == pd.Timestamp(last)
    assert Landmarks().joined_by(triangle.iloc[:0]).empty


def test_the_headline_is_a_year_or_else_the_latest():
    def told(table, **how):
        marks = Landmarks(**how).of(table)
        return marks.loc[marks["headline"], "period_index"].tolist()

    longer = pd.concat([curve(All=0.6), curve(All=0.6).tail(1).assign(period_index=24)])
    assert told(longer) == [12]
    assert told(curve(All=0.6), period="week") == [12]
    assert told(curve(All=0.6).query("period_index < 12")) == [6]
    assert told(curve(All=0.6).query("period_index in [0, 2, 5]")) == [5]
    assert told(curve(All=0.6).query("period_index == 0")) == []


@pytest.mark.parametrize(
    ("p", "difference", "together", "verdict"),
    [
        (0.01, 0.1, None, (True, True)),
        (0.01, 0.02, None, (True, False)),
        (0.06, 0.1, None, (False, True)),
        (0.01, 0.1, -0.4, (True, False)),  # at the end better, but worse before
        (0.2, 0.02, None, (False, False)),
        (float("nan"), 0.0, None, (False, False)),
    ],
)
def test_newer_against_older(p, difference, together, verdict):
    found = contrast(comparison(p, difference, together=together))
    assert (found.together, found.alone) == verdict
    assert (found.n_customers, found.shared_age, found.newest) == (100, 6, False)


def test_the_half_is_told_unless_only_the_newest_differs():
    rows = [comparison(0.2), comparison(0.01, which="newest cohort"), comparison(0.001, which="all cohorts")]
    assert contrast(pd.concat(rows)).newest
    rows[0] = comparison(0.04)
    assert not contrast(pd.concat(rows)).newest
    assert contrast(rows[2]) is None
    assert contrast(pd.DataFrame(columns=COMPARISON)) is None


def test_extremes_stand_where_all_segments_do():
    table = curve(All=0.5, Pro=0.7, Free=0.3)
    found = Landmarks().extremes(table)
    columns = ["period_index", "segment", "retention_rate", "clear"]
    assert found[columns].values.tolist() == [[12, "Pro", 0.7, True], [12, "Free", 0.3, True]]
    young = table[(table.segment != "Free") | (table.period_index <= 6)]
    assert set(Landmarks().extremes(young).period_index) == {6}
    assert Landmarks().extremes(curve(All=0.5, Pro=0.7)).empty
    assert Landmarks().extremes(table.assign(n_customers=29)).empty


def test_the_best_of_many_must_clear_more():
    """Of two segments 55 against 50 % of 1,000 is more than chance; the same as best and worst of ten is not."""
    pair = curve(All=0.5, Pro=0.55, Free=0.5)
    assert Landmarks().extremes(pair).clear.all()
    between = {f"s{i}": 0.52 for i in range(8)}
    assert not Landmarks().extremes(curve(All=0.5, Pro=0.55, Free=0.5, **between)).clear.any()


def test_whom_it_is_about():
    rows = [("All", "2025-01-01", 0, 30, 30), ("All", "2025-01-01", 1, 30, None), ("All", "2025-02-01", 0, 12, 12)]
    triangle = pd.DataFrame([*rows, ("Pro", *rows[0][1:])], columns=TRIANGLE[:5])
    assert followed(triangle, curve(All=0.5)).tolist() == [42, 2, True]
    assert followed(pd.DataFrame(columns=TRIANGLE), curve(All=0.5)).tolist() == [1000, 0, False]


def test_revenue_is_told_after_a_year_or_else_the_latest_landmark():
    pooled = pd.DataFrame({"segment": "All", "period_index": [0, 1, 12, 24], "net_retention": [1, 0.9, 0.8, None]})
    pooled = pooled.assign(gross_retention=0.5, net_ci_lower=0.7, net_ci_upper=0.9)
    found = Landmarks().revenue_kept(pooled)
    assert (found.period_index, found.net_retention, found.gross_retention) == (12, 0.8, 0.5)
    assert (found.net_ci_lower, found.net_ci_upper) == (0.7, 0.9)
    assert Landmarks().revenue_kept(pooled.head(2)).period_index == 1
    assert Landmarks().revenue_kept(pooled.head(1)) is None


@pytest.mark.parametrize(
    ("middle", "half", "picked"),
    [
        (0.62, 0.05, ["Pro", "Lite", "Team"]),  # as low as the lowest, as far as one can tell
        (0.72, 0.05, ["Pro", "Lite"]),  # lower than the best, and clearly not the lowest
        (0.8, 0.15, ["Pro", "Lite"]),  # it may be any, but is nearer to the best
        (0.62, 0.3, ["Pro", "Lite"]),  # nothing is clear
    ],
)
def test_the_two_lowest_stand_where_they_cannot_be_told_apart(middle, half, picked):
    shares = pd.DataFrame({"segment": ["Pro", "Lite", "Team"], "period_index": 12, "share": [0.95, 0.6, middle]})
    shares = shares.assign(n_customers=99, ci_lower=shares["share"] - half, ci_upper=shares["share"] + half)
    assert Landmarks().extreme_shares(shares)["segment"].tolist() == picked


def cohorts_at_a_year(months=25):
    """Cohorts of 100 that end with June 2024; the last has not come as far."""
    days = pd.date_range(end="2024-07-01", periods=months, freq="MS")
    rows = pd.DataFrame({"segment": "All", "cohort": days, "period_index": 12, "n_customers": 100, "n_retained": 40.0})
    rows.loc[rows["cohort"] >= "2023-07-01", "n_retained"] = 60.0
    return rows.assign(n_retained=rows["n_retained"].where(rows["cohort"] < "2024-07-01"))


def test_the_newest_year_that_has_come_through_a_year_stands_beside_the_one_before():
    found = Landmarks().newest_years(cohorts_at_a_year())
    columns = ["segment", "n_customers", "retention_rate", "clear", "whole"]
    assert found[columns].to_numpy().tolist() == [["2024", 1200, 0.6, True, True], ["2023", 1200, 0.4, True, True]]
    longer = Landmarks().newest_years(cohorts_at_a_year(months=40))
    assert longer["n_customers"].tolist() == [1200, 1200]


@pytest.mark.parametrize(
    ("triangle", "how"),
    [
        (cohorts_at_a_year(months=24), {}),  # eleven months before the newest year
        (cohorts_at_a_year(), {"period": "week"}),
        (cohorts_at_a_year(), {"kind": "on_or_after"}),
        (cohorts_at_a_year().assign(n_customers=2, n_retained=1.0), {}),
        (cohorts_at_a_year().assign(n_retained=float("nan")), {}),
    ],
)
def test_without_two_whole_years_none_is_told(triangle, how):
    assert Landmarks(**how).newest_years(triangle).empty


def test_only_whole_years_are_compared_where_there_are_two():
    """Half a year may differ from a whole one by its season."""
    days = pd.date_range("2023-01-01", "2025-06-01", freq="MS")
    years = pd.DataFrame({"segment": days.year.astype(str), "cohort": days, "period_index": 1, "n_customers": 100})
    years["n_retained"] = years["segment"].map({"2023": 80, "2024": 60, "2025": 20})
    found = Landmarks().extreme_years(years)
    assert found[["segment", "clear", "whole"]].to_numpy().tolist() == [["2023", True, True], ["2024", True, True]]
    partial = Landmarks().extreme_years(years[years["cohort"] >= "2024-07-01"])
    assert partial[["segment", "whole"]].to_numpy().tolist() == [["2024", False], ["2025", False]]
