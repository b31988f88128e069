"""What stands in a folder of reports: the last run of each scorecard, those before it, and what has failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cslib.data.kpi import HISTORY
from cslib.errors import ReportError
from cslib.report.publish import ID, RECORD, VERSIONS, read_record, version_of
from cslib.scorecard.alarms import comparisons
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.scorecard import COLUMNS

SCORECARD: Final = "scorecard"
TEXTS: Final = ("kpi", "period", "unit", "status", "change", "season", "direction", "label", "group")
PASSING: Final = ("data", "as_of", "segment_by")  # parameters that change nothing of what a KPI is


@dataclass(frozen=True)
class Seen:
    """One run of a scorecard: its record, its KPIs and their history, as :mod:`cslib.scorecard` has them."""

    slug: str
    record: Mapping[str, Any]
    table: pd.DataFrame
    history: pd.DataFrame

    @property
    def as_of(self) -> str:
        """Last day of its data; empty where they have none."""
        return str(self.record.get("as_of") or "")

    @property
    def group(self) -> str:
        """Of whom it is, where there is one for each value of a column."""
        return str(self.record.get("group") or "")

    @property
    def name(self) -> str:
        """What readers call it."""
        label = str(self.record.get("label") or "Scorecard")
        return f"{label} · {self.group}" if self.group else label

    @property
    def currency(self) -> str:
        """Of its amounts."""
        return str(self.record.get("data_check", {}).get("currency") or "")

    @property
    def setting(self) -> dict[str, Any]:
        """The parameters that decide what its KPIs are."""
        return {k: v for k, v in self.record.get("parameters", {}).items() if k not in PASSING}

    @property
    def measured(self) -> list[Any]:
        """Rows of the KPIs that have a value."""
        return list(self.table[self.table["value"].notna()].itertuples())

    @cached_property
    def compared(self) -> pd.DataFrame:
        """Every comparison of the run, see :func:`cslib.scorecard.alarms.comparisons`."""
        return comparisons(self.table, self.history, catalogue()).assign(slug=self.slug)


def last_runs(out: Path) -> list[Seen]:
    """Read the last run of every scorecard in a folder that the caller holds.

    Raises
    ------
    ReportError
        One of them lacks a table or a column.
    """
    return [_read(out / f"{slug}{VERSIONS}" / version, record) for slug, version, record in _scorecards(out)]


def run_before(out: Path, last: Seen) -> Seen | None:
    """Find the latest run before, of an earlier day, of the same scorecard; none where none is left or fit to read."""
    home = out / f"{last.slug}{VERSIONS}"
    for path in sorted((p for p in home.iterdir() if re.fullmatch(ID, p.name)), reverse=True):
        record = read_record(path / RECORD, last.slug)
        if str(record.get("as_of") or "") < last.as_of and record:
            with suppress(ReportError):
                return _read(path, record)
    return None


def failures(out: Path) -> dict[str, dict[str, Any]]:
    """Give what is noted of each report whose last run has failed, by its name."""
    found = {}
    for path in sorted(out.glob("*.failed.json")):
        slug = path.name.removesuffix(".failed.json")
        if re.fullmatch(r"[\w-]+", slug):
            found[slug] = read_record(path, slug)
    return {slug: record for slug, record in found.items() if record.get("status") == "failed"}


def last_good(out: Path, slug: str) -> dict[str, Any]:
    """Give the record of the report that stands under a name; empty where there is none."""
    return read_record(out / f"{slug}{VERSIONS}" / version_of(out / f"{slug}.html") / RECORD, slug)


def _scorecards(out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for page in sorted(out.glob("*.html")):
        version = version_of(page)
        record = last_good(out, page.stem) if version else {}
        if record.get("notebook") == SCORECARD:
            yield page.stem, version, record


def _read(folder: Path, record: Mapping[str, Any]) -> Seen:
    table = _csv(folder / "kpis.csv", COLUMNS, record["slug"])
    texts = {column: table[column].fillna("").astype(str) for column in TEXTS}
    history = _csv(folder / "kpi_history.csv", HISTORY, record["slug"])
    return Seen(record["slug"], record, table.assign(**texts).astype({"n": "Int64", "months": "Int64"}), history)


def _csv(path: Path, columns: list[str], slug: str) -> pd.DataFrame:
    again = f"Make the report {slug} anew with this version of cslib."
    try:
        table = pd.read_csv(path, parse_dates=["until"])
    except (OSError, ValueError) as error:
        msg = f"{path.name} of the report {slug} cannot be read. {again}"
        raise ReportError(msg) from error
    missing = [column for column in columns if column not in table]
    ReportError.when(missing, f"{path.name} of the report {slug} lacks the column {', '.join(missing)}. {again}")
    return table
