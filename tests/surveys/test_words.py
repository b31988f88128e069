from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from survey_world import by_period, counted

from cslib.surveys.answers import measure
from cslib.surveys.change import change, most_moved, non_response, silence_moves
from cslib.surveys.scores import distribution, drivers, every_answer, judged, last_period, scores, strongest, trend
from cslib.surveys.stakes import Landmark, known_stakes, priced, who_left
from cslib.surveys.words import Words

SAY = Words("nps", "USD")


def answers(*triples, **more):
    return counted([dict(zip(("plan", "before", "now", "n"), t, strict=True)) for t in triples], **more)


GLAD = answers(
    ("A", -2, 10, 80), ("A", -2, 0, 20), ("B", -2, 10, 30), ("B", -2, 0, 70), ("B", -2, -1, 50), ("C", -2, 8, 60)
)
SAME = answers(*((p, 9, 9, 30) for p in "ABC"), *((p, 0, 0, 15) for p in "ABC"))


NO_QUARTER = pd.DataFrame({"kpi": ["nps"], "value": [30.0]})
NOBODY = judged(
    pd.DataFrame(columns=["group", "rmst_difference_months", "money_at_stake", "money_ci_lower", "p_adjusted"])
)
MONEY = ["money_at_stake", "money_ci_lower", "money_ci_upper"]
NO_PARTS = pd.DataFrame(columns=["segment", "group", "priced", *MONEY, "mrr", "n_today"]).astype({"priced": bool})


def shift(found):
    return next((row for _, row in judged(change(found)).iterrows()), None)


def told(found, moved, stakes=NOBODY, parts=NO_PARTS, say=SAY, **more):
    return say.answer(judged(scores(found)), moved, stakes, known=known_stakes(stakes, parts), **more)


def cards(found, stakes=NOBODY, survey="nps", parts=NO_PARTS):
    asked, known = measure(survey), known_stakes(stakes, parts)
    return Words(survey, "USD").cards(scores(found).iloc[0], asked.unit, shift(found), known, window=found.window)


def test_the_answer_tells_which_surveys_have_turned_and_a_change_that_is_clear():
    fell = ["CSAT of Q2 2025 alone is 69 %, clearly below the 11 quarters before (74 %)"]
    assert told(SAME, None, others=fell).endswith(
        " **CSAT of Q2 2025 alone is 69 %**, clearly below the 11 quarters before (74 %)."
    )
    both = told(SAME, None, others=[*fell, fell[0].replace("CSAT", "CES")])
    assert both.count("**. ") == 0
    assert both.endswith(
        "before (74 %); **CES of Q2 2025 alone is 69 %**, clearly below the 11 quarters before (74 %)."
    )
    rose, alike = answers(("A", 0, 9, 200), ("A", 9, 9, 200)), answers(("A", 9, 9, 200), ("A", 0, 0, 200))
    assert " **Up from 0 in the window before**, more than chance." in told(rose, shift(rose))
    assert "**Much the same" not in told(alike, shift(alike))


def test_the_answer_names_score_interval_and_who_stands_out():
    text = told(GLAD, shift(GLAD))
    assert (
        text
        == "**NPS is 8** (95 % interval −3 to 18, 260 customers); **A (plan) stands out** with 60, among 3 groups compared."
    )
    asked = told(GLAD, None, say=Words("nps", span="over the last 12 months"))
    assert asked.startswith("**NPS is 8** over the last 12 months (95 % interval")
    weighted = told(GLAD, shift(GLAD), of_all=2.2)
    assert weighted == f"{text} Weighted to everyone asked, it is about 2."
    assert told(GLAD, shift(GLAD), of_all=7.9) == text


def test_no_difference_and_no_change_are_said_to_be_none():
    text = told(SAME, shift(SAME))
    assert "stands out" not in text, "its section says that nobody does"
    assert "Much the same as 33 in the window before, within the margin of error." in text


