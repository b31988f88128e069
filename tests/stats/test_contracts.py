"""Contract models: likelihood, fits, intervals and projections of renewals, on counts."""

from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from cslib.errors import DataError, ParameterError
from cslib.stats.contracts import (
    BDW,
    CONTRACT_MODELS,
    SBG,
    ContractFit,
    as_lives,
    fit_contract,
    from_lives,
    renewals,
)
from cslib.stats.likelihood import log_likelihoods, scores
from cslib.stats.models import cumulative_draws, extended, fit_models

# Fader & Hardie (2007), table 1: customers of 1,000 left after each year
HIGH = (1000, 869, 743, 653, 593, 551, 517, 491)
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)


def rows_of(period, left, n, entry=0):
    return pd.DataFrame({"entry_index": entry, "period_index": period, "event_observed": left, "n": n})


def cohort(left, *, years=7):
    """One cohort: lost in each year, and those still here after the last."""
    lost = -np.diff(left[: years + 1])
    return rows_of([*range(1, years + 1), years], [True] * years + [False], [*lost, left[years]])


def model_of(alpha, beta, c=None):
    logs = np.log([alpha, beta] + [c] * (c is not None))
    return ContractFit(SBG if c is None else BDW, 0.0, 0.0, logs, np.eye(len(logs)))


def lost_by_recursion(alpha, beta, periods):
    """P(T = 1), P(T = 2) …: Fader & Hardie (2007), equation 7."""
    p = [alpha / (alpha + beta)]
    for t in range(2, periods + 1):
        p.append(p[-1] * (beta + t - 2) / (alpha + beta + t - 1))
    return np.array(p)


def likelihood_by_recursion(alpha, beta, left):
    lost, p = -np.diff(left), lost_by_recursion(alpha, beta, len(left) - 1)
    return lost @ np.log(p) + left[-1] * np.log1p(-p.sum())


def world(rng, n, *, alpha=0.7, beta=1.2, ages=(1, 12)):
    """Customers who differ in their chance not to renew, first seen 1 to 12 periods ago."""
    lost, seen = rng.geometric(rng.beta(alpha, beta, n).clip(1e-9)), rng.integers(ages[0], ages[1] + 1, n)
    rows = rows_of(np.minimum(lost, seen), lost <= seen, 1)
    return rows.groupby(["entry_index", "period_index", "event_observed"], as_index=False)["n"].sum()


# ── by hand ──────────────────────────────────────────────────────────────────

# with two periods the model is as free as the data: α/(α+β) = 0.3 of 1,000 and α/(α+β+1) = 0.2 of 700 are lost
TWO_PERIODS = {
    "one cohort": (rows_of([1, 2, 2], [True, True, False], [300, 140, 560]), (1000, 700)),
    "two cohorts": (rows_of([1, 1, 2, 2], [True, False, True, False], [300, 200, 100, 400]), (1000, 500)),
}


