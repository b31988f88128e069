from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cslib.data.kpi import OVER_YEAR, Setting, Target
from cslib.scorecard.attention import SHORT, shortfalls, standing
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import COLUMNS, change_of, decided, headlines, missed_by, scorecard, slipping, told_by
from cslib.scorecard.segments import beside_segments, compared, distinct, unmarked
from cslib.scorecard.words import Wording
from cslib.stats.intervals import wilson

CATALOGUE = catalogue(Setting(value_feature="reports", gross_margin=0.8))
INF = float("inf")


def history(kpi, values, *, half=None, until="2025-06-30", segment="All", n=100):
    months = pd.date_range(end=until, periods=len(values), freq="ME")
    value = np.array(values, float)
    ends = (
        {"ci_lower": value - half, "ci_upper": value + half}
        if half is not None
        else {"ci_lower": np.nan, "ci_upper": np.nan}
    )
    return pd.DataFrame(
        {
            "kpi": kpi,
            "segment": segment,
            "until": months,
            "months": CATALOGUE[kpi].months,
            "value": value,
            **ends,
            "n": n,
        }
    )


def card_of(rows, kpi, target=None):
    own = {kpi: CATALOGUE[kpi]}
    measured = Measured(rows, {kpi: "needs data"}, own, {kpi: target} if target else {})
    return scorecard(measured).iloc[0]


def churned(counts, n):
    bounds = wilson(counts, n)
    rows = history("customer_churn_rate", np.asarray(counts) / n, n=n)
    return rows.assign(ci_lower=bounds.lower, ci_upper=bounds.upper)


@pytest.mark.long
@pytest.mark.parametrize(("n", "p"), [(100, 0.02), (1000, 0.02), (300, 0.3)])
def test_a_month_of_chance_is_noise_and_a_doubled_churn_is_not(n, p):
    rng = np.random.default_rng(n)
    false = [card_of(churned(rng.binomial(n, p, 25), n), "customer_churn_rate")["change"] for _ in range(150)]
    assert np.mean([f != "noise" for f in false]) <= 0.03
    if n * p > 15:
        counts = [np.append(rng.binomial(n, p, 24), rng.binomial(n, 2 * p)) for _ in range(60)]
        found = [card_of(churned(c, n), "customer_churn_rate")["change"] for c in counts]
        assert np.mean([f == "higher" for f in found]) >= 0.6


def test_a_kpi_without_a_past_spread_is_judged_by_its_interval():
    """Nobody left for two years, then one of 200: ranges are 0, but one is no signal."""
    assert card_of(churned([0] * 24 + [1], 200), "customer_churn_rate")["change"] == "noise"


def test_before_and_a_year_before():
    row = card_of(history("arpa", range(100, 114)), "arpa")
    assert row[["value", "previous", "year_before", "period"]].tolist() == [113, 112, 101, "June 2025"]
    row = card_of(history("nrr", np.linspace(0.8, 1.0, 25), half=0.01), "nrr")
    assert row[["previous", "year_before"]].tolist() == pytest.approx([0.9, 0.9])
    assert row["period"] == "12 months to June 2025"
    assert row["change"] == "higher"
    assert card_of(history("nps", range(14)), "nps")["previous"] == 10


def test_without_limits_two_intervals_decide():
    """0.10 apart: margins √(0.06² + 0.06²) = 0.085 and √(0.08² + 0.08²) = 0.113."""
    rows = [0.8] + [0.85] * 11 + [0.9]
    assert card_of(history("nrr", rows, half=0.06), "nrr")["change"] == "higher"
    assert card_of(history("nrr", rows, half=0.08), "nrr")["change"] == "noise"
    assert card_of(history("cac", rows), "cac")["change"] == ""
    assert card_of(history("ltv", rows, half=0.001), "ltv")["change"] == ""


def test_fewer_customers_now_widen_the_usual_range():
    """Ten per cent leave of 2,000 each month, then of 60: eleven of them are no news."""
    rng = np.random.default_rng(3)
    past = churned(rng.binomial(2000, 0.1, 25), 2000)
    few = churned([11], 60).assign(until=past["until"].iloc[-1])
    row = card_of(pd.concat([past.iloc[:-1], few], ignore_index=True), "customer_churn_rate")
    assert row["change"] == "noise"
    assert row["limit_upper"] > 0.1 + 2.5 * np.sqrt(0.1 * 0.9 / 60)


def test_a_usual_range_does_not_pass_what_can_be():
    assert card_of(history("time_to_value", [1, 2] * 13), "time_to_value")["limit_lower"] == 0
    assert card_of(history("nps", [-5, 5] * 13 + [0]), "nps")["limit_lower"] < 0


@pytest.mark.parametrize(
    ("kpi", "past", "told"),
    [
        ("time_to_value", [1, 2], False),  # 0 to 4.16 around 1.5
        ("time_to_value", [10, 11], True),
        ("nps", [20, 30], False),  # 25 ± 26.6, more than 50 of 200 points
        ("nps", [-5, 5], False),
        ("nps", [-4, 4], True),  # 42.6, though its middle is 0
    ],
)
def test_a_range_that_excludes_next_to_nothing_is_none(kpi, past, told):
    row = card_of(history(kpi, [*past * 13, past[0]], half=0.1), kpi)
    assert (row["change"], row["tells"]) == ("noise", told)
    assert np.isfinite(row["limit_upper"])


def test_the_trend_is_that_of_the_topic():
    assert beside_a_year(43.6, 6, YEAR_OF_30 | {"trend": "falling"})["trend"] == "falling"
    assert beside_a_year(43.6, 6, YEAR_OF_30)["trend"] == ""


