"""Columns of ``customers``, and MRR, as drivers: which can be compared, which values are told apart, the design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.data.customers import at_start, first_mrr
from cslib.data.dataset import DataSet
from cslib.data.engine import EXACT
from cslib.data.lives import has_history
from cslib.data.texts import filled
from cslib.errors import counted
from cslib.stats.cox import never_left
from cslib.stats.intervals import Floats

Found = tuple["Driver", pd.Series]  # with its labels or numbers, a row per customer
Known = dict[str, Found]
MISSING: Final = "(missing)"
OTHER: Final = "(other)"
MRR: Final = "mrr"  # of customers
MRR_AT_START: Final = "MRR at start"  # of subscriptions
MIN_CUSTOMERS: Final = 20
MIN_EVENTS: Final = 10
MAX_LEVELS: Final = 12
WHOLE_VALUES: Final = 6  # a number with no more distinct values is a code rather than a quantity
SAME: Final = 0.99  # share of a column that the columns before it explain
MOSTLY: Final = 0.7  # share of MRR that the other columns explain: unasked, it would only blur their ratios
WEIGHTY: Final = 0.05  # weight, in standard deviations, of a column that helps to determine another
AGE_PARTLY: Final = 0.3
AGE_ITSELF: Final = 0.5
FAR: Final = 3.0  # times the range of a number: what lies further out counts as if it did not
NAMED: Final = 3
INSTEAD: Final = " instead of "  # between the two values of a number that are compared
EMPTY: Final = "it is empty"
LEAK: Final = "it tells who left rather than why"


@dataclass(frozen=True)
class Driver:
    """A column of ``customers``, or MRR, as the model reads it.

    Attributes
    ----------
    name
        The column.
    kind
        ``text``; ``whole``: a number with few values, read as text; ``number``.
    levels
        Of a text the values told apart, the reference first, those that nobody left with last; and ``(other)``
        for all the rest, who are counted with the reference where they are too few. Of a number its range
        (``90 instead of 18``) and, where enough are missing, ``(missing)``.
    coefficients
        Log hazard ratio of each level, for scoring: 0 for the reference, and throughout for the stratifying driver.
    low, high, fill
        Of a number: the 25th and 75th percentile, between which its ratio is given, and the median, which
        stands for missing values; of MRR their logarithms. Values beyond ``bounds`` count as these.
    """

    name: str
    kind: str
    levels: tuple[str, ...]
    coefficients: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    fill: float = 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Three times the range below and above it."""
        far = FAR * (self.high - self.low)
        return self.low - far, self.high + far

    @property
    def logged(self) -> bool:
        """Whether it is read as a logarithm, as MRR is: twice the price counts alike, wherever it begins."""
        return self.name in (MRR, MRR_AT_START)

    def written(self, *values: float) -> list[str]:
        """Write numbers as they were before any logarithm, amounts to three figures where these tell them apart."""
        if not self.logged:
            return [f"{v:,.6g}" for v in values]
        amounts = [float(np.exp(v)) for v in values]
        short = [f"{float(f'{v:.3g}'):,.10g}" for v in amounts]
        return short if len(set(short)) == len(short) else [f"{v:,.6g}" for v in amounts]

    def size(self, values: pd.Series, level: str) -> int:
        """Count the customers that a level stands for, of their labels or numbers."""
        if self.kind == "number":
            return int(values.isna().sum() if level == MISSING else values.notna().sum())
        return int((values == level).sum())


def _recorded(column: ir.Value) -> ir.Value:
    """Read a column of ``customers`` as a driver: a number without NaN, or text (times as days) with ``(missing)``."""
    if column.type().is_timestamp():
        column = column.cast("date")
    if not column.type().is_numeric():
        return filled(column).fill_null(MISSING)
    number = column.cast("float64")
    return ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)


