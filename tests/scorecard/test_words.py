import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from cslib.data.drift import Drift
from cslib.data.kpi import HISTORY, OVER_YEAR, Setting, of_margin
from cslib.scorecard.attention import standing
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import COLUMNS, headlines, told_by
from cslib.scorecard.words import Wording

CATALOGUE = catalogue(Setting(gross_margin=0.8))
BLANK = {
    "period": "",
    "judged_over": "",
    "trend": "",
    "status_alone": "",
    "value": np.nan,
    "change": "",
    "status": "not measured: needs x",
    "n": pd.NA,
}


def row(kpi, value=None, **more):
    entry = CATALOGUE[kpi]
    known = dict.fromkeys(COLUMNS, np.nan) | BLANK
    known |= {c: getattr(entry, c) for c in ("unit", "months", "direction", "label", "group")} | {"kpi": kpi}
    if value is not None:
        known |= {"value": value, "period": "June 2025", "status": "no target", "n": 200}
    return known | more


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"})


def measured(history=(), currency=""):
    return Measured(pd.DataFrame(history, columns=HISTORY), {}, CATALOGUE, {}, currency)


def wording(repeats=None, **more):
    return Wording(measured(**more), repeats or {})


say = wording()
NONE = pd.DataFrame(columns=[*COLUMNS, "periods", "since"])


def attention(rows):
    found = say.attention(standing(rows, CATALOGUE), NONE)
    assert not found.cards
    assert found.how_to_read
    return list(found.attention)


def answered(rows, currency=""):
    return wording(currency=currency).answer(standing(rows, CATALOGUE), headlines(rows, CATALOGUE))


def notes(rows):
    return wording(told_by(rows, CATALOGUE)).notes(rows)


MISSED = row("nrr", 0.889, ci_lower=0.85, ci_upper=0.94, target=0.95, status="missed", previous=0.88, year_before=0.88)
WORSE = row("customer_churn_rate", 0.06, limit_lower=0.01, limit_upper=0.04, change="higher", previous=0.02)
UNCLEAR = row("nps", 43.6, ci_lower=37.7, ci_upper=49.0, target=40.0, status="not clear", change="noise")
BETTER = row("cross_sell_rate", 0.13, change="higher", previous=0.1, year_before=0.1)
CALM = row("mrr", 1000.0, change="noise")
SOLD = "[What do existing customers buy?](revenue#what-do-existing-customers-buy)"


def test_attention_in_order_each_with_its_link():
    assert attention(table(BETTER, UNCLEAR, CALM, WORSE, MISSED)) == [
        "**Net revenue retention (NRR) over 12 months is 88.9 % (85.0 to 94.0), below its target of 95 %**; a year ago it was 88.0 %. "
        "[What do we keep?](revenue#what-do-we-keep)",
        "**Customer churn is 6.0 %, above its usual 1.0 to 4.0**; a month earlier it was 2.0 %. "
        "[How many leave in a month?](churn_survival#how-many-leave-in-a-month)",
        "**Net promoter score (NPS) is 43.6 (37.7 to 49.0)**, above its target of at least 40, but not clearly. "
        "[Who is happy, and who isn't?](nps_segmentation#who-is-happy-and-who-isn-t)",
        f"**Better: Cross-sell rate is 13.0 %, clearly up from 10.0 % a year ago**. {SOLD}",
    ]


def test_a_kpi_and_its_twin_are_said_once():
    twin = row("customer_retention_rate", 0.94, limit_lower=0.96, limit_upper=0.99, change="lower", previous=0.98)
    (said,) = attention(table(WORSE, twin, CALM))
    assert "Customer churn is 6.0 %" in said


def test_good_news_comes_after_bad():
    said = attention(table(BETTER, CALM, row("ces"), WORSE))
    assert said[0].startswith("**Customer churn is 6.0 %")
    assert said[1] == f"**Better: Cross-sell rate is 13.0 %, clearly up from 10.0 % a year ago**. {SOLD}"


def test_what_got_better_without_its_twin_is_said_too():
    grr = row("grr", 0.757, change="higher", previous=0.69, year_before=0.69)
    said = attention(table(MISSED, grr))
    assert len(said) == 2
    assert said[1].startswith(
        "**Better: Gross revenue retention (GRR) over 12 months is 75.7 %, clearly up from 69.0 %"
    )
    both = row("nrr", 0.99, change="higher", previous=0.9, year_before=0.9)
    (one,) = attention(table(both, grr))
    assert "NRR" in one


