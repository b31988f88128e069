"""How much of what present customers take with them is lost involuntarily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cslib.stats.intervals import Floats, percentiles
from cslib.value.paths import Paths

DOUBLE: Final = 0.2  # of churn: half of it is as much as 10 % less churn


@dataclass(frozen=True)
class Involuntary:
    """What is lost involuntarily, of all customers.

    Attributes
    ----------
    share
        Of today's MRR that is expected to leave within the horizon, 0–1; missing where only orders tell it.
    much
        Whether it is clearly more than a fifth, so that halving it does more than 10 % less churn.
    """

    share: float
    much: bool


def involuntary(paths: Mapping[str, Paths], *, horizon_months: int) -> Involuntary:
    """Tell how much churn is involuntary, of all customers; missing where kinds are not recorded.

    Parameters
    ----------
    paths
        As from :func:`cslib.value.paths.value_paths`.
    horizon_months
        Ahead.
    """
    lost = [_leaving(own, horizon_months) for own in paths["All"].summands]
    gone, all_gone = (np.sum(each, axis=0) for each in zip(*lost, strict=True))
    share = _share(gone, all_gone)
    return Involuntary(share=float(share[0]), much=percentiles(share)["ci_lower"] > DOUBLE)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _leaving(paths: Paths, months: int) -> tuple[Floats, Floats]:
    """Today's MRR expected to leave, involuntarily and in all: the estimate and each draw."""
    each = list(_leaving_by_age(paths, months))
    none = np.zeros(len(paths.hazard))
    return sum((own for own, _ in each), none), sum((own for _, own in each), none)


def _leaving_by_age(paths: Paths, months: int) -> Iterator[tuple[Floats, Floats]]:
    row: Any
    for row in paths.active.itertuples():
        ahead = slice(int(row.age_months), int(row.age_months) + months + 1)
        hazard, part = paths.hazard[:, ahead], paths.involuntary[:, ahead]
        still = np.exp(hazard[:, :1] - hazard[:, :-1]) * row.mrr
        yield (still * np.diff(part)).sum(axis=1), (still * np.diff(hazard)).sum(axis=1)