def changed(**more):
    known = {
        "change": "",
        "trend": "",
        "last_change": "",
        "limit_lower": np.nan,
        "limit_upper": 0.1,
        "tells": False,
        "judged_over": "",
        "direction": "up",
    }
    band = {"target": np.nan, "target_upper": np.nan, "value": 0.08, "ci_lower": np.nan, "ci_upper": np.nan}
    return change_of(pd.Series(known | band | more))


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"change": "higher"}, "better"),
        ({"change": "higher", "direction": "down"}, "worse"),
        ({"change": "noise", "limit_lower": 0.05, "tells": True}, "as usual"),
        (
            {"change": "noise", "limit_lower": 0.09, "tells": True},
            "may be chance",
        ),  # outside, by no more than its interval
        ({"change": "noise", "limit_lower": 1.0}, "may be chance"),
        ({"change": "noise"}, "may be chance"),
        ({"change": "noise", "trend": "falling", "direction": "down"}, "better"),
        ({"change": "lower", "trend": "rising"}, "worse"),
        ({"judged_over": "12 months"}, "may be chance"),
        ({}, ""),
        ({"change": "higher", "direction": "band", "target": 0.03, "target_upper": 0.06}, "worse"),
        ({"change": "higher", "direction": "band", "target": 0.03, "target_upper": 0.09}, "better"),
        ({"change": "higher", "direction": "band"}, "may be chance"),
    ],
)
def test_a_change_has_one_of_four_words(row, word):
    assert changed(**row) == word


@pytest.mark.parametrize(
    ("values", "half", "found"),
    [
        ([0.74, 0.75, 0.72, 0.68], 0.04, (2, 0.75)),  # 0.07 is more than √2 · 0.04 = 0.057
        ([0.74, 0.75, 0.72, 0.68], 0.05, None),  # and less than √2 · 0.05 = 0.071
        ([0.7, 0.75, 0.72, 0.68], 0.04, None),  # from a single high
        ([0.7, 0.68, 0.75, 0.68], 0.04, None),  # once
        ([0.76, 0.75, 0.72, 0.68], 0.04, (3, 0.76)),
        ([0.68, 0.72, 0.75, 0.7], 0.01, None),
        ([0.7, 0.75, 0.72, np.nan], 0.04, None),
    ],
)
def test_what_becomes_worse_step_by_step_by_hand(values, half, found):
    months = pd.date_range(end="2025-06-30", periods=len(values), freq="QE")
    rows = history("csat", values, half=half).assign(until=months)
    measured = Measured(rows, {"csat": ""}, {"csat": CATALOGUE["csat"]}, {})
    table = scorecard(measured).assign(change="noise", last_change="")
    got = [(row.periods, row.since) for row in slipping(table, measured).itertuples()]
    assert got == ([found] if found else [])
    assert slipping(table.assign(change="lower"), measured).empty
    assert slipping(table.assign(trend="falling"), measured).empty
    assert slipping(table.assign(last_change="lower"), measured).empty
    assert slipping(table.assign(season="allowed for"), measured).empty


def test_the_last_quarter_of_a_survey_is_held_against_all_before_together():
    """0.76, 0.75 and 0.72 are 0.743 together: 0.68 is 0.063 below, more than 0.04 · √(1 + ⅓) = 0.046; no other KPI is."""

    def found(kpi, last):
        rows = history(kpi, [0.76, 0.75, 0.72, last], half=0.04)
        rows = rows.assign(until=pd.date_range(end="2025-06-30", periods=4, freq="QE"))
        table = scorecard(Measured(rows, {}, {kpi: CATALOGUE[kpi]}, {}))
        return table["last_change"].iloc[0], table["last_before"].iloc[0], change_of(next(table.itertuples()))

    assert found("csat", 0.68) == ("lower", pytest.approx(2.23 / 3), "worse")
    assert found("csat", 0.80) == ("higher", pytest.approx(2.23 / 3), "better")
    assert found("csat", 0.70)[0] == ""
    rows = history("csat", [0.76, 0.66, 0.79, 0.76, 0.79, 0.68], half=0.04)
    rows = rows.assign(until=pd.date_range(end="2025-06-30", periods=6, freq="QE"))
    (last,) = scorecard(Measured(rows, {}, {"csat": CATALOGUE["csat"]}, {})).itertuples()
    assert (last.last_change, last.last_beyond, last.last_beyond_in) == ("lower", 0.66, "April to June 2024")
    assert found("feature_adoption", 0.68)[0] == ""


def test_only_disjoint_periods_make_limits():
    """Two years of rolling years are two periods, not twenty-four."""
    assert np.isnan(card_of(history("nrr", np.linspace(0.8, 1.0, 25), half=0.01), "nrr")["limit_lower"])
    assert np.isnan(card_of(history("nps", range(24), half=1), "nps")["limit_lower"])
    assert np.isfinite(card_of(history("nps", range(25), half=1), "nps")["limit_lower"])


@pytest.mark.parametrize(
    ("target", "half", "status"),
    [
        (Target(30, INF), 5, "met"),
        (Target(35, INF), 5, "met"),
        (Target(36, INF), 5, "not clear"),
        (Target(46, INF), 5, "missed"),
        (Target(40, INF), None, "not clear"),
        (Target(-INF, 40), 5, "not clear"),
        (Target(-INF, 34), 5, "missed"),
        (Target(30, 50), 5, "met"),
        (Target(42, 50), 5, "not clear"),
        (Target(50, 60), 5, "missed"),
    ],
)
def test_status(target, half, status):
    row = card_of(history("nps", [40.0], half=half), "nps", target)
    assert row["status"] == status
    ends = [e for e in (target.low, target.high) if np.isfinite(e)]
    assert [e for e in (row["target"], row["target_upper"]) if np.isfinite(e)] == ends


YEAR_OF_30 = {
    "kpi": "nps",
    "segment": "All",
    "value": 30.0,
    "ci_lower": 28.0,
    "ci_upper": 32.0,
    "n": 900,
    "of_all": np.nan,
}
YEAR_OF_42 = YEAR_OF_30 | {"value": 42.0, "ci_lower": 39.0, "ci_upper": 45.0}
YEAR_OF_50 = YEAR_OF_30 | {"value": 50.0, "ci_lower": 48.0, "ci_upper": 52.0}


