"""Sentences of the customer-value report, computed from its tables."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import counted
from cslib.show.display import Card
from cslib.show.formats import FIRM, format_day, format_value, months, percent, whole

__all__ = [
    "amounts",
    "backtest_finding",
    "backtest_lines",
    "base_finding",
    "base_tail",
    "bridge_finding",
    "bridge_title",
    "forms_side_by_side",
    "forms_table",
    "horizon_finding",
    "newest_finding",
    "payback_finding",
    "residual_finding",
    "tail_findings",
    "value_answer",
    "value_cards",
    "value_subtitle",
    "what_if_finding",
]

SURVIVAL: Final = "Survival"
NEWEST: Final = "Survival, newest customers"
MOSTLY_HERE: Final = 0.8  # at the last age observed
MATTERS: Final = 0.1  # share of value
SOURCES: Final = {
    "subscriptions": "MRR from subscriptions",
    "customers": "MRR from the customers table",
    "orders": "revenue from orders",
}
STEPS: Final = {
    "churn by age": "as churn is not the same at every age",
    "price by age": "as prices change with age",
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


def money(value: Any, currency: str = "") -> str:
    """Write an amount for a sentence, without hundredths from 100 on.

    Examples
    --------
    >>> money(4352.71, "USD"), money(23.456), money(17_237_290.0)
    ('USD 4,353', '23.46', '17.2 M')
    """
    return format_value(_whole(value), "money", currency)


def _whole(value: Any) -> Any:
    return float(np.round(value)) if abs(value) >= 100 else value


def _span(lower: float, upper: float) -> str:
    """Write an interval of amounts in brackets; where a bound is not known it is left out."""
    if np.isnan(lower):
        return ""
    return f" ({money(lower)} {'or more' if np.isnan(upper) else f'to {money(upper)}'})"


def _form(forms: pd.DataFrame, method: str = SURVIVAL) -> pd.Series[Any]:
    """Take one form of the whole at the main horizon, which comes first."""
    return forms[(forms["segment"] == "All") & (forms["method"] == method)].iloc[0]


def _apart(one: pd.Series[Any], other: pd.Series[Any]) -> bool:
    return bool(one.ci_lower > other.ci_upper or one.ci_upper < other.ci_lower)


def value_subtitle(
    n: int,
    *,
    source: str,
    gross_margin: float,
    annual_discount_rate: float,
    retention_cost: float,
    acquisition_cost: float,
) -> str:
    """Say in one line whose value it is, and what is taken off.

    Parameters
    ----------
    n
        Customers.
    source
        ``ValueCounts.source``.
    gross_margin, annual_discount_rate
        Shares.
    retention_cost, acquisition_cost
        Per customer-month and per new customer; missing where they are not known.

    Returns
    -------
    str
    """
    known = {"acquisition": acquisition_cost, "retention": retention_cost}
    off, left = ([k for k, v in known.items() if np.isnan(v) == missing] for missing in (False, True))
    texts = [f"net of {' and '.join(off)} cost"] * bool(off)
    texts += [f"before {' and '.join(left)} cost, which these data do not tell"] * bool(left)
    rate = f"discounted at {100 * annual_discount_rate:g} % a year" if annual_discount_rate else "not discounted"
    margin = f"margin {100 * gross_margin:g} %"
    return " · ".join([counted(n, "customer"), SOURCES[source], margin, rate, *texts])


def value_answer(forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, *, currency: str = "") -> str:
    """Answer "what is a customer worth?" in at most three sentences.

    Parameters
    ----------
    forms, base, pay
        As from ``value.ltv.ltv``, ``value.ltv.base_value`` and ``value.ltv.payback``.
    currency
        Code before amounts.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    row = _form(forms)
    n, span = counted(int(row.n_customers), "customer"), months(row.horizon_months)
    if pd.notna(row.ltv):
        interval = f"95 % interval{_span(row.ci_lower, row.ci_upper)}".replace(" (", " ").rstrip(")")
        few = "too few to say how sure that is" if row.n_customers < FIRM else "how sure that is cannot be told"
        sure = interval if pd.notna(row.ci_lower) else few
        first = f"**A new customer brings {money(row.ltv, currency)} over {span}** ({sure}, {n})."
    elif pd.notna(row.ci_lower):
        least, most = money(row.ci_lower, currency), money(row.ci_upper)
        first = f"**Nobody has left yet**, so over {span} a new customer brings between {least} and {most} ({n})."
    else:
        first = f"**What a new customer brings cannot be told**: early ages were not observed ({n})."
    return " ".join(filter(None, [first, f"{base_finding(base, currency=currency)}.", _paid_back(pay, span)]))


