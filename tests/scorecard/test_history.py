from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from cslib import load
from cslib.churn.rates import churn_rates
from cslib.data.dataset import rewind
from cslib.data.kpi import HISTORY, NO_MARGIN, Setting
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.revenue.movements import movements, trailing
from cslib.revenue.spending import retention_cost
from cslib.scorecard import history as module
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.history import measure_all
from cslib.scorecard.scorecard import scorecard
from cslib.scorecard.words import Wording
from cslib.value.ltv import Terms, Worth, ltv


@pytest.fixture(scope="module")
def found(by_plan):
    return by_plan.measured


def last(found, kpi):
    return found.of_all(kpi).iloc[-1]


@pytest.mark.slow
def test_the_sample_measures_every_kpi(found):
    assert list(found.history) == HISTORY
    assert not found.reasons
    assert {name for name, kpi in found.kpis.items() if kpi.noun == "stay"} == VALUED
    table = scorecard(found)
    assert table["value"].notna().all()
    assert table["n"].notna().all()
    bounded = table.dropna(subset="ci_lower")
    assert ((bounded["ci_lower"] <= bounded["value"]) & (bounded["value"] <= bounded["ci_upper"])).all()
    assert set(table["kpi"]) - set(bounded["kpi"]) == {"mrr", "cac", "crc", "crc_share_of_margin"}
    usual = table.dropna(subset="limit_upper").set_index("kpi")
    assert {"mrr", "arpa", "customer_churn_rate"} <= set(usual.index)
    assert (usual["limit_upper"] < 4 * usual["value"]).all()
    assert (usual.loc[["mrr", "arpa"], "limit_lower"] > 0.8 * usual.loc[["mrr", "arpa"], "value"]).all()


@pytest.mark.slow
def test_values_are_those_of_the_analyses(sample, found):
    moved = movements(sample).iloc[-1]
    assert last(found, "mrr")[["value", "n"]].tolist() == [moved.closing, moved.n_closing]
    assert last(found, "arpa")["ci_lower"] == moved.arpa_ci_lower
    assert last(found, "revenue_churn_rate")["value"] == pytest.approx(1 - moved.grr)
    assert last(found, "revenue_churn_rate")["ci_lower"] == pytest.approx(1 - moved.grr_ci_upper)
    kept = trailing(sample).iloc[-1]
    assert last(found, "nrr")[["value", "ci_lower", "n"]].tolist() == pytest.approx(
        [kept.nrr, kept.nrr_ci_lower, kept.n_opening]
    )
    rates = churn_rates(sample).query("method == 'start_of_period'").iloc[-1]
    assert last(found, "customer_churn_rate")["value"] == rates.churn_rate
    assert last(found, "customer_retention_rate")["ci_upper"] == pytest.approx(1 - rates.ci_lower)
    year = retention_cost(sample, movements(sample), gross_margin=0.8, months=12).iloc[-1]
    found_costs = [last(found, k)["value"] for k in ("crc", "crc_share_of_margin", "cac")]
    assert found_costs == pytest.approx([year.crc, year.share_of_margin, year.cac])


@pytest.mark.long
def test_customer_value_is_that_of_the_report_now_and_then(sample, found, value_of, value_now):
    for months, (paths, terms) in ((0, value_now), (12, value_of(rewind(sample, date(2024, 6, 30))))):
        forms = ltv(paths, terms, horizons=[36]).set_index("method")
        own = found.of_all("ltv").set_index("until")["value"]
        until = pd.Timestamp("2025-06-30") - pd.DateOffset(months=months)
        assert own[until] == pytest.approx(forms.loc["Survival", "ltv"])
    assert last(found, "payback_months")["value"] == Worth(*value_now, horizon_months=36).payback.payback_months[0]


@pytest.fixture(scope="module")
def value_of(sample):
    """As the report computes it; whether churn has changed is asked once, of all that is known."""
    from cslib.data.drift import drift
    from cslib.value.paths import recent_paths
    from cslib.value.prices import unit_costs

    def computed(data):
        paths = recent_paths(data, drift(sample), horizon_months=36)
        return paths, Terms(costs=unit_costs(data), gross_margin=0.8, annual_discount_rate=0.08)

    return computed


@pytest.fixture(scope="module")
def value_now(sample, value_of):
    return value_of(sample)


@pytest.mark.slow
def test_segments_stand_beside_the_whole(found):
    parts = found.by_segment()
    mrr = parts[parts["kpi"] == "mrr"].set_index("segment")["value"]
    assert mrr.sum() == pytest.approx(last(found, "mrr")["value"])
    assert set(parts["kpi"]) == set(catalogue()) - {
        "upsell_rate",
        "cross_sell_rate",
        "cac",
        "crc",
        "crc_share_of_margin",
        "response_rate",
    }


