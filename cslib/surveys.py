"""Answers to surveys, reduced in the engine: one answer per customer and window, counted by score.

Everything that is said of scores follows from these counts; no customer is seen after the reduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.contract import FIRST_YEAR, SCALES
from cslib.counts import MAX_SEGMENTS, check_segments, observed, period_ordinal
from cslib.errors import DataError, ParameterError, check_choice
from cslib.survey_columns import holder_of, with_columns
from cslib.tables import DataSet
from cslib.windows import Window, compared, read_window

__all__ = ["Answers", "Measure", "answers", "answers_by_period", "keys_by_customer", "measure", "measures"]

SILENT: Final = -1  # in place of a score: asked, no answer
ABSENT: Final = -2  # not asked in the window
STATES: Final = ("no answer", "not asked")
SCORES: Final = 64  # more than any scale has, and any column of segments
DAYS: Final = 2**20  # more than any calendar has
START: Final = date(FIRST_YEAR, 1, 1)


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
    if not 2 <= ces_scale <= SCALES["ces"][1]:
        msg = f"ces_scale is {ces_scale}. Give the highest answer of CES, from 2 to {SCALES['ces'][1]}."
        raise ParameterError(msg)
    third = max(ces_scale // 3, 1)
    places = (0,) * third + (1,) * (ces_scale - 2 * third) + (2,) * third
    places = places if ces_lower_is_easier else places[::-1]
    worths = tuple(float(score) for score in range(1, ces_scale + 1))
    return Measure("ces", 1, ("easy", "middling", "hard"), places, worths, (0.0,) * ces_scale)


@dataclass(frozen=True)
class Answers:
    """Customers asked in a window or in the one before, counted by columns and by what they answered.

    Attributes
    ----------
    counts
        One row per combination: the columns, ``before`` and ``now`` (the answer; -1: asked, no answer; -2: not
        asked), ``n`` (customers).
    columns
        Columns by which customers are counted.
    weighting
        Of these, and further ones, those known whether or not a customer answered: for weighting.
    measure, window, before
        What was asked, and when; ``before`` is None where nothing is compared.
    only_answers
        The data hold no invitation without an answer, so that nothing is known of those who were silent.
    """

    counts: pd.DataFrame = field(repr=False)
    columns: tuple[str, ...]
    weighting: tuple[str, ...]
    measure: Measure
    window: Window
    before: Window | None
    only_answers: bool


def answers(
    data: DataSet,
    asked: Measure,
    *,
    window: str = "12 months",
    compare_to: str = "previous",
    columns: Sequence[str] = (),
    standings: Sequence[Measure] = (),
) -> Answers:
    """Count customers by what they answered in a window and in the one before.

    Parameters
    ----------
    data
        With ``surveys``.
    asked
        As from :func:`measure`.
    window, compare_to
        As for :func:`cslib.windows.read_window` and :func:`cslib.windows.compared`, by the day of invitation.
    columns
        Columns to count by, as from :func:`cslib.survey_columns.available_columns`; numbers are cut at their quartiles.
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
    now = read_window(window, as_of=observed(data), earliest=first)
    before = compared(now, compare_to, as_of=observed(data), earliest=first)
    last = {_standing(m, asked): (m, _day_before(now.first) if m == asked else now.last) for m in standings}
    windows = {"now": now} | ({"before": before} if before else {})
    own = [c for c in columns if holder_of(data, c) == "surveys"]
    each = keys_by_customer(table, asked, windows, last, own=own)
    each = with_columns(each, data, [c for c in columns if c not in own])
    each = each.filter((each.now != ABSENT) | (each.before != ABSENT))
    found = each.group_by([*columns, *last, "before", "now"]).aggregate(n=each.count()).execute()
    for column in columns:
        check_segments(found[column], column)
    _check_answered(found, table, asked, now)
    silent = table.filter((table.survey == asked.survey) & table.score.isnull()).limit(1).count().execute()
    kept = (*columns, *(name for name, (m, _) in last.items() if m != asked))
    return Answers(found, kept, (*columns, *last), asked, now, before, only_answers=not int(silent))


