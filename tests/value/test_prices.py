"""What customers paid at each age, source by source; and what a customer costs."""

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from age_world import age as months_old
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import lives_of

from cslib import DataError, ParameterError, load
from cslib.data.customers import current_mrr
from cslib.data.lives import lives
from cslib.value.ltv import Terms
from cslib.value.paths import paths_of
from cslib.value.prices import NOTHING_PAID, acquisition, unit_costs, value_counts

AS_OF = "2025-06-30"
MONTH = 30.4375
GROUP = ["segment", "first_age", "n_ages", "event_observed"]
CELLS = [
    *("segment", "cell", "first_age", "n_ages", "event_observed", "tier", "n", "entry_months", "duration_months"),
    *("n_involuntary", "n_kind_known", "acquisition_cost", "n_costed", "mrr_now", "mrr_now_squared", "n_known"),
]


def customers(*rows, **more):
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on"])
    return frame.astype({"churned_on": object}).assign(**more)


def subscriptions(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"]).astype({"ended_on": object})


def orders(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "ordered_on", "amount"])


def loaded(as_of=AS_OF, observed_from="", folder=None, **tables):
    """Load tables; a first recorded day can only be told by a file."""
    if not observed_from:
        return load(tables, as_of=as_of)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "cslib.toml").write_text(f"observed_from = {observed_from}\n")
    return load(folder, as_of=as_of)


def revenue(values, segment="All"):
    cells = values.cells.loc[values.cells["segment"] == segment, "cell"]
    return values.paid[values.paid["cell"].isin(cells)].groupby("age")["revenue"].sum().to_dict()


ONE = customers(("a", "2025-01-01", None))  # 5 months and 29 of 30 days: seen at the ages 0 to 5
SPELLS = {
    # after a month and a half: the age 1 is at the old price, the age 2 at the new one
    "price change": ([("a", "2025-01-01", "2025-02-15", 100), ("a", "2025-02-15", None, 150)], [100, 100, 150, 150, 150, 150]),
    "a gap in which no month ends": ([("a", "2025-01-01", "2025-02-01", 100), ("a", "2025-02-02", None, 80)], [100, 0, 80, 80, 80, 80]),
    "two at once": ([("a", "2025-01-01", None, 100), ("a", "2025-03-01", "2025-05-25", 20.5)], [100, 100, 120.5, 120.5, 120.5, 100]),
    "a day before and at the age": ([("a", "2025-01-31", None, 1), ("a", "2025-02-01", None, 10)], [1, 11, 11, 11, 11, 11]),
    "later than customers says": ([("a", "2025-02-02", None, 1)], [1, 1, 1, 1, 1]),
    "between two ages": ([("a", "2025-01-01", None, 5), ("a", "2025-02-03", "2025-02-20", 99)], [5, 5, 5, 5, 5, 5]),
    "before customers says": ([("a", "2024-11-01", None, 5), ("a", "2024-10-01", "2024-12-24", 99)], [99, 104, 104, *[5] * 6]),
    "free at first": ([("a", "2025-01-01", "2025-02-15", 0), ("a", "2025-02-15", None, 7)], [7, 7, 7, 7, 7]),
    "planned end": ([("a", "2025-01-01", "2025-12-31", 5)], [5, 5, 5, 5, 5, 5]),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("rows", "expected"), SPELLS.values(), ids=SPELLS)
def test_subscriptions_by_hand(rows, expected):
    values = value_counts(loaded(customers=ONE, subscriptions=subscriptions(*rows)))
    assert values.source == "subscriptions"
    assert revenue(values) == dict(enumerate(expected))
    assert values.paid["n_priced"].tolist() == [1] * len(expected)


@pytest.mark.slow
def test_who_comes_back_begins_another_life():
    rows = [("a", "2025-01-01", "2025-02-15", 100), ("a", "2025-04-01", None, 80)]
    values = value_counts(loaded(customers=ONE.assign(acquisition_cost=9.0), subscriptions=subscriptions(*rows)))
    assert revenue(values) == {0: 180, 1: 180, 2: 80}
    assert values.cells["acquisition_cost"].sum() == 9  # it is won once
    gaps = values.gaps.set_index("gap")[["n_gone", "n_returned"]]
    assert gaps.values.tolist() == [[1, 0], [1, 1]]  # the ends of February and March went by


