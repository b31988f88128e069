"""What several reports say: what a target is, how many customers leave, and at what pace."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd

from cslib.data.drift import Drift
from cslib.data.kpi import CHURN, JUDGED, UNCLEAR, Target
from cslib.show.display import Card
from cslib.show.formats import format_interval, format_value, percent


def goal(target: Target, unit: str, currency: str = "") -> str:
    """Write the ends of a target, as in ``3 to 6 %``."""
    texts = [format_value(end, unit, currency).replace(".0 %", " %") for end in target.ends]
    return " to ".join([*(text.removesuffix(" %") for text in texts[:-1]), texts[-1]])


def to_reach(target: Target, unit: str, currency: str = "") -> str:
    """Write a target in words.

    Examples
    --------
    >>> to_reach(Target(0.95, math.inf), "percent"), to_reach(Target(0.03, 0.06), "percent")
    ('at least 95 %', '3 to 6 %')
    """
    ends = goal(target, unit, currency)
    return ends if len(target.ends) > 1 else f"at {'least' if math.isfinite(target.low) else 'most'} {ends}"


def side(target: Target, value: float) -> str:
    """Say on which side of a target a value lies.

    Examples
    --------
    >>> [side(Target(0.03, 0.06), value) for value in (0.02, 0.03, 0.07)]
    ['below', 'within', 'above']
    >>> [side(Target(40, math.inf), value) for value in (39, 40, 41)]
    ['below', 'at', 'above']
    >>> [side(Target(-math.inf, 21), value) for value in (18, 21, 22)]
    ['within', 'at', 'above']
    """
    if target.low <= value <= target.high and (len(target.ends) == 2 or value < target.high < math.inf):
        return "within"
    return "below" if value < target.ends[0] else "above" if value > target.ends[-1] else "at"


def not_clearly(target: Target, value: float, what: str) -> str:
    """Say on which side of a target a value lies, where its interval has ends on both.

    Examples
    --------
    >>> not_clearly(Target(40, math.inf), 37.4, "its target of at least 40")
    'below its target of at least 40, but not clearly'
    >>> not_clearly(Target(-math.inf, 21), 18, "its target of at most 21 days")
    'within its target of at most 21 days, but not clearly'
    """
    where = side(target, value)
    return f"{where} {what}, {'as far as can be told' if where == 'at' else 'but not clearly'}"


def against(target: Target, value: float, ends: tuple[float, float], unit: str) -> str:
    """Say after a value and its interval how it stands to a target.

    Examples
    --------
    >>> against(Target(-math.inf, 0.03), 0.039, (0.037, 0.042), "percent")
    'above the target of 3 %'
    >>> against(Target(0.03, 0.06), 0.04, (0.032, 0.05), "percent")
    'within the target of 3 to 6 %'
    >>> against(Target(0.95, math.inf), 0.96, (0.94, 0.98), "percent")
    'above the target of at least 95 %, but not clearly'
    """
    status = target.judge(*ends)
    if status == UNCLEAR:
        return not_clearly(target, value, f"the target of {to_reach(target, unit)}")
    if status == "met":
        return f"within the target of {to_reach(target, unit)}"
    return f"{side(target, value)} the target of {goal(target, unit)}"


def expected_loss(gross_margin: float) -> str:
    """Say what the expected loss in a list of customers to call is made of.

    Examples
    --------
    >>> expected_loss(0.8), expected_loss(1.0)
    ('expected loss = MRR × 80 % margin × risk of leaving', 'expected loss = MRR × risk of leaving')
    """
    margin = "" if gross_margin == 1 else f" × {percent(gross_margin)} margin"
    return f"expected loss = MRR{margin} × risk of leaving"


def on_card(target: Target | None, status: str, unit: str, currency: str = "") -> dict[str, Any]:
    """Give what a card shows of a target, as ``show.display.Card`` has it; nothing where it is not judged."""
    if target is None or status not in JUDGED:
        return {}
    reached = re.sub(r" (months?|days?)$", "", to_reach(target, unit, currency))  # which stands above in the value
    return {"status": status, "target": reached, "aims": target.ends}


def churn_card(year: pd.Series[Any], month: tuple[float, float, float], target: Target) -> Card:
    """Make the card of customer churn where it has a target: of 12 months, by which that is judged, and the last alone.

    Parameters
    ----------
    year
        As from ``churn.rates.last_year``: ``month`` (the last one), ``churn_rate``, ``ci_lower``, ``ci_upper``,
        ``n_start``.
    month
        Rate of the last month and the ends of its interval.
    target
        That it is held against.
    """
    ends = float(year["ci_lower"]), float(year["ci_upper"])
    detail = "\n".join(year_and_month(year["month"], *month))
    shown = on_card(target, target.judge(*ends), CHURN["unit"])
    card = Card("Customer churn a month", float(year["churn_rate"]), CHURN["unit"], *ends, int(year["n_start"]))
    return replace(card, detail=detail, noun="customer month", kpi=CHURN["kpi"], **shown)


def year_and_month(until: pd.Timestamp, value: float, lower: float, upper: float) -> tuple[str, str]:
    """Say of the card of a rate over 12 months which they are, and what the last one is alone.

    Examples
    --------
    >>> year_and_month(pd.Timestamp("2025-06-30"), 0.0306, 0.0241, 0.0388)
    ('12 months to June 2025', 'June alone: 3.1 (2.4 to 3.9)')
    """
    ends = format_interval(lower, upper, "percent", value=value)
    alone = "not measured" if math.isnan(value) else f"{format_value(value, 'percent').removesuffix(' %')} ({ends})"
    return f"12 months to {until:%B %Y}", f"{until:%B} alone: {alone}"


def changed_pace(found: Drift, *, usual: str = "") -> str:
    """Say that customers leave faster, or more slowly, than they did, and that figures rest on it or do not.

    Parameters
    ----------
    found
        The change.
    usual
        What all years would say, to stand beside figures that rest on the last twelve months.
    """
    change = abs(found.recent / found.before - 1) if found.before else math.inf
    many = f"{percent(change)} {'higher' if found.faster else 'lower'}" if math.isfinite(change) else "higher"
    pace = f"churn of the last 12 months is {many} than before, at the same ages"
    text = f"Customers now leave {'faster' if found.faster else 'more slowly'}: {pace}."
    if not found.clear:
        text = f"Customers as a whole now leave at another pace. Among these, {pace}, which may be chance."
    if found.carries:
        return f"{text} Figures below rest on these 12 months" + (f"; over all years, {usual}." if usual else ".")
    likely = "long" if found.faster else "short"
    few = "because too few customers started in these 12 months"
    return f"{text} Figures below are averages over all years, {few}, so stays come out too {likely}."


def assumed_pace(*, recent: bool, by_start: bool = False) -> str:
    """Say at what pace customers are taken to go on leaving, beside a forecast of them.

    Parameters
    ----------
    recent
        Whether it is that of the last twelve months.
    by_start
        Whether quarters of start differ.
    """
    whom = "the same age and quarter of start" if by_start else "the same age"
    when = "did in the last 12 months" if recent else "have so far"
    return f"We assume that they go on leaving as customers of {whom} {when}."
