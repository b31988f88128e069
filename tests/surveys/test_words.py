import numpy as np
import pandas as pd
import pytest
from survey_world import counted

from cslib.surveys import words as rows
from cslib.surveys.answers import measure
from cslib.surveys.change import change, non_response
from cslib.surveys.scores import cells, scores, trend

EMPTY = pd.DataFrame()


def answers(*triples, **more):
    return counted([dict(zip(("plan", "before", "now", "n"), t, strict=True)) for t in triples], **more)


GLAD = answers(
    ("A", -2, 10, 80), ("A", -2, 0, 20), ("B", -2, 10, 30), ("B", -2, 0, 70), ("B", -2, -1, 50), ("C", -2, 8, 60)
)
SAME = answers(*((p, 9, 9, 30) for p in "ABC"), *((p, 0, 0, 15) for p in "ABC"))


def test_the_answer_names_score_interval_and_who_stands_out():
    text = rows.survey_answer(scores(GLAD), change(GLAD), EMPTY, survey="nps")
    assert text.startswith(
        "**NPS is 8** (95 % interval −3 to 18, 260 answers). **A (plan) stands out** with 60, more than chance."
    )


def test_no_difference_and_no_change_are_said_to_be_none():
    text = rows.survey_answer(scores(SAME), change(SAME), EMPTY, survey="nps")
    assert "No segment differs from the others by more than chance." in text
    assert "It went from 33 to 33 since the window before, no more than noise" in text


def test_a_clear_change():
    moved = change(answers(("A", 0, -2, 200), ("A", -2, 9, 200)))
    assert rows.change_finding(moved, survey="nps") == "It is up 200.0 points on the window before, more than noise"
    assert rows.change_finding(change(GLAD), survey="nps") == "There are no answers to compare with"


@pytest.mark.parametrize(
    ("survey", "value", "text"),
    [("nps", -0.3, "0"), ("nps", -37.6, "−38"), ("csat", 0.734, "73 %"), ("ces", 3.26, "3.3")],
)
def test_scores_as_readers_write_them(survey, value, text):
    assert rows._score(value, survey) == text


def test_clear_and_only_looking_different():
    clear = rows.clear_sentences(scores(GLAD), survey="nps")
    assert clear[0].startswith(
        "**Clearly different from the other answers**: A (plan) by +85.0 points, B (plan) by −77.5 points"
    )
    none = rows.clear_sentences(scores(SAME), survey="nps")
    assert none == ["Of 3 comparisons, none shows a clear difference."]


def test_a_column_of_two_is_one_comparison():
    two = answers(("A", -2, 10, 30), ("A", -2, 0, 20), ("B", -2, 10, 20), ("B", -2, 0, 30))
    text = " ".join(rows.clear_sentences(scores(two), survey="nps"))
    assert "1 comparison" in text or "A (plan) by +40.0" in text
    assert "B (plan)" not in text


def test_only_looks_different():
    table = scores(SAME).assign(p_value=[np.nan, 0.03, 0.5, 0.6], p_adjusted=[np.nan, 0.09, 1, 1])
    assert rows.clear_sentences(table, survey="nps")[1].startswith("**Only looks different**: A (plan)")


def test_the_subtitle_says_who_was_asked():
    table = scores(GLAD)
    text = rows.survey_subtitle(table, survey="nps", window=GLAD.window, only_answers=False)
    assert text == "260 of 310 customers asked for NPS from 1 July 2024 to 30 June 2025 answered (84 %)"
    assert "response rate is not known" in rows.survey_subtitle(table, survey="nps", window="x", only_answers=True)


def test_cards():
    cards = rows.survey_cards(scores(SAME), change(SAME), EMPTY, survey="nps")
    assert [c.label for c in cards] == ["NPS", "Response rate", "Change on the window before"]
    assert cards[2].detail == "within noise"
    csat = answers(("A", 5, 4, 40), survey="csat")
    cards = rows.survey_cards(scores(csat), change(csat), EMPTY, survey="csat")
    assert (cards[0].unit, cards[2].unit) == ("percent", "points")


def stake(p=0.001, low=50.0):
    groups = ["promoters", "detractors", "no answer", "all others"]
    months, prices = [np.nan, -1.5, -0.2, np.nan], [0, 100, 100, 200]
    table = pd.DataFrame(
        {"group": groups, "n": 50, "n_churned": 9, "rmst_difference_months": months, "mrr": prices, "n_today": 40}
    )
    table = table.assign(hazard_ratio=[1, 2.2, 1.1, np.nan], p_adjusted=[np.nan, p, 0.6, np.nan])
    table = table.assign(rmst_difference_ci_lower=-2.0, rmst_difference_ci_upper=-0.5)
    return table.assign(money_at_stake=[np.nan, 150, 20, 170], money_ci_lower=low, money_ci_upper=300.0)