def beside_a_year(value, half, year):
    years = pd.DataFrame([year], columns=OVER_YEAR)
    rows = history("nps", [value], half=half)
    return scorecard(Measured(rows, {}, {"nps": CATALOGUE["nps"]}, {"nps": Target(40, INF)}, years=years)).iloc[0]


@pytest.mark.parametrize(
    ("value", "half", "year", "told"),
    [
        (43.6, 6, YEAR_OF_30, ["missed", "not clear"]),
        (43.6, 6, YEAR_OF_50, ["met", "not clear"]),
        (43.6, 6, YEAR_OF_42, ["not clear", "not clear"]),
        (45.0, 3, YEAR_OF_30, ["missed", "met"]),  # whatever the last period says
        (35.0, 3, YEAR_OF_50, ["met", "missed"]),
        (45.0, 3, YEAR_OF_50 | {"of_all": 41.0}, ["met", "met"]),
        (45.0, 3, YEAR_OF_50 | {"of_all": 39.0}, ["not clear", "met"]),  # of everybody asked it is missed
        (43.6, 6, YEAR_OF_30 | {"of_all": 26.0}, ["missed", "not clear"]),
        (45.0, 3, YEAR_OF_30 | {"of_all": 26.0}, ["missed", "met"]),
    ],
)
def test_a_target_is_judged_by_the_year_where_it_is_measured(value, half, year, told):
    row = beside_a_year(value, half, year)
    assert row[["status", "judged_over", "status_alone"]].tolist() == [told[0], "12 months", told[1]]
    assert decided(row) == (year["value"], year["ci_lower"], year["ci_upper"])
    assert (row["value"], row["n_12m"]) == (value, 900)


def test_without_a_year_the_last_period_judges():
    row = beside_a_year(45.0, 3, YEAR_OF_30 | {"value": np.nan, "ci_lower": np.nan, "ci_upper": np.nan})
    assert row[["status", "judged_over", "status_alone"]].tolist() == ["met", "", ""]
    assert decided(row) == (45.0, 42.0, 48.0)


@pytest.mark.parametrize(("year", "told"), [(YEAR_OF_30, "missed"), (YEAR_OF_42, "not clear"), (YEAR_OF_50, "met")])
def test_a_survey_made_once_a_year_is_judged_by_the_year_though_nobody_answered_of_late(year, told):
    row = beside_a_year(np.nan, np.nan, year)
    assert row[["status", "judged_over", "status_alone", "change"]].tolist() == [told, "12 months", "", ""]
    assert decided(row) == (year["value"], year["ci_lower"], year["ci_upper"])
    rows = row.to_frame().T.infer_objects()
    stand = standing(rows, CATALOGUE)
    assert (stand.n_measured, stand.n_judged, stand.blind, stand.n_missed) == (1, 1, (), told == "missed")
    assert headlines(rows, CATALOGUE)["kpi"].tolist() == ["nps"]
    unknown = beside_a_year(np.nan, np.nan, year | {"value": np.nan, "ci_lower": np.nan, "ci_upper": np.nan})
    assert unknown["status"] == "not measured: nobody answered in the period"


def test_a_year_keeps_its_trend_though_nobody_answered_of_late():
    assert beside_a_year(np.nan, np.nan, YEAR_OF_30 | {"trend": "falling"})["trend"] == "falling"


def test_a_target_missed_of_late_is_told_though_the_kpi_got_worse_too():
    row = beside_a_year(35.0, 3, YEAR_OF_50).to_frame().T.infer_objects()
    worse = standing(row.assign(change="lower", season=""), CATALOGUE)
    assert (worse.attention["why"].tolist(), worse.n_worse) == (["missed of late"], 1)


def test_how_far_a_target_is_missed_is_of_what_decides():
    """10 of 40, and not the 3.6 beyond it."""
    assert missed_by(beside_a_year(43.6, 6, YEAR_OF_30)) == pytest.approx(10 / 40)


def test_what_is_missed_of_late_and_not_over_the_year_needs_attention():
    for year, why in ((YEAR_OF_50, "missed of late"), (YEAR_OF_30, "missed"), (YEAR_OF_42, "missed of late")):
        rows = beside_a_year(35.0, 3, year).to_frame().T.infer_objects()
        assert standing(rows, CATALOGUE).attention["why"].tolist() == [why]


def test_what_is_counted_needs_no_interval():
    assert card_of(history("mrr", [40.0]), "mrr", Target(40, INF))["status"] == "met"
    assert card_of(history("mrr", [40.0]), "mrr", Target(40.1, INF))["status"] == "missed"


def test_an_end_that_is_not_known_settles_nothing():
    rows = history("time_to_value", [18.0]).assign(ci_lower=15.0)
    assert card_of(rows, "time_to_value", Target(-INF, 21))["status"] == "not clear"
    assert card_of(rows, "time_to_value", Target(-INF, 14))["status"] == "missed"
    past = history("time_to_value", [18.0, 20.0] * 13 + [40]).assign(ci_lower=17.0)
    past.loc[past.index[-1], "ci_lower"] = 15.0
    assert card_of(past, "time_to_value")["change"] == "noise"


def test_every_kpi_has_a_row_in_the_order_of_the_catalogue():
    table = scorecard(Measured(history("mrr", [5.0]), dict.fromkeys(CATALOGUE, "needs x"), CATALOGUE, {}))
    assert table["kpi"].tolist() == list(CATALOGUE)
    assert (table["definition"].str.len() > 0).all()
    assert table["status"].tolist() == ["no target", *["not measured: needs x"] * (len(CATALOGUE) - 1)]


