"""Sentences on customer value: what they say, and what they say where it cannot be known."""

import numpy as np
import pandas as pd
import pytest

from cslib.show.formats import literal
from cslib.value.ltv import Terms
from cslib.value.prices import UnitCosts
from cslib.value.words import Wording

say, usd, eur = Wording(36), Wording(36, "USD"), Wording(36, "EUR")
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


TOLD = "segment customers revenue allow_customers allow_revenue weighted each"
UNTESTED = table(TOLD, ("Pro", *[NAN] * 6)).head(0)
UNKNOWN = table("segment step difference", ("All", "MRR of today", NAN))
COSTS = UnitCosts(retention_per_month=12.0)
TERMS = Terms(costs=COSTS, gross_margin=0.8, annual_discount_rate=0.08)


TESTED = table(TOLD, ("All", -0.094, 0.01, 0.0937, NAN, -0.05, 1.01 / 0.95 - 1))
BY_PLAN = table(
    TOLD, ("All", -0.094, 0.01, NAN, NAN, -0.05, 1.01 / 0.95 - 1), ("Pro", 0.5, -0.056, NAN, NAN, NAN, NAN),
    ("Team", NAN, 0.12, NAN, 0.2, NAN, NAN),
)  # fmt: skip


def answer(forms=FORMS, base=BASE, pay=PAY, tested=TESTED, terms=TERMS, source="subscriptions", say=say, **more):
    return say.answer(forms, base, pay, tested, terms=terms, source=source, **more)


def test_the_card_of_a_sum_says_over_which_column():
    assert answer(added_by="plan").cards[1].detail == answer().cards[1].detail + ",\nadded up by plan"


def test_a_card_names_what_it_counts():
    assert [card.noun for card in answer().cards[:2]] == ["customer", "customer"]
    assert [card.noun for card in answer(unit="stay").cards[:2]] == ["stay", "customer"]


def test_subtitle_says_what_is_off_and_what_is_not_known():
    assert answer().subtitle == (
        "4,000 customers · MRR from subscriptions · margin 80 %, discounted at 8 % a year, "
        "net of acquisition and retention cost"
    )
    gross = answer(FORMS.assign(n_customers=1), pay=PAY.assign(cac=NAN), terms=Terms(costs=COSTS), source="orders")
    assert gross.subtitle == (
        "1 customer · revenue from orders · all revenue as margin, net of retention cost, "
        "before acquisition cost, which isn't in the data"
    )
    unknown = answer(pay=PAY.assign(cac=NAN), terms=Terms(costs=UnitCosts()), source="customers").subtitle
    assert "MRR from the customers table" in unknown
    assert unknown.endswith("all revenue as margin, before acquisition and retention cost, which isn't in the data")


def test_answer():
    assert answer(say=usd).text == (
        "**A new customer is worth USD 4,330 over 36 months** (95 % interval 4,050 to 4,600). **Today's 2,193 "
        "customers bring USD 19.1 M** over the next 36 months (18.0 to 20.2 M). Last year's "
        "forecast was 1.0 % too high on revenue, as two misses largely cancel: it expected too few customers and "
        "too much from each."
    )


def test_the_answer_tells_of_last_year_what_is_known():
    sure = TESTED.assign(allow_customers=NAN, each=NAN)
    assert answer(tested=sure.assign(revenue=NAN)).text.endswith("forecast was 9.4 % too low on customers.")
    right = answer(tested=sure.assign(customers=0.0, revenue=0.0)).text
    assert right.endswith("forecast was right on customers and right on revenue.")
    nothing = answer(tested=TESTED.assign(revenue=np.inf, allow_revenue=np.inf, each=NAN)).text
    assert nothing.endswith("customers and far too high on revenue; the intervals do not allow for that.")
    narrow = "The interval was too narrow: "
    assert say.allowance(TESTED, of="customers") == (f"{narrow}allow for about ±9 %.",)
    assert say.allowance(TESTED.assign(allow_revenue=np.inf), of="revenue") == (
        f"{narrow}in some months the forecast was off by more than the amount itself.",
    )
    assert say.allowance(TESTED, of="revenue") == say.allowance(sure, of="customers") == ()
    less = answer(tested=TESTED.assign(customers=0.1, revenue=0.0, weighted=0.1, each=-0.091)).text
    assert less.endswith(
        "right on revenue, as two misses largely cancel: it expected too many customers and too little from each."
    )
    assert answer(tested=BY_PLAN).text.endswith("it expected too few customers and too much from each.")
    assert say.by_segment(BY_PLAN) == (
        "By segment: Pro 50 % too high on customers and 5.6 % too low on revenue; Team 12 % too high on revenue.",
    )
    assert say.by_segment(TESTED) == say.by_segment(BY_PLAN.head(2)) == ()
    assert say.by_segment(BY_PLAN.assign(customers=NAN, revenue=[0.1, NAN, 0.12])) == (
        "By segment: Team 12 % too high on revenue.",
    )
    marked = say.by_segment(BY_PLAN.replace({"segment": {"Pro": "**Pro**"}}))
    assert marked[0].startswith(f"By segment: {literal('**Pro**')} 50 %")
    cheap = answer(tested=TESTED.assign(weighted=-0.01, each=1.01 / 0.99 - 1)).text
    assert cheap.endswith(
        "was 1.0 % too high on revenue and 9.4 % too low on customers, mostly on those who pay little."
    )
    assert answer(tested=TESTED.iloc[:0]).text.endswith("(18.0 to 20.2 M).")