def _standing(m: Measure, asked: Measure) -> str:
    return f"earlier {m.label}" if m == asked else f"{m.label} answer"


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def _key(table: ir.Table) -> ir.IntegerValue:
    """Order the rows of a customer: answers before silence, later before earlier, worse before better."""
    day = table.answered_on.coalesce(table.asked_on) if "answered_on" in table.columns else table.asked_on
    asked = (day.delta(ibis.date(START), unit="day").cast("int64") * SCORES).cast("int64")
    answered = asked + DAYS * SCORES + (SCORES - 1) - table.score.cast("int64")
    return answered.fill_null(asked)


def _answer(key: ir.IntegerValue) -> ir.IntegerValue:
    score = (SCORES - 1) - key % SCORES
    return ibis.cases((key.isnull(), ABSENT), (key >= DAYS * SCORES, score), else_=SILENT)


def keys_by_customer(
    table: ir.Table,
    asked: Measure,
    windows: dict[str, Window],
    standings: dict[str, tuple[Measure, date]] | None = None,
    *,
    own: Sequence[str] = (),
) -> ir.Table:
    """Give each customer its answer in each window, in one pass over the surveys.

    Parameters
    ----------
    table
        ``surveys``.
    asked
        As from :func:`measure`.
    windows
        By the name of the column that takes the answer.
    standings
        Columns that take the group of the last answer to some survey up to a day.
    own
        Columns of ``surveys``; the value in the row that counts.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, the columns; answers are -1 where silent and -2 where not asked.
    """
    end = max([w.last for w in windows.values()] + [day for _, day in (standings or {}).values()])
    rows = table.filter(table.asked_on <= ibis.date(end))
    if not standings:
        rows = rows.filter(rows.survey == asked.survey)
        rows = rows.filter(rows.asked_on >= ibis.date(min(w.first for w in windows.values())))
    rows = rows.mutate(cslib_key=_key(rows))
    inside = {
        name: (rows.survey == asked.survey) & rows.asked_on.between(ibis.date(w.first), ibis.date(w.last))
        for name, w in windows.items()
    }
    inside |= {
        name: (rows.survey == m.survey) & (rows.asked_on <= ibis.date(day))
        for name, (m, day) in (standings or {}).items()
    }
    highest = {name: rows.cslib_key.max(where=hit) for name, hit in inside.items()}
    rank = rows.cslib_key + ibis.ifelse(inside["now"], DAYS * SCORES * 2, 0)
    levels = {c: _levels(table, c) for c in own}
    each = rows.group_by("customer_id").aggregate(**highest, **{c: _packed(rows, c, rank, levels[c]) for c in own})
    shown = {name: _answer(each[name]) for name in windows}
    if "before" not in windows:
        shown["before"] = ibis.literal(ABSENT, "int64")
    shown |= {name: _grouped(_answer(each[name]), m) for name, (m, _) in (standings or {}).items()}
    return each.select("customer_id", **shown, **{c: _unpacked(each[c], levels[c]) for c in own})


def _levels(table: ir.Table, column: str) -> list[str]:
    """List the values of a column of ``surveys``, few enough to be told apart by a number."""
    text = table[column].cast("string").fill_null("(missing)")
    found = table.select(value=text).distinct().limit(MAX_SEGMENTS + 1).execute()["value"]
    check_segments(found, column)
    return sorted(found)


def _packed(rows: ir.Table, column: str, rank: ir.IntegerValue, levels: list[str]) -> ir.IntegerValue:
    """Take the value of the highest row along with its rank: the maximum of one number, which engines are fast at."""
    text = rows[column].cast("string").fill_null("(missing)")
    code = ibis.cases(*((text == level, i) for i, level in enumerate(levels)), else_=0)
    return (rank * SCORES + code).max()