def test_what_is_not_measured_says_why():
    rows = history("mrr", [5.0])
    assert card_of(rows, "nps", Target(30, INF))["status"] == "not measured: needs data"
    empty = card_of(history("quick_ratio", [2.0, np.nan]), "quick_ratio")
    assert empty["status"] == "not measured: nothing was lost in the month"
    assert card_of(rows, "mrr")["status"] == "no target"


def test_without_a_calendar_there_is_one_value():
    rows = history("ltv", [500.0], half=20).assign(until=pd.NaT)
    row = card_of(rows, "ltv", Target(450, INF))
    assert row[["period", "status", "change"]].tolist() == ["as recorded", "met", ""]


def test_segments_of_the_period_shown():
    rows = pd.concat(
        [
            history("mrr", [4, 5]),
            history("mrr", [1, 2], segment="x"),
            history("mrr", [9], until="2025-05-31", segment="y"),
        ]
    )
    found = Measured(rows, {}, CATALOGUE, {}).by_segment()
    assert found[["kpi", "segment", "value"]].values.tolist() == [["mrr", "x", 2.0]]


def test_segments_without_a_calendar():
    rows = pd.concat([history("ltv", [4]), history("ltv", [2], segment="x")]).assign(until=pd.NaT)
    assert Measured(rows, {}, CATALOGUE, {}).by_segment()["value"].tolist() == [2.0]


def test_a_scale_where_high_is_easy_turns_the_direction():
    kpis = {**CATALOGUE, "ces": replace(CATALOGUE["ces"], direction="up")}
    table = scorecard(
        Measured(history("ces", [4.0], half=0.5), dict.fromkeys(kpis, "x"), kpis, {"ces": Target(3, INF)})
    )
    assert table.set_index("kpi").loc["ces", ["direction", "status"]].tolist() == ["up", "met"]


def judged(*rows):
    """Rows of a scorecard: kpi, value, target, status, change."""
    known = [
        dict.fromkeys(COLUMNS, np.nan)
        | {"judged_over": "", "status_alone": "", "trend": ""}
        | dict(zip(("kpi", "value", "target", "status", "change"), r, strict=True))
        for r in rows
    ]
    table = pd.DataFrame([r | {"direction": CATALOGUE[r["kpi"]].direction} for r in known], columns=COLUMNS)
    return standing(table, CATALOGUE)


def test_what_needs_attention_is_ordered_by_hand():
    """CSAT misses by 0.2 of 0.8, NRR by 0.05 of 0.95; customer retention tells what churn told."""
    found = judged(
        ("customer_churn_rate", 0.06, np.nan, "no target", "higher"),
        ("customer_retention_rate", 0.94, np.nan, "no target", "lower"),
        ("nrr", 0.9, 0.95, "missed", "lower"),
        ("nps", 43.0, 40.0, "not clear", "noise"),
        ("csat", 0.6, 0.8, "missed", ""),
        ("ces", 3.0, 3.5, "met", "lower"),
        ("mrr", 9.0, np.nan, "no target", "noise"),
        ("grr", np.nan, 0.9, "not measured: x", ""),
    )
    assert found.attention[["kpi", "why", "repeats"]].to_numpy().tolist() == [
        ["csat", "missed", False],
        ["nrr", "missed", False],
        ["customer_churn_rate", "worse", False],
        ["customer_retention_rate", "worse", True],
        ["nps", "not clear", False],
        ["ces", "moved", False],
    ]
    assert (found.n_kpis, found.n_measured, found.n_targets, found.n_judged) == (8, 7, 5, 4)
    assert (found.n_missed, found.n_unclear, found.n_worse) == (2, 1, 2)
    assert len(found.blind) == 1


def kept(*, share=0.9, small=40, few=0.1):
    """NRR of three segments that began with 1,000, 100 and 60 of MRR, and GRR: nobody in x pays more than before."""
    begun, n = {"x": 1000.0, "y": 100.0, "few": 60.0}, {"x": 50, "y": small, "few": 29}
    nrr, grr = {"x": 0.85, "y": 1.1, "few": few}, {"x": 0.85, "y": 0.8, "few": 0.1}
    rows = [history("nrr", [share], half=0.01), history("grr", [0.8], half=0.01)]
    rows += [history("mrr", [sum(begun.values())], until="2024-06-30")]
    for part in begun:
        rows += [history(k, [v[part]], half=0.01, segment=part, n=n[part]) for k, v in (("nrr", nrr), ("grr", grr))]
        rows += [history("mrr", [begun[part]], until="2024-06-30", segment=part)]
    names = {name: CATALOGUE[name] for name in ("mrr", "nrr", "grr")}
    return Measured(pd.concat(rows, ignore_index=True), {}, names, {"nrr": Target(0.95, INF)})


def test_what_a_target_missed_costs_by_hand():
    """0.05 of 1,160 are 58, 0.10 of 1,000 are 100; y is above, 29 customers tell nothing, nor does what may be chance."""
    measured = kept()
    table = scorecard(measured)
    cells = compared(table, measured)
    (row,) = shortfalls(table, cells, measured).itertuples()
    assert (row.kpi, row.short, row.dearest, row.dearest_short) == ("nrr", pytest.approx(58), "x", pytest.approx(100))
    assert row.dearest_flat
    assert row.made_up
    stand = standing(table, measured.kpis, cells, shortfalls(table, cells, measured))
    (said,) = Wording(measured, {}).attention(stand, slipping(table, measured)).attention
    assert ", below its target of 95 %, by 58.00 a month**." in said
    assert (
        " x alone is 100.00 a month short, part of which others make up, and none of its customers pays more than a year ago. ["
        in said
    )
    reached = kept(share=0.96)
    assert shortfalls(scorecard(reached), cells, reached).empty
    assert shortfalls(table, cells.assign(verdict=""), measured)["dearest"].isna().all()
    alone = shortfalls(table, cells.head(0), measured)
    assert alone[["short", "dearest"]].isna().to_numpy().tolist() == [[False, True]]


