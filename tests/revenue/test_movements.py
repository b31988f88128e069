import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import WHO, few_or_many
from scipy.stats import t as student

from cslib import load
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.retention.revenue import revenue_levels, revenue_retention
from cslib.revenue.movements import (
    KINDS,
    _ratio_of_flows,
    came_back,
    conventions,
    kept_steps,
    layers,
    movements,
    movers,
    trailing,
    waterfall,
)
from cslib.revenue.spending import retention_cost

REPEATS = 2000


def subscribed(*rows, as_of="2025-06-30", **more):
    """Rows of customer, start, end, MRR."""
    table = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"]).assign(**more)
    return load({"subscriptions": table}, as_of=as_of)


def by_month(data, **options):
    table = movements(data, **options)
    return table[table["segment"] == "All"].set_index(
        table.loc[table["segment"] == "All", "month"].dt.strftime("%Y-%m")
    )


def moves(row):
    return {k: row[k] for k in KINDS if row[k]}


def test_who_came_back_within_the_months_is_counted_by_hand():
    """a left and is back, b left in the month that the year begins with, c stayed, d is gone, e came later; f paused twice."""
    rows = [("a", "2024-01-05", "2024-08-10", 5), ("a", "2024-10-03", None, 5), ("b", "2024-01-05", "2024-05-20", 5),
            ("b", "2024-07-05", None, 5), ("c", "2024-01-05", None, 5), ("d", "2024-01-05", "2024-09-01", 5),
            ("e", "2024-08-01", "2024-10-01", 5), ("e", "2024-12-01", None, 5), ("f", "2024-01-01", "2024-07-01", 5),
            ("f", "2024-09-01", "2024-11-01", 5), ("f", "2025-02-01", None, 5)]  # fmt: skip
    data = load(
        {"subscriptions": pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])},
        as_of="2025-06-30",
    )
    assert came_back(data, until=pd.Timestamp("2025-06-01")) == 2
    assert came_back(data, until=pd.Timestamp("2025-06-01"), months=3) == 0


def test_new_up_down_and_churn():
    found = by_month(subscribed(
        ("a", "2025-01-10", "2025-02-10", 10), ("a", "2025-02-10", "2025-03-10", 25), ("a", "2025-03-10", "2025-04-10", 5),
    ))  # fmt: skip
    assert [moves(found.loc[f"2025-0{m}"]) for m in range(1, 5)] == [
        {"new": 10}, {"expansion": 15}, {"contraction": -20}, {"churn": -5},
    ]  # fmt: skip
    assert found["closing"].tolist() == [10, 25, 5, 0, 0, 0]
    assert found["n_closing"].tolist() == [1, 1, 1, 0, 0, 0]
    assert (found.loc["2025-02", "nrr"], found.loc["2025-02", "grr"]) == (2.5, 1)
    assert (found.loc["2025-03", "nrr"], found.loc["2025-03", "grr"]) == (0.2, 0.2)
    assert found.loc["2025-04", "logo_churn_rate"] == 1


def test_a_month_without_customers_has_no_rates():
    row = by_month(subscribed(("a", "2025-01-10", "2025-02-10", 10), ("b", "2025-04-10", None, 10))).loc["2025-03"]
    assert row[["nrr", "grr", "logo_churn_rate", "arpa", "quick_ratio"]].isna().all()
    assert (row.opening, row.closing) == (0, 0)


def test_a_pause_is_churn_and_reactivation():
    found = by_month(subscribed(("a", "2025-01-10", "2025-02-20", 10), ("a", "2025-04-10", None, 12)))
    assert moves(found.loc["2025-02"]) == {"churn": -10}
    assert moves(found.loc["2025-04"]) == {"reactivation": 12}
    assert found["n_new"].tolist() == [1, 0, 0, 0, 0, 0]
    assert found["n_reactivated"].tolist() == [0, 0, 0, 1, 0, 0]


def test_a_gap_inside_a_month_is_nothing():
    found = by_month(subscribed(("a", "2025-01-10", "2025-02-05", 10), ("a", "2025-02-20", None, 10)))
    assert [moves(row) for _, row in found.iterrows()] == [{"new": 10}, {}, {}, {}, {}, {}]


def test_two_products_of_one_customer():
    found = by_month(subscribed(("a", "2025-01-10", None, 10), ("a", "2025-02-10", "2025-03-10", 30)))
    assert moves(found.loc["2025-02"]) == {"expansion": 30}
    assert moves(found.loc["2025-03"]) == {"contraction": -30}
    assert found["n_closing"].tolist() == [1] * 6


