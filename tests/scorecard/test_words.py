import numpy as np
import pandas as pd
import pytest

from cslib.data.kpi import HISTORY
from cslib.scorecard import words
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import Measured
from cslib.scorecard.scorecard import COLUMNS, standing
from cslib.scorecard.words import cards_of_group, kpi_texts, scorecard_answer, segment_texts

CATALOGUE = catalogue()
BLANK = {"period": "", "value": np.nan, "change": "", "status": "not measured: needs x", "n": pd.NA}


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


def attention(rows):
    found = words.attention(rows, standing(rows, CATALOGUE), measured())
    assert not found.cards
    assert found.how_to_read
    return list(found.before)


def answered(rows):
    return scorecard_answer(standing(rows, CATALOGUE))


MISSED = row("nrr", 0.9, ci_lower=0.85, ci_upper=0.94, target=0.95, status="missed", previous=0.88)
WORSE = row("customer_churn_rate", 0.06, limit_lower=0.01, limit_upper=0.04, change="higher", previous=0.02)
UNCLEAR = row("nps", 43.6, ci_lower=37.7, ci_upper=49.0, target=40.0, status="not clear", change="noise")
BETTER = row("cross_sell_rate", 0.13, change="higher", previous=0.1)
CALM = row("mrr", 1000.0, change="noise")


def test_attention_in_order():
    said = attention(table(BETTER, UNCLEAR, CALM, WORSE, MISSED))
    assert said == [
        "**NRR over 12 months is 90.0 %; the target is at least 95.0 %** (95 % interval 85.0 to 94.0); "
        "it was 88.0 % a year before.",
        "**Customer churn rose to 6.0 %**, above its usual 1.0 to 4.0; it was 2.0 % a month before.",
        "Whether **NPS (43.6) reaches its target of at least 40** cannot be told from 200 customers "
        "(95 % interval 37.7 to 49).",
    ]


def test_a_kpi_and_its_twin_are_said_once():
    twin = row("customer_retention_rate", 0.94, limit_lower=0.96, limit_upper=0.99, change="lower", previous=0.98)
    said = attention(table(WORSE, twin, CALM))
    assert "Customer churn rose" in said[0]
    assert said[1] == "The same shows in Customer retention."
    assert said[2] == "Nothing else is off its target or has moved by more than noise."


def test_good_news_comes_after_bad_and_what_is_missing_last():
    said = attention(table(BETTER, CALM, row("ces")))
    assert (
        said[0]
        == "**Cross-sell rate rose to 13.0 %**, higher than before by more than noise; it was 10.0 % a year before."
    )
    assert said[2] == "CES is not measured."


def test_nothing_to_say_is_said():
    said = attention(table(CALM))
    assert said == [
        "Nothing is off its target or has moved by more than noise.",
        "No targets are set: name them in [targets] of cslib.toml, such as nps = 30.",
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([MISSED, UNCLEAR, WORSE], "**1 of 2 targets is missed**, 1 lies within the margin of error; 1 KPI got worse by more than noise."),
        ([UNCLEAR, CALM], "**The one target is not missed**, but it lies within the margin of error; no KPI got worse by more than noise."),
        ([row("nps", 45.0, target=40.0, status="met")], "**The one target is met**; no KPI got worse by more than noise."),
        ([row("nps", 45.0, target=40.0, status="met"), row("csat", 0.9, target=0.8, status="met")], "**Both targets are met**; no KPI got worse by more than noise."),
        ([CALM, WORSE], "No targets are set; **1 KPI got worse by more than noise**."),
        ([MISSED, {**MISSED, "kpi": "grr"}], "**2 of 2 targets are missed**; no KPI got worse by more than noise."),
        ([UNCLEAR, row("csat", 0.9, target=0.8, status="met")], "**None of 2 targets is missed**, 1 lies within the margin of error; no KPI got worse by more than noise."),
    ],
)  # fmt: skip
def test_the_answer(rows, words):
    assert answered(table(*rows)).text == words


def test_a_target_of_what_is_not_measured_is_not_forgotten():
    rows = table(CALM, row("nps", target=40.0, status="not measured: needs surveys"), row("ces"))
    assert (
        answered(rows).text
        == "**No KPI with a target is measured**; no KPI got worse by more than noise; 1 KPI with a target is not measured."
    )
    assert attention(rows)[0] == "**NPS has a target but is not measured: needs surveys**."
    assert attention(rows)[2] == "CES is not measured."


def test_subtitle_counts():
    assert answered(table(MISSED, CALM, row("ces"))).subtitle == "2 of 3 KPIs measured · 1 target"


