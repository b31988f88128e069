"""Value of the present customers, and what less churn or a higher price would add to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cslib.ltv import Terms, net_value, percentiles
from cslib.value_paths import Paths

__all__ = ["Projection", "base_value", "project", "summed", "what_if"]

Floats = NDArray[np.float64]
WHOLE: Final = "All"


@dataclass(frozen=True)
class Projection:
    """Present customers and their MRR after 0, 1, 2 … months, as expected: in the estimate and in each draw.

    Attributes
    ----------
    active, mrr
        Expected sums, shape (1 + draws, months + 1).
    active_variance, mrr_variance
        Variance of the sums by chance alone (who of them leaves, whose MRR changes), shape (months + 1,).
    active_beyond, mrr_beyond
        Of the estimate, what comes from customers beyond the last trusted age then, shape (months + 1,).
    """

    active: Floats
    mrr: Floats
    active_variance: Floats
    mrr_variance: Floats
    active_beyond: Floats
    mrr_beyond: Floats


def project(paths: Paths, *, months: int) -> Projection:
    """Follow the present customers of a segment ahead.

    Parameters
    ----------
    paths
        As from :func:`cslib.value_paths.value_paths`.
    months
        Ahead.

    Returns
    -------
    Projection

    Notes
    -----
    A customer aged a is here after k months with probability S(a + k) / S(a). Its MRR is what it pays now, and
    moves as price by age does; of customers in a free trial it becomes price by age, and where only orders tell it is
    that of the months of age to come. Survival is interpolated between whole months. By chance, each of n customers
    leaves or stays, and its MRR moves n times as much (in variance) as the mean of n customers does in the draws.
    """
    hazard = paths.at_factor_1()
    each = zip(paths.factors.T, paths.active.itertuples(), strict=True)
    parts = [_ahead(paths, hazard * factor[:, None], row, months) for factor, row in each]
    if not parts:
        none = np.zeros((len(paths.hazard), months + 1))
        return Projection(none, none, none[0], none[0], none[0], none[0])
    return Projection(*(np.sum([getattr(p, name) for p in parts], axis=0) for name in Projection.__annotations__))


def _ahead(paths: Paths, hazard: Floats, row: Any, months: int) -> Projection:
    age, part = int(row.age_months + 1e-9), row.age_months % 1
    ahead, later = slice(age, age + months + 1), slice(age + 1, age + months + 2)
    lived = (1 - part) * hazard[:, ahead] + part * hazard[:, later]
    kept = np.exp(lived[:, :1] - lived)
    amount, ratio = _prices_ahead(row, paths.price[:, ahead], paths.price[:, later])
    square = row.n if amount is row.n else row.mrr_squared
    chance, beyond = kept[0] * (1 - kept[0]), row.age_months + np.arange(months + 1) > paths.last
    moved = (amount * kept[0]) ** 2 * _spread(paths.n_priced[ahead], ratio) / row.n
    return Projection(
        row.n * kept, amount * ratio * kept, row.n * chance, square * ratio[0] ** 2 * chance + moved,
        row.n * kept[0] * beyond, amount * ratio[0] * kept[0] * beyond,
    )  # fmt: skip


def _prices_ahead(row: Any, price: Floats, later: Floats) -> tuple[float, Floats]:
    """Give what customers of an age pay now, and how many times as much after 0, 1, 2 … months."""
    if np.isnan(row.mrr):
        return row.n, later  # orders of the months of age that are still to come
    if row.mrr > 0 and price[0, 0] > 0:
        return row.mrr, price / np.where(price[:, :1] > 0, price[:, :1], price[0, 0])
    return row.n, np.hstack(
        [np.full((len(price), 1), row.mrr / row.n), price[:, 1:]]
    )  # a free trial, now or just before


def _spread(n_priced: Floats, ratio: Floats) -> Floats:
    """Variance of one customer's price: that of the mean of n customers, as drawn, times n."""
    sizes = pd.Series(n_priced).replace(0, np.nan).ffill().expanding().mean().fillna(0).to_numpy()
    return np.asarray(sizes * ratio[1:].var(axis=0))


def _worth(projection: Projection, terms: Terms) -> Floats:
    margin = projection.mrr * terms.gross_margin - projection.active * terms.retention_cost
    return np.asarray((margin * terms.discounts(margin.shape[1]))[:, :-1].sum(axis=1))


