"""The usual range of a series: where its next value lies while nothing but chance, and the season, moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from cslib.stats.intervals import Floats

ENOUGH: Final = 8  # past values from which limits are drawn
LAST: Final = 24  # and how many of the last are used
SIGMAS: Final = 2.66  # 3 / 1.128: three standard deviations, in mean moving ranges
OVERLAP: Final = 0.605  # degrees of freedom of a mean moving range, in those of a standard deviation
HEAVY: Final = 4.0  # and at most so many of changes of what grows, most of which are small and some are large
NO_RANGE: Final = 1e-9  # narrower limits are rounding
YEARS: Final = 5  # the last ones, of which a season is made
ALLOWED, ABSENT, UNKNOWN = "allowed for", "none", "unknown"  # what is said of a season: it is taken out, none shows,
TWO_YEARS: Final = 24  # months, fewer than which do not tell one
TOLD: Final = 6  # degrees of freedom left to tell a season from chance: two years of months, three of quarters


@dataclass(frozen=True)
class Limits:
    """The ends of a usual range; ``seasonal`` where it holds for this time of the year only."""

    lower: float
    upper: float
    seasonal: bool = False


@dataclass(frozen=True)
class Season:
    """How far values stand above their level because of the time of the year.

    Attributes
    ----------
    effect
        Of every value, and of the next one after them; shape (m + 1,).
    kept
        Share of the raw effects that is held to be no chance, 0 to 1.
    years
        That they were averaged over.
    """

    effect: Floats
    kept: float
    years: int

    @property
    def ahead(self) -> float:
        """Variance of the next value about its effect, in variances of one value."""
        return 1 + self.kept**2 / self.years

    @property
    def behind(self) -> float:
        """The same of a value that the effects were made of: it lies closer to them than the next one will."""
        return self.ahead - 2 * self.kept / self.years


def season_of(values: ArrayLike, *, per_year: int) -> Season:
    """Tell the season of a series from chance.

    Parameters
    ----------
    values
        One after the other, without gaps; missing ones are NaN.
    per_year
        How many there are in a year.

    Returns
    -------
    Season
        Without effects where there are fewer than two whole years of months or three of quarters, or in all of these
        years no value at some time of the year.

    Notes
    -----
    Of the last whole years, up to five: the mean of each time of the year, less a straight trend and the level of each
    year. Such means vary by chance, too, so that they are multiplied by 1 − (m − 3) / (f + 2) · R / M, at least 0: of m
    times of the year, with f = (m − 1)(years − 1), the sum of squares R that they leave and the one M that they explain
    (James–Stein). Without a season the share kept is mostly 0, with a clear one nearly 1.

    References
    ----------
    Miller & Williams (2003), International Journal of Forecasting 19:669–684 (shrunken seasonal factors).

    Examples
    --------
    Two years about 10 with a peak of 16 in the first month; the next is the first again:

    >>> season = season_of([16, *[9, 11] * 5, 10] * 2, per_year=12)
    >>> season.kept, float(season.effect[-1])
    (1.0, 5.5)
    """
    series = np.asarray(values, float)
    years = min(len(series) // per_year, YEARS) if per_year else 0
    none = Season(np.zeros(len(series) + 1), 0.0, max(years, 1))
    freedom = (years - 1) * (per_year - 1)
    if freedom < TOLD:
        return none
    table = series[-years * per_year :].reshape(years, per_year)
    known = ~np.isnan(table)
    if not known.any(axis=0).all():
        return none
    table = np.where(known, table, np.where(known, table, 0.0).sum(axis=0) / known.sum(axis=0))
    slope = np.diff(table, axis=0).mean() / per_year
    table = table - slope * np.arange(per_year)
    table = table - table.mean(axis=1, keepdims=True)
    raw = table.mean(axis=0)
    explained, left = years * (raw**2).sum(), ((table - raw) ** 2).sum()
    kept = max(0.0, 1 - (per_year - 3) / (freedom + 2) * left / explained) if explained > NO_RANGE**2 else 0.0
    place = (np.arange(len(series) + 1) - len(series)) % per_year
    return Season(kept * raw[place], float(kept), years)


def control_limits(past: ArrayLike, *, error: ArrayLike = 0.0, grows: bool = False, per_year: int = 0) -> Limits:
    """Limits within which the next value of a series lies while nothing but chance moves it.

    Parameters
    ----------
    past
        Values of disjoint periods, the earliest first; missing ones are NaN. The last 24 count.
    error
        Standard error of each value, or of all: limits are at least three of it away from the middle. Not of a value
        that grows, whose changes are less uncertain than it is.
    grows
        Whether each value follows from the one before it, as MRR does: then the limits are of its relative change.
    per_year
        How many periods make a year; then a season is allowed for as far as it can be told, see :func:`season_of`.

    Returns
    -------
    Limits
        Of the next value; missing with fewer than eight values (or changes), where all were alike, or where one that
        grows was not above 0.

    Notes
    -----
    Individuals chart: mean ± 2.66 × mean moving range, which is three standard deviations of independent normal values;
    of changes no less than three of their own, because small businesses do not change in many months. A season is
    taken out of the past and given to the next value; as its effects are estimated, the limits are wider by the square
    root of what they add ahead to what they take away behind.

    Simulated with 24 such values, 1 % of the next ones lie outside, with 12 2 % and with 8 3 % (0.27 % if the limits
    were known). With a season of two to five years of months 1.2 to 1.6 %, whatever its shape, and at a yearly peak of
    four standard deviations 2 to 4 % (39 to 45 % where it is not allowed for); of quarters 3 % with three years and 1 %
    with five. A change of four standard deviations is found in 80 % without a season, asked for or not, and in 60 to
    73 % with one.

    References
    ----------
    Shewhart (1931), Economic Control of Quality; NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.2;
    Wheeler (2003), Making Sense of Data, on seasonal values.

    Examples
    --------
    Eight values that move by 1 each time, about 4.5:

    >>> limits = control_limits([4, 5, 4, 5, 4, 5, 4, 5])
    >>> round(limits.lower, 2), round(limits.upper, 2)
    (1.84, 7.16)
    """
    usual = _usual(past, error, grows, per_year)
    if usual is None:
        return Limits(np.nan, np.nan)
    lower, upper = usual.middle + usual.half * np.array([-1, 1])
    if grows:
        lower, upper = usual.last * np.exp(lower), usual.last * np.exp(upper)
    return Limits(float(lower), float(upper), usual.seasonal)


def surprise(value: float, past: ArrayLike, *, error: ArrayLike = 0.0, grows: bool = False, per_year: int = 0) -> float:
    """Tell how often chance alone takes the next value of a series as far from its middle as it lies, or further.

    Parameters
    ----------
    value
        The next value.
    past, error, grows, per_year
        As for :func:`control_limits`.

    Returns
    -------
    float
        Share of 1, both sides counted; missing where there are no limits.

    Notes
    -----
    The limits are three standard deviations from the middle. In these the distance follows about a t distribution: the
    mean of m moving ranges has a squared coefficient of variation of 0.826 / m, as a standard deviation of 0.605 m
    degrees of freedom has; a season takes of the values what it explains; the middle of n values varies by 1 / n more.

    Simulated with 8, 12 and 24 values of nothing but chance before, shares of at most 0.1 % came up in 0.03, 0.03 and
    0.07 % of the time, and at most 1 % in 0.5, 0.7 and 0.9 %; with a season of two to five years of months, whatever
    its shape, in 0.01 to 0.08 % and in 0.5 to 0.9 %. Changes of MRR are of large and small customers, and of more of
    them when more leave: a t distribution of four degrees of freedom is taken. Simulated with prices as skewed as
    log-normal ones of σ = 1, shares of at most 0.24 % came up in 0 to 0.3 % of months with 300 and 3,000 customers, and
    in 0.4 to 1 % with 60 (0.5 to 4 % by normal values).

    Examples
    --------
    >>> round(surprise(9.0, [4, 5, 4, 5, 4, 5, 4, 5]), 3)
    0.008
    """
    usual = _usual(past, error, grows, per_year)
    if usual is None:
        return float("nan")
    now = (np.log(value / usual.last) if value > 0 else -np.inf) if grows else value
    apart = abs(now - usual.middle) / (usual.half / 3)
    return float(2 * student.sf(apart / np.sqrt(1 + 1 / usual.n), usual.freedom))


@dataclass(frozen=True)
class _Usual:
    """A usual range as it is computed: of what grows, of the logarithm of the next value by the ``last`` one."""

    middle: float
    half: float
    last: float
    n: int
    freedom: float
    seasonal: bool


def _usual(past: ArrayLike, error: ArrayLike, grows: bool, per_year: int) -> _Usual | None:
    values = np.asarray(past, float)
    known = values[np.isfinite(values)]
    if grows and (known[-LAST - 1 :] <= 0).any():
        return None
    series = np.diff(np.log(np.where(values > 0, values, np.nan))) if grows else values
    season = season_of(series, per_year=per_year)
    level = series - season.effect[:-1]
    level = level[np.isfinite(level)][-LAST:]
    if len(level) < ENOUGH:
        return None
    moved = max(SIGMAS * np.abs(np.diff(level)).mean(), 3 * level.std(ddof=1) if grows else 0.0)
    least = 0.0 if grows else 3 * _typical(error, season, per_year)
    half = max(moved / np.sqrt(season.behind), least) * np.sqrt(season.ahead)
    if not half > NO_RANGE:
        return None
    middle, freedom = level.mean() + season.effect[-1], OVERLAP * (season.behind * len(level) - 1)
    freedom = min(freedom, HEAVY) if grows else freedom
    return _Usual(float(middle), float(half), float(known[-1]), len(level), float(freedom), season.kept > 0)


def _typical(errors: ArrayLike, season: Season, per_year: int) -> float:
    """Mean standard error of the past; as far as there is a season, of the same time of the year."""
    known = np.asarray(errors, float)
    if not known.ndim:
        return float(known)
    mean, alike = np.nanmean(known), known[-per_year::-per_year] if season.kept else known
    alike = alike[~np.isnan(alike)]
    return float(mean + season.kept * (alike.mean() - mean)) if len(alike) else float(mean)
