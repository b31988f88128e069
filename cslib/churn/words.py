"""Words of the churn report: what stands in its head, and around each of its findings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import pandas as pd

from cslib.churn.columns import INSTEAD, MRR, MRR_AT_START
from cslib.churn.kpis import KPIS
from cslib.churn.reason_words import ago
from cslib.churn.stays import Differences, Pace
from cslib.data.drift import Drift
from cslib.data.kpi import CHURN, Target, link_to
from cslib.data.words import against, changed_pace, churn_card, on_card
from cslib.errors import counted, listed, stretch
from cslib.show.display import Card, card_of
from cslib.show.formats import MAY_BE_SEASON, between, format_value, literal, months, percent, whole

COHORTS: Final = link_to("cohort_retention#Are newer cohorts better?")
NEWER: Final = f" The cohort report compares those who joined earlier and later: {COHORTS}"
ALL_YEARS: Final = "All (all years)"
HOW_TO_READ_SURVIVAL: Final = (
    "Each line starts at 100 % and steps down as customers leave. Its height at any age is the share that stays longer "
    "than that. The numbers below are the customers still followed at that age: where they are few, the band is wide."
)
HOW_TO_READ_RATIOS: Final = (
    "A value of 2 means that such customers leave twice as fast as customers of the same age in the reference group "
    "(hollow point), other things equal. A grey bar may be chance, even one that does not reach 1: with so many "
    "compared, one or another misses it by luck. None of this proves a cause."
)
Row = Any  # a row of a table, or the few figures that a sentence needs
AGES_THAT_WERE: Final = "The risk by age and the forecast use the ages that were observed."
ENDED: Final = {"customer": "of whom {n} left", "stay": "of which {n} have ended"}
BEFORE: Final = {"customer": ("were here", "left before"), "stay": ("were under way", "ended before")}
AGAINST: Final = {"fewer": "fewer than", "more": "more than"}
PARTS: Final = {
    **{0.1: "a tenth of", 0.2: "a fifth of", 0.25: "a quarter of", 1 / 3: "a third of", 0.5: "half"},
    **{2 / 3: "two thirds of", 0.75: "three quarters of", 2.0: "twice", 3.0: "three times"},
}
PENDING: Final = (
    "Who left is known up to {day}: whoever stopped paying since may only pause. How many leave, how long they stay "
    "and the forecast are of that day, and “a year ago” is a year before it."
)
BRIEF: Final = "Those who came and left within one month are not counted."
AGAIN: Final = "The rise up to month {} may be chance: no month there clearly stands out."
PACE: Final = "at the pace of the last 12 months"
MOST_SHARES: Final = 5  # told in a sentence
NEAR: Final = 0.12  # of a part, for a ratio to be called so
WAYS: Final = {
    "voluntary": "by choice", "involuntary": "involuntarily", "not recorded": "with no reason recorded",
}  # fmt: skip
MODELS: Final = {
    "segment": "Segment", "model": "Model", "weight": "Weight in the average", "holdout_score": "Held-out score",
    "aic": "AIC", "n_parameters": "Parameters",
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What stands around a finding: its title, what is plotted, how it is read, and sentences below and above."""

    title: str
    subtitle: str = ""
    how_to_read: str = ""
    notes: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wording:
    """Of whom the report speaks, and in which money.

    Attributes
    ----------
    unit
        As from :func:`cslib.data.lives.counted_as`.
    segment
        Column and value of those whom it is about; empty: all.
    observed_from
        The day from which they are followed, if any.
    recent
        Whether it rests on the last twelve months alone.
    currency
        Code before amounts.
    gross_margin
        Of which money at risk is made.
    settled
        The day up to which it is known who left, where a gap since then may be a pause; None: today.
    """

    unit: str = "customer"
    segment: tuple[str, str] = ("", "")
    observed_from: date | None = None
    recent: bool = False
    currency: str = ""
    gross_margin: float = 1.0
    settled: date | None = None

    @property
    def now(self) -> str:
        """When those are customers whom the forecast is of."""
        return f"on {self.settled:%-d %B %Y}" if self.settled else "today"

    @property
    def name(self) -> str:
        """What the one segment is called; empty: it is about all."""
        return self.segment[1]

    def subtitle(self, summary: pd.DataFrame) -> str:
        """Say in one line whom the report is about.

        Parameters
        ----------
        summary
            As from ``stats.survival.survival_summary``.
        """
        row = whole(summary).iloc[0]
        ended = ENDED[self.unit].format(n=f"{int(row.n_events):,}")
        since = f" · followed since {self.observed_from:%-d %B %Y}" if self.observed_from else ""
        return f"{counted(int(row.n_customers), self.unit)}, {ended}{since}"

    def late_entry(self, first: Row, summary: Row, n_before: int) -> tuple[str, ...]:
        """Say why a curve starts with fewer customers than it rests on, and who is not counted at all.

        Parameters
        ----------
        first, summary
            The first row of a survival curve, and its row of ``survival_summary``.
        n_before
            How many had left before.
        """
        late, n = int(summary.n_customers - first.n_at_risk), int(first.n_at_risk)
        day = f"{self.observed_from:%-d %B %Y}"
        were, ended = BEFORE[self.unit]
        others = f"{late:,} more that {were} already on {day}, from the age they had then"
        start = f"The line starts with {counted(n, self.unit)}; later on it also counts {others}."
        gone = f"{counted(n_before, self.unit)} {ended} {day} and {'is' if n_before == 1 else 'are'} left out."
        text = " ".join([*([start] if late and n else []), *([gone] if n_before else [])])
        return (text,) if text else ()

    def answer(
        self, summary: pd.DataFrame, pace: Pace | None, differences: Differences | None, strongest: Row | None,
        call: str = "",
    ) -> str:  # fmt: skip
        """Answer "who leaves, when and why, and whom to call?" in at most four sentences, with ``**bold**`` parts.

        Parameters
        ----------
        summary
            As from :func:`cslib.churn.stays.firm_medians`.
        pace, differences, strongest
            None where nothing is known of it, or there are no segments; without them the strongest driver is told.
        call
            Whom to call, as from :func:`cslib.churn.reason_words.first_to_call`; may be empty.
        """
        when = f"{_peaks(pace).partition(':')[0]}." if pace and len(pace.peaks) else ""
        driver = f"{self.drivers(strongest).title}." if strongest is not None else ""
        who = f"{_widest(differences)}." if differences else driver
        return " ".join(filter(None, [self._stay(whole(summary).iloc[0]), when, who, call]))

    def _stay(self, row: pd.Series[Any]) -> str:
        pace = f" {PACE}" * self.recent
        n, ended = counted(int(row.n_customers), self.unit), "left" if self.unit == "customer" else "ended"
        if not row.n_events:
            who = f"all {n} count" if row.n_customers > 1 else f"{n} counts"
            return f"**No churn is on record**: {who} as still here."
        if pd.notna(row.median_months):
            known = pd.notna(row.median_ci_lower) or pd.notna(row.median_ci_upper)
            interval = f"95 % interval {_span(row.median_ci_lower, row.median_ci_upper)}, {n}" if known else n
            who = f"{literal(self.name)} customers" if self.name else "all customers"
            return f"**Half of {who} leave within {months(row.median_months)}**{pace} ({interval})."
        if row.n_events == row.n_customers:
            last = "stay" if self.unit == "customer" else "last"
            many = f"**All {n} {ended}**, too few to say how long they {last}."
            return many if row.n_customers > 1 else f"**The one {n[2:]} {ended}.**"
        if pd.notna(row.survival_12m):
            interval = between(row.survival_12m_ci_lower, row.survival_12m_ci_upper)
            who = f"{literal(self.name)} customers" if self.name else "customers"
            stay = f"**{percent(row.survival_12m)} of {who} stay longer than 12 months**{pace}"
            return f"{stay} (95 % interval {interval}, {n}); it is too early to say when half will have left."
        return f"**{int(row.n_events):,} of {n} {ended} so far**; it is too early to say when half will have left."

    def cards(
        self, summary: pd.DataFrame, last: Row | None, outlook: Row | None, *, split: str = "",
        last_time: Row | None = None, year: Row | None = None, target: Target | None = None,
    ) -> tuple[Card, ...]:  # fmt: skip
        """Make the headline cards: survival at 12 months, median or mean stay, churn of the last month, forecast.

        Parameters
        ----------
        summary, outlook
            As for :func:`answer`.
        last
            None where there is no complete month.
        split
            The column over which the forecast was summed, if any.
        last_time
            As from ``churn.outlook.came``; None where there was no such forecast.
        year, target
            As from ``churn.rates.last_year``, by which the target of customer churn is judged where both are known.

        Returns
        -------
        tuple of Card
            Those that the data can tell.
        """
        stays = (replace(card, noun=self.unit) for card in self._stay_cards(whole(summary).iloc[0]))
        return (*stays, *_month_card(last, year, target), *_ahead_card(outlook, split, last_time, self.now))

    def _stay_cards(self, row: pd.Series[Any]) -> Iterator[Card]:
        pace = PACE if self.recent else ""
        n, bounds = int(row.n_customers), (row.survival_12m_ci_lower, row.survival_12m_ci_upper)
        seen = pace or "from the day of their start" if pd.notna(row.survival_12m) else "no customer observed that long"
        yield Card("Stay longer than 12 months", row.survival_12m, "percent", *bounds, n, detail=seen)
        if pd.notna(row.median_months):
            label, bounds = "Months until half have left", (row.median_ci_lower, row.median_ci_upper)
            yield Card(label, row.median_months, "number", *bounds, n, detail=pace)
        else:
            label = f"Mean months stayed of the first {months(row.tau_months).split()[0]}"
            yield Card(label, row.rmst_months, "number", row.rmst_ci_lower, row.rmst_ci_upper, n, detail=pace)

    def changed(self, found: Drift, summary: pd.DataFrame, usual: pd.DataFrame) -> str:
        """Say that customers leave faster, or more slowly, than they did, and what all years together would tell.

        Parameters
        ----------
        found
            As from ``data.drift.drift``.
        summary, usual
            As from ``stats.survival.survival_summary``: on which the report rests, and of all years.
        """
        now, then = whole(summary).iloc[0].survival_12m, usual.iloc[0].survival_12m
        known = pd.notna(now) and pd.notna(then)
        stay = f"{format_value(then, 'percent')} stay longer than 12 months" if known else ""
        return f"{changed_pace(found, usual=stay)}{NEWER * found.clear}"

    def beside_new(self, shares: Row | None) -> tuple[str, ...]:
        """Say why fewer, or more, of today's customers leave than of those who start; from ``outlook.beside_new``."""
        if shares is None:
            return ()
        share, today = (format_value(value, "percent") for value in (shares.new, shares.today))
        new = f"Of customers who start today, {share} are expected to leave within 12 months"
        today = f"of those here {self.now}, {today}"
        first = "first month" if shares.past == 1 else f"first {shares.past} months"
        why = (
            f": most of these are past the {first}, when risk is highest"
            if shares.past
            else ", at the ages they have now"
        )
        return (f"{new}; {today}{why}.",)

    def warnings(self, summary: pd.DataFrame, *, reach: int, horizon_months: int) -> tuple[str, ...]:
        """Say what a reader must know first: of which day it is, a shorter look ahead, early ages unseen.

        Parameters
        ----------
        summary
            As from :func:`cslib.churn.stays.firm_medians`.
        reach, horizon_months
            Months ahead that customers have been observed for, and that were asked for.
        """
        asked, known = months(horizon_months), months(reach)
        short = f"Customers have not been followed for {asked} yet, so risk and forecast look {known} ahead."
        lost = list(summary.loc[~summary["from_start"].astype(bool), "segment"].astype(str))
        who = "all customers" if "All" in lost else ", ".join(lost)
        why = "when records began, nobody was that new"
        unseen = f"For {who}, the data don't show how long customers stay from their start: {why}. {AGES_THAT_WERE}"
        pending = PENDING.format(day=f"{self.settled:%-d %B %Y}") if self.settled else ""
        return tuple(filter(None, [pending, short if reach < horizon_months else "", unseen if lost else ""]))

    def survival(self, kept: pd.DataFrame) -> Said:
        """State how many stay: in the two segments that differ most by more than chance, or of all, or of the one."""
        title = "It is too early to say how many stay"
        if len(kept):
            first, *others = (row for _, row in kept.iterrows())
            who = f"{literal(first.segment if others else self.name)} customers".strip()
            more = "".join(f", against {percent(other.survival)} of {literal(other.segment)}" for other in others)
            title = f"{percent(first.survival)} of {who} stay longer than {months(first.duration_months)}{more}"
        plotted = "Share still here, by months since the start, while we follow ten or more. Bands: 95 % intervals."
        return Said(title, plotted, HOW_TO_READ_SURVIVAL)

    def summary(self, summary: pd.DataFrame) -> pd.DataFrame:
        """Write the summary for its readers: one column per quantity, its interval in brackets.

        Parameters
        ----------
        summary
            As from :func:`cslib.churn.stays.firm_medians`.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``customers`` and ``left``, or ``stays`` and ``ended``, and as text the median, the mean stay
            and survival at 12 months.
        """
        names = {"All": self.name, ALL_YEARS: f"{self.name} (all years)"} if self.name else {}
        called = summary.assign(segment=summary["segment"].replace(names))
        return pd.DataFrame([self._summed(row) for row in called.itertuples()])

    def _summed(self, row: Any) -> dict[str, Any]:
        half = _estimate(row.median_months, row.median_ci_lower, row.median_ci_upper, "number")
        half = "over half still here" if math.isnan(row.median_months) and row.from_start else half
        mean = _estimate(row.rmst_months, row.rmst_ci_lower, row.rmst_ci_upper, "number")
        year = _estimate(row.survival_12m, row.survival_12m_ci_lower, row.survival_12m_ci_upper, "percent")
        stays = {f"mean stay in the first {stretch(row.tau_months, 'month')}": mean, "stay longer than 12 months": year}
        left = "left" if self.unit == "customer" else "ended"
        counts = {"segment": row.segment, f"{self.unit}s": row.n_customers, left: row.n_events}
        return counts | {"half leave within, months": half} | stays

    def hazard(self, pace: Pace | None) -> Said:
        """State at which ages customers leave most, or that their risk hardly changes, as far as the counts tell."""
        plotted = "Customers who left in a month, as a share of those here on average in it, by months since the "
        plotted += "start; smoothed, except at peaks. Bands: 95 % intervals."
        if pace is None:
            return Said("Too few customers have been followed, or have left, to say when they leave", plotted)
        notes = (AGAIN.format(pace.rise),) * bool(pace.rise and pace.n_months)
        return Said(_peaks(pace) if len(pace.peaks) else _level(pace), plotted, notes=notes)

    def differences(self, differences: Differences) -> Said:
        """State the widest clear difference between segments, or that there is none; below, the next and the others."""
        few = " Too few left to tell differences from chance." * math.isnan(differences.p_value)
        bars = f"Bars: 95 % intervals, in colour where more than chance.{few}"
        plotted = f"Difference in months stayed of the first {stretch(differences.tau_months, 'month')}. {bars}"
        return Said(_widest(differences), plotted, notes=tuple(_others(differences)))

    def kinds(self, lost: pd.DataFrame) -> Said:
        """State how much is lost to each kind of churn."""
        plotted = "Share of customers who left in each way, by months since the start. Bands: 95 % intervals."
        plotted += " Involuntarily: not by their choice, as when a payment failed."
        if lost.empty:
            return Said("It is too early to tell kinds of churn apart", plotted)
        known = lost.dropna(subset="incidence")
        if known.empty:
            return Said("The data don't show how customers left in their first months", plotted)
        each = zip(known["incidence"], known["churn_kind"], strict=True)
        first, *others = (f"{format_value(share, 'percent')} {{}}{WAYS[kind]}" for share, kind in each)
        parts = [first.format("of customers leave "), *(other.format("") for other in others)]
        return Said(f"Within {months(known['months'].iloc[0])}, {listed(parts)}", plotted)

    def drivers(self, strongest: Row | None, *, changing: str = "") -> Said:
        """State the strongest driver that is more than chance; without one, that whose effect changes with age."""
        plotted = "How fast customers leave, compared with the reference. Bars: 95 % intervals, in colour where more "
        plotted += f"than chance, all comparisons taken together; n: {self.unit}s."
        if strongest is None and changing:
            others = "on average, nothing on record clearly raises or lowers the risk of leaving"
            title = f"How much {changing} matters depends on how long customers have been here; {others}"
            return Said(title, plotted, HOW_TO_READ_RATIOS)
        if strongest is None:
            return Said("Nothing on record clearly raises or lowers the risk of leaving", plotted, HOW_TO_READ_RATIOS)
        s = strongest
        who, rate = f"{literal(s.level)} customers", f"{_part(s.hazard_ratio)} {literal(s.reference)}'s rate"
        if not s.reference:
            high, low = s.level.split(INSTEAD)
            rate = f"{_part(s.hazard_ratio)} the rate of those with {low}"
            who = f"Customers with {s.term} {high}"
        return Said(f"{who} leave at {rate}, other things equal", plotted, HOW_TO_READ_RATIOS)

    def by_luck(self, levels: Sequence[str], n: int) -> tuple[str, ...]:
        """Say of grey bars that do not reach 1 why they count as chance.

        Parameters
        ----------
        levels
            Theirs.
        n
            How many are compared.
        """
        look = "looks" if len(levels) == 1 else "look"
        why = f"{look} different, but among {counted(n, 'comparison')} that may be chance"
        return (f"{listed(levels)} {why}.",) * bool(levels)

    def priced(self, drivers: pd.DataFrame) -> pd.DataFrame:
        """Write the currency before the amounts that are compared, as in ``USD 290 instead of 204``."""
        amounts = drivers["term"].isin([MRR, MRR_AT_START]) & drivers["level"].str.contains(INSTEAD)
        return drivers.assign(level=drivers["level"].mask(amounts, f"{self.currency} " + drivers["level"]).str.strip())

    def calibration(self, agreement: Row, *, checked_months: float, kept_share: float) -> Said:
        """State whether predicted and observed churn agree.

        Parameters
        ----------
        agreement
            Group by group.
        checked_months, kept_share
            Of ``DriverModel``.
        """
        n = agreement.n_groups
        title = f"Customers fall into {counted(n, 'group')}, too few to judge the predictions"
        if agreement.enough:
            gap = f"the widest gap is {counted(round(100 * agreement.widest_gap), 'point')}"
            held = f"in {agreement.n_inside} of {n} groups as many left as predicted, within the margin of error; {gap}"
            title = f"The predictions {'hold' if agreement.agree else 'do not hold everywhere'}: {held}"
        since = f"Share leaving within {months(checked_months)} of the start"
        plotted = f"{since}, by predicted risk. Bars: 95 % intervals."
        effects = f"Risks use {percent(kept_share)} of each effect (on the log scale)"
        every = f"All customers are grouped here, whatever their {self.segment[0]}: risks come from one model."
        notes = (*(every,) * bool(self.segment[0]), f"{effects}: the part that holds for new customers.")
        return Said(title, plotted, notes=notes)

    def models(self, table: pd.DataFrame) -> Said:
        """State which model of all customers predicts later ages best, and how much it counts.

        Parameters
        ----------
        table
            ``FittedModels.table``.
        """
        rows = whole(table)
        if rows.empty:
            return Said("No model could be fitted")
        best, several = rows.nlargest(1, "weight").iloc[0], (rows["weight"] > 0).sum() > 1
        known, n = pd.notna(best["holdout_score"]), counted(len(rows), "model")
        if several:
            how = "by what they predict of later ages" if known else "by AIC, as later ages are too few to predict"
            return Said(f"Of {n}, {best['model']} counts most: {percent(best['weight'])} of their average, {how}")
        how = "predicts the later ages best" if known else "has the lowest AIC; later ages are too few to predict"
        return Said(f"{best['model']}, of {n}, {how}")

    def model_list(self, table: pd.DataFrame) -> pd.DataFrame:
        """Lay out the models, those that count most first; without segments where there are none."""
        columns = [c for c in MODELS if c != "segment" or table["segment"].nunique() > 1]
        place = {name: k for k, name in enumerate(["All", *table["segment"]][::-1])}
        ranked = table.assign(place=-table["segment"].map(place))
        return ranked.sort_values(["place", "weight"], ascending=[True, False])[columns]

    def forecast(self, outlook: Row | None, *, split: str = "") -> Said:
        """State how many of the present customers are expected to leave; the whole may be the sum over a column."""
        if outlook is None:
            return Said("No forecast: nobody is a customer today, or they have been followed for less than a month")
        whose = f"Customers {self.now}" if self.settled else "Today's customers"
        plotted = f"{whose} expected to be still here, without new ones. Band: 95 % interval"
        plotted += ", widened by the error of the last such forecast." if outlook.wider else "."
        return Said(_ahead(outlook, self.now), f"{plotted}{f' The forecasts of each {split}, added up.' * bool(split)}")

    def last_time(self, came: Row, *, found: Drift | None = None) -> tuple[str, ...]:
        """Say what the same forecast would have been as long ago as it looks ahead, what came, and what to allow for.

        Parameters
        ----------
        came
            As from ``churn.outlook.came``.
        found
            How churn has changed, where it has.
        """
        when = ago(came.months_ahead)
        foretold = f"{came.lost:,.0f} ({came.ci_lower:,.0f} to {came.ci_upper:,.0f}) of {came.n_active:,} customers"
        left = f"{came.left:,}" if came.left else "nobody"
        again = f" ({came.back:,} of them {'pays' if came.back == 1 else 'pay'} again)" * bool(came.back)
        text = f"{when[0].upper()}{when[1:]} the same forecast would have been {foretold}; {left} left{again}"
        if came.held:
            return (f"{text}, within that interval.",)
        known = found is not None and found.clear and found.faster == (came.left > came.lost)
        why = f", as customers have left {'faster' if came.left > came.lost else 'more slowly'} since" * known
        wider = ", so the range above is wide enough for such a miss" * bool(came.left)
        return (f"{text}, so it was {_too(came)}{why}. Its interval was too narrow{wider}.",)

    def sums(self, outlook: Row | None, stakes: Row, *, split: str = "") -> tuple[str, ...]:
        """Say how the forecast goes with the at-risk list, which is made customer by customer.

        Parameters
        ----------
        outlook
            As from ``churn.outlook.outlook``: None where nothing can be forecast.
        stakes
            Of the at-risk list, for the same months ahead.
        split
            The column over which the forecast was summed, if any.
        """
        if outlook is None or not stakes.n_customers:
            return ()
        listed = f"The risks on the list add up to {counted(stakes.expected_churned, 'customer')}"
        if outlook.ci_lower <= stakes.expected_churned <= outlook.ci_upper:
            interval = f"{outlook.ci_lower:,.0f} to {outlook.ci_upper:,.0f}"
            if round(outlook.lost) == round(stakes.expected_churned):
                return ()
            other = f"by another model than the forecast's {outlook.lost:,.0f}"
            return (f"{listed}, {other}, and within its interval ({interval}).",)
        alike = f"of one age and {split}" if split else "of one age"
        why = f"the list tells customers apart by all drivers, the forecast treats those {alike} alike"
        return (f"{listed}, the forecast is {outlook.lost:,.0f}: {why}.",)

    def monthly(self, last: Row | None, year: Row | None = None, target: Target | None = None) -> Said:
        """State how many left a month over twelve months, against the target, and in the last month alone.

        Parameters
        ----------
        last
            As from :func:`cslib.churn.rates.last_month`: higher or lower than the twelve months before, or than is
            expected of them and the season, only where its interval leaves out their pooled rate.
        year
            As from :func:`cslib.churn.rates.last_year`; None: the last month is all there is.
        target
            Of customer churn, if there is one.
        """
        plotted = "Share of the customers at a month's start who left in it, from 30 customers on. "
        plotted += "Bands: 95 % intervals."
        if last is None:
            return Said("No month is complete yet, so there is no churn rate", plotted)
        if year is None and math.isnan(last.churn_rate):
            return Said(f"{_in_month(last)}, so there is no churn rate", plotted)
        if year is None:
            rate, ends = last.churn_rate, (last.ci_lower, last.ci_upper)
            stands = against(target, rate, ends, CHURN["unit"]) if target else ""
            return Said(_in_month(last), plotted, notes=(f"That is {stands}.",) * bool(stands))
        left = f"{format_value(year.churn_rate, 'percent')} of customers left a month"
        ends = (year.ci_lower, year.ci_upper)
        stands = f", {against(target, year.churn_rate, ends, CHURN['unit'])}" if target else ""
        title = f"{left} over the 12 months to {year.month:%B %Y} ({between(*ends)}){stands}"
        return Said(title, plotted, notes=(f"{_in_month(last)}.", BRIEF))


