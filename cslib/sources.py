"""Where raw tables come from: a folder, a ``cslib.toml``, a connection URL, or Python objects.

Nothing is typed here: a text column stays text until the contract is known. Only a query gets numbers.
"""

from __future__ import annotations

import csv
import math
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import sqlglot
from ibis.common.exceptions import IbisError, TableNotFound
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cslib.config import SUFFIXES, Config, TableOptions, stem
from cslib.contract import CONTRACT, ROW
from cslib.errors import CslibError, DataError, did_you_mean
from cslib.textfiles import Raw, column_names, literal, no_lines, read_text

__all__ = ["mapped", "open_tables", "reading", "session_zone"]

ENGINE_ERRORS: Final = (IbisError, TableNotFound, duckdb.Error, SqlglotError, pa.ArrowException)
FILE_ERRORS: Final = (OSError, EOFError, zlib.error, csv.Error)
VALUE_ERRORS: Final = (ValueError, TypeError, ArithmeticError, AttributeError, NotImplementedError)
INTEGER: Final = r"^(0|-?[1-9]\d{0,14})$"
DECIMAL: Final = r"^-?(0|[1-9]\d*)\.\d+$"
PLAIN: Final = ("string", "date", "boolean", "empty")


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what an engine, a file or a value throws into a :class:`~cslib.errors.DataError` about ``name``."""
    try:
        yield
    except CslibError:
        raise
    except (*ENGINE_ERRORS, *FILE_ERRORS, *VALUE_ERRORS) as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        msg = f"{name} cannot be read: {cause.rstrip('.')}. Correct it at the source."
        raise DataError(msg) from error


def open_tables(config: Config) -> tuple[ibis.BaseBackend, dict[str, Raw], dict[str, str]]:
    """Open every table of a data set, raw.

    Returns
    -------
    connection, tables, failures
        The Ibis backend, the raw tables by name of the contract, and the messages of those that cannot
        be opened: a file is missing, empty or in another encoding, or a query fails.

    Raises
    ------
    DataError
        A connection cannot be made, or there is no table at all.
    """
    con = _connect(config)
    files = _files(config)
    there = set(con.list_tables()) if "://" in config.source else set(files)
    tables = {n: TableOptions(table=n) for n in CONTRACT if n in there} | dict(config.tables)
    if not tables:
        msg = (
            f"{config.label!r} holds none of the tables {', '.join(CONTRACT)}. Name the files so "
            "(customers.csv, orders.parquet …) or map them in a cslib.toml."
        )
        raise DataError(msg)
    raws, failures = {}, {}
    for name in [n for n in CONTRACT if n in tables]:
        try:
            with reading(name):
                raws[name] = _raw(con, name, tables[name], files, config.folder / config.source)
        except DataError as error:
            failures[name] = str(error)
    return con, raws, failures


def _connect(config: Config) -> ibis.BaseBackend:
    bound = [t.table for t in config.tables.values() if isinstance(t.table, ir.Table)]
    with reading("The mapping"):
        backends = {id(b): b for b in (t.get_backend() for t in bound)}
    if len(backends) > 1:
        names = ", ".join(sorted(b.name for b in backends.values()))
        msg = f"The Ibis tables live in {len(backends)} connections ({names}). Bring them into one."
        raise DataError(msg)
    return next(iter(backends.values())) if backends else _new_connection(config)


def session_zone(con: ibis.BaseBackend) -> str:
    """Return the time zone in which a connection reads and casts times with a zone."""
    asked = {"duckdb": "SELECT current_setting('TimeZone') AS z", "postgres": "SELECT current_setting('TimeZone') AS z"}
    return str(con.sql(asked[con.name]).execute()["z"].iloc[0]) if con.name in asked else "UTC"


def _new_connection(config: Config) -> ibis.BaseBackend:
    if "://" not in config.source:
        spill = Path(tempfile.gettempdir()) / f"cslib-duckdb-{os.getpid()}"
        con = ibis.duckdb.connect(temp_directory=str(spill), autoinstall_known_extensions=False)
        con.raw_sql("SET TimeZone = 'UTC'")
        return con
    kind = config.source.split("://")[0]
    try:
        con = ibis.connect(os.path.expandvars(config.source))
        if con.name == "duckdb":
            con.raw_sql("SET TimeZone = 'UTC'")
        elif con.name == "postgres":
            con.raw_sql("SET TIME ZONE 'UTC'").close()
    except (*ENGINE_ERRORS, ImportError, OSError, ValueError) as error:
        msg = (
            f"Cannot connect to the {kind} source ({type(error).__name__}). Check the URL, the network and the "
            f"credentials in the environment, and that the extra is installed: pip install 'cslib[{kind}]'."
        )
        raise DataError(msg) from error
    return con


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


def _raw(con: ibis.BaseBackend, name: str, options: TableOptions, files: Mapping[str, Path], base: Path) -> Raw:
    if options.query:
        return _query(con, name, options, files)
    if isinstance(options.table, ir.Table):
        return Raw(options.table)
    if isinstance(options.table, pd.DataFrame):
        return Raw(_frame(name, options.table))
    path = _path(name, options, files, base)
    return Raw(_named(con, name, str(options.table or name))) if path is None else _file(con, path, options.encoding)


def _path(name: str, options: TableOptions, files: Mapping[str, Path], base: Path) -> Path | None:
    wanted = options.table or name
    if isinstance(wanted, Path):
        return wanted
    by_name = {p.name: p for p in files.values()} | dict(files)
    if wanted in by_name:
        return by_name[wanted]
    if not files and not wanted.endswith(SUFFIXES):
        return None
    if (base / wanted).is_file():
        return base / wanted
    msg = f"The file {wanted!r} of table {name} is not there. {did_you_mean(wanted, by_name)}"
    raise DataError(msg)


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
    with reading(path.name):
        if path.suffix == ".parquet":
            raw = Raw(local.read_parquet(literal(path), hive_partitioning=False))
        else:
            raw = read_text(local, path, encoding)
        return raw if local is con else Raw(ibis.memtable(raw.table.to_pyarrow()), raw.rejects)


def _frame(name: str, frame: pd.DataFrame) -> ir.Table:
    names = column_names(frame.columns, name)
    columns = {n: _plain_column(frame.iloc[:, i]) for i, n in enumerate(names)}
    plain = pd.DataFrame(columns, index=frame.index).reset_index(drop=True)
    return ibis.memtable(plain.assign(**{ROW: range(1, len(plain) + 1)}))


def _plain_column(column: Any) -> Any:
    """Give a column a type that every engine knows; what has none becomes text."""
    kind = column.dtype
    if isinstance(kind, pd.SparseDtype):
        return column.sparse.to_dense()
    if isinstance(kind, pd.PeriodDtype):
        return column.dt.start_time.dt.as_unit("us")
    if pd.api.types.is_datetime64_any_dtype(kind) and not isinstance(kind, pd.ArrowDtype):
        return column.dt.as_unit("us")
    if kind == "float16":
        return column.astype("float32")
    arrow = isinstance(kind, pd.ArrowDtype)
    if "binary" not in str(kind) if arrow else kind.kind in "biuf" or isinstance(kind, pd.StringDtype):
        return column
    values = column.astype(object)
    known = pd.api.types.infer_dtype(values, skipna=True) in PLAIN
    return values if known else values.map(_plain_text, na_action="ignore")


def _plain_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, (float, Decimal)) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return str(value)


def _query(con: ibis.BaseBackend, name: str, options: TableOptions, files: Mapping[str, Path]) -> Raw:
    """Run a query over the files it names; their broken lines are the table's."""
    stems = {s.lower(): s for s in files}
    rejects = []
    try:
        statements = [s for s in sqlglot.parse(options.query, dialect=con.dialect) if s]
        if len(statements) != 1 or not isinstance(statements[0], exp.Query):
            msg = f"The query of [{name}] must be one SELECT. Correct it in cslib.toml."
            raise DataError(msg)
        for table in {t.name.lower() for t in statements[0].find_all(exp.Table)} & stems.keys():
            raw = _file(con, files[stems[table]], options.encoding)
            con.create_view(stems[table], _numbers_as_numbers(raw.table), overwrite=True)
            rejects.append(raw.rejects)
        return Raw(
            con.sql(options.query.rstrip().rstrip(";")),
            pd.concat([no_lines(), *rejects], ignore_index=True).astype({"line": "int64"}),
        )
    except ENGINE_ERRORS as error:
        msg = f"The query of [{name}] fails: {str(error).splitlines()[0]}. Correct it in cslib.toml."
        raise DataError(msg) from error