def _paid_back(pay: pd.DataFrame, span: str) -> str:
    row = whole(pay).iloc[0]
    if np.isnan(row.payback_months) or not row.cac:
        return ""
    if np.isinf(row.payback_months):
        return f"What it costs to win a customer is not earned back within {span}."
    return f"What it costs to win a customer is earned back after {months(row.payback_months)}."


def value_cards(forms: pd.DataFrame, base: pd.DataFrame, pay: pd.DataFrame, *, currency: str = "") -> list[Card]:
    """Make the headline cards: value of a new customer, of the present ones, payback, LTV:CAC.

    Parameters
    ----------
    forms, base, pay, currency
        As for :func:`value_answer`.

    Returns
    -------
    list of Card
    """
    row, now, back = _form(forms), whole(base).iloc[0], whole(pay).iloc[0]
    span = months(row.horizon_months)
    missing = "" if pd.notna(back.cac) else "no acquisition cost in these data"
    within = pd.notna(back.payback_months) and np.isfinite(back.payback_months)
    late = f"not within {span}" if np.isinf(back.payback_months) else missing
    lower, upper = (b if within and np.isfinite(b) else None for b in (back.ci_lower, back.ci_upper))
    return [
        _card(f"Value of a new customer, {span}", row.ltv, row, int(row.n_customers), currency),
        _card(f"Value of present customers, {span}", now.base_value, now, int(now.n_active), currency),
        Card("Payback", back.payback_months if within else None, "months", lower, upper, detail=late),
        Card("LTV:CAC", back.ltv_to_cac, "number", back.ltv_to_cac_ci_lower, back.ltv_to_cac_ci_upper, detail=missing),
    ]


def _card(label: str, value: float, row: pd.Series[Any], n: int, currency: str) -> Card:
    """Make a card of an amount and the bounds in its row, without hundredths from 100 on."""
    shown, lower, upper = (None if np.isnan(v) else float(_whole(v)) for v in (value, row.ci_lower, row.ci_upper))
    return Card(label, shown, "money", lower, upper, n, currency)


def horizon_finding(forms: pd.DataFrame, *, currency: str = "") -> str:
    """State what a new customer has brought by the first and the main horizon; fit for a chart's title."""
    rows = forms[(forms["segment"] == "All") & (forms["method"] == SURVIVAL)].dropna(subset="ltv")
    if rows.empty:
        return "What a new customer brings cannot be told"
    main, first = rows.iloc[0], rows.sort_values("horizon_months").iloc[0]
    text = f"A new customer has brought {money(main.ltv, currency)} after {months(main.horizon_months)}"
    if first.horizon_months == main.horizon_months:
        return text
    return f"{text}, {money(first.ltv)} after {months(first.horizon_months)}"


def newest_finding(forms: pd.DataFrame, *, currency: str = "") -> str:
    """Say what customers who leave as the newest do would bring, where that is clearly another value; else empty."""
    if NEWEST not in set(whole(forms)["method"]):
        return ""
    own, newest = _form(forms), _form(forms, NEWEST)
    if pd.isna(own.ltv) or not _apart(newest, own):
        return ""
    pace = "more slowly" if newest.ltv > own.ltv else "faster"
    return (
        f"Customers who started within the last year leave {pace} than earlier ones did at the same age. If new ones "
        f"do so, too, each brings {money(newest.ltv, currency)}{_span(newest.ci_lower, newest.ci_upper)} over "
        f"{months(newest.horizon_months)}, not {money(own.ltv)}."
    )


def tail_findings(forms: pd.DataFrame, observed: pd.DataFrame, *, most: int = 5) -> list[str]:
    """Say how much of the value over the longest horizon is a model's guess, segment by segment.

    Parameters
    ----------
    forms
        As from ``value.ltv.ltv``.
    observed
        As from ``value.ltv.observed_part``.
    most
        Sentences.

    Returns
    -------
    list of str
    """
    known = observed.dropna(subset="still_here").head(most)
    return [_tail(row, forms[forms["segment"] == row.segment]) for _, row in known.iterrows()]


