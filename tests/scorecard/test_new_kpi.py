"""A new KPI is one entry in one file: here the mean age of customers, in a topic of its own."""

import sys
from dataclasses import replace

import pandas as pd
import pytest

import cslib as cs
from cslib.scorecard import catalogue as module

TOPIC = """
import pandas as pd

from cslib.data.kpi import Kpi, by_id, history_rows


def _age(data, setting):
    people = data.table("customers").execute().query("churned_on.isnull()")
    until = pd.Timestamp(data.as_of)
    months = (until - pd.to_datetime(people["started_on"])).dt.days / 30.4375
    mean = pd.DataFrame({"segment": ["All"], "until": [until], "age": [months.mean()], "size": [len(people)]})
    yield history_rows("customer_age", mean, "age", n="size")


KPIS = by_id(
    Kpi(
        id="customer_age", label="Average customer age", group="retention", unit="months", direction="up", months=1,
        question="For how long have customers been here?",
        formula="mean months since the start of present customers",
        base="customers on the last day of the month",
        sources=("customers",), needs="customers with dates", blank="there are no customers",
        exact=True, measure=_age,
    ),
)
"""
PEOPLE = pd.DataFrame(
    {
        "customer_id": ["a", "b", "gone"],
        "started_on": ["2024-01-01", "2024-07-02", "2024-01-05"],
        "churned_on": [None, None, "2024-02-01"],
    }
)
AGES = (365 + 182) / 2 / 30.4375  # of the two who are here on 31 December 2024


@pytest.fixture
def added(tmp_path, monkeypatch):
    (tmp_path / "ages.py").write_text(TOPIC)
    monkeypatch.syspath_prepend(tmp_path)
    import ages

    monkeypatch.setattr(module, "TOPICS", (*module.TOPICS, ages))
    yield
    del sys.modules["ages"]


def scored(folder, **targets):
    folder.mkdir()
    PEOPLE.to_csv(folder / "customers.csv", index=False)
    lines = "".join(f"{name} = {value}\n" for name, value in targets.items())
    (folder / "cslib.toml").write_text(f"as_of = 2024-12-31\n[targets]\n{lines}")
    return cs.Scorecard(cs.load(folder))


@pytest.mark.usefixtures("added")
def test_it_stands_in_the_catalogue_history_table_cards_and_targets(tmp_path):
    score = scored(tmp_path / "data", customer_age=12)
    assert score.definitions.table.set_index("kpi").loc["customer_age", "sources"] == "customers"
    (told,) = score.measured.of_all("customer_age").to_dict("records")
    assert (told["months"], told["n"], told["value"]) == (1, 2, pytest.approx(AGES))
    row = score.table.set_index("kpi").loc["customer_age"]
    assert row[["period", "target", "status"]].tolist() == ["December 2024", 12, "missed"]
    card = score.answer.cards[-1]
    assert (card.kpi, card.label, card.n, card.status) == ("customer_age", "Average customer age", 2, "missed")
    (said,) = score.attention.attention
    assert said.startswith("**Average customer age is 9.0 months, below its target of 12 months**")
    assert said.endswith("(scorecard#where-does-every-kpi-stand)")
    assert score.kpis.shown.set_index("KPI").loc["Average customer age, months", "Value"] == "9.0"
    assert score.kpis.terms["Average customer age, months"] == card.means == "For how long have customers been here?"


@pytest.mark.usefixtures("added")
def test_where_it_cannot_be_measured_the_others_are(tmp_path, monkeypatch):
    def fails(data, setting):
        msg = "no ages"
        raise cs.DataError(msg)
        yield

    import ages

    monkeypatch.setitem(ages.KPIS, "customer_age", replace(ages.KPIS["customer_age"], measure=fails))
    score = scored(tmp_path / "data")
    assert score.measured.reasons["customer_age"] == "no ages"
    assert "Not measured: Average customer age – no ages." in score.kpis.notes
    assert "customer_churn_rate" in set(score.measured.history["kpi"])