@pytest.mark.parametrize("case", ["one cohort", "two cohorts"])
def test_two_periods_by_hand(case):
    """α + β = 0.2 / (0.3 − 0.2) = 2."""
    rows, (first, second) = TWO_PERIODS[case]
    fit = fit_contract(rows)
    assert fit.parameters == pytest.approx([0.6, 1.4, 1.0], abs=1e-5)
    assert fit.survival(np.array([0, 1, 2])) == pytest.approx([1, 0.7, 0.56], abs=1e-6)
    expected = first * (0.3 * np.log(0.3) + 0.7 * np.log(0.7)) + second * (0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    assert fit.log_likelihood_ == pytest.approx(expected, abs=1e-8)
    assert pytest.approx(4 - 2 * expected, abs=1e-8) == fit.AIC_


def test_late_entry_counts_from_the_entry():
    """300 of 1,000 leave in period 1; of the others only 500 are known from then on, of whom 100 leave in period 2."""
    rows = rows_of([1, 1, 2, 2], [True, False, True, False], [300, 700, 100, 400], [0, 0, 1, 1])
    fit = fit_contract(rows)
    assert fit.parameters == pytest.approx([0.6, 1.4, 1.0], abs=1e-5)
    assert fit.log_likelihood_ == pytest.approx(
        300 * np.log(0.3) + 700 * np.log(0.7) + 100 * np.log(0.2) + 400 * np.log(0.8), abs=1e-8
    )


def test_three_periods_and_three_parameters_are_kaplan_meier():
    fit = fit_contract(rows_of([1, 2, 3, 3], [True, True, True, False], [200, 180, 100, 520]), model=BDW)
    assert fit.survival(np.array([1, 2, 3])) == pytest.approx([0.8, 0.62, 0.52], abs=1e-6)


def test_variance_by_hand():
    """The shares lost, q = α/(α+β) and α/(α+β+1), vary by q(1 − q)/n; their slopes in log α and log β carry it over."""
    rows, (first, second) = TWO_PERIODS["one cohort"]
    slopes = np.array([[0.6 * 1.4 / 4, -0.6 * 1.4 / 4], [0.6 * 2.4 / 9, -0.6 * 1.4 / 9]])
    inverse = np.linalg.inv(slopes)
    expected = inverse @ np.diag([0.3 * 0.7 / first, 0.2 * 0.8 / second]) @ inverse.T
    assert fit_contract(rows).variance_matrix_ == pytest.approx(expected, rel=1e-5)


RENEWALS = [  # entry, duration, lost; entry_index, period_index
    (0.0, 2.2, True, 0, 3),
    (0.0, 3.0, True, 0, 3),
    (0.0, 0.0, True, 0, 1),  # left on the first day: in the first period
    (0.0, 2.2, False, 0, 2),
    (0.0, 2.5, False, 0, 3),  # half up
    (0.0, 0.4, False, 0, 0),
    (1.6, 2.2, True, 2, 3),
    (1.6, 1.9, True, 1, 2),  # no later than it left
    (1.6, 1.7, False, 2, 2),
    (2.6, 2.6, False, 3, 3),
]


def test_renewals_of_lifetimes():
    entry, duration, left, begun, index = (list(column) for column in zip(*RENEWALS, strict=True))
    months = pd.DataFrame({"entry_months": entry, "duration_months": duration})
    table = renewals(months.assign(segment="All", event_observed=left, churn_kind="", n=range(10)))
    assert list(table) == ["segment", "entry_index", "period_index", "event_observed", "n"]
    assert table["entry_index"].tolist() == begun
    assert table["period_index"].tolist() == index
    assert (table["event_observed"].tolist(), table["n"].tolist()) == (left, list(range(10)))


def test_days_that_make_whole_periods_are_not_rounded():
    days = np.array([1, 7, 12, 120]) * 30.4375
    counts = pd.DataFrame({"segment": "All", "entry_months": 0.0, "duration_months": days / 30.4375})
    assert renewals(counts.assign(event_observed=True, n=1))["period_index"].tolist() == [1, 7, 12, 120]


# ── published and independent values ─────────────────────────────────────────

PUBLISHED = {
    "sBG, high end": (HIGH, 7, SBG, (0.6681, 3.8061, 1.0), -1611.158),
    "sBG, regular": (REGULAR, 7, SBG, (0.7041, 1.1820, 1.0), -1680.265),
    "BdW, high end, 4 years": (HIGH, 4, BDW, (0.2593, 1.7226, 1.5844), None),
    "BdW, high end": (HIGH, 7, BDW, (0.2143, 1.4266, 1.7236), -1605.314),
    "BdW, regular": (REGULAR, 7, BDW, (0.4556, 0.7793, 1.2835), -1679.603),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_published_estimates(case):
    """Fader & Hardie (2007) and Fader et al. (2018), to the printed digits."""
    left, years, model, parameters, likelihood = PUBLISHED[case]
    fit = fit_contract(cohort(left, years=years), model=model)
    assert fit.parameters == pytest.approx(parameters, abs=5.1e-5)
    assert likelihood is None or fit.log_likelihood_ == pytest.approx(likelihood, abs=5e-4)


@pytest.mark.parametrize(("left", "years", "model", "year", "share"), [
    (HIGH, 7, SBG, 12, 0.378), (REGULAR, 7, SBG, 12, 0.170), (HIGH, 4, BDW, 10, 0.4182),
])  # fmt: skip
def test_published_projections(left, years, model, year, share):
    fit = fit_contract(cohort(left, years=years), model=model)
    assert float(fit.survival(year)) == pytest.approx(share, abs=5e-4 if model == SBG else 5e-5)


def test_a_widely_copied_estimate_is_not_the_maximum():
    """α = 0.688 for "Regular" stands in many a test; the likelihood there is lower, whatever β."""
    best = minimize_scalar(lambda beta: -likelihood_by_recursion(0.688, beta, REGULAR), bounds=(0.5, 3))
    assert -best.fun < fit_contract(cohort(REGULAR)).log_likelihood_ - 0.01


@pytest.mark.parametrize(("alpha", "beta"), [(0.6681, 3.8061), (0.05, 0.02), (40.0, 300.0), (3.0, 19.9)])
def test_probabilities_are_those_of_the_recursion(alpha, beta):
    model, t = model_of(alpha, beta), np.arange(1, 301)
    lost = np.exp(model._log_hazard(model._fitted_parameters_, t + 0.5)) * model.survival(t)
    assert lost == pytest.approx(lost_by_recursion(alpha, beta, 300), rel=1e-10)
    assert model.survival(t) == pytest.approx(1 - np.cumsum(lost), abs=1e-10)


@pytest.mark.parametrize("t", [1, 7, 900, 10**4, 10**6])
@pytest.mark.parametrize(
    ("alpha", "beta", "c"),
    [(1, 0.5, 1.0), (3, 2.5, 2.0), (2, 0.3, 2.25), (2, 1e5, 1.0), (50, 1e5, 0.5), (900, 1100.0, 1.0), (1000, 3.0, 1.5)],
)
def test_no_digits_are_lost_at_large_ages_and_parameters(alpha, beta, c, t):
    """For whole α, S(t) is the product of (β + j) / (β + t^c + j) over j < α."""
    with localcontext() as context:
        context.prec = 50

        def exact(period):
            rise = Decimal(float(period) ** c)
            return sum(((Decimal(beta) + j) / (Decimal(beta) + rise + j)).ln() for j in range(alpha))

        survival, hazard = exact(t), ((exact(t - 1) - exact(t)).exp() - 1).ln()
    model = model_of(alpha, beta, c)
    ages, logs = np.array([t + 0.5]), model._fitted_parameters_
    assert float(-model._cumulative_hazard(logs, ages)[0]) == pytest.approx(float(survival), rel=1e-10)
    assert float(model._log_hazard(logs, ages)[0]) == pytest.approx(float(hazard), abs=5e-9)


def test_both_parameters_large_is_one_rate_for_all():
    """S(t) is the product of (β + j) / (α + β + j) over j < t, nearly ½ each."""
    model, j = model_of(1e5, 1e5), np.arange(40)
    assert model.survival(j + 1) == pytest.approx(np.cumprod((1e5 + j) / (2e5 + j)), rel=1e-12)


@pytest.mark.parametrize("model", CONTRACT_MODELS)
@pytest.mark.parametrize("seed", range(4))
def test_no_other_parameters_are_more_likely(model, seed):
    """An independent search (Nelder & Mead) from several starts finds nothing higher."""
    rng = np.random.default_rng(seed)
    alpha, beta = np.exp(rng.uniform(-0.7, 1)), np.exp(rng.uniform(0, 2))
    lives = as_lives(world(rng, 5000, alpha=alpha, beta=beta))
    fit = fit_contract(from_lives(lives), model=model)

    def depth(logs):
        return -float(lives["n"] @ log_likelihoods(fit, np.clip(logs, -11, [11, 11, 2][: len(logs)]), lives))

    starts = [np.zeros(3), [1.0, 1.0, 0.5], [-1.0, 1.0, -0.3]]
    size, options = len(fit._fitted_parameters_), {"maxiter": 1500}
    others = [minimize(depth, start[:size], method="Nelder-Mead", options=options).fun for start in starts]
    assert fit.log_likelihood_ > -min(others) - 1e-6


# ── standing where a model of lifetimes stands ───────────────────────────────


def test_ages_are_whole_periods_shifted_by_half():
    model = model_of(0.6, 1.4)
    ages = np.array([0.0, 0.5, 1.0, 1.5, 2.4999, 2.5])
    survival = np.exp(-model._cumulative_hazard(model._fitted_parameters_, ages))
    assert survival == pytest.approx([1, 1, 1, 0.7, 0.7, 0.56])


@pytest.mark.parametrize("c", [None, 1.4])
def test_many_parameters_at_once(c):
    model, ages = model_of(0.6, 1.4, c), np.arange(25) + 0.5
    draws = model._fitted_parameters_ + np.random.default_rng(1).normal(size=(9, 2 + (c is not None)))
    table = cumulative_draws(model, draws, ages)
    assert table.shape == (9, 25)
    assert table == pytest.approx(np.array([model._cumulative_hazard(row, ages) for row in draws]))


def test_scores_are_slopes():
    """Of log P(T = 1) = log α − log(α + β) in log α, 1 − α/(α + β); of log S(1) in log β, α/(α + β)."""
    model = model_of(0.6, 1.4)
    found = scores(model, as_lives(rows_of([1, 1], [True, False], 1)))
    assert found == pytest.approx(np.array([[0.7, -0.7], [-0.3, 0.3]]), abs=1e-6)


@pytest.mark.parametrize("model", CONTRACT_MODELS)
def test_scores_add_up_to_nothing_at_the_maximum(model):
    rows = world(np.random.default_rng(2), 2000)
    slopes = scores(fit_contract(rows, model=model), as_lives(rows))
    assert rows["n"].to_numpy() @ slopes == pytest.approx(0, abs=1e-3)


def test_lives_and_renewals_are_opposites():
    rows = rows_of([3, 3, 2], [True, False, False], [5, 6, 7], [0, 1, 2])
    pd.testing.assert_frame_equal(from_lives(as_lives(rows)), rows)


@pytest.mark.long
def test_tail_of_whole_months():
    """Beyond the last trusted age Kaplan–Meier goes on with S(t) / S(last) of the model."""
    rows = cohort(HIGH)
    counts = rows.rename(columns={"period_index": "duration_months", "entry_index": "entry_months"})
    fit = fit_models(counts.assign(segment="All").astype({"duration_months": float}), unit_months=1.0).fits["All", SBG]
    curve = extended(counts, fit, unit_months=1.0)
    assert curve.last == 7
    ahead = np.exp(-curve.cumulative_hazard(np.array([6.0, 7.0, 8.0, 12.0])))
    model = fit.survival(np.array([8, 12])) / fit.survival(7)
    assert ahead == pytest.approx([0.517, 0.491, *(0.491 * model)], rel=1e-9)


# ── properties ───────────────────────────────────────────────────────────────

CELLS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 9), st.booleans(), st.integers(1, 30)), min_size=4, max_size=14
)


