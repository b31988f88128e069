"""Sentences, cards and texts of the scorecard: what needs attention, and where every KPI stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, isinf, nan
from typing import Any, Final

import pandas as pd

from cslib.data.drift import Drift
from cslib.data.kpi import NO_MARGIN, SCORECARD, UNCLEAR, Kpi, Target, link_to
from cslib.data.words import goal, not_clearly, on_card, to_reach, year_and_month
from cslib.errors import counted, listed
from cslib.revenue.headlines import FELT
from cslib.scorecard.attention import Standing
from cslib.scorecard.history import TOLD, WHOLE, Measured
from cslib.scorecard.scorecard import BETTER, UNSURE, USUAL, WORSENED, aimed, change_of, has_value
from cslib.scorecard.terms import TERMS, Term, bare, named
from cslib.show.display import Card
from cslib.show.formats import (
    MAY_BE_SEASON,
    OF_ENOUGH,
    alike,
    format_interval,
    format_value,
    money,
    months,
    percent,
    written_beside,
)
from cslib.show.result import Answer, Cards

YEAR: Final = 12
ARROWS: Final = {"above": "↑ ", "below": "↓ ", "": ""}
BEFORE: Final = {1: "in {:%B}", 3: "a quarter ago", YEAR: "a year ago"}
ONE_DIGIT: Final = 10  # below it a score has a decimal
OF_REVENUE: Final = "all revenue counts as margin"
MOST_ALIKE: Final = 3  # segments beside the one that stands worst; so many are not named
NAMED: Final = 3  # targets that are too close to call
NOTHING: Final = "No KPI can be measured for the latest period"
ALONE: Final = {"met": "meets it", "missed": "misses it, too", "": "is not measured"}
FLAT: Final = "none of its customers pays more than a year ago"
SPAN: Final = r" (months?|days?)$"
SIGN: Final = r" [%×]$"
STEPS: Final = {1: "month", 3: "quarter", YEAR: "year"}
CHANGES: Final = (
    "A change is **better** or **worse** where it is more than chance: out of the usual range, or against a year "
    "before where there is none. **As usual** is within that range; what **may be chance** is too close, or rests on "
    "too few, to tell. Blank: not judged (costs, customer value"
)
ALONE_RANGED: Final = (
    ", and single months or quarters of what is judged over 12 months). A survey's quarter is held against all "
    "quarters before it."
)
AS_RATIO: Final = (
    "LTV:CAC divides what a customer brings before the cost to win one by that cost; LTV is what is left after it."
)
MOVED: Final = {"higher": "up", "lower": "down"}
Row = Any  # one row of the scorecard, as from itertuples
HOW_TO_READ: Final = (
    "The small line is the KPI over time, of a survey by quarter; usual is the range within which it moves by chance "
    "alone, a grey band where that is the same at all times. A change is called clear, or above or below usual, only "
    "where it is more than chance. A target is met or missed only where the whole 95 % interval says so, of the last "
    "12 months for customer churn and survey scores where they are known, of the last period for others; else it is "
    "not clear. What is counted, such as a cost, has no interval."
)


@dataclass(frozen=True)
class Wording:
    """Which KPIs there are, and in which money.

    Attributes
    ----------
    measured
        What everything told is made of.
    repeats
        As from ``scorecard.scorecard.told_by``: told by others.
    terms
        As from ``scorecard.terms.terms``.
    far_out
        As from :func:`cslib.revenue.headlines.far_out`: a month that lifts or lowers every year that holds it.
    """

    measured: Measured
    repeats: Mapping[str, str]
    terms: Mapping[str, Term] = field(default_factory=lambda: TERMS)
    far_out: pd.Series[Any] | None = field(default=None, compare=False)

    @property
    def currency(self) -> str:
        """Code before amounts; may be empty."""
        return self.measured.currency

    def name(self, kpi: str, label: str) -> str:
        """Name a KPI in plain words, its abbreviation behind them."""
        return named(self.terms.get(kpi), label)

    def explained(self, texts: Iterable[str]) -> dict[str, str]:
        """Say what names mean that stand in a table, behind which more may follow, such as the 12 months."""
        known = {self.name(kpi, own.label): self._means(kpi) for kpi, own in self.measured.kpis.items()}
        return {text: means for text in texts for name, means in known.items() if text.startswith(_timeless(name))}

    def _means(self, kpi: str) -> str:
        """Say in a line what a KPI means: of one that has no term, the question that it answers."""
        return self.terms[kpi].means if kpi in self.terms else self.measured.kpis[kpi].question

    def _named(self, table: pd.DataFrame) -> list[Row]:
        """Give the rows with the names that say most."""
        rows: list[Row] = list(table.itertuples())
        return [row._replace(label=self.name(row.kpi, row.label)) for row in rows]

    def answer(self, stand: Standing, table: pd.DataFrame) -> Answer:
        """Answer "are we on target?", with the headline cards.

        Parameters
        ----------
        stand
            As from ``scorecard.attention.standing``.
        table
            As from ``scorecard.scorecard.headlines``.
        """
        aims = f"{stand.n_targets or 'none'} of them against a target"
        said = f"{stand.n_measured} of {stand.n_kpis} KPIs are measured, {aims}"
        if not stand.n_measured:
            return Answer(said, f"**{NOTHING}**.")
        cards, worse = tuple(self._card(row) for row in self._named(table)), self._worse_said(stand)
        if not stand.n_targets:
            return Answer(said, f"No targets are set. **{worse}**.", cards)
        return Answer(said, f"{self._targets_said(stand)} {worse}.", cards)

    def _targets_said(self, stand: Standing) -> str:
        """Say of all targets how many are missed, and of the others how they stand."""
        n, missed, unclear = stand.n_targets, stand.n_missed, stand.n_unclear
        plain = {own.label: bare(self.name(kpi, own.label)) for kpi, own in self.measured.kpis.items()}
        blind = listed([plain.get(label, bare(label)) for label in stand.blind])
        met = stand.n_judged - missed - unclear
        if not stand.n_judged:
            have = "has a target" if len(stand.blind) == 1 else "have targets"
            return f"{_upper(blind)} {have} that cannot be judged."
        if met == n:
            every = "The one target is" if n == 1 else f"{'Both' if n == 2 else f'All {n}'} targets are"
            return f"**{every} met**."
        if n == 1 and unclear:
            return "**The one target is neither clearly met nor clearly missed**."
        rows = self._named(stand.attention[stand.attention["why"] == "missed"])
        names = _listed_over([f"{bare(row.label)}{_over(row)}" for row in rows])
        some = f"{'The one target' if n == 1 else f'{missed} of {n} targets'} {_are(missed)} missed: {names}"
        reached = f"{met} of {n} targets {_are(met)} met, none is missed" if met else f"None of {n} targets is missed"
        head = some if missed else reached
        close = [bare(row.label) for row in self._named(stand.attention[stand.attention["status"] == UNCLEAR])]
        which = f" ({listed(close)})" if unclear == len(close) <= NAMED else ""
        others = {"met": met * bool(missed), f"neither clearly met nor missed{which}": unclear}
        rest = [f"{number} {_are(number)} {how}" for how, number in others.items() if number]
        rest += [f"{len(stand.blind)} cannot be judged ({blind})"] if blind else []
        return f"**{head}**. {listed(rest)}.".removesuffix(" .")

    def _worse_said(self, stand: Standing) -> str:
        """Name what became worse, or count it where it is much."""
        n, every = stand.n_worse, stand.attention
        if not stand.n_compared:
            return "No change can be judged yet"
        if not n:
            return "No KPI is clearly worse than usual or than a year ago"
        rows = [row for row in self._named(every[every["why"] == "worse"]) if not row.repeats]
        who = _upper(listed([bare(row.label) for row in rows])) if len(rows) == n <= NAMED else counted(n, "KPI")
        worse = f"{who} {_are(n)} clearly worse than before"
        return worse + ", which may be the season" * stand.untold

    def attention(self, stand: Standing, slipping: pd.DataFrame) -> Cards:
        """Say what needs attention, each thing in a sentence with a link to the section that explains it.

        Parameters
        ----------
        stand
            As from ``scorecard.attention.standing``.
        slipping
            As from ``scorecard.scorecard.slipping``.

        Returns
        -------
        Cards
            No cards, and sentences with ``**bold**`` parts, of which the home page tells the first: missed targets, by
            how far; then what got worse by more than chance, targets that cannot be told, and what got better. One of
            each KPI and its twin, unless that alone got better. At last what became worse step by step, each step no
            more than usual.
        """
        ranked = self._each_once(self._named(stand.attention))
        slips = {row.kpi: row for row in self._named(slipping) if row.kpi not in self.repeats}
        said = [f"{self._said(row)}{self._too(slips.pop(row.kpi, None))} {self._link(row)}" for row in ranked]
        calm = "Nothing is off its target or clearly different from usual" if stand.n_measured else NOTHING
        said = (said or [f"{calm}. {link_to(SCORECARD)}"]) + self._watched([*slips.values()])
        none = "No targets are set. Name them under [targets] in cslib.toml, such as nps = 30."
        notes = () if stand.n_targets else (none,)
        more: Any = {"how_to_read": HOW_TO_READ, "notes": notes, "caption": "What needs attention"}
        return Cards("attention", stand.attention, attention=tuple(said), **more)

    def _each_once(self, rows: Sequence[Row]) -> list[Row]:
        """Leave out twins of what stands above, but for what got better where the other did not."""
        first = {row.kpi: row for row in rows if not row.repeats}
        better = {self.measured.kpis[kpi].twin or kpi for kpi, row in first.items() if change_of(row) == BETTER}
        return [
            row
            for row in rows
            if row.kpi in first
            or (
                (row.why == "moved" and row.kpi not in self.repeats and change_of(row) == BETTER)
                and self.measured.kpis[row.kpi].twin not in better
            )
        ]

    def _too(self, slip: Row | None) -> str:
        """Say of what has a sentence already that it became worse step by step, too."""
        return "" if slip is None else f" {_upper(bare(slip.label))} {self._slips(slip)}."

    def _watched(self, rows: Sequence[Row]) -> list[str]:
        """Say what became worse step by step, by no clear change, in one sentence."""
        each = listed([f"{row.label} {self._slips(row)}" for row in rows])
        return [f"**{each}**, so far no more than usual; watch what comes next. {self._link(rows[0])}"] if rows else []

    def _slips(self, row: Row) -> str:
        way, step = "fell" if row.direction == "up" else "rose", _step(row)
        return f"{way} {row.periods} {step}s in a row, from {_bare(row, row.since)} to {_plain(row, row.value)}"

    def _link(self, row: Row) -> str:
        return self.measured.kpis[row.kpi].link

    def _said(self, row: Row) -> str:
        currency, known = self.currency, _known(row)
        value = _value(row, row.value, currency)
        easy = f"(CES, {'low' if row.direction == 'down' else 'high'} is easy)"
        row = row._replace(label=row.label.replace("(CES)", easy))  # of others a reader knows which way is well
        stands = f"{row.label} {'are' if row.label.endswith('customers') else 'is'} {value}"
        if row.judged_over and row.why in ("missed", "missed of late", "not clear"):
            return self._said_of_year(row, stands) + self._worst(row)
        if row.why == "not clear":
            return self._too_close(row, stands) + self._worst(row)
        if row.why != "missed":
            worst = self._worst(row) if row.change in MOVED else ""  # who is lowest need not be who fell
            when = f"{row.label} of {row.period} is {value}" if row.change not in MOVED and row.period else stands
            gain = "Better: " * (change_of(row) == BETTER)
            return f"**{gain}{when}, {self._moved(row)}**{self._beyond(row)}{self._before(row)}.{worst}"
        off = f", {_side(row)} its target of {_goal(row, currency)}"
        missed = f"; its target is {_target(row, currency)}" if isinf(row.value) else off
        then = f"; it is {self._moved(row)}" if row.change in MOVED else self._before(row)
        by = f", by {money(row.short, currency)} a month" if pd.notna(row.short) else ""
        return f"**{stands}{known}{missed}{by}**{then}.{self._where(row)}"

    def _said_of_year(self, row: Row, stands: str) -> str:
        """Say how the last 12 months stand to the target, and what the last period is alone."""
        year, goal = f"{self._in_a_year(row)} over {TOLD} ({_year_ends(row)})", _goal(row, self.currency)
        if row.why == "missed of late":
            meets = alone_too(row.status, aimed(row), row.value_12m)
            return f"**{stands} in {_alone(row)}{_known(row)}, {_side(row)} its target of {goal}**; {year} {meets}."
        at = f"{_alone(row)}, at {_value(row, row.value, self.currency)}" if row.status_alone else _alone(row)
        alone = f"{at}{',' * bool(row.status_alone)} {alone_too(row.status_alone, aimed(row), row.value)}"
        if row.why == "missed":
            off = f", {_side(row)} its target of {goal}**{_and_trend(row)}"
            return f"**{row.label} is {year}{off}; {alone}{_of_all(row)}."
        target = _target(row, self.currency)
        by_answers = aimed(row).judge(row.ci_lower_12m, row.ci_upper_12m)
        if pd.notna(row.of_all_12m) and by_answers == "met":
            return f"**{row.label} is {year}**, with a target of {target}{_and_trend(row)}; {alone}{_of_all(row)}."
        among = " among those who answered" * pd.notna(row.of_all_12m)
        aim = aimed(row)
        close = f"{not_clearly(aim, row.value_12m, f'its target of {target}{among}')}{_and_trend(row)}"
        alone = "" if row.status == row.status_alone else f"; {alone}"
        return f"**{row.label} is {year}**, {close}{alone}{_of_all(row)}."

    def _too_close(self, row: Row, stands: str) -> str:
        """Say of a target that it cannot be told whether it is met, and why."""
        target, known = _target(row, self.currency), _known(row)
        if not known:
            return f"**{stands}**; whether it meets its target of {target} cannot be told."
        return f"**{stands}{known}**, {not_clearly(aimed(row), row.value, f'its target of {target}')}."

    def _in_a_year(self, row: Row) -> str:
        return f"{_value(row, row.value_12m, self.currency)}{' a month' if row.months == 1 else ''}"

    def _worst(self, row: Row) -> str:
        """Name the segment that stands worst by more than chance, where one does."""
        if pd.isna(row.worst) or not row.apart:
            return ""
        far = "Lowest" if row.direction == "up" else "Highest"
        value = _value(row, row.worst_value, self.currency)
        far = f"Over {row.worst_over}, {far.lower()}" if row.worst_over else far
        far = f"{far}{OF_ENOUGH}" if row.but_few else far
        whole, up = row.value_12m if row.worst_over else row.value, row.direction == "up"
        close = [pair for pair in zip(row.close, row.close_value, strict=True) if (pair[1] < whole) == up]
        if 0 < len(close) < MOST_ALIKE:
            pairs = [(row.worst, row.worst_value), *close]
            named = listed([f"{segment} ({_value(row, each, self.currency)})" for segment, each in pairs])
            return f" {far} are {named}."
        others = f"; {len(close)} others cannot be told from it" * bool(close)
        return f" {far} is {row.worst}: {value}{others}."

    def _where(self, row: Row) -> str:
        """Say where a missed target is missed, by what that costs where this is known, and why where it shows."""
        if pd.isna(row.dearest):
            return f"{self._worst(row)}{' Nobody pays more than a year ago.' * (pd.notna(row.flat) and bool(row.flat))}"
        cost = money(row.dearest_short, self.currency)
        if not row.parts:
            flat = f", and {FLAT}" * row.dearest_flat
            made_up = ", part of which others make up" * row.made_up
            return f"{self._worst(row)} {row.dearest} alone is {cost} a month short{made_up}{flat}."
        flat = f": {FLAT}" * row.dearest_flat
        first = f" {row.dearest} ({_value(row, row.dearest_value, '')}) is {cost} a month short{flat}."
        return first + _made_up(row)

    def _before(self, row: Row) -> str:
        known = pd.notna(row.previous) and not (row.change in MOVED and not isfinite(row.limit_lower))
        then = f"; {_when(row)} it was {_value(row, row.previous, self.currency)}" if known else ""
        year = self._year_of_far_out(row)
        if year == 1:
            return f"{then}{f', which was {self._felt()}' if known else ''}"
        return f"; it is {self._felt()}{then}" if year == 0 else then

    def _felt(self) -> str:
        """Say of a year that a month in it stands far out."""
        far: Any = self.far_out
        return f"{'lifted' if far.kind == 'expansion' else 'lowered'} by the unusual {far.kind} of {far.month:%B %Y}"

    def _year_of_far_out(self, row: Row) -> int | None:
        """Tell which year holds the month that stands far out: 0 the last one, 1 the one before."""
        if self.far_out is None or row.kpi not in FELT[self.far_out.kind] or row.months != YEAR or pd.isna(row.until):
            return None
        month = self.far_out.month
        return int((row.until.year - month.year) * YEAR + row.until.month - month.month) // YEAR

    def _beyond(self, row: Row) -> str:
        """Name the period that was further out than the last, though that is clearly apart from all together."""
        then, now = (_value(row, value, self.currency) for value in (row.last_beyond, row.value))
        if row.change in MOVED or pd.isna(row.last_beyond) or then == now:
            return ""
        return f", though {row.last_beyond_in} was {'higher' if row.last_beyond > row.value else 'lower'}, at {then}"

    def _moved(self, row: Row) -> str:
        """Say of what moved by more than chance against what it did."""
        if row.change not in MOVED:
            return f"{_apart(row)} the {_value(row, row.last_before, self.currency)} of all {_step(row)}s before"
        season = MAY_BE_SEASON * (row.season == "unknown")
        if isfinite(row.limit_lower):
            usual = format_interval(row.limit_lower, row.limit_upper, row.unit, value=row.value)
            now = " at this time of the year" if row.season == "allowed for" else ""
            return f"{'above' if row.change == 'higher' else 'below'} its usual {usual}{now}{season}"
        yearly = pd.notna(row.year_before)
        then = _value(row, row.year_before if yearly else row.previous, self.currency)
        up = "up" if row.change == "higher" else "down"
        return f"clearly {up} from {then} {BEFORE[YEAR] if yearly else _when(row)}{season}"

    def _card(self, row: Row) -> Card:
        kpi, currency = self.measured.kpis[row.kpi], self.currency
        limited = _limited(row) and not (kpi.grows or row.season == "allowed for")  # else of one period only
        value, lower, upper = row.value, row.ci_lower, row.ci_upper
        n = None if pd.isna(row.n) else int(row.n)
        last = OF_REVENUE if kpi.unset == NO_MARGIN else _last_line(row, grows=kpi.grows)
        detail = "\n".join(filter(None, [row.period, self._change(row), last]))
        noun, label, trend = kpi.noun, row.label.removesuffix(f" over {TOLD}"), self.measured.trend(row.kpi)
        if row.judged_over:
            value, lower, upper, n = row.value_12m, row.ci_lower_12m, row.ci_upper_12m, int(row.n_12m)
            detail, noun = _of_the_year(row), f"{noun} month" if row.months == 1 else noun
            if row.months == 1:
                label, trend, limited = f"{row.label} a month", self.measured.trend(row.kpi, pooled=YEAR), False
        lower, upper = (None, None) if lower == upper else (lower, upper)
        shown = {} if pd.isna(row.target) else on_card(aimed(row), row.status, row.unit, currency)
        limits = (float(row.limit_lower), float(row.limit_upper)) if limited else None
        more: Any = {"trend": trend, "limits": limits, "kpi": row.kpi, "noun": noun, "means": self._means(row.kpi)}
        return Card(label, value, row.unit, lower, upper, n, currency, detail, **shown, **more)

    def _change(self, row: Row) -> str:
        """Say in a line how the value compares with what it was: in words of a clear change only where it is one."""
        if isinf(row.value):
            return "not reached within the time looked ahead"
        if row.change in MOVED:
            return self._moved(row)
        if row.last_change in MOVED:
            return f"{_apart(row)} {_plain(row, row.last_before)} before"
        if pd.isna(row.previous):
            return ""
        value, before = (re.sub(SPAN, "", _plain(row, v)) for v in (row.value, row.previous))
        way = "up" if row.value > row.previous else "down"
        return f"as {_when(row)}" if value == before else f"{way} from {before} {_when(row)}"

    def kpis(self, table: pd.DataFrame, attention: Sequence[str] = ()) -> pd.DataFrame:
        """Write what is measured as text, every KPI in its unit and every fact once.

        Parameters
        ----------
        table
            As from ``scorecard.scorecard.scorecard``.
        attention
            KPIs that come first, in this order; behind them those that meet their targets, and all else.

        Returns
        -------
        pandas.DataFrame
            ``KPI``, ``Value``, ``95 % interval``, ``Period``, ``Target``, ``Status``, ``Before``, ``Year before``,
            ``Usually`` (the range within which it moves by chance, where that tells something), ``Change`` (as from
            ``scorecard.scorecard.change_of``); empty texts where nothing is known. A KPI whose target is judged by 12
            months has a row of these, and below it one of the last period. A period of what is known over 12 months
            has no word on a change that is not clear: its report compares it with their mean.
        """
        each = [row for row in self._named(table[has_value(table)]) if row.kpi not in self.repeats]
        pooled = {*self.measured.years["kpi"]}
        place = {kpi: place for place, kpi in enumerate(attention)}
        each.sort(key=lambda row: (place.get(row.kpi, len(place)), row.status != "met"))
        return pd.DataFrame([texts for row in each for texts in _rows(row, pooled=row.kpi in pooled)])

    def changes(self, table: pd.DataFrame) -> tuple[str, ...]:
        """Say what the words of a change mean, and which of them may be the season.

        Parameters
        ----------
        table
            As from ``scorecard.scorecard.scorecard``.
        """
        moved = table[(table["season"] == "unknown") & table["change"].isin(MOVED)]
        young = [row.label for row in self._named(moved) if row.kpi not in self.repeats]
        season = f"With less than two years of data, the change of {listed(young)} may be the season."
        pooled = self.measured.years["kpi"].isin(table.loc[table["value"].notna(), "kpi"]).any()
        return (f"{CHANGES}{ALONE_RANGED if pooled else ').'}", *([season] if young else []))

    def notes(self, table: pd.DataFrame) -> tuple[str, ...]:
        """Say which KPIs are told by others, which targets are not judged, and what is not measured and why.

        Parameters
        ----------
        table
            As from ``scorecard.scorecard.scorecard``.
        """
        rows, labels = self._named(table), dict(zip(table["kpi"], table["label"], strict=True))
        own = self.measured.kpis
        pairs = [(own[name].mirror or own[other].mirror, name, other) for name, other in self.repeats.items()]
        forms = [name for name, other in self.repeats.items() if own[name].form and own[name].twin == other]
        known = {*table.loc[has_value(table), "kpi"]}
        same = [
            f"{labels[name]}, which is {'100 % minus' if mirror else 'the same as'} {labels[other]}"
            for mirror, name, other in pairs
            if name in known and name not in forms
        ]
        same += _forms(own[name] for name in forms if name in known)
        unset = [
            f"{row.label} has no verdict yet: {row.status.partition(': ')[2]}."
            for row in rows
            if row.status.startswith("not set up") and row.kpi in known
        ]
        missing: dict[str, list[str]] = {}
        for row in rows:
            if row.kpi not in known:
                missing.setdefault(row.status.removeprefix("not measured: ").rstrip("."), []).append(row.label)
        ratio = [AS_RATIO] * ({"ltv", "ltv_to_cac"} <= known)
        absent = [f"Not measured: {'; '.join(own)} – {reason}." for reason, own in missing.items()]
        return (*([f"Not in the table: {'; '.join(same)}."] if same else []), *ratio, *unset, *absent)

    def all_margin(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Say which KPIs count all revenue as margin, as none is known."""
        verdict = "it has no verdict" if len(labels) == 1 else "they have no verdict"
        how = "Set gross_margin, in cslib.toml or as a parameter, such as 0.8."
        return (f"All revenue counts as margin in {listed(labels)}, so {verdict} on a target. {how}",) if labels else ()

    def rests_on(self, found: Drift) -> str:
        """Say which months LTV and payback rest on, where customers now leave at another pace."""
        pace = "faster" if found.faster else "more slowly"
        if found.carries:
            return f"LTV and payback rest on the last 12 months, in which customers left {pace} than before."
        few = "too few started in the last 12 months to rest on these alone"
        return f"LTV and payback rest on all years, although customers now leave {pace}: {few}."

    def segments(self, table: pd.DataFrame, cells: pd.DataFrame, segments: Iterable[str]) -> pd.DataFrame:
        """Lay the KPIs of segments side by side, each held against that of the other segments.

        Parameters
        ----------
        table
            As from ``scorecard.scorecard.beside_segments``.
        cells
            As from ``scorecard.scorecard.compared``.
        segments
            Those to show.

        Returns
        -------
        pandas.DataFrame
            ``KPI``, ``All``, and one column per segment, such as ``↑ 27.8 k``; no rows without segments.
        """
        known: list[Row] = list(cells.dropna(subset="value").itertuples())
        by_place = {(cell.kpi, cell.segment): cell for cell in known}
        there = {kpi for kpi, _ in by_place} - {*self.repeats}
        each = [row for row in self._named(table) if row.kpi in there]
        names = [*segments]
        rows = [[_called(row), *_side_by_side(row, [by_place.get((row.kpi, s)) for s in names])] for row in each]
        return pd.DataFrame(rows, columns=["KPI", WHOLE, *names])

    def verdicts(self, cells: pd.DataFrame, alike: pd.DataFrame, *, of: int = 0) -> str:
        """Say what a verdict of :meth:`segments` means, and how many there are.

        Parameters
        ----------
        cells
            As from ``scorecard.distinct``.
        alike
            As from ``scorecard.unmarked``: shown in that table.
        of
            How many segments there are, where the table has not all.
        """
        tried, clear = int(cells["p_adjusted"].notna().sum()), int((cells["verdict"] != "").sum())
        every = f" of all {of} segments" * bool(of)
        many = f" Of {counted(tried, 'comparison')}{every}, {clear or 'none'} {'is' if clear < 2 else 'are'} marked"
        still = ", of which one in twenty may still be chance" * bool(clear)
        marks = f"↑ and ↓ mark what lies above or below the other segments by more than chance.{many}{still}."
        return f"{marks}{self._unmarked(alike)} The file holds the intervals."

    def _unmarked(self, alike: pd.DataFrame) -> str:
        """Say why some are like one with a mark and have none."""
        rows: list[Row] = list(alike.itertuples())
        each = [f"{row.segment} in {bare(self.name(row.kpi, self.measured.kpis[row.kpi].label))}" for row in rows]
        close = f" Close to a marked value, but not marked, as their intervals are wider: {listed(each)}."
        return close if 0 < len(each) <= NAMED else ""

    def caption(self, table: pd.DataFrame) -> str:
        """Say of which time the table is, and in which currency."""
        until = table["until"].dropna()
        known = self.currency and table["unit"].isin(["money", "amount"]).any()
        amounts = f"; amounts in {self.currency}" if known else ""
        return f"KPIs{f' as of the end of {until.max():%B %Y}' if len(until) else ''}{amounts}"


