"""Sentences on customer value: what they say, and what they say where it cannot be known."""

import numpy as np
import pandas as pd
import pytest

from cslib.value.ltv import Terms
from cslib.value.prices import UnitCosts
from cslib.value.words import (
    backtest_finding,
    base_findings,
    bridge_finding,
    bridge_title,
    forms_table,
    horizon_finding,
    payback_finding,
    reliance,
    residual_finding,
    value_answer,
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
    "segment cac payback_months ci_lower ci_upper ltv_to_cac ltv_to_cac_ci_lower ltv_to_cac_ci_upper ltv_before_cac",
    ("All", 658.7, 4.0, 4.0, 5.0, 7.57, 7.21, 7.92, 4987.1),
)
BASE = table(
    "segment horizon_months n_active mrr base_value ci_lower ci_upper share_in_tail",
    ("All", 36, 2193, 817_655.0, 19.1e6, 18.0e6, 20.2e6, 0.42),
)


COSTS = UnitCosts(retention_per_month=12.0)
TERMS = Terms(costs=COSTS, gross_margin=0.8, annual_discount_rate=0.08)


def answer(forms=FORMS, base=BASE, pay=PAY, terms=TERMS, source="subscriptions", **more):
    return value_answer(forms, base, pay, terms=terms, source=source, **more)


def test_subtitle_says_what_is_off_and_what_is_not_known():
    assert answer().subtitle == (
        "4,000 customers · MRR from subscriptions · margin 80 % · discounted at 8 % a year · "
        "net of acquisition and retention cost"
    )
    gross = answer(FORMS.assign(n_customers=1), pay=PAY.assign(cac=NAN), terms=Terms(costs=COSTS), source="orders")
    assert gross.subtitle == (
        "1 customer · revenue from orders · margin 100 % · not discounted · net of retention cost · "
        "before acquisition cost, which these data do not tell"
    )
    unknown = answer(pay=PAY.assign(cac=NAN), terms=Terms(costs=UnitCosts()), source="customers").subtitle
    assert "MRR from the customers table" in unknown
    assert unknown.endswith("not discounted · before acquisition and retention cost, which these data do not tell")


