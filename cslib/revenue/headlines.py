"""What revenue tables let one say: the balance of a month, its largest movements, best and worst segment, definitions.

Each function picks the row or the few figures that a sentence needs off a table of :mod:`cslib.revenue.movements` or
:mod:`cslib.revenue.spending`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.stats.intervals import FIRM

GAINS: Final = ["new", "expansion", "reactivation"]
LOSSES: Final = ["churn", "contraction"]


def balance(moved: pd.DataFrame) -> pd.Series[Any]:
    """Give the last month of all customers: its row of ``movements``, and what it comes to.

    Returns
    -------
    pandas.Series
        The row, and ``n_months`` (complete ones), ``change`` (since its beginning, to the cent), ``change_share``
        (of the MRR then; missing without any), ``won``, ``lost`` (not negative).
    """
    rows = moved[moved["segment"] == "All"]
    row = rows.iloc[-1]
    change = row.closing - row.opening
    more = {"n_months": len(rows), "change": round(change, 2), "won": row[GAINS].sum(), "lost": -row[LOSSES].sum()}
    more["change_share"] = change / row.opening if row.opening > 0 else np.nan
    return pd.concat([row, pd.Series(more, dtype=object)])


def largest_moves(steps: pd.DataFrame) -> pd.Series[Any]:
    """Name what moved MRR most in ``waterfall``.

    Returns
    -------
    pandas.Series
        ``net`` (all movements together, to the cent), ``gain`` and ``gained`` (the largest movement up, as in ``new``,
        and its amount, 0 where there was none), ``loss`` and ``lost`` (the largest down, not negative).
    """
    moves = steps.iloc[1:-1].set_index("step")["amount"]
    gained, lost = max(moves.max(), 0.0), max(-moves.min(), 0.0)
    ends = {"gain": moves.idxmax(), "gained": gained, "loss": moves.idxmin(), "lost": lost}
    return pd.Series({"net": round(moves.sum(), 2)} | ends, dtype=object)


def quick_ratios(moved: pd.DataFrame, *, months: int = 12) -> pd.Series[Any]:
    """Compare gains over losses of the last months together with those of as many before, in ``movements``.

    Returns
    -------
    pandas.Series
        ``now``, ``before`` (missing where nothing was lost, or there are not as many months before), ``n_months``
        (of ``now``).
    """
    rows = moved[moved["segment"] == "All"]
    last, earlier = rows.tail(months), rows.iloc[:-months].tail(months)
    before = _quick(earlier) if len(earlier) == months else np.nan
    return pd.Series({"now": _quick(last), "before": before, "n_months": len(last)}, dtype=object)


def _quick(rows: pd.DataFrame) -> float:
    lost = -float(rows[LOSSES].to_numpy().sum())
    return float(rows[GAINS].to_numpy().sum()) / lost if lost > 0 else np.nan


def best_and_worst(kept: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of ``trailing`` with the highest and the lowest NRR of the last month.

    Of segments with at least 30 customers; no rows where fewer than two have so many.
    """
    last = kept[kept["month"] == kept["month"].max()]
    parts = last[(last["segment"] != "All") & (last["n_opening"] >= FIRM)].sort_values("nrr")
    return parts.iloc[[-1, 0]] if len(parts) > 1 else parts.head(0)


def shares_by_year(layers: pd.DataFrame) -> pd.Series[Any]:
    """Share the last MRR of ``layers`` out by the year customers came, ascending; empty where none is left."""
    last = layers[layers["month"] == layers["month"].max()].set_index("cohort")["mrr"].sort_index()
    return last / last.sum() if last.sum() > 0 else last.head(0)


def spread(ways: pd.DataFrame) -> pd.Series[Any] | None:
    """Find the rate of ``conventions`` of which the values lie farthest apart, for its size.

    Returns
    -------
    pandas.Series or None
        ``min`` and ``max`` (0–1), named by the measure; None where there was no opening, so that no rate has a value.
    """
    values = ways.dropna(subset="value").groupby("measure", sort=False)["value"].agg(["min", "max", "size"])
    rates = values.loc[(values["size"] > 1) & ~values.index.isin(["quick ratio", "NRR"]), ["min", "max"]]
    if pd.isna(ways["value"].iloc[0]) or rates.empty:
        return None
    apart = (rates["max"] - rates["min"]) / rates.abs().max(axis=1).clip(lower=1e-9)
    return rates.loc[[apart.idxmax()]].iloc[0]


def recent_sales(sold: pd.DataFrame) -> pd.DataFrame:
    """Pick upsell and cross-sell of the last month of ``conversions``; no rows where there were no orders."""
    last = sold[(sold["month"] == sold["month"].max()) & (sold["n_all"] > 0)]
    return last[last["kind"].isin(["upsell", "cross_sell"])].sort_values("kind", ascending=False, ignore_index=True)
