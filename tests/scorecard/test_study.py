"""The study of all KPIs: on the sample, and on odd data."""

import re

import pandas as pd
import pytest

import cslib as cs
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.sample.world import TRUTH
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.terms import TERMS, named
from cslib.show import display
from cslib.show.formats import LINK


def frame(columns, rows):
    return pd.DataFrame(rows, columns=columns.split(","))


def people(rows):
    return frame("customer_id,started_on,churned_on", rows)


GONE = people([(f"c{i}", f"2025-0{i % 3 + 1}-05", f"2025-0{i % 3 + 3}-20") for i in range(12)])
ONE = frame("customer_id,started_on,churned_on,plan", [("00123", "2025-01-05", None, "Pro")])
MANY = people([(f"c{i}", f"2024-{i % 12 + 1:02d}-05", "2025-01-20" if i % 3 else None) for i in range(480)])
MANY["plan"] = [f"$\\foo${i % 12} <b>" for i in range(480)]
TENURES = frame(
    "customer_id,tenure_months,churned,mrr", [("a", 3, True, 20), ("b", 0, False, 30), ("c", 12, False, 30)]
)
KEPT = people([(f"c{i}", f"2025-0{i % 3 + 1}-05", None) for i in range(30)]).assign(mrr=range(10, 40))
USAGE = pd.DataFrame({"customer_id": ["c1"], "occurred_at": ["2025-01-05"]})
ORDERS = frame(
    "customer_id,ordered_on,amount", [("a", "2025-01-03", 5), ("a", "2025-02-03", 5), ("b", "2025-02-07", 5)]
)
SURVEYS = pd.DataFrame(
    {
        "customer_id": [f"c{i}" for i in range(60)],
        "asked_on": [f"2024-1{i % 3}-10" for i in range(60)],
        "survey": "nps",
        "score": [i * 7 % 11 if i % 3 else None for i in range(60)],
        "answered_on": [f"2024-1{i % 3}-12" if i % 3 else None for i in range(60)],
    }
)
PAID = "customer_id,started_on,ended_on,mrr"
MONTH = frame(PAID, [("a", "2025-04-02", None, 10)])
EVERYTHING = frame(
    PAID,
    [
        ("a", "2024-01-05", "2024-03-01", 20), ("a", "2024-02-01", "2025-01-10", 30), ("a", "2025-03-05", None, 5),
        ("b", "2024-06-05", "2024-06-05", 9), ("c", "2024-06-05", None, 0),
    ],
)  # fmt: skip


@pytest.fixture
def shown(monkeypatch):
    """Show everything of a study and give back the bundles that a report reads."""
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: seen.append(data[display.MIME]))

    def show(*things):
        seen.clear()
        for thing in things:
            thing._ipython_display_()
        return list(seen)

    return show


def test_findings_are_questions_in_the_order_of_the_report():
    found = cs.Scorecard.findings()
    assert list(found) == ["attention", "kpis", "segments", "definitions"]
    assert all(question.endswith("?") for question in found.values())


@pytest.mark.slow
def test_five_lines_are_enough(by_plan):
    assert by_plan.table.set_index("kpi").loc["nrr", "status"] == "missed"
    assert by_plan.kpis.shown["KPI"].tolist()[0] == "Net revenue retention (NRR)"
    assert "2 of 6 targets are missed: net revenue retention and customer churn, over 12 months" in by_plan.answer.text
    with pytest.raises(ParameterError, match="kpis is a table"):
        by_plan.kpis.plot()


@pytest.mark.slow
def test_the_sample_is_judged_as_it_was_made(by_plan):
    kpis = by_plan.table.set_index("kpi")
    assert set(kpis.index) == set(catalogue())
    assert kpis[["value", "n", "definition", "unit", "period", "previous"]].notna().all(axis=None)
    targets = kpis.dropna(subset="target")["status"]
    assert targets["nrr"] == targets["customer_churn_rate"] == "missed"
    assert kpis["judged_over"].to_dict() == dict.fromkeys(kpis.index, "") | {
        "customer_churn_rate": "12 months",
        "nps": "12 months",
    }
    assert targets["crc_share_of_margin"] == "met"
    assert len(targets) == 6
    assert kpis.loc["cross_sell_rate", "change"] == "higher"
    assert 0 < kpis.loc["feature_adoption", "value"] < TRUTH.feature_share["reports"]


