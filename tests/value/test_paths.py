"""Paths of survival and price: equal to Kaplan–Meier where observed, and drawn as customers would be drawn anew."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from value_world import counted

from cslib.stats import models as lifetime_models
from cslib.stats.contracts import SBG
from cslib.stats.models import fit_models
from cslib.stats.survival import DAYS_PER_MONTH, survival_at, survival_curve
from cslib.value import paths as own_paths
from cslib.value.ltv import Terms, ltv
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts


def paths_of(duration, left, *, models=lifetime_models.MODELS, horizon=12, draws=300, **more):
    counts, values = counted(duration, left, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifetime_models, "MODELS", models)
        fitted = fit_models(counts, unit_months=1.0)
    return value_paths(counts, values, fitted, horizon_months=horizon, draws=draws)["All"]


@pytest.mark.long
@given(st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=60, max_size=90))
@settings(max_examples=15, deadline=None)
def test_the_estimate_is_kaplan_meier_up_to_the_last_trusted_age(lives):
    duration, left = np.array(lives).T
    counts, _ = counted(duration, left)
    paths = paths_of(duration, left, draws=2, models=("Exponential",))
    ages = np.arange(min(int(paths.last), 8) + 1)
    km = survival_at(survival_curve(counts), ages)["survival"]
    assert np.exp(-paths.hazard[0, ages]) == pytest.approx(km.to_numpy(), abs=1e-12)


def test_price_is_that_of_those_still_here():
    """30 at 10 leave after two months; 30 at 40 stay."""
    paths = paths_of(np.repeat([2, 6], 30), np.repeat([True, False], 30), price=np.repeat([10.0, 40.0], 30))
    assert paths.price[0, :4].tolist() == [25, 25, 40, 40]
    assert paths.price[0, -1] == 40
    assert paths.arpa[0] == 40


def test_few_churns_go_on_at_one_rate():
    """4 left in 4 + 116 customer-months: the tail rate is 4.5 / 120 a month, and there is no model."""
    paths = paths_of(np.append([1] * 4, [2] * 58), np.append([True] * 4, [False] * 58))
    assert paths.model == "one rate, as few left"
    assert np.diff(paths.hazard[0, 3:8]) == pytest.approx(4.5 / 120)


@pytest.mark.slow
def test_draws_vary_as_new_customers_would():
    """Deviation of S(3) by the draws against Greenwood's, and of the price against that of a mean."""
    rng = np.random.default_rng(4)
    life, seen = rng.geometric(0.1, 500), rng.integers(1, 12, 500)
    price = np.exp(rng.normal(3, 0.5, 500))
    paths = paths_of(np.minimum(life, seen), life <= seen, price=price, draws=4000)
    counts, _ = counted(np.minimum(life, seen), life <= seen)
    row = survival_at(survival_curve(counts), [3]).iloc[0]
    spread = (row.ci_upper - row.ci_lower) / 3.92
    assert np.exp(-paths.hazard[1:, 3]).std() == pytest.approx(spread, rel=0.05)
    assert paths.price[1:, 0].std() == pytest.approx(price.std() / np.sqrt(500), rel=0.08)


@pytest.fixture
def one_model(monkeypatch):
    """Fit one model alone, to all ages: without rivals none need be held out to choose."""

    def only(*models, contracts=()):
        monkeypatch.setattr(lifetime_models, "MODELS", models)
        monkeypatch.setattr(lifetime_models, "CONTRACT_MODELS", contracts)
        monkeypatch.setattr(lifetime_models, "TRAINING_SHARE", np.inf)

    return only


@pytest.mark.long
def test_a_moved_model_is_a_model_fitted_anew(one_model):
    """One step of Newton's method against fits to customers drawn anew."""
    one_model("Weibull")
    rng, day = np.random.default_rng(8), 1 / DAYS_PER_MONTH
    life, seen = 40 * rng.weibull(0.8, 2000), rng.uniform(1, 24, 2000)
    duration, left = np.ceil(np.minimum(life, seen) / day) * day, life <= seen
    counts, values = counted(duration, left)
    paths = value_paths(counts, values, fit_models(counts, unit_months=day), horizon_months=60, draws=2000)["All"]
    drawn, names = rng.integers(0, 2000, (60, 2000)).ravel(), np.repeat([f"draw {i}" for i in range(60)], 2000)
    again, _ = counted(duration[drawn], left[drawn], segment=names)
    fits = fit_models(again, unit_months=day).fits.values()
    refitted = [fit.cumulative_hazard_at_times([24, 60]).diff().iloc[-1] for fit in fits]
    moved = paths.hazard[1:, 60] - paths.hazard[1:, 24]
    assert moved.mean() == pytest.approx(np.mean(refitted), rel=0.03)
    assert moved.std() == pytest.approx(np.std(refitted), rel=0.27)  # of 60 fits it is known to a ninth


