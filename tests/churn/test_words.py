"""Sentences of the churn report: true for whatever was computed."""

import numpy as np
import pandas as pd
import pytest

from cslib.churn.words import (
    calibration_finding,
    churn_answer,
    churn_cards,
    churn_finding,
    churn_subtitle,
    concordance_sentence,
    driver_finding,
    firm_medians,
    forecast_finding,
    forecast_gap,
    forecast_line,
    hazard_finding,
    incidence_finding,
    model_finding,
    pair_finding,
    pair_labels,
    pair_sentences,
    pair_subtitle,
    risk_finding,
    summary_table,
    survival_finding,
    unobserved_ages,
)
from cslib.errors import ParameterError
from cslib.stats.survival import compare_segments, hazard_by_age, survival_at, survival_curve, survival_summary

NO_ROWS = pd.DataFrame({"segment": []})


def lives(**segments):
    """Lifetimes by segment: (duration, left, n) each; the whole is their sum."""
    rows = [(s, 0.0, float(d), e, n) for s, each in segments.items() for d, e, n in each]
    parts = pd.DataFrame(rows, columns=["segment", "entry_months", "duration_months", "event_observed", "n"])
    return pd.concat([parts.assign(segment="All"), parts], ignore_index=True)


PRO = [(3, True, 10), (12, True, 20), (24, False, 170)]
LITE = [(3, True, 60), (12, True, 60), (24, False, 80)]


@pytest.fixture(scope="module")
def curve():
    return survival_curve(lives(Lite=LITE, Pro=PRO))


@pytest.fixture(scope="module")
def comparison(curve):
    return compare_segments(curve)


def forecast(expected=(90.0, 80.0), half=5.0):
    rows = [("All", k + 1, 100, e, e - half, e + half) for k, e in enumerate(expected)]
    return pd.DataFrame(
        rows, columns=["segment", "months_ahead", "n_active", "expected_active", "active_ci_lower", "active_ci_upper"]
    )


def rates(last=0.05, *, half=0.01, months=14, usual=0.05):
    each = [usual] * (months - 1) + [last]
    return pd.DataFrame(
        {"segment": "All", "month": pd.date_range("2024-01-01", periods=months, freq="MS"), "method": "start_of_period", "n_start": 1000,
         "n_churned": [1000 * r for r in each], "churn_rate": each, "ci_lower": np.array(each) - half, "ci_upper": np.array(each) + half}
    )  # fmt: skip


def test_the_subtitle_counts_who_was_never_observed():
    counts = lives(Pro=PRO)
    assert churn_subtitle(counts, n_customers=200) == "200 customers, of whom 30 left"
    assert churn_subtitle(counts, n_customers=207).endswith("7 customers had left before and are not counted")


def test_the_answer_names_stay_difference_and_forecast(curve, comparison):
    answer = churn_answer(survival_summary(curve), comparison, forecast())
    assert answer.startswith(
        "**62 % of customers stay longer than 12 months** (95 % interval 58 to 67 %, 400 customers)"
    )
    assert "longer than Lite ones over their first 24 months (6.2 to 9.1)." in answer
    assert "Of 100 customers today, about 20 (15 to 25) are expected to leave within 2 months." in answer


def test_the_answer_names_the_median_where_it_is_reached():
    curve = survival_curve(lives(Lite=[(5, True, 60), (9, True, 30), (12, False, 10)]))
    answer = churn_answer(survival_summary(curve), compare_segments(curve), NO_ROWS)
    assert answer == "**Half of all customers leave within 5 months** (95 % interval 5.0 to 5.0, 100 customers)."


def test_nobody_left_and_few_left_are_said():
    def answer(*rows):
        curve = survival_curve(lives(Pro=list(rows)))
        return churn_answer(survival_summary(curve), compare_segments(curve), NO_ROWS)

    assert answer((6, False, 40)) == "**Nobody has left yet**: all 40 customers are still here."
    assert (
        answer((2, True, 1), (6, False, 40))
        == "**1 of 41 customers left so far**; when half of them leave cannot be told yet."
    )


