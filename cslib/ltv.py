"""What a customer is worth: three formulas, the survival form with its intervals, and why they differ.

Every function takes the paths of :func:`cslib.value_paths.value_paths` and computes its figure on the estimate
and on all draws at once; the interval is the percentiles of the draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.errors import ParameterError
from cslib.intervals import Floats, z_value
from cslib.value_counts import UnitCosts
from cslib.value_paths import Paths

__all__ = [
    *("HORIZONS", "Terms", "bridge", "formula_a", "formula_b", "formula_c", "horizons", "ltv", "ltv_by_age"),
    *("net_value", "observed_part", "payback", "percentiles"),
]

HORIZONS: Final = (12, 24, 36, 60)  # months, beside the one asked for
USUAL: Final = 36


def formula_a(
    unit_price: float,
    gross_margin: float,
    purchases_per_year: float,
    years: float,
    *,
    acquisition_cost: float = 0.0,
    retention_cost: float = 0.0,
) -> float:
    """Lifetime value as profit: price × margin × purchases per year × years − costs.

    Parameters
    ----------
    unit_price
        Of one purchase, in money.
    gross_margin
        Share of the price that is profit, 0–1.
    purchases_per_year
        Of one customer.
    years
        That the customer stays.
    acquisition_cost, retention_cost
        Of one customer, over its whole life, in money.

    Returns
    -------
    float
        Money per customer.

    Raises
    ------
    ParameterError
        A number is negative, or the margin is over 1.

    Examples
    --------
    >>> formula_a(100, 0.6, 12, 2, acquisition_cost=300, retention_cost=140)
    1000.0
    """
    _check_share("gross_margin", gross_margin)
    amounts = {"unit_price": unit_price, "purchases_per_year": purchases_per_year, "years": years}
    _check_positive(amounts | {"acquisition_cost": acquisition_cost, "retention_cost": retention_cost})
    return unit_price * gross_margin * purchases_per_year * years - (acquisition_cost + retention_cost)


def formula_b(average_purchase: float, n_purchases: float, duration: float) -> float:
    """Lifetime value as revenue: average purchase × purchases per period × periods.

    Parameters
    ----------
    average_purchase
        In money; of a subscription ARPA per month.
    n_purchases
        Per period; of a subscription 1 per month.
    duration
        Periods that the customer stays; of a subscription months.

    Returns
    -------
    float
        Money per customer, before any cost.

    Raises
    ------
    ParameterError
        A number is negative.

    Examples
    --------
    A customer at 10,000 a month for two years:

    >>> formula_b(10_000, 1, 24)
    240000
    """
    _check_positive({"average_purchase": average_purchase, "n_purchases": n_purchases, "duration": duration})
    return average_purchase * n_purchases * duration


def formula_c(arpa: float, gross_margin: float, monthly_churn_rate: float) -> float:
    """Lifetime value at a constant rate of churn: ARPA × margin / churn rate.

    Parameters
    ----------
    arpa
        Revenue per customer and month, in money.
    gross_margin
        0–1.
    monthly_churn_rate
        Churns per customer and month, above 0 and up to 1.

    Returns
    -------
    float
        Money per customer.

    Raises
    ------
    ParameterError
        A number is out of its range.

    Examples
    --------
    >>> formula_c(50, 0.8, 0.02)
    2000.0
    """
    _check_share("gross_margin", gross_margin)
    _check_positive({"arpa": arpa})
    if not 0 < monthly_churn_rate <= 1:
        msg = (
            f"monthly_churn_rate is {monthly_churn_rate!r}. Give a share above 0 and up to 1, such as 0.02; "
            "without churn this formula has no answer."
        )
        raise ParameterError(msg)
    return arpa * gross_margin / monthly_churn_rate


def _check_positive(amounts: Mapping[str, float]) -> None:
    for name, value in amounts.items():
        if not value >= 0:
            msg = f"{name} is {value!r}. Give a number from 0 on."
            raise ParameterError(msg)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        hint = f" Did you mean {value / 100:g}?" if 1 < value <= 100 else ""
        msg = f"{name} is {value!r}, which is no share of 1.{hint} Give a number from 0 to 1, such as 0.8."
        raise ParameterError(msg)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What turns revenue into value.

    Attributes
    ----------
    costs
        As from :func:`cslib.value_counts.unit_costs`. What is not known there costs nothing.
    gross_margin
        Share of MRR that is margin, 0–1.
    annual_discount_rate
        Share by which money loses worth in a year, 0–1.

    Raises
    ------
    ParameterError
        A share is none.
    """

    costs: UnitCosts
    gross_margin: float = 1.0
    annual_discount_rate: float = 0.0

    def __post_init__(self) -> None:
        _check_share("gross_margin", self.gross_margin)
        _check_share("annual_discount_rate", self.annual_discount_rate)

    @property
    def retention_cost(self) -> float:
        """Cost of retention per customer and month; 0 where it is not known."""
        return float(np.nan_to_num(self.costs.retention_per_month))

    def discounts(self, n: int) -> Floats:
        """Worth today of money after 0, 1, 2 … months."""
        return np.asarray((1 + self.annual_discount_rate) ** (-np.arange(n) / 12))

    def cac(self, paths: Paths) -> Floats:
        """Cost of acquiring a customer: that of the segment, brought up to all that was spent; else the mean of all.

        Where the customers whose cost is known are not those of the books, the books alone count.
        """
        loading = self.costs.loading if np.isfinite(self.costs.loading) else 1.0
        whole = np.full(paths.cac.shape, self.costs.acquisition_per_customer)
        if np.isnan(paths.cac[0]) or (np.isfinite(whole[0]) and np.isnan(self.costs.loading)):
            return whole
        return np.where(np.isnan(paths.cac), paths.cac[0], paths.cac) * loading  # a draw may hold nobody of known cost