@pytest.mark.parametrize(
    ("month", "kind", "told"),
    [
        (
            "2024-04-01",
            "expansion",
            "95 %**; a year ago it was 88.0 %, which was lifted by the unusual expansion of April 2024.",
        ),
        (
            "2024-07-01",
            "expansion",
            "95 %**; it is lifted by the unusual expansion of July 2024; a year ago it was 88.0 %.",
        ),
        ("2025-06-01", "churn", "95 %**; it is lowered by the unusual churn of June 2025; a year ago it was 88.0 %."),
        ("2023-06-01", "churn", "95 %**; a year ago it was 88.0 %."),
    ],
)
def test_a_month_far_out_is_told_of_the_year_that_holds_it(month, kind, told):
    far = pd.Series({"kind": kind, "month": pd.Timestamp(month)})
    own = replace(say, far_out=far)
    (said,) = own.attention(standing(table(MISSED | {"until": pd.Timestamp("2025-06-30")}), CATALOGUE), NONE).attention
    assert told in said


def test_nothing_to_say_is_said():
    found = say.attention(standing(table(CALM), CATALOGUE), NONE)
    assert found.attention == (
        "Nothing is off its target or clearly different from usual. "
        "[Where does every KPI stand?](scorecard#where-does-every-kpi-stand)",
    )
    assert found.notes == ("No targets are set. Name them under [targets] in cslib.toml, such as nps = 30.",)


def test_a_missed_target_that_got_worse_says_both():
    fell = {**MISSED, "change": "lower"}
    assert attention(table(fell))[0].startswith(
        "**Net revenue retention (NRR) over 12 months is 88.9 % (85.0 to 94.0), below its target of 95 %**; it is clearly down from 88.0 % a year ago."
    )


def test_a_band_is_left_on_either_side_and_what_has_no_interval_cannot_be_told():
    band = row("crc_share_of_margin", 0.08, target=0.03, target_upper=0.06, status="missed")
    assert attention(table(band))[0].startswith(
        "**Retention cost (CRC) as share of margin is 8.0 %, outside its target of 3 to 6 %**."
    )
    few = row("ltv", 90.0, target=100.0, status="not clear")
    assert attention(table(few))[0].startswith(
        "**Lifetime value (LTV) is 90**; whether it meets its target of at least 100 cannot be told."
    )


YEAR_MISSED = {
    "judged_over": "12 months",
    "status_alone": "not clear",
    "value_12m": 0.039,
    "ci_lower_12m": 0.037,
    "ci_upper_12m": 0.042,
    "n_12m": 20_000,
}
CHURN = row(
    *("customer_churn_rate", 0.031), ci_lower=0.024, ci_upper=0.039, target=0.03, period="June 2025",
    until=pd.Timestamp("2025-06-30"), previous=0.035, limit_lower=0.027, limit_upper=0.068, change="noise",
)  # fmt: skip
ASKED = {
    **UNCLEAR,
    "period": "April to June 2025",
    "until": pd.Timestamp("2025-06-30"),
    "judged_over": "12 months",
    "status_alone": "not clear",
    "value_12m": 37.4,
    "ci_lower_12m": 33.7,
    "ci_upper_12m": 40.8,
    "n_12m": 1563,
    "of_all_12m": 32.3,
    "of_all_lower_12m": 28.6,
    "of_all_upper_12m": 36.1,
}


def test_a_target_that_the_year_judges_is_told_by_the_year():
    entry = CHURN | YEAR_MISSED | {"status": "missed"}
    (said,) = attention(table(entry))
    assert said == (
        "**Customer churn is 3.9 % a month over 12 months (3.7 to 4.2), above its target of 3 %**; "
        "June alone, at 3.1 %, is above it, but not clearly. "
        "[How many leave in a month?](churn_survival#how-many-leave-in-a-month)"
    )
    assert answered(table(entry)).text.startswith("**The one target is missed: customer churn over 12 months**.")
    made = card(entry)
    assert (made.value, made.status, made.target) == (0.039, "missed", "at most 3 %")
    assert (made.ci_lower, made.ci_upper, made.n) == (0.037, 0.042, 20_000)
    assert (made.label, made.noun) == ("Customer churn a month", "customer month")
    assert made.detail == "12 months to June 2025\nJune alone: 3.1 (2.4 to 3.9)"
    columns = ["KPI", "Period", "Value", "Target", "Status", "95 % interval", "Before", "Year before"]
    shown = say.kpis(table(entry | {"before_12m": 0.055, "year_before": 0.049}))
    assert shown[columns].to_numpy().tolist() == [
        ["Customer churn a month", "12 months", "3.9 %", "≤ 3 %", "missed", "3.7 to 4.2", "", "5.5"],
        ["Customer churn", "June", "3.1 %", "", "", "2.4 to 3.9", "3.5", "4.9"],
    ]
    assert notes(table(entry)) == ()


