"""The catalogue of KPIs: what each one asks, how it is computed, in which unit, and which way is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from cslib.errors import DataError, did_you_mean

__all__ = ["CATALOGUE", "GROUPS", "PASS_ONE", "Kpi", "Target", "catalogue", "read_targets"]

GROUPS: Final = ("growth", "retention", "value", "sentiment", "engagement")
LIKELY_PERCENT: Final = 5.0  # a share above it was meant in percent, where it can pass 1
PASS_ONE: Final = ("nrr", "crc_share_of_margin")


@dataclass(frozen=True)
class Kpi:
    """One figure that a team steers by.

    Attributes
    ----------
    label
        For readers.
    group
        One of `GROUPS`.
    question
        That it answers.
    formula
        The definition used here.
    unit
        Of ``show.formats.format_value``.
    direction
        ``up`` or ``down`` (which is good), or ``band``.
    months
        Length of a period, and the distance between two that are compared.
    sources
        Tables it is made of.
    needs
        What to add where it cannot be measured.
    blank
        Why it can be missing although the tables are there.
    variants
        Other definitions in use.
    grows
        It follows from its last value, such as MRR, so that its changes are judged and not its level.
    twin
        The KPI that says the same in another way.
    exact
        It is counted, not estimated from a sample, so that it has no interval and needs none.
    """

    label: str
    group: str
    question: str
    formula: str
    unit: str
    direction: str
    months: int
    sources: tuple[str, ...]
    needs: str
    blank: str
    variants: tuple[str, ...] = ()
    grows: bool = False
    twin: str = ""
    exact: bool = False


_PAID: Final = (("subscriptions",), "subscriptions")
_STAYED: Final = (("customers",), "customers with dates, or subscriptions")
_SOLD: Final = (("orders",), "orders with a kind")
_SPENT: Final = (("costs", "subscriptions"), "costs, and subscriptions")
_PRICED: Final = (("customers", "subscriptions"), "customers, and their price: subscriptions, mrr or orders")
_WON: Final = (("customers", "subscriptions", "costs"), "a price, and costs or acquisition_cost of customers")
_ASKED: Final = (("surveys",), "surveys")
_USED: Final = (("usage", "customers"), "usage, and customers with dates")
_NOBODY: Final = "nobody was a customer when the period began, as far as records reach"
_NO_ORDERS: Final = "there were no orders in the period"
_NO_COSTS: Final = "costs are missing for a month of the period, or there is nobody to spread them over"
_NO_CAC: Final = "no acquisition cost is known, or nobody started in the months it is known of"
_NO_CHURN: Final = "nobody left, or early ages were not observed"
_NO_ANSWERS: Final = "nobody answered in the period"
CATALOGUE: Final = {
    "mrr": Kpi(
        "MRR", "growth", "How much recurs every month?",
        "MRR of all subscriptions that cover the last day of the month", "money", "up", 1, *_PAID,
        "there are no customers", ("discounts and trials count as priced",), grows=True, exact=True,
    ),
    "arpa": Kpi(
        "ARPA", "growth", "What does a customer pay a month?", "MRR / customers who pay", "money", "up", 1, *_PAID,
        "nobody pays", ("over all customers, trials included",), grows=True,
    ),
    "quick_ratio": Kpi(
        "Quick ratio", "growth", "How much MRR comes for each 1 that goes?",
        "(new + expansion + reactivation) / (contraction + churn)", "number", "up", 1, *_PAID,
        "nothing was lost in the month", ("without reactivation",),
    ),
    "upsell_rate": Kpi(
        "Upsell rate", "growth", "How many orders are upsells?", "upsell orders / orders of any kind", "percent",
        "up", 12, *_SOLD, _NO_ORDERS, ("over customers instead of orders",),
    ),
    "cross_sell_rate": Kpi(
        "Cross-sell rate", "growth", "How many orders are cross-sells?", "cross-sell orders / orders of any kind",
        "percent", "up", 12, *_SOLD, _NO_ORDERS, ("over customers instead of orders",),
    ),
    "cac": Kpi(
        "CAC", "growth", "What does it cost to win a customer?", "acquisition cost / new customers", "amount", "down",
        12, *_SPENT, _NO_COSTS, ("mean acquisition_cost of customers",), exact=True,
    ),
    "customer_churn_rate": Kpi(
        "Customer churn", "retention", "How many customers leave a month?",
        "customers of the month's start who left in it / customers of its start", "percent", "down", 1, *_STAYED,
        _NOBODY, ("over the average base", "per customer-day", "newcomers in the base (Stripe)"),
    ),
    "customer_retention_rate": Kpi(
        "Customer retention", "retention", "How many customers stay a month?", "1 − customer churn rate", "percent",
        "up", 1, *_STAYED, _NOBODY, ("by cohort and age",), twin="customer_churn_rate",
    ),
    "revenue_churn_rate": Kpi(
        "Revenue churn", "retention", "How much MRR is lost a month?", "(churn + contraction) / opening MRR",
        "percent", "down", 1, *_PAID, _NOBODY,
        ("cancellations only", "net of expansion", "net of expansion and reactivation (ChartMogul)"),
    ),
    "revenue_retention_rate": Kpi(
        "Revenue retention", "retention", "How much MRR is kept a month?", "1 − revenue churn rate", "percent", "up",
        1, *_PAID, _NOBODY, ("net of expansion",), twin="revenue_churn_rate",
    ),
    "nrr": Kpi(
        "NRR over 12 months", "retention", "What do the customers of a year ago bring today?",
        "MRR today of customers of 12 months before / their MRR then", "percent", "up", 12, *_PAID,
        "nobody was a customer 12 months before, as far as records reach", ("month by month", "with reactivation"),
    ),
    "grr": Kpi(
        "GRR over 12 months", "retention", "And without what some of them added?",
        "as NRR, each customer counted up to its MRR then", "percent", "up", 12, *_PAID,
        "nobody was a customer 12 months before, as far as records reach", ("month by month",), twin="nrr",
    ),
    "crc": Kpi(
        "CRC a month", "retention", "What does it cost to keep a customer for a month?",
        "retention cost / customers retained, month by month", "amount", "down", 12, *_SPENT, _NO_COSTS,
        ("a year's cost per customer",), exact=True,
    ),
    "crc_share_of_margin": Kpi(
        "CRC as share of margin", "retention", "How much of the margin it protects does retention cost?",
        "retention cost / (MRR of the retained × gross margin)", "percent", "band", 12, *_SPENT, _NO_COSTS,
        ("share of revenue",), twin="crc", exact=True,
    ),
    "ltv": Kpi(
        "LTV (survival form)", "value", "What is a new customer worth?",
        "Σ over 36 months (or twice the time observed, if less) of margin at age k × share still here, discounted, "
        "less retention and acquisition cost", "money", "up", 3,
        *_PRICED, _NO_CHURN, ("newest customers", "constant ARPA", "sBG and BdW"), grows=True,
    ),
    "ltv_formula_a": Kpi(
        "LTV (formula A)", "value", "And as profit over a mean life?",
        "ARPA × margin × months − acquisition and retention cost, months = 1 / churn rate", "money", "up", 3, *_PRICED,
        "nobody left", grows=True, twin="ltv",
    ),
    "ltv_formula_b": Kpi(
        "LTV (formula B)", "value", "And as revenue over a mean life?", "ARPA × months, months = 1 / churn rate",
        "money", "up", 3, *_PRICED, "nobody left", grows=True, twin="ltv",
    ),
    "ltv_formula_c": Kpi(
        "LTV (formula C)", "value", "And as margin at a constant churn rate?", "ARPA × margin / monthly churn rate",
        "money", "up", 3, *_PRICED, "nobody left", grows=True, twin="ltv",
    ),
    "ltv_to_cac": Kpi(
        "LTV : CAC", "value", "How many times does a customer earn back its cost?",
        "LTV (survival form, before acquisition cost) / CAC", "number", "up", 3, *_WON,
        _NO_CAC, ("LTV by formula C",), grows=True,
    ),
    "payback_months": Kpi(
        "Payback", "value", "When has a customer earned back its cost?",
        "first month in which margin × survival adds up to CAC", "months", "down", 3, *_WON,
        _NO_CAC, ("CAC / (ARPA × margin)",), grows=True, twin="ltv_to_cac",
    ),
    "nps": Kpi(
        "NPS", "sentiment", "Would customers recommend us?", "100 × (share of 9–10 − share of 0–6)", "number", "up",
        3, *_ASKED, _NO_ANSWERS, ("weighted for the silent",),
    ),
    "csat": Kpi(
        "CSAT", "sentiment", "Are customers satisfied?", "share of answers 4–5 of 5", "percent", "up", 3, *_ASKED,
        _NO_ANSWERS, ("mean answer",),
    ),
    "ces": Kpi(
        "CES", "sentiment", "How hard is it for customers?", "mean answer, 1 is easy", "number", "down", 3, *_ASKED,
        _NO_ANSWERS, ("share of easy answers",),
    ),
    "response_rate": Kpi(
        "NPS response rate", "sentiment", "How many of those asked answer?",
        "customers who answered / customers asked", "percent", "up", 3, *_ASKED,
        "nobody was asked in the period, or only answers are recorded", ("over invitations",),
    ),
    "usage_frequency": Kpi(
        "Uses per active customer", "engagement", "How often is it used a month?",
        "uses in the month / customers who used it", "number", "up", 1, *_USED, "nobody used it",
        ("days of use",),
    ),
    "active_share": Kpi(
        "Active customers", "engagement", "How many customers use it?",
        "customers with a use in the month / customers at its end", "percent", "up", 1, *_USED,
        "there were no customers", ("by day (DAU/MAU)",),
    ),
    "feature_adoption": Kpi(
        "Feature adoption", "engagement", "How much of it do customers use?",
        "share of customers who used a feature in the month, mean over features (or of the one named)", "percent",
        "up", 1, _USED[0], "usage with a feature, and customers with dates",
        "there were no customers, or no feature is named",
        ("ever used", "over active customers"),
    ),
    "time_to_value": Kpi(
        "Time to value", "engagement", "How long until customers get value?",
        "days in which half of those who started have used it (or the feature named) first, churn before it counted",
        "days", "down", 3, *_USED, "nobody started in the period, or fewer than half of those who did have got there",
        ("share who got there in 30 days", "mean of those who did (too short)"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What a KPI is to reach: at least ``low``, at most ``high``; an end that is open is infinite."""

    low: float
    high: float


