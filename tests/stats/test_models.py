"""Parametric models of churn: fits, holdout and curves, on counts."""

import warnings

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_waltons
from scipy import stats

import cslib
from cslib.data.lifetimes import lifetimes
from cslib.errors import DataError, ParameterError
from cslib.shared import SHARED
from cslib.stats import models as lifetime_models
from cslib.stats.contracts import BDW, CONTRACT_MODELS, SBG, fit_contract, renewals
from cslib.stats.models import (
    GAMMA,
    MODELS,
    PIECEWISE,
    averaging_weights,
    fit_averaged,
    fit_models,
    forecast,
    model_curves,
)

DAY = 1 / 30.4375
FITTERS = {
    "Exponential": lifelines.ExponentialFitter,
    "Weibull": lifelines.WeibullFitter,
    "Log-normal": lifelines.LogNormalFitter,
    "Log-logistic": lifelines.LogLogisticFitter,
}


def counts_of(duration, event, *, entry=0.0, n=1, segment="All"):
    return pd.DataFrame(
        {
            "segment": segment,
            "entry_months": entry,
            "duration_months": np.asarray(duration, float),
            "event_observed": np.asarray(event, bool),
            "churn_kind": "",
            "n": n,
        }
    )


def world(rng, n, *, scale=20.0, shape=0.8, unit=DAY, late=False):
    """Weibull lifetimes of customers who start over 36 months, as counts, and what is left of those still here."""
    life, seen = scale * rng.weibull(shape, n), rng.uniform(0, 36, n)
    entry = np.floor(rng.uniform(0, 12, n) / unit) * unit * (rng.random(n) < 0.5) if late else np.zeros(n)
    duration, left = np.floor(np.minimum(life, seen) / unit) * unit, life <= seen
    known = (entry == 0) | (duration > entry)
    return counts_of(duration[known], left[known], entry=entry[known]), (life - seen)[known & ~left]


def fit_as_they_stand(counts, model):
    return lifetime_models._fit(lifetime_models._collapsed(counts, 0.0), model)


@pytest.fixture(scope="module")
def drawn():
    return world(np.random.default_rng(7), 2000)[0]


@pytest.fixture(scope="module")
def fitted(drawn):
    return fit_models(drawn, unit_months=DAY)


@pytest.fixture(scope="module")
def one_age():
    """Four left at age 2, six are here at age 4: 4·2½ + 6·4½ = 37 months, 4 churns."""
    return counts_of([2, 4], [True, False], n=[4, 6])


# ── by hand ──────────────────────────────────────────────────────────────────


def test_exponential_is_months_lived_per_churn(one_age):
    models = fit_models(one_age, unit_months=1.0)
    row = models.table.iloc[0]
    assert models.fits["All", "Exponential"].lambda_ == pytest.approx(37 / 4)
    assert row["log_likelihood"] == pytest.approx(4 * np.log(4 / 37) - 4)
    assert row["aic"] == pytest.approx(2 - 2 * row["log_likelihood"])
    assert row["n_parameters"] == 1


def test_late_entry_shortens_the_months_lived():
    """Two enter at 3 (3½) and leave at 5 (5½), two start and leave at 1 (1½): 2·2 + 2·1½ = 7 months, 4 churns."""
    models = fit_models(counts_of([5, 1], [True, True], entry=[3.0, 0.0], n=2), unit_months=1.0)
    assert models.fits["All", "Exponential"].lambda_ == pytest.approx(7 / 4)


def test_churn_kinds_are_one_churn(one_age):
    kinds = pd.concat([one_age.assign(n=[3, 6]), one_age.iloc[:1].assign(n=1, churn_kind="voluntary")])
    whole, split = (fit_models(c, unit_months=1.0).table for c in (one_age, kinds))
    pd.testing.assert_frame_equal(whole, split)


def test_piecewise_is_months_per_churn_in_each_piece():
    """Ten leave at ½, ten at 1½: 10·½ + 10·1 = 15 months before age 1, 10·½ = 5 months after."""
    models = fit_models(counts_of([0, 1], [True, True], n=10), unit_months=1.0)
    assert models.fits["All", PIECEWISE]._fitted_parameters_ == pytest.approx([1.5, 0.5])
    likelihood = models.table.set_index("model").loc[PIECEWISE, "log_likelihood"]
    assert likelihood == pytest.approx(10 * np.log(10 / 15) + 10 * np.log(10 / 5) - 20)


