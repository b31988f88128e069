from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_world import WHO, few_or_many

from cslib import load
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.surveys.answers import answers, answers_by_period, available_columns, measure, measures
from cslib.surveys.scores import trend

NPS = measure("nps")


def surveys(*rows, **more):
    """Rows of customer, asked_on, score and answered_on."""
    names = ["customer_id", "asked_on", "score", "answered_on"]
    return pd.DataFrame([dict(zip(names, [*row, None, None][:4], strict=True)) for row in rows]).assign(
        **({"survey": "nps"} | more)
    )


def given_answers(table, **options):
    data = load({"surveys": table}, as_of="2025-06-30")
    found = answers(data, NPS, **options)
    return found.counts.sort_values([*found.columns, "before", "now"], ignore_index=True)


@pytest.mark.parametrize(
    ("survey", "groups"),
    [
        ("nps", [7, 2, 2]),
        ("csat", [2, 1, 2]),
        ("ces", [3, 4, 3]),
    ],
)
def test_scales_are_split_into_groups(survey, groups):
    asked = measure(survey)
    assert [asked.places.count(p) for p in (2, 1, 0)] == groups
    assert len(asked.places) == len(asked.worth) == len(asked.prior) == len(asked.scores)


def test_ces_has_a_scale_and_a_direction():
    low, high = measure("ces", ces_scale=7), measure("ces", ces_scale=7, ces_lower_is_easier=False)
    assert low.places == (0, 0, 1, 1, 1, 2, 2)
    assert high.places == low.places[::-1]
    assert (low.lower_is_better, high.lower_is_better) == (True, False)
    assert measure("ces", ces_scale=2).places == (0, 2)
    assert low.axis == "CES, mean of 1–7, low is easy"


def test_no_other_survey_and_no_other_scale():
    with pytest.raises(ParameterError, match=r"survey is 'nsp'. Did you mean 'nps'\?"):
        measure("nsp")
    with pytest.raises(ParameterError, match="ces_scale is 11. Give the highest answer of CES, from 2 to 10"):
        measure("ces", ces_scale=11)


def test_the_latest_answer_counts():
    table = surveys(
        ("a", "2025-01-01", 3, "2025-03-01"),  # asked first, answered last
        ("a", "2025-02-01", 9, "2025-02-02"),
        ("b", "2025-01-01", 10, "2025-01-01"),
        ("b", "2025-05-01"),  # silent later: the answer still counts
        ("c", "2025-05-01"),
        ("d", "2024-05-01", 5, "2024-05-01"),  # before the window
    )
    found = given_answers(table)
    assert found.values.tolist() == [[-2, -1, 1], [-2, 3, 1], [-2, 10, 1], [5, -2, 1]]


def test_of_two_answers_of_one_day_the_worse_counts_whatever_the_order():
    rows = [("a", "2025-01-01", 9, "2025-01-02"), ("a", "2025-01-01", 2, "2025-01-02")]
    for table in (surveys(*rows), surveys(*rows[::-1]), surveys(*rows, *rows)):
        assert given_answers(table)["now"].tolist() == [2]


def test_the_worse_of_a_day_is_the_harder_where_low_is_easy():
    table = surveys(("a", "2025-01-01", 1, "2025-01-02"), ("a", "2025-01-01", 10, "2025-01-02"), survey="ces")
    data = load({"surveys": table}, as_of="2025-06-30")
    for easier, worse in ((True, 10), (False, 1)):
        found = answers(data, measure("ces", ces_lower_is_easier=easier), compare_to="")
        assert found.counts["now"].tolist() == [worse]