def test_the_answer_names_the_spread_of_segments():
    parts = [
        FORMS.iloc[[0]].assign(segment=s, ltv=v) for s, v in (("Team", 9000.0), ("Pro", 1251.0), ("Big", 21_437.0))
    ]
    every = pd.concat([FORMS, *parts], ignore_index=True)
    assert "(95 % interval 4,050 to 4,600), from 1,250 (Pro) to 21,400 (Big). **Today's 2,193" in answer(every).text
    assert ", from" not in answer(pd.concat([FORMS, parts[0]], ignore_index=True)).text
    alike = pd.concat([FORMS, parts[0], parts[0].assign(segment="Pro", ltv=9001.0)], ignore_index=True)
    assert ", from" not in answer(alike).text, "both are written 9,000"
    above = pd.concat([FORMS, parts[0], parts[2]], ignore_index=True)
    assert ", from" not in answer(above).text, "all are worth 4,330, which is below both"
    written = pd.concat([FORMS, parts[1], parts[0].assign(ltv=4325.1)], ignore_index=True)
    assert ", from 1,250 (Pro) to 4,330 (Team)" in answer(written).text, "as is the value of all, of 4,328.4"
    named = every.replace({"segment": {"Pro": "**y**"}})
    assert f", from 1,250 ({literal('**y**')}) to 21,400 (Big)" in answer(named).text


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"ltv": NAN, "ci_lower": 90.0, "ci_upper": 120.0}, "**Nobody has left yet**, so a new customer is worth between 90 and 120 over 36 months."),
        ({"ltv": NAN, "ci_lower": NAN, "ci_upper": NAN}, "**What a new customer is worth cannot be told**"),
        ({"ci_lower": NAN, "ci_upper": NAN, "n_customers": 1}, "(too few customers to say how sure that is)"),
        ({"ci_lower": NAN, "ci_upper": NAN}, "(how sure that is is not known)"),
    ],
)  # fmt: skip
def test_answer_where_little_is_known(known, words):
    assert words in answer(FORMS.assign(**known)).text


@pytest.mark.parametrize(
    ("months", "words"), [(np.inf, "Acquisition cost is not recovered within 36 months. **Today's 2,193"), (NAN, "4,600). **Today's 2,193")]
)  # fmt: skip
def test_answer_without_payback(months, words):
    assert words in answer(pay=PAY.assign(payback_months=months)).text


def test_cards():
    value, base, back, ratio = answer(say=usd).cards
    assert (value.value, value.ci_lower, value.n) == (4328.4, 4049, 4000)
    assert (base.value, base.n) == (19_100_000, 2193)
    assert (back.value, back.ci_upper, ratio.value) == (4, 5, 7.57)
    assert ratio.detail == "before acquisition cost:\nUSD 4,990 / 659"
    assert back.detail == "to earn back USD 659"
    never = answer(pay=PAY.assign(payback_months=np.inf, ci_upper=np.inf)).cards[2]
    assert (never.value, never.detail) == (None, "not within 36 months")
    unknown = answer(pay=PAY.assign(cac=NAN, payback_months=NAN, ltv_to_cac=NAN)).cards[2]
    assert (unknown.value, unknown.detail) == (None, "acquisition cost isn't in the data")
    little = answer(FORMS.assign(ltv=23.456, ci_lower=NAN, ci_upper=np.inf)).cards[0]
    assert (little.value, little.ci_lower, little.ci_upper) == (23.456, None, np.inf)


