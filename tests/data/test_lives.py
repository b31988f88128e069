"""Who is a customer, from when to when: by hand, and in a world that never changes."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pause_world as world
import pytest

import cslib as cs
from cslib.churn.at_risk import at_risk
from cslib.churn.drivers import fit_drivers
from cslib.churn.rates import churn_rates, reconcile
from cslib.data.customers import segment_remark, today_remark
from cslib.data.dataset import rewind
from cslib.data.drift import drift
from cslib.data.lifetimes import lifetimes, present
from cslib.data.lives import counted_as, day_before, gaps, lives, settled
from cslib.retention.cohorts import retention
from cslib.revenue.movements import movements
from cslib.value.ltv import Terms, Worth, ltv
from cslib.value.paths import paths_of
from cslib.value.prices import UnitCosts


def loaded(*rows, customers=None, **more):
    table = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"]).astype({"ended_on": object})
    tables = {"subscriptions": table} | ({} if customers is None else {"customers": customers})
    return cs.load(tables, **{"as_of": "2025-06-30"} | more)


def listed(data):
    rows = lives(data).order_by(["customer_id", "life"]).execute()
    days = [[str(d.date()) if pd.notna(d) else None for d in rows[c]] for c in ("started_on", "churned_on")]
    return list(zip(rows["customer_id"], rows["life"], *days, rows["here"], strict=True))


GOOD = world.STOPS * (1 - world.COMES_BACK)  # who stops for good, of those who pay
PER_PAYER = 1 + world.STOPS * world.COMES_BACK * world.AFTER  # customers, those in a pause among them
PAID = [
    ("free first", "2025-01-01", "2025-02-15", 0), ("free first", "2025-02-15", None, 9),
    ("never", "2025-01-01", None, 0),
    ("renews", "2025-01-01", "2025-02-01", 5), ("renews", "2025-02-01", "2025-04-10", 6),
    ("paused", "2025-01-10", "2025-03-05", 5), ("paused", "2025-05-02", None, 5),
    ("within a month", "2025-01-01", "2025-02-03", 5), ("within a month", "2025-02-20", None, 5),
    ("two at once", "2025-01-01", None, 5), ("two at once", "2025-02-01", "2025-03-01", 5),
    ("stopped", "2025-01-01", "2025-06-10", 5),
]  # fmt: skip


def test_lives_are_made_once_for_a_data_set_and_anew_for_another():
    """A table that outlives its data set can still be asked."""
    data = loaded(*PAID)
    table, engine = lives(data), data.table("subscriptions").get_backend()
    made = set(engine.list_tables())
    assert lives(data).equals(table)
    assert set(engine.list_tables()) == made
    earlier = rewind(data, date(2025, 3, 31))
    assert not earlier.kept
    assert ("stopped", 1, "2025-01-01", None, True) in listed(earlier)
    del data, earlier
    assert int(table.count().execute()) == 7


@pytest.mark.long
def test_lives_by_hand():
    assert listed(loaded(*PAID)) == [
        ("free first", 1, "2025-02-15", None, True),
        ("paused", 1, "2025-01-10", "2025-03-05", False),
        ("paused", 2, "2025-05-02", None, True),
        ("renews", 1, "2025-01-01", "2025-04-10", False),
        ("stopped", 1, "2025-01-01", "2025-06-10", False),
        ("two at once", 1, "2025-01-01", None, True),
        ("within a month", 1, "2025-01-01", None, True),
    ]
    assert counted_as(loaded(*PAID)) == "stay"
    assert counted_as(loaded(*PAID, pause_months=2)) == "customer"


@pytest.mark.long
def test_stays_are_not_called_customers():
    """Six customers: the pause ends one stay and begins another."""
    churn = cs.Churn(loaded(*PAID))
    assert churn.answer.subtitle.startswith("7 stays, of which 3 have ended")


def test_a_pause_ends_no_life_and_what_may_be_one_is_not_told_yet():
    """The ends of March and April went by while ``paused`` paid nothing; of ``stopped``, June's did."""
    data = loaded(*PAID, pause_months=2)
    assert settled(data) == date(2025, 4, 30)
    found = {(row[0], row[1]): row[2:] for row in listed(data)}
    assert found["paused", 1] == ("2025-01-10", None, True)
    assert found["stopped", 1] == ("2025-01-01", None, False)  # neither here nor known to be gone
    assert found["renews", 1] == ("2025-01-01", "2025-04-10", False)
    assert "Who left is known up to 2025-04-30." in " ".join(data.notes)
    assert len(lives(loaded(*PAID, pause_months=1)).execute()) == 7