def _made_up(row: Row) -> str:
    """Say which other segments are short, by how much, and which make up part of it."""
    each = [(f"{name} ({_value(row, value, '')})", short) for name, value, short in row.parts if round(short)]
    low = [(who, money(short)) for who, short in each if short > 0]
    told = [listed([f"{who} {'is short ' * (not at)}by {much}" for at, (who, much) in enumerate(low)])] if low else []
    above = [f"{who} makes up {money(-short)}" for who, short in each if short < 0]
    told += [listed(above)] if above else []
    return f" {'; '.join(told)}." if told else ""


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _listed_over(names: Sequence[str]) -> str:
    """List names, and say once of what time all are."""
    over = f" over {TOLD}"
    if len(names) < 2 or not all(name.endswith(over) for name in names):
        return listed(names)
    return f"{listed([name.removesuffix(over) for name in names])},{over}"


def _over(row: Row) -> str:
    return f" over {row.judged_over}" if row.judged_over else ""


def _year_ends(row: Row) -> str:
    return format_interval(row.ci_lower_12m, row.ci_upper_12m, row.unit, value=row.value_12m)


def _and_trend(row: Row) -> str:
    return f", and {row.trend}" if row.trend else ""


def _of_all(row: Row) -> str:
    """Say of those who answered that others would have answered otherwise, and how that stands to the target."""
    if pd.isna(row.of_all_12m):
        return ""
    ends = (row.of_all_lower_12m, row.of_all_upper_12m)
    known = f" ({_weighted(row, ends[0])} to {_weighted(row, ends[1])})" if isfinite(ends[0]) else ""
    misses = row.status != "missed" and aimed(row).judge(*ends) == "missed"
    side = f", {_side(row)} its target" * misses
    return f"; estimated for everyone asked, it is {_weighted(row, row.of_all_12m)}{known}{side}"


