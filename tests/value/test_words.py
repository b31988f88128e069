"""Sentences on customer value: what they say, and what they say where it cannot be known."""

import numpy as np
import pandas as pd
import pytest

from cslib.value.words import (
    backtest_finding,
    backtest_lines,
    base_finding,
    base_tail,
    bridge_finding,
    bridge_title,
    forms_side_by_side,
    forms_table,
    horizon_finding,
    newest_finding,
    payback_finding,
    residual_finding,
    tail_findings,
    value_answer,
    value_cards,
    value_subtitle,
    what_if_finding,
)

NAN = np.nan


def table(columns, *rows):
    return pd.DataFrame([dict(zip(columns.split(), row, strict=True)) for row in rows])


FORMS = table(
    "segment method horizon_months ltv ci_lower ci_upper share_in_tail n_customers",
    ("All", "Survival", 36, 4328.4, 4049.0, 4600.0, 0.02, 4000),
    ("All", "Survival", 12, 1275.0, 1197.0, 1351.0, 0.0, 4000),
    ("All", "Survival", 72, 7000.0, 6000.0, 8000.0, 0.35, 4000),
    ("All", "Survival, newest customers", 36, 5114.0, 4662.0, 5555.0, NAN, 4000),
    ("All", "Formula C (margin / churn)", NAN, 6031.0, 5597.0, 6438.0, NAN, 4000),
)
PAY = table(
    "segment cac payback_months ci_lower ci_upper ltv_to_cac ltv_to_cac_ci_lower ltv_to_cac_ci_upper",
    ("All", 658.7, 4.0, 4.0, 5.0, 7.57, 7.21, 7.92),
)
BASE = table(
    "segment horizon_months n_active mrr base_value ci_lower ci_upper share_in_tail",
    ("All", 36, 2193, 817_655.0, 19.1e6, 18.0e6, 20.2e6, 0.42),
)


def test_subtitle_says_what_is_off_and_what_is_not_known():
    terms = dict(source="subscriptions", gross_margin=0.8, annual_discount_rate=0.08)
    assert value_subtitle(4000, **terms, retention_cost=12.0, acquisition_cost=650.0) == (
        "4,000 customers · MRR from subscriptions · margin 80 % · discounted at 8 % a year · "
        "net of acquisition and retention cost"
    )
    gross = value_subtitle(1, **terms | {"annual_discount_rate": 0.0}, retention_cost=12.0, acquisition_cost=NAN)
    assert gross.endswith(
        "not discounted · net of retention cost · before acquisition cost, which these data do not tell"
    )


def test_answer():
    assert value_answer(FORMS, BASE, PAY, currency="USD") == (
        "**A new customer brings USD 4,328 over 36 months** (95 % interval 4,049 to 4,600, 4,000 customers). The 2,193 "
        "present customers bring USD 19.1 M over the next 36 months (18.0 M to 20.2 M). What it costs to win a customer "
        "is earned back after 4 months."
    )


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"ltv": NAN, "ci_lower": 90.0, "ci_upper": 120.0}, "**Nobody has left yet**, so over 36 months a new customer brings between 90 and 120"),
        ({"ltv": NAN, "ci_lower": NAN, "ci_upper": NAN}, "**What a new customer brings cannot be told**"),
        ({"ci_lower": NAN, "ci_upper": NAN, "n_customers": 1}, "(too few to say how sure that is, 1 customer)"),
        ({"ci_lower": NAN, "ci_upper": NAN}, "(how sure that is cannot be told, 4,000 customers)"),
    ],
)  # fmt: skip
def test_answer_where_little_is_known(known, words):
    assert words in value_answer(FORMS.assign(**known), BASE, PAY)


@pytest.mark.parametrize(
    ("months", "words"), [(np.inf, "is not earned back within 36 months."), (NAN, "over the next 36 months (18.0 M to 20.2 M).")]
)  # fmt: skip
def test_answer_without_payback(months, words):
    assert value_answer(FORMS, BASE, PAY.assign(payback_months=months)).endswith(words)


