from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter

from cslib import ParameterError, load
from cslib.churn.at_risk import adding_up_to, at_risk, ordered, raised, stakes, usual_risk
from cslib.churn.drivers import fit_drivers
from cslib.data.customers import current_mrr

PRECISION = {"precision": 1e-11, "r_precision": 1e-13, "step_size": 1.0}  # its own are loose
SAID = {"gave NPS 3 in May": True, "2 tickets in 90 days": False, None: False}  # and whether that is a low NPS
COLUMNS = [
    *("customer_id", "segment", "tenure_months", "p_churn", "mrr", "money_at_risk", "reason"),
    *("last_used_on", "n_tickets", "last_answer", "answered_on"),
]


def world(n=2000, seed=1):
    """Customers of tier A and B, whose hazards are 1/60 and 1/30 a month, with a number that has no effect."""
    rng = np.random.default_rng(seed)
    tier = rng.choice(["A", "B"], n, p=[0.6, 0.4])
    life, seen = rng.exponential(np.where(tier == "B", 30.0, 60.0)), rng.uniform(1, 60, n)
    frame = pd.DataFrame({"tenure_months": np.floor(np.minimum(life, seen)), "churned": life <= seen, "tier": tier})
    return frame.assign(customer_id=[f"{i:06}" for i in range(n)], spend=rng.normal(100, 20, n))


def crossing(n=4000):
    """B leaves late and all at once, A at random: the ratio of the two changes with age."""
    frame, rng = world(n, seed=3), np.random.default_rng(3)
    b = frame["tier"] == "B"
    frame.loc[b, "tenure_months"] = np.floor(rng.weibull(4, b.sum()) * 30)
    frame.loc[b, "churned"] = rng.random(b.sum()) < 0.5
    return frame


@pytest.fixture(scope="module")
def data():
    return load({"customers": world()})


@pytest.fixture(scope="module")
def model(data):
    return fit_drivers(data)


# Two of four leave, at 1 (of four at risk) and 2 (of three): H = 1/4, then 7/12. Who is here at 2 faces nothing
# up to 4; beyond, H goes on at its mean over the ages 0 to 4, 7/48 a month: ten months of it up to 14.
@pytest.mark.parametrize(("horizon", "expected"), [(2, 0), (12, 1 - np.exp(-70 / 48))])
def test_by_hand(horizon, expected):
    customers = pd.DataFrame({"tenure_months": [1, 2, 2, 4], "churned": [True, True, False, False]})
    data = load({"customers": customers.assign(customer_id=list("abcd"))})
    table = at_risk(data, fit_drivers(data), horizon_months=horizon).set_index("customer_id")
    assert list(table.index) == ["d", "c"] if horizon > 10 else ["c", "d"]
    assert table.loc["c", "p_churn"] == pytest.approx(expected, abs=1e-12)


def row_by_row(frame, table, kept_share):
    """Churn within 12 months: ratios by lifelines, of which a share is kept, base risk by Efron from its definition."""
    x = frame.assign(b=(frame["tier"] == "B") * 1.0).set_index("customer_id").drop(columns="tier")
    fit = CoxPHFitter().fit(x, "tenure_months", "churned", fit_options=PRECISION)
    score, steps = np.exp(kept_share * (x[["spend", "b"]] @ fit.params_[["spend", "b"]])), {}
    for age, tied in x[x["churned"]].groupby("tenure_months").groups.items():
        there, gone = score[x["tenure_months"] >= age].sum(), score[tied].sum()
        steps[age] = sum(1 / (there - k / len(tied) * gone) for k in range(len(tied)))
    total = pd.Series(steps).sort_index().cumsum().reindex(range(100)).ffill().fillna(0).to_numpy()
    age = x["tenure_months"][table["customer_id"]].to_numpy(int)
    return 1 - np.exp(-(total[age + 12] - total[age]) * score[table["customer_id"]].to_numpy())


def test_equals_row_by_row(data, model):
    table = at_risk(data, model).query("tenure_months <= 36")
    assert len(table) > 500
    assert table["p_churn"].to_numpy() == pytest.approx(row_by_row(world(), table, model.kept_share), abs=1e-9)
    assert 0.9 < model.kept_share < 1