def test_the_chart_says_when_the_cost_is_recovered():
    assert eur.ltv(FORMS, PAY) == (
        "A new customer recovers the acquisition cost in 4 months and is worth EUR 4,330 after 36 months"
    )
    assert say.ltv(FORMS, PAY.assign(cac=NAN)) == "A new customer is worth 4,330 after 36 months"
    assert say.ltv(FORMS, PAY.assign(payback_months=np.inf)) == (
        "A new customer is worth 4,330 after 36 months: the acquisition cost of 659 is not recovered by then"
    )
    unknown = FORMS.assign(ltv=NAN)
    assert say.ltv(unknown, PAY) == "Nobody has left yet: a new customer is worth 4,050 to 4,600 after 36 months"
    assert say.ltv(unknown.assign(ci_lower=NAN), PAY) == "What a new customer is worth cannot be told"


def test_the_simple_formula_is_said_to_be_off():
    assert eur.forms(FORMS) == "The simple formula (C) overstates value by 39 %: EUR 6,030 against 4,330."
    less = FORMS.assign(ltv=FORMS["ltv"].where(FORMS["method"] == "Survival", 3000.0))
    assert "understates value by 31 %" in say.forms(less)
    far = FORMS.assign(
        ltv=FORMS["ltv"].where(FORMS["method"] == "Survival", 9000.0).mask(FORMS["method"] == "Survival", 2000.0)
    )
    assert "makes value 4.5 times as high: 9,000 against 2,000" in say.forms(far)
    assert "comes to the same: 500 against 500" in say.forms(FORMS.assign(ltv=500.0))
    assert say.forms(FORMS.assign(ltv=NAN)) == ""


OBSERVED = table(
    "segment last_age_months still_here model longest_months life_beyond newest_differ",
    ("All", 72, 0.94, "Weibull", 72, True, False),
)


def test_newest_customers_are_named_only_where_they_clearly_differ():
    differ = OBSERVED.assign(newest_differ=True)
    newest, *tails = usd.reliance(FORMS, differ)
    assert newest == (
        "Customers who joined in the last year leave more slowly than earlier ones did at the same age. If new ones do so "
        "too, each is worth USD 5,110 (4,660 to 5,560) over 36 months, not 4,330."
    )
    assert tuple(tails) == say.reliance(FORMS, OBSERVED)
    less = FORMS.assign(ltv=FORMS["ltv"].where(FORMS["method"] != "Survival, newest customers", 3000.0))
    assert " leave faster than " in say.reliance(less, differ)[0]
    assert say.reliance(FORMS.assign(ltv=NAN), differ) == say.reliance(FORMS.assign(ltv=NAN), OBSERVED)


def test_what_is_extrapolated_is_said():
    stay = "We can follow enough customers for 72 months: 94 % of them stay longer."
    assert say.reliance(FORMS, OBSERVED) == (
        f"{stay} Of the value over 36 months, 2.0 % comes after that and is extrapolated.",
    )
    seen = FORMS.assign(share_in_tail=0.0)
    recent = say.reliance(seen, OBSERVED, recent=True)[0]
    assert "months: at the pace of the last 12 months " in recent
    assert say.reliance(seen, OBSERVED) == (f"{stay} All of the value over 36 months is observed.",)
    nobody = FORMS.assign(ltv=NAN, share_in_tail=NAN)
    assert say.reliance(nobody, OBSERVED) == (
        "After 72 months nothing is observed and nobody has left: over 36 months a customer is worth 4,050 to 4,600.",
    )
    assert say.reliance(FORMS, OBSERVED.assign(still_here=NAN)) == ()


def test_segments_are_named_where_a_tenth_is_extrapolated():
    parts = [FORMS.iloc[[0]].assign(segment=s, share_in_tail=v) for s, v in (("Big", 0.31), ("Pro", 0.05))]
    seen = pd.concat([OBSERVED, OBSERVED.assign(segment="Big"), OBSERVED.assign(segment="Pro")], ignore_index=True)
    said = say.reliance(pd.concat([FORMS, *parts], ignore_index=True), seen)
    assert said[1:] == ("Extrapolated: 31 % of the value of Big.",)
    (marked,) = say.reliance(pd.concat([FORMS, parts[0].assign(segment="**y**")]), seen.replace("Big", "**y**"))[1:]
    assert marked.endswith(f"of the value of {literal('**y**')}.")