def test_cards():
    value, base, back, ratio = value_cards(FORMS, BASE, PAY, currency="USD")
    assert (value.value, value.ci_lower, value.n) == (4328, 4049, 4000)
    assert (base.value, base.n) == (19_100_000, 2193)
    assert (back.value, back.ci_upper, ratio.value) == (4, 5, 7.57)
    never = value_cards(FORMS, BASE, PAY.assign(payback_months=np.inf, ci_upper=np.inf))[2]
    assert (never.value, never.detail) == (None, "not within 36 months")
    unknown = value_cards(FORMS, BASE, PAY.assign(cac=NAN, payback_months=NAN, ltv_to_cac=NAN))[2]
    assert (unknown.value, unknown.detail) == (None, "no acquisition cost in these data")


def test_horizons_and_formulas():
    assert horizon_finding(FORMS) == "A new customer has brought 4,328 after 36 months, 1,275 after 12 months"
    assert horizon_finding(FORMS.assign(ltv=NAN)) == "What a new customer brings cannot be told"
    assert bridge_title(FORMS, currency="EUR") == (
        "Formula C makes a customer worth EUR 6,031, the survival form 4,328"
    )


def test_newest_customers_are_named_only_where_they_clearly_differ():
    assert newest_finding(FORMS, currency="USD") == (
        "Customers who started within the last year leave more slowly than earlier ones did at the same age. If new "
        "ones do so, too, each brings USD 5,114 (4,662 to 5,555) over 36 months, not 4,328."
    )
    assert newest_finding(FORMS.assign(ci_lower=4000.0)) == ""
    wide = FORMS.assign(ci_upper=FORMS["ci_upper"].where(FORMS["method"] != "Survival", 4700.0))
    assert newest_finding(wide) == ""
    assert newest_finding(FORMS.assign(ci_lower=NAN, ci_upper=NAN)) == ""
    assert newest_finding(FORMS[FORMS["method"] != "Survival, newest customers"]) == ""


def test_tail_is_said_to_be_a_model():
    observed = table("segment last_age_months still_here model", ("All", 72, 0.94, "Weibull"))
    assert tail_findings(FORMS, observed) == [
        "94 % of all customers stay longer than 72 months, the last age that enough of them were observed at. Of the value "
        "over 72 months, 35 % lies beyond it: there a model speaks (Weibull), not data. Over 36 months it is 2.0 %. What "
        "they bring over their whole life is nearly all beyond it."
    ]
    nobody = tail_findings(FORMS.assign(ltv=NAN, share_in_tail=NAN), observed)
    assert nobody[0].endswith("what lies beyond it cannot be told, as nobody left: each brings 6,000 to 8,000.")
    little = tail_findings(FORMS.assign(share_in_tail=0.001), observed.assign(still_here=1.0))
    assert "whole life" not in little[0]
    free = tail_findings(FORMS.assign(ltv=0.0, share_in_tail=NAN), observed)
    assert free[0].endswith("nothing lies beyond it.")
    assert tail_findings(FORMS, observed.assign(still_here=NAN)) == []


def test_bridge_names_the_largest_steps():
    steps = table(
        "segment step value difference",
        ("All", "formula C", 6031.0, NAN),
        ("All", "no longer than 36 months", 5139.0, -892.0),
        ("All", "churn by age", 5477.0, 338.0),
        ("All", "acquisition cost", 4328.0, -1149.0),
    )
    assert bridge_finding(steps, currency="USD", most=2) == (
        "From USD 6,031 by formula C to USD 4,328 by the survival form, mostly: −1,149 for acquisition cost; −892 as it "
        "counts no longer than 36 months."
    )
    assert bridge_finding(steps.iloc[:0]) == ""


