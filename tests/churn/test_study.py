"""The study of churn, in process: what it finds on small and odd data, and that all of it shows and draws."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cslib as cs
from cslib.data.customers import segment_of
from cslib.errors import MissingTableError, ParameterError
from cslib.show import display

COLUMNS = {
    "survival": ["segment", "duration_months", "n_at_risk", "n_events", "n_censored", "survival", "ci_lower", "ci_upper"],
    "survival_at": ["segment", "duration_months", "n_at_risk", "survival", "ci_lower", "ci_upper"],
    "survival_summary": ["segment", "n_customers", "n_events", "median_months", "median_ci_lower", "median_ci_upper", "tau_months", "rmst_months", "rmst_ci_lower", "rmst_ci_upper", "survival_12m", "survival_12m_ci_lower", "survival_12m_ci_upper"],
    "hazard": ["segment", "duration_months", "n_at_risk", "n_events", "customer_months", "window_months", "hazard", "ci_lower", "ci_upper"],
    "logrank": ["segment_a", "segment_b", "statistic", "df", "p_value", "p_adjusted", "log10_p_value", "rmst_difference_months", "ci_lower", "ci_upper"],
    "cumulative_incidence": ["segment", "churn_kind", "duration_months", "n_at_risk", "n_events", "incidence", "ci_lower", "ci_upper"],
    "drivers": ["term", "level", "n", "hazard_ratio", "ci_lower", "ci_upper", "p_value", "ph_p_value"],
    "calibration": ["decile", "n", "predicted", "observed", "ci_lower", "ci_upper"],
    "at_risk": ["customer_id", "segment", "tenure_months", "p_churn", "mrr", "money_at_risk", "reason", "last_used_on", "n_tickets", "last_answer", "answered_on"],
    "reasons": ["reason", "n_customers", "n_churned", "churn_share", "ci_lower", "ci_upper", "n_others", "others_share", "difference", "difference_ci_lower", "difference_ci_upper", "n_left_out"],
    "models": ["segment", "model", "n_parameters", "log_likelihood", "aic", "holdout_score", "weight"],
    "models_left_out": ["segment", "model", "reason"],
    "forecast": ["segment", "months_ahead", "month", "model", "n_active", "expected_active", "active_ci_lower", "active_ci_upper", "expected_churned", "churned_ci_lower", "churned_ci_upper"],
    "churn_rate": ["segment", "month", "method", "n_start", "n_new", "n_churned", "churn_rate", "retention_rate", "ci_lower", "ci_upper"],
    "churn_reconciliation": ["measure", "n_base", "n_churned", "churn_rate", "explanation"],
}  # fmt: skip


def world(n=240):
    """Customers of two plans over two years, a third of whom left for one of two reasons."""
    rng = np.random.default_rng(7)
    plan = rng.choice(["Pro", "Lite"], n)
    start = pd.Timestamp("2023-01-05") + pd.to_timedelta(rng.integers(0, 600, n), unit="D")
    end = start + pd.to_timedelta(rng.exponential(np.where(plan == "Pro", 900, 300)).astype(int) + 1, unit="D")
    left = end <= pd.Timestamp("2024-12-31")
    return pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(n)], "started_on": start, "churned_on": end.where(left), "plan": plan,
         "churn_kind": np.where(left, np.where(rng.random(n) < 0.2, "involuntary", "voluntary"), None), "mrr": 20.0}
    )  # fmt: skip


@pytest.fixture(scope="module")
def churn():
    return cs.Churn(cs.load({"customers": world()}, as_of="2024-12-31"), by="plan")


def kept(study):
    """All tables of a report by name."""
    return {r.name: r.table for found in study.results() for r in (found, *found.also)}


def show_and_draw(study, monkeypatch):
    """Show every finding as a notebook does, and draw those with a chart anew; give back the names of what is kept."""
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: seen.append(data[display.MIME]))
    study.answer._ipython_display_()
    for result in study.results():
        result._ipython_display_()
        if result.chart and not result.absent:
            assert result.plot().figure.axes
    return [part["name"] for bundle in seen for part in bundle.get("files", [bundle]) if "name" in part]


def test_five_lines_are_enough(churn):
    stays = cs.Churn(churn.data, by="plan").survival
    assert stays.table.segment.unique().tolist() == ["All", "Lite", "Pro"]
    assert stays.title.endswith(" of Lite")
    assert "Pro customers stay longer than 12 months" in stays.title
    assert stays.plot().get_xlabel() == "months since the start"


def test_every_finding_answers_a_question(churn):
    assert list(churn.findings()) == [
        *("monthly", "survival", "summary", "hazard", "differences", "kinds", "ratios", "calibration"),
        *("at_risk", "reasons", "models", "forecast", "definitions"),
    ]
    assert all(question.endswith("?") for question in churn.findings().values())


@pytest.mark.long
def test_every_table_is_kept_with_its_columns_and_a_caption(churn):
    tables = kept(churn)
    assert set(tables) == set(COLUMNS)
    assert {name: list(tables[name]) for name in COLUMNS} == COLUMNS
    assert all(r.caption for found in churn.results() for r in (found, *found.also))


@pytest.mark.long
def test_findings_show_themselves_and_draw_anew(churn, monkeypatch):
    assert sorted(show_and_draw(churn, monkeypatch)) == sorted(COLUMNS)


@pytest.mark.slow
def test_the_answer_names_stay_and_difference(churn):
    text = churn.answer.text
    assert text.startswith("**")
    assert f"{churn.differences.title}." in text
    assert [c.label for c in churn.answer.cards][2:] == [
        "Customer churn, December 2024",
        "Expected to leave within 12 months",
    ]
    assert churn.answer.warnings == ()
    assert churn.answer.subtitle == f"240 customers, of whom {int(world().churned_on.notna().sum())} left"


def test_the_pairs_of_the_chart_are_named(churn):
    labels = [t.get_text() for t in churn.differences.plot().get_yticklabels()]
    assert labels == ["Pro vs Lite"]
    assert churn.differences.title.startswith("Pro customers stay")


def test_the_chart_of_kinds_has_a_line_of_each(churn):
    assert [t.get_text() for t in churn.kinds.plot().texts][:2] == ["voluntary", "involuntary"]


@pytest.mark.slow
def test_the_list_holds_as_many_as_there_is_time_to_call(churn):
    few = cs.Churn(churn.data, by="plan", capacity=3, gross_margin=0.5).at_risk
    assert (few.most, len(few.table)) == (3, len(churn.at_risk.table))
    assert "; the 3 customers at the top hold " in few.title
    assert list(few.shown)[:3] == ["customer_id", "money_at_risk", "mrr"]  # nothing happened that is on record
    assert (
        few.caption
        == "All of today's customers, amounts for a month; expected loss = MRR × 50 % margin × risk of leaving"
    )
    assert few.table.money_at_risk.to_numpy() == pytest.approx(churn.at_risk.table.money_at_risk.to_numpy() / 2)
    assert few.labels["p_churn"] == "Leaves within 12 months"
    risk = few.table  # the page, its sum and the file tell the same, with the risk that customers of a plan count with
    assert risk.groupby("segment")["p_churn"].nunique().tolist() == [1, 1]
    assert risk["money_at_risk"].to_numpy() == pytest.approx((0.5 * risk["p_churn"] * risk["mrr"]).to_numpy())
    assert few.shown["money_at_risk"].tolist() == risk["money_at_risk"].round().tolist()
    assert (few.shown["plan"] == risk["segment"]).all()


@pytest.mark.long
def test_the_list_of_a_segment_is_that_of_all_with_the_others_left_out(churn):
    """By plan the model tells them apart, within a plan it does not: the lists show no risks of single customers."""
    every, alone = churn.at_risk, cs.Churn(segment_of(churn.data, "plan", "Lite")).at_risk
    own = every.table[every.table["segment"] == "Lite"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.table, own)
    sums = [cs.Churn(segment_of(churn.data, "plan", v)).at_risk.table["money_at_risk"].sum() for v in ("Lite", "Pro")]
    assert sum(sums) == pytest.approx(every.table["money_at_risk"].sum())
    assert not any("plan" in note for note in cs.Churn(segment_of(churn.data, "plan", "Lite")).ratios.before)
    two = "The model tells one plan from another, not customers of the same plan: of two"
    assert every.how_to_read.startswith(two)
    assert alone.notes[0].startswith(
        "We cannot tell these customers apart by risk, so the list is in order of revenue: shown two customers of the same plan, "
    )
    assert every.notes[0].startswith("Each customer has the risk of their plan: ")
    assert not {"p_churn", "money_at_risk"} & {*alone.shown}
    assert "p_churn" not in every.shown
    usual = every.table.groupby("segment")["p_churn"].transform("mean")
    lost = (usual * every.table["mrr"]).round()
    quiet = every.table["reason"].isna()
    assert not quiet.any() or lost[quiet].is_monotonic_decreasing
    assert every.shown["money_at_risk"].tolist() == lost.tolist()  # the dearest first, of whichever plan


def test_where_risks_tell_nobody_apart_none_is_shown():
    """One plan, so age alone tells: the list is in order of revenue, the file holds the risks."""
    people = world().assign(plan="Pro", mrr=lambda t: np.arange(len(t), dtype=float) % 7)
    found = cs.Churn(cs.load({"customers": people}, as_of="2024-12-31")).at_risk
    said = found.notes[0]
    assert said.startswith(
        "We cannot tell these customers apart by risk, so the list is in order of revenue: shown two customers"
    )
    assert list(found.shown) == ["customer_id", "mrr", "tenure_months"]
    assert found.table["mrr"].is_monotonic_decreasing
    assert found.table["p_churn"].notna().all()


def test_the_drivers_are_held_against_their_reference(churn):
    assert churn.ratios.before == ()
    assert churn.calibration.notes[-1] == "mrr is not compared: all customers have the same value."
    assert churn.ratios.plot().get_xlabel() == "rate of leaving, times the reference"


@pytest.mark.long
def test_the_forecast_is_the_sum_over_the_segment_by_which_customers_leave_most_differently():
    """Of 150 Lite customers 60 left at month 5, of 150 Pro ones 10; the others have been here for ten months."""
    frame = pd.DataFrame({"plan": ["Lite"] * 150 + ["Pro"] * 150, "tenure_months": 10})
    frame["churned"] = frame.groupby("plan").cumcount() < frame["plan"].map({"Lite": 60, "Pro": 10})
    frame["tenure_months"] = frame["tenure_months"].mask(frame["churned"], 5)
    data = cs.load({"customers": frame.assign(customer_id=frame.index.astype(str))})
    assert "added up" not in cs.Churn(data).forecast.subtitle  # plan is declared no segment
    data = replace(data, segments=("plan",))
    assert cs.Churn(data).forecast.subtitle.endswith("The forecasts of each plan, added up.")
    whole, by_plan = cs.Churn(data).forecast, cs.Churn(data, by="plan").forecast
    assert whole.plot().get_title(loc="left").startswith("customers · extrapolated")
    columns = ["months_ahead", "n_active", "expected_active", "active_ci_lower", "active_ci_upper"]
    summed = by_plan.table.query("segment == 'All'")[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole.table[columns].reset_index(drop=True), summed)


@pytest.mark.long
def test_the_forecast_and_the_value_of_all_are_sums_over_the_same_column():
    """The model goes by team, of which a few leave at five times the rate; all differ most by plan, in halves."""
    rng, n = np.random.default_rng(2), 1200
    plan, team = np.where(np.arange(n) % 2, "Lite", "Pro"), np.where(np.arange(n) % 40 < 2, "few", "others")
    rate = 0.02 * np.where(plan == "Lite", 3, 1) * np.where(team == "few", 5, 1)
    life, seen = rng.exponential(1 / rate), rng.uniform(1, 30, n)
    frame = pd.DataFrame({"tenure_months": np.minimum(life, seen), "churned": life < seen, "plan": plan, "team": team})
    data = cs.load({"customers": frame.assign(customer_id=frame.index.astype(str), mrr=10.0)})
    data = replace(data, segments=("team", "plan"))
    churn = cs.Churn(data)
    assert churn._model.goes_by == "team"
    assert churn.forecast.subtitle.endswith("The forecasts of each plan, added up.")
    assert cs.Value(data).answer.cards[1].detail.endswith("added up by plan")


@pytest.mark.slow
def test_horizon_and_tau_are_the_reader_s(churn):
    asked = cs.Churn(churn.data, by="plan", horizon_months=3, tau_months=6.0)
    assert asked.at_risk.labels["p_churn"] == "Leaves within 3 months"
    assert "over their first 6 months" in asked.differences.title
    assert "mean stay in the first 6 months" in asked.summary.shown
    assert repr(asked).startswith("Churn(by='plan', tau_months=6.0, horizon_months=3)\n  .monthly")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"by": "plam"}, "Did you mean 'plan'?"),
        ({"drivers": "plans"}, "drivers has 'plans'"),
        ({"tau_months": 500.0}, "tau_months is 500"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_when_it_is_asked_for(churn, asked, words):
    study = cs.Churn(churn.data, **asked)
    with pytest.raises(ParameterError) as caught:
        print(study.at_risk, study.differences)
    assert words in str(caught.value)


def test_without_customers_it_says_what_to_supply():
    orders = pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2025-01-03"], "amount": [5.0]})
    study = cs.Churn(cs.load({"orders": orders}))
    for finding in ("answer", "survival", "ratios"):
        with pytest.raises(MissingTableError, match="customers"):
            getattr(study, finding)


def rows(text):
    head, *lines = text.strip().splitlines()
    cells = [[cell or None for cell in line.split(",")] for line in lines]
    return pd.DataFrame(cells, columns=head.split(","))


ONE = rows("customer_id,started_on,churned_on,plan\n00123,2025-01-05,,Pro")
GONE = rows(
    "customer_id,started_on,churned_on\n"
    + "".join(f"c{i},2025-0{i % 3 + 1}-05,2025-0{i % 3 + 3}-20\n" for i in range(12))
)
STAY = rows("customer_id,started_on,churned_on\n" + "".join(f"c{i},2025-0{i % 3 + 1}-05,\n" for i in range(12)))
LATE = rows("customer_id,started_on,churned_on\na,2025-06-05,")
TENURE = pd.DataFrame({"customer_id": ["a", "b", "c"], "tenure_months": [3, 0, 12], "churned": [True, False, False]})
MANY = rows("customer_id,started_on,churned_on,plan\n" + "".join(
    f"c{i},2024-{i % 12 + 1:02d}-05,{'2025-01-20' if i % 3 else ''},$\\foo${i % 12} <b>\n" for i in range(480)
))  # fmt: skip
OLD = rows("customer_id,started_on,churned_on\n" + "".join(
    f"c{i},2024-0{i % 9 + 1}-05,{'2025-06-20' if i % 6 == 0 else ''}\n" for i in range(60)
))  # fmt: skip
CONSTANT = rows("customer_id,started_on,churned_on,plan,copy,note\n" + "".join(
    f"c{i},2024-{i % 12 + 1:02d}-05,{'2025-02-20' if i % 4 == 0 else ''},Pro,Pro,n{i}\n" for i in range(120)
))  # fmt: skip
ODD = {  # customers, as_of, observed_from, segment_by, words of the answer
    "one customer": (ONE, "2025-04-30", "", "plan", "No churn is on record: 1 customer counts as still here."),
    "all gone": (GONE, "2025-12-31", "", "", "Half of all customers leave within"),
    "all stay": (STAY, "2025-12-31", "", "", "No churn is on record: all 12 customers count as still here."),
    "first day": (LATE, "2025-06-05", "", "", "No churn is on record"),
    "three tenures": (TENURE, "", "", "", "50 % of customers stay longer than 12 months (95 % interval 0.6 to 91 %, 3 customers)"),
    "all at once": (MANY, "2025-04-30", "", "plan", "Half of all customers leave within"),
    "early ages unobserved": (OLD, "2025-12-31", "2025-03-01", "", "10 of 60 customers left so far"),
    "constant drivers": (CONSTANT, "2025-04-30", "", "copy", "customers stay longer than 12 months"),
}  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Study each of the odd data once."""
    made = {}

    def study(name):
        if name not in made:
            customers, as_of, since, by, _ = ODD[name]
            made[name] = cs.Churn(_loaded(customers, as_of, since, tmp_path_factory), by=by)
        return made[name]

    return study


