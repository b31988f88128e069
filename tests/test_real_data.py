"""CDNOW purchases and IBM telco customers: real files with real oddities."""

import pandas as pd
import pytest

from cslib import load
from cslib.report.engine import render
from cslib.report.parameters import find_notebooks
from cslib.retention.cohorts import retention, retention_curve, tenure_curve


@pytest.mark.slow
def test_cdnow_cohorts(real_data):
    data = load(real_data / "cdnow.toml")
    assert data.as_of.isoformat() == "1998-06-30"
    assert data.statistics["orders"]["rows"] == 69_659
    assert any("255 rows repeating another exactly" in f.message for f in data.faults)
    orders = data.table("orders")
    assert int((orders.amount == 0).sum().execute()) == 80
    assert orders.customer_id.min().execute() == "00001"
    table = retention(data)
    sizes = table[table.period_index == 0].set_index("cohort").n_customers
    assert {f"{c:%Y-%m}": n for c, n in sizes.items()} == {"1997-01": 7846, "1997-02": 8476, "1997-03": 7248}
    assert sizes.sum() == 23_570


@pytest.mark.slow
def test_cdnow_equals_pandas(real_data, monkeypatch):
    import os
    from pathlib import Path

    rows = pd.read_csv(Path(os.environ["CSLIB_REAL_DATA"]) / "cdnow_transactions.csv", dtype=str)
    month = pd.to_datetime(rows.date, format="%Y%m%d").dt.to_period("M")
    first = month.groupby(rows.customer_id).transform("min")
    k = (month.dt.year - first.dt.year) * 12 + month.dt.month - first.dt.month
    expected = rows.groupby([first.rename("first"), k.rename("k")]).customer_id.nunique()
    table = retention(load(real_data / "cdnow.toml"), max_periods=17)
    found = table.set_index([table.cohort.dt.to_period("M"), "period_index"]).n_retained
    assert found.astype(int).to_dict() == expected.to_dict()
    pooled = retention_curve(table).set_index("period_index")
    assert pooled.loc[1, "n_retained"] == expected.xs(1, level="k").sum()
    assert pooled.loc[17, "n_customers"] == 7846


TELCO = {  # survival after 12, 24, 48 and 72 months
    "All": (0.84320, 0.78874, 0.70884, 0.59279),
    "Month-to-month": (0.70310, 0.58592, 0.39726, 0.12895),
}


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "expected"), TELCO.items())
def test_telco_survival(real_data, contract, expected):
    data = load(real_data / "telco.toml")
    curve = tenure_curve(data, segment_by="Contract", max_periods=72).set_index(["segment", "period_index"])
    found = [curve.loc[(contract, k), "retention_rate"] for k in (12, 24, 48, 72)]
    assert found == pytest.approx(expected, abs=5e-6)
    assert curve.loc[("All", 0), "n_customers"] == 7043


def test_telco_blanks_are_missing_numbers(real_data):
    customers = load(real_data / "telco.toml").table("customers")
    blank = customers.filter(customers.TotalCharges.isnull()).execute()
    assert len(blank) == 11
    assert (blank.tenure_months == 0).all()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("cdnow", {}, "ordered in month 12"),
        ("telco", {"segment_by": "Contract", "max_periods": 72}, "were still customers 12 months on"),
    ],
)
def test_report_on_real_data(real_data, tmp_path, open_report, name, parameters, words):
    notebook = next(n for n in find_notebooks() if n.name == "cohort_retention")
    run = render(notebook, out=tmp_path, parameters={"data": str(real_data / f"{name}.toml"), **parameters}, slug=name)
    assert run.ok, run.error
    assert words in run.answer
    with open_report(run.html) as opened:
        assert len(opened.requests) == 1
        assert not opened.complaints


@pytest.mark.long
def test_telco_churn_report(real_data, tmp_path):
    """Reference values to the printed digits, through the report; drivers within contracts; forecast and list agree."""
    notebook = next(n for n in find_notebooks() if n.name == "churn_survival")
    run = render(notebook, out=tmp_path, parameters={"data": str(real_data / "telco.toml"), "segment_by": "Contract"})
    assert run.ok, run.error
    tables = {p.stem: pd.read_csv(p) for p in (tmp_path / "churn_survival").glob("*.csv")}
    summary = tables["survival_summary"].set_index("segment")
    assert summary.rmst_months.round(4).to_dict() == {
        "All": 54.4924,
        "Month-to-month": 36.2979,
        "One year": 66.4175,
        "Two year": 71.5403,
    }
    assert summary.survival_12m["All"] == pytest.approx(0.84320, abs=5e-6)
    overall = tables["logrank"].iloc[0]
    assert (overall.statistic, overall.log10_p_value) == (
        pytest.approx(2352.8725, abs=5e-5),
        pytest.approx(-510.9, abs=0.05),
    )
    assert set(tables["drivers"].term) == {"Contract", "InternetService", "PaymentMethod"}
    last = tables["forecast"].query("segment == 'All' and months_ahead == 12").iloc[0]
    listed = tables["at_risk"].p_churn.sum()
    assert last.active_ci_lower < last.n_active - listed < last.active_ci_upper
    assert "Two year customers stay 35.2 months longer than Month-to-month customers" in run.answer
