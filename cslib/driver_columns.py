"""Columns of ``customers`` as drivers: which can be compared, which values are told apart, the design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from cslib.contract import filled
from cslib.errors import counted

__all__ = ["MIN_CUSTOMERS", "MISSING", "OTHER", "Driver", "Known", "comparable", "design_of", "recorded", "size_of"]

Known = list[tuple["Driver", pd.Series]]  # each with its labels or numbers, a row per customer
MISSING: Final = "(missing)"
OTHER: Final = "(other)"
MIN_CUSTOMERS: Final = 20
MIN_CHURNED: Final = 5
MIN_EVENTS: Final = 10
MAX_LEVELS: Final = 12
WHOLE_VALUES: Final = 6  # a number with no more distinct values is a code rather than a quantity
SAME: Final = 0.99  # share of a column that the columns before it explain
AGE_ITSELF: Final = 0.7


@dataclass(frozen=True)
class Driver:
    """A column of ``customers`` as the model reads it.

    Attributes
    ----------
    name
        The column.
    kind
        ``text``; ``whole``: a number with few values, read as text; ``number``.
    levels
        Of a text the values told apart, the reference first, and ``(other)`` for all the rest. Of a number
        its range (``18 → 90``) and, where enough are missing, ``(missing)``.
    coefficients
        Log hazard ratio of each level: 0 for the reference, and throughout for the stratifying driver.
    low, high, fill
        Of a number: the 25th and 75th percentile, between which its ratio is given, and the median, which
        stands for missing values.
    """

    name: str
    kind: str
    levels: tuple[str, ...]
    coefficients: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    fill: float = 0.0


def recorded(column: ir.Value) -> ir.Value:
    """Read a column of ``customers`` as a driver: a number without NaN, or text with ``(missing)``."""
    if not column.type().is_numeric():
        return filled(column).fill_null(MISSING)
    number = column.cast("float64")
    return ibis.ifelse(number.isnan() | number.isinf(), ibis.null("float64"), number)


def comparable(columns: pd.DataFrame, life: pd.DataFrame, remarks: list[str]) -> Known:
    """Return the drivers that can be compared."""
    churned = int(life["event"].sum())
    if churned < MIN_EVENTS:
        remarks.append(f"Only {counted(churned, 'customer')} churned; to compare customers takes {MIN_EVENTS}.")
        return []
    result = []
    for name in map(str, columns):
        found = _driver(name, columns[name], life, remarks)
        if isinstance(found, str):
            remarks.append(f"{name} is not compared: {found}.")
        else:
            result.append(found)
    return result


def _driver(name: str, raw: pd.Series, life: pd.DataFrame, remarks: list[str]) -> tuple[Driver, pd.Series] | str:
    """Decide how a column is read, or say why it cannot be."""
    if raw.dtype == object:
        return _text(name, "text", raw, life["event"])
    number = raw.astype(float)
    found = number.dropna()
    if found.nunique() <= WHOLE_VALUES and (found == found.round()).all():
        return _text(name, "whole", number.map("{:.0f}".format).where(number.notna(), MISSING), life["event"])
    return _number(name, number, life, remarks)


def _text(name: str, kind: str, text: pd.Series, event: pd.Series) -> tuple[Driver, pd.Series] | str:
    """Merge rare values into ``(other)``, and that, if still rare, with the value of which fewest churned."""
    counts = event.groupby(text).agg(["size", "sum"])
    if len(counts) > max(MAX_LEVELS, 0.8 * len(text)):
        return "nearly every customer has a value of its own"
    if len(counts) > MAX_LEVELS and pd.to_numeric(text, errors="coerce")[text != MISSING].notna().all():
        return "its numbers are read as text (name it in numbers of cslib.toml)"
    common = counts[(counts["size"] >= MIN_CUSTOMERS) & (counts["sum"] >= MIN_CHURNED)].nlargest(MAX_LEVELS, "size")
    rest = counts.drop(common.index)["sum"]
    if len(rest) and len(common) and rest.sum() < MIN_CHURNED:
        common = common.drop(common["sum"].idxmin())
    label = text.where(text.isin(common.index), OTHER)
    levels = label.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    return (Driver(name, kind, tuple(levels)), label) if len(levels) > 1 else _why_alone(counts)


def _why_alone(counts: pd.DataFrame) -> str:
    if len(counts) == 1:
        return f"all customers have the same value ({counts.index[0]})"
    loyal = counts[(counts["sum"] == 0) & (counts["size"] >= MIN_CUSTOMERS)]
    if len(loyal):
        return f"none of the {loyal['size'].iloc[0]:,} customers with {loyal.index[0]} churned"
    return "too few customers of all values but one churned"


def _number(name: str, number: pd.Series, life: pd.DataFrame, remarks: list[str]) -> tuple[Driver, pd.Series] | str:
    found, missing = number.dropna(), number.isna()
    low, high = _range(found)
    if low == high:
        return "all customers have the same value"
    with np.errstate(invalid="ignore"):  # all left at the same age
        growing = found.rank().corr(life["duration"][~missing].rank())
    if abs(growing) >= AGE_ITSELF:
        return "it goes with the time a customer has been here, so it tells age rather than a reason"
    levels = [f"{low:,.6g} → {high:,.6g}"]
    fill = float(found.median())
    if missing.sum() >= MIN_CUSTOMERS and life["event"][missing].sum() >= MIN_CHURNED:
        levels.append(MISSING)
    elif missing.any():
        who = counted(int(missing.sum()), "customer")
        remarks.append(f"{name} is missing for {who}, counted at its median ({fill:,.6g}).")
    return Driver(name, "number", tuple(levels), low=low, high=high, fill=fill), number


def _range(found: pd.Series) -> tuple[float, float]:
    """Return the quartiles, or where they are equal wider bounds."""
    low, high = 0.0, 0.0
    for share in (0.25, 0.1, 0.0):
        low, high = float(found.quantile(share)), float(found.quantile(1 - share))
        if low < high:
            break
    return low, high


def _columns(driver: Driver, values: pd.Series) -> dict[tuple[str, str], pd.Series]:
    if driver.kind != "number":
        return {(driver.name, v): (values == v).astype(float) for v in driver.levels[1:]}
    scaled = (values.fillna(driver.fill) - driver.low) / (driver.high - driver.low)
    absent = {(driver.name, v): values.isna() * 1.0 for v in driver.levels[1:]}
    return {(driver.name, driver.levels[0]): scaled} | absent


def design_of(known: Known, life: pd.DataFrame, remarks: list[str]) -> pd.DataFrame:
    """Put the columns of all drivers side by side, without those that earlier ones determine."""
    columns = {k: v for driver, values in known for k, v in _columns(driver, values).items()}
    if not columns:
        return pd.DataFrame(index=life.index)
    keys = list(columns)
    alike = np.atleast_2d(np.corrcoef(list(columns.values())))
    kept: list[int] = []
    twice: dict[str, list[str]] = {}
    for i, (name, level) in enumerate(keys):
        shared = alike[kept, i]
        if kept and shared @ np.linalg.solve(alike[np.ix_(kept, kept)], shared) > SAME:
            same = keys[kept[int(np.argmax(np.abs(shared)))]]
            twice.setdefault(": ".join(same), []).append(f"{name}: {level}")
        else:
            kept.append(i)
    remarks += [f"{', '.join(t)} says the same as {same} and is counted once." for same, t in twice.items()]
    return pd.DataFrame({keys[i]: columns[keys[i]] for i in kept})


def size_of(driver: Driver, values: pd.Series, level: str) -> int:
    """Count the customers that a level of a driver stands for."""
    if driver.kind == "number":
        return int(values.isna().sum() if level == MISSING else values.notna().sum())
    return int((values == level).sum())
