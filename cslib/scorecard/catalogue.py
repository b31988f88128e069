"""The catalogue: the KPIs of every topic in the order of the report, and what they are to reach."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from cslib.churn import kpis as churn
from cslib.data.kpi import GROUPS, Kpi, Setting, Target
from cslib.engagement import kpis as engagement
from cslib.errors import DataError, refuse_unknown
from cslib.revenue import kpis as revenue
from cslib.surveys import kpis as surveys
from cslib.value import kpis as value

TOPICS: tuple[ModuleType, ...] = (churn, revenue, value, surveys, engagement)
LIKELY_PERCENT: Final = 5.0  # a share above it was meant in percent, where it can pass 1


def catalogue(setting: Setting | None = None) -> dict[str, Kpi]:
    """Collect the KPIs of every topic.

    Parameters
    ----------
    setting
        Changes a definition or two, such as which answers of CES are good; by default that of :class:`Setting`.

    Returns
    -------
    dict of str to Kpi
        By id; by group in the order of ``data.kpi.GROUPS``, within a group by topic.

    Examples
    --------
    >>> catalogue()["nrr"].formula
    'MRR today of customers of 12 months before / their MRR then'
    """
    used = setting or Setting()
    every: list[Kpi] = [kpi for topic in TOPICS for kpi in topic.KPIS.values()]
    every.sort(key=lambda kpi: GROUPS.index(kpi.group))
    return {kpi.id: kpi.adapt(kpi, used) if kpi.adapt else kpi for kpi in every}


def read_targets(given: Any, kpis: Mapping[str, Kpi]) -> dict[str, Target]:
    """Read the targets of a data set.

    Parameters
    ----------
    given
        Mapping of KPI to a number, or to a list of two: the ends of a band.
    kpis
        As from :func:`catalogue`.

    Returns
    -------
    dict of str to Target

    Raises
    ------
    DataError
        A KPI is not in the catalogue, a target is no number, two that do not ascend, one number for a KPI that is to
        stay in a band, or a share that was written in percent.

    Examples
    --------
    >>> read_targets({"nps": 30, "customer_churn_rate": 0.02}, catalogue())["customer_churn_rate"]
    Target(low=-inf, high=0.02)
    """
    for name in given:
        refuse_unknown(name, kpis, f"[targets] names {name!r}, which is no KPI.", error=DataError)
    return {name: _target(kpis[name], value) for name, value in given.items()}


def _target(kpi: Kpi, value: Any) -> Target:
    ends = value if isinstance(value, list) else [value]
    number = all(isinstance(e, (int, float)) and not isinstance(e, bool) and abs(e) < float("inf") for e in ends)
    if not number or len(ends) not in (1, 2) or ends != sorted(ends) or (isinstance(value, list) and len(ends) == 1):
        msg = f"[targets]: {kpi.id} is {value!r}. Give a number, or the two ends of a band: {kpi.id} = [1, 2]."
        raise DataError(msg)
    most = LIKELY_PERCENT if kpi.reach[1] > 1 else 1.0
    hint = f"Did you mean {max(ends) / 100:g}?" if max(ends) > most else "Give a number from 0 on."
    msg = f"[targets]: {kpi.id} is {value!r}, but it is a share of 1. {hint}"
    DataError.when(kpi.unit == "percent" and (min(ends) < 0 or max(ends) > most), msg)
    if len(ends) == 2:
        return Target(float(ends[0]), float(ends[1]))
    msg = f"[targets]: {kpi.id} is to stay in a band. Give both ends: {kpi.id} = [{ends[0]!r}, {ends[0] * 2!r}]."
    DataError.when(kpi.direction == "band", msg)
    end = float(ends[0])
    return Target(end, float("inf")) if kpi.direction == "up" else Target(float("-inf"), end)
