"""Rows that charts of answers show, picked from result tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from cslib.intervals import SIGNIFICANT

__all__ = [
    *("axis_unit", "bar_rows", "can_cross", "driver_rows", "score_rows", "score_unit"),
    *("smallest_change", "trend_rows"),
]

ALL: Final = "All"


def axis_unit(survey: str) -> str:
    """Name the unit of ``charts.lines_with_bands`` of a score."""
    return {"nps": "score", "csat": "percent"}.get(survey, "number")


def score_unit(survey: str) -> str:
    """Name the unit of ``format_value`` of a score: NPS and CES are numbers, CSAT is a share.

    Examples
    --------
    >>> score_unit("csat")
    'percent'
    """
    return "percent" if survey == "csat" else "number"


def bar_rows(table: pd.DataFrame, *, most: int = 24) -> pd.DataFrame:
    """Keep the rows that a chart of groups has room for, and name them; one column's segments by themselves.

    Parameters
    ----------
    table
        As from ``survey_scores.scores``.
    most
        Rows at most, in their order.

    Returns
    -------
    pandas.DataFrame
        The rows with answers, with ``name``.
    """
    rows = table[table["n_responses"] > 0].head(most)
    several = table["segment_by"].nunique() > 2
    name = rows["segment_by"] + ": " + rows["segment"] if several else rows["segment"]
    return rows.assign(name=name.where(rows["segment"] != ALL, ALL))


def score_rows(table: pd.DataFrame, columns: Sequence[str], *, most: int = 28) -> pd.DataFrame:
    """Keep the segments of some columns as rows of a forest plot, best first within each column.

    Parameters
    ----------
    table
        As from ``survey_scores.scores``.
    columns
        Columns to compare by.
    most
        Rows at most; columns are kept whole.

    Returns
    -------
    pandas.DataFrame
        With ``clear`` (adjusted p below 0.05).
    """
    rows = table[table["segment_by"].isin(list(columns)) & table["p_adjusted"].notna()]
    ends = rows.groupby("segment_by", sort=False)["segment"].size().cumsum()
    kept = rows[rows["segment_by"].isin(ends.index[ends <= most])]
    kept = kept if len(kept) else rows.head(most)
    return kept.assign(clear=kept["p_adjusted"] < SIGNIFICANT)


def can_cross(cells: pd.DataFrame) -> bool:
    """Tell whether cells make a grid: two rows and two columns at least."""
    return bool(cells["row"].nunique() > 1 and cells["column"].nunique() > 1)


def smallest_change(survey: str) -> tuple[float, str]:
    """Return a change worth seeing, in the unit of the score, and in words."""
    return {"nps": (5.0, "5 points"), "csat": (0.05, "5 points"), "ces": (0.5, "0.5")}[survey]


def driver_rows(table: pd.DataFrame, *, most: int = 15) -> pd.DataFrame:
    """Keep the levels that move the score most, as rows of a forest plot of differences.

    Parameters
    ----------
    table
        As from ``survey_scores.scores``.
    most
        Rows at most.

    Returns
    -------
    pandas.DataFrame
        ``segment_by``, ``segment``, ``level`` (both in one), ``share``, ``n_responses``, ``difference``, ``ci_lower``,
        ``ci_upper``, ``p_adjusted``, ``clear`` (bool), ``contribution``; the largest contribution first.
    """
    rows = table[table["contribution"].notna() & table["difference_ci_lower"].notna()]
    rows = rows.iloc[rows["contribution"].abs().argsort(kind="stable")[::-1]].head(most)
    renamed = {
        "difference_from_rest": "difference",
        "difference_ci_lower": "ci_lower",
        "difference_ci_upper": "ci_upper",
    }
    rows = rows.drop(columns=["ci_lower", "ci_upper"]).rename(columns=renamed)
    rows = rows.assign(level=rows["segment_by"] + ": " + rows["segment"], clear=rows["p_adjusted"] < SIGNIFICANT)
    columns = ["segment_by", "segment", "level", "share", "n_responses", *renamed.values(), "p_adjusted", "clear"]
    return rows[[*columns, "contribution"]].reset_index(drop=True)


def trend_rows(trend: pd.DataFrame, *, most: int = 4) -> pd.DataFrame:
    """Keep the whole and the largest segments of a trend, with the answers as ``n_customers``."""
    sizes = trend.groupby("segment")["n_responses"].sum().drop(ALL, errors="ignore")
    kept = [ALL, *sizes.sort_values(ascending=False, kind="stable").index[:most]]
    return trend[trend["segment"].isin(kept)].assign(n_customers=trend["n_responses"].astype(float))
