"""Value of the present customers, what changes would add, and the year foretold against the year that came."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from value_world import counted

import cslib
from cslib.stats.models import fit_models
from cslib.value.ltv import Terms, Worth
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts

# of 100 customers at 10 a month 40 leave, 10 each month up to the fourth; the others have been here for 1 to 6 months
DURATIONS = np.append(np.repeat([1, 2, 3, 4], 10), np.repeat([1, 2, 3, 4, 5, 6], 10))
LEFT = np.arange(100) < 40


def paths_of(horizon=3, **more):
    counts, values = counted(DURATIONS, LEFT, **more)
    return value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=horizon, draws=300)


def test_present_customers_are_followed_by_age():
    """At ages 1 to 6, S is .9, .775, .64, .48 and stays there: of those aged 1, .775 / .9 are here a month on."""
    projection = paths_of()["All"].ahead(2)
    km = np.cumprod([1, 0.9, 70 / 80, 50 / 60, 30 / 40, 1, 1, 1])
    here = sum(10 * km[age + 1] / km[age] for age in range(1, 5))  # those aged 5 and 6 may go on as a model says
    assert projection.active[0, 0] == 60
    assert here < projection.active[0, 1] < here + 20
    assert projection.mrr[0] == pytest.approx(10 * projection.active[0])
    assert projection.active_variance[0] == 0


def test_base_value_is_margin_less_retention_cost_of_those_still_here():
    paths, terms = (
        paths_of(),
        Terms(costs=UnitCosts(retention_per_month=1.0), gross_margin=0.8, annual_discount_rate=0.21),
    )
    active = paths["All"].ahead(3).active[0, :3]
    row = Worth(paths, terms, horizon_months=3).base_value.iloc[0]
    assert row.base_value == pytest.approx(active @ (7 * 1.21 ** (-np.arange(3) / 12)))
    assert (row.n_active, row.mrr) == (60, 600)
    assert row.ci_lower < row.base_value < row.ci_upper
    assert 0 < row.share_in_tail < 1


def test_the_steps_from_mrr_of_today_add_up():
    """60 customers at 10: 1,800 in 3 months if nobody left; the price is the same at every age."""
    paths, costs = paths_of(), UnitCosts(retention_per_month=1.0)
    terms = Terms(costs=costs, gross_margin=0.8, annual_discount_rate=0.21)
    active = paths["All"].ahead(3).active[0, :3]
    table = Worth(paths, terms, horizon_months=3).base_steps
    made = table.set_index("step")["difference"]
    expected = [1800, 10 * active.sum() - 1800, 0, 0, -2 * active.sum(), -active.sum()]
    assert made.iloc[:6].tolist() == pytest.approx(expected, abs=1e-9)
    assert made.sum() == table["value"].iloc[-1]
    assert made.sum() == pytest.approx(Worth(paths, terms, horizon_months=3).base_value["base_value"].iloc[0])


def test_the_whole_base_depends_on_no_segments():
    own = paths_of()["All"]
    table = Worth({"All": own, "a": own, "b": own}, Terms(costs=UnitCosts()), horizon_months=3).base_value.set_index(
        "segment"
    )
    assert table.loc["All", "base_value"] == pytest.approx(table.loc["a", "base_value"])
    assert table.loc["All", "n_active"] == 60


def test_a_segment_without_an_estimate_leaves_the_whole_its_own():
    counts, values = counted([3] * 40, [False] * 40)
    kept = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=6, draws=50)["All"]
    table = Worth(
        {"All": paths_of()["All"], "a": kept}, Terms(costs=UnitCosts()), horizon_months=3
    ).base_value.set_index("segment")
    assert pd.isna(table.loc["a", "base_value"])
    assert table.loc["a", "ci_lower"] < table.loc["a", "ci_upper"]
    assert table.loc["All", "base_value"] > 0


def test_higher_price_raises_value_by_its_share():
    paths, terms = paths_of(), Terms(costs=UnitCosts(), gross_margin=0.8)
    table = Worth(paths, terms, horizon_months=3).what_if.set_index("change")
    base = Worth(paths, terms, horizon_months=3).base_value["base_value"].iloc[0]
    row = table.loc["5 % higher ARPA"]
    assert row.ltv_gain == pytest.approx(0.05 * row.ltv)
    assert row.base_gain == pytest.approx(0.05 * base)


def test_less_churn_by_hand():
    """With every hazard at nine tenths, S(k) becomes S(k) to the power 0.9."""
    paths = paths_of()
    row = Worth(paths, Terms(costs=UnitCosts()), horizon_months=3).what_if.set_index("change").loc["10 % less churn"]
    km = np.cumprod([1, 0.9, 70 / 80])
    assert row.ltv_gain == pytest.approx(10 * (km**0.9 - km).sum())
    assert 0 < row.ltv_gain_ci_lower < row.ltv_gain < row.ltv_gain_ci_upper


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "power"), [("involuntary", 0.5), ("voluntary", 1.0)])
def test_half_the_involuntary_churn(kind, power):
    row = (
        Worth(paths_of(kind=kind), Terms(costs=UnitCosts()), horizon_months=3)
        .what_if.set_index("change")
        .loc["Half the involuntary churn"]
    )
    km = np.cumprod([1, 0.9, 70 / 80])
    assert row.ltv_gain == pytest.approx(10 * (km**power - km).sum())


def test_kinds_of_churn_not_recorded_leave_the_change_unknown():
    row = (
        Worth(paths_of(), Terms(costs=UnitCosts()), horizon_months=3)
        .what_if.set_index("change")
        .loc["Half the involuntary churn"]
    )
    assert row[["ltv_gain", "base_gain"]].isna().all()


def test_halving_involuntary_churn_adds_nothing_where_nobody_left_against_their_will():
    table = Worth(paths_of(kind="voluntary"), Terms(costs=UnitCosts()), horizon_months=3).what_if.set_index("change")
    assert table.loc["Half the involuntary churn", "base_gain"] == 0


def test_kinds_of_churn_not_recorded_leave_the_change_unknown_though_nobody_is_here():
    counts, values = counted([1, 2, 3] * 10, [True] * 30)
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=3, draws=50)
    gains = Worth(paths, Terms(costs=UnitCosts()), horizon_months=3).what_if.set_index("change")["base_gain"]
    assert gains["10 % less churn"] == 0
    assert np.isnan(gains["Half the involuntary churn"])


@pytest.mark.slow
def test_nobody_here_is_worth_nothing():
    counts, values = counted([1, 2, 3] * 10, [True] * 30)
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=3, draws=50)
    row = Worth(paths, Terms(costs=UnitCosts()), horizon_months=3).base_value.iloc[0]
    assert (row.n_active, row.base_value) == (0, 0)
    assert pd.isna(row.share_in_tail)


def test_a_free_trial_ends():
    """Nothing in the first two months, then 20: who is a month old now pays nothing, and 20 two months from now."""
    duration = np.append(np.repeat([1, 6], 30), [3] * 40)
    counts, values = counted(duration, [False] * 60 + [True] * 40)
    revenue = np.where(values.paid["age"] < 2, 0.0, 20.0 * values.paid["n_priced"])
    young = ~values.cells["event_observed"] & (values.cells["n_ages"] == 2)
    cells = values.cells.assign(
        mrr_now=values.cells["mrr_now"].mask(young, 0.0).where(young, 2 * values.cells["mrr_now"])
    )
    values = replace(values, cells=cells, paid=values.paid.assign(revenue=revenue))
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=3, draws=20)["All"]
    young, old = (replace(paths, active=paths.active.iloc[[i]], factors=paths.factors[:, [i]]) for i in (0, 1))
    ahead = young.ahead(3)
    assert (ahead.mrr[0] / ahead.active[0]).tolist() == pytest.approx([0, 20, 20, 20])
    ahead = old.ahead(3)
    assert (ahead.mrr[0] / ahead.active[0]).tolist() == pytest.approx([20] * 4)
    assert (ahead.mrr_flat / ahead.active[0]).tolist() == pytest.approx([20] * 4)


def test_what_customers_pay_more_is_a_step_of_its_own():
    """10 in the first three months, then 20: 30 customers who have stayed for a month and pay 10."""
    counts, values = counted(np.append([1] * 30, [5] * 40), [False] * 30 + [True] * 40)
    revenue = np.where(values.paid["age"] < 3, 10.0, 20.0) * values.paid["n_priced"]
    values = replace(values, paid=values.paid.assign(revenue=revenue))
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=3, draws=20)
    active = paths["All"].ahead(3).active[0]
    made = Worth(paths, Terms(costs=UnitCosts()), horizon_months=3).base_steps.set_index("step")["difference"]
    assert made["MRR of today"] == 900
    assert made["what they pay"] == pytest.approx(10 * active[2])  # of months 0, 1 and 2 the last alone is dearer


@pytest.mark.parametrize(
    ("leaver", "stayer", "share", "told"), [(10, 30, 0.5, True), (30, 10, 1.5, True), (20, 20, 1, False)]
)
def test_what_the_remaining_pay_moves_as_others_leave(leaver, stayer, share, told):
    """In their third month 20 leave and 20 stay, who pay 20 on average; 40 have stayed for a month so far."""
    duration, left = np.repeat([3, 6, 1], [20, 20, 40]), np.repeat([True, False], [20, 60])
    price = np.concatenate([[leaver] * 20, [stayer] * 20, [leaver, stayer] * 20]).astype(float)
    counts, values = counted(duration, left, price)
    paths = value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=6, draws=200)
    assert paths["All"].leavers_pay[0] == pytest.approx(share)
    table = Worth(paths, Terms(costs=UnitCosts()), horizon_months=3).base_steps.set_index("step")
    assert np.sign(table.loc["what they pay", "difference"].round(6)) == np.sign(stayer - leaver)
    assert table.index[table["by_leaving"]].tolist() == ["what they pay"] * told
    unknown = {"All": replace(paths["All"], leavers_pay=np.full(201, np.nan))}
    assert not Worth(unknown, Terms(costs=UnitCosts()), horizon_months=3).base_steps["by_leaving"].any()


@pytest.mark.long
def test_after_a_fixed_term_everybody_leaves():
    """15 start on the 1st of each of 26 months and stay for 12 at 10 a month: 120 each, and nobody beyond.

    The youngest of those here at the end of June 2025 began in February: 7 months more, the oldest in July: none. With
    the month that runs, 8 · 15 · 10 + (1 + … + 7) · 15 · 10 = 5,400.
    """
    starts = pd.date_range("2023-01-01", periods=26, freq="MS").repeat(15)
    ends = starts + pd.DateOffset(years=1)
    rows = {"started_on": starts, "ended_on": ends.where(ends <= "2025-06-30"), "mrr": 10.0}
    data = cslib.load({"subscriptions": pd.DataFrame(rows).assign(customer_id=range(390))}, as_of="2025-06-30")
    value = cslib.Value(data)
    form = value.forms.table.set_index("method").loc["Survival"]
    assert form["ltv"] == pytest.approx(120, rel=0.01)
    base = value.answer.cards[1]
    assert (base.value, base.n) == (pytest.approx(5400, rel=0.01), 120)
    last = cslib.Churn(data).forecast.table.iloc[-1]
    assert last["expected_active"] == pytest.approx(0, abs=1)