def _weighted(row: Row, value: float) -> str:
    """Write a weighted score as the survey report does."""
    if row.unit == "percent":
        return percent(value)
    return f"{value:.{1 if abs(value) < ONE_DIGIT else 0}f}".replace("-", "−")


def _alone(row: Row) -> str:
    """Name the last period, which stands beside the last 12 months."""
    if pd.isna(row.until):
        return "the latest period alone"
    return f"{row.until:%B} alone" if row.months == 1 else f"{row.period} alone"


def alone_too(status: str, target: Target, value: float) -> str:
    """Say how a period alone stands to a target that was just named."""
    return f"is {not_clearly(target, value, 'it')}" if status == UNCLEAR else ALONE[status]


def _side(row: Row) -> str:
    return "outside" if pd.notna(row.target_upper) else "below" if row.direction == "up" else "above"


def _value(row: Row, value: float, currency: str) -> str:
    return "not reached" if isinf(value) else format_value(value, row.unit, currency)


def _plain(row: Row, value: float) -> str:
    """Write a value where there is little room: without its currency, and without hundredths from 100 on."""
    amount = row.unit in ("money", "amount") and isfinite(value)
    return money(value) if amount else _value(row, value, "")


def _known(row: Row) -> str:
    interval = format_interval(row.ci_lower, row.ci_upper, row.unit, value=row.value) if isfinite(row.ci_lower) else ""
    return f" ({interval})" if interval else ""