def _tail(part: pd.Series[Any], forms: pd.DataFrame) -> str:
    rows = forms[forms["method"] == SURVIVAL]
    longest = rows.sort_values("horizon_months").iloc[-1]
    who = "all" if part.segment == "All" else part.segment
    text = (
        f"{percent(part.still_here)} of {who} customers stay longer than {months(part.last_age_months)}, the last age "
        f"that enough of them were observed at. Of the value over {months(longest.horizon_months)}, "
    )
    if pd.isna(longest.ltv):
        bounds = f"{money(longest.ci_lower)} to {money(longest.ci_upper)}"
        return f"{text}what lies beyond it cannot be told, as nobody left: each brings {bounds}."
    if not longest.share_in_tail > 0:
        return f"{text}nothing lies beyond it."
    text += f"{percent(longest.share_in_tail)} lies beyond it: there a model speaks ({part.model}), not data."
    main = rows.iloc[0]
    if main.horizon_months < longest.horizon_months and pd.notna(main.share_in_tail):
        text += f" Over {months(main.horizon_months)} it is {percent(main.share_in_tail)}."
    guessed = bool(part.still_here > MOSTLY_HERE and longest.share_in_tail > MATTERS)
    return text + " What they bring over their whole life is nearly all beyond it." * guessed


def amounts(currency: str) -> str:
    """Name the unit of amounts on an axis."""
    return currency or "Money"


def bridge_title(forms: pd.DataFrame, *, currency: str = "") -> str:
    """State what formula C and the survival form make of a customer; fit for a chart's title."""
    formula, own = (_form(forms, method).ltv for method in ("Formula C (margin / churn)", SURVIVAL))
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
    largest = rows[rows["difference"].abs() >= 0.5].sort_values("difference", key=abs, ascending=False)
    each = zip(largest["difference"][:most], largest["step"][:most], strict=True)
    named = [f"{_signed(difference)} {STEPS.get(step, f'as it counts {step}')}" for difference, step in each]
    first, last = money(rows["value"].iloc[0], currency), money(rows["value"].iloc[-1], currency)
    return f"From {first} by formula C to {last} by the survival form, mostly: {'; '.join(named)}."


def _signed(value: Any) -> str:
    return f"{'+' if value > 0 else ''}{money(round(value) if abs(value) >= 10 else value)}"


def forms_side_by_side(forms: pd.DataFrame) -> pd.DataFrame:
    """Set all forms at the main horizon in proportion to the survival form of their segment, for a chart.

    Parameters
    ----------
    forms
        As from ``value.ltv.ltv``.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``method``, ``ratio``, ``ci_lower``, ``ci_upper``, ``clear`` (the interval leaves 1 out);
        segments without a positive value, and values that are not positive, are left out.
    """
    rows = _main(forms).rename(columns={"ltv": "ratio"})
    base = rows["segment"].map(rows[rows["method"] == SURVIVAL].set_index("segment")["ratio"])
    columns = ["ratio", "ci_lower", "ci_upper"]
    rows[columns] = rows[columns].where(rows[columns] > 0).div(base.where(base > 0), axis=0)
    rows["clear"] = (rows["ci_lower"] > 1) | (rows["ci_upper"] < 1)
    return rows.dropna(subset="ratio")[["segment", "method", *columns, "clear"]]


def _main(forms: pd.DataFrame) -> pd.DataFrame:
    main = forms["horizon_months"].iloc[0]
    return forms[(forms["horizon_months"] == main) | forms["horizon_months"].isna()]


def forms_table(forms: pd.DataFrame, *, segments: list[str]) -> pd.DataFrame:
    """Write all forms at the main horizon: one row per form, one column per segment, intervals in brackets."""
    rows = _main(forms).rename(columns={"method": "form"})
    each = zip(rows["ltv"], rows["ci_lower"], rows["ci_upper"], strict=True)
    texts = [("not known" if np.isnan(v) else money(v)) + _span(low, high) for v, low, high in each]
    table = rows.assign(text=texts).pivot(index="form", columns="segment", values="text")
    order = [s for s in rows["segment"].unique() if s in segments]
    return table.loc[list(rows["form"].unique()), order].fillna("–").reset_index()


def residual_finding(by_age: pd.DataFrame, *, currency: str = "") -> str:
    """State what a customer of a year's standing brings, against a new one; fit for a chart's title."""
    rows = whole(by_age).dropna(subset="residual_value").set_index("age_months")
    if 0 not in rows.index:
        return "What customers bring from an age on"
    age = next((a for a in (12, 6, 3, 1) if a in rows.index), 0)
    new, later = (rows[rows.index == a].iloc[0] for a in (0, age))
    start = f"a new one brings {money(new.residual_value)}"
    if not age:
        return f"A new customer brings {money(new.residual_value, currency)}, before what it cost to win"
    text = f"From month {age} on, a customer brings {money(later.residual_value, currency)}; {start}"
    return text if _apart(later, new) else f"{text}: no clear difference"