def test_a_trial_at_nothing_is_nobody_until_it_pays():
    found = by_month(
        subscribed(("a", "2025-01-10", "2025-03-10", 0), ("a", "2025-03-10", None, 20), ("b", "2025-01-10", None, 5))
    )
    assert found["n_closing"].tolist() == [1, 1, 2, 2, 2, 2]
    assert moves(found.loc["2025-03"]) == {"new": 20}


def test_a_subscription_that_ends_on_its_first_day_never_was():
    found = by_month(subscribed(("a", "2025-01-10", "2025-01-10", 10), ("b", "2025-01-10", None, 5)))
    assert found["new"].tolist() == [5, 0, 0, 0, 0, 0]


def test_ends_are_exclusive():
    """Ended on the month's last day: it does not cover it. On the next first: it does."""
    found = by_month(subscribed(("a", "2025-01-10", "2025-02-28", 10), ("b", "2025-01-10", "2025-03-01", 10)))
    assert [found.loc[m, "churn"] for m in ("2025-02", "2025-03")] == [-10, -10]


@pytest.mark.slow
def test_who_is_still_here_never_churns_at_the_end():
    found = by_month(subscribed(("a", "2025-01-10", None, 10), ("b", "2025-01-10", "2025-08-01", 10)))
    assert found["churn"].tolist() == [0] * 6
    unfinished = by_month(subscribed(("a", "2025-01-10", None, 10), as_of="2025-06-15"))
    assert unfinished.index[-1] == "2025-05"


def test_the_published_rates():
    """DEFINITIONS: 100 at the opening, churn 10, contraction 10, expansion 10: gross churn 20 %, net 10 %."""
    found = by_month(subscribed(
        ("a", "2025-05-01", "2025-06-10", 10), ("b", "2025-05-01", "2025-06-10", 30), ("b", "2025-06-10", None, 20),
        ("c", "2025-05-01", "2025-06-10", 60), ("c", "2025-06-10", None, 70),
    ))  # fmt: skip
    row = found.loc["2025-06"]
    assert (row.opening, 1 - row.grr, 1 - row.nrr) == (100, pytest.approx(0.2), pytest.approx(0.1))
    assert row.quick_ratio == 0.5
    table = conventions(found.loc[["2025-06"]], months=1).set_index("convention")["value"]
    assert table["with contraction (ChartMogul, cslib)"] == pytest.approx(0.2)
    assert table["with reactivation (ChartMogul)"] == pytest.approx(0.1)


def test_by_quarter_and_by_segment():
    data = subscribed(("a", "2025-01-10", "2025-05-10", 10), ("b", "2025-02-10", None, 7), plan=["x", "y"])
    quarters = movements(data, period="quarter", segment_by="plan").set_index(["segment", "month"])
    assert quarters.loc[("x", "2025-04-01"), "churn"] == -10
    assert quarters.loc[("All", "2025-01-01"), ["new", "n_new"]].tolist() == [17, 2]
    assert quarters.loc[("y", "2025-04-01"), "nrr"] == 1


@pytest.mark.slow
def test_months_before_records_began_are_left_out(tmp_path):
    """Who left before March is not recorded: January and February would look as if nobody had."""
    rows = "a,2025-01-10,,10\nb,2025-02-10,2025-04-10,5\n"
    (tmp_path / "subscriptions.csv").write_text("customer_id,started_on,ended_on,mrr\n" + rows)
    (tmp_path / "cslib.toml").write_text("as_of = 2025-06-30\nobserved_from = 2025-03-01\n")
    data = load(tmp_path)
    found = by_month(data)
    assert found.index.tolist() == ["2025-03", "2025-04", "2025-05", "2025-06"]
    assert (found.loc["2025-03", "opening"], found.loc["2025-04", "nrr"]) == (15, pytest.approx(2 / 3))
    back = trailing(data, months=1)
    assert back.loc[back["segment"] == "All", "month"].min() == pd.Timestamp("2025-04-01")
    assert trailing(data, months=12).empty


def test_nothing_complete_and_nothing_there():
    with pytest.raises(DataError, match="No month of subscriptions is complete by 2025-06-15"):
        movements(subscribed(("a", "2025-06-10", None, 10), as_of="2025-06-15"))
    people = pd.DataFrame({"customer_id": ["a"], "started_on": ["2025-01-01"], "churned_on": [None]})
    with pytest.raises(MissingTableError, match="Add subscriptions.csv"):
        movements(load({"customers": people}))


SPELL = st.tuples(
    WHO.map(str),
    st.integers(0, 500),
    st.integers(0, 300),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from("xy"),
)
SPELLS = few_or_many(SPELL)


