"""Who answers: shares of those asked, compared, and how they are told."""

import numpy as np
import pandas as pd
import pytest
from survey_world import counted

from cslib.surveys.response import RESPONSE, responses
from cslib.surveys.response_words import elsewhere, heading, laid_out

TWO = [("A", 9, 80), ("A", -1, 20), ("B", 0, 40), ("B", -1, 60), ("B", -2, 500)]


def asked(rows, **more):
    return counted([dict(zip(("plan", "now", "n"), row, strict=True)) for row in rows], **more)


def with_csat(*rows):
    """Plan, answer to CSAT, NPS, customers."""
    named = [dict(zip(("plan", "CSAT answer", "now", "n"), row, strict=True)) for row in rows]
    return responses(counted(named, more=["CSAT answer"]), ["plan"])


def test_a_segment_is_compared_with_all_others_by_newcombe():
    """80 and 40 of 100: Wilson 0.711 to 0.867 and 0.309 to 0.498, so 0.4 − √(0.089² + 0.098²), 0.4 + √(0.067² + 0.091²)."""
    table = responses(asked(TWO), ["plan"]).set_index("segment")
    assert list(table.reset_index()) == ["segment", "segment_by", *RESPONSE[2:], "clear"]
    assert table[["n_invited", "n_responses"]].to_numpy().tolist() == [[200, 120], [100, 80], [100, 40]]
    assert table["response_rate"].tolist() == [0.6, 0.8, 0.4]
    assert table["difference_from_rest"].tolist()[1:] == pytest.approx([0.4, -0.4])
    ends = table.loc["A", ["difference_ci_lower", "difference_ci_upper"]].tolist()
    assert ends == pytest.approx([0.4 - np.hypot(0.0888, 0.0980), 0.4 + np.hypot(0.0666, 0.0906)], abs=2e-4)
    assert table["clear"].tolist() == [False, True, True]


def test_two_segments_of_one_column_are_one_test_and_three_are_three():
    one = responses(asked(TWO), ["plan"])["p_adjusted"].dropna()
    more = responses(asked([*TWO, ("C", 9, 60), ("C", -1, 40)]), ["plan"]).set_index("segment")
    assert one.nunique() == 1
    assert more.loc["C", "difference_from_rest"] == pytest.approx(0.0)
    assert not more.loc["C", "clear"]


def test_where_only_answers_are_held_no_rate_is_known():
    table = responses(asked([("A", 9, 30), ("B", 9, 30)], only_answers=True), ["plan"])
    assert table["n_responses"].tolist() == [60, 30, 30]
    assert table[["response_rate", "difference_from_rest"]].isna().all(axis=None)


def test_a_column_that_is_filled_in_with_the_answer_is_left_out():
    """Of those silent none has a channel: that says nothing of who answers."""
    assert responses(asked([("mail", 9, 60), ("web", 9, 40), ("", -1, 50)]), ["plan"])["segment"].tolist() == ["All"]


CLEAR = responses(asked([*TWO, ("C", 9, 60), ("C", -1, 40)]), ["plan"])
ALIKE = responses(asked([(plan, now, 50) for plan in "AB" for now in (9, -1)]), ["plan"])


def test_the_heading_names_only_who_clearly_differs():
    said = "60 % of those asked over the last 12 months answered"
    assert heading(CLEAR, ["plan"], span="over the last 12 months") == (
        f"{said}; clearly fewer in B (40 %); clearly more in A (80 %)"
    )
    assert heading(ALIKE, ["plan"]) == "50 % of those asked answered; no clear difference by plan"
    assert heading(ALIKE.head(1), []) == "50 % of those asked answered"
    both = pd.concat([CLEAR, CLEAR.tail(3).assign(segment_by="region", clear=False)])
    assert heading(both, ["plan", "region"]).endswith(
        "; clearly fewer in B (plan, 40 %); clearly more in A (plan, 80 %)"
    )
    many = pd.concat([CLEAR, *(CLEAR.iloc[1:2].assign(segment=name) for name in "DEF")])
    assert heading(many, ["plan"]).endswith("; clearly more in F (80 %), E (80 %) and 2 other groups")


def test_the_table_has_the_segments_and_whoever_else_clearly_differs():
    rows = [(plan, said, now, 50) for plan in "AB" for said, now in (("satisfied", 9), ("neutral", -1))]
    table = with_csat(*rows, *((plan, said, 9, 10) for plan in "AB" for said in ("satisfied", "neutral")))
    shown = laid_out(table, "plan")
    assert shown["segment"].tolist() == ["All", "A", "B", "CSAT: satisfied", "CSAT: neutral"]
    assert shown["asked"].tolist()[:2] == ["240", "120"]
    assert shown["answered"].iloc[3] == "100 % (97 to 100 %)"
    assert shown["against all others"].iloc[0] == ""
    assert shown["against all others"].iloc[3].startswith("+83.3 points (7")
    assert laid_out(ALIKE, "region")["segment"].tolist() == ["All"]
    assert elsewhere(table, ["plan"]) == (
        "**Clearly fewer answered among neutral customers (CSAT)**: 17 %. Clearly more answered among satisfied customers "
        "(CSAT): 100 %.",
    )
    before = table.assign(segment_by=table["segment_by"].replace("CSAT answer", "earlier NPS"))
    never = before.replace({"neutral": "not asked", "satisfied": "promoters"})
    assert elsewhere(never, ["plan"]) == (
        "**Clearly fewer answered among those never asked for NPS before**: 17 %. "
        "Clearly more answered among earlier promoters: 100 %.",
    )
    earlier = table.assign(segment_by=table["segment_by"].replace("CSAT answer", "earlier CSAT"))
    assert elsewhere(earlier, ["plan"])[0].endswith(
        "Clearly more answered among satisfied customers (CSAT before): 100 %."
    )
    asked_of = table.replace({"neutral": "not asked", "satisfied": "no answer"})
    assert elsewhere(asked_of, ["plan"]) == (
        "**Clearly fewer answered among those never asked for CSAT**: 17 %. "
        "Clearly more answered among those who did not answer CSAT: 100 %.",
    )
    assert elsewhere(ALIKE, ["plan"]) == ()
