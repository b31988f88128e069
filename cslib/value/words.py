"""Sentences of the customer-value report, computed from its tables."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from cslib.data.drift import Drift
from cslib.errors import counted
from cslib.show.display import Card, card_of
from cslib.show.formats import FIRM, format_day, money, months, percent, whole
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
    "churn by age": "as churn is not the same at every age",
    "price by age": "as prices change with age",
    "later lives": "as some come back",
    "discount": "by discounting",
    "retention cost": "for retention cost",
    "acquisition cost": "for acquisition cost",
}
HOW_TO_READ_FORMS: Final = (
    "Each point is one way to compute the value of a customer, in multiples of the survival form (1.0). Formulas A, B "
    "and C take one rate of churn for every age and the whole life; B counts revenue, C margin, A takes costs off. The "
    "survival form follows the curve of churn and prices by age, and stops at the horizon."
)
HOW_TO_READ_AGES: Final = (
    "Read along a line: its height is what one customer who has stayed so long brings from then on. It rises where "
    "those who stay leave ever more slowly, or pay ever more."
)


def _bracketed(lower: float, upper: float) -> str:
    """Write an interval of amounts in brackets; where a bound is not known it is left out."""
    if pd.isna(lower):
        return ""
    return f" ({money(lower)} {'or more' if pd.isna(upper) else f'to {money(upper)}'})"


def _form(forms: pd.DataFrame, method: str = SURVIVAL) -> pd.Series[Any]:
    """Take one form of the whole at the main horizon, which comes first."""
    return forms[(forms["segment"] == "All") & (forms["method"] == method)].iloc[0]


def value_answer(
    forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, *, terms: Terms, source: str, currency: str = "",
    standard: bool = True, found: Drift | None = None, later: bool = False, unit: str = "customer",
) -> Answer:  # fmt: skip
    """Answer "what is a customer worth?" in at most three sentences, with the headline cards.

    Parameters
    ----------
    forms, base, pay
        As from ``value.ltv.ltv``, ``value.ltv.base_value`` and ``value.ltv.payback``.
    terms
        With which they were computed.
    source
        ``ValueCounts.source``.
    currency
        Code before amounts.
    standard
        Whether the horizon is that of the KPIs, so that the cards are theirs.
    found
        How churn has changed, where it has.
    later
        Whether later stays of who comes back are counted.
    unit
        As from :func:`cslib.data.lives.counted_as`.

    Returns
    -------
    Answer
        Its cards: value of a new customer, of the present ones, payback, LTV:CAC.
    """
    row = _form(forms)
    n, span = counted(int(row.n_customers), unit), months(row.horizon_months)
    if pd.notna(row.ltv):
        interval = f"95 % interval{_bracketed(row.ci_lower, row.ci_upper)}".replace(" (", " ").rstrip(")")
        few = "too few to say how sure that is" if row.n_customers < FIRM else "how sure that is cannot be told"
        sure = interval if pd.notna(row.ci_lower) else few
        first = f"**A new customer brings {money(row.ltv, currency)} over {span}** ({sure}, {n})."
    elif pd.notna(row.ci_lower):
        least, most = money(row.ci_lower, currency), money(row.ci_upper)
        first = f"**Nobody has left yet**, so over {span} a new customer brings between {least} and {most} ({n})."
    else:
        first = f"**What a new customer brings cannot be told**: early ages were not observed ({n})."
    sentences = [first, f"{_present(base, currency)}.", _paid_back(pay, span)]
    subtitle = f"{n} · {SOURCES[source]} · {_terms(terms, acquisition_cost=whole(pay)['cac'].iloc[0])}"
    subtitle += " · later stays of who comes back included" * later
    pace = "at the pace of the last 12 months" * bool(found and found.carries)
    cards = _cards(forms, base, pay, currency, pace)
    cards = cards if standard else tuple(replace(card, kpi="") for card in cards)
    moved = (_changed_value(found, forms, currency),) if found else ()
    return Answer(subtitle, " ".join(filter(None, sentences)), cards, moved)


def changed_pace(found: Drift, *, what: str = "Figures below", usual: str = "") -> str:
    """Say that customers leave faster, or more slowly, than they did, and that figures rest on it or do not.

    Parameters
    ----------
    found
        The change.
    what
        Which figures.
    usual
        What all years would say, to stand beside figures that rest on the last twelve months.
    """
    pace = f"{percent(found.recent)} a month over the last 12 months, {percent(found.before)} at the same ages before"
    text = f"Customers have been leaving {'faster' if found.faster else 'more slowly'}: {pace}."
    if found.carries:
        return f"{text} {what} rest on these 12 months" + (f"; over all years, {usual}." if usual else ".")
    likely = "long" if found.faster else "short"
    few = "too few customers started in these 12 months to rest on them alone"
    return f"{text} {what} are averages over all years, as {few}: they make customers stay too {likely}."


def _changed_value(found: Drift, forms: pd.DataFrame, currency: str) -> str:
    if not found.carries:
        return changed_pace(found)
    usual = _form(forms, LONG_RUN)
    if pd.isna(usual.ltv):
        return changed_pace(found)
    brings = f"{money(usual.ltv, currency)}{_bracketed(usual.ci_lower, usual.ci_upper)}"
    return changed_pace(found, usual=f"a new customer would bring {brings}")


def _terms(terms: Terms, *, acquisition_cost: float) -> str:
    """Say what is taken off."""
    known = {"acquisition": acquisition_cost, "retention": terms.costs.retention_per_month}
    off, left = ([k for k, v in known.items() if pd.isna(v) == missing] for missing in (False, True))
    texts = [f"net of {' and '.join(off)} cost"] * bool(off)
    texts += [f"before {' and '.join(left)} cost, which these data do not tell"] * bool(left)
    discount = f"discounted at {100 * terms.annual_discount_rate:g} % a year"
    rate = discount if terms.annual_discount_rate else "not discounted"
    return " · ".join([f"margin {100 * terms.gross_margin:g} %", rate, *texts])


def _paid_back(pay: pd.DataFrame, span: str) -> str:
    row = whole(pay).iloc[0]
    if pd.isna(row.payback_months) or not row.cac:
        return ""
    if math.isinf(row.payback_months):
        return f"What it costs to win a customer is not earned back within {span}."
    return f"What it costs to win a customer is earned back after {months(row.payback_months)}."


def _cards(forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, currency: str, pace: str) -> tuple[Card, ...]:
    row, now, back = _form(forms), whole(base).iloc[0], whole(pay).iloc[0]
    span = months(row.horizon_months)
    missing = "" if pd.notna(back.cac) else "no acquisition cost in these data"
    within = math.isfinite(back.payback_months)
    late = f"not within {span}" if math.isinf(back.payback_months) else missing
    earned = (back.ltv_to_cac_ci_lower, back.ltv_to_cac_ci_upper)
    lower, upper = (b if within and math.isfinite(b) else None for b in (back.ci_lower, back.ci_upper))
    bounds = tuple(None if pd.isna(b) else b for b in (row.ci_lower, row.ci_upper))
    worth: Any = {"interval": bounds, "n": int(row.n_customers), "currency": currency}
    before, cost = money(back.ltv_before_cac, currency), money(back.cac, currency)
    made_of = missing or f"{before} before acquisition cost of {cost}"
    return (
        card_of(KPIS["ltv"], row.ltv, detail=", ".join(filter(None, (f"a new customer, over {span}", pace))), **worth),
        _card(f"Value of present customers, {span}", now.base_value, now, int(now.n_active), currency, pace),
        card_of(KPIS["payback_months"], back.payback_months if within else None, interval=(lower, upper), detail=late),
        card_of(KPIS["ltv_to_cac"], back.ltv_to_cac, interval=earned, detail=made_of),
    )


def _card(label: str, value: float, row: pd.Series[Any], n: int, currency: str, pace: str) -> Card:
    """Make a card of an amount and the bounds in its row, without hundredths from 100 on."""
    amounts = (None if pd.isna(v) else float(v) for v in (value, row.ci_lower, row.ci_upper))
    shown, lower, upper = (v if v is None or abs(v) < 100 else round(v, 0) for v in amounts)
    return Card(label, shown, "money", lower, upper, n, currency, detail=pace)


def horizon_finding(forms: pd.DataFrame, *, currency: str = "") -> str:
    """State what a new customer has brought by the first and the main horizon; fit for a chart's title."""
    rows = forms[(forms["segment"] == "All") & (forms["method"] == SURVIVAL)].dropna(subset="ltv")
    if rows.empty:
        return "What a new customer brings cannot be told"
    main, first = rows.iloc[0], rows[rows["horizon_months"] == rows["horizon_months"].min()].iloc[0]
    text = f"A new customer has brought {money(main.ltv, currency)} after {months(main.horizon_months)}"
    if first.horizon_months == main.horizon_months:
        return text
    return f"{text}, {money(first.ltv)} after {months(first.horizon_months)}"


