"""What a KPI is, and the shape in which its values are told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cslib.data.kpi import COMPLEMENTS, HISTORY, Kpi, Setting, Target, by_id, history_rows, month_ends, of_margin
from cslib.errors import DataError
from cslib.scorecard.catalogue import catalogue

RATE = Kpi(
    id="rate", label="Rate", group="growth", unit="percent", direction="up", months=1, question="How many?",
    formula="some / all", base="all of them", sources=("usage.feature", "customers"), needs="usage", blank="nobody",
    measure=lambda data, setting: iter(()),
)  # fmt: skip
FOUND = pd.DataFrame(
    {"segment": "All", "until": pd.to_datetime(["2025-01-31", "2025-02-28"]), "rate": [0.5, np.nan], "size": [8, 0]}
)


def test_what_a_kpi_can_be():
    assert RATE.reach == (0, 1)
    assert replace(RATE, unit="money").reach == (0, np.inf)
    wide = replace(RATE, span=(-100.0, 100.0))
    assert wide.reach == (-100, 100)


@pytest.mark.parametrize(
    ("low", "high", "of_all", "status"),
    [
        (0.4, 0.5, np.nan, "met"),
        (0.39, 0.5, np.nan, "not clear"),
        (0.2, 0.39, np.nan, "missed"),
        (0.4, 0.5, 0.38, "not clear"),  # those who did not answer would say otherwise
        (0.4, 0.5, 0.42, "met"),
        (0.2, 0.39, 0.5, "missed"),
        (np.nan, np.nan, np.nan, "not clear"),
        (np.nan, 0.39, np.nan, "missed"),
    ],
)
def test_an_interval_is_judged_by_a_target(low, high, of_all, status):
    assert Target(0.4, np.inf).judge(low, high, of_all=of_all) == status


def test_a_target_of_the_complement_is_one_of_the_kpi():
    """At least 97 % stay is at most 3 % leave; between 95 and 99 % is between 1 and 5 %."""
    stay, leave = (replace(RATE, id=f"customer_{name}_rate") for name in ("retention", "churn"))
    leave = replace(leave, direction="down")
    assert leave.target({"customer_retention_rate": 0.97}) == Target(-np.inf, 0.03)
    assert stay.target({"customer_churn_rate": 0.03}) == Target(0.97, np.inf)
    assert leave.target({"customer_retention_rate": [0.95, 0.99]}) == Target(0.01, 0.05)
    both = {"customer_retention_rate": 0.97, "customer_churn_rate": 0.03}
    assert (leave.target(both), stay.target(both)) == (Target(-np.inf, 0.03), Target(0.97, np.inf))
    for kpi in (leave, stay):
        with pytest.raises(DataError, match="but each is 1 less the other"):
            kpi.target(both | {"customer_churn_rate": 0.02})
    with pytest.raises(DataError, match="customer_retention_rate is 97, but it is a share of 1"):
        leave.target({"customer_retention_rate": 97})
    assert RATE.target({"customer_retention_rate": 0.97}) is None


def test_the_topics_name_the_complements():
    turned = {name: kpi.twin for name, kpi in catalogue().items() if kpi.mirror}
    assert turned | {twin: name for name, twin in turned.items()} == COMPLEMENTS


def test_a_band_is_met_within_and_missed_outside():
    band = Target(0.03, 0.06)
    assert [band.judge(*ends) for ends in ((0.03, 0.06), (0.02, 0.05), (0.07, 0.08), (0.01, 0.02))] == [
        *("met", "not clear", "missed", "missed")
    ]
    assert (band.ends, Target(-np.inf, 0.03).ends) == ((0.03, 0.06), (0.03,))


def test_a_kpi_reads_its_own_target_alone():
    assert RATE.target({"rate": 0.5, "other": "nonsense"}) == Target(0.5, np.inf)
    assert replace(RATE, direction="down").target({"rate": 0.5}) == Target(-np.inf, 0.5)
    assert RATE.target({"other": 0.5}) is None
    with pytest.raises(DataError, match="rate is 50, but it is a share of 1"):
        RATE.target({"rate": 50})


def test_a_value_is_judged_where_it_has_a_target_and_a_meaning():
    goal = Target(0.4, np.inf)
    assert RATE.judged(goal, 0.45, (0.41, 0.5)) == "met"
    assert RATE.judged(None, 0.45, (0.41, 0.5)) == RATE.judged(goal, np.nan) == ""
    assert replace(RATE, exact=True).judged(goal, 0.39) == "missed"  # it is counted
    assert RATE.judged(goal, 0.39) == "not clear"
    assert replace(RATE, unset="no margin").judged(goal, 0.45, (0.41, 0.5)) == ""


def test_the_tables_it_needs():
    assert RATE.tables == ("usage", "customers")


def test_by_id_keeps_the_order():
    assert list(by_id(replace(RATE, id="b"), replace(RATE, id="a"))) == ["b", "a"]


def test_a_column_becomes_rows_of_the_history():
    bounded = FOUND.assign(rate_ci_lower=0.2, rate_ci_upper=0.8)
    rows = history_rows("rate", bounded, "rate", n="size", bounds="rate_")
    assert list(rows) == HISTORY
    assert rows["value"].tolist()[0] == 0.5
    assert rows["ci_lower"].isna().tolist() == [False, True]  # no bounds without a value
    assert rows["months"].isna().all()
    assert rows["n"].tolist() == [8, 0]


def test_without_bounds_they_are_missing_and_a_length_is_kept():
    rows = history_rows("rate", FOUND, "rate", n="size", months=3)
    assert rows[["ci_lower", "ci_upper"]].isna().all(axis=None)
    assert rows["months"].tolist() == [3, 3]


def test_months_end_on_their_last_day():
    table = month_ends(pd.DataFrame({"month": pd.to_datetime(["2024-02-01", "2024-12-01"])}))
    assert table["until"].tolist() == [pd.Timestamp("2024-02-29"), pd.Timestamp("2024-12-31")]


def test_what_rests_on_margin_has_no_verdict_where_the_margin_is_not_known():
    kpi = replace(RATE, adapt=of_margin)
    assert not kpi.unset
    assert of_margin(kpi, Setting()).unset == "gross_margin is not set, so that all revenue counts as margin"
    assert of_margin(kpi, Setting(gross_margin=1.0)) is kpi
    assert [Setting().margin, Setting(gross_margin=0.8).margin] == [1.0, 0.8]
