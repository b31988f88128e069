"""Customer value: the three formulas, the survival form, payback, residual value, and why the forms differ."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from age_world import ages
from lifelines import KaplanMeierFitter
from rows_world import lives_of
from value_world import counted

import cslib
from cslib.data.lifetimes import lifetimes
from cslib.errors import ParameterError
from cslib.stats import models as lifetime_models
from cslib.stats.models import fit_models
from cslib.stats.survival import DAYS_PER_MONTH
from cslib.value.ltv import Terms, Worth, formulas, horizons, ltv, observed_part
from cslib.value.paths import value_paths
from cslib.value.prices import UnitCosts, unit_costs, value_counts

# 100 customers at 10 a month: 20 leave after one month, 10 after two, 70 are here after three
DURATIONS = np.repeat([1, 2, 3], [20, 10, 70])
TERMS = Terms(costs=UnitCosts(retention_per_month=1.0), gross_margin=0.8, annual_discount_rate=0.21)


def paths_of(duration=DURATIONS, event=None, horizon=6, **more):
    counts, values = counted(duration, np.asarray(duration) < 3 if event is None else event, **more)
    return value_paths(counts, values, fit_models(counts, unit_months=1.0), horizon_months=horizon, draws=400)


def row(table, **keys):
    for column, value in keys.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_formulas_as_defined():
    """100 a purchase, 12 a year, for two years at 60 %, less 300 and 140; 10,000 for two years; 50 at 2 % churn."""
    profit = formulas(100, 24, gross_margin=0.6, acquisition_cost=300, retention_cost=140 / 24)
    assert profit["Formula A (profit)"] == pytest.approx(1000)
    assert formulas(10_000, 24)["Formula B (revenue)"] == 240_000
    assert formulas(50, 1 / 0.02, gross_margin=0.8)["Formula C (margin / churn)"] == pytest.approx(2000)


def test_formulas_of_many_at_once():
    """Who never leaves is worth without end; who pays nothing and never leaves is not known."""
    worth = formulas(np.array([10.0, 10.0, 0.0]), np.array([2.0, np.inf, np.inf]))["Formula C (margin / churn)"]
    assert worth[:2].tolist() == [20, np.inf]
    assert np.isnan(worth[2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: formulas(100, 24, gross_margin=1.2), "gross_margin is 1.2, which is no share"),
        (lambda: Terms(costs=UnitCosts(), gross_margin=-0.1), "gross_margin is -0.1"),
        (lambda: Terms(costs=UnitCosts(), gross_margin=80), "Did you mean 0.8"),
        (
            lambda: Terms(costs=UnitCosts(), annual_discount_rate=8),
            "annual_discount_rate is 8, which is no share of 1. Did you mean 0.08",
        ),
    ],
)
def test_numbers_out_of_range_are_named(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


@pytest.mark.long
def test_costs_cannot_be_forgotten():
    """100 customers at 10 a month, of which the books spend 2 each: forgotten, value would be a quarter too high."""
    with pytest.raises(TypeError, match="costs"):
        Terms(gross_margin=0.8)
    people = pd.DataFrame({"customer_id": [str(i) for i in range(100)], "started_on": "2025-01-01", "churned_on": None})
    books = pd.DataFrame({"month": ["2025-03-31"], "kind": ["retention"], "amount": [200 * 31 / DAYS_PER_MONTH]})
    data = cslib.load({"customers": people.assign(mrr=10.0), "costs": books}, as_of="2025-03-31")
    counts = lifetimes(data)
    paths = value_paths(counts, value_counts(data), fit_models(counts, unit_months=1.0), horizon_months=2, draws=2)
    table = ltv(paths, Terms(costs=unit_costs(data)), horizons=[2])
    assert row(table, method="Survival").ltv == pytest.approx(2 * (10 - 2), rel=1e-4)


def test_survival_form_by_hand():
    """S = 1, 0.8, 0.7; each month brings 10 · 0.8 − 1 = 7, and r = 0.21 takes a tenth each half year."""
    table = ltv(paths_of(), TERMS, horizons=[3])
    worth = 1.21 ** (-np.arange(3) / 12)
    own = row(table, method="Survival")
    assert own.ltv == pytest.approx(7 * (worth @ [1, 0.8, 0.7]), rel=1e-12)
    assert own.ci_lower < own.ltv < own.ci_upper
    assert (own.share_in_tail, own.n_customers) == (0, 100)


@pytest.mark.long
def test_costs_of_acquisition_come_off_and_are_kept_apart():
    paths = paths_of(cost=9.0)
    table = ltv(paths, Terms(costs=UnitCosts()), horizons=[3])
    assert row(table, method="Survival").ltv == pytest.approx(25 - 9)
    assert row(table, method="Survival, before acquisition cost").ltv == pytest.approx(25)
    loaded = Terms(costs=UnitCosts(acquisition_per_customer=18.0, loading=2.0))
    assert row(ltv(paths, loaded, horizons=[3]), method="Survival").ltv == pytest.approx(25 - 18)
    whole = Terms(costs=UnitCosts(acquisition_per_customer=5.0))
    assert row(ltv(paths_of(), whole, horizons=[3]), method="Survival").ltv == pytest.approx(20)


def test_formulas_rest_on_churns_per_customer_month():
    """30 left in 20 + 20 + 210 = 250 customer-months: 0.12 a month, 8.33 months."""
    table = ltv(paths_of(cost=9.0), TERMS, horizons=[3]).set_index("method")["ltv"]
    assert table["Formula C (margin / churn)"] == pytest.approx(10 * 0.8 / 0.12)
    assert table["Formula B (revenue)"] == pytest.approx(10 / 0.12)
    assert table["Formula A (profit)"] == pytest.approx(8 / 0.12 - 9 - 1 / 0.12)


@pytest.mark.long
def test_payback_is_the_first_month_that_covers_the_cost():
    """Margins come in as 7, 5.6 and 4.9: 10 are covered after two months, 17.5 after three, 18 never."""
    cases = {10.0: 2, 17.5 - 1e-9: 3, 18.0: np.inf}
    for cost, months in cases.items():
        table = Worth(paths_of(cost=cost), Terms(costs=TERMS.costs, gross_margin=0.8), horizon_months=3).payback
        assert table["payback_months"].iloc[0] == months
        assert table["ltv_to_cac"].iloc[0] == pytest.approx(17.5 / cost)
    assert (
        Worth(paths_of(), TERMS, horizon_months=3)
        .payback[["cac", "payback_months", "ltv_to_cac"]]
        .isna()
        .all(axis=None)
    )


@pytest.mark.long
def test_recovery_ends_where_all_of_the_cost_is_brought_back():
    """As above: 0, 7, 12.6 and 17.5; who never gets there is followed as long as the slowest who does, or to the end."""
    terms = Terms(costs=TERMS.costs, gross_margin=0.8)
    two = {"A": paths_of(cost=10.0)["All"], "B": paths_of(cost=14.0)["All"]}
    table = Worth(two, terms, horizon_months=3).recovery
    assert table["segment"].tolist() == ["A"] * 3 + ["B"] * 4
    assert table["recovered"].to_numpy() == pytest.approx([0, 0.7, 1.26, 0, 0.5, 0.9, 1.25])
    late = Worth(two | {"B": paths_of(cost=18.0)["All"]}, terms, horizon_months=3).recovery
    assert late.query("segment == 'B'")["recovered"].to_numpy() == pytest.approx([0, 7 / 18, 12.6 / 18])
    never = Worth(paths_of(cost=18.0), terms, horizon_months=3).recovery
    assert never["recovered"].iloc[-1] == pytest.approx(17.5 / 18)
    assert Worth(paths_of(), terms, horizon_months=3).recovery.empty
    discounted = Terms(costs=TERMS.costs, gross_margin=0.8, annual_discount_rate=0.5)
    pd.testing.assert_frame_equal(Worth(two, discounted, horizon_months=3).recovery, table)


def test_residual_value_by_hand():
    """One who has stayed a month brings 10 now and 10 · 0.7 / 0.8 next month."""
    table = Worth(paths_of(), Terms(costs=UnitCosts()), horizon_months=2).ltv_by_age.set_index("age_months")
    assert table.loc[1, "residual_value"] == pytest.approx(10 * (1 + 0.7 / 0.8))
    assert table["n_active"].to_dict() == {0: 0, 1: 0, 2: 0, 3: 70}


def test_residual_values_that_differ_from_a_new_customers_are_marked():
    """Three in ten leave within two months, then hardly anybody: who is still here then brings more than a new one."""
    duration, left = np.repeat([1, 2, 3, 9], [600, 300, 30, 2070]), np.repeat([True, False], [930, 2070])
    table = Worth(paths_of(duration, left), TERMS, horizon_months=2).ltv_by_age
    marked = table.set_index("age_months")
    assert not marked.loc[0, "differs"]
    assert marked.loc[2, "ci_lower"] > marked.loc[0, "ci_upper"]
    assert marked.loc[2, "differs"]
    few = Worth(paths_of([2], [True]), TERMS, horizon_months=2).ltv_by_age
    assert not few["differs"].any()


def test_residual_value_is_extrapolated_where_it_lies_beyond_the_last_trusted_age():
    """All 70 who are left are seen at age 3, and no further: of four months from age 1 on, the first three."""
    paths = paths_of()["All"]
    table = Worth({"All": paths}, Terms(costs=UnitCosts()), horizon_months=4).ltv_by_age.set_index("age_months")
    kept = np.exp(paths.hazard[0, 1] - paths.hazard[0, 1:5])
    assert table.loc[1, "share_in_tail"] == pytest.approx(kept[np.arange(1, 5) > paths.last].sum() / kept.sum())
    assert table.loc[3, "share_in_tail"] > table.loc[1, "share_in_tail"] > 0


def test_value_adds_up_from_minus_the_acquisition_cost():
    """10 a month at 80 %, less 1 for retention: 7 · (1, 0.8, 0.7) by hand, and the last month is the value itself."""
    paths = paths_of(cost=9.0)
    terms = Terms(costs=UnitCosts(retention_per_month=1.0), gross_margin=0.8)
    table = Worth(paths, terms, horizon_months=3).cumulative
    assert table["month"].tolist() == [0, 1, 2, 3]
    assert np.diff(table["net_value"]) == pytest.approx(7 * np.exp(-paths["All"].hazard[0, :3]))
    assert table["net_value"].iloc[0] == pytest.approx(-terms.cac(paths["All"])[0])
    last, forms = table.iloc[-1], ltv(paths, terms, horizons=[3]).set_index("method")
    assert last[["net_value", "ci_lower", "ci_upper"]].tolist() == pytest.approx(
        forms.loc["Survival", ["ltv", "ci_lower", "ci_upper"]].tolist()
    )
    far = Worth(paths, terms, horizon_months=6).cumulative
    assert far.loc[far["extrapolated"], "month"].min() == paths["All"].last + 2
    recovered = far.loc[far["net_value"] >= 0, "month"].min()
    assert recovered == Worth(paths, terms, horizon_months=6).payback["payback_months"].iloc[0]


def test_nothing_adds_up_where_the_start_was_not_seen():
    late = {"All": replace(paths_of()["All"], from_start=False)}
    assert Worth(late, TERMS, horizon_months=3).cumulative.empty


def test_bridge_leads_from_formula_c_to_the_survival_form():
    paths = paths_of(cost=9.0)
    steps, forms = (
        Worth(paths, TERMS, horizon_months=3).bridge,
        ltv(paths, TERMS, horizons=[3]).set_index("method")["ltv"],
    )
    assert steps["value"].iloc[0] == pytest.approx(forms["Formula C (margin / churn)"])
    assert steps["value"].iloc[-1] == pytest.approx(forms["Survival"])
    assert steps["difference"].sum() == pytest.approx(forms["Survival"] - forms["Formula C (margin / churn)"])


def test_steps_of_the_bridge_are_ranked_by_size():
    """Formula C is 8 / 0.12; three months at that rate bring 21.4, by the curve 20, less 1 · 2.5 and 9."""
    terms = Terms(costs=UnitCosts(retention_per_month=1.0), gross_margin=0.8)
    steps = Worth(paths_of(cost=9.0), terms, horizon_months=3).bridge.set_index("step")
    assert steps["difference"].abs().round(1).tolist()[1:] == [45.3, 1.4, 0, 0, 2.5, 9]
    assert steps["rank"].dropna().to_dict() == {
        "no longer than 3 months": 1, "acquisition cost": 2, "retention cost": 3, "churn by age": 4,
    }  # fmt: skip
    assert steps.loc[["formula C", "price by age", "discount"], "rank"].isna().all()


def test_without_churn_a_bound_and_no_invented_number():
    table = ltv(paths_of([3] * 40, [False] * 40), Terms(costs=UnitCosts()), horizons=[3, 6])
    near, far = (row(table, method="Survival", horizon_months=h) for h in (3, 6))
    assert near.ltv == 30
    assert near.ci_lower < near.ci_upper <= 30
    assert np.isnan(far.ltv)
    assert far.ci_lower < far.ci_upper <= 60
    formula = row(table, method="Formula C (margin / churn)")
    assert np.isnan([formula.ltv, formula.ci_upper]).all()
    assert formula.ci_lower > 60


def test_one_customer_has_no_interval():
    table = ltv(paths_of([2], [True]), Terms(costs=UnitCosts()), horizons=[3])
    assert row(table, method="Survival").ltv > 0
    assert row(table, method="Survival")[["ci_lower", "ci_upper"]].isna().all()


def test_horizons_reach_twice_as_far_as_was_observed():
    counts = pd.DataFrame({"duration_months": [10.0, 20.5]})
    assert horizons(counts) == [36, 12, 24, 41]
    assert horizons(counts, horizon_months=24) == [24, 12, 36, 41]
    assert horizons(counts, horizon_months=99, long_horizon=True) == [99, 12, 24, 36, 41]
    assert horizons(counts.assign(duration_months=5.0)) == [10]
    with pytest.raises(
        ParameterError, match=r"horizon_months is 99. Customers have been observed for 20 months: give 1 to 41"
    ):
        horizons(counts, horizon_months=99)
    with pytest.raises(ParameterError, match="horizon_months is -1"):
        horizons(counts, horizon_months=-1)


def test_costs_of_few_customers_are_those_of_all_draws():
    """One cost is known of a hundred customers: no draw is without."""
    cost = np.where(np.arange(100) == 0, 9.0, np.nan)
    row_ = row(ltv(paths_of(cost=cost), Terms(costs=UnitCosts()), horizons=[3]), method="Survival")
    assert row_.ltv == pytest.approx(25 - 9)
    assert row_.ci_upper < 20


def test_books_without_customers_of_known_cost_are_the_cost():
    costs = UnitCosts(acquisition_per_customer=7.0)
    assert Terms(costs=costs).cac(paths_of(cost=0.0)["All"])[0] == 7


def test_few_churns_leave_formulas_without_a_warning():
    """Of 60 customers one left: some draws hold none, whose life has no end."""
    paths = paths_of(np.append([1], [3] * 59), np.append([True], [False] * 59))
    table = ltv(paths, Terms(costs=UnitCosts()), horizons=[3]).set_index("method")
    assert table.loc["Formula C (margin / churn)", "ci_upper"] == np.inf
    assert table.loc["Formula A (profit)", "ci_lower"] > 0


def test_unknown_prices_are_part_of_no_mean():
    counts, values = counted(DURATIONS, DURATIONS < 3)
    cells = values.cells.assign(n_known=values.cells["n"] / 2, mrr_now=values.cells["mrr_now"] / 2)
    half = replace(values, cells=cells)
    paths = value_paths(counts, half, fit_models(counts, unit_months=1.0), horizon_months=3, draws=50)["All"]
    assert paths.arpa[0] == 10
    assert paths.active["mrr"].tolist() == [700]


FORMS = pd.DataFrame(
    [
        ("All", "Survival", 36, 4328.4, 4049.0, 4600.0, 4000), ("All", "Survival", 12, 1275.0, 1197.0, 1351.0, 4000),
        ("All", "Survival, newest customers", 36, 5114.0, 4662.0, 5555.0, 4000),
        ("All", "Formula C (margin / churn)", np.nan, 6031.0, 5597.0, 6438.0, 4000),
    ],
    columns=["segment", "method", "horizon_months", "ltv", "ci_lower", "ci_upper", "n_customers"],
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lower", "upper", "differ"), [(4662.0, 5555.0, True), (4599.0, 5555.0, False), (10.0, 4040.0, True), (np.nan, np.nan, False)]
)  # fmt: skip
def test_newest_customers_differ_where_intervals_lie_apart(lower, upper, differ):
    newest = FORMS["method"] == "Survival, newest customers"
    forms = FORMS.assign(ci_lower=FORMS["ci_lower"].mask(newest, lower), ci_upper=FORMS["ci_upper"].mask(newest, upper))
    assert observed_part(paths_of(), forms.assign(share_in_tail=0.0))["newest_differ"].tolist() == [differ]
    without = FORMS[~newest].assign(share_in_tail=0.0)
    assert observed_part(paths_of(), without)["newest_differ"].tolist() == [False]


def test_how_far_the_data_reach():
    """Seven in ten are here after the third month; nine in ten of those who were seen to stay on."""
    paths = paths_of(cost=9.0)
    part = observed_part(paths, ltv(paths, TERMS, horizons=[6, 12])).iloc[0]
    assert (part.segment, part.last_age_months, part.longest_months) == ("All", 3, 6)
    assert part.still_here == pytest.approx(0.7)
    assert not part.life_beyond
    stay = paths_of(np.repeat([1, 3], [10, 90]))
    forms = ltv(stay, Terms(costs=UnitCosts()), horizons=[6])
    assert observed_part(stay, forms)["life_beyond"].tolist() == [True]
    assert observed_part(stay, forms.assign(share_in_tail=0.1))["life_beyond"].tolist() == [False]


@pytest.mark.slow
def _life(table):
    return table["customer_id"].astype(str) + "/" + table["life"].astype(str)


@pytest.mark.long
def test_value_of_the_sample_from_its_rows(root, sample, monkeypatch):
    """Kaplan–Meier by lifelines on ages; prices customer by customer, followed from age to age."""
    paid = pd.read_csv(root / "data" / "subscriptions.csv", parse_dates=["started_on", "ended_on"])
    customers = lives_of(paid)  # once for each life, told apart by their rows: none lies within another
    each = customers.merge(paid, on="customer_id", suffixes=("", "_paid"))
    end = each["churned_on"].fillna(pd.Timestamp.max)
    each = each[(each["started_on_paid"] >= each["started_on"]) & (each["started_on_paid"] < end)]
    names = {"started_on_paid": "started_on"}
    paid = each.drop(columns="started_on").rename(columns=names).assign(customer_id=_life(each))
    customers["customer_id"] = _life(customers)
    left = customers["churned_on"].notna()
    lived = np.array(ages(customers["started_on"], customers["churned_on"].fillna(pd.Timestamp("2025-06-30"))))
    survival = KaplanMeierFitter().fit(lived, left).survival_function_at_times(range(24)).to_numpy()
    place = pd.Index(customers["customer_id"]).get_indexer(paid["customer_id"])
    starts = customers["started_on"].iloc[place]
    begun, ended = (
        np.array(ages(starts, paid[c].fillna(pd.Timestamp("2099-01-01")))) for c in ("started_on", "ended_on")
    )
    mrr = np.zeros((len(customers), 24))
    for k in range(24):
        np.add.at(mrr[:, k], place, paid["mrr"].where((begun <= k) & (ended > k), 0.0))
    here = np.array([np.where(left, lived > k, lived >= k) for k in range(24)]).T
    known = np.array([left | (lived >= k) for k in range(24)]).T
    price = [mrr[here[:, 0], 0].mean()]
    for k in range(1, 24):
        price.append(price[-1] * mrr[here[:, k], k].mean() / mrr[here[:, k - 1] & known[:, k], k - 1].mean())
    monkeypatch.setattr(lifetime_models, "MODELS", ("Exponential",))  # the tail, beyond these 24 months
    counts, values = lifetimes(sample), value_counts(sample)
    models = fit_models(counts, unit_months=1 / DAYS_PER_MONTH)
    paths = value_paths(counts, values, models, horizon_months=24, draws=2)
    paths = {s: replace(p, returns=np.empty((0, 0, 0))) for s, p in paths.items()}  # one life
    own = row(ltv(paths, Terms(costs=UnitCosts()), horizons=[24]), method="Survival, before acquisition cost")
    assert own.ltv == pytest.approx(survival @ price, rel=1e-12)
