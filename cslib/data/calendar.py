"""Calendar periods and windows of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.dataset import DataSet
from cslib.errors import DataError, ParameterError, check_choice

PERIODS: Final = ("day", "week", "month", "quarter", "year")
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
EPOCH: Final = date(1970, 1, 1)
MONDAY: Final = date(1969, 12, 29)
ROLLING: Final = r"([0-9]{1,4}) (day|week|month|quarter|year)s?"
CALENDAR: Final = r"(19|20|21)[0-9]{2}(-Q[1-4]|-(0[1-9]|1[0-2]))?"
DAYS: Final = {"day": 1, "week": 7}
REMEDY: Final = 'Write "12 months", "90 days", "2025", "2025-Q2", "2025-06" or "all".'


def ordinal(day: date, period: str) -> int:
    """Return the number of a day's calendar period; the next period has one more.

    Examples
    --------
    >>> ordinal(date(2025, 3, 31), "month") - ordinal(date(2024, 12, 1), "month")
    3
    >>> ordinal(date(2025, 1, 6), "week") - ordinal(date(2025, 1, 5), "week")
    1
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        return (day.year * 12 + day.month - 1) // MONTHS[period]
    return (day - EPOCH).days if period == "day" else (day - MONDAY).days // 7


def period_start(number: int, period: str) -> date:
    """First day of a numbered period.

    Examples
    --------
    >>> period_start(ordinal(date(2025, 8, 20), "quarter"), "quarter")
    datetime.date(2025, 7, 1)
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        months = number * MONTHS[period]
        return date(months // 12, months % 12 + 1, 1)
    return EPOCH + timedelta(days=number) if period == "day" else MONDAY + timedelta(weeks=number)


def first_whole(day: date, period: str) -> int:
    """Return the number of the first period that begins on a day or later.

    Examples
    --------
    >>> first_whole(date(2025, 6, 2), "month") - first_whole(date(2025, 6, 1), "month")
    1
    """
    return ordinal(day - timedelta(days=1), period) + 1


def last_complete(as_of: date, period: str) -> int:
    """Return the number of the last period of which every day is observed.

    Examples
    --------
    >>> last_complete(date(2025, 6, 30), "month") - last_complete(date(2025, 6, 29), "month")
    1
    """
    return ordinal(as_of + timedelta(days=1), period) - 1


def months_later(day: date, months: int) -> date:
    """Return the day so many calendar months later, or before where there are fewer than none.

    Examples
    --------
    The end of a month is followed by ends of months.

    >>> [months_later(date(2025, 2, 28), months).isoformat() for months in (-12, 1, 12)]
    ['2024-02-29', '2025-03-31', '2026-02-28']
    """
    after = pd.Timestamp(day) + pd.Timedelta(days=1) + pd.DateOffset(months=months)
    return (after - pd.Timedelta(days=1)).date()


def monthly(moved: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the whole, and refuse a table that is not by month.

    Raises
    ------
    ParameterError
        Its periods are not months one after the other.
    """
    whole = moved[moved["segment"] == "All"]
    msg = "The movements are not by month, which is what costs and conventions are counted by. Set period='month'."
    ParameterError.when((whole["month"].dt.to_period("M").astype("int64").diff().dropna() != 1).any(), msg)
    return whole


