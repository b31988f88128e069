"""What stands in a folder of reports: the last run of each scorecard, those before it, and what has failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cslib.data.kpi import HISTORY
from cslib.errors import ReportError
from cslib.report.parameters import in_force
from cslib.report.publish import RECORD, VERSIONS, read_record, version_of, versions
from cslib.scorecard.alarms import comparisons
from cslib.scorecard.catalogue import catalogue
from cslib.scorecard.scorecard import COLUMNS, has_value

SCORECARD: Final = "scorecard"
JUDGED: Final = ("judged_over", "status_alone", "trend")
TEXTS: Final = ("kpi", "period", "unit", "status", "change", "season", "direction", "label", "group", *JUDGED)
NUMBERS: Final = (
    *("value", "ci_lower", "ci_upper", "n", "months", "previous", "target", "target_upper", "year_before"),
    *("limit_lower", "limit_upper", "value_12m", "ci_lower_12m", "ci_upper_12m", "before_12m"),
    *("of_all_12m", "of_all_lower_12m", "of_all_upper_12m"),
)
SLUG: Final = re.compile(r"\w[\w-]*")
MARGIN: Final = "gross_margin"
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
        """The parameters that decide what its KPIs are; all revenue is margin where nobody tells it."""
        given = in_force(self.record.get("parameters", {}), self.record.get("data_check", {}))
        own = {k: v for k, v in given.items() if k not in PASSING}
        return own | ({MARGIN: own[MARGIN] or 1.0} if MARGIN in own else {})

    @property
    def measured(self) -> list[Any]:
        """Rows of the KPIs that have a value."""
        return list(self.table[has_value(self.table)].itertuples())

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
    for path in versions(out / f"{last.slug}{VERSIONS}"):
        record = read_record(path / RECORD, last.slug)
        if str(record.get("as_of") or "") < last.as_of and record:
            with suppress(ReportError):
                return _read(path, record)
    return None


def failures(out: Path) -> dict[str, dict[str, Any]]:
    """Give what is noted of each report whose last run has failed, by its name; what is none of ours is passed over."""
    found = {}
    for path in sorted(out.glob("*.failed.json")):
        slug = path.name.removesuffix(".failed.json")
        record = read_record(path, slug) if SLUG.fullmatch(slug) else {}
        if record.get("status") == "failed" and _is_day(record.get("started")):
            found[slug] = record
    return found


def last_good(out: Path, slug: str) -> dict[str, Any]:
    """Give the record of the report that stands under a name; empty where there is none."""
    return read_record(out / f"{slug}{VERSIONS}" / version_of(out / f"{slug}.html") / RECORD, slug)


def _is_day(text: object) -> bool:
    with suppress(ValueError):
        return bool(date.fromisoformat(str(text)[:10]))
    return False


def _scorecards(out: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for page in sorted(out.glob("*.html")):
        version = version_of(page)
        record = last_good(out, page.stem) if version else {}
        if record.get("notebook") == SCORECARD and (not record.get("as_of") or _is_day(record["as_of"])):
            yield page.stem, version, record


def _read(folder: Path, record: Mapping[str, Any]) -> Seen:
    slug = str(record["slug"])
    table = _csv(folder / "kpis.csv", COLUMNS, slug)
    texts = {column: table[column].fillna("").astype(str) for column in TEXTS}
    history = _csv(folder / "kpi_history.csv", HISTORY, slug)
    kinds = dict.fromkeys(("n", "months", "n_12m"), "Int64")
    return Seen(slug, record, table.assign(**texts).astype(kinds), history)


def _csv(path: Path, columns: list[str], slug: str) -> pd.DataFrame:
    again = f"Make the report {slug} anew with this version of cslib."
    try:
        table = pd.read_csv(path)
        missing = [column for column in columns if column not in table]
        ReportError.when(missing, f"{path.name} of the report {slug} lacks the column {', '.join(missing)}. {again}")
        numbers = {column: table[column].astype(float) for column in NUMBERS if column in columns}
        return table.assign(until=pd.to_datetime(table["until"]), **numbers)
    except (OSError, ValueError) as error:
        if isinstance(error, ReportError):
            raise
        msg = f"{path.name} of the report {slug} cannot be read. {again}"
        raise ReportError(msg) from error