def test_a_clear_change():
    moved = shift(answers(("A", 0, -2, 200), ("A", -2, 9, 200)))
    assert SAY.change(moved) == "NPS is 100, up from −100 in the window before, more than chance"
    assert SAY.change(shift(GLAD)) == "There are no earlier answers to compare with"
    named = Words("nps", earlier="the 12 months before").change(moved)
    assert named == "NPS is 100, up from −100 in the 12 months before, more than chance"


def test_a_change_is_laid_out_with_its_interval():
    """Of B, nobody answered before, so there is nothing to subtract; A falls from 100 to 0, of 40 answers each."""
    found = answers(("A", 9, -2, 40), ("A", -2, 9, 20), ("A", -2, 0, 20), ("B", -2, 9, 40))
    shown = SAY.changes(change(found, "plan")).set_index("segment")
    assert shown.loc["A", ["before", "now"]].tolist() == ["100", "0"]
    assert shown.loc["A", "change"].startswith("−100 points (−1")
    assert shown.loc["All", "before"] == "100"
    assert shown.loc["B", "before"] == "–"


def test_a_change_is_told_with_its_parts():
    """Half of the answers came from A (100), half from B (−100); now a quarter does and three quarters."""
    found = answers(("A", 9, -2, 40), ("A", -2, 9, 20), ("B", 0, -2, 40), ("B", -2, 0, 60))
    (text,) = SAY.parts(change(found, "plan"), "plan")
    assert text == (
        "Of the −50 points, 0.0 points come from customers of the same plan who answer differently, −50 points from a "
        "changed mix by plan."
    )
    assert SAY.parts(change(found, ""), "") == ()
    same = answers(("A", 9, 9, 40), ("B", 0, 0, 40))
    assert SAY.parts(change(same, "plan"), "plan") == ()


def test_the_segment_that_moved_most_is_told_with_its_verdict():
    """A falls from 100 to 0 of 60 answers each, B rises from −100 to −60; of few answers such changes may be chance."""
    rows = [("A", 9, -2, 60), ("A", -2, 9, 30), ("A", -2, 0, 30), ("B", 0, -2, 60), ("B", -2, 0, 48), ("B", -2, 9, 12)]
    (text,) = SAY.moved_most(most_moved(judged(change(answers(*rows), "plan"))))
    assert text.startswith("**A moved most**: from 100 to 0 (−100 points, 95 % interval −1")
    assert text.endswith("). Allowing for 2 segments compared, that is more than chance.")
    few = [*(("A", 8, -2, 8), ("A", -2, 8, 7), ("A", -2, 9, 1)), *(("B", 8, -2, 8), ("B", -2, 8, 8))]
    (text,) = SAY.moved_most(most_moved(judged(change(answers(*few), "plan", min_group=1))))
    assert text.startswith("**A moved most**: from 0 to 12 (+12 points")
    assert text.endswith("). Allowing for 2 segments compared, that may be chance.")
    assert SAY.moved_most(most_moved(judged(change(SAME, "plan")))) == (), "nothing moved"
    assert SAY.moved_most(None) == ()


def test_a_change_that_few_answers_cannot_tell():
    moved = shift(answers(("A", 4, 4, 9), survey="ces"))
    assert Words("ces").change(moved).endswith("with too few answers to tell it from chance")


@pytest.mark.parametrize(
    ("survey", "value", "text"),
    [("nps", -0.3, "0"), ("nps", -37.6, "−38"), ("csat", 0.734, "73 %"), ("ces", 3.26, "3.3")],
)
def test_scores_as_readers_write_them(survey, value, text):
    assert Words(survey)._score(value) == text


QUARTER = pd.DataFrame(
    {
        **{"kpi": ["nps", "response_rate"], "until": pd.Timestamp("2025-06-30"), "value": [43.6, 0.497]},
        **{"ci_lower": [37.7, 0.468], "ci_upper": [49.0, 0.526], "n": [560, 1127]},
    }
)


