from datetime import date

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter

from cslib import load
from cslib.data.calendar import Window
from cslib.sample.world import TRUTH, _chunk, _people, _rng
from cslib.surveys.answers import answers, measure
from cslib.surveys.change import non_response
from cslib.surveys.stakes import after_answers, money_at_stake

NPS = measure("nps")
WINDOW = Window(date(2024, 7, 1), date(2025, 6, 30), "12 months")
DAY = date(2024, 6, 29)  # 12 months before as_of


def people(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on", "mrr"])


def asked(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "asked_on", "score", "answered_on"]).assign(survey="nps")


def known(customers, surveys, **more):
    return load({"customers": customers, "surveys": surveys}, as_of="2025-06-29", **more)


CUSTOMERS = people(
    ("glad", "2024-01-01", None, 10), ("sad", "2024-01-01", "2024-08-01", 10), ("late", "2024-01-01", None, 10),
    ("silent", "2024-01-01", "2025-01-01", 10), ("unasked", "2024-01-01", None, 10), ("gone", "2023-01-01", "2024-06-29", 10),
    ("new", "2024-06-30", None, 10), ("first", "2024-06-29", None, 10),
)  # fmt: skip
SURVEYS = asked(
    ("glad", "2024-03-01", 10, "2024-03-02"), ("sad", "2024-03-01", 2, "2024-03-02"), ("late", "2024-06-20", 10, "2024-06-30"),
    ("silent", "2024-03-01", None, None), ("gone", "2024-03-01", 2, "2024-03-02"), ("first", "2024-06-29", 8, "2024-06-29"),
    ("new", "2024-06-30", 9, "2024-06-30"),
)  # fmt: skip


def test_only_what_was_known_on_the_day_counts():
    found = after_answers(known(CUSTOMERS, SURVEYS), NPS, WINDOW)
    assert (found.day, found.remark) == (DAY, "")
    rows = found.lives.set_index("group")
    assert rows.loc["detractors", ["age", "end", "event_observed", "n"]].tolist() == [5 + 28 / 30, 7, True, 1]
    assert rows.loc["no answer", "n"].sum() == 2  # silent, and late: its answer came the day after
    assert set(found.lives["group"]) == {"promoters", "passives", "detractors", "no answer"}
    assert int(found.lives["n"].sum()) == 5  # not unasked, gone, new


def test_an_answer_without_its_day_is_known_from_the_invitation_on():
    found = after_answers(known(CUSTOMERS, SURVEYS.drop(columns="answered_on")), NPS, WINDOW)
    assert found.lives.groupby("group")["n"].sum()["promoters"] == 2


def test_present_customers_are_grouped_by_the_present_window():
    again = asked(("glad", "2025-03-01", 3, "2025-03-02"), ("late", "2025-03-01", None, None))
    found = after_answers(known(CUSTOMERS, pd.concat([SURVEYS, again])), NPS, WINDOW)
    assert found.present.set_index("group")["n_today"].to_dict() == {"detractors": 1, "no answer": 1}


def test_those_who_cannot_be_followed():
    tenures = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [False]})
    assert "no start dates" in after_answers(known(tenures, SURVEYS), NPS, WINDOW).remark
    assert "no start dates" in after_answers(load({"surveys": SURVEYS}, as_of="2025-06-30"), NPS, WINDOW).remark
    few = after_answers(known(CUSTOMERS, SURVEYS.iloc[-1:]), NPS, WINDOW)
    assert few.remark == "Too few customers had answered by 29 June 2024 to follow them for 12 months."
    assert money_at_stake(few).empty


def test_records_must_reach_back_to_the_day(tmp_path):
    CUSTOMERS.to_csv(tmp_path / "customers.csv", index=False)
    SURVEYS.to_csv(tmp_path / "surveys.csv", index=False)
    (tmp_path / "cslib.toml").write_text("as_of = 2025-06-30\nobserved_from = 2024-08-01\n")
    assert "recorded from 2024-08-01 on" in after_answers(load(tmp_path), NPS, WINDOW).remark


@pytest.fixture(scope="module")
def landmark(sample):
    return after_answers(sample, NPS, WINDOW)


@pytest.fixture(scope="module")
def rows(root):
    """Customers of the landmark day with their group, by pandas."""
    customers = pd.read_csv(
        root / "data/customers.csv", parse_dates=["started_on", "churned_on"], dtype={"customer_id": str}
    )
    surveys = pd.read_csv(
        root / "data/surveys.csv", parse_dates=["asked_on", "answered_on"], dtype={"customer_id": str}
    )
    day = pd.Timestamp(DAY)
    nps = surveys[(surveys.survey == "nps") & surveys.asked_on.between(day - pd.DateOffset(years=1), day)]
    nps = nps[nps.asked_on > day - pd.DateOffset(years=1)].assign(known=lambda s: s.answered_on <= day)
    last = nps.sort_values(["known", "answered_on", "asked_on"]).groupby("customer_id").tail(1).set_index("customer_id")
    here = customers[(customers.started_on <= day) & ~(customers.churned_on <= day)].set_index("customer_id")
    here = here.join(last[["known", "score"]], how="inner")
    cut = pd.cut(here.score.where(here.known), [-1, 6, 8, 10], labels=["detractors", "passives", "promoters"])
    here["group"] = cut.astype(object).fillna("no answer")
    here["left"] = here.churned_on.notna()
    here["since"] = (here.churned_on.fillna(pd.Timestamp("2025-06-30")) - day).dt.days
    here["age"] = (day - here.started_on).dt.days
    return here


