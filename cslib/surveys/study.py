"""The study of surveys: how customers feel, where it differs, whether it gets better, and what follows an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import pandas as pd

from cslib.allowed import asked
from cslib.churn.study import Churn
from cslib.data.contract import SCALES
from cslib.data.customers import segment_today
from cslib.data.dataset import DataSet
from cslib.data.words import expected_loss, on_card
from cslib.errors import stretch
from cslib.show.charts import left_out, panels_with_bands, undrawn
from cslib.show.estimates import forest_plot
from cslib.show.formats import in_full, months
from cslib.show.result import Answer, Result, Study
from cslib.stats.survival import drawn_ages, survival_at, survival_curve
from cslib.surveys import answers as replies
from cslib.surveys import response_words, words
from cslib.surveys import scores as estimate
from cslib.surveys.answers import Answers, Measure, wanted
from cslib.surveys.change import WORTH_SEEING, answers_needed, change, most_moved, non_response, silence_moves
from cslib.surveys.charts import (
    answer_bars,
    answer_distribution,
    bar_rows,
    said_alone,
    score_heatmap,
    trend_rows,
    with_dots,
)
from cslib.surveys.kpis import as_asked, is_year, of_the_quarter
from cslib.surveys.response import responses
from cslib.surveys.scores import EXTRA, judged
from cslib.surveys.stakes import (
    Landmark,
    after_answers,
    alike_by,
    brought,
    known_stakes,
    money_at_stake,
    priced,
    stakes_by_segment,
    unhappy,
    who_left,
)

TESTS: Final = ("difference_from_rest", "p_value", "p_adjusted", "contribution")  # of all columns: see drivers

YEAR: Final = "12 months"  # the window that judges a target
SPANS: Final = "all, N days, N weeks, N months, N quarters, N years"
WINDOWS: Final = f"{SPANS}, YYYY, YYYY-QN or YYYY-MM"
COMPARED: Final = f"previous, year before, {SPANS}, YYYY, YYYY-QN, YYYY-MM or empty"


@dataclass(frozen=True, repr=False, eq=False)
class Surveys(Study):
    """How customers feel, where it differs, whether it gets better, and what it costs.

    Of each customer the latest answer in the window counts.

    Attributes
    ----------
    data
        With ``surveys``; for what follows an answer also ``customers`` with dates, for money also MRR.
    by
        Column to compare customers by, or two with a comma to cross them; empty: all there are.
    survey
        ``nps``, ``csat`` or ``ces``.
    window, compare_to
        Invitations that count, and those to compare with: as for :func:`cslib.data.calendar.read_window` and
        :func:`cslib.data.calendar.compared`.
    period
        Of the trend: ``month``, ``quarter``, ``week`` or ``year``.
    min_group
        Groups with fewer answers are merged.
    gross_margin
        Share of MRR that is margin; 0: as declared with the data, or all of it.
    ces_scale, ces_lower_is_easier
        As for :func:`cslib.surveys.answers.measure`.

    Raises
    ------
    MissingTableError
        There is no ``surveys``, once a finding is asked for.
    DataError
        Nobody answered in the window, or an answer is outside its scale.
    ParameterError
        A parameter is outside its choices; a column is not there, once a finding is asked for.

    Examples
    --------
    >>> import cslib as cs
    >>> asked = [("a", 9), ("b", 10), ("c", 7), ("d", 3), ("e", None)]
    >>> rows = pd.DataFrame(asked, columns=["customer_id", "score"]).assign(asked_on="2025-05-02", survey="nps")
    >>> surveys = cs.Surveys(cs.load({"surveys": rows}, as_of="2025-06-30"), period="month")
    >>> surveys.answer.text
    '**NPS is 25** over the last 12 months (95 % interval −44 to 73, 4 customers).'
    >>> surveys.trend.table[["segment", "period", "n_responses", "nps"]]
      segment     period  n_responses   nps
    0     All 2025-05-01            4  25.0
    >>> print(*list(surveys.findings())[:9])
    groups distribution trend change drivers crossing stakes unhappy second_survey
    """

    data: DataSet
    by: str = ""
    survey: str = asked("nps", "nps, csat or ces")
    window: str = asked("12 months", WINDOWS)
    compare_to: str = asked("previous", COMPARED)
    period: str = asked("quarter", "month, quarter, week or year")
    min_group: int = asked(10, "1 to 1000000")
    gross_margin: float = asked(0.0, "0 to 1")
    ces_scale: int = asked(10, "2 to 10")
    ces_lower_is_easier: bool = True

    @property
    def _margin(self) -> float:
        return self.data.margin(self.gross_margin)

    @cached_property
    def answer(self) -> Answer:
        """How do customers feel, where, and what does it cost?"""
        say, whole, moved, stake = self._say, self._every.iloc[0], self._shift, self._told
        of_all = self._moves.get("of_all", math.nan)
        shown: Any = {"window": self._found.window, "held": self._held(whole, of_all)}
        cards = say.cards(whole, self._asked.unit, moved, self._known, **shown)
        quarter = of_the_quarter(self._data, self._asked)
        subtitle = say.subtitle(whole, self._found.window)
        rest: Any = {"known": self._known, "of_all": of_all, "others": self._turned_surveys}
        text = say.answer(judged(self._groups), moved, stake, **rest)
        return Answer(subtitle, text, (*cards, *say.quarter(quarter)), notes=say.quoted(whole, quarter))

    @cached_property
    def groups(self) -> Result:
        """Who is happy, and who isn't?"""
        shown = self._bars(self._asked, self._main)
        table = shown.table.drop(columns=list(TESTS))
        return replace(shown, name=f"{self.survey}_groups", table=table, how_to_read=words.HOW_TO_READ_SCORES)

    @cached_property
    def distribution(self) -> Result:
        """What did they answer?"""
        given = estimate.distribution(self._found)
        return Result(
            "distribution", given, self._say.distribution(given),
            "Share of customers by answer, with 95 % intervals. Figures above the bars: customers.",
            partial(answer_distribution, given, groups=self._asked.groups, x_label="answer"), "Bar chart",
            caption="All answers, by what was answered",
        )  # fmt: skip

    @cached_property
    def trend(self) -> Result:
        """Is it getting better?"""
        table = self._trend
        if table.empty:
            return self._over_time(self._asked, table)
        window = self._found.window
        every = estimate.every_answer(table, self.survey, since=window.first, until=window.last)
        return self._over_time(self._asked, table, self._say.every(self._every.iloc[0], every, self.period))

    @cached_property
    def change(self) -> Result:
        """What moved since the window before: the answers, or who gives them?"""
        name, least = f"{self.survey}_change", WORTH_SEEING[self.survey]
        caption = (
            f"Change between the windows{f' by {self._split}' * bool(self._split)}, with 95 % intervals in brackets"
            + ", those of segments allowing for all compared" * bool(self._split)
        )
        needed = self._say.needed(answers_needed(self._found, least), least, self._shift)
        title = self._say.change(self._shift)
        if self._moved.empty:
            return Result(name, self._moved, absent=f"{title}.", notes=(needed,), caption=caption)
        moved = judged(self._moved)
        most = self._say.moved_most(most_moved(moved), self._split)
        if not moved["clear"].any():
            return Result(name, self._moved, f"{title}.", notes=(*most, needed), caption=caption, most=0)
        windows = f"Now: {self._found.window}. Before: {self._found.before}."
        order = ["All", *self._order(self._split)]
        ranked = self._moved.sort_values("segment", key=lambda s: pd.Series(pd.Categorical(s, order), s.index))
        shown = self._say.changes(ranked)
        parts = self._say.parts(moved, self._split) if moved["clear"].iloc[0] else ()
        notes = (*most, *parts, windows, needed)
        return Result(name, self._moved, title, notes=notes, caption=caption, shown=shown)

    @cached_property
    def drivers(self) -> Result:
        """Who scores higher, and who lower?

        Drawn where a column is asked for and somebody clearly does; else the chart of ``groups`` tells enough.
        """
        every = self._every
        own = every["segment_by"].isin(self._columns)
        table, others = estimate.drivers(every[own]), estimate.drivers(every[~own])
        n = int(every.loc[own, "p_adjusted"].notna().sum())
        name, caption = f"{self.survey}_drivers", f"{self._asked.label} of each group against all others"
        scored = every.drop(columns=list(EXTRA))
        also = (
            Result(self.survey, scored, caption=f"{self._asked.label} by segment, each against all other answers"),
            Result(f"{self.survey}_other_answers", others, caption=f"{caption}, by answers to other surveys"),
        )
        rest: Any = {"also": also, "caption": caption}
        if table.empty:
            return Result(name, table, absent="There is no column to compare answers by.", **rest)
        label, row = self._asked.label, estimate.strongest(table, "contribution")
        if row is None:
            crossed = self._crossed[1]
            pair = self._pair if len(crossed) and not judged(crossed)["clear"].any() else ()
            shown = {*self._main["segment_by"]}  # the chart of groups has a title of these
            by = [c for c in self._columns if c in set(table["segment_by"]) - shown]
            return Result(name, table, self._say.nowhere(by, pair or ()), most=0, **rest)
        title = self._say.drivers(row)
        if not wanted(self.by):  # the chart of groups holds the same ones
            return Result(name, table, f"{title}.", most=0, **rest)
        how: Any = {"estimate": "difference", "label": "level", "n": "n_responses", "reference": 0.0}
        return Result(
            name, table, title,
            f"{label} of each group minus that of all other customers; n: answers. 95 % intervals allow for {n} groups "
            "compared. In colour: clearly different.",
            partial(forest_plot, table, x_label=f"difference in {label}", **how), "Forest plot", **rest,
        )  # fmt: skip

    @cached_property
    def crossing(self) -> Result:
        """And where two columns cross: the two asked for, or the first two there are?

        Drawn where both are asked for, or a difference is clear.
        """
        pair, (grid, table), caption = self._pair, self._crossed, f"{self._asked.label} of two columns crossed"
        clear = judged(table)["clear"].any() or len(wanted(self.by)) > 1
        if not pair or table.empty or not clear:
            return Result("crossed", table, caption=caption, most=0)
        grid = grid.copy()
        for axis, column in zip(("row", "column"), pair, strict=True):
            grid[axis] = pd.Categorical(grid[axis], self._order(column))
        hidden = len(grid) < grid["row"].nunique() * grid["column"].nunique()
        how: Any = {"row": pair[0], "column": pair[1], "score": self.survey, "unit": self._asked.unit}
        how["least"] = (max(self._asked.worth) - min(self._asked.worth)) / 10
        return Result(
            "crossed", table, self._say.segments(judged(table)),
            f"{self._asked.label} by {pair[0]} and {pair[1]}; n: answers.{words.HATCHED * hidden}",
            partial(score_heatmap, grid, **how), "Heatmap", caption=caption,
        )  # fmt: skip

    @cached_property
    def stakes(self) -> Result:
        """What does it cost?"""
        found, told = self._landmark, self._told
        name, caption = f"{self.survey}_churn", "Churn after an answer, and money at stake"
        if found.remark:
            return Result(name, self._stake, absent=found.remark, caption=caption)
        parts, column = self._parts, (found.columns or ("",))[0]
        stays = self._say.stays(told, parts, self._known)
        also = (Result(f"{name}_by_segment", parts, caption=f"{caption}, by {column}"),) if len(parts) else ()
        how: Any = {"x": "duration_months", "x_label": "months since that day", "n": "n_at_risk"}
        how |= {"n_label": "still followed", "behind": self._asked.groups[0], "meaning": "answers"}
        return Result(
            name, self._stake, self._say.money(told, self._known), self._say.followed(found),
            partial(panels_with_bands, _stays(found), y="survival", line="steps", **how), "Step chart",
            self._say.alike(found), notes=stays,
            also=also, caption=caption,
        )  # fmt: skip

    @cached_property
    def unhappy(self) -> Result:
        """Which unhappy customers to call first?"""
        column = next((c for c in self._columns if replies.holder_of(self._data, c) == "customers"), "")
        churn, code, worst = self._churn, self.data.currency, self._asked.groups[2]
        known: Any = {"risks": churn.risks, "gross_margin": self._margin} if churn else {}
        table = unhappy(self._data, self._asked, self._found.window, column=column, **known)
        name, caption = f"{self.survey}_unhappy", "Customers whose latest answer is among the worst"
        caption = caption if churn is None else f"Today's {caption.lower()}"
        if churn and table["money_at_risk"].notna().any():
            loss = f"{expected_loss(self._margin)} within {months(churn.months_ahead)}"
            caption += f", amounts for a month; {loss}"
        formats = {"mrr": "amount", "money_at_risk": "amount", "p_churn": "percent", "score": "plain"}
        labels = words.UNHAPPY | {c: f"{words.UNHAPPY[c]}, {code}" for c in ("mrr", "money_at_risk") if code}
        how: Any = {"formats": formats, "labels": labels, "most": 10}
        who = "None of today's customers" if churn else "Nobody"
        how["absent"] = "" if len(table) else f"{who} gave one of the worst answers ({worst})."
        shown = table.loc[:, table.notna().any()] if len(table) else table
        if len(table):
            shown = shown.assign(**{c: in_full(shown[c]) for c in ("money_at_risk", "mrr") if c in shown})
            how["notes"] = (self._say.order(table),)
        title = self._say.unhappy(table, self._asked, here=churn is not None)
        return Result(name, table, title, shown=shown, caption=caption, **how)

    @cached_property
    def _churn(self) -> Churn | None:
        """The report that knows how likely each of today's customers is to leave; None without customers."""
        if "customers" not in self.data.tables:
            return None
        by = next((c for c in wanted(self.by) if replies.holder_of(self._data, c) != "surveys"), "")
        return Churn(self.data, by=by, gross_margin=self.gross_margin)

    @cached_property
    def second_survey(self) -> Result:
        """What do they say in another survey?"""
        return self._other(0)

    @cached_property
    def second_trend(self) -> Result:
        """Has it changed there?

        As for ``trend``, drawn where the last period clearly differs from those before it.
        """
        return self._other_trend(0)

    @cached_property
    def third_survey(self) -> Result:
        """And what in the third one?"""
        return self._other(1)

    @cached_property
    def third_trend(self) -> Result:
        """And in the third one?"""
        return self._other_trend(1)

    @cached_property
    def response(self) -> Result:
        """Who did not answer?"""
        table = responses(self._found, self._columns, min_group=self.min_group)
        name, caption = f"{self.survey}_response", "Response rate by segment"
        if self._found.only_answers:
            return Result(name, table, caption=caption, most=0)
        title = response_words.heading(table, self._columns, span=self._say.span)
        allowing = "95 % intervals in brackets, those of differences allowing for all compared"
        shown, notes = response_words.laid_out(table, self._split), response_words.elsewhere(table, self._columns)
        return Result(name, table, title, caption=f"{caption}, {allowing}", shown=shown, notes=notes, most=len(shown))

    @cached_property
    def silence(self) -> Result:
        """What would everyone asked say?"""
        table = self._weighted
        return Result(
            f"{self.survey}_non_response", table, self._say.silence(self._moves),
            caption=f"{self._asked.label} weighted to everyone asked, 95 % intervals in brackets",
            shown=self._say.weighted(table), notes=self._say.unmoved(table),
            how_to_read=self._say.at_the_most(self._moves, self._asked.groups),
        )  # fmt: skip

    @cached_property
    def _crossed(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Cells of two columns crossed, and their scores; no rows where there are no two of two groups."""
        pair = self._pair
        grid = estimate.cells(self._found, pair, min_group=self.min_group) if pair else pd.DataFrame()
        if not pair or min(grid["row"].nunique(), grid["column"].nunique()) < 2:
            return grid, self._every.iloc[:0]
        return grid, estimate.of_columns(self._scored(self._found, beside=[pair]), [estimate.JOIN.join(pair)])

    @cached_property
    def _say(self) -> words.Words:
        n, _, unit = " ".join(self.window.split()).partition(" ")
        long = stretch(int(n), unit.removesuffix("s")) if n.isdigit() and unit else ""
        before = f"the {long} before" if long and self.compare_to == "previous" else "the window before"
        earlier = "the year before" if self.compare_to == "year before" else before
        span = f"over the last {long}" if long else f"from {self._found.window}"
        return words.Words(self.survey, self.data.currency, earlier, span)

    @cached_property
    def _asked(self) -> Measure:
        return self._measured(self.survey)

    @cached_property
    def _data(self) -> DataSet:
        return segment_today(self.data)

    @cached_property
    def _answered(self) -> list[Measure]:
        """Surveys with answers in the window."""
        scale: Any = {"ces_scale": self.ces_scale, "ces_lower_is_easier": self.ces_lower_is_easier}
        return replies.measures(self._data, window=self.window, **scale)

    @cached_property
    def _columns(self) -> list[str]:
        return replies.available_columns(self._data, self.by)

    @cached_property
    def _found(self) -> Answers:
        return self._counted(self._asked, standings=self._answered)

    @cached_property
    def _every(self) -> pd.DataFrame:
        """Scores by all columns, and by what was said in other surveys."""
        others = [c for c in self._found.columns if c not in self._columns]
        return self._scored(self._found, beside=others)

    @property
    def _groups(self) -> pd.DataFrame:
        """Scores by all columns: the one family of comparisons."""
        return estimate.of_columns(self._every, self._columns)

    @property
    def _main(self) -> pd.DataFrame:
        """Scores by the columns asked for."""
        return estimate.of_columns(self._every, wanted(self.by) or self._columns)

    @property
    def _split(self) -> str:
        """The first column; empty: there is none."""
        return (wanted(self.by) or self._columns or [""])[0]

    @property
    def _pair(self) -> tuple[str, str] | None:
        """The first two columns with groups to compare."""
        found = [c for c in self._columns if c in set(self._every["segment_by"])]
        return (found[0], found[1]) if len(found) > 1 else None

    @cached_property
    def _moved(self) -> pd.DataFrame:
        return change(self._found, self._split, min_group=self.min_group)

    @property
    def _shift(self) -> pd.Series[Any] | None:
        """How the whole moved; None where there is nothing to compare with."""
        return None if self._moved.empty else judged(self._moved).iloc[0]

    @cached_property
    def _weighted(self) -> pd.DataFrame:
        """Scores weighted to everyone asked."""
        return non_response(self._found, min_group=self.min_group)

    @property
    def _moves(self) -> dict[str, float]:
        return silence_moves(self._weighted, self.survey)

    def _held(self, whole: pd.Series[Any], of_all: float) -> dict[str, Any]:
        """Hold the score against its target, where the window is the year by which that is judged."""
        kpi = as_asked(self._asked.survey, lower_is_easier=self.ces_lower_is_easier)
        target = kpi.target(self.data.targets)
        if target is None or self.window != YEAR or not is_year(self._data, self._found):
            return {}
        status = kpi.judged(target, whole[kpi.id], (whole["ci_lower"], whole["ci_upper"]), of_all=of_all)
        return on_card(target, status, kpi.unit)

    @cached_property
    def _landmark(self) -> Landmark:
        return after_answers(self._data, self._asked, self._found.window, columns=alike_by(self._data))

    @cached_property
    def _stake(self) -> pd.DataFrame:
        return money_at_stake(self._landmark, gross_margin=self._margin)

    @cached_property
    def _parts(self) -> pd.DataFrame:
        """What money at stake is the sum of."""
        how: Any = {"gross_margin": self._margin, "least": self.min_group, "whole": self._stake}
        return priced(stakes_by_segment(self._landmark, **how))

    @cached_property
    def _known(self) -> pd.DataFrame:
        of = brought(self._data, gross_margin=self._margin) if len(self._stake) else math.nan
        return known_stakes(judged(self._stake), self._parts, brought=of)

    @property
    def _told(self) -> pd.DataFrame:
        return who_left(judged(self._stake))

    def _order(self, column: str) -> list[str]:
        """Values of a column, the best score first."""
        return self._every.loc[self._every["segment_by"] == column, "segment"].tolist()

    def _measured(self, survey: str) -> Measure:
        return replies.measure(survey, ces_scale=self.ces_scale, ces_lower_is_easier=self.ces_lower_is_easier)

    def _counted(self, asked: Measure, **more: Any) -> Answers:
        when: Any = {"window": self.window, "compare_to": self.compare_to}
        return replies.answers(self._data, asked, columns=self._columns, **when, **more)

    def _scored(self, found: Answers, *, beside: Sequence[str | tuple[str, str]] = ()) -> pd.DataFrame:
        return estimate.family(found, self._columns, beside=beside, min_group=self.min_group)

    def _bars(self, asked: Measure, scored: pd.DataFrame) -> Result:
        """Show the answers of each group, and its score."""
        how: Any = {"score": asked.survey, "score_label": asked.axis, "unit": asked.unit}
        groups = [f"n_{group}" for group in asked.groups]
        return Result(
            asked.survey, scored.drop(columns=list(EXTRA)),
            words.Words(asked.survey).segments(judged(scored)),
            f"Share of answers in percent, and {asked.label} with its 95 % interval; dashed: all answers.",
            partial(answer_bars, judged(bar_rows(scored)), label="name", groups=groups, **how), "Stacked bars",
            caption=f"Answers and {asked.label} by segment",
        )  # fmt: skip

    def _periods(self, asked: Measure) -> replies.Periods:
        return replies.answers_by_period(self._data, asked, column=self._split, period=self.period)

    def _by_period(self, asked: Measure) -> str:
        return f"{asked.label} by {self.period}"

    def _over_time(self, asked: Measure, table: pd.DataFrame, how_to_read: str = "") -> Result:
        """Draw the score of a survey period by period."""
        name, caption = f"{asked.survey}_trend", self._by_period(asked)
        if table.empty:
            why = f"No {self.period} with answers is complete yet."
            return Result(name, table, absent=why, caption=caption)
        unit, say = "score" if asked.survey == "nps" else asked.unit, replace(self._say, survey=asked.survey)
        how: Any = {"x": "period", "y": asked.survey, "x_label": "", "n": "n_customers", "unit": unit}
        shown, few = trend_rows(table), f"fewer than 30 answers to show in each {self.period}"
        return Result(
            name, table, say.trend(estimate.last_period(table, asked.survey), self.period),
            f"{caption} of the invitation, from 30 answers on. Bands: 95 % intervals."
            + left_out(table, shown) + said_alone(shown, asked.survey, period=self.period)
            + undrawn(shown, asked.survey, few=few),
            partial(with_dots, partial(panels_with_bands, shown, n_label="answers", **how), shown, asked.survey),
            how_to_read=how_to_read, caption=caption,
        )  # fmt: skip

    @cached_property
    def _trend(self) -> pd.DataFrame:
        merged = estimate.small_segments(self._found, self._split, self.min_group)
        return estimate.trend(self._periods(self._asked), merged=merged, min_group=self.min_group)

    @cached_property
    def _others(self) -> list[tuple[Measure, pd.DataFrame]]:
        """The other two surveys, and their scores period by period."""
        asked = [self._measured(name) for name in SCALES if name != self._asked.survey]
        return [(other, estimate.trend(self._periods(other), min_group=self.min_group)) for other in asked]

    @property
    def _turned_surveys(self) -> list[str]:
        """What surveys say of their last period, where it lies in the window and clearly differs from those before."""
        easy = f"CES ({'low' if self.ces_lower_is_easier else 'high'} is easy) of"
        told = []
        for measure, trend in [(self._asked, self._trend), *self._others]:
            last = estimate.last_period(trend, measure.survey)
            if last is not None and last.clear and last.period.date() <= self._found.window.last:
                text = replace(self._say, survey=measure.survey).trend(last, self.period)
                told.append(text.replace("CES of", easy, 1))
        return told

    def _other(self, place: int) -> Result:
        """Show the answers to one of the other two surveys, if there are any in the window."""
        asked, trend = self._others[place]
        columns = wanted(self.by) or self._columns
        if asked in self._answered:
            scored = estimate.of_columns(self._scored(self._counted(asked)), columns)
            say = replace(self._say, survey=asked.survey)
            notes = (
                say.last_quarter(scored.iloc[0], of_the_quarter(self._data, asked)) if not _turned(asked, trend) else ()
            )
            return replace(self._bars(asked, scored), title=say.other(scored.iloc[0]), notes=notes)
        none = replace(self._found, measure=asked, counts=self._found.counts.iloc[:0])
        table = estimate.of_columns(self._scored(none), columns).drop(columns=list(EXTRA))
        why = f"Nobody answered {asked.label} from {self._found.window}."
        return Result(asked.survey, table, absent=why, caption=f"Answers and {asked.label} by segment")

    def _other_trend(self, place: int) -> Result:
        asked, trend = self._others[place]
        if _turned(asked, trend):
            return self._over_time(asked, trend)
        return Result(f"{asked.survey}_trend", trend, caption=self._by_period(asked), most=0)


def _turned(asked: Measure, trend: pd.DataFrame) -> bool:
    """Tell whether the last period clearly differs from those before it."""
    last = estimate.last_period(trend, asked.survey)
    return last is not None and bool(last.clear)


def _stays(found: Landmark) -> pd.DataFrame:
    """Survival after each kind of answer at the ages to draw, from the best to the worst, no answer between them."""
    curve = survival_curve(found.counts())
    drawn = survival_at(curve, drawn_ages(curve)).dropna(subset="survival")
    best, middle, worst = found.asked.groups
    places = {best: 0, middle: 1, worst: 3}
    return drawn.sort_values("segment", key=lambda group: group.map(places).fillna(2), kind="stable")
