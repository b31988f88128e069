"""How values are written for a reader: numbers, dates and texts, and what of a text may be published."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from html import escape
from typing import Final

import numpy as np
import pandas as pd

from cslib.errors import check_choice

# The rest of an address after ://, in plain text or in HTML.
ADDRESS: Final = re.compile(r"(?<=://)(?:(?!&(?:quot|[lg]t|#))[^\s<>\"'])+")
FIRM: Final = 30  # customers below which a rate is no headline, as in cslib.stats.intervals
LINK: Final = re.compile(r"\[([^\[\]]+)\]\(([a-z][a-z0-9_]*)((?:#[a-z0-9-]+)?)\)")
HALF_UP: Final = 1 + 1e-12  # times a value: a half is rounded away from 0 in whatever scale it is written
SCALES: Final = ((1e9, " bn"), (1e6, " M"), (1e3, " k"))  # of amounts that are shortened
NONE: Final = 1_000  # times a value: beside that it is none
LONG: Final = 9_995  # from which they are
# Between a number and its unit, the sign or the currency before it.
WITHIN: Final = re.compile(r"(?<=\d) (?=[%×]|(?:k|M|bn|points)\b)|(?:(?<=\b[A-Z]{3})|(?<=[<>≤≥≈])) (?=[−+]?\d)")
UNIT: Final = r" (%|×|points|months?|days?)$"
OF_ENOUGH: Final = f" among segments of {FIRM} customers or more"  # where a smaller one is further out
MAY_BE_SEASON: Final = "; with less than two years of data, this may be the season"


def _decimals(value: float, digits: str) -> str:
    """Format to the given decimals, with a true minus sign and no minus zero."""
    return f"{value:z{digits}}".replace("-", "−")


def _number(value: float) -> str:
    """Three significant digits below 1,000 and whole numbers above; whole values without decimals."""
    size = abs(value)
    if size >= 100 or float(value).is_integer():
        return _decimals(value, ",.0f")
    return _decimals(value, ".1f" if size >= 10 else ".2f" if size >= 0.1 else ".2g")


def _percent(value: float) -> str:
    """Round, but never to 0 % or 100 % what is not exactly that: all of them and nearly all are two things."""
    share = 100 * value
    size, sign = abs(share), "−" * (share < 0)
    if size in (0, 100):
        return f"{sign}{size:.0f} %"
    if size < 0.01:
        return f"{'>' if sign else '<'} {sign}0.1 %"
    text = _decimals(share, ".1f" if size >= 0.1 else ".2g")
    if text.endswith("100.0") and 99 < size < 101:
        text = f"{'>' if (size < 100) != bool(sign) else '<'} {sign}{'99.9' if size < 100 else '100.1'}"
    return f"{text} %"


def _points(value: float) -> str:
    text = _decimals(100 * value, ".1f")
    return f"{'' if text.startswith(('−', '0.0')) else '+'}{text} points"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else _decimals(value, ".3f" if value < 0.1 else ".2f")


def _months(value: float) -> str:
    text = _decimals(value, ".0f" if abs(value) >= 100 or float(value).is_integer() else ".1f")
    return f"{text} month" if text == "1" else f"{text} months"


def _days(value: float) -> str:
    text = _decimals(value, ",.0f" if abs(value) >= 10 or float(value).is_integer() else ".1f")
    return f"{text} day" if text == "1" else f"{text} days"


def _times(value: float) -> str:
    return f"{_decimals(value, ',.0f' if abs(value) >= 100 or float(value).is_integer() else '.1f')} ×"


def _amount(value: float) -> str:
    return _decimals(value, ",.0f" if abs(value) >= 1000 or float(value).is_integer() else ",.2f")


def _scale(value: float) -> tuple[float, str]:
    """Choose the scale of an amount; what rounds to a million is one."""
    return next(((step, text) for step, text in SCALES if abs(value) >= max(0.9995 * step, LONG)), (1.0, ""))


def _money(value: float) -> str:
    return _money_beside(value, value, _scale(value))


def _money_beside(value: float, other: float, scale: tuple[float, str], *, cents: int = 2) -> str:
    """Write an amount in a scale, to the digit to which another is written in it."""
    (step, letter), size = scale, abs(other / scale[0])
    cents *= not (float(value).is_integer() and float(other).is_integer())
    digits = (0 if size >= 99.95 else 1) if letter else 2 - math.floor(math.log10(size)) if size >= 100 else cents
    return _decimals(round(value / step * HALF_UP, digits), f",.{max(digits, 0)}f") + letter


UNITS: Mapping[str, Callable[[float], str]] = {
    "number": _number, "percent": _percent, "points": _points, "p_value": _p_value, "months": _months,
    "days": _days, "times": _times, "money": _money, "amount": _amount, "plain": lambda value: _decimals(value, ".15g"),
}  # fmt: skip


def format_value(value: float | None, unit: str = "number", currency: str = "") -> str:
    """Write a number as a reader wants it, never more precise than needed.

    Parameters
    ----------
    value
        The number; None and NaN are "not measured".
    unit
        "number"; "percent" for a share 0 to 1; "points" for a difference of shares; "p_value"; "months"; "days";
        "times"; "money" (three digits: 4,350, 412 k); "amount" (money in full, for tables); "plain" (as it is, for
        years and codes).
    currency
        Code put before "money" and "amount".

    Returns
    -------
    str
        The text, not escaped.

    Raises
    ------
    ParameterError
        The unit is none of those.

    Examples
    --------
    >>> format_value(0.8431, "percent"), format_value(35, "months"), format_value(411_800, "money", "USD")
    ('84.3 %', '35 months', 'USD 412 k')
    >>> format_value(1204), format_value(5.947), format_value(-0.3), format_value(104.8, "amount")
    ('1,204', '5.95', '−0.30', '104.80')
    >>> format_value(2025, "plain"), format_value(None)
    ('2025', 'not measured')
    >>> format_value(0.098, "points"), format_value(0.00004, "p_value"), format_value(0.034, "p_value")
    ('+9.8 points', '< 0.001', '0.034')
    """
    check_choice("unit", unit, UNITS)
    if value is None or math.isnan(value):
        return "not measured"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{currency if unit in ('money', 'amount') else ''} {UNITS[unit](float(value))}".strip()


def format_interval(
    lower: float | None, upper: float | None, unit: str = "number", *, value: float | None = None
) -> str:
    """Write the two ends of an interval, in the unit and at the precision of the value that stands beside it.

    Parameters
    ----------
    lower, upper
        The ends.
    unit
        A unit of `format_value`.
    value
        The value; None where it is not known: then each end is as precise as a value of its size.

    Returns
    -------
    str
        Without the name of the unit; empty where an end is missing.

    Examples
    --------
    >>> format_interval(0.063, 0.132, "points"), format_interval(33, 37, "months"), format_interval(None, 1)
    ('6.3 to 13.2', '33 to 37', '')
    >>> format_interval(73.85, 114.2, "money", value=92.32), format_interval(7_610, 10_030, "money", value=8_790)
    ('73.85 to 114.20', '7,610 to 10,030')
    """
    ends = [e for e in (lower, upper) if e is not None and not math.isnan(e)]
    beside = value if value is not None and math.isfinite(value) else None
    texts = [re.sub(UNIT, "", written_beside(e, unit, beside)).removeprefix("+") for e in ends]
    return from_to(*texts) if len(texts) == 2 else ""


def from_to(lower: str, upper: str) -> str:
    """Write two ends of an interval, the letter of their scale once if they share it.

    Examples
    --------
    >>> from_to("22.6 M", "26.3 M"), from_to("388 k", "1.2 M")
    ('22.6 to 26.3 M', '388 k to 1.2 M')
    """
    shared = next((letter for _, letter in SCALES if lower.endswith(letter) and upper.endswith(letter)), "")
    return f"{lower.removesuffix(shared)} to {upper}"


def written_beside(end: float, unit: str, value: float | None) -> str:
    """Write an end of an interval, or what else stands beside a value, to the digit to which that is written.

    Examples
    --------
    >>> written_beside(4.8, "number", 11.87), written_beside(0.2, "percent", 0.3)
    ('4.8', '20.0 %')
    >>> written_beside(38, "number", 61), written_beside(38, "number", 61.4)
    ('38', '38.0')
    """
    if value is None or not math.isfinite(end) or unit not in ("number", "money") or abs(value) < 0.1:
        return format_value(end, unit)
    if unit == "money":
        return _money_beside(end, value, _scale(value))
    counts = float(value).is_integer() and float(end).is_integer()
    return _decimals(end, f",.{0 if counts or abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f")


def format_day(iso: str) -> str:
    """Write the day of an ISO date or time stamp for a reader.

    Examples
    --------
    >>> format_day("2025-07-01T06:00:12Z")
    '1 July 2025'
    """
    day = date.fromisoformat(iso[:10])
    return f"{day.day} {day:%B %Y}"


def inline(text: str) -> str:
    """Escape a text and turn its ``**bold**`` and its ``[links](report#section)`` to sections of reports into HTML.

    A link is bound to a page when the reports stand together, see :func:`cslib.report.publish.bound`.

    Examples
    --------
    >>> inline("**three** of <all>")
    '<strong>three</strong> of &lt;all&gt;'
    >>> inline("[What is kept?](revenue#what-is-kept)")
    '<a href="revenue.html#what-is-kept" data-to="revenue#what-is-kept">What is kept?</a>'
    """
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(unbroken(text)))
    return LINK.sub(lambda m: f'<a href="{m[2]}.html{m[3]}" data-to="{m[2]}{m[3]}">{m[1]}</a>', bold)


def as_many(ratio: float) -> str:
    """Write how many times one thing is another, telling it from 1 and from 0.

    Examples
    --------
    >>> [as_many(r) for r in (23.4, 2.0, 1.597, 1.03, 0.9, 0.04)]
    ['23', '2.0', '1.6', '1.03', '0.9', '0.04']
    """
    digits = ".0f" if ratio >= 9.95 else ".1f" if ratio >= 1.05 else ".2f" if ratio >= 0.95 else ".2g"
    return format(ratio, digits)


def literal(name: str) -> str:
    """Keep :func:`inline` from reading marks into a name, such as that of a segment: a joiner parts them, unseen.

    Examples
    --------
    >>> inline(f"**{literal('**Pro** [a](b)')}** leads").replace(chr(0x2060), "")
    '<strong>**Pro** [a](b)</strong> leads'
    """
    return re.sub(r"(?<=\*)(?=\*)|(?<=\])(?=\()", "\N{WORD JOINER}", name)


def plain(text: str) -> str:
    """Take the markup of :func:`inline` out of a text.

    Examples
    --------
    >>> plain("**NRR is 89 %**. [What is kept?](revenue#what-is-kept)")
    'NRR is 89 %. What is kept?'
    """
    return LINK.sub(r"\1", text.replace("**", ""))


def unbroken(text: str) -> str:
    r"""Keep every amount of a text on one line: a number with its unit, its currency and the sign before it.

    Examples
    --------
    >>> unbroken("< 0.1 % of USD 5.2 M a month").split(" ")
    ['<\xa00.1\xa0%', 'of', 'USD\xa05.2\xa0M', 'a', 'month']
    """
    return WITHIN.sub("\N{NO-BREAK SPACE}", text)


def percent(share: float) -> str:
    """Write a share as a percentage for a sentence: whole above 10 %, one decimal below.

    Examples
    --------
    >>> percent(0.6149), percent(0.0416), percent(0.9987)
    ('61 %', '4.2 %', '99.9 %')
    """
    whole = f"{100 * share:.0f} %"
    return whole if share >= 0.0995 and (whole != "100 %" or share == 1) else format_value(share, "percent")


def money(value: float, currency: str = "") -> str:
    """Write an amount for a sentence with three digits that count, in full below ten thousand.

    Examples
    --------
    >>> money(4352.71, "USD"), money(23.456), money(17_237_290.0)
    ('USD 4,350', '23.46', '17.2 M')
    """
    return format_value(value, "money", currency)


def alike(values: Iterable[float], *, beside: Iterable[float] = ()) -> list[str]:
    """Write amounts that stand together in one scale: that of the smallest, unless it is none beside the largest.

    Parameters
    ----------
    values
        The amounts.
    beside
        Amounts beside which they stand, such as the values whose intervals they bound: written as precisely in their
        scale. Empty: they stand by themselves.

    Examples
    --------
    >>> alike([11_650.0]), alike([11_650.0, 9_950.5])  # a half is rounded alike in each scale
    (['11.7 k'], ['11,700', '9,950'])
    >>> alike([11_412.0, 7_756.0]), alike([1_295_285.0, 112_683.0]), alike([2_000_000.0, 3.0])
    (['11,400', '7,760'], ['1,295 k', '113 k'], ['2.0 M', '3'])
    >>> alike([1_003_214.0, 87_960.0], beside=[1_295_285.0, 121_528.0]), alike([443.2, 92.32])
    (['1,003 k', '88 k'], ['443', '92'])
    """
    each = list(values)
    others = list(beside) or each
    sizes = [abs(v) for v in others if math.isfinite(v) and v]
    low, high = (min(sizes), max(sizes)) if sizes else (0.0, 0.0)
    shared = _scale(low) if high < NONE * low else None
    cents = 0 if low >= 10 and high >= 100 else 2
    pairs = zip(each, others, strict=True)
    return [
        _money_beside(v, o, shared or _scale(o), cents=cents) if math.isfinite(v + o) else format_value(v, "money")
        for v, o in pairs
    ]


def between(lower: float, upper: float) -> str:
    """Write an interval of shares for a sentence.

    Examples
    --------
    >>> between(0.58, 0.667)
    '58 to 67 %'
    """
    return f"{percent(lower).removesuffix(' %')} to {percent(upper)}"


def p_value(p: float) -> str:
    """Write a p-value for a sentence.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00001)
    ('= 0.031', 'below 0.001')
    """
    return "not known" if np.isnan(p) else "below 0.001" if p < 0.001 else f"= {p:.3f}"


def months(value: float) -> str:
    """Write an age or a span in months, to one decimal."""
    text = f"{value:.1f}".removesuffix(".0").replace("-", "−")
    return f"{text} month" if text == "1" else f"{text} months"


def in_full(amounts: pd.Series[float]) -> pd.Series[float]:
    """Round amounts from 100 on, so that they have no decimals in a table."""
    return amounts.where(amounts.abs() < 100, amounts.round())


def whole(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows of all customers together."""
    return table[table["segment"] == "All"]


def without_secrets(text: str) -> str:
    """Take credentials and query out of every address in a text.

    Examples
    --------
    >>> without_secrets("No answer from https://joe:secret@db.example/shop?token=x, sorry.")
    'No answer from https://db.example/shop, sorry.'
    """
    return ADDRESS.sub(lambda address: bare_address(address[0]), text)


def bare_address(address: str) -> str:
    """Take credentials and query out of what follows the :// of an address."""
    if re.search(r"\?.*@", address, re.S):  # an @ in the query, or a ? in the password: nobody knows
        return "…"
    user = re.match(r"[^/:@]*:.*@|[^/@]*@", address, re.S)
    return re.sub(r"\?.*?(?=[.,;:)]*\Z)", "", address[user.end() if user else 0 :], flags=re.S)
