"""How surveys become KPIs."""

import pandas as pd
import pytest
from survey_world import counted

from cslib import load
from cslib.data.kpi import Setting
from cslib.surveys.kpis import KPIS, _by_segment


def measured(data, **setting):
    parts = pd.concat(KPIS["nps"].measure(data, Setting(**setting)))
    return parts[parts["segment"] == "All"].set_index("kpi")


@pytest.mark.long
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


def test_a_segment_is_marked_as_the_report_marks_it():
    """Of two plans alone the difference is clear (p = 0.02); beside five regions, as the report compares, it is not."""
    rows = [("Pro", 10, 60), ("Pro", 0, 40), ("Team", 10, 76), ("Team", 0, 24)]
    each = pd.DataFrame([(plan, now) for plan, now, n in rows for _ in range(n)], columns=["plan", "now"])
    found = counted(each.assign(region=[f"R{i % 5}" for i in range(200)]), columns=("plan", "region"))
    alone, both = (_by_segment(found, columns, "plan") for columns in (["plan"], ["plan", "region"]))
    assert alone.set_index("value")["verdict"].to_dict() == {20.0: "below", 52.0: "above"}
    assert both["verdict"].tolist() == ["", ""]


def test_a_quarter_in_which_nobody_answered_is_told():
    surveys = pd.DataFrame({"customer_id": ["a", "b"], "asked_on": "2025-01-05", "survey": "nps", "score": [9, 3]})
    found = measured(load({"surveys": surveys}, as_of="2025-09-30"))
    assert set(found.index) == {"nps"}  # only answers are recorded: no rate of them
    assert found["n"].tolist()[-1] == 0
    assert found["value"].isna().tolist()[-1]
