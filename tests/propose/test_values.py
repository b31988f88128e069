"""What values look like: whatever is written in a format is read in it, or said to be of two."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib.data.written import date_form, epoch_form, number_form
from cslib.propose.forms import day_of
from cslib.propose.values import Seen, headers

FORMATS = [
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%y", "%m/%d/%y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d/%m/%Y, %H:%M:%S"),
    *("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %H:%M UTC"),
]
DAYS = st.lists(st.dates(date(2001, 1, 1), date(2030, 12, 31)), min_size=3, max_size=30)


@pytest.mark.parametrize("form", FORMATS)
@given(DAYS)
def test_a_format_is_found_or_one_of_two(form, days):
    found = date_form([d.strftime(form) for d in days])
    assert found is not None
    if not found.other and len({d.day for d in days} | {d.month for d in days}) > 12:
        assert all(day_of(d.strftime(form), found.text) == d for d in days)


@pytest.mark.parametrize("form", FORMATS)
def test_a_year_of_days_leaves_no_doubt(form):
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(0, 366, 5)]
    texts = [d.strftime(form) for d in days]
    found = date_form(texts)
    assert found.other == ""
    assert [day_of(t, found.text) for t in texts] == days


@pytest.mark.parametrize(
    "text",
    ["2024-1-5", "2024-01-05T10:00:00Z", "2024-01-05 10:00:00+01:00", "2024-01-05 10:00:00 UTC", "2024-01-05T10:00:00.123+0100"],
)  # fmt: skip
def test_iso_needs_no_format(text):
    assert date_form([text] * 3).text == ""


@pytest.mark.parametrize(
    "texts", [["13/13/2024"], ["45/01/2024"], ["2024-13/01"], ["1.5", "2.5"], ["10:30"], ["Pro"], ["12.50"]]
)
def test_what_is_no_date(texts):
    assert date_form(texts) is None


def test_firsts_of_months_over_years_are_days_first():
    texts = [f"01/{m:02d}/{y}" for y in (2023, 2024) for m in range(1, 13)]
    assert date_form(texts).text == "%d/%m/%Y"
    assert date_form(texts).other == ""


def test_the_order_of_rows_tells_day_from_month():
    texts = [f"{m:02d}/{d:02d}/2024" for m in range(1, 13) for d in (3, 9)]  # sorted only if months come first
    assert date_form(texts).text == "%m/%d/%Y"
    assert date_form(texts).other == ""


@given(st.lists(st.integers(-(10**9), 10**9), min_size=4, max_size=40).filter(lambda c: any(abs(v) % 100 for v in c)))
def test_money_of_a_locale(cents):
    """German and English money of the same amounts: the sign of decimals is found, or is in no value."""
    english = [f"{v / 100:,.2f}" for v in cents]
    german = [t.translate(str.maketrans(",.", ".,")) for t in english]
    assert number_form(german).text == ","
    assert number_form(english).text in ("", ".")


@pytest.mark.parametrize(
    ("texts", "text", "other"),
    [
        (["12.5", "3"], "", ""),
        (["1 234,50", "2,00"], ",", ""),
        (["1'234.50", "2.00"], ".", ""),
        (["$1,234.50", "$2.00"], ".", ""),
        (["12,50 €", "3,00 €"], ",", ""),
        (["(12.50)", "$3.00"], ".", ""),
        (["1,234", "5,678"], ",", "."),
        (["1 250,50 kr", "99,00 kr"], ",", ""),
    ],
)
def test_numbers_written_by_hand(texts, text, other):
    assert (number_form(texts).text, number_form(texts).other) == (text, other)


@pytest.mark.parametrize(
    "texts", [["A-1"], ["C12"], ["INV 12"], ["12 %"], ["1.2.3"], ["2024-01-01"], [""], ["5 years"]]
)
def test_what_is_no_number(texts):
    assert number_form(texts) is None


@pytest.mark.parametrize(
    ("texts", "form"),
    [(["45292"], "excel"), (["1704103200"], "unix"), (["1704103200000"], "unix_ms"), (["1696470452486466"], "unix_us"), (["17"], None)],
)  # fmt: skip
def test_numbers_that_count_days_or_seconds(texts, form):
    found = epoch_form(texts)
    assert (found and found.text) == form


def test_rows_that_are_headers_still():
    dates = ("2024-01-05", "2024-01-06", "2024-01-07")
    assert headers([dates, ("9", "8", "7")]) == 0
    assert headers([("", *dates), ("Response", "9", "8", "7")]) == 1
    assert headers([("Start", "{id}", *dates), ("Q", "{q}", "9", "8", "7")]) == 2
    assert headers([("", *dates), (*dates, "2024-01-08")]) == 0  # one date is missing, and no header there


def test_words_for_nothing_are_no_values():
    seen = Seen("x", ("5", "NULL", "n/a", "", "6"))
    assert seen.texts == ("5", "6")
    assert seen.empty == 0.6