def test_a_few_who_all_left_are_said():
    for rows, words in (
        ([(3, True, 1)], "**The one customer left.**"),
        ([(3, True, 2)], "**All 2 customers left**, too few to say how long they stay."),
    ):
        curve = survival_curve(lives(Pro=rows))
        assert churn_answer(firm_medians(survival_summary(curve), curve), compare_segments(curve), NO_ROWS) == words


def test_no_clear_difference_is_said_as_such():
    curve = survival_curve(lives(a=[(3, True, 10), (24, False, 20)], b=[(4, True, 10), (24, False, 20)]))
    comparison = compare_segments(curve)
    assert pair_finding(comparison) == "No segment clearly stays longer than another"
    assert "No segment clearly stays longer than another." in churn_answer(survival_summary(curve), comparison, NO_ROWS)
    assert pair_sentences(comparison) == []


def test_pairs_beyond_the_title_are_told_and_the_rest_counted():
    curve = survival_curve(lives(a=[(1, True, 180), (24, False, 20)], b=LITE, c=PRO, d=PRO))
    comparison = compare_segments(curve)
    assert len(pair_labels(comparison, most=4)) == 4
    assert pair_labels(comparison).pair.iloc[0] == "c against a"
    sentences = pair_sentences(comparison, most=2)
    assert len(sentences) == 4
    assert sentences[2] == "2 further pairs of segments differ by more than chance."
    assert sentences[3] == "1 of 6 pairs shows no clear difference in months stayed."


def test_a_p_value_that_underflows_is_written_as_a_power(comparison):
    assert "Log-rank test of all segments: p below 10⁻" in pair_subtitle(comparison)
    row = comparison.assign(p_value=0.0, log10_p_value=-510.9)
    assert "p below 10⁻⁵¹⁰." in pair_subtitle(row)
    assert "p = 0.040." in pair_subtitle(comparison.assign(p_value=0.04, log10_p_value=-1.4))


def test_survival_names_two_segments_only_where_they_differ(curve, comparison):
    at = survival_at(curve, [1, 3, 6, 12, 24])
    assert survival_finding(at, comparison) == "85 % of Pro customers stay longer than 12 months, 40 % of Lite"
    alike = comparison.assign(p_adjusted=0.5)
    assert survival_finding(at, alike) == "62 % of customers stay longer than 12 months"
    young = survival_curve(lives(Pro=[(0.5, False, 40)]))
    assert survival_finding(survival_at(young, [1, 12]), alike).startswith("Too short a time")


@pytest.mark.parametrize(
    ("months", "words"),
    [
        ([300, 20, 20, 20, 20, 20], "The first month is the riskiest"),
        ([5, 5, 5, 100, 150, 200], "The risk grows with age"),
        ([40] * 6, "hardly changes"),
    ],
)
def test_the_hazard_sentence_follows_its_intervals(months, words):
    curve = survival_curve(lives(a=[(k + 1, True, n) for k, n in enumerate(months)] + [(6, False, 600)]))
    assert words in hazard_finding(hazard_by_age(curve))


def test_hazard_of_few_is_not_told():
    assert hazard_finding(hazard_by_age(survival_curve(lives(a=[(3, True, 2)])))).startswith("Too few")


def test_kinds_are_told_at_the_latest_landmark():
    rows = pd.DataFrame(
        {
            "segment": "All",
            "churn_kind": ["voluntary"] * 2 + ["involuntary"] * 2,
            "duration_months": [3.0, 7.0] * 2,
            "incidence": [0.1, 0.3, 0.02, 0.05],
        }
    )
    assert (
        incidence_finding(rows)
        == "Within 6 months, 10 % of customers are lost to voluntary churn, 2.0 % to involuntary churn"
    )
    assert incidence_finding(rows.assign(duration_months=0.5)).startswith("Too short")


