"""Sentences of the revenue report: what recurs, what moved it, and what is kept of it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import counted
from cslib.show.display import Card
from cslib.show.formats import between, format_value, percent

__all__ = [
    "conventions_finding",
    "conventions_shown",
    "conversion_sentences",
    "cost_sentence",
    "layers_finding",
    "movements_finding",
    "revenue_answer",
    "revenue_cards",
    "revenue_subtitle",
    "trailing_finding",
    "waterfall_finding",
]

LOSSES: Final = ("churn", "contraction")
GAINS: Final = ("new", "expansion", "reactivation")
NAMES: Final = {"upsell": "Upsell", "cross_sell": "Cross-sell"}
HOW_TO_READ_TRAILING: Final = (
    "Each point looks at the customers of twelve months before: their MRR of today over their MRR of then. Above "
    "100 %, those who grew outweigh those who shrank or left. The band is the 95 % interval; the numbers are these "
    "customers."
)


def _whole(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["segment"] == "All"]


def _money(value: float, currency: str) -> str:
    return format_value(value, "money", currency)


def revenue_subtitle(moved: pd.DataFrame) -> str:
    """Say in one line which months and how many customers the report is about."""
    rows = _whole(moved)
    n = counted(int(rows["n_closing"].iloc[-1]), "paying customer")
    return f"{n} at the end of {rows['month'].iloc[-1]:%B %Y} · {counted(len(rows), 'complete month')}"


def revenue_answer(moved: pd.DataFrame, kept: pd.DataFrame, *, currency: str = "") -> str:
    """Answer "what recurs, and does it hold?" in at most three sentences.

    Parameters
    ----------
    moved, kept
        As from ``revenue.movements.movements`` and ``revenue.movements.trailing``; the latter may be empty.
    currency
        Of the amounts.

    Returns
    -------
    str
        With ``**bold**`` parts.
    """
    row = _whole(moved).iloc[-1]
    change = row.closing - row.opening
    month = f"{row.month:%B %Y}"
    now = f"**{_money(row.closing, currency)} a month recurs** at the end of {month}"
    if row.opening > 0:
        way = "more" if change > 0 else "less"
        now += (
            f", {percent(abs(change) / row.opening)} {way} than a month before"
            if round(change, 2)
            else ", as a month before"
        )
    return " ".join(filter(None, [f"{now}.", _held(kept), _balance(row, currency)]))


def _held(kept: pd.DataFrame) -> str:
    rows = _whole(kept) if len(kept) else kept
    if rows.empty:
        return "No customer has been here for a year, so what is kept of a year's revenue is not known yet."
    row = rows.iloc[-1]
    interval = f"95 % interval {between(row.nrr_ci_lower, row.nrr_ci_upper)}, " if pd.notna(row.nrr_ci_lower) else ""
    known = f"(NRR, {interval}{counted(int(row.n_opening), 'customer')})"
    first = f"**Customers of a year ago bring {percent(row.nrr)} of what they brought then** {known}"
    return f"{first}, and {percent(row.grr)} without what some of them added (GRR)."


def _balance(row: pd.Series[Any], currency: str) -> str:
    won, lost = sum(row[k] for k in GAINS), -sum(row[k] for k in LOSSES)
    text = f"In {row.month:%B}, {_money(won, currency)} came and {_money(lost, currency)} went"
    return f"{text}: quick ratio {format_value(row.quick_ratio)}." if pd.notna(row.quick_ratio) else f"{text}."


def revenue_cards(moved: pd.DataFrame, kept: pd.DataFrame, *, currency: str = "") -> list[Card]:
    """Make the headline cards: MRR, NRR and GRR over a year, and customer churn.

    Parameters
    ----------
    moved, kept
        As for :func:`revenue_answer`.
    currency
        Of the amounts.

    Returns
    -------
    list of Card
    """
    row = _whole(moved).iloc[-1]
    detail = f"{_money(row.arpa, currency)} a customer" if pd.notna(row.arpa) else ""
    cards = [Card("MRR", row.closing, "money", n=int(row.n_closing), currency=currency, detail=detail)]
    if len(kept):
        last = _whole(kept).iloc[-1]
        for name in ("nrr", "grr"):
            ends = last[f"{name}_ci_lower"], last[f"{name}_ci_upper"]
            cards.append(Card(f"{name.upper()} over 12 months", last[name], "percent", *ends, int(last.n_opening)))
    ends = row.logo_churn_ci_lower, row.logo_churn_ci_upper
    why = "" if pd.notna(row.logo_churn_rate) else "no customers at its beginning"
    cards.append(
        Card(f"Customer churn, {row.month:%B}", row.logo_churn_rate, "percent", *ends, int(row.n_opening), detail=why)
    )
    return cards


def waterfall_finding(steps: pd.DataFrame, *, period: str, currency: str = "") -> str:
    """State the largest movements up and down, and what they come to.

    Parameters
    ----------
    steps
        As from ``revenue.movements.waterfall``.
    period
        What it is about, such as ``June 2025``.
    currency
        Of the amounts.

    Returns
    -------
    str
    """
    moves = steps.iloc[1:-1].set_index("step")["amount"]
    net = float(moves.sum())
    sign = "up" if net > 0 else "down"
    text = f"{period}: MRR {sign} {_money(abs(net), currency)}" if round(net, 2) else f"{period}: MRR as before"
    most, least = moves.idxmax(), moves.idxmin()
    parts = [f"{_money(moves[most], currency)} {_word(str(most))}"] if moves[most] > 0 else []
    parts += [f"{_money(-moves[least], currency)} lost to {least}"] if moves[least] < 0 else []
    return f"{text}: {' against '.join(parts)}" if parts else text


def _word(kind: str) -> str:
    return {"new": "from new customers", "reactivation": "won back"}.get(kind, f"of {kind}")


def movements_finding(moved: pd.DataFrame, *, months: int = 12) -> str:
    """State the quick ratio of the last months against those before."""
    rows = _whole(moved)
    last, before = rows.tail(months), rows.iloc[: -months or None].tail(months)
    now, then = (_quick(r) for r in (last, before))
    span = counted(len(last), "month")
    if np.isnan(now):
        return f"Nothing was lost in the last {span}"
    text = f"{format_value(now)} came for each 1 that went in the last {span}"
    return (
        f"{text}, {format_value(then)} in the {len(before)} before"
        if len(before) == months and np.isfinite(then)
        else text
    )


def _quick(rows: pd.DataFrame) -> float:
    won, lost = rows[list(GAINS)].to_numpy().sum(), -rows[list(LOSSES)].to_numpy().sum()
    return float(won / lost) if lost > 0 else np.nan


def trailing_finding(kept: pd.DataFrame) -> str:
    """State NRR and GRR of the last month, and of the best and the worst segment."""
    rows = kept[kept["month"] == kept["month"].max()]
    row = _whole(rows).iloc[0]
    text = f"{row.month:%B %Y}: NRR {percent(row.nrr)}, GRR {percent(row.grr)}"
    parts = rows[(rows["segment"] != "All") & (rows["n_opening"] >= 30)].sort_values("nrr")
    if len(parts) < 2:
        return text
    low, high = parts.iloc[0], parts.iloc[-1]
    return f"{text}; NRR of {high.segment} {percent(high.nrr)}, of {low.segment} {percent(low.nrr)}"


def layers_finding(layers: pd.DataFrame) -> str:
    """State which share of MRR comes from customers of the last year and of earlier ones."""
    last = layers[layers["month"] == layers["month"].max()].set_index("cohort")["mrr"]
    total = float(last.sum())
    if not total > 0:
        return "No MRR is left"
    newest = str(last.index.max())
    if len(last) == 1:
        return f"All MRR comes from customers who came in {newest}"
    return (
        f"{percent(last[newest] / total)} of MRR comes from customers who came in {newest}, the rest from earlier ones"
    )


def conventions_finding(table: pd.DataFrame) -> str:
    """State how far the conventions of vendors lie apart, for the measure where they differ most."""
    spans = table.dropna(subset="value").groupby("measure", sort=False)["value"].agg(["min", "max", "size"])
    spans = spans.loc[(spans["size"] > 1) & ~spans.index.isin(["quick ratio", "NRR"]), ["min", "max"]]
    if pd.isna(table["value"].iloc[0]) or spans.empty:
        return "No rate can be given: there was no opening"
    name = str(((spans["max"] - spans["min"]) / spans.abs().max(axis=1).clip(lower=1e-9)).idxmax())
    low, high = (f"{100 * v:.1f}".replace("-", "−") for v in spans.loc[name].to_numpy(float))
    return f"{name[0].upper()}{name[1:]} is {low} to {high} % a month, depending on whose definition is used"


def conventions_shown(table: pd.DataFrame) -> list[str]:
    """Write each value in its unit: rates in percent, the quick ratio as a number."""
    kinds = ["number" if m == "quick ratio" else "percent" for m in table["measure"]]
    return [format_value(v, kind) for v, kind in zip(table["value"], kinds, strict=True)]


def conversion_sentences(table: pd.DataFrame) -> list[str]:
    """Say how many of the last orders were upsells and cross-sells.

    Parameters
    ----------
    table
        As from ``revenue.spending.conversions`` over twelve months.

    Returns
    -------
    list of str
        One per kind; none where there were no orders.
    """
    last = table[(table["month"] == table["month"].max()) & (table["n_all"] > 0)] if len(table) else table
    rows = [(name, row) for kind, name in NAMES.items() for _, row in last[last["kind"] == kind].iterrows()]
    return [
        f"**{name} rate {percent(r.rate)}** ({between(r.ci_lower, r.ci_upper)}): {r.n:,} of {r.n_all:,} orders "
        "of the last twelve months."
        for name, r in rows
    ]


def cost_sentence(costs: pd.DataFrame, *, currency: str = "") -> str:
    """Say what keeping and winning customers cost over the months taken together.

    Parameters
    ----------
    costs
        As from ``revenue.spending.retention_cost``.
    currency
        Of the amounts.

    Returns
    -------
    str
    """
    row = costs.iloc[-1]
    until = f"{row.month:%B %Y}"
    parts = []
    if pd.notna(row.crc):
        margin = f", {percent(row.share_of_margin)} of the margin they bring" if pd.notna(row.share_of_margin) else ""
        parts.append(f"keeping a customer cost {format_value(row.crc, 'amount', currency)} a month{margin}")
    if pd.notna(row.cac):
        parts.append(f"winning one {format_value(row.cac, 'amount', currency)}")
    if not parts:
        return (
            f"Costs are missing for some of the months up to {until}, so the cost of keeping or winning is not known."
        )
    return f"Over the months up to {until}, {', and '.join(parts)}."
