"""What customers paid at each age, reduced in the engine to groups of alike customers; and unit costs.

An age is a whole number of months since the customer's start. A group
holds customers of one segment who were seen over the same ages, left or stayed alike, and paid about the same, so
that their number does not depend on the number of customers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from cslib.data.calendar import (
    age_in_months,
    first_whole,
    last_complete,
    observed,
    ordinal,
    period_ordinal,
    period_start,
)
from cslib.data.customers import MINOR_UNITS, cents, with_segment
from cslib.data.dataset import DataSet
from cslib.data.engine import held
from cslib.data.lifetimes import lifetime_rows, nobody_observed
from cslib.data.lives import gaps, lives, paying, settled
from cslib.errors import MissingTableError, counted
from cslib.stats.intervals import Floats
from cslib.stats.survival import DAYS_PER_MONTH, life_table

QUARTER: Final = 3  # months
ROUNDS: Final = 20
LEAST: Final = 1e-4  # variance below which quarters do not differ
MOST: Final = 4.0
COHORTS: Final = ["segment", "quarter", "month", "lived", "n_events"]
LIFE: Final = ["customer_id", "life"]
KEYS: Final = ["segment", "first_age", "n_ages", "event_observed", "tier"]
MONEY: Final = ["acquisition_cost", "mrr_now"]
GAPS: Final = ["segment", "stayed", "gap", "n_gone", "n_returned"]
STAYED: Final = (3, 12)  # months: who left sooner or later comes back more or less often
AGAIN: Final = ["segment", "lived", "n_events"]
AGES: Final = ["entry_months", "duration_months"]
FINE: Final = 2**20  # parts of a month of age, so that sums of ages are exact
FUZZ: Final = 1e-9  # months: less than any unit, more than rounding
TIERS_PER_DOUBLING: Final = 2
NOTHING_PAID: Final = -999
WINDOW: Final = 12  # months of costs
KINDS: Final = {"retention": "were here", "acquisition": "started"}  # who costs of a kind are spread over
LATER: Final = (
    "Customers who leave may come back. What they pay then counts in LTV and in the value of today's customers, not "
    "in formulas A, B and C (see Method)."
)
ONE_LIFE: Final = "Nobody has been seen to come back, so values are those of one stay."
SOURCES: Final = {
    "subscriptions": "What a customer pays at each age is the MRR of its subscriptions, month by month. Subscriptions "
    "that run on after a customer has left are not counted.",
    "customers": "What a customer pays is its mrr in the customers table, taken to be the same at every age.",
    "orders": "There is no MRR: what a customer pays at each age is its orders, month by month, minus refunds. A month "
    "that is not over is not counted.",
}


@dataclass(frozen=True)
class CohortEffects:
    """How fast the customers of each quarter of start leave, against others of their age.

    Attributes
    ----------
    table
        One row per quarter: ``quarter`` (0: started in the three months before ``as_of``), ``n_churned``,
        ``expected`` (churns, at a factor of 1), ``factor``.
    variance
        Of the factors between quarters; 0: they do not differ by more than chance.
    baseline
        What turns the hazard of each month of age into that at a factor of 1.
    """

    table: pd.DataFrame
    variance: float
    baseline: Floats

    def draw(self, months: Floats, draws: int, rng: np.random.Generator) -> Floats:
        """Give the factor of customers who started so many months before ``as_of``, and draw it from its posterior.

        Returns
        -------
        numpy.ndarray
            Shape (1 + draws, len(months)): the estimate, then draws.
        """
        if not self.variance:
            return np.ones((1 + draws, len(months)))
        shape, rate = self.table["n_churned"] + 1 / self.variance, self.table["expected"] + 1 / self.variance
        all_rows = np.vstack([shape, rng.gamma(shape, size=(draws, len(shape)))]) / rate.to_numpy()
        place = np.searchsorted(self.table["quarter"], np.floor(months / QUARTER + 1e-9))
        return np.asarray(all_rows[:, np.minimum(place, len(shape) - 1)])


def cohort_counts(data: DataSet, *, segment_by: str = "") -> pd.DataFrame:
    """Sum what customers of each quarter of start lived, and count who left, by month of age.

    Parameters
    ----------
    data
        With ``customers``; without dates the result is empty.
    segment_by
        A column; empty for the whole only.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first, the same whatever the segments), ``quarter`` (whole ones since the start), ``month``
        (of age: 0 at the start itself, 1 the first month, …), ``lived`` (customer-months in it; at 0 customers),
        ``n_events``.

    Notes
    -----
    A part of a month counts as that part of the month's churn (of the segment, Nelson–Aalen) which falls into it: where
    customers leave on anniversaries alone, who is a day before one has not lived through that month's churn.
    """
    if not data.has_dates("customers"):
        return pd.DataFrame(columns=COHORTS)
    rows = lifetime_rows(data).join(lives(data).select(*LIFE, "started_on"), LIFE)
    age = age_in_months(rows.started_on, ibis.date(settled(data)))
    kept, quarter = ["entry", "duration", "event_observed"], (age / QUARTER).floor().cast("int64")
    rows = with_segment(rows.select("customer_id", *kept, quarter=quarter), data, segment_by)
    keys = ["segment", "quarter", *kept]
    counted = rows.group_by(keys).aggregate(n=rows.count()).order_by(keys).execute()  # sums depend on the order
    whole = counted.groupby(["quarter", *kept], as_index=False)["n"].sum()
    parts = [_by_month(own, str(s)) for s, own in counted.groupby("segment")] if segment_by else []
    return pd.concat([_by_month(whole, "All"), *parts], ignore_index=True)[COHORTS]


def _by_month(counted: pd.DataFrame, segment: str) -> pd.DataFrame:
    entry, duration = (counted[[c]].to_numpy(float) for c in ("entry", "duration"))
    months = np.arange(np.ceil(duration.max()) + 1)
    begun, ended = (np.clip(age, months - 1, months) for age in (entry, duration))
    faced = _hazard(counted)
    whole = faced(months) - faced(months - 1)
    lived = np.divide(faced(ended) - faced(begun), whole, out=ended - begun, where=whole > 0)
    lived[:, 0] = entry[:, 0] == 0
    left = (np.ceil(duration - 1e-9) == months) & counted[["event_observed"]].to_numpy(bool)
    quarters, place = np.unique(counted["quarter"], return_inverse=True)
    sums = np.zeros((2, len(quarters), len(months)))
    for table, values in zip(sums, (lived, left), strict=True):
        np.add.at(table, place, values * counted[["n"]].to_numpy(float))
    keys = {"quarter": np.repeat(quarters, len(months)), "month": np.tile(months.astype(int), len(quarters))}
    result = pd.DataFrame(keys | {"lived": sums[0].ravel(), "n_events": sums[1].ravel()})
    return result[result["lived"] > 0].assign(segment=segment)


def _hazard(counted: pd.DataFrame) -> Callable[[Floats], Floats]:
    """Cumulative hazard of all by age (Nelson–Aalen)."""
    columns = {"entry": "entry_months", "duration": "duration_months"}
    table = life_table(counted.rename(columns=columns).assign(segment="All"))
    steps = np.cumsum(table["n_events"] / table["n_at_risk"].where(table["n_at_risk"] > 0, 1))
    ages, level = table["duration_months"].to_numpy(float), np.append(0.0, steps)
    return lambda age: level[np.searchsorted(ages, age + FUZZ, side="right")]


def cohort_effects(cohorts: pd.DataFrame, hazard: Floats) -> CohortEffects:
    """Estimate how the quarters of start differ, within one segment: what stands beside it does not matter.

    Parameters
    ----------
    cohorts
        As from :func:`cohort_counts`, of one segment.
    hazard
        Of each month of age (0: at the start itself), over all quarters, shape (ages,).

    Returns
    -------
    CohortEffects
        Factors of 1 where quarters do not differ by more than chance, or are not known.

    Notes
    -----
    Churns of a quarter are Poisson around factor × expected; factors are Gamma with mean 1, their variance is that
    of greatest likelihood, and the estimate is the posterior mean. Expected churns and the hazard at a factor of 1
    are computed from one another until they settle (EM).

    References
    ----------
    Clayton (1978), Biometrika 65:141–151; Klein (1992), Biometrics 48:795–806 (EM for shared gamma frailty).
    """
    quarters = np.unique(cohorts["quarter"])
    lived = _squares(cohorts, quarters, len(hazard))
    rate = _rate(cohorts, lived)  # at it as many leave as did
    churned = cohorts.groupby("quarter")["n_events"].sum().reindex(quarters).to_numpy(float)
    factors = np.ones(len(quarters))
    for _ in range(ROUNDS):
        baseline = _baseline(lived, factors)
        expected = lived @ (rate * baseline)
        variance = _variance(churned, expected)
        factors = (churned + 1 / variance) / (expected + 1 / variance) if variance else np.ones(len(quarters))
    table = pd.DataFrame({"quarter": quarters, "n_churned": churned, "expected": expected, "factor": factors})
    return CohortEffects(table, variance, baseline)


def _squares(cohorts: pd.DataFrame, quarters: NDArray[Any], n_ages: int) -> Floats:
    table = cohorts.pivot_table(index="quarter", columns="month", values="lived", aggfunc="sum", fill_value=0.0)
    return table.reindex(index=quarters, columns=range(n_ages), fill_value=0.0).to_numpy()


def _rate(cohorts: pd.DataFrame, lived: Floats) -> Floats:
    """Churns of each month of age per month lived in it, all quarters together."""
    left = cohorts.groupby("month")["n_events"].sum().reindex(range(lived.shape[1]), fill_value=0).to_numpy(float)
    total = lived.sum(axis=0)
    return np.divide(left, total, out=np.zeros(len(left)), where=total > 0)


def _baseline(lived: Floats, factors: Floats) -> Floats:
    """Divide by the mean factor of those who lived each month; beyond the last, by that of the last."""
    mean = pd.Series(lived.T @ factors).div(lived.sum(axis=0)).where(lived.sum(axis=0) > 0)
    return np.asarray(1 / mean.ffill().fillna(1.0), float)


def _variance(churned: Floats, expected: Floats) -> float:
    """Variance between factors under which the churns are likeliest (negative binomial)."""
    known = expected > 0
    d, e = churned[known], expected[known]

    def unlikelihood(log_variance: float) -> float:
        k = np.exp(-log_variance)
        return -float((gammaln(d + k) - gammaln(k) + k * np.log(k) - (d + k) * np.log(e + k) + d * np.log(e)).sum())

    if len(d) < 2:
        return 0.0
    found = minimize_scalar(unlikelihood, bounds=(np.log(LEAST), np.log(MOST)), method="bounded")
    variance = float(np.exp(found.x))
    return variance if variance > 2 * LEAST else 0.0


@dataclass(frozen=True)
class ValueCounts:
    """Customers as groups of alike ones, and what each group paid.

    Attributes
    ----------
    cells
        One row per group: ``segment`` (``All`` first: the same groups over all segments), ``cell`` (number of the
        group), ``first_age`` and ``n_ages`` (seen at the ages from the first up to, not including, the second),
        ``event_observed`` (true: churned), ``tier`` (prices within a tier differ by a factor below √2), ``n``
        (customers), ``entry_months``, ``duration_months`` (means), ``n_involuntary``, ``n_kind_known`` (of those
        who left), ``acquisition_cost`` (sum over those who started in the months of :func:`unit_costs`, or at any time
        where there are no dates), ``n_costed`` (of these, those of whom it is known), ``mrr_now`` and
        ``mrr_now_squared`` (sums over customers still here; missing where only orders tell the price), ``n_known``
        (customers whose price is known).
    paid
        One row per group and age with somebody counted: ``cell``, ``age``, ``revenue`` (sum, a month), ``n_priced``
        (customers counted at that age).
    source
        ``subscriptions``, ``customers`` or ``orders``.
    notes
        What a reader should know of the prices.
    cohorts
        As from :func:`cslib.value.prices.cohort_counts`.
    gaps
        As from :func:`_gap_counts`.
    again
        Lives after the first, by ``segment`` (``All`` first): ``lived`` (customer-months), ``n_events`` (that ended).
    """

    cells: pd.DataFrame
    paid: pd.DataFrame
    source: str
    notes: tuple[str, ...] = ()
    cohorts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COHORTS))
    gaps: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=GAPS))
    again: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=AGAIN))


def value_counts(data: DataSet, *, segment_by: str = "") -> ValueCounts:
    """Group customers who are alike, and sum what each group paid at every age.

    Parameters
    ----------
    data
        With ``customers`` and prices: ``subscriptions``, else ``mrr`` in ``customers``, else ``orders``. The first
        and the last need customers with dates.
    segment_by
        A column; empty for the whole only.

    Returns
    -------
    ValueCounts

    Raises
    ------
    DataError
        There are no customers, none was under observation, or no price is known.
    ParameterError
        As in :func:`cslib.data.customers.segments`.

    Notes
    -----
    A customer who left after d months was seen at the ages below d; one still here at the ages up to d. A
    subscription counts at an age when it covers that day. Of orders only the months of age that are over count.
    The tier is ⌊2·log₂ of the mean price⌋. A price that changed counts from the next whole month of age on. Orders
    before the start count in the first month; those after a customer left do not count.

    Examples
    --------
    >>> import cslib
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "tenure_months": [2, 2], "churned": [True, False],
    ...                           "mrr": [50.0, 60.0]})
    >>> values = value_counts(cslib.load({"customers": customers}))
    >>> values.cells[["cell", "n_ages", "event_observed", "n", "mrr_now"]].values.tolist()
    [[0, 2, True, 1, 0.0], [1, 3, False, 1, 60.0]]
    >>> values.paid.values.tolist()
    [[0.0, 0.0, 50.0, 1.0], [0.0, 1.0, 50.0, 1.0], [1.0, 0.0, 60.0, 1.0], [1.0, 1.0, 60.0, 1.0], [1.0, 2.0, 60.0, 1.0]]
    """
    source, known, spells = _rows(data, segment_by)
    cells = _grouped(data, known)
    paid = _paid(cells, _changes(spells, known))
    notes = _notes(data, source, cells[cells["segment"] == "All"], paid)
    if source == "orders":
        cells[["mrr_now", "mrr_now_squared"]] = np.nan
    gone = _gap_counts(data, segment_by=segment_by)
    notes += (LATER if gone["n_returned"].any() else ONE_LIFE,)
    cohorts = cohort_counts(data, segment_by=segment_by)
    again = _again(data, segment_by)
    return ValueCounts(cells.drop(columns="n_last"), paid, source, notes, cohorts, gone, again)


def _gap_counts(data: DataSet, *, segment_by: str = "") -> pd.DataFrame:
    """Count who came back after so many months, of those who had left for as long.

    Parameters
    ----------
    data
        With ``customers``; where nothing is paid, so that nobody is seen to come back, the result is empty.
    segment_by
        A column; empty for the whole only.

    Returns
    -------
    pandas.DataFrame
        ``segment`` (``All`` first), ``stayed`` (0, 1, 2: less than 3 months, up to 12, longer), ``gap`` (1, 2, …: how
        many months ended since they left), ``n_gone`` (known to have been gone up to then), ``n_returned`` (of these,
        who then came back).
    """
    if not paying(data):
        return pd.DataFrame(columns=GAPS)
    rows = with_segment(gaps(data), data, segment_by)
    rows = rows.mutate(stayed=sum((rows.age >= months).cast("int64") for months in STAYED))
    sums = {"n": rows.count(), "n_returned": rows.returned.sum()}
    counted = rows.group_by(["segment", "stayed", "gap"]).aggregate(**sums).execute()
    both = [counted.assign(segment="All"), counted[counted["segment"] != "All"]]
    tables = [pd.DataFrame(columns=GAPS)]
    for (segment, long), part in (group for each in both for group in each.groupby(["segment", "stayed"])):
        sums = part.groupby("gap")[["n", "n_returned"]].sum().sort_index().astype("int64")
        sums = sums.reindex(range(max(sums.index, default=0) + 1), fill_value=0)
        # of those still gone nothing is known of the month after
        gone = sums["n"][::-1].cumsum()[::-1] - (sums["n"] - sums["n_returned"])
        tables.append(sums.assign(segment=segment, stayed=long, n_gone=gone).iloc[1:].reset_index(names="gap")[GAPS])
    return pd.concat(tables[1:] or tables, ignore_index=True)


def _again(data: DataSet, segment_by: str) -> pd.DataFrame:
    if not paying(data):
        return pd.DataFrame(columns=AGAIN)
    rows = with_segment(lifetime_rows(data).filter(ibis._.life > 1), data, segment_by)
    lived = ((rows.duration - rows.entry).cast("float64") * FINE).round().cast("int64").sum()
    sums = rows.group_by("segment").aggregate(lived=lived, n_events=rows.event_observed.sum()).execute()
    whole = sums[["lived", "n_events"]].sum().to_frame().T.assign(segment="All")
    found = pd.concat([whole, sums[sums["segment"] != "All"]], ignore_index=True)
    return found.assign(lived=found["lived"].astype(float) / FINE, n_events=found["n_events"].astype(float))[AGAIN]


def value_cells(data: DataSet, *, segment_by: str = "") -> pd.DataFrame:
    """Group customers who are alike, as :func:`value_counts` does, without what each group paid at every age.

    Parameters
    ----------
    data, segment_by
        As there.

    Returns
    -------
    pandas.DataFrame
        ``segment``, ``n``, ``acquisition_cost`` and ``n_costed`` of its cells, in their order.
    """
    _, known, _ = _rows(data, segment_by)
    return _grouped(data, known)[["segment", "n", "acquisition_cost", "n_costed"]]


def _rows(data: DataSet, segment_by: str) -> tuple[str, ir.Table, ir.Table]:
    """Name the source of prices, and list customers with their tier, and what is paid at which ages."""
    source = price_source(data)
    known = held(_known(data, source, segment_by))
    spells = held(_spells(data, source, known))
    return source, _with_tier(known, spells), spells


def _grouped(data: DataSet, known: ir.Table) -> pd.DataFrame:
    counts = _counts(known)
    if counts.empty:
        raise nobody_observed(data)
    if not counts["n_known"].any():
        raise _no_price(data)
    return _cells(counts)


def price_source(data: DataSet) -> str:
    """Name the table that tells what customers pay."""
    dated = data.has_dates("customers")
    if dated and "subscriptions" in data.tables:
        return "subscriptions"
    if "mrr" in data.table("customers").columns:
        return "customers"
    if dated and "orders" in data.tables:
        return "orders"
    raise _no_price(data)


def _no_price(data: DataSet) -> MissingTableError:
    empty = " (mrr of customers is there, but empty)" * ("mrr" in data.table("customers").columns)
    missing = f"{data.label or 'The data set'} tells no price of any customer{empty}"
    remedy = "Add mrr to customers, or subscriptions or orders (which need customers with started_on)"
    return MissingTableError(f"{missing}. {remedy}. There are: {', '.join(data.tables)}.")


def _notes(data: DataSet, source: str, cells: pd.DataFrame, paid: pd.DataFrame) -> tuple[str, ...]:
    without = int((cells["n"] - cells["n_known"]).sum())
    idle = paid[paid["cell"].isin(cells.loc[cells["tier"] == NOTHING_PAID, "cell"])]
    unpaid = int(idle.groupby("cell")["n_priced"].max().sum())
    unused = [n for n in ("subscriptions", "orders") if n in data.tables] if not data.has_dates("customers") else []
    told = {
        SOURCES[source]: True,
        f"{' and '.join(unused)} cannot be set to ages without started_on of customers, so they are not used.": unused,
        f"{counted(without, 'customer')} without mrr: left out of mean prices; those still here are taken to pay "
        "what others of their age do.": without,
        f"{counted(unpaid, 'customer')} paid nothing at any whole month of age, or got as much back: counted "
        "as such.": unpaid,
    }
    return tuple(text for text, true in told.items() if true)


def _column(table: ir.Table, name: str) -> ir.Value:
    return table[name] if name in table.columns else ibis.null("float64")


def _known(data: DataSet, source: str, segment_by: str) -> ir.Table:
    """Give every life the ages at which it was seen, those at which its price is known, and what is paid now."""
    each, told = with_segment(lifetime_rows(data), data, segment_by), _told(data, source)
    rows = each.join(told, LIFE).select(*each.columns, *told.columns[2:])
    left, entry, duration = rows.event_observed, rows.entry, rows.duration
    n_ages = ibis.ifelse(left, (duration - FUZZ).ceil(), (duration + FUZZ).floor() + 1)
    over = age_in_months(rows.started_on, ibis.date(observed(data))).floor() if source == "orders" else n_ages
    ages = {"first_age": (entry - FUZZ).ceil(), "n_ages": n_ages, "priced_ages": ibis.least(n_ages, over)}
    whole = {name: age.cast("int64") for name, age in ages.items()}
    known, now = rows.mrr.notnull() | (source != "customers"), ibis.ifelse(left, 0, rows.mrr.fill_null(0))
    return rows.mutate(**whole, known=known, mrr_now=now)


def _told(data: DataSet, source: str) -> ir.Table:
    """Give every life its start, what it cost to win, and its MRR now: of the customer, or of its subscriptions."""
    table = _costed(data)
    start = table.started_on if data.has_dates("customers") else ibis.null("date")
    money = {name: cents(_column(table, name)) for name in ("acquisition_cost", "mrr")}
    if data.has_dates("customers"):
        won = period_ordinal(start, "month").isin([-1, *_won(data)])
        money["acquisition_cost"] = ibis.ifelse(won, money["acquisition_cost"], ibis.null("int64"))
    told = table.select(*LIFE, started_on=start, **money)
    if source != "subscriptions":
        return told
    rows, day = data.table(source), ibis.date(settled(data))
    running = rows.filter((rows.started_on <= day) & (rows.ended_on.isnull() | (rows.ended_on > day)))
    paid = running.group_by("customer_id").aggregate(now=cents(running.mrr).sum())
    return told.left_join(paid, "customer_id").select(*told.columns[:-1], mrr=paid.now)


def _costed(data: DataSet) -> ir.Table:
    """List every life, with ``acquisition_cost`` and ``mrr`` of its customer: to win one back costs nothing."""
    table = data.table("customers")
    if not data.has_dates("customers"):
        return table.mutate(life=ibis.literal(1))
    rows = lives(data, **{c: c for c in ("acquisition_cost", "mrr") if c in table.columns})
    if "acquisition_cost" not in rows.columns:
        return rows
    return rows.mutate(acquisition_cost=ibis.ifelse(rows.life == 1, rows.acquisition_cost, ibis.null("float64")))


def _spells(data: DataSet, source: str, known: ir.Table) -> ir.Table:
    """List what is paid at every age from ``begin`` up to, not including, ``end``, within the ages of known price."""
    if source == "customers":
        rows = known.filter(known.known).mutate(begin=ibis.literal(0), end=known.priced_ages, cents=known.mrr)
    else:
        rows = payments(data, source).join(known, "customer_id")
        begin, end = (age_in_months(rows.started_on, day) for day in (rows.begun, rows.ended))
        first = ibis.greatest(begin.floor(), 0)  # an order just before the start belongs to it
        ages = (begin.ceil(), end.ceil()) if source == "subscriptions" else (first, first + 1)
        rows = rows.mutate(begin=ages[0].cast("int64"), end=ages[1].cast("int64"))
    begin = ibis.greatest(rows.begin, rows.first_age)
    end = ibis.least(rows.end.fill_null(rows.priced_ages), rows.priced_ages)
    # not a filter: an engine that pushes it down computes every age in it several times over
    paid = ibis.ifelse(begin < end, rows.cents, 0)
    return rows.select(*LIFE, *KEYS[:-1], cents=paid, begin=begin, end=end)


def payments(data: DataSet, source: str) -> ir.Table:
    """List subscriptions, or orders, alike: ``customer_id``, the days ``begun`` and ``ended``, and ``cents``."""
    rows = data.table(source)
    if source == "subscriptions":
        return rows.select("customer_id", begun=rows.started_on, ended=rows.ended_on, cents=cents(rows.mrr))
    return rows.select("customer_id", begun=rows.ordered_on, ended=rows.ordered_on, cents=cents(rows.amount))


def _with_tier(known: ir.Table, spells: ir.Table) -> ir.Table:
    paid = spells.group_by(LIFE).aggregate(total=(spells.cents * (spells.end - spells.begin)).sum())
    rows = known.left_join(paid, LIFE).select(*known.columns, "total")
    level = rows.total / (MINOR_UNITS * (rows.priced_ages - rows.first_age).nullif(0))
    tier = (ibis.greatest(level, FUZZ).log2() * TIERS_PER_DOUBLING).floor().cast("int64")
    return rows.mutate(tier=ibis.ifelse(rows.total > 0, tier, NOTHING_PAID).fill_null(NOTHING_PAID)).drop("total")


def _counts(rows: ir.Table) -> pd.DataFrame:
    """Add up in whole numbers alone, so that the order in which the engine adds does not matter."""
    kind, now = rows.churn_kind, rows.mrr_now.cast("decimal(19, 0)")  # squares outgrow 64 bits
    entry, duration = ((age.cast("float64") * FINE).round().cast("int64") for age in (rows.entry, rows.duration))
    known = kind.isin(["voluntary", "involuntary"])
    sums = {"n": rows.count(), "entry_months": entry.sum(), "duration_months": duration.sum()}
    sums |= {"n_involuntary": (kind == "involuntary").sum(), "n_kind_known": known.sum()}
    sums |= {"acquisition_cost": rows.acquisition_cost.sum().fill_null(0), "n_costed": rows.acquisition_cost.count()}
    sums |= {"mrr_now": rows.mrr_now.sum(), "mrr_now_squared": (now * now).sum(), "n_known": rows.known.sum()}
    last = (rows.known & (rows.priced_ages == rows.n_ages)).sum()
    counts = rows.group_by(KEYS).aggregate(**sums, n_last=last).execute()
    return counts.astype({"mrr_now_squared": "float64"}).sort_values(KEYS, ignore_index=True)


def _with_all(counts: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Put the same groups over all segments first, as segment ``All``."""
    whole = counts.drop(columns="segment").groupby(keys[1:], as_index=False).sum().assign(segment="All")
    parts = counts[counts["segment"] != "All"].sort_values(keys)
    return pd.concat([whole, parts], ignore_index=True)[[*keys, *counts.columns.difference(keys, sort=False)]]