def _in_month(last: Row) -> str:
    """Say how many left in a month, against those before it."""
    if math.isnan(last.churn_rate):
        return f"Nobody was a customer at the start of {last.month:%B %Y}"
    text = (
        f"{percent(last.churn_rate)} of customers left in {last.month:%B %Y} ({between(last.ci_lower, last.ci_upper)})"
    )
    if not last.compared:
        return text
    before = f"the {stretch(last.n_before, 'month')} before"
    when, usual = f"in {before}", f"{percent(last.usual)} a month"
    if last.season == "allowed for":
        when, usual = "expected", f"{percent(last.usual)}, from {before} and the season"
    may_be = MAY_BE_SEASON if last.season == "unknown" and last.compared != "alike" else ""
    alike = f"not clearly {'fewer' if last.churn_rate < last.usual else 'more'} than"
    alike = "about as" if percent(last.churn_rate) == percent(last.usual) else alike
    return f"{text}, {AGAINST.get(last.compared, alike)} {when} ({usual}){may_be}"


def _span(lower: float, upper: float, unit: str = "months") -> str:
    """Write an interval of which an end may not be known."""
    ends = [_written(end, unit).replace("-", "−") for end in (lower, upper)]
    if not math.isfinite(upper):
        return f"{ends[0]} or more" if math.isfinite(lower) else "not known"
    return " to ".join(end.removesuffix(" %") for end in ends) if math.isfinite(lower) else f"up to {ends[1]}"


