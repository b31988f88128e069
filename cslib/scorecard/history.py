"""Every KPI of the catalogue over time, and why the others are not measured."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from cslib.data.dataset import DataSet
from cslib.data.kpi import HISTORY, OVER_YEAR, Kpi, Setting, Target
from cslib.data.lives import counted_as
from cslib.engagement.activity import is_used
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.scorecard.catalogue import catalogue, read_targets

LOG: Final = logging.getLogger("cslib")
WHOLE: Final = "All"
TOLD: Final = "12 months"
POINTS: Final = 24  # of a small line
STAY: Final = "stay"
OF_WHOLE: Final = ("before", "of_all", "of_all_lower", "of_all_upper", "trend")  # not of a segment beside others


@dataclass(frozen=True)
class Measured:
    """All KPIs over time.

    Attributes
    ----------
    history
        One row per KPI, segment (``All`` first) and period: ``kpi``, ``segment``, ``until`` (last day of the period;
        missing where the data hold no dates), ``months`` (its length; consecutive rows of long periods overlap),
        ``value``, ``ci_lower``, ``ci_upper``, ``n``.
    reasons
        By KPI, why it is not measured.
    kpis
        The catalogue, with the directions that hold here.
    targets
        As from :func:`cslib.scorecard.catalogue.read_targets`.
    currency
        Of the amounts.
    years
        What KPIs are over the last 12 months, where their topic pools these: columns as ``data.kpi.OVER_YEAR``.
    """

    history: pd.DataFrame = field(repr=False)
    reasons: Mapping[str, str]
    kpis: Mapping[str, Kpi]
    targets: Mapping[str, Target]
    currency: str = ""
    years: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=OVER_YEAR), repr=False)

    def of_all(self, kpi: str) -> pd.DataFrame:
        """Give the history of one KPI over all customers, the earliest period first."""
        own = (self.history["kpi"] == kpi) & (self.history["segment"] == WHOLE)
        return self.history[own].reset_index(drop=True)

    def trend(self, kpi: str, *, pooled: int = 1) -> tuple[float, ...]:
        """Give the last values of one KPI, up to 24, the earliest first; each pooled over so many periods."""
        rows = self.of_all(kpi)
        if pooled == 1:
            return tuple(rows["value"].tail(POINTS).astype(float))
        n = rows["n"].astype(float)
        known = (rows["value"] * n).where(n > 0, 0.0)  # nobody was there in some period
        sums = known.rolling(pooled).sum() / n.rolling(pooled).sum()
        return tuple(sums.iloc[pooled - 1 :].tail(POINTS))

    def by_segment(self) -> pd.DataFrame:
        """Give the last value of every KPI by segment.

        Returns
        -------
        pandas.DataFrame
            ``kpi``, ``segment``, ``value``, ``ci_lower``, ``ci_upper``, ``n``: of the last 12 months where segments are
            measured over these, else of the last period of the whole; ``p_adjusted``, ``verdict`` as in ``years``;
            ``judged_over`` (``12 months``, or empty).
            Orders and costs, which know no segment, are not there.
        """
        history = self.history
        last = history["kpi"].map(history[history["segment"] == WHOLE].groupby("kpi")["until"].max())
        current = (history["until"] == last) | last.isna()  # without a calendar there is one period
        parts = history[(history["segment"] != WHOLE) & current]
        year = self.years[self.years["segment"] != WHOLE]
        rows = {kpi: own.assign(judged_over="") for kpi, own in parts.groupby("kpi")}
        rows |= {kpi: own.assign(judged_over=TOLD) for kpi, own in year.groupby("kpi")}
        columns = [*(c for c in OVER_YEAR if c not in OF_WHOLE), "judged_over"]
        own = [rows[kpi].reindex(columns=columns) for kpi in history["kpi"].unique() if kpi in rows]
        tables = [table.astype({"n": "Int64", "verdict": object}) for table in own]
        return pd.concat(tables or [pd.DataFrame(columns=columns)], ignore_index=True)

    def segments(self) -> list[str]:
        """Name the segments, the one with most customers first."""
        sizes = self.by_segment().groupby("segment")["n"].max()
        return list(sizes.sort_values(ascending=False, kind="stable").index)


def measure_all(data: DataSet, *, setting: Setting | None = None) -> Measured:
    """Measure every KPI of the catalogue that the data allow.

    Parameters
    ----------
    data
        Any data set.
    setting
        Margin, discount, scales; by default those of :class:`cslib.data.kpi.Setting`.

    Returns
    -------
    Measured

    Raises
    ------
    MissingTableError
        Not one KPI can be measured.
    DataError
        A target is wrong, see :func:`cslib.scorecard.catalogue.read_targets`.
    ParameterError
        A setting is out of its range, or names what is not in the data.
    """
    used = setting or Setting()
    used = _in_force(data, used)
    kpis = catalogue(used)
    if data.value_feature and not used.value_feature:
        unset = f"value_feature of the data is {data.value_feature!r}, which nobody used"
        kpis["time_to_value"] = replace(kpis["time_to_value"], unset=unset)
    targets = read_targets(data.targets, kpis)
    parts: list[pd.DataFrame] = []
    reasons: dict[str, str] = {}
    for measure in dict.fromkeys(kpi.measure for kpi in kpis.values()):
        try:
            parts.extend(part for part in measure(data, used) if len(part))
        except ParameterError:
            raise
        except Exception as error:  # whatever is wrong with one KPI, the others must come
            reasons |= {name: _reason(kpi, error) for name, kpi in kpis.items() if kpi.measure is measure}
    msg = f"No KPI can be measured with {', '.join(data.tables)} alone."
    msg += " Add subscriptions, customers, surveys with answers, or orders with a kind, of a month that is over."
    MissingTableError.when(not parts, msg)
    history = _in_order(parts, kpis)
    missing = {name: kpi for name, kpi in kpis.items() if name not in set(history["kpi"])}
    reasons = {name: reasons.get(name, _absent(kpi, data)) for name, kpi in missing.items()}
    known = set(history["kpi"])
    years = _years(data, used, [kpi for kpi in kpis.values() if kpi.id in known])
    return Measured(history, reasons, _named(kpis, known, data), targets, data.currency, years)


def _in_force(data: DataSet, asked: Setting) -> Setting:
    """Put what the data declare in the place of what is not asked for; of a feature, where there is any use of it."""
    feature = asked.value_feature or data.value_feature
    if not asked.value_feature and feature and not is_used(data, feature):
        feature = ""
    return replace(asked, gross_margin=asked.gross_margin or data.gross_margin, value_feature=feature)


def _years(data: DataSet, setting: Setting, kpis: Iterable[Kpi]) -> pd.DataFrame:
    """Measure over 12 months what is, where that fails the last period judges the target by itself."""
    parts = [pd.DataFrame(columns=OVER_YEAR)]
    for measure in dict.fromkeys(kpi.over_year for kpi in kpis if kpi.over_year):
        try:
            parts.extend(measure(data, setting))
        except (DataError, ParameterError) as error:
            LOG.info("not measured over 12 months: %s", error)
        except Exception:  # as of the KPIs themselves
            LOG.exception("a KPI could not be measured over 12 months")
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def _named(kpis: Mapping[str, Kpi], known: set[str], data: DataSet) -> dict[str, Kpi]:
    """Call stays customers where nobody has come back."""
    unit = counted_as(data) if any(kpis[name].noun == STAY for name in known) else STAY
    return {name: replace(kpi, noun=unit) if kpi.noun == STAY else kpi for name, kpi in kpis.items()}


def _in_order(parts: Iterable[pd.DataFrame], kpis: Mapping[str, Kpi]) -> pd.DataFrame:
    """Put the parts in the order of the catalogue, the whole first; a period is told once, as it is defined."""
    history = pd.concat(parts, ignore_index=True).drop_duplicates(["kpi", "segment", "until"])
    exact = history["kpi"].map({name: kpi.exact for name, kpi in kpis.items()})
    history[["ci_lower", "ci_upper"]] = history[["ci_lower", "ci_upper"]].where(~exact)
    months = history["kpi"].map({name: kpi.months for name, kpi in kpis.items()})
    history["months"] = history["months"].fillna(months).astype("int64")
    history["order"] = history["kpi"].map({name: i for i, name in enumerate(kpis)})
    history["part"] = history["segment"] != WHOLE
    return history.sort_values(["order", "part", "segment", "until"], kind="stable", ignore_index=True)[HISTORY]


def _reason(kpi: Kpi, error: Exception) -> str:
    if isinstance(error, MissingTableError):
        return f"needs {kpi.needs}"
    if isinstance(error, DataError):
        return str(error)
    LOG.error("%s could not be measured", kpi.id, exc_info=error)
    return f"cslib failed to compute it from {' and '.join(dict.fromkeys(kpi.tables))}; the log says more"


def _absent(kpi: Kpi, data: DataSet) -> str:
    return kpi.blank if all(_there(source, data) for source in kpi.sources) else f"needs {kpi.needs}"


def _there(source: str, data: DataSet) -> bool:
    table, _, column = source.partition(".")
    return table in data.tables and (not column or column in data.table(table).columns)