def test_models_and_forecast():
    models = pd.DataFrame(
        {"segment": "All", "model": ["Weibull", "Log-normal"], "holdout_score": [-0.6, -0.5], "best": [False, True]}
    )
    assert model_finding(models) == "Log-normal, of 2 models, predicts the later ages best"
    assert "lowest AIC" in model_finding(models.assign(holdout_score=np.nan))
    assert model_finding(models.iloc[:0]) == "No model could be fitted"
    assert (
        forecast_finding(NO_ROWS)
        == "No forecast: nobody is a customer today, or they have been observed for less than a month"
    )
    line = forecast_line(forecast())
    assert line.expected_active.tolist() == [100, 90, 80]
    assert line.ci_upper.tolist() == [100, 95, 85]


def test_drivers_are_named_with_their_reference():
    table = pd.DataFrame(
        {"term": "plan", "level": ["Lite (reference)", "Pro", "Max"], "hazard_ratio": [1, 0.3, 0.9], "ci_lower": [np.nan, 0.2, 0.7], "ci_upper": [np.nan, 0.4, 1.1], "p_value": [np.nan, 1e-9, 0.3]}
    )  # fmt: skip
    assert (
        driver_finding(table)
        == "plan: Pro customers leave at 0.30 times (0.20 to 0.40) the rate of Lite ones, all else equal"
    )
    assert (
        driver_finding(table.assign(p_value=[np.nan, 0.03, 0.3]))
        == "No driver clearly raises or lowers the risk of leaving"
    )
    number = pd.DataFrame(
        {
            "term": ["price"],
            "level": ["18 → 90"],
            "hazard_ratio": [1.4],
            "ci_lower": [1.2],
            "ci_upper": [1.6],
            "p_value": [1e-6],
        }
    )
    assert (
        driver_finding(number)
        == "price: from 18 to 90, the rate of leaving is 1.40 times (1.20 to 1.60) as high, all else equal"
    )
    unknown = number.assign(level="(missing)", hazard_ratio=np.nan, ci_lower=np.nan, ci_upper=np.nan, p_value=np.nan)
    assert driver_finding(pd.concat([number, unknown])) == driver_finding(number)


@pytest.mark.parametrize(("off", "word"), [(0.0, "churn agree"), (0.3, "do not agree everywhere")])
def test_calibration_counts_the_groups_that_hold(off, word):
    observed = np.arange(1, 7) / 10
    bounds = {"ci_lower": observed - 0.05, "ci_upper": observed + 0.05}
    groups = pd.DataFrame({"predicted": observed + off, "observed": observed, **bounds})
    assert word in calibration_finding(groups)
    assert f"{6 * (not off)} of 6 groups" in calibration_finding(groups)
    wide = groups.assign(predicted=observed + 0.04 + 0.1 * (observed > 0.5), ci_upper=observed + 0.2)
    assert "do not agree everywhere" in calibration_finding(wide)
    assert calibration_finding(groups.head(1)) == "The predictions fall into 1 group only, too few to judge them by"


def test_concordance_is_told_in_pairs():
    assert "knows in 62 % of cases who leaves first (concordance 0.62;" in concordance_sentence(0.62)
    assert concordance_sentence(np.nan) == ""


def test_the_risk_list_says_what_it_holds():
    risk = pd.DataFrame({"p_churn": [0.5, 0.25, 0.25], "money_at_risk": [50.0, 30.0, 20.0]})
    text = risk_finding(risk, capacity=1, horizon_months=12, currency="USD")
    assert (
        text
        == "Expected: about 1 of 3 customers leave within 12 months, and with them USD 100 a month. **The 1 listed hold USD 50 of it (50 %).**"
    )
    assert "no money is at risk" in risk_finding(risk.assign(money_at_risk=0.0), capacity=1, horizon_months=1)
    with pytest.raises(ParameterError, match="capacity is -3"):
        risk_finding(risk, capacity=-3, horizon_months=12)
    assert "no MRR" in risk_finding(risk.assign(money_at_risk=np.nan), capacity=1, horizon_months=1)
    assert (
        risk_finding(risk.iloc[:0], capacity=1, horizon_months=12)
        == "Nobody is a customer today, so there is nobody to call."
    )


