"""Sentences on reasons to call, from the table of :func:`cslib.churn.foretold.foretold`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from cslib.data.kpi import link_to
from cslib.errors import counted, listed
from cslib.show.formats import between, format_value, months, percent

REASONS: Final = {
    "any reason": "any reason", "stopped using it": "use that stopped", "low NPS": "a low NPS",
    "low CSAT": "a low CSAT", "tickets": "tickets",
}  # fmt: skip
BESIDE_PROMOTERS: Final = (
    "The survey report holds those with a low NPS against promoters alone: "
    f"{link_to('nps_segmentation#What does it cost?')}"
)
NOBODY_LEFT: Final = "Nobody has left since, so no reason to call could have foretold it."
UNTOLD: Final = "Whether reasons to call foretell leaving cannot be told from these data."
Row = Any  # of the table


def heading(table: pd.DataFrame, *, months_ahead: int) -> str:
    """State which reasons to call foretold leaving, and how all of them did.

    Parameters
    ----------
    table
        As from :func:`cslib.churn.foretold.foretold`, with rows.
    months_ahead
        Between the day when reasons were given and now.
    """
    rows: list[Row] = list(table.itertuples())
    every, *kinds = rows
    clear = [row for row in kinds if row.difference_ci_lower > 0]
    left = f"left within {months(months_ahead)}"
    gave = f"{percent(every.churn_share)} of those who gave one {ago(months_ahead)} {left}"
    gave = f"{gave}, {percent(every.others_share)} of others"
    if every.difference_ci_lower > 0 and len(clear) in (0, len(kinds)):
        return f"Reasons to call foretold leaving: {gave}"
    if not clear:
        return f"No reason to call clearly foretold leaving: {gave}"
    alone = f"Of reasons to call, only {named([row.reason for row in clear])} clearly foretold leaving"
    rates = f": {percent(clear[0].churn_share)} {left}, {percent(clear[0].others_share)} of others"
    return alone + rates * (len(clear) == 1)


def notes(table: pd.DataFrame, *, split: str = "", column: str = "") -> tuple[str, ...]:
    """Say who the others are, of which reasons fewer left, and that all customers are counted.

    Parameters
    ----------
    table, split
        As from, and for, :func:`cslib.churn.foretold.foretold`.
    column
        By which the rest of the report is about some customers; empty: it is about all.
    """
    kinds: list[Row] = list(table.iloc[1:].itertuples())
    fewer = named([row.reason for row in kinds if row.difference_ci_upper < 0])
    less = f"With {fewer}, clearly fewer left than of others." if fewer else ""
    others = f"Others are {f'customers of the same {split}' if split else 'customers'} who gave no reason."
    others += " Intervals of single reasons allow for all compared." * (len(kinds) > 1)
    whose = f"All customers are counted here, whatever their {column}." if column else ""
    if n := int(table["n_left_out"].iloc[0]):
        verb, everybody = "is" if n == 1 else "are", f"everybody of their {split} gave one"
        left_out = f"{counted(n, 'customer')} with a reason {verb} not counted: {everybody}, so nobody is like them."
        whose = f"{left_out} The others are counted whatever their {column}." if column else left_out
    answers = BESIDE_PROMOTERS if "low NPS" in table["reason"].tolist() else ""
    return tuple(filter(None, (less, others, whose, answers)))


def laid_out(table: pd.DataFrame, *, months_ahead: int) -> pd.DataFrame:
    """Write who gave which reason, and who left, for its readers: texts, one row per reason.

    Parameters
    ----------
    table, months_ahead
        As for :func:`heading`.
    """
    rows: list[Row] = list(table.itertuples())
    alone = len(rows) == 2 and rows[0].n_customers == rows[1].n_customers  # one kind, told once
    return pd.DataFrame([_row(row, months_ahead) for row in rows[alone:]])


def _row(row: Row, months_ahead: int) -> dict[str, Any]:
    left = f"{percent(row.churn_share)} ({between(row.ci_lower, row.ci_upper).removesuffix(' %')})"
    gap = (row.difference, row.difference_ci_lower, row.difference_ci_upper)
    apart, *ends = (format_value(v, "points").removesuffix(" points") for v in gap)
    told = {"Reason": row.reason[:1].upper() + row.reason[1:], f"Customers {ago(months_ahead)}": row.n_customers}
    told |= {f"Left within {months(months_ahead)}": left, "Others": percent(row.others_share)}
    return told | {"Difference, points": f"{apart} ({' to '.join(ends)})"}


def first_to_call(table: pd.DataFrame, kinds: Sequence[str], n: int, *, months_ahead: int, column: str = "") -> str:
    """Say who leads the list of whom to call, and what became of such customers before; empty: nobody does.

    Parameters
    ----------
    table, months_ahead
        As for :func:`heading`.
    kinds, n
        As from :func:`cslib.churn.foretold.telling`, and how many of those listed give one.
    column
        Of whose values the list holds one alone, where the rates are of all; empty: all.
    """
    told: list[Row] = list(table[table["reason"].isin(kinds)].itertuples())
    if not n or not told:
        return ""
    who = f"{'is' if n == 1 else 'are'} {counted(n, 'customer')} with {named([row.reason for row in told])}"
    all_of_them = f", of every {column}," * bool(column and not told[0].n_left_out)
    left = f"{percent(told[0].churn_share)} of such customers{all_of_them} left within {months(months_ahead)}"
    rates = f": {ago(months_ahead)}, {left}, {percent(told[0].others_share)} of others" * (len(told) == 1)
    return f"**First to call {who}**{rates}."


def named(kinds: Sequence[str]) -> str:
    """List kinds of reasons as a sentence has them.

    Examples
    --------
    >>> named(["low NPS", "tickets"])
    'a low NPS and tickets'
    """
    return listed([REASONS[kind] for kind in kinds]) if kinds else ""


def ago(months_ahead: int) -> str:
    """Say how long ago.

    Examples
    --------
    >>> ago(12), ago(6)
    ('a year ago', '6 months ago')
    """
    return "a year ago" if months_ahead == 12 else f"{months(months_ahead)} ago"