def drivers_of(data: DataSet, names: Sequence[str]) -> ir.Table:
    """Take columns of ``customers`` as drivers.

    Parameters
    ----------
    data
        With ``customers``.
    names
        Its columns, or ``MRR at start``: of the first paid day, by ``subscriptions``.

    Returns
    -------
    ibis.expr.types.Table
        ``customer_id``, and ``driver0``, ``driver1`` … by the order of the names: a number without NaN, or text (times
        as days) with ``(missing)``; MRR as its logarithm, missing where nothing was paid.
    """
    table = data.table("customers")
    if MRR_AT_START in names:
        paid = first_mrr(data).rename({MRR_AT_START: "mrr"})
        table = table.left_join(paid, "customer_id").select(*table.columns, MRR_AT_START)
    for name in (n for n in names if has_history(data, n)):  # as it was at the start, for the same reason
        first = at_start(data, name).select("customer_id", __first="segment")
        joined = table.left_join(first, "customer_id")
        table = joined.select(*table.columns, "__first").mutate(**{name: ibis._["__first"]}).drop("__first")
    columns = [table[n].cast("float64").nullif(0).ln() if n in (MRR, MRR_AT_START) else table[n] for n in names]
    return table.select("customer_id", **{f"driver{i}": _recorded(c) for i, c in enumerate(columns)})


def design_of(
    columns: pd.DataFrame, life: pd.DataFrame, remarks: list[str], *, all_of_them: bool
) -> tuple[Known, pd.DataFrame]:
    """Read columns as drivers and lay out the design of a model of them.

    Parameters
    ----------
    columns
        As drivers are recorded, a row per customer.
    life
        ``event`` and ``duration`` of the same customers.
    remarks
        Takes what is to be said of columns that are not compared, or not as they are.
    all_of_them
        Whether the columns were asked for by name: else MRR is left out where the others mostly explain it.

    Returns
    -------
    tuple
        The drivers that can be compared, and a column for each of their levels but the first, without those that
        earlier ones determine.
    """
    known = _comparable(columns, life, remarks)
    design = _side_by_side(known, life, remarks)
    return known, design if all_of_them else _without_follower(design, remarks)


def _comparable(columns: pd.DataFrame, life: pd.DataFrame, remarks: list[str]) -> Known:
    """Return the drivers that can be compared."""
    churned = int(life["event"].sum())
    if churned < MIN_EVENTS:
        none = "No customer churned: risk is that of ½ a customer in all the time observed."
        few = f"Only {counted(churned, 'customer')} churned; to compare customers takes {MIN_EVENTS}."
        remarks.append(few if churned else none)
        return {}
    result = {}
    for name in map(str, columns):
        found = _driver(name, columns[name], life, remarks)
        if isinstance(found, str):
            remarks.append(f"{name} is not compared: {found}.")
        else:
            result[name] = found
    return result


def _driver(name: str, raw: pd.Series, life: pd.DataFrame, remarks: list[str]) -> Found | str:
    """Decide how a column is read, or say why it cannot be."""
    if raw.dtype == object and raw.notna().any():
        return _text(name, "text", raw, life["event"], remarks)
    number = raw.astype(float) + 0.0  # no -0
    found = number.dropna()
    if found.empty:
        return EMPTY
    if found.nunique() <= WHOLE_VALUES and (found == found.round()).all() and found.abs().max() < EXACT:
        text = number.map("{:.0f}".format).where(number.notna(), MISSING)
        return _text(name, "whole", text, life["event"], remarks)
    return _number(name, number, life, remarks)


def _text(name: str, kind: str, text: pd.Series, event: pd.Series, remarks: list[str]) -> Found | str:
    """Tell the largest values apart; the others become ``(other)`` or, if too few, count with the reference."""
    counts = event.groupby(text).agg(["size", "sum"])
    if why := _incomparable(counts, text):
        return why
    own = counts[counts["size"] >= MIN_CUSTOMERS].nlargest(MAX_LEVELS, "size")
    rest, left = counts.drop(own.index), own[own["sum"] > 0]
    apart = rest["size"].sum() >= MIN_CUSTOMERS and rest["sum"].any()
    if len(own) + apart < 2 or len(left) + apart < 1:
        return f"all its values but {own.index[0]} are too rare to compare"
    into = OTHER if apart else str(left.index[0])
    if len(rest):
        who = counted(int(rest["size"].sum()), "customer")
        names = _listed(list(rest.sort_values("size", ascending=False, kind="stable").index))
        verb = "is" if who[:2] == "1 " else "are"
        remarks.append(f"{who} with rarer values of {name} {verb} counted with {into}: {names}.")
    label = text.where(text.isin(own.index), into)
    found = event.groupby(label).agg(["size", "sum"]).reset_index(names="level")
    order = found.assign(last=found["sum"] == 0, small=-found["size"]).sort_values(["last", "small", "level"])
    return Driver(name, kind, tuple(order["level"])), label


