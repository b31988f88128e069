"""How dates, numbers and flags of a table are written: the keys of its section that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from cslib.data.checks import SMALL
from cslib.data.contract import LAST_YEAR
from cslib.data.reading import FALSE_VALUES, NOTHING, TRUE_VALUES
from cslib.data.written import Form, unclear
from cslib.propose import names
from cslib.propose.look import Look
from cslib.propose.roles import flag_words
from cslib.propose.section import Section, shown
from cslib.propose.values import Seen

FIRST: Final = ("started_on", "ordered_on", "occurred_at", "occurred_on", "asked_on", "month", "invoiced_on")
ENDS: Final = ("churned_on", "ended_on", "line_end")
DATED: Final = (*FIRST, *ENDS, "answered_on", "line_start")
SPARE: Final = ("ended_on", "answered_on", "line_start", "line_end")  # that a table can do without
COUNTED: Final = ("mrr", "amount", "score", "tenure_months", "acquisition_cost")
HAPPENED: Final = (  # words of ends that are not planned
    r"churn|cancel|ended|left|delet|deactiv|unsubscr|terminat|closed|kundig|austritt|resili|baja|disdetta|opzeg|opgezeg|oppsag|oppsig|uppsag"
)
ZONED: Final = r"\d\d:\d\d.*[+-](0[1-9]|1\d|00:?30)(:?\d\d)?$"  # other than UTC itself
US: Final = ("zip", "zip code", "postal code", "state", "ssn")
IN_MONTHS: Final = r"month|monat|mois|meses|mesi|maand|maned|manad"
FEW: Final = 15  # months that could be years
SECONDS: Final = {"unix": 1, "unix_ms": 1_000, "unix_us": 1_000_000}


def dates(made: Section, hints: Sequence[Look]) -> None:
    """Find the one format of a table's dates; a column that is not written so is left out where it may be."""
    forms = {r: f for r in made.roles(DATED) if (f := made.seen(r).moment) is not None}
    if not forms:
        return
    lead = next((r for r in FIRST if r in forms), next(iter(forms)))
    form = _settled(made, forms[lead], lead, hints)
    for role, own in forms.items():
        if form != own.text and form != (own.other or own.text):
            _other_date(made, role, own)
    if form:
        made.keys["date_format"] = form
    zoned = next((r for r in forms if any(re.search(ZONED, t) for t in made.seen(r).distinct)), "")
    if zoned:
        text = f"{shown(made.match.columns[zoned])} has times with a zone, which are taken to UTC"
        made.said.append(f'{text}: set timezone = "Europe/Berlin" or alike at the top for the clock of the business.')


def _settled(made: Section, form: Form, lead: str, hints: Sequence[Look]) -> str:
    """Tell day and month apart where one column does not: by other columns, then by what else is known of the file."""
    if not form.other:
        return form.text
    sure = [c.date.text for look in hints for c in look.columns if c.date and c.date.text and not c.date.other]
    known = {f for f in (form.text, form.other) if any(_same_order(f, s) for s in sure)}
    if len(known) == 1:
        return known.pop()
    european = _european(made.match.look)
    american = any(names.plain(c.name) in US for c in made.match.look.columns) or "%p" in form.text
    days, months = sorted((form.text, form.other), key=_month_first)
    taken, other = (months, days) if american and not european else (days, months)
    if not european:
        first, second = ("month", "day") if taken == months else ("day", "month")
        text = f"{shown(made.match.columns[lead])} has no figure above 12 that tells day from month: the first is taken"
        made.unsure.append(f"{text} for the {first}. If it is the {second}, set date_format = {shown(other)}.")
    return taken


def _european(look: Look) -> bool:
    comma = any(c.number and c.number.text == "," and not c.number.other for c in look.columns)
    return look.delimiter == ";" or comma


def _month_first(form: str) -> bool:
    return form.index("%m") < form.index("%d")


def _same_order(form: str, other: str) -> bool:
    return "%m" in other and "%d" in other and _month_first(form) == _month_first(other)


def _other_date(made: Section, role: str, own: Form) -> None:
    column, how = shown(made.match.columns[role]), own.text or "YYYY-MM-DD"
    if role in SPARE and role in made.keys["columns"]:
        made.keys["columns"].pop(role, None)
        made.said.append(f"{column} is left out: its dates are written in another way ({how}).")
    else:
        made.unsure.append(f"The dates of {column} are written in another way than the others ({how}).")


def numbers(made: Section, hints: Sequence[Look]) -> None:
    """Find the decimal sign where numbers are written by hand."""
    forms = [f for r in made.roles(COUNTED) if (f := _number(made.seen(r), r)) is not None]
    if not any(f.text for f in forms):
        return
    sure = sorted({f.text or "." for f in forms if not f.other})
    if len(sure) > 1:
        made.unsure.append("Numbers are written with a decimal comma in one column and with a point in another.")
    made.keys["decimal"] = sure[0] if sure else _sign(made)