AGES = np.arange(36)
ROUNDS, AT_ONCE = 12, 10  # worlds drawn as one array, each a segment


def weibull_worlds(rng, size, seen):
    """Days; half have left by month 19."""
    life = np.ceil(DAYS_PER_MONTH * 30 * rng.weibull(0.8, size))
    until = rng.integers(1, int(seen * DAYS_PER_MONTH) + 1, size)
    return np.minimum(life, until) / DAYS_PER_MONTH, life <= until


def contract_worlds(rng, size, seen):
    """Whole months: each customer leaves each month with a chance of its own, Beta(0.7, 8)."""
    life, until = rng.geometric(rng.beta(0.7, 8, size).clip(1e-9)), rng.integers(1, seen + 1, size)
    return np.minimum(life, until), life <= until


WORLDS = {
    "Weibull": (weibull_worlds, ("Weibull",), (), 1 / DAYS_PER_MONTH, np.exp(-((AGES / 30) ** 0.8))),
    "sBG": (contract_worlds, (), (SBG,), 1.0, np.exp(betaln(0.7, 8 + AGES) - betaln(0.7, 8))),
}


@pytest.mark.long
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("n", "seen", "least"), [(30, 60, 0.85), (300, 60, 0.9), (3000, 60, 0.9), (300, 24, 0.9)])
def test_the_interval_covers(monkeypatch, one_model, world, n, seen, least):
    """36-month value at log-normal prices; beyond 24 months the true family is the tail. 120 worlds: ± 4 points."""
    draw, models, contracts, unit, survival = WORLDS[world]
    one_model(*models, contracts=contracts)
    monkeypatch.setattr(own_paths, "CONTRACT_MODELS", ())  # the forms beside the survival form
    rng, held = np.random.default_rng(n + seen), []
    truth = np.exp(4 + 0.5 * 0.8**2) * survival.sum()
    names = np.repeat([f"world {i}" for i in range(AT_ONCE)], n)
    for seed in range(ROUNDS):
        monkeypatch.setattr(own_paths, "SEED", seed)
        duration, left = draw(rng, AT_ONCE * n, seen)
        counts, values = counted(duration, left, np.exp(rng.normal(4, 0.8, AT_ONCE * n)), segment=names)
        fitted = fit_models(counts, unit_months=unit)
        paths = value_paths(counts, values, fitted, horizon_months=36, draws=400)
        table = ltv(paths, Terms(costs=UnitCosts()), horizons=[36]).query("method == 'Survival'")
        held.extend((table["ci_lower"] <= truth) & (truth <= table["ci_upper"]))
    assert len(held) == 120
    assert np.mean(held) >= least


def drawn_beside(*parts):
    """Draw segments together: ``All``, then ``a`` and so on, each of its own counts and groups."""
    names = ["All", "a", "b"][: len(parts)]
    counts = pd.concat([own.assign(segment=s) for s, (own, _) in zip(names, parts, strict=True)])
    cells = [
        v.cells.assign(segment=s, cell=v.cells["cell"] + 100 * i)
        for i, (s, (_, v)) in enumerate(zip(names, parts, strict=True))
    ]
    paid = [v.paid.assign(cell=v.paid["cell"] + 100 * i) for i, (_, v) in enumerate(parts)]
    values = type(parts[0][1])(pd.concat(cells), pd.concat(paid), "customers")
    return value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=3, draws=500)


def test_segments_are_drawn_apart_and_alike_alone_and_beside_others():
    few, more = (counted([1, 2, 3] * n, [True, False, False] * n) for n in (30, 31))
    paths, alone = drawn_beside(few, more), drawn_beside(more)["All"]
    assert abs(np.corrcoef(paths["All"].hazard[1:, 2], paths["a"].hazard[1:, 2])[0, 1]) < 0.15
    assert (paths["a"].hazard == alone.hazard).all()
    assert (paths["a"].price == alone.price).all()