@pytest.mark.long
def test_cells_by_hand():
    """a and b are alike but for the kind of churn; c is here, d left on the first day."""
    table = customers(
        ("a", "2025-01-01", "2025-03-01"), ("b", "2025-01-02", "2025-03-01"), ("c", "2025-01-01", None),
        ("d", "2025-01-01", "2025-01-01"), churn_kind=["voluntary", "involuntary", None, None],
        acquisition_cost=[5.25, np.nan, 7, 0],
    )  # fmt: skip
    paid = subscriptions(*((c, "2025-01-01", None, 10.0 if c != "b" else 11.0) for c in "abcd"))
    values = value_counts(loaded(customers=table, subscriptions=paid))
    assert list(values.cells) == CELLS
    cells = values.cells.drop(columns=["segment", "tier", "duration_months"])
    assert cells.values.tolist() == [
        [0, 0, 0, True, 1, 0, 0, 0, 0, 1, 0, 0, 1],
        [1, 0, 2, True, 2, 0, 1, 2, 5.25, 1, 0, 0, 2],
        [2, 0, 6, False, 1, 0, 0, 0, 7, 1, 10, 100, 1],
    ]
    assert values.cells["duration_months"].tolist() == pytest.approx([0, 2, 5 + 29 / 30], abs=1e-6)
    assert values.cells["tier"].tolist() == [NOTHING_PAID, 6, 6]
    assert values.paid.values.tolist() == [[1, 0, 21, 2], [1, 1, 21, 2], *([2, k, 10, 1] for k in range(6))]


@pytest.mark.slow
def test_a_subscription_that_outlives_the_customer_stops_with_it():
    table = customers(("a", "2025-01-01", "2025-03-01"))
    values = value_counts(loaded(customers=table, subscriptions=subscriptions(("a", "2025-01-01", None, 10))))
    assert revenue(values) == {0: 10, 1: 10}
    assert values.cells["mrr_now"].tolist() == [0]


@pytest.mark.slow
def test_late_entry_leaves_out_the_ages_before(tmp_path):
    """On the day before 1 April a is 2 months and 30 of 31 days old; b left before and was never seen; c started later."""
    table = customers(("a", "2025-01-01", None), ("b", "2025-01-01", "2025-03-01"), ("c", "2025-05-01", None), mrr=10.0)
    values = value_counts(loaded(customers=table, observed_from="2025-04-01", folder=tmp_path))
    cells = values.cells[["first_age", "n_ages", "n"]].values.tolist()
    assert cells == [[0, 2, 1], [3, 6, 1]]
    assert values.cells["entry_months"].tolist() == pytest.approx([0, 2 + 30 / 31], abs=1e-6)
    assert values.paid[["cell", "age"]].values.tolist() == [[0, 0], [0, 1], [1, 3], [1, 4], [1, 5]]


@pytest.mark.slow
def test_tiers_are_half_powers_of_two():
    """Between 8√2 = 11.31 and 16 prices are alike; the mean over the ages counts."""
    table = customers(*((c, "2025-01-01", None) for c in "abcde"), mrr=[8, 11.31, 11.32, 15.99, 16])
    values = value_counts(loaded(customers=table))
    assert values.cells[["tier", "n"]].values.tolist() == [[6, 2], [7, 2], [8, 1]]
    paid = [("a", "2025-01-01", "2025-01-15", 24), ("a", "2025-01-15", "2025-03-01", 8), ("b", "2025-01-01", None, 16)]
    table = customers(("a", "2025-01-01", "2025-03-01"), ("b", "2025-01-01", None))
    values = value_counts(loaded(customers=table, subscriptions=subscriptions(*paid)))
    assert values.cells[["tier", "n"]].values.tolist() == [[8, 1], [8, 1]]


def test_mrr_of_tenures():
    frame = pd.DataFrame(
        {"customer_id": list("abcd"), "tenure_months": [0, 2, 2, 0], "churned": [True, True, False, False]}
    )
    values = value_counts(load({"customers": frame.assign(mrr=[5.0, 10.0, 10.0, 5.0])}))
    assert values.source == "customers"
    assert values.cells[["n_ages", "event_observed", "mrr_now"]].values.tolist() == [
        [0, True, 0], [1, False, 5], [2, True, 0], [3, False, 10],
    ]  # fmt: skip
    assert revenue(values) == {0: 25, 1: 20, 2: 10}


