from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd
import pytest
from survey_world import by_period, counted

from cslib.show.formats import inline
from cslib.surveys.answers import measure
from cslib.surveys.change import change, most_moved, non_response, silence_moves
from cslib.surveys.scores import distribution, drivers, every_answer, judged, last_period, scores, strongest, trend
from cslib.surveys.stakes import Landmark, known_stakes, priced, who_left
from cslib.surveys.words import HOW_TO_READ_LANDMARK, Words

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
    assert weighted == f"{text} Estimated for everyone asked, it is 2."
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
    (text,) = SAY.moved_most(most_moved(judged(change(answers(*rows), "plan"))), "plan")
    assert text.startswith("**A (plan) moved most**: from 100 to 0 (−100 points, 95 % interval −1")
    assert text.endswith("). Allowing for 2 segments compared, that is more than chance.")
    few = [*(("A", 8, -2, 8), ("A", -2, 8, 7), ("A", -2, 9, 1)), *(("B", 8, -2, 8), ("B", -2, 8, 8))]
    (text,) = SAY.moved_most(most_moved(judged(change(answers(*few), "plan", min_group=1))), "plan")
    assert text.startswith("**A (plan) moved most**: from 0 to 12 (+12 points")
    assert text.endswith("). Allowing for 2 segments compared, that may be chance.")
    assert SAY.moved_most(most_moved(judged(change(SAME, "plan"))), "plan") == (), "nothing moved"
    assert SAY.moved_most(None, "plan") == ()


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


def test_which_score_to_quote_is_said_where_the_scorecard_has_another():
    whole = pd.Series({"nps": 37.36})
    quarter = "The scorecard's 43.6 is of the 3 months to June 2025 alone (560 customers)."
    assert SAY.quoted(whole, QUARTER) == (f"**The NPS to quote is 37**. {quarter}",)
    assert SAY.last_quarter(whole, QUARTER) == (quarter,)
    same = QUARTER.assign(value=37.36)
    assert SAY.quoted(whole, same) == SAY.quoted(whole, QUARTER.assign(value=36.8)) == (), "both are 37"
    assert SAY.quoted(whole, QUARTER.head(0)) == ()
    csat = QUARTER.head(1).assign(kpi="csat", value=0.685)
    (text,) = Words("csat").quoted(pd.Series({"csat": 0.734}), csat)
    assert text.startswith("**The CSAT to quote is 73 %**. The scorecard's 68.5 % is of")


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


def stays(stakes, parts=NO_PARTS, **more):
    return SAY.stays(stakes, parts, known_stakes(stakes, parts, **more))


def money(stakes, **more):
    return SAY.money(stakes, known_stakes(stakes, NO_PARTS, **more))


OFTEN = "Detractors left more often: 48 % over the 12 months that followed, against 27 % of promoters"
BRING = "If detractors stayed as promoters do, **they would bring USD 150 (50 to 300) more over 12 months**"


def test_money():
    assert money(stake()) == f"{OFTEN}; USD 150 at stake"
    assert money(stake(low=-5.0)) == OFTEN
    assert money(stake(p=0.3)) == "No group clearly leaves faster or more slowly than promoters"
    assert stays(stake()) == (
        "**Detractors** left 2.2 times as fast as promoters of the same age (9 of 50 left), and stayed 1.5 months "
        "less (95 % interval 0.5 to 2.0).",
        "**If detractors stayed as promoters do, they would bring USD 150 (50 to 300) more** over 12 months.",
        "Not clearly different from promoters: those who did not answer (9 of 50 left).",
    )
    assert told(SAME, None, stake()).endswith(f" {BRING}.")
    both = told(SAME, None, stake(p_adjusted=[np.nan, 0.001, 0.01, np.nan]))
    assert "left" not in both  # the section tells


def test_money_is_told_beside_what_customers_bring_and_leads_only_where_it_is_much():
    """150 of 10,000 are 1.5 %; of 20,000 they are 0.75 %, less than the 1 % that makes a headline."""
    much, little = ({"brought": brought} for brought in (10_000, 20_000))
    share = "of what today's customers would bring if all stayed"
    assert money(stake(), **much) == f"{OFTEN}; USD 150 at stake"
    assert money(stake(), **little) == OFTEN
    assert stays(stake(), **little)[1].endswith(f"more** over 12 months; that is 0.8 % {share}.")
    text = SAY.answer(judged(scores(SAME)), None, stake(), known=known_stakes(stake(), NO_PARTS, **much))
    assert text.endswith(f" {BRING}, 1.5 % {share}.")
    known = known_stakes(stake(), NO_PARTS, **little)
    text = SAY.answer(judged(scores(SAME)), None, stake(), known=known)
    assert text.endswith(" **Detractors left more often**: 48 % over 12 months, against 27 % of promoters.")
    whole = scores(SAME).iloc[0]
    assert SAY.cards(whole, "number", None, known, window=SAME.window)[-1].detail == f"0.8 % {share}"