def reliance(forms: pd.DataFrame, observed: pd.DataFrame, *, currency: str = "") -> tuple[str, ...]:
    """Say whether newer customers differ, and segment by segment how much of the value is a model's guess.

    Parameters
    ----------
    forms
        As from ``value.ltv.ltv``.
    observed
        As from ``value.ltv.observed_part``: the segments to speak of.
    currency
        Code before amounts.

    Returns
    -------
    tuple of str
        Of newer customers only where they would bring clearly more or less.
    """
    known = observed.dropna(subset="still_here")
    tails = [_tail(row, forms[forms["segment"] == row.segment]) for _, row in known.iterrows()]
    return (*_newest(forms, observed, currency), *tails)


def _newest(forms: pd.DataFrame, observed: pd.DataFrame, currency: str) -> list[str]:
    if not whole(observed)["newest_differ"].any() or pd.isna(_form(forms).ltv):
        return []
    own, newest = _form(forms), _form(forms, NEWEST)
    pace = "more slowly" if newest.ltv > own.ltv else "faster"
    first = f"Customers who started within the last year leave {pace} than earlier ones did at the same age."
    brings = f"{money(newest.ltv, currency)}{_bracketed(newest.ci_lower, newest.ci_upper)}"
    span = months(newest.horizon_months)
    return [f"{first} If new ones do so, too, each brings {brings} over {span}, not {money(own.ltv)}."]