def test_gaps_by_hand():
    found = gaps(loaded(*PAID)).order_by("customer_id").execute()
    assert found["age"].tolist() == pytest.approx([1 + 23 / 28, 3 + 9 / 30, 5 + 9 / 30])
    assert found.drop(columns="age").values.tolist() == [
        ["paused", 2, True],
        ["renews", 3, False],
        ["stopped", 1, False],
    ]


@pytest.mark.slow
def test_customers_that_say_otherwise_are_told_and_payment_counts():
    """a never paid; b left and its subscription was never closed; c says nothing of its pause; d left as it says."""
    customers = pd.DataFrame(
        {
            "customer_id": list("abcd"), "started_on": "2025-01-01", "churn_kind": [None, "voluntary", None, "involuntary"],
            "churned_on": ["2025-03-01", "2025-04-01", None, "2025-05-01"],
        }
    )  # fmt: skip
    paid = [
        ("b", "2025-01-01", None, 5), ("c", "2025-01-01", "2025-02-10", 5), ("c", "2025-04-01", "2025-06-01", 5),
        ("d", "2025-01-01", "2025-05-01", 5),
    ]  # fmt: skip
    data = loaded(*paid, customers=customers)
    assert [row[:4] for row in listed(data)] == [
        ("b", 1, "2025-01-01", "2025-04-01"), ("c", 1, "2025-01-01", "2025-02-10"),
        ("c", 2, "2025-04-01", "2025-06-01"), ("d", 1, "2025-01-01", "2025-05-01"),
    ]  # fmt: skip
    kinds = lives(data).order_by(["customer_id", "life"]).churn_kind.execute()
    assert [k if isinstance(k, str) else None for k in kinds] == ["voluntary", None, None, "involuntary"]
    text = " ".join(data.notes)
    assert "1 account has never paid" in text
    assert "1 customer began or stopped paying on another day than customers says" in text
    assert movements(data)["n_churned"].tolist() == [0, 1, 0, 1, 1, 1]


def test_where_nothing_is_paid_customers_tell():
    customers = pd.DataFrame(
        {"customer_id": ["a", "b"], "started_on": "2025-01-01", "churned_on": ["2025-03-01", None]}
    )
    for rows in ([("a", "2025-02-01", None, 0)], []):
        data = loaded(*rows, customers=customers) if rows else cs.load({"customers": customers}, as_of="2025-06-30")
        assert [row[1:4] for row in listed(data)] == [(1, "2025-01-01", "2025-03-01"), (1, "2025-01-01", None)]


@pytest.mark.slow
@pytest.mark.parametrize("segment_by", ["life", "here", "segment", "__left"])
def test_columns_of_any_name_are_segments(segment_by):
    customers = pd.DataFrame({"customer_id": ["a", "b"], "started_on": "2025-01-01", "churned_on": None})
    customers = customers.assign(**{segment_by: ["x", "y"]})
    for data in (
        cs.load({"customers": customers}, as_of="2025-06-30"),
        loaded(("a", "2025-01-01", None, 5), ("b", "2025-01-01", None, 5), customers=customers),
    ):
        assert lifetimes(data, segment_by=segment_by)["segment"].tolist() == ["All", "x", "y"]


def test_who_is_here_is_as_old_as_its_life():
    found = present(loaded(*PAID)).order_by("customer_id").execute().set_index("customer_id")["duration"]
    assert found["paused"] == pytest.approx(1 + 28 / 30)
    assert "stopped" not in found


