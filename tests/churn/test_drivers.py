from dataclasses import replace
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from scipy.optimize import brentq
from scipy.special import chdtrc

from cslib import ParameterError, load
from cslib.churn.at_risk import at_risk
from cslib.churn.columns import Driver
from cslib.churn.drivers import _within, agreement, by_luck, fit_drivers, strongest
from cslib.data.customers import first_mrr
from cslib.data.dataset import DataSet, counted_anew
from cslib.data.lifetimes import lifetime_rows
from cslib.sample.world import TRUTH
from cslib.stats.cox import base_risk, concordance, cumulative_hazard, fit_cox, kept_share, proportionality


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


def fitted_as_is(customers):
    """The same of a table that is what it should be, which a simulation need not check each time."""
    return fit_drivers(counted_anew(DataSet({"customers": ibis.memtable(customers)})))


def ratios(model, column="hazard_ratio"):
    return model.table.set_index(["term", "level"])[column].to_dict()


def in_sample(model, customers, life):
    """Share of pairs that the coefficients of a model order rightly, among the customers it was fitted on."""
    score = 0.0
    for d in model.drivers:
        told, values = dict(zip(d.levels, d.coefficients, strict=True)), customers[d.name]
        number = d.kind == "number"
        values = np.log(values) if d.logged else values
        score += values.clip(*d.bounds) * d.coefficients[0] / (d.high - d.low) if number else values.map(told)
    return concordance(life, score)


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
    base = base_risk(life, np.ones(5), pd.Series([""] * 5))
    steps = [1 / 3, 2 / 3, 7 / 6, 5 / 3, 8 / 3]
    assert base["cumulative_hazard"].tolist() == pytest.approx([*steps, steps[-1]])
    assert base["age"].tolist() == [2, 3, 4, 5, 10, 10]


# Two of four leave at once: 1/4 + 1/3; of the two that are left one leaves at 3. Kaplan–Meier: −log(1/2), −log(1/4).
def test_base_risk_of_ties_by_hand():
    base = base_risk(lives([1.0, 1.0, 3.0, 4.0], [True, True, True, False]), np.ones(4), pd.Series([""] * 4))
    assert base["cumulative_hazard"].tolist() == pytest.approx([7 / 12, 13 / 12, 13 / 12])


# B leaves before anybody else does, so its ratio grows without end; C is there as nobody leaves, so it has none.
def test_a_ratio_without_end_is_not_sound():
    design = pd.DataFrame({"B": [1.0, 1.0, 0.0, 0.0, 0.0], "C": [0.0, 0.0, 0.0, 1.0, 0.0]})
    life = lives([1.0, 2.0, 3.0, 3.5, 4.0], [True, True, True, False, True])
    assert not fit_cox(design, life).sound
    assert fit_cox(design[["C"]], life).coefficients.empty


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("strata", [False, True])
def test_equals_lifelines_with_ties_late_entry_and_strata(late, strata):
    """lifelines stops some millionths of a standard error before the end."""
    rng, n = np.random.default_rng(6), 200
    x = pd.DataFrame({"a": rng.normal(3, 100, n), "b": (rng.random(n) < 0.1).astype(float)})
    life = lives(rng.integers(6, 20, n).astype(float), rng.random(n) < 0.6)
    life = life.assign(entry=np.where(rng.random(n) < 0.3, rng.integers(1, 5, n), -1.0)) if late else life
    group = pd.Series(rng.choice(["x", "y", "z"], n))
    frame = x.join(life if late else life[["duration", "event"]]).assign(**{"group": group} if strata else {})
    theirs = CoxPHFitter(strata=["group"] if strata else None)
    theirs.fit(frame, "duration", "event", entry_col="entry" if late else None, fit_options={"precision": 1e-11})
    ours = fit_cox(x, life, group if strata else None)
    assert ours.coefficients.to_numpy() == pytest.approx(theirs.params_, abs=1e-5 * ours.errors.min())
    assert ours.variance == pytest.approx(theirs.variance_matrix_.to_numpy(), rel=1e-4)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood_, rel=1e-9)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=200, max_size=400))
def test_base_risk_is_kaplan_meier_without_drivers(rows):
    life = lives(*(np.array(v) for v in zip(*[(float(d), e) for d, e in rows], strict=True)))
    base = base_risk(life, np.ones(len(life)), pd.Series([""] * len(life))).iloc[:-1]
    n = np.array([(life["duration"] >= a).sum() for a in base["age"]])
    d = np.array([((life["duration"] == a) & life["event"]).sum() for a in base["age"]])
    well = (n - d > 20).cumprod().astype(bool) if life["event"].any() else np.zeros(len(n), bool)
    log_km = -np.log(1 - d[well] / n[well]).cumsum()
    assert base["cumulative_hazard"][well].tolist() == pytest.approx(log_km.tolist(), rel=0.06)