@pytest.fixture
def value_of_today(monkeypatch):
    """Without that of earlier days, where it does not matter how far back it reaches; the sample has them all."""
    monkeypatch.setattr("cslib.value.kpis.PAST", (0,))


PEOPLE = pd.DataFrame(
    {
        "customer_id": [f"c{i}" for i in range(60)],
        "started_on": "2024-01-05",
        "churned_on": ["2024-09-20"] * 20 + [None] * 40,
    }
)
PAID = PEOPLE.rename(columns={"churned_on": "ended_on"}).assign(mrr=10.0)
ORDERS = pd.DataFrame(
    {"customer_id": ["a", "b"], "ordered_on": ["2025-01-05", "2025-02-07"], "amount": 5.0, "kind": ["new", "upsell"]}
)
SURVEYS = pd.DataFrame({"customer_id": ["a", "b"], "asked_on": "2025-01-05", "survey": "nps", "score": [9, 3]})
USAGE = pd.DataFrame({"customer_id": ["c1", "c40"], "occurred_at": ["2024-02-01", "2024-12-31"]})
TENURES = pd.DataFrame({"customer_id": ["a", "b"], "tenure_months": [3, 9], "churned": [True, False]})
STAYED = {"customer_churn_rate", "customer_retention_rate"}
VALUED = {"ltv", "ltv_formula_a", "ltv_formula_b", "ltv_formula_c", "ltv_to_cac", "payback_months"}


@pytest.mark.long
@pytest.mark.usefixtures("value_of_today")
@pytest.mark.parametrize(
    ("tables", "as_of", "there", "reasons"),
    [
        ({"orders": ORDERS}, "2025-03-31", {"upsell_rate", "cross_sell_rate"}, {"mrr": "needs subscriptions", "nps": "needs surveys"}),
        ({"surveys": SURVEYS}, "2025-03-31", {"nps"}, {"csat": "nobody answered", "upsell_rate": "needs orders with a kind", "response_rate": "only answers"}),
        ({"customers": PEOPLE}, "2024-12-31", STAYED, {"ltv": "needs customers, and their price", "active_share": "needs usage"}),
        ({"customers": TENURES.assign(mrr=5.0)}, "", VALUED, {"customer_churn_rate": "no churn by month"}),
        ({"customers": PEOPLE, "usage": USAGE}, "2024-12-31", STAYED | {"usage_frequency", "active_share", "time_to_value"}, {"feature_adoption": "needs usage with a feature"}),
        ({"orders": ORDERS.drop(columns="kind"), "surveys": SURVEYS}, "2025-03-31", {"nps"}, {"upsell_rate": "needs orders with a kind"}),
        ({"subscriptions": PAID}, "2024-02-29", STAYED | {"mrr", "arpa", "quick_ratio", "revenue_churn_rate", "revenue_retention_rate"} | VALUED, {"nrr": "nobody paid 12 months before"}),
    ],
    ids=["orders", "surveys", "customers", "tenures", "usage", "orders without kind", "two months"],
)  # fmt: skip
def test_what_is_missing_is_named(tables, as_of, there, reasons):
    found = measure_all(load(tables, as_of=as_of))
    assert set(found.history["kpi"]) == there
    assert set(found.reasons) == set(catalogue()) - there
    for kpi, words in reasons.items():
        assert words in found.reasons[kpi]
    table = scorecard(found).set_index("kpi")
    assert table.loc[list(found.reasons), "status"].str.startswith("not measured: ").all()


JUNE = {
    "surveys": SURVEYS.assign(asked_on="2025-06-10"),
    "orders": ORDERS.assign(ordered_on="2025-06-10"),
    "usage": USAGE.assign(occurred_at="2025-06-10", feature="search"),
    "touchpoints": pd.DataFrame({"customer_id": ["c1"], "occurred_on": "2025-06-10", "kind": "call"}),
    "costs": pd.DataFrame({"month": ["2025-06-01"] * 2, "kind": ["acquisition", "retention"], "amount": 9.0}),
}


@pytest.mark.long
@pytest.mark.usefixtures("value_of_today")
def test_margin_is_that_of_the_data_where_none_is_asked_for():
    costs = pd.DataFrame({"month": ["2025-05-01"], "kind": ["retention"], "amount": [9.0]})
    data = load({"subscriptions": PAID, "costs": costs}, as_of="2025-05-31")
    data = replace(data, targets={"crc_share_of_margin": [0.0, 1.0]})
    told = {margin: measure_all(replace(data, gross_margin=margin)) for margin in (0.0, 0.5)}
    share, half = (last(found, "crc_share_of_margin")["value"] for found in told.values())
    assert half == pytest.approx(2 * share)
    asked = measure_all(replace(data, gross_margin=0.9), setting=Setting(gross_margin=0.5))
    assert last(asked, "crc_share_of_margin")["value"] == half
    status = {m: scorecard(found).set_index("kpi").loc["crc_share_of_margin", "status"] for m, found in told.items()}
    assert status == {0.0: f"not set up: {NO_MARGIN}", 0.5: "met"}


