"""Forecast of present customers: Kaplan–Meier where it is firm, a model beyond, and honest intervals."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cslib.data.lifetimes import lifetimes, unit_months
from cslib.errors import ParameterError
from cslib.stats import models as lifetime_models
from cslib.stats.likelihood import cumulative
from cslib.stats.models import FittedModels, extended, fit_averaged, fit_models, forecast, reach

DAY = 1 / 30.4375


def counts_of(duration, event, *, n=1, segment="All"):
    duration = np.asarray(duration, float)
    rows = {
        "segment": segment,
        "entry_months": 0.0,
        "duration_months": duration,
        "event_observed": event,
        "churn_kind": "",
        "n": n,
    }
    return pd.DataFrame(rows)


def world(rng, n, *, scale=20.0, shape=0.8, unit=DAY):
    """Weibull lifetimes of customers who start over 36 months, as counts, and what is left of those still here."""
    life, seen = scale * rng.weibull(shape, n), rng.uniform(0, 36, n)
    duration, left = np.floor(np.minimum(life, seen) / unit) * unit, life <= seen
    return counts_of(duration, left), (life - seen)[~left]


def models_of(name, fit):
    table = pd.DataFrame({"segment": ["All"], "model": [name], "weight": [1.0]})
    return FittedModels(table, pd.DataFrame(), {("All", name): fit}, DAY)


@pytest.fixture(scope="module")
def one_age():
    """Twenty left at age 2, thirty are here at age 4: 20·2½ + 30·4½ = 185 months, 20 churns."""
    return counts_of([2, 4], [True, False], n=[20, 30])


@pytest.fixture(scope="module")
def drawn():
    return world(np.random.default_rng(7), 2000)[0]


@pytest.fixture(scope="module")
def fitted(drawn):
    return fit_models(drawn, unit_months=DAY)


def test_forecast_of_an_exponential(one_age):
    """Thirty stay with p = exp(−4k/37); the rate 20/185 has variance rate²/20, the slope of 30p in it is −30kp."""
    table = forecast(one_age, fit_models(one_age, unit_months=1.0), horizon_months=3)
    k, rate = np.arange(1, 4), 4 / 37
    p = np.exp(-rate * k)
    half = stats.norm.ppf(0.975) * np.sqrt(30 * p * (1 - p) + (30 * k * p * rate) ** 2 / 20)
    assert table["expected_active"].to_numpy() == pytest.approx(30 * p)
    assert table["active_ci_lower"].to_numpy() == pytest.approx(np.maximum(30 * p - half, 0), rel=1e-5)
    assert table["active_ci_upper"].to_numpy() == pytest.approx(np.minimum(30 * p + half, 30), rel=1e-5)


def test_forecast_of_churn_in_one_month(one_age):
    """A month's share q = p(k−1) − p(k); its slope in the rate is k·p(k) − (k−1)·p(k−1)."""
    table = forecast(one_age, fit_models(one_age, unit_months=1.0), horizon_months=2, confidence_level=0.5)
    rate = 4 / 37
    p1, p2 = np.exp(-rate), np.exp(-2 * rate)
    q = p1 - p2
    half = stats.norm.ppf(0.75) * np.sqrt(30 * q * (1 - q) + (30 * (2 * p2 - p1) * rate) ** 2 / 20)
    assert table["expected_churned"].tolist() == pytest.approx([30 * (1 - p1), 30 * q])
    assert table.loc[1, ["churned_ci_lower", "churned_ci_upper"]].tolist() == pytest.approx(
        [30 * q - half, 30 * q + half]
    )


def test_forecast_names_its_dates(one_age):
    models = fit_models(one_age, unit_months=1.0)
    months = forecast(one_age, models, as_of=date(2025, 1, 31), horizon_months=2)["month"]
    assert months.tolist() == [pd.Timestamp(2025, 2, 28), pd.Timestamp(2025, 3, 31)]
    assert forecast(one_age, models)["month"].isna().all()


@pytest.mark.slow
def test_churned_and_active_add_up(drawn, fitted):
    table = forecast(drawn, fitted, horizon_months=24)
    total = table["expected_active"] + table["expected_churned"].cumsum()
    assert total.to_numpy() == pytest.approx(table["n_active"].to_numpy())
    assert (table["n_active"] == (~drawn["event_observed"]).sum()).all()


def test_few_or_no_churns_are_taken_at_one_rate():
    """Of 400 aged 23 months none left: ½ churn in 9,200 months, 400 · (1 − exp(−6/18400)) ≈ 0.13 in half a year."""
    counts = counts_of([23], [False], n=400)
    last = forecast(counts, fit_models(counts, unit_months=1.0), horizon_months=6).iloc[-1]
    rate = 0.5 / 9200
    p = np.exp(-6 * rate)
    half = stats.norm.ppf(0.975) * np.sqrt(400 * p * (1 - p) + (400 * 6 * p) ** 2 * rate / 9200)
    assert last.model == "one rate, as few left"
    assert last.expected_active == pytest.approx(400 * p)
    assert last.active_ci_lower == pytest.approx(400 * p - half)
    assert last.active_ci_upper == 400