def test_which_score_to_quote_is_said_where_others_stand_beside_it():
    whole, say = pd.Series({"nps": 37.36}), Words("nps", span="over the last 12 months")
    quote = "**The NPS to quote is 37** over the last 12 months."
    quarter = "On the scorecard, 43.6 is of the 3 months to June 2025 alone (37.7 to 49.0, 560 customers)."
    silent = "The 32 is an estimate that counts those who did not answer, too."
    assert say.quoted(whole, QUARTER, of_all=32.3) == (f"{quote} {quarter} {silent}",)
    assert say.quoted(whole, QUARTER) == say.quoted(whole, QUARTER, of_all=37.1) == (f"{quote} {quarter}",)
    assert say.quoted(whole, QUARTER.head(0), of_all=32.3) == (f"{quote} {silent}",)
    assert say.quoted(whole, QUARTER.head(0)) == ()
    same = QUARTER.assign(value=37.36)
    assert say.quoted(whole, same) == say.quoted(whole, QUARTER.assign(value=36.8)) == (), "both are 37"
    csat = QUARTER.head(1).assign(kpi="csat", value=0.685, ci_lower=0.638, ci_upper=0.729)
    (text,) = Words("csat").quoted(pd.Series({"csat": 0.734}), csat)
    assert "quote is 73 %**. On the scorecard, 68.5 % is of" in text
    assert "alone (63.8 to 72.9, 560 customers)" in text


def test_the_score_of_the_quarter_has_no_card_beside_that_of_the_window():
    assert [card.label for card in SAY.quarter(QUARTER)] == ["NPS response rate, last quarter"]


def test_the_subtitle_says_who_was_asked():
    whole = scores(GLAD).iloc[0]
    text = SAY.subtitle(whole, GLAD.window)
    assert text == "260 of 310 customers asked for NPS from 1 July 2024 to 30 June 2025 answered (84 %)"
    only = scores(answers(("A", -2, 9, 5), only_answers=True)).iloc[0]
    assert SAY.subtitle(only, "x") == "5 NPS answers from x · the data hold answers only, so there is no response rate"


def test_cards():
    found = cards(SAME)
    assert [c.label for c in found] == ["NPS", "Change on the window before"]
    assert (found[1].detail, found[1].n) == ("within the margin of error", 270)
    csat = cards(answers(("A", 5, 4, 40), survey="csat"), survey="csat")
    assert (csat[0].unit, csat[1].unit) == ("percent", "points")


def test_a_change_of_nps_is_in_points():
    """From −100 to 100."""
    moved = cards(answers(("A", 0, -2, 200), ("A", -2, 9, 200)))[1]
    assert (moved.value, moved.unit) == (2.0, "points")


def stake(p=0.001, low=50.0, **more):
    groups = ["promoters", "detractors", "no answer", "all others"]
    months, prices = [np.nan, -1.5, -0.2, np.nan], [0, 100, 100, 200]
    table = pd.DataFrame(
        {"group": groups, "n": 50, "n_churned": 9, "rmst_difference_months": months, "mrr": prices, "n_today": 40}
    )
    table = table.assign(hazard_ratio=[1, 2.2, 1.1, np.nan], p_adjusted=[np.nan, p, 0.6, np.nan])
    table = table.assign(
        rmst_difference_ci_lower=-2.0, rmst_difference_ci_upper=-0.5, survival_12m=[0.73, 0.52, 0.7, 0]
    )
    table = table.assign(money_at_stake=[np.nan, 150, 20, 170], money_ci_lower=low, money_ci_upper=300.0)
    return who_left(judged(table.assign(**more)))


def stays(stakes, parts=NO_PARTS):
    return SAY.stays(stakes, parts, known_stakes(stakes, parts))


OFTEN = "Detractors left more often: 48 % over the 12 months that followed, against 27 % of promoters"