def test_groups_of_other_surveys_are_people_too():
    names = ["satisfied", "dissatisfied", "no answer", "all others"]
    known = known_stakes(stake().assign(group=names), NO_PARTS)
    one, _, two = Words("csat", "USD").stays(stake().assign(group=names), NO_PARTS, known)
    assert one.startswith(
        "**Dissatisfied customers** left 2.2 times as fast as satisfied customers of the same age (9 of"
    )
    assert two == "Not clearly different from satisfied customers: those who did not answer (9 of 50 left)."
    title = Words("csat").money(stake(p=0.3).assign(group=names), known)
    assert title == "No group clearly leaves faster or more slowly than satisfied customers"


def test_a_price_that_may_be_none_is_told_with_all_of_its_interval():
    unsure, unknown = stays(stake(low=-5.0))[0], stays(stake(money_at_stake=np.nan))[0]
    cost = " What that costs over 12 months we cannot tell yet: it may be nothing"
    assert unsure.endswith(f"{cost}, or up to USD 300.")
    none = stays(stake(low=-5.0, money_at_stake=-20, money_ci_upper=-1.0))[0]
    assert none.endswith(f"{cost}."), "nothing below zero is told as an amount"
    assert "USD" not in unknown
    assert "USD" not in money(stake(low=-5.0))


def test_shares_that_left_are_told_only_where_they_differ_as_the_test_has_it():
    """Of those alike detractors leave faster; of all they left as often, or less: promoters are in another plan."""
    for survival in (0.7312, 0.8):
        title = money(stake(survival_12m=[0.73, survival, 0.7, 0]))
        assert (
            title
            == "Detractors stayed 1.5 months less than promoters over the 12 months that followed; USD 150 at stake"
        )


def test_months_that_may_go_either_way_are_not_told():
    spans = stays(stake(rmst_difference_ci_lower=-1.4, rmst_difference_ci_upper=0.02))
    assert "months less" not in spans[0]
    more = stays(stake(rmst_difference_months=1.5, rmst_difference_ci_lower=0.4, rmst_difference_ci_upper=2.0))
    assert "and stayed 1.5 months more (95 % interval 0.4 to 2.0)" in more[0]


def test_of_a_group_that_has_left_whole_nothing_is_at_stake_and_no_interval_is_told():
    unknown = dict.fromkeys(("rmst_difference_ci_lower", "rmst_difference_ci_upper", "money_ci_lower"), np.nan)
    text = stays(stake(**unknown, n_today=0, money_at_stake=0.0))[0]
    assert text == "**Detractors** left 2.2 times as fast as promoters of the same age (9 of 50 left)."


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
    assert "we cannot tell yet: it may be" in stays(unsure, parts[parts["segment"] == "Big"])[0]


def test_parts_with_a_price_are_added_up():
    """To 150 (50 to 300) come 200 (50 to 300): √(100² + 150²) below 350, and √(150² + 100²) above it."""
    few = stake(p=0.6, money_at_stake=-25, money_ci_lower=-60.0, money_ci_upper=10.0)
    unsure, dear = stake(low=-5.0, money_at_stake=125), stake().assign(segment="Pro", money_at_stake=200)
    rows = [stake().assign(segment="Team"), dear, few.assign(segment="Big")]
    found = priced(pd.concat(rows, ignore_index=True))
    text = stays(unsure, found, brought=35_000)[1]
    assert text.startswith(
        "**If detractors in Pro and Team stayed as promoters do, they would bring USD 350 (170 to 530) more** over 12 "
        "months, of which USD 200 in Pro and USD 150 in Team; that is 1.0 % of what today's customers would bring if all stayed. In Big"
    )
    many = [t.assign(segment=f"{n}{i}") for i in range(6) for n, t in (("T", stake()), ("B", few))]
    text = stays(unsure, priced(pd.concat(many, ignore_index=True)))[1]
    assert "If detractors in T0, T1, T2, T3 and 2 more stayed as promoters do, they would bring USD 900" in text
    assert "in T3 and more in 2 others. In B0 (9 of 50 left), B1" in text
    assert text.endswith("B3 (9 of 50 left) and 2 more we cannot tell yet.")