def _loaded(customers, as_of, since, folders) -> cs.DataSet:
    if not since:
        return cs.load({"customers": customers}, as_of=as_of)
    folder: Path = folders.mktemp("since")
    customers.to_csv(folder / "customers.csv", index=False)
    (folder / "cslib.toml").write_text(f"observed_from = {since}\n")
    return cs.load(folder, as_of=as_of)


@pytest.mark.long
@pytest.mark.parametrize("name", ODD)
def test_odd_data_give_a_stated_study(odd, name, monkeypatch):
    study, words = odd(name), ODD[name][-1]
    assert words in study.answer.text.replace("**", "")
    assert set(show_and_draw(study, monkeypatch)) == set(COLUMNS)
    assert {n: list(t) for n, t in kept(study).items() if n in COLUMNS} == COLUMNS


def test_one_customer_is_no_ground_for_most_findings(odd):
    study = odd("one customer")
    assert study.differences.absent == "All customers have the same plan, so there is nothing to compare."
    whole = cs.Churn(study.data)
    assert (whole.differences.title, whole.differences.absent, whole.differences.most) == ("", "", 0)
    assert study.kinds.absent == "The data don't record why customers left."
    assert study.calibration.absent.startswith("The predictions could not be checked against what happened")
    assert study.models.absent == "No model could be fitted."
    assert study.ratios.absent == "No column of customers could be compared."
    assert study.ratios.before
    assert study.hazard.title.startswith("Too few customers have been followed")
    with pytest.raises(ParameterError, match="All customers have the same plan"):
        study.differences.plot()