def test_churn_on_a_breakpoint_belongs_before_it():
    """Ten leave at exactly 1, ten at 2: 20 months before age 1 and 10 after."""
    fitter = fit_as_they_stand(counts_of([1, 2], [True, True], n=10), PIECEWISE)
    assert fitter._fitted_parameters_ == pytest.approx([2.0, 1.0])
    assert fitter.log_likelihood_ == pytest.approx(10 * np.log(1 / 2) + 10 * np.log(1) - 20)


@pytest.mark.parametrize(
    ("n", "months"),
    # churns at ages ½, 2, 4, 8, 20 and 30; the next breakpoint waits until 10 have gathered before it
    [((10, 10, 10, 10, 10, 10), [1, 3, 6, 12, 24]), ((5, 5, 10, 10, 10, 9), [3, 6, 12]), ((30, 9, 1, 0, 0, 0), [1])],
)
def test_breakpoints_have_enough_churns_on_both_sides(n, months):
    lives = counts_of([0.5, 2, 4, 8, 20, 30], True, n=n)
    assert lifetime_models._breakpoints(lives) == pytest.approx(months)


def test_holdout_score():
    """Cut at 6 of 11. Before it 2 leave at 3½: 2·3½ + 3·6 = 25 months, hazard 0.08. After it 2½ + 2½ + 5½ months."""
    counts = counts_of([3, 8, 11], [True, True, False], n=[2, 2, 1])
    table = fit_models(counts, unit_months=1.0).table.set_index("model")
    assert table.loc["Exponential", "holdout_score"] == pytest.approx((2 * np.log(0.08) - 0.08 * 10.5) / 3)


@pytest.mark.slow
def test_holdout_score_of_who_enters_after_the_cut():
    """One more enters at 7 (7½) and leaves at 9 (9½): 2 months, a churn; nothing changes before the cut."""
    counts = counts_of([3, 8, 11, 9], [True, True, False, True], entry=[0.0, 0.0, 0.0, 7.0], n=[2, 2, 1, 1])
    table = fit_models(counts, unit_months=1.0).table.set_index("model")
    assert table.loc["Exponential", "holdout_score"] == pytest.approx((3 * np.log(0.08) - 0.08 * 12.5) / 4)


@pytest.mark.slow
def test_holdout_score_of_renewals():
    """Cut after month 2 of 5. Before it sBG has α = 0.6, β = 1.4: in months 3, 4, 5 it loses 0.6/4, 0.6/5, 0.6/6."""
    counts = counts_of([1, 2, 3, 4, 5], [True, True, True, True, False], n=[300, 140, 80, 30, 450])
    table = fit_models(counts, unit_months=1.0).table.set_index("model")
    lost = 80 * np.log(0.15) + 30 * np.log(0.85 * 0.12) + 450 * np.log(0.85 * 0.88 * 0.9)
    assert table.loc[SBG, "holdout_score"] == pytest.approx(lost / 560, abs=1e-6)
    assert table["n_parameters"][[SBG, BDW]].tolist() == [2, 3]


def test_without_churn_beyond_the_cut_models_weigh_by_aic():
    """Weights below 1 % are none."""
    counts = counts_of([0, 1, 2, 3, 30], [True, True, True, True, False], n=[40, 20, 10, 5, 50])
    table = fit_models(counts, unit_months=1.0).table
    assert table["holdout_score"].isna().all()
    weight = np.exp((table["aic"].min() - table["aic"]) / 2)
    weight = (weight / weight.sum()).where(lambda share: share >= 0.01, 0.0)
    assert (weight == 0).any()
    np.testing.assert_allclose(table["weight"], weight / weight.sum(), rtol=1e-9)