def test_a_column_of_surveys_has_the_value_of_each_windows_own_invitation():
    nps = surveys(("a", "2024-01-10", 2, "2024-01-11"), ("a", "2025-01-10", 9, "2025-01-11")).assign(
        place=["email", "phone"]
    )
    csat = surveys(("a", "2025-06-10", 5, "2025-06-11"), survey="csat").assign(place="chat")
    data = load({"surveys": pd.concat([nps, csat])}, as_of="2025-06-30")
    found = answers(data, NPS, columns=["place"], standings=[measure("csat")])
    row = found.counts.iloc[0]
    assert (row["place"], row[found.earlier["place"]], row["before"], row["now"]) == ("phone", "email", 2, 9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segment", "at", "Now", "survey_key", "cslib_key", "row", "customers", "order"])
def test_columns_may_have_any_name(name):
    table = surveys(("a", "2025-01-10", 2, "2025-01-11"), ("b", "2025-01-10", 9, "2025-01-11"))
    people = pd.DataFrame({"customer_id": ["a", "b"], "started_on": "2024-01-01", "churned_on": None, name: ["x", "y"]})
    for data in ({"surveys": table, "customers": people}, {"surveys": table.assign(**{name: ["x", "y"]})}):
        loaded = load(data, as_of="2025-06-30")
        assert available_columns(loaded) == [name]
        found = answers(loaded, NPS, columns=[name]).counts
        assert found[[name, "now"]].values.tolist() in ([["x", 2], ["y", 9]], [["y", 9], ["x", 2]])
        assert set(answers_by_period(loaded, NPS, column=name).counts["segment"]) == {"x", "y"}


def test_names_that_counts_have_are_refused_or_passed_over():
    table = surveys(("a", "2025-01-10", 2), ("b", "2025-01-10", 9)).assign(now=["x", "y"])
    data = load({"surveys": table}, as_of="2025-06-30")
    assert available_columns(data) == []
    with pytest.raises(ParameterError, match="segment_by is 'now', a name that counts of answers have"):
        available_columns(data, "now")
    with pytest.raises(ParameterError, match="'score', a name that counts of answers have"):
        available_columns(data, "score")


def test_columns_nobody_asked_for_stop_nothing():
    table = surveys(("a", "2025-01-10", 2), ("b", "2025-01-10", 9), ("c", "2025-01-10", 9))
    table = table.assign(
        tier=["All", "x", "y"], nps_category=["Detractors", "promoters", "Promoter"], place=["x", "y", None]
    )
    data = load({"surveys": table}, as_of="2025-06-30")
    assert available_columns(data) == ["place"]
    with pytest.raises(ParameterError, match="names the whole"):
        answers(data, NPS, columns=["tier"])


def test_numbers_of_any_size():
    people = pd.DataFrame({"customer_id": [f"c{i}" for i in range(40)], "started_on": "2024-01-01", "churned_on": None})
    people["yen"] = [10_000_000 + 50 * i for i in range(40)]
    people["odd"] = [1.0, np.inf, 1e20, np.nan] * 10
    table = surveys(*((f"c{i}", "2025-01-01", 9, "2025-01-01") for i in range(40)))
    data = load({"surveys": table, "customers": people}, as_of="2025-06-30")
    found = answers(data, NPS, columns=["yen", "odd"]).counts
    assert found.groupby("yen")["n"].sum().tolist() == [10] * 4
    assert found.groupby("odd")["n"].sum().to_dict() == {"1": 10, "1e+20": 10, "(missing)": 20}


def test_only_the_window_tells_whether_the_silent_are_known():
    table = surveys(("a", "2024-01-01"), ("b", "2025-01-01", 9))
    assert answers(load({"surveys": table}, as_of="2025-06-30"), NPS).only_answers


def test_without_a_day_of_answer_that_of_the_invitation_counts():
    table = surveys(("a", "2025-01-01", 9), ("a", "2025-02-01", 3)).drop(columns="answered_on")
    assert given_answers(table)["now"].tolist() == [3]


def test_windows_are_by_invitation():
    table = surveys(("a", "2024-06-30", 9, "2024-07-02"), ("b", "2024-07-01", 3, "2024-07-02"))
    found = given_answers(table)
    assert found[["before", "now"]].values.tolist() == [[-2, 3], [9, -2]]


def test_who_answered_twice_is_one_customer():
    table = surveys(("a", "2024-01-10", 2, "2024-01-11"), ("a", "2025-01-10", 9, "2025-01-11"), ("b", "2025-01-10", 9))
    assert given_answers(table).values.tolist() == [[-2, 9, 1], [2, 9, 1]]


def test_columns_of_customers_of_surveys_and_of_other_tables():
    table = surveys(("a", "2025-01-01", 3, "2025-01-01"), ("a", "2025-02-01", 9, "2025-02-01"), ("x", "2025-02-01", 8))
    table["place"] = ["email", None, "phone"]
    customers = pd.DataFrame(
        {"customer_id": ["a"], "started_on": ["2024-01-01"], "churned_on": [None], "plan": ["Pro"]}
    )
    usage = pd.DataFrame({"customer_id": ["a"], "occurred_at": ["2025-01-01"], "feature": ["api"]})
    data = load({"surveys": table, "customers": customers, "usage": usage}, as_of="2025-06-30")
    found = answers(data, NPS, columns=["plan", "place", "feature"]).counts
    shown = found[["plan", "place", "feature", "now"]].values.tolist()
    assert sorted(shown) == [["(missing)", "phone", "(missing)", 8], ["Pro", "(missing)", "api", 9]]


def test_numbers_are_cut_at_their_quartiles():
    people = pd.DataFrame({"customer_id": [f"c{i}" for i in range(40)], "started_on": "2024-01-01", "churned_on": None})
    people["seats"], people["rank"] = range(1, 41), [i % 3 for i in range(40)]
    table = surveys(*((f"c{i}", "2025-01-01", 9, "2025-01-01") for i in range(40)))
    data = load({"surveys": table, "customers": people}, as_of="2025-06-30")
    found = answers(data, NPS, columns=["seats", "rank"]).counts
    assert found.groupby("seats")["n"].sum().to_dict() == {
        "up to 10.75": 10, "10.75 to 20.5": 10, "20.5 to 30.25": 10, "over 30.25": 10,
    }  # fmt: skip
    assert set(found["rank"]) == {"0", "1", "2"}


def test_what_customers_said_elsewhere_is_counted_too():
    nps = surveys(("a", "2025-01-01", 9, "2025-01-01"), ("b", "2025-01-01"), ("a", "2024-03-01", 2, "2024-03-01"))
    csat = surveys(("a", "2024-05-01", 5, "2024-05-01"), survey="csat")
    data = load({"surveys": pd.concat([nps, csat])}, as_of="2025-06-30")
    found = answers(data, NPS, standings=[NPS, measure("csat")])
    shown = found.counts.set_index("now")[["earlier NPS", "CSAT answer"]]
    assert shown.loc[9].tolist() == ["detractors", "satisfied"]
    assert shown.loc[-1].tolist() == ["not asked", "not asked"]
    assert found.columns == ("CSAT answer",)
    assert set(found.weighting) == {"earlier NPS", "CSAT answer"}


def test_answers_alone_tell_nothing_of_the_silent():
    only = load({"surveys": surveys(("a", "2025-01-01", 9))}, as_of="2025-06-30")
    both = load({"surveys": surveys(("a", "2025-01-01", 9), ("b", "2025-01-01"))}, as_of="2025-06-30")
    assert (answers(only, NPS).only_answers, answers(both, NPS).only_answers) == (True, False)


def test_available_columns():
    people = pd.DataFrame({"customer_id": [f"c{i}" for i in range(30)], "started_on": "2024-01-01", "churned_on": None})
    people = people.assign(
        plan=["A", "B"] * 15, constant="x", name=people.customer_id, seats=range(30), churn_kind=None
    )
    table = surveys(("c1", "2025-01-01", 9), ("c2", "2025-01-01", 9)).assign(place=["web", "app"])
    data = load({"surveys": table, "customers": people}, as_of="2025-06-30")
    assert available_columns(data) == ["plan", "seats", "place"]
    assert available_columns(data, "place, constant") == ["place", "constant", "plan", "seats"]
    with pytest.raises(ParameterError, match=r"segment_by is 'plam'.*Did you mean 'plan'"):
        available_columns(data, "plam")
    with pytest.raises(ParameterError, match="customer_id"):
        available_columns(data, "customer_id")


def test_declared_segments_come_before_others(tmp_path):
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on,plan,region\na,2024-01-01,,A,x\nb,2024-01-01,,B,y\n"
    )
    (tmp_path / "surveys.csv").write_text("customer_id,asked_on,survey,score\na,2025-01-01,nps,9\n")
    (tmp_path / "cslib.toml").write_text('[customers]\nsegments = ["region"]\n')
    assert available_columns(load(tmp_path)) == ["region"]


