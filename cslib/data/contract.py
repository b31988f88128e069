"""The data contract: what each table holds, and how a raw column becomes a typed one.

Nothing here touches data. ``CONTRACT`` says which columns a table has; :func:`typed` turns a raw
Ibis column into the expression of the canonical one, null where the value cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import ibis
import ibis.expr.types as ir

from cslib.errors import ParameterError

Kind = Literal["id", "date", "time", "number", "flag", "text"]
OWN: Final = "__cslib_"  # what columns added on the way are called, until the table is canonical
ROW: Final = OWN + "row"
TRUE_VALUES: Final = ("true", "yes", "y", "t", "1")
FALSE_VALUES: Final = ("false", "no", "n", "f", "0")
SCALES: Final = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 10)}
NPS_LABELS: Final = ("promoter", "passive", "detractor")
FIRST_YEAR, LAST_YEAR = 1900, 2199
EXACT: Final = 2.0**53  # from here on floats skip whole numbers
ISO_DATE: Final = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?$"
_CLOCK: Final = r"[T ](([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?|24:00(:00)?)(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)?"
SURE_DATE: Final = rf"^(\d{{4}})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])({_CLOCK})?$"  # but for short months
SHORT_MONTH: Final = r"^\d{4}-(0?[469]-31|11-31|0?2-3[01])"
NOT_BLANK: Final = "[^ \t\n\r\v\f]"
SURE_NUMBER: Final = r"^[+-]?(\d{1,99}\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
DIRECTIVES: Final = {
    "%Y": r"(\d{4})",
    **dict.fromkeys(("%m", "%d", "%H"), r"(\d{1,2})"),
    **dict.fromkeys(("%M", "%S"), r"(\d{2})"),
}


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    ``required``: the table must have it; ``nullable``: a row may leave it empty; ``minimum`` bounds a
    number; ``choices`` lists the words a text may hold.
    """

    kind: Kind
    required: bool = True
    nullable: bool = False
    minimum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def dated(self) -> bool:
        """Whether it holds a date or a time."""
        return self.kind in ("date", "time")


@dataclass(frozen=True)
class Reading:
    """How the raw text of one table is to be read (the options of its section in ``cslib.toml``)."""

    date_format: str = ""
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


_ID = Column("id")
_DAY = Column("date")
_END = Column("date", nullable=True)
_PRICE = Column("number", required=False, nullable=True, minimum=0)
CONTRACT: Final[dict[str, dict[str, Column]]] = {
    "customers": {
        "customer_id": _ID, "started_on": _DAY, "churned_on": _END,
        "churn_kind": Column("text", required=False, nullable=True, choices=("voluntary", "involuntary")),
        "acquisition_cost": _PRICE, "mrr": _PRICE,
    },
    "subscriptions": {"customer_id": _ID, "started_on": _DAY, "ended_on": _END, "mrr": Column("number", minimum=0)},
    "orders": {
        "customer_id": _ID, "ordered_on": _DAY, "amount": Column("number"),
        "kind": Column("text", required=False, nullable=True, choices=("new", "renewal", "upsell", "cross_sell")),
    },
    "usage": {"customer_id": _ID, "occurred_at": Column("time")},
    "surveys": {
        "customer_id": _ID, "asked_on": _DAY, "survey": Column("text", choices=tuple(SCALES)),
        "score": Column("number", nullable=True), "answered_on": Column("date", required=False, nullable=True),
    },
    "touchpoints": {"customer_id": _ID, "occurred_on": _DAY, "kind": Column("text")},
    "costs": {"month": _DAY, "kind": Column("text", choices=("acquisition", "retention")), "amount": Column("number")},
}  # fmt: skip
MOMENT: Final = {n: next(c for c, s in spec.items() if s.dated) for n, spec in CONTRACT.items()}
ENDS: Final = {"customers": "churned_on", "subscriptions": "ended_on"}
TENURE: Final = {"tenure_months": Column("number", minimum=0), "churned": Column("flag")}
DATES: Final = {"started_on": _DAY, "churned_on": _END}


def specification(name: str, columns: tuple[str, ...]) -> dict[str, Column]:
    """Return the columns that the contract asks of a table, in the form its own columns call for.

    Parameters
    ----------
    name
        A table of the contract.
    columns
        The columns the table has, after renaming. ``customers`` with both dates takes them, whatever else it
        has; with both ``tenure_months`` and ``churned``, or with one of them and without ``started_on``, it
        takes the tenure form.

    Returns
    -------
    dict of str to Column

    Examples
    --------
    >>> list(specification("customers", ("customer_id", "tenure_months", "churned")))[:3]
    ['customer_id', 'tenure_months', 'churned']
    """
    spec, there = CONTRACT[name], set(columns)
    dated = there >= DATES.keys() or not there & TENURE.keys() or ("started_on" in there and not there >= TENURE.keys())
    if name != "customers" or dated:
        return spec
    rest = {k: v for k, v in spec.items() if k not in ("customer_id", *DATES)}
    return {"customer_id": _ID, **TENURE, **rest}


def of_other_form(name: str, columns: tuple[str, ...]) -> list[str]:
    """Name the columns by which ``customers`` says once more how long they stayed, in the form that is not taken.

    Examples
    --------
    >>> of_other_form("customers", ("customer_id", "started_on", "churned_on", "tenure_months", "plan"))
    ['tenure_months']
    """
    if name != "customers":
        return []
    spec = specification(name, columns)
    return [c for c in columns if c in {**DATES, **TENURE} and c not in spec]


