"""What a data set declares of itself: read from ``cslib.toml``, a path, a URL or a mapping."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import ibis.expr.types as ir
import pandas as pd

from cslib.contract import CONTRACT, Reading
from cslib.errors import DataError, did_you_mean

__all__ = ["SUFFIXES", "Config", "TableLike", "TableOptions", "read_config", "stem"]

SUFFIXES: Final = (".csv", ".tsv", ".csv.gz", ".parquet")
TableLike: TypeAlias = pd.DataFrame | ir.Table | str | Path


@dataclass(frozen=True)
class TableOptions:
    """One table's section of ``cslib.toml``."""

    table: Any = ""
    query: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    on_fault: str = "stop"
    encoding: str = "utf-8"
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True)
class Config:
    """What a data set declares of itself; ``label`` is its name in reports."""

    label: str
    source: str = "."
    folder: Path = Path()
    as_of: str = ""
    observed_from: str = ""
    currency: str = ""
    targets: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, TableOptions] = field(default_factory=dict)


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
        Nothing is there, or the TOML has an unknown key or an unreadable value.
    """
    if isinstance(data, Mapping):
        _known(data, CONTRACT, "the mapping")
        return Config(label="in memory", tables={n: TableOptions(table=t) for n, t in data.items()})
    if "://" in str(data):
        return Config(label=str(data).split("://")[0], source=str(data))
    path = Path(data) if str(data) else _nearest_data()
    if not path.exists():
        msg = f"data {str(data)!r} is not there. Name a folder, a cslib.toml, a CSV or Parquet file, or a URL."
        raise DataError(msg)
    if path.is_dir():
        toml = path / "cslib.toml"
        return _toml(toml) if toml.exists() else Config(label=path.resolve().name, folder=path)
    if path.suffix == ".toml":
        return _toml(path)
    _known([stem(path)], CONTRACT, f"the file name {path.name!r}")
    return Config(label=path.name, folder=path.parent, source="", tables={stem(path): TableOptions(table=path)})


def _nearest_data() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "data").is_dir():
            return folder / "data"
    msg = f"No data given, and no folder 'data' at or above {here.name!r}. Pass data=… or run `cslib sample`."
    raise DataError(msg)


def _known(given: Iterable[str], choices: Iterable[str], where: str) -> None:
    for key in given:
        if key not in choices:
            msg = f"{where} has the unknown name {key!r}. {did_you_mean(str(key), choices)}"
            raise DataError(msg)


def _toml(path: Path) -> Config:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path.name} cannot be read as TOML: {error}. Mend that line."
        raise DataError(msg) from error
    top = ("source", "as_of", "observed_from", "currency", "targets")
    _known(raw, (*top, *CONTRACT), path.name)
    given: dict[str, Any] = {k: raw[k] if k == "targets" else str(raw[k]) for k in top if k in raw}
    tables = {n: _options(raw[n], f"[{n}] of {path.name}") for n in CONTRACT if n in raw}
    label = path.resolve().parent.name if path.name == "cslib.toml" else path.name
    source = os.path.expandvars(given.pop("source", "."))
    return Config(label=label, folder=path.parent, tables=tables, source=source, **given)


def _options(raw: Mapping[str, Any], where: str) -> TableOptions:
    plain = ("table", "query", "on_fault", "encoding", "columns")
    lists = ("true_values", "false_values", "numbers")
    _known(raw, (*plain, *lists, "date_format", "segments"), where)
    if "table" in raw and "query" in raw:
        msg = f"{where} has both table and query. Keep one."
        raise DataError(msg)
    options = TableOptions(
        **{k: raw[k] for k in plain if k in raw},
        segments=tuple(raw.get("segments", ())),
        reading=Reading(date_format=raw.get("date_format", ""), **{k: tuple(map(str, raw.get(k, ()))) for k in lists}),
    )
    if options.on_fault not in ("stop", "set_aside"):
        msg = f"{where}: on_fault is {options.on_fault!r}. Choose 'stop' or 'set_aside'."
        raise DataError(msg)
    return options


def stem(path: Path) -> str:
    """Name of a file without its ending: the table it holds."""
    name = path.name
    return next((name.removesuffix(s) for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), name)