@pytest.mark.slow
def test_equals_lifelines_within_strata(monkeypatch):
    """Effects in full. Without ties the base risk of lifelines is ours; ages are spread over whole units for that."""
    monkeypatch.setattr("cslib.stats.cox.kept_share", lambda *_: 1.0)
    frame = crossing(1500)
    order = frame["tenure_months"].add(frame.index / 1e4).rank(method="first").astype(int)
    frame["tenure_months"] = order.astype(float)
    data = load({"customers": frame})
    model = fit_drivers(data, horizon_months=300)
    assert model.stratified_by == "tier"
    table = at_risk(data, model, horizon_months=300).query("tenure_months <= 700")
    x = frame.set_index("customer_id")
    fit = CoxPHFitter(strata=["tier"]).fit(x, "tenure_months", "churned", fit_options=PRECISION)
    here = x.loc[table["customer_id"]]
    after = here["tenure_months"].to_numpy()
    survival = fit.predict_survival_function(here, times=[300.0], conditional_after=after).iloc[0]
    assert table["p_churn"].to_numpy() == pytest.approx(1 - survival[table["customer_id"]].to_numpy(), abs=1e-9)


@pytest.mark.slow
def test_planted_risk_is_recovered():
    data = load({"customers": world(20_000).drop(columns="spend")})
    table = at_risk(data, fit_drivers(data), segment_by="tier").query("tenure_months <= 40")
    mean = table.groupby("segment")["p_churn"].mean()
    # whole months count a customer as leaving up to a month early; the error is that of some 9,000 churned
    assert mean.to_dict() == pytest.approx({"A": 1 - np.exp(-12 / 60), "B": 1 - np.exp(-12 / 30)}, rel=0.04)


def test_columns_and_order(data, model):
    table = at_risk(data, model)
    assert list(table) == COLUMNS
    assert len(table) == (~world()["churned"]).sum()
    assert table["p_churn"].is_monotonic_decreasing
    assert table["mrr"].isna().all()
    assert set(table["segment"]) == {"All"}


def test_ties_go_by_id():
    customers = world(200).drop(columns=["tier", "spend"]).assign(tenure_months=3.0, mrr=10.0)
    data = load({"customers": customers})
    assert at_risk(data, fit_drivers(data))["customer_id"].is_monotonic_increasing


def test_money_is_risk_times_margin(model):
    data = load({"customers": world().assign(mrr=np.where(world().index < 1000, 50.0, np.nan))})
    table = at_risk(data, model, gross_margin=0.8)
    priced = table.dropna(subset="mrr")
    assert priced["money_at_risk"].to_numpy() == pytest.approx(priced["p_churn"] * 40)
    assert table["money_at_risk"].isna().sum() == (~world()["churned"][1000:]).sum()
    assert table["money_at_risk"].isna().iloc[-1]


@pytest.mark.slow
def test_mrr_of_running_subscriptions():
    subscriptions = pd.DataFrame(
        [
            ("a", "2025-01-01", None, 10.0),
            ("a", "2025-02-01", "2025-07-01", 5.0),  # ends after the last day
            ("a", "2025-01-01", "2025-06-30", 80.0),  # exclusive end: over on the last day
            ("b", "2025-01-01", "2025-03-01", 7.0),
        ],
        columns=["customer_id", "started_on", "ended_on", "mrr"],
    )
    customers = pd.DataFrame({"customer_id": ["a", "b"], "started_on": "2025-01-01", "churned_on": None})
    data = load({"customers": customers, "subscriptions": subscriptions}, as_of="2025-06-30")
    assert current_mrr(data).execute().values.tolist() == [["a", 15.0]]
    table = at_risk(data, fit_drivers(data)).set_index("customer_id")
    assert table["mrr"].to_dict() == {"a": 15.0}  # b has stopped paying


def test_no_mrr_anywhere(data):
    assert current_mrr(data) is None