def test_a_target_of_mrr_is_short_by_what_lies_between():
    """MRR of 1,160 of 1,500: 340 short, and more than the 58 that NRR is, so that it is told first; of no segment."""
    measured = kept()
    ended = [history("mrr", [v], segment=p) for p, v in (("All", 1160.0), ("x", 900.0), ("y", 200.0), ("few", 60.0))]
    measured = replace(measured, history=pd.concat([measured.history, *ended], ignore_index=True))
    measured = replace(measured, targets={"nrr": Target(0.95, INF), "mrr": Target(1500.0, INF)})
    table = scorecard(measured)
    cells = compared(table, measured)
    found = shortfalls(table, cells, measured)
    found = found.set_index("kpi")
    assert found["short"].to_dict() == {"mrr": pytest.approx(340), "nrr": pytest.approx(58)}
    assert found["dearest"].fillna("").to_dict() == {"mrr": "", "nrr": "x"}
    found = found.reset_index()
    assert standing(table, measured.kpis, cells, found).attention["kpi"].tolist()[:2] == ["mrr", "nrr"]


def test_what_lies_above_a_band_is_no_shortfall_and_only_who_is_short_by_most_is_named():
    """Above a band nothing is missing; where y is short by more than x, though not clearly, x is not told alone."""
    measured = kept()
    table = scorecard(measured)
    cells = compared(table, measured)
    above = replace(measured, targets={"nrr": Target(0.2, 0.3)})
    assert shortfalls(scorecard(above), cells, above).empty
    low = cells["value"].where(cells["segment"] != "y", -0.1)  # 105 of the 100 it began with
    assert shortfalls(table, cells.assign(value=low), measured)["dearest"].isna().all()


def test_what_segments_are_short_of_adds_up_by_hand():
    """NRR is 1,014 of 1,160, which is 88 short of 95 %: x 100 and few 3, of which y makes up 15."""
    measured = kept(share=1014 / 1160, few=0.9)
    table = scorecard(measured)
    cells = compared(table, measured)
    found = shortfalls(table, cells, measured)
    (row,) = found.itertuples()
    assert row.short == pytest.approx(88)
    assert row.parts == [("few", 0.9, pytest.approx(3)), ("y", 1.1, pytest.approx(-15))]
    stand = standing(table, measured.kpis, cells, found)
    (said,) = Wording(replace(measured, currency="USD"), {}).attention(stand, slipping(table, measured)).attention
    assert (
        "by USD 88.00 a month**. x (85.0 %) is USD 100.00 a month short: none of its customers pays more than a year ago. "
        "few (90.0 %) is short by 3.00; y (110.0 %) makes up 15.00. ["
    ) in said


def test_nobody_who_pays_more_is_said_of_customers_without_segments():
    """NRR of all at 80 %, as GRR: nobody pays more; at 90 % somebody does."""
    for share, told in ((0.8, True), (0.9, False)):
        measured = kept(share=share)
        table = scorecard(measured)
        found = shortfalls(table, compared(table, measured).head(0), measured)
        assert found["flat"].tolist() == [told]
        stand = standing(table, measured.kpis, short=found)
        (said,) = Wording(measured, {}).attention(stand, slipping(table, measured)).attention
        assert ("**. Nobody pays more than a year ago. [" in said) is told


def test_what_is_missing_in_money_goes_first():
    """However small its share: customer churn is missed by 100 %, NRR by 6 %."""
    table = rows_of(customer_churn_rate=(0.04, 0.02), nrr=(0.9, 0.95)).assign(status="missed")
    short = pd.DataFrame({"kpi": ["nrr"], "short": [58.0]}).reindex(columns=["kpi", *SHORT])
    assert standing(table, CATALOGUE).attention["kpi"].tolist() == ["customer_churn_rate", "nrr"]
    assert standing(table, CATALOGUE, None, short).attention["kpi"].tolist() == ["nrr", "customer_churn_rate"]


def test_what_is_not_set_up_is_never_met():
    """Time to first use says nothing of a target of the feature that brings value."""
    unset = {"time_to_value": replace(CATALOGUE["time_to_value"], unset="name a feature")}
    rows = history("time_to_value", [1.0], half=0.5)
    (row,) = scorecard(Measured(rows, {}, unset, {"time_to_value": Target(-INF, 21)})).itertuples()
    assert row.status == "not set up: name a feature"
    assert row.value == 1
    named, unnamed = CATALOGUE["time_to_value"], catalogue()["time_to_value"]
    assert (named.unset, named.label) == ("", "Time to value")
    assert unnamed.unset
    assert unnamed.label == "Time to first use"


def rows_of(**values):
    """A scorecard of these KPIs: a value, or a value and its target."""
    pairs = {name: v if isinstance(v, tuple) else (v, np.nan) for name, v in values.items()}
    known = [dict.fromkeys(COLUMNS, np.nan) | {"kpi": n, "value": v, "target": t} for n, (v, t) in pairs.items()]
    return pd.DataFrame([r | {"unit": CATALOGUE[r["kpi"]].unit} for r in known], columns=COLUMNS)