def rows_from(cells):
    entry, period, left, n = (np.array(column) for column in zip(*cells, strict=True))
    return rows_of(entry + period, left, n, entry)


@pytest.mark.long
@settings(max_examples=30)
@given(CELLS, st.integers(0, 999))
def test_order_and_splitting_change_nothing(cells, seed):
    rows = pd.concat([cohort(REGULAR), rows_from(cells)], ignore_index=True)
    part = rows["n"] // 3
    split = pd.concat([rows.assign(n=part), rows.assign(n=rows["n"] - part)], ignore_index=True)
    whole, again = fit_contract(rows), fit_contract(split.sample(frac=1, random_state=seed))
    assert again._fitted_parameters_ == pytest.approx(whole._fitted_parameters_, abs=1e-6)
    assert again.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-8)


@pytest.mark.long
@settings(max_examples=40)
@given(CELLS, st.sampled_from(CONTRACT_MODELS))
def test_a_fit_is_a_survival_curve_with_a_variance(cells, model):
    fit = fit_contract(pd.concat([cohort(10 * np.array(HIGH)), rows_from(cells)]), model=model)
    assert np.linalg.eigvalsh(fit.variance_matrix_).min() > 0
    survival = fit.survival(np.arange(30))
    assert (np.diff(survival) < 0).all()