@pytest.mark.long
def test_reasons_are_two_at_most_and_what_is_on_record_comes_first():
    """Of one customer all is there: use stopped, an NPS of 2, two tickets. What they are, such as tier B, is none."""
    b = world().index[(world()["tier"] == "B") & ~world()["churned"]][0]
    gone = f"{b:06}"
    customers = world().assign(started_on="2020-01-01", churned_on=None).drop(columns="tenure_months")
    customers["churned_on"] = np.where(customers.pop("churned"), "2022-01-01", None)
    usage = pd.DataFrame(
        {"customer_id": [*[gone] * 3, "x"], "occurred_at": ["2025-03-01", "2025-04-01", "2025-05-01", "2025-12-31"]}
    )
    surveys = pd.DataFrame({"customer_id": [gone], "asked_on": ["2025-11-02"], "survey": "nps", "score": [2]})
    tickets = pd.DataFrame({"customer_id": gone, "occurred_on": ["2025-12-01", "2025-12-02"], "kind": "Ticket"})
    tables = {
        "customers": customers,
        "usage": usage[usage["customer_id"] == gone],
        "surveys": surveys,
        "touchpoints": tickets,
    }
    tables["usage"] = pd.concat([tables["usage"], usage.tail(1).assign(customer_id=f"{b + 1:06}")])
    data = load(tables, as_of="2025-12-31")
    table = at_risk(data, fit_drivers(data, drivers="tier"))
    assert table["customer_id"].iloc[0] == gone  # who gives a reason comes first
    assert table["reason"].iloc[1:].isna().all()
    row = table.set_index("customer_id").loc[gone]
    assert row["reason"] == "stopped using it in May; gave NPS 2 in November"
    assert (row["n_tickets"], row["last_answer"]) == (2, "NPS 2")
    assert row["last_used_on"] == pd.Timestamp("2025-05-01")


def test_declared_segments_stand_beside_the_list(tmp_path):
    world(200).assign(note="x").to_csv(tmp_path / "customers.csv", index=False)
    (tmp_path / "cslib.toml").write_text('[customers]\nsegments = ["tier", "note"]\n')
    data = load(tmp_path)
    table = at_risk(data, fit_drivers(data))
    assert list(table) == [*COLUMNS, "tier", "note"]
    tiers = world(200).set_index("customer_id")["tier"]
    assert table["tier"].tolist() == tiers.loc[table["customer_id"]].tolist()


@pytest.mark.slow
def test_nobody_left_with_a_value():
    """They stay in the list, at a risk that would have made half of them leave so far."""
    customers = world().assign(plan="Basic")
    gold = customers.index[~customers["churned"]][:120]
    customers.loc[gold, "plan"] = "Gold"
    data = load({"customers": customers})
    table = at_risk(data, fit_drivers(data, drivers="plan"), segment_by="plan")
    assert (table["segment"] == "Gold").sum() == 120
    own = table[table["segment"] == "Gold"]["p_churn"]
    assert own.between(1e-6, 0.02).all()


def test_nobody_churned():
    data = load({"customers": world(300).assign(churned=False)})
    table = at_risk(data, fit_drivers(data))
    assert table["p_churn"].between(1e-5, 0.01).all()
    assert table["p_churn"].nunique() == 1 or table["p_churn"].max() == pytest.approx(table["p_churn"].min(), rel=0.1)


@pytest.mark.slow
def test_far_value_counts_as_the_bound():
    customers = world().assign(visits=lambda t: 10.0 * (t["tier"] == "B") + t.index % 7)
    data = load({"customers": customers})
    model = fit_drivers(data, drivers="visits")
    upper = model.drivers[0].bounds[1]
    far, bound = (at_risk(load({"customers": customers.assign(visits=v)}), model) for v in (1e300, upper))
    assert far["p_churn"].tolist() == bound["p_churn"].tolist()


def test_values_not_seen_in_the_fit_count_as_the_reference(model):
    new = load({"customers": world().assign(tier="C")})
    old = load({"customers": world().assign(tier="A")})
    assert at_risk(new, model)["p_churn"].tolist() == at_risk(old, model)["p_churn"].tolist()


@pytest.mark.slow
def test_rare_and_missing_values_are_read_as_in_the_fit():
    customers = world().assign(
        city=[f"c{i}" if i % 4 == 0 else None if i % 4 == 1 else "Oslo" for i in range(2000)],
        seats=[np.nan if i % 3 == 0 else i % 2 for i in range(2000)],
    )
    customers.loc[::5, "spend"] = np.nan
    data = load({"customers": customers})
    model = fit_drivers(data, drivers="city,seats,spend")
    fit = {(d.name, v): c for d in model.drivers for v, c in zip(d.levels, d.coefficients, strict=True)}
    assert {v for n, v in fit if n == "city"} == {"Oslo", "(other)", "(missing)"}
    assert {v for n, v in fit if n == "seats"} == {"0", "1", "(missing)"}
    seen = customers.set_index("customer_id").fillna({"city": "(missing)"})
    spend = next(d for d in model.drivers if d.name == "spend")
    score = seen["city"].where(seen["city"].isin(["Oslo", "(missing)"]), "(other)").map(lambda v: fit["city", v])
    seats = seen["seats"].map({0: "0", 1: "1"}).fillna("(missing)")
    score += seats.map(lambda v: fit["seats", v])
    score += spend.coefficients[0] * (seen["spend"].fillna(spend.fill) - spend.low) / (spend.high - spend.low)
    score += seen["spend"].isna() * spend.coefficients[1]
    table = at_risk(data, model).set_index("customer_id")
    # two customers of one age differ by their scores alone (seats may be a stratum)
    rest = np.log(-np.log1p(-table["p_churn"])) - score.loc[table.index]
    assert rest.groupby([table["tenure_months"], seats.loc[table.index]]).std().max() < 1e-9


