"""The catalogue: the KPIs of every topic in the order of the report, and what they are to reach."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cslib.churn import kpis as churn
from cslib.data.kpi import GROUPS, Kpi, Setting, Target
from cslib.engagement import kpis as engagement
from cslib.errors import DataError, refuse_unknown
from cslib.revenue import kpis as revenue
from cslib.surveys import kpis as surveys
from cslib.value import kpis as value

TOPICS: tuple[ModuleType, ...] = (churn, revenue, value, surveys, engagement)


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
        Of a KPI and its complement, where both have one, it is here once.

    Raises
    ------
    DataError
        A KPI is not in the catalogue, a target is no number, two that do not ascend, one number for a KPI that is to
        stay in a band, a share that was written in percent, or another than that of the complement.

    Examples
    --------
    >>> read_targets({"nps": 30, "customer_churn_rate": 0.02}, catalogue())["customer_churn_rate"]
    Target(low=-inf, high=0.02)
    """
    for name in given:
        refuse_unknown(name, kpis, f"[targets] names {name!r}, which is no KPI.", error=DataError)
    each = {name: kpis[name].target(given) for name in given if not (kpis[name].mirror and kpis[name].twin in given)}
    return {name: target for name, target in each.items() if target}