def test_nothing_to_forecast():
    gone, today = counts_of([1, 2], True), counts_of([0.2], False, n=9)
    for counts in (gone, today):
        table = forecast(counts, fit_models(counts, unit_months=DAY))
        assert table.empty
        assert table.columns[:2].tolist() == ["segment", "months_ahead"]
    assert (
        forecast(
            counts_of([1.5, 3.5], [True, False], n=20),
            fit_models(counts_of([1.5, 3.5], [True, False], n=20), unit_months=DAY),
        ).months_ahead.max()
        == 3
    )


def test_ages_well_observed_follow_kaplan_meier_by_hand():
    """100 start: 20 leave at month 1, where 40 are here; 16 of the other 40 leave at month 2; 24 are here at 3.

    Of the 40 aged 1, 40 · (1 − 16/40) = 24 outlast month 2. The 24 aged 3 go by the models, as each one weighs.
    """
    counts = counts_of([1, 1, 2, 3], [True, False, True, False], n=[20, 40, 16, 24])
    models = fit_models(counts, unit_months=1.0)
    row = forecast(counts, models, horizon_months=1).iloc[0]
    weights = models.weights("All")
    assert len(weights) > 1
    assert row.model == f"average of {len(weights)} models"
    curve = extended(counts, None, unit_months=1.0)
    assert (curve.last, curve.ages.tolist(), curve.hazards.tolist()) == (3, [1, 2], [0.2, 0.4])
    fits, ages = {model: models.fits["All", model] for model in weights}, np.array([3.5, 4.5])
    lived = {m: np.diff(cumulative(fit, fit._fitted_parameters_, ages))[0] for m, fit in fits.items()}
    assert row.n_active == 64
    assert row.expected_active == pytest.approx(24 + 24 * sum(w * np.exp(-lived[m]) for m, w in weights.items()))


def alone(models, model):
    return replace(models, table=models.table.assign(weight=(models.table["model"] == model).astype(float)))


def variance(table):
    """Of who is active after the last month."""
    last = table.iloc[-1]
    return ((last.active_ci_upper - last.active_ci_lower) / (2 * stats.norm.ppf(0.975))) ** 2


def test_models_that_disagree_widen_the_interval(drawn, fitted):
    """The law of total variance: the mean of the variances and the variance of the means."""
    weights = pd.Series({"Weibull": 0.5, "Exponential": 0.3, "Log-normal": 0.2})
    table = fitted.table.assign(weight=fitted.table["model"].map(weights).fillna(0))
    both = forecast(drawn, replace(fitted, table=table))
    parts = [forecast(drawn, alone(fitted, model)) for model in weights.index]
    means = np.array([part["expected_active"].iloc[-1] for part in parts])
    expected = weights.to_numpy() @ means
    assert np.ptp(means) > 1
    assert both["expected_active"].iloc[-1] == pytest.approx(expected)
    own = [variance(part) for part in parts]
    assert variance(both) == pytest.approx(weights.to_numpy() @ (own + (means - expected) ** 2))


@pytest.mark.long
def test_what_is_not_known_is_what_customers_drawn_anew_show(monkeypatch):
    """Observed hazards and parameters move together: 400 draws, 3.5 % Monte Carlo standard error of a deviation."""
    rng, n = np.random.default_rng(7), 400
    counts = world(rng, n, scale=30.0)[0]
    here = counts[~counts["event_observed"]].groupby("duration_months")["n"].sum()
    last = extended(counts, None, unit_months=DAY).last
    monkeypatch.setattr(lifetime_models, "TRUSTED", 2)  # draws reach no other age

    def expected(rows):
        fit = lifetime_models._fit(lifetime_models._collapsed(rows, DAY / 2), "Weibull")
        curve = extended(rows, fit, unit_months=DAY)
        seen = {name: getattr(curve, name)[curve.ages <= last] for name in ("ages", "hazards", "variances")}
        curve = replace(curve, **seen, last=last)
        still = lifetime_models._still_here(curve, here.index.to_numpy(float), 12)[:, -1]
        return here.to_numpy() @ still, fit, here.to_numpy() @ (still * (1 - still))

    _, fit, chance = expected(counts)
    drawn = [expected(counts.sample(n, replace=True, random_state=i))[0] for i in range(400)]
    monkeypatch.undo()
    table = forecast(counts, models_of("Weibull", fit))
    assert np.sqrt(variance(table) - chance) == pytest.approx(np.std(drawn), rel=0.1)