def _month_card(last: Row | None, year: Row | None, target: Target | None) -> Iterator[Card]:
    if last is not None and year is not None and target is not None:
        yield churn_card(year, (last.churn_rate, last.ci_lower, last.ci_upper), target)
    elif last is not None and not math.isnan(last.churn_rate):
        before = f"{percent(last.usual)} a month in the {stretch(last.n_before, 'month')} before"
        before = f"expected for {last.month:%B}: {percent(last.usual)}" if last.season == "allowed for" else before
        bounds, detail = (last.ci_lower, last.ci_upper), before if last.compared else ""
        kpi = KPIS["customer_churn_rate"]
        card = card_of(kpi, last.churn_rate, interval=bounds, n=last.n_start, detail=detail)
        held = on_card(target, kpi.judged(target, last.churn_rate, bounds), kpi.unit)
        yield replace(card, label=f"{card.label}, {last.month:%B %Y}", **held)


def _ahead_card(outlook: Row | None, split: str, last_time: Row | None, now: str) -> Iterator[Card]:
    if outlook is not None:
        label = f"Expected to leave within {months(outlook.months_ahead)}"
        lost = [round(v) for v in (outlook.lost, outlook.ci_lower, outlook.ci_upper)]
        whose = f"customers\n{now}" if now != "today" else "today's customers"
        detail = f"{percent(outlook.share_lost)} of {whose}" if outlook.n_active else ""
        detail += f",\nadded up by {split}" * bool(detail and split)
        if last_time is not None and not last_time.held:
            detail += f"\nsame forecast {ago(last_time.months_ahead)}: {_too(last_time)}"
        yield Card(label, lost[0], ci_lower=lost[1], ci_upper=lost[2], n=outlook.n_active, detail=detail)