def test_a_last_period_that_tells_is_told_beside_a_year_that_tells_otherwise():
    better = CHURN | YEAR_MISSED | {"value": 0.02, "status": "missed", "status_alone": "met"}
    assert "above its target of 3 %**; June alone, at 2.0 %, meets it. " in attention(table(better))[0]
    of_late = CHURN | {"value": 0.06, "ci_lower": 0.05, "ci_upper": 0.07, "status_alone": "missed"}
    year = {
        "judged_over": "12 months",
        "value_12m": 0.025,
        "ci_lower_12m": 0.023,
        "ci_upper_12m": 0.027,
        "n_12m": 20_000,
    }
    (said,) = attention(table(of_late | year | {"status": "met"}))
    assert said.startswith(
        "**Customer churn is 6.0 % in June alone (5.0 to 7.0), above its target of 3 %**; "
        "2.5 % a month over 12 months (2.3 to 2.7) meets it. "
    )
    close = year | {"value_12m": 0.03, "status": "not clear"}
    assert "(2.3 to 2.7) is at it, as far as can be told." in attention(table(of_late | close))[0]
    unclear = CHURN | close | {"status_alone": "not clear"}
    assert attention(table(unclear))[0].startswith(
        "**Customer churn is 3.0 % a month over 12 months (2.3 to 2.7)**, at its target of at most 3 %, as far as can be told. "
    ), "the month alone is on the card"
    assert card(CHURN | {"status": "not clear"}).detail.endswith("\nusually 2.7 to 6.8")


def test_of_effort_it_is_said_which_way_is_easy():
    rose = row("ces", 5.2, change="", last_change="higher", last_before=4.1)
    assert attention(table(rose))[0].startswith(
        "**Customer effort score (CES, low is easy) of June 2025 is 5.20, clearly above"
    )
    assert "(CES, high is easy)" in attention(table(rose | {"direction": "up", "last_change": "lower"}))[0]


def test_an_earlier_quarter_that_was_further_out_is_told():
    fell = row("csat", 0.685, change="", last_change="lower", last_before=0.74, until=pd.Timestamp("2025-06-30"))
    fell |= {"previous": 0.718, "period": "April to June 2025"}
    said = "clearly below the 74.0 % of all quarters before**"
    assert f"{said}; a quarter ago it was 71.8 %." in attention(table(fell))[0]
    lower = fell | {"last_beyond": 0.67, "last_beyond_in": "January to March 2024"}
    assert f"{said}, though January to March 2024 was lower, at 67.0 %; a" in attention(table(lower))[0]
    assert "though" not in attention(table(lower | {"last_beyond": 0.6849}))[0], "both are 68.5 %"


def test_what_lies_in_a_range_that_tells_nothing_is_not_called_usual():
    wide = CHURN | {"limit_lower": 0.0, "limit_upper": 0.06, "tells": False, "target": np.nan, "status": "no target"}
    assert card(wide).detail == "June 2025\ndown from 3.5 % in May"
    assert card(wide).limits is None
    assert say.kpis(table(wide))["Change"].tolist() == ["may be chance"]
    assert say.kpis(table(wide | {"tells": True}))["Change"].tolist() == ["as usual"]


def test_a_period_of_what_is_known_over_a_year_has_no_verdict_but_a_range():
    years = pd.DataFrame([{"kpi": "customer_churn_rate"}], columns=OVER_YEAR)
    own = Wording(replace(measured(), years=years), {})
    alone = table(CHURN | {"target": np.nan, "status": "no target", "tells": True})
    assert own.kpis(alone)[["Usually", "Change"]].to_numpy().tolist() == [["2.7 to 6.8", ""]]
    assert "and single months or quarters of what is judged over 12 months)" in own.changes(alone)[0]
    assert "usual month" not in say.changes(alone)[0]


def test_a_clear_trend_is_said_though_it_is_part_of_the_usual_range():
    entry = CHURN | YEAR_MISSED | {"status": "missed", "trend": "falling"}
    assert "above its target of 3 %**, and falling; June alone" in attention(table(entry))[0]
    entry |= {"tells": True}
    shown = say.kpis(table(entry))
    assert shown[["KPI", "Usually", "Change"]].to_numpy().tolist() == [
        ["Customer churn a month", "", "better"],
        ["Customer churn", "2.7 to 6.8", ""],
    ]
    assert say.kpis(table(entry | {"tells": False}))["Usually"].tolist() == ["", ""]
    fell = say.kpis(table(CHURN | {"target": np.nan, "status": "no target", "tells": True, "last_change": "lower"}))
    assert fell[["Usually", "Change"]].to_numpy().tolist() == [["", "better"]]  # from all before: it is no range
    assert say.kpis(table(entry | {"change": "higher"}))["Change"].tolist() == ["better", "worse"]


SILENT = {"value": np.nan, "ci_lower": np.nan, "ci_upper": np.nan, "n": 0, "change": "", "status_alone": ""}


