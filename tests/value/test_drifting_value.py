"""Customers who leave faster than they used to: what the value of a customer then rests on, and what is said."""

import numpy as np
import pytest
from drift_world import LAST, constant, customers, loaded, stepped

import cslib as cs
from cslib.churn.words import ALL_YEARS
from cslib.data.customers import segment_of
from cslib.data.drift import drift, recent
from cslib.value.ltv import LONG_RUN, SURVIVAL, Terms, ltv
from cslib.value.paths import paths_of, recent_paths
from cslib.value.prices import UnitCosts

TRUTH = 100 * np.exp(-0.08 * np.arange(36)).sum()  # 100 a month, at the 8 % of the last year


@pytest.fixture(scope="module")
def value():
    return cs.Value(loaded(np.random.default_rng(1), 3000, stepped), horizon_months=36)


def row(value, method):
    table = value.forms.table
    return table[table["method"] == method].iloc[0]


@pytest.mark.long
def test_value_is_that_of_the_last_year(value):
    now, usual = row(value, SURVIVAL), row(value, LONG_RUN)
    assert now.ci_lower < TRUTH < now.ci_upper
    assert now.ltv == pytest.approx(TRUTH, rel=0.07)
    assert usual.ci_lower > 1.15 * TRUTH
    assert usual.n_customers == 3000 > now.n_customers


@pytest.mark.long
def test_the_change_and_the_other_figure_are_said(value):
    (said,) = value.answer.warnings
    found = drift(value.data)
    assert said.startswith("Customers now leave faster: churn of the last 12 months is 83 % higher than before")
    assert found.recent / found.before == pytest.approx(1.83, abs=0.005)
    assert "than before, at the same ages. Figures below rest on these 12 months" in said
    assert f"over all years, a new customer would be worth {float(f'{row(value, LONG_RUN).ltv:.3g}'):,.0f} (" in said


@pytest.mark.long
def test_the_scorecard_says_what_its_values_rest_on(value):
    *_, note, margin = cs.Scorecard(value.data).kpis.notes
    assert margin.startswith("All revenue counts as margin")
    assert note == "LTV and payback rest on the last 12 months, in which customers left faster than before."


@pytest.mark.long
def test_what_is_at_stake_is_that_of_the_last_year(value):
    churn = cs.Churn(value.data)
    here = len(churn.at_risk.table)
    leaving = here * -np.expm1(-0.08 * 12)
    assert churn.at_risk.table["p_churn"].sum() == pytest.approx(leaving, rel=0.06)
    last = churn.forecast.table.iloc[-1]
    assert here - last.active_ci_upper < leaving < here - last.active_ci_lower
    year = churn.summary.table.set_index("segment")["survival_12m"]
    assert year["All"] == pytest.approx(np.exp(-0.08 * 12), abs=0.04)
    assert year[ALL_YEARS] > year["All"] + 0.05
    assert f"over all years, {100 * year[ALL_YEARS]:.1f} % stay longer than 12" in churn.answer.warnings[0]


@pytest.mark.long
def test_without_new_customers_all_years_stand_and_that_is_said(value):
    old = value.data.table("customers").execute().query("started_on < '2025-01-01'")
    odd = cs.Value(cs.load({"customers": old}, as_of=value.data.as_of.isoformat()))
    (said,) = odd.answer.warnings
    assert said.endswith("so stays come out too long.")
    assert LONG_RUN not in set(odd.forms.table["method"])


@pytest.mark.long
def test_the_cost_of_winning_is_that_of_all_years():
    """Estimated without survival and prices, or with them: the same figures in the data and in every draw."""
    more = {"plan": np.tile(["A", "B"], 1500), "acquisition_cost": np.arange(3000.0)}
    data, asked = loaded(np.random.default_rng(1), 3000, stepped, **more), {"segment_by": "plan", "horizon_months": 36}
    usual, found = paths_of(data, **asked), recent_paths(data, drift(data), **asked)
    assert found["All"].n_customers < 3000
    assert found.keys() == usual.keys()
    for segment, paths in found.items():
        assert paths.cac.tolist() == pytest.approx(usual[segment].cac.tolist(), nan_ok=True)


@pytest.mark.long
def test_where_nothing_changed_nothing_is_said():
    value = cs.Value(loaded(np.random.default_rng(2), 300, constant))
    assert not value.answer.warnings
    assert not cs.Churn(value.data).answer.warnings
    assert LONG_RUN not in set(value.forms.table["method"])


@pytest.mark.long
@pytest.mark.parametrize("n", [300, 3000])
def test_intervals_hold_the_value_at_the_new_pace(n):
    """Of a rise that is found; one that is not, as of 300 customers it may be, leaves the long average."""
    held, errors = [], []
    for seed in range(5):
        data = loaded(np.random.default_rng([n, seed]), n, stepped)
        if (found := drift(data)) is None:
            continue
        paths = paths_of(recent(data, found), horizon_months=36)
        new = ltv(paths, Terms(costs=UnitCosts()), horizons=[36]).iloc[0]
        held.append(new.ci_lower <= TRUTH <= new.ci_upper)
        errors.append(new.ltv / TRUTH - 1)
    assert sum(held) >= len(held) - 1
    assert abs(np.mean(errors)) < 0.06


@pytest.mark.long
def test_small_segments_rest_on_the_same_months_alone_and_beside_others():
    """Of 40 the last year saw too little, of 100 enough, and of neither did 20 start at each age in it."""
    table = customers(np.random.default_rng(4), 1500, stepped)
    plan = np.where(np.arange(1500) < 40, "Few", np.where(np.arange(1500) < 140, "Some", "Most"))
    data = cs.load({"customers": table.assign(plan=plan)}, as_of=LAST)
    asked = {"horizon_months": 12}
    beside = recent_paths(data, drift(data), segment_by="plan", **asked)
    for name in ("Few", "Some"):
        own = segment_of(data, "plan", name)
        alone = recent_paths(own, drift(own), **asked)["All"]
        months = alone.hazard.shape[1]
        assert (alone.hazard == beside[name].hazard[:, :months]).all()
        assert alone.n_customers == beside[name].n_customers
    assert beside["Few"].n_customers == 40
    assert beside["Some"].n_customers < 100
