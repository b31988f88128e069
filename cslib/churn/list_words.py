"""Sentences on whom to call first, from the list of :func:`cslib.churn.at_risk.at_risk`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from cslib.churn.reason_words import named
from cslib.churn.words import MOST_SHARES, Said, Wording
from cslib.data.words import expected_loss
from cslib.errors import counted, listed, stretch
from cslib.show.formats import as_many, literal, money, months, percent

A_REASON: Final = (
    "A reason to call is something that happened: they stopped using the product, gave a low score, or opened tickets. "
    "{used} “Stopped using it” means no use for at least 30 days, and for three times as long as their usual pause."
)
SCALED: Final = "Risks are scaled so that they add up to the forecast."
UNUSED: Final = "The risk of leaving does not use these signs."
WORK_LIST: Final = {
    "customer_id": "Customer", "reason": "Reasons to call", "money_at_risk": "Expected loss", "p_churn": "Risk",
    "mrr": "MRR", "tenure_months": "Months here", "last_used_on": "Last used", "last_answer": "Last answer",
}  # fmt: skip
Row = Any  # the few figures that a sentence needs


@dataclass(frozen=True)
class Order:
    """What the list's order rests on.

    Attributes
    ----------
    concordance, tells_apart, within, alike_within
        Of ``DriverModel``.
    by_risk
        Whether customers are in order of risk.
    shares
        Mean risk by value of ``alike_within``, where customers of one value count alike; else empty.
    times
        As from :func:`cslib.churn.foretold.times_as_fast`; empty where nobody listed gives one of these reasons.
    raised
        Like ``shares``, of those who give one.
    telling, n_telling, mrr_telling
        Kinds of reasons that alone foretold leaving, how many of the list give one, and what these pay a month.
    scaled
        Whether risks are scaled to add up to the forecast.
    """

    concordance: float = math.nan
    tells_apart: bool = True
    within: float = math.nan
    alike_within: str = ""
    by_risk: bool = True
    shares: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=float))
    times: Mapping[str, float] = field(default_factory=dict)
    raised: pd.Series[float] = field(default_factory=lambda: pd.Series(dtype=float))
    telling: Sequence[str] = ()
    n_telling: int = 0
    mrr_telling: float = math.nan
    scaled: bool = False


def said(say: Wording, stakes: Row, order: Order, *, horizon_months: int, others: bool = False) -> Said:
    """State who comes first and what they pay, in which order the others are, and how much is at risk.

    Parameters
    ----------
    say
        Of whom the report speaks, and in which money.
    stakes
        As from :func:`cslib.churn.at_risk.stakes`.
    order
        What the list's order rests on.
    horizon_months
        Of the risks.
    others
        Whether those listed are others than the report is about.
    """
    if not stakes.n_customers:
        return Said("Nobody is a customer today, so there is nobody to call")
    come = f" and come{'s' * (stakes.n_reasons == 1)} first"
    first = _reasons(stakes, say.currency, come) if stakes.n_reasons else ""
    first = _led(order, say.currency) if order.n_telling else first
    title, *rest = filter(None, [first, _at_stake(say, stakes, horizon_months)])
    before, how = _ordered(say.segment[0], stakes, order, horizon_months)
    before = (_listed(say, stakes) if others else "", _next(stakes, order), " ".join(filter(None, before)))
    used = f"Of these, the risk of leaving uses {named([*order.times])} alone." if order.times else UNUSED
    how = " ".join(filter(None, [how, SCALED * order.scaled, A_REASON.format(used=used)]))
    return Said(title, notes=tuple(f"{text}." for text in rest), before=tuple(filter(None, before)), how_to_read=how)


def call(say: Wording, stakes: Row) -> str:
    """Say how many give a reason to call, and what they pay, as part of an answer; empty where nobody does."""
    if not stakes.n_reasons:
        return ""
    reasons, *paid = f"{_reasons(stakes, say.currency)}.".split("; ")
    return "; ".join([f"**{reasons}**", *paid]) if paid else f"**{reasons[:-1]}**."


def caption(say: Wording, *, priced: bool) -> str:
    """Say what the amounts of the list are, where it has any."""
    amounts = f", amounts for a month; {expected_loss(say.gross_margin)}"
    return f"All of today's customers{amounts if priced else ''}"


def laid_out(risk: pd.DataFrame, *, by: str = "", year: int = 0) -> pd.DataFrame:
    """Lay out the list for those who call: what to know first, and only what the data hold.

    Parameters
    ----------
    risk
        As from :func:`cslib.churn.at_risk.at_risk`.
    by
        The column that ``segment`` is of; empty: it is left out.
    year
        In which answers have no year beside them.

    Returns
    -------
    pandas.DataFrame
        The same rows; columns in another order, without those that are empty or for the file only, which holds all
        segments; money and months as whole numbers.
    """
    whole = {c: risk[c].round() for c in ("mrr", "money_at_risk") if c in risk}
    shown = risk.assign(**whole, tenure_months=risk["tenure_months"] // 1, **({by: risk["segment"]} if by else {}))
    if "answered_on" in shown:
        years = pd.to_datetime(shown["answered_on"]).dt.strftime(" (%Y)").fillna("")
        shown = shown.assign(last_answer=shown["last_answer"] + years.where(years != f" ({year})", ""))
    shown = shown[[c for c in (*WORK_LIST, by) if c in shown]]
    return shown.loc[:, shown.notna().any()] if len(shown) else shown


def _reasons(stakes: Row, currency: str, order: str = "") -> str:
    """Say how many give a reason to call, where they stand in a list, and what they pay."""
    n = f"{stakes.n_reasons:,} of {counted(stakes.n_customers, 'customer')}"
    give = "gives" if stakes.n_reasons == 1 else "give"
    paid = f"; they pay {money(stakes.mrr_reasons, currency)} a month" if stakes.mrr > 0 else ""
    return f"{n} {give} a reason to call{order}{paid}"


def _led(order: Order, currency: str) -> str:
    """Say who leads the list, and what they pay."""
    come, pay = ("comes", "pays") if order.n_telling == 1 else ("come", "pay")
    paid = f" and {pay} {money(order.mrr_telling, currency)} a month" if order.mrr_telling > 0 else ""
    return f"{counted(order.n_telling, 'customer')} with {named(order.telling)} {come} first{paid}"


def _next(stakes: Row, order: Order) -> str:
    """Say who comes next, where some lead the list."""
    others = int(stakes.n_reasons) - order.n_telling
    come = "comes" if others == 1 else "come"
    next_to = f"Next {come} {others:,} with another reason, which did not clearly foretell leaving."
    return next_to if order.n_telling and others else ""


def _at_stake(say: Wording, stakes: Row, horizon_months: int) -> str:
    """Say how much money is at risk, and how much of it the customers hold whom there is time to call."""
    if math.isnan(stakes.money_at_risk):
        return "The data hold no MRR, so money at risk is not known"
    if not stakes.mrr:
        return "None of today's customers pays anything, so no money is at risk"
    if not stakes.money_at_risk:
        ahead = stretch(horizon_months, "month")
        return f"Nobody is expected to leave over the next {ahead}, so no money is at risk"
    lost, held, paid = (money(m, say.currency) for m in (stakes.money_at_risk, stakes.money_listed, stakes.mrr))
    what = f"{paid} in monthly revenue" if say.gross_margin == 1 else "monthly margin"
    loss = f"We expect to lose {lost} of {what} within {months(horizon_months)}"
    one, many = "customer at the top holds", "customers at the top hold"
    top = f"the {one if stakes.n_listed == 1 else f'{stakes.n_listed:,} {many}'} {held} of it"
    return f"{loss}; {top} ({percent(stakes.share_listed)})"


def _listed(say: Wording, stakes: Row) -> str:
    """Say whom the list holds, where the rest of the report is about others."""
    column, value = say.segment
    who = f"The list holds the {counted(stakes.n_customers, 'customer')} whose {column} is {literal(value)} today"
    return f"{who}; the rest of this report is about those who began with it."


def _ordered(column: str, stakes: Row, order: Order, horizon_months: int) -> tuple[tuple[str, ...], str]:
    """Say which risk customers have and how they are listed; and, for those who ask, how well risks tell them apart."""
    alike, part = order.alike_within, "each part of the list" if stakes.n_reasons else "the list"
    two, picked = f"two customers it had not seen{f', whatever their {column}' * bool(column)}", order.concordance
    if column and column == alike:
        two, picked = f"two customers of the same {alike}", order.within
    known = "" if math.isnan(picked) else f"shown {two}, the model picks the earlier leaver {percent(picked)}"
    known = f"{known} of the time, and guessing gets 50 %" if known else ""
    priced = not math.isnan(stakes.money_at_risk)
    if not order.tells_apart:
        return (_unsure(order, part, priced, known), _raised(order)), ""
    how = _apart_by(alike, two, picked, order.within) if alike else f"{known[:1].upper()}{known[1:]}." * bool(known)
    if not alike or order.by_risk:
        return (_raised(order),), how
    by = f"{part[0].upper()}{part[1:]} is in order of risk times MRR." if priced and stakes.mrr else ""
    return (_alike(order, horizon_months), _raised(order, by_value=True), by), how


def _unsure(order: Order, part: str, priced: bool, known: str) -> str:
    """Say how customers are listed whom the model does not tell apart."""
    aged = f"how long customers have been here{' and their reasons to call' * bool(order.times)}"
    why = f"Risks differ by {aged}; what else is on record says little"
    if not order.by_risk:
        mixed = order.times and (len(order.times) > 1 or not order.n_telling)  # risks within a part
        by = f"{part} is in order of {'risk times revenue' if mixed else 'revenue'}"
        who = "But for their reasons to call, we" if order.times else "We"
        why = f"{who} cannot tell these customers apart by risk, so {by if priced else 'their order says little'}"
    return f"{why}: {known}." if known else f"{why}."


def _apart_by(column: str, two: str, concordance: float, within: float) -> str:
    """Say that the model tells customers apart by their segment alone, and how well."""
    picks = f"of {two}, it picks the earlier leaver {percent(concordance)} of the time"
    same = f"of two with the same {column}, {percent(within)}; guessing gets 50 %"
    return f"The model tells one {column} from another, not customers of the same {column}: {picks}; {same}."


def _alike(order: Order, horizon_months: int) -> str:
    """Say which risk customers have where only their segment tells them apart."""
    each = [f"{percent(share)} of {literal(str(value))}" for value, share in order.shares.items()]
    known = 0 < len(each) <= MOST_SHARES
    risks = f": of today's customers, {listed(each)} leave within {months(horizon_months)}" if known else ""
    each_one = "But for their reasons to call, each customer" if order.times else "Each customer"
    return f"{each_one} has the risk of their {order.alike_within}{risks}."


def _raised(order: Order, *, by_value: bool = False) -> str:
    """Say whose risk is higher for the reason that they give."""
    if not order.times:
        return ""
    known = order.raised.reindex(order.shares.index).dropna()
    told = by_value and len(order.times) == 1 and 0 < len(known) <= MOST_SHARES
    risks = (
        f", {listed([f'{percent(share)} in {literal(str(value))}' for value, share in known.items()])}" if told else ""
    )
    who = ", or with ".join(named([kind]) for kind in order.times) + "," * (len(order.times) > 1)
    faster = listed([as_many(ratio) for ratio in order.times.values()])
    whose = f", whatever their {order.alike_within}," if order.alike_within else ""
    return f"With {who} the risk is higher{risks}: such customers{whose} left {faster} times as fast as others."
