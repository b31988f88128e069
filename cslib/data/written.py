"""How dates and numbers in texts are written: in which format, and with which decimal sign.

Where two readings are possible, that is said and not decided in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 0.95  # of the values must be of one kind
NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
GROUPED: Final = r"^\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*$"  # 1.234, which may be 1234
SHORT: Final = r"^\s*([+-]?\d{1,3}\s*)?$"  # tells nothing of the sign of thousands
_CLOCK: Final = (
    r"(?P<gap>, | |T)?(?(gap)(?P<hour>\d{1,2}):\d{2}(?P<second>:\d{2})?(?P<part>\.\d{1,6})?(?P<noon> ?[AaPp][Mm])?)"
)
_FIGURES: Final = re.compile(rf"(?P<a>\d{{1,4}})(?P<sign>[-./])(?P<b>\d{{1,2}})(?P=sign)(?P<c>\d{{4}}|\d{{2}}){_CLOCK}")
_NAMED: Final = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<sign>[- ])(?P<b>[A-Za-z]{{3,9}})(?P=sign)(?P<c>\d{{4}}|\d{{2}}){_CLOCK}"
)
_NAMED_FIRST: Final = re.compile(rf"(?P<b>[A-Za-z]{{3,9}}) (?P<a>\d{{1,2}})(?P<sign>,?) (?P<c>\d{{4}}){_CLOCK}")
_ISO: Final = re.compile(  # as every engine reads it
    r"\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?( UTC)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
)
_FIXED: Final = {
    "%Y%m%d": re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "%Y-%m-%d %H:%M:%S %z": re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} [+-]\d{2}:?\d{2}"),
    "%Y-%m-%d %H:%M UTC": re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC"),
}
_PLAIN: Final = re.compile(NUMBER)
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
_CODES: Final = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|RON|BRL|MXN|CAD|AUD|NZD|JPY|CNY|INR|ZAR|TRY|ILS|SGD|HKD|AED"
COIN: Final = r"R\$|[$€£¥₹₩₽₺₴₦₫₪฿₱]|[Kk]r[.]?|Fr[.]?|zł|Kč|Ft|lei"  # signs of currencies
CODE_OF: Final = {"R$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY", "$": "USD"}
_HAND: Final = rf"\(?[+−-]?({COIN}|{_CODES})?[+−-]?(%s)({COIN}|{_CODES})?\)?-?"
_COMMA: Final = re.compile(_HAND % r"\d+(,\d+)?|\d{1,3}([.'’]\d{3})+(,\d+)?")
_POINT: Final = re.compile(_HAND % r"\d+(\.\d+)?|\d{1,3}([,'’]\d{2,3})*[,'’]\d{3}(\.\d+)?")
_BLANK: Final = re.compile(r"\s")
EPOCHS: Final = {  # what a number of days or seconds is called, and between which a business lies
    "excel": (20_000, 65_000),
    "unix": (600_000_000, 4_000_000_000),
    "unix_ms": (600_000_000_000, 4_000_000_000_000),
    "unix_us": (600_000_000_000_000, 4_000_000_000_000_000),
}


@dataclass(frozen=True)
class Form:
    """How values are written; ``other`` is the second way in which they could be read."""

    text: str = ""
    other: str = ""


def most(texts: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Tell whether nearly all texts are of a pattern."""
    return bool(texts) and sum(pattern.fullmatch(t) is not None for t in texts) >= MOST * len(texts)


def date_form(texts: Sequence[str]) -> Form | None:
    """Find the format in which dates are written.

    Examples
    --------
    >>> date_form(["2024-01-31", "2024-02-01 10:30"])
    Form(text='', other='')
    >>> date_form(["31.12.2024", "01.02.2025"]).text, date_form(["12/31/24 8:05", "1/2/25 9:00"]).text
    ('%d.%m.%Y', '%m/%d/%y %H:%M')
    >>> date_form(["04/03/2024", "02/11/2024", "05/05/2024"])
    Form(text='%d/%m/%Y', other='%m/%d/%Y')
    >>> date_form(["1.5", "Pro"]) is None
    True
    """
    if most(texts, _ISO):
        return Form()
    if fixed := next((form for form, pattern in _FIXED.items() if most(texts, pattern)), ""):
        return Form(fixed)
    for pattern in (_FIGURES, _NAMED, _NAMED_FIRST):
        matches = [m for m in map(pattern.fullmatch, texts) if m]
        if texts and len(matches) >= MOST * len(texts):
            return _order(matches) if pattern is _FIGURES else _with_names(matches, first=pattern is _NAMED_FIRST)
    return None