def test_customers_without_mrr_are_part_of_no_mean():
    table = customers(("a", "2025-01-01", None), ("b", "2025-01-01", None), mrr=[12.0, np.nan])
    values = value_counts(loaded(customers=table))
    assert values.cells[["tier", "n", "mrr_now"]].values.tolist() == [[NOTHING_PAID, 1, 0], [7, 1, 12]]
    assert values.paid.groupby("age")["n_priced"].sum().tolist() == [1] * 6
    assert "1 customer without mrr" in values.notes[1]


@pytest.mark.long
def test_who_pays_nothing_counts_at_zero():
    table = customers(("a", "2025-01-01", None), ("b", "2025-01-01", None), ("c", "2025-06-30", "2025-06-30"))
    values = value_counts(loaded(customers=table, subscriptions=subscriptions(("a", "2025-01-01", None, 10))))
    assert values.paid.groupby("age")[["revenue", "n_priced"]].sum().values.tolist() == [[10, 1]] * 6  # b is none
    mixed = customers(("a", "2025-01-01", None), ("b", "2025-01-01", None), mrr=[10.0, 0.0])
    values = value_counts(loaded(customers=mixed))
    assert values.paid.groupby("age")[["revenue", "n_priced"]].sum().values.tolist() == [[10, 2]] * 6
    assert values.notes[1:] == (
        "1 customer paid nothing at any whole month of age, or got as much back: counted as such.",
        "Nobody has been seen to come back, so values are those of one stay.",
    )


def test_orders_by_hand():
    """The sixth month of a ends on 2 July: neither its money nor its customers count. Refunds come off."""
    paid = orders(
        ("a", "2025-01-01", 100), ("a", "2025-01-20", -30), ("a", "2025-02-10", 50.25), ("a", "2025-06-29", 70)
    )
    values = value_counts(loaded(customers=ONE, orders=paid))
    assert values.source == "orders"
    assert revenue(values) == {0: 70, 1: 50.25, 2: 0, 3: 0, 4: 0}
    assert values.paid["n_priced"].tolist() == [1] * 5
    assert values.cells[["mrr_now", "mrr_now_squared"]].isna().all(axis=None)
    assert values.cells["n_ages"].tolist() == [6]


def test_orders_of_those_who_left():
    """a and b left in their second month. That of a is over; that of b, who started 50 days ago, is not."""
    table = customers(("a", "2025-01-01", "2025-02-10"), ("b", "2025-05-11", "2025-06-20"))
    paid = orders(("a", "2025-02-05", 8), ("a", "2025-04-01", 99), ("b", "2025-05-20", 8), ("b", "2025-06-15", 99))
    values = value_counts(loaded(customers=table, orders=paid))
    assert values.cells[["n_ages", "n"]].groupby("n_ages").sum().to_dict() == {"n": {2: 2}}
    assert values.paid.groupby("age")[["revenue", "n_priced"]].sum().values.tolist() == [[8, 2], [8, 1]]


def test_refunds_beyond_what_was_paid():
    values = value_counts(loaded(customers=ONE, orders=orders(("a", "2025-01-01", 10), ("a", "2025-02-20", -30))))
    assert values.cells["tier"].tolist() == [NOTHING_PAID]
    assert revenue(values) == {0: 10, 1: -30, 2: 0, 3: 0, 4: 0}


@pytest.mark.slow
def test_subscriptions_come_before_mrr_before_orders():
    table, bought = ONE.assign(mrr=7.0), orders(("a", "2025-01-01", 9))
    assert value_counts(loaded(customers=table, orders=bought)).source == "customers"
    some = loaded(customers=table, orders=bought, subscriptions=subscriptions(("a", "2025-01-01", None, 8)))
    assert value_counts(some).source == "subscriptions"


def test_subscriptions_of_tenures_cannot_be_set_to_ages():
    frame = pd.DataFrame({"customer_id": ["a"], "tenure_months": [2], "churned": [False], "mrr": [5.0]})
    data = loaded(customers=frame, subscriptions=subscriptions(("a", "2025-01-01", None, 99)))
    values = value_counts(data)
    assert (values.source, values.cells["mrr_now"].tolist()) == ("customers", [5])
    assert values.notes[1].startswith("subscriptions cannot be set to ages without started_on of customers")


