"""Words about whom to call first: true for whatever list there is."""

import numpy as np
import pandas as pd
from churn_world import RISKS, at_stake

from cslib.churn import list_words
from cslib.churn.at_risk import stakes
from cslib.churn.list_words import Order
from cslib.churn.words import Wording

say = Wording()


def told(found, say=say, **order):
    return list_words.said(say, found, Order(**order), horizon_months=12)


def test_the_risk_list_says_what_it_holds():
    def title(found, **own):
        return told(found, say=Wording(**own)).title

    assert (
        title(at_stake(), currency="USD")
        == "We expect to lose USD 100 of USD 300 in monthly revenue within 12 months; the customer at the top holds USD 50 of it (50 %)"
    )
    assert "3 customers at the top hold 100 of it (100 %)" in title(stakes(RISKS, capacity=9))
    assert title(at_stake(), gross_margin=0.5).startswith("We expect to lose 100 of monthly margin within")
    assert "no money is at risk" in title(at_stake([0.0] * 3))
    assert "no MRR" in title(at_stake([np.nan] * 3))
    assert title(at_stake([], [])) == "Nobody is a customer today, so there is nobody to call"
    assert told(at_stake()).notes == ()


def test_who_gives_a_reason_to_call_is_told_first():
    def said(*reasons):
        return told(at_stake(reason=reasons), say=Wording(currency="USD"))

    two = said("2 tickets in 90 days", "gave NPS 3 in April", None)
    assert two.title == "2 of 3 customers give a reason to call and come first; they pay USD 200 a month"
    assert two.notes[0].startswith("We expect to lose USD 100 of USD 300 in monthly revenue within 12 months; ")
    assert said("2 tickets in 90 days", None, None).title.startswith(
        "1 of 3 customers gives a reason to call and comes first"
    )
    free = stakes(RISKS.assign(mrr=np.nan, money_at_risk=np.nan, reason="2 tickets in 90 days"), capacity=1)
    assert told(free).title == "3 of 3 customers give a reason to call and come first"


def test_how_far_risks_tell_customers_apart_is_folded_away_where_they_do():
    def before(say=say, **more):
        return told(at_stake(), say=say, **more).before

    def folded(say=say, **more):
        assert not before(say, **more)
        return told(at_stake(), say=say, **more).how_to_read.partition(" A reason to call is")[0]

    guessing = "the model picks the earlier leaver {} of the time, and guessing gets 50 %."
    assert folded(concordance=0.62) == "Shown two customers it had not seen, " + guessing.format("62 %")
    team = Wording(segment=("plan", "Team"))
    own = folded(team, concordance=0.62)
    assert own == "Shown two customers it had not seen, whatever their plan, " + guessing.format("62 %")
    assert folded(concordance=0.62, within=0.49, alike_within="plan") == (
        "The model tells one plan from another, not customers of the same plan: of two customers it had not seen, it picks the "
        "earlier leaver 62 % of the time; of two with the same plan, 49 %; guessing gets 50 %."
    )
    usual = {"alike_within": "plan", "by_risk": False, "concordance": 0.62, "within": 0.49}
    (counted,) = before(**usual, shares=pd.Series({"Lite": 0.386, "Pro": 0.176}))
    risk = "Each customer has the risk of their plan"
    listed = "The list is in order of risk times MRR."
    assert counted == f"{risk}: of today's customers, 39 % of Lite and 18 % of Pro leave within 12 months. {listed}"
    many = pd.Series(0.1, index=list("abcdef"))
    assert before(**usual, shares=many) == (f"{risk}. {listed}",)
    unpriced = told(at_stake([np.nan] * 3), **usual).before[0]
    assert unpriced == "Each customer has the risk of their plan."
    inside = {"within": 0.49, "alike_within": "plan"}
    (own,) = before(team, concordance=0.62, tells_apart=False, by_risk=False, **inside)
    assert own == (
        "We cannot tell these customers apart by risk, so the list is in order of revenue: shown two customers of the same "
        "plan, " + guessing.format("49 %")
    )
    guess = {"tells_apart": False, "by_risk": False}
    (guessed,) = before(concordance=0.51, **guess)
    revenue = "We cannot tell these customers apart by risk, so the list is in order of revenue"
    assert guessed == f"{revenue}: shown two customers it had not seen, " + guessing.format("51 %")
    assert before(**guess) == (f"{revenue}.",)
    (aged,) = before(concordance=0.51, tells_apart=False)
    assert aged.startswith(
        "Risks differ by how long customers have been here; what else is on record says little: shown"
    )
    (free,) = told(at_stake([np.nan] * 3), **guess).before
    assert free == "We cannot tell these customers apart by risk, so their order says little."


