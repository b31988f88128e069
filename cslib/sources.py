"""Where raw tables come from: a folder, a ``cslib.toml``, a connection URL, or Python objects.

Text files are read as text, every column of them, and typed later by contract, so that an id such as
``00123`` never meets a type guesser.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.common.exceptions import IbisError, TableNotFound
from sqlglot.errors import SqlglotError

from cslib.contract import CONTRACT, NUMBER, Reading, filled
from cslib.errors import DataError, did_you_mean

__all__ = ["ENGINE_ERRORS", "ROW", "Config", "Raw", "TableOptions", "open_tables", "read_config"]

ENGINE_ERRORS: Final = (IbisError, TableNotFound, duckdb.Error, SqlglotError, pa.ArrowException)
ROW: Final = "__row"
ID_LIKE: Final = r"^[+-]?0\d|\d{16}"
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


@dataclass(frozen=True)
class Raw:
    """A table as the source has it; ``rejects`` are lines of a text file that are no rows at all."""

    table: ir.Table
    rejects: pd.DataFrame


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
    _known([_stem(path)], CONTRACT, f"the file name {path.name!r}")
    return Config(label=path.name, folder=path.parent, source="", tables={_stem(path): TableOptions(table=path)})


def open_tables(config: Config) -> tuple[ibis.BaseBackend, dict[str, Raw]]:
    """Open every table of a data set, raw.

    Returns
    -------
    connection, tables
        The Ibis backend and the raw tables by name of the contract.

    Raises
    ------
    DataError
        A file is missing, empty, in another encoding; a query fails; a connection cannot be made.
    """
    con = _connect(config)
    files = _files(config)
    if "://" in config.source:
        there = set(con.list_tables())
        found = {n: TableOptions(table=n) for n in CONTRACT if n in there}
    else:
        found = {n: TableOptions(table=n) for n in CONTRACT if n in files}
    tables = {**found, **config.tables}
    if not tables:
        msg = (
            f"{config.label!r} holds none of the tables {', '.join(CONTRACT)}. Name the files so "
            "(customers.csv, orders.parquet …) or map them in a cslib.toml."
        )
        raise DataError(msg)
    return con, {name: _raw(con, name, tables[name], files) for name in CONTRACT if name in tables}


def _nearest_data() -> Path:
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "data").is_dir():
            return folder / "data"
    msg = f"No data given, and no folder 'data' at or above {here.name!r}. Pass data=… or run `cslib sample`."
    raise DataError(msg)


def _known(given: Any, choices: Any, where: str) -> None:
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


def _connect(config: Config) -> ibis.BaseBackend:
    bound = [t.table for t in config.tables.values() if isinstance(t.table, ir.Table)]
    backends = {id(b): b for b in map(ibis.get_backend, bound)}
    if len(backends) > 1:
        names = ", ".join(sorted(b.name for b in backends.values()))
        msg = f"The Ibis tables live in {len(backends)} connections ({names}). Bring them into one."
        raise DataError(msg)
    con = next(iter(backends.values())) if backends else _new_connection(config)
    if con.name == "duckdb":
        con.raw_sql("SET TimeZone = 'UTC'")
    elif con.name == "postgres":
        con.raw_sql("SET TIME ZONE 'UTC'").close()
    return con


def _new_connection(config: Config) -> ibis.BaseBackend:
    if "://" not in config.source:
        spill = Path(tempfile.gettempdir()) / f"cslib-duckdb-{os.getpid()}"
        return ibis.duckdb.connect(temp_directory=str(spill), autoinstall_known_extensions=False)
    kind = config.source.split("://")[0]
    try:
        return ibis.connect(os.path.expandvars(config.source))
    except (*ENGINE_ERRORS, ImportError, OSError, ValueError) as error:
        msg = (
            f"Cannot connect to the {kind} source ({type(error).__name__}). Check the URL, the network and the "
            f"credentials in the environment, and that the extra is installed: pip install 'cslib[{kind}]'."
        )
        raise DataError(msg) from error


def _stem(path: Path) -> str:
    name = path.name
    return next((name.removesuffix(s) for s in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(s)), name)


def _files(config: Config) -> dict[str, Path]:
    if not config.source or "://" in config.source:
        return {}
    folder = config.folder / config.source
    if not folder.is_dir():
        msg = f"source {config.source!r} of {config.label} is not a folder. Correct it in cslib.toml."
        raise DataError(msg)
    files: dict[str, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIXES)):
        if _stem(path) in files and _stem(path) in CONTRACT:
            msg = f"Both {files[_stem(path)].name} and {path.name} are there. Keep one of them."
            raise DataError(msg)
        files[_stem(path)] = path
    return files


def _raw(con: ibis.BaseBackend, name: str, options: TableOptions, files: Mapping[str, Path]) -> Raw:
    none = pd.DataFrame(columns=["line", "text"])
    if options.query:
        return Raw(_query(con, name, options, files), none)
    if isinstance(options.table, ir.Table):
        return Raw(options.table, none)
    if isinstance(options.table, pd.DataFrame):
        return Raw(_frame(options.table), none)
    path = _path(name, options, files)
    if path is None:
        return Raw(_named(con, name, str(options.table or name)), none)
    return _file(con, path, options.encoding)


def _path(name: str, options: TableOptions, files: Mapping[str, Path]) -> Path | None:
    wanted = options.table or name
    if isinstance(wanted, Path):
        return wanted
    by_name = {p.name: p for p in files.values()} | dict(files)
    if wanted in by_name:
        return by_name[wanted]
    if files or str(wanted).endswith(SUFFIXES):
        path = Path(wanted)
        if path.exists():
            return path
        msg = f"The file {wanted!r} of table {name} is not there. {did_you_mean(str(wanted), by_name)}"
        raise DataError(msg)
    return None


def _named(con: ibis.BaseBackend, name: str, wanted: str) -> ir.Table:
    try:
        return con.table(wanted)
    except ENGINE_ERRORS as error:
        msg = f"The source has no table {wanted!r} for {name}. {did_you_mean(wanted, con.list_tables())}"
        raise DataError(msg) from error


def _file(con: ibis.BaseBackend, path: Path, encoding: str) -> Raw:
    if not path.is_file():
        msg = f"The file {path.name!r} is not there. Check the path."
        raise DataError(msg)
    if path.stat().st_size == 0:
        msg = f"{path.name} is an empty file. Export it again, with a header line and rows."
        raise DataError(msg)
    local = con if con.name == "duckdb" else ibis.duckdb.connect()
    try:
        raw = _parquet(local, path) if path.suffix == ".parquet" else _csv(local, path, encoding)
    except (*ENGINE_ERRORS, OSError) as error:
        msg = f"{path.name} cannot be read: {str(error).splitlines()[0]}. Export it again."
        raise DataError(msg) from error
    if local is con:
        return raw
    return Raw(ibis.memtable(raw.table.to_pyarrow()), raw.rejects)


def _parquet(con: ibis.BaseBackend, path: Path) -> Raw:
    return Raw(con.read_parquet(path), pd.DataFrame(columns=["line", "text"]))


def _csv(con: ibis.BaseBackend, path: Path, encoding: str) -> Raw:
    names, delimiter = _header(path, encoding)
    unique = ibis.util.gen_name("cslib")
    options: dict[str, Any] = {
        "auto_detect": False,
        "header": True,
        "columns": dict.fromkeys(names, "VARCHAR"),
        "delim": delimiter,
        "quote": '"',
        "escape": '"',
        "encoding": encoding,
        "store_rejects": True,
        "rejects_table": f"{unique}_rejects",
        "rejects_scan": f"{unique}_scans",
        "rejects_limit": 0,
    }
    try:
        table = _materialised(con, unique, con.read_csv(path, **options))
    except duckdb.InvalidInputException:  # lines end in different ways, which the strict reader does not take
        alike = _with_one_line_end(path, encoding)
        table = _materialised(con, unique, con.read_csv(alike, **options | {"encoding": "utf-8"}))
        alike.unlink()
    rejects = con.sql(f"SELECT line, csv_line AS text, error_type FROM {unique}_rejects").execute()
    _check_encoding(path, rejects)
    lines = rejects.drop_duplicates("line")[["line", "text"]]
    return Raw(table, lines.assign(text=lines["text"].str.strip()))


def _materialised(con: ibis.BaseBackend, name: str, text: ir.Table) -> ir.Table:
    return con.create_table(name, text.mutate(**{ROW: ibis.row_number() + 1}), temp=True, overwrite=True)


def _with_one_line_end(path: Path, encoding: str) -> Path:
    handle, name = tempfile.mkstemp(suffix=".csv")
    with _text(path, encoding) as old, open(handle, "w", encoding="utf-8", newline="\n") as new:
        new.writelines(old)
    return Path(name)


def _text(path: Path, encoding: str) -> IO[str]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    plain = "utf-8-sig" if encoding == "utf-8" else encoding
    return opener(path, "rt", encoding=plain, errors="replace")


def _check_encoding(path: Path, rejects: pd.DataFrame) -> None:
    bad = rejects.loc[rejects["error_type"] == "INVALID ENCODING", "line"]
    if len(bad):
        msg = (
            f"{path.name} is not UTF-8 text (first in line {bad.min()}). Save it as UTF-8, or set "
            'encoding = "latin-1" in its section of cslib.toml.'
        )
        raise DataError(msg)


def _header(path: Path, encoding: str) -> tuple[list[str], str]:
    try:
        with _text(path, encoding) as file:
            start = file.readline()
    except LookupError as error:
        msg = f"encoding {encoding!r} is unknown. Use 'utf-8', 'latin-1' or 'utf-16'."
        raise DataError(msg) from error
    if "\ufffd" in start:
        msg = (
            f"The header of {path.name} is not UTF-8 text. Save the file as UTF-8, or set "
            'encoding = "latin-1" in its section of cslib.toml.'
        )
        raise DataError(msg)
    if "\x00" in start:
        msg = f"{path.name} is no text file. Export it again as CSV, or name a Parquet file .parquet."
        raise DataError(msg)
    delimiter = max(",;\t|", key=start.count)
    names = [n.strip() or f"column_{i + 1}" for i, n in enumerate(next(csv.reader([start], delimiter=delimiter)))]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        msg = f"{path.name} has the column {twice[0]!r} twice in its header. Rename one of them."
        raise DataError(msg)
    return names, delimiter


def _frame(frame: pd.DataFrame) -> ir.Table:
    plain = frame.copy(deep=False)
    plain.columns = [str(c) for c in plain.columns]
    for name, column in plain.items():
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if isinstance(column.dtype, pd.CategoricalDtype):
            plain[name] = column.astype(object)
        elif column.dtype == object and (kind.startswith("mixed") or kind in ("integer", "floating")):
            plain[name] = column.map(_plain_text, na_action="ignore")
    return ibis.memtable(plain.assign(**{ROW: range(1, len(plain) + 1)}))


def _plain_text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _query(con: ibis.BaseBackend, name: str, options: TableOptions, files: Mapping[str, Path]) -> ir.Table:
    for stem, path in files.items():
        if re.search(rf"\b{re.escape(stem)}\b", options.query):
            raw = _file(con, path, options.encoding).table
            con.create_view(stem, _numbers_as_numbers(raw), overwrite=True)
    try:
        return con.sql(options.query)
    except ENGINE_ERRORS as error:
        msg = f"The query of [{name}] fails: {str(error).splitlines()[0]}. Correct it in cslib.toml."
        raise DataError(msg) from error


def _numbers_as_numbers(raw: ir.Table) -> ir.Table:
    """Give a query numbers where every value is one and none looks like an id (00123, or 16 digits)."""
    texts = [c for c in raw.columns if raw[c].type().is_string()]
    if not texts:
        return raw.drop(ROW) if ROW in raw.columns else raw
    odd = raw.aggregate(
        **{
            c: (~filled(raw[c]).re_search(NUMBER) | filled(raw[c]).re_search(ID_LIKE)).any().fill_null(True)
            for c in texts
        }
    ).execute()
    numbers = {c: filled(raw[c]).cast("float64") for c in texts if not odd[c].iloc[0]}
    return raw.mutate(**numbers).drop(ROW)
