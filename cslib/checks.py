"""The checks of the data contract, run in the engine: one pass per table, every fault at once.

A rule is a condition that is true for a faulty row. All rules of a table are counted in a single
aggregate; only a rule that found something costs a second query, for its examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from cslib.contract import SCALES, Column, Reading, filled, typed, zoned
from cslib.errors import counted, did_you_mean
from cslib.sources import ROW

__all__ = ["Checked", "Fault", "check_columns", "check_relations", "check_rows"]

TYPED: Final = "__typed_"
SHOWN: Final = 5
SET_ASIDE: Final = 'Correct them at the source, or set on_fault = "set_aside" to leave them out, counted.'
Severity = str


@dataclass(frozen=True)
class Fault:
    """One broken rule: ``severity`` is ``"error"`` or ``"warning"``; ``message`` is for the reader."""

    table: str
    column: str
    rule: str
    severity: Severity
    n_rows: int
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Rule:
    """A condition on the rows of one table and how to speak of those that meet it."""

    column: str
    name: str
    what: str
    remedy: str
    condition: ir.BooleanValue
    severity: Severity = "error"


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
    missing = [c for c, column in spec.items() if column.required and c not in there]
    missing += [c for c in wanted if c not in there]
    faults = []
    for column in missing:
        other = " Or give tenure_months and churned in place of the two dates." if column == "started_on" else ""
        message = (
            f"{name} has no column {column!r}. {did_you_mean(column, there)} Rename it in the file, or map it: "
            f'columns = {{ {column} = "…" }} in [{name}] of cslib.toml.'
            f"{other if name == 'customers' else ''}"
        )
        faults.append(Fault(name, column, "missing column", "error", 0, message))
    return faults


def check_rows(
    name: str,
    raw: ir.Table,
    rejects: pd.DataFrame,
    spec: Mapping[str, Column],
    reading: Reading,
    *,
    try_cast: bool,
) -> Checked:
    """Check every row of a table in one pass and return the sound rows in canonical form.

    Parameters
    ----------
    name
        Table of the contract.
    raw
        The table, columns renamed.
    rejects
        Lines of the file that are no rows: ``line``, ``text``.
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
    spec = {c: s for c, s in spec.items() if c in raw.columns}
    spec |= {c: Column("number", required=False, nullable=True) for c in reading.numbers}
    work = raw.mutate(**{TYPED + c: typed(raw[c], s, reading, try_cast=try_cast) for c, s in spec.items()})
    rules = [r for c, s in spec.items() for r in _column_rules(work, c, s)] + list(_table_rules(name, work))
    found = work.aggregate(
        n_rows=work.count(),
        n_ids=work[TYPED + "customer_id"].nunique() if "customer_id" in spec else ibis.literal(0),
        **{f"r{i}": _hit(r).sum() for i, r in enumerate(rules)},
        **{f"z{i}": zoned(work[c]).any() for i, c in enumerate(_moments(spec))},
    ).execute()
    count = {k: int(v) if pd.notna(v) else 0 for k, v in found.iloc[0].items()}
    if name == "customers" and count["n_ids"] < count["n_rows"] - count["r0"]:
        work, rules, count = _with_duplicates(work, rules, count)
    broken = [(r, count[f"r{i}"]) for i, r in enumerate(rules) if count[f"r{i}"]]
    faults = [_fault(name, work, r, n) for r, n in broken] + _shape_faults(name, count["n_rows"], rejects)
    errors = [r for r, n in broken if r.severity == "error"]
    untouched = spec.keys() - {r.column for r in errors}
    plain = {c: _plain(work[c], work[TYPED + c], spec[c]) for c in untouched}
    return Checked(
        table=_sound(work.mutate(**{TYPED + c: v for c, v in plain.items()}), spec, errors),
        faults=tuple(faults),
        n_rows=count["n_rows"],
        set_aside=_faulty(work, errors, rejects),
        zoned=tuple(c for i, c in enumerate(_moments(spec)) if count[f"z{i}"]),
    )


def _moments(spec: Mapping[str, Column]) -> list[str]:
    return [c for c, s in spec.items() if s.kind in ("date", "time")]


def _hit(rule: Rule) -> ir.BooleanValue:
    return rule.condition.fill_null(False)


def _empty(raw: ir.Value) -> ir.BooleanValue:
    if raw.type().is_string():
        return filled(raw).isnull()
    return raw.isnull() | raw.isnan() if raw.type().is_floating() else raw.isnull()


