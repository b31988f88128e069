"""What the revenue report says: sentences made of :mod:`cslib.revenue.headlines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any, Final

import pandas as pd

from cslib.data.kpi import CHURN, Target
from cslib.data.words import against, churn_card, on_card
from cslib.errors import counted, listed, stretch
from cslib.revenue.kpis import KPIS
from cslib.show.display import Card, card_of
from cslib.show.formats import FIRM, OF_ENOUGH, between, format_value, literal, money, percent, whole

NAMES: Final = {"upsell": "upsells", "cross_sell": "cross-sells"}
GAINED: Final = {"new": "from new customers", "reactivation": "won back", "expansion": "from expansion"}
DID: Final = {"expansion": "paid more", "contraction": "paid less", "churn": "left"}
KEPT: Final = {"net": "NRR", "gross": "GRR"}
HOW_TO_READ_TRAILING: Final = (
    "Each point compares the customers of twelve months earlier with themselves: what they pay now, as a share of what "
    "they paid then. Above 100 %, those who grew outweigh those who shrank or left. The numbers below count these "
    "customers."
)
MOST: Final = 3  # segments named in a sentence
PAUSES: Final = "Who pays nothing at the end of the year counts as churn here, in a pause, too."
NO_MOVERS: Final = "Everybody who paid a year before pays the same."
ONLY_LARGEST: Final = "The list and its file hold the thousand largest changes."
MOVERS: Final = {"step": "What happened", "before": "MRR a year before", "now": "MRR now", "change": "Change"}
TOO_YOUNG: Final = "Nobody paid anything twelve months ago, so there is no NRR or GRR over a year."
SOLD_OVER_TIME: Final = "Share of all orders of the twelve months up to each. Bands: 95 % intervals."
ORDERS: Final = "An order is a sale, whatever it does to MRR: that rises only where a subscription rises with it."
NO_KINDS: Final = "Upsells and cross-sells are not measured: this needs orders with a kind."
NO_COSTS: Final = "The cost of keeping and winning customers is not measured: this needs a table of costs."
COSTS_OF_ALL: Final = (
    "The cost of keeping customers is booked for all of them together, so that of those shown here is not known."
)

MOST_YEARS: Final = 2  # named beside the one with the largest share


@dataclass(frozen=True)
class Wording:
    """How the report speaks of money.

    Attributes
    ----------
    currency
        Of the amounts, as in ``USD``; may be empty.
    targets
        Of the KPIs that cards tell, by id.
    """

    currency: str = ""
    targets: Mapping[str, Target] = field(default_factory=dict)

    def _money(self, value: float) -> str:
        return format_value(value, "money", self.currency)

    def subtitle(self, balance: pd.Series[Any]) -> str:
        """Say in one line which months and how many customers the report is about."""
        n = counted(balance.n_paying, "paying customer")
        return f"{n} at the end of {balance.month:%B %Y} · {counted(balance.n_months, 'complete month')}"

    def answer(self, balance: pd.Series[Any], kept: pd.DataFrame, least: pd.Series[Any] | None = None) -> str:
        """Answer "what recurs, and does it hold?" in two sentences, or three with segments.

        Parameters
        ----------
        balance
            As from :attr:`cslib.revenue.headlines.Moves.balance`.
        kept
            As from :func:`cslib.revenue.movements.trailing`; may be empty.
        least
            As from :meth:`cslib.revenue.headlines.Kept.least_kept`.

        Returns
        -------
        str
            With ``**bold**`` parts.
        """
        now = f"**Monthly recurring revenue is {self._money(balance.closing)}** at the end of {balance.month:%B %Y}"
        return f"{now}{_since(balance)}. {_held(kept)}{_least(least)}"

    def cards(self, moved: pd.DataFrame, kept: pd.DataFrame, year: pd.Series[Any] | None = None) -> list[Card]:
        """Make the headline cards: MRR, NRR and GRR over a year, and customer churn.

        Parameters
        ----------
        moved, kept
            As from :func:`cslib.revenue.movements.movements` and :func:`cslib.revenue.movements.trailing`; the latter
            may be empty.
        year
            As from :attr:`cslib.revenue.headlines.Moves.left_in_a_year`: that judges the target of customer churn.
        """
        row = whole(moved).iloc[-1]
        each = f"\n{self._money(row.arpa)} a customer" if pd.notna(row.arpa) else ""
        detail = f"end of {row.month:%B %Y}{each}"
        mrr = card_of(KPIS["mrr"], row.closing, n=int(row.n_paying), currency=self.currency, detail=detail)
        cards = [self._aimed(mrr)]
        if len(kept):
            last = whole(kept).iloc[-1]
            for name in ("nrr", "grr"):
                ends = last[f"{name}_ci_lower"], last[f"{name}_ci_upper"]
                span = f"12 months to {last.month:%B %Y}"
                card = card_of(KPIS[name], last[name], interval=ends, n=int(last.n_opening), detail=span)
                cards.append(self._aimed(card))
        settled = whole(moved).query("logo_churn_rate.notna() or n_opening == 0")
        last = settled.iloc[-1] if len(settled) else row
        return [*cards, self._churn_card(last, year)]

    def _aimed(self, card: Card) -> Card:
        """Show on a card its target and how it stands to it."""
        ends = [nan if end is None else float(end) for end in (card.ci_lower, card.ci_upper)]
        value = nan if card.value is None else float(card.value)
        target = self.targets.get(card.kpi)
        status = KPIS[card.kpi].judged(target, value, (ends[0], ends[1]))
        return replace(card, **on_card(target, status, card.unit, self.currency))

    def _churn_card(self, last: pd.Series[Any], year: pd.Series[Any] | None) -> Card:
        """Tell the last month, or where there is a target the year by which that is judged."""
        rate, ends, kpi = last.logo_churn_rate, (last.logo_churn_ci_lower, last.logo_churn_ci_upper), CHURN["kpi"]
        target = self.targets.get(kpi)
        if target is not None and year is not None:
            return churn_card(year, (rate, *ends), target)
        label, n = f"Customer churn, {last.month:%B %Y}", int(last.n_opening)  # others tell a year
        why = "" if pd.notna(rate) else "no customers at the start of the month"
        status = "" if target is None or pd.isna(rate) else target.judge(*ends)
        held = on_card(target, status, CHURN["unit"])
        return Card(label, rate, CHURN["unit"], *ends, n, detail=why, kpi=kpi, **held)

    def waterfall(self, moves: pd.Series[Any], *, period: str) -> str:
        """State what was added and what was lost, with the largest movement of either, and what they come to.

        Parameters
        ----------
        moves
            As from :func:`cslib.revenue.headlines.largest_moves`.
        period
            Which ones, such as ``June 2025``.
        """
        grew = f"MRR {'grew' if moves.net > 0 else 'fell'} by {self._money(abs(moves.net))}"
        way = grew if moves.net else "MRR stayed the same"
        most, worst = ("all" if one else "mainly" for one in (moves.one_gain, moves.one_loss))
        parts = [f"{self._money(moves.gained)} added, {most} {GAINED[moves.gain]}"] if moves.gained else []
        parts += [f"{self._money(moves.lost)} lost, {worst} to {moves.loss}"] if moves.lost else []
        return f"{way} in {period}" + (f": {'; '.join(parts)}" if parts else "")

    def quick(self, ratios: pd.Series[Any]) -> str:
        """State the quick ratio of the last months against those before; of a single month there is a KPI."""
        span = counted(ratios.n_months, "month")
        if pd.isna(ratios.now):
            return f"We lost nothing in the last {span}" if ratios.paid else f"There was no MRR in the last {span}"
        before = f", after {format_value(ratios.before)} in the {ratios.n_months} before"
        before = before if pd.notna(ratios.before) else ""
        unit = f"{self.currency} " if self.currency else ""
        added = f"{unit}{format_value(ratios.now)} for every {unit}1 lost"
        return f"We added {added} in the last {span}{before}"

    def last_quick(self, alone: pd.Series[Any], month: pd.Timestamp) -> tuple[str, ...]:
        """State the quick ratio of the last month by itself, as the KPI has it; nothing where none was lost."""
        told = f"In {month:%B %Y} alone it was {format_value(alone.now)}, as on the scorecard."
        return (told,) if pd.notna(alone.now) else ()

    def far_out(self, row: pd.Series[Any] | None) -> tuple[str, ...]:
        """Name the month that stands far out of all others; from ``Moves.far_out``."""
        if row is None:
            return ()
        what = f"{row.kind.capitalize()} was {self._money(row.amount)} in {row.month:%B %Y}"
        share = f"{percent(row.share)} of MRR, where {percent(row.usual) if row.usual else 'none'} is usual"
        who = f"{row.n:,} of {counted(row.n_opening, 'customer')} {DID[row.kind]}"
        who += ", as after a price rise" * bool(row.kind == "expansion" and 2 * row.n > row.n_opening)
        return (f"{what}, more than twice as much as in any other month: {share}; {who}.",)

    def kept(
        self, kept: pd.DataFrame, before: pd.Series[Any] | None, ends: pd.DataFrame, lowest: pd.DataFrame | None = None
    ) -> str:
        """State NRR and GRR of the last month and a year before; with segments, NRR and those of the worst and best.

        Parameters
        ----------
        kept
            As for :meth:`answer`.
        before, ends, lowest
            As from ``Kept.a_year_before``, ``Kept.best_and_worst`` and ``Kept.alike_at_the_bottom``.
        """
        row = whole(kept).iloc[-1]
        if row.n_opening < FIRM:
            return _few(row)
        if len(ends):
            runs = _from_to(ends, [] if lowest is None else list(lowest.itertuples()))
            return f"NRR is {percent(row.nrr)}{self._missed(row)}, {runs}"
        text = f"We kept {percent(row.nrr)} of last year's revenue (NRR), {percent(row.grr)} without expansion (GRR)"
        if before is not None:
            nrr, grr = (f"after {percent(before[rate])}" for rate in ("nrr", "grr"))
            return f"NRR is {percent(row.nrr)}{self._missed(row)}, {nrr} a year ago; GRR is {percent(row.grr)}, {grr}"
        return text

    def _missed(self, row: pd.Series[Any]) -> str:
        """Name the target of NRR where it is missed."""
        target = self.targets.get("nrr")
        if not target or KPIS["nrr"].judged(target, row.nrr, (row.nrr_ci_lower, row.nrr_ci_upper)) != "missed":
            return ""
        return f", {against(target, row.nrr, (row.nrr_ci_lower, row.nrr_ci_upper), KPIS['nrr'].unit)}"

    def year(self, shares: pd.Series[Any]) -> str:
        """Say what churn, contraction and expansion came to, for every 100 of a year before."""
        unit = f"{self.currency} " if self.currency else ""
        lost = f"churn took {abs(shares.churn):.1f} and contraction {abs(shares.contraction):.1f}"
        return f"Of every {unit}100 paid a year before, {lost}; expansion added {shares.expansion:.1f}"

    def compared(self, month: pd.Timestamp) -> str:
        """Say between which days, and whom, the steps of NRR compare."""
        before = month - pd.DateOffset(years=1)
        days = f"at the end of {before:%B %Y}, then and at the end of {month:%B %Y}"
        return f"MRR of those who paid {days}; without new customers."

    def movers(self, moved: pd.Series[Any], *, cut: bool) -> str:
        """Count who pays nothing, less and more; from ``headlines.who_moved``."""
        how = {"churn": "nothing now", "contraction": "less", "expansion": "more"}
        told = [f"{moved[kind]:,.0f} pay{'s' * int(moved[kind] == 1)} {how[kind]}" for kind in how if moved[kind]]
        if told and moved.n_opening == 1:
            return f"The one customer of a year ago {told[0].partition(' ')[2]}"
        who = f"Of the {counted(moved.n_opening, 'customer')} of a year ago"
        among = "Among the largest changes" if cut else who
        few = f"; the five largest falls are {percent(moved.of_few)} of what was lost" if pd.notna(moved.of_few) else ""
        return f"{among}, {listed(told)}{few}" if told else ""

    def came_back(self, n: int, gone: int) -> tuple[str, ...]:
        """Say how many more have stopped paying in the year and pay again."""
        text = f"Another {n:,} stopped paying and {'pays' if n == 1 else 'pay'} again: {n + gone:,} left at some time."
        return (text,) if n else ()

    def left_the_year(self, row: pd.Series[Any] | None) -> tuple[str, ...]:
        """Say what a month far out did to NRR when its year was over; from ``Kept.left_the_year``."""
        if row is None:
            return ()
        rates = f"{percent(row.before)} to {percent(row.nrr)}"
        why = f"as {row.month:%B %Y} is no longer among its twelve months"
        return (f"In {row.left:%B %Y} NRR went from {rates}, {why}.",)

    def shaded(self, far_out: pd.Series[Any] | None) -> str:
        """Say what is shaded in the chart of NRR over time; from ``Moves.far_out``."""
        far: Any = far_out
        return "" if far is None else f" Grey: twelve months that hold {far.month:%B %Y}, of unusual {far.kind}."

    def layers(self, shares: pd.Series[Any]) -> str:
        """State which shares of MRR come from customers of which years, the largest first."""
        if shares.empty:
            return "No MRR is left"
        (year, most), *others = shares.sort_values(ascending=False, kind="stable").items()
        came = f"comes from customers who joined in {year}"
        if not others:
            return f"All MRR {came}"
        most_named = MOST_YEARS + (len(others) == MOST_YEARS + 1)  # a last one has a name, too
        second = [f"{percent(share)} from those of {year}" for year, share in others[:most_named]]
        rest = [f"{percent(sum(share for _, share in others[most_named:]))} from others"] * (len(others) > most_named)
        return f"{percent(most)} of MRR {came}, {listed([*second, *rest])}"

    def held(self, held: pd.DataFrame) -> tuple[str, ...]:
        """Say how the MRR of an earlier year holds, where there is one; from ``headlines.held_by_year``."""
        if held.empty:
            return ()
        year, row = held.index[0], held.iloc[0]
        share = f"{format_value(row.share, 'percent')} of what they paid at the end of that year"
        return (f"Customers who joined in {year} together pay {share}, {counted(int(row.months), 'month')} on.",)

    def definitions(self, spread: pd.Series[Any] | None) -> str:
        """State how far the conventions of vendors lie apart, for the measure where they differ most."""
        if spread is None:
            return "There is no rate, as there was no MRR at the start"
        low, high = (f"{100 * v:.1f}".replace("-", "−") for v in spread)
        measure = str(spread.name)
        name = f"{measure[0].upper()}{measure[1:]}"
        return f"{name} is {low} to {high} % a month, depending on the definition"

    def rates(self, ways: pd.DataFrame) -> list[str]:
        """Write each value of ``conventions`` in its unit: rates in percent, the quick ratio as so many times."""
        kinds = ["times" if m == "quick ratio" else "percent" for m in ways["measure"]]
        return [format_value(v, kind) for v, kind in zip(ways["value"], kinds, strict=True)]

    def sold(self, sales: pd.DataFrame) -> tuple[str, str]:
        """Say which share of the last orders were upsells and cross-sells, and of which time how many.

        Parameters
        ----------
        sales
            As from :func:`cslib.revenue.headlines.recent_sales`, over twelve months.
        """
        rows: list[Any] = list(sales.itertuples())
        shares = listed(
            [f"{percent(row.rate)} {'of orders ' * (not at)}are {NAMES[row.kind]}" for at, row in enumerate(rows)]
        )
        then = [percent(row.rate_before) for row in rows if pd.notna(row.rate_before)]
        before = f"; {listed(then)} in the twelve months before" if then else ""
        each = listed([f"{row.n:,} {NAMES[row.kind]} ({between(row.ci_lower, row.ci_upper)})" for row in rows])
        return f"{shares}{before}", f"In the last twelve months: {each} of {counted(rows[0].n_all, 'order')}."

    def costs(self, costs: pd.DataFrame) -> str:
        """Say what keeping and winning customers cost over the months taken together.

        Parameters
        ----------
        costs
            As from :func:`cslib.revenue.spending.retention_cost`.
        """
        row = costs.iloc[-1]
        share = f" ({percent(row.share_of_margin)} of their margin)" if pd.notna(row.share_of_margin) else ""
        keeping = f"keeping a customer cost {money(row.crc, self.currency)} a month{share}"
        what = "winning one cost" if pd.notna(row.crc) else "winning a customer cost"
        winning = f"{what} {money(row.cac, self.currency)}"
        parts = [text for text, cost in ((keeping, row.crc), (winning, row.cac)) if pd.notna(cost)]
        span = f"the {stretch(row.months, 'month')}"
        if parts:
            return f"In {span} to {row.month:%B %Y}, {', and '.join(parts)}{self._a_year_before(costs)}."
        return f"No costs are known for {span} to {row.month:%B %Y}, so neither is the cost of keeping or winning."

    def _a_year_before(self, costs: pd.DataFrame) -> str:
        """Say what both cost over as many months that ended a year before, where that is known."""
        row, early = costs.iloc[-1], costs[costs["month"] == costs["month"].iloc[-1] - pd.DateOffset(years=1)]
        if early.empty or early["months"].iloc[0] != row.months:
            return ""
        each = [(early[name].iloc[0], row[name]) for name in ("crc", "cac")]
        then = [money(was, self.currency) for was, now in each if pd.notna(was) and pd.notna(now)]
        return f" (a year before: {listed(then)})" if then else ""


def _since(balance: pd.Series[Any]) -> str:
    moves = {"a month before": balance.change_share, "a year before": balance.year_share}
    told = [f"{_against(share)} {when}" for when, share in moves.items() if pd.notna(share)]
    return f", {' and '.join(told)}" if told else ""


def _against(share: float) -> str:
    size = percent(abs(share))
    return f"{size} {'more' if share > 0 else 'less'} than" if share else "the same as"


def _from_to(ends: pd.DataFrame, lowest: list[Any]) -> str:
    """Name the segments at both ends; at the lower one all that cannot be told apart."""
    (_, best), (_, worst) = ends.iterrows()
    both = f"from {percent(worst.nrr)} ({literal(worst.segment)}) to {percent(best.nrr)} ({literal(best.segment)})"
    of = f",{OF_ENOUGH}" * bool(ends["but_few"].any())
    if percent(worst.nrr) == percent(best.nrr):
        return f"alike in all segments{of}"
    if len(lowest) < 2:
        return f"{both}{of}"
    if best.segment in [row.segment for row in lowest]:
        return f"{both}, which cannot be told apart{of}"
    names = [f"{literal(row.segment)} ({percent(row.nrr)})" for row in lowest[:MOST]]
    names += [f"{len(lowest) - MOST} more"] * (len(lowest) > MOST)
    return f"lowest for {listed(names)}, highest for {literal(best.segment)} ({percent(best.nrr)}){of}"


def _least(row: pd.Series[Any] | None) -> str:
    """Name the segment that keeps least."""
    if row is None:
        return ""
    grown = ", and none of its customers pays more than a year ago" * row.flat
    return f" {literal(row.segment)}, {percent(row.share_of_mrr)} of MRR, kept {percent(row.nrr)}{grown}."


def _held(kept: pd.DataFrame) -> str:
    if kept.empty:
        return "Nobody paid anything a year ago, so we cannot say how much revenue we keep."
    row = whole(kept).iloc[-1]
    if row.n_opening < FIRM:
        return f"{_few(row)}."
    interval = f"95 % interval {between(row.nrr_ci_lower, row.nrr_ci_upper)}, " if pd.notna(row.nrr_ci_lower) else ""
    known = f"(NRR, {interval}{counted(int(row.n_opening), 'customer')})"
    first = f"**We kept {percent(row.nrr)} of last year's revenue** {known}"
    if row.nrr <= row.grr:
        return f"{first}; nobody pays more than a year ago."
    return f"{first}, and {percent(row.grr)} without expansion (GRR)."


def _few(row: pd.Series[Any]) -> str:
    """Say what so few customers pay that no rate is told of them."""
    what = f"{percent(row.nrr)} of what they paid then" if row.nrr else "nothing now"
    many = f"The {int(row.n_opening):,} customers of a year ago pay"
    who = "The one customer of a year ago pays" if row.n_opening == 1 else many
    return f"{who} {what}: too few to say how much revenue we keep"
