"""What a loaded data set is: checked tables, one last day, and everything that was found on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from cslib.checks import Fault
from cslib.contract import CONTRACT
from cslib.errors import MissingTableError
from cslib.shaping import MOMENT

__all__ = ["DataSet"]


@dataclass(frozen=True)
class DataSet:
    """Canonical tables of one data set, cut at ``as_of``; made by :func:`cslib.load`.

    Attributes
    ----------
    tables
        Lazy Ibis tables by name of the contract.
    as_of
        Last fully observed day; None where the tables hold no date at all.
    currency
        ISO code of every amount, or empty.
    observed_from
        First day from which churn was recorded, or None: customers enter the risk set then.
    segments
        Columns declared as segments.
    targets
        The ``[targets]`` of ``cslib.toml``.
    faults
        Every fault found, errors first.
    set_aside
        Faulty rows left out, by table: ``reason``, ``row`` (of the rows that can be read, from 1) and raw
        columns; for broken lines ``line`` (in the file) and ``text``.
    label
        The name of the data set in reports.
    notes
        What a reader should know of how the tables were made.
    derived
        Tables that are not in the data but made of others: their churn is seen with hindsight.
    statistics
        By table: rows, first and last day, sums of numbers.
    """

    tables: Mapping[str, ir.Table]
    as_of: date | None = None
    currency: str = ""
    observed_from: date | None = None
    segments: tuple[str, ...] = ()
    targets: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    set_aside: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    label: str = ""
    notes: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    statistics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def table(self, name: str) -> ir.Table:
        """Return one table, or say how to supply it.

        Raises
        ------
        MissingTableError
            The data set has no such table.
        """
        if name in self.tables:
            return self.tables[name]
        columns = [c for c, s in CONTRACT.get(name, {}).items() if s.required]
        msg = (
            f"{self.label or 'The data set'} has no table {name!r}, which this needs (columns: "
            f"{', '.join(columns)}). There are: {', '.join(self.tables)}. Add {name}.csv, or map it in cslib.toml."
        )
        raise MissingTableError(msg)

    def has_dates(self, name: str) -> bool:
        """Tell whether a table is there with the dates of its contract (``customers`` may have tenures)."""
        return name in self.tables and MOMENT[name] in self.tables[name].columns

    @cached_property
    def whole_tenures(self) -> bool:
        """Tell whether the tenures of customers are whole months; asked of the engine once."""
        tenure = self.table("customers").tenure_months.cast("float64")
        return bool((tenure == tenure.round()).all().execute())

    def describe(self) -> dict[str, Any]:
        """Return what a reader must know of the data before the figures: plain values, ready for JSON.

        Returns
        -------
        dict
            ``source, as_of, currency, fingerprint, tables`` (a list of ``table, rows, first, last,
            set_aside, note``), ``share_censored`` (share of customers still here), ``notes``, ``warnings``.
        """
        tables = [
            {
                "table": n,
                "set_aside": len(self.set_aside.get(n, ())),
                "note": "",
                **_shown(self.statistics[n]),
            }
            for n in self.tables
        ]
        return {
            "source": self.label,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "currency": self.currency or None,
            "fingerprint": hashlib.sha256(json.dumps(self.statistics, default=str).encode()).hexdigest()[:12],
            "tables": tables,
            "share_censored": self.statistics.get("customers", {}).get("share_censored"),
            "notes": list(self.notes),
            "warnings": [f.message for f in self.faults],
        }


def _shown(statistics: Mapping[str, Any]) -> dict[str, Any]:
    return {k: statistics.get(k) for k in ("rows", "first", "last")}