def typed(raw: ir.Value, column: Column, reading: Reading, *, try_cast: bool) -> ir.Value:
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

    Returns
    -------
    ibis.expr.types.Value
        Text for ids and texts, ``date``, ``timestamp`` without zone (UTC), ``float64`` or ``boolean``.
    """
    if column.kind == "id":
        return _identifier(raw)
    if column.kind == "number":
        return _number(raw, try_cast)
    if column.kind == "flag":
        return _flag(raw, reading)
    if column.kind == "text":
        text = filled(raw)
        return text.lower() if column.choices else text
    moment = _timestamp(raw, reading.date_format, try_cast)
    return moment if column.kind == "time" else moment.cast("date")


def possible(value: ir.Value, column: Column) -> ir.Value:
    """Take out dates and times outside the years that a business can have."""
    if not column.dated:
        return value
    return ibis.ifelse(value.year().between(FIRST_YEAR, LAST_YEAR), value, ibis.null(value.type()))


def filled(raw: ir.Value) -> ir.StringValue:
    """Text without blanks at its ends; null where nothing is left."""
    return raw.cast("string").strip().nullif("")


def blank(raw: ir.StringValue) -> ir.BooleanValue:
    """Tell which texts hold nothing but blanks; sooner than by taking them off."""
    return ~raw.re_search(NOT_BLANK)


def zoned(raw: ir.Value) -> ir.BooleanValue:
    """Tell which values carry a time zone."""
    if raw.type().is_string():
        return raw.strip().re_search(r"\d{2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)$").fill_null(False)
    zone = raw.type().timezone if raw.type().is_timestamp() else None
    return raw.notnull() & ibis.literal(zone is not None)


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


def _guarded(text: ir.StringValue, sure: ir.BooleanValue) -> ir.StringValue:
    return ibis.ifelse(sure, text, ibis.null("string"))


def _cast(text: ir.StringValue, to: str, try_cast: bool) -> ir.Value:
    return text.try_cast(to) if try_cast else text.cast(to)


def _calendar(text: ir.StringValue) -> ir.BooleanValue:
    """Tell days of the calendar, which an engine that cannot try must know before it casts."""
    sure = text.re_search(SURE_DATE)
    year = _guarded(text, sure).substr(0, 4).cast("int64")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    short = text.re_search(SHORT_MONTH) | (text.re_search(r"^\d{4}-0?2-29") & ~leap)
    return sure & (year > 0) & ~short


def _number(raw: ir.Value, try_cast: bool) -> ir.Value:
    if raw.type().is_string():
        text = filled(raw)
        number = _guarded(text, text.re_search(NUMBER if try_cast else SURE_NUMBER))
        value = _cast(number, "float64", try_cast)
    elif raw.type().is_numeric() or raw.type().is_boolean():
        value = raw.cast("float64")
    else:
        return ibis.null("float64")
    return ibis.ifelse(value.isnan() | value.isinf(), ibis.null(), value)


def _flag(raw: ir.Value, reading: Reading) -> ir.Value:
    if raw.type().is_boolean():
        return raw
    number = raw.type().is_floating() or raw.type().is_decimal()
    text = _whole(raw) if number else filled(raw).lower()
    true = [v.lower() for v in reading.true_values] or list(TRUE_VALUES)
    false = [v.lower() for v in reading.false_values] or [v for v in FALSE_VALUES if v not in true]
    return ibis.cases((text.isin(true), True), (text.isin(false), False), else_=ibis.null("boolean"))


def _timestamp(raw: ir.Value, date_format: str, try_cast: bool) -> ir.Value:
    kind = raw.type()
    if kind.is_date():
        return raw.cast("timestamp")
    if kind.is_timestamp():
        return raw.cast("timestamp('UTC')").cast("timestamp") if kind.timezone else raw
    if not (kind.is_string() or (kind.is_numeric() and date_format)):
        return ibis.null("timestamp")
    text = filled(raw) if kind.is_string() or kind.is_integer() else _whole(raw)
    if date_format:
        text = _to_iso(text, date_format)
    sure = _guarded(text, text.re_search(ISO_DATE) if try_cast else _calendar(text))
    return _cast(sure, "timestamp('UTC')", try_cast).cast("timestamp")


def _to_iso(text: ir.StringValue, date_format: str) -> ir.StringValue:
    parts = re.findall(r"%.", date_format)
    unknown = [p for p in parts if p not in DIRECTIVES]
    msg = f"date_format {date_format!r} cannot be read: use %Y, %m and %d, and for times %H, %M, %S"
    msg += f" (unknown: {', '.join(unknown)})." if unknown else "."
    ParameterError.when(unknown or not {"%Y", "%m", "%d"} <= set(parts), msg)
    pattern = "^" + re.sub(r"%.", lambda m: DIRECTIVES[m.group()], re.escape(date_format)) + "$"
    part = {p: text.re_extract(pattern, i + 1) for i, p in enumerate(parts)}
    day = part["%Y"] + "-" + part["%m"] + "-" + part["%d"]
    if "%H" not in part:
        return day
    clock = part["%H"] + ":" + part.get("%M", ibis.literal("00")) + ":" + part.get("%S", ibis.literal("00"))
    return day + " " + clock


@dataclass(frozen=True)
class Fault:
    """One broken rule: ``severity`` is ``"error"`` or ``"warning"``; ``message`` is for the reader."""

    table: str
    column: str
    rule: str
    severity: str
    n_rows: int
    message: str

    def __str__(self) -> str:
        return self.message
