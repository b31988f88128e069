from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from lifelines.statistics import proportional_hazard_test
from scipy.optimize import brentq

from cslib import ParameterError, load
from cslib.cox import breslow, cumulative_hazard, fit_cox
from cslib.drivers import fit_drivers
from cslib.sample_truth import TRUTH


def lives(duration, event=None, entry=None):
    n = len(duration)
    event = [True] * n if event is None else event
    return pd.DataFrame({"entry": np.full(n, -1.0) if entry is None else entry, "duration": duration, "event": event})


def world(n=2000, seed=1, ratio=2.0):
    """Customers of tier A and B (hazard ratio 2, against a mean of 60 months) with a number that has no effect."""
    rng = np.random.default_rng(seed)
    tier = rng.choice(["A", "B"], n, p=[0.6, 0.4])
    life = rng.exponential(np.where(tier == "B", 60 / ratio, 60.0))
    seen = rng.uniform(1, 60, n)
    return pd.DataFrame(
        {
            "customer_id": [f"{i:06}" for i in range(n)],
            "tenure_months": np.floor(np.minimum(life, seen)),
            "churned": life <= seen,
            "tier": tier,
            "spend": rng.normal(100, 20, n),
        }
    )


def fitted(customers, **options):
    return fit_drivers(load({"customers": customers}), **options)


def ratios(model, column="hazard_ratio"):
    return model.table.set_index(["term", "level"])[column].to_dict()


# By hand. Three customers leave at 1, 2, 3; x = 1, 0, 1. With r the hazard ratio the partial likelihood is
# r/(2r+1) · 1/(1+r), largest where 1/(2r+1) = r/(1+r), that is 2r² = 1.
def test_cox_by_hand():
    fit = fit_cox(pd.DataFrame({"x": [1.0, 0.0, 1.0]}), lives([1.0, 2.0, 3.0]))
    r = np.sqrt(0.5)
    assert np.exp(fit.coefficients["x"]) == pytest.approx(r, abs=1e-6)
    assert fit.log_likelihood == pytest.approx(np.log(r / (2 * r + 1) / (1 + r)))


# A fourth customer (x = 0) is known from 1.5 on and leaves at 2.5: it joins the risk sets at 2 and 2.5 only.
def test_late_entry_by_hand():
    life = lives([1.0, 2.0, 3.0, 2.5], entry=[-1.0, -1.0, -1.0, 1.5])
    fit = fit_cox(pd.DataFrame({"x": [1.0, 0.0, 1.0, 0.0]}), life)
    r = brentq(lambda r: 1 - 2 * r / (2 * r + 1) - r / (2 + r) - r / (1 + r), 0.1, 2)
    assert np.exp(fit.coefficients["x"]) == pytest.approx(r, abs=1e-6)


# At risk at 2, 3, 4, 5, 10: three, three, two, two, one; one leaves each time.
def test_base_risk_by_hand():
    life = lives([2.0, 10.0, 5.0, 4.0, 3.0], entry=[1.0, 2.0, 4.0, -1.0, -1.0])
    base = breslow(life, np.ones(5), pd.Series([""] * 5))
    steps = [1 / 3, 2 / 3, 7 / 6, 5 / 3, 8 / 3]
    assert base["cumulative_hazard"].tolist() == pytest.approx([*steps, steps[-1]])
    assert base["age"].tolist() == [2, 3, 4, 5, 10, 10]


def test_base_risk_goes_on_at_its_recent_mean():
    base = pd.DataFrame({"stratum": "", "age": [1.0, 4.0, 5.0, 6.0], "cumulative_hazard": [0.5, 0.7, 0.9, 0.9]})
    found = cumulative_hazard(base, "", np.array([0.0, 1.0, 4.5, 6.0, 9.0]), tail=4)
    assert found.tolist() == pytest.approx([0, 0.5, 0.7, 0.9, 0.9 + 3 * 0.4 / 4])