def test_weights_say_how_likely_each_model_is_to_foretell_best():
    """Two models and n lifetimes: the mean of 1 / (1 + exp(−D)), D normal with the mean and variance of the sum."""
    rng = np.random.default_rng(3)
    told, n = rng.normal(-2, 0.3, size=(2, 40)), rng.integers(1, 9, size=40).astype(float)
    ahead = np.repeat(told[0] - told[1], n.astype(int))
    points, share = np.polynomial.hermite_e.hermegauss(60)
    by_hand = share / share.sum() @ (1 / (1 + np.exp(-ahead.sum() - points * ahead.std() * np.sqrt(n.sum()))))
    assert averaging_weights(told, n)[0] == pytest.approx(by_hand, abs=0.02)
    alike = averaging_weights(np.array([told[0], told[0], told[0] - 9]), n)
    assert alike == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)
    assert averaging_weights(told[:1], n).tolist() == [1.0]
    # the order of lifetimes and what is common to all models do not matter
    assert averaging_weights(told[:, ::-1] + 5, n[::-1]) == pytest.approx(averaging_weights(told, n), abs=0.02)


@pytest.mark.long
def test_reports_of_a_run_have_the_same_fits_from_each_other(monkeypatch, tmp_path):
    """The same figures as alone, searched for once; of other lifetimes it is another search."""
    few = counts_of([1, 2, 3, 4, 6], [True, True, True, True, False], n=[30, 20, 14, 10, 60])
    searched = []
    search = lifetime_models._highest
    monkeypatch.setattr(lifetime_models, "_highest", lambda *asked: searched.append(asked) or search(*asked))
    alone = fit_models(few, unit_months=1.0).table
    monkeypatch.setenv(SHARED, str(tmp_path))
    n_alone = len(searched)
    for _ in range(2):
        pd.testing.assert_frame_equal(fit_models(few, unit_months=1.0).table, alone)
    assert len(searched) == 2 * n_alone
    fit_models(few.assign(n=2 * few["n"]), unit_months=1.0)
    assert len(searched) == 3 * n_alone


@pytest.mark.slow
def test_best_predicts_the_rest(fitted):
    table = fitted.table
    assert table["weight"].idxmax() == table["holdout_score"].idxmax()
    assert table["weight"].sum() == pytest.approx(1)
    assert table["aic"].idxmin() == 1  # the truth, Weibull


@pytest.mark.slow
def test_models_that_count_are_those_of_all(drawn, fitted):
    """The same rows and the same parameters, and all models where later ages tell none apart."""
    alone = fit_averaged(drawn, unit_months=fitted.unit_months)
    counting = fitted.table[fitted.table["weight"] > 0].reset_index(drop=True)
    assert len(counting) < len(fitted.table)
    pd.testing.assert_frame_equal(alone.table, counting)
    for key in counting[["segment", "model"]].itertuples(index=False, name=None):
        assert alone.fits[key]._fitted_parameters_.tolist() == fitted.fits[key]._fitted_parameters_.tolist()
    still = counts_of([5.0, 5.0, 9.0], [True, True, False], n=[20, 20, 60])
    whole, quick = (fit(still, unit_months=DAY) for fit in (fit_models, fit_averaged))
    pd.testing.assert_frame_equal(quick.table, whole.table)
    assert whole.weights("All") == quick.weights("All")


def test_curves_stand_half_a_unit_late(one_age):
    curve = model_curves(fit_models(one_age, unit_months=1.0), months=[0, 12])
    assert curve["survival"].tolist() == pytest.approx([np.exp(-0.5 * 4 / 37), np.exp(-12.5 * 4 / 37)])
    assert set(curve["model"]) == {"Exponential"}


def test_contract_models_are_for_whole_months(drawn, fitted):
    assert not {*fitted.table["model"], *fitted.left_out["model"]} & {*CONTRACT_MODELS}
    months = counts_of([1, 2, 3, 4, 4], [True, True, True, True, False], n=[300, 140, 80, 30, 450])
    models = fit_models(months, unit_months=1.0)
    for model in CONTRACT_MODELS:
        own = fit_contract(renewals(months), model=model)
        assert models.fits["All", model]._fitted_parameters_ == pytest.approx(own._fitted_parameters_)
    curve = model_curves(models, months=[0, 1, 12]).set_index("model")
    assert curve.loc[SBG, "survival"].to_numpy() == pytest.approx(models.fits["All", SBG].survival([0, 1, 12]))


# ── published and independent values ─────────────────────────────────────────


def test_weibull_of_waltons():
    """lifelines documentation (0.30), WeibullFitter on load_waltons."""
    flies = load_waltons()
    fitter = fit_as_they_stand(counts_of(flies["T"], flies["E"]), "Weibull")
    assert (fitter.lambda_, fitter.rho_) == pytest.approx((55.7331, 3.4505), abs=5e-4)
    assert fitter.log_likelihood_ == pytest.approx(-672.0622, abs=1e-4)


