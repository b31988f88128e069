"""What a data set declares of itself: read from ``cslib.toml``, a path, a URL or a mapping."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

import ibis.expr.types as ir
import pandas as pd

from cslib.data.contract import CONTRACT, ENDS, TENURE
from cslib.data.moments import known_zone
from cslib.data.presets import with_preset
from cslib.data.reading import Reading
from cslib.errors import DataError, ParameterError, listed, refuse_unknown

SUFFIXES: Final = (".csv", ".tsv", ".csv.gz", ".parquet")
TableLike: TypeAlias = pd.DataFrame | ir.Table | str | Path
TEXT, TEXTS, PAIRS, DAY, NAMED = "a text", "a list of texts", "a table of texts", "a date", "a table"
MONTHS: Final = "a whole number of months"
YES: Final = "true or false"
SHARE: Final = "a share above 0 and up to 1"
VALUES, LABELS = "a table of single values", "a table of words for each column"
TOP: Final = {
    **dict.fromkeys(("source", "currency", "timezone", "value_feature"), TEXT),
    **dict.fromkeys(("as_of", "observed_from"), DAY),
    "gross_margin": SHARE,
    "targets": NAMED,
}
LISTS: Final = ("true_values", "false_values", "numbers", "inverted", "null_values")
WORDS: Final = ("date_format", "decimal", "unit")
READ: Final = (*LISTS, *WORDS, "labels", "values")  # how the texts of a table are read
SECTION: Final = {
    **dict.fromkeys(("table", "query", "on_fault", "encoding", "ends", "tenures", *WORDS), TEXT),
    **dict.fromkeys((*LISTS, "segments"), TEXTS),
    "columns": PAIRS,
    "values": VALUES,
    "labels": LABELS,
    "pause_months": MONTHS,
    "minor_units": YES,
    "preset": TEXT,
}
CHOICES: Final = {
    "on_fault": ("stop", "set_aside"),
    "ends": ("exclusive", "inclusive"),
    "decimal": (".", ","),
    "tenures": ("exact", "completed"),
}
SOLD: Final = ("subscriptions", "invoices", "movements")  # of which one tells what is paid
OF_SOME: Final = {  # keys of some tables only
    "ends": (tuple(ENDS), "whose rows have an end. Leave it out."),
    "unit": (("subscriptions", "customers"), "whose mrr is a price. Leave it out."),
    "tenures": (("customers",), "of whom tenure_months tells. Leave it out."),
    "pause_months": (SOLD, "between which a gap may be a pause. Move it there."),
}
FITTING: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {  # an example, and what fits
    TEXT: ('{key} = "…"', lambda v: isinstance(v, str)),
    TEXTS: ('{key} = ["…"]', lambda v: isinstance(v, list) and _texts(v)),
    PAIRS: ('{key} = {{ name = "…" }}', lambda v: isinstance(v, dict) and _texts(v.values())),
    DAY: ("{key} = 2025-06-30", lambda v: isinstance(v, (str, date))),
    VALUES: ('{key} = {{ survey = "nps" }}', lambda v: isinstance(v, dict) and _single(v.values())),
    LABELS: (
        '{key} = {{ score = {{ "Very satisfied" = 5 }} }}',
        lambda v: isinstance(v, dict) and all(isinstance(w, dict) and _single(w.values()) for w in v.values()),
    ),
    MONTHS: ("{key} = 2", lambda v: type(v) is int and v >= 0),
    YES: ("{key} = true", lambda v: isinstance(v, bool)),
    SHARE: ("{key} = 0.8", lambda v: type(v) in (int, float) and 0 < v <= 1),
    NAMED: ("[{key}] as the head of a section", lambda v: isinstance(v, dict)),
}


def _single(values: Iterable[Any]) -> bool:
    return all(isinstance(v, (str, int, float, bool, date)) for v in values)


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(v, str) for v in values)


@dataclass(frozen=True)
class TableOptions:
    """One table's section of ``cslib.toml``."""

    table: Any = ""
    query: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    on_fault: str = "stop"
    ends: str = "exclusive"
    tenures: str = "exact"
    pause_months: int = 0
    encoding: str = "utf-8"
    minor_units: bool = False
    reading: Reading = field(default_factory=Reading)

    @property
    def named(self) -> tuple[str, ...]:
        """Columns that its keys name, beside ``columns``."""
        return (*self.segments, *self.reading.numbers, *self.reading.labels, *self.reading.inverted)