def _when(row: Row) -> str:
    """Name the period just before."""
    if row.months == 1 and pd.isna(row.until):
        return "a month earlier"
    return BEFORE[int(row.months)].format(row.until - pd.offsets.MonthEnd(1) if pd.notna(row.until) else "")


def _usually(row: Row, *, grows: bool) -> str:
    """Say in a line of a card what the value was compared with."""
    alone = row.months == 1 and pd.notna(row.until)
    now = f" in {f'{row.until:%B}' if alone else 'this season'}" * (row.season == "allowed for")
    found = format_interval(row.limit_lower, row.limit_upper, row.unit, value=row.value)
    return f"by past growth {found}" if grows else f"usually {found}{now}"


def _goal(row: Row, currency: str) -> str:
    return goal(aimed(row), row.unit, currency)


def _target(row: Row, currency: str) -> str:
    return to_reach(aimed(row), row.unit, currency)


def _of_the_year(row: Row) -> str:
    """Say of the card of a KPI that the year judges over which months it is, and what the last period is alone."""
    if row.months != 1 and pd.notna(row.until):  # the year of a survey ends with the last day that is observed
        year, last = (
            f"last {TOLD}, line: {STEPS[row.months]}s",
            f"Last {row.months} months: {_bare(row, row.value) or 'not measured'}",
        )
    else:
        alone = (row.value, row.ci_lower, row.ci_upper)
        year, last = year_and_month(row.until, *alone) if pd.notna(row.until) else (TOLD, _alone_too(row))
    weighted = f"\neveryone asked: {_weighted(row, row.of_all_12m)}" if pd.notna(row.of_all_12m) else ""
    return f"{year}\n{last}{weighted}"


