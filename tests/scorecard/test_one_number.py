"""One number per fact: a KPI has one value in all reports, and what is said of all depends on no segments."""

from functools import partial

import pandas as pd
import pytest

import cslib as cs
from cslib.churn.rates import churn_rates
from cslib.scorecard.scorecard import decided

STUDIES = (
    cs.Retention,
    cs.Churn,
    cs.Surveys,
    cs.Revenue,
    partial(cs.Value, gross_margin=0.8, annual_discount_rate=0.08),
)


def told(card):
    return [float("nan") if number is None else number for number in (card.value, card.ci_lower, card.ci_upper, card.n)]


@pytest.fixture(scope="module")
def cards(sample):
    """Headline numbers of every report, without segments and by plan, by report and label."""
    found = {by: {} for by in ("", "plan")}
    for by, own in found.items():
        for study in STUDIES:
            made = study(sample, by=by)
            own |= {(type(made).__name__, card.label): card for card in made.answer.cards}
    return found


@pytest.mark.long
def test_headlines_of_all_depend_on_no_segments(cards):
    assert list(cards[""]) == list(cards["plan"])
    for name, card in cards[""].items():
        assert told(cards["plan"][name]) == pytest.approx(told(card), rel=1e-9, nan_ok=True), name


@pytest.mark.long
def test_a_kpi_has_one_value_in_all_reports(cards, by_plan):
    kpis = by_plan.table.set_index("kpi")
    known = [card for card in cards["plan"].values() if card.kpi]
    assert {card.kpi for card in known} == {
        "customer_churn_rate",
        "mrr",
        "nrr",
        "grr",
        "ltv",
        "ltv_to_cac",
        "payback_months",
        "response_rate",
    }
    for card in known:
        row = kpis.loc[card.kpi]
        value, *ends = decided(row)
        assert card.value == pytest.approx(value, rel=1e-12), card.kpi
        assert card.label.startswith(row["label"])
        noun = by_plan.measured.kpis[card.kpi].noun
        assert card.noun == (f"{noun} month" if row["judged_over"] else noun)
        if card.ci_lower is not None and not pd.isna(ends).any():
            assert [card.ci_lower, card.ci_upper] == pytest.approx(ends, rel=1e-12)


@pytest.mark.long
def test_a_target_is_told_alike_in_all_reports(cards, by_plan):
    own = {card.kpi: card for card in by_plan.answer.cards}
    told = {(report, card.kpi or card.label.lower()): card for (report, _), card in cards["plan"].items()}
    places = [("Churn", "customer_churn_rate"), ("Revenue", "customer_churn_rate"), ("Revenue", "nrr")]
    for report, kpi in [*places, ("Surveys", "nps")]:
        card, there = told[report, kpi], own[kpi]
        assert (card.status, card.target, card.aims) == (there.status, there.target, there.aims), (report, kpi)
        assert card.status
        assert [card.value, card.ci_lower, card.ci_upper] == pytest.approx(
            [there.value, there.ci_lower, there.ci_upper], rel=1e-9
        )
    churn = [told["Churn", "customer_churn_rate"], told["Revenue", "customer_churn_rate"], own["customer_churn_rate"]]
    assert len({(card.label, card.detail, card.n, card.noun) for card in churn}) == 1


@pytest.mark.long
def test_twelve_months_have_one_value_in_all_reports(sample, by_plan):
    years = by_plan.measured.years.query("segment == 'All'").set_index("kpi")
    month = churn_rates(sample).query("method == 'start_of_period' and segment == 'All'").tail(12)
    assert years.loc["customer_churn_rate", "value"] == pytest.approx(month["n_churned"].sum() / month["n_start"].sum())
    assert cs.Churn(sample)._drift.faster is False
    assert years["trend"].tolist() == ["falling", "rising", "", "", ""]  # of churn, of retention, and of surveys
    asked = cs.Surveys(sample)
    told = asked.groups.table.query("segment == 'All'")[["nps", "ci_lower", "ci_upper", "n_responses"]]
    assert years.loc["nps", ["value", "ci_lower", "ci_upper", "n"]].tolist() == pytest.approx(told.iloc[0].tolist())
    weighted = asked.silence.table.set_index("weighted_by").loc["all of these", ["nps", "ci_lower", "ci_upper"]]
    own = years.loc["nps", ["of_all", "of_all_lower", "of_all_upper"]]
    assert own.tolist() == pytest.approx(weighted.tolist(), abs=0.01)
    before = asked.change.table.query("segment == 'All'")["score_before"]
    assert years.loc["nps", "before"] == pytest.approx(before.iloc[0])
    past = churn_rates(sample).query("method == 'start_of_period' and segment == 'All'").iloc[-24:-12]
    assert years.loc["customer_churn_rate", "before"] == pytest.approx(past["n_churned"].sum() / past["n_start"].sum())
    assert "it is 32." in asked.answer.text
    groups = cs.Surveys(sample, by="plan").answer.text
    assert "stands out" not in groups
    marks = by_plan.segments.table.query("kpi == 'nps'")
    assert marks["verdict"].tolist() == ["", "", ""]
    scored = cs.Surveys(sample, by="plan").groups.table.set_index("segment")
    assert marks.set_index("segment")["value"].to_dict() == pytest.approx(scored.loc[marks["segment"], "nps"].to_dict())
    (said,) = (text for text in by_plan.attention.attention if text.startswith("**Net promoter score (NPS)"))
    assert "estimated for everyone asked, it is 32 (29 to 36), below its target. [" in said


@pytest.mark.long
def test_a_segment_has_one_value_in_all_reports(sample, by_plan):
    """The churn, revenue, value and survey reports by plan, against the columns of the scorecard."""
    own = by_plan.segments.table.set_index(["kpi", "segment"])["value"]
    churn = cs.Churn(sample, by="plan").monthly.table.query("method == 'start_of_period'")
    year = churn.groupby("segment").tail(12).groupby("segment")[["n_churned", "n_start"]].sum()
    moved = cs.Revenue(sample, by="plan", gross_margin=0.8).by_month.table
    value = cs.Value(sample, by="plan", gross_margin=0.8, annual_discount_rate=0.08)
    worth = value.ltv.table.query("method == 'Survival' and horizon_months == 36")
    asked = cs.Surveys(sample, by="plan").groups.table
    found = {
        "customer_churn_rate": year["n_churned"] / year["n_start"],
        "mrr": moved[moved["month"] == moved["month"].max()].set_index("segment")["closing"],
        "ltv": worth.set_index("segment")["ltv"],
        "payback_months": value.payback.table.set_index("segment")["payback_months"],
        "nps": asked.set_index("segment")["nps"],
    }
    for kpi, told in found.items():
        for plan in ("Starter", "Team", "Enterprise"):
            assert own[kpi, plan] == pytest.approx(told[plan], rel=1e-9), (kpi, plan)


@pytest.mark.long
def test_the_scorecard_of_all_depends_on_no_segments(sample, by_plan, monkeypatch):
    terms = {"gross_margin": 0.8, "annual_discount_rate": 0.08, "value_feature": "reports"}
    parted = by_plan.table.set_index("kpi")[["value", "ci_lower", "ci_upper", "n"]].astype(float)
    monkeypatch.setattr("cslib.value.kpis.PAST", (0,))  # customer value of earlier days is not compared
    plain = cs.Scorecard(sample, **terms).table.set_index("kpi")[["value", "ci_lower", "ci_upper", "n"]].astype(float)
    assert ((plain - parted).abs() <= 1e-9 * plain.abs()).where(plain.notna(), True).all(axis=None)
