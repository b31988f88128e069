"""Whether reasons to call foretold leaving, by hand and against published intervals."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import cslib as cs
from cslib.churn.at_risk import ordered
from cslib.churn.foretold import ANY, COLUMNS, foretold, telling, times_as_fast
from cslib.churn.reason_words import NOBODY_LEFT, first_to_call, heading, laid_out, notes
from cslib.churn.signs import gives
from cslib.data.calendar import months_later
from cslib.data.dataset import rewind
from cslib.data.lives import settled
from cslib.show.formats import percent
from cslib.stats.intervals import newcombe, wilson

DAY = date(2024, 6, 30)


def world(groups, *, back=0):
    """Customers of a year ago: of each group ``plan``, ``n``, ``left`` and, where ``score`` is one, an NPS of spring."""
    rows, asked = [], []
    for place, (plan, n, left, score) in enumerate(groups):
        for k in range(n):
            name = f"{place}-{k}"
            end = "2024-12-01" if k < left else None
            rows.append({"customer_id": name, "started_on": "2023-01-01", "churned_on": end, "plan": plan})
            if score is not None:
                asked.append({"customer_id": name, "asked_on": "2024-05-01", "survey": "nps", "score": score})
    asked.append({"customer_id": "0-0", "asked_on": "2024-11-01", "survey": "nps", "score": 0})  # later: not known then
    tables = {"customers": pd.DataFrame(rows), "surveys": pd.DataFrame(asked)}
    return cs.load(tables, as_of="2025-06-30")


def told(data, **asked):
    return foretold(data, rewind(data, DAY), **asked)


PLANS = [("A", 60, 12, 9), ("A", 20, 10, 3), ("B", 40, 24, None), ("B", 20, 16, 2)]


def test_who_gave_a_reason_beside_others_by_hand():
    """26 of 40 with a low NPS left; of others 36 of 100, of those of the same plan (20 + 60) / 2 percent."""
    every, low = told(world(PLANS)).itertuples()
    assert (every.reason, low.reason) == (ANY, "low NPS")
    assert (low.n_customers, low.n_churned, low.churn_share, low.n_others) == (40, 26, 0.65, 100)
    assert low.others_share == pytest.approx(0.36)
    assert (low.ci_lower, low.ci_upper) == pytest.approx((float(wilson(26, 40).lower), float(wilson(26, 40).upper)))
    ends = newcombe((26, 36), (40, 100))
    assert low.difference == pytest.approx(0.29)
    assert (low.difference_ci_lower, low.difference_ci_upper) == pytest.approx((float(ends.lower), float(ends.upper)))
    _, same = told(world(PLANS), split="plan").itertuples()
    assert same.others_share == pytest.approx((20 * 12 / 60 + 20 * 24 / 40) / 40)
    assert same.difference == pytest.approx(0.25)
    lower = 0.25 - sum(v**2 for v in (0.65 - float(wilson(26, 40).lower), *half_up())) ** 0.5
    assert same.difference_ci_lower == pytest.approx(lower)


def half_up():
    """How far the interval of the others of each plan reaches up, by their weight."""
    return (0.5 * (float(wilson(left, n).upper) - left / n) for left, n in ((12, 60), (24, 40)))


def test_too_few_tell_nothing_and_a_plan_without_others_is_left_out():
    few = [("A", 60, 12, 9), ("A", 29, 10, 3)]
    assert list(told(world(few)).columns) == [*COLUMNS]
    assert told(world(few)).empty
    assert told(world([("A", 29, 12, 9), ("A", 40, 10, 3)])).empty, "nobody to hold them against"
    alone = [*PLANS, ("C", 50, 50, 1)]  # all of plan C gave a reason
    found = told(world(alone), split="plan")
    assert found["n_left_out"].tolist() == [50, 50]
    pd.testing.assert_frame_equal(found.assign(n_left_out=0), told(world(PLANS), split="plan"))
    left_out = "50 customers with a reason are not counted: everybody of their plan gave one, so nobody is like them."
    assert left_out in notes(found, split="plan")
    assert f"{left_out} The others are counted whatever their plan." in notes(found, split="plan", column="plan")
    assert "of every" not in first_to_call(found, ["low NPS"], 2, months_ahead=12, column="plan")


def test_where_nobody_left_no_reason_foretold_it():
    stay = [(plan, n, 0, score) for plan, n, _, score in PLANS]
    study = cs.Churn(world(stay), by="plan")
    assert study._foretold["n_churned"].sum() == 0 < len(study._foretold)
    assert study.reasons.absent == NOBODY_LEFT


def test_no_reasons_without_tables_of_them():
    data = world(PLANS)
    bare = cs.load({"customers": data.table("customers").execute()}, as_of="2025-06-30")
    assert told(bare).empty


def test_sentences_and_table_tell_what_foretold_leaving():
    found = told(world(PLANS), split="plan")
    assert (
        heading(found, months_ahead=12)
        == "Reasons to call foretold leaving: 65 % of those who gave one a year ago left within 12 months, 40 % of others"
    )
    others, surveys = notes(found, split="plan")
    assert others == "Others are customers of the same plan who gave no reason."
    assert surveys.startswith("The survey report holds those with a low NPS against promoters alone: [")
    assert notes(found.assign(reason="tickets"), split="plan") == (others,)
    shown = laid_out(found, months_ahead=12)
    assert [*shown] == ["Reason", "Customers a year ago", "Left within 12 months", "Others", "Difference, points"]
    assert shown.iloc[0, 0] == "Low NPS", "the one kind is told once"
    assert shown.iloc[0, 2:4].tolist() == ["65 % (50 to 78)", "40 %"]
    assert shown.iloc[0, 4].startswith("+25.0 (+")
    two = pd.concat([found, found.tail(1).assign(reason="tickets")])
    assert laid_out(two, months_ahead=12)["Reason"].tolist() == ["Any reason", "Low NPS", "Tickets"]
    unclear = found.assign(difference_ci_lower=[-0.01, 0.02])
    text = "Of reasons to call, only a low NPS clearly foretold leaving: 65 % left within 6 months, 40 % of others"
    assert heading(unclear, months_ahead=6) == text
    none = heading(found.assign(difference_ci_lower=-0.1), months_ahead=6)
    assert none.startswith("No reason to call clearly foretold leaving: 65 % of those who gave one 6 months ago left")
    fewer = found.assign(difference_ci_lower=-0.3, difference_ci_upper=-0.1)
    assert notes(fewer)[0] == "With a low NPS, clearly fewer left than of others."
    whose = notes(found, column="plan")[-2]
    assert whose == "All customers are counted here, whatever their plan."


def test_who_is_first_to_call_by_what_became_of_such_customers():
    found = told(world(PLANS), split="plan")
    text = first_to_call(found, ["low NPS"], 12, months_ahead=12)
    assert (
        text
        == "**First to call are 12 customers with a low NPS**: a year ago, 65 % of such customers left within 12 months, 40 % of others."
    )
    part = first_to_call(found, ["low NPS"], 12, months_ahead=12, column="plan")
    assert part.endswith("65 % of such customers, of every plan, left within 12 months, 40 % of others.")
    assert first_to_call(found, ["low NPS"], 1, months_ahead=12).startswith("**First to call is 1 customer with a low")
    assert first_to_call(found, ["low NPS"], 0, months_ahead=12) == ""
    assert first_to_call(found, [], 0, months_ahead=12) == ""


def test_kinds_that_alone_foretold_leaving_lead_the_list():
    found = told(world(PLANS))
    assert telling(found) == [], "there is no other kind"
    more = pd.concat([found, found.tail(1).assign(reason="tickets", difference_ci_lower=-0.1)])
    assert telling(more) == ["low NPS"]
    assert telling(more.assign(difference_ci_lower=0.1)) == [], "all foretold leaving"
    assert heading(more, months_ahead=12).startswith("Of reasons to call, only a low NPS clearly")
    assert telling(found.head(0)) == []
    reasons = ["2 tickets in 90 days", "2 tickets in 90 days; gave NPS 3 in May", None, "gave NPS 0 in June"]
    risk = pd.DataFrame({"customer_id": list("abcd"), "reason": reasons})
    risk, usual = risk.assign(mrr=9.0, p_churn=0.1), pd.Series(0.1, range(4))
    for kinds, order, n in ((["low NPS"], "bdac", 2), (["low NPS", "tickets"], "abdc", 3), ([], "abdc", 0)):
        assert "".join(ordered(risk, usual, leading=kinds)["customer_id"]) == order
        assert gives(risk["reason"], kinds).sum() == n
    assert list(ordered(risk, usual, leading=["tickets"])) == list(risk)
    assert (
        len(ordered(risk.head(0), usual.head(0), leading=["tickets"]))
        == gives(risk["reason"].head(0), ["tickets"]).sum()
        == 0
    )


@pytest.mark.long
def test_the_list_of_the_sample_is_led_by_what_foretold_leaving_and_its_risks_are_those_told(sample):
    """Detractors leave twice as fast in the sample; tickets and pauses of use mean nothing there."""
    study = cs.Churn(sample, by="plan")
    table, text = study.at_risk.table, " ".join(study.at_risk.notes)
    assert telling(study.reasons.table) == ["low NPS"]
    low = table["reason"].fillna("").str.startswith("gave NPS")
    assert low[: low.sum()].all()
    others = table["reason"].notna().sum() - low.sum()
    assert study.at_risk.title.startswith(f"{low.sum()} customers with a low NPS come first and pay USD ")
    assert f"Next come {others} with another reason, which did not clearly foretell leaving." in text
    for plan, risk in table.groupby("plan")["p_churn"].mean().items():
        assert f"{percent(risk)} of {plan}" in text
    for plan, own in table.groupby("plan"):
        (high,), (usual,) = (own["p_churn"][who[own.index]].round(12).unique() for who in (low, ~low))
        assert f"{percent(high)} in {plan}" in text
        assert np.log1p(-high) / np.log1p(-usual) == pytest.approx(times_as_fast(study.reasons.table)["low NPS"])
    ahead = study.forecast.table.query("segment == 'All'").iloc[-1]
    assert table["p_churn"].sum() == pytest.approx(ahead["n_active"] - ahead["expected_active"]), "as is foretold"
    assert table["money_at_risk"].to_numpy() == pytest.approx((0.8 * table["p_churn"] * table["mrr"]).to_numpy())


def test_how_fast_those_left_whose_reason_clearly_foretold_leaving():
    """Half and three quarters are 1 and 2 of the same hazard; of nobody and all half a customer did otherwise."""
    row = {"reason": "low NPS", "n_customers": 40, "churn_share": 0.75, "n_others": 50, "others_share": 0.5}
    table = pd.DataFrame([row | {"reason": ANY}, row, row | {"reason": "tickets", "churn_share": 0.7}])
    table["difference_ci_lower"] = [0.1, 0.1, -0.1]
    assert times_as_fast(table) == pytest.approx({"low NPS": 2.0})
    assert telling(table) == ["low NPS"]
    both = table.assign(difference_ci_lower=0.1)
    assert [*times_as_fast(both)] == ["low NPS", "tickets"]
    assert telling(both) == []
    ends = times_as_fast(table.assign(churn_share=1.0, others_share=0.0))["low NPS"]
    assert ends == pytest.approx(np.log(0.5 / 40) / np.log1p(-0.5 / 50))
    assert times_as_fast(table.head(0)) == {}


def test_with_pauses_the_months_end_where_it_is_known_who_left():
    """Pauses of three months: known up to March 2025; of 40 with a low NPS 26 left in the year, of 60 others 12."""
    rows, asked = [], []
    for place, (n, left, score) in enumerate([(40, 26, 2), (60, 12, 9)]):
        for k in range(n):
            end = "2024-08-01" if k < left else None
            rows.append({"customer_id": f"{place}-{k}", "started_on": "2023-01-01", "ended_on": end, "mrr": 10.0})
            asked.append({"customer_id": f"{place}-{k}", "asked_on": "2024-03-01", "survey": "nps", "score": score})
    tables = {"subscriptions": pd.DataFrame(rows), "surveys": pd.DataFrame(asked)}
    data = cs.load(tables, as_of="2025-06-30", pause_months=3)
    day = months_later(settled(data), -12)
    assert (settled(data), day) == (date(2025, 3, 31), date(2024, 3, 31))
    _, low = foretold(data, rewind(data, day)).itertuples()
    assert (low.n_customers, low.n_churned, low.n_others, low.others_share) == (40, 26, 60, 0.2)
    assert cs.Churn(data).reasons.table["n_churned"].tolist() == [26, 26]