def horizons(counts: pd.DataFrame, *, horizon_months: int = 0, long_horizon: bool = False) -> list[int]:
    """Choose the horizons of a report, the main one first.

    Parameters
    ----------
    counts
        As from :func:`cslib.lifetimes.lifetimes`.
    horizon_months
        The main one; 0: three years, or twice what has been observed where that is less.
    long_horizon
        Whether it may be more than twice as long as the longest lifetime observed.

    Returns
    -------
    list of int
        Months; 12, 24, 36 and 60 and twice the longest lifetime among them, as far as they are not beyond it.

    Raises
    ------
    ParameterError
        ``horizon_months`` is negative, or too long and ``long_horizon`` is not set.
    """
    observed = float(counts["duration_months"].max())
    most = max(int(2 * observed), 1)
    if horizon_months < 0 or (horizon_months > most and not long_horizon):
        msg = (
            f"horizon_months is {horizon_months}. Customers have been observed for {observed:.0f} months: give 1 to "
            f"{most}, or 0 for the usual one; further ahead a model guesses, so set long_horizon=True if you mean it."
        )
        raise ParameterError(msg)
    main = horizon_months or min(USUAL, most)
    return [main, *sorted({h for h in (*HORIZONS, most) if h <= most} - {main})]


def percentiles(rows: Floats, confidence_level: float = 0.95) -> dict[str, float]:
    """Give ``ci_lower`` and ``ci_upper`` of a figure of which all but the first are draws; missing where all agree."""
    z_value(confidence_level)
    if np.isnan(rows[1:]).any() or (rows[1:] == rows[1]).all():
        return {"ci_lower": np.nan, "ci_upper": np.nan}
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(rows[1:], [tail, 1 - tail], method="inverted_cdf")  # an infinite draw is one, too
    return {"ci_lower": float(low), "ci_upper": float(high)}


def _still_here(paths: Paths) -> Floats:
    return np.asarray(np.exp(-paths.hazard) if paths.from_start else np.full(paths.hazard.shape, np.nan))


def _monthly(paths: Paths, terms: Terms) -> Floats:
    """Give what a customer of each age brings in a month, seen from its start: margin less cost, discounted."""
    margin = paths.price * terms.gross_margin - terms.retention_cost
    return np.asarray(margin * _still_here(paths) * terms.discounts(paths.hazard.shape[1]))


def net_value(paths: Paths, terms: Terms, horizon: int) -> Floats:
    """Survival form net of acquisition cost, where that is known: the estimate and each draw."""
    return np.asarray(_monthly(paths, terms)[:, :horizon].sum(axis=1) - np.nan_to_num(terms.cac(paths)))


