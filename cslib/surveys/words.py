"""Sentences of the survey report: how customers feel, where it differs, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from cslib.data.kpi import link_to
from cslib.errors import counted, listed, stretch
from cslib.show.charts import cohort_label
from cslib.show.display import Card, card_of
from cslib.show.formats import as_many, between, format_interval, format_value, literal, percent
from cslib.surveys.answers import SMALL, STATES, Measure
from cslib.surveys.kpis import KPIS
from cslib.surveys.scores import ALL, extremes, strongest
from cslib.surveys.stakes import Landmark

UNSEEN: Final = "the data hold answers only, so there is no response rate"
MOST: Final = 4  # segments named in a sentence
UNHAPPY: Final = {
    "customer_id": "Customer", "money_at_risk": "Expected loss", "mrr": "MRR", "p_churn": "Risk", "score": "Answer",
    "answered_on": "Answered on",
}  # fmt: skip
PEOPLE: Final = {
    **{group: f"{group} customers" for group in ("satisfied", "neutral", "dissatisfied")},
    **{"easy": "those who find it easy", "hard": "those who find it hard", STATES[0]: "those who did not answer"},
}
WEIGHTED: Final = {"nothing": "as answered", "all of these": "everything on record"}
HOW_TO_READ_SCORES: Final = (
    "Each bar holds all answers of a segment. The line at the right is the 95 % interval of its score: where two "
    "intervals overlap widely, the difference may be chance. A score in colour clearly differs from that of all other "
    "customers, allowing for how many groups are compared."
)
DEAREST: Final = "Those come first with whom we expect to lose most."
PAYING: Final = "Those come first who pay most."
WORST: Final = "The worst answers come first."
BESIDE_CHURN: Final = (
    "Risks are as in the churn report, which lists all of today's customers: "
    f"{link_to('churn_survival#Whom to call first?')}"
)
HATCHED: Final = " A hatched cell has too few."
HOW_TO_READ_LANDMARK: Final = (
    "Everyone here was a customer on the day the lines begin and had been asked before it. Only answers given by then "
    "count: otherwise those who stayed longer would have had more time to answer."
)


@dataclass(frozen=True)
class Words:
    """Sentences about one survey. Those that are titles have no full stop; ``**bold**`` is the only markup.

    Attributes
    ----------
    survey
        ``nps``, ``csat`` or ``ces``: how its scores are written.
    currency
        Of the money.
    earlier
        What to call the window that is compared with.
    span
        What to call the window itself, with its preposition.
    """

    survey: str
    currency: str = ""
    earlier: str = "the window before"
    span: str = ""

    @property
    def label(self) -> str:
        """Name of the survey for readers."""
        return self.survey.upper()

    def subtitle(self, whole: pd.Series[Any], window: object) -> str:
        """Say in one line who was asked, when, and how many answered; from the row of the whole.

        Parameters
        ----------
        whole
            The first row of ``surveys.scores.scores``.
        window
            In which they were asked.
        """
        if pd.isna(whole.response_rate):
            return f"{counted(int(whole.n_responses), f'{self.label} answer')} from {window} · {UNSEEN}"
        of = f"{whole.n_responses:,} of {counted(whole.n_invited, 'customer')}"
        return f"{of} asked for {self.label} from {window} answered ({percent(whole.response_rate)})"

    def answer(
        self, scored: pd.DataFrame, moved: pd.Series[Any] | None, stakes: pd.DataFrame, *, known: pd.DataFrame,
        of_all: float = math.nan, others: Sequence[str] = (),
    ) -> str:  # fmt: skip
        """Answer "how do customers feel, where, and what does it cost?" in at most four sentences.

        Parameters
        ----------
        scored, moved, stakes
            As from ``surveys.scores.family``; the first row of ``surveys.change.change``, None where there is nothing
            to compare with; as from ``surveys.stakes.money_at_stake``. All with ``clear``, from
            ``surveys.scores.judged``.
        known
            Money known to be at stake, as from ``surveys.stakes.known_stakes``.
        of_all
            As from ``surveys.change.silence_moves``.
        others
            As from :meth:`trend`, of surveys whose last period clearly differs from those before it.

        Returns
        -------
        str
        """
        whole = scored.iloc[0]
        interval = self._span(whole.ci_lower, whole.ci_upper)
        found = interval if interval == "no interval" else f"95 % interval {interval}"
        answers = counted(int(whole.n_responses), "customer")
        score = self._score(whole[self.survey])
        first = f"{' '.join(filter(None, [f'**{self.label} is {score}**', self.span]))} ({found}, {answers})"
        other = score if pd.isna(of_all) else self._score(of_all)
        asked = f"estimated for everyone asked, it is {other}" if other != score else ""
        change = self._moved(moved) if moved is not None else ""
        if moved is not None and moved.clear:
            change = _found(_upper(change))
        turned = "; ".join(map(_found, others))
        parts = [[first, self._where(scored)], [change, asked], self._lost(stakes, known), [turned]]
        told = ["; ".join(filter(None, each)) for each in parts]
        return " ".join(f"{_upper(text)}." for text in told if text)

    def _lost(self, stakes: pd.DataFrame, known: pd.DataFrame) -> tuple[str, ...]:
        """Say what is known to be at stake where that is much, or else which group loses most months."""
        rows = _clear(stakes).sort_values("rmst_difference_months", kind="stable")
        if rows.empty or not rows["rmst_difference_months"].iloc[0] < 0:
            return ()
        best = _whom(stakes["group"].iloc[0])
        its: Any = known[known["leads"]].head(1).itertuples()  # that with the most money, as on the card
        more = ((r, f"**they would bring {self._priced(r)} more over 12 months**") for r in its)
        told = [f"{_if_alike(r, best)} {bring}{_of_all(r)}" for r, bring in more]
        left, colon, how = _left(rows.iloc[0], best, "over 12 months").partition(":")
        return tuple(told) or (f"**{left}**{colon}{how}",)

    def _where(self, scored: pd.DataFrame) -> str:
        """Say who stands out most, where anybody clearly does."""
        row, n = strongest(scored, "contribution"), int(scored["p_adjusted"].notna().sum())
        if row is None:
            return ""
        return f"**{_named(row)} stands out** with {self._score(row[self.survey])}, among {n} groups compared"

    def cards(
        self, whole: pd.Series[Any], unit: str, moved: pd.Series[Any] | None, known: pd.DataFrame, *,
        window: object, held: Mapping[str, Any] | None = None,
    ) -> tuple[Card, ...]:  # fmt: skip
        """Make the cards: score with its target, from ``data.words.on_card``; change; ``stakes.known_stakes``."""
        ends, n = (whole.ci_lower, whole.ci_upper), int(whole.n_responses)
        score = Card(self.label, whole[self.survey], unit, *ends, n, detail=f"asked {window}")
        cards = [replace(score, **(held or {}))]
        if moved is not None:
            kind, n = "number" if self.survey == "ces" else "points", int(moved.n_before + moved.n_now)
            chance = "more than chance" if moved.clear else "within the margin of error"
            size = 100 if self.survey == "nps" else 1
            change, lower, upper = (moved[c] / size for c in ("change", "ci_lower", "ci_upper"))
            how: Any = {"detail": chance, "noun": "answer"}  # who answered in both windows counts twice
            cards.append(Card(f"Change on {self.earlier}", change, kind, lower, upper, n, **how))
        for _, row in known.head(1).iterrows():
            label, ends = f"At stake over 12 months: {_whose(row)}", (row.money_ci_lower, row.money_ci_upper)
            detail = "; ".join(filter(None, [_of_all(row).removeprefix(", "), _unsure(row)]))
            cards.append(Card(label, row.money_at_stake, "money", *ends, row.n_today, self.currency, detail=detail))
        return tuple(cards)

    def quarter(self, rows: pd.DataFrame) -> tuple[Card, ...]:
        """Make the cards of KPIs over the last quarter; :meth:`quoted` tells of the score.

        Parameters
        ----------
        rows
            As from ``kpis.of_the_quarter``.
        """
        each: list[Any] = list(rows[rows["kpi"] != self.survey].itertuples())
        told = {row.kpi: f"3 months to {row.until:%B %Y}, as in the scorecard" for row in each}
        made = [
            card_of(KPIS[r.kpi], r.value, interval=(r.ci_lower, r.ci_upper), n=int(r.n), detail=told[r.kpi])
            for r in each
        ]
        return tuple(replace(card, label=f"{card.label}, last quarter") for card in made)

    def quoted(self, whole: pd.Series[Any], quarter: pd.DataFrame) -> tuple[str, ...]:
        """Say which score to quote where the scorecard has another.

        Parameters
        ----------
        whole, quarter
            As for :meth:`subtitle` and :meth:`quarter`.
        """
        first = f"**The {self.label} to quote is {self._score(whole[self.survey])}**."
        return tuple(f"{first} {text}" for text in self.last_quarter(whole, quarter))

    def last_quarter(self, whole: pd.Series[Any], quarter: pd.DataFrame) -> tuple[str, ...]:
        """Say what the scorecard has of a quarter, from ``kpis.of_the_quarter``, where that is another score."""
        rows: Any = quarter[quarter["kpi"] == self.survey].itertuples()
        text = "The scorecard's {} is of the 3 months to {} alone ({})."
        return tuple(
            text.format(self._exact(r.value), f"{r.until:%B %Y}", counted(int(r.n), "customer"))
            for r in rows
            if self._score(r.value) != self._score(whole[self.survey])
        )

    def change(self, moved: pd.Series[Any] | None) -> str:
        """Say how the score moved against the window before, and whether that is more than chance."""
        if moved is None:
            return "There are no earlier answers to compare with"
        return f"{self.label} is {self._score(moved.score_now)}, {self._moved(moved)}"

    def _moved(self, moved: pd.Series[Any]) -> str:
        before = f"{self._score(moved.score_before)} in {self.earlier}"
        way = "up from" if moved.change > 0 else "down from"
        way = way if self._score(moved.score_before) != self._score(moved.score_now) else "much the same as"
        if pd.isna(moved.p_value):
            return f"{way} {before}, with too few answers to tell it from chance"
        return f"{way} {before}, {'more than chance' if moved.clear else 'within the margin of error'}"

    def changes(self, moved: pd.DataFrame) -> pd.DataFrame:
        """Lay out the change for its readers: score before and now, and the difference."""
        return pd.DataFrame([self._change(row) for row in moved.itertuples(index=False)])

    def _change(self, row: Any) -> dict[str, Any]:
        change = "–" if pd.isna(row.change) else self._signed(row.change)
        interval = "" if pd.isna(row.ci_lower) else f" ({self._ends(row.ci_lower)} to {self._ends(row.ci_upper)})"
        scores = {"before": self._told(row.score_before), "now": self._told(row.score_now)}
        return {"segment": row.segment, **scores, "change": f"{change}{interval}"}

    def moved_most(self, row: pd.Series[Any] | None, column: str) -> tuple[str, ...]:
        """Say which segment moved most, and whether that is more than chance; from ``change.most_moved``."""
        if row is None or self._score(row.score_before) == self._score(row.score_now):
            return ()
        scores = f"from {self._score(row.score_before)} to {self._score(row.score_now)}"
        found = f"{self._signed(row.change)}, 95 % interval {self._ends(row.ci_lower)} to {self._ends(row.ci_upper)}"
        chance = "is more than chance" if row.clear else "may be chance"
        of = f"Allowing for {row.among} segments compared, that {chance}."
        return (f"**{literal(row.segment)} ({column}) moved most**: {scores} ({found}). {of}",)

    def parts(self, moved: pd.DataFrame, column: str) -> tuple[str, ...]:
        """Say what the change of all is made of, where there are segments to tell it by; from ``change.change``."""
        mix, within = moved[["mix_effect", "within_effect"]].iloc[0]
        if len(moved) < 3 or pd.isna(mix):
            return ()
        same, other, none = self._signed(within), self._signed(mix), self._signed(0)
        if same == other == none:
            return ()
        change = self._signed(moved["change"].iloc[0])
        kinds = f"{same} come from customers of the same {column} who answer differently"
        return (f"Of the {change}, {kinds}, {other} from a changed mix by {column}.",)

    def _told(self, score: float) -> str:
        return "–" if pd.isna(score) else self._score(score)

    def _ends(self, value: float) -> str:
        return self._signed(value).removesuffix(" points")

    def segments(self, scored: pd.DataFrame) -> str:
        """State where the score differs: the best against the worst segment, and whether any differs clearly."""
        ends = extremes(scored, self.survey)
        if ends.empty:
            return f"{self.label} is {self._score(scored[self.survey].iloc[0])}"
        several = scored.loc[scored["segment"] != ALL, "segment_by"].nunique() > 1
        called = (scored["segment_by"] + ": " + scored["segment"]) if several else scored["segment"]
        names = list(dict.fromkeys(called[scored["clear"]]))
        high, low = (self._score(score) for score in ends[self.survey])
        if low == high and not names:
            return f"{self.label} is {low} in all segments"
        best, worst = called[ends.index]
        runs = f"{self.label} runs from {low} ({worst}) to {high} ({best})"
        if not names:
            return f"No clear difference: {runs}"
        more = [f"{len(names) - MOST} more"] * (len(names) > MOST)
        return f"{runs}; clearly different: {listed([*names[:MOST], *more])}"

    def distribution(self, given: pd.DataFrame) -> str:
        """State which answer is the most frequent, and how many gave each group."""
        top, shares = given.iloc[int(given["n"].argmax())], given.groupby("group", sort=False)["share"].sum()
        groups = ", ".join(f"{percent(share)} {name}" for name, share in shares[::-1].items())
        return f"{groups}; the most frequent answer is {top.score} ({percent(top.share)})"

    def trend(self, last: pd.Series[Any] | None, period: str) -> str:
        """State the last period against all before it, and whether the difference is more than chance."""
        if last is None:
            return f"Too few {period}s to tell a trend"
        score, before = last[self.survey], f"the {stretch(last.n_before, period)} before"
        way = f"clearly {'above' if score > last.before else 'below'} {before} ({self._score(last.before)})"
        if pd.notna(last.beyond) and self._score(last.beyond) != self._score(score):
            side = "higher" if last.beyond > score else "lower"
            way += f", though {cohort_label(last.then, period)} was {side}, at {self._score(last.beyond)}"
        chance = way if last.clear else f"no clear change from {before}"
        return f"{self.label} of {cohort_label(last.period, period)} alone is {self._score(score)}, {chance}"

    def every(self, whole: pd.Series[Any], every: pd.Series[Any], period: str) -> str:
        """Say why the score of the window is not that of its periods, from ``surveys.scores.every_answer``."""
        score, once = self._told(every.score), self._score(whole[self.survey])
        if pd.isna(every.score) or score == once or not every.n_responses > whole.n_responses:
            return ""
        each = f"A customer counts in each {period} in which they answered, so the {period}s together come to {score}"
        customers = f"{counted(whole.n_responses, 'customer')} once, by the latest answer"
        return f"{each} ({every.n_responses:,.0f} answers). The {once} counts each of {customers}."

    def needed(self, answers: int, difference: float, moved: pd.Series[Any] | None = None) -> str:
        """Say how many answers it takes to see a change, and how many there are in the windows compared.

        Examples
        --------
        >>> Words("nps").needed(3223, 5.0)
        'To see a change of 5 points reliably takes about 3,220 answers in each window.'
        """
        if not answers:
            return "All answers are alike, so there is no telling how many it takes to detect a change."
        change = {"nps": f"{difference:g} points", "csat": f"{100 * difference:g} points"}
        rounded = round(answers, -max(len(str(answers)) - 3, 0))
        size = change.get(self.survey, f"{difference:g}")
        there = "" if moved is None else f"; we have {moved.n_before:,} and {moved.n_now:,}"
        return f"To see a change of {size} reliably takes about {rounded:,} answers in each window{there}."

    def silence(self, moves: Mapping[str, float]) -> str:
        """State what weighting to all who were asked does to the score, from ``surveys.change.silence_moves``."""
        if not moves:
            return "The data hold nothing about those who did not answer"
        shift, of_all = moves["shift"], moves["of_all"]
        if pd.isna(shift):
            return "No column tells who is silent"
        if not self._open(moves) or self._points(shift) == self._points(0):
            return f"Weighting to everyone asked does not change {self.label}"
        if pd.isna(of_all):
            return f"Weighting to everyone asked does not clearly change {self.label}"
        direction = "lower" if shift < 0 else "higher"
        lower = f"{self._points(shift)} {direction}"
        return f"Estimated for everyone asked, {self.label} is {self._score(of_all)}, {lower}"

    def at_the_most(self, moves: Mapping[str, float], groups: Sequence[str]) -> str:
        """Say how far those who were silent could move the score, had all of them been of one group."""
        if not moves or not self._open(moves):
            return ""
        low, high = self._score(moves["worst"]), self._score(moves["best"])
        worst = f"If all who did not answer felt like {_whom(groups[2])}, {self.label} would be {low}"
        return f"{worst}; if all felt like {_whom(groups[0])}, {high}."

    def _open(self, moves: Mapping[str, float]) -> bool:
        return self._score(moves["worst"]) != self._score(moves["best"])

    def weighted(self, table: pd.DataFrame) -> pd.DataFrame:
        """Lay out the weighted scores for their readers, each with its interval, where weighting changes it."""
        told = self._weighted(table[table["n_effective"].notna()])
        return told[~self._unmoved(told)].reset_index(drop=True)

    def unmoved(self, table: pd.DataFrame) -> tuple[str, ...]:
        """Name what :meth:`weighted` leaves out."""
        told = self._weighted(table[table["n_effective"].notna()])
        names = told.loc[self._unmoved(told), "weighted by"].tolist()
        return (f"By {listed(names)} alone, weighting changes nothing.",) if names else ()

    def _unmoved(self, told: pd.DataFrame) -> pd.Series[bool]:
        return told[self.label].isin(told[self.label].head(1)) & ~told["weighted by"].isin(WEIGHTED.values())

    def _weighted(self, table: pd.DataFrame) -> pd.DataFrame:
        scores, bounds = table[self.survey], table[["ci_lower", "ci_upper"]].to_numpy(float)
        spans = [f" ({self._span(*ends)})" if pd.notna(ends).all() else "" for ends in bounds]
        told = [f"{self._score(v)}{span}" for v, span in zip(scores, spans, strict=True)]
        return pd.DataFrame({"weighted by": table["weighted_by"].replace(WEIGHTED), self.label: told})

    def drivers(self, row: pd.Series[Any]) -> str:
        """State whose score stands out most, from its row."""
        apart, who = self._beside(row.difference), f"customers whose {row.segment_by} is {literal(row.segment)}"
        return f"{self.label} is {apart} among {who} ({percent(row.share)} of those who answered)"

    def nowhere(self, columns: Sequence[str], pair: Sequence[str]) -> str:
        """Say by which columns, and by which two together, no difference is clear; empty: there are none.

        Examples
        --------
        >>> Words("nps").nowhere(["region"], ["plan", "region"]), Words("nps").nowhere([], [])
        ('By region, and by plan and region together, no difference in NPS is clear.', '')
        """
        by = [f"by {_some(columns)}"] * bool(columns) + [f"by {listed(pair)} together"] * bool(pair)
        return f"{_upper(', and '.join(by))}{',' * (len(by) > 1)} no difference in {self.label} is clear." if by else ""

    def _beside(self, difference: float) -> str:
        return f"{self._points(difference)} {'higher' if difference >= 0 else 'lower'}"

    def other(self, whole: pd.Series[Any]) -> str:
        """State the score of another survey with its window; from the row of the whole."""
        found = self._span(whole.ci_lower, whole.ci_upper)
        score = f"{self.label} is {self._score(whole[self.survey])} {self.span}".rstrip()
        return f"{score} ({found}, {counted(int(whole.n_responses), 'customer')})"

    @property
    def _unit(self) -> str:
        return "percent" if self.survey == "csat" else "number"

    def _exact(self, value: float) -> str:
        return format_value(value, self._unit)

    def unhappy(self, table: pd.DataFrame, asked: Measure, *, here: bool = True) -> str:
        """Count customers of the worst answers, who are ``here`` if that is known, and say what they pay.

        From ``surveys.stakes.unhappy``.
        """
        if table.empty:
            return ""
        worst = [score for score, place in zip(asked.scores, asked.places, strict=True) if place == 2]
        n, s = len(table), "s" * (len(table) == 1)
        whose = f"{n:,} of today's customers" if here else counted(n, "customer")
        paid = format_value(table["mrr"].sum(), "money", self.currency)
        who = f"{whose} last answered {_range(worst)} ({asked.groups[2]})"
        return who + f" and pay{s} {paid} a month" * bool(table["mrr"].fillna(0).any())

    def order(self, table: pd.DataFrame) -> str:
        """Say in which order ``surveys.stakes.unhappy`` lists customers, and whose risks these are."""
        paid, risk = bool(table["mrr"].fillna(0).any()), bool(table["p_churn"].notna().any())
        return " ".join([(DEAREST if risk else PAYING) if paid else WORST, *[BESIDE_CHURN] * risk])

    def followed(self, landmark: Landmark) -> str:
        """Say whom the lines of survival after an answer are about."""
        whose = f"Share of the customers of {landmark.day:%-d %B %Y} who are still here"
        return f"{whose}, by their last answer from {landmark.window}. Bands: 95 % intervals."

    def money(self, stakes: pd.DataFrame, known: pd.DataFrame) -> str:
        """State what follows an answer: who leaves how often, against the best group; parameters as for `answer`."""
        best, row = _whom(stakes["group"].iloc[0]), strongest(stakes.iloc[1:-1], "rmst_difference_months")
        if row is None:
            return f"No group clearly leaves faster or more slowly than {best}"
        own: Any = known[known["leads"] & (known["group"] == row.group)].itertuples()
        money = [f"{self._money(r.money_at_stake)} at stake" for r in own]
        return "; ".join([_left(row, best, "over the 12 months that followed"), *money])

    def stays(self, stakes: pd.DataFrame, parts: pd.DataFrame, known: pd.DataFrame) -> tuple[str, ...]:
        """Say of each group that clearly leaves faster or more slowly by how much, and what that is worth.

        Parameters
        ----------
        stakes
            As from ``surveys.stakes.money_at_stake``, with ``clear``, and what ``surveys.stakes.who_left`` adds.
        parts
            Of which money is the sum, as from ``surveys.stakes.priced``.
        known
            As for :meth:`answer`.
        """
        best, rows = _whom(stakes["group"].iloc[0]), stakes.iloc[1:-1]
        own = [(row, *(t[t["group"] == row.group] for t in (parts, known))) for _, row in _clear(stakes).iterrows()]
        told = [text for row, *its in own for text in self._stay(row, *its, best=best)]
        same: Any = rows[~rows["clear"]].itertuples()
        unclear = [f"{_whom(row.group)} ({row.n_churned:,.0f} of {row.n:,} left)" for row in same]
        return (*told, *[f"Not clearly different from {best}: {listed(unclear)}."] * bool(unclear))

    def alike(self, landmark: Landmark) -> str:
        """Say among whom groups are compared."""
        columns = landmark.differing
        if not columns:
            return HOW_TO_READ_LANDMARK
        alike = f"compare customers of the same {listed(columns)}, where both groups have at least five"
        return (
            f"{HOW_TO_READ_LANDMARK} Lines and counts are of all; how fast customers leave, months and money {alike}."
        )

    def _priced(self, row: Any) -> str:
        ends = format_interval(row.money_ci_lower, row.money_ci_upper, "money", value=row.money_at_stake)
        return f"{self._money(row.money_at_stake)} ({ends})"

    def _money(self, amount: float) -> str:
        return format_value(amount, "money", self.currency)

    def _stay(self, row: pd.Series[Any], parts: pd.DataFrame, known: pd.DataFrame, *, best: str) -> tuple[str, ...]:
        """Say how fast a group left, and what is known of the price."""
        if not known.empty:
            return _stayed(row, best), self._by_part(known.iloc[0], parts, best)
        if pd.isna(row.money_at_stake + row.money_ci_lower) or not row.rmst_difference_months < 0:
            return (_stayed(row, best),)
        return (f"{_stayed(row, best)} What that costs over 12 months we cannot tell yet: {self._at_most(row)}.",)

    def _at_most(self, row: Any) -> str:
        return "it may be nothing" + f", or up to {self._money(row.money_ci_upper)}" * bool(row.money_ci_upper > 0)

    def _by_part(self, known: pd.Series[Any], parts: pd.DataFrame, best: str) -> str:
        """Give the sum of the parts that have a price, name them, and those of which nothing is known yet."""
        own = parts[parts["segment"].isin(known.known)]
        dear: Any = own.sort_values("money_at_stake", ascending=False, kind="stable")
        each = [f"{self._money(r.money_at_stake)} in {_part(r.segment)}" for r in dear.head(MOST).itertuples()]
        more = [f"more in {len(dear) - MOST} others"] * (len(dear) > MOST)
        made_of = f", of which {listed([*each, *more])}" if len(dear) > 1 else ""
        share = _of_all(known).replace(", ", "; that is ", 1)
        followed = {r.segment: f" ({r.n_churned:,.0f} of {r.n:,} left)" for r in parts.itertuples()}
        others = [f"{_part(name)}{followed[name]}" for name in known.unknown]
        unsure = f" In {_some(others)} we cannot tell yet." if others else ""
        bring = f"they would bring {self._priced(known)} more** over 12 months"
        return f"**{_if_alike(known, best)} {bring}{made_of}{share}.{unsure}"

    def _score(self, value: float) -> str:
        if self.survey == "csat":
            return percent(value)
        text = f"{value:.{0 if self.survey == 'nps' else 1}f}".replace("-", "−")
        return text.replace("−0", "0" if round(value) == 0 else "−0")

    def _span(self, lower: float, upper: float) -> str:
        if pd.isna(lower):
            return "no interval"
        return between(lower, upper) if self.survey == "csat" else f"{self._score(lower)} to {self._score(upper)}"

    def _points(self, value: float) -> str:
        """Write the size of a difference.

        Examples
        --------
        >>> Words("nps")._points(-4.26), Words("csat")._points(0.031), Words("ces")._points(0.214)
        ('4.3 points', '3.1 points', '0.21')
        """
        size = abs(value) * (100 if self.survey == "csat" else 1)
        return f"{size:.2f}" if self.survey == "ces" else f"{size:.{0 if size >= 9.95 else 1}f} points"

    def _signed(self, value: float) -> str:
        text = self._points(value)
        return text if text == self._points(0) else ("+" if value >= 0 else "−") + text


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _named(row: pd.Series[Any]) -> str:
    return f"{literal(row.segment)} ({row.segment_by})"


def _clear(stakes: pd.DataFrame) -> pd.DataFrame:
    """Keep the groups that leave at another rate than the best, the first, by more than chance."""
    others = stakes.iloc[1:-1]
    return others[others["clear"]]


def _left(row: pd.Series[Any], best: str, span: str) -> str:
    """Say how many of a group left, against the best; the months stayed where that is not what was tested."""
    left, best_left = percent(row.left), percent(row.left_best)
    if not row.as_tested or left == best_left:
        return f"{_who(row.group)} stayed {_against(row, best)} {span}"
    often = f"{_who(row.group)} left {'more' if row.faster else 'less'} often"
    return f"{often}: {left} {span}, against {best_left} of {best}"


def _part(name: str) -> str:
    return "the others" if name == SMALL else literal(name)


def _some(names: Sequence[str]) -> str:
    """List names, of many those that come first."""
    return listed([*names[:MOST], *[f"{len(names) - MOST} more"] * (len(names) > MOST)])


def _whose(known: Any) -> str:
    """Name a group and the parts of it whose price is known, where not all is."""
    return _whom(known.group) + (f" in {_some([*map(_part, known.known)])}" if known.known else "")


def _found(text: str) -> str:
    """Put what is found before how sure it is in bold."""
    found, _, how = text.partition(", ")
    return f"**{found}**, {how}"


def _if_alike(known: Any, best: str) -> str:
    """Begin a sentence that says what customers would bring if they stayed as those of the best group do."""
    return f"If {_whose(known)} stayed as {best} do,"


def _of_all(known: Any) -> str:
    """Say how much money is beside what today's customers bring in that time."""
    return (
        "" if pd.isna(known.share) else f", {percent(known.share)} of what today's customers would bring if all stayed"
    )