@pytest.mark.slow
def test_customers_derived_from_subscriptions():
    paid = subscriptions(("a", "2025-01-01", "2025-02-15", 100), ("b", "2025-01-01", None, 50))
    assert revenue(value_counts(loaded(subscriptions=paid))) == {0: 150, 1: 150, 2: 50, 3: 50, 4: 50, 5: 50}


TENURE = pd.DataFrame({"customer_id": ["a"], "tenure_months": [2], "churned": [False]})
REFUSED = {
    "no price": ({"customers": ONE}, "in memory tells no price of any customer. Add mrr to customers, or subscriptions or orders (which need customers with started_on). There are: customers."),
    "orders of tenures": ({"customers": TENURE, "orders": orders(("a", "2025-01-01", 9))}, "in memory tells no price"),
    "mrr all empty": ({"customers": ONE.assign(mrr=np.nan)}, "in memory tells no price of any customer (mrr of customers is there, but empty)."),
    "no customers": ({"orders": orders(("a", "2025-01-01", 9))}, "in memory has no table 'customers'"),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tables, message):
    with pytest.raises(DataError) as error:
        value_counts(loaded(**tables))
    assert str(error.value).startswith(message)


def test_nobody_under_observation(tmp_path):
    table = customers(("a", "2025-01-01", "2025-03-01"), mrr=1.0)
    with pytest.raises(DataError, match="was under observation from observed_from 2025-04-01 on"):
        value_counts(loaded(customers=table, observed_from="2025-04-01", folder=tmp_path))


def test_segment_must_be_a_column():
    with pytest.raises(ParameterError, match="Did you mean 'plan'"):
        value_counts(loaded(customers=ONE.assign(mrr=1.0, plan="Pro")), segment_by="plam")


