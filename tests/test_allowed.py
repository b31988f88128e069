"""What a parameter may be: one text for readers and programmes, the same in a notebook and in its study."""

import math
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd
import pytest

import cslib
from cslib.allowed import Allowed, allowed_of, asked, check_fields
from cslib.errors import ParameterError
from cslib.report.parameters import find_notebooks, parse_parameters

STUDIES = {
    "churn_survival": cslib.Churn,
    "cohort_retention": cslib.Retention,
    "lifetime_value": cslib.Value,
    "nps_segmentation": cslib.Surveys,
    "revenue": cslib.Revenue,
    "scorecard": cslib.Scorecard,
}
NOTEBOOKS = {n.name: n for n in find_notebooks()}
WINDOWS = "all, N days, YYYY, YYYY-QN, YYYY-MM or empty"


@pytest.mark.parametrize("value", [1, 120, 12.5])
def test_what_is_within_a_range_is_allowed(value):
    Allowed.read("1 to 120").check("months", value)


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ("1 to 120", 0, "x is 0. Did you mean 1? Give 1 to 120."),
        ("1 to 120", 10**9, "x is 1000000000. Did you mean 120? Give 1 to 120."),
        ("1 to 120", math.nan, "x is nan. Give 1 to 120."),
        ("1 to 120", math.inf, "x is inf. Did you mean 120? Give 1 to 120."),
        ("0 to 1", 80.0, "x is 80.0. Did you mean 0.8? Give 0 to 1."),
        ("0 to 1", 101, "x is 101. Did you mean 1? Give 0 to 1."),
        ("above 0 to 1", 0, "x is 0. Give above 0 to 1."),
        ("-1.5 to 1.5", -2, "x is -2. Did you mean -1.5? Give -1.5 to 1.5."),
    ],
)
def test_what_is_outside_is_refused_with_the_range_and_the_nearest(text, value, message):
    with pytest.raises(ParameterError) as caught:
        Allowed.read(text).check("x", value)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["all", "1 day", "90  days", "2025", "2025-Q4", "2025-06", "", "  "])
def test_choices_have_places(value):
    Allowed.read(WINDOWS).check("window", value)


@pytest.mark.parametrize(
    "value", ["0 days", "12 month", "٣ days", "2025-Q5", "2025-13", "1800", "20255", "N days", "YYYY", "al", None, 2025]
)
def test_what_is_no_choice_is_refused(value):
    with pytest.raises(ParameterError, match="window is .*Give all, N days, YYYY"):
        Allowed.read(WINDOWS).check("window", value)


@pytest.mark.parametrize("day", ["2025-06-30", "1900-01-01", "2199-12-31", "2024-02-29"])
def test_days_of_a_business_are_days(day):
    Allowed.read("YYYY-MM-DD or empty").check("as_of", day)


@pytest.mark.parametrize(
    "day", ["0001-01-01", "9999-12-31", "2025-02-29", "2025-06-31", "20250630", "30.06.2025", "٢٠٢٥-٠٦-٣٠", "soon"]
)
def test_other_days_are_refused(day):
    with pytest.raises(ParameterError, match="as_of is"):
        Allowed.read("YYYY-MM-DD or empty").check("as_of", day)


@pytest.mark.parametrize("kind", ["on", "1-3", "0", "1-3,4-6, 7-12,13"])
def test_brackets_of_periods_may_be_many(kind):
    Allowed.read("on, on_or_after or N-N,…").check("kind", kind)
    with pytest.raises(ParameterError, match="Did you mean 'on_or_after'"):
        Allowed.read("on, on_or_after or N-N,…").check("kind", "on_or_afer")


@pytest.mark.parametrize("text", ["", "5 to 1", "1 to 1", "1 too 5", "month", "month or ", "1-5"])
def test_what_says_nothing_is_refused(text):
    with pytest.raises(ParameterError, match="is no range|does not say what is allowed"):
        Allowed.read(text)