def _numbers_as_numbers(raw: ir.Table) -> ir.Table:
    """Give a query numbers to reckon with, never at the cost of an id.

    A text column becomes whole numbers where every value is one, and decimals where every value is a
    whole or decimal number; a blank, a sign ``+``, an exponent, a leading zero or more than 15 digits
    in any value keeps the column text. So ``1E5``, ``00123`` and `` 12`` stay what they are; only
    ``12.10`` and ``12.1`` are one number, as prices are: ids of that form want a cast at the source.
    """
    texts = [c for c in raw.columns if raw[c].type().is_string()]
    plain = raw.drop(ROW) if ROW in raw.columns else raw
    if not texts:
        return plain
    whole = {c: raw[c].re_search(INTEGER) for c in texts}
    decimal = {c: (whole[c] | raw[c].re_search(DECIMAL)) & (raw[c].length() <= 16) for c in texts}
    row = (
        raw.aggregate(
            **{f"i{i}": whole[c].all().fill_null(False) for i, c in enumerate(texts)},
            **{f"d{i}": decimal[c].all().fill_null(False) for i, c in enumerate(texts)},
        )
        .execute()
        .iloc[0]
    )
    types = {c: "int64" if row[f"i{i}"] else "float64" for i, c in enumerate(texts) if row[f"d{i}"]}
    return plain.mutate(**{c: plain[c].cast(t) for c, t in types.items()})


def mapped(name: str, table: ir.Table, columns: Mapping[str, str], notes: list[str]) -> ir.Table:
    """Rename columns; a mapped one wins over one of the source with that name, which is told in ``notes``.

    Raises
    ------
    DataError
        Two columns are left with one name, but for case.
    """
    named = {k: v for k, v in columns.items() if v in table.columns}
    own = [c for c in table.columns if c not in named.values()]
    taken = {k.lower() for k in named}
    rest = [c for c in own if c.lower() not in taken]
    column_names([*named, *rest], name)
    notes += [
        f"{name}: the column {c!r} of the source is left out, as columns maps another to its name."
        for c in own
        if c not in rest
    ]
    return table.select(**{k: table[v] for k, v in named.items()}, **{c: table[c] for c in rest}) if named else table