def catalogue() -> pd.DataFrame:
    """Lay the catalogue out as a table.

    Returns
    -------
    pandas.DataFrame
        ``kpi``, ``label``, ``group``, ``question``, ``formula``, ``unit``, ``direction``, ``sources``, ``variants``.

    Examples
    --------
    >>> catalogue().set_index("kpi").loc["nrr", "formula"]
    'MRR today of customers of 12 months before / their MRR then'
    """
    columns = ["label", "group", "question", "formula", "unit", "direction"]
    return pd.DataFrame(
        {
            "kpi": name,
            **{c: getattr(kpi, c) for c in columns},
            "sources": ", ".join(kpi.sources),
            "variants": "; ".join(kpi.variants),
        }
        for name, kpi in CATALOGUE.items()
    )


def read_targets(given: Any, kpis: Mapping[str, Kpi] = CATALOGUE) -> dict[str, Target]:
    """Read the targets of a data set.

    Parameters
    ----------
    given
        Mapping of KPI to a number, or to a list of two: the ends of a band.
    kpis
        The catalogue.

    Returns
    -------
    dict of str to Target

    Raises
    ------
    DataError
        A KPI is not in the catalogue, a target is no number, two that do not ascend, one number for a KPI that is to
        stay in a band, or a share that was written in percent.

    Examples
    --------
    >>> read_targets({"nps": 30, "customer_churn_rate": 0.02})["customer_churn_rate"]
    Target(low=-inf, high=0.02)
    """
    for name in given:
        if name not in kpis:
            msg = f"[targets] names {name!r}, which is no KPI. {did_you_mean(str(name), kpis)}"
            raise DataError(msg)
    return {name: _target(name, kpis[name], value) for name, value in given.items()}


