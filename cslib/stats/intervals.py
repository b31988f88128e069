"""Intervals and tests on counts: small numpy functions that never see a customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtri, stdtrit

from cslib.errors import ParameterError

Floats = NDArray[np.float64]
Squares = tuple[ArrayLike, ArrayLike, ArrayLike]
NO_SPREAD: Final = 1e-6  # a narrower interval of a share is rounding
LEVEL: Final = 0.95  # confidence of intervals
CONNECTED: Final = 1e-9  # of the largest variance: less is rounding
SIGNIFICANT: Final = 0.05  # p-values below it, adjusted where there are many, are called more than chance
TIERED: Final = ["n", "x", "xx", "l", "ll", "xl", "e", "ee", "xe"]
TOLD: Final = 10  # customers that tell apart how much of a price is lost
FIRM: Final = 30  # customers a rate to be told rests on at least: of half, 95 % are a third to two thirds


@dataclass(frozen=True)
class Interval:
    """Lower and upper bounds, one of each per estimate."""

    lower: Floats
    upper: Floats

    def columns(self, prefix: str = "") -> dict[str, Floats]:
        """Give them the names that they have in tables: ``ci_lower`` and ``ci_upper`` after a prefix."""
        return {f"{prefix}ci_lower": self.lower, f"{prefix}ci_upper": self.upper}


@dataclass(frozen=True)
class TestResult:
    """A chi-squared test: the statistic, its degrees of freedom and the p-value."""

    __test__ = False

    statistic: float
    df: int
    p_value: float


def z_value(confidence_level: float = LEVEL) -> float:
    """Quantile of the normal distribution that bounds a two-sided interval.

    Raises
    ------
    ParameterError
        The confidence level is outside 0 to 1.

    Examples
    --------
    >>> round(z_value(0.95), 4)
    1.96
    """
    msg = f"confidence_level is {confidence_level!r}. Give a number between 0 and 1, such as 0.95."
    ParameterError.when(not 0 < confidence_level < 1, msg)
    return float(ndtri(0.5 + confidence_level / 2))


def percentiles(rows: Floats) -> dict[str, float]:
    """Give the interval of a figure from its draws: the percentiles, and as far as the estimate where it is beyond.

    Parameters
    ----------
    rows
        The estimate, then the draws.

    Returns
    -------
    dict of str to float
        ``ci_lower`` and ``ci_upper``: values that were drawn, or the estimate, which may be infinite. Missing where a
        draw is, or where all draws agree.

    Notes
    -----
    Over few customers nearly all draws may lie on one side of the estimate, so that their percentiles leave it out. No
    end is nearer than the estimate: that widens an interval, it never narrows one. Where the estimate is missing, the
    percentiles stand.

    Examples
    --------
    >>> draws = np.arange(1, 101.0)
    >>> percentiles(np.append(50, draws)), percentiles(np.append(99, draws))
    ({'ci_lower': 3.0, 'ci_upper': 98.0}, {'ci_lower': 3.0, 'ci_upper': 99.0})
    """
    if np.isnan(rows[1:]).any() or (rows[1:] == rows[1]).all():
        return {"ci_lower": np.nan, "ci_upper": np.nan}
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(rows[1:], [tail, 1 - tail], method="inverted_cdf")  # an infinite draw is one, too
    return {"ci_lower": float(np.fmin(low, rows[0])), "ci_upper": float(np.fmax(high, rows[0]))}


def wilson(n_successes: ArrayLike, n: ArrayLike, *, confidence_level: float = LEVEL) -> Interval:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    n_successes
        Successes, shape (m,) or a number; NaN gives NaN.
    n
        Trials, same shape. No trials give NaN.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    Interval
        Bounds between 0 and 1.

    Raises
    ------
    ParameterError
        More successes than trials, a negative count, or a confidence level outside 0 to 1.

    References
    ----------
    Wilson (1927), JASA 22:209–212; Newcombe (1998), Statistics in Medicine 17:857–872, method 3.

    Examples
    --------
    Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662.

    >>> interval = wilson(81, 263)
    >>> round(float(interval.lower), 4), round(float(interval.upper), 4)
    (0.2553, 0.3662)
    """
    x, trials = np.asarray(n_successes, float), np.asarray(n, float)
    msg = "wilson got a count below 0 or more successes than trials. Count each customer once."
    ParameterError.when(np.any(x < 0) or np.any(x > trials), msg)
    z2 = z_value(confidence_level) ** 2
    trials = np.where(trials > 0, trials, np.nan)
    centre = (x + z2 / 2) / (trials + z2)
    half = np.sqrt(z2 * (x * (trials - x) / trials + z2 / 4)) / (trials + z2)
    lower = np.where(x == 0, 0.0 * centre, centre - half)
    upper = np.where(x == trials, 1.0 + 0.0 * centre, centre + half)
    return Interval(lower, upper)