def test_forms_stand_in_proportion_and_in_money():
    ratios = forms_side_by_side(FORMS)
    assert ratios["ratio"].round(3).tolist() == [1.0, 1.181, 1.393]
    assert ratios["clear"].tolist() == [False, True, True]
    assert forms_side_by_side(FORMS.assign(ltv=-1.0)).empty
    text = forms_table(FORMS, segments=["All"])
    assert text.iloc[2].tolist() == ["Formula C (margin / churn)", "6,031 (5,597 to 6,438)"]


def test_residual_value_differs_only_where_intervals_are_apart():
    rows = table(
        "segment age_months residual_value ci_lower ci_upper n_active",
        ("All", 0, 4987.0, 4695.0, 5267.0, 124),
        ("All", 12, 8362.0, 7500.0, 9200.0, 70),
    )
    assert residual_finding(rows) == "From month 12 on, a customer brings 8,362; a new one brings 4,987"
    assert residual_finding(rows.assign(ci_lower=1.0)).endswith("no clear difference")
    assert residual_finding(rows.iloc[:1]) == "A new customer brings 4,987, before what it cost to win"


def test_payback():
    assert payback_finding(PAY, horizon_months=36, currency="USD") == (
        "Winning a customer costs USD 659, which is earned back after 4 months; over 36 months a customer brings 7.6 "
        "times (7.2 to 7.9) as much."
    )
    free = PAY.assign(cac=0.0, payback_months=1.0, ltv_to_cac=NAN)
    assert payback_finding(free, horizon_months=36) == "Winning a customer costs 0: there is nothing to earn back."
    late = payback_finding(PAY.assign(payback_months=np.inf, ltv_to_cac=0.038), horizon_months=36)
    assert "of which 3.8 % comes back over 36 months" in late
    assert "values gross" in payback_finding(PAY.assign(cac=NAN), horizon_months=36)
    assert "not earned back" in payback_finding(PAY.assign(payback_months=np.inf), horizon_months=36)


def test_base():
    assert base_finding(BASE.assign(n_active=0)) == "Nobody is a customer today"
    assert "between 18.0 M and 20.2 M" in base_finding(BASE.assign(base_value=NAN))
    assert base_finding(BASE.assign(n_active=1)).startswith("The one present customer brings 19.1 M")
    assert base_tail(BASE).startswith("42 % of it is from ages")
    assert base_tail(BASE.assign(share_in_tail=NAN)) == ""


def test_what_if_goes_from_the_largest_gain_down():
    rows = table("segment change base_gain", ("All", "10 % less churn", 1e5), ("All", "5 % higher ARPA", 2e5))
    assert what_if_finding(rows, currency="USD") == (
        "Present customers would bring USD 200 k more with 5 % higher ARPA, USD 100 k more with 10 % less churn"
    )
    assert what_if_finding(rows.assign(base_gain=NAN)) == "What a change would add cannot be told"
    assert what_if_finding(rows.assign(base_gain=0.0)) == "None of the changes would add anything"


def test_backtest_counts_the_months_that_the_interval_held():
    columns = "segment month predicted ci_lower ci_upper actual measure"
    months = pd.to_datetime(["2025-05-31", "2025-06-30"])
    tested = table(
        columns,
        ("All", months[0], 900.0, 850.0, 950.0, 980.0, "active customers"),
        ("All", months[1], 869.0, 811.0, 928.0, 912.0, "active customers"),
    )
    assert backtest_finding(tested, measure="active customers") == (
        "Expected for 30 June 2025: 869 active customers, 4.7 % too few; the interval held what happened in 1 of 2 months"
    )
    assert "too much" in backtest_finding(tested.assign(measure="MRR", actual=800.0), measure="MRR")
    unknown = tested.assign(predicted=NAN, ci_lower=NAN, ci_upper=NAN)
    assert backtest_finding(unknown, measure="active customers").startswith("A year ago active customers could not be")
    lines = backtest_lines(tested, measure="active customers")
    assert lines["value"].tolist() == [900, 869, 980, 912]
