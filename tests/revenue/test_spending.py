import numpy as np
import pandas as pd
import pytest

from cslib import load
from cslib.errors import MissingTableError
from cslib.revenue.movements import movements
from cslib.revenue.spending import CONVERSIONS, conversions, has_kinds, retention_cost
from cslib.stats.intervals import share_of_clusters, wilson


def orders(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "ordered_on", "amount", "kind"])


ORDERS = orders(
    ("a", "2025-01-05", 100, "new"), ("a", "2025-01-20", 20, "upsell"), ("b", "2025-03-02", 50, "new"),
    ("b", "2025-03-09", -5, "cross_sell"), ("c", "2025-03-09", 9, None),
)  # fmt: skip


def test_conversions_by_hand():
    found = conversions(load({"orders": ORDERS}, as_of="2025-03-31")).set_index(["month", "kind"])
    january, march = (pd.Timestamp(f"2025-0{m}-01") for m in (1, 3))
    assert found.loc[(january, "upsell"), ["n", "amount", "n_all", "rate"]].tolist() == [1, 20, 2, 0.5]
    assert found.loc[(march, "cross_sell"), ["n", "amount", "n_all", "rate"]].tolist() == [0, -5, 1, 0]  # a refund
    interval = share_of_clusters(1, 0, squares=(1, 0, 0))
    assert found.loc[(march, "cross_sell"), "ci_upper"] == pytest.approx(float(interval.upper))
    assert found.loc[pd.Timestamp("2025-02-01"), "rate"].isna().all()
    assert len(found) == 12


def test_orders_are_summed_per_customer_first(sample):
    """Of the year to June 2025, against pandas."""
    rows = sample.table("orders").execute().query("'2024-07-01' <= ordered_on <= '2025-06-30' and amount >= 0")
    each = rows.groupby("customer_id")["kind"].agg(x="size", y=lambda kind: (kind == "upsell").sum())
    x, y = each["x"], each["y"]
    bounds = share_of_clusters(x.sum(), y.sum(), squares=((x**2).sum(), (y**2).sum(), (x * y).sum()))
    last = conversions(sample, months=12).query("kind == 'upsell'").iloc[-1]
    assert last[["n", "n_all"]].tolist() == [y.sum(), x.sum()]
    assert last[["ci_lower", "ci_upper"]].tolist() == pytest.approx([float(bounds.lower), float(bounds.upper)])


def test_orders_of_one_customer_tell_less_than_those_of_many():
    """Of 40 orders 10 are upsells: all of one of four customers, or of ten of forty."""
    one = [(f"c{i % 4}", "2025-03-05", 1, "upsell" if i % 4 == 0 else "new") for i in range(40)]
    many = [(f"c{i}", *row[1:]) for i, row in enumerate(one)]
    width = {}
    for name, rows in (("one", one), ("many", many)):
        row = conversions(load({"orders": orders(*rows)}, as_of="2025-03-31")).query("kind == 'upsell'").iloc[0]
        assert row.rate == 0.25
        width[name] = row.ci_upper - row.ci_lower
    plain = wilson(10, 40)
    assert width["many"] == pytest.approx(float(plain.upper - plain.lower), rel=0.05)
    assert width["one"] > 2 * width["many"]


def test_conversions_over_several_months_and_without_the_last_unfinished():
    found = conversions(load({"orders": ORDERS}, as_of="2025-03-30"), months=12)
    last = found[found["month"] == found["month"].max()].set_index("kind")
    assert last.index.size == 4
    assert found["month"].max() == pd.Timestamp("2025-02-01")
    assert last.loc["new", ["n", "n_all"]].tolist() == [1, 2]


def test_orders_without_kinds_cannot_tell():
    data = load({"orders": ORDERS.drop(columns="kind")}, as_of="2025-03-31")
    assert not has_kinds(data)
    with pytest.raises(MissingTableError, match="no column kind"):
        conversions(data)
    assert list(conversions(load({"orders": ORDERS[-1:]}, as_of="2025-03-31"))) == CONVERSIONS


SUBSCRIPTIONS = pd.DataFrame(
    [
        ("a", "2025-01-05", None, 100), ("b", "2025-01-05", "2025-03-05", 50), ("c", "2025-02-05", None, 30),
    ],
    columns=["customer_id", "started_on", "ended_on", "mrr"],
)  # fmt: skip


def spent(*rows):
    return pd.DataFrame(rows, columns=["month", "kind", "amount"])


def with_costs(costs, **options):
    data = load({"subscriptions": SUBSCRIPTIONS, "costs": costs}, as_of="2025-03-31")
    return retention_cost(data, movements(data), **options).set_index("month")


def test_costs_by_hand():
    """March: of a, b and c at the opening b leaves; 2 are kept with MRR 130. February: c is new for 60."""
    found = with_costs(
        spent(("2025-02-01", "retention", 20), ("2025-03-15", "retention", 30), ("2025-03-20", "retention", 10),
              ("2025-02-03", "acquisition", 60), ("2025-03-03", "acquisition", 60)),
        gross_margin=0.5,
    )  # fmt: skip
    march = found.loc["2025-03-01"]
    assert march[["retention_cost", "n_retained", "crc", "margin"]].tolist() == [40, 2, 20, 65]
    assert march.share_of_margin == pytest.approx(40 / 65)
    assert np.isnan(march.cac)  # nobody new
    assert found.loc["2025-02-01", ["crc", "cac"]].tolist() == [10, 60]


@pytest.mark.slow
def test_a_month_without_costs_is_unknown():
    """Of February and March March alone counts: 30 on the 2 of its 3 customers who stay."""
    books = spent(("2025-01-01", "retention", 20), ("2025-03-15", "retention", 30), ("2025-01-01", "acquisition", 9))
    found = with_costs(books)
    assert found.loc["2025-02-01", "retention_cost":"cac"].isna().all()
    over_two = with_costs(books, months=2)
    row = over_two.loc["2025-03-01"]
    assert row[["retention_cost", "n_retained", "crc", "months", "months_retention"]].tolist() == [30, 2, 15, 2, 1]
    assert over_two["months_retention"].tolist() == [1, 1, 1]
    assert over_two["months_acquisition"].tolist() == [1, 1, 0]
    assert over_two["cac"].tolist() == pytest.approx([4.5, 4.5, np.nan], nan_ok=True)


@pytest.mark.long
def test_a_cost_of_0_is_known():
    books = spent(("2025-02-01", "retention", 0), ("2025-03-15", "retention", 30))
    assert with_costs(books).loc["2025-02-01", "crc"] == 0
    assert with_costs(books, months=2).loc["2025-03-01", ["n_retained", "crc"]].tolist() == [4, 7.5]


def test_several_months_are_added_up():
    found = with_costs(spent(*((f"2025-0{m}-01", "retention", 10 * m) for m in (1, 2, 3))), months=2)
    row = found.loc["2025-03-01"]
    assert row[["retention_cost", "n_retained", "crc"]].tolist() == [50, 4, 12.5]


def test_no_costs_at_all():
    data = load({"subscriptions": SUBSCRIPTIONS}, as_of="2025-03-31")
    with pytest.raises(MissingTableError, match="Add costs.csv"):
        retention_cost(data, movements(data))