def test_complements_and_equal_forms_are_told_by_another():
    table = rows_of(
        customer_churn_rate=0.1, customer_retention_rate=0.9, revenue_churn_rate=0.2, revenue_retention_rate=(0.8, 0.85),
        nrr=0.9, grr=0.9, ltv=10.0, ltv_formula_b=12.0, ltv_formula_c=12.0,
    )  # fmt: skip
    assert told_by(table, CATALOGUE) == {
        "customer_retention_rate": "customer_churn_rate",
        "revenue_churn_rate": "revenue_retention_rate",
        "grr": "nrr",
        "ltv_formula_b": "ltv",
        "ltv_formula_c": "ltv",
    }
    alone = rows_of(ltv=np.nan, ltv_formula_b=12.0, ltv_formula_c=12.0)
    assert told_by(alone, CATALOGUE) == {"ltv_formula_c": "ltv_formula_b"}
    assert told_by(rows_of(ltv=10.0, ltv_formula_a=(9.0, 12.0)), CATALOGUE) == {}
    both = rows_of(customer_churn_rate=(0.1, 0.05), customer_retention_rate=(0.9, 0.95))
    assert told_by(both, CATALOGUE) == {}
    assert told_by(rows_of(nrr=0.9, grr=0.8, ltv_to_cac=3.0, payback_months=3.0), CATALOGUE) == {}


def test_headlines_are_targets_first_then_the_usual_ones():
    names = [n for n in CATALOGUE if n not in ("cac", "ltv")]
    table = rows_of(**dict.fromkeys(names, 1.0) | {"cac": (1.0, 2.0), "grr": (2.0, 3.0), "ltv": np.nan})
    assert headlines(table, CATALOGUE)["kpi"].tolist() == [
        "mrr", "nrr", "customer_churn_rate", "nps", "active_share", "time_to_value", "grr", "cac"
    ]  # fmt: skip


def test_headlines_are_measured_and_set_up():
    table = rows_of(time_to_value=(1.0, 2.0), nps=(np.nan, 30.0), csat=0.7, grr=0.8)
    assert headlines(table, catalogue())["kpi"].tolist() == ["csat"]
    assert headlines(table, CATALOGUE)["kpi"].tolist() == ["time_to_value", "csat"]


def parted(*parts, kpi="nps", whole=None, mrr=None):
    """Of one KPI: value, half interval and size of each segment; of all their mean, else ``whole``; MRR of a year ago."""
    sizes = [(mrr or {}).get(s, n) for s, _, _, n in parts]
    mean = np.average([v for _, v, _, _ in parts], weights=sizes) if whole is None else whole
    rows = [history(kpi, [mean], half=5)]
    rows += [history(kpi, [v], half=h, segment=s).assign(n=n) for s, v, h, n in parts]
    for day, factor in (("2024-06-30", 1), ("2025-06-30", 0.01)):  # what is left of it tells nothing
        told = [("All", 1.0), *(mrr or {}).items()]
        rows += [history("mrr", [v * factor], until=day, segment=s) for s, v in told]
    table = pd.concat(rows, ignore_index=True).astype({"n": "Int64"})
    measured = Measured(table, {}, {k: CATALOGUE[k] for k in (kpi, "mrr")}, {})
    return compared(scorecard(measured), measured).query("kpi == @kpi")


def test_segments_are_held_against_the_others_by_hand():
    """25 against the mean of 48 and 40, 44 ± √(6² + 6²) / 2: z = 19 / √(6² + 18) · 1.96; 48 against 32.5, 40 against 36.5."""
    table = parted(("x", 25, 6, 50), ("y", 48, 6, 50), ("z", 40, 6, 50))
    assert table["verdict"].tolist() == ["below", "above", ""]
    p = [2 * norm.sf(apart / np.sqrt(54) * norm.ppf(0.975)) for apart in (19, 15.5, 3.5)]
    assert table["p_adjusted"].tolist() == pytest.approx([3 * p[0], 3 / 2 * p[1], p[2]], rel=1e-9)
    assert parted(("x", 25, 6, 50))["p_adjusted"].tolist() == [1]
    assert parted(("x", 25, 6, 50), ("y", 48, None, 50))["p_adjusted"].tolist() == [1, 1]
    assert parted(("x", 25, None, 50), ("y", 48, None, 50))["p_adjusted"].isna().all()
    assert parted(("x", 25, 6, 29), ("y", 48, 6, 50))["verdict"].tolist() == ["", "above"]  # of few nothing is told
    assert parted(("x", 25, 6, 50), ("y", 48, np.inf, 50))["verdict"].tolist() == ["", ""]


def test_two_segments_are_one_comparison_by_hand():
    """25 and 48, each ± 6: z = 23 / √72 · 1.96 = 5.3, beside the three of CSAT above: of four p, the smallest times 4."""
    scored = {"nps": {"x": 25, "y": 48}, "csat": {"x": 0.25, "y": 0.48, "z": 0.40}}
    rows = []
    for (kpi, own), half in zip(scored.items(), (6, 0.06), strict=True):
        rows += [history(kpi, [np.mean([*own.values()])], half=half)]
        rows += [history(kpi, [v], half=half, segment=s).assign(n=50) for s, v in own.items()]
    measured = Measured(pd.concat(rows, ignore_index=True), {}, {k: CATALOGUE[k] for k in scored}, {})
    cells = compared(scorecard(measured), measured).set_index(["kpi", "segment"])
    z = {"pair": 23 / np.sqrt(72), "x": 19 / np.sqrt(54), "y": 15.5 / np.sqrt(54), "z": 3.5 / np.sqrt(54)}
    p = {name: 2 * norm.sf(apart * norm.ppf(0.975)) for name, apart in z.items()}
    assert cells.loc["nps", "p_adjusted"].tolist() == pytest.approx([4 * p["pair"]] * 2, rel=1e-6)
    assert cells.loc["csat", "p_adjusted"].tolist() == pytest.approx([2 * p["x"], 4 / 3 * p["y"], p["z"]], rel=1e-6)
    assert cells.loc["nps", "verdict"].tolist() == ["below", "above"]
    once = distinct(cells.reset_index())
    assert once[["kpi", "segment"]].to_numpy().tolist() == [["nps", "x"], *(["csat", s] for s in "xyz")]
    assert "Of 4 comparisons, 3 are marked, of which" in Wording(measured, {}).verdicts(once, once.head(0))