def test_a_survey_that_nobody_answered_of_late_is_told_by_its_year():
    entry = ASKED | SILENT | {"of_all_12m": np.nan}
    (said,) = attention(table(entry))
    assert said.startswith(
        "**Net promoter score (NPS) is 37.4 over 12 months (33.7 to 40.8)**, below its target of at least 40, but not clearly; "
        "April to June 2025 alone is not measured. "
    )
    made = card(entry)
    assert (made.value, made.status, made.n) == (37.4, "not clear", 1563)
    assert made.detail == "last 12 months, line: quarters\nLast 3 months: not measured"
    shown = say.kpis(table(entry))
    said_of = ["KPI", "Period", "Value", "Status"]
    assert shown[said_of].to_numpy().tolist() == [["Net promoter score (NPS)", "12 months", "37.4", "not clear"]]
    assert notes(table(entry)) == ()
    assert "0 are" not in answered(table(entry)).text
    undated = CHURN | YEAR_MISSED | SILENT | {"status": "missed", "until": pd.NaT}
    assert attention(table(undated))[0].endswith(
        "; the latest period alone is not measured. [How many leave in a month?]"
        "(churn_survival#how-many-leave-in-a-month)"
    )


def test_a_score_names_those_who_did_not_answer():
    (said,) = attention(table(ASKED))
    assert said == (
        "**Net promoter score (NPS) is 37.4 over 12 months (33.7 to 40.8)**, below its target of at least 40 among those who answered, but not clearly; "
        "estimated for everyone asked, it is 32 (29 to 36), below its target. "
        "[Who is happy, and who isn't?](nps_segmentation#who-is-happy-and-who-isn-t)"
    )
    good = ASKED | {"value_12m": 45.0, "ci_lower_12m": 41.0, "ci_upper_12m": 49.0}  # by those who answered
    assert (
        "**, with a target of at least 40; April to June 2025 alone, at 43.6, is above it, but"
        in attention(table(good))[0]
    )
    wide, unknown = {"of_all_upper_12m": 41.0}, {"of_all_lower_12m": np.nan, "of_all_upper_12m": np.nan}
    missed = {"status": "missed", "ci_upper_12m": 39.0}
    assert "; estimated for everyone asked, it is 32 (29 to 41). " in attention(table(ASKED | wide))[0]
    assert "; estimated for everyone asked, it is 32. " in attention(table(ASKED | unknown))[0]
    assert "; estimated for everyone asked, it is 32 (29 to 36). " in attention(table(ASKED | missed))[0]
    made = card(ASKED)
    assert (made.label, made.value, made.n, made.noun) == ("Net promoter score (NPS)", 37.4, 1563, "customer")
    assert made.detail == "last 12 months, line: quarters\nLast 3 months: 43.6\neveryone asked: 32"
    share = {"kpi": "csat", "unit": "percent", "value_12m": 0.71, "of_all_12m": 0.684}
    assert card(ASKED | share).detail.endswith("everyone asked: 68 %")


ONE_MET = row("csat", 0.9, target=0.8, status="met")
UNSET = row("time_to_value", 1.0, target=21.0, status="not set up: name a feature", label="Time to first use")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([MISSED], "**The one target is missed: net revenue retention over 12 months**. No change can be judged yet."),
        ([MISSED, UNCLEAR, WORSE], "**1 of 2 targets is missed: net revenue retention over 12 months**. 1 is neither clearly met nor missed (net promoter score). Customer churn is clearly worse than before."),
        ([MISSED, UNCLEAR, ONE_MET, UNSET], "**1 of 4 targets is missed: net revenue retention over 12 months**. 1 is met, 1 is neither clearly met nor missed (net promoter score) and 1 cannot be judged (time to first use). No KPI is clearly worse than usual or than a year ago."),
        ([UNCLEAR, CALM], "**The one target is neither clearly met nor clearly missed**. No KPI is clearly worse than usual or than a year ago."),
        ([ONE_MET], "**The one target is met**. No change can be judged yet."),
        ([ONE_MET, row("nps", 45.0, target=40.0, status="met")], "**Both targets are met**. No change can be judged yet."),
        ([CALM, WORSE], "No targets are set. **Customer churn is clearly worse than before**."),
        ([MISSED, row("csat", 0.7, target=0.8, status="missed")], "**2 of 2 targets are missed: customer satisfaction and net revenue retention over 12 months**. No change can be judged yet."),
        ([UNCLEAR, row("csat", 0.9, target=0.8, status="met")], "**1 of 2 targets is met, none is missed**. 1 is neither clearly met nor missed (net promoter score). No KPI is clearly worse than usual or than a year ago."),
    ],
)  # fmt: skip
def test_the_answer(rows, words):
    assert answered(table(*rows)).text == words


def test_what_is_missed_over_a_year_says_so_once():
    entries = table(MISSED, CHURN | YEAR_MISSED | {"status": "missed"})
    said = "**2 of 2 targets are missed: customer churn and net revenue retention, over 12 months**."
    assert answered(entries).text.startswith(said)