def _column_rules(work: ir.Table, name: str, column: Column) -> Iterator[Rule]:
    raw, value = work[name], work[TYPED + name]
    if not column.nullable:
        what = "no id" if column.kind == "id" else "no value"
        yield Rule(name, "empty", what, SET_ASIDE, _empty(raw))
    unreadable = {
        "date": (
            "a value that is no date",
            'Write dates as YYYY-MM-DD, or set date_format = "%d/%m/%Y" or alike.',
        ),
        "time": ("a value that is no time", "Write times as YYYY-MM-DD HH:MM:SS, or set date_format."),
        "number": (
            "a value that is no number",
            "Write numbers as 1234.5, without signs of thousands or currency.",
        ),
        "flag": (
            "a value that is neither true nor false",
            'Set true_values = ["…"] and false_values = ["…"].',
        ),
    }
    if column.kind in unreadable:
        what, remedy = unreadable[column.kind]
        yield Rule(name, "unreadable", what, f"{remedy} {SET_ASIDE}", ~_empty(raw) & value.isnull())
    if column.minimum is not None:
        yield Rule(name, "below minimum", f"a value below {column.minimum:g}", SET_ASIDE, value < column.minimum)
    if column.choices:
        what = f"a value other than {', '.join(column.choices)}"
        yield Rule(name, "unknown word", what, SET_ASIDE, value.notnull() & ~value.isin(column.choices))
    if column.kind == "id":
        remedy = "They match no id written without it; export the ids as text."
        decimal = raw.cast("string").re_search(r"^\d+\.0$") & ibis.literal(raw.type().is_string())
        yield Rule(name, "decimal id", "an id that looks like a decimal", remedy, decimal, "warning")


def _table_rules(name: str, work: ir.Table) -> Iterator[Rule]:
    for start, end in (("started_on", "churned_on"), ("started_on", "ended_on"), ("asked_on", "answered_on")):
        if TYPED + start in work.columns and TYPED + end in work.columns:
            early = work[TYPED + end] < work[TYPED + start]
            yield Rule(end, "end before start", f"a date before {start}", SET_ASIDE, early)
    if name == "surveys":
        score, survey = work[TYPED + "score"], work[TYPED + "survey"]
        for kind, (low, high) in SCALES.items():
            outside = (survey == kind) & ((score < low) | (score > high) | (score != score.floor()))
            what = f"a score outside the whole numbers {low}–{high} ({kind})"
            yield Rule("score", f"{kind} scale", what, SET_ASIDE, outside)


def _with_duplicates(
    work: ir.Table, rules: list[Rule], count: dict[str, int]
) -> tuple[ir.Table, list[Rule], dict[str, int]]:
    ids = TYPED + "customer_id"
    marked = work.mutate(__same=work.count().over(ibis.window(group_by=ids)))
    twice = (marked["__same"] > 1) & marked[ids].notnull()
    remedy = f"customers has one row per customer. {SET_ASIDE}"
    rule = Rule("customer_id", "duplicate id", "an id that is there more than once", remedy, twice)
    n = int(marked.filter(twice).count().execute())
    return marked, [*rules, rule], count | {f"r{len(rules)}": n}


def _fault(name: str, work: ir.Table, rule: Rule, n: int) -> Fault:
    place = _[ROW].cast("string") if ROW in work.columns else ibis.literal("")
    hits = work.filter(_hit(rule))
    first = (
        (hits.order_by(ROW) if ROW in work.columns else hits)
        .select(place=place, value=_[rule.column].cast("string"))
        .limit(SHOWN)
        .execute()
    )
    shown = [f"{_quoted(v)}{f' in row {p}' if p else ''}" for p, v in zip(first["place"], first["value"], strict=True)]
    message = (
        f"{name}.{rule.column} has {counted(n, 'row')} with {rule.what} (first: {', '.join(shown)}). {rule.remedy}"
    )
    return Fault(name, rule.column, rule.name, rule.severity, n, message)


def _quoted(value: object) -> str:
    return "nothing" if pd.isna(value) or not str(value).strip() else str(value)  # type: ignore[call-overload]


def _shape_faults(name: str, n_rows: int, rejects: pd.DataFrame) -> list[Fault]:
    faults = []
    if len(rejects):
        lines = ", ".join(f"line {n}: {str(t)[:40]!r}" for n, t in rejects.head(SHOWN).itertuples(index=False))
        message = (
            f"{name} has {counted(len(rejects), 'broken line')}, with too many or too few fields ({lines}). {SET_ASIDE}"
        )
        faults.append(Fault(name, "", "broken line", "error", len(rejects), message))
    if not n_rows:
        message = f"{name} has no rows. Supply some, or remove the table: every table is optional."
        faults.append(Fault(name, "", "empty table", "error", 0, message))
    return faults