# Thirty leave at 3. Twenty are seen beyond, but ten of them from 4 to 6 and ten from 6 to 8: never at once.
def test_last_trusted_age_respects_late_entry():
    life = lives(np.repeat([3.0, 6.0, 8.0], [30, 10, 10]), entry=np.repeat([-1.0, 4.0, 6.0], [30, 10, 10]))
    base = base_risk(life, np.ones(50), pd.Series([""] * 50))
    assert base["age"].tolist() == [3, 3]


# Half a customer in 30 months: 5 + 10 + 13.5 of ages, and half a month each as ages are rounded down.
def test_base_risk_without_churn_is_small_and_constant():
    life = lives([5.0, 10.0, 13.5], [False] * 3)
    base = base_risk(life, np.ones(3), pd.Series([""] * 3))
    found = cumulative_hazard(base, "", np.array([0.0, 3.0, 26.0]), tail=12)
    assert found[1:].tolist() == pytest.approx([0.5 * 3 / 30, 0.5 * 26 / 30], rel=0.05)
    assert found[0] == 0


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
    """Ratios and concordance as lifelines has them; three of the numbers of convictions are cut at 13."""
    x, life = rossi
    x = x[["age", "prio"]].assign(prio=x["prio"].clip(upper=13))
    customers = rossi[0][["age", "prio"]].assign(customer_id=[f"{i:03}" for i in range(len(x))])
    customers = customers.assign(tenure_months=life["duration"], churned=life["event"])
    model = fitted(customers, horizon_months=52)
    fit = CoxPHFitter().fit(x.assign(week=life["duration"], arrest=life["event"]), "week", "arrest")
    quartiles = x["age"].quantile(0.75) - x["age"].quantile(0.25)
    assert ratios(model)["age", "27 instead of 20"] == pytest.approx(np.exp(fit.params_["age"] * quartiles))
    assert in_sample(model, customers, life) == pytest.approx(fit.concordance_index_)


def schoenfeld(x, life, beta):
    """Row by row: each event's values less Efron's mean of those at risk, in order of age, then of rows."""
    score, rows = np.exp(x @ beta), []
    order = [i for i in life["duration"].argsort(kind="stable") if life["event"][i]]
    for age in np.unique(life["duration"][order]):
        tied, there = [i for i in order if life["duration"][i] == age], life["duration"].to_numpy() >= age
        weights = [score * there - k / len(tied) * score * np.isin(np.arange(len(x)), tied) for k in range(len(tied))]
        mean = np.mean([w @ x / w.sum() for w in weights], axis=0)
        rows += [x[i] - mean for i in tied]
    return np.array(rows), life["duration"][order]


def test_proportionality_of_rossi(rossi):
    """lifelines prints 11.4535 and 7.3149: it ranks tied ages by their order in the table; ours share a rank."""
    x, life = rossi
    fit = fit_cox(x, life)
    residuals, age = schoenfeld(x.to_numpy(), life, fit.coefficients.to_numpy())
    found = {}
    for method in ("first", "average"):
        g = age.rank(method=method).to_numpy() - (len(age) + 1) / 2
        found[method] = len(age) * (g @ residuals @ fit.variance) ** 2 / (np.diag(fit.variance) * (g @ g))
    assert found["first"][[1, 3]].tolist() == pytest.approx([11.4535, 7.3149], abs=1e-4)
    assert found["average"][[1, 3]].tolist() == pytest.approx([11.1573, 7.3103], abs=1e-4)
    ours = proportionality(fit, x, life)
    assert ours.tolist() == pytest.approx(found["average"].tolist())
    x, life = (f.sample(frac=1, random_state=0) for f in (x, life))
    again = proportionality(fit_cox(x, life), x, life)
    assert again.tolist() == pytest.approx(ours.tolist())