def period_ordinal(day: ir.DateValue, period: str) -> ir.IntegerValue:
    """Compute :func:`ordinal` in the engine, on any engine.

    Parameters
    ----------
    day
        Dates, not before 1900.
    period
        ``day``, ``week`` (Monday to Sunday), ``month``, ``quarter`` or ``year``.

    Returns
    -------
    ibis.expr.types.IntegerValue
    """
    check_choice("period", period, PERIODS)
    if period in MONTHS:
        months = _month(day)
        return months if period == "month" else (months // MONTHS[period]).cast("int64")
    if period == "day":
        return day.delta(ibis.date(EPOCH), unit="day").cast("int64")
    shift = 10_000  # keeps the division on positive numbers: engines differ on negative ones
    days = day.delta(ibis.date(MONDAY), unit="day").cast("int64")
    return ((days + 7 * shift) // 7).cast("int64") - shift


def age_in_months(start: ir.DateValue, end: ir.DateValue) -> ir.FloatingValue:
    """Tell an age in months of the calendar, in the engine: an anniversary is a whole number, whatever its length.

    Parameters
    ----------
    start, end
        Dates, the second not before the first.

    Returns
    -------
    ibis.expr.types.FloatingValue
        Completed months (anniversaries lie on the day of the start, or on the last of a shorter month) and, of the
        month begun, the days since its anniversary over the days to the next one.

    Examples
    --------
    >>> day = lambda text: ibis.date(text)
    >>> ages = [("2024-01-31", "2024-02-29"), ("2023-12-15", "2024-12-15"), ("2024-01-01", "2024-01-16")]
    >>> [float(age_in_months(day(a), day(b)).execute()) for a, b in ages]
    [1.0, 12.0, 0.4838709677419355]
    """
    # every part is written into the query as often as it stands here, so each as seldom as can be
    day, until, this = start.day(), end.day(), _length(end, 0)
    begun = (until < day) & (until < this)  # the month that the last anniversary is not of
    rest = ibis.greatest(_length(end, -1) - day, 0)  # of the month before, after the anniversary in it
    before = (until + rest) / (rest + ibis.least(day, this))
    after = ibis.greatest(until - day, 0) / (ibis.greatest(this - day, 0) + ibis.least(day, _length(end, 1)))
    return _month(end) - _month(start) - begun.cast("int64") + ibis.ifelse(begun, before, after)


def billed_months(start: ir.DateValue, end: ir.DateValue) -> ir.FloatingValue:
    """Tell how many months a billed period has, in the engine, whatever the length of each.

    Parameters
    ----------
    start, end
        First day, and the day after the last.

    Returns
    -------
    ibis.expr.types.FloatingValue
        As :func:`age_in_months`; besides, what begins on the last day of a month is whole on any later-numbered day,
        so that who is billed on the 31st pays for a month from 29 February to 31 March.

    Examples
    --------
    >>> day = lambda text: ibis.date(text)
    >>> spans = [("2024-03-15", "2025-03-15"), ("2024-02-29", "2024-03-31"), ("2024-01-16", "2024-02-01")]
    >>> [round(float(billed_months(day(a), day(b)).execute()), 4) for a, b in spans]
    [12.0, 1.0, 0.5161]
    """
    whole = (start.day() == _length(start, 0)) & (end.day() >= start.day())
    return ibis.ifelse(whole, (_month(end) - _month(start)).cast("float64"), age_in_months(start, end))


def _month(day: ir.DateValue) -> ir.IntegerValue:
    return day.year().cast("int64") * 12 + day.month().cast("int64") - 1


def _length(day: ir.DateValue, away: int) -> ir.IntegerValue:
    """Count the days of a day's month, of the one before (-1) or of the next (1): a February is of the same year."""
    year, month = day.year(), day.month()
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    short = [(m - 1 - away) % 12 + 1 for m in (4, 6, 9, 11)]
    return ibis.cases((month == 2 - away, 28 + leap.cast("int64")), (month.isin(short), 30), else_=31)


def observed(data: DataSet) -> date:
    """Return ``as_of``, or say that a calendar needs dates.

    Raises
    ------
    DataError
        The tables hold no date.
    """
    if data.as_of is None:
        msg = f"{data.label} holds no dates, so there are no calendar periods. Add started_on, orders or usage."
        raise DataError(msg)
    return data.as_of


@dataclass(frozen=True)
class Window:
    """Days from ``first`` to ``last``, both included; ``text`` is how it was asked for."""

    first: date
    last: date
    text: str

    def __str__(self) -> str:
        return f"{self.first:%-d %B %Y} to {self.last:%-d %B %Y}"


def read_window(text: str, *, as_of: date, earliest: date) -> Window:
    """Read a window of time.

    Parameters
    ----------
    text
        ``12 months`` (days, weeks, months, quarters or years up to ``as_of``), a calendar period (``2025``,
        ``2025-Q2``, ``2025-06``), or ``all``.
    as_of
        Last observed day: no window ends later.
    earliest
        First day of the data, for ``all``.

    Returns
    -------
    Window

    Raises
    ------
    ParameterError
        The text is none of these, or the window begins after ``as_of``.

    Examples
    --------
    >>> print(read_window("12 months", as_of=date(2025, 6, 30), earliest=date(2022, 1, 1)))
    1 July 2024 to 30 June 2025
    >>> print(read_window("2025-Q2", as_of=date(2025, 5, 15), earliest=date(2022, 1, 1)))
    1 April 2025 to 15 May 2025
    """
    cleaned = " ".join(text.split())
    if cleaned == "all":
        return Window(earliest, as_of, cleaned)
    window = _rolling(cleaned, as_of) or (_whole(pd.Period(cleaned)) if re.fullmatch(CALENDAR, cleaned) else None)
    if window is None:
        msg = f"window is {text!r}. {REMEDY}"
        raise ParameterError(msg)
    ParameterError.when(window.first > as_of, f"window is {text!r}, which begins after as_of {as_of}. {REMEDY}")
    return Window(window.first, min(window.last, as_of), cleaned)


def _rolling(text: str, last: date) -> Window | None:
    match = re.fullmatch(ROLLING, text)
    if not match or not int(match[1]):
        return None
    return Window(_back(last + timedelta(days=1), int(match[1]), match[2]), last, text)


def _back(day: date, n: int, unit: str) -> date:
    back = pd.DateOffset(days=n * DAYS.get(unit, 0), months=n * MONTHS.get(unit, 0))
    try:
        return (pd.Timestamp(day) - back).date()
    except (OverflowError, ValueError):
        return date(1900, 1, 1)


def _whole(period: pd.Period) -> Window:
    return Window(period.start_time.date(), period.end_time.date(), str(period))


def compared(window: Window, text: str, *, as_of: date, earliest: date) -> Window | None:
    """Find the window that another one is compared with.

    Parameters
    ----------
    window
        As from :func:`read_window`.
    text
        ``previous`` (as long, just before; of a calendar period that is not over, as many days of
        the one before), ``year before`` (the same days a year earlier), a window as for
        :func:`read_window`, or empty.
    as_of, earliest
        As there.

    Returns
    -------
    Window or None
        None: nothing to compare with, because ``text`` is empty or the window holds all there is.

    Raises
    ------
    ParameterError
        The text is none of these, or that window is not over when the other begins.

    Examples
    --------
    >>> now = read_window("2025-Q1", as_of=date(2025, 6, 30), earliest=date(2022, 1, 1))
    >>> print(compared(now, "previous", as_of=date(2025, 6, 30), earliest=date(2022, 1, 1)))
    1 October 2024 to 31 December 2024
    """
    cleaned = " ".join(text.split())
    if not cleaned or (window.text == "all" and cleaned in ("previous", "year before")):
        return None
    if cleaned == "previous":
        return _before(window)
    if cleaned == "year before":
        other = Window(_back(window.first, 1, "year"), _back(window.last, 1, "year"), cleaned)
    else:
        other = read_window(cleaned, as_of=as_of, earliest=earliest)
    shares = "shares days with" if other.first <= window.last else "comes after"
    msg = f"compare_to is {text!r} ({other}), which {shares} the window ({window})."
    msg += ' Choose "previous", "year before" or an earlier window.'
    ParameterError.when(other.last >= window.first, msg)
    return other


def _before(window: Window) -> Window:
    last = window.first - timedelta(days=1)
    if rolling := _rolling(window.text, last):
        return Window(rolling.first, last, "previous")
    period = pd.Period(window.text)
    whole = _whole(period - 1)
    if window.last < _whole(period).last:  # of a period that is not over, as many days of the one before
        last = min(whole.first + (window.last - window.first), whole.last)
    return Window(whole.first, last, "previous")


def ending(window: Window, last: date, *, earliest: date) -> Window:
    """Move a window so that it ends on another day; one that holds all there is begins where it did.

    Examples
    --------
    >>> now = Window(date(2024, 7, 1), date(2025, 6, 30), "12 months")
    >>> print(ending(now, date(2024, 6, 30), earliest=date(2022, 1, 1)))
    1 July 2023 to 30 June 2024
    """
    if window.text == "all":
        return Window(earliest, last, window.text)
    return _rolling(window.text, last) or Window(last - (window.last - window.first), last, window.text)