# lifelines' data of Rossi, Berk & Lenihan (1980); values of R's survival package, as in Fox (2002).
ROSSI = {
    "fin": -0.3794222,
    "age": -0.0574377,
    "race": 0.3138998,
    "wexp": -0.1497957,
    "mar": -0.4337039,
    "paro": -0.0848711,
    "prio": 0.0914971,
}


@pytest.fixture(scope="module")
def rossi():
    rows = load_rossi()
    return rows[list(ROSSI)].astype(float), lives(rows["week"].astype(float), rows["arrest"] == 1)


def test_rossi(rossi):
    fit = fit_cox(*rossi)
    assert fit.coefficients.to_dict() == pytest.approx(ROSSI, abs=5e-8)
    assert fit.log_likelihood == pytest.approx(-658.7477, abs=5e-5)
    assert fit.sound


def test_rossi_as_customers(rossi):
    """All columns have few values or are numbers; concordance and the check of proportionality as published."""
    x, life = rossi
    customers = x[["age", "prio"]].assign(customer_id=[f"{i:03}" for i in range(len(x))])
    customers = customers.assign(tenure_months=life["duration"], churned=life["event"])
    model = fitted(customers, horizon_months=52)
    fit = CoxPHFitter().fit(x[["age", "prio"]].assign(week=life["duration"], arrest=life["event"]), "week", "arrest")
    quartiles = x["age"].quantile(0.75) - x["age"].quantile(0.25)
    assert ratios(model)["age", "20 → 27"] == pytest.approx(np.exp(fit.params_["age"] * quartiles))
    assert model.concordance_in_sample == pytest.approx(fit.concordance_index_)
    test = proportional_hazard_test(fit, x[["age", "prio"]].assign(week=life["duration"], arrest=life["event"]))
    assert ratios(model, "ph_p_value")["age", "20 → 27"] == pytest.approx(test.p_value[0])


def test_planted_ratios_are_recovered():
    table = fitted(world()).table.set_index(["term", "level"])
    assert table.loc[("tier", "A (reference)"), "hazard_ratio"] == 1
    assert table.loc[("tier", "A (reference)"), ["ci_lower", "ci_upper", "p_value"]].isna().all()
    tier, spend = table.loc[("tier", "B")], table.loc["spend"].iloc[0]
    assert tier["ci_lower"] < 2 < tier["ci_upper"]
    assert spend["ci_lower"] < 1 < spend["ci_upper"]
    assert table.index.get_level_values(0).tolist() == ["tier", "tier", "spend"]


@pytest.fixture(scope="module")
def sample(root):
    return fit_drivers(load(root / "data"))


def test_sample_shows_what_is_planted(sample):
    table = sample.table.set_index(["term", "level"])
    for plan in ("Team", "Enterprise"):
        row = table.loc[("plan", plan)]
        assert row["ci_lower"] < TRUTH.plan_hazard_ratio[plan] < row["ci_upper"]
    nothing = table.drop(index="plan", level=0).dropna()
    assert ((nothing["ci_lower"] < 1) & (nothing["ci_upper"] > 1)).all()
    assert sample.remarks == ()
    assert (sample.n, sample.n_events, sample.stratified_by) == (4000, 1807, "")


def test_sample_is_calibrated(sample):
    table = sample.calibration
    assert table["n"].sum() == 4000
    assert table["decile"].tolist() == list(range(1, 11))
    close = (table["ci_lower"] <= table["predicted"]) & (table["predicted"] <= table["ci_upper"])
    assert close.sum() >= 8
    assert 0.5 < sample.concordance < sample.concordance_in_sample < 0.65


def test_telco(real_data):
    """Totals grow with age; contracts change their effect, as every published analysis of these data finds."""
    data = load(real_data / "telco.toml")
    model = fit_drivers(data, drivers="Contract, TotalCharges, PhoneService, MultipleLines")
    assert model.stratified_by == "Contract"
    assert "TotalCharges" not in set(model.table["term"])
    assert "MultipleLines: No phone service says the same as PhoneService: No and is counted once." in model.remarks
    assert model.table["term"].iloc[0] == "Contract"
    assert model.concordance > 0.75


