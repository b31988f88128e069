"""The line of ``cslib.toml`` that mends a fault, told from the first values that have it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cslib.data.contract import CONTRACT, ENDS, plain_name
from cslib.data.reading import Reading
from cslib.data.written import date_form, number_form

PLAIN: Final = Reading()
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
    >>> line_to_write("amount", "unreadable", ["1,234", "2,500"], "orders")
    'Set decimal = "." if 1,234 is 1234, and decimal = "," if it is 1.234, in [orders] of cslib.toml'
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
        return _number_line([v.strip() for v in values], where)
    return ""


def _number_line(values: list[str], where: str) -> str:
    """Give the decimal sign, or both where nothing tells it."""
    form = number_form(values)
    if form is None or not form.other:
        sign = form.text if form and form.text else "," if any(map(COMMA.fullmatch, values)) else "."
        return f'Set decimal = "{sign}" {where}'
    text = next(v for v in values if re.search("[.,]", v))
    whole, parts = re.sub(r"[^\d]", "", text), re.sub(r"[^\d.,]", "", text).replace(",", ".")
    point, comma = (whole, parts) if "," in text else (parts, whole)
    return f'Set decimal = "." if {text} is {point}, and decimal = "," if it is {comma}, {where}'


def _date_line(column: str, values: list[str], where: str, known: str) -> str:
    if known.startswith("unix") and all(re.fullmatch(r"\d{12,}", v.strip()) for v in values):
        return f'Set date_format = "{"unix_ms" if len(values[0].strip()) < 15 else "unix_us"}" {where}'
    formats = [] if known else [*_formats(values)]
    if formats:
        return f"Set date_format = {' or '.join(f'{chr(34)}{f}{chr(34)}' for f in dict.fromkeys(formats))} {where}"
    words = [v for v in values if not re.search(r"\d", v)]
    return _not_yet(words, where) if column in ENDS.values() and words else ""


def _formats(values: list[str]) -> Iterator[str]:
    """Give the formats in which dates could be read: all by one, or else each by its own."""
    texts = [v.strip() for v in values]
    forms = [form] if (form := date_form(texts)) else sorted(filter(None, (date_form([t]) for t in texts)), key=str)
    yield from (f for form in forms for f in (form.text, form.other) if f)


def _not_yet(values: list[str], where: str) -> str:
    listed = ", ".join(f'"{v}"' for v in dict.fromkeys(v.strip() for v in values))
    return f"If it stands for not yet, set null_values = [{listed}] {where}"


def _meanings(values: list[str], choices: tuple[str, ...]) -> str:
    words = dict.fromkeys(v.strip() for v in values)
    return ", ".join(f'"{w}" = "{plain_name(w) if plain_name(w) in choices else "…"}"' for w in words)