def test_a_target_of_what_is_not_measured_is_not_forgotten():
    rows = table(CALM, row("nps", target=40.0, status="not measured: needs surveys"), row("ces"))
    assert (
        answered(rows).text
        == "Net promoter score has a target that cannot be judged. No KPI is clearly worse than usual or than a year ago."
    )
    assert notes(rows) == (
        "Not measured: Net promoter score (NPS) – needs surveys.",
        "Not measured: Customer effort score (CES) – needs x.",
    )


def test_where_nothing_can_be_compared_nothing_is_said_to_be_as_usual():
    young = table(row("mrr", 10.0), row("nps"))
    assert answered(young).text == "No targets are set. **No change can be judged yet**."
    nothing = table(row("mrr"), row("nps"))
    assert answered(nothing).text == "**No KPI can be measured for the latest period**."
    assert attention(nothing) == [
        "No KPI can be measured for the latest period. [Where does every KPI stand?](scorecard#where-does-every-kpi-stand)"
    ]


def test_what_is_not_set_up_meets_no_target():
    rows = table(ONE_MET, UNSET)
    assert answered(rows).text == (
        "**1 of 2 targets is met, none is missed**. 1 cannot be judged (time to first use). No change can be judged yet."
    )
    assert notes(rows) == ("Time to first use has no verdict yet: name a feature.",)
    assert say.kpis(rows)[["Target", "Status"]].to_numpy().tolist() == [["≥ 80 %", "met"], ["≤ 21", "not set up"]]


@pytest.mark.parametrize(
    ("faster", "carries", "text"),
    [
        (False, True, "LTV and payback rest on the last 12 months, in which customers left more slowly than before."),
        (True, False, "LTV and payback rest on all years, although customers now leave faster: too few started in the last 12 months to rest on these alone."),
    ],
)  # fmt: skip
def test_months_that_value_rests_on(faster, carries, text):
    assert say.rests_on(Drift(date(2024, 7, 1), 0.04, 0.06, faster, 0.001, carries)) == text


def test_subtitle_counts():
    assert answered(table(MISSED, CALM, row("ces"))).subtitle == "2 of 3 KPIs are measured, 1 of them against a target"


def card(entry, currency=""):
    (found,) = answered(table(entry), currency).cards
    return found


def test_a_card_names_its_target_period_and_past_in_short_lines():
    made = card({**MISSED, "period": "12 months to June 2025", "change": "noise"})
    assert (made.kpi, made.label, made.value, made.n) == (
        "nrr",
        "Net revenue retention (NRR)",
        0.889,
        200,
    )
    assert made.means.startswith("What the customers of a year ago pay today")
    assert (made.status, made.target) == ("missed", "at least 95 %")
    assert made.detail == "12 months to June 2025\nup from 88.0 % a year ago"


def test_a_card_names_what_it_counts():
    assert [card(entry).noun for entry in (MISSED, UNCLEAR, BETTER)] == ["customer", "customer", "order"]


def test_a_card_draws_its_past():
    past = [("nrr", s, pd.NaT, 12, value, None, None, 9) for s, value in (("All", 0.88), ("All", 0.9), ("x", 5.0))]
    rows = table(MISSED)
    (made,) = wording(history=past).answer(standing(rows, CATALOGUE), headlines(rows, CATALOGUE)).cards
    assert made.trend == (0.88, 0.9)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({"previous": 900.0, "until": pd.Timestamp("2025-06-30")}, "up from 900 in May"),
        ({"previous": 1500.0}, "down from 1,500 a month earlier"),
        ({"previous": 1000.0, "until": pd.Timestamp("2025-01-31")}, "as in December"),
        ({"previous": 900.0, "limit_lower": 100.0, "limit_upper": 500.0, "change": "higher"}, "above its usual 100 to 500"),
        ({"previous": 900.0, "year_before": 2000.0, "change": "lower"}, "clearly down from USD 2,000 a year ago"),
        ({"previous": 900.0, "change": "higher"}, "clearly up from USD 900 a month earlier"),
    ],
)  # fmt: skip
def test_a_change_is_called_clear_only_where_it_is(known, line):
    assert card({**CALM, **known}, currency="USD").detail == f"June 2025\n{line}"


def test_a_usual_range_is_drawn_where_it_is_that_of_every_month():
    assert card({**WORSE, "season": "none"}).limits == (0.01, 0.04)
    seasonal = card({**WORSE, "season": "allowed for"})
    assert seasonal.limits is None
    assert seasonal.detail.endswith("above its usual 1.0 to 4.0 at this time of the year")
    assert {n for n, kpi in CATALOGUE.items() if kpi.grows and kpi.group != "value"} == {"mrr", "arpa"}
    growing = card({**CALM, "limit_lower": 900.0, "limit_upper": 1200.0})
    assert growing.limits is None
    assert growing.detail.endswith("\nby past growth 900 to 1,200")
    calm = {**WORSE, "change": "noise", "season": "allowed for", "until": pd.Timestamp("2025-06-30")}
    assert card(calm).detail.endswith("\nusually 1.0 to 4.0 in June")
    assert card({**calm, "months": 3}).detail.endswith("\nusually 1.0 to 4.0 in this season")


