"""The line of ``cslib.toml`` that mends a fault, told from the first values that have it."""

from __future__ import annotations

import re
from typing import Final

from cslib.data.contract import CONTRACT, ENDS, plain_name
from cslib.data.reading import Reading

PLAIN: Final = Reading()
DATE: Final = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?)( ?[AaPp][Mm])?)?")
COMMA: Final = re.compile(r"[^,]*\d,\d{1,2}\D*|.*\d\.\d{3},\d+.*|\d{1,3}(\.\d{3}){2,}\D*")


def line_to_write(column: str, rule: str, values: list[str], table: str, reading: Reading = PLAIN) -> str:
    """Give the key that mends a fault, with its value, to begin a sentence; empty where none is known.

    What ``reading`` has set already is not advised otherwise: the other rows are read by it.

    Examples
    --------
    >>> line_to_write("ordered_on", "unreadable", ["31.12.2024", "01.02.2025"], "orders")
    'Set date_format = "%d.%m.%Y" in [orders] of cslib.toml'
    >>> line_to_write("amount", "unreadable", ["12,50", "1.234,56"], "orders")
    'Set decimal = "," in [orders] of cslib.toml'
    >>> line_to_write("churned_on", "unreadable", ["offen"], "customers")
    'If it stands for not yet, set null_values = ["offen"] in [customers] of cslib.toml'
    >>> line_to_write("kind", "unknown word", ["one-off", "abo"], "invoices")
    'Say what they mean: labels = { kind = { "one-off" = "one_off", "abo" = "…" } } in [invoices] of cslib.toml'
    """
    spec = CONTRACT[table].get(column)
    if not values or spec is None:
        return ""
    where = f"in [{table}] of cslib.toml"
    if rule == "unknown word":
        return f"Say what they mean: labels = {{ {column} = {{ {_meanings(values, spec.choices)} }} }} {where}"
    if rule == "impossible date" and column in ENDS.values():
        return _not_yet(values, where)
    if rule == "unreadable" and spec.dated:
        return _date_line(column, values, where, reading.date_format)
    if rule == "unreadable" and spec.kind == "number" and not reading.decimal and re.search(r"\d", values[0]):
        return f'Set decimal = "{"," if any(map(COMMA.fullmatch, values)) else "."}" {where}'
    return ""


def _date_line(column: str, values: list[str], where: str, known: str) -> str:
    if known.startswith("unix") and all(re.fullmatch(r"\d{12,}", v.strip()) for v in values):
        return f'Set date_format = "{"unix_ms" if len(values[0].strip()) < 15 else "unix_us"}" {where}'
    formats = sorted({f for f in map(guessed_format, values) if f})
    if formats and not known:
        return f"Set date_format = {' or '.join(f'{chr(34)}{f}{chr(34)}' for f in formats)} {where}"
    words = [v for v in values if not re.search(r"\d", v)]
    return _not_yet(words, where) if column in ENDS.values() and words else ""


def _not_yet(values: list[str], where: str) -> str:
    listed = ", ".join(f'"{v}"' for v in dict.fromkeys(v.strip() for v in values))
    return f"If it stands for not yet, set null_values = [{listed}] {where}"


def _meanings(values: list[str], choices: tuple[str, ...]) -> str:
    words = dict.fromkeys(v.strip() for v in values)
    return ", ".join(f'"{w}" = "{plain_name(w) if plain_name(w) in choices else "…"}"' for w in words)


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