def test_an_impossible_pause_is_refused():
    with pytest.raises(cs.ParameterError, match="pause_months is -1"):
        loaded(*PAID, pause_months=-1)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[subscriptions]\npause_months = 1.5\n", "pause_months is 1.5. It takes a whole number of months"),
        ("[subscriptions]\npause_months = -1\n", "pause_months is -1. It takes a whole number of months"),
        ("[customers]\npause_months = 1\n", "pause_months is for subscriptions, invoices and movements"),
    ],
)
def test_a_pause_is_declared_with_subscriptions(tmp_path, toml, message):
    (tmp_path / "cslib.toml").write_text(toml)
    with pytest.raises(cs.DataError, match=message):
        cs.load(tmp_path)
    (tmp_path / "cslib.toml").write_text("[subscriptions]\npause_months = 2\n")
    (tmp_path / "subscriptions.csv").write_text("customer_id,started_on,ended_on,mrr\na,2025-01-01,,5\n")
    assert cs.load(tmp_path).pause_months == 2
    assert cs.load(tmp_path, pause_months=0).pause_months == 0


@pytest.fixture(scope="module", params=[(0, world.STOPS), (2, world.STOPS), (3, GOOD / PER_PAYER)])
def steady(request):
    """The world that never changes, with what leaves it every month: a pause of three months is churn, or is not."""
    pause_months, rate = request.param
    return world.loaded(3000, pause_months=pause_months), rate


def rates_of(data):
    rates = churn_rates(data)
    return rates[rates["method"] == "start_of_period"].reset_index(drop=True)


def test_every_month_says_the_same(steady):
    data, rate = steady
    rates = rates_of(data)
    inside = (rates["ci_lower"] <= rate) & (rate <= rates["ci_upper"])
    assert inside.mean() > 0.85
    later = rates[rates["month"] >= "2022-07-01"]  # by then as many are paused as ever will be
    assert later["churn_rate"].mean() == pytest.approx(rate, rel=0.05)
    assert drift(data) is None


@pytest.mark.slow
def test_revenue_and_churn_know_the_same_customers(steady):
    data, _ = steady
    both = rates_of(data).merge(movements(data), on=["segment", "month"], suffixes=("", "_moved"))
    assert both["n_start"].tolist() == both["n_opening"].tolist()
    assert both["churn_rate"].to_numpy() == pytest.approx(both["logo_churn_rate"].to_numpy(), abs=1e-12)


def test_it_was_told_then_as_it_is_told_now(steady):
    data, _ = steady
    now = rates_of(data).set_index("month")
    for day in (date(2024, 1, 31), date(2025, 3, 31)):
        then = rates_of(rewind(data, day)).set_index("month")
        pd.testing.assert_frame_equal(then, now.loc[then.index])


@pytest.mark.long
def test_opening_and_movements_are_closing_in_the_months_not_settled_too(steady):
    moved = movements(steady[0])
    kinds = ["new", "reactivation", "expansion", "contraction", "churn"]
    assert (moved["opening"] + moved[kinds].sum(axis=1) - moved["closing"]).abs().max() == 0
    settled_months = moved["month"] <= pd.Timestamp(settled(steady[0]))
    assert moved.loc[~settled_months, "logo_churn_rate"].isna().all()
    assert moved.loc[settled_months, "logo_churn_rate"].iloc[1:].notna().all()
    assert (moved["closing"] == movements(world.loaded(3000))["closing"]).all()


@pytest.mark.slow
def test_lifetimes_retention_and_ages_hold_the_same_hazard(steady):
    data, rate = steady
    counts = lifetimes(data)
    left = counts.loc[counts["event_observed"], "n"].sum()
    months = (np.floor(counts["duration_months"]) * counts["n"]).sum()
    assert left / months == pytest.approx(rate, rel=0.05)
    table = reconcile(data, counts).set_index("measure")
    gone = table.loc["Start of the month", "n_churned"]
    assert abs(table.loc["Customers' ages", "n_churned"] - gone) < 4 * np.sqrt(gone)
    if rate < world.STOPS:  # nobody comes back, so the cohorts only lose
        assert table.loc["Cohorts added up", "n_churned"] == gone
        kept = retention(data, max_periods=12).dropna(subset="n_retained")
        falls = kept.groupby("cohort")["n_retained"].diff().dropna()
        assert (falls <= 0).all()


