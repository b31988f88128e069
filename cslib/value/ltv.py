"""What a customer is worth: three formulas, the survival form with its intervals, and why they differ.

All take the paths of :func:`cslib.value.paths.value_paths` and compute their figure on the estimate and on all draws at
once; the 95 % interval is the percentiles of the draws (:func:`cslib.stats.intervals.percentiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cslib.errors import ParameterError, check_share, counted
from cslib.stats.intervals import Floats, percentiles
from cslib.value.paths import Paths, Projection
from cslib.value.prices import UnitCosts

HORIZONS: Final = (12, 24, 36, 60)  # months, beside the one asked for
USUAL: Final = 36
SURVIVAL: Final = "Survival"  # the form that the others are held against
NEWEST: Final = "Survival, newest customers"
LONG_RUN: Final = "Survival, all years"
FORMULA_C: Final = "Formula C (margin / churn)"
BY_AGE: Final = ["segment", "age_months", "residual_value", "ci_lower", "ci_upper", "n_active", "share_in_tail"]
CUMULATIVE: Final = ["segment", "month", "net_value", "ci_lower", "ci_upper", "extrapolated"]
RECOVERY: Final = ["segment", "month", "recovered", "ci_lower", "ci_upper", "extrapolated"]
STEPS: Final = (
    *("MRR of today", "who leaves", "what they pay", "who comes back", "gross margin", "retention cost", "discount"),
)
MOSTLY_HERE: Final = 0.8  # share of customers, at the last age observed
MATTERS: Final = 0.1  # share of value
MOST: Final = 0.5  # of a difference
NO_DIFFERENCE: Final = 0.5  # money per customer: less is none in whole numbers


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What turns revenue into value.

    Attributes
    ----------
    costs
        As from :func:`cslib.value.prices.unit_costs`. What is not known there costs nothing.
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
        check_share("gross_margin", self.gross_margin)
        check_share("annual_discount_rate", self.annual_discount_rate)

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


def formulas(
    arpa: ArrayLike,
    months: ArrayLike,
    *,
    gross_margin: float = 1.0,
    retention_cost: float = 0.0,
    acquisition_cost: ArrayLike = 0.0,
) -> dict[str, Floats]:
    """Compute the three formulas of lifetime value, in which a customer pays and may leave alike at every age.

    Parameters
    ----------
    arpa
        Revenue per customer and month, in money; of purchases their price × how many there are a month.
    months
        That a customer stays: 1 / (churns per customer and month). Infinite without churn.
    gross_margin
        Share of revenue that is margin, 0–1.
    retention_cost
        Per customer and month, in money.
    acquisition_cost
        Per customer, in money.

    Returns
    -------
    dict of str to numpy.ndarray
        Money per customer: ``Formula A (profit)``: ARPA × margin × months − costs; ``Formula B (revenue)``: ARPA ×
        months; ``Formula C (margin / churn)``: ARPA × margin / churn rate.

    Raises
    ------
    ParameterError
        The margin is no share.

    Examples
    --------
    Twelve purchases a year at 100 and 60 % profit, for two years, less 300 to win and 140 to keep the customer:

    >>> worth = formulas(100, 24, gross_margin=0.6, retention_cost=140 / 24, acquisition_cost=300)
    >>> {form: round(float(value)) for form, value in worth.items()}
    {'Formula A (profit)': 1000, 'Formula B (revenue)': 2400, 'Formula C (margin / churn)': 1440}
    """
    check_share("gross_margin", gross_margin)
    price, stay = np.asarray(arpa, float), np.asarray(months, float)
    margin = price * gross_margin
    with np.errstate(invalid="ignore"):  # who pays nothing and never leaves
        return {
            "Formula A (profit)": np.asarray((margin - retention_cost) * stay - np.asarray(acquisition_cost, float)),
            "Formula B (revenue)": np.asarray(price * stay),
            FORMULA_C: np.asarray(margin * stay),
        }


def horizons(counts: pd.DataFrame, *, horizon_months: int = 0, long_horizon: bool = False) -> list[int]:
    """Choose the horizons of a report, the main one first.

    Parameters
    ----------
    counts
        As from :func:`cslib.data.lifetimes.lifetimes`.
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
        seen = f"Customers have been observed for {observed:.0f} months: give 1 to {most}, or 0 for the usual one"
        ahead = "further ahead a model guesses, so set long_horizon=True if you mean it."
        msg = f"horizon_months is {horizon_months}. {seen}; {ahead}"
        raise ParameterError(msg)
    main = horizon_months or min(USUAL, most)
    return [main, *sorted({h for h in (*HORIZONS, most) if h <= most} - {main})]