def test_money():
    assert SAY.money(stake()) == f"{OFTEN}; USD 150 at stake"
    assert SAY.money(stake(low=-5.0)) == OFTEN
    assert SAY.money(stake(p=0.3)) == "No group clearly leaves faster or more slowly than promoters"
    one, two = stays(stake())
    assert one.startswith(
        "**Detractors** (50 customers, 9 left) stayed 1.5 months less than promoters (95 % interval 0.5 to"
    )
    assert "At the same age they left 2.2 times as fast, more than chance." in one
    assert one.endswith("If today's 40 stayed like promoters, they would pay USD 150 (50 to 300) more over 12 months.")
    assert two.startswith("**Those who did not answer** (50 customers, 9 left) stayed 0.2 months less than promoters")
    assert two.endswith("which may be chance.")
    text = told(SAME, None, stake())
    assert text.endswith(
        " If detractors stayed as promoters do, **they would bring USD 150 (50 to 300) more over 12 months**."
    )
    both = told(SAME, None, stake(p_adjusted=[np.nan, 0.001, 0.01, np.nan]))
    assert "left" not in both  # the section tells


def test_groups_of_other_surveys_are_people_too():
    names = ["satisfied", "dissatisfied", "no answer", "all others"]
    one, two = Words("csat", "USD").stays(stake().assign(group=names), NO_PARTS, NO_PARTS)
    assert one.startswith(
        "**Dissatisfied customers** (50 customers, 9 left) stayed 1.5 months less than satisfied customers"
    )
    assert two.startswith("**Those who did not answer** (50 customers")
    title = Words("csat").money(stake(p=0.3).assign(group=names))
    assert title == "No group clearly leaves faster or more slowly than satisfied customers"
    clear = pd.DataFrame({"segment_by": ["NPS answer"], "segment": ["detractors"], "difference": [2.59]})
    clear = clear.assign(ci_lower=1.5, ci_upper=3.7, n_responses=90)
    assert (
        "it is 2.59 higher where NPS was a detractor's (+1.50 to +3.70, 90 customers). That"
        in Words("ces").other_answers(clear)[0]
    )


def test_a_price_that_may_be_none_is_told_with_all_of_its_interval():
    (_, unsure, _), (unknown, _) = stays(stake(low=-5.0)), stays(stake(money_at_stake=np.nan))
    cost = "**What is at stake with detractors** over 12 months we cannot tell yet: it may be nothing"
    assert unsure == f"{cost}, or up to USD 300."
    (_, none, _) = stays(stake(low=-5.0, money_at_stake=-20, money_ci_upper=-1.0))
    assert none == f"{cost}.", "nothing below zero is told as an amount"
    assert "USD" not in unknown
    assert "USD" not in SAY.money(stake(low=-5.0))


def test_shares_that_left_are_told_only_where_they_differ_as_the_test_has_it():
    """Of those alike detractors leave faster; of all they left as often, or less: promoters are in another plan."""
    for survival in (0.7312, 0.8):
        title = SAY.money(stake(survival_12m=[0.73, survival, 0.7, 0]))
        assert (
            title
            == "Detractors stayed 1.5 months less than promoters over the 12 months that followed; USD 150 at stake"
        )


def test_months_that_may_go_either_way_are_told_so():
    spans = stays(stake(rmst_difference_ci_lower=-1.4, rmst_difference_ci_upper=0.02))
    assert "stayed 1.5 months less than promoters (95 % interval: 1.4 less to 0.0 more). At" in spans[0]
    assert "In months the difference is less certain: someone who leaves late in the year loses few." in spans[0]
    more = stays(stake(rmst_difference_months=1.5, rmst_difference_ci_lower=0.4, rmst_difference_ci_upper=2.0))
    assert "stayed 1.5 months more than promoters (95 % interval 0.4 to 2.0)" in more[0]