def paying_after(months):
    """Share of new customers who pay after 0, 1, 2 … months: 5 % stop, and 60 % of these are back after three."""
    share, back = [1.0], np.zeros(months + world.AFTER + 1)
    for month in range(1, months):
        stop = share[-1] * world.STOPS
        back[month + world.AFTER] = stop * world.COMES_BACK
        share.append(share[-1] - stop + back[month])
    return 100 * np.array(share)


@pytest.fixture(scope="module")
def worth():
    return paths_of(world.loaded(3000, seed=1), horizon_months=36), Terms(costs=UnitCosts())


@pytest.mark.slow
def test_value_counts_later_lives(worth):
    paths, terms = worth
    true = paying_after(36)
    found = ltv(paths, terms, horizons=[36]).set_index("method").loc["Survival"]
    assert found["ci_lower"] < true.sum() < found["ci_upper"]
    assert found["ltv"] == pytest.approx(true.sum(), rel=0.02)
    steps = Worth(paths, terms, horizon_months=36).bridge.set_index("step")
    one_life = 100 * ((1 - world.STOPS) ** np.arange(36)).sum()
    assert steps.loc["later lives", "difference"] == pytest.approx(true.sum() - one_life, rel=0.05)
    aged = Worth(paths, terms, horizon_months=36).ltv_by_age
    assert aged.loc[aged["n_active"] > 100, "residual_value"].to_numpy() == pytest.approx(true.sum(), rel=0.06)


def test_the_value_of_those_present_counts_later_lives(worth):
    paths, terms = worth
    found = Worth(paths, terms, horizon_months=36).base_value.iloc[0]
    true = found["n_active"] * paying_after(36).sum()
    assert found["ci_lower"] < true < found["ci_upper"]
    assert found["base_value"] == pytest.approx(true, rel=0.02)


def test_where_nobody_comes_back_a_life_is_all(worth):
    paths, _ = worth
    one = paths["All"]
    for returns in (np.empty((0, 0, 0)), np.zeros((len(one.hazard), 3, 3))):
        alone = replace(one, returns=returns)
        assert (alone.renewed(alone.price) == np.exp(-alone.hazard) * alone.price).all()
        assert not alone.later(alone.price, alone.price).any()


def changing(n=2000, *, history):
    """4 % leave a month whatever their plan; half of those who stay for a year go from Basic to Pro."""
    rng = np.random.default_rng(0)
    start, life = rng.integers(0, 36, n), rng.geometric(0.04, n)
    pro = (rng.random(n) < 0.5) & (life > 12) & (start + 12 < 36)
    day = np.array([pd.Period("2022-07", "M").ordinal + m for m in range(400)])
    on = pd.PeriodIndex.from_ordinals(day, freq="M").to_timestamp()
    ids, left = np.array([f"c{i}" for i in range(n)]), start + life
    ends = pd.Series(on[left]).where(left < 36)
    customers = pd.DataFrame({"customer_id": ids, "started_on": on[start], "churned_on": ends})
    first = customers.rename(columns={"churned_on": "ended_on"}).assign(mrr=10.0, plan="Basic")
    first.loc[pro, "ended_on"] = on[start[pro] + 12]
    second = first[pro].assign(started_on=on[start[pro] + 12], ended_on=ends[pro].to_numpy(), plan="Pro")
    paid = pd.concat([first, second])
    paid = paid if history else paid.drop(columns="plan")
    tables = {"customers": customers.assign(plan=np.where(pro, "Pro", "Basic")), "subscriptions": paid}
    return cs.load(tables, as_of="2025-06-30"), int(pro.sum())