def _plain(raw: ir.Value, value: ir.Value, column: Column) -> ir.Value:
    """Type a column that has no fault in the cheapest way, so that the engine reads it at full speed."""
    kind = raw.type()
    if column.kind in ("date", "time") and (kind.is_date() or (kind.is_timestamp() and not kind.timezone)):
        return raw.cast(value.type())
    return raw if kind == value.type() and not column.nullable else value


def _sound(work: ir.Table, spec: Mapping[str, Column], errors: list[Rule]) -> ir.Table:
    sound = work.filter(~reduce(or_, map(_hit, errors))) if errors else work
    extra = {
        c: filled(sound[c]) if sound[c].type().is_string() else sound[c]
        for c in sound.columns
        if c not in spec and c != ROW and not c.startswith("__")
    }
    return sound.select(**{c: sound[TYPED + c] for c in spec}, **extra)


def _faulty(work: ir.Table, errors: list[Rule], rejects: pd.DataFrame) -> pd.DataFrame:
    lines = pd.DataFrame({"reason": "broken line", "row": rejects["line"] - 1, "line": rejects["text"]})
    if not errors:
        return lines.drop(columns="line") if lines.empty else lines
    reason = reduce(
        lambda rest, r: ibis.ifelse(_hit(r), ibis.literal(f"{r.column}: {r.name}"), rest),
        errors,
        ibis.literal(""),
    )
    bad = work.filter(reduce(or_, map(_hit, errors))).mutate(reason=reason)
    keep = [c for c in work.columns if not c.startswith("__")]
    row = {"row": bad[ROW]} if ROW in bad.columns else {}
    rows = bad.select("reason", **row, **{c: bad[c].cast("string") for c in keep}).execute()
    frame = pd.concat([rows, lines], ignore_index=True) if len(lines) else rows
    return frame.sort_values("row", kind="stable", ignore_index=True) if "row" in frame else frame


def check_relations(tables: Mapping[str, ir.Table]) -> Iterator[Fault]:
    """Yield the warnings that need more than one row or more than one table."""
    for name, table in tables.items():
        if name in ("subscriptions", "orders", "surveys"):
            yield from _repeated_rows(name, table)
    if "subscriptions" in tables:
        yield from _overlaps(tables["subscriptions"])
    if "customers" in tables:
        yield from _similar_ids(tables["customers"])
        for name, moment in (
            ("orders", "ordered_on"),
            ("usage", "occurred_at"),
            ("touchpoints", "occurred_on"),
        ):
            if name in tables and "started_on" in tables["customers"].columns:
                yield from _events(name, tables[name], tables["customers"], moment)


def _warning(table: str, column: str, rule: str, n: int, text: str) -> Iterator[Fault]:
    if n:
        yield Fault(table, column, rule, "warning", n, f"{table}{'.' + column if column else ''} {text}")


def _repeated_rows(name: str, table: ir.Table) -> Iterator[Fault]:
    n = int(table.count().execute()) - int(table.distinct().count().execute())
    text = f"has {counted(n, 'row')} repeating another exactly, kept and counted. Remove what is a copy."
    yield from _warning(name, "", "repeated rows", n, text)


def _overlaps(subscriptions: ir.Table) -> Iterator[Fault]:
    order = ibis.window(group_by="customer_id", order_by="started_on")
    open_end = subscriptions.ended_on.fill_null(ibis.date("2199-12-31"))
    earlier = subscriptions.mutate(before=open_end.lag().over(order))
    n = int((earlier.started_on < earlier.before).sum().fill_null(0).execute())
    text = f"has {counted(n, 'row')} starting before the customer's previous one ends; their MRR adds up."
    yield from _warning("subscriptions", "", "overlap", n, text)


def _similar_ids(customers: ir.Table) -> Iterator[Fault]:
    ids = customers.customer_id
    n = int((ids.nunique() - ids.strip().lower().nunique()).execute())
    text = f"has {counted(n, 'id')} differing from another only by case or blanks; they count as different customers."
    yield from _warning("customers", "customer_id", "similar ids", n, text)


def _events(name: str, events: ir.Table, customers: ir.Table, moment: str) -> Iterator[Fault]:
    start = customers.select(known="customer_id", started="started_on")
    joined = events.left_join(start, events.customer_id == start.known)
    found = joined.aggregate(
        unknown=joined.known.isnull().sum().fill_null(0),
        early=(joined[moment].cast("date") < joined.started).sum().fill_null(0),
    ).execute()
    unknown, early = (int(found[c].iloc[0]) for c in ("unknown", "early"))
    text = f"has {counted(unknown, 'row')} of customers not in the customers table; their segment is (missing)."
    yield from _warning(name, "customer_id", "unknown customer", unknown, text)
    text = f"has {counted(early, 'row')} before the customer's start; kept."
    yield from _warning(name, moment, "before start", early, text)
