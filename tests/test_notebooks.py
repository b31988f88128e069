"""Every notebook under several parameter sets, on odd data, and by plain papermill.

What is computed is tested where it is; here, that a page shows it. Where the computing is long, a small business does.
"""

import json

import nbformat
import pandas as pd
import pytest

from cslib.report import batch
from cslib.report.engine import render
from cslib.report.parameters import find_notebooks
from cslib.sample.world import TRUTH
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.terms import named, terms

NAMES = [n.name for n in find_notebooks()]
RETENTION = {"retention", "retention_curve", "revenue_retention", "revenue_curve", "cohort_comparison", "cohort_years"}


def report(name, out, **parameters):
    notebook = next(n for n in find_notebooks() if n.name == name)
    run = render(notebook, out=out, parameters=parameters)
    assert run.ok, run.error
    return run, {p.stem: pd.read_csv(p) for p in (out / name).glob("*.csv")}


def write(folder, **tables):
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return str(folder)


@pytest.mark.long
def test_retention_of_usage_by_week(tmp_path, small):
    parameters = {"source": "usage", "period": "week", "max_periods": 12, "kind": "on_or_after"}
    run, tables = report("cohort_retention", tmp_path, data=str(small), **parameters)
    assert set(tables) > RETENTION
    assert "were active in week 12 or later" in run.answer
    assert "Do not compare newer with older cohorts by it" in run.html.read_text()


@pytest.mark.long
def test_retention_by_plan_and_the_page_fits(tmp_path, root, open_report):
    run, tables = report("cohort_retention", tmp_path, data=str(root / "data"), segment_by="plan")
    assert set(tables) > RETENTION
    assert "Newer customers stay longer" in run.answer
    page = run.html.read_text()
    assert all(f"{name}.csv" in page for name in tables)
    assert "Do not compare newer with older cohorts by it" not in page
    assert run.html.stat().st_size < 2_000_000
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


ONE = "customer_id,started_on,churned_on,plan\n00123,2025-01-05,,Pro\n"
GONE = "customer_id,started_on,churned_on\n" + "".join(
    f"c{i},2025-0{i % 3 + 1}-05,2025-0{i % 3 + 3}-20\n" for i in range(12)
)
STAY = "customer_id,started_on,churned_on\n" + "".join(f"c{i},2025-0{i % 3 + 1}-05,\n" for i in range(12))
LATE = "customer_id,started_on,churned_on\na,2025-06-05,\n"
ORDERS = "customer_id,ordered_on,amount\na,2025-01-03,5\na,2025-02-03,5\nb,2025-02-07,5\n"
MANY = "customer_id,started_on,churned_on,plan\n" + "".join(
    f"c{i},2024-{i % 12 + 1:02d}-05,{'2025-01-20' if i % 3 else ''},$\\foo${i % 12} <b>\n" for i in range(480)
)
TENURE = "customer_id,tenure_months,churned\na,3,yes\nb,0,no\nc,12,no\n"


CHURN = {
    "survival": ["segment", "duration_months", "n_at_risk", "n_events", "n_censored", "survival", "ci_lower", "ci_upper"],
    "survival_summary": ["segment", "n_customers", "n_events", "median_months", "median_ci_lower", "median_ci_upper", "tau_months", "rmst_months", "rmst_ci_lower", "rmst_ci_upper", "survival_12m", "survival_12m_ci_lower", "survival_12m_ci_upper"],
    "logrank": ["segment_a", "segment_b", "statistic", "df", "p_value", "p_adjusted", "log10_p_value", "rmst_difference_months", "ci_lower", "ci_upper"],
    "models": ["segment", "model", "n_parameters", "log_likelihood", "aic", "holdout_score", "weight"],
    "drivers": ["term", "level", "n", "hazard_ratio", "ci_lower", "ci_upper", "p_value", "ph_p_value"],
    "at_risk": ["customer_id", "segment", "tenure_months", "p_churn", "mrr", "money_at_risk", "reason", "last_used_on", "n_tickets", "last_answer", "answered_on", "plan", "region", "channel", "onboarding"],
}  # fmt: skip