def _target(name: str, kpi: Kpi, value: Any) -> Target:
    ends = value if isinstance(value, list) else [value]
    number = all(isinstance(e, (int, float)) and not isinstance(e, bool) and abs(e) < float("inf") for e in ends)
    if not number or len(ends) not in (1, 2) or ends != sorted(ends) or (isinstance(value, list) and len(ends) == 1):
        msg = f"[targets]: {name} is {value!r}. Give a number, or the two ends of a band: {name} = [1, 2]."
        raise DataError(msg)
    most = LIKELY_PERCENT if name in PASS_ONE else 1.0
    if kpi.unit == "percent" and (min(ends) < 0 or max(ends) > most):
        hint = f"Did you mean {max(ends) / 100:g}?" if max(ends) > most else "Give a number from 0 on."
        msg = f"[targets]: {name} is {value!r}, but it is a share of 1. {hint}"
        raise DataError(msg)
    if len(ends) == 2:
        return Target(float(ends[0]), float(ends[1]))
    if kpi.direction == "band":
        msg = f"[targets]: {name} is to stay in a band. Give both ends: {name} = [{ends[0]!r}, {ends[0] * 2!r}]."
        raise DataError(msg)
    end = float(ends[0])
    return Target(end, float("inf")) if kpi.direction == "up" else Target(float("-inf"), end)