DAYS = st.integers(0, 400)
PEOPLE = st.lists(
    st.tuples(
        DAYS, st.one_of(st.none(), DAYS), st.sampled_from([None, "voluntary", "involuntary"]),
        st.one_of(st.none(), st.integers(0, 9999)),
        st.lists(st.tuples(st.integers(-40, 400), st.one_of(st.none(), DAYS), st.integers(0, 9999)), max_size=3),
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip
WORLDS = st.tuples(PEOPLE, PEOPLE, PEOPLE, PEOPLE)  # each a plan of one data set: the engine is asked once for four


def tables_of(worlds, source):
    """Draw tables: days before the last one, days from start to churn, cents, and what was paid when."""
    last, rows, paid = pd.Timestamp(AS_OF), [], []
    people = [(plan, *person) for plan, world in zip("wxyz", worlds, strict=True) for person in world]
    for i, (plan, age, life, kind, own, spells) in enumerate(people):
        start = last - pd.Timedelta(days=age)
        left = None if life is None or life > age else start + pd.Timedelta(days=life)
        rows.append((f"c{i}", start, left, kind if left else None, own and own / 100, plan))
        for since, length, amount in spells:
            begun = start + pd.Timedelta(days=since)
            paid.append((f"c{i}", begun, None if length is None else begun + pd.Timedelta(days=length), amount / 100))
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on", "churn_kind", "mrr", "plan"])
    tables = {"customers": frame.assign(acquisition_cost=frame["mrr"])}
    bought = pd.DataFrame(paid, columns=["customer_id", "started_on", "ended_on", "mrr"])
    bought = bought[bought["started_on"] <= last].astype({"ended_on": object})
    if source != "customers":
        tables["customers"] = tables["customers"].drop(columns="mrr")
        names = {"started_on": "ordered_on", "mrr": "amount"} if source == "orders" else {}
        tables[source] = bought.rename(columns=names).drop(columns="ended_on" if names else [])
    return tables


def by_rows(tables, source, since):
    """Per group, and per group and age: customers and what they paid, customer by customer and age by age."""
    groups, paid, last = defaultdict(lambda: np.zeros(4)), defaultdict(lambda: np.zeros(2)), pd.Timestamp(AS_OF)
    tables = {**tables, source: _ended(tables)} if source == "subscriptions" else tables
    for own in _lives(tables, source):
        left, start = pd.notna(own.churned_on), own.started_on
        if left and since is not None and start < since > own.churned_on:
            continue
        life = months_old(start, own.churned_on if left else last)
        entry = max(months_old(start, since - pd.Timedelta(days=1)), 0) if since is not None else 0
        n_ages = sum(1 for k in range(20) if (k < life if left else k <= life))
        first = next(k for k in range(20) if k >= entry)
        known = source != "customers" or pd.notna(own.mrr)
        costed = (
            own.life == 1
            and pd.notna(own.acquisition_cost)
            and start >= max(filter(None, (pd.Timestamp("2024-07-01"), since)))
        )
        for segment in ("All", own.plan):
            key = (segment, first, n_ages, left)
            groups[key] += np.array([1, life, own.acquisition_cost if costed else 0, costed], float)
            for k in range(first, n_ages):
                if known and (source != "orders" or k + 1 <= months_old(start, last)):
                    paid[(*key, k)] += [_at(tables, source, own, k), 1]
    return groups, paid


def _lives(tables, source):
    """Customers as they say themselves, or life by life where anything is paid."""
    customers = tables["customers"].assign(life=1)
    if source != "subscriptions" or not (tables[source]["mrr"] > 0).any():
        return customers.itertuples()
    own = customers.drop(columns=["started_on", "churned_on", "life"])
    return lives_of(tables[source]).merge(own, on="customer_id").itertuples()


def _ended(tables):
    """Subscriptions as they are known: one ends with its customer, one that ends later runs."""
    rows = tables["subscriptions"]
    left = pd.to_datetime(rows["customer_id"].map(tables["customers"].set_index("customer_id")["churned_on"]))
    ended = pd.to_datetime(rows["ended_on"])
    ended = ended.where(~((rows["started_on"] <= left) & ~(ended <= left)), left)
    return rows.assign(ended_on=ended.where(~(ended > pd.Timestamp(AS_OF))))


def _at(tables, source, own, k):
    """What a customer pays at an age, or in the month of age that begins there."""
    if source == "customers":
        return own.mrr
    rows = tables[source][tables[source]["customer_id"] == own.customer_id]
    if source == "orders":
        bought = pd.Series([max(months_old(own.started_on, day), 0) for day in rows["ordered_on"]], rows.index, float)
        return rows.loc[(bought >= k) & (bought < k + 1), "amount"].sum()
    begun = rows["started_on"].map(lambda day: months_old(own.started_on, day) <= k).astype(bool)
    ended = rows["ended_on"].map(lambda day: pd.notna(day) and months_old(own.started_on, day) <= k).astype(bool)
    return rows.loc[begun & ~ended, "mrr"].sum()


@pytest.mark.long
@pytest.mark.parametrize("since", [None, "2025-01-01"], ids=["from the start", "late entry"])
@pytest.mark.parametrize("source", ["subscriptions", "customers", "orders"])
@settings(max_examples=3, deadline=None)
@given(worlds=WORLDS)
def test_equals_customer_by_customer(source, since, worlds, tmp_path_factory):
    tables = tables_of(worlds, source)
    if source != "customers" and tables[source].empty:
        return
    groups, paid = by_rows(tables, source, since and pd.Timestamp(since))
    data = loaded(**tables, observed_from=since or "", folder=tmp_path_factory.mktemp("data"))
    if not groups or (source == "customers" and not any(v[1] for v in paid.values())):
        return
    values = value_counts(data, segment_by="plan")
    cells = values.cells.assign(lived=values.cells["duration_months"] * values.cells["n"])
    found = cells.groupby(GROUP)[["n", "lived", "acquisition_cost", "n_costed"]].sum()
    assert dict(zip(found.index, found.to_numpy().tolist(), strict=True)) == {
        k: pytest.approx(list(v), abs=1e-4) for k, v in groups.items()
    }
    ages = values.paid.merge(cells, on="cell").groupby([*GROUP, "age"])[["revenue", "n_priced"]].sum()
    assert dict(zip(ages.index, ages.to_numpy().tolist(), strict=True)) == {
        k: pytest.approx(list(v)) for k, v in paid.items()
    }


@pytest.mark.long
@settings(max_examples=4, deadline=None)
@given(worlds=WORLDS)
def test_prices_in_a_group_are_alike(worlds):
    """Means of customers within a group differ by less than √2, so that no customer is far from the group's mean."""
    table = tables_of(worlds, "customers")["customers"].dropna(subset="mrr").query("mrr > 0")
    if table.empty:
        return
    cells = value_counts(loaded(customers=table)).cells
    here = cells[~cells["event_observed"].astype(bool)]
    mean, square = here["mrr_now"] / here["n"], here["mrr_now_squared"] / here["n"]
    low = 2 ** (here["tier"] / 2)
    assert ((mean >= low * (1 - 1e-12)) & (mean <= low * np.sqrt(2))).all()
    assert (square <= 2 * low**2 * (1 + 1e-12)).all()


@pytest.mark.slow
@pytest.mark.parametrize("segment_by", ["plan", "region"])
def test_sample_adds_up(sample, segment_by):
    values, people = value_counts(sample, segment_by=segment_by), sample.table("customers").execute()
    spent_on_new = people.loc[people["started_on"] >= pd.Timestamp("2024-07-01"), "acquisition_cost"].sum()
    whole, parts = (values.cells[(values.cells["segment"] == "All") == b] for b in (True, False))
    assert values.cells["segment"].iloc[0] == "All"
    assert values.cells["cell"].is_unique
    for cells in (whole, parts):
        assert cells["n"].sum() == 4150  # 4,000 customers, of whom 150 came back once
        assert cells["mrr_now"].sum() == pytest.approx(current_mrr(sample).mrr.sum().execute(), rel=1e-12)
        assert cells["acquisition_cost"].sum() == pytest.approx(spent_on_new)
    by_age = values.paid.assign(whole=values.paid["cell"].isin(whole["cell"])).groupby(["whole", "age"]).sum()
    assert by_age.loc[True, "revenue"].to_numpy() == pytest.approx(by_age.loc[False, "revenue"].to_numpy(), rel=1e-12)
    assert by_age.loc[True, "n_priced"].tolist() == by_age.loc[False, "n_priced"].tolist()


def many(source, n=3000):
    """Customers, or tenures that are no whole months, whose amounts and ages are no round numbers in binary."""
    rng = np.random.default_rng(7)
    starts, life = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, n), "D"), rng.integers(1, 900, n)
    left = starts + pd.to_timedelta(life, "D")
    table = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(n)], "acquisition_cost": rng.integers(1, 99999, n) / 100}
    )
    if source == "tenures":
        return {
            "customers": table.assign(
                tenure_months=rng.uniform(0, 30, n), churned=life < 300, mrr=rng.integers(1, 9999, n) / 100
            )
        }
    table = table.assign(
        started_on=starts, churned_on=left.where(left < pd.Timestamp(AS_OF)), plan=rng.choice(["a", "b"], n)
    )
    who, begun = rng.integers(0, n, 2 * n), rng.integers(0, 200, 2 * n)
    paid = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in who], "started_on": starts[who] + pd.to_timedelta(begun, "D")}
    )
    paid = paid.assign(ended_on=None, mrr=rng.integers(1, 99999, 2 * n) / 1000)
    spent = pd.DataFrame(
        {
            "month": rng.choice(["2025-03-01", "2025-04-01", "2025-05-01"], 500),
            "kind": rng.choice(["retention", "acquisition"], 500),
            "amount": rng.integers(1, 99999, 500) / 100,
        }
    )
    table["mrr"] = rng.integers(1, 99999, n) / 1000
    tables = {"customers": table, "costs": spent}
    if source == "orders":
        return tables | {
            "customers": table.drop(columns="mrr"),
            "orders": paid.rename(columns={"started_on": "ordered_on", "mrr": "amount"}).drop(columns="ended_on"),
        }
    return tables | ({"subscriptions": paid} if source == "subscriptions" else {})


