"""The checks of the data contract, run in the engine: one pass per table, every fault at once.

A rule is a condition that is true for a faulty row. All rules of a table are counted in a single
aggregate; only a rule that found something costs a second query, for its examples.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data.advice import line_to_write
from cslib.data.contract import (
    ENDS,
    FIRST_YEAR,
    LAST_YEAR,
    OWN,
    ROW,
    SCALES,
    Column,
    Fault,
)
from cslib.data.engine import MANY, only_row
from cslib.data.moments import zoned
from cslib.data.reading import NOTHING, PERIODS, Reading, coin_of, months_of, possible, typed
from cslib.data.sources import Raw
from cslib.data.texts import blank, filled, says, sign_of_thousands
from cslib.data.written import GROUPED
from cslib.errors import counted, did_you_mean

WIDE: Final = OWN + "wide_"  # as typed, before what no business has is taken out
TYPED: Final = OWN + "typed_"
COPY: Final = OWN + "copy"
SAME: Final = OWN + "same"
SHOWN: Final = 5
NEVER: Final = 9999  # the year of an end that is not there yet
LOOKED: Final = 200  # values with a fault, to tell how they are written
LONG: Final = 40
SMALL: Final = ("score", "tenure_months", "rate")  # numbers that nobody writes with a sign of thousands
LINE_BREAKS: Final = 20
SET_ASIDE: Final = 'Correct them at the source, or set on_fault = "set_aside" to leave them out, counted.'
CORRECT: Final = "Correct them at the source."
FEW: Final = 0.05  # of the rows, that may be left out
UNASKED: Final = "An answer without an invitation takes the day it was given."
SPANS: Final = (
    *(("started_on", "churned_on"), ("started_on", "ended_on")),
    *(("asked_on", "answered_on"), ("line_start", "line_end")),
)
RESERVED: Final = ("reason", "row", "line", "text")
OTHERWISE: Final = re.compile(r", or set (date_format|decimal) = .*?alike")
UNREADABLE: Final = {
    "id": ("a number too large to be told exactly", "Export the ids as text."),
    "date": ("a value that is no date", 'Write dates as YYYY-MM-DD, or set date_format = "%d/%m/%Y" or alike.'),
    "time": (
        "a value that is no time",
        'Write times as YYYY-MM-DD HH:MM:SS, or set date_format = "%d/%m/%Y %H:%M" or alike.',
    ),
    "number": ("a value that is no number", 'Write numbers as 1234.5, or set decimal = "," or alike.'),
    "flag": ("a value that is neither true nor false", 'Set true_values = ["…"] and false_values = ["…"].'),
}


@dataclass(frozen=True)
class Rule:
    """A condition on the rows of one table and how to speak of those that meet it."""

    column: str
    name: str
    what: str
    remedy: str
    condition: ir.BooleanValue
    severity: str = "error"


@dataclass(frozen=True)
class Checked:
    """A table after its row checks: the sound rows, typed, the faults, and the rows that had one."""

    table: ir.Table
    faults: tuple[Fault, ...]
    n_rows: int
    set_aside: pd.DataFrame
    zoned: tuple[str, ...]


def check_columns(name: str, raw: ir.Table, spec: Mapping[str, Column], wanted: tuple[str, ...]) -> list[Fault]:
    """Report required columns, and columns named in the options, that the table does not have."""
    there = [c for c in raw.columns if c != ROW]
    needed = [*(c for c, column in spec.items() if column.required), *wanted]
    faults = []
    for column in (c for c in needed if c not in there):
        tenures = name == "customers" and column == "started_on"
        other = " Or give tenure_months and churned in place of the two dates." * tenures
        message = f"{name} has no column {column!r}. {did_you_mean(column, there)} Rename it in the file, or map it: "
        message += f'columns = {{ {column} = "…" }} in [{name}] of cslib.toml.{other}'
        faults.append(Fault(name, column, "missing column", "error", 0, message))
    return faults


def check_rows(name: str, source: Raw, spec: Mapping[str, Column], reading: Reading, *, try_cast: bool) -> Checked:
    """Check every row of a table in one pass and return the sound rows in canonical form.

    Parameters
    ----------
    name
        Table of the contract.
    source
        The table, columns renamed, and lines of the file that are no rows: ``line``, ``text``, ``n_lines``.
    spec
        Its columns by the contract.
    reading
        How its text is to be read.
    try_cast
        Whether the engine can cast without failing.

    Returns
    -------
    Checked
    """
    raw, rejects = source.table, source.rejects
    spec = {c: s for c, s in spec.items() if c in raw.columns}
    spec |= {c: Column("number", required=False, nullable=True) for c in reading.numbers if c in raw.columns}
    texts = _to_look_at(raw, spec)
    few = [c for c in raw.columns if c in spec or c in texts or c in (ROW, reading.unit)]
    narrow = len(raw.columns) - len(few) > MANY  # Ibis takes a moment for each column
    work, rules = _worked_on(name, raw.select(*few) if narrow else raw, spec, texts, reading, try_cast)
    moments = [c for c, s in spec.items() if s.dated]
    words = [c for c in texts if c not in spec or spec[c].kind == "text"]
    measures = {"n_rows": work.count()} | {f"r{i}": r.condition.sum() for i, r in enumerate(rules)}
    if name == "customers":
        measures["n_ids"] = work[TYPED + "customer_id"].nunique()
    measures |= {f"z{i}": zoned(work[c]).any() for i, c in enumerate(moments)}
    measures |= {f"t{i}": _retyped(work, c).any() for i, c in enumerate(words)}
    amounts = [] if reading.decimal else _amounts(raw, spec, texts)
    measures |= {f"s{i}": sign_of_thousands(work[c]).max() for i, c in enumerate(amounts)}
    count = counts(work, **measures)
    if narrow:
        work, rules = _worked_on(name, raw, spec, texts, reading, try_cast)
    if name == "customers" and count["n_ids"] < count["n_rows"] - count["r0"]:
        work, more = _with_duplicates(work)
        count |= counts(work, **{f"r{i}": r.condition.sum() for i, r in enumerate(more, len(rules))})
        rules += more
    broken = [(r, count[f"r{i}"]) for i, r in enumerate(rules) if count[f"r{i}"]]
    n_rows = count["n_rows"]
    found = _Rows(name, work, n_rows, rejects, reading)
    faults = [found.fault(r, n) for r, n in broken]
    faults += _shape_faults(name, n_rows, rejects) + _coins(name, work, spec, reading)
    signs = {c: count[f"s{i}"] for i, c in enumerate(amounts)} | {c: 1 for c in _amounts(raw, spec, source.unclear)}
    faults += _signs(found, signs)
    errors = [r for r, n in broken if r.severity == "error"]
    retyped = {c for i, c in enumerate(words) if count[f"t{i}"]}
    sound = _sound(work, spec, errors, retyped)
    with_zone = tuple(c for i, c in enumerate(moments) if count[f"z{i}"])
    return Checked(sound, tuple(faults), count["n_rows"], _faulty(work, errors, rejects), with_zone)


def _worked_on(
    name: str, raw: ir.Table, spec: Mapping[str, Column], texts: list[str], reading: Reading, try_cast: bool
) -> tuple[ir.Table, list[Rule]]:
    """Put the typed columns beside the raw ones, and make the rules of both."""
    wide = raw.mutate(**{WIDE + c: typed(raw[c], s, reading, try_cast=try_cast, name=c) for c, s in spec.items()})
    work = wide.mutate(**{TYPED + c: possible(wide[WIDE + c], s) for c, s in spec.items()})
    rules = [r for c, s in spec.items() for r in _column_rules(work, c, s)]
    return work, [
        *rules,
        *_table_rules(name, work, reading),
        *(_open_quote(work, c) for c in texts if ROW in raw.columns),
    ]


def _to_look_at(raw: ir.Table, spec: Collection[str]) -> list[str]:
    """List the texts to check: of very many, those of the contract and those that stick out, found in one pass.

    A measure for each of thousands of columns takes an engine minutes: its time grows with their square.
    """
    texts = [c for c in raw.columns if raw.schema()[c].is_string()]
    others = [c for c in texts if c not in spec]
    con: Any = raw.get_backend() if len(others) > MANY else None
    if con is None or con.name != "duckdb":
        return texts
    names = ", ".join(f'"{c.replace(chr(34), chr(34) * 2)}"' for c in others)
    cells = f"UNPIVOT (SELECT {names} FROM ({con.compile(raw)})) ON * INTO NAME name VALUE value"
    odd = rf"SELECT DISTINCT name FROM ({cells}) WHERE regexp_matches(value, '^$|^[\s\v]|[\s\v]$|\n')"
    found = {name for (name,) in con.raw_sql(odd).fetchall()}
    return [c for c in texts if c in spec or c in found]


def counts(table: ir.Table, /, **measures: ir.Value) -> dict[str, int]:
    """Take all measures in one pass; of no rows each is 0."""
    found = only_row(table.aggregate(**measures))
    return {k: int(v) if pd.notna(v) else 0 for k, v in found.items()}


def _open_quote(work: ir.Table, column: str) -> Rule:
    text = work[column]
    breaks = ibis.ifelse(text.contains("\n"), text.length() - text.replace("\n", "").length(), 0)
    what = f"more than {LINE_BREAKS} line breaks in one field"
    remedy = f"A quote was left open there, and the lines after it are lost. {SET_ASIDE}"
    return Rule(column, "broken line", what, remedy, breaks > LINE_BREAKS)


def _any_of(rules: list[Rule]) -> ir.BooleanValue:
    return reduce(or_, (rule.condition for rule in rules))


def _empty(raw: ir.Value) -> ir.BooleanValue:
    if raw.type().is_string():
        return raw.isnull() | blank(raw)
    return raw.isnull() | raw.isnan() if raw.type().is_floating() else raw.isnull()


def _column_rules(work: ir.Table, name: str, column: Column) -> Iterator[Rule]:
    raw, wide, value = work[name], work[WIDE + name], work[TYPED + name]
    if not column.nullable:
        what = "no id" if column.kind == "id" else "no value"
        remedy = f"{UNASKED} {SET_ASIDE}" if name == "asked_on" else SET_ASIDE
        yield Rule(name, "empty", what, remedy, _empty(raw))
    if column.kind in UNREADABLE:
        what, remedy = UNREADABLE[column.kind]
        yield Rule(name, "unreadable", what, f"{remedy} {SET_ASIDE}", ~_empty(raw) & wide.isnull())
    if column.dated:
        what = f"a date outside {FIRST_YEAR}–{LAST_YEAR}"
        remedy = f"Leave it empty for still running. {SET_ASIDE}" if column.nullable else SET_ASIDE
        never = wide.year() == NEVER if column.nullable else ibis.literal(False)
        yield Rule(name, "impossible date", what, remedy, wide.notnull() & value.isnull() & ~never)
    if column.minimum is not None:
        yield Rule(name, "below minimum", f"a value below {column.minimum:g}", SET_ASIDE, value < column.minimum)
    if column.choices:
        what = f"a value other than {', '.join(column.choices)}"
        yield Rule(name, "unknown word", what, SET_ASIDE, value.notnull() & ~value.isin(column.choices))
    if column.kind == "id" and raw.type().is_string():
        remedy = "They count as one customer. If they are guests, leave their rows out with a query."
        nothing = says(raw, [w for w in NOTHING if not w[0].isdigit()])
        yield Rule(name, "id of nobody", "an id that stands for nothing", remedy, nothing, "warning")
        remedy = "They match no id written without it; export the ids as text."
        decimal = raw.re_search(r"^\d+\.0$")
        yield Rule(name, "decimal id", "an id that looks like a decimal", remedy, decimal, "warning")


def _coins(name: str, work: ir.Table, spec: Mapping[str, Column], reading: Reading) -> list[Fault]:
    """Find amounts whose signs name several currencies: they would be added up."""
    texts = [c for c, s in spec.items() if s.kind == "number" and reading.decimal and work[c].type().is_string()]
    faults = []
    for column in texts:
        found = work.select(coin=coin_of(work[column])).distinct().limit(6).execute()["coin"].dropna().tolist()
        if len(found) > 1:
            text = (
                f"{name}.{column} has amounts in {len(found)} currencies ({', '.join(sorted(found))}). Convert them to "
            )
            faults.append(
                Fault(name, column, "two currencies", "error", len(found), f"{text}one, or leave the others out.")
            )
    return faults


def _table_rules(name: str, work: ir.Table, reading: Reading) -> Iterator[Rule]:
    if reading.unit and reading.unit not in PERIODS:
        unread = months_of(work[reading.unit]).isnull()
        remedy = f"Write day, week, month, quarter, half-year, year, or such as 3 months. {SET_ASIDE}"
        yield Rule(reading.unit, "unknown period", "a value that is no period of a price", remedy, unread)
    for start, end in SPANS:
        if TYPED + start in work.columns and TYPED + end in work.columns:
            early = work[TYPED + end] < work[TYPED + start]
            yield Rule(end, "end before start", f"a date before {start}", SET_ASIDE, early)
    if name == "surveys":
        score, survey = work[TYPED + "score"], work[TYPED + "survey"]
        for kind, (low, high) in SCALES.items():
            outside = (survey == kind) & ((score < low) | (score > high) | (score != score.floor()))
            what = f"a score outside the whole numbers {low}–{high} ({kind})"
            yield Rule("score", f"{kind} scale", what, SET_ASIDE, outside)


def _with_duplicates(work: ir.Table) -> tuple[ir.Table, list[Rule]]:
    """Mark the rows and make the rules for customers that are there more than once: one of exact copies may stay."""
    ids = TYPED + "customer_id"
    raw = [c for c in work.columns if not c.startswith(OWN)]
    copies = ibis.row_number().over(ibis.window(group_by=raw, order_by=ROW if ROW in work.columns else raw[0]))
    marked = work.mutate(**{COPY: copies > 0})
    marked = marked.mutate(**{SAME: (~marked[COPY]).cast("int64").sum().over(ibis.window(group_by=ids))})
    there = marked[ids].notnull()
    remedy = f"customers has one row per customer. {SET_ASIDE}"
    return marked, [
        Rule("customer_id", "repeated row", "all values as in an earlier row", remedy, there & marked[COPY]),
        Rule("customer_id", "duplicate id", "an id that is there more than once", remedy, there & (marked[SAME] > 1)),
    ]


@dataclass(frozen=True)
class _Rows:
    """The rows of a table, raw and typed, to tell of those that meet a rule."""

    name: str
    work: ir.Table
    n_rows: int
    rejects: pd.DataFrame
    reading: Reading

    def fault(self, rule: Rule, n: int) -> Fault:
        """Tell of the rows that meet a rule: which they are, and what mends them."""
        first = self._first(rule)
        rows = zip(first["place"][:SHOWN], first["value"][:SHOWN], strict=True)
        shown = [f"{_quoted(v)}{f' in row {p}' if p else ''}" for p, v in rows]
        readable = ", of the rows that can be read" if len(self.rejects) and ROW in self.work.columns else ""
        found = f"{self.name}.{rule.column} has {counted(n, 'row')} with {rule.what} "
        found += f"(first: {', '.join(shown)}{readable})."
        values = [str(v) for v in first["value"] if pd.notna(v)]
        told = values if rule.name == "unreadable" else values[:SHOWN]
        hint = line_to_write(rule.column, rule.name, told, self.name, self.reading)
        return Fault(self.name, rule.column, rule.name, rule.severity, n, f"{found} {self._remedy(rule, n, hint)}")

    def _first(self, rule: Rule) -> pd.DataFrame:
        hits, place = self.work.filter(rule.condition), ibis.literal("")
        if ROW in self.work.columns:
            hits = hits.order_by(ROW)
            place = hits[ROW].cast("string")
        else:
            hits = hits.order_by(rule.column)
        return hits.select(place=place, value=hits[rule.column].cast("string")).limit(LOOKED).execute()

    def _remedy(self, rule: Rule, n: int, hint: str) -> str:
        remedy = rule.remedy.replace(SET_ASIDE, _set_aside(n, self.n_rows, rule.column))
        known = self.reading.decimal or self.reading.date_format  # the other rows are read by it
        if rule.name == "unreadable" and known:
            remedy = OTHERWISE.sub("", remedy).replace("1234.5", f"1234{self.reading.decimal or '.'}5")
        return f"{hint}, or {remedy[0].lower()}{OTHERWISE.sub('', remedy[1:])}" if hint else remedy


def _amounts(raw: ir.Table, spec: Mapping[str, Column], among: Collection[str]) -> list[str]:
    """List the columns of amounts, of which one may be written like 1.234."""
    return [c for c, s in spec.items() if c in raw.columns and c in among and s.kind == "number" and c not in SMALL]


def _signs(rows: _Rows, signs: Mapping[str, int]) -> Iterator[Fault]:
    """Warn of amounts that are all written like 1.234: nothing tells whether that is 1234."""
    for column in (c for c, sign in signs.items() if sign == 1 == max(signs.values())):
        value = rows.work[column]
        odd = value.re_search(GROUPED) if value.type().is_string() else value.abs() >= 1
        first = rows.work.filter(odd).select(value=value).limit(1).execute()["value"].iloc[0]
        number = first.strip() if isinstance(first, str) else f"{first:.3f}"
        text = f"{rows.name}.{column} has numbers such as {number}, and none that tells whether the point separates "
        text += f"thousands. It is read as a decimal point. If {number} means {number.replace('.', '')}, set "
        text += f'decimal = "," in [{rows.name}] of cslib.toml; if not, set decimal = ".".'
        yield Fault(rows.name, column, "unclear sign", "warning", 0, text)


def _set_aside(n: int, n_rows: int, column: str) -> str:
    """Offer to leave rows out only where they are few, and not for their end: who is still here would be gone."""
    if column in ENDS.values() or n > FEW * n_rows:
        return CORRECT
    return SET_ASIDE.replace(", counted.", f" ({n / n_rows:.1%} of the rows).".replace("%", " %"))


def _quoted(value: object) -> str:
    if pd.isna(value) or not str(value).strip():  # type: ignore[call-overload]
        return "nothing"
    text = " ".join(str(value)[: LONG + 1].split())
    return text if len(str(value)) <= LONG else f"{text[:LONG]}…"


def _shape_faults(name: str, n_rows: int, rejects: pd.DataFrame) -> list[Fault]:
    faults = []
    if len(rejects):
        n = int(rejects["n_lines"].sum())
        first = rejects.head(SHOWN)
        lines = ", ".join(f"line {i}: {_quoted(t)!r}" for i, t in zip(first["line"], first["text"], strict=True))
        message = f"{name} has {counted(n, 'broken line')}, with too many or too few fields ({lines}). "
        message += _set_aside(n, n_rows + n, "")
        faults.append(Fault(name, "", "broken line", "error", n, message))
    if not n_rows:
        message = f"{name} has no rows. Supply some, or remove the table: every table is optional."
        faults.append(Fault(name, "", "empty table", "error", 0, message))
    return faults


def _retyped(work: ir.Table, column: str) -> ir.BooleanValue:
    """Tell which texts of a column analyses see otherwise than they stand."""
    raw, word = work[column], work[TYPED + column] if TYPED + column in work.columns else filled(work[column])
    return raw.notnull() & (word.isnull() | (raw != word))


def _plain(raw: ir.Value, value: ir.Value, column: Column, *, retyped: bool) -> ir.Value:
    """Type a column that has no fault in the cheapest way, so that the engine reads it at full speed."""
    kind = raw.type()
    if column.dated and (kind.is_date() or (kind.is_timestamp() and not kind.timezone)):
        return raw.cast(value.type())
    differs = retyped if column.kind == "text" else column.nullable
    return value if differs or kind != value.type() else raw


def _sound(work: ir.Table, spec: Mapping[str, Column], errors: list[Rule], retyped: set[str]) -> ir.Table:
    """Leave out faulty rows while all columns are what the rules were made of; then take the canonical ones."""
    sound = work.filter(~_any_of(errors).fill_null(False)) if errors else work
    canonical = {c: sound[TYPED + c] for c in spec}
    for column in spec.keys() - {r.column for r in errors}:
        value = canonical[column]
        canonical[column] = _plain(sound[column], value, spec[column], retyped=column in retyped)
    for column in (c for c in sound.columns if c not in spec and not c.startswith(OWN)):
        canonical[column] = filled(sound[column]) if column in retyped else sound[column]
    return sound.select(**canonical)


def _faulty(work: ir.Table, errors: list[Rule], rejects: pd.DataFrame) -> pd.DataFrame:
    """Rows with a fault, with their number, and broken lines, with their line in the file."""
    lines = pd.DataFrame({"reason": "broken line", "line": rejects["line"], "text": rejects["text"]})
    if not errors:
        return lines
    reason = ibis.cases(*((r.condition, f"{r.column}: {r.name}") for r in errors), else_="")
    bad = work.filter(_any_of(errors))
    order = {"row": bad[ROW]} if ROW in bad.columns else {}
    raw = {f"{c}_raw" if c in RESERVED else c: bad[c].cast("string") for c in bad.columns if not c.startswith(OWN)}
    rows = bad.select(reason=reason, **order, **raw).execute()
    rows = rows.sort_values("row", kind="stable", ignore_index=True).astype({"row": "Int64"}) if order else rows
    return pd.concat([rows, lines], ignore_index=True) if len(lines) else rows
