"""Answers to surveys, reduced in the engine: one answer per customer and window, counted by score.

Everything that is said of scores follows from these counts; no customer is seen after the reduction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.data import calendar
from cslib.data.contract import CONTRACT, FIRST_YEAR, NPS_LABELS, OWN, SCALES
from cslib.data.customers import MAX_SEGMENTS, check_segments, segments
from cslib.data.dataset import DataSet
from cslib.data.engine import EXACT
from cslib.errors import DataError, MissingTableError, ParameterError, check_choice

FEW_VALUES: Final = 12  # of a column that is compared without being asked for
BANDS: Final = 4
MISSING: Final = "(missing)"
SMALL: Final = "(small groups)"
RESERVED: Final = ("before", "now", "n")
SILENT: Final = -1  # in place of a score: asked, no answer
ABSENT: Final = -2  # not asked in the window
STATES: Final = ("no answer", "not asked")
SCORES: Final = 64  # more than any scale has, and any column of segments
QUARTER: Final = 3  # months
SHARES: Final = ("csat", "answered")
DAYS: Final = 2**20  # more than any calendar has
KEY: Final = OWN + "key"
AT: Final = OWN + "at"
START: Final = date(FIRST_YEAR, 1, 1)


def holder_of(data: DataSet, column: str) -> str:
    """Tell whether ``customers``, or else ``surveys`` beyond its contract, has a column; empty: neither."""
    if "customers" in data.tables and column in data.table("customers").columns:
        return "customers"
    return "surveys" if column in _free(data, "surveys") else ""


def with_columns(each: ir.Table, data: DataSet, columns: Mapping[str, str]) -> ir.Table:
    """Add columns under other names: of customers, numbers in bands; others by ``data.customers.segments``."""
    theirs = {name: c for name, c in columns.items() if holder_of(data, c)}
    parts = [segments(data, c).rename({name: "segment"}) for name, c in columns.items() if name not in theirs]
    if theirs:
        customers = data.table("customers")
        parts.append(customers.select("customer_id", **{name: _text(customers, c) for name, c in theirs.items()}))
    for part in parts:
        joined, more = each.left_join(part, "customer_id"), [c for c in part.columns if c != "customer_id"]
        each = joined.select(*each.columns, **{c: joined[c].fill_null(MISSING) for c in more})
    return each


def _text(customers: ir.Table, column: str) -> ir.StringValue:
    """Read a column as text; numbers with many values as bands between their quartiles."""
    value = customers[column]
    if value.type().is_numeric():
        number = value.cast("float64")
        number = ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)
        quartiles = {f"q{i}": number.quantile(i / BANDS) for i in range(1, BANDS)}
        found = customers.aggregate(n=number.nunique(), **quartiles).execute().iloc[0]
        cuts = sorted({float(found[q]) for q in quartiles if found[q] == found[q]})
        if found["n"] > FEW_VALUES and cuts:
            return _bands(number, cuts)
        exact = ibis.ifelse(number.abs() < EXACT, number, ibis.null("float64"))
        value = ibis.ifelse(exact == exact.floor(), exact.cast("int64").cast("string"), number.cast("string"))
    return value.cast("string").fill_null(MISSING)


def _bands(number: ir.FloatingValue, cuts: list[float]) -> ir.StringValue:
    digits = next((d for d in range(6, 16) if len({f"{cut:.{d}g}" for cut in cuts}) == len(cuts)), 16)
    shown = [f"{float(f'{cut:.{digits}g}'):,.15g}" for cut in cuts]
    names = [f"up to {shown[0]}", *(f"{low} to {high}" for low, high in pairwise(shown))]
    steps = [(number <= cut, name) for cut, name in zip(cuts, names, strict=True)]
    return ibis.cases((number.isnull(), MISSING), *steps, else_=f"over {shown[-1]}")


def available_columns(data: DataSet, segment_by: str = "") -> list[str]:
    """List the columns by which answers can be compared.

    Parameters
    ----------
    data
        With ``surveys``.
    segment_by
        A column, or several with commas between; they come first. Empty: none asked for.

    Returns
    -------
    list of str
        Those asked for, then the declared segments, or without any the columns of ``customers`` and ``surveys``
        beyond the contract that hold 2 to 12 texts, or numbers; not those that say the score again.

    Raises
    ------
    ParameterError
        A column asked for is in no table, or has a name that is taken.
    """
    first = wanted(segment_by)
    for column in first:
        msg = f"segment_by is {column!r}, a name that counts of answers have themselves. Choose another column."
        ParameterError.when(column in RESERVED or (column in CONTRACT["surveys"] and not holder_of(data, column)), msg)
        if column == "customer_id" or not holder_of(data, column):
            segments(data, column)  # says that there is no such column
    candidates = [c for name in ("customers", "surveys") for c in _free(data, name) if c not in RESERVED]
    declared = [c for c in data.segments if c in candidates]
    found = _comparable(data, declared, MAX_SEGMENTS) or _comparable(data, candidates, FEW_VALUES)
    return list(dict.fromkeys([*first, *found]))


def wanted(segment_by: str) -> list[str]:
    """Split what was asked for at commas.

    Examples
    --------
    >>> wanted("plan, region"), wanted("")
    (['plan', 'region'], [])
    """
    return [c.strip() for c in segment_by.split(",") if c.strip()]


def _free(data: DataSet, name: str) -> list[str]:
    return [c for c in data.table(name).columns if c not in CONTRACT[name]] if name in data.tables else []


def _comparable(data: DataSet, columns: Sequence[str], most: int) -> list[str]:
    """Keep columns with a few values, and numbers of customers, that can be compared without being asked for."""
    result = []
    for column in columns:
        holder = holder_of(data, column)
        table = data.table(holder)
        kind = table[column].type()
        if kind.is_numeric() and holder == "customers":
            result += [column] if table[column].nunique().execute() > 1 else []
        elif kind.is_string() or kind.is_boolean() or kind.is_numeric():
            text = table.filter(table[column].notnull()).select(value=table[column].cast("string"))
            values = set(text.distinct().limit(most + 1).execute()["value"])
            usable = 2 <= len(values) <= most and not values & {"All", SMALL}
            result += [column] if usable and not _is_label(values) else []
    return result


def _is_label(values: Iterable[str]) -> bool:
    """Tell whether values name the groups of NPS: they say the score again."""
    return all(v.strip().lower().removesuffix("s") in (*NPS_LABELS, "neutral") for v in values)


@dataclass(frozen=True)
class Measure:
    """How the answers to one survey become a score.

    Attributes
    ----------
    survey
        ``nps``, ``csat`` or ``ces``.
    low
        Lowest answer of the scale; the next four have one entry per answer from it on.
    groups
        What the best, the middle and the worst answers are called.
    places
        Group of each answer: 0 best, 1 middle, 2 worst.
    worth
        What each answer adds to the score, which is their mean: ±100 and 0 (NPS), 1 and 0 (the share satisfied
        of CSAT), the answer itself (CES).
    prior
        Answers added to those given, so that intervals hold with few.
    """

    survey: str
    low: int
    groups: tuple[str, str, str]
    places: tuple[int, ...]
    worth: tuple[float, ...]
    prior: tuple[float, ...]

    @property
    def label(self) -> str:
        """Name for readers."""
        return self.survey.upper()

    @property
    def axis(self) -> str:
        """Name with unit, for axes."""
        easy = "low" if self.lower_is_better else "high"
        units = {"nps": "−100 to 100", "csat": "% satisfied"}
        return f"{self.label}, {units.get(self.survey, f'mean of {self.low}–{self.scores[-1]}, {easy} is easy')}"

    @property
    def unit(self) -> str:
        """How the score is written: ``percent`` for CSAT and whether they answer, which are shares; else ``number``."""
        return "percent" if self.survey in SHARES else "number"

    @property
    def scores(self) -> list[int]:
        """Answers that can be given."""
        return list(range(self.low, self.low + len(self.places)))

    @property
    def lower_is_better(self) -> bool:
        """Whether the best score is the lowest."""
        return self.worth[self.places.index(0)] < self.worth[self.places.index(2)]


def measure(survey: str, *, ces_scale: int = 10, ces_lower_is_easier: bool = True) -> Measure:
    """Define how a survey is scored.

    Parameters
    ----------
    survey
        ``nps`` (0–10: promoters 9–10, passives 7–8, detractors 0–6), ``csat`` (1–5: satisfied 4–5) or ``ces``.
    ces_scale
        Highest answer of CES, whose lowest is 1; easy and hard are the thirds at its ends.
    ces_lower_is_easier
        Whether low answers of CES say that it was easy.

    Returns
    -------
    Measure

    Raises
    ------
    ParameterError
        An unknown survey, or a scale outside 2 to 10.

    Examples
    --------
    >>> nps = measure("nps")
    >>> nps.worth[9], nps.groups[nps.places[0]]
    (100.0, 'detractors')
    """
    check_choice("survey", survey, SCALES)
    if survey == "nps":
        prior = (0.75, *(0.0,) * 6, 1.5, *(0.0,) * 2, 0.75)
        worth = (-100.0,) * 7 + (0.0,) * 2 + (100.0,) * 2
        return Measure("nps", 0, ("promoters", "passives", "detractors"), (2,) * 7 + (1,) * 2 + (0,) * 2, worth, prior)
    if survey == "csat":
        names = ("satisfied", "neutral", "dissatisfied")
        return Measure("csat", 1, names, (2, 2, 1, 0, 0), (0.0, 0.0, 0.0, 1.0, 1.0), (1.0, 0.0, 0.0, 0.0, 1.0))
    msg = f"ces_scale is {ces_scale}. Give the highest answer of CES, from 2 to {SCALES['ces'][1]}."
    ParameterError.when(not 2 <= ces_scale <= SCALES["ces"][1], msg)
    third = max(ces_scale // 3, 1)
    places = (0,) * third + (1,) * (ces_scale - 2 * third) + (2,) * third
    places = places if ces_lower_is_easier else places[::-1]
    worths = tuple(float(score) for score in range(1, ces_scale + 1))
    return Measure("ces", 1, ("easy", "neutral", "hard"), places, worths, (0.0,) * ces_scale)


@dataclass(frozen=True)
class Answers:
    """Customers asked in a window or in the one before, counted by columns and by what they answered.

    Attributes
    ----------
    counts
        One row per combination: the columns, ``before`` and ``now`` (the answer; -1: asked, no answer; -2: not
        asked), ``n`` (customers).
    columns
        Columns by which customers are compared.
    weighting
        These and further ones, for weighting.
    earlier
        Of a column of ``surveys``, the column of ``counts`` that has its value in the window before.
    measure, window, before
        What was asked, and when; ``before`` is None where nothing is compared.
    only_answers
        The window holds no invitation without an answer, so that nothing is known of those who were silent.
    """

    counts: pd.DataFrame = field(repr=False)
    columns: tuple[str, ...]
    weighting: tuple[str, ...]
    earlier: Mapping[str, str]
    measure: Measure
    window: calendar.Window
    before: calendar.Window | None
    only_answers: bool


@dataclass(frozen=True, eq=False)
class Periods:
    """Customers asked in each calendar period, counted by what they answered.

    Attributes
    ----------
    counts
        One row per combination: ``period`` (first day), ``segment``, ``now`` (the answer, or -1), ``n`` (customers).
    measure
        What was asked.
    """

    counts: pd.DataFrame = field(repr=False)
    measure: Measure


@dataclass(frozen=True)
class Asked:
    """Invitations to one survey, from a day to a day."""

    measure: Measure
    first: date
    last: date

    def among(self, rows: ir.Table) -> ir.BooleanValue:
        """Tell which rows of ``surveys`` they are."""
        inside = rows.asked_on.between(ibis.date(self.first), ibis.date(self.last))
        return (rows.survey == self.measure.survey) & inside


def answers(
    data: DataSet, asked: Measure, *, window: str = "12 months", compare_to: str = "previous",
    columns: Sequence[str] = (), standings: Sequence[Measure] = (),
) -> Answers:  # fmt: skip
    """Count customers by what they answered in a window and in the one before.

    Parameters
    ----------
    data
        With ``surveys``.
    asked
        As from :func:`measure`.
    window, compare_to
        As for :func:`cslib.data.calendar.read_window` and :func:`cslib.data.calendar.compared`, by the day of
        invitation.
    columns
        Columns to count by, as from :func:`cslib.surveys.answers.available_columns`; numbers are cut at their
        quartiles. One of ``surveys`` has the value of the invitation that counts.
    standings
        Surveys to whose last answer customers are counted, too: up to the window's end, and to ``asked`` itself
        before the window. They tell of those who are silent now.

    Returns
    -------
    Answers
        Of each customer and window the latest answer; of two given on one day the worse.

    Raises
    ------
    DataError
        There is no ``surveys``, or nobody answered in the window.
    ParameterError
        A column is not there, or has more than 50 values.
    """
    table = data.table("surveys")
    first = date.fromisoformat(data.statistics["surveys"]["first"])
    now = calendar.read_window(window, as_of=calendar.observed(data), earliest=first)
    before = calendar.compared(now, compare_to, as_of=calendar.observed(data), earliest=first)
    asks = {name: Asked(asked, w.first, w.last) for name, w in (("now", now), ("before", before)) if w}
    last = {f"earlier {m.label}" if m == asked else f"{m.label} answer": m for m in standings}
    for i, m in enumerate(last.values()):
        asks[f"s{i}"] = Asked(m, START, now.first - timedelta(days=1) if m == asked else now.last)
    # columns have other names in the engine, where those of the data could be anything
    alias = {f"c{i}": column for i, column in enumerate(columns)}
    own = {name: (column, "now") for name, column in alias.items() if holder_of(data, column) == "surveys"}
    past = {f"b{name}": (column, "before") for name, (column, _) in own.items() if before}
    each = latest(table, asks, own | past)
    each = with_columns(each, data, {name: column for name, column in alias.items() if name not in own})
    each = each.mutate(**{f"s{i}": _grouped(each[f"s{i}"], m) for i, m in enumerate(last.values())})
    each = each if before else each.mutate(before=ibis.literal(ABSENT, "int64"))
    each = each.filter((each.now != ABSENT) | (each.before != ABSENT))
    keys = [*alias, *past, *(f"s{i}" for i in range(len(last))), "before", "now"]
    found = each.group_by(keys).aggregate(n=each.count()).order_by(keys).execute()  # sums depend on the order
    earlier = {column: f"{column} (before)" for column, _ in past.values()}
    found = found.set_axis([*columns, *earlier.values(), *last, "before", "now", "n"], axis=1)
    for column in columns:
        check_segments(found[column], column)
    _check_answered(found, table, asked, now)
    silent = bool((found["now"] == SILENT).any())
    kept = (*columns, *(name for name, m in last.items() if m != asked))
    return Answers(found, kept, (*columns, *last), earlier, asked, now, before, only_answers=not silent)


def latest(table: ir.Table, asks: Mapping[str, Asked], own: Mapping[str, tuple[str, str]] | None = None) -> ir.Table:
    """Give each customer its latest answer to each of several sets of invitations, in one pass.

    Parameters
    ----------
    table
        ``surveys``.
    asks
        By the name of the column that takes the answer.
    own
        By the name of the column that takes it: a column of ``surveys``, and one of ``asks``; the value of the
        invitation that counts there, ``(missing)`` for who was not asked.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, the columns; answers are -1 where silent and -2 where not asked.
    """
    first, last = min(a.first for a in asks.values()), max(a.last for a in asks.values())
    named = sorted({a.measure.survey for a in asks.values()})
    rows = table.filter(table.survey.isin(named) & table.asked_on.between(ibis.date(first), ibis.date(last)))
    rows = rows.mutate(**{KEY: _key(rows, [a.measure for a in asks.values()])})
    inside = {name: a.among(rows) for name, a in asks.items()}
    levels = {column: _levels(rows, column) for column, _ in (own or {}).values()}
    highest = {name: rows[KEY].max(where=hit) for name, hit in inside.items()}
    packed = {name: _packed(rows, c, levels[c]).max(where=inside[ask]) for name, (c, ask) in (own or {}).items()}
    each = rows.group_by("customer_id").aggregate(**highest, **packed)
    answered = {name: _answer(each[name], a.measure) for name, a in asks.items()}
    values = {name: _unpacked(each[name], levels[c]) for name, (c, _) in (own or {}).items()}
    return each.select("customer_id", **answered, **values)


def _key(rows: ir.Table, measures: Iterable[Measure]) -> ir.IntegerValue:
    """Order the rows of a customer: answers before silence, later before earlier, worse before better."""
    day = rows.answered_on.coalesce(rows.asked_on) if "answered_on" in rows.columns else rows.asked_on
    asked = (day.delta(ibis.date(START), unit="day").cast("int64") * SCORES).cast("int64")
    score, low = rows.score.cast("int64"), sorted({m.survey for m in measures if m.lower_is_better})
    bad = ibis.ifelse(rows.survey.isin(low), score, (SCORES - 1) - score) if low else (SCORES - 1) - score
    return (asked + DAYS * SCORES + bad).fill_null(asked)


def _answer(key: ir.IntegerValue, m: Measure) -> ir.IntegerValue:
    bad = key % SCORES
    score = bad if m.lower_is_better else (SCORES - 1) - bad
    return ibis.cases((key.isnull(), ABSENT), (key >= DAYS * SCORES, score), else_=SILENT)


def _levels(rows: ir.Table, column: str) -> list[str]:
    """List the values of a column of ``surveys``, few enough to be told apart by a number."""
    text = rows[column].cast("string").fill_null(MISSING)
    found = rows.select(value=text).distinct().limit(MAX_SEGMENTS + 1).execute()["value"]
    check_segments(found, column)
    return sorted(found)


def _packed(rows: ir.Table, column: str, levels: list[str]) -> ir.IntegerValue:
    """Put the value into one number with the order of the row: engines find the maximum of numbers the fastest."""
    text = rows[column].cast("string").fill_null(MISSING)
    codes = [(text == level, i) for i, level in enumerate(levels)]  # none where no row is asked for
    return rows[KEY] * SCORES + (ibis.cases(*codes, else_=0) if codes else 0)


def _unpacked(packed: ir.IntegerValue, levels: list[str]) -> ir.StringValue:
    named = ((packed % SCORES == i, level) for i, level in enumerate(levels))
    return ibis.cases((packed.isnull(), MISSING), *named, else_=MISSING)


def _grouped(answer: ir.IntegerValue, m: Measure) -> ir.StringValue:
    """Name the group of an answer, or its absence."""
    names = dict(zip(m.scores, (m.groups[p] for p in m.places), strict=True)) | {SILENT: STATES[0]}
    return ibis.cases(*((answer == score, name) for score, name in names.items()), else_=STATES[1])


def measures(
    data: DataSet, *, window: str = "12 months", ces_scale: int = 10, ces_lower_is_easier: bool = True
) -> list[Measure]:
    """List the surveys that have answers to invitations of a window.

    Parameters
    ----------
    data
        With ``surveys``.
    window
        As for :func:`cslib.data.calendar.read_window`.
    ces_scale, ces_lower_is_easier
        As for :func:`measure`.

    Returns
    -------
    list of Measure

    Raises
    ------
    DataError
        There is no ``surveys``, or nothing in it, or an answer is outside its scale.
    """
    table, first = data.table("surveys"), data.statistics["surveys"]["first"]
    msg = f"surveys has no rows up to {calendar.observed(data)}. Choose a later as_of, or a wider where."
    DataError.when(first is None, msg)
    span = calendar.read_window(window, as_of=calendar.observed(data), earliest=date.fromisoformat(first))
    rows = table.filter(table.score.notnull())
    inside = rows.asked_on.between(ibis.date(span.first), ibis.date(span.last))
    there = rows.group_by("survey").aggregate(highest=rows.score.max(), n=inside.sum()).execute().set_index("survey")
    scale: Any = {"ces_scale": ces_scale, "ces_lower_is_easier": ces_lower_is_easier}
    result = [measure(survey, **scale) for survey in SCALES if survey in there.index]
    for asked in result:
        highest = int(there.loc[asked.survey, "highest"])
        msg = f"surveys.score has {asked.label} answers up to {highest}, beyond {asked.low}–{asked.scores[-1]}."
        msg += " Set ces_scale to the highest answer of its scale."
        DataError.when(highest > asked.scores[-1], msg)
    return [asked for asked in result if there.loc[asked.survey, "n"]]


def _check_answered(found: pd.DataFrame, table: ir.Table, asked: Measure, window: calendar.Window) -> None:
    if (found["now"] > SILENT).any():
        return
    rows = table.filter(table.score.notnull())
    known = rows.group_by("survey").aggregate(n=rows.count(), last=rows.asked_on.max()).execute()
    there = ", ".join(f"{r.n:,} {r.survey} up to {pd.Timestamp(r.last).date()}" for r in known.itertuples())
    others = [str(r.survey) for r in known.sort_values("n", ascending=False).itertuples()]
    msg = f"surveys has no {asked.survey} answer at all. There are: {there}. Ask for these"
    msg += f": -p survey={others[0]}." if others else "."
    MissingTableError.when(others and asked.survey not in others, msg)
    msg = f"surveys has no {asked.survey} answer to an invitation from {window}. "
    msg += f"There are: {there}. Choose another survey or a wider window." if there else "No score is filled in."
    raise DataError(msg)


def answers_by_period(
    data: DataSet, asked: Measure, *, column: str = "", period: str = "month", ending: date | None = None
) -> Periods:
    """Count customers by what they answered in each complete calendar period.

    Parameters
    ----------
    data, asked
        As for :func:`answers`.
    column
        One of its columns; empty for the whole only.
    period
        ``day``, ``week``, ``month``, ``quarter`` or ``year``, by the day of invitation.
    ending
        Last day of a month: quarters end with it, and with every third before and after; empty: calendar periods.

    Returns
    -------
    Periods

    Raises
    ------
    DataError
        There is no ``surveys``.
    ParameterError
        ``ending`` is given and ``period`` is not ``quarter``, or an unknown period or column.
    """
    msg = f"ending is {ending}, which moves quarters, but period is {period!r}. Set period='quarter', or leave it."
    ParameterError.when(ending is not None and period != "quarter", msg)
    unit, step, shift = period, 1, 0
    if ending is not None:
        unit, step, shift = "month", QUARTER, (calendar.ordinal(ending, "month") + 1) % QUARTER
    table, last = data.table("surveys"), calendar.last_complete(calendar.observed(data), unit)
    rows = table.filter(table.survey == asked.survey)
    at = ((calendar.period_ordinal(rows.asked_on, unit) - shift) // step).cast("int64")
    rows = rows.mutate(**{KEY: _key(rows, [asked]), AT: at}).filter(ibis._[AT] < (last + 1 - shift) // step)
    own = bool(column) and holder_of(data, column) == "surveys"
    levels = _levels(rows, column) if own else []
    value = {"segment": _packed(rows, column, levels).max()} if own else {}
    each = rows.group_by(["customer_id", AT]).aggregate(now=rows[KEY].max(), **value)
    shown = {"segment": _unpacked(each.segment, levels) if own else ibis.literal("All")} if own or not column else {}
    each = each.select("customer_id", at=each[AT], now=_answer(each.now, asked), **shown)
    if not shown:
        each = with_columns(each, data, {"segment": column})
    keys = ["at", "segment", "now"]
    found = each.group_by(keys).aggregate(n=each.count()).order_by(keys).execute()
    starts = [calendar.period_start(int(k) * step + shift, unit) for k in found.pop("at")]
    found.insert(0, "period", pd.to_datetime(starts))
    return Periods(found, asked)