@pytest.mark.parametrize("left", [HIGH, REGULAR])
def test_bdw_contains_sbg(left):
    inner, outer = (fit_contract(cohort(left), model=model) for model in (SBG, BDW))
    assert outer.log_likelihood_ > inner.log_likelihood_


# ── what cannot be fitted ────────────────────────────────────────────────────


@pytest.mark.parametrize("model", CONTRACT_MODELS)
@pytest.mark.parametrize("shape", ["alike", "more and more"])
def test_customers_who_do_not_differ_are_refused(model, shape):
    """A tenth leaves each period, or a share that grows: no chance of leaving is spread over customers."""
    share = np.full(8, 0.1) if shape == "alike" else np.linspace(0.05, 0.4, 8)
    left = np.round(10_000 * np.cumprod(np.append(1.0, 1 - share))).astype(int)
    with pytest.raises(DataError, match="did not settle on one answer: .* customers do not differ"):
        fit_contract(cohort(left, years=8), model=model)


@pytest.mark.parametrize(
    ("rows", "model", "reason"),
    [
        (rows_of([1, 2], [False, False], 5), SBG, "No customer left, so there is no churn to model."),
        (rows_of([2, 3], [True, False], [0, 5]), SBG, "No customer left"),
        (rows_of([2, 3], [True, False], 5), SBG, "only 1 different period; this model needs at least 2"),
        (rows_of([1, 2, 3], [True, True, False], 5), BDW, "only 2 different periods; this model needs at least 3"),
        (rows_of([0, 1, 2], [True, True, True], 5), SBG, "left at age 0"),
    ],
)
def test_too_little_is_refused(rows, model, reason):
    with pytest.raises(DataError, match=reason):
        fit_contract(rows, model=model)


def test_faults_are_named():
    rows = cohort(HIGH)
    with pytest.raises(ParameterError, match="'sBG'.*There are: Beta-discrete-Weibull, Shifted beta-geometric"):
        fit_contract(rows, model="sBG")