def test_proportionality_within_strata_is_that_of_each(rossi):
    """With the same customers twice as two strata, the statistic doubles as ranks and information do."""
    x, life = rossi
    one = proportionality(fit_cox(x, life), x, life)
    x, life = (pd.concat([f, f], ignore_index=True) for f in (x, life))
    half = pd.Series(np.repeat(["a", "b"], len(x) // 2))
    both = proportionality(fit_cox(x, life, half), x, life, half)
    assert both.tolist() == pytest.approx((2 * one).tolist(), rel=1e-6)


def test_planted_ratios_are_recovered():
    table = fitted(world()).table.set_index(["term", "level"])
    assert table.loc[("tier", "A (reference)"), "hazard_ratio"] == 1
    assert table.loc[("tier", "A (reference)"), ["ci_lower", "ci_upper", "p_value"]].isna().all()
    tier, spend = table.loc[("tier", "B")], table.loc["spend"].iloc[0]
    assert tier["ci_lower"] < 2 < tier["ci_upper"]
    assert spend["ci_lower"] < 1 < spend["ci_upper"]
    assert table.index.get_level_values(0).tolist() == ["tier", "tier", "spend"]


@pytest.fixture(scope="module")
def model(sample):
    return fit_drivers(sample)


@pytest.mark.slow
def test_sample_shows_what_is_planted(paused):
    """Pauses of up to three months are the same in all plans: told apart, leaving for good shows what is planted."""
    model = fit_drivers(paused)
    table = model.table.set_index(["term", "level"])
    for plan in ("Team", "Enterprise"):
        row = table.loc[("plan", plan)]
        assert row["ci_lower"] < TRUTH.plan_hazard_ratio[plan] < row["ci_upper"]
    nothing = table.drop(index="plan", level=0).dropna()
    assert ((nothing["ci_lower"] < 1) & (nothing["ci_upper"] > 1)).all()
    assert "MRR at start" not in set(model.table["term"])
    assert len(model.remarks) == 1
    assert model.stratified_by == ""
    assert model.n < 4000  # who started in the last three months is not told yet


@pytest.mark.slow
def test_sample_is_calibrated(sample, model):
    table = model.calibration
    assert table["n"].sum() == 4150
    assert table["decile"].tolist() == list(range(1, 11))
    close = (table["ci_lower"] <= table["predicted"]) & (table["predicted"] <= table["ci_upper"])
    assert close.sum() >= 8
    rows = lifetime_rows(sample).join(sample.table("customers"), "customer_id")
    rows = rows.join(first_mrr(sample).rename({"MRR at start": "mrr"}), "customer_id").execute()
    life = rows.rename(columns={"event_observed": "event"})
    assert 0.5 < model.concordance < in_sample(model, rows, life) < 0.65


@pytest.mark.slow
def test_telco(real_data):
    """Totals grow with age; contracts change their effect, as every published analysis of these data finds."""
    data = load(real_data / "telco.toml")
    model = fit_drivers(data, drivers="Contract, TotalCharges, PhoneService, MultipleLines")
    assert model.stratified_by == "Contract"
    assert "TotalCharges" not in set(model.table["term"])
    assert "MultipleLines: No phone service says the same as PhoneService: No and is counted once." in model.remarks
    assert model.table["term"].iloc[0] == "Contract"
    assert model.concordance > 0.75


@pytest.mark.slow
def test_late_entry_is_allowed_for():
    """Those who left in the first 20 months are not known; the ratio is recovered from all the rest."""
    customers = world(30_000, seed=5)
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
    assert 20_000 < model.n < 30_000
    assert not any("sample" in remark for remark in model.remarks)
    assert row["ci_lower"] < 2 < row["ci_upper"]


@pytest.fixture(scope="module")
def crossing():
    """B leaves late and all at once, A at random."""
    rng, frame = np.random.default_rng(3), world(3000, seed=3)
    late = frame["tier"] == "B"
    frame.loc[late, "tenure_months"] = np.floor(rng.weibull(4, late.sum()) * 30)
    frame.loc[late, "churned"] = rng.random(late.sum()) < 0.9
    return frame


@pytest.mark.slow
def test_check_is_made_again_within_strata(crossing):
    model = fitted(crossing.assign(spend=crossing["spend"] + 15 * (crossing["tier"] == "B")))
    x = pd.DataFrame({"spend": crossing["spend"] + 15 * (crossing["tier"] == "B")})
    life = lives(crossing["tenure_months"], crossing["churned"])
    found = proportionality(fit_cox(x, life, crossing["tier"]), x, life, crossing["tier"])
    assert model.stratified_by == "tier"
    assert model.table.set_index("term").loc["spend", "ph_p_value"] == pytest.approx(chdtrc(1, found["spend"]))


def test_effect_that_changes_with_age_becomes_a_stratum(crossing):
    model = fitted(crossing, drivers="tier")
    assert model.stratified_by == "tier"
    assert set(model.baseline["stratum"]) == {"A", "B"}
    assert model.remarks == (
        "The effect of tier changes with age, so customers are compared within its values; its own ratios are averages over all ages.",
    )


PLAN = world()["tier"]
EDGES = {
    "empty text": ("", "is not compared: it is empty."),
    "empty": (np.nan, "is not compared: it is empty."),
    "rare": ([f"x{i % 400}" for i in range(2000)], "is not compared: its 400 values are too rare to compare."),
    "reason of churn": (np.where(world()["churned"], np.where(world().index % 2, "price", "bugs"), None), "is not compared: it is only known of those who left."),
    "exit survey": (world()["spend"].where(world()["churned"]), "is not compared: it is only known of those who left."),
    "next renewal": (world()["spend"].mask(world()["churned"]), "is not compared: it is only known of those who stayed."),
    "churn once more": (np.where(world()["churned"], "lost", "kept"), "is not compared: it tells who left rather than why."),
    "score of churn": (world()["spend"] + 200 * world()["churned"], "is not compared: it tells who left rather than why."),
    "constant": ("Pro", "is not compared: all customers have the same value (Pro)."),
    "identifier": ([f"x{i}" for i in range(2000)], "is not compared: nearly every customer has a value of its own."),
    "numbers as text": ([f"{i % 400}.5" for i in range(2000)], "is not compared: its numbers are read as text (name it in numbers of cslib.toml)."),
    "equal numbers": (7.25, "is not compared: all customers have the same value."),
    "age itself": (world()["tenure_months"] * 30 + world()["spend"], "is not compared: it goes with the time a customer has been here, so it tells age rather than a reason."),
    "a few missing": (world()["spend"].where(world().index > 9), "is missing for 10 customers, counted at its median (100.077)."),
    "partly age": (world()["tenure_months"] + 2 * world()["spend"], "goes with the time a customer has been here (rank correlation 0."),
    "far out": (world()["spend"].mask(world().index == 7, 1e9), "is cut to 5.38625 … 194.191 for 1 customer."),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("values", "said"), EDGES.values(), ids=EDGES)
def test_useless_drivers_are_named(values, said):
    model = fitted(world().assign(extra=values), drivers="tier,extra")
    assert any(r.startswith(f"extra {said}") for r in model.remarks), model.remarks
    assert "tier" in set(model.table["term"])


def test_duplicated_driver_is_counted_once():
    model = fitted(world().assign(copy=np.where(PLAN == "A", "x", "y")), drivers="tier,copy")
    assert model.remarks == ("copy: y says the same as tier: B and is counted once.",)
    assert set(model.table["term"]) == {"tier"}


@pytest.mark.slow
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
    named = "1,000 customers with rarer values of city are counted with (other): c1, c101, c103 and 247 more."
    assert model.remarks == (named,)


@pytest.mark.slow
def test_outlier_does_not_decide():
    spend = world()["spend"] + 20 * (world()["tier"] == "B")
    plain, far = (fitted(world().assign(spend=v), drivers="spend") for v in (spend, spend.mask(spend.index == 7, 1e9)))
    assert far.table["hazard_ratio"][0] == pytest.approx(plain.table["hazard_ratio"][0], rel=0.02)


def test_sum_of_others_follows_from_them():
    rng = np.random.default_rng(2)
    a, b = rng.normal(50, 10, 2000), rng.normal(50, 10, 2000)
    model = fitted(world().assign(a=a, b=b, total=a + b), drivers="a,b,total")
    assert model.remarks[0].endswith(" follows from a, b and is left out.")


def test_days_and_large_numbers_are_no_codes():
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(world().index % 3, "D")
    model = fitted(world().assign(day=day, big=(world().index % 2 + 1) * 1e20), drivers="day,big")
    assert set(model.table["level"].str[:10]) == {"2020-01-01", "2020-01-02", "2020-01-03", "2e+20 inst"}


def test_annual_renewals_are_calibrated():
    """All leave at a renewal, 30 % of A and 50 % of B: hundreds at one age."""
    rng = np.random.default_rng(0)
    tier = rng.choice(["A", "B"], 4000)
    life, seen = 12 * rng.geometric(np.where(tier == "B", 0.5, 0.3)), rng.integers(1, 48, 4000)
    customers = pd.DataFrame({"tenure_months": np.minimum(life, seen), "churned": life <= seen, "tier": tier})
    model = fitted(customers.assign(customer_id=customers.index.astype(str)))
    table = model.calibration
    assert table["predicted"].tolist() == pytest.approx([0.3, 0.5], abs=0.02)
    assert ((table["ci_lower"] < table["predicted"]) & (table["predicted"] < table["ci_upper"])).all()


def test_many_missing_numbers_are_a_value_of_their_own():
    customers = world()
    customers.loc[customers.index % 5 < 2, "spend"] = np.nan
    table = fitted(customers, drivers="spend").table
    assert table["level"].str.contains("missing").sum() == 1
    assert sorted(table["n"]) == [800, 1200]


def with_loyal(values):
    """A hundred and twenty of those still here have the value Gold, a few more another."""
    customers = world().assign(plan="Basic")
    here = customers.index[~customers["churned"]]
    customers.loc[here[:120], "plan"] = "Gold"
    customers.loc[here[120 : 120 + len(values)], "plan"] = values
    return customers


@pytest.mark.slow
def test_value_that_nobody_left_with():
    customers = with_loyal(["Silver", "Silver", "Tin"])
    model = fitted(customers, drivers="plan")
    own = customers[customers["plan"] == "Gold"]["tenure_months"]
    assert model.remarks == (
        "3 customers with rarer values of plan are counted with Basic: Silver, Tin.",
        f"None of the 120 customers with plan Gold left, so no ratio can be given; they are taken to leave at most as ½ in {own.sum():,.0f} months.",
    )
    assert model.table[["level", "n"]].values.tolist() == [["Basic (reference)", 1880], ["Gold", 120]]
    assert model.table.iloc[1, 3:].isna().all()
    base = cumulative_hazard(model.baseline, "", own.to_numpy(), tail=60)
    assert base.sum() * np.exp(model.drivers[0].coefficients[1]) == pytest.approx(0.5, rel=0.02)
    assert (model.clear_terms, model.goes_by) == ((), "")


@pytest.mark.slow
def test_value_that_nobody_left_with_is_left_out_of_the_fit():
    model = fitted(with_loyal([]), drivers="plan,tier")
    customers = with_loyal([])
    rest = fitted(customers[customers["plan"] == "Basic"], drivers="tier")
    assert ratios(model)["tier", "B"] == pytest.approx(ratios(rest)["tier", "B"])
    assert model.calibration["n"].sum() == 2000
    assert (model.calibration["ci_lower"] <= model.calibration["predicted"]).all()
    twice = fitted(with_loyal([]).assign(copy=lambda t: t["plan"]), drivers="plan,copy")
    assert sorted(d.coefficients[1] for d in twice.drivers)[1] == 0


def test_value_of_new_customers_says_nothing():
    """Nobody leaves before a month, so that they are still here is no sign of a lower risk."""
    customers = with_loyal([])
    customers["tenure_months"] = (customers["tenure_months"] + 1).where(customers["plan"] == "Basic", 0)
    assert fitted(customers, drivers="plan").drivers[0].coefficients == (0, 0)


def test_small_value_with_one_churned_stands_for_itself():
    customers = world()
    chosen = customers.index[~customers["churned"]][:29].append(customers.index[customers["churned"]][:1])
    customers.loc[chosen, "tier"] = "C"
    table = fitted(customers, drivers="tier").table.set_index("level")
    assert table.loc["C", "n"] == 30
    assert table.loc["C", "ci_upper"] / table.loc["C", "ci_lower"] > 20


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
    assert model.remarks[0] == "No customer churned: risk is that of ½ a customer in all the time observed."
    assert np.isnan(model.concordance)


def test_no_column_to_compare():
    model = fitted(world().drop(columns=["tier", "spend"]))
    assert model.drivers == ()
    assert model.remarks == ("No column of customers is compared, so risk is told by age alone and is not checked.",)


@pytest.mark.long
def test_sample_of_customers_is_the_same_each_time(monkeypatch):
    monkeypatch.setattr("cslib.churn.drivers.MAX_ROWS", 500)
    one, two = (fitted(c) for c in (world(), world().sample(frac=1, random_state=1)))
    assert one.n == 500
    assert one.remarks[0] == "The comparison rests on a sample of 500 of the 2,000 customers."
    pd.testing.assert_frame_equal(one.table, two.table)


def test_horizon_beyond_the_data():
    model = fitted(world(), horizon_months=120)
    assert model.remarks[-1] == "The data reach no age of 120 months: predictions are checked at 59.0."
    assert model.checked_months == 59


REFUSED = {
    "near miss": ({"drivers": "teir"}, "drivers has 'teir', which customers does not have to compare. Did you mean 'tier'? There are: spend, tier."),
    "contract": ({"drivers": "churned"}, "drivers has 'churned', which is part of the contract, not a driver. There are: spend, tier."),
    "horizon": ({"horizon_months": 0}, "horizon_months is 0. Give a number of months of at least 1, such as 12."),
    "no number": ({"horizon_months": float("nan")}, "horizon_months is nan."),
    "no end": ({"horizon_months": float("inf")}, "horizon_months is inf."),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(options, message):
    with pytest.raises(ParameterError) as error:
        fitted(world(50), **options)
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_declared_segments_come_first(sample, monkeypatch):
    data = load({"customers": world().assign(mrr=np.arange(10.0, 2010.0))})
    assert set(fit_drivers(data).table["term"]) == {"tier", "spend", "mrr"}
    monkeypatch.setattr("cslib.churn.drivers.MAX_ROWS", 800)
    assert set(fit_drivers(sample).table["term"]) <= {*sample.segments, "MRR at start"}


@pytest.mark.long
@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(random):
    order = list(range(300))
    random.shuffle(order)
    customers = world(300)
    pd.testing.assert_frame_equal(fitted(customers).table, fitted(customers.iloc[order]).table)


def two_groups(x, duration, event):
    """Log ratio of two groups and its standard error in many worlds without ties, by Newton's method on arrays.

    With r of group 1 among n at risk when somebody leaves, p = r·exp(b) / (n − r + r·exp(b)): the score is Σ(x − p), the
    information Σ p(1 − p).
    """
    order = np.argsort(-duration, axis=1)
    x, left = np.take_along_axis(x, order, 1), np.take_along_axis(event, order, 1)
    ones, n = np.cumsum(x, axis=1), np.arange(1, x.shape[1] + 1)
    ratio = np.zeros((len(x), 1))
    for _ in range(12):
        p = ones * np.exp(ratio) / (n - ones + ones * np.exp(ratio))
        information = (left * p * (1 - p)).sum(axis=1, keepdims=True)
        ratio += (left * (x - p)).sum(axis=1, keepdims=True) / information
    return ratio[:, 0], 1 / np.sqrt(information[:, 0])


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 300])
def test_intervals_cover(n):
    """Wald's interval of a ratio of 2 between two groups, a third of the customers censored.

    In 1,000 worlds by hand, of which the first 50 are fitted and are the same.
    """
    rng, repetitions = np.random.default_rng(n), 1000
    x = np.tile((np.arange(n) % 2).astype(float), (repetitions, 1))
    life, seen = rng.exponential(1 / 2**x), rng.exponential(1.5, x.shape)
    duration, event = np.minimum(life, seen), life <= seen
    ratio, error = two_groups(x, duration, event)
    for i in range(50):
        fit = fit_cox(pd.DataFrame({"x": x[i]}), lives(duration[i], event[i]))
        assert fit.coefficients["x"] == pytest.approx(ratio[i], abs=1e-5)
        assert fit.errors[0] == pytest.approx(error[i], abs=1e-5)
    hits = np.mean(np.abs(ratio - np.log(2)) < 1.959964 * error)
    assert 0.95 - 0.021 < hits < 0.95 + 0.021


def told(**more):
    rows = {"term": "plan", "level": ["Lite (reference)", "Pro", "Max"], "hazard_ratio": [1, 0.3, 0.9],
            "ci_lower": [np.nan, 0.2, 0.7], "ci_upper": [np.nan, 0.4, 1.1], "p_value": [np.nan, 1e-9, 0.3]}  # fmt: skip
    return pd.DataFrame(rows | more)


SAID = ["term", "level", "reference", "hazard_ratio", "ci_lower", "ci_upper"]


def test_the_strongest_level_is_clear_of_chance_and_has_its_reference():
    assert strongest(told())[SAID].tolist() == ["plan", "Pro", "Lite", 0.3, 0.2, 0.4]
    assert strongest(told(p_value=[np.nan, 0.03, 0.3])) is None  # two levels: 0.03 counts as 0.06
    assert strongest(told(p_value=[np.nan, 1e-9, 1e-9], hazard_ratio=[1, 0.3, 4.0])).level == "Max"
    assert strongest(told().iloc[:0]) is None


def test_levels_that_miss_one_by_luck_are_those_that_all_comparisons_together_do_not_bear_out():
    """Of two levels, 0.03 counts as 0.06: its own interval leaves out 1, and yet it may be chance."""
    assert by_luck(told()) == ([], 2)
    assert by_luck(told(p_value=[np.nan, 0.03, 0.3])) == (["Pro"], 2)
    assert by_luck(told().iloc[:0]) == ([], 0)


def test_the_strongest_may_be_a_number():
    number = pd.DataFrame({"term": ["price"], "level": ["90 instead of 18"], "hazard_ratio": [1.4], "ci_lower": [1.2], "ci_upper": [1.6], "p_value": [1e-6]})  # fmt: skip
    assert strongest(number)[SAID].tolist() == ["price", "90 instead of 18", "", 1.4, 1.2, 1.6]
    unknown = number.assign(level="(missing)", hazard_ratio=np.nan, ci_lower=np.nan, ci_upper=np.nan, p_value=np.nan)
    pd.testing.assert_series_equal(strongest(pd.concat([number, unknown], ignore_index=True)), strongest(number))


def test_ratios_that_are_clear_are_those_of_the_clear_terms():
    model = fitted(world())
    assert model.clear.tolist() == [False, True, False]
    assert model.clear_terms == ("tier",)
    assert strongest(model.table).term == "tier"


@pytest.mark.parametrize(("off", "agree"), [(0.0, True), (0.3, False)])
def test_predictions_agree_where_intervals_hold_them_and_no_gap_is_wide(off, agree):
    observed = np.arange(1, 7) / 10
    groups = pd.DataFrame(
        {"predicted": observed + off, "observed": observed, "ci_lower": observed - 0.05, "ci_upper": observed + 0.05}
    )
    found = agreement(groups)
    assert (found.n_groups, found.n_inside, found.enough, found.agree) == (6, 6 * agree, True, agree)
    assert found.widest_gap == pytest.approx(off)
    wide = groups.assign(predicted=observed + 0.04 + 0.1 * (observed > 0.5), ci_upper=observed + 0.2)
    assert (agreement(wide).n_inside, agreement(wide).agree) == (6, False)
    assert not agreement(groups.head(1)).enough


@pytest.mark.slow
def test_mrr_is_read_as_a_logarithm():
    """Hazard falls with MRR to the power of ½; the ratio is given between the quartiles, as amounts."""
    rng, n = np.random.default_rng(4), 4000
    mrr = np.round(np.exp(rng.normal(4, 1, n)), 2)
    life, seen = rng.exponential(40 * np.sqrt(mrr / 50)), rng.uniform(1, 40, n)
    customers = pd.DataFrame({"tenure_months": np.minimum(life, seen), "churned": life <= seen, "mrr": mrr})
    customers = customers.assign(customer_id=customers.index.astype(str))
    row = fitted(customers).table.iloc[0]
    low, high = np.exp(np.quantile(np.log(mrr), [0.25, 0.75]))
    assert (row["term"], row["level"]) == ("mrr", f"{high:,.3g} instead of {low:,.3g}")
    assert row["ci_lower"] < np.sqrt(low / high) < row["ci_upper"]
    assert ratios(fitted(customers, drivers="mrr")) == ratios(fitted(customers))


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "compared"), [(0.2, False), (1.0, True)])
def test_mrr_unasked_gives_way_to_a_plan_that_tells_it(spread, compared):
    """Of two plans, log prices a unit apart (variance .24): of a spread of .2 about them 86 % are the plan, of 1.0 19 %."""
    customers = world()
    noise = np.random.default_rng(2).normal(0, spread, len(customers))
    customers["mrr"] = np.exp(4 + (customers["tier"] == "B") + noise)
    model, asked = fitted(customers), fitted(customers, drivers="mrr,tier,spend")
    assert ("mrr" in set(model.table["term"])) == compared
    assert "mrr" in set(asked.table["term"])
    left_out = [r for r in model.remarks if r.startswith("mrr is left out: the other drivers explain 8")]
    assert len(left_out) == (not compared)