def test_money():
    assert (
        rows.money_finding(stake(), currency="USD")
        == "Detractors stay 1.5 months less of the next 12 than promoters: USD 150 at stake"
    )
    assert rows.money_finding(stake(low=-5.0)) == "Detractors stay 1.5 months less of the next 12 than promoters"
    assert rows.money_finding(stake(p=0.3)) == "No group leaves at a clearly other rate than promoters"
    one, two = rows.stake_sentences(stake(), currency="USD")
    assert "more than chance. At the same age they left at 2.2 times the rate." in one
    assert one.endswith("Would the 40 of today stay like promoters, they would bring USD 150 more (USD 50 to USD 300).")
    assert two.startswith("**Those who did not answer** (50 customers, 9 left) stayed 0.2 months less than promoters")
    assert two.endswith("which could be chance.")
    assert "Detractors stayed 1.5 months less of the following 12 months than promoters." in rows.survey_answer(
        scores(SAME), EMPTY, stake(), survey="nps"
    )


def test_a_group_nobody_left_of_and_one_that_stays_longer():
    longer = stake().assign(
        rmst_difference_months=[np.nan, 1.5, -0.2, np.nan],
        money_at_stake=-150,
        money_ci_lower=-300,
        hazard_ratio=np.nan,
    )
    assert rows.money_finding(longer) == "Detractors stay 1.5 months more of the next 12 than promoters"
    text = " ".join(rows.stake_sentences(longer))
    assert "nan" not in text
    assert "bring" not in text
    cards = rows.survey_cards(scores(SAME), EMPTY, longer, survey="nps")
    assert len(cards) == 2


def test_who_stayed_silent():
    text = rows.non_response_finding(non_response(GLAD), survey="nps")
    assert text.startswith("Weighted to all who were asked, the score is ")
    assert "lower; had all the silent answered alike, it could be " in text
    plain = rows.non_response_finding(non_response(SAME), survey="nps")
    assert plain.startswith("Nothing is known of those who did not answer") or "does not show" in plain


def test_trend_names_the_last_period():
    counts = pd.DataFrame(
        {"period": pd.date_range("2025-01-01", periods=3, freq="MS"), "segment": "All", "now": [9, 0, 9], "n": 5}
    )
    table = trend(counts, measure("nps"))
    found = rows.trend_finding(table, survey="nps", period="month")
    assert found == "Mar 2025: 100, against 0 in the 2 months before: more than noise"
    alike = trend(counts.assign(now=[9, 8, 9]), measure("nps"))
    assert rows.trend_finding(alike, survey="nps", period="quarter").startswith(
        "Q1 2025: 100, against 50 in the 2 quarters"
    )
    assert rows.trend_finding(table.head(1), survey="nps", period="month") == "Too few months to tell a trend"


def test_segment_finding():
    assert rows.segment_finding(scores(GLAD), survey="nps") == "NPS is 60 for A, −40 for B"
    assert rows.segment_finding(scores(SAME), survey="nps").endswith("no clear difference")
    alone = scores(answers(("A", -2, 9, 30)))
    assert rows.segment_finding(alone, survey="nps") == "NPS is 100"


def test_what_moves_the_score_most_comes_first():
    table = rows.driver_rows(scores(GLAD))
    assert table["contribution"].abs().is_monotonic_decreasing
    assert rows.driver_finding(table, survey="nps") == "A (plan): 38 % of answers, +85.0 points against the others"
    assert rows.driver_finding(table.assign(clear=False), survey="nps").startswith("No column moves")


def test_rows_of_charts():
    both = counted([{"plan": p, "region": r, "now": 9, "n": 20} for p in "AB" for r in "xy"], ("plan", "region"))
    table = scores(both)
    assert rows.bar_rows(table)["name"].tolist() == ["All", "plan: A", "plan: B", "region: x", "region: y"]
    assert rows.bar_rows(scores(both, columns=["plan"]))["name"].tolist() == ["All", "A", "B"]
    assert len(rows.score_rows(table, ["region"])) == 2
    grid = cells(both, ("plan", "region"))
    assert rows.can_cross(grid)
    assert not rows.can_cross(grid[grid["row"] == "A"])


def test_needed():
    assert "about 3,220 answers" in rows.needed_sentence(3223, "5 points")
    assert rows.needed_sentence(0, "5 points").startswith("All answers are alike")