def test_a_forecast_that_the_risk_list_contradicts_is_explained():
    risk = pd.DataFrame({"p_churn": [0.4] * 100})
    text = forecast_gap(forecast(), risk, split="plan", strongest="contract")
    assert text.startswith("The probabilities of the at-risk list add up to 40, not to the 20 forecast")
    assert text.endswith("takes those of one age and plan for alike. Segment by contract to bring the two together.")
    assert forecast_gap(forecast(), risk.assign(p_churn=0.22)).endswith("adds up to 22: within the interval.")
    assert forecast_gap(NO_ROWS, risk) == ""


@pytest.mark.parametrize(("last", "word"), [(0.02, "fewer than"), (0.09, "more than"), (0.055, "much as")])
def test_the_last_month_is_set_against_the_year_before(last, word):
    text = churn_finding(rates(last))
    assert "of customers left in February 2025" in text
    assert f"{word} in the 12 months before (5.0 % a month)" in text


def test_a_single_month_has_nothing_to_be_compared_with():
    assert churn_finding(rates(months=1)) == "5.0 % of customers left in January 2024 (4.0 to 6.0 %)"
    assert churn_finding(pd.DataFrame()).startswith("No month is fully observed yet")


def test_cards_hold_what_the_data_can_tell(curve):
    summary = survival_summary(curve)
    full = churn_cards(summary, rates(), forecast())
    assert [c.label for c in full] == [
        "Stay longer than 12 months",
        "Mean months stayed of the first 24",
        "Customer churn, February 2025",
        "Expected to leave within 2 months",
    ]
    assert (full[3].value, full[3].ci_lower, full[3].ci_upper, full[3].n) == (20, 15, 25, 100)
    lite = survival_summary(curve[curve.segment == "Lite"].assign(segment="All"))
    assert churn_cards(lite, rates(), forecast())[1].label == "Months until half have left"
    assert len(churn_cards(summary, pd.DataFrame(), NO_ROWS)) == 2


def test_medians_of_few_are_not_told():
    """Half are gone at month 9, to which two customers were followed."""
    curve = survival_curve(lives(a=[(1, True, 2), (3, False, 20), (9, True, 1), (10, False, 1)]))
    raw = survival_summary(curve)
    firm = firm_medians(raw, curve)
    assert raw.median_months.tolist() == [9, 9]
    assert firm.median_months.isna().all()
    table = summary_table(firm, curve)
    assert table.iloc[0, 3] == "not reached"
    assert table.iloc[0, 5] == "not known"
    assert table.iloc[0, 4].endswith(")")


def test_early_ages_that_nobody_saw_are_named():
    late = lives(Pro=PRO).assign(entry_months=2.0)
    curve = survival_curve(pd.concat([late[late.segment == "Pro"], lives(Lite=LITE)]))
    assert unobserved_ages(curve).startswith("For Pro, how long customers stay from their start cannot be told")
    assert unobserved_ages(survival_curve(lives(Lite=LITE))) == ""
    assert "not known" in summary_table(survival_summary(curve), curve).query("segment == 'Pro'").iloc[0, 3]


def test_months_that_no_two_segments_reach_are_not_compared(comparison):
    short = comparison.assign(rmst_difference_months=np.nan, ci_lower=np.nan, ci_upper=np.nan)
    assert pair_finding(short).startswith("No two segments have been observed for 24 months")
    near = comparison.assign(rmst_difference_months=0.1, ci_lower=-0.1, ci_upper=0.3)
    assert "do not leave at the same rate, but over 24 months none clearly stays longer" in pair_finding(near)
