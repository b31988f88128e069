"""How numbers are written for a reader: in cards, tables and sentences alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from cslib.errors import ParameterError, did_you_mean

__all__ = ["format_value"]


def _decimals(value: float, digits: str) -> str:
    """Format to the given decimals, with a true minus sign and no minus zero."""
    text = format(value, digits)
    if not any(c in "123456789" for c in text):
        text = text.removeprefix("-")
    return text.replace("-", "−")


def _number(value: float) -> str:
    """Three significant digits below 1,000 and whole numbers above; whole values without decimals."""
    size = abs(value)
    if size >= 100 or float(value).is_integer():
        return _decimals(value, ",.0f")
    return _decimals(value, ".1f" if size >= 10 else ".2f" if size >= 0.1 else ".2g")


def _percent(value: float) -> str:
    share = 100 * value
    if share in (0, 100):
        return _decimals(share, ".0f") + " %"
    return _decimals(share, ".1f" if abs(share) >= 0.1 else ".2g") + " %"


def _points(value: float) -> str:
    text = _decimals(100 * value, "+.1f")
    return f"{text.removeprefix('+') if text == '+0.0' else text} points"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else _decimals(value, ".3f" if value < 0.1 else ".2f")


def _months(value: float) -> str:
    text = _decimals(value, ".0f" if abs(value) >= 10 or float(value).is_integer() else ".1f")
    return f"{text} month" if text == "1" else f"{text} months"


def _amount(value: float) -> str:
    return _decimals(value, ",.0f" if abs(value) >= 1000 or float(value).is_integer() else ",.2f")


def _money(value: float) -> str:
    for step, letter in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= step and abs(value) >= 9_999.5:
            scaled = value / step
            return _decimals(scaled, ",.0f" if abs(scaled) >= 99.95 else ",.1f") + letter
    return _amount(value)


UNITS: Mapping[str, Callable[[float], str]] = {
    "number": _number,
    "percent": _percent,
    "points": _points,
    "p_value": _p_value,
    "months": _months,
    "money": _money,
    "amount": _amount,
    "plain": lambda value: _decimals(value, ".15g"),
}


def format_value(value: float | None, unit: str = "number", currency: str = "") -> str:
    """Write a number as a reader wants it, never more precise than needed.

    Parameters
    ----------
    value
        The number; None and NaN are "not measured".
    unit
        "number"; "percent" for a share 0 to 1; "points" for a difference of shares; "p_value"; "months";
        "money" (shortened: 412 k); "amount" (money in full, for tables); "plain" (as it is, for years and codes).
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
    if unit not in UNITS:
        message = f"There is no unit {unit!r}. {did_you_mean(unit, UNITS)}"
        raise ParameterError(message)
    if value is None or math.isnan(value):
        return "not measured"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{currency if unit in ('money', 'amount') else ''} {UNITS[unit](value)}".strip()