def _alone_too(row: Row) -> str:
    return f"{_upper(_alone(row))}: {_bare(row, row.value) or 'not measured'}{_known(row)}"


def _last_line(row: Row, *, grows: bool) -> str:
    """Say in the last line of a card what is usual."""
    return _usually(row, grows=grows) if row.change == "noise" and _limited(row) else ""


def _rows(row: Row, *, pooled: bool) -> Iterator[dict[str, str]]:
    if not row.judged_over:
        yield _texts(row) | _only_clear(row, pooled=pooled)
        return
    of_year = {name: getattr(row, f"{name}_12m") for name in ("value", "ci_lower", "ci_upper")}
    blank = dict.fromkeys(("previous", "limit_lower"), nan) | {"year_before": row.before_12m, "months": YEAR}
    label = f"{row.label}{' a month' if row.months == 1 else ''}"
    yield _texts(row._replace(**of_year, **blank, label=label, change="", last_change=""))
    if pd.notna(row.value):
        alone = row._replace(target=nan, target_upper=nan, trend="")
        yield _texts(alone) | _only_clear(alone, pooled=True)


def _only_clear(row: Row, *, pooled: bool) -> dict[str, str]:
    """Leave out the verdict on a period of what is known over 12 months, where it is no clear change."""
    return {"Change": ""} if pooled and change_of(row) in (USUAL, UNSURE) else {}