@pytest.mark.long
@pytest.mark.usefixtures("value_of_today")
@pytest.mark.parametrize("names", [*([name] for name in JUNE), [*JUNE]], ids=" ".join)
@pytest.mark.parametrize("segment_by", ["", "plan"])
def test_what_begins_in_the_unfinished_month_costs_no_other_kpi(names, segment_by):
    plans = PAID.assign(plan=["a", "b"] * 30)
    found = measure_all(
        load({"subscriptions": plans, **{n: JUNE[n] for n in names}}, as_of="2025-06-15"),
        setting=Setting(segment_by=segment_by),
    )
    assert last(found, "mrr")["value"] == 400.0
    assert found.reasons["nps"] == ("nobody answered in the period" if "surveys" in names else "needs surveys")
    assert not [reason for reason in found.reasons.values() if "log" in reason]


@pytest.mark.long
@pytest.mark.usefixtures("value_of_today")
@pytest.mark.parametrize("error", [TypeError("unsupported operand"), KeyError("x"), ZeroDivisionError()])
def test_a_kpi_that_breaks_costs_no_other_and_is_not_told_in_raw_words(error, monkeypatch, caplog):
    def breaks(data, setting):
        raise error
        yield

    monkeypatch.setattr(
        module,
        "catalogue",
        lambda used: {n: replace(k, measure=breaks) if n == "nps" else k for n, k in catalogue(used).items()},
    )
    found = measure_all(load({"subscriptions": PAID}, as_of="2025-06-15"))
    assert found.reasons["nps"] == "cslib failed to compute it from surveys; the log says more"
    assert last(found, "mrr")["value"] == 400.0
    assert type(error).__name__ in caplog.text


def test_nothing_to_measure_is_an_error():
    with pytest.raises(MissingTableError, match=r"No KPI can be measured.*Add subscriptions"):
        measure_all(
            load({"touchpoints": pd.DataFrame({"customer_id": ["a"], "occurred_on": "2025-01-05", "kind": "call"})})
        )


def test_an_unknown_target_stops(tmp_path):
    PAID.to_csv(tmp_path / "subscriptions.csv", index=False)
    (tmp_path / "cslib.toml").write_text("[targets]\nquick_ration = 4\n")
    with pytest.raises(DataError, match="Did you mean 'quick_ratio'"):
        measure_all(load(tmp_path))


@pytest.mark.long
def test_a_wrong_segment_or_feature_stops():
    data = load({"customers": PEOPLE.assign(plan="Pro"), "usage": USAGE.assign(feature="reports")}, as_of="2024-12-31")
    with pytest.raises(ParameterError, match="Did you mean 'plan'"):
        measure_all(data, setting=Setting(segment_by="plam"))
    with pytest.raises(ParameterError, match="Did you mean 'reports'"):
        measure_all(data, setting=Setting(value_feature="report"))
    for declared in (
        replace(data, value_feature="report"),
        load({"customers": PEOPLE, "usage": USAGE}, as_of="2024-12-31"),
    ):
        found = measure_all(replace(declared, value_feature="report"))  # the others are measured all the same
        assert found.kpis["time_to_value"].unset == "value_feature of the data is 'report', which nobody used"
        assert "active_share" in set(found.history["kpi"])


@pytest.mark.long
def test_what_the_data_declare_is_in_force_where_nothing_is_given():
    """The feature, and with it what time to value is called; what is given goes before it."""
    uses = USAGE.assign(feature=["reports", "chat"])
    data = load({"customers": PEOPLE, "usage": uses}, as_of="2024-12-31")
    declared = replace(data, value_feature="chat")
    labels = [measure_all(d).kpis["time_to_value"].label for d in (data, declared)]
    assert labels == ["Time to first use", "Time to value"]
    of = {name: measure_all(data, setting=Setting(value_feature=name)).history for name in ("chat", "reports")}
    pd.testing.assert_frame_equal(measure_all(declared).history, of["chat"])
    pd.testing.assert_frame_equal(
        measure_all(declared, setting=Setting(value_feature="reports")).history, of["reports"]
    )


@pytest.mark.usefixtures("value_of_today")
@pytest.mark.long
def test_without_costs_acquisition_cost_of_customers_is_taken():
    data = load({"customers": PEOPLE.assign(acquisition_cost=50.0), "subscriptions": PAID}, as_of="2024-12-31")
    found = measure_all(data)
    assert last(found, "cac")["value"] == 50
    assert last(found, "cac")[["ci_lower", "ci_upper"]].isna().all()
    assert scorecard(found).set_index("kpi").loc["cac", "period"] == "12 months to December 2024"
    assert "crc" in found.reasons