def test_mrr_is_that_of_the_first_paid_day():
    """A trial, then two subscriptions side by side at 10 and 5, later 80; b never pays."""
    rows = [("a", "2024-01-01", "2024-02-01", 0.0), ("a", "2024-02-01", None, 10.0), ("a", "2024-02-01", "2024-05-01", 5.0),
            ("a", "2024-05-01", None, 80.0), ("b", "2024-01-01", None, 0.0)]  # fmt: skip
    subscriptions = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])
    found = first_mrr(load({"subscriptions": subscriptions}, as_of="2024-12-31")).execute().set_index("customer_id")
    assert found["mrr"].dropna().to_dict() == {"a": 15.0}


# Of two who foretell rightly by exp(βx) the slope is 1, of twice the log ratio ½, of the reverse below 0.
@pytest.mark.parametrize(("power", "share"), [(1, 1.0), (2, 0.5), (4, 0.25), (-1, 0.0), (0, 1.0)])
def test_the_share_of_effects_that_holds_is_the_slope_on_what_they_foretell(power, share):
    x, fold = np.tile([1.0, 0.0, 1.0], 30), pd.Series(["0"] * 90)
    life = lives(np.tile([1.0, 2.0, 3.0], 30) + np.repeat(np.arange(30), 3) / 100)
    fit = fit_cox(pd.DataFrame({"x": x}), life)
    found = kept_share(np.exp(power * fit.coefficients["x"] * x), life, fold)
    assert found == pytest.approx(share, abs=1e-6)


