"""The KPIs of each segment, held against those of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr
from scipy.stats import false_discovery_control

from cslib.data.kpi import Kpi
from cslib.scorecard.history import TOLD, WHOLE, Measured
from cslib.scorecard.scorecard import YEAR, told_by
from cslib.stats.intervals import FIRM, LEVEL, SIGNIFICANT, z_value

SAME: Final = 1e-6  # share by which the mean of the segments may miss the value of all
COMPARED: Final = ["kpi", "segment", "value", "ci_lower", "ci_upper", "n", "p_adjusted", "verdict", "judged_over"]


def beside_segments(table: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """Give the scorecard as segments are held against it.

    Returns
    -------
    pandas.DataFrame
        ``table`` with ``value``, ``ci_lower``, ``ci_upper`` and ``judged_over`` of the 12 months where segments are
        measured over these; ``judged_over`` is empty elsewhere.
    """
    by_segment = measured.years["kpi"].isin(measured.years.loc[measured.years["segment"] != WHOLE, "kpi"])
    year = measured.years[by_segment & (measured.years["segment"] == WHOLE)].set_index("kpi")
    over = table["kpi"].isin(year.index)
    ends = ["value", "ci_lower", "ci_upper"]
    known = table.assign(judged_over=np.where(over, TOLD, ""))
    known.loc[over, ends] = year.loc[table.loc[over, "kpi"], ends].to_numpy(float)
    return known


def compared(table: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """Hold the KPIs of each segment against those of the other segments together.

    Parameters
    ----------
    table
        As from :func:`cslib.scorecard.scorecard.scorecard`.
    measured
        What it is made of.

    Returns
    -------
    pandas.DataFrame
        As from :meth:`cslib.scorecard.history.Measured.by_segment`, with ``p_adjusted`` (by the method of Benjamini and
        Hochberg over all comparisons; missing where there is no interval, or another KPI tells it) and ``verdict``
        (``above`` or ``below`` the others where that is below 0.05, else empty). What the topic of a KPI says of a
        segment is taken as it is, so that reports agree. ``judged_over`` is ``12 months`` where the value is of these.

    Notes
    -----
    Where the value of all customers is the mean of the segments' values, by ``n`` or by the KPI that
    :attr:`cslib.data.kpi.Kpi.weight` names, as the period began, the others are the mean of the other segments: they
    share no customers, so that the interval of the difference is made of theirs as of independent samples. Other KPIs,
    such as medians and LTV, are held against all customers, as if these were another sample, which finds less. Of all
    marks, one in twenty is expected to be chance; segments with fewer than 30 in ``n`` have none. Of two segments each
    is the other's others: that is one comparison.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27:1693–1702; Benjamini and Hochberg (1995), JRSS B 57:289–300.
    """
    parts, hidden = measured.by_segment(), told_by(table, measured.kpis)
    whole = beside_segments(table, measured).set_index("kpi")[["value", "ci_lower", "ci_upper"]]
    apart = pd.DataFrame(index=parts.index, columns=["apart", "p"], dtype=float)
    more: Any = {"weight": weights(parts, measured), "customers": customers(parts, measured.kpis)}
    for kpi, own in parts.assign(**more).groupby("kpi"):
        apart.loc[own.index] = _from_others(own, whole.loc[kpi].to_numpy(float))
    open_yet = parts["verdict"].isna()
    tested = apart["p"].where(~parts["kpi"].isin(hidden) & open_yet).dropna()
    own = parts.loc[tested.index, "kpi"]
    once = tested[~_second(own, tested)]
    found = pd.Series(false_discovery_control(once) if len(once) else [], once.index, dtype=float).reindex(tested.index)
    found = found.fillna(found.groupby(own).transform("first"))
    p = found.reindex(parts.index).where(open_yet, parts["p_adjusted"].astype(float))
    clear = p < SIGNIFICANT
    sides = np.select([clear & (apart["apart"] > 0), clear], ["above", "below"], "")
    return parts.assign(p_adjusted=p, verdict=np.where(open_yet, sides, parts["verdict"]))[COMPARED]


def unmarked(cells: pd.DataFrame) -> pd.DataFrame:
    """Find segments without a verdict whose value is like that of one with it: their own interval is wider.

    Parameters
    ----------
    cells
        As from :func:`compared`.

    Returns
    -------
    pandas.DataFrame
        Rows of ``cells`` that were compared, the value inside the interval of a segment above or below the others.
    """
    tested = cells.dropna(subset="p_adjusted")
    plain, marked = tested[tested["verdict"] == ""], tested[tested["verdict"] != ""]
    pairs = plain.reset_index().merge(marked, on="kpi", suffixes=("", "_marked"))
    inside = (pairs["ci_lower_marked"] <= pairs["value"]) & (pairs["value"] <= pairs["ci_upper_marked"])
    spans = [pairs[f"ci_upper{end}"] - pairs[f"ci_lower{end}"] for end in ("", "_marked")]
    return cells.loc[pairs.loc[inside & (spans[0] > spans[1]), "index"].drop_duplicates()]


def distinct(cells: pd.DataFrame) -> pd.DataFrame:
    """Leave of two segments that are compared with each other one, so that their comparison counts once.

    Parameters
    ----------
    cells
        As from :func:`compared`.
    """
    tested = cells.dropna(subset="p_adjusted")
    return tested[~_second(tested["kpi"], tested["p_adjusted"])]


def _second(kpi: pd.Series[Any], p: pd.Series[float]) -> pd.Series[bool]:
    """Tell what says the same as the row before it: of a KPI of two segments the second, by the same p."""
    own = p.astype(float).groupby(kpi)
    return kpi.duplicated() & (own.transform("size") == 2) & np.isclose(p, own.transform("first"), rtol=SAME, atol=0)


def customers(cells: pd.DataFrame, kpis: Mapping[str, Kpi]) -> pd.Series[float]:
    """Give the number of customers in each cell: over 12 months, a monthly KPI counts each in every month."""
    monthly = cells["kpi"].map({name: kpi.months == 1 for name, kpi in kpis.items()})
    return cells["n"].astype(float) / np.where(monthly & (cells["judged_over"] == TOLD), YEAR, 1)


def weights(parts: pd.DataFrame, measured: Measured) -> list[float]:
    """Tell by what segments count together: their ``n``, or the MRR with which the period began."""
    history = measured.history
    by = {name: own.set_index(["segment", "until"])["value"] for name, own in history.groupby("kpi")}
    last = history[history["segment"] == WHOLE].groupby("kpi")["until"].max()
    weighed = {name: kpi for name, kpi in measured.kpis.items() if kpi.weight in by and name in last}
    begun = {name: last[name] - pd.offsets.MonthEnd(kpi.months) for name, kpi in weighed.items()}
    each = parts[["kpi", "segment"]].itertuples(index=False)
    sizes = parts["n"].to_numpy(float, na_value=np.nan)
    return [
        by[weighed[kpi].weight].get((part, begun[kpi]), np.nan) if kpi in begun else n
        for (kpi, part), n in zip(each, sizes, strict=True)
    ]


def _from_others(rows: pd.DataFrame, whole: npt.NDArray[np.float64]) -> pd.DataFrame:
    """Take from the value of each segment that of the others: ``apart``, and ``p`` that there is no difference."""
    columns = ["value", "ci_lower", "ci_upper", "weight", "customers"]
    value, lower, upper, weight, n = rows[columns].to_numpy(float, na_value=np.nan).T
    ends, counts = np.abs([value - lower, upper - value]), np.isfinite(value) & (weight > 0)
    shares = np.where(counts, weight, 0.0)
    others, spread = np.full(len(rows), whole[0]), np.abs(whole[0] - whole[1:])[:, None] * np.ones(len(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        if np.isclose(shares @ np.nan_to_num(value) / shares.sum(), whole[0], rtol=SAME, atol=0):
            shares = shares * ~np.eye(len(rows), dtype=bool)
            shares = shares / shares.sum(axis=1, keepdims=True)
            others = shares @ np.where(counts, value, 0.0)
            spread = np.sqrt(np.where(counts, ends, 0.0) ** 2 @ (shares**2).T)
        apart = value - others
        up = apart > 0
        width = np.hypot(np.where(up, ends[0], ends[1]), np.where(up, spread[1], spread[0]))
        p = np.where(apart == 0, 1.0, 2 * ndtr(-np.abs(apart) / width * z_value(LEVEL)))
    known = np.isfinite([p, *ends]).all(axis=0) & (n >= FIRM)
    untold = 1.0 if np.isfinite(ends).any() else np.nan  # a KPI that is counted has no interval
    return pd.DataFrame(
        {"apart": apart, "p": np.where(known, p, np.where(np.isfinite(value), untold, np.nan))}, rows.index
    )