def newcombe(successes: ArrayLike, trials: ArrayLike, *, confidence_level: float = LEVEL) -> Interval:
    """Newcombe hybrid score interval of a difference of two independent proportions.

    Parameters
    ----------
    successes
        Successes of the first and the second group.
    trials
        Their trials.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    Interval
        Bounds of first minus second, between -1 and 1.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17:873–890, method 10.

    Examples
    --------
    Newcombe (1998), table II, case (a): 56/70 against 48/80 gives 0.0524 to 0.3339.

    >>> interval = newcombe((56, 48), (70, 80))
    >>> round(float(interval.lower), 4), round(float(interval.upper), 4)
    (0.0524, 0.3339)
    """
    shares = np.asarray(successes, float) / np.asarray(trials, float)
    return weighted_sum([1, -1], shares, wilson(successes, trials, confidence_level=confidence_level))


def last_from_before(value: ArrayLike, lower: ArrayLike, upper: ArrayLike, n: ArrayLike) -> tuple[float, bool]:
    """Give the mean of all values but the last, weighted by ``n``, and whether the last differs from it beyond noise.

    By the normal approximation of its standard error, from 30 in the last on; the values are of disjoint periods, the
    earliest first.

    Examples
    --------
    >>> last_from_before([70, 80, 60], [66, 76, 56], [74, 84, 64], [100, 300, 100])
    (77.5, True)
    >>> last_from_before([0.6, 0.0], [0.3, 0.0], [0.8, 0.2], [10, 2])
    (0.6, False)
    """
    at, low, high, size = (np.asarray(v, float) for v in (value, lower, upper, n))
    error, weight = (high - low) / (2 * z_value()), size[:-1] / size[:-1].sum()
    before, apart = float(weight @ at[:-1]), np.hypot(error[-1], np.sqrt((weight**2) @ error[:-1] ** 2))
    return before, bool(size[-1] >= FIRM and abs(at[-1] - before) > z_value() * apart)


def beyond_last(value: ArrayLike, n: ArrayLike, before: float) -> int | None:
    """Give the place of the value that lies furthest beyond the last one, seen from ``before``; None: none does.

    Values of fewer than 30 do not count.

    Examples
    --------
    >>> beyond_last([0.74, 0.67, 0.10, 0.75, 0.69], [90, 90, 29, 90, 90], 0.74)
    1
    >>> beyond_last([0.74, 0.75, 0.69], [90, 90, 90], 0.745)
    """
    at, size = np.asarray(value, float), np.asarray(n, float)
    beyond = np.sign(at[-1] - before) * (at[:-1] - at[-1]) * (size[:-1] >= FIRM)
    return int(beyond.argmax()) if beyond.max() > 0 else None


def margin_of_difference(high: ArrayLike, high_lower: ArrayLike, low: ArrayLike, low_upper: ArrayLike) -> Floats:
    """Give what the difference of two estimates must pass to be clear, of the ends of their intervals that face.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27:1693–1702.

    Examples
    --------
    >>> round(float(margin_of_difference(0.9, 0.86, 0.8, 0.83)), 3)
    0.05
    """
    return np.asarray(np.hypot(np.subtract(high, high_lower), np.subtract(low_upper, low)))


def margin_of_picked(high: ArrayLike, high_lower: ArrayLike, low: ArrayLike, low_upper: ArrayLike, *, n: int) -> Floats:
    """Give the same as :func:`margin_of_difference` of two estimates that were picked from n for lying apart.

    Notes
    -----
    Bonferroni over all n (n − 1) / 2 pairs.

    Examples
    --------
    >>> round(float(margin_of_picked(0.9, 0.86, 0.8, 0.83, n=3)), 3)
    0.061
    """
    pairs = max(n * (n - 1) / 2, 1)
    wider = ndtri(1 - SIGNIFICANT / 2 / pairs) / ndtri(1 - SIGNIFICANT / 2)
    return np.asarray(wider * margin_of_difference(high, high_lower, low, low_upper))