@pytest.mark.long
def test_churn_on_the_sample(tmp_path, root):
    asked = {"segment_by": "region", "where": "plan=Team", "as_of": "2025-03-15", "drivers": "onboarding,channel"}
    terms = {"horizon_months": 6, "tau_months": 24.0, "capacity": 40, "gross_margin": 0.8}
    run, tables = report("churn_survival", tmp_path, data=str(root / "data"), **asked, **terms)
    for name, columns in CHURN.items():
        assert list(tables[name]) == columns
    assert tables["forecast"].months_ahead.max() == 6
    assert set(tables["survival_summary"].tau_months) == {24}
    assert set(tables["drivers"].term) <= {"onboarding", "channel"}
    assert run.answer
    page = run.html.read_text()
    assert "40 of" in page
    assert "within 6 months; the 40 customers at the top hold " in page
    assert "we cannot tell these customers apart by risk, so each part of the list is in order of revenue" in page
    assert run.html.stat().st_size < 2_000_000


@pytest.mark.long
def test_the_planted_hazards_are_recovered_and_the_page_fits(tmp_path, root, open_report):
    """Plans have hazard ratios 0.6 and 0.35; attitude, which is no column, draws them a little towards 1."""
    run, tables = report("churn_survival", tmp_path, data=str(root / "data"), segment_by="plan")
    for name, columns in CHURN.items():
        assert list(tables[name]) == columns
    assert {"cumulative_incidence", "churn_rate", "forecast", "survival_at", "churn_reconciliation"} <= set(tables)
    ratios = tables["drivers"].set_index(["term", "level"])
    for plan in ("Team", "Enterprise"):
        row = ratios.loc["plan", plan]
        assert row.ci_lower <= TRUTH.plan_hazard_ratio[plan] <= row.ci_upper
    others = tables["drivers"].query("term != 'plan'").dropna(subset="ci_lower")
    assert ((others.ci_lower <= 1) & (others.ci_upper >= 1)).all()
    assert "Enterprise customers stay" in run.answer
    first = tables["hazard"].query("segment == 'All'").hazard
    assert first.iloc[0] > 2 * first.iloc[12]
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


OLD = "customer_id,started_on,churned_on\n" + "".join(
    f"c{i},2024-0{i % 9 + 1}-05,{'2025-06-20' if i % 6 == 0 else ''}\n" for i in range(60)
)


VALUE = {
    "ltv": ["segment", "method", "horizon_months", "ltv", "ci_lower", "ci_upper", "share_in_tail", "n_customers"],
    "ltv_by_age": ["segment", "age_months", "residual_value", "ci_lower", "ci_upper", "n_active", "differs", "share_in_tail"],
    "payback": ["segment", "cac", "payback_months", "ci_lower", "ci_upper", "ltv_to_cac", "ltv_to_cac_ci_lower", "ltv_to_cac_ci_upper", "ltv_before_cac"],
    "what_if": ["segment", "change", "ltv", "ltv_gain", "ltv_gain_ci_lower", "ltv_gain_ci_upper", "base_gain", "base_gain_ci_lower", "base_gain_ci_upper"],
    "backtest": ["segment", "month", "predicted", "ci_lower", "ci_upper", "actual", "measure", "months_ahead", "error", "held", "n_held"],
    "base_steps": ["segment", "step", "value", "difference", "by_leaving"],
    "base_value": ["segment", "horizon_months", "n_active", "mrr", "base_value", "ci_lower", "ci_upper", "share_in_tail"],
}  # fmt: skip