def test_where_all_are_gone_nobody_is_to_be_called(odd):
    study = odd("all gone")
    assert study.at_risk.title == "Nobody is a customer today, so there is nobody to call"
    assert study.forecast.absent.startswith("No forecast: nobody is a customer today")
    assert len(study.at_risk.table) == len(study.forecast.table) == 0


def test_on_the_first_day_there_is_no_rate_yet(odd):
    study = odd("first day")
    assert study.hazard.absent == "Nobody has been followed for longer than a day, so there is no rate of leaving yet."
    assert study.answer.warnings[0].endswith("so risk and forecast look 1 month ahead.")
    assert study.monthly.absent == "No month is complete yet, so there is no churn rate."
    assert study.definitions.absent.startswith("Ways of measuring churn are compared once a month is complete")


def test_tenures_know_no_calendar(odd):
    study = odd("three tenures")
    assert study.monthly.absent == "The data hold no start dates, so there is no churn by calendar month."
    assert study.definitions.absent == "Ways of measuring churn are compared once a month is complete."
    assert len(study.answer.cards) == 3


@pytest.mark.slow
def test_unobserved_early_ages_leave_no_curve_to_draw(odd):
    study = odd("early ages unobserved")
    assert study.survival.absent == "There is no curve from the start to draw: see the warning above."
    assert study.answer.warnings[0].startswith(
        "For all customers, the data don't show how long customers stay from their start"
    )
    assert len(study.models.table) > 0
    assert study.kinds.absent
    assert study.hazard.title == "Too few customers have been followed, or have left, to say when they leave"
    assert study.answer.subtitle.endswith("followed since 1 March 2025")