@pytest.mark.long
@pytest.mark.parametrize("source", ["subscriptions", "customers", "orders", "tenures"])
def test_the_order_of_rows_changes_no_digit(source):
    """An engine adds in any order; what it adds are whole numbers, so that not even the last digit depends on it."""
    tables = many(source)
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in tables.items()}
    by = "" if source == "tenures" else "plan"
    one, other = (load(t, as_of="" if source == "tenures" else AS_OF) for t in (tables, shuffled))
    first, second = (value_counts(data, segment_by=by) for data in (one, other))
    for name in ("cells", "paid", "cohorts"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name), check_exact=True)
    assert repr(unit_costs(one)) == repr(unit_costs(other))


def test_squares_of_large_amounts_are_exact():
    """600 million a month is 6e10 hundredths, whose square is beyond 64 bits."""
    values = value_counts(loaded(customers=customers(("a", "2025-01-01", None), mrr=600_000_000.25)))
    assert values.cells["mrr_now_squared"].tolist() == [600_000_000.25**2]


def test_groups_do_not_grow_with_customers():
    table = customers(*((f"c{i}", f"2025-0{i % 5 + 1}-15", None) for i in range(2000)), mrr=np.linspace(10, 11, 2000))
    assert len(value_counts(loaded(customers=table)).cells) == 5