def test_bridge_names_the_largest_steps():
    steps = table(
        "segment step value difference rank",
        ("All", "formula C", 6031.0, NAN, NAN),
        ("All", "no longer than 36 months", 5139.0, -892.0, 2),
        ("All", "churn by age", 5477.0, 338.0, 3),
        ("All", "acquisition cost", 4328.0, -1149.0, 1),
    )
    assert say.bridge(steps, most=2) == (
        "What makes the difference to the simple formula: −1,150 for acquisition cost; −892 because it counts no longer "
        "than 36 months."
    )
    assert say.bridge(steps.iloc[:0]) == ""
    assert say.bridge_table(steps).iloc[2].tolist() == ["churn by age", "5,480", "+338"]
    again = say.bridge_table(steps.replace({"step": {"churn by age": "later lives"}}))
    assert again.iloc[2].tolist() == ["customers who come back", "5,480", "+338"]


def test_forms_in_money():
    text = say.forms_table(FORMS.query("horizon_months not in (12, 72)"))
    assert text.iloc[2].tolist() == ["Formula C (margin / churn)", "6,030", "5,600 to 6,440"]


def test_residual_value_differs_only_where_intervals_are_apart():
    rows = table(
        "segment age_months residual_value ci_lower ci_upper n_active differs",
        ("All", 0, 4987.0, 4695.0, 5267.0, 124, False),
        ("All", 12, 8362.0, 7500.0, 9200.0, 70, True),
    )
    assert say.by_age(rows) == (
        "A customer who has stayed 12 months brings 8,360 over the next 36 months, a new one 4,990"
    )
    assert say.by_age(rows.assign(differs=False)).endswith("no clear difference")
    same = rows.assign(differs=False, residual_value=[29_904.0, 29_921.0])
    assert usd.by_age(same) == (
        "A customer who has stayed 12 months brings USD 29.9 k over the next 36 months, the same as a new one"
    )
    assert " 11,400 over " in say.by_age(rows.assign(residual_value=[7760.0, 11_412.0]))
    assert say.by_age(rows.iloc[1:]) == "What customers bring from an age on"
    assert say.by_age(rows.iloc[:1]) == "A new customer brings 4,990, before acquisition cost"


def test_payback():
    assert usd.payback(PAY) == (
        "In 36 months a customer brings USD 4,990, 7.6 times the USD 659 spent to win them (7.2 to 7.9)."
    )
    free = PAY.assign(cac=0.0, payback_months=1.0, ltv_to_cac=NAN)
    assert say.payback(free) == "Acquisition costs nothing, so there is nothing to recover."
    late = PAY.assign(payback_months=np.inf, ltv_to_cac=0.038)
    assert say.payback(late).endswith(": only 3.8 % of it is recovered within 36 months.")
    assert say.payback_table(late, FORMS, segments=["All"])["Recovered in"].tolist() == ["not recovered"]
    assert say.payback(PAY.assign(cac=NAN)).startswith(
        "What it costs to win a customer is not known, so nor is payback"
    )
    (shown,) = say.payback_table(PAY, FORMS, segments=["All"]).to_numpy().tolist()
    assert shown == ["All", "4,330", "4,050 to 4,600", "659", "4 months (4 to 5)", "7.6 ×", "7.2 to 7.9"]
    for ends, told in (((4.0, 4.0), ""), ((3.0, np.inf), " (3 or more)"), ((NAN, NAN), "")):
        row = PAY.assign(ci_lower=ends[0], ci_upper=ends[1])
        assert say.payback_table(row, FORMS, segments=["All"])["Recovered in"].tolist() == [f"4 months{told}"]


