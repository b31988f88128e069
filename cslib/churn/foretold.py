"""Whether reasons to call foretold leaving: who gave one when it could last be told, and who left since."""

from __future__ import annotations

from typing import Any, Final

import ibis
import numpy as np
import pandas as pd

from cslib.churn.signs import KINDS, with_signs
from cslib.data.calendar import observed
from cslib.data.customers import with_segment
from cslib.data.dataset import DataSet
from cslib.data.lifetimes import present
from cslib.data.lives import ended, settled
from cslib.stats.intervals import FIRM, SIGNIFICANT, weighted_sum, wilson

ANY: Final = "any reason"
SHARES: Final = (("churn_share", "n_customers"), ("others_share", "n_others"))
COLUMNS: Final = (
    *("reason", "n_customers", "n_churned", "churn_share", "ci_lower", "ci_upper"),
    *("n_others", "others_share", "difference", "difference_ci_lower", "difference_ci_upper", "n_left_out"),
)


def foretold(data: DataSet, past: DataSet, *, split: str = "") -> pd.DataFrame:
    """Hold those who gave a reason to call against those who gave none: how many left in the months that followed.

    Parameters
    ----------
    data, past
        What is known now, and what was at the earlier day, from :func:`cslib.data.dataset.rewind`. With pauses, who
        left is known up to :func:`cslib.data.lives.settled`, so that ``past`` ends as many months before that.
    split
        A column of which both are compared within each value; empty: all together.

    Returns
    -------
    pandas.DataFrame
        ``reason`` (``any reason`` first, then each kind that 30 customers or more gave), ``n_customers``,
        ``n_churned``, ``churn_share`` with its interval; ``n_others`` (who gave no reason) and ``others_share``, the
        share of these that left, each value of ``split`` counting as much as among those with the reason; the
        ``difference`` of the shares with its interval, of kinds one that allows for all of them; and ``n_left_out``
        (who gave the reason and is not counted). No rows where fewer than 30 gave any reason, or none.

    Notes
    -----
    Wilson intervals of the shares, put together by :func:`cslib.stats.intervals.weighted_sum` with weights that are
    taken as given; Bonferroni over the kinds. Customers of a value in which nobody is without a reason are left out:
    with whom to compare them is not known.
    """
    counts = _counts(data, past, split)
    none = counts[~counts[ANY]].groupby("segment")[["n", "left"]].sum()
    given = {reason: counts[counts[reason]].groupby("segment")[["n", "left"]].sum() for reason in (ANY, *KINDS)}
    alike = {reason: own.loc[own.index.isin(none.index)] for reason, own in given.items()}
    told = {reason: own for reason, own in alike.items() if own["n"].sum() >= FIRM}
    if ANY not in told or none["n"].sum() < FIRM:
        return pd.DataFrame(columns=[*COLUMNS])
    n = dict.fromkeys(told, len(told) - 1) | {ANY: 1}  # compared
    rows = [{"reason": r, **_beside(own, none, level=1 - SIGNIFICANT / n[r])} for r, own in told.items()]
    for row, reason in zip(rows, told, strict=True):
        row["n_left_out"] = int(given[reason]["n"].sum() - told[reason]["n"].sum())
    return pd.DataFrame(rows, columns=[*COLUMNS])


def telling(table: pd.DataFrame) -> list[str]:
    """Name the kinds of reasons that clearly foretold leaving, the fastest first, where others did not; else none.

    Parameters
    ----------
    table
        As from :func:`foretold`.
    """
    times = times_as_fast(table)
    return [*times] if len(times) < len(table) - 1 else []


def times_as_fast(table: pd.DataFrame) -> dict[str, float]:
    """Give how many times as fast as others those left whose kind of reason clearly foretold leaving, fastest first.

    Parameters
    ----------
    table
        As from :func:`foretold`.

    Returns
    -------
    dict
        By kind: the ratio of hazards, log(1 − share) / log(1 − share of others), as if both were
        the same all the time. Of a share of 0 or 1, half a customer is taken to have done otherwise.

    Examples
    --------
    >>> table = pd.DataFrame({"reason": [ANY, "low NPS", "tickets"], "difference_ci_lower": [0.1, 0.1, -0.1]})
    >>> table = table.assign(n_customers=100, churn_share=0.75, n_others=100, others_share=0.5)
    >>> {kind: round(times, 9) for kind, times in times_as_fast(table).items()}
    {'low NPS': 2.0}
    """
    clear = (table["reason"] != ANY) & (table["difference_ci_lower"] > 0)
    rows = table[clear].set_index("reason").astype(float)
    hazards = [_hazard(rows[share], rows[n]) for share, n in SHARES]
    times = (hazards[0] / hazards[1]).sort_values(ascending=False)
    return dict(zip(times.index.astype(str), times, strict=True))


def _hazard(share: pd.Series[float], n: pd.Series[float]) -> pd.Series[float]:
    return pd.Series(-np.log1p(-share.clip(0.5 / n, 1 - 0.5 / n)), share.index)


def _counts(data: DataSet, past: DataSet, split: str) -> pd.DataFrame:
    """Count the customers of then by their segment, the kinds of their reasons, and whether they have left since."""
    rows = with_signs(with_segment(present(past).select("customer_id"), past, split, today=True), past)
    gone = ended(data, begun=observed(past), after=settled(past), until=settled(data))  # known now, and not then
    left = gone.select("customer_id", gone=ibis.literal(value=True)).distinct()
    both = rows.left_join(left, "customer_id")
    kinds = {kind: rows["sign"].contains(mark) for kind, mark in KINDS.items()}
    each = both.select(segment=rows.segment, **kinds | {ANY: rows["sign"] != ""}, left=both.gone.fill_null(False))
    sums: Any = {"n": each.count(), "left": each.left.sum()}
    return each.group_by(["segment", ANY, *KINDS]).aggregate(**sums).execute()


def _beside(own: pd.DataFrame, none: pd.DataFrame, *, level: float) -> dict[str, float]:
    """Lay the share that left beside that of others, weighted by value as those with the reason are."""
    n, left = own.sum()
    others = none.loc[own.index]
    weights, shares = own["n"] / n, others["left"] / others["n"]
    share, expected = left / n, float((weights * shares).sum())
    successes, trials = np.r_[left, others["left"]], np.r_[n, others["n"]]
    bounds = wilson(successes, trials, confidence_level=level)
    apart = weighted_sum(np.r_[1, -weights], np.r_[share, shares], bounds)
    ends = wilson(left, n)
    told = {"n_customers": int(n), "n_churned": int(left), "churn_share": share}
    told |= {"ci_lower": float(ends.lower), "ci_upper": float(ends.upper), "n_others": int(others["n"].sum())}
    told |= {"others_share": expected, "difference": share - expected}
    return told | {"difference_ci_lower": float(apart.lower), "difference_ci_upper": float(apart.upper)}
