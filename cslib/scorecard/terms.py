"""What abbreviations stand for: of each KPI that has one, its plain name and a line that explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple


class Term(NamedTuple):
    """A plain name, with the abbreviation behind it, what it means, and a unit that says more than that of the KPI."""

    name: str
    means: str
    unit: str = ""


VALUE: Final = "The margin that a new customer brings over the time looked ahead, less all that they cost."
TERMS: Final[Mapping[str, Term]] = {
    "mrr": Term("Monthly recurring revenue (MRR)", "What all running subscriptions bring in a month."),
    "arpa": Term("Average revenue per account (ARPA)", "What a paying customer brings in a month, on average."),
    "quick_ratio": Term(
        "Revenue won per 1 lost (quick ratio)",
        "MRR of the month that is new, expanded or won back, for each 1 that was cancelled or reduced.",
        "times",
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
        "times",
    ),
    "nps": Term(
        "Net promoter score (NPS)",
        "Share of answers that recommend us (9 or 10 of 10) minus share that do not (0 to 6): from −100 to 100.",
    ),
    "csat": Term("Customer satisfaction (CSAT)", "Share of answers that say satisfied: 4 or 5 of 5."),
    "ces": Term("Customer effort score (CES)", "Mean answer to how easy it was"),
    "response_rate": Term("NPS response rate", "Share of the customers asked for the net promoter score who answered."),
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


def explained(texts: Iterable[str], known: Mapping[str, Term]) -> dict[str, str]:
    """Give what names mean that stand in a table, behind which more may follow, such as the 12 months.

    Examples
    --------
    >>> explained(["Customer effort (CES), 12 months"], {"ces": Term("Customer effort (CES)", "How hard it is.")})
    {'Customer effort (CES), 12 months': 'How hard it is.'}
    """
    return {text: term.means for text in texts for term in known.values() if text.startswith(term.name)}
