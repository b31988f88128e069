import re

import nbformat
import pytest

from cslib.data.contract import CONTRACT
from cslib.data.kpi import GROUPS, SCORECARD, Setting, Target, link_to
from cslib.errors import DataError
from cslib.scorecard import catalogue as module
from cslib.scorecard.catalogue import catalogue, read_targets
from cslib.show.formats import UNITS

CATALOGUE = catalogue()

IN_ORDER = {
    "growth": ["mrr", "arpa", "quick_ratio", "upsell_rate", "cross_sell_rate", "cac"],
    "retention": [
        *("customer_churn_rate", "customer_retention_rate", "revenue_churn_rate", "revenue_retention_rate"),
        *("nrr", "grr", "crc", "crc_share_of_margin"),
    ],
    "value": ["ltv", "ltv_formula_a", "ltv_formula_b", "ltv_formula_c", "ltv_to_cac", "payback_months"],
    "sentiment": ["nps", "csat", "ces", "response_rate"],
    "engagement": ["usage_frequency", "active_share", "feature_adoption", "time_to_value"],
}


def test_every_kpi_of_the_list_is_there_in_the_order_of_the_report():
    assert list(CATALOGUE) == [kpi for group in IN_ORDER.values() for kpi in group]
    assert {kpi: k.group for kpi, k in CATALOGUE.items()} == {kpi: g for g, own in IN_ORDER.items() for kpi in own}


def test_no_two_topics_have_a_kpi_of_the_same_id():
    assert sum(len(topic.KPIS) for topic in module.TOPICS) == len(CATALOGUE)


@pytest.mark.parametrize("kpi", CATALOGUE.values(), ids=list(CATALOGUE))
def test_an_entry_is_whole(kpi):
    assert CATALOGUE[kpi.id] is kpi
    assert kpi.label
    assert kpi.base
    assert set(kpi.tables) <= set(CONTRACT)
    assert kpi.reach[0] < kpi.reach[1]
    assert kpi.question.endswith("?")
    assert kpi.formula
    assert kpi.needs
    assert kpi.blank
    assert kpi.unit in UNITS
    assert kpi.direction in ("up", "down", "band")
    assert kpi.group in GROUPS
    assert kpi.months in (1, 3, 12)
    assert kpi.explained.partition("#")[2].endswith(("?", "Method"))
    assert not kpi.mirror or kpi.twin
    assert not kpi.twin or not CATALOGUE[kpi.twin].twin


def test_a_scale_where_high_is_easy_turns_the_definition_of_ces():
    ces = catalogue(Setting(ces_lower_is_easier=False, ces_scale=7))["ces"]
    assert (ces.direction, ces.formula) == ("up", "mean answer, 7 is easy")
    assert CATALOGUE["ces"].direction == "down"


def test_targets_by_direction():
    inf = float("inf")
    given = {"nps": 30, "customer_churn_rate": 0.02, "crc_share_of_margin": [0.03, 0.06], "ces": [1, 3.5]}
    assert read_targets(given, CATALOGUE) == {
        "nps": Target(30, inf),
        "customer_churn_rate": Target(-inf, 0.02),
        "crc_share_of_margin": Target(0.03, 0.06),
        "ces": Target(1, 3.5),
    }


def test_the_same_target_given_twice_is_one():
    given = {"customer_retention_rate": 0.97, "customer_churn_rate": 0.03, "revenue_retention_rate": 0.9}
    assert list(read_targets(given, CATALOGUE)) == ["customer_churn_rate", "revenue_retention_rate"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"customer_churn_rate": 0.02, "customer_retention_rate": 0.97},
            "customer_churn_rate is 0.02 and customer_retention_rate is 0.97, but each is 1 less the other. Keep the one",
        ),
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
        read_targets(given, CATALOGUE)


def test_every_kpi_leads_to_a_section_that_is_there(root):
    there = set()
    for path in (root / "notebooks").glob("*.ipynb"):
        prose = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
        there |= {link_to(f"{path.stem}#{title}") for title in re.findall(r"^## (.+)$", prose, flags=re.M)}
    assert {kpi.link for kpi in CATALOGUE.values()} | {link_to(SCORECARD)} <= there
