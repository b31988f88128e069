"""How use becomes KPIs."""

import pandas as pd
import pytest

from cslib import load
from cslib.data.kpi import Setting
from cslib.engagement.activity import activity, time_to_value
from cslib.engagement.kpis import KPIS
from cslib.scorecard.history import measure_all

PEOPLE = pd.DataFrame({"customer_id": ["a", "b", "c"], "started_on": "2025-01-01", "churned_on": None})
USES = pd.DataFrame(
    {
        "customer_id": ["a", "a", "b", "a"],
        "occurred_at": ["2025-01-01", "2025-01-20", "2025-01-03", "2025-03-31"],
        "feature": ["chat", "mail", "chat", "chat"],
    }
)


def measured(kpi, uses=USES):
    data = load({"customers": PEOPLE, "usage": uses}, as_of="2025-03-31")
    return data, pd.concat(KPIS[kpi].measure(data, Setting())).set_index("kpi")


def test_values_are_those_of_activity():
    data, found = measured("active_share")
    used = activity(data)
    for kpi, column in {
        "usage_frequency": "uses_per_active",
        "active_share": "active_share",
        "feature_adoption": "adoption",
    }.items():
        pd.testing.assert_series_equal(found.loc[kpi, "value"], used[column], check_index=False, check_names=False)
    assert found.loc["active_share", "until"].iloc[0] == pd.Timestamp("2025-01-31")
    assert found.loc["usage_frequency", "n"].tolist() == used["n_active"].tolist()


def test_without_features_adoption_is_not_told():
    _, found = measured("active_share", USES.drop(columns="feature"))
    assert set(found.index) == {"usage_frequency", "active_share"}


def test_time_to_value_counts_who_started():
    data, found = measured("time_to_value")
    assert found.loc["time_to_value", "value"] == time_to_value(data)["median_days"].iloc[0]
    assert found.loc["time_to_value", "n"] == 3


@pytest.mark.long
@pytest.mark.parametrize(
    ("where", "feature", "missing"),
    [
        ("feature=chat", "mail", {"feature_adoption": "mail", "time_to_value": "mail"}),
        ("feature=chat", "", {"feature_adoption": "mail"}),  # the mean over features, too, would count it as unused
        ("feature=chat", "chat", {}),
        ("customer_id=b", "mail", {}),  # never used it: that is 0
    ],
)
def test_a_feature_that_is_filtered_away_is_not_measured_and_not_0(where, feature, missing):
    uses = pd.concat([USES, USES.tail(1).assign(customer_id="b")])  # in the last month, too
    data = load({"customers": PEOPLE, "usage": uses}, as_of="2025-03-31", where=where)
    found = measure_all(data, setting=Setting(value_feature=feature))
    told = {kpi: reason for kpi, reason in found.reasons.items() if reason.startswith("where")}
    assert told == {kpi: f"where leaves no use of {own}" for kpi, own in missing.items()}
    assert ("feature_adoption" in {*found.history["kpi"]}) == ("feature_adoption" not in missing)
    assert "active_share" in {*found.history["kpi"]}