def _order(matches: list[re.Match[str]]) -> Form | None:
    """Tell which figure is the day and which the month."""
    sign = matches[0]["sign"]
    clock = _clock(matches)
    first, second = [int(m["a"]) for m in matches], [int(m["b"]) for m in matches]
    if clock is None or any(m["sign"] != sign for m in matches):
        return None
    if all(len(m["a"]) == 4 for m in matches):
        return Form(f"%Y{sign}%m{sign}%d{clock}") if max(second) <= 12 else None
    if any(len(m["c"]) == 1 or len(m["a"]) > 2 for m in matches):
        return None
    year = "%Y" if all(len(m["c"]) == 4 for m in matches) else "%y"
    days, months = f"%d{sign}%m{sign}{year}{clock}", f"%m{sign}%d{sign}{year}{clock}"
    if max(first) > 31 or max(second) > 31 or (max(first) > 12 and max(second) > 12):
        return None
    if max(first) > 12 or max(second) > 12:
        return Form(days if max(first) > 12 else months)
    return _either(matches, first, second, days, months)


def _either(matches: list[re.Match[str]], first: list[int], second: list[int], days: str, months: str) -> Form:
    """Decide where both readings are possible: by what is always the first, by the order of rows, by the sign."""
    years = [int(m["c"]) for m in matches]
    if len(set(years)) > 1 and (set(first) == {1}) != (set(second) == {1}):  # firsts of months
        return Form(days if set(first) == {1} else months)
    by_day, by_month = list(zip(years, second, first, strict=True)), list(zip(years, first, second, strict=True))
    if len(matches) > 9 and _sorted(by_day) != _sorted(by_month):
        return Form(days if _sorted(by_day) else months)
    if matches[0]["sign"] == ".":
        return Form(days)
    return Form(months, days) if matches[0]["noon"] else Form(days, months)


def _sorted(keys: list[tuple[int, int, int]]) -> bool:
    return keys in (sorted(keys), sorted(keys, reverse=True))


def _with_names(matches: list[re.Match[str]], *, first: bool) -> Form | None:
    words, clock = {m["b"].lower() for m in matches}, _clock(matches)
    short, long = words <= {m[:3] for m in MONTHS}, words <= set(MONTHS)
    if clock is None or not (short or long) or len({m["sign"] for m in matches}) > 1:
        return None
    month, year = "%b" if short else "%B", "%Y" if all(len(m["c"]) == 4 for m in matches) else "%y"
    sign = matches[0]["sign"]
    return Form(f"{month} %d{sign} {year}{clock}" if first else f"%d{sign}{month}{sign}{year}{clock}")


def _clock(matches: list[re.Match[str]]) -> str | None:
    """Format of the time of day; None where rows differ in it."""
    one = matches[0]
    if any(_shape(m) != _shape(one) for m in matches):
        return None
    if not one["hour"]:
        return ""
    noon = (" %p" if " " in one["noon"] else "%p") if one["noon"] else ""
    second, part = ":%S" if one["second"] else "", ".%f" if one["part"] else ""
    return f"{one['gap']}{'%I' if noon else '%H'}:%M{second}{part}{noon}"


def _shape(m: re.Match[str]) -> tuple[object, ...]:
    return (m["gap"], *(m[k] is None for k in ("hour", "second", "part", "noon")))


def number_form(texts: Sequence[str]) -> Form | None:
    """Find the decimal sign of numbers: empty where they are plain.

    Examples
    --------
    >>> number_form(["12.5", "-3"]).text, number_form(["12,50", "1.234,56"]).text, number_form(["$1,234.50"]).text
    ('', ',', '.')
    >>> number_form(["1,234", "2,500"])
    Form(text=',', other='.')
    >>> number_form(["a", "1"]) is None
    True
    """
    if most(texts, _PLAIN):
        return Form()
    bare = [_BLANK.sub("", t) for t in texts]
    comma, point = most(bare, _COMMA), most(bare, _POINT)
    if not comma and not point:
        return None
    if not (comma and point):
        return Form("," if comma else ".")
    return Form(".") if not any("," in t or "." in t for t in bare) else Form(",", ".")


def unclear(texts: Sequence[str]) -> bool:
    """Tell plain numbers whose point may separate thousands: three figures are behind it wherever there is one.

    Examples
    --------
    >>> unclear(["1.234", "950"]), unclear(["1.234", "1.5"]), unclear(["1.234", "4000"]), unclear(["0.125"])
    (True, False, False, False)
    """
    grouped = [re.search(GROUPED, t) is not None for t in texts]
    return any(grouped) and all(g or re.search(SHORT, t) for g, t in zip(grouped, texts, strict=True))


def epoch_form(texts: Sequence[str]) -> Form | None:
    """Tell numbers that count days (Excel) or seconds since 1970 from others.

    Examples
    --------
    >>> epoch_form(["1705312800"]).text, epoch_form(["45292", "45300.5"]).text, epoch_form(["12"])
    ('unix', 'excel', None)
    """
    if not most(texts, _PLAIN):
        return None
    values = [float(t) for t in texts if _PLAIN.fullmatch(t)]
    return next((Form(n) for n, (low, high) in EPOCHS.items() if low <= min(values) and max(values) <= high), None)