def test_cards_of_a_group():
    history = [
        ("nrr", segment, pd.NaT, 12, value, None, None, 9)
        for segment, value in (("All", 0.88), ("All", 0.9), ("x", 5.0))
    ]
    nrr = {**MISSED, "year_before": 0.88, "period": "12 months to June 2025", "change": "noise"}
    group = cards_of_group("retention", table(nrr, row("crc")), measured(history))
    (card,) = group.cards
    assert (card.kpi, card.label, card.value, card.n, card.status, card.target) == (
        "nrr",
        "NRR over 12 months",
        0.9,
        200,
        "missed",
        "at least 95.0 %",
    )
    assert card.trend == (0.88, 0.9)
    assert card.detail == "12 months to June 2025\na year before: 88.0 %\nchange within noise"
    assert group.notes == ("Not measured: CRC a month – needs x.",)
    assert list(group.see_also) == ["churn_survival", "cohort_retention", "revenue"]


def card(entry, currency=""):
    (found,) = cards_of_group(entry["group"], table(entry), measured(currency=currency)).cards
    return found


def test_a_card_says_in_words_what_moved_and_draws_its_usual_range():
    worse = card({**WORSE, "year_before": 0.03})
    assert worse.detail.splitlines() == [
        "June 2025",
        "a month before: 2.0 %",
        "a year before: 3.0 %",
        "above its usual 1.0 to 4.0: more than noise",
    ]
    assert worse.limits == (0.01, 0.04)
    grows = card({**CALM, "limit_lower": 900.0, "limit_upper": 1200.0}, currency="EUR")
    assert grows.limits is None
    assert "within its usual 900 to 1,200" in grows.detail


def test_noise_outside_the_usual_range_is_said_as_such():
    assert (
        "outside its usual 1.0 to 4.0, but not by more than its interval" in card({**WORSE, "change": "noise"}).detail
    )


def test_what_is_never_reached_is_said_in_words():
    never = row(
        "payback_months", np.inf, ci_lower=np.inf, ci_upper=np.inf, target=12.0, status="missed", previous=np.inf
    )
    assert (
        attention(table(never))[0]
        == "**Payback is not reached; the target is at most 12 months**; it was not reached 3 months before."
    )


def test_an_interval_of_one_point_is_not_shown():
    assert card(row("payback_months", 4.0, ci_lower=4.0, ci_upper=4.0)).ci_lower is None


def test_reasons_are_shared():
    rows = table(row("mrr"), row("arpa"), row("cac", status="not measured: costs are missing."))
    assert cards_of_group("growth", rows, measured()).notes == (
        "Not measured: MRR, ARPA – needs x.",
        "Not measured: CAC – costs are missing.",
    )


def test_tables_are_text_in_their_units():
    shown = kpi_texts(table(MISSED, row("ces")), currency="EUR").set_index("KPI")
    assert shown.loc["NRR over 12 months", ["value", "before", "target", "status"]].tolist() == [
        "90.0 % (85.0 to 94.0)",
        "88.0 %",
        "at least 95.0 %",
        "missed",
    ]
    assert shown.loc["CES", ["value", "target", "status"]].tolist() == ["", "", "not measured: needs x"]


def test_segments_side_by_side():
    parts = [
        ("nrr", "x", 0.9, 0.8, 1.0, 50),
        ("nrr", "y", None, None, None, None),
        ("mrr", "x", 10.0, None, None, 70),
        ("mrr", "y", 20.0, None, None, 90),
    ]
    parts += [("mrr", "z", 5.0, None, None, 95)]
    history = [(kpi, segment, pd.NaT, 1, value, low, high, n) for kpi, segment, value, low, high, n in parts]
    found = measured(history, currency="EUR")
    shown = segment_texts(table(CALM, MISSED), found, most=3)
    assert list(shown) == ["KPI", "z", "y", "x"]
    assert shown.to_numpy().tolist() == [
        ["MRR", "EUR 5", "EUR 20", "EUR 10"],
        ["NRR over 12 months", "–", "–", "90.0 % (80.0 to 100)"],
    ]
    assert list(segment_texts(table(CALM), found, most=2)) == ["KPI", "z", "y"]
    assert segment_texts(table(CALM), measured()).empty


def test_what_may_be_the_season_is_said_where_the_change_is():
    young = {**WORSE, "season": "unknown"}
    unsure = "with less than two years of data, this may be the season"
    assert attention(table(young))[0].endswith(f"it was 2.0 % a month before; {unsure}.")
    assert answered(table(young)).text.endswith("**1 KPI got worse by more than noise, which may be the season**.")
    assert card(young).detail.endswith(f"above its usual 1.0 to 4.0: more than noise; {unsure}")
    assert unsure not in card({**young, "change": "noise"}).detail


def test_a_usual_range_of_the_season_is_named_and_not_drawn():
    seasonal = card({**WORSE, "season": "allowed for"})
    assert seasonal.detail.endswith("above its usual 1.0 to 4.0 at this time of the year: more than noise")
    assert seasonal.limits is None
    assert card({**WORSE, "season": "none"}).limits == (0.01, 0.04)


def test_a_change_against_the_year_before_is_said_as_such():
    fell = row("nps", 20.0, change="lower", season="allowed for", previous=22.0)
    assert attention(table(fell))[0] == (
        "**NPS fell to 20**, lower than a year before by more than noise; it was 22 3 months before."
    )