def test_what_is_like_a_marked_value_and_has_a_wider_interval_has_no_mark():
    """81 is below the others and 82 is not; 84 is as narrow, 90 is outside, and nobody compared the last."""
    values, half, p = [0.81, 0.82, 0.84, 0.90, 0.82], [0.05, 0.07, 0.05, 0.07, 0.07], [0.01, 0.2, 0.2, 0.2, np.nan]
    cells = pd.DataFrame({"kpi": "nrr", "segment": list("abcde"), "value": values, "p_adjusted": p})
    cells = cells.assign(ci_lower=cells["value"] - half, ci_upper=cells["value"] + half, verdict=["below", *[""] * 4])
    assert unmarked(cells)["segment"].tolist() == ["b"]
    assert unmarked(cells.assign(kpi=list("vwxyz"))).empty


def test_what_is_no_mean_is_held_against_all_by_hand():
    """Of 40 in all, 25 and 48 could not be: z = 15 / √(5² + 6²) · 1.96 and 8 / √(5² + 6²) · 1.96."""
    table = parted(("x", 25, 6, 50), ("y", 48, 6, 50), whole=40.0)
    assert table["verdict"].tolist() == ["below", "above"]
    p = [2 * norm.sf(apart / np.sqrt(61) * norm.ppf(0.975)) for apart in (15, 8)]
    assert table["p_adjusted"].tolist() == pytest.approx([2 * p[0], p[1]], rel=1e-9)


def test_segments_are_held_against_12_months_where_these_are_known():
    """As the topic says of NPS; of churn, 0.02 and 0.06 of 1,000 each, ± 0.01, are 0.04 ± 0.014 apart: z = 5.5."""
    both = {"x": ("nps", 25.0, 6.0, "below"), "y": ("nps", 48.0, 6.0, "")}
    rows = [
        *[history("nps", [50.0], half=5, segment=s) for s in ("All", "x", "y", "few")],
        *[history("customer_churn_rate", [0.5], half=0.1, segment=s) for s in ("All", "x", "y")],
    ]
    years = [("nps", "All", 36.5, 5.0, np.nan), *[(k, s, v, h, said) for s, (k, v, h, said) in both.items()]]
    years += [("customer_churn_rate", s, v, 0.01, np.nan) for s, v in (("All", 0.04), ("x", 0.02), ("y", 0.06))]
    year = pd.DataFrame(years, columns=["kpi", "segment", "value", "half", "verdict"])
    ends = {"ci_lower": year["value"] - year["half"], "ci_upper": year["value"] + year["half"]}
    year = year.assign(n=1000.0, p_adjusted=year["verdict"].map({"below": 0.01, "": 0.4}), **ends)
    names = {name: CATALOGUE[name] for name in ("nps", "customer_churn_rate")}
    measured = Measured(pd.concat(rows, ignore_index=True), {}, names, {}, years=year.reindex(columns=OVER_YEAR))
    table = scorecard(measured)
    cells = compared(table, measured)
    assert cells[["kpi", "segment", "value", "verdict"]].to_numpy().tolist() == [
        ["nps", "x", 25.0, "below"], ["nps", "y", 48.0, ""],
        ["customer_churn_rate", "x", 0.02, "below"], ["customer_churn_rate", "y", 0.06, "above"],
    ]  # fmt: skip
    assert cells["p_adjusted"].tolist()[:2] == [0.01, 0.4]
    beside = beside_segments(table, measured)
    assert beside[["value", "judged_over"]].to_numpy().tolist() == [[36.5, "12 months"], [0.04, "12 months"]]
    assert table["value"].tolist() == [50.0, 0.5]
    shown = Wording(measured, {}).segments(beside, cells, ["x", "y"])
    assert shown.to_numpy().tolist() == [
        ["Net promoter score (NPS), 12 months", "36.5", "↓ 25.0", "48.0"], ["Customer churn a month, 12 months", "4.0 %", "↓ 2.0 %", "↑ 6.0 %"],
    ]  # fmt: skip


def test_a_segment_without_anybody_asked_hinders_no_other():
    asked = parted(("x", 25, 6, 50), ("y", 48, 6, 50))
    rows = [
        history("nps", [36.5], half=5),
        history("nps", [25.0], half=6, segment="x"),
        history("nps", [48.0], half=6, segment="y"),
    ]
    rows += [history("nps", [np.nan], half=None, segment="z").assign(n=pd.NA)]
    measured = Measured(pd.concat(rows, ignore_index=True).astype({"n": "Int64"}), {}, {"nps": CATALOGUE["nps"]}, {})
    found = compared(scorecard(measured), measured)
    assert found["verdict"].tolist()[:2] == asked["verdict"].tolist() == ["below", "above"]
    assert found["p_adjusted"].isna().tolist() == [False, False, True]


def test_the_others_count_by_their_customers_or_by_mrr():
    """A large segment at 40 and a tiny one at 100: the third, at 46, is above them by customers, below by MRR then."""
    sized = (("x", 46, 2, 500), ("y", 40, 2, 5000), ("z", 100, 2, 30))
    assert parted(*sized)["verdict"].tolist()[0] == "above"
    paid = parted(*sized, kpi="nrr", mrr={"x": 5.0, "y": 1.0, "z": 9.0})
    assert paid["verdict"].tolist()[0] == "below"


@pytest.mark.long
def test_segments_that_do_not_differ_are_rarely_marked():
    """Four plans with the same churn, 300 worlds: 5 % of tables at most, and a plan of double churn is found."""
    rng, found = np.random.default_rng(5), []
    for chance in ([0.1] * 4, [0.1, 0.1, 0.1, 0.2]):
        marked = []
        for _ in range(300):
            left = rng.binomial(500, chance)
            own = [churned([n], 500).assign(segment=s) for s, n in zip("abcd", left, strict=True)]
            rows = pd.concat([churned([left.sum()], 2000), *own], ignore_index=True)
            measured = Measured(rows, {}, {"customer_churn_rate": CATALOGUE["customer_churn_rate"]}, {})
            marked.append((compared(scorecard(measured), measured)["verdict"] != "").any())
        found.append(np.mean(marked))
    assert found[0] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert found[1] > 0.8