def test_of_a_group_that_has_left_whole_nothing_is_at_stake_and_no_interval_is_told():
    unknown = dict.fromkeys(("rmst_difference_ci_lower", "rmst_difference_ci_upper", "money_ci_lower"), np.nan)
    text = stays(stake(**unknown, n_today=0, money_at_stake=0.0))[0]
    assert "stayed 1.5 months less than promoters. At the same age they left 2.2 times as fast" in text
    assert "USD" not in text


def test_a_price_that_parts_have_and_all_together_do_not():
    """Team leaves faster, of few it is not known; where all together have a price, nothing is said of parts."""
    few = stake(p=0.6, money_at_stake=-25, money_ci_lower=-60.0, money_ci_upper=10.0).assign(n=16, n_churned=2)
    parts = priced(pd.concat([stake().assign(segment="Team"), few.assign(segment="Big")], ignore_index=True))
    unsure = stake(low=-5.0, money_at_stake=125)
    assert stays(unsure, parts)[1] == (
        "**If detractors in Team stayed as promoters do, they would bring USD 150 (50 to 300) more** over 12 months. "
        "In Big (2 of 16 left) we cannot tell yet."
    )
    assert told(SAME, None, unsure, parts).endswith(
        "135 customers). If detractors in Team stayed as promoters do, **they would bring USD 150 (50 to 300) more "
        "over 12 months**."
    )
    card = cards(SAME, unsure, parts=parts)[-1]
    assert (card.label, card.value, card.n) == ("At stake over 12 months: detractors in Team", 150, 40)
    assert card.detail == "in Big we cannot tell yet"
    assert stays(stake(), parts) == stays(stake())
    rest = priced(pd.concat([parts, few.assign(segment="(small groups)", mrr=1)], ignore_index=True))
    assert "In Big (2 of 16 left) and the others (2 of 16 left) we cannot" in stays(unsure, rest)[1]
    assert "we cannot tell yet: it may be" in stays(unsure, parts[parts["segment"] == "Big"])[1]


def test_parts_with_a_price_are_added_up():
    """To 150 (50 to 300) come 200 (50 to 300): √(100² + 150²) below 350, and √(150² + 100²) above it."""
    few = stake(p=0.6, money_at_stake=-25, money_ci_lower=-60.0, money_ci_upper=10.0)
    unsure, dear = stake(low=-5.0, money_at_stake=125), stake().assign(segment="Pro", money_at_stake=200)
    rows = [stake().assign(segment="Team"), dear, few.assign(segment="Big")]
    text = stays(unsure, priced(pd.concat(rows, ignore_index=True)))[1]
    assert text.startswith(
        "**If detractors in Pro and Team stayed as promoters do, they would bring USD 350 (170 to 530) more** over 12 months, "
        "of which USD 200 (50 to 300) in Pro and USD 150 (50 to 300) in Team. In Big"
    )
    many = [t.assign(segment=f"{n}{i}") for i in range(6) for n, t in (("T", stake()), ("B", few))]
    text = stays(unsure, priced(pd.concat(many, ignore_index=True)))[1]
    assert "If detractors in T0, T1, T2, T3 and 2 more stayed as promoters do, they would bring USD 900" in text
    assert "in T3 and more in 2 others. In B0 (9 of 50 left), B1" in text
    assert text.endswith("B3 (9 of 50 left) and 2 more we cannot tell yet.")


def test_the_group_with_the_most_money_at_stake_has_a_card():
    card = cards(SAME, stake())[-1]
    assert (card.label, card.value, card.n) == ("At stake over 12 months: detractors", 150, 40)
    assert [c.noun for c in cards(SAME, stake())] == ["customer", "customer", "customer"]


def test_money_that_may_be_none_has_no_card():
    assert len(cards(SAME, stake(money_ci_lower=-20))) == 2