def test_drivers_that_cannot_be_compared_are_named(odd):
    study = odd("constant drivers")
    remarks = " ".join([*study.ratios.before, *study.calibration.notes])
    assert "plan is not compared: all customers have the same value (Pro)." in remarks
    assert "note is not compared: nearly every customer has a value of its own." in remarks


def test_more_segments_than_a_chart_holds_are_said_to_be_left_out(odd):
    study = odd("all at once")
    assert study.survival.subtitle.endswith(" The 8 largest of 12 segments.")
    assert study.monthly.subtitle.endswith(" The 8 largest of 12 segments.")


def test_numbers_may_come_from_arrays():
    people = pd.DataFrame({"customer_id": list("abcd"), "tenure_months": [2, 5, 14, 30], "churned": [True, False] * 2})
    study = cs.Churn(cs.load({"customers": people}), horizon_months=np.int64(12))
    assert study.answer.warnings == cs.Churn(study.data).answer.warnings


def test_the_forecast_stands_with_what_became_of_that_of_a_year_ago(churn):
    (pace, said), sums = churn.forecast.notes, churn.forecast.how_to_read
    assert sums == "", "the risks on the list add up to it"
    foretold = churn.forecast.table.query("segment == 'All'").iloc[-1]
    assert churn.at_risk.table["p_churn"].sum() == pytest.approx(foretold["n_active"] - foretold["expected_active"])
    assert pace == "We assume that they go on leaving as customers of the same age have so far."
    assert said.startswith("11 months ago the same forecast would have been ")  # 22 have been observed
    day, people = pd.Timestamp("2024-01-31"), world()
    gone = pd.to_datetime(people["churned_on"])
    then = (pd.to_datetime(people["started_on"]) <= day) & (gone.isna() | (gone > day))
    assert f" of {then.sum():,} customers; {(then & gone.notna()).sum():,} left" in said