BOOKS = customers(("a", "2025-01-01", None), ("b", "2025-02-15", "2025-03-10"), acquisition_cost=[90.0, 20.0])


def costs(*rows):
    return pd.DataFrame(rows, columns=["month", "kind", "amount"])


def test_unit_costs_by_hand():
    """In February and March a lived 59 days and b 23; April is not over. Of new customers there is b, who cost 20."""
    table = costs(
        ("2025-02-28", "retention", 10), ("2025-03-01", "retention", 25), ("2025-03-31", "retention", -5),
        ("2025-04-01", "retention", 999), ("2025-02-01", "acquisition", 40), ("2025-02-28", "acquisition", -10),
        ("2025-03-31", "acquisition", 0),
    )  # fmt: skip
    found = unit_costs(loaded(customers=BOOKS, costs=table, as_of="2025-04-15"))
    assert found.retention_per_month == pytest.approx(30 / (82 / MONTH), rel=1e-12)
    assert (found.acquisition_per_customer, found.loading) == (30, 1.5)
    assert found.months == dict.fromkeys(["acquisition", "retention"], "2025-02 to 2025-03")
    assert [note.partition(":")[0] for note in found.notes] == [
        f"No {kind} cost is recorded for January 2025" for kind in ("retention", "acquisition")
    ]


def test_months_without_costs_are_named_and_windows_are_a_year():
    """Of the year to June 2025 April is unknown, with its 30 days; costs of acquisition are known for May alone."""
    paid = [(f"{2023 + m // 12}-{m % 12 + 1:02}-01", "retention", 12.0) for m in range(30) if m != 27]
    table = costs(*paid, ("2025-05-31", "acquisition", 80))
    found = unit_costs(loaded(customers=customers(("a", "2022-01-01", None)), costs=table))
    assert found.retention_per_month == pytest.approx(11 * 12 / (335 / MONTH), rel=1e-12)
    assert np.isnan([found.acquisition_per_customer, found.loading]).all()
    assert found.notes == (
        "No retention cost is recorded for April 2025: left out, with the customers who were here then.",
        "No acquisition cost is recorded for July 2024 to April 2025, June 2025: left out, with the customers who "
        "started then.",
    )
    assert sorted(found.months.values()) == ["2024-07 to 2025-03, 2025-05 to 2025-06", "2025-05"]


def test_a_cost_of_0_is_known():
    """In January a starts, in February b; a row of 0 counts b in, a month without a row leaves it out."""
    people = customers(("a", "2025-01-05", None), ("b", "2025-02-05", None))
    rows = [("2025-01-31", "acquisition", 50)]
    for more, each in (([("2025-02-01", "acquisition", 0)], 25), ([], 50)):
        assert unit_costs(loaded(customers=people, costs=costs(*rows, *more))).acquisition_per_customer == each


@pytest.mark.long
def test_what_a_customer_costs_is_told_of_those_who_started_in_the_months_that_are_known():
    """a started more than a year ago, b and c within it, c in a month without costs: b cost 30, the books say 60."""
    people = customers(("a", "2024-01-05", None), ("b", "2025-02-05", None), ("c", "2025-04-05", None), mrr=1.0)
    people = people.assign(acquisition_cost=[500.0, 30.0, 90.0])
    data = loaded(customers=people, costs=costs(("2024-01-05", "acquisition", 7), ("2025-02-05", "acquisition", 60)))
    cells = value_counts(data).cells
    assert cells[["acquisition_cost", "n_costed"]].sum().tolist() == [30, 1]
    assert unit_costs(data).loading == 2
    assert value_counts(loaded(customers=people)).cells["n_costed"].sum() == 2
    won = acquisition(data).loc[2025 * 12 + 5]
    assert won[["acquisition_cost", "n_new", "cac", "months_acquisition"]].tolist() == [60, 1, 60, 1]
    own = acquisition(loaded(customers=people)).loc[2025 * 12 + 5]
    assert own[["acquisition_cost", "n_new", "cac", "months_acquisition"]].tolist() == [120, 2, 60, 12]