@pytest.mark.slow
def test_ratios_in_the_table_are_plain_whatever_share_scoring_keeps(monkeypatch):
    whole = fitted(world())
    monkeypatch.setattr("cslib.stats.cox.kept_share", lambda *_: 0.5)
    half = fitted(world())
    pd.testing.assert_frame_equal(half.table, whole.table)
    assert half.kept_share == 0.5
    for d in half.drivers:
        plain = np.log([half.table.set_index("term").loc[[d.name], "hazard_ratio"].iloc[-1]])
        assert d.coefficients[-1:] == pytest.approx(plain / 2)


def simulated(seed, effect, n=300):
    """Six numbers, of which the first may have an effect, and the chance to leave within 12 months from the start."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    hazard = 0.035 * np.exp(effect * x[:, 0])
    life, seen = rng.exponential(1 / hazard), rng.uniform(1, 36, n)
    frame = pd.DataFrame(x, columns=list("abcdef")).assign(customer_id=[f"{i:04}" for i in range(n)])
    return frame.assign(tenure_months=np.minimum(life, seen), churned=life <= seen), 1 - np.exp(-12 * hazard)


def priced(seed, n=300):
    """MRR between 10 and 300, mostly; who pays e times as much leaves at 0.55 of the rate."""
    rng = np.random.default_rng(seed)
    mrr = np.round(np.exp(rng.normal(4, 1, n)), 2)
    hazard = 0.04 * np.exp(-0.6 * (np.log(mrr) - 4))
    life, seen = rng.exponential(1 / hazard), rng.uniform(1, 36, n)
    frame = pd.DataFrame({"customer_id": [f"{i:04}" for i in range(n)], "mrr": mrr})
    return frame.assign(tenure_months=np.minimum(life, seen), churned=life <= seen), 1 - np.exp(-12 * hazard)


def foretold(model, frame):
    """Chance to leave within 12 months from the start, by drivers that are numbers."""
    score = np.zeros(len(frame))
    for d in model.drivers:
        values = np.log(frame[d.name]) if d.logged else frame[d.name]
        score += d.coefficients[0] * (values.clip(*d.bounds) - d.low) / (d.high - d.low)
    return 1 - np.exp(-cumulative_hazard(model.baseline, "", np.array([12.0]), tail=12)[0] * np.exp(score))


@pytest.mark.long
@pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0.0, 0.3), (0.6, 0.7, 0.95)])
def test_the_top_tenth_leaves_as_foretold(effect, least, most):
    """Mean over 40 worlds of 300 customers; with effects in full the top tenth is 11 and 4 points too high."""
    gaps, shares = [], []
    pd.testing.assert_frame_equal(fitted(simulated(0, effect)[0]).table, fitted_as_is(simulated(0, effect)[0]).table)
    for seed in range(40):
        frame, chance = simulated(seed, effect)
        model = fitted_as_is(frame)
        risk = foretold(model, frame)
        top = np.argsort(-risk)[:30]
        gaps.append(risk[top].mean() - chance[top].mean())
        shares.append(model.kept_share)
    assert abs(np.mean(gaps)) < 0.03
    assert least <= np.mean(shares) < most


@pytest.mark.long
def test_money_at_risk_allows_for_the_dear_who_stay_longer():
    """Mean over 40 worlds of 300; by age alone 55 % too much."""
    ratio = []
    for seed in range(40):
        frame, chance = priced(seed)
        ratio.append((foretold(fitted_as_is(frame), frame) * frame["mrr"]).sum() / (chance * frame["mrr"]).sum())
    assert abs(np.mean(ratio) - 1) < 0.05


@pytest.mark.slow
def test_money_at_risk_of_today_by_what_was_paid_at_the_start():
    """Subscriptions that doubled since; who left never got that far, so today's MRR would say who stayed."""
    frame, _ = priced(7, n=4000)
    day, days = pd.Timestamp("2023-12-31"), np.ceil(frame["tenure_months"] * 30.4375).clip(lower=1)
    seen = np.where(frame["churned"], np.random.default_rng(7).uniform(1, 1100, len(frame)).astype(int) + days, days)
    start = day - pd.to_timedelta(seen, unit="D")
    end = (start + pd.to_timedelta(days, unit="D")).where(frame["churned"] & (seen > days))
    customers = pd.DataFrame({"customer_id": frame["customer_id"], "started_on": start, "churned_on": end})
    first = customers.drop(columns="churned_on").assign(ended_on=end, mrr=frame["mrr"])
    later = first.assign(started_on=start + pd.DateOffset(years=1))
    later = later[later["started_on"] < end.fillna(day)]
    data = load({"customers": customers, "subscriptions": pd.concat([first, later])}, as_of="2023-12-31")
    model = fit_drivers(data)
    assert model.table["term"].tolist() == ["MRR at start"]
    low, high = np.exp(np.quantile(np.log(frame["mrr"]), [0.25, 0.75]))
    assert np.exp([model.drivers[0].low, model.drivers[0].high]) == pytest.approx([low, high], rel=1e-4)
    assert model.table["level"].iloc[0] == f"{high:.3g} instead of {low:.3g}"  # 105 and 27.1
    assert at_risk(data, model)["reason"].isna().all()