def test_the_group_with_the_most_money_at_stake_has_a_card():
    card = cards(SAME, stake())[-1]
    assert (card.label, card.value, card.n) == ("At stake over 12 months: detractors", 150, 40)
    assert [c.noun for c in cards(SAME, stake())] == ["customer", "answer", "customer"]


def test_money_that_may_be_none_has_no_card():
    assert len(cards(SAME, stake(money_ci_lower=-20))) == 2


def test_among_whom_groups_are_compared_is_said():
    """All are on one plan: nobody is told that they are alike in it."""
    lives = pd.DataFrame({"by_0": ["Team"] * 2, "by_1": ["EU", "US"], "by_2": ["Web", "Shop"]})
    found = Landmark(measure("nps"), 12, lives=lives, columns=("plan", "region", "channel"))
    text = SAY.alike(found)
    assert text.endswith("compare customers of the same region and channel, where both groups have at least five.")
    assert SAY.alike(replace(found, columns=())) == HOW_TO_READ_LANDMARK


def test_a_group_nobody_left_of_and_one_that_stays_longer():
    months = [np.nan, 1.5, -0.2, np.nan]
    longer = stake(rmst_difference_months=months, money_at_stake=-150, money_ci_lower=-300, hazard_ratio=np.nan)
    assert money(longer) == "Detractors stayed 1.5 months more than promoters over the 12 months that followed"
    text = " ".join(stays(longer))
    assert "nan" not in text
    assert "would bring" not in text
    assert "left more slowly than promoters of the same age (9 of 50 left), and stayed 1.5 months more" in text
    assert "over 12 months" not in told(SAME, None, longer)
    assert len(cards(SAME, longer)) == 2


def test_how_fast_they_leave_is_what_was_tested_also_where_months_are_lost():
    """Customers alike at the same age are compared, the months are not: they may differ in direction."""
    text = " ".join(stays(stake(hazard_ratio=[1, 0.9, 1.1, np.nan])))
    assert "left 0.9 times as fast as promoters of the same age" in text


def test_who_stayed_silent():
    def moves(found):
        return silence_moves(non_response(found), "nps")

    assert SAY.silence(moves(SAME)) == "Weighting to everyone asked does not change NPS"
    assert SAY.silence(moves(GLAD)) == "Weighting to everyone asked does not clearly change NPS"
    alone = moves(answers(("A", -2, 9, 30), ("A", -2, -1, 30)))
    assert SAY.silence(alone) == "No column tells who is silent"
    clear = moves(GLAD) | {"of_all": 32.3, "shift": -5.05}
    assert SAY.silence(clear) == "Estimated for everyone asked, NPS is 32, 5.0 points lower"
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
    assert text(table(9, 0, 8), "month").endswith("is 0, no clear change from the 2 months before")
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


def test_segments_of_several_columns_are_named_with_theirs():
    rows = [("A", "EU", 9, 30), ("A", "US", 0, 30), ("B", "EU", 9, 28), ("B", "US", 0, 32)]
    named = [dict(zip(("plan", "region", "now", "n"), row, strict=True)) for row in rows]
    found = counted(named, columns=("plan", "region"))
    assert SAY.segments(judged(scores(found))) == (
        "NPS runs from −100 (region: US) to 100 (region: EU); clearly different: region: EU and region: US"
    )


def test_a_trend_tells_of_an_earlier_period_that_was_further_out():
    """Three quarters of 100 and one of −50 come to 62 together; the last, −20, is below that and not the lowest."""
    days = pd.date_range("2024-01-01", periods=5, freq="QS")
    rows = [(day, "All", 9, n) for day, n in zip(days, (100, 25, 100, 100, 40), strict=True)]
    table = trend(by_period([*rows, (days[1], "All", 0, 75), (days[4], "All", 0, 60)]))
    last = last_period(table, "nps")
    assert SAY.trend(last, "quarter") == (
        "NPS of Q1 2025 alone is −20, clearly below the 4 quarters before (62), though Q2 2024 was lower, at −50"
    )
    few = table.assign(n_responses=table["n_responses"].where(table["period"] != days[1], 29))
    assert "though" not in SAY.trend(last_period(few, "nps"), "quarter"), "of few answers it is no rival"


