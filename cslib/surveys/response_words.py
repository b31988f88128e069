"""Sentences of who answers, from the table of :func:`cslib.surveys.response.responses`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from cslib.errors import counted, listed
from cslib.show.formats import between, format_interval, format_value, literal, percent
from cslib.surveys.answers import SMALL, STATES
from cslib.surveys.scores import ALL
from cslib.surveys.words import MOST, PEOPLE

NAMED: Final = 2  # groups in a title, on either side
BESIDE: Final = 3  # groups of other columns in the table


def heading(table: pd.DataFrame, columns: Sequence[str], *, span: str = "") -> str:
    """State how many of those asked answered, and which segments clearly more or less often.

    Parameters
    ----------
    table
        As from ``surveys.response.responses``.
    columns
        Those that say what customers are.
    span
        What to call the window, with its preposition.
    """
    own = table[table["segment_by"].isin(columns)]
    share = " ".join(filter(None, [f"{percent(table['response_rate'].iloc[0])} of those asked", span, "answered"]))
    clear = own[own["clear"] & (own["segment"] != SMALL)].sort_values("response_rate", kind="stable")
    fewer = clear["difference_from_rest"] < 0
    sides = [("fewer", clear[fewer]), ("more", clear[~fewer][::-1])]
    several = own["segment_by"].nunique() > 1
    told = [f"clearly {side} in {_rates(rows, several=several)}" for side, rows in sides if len(rows)]
    if own["p_adjusted"].notna().any() and not told:
        by = [*dict.fromkeys(own["segment_by"])]
        told = [f"no clear difference {f'by {listed(by)}' if len(by) <= MOST else f'among {len(own)} groups'}"]
    return "; ".join([share, *told])


def _rates(rows: pd.DataFrame, *, several: bool) -> str:
    """List segments with their rates, and with their columns where several are compared."""
    each: Any = rows.head(NAMED).itertuples()
    more = [f"{counted(len(rows) - NAMED, 'other group')}"] * (len(rows) > NAMED)
    told = [(literal(row.segment), f"{row.segment_by}, " * several, percent(row.response_rate)) for row in each]
    return listed([*(f"{name} ({column}{rate})" for name, column, rate in told), *more])


def laid_out(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Write who answered: the whole, the segments of a column, and those of others who clearly differ most.

    Parameters
    ----------
    table
        As from ``surveys.response.responses``.
    split
        The column.

    Returns
    -------
    pandas.DataFrame
        Texts: ``segment``, ``asked``, ``answered``, ``against all others``.
    """
    own = table["segment_by"].isin([ALL, split])
    others = table[table["clear"] & ~own & (table["segment"] != SMALL)]
    most = others["difference_from_rest"].abs().nlargest(BESIDE).index
    rows: Any = table[own | table.index.isin(most)].itertuples()
    return pd.DataFrame([_row(row, alone=row.segment_by in (ALL, split)) for row in rows])


def _row(row: Any, *, alone: bool) -> dict[str, str]:
    name = row.segment if alone else f"{row.segment_by.removesuffix(' answer')}: {row.segment}"
    rate = f"{percent(row.response_rate)} ({between(row.response_ci_lower, row.response_ci_upper)})"
    apart, ends = row.difference_from_rest, (row.difference_ci_lower, row.difference_ci_upper)
    against = f"{format_value(apart, 'points')} ({format_interval(*ends, 'points', value=apart)})"
    against = against if pd.notna(ends[0]) else ""
    return {"segment": name, "asked": f"{row.n_invited:,}", "answered": rate, "against all others": against}


def elsewhere(table: pd.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """Name who answered clearly less and more often than others, by answers to other surveys and by earlier ones.

    Parameters
    ----------
    table, columns
        As for :func:`heading`.
    """
    clear = table[table["clear"] & ~table["segment_by"].isin(columns) & (table["segment"] != SMALL)]
    ranked = clear.sort_values("response_rate", kind="stable")
    lowest: Any = ranked[ranked["difference_from_rest"] < 0].head(1).itertuples()
    highest: Any = ranked[ranked["difference_from_rest"] > 0].tail(1).itertuples()
    fewest = [f"**Clearly fewer answered {_whose(row)}**: {percent(row.response_rate)}." for row in lowest]
    most = [f"Clearly more answered {_whose(row)}: {percent(row.response_rate)}." for row in highest]
    return (" ".join([*fewest, *most]),) if fewest or most else ()


def _whose(row: Any) -> str:
    survey = row.segment_by.removesuffix(" answer")
    name = survey.removeprefix("earlier ")
    before = " before" * (name != survey)
    if row.segment == STATES[1]:
        return f"among those never asked for {name}{before}"
    if row.segment == STATES[0]:
        return f"among those who did not answer {name}{before}"
    if before and row.segment not in PEOPLE:
        return f"among earlier {row.segment}"
    return f"among {PEOPLE.get(row.segment, row.segment)} ({name}{before})"
