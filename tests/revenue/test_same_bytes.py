"""The same rows give the same files, byte by byte, in whichever order and in however many threads an engine adds."""

import ibis
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from study_world import shown

from cslib import Churn, Retention, Revenue, Surveys, Value, load
from cslib.data.customers import current_mrr, exact_product, exact_sum
from cslib.data.engine import own
from cslib.show import display


def world(rng, customers=300):
    """Customers of three plans with up to four subscriptions, orders of all kinds, and costs; prices to the cent."""
    start = np.sort(rng.integers(0, 900, (customers, 4)) + np.arange(4))
    end = start + rng.integers(1, 400, start.shape)
    day = np.datetime64("2023-01-01")
    ids = np.repeat([f"c{i}" for i in range(customers)], 4)
    paid = pd.DataFrame({"customer_id": ids, "started_on": day + start.ravel(), "ended_on": day + end.ravel()})
    paid = paid.assign(
        mrr=np.exp(rng.normal(4, 2, len(ids))).round(2), plan=np.repeat(rng.choice(["x", "y", "z"], customers), 4)
    )
    kinds = rng.choice(["new", "renewal", "upsell", "cross_sell"], len(ids))
    sold = pd.DataFrame(
        {"customer_id": ids, "ordered_on": paid["started_on"], "amount": paid["mrr"] / 3, "kind": kinds}
    )
    months = pd.date_range("2023-01-01", "2025-06-01", freq="MS").repeat(40)
    spent = pd.DataFrame(
        {"month": months, "kind": "retention", "amount": rng.normal(9, 5, len(months)).round(3).clip(0)}
    )
    asked = pd.DataFrame({"customer_id": ids, "asked_on": day + rng.integers(0, 900, len(ids)), "survey": "nps"})
    asked["score"] = np.where(rng.random(len(ids)) < 0.6, rng.integers(0, 11, len(ids)), np.nan)
    used = pd.DataFrame({"customer_id": ids, "occurred_at": day + rng.integers(0, 900, len(ids)), "feature": "f"})
    tables = {"subscriptions": paid, "orders": sold, "costs": spent, "surveys": asked, "usage": used}
    return {name: table.sample(frac=1, random_state=7) for name, table in tables.items()}


def published(tables, folder, monkeypatch, *, threads):
    """Files that reports on these tables publish, by name."""
    con = own(threads=threads)
    for name, table in tables.items():
        con.create_table(name, table)
    data = load({name: con.table(name) for name in tables}, as_of="2025-06-30")
    monkeypatch.setenv(display.RUN_DIR, str(folder))
    monkeypatch.setattr(display, "drawing", lambda figure, *_: plt.close(figure) or "")  # a chart is no file
    for study in (Retention, Revenue, Churn, Value, Surveys):
        shown(monkeypatch, study(data, by="plan"))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.long
def test_files_do_not_depend_on_the_order_of_rows_nor_on_threads(tmp_path, monkeypatch):
    tables, found = world(np.random.default_rng(3)), []
    for i, threads in enumerate((1, 4)):
        (folder := tmp_path / str(i)).mkdir()
        shuffled = {name: table.sample(frac=1, random_state=i) for name, table in tables.items()}
        found.append(published(shuffled, folder, monkeypatch, threads=threads))
    assert len(found[0]) == 62
    assert [name for name, content in found[0].items() if found[1][name] != content] == []


def test_a_price_of_a_billion_is_squared_exactly():
    cents = ibis.memtable({"a": [100_000_000_001, 3], "b": [100_000_000_003, 7]})
    total = cents.aggregate(x=exact_product(cents.a, cents.b).sum().cast("string")).execute()["x"].iloc[0]
    assert int(float(total)) == pytest.approx(100_000_000_001 * 100_000_000_003 + 21, rel=1e-15)
    assert str(100_000_000_001 * 100_000_000_003 + 21) in total


def test_amounts_are_added_as_they_are_written():
    amounts = ibis.memtable({"amount": [0.1, 0.2, 0.3, None, -0.05, 1e12]})
    assert amounts.aggregate(x=exact_sum(amounts.amount)).execute()["x"].iloc[0] == 1_000_000_000_000.55
    assert np.isnan(
        amounts.filter(amounts.amount.isnull()).aggregate(x=exact_sum(amounts.amount)).execute()["x"].iloc[0]
    )


def test_three_subscriptions_at_a_time_add_up_in_any_order():
    rows = pd.DataFrame({"customer_id": "a", "started_on": "2025-01-01", "ended_on": None, "mrr": [0.1, 0.2, 0.3]})
    for order in ([0, 1, 2], [2, 1, 0]):
        data = load({"subscriptions": rows.iloc[order]}, as_of="2025-01-31")
        assert current_mrr(data).execute()["mrr"].tolist() == [0.6]
