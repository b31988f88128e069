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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.common.exceptions import IbisError, TableNotFound
from sqlglot.errors import SqlglotError

from cslib.config import SUFFIXES, Config, TableOptions, stem
from cslib.contract import CONTRACT, NUMBER, filled
from cslib.errors import DataError, did_you_mean

__all__ = ["ENGINE_ERRORS", "ROW", "Raw", "open_tables"]

ENGINE_ERRORS: Final = (IbisError, TableNotFound, duckdb.Error, SqlglotError, pa.ArrowException)
ROW: Final = "__row"
ID_LIKE: Final = r"^[+-]?0\d|\d{16}"


@dataclass(frozen=True)
class Raw:
    """A table as the source has it; ``rejects`` are lines of a text file that are no rows at all."""

    table: ir.Table
    rejects: pd.DataFrame


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


def _files(config: Config) -> dict[str, Path]:
    if not config.source or "://" in config.source:
        return {}
    folder = config.folder / config.source
    if not folder.is_dir():
        msg = f"source {config.source!r} of {config.label} is not a folder. Correct it in cslib.toml."
        raise DataError(msg)
    files: dict[str, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIXES)):
        if stem(path) in files and stem(path) in CONTRACT:
            msg = f"Both {files[stem(path)].name} and {path.name} are there. Keep one of them."
            raise DataError(msg)
        files[stem(path)] = path
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
    for name_, path in files.items():
        if re.search(rf"\b{re.escape(name_)}\b", options.query):
            raw = _file(con, path, options.encoding).table
            con.create_view(name_, _numbers_as_numbers(raw), overwrite=True)
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