@pytest.mark.long
def test_value_of_some_on_a_past_day(tmp_path, small):
    parameters = {"segment_by": "channel", "where": "plan=Team", "as_of": "2025-03-15", "horizon_months": 24}
    run, tables = report("lifetime_value", tmp_path, data=str(small), **parameters)
    for name, columns in VALUE.items():
        assert list(tables[name]) == columns
    assert "A new customer is worth USD" in run.answer
    assert "over 24 months" in run.answer


@pytest.mark.long
def test_value_by_plan_and_the_page_fits(tmp_path, small, open_report):
    terms = {"gross_margin": 0.8, "annual_discount_rate": 0.08}
    run, tables = report("lifetime_value", tmp_path, data=str(small), segment_by="plan", **terms)
    for name, columns in VALUE.items():
        assert list(tables[name]) == columns
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


PRICED = TENURE.replace("churned\n", "churned,mrr\n").replace("yes\n", "yes,20\n").replace("no\n", "no,30\n")
KEPT = "customer_id,started_on,churned_on,mrr\n" + "".join(f"c{i},2025-0{i % 3 + 1}-05,,{10 + i}\n" for i in range(30))


NPS = {
    *("nps", "nps_groups", "nps_trend", "nps_change", "nps_drivers", "nps_other_answers", "nps_non_response"),
    *("nps_response", "nps_churn", "nps_unhappy"),
}
OTHERS = {"crossed", "distribution", "csat_trend"}


@pytest.mark.long
def test_effort_of_some_customers_in_a_quarter(tmp_path, root):
    parameters = {"survey": "ces", "where": "plan=Enterprise", "window": "2025-Q1", "compare_to": "year before"}
    run, tables = report("nps_segmentation", tmp_path, data=str(root / "data"), **parameters)
    assert "CES is" in run.answer
    assert {*(name.replace("nps", "ces") for name in NPS), *OTHERS, "nps", "csat", "nps_trend"} == set(tables)
    assert (tables["ces"]["n_responses"].iloc[1:] >= 10).all()


@pytest.mark.long
def test_scores_by_plan_and_the_page_fits(tmp_path, root, open_report):
    """Attitude is no column, so no plan differs; detractors leave faster, and the silent feel worse."""
    run, tables = report("nps_segmentation", tmp_path, data=str(root / "data"), segment_by="plan", gross_margin=0.8)
    assert {*NPS, *OTHERS, "nps_churn_by_segment", "csat", "ces", "ces_trend"} == set(tables)
    whole = tables["nps_change"].iloc[0]
    assert whole.mix_effect + whole.within_effect == pytest.approx(whole.change)
    detractors = tables["nps_churn"].set_index("group").loc["detractors"]
    assert (
        detractors.hazard_ratio_ci_lower <= TRUTH.attitude_hazard_ratio["detractor"] <= detractors.hazard_ratio_ci_upper
    )
    assert "**Detractors left more often**: 47 % over 12 months, against 27 % of promoters." in run.answer
    silent = tables["nps_non_response"].set_index("weighted_by").nps
    assert silent["all of these"] < silent["nothing"]
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


ASKED = "customer_id,asked_on,survey,score,answered_on\n"
SCORES = ASKED + "".join(
    f"c{i},2024-1{i % 3}-10,nps,{i * 7 % 11 if i % 3 else ''},{f'2024-1{i % 3}-12' if i % 3 else ''}\n"
    for i in range(60)
)


REVENUE = {
    "mrr_movements": ["segment", "month", "opening", "new", "expansion", "contraction", "churn", "reactivation", "closing", "n_opening", "n_new", "n_churned", "n_reactivated", "n_closing", "nrr", "nrr_ci_lower", "nrr_ci_upper", "grr", "grr_ci_lower", "grr_ci_upper", "quick_ratio", "arpa", "logo_churn_rate"],
    "conversions": ["month", "kind", "n", "amount", "n_all", "rate", "ci_lower", "ci_upper"],
    "crc": ["month", "retention_cost", "n_retained", "crc", "margin", "share_of_margin", "acquisition_cost", "n_new", "cac"],
    "definitions": ["measure", "convention", "value", "formula", "used_here"],
}  # fmt: skip