VARIABLES: Final = "CSLIB_VARIABLES"  # names of variables that a connection URL may have, beside those of this prefix:
PREFIX: Final = "CSLIB_"
SPARK: Final = "spark"  # as a source: Spark on this machine
VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Config:
    """What a data set declares of itself; ``label`` is its name in reports."""

    label: str
    source: str = "."
    folder: Path = Path()
    as_of: str | date = ""
    observed_from: str = ""
    currency: str = ""
    gross_margin: float = 0.0
    value_feature: str = ""
    timezone: str = "UTC"
    own: bool = False  # written by who calls, and not found in a file
    targets: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, TableOptions] = field(default_factory=dict)

    @property
    def remote(self) -> bool:
        """Whether the tables are in an engine of their own, and no files."""
        return "://" in self.source

    @property
    def base(self) -> Path:
        """Where the files are that it names."""
        return self.folder if self.remote else self.folder / self.source


def read_config(data: str | Path | Mapping[str, TableLike]) -> Config:
    """Find out what a data set is: a folder, a TOML file, a data file, a URL or a mapping.

    Parameters
    ----------
    data
        As in :func:`cslib.load`. Empty: the nearest folder ``data`` at or above the working directory.

    Returns
    -------
    Config

    Raises
    ------
    DataError
        The TOML has an unknown key or an unreadable value; a mapping holds what is no table.
    ParameterError
        ``data`` names nothing that is there.
    """
    if isinstance(data, Mapping):
        return _mapping(data)
    if not isinstance(data, (str, Path)):
        msg = f"data is a {type(data).__name__}. Give a path, a URL, or a mapping such as {{'customers': table}}."
        raise ParameterError(msg)
    if "://" in str(data) or (str(data) == SPARK and not os.path.exists(SPARK)):
        return Config(label=str(data).split("://")[0], source=_address(str(data)), own=True)
    path = Path(data) if str(data) else _nearest_data()
    if not os.path.exists(path):
        msg = f"data {str(data)!r} is not there. Name a folder, a cslib.toml, a CSV or Parquet file, or a URL."
        raise ParameterError(msg)
    toml = path if path.suffix == ".toml" else path / "cslib.toml"
    if toml.exists():
        return _toml(toml)
    if path.is_dir():
        return Config(label=path.resolve().name, folder=path)
    _known([stem(path)], CONTRACT, f"the file name {path.name!r}")
    return Config(label=path.name, folder=path.parent, source="", tables={stem(path): TableOptions(table=path)})


def _mapping(data: Mapping[str, TableLike]) -> Config:
    _known(map(str, data), CONTRACT, "the mapping")
    for name, table in data.items():
        if not isinstance(table, (pd.DataFrame, ir.Table, str, Path)):
            msg = f"{name} is a {type(table).__name__}. Give a DataFrame, a path or an Ibis table."
            raise DataError(msg)
    own = {n: Path(t) if isinstance(t, str) else t for n, t in data.items()}  # a path of who calls leads anywhere
    return Config(label="in memory", source="", tables={n: TableOptions(table=t) for n, t in own.items()})


def _address(source: str) -> str:
    return f"{SPARK}://local" if source == SPARK else source


def _nearest_data() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "data").is_dir():
            return folder / "data"
    msg = f"No data given, and no folder 'data' at or above {here.name!r}. Pass data=… or run `cslib sample`."
    raise ParameterError(msg)


def _known(given: Iterable[str], choices: Collection[str], where: str) -> None:
    for key in given:
        refuse_unknown(key, choices, f"{where} has the unknown name {key!r}.", error=DataError)


def _toml(path: Path) -> Config:
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except IsADirectoryError as error:
        msg = f"{path.name} is a folder. Make it a text file, or name the folder otherwise."
        raise DataError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path.name} cannot be read as TOML: {error}. Mend that line, and save it as UTF-8."
        raise DataError(msg) from error
    _check_types(raw, TOP | dict.fromkeys(CONTRACT, NAMED), path.name)
    given: dict[str, Any] = {k: raw[k] if TOP[k] in (NAMED, SHARE) else str(raw[k]) for k in TOP if k in raw}
    zone = known_zone(given.pop("timezone", "UTC"))
    tables = {n: _options(n, raw[n], f"[{n}] of {path.name}") for n in CONTRACT if n in raw}
    label = path.resolve().parent.name if path.name == "cslib.toml" else path.name
    source = expanded(given.pop("source", "."))
    source = source if (path.parent / source).is_dir() else _address(source)
    return Config(label=label, folder=path.parent, tables=tables, source=source, timezone=zone, **given)