def _tail(part: pd.Series[Any], forms: pd.DataFrame) -> str:
    rows = forms[forms["method"] == SURVIVAL]
    main, longest = rows.iloc[0], rows[rows["horizon_months"] == part.longest_months].iloc[0]
    who = "all" if part.segment == "All" else part.segment
    stay = f"{percent(part.still_here)} of {who} customers stay longer than {months(part.last_age_months)}"
    span = months(part.longest_months)
    text = f"{stay}, the last age that enough of them were observed at. Of the value over {span}, "
    if pd.isna(longest.ltv):
        bounds = f"{money(longest.ci_lower)} to {money(longest.ci_upper)}"
        return f"{text}what lies beyond it cannot be told, as nobody left: each brings {bounds}."
    if not longest.share_in_tail > 0:
        return f"{text}nothing lies beyond it."
    text += f"{percent(longest.share_in_tail)} lies beyond it: foretold ({part.model}), not observed."
    if main.horizon_months < part.longest_months and pd.notna(main.share_in_tail):
        text += f" Over {months(main.horizon_months)} it is {percent(main.share_in_tail)}."
    return text + " What they bring over their whole life is nearly all beyond it." * bool(part.life_beyond)


def bridge_title(forms: pd.DataFrame, *, currency: str = "") -> str:
    """State what formula C and the survival form make of a customer; fit for a chart's title."""
    formula, own = (_form(forms, method).ltv for method in (FORMULA_C, SURVIVAL))
    if pd.isna(formula) or pd.isna(own):
        return "The forms of customer value against the survival form"
    return f"Formula C makes a customer worth {money(formula, currency)}, the survival form {money(own)}"