def test_surveys_that_have_answers_in_the_window():
    table = pd.concat([surveys(("a", "2025-01-01", 9)), surveys(("a", "2023-01-01", 4), survey="csat")])
    data = load({"surveys": table}, as_of="2025-06-30")
    assert [m.survey for m in measures(data)] == ["nps"]
    assert [m.survey for m in measures(data, window="all")] == ["nps", "csat"]


def test_answers_beyond_the_scale_are_refused():
    data = load({"surveys": surveys(("a", "2025-01-01", 9), survey="ces")}, as_of="2025-06-30")
    with pytest.raises(DataError, match="CES answers up to 9, beyond 1–7. Set ces_scale"):
        measures(data, ces_scale=7)


def test_a_window_without_answers_says_what_there_is():
    data = load({"surveys": surveys(("a", "2024-01-01", 9), ("b", "2025-01-01"))}, as_of="2025-06-30")
    with pytest.raises(DataError, match="no nps answer to an invitation from 1 July 2024.*1 nps up to 2024-01-01"):
        answers(data, NPS)
    with pytest.raises(DataError, match="no csat answer"):
        answers(data, measure("csat"), window="all")
    silent = load({"surveys": surveys(("b", "2025-01-01"))}, as_of="2025-06-30")
    with pytest.raises(DataError, match="No score is filled in"):
        answers(silent, NPS)


def test_no_surveys_at_all():
    people = pd.DataFrame({"customer_id": ["a"], "started_on": ["2024-01-01"], "churned_on": [None]})
    with pytest.raises(MissingTableError, match="Add surveys.csv"):
        answers(load({"customers": people}), NPS)