@pytest.mark.slow
def test_eight_cards_head_the_report_in_four_short_lines(by_plan, shown):
    """All six targets of the sample are among them; the first bundle of cards is what the home page takes."""
    (cards,) = (part["cards"] for part in shown(by_plan.answer, *by_plan.results()) if part["kind"] == "cards")
    assert [card["kpi"] for card in cards] == [
        *("mrr", "nrr", "customer_churn_rate", "ltv", "nps", "active_share", "time_to_value", "crc_share_of_margin")
    ]
    assert sum(card["status"] != "" for card in cards) == 6
    assert all(len(card["trend"]) > 1 for card in cards)
    lines = [card["detail"].split("\n") for card in cards]
    last = {card["kpi"]: own[2] for card, own in zip(cards, lines, strict=True) if len(own) > 2}
    assert list(last) == ["mrr", "nps", "active_share", "time_to_value"]
    assert {len(own) for own in lines} == {2, 3}
    assert (last["nps"], last["mrr"]) == ("everyone asked: 32", "by past growth 761 to 907 k")
    assert max(len(line) for own in lines for line in own) <= 30


@pytest.mark.slow
def test_every_abbreviation_is_explained_beside_it(by_plan):
    """Every name says what it means, in the table and on each card, and begins with a plain word."""
    result = by_plan.kpis
    names = [*result.shown["KPI"]]
    assert [*result.terms] == [*dict.fromkeys(names)]
    assert result.terms["Customer effort score (CES)"].endswith("from 1 (easy) to 10 (hard).")
    assert all(re.match(r"[A-Z][a-z]|NPS response rate", name) for name in [*names, *by_plan.segments.shown["KPI"]])
    assert all(card.means for card in by_plan.answer.cards)
    assert {*TERMS} <= {*catalogue()}


@pytest.mark.slow
def test_what_needs_attention_leads_to_where_it_is_explained(by_plan, shown):
    parts = shown(by_plan.answer, *by_plan.results())
    said = [part["text"] for part in parts if part["kind"] == "attention"]
    assert len(said) == 7
    csat = "**Customer satisfaction (CSAT) of April to June 2025 is 68.5 %, clearly below the 74.0 % of all quarters before**, though January to March 2024 was "
    assert said[2].startswith(csat), "as the survey report has it"
    assert "owest" not in said[2], "who is lowest is not who fell"
    assert "Over 12 months, highest is Starter: 5.2 %." in said[1]
    assert all(LINK.search(text).end() == len(text) for text in said)
    assert "(NRR) over 12 months is 88.9 % (84.0 to 93.6), below its target of 95 %, by USD 28.1 k a month**" in said[0]
    assert (
        "Enterprise (81.0 %) is USD 32.9 k a month short: none of its customers pays more than a year ago. "
        "Starter (82.0 %) is short by 6,750; Team (101.6 %) makes up 11.5 k. ["
    ) in said[0]
    assert said[-2].startswith("**Better: Cross-sell rate is 12.9 %, clearly up from 9.6 % a year ago**")
    assert said[-1].startswith(
        "**Better: Gross revenue retention (GRR) over 12 months is 75.7 %, clearly up from 69.0 %"
    )
    assert "a year ago it was 87.3 %, which was lifted by the unusual expansion of April 2024. " in said[0]
    assert "Customer churn is 3.9 % a month over 12 months" in said[1]


@pytest.mark.slow
def test_the_table_tells_every_kpi_once_or_says_which_does(by_plan):
    table, notes = by_plan.kpis.shown, " ".join(by_plan.kpis.notes)
    assert len(table) == len(catalogue()) - 5 + 2  # churn and NPS have a row of 12 months and one of the last period
    assert (
        "Customer retention, which is 100 % minus Customer churn; Revenue retention, which is 100 % minus Revenue churn"
        in notes
    )
    assert (
        "LTV (formula A), LTV (formula B) and LTV (formula C), for which see [Method](lifetime_value#method)" in notes
    )
    standing = [status for status in table["Status"] if status]
    assert standing == ["missed"] * 2 + ["not clear"] * 2 + ["met"] * 2
    assert table["Change"].tolist()[3] == "worse"  # what became worse without a target comes after what is missed
    assert table.loc[table["Target"] != "", "KPI"].nunique() == 6
    assert not table.isna().any(axis=None)