def test_a_late_payback_is_said_to_come_of_low_first_prices():
    slow = table("segment first arpa", ("All", 263.7, 372.8), ("Starter", 63.5, 90.8))
    late = "Acquisition cost is recovered later than today's ARPA suggests, because new customers pay less at first than those of today do"
    assert usd.slow_starts(slow, segments=["All", "Starter"]) == (
        f"{late}: USD 264 a month against 373 (All) and 64 against 91 (Starter).",
    )
    marked = usd.slow_starts(slow.replace("Starter", "**y**"), segments=["All", "**y**"])
    assert marked[0].endswith(f"91 ({literal('**y**')}).")
    assert usd.slow_starts(slow.head(1), segments=["All"]) == (f"{late}: USD 264 a month against 373.",)
    assert usd.slow_starts(slow.tail(1), segments=["All", "Team"]) == ()


STEPS = table(
    "segment step difference by_leaving",
    ("All", "MRR of today", 29.44e6, False), ("All", "who leaves", -12.3e6, False), ("All", "what they pay", 2.6e6, False),
    ("All", "who comes back", 0.2, False), ("All", "gross margin", 0.0, False),
    ("All", "retention cost", -640_000.0, False), ("All", "discount", 0.0, False), ("Pro", "MRR of today", 1.0, False),
)  # fmt: skip


def test_the_value_of_present_customers_is_led_to():
    assert usd.steps_table(BASE, STEPS).to_numpy().tolist() == [
        ["USD 818 k a month × 36 months", "29.4 M"], ["Customers leave", "−12.3 M"],
        ["MRR per remaining customer rises", "+2.6 M"], ["Retention cost", "−640 k"], ["Value of today's customers", "19.1 M"],
    ]  # fmt: skip
    less = STEPS.assign(difference=STEPS["difference"].where(STEPS["step"] != "what they pay", -5.0))
    assert say.steps_table(BASE, less).iloc[2].tolist() == ["MRR per remaining customer falls", "−5"]
    left = {"by_leaving": STEPS["step"] == "what they pay"}
    assert say.steps_table(BASE, STEPS.assign(**left))["Step"].iloc[2].endswith("rises (those who leave pay less)")
    assert say.steps_table(BASE, less.assign(**left))["Step"].iloc[2].endswith("falls (those who leave pay more)")
    assert say.steps_table(BASE, UNKNOWN).empty


def test_two_misses_are_told_like_for_like():
    """All cheap customers missed: by what they pay 5 % are missing, and 1.01 / 0.95 is what each was to pay more."""
    paid = "It expected customers of the same plan to pay 6.3 % more than they did."
    assert say.in_steps(TESTED, by="plan") == (
        f"Weighted by what they pay, the forecast was only 5.0 % too low on customers, as those it missed pay less than others. {paid}",
    )
    dear, other = (say.in_steps(TESTED.assign(weighted=w), by="plan")[0] for w in (-0.12, 0.02))
    assert "was 12 % too low on customers, as those it missed pay more than others. It" in dear
    assert "was 2.0 % too high on customers. It" in other
    assert say.in_steps(TESTED.assign(each=NAN), by="plan") == ()
    assert say.rise(0.063, by="plan") == (
        "Take the rise of MRR per customer with care: last year's forecast expected customers of the same plan to pay 6.3 % more than they did."
    )


def test_whether_the_interval_of_money_allows_for_last_year_s_miss_is_told():
    """A tenth of 19.1 M is 1.9 M either way; a hundredth lies within the interval of 18.0 to 20.2 M."""
    missed = TESTED.assign(allow_revenue=0.1)
    why = "Last year's forecast missed revenue by more than its interval said"
    assert usd.base(BASE, missed)[2] == f"{why}: to allow for as much, count on USD 17.2 to 21.0 M."
    assert answer(tested=missed).text.endswith("; the intervals do not allow for that.")
    within = TESTED.assign(allow_revenue=0.01)
    assert len(say.base(BASE, within)) == len(say.base(BASE, UNTESTED)) == 2
    assert "do not allow" not in answer(tested=within).text
    far = say.base(BASE, TESTED.assign(allow_revenue=np.inf))[2]
    assert far == f"{why}, and in some months by more than the amount itself."
    assert say.base(BASE, TESTED)[2] == (
        "Last year's forecast missed customers by more than its interval said, but revenue mostly lay within it, so the "
        "interval of the value is not widened."
    )
    assert say.base(BASE, BY_PLAN.assign(allow_customers=0.1))[2].endswith(
        " Of single segments it was off by up to 12 %."
    )
    assert len(say.base(BASE, TESTED.assign(revenue=NAN))) == 2


