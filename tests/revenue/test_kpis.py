"""How movements, orders and costs become KPIs."""

import pandas as pd
import pytest

from cslib import DataError, load
from cslib.data.kpi import Setting
from cslib.revenue.kpis import KPIS


def measured(data, kpi):
    parts = pd.concat(KPIS[kpi].measure(data, Setting(gross_margin=0.8)))
    return parts[parts["segment"] == "All"].set_index("kpi")


@pytest.mark.long
def test_what_it_costs_to_keep_some_customers_is_booked_for_all(sample, teams):
    assert set(measured(sample, "crc").index) == {"crc", "crc_share_of_margin"}
    with pytest.raises(DataError, match="booked for all customers together"):
        measured(teams, "crc")
    assert (measured(teams, "mrr").loc["mrr", "value"] < measured(sample, "mrr").loc["mrr", "value"]).all()


@pytest.mark.parametrize(("where", "cac"), [("", 400), ("plan=a", 200), ("plan=b", 600)])
def test_what_it_costs_to_win_some_customers_is_their_own_cost_brought_up_to_the_books(where, cac):
    customers = pd.DataFrame({"customer_id": ["x", "y"], "started_on": "2025-01-05", "churned_on": [None, None]})
    customers = customers.assign(plan=["a", "b"], acquisition_cost=[100, 300])
    costs = pd.DataFrame({"month": ["2025-01-31"], "kind": ["acquisition"], "amount": [800.0]})
    data = load({"customers": customers, "costs": costs}, as_of="2025-01-31", where=where)
    assert measured(data, "cac")["value"].tolist() == [cac]


def test_without_costs_of_their_own_some_customers_cost_what_all_do_on_average():
    customers = pd.DataFrame({"customer_id": ["x", "y"], "started_on": "2025-01-05", "plan": ["a", "b"]})
    costs = pd.DataFrame({"month": ["2025-01-31"], "kind": ["acquisition"], "amount": [800.0]})
    data = load({"customers": customers.assign(churned_on=None), "costs": costs}, as_of="2025-01-31", where="plan=a")
    assert measured(data, "cac")["value"].tolist() == [400]


def test_what_is_lost_and_kept_make_one():
    rows = {"customer_id": ["a", "b", "c"], "started_on": "2025-01-05", "mrr": [10.0, 20.0, 70.0]}
    paid = pd.DataFrame(rows | {"ended_on": ["2025-02-20", None, None]})
    last = measured(load({"subscriptions": paid}, as_of="2025-02-28"), "mrr").groupby("kpi").last()
    lost, kept = last.loc["revenue_churn_rate"], last.loc["revenue_retention_rate"]
    assert (lost["value"], kept["value"]) == pytest.approx((0.1, 0.9))
    assert lost["ci_lower"] == 1 - kept["ci_upper"]
    assert lost["n"] == kept["n"] == 3