def _timeless(name: str) -> str:
    """Name a KPI where its period stands beside it."""
    return name.removesuffix(f" over {TOLD}")


def _span(row: Row) -> str:
    """Say in a word or two of which months, or of which day, a value is."""
    if pd.isna(row.until):
        return row.judged_over if row.months == YEAR else ""
    if (row.group == "value" or not row.months) and not row.until.is_month_end:
        return f"{row.until.day} {row.until:%B}"
    return months(row.months) if row.months > 1 and row.group != "value" else f"{row.until:%B}"


def _step(row: Row) -> str:
    return STEPS.get(int(row.months), "period")


def _apart(row: Row) -> str:
    return f"clearly {'above' if row.last_change == 'higher' else 'below'}"


def _called(row: Row) -> str:
    """Name a KPI, and the 12 months where it is of these."""
    return f"{row.label}{' a month' if row.months == 1 else ''}, {row.judged_over}" if row.judged_over else row.label


def _texts(row: Row) -> dict[str, str]:
    interval = format_interval(row.ci_lower, row.ci_upper, row.unit, value=row.value).replace("∞", "not reached")
    usual = format_interval(row.limit_lower, row.limit_upper, row.unit, value=row.value) if _limited(row) else ""
    elsewhere = change_of(row) in (BETTER, WORSENED) and row.limit_lower <= row.value <= row.limit_upper
    return {
        "KPI": f"{row.label}, {row.unit}" if row.unit in ("months", "days") else _timeless(row.label),
        "Value": re.sub(SPAN, "", _plain(row, row.value)),
        "95 % interval": interval if row.ci_lower != row.ci_upper else "",
        "Period": _span(row),
        "Target": _aim(row),
        "Status": "" if pd.isna(row.target) else row.status.partition(":")[0],
        "Before": "" if row.months == YEAR else _bare(row, row.previous),
        "Year before": _bare(row, row.year_before),
        "Usually": "" if elsewhere else usual,  # the change was found another way
        "Change": change_of(row),
    }