def _listed(names: list[str]) -> str:
    """Name the first few: ``a, b, c and 7 more``."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _incomparable(counts: pd.DataFrame, text: pd.Series) -> str:
    """Say why the values of a text cannot be compared; empty if they can."""
    if len(counts) == 1:
        return EMPTY if counts.index[0] == MISSING else f"all customers have the same value ({counts.index[0]})"
    if len(counts) > max(MAX_LEVELS, 0.8 * len(text)):
        return "nearly every customer has a value of its own"
    if len(counts) > MAX_LEVELS and pd.to_numeric(text, errors="coerce")[text != MISSING].notna().all():
        return "its numbers are read as text (name it in numbers of cslib.toml)"
    if counts["size"].max() < MIN_CUSTOMERS:
        return f"its {len(counts):,} values are too rare to compare"
    return _leak(counts, counts.index == MISSING)


def _tells(counts: pd.DataFrame) -> bool:
    """Whether nearly all customers have a value that all left with or nobody did, and both occur."""
    size, left = counts["size"], counts["sum"]
    gone, here = size[left == size].sum(), size[left == 0].sum()
    return bool(min(gone, here) > 0 and gone + here > SAME * size.sum())


def _leak(counts: pd.DataFrame, absent: Any) -> str:
    """Say that a column is known, or has its values, only because of churn; empty if not."""
    known = counts.groupby(absent).sum()
    if _tells(known):
        return f"it is only known of those who {'left' if known['sum'].iloc[0] else 'stayed'}"
    return LEAK if _tells(counts) else ""


def _order(found: pd.Series, event: pd.Series) -> float:
    """Share of pairs of one who left and one who stayed in which the first has the larger number."""
    left = event[found.index]
    n, stayed = int(left.sum()), int((~left).sum())
    return float((found.rank()[left].sum() - n * (n + 1) / 2) / (n * stayed)) if n and stayed else 0.5


def _number(name: str, number: pd.Series, life: pd.DataFrame, remarks: list[str]) -> Found | str:
    found, missing, event = number.dropna(), number.isna(), life["event"]
    low, high = _range(found)
    if low == high:
        return "all customers have the same value"
    counts = event.groupby(missing).agg(["size", "sum"])
    if why := _leak(counts, counts.index):
        return why
    if abs(_order(found, event) - 0.5) >= SAME - 0.5:
        return LEAK
    with np.errstate(invalid="ignore"):  # all left at the same age
        growing = found.rank().corr(life["duration"][~missing].rank()) if name != MRR_AT_START else 0.0
    if abs(growing) >= AGE_ITSELF:
        return "it goes with the time a customer has been here, so it tells age rather than a reason"
    driver = Driver(name, "number", (), low=low, high=high, fill=float(found.median()))
    levels = [INSTEAD.join(driver.written(high, low))]
    if missing.sum() >= MIN_CUSTOMERS and event[missing].any():
        levels.append(MISSING)
    driver = replace(driver, levels=tuple(levels))
    _remark(driver, number, growing, remarks)
    return driver, number


def _remark(driver: Driver, number: pd.Series, growing: float, remarks: list[str]) -> None:
    """Say what to know of a number: that it goes with age, is cut, or filled in."""
    if abs(growing) >= AGE_PARTLY:
        goes = f"{driver.name} goes with the time a customer has been here (rank correlation {growing:.2f})"
        remarks.append(f"{goes}; part of its ratio is age.")
    lower, upper = driver.bounds
    if cut := int(((number < lower) | (number > upper)).sum()):
        bounds = " … ".join(driver.written(lower, upper))
        remarks.append(f"{driver.name} is cut to {bounds} for {counted(cut, 'customer')}.")
    absent = int(number.isna().sum())
    if absent and MISSING not in driver.levels:
        who = counted(absent, "customer")
        (median,) = driver.written(driver.fill)
        remarks.append(f"{driver.name} is missing for {who}, counted at its median ({median}).")


def _range(found: pd.Series) -> tuple[float, float]:
    """Return the quartiles, or where they are equal wider bounds."""
    for share in (0.25, 0.1, 0.0):
        low, high = (float(v) for v in found.quantile([share, 1 - share]))
        if low < high:
            break
    return low, high


def _columns(driver: Driver, values: pd.Series) -> dict[tuple[str, str], pd.Series]:
    if driver.kind != "number":
        return {(driver.name, v): (values == v).astype(float) for v in driver.levels[1:]}
    scaled = (values.fillna(driver.fill).clip(*driver.bounds) - driver.low) / (driver.high - driver.low)
    absent = {(driver.name, v): values.isna() * 1.0 for v in driver.levels[1:]}
    return {(driver.name, driver.levels[0]): scaled} | absent


def _side_by_side(known: Known, life: pd.DataFrame, remarks: list[str]) -> pd.DataFrame:
    """Put the columns of all drivers side by side, without those that earlier ones determine."""
    columns = {k: v for driver, values in known.values() for k, v in _columns(driver, values).items()}
    if not columns:
        return pd.DataFrame(index=life.index)
    whole = pd.DataFrame(columns)
    never = never_left(whole, life)
    design = whole[~whole[never].any(axis=1)].drop(columns=never)
    same: list[Any] = list(design.columns[(design.max() == design.min()).to_numpy()])
    remarks += [f"{name} is not compared: all who could be have the same value." for name, _ in same]
    design = design.drop(columns=same)
    chosen = [*(_independent(design, remarks) if len(design.columns) else ()), *never]
    return whole[[c for c in whole if c in chosen]]


def _without_follower(design: pd.DataFrame, remarks: list[str]) -> pd.DataFrame:
    """Leave out MRR where the other columns mostly explain it: their ratios would be blurred, and risk hardly gain."""
    keys: list[Any] = list(design)
    own = [i for i, (name, level) in enumerate(keys) if name in (MRR, MRR_AT_START) and level != MISSING]
    rest = [i for i, (name, _) in enumerate(keys) if name not in (MRR, MRR_AT_START)]
    if not own or not rest:
        return design
    alike = np.corrcoef(design.to_numpy().T)
    shared, name = alike[rest, own[0]], keys[own[0]][0]
    explained = float(shared @ np.linalg.lstsq(alike[np.ix_(rest, rest)], shared, rcond=1e-9)[0])
    if explained < MOSTLY:
        return design
    why = f"the other drivers explain {100 * explained:.0f} % of it"
    remarks.append(f"{name} is left out: {why}. To compare it all the same, name mrr among the drivers.")
    return design.iloc[:, rest]


def _independent(design: pd.DataFrame, remarks: list[str]) -> list[Any]:
    """Return the columns that those before them do not determine."""
    keys: list[Any] = list(design)
    kept: list[int] = []
    alike = np.atleast_2d(np.corrcoef(design.to_numpy().T))
    twice: dict[str, list[str]] = {}
    for i, (name, level) in enumerate(keys):
        shared = alike[kept, i]
        weights = np.linalg.solve(alike[np.ix_(kept, kept)], shared) if kept else shared
        if shared @ weights > SAME:
            twice.setdefault(_twin([keys[k] for k in kept], shared, weights), []).append(f"{name}: {level}")
        else:
            kept.append(i)
    remarks += [f"{', '.join(t)} {why}." for why, t in twice.items()]
    return [keys[i] for i in kept]


def _twin(keys: list[tuple[str, str]], shared: Floats, weights: Floats) -> str:
    """Say which columns determine another one, given their correlations and weights."""
    if np.square(shared).max() > SAME:
        return f"says the same as {': '.join(keys[int(np.argmax(np.abs(shared)))])} and is counted once"
    names = dict.fromkeys(name for (name, _), w in zip(keys, weights, strict=True) if abs(w) > WEIGHTY)
    return f"follows from {', '.join(names)} and is left out"