def ltv(
    paths: Mapping[str, Paths], terms: Terms, *, horizons: Sequence[int], confidence_level: float = 0.95
) -> pd.DataFrame:
    """Compute customer value by segment in all its forms, side by side.

    Parameters
    ----------
    paths
        As from :func:`cslib.value_paths.value_paths`.
    terms
        Margin, discount, costs.
    horizons
        As from :func:`horizons`; forms other than the survival one are given for the first.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``method``, ``horizon_months`` (missing: the whole life; beside the first only those up to twice
        the segment's longest lifetime), ``ltv`` (money per customer;
        missing where nobody left and the horizon is longer than what was observed), ``ci_lower``, ``ci_upper``,
        ``share_in_tail`` (share of the value before acquisition cost from beyond the last trusted age, where a
        model speaks), ``n_customers``.

    Notes
    -----
    Survival: Σ over k < H of m·S(k) / (1 + r)^(k/12), m = MRR at age k × margin − retention cost, less acquisition
    cost where it is known. ``newest customers`` leave as those of the last four quarters do (where quarters differ,
    :mod:`cslib.cohort_effects`); ``constant ARPA`` puts what present customers pay in place of MRR by age;
    sBG and BdW put contract models in place of the curve. In formulas A, B and C a customer stays 1 / (churns per
    customer-month) months.
    """
    rows = [
        {"segment": segment, **row, "n_customers": own.n_customers}
        for segment, own in paths.items()
        for row in _forms(own, terms, horizons, confidence_level)
    ]
    columns = ["segment", "method", "horizon_months", "ltv", "ci_lower", "ci_upper", "share_in_tail", "n_customers"]
    return pd.DataFrame(rows, columns=columns)


def _forms(paths: Paths, terms: Terms, horizons: Sequence[int], level: float) -> Iterator[dict[str, Any]]:
    main, tail = horizons[0], np.arange(paths.hazard.shape[1]) > paths.last
    for horizon in [main, *(h for h in horizons[1:] if h <= 2 * paths.longest)]:
        monthly = _monthly(paths, terms)[:, :horizon]
        whole = monthly[0].sum()
        beyond = {"share_in_tail": float(monthly[0, tail[:horizon]].sum() / whole) if whole else np.nan}
        yield _form("Survival", horizon, net_value(paths, terms, horizon), level) | beyond
        if np.isfinite(terms.cac(paths)[0]):
            yield _form("Survival, before acquisition cost", horizon, monthly.sum(axis=1), level) | beyond
    if (paths.newest != 1).any():
        newest = replace(paths, hazard=paths.at_factor_1() * paths.newest[:, None])
        yield _form("Survival, newest customers", main, net_value(newest, terms, main), level)
    constant = replace(paths, price=np.tile(paths.arpa[:, None], paths.price.shape[1]))
    yield _form("Survival, constant ARPA", main, net_value(constant, terms, main), level)
    for name, hazard in paths.contracts.items():
        yield _form(name, main, net_value(replace(paths, hazard=hazard), terms, main), level)
    for name, rows in _formulas(paths, terms).items():
        bounds = _form(name, np.nan, rows, level)
        yield bounds if paths.n_events else bounds | {"ci_upper": np.nan}  # without churn there is no upper bound


def _form(method: str, horizon: float, rows: Floats, level: float) -> dict[str, Any]:
    bounds = percentiles(rows, level)
    # where nobody left, no draw is as good as the estimate
    bounds["ci_upper"] = max(bounds["ci_upper"], float(rows[0]))
    return {"method": method, "horizon_months": horizon, "ltv": float(rows[0]), **bounds}


def _formulas(paths: Paths, terms: Terms) -> dict[str, Floats]:
    margin, costs = paths.arpa * terms.gross_margin, np.nan_to_num(terms.cac(paths))
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw may hold nobody who left, or nobody who pays
        months = 1 / paths.churn_rate
        return {
            "Formula A (profit)": (margin - terms.retention_cost) * months - costs,
            "Formula B (revenue)": paths.arpa * months,
            "Formula C (margin / churn)": margin * months,
        }


def observed_part(paths: Mapping[str, Paths]) -> pd.DataFrame:
    """Tell how far the data reach, and what speaks beyond.

    Parameters
    ----------
    paths
        As from :func:`cslib.value_paths.value_paths`.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``last_age_months`` (the last trusted age; where nobody left the last observed), ``still_here``
        (share that stays longer; missing where early ages were not observed), ``model`` (beyond).
    """
    rows = []
    for segment, own in paths.items():
        still = _still_here(own)[0, int(own.last)]
        rows.append({"segment": segment, "last_age_months": int(own.last), "still_here": still, "model": own.model})
    return pd.DataFrame(rows)


