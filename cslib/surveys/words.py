"""Sentences of the survey report: how customers feel, where it differs, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from cslib.errors import counted, listed
from cslib.show.charts import cohort_label
from cslib.show.display import Card, card_of
from cslib.show.formats import between, format_value, p_value, percent
from cslib.surveys.kpis import KPIS
from cslib.surveys.scores import extremes, strongest
from cslib.surveys.stakes import Landmark

UNSEEN: Final = "only answers are in the data, so the response rate is not known"
MOST: Final = 4  # segments named in a sentence
HOW_TO_READ_SCORES: Final = (
    "Each bar holds all answers of a segment. The line at the right is the 95 % interval of its score: where two "
    "intervals overlap widely, the difference may be chance. What is called more than chance allows for all "
    "comparisons made."
)
HOW_TO_READ_LANDMARK: Final = (
    "Everyone here had been asked before the day on which the lines begin, and was a customer on it. Answers given "
    "later do not count, so that no group has had to survive in order to answer."
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
    """

    survey: str
    currency: str = ""

    @property
    def label(self) -> str:
        """Name of the survey for readers."""
        return self.survey.upper()

    def subtitle(self, whole: pd.Series[Any], window: object) -> str:
        """Say in one line who was asked, when, and how many answered; from the row of the whole."""
        if pd.isna(whole.response_rate):
            return f"{counted(int(whole.n_responses), f'{self.label} answer')} from {window} · {UNSEEN}"
        of = f"{whole.n_responses:,} of {whole.n_invited:,} customers"
        return f"{of} asked for {self.label} from {window} answered ({percent(whole.response_rate)})"

    def answer(self, scored: pd.DataFrame, moved: pd.Series[Any] | None, stakes: pd.DataFrame) -> str:
        """Answer "how do customers feel, where, and what does it cost?" in at most four sentences.

        Parameters
        ----------
        scored, moved, stakes
            As from ``surveys.scores.scores``; the first row of ``surveys.change.change``, None where there is nothing
            to compare with; as from ``surveys.stakes.money_at_stake``. All with ``clear``, from
            ``surveys.scores.judged``.

        Returns
        -------
        str
        """
        whole = scored.iloc[0]
        interval = self._span(whole.ci_lower, whole.ci_upper)
        found = interval if interval == "no interval" else f"95 % interval {interval}"
        answers = counted(int(whole.n_responses), "answer")
        first = f"**{self.label} is {self._score(whole[self.survey])}** ({found}, {answers})."
        change = f"{self.change(moved)}." if moved is not None else ""
        return " ".join(filter(None, [first, self._where(scored), change, _lost(stakes)]))

    def _where(self, scored: pd.DataFrame) -> str:
        if scored["p_adjusted"].isna().all():
            return ""
        row = strongest(scored, "contribution")
        if row is None:
            return "No segment differs from the others by more than chance."
        return f"**{_named(row)} stands out** with {self._score(row[self.survey])}, more than chance."

    def cards(
        self, whole: pd.Series[Any], unit: str, moved: pd.Series[Any] | None, stakes: pd.DataFrame, *, window: object
    ) -> tuple[Card, ...]:
        """Make the headline cards: score, response rate, change, money at stake."""
        ends, n = (whole.ci_lower, whole.ci_upper), int(whole.n_responses)
        score = Card(self.label, whole[self.survey], unit, *ends, n, detail=f"asked {window}")
        rate, ends = whole.response_rate, (whole.response_ci_lower, whole.response_ci_upper)
        detail = UNSEEN if pd.isna(rate) else f"{whole.n_responses:,} of {whole.n_invited:,} asked {window}"
        cards = [score, Card("Response rate", rate, "percent", *ends, detail=detail)]
        if moved is not None:
            kind, n = "points" if self.survey == "csat" else "number", int(moved.n_before + moved.n_now)
            noise = "more than noise" if moved.clear else "within noise"
            ends = (moved.ci_lower, moved.ci_upper)
            cards.append(Card("Change on the window before", moved.change, kind, *ends, n, detail=noise))
        clear = _clear(stakes)
        dear = clear[clear["money_ci_lower"] > 0].sort_values("money_at_stake", ascending=False, kind="stable")
        for _, row in dear.head(1).iterrows():
            label, ends = f"At stake over 12 months: {row.group}", (row.money_ci_lower, row.money_ci_upper)
            cards.append(Card(label, row.money_at_stake, "money", *ends, int(row.n_today), self.currency))
        return tuple(cards)

    def quarter(self, rows: pd.DataFrame) -> tuple[Card, ...]:
        """Make the cards of the KPIs over the last quarter, as on the scorecard, from ``kpis.of_the_quarter``."""
        each: list[Any] = list(rows.itertuples())
        told = {row.kpi: f"3 months to {row.until:%B %Y}, as on the scorecard" for row in each}
        made = [
            card_of(KPIS[r.kpi], r.value, interval=(r.ci_lower, r.ci_upper), n=int(r.n), detail=told[r.kpi])
            for r in each
        ]
        return tuple(replace(card, label=f"{card.label}, last quarter") for card in made)

    def change(self, moved: pd.Series[Any] | None) -> str:
        """Say how the score moved against the window before, and whether that is more than noise."""
        if moved is None:
            return "There are no answers to compare with"
        went = f"It went from {self._score(moved.score_before)} to {self._score(moved.score_now)}"
        if pd.isna(moved.p_value):
            return f"{went}; too few answers tell whether that is more than noise"
        if moved.clear:
            direction = "up" if moved.change > 0 else "down"
            return f"It is {direction} {self._points(moved.change)} on the window before, more than noise"
        return f"{went} since the window before, no more than noise (p {p_value(moved.p_value)})"

    def segments(self, scored: pd.DataFrame) -> str:
        """State where the score differs: the best against the worst segment, and whether any differs clearly."""
        ends = extremes(scored, self.survey)
        if ends.empty:
            return f"{self.label} is {self._score(scored[self.survey].iloc[0])}"
        each = (f"{self._score(row[self.survey])} for {row.segment}" for _, row in ends.iterrows())
        text = f"{self.label} is {', '.join(each)}"
        return text if scored["clear"].any() else f"{text}: no clear difference"

    def clear(self, tested: pd.DataFrame) -> tuple[str, ...]:
        """Say where the score is clearly different, and where it only looks so, from ``surveys.scores.comparisons``."""
        result, many = [], counted(len(tested), "comparison")
        if tested["clear"].any():
            result.append(f"**Clearly different from the other answers**: {self._list(tested[tested['clear']])}.")
        elif len(tested):
            result.append(f"Of {many}, none shows a clear difference.")
        if tested["looks"].any():
            named = self._list(tested[tested["looks"]])
            result.append(f"**Only looks different**: {named}; with {many}, chance alone does as much.")
        return tuple(result)

    def _list(self, rows: pd.DataFrame) -> str:
        first = [row for _, row in rows.head(MOST).iterrows()]
        names = [f"{_named(row)} by {self._signed(row.difference_from_rest)}" for row in first]
        return ", ".join(names) + (f" and {len(rows) - MOST} more" if len(rows) > MOST else "")

    def distribution(self, given: pd.DataFrame) -> str:
        """State which answer is the most frequent, and how many gave each group."""
        top, shares = given.iloc[int(given["n"].argmax())], given.groupby("group", sort=False)["share"].sum()
        groups = ", ".join(f"{percent(share)} {name}" for name, share in shares[::-1].items())
        return f"{self.label}: most answered {top.score} ({percent(top.share)}); {groups}"

    def trend(self, last: pd.Series[Any] | None, period: str) -> str:
        """State the last period against all before it, and whether the difference is more than noise."""
        if last is None:
            return f"Too few {period}s to tell a trend"
        noise = "more than noise" if last.clear else "no more than noise"
        earlier = f"against {self._score(last.before)} in the {counted(last.n_before, period)} before"
        return f"{cohort_label(last.period, period)}: {self._score(last[self.survey])}, {earlier}: {noise}"

    def needed(self, answers: int, difference: float) -> str:
        """Say how many answers it takes to see a change.

        Examples
        --------
        >>> Words("nps").needed(3223, 5.0)
        'To see a change of 5 points four times of five takes about 3,220 answers in each window.'
        """
        if not answers:
            return "All answers are alike, so it cannot be told how many it takes to see a change."
        change = {"nps": f"{difference:g} points", "csat": f"{100 * difference:g} points"}
        rounded = round(answers, -max(len(str(answers)) - 3, 0))
        seen = f"To see a change of {change.get(self.survey, f'{difference:g}')} four times of five"
        return f"{seen} takes about {rounded:,} answers in each window."

    def silence(self, moves: Mapping[str, float]) -> str:
        """State what weighting to all who were asked does to the score, from ``surveys.change.silence_moves``."""
        if not moves:
            return "Nothing is known of those who did not answer"
        lowest, highest, shift = self._score(moves["lowest"]), self._score(moves["highest"]), moves["shift"]
        could = f"had all the silent answered alike, it could be {lowest} to {highest}"
        if pd.isna(shift):
            return f"No column tells who is silent; {could}"
        if self._points(shift) == self._points(0):
            return f"Who stayed silent does not show in the score; {could}"
        direction = "lower" if shift < 0 else "higher"
        return f"Weighted to all who were asked, the score is {self._points(shift)} {direction}; {could}"

    def drivers(self, clear: pd.DataFrame) -> str:
        """State which level moves the score most; from the rows that do by more than chance, the largest first."""
        if clear.empty:
            return "No column moves the score by more than chance"
        row = clear.iloc[0]
        return f"{_named(row)}: {percent(row.share)} of answers, {self._signed(row.difference)} against the others"

    def followed(self, landmark: Landmark) -> str:
        """Say whom the lines of survival after an answer are about."""
        whose = f"of customers of {landmark.day:%-d %B %Y}, by their last answer to invitations from {landmark.window}"
        return f"Share still here, {whose}. Bands: 95 % intervals."

    def money(self, stakes: pd.DataFrame) -> str:
        """State what follows an answer: who stays how long, against the best group."""
        best, row = stakes["group"].iloc[0], strongest(stakes.iloc[1:-1], "rmst_difference_months")
        if row is None:
            return f"No group leaves at a clearly other rate than {best}"
        text = f"{_who(row.group)} stay {_months_apart(row)} of the next 12 than {best}"
        if not row.money_ci_lower > 0:
            return text
        return f"{text}: {format_value(row.money_at_stake, 'money', self.currency)} at stake"

    def stays(self, stakes: pd.DataFrame) -> tuple[str, ...]:
        """Say of each group how it stays against the best, and what that is worth."""
        return tuple(self._stay(row, stakes["group"].iloc[0]) for _, row in stakes.iloc[1:-1].iterrows())

    def alike(self, landmark: Landmark, stakes: pd.DataFrame) -> tuple[str, ...]:
        """Say among whom groups are compared, and what they differ by where that is not done."""
        if not landmark.columns:
            return ()
        columns = listed(landmark.columns)
        who = f"Months and money compare customers alike in {columns}, as far as there are five of either group"
        raw = "; ".join(self._raw(row) for _, row in stakes.iloc[1:-1].iterrows())
        return (f"{who}. The lines do not, by which the months and money would be: {raw}.",)

    def _raw(self, row: pd.Series[Any]) -> str:
        less = "less" if row.raw_rmst_difference_months < 0 else "more"
        text = f"{_who(row.group)} {format_value(abs(row.raw_rmst_difference_months), 'months')} {less}"
        if pd.isna(row.raw_money_at_stake):
            return text
        return f"{text} ({format_value(row.raw_money_at_stake, 'money', self.currency)})"

    def _stay(self, row: pd.Series[Any], best: str) -> str:
        span = f"{row.rmst_difference_ci_lower:.1f} to {row.rmst_difference_ci_upper:.1f}".replace("-", "−")
        who = f"**{_who(row.group)}** ({row.n:,} customers, {row.n_churned:,} left)"
        chance = "more than chance" if row.clear else "which could be chance"
        interval = f"95 % interval of the difference {span}"
        text = f"{who} stayed {_months_apart(row)} than {best} ({interval}), {chance}."
        if row.clear and pd.notna(row.hazard_ratio):
            text += f" At the same age they left at {row.hazard_ratio:.2g} times the rate."
        if not (row.clear and row.money_ci_lower > 0):
            return text
        columns = ("money_at_stake", "money_ci_lower", "money_ci_upper")
        money, *ends = (format_value(row[c], "money", self.currency) for c in columns)
        more = f"they would bring {money} more ({' to '.join(ends)})"
        return f"{text} Would the {row.n_today:,} of today stay like {best}, {more}."

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
        return f"{size:.2f}" if self.survey == "ces" else f"{size:.1f} points"

    def _signed(self, value: float) -> str:
        return ("+" if value >= 0 else "−") + self._points(value)


def _named(row: pd.Series[Any]) -> str:
    return f"{row.segment} ({row.segment_by})"


def _clear(stakes: pd.DataFrame) -> pd.DataFrame:
    """Keep the groups that leave at another rate than the best, the first, by more than chance."""
    others = stakes.iloc[1:-1]
    return others[others["clear"]]


def _lost(stakes: pd.DataFrame) -> str:
    rows = _clear(stakes).sort_values("rmst_difference_months", kind="stable")
    if rows.empty or not rows["rmst_difference_months"].iloc[0] < 0:
        return ""
    who, apart = _who(rows["group"].iloc[0]), _months_apart(rows.iloc[0])
    return f"{who} stayed {apart} of the following 12 months than {stakes['group'].iloc[0]}."


def _who(group: str) -> str:
    return "Those who did not answer" if group == "no answer" else group.capitalize()


def _months_apart(row: pd.Series[Any]) -> str:
    months = format_value(abs(row.rmst_difference_months), "months")
    return f"{months} {'less' if row.rmst_difference_months < 0 else 'more'}"