def test_late_entry_is_allowed_for():
    """Those who left in the first 20 months are not known; the ratio is recovered from the rest."""
    customers = world(6000, seed=5)
    days = (customers["tenure_months"] * 30).astype(int)
    start = np.where(customers["churned"], 200 + customers.index % 800, 1800 - days)
    day = pd.Timestamp("2020-01-01")
    dated = customers[["customer_id", "tier"]].assign(
        started_on=day + pd.to_timedelta(start, "D"),
        churned_on=(day + pd.to_timedelta(start + days, "D")).where(customers["churned"]),
    )
    data = replace(load({"customers": dated}, as_of=day + pd.Timedelta(1800, "D")), observed_from=date(2021, 8, 23))
    model = fit_drivers(data)
    row = model.table.set_index("level").loc["B"]
    assert model.n < 6000
    assert row["ci_lower"] < 2 < row["ci_upper"]


def test_effect_that_changes_with_age_becomes_a_stratum():
    rng = np.random.default_rng(3)
    early = world(3000, seed=3).assign(spend=1.0)
    late = early["tier"] == "B"
    early.loc[late, "tenure_months"] = np.floor(rng.weibull(4, late.sum()) * 30)
    early.loc[late, "churned"] = rng.random(late.sum()) < 0.9
    model = fitted(early, drivers="tier")
    assert model.stratified_by == "tier"
    assert set(model.baseline["stratum"]) == {"A", "B"}
    assert model.remarks == (
        "The effect of tier changes with age, so customers are compared within its values; its own ratios are averages over all ages.",
    )


PLAN = world()["tier"]
EDGES = {
    "constant": ("Pro", "is not compared: all customers have the same value (Pro)."),
    "identifier": ([f"x{i}" for i in range(2000)], "is not compared: nearly every customer has a value of its own."),
    "numbers as text": ([f"{i % 400}.5" for i in range(2000)], "is not compared: its numbers are read as text (name it in numbers of cslib.toml)."),
    "equal numbers": (7.25, "is not compared: all customers have the same value."),
    "age itself": (world()["tenure_months"] * 30 + world()["spend"], "is not compared: it goes with the time a customer has been here, so it tells age rather than a reason."),
    "a few missing": (world()["spend"].where(world().index > 9), "is missing for 10 customers, counted at its median (100.077)."),
}  # fmt: skip


@pytest.mark.parametrize(("values", "said"), EDGES.values(), ids=EDGES)
def test_useless_drivers_are_named(values, said):
    model = fitted(world().assign(extra=values), drivers="tier,extra")
    assert f"extra {said}" in model.remarks
    assert "tier" in set(model.table["term"])


def test_duplicated_driver_is_counted_once():
    model = fitted(world().assign(copy=np.where(PLAN == "A", "x", "y")), drivers="tier,copy")
    assert model.remarks == ("copy: y says the same as tier: B and is counted once.",)
    assert set(model.table["term"]) == {"tier"}


@pytest.mark.parametrize("name", ["event", "duration", "driver0", "n"])
def test_any_name_will_do(name):
    plain, renamed = fitted(world()), fitted(world().rename(columns={"tier": name}))
    assert ratios(renamed)[name, "B"] == ratios(plain)["tier", "B"]


def test_flags_are_drivers():
    model = fitted(world().assign(tier=lambda t: t["tier"] == "B"), drivers="tier")
    assert model.table["level"].tolist() == ["false (reference)", "true"]


def test_rare_values_are_merged():
    customers = world()
    customers["city"] = [f"c{i % 500}" if i % 2 else "Oslo" for i in range(len(customers))]
    model = fitted(customers, drivers="city")
    assert model.table[["level", "n"]].values.tolist() == [["(other) (reference)", 1000], ["Oslo", 1000]]


def test_many_missing_numbers_are_a_value_of_their_own():
    customers = world()
    customers.loc[customers.index % 5 < 2, "spend"] = np.nan
    table = fitted(customers, drivers="spend").table
    assert table["level"].str.contains("missing").sum() == 1
    assert sorted(table["n"]) == [800, 1200]