def test_what_is_never_reached_is_said_in_words():
    never = row(
        "payback_months", np.inf, ci_lower=np.inf, ci_upper=np.inf, target=12.0, status="missed", previous=np.inf
    )
    assert attention(table(never))[0].startswith(
        "**Payback is not reached; its target is at most 12 months**; a quarter ago it was not reached."
    )
    assert card(never).detail.endswith("not reached within the time looked ahead")
    assert say.kpis(table(never))["Value"].tolist() == ["not reached"]


def test_a_card_says_that_all_revenue_counts_where_no_margin_is_known():
    unset = {name: of_margin(kpi, Setting()) for name, kpi in CATALOGUE.items()}
    rows = table(row("ltv", 900.0, ci_lower=800.0, ci_upper=990.0))
    say = Wording(replace(measured(), kpis=unset), {})
    found = say.answer(standing(rows, unset), headlines(rows, unset))
    assert found.cards[0].detail == "June 2025\nall revenue counts as margin"
    assert card(row("ltv", 900.0)).detail == "June 2025"


def test_what_rests_on_all_revenue_is_named():
    assert say.all_margin([]) == ()
    (one,) = say.all_margin(["LTV"])
    assert one.startswith("All revenue counts as margin in LTV, so it has no verdict on a target. Set gross_margin")
    assert "in LTV, LTV:CAC and Payback, so they have no verdict" in say.all_margin(["LTV", "LTV:CAC", "Payback"])[0]


def test_an_interval_of_one_point_is_not_shown():
    one = row("payback_months", 4.0, ci_lower=4.0, ci_upper=4.0, target=6.0, status="met")
    assert card(one).ci_lower is None
    assert say.kpis(table(one))["95 % interval"].tolist() == [""]


def test_reasons_are_shared():
    rows = table(row("mrr"), row("arpa"), row("cac", status="not measured: costs are missing."))
    assert notes(rows) == (
        "Not measured: Monthly recurring revenue (MRR); Average revenue per account (ARPA) – needs x.",
        "Not measured: Cost to win a customer (CAC) – costs are missing.",
    )


def test_what_another_kpi_tells_is_said_once():
    mirror = row("customer_retention_rate", 0.94)
    forms = [row(f"ltv_formula_{form}", 900.0, ci_lower=800.0, ci_upper=990.0) for form in "bc"]
    rows = table(WORSE, mirror, *forms)
    assert wording(told_by(rows, CATALOGUE)).kpis(rows)["KPI"].tolist() == [
        "Customer churn",
        "Lifetime value (LTV), formula B",
    ]
    assert notes(rows) == (
        "Not in the table: Customer retention, which is 100 % minus Customer churn; LTV (formula C), which is the same as LTV (formula B).",
    )


def test_the_table_says_each_thing_once_in_its_unit():
    arpa = row("arpa", 372.8, ci_lower=354.6, ci_upper=391.1, previous=369.4, change="noise", tells=True)
    arpa |= {"limit_lower": 300.0, "limit_upper": 400.0, "until": pd.Timestamp("2025-06-30")}
    met, rows = (
        row("quick_ratio", 2.0, target=1.0, status="met"),
        (MISSED, row("ces"), BETTER, row("csat", 0.5, change="lower")),
    )
    shown = say.kpis(table(arpa, met, *rows), ["nrr", "csat"])
    name, per_account = "Net revenue retention (NRR)", "Average revenue per account (ARPA)"
    assert shown.to_numpy().tolist() == [
        [name, "88.9 %", "85.0 to 94.0", "", "≥ 95 %", "missed", "", "88.0", "", ""],
        ["Customer satisfaction (CSAT)", "50.0 %", "", "", "", "", "", "", "", "worse"],
        ["Revenue won per 1 lost (quick ratio)", "2 ×", "", "", "≥ 1 ×", "met", "", "", "", ""],
        [per_account, "373", "355 to 391", "June", "", "", "369", "", "300 to 400", "as usual"],
        ["Cross-sell rate", "13.0 %", "", "", "", "", "", "10.0", "", "better"],
    ]
    columns = ["KPI", "Value", "95 % interval", "Period", "Target", "Status", "Before", "Year before", "Usually"]
    assert list(shown) == [*columns, "Change"]
    dated = table({**CALM, "until": pd.Timestamp("2025-06-30")})
    assert wording(currency="EUR").caption(dated) == "KPIs as of the end of June 2025; amounts in EUR"
    assert wording(currency="EUR").caption(table(MISSED)) == "KPIs"