def _number(c: Seen, role: str) -> Form | None:
    """Tell how numbers are written; those that tell nothing, such as 12, are left out."""
    if c.number is None or c.number.text or role in SMALL:
        return c.number if c.number and c.number.text else None
    if unclear(list(c.distinct)):
        return Form(".", ",")
    return Form() if any("." in t for t in c.distinct) else None


def _sign(made: Section) -> str:
    """Tell the sign of thousands from that of decimals where the numbers themselves do not."""
    look = made.match.look
    other = {f.text or "." for c in look.columns if (f := _number(c, c.name)) and not f.other}
    if len(other) == 1:
        return other.pop()
    sign = "," if look.delimiter == ";" else "."
    text = "The amounts do not tell the sign of thousands from that of decimals"
    made.unsure.append(f"{text}: {shown(sign)} is taken for the decimal one.")
    return sign


def tenure(made: Section, hints: Sequence[Look]) -> None:
    """Doubt months where all are few and nothing says that they are months."""
    c = made.seen("tenure_months") if "tenure_months" in made.match.columns else Seen("", ())
    said = re.search(IN_MONTHS, names.plain(c.name))
    if not said and c.texts and c.range is not None and c.range[1] <= FEW:
        made.unsure.append(f"Nothing says whether {shown(c.name)} counts months or years; months are taken.")


def flags(made: Section, hints: Sequence[Look]) -> None:
    """Say which words stand for who has left."""
    words = flag_words(made.seen("churned")) if "churned" in made.match.columns else None
    if words is None:
        return
    column = made.match.columns["churned"]
    if names.likeness(column, names.ACTIVE_FLAG) > names.likeness(column, names.CHURN_FLAG):
        made.keys["inverted"] = ["churned"]
        made.said.append(f"{shown(column)} says who is still there: it is turned around.")
    for key, own, usual in zip(("true_values", "false_values"), words, (TRUE_VALUES, FALSE_VALUES), strict=True):
        if not all(w.lower() in usual for w in own):
            made.keys[key] = list(own)


def nothings(made: Section, hints: Sequence[Look]) -> None:
    """Name the words that stand for nothing: in columns of numbers, and where an end is not there yet."""
    found = {c for r in made.roles(COUNTED) for c in made.seen(r).cells[made.match.look.skip :] if c.lower() in NOTHING}
    ends = [made.match.look.column(made.match.columns[r]) for r in made.roles(ENDS)]
    never = {w for c in ends for w in (*c.open, *_never(c, made.keys.get("date_format", "")))}
    if found | never:
        made.keys["null_values"] = sorted(found | never)
    if never:
        made.said.append(f"{', '.join(map(shown, sorted(never)))} is taken for an end that is not there yet.")


def _never(c: Seen, form: str) -> list[str]:
    """Find days that no business sees, such as the last of the year 2999."""
    days = {t: day_of(t, form) for t in c.distinct if t not in c.open}
    return [t for t, day in days.items() if day and LAST_YEAR < day.year < date.max.year]


def last_day(made: Section, hints: Sequence[Look]) -> None:
    """Find the latest day that has happened; an end may be planned unless its name says that somebody left."""
    today = datetime.now(UTC).date()
    planned = [r for r in made.roles(ENDS) if not re.search(HAPPENED, names.plain(made.match.columns[r]))]
    made.last = max(
        (d for r in made.roles(DATED) if r not in planned for d in _days(made, r) if d <= today), default=None
    )
    for role in planned:
        later = [d for d in _days(made, role) if made.last and made.last < d <= today]
        if later:
            text = f"{shown(made.match.columns[role])} goes on to {max(later)}, which may be planned"
            made.said.append(f"{text}: if it has happened, set as_of to the day of the export.")


def _days(made: Section, role: str) -> Iterator[date]:
    read = (day_of(text, made.keys.get("date_format", "")) for text in made.seen(role).distinct)
    return (day for day in read if day is not None)


def day_of(text: str, form: str) -> date | None:
    """Read a day; None where the text is none.

    Examples
    --------
    >>> day_of("31.12.2024", "%d.%m.%Y"), day_of("1705312800", "unix"), day_of("2024-1-5 10:00", "")
    (datetime.date(2024, 12, 31), datetime.date(2024, 1, 15), datetime.date(2024, 1, 5))
    """
    try:
        if form in SECONDS:
            return datetime.fromtimestamp(float(text) / SECONDS[form], UTC).date()
        if form == "excel":
            return date(1899, 12, 30) + timedelta(days=int(float(text)))
        return datetime.strptime(text, form).date() if form else date(*map(int, re.split(r"[-T ]", text)[:3]))
    except (ValueError, TypeError, OverflowError):
        return None


def tables_of_words(made: Section, column: str, told: Mapping[str, str]) -> None:
    """Say what the words of a column mean."""
    if told:
        made.keys.setdefault("labels", {})[column] = dict(told)