def _cells(counts: pd.DataFrame) -> pd.DataFrame:
    cells = _with_all(counts, KEYS)
    cells[AGES] = cells[AGES].div(cells["n"], axis=0) / FINE
    cells[MONEY] = cells[MONEY] / MINOR_UNITS
    cells["mrr_now_squared"] /= MINOR_UNITS**2
    cells.insert(1, "cell", np.arange(len(cells)))
    return cells


def _changes(spells: ir.Table, known: ir.Table) -> pd.DataFrame:
    """Sum per group and age by how much more or less is paid from then on."""
    rows = spells.join(known.select(*LIFE, "tier"), LIFE).select(*spells.columns, "tier")
    begun = rows.select(*KEYS, age=rows.begin, cents=rows.cents)
    ended = rows.select(*KEYS, age=rows.end, cents=-rows.cents)
    changes = begun.union(ended)
    return changes.group_by([*KEYS, "age"]).aggregate(cents=changes.cents.sum()).execute()


def _paid(cells: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Cumulate the changes within each group, age by age."""
    moved = _with_all(changes, [*KEYS, "age"]).merge(cells, on=KEYS)[["cell", "age", "cents"]]
    rows = cells.loc[cells.index.repeat((cells["n_ages"] - cells["first_age"]).clip(lower=0))]
    rows = rows.assign(age=rows["first_age"] + rows.groupby("cell").cumcount())
    n_priced = rows["n_known"].where(rows["age"] < rows["n_ages"] - 1, rows["n_last"])
    paid = rows[["cell", "age"]].assign(n_priced=n_priced).merge(moved, how="left", on=["cell", "age"])
    paid.insert(2, "revenue", paid["cents"].fillna(0).groupby(paid["cell"]).cumsum() / MINOR_UNITS)
    return paid[paid["n_priced"] > 0].drop(columns="cents").reset_index(drop=True)


@dataclass(frozen=True)
class UnitCosts:
    """What one customer costs, from the books; missing where they do not tell.

    Attributes
    ----------
    retention_per_month
        Retention cost per customer and month.
    acquisition_per_customer
        Acquisition cost per new customer.
    loading
        The same over the mean ``acquisition_cost`` of those new customers.
    months
        By kind, the months from which its costs come, such as ``2024-07 to 2025-06``.
    notes
        What a reader should know of them.
    """

    retention_per_month: float = np.nan
    acquisition_per_customer: float = np.nan
    loading: float = np.nan
    months: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def unit_costs(data: DataSet) -> UnitCosts:
    """Compute what a customer costs from the books of the twelve complete months up to ``as_of``.

    Parameters
    ----------
    data
        With ``costs``, and ``customers`` in dates.

    Returns
    -------
    UnitCosts

    Notes
    -----
    A month without a row of the kind is unknown, not 0: it is left out, with those who started (acquisition) or the
    customer-months lived (retention) in it, and named in a note; so is none from before the first start. Retention cost
    is divided by the months that all customers together lived (days / 30.4375), acquisition cost as in
    :func:`acquisition`. Negative amounts are summed as they are. Costs are those of all customers, also where only
    some were kept by ``where``.

    Examples
    --------
    >>> import cslib
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "started_on": ["2025-01-01", "2025-03-01"],
    ...                           "churned_on": None})
    >>> costs = pd.DataFrame({"month": ["2025-03-31"], "kind": ["acquisition"], "amount": [90.0]})
    >>> found = unit_costs(cslib.load({"customers": customers, "costs": costs}, as_of="2025-03-31"))
    >>> found.acquisition_per_customer, found.retention_per_month, found.months["acquisition"]
    (90.0, nan, '2025-03')
    """
    if "costs" not in data.tables:
        return UnitCosts(notes=("No costs table, so values are before retention cost.",))
    if not data.has_dates("customers"):
        return UnitCosts(notes=("Customers have no dates, so costs are not used: they cannot be set to months.",))
    span, books = _span(data), {kind: spent(data, kind) for kind in KINDS}
    known = {kind: own[own.index.isin(span)] for kind, own in books.items()}
    won = acquisition(data).reindex([last_complete(observed(data), "month")]).iloc[0]
    per_start = float(won.cac) if len(books["acquisition"]) else np.nan
    kept, months = known["retention"], {kind: _named(own.index, "%Y-%m") for kind, own in known.items()}
    per_month = float(kept.sum()) / MINOR_UNITS / _lived(data, kept.index)
    loading = float(per_start / won.mean_cost) if won.mean_cost else np.nan  # costs of 0 cannot be brought up to it
    return UnitCosts(per_month, per_start, loading=loading, months=months, notes=unknown_months(data))


def unknown_months(data: DataSet) -> tuple[str, ...]:
    """Name the months of the year up to ``as_of`` without costs of a kind, and say what becomes of them."""
    span, notes = _span(data), []
    for kind, who in KINDS.items():
        books = spent(data, kind)
        missing = [step for step in span if step not in books.index]
        left = f"left out, with the customers who {who} then"
        if len(missing) == len(span):
            own = "that of customers (acquisition_cost) counts, where it is known"
            left = own if kind == "acquisition" and books.empty else "it is unknown"
        notes += [f"No {kind} cost is recorded for {_named(missing)}: {left}."] * bool(missing)
    return tuple(notes)


def spent(data: DataSet, kind: str) -> pd.Series[Any]:
    """Add up the costs of a kind by complete month, in whole hundredths.

    Parameters
    ----------
    data
        Without ``costs`` the result is empty.
    kind
        ``acquisition`` or ``retention``.

    Returns
    -------
    pandas.Series
        By number of the month, ascending, from ``observed_from`` on: before it customers are missing, whose share of
        the costs is unknown. A month without a row is not there.
    """
    if "costs" not in data.tables:
        return pd.Series(dtype="int64")
    books = data.found("spent", lambda: _spent(data))
    own = books[books["kind"] == kind].set_index("at")["amount"].sort_index()
    return own.loc[_begun(data) : last_complete(observed(data), "month")]


def _spent(data: DataSet) -> pd.DataFrame:
    rows = data.table("costs")
    rows = rows.select("kind", at=period_ordinal(rows.month, "month"), amount=cents(rows.amount))
    return rows.group_by(["kind", "at"]).aggregate(amount=rows.amount.sum()).execute()


def acquisition(data: DataSet, *, months: int = WINDOW) -> pd.DataFrame:
    """Compute what it cost to win a customer, from the months up to each one together.

    Parameters
    ----------
    data
        With ``customers`` in dates, or else ``subscriptions``, whose first day with MRR is the start; and ``costs``, or
        else ``acquisition_cost`` of customers.
    months
        That are taken together.

    Returns
    -------
    pandas.DataFrame
        By number of the complete month: ``acquisition_cost`` (amount), ``n_new`` (customers who started), ``cac`` (the
        one over the other), ``months_acquisition`` (whose cost is known: the others count nowhere), ``mean_cost`` (mean
        ``acquisition_cost`` of these customers, as far as it is known). Where ``costs`` hold no acquisition at all, the
        ``acquisition_cost`` of customers are taken, over those of whom it is known. Where only some customers are
        kept, whose share of the books nobody knows, ``cac`` is their ``mean_cost``, brought up to the books as that of
        all customers is; or that of all customers, where theirs is not known.
    """
    complete, starts, books = last_complete(observed(data), "month"), _starts(data), spent(data, "acquisition")
    first = max(_begun(data), int(min([*starts.index[:1], *books.index[:1]], default=complete)))
    starts = starts.reindex(range(first, complete + 1), fill_value=0)
    booked, base = (books.reindex(starts.index), "n") if len(books) else (starts["cost"], "n_costed")
    if books.empty and not starts["n_costed"].any():
        booked = booked * np.nan
    each = starts.assign(acquisition_cost=booked, n_new=starts[base], months_acquisition=1)
    sums = each.where(booked.notna(), 0).astype(float).rolling(months, min_periods=1).sum()
    sums[["acquisition_cost", "cost"]] /= MINOR_UNITS
    told = ["acquisition_cost", "n_new"]
    sums[told] = sums[told].where(sums["months_acquisition"] > 0)
    per = {"cac": sums["acquisition_cost"].div(sums["n_new"].where(sums["n_new"] > 0))}
    per["mean_cost"] = sums["cost"] / sums["n_costed"].where(sums["n_costed"] > 0)
    if data.unfiltered:
        of_all = acquisition(data.everybody, months=months)
        own = per["mean_cost"] * (of_all["cac"] / of_all["mean_cost"].where(lambda mean: mean != 0))
        per["cac"] = own.fillna(of_all["cac"])
        per["acquisition_cost"] = per["cac"] * sums["n_new"]
    return sums.assign(**per)[["acquisition_cost", "n_new", "cac", "months_acquisition", "mean_cost"]]


def _starts(data: DataSet) -> pd.DataFrame:
    """Count by month who started, of how many the cost of acquisition is known, and add it up in hundredths."""
    return data.found("starts", lambda: _counted(data))


def _counted(data: DataSet) -> pd.DataFrame:
    if data.has_dates("customers"):
        rows = _costed(data).filter(ibis._.life == 1)
    else:
        paid = data.table("subscriptions").filter(ibis._.mrr > 0)
        rows = paid.group_by("customer_id").aggregate(started_on=paid.started_on.min())
    rows = rows.select(at=period_ordinal(rows.started_on, "month"), cost=cents(_column(rows, "acquisition_cost")))
    sums = {"n": rows.count(), "n_costed": rows.cost.count(), "cost": rows.cost.sum().fill_null(0)}
    return rows.group_by("at").aggregate(**sums).execute().set_index("at").sort_index()


def _begun(data: DataSet) -> int:
    """Return the number of the first month that is observed as a whole."""
    return first_whole(data.observed_from, "month") if data.observed_from else 0


def _window(data: DataSet) -> range:
    """List the complete months up to ``as_of`` that costs are taken from, as numbers."""
    complete = last_complete(observed(data), "month")
    return range(max(complete - WINDOW + 1, _begun(data)), complete + 1)


def _span(data: DataSet) -> list[int]:
    """List those of them in which there were customers."""
    holder = "customers" if data.has_dates("customers") else "subscriptions"
    first = ordinal(date.fromisoformat(data.statistics[holder]["first"]), "month")
    return [step for step in _window(data) if step >= first]


def _won(data: DataSet) -> list[int]:
    """List the months whose new customers tell what acquisition costs: those of the window with costs of it."""
    books = spent(data, "acquisition")
    return [step for step in _window(data) if step in books.index or books.empty]


def _named(steps: Iterable[int], form: str = "%B %Y") -> str:
    """Name months, such as ``July 2024 to September 2024, May 2025``."""
    numbers = pd.Series(list(steps), dtype="int64")
    runs = numbers.groupby(numbers - np.arange(len(numbers))).agg(["min", "max"])
    names = (dict.fromkeys(f"{period_start(step, 'month'):{form}}" for step in run) for run in runs.to_numpy().tolist())
    return ", ".join(" to ".join(name) for name in names)


def _lived(data: DataSet, steps: Iterable[int]) -> float:
    """Months that all customers together lived in some months of the calendar; missing where none did."""
    table, lived = lives(data), {}
    for step in steps:
        first, stop = (period_start(number, "month") for number in (step, step + 1))
        until = ibis.least(table.churned_on.fill_null(stop), stop)
        lived[str(step)] = ibis.greatest(until.delta(ibis.greatest(table.started_on, first), unit="day"), 0).sum()
    total = table.aggregate(**lived).execute().to_numpy().sum() if lived else 0
    return float(total) / DAYS_PER_MONTH if total else np.nan
