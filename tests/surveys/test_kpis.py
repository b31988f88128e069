"""How surveys become KPIs."""

import pandas as pd
import pytest

from cslib import load
from cslib.data.kpi import Setting
from cslib.surveys.kpis import KPIS


def measured(data, **setting):
    parts = pd.concat(KPIS["nps"].measure(data, Setting(**setting)))
    return parts[parts["segment"] == "All"].set_index("kpi")


@pytest.mark.slow
def test_quarters_end_with_the_last_complete_month(root):
    data = load(root / "data", as_of="2025-06-10")
    found = measured(data)
    last = found.groupby("kpi").tail(1)
    assert (last["until"] == pd.Timestamp("2025-05-31")).all()
    rows = data.table("surveys").execute().query("survey == 'nps' and '2025-03-01' <= asked_on <= '2025-05-31'")
    each = rows.sort_values(["asked_on"]).dropna(subset="score").drop_duplicates("customer_id", keep="last")
    score = 100 * ((each["score"] >= 9).mean() - (each["score"] <= 6).mean())
    assert last.loc["nps", "value"] == pytest.approx(score)
    assert last.loc["response_rate", "n"] == rows["customer_id"].nunique()


def test_a_quarter_in_which_nobody_answered_is_told():
    surveys = pd.DataFrame({"customer_id": ["a", "b"], "asked_on": "2025-01-05", "survey": "nps", "score": [9, 3]})
    found = measured(load({"surveys": surveys}, as_of="2025-09-30"))
    assert set(found.index) == {"nps"}  # only answers are recorded: no rate of them
    assert found["n"].tolist()[-1] == 0
    assert found["value"].isna().tolist()[-1]