def _still_here(paths: Paths) -> Floats:
    return np.asarray(np.exp(-paths.hazard) if paths.from_start else np.full(paths.hazard.shape, np.nan))


def _brought(paths: Paths, monthly: Floats) -> Floats:
    """Tell what a new customer brings in each month since its start, given what it brings while it is here."""
    return paths.renewed(monthly) if paths.from_start else np.full(monthly.shape, np.nan)


def _monthly(paths: Paths, terms: Terms) -> Floats:
    """Give what a customer brings in each month since its start, in all its lives: margin less cost, discounted."""
    margin = paths.price * terms.gross_margin - terms.retention_cost
    return np.asarray(_brought(paths, margin) * terms.discounts(paths.hazard.shape[1]))


def _net_value(paths: Paths, terms: Terms, horizon: int) -> Floats:
    """Sum the survival form net of acquisition cost, where that is known: the estimate and each draw."""
    return np.asarray(_monthly(paths, terms)[:, :horizon].sum(axis=1) - np.nan_to_num(terms.cac(paths)))


def ltv(paths: Mapping[str, Paths], terms: Terms, *, horizons: Sequence[int]) -> pd.DataFrame:
    """Compute customer value by segment in all its forms, side by side.

    Parameters
    ----------
    paths
        As from :func:`cslib.value.paths.value_paths`.
    terms
        Margin, discount, costs.
    horizons
        As from :func:`horizons`; forms other than the survival one are given for the first.

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
    cost where it is known; with what later lives of who comes back bring (:meth:`cslib.value.paths.Paths.renewed`), as
    in every form but A, B and C. ``newest customers`` leave as those of the last four quarters do (where they differ,
    :func:`cslib.value.prices.cohort_effects`); ``constant ARPA`` puts what present customers pay in place of MRR by
    age; sBG and BdW put contract models in place of the curve. In formulas A, B and C a customer stays 1 / (churns per
    customer-month) months.
    """
    each = [(segment, own, form) for segment, own in paths.items() for form in _forms(own, terms, horizons)]
    return pd.DataFrame([{"segment": s, **form, "n_customers": own.n_customers} for s, own, form in each])


def with_long_run(forms: pd.DataFrame, usual: pd.DataFrame) -> pd.DataFrame:
    """Set beside values of the last twelve months the survival form of all years, at the main horizon.

    Parameters
    ----------
    forms, usual
        As from :func:`ltv`, of the last twelve months and of all years.

    Returns
    -------
    pandas.DataFrame
        ``forms`` with a row more by segment, of the method ``Survival, all years``.
    """
    main = (usual["method"] == SURVIVAL) & (usual["horizon_months"] == forms["horizon_months"].iloc[0])
    place = {segment: i for i, segment in enumerate(forms["segment"].unique())}
    both = pd.concat([forms, usual[main].assign(method=LONG_RUN)])
    return both.sort_values("segment", key=lambda s: s.map(place), kind="stable", ignore_index=True)


