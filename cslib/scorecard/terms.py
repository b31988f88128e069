"""What KPIs are in plain words: a name behind which the abbreviation stands, and a line that explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple


class Term(NamedTuple):
    """A plain name, with the abbreviation behind it, and what it means; without a name that of the KPI is plain."""

    name: str
    means: str


VALUE: Final = "The margin that a new customer brings over the time looked ahead, less all that they cost."
TERMS: Final[Mapping[str, Term]] = {
    "mrr": Term("Monthly recurring revenue (MRR)", "What all running subscriptions bring in a month."),
    "arpa": Term("Average revenue per account (ARPA)", "What a paying customer brings in a month, on average."),
    "quick_ratio": Term(
        "Revenue won per 1 lost (quick ratio)",
        "MRR of the month that is new, expanded or won back, for each 1 that was cancelled or reduced.",
    ),
    "cac": Term(
        "Cost to win a customer (CAC)",
        "Customer acquisition cost: what was spent on winning customers, per new customer.",
    ),
    "nrr": Term(
        "Net revenue retention (NRR) over 12 months",
        "What the customers of a year ago pay today, with all that they added, as a share of what they paid then.",
    ),
    "grr": Term(
        "Gross revenue retention (GRR) over 12 months",
        "As net revenue retention, but without what customers added: it shows the losses alone.",
    ),
    "crc": Term(
        "Cost to keep a customer (CRC) a month",
        "Customer retention cost: what was spent on keeping customers, per customer kept and month.",
    ),
    "crc_share_of_margin": Term(
        "Retention cost (CRC) as share of margin",
        "What was spent on keeping customers, as a share of the margin that these customers brought.",
    ),
    "ltv": Term("Lifetime value (LTV)", VALUE),
    "ltv_formula_a": Term("Lifetime value (LTV), formula A", "The margin of a mean life, less all costs."),
    "ltv_formula_b": Term("Lifetime value (LTV), formula B", "The revenue of a mean life."),
    "ltv_formula_c": Term("Lifetime value (LTV), formula C", "The margin at a constant churn rate."),
    "ltv_to_cac": Term(
        "Lifetime value per cost to win (LTV:CAC)",
        "How many times over a customer earns back what they cost to win. 3 times is a common aim.",
    ),
    "nps": Term(
        "Net promoter score (NPS)",
        "Share of answers that recommend us (9 or 10 of 10) minus share that do not (0 to 6): from −100 to 100.",
    ),
    "csat": Term("Customer satisfaction (CSAT)", "Share of answers that say satisfied: 4 or 5 of 5."),
    "ces": Term("Customer effort score (CES)", "Mean answer to how easy it was"),
    "response_rate": Term("", "Share of the customers asked for the net promoter score who answered."),
    "customer_churn_rate": Term("", "Share of a month's first customers who left in it; of 12 months, over all."),
    "customer_retention_rate": Term("", "Customers of the month's start who stayed, as a share of them."),
    "revenue_churn_rate": Term("", "MRR that was cancelled or reduced in the month, as a share of what it began with."),
    "revenue_retention_rate": Term("", "MRR of the month's start that was not cancelled or reduced, as a share of it."),
    "upsell_rate": Term("", "Upsells, as a share of all orders of the last 12 months."),
    "cross_sell_rate": Term("", "Cross-sells, as a share of all orders of the last 12 months."),
    "payback_months": Term("", "Months until a new customer has brought the margin that pays for winning them."),
    "usage_frequency": Term("", "How often those who used the product in the month did so, on average."),
    "active_share": Term("", "Customers who used the product in the month, as a share of all."),
    "feature_adoption": Term(
        "", "Share of customers who used a feature in the month: the one that brings value, or the mean over all."
    ),
    "time_to_value": Term("", "Days until half of the new customers have first used what brings them value."),
}


def terms(*, ces_scale: int, ces_lower_is_easier: bool) -> dict[str, Term]:
    """Give the terms by KPI, with the scale of CES.

    Examples
    --------
    >>> terms(ces_scale=7, ces_lower_is_easier=False)["ces"].means
    'Mean answer to how easy it was, from 1 (hard) to 7 (easy).'
    """
    ends = ("easy", "hard") if ces_lower_is_easier else ("hard", "easy")
    ces = TERMS["ces"]
    scale = f"{ces.means}, from 1 ({ends[0]}) to {ces_scale} ({ends[1]})."
    return {**TERMS, "ces": ces._replace(means=scale)}


def named(term: Term | None, label: str) -> str:
    """Name a KPI in plain words, its abbreviation behind them."""
    return term.name or label if term else label


def bare(name: str) -> str:
    """Write a plain name within a sentence, without its abbreviation.

    Examples
    --------
    >>> bare("Net revenue retention (NRR) over 12 months"), bare("NPS response rate")
    ('net revenue retention over 12 months', 'NPS response rate')
    """
    text = re.sub(r" \([^()]*\)", "", name)
    return text if text[:2].isupper() else f"{text[:1].lower()}{text[1:]}"