def test_the_work_list_holds_what_the_data_hold():
    """Whole amounts and months; what is empty is left out, the segment is called by its column and stands once."""
    row = {
        "customer_id": "a",
        "segment": "Pro",
        "tenure_months": 5.9,
        "p_churn": 0.25,
        "mrr": 10.4,
        "money_at_risk": 2.6,
    }
    beside = {"reason": "2 tickets in 90 days", "last_used_on": pd.NaT, "n_tickets": 2, "last_answer": None}
    table = pd.DataFrame([row | beside | {"answered_on": pd.NaT, "plan": "Pro", "region": "EMEA"}])
    shown = list_words.laid_out(table, by="plan")
    assert shown.to_dict("records") == [{
        "customer_id": "a", "reason": "2 tickets in 90 days", "money_at_risk": 3, "p_churn": 0.25, "mrr": 10,
        "tenure_months": 5, "plan": "Pro",
    }]  # fmt: skip
    dated = table.assign(last_answer="NPS 3", answered_on=[pd.Timestamp("2024-09-17")])
    assert [list_words.laid_out(dated, year=year)["last_answer"].iloc[0] for year in (2025, 2024)] == [
        "NPS 3 (2024)",
        "NPS 3",
    ]
    assert list(list_words.laid_out(table))[-1] == "tenure_months"
    unpriced = list_words.laid_out(table.assign(mrr=np.nan, money_at_risk=np.nan))
    assert list(unpriced)[:3] == ["customer_id", "reason", "p_churn"]
    assert "p_churn" not in list_words.laid_out(table.drop(columns=["p_churn", "money_at_risk"]))


def test_a_list_says_who_leads_it_and_who_comes_next():
    reasons = at_stake(reason=["a", "b", "c"])
    led = told(reasons, telling=["low NPS"], n_telling=2, mrr_telling=200.0)
    assert led.title == "2 customers with a low NPS come first and pay 200 a month"
    assert led.before == ("Next comes 1 with another reason, which did not clearly foretell leaving.",)
    unpaid = told(reasons, telling=["low NPS", "tickets"], n_telling=3)
    assert unpaid.title == "3 customers with a low NPS and tickets come first"
    assert unpaid.before == ()
    none = told(at_stake(), telling=["low NPS"], n_telling=0)
    assert none == told(at_stake())


def test_of_nothing_paid_nothing_is_said():
    free = stakes(RISKS.assign(mrr=0.0, money_at_risk=0.0, reason="2 tickets in 90 days"), capacity=1)
    led = told(free, telling=["tickets"], n_telling=3, mrr_telling=0.0, alike_within="plan", by_risk=False)
    assert led.title == "3 customers with tickets come first"
    assert led.before == ("Each customer has the risk of their plan.",)
    assert list_words.call(say, free) == "**3 of 3 customers give a reason to call**."


def test_a_list_says_whose_risk_is_raised_by_what_happened():
    raised, shares = pd.Series({"Pro": 0.26, "Lite": 0.53}), pd.Series({"Lite": 0.386, "Pro": 0.176})
    usual = {"alike_within": "plan", "by_risk": False, "within": 0.49, "concordance": 0.6, "shares": shares}
    low = {"times": {"low NPS": 1.597}, "raised": raised}
    (by_plan,) = told(at_stake(), **usual, **low).before
    assert (
        "18 % of Pro leave within 12 months. With a low NPS the risk is higher, 53 % in Lite and 26 % in Pro: "
        in by_plan
    )
    assert by_plan.endswith(
        "such customers, whatever their plan, left 1.6 times as fast as others. The list is in order of risk times MRR."
    )
    assert "Of these, the risk of leaving uses a low NPS alone." in told(at_stake(), **usual, **low).how_to_read
    assert "does not use these signs" in told(at_stake(), **usual).how_to_read
    assert by_plan.startswith("But for their reasons to call, each customer has the risk of their plan: of")
    assert "Risks are scaled so that" in told(at_stake(), scaled=True).how_to_read
    two_of_three, pro = at_stake(reason=["a", "b", None]), Wording(segment=("plan", "Pro"))
    (mixed,) = told(two_of_three, say=pro, tells_apart=False, **usual, **low).before
    assert "each part of the list is in order of risk times revenue" in mixed, "some with a reason have a higher risk"
    low |= {"telling": ["low NPS"], "n_telling": 2}
    (inside,) = told(two_of_three, say=pro, tells_apart=False, **usual, **low).before
    assert inside.startswith(
        "But for their reasons to call, we cannot tell these customers apart by risk, so each part of the list is in order of revenue"
    )
    assert inside.endswith(
        " With a low NPS the risk is higher: such customers, whatever their plan, left 1.6 times as fast as others."
    )
    (two,) = told(at_stake(), times={"low NPS": 2.0, "tickets": 1.5}, concordance=0.6).before
    assert (
        two
        == "With a low NPS, or with tickets, the risk is higher: such customers left 2.0 and 1.5 times as fast as others."
    )


def test_an_answer_counts_those_who_give_a_reason():
    assert list_words.call(say, at_stake()) == ""
    one = at_stake(reason=["2 tickets in 90 days", None, None])
    assert list_words.call(say, one) == "**1 of 3 customers gives a reason to call**; they pay 100 a month."
    free = stakes(RISKS.assign(mrr=np.nan, money_at_risk=np.nan, reason="2 tickets in 90 days"), capacity=1)
    assert list_words.call(say, free) == "**3 of 3 customers give a reason to call**."
