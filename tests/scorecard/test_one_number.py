"""One number per fact: a KPI has one value in all reports, and what is said of all depends on no segments."""

from functools import partial

import pytest

import cslib as cs

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


@pytest.mark.slow
def test_headlines_of_all_depend_on_no_segments(cards):
    assert list(cards[""]) == list(cards["plan"])
    for name, card in cards[""].items():
        assert told(cards["plan"][name]) == pytest.approx(told(card), rel=1e-9, nan_ok=True), name


@pytest.mark.slow
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
        "nps",
        "response_rate",
    }
    for card in known:
        row = kpis.loc[card.kpi]
        assert card.value == pytest.approx(row["value"], rel=1e-12), card.kpi
        assert card.label.startswith(row["label"])
        if card.ci_lower is not None and not row[["ci_lower", "ci_upper"]].isna().any():
            assert [card.ci_lower, card.ci_upper] == pytest.approx(row[["ci_lower", "ci_upper"]].tolist(), rel=1e-12)


@pytest.mark.slow
def test_the_scorecard_of_all_depends_on_no_segments(sample, by_plan, monkeypatch):
    terms = {"gross_margin": 0.8, "annual_discount_rate": 0.08, "value_feature": "reports"}
    parted = by_plan.table.set_index("kpi")[["value", "ci_lower", "ci_upper", "n"]].astype(float)
    monkeypatch.setattr("cslib.value.kpis.PAST", (0,))  # customer value of earlier days is not compared
    plain = cs.Scorecard(sample, **terms).table.set_index("kpi")[["value", "ci_lower", "ci_upper", "n"]].astype(float)
    assert ((plain - parted).abs() <= 1e-9 * plain.abs()).where(plain.notna(), True).all(axis=None)
