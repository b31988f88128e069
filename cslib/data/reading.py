"""How the text of a source is read: words that stand for nothing or for something else, numbers by hand, flags.

Nothing here touches data. :func:`as_meant` puts what words stand for in their place, :func:`typed` turns a raw Ibis
column into the expression of the canonical one, null where the value cannot be read, and :func:`monthly` takes the
price of a year or a week for that of a month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import ibis
import ibis.expr.types as ir

from cslib.data.contract import FIRST_YEAR, LAST_YEAR, ROW, Column
from cslib.data.engine import EXACT
from cslib.data.moments import moment
from cslib.data.texts import blank, cast, filled, guarded
from cslib.data.written import CODE_OF, COIN, NUMBER
from cslib.errors import DataError

TRUE_VALUES: Final = ("true", "yes", "y", "t", "1")
FALSE_VALUES: Final = ("false", "no", "n", "f", "0")
SURE_NUMBER: Final = r"^[+-]?(\d{1,99}\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
NOTHING: Final = (  # what stands for no date yet, whatever its case
    *("null", "n/a", "#n/a", "na", "\\n", "none", "nil", "nan", "nat", "-", "--", "0000-00-00", "0000-00-00 00:00:00"),
    *("9999-12-31", "9999-12-31 00:00:00", "9999-12-31t00:00:00"),
)
BLANKS: Final = "[ \t\u00a0\u2009\u202f'’]"  # between the digits of a number
_COIN: Final = rf"([A-Z]{{1,3}}[$]?|{COIN})?"  # of a currency: any code, and any sign
_AROUND: Final = rf"^\(?[+−-]?{_COIN}[+−-]?(%s){_COIN}\)?[+−-]?$"
BY_HAND: Final = {  # the decimal sign, and the numbers that go with it, blanks left out
    ".": _AROUND % r"(\d+|\d{1,3}(,\d{2,3})*,\d{3})(\.\d*)?|\.\d+",
    ",": _AROUND % r"(\d+|\d{1,3}(\.\d{3})+)(,\d*)?|,\d+",
}
DAY: Final = 12 / 365.25  # of a month
PERIODS: Final = {  # how many months a price is for, and the words that say so
    "day": (DAY, "days daily d tag täglich jour día dia giorno"),
    "week": (7 * DAY, "weeks weekly w woche wöchentlich semaine semana settimana"),
    "month": (
        1.0,
        "months monthly mo m monat monate monatlich mois mensuel mensuelle mes meses mensual mês mensal mese mesi "
        "mensile maand maandelijks månad måned",
    ),
    "quarter": (3.0, "quarters quarterly q quartal vierteljährlich trimestre trimestriel trimestral kwartaal"),
    "half-year": (
        6.0,
        "half-yearly halfyear semiannual semi-annual semiannually biannual halbjahr halbjährlich semestre semestral",
    ),
    "year": (
        12.0,
        "years yearly annual annually annum yr y jahr jahre jährlich an ans annuel annuelle année año años anual ano "
        "anos anno anni annuale jaar jaarlijks år",
    ),
}
AHEAD: Final = r"^(every |per |each |/ ?|p)? *\d* *[_-]?"  # of the word, in "every 3 months" or "P3M"


@dataclass(frozen=True)
class Reading:
    """How the raw text of one table is to be read (the options of its section in ``cslib.toml``)."""

    date_format: str = ""
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    inverted: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    decimal: str = ""
    null_values: tuple[str, ...] = ()
    labels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    timezone: str = "UTC"
    currency: str = ""


def with_constants(name: str, table: ir.Table, values: Mapping[str, Any]) -> ir.Table:
    """Add the columns that have one value for all rows.

    Raises
    ------
    DataError
        The table has one of them itself.
    """
    there = {c.lower(): c for c in table.columns}
    for column in values:
        own = there.get(column.lower())
        msg = f"{name} has a column {own!r} itself, and values gives it one value for all rows. Leave it out there, "
        DataError.when(own, f"{msg}or name the column of the source otherwise.")
    return table.mutate(**{c: ibis.literal(v) for c, v in values.items()}) if values else table


def as_meant(table: ir.Table, spec: Mapping[str, Column], reading: Reading) -> ir.Table:
    """Put what words stand for in their place: nothing, or another word or number.

    Parameters
    ----------
    table
        A table of the contract, its columns renamed.
    spec
        Its columns by the contract.
    reading
        ``null_values`` and ``labels`` of it.
    """
    known = {c: _meant(table[c], spec.get(c), reading, c) for c in table.columns if c != ROW}
    changed = {c: value for c, value in known.items() if value is not None}
    return table.mutate(**changed) if changed else table


def _meant(raw: ir.Value, column: Column | None, reading: Reading, name: str) -> ir.Value | None:
    """Give a column with its words replaced, or nothing where all stay."""
    late = column is not None and column.dated and column.nullable and raw.type().is_string()
    words = [w.strip().lower() for w in (*reading.null_values, *NOTHING * late)]
    labels = {k.strip().lower(): _written(v) for k, v in reading.labels.get(name, {}).items()}
    if not words and not labels:
        return None
    text = raw.cast("string").strip().lower()
    if labels:
        raw = ibis.cases(*((text == word, value) for word, value in labels.items()), else_=raw.cast("string"))
    return ibis.ifelse(text.isin(words), ibis.null(raw.type()), raw) if words else raw


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def months_of(raw: ir.Value) -> ir.FloatingValue:
    """Months of a period in words, such as ``year`` or ``every 3 months``, or as a number of months; else null."""
    text = raw.cast("string").strip().lower()
    count = text.re_extract(r"(\d+)", 1).nullif("").cast("float64").fill_null(1.0)
    word = text.re_replace(AHEAD, "").strip()
    known = [(word.isin([name, *words.split()]), months) for name, (months, words) in PERIODS.items()]
    number = text.re_search(r"^\d{1,3}(\.0)?$")
    months = ibis.cases((number, 1.0), *known, else_=ibis.null("float64")) * count
    return ibis.ifelse(months > 0, months, ibis.null("float64"))


def monthly(table: ir.Table, unit: str) -> ir.Table:
    """Take the prices of a period, one for all or as a column says, for those of a month.

    A month is a twelfth of a year of 365.25 days.
    """
    if not unit or "mrr" not in table.columns:
        return table
    months = ibis.literal(PERIODS[unit][0]) if unit in PERIODS else months_of(table[unit])
    return table.mutate(mrr=table.mrr / months)


def typed(raw: ir.Value, column: Column, reading: Reading, *, try_cast: bool, name: str = "") -> ir.Value:
    """Turn a raw column into the typed one: null where it is empty or cannot be read.

    Parameters
    ----------
    raw
        The column as the source has it.
    column
        What the contract says of it.
    reading
        The options of the table.
    try_cast
        Whether the engine has ``TRY_CAST``; without it only what surely is a number or a day of the calendar is cast.
    name
        Of the column, which options may name.

    Returns
    -------
    ibis.expr.types.Value
        Text for ids and texts, ``date``, ``timestamp`` without zone, ``float64`` or ``boolean``.
    """
    if column.kind == "id":
        return _identifier(raw)
    if column.kind == "number":
        return _number(raw, reading.decimal, try_cast)
    if column.kind == "flag":
        return ~_flag(raw, reading) if name in reading.inverted else _flag(raw, reading)
    if column.kind == "text":
        text = filled(raw)
        return text.lower() if column.choices else text
    read = moment(raw, reading.date_format, reading.timezone, try_cast=try_cast)
    return read if column.kind == "time" else read.cast("date")


def possible(value: ir.Value, column: Column) -> ir.Value:
    """Take out dates and times outside the years that a business can have."""
    if not column.dated:
        return value
    return ibis.ifelse(value.year().between(FIRST_YEAR, LAST_YEAR), value, ibis.null(value.type()))


def _identifier(raw: ir.Value) -> ir.Value:
    """Text of an id; null for a number too large to be told from its neighbours."""
    kind = raw.type()
    if kind.is_floating():
        exact = ~raw.isnan() & (raw.abs() < EXACT)
        return ibis.ifelse(exact, _whole(raw).coalesce(raw.cast("string")), ibis.null("string"))
    if kind.is_decimal():
        return raw.cast("string").re_replace(r"\.0+$", "")
    text = raw.cast("string")
    return ibis.ifelse(blank(text), ibis.null("string"), text)


def _whole(raw: ir.NumericValue) -> ir.StringValue:
    """Text of a whole number, null for any other."""
    inside = ibis.ifelse(raw.cast("float64").abs() < EXACT, raw, ibis.null(raw.type()))
    return ibis.ifelse(inside == inside.floor(), inside.cast("int64").cast("string"), ibis.null("string"))


def _number(raw: ir.Value, decimal: str, try_cast: bool) -> ir.Value:
    if raw.type().is_string():
        text = _by_hand(raw, decimal) if decimal else filled(raw)
        number = guarded(text, text.re_search(NUMBER if try_cast else SURE_NUMBER))
        value = cast(number, "float64", try_cast=try_cast)
    elif raw.type().is_numeric() or raw.type().is_boolean():
        value = raw.cast("float64")
    else:
        return ibis.null("float64")
    return ibis.ifelse(value.isnan() | value.isinf(), ibis.null(), value)


def _by_hand(raw: ir.StringValue, decimal: str) -> ir.StringValue:
    """Write a number as a machine would: no currency, no thousands, its minus ahead, its decimals by a point."""
    text, thousands = raw.re_replace(BLANKS, ""), "," if decimal == "." else "."
    digits = text.re_extract(BY_HAND[decimal], 2).nullif("").replace(thousands, "").replace(",", ".")
    return ibis.ifelse(text.re_search("[(−-]"), ibis.literal("-") + digits, digits)


def coin_of(raw: ir.StringValue) -> ir.StringValue:
    """Give the sign of the currency beside an amount, the same for dollars, euros and pounds by sign and by code."""
    bare = raw.re_replace(BLANKS, "").re_replace(r"[0-9.,+()−-]", "").upper()
    known = {"US$": "$", **{code: sign for sign, code in CODE_OF.items()}}
    named = ibis.cases(*((bare == code, sign.upper()) for code, sign in known.items()), else_=bare)
    return ibis.ifelse(raw.re_search(r"\d"), named, ibis.null("string")).nullif("")


def _flag(raw: ir.Value, reading: Reading) -> ir.Value:
    if raw.type().is_boolean():
        return raw
    number = raw.type().is_floating() or raw.type().is_decimal()
    text = _whole(raw) if number else filled(raw).lower()
    true = [v.lower() for v in reading.true_values] or list(TRUE_VALUES)
    false = [v.lower() for v in reading.false_values] or [v for v in FALSE_VALUES if v not in true]
    return ibis.cases((text.isin(true), True), (text.isin(false), False), else_=ibis.null("boolean"))