def test_nothing_measured_needs_no_attention():
    found = judged(("mrr", np.nan, np.nan, "not measured: x", ""))
    assert found.attention.empty
    assert found.n_measured == 0


def yearly(n, months, shape, *, base=0.03):
    """The chance to leave by month, so that the last stands at the peak of its year."""
    place = (np.arange(months) - months + 1) % 12
    return base * {"wave": 1 + 0.6 * np.cos(np.pi * place / 6), "peak": np.where(place == 0, 2.5, 1.0)}[shape]


@pytest.mark.long
@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("shape", ["wave", "peak"])
def test_a_peak_of_every_year_is_noise_and_twice_as_many_are_not(shape, n):
    """A hundred worlds of three years and a month; without earlier years a third or more raised an alarm."""
    rng, chance = np.random.default_rng(n), yearly(n, 37, shape)
    cards = [card_of(churned(rng.binomial(n, chance), n), "customer_churn_rate") for _ in range(100)]
    assert np.mean([c["change"] != "noise" for c in cards]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    if n > 300:
        chance[-1] *= 2
        found = [card_of(churned(rng.binomial(n, chance), n), "customer_churn_rate")["change"] for _ in range(40)]
        assert np.mean([f == "higher" for f in found]) > 0.9


def peaks(kpi, months, last=16.0, **more):
    """A peak of 16 in the last month of every year, else 4; the last value is given."""
    values = np.where((np.arange(months) - months + 1) % 12 == 0, 16.0, 4.0)
    return history(kpi, [*values[:-1], last], **more)


def test_a_peak_seen_twice_is_usual_and_one_seen_once_may_be_the_season():
    once, twice = (card_of(peaks("usage_frequency", m, half=0.5), "usage_frequency") for m in (24, 25))
    assert once[["change", "season"]].tolist() == ["higher", "unknown"]
    assert twice[["change", "season"]].tolist() == ["noise", "allowed for"]
    assert card_of(peaks("usage_frequency", 25, last=4.0, half=0.5), "usage_frequency")["change"] == "lower"
    level = card_of(history("usage_frequency", [4.0] * 24 + [9], half=0.5), "usage_frequency")
    assert level[["change", "season"]].tolist() == ["higher", "none"]


def test_what_grows_needs_two_years_of_changes():
    """MRR rises by a fifth in January, else by up to four hundredths."""
    month = np.arange(26)
    values = 100 * np.exp(np.cumsum(np.where(month % 12 == 1, 0.2, 0.01 * (month % 5))))
    assert card_of(history("mrr", values[1:]), "mrr")[["change", "season"]].tolist() == ["higher", "unknown"]
    assert card_of(history("mrr", values), "mrr")[["change", "season"]].tolist() == ["noise", "allowed for"]


def test_without_limits_a_quarter_is_compared_with_that_of_the_year_before():
    low, high = [20.0] * 9, [40.0] * 3
    same = card_of(history("nps", [*high, *low, *high], half=5), "nps")
    assert same[["change", "season", "previous", "year_before"]].tolist() == ["noise", "allowed for", 20, 40]
    fell = card_of(history("nps", [*high, *low, *low[:3]], half=5), "nps")
    assert fell[["change", "season"]].tolist() == ["lower", "allowed for"]
    assert card_of(history("nps", [*low, *high], half=5), "nps")[["change", "season"]].tolist() == ["higher", "unknown"]


def test_a_year_has_no_season_and_customer_value_is_not_judged():
    assert card_of(history("nrr", np.linspace(0.8, 1.0, 25), half=0.01), "nrr")["season"] == ""
    assert card_of(history("ltv", [500.0] * 30, half=20), "ltv")["season"] == ""


def test_a_month_without_a_value_moves_no_other_month():
    """Peaks stay twelve months apart where a month between them is not there."""
    rows = peaks("usage_frequency", 37, half=0.5)
    assert card_of(rows.drop(index=[5, 20]), "usage_frequency")["change"] == "noise"


def test_a_trend_of_years_is_pooled_by_hand():
    """12 months of 1 in 10 and then one of 4 in 20: the year to it is (11 + 4) / (110 + 20)."""
    rows = history("customer_churn_rate", [0.1] * 12 + [0.2]).assign(n=[10] * 12 + [20])
    measured = Measured(rows, {}, CATALOGUE, {})
    assert measured.trend("customer_churn_rate", pooled=12) == pytest.approx((0.1, 15 / 130))
    assert measured.trend("customer_churn_rate") == (*[0.1] * 12, 0.2)
    assert Measured(rows.tail(5), {}, CATALOGUE, {}).trend("customer_churn_rate", pooled=12) == ()
    empty = rows.assign(n=[0, *rows["n"].iloc[1:]], value=[np.nan, *rows["value"].iloc[1:]])
    assert Measured(empty, {}, CATALOGUE, {}).trend("customer_churn_rate", pooled=12) == pytest.approx((0.1, 15 / 130))


@pytest.mark.long
def test_chance_alone_seldom_becomes_worse_step_by_step():
    """Of 300 scores of twelve quarters that nothing moves, about 2 % are named."""
    rng = np.random.default_rng(5)
    months = pd.date_range(end="2025-06-30", periods=12, freq="QE")
    kpi, named = {"csat": CATALOGUE["csat"]}, 0
    for values in rng.normal(0.7, 0.02, (300, 12)):
        rows = history("csat", values, half=0.02 * norm.ppf(0.975)).assign(until=months)
        measured = Measured(rows, {}, kpi, {})
        named += len(slipping(scorecard(measured), measured))
    assert 2 <= named <= 18