@pytest.mark.long
def test_revenue_by_plan_and_the_page_fits(tmp_path, root, open_report):
    run, tables = report("revenue", tmp_path, data=str(root / "data"), segment_by="plan", gross_margin=0.8)
    for name, columns in REVENUE.items():
        assert list(tables[name])[: len(columns)] == columns
    assert "Monthly recurring revenue is" in run.answer
    page = run.html.read_text()
    assert all(f"{name}.csv" in page for name in tables)
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


@pytest.mark.long
def test_revenue_of_some_with_the_costs_of_all(tmp_path, small):
    run, tables = report("revenue", tmp_path, data=str(small), where="plan=Team", gross_margin=0.7)
    assert REVENUE.keys() < set(tables)
    assert "so that of those shown here is not known." in run.html.read_text()


PAID = "customer_id,started_on,ended_on,mrr\n"
EVERYTHING = (
    PAID
    + "a,2024-01-05,2024-03-01,20\na,2024-02-01,2025-01-10,30\na,2025-03-05,,5\nb,2024-06-05,2024-06-05,9\nc,2024-06-05,,0\n"
)


SCORES_OF = {
    "kpis": ["kpi", "period", "value", "ci_lower", "ci_upper", "n", "unit", "previous", "target", "status", "definition"],
    "kpi_history": ["kpi", "segment", "until", "months", "value", "ci_lower", "ci_upper", "n"],
    "kpis_by_segment": ["kpi", "segment", "value", "ci_lower", "ci_upper", "n"],
    "definitions": ["kpi", "label", "group", "question", "formula", "unit", "direction", "sources", "variants"],
}  # fmt: skip


@pytest.mark.long
def test_the_scorecard_holds_every_kpi_and_the_page_fits(tmp_path, small, open_report):
    (tmp_path / "revenue.html").write_text("")
    terms = {"gross_margin": 0.8, "annual_discount_rate": 0.08, "value_feature": "reports"}
    run, tables = report("scorecard", tmp_path, data=str(small), segment_by="plan", **terms)
    for name, columns in SCORES_OF.items():
        assert list(tables[name])[: len(columns)] == columns
    kpis = tables["kpis"].set_index("kpi")
    assert set(kpis.index) == set(catalogue())
    assert kpis[["value", "n", "definition", "unit", "period", "previous"]].notna().all(axis=None)
    assert "1 of 6 targets is missed: customer churn over 12 months" in run.answer
    page = run.html.read_text()
    assert 'data-to="' in page
    assert page.count('class="cs-card"') == page.count('class="cs-spark"') == 8
    assert run.html.stat().st_size < 500_000
    for width, media in ((360, "screen"), (1240, "screen"), (794, "print")):
        with open_report(run.html, width=width) as opened:
            opened.page.emulate_media(media=media)
            assert opened.page.evaluate("document.documentElement.scrollWidth") == width
            assert (len(opened.requests), opened.complaints) == (1, [])


@pytest.mark.long
def test_the_scorecard_of_little_data_says_what_is_missing(tmp_path):
    data = write(tmp_path, subscriptions=EVERYTHING, customers=ONE)
    parameters = {"as_of": "2025-06-15", "segment_by": "plan", "ces_lower_is_easier": False}
    run, found = report("scorecard", tmp_path / "out", data=data, **parameters)
    assert run.answer.startswith("No targets are set")
    assert len(found["kpis"]) == len(catalogue())
    missing = found["kpis"][found["kpis"]["value"].isna()]
    assert missing["status"].str.match("not measured: .{8}").all()
    page = run.html.read_text()
    plain = terms(ces_scale=10, ces_lower_is_easier=False)
    names = [named(plain.get(row.kpi), row.label) for row in missing.itertuples()]
    assert [name for name in names if name not in page.replace("\N{NO-BREAK SPACE}", " ")] == []
    assert found["definitions"].set_index("kpi").loc["ces", "direction"] == "up"