@pytest.mark.slow
def test_survival_after_an_answer_equals_lifelines_on_rows(landmark, rows):
    table = money_at_stake(landmark).set_index("group")
    for group, own in rows.groupby("group"):
        curve = KaplanMeierFitter().fit(own.since / 30.4375, own.left)
        assert (table.loc[group, "n"], table.loc[group, "n_churned"]) == (len(own), own.left.sum())
        assert table.loc[group, "survival_12m"] == pytest.approx(float(curve.predict(12)), abs=1e-12)
        steps = curve.survival_function_.iloc[:, 0]
        times = np.append(steps.index[steps.index < 12], 12)
        area = (steps.loc[times[:-1]].to_numpy() * np.diff(times)).sum()
        assert table.loc[group, "rmst_months"] == pytest.approx(area, rel=1e-9)


@pytest.mark.slow
def test_hazard_ratios_equal_cox_on_rows_at_the_same_age(landmark, rows):
    table = money_at_stake(landmark).set_index("group")
    design = pd.DataFrame({g: (rows.group == g) * 1.0 for g in ("passives", "detractors", "no answer")})
    design = design.assign(entry=rows.age, end=rows.age + rows.since, left=rows.left)
    fit = CoxPHFitter().fit(design, "end", "left", entry_col="entry")
    for group in ("passives", "detractors", "no answer"):
        expected = np.exp(fit.params_[group]), *np.exp(fit.confidence_intervals_.loc[group])
        found = table.loc[group, ["hazard_ratio", "hazard_ratio_ci_lower", "hazard_ratio_ci_upper"]].astype(float)
        assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_the_planted_hazard_ratios_lie_in_their_intervals(landmark):
    table = money_at_stake(landmark).set_index("group")
    for group, attitude in (("passives", "passive"), ("detractors", "detractor")):
        row = table.loc[group]
        assert row.hazard_ratio_ci_lower <= TRUTH.attitude_hazard_ratio[attitude] <= row.hazard_ratio_ci_upper
    assert table.loc["detractors", "p_adjusted"] < 0.001
    assert table.loc["detractors", "rmst_difference_ci_upper"] < 0


def test_money_by_hand(landmark, sample):
    table = money_at_stake(landmark, gross_margin=0.5).set_index("group")
    row = table.loc["detractors"]
    assert row.money_at_stake == pytest.approx(-0.5 * row.mrr * row.rmst_difference_months)
    assert row.money_ci_lower == pytest.approx(-0.5 * row.mrr * row.rmst_difference_ci_upper)
    others = table.loc[["passives", "detractors", "no answer"]]
    total = table.loc["all others"]
    assert total.money_at_stake == pytest.approx(others.money_at_stake.sum())
    assert total.money_ci_lower < total.money_at_stake < total.money_ci_upper
    assert (total.n_today, total.mrr) == (others.n_today.sum(), others.mrr.sum())


def test_without_a_price_there_is_no_money():
    found = after_answers(known(CUSTOMERS.drop(columns="mrr"), SURVEYS), NPS, WINDOW)
    assert money_at_stake(found)["money_at_stake"].isna().all()


def test_non_response_bias_of_the_sample_shows_and_shrinks(sample):
    """Promoters answer most often. What all who were asked would have answered is known: the drawn attitudes."""
    people = _people(_rng(7, 0, 0), 0, 4000)
    attitude = pd.Series(people["attitude"], index=people["id"])
    surveys = sample.table("surveys").execute()
    inside = surveys[(surveys.survey == "nps") & (pd.to_datetime(surveys.asked_on) >= "2024-07-01")]
    those = attitude.loc[inside.customer_id.unique()]
    truth = 100 * ((those == 0).mean() - (those == 2).mean())
    found = answers(sample, NPS, columns=["plan"], standings=[NPS, measure("csat"), measure("ces")])
    table = non_response(found).set_index("weighted_by")["nps"]
    bias, left = table["nothing"] - truth, table["all of these"] - truth
    assert bias > 5
    assert abs(left) < 0.7 * bias


def test_the_sample_is_drawn_as_that_test_takes_it(sample):
    """The same stream gives the ids and plans of the data."""
    customers = sample.table("customers").execute().set_index("customer_id")
    tables = dict(_chunk(_rng(7, 0, 0), 0, 4000))
    again = tables["customers"].set_index("customer_id")
    assert (customers["plan"].sort_index() == again["plan"].sort_index()).all()
