"""The line of ``cslib.toml`` that mends a fault, told from the first values that have it."""

from __future__ import annotations

import re
from typing import Final

from cslib.data.contract import CONTRACT, ENDS

DAY_FIRST: Final = ("%d", "%m")
DATE: Final = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?)( ?[AaPp][Mm])?)?")
COMMA: Final = re.compile(r"[^,]*\d,\d{1,2}\D*|.*\d\.\d{3},\d+.*|\d{1,3}(\.\d{3}){2,}\D*")


def line_to_write(column: str, rule: str, values: list[str], table: str) -> str:
    """Give the key that mends what cannot be read, with its value, to begin a sentence; empty where none is known.

    Examples
    --------
    >>> line_to_write("ordered_on", "unreadable", ["31.12.2024", "01.02.2025"], "orders")
    'Set date_format = "%d.%m.%Y" in [orders] of cslib.toml'
    >>> line_to_write("amount", "unreadable", ["12,50", "1.234,56"], "orders")
    'Set decimal = "," in [orders] of cslib.toml'
    >>> line_to_write("churned_on", "unreadable", ["offen"], "customers")
    'If it stands for not yet, set null_values = ["offen"] in [customers] of cslib.toml'
    """
    if rule != "unreadable" or not values:
        return ""
    where = f"in [{table}] of cslib.toml"
    spec = CONTRACT[table].get(column)
    if spec is not None and spec.dated:
        if formats := sorted({f for f in map(guessed_format, values) if f}):
            return f"Set date_format = {' or '.join(f'{chr(34)}{f}{chr(34)}' for f in formats)} {where}"
        words = [v for v in dict.fromkeys(v.strip() for v in values) if not re.search(r"\d", v)]
        if column in ENDS.values() and words:
            listed = ", ".join(f'"{w}"' for w in words)
            return f"If it stands for not yet, set null_values = [{listed}] {where}"
        return ""
    if re.search(r"\d", values[0]):
        return f'Set decimal = "{"," if any(map(COMMA.fullmatch, values)) else "."}" {where}'
    return ""


def guessed_format(text: str) -> str:
    """Guess how a date is written; of day and month, what can only be one of them decides, else the separator.

    Examples
    --------
    >>> [guessed_format(t) for t in ("31/12/2024", "12/31/24 8:05 PM", "2024/12/31", "1.2.2025", "soon")]
    ['%d/%m/%Y', '%m/%d/%y %I:%M %p', '%Y/%m/%d', '%d.%m.%Y', '']
    """
    found = DATE.fullmatch(text.strip())
    if not found:
        return ""
    first, sign, second, third, clock, half = found.groups()
    if len(first) == 4:
        day = f"%Y{sign}%m{sign}%d"
    elif len(third) in (2, 4):
        american = int(second) > 12 or (sign == "/" and int(first) <= 12)
        ahead = "%m{0}%d{0}" if american else "%d{0}%m{0}"
        day = ahead.format(sign) + ("%Y" if len(third) == 4 else "%y")
    else:
        return ""
    hours = {0: "", 1: " %I:%M" if half else " %H:%M", 2: " %I:%M:%S" if half else " %H:%M:%S"}
    return day + hours[(clock or "").count(":")] + (" %p" if half else "")