@pytest.mark.parametrize(("concordance", "first"), [(0.7, "b"), (0.54, "a"), (np.nan, "a")])
def test_without_a_model_that_tells_customers_apart_they_are_in_order_of_revenue(model, concordance, first):
    """Of two who have been here for a month a pays 100 and is of A, b pays 90 and, of B, leaves twice as fast."""
    two = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["A", "B"], "mrr": [100.0, 90.0], "spend": 100.0})
    data = load({"customers": two.assign(tenure_months=1, churned=False)})
    table = at_risk(data, replace(model, concordance=concordance))
    assert table["customer_id"].iloc[0] == first
    assert table.set_index("customer_id")["money_at_risk"].idxmax() == "b"


def listed(**rows):
    """Give who is there by name: tier, risk and MRR; none gives a reason."""
    table = pd.DataFrame(rows.values(), columns=["tier", "p_churn", "mrr"])
    return table.assign(customer_id=list(rows), segment="All", reason=None)


def test_customers_of_one_tier_who_are_not_told_apart_count_with_its_mean_risk(model):
    """By tier alone: in A 0.2 on average, in B 0.4; both tiers are in order of revenue."""
    only = replace(model, concordance=0.7, concordance_within=0.5)
    assert only.alike_within == "tier"
    risk = listed(a=("A", 0.24, 90.0), b=("A", 0.16, 100.0), c=("B", 0.35, 60.0), d=("B", 0.45, 40.0))
    usual = usual_risk(only, risk)
    assert usual.tolist() == pytest.approx([0.2, 0.2, 0.4, 0.4])
    assert ordered(risk, usual)["customer_id"].tolist() == ["c", "b", "a", "d"]  # 24, 20, 18, 16
    by_tier = risk.drop(columns="tier").assign(segment=risk["tier"])
    assert usual_risk(only, by_tier, segment_by="tier").tolist() == usual.tolist()
    assert usual_risk(only, by_tier).tolist() == risk["p_churn"].tolist()  # nobody's tier is known


def test_who_is_told_apart_by_model_or_age_counts_with_the_own_risk(model):
    only = replace(model, concordance=0.7, concordance_within=0.5)
    risk = listed(a=("A", 0.1, 90.0), b=("A", 0.6, 100.0), c=("B", 0.4, 60.0), d=("B", 0.4, 40.0))
    assert usual_risk(only, risk).tolist() == risk["p_churn"].tolist()  # in A they differ by age
    close = risk.assign(p_churn=[0.2, 0.24, 0.4, 0.4])
    assert usual_risk(replace(only, concordance_within=0.7), close).tolist() == close["p_churn"].tolist()
    assert usual_risk(replace(model, concordance=0.5), close.assign(p_churn=[0.2, 0.22, 0.24, 0.26])).nunique() == 1


def test_nobody_is_left(model):
    table = at_risk(load({"customers": world().assign(churned=True)}), model)
    assert table.empty
    assert list(table) == COLUMNS


REFUSED = {
    "percent": ({"gross_margin": 80}, "gross_margin is 80, which is no share above 0 and up to 1. Give a share such as 0.8."),
    "none": ({"gross_margin": 0}, "gross_margin is 0"),
    "horizon": ({"horizon_months": -1}, "horizon_months is -1. Give a number of months of at least 1, such as 12."),
    "below a unit": ({"horizon_months": 0.5}, "horizon_months is 0.5."),
    "no end": ({"horizon_months": float("inf")}, "horizon_months is inf."),
}  # fmt: skip


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(data, model, options, message):
    with pytest.raises(ParameterError) as error:
        at_risk(data, model, **options)
    assert str(error.value).startswith(message)