def test_among_whom_groups_are_compared_is_said():
    """All are on one plan: nobody is told that they are alike in it."""
    lives = pd.DataFrame({"by_0": ["Team"] * 2, "by_1": ["EU", "US"], "by_2": ["Web", "Shop"]})
    found = Landmark(measure("nps"), 12, lives=lives, columns=("plan", "region", "channel"))
    (text,) = SAY.alike(found)
    assert "customers of the same region and channel, where both groups have at least five." in text
    assert text.endswith("The chart and the shares that left are of all customers.")
    assert SAY.alike(replace(found, columns=())) == ()


def test_a_group_nobody_left_of_and_one_that_stays_longer():
    months = [np.nan, 1.5, -0.2, np.nan]
    longer = stake(rmst_difference_months=months, money_at_stake=-150, money_ci_lower=-300, hazard_ratio=np.nan)
    assert SAY.money(longer) == "Detractors stayed 1.5 months more than promoters over the 12 months that followed"
    text = " ".join(stays(longer))
    assert "nan" not in text
    assert "would pay" not in text
    assert "At the same age they left more slowly, more than chance." in text
    assert "over 12 months" not in told(SAME, None, longer)
    assert len(cards(SAME, longer)) == 2


def test_how_fast_they_leave_is_what_was_tested_also_where_months_are_lost():
    """Customers alike at the same age are compared, the months are not: they may differ in direction."""
    text = " ".join(stays(stake(hazard_ratio=[1, 0.9, 1.1, np.nan])))
    assert "At the same age they left 0.9 times as fast, more than chance." in text


def test_who_stayed_silent():
    def moves(found):
        return silence_moves(non_response(found), "nps")

    assert SAY.silence(moves(SAME)) == "Weighting to everyone asked does not change NPS"
    assert SAY.silence(moves(GLAD)) == "Weighting to everyone asked does not clearly change NPS"
    alone = moves(answers(("A", -2, 9, 30), ("A", -2, -1, 30)))
    assert SAY.silence(alone) == "No column tells who is silent"
    clear = moves(GLAD) | {"of_all": 32.3, "shift": -5.05}
    assert SAY.silence(clear) == "Weighted to everyone asked, NPS is about 32, 5.0 points lower"
    groups = measure("nps").groups
    assert SAY.at_the_most(alone, groups) == (
        "If all who did not answer felt like detractors, NPS would be 0; if all felt like promoters, 100."
    )
    hard = Words("ces").at_the_most({"worst": 8.25, "best": 2.1}, measure("ces").groups)
    ends = "those who find it hard, CES would be 8.2; if all felt like those who find it easy, 2.1."
    assert hard == f"If all who did not answer felt like {ends}"
    assert SAY.at_the_most(moves(SAME), groups) == SAY.at_the_most({}, groups) == ""


def test_weights_that_change_nothing_are_named_not_listed():
    by = ["nothing", "plan", "region", "earlier NPS", "all of these", "if all silent were detractors"]
    scores, half = [37.4, 37.3, 36.7, 34.0, 37.1, -14.0], [3.0] * 5 + [np.nan]
    table = pd.DataFrame({"weighted_by": by, "nps": scores, "half": half})
    ends = {"ci_lower": table["nps"] - table["half"], "ci_upper": table["nps"] + table["half"]}
    table = table.assign(**ends, n_effective=table["half"])
    assert SAY.weighted(table).to_numpy().tolist() == [
        ["as answered", "37 (34 to 40)"],
        ["earlier NPS", "34 (31 to 37)"],
        ["everything on record", "37 (34 to 40)"],
    ]
    assert SAY.unmoved(table) == ("By plan and region alone, weighting changes nothing.",)
    assert SAY.unmoved(table.iloc[[0, 3]]) == SAY.unmoved(table.head(0)) == ()