def bridge(paths: Mapping[str, Paths], terms: Terms, *, horizon_months: int) -> pd.DataFrame:
    """Lead from formula C to the survival form, one assumption at a time: why the two differ.

    Parameters
    ----------
    paths, terms
        As for :func:`ltv`.
    horizon_months
        Of the survival form.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``step``, ``value`` (after the step), ``difference`` (made by it; missing at the first), in
        money per customer. Segments that nobody left, or whose early ages were not observed, are absent.
    """
    tables = [
        _steps(own, terms, horizon_months).assign(segment=segment)
        for segment, own in paths.items()
        if own.n_events and own.from_start and np.isfinite(own.churn_rate[0])
    ]
    columns = ["segment", "step", "value", "difference"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def _steps(paths: Paths, terms: Terms, horizon: int) -> pd.DataFrame:
    ages, arpa, rate = np.arange(horizon), paths.arpa[0], paths.churn_rate[0]
    still, price, worth = _still_here(paths)[0, :horizon], paths.price[0, :horizon], terms.discounts(horizon)
    margin = terms.gross_margin
    values = {
        "formula C": arpa * margin / rate,
        f"no longer than {horizon} months": arpa * margin * np.exp(-rate * ages).sum(),
        "churn by age": arpa * margin * still.sum(),
        "price by age": margin * (price * still).sum(),
        "discount": margin * (price * still * worth).sum(),
        "retention cost": ((margin * price - terms.retention_cost) * still * worth).sum(),
        "acquisition cost": net_value(paths, terms, horizon)[0],
    }
    table = pd.DataFrame({"step": list(values), "value": list(values.values())})
    return table.assign(difference=table["value"].diff())


def ltv_by_age(
    paths: Mapping[str, Paths], terms: Terms, *, horizon_months: int, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Residual value: what a customer who has reached an age brings from then on.

    Parameters
    ----------
    paths, terms
        As for :func:`ltv`.
    horizon_months
        From each age on.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``age_months`` (whole months, from the first age observed to that of the oldest present customers),
        ``residual_value`` (money per customer, before acquisition cost), ``ci_lower``, ``ci_upper``, ``n_active``
        (present customers of that age).

    Notes
    -----
    Σ over k < H of m(a + k)·S(a + k) / S(a) / (1 + r)^(k/12).
    """
    rows = []
    for segment, own in paths.items():
        n_active = own.active.groupby(np.floor(own.active["age_months"] + 1e-9))["n"].sum()
        margin = own.price * terms.gross_margin - terms.retention_cost
        for age in range(own.first, int(n_active.index.max() if len(n_active) else 0) + 1):
            ahead = slice(age, age + horizon_months)
            kept = np.exp(own.hazard[:, [age]] - own.hazard[:, ahead])
            value = (margin[:, ahead] * kept * terms.discounts(horizon_months)).sum(axis=1)
            known = {"residual_value": float(value[0]), **percentiles(value, confidence_level)}
            rows.append({"segment": segment, "age_months": age, **known, "n_active": int(n_active.get(age, 0))})
    return pd.DataFrame(rows)


def payback(
    paths: Mapping[str, Paths], terms: Terms, *, horizon_months: int, confidence_level: float = 0.95
) -> pd.DataFrame:
    """When a customer has earned back what it cost to win, and how many times it does so.

    Parameters
    ----------
    paths, terms
        As for :func:`ltv`.
    horizon_months
        Of the value; payback is looked for so far.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``cac`` (money; missing where not known, and all else with it), ``payback_months`` (first
        number of months whose margins × survival add up to it; infinite: not within the horizon), ``ci_lower``,
        ``ci_upper``, ``ltv_to_cac`` (value before acquisition cost / ``cac``), ``ltv_to_cac_ci_lower``,
        ``ltv_to_cac_ci_upper``.

    Notes
    -----
    Payback is not discounted, the value is.
    """
    rows = []
    for segment, own in paths.items():
        cac = terms.cac(own)
        undiscounted = _monthly(own, replace(terms, annual_discount_rate=0.0))[:, :horizon_months]
        earned = np.cumsum(undiscounted, axis=1) >= cac[:, None]
        months = np.where(earned.any(axis=1), earned.argmax(axis=1) + 1.0, np.inf)
        months[np.isnan(cac) | np.isnan(undiscounted).any(axis=1)] = np.nan
        ratio = np.divide(_monthly(own, terms)[:, :horizon_months].sum(axis=1), cac, where=cac > 0, out=cac * np.nan)
        of_ratio = {f"ltv_to_cac_{k}": v for k, v in percentiles(ratio, confidence_level).items()}
        known = {"payback_months": months[0], **percentiles(months, confidence_level)}
        if np.isfinite(of_ratio["ltv_to_cac_ci_lower"]) and (months == months[0]).all():
            known |= {"ci_lower": months[0], "ci_upper": months[0]}  # whole months: all draws may agree and be sure
        rows.append({"segment": segment, "cac": cac[0], **known, "ltv_to_cac": ratio[0], **of_ratio})
    return pd.DataFrame(rows)
