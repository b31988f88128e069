"""What a retention report says: sentences made of :mod:`cslib.retention.headlines`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from cslib.data.drift import Drift
from cslib.errors import counted, listed, stretch
from cslib.retention.cohorts import read_brackets
from cslib.show.display import Card
from cslib.show.formats import MAY_BE_SEASON, between, format_value, literal, percent

COMPARED: Final = {"newest cohort": "newest cohort old enough", "all cohorts": "all cohorts, any difference"}
HOW_TO_READ_LINES: Final = (
    "Follow a line to the right: its height is the share retained at that age. The numbers below the chart are the "
    "customers it rests on. Where they are few the band is wide: trust the line only as far as the band is narrow."
)
HELD_AT_FIRST: Final = " The first point is the end of the {} they joined in, by when some have left already."
HOW_TO_READ_HEATMAP: Final = (
    "Each row is one cohort, growing older from left to right. Read down a column to compare cohorts at the same age: "
    "where ochre turns to blue-green further down, newer customers stay longer. One cell alone tells little: in a "
    "cohort of 100, one in twenty is 10 points off by chance. The number beside a cohort is its size; the first row "
    "adds up all cohorts that have come as far."
)
RIGHT_EDGE: Final = (
    "“Or later” looks too low for recent periods, because the later ones, in which customers may yet return, are still "
    "to come. Do not compare newer with older cohorts by it."
)
UNDATED: Final = "The data hold no start dates, only how long customers have stayed, so there are no cohorts."
NOTHING_OVER: Final = "No period is complete yet, so there is no line to draw."
UNPAID: Final = "The data hold no subscriptions with dates, so revenue cannot be followed."
NOTHING_PAID: Final = "No cohort pays anything at the end of its first period, so there is no share of it to follow."
NO_YEARS: Final = "There are no two years of start to compare yet."
EDGE_YEARS: Final = "Years of start are not compared by “or later”, which looks too low for recent ones."
NO_TEST: Final = "There are too few cohorts to compare newer with older ones."
SPLIT: Final = (
    "The dashed line only splits the cohorts compared into an older and a newer half; nothing happened on that day."
)
NRR: Final = (
    "NRR in the revenue report is of all customers, over the last 12 months; here each cohort counts from its start."
)
EVERY: Final = {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly", "year": "yearly"}
BETTER: Final = {"orders": ("order more", "order less"), "usage": ("are more active", "are less active")}


VERDICTS: Final = {  # of all shared periods together, and of the last one
    (True, True): "more than chance", (True, False): "clear over all {0}s together, not at the end",
    (False, True): "clear in {0} {1} alone", (False, False): "may be chance",
}  # fmt: skip


@dataclass(frozen=True)
class Wording:
    """How a report speaks of being retained.

    Attributes
    ----------
    source, kind, period
        As given to :func:`cslib.retention.cohorts.retention`; ``source`` is ``tenure`` for a tenure curve.

    Examples
    --------
    >>> Wording("subscriptions").retained(12)
    'were still customers 12 months on'
    >>> Wording("customers", period="quarter").retained(2)
    'were still customers at the end of quarter 2'
    >>> Wording("orders", kind="on_or_after").retained(1)
    'ordered in month 1 or later'
    >>> Wording("usage", kind="1-3,4-6").retained(4)
    'were active in months 4–6'
    """

    source: str
    kind: str = "on"
    period: str = "month"

    @property
    def names(self) -> dict[int, str]:
        """Names of brackets by their first period, for axes; empty for the plain kinds."""
        return {a: f"{a}–{b}" if b > a else f"{a}" for a, b in read_brackets(self.kind).items()}

    @property
    def since(self) -> str:
        """By what a curve is drawn."""
        return f"{self.period}s since the start"

    @property
    def axis(self) -> str:
        """What stands under a curve: at 0 the period of the start itself, at whose end some have left already."""
        return self.since if self.source == "tenure" else f"{self.since} (0: the {self.period} they joined)"

    @property
    def how_to_read(self) -> str:
        """Say how to read a curve."""
        cohorts_held = self.held and self.source != "tenure"
        return HOW_TO_READ_LINES + HELD_AT_FIRST.format(self.period) * cohorts_held

    @property
    def held(self) -> bool:
        """Whether retained means being a customer, and not doing something."""
        return self.source in ("subscriptions", "customers", "tenure")

    def retained(self, k: int) -> str:
        """Say what being retained in period k means for this source and kind."""
        later = " or later" if self.kind == "on_or_after" else ""
        if self.held:
            if self.names:
                return f"were customers at the end of some {self.period} of {self.names[k]}"
            coarse = self.period in ("quarter", "year")
            when = f"at the end of {self.period} {k}" if coarse else f"{counted(k, self.period)} on"
            return f"were still customers {when}{later}"
        name = self.names.get(k, str(k))
        verb = "ordered" if self.source == "orders" else "were active"
        return f"{verb} {'on' if self.period == 'day' else 'in'} {self.period}{'s' * ('–' in name)} {name}{later}"

    def subtitle(self, followed: pd.Series[Any]) -> str:
        """Say in one line whom a report is about and what retained means in it."""
        whom = counted(followed.n_customers, "customer")
        if self.source == "tenure":
            return f"{whom} by tenure · retained: not yet left"
        means = {"usage": f"active in the {self.period}", "orders": f"an order in the {self.period}"}
        what = means.get(self.source, f"still a customer at the end of the {self.period}")
        what += {"on": "", "on_or_after": " or later"}.get(self.kind, " or another of its bracket")
        return f"{whom} in {counted(followed.n_cohorts, f'{EVERY[self.period]} cohort')} · retained: {what}"

    def answer(self, marks: pd.DataFrame, contrast: pd.Series[Any] | None, years: pd.DataFrame) -> str:
        """Answer "do customers stay, and are newer ones better?" in at most two sentences.

        Parameters
        ----------
        marks
            As from :meth:`cslib.retention.headlines.Landmarks.of`, and ``joined`` (until when those began who have come
            so far; missing without cohorts) and ``within`` (in how many months until then; 0: ever).
        contrast
            Newer against older cohorts, where there are any.
        years
            As from :func:`cslib.retention.headlines.borne_out`: a year says more than the half of the cohorts. The
            later one is that of the landmark to tell first where this has some months alone.

        Returns
        -------
        str
            With ``**bold**`` parts.
        """
        if marks.empty:
            return "No period after the first is complete yet, so **retention is not known yet**."
        row = marks[marks["headline"]].iloc[0]
        seen = counted(int(row.n_customers), "customer") + " followed that long" * pd.isna(row.joined)
        first = f"**{self._kept(row)}** (95 % interval {between(row.ci_lower, row.ci_upper)}, {seen})"
        if row.within and contrast is not None:
            earlier = f"{percent(years.iloc[-1].retention_rate)} of those who joined in the {row.within} months before"
            return f"{first}, against {earlier}. **Newer customers {self._better(contrast)}**."
        first = f"{first}."
        if self.source == "tenure":
            return f"{first} The data hold no start dates, so they don't tell whether newer customers stay longer."
        if contrast is not None and not contrast.together and not contrast.alone:
            return f"{first} Newer customers do not clearly differ from earlier ones."
        if years.empty or contrast is None:
            return f"{first} {self.difference(contrast)}"
        later, before = (row for _, row in years.iterrows())
        state = self.retained(int(later.period_index))
        rates = f"{percent(later.retention_rate)} of those who joined in {later.segment} {state}"
        rates = f"{rates}, {percent(before.retention_rate)} of those of {before.segment}"
        return f"{first} **Newer customers {self._better(contrast)}**: {rates}."

    def cards(self, marks: pd.DataFrame, contrast: pd.Series[Any] | None) -> list[Card]:
        """Make the headline cards: landmarks of the whole, and newer against older cohorts; at most four."""
        cards = []
        for _, row in marks.iterrows():
            label = self.retained(int(row.period_index)).removeprefix("were ")
            label, ends, n = label[0].upper() + label[1:], (row.ci_lower, row.ci_upper), int(row.n_customers)
            whose = "followed that long" if pd.isna(row.joined) else self._joined(row)
            cards.append(Card(label, row.retention_rate, "percent", *ends, n, detail=whose))
        if contrast is not None:
            newer, since = ("Newest", "") if contrast.newest else ("Newer", "since ")
            label = f"{newer} minus older customers, {counted(int(contrast.shared_age), self.period)} on"
            verdict = VERDICTS[contrast.together, contrast.alone].format(self.period, int(contrast.shared_age))
            ends, n = (contrast.ci_lower, contrast.ci_upper), int(contrast.n_customers)
            whose = f"{since}{self._day(contrast.cohort)}:"
            detail = f"{whose}\n{verdict}{_season(contrast)}"
            cards.append(Card(label, contrast.difference, "points", *ends, n, detail=detail))
        return cards

    def difference(self, contrast: pd.Series[Any] | None) -> str:
        """Say whether newer cohorts changed, by how much, and whether that is more than chance.

        The test speaks of all shared periods, the rates of the last one; where the two disagree the sentence says so.
        """
        if contrast is None:
            return "Too few cohorts are old enough, or too few customers left, to compare newer with older ones."
        k, when = int(contrast.shared_age), {"month": "in", "day": "on"}.get(self.period, f"in the {self.period} from")
        day = self._day(contrast.cohort)
        joined = f"who joined {when if contrast.newest else 'since'} {day}"
        half = "" if contrast.newest else ", the newer half of the cohorts compared,"
        who = f"Customers {joined}{half}"
        state = replace(self, kind="on").retained(k)
        rates = f"{percent(contrast.rate_newer)} vs {percent(contrast.rate_older)} {state}"
        span = f"over the first {stretch(k, self.period)} together"
        if contrast.together and contrast.alone and contrast.newest:
            return f"**{who} {self._better(contrast)} than earlier ones**: {rates}{_season(contrast)}."
        if contrast.together and contrast.alone:
            new, old = percent(contrast.rate_newer), percent(contrast.rate_older)
            said = f"{new} of those {joined}{half} {state}, {old} of earlier ones{_season(contrast)}"
            return f"**Newer customers {self._better(contrast)}**: {said}."
        if contrast.together:
            return f"{who} differ from earlier ones {span}, but not clearly at the end: {rates}{_season(contrast)}."
        if contrast.alone:
            gap = format_value(abs(contrast.difference), "points").removeprefix("+")
            ahead = f"{gap} {'ahead' if contrast.difference > 0 else 'behind'}"
            return f"{who} are {ahead}: {rates}, but {span} the difference may be chance."
        return f"{who} do not clearly differ from earlier ones: {rates}, which may be chance."

    def ahead(self, contrast: pd.Series[Any]) -> str:
        """Say by how much the newer half of the cohorts is ahead or behind, where shares are told by year instead."""
        gap, *ends = (
            format_value(abs(v), "points").removeprefix("+").removesuffix(" points")
            for v in (contrast.difference, *sorted((contrast.ci_lower, contrast.ci_upper), key=abs))
        )
        way, when = "ahead" if contrast.difference > 0 else "behind", f"{self.period} {int(contrast.shared_age)}"
        half = f"the newer half of the cohorts compared is {gap} points {way} in {when} ({' to '.join(ends)})"
        return f"Newer customers {self._better(contrast)}: {half}{_season(contrast)}"

    def _better(self, contrast: pd.Series[Any]) -> str:
        longer, shorter = BETTER.get(self.source, ("stay longer", "leave sooner"))
        return longer if contrast.difference > 0 else shorter

    def split(self, contrast: pd.Series[Any]) -> str:
        """Say what the line between older and newer cohorts is, and how many stand below it uncompared."""
        n = int(contrast.n_too_young)
        young = "The newest cohort is" if n == 1 else f"The newest {n} cohorts are"
        return f"{SPLIT} {young} too young to compare." if n else SPLIT

    def bridge(self, found: Drift, older: Drift | None, contrast: pd.Series[Any]) -> str:
        """Say whether a change of churn is that of newer cohorts alone, or of older ones as well.

        Parameters
        ----------
        found
            The change, of all customers.
        older
            The same of those who joined before the newer cohorts alone; None: none is clear.
        contrast
            Newer against older cohorts.
        """
        leave = f"Customers leave {'faster' if found.faster else 'more slowly'} now, as the churn report says"
        day = self._day(contrast.cohort)
        if older is not None and older.faster == found.faster:
            return f"{leave}, also those who joined before {day}: it is not only about whom we sign now."
        return f"{leave}. That shows in those who joined since {day}; for earlier ones it is not clear."

    def at_the_pace(self, mark: pd.Series[Any], survival: float, *, by: str = "") -> str:
        """Say why the churn report, where it rests on the last 12 months, has another share.

        Parameters
        ----------
        mark, survival
            As for :meth:`beside_churn`.
        by
            The column by which both compare; empty: none.
        """
        here, there = percent(mark.retention_rate), percent(survival)
        which = f"its shares, also those by {by}, are" if by else "that is"
        pace = "what to expect if customers go on leaving as in the last 12 months"
        ours = f"The {here} here is what happened to those who {self._joined(mark)}."
        says = f"The churn report says that {there} stay longer than 12 months"
        return f"{says}: {which} {pace}. {ours}" if here != there else ""

    def beside_churn(self, mark: pd.Series[Any], survival: float, *, unit: str = "customer") -> str:
        """Say why the churn report has another share; nothing where it has the same, as rounded.

        Parameters
        ----------
        mark
            The landmark of 12 months, as for :meth:`answer`.
        survival
            Share that stays longer than 12 months in the churn report.
        unit
            As from :func:`cslib.data.lives.counted_as`.
        """
        here, there = percent(mark.retention_rate), percent(survival)
        counts = "every stay, to the day" if unit == "stay" else "to the day"
        once = "Here each customer counts once, at the end of the twelfth month after that of the start"
        says = f"The churn report says that {there} stay longer than 12 months"
        return f"{says}: it counts {counts}. {once}." if here != there else ""

    def _alike(self, row: pd.Series[Any]) -> str:
        """Say that the season is allowed for, where it is."""
        return " (tested with the season allowed for)" if row.season == "allowed for" else ""

    def _day(self, day: pd.Timestamp) -> str:
        return f"{day:%B %Y}" if self.period in ("month", "quarter") else f"{day.day} {day:%B %Y}"

    def _until(self, day: pd.Timestamp) -> str:
        return f"{day.day} {day:%B %Y}" if self.period in ("day", "week") else f"{day:%B %Y}"

    def segments(self, extremes: pd.DataFrame, marks: pd.DataFrame) -> str:
        """State what a curve shows, fit for its title: the best against the worst segment, or the whole.

        Parameters
        ----------
        extremes
            As from :meth:`cslib.retention.headlines.Landmarks.extremes`.
        marks
            As from :meth:`cslib.retention.headlines.Landmarks.of`.
        """
        if marks.empty or len(extremes):
            return self._apart(extremes, "{high} of {best} customers {state}, against {low} of {worst}")
        return self._kept(marks[marks["headline"]].iloc[0])

    def years(self, extremes: pd.DataFrame) -> str:
        """State what curves by year of start show, in one sentence fit for their title."""
        whose = "{high} of customers who joined in {best} {state}, against {low} of those who joined in {worst}"
        text = self._apart(extremes, whose)
        partial = len(extremes) and extremes["clear"].all() and not extremes["whole"].all()
        return f"{text}; the years are not complete, so this may be the season" if partial else text

    def _kept(self, row: Any) -> str:
        who = "customers" if pd.isna(row.joined) else f"customers who {self._joined(row)}"
        return f"{percent(row.retention_rate)} of {who} {self.retained(int(row.period_index))}"

    def _joined(self, row: Any) -> str:
        since = f"in the {row.within} months to" if row.within else "by"
        return f"joined {since} {self._until(row.joined)}"

    def _apart(self, extremes: pd.DataFrame, sentence: str) -> str:
        if extremes.empty:
            return "Too few customers to compare"
        best, worst = (row for _, row in extremes.iterrows())
        rates = {"high": percent(best.retention_rate), "low": percent(worst.retention_rate)}
        state = self.retained(int(best.period_index))
        text = sentence.format(best=literal(best.segment), worst=literal(worst.segment), state=state, **rates)
        if rates["high"] == rates["low"]:
            return f"{text}: no difference"
        return text if best.clear else f"{text}: no clear difference"

    def revenue(self, kept: pd.Series[Any] | None, joined: pd.Series[Any]) -> str:
        """State what becomes of a cohort's revenue, with and without expansion.

        Parameters
        ----------
        kept
            As from :meth:`cslib.retention.headlines.Landmarks.revenue_kept`.
        joined
            By ``period_index``, until when those joined who have come as far.
        """
        if kept is None:
            return "No cohort has revenue after its first period yet"
        age, net, gross = int(kept.period_index), percent(kept.net_retention), percent(kept.gross_retention)
        first = f"what customers who joined by {self._until(joined[age])} first paid"
        interval = between(kept.net_ci_lower, kept.net_ci_upper)
        return f"{self._on(age)}, we still earn {net} of {first} ({interval}), and {gross} without expansion"

    def _on(self, age: int) -> str:
        return f"{counted(age, self.period)} on"

    def revenue_segments(self, ends: pd.DataFrame) -> str:
        """State which segment keeps most and which least of its revenue, from ``Landmarks.extreme_shares``."""
        if ends.empty:
            return "There are no two segments with enough customers to compare"
        best, *lowest = (row for _, row in ends.iterrows())
        named: dict[str, list[str]] = {}
        for row in lowest:
            named.setdefault(percent(row.share), []).append(literal(row.segment))
        least = f"{listed([f'{share} of what {listed(who)}' for share, who in named.items()])} customers did"
        on = self._on(int(best.period_index))
        text = (
            f"{on}, we still earn {percent(best.share)} of what {literal(best.segment)} customers first paid, {least}"
        )
        return text if best.clear else f"{text}: no clear difference"

    def heatmap(self, followed: pd.Series[Any], *, most: int) -> str:
        """Say what a heatmap plots, what it leaves out and what hatching means, where it does.

        Parameters
        ----------
        followed
            Whom it is about.
        most
            Cohorts the chart has room for.
        """
        n = followed.n_cohorts
        left_out = f" The latest {most} of {n} cohorts." if n > most else ""
        hatched = " Hatched: not complete yet." if followed.unfinished else ""
        plotted = (
            f"Percent of each cohort retained, by {self.period}s since it began. "
            "Blue-green: higher than all cohorts together at that age. Ochre: lower."
        )
        first = f" {self.period.capitalize()} 0 is the {self.period} they joined: by its end some have left."
        return f"{plotted}{first * (self.held and self.kind == 'on')}{left_out}{hatched}"

    def compared(self, comparison: pd.DataFrame) -> str:
        """Say over which periods cohorts were compared, and how many were too young for it."""
        row = comparison.iloc[0]
        age, young = stretch(row.shared_age, self.period), counted(int(row.n_too_young), "cohort")
        text = f"Newer against older cohorts over their first {age}{self._alike(row)}, with the shares by then"
        verb = "is" if row.n_too_young == 1 else "are"
        return f"{text}; {young} {verb} too young to compare" if row.n_too_young else text


def _season(contrast: pd.Series[Any]) -> str:
    """Say of a difference that it may be the season, where the data cannot tell."""
    return MAY_BE_SEASON * bool(contrast.together and contrast.season == "unknown")