def test_where_customers_have_tenures_the_first_paid_day_is_the_start():
    rows = [("a", "2025-01-05", "2025-02-05", 0), ("a", "2025-02-05", None, 9), ("b", "2025-01-05", None, 5)]
    paid = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])
    table = costs(("2025-01-05", "acquisition", 7), ("2025-02-05", "acquisition", 8))
    data = loaded(customers=TENURE, subscriptions=paid, costs=table, as_of="2025-02-28")
    assert acquisition(data, months=1)["cac"].tolist() == [7, 8]


def test_costs_before_the_records_are_not_divided(tmp_path):
    table = costs(("2025-02-01", "retention", 999), ("2025-04-01", "retention", 3), ("2025-05-01", "acquisition", 1))
    data = loaded(customers=BOOKS, costs=table, observed_from="2025-03-05", folder=tmp_path)
    found = unit_costs(data)
    assert found.retention_per_month == pytest.approx(3 / (30 / MONTH))
    assert found.notes[0].startswith("No retention cost is recorded for May 2025 to June 2025: left out")


UNTOLD = {
    "no costs": ({"customers": BOOKS}, ["No costs table, so values are before retention cost."]),
    "no dates": ({"customers": TENURE, "costs": costs(("2025-01-01", "retention", 1))}, ["Customers have no dates, so costs are not used: they cannot be set to months."]),
    "only unfinished": ({"customers": BOOKS, "costs": costs(("2025-06-01", "retention", 1))}, ["No retention cost is recorded for January 2025 to May 2025: it is unknown.", "No acquisition cost is recorded for January 2025 to May 2025: that of customers (acquisition_cost) counts, where it is known."]),
}  # fmt: skip


@pytest.mark.parametrize(("tables", "notes"), UNTOLD.values(), ids=UNTOLD)
def test_costs_that_cannot_be_told(tables, notes):
    found = unit_costs(loaded(**tables, as_of="2025-06-29"))
    assert np.isnan([found.retention_per_month, found.acquisition_per_customer, found.loading]).all()
    assert (any(found.months.values()), list(found.notes)) == (False, notes)


def test_unit_costs_of_the_sample(sample):
    """Against pandas: the last year, of which every month is complete."""
    books, table = (t.execute() for t in (sample.table("costs"), lives(sample, acquisition_cost="acquisition_cost")))
    since, until = pd.Timestamp("2024-07-01"), pd.Timestamp("2025-07-01")
    days = pd.date_range(since, until, inclusive="left")
    left = pd.to_datetime(table["churned_on"]).fillna(until)
    here = sum(((table["started_on"] <= d) & (left > d)).sum() for d in days)
    year = books[books["month"] >= since]
    found, new = unit_costs(sample), table[(table["started_on"] >= since) & (table["life"] == 1)]
    assert found.retention_per_month == pytest.approx(year.query("kind == 'retention'")["amount"].sum() * MONTH / here)
    per_start = year.query("kind == 'acquisition'")["amount"].sum() / len(new)
    assert found.acquisition_per_customer == pytest.approx(per_start)
    assert found.loading == pytest.approx(per_start / new["acquisition_cost"].mean())


@pytest.mark.parametrize("own", [0.0, 5.0])
def test_costs_of_customers_of_0_give_way_to_the_books(own):
    """500 a month for 100 customers who started in 12 months cost 60 each, whatever customers say."""
    starts = pd.date_range("2024-07-01", periods=12, freq="MS")[np.arange(100) % 12]
    customers = pd.DataFrame({"customer_id": range(100), "started_on": starts, "churned_on": None, "mrr": 10.0})
    costs = pd.DataFrame(
        {"month": pd.date_range("2024-07-31", periods=12, freq="ME"), "kind": "acquisition", "amount": 500}
    )
    data = load({"customers": customers.assign(acquisition_cost=own), "costs": costs}, as_of="2025-06-30")
    terms = Terms(costs=unit_costs(data))
    paths = paths_of(data, horizon_months=3)["All"]
    np.testing.assert_allclose(terms.cac(paths), 60)