@pytest.mark.parametrize("name", STUDIES)
def test_a_notebook_allows_what_its_study_does(name):
    said = {p.name: p.allowed.text for p in NOTEBOOKS[name].parameters if p.allowed}
    assert said.pop("as_of") == "YYYY-MM-DD or empty"
    assert said == allowed_of(STUDIES[name])
    numbers = {p.name for p in NOTEBOOKS[name].parameters if p.type in (int, float)}
    assert numbers <= said.keys()


ODD = [
    "",
    " ",
    "0",
    "-1",
    "1000000000",
    "1" * 5000,
    "nan",
    "inf",
    "-inf",
    "1e999",
    "٣",
    "１２",
    "1_0",
    "weak",
    "\x00",
    "=1+1",
]


@pytest.mark.parametrize("name", STUDIES)
def test_odd_values_are_refused_before_a_kernel_starts_or_allowed(name):
    """Whatever passes is of the declared type and allowed by the study as well; nothing else is raised."""
    notebook, passed = NOTEBOOKS[name], []
    for parameter in notebook.parameters:
        for odd in ODD:
            with suppress(ParameterError):
                passed.append((parameter, parse_parameters(notebook, {parameter.name: odd})[parameter.name]))
    assert all(type(value) is parameter.type for parameter, value in passed)
    own = [{p.name: value} for p, value in passed if p.name in allowed_of(STUDIES[name])]
    assert 0 < len([STUDIES[name](pd.DataFrame(), **given) for given in own]) < 20


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("churn_survival", {"horizon_months": "-5"}, "horizon_months is -5. Did you mean 1? Give 1 to 120."),
        ("churn_survival", {"capacity": "many"}, "capacity: 'many' is not a whole number. Give 1 to 1000000."),
        ("cohort_retention", {"max_periods": "٣"}, "max_periods: '٣' is not a whole number. Give 1 to 5000."),
        ("lifetime_value", {"gross_margin": "80"}, "gross_margin is 80.0. Did you mean 0.8? Give 0 to 1."),
        ("lifetime_value", {"gross_margin": "nan"}, "gross_margin: 'nan' is not a number. Give 0 to 1."),
        ("nps_segmentation", {"survey": "NPS"}, "survey is 'NPS'. Did you mean 'nps'? Give nps, csat or ces."),
        ("nps_segmentation", {"survey": ""}, "survey is ''. Give nps, csat or ces."),
        (
            "revenue",
            {"as_of": "0001-01-01"},
            "as_of is '0001-01-01'. Give YYYY-MM-DD or empty. Years go from 1900 to 2199.",
        ),
    ],
)
def test_the_refusal_names_what_is_allowed(name, given, message):
    with pytest.raises(ParameterError) as caught:
        parse_parameters(NOTEBOOKS[name], given)
    assert str(caught.value).startswith(message)


@dataclass(frozen=True)
class Asked:
    months: int = asked(12, "1 to 120")
    share: float = asked(1.0, "0 to 1")
    period: str = asked("month", "month or year")
    easy: bool = True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"months": 2.5}, "months is 2.5, which is not a whole number. Give 1 to 120."),
        ({"months": "12"}, "months is '12', which is not a whole number"),
        ({"months": True}, "months is True, which is not a whole number"),
        ({"months": 0}, "months is 0. Did you mean 1"),
        ({"share": "0.8"}, "share is '0.8', which is not a number. Give 0 to 1."),
        ({"share": math.nan}, "share is nan. Give 0 to 1."),
        ({"period": "Month"}, "period is 'Month'. Did you mean 'month'"),
        ({"easy": "no"}, "easy is 'no', which is not true or false."),
    ],
)
def test_a_study_refuses_the_same(given, message):
    with pytest.raises(ParameterError) as caught:
        check_fields(Asked(**given))
    assert str(caught.value).startswith(message)


def test_numbers_of_other_libraries_are_numbers():
    row = pd.DataFrame({"months": [6], "share": [0.5]}).iloc[0]
    check_fields(Asked(months=pd.Series([6]).iloc[0], share=row["share"]))
    check_fields(Asked(share=1))