def _forms(paths: Paths, terms: Terms, horizons: Sequence[int]) -> Iterator[dict[str, Any]]:
    main, tail = horizons[0], np.arange(paths.hazard.shape[1]) > paths.last
    for horizon in [main, *(h for h in horizons[1:] if h <= 2 * paths.longest)]:
        monthly = _monthly(paths, terms)[:, :horizon]
        whole = monthly[0].sum()
        beyond = {"share_in_tail": float(monthly[0, tail[:horizon]].sum() / whole) if whole else np.nan}
        yield _form(SURVIVAL, horizon, _net_value(paths, terms, horizon)) | beyond
        if np.isfinite(terms.cac(paths)[0]):
            yield _form("Survival, before acquisition cost", horizon, monthly.sum(axis=1)) | beyond
    if (paths.newest != 1).any():
        newest = replace(paths, hazard=paths.at_factor_1() * paths.newest[:, None])
        yield _form(NEWEST, main, _net_value(newest, terms, main))
    constant = replace(paths, price=np.tile(paths.arpa[:, None], paths.price.shape[1]))
    yield _form("Survival, constant ARPA", main, _net_value(constant, terms, main))
    for name, hazard in paths.contracts.items():
        yield _form(name, main, _net_value(replace(paths, hazard=hazard), terms, main))
    with np.errstate(divide="ignore"):  # a draw may hold nobody who left
        months = 1 / paths.churn_rate
    costs: Any = {"retention_cost": terms.retention_cost, "acquisition_cost": np.nan_to_num(terms.cac(paths))}
    for name, rows in formulas(paths.arpa, months, gross_margin=terms.gross_margin, **costs).items():
        bounds = _form(name, np.nan, rows)
        yield bounds if paths.n_events else bounds | {"ci_upper": np.nan}  # without churn there is no upper bound


def _form(method: str, horizon: float, rows: Floats) -> dict[str, Any]:
    return {"method": method, "horizon_months": horizon, "ltv": float(rows[0]), **percentiles(rows)}


def observed_part(paths: Mapping[str, Paths], forms: pd.DataFrame) -> pd.DataFrame:
    """Tell how far the data reach, what speaks beyond, and where that matters.

    Parameters
    ----------
    paths
        As from :func:`cslib.value.paths.value_paths`.
    forms
        As from :func:`ltv`, of the same.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``last_age_months`` (the last trusted age; where nobody left the last observed), ``still_here``
        (share that stays longer; missing where early ages were not observed), ``model`` (beyond), ``longest_months``
        (the longest horizon), ``life_beyond`` (most stay longer, and much of the value over that horizon is from
        beyond: then nearly all that they bring in their life is), ``newest_differ`` (value at the pace of the newest
        customers: its interval lies apart from that of the survival form).
    """
    rows = []
    for segment, own in paths.items():
        known = forms[forms["segment"] == segment]
        main, newest = (known[known["method"] == method] for method in (SURVIVAL, NEWEST))
        longest = main.loc[main["horizon_months"].idxmax()]
        still = _still_here(own)[0, int(own.last)]
        life_beyond = bool(still > MOSTLY_HERE and longest["share_in_tail"] > MATTERS)
        reach = {"last_age_months": int(own.last), "still_here": still, "model": own.model}
        reach |= {"longest_months": int(longest["horizon_months"]), "life_beyond": life_beyond}
        rows.append({"segment": segment, **reach, "newest_differ": bool(_apart(newest, main.iloc[0]).any())})
    return pd.DataFrame(rows)


def _apart(rows: pd.DataFrame, other: pd.DataFrame | pd.Series[Any]) -> pd.Series[bool]:
    """Tell which intervals have nothing in common with another."""
    return (rows["ci_lower"] > other["ci_upper"]) | (rows["ci_upper"] < other["ci_lower"])