def test_amounts_are_told_to_three_figures_where_these_tell_them_apart():
    mrr = Driver("mrr", "number", ())
    assert mrr.written(*np.log([289.76, 203.65])) == ["290", "204"]
    assert mrr.written(*np.log([12345.6, 0.01234])) == ["12,300", "0.0123"]
    assert mrr.written(*np.log([100.4, 100.1])) == ["100.4", "100.1"]
    assert Driver("seats", "number", ()).written(1234.5) == ["1,234.5"]


# The lower bound is c − 1.96 √(c (1 − c) / n): of 0.6 it is above ½ from 93 who left on (0.6 − 1.96 · 0.49 / √n = 0.5).
@pytest.mark.parametrize(
    ("concordance", "n_events", "tells"),
    [(0.6, 93, True), (0.6, 92, False), (0.55, 100_000, False), (0.56, 100_000, True), (0.4, 1000, False), (np.nan, 9, False)],
)  # fmt: skip
def test_a_model_tells_customers_apart_where_it_beats_guessing_clearly(concordance, n_events, tells):
    customers = pd.DataFrame({"customer_id": list("abcd"), "tenure_months": [1, 2, 2, 4], "churned": [True, False] * 2})
    model = replace(fit_drivers(load({"customers": customers})), concordance=concordance, n_events=n_events)
    assert model.tells_apart == tells