def _estimate(value: float, lower: float, upper: float, unit: str) -> str:
    if math.isnan(value):
        return "not known"
    known = math.isfinite(lower) or math.isfinite(upper)
    return _written(value, unit) + f" ({_span(lower, upper, unit)})" * known


def _written(value: float, unit: str) -> str:
    return percent(value) if unit == "percent" else f"{value:.1f}"


def _level(pace: Pace) -> str:
    rate = f"{percent(pace.elsewhere)} a month"
    if not pace.n_months:
        return f"Too few have left to tell whether risk changes over time: {rate} on average"
    alike = f"{rate}, and no month is twice as risky as the others"
    return f"Risk hardly changes over the first {stretch(pace.n_months, 'month')}: {alike}"


def _peaks(pace: Pace) -> str:
    first, last, rate = pace.peaks.iloc[0]
    others, alone = percent(pace.elsewhere), len(pace.peaks) == 1
    if pace.not_by:
        return _peaks_of_some(pace)
    if pace.first_months:
        when, each = _first_months(last)
        start = f"Risk is highest in the first {when}: {percent(rate)}{each}"
        if pace.later_month:
            return f"{start}, falling to {percent(pace.later)} by month {pace.later_month}"
        return f"{start}, against {others} in {'later months' if last == 1 else 'later ones'}"
    if alone and first < last == pace.n_months:
        return f"Risk is highest from month {first:.0f} on: {percent(rate)} a month, against {others} before"
    return f"Risk peaks in {_ages(pace)}: {_rates(pace)} a month, against {others} in other months"