def bridge_finding(steps: pd.DataFrame, *, currency: str = "", most: int = 3) -> str:
    """Say why formula C and the survival form differ: the largest steps between them.

    Parameters
    ----------
    steps
        As from ``value.ltv.bridge``.
    currency
        Code before amounts.
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
    why = [(row.difference, STEPS.get(row.step, f"as it counts {row.step}")) for row in _ranked(rows, most)]
    named = [f"{_signed(difference)} {reason}" for difference, reason in why]
    first, last = money(rows["value"].iloc[0], currency), money(rows["value"].iloc[-1], currency)
    return f"From {first} by formula C to {last} by the survival form, mostly: {'; '.join(named)}."


def _ranked(rows: pd.DataFrame, most: int) -> list[pd.Series[Any]]:
    """Take the rows of the first ranks, as far as there are so many."""
    return [rows[rows["rank"] == place].iloc[0] for place in range(1, most + 1) if (rows["rank"] == place).any()]


def _signed(value: Any) -> str:
    return f"{'+' if value > 0 else ''}{money(round(value) if abs(value) >= 10 else value)}"


def forms_table(forms: pd.DataFrame, *, segments: list[str]) -> pd.DataFrame:
    """Write all forms at one horizon: one row per form, one column per segment, intervals in brackets."""
    each = zip(forms["ltv"], forms["ci_lower"], forms["ci_upper"], strict=True)
    texts = [("not known" if pd.isna(v) else money(v)) + _bracketed(low, high) for v, low, high in each]
    table = forms.assign(form=forms["method"], text=texts).pivot(index="form", columns="segment", values="text")
    order = [s for s in forms["segment"].unique() if s in segments]
    return table.loc[list(forms["method"].unique()), order].fillna("–").reset_index()


def residual_finding(by_age: pd.DataFrame, *, currency: str = "") -> str:
    """State what a customer of a year's standing brings, against a new one; fit for a chart's title."""
    rows = whole(by_age).dropna(subset="residual_value").set_index("age_months")
    if 0 not in rows.index:
        return "What customers bring from an age on"
    age = next((a for a in (12, 6, 3, 1) if a in rows.index), 0)
    new, later = (rows[rows.index == a].iloc[0] for a in (0, age))
    if not age:
        return f"A new customer brings {money(new.residual_value, currency)}, before what it cost to win"
    start = f"a new one brings {money(new.residual_value)}"
    text = f"From month {age} on, a customer brings {money(later.residual_value, currency)}; {start}"
    return text if later.differs else f"{text}: no clear difference"


def payback_finding(pay: pd.DataFrame, *, horizon_months: int, currency: str = "") -> str:
    """State when a customer has earned back what it cost to win, and how many times it does so."""
    row, span = whole(pay).iloc[0], months(horizon_months)
    if pd.isna(row.cac):
        return "These data do not tell what it costs to win a customer: payback and LTV:CAC are unknown, values gross."
    cost = f"Winning a customer costs {money(row.cac, currency)}"
    if not row.cac:
        return f"{cost}: there is nothing to earn back."
    if pd.isna(row.payback_months):
        return f"{cost}; when that is earned back cannot be told."
    if math.isinf(row.payback_months):
        return f"{cost}, of which {percent(row.ltv_to_cac)} comes back over {span}: it is not earned back by then."
    interval = f" ({row.ltv_to_cac_ci_lower:.1f} to {row.ltv_to_cac_ci_upper:.1f})" * pd.notna(row.ltv_to_cac_ci_lower)
    back = f"is earned back after {months(row.payback_months)}"
    return f"{cost}, which {back}; over {span} a customer brings {row.ltv_to_cac:.1f} times{interval} as much."


def _present(base: pd.DataFrame, currency: str) -> str:
    row = whole(base).iloc[0]
    if not row.n_active:
        return "Nobody is a customer today"
    many = f"The {int(row.n_active):,} present customers bring"
    who = "The one present customer brings" if row.n_active == 1 else many
    span = months(row.horizon_months)
    if pd.isna(row.base_value):
        known = f" between {money(row.ci_lower, currency)} and {money(row.ci_upper)}" * pd.notna(row.ci_lower)
        return f"{who}{known or ' an amount that cannot be told'} over the next {span}"
    return f"{who} {money(row.base_value, currency)} over the next {span}{_bracketed(row.ci_lower, row.ci_upper)}"


def base_findings(base: pd.DataFrame, *, currency: str = "") -> tuple[str, ...]:
    """State what the present customers together bring; then, where there is any, how much of it a model guesses."""
    share = whole(base)["share_in_tail"].iloc[0]
    said, unseen = f"{_present(base, currency)}.", "from ages at which too few have been observed"
    return (said, f"{percent(share)} of it is {unseen}: foretold, not observed.") if share > 0 else (said,)


def what_if_finding(changes: pd.DataFrame, *, currency: str = "") -> str:
    """State what each change would add to the value of the present customers; fit for a chart's title."""
    rows = _ranked(whole(changes), len(changes))
    if not any(row.base_gain for row in rows):
        return "None of the changes would add anything" if rows else "What a change would add cannot be told"
    each = [(money(row.base_gain, currency), row.change.lower().replace("arpa", "ARPA")) for row in rows]
    return f"Present customers would bring {', '.join(f'{gain} more with {name}' for gain, name in each)}"


def backtest_finding(tested: pd.DataFrame, *, measure: str, currency: str = "") -> str:
    """State how a forecast made a year ago compares with what happened; fit for a chart's title.

    Parameters
    ----------
    tested
        As from ``value.backtest.backtest``.
    measure
        One of its measures.
    currency
        Code before amounts.

    Returns
    -------
    str
    """
    last = whole(tested)[whole(tested)["measure"] == measure].dropna(subset="actual").iloc[-1]
    if pd.isna(last.predicted):
        return f"A year ago {measure} could not be foretold: of all or of a segment nobody had left by then"
    count = measure == ACTIVE
    expected = f"{last.predicted:,.0f}" if count else money(last.predicted, currency)
    word = ("few", "many") if count else ("little", "much")
    miss = "" if pd.isna(last.error) else f", {percent(abs(last.error))} too {word[int(last.error > 0)]}"
    foretold = f"Expected for {format_day(str(last.month)[:10])}: {expected} {measure}{miss}"
    return f"{foretold}; the interval held what happened in {last.n_held} of {last.months_ahead} months"