def _unpacked(packed: ir.IntegerValue, levels: list[str]) -> ir.StringValue:
    code = packed % SCORES
    return ibis.cases(*((code == i, level) for i, level in enumerate(levels)), else_=levels[0])


def _grouped(answer: ir.IntegerValue, asked: Measure) -> ir.StringValue:
    names = dict(zip(asked.scores, (asked.groups[p] for p in asked.places), strict=True))
    names |= {SILENT: STATES[0], ABSENT: STATES[1]}
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
        As for :func:`cslib.windows.read_window`.
    ces_scale, ces_lower_is_easier
        As for :func:`measure`.

    Returns
    -------
    list of Measure

    Raises
    ------
    DataError
        There is no ``surveys``, or an answer is outside its scale.
    """
    table = data.table("surveys")
    span = read_window(window, as_of=observed(data), earliest=date.fromisoformat(data.statistics["surveys"]["first"]))
    rows = table.filter(table.score.notnull())
    inside = rows.asked_on.between(ibis.date(span.first), ibis.date(span.last))
    there = rows.group_by("survey").aggregate(highest=rows.score.max(), n=inside.sum()).execute().set_index("survey")
    result = [
        measure(s, ces_scale=ces_scale, ces_lower_is_easier=ces_lower_is_easier) for s in SCALES if s in there.index
    ]
    for asked in result:
        highest = int(there.loc[asked.survey, "highest"])
        if highest > asked.scores[-1]:
            msg = (
                f"surveys.score has {asked.label} answers up to {highest}, beyond {asked.low}–{asked.scores[-1]}. "
                "Set ces_scale to the highest answer of its scale."
            )
            raise DataError(msg)
    return [asked for asked in result if there.loc[asked.survey, "n"]]


def _check_answered(found: pd.DataFrame, table: ir.Table, asked: Measure, window: Window) -> None:
    if (found["now"] > SILENT).any():
        return
    rows = table.filter(table.score.notnull())
    known = rows.group_by("survey").aggregate(n=rows.count(), last=rows.asked_on.max()).execute()
    there = ", ".join(f"{r.n:,} {r.survey} up to {pd.Timestamp(r.last).date()}" for r in known.itertuples())
    msg = (
        f"surveys has no {asked.survey} answer to an invitation from {window}. "
        f"{f'There are: {there}. Choose another survey or a wider window.' if there else 'No score is filled in.'}"
    )
    raise DataError(msg)


def answers_by_period(data: DataSet, asked: Measure, *, column: str = "", period: str = "month") -> pd.DataFrame:
    """Count customers by what they answered in each calendar period.

    Parameters
    ----------
    data, asked
        As for :func:`answers`.
    column
        One of its columns; empty for the whole only.
    period
        ``month``, ``quarter`` or another of ``counts.PERIODS``, by the day of invitation.

    Returns
    -------
    pandas.DataFrame
        ``at`` (number of the period), ``segment``, ``now`` (the answer, or -1), ``n`` (customers).
    """
    table = data.table("surveys").filter(lambda t: t.survey == asked.survey)
    rows = table.mutate(cslib_key=_key(table), at=period_ordinal(table.asked_on, period))
    own = column if column and holder_of(data, column) == "surveys" else ""
    levels = _levels(table, own) if own else []
    value = {own: _packed(rows, own, rows.cslib_key, levels)} if own else {}
    each = rows.group_by(["customer_id", "at"]).aggregate(now=rows.cslib_key.max(), **value)
    each = each.mutate(now=_answer(each.now), **({own: _unpacked(each[own], levels)} if own else {}))
    if column and not own:
        each = with_columns(each, data, [column])
    each = each.mutate(segment=each[column] if column else ibis.literal("All"))
    return each.group_by(["at", "segment", "now"]).aggregate(n=each.count()).execute()