@pytest.mark.slow
def test_telco(real_data):
    """DEFINITIONS: tenure > 0, without a shift."""
    counts = lifetimes(cslib.load(real_data / "telco.toml"))
    counts = counts[counts["duration_months"] > 0]
    assert counts["n"].sum() == 7032
    likelihoods = {model: fit_as_they_stand(counts, model).log_likelihood_ for model in FITTERS}
    expected = {"Log-normal": -10518.5645, "Log-logistic": -10567.9546, "Weibull": -10576.2866}
    assert likelihoods == pytest.approx(expected | {"Exponential": -10847.4858}, abs=1e-3)


def scipy_model(model, p):
    if model == GAMMA:
        mu, sigma, q = p[0], np.exp(p[1]), p[2]
        return stats.gengamma(1 / q**2, q / sigma, scale=np.exp(mu) * q ** (2 * sigma / q))
    return {
        "Exponential": lambda: stats.expon(scale=p[0]),
        "Weibull": lambda: stats.weibull_min(p[1], scale=p[0]),
        "Log-normal": lambda: stats.lognorm(p[1], scale=np.exp(p[0])),
        "Log-logistic": lambda: stats.fisk(p[1], scale=p[0]),
    }[model]()


@pytest.mark.parametrize("model", [*FITTERS, GAMMA])
def test_likelihood_is_the_one_of_scipy_and_at_its_top(drawn, fitted, model):
    fitter, ages = fitted.fits["All", model], drawn["duration_months"] + DAY / 2

    def likelihood(parameters):
        law = scipy_model(model, parameters)
        return np.where(drawn["event_observed"], law.logpdf(ages), law.logsf(ages)).sum()

    best, steps = fitter._fitted_parameters_, np.diag(0.1 * np.sqrt(np.diag(fitter.variance_matrix_)))
    assert fitter.log_likelihood_ == pytest.approx(likelihood(best), abs=1e-6)
    assert all(likelihood(best + sign * step) < likelihood(best) for step in steps for sign in (-1, 1))


# ── properties ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", FITTERS)
@pytest.mark.parametrize("seed", [1, 2])
def test_counts_equal_rows_with_late_entry(model, seed):
    rows = world(np.random.default_rng(seed), 1000, late=True)[0]
    ours = lifetime_models._fit(lifetime_models._collapsed(rows, DAY / 2), model)
    entry = rows["entry_months"] + DAY / 2 * (rows["entry_months"] > 0)
    precise = {"ftol": 1e-13, "gtol": 1e-9}
    raw = FITTERS[model]().fit(
        rows["duration_months"] + DAY / 2, rows["event_observed"], entry=entry, fit_options=precise
    )
    assert ours._fitted_parameters_ == pytest.approx(raw._fitted_parameters_, rel=1e-4)
    assert ours.log_likelihood_ == pytest.approx(raw.log_likelihood_, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, DAY])
@pytest.mark.parametrize("shape", [0.6, 1.0, 2.5])
def test_generalised_gamma_contains_simpler_models(unit, shape):
    counts = world(np.random.default_rng(4), 600, shape=shape, unit=unit)[0]
    likelihood = fit_models(counts, unit_months=unit).table.set_index("model")["log_likelihood"]
    assert likelihood[GAMMA] > likelihood[["Exponential", "Weibull", "Log-normal"]].max() - 0.01


@pytest.mark.long
@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 9)), min_size=1, max_size=12))
def test_every_model_is_fitted_or_says_why_not(rows):
    duration, event, entry = (np.array(column) for column in zip(*rows, strict=True))
    counts = counts_of(duration, event, entry=np.where(entry < duration, entry, 0).astype(float))
    models = fit_models(counts, unit_months=1.0)
    assert sorted([*models.table["model"], *models.left_out["model"]]) == sorted([*MODELS, *CONTRACT_MODELS])
    assert models.left_out["reason"].str.endswith(".").all()
    assert models.table["weight"].sum() == pytest.approx(float(len(models.table) > 0))
    table = forecast(counts, models).drop(columns="month")
    assert table.notna().all(axis=None)
    assert (table["active_ci_lower"] <= table["expected_active"]).all()
    assert (table["expected_active"] <= table["active_ci_upper"]).all()
    assert (table["active_ci_upper"] <= table["n_active"]).all()


