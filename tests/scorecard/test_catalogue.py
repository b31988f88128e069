import pytest

from cslib.errors import DataError
from cslib.scorecard.catalogue import CATALOGUE, GROUPS, Target, catalogue, read_targets
from cslib.show.formats import UNITS

ASKED_FOR = [
    *("customer_churn_rate", "customer_retention_rate", "revenue_churn_rate", "revenue_retention_rate"),
    *("ltv", "ltv_formula_a", "ltv_formula_b", "ltv_formula_c", "mrr", "arpa", "nrr", "grr", "quick_ratio"),
    *("crc", "crc_share_of_margin", "cac", "ltv_to_cac", "payback_months", "nps", "csat", "ces", "response_rate"),
    *("upsell_rate", "cross_sell_rate", "usage_frequency", "active_share", "feature_adoption", "time_to_value"),
]


def test_every_kpi_of_the_list_is_there():
    assert sorted(CATALOGUE) == sorted(ASKED_FOR)


@pytest.mark.parametrize("kpi", CATALOGUE.values(), ids=list(CATALOGUE))
def test_an_entry_is_whole(kpi):
    assert kpi.label
    assert kpi.question.endswith("?")
    assert kpi.formula
    assert kpi.needs
    assert kpi.blank
    assert kpi.unit in UNITS
    assert kpi.direction in ("up", "down", "band")
    assert kpi.group in GROUPS
    assert kpi.months in (1, 3, 12)
    assert not kpi.twin or not CATALOGUE[kpi.twin].twin


def test_the_catalogue_as_a_table():
    table = catalogue()
    assert list(table) == ["kpi", "label", "group", "question", "formula", "unit", "direction", "sources", "variants"]
    assert table["kpi"].tolist() == list(CATALOGUE)


def test_targets_by_direction():
    inf = float("inf")
    given = {"nps": 30, "customer_churn_rate": 0.02, "crc_share_of_margin": [0.03, 0.06], "ces": [1, 3.5]}
    assert read_targets(given) == {
        "nps": Target(30, inf),
        "customer_churn_rate": Target(-inf, 0.02),
        "crc_share_of_margin": Target(0.03, 0.06),
        "ces": Target(1, 3.5),
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"npss": 30}, "names 'npss', which is no KPI. Did you mean 'nps'?"),
        ({"nps": "30"}, "nps is '30'. Give a number"),
        ({"nps": True}, "Give a number"),
        ({"nps": float("nan")}, "Give a number"),
        ({"nps": [40, 30]}, "two ends of a band"),
        ({"nps": [40]}, "two ends of a band"),
        ({"grr": 95}, "grr is 95, but it is a share of 1. Did you mean 0.95?"),
        ({"crc_share_of_margin": 0.05}, "Give both ends"),
        ({"customer_churn_rate": 2}, "Did you mean 0.02?"),
        ({"nrr": 98}, "Did you mean 0.98?"),
        ({"grr": -0.1}, "Give a number from 0 on"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(given, words):
    with pytest.raises(DataError, match=words.replace(".", r"\.").replace("?", r"\?")):
        read_targets(given)