def test_answer():
    assert answer(currency="USD").text == (
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
    assert words in answer(FORMS.assign(**known)).text


@pytest.mark.parametrize(
    ("months", "words"), [(np.inf, "is not earned back within 36 months."), (NAN, "over the next 36 months (18.0 M to 20.2 M).")]
)  # fmt: skip
def test_answer_without_payback(months, words):
    assert answer(pay=PAY.assign(payback_months=months)).text.endswith(words)


def test_cards():
    value, base, back, ratio = answer(currency="USD").cards
    assert (value.value, value.ci_lower, value.n) == (4328.4, 4049, 4000)
    assert (base.value, base.n) == (19_100_000, 2193)
    assert (back.value, back.ci_upper, ratio.value) == (4, 5, 7.57)
    never = answer(pay=PAY.assign(payback_months=np.inf, ci_upper=np.inf)).cards[2]
    assert (never.value, never.detail) == (None, "not within 36 months")
    unknown = answer(pay=PAY.assign(cac=NAN, payback_months=NAN, ltv_to_cac=NAN)).cards[2]
    assert (unknown.value, unknown.detail) == (None, "no acquisition cost in these data")
    little = answer(FORMS.assign(ltv=23.456, ci_lower=NAN, ci_upper=np.inf)).cards[0]
    assert (little.value, little.ci_lower, little.ci_upper) == (23.456, None, np.inf)


def test_horizons_and_formulas():
    assert horizon_finding(FORMS) == "A new customer has brought 4,328 after 36 months, 1,275 after 12 months"
    assert horizon_finding(FORMS.assign(ltv=NAN)) == "What a new customer brings cannot be told"
    assert bridge_title(FORMS, currency="EUR") == (
        "Formula C makes a customer worth EUR 6,031, the survival form 4,328"
    )


OBSERVED = table(
    "segment last_age_months still_here model longest_months life_beyond newest_differ",
    ("All", 72, 0.94, "Weibull", 72, True, False),
)


def test_newest_customers_are_named_only_where_they_clearly_differ():
    differ = OBSERVED.assign(newest_differ=True)
    newest, *tails = reliance(FORMS, differ, currency="USD")
    assert newest == (
        "Customers who started within the last year leave more slowly than earlier ones did at the same age. If new "
        "ones do so, too, each brings USD 5,114 (4,662 to 5,555) over 36 months, not 4,328."
    )
    assert tuple(tails) == reliance(FORMS, OBSERVED)
    less = FORMS.assign(ltv=FORMS["ltv"].where(FORMS["method"] != "Survival, newest customers", 3000.0))
    assert " leave faster than " in reliance(less, differ)[0]
    assert reliance(FORMS.assign(ltv=NAN), differ) == reliance(FORMS.assign(ltv=NAN), OBSERVED)


def test_tail_is_said_to_be_a_model():
    assert reliance(FORMS, OBSERVED) == (
        "94 % of all customers stay longer than 72 months, the last age that enough of them were observed at. Of the value "
        "over 72 months, 35 % lies beyond it: foretold (Weibull), not observed. Over 36 months it is 2.0 %. What "
        "they bring over their whole life is nearly all beyond it.",
    )
    nobody = reliance(FORMS.assign(ltv=NAN, share_in_tail=NAN), OBSERVED)
    assert nobody[0].endswith("what lies beyond it cannot be told, as nobody left: each brings 6,000 to 8,000.")
    assert "whole life" not in reliance(FORMS, OBSERVED.assign(life_beyond=False))[0]
    free = reliance(FORMS.assign(ltv=0.0, share_in_tail=NAN), OBSERVED)
    assert free[0].endswith("nothing lies beyond it.")
    assert reliance(FORMS, OBSERVED.assign(still_here=NAN)) == ()


def test_bridge_names_the_largest_steps():
    steps = table(
        "segment step value difference rank",
        ("All", "formula C", 6031.0, NAN, NAN),
        ("All", "no longer than 36 months", 5139.0, -892.0, 2),
        ("All", "churn by age", 5477.0, 338.0, 3),
        ("All", "acquisition cost", 4328.0, -1149.0, 1),
    )
    assert bridge_finding(steps, currency="USD", most=2) == (
        "From USD 6,031 by formula C to USD 4,328 by the survival form, mostly: −1,149 for acquisition cost; −892 as it "
        "counts no longer than 36 months."
    )
    assert bridge_finding(steps.iloc[:0]) == ""


def test_forms_in_money():
    text = forms_table(FORMS.query("horizon_months not in (12, 72)"), segments=["All"])
    assert text.iloc[2].tolist() == ["Formula C (margin / churn)", "6,031 (5,597 to 6,438)"]


def test_residual_value_differs_only_where_intervals_are_apart():
    rows = table(
        "segment age_months residual_value ci_lower ci_upper n_active differs",
        ("All", 0, 4987.0, 4695.0, 5267.0, 124, False),
        ("All", 12, 8362.0, 7500.0, 9200.0, 70, True),
    )
    assert residual_finding(rows) == "From month 12 on, a customer brings 8,362; a new one brings 4,987"
    assert residual_finding(rows.assign(differs=False)).endswith("no clear difference")
    assert residual_finding(rows.iloc[1:]) == "What customers bring from an age on"
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
    assert base_findings(BASE.assign(n_active=0))[0] == "Nobody is a customer today."
    assert "between 18.0 M and 20.2 M" in base_findings(BASE.assign(base_value=NAN))[0]
    assert base_findings(BASE.assign(n_active=1))[0].startswith("The one present customer brings 19.1 M")
    assert base_findings(BASE)[1].startswith("42 % of it is from ages")
    assert len(base_findings(BASE.assign(share_in_tail=NAN))) == 1


def test_what_if_goes_from_the_largest_gain_down():
    changes = [("All", "10 % less churn", 1e5, 2), ("All", "5 % higher ARPA", 2e5, 1)]
    rows = table("segment change base_gain rank", *changes)
    assert what_if_finding(rows, currency="USD") == (
        "Present customers would bring USD 200 k more with 5 % higher ARPA, USD 100 k more with 10 % less churn"
    )
    assert what_if_finding(rows.assign(base_gain=NAN, rank=NAN)) == "What a change would add cannot be told"
    assert what_if_finding(rows.assign(base_gain=0.0)) == "None of the changes would add anything"


def test_backtest_counts_the_months_that_the_interval_held():
    columns = "segment month predicted ci_lower ci_upper actual measure months_ahead error held n_held"
    months = pd.to_datetime(["2025-05-31", "2025-06-30"])
    tested = table(
        columns,
        ("All", months[0], 900.0, 850.0, 950.0, 980.0, "active customers", 1, 900 / 980 - 1, False, 0),
        ("All", months[1], 869.0, 811.0, 928.0, 912.0, "active customers", 2, 869 / 912 - 1, True, 1),
    )
    assert backtest_finding(tested, measure="active customers") == (
        "Expected for 30 June 2025: 869 active customers, 4.7 % too few; the interval held what happened in 1 of 2 months"
    )
    assert "8.6 % too much" in backtest_finding(tested.assign(measure="MRR", error=0.086), measure="MRR")
    assert "MRR; the interval" in backtest_finding(tested.assign(measure="MRR", error=NAN), measure="MRR")
    unknown = tested.assign(predicted=NAN, ci_lower=NAN, ci_upper=NAN)
    assert backtest_finding(unknown, measure="active customers").startswith("A year ago active customers could not be")