def like_the_lowest(estimates: ArrayLike, bounds: Interval) -> NDArray[np.bool_]:
    """Tell which of several estimates are as low as the lowest, as far as can be told.

    Parameters
    ----------
    estimates
        Shape (k,), none missing.
    bounds
        Their intervals, same shape. Where one is not known, nothing is clear.

    Returns
    -------
    ndarray of bool
        The lowest; and each that is not above it by more than chance, whichever pair is looked at, and is nearer to it
        than to the highest.

    Examples
    --------
    >>> of = np.array([0.82, 1.02, 0.81])
    >>> [like_the_lowest(of, Interval(of - half, of + half)).tolist() for half in (0.03, 0.005)]
    [[True, False, True], [False, False, True]]
    """
    values = np.asarray(estimates, float)
    least = int(np.argmin(values))
    margin = margin_of_picked(values, bounds.lower, values[least], bounds.upper[least], n=len(values))
    alike = ~(values - values[least] > margin) & (2 * values < values[least] + values.max())
    return np.asarray(alike | (np.arange(len(values)) == least))


def weighted_sum(weights: ArrayLike, estimates: ArrayLike, bounds: Interval) -> Interval:
    """Interval of a weighted sum of independent estimates, put together from their own.

    Parameters
    ----------
    weights, estimates
        Shape (k,).
    bounds
        Of the estimates, same shape.

    Returns
    -------
    Interval
        Of Σ weight · estimate, shape (); NaN where a bound that counts is.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27:1693–1702.

    Examples
    --------
    >>> interval = weighted_sum([1, -1], [5.0, 3.0], Interval(np.array([4.0, 2.4]), np.array([5.3, 3.4])))
    >>> round(float(interval.lower), 3), round(float(interval.upper), 3)
    (0.923, 2.671)
    """
    w, value = np.asarray(weights, float), np.asarray(estimates, float)
    down, up = w * (value - bounds.lower), w * (bounds.upper - value)
    down, up = np.where(w >= 0, down, -up), np.where(w >= 0, up, -down)
    total = (w * value).sum()
    return Interval(np.asarray(total - np.sqrt((down**2).sum())), np.asarray(total + np.sqrt((up**2).sum())))