def random_history(spells):
    table = pd.DataFrame(spells, columns=["customer_id", "start", "length", "cents", "open", "plan"])
    table["started_on"] = pd.Timestamp("2024-01-05") + pd.to_timedelta(table["start"], unit="D")
    ends = table["started_on"] + pd.to_timedelta(table["length"], unit="D")
    table = table.assign(ended_on=ends.where(~table["open"]), mrr=table["cents"] / 100)
    return table[["customer_id", "started_on", "ended_on", "mrr", "plan"]]


def mrr_on(history, day):
    """What each customer pays on a day."""
    running = history[(history.started_on <= day) & ~(history.ended_on <= day)]
    return running.groupby("customer_id")["mrr"].sum()


@pytest.mark.long
@settings(max_examples=12)
@given(SPELLS)
def test_opening_and_movements_are_closing_to_the_cent(spells):
    history = random_history(spells)
    table = movements(load({"subscriptions": history}, as_of="2025-09-30"), segment_by="plan")
    cents = (table[["opening", *KINDS, "closing"]] * 100).round().astype("int64")
    assert (cents[["opening", *KINDS]].sum(axis=1) == cents["closing"]).all()
    assert (table[["new", "expansion", "reactivation"]] >= 0).all(axis=None)
    assert (table[["churn", "contraction"]] <= 0).all(axis=None)
    for _, own in table.groupby("segment"):
        assert (own["opening"].to_numpy()[1:] == own["closing"].to_numpy()[:-1]).all()
        assert (own["n_opening"] + own["n_new"] + own["n_reactivated"] - own["n_churned"] == own["n_closing"]).all()
    whole = table[table["segment"] == "All"].set_index("month")
    for month in whole.index:
        day = month + pd.offsets.MonthEnd()
        paid = mrr_on(history, day)
        assert whole.loc[month, "closing"] == pytest.approx(paid.sum(), abs=1e-6)
        assert whole.loc[month, "n_closing"] == (paid > 0).sum()


@pytest.mark.long
@settings(max_examples=10)
@given(SPELLS)
def test_trailing_rates_equal_pandas(spells):
    history = random_history(spells)
    data = load({"subscriptions": history}, as_of="2025-09-30")
    for months in (1, 3, 12):
        check_trailing(trailing(data, months=months).set_index("month"), history, months)


def check_trailing(found, history, months):
    for month, row in found[found["segment"] == "All"].iterrows():
        paid = []
        for back in (months, 0):
            day = month - pd.DateOffset(months=back) + pd.offsets.MonthEnd()
            paid.append(mrr_on(history, day))
        then = paid[0][paid[0] > 0]
        now = paid[1].reindex(then.index).fillna(0)
        assert row.n_opening == len(then)
        assert row.n_kept == (now > 0).sum()
        assert row.nrr == pytest.approx(now.sum() / then.sum())
        assert row.grr == pytest.approx(np.minimum(now, then).sum() / then.sum())
        change = now - then
        moves = [-then[now == 0].sum(), change[(change < 0) & (now > 0)].sum(), change[change > 0].sum()]
        assert row[["churn", "contraction", "expansion"]].tolist() == pytest.approx(moves, abs=0.005)


@pytest.mark.long
@settings(max_examples=10)
@given(SPELLS)
def test_steps_of_a_year_and_its_movers_equal_pandas(spells):
    history = random_history(spells)
    data = load({"subscriptions": history}, as_of="2025-09-30")
    days = {"before": "2024-09-30", "now": "2025-09-30"}
    paid = pd.DataFrame({when: mrr_on(history, day) for when, day in days.items()}).fillna(0.0)
    change = (paid["now"] - paid["before"]).round(2)
    found = movers(data, until=pd.Timestamp("2025-09-01"), column="plan").set_index("customer_id")
    assert found["change"].to_dict() == pytest.approx(change[(change != 0) & (paid["before"] > 0)].to_dict())
    assert (found["change"].abs().diff().dropna() <= 0).all()
    sums = found.groupby("step")["change"].sum().reindex(["churn", "contraction", "expansion"], fill_value=0.0)
    steps = kept_steps(trailing(data))
    if paid["before"].sum():
        assert steps["amount"].tolist() == pytest.approx(
            [paid["before"].sum(), *sums, paid.loc[paid.before > 0, "now"].sum()]
        )
        assert steps["end"].tolist()[-2:] == pytest.approx(steps["amount"].tolist()[-1:] * 2, abs=0.005)
    else:
        assert steps.empty or steps["amount"].iloc[0] > 0  # of an earlier month