def _first_months(last: float) -> tuple[str, str]:
    """Name the first months up to one, and say that a rate is one of each month where they are several."""
    return ("month", "") if last == 1 else (f"{last:.0f} months", " a month")


def _ages(pace: Pace) -> str:
    ages = [f"{a:.0f}" if a == b else f"{a:.0f}–{b:.0f}" for a, b in pace.peaks[["first", "last"]].to_numpy()]
    one = len(ages) == 1 and "–" not in ages[0]
    return f"{'month' if one else 'months'} {listed(ages)}"


def _rates(pace: Pace) -> str:
    return listed([percent(rate) for rate in pace.peaks["rate"]])


def _peaks_of_some(pace: Pace) -> str:
    """Tell the peaks of all customers, and then which segments clearly have them."""
    last, others = pace.peaks["last"].iloc[0], f"{percent(pace.elsewhere)} in other months"
    if not pace.first_months:
        rates = f"In {_ages(pace)}, {_rates(pace)} of all customers leave a month, {others}"
        return f"{rates}; risk is highest then{_whose(pace)}"
    when, each = _first_months(last)
    others = f"{percent(pace.later)} in month {pace.later_month}" if pace.later_month else others
    return f"Risk is highest in the first {when}{_whose(pace)}: {_rates(pace)} of all customers leave{each}, {others}"