def payback_finding(pay: pd.DataFrame, *, horizon_months: int, currency: str = "") -> str:
    """State when a customer has earned back what it cost to win, and how many times it does so."""
    row, span = whole(pay).iloc[0], months(horizon_months)
    if np.isnan(row.cac):
        return "These data do not tell what it costs to win a customer: payback and LTV:CAC are unknown, values gross."
    cost = f"Winning a customer costs {money(row.cac, currency)}"
    if not row.cac:
        return f"{cost}: there is nothing to earn back."
    if np.isnan(row.payback_months):
        return f"{cost}; when that is earned back cannot be told."
    if np.isinf(row.payback_months):
        return f"{cost}, of which {percent(row.ltv_to_cac)} comes back over {span}: it is not earned back by then."
    interval = f" ({row.ltv_to_cac_ci_lower:.1f} to {row.ltv_to_cac_ci_upper:.1f})" * pd.notna(row.ltv_to_cac_ci_lower)
    back = f"is earned back after {months(row.payback_months)}"
    return f"{cost}, which {back}; over {span} a customer brings {row.ltv_to_cac:.1f} times{interval} as much."


def base_finding(base: pd.DataFrame, *, currency: str = "") -> str:
    """State what the present customers together bring; fit for a chart's title."""
    row = whole(base).iloc[0]
    if not row.n_active:
        return "Nobody is a customer today"
    many = f"The {int(row.n_active):,} present customers bring"
    who = "The one present customer brings" if row.n_active == 1 else many
    span = months(row.horizon_months)
    if pd.isna(row.base_value):
        known = f" between {money(row.ci_lower, currency)} and {money(row.ci_upper)}" * pd.notna(row.ci_lower)
        return f"{who}{known or ' an amount that cannot be told'} over the next {span}"
    return f"{who} {money(row.base_value, currency)} over the next {span}{_span(row.ci_lower, row.ci_upper)}"


def base_tail(base: pd.DataFrame) -> str:
    """Say how much of the value of the present customers is a model's guess; empty where there is none."""
    share = whole(base)["share_in_tail"].iloc[0]
    if not share > 0:
        return ""
    return f"{percent(share)} of it is from ages at which too few have been observed: there a model speaks, not data."


def what_if_finding(changes: pd.DataFrame, *, currency: str = "") -> str:
    """State what each change would add to the value of the present customers; fit for a chart's title."""
    rows = whole(changes).dropna(subset="base_gain").sort_values("base_gain", ascending=False, kind="stable")
    if not rows["base_gain"].any():
        return "What a change would add cannot be told" if rows.empty else "None of the changes would add anything"
    names = rows["change"].str.lower().str.replace("arpa", "ARPA")
    gains = [f"{money(gain, currency)} more with {name}" for gain, name in zip(rows["base_gain"], names, strict=True)]
    return f"Present customers would bring {', '.join(gains)}"


def backtest_lines(tested: pd.DataFrame, *, measure: str) -> pd.DataFrame:
    """Lay what was expected of the whole, with its interval, and what happened under one another, to be drawn."""
    rows = whole(tested)[whole(tested)["measure"] == measure]
    expected = rows.assign(segment="expected", value=rows["predicted"])
    happened = rows.assign(segment="what happened", value=rows["actual"], ci_lower=np.nan, ci_upper=np.nan)
    return pd.concat([expected, happened])[["segment", "month", "value", "ci_lower", "ci_upper"]]


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
    rows = whole(tested)[whole(tested)["measure"] == measure].dropna(subset="actual")
    last = rows.iloc[-1]
    if pd.isna(last.predicted):
        return f"A year ago {measure} could not be foretold: of all or of a segment nobody had left by then"
    count = measure == "active customers"
    expected = f"{last.predicted:,.0f}" if count else money(last.predicted, currency)
    off = last.predicted / last.actual - 1 if last.actual else np.nan
    word = ("few", "many") if count else ("little", "much")
    miss = "" if np.isnan(off) else f", {percent(abs(off))} too {word[int(off > 0)]}"
    held = int(rows["actual"].between(rows["ci_lower"], rows["ci_upper"]).sum())
    return (
        f"Expected for {format_day(str(last.month)[:10])}: {expected} {measure}{miss}; the interval held "
        f"what happened in {held} of {len(rows)} months"
    )
