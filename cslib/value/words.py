"""Sentences of the customer-value report, computed from its tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from cslib.data.drift import Drift
from cslib.data.kpi import link_to
from cslib.data.words import changed_pace
from cslib.errors import counted, listed, stretch
from cslib.show.display import Card, card_of
from cslib.show.formats import (
    FIRM,
    alike,
    format_day,
    format_interval,
    format_value,
    from_to,
    literal,
    money,
    months,
    percent,
    whole,
)
from cslib.show.result import Answer
from cslib.value.backtest import ACTIVE
from cslib.value.kpis import KPIS
from cslib.value.ltv import FORMULA_C, LONG_RUN, NEWEST, SURVIVAL, Terms

SOURCES: Final = {
    "subscriptions": "MRR from subscriptions",
    "customers": "MRR from the customers table",
    "orders": "revenue from orders",
}
STEPS: Final = {
    "churn by age": "because churn changes with age",
    "price by age": "because prices change with age",
    "later lives": "because some come back",
    "discount": "for discounting",
    "retention cost": "for retention cost",
    "acquisition cost": "for acquisition cost",
}
IN_TABLE: Final = {"later lives": "customers who come back"}
WHAT_A_CHANGE_IS: Final = (
    "These are examples of different sizes, not a ranking. Each is assumed to begin today, for all customers alike, "
    "however long they have stayed; nobody is taken to leave over higher prices. What it would cost to bring about is "
    "not counted."
)
LESS_THAN_SAID: Final = (
    "Those who leave pay less than those who stay, so less churn would add less than is said here. A report by a "
    "segment in which customers pay alike allows for that."
)
BESIDE_CHURN: Final = "The churn report gives such a miss as a share of those who left, so its percentage differs."
KEPT_OR_HERE: Final = (
    "Retention cost is spread over all the time that customers were here. In the revenue report "
    f"({link_to('revenue#What does it cost to keep and to win customers?')}) only customers who stayed "
    "the whole month share it, so it is slightly higher there."
)
LED: Final[dict[Any, tuple[str, str]]] = {
    "who leaves": ("Customers leave", ""),
    "what they pay": ("MRR per remaining customer falls", "MRR per remaining customer rises"),
    "who comes back": ("", "Some come back"),
    "gross margin": ("Only the margin counts", ""),
    "retention cost": ("Retention cost", ""),
    "discount": ("Discounting", ""),
}
BY_LEAVING: Final = (" (those who leave pay more)", " (those who leave pay less)")
CHANGES: Final = {
    "10 % less churn": "Churn down by 10 %",
    "5 % higher ARPA": "Prices up by 5 %",
    "Half the involuntary churn": "Involuntary churn halved",
}
PENDING: Final = (
    "Who left is known up to {day}: whoever stopped paying since may only pause, and counts among today's customers."
)
ADDED: Final = {"Today's customers": "base_gain", "New customer": "ltv_gain"}
JUDGED: Final = ("customers", "revenue")
NEAR: Final = 0.01  # of a value: two are the same
MUCH: Final = 0.1  # share of a value that is extrapolated: said of a segment
HOW_TO_READ_AGES: Final = (
    "The height of the line is what one customer who has stayed so long brings from then on. It rises where customers "
    "who stay leave more and more slowly, or pay more and more; of all together also where those who stay are more "
    "often of a kind that pays more."
)
OF_THIS_AGE: Final = " The numbers below count today's customers of that age."


@dataclass(frozen=True)
class Wording:
    """How far the report looks ahead, and in which money.

    Attributes
    ----------
    horizon_months
        Of value.
    currency
        Code before amounts.
    """

    horizon_months: int
    currency: str = ""

    def _money(self, value: float) -> str:
        return money(value, self.currency)

    def _in_money(self, text: str) -> str:
        return f"{self.currency} {text}".strip()

    def answer(
        self, forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, tested: pd.DataFrame, *, terms: Terms,
        source: str, standard: bool = True, found: Drift | None = None, later: bool = False, unit: str = "customer",
        added_by: str = "",
    ) -> Answer:  # fmt: skip
        """Answer "what is a customer worth, and how sure are we?" in at most four sentences, with the headline cards.

        Parameters
        ----------
        forms, base, pay, tested
            As from ``value.ltv.ltv``, ``Worth.base_value``, ``Worth.payback`` and ``value.backtest.last_year``.
        terms
            With which they were computed.
        source
            ``ValueCounts.source``.
        standard
            Whether the horizon is that of the KPIs, so that the cards are theirs.
        found
            How churn has changed, where it has.
        later
            Whether later stays of who comes back are counted.
        unit
            As from :func:`cslib.data.lives.counted_as`.
        added_by
            The column over which the value of today's customers is summed, if any.

        Returns
        -------
        Answer
            Its cards: value of a new customer, of the present ones, payback, LTV:CAC.
        """
        row = _form(forms)
        n, span = counted(int(row.n_customers), unit), months(row.horizon_months)
        if pd.notna(row.ltv):
            sure = f"95 % interval{_bracketed(row.ltv, row.ci_lower, row.ci_upper)}".replace(" (", " ").rstrip(")")
            few = "too few customers to say how sure that is"
            unsure = few if row.n_customers < FIRM else "how sure that is is not known"
            known = sure if pd.notna(row.ci_lower) else unsure
            first = f"**A new customer is worth {self._money(row.ltv)} over {span}** ({known}){_spread(forms)}."
        elif pd.notna(row.ci_lower):
            least, most = self._money(row.ci_lower), money(row.ci_upper)
            first = f"**Nobody has left yet**, so a new customer is worth between {least} and {most} over {span}."
        else:
            first = "**What a new customer is worth cannot be told**: early ages were not observed."
        present, *ahead = self._present(base).partition(" over the next ")
        last_year = _proven(tested, left_out=bool(_widened(base, tested)))
        sentences = [first, _never_back(pay, span), f"**{present}**{''.join(ahead)}.", last_year]
        subtitle = f"{n} · {SOURCES[source]} · {_terms(terms, acquisition_cost=whole(pay)['cac'].iloc[0])}"
        subtitle += " · customers who return included" * later
        pace = "as in the last 12 months" * bool(found and found.carries)
        cards = tuple(
            replace(card, noun=unit) if card.noun == KPIS["ltv"].noun else card
            for card in self._cards(forms, base, pay, pace, added_by)
        )
        cards = cards if standard else tuple(replace(card, kpi="") for card in cards)
        moved = (self._changed(found, forms),) if found else ()
        return Answer(subtitle, " ".join(filter(None, sentences)), cards, moved)

    def _changed(self, found: Drift, forms: pd.DataFrame) -> str:
        if not found.carries:
            return changed_pace(found)
        usual = _form(forms, LONG_RUN)
        if pd.isna(usual.ltv):
            return changed_pace(found)
        worth = f"{self._money(usual.ltv)}{_bracketed(usual.ltv, usual.ci_lower, usual.ci_upper)}"
        return changed_pace(found, usual=f"a new customer would be worth {worth}")

    def allowance(self, tested: pd.DataFrame, *, of: str) -> tuple[str, ...]:
        """Say how much more than its interval a forecast needs, where last year's held too seldom.

        Parameters
        ----------
        tested
            As from ``value.backtest.last_year``.
        of
            ``customers`` or ``revenue``.
        """
        allow = whole(tested)[f"allow_{of}"].dropna()
        return tuple(f"The interval was too narrow: {_allowed(share)}." for share in allow)

    def in_steps(self, tested: pd.DataFrame, *, by: str) -> tuple[str, ...]:
        """Say which two misses of last year's forecast cancel, of segments by a column, as ``last_year`` has them."""
        rows: Any = whole(tested).dropna(subset="each").itertuples()
        return tuple(f"{_weighted(row)} It expected {_paid(row.each, by)}." for row in rows)

    def by_segment(self, tested: pd.DataFrame) -> tuple[str, ...]:
        """Say by segment how far off the forecast of a year ago was, from ``value.backtest.last_year``."""
        parts: Any = list(tested[tested["segment"] != "All"].itertuples())
        told = [f"{literal(row.segment)} {_missed(row)}" for row in parts if _missed(row)]
        return (f"By segment: {'; '.join(told)}.",) if told and len(parts) > 1 else ()

    def _cards(
        self, forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, pace: str, added_by: str
    ) -> tuple[Card, ...]:
        row, now, back = _form(forms), whole(base).iloc[0], whole(pay).iloc[0]
        span = months(row.horizon_months)
        missing = "" if pd.notna(back.cac) else "acquisition cost isn't in the data"
        within = math.isfinite(back.payback_months)
        after = back.payback_months if within else None
        late = f"not within {span}" if math.isinf(back.payback_months) else missing
        earned = (back.ltv_to_cac_ci_lower, back.ltv_to_cac_ci_upper)
        sure = not within or back.ci_lower == back.ci_upper
        lower, upper = (None if sure or not math.isfinite(b) else b for b in (back.ci_lower, back.ci_upper))
        bounds = tuple(None if pd.isna(b) else b for b in (row.ci_lower, row.ci_upper))
        worth: Any = {"interval": bounds, "n": int(row.n_customers), "currency": self.currency}
        before, cost = self._money(back.ltv_before_cac), money(back.cac)
        made_of = missing or f"before acquisition cost:\n{before} / {cost}"
        late = late or f"to earn back {self._money(back.cac)}"
        whose = "\n".join(filter(None, (f"new customer, {span}", pace)))
        share = now.share_in_tail
        known = f"{percent(share)} of it extrapolated" * bool(share > 0)
        summed = f"added up by {added_by}" * bool(added_by)
        ahead = ",\n".join(filter(None, (f"the next {stretch(row.horizon_months, 'month')}", known, summed)))
        return (
            card_of(KPIS["ltv"], row.ltv, detail=whose, **worth),
            self._card("Value of today's customers", now.base_value, now, int(now.n_active), ahead),
            card_of(KPIS["payback_months"], after, interval=(lower, upper), detail=late),
            card_of(KPIS["ltv_to_cac"], back.ltv_to_cac, interval=earned, detail=made_of),
        )

    def _card(self, label: str, value: float, row: pd.Series[Any], n: int, detail: str) -> Card:
        """Make a card of an amount and the bounds in its row."""
        shown, lower, upper = (None if pd.isna(v) else float(v) for v in (value, row.ci_lower, row.ci_upper))
        return Card(label, shown, "money", lower, upper, n, self.currency, detail=detail)

    def ltv(self, forms: pd.DataFrame, pay: pd.DataFrame) -> str:
        """State when a new customer has paid back what it cost, and what it is worth; fit for a chart's title."""
        row, back = _form(forms), whole(pay).iloc[0]
        if pd.isna(row.ltv) and pd.notna(row.ci_lower):
            bounds = f"{self._money(row.ci_lower)} to {money(row.ci_upper)}"
            return f"Nobody has left yet: a new customer is worth {bounds} after {months(row.horizon_months)}"
        if pd.isna(row.ltv):
            return "What a new customer is worth cannot be told"
        worth = f"is worth {self._money(row.ltv)} after {months(row.horizon_months)}"
        if not back.cac > 0 or pd.isna(back.payback_months):
            return f"A new customer {worth}"
        if math.isinf(back.payback_months):
            return f"A new customer {worth}: the acquisition cost of {money(back.cac)} is not recovered by then"
        return f"A new customer recovers the acquisition cost in {months(back.payback_months)} and {worth}"

    def reliance(self, forms: pd.DataFrame, observed: pd.DataFrame, *, recent: bool = False) -> tuple[str, ...]:
        """Say whether newer customers differ, and how much of the value is extrapolated.

        Parameters
        ----------
        forms
            As from ``value.ltv.ltv``.
        observed
            As from ``value.ltv.observed_part``: the segments to speak of.
        recent
            Whether values rest on the last twelve months.

        Returns
        -------
        tuple of str
            Of newer customers only where they would be worth clearly more or less; of segments only where a tenth or
            more of their value is extrapolated.
        """
        known = observed.dropna(subset="still_here")
        rows = forms[(forms["method"] == SURVIVAL) & (forms["horizon_months"] == forms["horizon_months"].iloc[0])]
        main = known.merge(rows, on="segment")
        pace = "at the pace of the last 12 months " * recent
        tails = [_tail(row, pace) for row in whole(main).itertuples()]
        much = main[(main["segment"] != "All") & (main["share_in_tail"] >= MUCH)]
        rows_of: Any = much.itertuples()
        parts = [f"{percent(row.share_in_tail)} of the value of {literal(row.segment)}" for row in rows_of]
        by_segment = f"Extrapolated: {', '.join(parts)}."
        return (*self._newest(forms, observed), *tails, *([by_segment] if parts else []))

    def _newest(self, forms: pd.DataFrame, observed: pd.DataFrame) -> list[str]:
        if not whole(observed)["newest_differ"].any() or pd.isna(_form(forms).ltv):
            return []
        own, newest = _form(forms), _form(forms, NEWEST)
        pace = "more slowly" if newest.ltv > own.ltv else "faster"
        first = f"Customers who joined in the last year leave {pace} than earlier ones did at the same age."
        worth = f"{self._money(newest.ltv)}{_bracketed(newest.ltv, newest.ci_lower, newest.ci_upper)}"
        span = months(newest.horizon_months)
        return [f"{first} If new ones do so too, each is worth {worth} over {span}, not {money(own.ltv)}."]

    def forms(self, forms: pd.DataFrame) -> str:
        """Say how far the simple formula, margin over churn, is off."""
        simple, own = (_form(forms, method).ltv for method in (FORMULA_C, SURVIVAL))
        if pd.isna(simple) or pd.isna(own) or not own > 0 or math.isinf(simple):
            return ""
        both = f"{self._money(simple)} against {money(own)}"
        if abs(simple / own - 1) < NEAR:
            return f"The simple formula (C) comes to the same: {both}."
        if simple >= 2 * own:
            return f"The simple formula (C) makes value {simple / own:.1f} times as high: {both}."
        way = "overstates" if simple > own else "understates"
        return f"The simple formula (C) {way} value by {percent(abs(simple / own - 1))}: {both}."

    def bridge(self, steps: pd.DataFrame, *, most: int = 3) -> str:
        """Say why the simple formula is off: the largest steps from it to the survival form.

        Parameters
        ----------
        steps
            As from ``Worth.bridge``.
        most
            Steps named.

        Returns
        -------
        str
            Empty where nothing can be compared.
        """
        rows = whole(steps)
        if rows.empty:
            return ""
        why = [(row.difference, STEPS.get(row.step, f"because it counts {row.step}")) for row in _ranked(rows, most)]
        named = [f"{_plus(difference)} {reason}" for difference, reason in why]
        return f"What makes the difference to the simple formula: {'; '.join(named) or 'nothing'}."

    def forms_table(self, forms: pd.DataFrame) -> pd.DataFrame:
        """Write all forms of the whole at one horizon as texts: ``Form``, ``Value``, ``95 % interval``."""
        rows: Any = whole(forms).itertuples()
        each = [[row.method, _told(row.ltv), _ends(row.ltv, row.ci_lower, row.ci_upper)] for row in rows]
        return pd.DataFrame(each, columns=["Form", "Value", "95 % interval"])

    def bridge_table(self, steps: pd.DataFrame) -> pd.DataFrame:
        """Write the steps of the whole from formula C to the survival form as texts."""
        rows: Any = whole(steps).itertuples()
        differences = ["" if pd.isna(d) else _plus(d) for d in whole(steps)["difference"]]
        each = [
            [IN_TABLE.get(row.step, row.step), _told(row.value), d] for row, d in zip(rows, differences, strict=True)
        ]
        return pd.DataFrame(each, columns=["Step", "Value", "Difference"])

    def by_age(self, by_age: pd.DataFrame) -> str:
        """State what a customer of a year's standing brings, against a new one; fit for a chart's title."""
        rows = whole(by_age).dropna(subset="residual_value").set_index("age_months")
        if 0 not in rows.index:
            return "What customers bring from an age on"
        age = next((a for a in (12, 6, 3, 1) if a in rows.index), 0)
        new, later = (rows[rows.index == a].iloc[0] for a in (0, age))
        if not age:
            return f"A new customer brings {self._money(new.residual_value)}, before acquisition cost"
        brings, other = alike([later.residual_value, new.residual_value])
        brings = f"A customer who has stayed {months(age)} brings {self._in_money(brings)}"
        text = f"{brings} over the next {stretch(self.horizon_months, 'month')}, "
        chance = "" if later.differs else ": no clear difference"
        same = self._in_money(other) in brings
        return f"{text}the same as a new one" if same and chance else f"{text}a new one {other}{chance}"

    def payback(self, pay: pd.DataFrame) -> str:
        """State what a customer brings and how many times that is what it cost to win, or that it does not."""
        row, span = whole(pay).iloc[0], months(self.horizon_months)
        if pd.isna(row.cac):
            return "What it costs to win a customer is not known, so nor is payback, and values are before it."
        cost = f"Acquisition cost of {self._money(row.cac)} a customer"
        if not row.cac:
            return "Acquisition costs nothing, so there is nothing to recover."
        if pd.isna(row.payback_months):
            return f"{cost}: when it is recovered cannot be told."
        if math.isinf(row.payback_months):
            return f"{cost}: only {percent(row.ltv_to_cac)} of it is recovered within {span}."
        lower, upper = row.ltv_to_cac_ci_lower, row.ltv_to_cac_ci_upper
        interval = f" ({lower:.1f} to {upper:.1f})" * pd.notna(lower)
        brings = f"{self._money(row.ltv_before_cac)}, {row.ltv_to_cac:.1f} times"
        return f"In {span} a customer brings {brings} the {self._money(row.cac)} spent to win them{interval}."

    def slow_starts(self, slow: pd.DataFrame, *, segments: list[str]) -> tuple[str, ...]:
        """Say why acquisition cost is recovered later than ARPA suggests, from ``value.first_price.slow_starts``."""
        rows: Any = slow[slow["segment"].isin(segments)].reset_index(drop=True).itertuples()
        each = [
            f"{_plain(r.first)}{'' if r.Index else ' a month'} against {_plain(r.arpa)}"
            f"{f' ({literal(r.segment)})' if len(segments) > 1 else ''}"
            for r in rows
        ]
        why = "because new customers pay less at first than those of today do"
        text = f"Acquisition cost is recovered later than today's ARPA suggests, {why}"
        return (f"{text}: {self._in_money(listed(each))}.",) if each else ()

    def payback_table(self, pay: pd.DataFrame, forms: pd.DataFrame, *, segments: list[str]) -> pd.DataFrame:
        """Write by segment what a customer is worth, costs and brings back: texts, one row per segment."""
        main = forms[(forms["method"] == SURVIVAL) & (forms["horizon_months"] == forms["horizon_months"].iloc[0])]
        rows = pay[pay["segment"].isin(segments)].merge(main, on="segment", suffixes=("", "_value"))
        each: Any = rows.itertuples()
        ratios = rows["ltv_to_cac"].map(lambda ratio: "not known" if pd.isna(ratio) else format_value(ratio, "times"))
        ends = zip(rows["ltv_to_cac_ci_lower"], rows["ltv_to_cac_ci_upper"], rows["ltv_to_cac"], strict=True)
        bounds = [format_interval(lower, upper, "times", value=value) for lower, upper, value in ends]
        columns: dict[str, Any] = {
            "Segment": rows["segment"],
            "Value": _column(rows["ltv"]),
            "95 % interval": _interval_column(rows["ltv"], rows["ci_lower_value"], rows["ci_upper_value"]),
            "Acquisition cost": _column(rows["cac"]),
            "Recovered in": [_recovered(row) for row in each],
            "LTV:CAC": ratios,
            "LTV:CAC, 95 % interval": bounds,
        }
        return pd.DataFrame(columns)

    def _present(self, base: pd.DataFrame, *, paying: str = "") -> str:
        row = whole(base).iloc[0]
        if not row.n_active:
            return "Nobody is a customer today"
        one, many = ("The one customer of today", "s"), (f"Today's {int(row.n_active):,} customers", "")
        who, s = one if row.n_active == 1 else many
        who = f"{who}{f' pay{s} {paying} a month and' if paying else ''} bring{s}"
        span = stretch(row.horizon_months, "month")
        if pd.isna(row.base_value):
            known = f" between {self._money(row.ci_lower)} and {money(row.ci_upper)}" * pd.notna(row.ci_lower)
            return f"{who}{known or ' an amount that cannot be told'} over the next {span}"
        interval = _bracketed(row.base_value, row.ci_lower, row.ci_upper)
        return f"{who} {self._money(row.base_value)} over the next {span}{interval}"

    def apart(self, added_by: str, by: str) -> tuple[str, ...]:
        """Say why the segments of a table need not add up to all customers, where these are no sum of theirs.

        Parameters
        ----------
        added_by
            The column over which all customers are summed; empty: they are one group.
        by
            The column of the segments; empty: there are none.
        """
        if not by or by == added_by:
            return ()
        how = f"added up by {added_by}, and so are those of each {by}" if added_by else "taken as one group"
        return (f"All customers are {how}, so the rows need not add up to all.",)

    def base(self, base: pd.DataFrame, tested: pd.DataFrame) -> tuple[str, ...]:
        """State what present customers pay and will bring, how much is extrapolated, and what the interval leaves out.

        Parameters
        ----------
        base, tested
            As from ``Worth.base_value`` and ``value.backtest.last_year``.
        """
        share, mrr = whole(base)[["share_in_tail", "mrr"]].iloc[0]
        said = f"{self._present(base, paying='' if pd.isna(mrr) else self._money(mrr))}."
        unseen = "of it comes from ages that few customers have reached so far, and is extrapolated"
        return tuple(filter(None, (said, f"{percent(share)} {unseen}." * bool(share > 0), self._as_sure(base, tested))))

    def _as_sure(self, base: pd.DataFrame, tested: pd.DataFrame) -> str:
        """Say whether the interval of money allows for what last year's forecast missed by more than its own."""
        for lower, upper in _widened(base, tested):
            miss = "Last year's forecast missed revenue by more than its interval said"
            if math.isinf(upper):
                return f"{miss}, and in some months by more than the amount itself."
            ends = _ends(whole(base)["base_value"].iloc[0], lower, upper)
            return f"{miss}: to allow for as much, count on {self._in_money(ends)}."
        for _, row in whole(tested).iterrows():
            if pd.notna(row.allow_customers) and pd.isna(row.allow_revenue) and pd.notna(row.revenue):
                miss = "Last year's forecast missed customers by more than its interval said"
                held = "but revenue mostly lay within it, so the interval of the value is not widened."
                return f"{miss}, {held}{_off_by_segment(tested)}"
        return ""

    def steps_table(self, base: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
        """Lead from MRR of today to the value of today's customers: texts, one row per step that makes a difference.

        Parameters
        ----------
        base, steps
            As from ``Worth.base_value`` and ``Worth.base_steps``.

        Returns
        -------
        pandas.DataFrame
            ``Step``, ``Amount``; empty where a step is not known.
        """
        row, made = whole(base).iloc[0], whole(steps)["difference"].round()
        if made.isna().any() or not made.iloc[0]:
            return pd.DataFrame(columns=["Step", "Amount"])
        each: Any = whole(steps).assign(difference=made).iloc[1:].itertuples()
        first = [f"{self._money(row.mrr)} a month × {months(row.horizon_months)}", money(made.iloc[0])]
        told = [[_reason(r), _plus(r.difference)] for r in each if r.difference]
        rows = [first, *told, ["Value of today's customers", money(row.base_value)]]
        return pd.DataFrame(rows, columns=["Step", "Amount"])

    def base_table(self, base: pd.DataFrame, *, segments: list[str]) -> pd.DataFrame:
        """Write by segment what present customers bring: texts, one row per segment."""
        rows = base[base["segment"].isin(segments)]
        columns: dict[str, Any] = {
            "Segment": rows["segment"],
            "Customers": rows["n_active"].map("{:,}".format),
            "MRR": _column(rows["mrr"]),
            "Value": _column(rows["base_value"]),
            "95 % interval": _interval_column(rows["base_value"], rows["ci_lower"], rows["ci_upper"]),
            "Extrapolated": rows["share_in_tail"].map(lambda share: percent(share) if share > 0 else ""),
        }
        return pd.DataFrame(columns).reset_index(drop=True)

    def rise(self, each: float, *, by: str) -> str:
        """Say that last year's forecast expected more from customers of one segment than they paid."""
        paid = f"last year's forecast expected {_paid(each, by)}"
        return f"Take the rise of MRR per customer with care: {paid}."

    def what_if(self, changes: pd.DataFrame, *, here: bool = True) -> str:
        """State what the changes would add to the value of today's customers: of several, from the least to the most.

        Parameters
        ----------
        changes
            As from ``Worth.what_if``.
        here
            Whether anybody is a customer today.

        Returns
        -------
        str
            Where they add nothing to that, or it is not known, also what they would add to the value of a new customer.
        """
        today, new = (whole(changes)[of].dropna() for of in ADDED.values())
        if today.any():
            return f"{self._added(today)} to what today's customers bring over {months(self.horizon_months)}."
        if not new.any():
            return f"{'What a change would add cannot be told' if today.empty else 'No change would add anything'}."
        why = "None of the changes would add anything to what today's customers bring"
        if not here:
            why = "Nobody is a customer today"
        elif today.empty:
            why = "What a change would add to what today's customers bring cannot be told"
        added = self._added(new)
        added = f"{added[0].lower()}{added[1:]}"
        return f"{why}; {added} to what a new customer brings over {months(self.horizon_months)}."

    def _added(self, gains: pd.Series[float]) -> str:
        least, most = alike([gains.min(), gains.max()])
        added = self._in_money(most if least == most else from_to(least, most))
        return f"{'Each change below' if len(gains) > 1 else 'The change below'} would add {added}"

    def gains(self, changes: pd.DataFrame, *, segments: list[str]) -> pd.DataFrame:
        """Write what each change would add: texts, one row for whom it is added to and segment, one column per change.

        Returns
        -------
        pandas.DataFrame
            ``Added to``, ``Segment``, and the changes of which something is known, each amount with its interval in
            brackets. No rows where none is known to add anything.
        """
        rows, blocks = changes[changes["segment"].isin(segments)], []
        known = rows[rows[[*ADDED.values()]].notna().any(axis=1)]
        rows = rows[rows["change"].isin(known["change"])]
        for who, of in ADDED.items():
            told = rows.assign(told=_gain(rows, of)).pivot(index="segment", columns="change", values="told")
            told = told.reindex(index=[s for s in segments if s in told.index]).rename_axis("Segment").reset_index()
            blocks.append(told.assign(**{"Added to": who}))
        table = pd.concat(blocks, ignore_index=True).rename(columns=CHANGES).fillna("not known")
        table = table[["Added to", "Segment", *(c for c in CHANGES.values() if c in table)]]
        return table if known[[*ADDED.values()]].fillna(0.0).to_numpy().any() else table.head(0)

    def backtest(self, tested: pd.DataFrame, *, measure: str) -> str:
        """State how a forecast made a year ago compares with what happened; fit for a chart's title.

        Parameters
        ----------
        tested
            As from ``value.backtest.backtest``.
        measure
            One of its measures.
        """
        last = whole(tested)[whole(tested)["measure"] == measure].dropna(subset="actual").iloc[-1]
        if pd.isna(last.predicted):
            return f"A year ago {measure} could not be foretold: of all or of a segment nobody had left by then"
        count, day = measure == ACTIVE, format_day(str(last.month)[:10])
        write = _counted if count else money
        word = ("few", "many") if count else ("little", "much")
        same = write(last.predicted) == write(last.actual)
        known = math.isfinite(last.error) and not same
        miss = f", {percent(abs(last.error))} too {word[int(last.error > 0)]}" if known else ""
        when = f"{'in the month to' if measure == 'revenue' else 'on'} {day}"
        stayed = f"{_counted(last.actual)} {'was' if last.actual == 1 else 'were'} still here on {day}"
        brought = f"of the customers of a year ago, {stayed}"
        if not count:
            brought = f"the customers of a year ago brought {self._money(last.actual)} of {measure} {when}"
        foretold = f"the forecast said {write(last.predicted)}{miss}"
        return f"{brought[0].upper()}{brought[1:]}; {foretold}"

    def plotted(self, tested: pd.DataFrame, *, measure: str) -> str:
        """Say what is drawn of a forecast made a year ago, and in how many months its interval held that."""
        rows = whole(tested)[whole(tested)["measure"] == measure].dropna(subset=["predicted", "actual"])
        plotted = "Customers of a year ago: the forecast from what was known then, and what happened. "
        plotted += "Band: 95 % interval"
        each: Any = rows.tail(1).itertuples()
        held = [f"{last.n_held} of {counted(last.months_ahead, 'month')}" for last in each]
        inside = f"; what happened lies inside it in {''.join(held)}" * bool(held)
        return f"{plotted}{inside}."


def _plain(price: float) -> str:
    """Write a price in whole money where that tells enough."""
    return money(round(price) if price >= 10 else price)


def _bracketed(value: float, lower: float, upper: float) -> str:
    """Write the interval of an amount in brackets; where a bound is not known it is left out."""
    if pd.isna(lower):
        return ""
    return f" ({money(lower)} or more)" if pd.isna(upper) else f" ({_ends(value, lower, upper)})"


def _form(forms: pd.DataFrame, method: str = SURVIVAL) -> pd.Series[Any]:
    """Take one form of the whole at the main horizon, which comes first."""
    return forms[(forms["segment"] == "All") & (forms["method"] == method)].iloc[0]


def _spread(forms: pd.DataFrame) -> str:
    """Name the segments that are worth least and most, where there are several and all lies between them."""
    main = forms[(forms["method"] == SURVIVAL) & (forms["horizon_months"] == forms["horizon_months"].iloc[0])]
    parts = main[main["segment"] != "All"].dropna(subset="ltv").sort_values("ltv", kind="stable")
    if len(parts) < 2 or len(parts) < (main["segment"] != "All").sum():
        return ""
    least, most = parts.iloc[0], parts.iloc[-1]
    low, high = alike([least.ltv, most.ltv])
    value = main.loc[main["segment"] == "All", "ltv"].iloc[0]
    inside = least.ltv <= value <= most.ltv or money(value) in (low, high)
    if low == high or not inside:
        return ""
    return f", from {low} ({literal(least.segment)}) to {high} ({literal(most.segment)})"


def _terms(terms: Terms, *, acquisition_cost: float) -> str:
    """Say what is taken off."""
    known = {"acquisition": acquisition_cost, "retention": terms.costs.retention_per_month}
    off, left = ([k for k, v in known.items() if pd.isna(v) == missing] for missing in (False, True))
    texts = [f"net of {' and '.join(off)} cost"] * bool(off)
    texts += [f"before {' and '.join(left)} cost, which isn't in the data"] * bool(left)
    discount = f"discounted at {100 * terms.annual_discount_rate:g} % a year"
    rate = [discount] * bool(terms.annual_discount_rate)
    margin = "all revenue as margin" if terms.gross_margin == 1 else f"margin {100 * terms.gross_margin:g} %"
    return ", ".join([margin, *rate, *texts])


def _never_back(pay: pd.DataFrame, span: str) -> str:
    """Say that acquisition cost is not recovered, where it is not: when it is stands on a card."""
    row = whole(pay).iloc[0]
    return f"Acquisition cost is not recovered within {span}." if row.cac and math.isinf(row.payback_months) else ""


def _proven(tested: pd.DataFrame, *, left_out: bool) -> str:
    """Say how far off the forecast of a year ago was, and whether intervals leave that out."""
    rows: Any = list(whole(tested).itertuples())
    if not rows or not _missed(rows[0]):
        return ""
    missed = _missed(rows[0]) if pd.isna(rows[0].each) else _cancelled(rows[0])
    return f"Last year's forecast was {missed}{'; the intervals do not allow for that' * left_out}."


def _off_by_segment(tested: pd.DataFrame) -> str:
    """Say how far off revenue was of single segments, where that is more than of all."""
    off = tested.set_index("segment")["revenue"].abs()
    most = off.drop("All").replace(math.inf, math.nan).max()
    return f" Of single segments it was off by up to {percent(most)}." if most > off["All"] else ""


def _widened(base: pd.DataFrame, tested: pd.DataFrame) -> list[tuple[float, float]]:
    """Give the interval of the value of all with last year's miss of revenue, where its own leaves that out."""
    row, ends = whole(base).iloc[0], []
    for share in whole(tested)["allow_revenue"].dropna():
        miss = share * abs(row.base_value)
        lower, upper = (min(row.ci_lower, row.base_value - miss), max(row.ci_upper, row.base_value + miss))
        ends += [(lower, upper)] * bool(lower < row.ci_lower or upper > row.ci_upper)
    return ends


def _cancelled(row: Any) -> str:
    """Name what is left of two errors that nearly cancel, and in words which they are: the section has the shares."""
    high = row.customers > 0
    by_mix = math.log1p(row.weighted) - math.log1p(row.customers)  # who of them: the rest is what each pays
    if abs(by_mix) > abs(math.log1p(row.each)) or (row.each > 0) == high:
        return f"{_off(row.revenue, 'revenue')} and {_off(row.customers, 'customers')}, mostly on those who pay little"
    two = f"too {'many' if high else 'few'} customers and too {'little' if high else 'much'} from each"
    return f"{_off(row.revenue, 'revenue')}, as two misses largely cancel: it expected {two}"


def _weighted(row: Any) -> str:
    """Say how far off customers were by what they pay, and why that is another share than of their number."""
    little, same_way = abs(row.weighted) < abs(row.customers), row.weighted * row.customers > 0
    why = f", as those it missed pay {'less' if little else 'more'} than others" * bool(same_way)
    only = "only " * bool(little and same_way)
    return f"Weighted by what they pay, the forecast was {only}{_off(row.weighted, 'customers')}{why}."


def _paid(error: float, by: str) -> str:
    than = f"{percent(abs(error))} {'more' if error > 0 else 'less'} than they did"
    return f"customers of the same {by} to pay {than}"


def _missed(row: Any) -> str:
    return " and ".join(_off(getattr(row, name), name) for name in JUDGED if pd.notna(getattr(row, name)))


def _off(error: float, name: str) -> str:
    size = "far" if math.isinf(error) else percent(abs(error))
    return f"{size} too {'high' if error > 0 else 'low'} on {name}" if error else f"right on {name}"


def _allowed(share: float) -> str:
    beyond = "in some months the forecast was off by more than the amount itself"
    return beyond if math.isinf(share) else f"allow for about ±{100 * share:.0f} %"


def _tail(row: Any, pace: str) -> str:
    last, span = months(row.last_age_months), months(row.horizon_months)
    if pd.isna(row.ltv):
        bounds = f"{money(row.ci_lower)} to {money(row.ci_upper)}"
        return f"After {last} nothing is observed and nobody has left: over {span} a customer is worth {bounds}."
    stay = f"We can follow enough customers for {last}: {pace}{percent(row.still_here)} of them stay longer."
    if not row.share_in_tail > 0:
        return f"{stay} All of the value over {span} is observed."
    return f"{stay} Of the value over {span}, {percent(row.share_in_tail)} comes after that and is extrapolated."


def _plus(value: float) -> str:
    return f"{'+' if value > 0 else ''}{money(value)}"


def _ranked(rows: pd.DataFrame, most: int) -> list[pd.Series[Any]]:
    """Take the rows of the first ranks, as far as there are so many."""
    return [rows[rows["rank"] == place].iloc[0] for place in range(1, most + 1) if (rows["rank"] == place).any()]


def _recovered(row: Any) -> str:
    after, lower, upper = row.payback_months, row.ci_lower, row.ci_upper
    if not math.isfinite(after):
        return "not recovered" if math.isinf(after) else "not known"
    if pd.isna(lower) or lower == upper:
        return months(after)
    ends = f"{lower:.0f} or more" if math.isinf(upper) else from_to(f"{lower:.0f}", f"{upper:.0f}")
    return f"{months(after)} ({ends})"


def _column(values: pd.Series[float]) -> list[str]:
    """Write amounts below one another."""
    return ["not known" if text == "not measured" else text for text in alike(values)]


def _gain(rows: pd.DataFrame, of: str) -> pd.Series[str]:
    """Write what changes add, in one scale and from 10 on in whole money, with their intervals."""
    known = rows[of].notna()  # an interval alone moves the scale of no other row
    return pd.concat([pd.Series(_amounts(own, of), own.index, str) for own in (rows[known], rows[~known])])


def _amounts(rows: pd.DataFrame, of: str) -> list[str]:
    known = rows[[of, f"{of}_ci_lower", f"{of}_ci_upper"]]
    gains, lower, upper = (own for _, own in known.mask(known.abs() >= 10, known.round()).items())
    each = zip(gains, _column(gains), _interval_column(gains, lower, upper), strict=True)
    return [f"{'+' * (gain > 0)}{text}{f' ({end})' if end else ''}" for gain, text, end in each]


def _interval_column(values: pd.Series[float], lower: pd.Series[float], upper: pd.Series[float]) -> list[str]:
    """Write intervals below one another; empty where an end is not known."""
    beside = values.fillna(lower)
    ends = zip(alike(lower, beside=beside), alike(upper, beside=beside), strict=True)
    known = lower.notna() & upper.notna()
    return [from_to(*both) if k else "" for both, k in zip(ends, known, strict=True)]


def _told(value: float) -> str:
    return "not known" if pd.isna(value) else money(value)


def _ends(value: float, lower: float, upper: float) -> str:
    return format_interval(lower, upper, "money", value=value)


def _reason(row: Any) -> str:
    way = int(row.difference > 0)
    return f"{LED[row.step][way]}{BY_LEAVING[way] if row.by_leaving else ''}"


def _counted(n: float) -> str:
    return f"{n:,.0f}"