def test_without_dates_there_is_no_forecast_of_then(odd):
    found = odd("three tenures").forecast
    (pace,) = found.notes
    assert "ago" not in pace + found.how_to_read


def test_why_a_line_starts_with_few_stands_where_its_reading_is_explained():
    people = cs.load({"customers": world()}, as_of="2024-12-31")
    data = replace(people, observed_from=date(2024, 1, 1))
    found = cs.Churn(data).survival
    assert " The line starts with " in found.how_to_read
    assert not found.notes


@pytest.mark.slow
def test_what_a_mix_of_plans_explains_is_not_told_of_ages():
    """Basic leaves at 5 % a month at every age, Pro hardly ever: of those here today most are Pro."""
    rng = np.random.default_rng(3)
    n, day = 900, pd.Timestamp("2025-06-30")
    start = pd.Timestamp("2022-07-01") + pd.to_timedelta(rng.integers(0, 1095, n), "D")
    plan = np.where(np.arange(n) % 2, "Pro", "Basic")
    end = start + pd.to_timedelta(
        rng.exponential(np.where(plan == "Pro", 30_000, 600)).clip(max=9_000).astype(int) + 1, "D"
    )
    rows = {"customer_id": [f"c{i}" for i in range(n)], "started_on": start, "plan": plan}
    customers = pd.DataFrame(rows | {"churned_on": end.where(end <= day)})
    study = cs.Churn(cs.load({"customers": customers}, as_of=day.date().isoformat()), by="plan")
    assert (study._pace.first_months > 0, study._pace.shown_by) == (True, ())
    assert study._beside_new["past"] == 0