def test_base():
    assert say.base(BASE.assign(n_active=0), UNTESTED)[0] == "Nobody is a customer today."
    assert "between 18.0 M and 20.2 M" in say.base(BASE.assign(base_value=NAN), UNTESTED)[0]
    assert say.base(BASE.assign(n_active=1), UNTESTED)[0].startswith("The one customer of today pays 818 k a month")
    assert usd.base(BASE, UNTESTED)[0] == (
        "Today's 2,193 customers pay USD 818 k a month and bring USD 19.1 M over the next 36 months (18.0 to 20.2 M)."
    )
    assert say.base(BASE.assign(mrr=NAN), UNTESTED)[0].startswith("Today's 2,193 customers bring 19.1 M")
    assert say.base(BASE, UNTESTED)[1] == (
        "42 % of it comes from ages that few customers have reached so far, and is extrapolated."
    )
    (shown,) = say.base_table(BASE, segments=["All"]).to_numpy().tolist()
    assert shown == ["All", "2,193", "818 k", "19.1 M", "18.0 to 20.2 M", "42 %"]
    assert len(say.base(BASE.assign(share_in_tail=NAN), UNTESTED)) == 1


def test_changes_are_told_by_their_range_and_not_ranked():
    rows = table("segment change base_gain", ("All", "10 % less churn", 1e5), ("All", "5 % higher ARPA", 2e5))
    rows["ltv_gain"] = NAN
    what = "to what today's customers bring over 36 months."
    assert usd.what_if(rows) == f"Each change below would add USD 100 to 200 k {what}"
    assert usd.what_if(rows.assign(base_gain=2e5)) == f"Each change below would add USD 200 k {what}"
    assert usd.what_if(rows.assign(base_gain=[NAN, 2e5])) == f"The change below would add USD 200 k {what}"
    assert say.what_if(rows.assign(base_gain=NAN)) == "What a change would add cannot be told."
    assert say.what_if(rows.assign(base_gain=0.0)) == "No change would add anything."
    new = rows.assign(base_gain=0.0, ltv_gain=[7.73, 16.2])
    what = "ach change below would add USD 7.73 to 16.20 to what a new customer brings over 36 months."
    assert usd.what_if(new, here=False) == f"Nobody is a customer today; e{what}"
    nothing = "None of the changes would add anything to what today's customers bring"
    assert usd.what_if(new) == f"{nothing}; e{what}"
    unknown = "What a change would add to what today's customers bring cannot be told"
    assert usd.what_if(new.assign(base_gain=NAN)) == f"{unknown}; e{what}"


def test_segments_that_need_not_add_up_to_all_are_said_not_to():
    assert say.apart("plan", "plan") == say.apart("plan", "") == say.apart("", "") == ()
    assert say.apart("plan", "region") == (
        "All customers are added up by plan, and so are those of each region, so the rows need not add up to all.",
    )
    assert say.apart("", "region")[0].startswith("All customers are taken as one group, so")


ENDS = "base_gain_ci_lower base_gain_ci_upper ltv_gain_ci_lower ltv_gain_ci_upper"
CHANGED = table(
    f"segment change ltv ltv_gain base_gain {ENDS}",
    ("All", "5 % higher ARPA", 4328.0, 216.4, 955_000.0, 9e5, 1e6, 202.0, 230.0),
    ("All", "Half the involuntary churn", 4328.0, NAN, NAN, NAN, NAN, NAN, NAN),
)


