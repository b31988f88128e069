"""At which ages a rate is highest: stretches of months with more events than the others, the search allowed for."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from cslib.stats.intervals import SIGNIFICANT, Floats, wilson

DRAWS: Final = 999
MOST: Final = 8  # stretches looked for
WORTH: Final = 1.25  # times the rate elsewhere: less is hardly a peak
TWICE: Final = 2.0
FEWEST: Final = 3  # months of which one may say that they are alike


def find_peaks(events: ArrayLike, exposure: ArrayLike) -> pd.DataFrame:
    """Find the stretches in which the rate of events is higher than elsewhere by more than chance.

    Parameters
    ----------
    events, exposure
        By month, from the first on; a month without exposure was not observed.

    Returns
    -------
    pandas.DataFrame
        One row per peak, in order: ``first``, ``last`` (months, 1 being the first), ``rate`` (events over exposure).

    Notes
    -----
    Of all stretches the one with the largest likelihood ratio of two rates against one (Poisson). It counts where no
    more than 5 % of 999 random allotments of the same events, at one rate, have a stretch as far out: so that having
    picked it, of so many, is allowed for. It is then set aside, and the rest is searched alike. What lies beside a
    stretch already found is its flank, and told of neither; nor are rates less than a quarter above those elsewhere.

    References
    ----------
    Kulldorff (1997), Communications in Statistics: Theory and Methods 26:1481–1496.

    Examples
    --------
    >>> find_peaks([20, 20, 80, 20, 20], [1000, 1000, 1000, 1000, 1000])
       first  last  rate
    0      3     3  0.08
    """
    left, lived = np.asarray(events, float), np.asarray(exposure, float)
    seen, out, told = lived > 0, np.zeros(len(left), bool), np.zeros(len(left), bool)
    rows = []
    for _ in range(MOST):
        stretch = _surest(left, lived, seen & ~out)
        if stretch is None:
            break
        if not out[max(stretch.start - 1, 0) : stretch.stop + 1].any():
            rows.append((stretch.start + 1, stretch.stop, left[stretch].sum() / lived[stretch].sum()))
            told[stretch] = True
        out[stretch] = True
    least = WORTH * left[~told].sum() / max(lived[~told].sum(), 1e-12)
    return pd.DataFrame(sorted(r for r in rows if r[2] >= least), columns=["first", "last", "rate"])


def alike(events: ArrayLike, exposure: ArrayLike) -> int:
    """Count the months from the first on that are alike: surely none has twice, or half, the rate of the others.

    Returns
    -------
    int
        The most months, three or more, of which the interval of each one's rate over that of the others lies between
        ½ and 2; 0 where there are none. The intervals hold together in 95 % (Bonferroni).
    """
    left, lived = np.asarray(events, float), np.asarray(exposure, float)
    for n in range(len(left), FEWEST - 1, -1):
        own, rest = lived[:n], lived[:n].sum() - lived[:n]
        if own.all() and left[:n].any():
            share = wilson(left[:n], left[:n].sum(), confidence_level=1 - SIGNIFICANT / n)
            lower, upper = (b / np.maximum(1 - b, 1e-12) * rest / own for b in (share.lower, share.upper))
            if lower.min() > 1 / TWICE and upper.max() < TWICE:
                return n
    return 0


def stands_out(events: ArrayLike, exposure: ArrayLike, peaks: pd.DataFrame, *, confidence_level: float) -> bool:
    """Tell whether peaks of others, too, are months with more events than elsewhere by more than chance.

    Parameters
    ----------
    events, exposure
        As for :func:`find_peaks`.
    peaks
        As from :func:`find_peaks`, of other counts or of a sum: they are not looked for here.
    confidence_level
        Of the interval (Wilson's, of the share of events that fall into a peak) that has to lie above the share of
        exposure that does: for every peak, against the months outside all of them.

    Examples
    --------
    >>> peaks = pd.DataFrame({"first": [1], "last": [1]})
    >>> [stands_out([n, 20, 20], [500, 500, 500], peaks, confidence_level=0.95) for n in (24, 60)]
    [False, True]
    """
    left, lived = np.asarray(events, float), np.asarray(exposure, float)
    months = [slice(int(first) - 1, int(last)) for first, last in zip(peaks["first"], peaks["last"], strict=True)]
    rest = np.ones(len(left), bool)
    for peak in months:
        rest[peak] = False
    for peak in months:
        n, own, other = left[peak].sum() + left[rest].sum(), lived[peak].sum(), lived[rest].sum()
        share = wilson([left[peak].sum()], [n], confidence_level=confidence_level) if n and own and other else None
        if share is None or share.lower[0] <= own / (own + other):
            return False
    return True


def _surest(left: Floats, lived: Floats, free: np.ndarray) -> slice | None:
    """Return the stretch of free months whose rate stands out most, where that is more than chance."""
    own, total = np.where(free, lived, 0.0), int(left[free].sum())
    if not total or free.sum() < 2:
        return None
    drawn = np.random.default_rng(0).multinomial(total, own / own.sum(), size=DRAWS)
    sums = np.cumsum(np.vstack([np.where(free, left, 0), drawn]), axis=1).astype("int64")
    sums, lived_by = np.pad(sums, ((0, 0), (1, 0))), np.concatenate([[0.0], np.cumsum(own)])
    taken = np.concatenate([[0], np.cumsum(~free)])
    logs = xlogy(np.arange(total + 1.0), np.arange(total + 1.0))
    highest, best, where = np.zeros(len(sums)), 0.0, slice(0, 0)
    for width in range(1, len(left)):
        clear = np.flatnonzero(taken[width:] == taken[:-width])
        if len(clear):
            expected = total * (lived_by[clear + width] - lived_by[clear]) / lived_by[-1]
            far = _ratio(sums[:, clear + width] - sums[:, clear], expected, total, logs)
            highest = np.maximum(highest, far.max(axis=1))
            if far[0].max() > best:
                start = int(clear[far[0].argmax()])
                best, where = float(far[0].max()), slice(start, start + width)
    return where if (1 + (highest[1:] >= best).sum()) / (DRAWS + 1) <= SIGNIFICANT and best > 0 else None


def _ratio(found: NDArray[np.int64], expected: Floats, total: int, logs: Floats) -> Floats:
    """Log likelihood ratio of a higher rate inside, given n·log n up to the total; 0 where lower, or all inside."""
    inside, other = np.log(expected.clip(min=1e-300)), np.log(np.maximum(total - expected, 1e-9))
    ratio = logs[found] - found * inside + logs[total - found] - (total - found) * other
    return np.where((found > expected) & (expected < total * (1 - 1e-9)), ratio, 0.0)