def _whose(pace: Pace) -> str:
    """Say which segments clearly have the peaks of all."""
    if not pace.shown_by:
        return " for all customers together, not clearly for any segment"
    n, every = len(pace.shown_by), len(pace.shown_by) + len(pace.not_by)
    if every > MOST_SHARES:
        return f" for {n} of {every} segments, not clearly for the others"
    shown, others = (listed([literal(name) for name in names]) for names in (pace.shown_by, pace.not_by))
    return f" for {shown}, not clearly for {others}"


def _widest(differences: Differences) -> str:
    tau = months(differences.tau_months)
    if len(differences.clear):
        return _apart(differences.clear.iloc[0])
    if differences.measured.empty:
        return f"No two segments have been followed for {tau}, so it is too early to compare them"
    if differences.rates_differ:
        return f"Segments do not leave at the same rate, but over {tau} none clearly stays longer than another"
    return "No segment clearly stays longer than another"


def _apart(pair: Any) -> str:
    longer, shorter = literal(pair.segment_a), literal(pair.segment_b)
    stay = f"{longer} customers stay {months(pair.rmst_difference_months)} longer than {shorter} customers"
    return f"{stay} over their first {stretch(pair.tau_months, 'month')} ({_span(pair.ci_lower, pair.ci_upper)})"