def test_how_many_times_has_a_sign_and_an_interval_as_precise_as_the_value():
    entry = row("ltv_to_cac", 9.456, ci_lower=8.58, ci_upper=10.44, previous=8.7285, target=3.0, status="met")
    shown = say.kpis(table(entry))[["KPI", "Value", "Target", "95 % interval", "Before"]]
    assert shown.to_numpy().tolist() == [
        ["Lifetime value per cost to win (LTV:CAC)", "9.5 ×", "≥ 3 ×", "8.6 to 10.4", "8.7"]
    ]
    made = card(entry)
    assert (made.unit, made.target) == ("times", "at least 3 ×")
    cells = pd.DataFrame({"kpi": "ltv_to_cac", "segment": ["x"], "value": [11.24], "verdict": ["above"]})
    assert say.segments(table(entry), cells, ["x"]).to_numpy().tolist()[0][1:] == ["9.5 ×", "↑ 11.2 ×"]


def test_segments_side_by_side():
    cells = [("nrr", "x", 0.9, "above"), ("nrr", "y", None, ""), ("mrr", "x", 10.0, ""), ("mrr", "y", 12_345.0, "")]
    cells = pd.DataFrame(cells, columns=["kpi", "segment", "value", "verdict"])
    shown = say.segments(table(CALM, MISSED), cells, ["y", "x"])
    assert list(shown) == ["KPI", "All", "y", "x"]
    assert shown.to_numpy().tolist() == [
        ["Monthly recurring revenue (MRR)", "1,000", "12.3 k", "10"],
        ["Net revenue retention (NRR) over 12 months", "88.9 %", "–", "↑ 90.0 %"],
    ]
    assert list(wording({"nrr": "grr"}).segments(table(CALM, MISSED), cells, ["x"])["KPI"]) == [
        "Monthly recurring revenue (MRR)"
    ]
    asked = table({**CALM, "kpi": "nps", "label": "NPS", "unit": "number", "value": 43.6})
    own = cells.assign(kpi="nps", value=[40.0, -3.25, 30.0, 40.0], segment=["x", "y", "z", "u"])
    assert say.segments(asked, own, ["x", "y"]).to_numpy().tolist() == [
        ["Net promoter score (NPS)", "43.6", "↑ 40.0", "−3.2"]
    ]
    tested = cells.assign(p_adjusted=[0.01, np.nan, 0.4, 0.5])
    assert "chance. Of 3 comparisons, 1 is marked, of which one in twenty may still" in say.verdicts(
        tested, cells.head(0)
    )
    assert "Of 4 comparisons of all 9 segments, none is marked" in say.verdicts(
        cells.assign(p_adjusted=1.0, verdict=""), cells.head(0), of=9
    )
    assert "Of 4 comparisons, none is marked. The file" in say.verdicts(
        cells.assign(p_adjusted=1.0, verdict=""), cells.head(0)
    )
    why = " Close to a marked value, but not marked, as their intervals are wider: "
    nrr = "x in net revenue retention over 12 months"
    assert f"{why}{nrr}. The file" in say.verdicts(tested, cells.head(1))
    assert f"{why}{nrr} and x in monthly recurring revenue. The file" in say.verdicts(tested, cells.iloc[::2])
    assert why not in say.verdicts(tested, cells)


def test_what_needs_attention_names_the_segment_that_stands_worst():
    cells = [
        ("nrr", "x", 0.9, 50, ""), ("nrr", "y", 0.81, 50, "below"), ("nrr", "few", 0.2, 29, ""),
        ("customer_churn_rate", "x", 0.07, 50, ""), ("customer_churn_rate", "y", 0.05, 50, ""),
        ("nps", "x", 30.0, 50, ""), ("mrr", "x", 1.0, 50, ""), ("mrr", "y", 2.0, 50, ""),
    ]  # fmt: skip
    cells = pd.DataFrame(cells, columns=["kpi", "segment", "value", "n", "verdict"]).assign(
        p_adjusted=0.5, judged_over=""
    )
    cells = cells.assign(ci_lower=cells["value"] - 0.01, ci_upper=cells["value"] + 0.01)
    found = say.attention(standing(table(UNCLEAR, WORSE, MISSED), CATALOGUE, cells), NONE).attention
    assert [re.findall(r" (?:Lowest|Highest)[^[]* is [^[]*\.", text) for text in found] == [
        [" Lowest among segments of 30 customers or more is y: 81.0 %."],  # a smaller one is lower still
        [], [],
    ]  # fmt: skip
    higher = cells.assign(value=cells["value"].where(cells["segment"] != "few", 0.95))
    found = say.attention(standing(table(MISSED), CATALOGUE, higher), NONE).attention
    assert " Lowest is y: 81.0 %." in found[0]