def expanded(source: str, *, own: bool = False) -> str:
    """Fill in the variables of a connection URL, or the one that holds it: it goes where its author wants.

    Raises
    ------
    DataError
        A variable is not set, or not one that data may read, if they are not our ``own``.
    """

    def value(match: re.Match[str]) -> str:
        name, allowed = match[1] or match[2], os.environ.get(VARIABLES, "").split(",")
        msg = (
            f"The source names the variable {name}, which data may not read. Call it {PREFIX}{name}, or, if you trust "
        )
        DataError.when(not (own or name.startswith(PREFIX) or name in allowed), f"{msg}them, name it in {VARIABLES}.")
        DataError.when(name not in os.environ, f"The source names the variable {name}, which is not set. Set it first.")
        return os.environ[name]

    whole = VARIABLE.fullmatch(source) is not None
    url = VARIABLE.sub(value, source) if whole or "://" in source else source
    msg = f"The variable {source} holds no connection URL, such as postgresql://…, which a source may be."
    DataError.when(whole and "://" not in url, msg)
    return url


def _check_types(raw: Mapping[str, Any], wanted: Mapping[str, str], where: str) -> None:
    _known(raw, wanted, where)
    for key, value in raw.items():
        example, fits = FITTING[wanted[key]]
        if not fits(value):
            example = example.format(key=key)
            if wanted[key] == TEXTS and isinstance(value, str):
                example = f'{key} = ["{value}"]'
            msg = f"{where}: {key} is {value!r}. It takes {wanted[key]}: {example}."
            raise DataError(msg)


def _refuse_twins(raw: Mapping[str, Any], where: str) -> None:
    """Refuse names that only case or blanks tell apart, as nothing else here does, and words that mean two things."""
    named = {key: raw[key] for key in ("columns", "values", "labels") if key in raw}
    named |= {f"labels of {column}": words for column, words in raw.get("labels", {}).items()}
    for key, entries in named.items():
        first: dict[str, str] = {}
        for name, value in entries.items():
            twin = first.setdefault(name.strip().lower(), name)
            msg = f"{where}: {key} has both {twin!r} and {name!r}, which are the same whatever their case. Keep one."
            DataError.when(twin != name and not (key.startswith("labels of") and entries[twin] == value), msg)
    yes, no = ({w.strip().lower() for w in raw.get(key, ())} for key in ("true_values", "false_values"))
    both = sorted(yes & no)
    DataError.when(
        both, f"{where}: true_values and false_values both have {', '.join(both)}. Leave it out of one of them."
    )


def _options(name: str, raw: Mapping[str, Any], where: str) -> TableOptions:
    _check_types(raw, SECTION, where)
    _refuse_twins(raw, where)
    raw = with_preset(name, raw, where)
    if "table" in raw and "query" in raw:
        msg = f"{where} has both table and query. Keep one."
        raise DataError(msg)
    for key in ("table", "query"):
        if not raw.get(key, "x").strip():
            msg = f"{where}: {key} is empty. Fill it in, or leave the line out."
            raise DataError(msg)
    known = [c for c in raw.get("numbers", ()) if c in CONTRACT[name] or c in TENURE]
    if known:
        msg = f"{where}: numbers names {known[0]!r}, whose type the contract knows. Leave it out."
        raise DataError(msg)
    for key, (first, other) in CHOICES.items():
        if raw.get(key, first) not in (first, other):
            msg = f"{where}: {key} is {raw[key]!r}. Choose {first!r} or {other!r}."
            raise DataError(msg)
    for key, (tables, why) in OF_SOME.items():
        DataError.when(key in raw and name not in tables, f"{where}: {key} is for {listed(tables)}, {why}")
    plain = {k: raw[k] for k in SECTION if k in raw and k not in (*READ, "segments", "preset")}
    given: dict[str, Any] = {k: tuple(raw[k]) if k in LISTS else raw[k] for k in READ if k in raw}
    reading = Reading(**given)
    return TableOptions(**plain, segments=tuple(raw.get("segments", ())), reading=reading)


def stem(path: Path) -> str:
    """Name of a file without its ending: the table it holds."""
    name = path.name
    return next((name.removesuffix(s) for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), name)