def test_movers_by_hand():
    rows = [["a", "2024-01-01", "2024-07-01", 10], ["a", "2024-07-01", None, 25], ["b", "2024-01-01", "2025-03-01", 40]]
    rows += [
        ["c", "2025-02-01", None, 5],
        ["d", "2024-01-01", None, 9],
        ["e", "2024-01-01", None, 8],
        ["e", "2024-02-01", "2025-01-15", 3],
    ]
    history = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])
    named = history.assign(size="small", step="first", now="x")
    data, until = load({"subscriptions": named}, as_of="2025-06-15"), pd.Timestamp("2025-05-01")
    table = movers(data, until=until)
    for column in ("size", "step", "now"):
        split = movers(data, until=until, column=column)
        assert split["segment"].tolist() == named[column].tolist()[:3]
        pd.testing.assert_frame_equal(split.drop(columns="segment"), table)
    assert list(table) == ["customer_id", "step", "before", "now", "change"]
    assert table.to_numpy().tolist() == [
        ["b", "churn", 40.0, 0.0, -40.0],
        ["a", "expansion", 10.0, 25.0, 15.0],
        ["e", "contraction", 11.0, 8.0, -3.0],
    ]


def test_one_month_back_is_the_monthly_rate(sample):
    monthly = by_month(sample).dropna(subset="nrr").reset_index(drop=True)
    back = trailing(sample, months=1)
    back = back[back["segment"] == "All"].reset_index(drop=True)
    for column in ("nrr", "nrr_ci_lower", "nrr_ci_upper", "grr", "grr_ci_lower", "grr_ci_upper"):
        assert back[column].to_numpy() == pytest.approx(monthly[column].to_numpy(), rel=1e-9)


def test_layers_add_up_to_mrr(sample):
    split = layers(revenue_retention(revenue_levels(sample, max_periods=1200)))
    closing = by_month(sample).set_index("month")["closing"]
    assert split.groupby("month")["mrr"].sum().round(2).tolist() == closing.tolist()


def test_waterfall_ends_where_it_should(sample):
    found = by_month(sample)
    steps = waterfall(found, periods=3)
    assert steps["step"].tolist() == ["opening", *KINDS, "closing"]
    assert steps["end"].iloc[-2] == pytest.approx(steps["amount"].iloc[-1])
    assert steps["amount"].iloc[0] == found["opening"].iloc[-3]


def test_intervals_of_arpa_and_quick_ratio_by_hand():
    """February: b shrinks by 10, c leaves with 20, d comes with 15; a and b pay 40 and 10, d 15."""
    data = subscribed(
        ("a", "2025-01-05", None, 40), ("b", "2025-01-05", "2025-02-05", 20), ("b", "2025-02-05", None, 10),
        ("c", "2025-01-05", "2025-02-10", 20), ("d", "2025-02-20", None, 15), as_of="2025-02-28",
    )  # fmt: skip
    row = by_month(data).loc["2025-02"]
    assert row["quick_ratio"] == 0.5
    won, lost = 15**2 / 15**2, (10**2 + 20**2) / 30**2  # 1 movement, and 1.8 of one size
    freedom = (won + lost) ** 2 / (won**2 / (1 + 2) + lost**2 / (1.8 + 2))
    assert freedom == pytest.approx(5.8370, abs=1e-4)
    width = np.exp(student.ppf(0.975, freedom) * np.sqrt(won + lost))
    assert row[["quick_ratio_ci_lower", "quick_ratio_ci_upper"]].tolist() == pytest.approx([0.5 / width, 0.5 * width])
    mean, half = 65 / 3, 4.302653 * np.std([40, 10, 15], ddof=1) / np.sqrt(3)
    assert row[["arpa_ci_lower", "arpa_ci_upper"]].tolist() == pytest.approx([max(mean - half, 0), mean + half])


def test_without_gain_or_loss_the_quick_ratio_has_no_interval():
    row = by_month(
        subscribed(("a", "2025-01-05", None, 40), ("b", "2025-01-05", "2025-02-10", 5), as_of="2025-02-28")
    ).loc["2025-02"]
    assert row["quick_ratio"] == 0
    assert np.isnan(row["quick_ratio_ci_upper"])