@pytest.mark.slow
def test_order_of_rows_and_inputs_do_not_change(drawn, fitted):
    before = drawn.copy()
    again = fit_models(drawn.sample(frac=1, random_state=1), unit_months=DAY)
    forecast(drawn, again)
    pd.testing.assert_frame_equal(drawn, before)
    pd.testing.assert_frame_equal(again.table, fitted.table, rtol=1e-6)


def test_curve_halves_the_steps_of_kaplan_meier():
    """Exponential lifetimes in whole months: Kaplan–Meier at t is exp(−(t + 1)/20), and exp(−t/20) just before."""
    rng = np.random.default_rng(3)
    counts = counts_of(np.floor(20 * rng.standard_exponential(40_000)), True)
    curve = model_curves(fit_models(counts, unit_months=1.0), months=range(0, 25, 6))
    middle = (np.exp(-(np.arange(0, 25, 6) + 1) / 20) + np.exp(-np.arange(0, 25, 6) / 20)) / 2
    assert curve.loc[curve["model"] == "Exponential", "survival"].to_numpy() == pytest.approx(middle, abs=0.005)


@pytest.mark.slow
def test_segments_are_fitted_by_themselves(drawn, fitted):
    other = counts_of([1, 2], [False, False], n=5, segment="New")
    models = fit_models(pd.concat([drawn, other]), unit_months=DAY)
    pd.testing.assert_frame_equal(models.table, fitted.table)
    assert models.left_out["segment"].tolist() == ["New"] * len(MODELS)
    assert model_curves(models, months=[1], segment="New").empty


# ── what cannot be fitted ────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(
    ("duration", "event", "n", "model", "reason"),
    [
        ([1, 2], [False, False], 9, "Exponential", "No customer left"),
        ([4], [True], 1, "Exponential", "same age"),
        ([4], [False], 1, GAMMA, "No customer left"),
        ([5, 9], [True, False], 50, "Weibull", "only 1 different age; this model needs at least 2"),
        ([5, 6, 9], [True, True, False], 50, GAMMA, "only 2 different ages; this model needs at least 3"),
        ([1, 2, 5], [True, True, True], 1, PIECEWISE, "Fewer than 10 customers left on one side"),
        ([1, 2, 5], [True, True, True], 1, GAMMA, "did not settle"),
        ([0, 1, 2, 5], [True, True, True, False], 50, SBG, "left at age 0"),
        ([1, 2, 5], [True, True, False], 50, BDW, "only 2 different periods; this model needs at least 3"),
    ],
)
def test_left_out_with_a_reason(duration, event, n, model, reason):
    left_out = fit_models(counts_of(duration, event, n=n), unit_months=1.0).left_out.set_index("model")
    assert reason in left_out.loc[model, "reason"]


@pytest.mark.slow
def test_gamma_below_its_special_cases_has_not_converged(drawn):
    lives = lifetime_models._collapsed(drawn, DAY / 2)
    fitted = {model: lifetime_models._fit(lives, model) for model in FITTERS}
    fitted["Weibull"].log_likelihood_ += 100
    with pytest.raises(DataError, match="stopped short: simpler models"):
        lifetime_models._fit_gamma(lives, fitted)


@pytest.mark.slow
def test_warnings_of_lifelines_become_reasons(drawn, monkeypatch):
    def warn(self, *_, **__):
        warnings.warn("not invertible", lifelines.exceptions.ApproximationWarning, stacklevel=1)

    monkeypatch.setattr(lifelines.WeibullFitter, "fit", warn)
    left_out = fit_models(drawn, unit_months=DAY).left_out
    assert left_out["model"].tolist() == ["Weibull"]
    assert "did not settle" in left_out.loc[0, "reason"]


def test_faults_are_named(one_age):
    models = fit_models(one_age, unit_months=1.0)
    with pytest.raises(ParameterError, match=r"unit_months is 0\.0.*lifetimes\.unit_months"):
        fit_models(one_age, unit_months=0.0)
    with pytest.raises(DataError, match="no lifetimes"):
        fit_models(one_age.iloc[:0], unit_months=1.0)
    with pytest.raises(ParameterError, match="'all'.*Did you mean 'All'"):
        model_curves(models, months=[1], segment="all")