@pytest.mark.usefixtures("value_of_today")
@pytest.mark.long
def test_a_month_without_costs_is_left_out_of_the_year():
    """Without July, 60 are kept in six months, 40 in four, from September on; 30 are spent in each, and in January."""
    costs = pd.DataFrame(
        {"month": pd.date_range("2024-01-01", periods=12, freq="MS").delete(6), "kind": "retention", "amount": 30.0}
    )
    found = measure_all(load({"subscriptions": PAID, "costs": costs}, as_of="2024-12-31"))
    assert scorecard(found).set_index("kpi").loc["crc", "period"] == "11 months to December 2024"
    assert last(found, "crc")["value"] == 330 / (6 * 60 + 4 * 40)
    assert last(found, "crc")["n"] == round((6 * 60 + 4 * 40) / 11)  # customers in a month, not months of customers
    old = costs.assign(month=costs["month"] - pd.DateOffset(years=1))
    none = scorecard(measure_all(load({"subscriptions": PAID, "costs": old}, as_of="2024-12-31"))).set_index("kpi")
    blank = "not measured: no month of the period has costs, or there is nobody to spread them over"
    assert none.loc["crc", "status"] == blank


@pytest.mark.slow
def test_cac_is_one_number(sample, found, value_now):
    """Of the books of the year to June 2025 over who started in it: in costs, on the scorecard and under LTV:CAC."""
    people, books = (sample.table(name).execute() for name in ("customers", "costs"))
    spent = books[(books["kind"] == "acquisition") & (books["month"] >= "2024-07-01")]["amount"].sum()
    cac = spent / (people["started_on"] >= "2024-07-01").sum()
    assert last(found, "cac")["value"] == pytest.approx(cac, rel=1e-12)
    assert retention_cost(sample, movements(sample), months=12)["cac"].iloc[-1] == pytest.approx(cac, rel=1e-12)
    assert Worth(*value_now, horizon_months=36).payback["cac"].iloc[0] == pytest.approx(cac, rel=1e-12)


@pytest.mark.usefixtures("value_of_today")
@pytest.mark.long
def test_less_than_a_year_is_not_called_one():
    costs = pd.DataFrame(
        {"month": pd.date_range("2024-01-01", periods=3, freq="MS"), "kind": "retention", "amount": 30.0}
    )
    orders = ORDERS.assign(ordered_on=["2024-01-05", "2024-02-07"])
    found = measure_all(load({"subscriptions": PAID, "costs": costs, "orders": orders}, as_of="2024-03-31"))
    table = scorecard(found).set_index("kpi")
    assert table.loc[["crc", "upsell_rate"], "period"].tolist() == ["3 months to March 2024"] * 2
    assert table.loc["upsell_rate", ["value", "n"]].tolist() == [0.5, 2]
    assert table.loc["crc", "value"] == 90 / (2 * 60)


@pytest.mark.usefixtures("value_of_today")
@pytest.mark.long
def test_a_cost_that_is_never_earned_back_is_said():
    data = load({"customers": PEOPLE.assign(acquisition_cost=1e6), "subscriptions": PAID}, as_of="2024-12-31")
    found = measure_all(data)
    assert last(found, "payback_months")["value"] == float("inf")
    assert found.kpis["payback_months"].noun == "customer"  # nobody has come back
    rows = scorecard(found).query("kpi == 'payback_months'")
    assert Wording(found, {}).kpis(rows)["Value"].tolist() == ["not reached"]


def test_the_last_quarter_without_answers_is_shown_as_such():
    found = measure_all(load({"surveys": SURVEYS}, as_of="2025-09-30"))
    row = scorecard(found).set_index("kpi").loc["nps"]
    assert row[["status", "period"]].tolist() == [
        "not measured: nobody answered in the period",
        "July to September 2025",
    ]


def test_high_answers_can_be_easy():
    found = measure_all(load({"surveys": SURVEYS}, as_of="2025-03-31"), setting=Setting(ces_lower_is_easier=False))
    assert found.kpis["ces"].direction == "up"
    assert "10 is easy" in found.kpis["ces"].formula


@pytest.mark.slow
def test_segments_are_named_the_largest_first(found):
    assert sorted(found.segments()) == ["Enterprise", "Starter", "Team"]
    sizes = found.by_segment().query("kpi == 'ltv'").set_index("segment")["n"]
    assert found.segments() == sizes.sort_values(ascending=False).index.tolist()


@pytest.mark.slow
def test_the_trend_is_the_last_two_years(found):
    values = found.of_all("mrr")["value"]
    assert found.trend("mrr") == tuple(values.iloc[-24:])
    assert found.trend("unknown") == ()