def _unsure(known: Any) -> str:
    return f"in {_some([_part(name) for name in known.unknown])} we cannot tell yet" if known.unknown else ""


def _range(scores: Sequence[float]) -> str:
    low, high = min(scores), max(scores)
    return f"{low}" if low == high else f"{low} to {high}"


def _who(group: str) -> str:
    return _upper(_whom(group))


def _whom(group: str) -> str:
    return PEOPLE.get(group, group)


def _stayed(row: pd.Series[Any], best: str) -> str:
    """Say how fast a group left, and how many months that made where all of their interval is on one side."""
    fast = f"{as_many(row.hazard_ratio)} times as fast as" if pd.notna(row.hazard_ratio) else ""
    fast = fast or f"{'faster' if row.faster else 'more slowly'} than"
    left = f"**{_who(row.group)}** left {fast} {best} of the same age ({row.n_churned:,.0f} of {row.n:,} left)"
    low, high = row.rmst_difference_ci_lower, row.rmst_difference_ci_upper
    if pd.isna(low) or pd.isna(high) or low <= 0 <= high:
        return f"{left}."
    ends = sorted((abs(low), abs(high)))
    stayed = _against(row, best).removesuffix(f" than {best}")
    return f"{left}, and stayed {stayed} (95 % interval {ends[0]:.1f} to {ends[1]:.1f})."


def _against(row: pd.Series[Any], best: str) -> str:
    """Say how long a group stays, against the best."""
    months = format_value(abs(row.rmst_difference_months), "months")
    longer = f"{months} {'less' if row.rmst_difference_months < 0 else 'more'} than"
    return f"{'as long as' if months in ('0 months', '0.0 months') else longer} {best}"