def test_a_column_of_very_many_values_is_refused():
    table = surveys(*((f"c{i}", "2025-01-01", 9) for i in range(60))).assign(place=[f"p{i}" for i in range(60)])
    data = load({"surveys": table}, as_of="2025-06-30")
    for count in (lambda: answers(data, NPS, columns=["place"]), lambda: answers_by_period(data, NPS, column="place")):
        with pytest.raises(ParameterError, match="more than 50 values"):
            count()


def test_by_period_counts_each_customer_once_a_period():
    table = surveys(
        ("a", "2025-01-03", 3, "2025-01-03"), ("a", "2025-01-20", 9, "2025-01-20"), ("a", "2025-02-01"), ("b", "2025-02-01", 7)
    )  # fmt: skip
    data = load({"surveys": table.assign(place=["x", "y", "x", "y"])}, as_of="2025-06-30")
    found = answers_by_period(data, NPS, column="place").counts
    january, february = pd.Timestamp("2025-01-01"), pd.Timestamp("2025-02-01")
    assert sorted(found.values.tolist()) == [[january, "y", 9, 1], [february, "x", -1, 1], [february, "y", 7, 1]]


@pytest.mark.parametrize(
    ("period", "ending", "starts"),
    [
        ("day", None, ["2025-01-31", "2025-04-30", "2025-06-10"]),
        ("week", None, ["2025-01-27", "2025-04-28"]),
        ("month", None, ["2025-01-01", "2025-04-01"]),
        ("quarter", None, ["2025-01-01"]),
        ("quarter", date(2025, 5, 31), ["2024-12-01", "2025-03-01"]),
        ("quarter", date(2025, 4, 30), ["2024-11-01", "2025-02-01"]),
        ("year", None, []),
    ],
)
def test_periods_are_their_first_days_and_complete(period, ending, starts):
    table = surveys(("a", "2025-01-31", 9), ("a", "2025-04-30", 9), ("a", "2025-06-10", 9))
    data = load({"surveys": table}, as_of="2025-06-12")
    counted = answers_by_period(data, NPS, period=period, ending=ending)
    assert sorted(counted.counts["period"]) == [pd.Timestamp(day) for day in starts]
    assert trend(counted)["period"].tolist() == [pd.Timestamp(day) for day in starts]


def test_counts_by_period_carry_what_was_asked():
    """So a trend cannot be told with another scale than the one its answers were counted with."""
    data = load({"surveys": surveys(("a", "2025-01-31", 2), survey="ces")}, as_of="2025-06-12")
    asked = measure("ces", ces_scale=7, ces_lower_is_easier=False)
    counted = answers_by_period(data, asked)
    assert counted.measure == asked
    assert trend(counted)["ces"].tolist() == [2.0]


def test_quarters_alone_may_end_with_any_month():
    data = load({"surveys": surveys(("a", "2025-01-31", 9))}, as_of="2025-06-12")
    with pytest.raises(ParameterError, match="moves quarters, but period is 'month'"):
        answers_by_period(data, NPS, ending=date(2025, 5, 31))


ROW = st.tuples(
    WHO.map(str), st.dates(pd.Timestamp("2023-01-01").date(), pd.Timestamp("2025-06-30").date()),
    st.one_of(st.none(), st.integers(0, 10)), st.integers(0, 20), st.sampled_from(["x", "y", None]),
)  # fmt: skip


@pytest.mark.long
@settings(max_examples=15)
@given(few_or_many(ROW))
def test_the_engine_counts_as_pandas_does(rows):
    table = pd.DataFrame(rows, columns=["customer_id", "asked_on", "score", "wait", "place"])
    table["answered_on"] = pd.to_datetime(table["asked_on"]) + pd.to_timedelta(table["wait"], unit="D")
    table.loc[table["score"].isna(), "answered_on"] = pd.NaT
    table["survey"], table["asked_on"] = "nps", pd.to_datetime(table["asked_on"])
    table.loc[table["answered_on"] > "2025-06-30", ["score", "answered_on"]] = [None, pd.NaT]
    inside = table[table["asked_on"] >= "2024-07-01"]
    if inside["score"].isna().all():
        return
    data = load({"surveys": table.drop(columns="wait").astype({"place": "string"})}, as_of="2025-06-30")
    found = answers(data, NPS, columns=["place"], compare_to="").counts
    order = inside.assign(bad=-inside["score"]).sort_values(["answered_on", "asked_on", "bad"], na_position="first")
    order["day"] = order["answered_on"].fillna(order["asked_on"])
    order = order.assign(there=order["score"].notna()).sort_values(["there", "day", "bad"], kind="stable")
    last = order.groupby("customer_id").tail(1)
    expected = last["score"].fillna(-1).astype(int)
    assert sorted(found.loc[found.index.repeat(found["n"]), "now"]) == sorted(expected)
    assert int(found["n"].sum()) == inside["customer_id"].nunique()
