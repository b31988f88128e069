"""How movements, orders and costs become KPIs."""

import pandas as pd
import pytest

from cslib import load
from cslib.data.kpi import Setting
from cslib.revenue.kpis import KPIS


def measured(data, kpi):
    parts = pd.concat(KPIS[kpi].measure(data, Setting(gross_margin=0.8)))
    return parts[parts["segment"] == "All"].set_index("kpi")


@pytest.mark.slow
def test_costs_are_those_of_everybody(sample, teams):
    costs = measured(sample, "crc")
    assert set(costs.index) == {"crc", "crc_share_of_margin"}
    pd.testing.assert_frame_equal(measured(teams, "crc"), costs)
    assert (measured(teams, "mrr").loc["mrr", "value"] < measured(sample, "mrr").loc["mrr", "value"]).all()


def test_what_is_lost_and_kept_make_one():
    rows = {"customer_id": ["a", "b", "c"], "started_on": "2025-01-05", "mrr": [10.0, 20.0, 70.0]}
    paid = pd.DataFrame(rows | {"ended_on": ["2025-02-20", None, None]})
    last = measured(load({"subscriptions": paid}, as_of="2025-02-28"), "mrr").groupby("kpi").last()
    lost, kept = last.loc["revenue_churn_rate"], last.loc["revenue_retention_rate"]
    assert (lost["value"], kept["value"]) == pytest.approx((0.1, 0.9))
    assert lost["ci_lower"] == 1 - kept["ci_upper"]
    assert lost["n"] == kept["n"] == 3