def summed(by_segment: Mapping[str, Any]) -> dict[str, Any]:
    """Put the sum of the segments in the place of the whole, where there are any and all have an estimate."""
    parts = [value for segment, value in by_segment.items() if segment != WHOLE]
    total = np.sum(parts, axis=0) if parts else None
    return {**by_segment, WHOLE: total} if total is not None and np.isfinite(total[0]).all() else dict(by_segment)


def base_value(
    paths: Mapping[str, Paths], terms: Terms, *, horizon_months: int, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Value of the present customers: what all of them together bring from now on.

    Parameters
    ----------
    paths, terms
        As for :func:`ltv`.
    horizon_months
        From now on.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``horizon_months``, ``n_active``, ``mrr`` (now), ``base_value`` (money, before what was once
        spent on acquisition), ``ci_lower``, ``ci_upper`` (of the expected value), ``share_in_tail``. ``All`` is the
        sum of its segments where there are any and all have an estimate.
    """
    projected = {segment: project(own, months=horizon_months) for segment, own in paths.items()}
    values = summed({s: _worth(p, terms) for s, p in projected.items()})
    beyond = {s: replace(p, active=p.active_beyond[None], mrr=p.mrr_beyond[None]) for s, p in projected.items()}
    tails = summed({s: _worth(p, terms) for s, p in beyond.items()})
    now = summed({s: _now(own, projected[s]) for s, own in paths.items()})
    rows = [
        {
            "segment": segment, "horizon_months": horizon_months, "n_active": round(now[segment][0]),
            "mrr": now[segment][1], "base_value": value[0], **percentiles(value, confidence_level),
            "share_in_tail": tails[segment][0] / value[0] if value[0] else np.nan,
        }
        for segment, value in values.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _now(paths: Paths, projection: Projection) -> Floats:
    """Count the present customers and sum what they pay."""
    known = paths.active["mrr"].notna().all()
    return np.array([paths.active["n"].sum(), paths.active["mrr"].sum() if known else projection.mrr[0, 0]])


def what_if(
    paths: Mapping[str, Paths], terms: Terms, *, horizon_months: int, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Tell what less churn or a higher price would be worth, per new customer and for the present ones together.

    Parameters
    ----------
    paths, terms
        As for :func:`ltv`.
    horizon_months
        Of both values.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``change``, ``ltv`` (as it is, survival form), ``ltv_gain`` with ``ltv_gain_ci_lower`` and
        ``ltv_gain_ci_upper`` (money per new customer), ``base_gain`` with its bounds (money, present customers;
        ``All`` is the sum of its segments where there are any).

    Notes
    -----
    10 % less churn: every hazard × 0.9. Half the involuntary churn: the hazard less half of its involuntary part;
    missing where the kind of churn is not recorded. Value and changed value are computed in the same draws, so
    the interval is that of the gain.
    """
    gains: dict[str, dict[str, Floats]] = {}
    for segment, own in paths.items():
        now = _worth(project(own, months=horizon_months), terms)
        for change, changed in _changes(own).items():
            gain = _worth(project(changed, months=horizon_months), terms) - now
            gains.setdefault(change, {})[segment] = gain
    rows = []
    for segment, own in paths.items():
        ltv = net_value(own, terms, horizon_months)
        for change, changed in _changes(own).items():
            gain, base = net_value(changed, terms, horizon_months) - ltv, summed(gains[change])[segment]
            figures = {"ltv_gain": gain, "base_gain": base}
            bounded = [_bounded(name, figure, confidence_level) for name, figure in figures.items()]
            rows.append({"segment": segment, "change": change, "ltv": ltv[0]} | bounded[0] | bounded[1])
    return pd.DataFrame(rows)


def _changes(paths: Paths) -> dict[str, Paths]:
    active = paths.active.assign(mrr=1.05 * paths.active["mrr"])
    return {
        "10 % less churn": replace(paths, hazard=0.9 * paths.hazard),
        "5 % higher ARPA": replace(paths, price=1.05 * paths.price, active=active),
        "Half the involuntary churn": replace(paths, hazard=paths.hazard - paths.involuntary / 2),
    }


def _bounded(name: str, rows: Floats, level: float) -> dict[str, float]:
    return {name: float(rows[0])} | {f"{name}_{k}": v for k, v in percentiles(rows, level).items()}
