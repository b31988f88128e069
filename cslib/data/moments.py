"""Days and times as sources write them: ISO, by a format, counted from a day, with a zone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from cslib.data import engine
from cslib.data.texts import cast, filled, guarded
from cslib.errors import DataError, ParameterError

ISO_DATE: Final = r"^\d{4}-\d{1,2}-\d{1,2}([T ]\d{1,2}:\d{2}.*)?$"
_CLOCK: Final = r"[T ](([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?|24:00(:00)?)(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)?"
SURE_DATE: Final = rf"^(\d{{4}})-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])({_CLOCK})?$"  # but for short months
SHORT_MONTH: Final = r"^\d{4}-(0?[469]-31|11-31|0?2-3[01])"
WITH_ZONE: Final = r"\d{2}:\d{2}.*(Z|[A-Za-z]{3}[A-Za-z0-9/_+-]*|[+-]\d{2}(:?\d{2})?)$"  # a name, such as UTC, is one
DIRECTIVES: Final = {  # that every engine reads
    "%Y": r"(\d{4})",
    **dict.fromkeys(("%m", "%d", "%H"), r"(\d{1,2})"),
    **dict.fromkeys(("%M", "%S"), r"(\d{2})"),
}
CODES: Final = "YymdHIMSpbBaAfgnjzZUWuwVGcxX%"  # that DuckDB reads
COUNTED: Final = {"excel": 86400.0, "unix": 1.0, "unix_ms": 1e-3, "unix_us": 1e-6}  # and how many seconds one is
FIRST_DAY: Final = {"excel": datetime(1899, 12, 30)}  # which takes 1900 for a leap year
LONGEST: Final = 9e9  # seconds from there: the year 2185
OFFSET: Final = re.compile(r"([+-])(\d{1,2})(?::?00)?")


def moment(raw: ir.Value, date_format: str, zone: str, *, try_cast: bool) -> ir.TimestampValue:
    """Read a column as times without zone: null where it cannot be read.

    Parameters
    ----------
    raw
        The column as the source has it.
    date_format
        Empty for ISO 8601, or as in ``cslib.toml``.
    zone
        Of the clock to which times with a zone are taken.
    try_cast
        Whether the engine has ``TRY_CAST``.

    Raises
    ------
    ParameterError
        The format cannot be read.
    """
    kind = raw.type()
    if kind.is_date():
        return raw.cast("timestamp")
    if kind.is_timestamp():
        return engine.local(raw.cast("timestamp('UTC')").cast("timestamp"), zone) if kind.timezone else raw
    if not (kind.is_string() or (kind.is_numeric() and date_format)):
        return ibis.null("timestamp")
    if date_format in COUNTED:
        return _counted(raw, date_format, zone, try_cast)
    text = _text(raw)
    if date_format and not set(re.findall(r"%.", date_format)) <= DIRECTIVES.keys():
        return _by_codes(text, date_format, zone)
    return _iso(_to_iso(text, date_format) if date_format else text, zone, try_cast)


def zoned(raw: ir.Value) -> ir.BooleanValue:
    """Tell which values carry a time zone."""
    if raw.type().is_string():
        return raw.strip().re_search(WITH_ZONE).fill_null(False)
    zone = raw.type().timezone if raw.type().is_timestamp() else None
    return raw.notnull() & ibis.literal(zone is not None)


def known_zone(name: str) -> str:
    """Name a time zone as engines know it.

    Raises
    ------
    ParameterError
        There is none of that name.

    Examples
    --------
    >>> known_zone("Europe/Berlin"), known_zone("+08:00")
    ('Europe/Berlin', 'Etc/GMT-8')
    """
    if found := OFFSET.fullmatch(name.strip()):  # whose names of whole hours have the sign of the distance to UTC
        name = f"Etc/GMT{'-' if found[1] == '+' else '+'}{int(found[2])}"
    try:
        return ZoneInfo(name.strip()).key
    except (KeyError, ValueError, OSError) as error:
        msg = f"timezone is {name!r}, which is no time zone. Write it as Europe/Berlin, or as +02:00."
        raise ParameterError(msg) from error


def _text(raw: ir.Value) -> ir.StringValue:
    """Text of a column; of a number only where it is whole."""
    kind = raw.type()
    if kind.is_string() or kind.is_integer():
        return filled(raw)
    whole = raw.cast("float64")
    inside = ibis.ifelse((whole.abs() < LONGEST) & (whole == whole.floor()), whole, ibis.null("float64"))
    return inside.cast("int64").cast("string")


def _iso(text: ir.StringValue, zone: str, try_cast: bool) -> ir.TimestampValue:
    sure = guarded(text, text.re_search(ISO_DATE) if try_cast else _calendar(text))
    read = cast(sure, "timestamp('UTC')", try_cast=try_cast).cast("timestamp")
    return read if zone == "UTC" else ibis.ifelse(text.re_search(WITH_ZONE), engine.local(read, zone), read)


def _calendar(text: ir.StringValue) -> ir.BooleanValue:
    """Tell days of the calendar, which an engine that cannot try must know before it casts."""
    sure = text.re_search(SURE_DATE)
    year = guarded(text, sure).substr(0, 4).cast("int64")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    short = text.re_search(SHORT_MONTH) | (text.re_search(r"^\d{4}-0?2-29") & ~leap)
    return sure & (year > 0) & ~short


def _to_iso(text: ir.StringValue, date_format: str) -> ir.StringValue:
    parts = re.findall(r"%.", date_format)
    twice = len(parts) != len(set(parts)) or not {"%Y", "%m", "%d"} <= set(parts)
    msg = f"date_format {date_format!r} cannot be read: use %Y, %m and %d once each, and for times %H, %M, %S."
    ParameterError.when(twice, msg)
    pattern = "^" + re.sub(r"%.", lambda m: DIRECTIVES[m.group()], re.escape(date_format)) + "$"
    part = {p: text.re_extract(pattern, i + 1) for i, p in enumerate(parts)}
    day = part["%Y"] + "-" + part["%m"] + "-" + part["%d"]
    if "%H" not in part:
        return day
    clock = part["%H"] + ":" + part.get("%M", ibis.literal("00")) + ":" + part.get("%S", ibis.literal("00"))
    return day + " " + clock


def _by_codes(text: ir.StringValue, date_format: str, zone: str) -> ir.TimestampValue:
    """Read what only DuckDB does: names of months, years of two digits, hours of half a day and so on."""
    codes = re.findall(r"%-?(.?)", date_format)
    unknown = [f"%{c}" for c in codes if not c or c not in CODES]
    msg = f"date_format {date_format!r} cannot be read: it has no year. Give %Y or %y, such as %d.%m.%Y."
    ParameterError.when(not unknown and not {*codes} & {*"YyGcx"}, msg)
    msg = f"date_format {date_format!r} cannot be read (unknown: {', '.join(unknown)}). The README lists what may be "
    ParameterError.when(unknown, f"{msg}in it, such as %d.%m.%Y or %m/%d/%y %I:%M %p.")
    name = text.get_backend().name
    msg = f"date_format {date_format!r} is for DuckDB. On {name} use %Y, %m, %d, %H, %M, %S, or cast in a query."
    DataError.when(name != "duckdb", msg)
    if {*codes} & {*"zZ"}:
        return engine.local(engine.strptime_zoned(text, date_format).cast("timestamp"), zone)
    return engine.strptime(text, date_format)


def _counted(raw: ir.Value, unit: str, zone: str, try_cast: bool) -> ir.TimestampValue:
    """Read days of Excel, or seconds since 1970 and parts of them; a text of another form is read as ISO 8601."""
    number = guarded(_plain(raw), _plain(raw).re_search(r"^-?\d{1,18}(\.\d+)?$")).cast("float64")
    seconds = number * COUNTED[unit]
    inside = ibis.ifelse(seconds.abs() < LONGEST, seconds, ibis.null("float64")).round().cast("int64")
    first = ibis.literal(FIRST_DAY.get(unit, datetime(1970, 1, 1)), type="timestamp")
    read = first + inside.as_interval("s")
    read = read if unit == "excel" else engine.local(read, zone)
    return read if not raw.type().is_string() else read.coalesce(_iso(_text(raw), zone, try_cast))


def _plain(raw: ir.Value) -> ir.StringValue:
    if raw.type().is_string():
        return raw.strip()
    return raw.cast("decimal(38, 9)").cast("string")