@pytest.mark.long
def test_a_plan_that_comes_with_time_does_not_make_customers_stay():
    data, n_pro = changing(history=True)
    churn = cs.Churn(data, by="plan")
    assert set(churn.summary.table["segment"]) == {"All", "Basic"}  # what they started with
    assert churn.differences.absent == "All customers have the same plan, so there is nothing to compare."
    assert f"{n_pro} customers had another one later" in churn.differences.notes[0]
    assert churn.ratios.table.empty
    listed = at_risk(data, fit_drivers(data), segment_by="plan")
    assert set(listed["segment"]) == {"Basic", "Pro"}  # of today, for who calls


@pytest.mark.long
def test_where_no_history_is_known_it_is_said_beside_the_comparison():
    data, _ = changing(history=False)
    for study in (
        cs.Churn(data, by="plan").differences,
        cs.Value(data, by="plan").ltv,
        cs.Retention(data, by="plan").by_age,
    ):
        assert any("We only know today's plan," in note for note in study.notes)
    assert not cs.Retention(data).by_age.notes


def test_who_has_paused_is_no_paying_customer():
    """Of two who paid 10 in April one has paused in May: ARPA stays 10, of one."""
    rows = (("a", "2025-01-01", None, 10), ("b", "2025-01-01", "2025-05-10", 10), ("b", "2025-06-20", None, 10))
    moved = movements(loaded(*rows, pause_months=2))
    moved = moved.set_index(moved["month"].dt.month)
    assert moved.loc[[4, 5, 6], "arpa"].tolist() == [10, 10, 10]
    assert moved.loc[[4, 5, 6], ["n_closing", "n_paying"]].values.tolist() == [[2, 2], [2, 1], [2, 2]]


def test_columns_of_today_are_named_where_they_are_compared():
    customers = pd.DataFrame(
        {"customer_id": ["a", "b"], "started_on": "2024-01-01", "churned_on": None, "plan": ["x", "y"]}
    )
    alone = cs.load({"customers": customers.assign(city="z")}, as_of="2025-06-30")
    (said,) = today_remark(alone, ["plan", "city", "MRR", "started_on"])
    assert said == "We only know today's plan and city, so don't read a difference as a cause."
    assert segment_remark(alone, "plan")[0].startswith("We only know today's plan, so")
    paid = pd.DataFrame(
        {"customer_id": ["a", "b"], "started_on": "2024-01-01", "ended_on": None, "mrr": 1, "plan": "x"}
    )
    for tables in ({"subscriptions": paid}, {"subscriptions": paid, "customers": customers}):
        assert today_remark(cs.load(tables, as_of="2025-06-30"), ["plan"]) == ()


def test_who_had_another_segment_later_is_counted_beside_the_comparison():
    stays = [("a", "2024-01-01", "2024-06-01", "x"), ("a", "2024-06-01", None, "y"), ("b", "2024-01-01", None, "x")]
    paid = pd.DataFrame(stays, columns=["customer_id", "started_on", "ended_on", "plan_name"]).assign(mrr=1)
    customers = pd.DataFrame(
        {"customer_id": ["a", "b"], "started_on": "2024-01-01", "churned_on": None, "plan_name": ["x", "z"]}
    )
    alone = cs.load({"subscriptions": paid}, as_of="2025-06-30")
    said = "The plan name of a customer is the first one paid for: "
    assert segment_remark(alone, "plan_name") == (f"{said}1 customer had another one later.",)
    both = cs.load({"subscriptions": paid, "customers": customers}, as_of="2025-06-30")
    assert segment_remark(both, "plan_name") == (f"{said}2 customers had another one later.",)
    same = cs.load({"subscriptions": paid.assign(plan_name="x")}, as_of="2025-06-30")
    assert segment_remark(same, "plan_name") == segment_remark(same, "") == ()


def test_a_day_to_foretell_from_had_twenty_customers_of_whom_one_had_been_here_for_half_as_long():
    rows = [(f"c{i}", f"2023-1{i % 3}-01", None, 5.0) for i in range(20)]
    assert day_before(loaded(*rows), 12) == date(2024, 6, 30)
    assert day_before(loaded(*rows), 15) is None  # on 31 March they had been here for half a year at most
    assert day_before(loaded(*rows[1:]), 12) is None