@pytest.mark.slow
def test_a_report_keeps_its_files(by_plan, shown):
    parts = shown(*by_plan.results())
    tables = {p["name"]: p["columns"] for p in parts if p["kind"] == "table"}
    kept = {f["name"]: f["columns"] for p in parts if p["kind"] == "files" for f in p["files"]}
    assert set(tables) == {"kpis_by_segment", "kpis", "definitions"}
    assert by_plan.segments.shown.columns[0] == "KPI"
    assert sorted(by_plan.segments.shown.columns[1:]) == ["All", "Enterprise", "Starter", "Team"]
    assert tables["definitions"] == ["kpi", "label", "group", "question", "formula", "unit", "direction", "sources", "variants"]  # fmt: skip
    assert tables["kpis_by_segment"] == [
        "kpi",
        "segment",
        "value",
        "ci_lower",
        "ci_upper",
        "n",
        "p_adjusted",
        "verdict",
        "judged_over",
    ]
    assert kept["kpi_history"] == ["kpi", "segment", "until", "months", "value", "ci_lower", "ci_upper", "n"]
    assert tables["kpis"][:11] == ["kpi", "period", "value", "ci_lower", "ci_upper", "n", "unit", "previous", "target", "status", "definition"]  # fmt: skip
    captions = [f["caption"] for p in parts if p["kind"] == "files" for f in p["files"]]
    assert all(captions)
    assert all(p["caption"] for p in parts if p["kind"] == "table")


@pytest.mark.slow
def test_the_table_of_definitions_is_the_catalogue(by_plan):
    assert by_plan.definitions.table["kpi"].tolist() == list(catalogue())
    ces = by_plan.definitions.table.set_index("kpi").loc["ces"]
    assert ces[["direction", "sources", "variants"]].tolist() == ["down", "surveys", "share of easy answers"]


def test_only_the_six_largest_segments_stand_side_by_side():
    score = cs.Scorecard(cs.load({"customers": MANY}, as_of="2025-04-30"), by="plan")
    assert (
        score.segments.caption
        == "KPIs by plan (the 6 largest of 12), of the last period, or of the 12 months that are named"
    )
    assert score.segments.shown.shape[1] == 8
    assert score.segments.table["segment"].nunique() == 12


@pytest.mark.long
@pytest.mark.parametrize(
    ("tables", "as_of", "by", "words"),
    [
        ({"subscriptions": MONTH}, "2025-04-30", "", "No targets are set"),
        ({"subscriptions": EVERYTHING, "customers": ONE}, "2025-06-15", "plan", "No targets are set"),
        ({"customers": TENURES}, "", "", "No change can be judged yet"),
        ({"customers": GONE}, "2025-12-31", "", "No KPI can be measured"),
        ({"orders": ORDERS, "surveys": SURVEYS}, "2025-03-31", "", "No KPI can be measured"),
        ({"customers": MANY}, "2025-04-30", "plan", "No targets are set"),
    ],
    ids=["one month", "gaps, overlaps, trials", "tenures", "all gone", "surveys", "odd segment names"],
)
def test_odd_data_give_a_stated_scorecard(shown, tables, as_of, by, words):
    score = cs.Scorecard(cs.load(tables, as_of=as_of), by=by)
    assert words in score.answer.text.replace("**", "")
    assert len(score.table) == len(catalogue())
    missing = score.table[score.table["value"].isna()]
    assert missing["status"].str.match("not measured: .{8}").all()
    said = " ".join(score.kpis.notes)
    assert all(named(TERMS[row.kpi], row.label) in said for row in missing.itertuples())
    parts = shown(score.answer, *score.results())
    cards = [card for part in parts if part["kind"] == "cards" for card in part["cards"]]
    assert len(cards) <= 8
    assert all(card["value"] is not None and not card["status"] for card in cards)


def test_without_segments_there_is_nothing_to_say_of_them():
    segments = cs.Scorecard(cs.load({"customers": GONE}, as_of="2025-12-31")).segments
    assert (segments.name, segments.absent, segments.notes) == ("kpis_by_segment", "", ())
    assert segments.table.empty


def test_data_of_no_kpi_say_what_to_add():
    calls = pd.DataFrame({"customer_id": ["a"], "occurred_on": "2025-01-05", "kind": "call"})
    with pytest.raises(MissingTableError, match=r"No KPI can be measured.*Add subscriptions"):
        _ = cs.Scorecard(cs.load({"touchpoints": calls})).answer


@pytest.mark.long
@pytest.mark.parametrize(
    ("targets", "parameters", "words"),
    [
        ("churn = 0.02", {}, "[targets] names 'churn', which is no KPI. Did you mean"),
        ("grr = 95", {}, "Did you mean 0.95?"),
        ("", {"value_feature": "chat"}, "Add it, or leave it empty"),
        ("", {"gross_margin": 80.0}, "Did you mean 0.8?"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, targets, parameters, words):
    (tmp_path / "cslib.toml").write_text(f"as_of = 2025-12-31\n[targets]\n{targets}\n")
    KEPT.to_csv(tmp_path / "customers.csv", index=False)
    USAGE.to_csv(tmp_path / "usage.csv", index=False)
    with pytest.raises((DataError, ParameterError)) as refused:
        _ = cs.Scorecard(cs.load(tmp_path), **parameters).answer
    assert words in str(refused.value)