def month_of_changes(rng, n, come, factors, shares):
    """Customers of January whose prices change in February by a factor drawn with the shares, and who comes then."""
    price, factor = np.exp(rng.normal(4, 0.8, n)).round(2), rng.choice(factors, n, p=shares)
    first = pd.DataFrame({"customer_id": np.arange(n).astype(str), "started_on": "2025-01-01", "mrr": price})
    first["ended_on"] = np.where(factor == 1, None, "2025-02-10")
    second = first[(factor != 1) & (factor > 0)].assign(started_on="2025-02-10", ended_on=None)
    second["mrr"] = (price * factor)[(factor != 1) & (factor > 0)].round(2)
    third = pd.DataFrame({"mrr": np.exp(rng.normal(4, 0.8, rng.poisson(come))).round(2), "started_on": "2025-02-20"})
    third = third.assign(customer_id=[f"n{i}" for i in range(len(third))], ended_on=None)
    return pd.concat([first, second, third])


@pytest.mark.long
def test_monthly_intervals_cover():
    """A thousand log-normal prices; 3 % leave, 2 % shrink by a third, 4 % grow by half, some forty come."""
    n, come, rng = 1000, 40, np.random.default_rng(8)
    factors, shares = np.array([0, 2 / 3, 1.5, 1]), [0.03, 0.02, 0.04, 0.91]
    truth = {"nrr": factors @ shares, "grr": np.minimum(factors, 1) @ shares}
    truth["arpa"] = np.exp(4 + 0.8**2 / 2) * (n * truth["nrr"] + come) / (n * 0.97 + come)
    truth["quick_ratio"] = (come / n + 0.04 * 0.5) / (0.03 + 0.02 / 3)
    hits = dict.fromkeys(truth, 0)
    for _ in range(6):  # fifty worlds at a time, each a segment of its own
        worlds = [month_of_changes(rng, n, come, factors, shares).assign(world=f"w{w}") for w in range(50)]
        table = pd.concat(worlds, ignore_index=True)
        table["customer_id"] = table["world"] + " " + table["customer_id"]
        found = movements(load({"subscriptions": table}, as_of="2025-02-28"), segment_by="world")
        rows = found[(found["segment"] != "All") & (found["month"] == "2025-02-01")]
        assert len(rows) == 50
        for name, value in truth.items():
            hits[name] += (rows[f"{name}_ci_lower"].le(value) & rows[f"{name}_ci_upper"].ge(value)).sum()
    for name in truth:
        assert hits[name] / 300 >= 0.94 - 3 * np.sqrt(0.06 * 0.94 / 300)


def flows(rng, n, leave, shrink, come):
    """MRR won and lost, and their squares, in 3,000 worlds: 4 % grow by half, others leave or shrink by a third."""
    price, chance = np.exp(rng.normal(4, 0.8, (3000, n))), rng.random((3000, n))
    lost = price * np.select([chance < leave, chance < leave + shrink], [1, 1 / 3], 0)
    grown = price * (chance > 0.96) / 2
    fresh = np.exp(rng.normal(4, 0.8, (3000, 40))) * (np.arange(40) < rng.poisson(come * n, (3000, 1)))
    won = np.hstack([grown, fresh])
    sums = pd.DataFrame({"won": won.sum(axis=1), "lost": lost.sum(axis=1)})
    return sums.assign(won_squared=(won**2).sum(axis=1), lost_squared=(lost**2).sum(axis=1)).query("lost > 0 & won > 0")


@pytest.mark.parametrize(("leave", "shrink"), [(0.03, 0.02), (0.01, 0.005)])
@pytest.mark.parametrize("n", [100, 300])
def test_the_quick_ratio_of_few_customers_covers(n, leave, shrink):
    """Where both are above 0; 95 ± 1.5 %, and three Monte Carlo errors."""
    sums = flows(np.random.default_rng(n), n, leave, shrink, 0.04)
    bounds = _ratio_of_flows(sums["won"], sums["lost"], sums)
    truth = (0.04 + 0.04 / 2) / (leave + shrink / 3)
    covered = ((bounds.lower <= truth) & (truth <= bounds.upper)).mean()
    assert covered == pytest.approx(0.95, abs=0.015 + 3 * np.sqrt(0.95 * 0.05 / len(sums)))


@pytest.mark.parametrize("period", ["week", "quarter"])
def test_what_is_counted_by_month_refuses_other_periods(period):
    """Costs of one month against the customers of a quarter would make keeping them look cheap."""
    rows = pd.DataFrame({"customer_id": ["a"], "mrr": [10], "started_on": ["2024-01-05"], "ended_on": [None]})
    costs = pd.DataFrame({"month": ["2024-02-29"], "kind": ["retention"], "amount": [1.0]})
    data = load({"subscriptions": rows, "costs": costs}, as_of="2024-12-31")
    moved = movements(data, period=period)
    for refuses in (conventions, lambda table: retention_cost(data, table)):
        with pytest.raises(ParameterError, match="not by month"):
            refuses(moved)