def test_trend_names_the_last_period():
    def table(*given, n=30):
        days = pd.date_range("2025-01-01", periods=3, freq="MS")
        return trend(by_period([(day, "All", score, n) for day, score in zip(days, given, strict=True)]))

    def text(table, period):
        return SAY.trend(last_period(table, "nps"), period)

    assert text(table(9, 0, 9), "month") == "NPS of Mar 2025 alone is 100, clearly above the 2 months before (0)"
    assert (
        text(table(9, 0, 9, n=29), "month") == "NPS of Mar 2025 alone is 100, no clear change from the 2 months before"
    )
    assert text(table(9, 9, 0), "month") == "NPS of Mar 2025 alone is −100, clearly below the 2 months before (100)"
    assert text(table(9, 9, 9), "quarter") == (
        "NPS of Q1 2025 alone is 100, no clear change from the 2 quarters before"
    )
    assert text(table(9, 8, 9), "quarter").endswith("alone is 100, clearly above the 2 quarters before (50)")
    assert text(table(9, 8, 9).head(1), "month") == "Too few months to tell a trend"


def test_why_quarters_are_above_the_year():
    """Each quarter 2 of 3 answer 9 and the third 0: 33. The happy pair answers twice, the other once: 60 of 5."""
    days = pd.to_datetime(["2024-07-01", "2024-10-01", "2023-01-01"])
    rows = [(days[0], "All", 9, 2), (days[0], "All", 0, 1), (days[1], "All", 9, 2), (days[2], "All", 0, 50)]
    table = trend(by_period(rows))
    every = every_answer(table, "nps", since=days[0].date(), until=days[1].date())
    assert every.to_dict() == {"n_responses": 5.0, "score": pytest.approx(60)}
    whole = pd.Series({"nps": 100 / 3, "n_responses": 3})
    assert SAY.every(whole, every, "quarter") == (
        "A customer counts in each quarter in which they answered, so the quarters together come to 60 (5 answers). The 33 "
        "counts each of 3 customers once, by the latest answer."
    )
    assert SAY.every(whole.replace(3, 5), every, "quarter") == ""
    none = every_answer(table.head(0), "nps", since=days[0].date(), until=days[1].date())
    assert SAY.every(whole, none, "quarter") == ""


def test_segments():
    assert SAY.segments(judged(scores(GLAD))) == "NPS runs from −40 (B) to 60 (A); clearly different: A and B"
    near = answers(("A", -2, 9, 30), ("A", -2, 0, 10), ("B", -2, 9, 30), ("B", -2, 0, 12))
    assert SAY.segments(judged(scores(near))) == "No clear difference: NPS runs from 43 (B) to 50 (A)"
    alike = answers(("A", -2, 9, 30), ("B", -2, 9, 30))
    assert SAY.segments(judged(scores(alike))) == "NPS is 100 in all segments"
    five = judged(scores(answers(*((name, -2, 9 if name < "D" else 0, 90) for name in "ABCDE"))))
    assert SAY.segments(five) == "NPS runs from −100 (D) to 100 (A); clearly different: A, B, C, D and 1 more"
    assert SAY.segments(judged(scores(answers(("A", -2, 9, 30))))) == "NPS is 100"


def test_distribution():
    given = distribution(answers(("A", -2, 9, 3), ("A", -2, 2, 1), ("A", -2, 8, 1), ("A", -2, -1, 7)))
    assert SAY.distribution(given) == (
        "60 % promoters, 20 % passives, 20 % detractors; the most frequent answer is 9 (60 %)"
    )


def test_who_scores_higher():
    table = drivers(scores(GLAD))
    assert (
        SAY.drivers(strongest(table, "contribution"), 3)
        == "NPS is 85 points higher among customers whose plan is A (38 % of those who answered)"
    )
    assert SAY.drivers(None, 11) == "None of the 11 groups compared clearly stands out in NPS"
    assert SAY.drivers(None, 1) == SAY.drivers(None, 1, table.iloc[0]) == "No group clearly stands out in NPS"
    assert SAY.drivers(None, 3, table.iloc[0]) == (
        "A (plan) differs most: NPS 85 points higher than that of all others, which may be chance among 3 groups compared"
    )