def ratio_of_sums(x: ArrayLike, y: ArrayLike, *, squares: Squares, n: ArrayLike) -> Interval:
    """Interval of Σy / Σx over independent customers, from sums alone (delta method).

    Parameters
    ----------
    x, y
        Σx and Σy, shape (m,).
    squares
        Σx², Σy² and Σxy, same shape.
    n
        Customers summed over, same shape.

    Returns
    -------
    Interval
        Bounds around the ratio; NaN with fewer than two customers or without Σx.

    Notes
    -----
    Variance Σ(y − Rx)² · n / (n − 1) / (Σx)², with Student's t on n − 1 degrees. With skewed amounts and 30
    customers it covers about 92 % rather than 95 %; from 300 on it covers.

    References
    ----------
    Cochran (1977), Sampling Techniques, 3rd ed., eq. 6.9 to 6.13.

    Examples
    --------
    Two customers with x = 1, 1 and y = 0, 1: ratio 1/2, standard error 1/2, t(0.975, 1) = 12.706.

    >>> interval = ratio_of_sums(2, 1, squares=(2, 1, 1), n=2)
    >>> round(float(interval.lower), 3), round(float(interval.upper), 3)
    (-5.853, 6.853)
    """
    sx, sy, customers = (np.asarray(v, float) for v in (x, y, n))
    xx, yy, xy = (np.asarray(v, float) for v in squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = sy / np.where(sx > 0, sx, np.nan)
        residual = np.maximum(yy - 2 * ratio * xy + ratio**2 * xx, 0)
        freedom = np.where(customers > 1, customers - 1, np.nan)
        half = stdtrit(freedom, 0.5 + LEVEL / 2) * np.sqrt(residual * customers / freedom) / sx
    return Interval(ratio - half, ratio + half)


def share_of_clusters(x: ArrayLike, y: ArrayLike, *, squares: Squares) -> Interval:
    """Interval of a share Σy / Σx of things that come in clusters, such as orders of customers, from sums alone.

    Parameters
    ----------
    x, y
        Σx (things) and Σy (those of the kind, at most as many) over customers, shape (m,).
    squares
        Σx², Σy² and Σxy over customers, same shape.

    Returns
    -------
    Interval
        Bounds between 0 and 1; NaN without things.

    Notes
    -----
    Wilson score with as many independent things as would tell as much: p(1 − p) over the variance of the ratio between
    customers, Σ(y − px)² · k / (k − 1) / (Σx)², k = (Σx)² / Σx² being the customers if all had as many things; made
    fewer by the square of Student's t on k − 1 degrees over z; never more than there are. Where all or none are of the
    kind, things of one customer are taken to be alike: there are k.

    Simulated with one to dozens of orders a customer, it covers 94 to 97 % at n = 30 customers (92 % where a tenth of
    them place most orders), 94 to 96 % at 300 and 94 to 95 % at 3,000 (93 % where orders are as skewed as a Pareto
    distribution of index 2). Wilson over orders covers 68 to 90 % where some customers buy the kind again and again.

    References
    ----------
    Korn & Graubard (1998), Survey Methodology 24:193–201 (effective sample size); Kish (1965), Survey Sampling.

    Examples
    --------
    Ten customers with five orders each, of which two customers have all upsells: k is 10, not 50.

    >>> interval = share_of_clusters(50, 10, squares=(250, 50, 50))
    >>> round(float(interval.lower), 3), round(float(interval.upper), 3)
    (0.045, 0.573)
    """
    z = z_value()
    things, of_kind = (np.asarray(v, float) for v in (x, y))
    xx, yy, xy = (np.asarray(v, float) for v in squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = of_kind / np.where(things > 0, things, np.nan)
        customers = np.maximum(things**2 / xx, 1 + NO_SPREAD)
        residual = np.maximum(yy - 2 * share * xy + share**2 * xx, 0) * customers / (customers - 1)
        alike = np.where(share * (1 - share) > 0, share * (1 - share) * things**2 / residual, customers)
        freedom = np.maximum(customers - 1, 1)
        size = np.minimum(alike, things) * (z / stdtrit(freedom, 0.5 + LEVEL / 2)) ** 2
    return wilson(share * size, size)


def retained_of_tiers(tiers: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Share of Σx that is kept (gross), and that is kept or has grown (net), with intervals over customers.

    Parameters
    ----------
    tiers
        Customers grouped by how much they had: the columns of ``by``, ``tier`` (whole numbers that rise with x),
        ``n`` (customers), and over them ``x`` (Σx), ``xx`` (Σx²), ``l`` (Σ of what is lost of x), ``ll`` (Σl²),
        ``xl`` (Σxl), ``e`` (Σ of what has come on top), ``ee`` (Σe²), ``xe`` (Σxe).
    by
        Columns that tell the shares apart.

    Returns
    -------
    pandas.DataFrame
        By ``by``, as index: ``gross`` (1 − Σl / Σx, 0–1), ``gross_ci_lower``, ``gross_ci_upper``, ``net``
        (gross + Σe / Σx), ``net_ci_lower``, ``net_ci_upper``; missing without Σx.

    Notes
    -----
    Gross: Wilson score with the number of alike customers that would tell as much. Losses vary as r(1 − r)·Σx² of each
    group of tiers adds up, r being its share lost if one customer more of its mean x had lost half; tiers are joined
    from the dearest down until ten customers are in a group, so that neither a dear customer nor a price at which
    nobody has left yet counts as known; where the delta method has them vary more, that counts. Never more than
    (Σx)² / Σx² customers. Net: gross and growth put together
    (MOVER); growth by the delta method, upwards as if one customer more of mean x had grown by half.

    Simulated where dear customers leave more, gross covers 95 to 98 % at n = 30, 300 and 3,000 of log-normal prices and
    of Pareto's with index 2; with index 1.5 96 % at 30 and 300, and at 3,000 97 % of what these customers would
    keep, but 84 % of what all possible ones would. Where leaving has nothing to do with price it covers 95 to 99 %.
    Net covers 92 to 97 % at 30 (one customer in twenty to three moving), 94 to 97 % at 100 and more.

    References
    ----------
    Zou, Huang and Zhang (2009), Computational Statistics & Data Analysis 53:1080–1085 (MOVER).

    Examples
    --------
    Thirty customers who pay the same, none of whom lost or added anything:

    >>> tiers = pd.DataFrame({"month": [1], "tier": [0], "n": [30], "x": [30.0], "xx": [30.0]})
    >>> tiers = tiers.assign(l=0.0, ll=0.0, xl=0.0, e=0.0, ee=0.0, xe=0.0)
    >>> retained_of_tiers(tiers, ["month"]).round(3).values.tolist()
    [[1.0, 0.886, 1.0, 1.0, 0.886, 1.033]]
    """
    keys = list(by)
    ordered = tiers[tiers["n"] > 0].sort_values([*keys, "tier"], ascending=False)
    dearer = ordered.groupby(keys, sort=False)["n"].cumsum() - ordered["n"]
    groups = ordered.assign(group=dearer // TOLD).groupby([*keys, "group"])[TIERED].sum()
    mean = groups["x"] / groups["n"]
    lost = (groups["l"] + mean / 2) / (groups["x"] + mean)
    sums = groups.assign(variance=groups["xx"] * lost * (1 - lost)).groupby(keys).sum()
    sums = sums[sums["x"] > 0]
    gross, most = ((sums["x"] - sums["l"]) / sums["x"]).clip(0, 1), sums["x"] ** 2 / sums["xx"]
    variance = (sums["variance"] / sums["x"] ** 2).clip(lower=_spread(sums, "l"))
    alike = (gross * (1 - gross) / variance).where(gross.between(0, 1, inclusive="neither"), most)
    size = pd.concat([alike, most], axis=1).min(axis=1).clip(lower=1)
    bounds = wilson(gross * size, size)
    grown, spread, more = sums["e"] / sums["x"], _spread(sums, "e"), (0.5 / sums["n"]) ** 2
    down = np.hypot(gross - bounds.lower, z_value() * np.sqrt(spread))
    up = np.hypot(bounds.upper - gross, z_value() * np.sqrt(spread + more))
    net = gross + grown
    around = {"net_ci_lower": (net - down).clip(lower=0), "net_ci_upper": net + up}
    return pd.DataFrame({"gross": gross, **bounds.columns("gross_"), "net": net, **around})


def _spread(sums: pd.DataFrame, name: str) -> pd.Series[float]:
    """Variance of a ratio of sums to Σx, by the delta method."""
    ratio = sums[name] / sums["x"]
    squares = (sums[name * 2] - 2 * ratio * sums[f"x{name}"] + ratio**2 * sums["xx"]).clip(lower=0)
    return squares * sums["n"] / (sums["n"] - 1).clip(lower=1) / sums["x"] ** 2


def grown_of_sums(x: ArrayLike, y: ArrayLike, *, squares: Squares, n: ArrayLike) -> Interval:
    """Bound Σy / Σx as :func:`ratio_of_sums` does, not below 0, and not where all customers are alike.

    Parameters
    ----------
    x, y, squares, n
        As for :func:`ratio_of_sums`.

    Returns
    -------
    Interval
        Missing where all customers have the same ratio: then their spread tells nothing.

    Examples
    --------
    >>> interval = grown_of_sums(2, 2, squares=(2, 2, 2), n=2)
    >>> float(interval.lower), float(interval.upper)
    (nan, nan)
    """
    bounds = ratio_of_sums(x, y, squares=squares, n=n)
    spread = bounds.upper - bounds.lower > NO_SPREAD
    return Interval(np.where(spread, np.maximum(bounds.lower, 0), np.nan), np.where(spread, bounds.upper, np.nan))


def holm(p_values: ArrayLike) -> Floats:
    """Holm-adjusted p-values, in the order given; NaN stays NaN and is not counted.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65–70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = pd.Series(np.asarray(p_values, float))
    ordered = p.dropna().sort_values(kind="stable")
    stepped = ordered * np.arange(len(ordered), 0, -1)
    return stepped.cummax().clip(upper=1).reindex(p.index).to_numpy()


def log_rank(n_at_risk: ArrayLike, n_events: ArrayLike) -> TestResult:
    """Log-rank test of k groups on counts.

    Parameters
    ----------
    n_at_risk
        Customers at risk just before each time, shape (k groups, m times). Times of strata stand side by side.
    n_events
        Events at each time, same shape.

    Returns
    -------
    TestResult
        Chi-squared with k − 1 degrees of freedom, or fewer where strata do not connect the groups; NaN where nothing
        can be compared.

    Notes
    -----
    Observed less expected events per group, with the hypergeometric variance that allows for ties. As every time is a
    table of its own, the stratified test is the same sum over the times of all strata.

    References
    ----------
    Mantel (1966), Cancer Chemotherapy Reports 50:163–170; Kalbfleisch & Prentice (2002), sec. 1.5.

    Examples
    --------
    >>> result = log_rank([[10, 8, 5], [10, 9, 8]], [[2, 3, 1], [1, 1, 1]])
    >>> round(result.statistic, 4), result.df
    (1.7845, 1)
    """
    r, d = np.asarray(n_at_risk, float), np.asarray(n_events, float)
    total, deaths = r.sum(axis=0), d.sum(axis=0)
    used = (total > 1) & (deaths > 0)
    r, d, total, deaths = r[:, used], d[:, used], total[used], deaths[used]
    present = r.sum(axis=1) > 0
    share = r[present] / total
    weight = deaths * (total - deaths) / (total - 1)
    return _chi_squared((d[present] - deaths * share).sum(axis=1), share, weight)


def compare_means(n: ArrayLike, x: ArrayLike, xx: ArrayLike) -> TestResult:
    """Test whether k groups have the same mean within strata, from sums.

    Parameters
    ----------
    n, x, xx
        Customers, Σx and Σx² over them, shape (k groups, s strata).

    Returns
    -------
    TestResult
        Chi-squared with k − 1 degrees of freedom, or fewer where strata do not connect the groups; NaN where nothing
        can be compared.

    Notes
    -----
    Sums less those expected at the mean of the stratum, with the variance within groups of each stratum. One stratum
    is the one-way analysis of variance.

    References
    ----------
    Mantel (1963), JASA 58:690–700.

    Examples
    --------
    Means 1 and 2, variance within groups 1/2:

    >>> result = compare_means([[2], [3]], [[2], [6]], [[2.5], [13]])
    >>> round(result.statistic, 4), result.df
    (2.4, 1)
    """
    sizes, sums, squares = (np.asarray(v, float) for v in (n, x, xx))
    total, groups = sizes.sum(axis=0), (sizes > 0).sum(axis=0)
    used = (groups > 1) & (total > groups)
    sizes, sums, squares, total = sizes[:, used], sums[:, used], squares[:, used], total[used]
    within = (squares - sums**2 / np.where(sizes > 0, sizes, 1)).sum(axis=0)
    present = sizes.sum(axis=1) > 0
    share = sizes[present] / total
    score = (sums[present] - sums.sum(axis=0) * share).sum(axis=1)
    return _chi_squared(score, share, within * total / (total - groups[used]))


def _chi_squared(score: Floats, share: Floats, weight: Floats) -> TestResult:
    """Test scores of k groups, of which each column is a table of its own: shares of it, and what it weighs."""
    if len(score) < 2:
        return TestResult(np.nan, 0, np.nan)
    variances, ways = np.linalg.eigh(np.diag((weight * share).sum(axis=1)) - (weight * share) @ share.T)
    told = variances > CONNECTED * variances.max()  # scores that add up to 0 say nothing in one way
    if variances.max() < NO_SPREAD:
        return TestResult(np.nan, len(score) - 1, np.nan)
    statistic, df = float(((score @ ways)[told] ** 2 / variances[told]).sum()), int(told.sum())
    return TestResult(statistic, df, float(chdtrc(df, statistic)))


def product_limit(n_at_risk: ArrayLike, n_events: ArrayLike) -> dict[str, Any]:
    """Kaplan–Meier survival from counts, with log(−log) bounds.

    Parameters
    ----------
    n_at_risk
        Customers at risk just before each time, shape (m,), times ascending.
    n_events
        Events at each time, same shape.

    Returns
    -------
    dict
        ``survival``, ``lower`` and ``upper``, shape (m,). Before the first event the bounds are 1; once
        survival is 0 they are NaN.

    References
    ----------
    Kaplan & Meier (1958), JASA 53:457–481; Kalbfleisch & Prentice (2002), eq. 1.16 (log(−log) bounds).

    Examples
    --------
    >>> product_limit([4, 3, 2], [1, 0, 1])["survival"].tolist()
    [0.75, 0.75, 0.375]
    """
    r, d = np.asarray(n_at_risk, float), np.asarray(n_events, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(np.where(r > 0, 1 - d / r, 1.0))
        greenwood = np.cumsum(np.where(d > 0, d / (r * (r - d)), 0.0))
        width = z_value() * np.sqrt(greenwood) / np.log(survival)
        lower, upper = survival ** np.exp(-width), survival ** np.exp(width)
    lower, upper = np.where(survival < 1, [lower, upper], 1.0)
    return {"survival": survival, "lower": lower, "upper": upper}
