"""What is on record of a customer, read off small tables by hand."""

import pandas as pd
import pytest

from cslib import load
from cslib.churn.signs import MOST_SEGMENTS, SEPARATOR, segment_columns, with_signs

PEOPLE = pd.DataFrame({"customer_id": list("abcd"), "started_on": "2024-01-01", "churned_on": None})


def signs(as_of="2025-06-30", **tables):
    data = load({"customers": PEOPLE, **tables}, as_of=as_of)
    found = with_signs(data.table("customers").select("customer_id"), data).execute().set_index("customer_id")
    return found.assign(sign=found["sign"].str.strip(SEPARATOR).str.replace(SEPARATOR, "; ")).sort_index()


def used(**days):
    rows = [(customer, day) for customer, own in days.items() for day in own.split()]
    return pd.DataFrame(rows, columns=["customer_id", "occurred_at"])


def asked(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "asked_on", "survey", "score"])


def test_without_tables_nothing_is_told():
    found = signs()
    assert (found["sign"] == "").all()
    assert found.drop(columns="sign").isna().all(axis=None)


def test_use_has_stopped_after_a_month_and_three_usual_pauses():
    """a pauses for 10 days as a rule and for 40 now; b for 20 and 59, c for 40 and 60; d used it on two days only."""
    weekly = "2025-04-20 2025-05-01 2025-05-11 2025-05-21"
    usage = used(a=weekly, b="2025-03-13 2025-04-02 2025-04-22 2025-05-02", c="2025-01-31 2025-03-12 2025-05-01")
    found = signs(usage=pd.concat([usage, used(d="2024-01-05 2024-01-06", x="2025-06-30")]))
    assert found["sign"].to_dict() == {"a": "stopped using it in May", "b": "stopped using it in May", "c": "", "d": ""}
    assert found.loc["c", "last_used_on"] == pd.Timestamp("2025-05-01")
    assert signs(usage=used(a=weekly))["sign"]["a"] == ""  # nobody has used it since: it may not be recorded yet


def test_a_year_is_named_where_the_month_alone_would_mislead():
    days = "2024-01-05 2024-01-12 2024-01-19"
    assert signs(usage=used(a=days, b="2025-06-29"))["sign"]["a"] == "stopped using it in January 2024"


@pytest.mark.parametrize(
    ("rows", "last", "sign"),
    [
        ([("a", "2025-04-20", "nps", 3)], "NPS 3", "gave NPS 3 in April"),
        ([("a", "2025-04-20", "nps", 7)], "NPS 7", ""),
        ([("a", "2025-04-20", "nps", 3), ("a", "2025-05-20", "nps", 9)], "NPS 9", ""),
        ([("a", "2025-04-20", "nps", 3), ("a", "2025-05-20", "nps", None)], "NPS 3", "gave NPS 3 in April"),
        ([("a", "2024-04-20", "nps", 3)], "NPS 3", ""),
        ([("a", "2025-04-20", "csat", 2), ("a", "2025-05-20", "ces", 9)], "CES 9", "gave CSAT 2 in April"),
        ([("a", "2025-04-20", "nps", 9), ("a", "2025-04-20", "nps", 2)], "NPS 2", "gave NPS 2 in April"),
        ([("a", "2025-04-20", "nps", 0), ("a", "2025-04-21", "csat", 1)], "CSAT 1", "gave NPS 0 in April; gave CSAT 1 in April"),
    ],
)  # fmt: skip
def test_a_bad_last_answer_of_the_year_is_a_reason(rows, last, sign):
    found = signs(surveys=asked(*rows)).loc["a"]
    assert (found["last_answer"], found["sign"]) == (last, sign)


@pytest.mark.parametrize(("asked_on", "sign"), [("2024-07-01", "gave NPS 3 in January"), ("2024-06-30", "")])
def test_an_answer_has_its_own_day_and_counts_as_long_as_its_invitation_is_of_the_last_year(asked_on, sign):
    rows = asked(("a", asked_on, "nps", 3)).assign(answered_on="2025-01-15")
    found = signs(surveys=rows).loc["a"]
    assert (found["answered_on"], found["last_answer"], found["sign"]) == (pd.Timestamp("2025-01-15"), "NPS 3", sign)


def test_two_tickets_of_ninety_days_are_a_reason():
    days = {"a": ["2025-04-02", "2025-06-30"], "b": ["2025-04-01", "2025-06-30"], "c": ["2025-06-30"]}
    rows = [(customer, day, "Support ticket") for customer, own in days.items() for day in own]
    rows += [("d", "2025-06-29", "call"), ("d", "2025-06-30", "call")]
    found = signs(touchpoints=pd.DataFrame(rows, columns=["customer_id", "occurred_on", "kind"]))
    assert found["n_tickets"].to_dict() == {"a": 2, "b": 1, "c": 1, "d": 0}
    assert found["sign"].to_dict() == {"a": "2 tickets in 90 days", "b": "", "c": "", "d": ""}


def test_tenures_have_no_day_to_look_back_from():
    tenures = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [False]})
    data = load({"customers": tenures})
    assert with_signs(data.table("customers").select("customer_id"), data).execute()["sign"].tolist() == [""]


def test_declared_segments_are_named_up_to_four(tmp_path):
    names = [f"s{i}" for i in range(6)]
    PEOPLE.assign(**dict.fromkeys(names, "x")).to_csv(tmp_path / "customers.csv", index=False)
    (tmp_path / "cslib.toml").write_text(f"as_of = 2025-06-30\n[customers]\nsegments = {names}\n".replace("'", '"'))
    data = load(tmp_path)
    assert segment_columns(data, "s0") == ["s1", "s2", "s3", "s4"]
    assert len(segment_columns(data)) == MOST_SEGMENTS


def test_what_lies_before_the_present_stay_is_not_told():
    """a came back in June after three months away: use, an NPS of 2 and a ticket of April were of the first stay."""
    paid = [("a", "2024-01-01", "2025-04-20"), ("a", "2025-06-01", None), ("b", "2024-01-01", None)]
    rows = pd.DataFrame(paid, columns=["customer_id", "started_on", "ended_on"]).assign(mrr=10.0)
    usage = used(a="2025-04-01 2025-04-08 2025-04-15", b="2025-04-01 2025-04-08 2025-04-15", x="2025-06-30")
    surveys = asked(("a", "2025-04-10", "nps", 2), ("b", "2025-04-10", "nps", 2))
    days = ["2025-04-12", "2025-06-02"]
    touchpoints = pd.DataFrame({"customer_id": ["a"] * 2 + ["b"] * 2, "occurred_on": days * 2, "kind": "ticket"})
    tables = {"subscriptions": rows, "usage": usage, "surveys": surveys, "touchpoints": touchpoints}
    data = load(tables, as_of="2025-06-30")
    found = (
        with_signs(data.table("customers").select("customer_id"), data).execute().set_index("customer_id").sort_index()
    )
    assert found["sign"].str.strip(SEPARATOR).str.replace(SEPARATOR, "; ").tolist() == [
        "",
        "stopped using it in April; gave NPS 2 in April; 2 tickets in 90 days",
    ]
    assert found["n_tickets"].tolist() == [1, 2]
    assert found.loc["a", ["last_used_on", "last_answer", "answered_on"]].isna().all()