def _others(differences: Differences) -> Iterator[str]:
    unclear, every = differences.n_unclear, len(differences.pairs)
    if 0 < unclear < every:
        verb = "shows" if unclear == 1 else "show"
        yield f"{unclear} of {every} pairs {verb} no clear difference in months stayed."


def _part(ratio: float) -> str:
    """Write a ratio as one says it.

    Examples
    --------
    >>> [_part(r) for r in (0.36, 0.5, 0.9, 1.37, 2.1, 0.03)]
    ['about a third of', 'about half', '0.9 times', '1.4 times', 'about twice', '3.0 % of']
    """
    near = min(PARTS, key=lambda part: abs(math.log(part / ratio)))
    if abs(math.log(near / ratio)) < NEAR:
        return f"about {PARTS[near]}"
    return f"{ratio:.1f} times" if ratio >= 0.1 else f"{percent(ratio)} of"


def _ahead(outlook: Row, now: str) -> str:
    lost = f"about {outlook.lost:,.0f} ({outlook.ci_lower:,.0f} to {outlook.ci_upper:,.0f})"
    within = f"within {months(outlook.months_ahead)}"
    verb = "is" if outlook.n_active == 1 else "are"
    return f"Of {counted(outlook.n_active, 'customer')} {now}, {lost} {verb} expected to leave {within}"


def _too(came: Row) -> str:
    """Say how far a forecast was off."""
    size = "far" if math.isnan(came.error) else percent(abs(came.error))
    return f"{size} too {'high' if came.left < came.lost else 'low'}"
