"""Words of the churn report: true for whatever was computed."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from churn_world import LITE, PRO, at_stake, forecast, lives, rates

from cslib.churn.outlook import believed, outlook
from cslib.churn.rates import last_month, last_year
from cslib.churn.stays import Differences, Pace, firm_medians, kept, pace
from cslib.churn.words import ALL_YEARS, Wording, _estimate
from cslib.data.drift import Drift
from cslib.data.kpi import Target
from cslib.show.display import inline
from cslib.stats.survival import compare_segments, hazard_by_age, survival_at, survival_curve, survival_summary

say = Wording()
LITE_ALONE = Wording(segment=("plan", "Lite"), recent=True)


@pytest.fixture(scope="module")
def curve():
    return survival_curve(lives(Lite=LITE, Pro=PRO))


@pytest.fixture(scope="module")
def comparison(curve):
    return compare_segments(curve)


def firm(curve):
    return firm_medians(survival_summary(curve), curve)


def answer(curve, strongest=None):
    return say.answer(firm(curve), pace(hazard_by_age(curve)), Differences.of(compare_segments(curve)), strongest)


NAMES = ["term", "level", "reference", "hazard_ratio", "ci_lower", "ci_upper"]
DRIVER = pd.Series(["plan", "Pro", "Lite", 0.3, 0.2, 0.4], NAMES)


def test_the_subtitle_says_whom_the_report_is_about():
    summary = survival_summary(survival_curve(lives(Pro=PRO)))
    assert say.subtitle(summary) == "200 customers, of whom 30 left"
    since = Wording(unit="stay", observed_from=date(2024, 7, 1)).subtitle(summary)
    assert since == "200 stays, of which 30 have ended · followed since 1 July 2024"


def test_a_line_that_starts_with_fewer_than_it_rests_on_says_why():
    """Of 200 customers half were three months old when records began, and five had left by then."""
    late = lives(Pro=PRO)
    late["entry_months"] = [3.0 if d >= 12 else 0.0 for d in late["duration_months"]]
    curve = survival_curve(late)
    first, summary = curve.iloc[0], survival_summary(curve).iloc[0]
    n = int(first.n_at_risk)
    assert 0 < n < 200
    say = Wording(observed_from=date(2024, 7, 1))
    start = f"The line starts with {n} customers; later on it also counts {200 - n} more that were here already on 1 July 2024, "
    start += "from the age they had then."
    assert say.late_entry(first, summary, 0) == (start,)
    assert say.late_entry(first, summary, 5) == (f"{start} 5 customers left before 1 July 2024 and are left out.",)
    (stays,) = replace(say, unit="stay").late_entry(first, summary, 1)
    assert f"{200 - n} more that were under way already on 1 July 2024" in stays
    assert stays.endswith("1 stay ended before 1 July 2024 and is left out.")
    alike = summary.copy()
    alike["n_customers"] = n
    assert say.late_entry(first, alike, 0) == ()


def test_one_segment_is_called_by_its_name():
    curve = survival_curve(lives(Lite=[(5, True, 60), (9, True, 30), (12, False, 10)]).query("segment == 'All'"))
    text = LITE_ALONE.answer(firm(curve), None, None, None)
    pace = "at the pace of the last 12 months"
    assert text == f"**Half of Lite customers leave within 5 months** {pace} (95 % interval 5.0 to 5.0, 100 customers)."
    both = pd.concat([firm(curve), firm(curve).assign(segment=ALL_YEARS)])
    assert LITE_ALONE.summary(both)["segment"].tolist() == ["Lite", "Lite (all years)"]
    assert say.summary(both)["segment"].tolist() == ["All", "All (all years)"]
    year = survival_at(curve, [1, 3, 6, 12])
    assert LITE_ALONE.survival(kept(year, None)).title == "10 % of Lite customers stay longer than 12 months"


def test_amounts_that_are_compared_have_their_currency():
    table = pd.DataFrame(
        {
            "term": ["MRR at start", "MRR at start", "seats"],
            "level": ["290 instead of 204", "(missing)", "9 instead of 2"],
        }
    )
    assert Wording(currency="USD").priced(table)["level"].tolist() == [
        "USD 290 instead of 204",
        "(missing)",
        "9 instead of 2",
    ]
    assert say.priced(table)["level"].tolist() == table["level"].tolist()


def test_the_answer_names_stay_peak_and_difference(curve):
    text = answer(curve, DRIVER)
    assert text.startswith("**62 % of customers stay longer than 12 months** (95 % interval 58 to 67 %, 400 customers)")
    assert "longer than Lite customers over their first 24 months (6.2 to 9.1)." in text
    assert "Risk peaks in months 3 and 12. Pro customers stay" in text
    assert "other things equal" not in text  # segments say it
    alone = survival_curve(lives(Pro=PRO))
    alone = alone[alone["segment"] == "All"]
    said = say.answer(firm(alone), None, None, DRIVER)
    assert said.endswith(". Pro customers leave at about a third of Lite's rate, other things equal.")


def test_the_answer_names_the_median_where_it_is_reached():
    text = answer(survival_curve(lives(Lite=[(5, True, 60), (9, True, 30), (12, False, 10)])))
    stay = "**Half of all customers leave within 5 months** (95 % interval 5.0 to 5.0, 100 customers)."
    assert text == f"{stay} Risk peaks in months 5–9."


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(6, False, 40)], "**No churn is on record**: all 40 customers count as still here."),
        (
            [(2, True, 1), (6, False, 40)],
            "**1 of 41 customers left so far**; it is too early to say when half will have left.",
        ),
        ([(3, True, 1)], "**The one customer left.**"),
        ([(3, True, 2)], "**All 2 customers left**, too few to say how long they stay."),
    ],
)
def test_nobody_or_few_left_is_said(rows, words):
    assert answer(survival_curve(lives(Pro=rows))) == words


def test_no_clear_difference_is_said_as_such():
    curve = survival_curve(lives(a=[(3, True, 10), (24, False, 20)], b=[(4, True, 10), (24, False, 20)]))
    said = say.differences(Differences.of(compare_segments(curve)))
    assert (said.title, said.notes) == ("No segment clearly stays longer than another", ())
    assert "No segment clearly stays longer than another." in answer(curve)


def test_pairs_without_a_clear_difference_are_counted():
    curve = survival_curve(lives(a=[(1, True, 180), (24, False, 20)], b=LITE, c=PRO, d=PRO))
    said = say.differences(Differences.of(compare_segments(curve)))
    assert said.title.startswith("c customers stay 18.4 months longer than a customers over their first 24 months")
    assert said.notes == ("1 of 6 pairs shows no clear difference in months stayed.",)


def test_differences_have_no_p_values_and_few_leavers_are_said(comparison):
    def plotted(**values):
        return say.differences(Differences.of(comparison.assign(**values))).subtitle

    assert plotted().endswith("in colour where more than chance.")
    assert plotted(p_value=np.nan, log10_p_value=np.nan).endswith("Too few left to tell differences from chance.")


def test_survival_names_two_segments_only_where_they_differ(curve, comparison):
    at = survival_at(curve, [1, 3, 6, 12, 24])
    both = say.survival(kept(at, Differences.of(comparison)))
    assert both.title == "85 % of Pro customers stay longer than 12 months, against 40 % of Lite"
    assert (
        say.survival(pd.DataFrame({"segment": ["All"], "duration_months": 12, "survival": 0.625})).title
        == "62 % of customers stay longer than 12 months"
    )
    assert say.survival(at.head(0)).title == "It is too early to say how many stay"
    assert "100 %" in both.how_to_read


@pytest.mark.parametrize(
    ("left", "title"),
    [
        ([300, 20, 20], "Risk is highest in the first month: 32 %, against 3.2 % in later months"),
        ([300] + [40] * 11, "Risk is highest in the first month: 22 %, falling to 6.0 % by month 12"),
        ([200, 200, 20, 20], "Risk is highest in the first 2 months: 21 % a month, against 3.2 % in later ones"),
        ([5, 5, 5, 100, 150, 200], "Risk is highest from month 4 on: 16 % a month, against 0.5 % before"),
        ([20] * 11 + [300, 20], "Risk peaks in month 12: 33 % a month, against 2.0 % in other months"),
        ([20] * 5 + [150, 150] + [20] * 5, "Risk peaks in months 6–7: 16 % a month, against 2.3 % in other months"),
        ([20, 150, 20, 20, 200, 20], "Risk peaks in months 2 and 5: 15 % and 24 % a month, against 2.4 % in other months"),
        ([60] * 6, "Risk hardly changes over the first 6 months: 7.4 % a month, and no month is twice as risky as the others"),
        ([4] * 6, "Too few have left to tell whether risk changes over time: 0.7 % a month on average"),
    ],
)  # fmt: skip
def test_the_hazard_sentence_names_what_stands_out(left, title):
    curve = survival_curve(lives(a=[(k + 1, True, n) for k, n in enumerate(left)] + [(len(left), False, 600)]))
    assert say.hazard(pace(hazard_by_age(curve))).title == title


def test_a_peak_is_told_of_the_segments_that_clearly_have_it():
    found = pd.DataFrame({"first": [1], "last": [1], "rate": [0.0888]})

    def title(shown_by, not_by, **more):
        return say.hazard(
            replace(Pace(found, 0.038, 34, 0.0307, 12, 0), shown_by=shown_by, not_by=not_by, **more)
        ).title

    highest, all_leave = "Risk is highest in the first month", "8.9 % of all customers leave, 3.1 % in month 12"
    told = "Risk is highest in the first month: 8.9 %, falling to 3.1 % by month 12"
    assert title(("Starter", "Team"), ()) == told
    assert title(("Starter", "Team"), ("Pro",)) == f"{highest} for Starter and Team, not clearly for Pro: {all_leave}"
    assert (
        title((), ("Pro", "Team")) == f"{highest} for all customers together, not clearly for any segment: {all_leave}"
    )
    assert (
        title(tuple("abc"), tuple("xyz")) == f"{highest} for 3 of 6 segments, not clearly for the others: {all_leave}"
    )
    late = pd.DataFrame({"first": [5, 12], "last": [6, 12], "rate": [0.1, 0.2]})
    assert title(("Team",), ("Pro",), peaks=late) == (
        "In months 5–6 and 12, 10 % and 20 % of all customers leave a month, 3.8 % in other months; "
        "risk is highest then for Team, not clearly for Pro"
    )
    two = pd.DataFrame({"first": [1], "last": [2], "rate": [0.1]})
    assert title(("Team",), ("Pro",), peaks=two).startswith(
        "Risk is highest in the first 2 months for Team, not clearly for Pro: 10 % of all customers leave a month, 3.1 % in"
    )


# Beside the first month 50 leave a month: of some 2,400 here, 64 in two of them are not clearly more, and 68 are.
def test_a_line_that_rises_again_where_no_month_stands_out_may_be_chance():
    def notes(*left):
        gone = [(k + 1, True, n) for k, n in enumerate(left)]
        hazard = hazard_by_age(survival_curve(lives(a=[*gone, (len(left), False, 2000)])))
        return say.hazard(pace(hazard)).notes

    (text,) = notes(600, *[50] * 6, 64, 64, *[50] * 4)
    assert text == "The rise up to month 9 may be chance: no month there clearly stands out."
    assert notes(600, *[50] * 6, 68, 68, *[50] * 4) == ()
    assert notes(600, *[50] * 8) == ()


def test_hazard_of_few_is_not_told():
    assert say.hazard(None).title.startswith("Too few")


def test_kinds_are_told_at_their_landmark():
    told = pd.DataFrame({"churn_kind": ["voluntary", "involuntary"], "incidence": [0.1, 0.02], "months": 6})
    said = say.kinds(told)
    assert said.title == "Within 6 months, 10.0 % of customers leave by choice and 2.0 % involuntarily"
    assert say.kinds(told.tail(1).assign(churn_kind="not recorded")).title.endswith("leave with no reason recorded")
    assert say.kinds(told.head(0)).title.startswith("It is too early")
    assert say.kinds(told.assign(incidence=np.nan)).title.startswith("The data don't show how customers left")


def test_models_are_named():
    models = pd.DataFrame(
        {"segment": "All", "model": ["Weibull", "Log-normal"], "holdout_score": [-0.6, -0.5], "weight": [0.25, 0.75]}
    )
    most = "Of 2 models, Log-normal counts most: 75 % of their average, by"
    assert say.models(models).title == f"{most} what they predict of later ages"
    assert say.models(models.assign(holdout_score=np.nan)).title == f"{most} AIC, as later ages are too few to predict"
    models["weight"] = [0.0, 1.0]
    assert say.models(models).title == "Log-normal, of 2 models, predicts the later ages best"
    assert "lowest AIC" in say.models(models.assign(holdout_score=np.nan)).title
    assert say.models(models.iloc[:0]).title == "No model could be fitted"


def test_drivers_are_named_with_their_reference():
    assert (
        say.drivers(DRIVER, changing="plan").title
        == "Pro customers leave at about a third of Lite's rate, other things equal"
    )
    plotted = Wording(unit="stay").drivers(None).subtitle
    assert plotted.endswith("in colour where more than chance, all comparisons taken together; n: stays.")
    assert say.drivers(None).title == "Nothing on record clearly raises or lowers the risk of leaving"
    assert say.drivers(None, changing="channel").title == (
        "How much channel matters depends on how long customers have been here; on average, nothing on record clearly raises "
        "or lowers the risk of leaving"
    )
    of_number = pd.Series(["price", "90 instead of 18", "", 1.4, 1.2, 1.6], NAMES)
    assert (
        say.drivers(of_number).title
        == "Customers with price 90 leave at 1.4 times the rate of those with 18, other things equal"
    )


@pytest.mark.parametrize(("agree", "word"), [(True, "The predictions hold:"), (False, "do not hold everywhere")])
def test_calibration_counts_the_groups_that_hold(agree, word):
    found = pd.Series({"n_groups": 6, "n_inside": 5, "widest_gap": 0.094, "enough": True, "agree": agree}, dtype=object)
    said = say.calibration(found, checked_months=12.0, kept_share=0.724)
    assert word in said.title
    assert said.title.endswith(
        "in 5 of 6 groups as many left as predicted, within the margin of error; the widest gap is 9 points"
    )
    assert said.subtitle.startswith("Share leaving within 12 months of the start")
    assert said.notes == ("Risks use 72 % of each effect (on the log scale): the part that holds for new customers.",)


def test_a_gap_of_one_point_is_one():
    found = pd.Series({"n_groups": 6, "n_inside": 5, "widest_gap": 0.014, "enough": True, "agree": True}, dtype=object)
    assert say.calibration(found, checked_months=12.0, kept_share=1.0).title.endswith("the widest gap is 1 point")


def test_a_month_at_whose_start_nobody_was_there_has_no_rate(curve):
    gone = rates()
    gone.loc[gone.index[-1], ["churn_rate", "ci_lower", "ci_upper"]] = np.nan
    last = last_month(gone)
    nobody = f"Nobody was a customer at the start of {last.month:%B %Y}"
    assert say.monthly(last).title == f"{nobody}, so there is no churn rate"
    year = last_year(rates())
    assert f"{nobody}." in say.monthly(last, year).notes
    assert say.monthly(None).title == "No month is complete yet, so there is no churn rate"
    assert len(say.cards(survival_summary(curve), last, None)) == 2, "no card of a rate that is not known"


def test_with_pauses_it_is_said_of_which_day_figures_are(curve):
    then = Wording(settled=date(2025, 2, 28))
    assert then.warnings(firm(curve), reach=12, horizon_months=12) == (
        "Who left is known up to 28 February 2025: whoever stopped paying since may only pause. How many leave, how long "
        "they stay and the forecast are of that day, and “a year ago” is a year before it.",
    )
    now = believed(outlook(forecast()), None)
    assert then.forecast(now).title.startswith("Of 100 customers on 28 February 2025, about 20 (15 to 25)")
    assert then.forecast(now).subtitle.startswith("Customers on 28 February 2025 expected to be still here")
    assert then.cards(survival_summary(curve), None, now)[-1].detail == "20 % of customers\non 28 February 2025"


def test_names_keep_their_marks(curve):
    named = survival_curve(lives(**{"**Pro**": PRO, "**Lite**": LITE}))
    found = answer(named)
    assert "<strong>Pro" not in inline(found)
    assert "**Pro**" in inline(found).replace(chr(0x2060), "")


def test_few_groups_are_not_judged():
    few = pd.Series({"n_groups": 1, "n_inside": 1, "widest_gap": 0.0, "enough": False, "agree": True}, dtype=object)
    said = say.calibration(few, checked_months=12.0, kept_share=1.0)
    assert said.title == "Customers fall into 1 group, too few to judge the predictions"


def test_the_forecast_is_told_or_its_absence():
    now = believed(outlook(forecast()), None)
    assert say.forecast(now).title.startswith("Of 100 customers today, about 20 (15 to 25)")
    assert say.forecast(now, split="plan").subtitle.endswith(
        "Band: 95 % interval. The forecasts of each plan, added up."
    )
    wider = say.forecast(believed(now, came(10)))
    assert wider.title.startswith("Of 100 customers today, about 20 (10 to 40)")
    assert wider.subtitle.endswith("Band: 95 % interval, widened by the error of the last such forecast.")
    assert (
        say.forecast(None).title
        == "No forecast: nobody is a customer today, or they have been followed for less than a month"
    )


def came(left, **more):
    error = 20 / left - 1 if left else np.nan
    return pd.Series(
        {**outlook(forecast()), "left": left, "back": 0, "error": error, "held": False, **more}, dtype=object
    )


def test_the_forecast_of_a_year_ago_stands_with_what_came():
    slower = Drift(date(2024, 7, 1), recent=0.04, before=0.06, faster=False, p_value=0.001, carries=True)
    (text,) = say.last_time(came(10, months_ahead=12))
    assert text == (
        "A year ago the same forecast would have been 20 (15 to 25) of 100 customers; 10 left, so it was 100 % too high. "
        "Its interval was too narrow, so the range above is wide enough for such a miss."
    )
    assert "100 % too high, as customers have left more slowly since. Its" in say.last_time(came(10), found=slower)[0]
    assert "; 10 left (4 of them pay again), so it was" in say.last_time(came(10, back=4))[0]
    assert "; 10 left (1 of them pays again), so it was" in say.last_time(came(10, back=1))[0]
    chance = replace(slower, p_value=0.4)
    for left, found, said in ((40, slower, "50 % too low. Its"), (10, chance, "100 % too high. Its")):
        assert said in say.last_time(came(left), found=found)[0]
    assert say.last_time(came(0))[0].endswith("nobody left, so it was far too high. Its interval was too narrow.")
    assert say.last_time(came(22, held=True)) == (
        "2 months ago the same forecast would have been 20 (15 to 25) of 100 customers; 22 left, within that interval.",
    )


def test_the_card_of_the_forecast_says_how_far_off_it_was_where_it_was(curve):
    told = [
        say.cards(survival_summary(curve), None, outlook(forecast()), last_time=last)[-1].detail
        for last in (None, came(22, held=True), came(10))
    ]
    held = "20 % of today's customers"
    assert told == [held, held, f"{held}\nsame forecast 2 months ago: 100 % too high"]


def test_a_forecast_that_the_risk_list_contradicts_is_explained():
    def notes(each, **more):
        return say.sums(outlook(forecast()), at_stake([1.0] * 100, [each] * 100), **more)

    (text,) = notes(0.4, split="plan")
    assert text.startswith("The risks on the list add up to 40 customers, the forecast is 20:")
    assert text.endswith("treats those of one age and plan alike.")
    other = "by another model than the forecast's 20, and within its interval (15 to 25)."
    assert notes(0.22)[0].endswith(f"add up to 22 customers, {other}")
    for n, inside in ((14, False), (15, True), (25, True), (26, False)):
        (text,) = say.sums(outlook(forecast()), at_stake([1.0] * n, [1.0] * n))
        assert ("within its interval" in text) == inside
    assert say.sums(outlook(forecast()), at_stake([], [])) == say.sums(None, at_stake()) == ()


def test_models_are_listed_by_segment_and_weight():
    models = pd.DataFrame({
        "segment": ["b", "All", "b", "a", "All"], "model": list("vwxyz"), "weight": [0.2, 0.3, 0.8, 1.0, 0.7],
        "holdout_score": -1.0, "aic": 9.0, "n_parameters": 2,
    })  # fmt: skip
    assert say.model_list(models)["model"].tolist() == ["z", "w", "x", "v", "y"]
    assert "segment" not in say.model_list(models[models["segment"] == "All"])


@pytest.mark.parametrize(
    ("last", "word"),
    [
        *(
            (0.02, "fewer than"),
            (0.09, "more than"),
            (0.055, "not clearly more than"),
            (0.045, "not clearly fewer than"),
        ),
        (0.05, "about as"),
    ],
)
def test_the_last_month_is_set_against_the_year_before(last, word):
    text = say.monthly(last_month(rates(last))).title
    assert "of customers left in February 2025" in text
    assert f"{word} in the 12 months before (5.0 % a month)" in text
    seasonal = last_month(rates(last)).copy()
    seasonal["season"] = "allowed for"
    assert say.monthly(seasonal).title.endswith(f"{word} expected (5.0 %, from the 12 months before and the season)")


def test_an_interval_that_has_one_end_is_written_in_words():
    ends = [(19.8, math.inf), (math.nan, 25.0), (19.8, 25.0), (math.nan, math.nan)]
    written = ["23.1 (19.8 or more)", "23.1 (up to 25.0)", "23.1 (19.8 to 25.0)", "23.1"]
    assert [_estimate(23.1, *pair, "months") for pair in ends] == written
    assert _estimate(0.5, 0.4, 0.6, "percent") == "50 % (40 to 60)"


def test_a_single_month_has_nothing_to_be_compared_with():
    alone = last_month(rates(months=1))
    held = say.monthly(alone, None, Target(-math.inf, 0.045))
    assert held.notes == ("That is above the target of at most 4.5 %, but not clearly.",)
    assert say.monthly(alone).title == "5.0 % of customers left in January 2024 (4.0 to 6.0 %)"
    assert say.monthly(None).title.startswith("No month is complete yet")


def test_the_last_year_is_held_against_the_target_and_the_last_month_stands_beside_it():
    months = rates(months=12)
    said = say.monthly(last_month(months), last_year(months), Target(-math.inf, 0.03))
    assert said.title.startswith("5.0 % of customers left a month over the 12 months to December 2024 (")
    assert said.title.endswith("), above the target of 3 %")
    assert said.notes[0].startswith("5.0 % of customers left in December 2024 (")
    assert say.monthly(last_month(months), last_year(months)).title.endswith(" %)")


def test_cards_hold_what_the_data_can_tell(curve):
    summary, last, ahead = survival_summary(curve), last_month(rates()), outlook(forecast())
    full = say.cards(summary, last, ahead)
    summed = say.cards(summary, last, ahead, split="plan")
    assert summed[-1].detail == f"{full[-1].detail},\nadded up by plan"
    assert [c.label for c in full] == [
        "Stay longer than 12 months",
        "Mean months stayed of the first 24",
        "Customer churn, February 2025",
        "Expected to leave within 2 months",
    ]
    assert (full[3].value, full[3].ci_lower, full[3].ci_upper, full[3].n) == (20, 15, 25, 100)
    assert full[2].detail == "5.0 % a month in the 12 months before"
    lite = survival_summary(curve[curve.segment == "Lite"].assign(segment="All"))
    assert say.cards(lite, last, ahead)[1].label == "Months until half have left"
    assert len(say.cards(summary, None, None)) == 2


def test_the_year_judges_the_target_of_churn_or_else_the_last_month(curve):
    """5 % a month, 4.7 to 5.4 % over the year; 4 to 6 % in the last month."""
    table = rates(months=13)

    def card(target, **year):
        return say.cards(survival_summary(curve), last_month(table), None, target=target, **year)[-1]

    aimed = card(Target(-np.inf, 0.045), year=last_year(table))
    assert (aimed.label, aimed.status, aimed.target) == ("Customer churn a month", "missed", "at most 4.5 %")
    assert aimed.detail.endswith("January alone: 5.0 (4.0 to 6.0)")
    alone = card(Target(-np.inf, 0.045))
    assert (alone.label, alone.status) == ("Customer churn, January 2025", "not clear")
    assert card(None, year=last_year(table)) == say.cards(survival_summary(curve), last_month(table), None)[-1]


def test_a_card_names_what_it_counts(curve):
    made = Wording(unit="stay").cards(survival_summary(curve), last_month(rates()), outlook(forecast()))
    assert [card.noun for card in made] == ["stay", "stay", "customer", "customer"]


def test_medians_of_few_are_not_told():
    """Half are gone at month 9, to which two customers were followed."""
    table = say.summary(firm(survival_curve(lives(a=[(1, True, 2), (3, False, 20), (9, True, 1), (10, False, 1)]))))
    assert list(table.columns[:3]) == ["segment", "customers", "left"]
    counted = Wording(unit="stay").summary(firm(survival_curve(lives(a=[(1, True, 2), (3, False, 20)]))))
    assert list(counted.columns[:3]) == ["segment", "stays", "ended"]
    assert table.iloc[0, 3] == "over half still here"
    assert table.iloc[0, 5] == "not known"
    assert table.iloc[0, 4].endswith(")")


def test_early_ages_that_nobody_saw_are_named():
    late = lives(Pro=PRO).assign(entry_months=2.0)
    summary = firm(survival_curve(pd.concat([late[late.segment == "Pro"], lives(Lite=LITE)])))
    (text,) = say.warnings(summary, reach=12, horizon_months=12)
    assert text.startswith("For Pro, the data don't show how long customers stay from their start")
    assert "not known" in say.summary(summary).query("segment == 'Pro'").iloc[0, 3]


def test_one_sentence_tells_why_fewer_of_todays_customers_leave_than_of_new_ones():

    def said(past):
        return say.beside_new(pd.Series({"new": 0.4147, "today": 0.3196, "past": past}, dtype=object))

    assert said(1) == (
        "Of customers who start today, 41.5 % are expected to leave within 12 months; of those here today, 32.0 %: "
        "most of these are past the first month, when risk is highest.",
    )
    assert said(3)[0].endswith("past the first 3 months, when risk is highest.")
    assert said(0)[0].endswith("of those here today, 32.0 %, at the ages they have now.")
    assert say.beside_new(None) == ()


def test_a_shorter_look_ahead_is_warned_of(curve):
    assert say.warnings(firm(curve), reach=12, horizon_months=12) == ()
    assert say.warnings(firm(curve), reach=1, horizon_months=12) == (
        "Customers have not been followed for 12 months yet, so risk and forecast look 1 month ahead.",
    )


def test_months_that_no_two_segments_reach_are_not_compared(comparison):
    def title(**values):
        return say.differences(Differences.of(comparison.assign(**values))).title

    short = title(rmst_difference_months=np.nan, ci_lower=np.nan, ci_upper=np.nan)
    assert short.startswith("No two segments have been followed for 24 months")
    near = title(rmst_difference_months=0.1, ci_lower=-0.1, ci_upper=0.3)
    assert "do not leave at the same rate, but over 24 months none clearly stays longer" in near


def test_what_all_years_would_say_stands_as_on_the_card():
    found = Drift(date(2024, 7, 1), 0.041, 0.057, False, 0.001, carries=True)
    now, then = (pd.DataFrame({"segment": ["All"], "survival_12m": [share]}) for share in (0.5846, 0.5231))
    assert say.changed(found, now, then) == (
        "Customers now leave more slowly: churn of the last 12 months is 28 % lower than before, at the "
        "same ages. Figures below "
        "rest on these 12 months; over all years, 52.3 % stay longer than 12 months. "
        "The cohort report compares those who joined earlier and later: [Are newer cohorts better?](cohort_retention#are-newer-cohorts-better)"
    )
    assert "rest on these 12 months. The cohort" in say.changed(found, now, then.assign(survival_12m=np.nan))
    unclear = say.changed(replace(found, p_value=0.2), now, then)
    assert unclear.endswith("stay longer than 12 months.")


def test_a_bar_that_misses_one_by_luck_is_named():
    assert say.by_luck([], 7) == ()
    (one,) = say.by_luck(["EMEA"], 7)
    assert one == "EMEA looks different, but among 7 comparisons that may be chance."
    (two,) = say.by_luck(["EMEA", "Paid"], 7)
    assert two == "EMEA and Paid look different, but among 7 comparisons that may be chance."