@pytest.mark.long
def test_faults_stop_the_report_and_are_all_named(tmp_path):
    data = write(tmp_path, customers="customer_id,started_on,churned_on\n1,01.02.2025,\n1,2025-01-01,\n")
    notebook = find_notebooks()[0]
    run = render(notebook, out=tmp_path / "out", parameters={"data": data})
    assert not run.ok
    assert "no date (first: 01.02.2025 in row 1)" in run.error
    assert "more than once" in run.error


@pytest.mark.long
def test_rows_set_aside_are_published(tmp_path):
    data = write(tmp_path, customers=ONE + "2,never,,Pro\n=1+1,2025-13-01,,Pro\n")
    (tmp_path / "cslib.toml").write_text('as_of = 2025-04-30\n[customers]\non_fault = "set_aside"\n')
    _, tables = report("cohort_retention", tmp_path / "out", data=data)
    assert tables["set_aside_customers"].started_on.tolist() == ["never", "2025-13-01"]
    assert tables["set_aside_customers"].customer_id.astype(str).tolist() == ["2", "'=1+1"]


@pytest.mark.long
def test_what_was_invoiced_and_what_of_it_is_mrr_is_published(tmp_path):
    lines = [f"{i},2024-{m:02d}-01,50,recurring" for i in (1, 2, 3) for m in range(1, 13)]
    text = "\n".join(["customer_id,invoiced_on,amount,kind", *lines, "1,2024-03-01,9.50,tax", ""])
    data = write(tmp_path, invoices=text)
    _, tables = report("revenue", tmp_path / "out", data=data)
    table = tables["reconciliation"].set_index("bucket")
    assert table["amount"].to_dict() == {"recurring": 1800.0, "tax": 9.5, "invoiced": 1809.5}
    assert tables["mrr_movements"]["closing"].iloc[0] == 150.0


@pytest.mark.long
@pytest.mark.parametrize("name", [n for n in NAMES if n != "cohort_retention"])
def test_plain_papermill_runs_it(tmp_path, root, small, name):
    """The README runs cohort retention so, with the same parameter."""
    import papermill

    path = str(root / "notebooks" / f"{name}.ipynb")
    parameters = {"data": str(small), "segment_by": "plan", "as_of": "2022-12-31"}
    papermill.execute_notebook(path, str(tmp_path / "out.ipynb"), parameters=parameters, progress_bar=False)
    cells = nbformat.read(tmp_path / "out.ipynb", 4).cells
    assert all(c.execution_count for c in cells if c.cell_type == "code")


@pytest.mark.parametrize("name", NAMES)
def test_house_style(root, name):
    cells = json.loads((root / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert sum("".join(c["source"]).startswith("# ") for c in cells if c["cell_type"] == "markdown") == 1
    assert max(len("".join(c["source"]).splitlines()) for c in code) <= 12
    assert not any(("def " in line or line.startswith("class ")) for c in code for line in c["source"])
    tagged = [c for c in code if "nbval-check-output" in c["metadata"].get("tags", [])]
    assert tagged
    assert not any(c["outputs"] for c in code if c not in tagged)


def test_every_parameter_has_a_type_and_help():
    for notebook in find_notebooks():
        assert all(p.help for p in notebook.parameters)
        assert {"data", "as_of", "segment_by", "where"} <= {p.name for p in notebook.parameters}


@pytest.mark.long
def test_render_all_keeps_going(tmp_path, root):
    runs = batch.render_all(find_notebooks(), out=tmp_path, parameters={"data": str(tmp_path / "no")})
    assert [r.ok for r in runs] == [False] * len(runs)
    assert "is not there" in (tmp_path / "index.html").read_text()