def _steps(paths: Paths, terms: Terms, horizon: int) -> pd.DataFrame:
    ages, arpa, rate = np.arange(horizon), paths.arpa[0], paths.churn_rate[0]
    still, price, worth = _still_here(paths)[0, :horizon], paths.price[0, :horizon], terms.discounts(horizon)
    margin, paid = terms.gross_margin, price * still
    again, kept = (paths.renewed(monthly[None])[0] for monthly in (price, np.ones(horizon)))
    back = {"later lives": margin * again.sum()} if paths.come_back else {}
    values = {
        "formula C": arpa * margin / rate,
        f"no longer than {counted(horizon, 'month')}": arpa * margin * np.exp(-rate * ages).sum(),
        "churn by age": arpa * margin * still.sum(),
        "price by age": margin * paid.sum(),
        **back,
        "discount": margin * (again * worth).sum(),
        "retention cost": ((margin * again - terms.retention_cost * kept) * worth).sum(),
        "acquisition cost": _net_value(paths, terms, horizon)[0],
    }
    table = pd.DataFrame({"step": list(values), "value": list(values.values())})
    difference = table["value"].diff()
    made = difference.abs().where(difference.abs() >= NO_DIFFERENCE)
    return table.assign(difference=difference, rank=made.rank(ascending=False, method="first"))


def _worth(projection: Projection, terms: Terms) -> Floats:
    margin = projection.mrr * terms.gross_margin - projection.active * terms.retention_cost
    return np.asarray((margin * terms.discounts(margin.shape[1]))[:, :-1].sum(axis=1))


def _now(paths: Paths, projection: Projection) -> Floats:
    """Count the present customers and sum what they pay."""
    known = paths.active["mrr"].notna().all()
    return np.array([paths.active["n"].sum(), paths.active["mrr"].sum() if known else projection.mrr[0, 0]])


def _by_leaving(steps: pd.DataFrame, own: Paths, horizon: int) -> pd.Series[bool]:
    """Tell at which step what the remaining ones pay moves as others leave."""
    moved = steps["difference"]
    made = [(_own_move(part, horizon), percentiles(part.leavers_pay)) for part in own.summands]
    explained = sum(d for d, ends in made if (d > 0 and ends["ci_upper"] < 1) or (d < 0 and ends["ci_lower"] > 1))
    return (steps["step"] == "what they pay") & (moved != 0) & (explained / moved.replace(0, np.nan) > MOST)


def _own_move(own: Paths, horizon: int) -> float:
    """Give by how much what the remaining ones pay moves."""
    ahead = own.ahead(horizon)
    return float((ahead.mrr_own - ahead.mrr_flat)[:horizon].sum())


def _altered(own: Paths, alter: Callable[[Paths], Paths]) -> Paths:
    return replace(alter(own), parts={name: alter(part) for name, part in own.parts.items()})


def _new_gain(own: Paths, other: Paths, terms: Terms, horizon: int) -> Floats:
    """Tell what a new customer gains: the mean over the parts."""
    both = zip(own.summands, other.summands, strict=True)
    gains = [_net_value(after, terms, horizon) - _net_value(before, terms, horizon) for before, after in both]
    return np.asarray(np.average(gains, axis=0, weights=[part.n_customers for part in own.summands]))


def _dearer(paths: Paths) -> Paths:
    return replace(paths, price=1.05 * paths.price, active=paths.active.assign(mrr=1.05 * paths.active["mrr"]))


CHANGES: Final[dict[str, Callable[[Paths], Paths]]] = {
    "10 % less churn": lambda paths: replace(paths, hazard=0.9 * paths.hazard),
    "5 % higher ARPA": _dearer,
    "Half the involuntary churn": lambda paths: replace(paths, hazard=paths.hazard - paths.involuntary / 2),
}


def _bounded(name: str, rows: Floats) -> dict[str, float]:
    return {name: float(rows[0])} | {f"{name}_{k}": v for k, v in percentiles(rows).items()}