def _bare(row: Row, value: float) -> str:
    """Write a value without its unit, to stand beside one that has it; empty where it is not known."""
    return re.sub(SIGN, "", re.sub(SPAN, "", _plain(row, value))) if pd.notna(value) else ""


def _aim(row: Row) -> str:
    if pd.isna(row.target):
        return ""
    sign = "" if pd.notna(row.target_upper) else "≥ " if row.direction == "up" else "≤ "
    return f"{sign}{re.sub(SPAN, '', _goal(row, ''))}"


def _limited(row: Row) -> bool:
    return bool(isfinite(row.limit_lower) and row.tells)


def _forms(kpis: Iterable[Kpi]) -> list[str]:
    """Say where other forms of a KPI are told."""
    named: dict[str, list[str]] = {}
    for kpi in kpis:
        named.setdefault(kpi.link, []).append(kpi.label)
    return [f"{listed(labels)}, for which see {link}" for link, labels in named.items()]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _side_by_side(row: Row, cells: list[Any]) -> list[str]:
    """Write the value of all and those of segments to the same digit, with their marks."""
    there = [cell for cell in cells if cell is not None]
    values = [row.value, *(cell.value for cell in there)]
    if row.unit in ("money", "amount"):
        texts = alike(values)
    elif row.unit == "number":
        texts = [written_beside(value, row.unit, row.value) for value in values]
    else:
        texts = [_plain(row, value) for value in values]
    told = {cell.segment: f"{ARROWS[cell.verdict]}{text}" for cell, text in zip(there, texts[1:], strict=True)}
    return [texts[0], *("–" if cell is None else told[cell.segment] for cell in cells)]