def test_answers_to_other_surveys_are_told_apart_from_traits():
    rows = [("CES answer", "easy", 52.8, 40.2, 65.3, 87), ("CSAT answer", "no answer", -30.1, -41.3, -18.8, 1)]
    rows += [("CSAT answer", "not asked", 25.5, 10, 41, 200)]
    clear = pd.DataFrame(rows, columns=["segment_by", "segment", "difference", "ci_lower", "ci_upper", "n_responses"])
    assert SAY.other_answers(clear) == (
        "NPS goes with the answers to other surveys: it is 53 points higher where CES was easy (+40 to +65, 87 customers) and "
        "30 points lower where CSAT got no answer (−41 to −19, 1 customer). That does not make one the cause of the other.",
    )
    (one,) = SAY.other_answers(clear.tail(1))
    assert "it is 26 points higher where CSAT was never asked (+10 to +41, 200 customers). That" in one
    assert SAY.other_answers(clear.head(0)) == ()


def test_another_survey_is_told_with_its_window():
    whole = scores(answers(("A", -2, 5, 60), ("A", -2, 1, 20), survey="csat")).iloc[0]
    say = Words("csat", span="over the last 12 months")
    assert say.other(whole) == "CSAT is 75 % over the last 12 months (65 to 83 %, 80 customers)"
    quarter = pd.DataFrame({"kpi": ["csat"], "until": [pd.Timestamp("2025-06-30")], "value": [0.685]})
    assert say.last_quarter(quarter) == ("On the scorecard, 68.5 % is of the 3 months to June 2025 alone.",)
    assert say.last_quarter(quarter.head(0)) == ()


def test_the_unhappy_are_counted_with_what_they_pay():
    table = pd.DataFrame({"mrr": [500.0, 100.0]})
    assert SAY.unhappy(table, measure("nps")) == (
        "2 of today's customers last answered 0 to 6 (detractors) and pay USD 600 a month"
    )
    one = SAY.unhappy(table.head(1).assign(mrr=np.nan), measure("csat"))
    assert one == "1 of today's customers last answered 1 to 2 (dissatisfied)"
    assert SAY.unhappy(table.head(0), measure("nps")) == ""


def test_the_order_of_the_list_is_told():
    table, known = pd.DataFrame({"mrr": [500.0]}), pd.Series({"Team": 0.52, "Pro": 0.1, "(small groups)": 0.48})

    def order(known, table=table, p=0.01):
        return SAY.order(table, known, "detractors", column="plan", stakes=stake(p=p, hazard_ratio=2.14))

    assert order(known.head(2)) == (
        "First come those with whom we expect to lose most. The risk is the share of all customers of a plan "
        "who left within 12 months, allowing for detractors leaving 2.1 times as fast: 52 % in Team and 10 % in Pro."
    )
    assert order(known).endswith(": 52 % in Team, 10 % in Pro and 48 % in the others.")
    assert "detractors leaving 2.1 times as fast, which may be chance: 52 %" in order(known, p=0.3)
    assert order(known.tail(1)) == "The list is in order of MRR, as all on it count with the same risk."
    assert order(known.head(0)).startswith("The list is in order of MRR: how likely detractors are")
    assert order(known, table * np.nan) == "The list is in order of the answer, the worst first."


def test_needed():
    assert SAY.needed(3223, 5.0) == "To see a change of 5 points reliably takes about 3,220 answers in each window."
    assert SAY.needed(0, 5.0).startswith("All answers are alike")
    there = SAY.needed(3223, 5.0, pd.Series({"n_before": 951, "n_now": 1563}))
    assert there.endswith("takes about 3,220 answers in each window; we have 951 and 1,563.")
    assert "a change of 5 points" in Words("csat").needed(40, 0.05)
    assert "a change of 0.5 reliably" in Words("ces").needed(40, 0.5)
