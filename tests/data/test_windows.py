from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib.data.calendar import Window, compared, ending, read_window
from cslib.errors import ParameterError

AS_OF, FIRST = date(2025, 6, 30), date(2022, 2, 3)
KNOWN = {"as_of": AS_OF, "earliest": FIRST}


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("12 months", date(2024, 7, 1), AS_OF),
        ("1 month", date(2025, 6, 1), AS_OF),
        ("90 days", date(2025, 4, 2), AS_OF),
        ("2 weeks", date(2025, 6, 17), AS_OF),
        (" 1  year ", date(2024, 7, 1), AS_OF),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2025", date(2025, 1, 1), AS_OF),
        ("2024-Q4", date(2024, 10, 1), date(2024, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("all", FIRST, AS_OF),
        ("9999 years", date(1900, 1, 1), AS_OF),
    ],
)
def test_windows(text, first, last):
    found = read_window(text, **KNOWN)
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize("text", ["12 moons", "", "0 days", "2025-13", "2025-Q5", "1850", "-3 days", "yesterday"])
def test_what_is_no_window_is_named(text):
    with pytest.raises(ParameterError, match=r'window is .*Write "12 months"'):
        read_window(text, **KNOWN)


def test_no_window_begins_after_the_data():
    with pytest.raises(ParameterError, match="begins after as_of 2025-06-30"):
        read_window("2026", **KNOWN)


@pytest.mark.parametrize(
    ("window", "text", "first", "last"),
    [
        ("12 months", "previous", date(2023, 7, 1), date(2024, 6, 30)),
        ("1 month", "previous", date(2025, 5, 1), date(2025, 5, 31)),
        ("90 days", "previous", date(2025, 1, 2), date(2025, 4, 1)),
        ("2025-Q1", "previous", date(2024, 10, 1), date(2024, 12, 31)),
        ("2025-03", "previous", date(2025, 2, 1), date(2025, 2, 28)),
        ("2024", "previous", date(2023, 1, 1), date(2023, 12, 31)),
        ("2025-Q1", "year before", date(2024, 1, 1), date(2024, 3, 31)),
        ("2025-Q1", "2023", date(2023, 1, 1), date(2023, 12, 31)),
    ],
)
def test_window_to_compare_with(window, text, first, last):
    found = compared(read_window(window, **KNOWN), text, **KNOWN)
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize(("window", "text"), [("all", "previous"), ("all", "year before"), ("2025", "")])
def test_nothing_to_compare_with(window, text):
    assert compared(read_window(window, **KNOWN), text, **KNOWN) is None


@pytest.mark.parametrize(("window", "text"), [("2025", "2025-Q1"), ("all", "2024"), ("12 months", "12 months")])
def test_windows_that_share_days_are_refused(window, text):
    with pytest.raises(ParameterError, match="shares days with the window"):
        compared(read_window(window, **KNOWN), text, **KNOWN)


def test_nothing_later_to_compare_with():
    with pytest.raises(ParameterError, match="comes after the window"):
        compared(read_window("2024-Q2", **KNOWN), "2025-Q2", **KNOWN)


def test_of_a_period_that_is_not_over_as_many_days_of_the_one_before():
    found = compared(read_window("2025", **KNOWN), "previous", **KNOWN)
    assert (found.first, found.last) == (date(2024, 1, 1), date(2024, 6, 29))  # 181 days, in a leap year


def test_longer_than_a_year_against_a_year_before_is_refused():
    with pytest.raises(ParameterError, match="shares days"):
        compared(read_window("18 months", **KNOWN), "year before", **KNOWN)


@given(st.integers(1, 400), st.sampled_from(["day", "week", "month", "quarter", "year"]))
def test_the_one_before_ends_the_day_before(n, unit):
    window = read_window(f"{n} {unit}s", **KNOWN)
    if window.first > date(1901, 1, 1):
        before = compared(window, "previous", **KNOWN)
        assert (window.first - before.last).days == 1


def test_moved_to_end_elsewhere():
    day = date(2024, 6, 29)
    rolling = ending(read_window("3 months", **KNOWN), day, earliest=FIRST)
    assert (rolling.first, rolling.last) == (date(2024, 3, 30), day)
    quarter = ending(read_window("2025-Q1", **KNOWN), day, earliest=FIRST)
    assert (quarter.last - quarter.first).days == 89
    assert ending(Window(FIRST, AS_OF, "all"), day, earliest=FIRST).first == FIRST