def test_each_change_is_a_column_with_intervals_in_one_scale():
    shown = say.gains(CHANGED, segments=["All"])
    assert list(shown) == ["Added to", "Segment", "Prices up by 5 %"]
    assert shown.to_numpy().tolist() == [
        ["Today's customers", "All", "+955 k (900 to 1,000 k)"], ["New customer", "All", "+216 (202 to 230)"],
    ]  # fmt: skip
    few = CHANGED.iloc[[0]].assign(
        segment="Pro", base_gain=1_295_285.0, base_gain_ci_lower=1_003_214.0, base_gain_ci_upper=1.6e6
    )
    mixed = say.gains(pd.concat([few, CHANGED]), segments=["All", "Pro"])
    assert mixed["Segment"].tolist() == ["All", "Pro"] * 2
    assert mixed["Prices up by 5 %"].tolist()[:2] == ["+955 k (900 to 1,000 k)", "+1,295 k (1,003 to 1,600 k)"]
    unknown = {"ltv_gain": NAN, "ltv_gain_ci_lower": NAN, "ltv_gain_ci_upper": NAN}
    both = pd.concat([CHANGED, CHANGED.iloc[[0]].assign(change="10 % less churn", base_gain=9e4, **unknown)])
    shown = say.gains(both, segments=["All", "Pro"])
    assert list(shown)[2:] == ["Churn down by 10 %", "Prices up by 5 %"]
    assert shown["Segment"].tolist() == ["All", "All"]
    assert shown.iloc[1, 2] == "not known"
    assert say.gains(CHANGED.iloc[1:], segments=["All"]).empty
    single = CHANGED.iloc[[0]].assign(ltv_gain=87.02, ltv_gain_ci_lower=9.5, ltv_gain_ci_upper=98.08)
    assert say.gains(single, segments=["All"]).iloc[1, 2] == "+87 (9.50 to 98)"
    unsure = CHANGED.iloc[[0]].assign(base_gain=-2e3, base_gain_ci_lower=NAN, **unknown)
    assert say.gains(unsure, segments=["All"])["Prices up by 5 %"].tolist() == ["−2,000", "not known"]


def test_no_segment_vanishes_from_what_changes_would_add():
    """Of Pro nobody has left, so that only the interval of what its customers bring is known."""
    pro = CHANGED.iloc[[0]].assign(segment="Pro", base_gain=NAN, base_gain_ci_lower=45e3, base_gain_ci_upper=46e3)
    shown = say.gains(pd.concat([CHANGED, pro]), segments=["All", "Pro"])
    assert shown["Segment"].tolist() == ["All", "Pro"] * 2
    assert shown["Prices up by 5 %"].tolist()[:2] == ["+955 k (900 to 1,000 k)", "not known (45.0 to 46.0 k)"]


def test_changes_that_add_nothing_are_no_table():
    nothing = dict.fromkeys(("ltv_gain", "base_gain", *ENDS.split()), 0.0)
    assert say.gains(CHANGED.assign(**nothing), segments=["All"]).empty
    assert len(say.gains(CHANGED.assign(**nothing | {"ltv_gain": 16.0}), segments=["All"])) == 2


def test_backtest_counts_the_months_that_the_interval_held():
    columns = "segment month predicted ci_lower ci_upper actual measure months_ahead error held n_held"
    months = pd.to_datetime(["2025-05-31", "2025-06-30"])
    tested = table(
        columns,
        ("All", months[0], 900.0, 850.0, 950.0, 980.0, "active customers", 1, 900 / 980 - 1, False, 0),
        ("All", months[1], 869.0, 811.0, 928.0, 912.0, "active customers", 2, 869 / 912 - 1, True, 1),
    )
    assert say.backtest(tested, measure="active customers") == (
        "Of the customers of a year ago, 912 were still here on 30 June 2025; the forecast said 869, 4.7 % too few"
    )
    assert usd.backtest(tested.assign(measure="MRR", error=0.086), measure="MRR") == (
        "The customers of a year ago brought USD 912 of MRR on 30 June 2025; the forecast said 869, 8.6 % too much"
    )
    one = tested.head(1).assign(actual=1.0, predicted=1.0, error=0.0, held=True, n_held=1)
    assert say.backtest(one, measure="active customers") == (
        "Of the customers of a year ago, 1 was still here on 31 May 2025; the forecast said 1"
    )
    bought = say.backtest(tested.assign(measure="revenue", error=NAN), measure="revenue")
    assert "912 of revenue in the month to 30 June 2025; the forecast said 869" in bought
    refunded = say.backtest(tested.assign(measure="revenue", actual=3.5, error=np.inf), measure="revenue")
    assert "brought 3.50 of revenue in the month to 30 June 2025; the forecast said 869" in refunded
    plotted = "Customers of a year ago: the forecast from what was known then, and what happened. Band: 95 % interval"
    assert (
        say.plotted(tested, measure="active customers") == f"{plotted}; what happened lies inside it in 1 of 2 months."
    )
    assert say.plotted(one, measure="active customers") == f"{plotted}; what happened lies inside it in 1 of 1 month."
    unknown = tested.assign(predicted=NAN, ci_lower=NAN, ci_upper=NAN)
    assert say.backtest(unknown, measure="active customers").startswith("A year ago active customers could not be")
    assert say.plotted(unknown, measure="active customers") == f"{plotted}."