def exponential(n, seed, *more):
    """Half are of plan B, who leave at three times the rate of A; a second column tells the same of half of each."""
    rng = np.random.default_rng(seed)
    plan, side = rng.choice(["A", "B"], n), rng.choice(["x", "y"], n)
    rate = 0.02 * np.where(plan == "B", 3, 1) * (np.where(side == "y", 3, 1) if more else 1)
    life, seen = rng.exponential(1 / rate), rng.uniform(1, 60, n)
    frame = pd.DataFrame({"tenure_months": np.minimum(life, seen), "churned": life <= seen, "plan": plan, "side": side})
    return load({"customers": frame.assign(customer_id=[f"{i:05}" for i in range(n)])})


def test_a_model_that_tells_plans_apart_alone_says_so():
    only, both = fit_drivers(exponential(3000, 1)), fit_drivers(exponential(3000, 1, "side"))
    assert only.tells_apart
    assert only.goes_by == only.alike_within == "plan"
    assert only.concordance_within == pytest.approx(0.5, abs=0.03)
    assert both.tells_apart
    assert both.concordance_within > 0.6
    assert both.alike_within == ""


def test_the_share_within_values_weighs_them_by_their_pairs():
    """Of a the only pair is in the right order, of b neither of two is; they count 2 · 1 and 2 · 2: a third."""
    life = pd.DataFrame(
        {"duration": [1.0, 2.0, 3.0, 4.0], "event": [True, False, True, True], "risk": [0.9, 0.1, 0.1, 0.9]}
    )
    assert _within(life, pd.Series(["a", "a", "b", "b"])) == pytest.approx(1 / 3)
    assert np.isnan(_within(life.head(0), pd.Series(dtype=object)))