def test_the_variance_of_an_observed_step_by_hand():
    """As above, all aged 1 and the next month observed: nothing of it comes from the model."""
    rows = [counts_of([1, 2, 9], [True, True, False], n=[20, 32, 48]), counts_of([1], [False], n=40)]
    counts = pd.concat(rows)
    models = fit_models(counts, unit_months=1.0)
    curve = extended(counts, models.fits["All", "Exponential"], unit_months=1.0)
    assert curve.hazards.tolist() == [20 / 140, 32 / 80]
    gone = counts.assign(event_observed=counts.event_observed | (counts.duration_months == 9))
    table = forecast(gone, models, horizon_months=1).iloc[0]
    half = stats.norm.ppf(0.975) * np.sqrt(40 * 0.6 * 0.4 + 24**2 * 32 / (80 * 48))
    assert table.expected_active == pytest.approx(24)
    assert (table.active_ci_lower, table.active_ci_upper) == pytest.approx((24 - half, 24 + half))
    assert (table.churned_ci_lower, table.churned_ci_upper) == pytest.approx((16 - half, 16 + half))


def test_slopes_are_those_of_a_small_change(drawn, fitted):
    """Numerically: one hazard a little larger, all else equal."""
    from dataclasses import replace

    from cslib.stats.models import _slopes_of_hazards, _still_here

    curve = extended(drawn, fitted.fits["All", "Weibull"], unit_months=DAY)
    active = drawn[~drawn.event_observed].groupby("duration_months").n.sum()
    ages, n = active.index.to_numpy(), active.to_numpy(float)
    slopes = _slopes_of_hazards(curve, ages, n[:, None] * _still_here(curve, ages, 6))
    for j in (0, 50, 300):
        moved = curve.hazards.copy()
        moved[j] += 1e-7 * (1 - moved[j])
        change = n @ _still_here(replace(curve, hazards=moved), ages, 6) - n @ _still_here(curve, ages, 6)
        assert slopes[j] == pytest.approx(change / 1e-7, rel=1e-3, abs=1e-3)


@pytest.mark.long
def test_the_whole_is_the_sum_of_its_segments(sample):
    counts = lifetimes(sample, segment_by="plan").query("segment != 'All'")
    table = forecast(counts, fit_models(counts, unit_months=unit_months(sample)), as_of=sample.as_of)
    last = table[table.months_ahead == 12].set_index("segment")
    parts = last.drop("All")
    assert last.model["All"] == "sum of segments"
    assert last.expected_active["All"] == pytest.approx(parts.expected_active.sum())
    assert last.n_active["All"] == parts.n_active.sum()
    halves = (parts.active_ci_upper - parts.active_ci_lower) / 2
    assert (last.active_ci_upper - last.active_ci_lower)["All"] / 2 == pytest.approx(np.sqrt((halves**2).sum()))


def test_bad_parameters_are_named(one_age):
    models = fit_models(one_age, unit_months=1.0)
    with pytest.raises(ParameterError, match="horizon_months is 0"):
        forecast(one_age, models, horizon_months=0)
    with pytest.raises(ParameterError, match="horizon_months is -3"):
        reach(one_age, -3)
    with pytest.raises(ParameterError, match="95.*between 0 and 1"):
        forecast(one_age, models, confidence_level=95)


# ── simulation ───────────────────────────────────────────────────────────────


def covered(rng, n, shape):
    """Whether the truth lies inside: active after 12 months, churned in months 1, 2 and 3."""
    counts, left = world(rng, n, shape=shape)
    fit = lifetime_models._fit(lifetime_models._collapsed(counts, DAY / 2), "Weibull")
    table = forecast(counts, models_of("Weibull", fit))
    truth = [np.sum(left > 12), *(np.sum((left > k) & (left <= k + 1)) for k in range(3))]
    lower = [table["active_ci_lower"].iloc[-1], *table["churned_ci_lower"].iloc[:3]]
    upper = [table["active_ci_upper"].iloc[-1], *table["churned_ci_upper"].iloc[:3]]
    return [low <= x <= high for low, x, high in zip(lower, truth, upper, strict=True)]


@pytest.mark.long
@pytest.mark.parametrize("n", [300, 3000])
def test_forecast_covers(n):
    """400 worlds: 95 % and 2.5 points, 2.3 Monte Carlo standard errors, for each of the four."""
    rng = np.random.default_rng(n)
    shares = np.mean([covered(rng, n, shape) for shape in (0.8, 1.3) for _ in range(200)], axis=0)
    assert (shares >= 0.925).all()
    assert (shares <= 0.975).all()


@pytest.mark.long
def test_the_interval_holds_the_choice_of_the_model():
    """24 worlds of 300, no model given; in 200 the interval held 94 %, that of the best model alone 89 %."""
    rng = np.random.default_rng(1)
    drawn = [world(rng, 300) for _ in range(24)]
    counts = pd.concat([own.assign(segment=f"world {i}") for i, (own, _) in enumerate(drawn)], ignore_index=True)
    table = forecast(counts, fit_averaged(counts, unit_months=DAY)).query("months_ahead == 12").set_index("segment")
    truth = pd.Series({f"world {i}": np.sum(left > 12) for i, (_, left) in enumerate(drawn)})
    assert table.loc[truth.index, "model"].str.startswith("average of").mean() > 0.9
    own = table.loc[truth.index]
    assert ((own["active_ci_lower"] <= truth) & (truth <= own["active_ci_upper"])).mean() >= 0.85