MARKED = "**Pro_x** <b> | [a](b)"


def test_names_of_segments_are_shown_as_they_are():
    found = answers((MARKED, -2, 10, 80), (MARKED, -2, 0, 20), ("B", -2, 10, 30), ("B", -2, 0, 70))
    few = stake(p=0.6, money_at_stake=-25, money_ci_lower=-60.0, money_ci_upper=10.0)
    rows = [stake().assign(segment=MARKED), stake().assign(segment="Team"), few.assign(segment=f"{MARKED}2")]
    parts = priced(pd.concat(rows, ignore_index=True))
    moved = pd.Series(
        {"segment": MARKED, "score_before": 0, "score_now": 9, "change": 9, "ci_lower": 1, "ci_upper": 17}
    )
    said = [
        SAY._where(judged(scores(found))),
        *SAY.stays(stake(low=-5.0), parts, known_stakes(stake(low=-5.0), parts)),
        *SAY.moved_most(pd.Series({**moved, "clear": True, "among": 2}), "plan"),
        SAY.drivers(strongest(drivers(scores(found)), "contribution")),
    ]
    shown = [inline(text).replace("\N{WORD JOINER}", "") for text in said]
    for text in (text for text in shown if "Pro" in text):
        assert escape(MARKED) in text
        assert "<a " not in text
        assert text.count("**") == 2 * text.count("Pro_x"), "every other mark is bold"
    assert sum("Pro" in text for text in shown) == 4


def test_distribution():
    given = distribution(answers(("A", -2, 9, 3), ("A", -2, 2, 1), ("A", -2, 8, 1), ("A", -2, -1, 7)))
    assert SAY.distribution(given) == (
        "60 % promoters, 20 % passives, 20 % detractors; the most frequent answer is 9 (60 %)"
    )


def test_who_scores_higher():
    table = drivers(scores(GLAD))
    assert (
        SAY.drivers(strongest(table, "contribution"))
        == "NPS is 85 points higher among customers whose plan is A (38 % of those who answered)"
    )


def test_another_survey_is_told_with_its_window():
    whole = scores(answers(("A", -2, 5, 60), ("A", -2, 1, 20), survey="csat")).iloc[0]
    say = Words("csat", span="over the last 12 months")
    assert say.other(whole) == "CSAT is 75 % over the last 12 months (65 to 83 %, 80 customers)"


def test_the_unhappy_are_counted_with_what_they_pay():
    table = pd.DataFrame({"mrr": [500.0, 100.0]})
    assert SAY.unhappy(table, measure("nps")) == (
        "2 of today's customers last answered 0 to 6 (detractors) and pay USD 600 a month"
    )
    one = SAY.unhappy(table.head(1).assign(mrr=np.nan), measure("csat"))
    assert one == "1 of today's customers last answered 1 to 2 (dissatisfied)"
    assert SAY.unhappy(table.head(0), measure("nps")) == ""
    assert SAY.unhappy(table * 0, measure("nps"), here=False) == "2 customers last answered 0 to 6 (detractors)"


def test_the_order_of_the_list_is_told():
    table = pd.DataFrame({"mrr": [500.0, 100.0], "p_churn": [0.2, np.nan]})
    beside = "[Whom to call first?](churn_survival#whom-to-call-first)"
    whose = f"Risks are as in the churn report, which lists all of today's customers: {beside}"
    assert SAY.order(table) == f"Those come first with whom we expect to lose most. {whose}"
    assert SAY.order(table.assign(mrr=0.0)).startswith("The worst answers come first.")
    assert SAY.order(table.assign(p_churn=np.nan)) == "Those come first who pay most."
    assert SAY.order(table.assign(mrr=np.nan)) == f"The worst answers come first. {whose}"
    assert SAY.order(table.assign(mrr=np.nan, p_churn=np.nan)) == "The worst answers come first."


def test_needed():
    assert SAY.needed(3223, 5.0) == "To see a change of 5 points reliably takes about 3,220 answers in each window."
    assert SAY.needed(0, 5.0).startswith("All answers are alike")
    there = SAY.needed(3223, 5.0, pd.Series({"n_before": 951, "n_now": 1563}))
    assert there.endswith("takes about 3,220 answers in each window; we have 951 and 1,563.")
    assert "a change of 5 points" in Words("csat").needed(40, 0.05)
    assert "a change of 0.5 reliably" in Words("ces").needed(40, 0.5)