@pytest.mark.long
@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(0, 1999), min_size=1, max_size=50))
def test_risk_does_not_depend_on_who_else_is_there(data, model, kept):
    part = load({"customers": world().iloc[sorted(kept)]})
    whole = at_risk(data, model).set_index("customer_id")["p_churn"]
    some = at_risk(part, model).set_index("customer_id")["p_churn"]
    assert some.to_dict() == pytest.approx(whole.loc[some.index].to_dict())


def test_what_is_at_stake_by_hand():
    risk = pd.DataFrame({"p_churn": [0.5, 0.25, 0.25], "money_at_risk": [50.0, 30.0, 20.0], "mrr": [100.0, 120, 80]})
    risk["reason"] = ["stopped using it in May", None, None]
    assert stakes(risk, capacity=1).tolist() == [3, 1.0, 100.0, 300.0, 1, 100.0, 1, 50.0, 0.5]
    assert stakes(risk.assign(reason=None), capacity=1)[["n_reasons", "mrr_reasons"]].tolist() == [0, 0.0]
    assert stakes(risk, capacity=15).share_listed == 1
    unpaid, unpriced = (stakes(risk.assign(money_at_risk=m), capacity=2) for m in (0.0, np.nan))
    assert (unpaid.money_at_risk, unpaid.expected_churned) == (0, 1)
    assert np.isnan([unpaid.share_listed, unpriced.money_at_risk, unpriced.share_listed]).all()
    assert stakes(risk.iloc[:0], capacity=1).n_customers == 0
    with pytest.raises(ParameterError, match="capacity is -3"):
        stakes(risk, capacity=-3)


@pytest.mark.slow
@given(
    people=st.lists(st.tuples(st.floats(0, 1), st.sampled_from("AB"), st.sampled_from([*SAID])), max_size=30),
    ratio=st.floats(1, 50),
)
def test_raised_risks_add_up_to_what_they_were_and_keep_the_ratio_of_hazards(people, ratio):
    table = pd.DataFrame(people, columns=["p", "tier", "reason"]).astype({"p": float})
    found = raised(table["p"], table["reason"], {"low NPS": ratio}, within=table["tier"])
    assert found.between(0, 1).all()
    sums = found.groupby(table["tier"]).sum()
    assert sums.to_numpy() == pytest.approx(table.groupby("tier")["p"].sum().to_numpy(), abs=1e-6)
    inside = table["p"].between(1e-6, 0.999) & found.between(1e-6, 0.999)  # of others little is left of the logarithm
    times = np.log1p(-found[inside]) / np.log1p(-table["p"][inside])
    low = table["reason"].map(SAID)[inside]
    for _, own in times.groupby(table["tier"][inside]):
        parts = own / np.where(low[own.index], ratio, 1.0)
        assert parts.to_numpy() == pytest.approx(parts.iloc[0], rel=1e-6)


def test_of_two_reasons_the_larger_raises_a_risk():
    """Survival of 0.9 and of its square and cube: of those without, with tickets, and with a low NPS besides."""
    risks = pd.Series([0.1, 0.19, 0.271]).mean()
    reasons = pd.Series([None, "2 tickets in 90 days", "gave NPS 3 in May; 2 tickets in 90 days"])
    found = raised(pd.Series([risks] * 3), reasons, {"low NPS": 3.0, "tickets": 2.0})
    assert found.tolist() == pytest.approx([0.1, 0.19, 0.271])
    assert raised(pd.Series([0.3, 0.4]), pd.Series([None, "2 tickets in 90 days"]), {}).tolist() == pytest.approx(
        [0.3, 0.4]
    )
    assert raised(pd.Series(dtype=float), pd.Series(dtype=object), {"tickets": 2.0}).empty


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0, 1))
def test_risks_are_scaled_to_a_total_that_can_be_reached(risks, share):
    table = pd.Series(risks, dtype=float)
    total = share * (table > 0).sum()
    found = adding_up_to(table, total)
    assert found.between(0, 1).all()
    order = np.argsort(risks, kind="stable")
    assert (np.diff(found.to_numpy()[order]) >= 0).all(), "their order is as it was"
    if 0.01 < share < 0.99 and table[table > 0].min() > 1e-6:
        assert found.sum() == pytest.approx(total, abs=1e-6)
    if share in (0, 1):
        assert found.tolist() == risks
