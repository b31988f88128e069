"""What revenue tables let one say: the balance of a month, its largest movements, best and worst segment, definitions.

Each class holds the few figures that a sentence needs, read off a table of :mod:`cslib.revenue.movements` or
:mod:`cslib.revenue.spending`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd

__all__ = ["Balance", "Ends", "Moves", "Newest", "QuickRatios", "Spread", "recent_sales"]

GAINS: Final = ["new", "expansion", "reactivation"]
LOSSES: Final = ["churn", "contraction"]
FIRM: Final = 30  # customers: NRR of fewer is no headline


@dataclass(frozen=True)
class Balance:
    """The last month of all customers.

    Attributes
    ----------
    month
        Its first day.
    n_months
        Complete months there are.
    n_customers, mrr
        At its end.
    change, change_share
        Since its beginning, to the cent; and as a share of the MRR then (missing without any).
    won, lost
        New, expansion and reactivation; contraction and churn (not negative).
    quick_ratio
        won / lost; missing where nothing was lost.
    """

    month: pd.Timestamp
    n_months: int
    n_customers: int
    mrr: float
    change: float
    change_share: float
    won: float
    lost: float
    quick_ratio: float

    @classmethod
    def of(cls, moved: pd.DataFrame) -> Self:
        """Read it off ``movements``."""
        whole = moved[moved["segment"] == "All"]
        row = whole.iloc[-1]
        change = float(row.closing - row.opening)
        return cls(
            month=row.month,
            n_months=len(whole),
            n_customers=int(row.n_closing),
            mrr=float(row.closing),
            change=round(change, 2),
            change_share=change / row.opening if row.opening > 0 else np.nan,
            won=float(row[GAINS].sum()),
            lost=float(-row[LOSSES].sum()),
            quick_ratio=float(row.quick_ratio),
        )


@dataclass(frozen=True)
class Moves:
    """What moved MRR most over some months.

    Attributes
    ----------
    net
        All movements together, to the cent.
    gain, gained
        The largest movement up, as in ``new``, and its amount; empty and 0 where there was none.
    loss, lost
        The largest down (not negative).
    """

    net: float
    gain: str
    gained: float
    loss: str
    lost: float

    @classmethod
    def of(cls, steps: pd.DataFrame) -> Self:
        """Read them off ``waterfall``."""
        moves = steps.iloc[1:-1].set_index("step")["amount"]
        gain, loss = str(moves.idxmax()), str(moves.idxmin())
        up, down = max(float(moves[gain]), 0.0), max(float(-moves[loss]), 0.0)
        return cls(round(float(moves.sum()), 2), gain if up else "", up, loss if down else "", down)


@dataclass(frozen=True)
class QuickRatios:
    """Gains over losses of the last months together, and of as many before; missing where nothing was lost.

    Attributes
    ----------
    now, before
        The quick ratios; ``before`` is missing, too, where there are not as many months.
    n_months
        Months of ``now``.
    """

    now: float
    before: float
    n_months: int

    @classmethod
    def of(cls, moved: pd.DataFrame, *, months: int = 12) -> Self:
        """Read them off ``movements``."""
        rows = moved[moved["segment"] == "All"]
        last, earlier = rows.tail(months), rows.iloc[:-months].tail(months)
        return cls(_quick(last), _quick(earlier) if len(earlier) == months else np.nan, len(last))


def _quick(rows: pd.DataFrame) -> float:
    lost = -float(rows[LOSSES].to_numpy().sum())
    return float(rows[GAINS].to_numpy().sum()) / lost if lost > 0 else np.nan


@dataclass(frozen=True)
class Ends:
    """The segments of at least 30 customers with the highest and the lowest NRR of the last month."""

    best: str
    best_nrr: float
    worst: str
    worst_nrr: float

    @classmethod
    def of(cls, kept: pd.DataFrame) -> Self | None:
        """Read them off ``trailing``; None where fewer than two segments have so many."""
        last = kept[kept["month"] == kept["month"].max()]
        parts = last[(last["segment"] != "All") & (last["n_opening"] >= FIRM)].sort_values("nrr")
        if len(parts) < 2:
            return None
        low, high = parts.iloc[0], parts.iloc[-1]
        return cls(str(high.segment), float(high.nrr), str(low.segment), float(low.nrr))


@dataclass(frozen=True)
class Newest:
    """The share of the last MRR that customers of the latest year of start bring; ``alone``: there are no others."""

    cohort: str
    share: float
    alone: bool

    @classmethod
    def of(cls, layers: pd.DataFrame) -> Self | None:
        """Read it off ``layers``; None where no MRR is left."""
        last = layers[layers["month"] == layers["month"].max()].set_index("cohort")["mrr"]
        total, newest = float(last.sum()), str(last.index.max())
        return cls(newest, float(last[newest]) / total, alone=len(last) == 1) if total > 0 else None


@dataclass(frozen=True)
class Spread:
    """The rate of which conventions lie farthest apart, for its size: its lowest and highest value (0–1)."""

    measure: str
    lowest: float
    highest: float

    @classmethod
    def of(cls, ways: pd.DataFrame) -> Self | None:
        """Read it off ``conventions``; None where there was no opening, so that no rate has a value."""
        values = ways.dropna(subset="value").groupby("measure", sort=False)["value"].agg(["min", "max", "size"])
        rates = values.loc[(values["size"] > 1) & ~values.index.isin(["quick ratio", "NRR"]), ["min", "max"]]
        if pd.isna(ways["value"].iloc[0]) or rates.empty:
            return None
        apart = (rates["max"] - rates["min"]) / rates.abs().max(axis=1).clip(lower=1e-9)
        widest = str(apart.idxmax())
        return cls(widest, *rates.loc[widest].astype(float))


def recent_sales(sold: pd.DataFrame) -> pd.DataFrame:
    """Pick upsell and cross-sell of the last month of ``conversions``; no rows where there were no orders."""
    last = sold[(sold["month"] == sold["month"].max()) & (sold["n_all"] > 0)]
    return last.set_index("kind").reindex([k for k in ("upsell", "cross_sell") if k in set(last["kind"])]).reset_index()