@dataclass(frozen=True, eq=False)
class Worth:
    """What a new customer brings by when, what the present ones bring, and what would raise it.

    Attributes
    ----------
    paths
        As from :func:`cslib.value.paths.value_paths`.
    terms
        What turns revenue into value.
    horizon_months
        How far each value looks ahead.
    """

    paths: Mapping[str, Paths]
    terms: Terms
    horizon_months: int = USUAL

    @cached_property
    def cumulative(self) -> pd.DataFrame:
        """What a new customer has brought by each month since its start, less what it cost to win if that is known.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``month`` (0, 1, 2 …: whole months since the start), ``net_value`` (money per customer,
            discounted; the last is ``ltv`` of the survival form), ``ci_lower``, ``ci_upper``, ``extrapolated`` (it
            counts months beyond the last trusted age). Segments whose early ages were not observed are absent.
        """
        tables, months = [], np.arange(self.horizon_months + 1)
        for segment, own in self.paths.items():
            if not own.from_start:
                continue
            brought = np.cumsum(_monthly(own, self.terms)[:, : self.horizon_months], axis=1)
            net = np.pad(brought, ((0, 0), (1, 0))) - np.nan_to_num(self.terms.cac(own))[:, None]
            ends = pd.DataFrame([percentiles(column) for column in net.T])
            known = {"segment": segment, "month": months, "net_value": net[0], "extrapolated": months > own.last + 1}
            tables.append(pd.DataFrame(known).join(ends)[CUMULATIVE])
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CUMULATIVE)

    @cached_property
    def recovery(self) -> pd.DataFrame:
        """How much of what it cost to win a new customer is brought back, month by month until all of it is.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``month`` (0, 1, 2 … up to ``payback_months`` of :attr:`payback`; of a segment that does not
            come so far, up to the latest of the others, or the horizon), ``recovered`` (share of the acquisition cost,
            not discounted: 1 is all of it), ``ci_lower``, ``ci_upper``, ``extrapolated`` (as in :attr:`cumulative`).
            Without segments whose acquisition cost is not known, or nothing.
        """
        known = self.payback.query("cac > 0").dropna(subset="payback_months")
        ends = known.set_index("segment")["payback_months"]
        last = ends[np.isfinite(ends)].max() if np.isfinite(ends).any() else self.horizon_months
        tables, undiscounted = [], replace(self.terms, annual_discount_rate=0.0)
        for segment, end in ends.clip(upper=last).astype(int).items():
            own = self.paths[str(segment)]
            brought = np.cumsum(_monthly(own, undiscounted)[:, :end], axis=1) / self.terms.cac(own)[:, None]
            share, months = np.pad(brought, ((0, 0), (1, 0))), np.arange(end + 1)
            bounds = pd.DataFrame([percentiles(column) for column in share.T])
            rows = {"segment": segment, "month": months, "recovered": share[0], "extrapolated": months > own.last + 1}
            tables.append(pd.DataFrame(rows).join(bounds)[RECOVERY])
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=RECOVERY)

    @cached_property
    def payback(self) -> pd.DataFrame:
        """When a customer has earned back what it cost to win, and how many times it does so.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``cac`` (money; missing where not known, and all else with it), ``payback_months`` (first
            number of months whose margins × survival add up to it; infinite: not within the horizon), ``ci_lower``,
            ``ci_upper``, ``ltv_to_cac`` (value before acquisition cost / ``cac``), ``ltv_to_cac_ci_lower``,
            ``ltv_to_cac_ci_upper``, ``ltv_before_cac`` (that value, money).

        Notes
        -----
        Payback is not discounted, the value is.
        """
        rows = []
        for segment, own in self.paths.items():
            cac = self.terms.cac(own)
            undiscounted = _monthly(own, replace(self.terms, annual_discount_rate=0.0))[:, : self.horizon_months]
            earned = np.cumsum(undiscounted, axis=1) >= cac[:, None]
            months = np.where(earned.any(axis=1), earned.argmax(axis=1) + 1.0, np.inf)
            months[np.isnan(cac) | np.isnan(undiscounted).any(axis=1)] = np.nan
            before = _monthly(own, self.terms)[:, : self.horizon_months].sum(axis=1)
            ratio = np.divide(before, cac, where=cac > 0, out=cac * np.nan)
            of_ratio = _bounded("ltv_to_cac", ratio)
            known = {"payback_months": months[0], **percentiles(months)}
            if np.isfinite(of_ratio["ltv_to_cac_ci_lower"]) and (months == months[0]).all():
                known |= {"ci_lower": months[0], "ci_upper": months[0]}  # whole months: all draws may agree and be sure
            rows.append({"segment": segment, "cac": cac[0], **known, **of_ratio, "ltv_before_cac": before[0]})
        return pd.DataFrame(rows)

    @cached_property
    def bridge(self) -> pd.DataFrame:
        """From formula C to the survival form, one assumption at a time: why the two differ.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``step`` (``later lives`` only where somebody comes back), ``value`` (after the step),
            ``difference`` (made by it; missing at the first), in money per customer, ``rank`` (1: the largest step;
            missing where it makes no difference). Segments that nobody left, or whose early ages were not observed, are
            absent.
        """
        tables = [
            _steps(own, self.terms, self.horizon_months).assign(segment=segment)
            for segment, own in self.paths.items()
            if own.n_events and own.from_start and np.isfinite(own.churn_rate[0])
        ]
        columns = ["segment", "step", "value", "difference", "rank"]
        return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)

    @cached_property
    def ltv_by_age(self) -> pd.DataFrame:
        """Residual value: what a customer who has reached an age brings from then on.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``age_months`` (whole months, from the first age observed to that of the oldest present
            customers), ``residual_value`` (money per customer, before acquisition cost), ``ci_lower``, ``ci_upper``,
            ``n_active`` (present customers of that age), ``differs`` (from a new customer: the intervals lie apart),
            ``share_in_tail`` (share of it from beyond the last trusted age, where a model speaks).

        Notes
        -----
        Σ over k < H of m(a + k)·S(a + k) / S(a) / (1 + r)^(k/12).
        """
        rows = []
        for segment, own in self.paths.items():
            n_active = own.active.groupby(np.floor(own.active["age_months"] + 1e-9))["n"].sum()
            margin = own.price * self.terms.gross_margin - self.terms.retention_cost
            back = own.after(margin) if own.come_back else margin
            for age in range(own.first, int(n_active.index.max() if len(n_active) else 0) + 1):
                ahead = slice(age, age + self.horizon_months)
                kept = np.exp(own.hazard[:, [age]] - own.hazard[:, ahead])
                brought = margin[:, ahead] * kept + own.later(kept, back, age=age)
                months = brought * self.terms.discounts(self.horizon_months)
                value = months.sum(axis=1)
                beyond = months[0, np.arange(age, age + self.horizon_months) > own.last].sum()
                share = float(beyond / value[0]) if value[0] else np.nan
                known = {"residual_value": float(value[0]), **percentiles(value), "share_in_tail": share}
                rows.append({"segment": segment, "age_months": age, **known, "n_active": int(n_active.get(age, 0))})
        table = pd.DataFrame(rows, columns=BY_AGE)
        at_start = table[table["age_months"] == 0].set_index("segment")
        differs = _apart(table, at_start.reindex(table["segment"]).reset_index())
        return table.assign(differs=differs)[[*BY_AGE[:-1], "differs", "share_in_tail"]]

    @cached_property
    def base_value(self) -> pd.DataFrame:
        """Value of the present customers: what all of them together bring from now on.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``horizon_months``, ``n_active``, ``mrr`` (now), ``base_value`` (money, before what was once
            spent on acquisition), ``ci_lower``, ``ci_upper`` (of the expected value), ``share_in_tail``. A row is
            the sum of its parts, if it has any (:func:`cslib.value.together.added_up`); that of ``All`` is the same
            whatever the segments.
        """
        projected = {segment: own.ahead(self.horizon_months) for segment, own in self.paths.items()}
        values = {s: _worth(p, self.terms) for s, p in projected.items()}
        beyond = {s: replace(p, active=p.active_beyond[None], mrr=p.mrr_beyond[None]) for s, p in projected.items()}
        tails = {s: _worth(p, self.terms) for s, p in beyond.items()}
        now = {s: _now(own, projected[s]) for s, own in self.paths.items()}
        rows = []
        for segment, value in values.items():
            n, mrr = now[segment]
            known = {"horizon_months": self.horizon_months, "n_active": round(n), "mrr": mrr, "base_value": value[0]}
            share = tails[segment][0] / value[0] if value[0] else np.nan
            rows.append({"segment": segment, **known, **percentiles(value), "share_in_tail": share})
        return pd.DataFrame(rows)

    @cached_property
    def base_steps(self) -> pd.DataFrame:
        """From today's MRR to the value of the present customers, one step at a time.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``step`` (of :data:`STEPS`), ``value`` (money, after the step; at the last ``base_value``),
            ``difference`` (made by it, so that all add up; at the first the value), ``by_leaving`` (at ``what they
            pay``: who leaves pays clearly less than others of their age, or more, and so makes part of the difference;
            of a sum, in parts that make most of it).
        """
        tables = []
        for segment, own in self.paths.items():
            ahead, months = own.ahead(self.horizon_months), slice(0, self.horizon_months)
            cost = self.terms.retention_cost * ahead.active[0]
            margin = self.terms.gross_margin * ahead.mrr[0]
            parts = (ahead.mrr_flat, ahead.mrr_own, ahead.mrr[0], margin, margin - cost)
            today = _now(own, ahead)[1] * self.horizon_months
            values = [today, *(p[months].sum() for p in parts), _worth(ahead, self.terms)[0]]
            known = {"segment": segment, "step": STEPS, "value": values, "difference": np.diff(values, prepend=0.0)}
            steps = pd.DataFrame(known)
            tables.append(steps.assign(by_leaving=_by_leaving(steps, own, self.horizon_months)))
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def what_if(self) -> pd.DataFrame:
        """What less churn or a higher price would be worth, per new customer and for the present ones together.

        Returns
        -------
        pandas.DataFrame
            ``segment``, ``change``, ``ltv`` (as it is, survival form), ``ltv_gain`` with ``ltv_gain_ci_lower`` and
            ``ltv_gain_ci_upper`` (money per new customer), ``base_gain`` with its bounds (money, present customers).
            The changes are of different sizes: which adds most is chosen with them, so they are not ranked.

        Notes
        -----
        10 % less churn: every hazard × 0.9. Half the involuntary churn: the hazard less half of its involuntary part;
        missing where the kind of churn is not recorded. Value and changed value are computed in the same draws, so
        the interval is that of the gain. Of the sum of parts (:func:`cslib.value.together.added_up`) the gain of a new
        customer is the mean of theirs, by numbers of customers.
        """
        rows, horizon = [], self.horizon_months
        for segment, own in self.paths.items():
            now, ltv = _worth(own.ahead(horizon), self.terms), _net_value(own, self.terms, horizon)[0]
            changed = {name: _altered(own, alter) for name, alter in CHANGES.items()}
            for change, other in changed.items():
                gain = _bounded("ltv_gain", _new_gain(own, other, self.terms, horizon))
                unknown = all(np.isnan(part.hazard[0]).all() for part in other.summands)  # though nobody be here
                after = np.nan if unknown else _worth(other.ahead(horizon), self.terms)
                gain |= _bounded("base_gain", after - now)
                rows.append({"segment": segment, "change": change, "ltv": ltv, **gain})
        return pd.DataFrame(rows)

    @cached_property
    def starts_differ(self) -> bool:
        """Whether present customers, of the group or a summand, are followed by their quarter of start, too."""
        return any(bool((own.factors[:1] != 1).any()) for own in self.paths["All"].summands)

    @cached_property
    def leavers_pay_less(self) -> bool:
        """Whether those who leave pay clearly less than others of their age, in the group or a summand."""
        return any(percentiles(own.leavers_pay)["ci_upper"] < 1 for own in self.paths["All"].summands)