def test_value_that_nobody_left_with():
    customers = world().assign(plan="Basic")
    loyal = customers.index[~customers["churned"]][:120]
    customers.loc[loyal, "plan"] = "Gold"
    model = fitted(customers, drivers="plan")
    assert model.remarks[0] == "plan is not compared: none of the 120 customers with Gold churned."
    assert model.remarks[-1] == "No column of customers is compared, so risk is told by age alone."
    assert model.table.empty
    assert model.calibration.empty


def test_separation_found_in_the_fit():
    """The first to leave are all marked, and only they are: the ratio has no end."""
    customers = world()
    customers["mark"] = (customers["churned"] & (customers["tenure_months"] < 3)).astype(int)
    model = fitted(customers)
    assert "mark is not compared: it nearly decides who churns, or too few churned to tell." in model.remarks
    assert set(model.table["term"]) == {"tier", "spend"}


TINY = {
    "one customer": world().iloc[:1],
    "nobody left": world().assign(churned=False),
    "all at once": world().assign(churned=True, tenure_months=5),
    "two": world(2),
}


@pytest.mark.parametrize("customers", TINY.values(), ids=TINY)
def test_hardly_any_data(customers):
    model = fitted(customers)
    assert model.n == len(customers)
    assert model.baseline["cumulative_hazard"].notna().all()
    assert list(model.calibration) == ["decile", "n", "predicted", "observed", "ci_lower", "ci_upper"]


def test_too_few_left():
    model = fitted(world().assign(churned=False))
    assert model.remarks[0] == "Only 0 customers churned; to compare customers takes 10."
    assert np.isnan(model.concordance)


def test_no_column_to_compare():
    model = fitted(world().drop(columns=["tier", "spend"]))
    assert model.drivers == ()
    assert model.remarks == ("No column of customers is compared, so risk is told by age alone.",)


def test_sample_of_customers_is_the_same_each_time():
    one, two = (fitted(c, max_rows=500) for c in (world(), world().sample(frac=1, random_state=1)))
    assert one.n == 500
    assert one.remarks[0] == "The comparison rests on a sample of 500 of the 2,000 customers."
    pd.testing.assert_frame_equal(one.table, two.table)


def test_horizon_beyond_the_data():
    model = fitted(world(), horizon_months=120)
    assert model.remarks[-1] == "The data reach no age of 120 months: predictions are checked at 59.0."


REFUSED = {
    "near miss": ({"drivers": "teir"}, "drivers has 'teir', which customers does not have to compare. Did you mean 'tier'? There are: spend, tier."),
    "contract": ({"drivers": "churned"}, "drivers has 'churned'"),
    "horizon": ({"horizon_months": 0}, "horizon_months is 0 and max_rows 1000000. Give numbers above 0."),
    "confidence": ({"confidence_level": 95}, "confidence_level is 95"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(options, message):
    with pytest.raises(ParameterError) as error:
        fitted(world(50), **options)
    assert str(error.value).startswith(message)


def test_declared_segments_come_first(root):
    data = load({"customers": world()})
    assert set(fit_drivers(data).table["term"]) == {"tier", "spend"}
    declared = load(root / "data")
    assert set(fit_drivers(declared, max_rows=800).table["term"]) <= set(declared.segments)


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(random):
    order = list(range(300))
    random.shuffle(order)
    customers = world(300)
    pd.testing.assert_frame_equal(fitted(customers).table, fitted(customers.iloc[order]).table)


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 300])
def test_intervals_cover(n):
    """Wald's interval of a ratio of 2 between two groups, a third of the customers censored."""
    rng, hits, repetitions = np.random.default_rng(n), 0, 1000
    for _ in range(repetitions):
        x = (np.arange(n) % 2).astype(float)
        life, seen = rng.exponential(1 / 2**x), rng.exponential(1.5, n)
        rows = lives(np.minimum(life, seen), life <= seen)
        fit = fit_cox(pd.DataFrame({"x": x}), rows)
        hits += abs(fit.coefficients["x"] - np.log(2)) < 1.959964 * fit.errors[0]
    assert 0.95 - 0.021 < hits / repetitions < 0.95 + 0.021