def test_segments_that_cannot_be_told_apart_are_both_named_as_worst():
    """0.81 ± 0.03 and 0.82 ± 0.03 are 0.01 apart, less than √2 · 0.03; ± 0.005 is enough to tell them, three pairs or not."""
    cells = pd.DataFrame({"kpi": "nrr", "segment": ["x", "y", "z"], "value": [0.82, 1.02, 0.81], "n": 200})
    cells = cells.assign(verdict=["below", "above", "below"], p_adjusted=0.01, judged_over="")
    for half, said in ((0.03, " Lowest are z (81.0 %) and x (82.0 %). ["), (0.005, " Lowest is z: 81.0 %. [")):
        own = cells.assign(ci_lower=cells["value"] - half, ci_upper=cells["value"] + half)
        (text,) = say.attention(standing(table(MISSED), CATALOGUE, own), NONE).attention
        assert said in text
    many = pd.concat([own, own.tail(2).assign(segment=["u", "v"])]).assign(ci_lower=0.7, ci_upper=1.1)
    many = many.assign(value=[0.82, 1.02, 0.81, 0.83, 0.84])
    (text,) = say.attention(standing(table(MISSED), CATALOGUE, many), NONE).attention
    assert " Lowest is z: 81.0 %; 3 others cannot be told from it. [" in text
    unsure = own.assign(verdict="", ci_lower=own["value"] - 0.03, ci_upper=own["value"] + 0.03)
    (text,) = say.attention(standing(table(MISSED), CATALOGUE, unsure), NONE).attention
    assert "Lowest" not in text, "it may be chance"


def test_a_segment_of_12_months_is_named_as_such_and_of_few_customers_not_at_all():
    """40 customer-months are those of three or four customers."""
    cells = pd.DataFrame({"kpi": "customer_churn_rate", "segment": ["x", "y"], "value": [0.02, 0.1], "n": [4_000, 400]})
    ends = {"ci_lower": cells["value"] - 0.01, "ci_upper": cells["value"] + 0.01, "judged_over": "12 months"}
    cells = cells.assign(**ends, verdict=["below", "above"], p_adjusted=0.01)
    (text,) = say.attention(standing(table(WORSE), CATALOGUE, cells), NONE).attention
    assert ". Over 12 months, highest is y: 10.0 %. [" in text
    (text,) = say.attention(standing(table(WORSE), CATALOGUE, cells.assign(n=[4_000, 40])), NONE).attention
    assert "highest" not in text


def test_what_may_be_the_season_is_said_where_the_change_is():
    young = {**WORSE, "season": "unknown"}
    unsure = "with less than two years of data, this may be the season"
    assert f"above its usual 1.0 to 4.0; {unsure}**" in attention(table(young))[0]
    assert answered(table(young)).text.endswith(
        "**Customer churn is clearly worse than before, which may be the season**."
    )
    assert card(young).detail.endswith(f"above its usual 1.0 to 4.0; {unsure}")
    assert unsure not in card({**young, "change": "noise"}).detail
    assert say.kpis(table(young))["Change"].tolist() == ["worse"]
    (_, said) = say.changes(table(young, CALM))
    assert said == "With less than two years of data, the change of Customer churn may be the season."
    assert len(say.changes(table({**young, "change": "noise"}))) == 1


def test_what_becomes_worse_step_by_step_is_said_and_not_called_a_finding():
    fell = pd.DataFrame([row("csat", 0.6853, periods=2, since=0.7541, months=3)])
    rose = pd.DataFrame([row("customer_churn_rate", 0.05, periods=3, since=0.03)])
    satisfied = "**Customer satisfaction (CSAT) fell 2 quarters in a row, from 75.4 to 68.5 %"
    stand = standing(table(MISSED, BETTER), CATALOGUE)
    *_, last = say.attention(stand, fell).attention
    assert last.startswith(
        f"{satisfied}**, so far no more than usual; watch what comes next. [What do the other surveys say?]"
    )
    *before, last = say.attention(stand, pd.concat([fell, rose])).attention
    assert last.startswith(f"{satisfied} and Customer churn rose 3 months in a row, from 3.0 to 5.0 %**, so far no")
    assert before == attention(table(MISSED, BETTER))
    assert len(say.attention(standing(table(CALM), CATALOGUE), fell).attention) == 2


def test_what_has_a_sentence_and_slips_is_named_once():
    slips = pd.DataFrame([row("nrr", 0.889, periods=3, since=0.95)])
    (said,) = say.attention(standing(table(MISSED), CATALOGUE), slips).attention
    assert (
        " a year ago it was 88.0 %. Net revenue retention over 12 months fell 3 years in a row, from 95.0 to 88.9 %. ["
        in said
    )


def test_a_change_against_the_year_before_is_said_as_such():
    fell = row("nps", 20.0, change="lower", season="allowed for", previous=22.0, year_before=30.0)
    assert attention(table(fell))[0].startswith(
        "**Net promoter score (NPS) is 20, clearly down from 30 a year ago**. [Who is happy"
    )
