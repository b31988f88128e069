"""Where raw tables come from: a folder, a ``cslib.toml``, a connection URL, or Python objects.

Nothing is typed here: a text column stays text until the contract is known. Only a query gets numbers.
"""

from __future__ import annotations

import atexit
import codecs
import csv
import gzip
import math
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import sqlglot
from sqlglot import exp

from cslib.data import engine
from cslib.data.config import SUFFIXES, Config, TableOptions, expanded, stem
from cslib.data.contract import CONTRACT, ROW, TENURE, plain_name
from cslib.data.engine import MANY
from cslib.data.limit import FOLDERS, Limit
from cslib.data.texts import sign_of_thousands
from cslib.errors import CslibError, DataError, did_you_mean

NATIVE: Final = {"utf-8": "utf-8", "iso8859-1": "latin-1"}  # the encodings that DuckDB reads by itself
LONGEST: Final = 1_000_000
DELIMITERS: Final = ",;\t|"
SAID: Final = re.compile(r"(?i)^\W?sep=(.)\s*$")  # what Excel writes above a table
TITLES: Final = 20  # lines at the beginning, in which the header is
FIELDS: Final = 6  # of which so many tell a title by its fields
FIGURE: Final = re.compile(r"\d")
FIGURES: Final = re.compile(r"[\d./: -]*\d[\d./: -]*")  # a number or a date, and nothing else
MAGIC: Final = {
    b"\x1f\x8b": "is compressed. Name it .csv.gz",
    b"PAR1": "is Parquet. Name it .parquet",
    b"PK\x03\x04": "is a workbook or a zip archive. Export it as CSV",
    **dict.fromkeys((b"\xff\xfe", b"\xfe\xff"), 'is UTF-16 text. Save it as UTF-8, or set encoding = "utf-16"'),
}
FILE_ERRORS: Final = (OSError, EOFError, zlib.error, csv.Error)
VALUE_ERRORS: Final = (ValueError, TypeError, ArithmeticError, AttributeError, NotImplementedError)
INTEGER: Final = r"^(0|-?[1-9]\d{0,14})$"
DECIMAL: Final = r"^-?(0|[1-9]\d*)\.\d+$"
NUMBERS: Final = {0: "int64", 1: "float64"}
PLAIN: Final = ("string", "date", "boolean", "empty")


SERIES: Final = ("generate_series", "generateseries", "exploding_generate_series")
TABLE_FUNCTIONS: Final = (*SERIES, "unnest", "range", "explode")
CLOSED: Final = ("information_schema", "pg_catalog", "system", "temp")
CATALOGUE: Final = re.compile(r"(?i)(pg_|duckdb_|sqlite_)")  # what begins so is no table of the data
TELLING: Final = re.compile(  # nor may a function be called that begins so: it reaches beyond them, sets or runs a text
    r"(?i)(pg_|lo_|duckdb_|sqlite_|dblink|read_|getenv|current_setting|set_config|setval|nextval|load_|copy|system|xp_|"
    r"inet_|has_\w+_privilege|(query|table|cursor|schema|database)_to_|ts_stat|ts_rewrite|crosstab|connectby|xpath_table)"
)


def no_lines() -> pd.DataFrame:
    """Return rejects of a table that has none."""
    return pd.DataFrame({"line": [], "text": [], "n_lines": []}).astype({"line": "int64", "text": "object"})


@dataclass(frozen=True)
class Raw:
    """A table as the source has it.

    ``rejects`` are lines of a text file that are no rows at all; ``unclear`` are columns of the files of a query whose
    numbers are all written like 1.234, which may be 1234.
    """

    table: ir.Table
    rejects: pd.DataFrame = field(default_factory=no_lines)
    unclear: frozenset[str] = frozenset()


def literal(path: Path) -> str:
    """Return the path as DuckDB must be given it: it takes ``*``, ``?`` and ``[`` for patterns."""
    return re.sub(r"([\[*?])", r"[\1]", str(path.absolute()))


def _encoding(name: str) -> str:
    try:
        "".encode(name)  # refuses what is a codec but not of text
        return codecs.lookup(name).name.removesuffix("-sig")
    except LookupError as error:
        msg = f"encoding {name!r} is unknown. Use 'utf-8', 'latin-1' or 'utf-16'."
        raise DataError(msg) from error


def read_text(con: ibis.BaseBackend, path: Path, encoding: str) -> Raw:
    """Read a text file into a temporary DuckDB table, every column as text, rows numbered.

    Raises
    ------
    DataError
        It is empty, in another encoding, no text at all, or its header cannot be told.
    """
    encoding = _marked(path) or _encoding(encoding)
    names, delimiter, blank = _header(path, encoding)
    unique = ibis.util.gen_name("cslib")
    options: dict[str, Any] = {
        **{"auto_detect": False, "header": True, "skip": blank, "delim": delimiter, "quote": '"', "escape": '"'},
        **{"columns": dict.fromkeys(names, "VARCHAR"), "hive_partitioning": False, "store_rejects": True},
        **{"rejects_table": f"{unique}_rejects", "rejects_scan": f"{unique}_scans", "rejects_limit": 0},
    }
    table = _text_table(con, unique, path, encoding, options)
    rejects = con.sql(f"SELECT line, csv_line AS text, error_type FROM {unique}_rejects").execute()
    bad = rejects.loc[rejects["error_type"] == "INVALID ENCODING", "line"]
    if len(bad):
        raise _other_encoding(path, encoding, f"first in line {bad.min()}")
    lines = rejects.sort_values("line").drop_duplicates("line")[["line", "text"]]
    lines = lines.assign(text=lines["text"].str.strip())
    return Raw(table, lines.assign(n_lines=_n_lines(lines, path, encoding)))


def _marked(path: Path) -> str:
    """Name the encoding that a file says it has by its first bytes: that of what Excel saves as Unicode text."""
    if path.suffix == ".gz":
        return ""
    with open(path, "rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else ""


def _n_lines(lines: pd.DataFrame, path: Path, encoding: str) -> pd.Series[int]:
    """Lines of the file that each reject stands for: all to its end where a quote is never closed."""
    counts = lines["text"].str.count("\n").add(1).astype("int64")
    endless = (counts > 1) & (lines["text"].str.count('"') % 2 == 1)
    if endless.any():
        with _text(path, encoding, "replace") as file:
            last = sum(1 for _ in file)
        counts = counts.where(~endless, last - lines["line"] + 1)
    return counts


def _text_table(con: ibis.BaseBackend, name: str, path: Path, encoding: str, options: Mapping[str, Any]) -> ir.Table:
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            while file.read(1 << 20):  # to its end, because DuckDB takes a truncated one for a whole
                pass
    if encoding in NATIVE:
        try:
            return _numbered(con, name, literal(path), {**options, "encoding": NATIVE[encoding]})
        except duckdb.InvalidInputException as error:
            if "state machine" not in str(error):
                raise
    alike = _rewritten(path, encoding)  # or else lines end in different ways, which the strict reader does not take
    try:
        return _numbered(con, name, str(alike), {**options, "encoding": "utf-8"})
    finally:
        alike.unlink()


def _numbered(con: Any, name: str, path: str, options: Mapping[str, Any]) -> ir.Table:
    """Make a temporary table of a text file; without Ibis, which takes a moment for each column."""
    given = ", ".join(f"{key} = {_literal(value)}" for key, value in options.items())
    rows = f"SELECT *, ROW_NUMBER() OVER () AS {ROW} FROM read_csv({_literal(path)}, {given})"
    con.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {rows}')
    return engine.temporary(con, name, ibis.schema({**dict.fromkeys(options["columns"], "string"), ROW: "int64"}))


def _literal(value: object) -> str:
    """Write a value for DuckDB."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _rewritten(path: Path, encoding: str) -> Path:
    handle, name = tempfile.mkstemp(suffix=".csv", dir=_spill())
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as new, _text(path, encoding) as old:
            new.writelines(old)
    except UnicodeError as error:
        Path(name).unlink()
        raise _other_encoding(path, encoding, str(error)) from error
    return Path(name)


def _text(path: Path, encoding: str, errors: str = "strict") -> IO[str]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors=errors)


def _other_encoding(path: Path, encoding: str, where: str) -> DataError:
    other = "latin-1" if encoding == "utf-8" else "utf-16-le" if encoding == "utf-16" else "utf-8"
    msg = f"{path.name} is not {encoding.upper()} text ({where}). Save it as UTF-8, or set "
    return DataError(f'{msg}encoding = "{other}" in its section of cslib.toml.')


def _header(path: Path, encoding: str) -> tuple[list[str], str, int]:
    """Column names, delimiter and number of lines above them: blank ones, titles, and what Excel says of signs."""
    blank, start, told = _first_line(path, encoding)
    if "\ufffd" in start:
        raise _other_encoding(path, encoding, "first in its header")
    msg = f"{path.name} is no text file. Export it again as CSV in UTF-8, or name a Parquet file .parquet."
    DataError.when("\x00" in start, msg)
    msg = f"The header of {path.name} has no end. Close its quotes, and put it on one line."
    DataError.when(len(start) == LONGEST or start.count('"') % 2, msg)
    delimiter = told or max(DELIMITERS, key=_outside_quotes(start).count)
    return column_names(next(csv.reader([start], delimiter=delimiter)), path.name), delimiter, blank


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _first_line(path: Path, encoding: str) -> tuple[int, str, str]:
    """Tell how many lines are above the header, give it, and the delimiter if a line above says so."""
    with open(path, "rb") as file:
        magic = file.read(4)
    for mark, what in MAGIC.items():
        msg = f"{path.name} {what}."
        DataError.when(magic.startswith(mark) and path.suffix != ".gz" and not encoding.startswith("utf-16"), msg)
    try:
        with _text(path, encoding, "replace") as lines:
            first = [line for _ in range(TITLES) if (line := lines.readline(LONGEST))]
            while first and len(first) < MANY and not any(line.strip() for line in first):
                first += [line for _ in range(TITLES) if (line := lines.readline(LONGEST))] or [""] * MANY
    except UnicodeError as error:
        raise _other_encoding(path, encoding, str(error)) from error
    DataError.when(
        not any(map(str.strip, first)), f"{path.name} is an empty file. Export it again, with a header line and rows."
    )
    told = next((found[1] for line in first if (found := SAID.match(line))), "")
    rows = [i for i, line in enumerate(first) if line.strip() and not SAID.match(line)]
    texts = [_outside_quotes(first[i]) for i in rows]
    marks = told or DELIMITERS
    raw = [first[i] for i in rows]
    titles = next((n for n in range(len(rows)) if not (_is_title(texts[n:], marks) or _fills(raw[n:], marks))), 0)
    above = rows[titles] if rows else 0
    return above, first[above], told


def _is_title(lines: list[str], marks: str) -> bool:
    """Tell a title by what follows: fields, by another sign, or more of them: names without a figure, then figures."""
    line, *below = lines
    if len(below) < 2:
        return False
    own, other = (max(marks, key=text.count) for text in (line, below[0]))
    if own not in line:
        return any(mark in text for text in below for mark in marks)
    if own != other:
        return other in below[0] and not any(own in text for text in below)
    n = below[0].count(own)
    alike = sum(text.count(own) == n for text in below) * 2 >= len(below)
    return line.count(own) < n and alike and not re.search(r"\d", below[0]) and bool(re.search(r"\d", "".join(below)))


def _fills(lines: list[str], marks: str) -> bool:
    """Tell a title with as many fields as the header: a spreadsheet fills it up with empty ones, or it has a figure."""
    line, *below = lines
    mark = max(marks, key=_outside_quotes(line).count)
    if len(below) < 2 or mark not in line:
        return False
    own, *rest = ([f.strip() for f in next(csv.reader([text], delimiter=mark))] for text in lines[:FIELDS])
    names, *rows = [row for row in rest if sum(map(bool, row)) > 1] or [[]]
    if sum(map(bool, own)) <= 1:
        return bool(names) and not any(map(FIGURES.fullmatch, names))
    named = len(names) == len(own) and all(names) and not any(map(FIGURE.search, names))
    return named and any(map(FIGURES.fullmatch, own)) and any(any(map(FIGURE.search, row)) for row in rows[:1])


def column_names(given: Iterable[object], where: str) -> list[str]:
    """Names of columns, as engines want them: none empty, none twice whatever the case."""
    names = [str(n).strip() or f"column_{i + 1}" for i, n in enumerate(given)]
    seen: dict[str, str] = {}
    for name in names:
        earlier = seen.setdefault(name.lower(), name) if name.lower() in seen else None
        seen[name.lower()] = name
        other = f", also as {earlier!r}" if earlier != name else ""
        msg = f"{where} has the column {name!r} twice{other}. Rename one of them."
        DataError.when(earlier is not None, msg)
    return names


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn what an engine, a file or a value throws into a :class:`~cslib.errors.DataError` about ``name``."""
    try:
        yield
    except CslibError:
        raise
    except engine.errors(*FILE_ERRORS, *VALUE_ERRORS) as error:
        msg = f"{name} cannot be read: {engine.cause(error)}. Correct it at the source."
        raise DataError(msg) from error


def open_tables(config: Config, limit: Limit) -> tuple[ibis.BaseBackend, dict[str, Raw], dict[str, str]]:
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
    con = connect(config)
    files = _files(config)
    there = set(engine.tables(con)) if config.remote else set(files)
    tables = {n: TableOptions(table=n) for n in CONTRACT if n in there} | dict(config.tables)
    msg = f"{config.label!r} holds none of the tables {', '.join(CONTRACT)}. Name the files so "
    msg += "(customers.csv, orders.parquet …) or map them in a cslib.toml."
    DataError.when(not tables, msg)
    raws, failures = {}, {}
    for name in [n for n in CONTRACT if n in tables]:
        try:
            with limit.of(con, name), reading(name):
                raw = _raw(con, name, tables[name], files, config.base)
                raws[name] = replace(raw, table=engine.plain(con, raw.table))
        except DataError as error:
            failures[name] = str(error)
    return con, raws, failures


def connect(config: Config) -> ibis.BaseBackend:
    """Open the engine that a data set is in, or one for its files.

    Raises
    ------
    DataError
        It cannot be reached, or the tables of a mapping live in several.
    """
    bound = [t.table for t in config.tables.values() if isinstance(t.table, ir.Table)]
    with reading("The mapping"):
        backends = {id(b): b for b in (t.get_backend() for t in bound)}
    names = ", ".join(sorted(b.name for b in backends.values()))
    msg = f"The Ibis tables live in {len(backends)} connections ({names}). Bring them into one."
    DataError.when(len(backends) > 1, msg)
    return engine.prepared(next(iter(backends.values())) if backends else _new_connection(config))


def _new_connection(config: Config) -> ibis.BaseBackend:
    queried = any(options.query for options in config.tables.values())
    if not config.remote:
        con = engine.own(temp_directory=str(_spill()), autoinstall_known_extensions=False)
        con.raw_sql("SET TimeZone = 'UTC'")
        return _locked(con, config.folder / config.source) if queried else con
    url = expanded(config.source, own=True) if config.own else config.source
    return _database(url, config, queried=queried) if url.startswith("duckdb://") else engine.connected(url)


@cache
def _spill() -> Path:
    """Make the folder for what does not fit into memory; it goes with us."""
    folder = Path(tempfile.mkdtemp(prefix="cslib-duckdb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _locked(con: Any, *folders: Path) -> Any:
    """Take from DuckDB what the query of somebody else must not have: files elsewhere, the network, settings."""
    given = [str(path.resolve()) for path in (*folders, _spill())]
    con.raw_sql(f"SET allowed_directories = {[*given, *_allowed()]!r}")
    con.raw_sql("SET enable_external_access = false")
    con.raw_sql("SET lock_configuration = true")
    return con


def _allowed() -> list[str]:
    return [os.path.realpath(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]


def _refuse_outside(path: Path, folder: Path, what: str) -> None:
    """Refuse what a data set reads beyond its own folder, wherever a link leads, unless who calls allows it."""
    real, homes = os.path.realpath(path), [os.path.realpath(folder), *_allowed()]
    msg = f"{what} leads out of the folder of the data. Move it there. If you trust these data, name its folder: "
    msg += f"--allow-folder, or {FOLDERS} in the environment."
    DataError.when(not any(os.path.commonpath([real, home]) == home for home in homes), msg)


def _database(url: str, config: Config, *, queried: bool) -> ibis.BaseBackend:
    path = config.folder / url.split("://", 1)[1].split("?")[0]
    msg = f"The database {path.name!r} is not there. Correct the path in the source."
    DataError.when(not path.is_file(), msg)
    if not config.own:
        _refuse_outside(path, config.folder, f"The database {path.name!r}")
    try:
        con = engine.own(path, read_only=True, temp_directory=str(_spill()))
    except duckdb.Error as error:
        msg = f"The database {path.name!r} cannot be opened ({type(error).__name__}). "
        msg += "Close what writes to it, or put a sound copy there."
        raise DataError(msg) from error
    con.raw_sql("SET TimeZone = 'UTC'")
    return _locked(con) if queried else con


def _files(config: Config) -> dict[str, Path]:
    if not config.source or config.remote:
        return {}
    folder = config.folder / config.source
    msg = f"source {config.source!r} of {config.label} is not a folder. Correct it in cslib.toml."
    _refuse_outside(folder, config.folder, f"source {config.source!r}")
    DataError.when(not folder.is_dir(), msg)
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
        return Raw(engine.carried(con, name, _frame(name, options.table)))
    path = _path(name, options, files, base)
    return Raw(_named(con, name, str(options.table or name))) if path is None else _file(con, path, options.encoding)


def _path(name: str, options: TableOptions, files: Mapping[str, Path], base: Path) -> Path | None:
    wanted = options.table or name
    if isinstance(wanted, Path):
        return wanted
    by_name = {p.name: p for p in files.values()} | dict(files)
    if wanted in by_name:
        _refuse_outside(by_name[wanted], base, by_name[wanted].name)
        return by_name[wanted]
    if not files and not wanted.endswith(SUFFIXES):
        return None
    _refuse_outside(base / wanted, base, f"table {wanted!r}")
    if (base / wanted).is_file():
        return base / wanted
    msg = f"The file {wanted!r} of table {name} is not there. {did_you_mean(wanted, by_name)}"
    raise DataError(msg)


def _named(con: ibis.BaseBackend, name: str, wanted: str) -> ir.Table:
    try:
        placed = re.search(r'[."]', wanted) and wanted not in engine.tables(con)
        return _placed(con, wanted) if placed else con.table(wanted)
    except engine.errors() as error:
        msg = f"The source has no table {wanted!r} for {name}. {did_you_mean(wanted, engine.tables(con))}"
        raise DataError(msg) from error


def _placed(con: ibis.BaseBackend, wanted: str) -> ir.Table:
    """Open a table by its schema, ``billing.periods``, or by catalog and schema."""
    table = exp.to_table(wanted, dialect=con.dialect)
    return con.table(table.name, database=(table.catalog, table.db) if table.catalog else table.db)


def _file(con: ibis.BaseBackend, path: Path, encoding: str) -> Raw:
    DataError.when(not path.is_file(), f"The file {path.name!r} is not there. Check the path.")
    msg = f"{path.name} is an empty file. Export it again, with a header line and rows."
    DataError.when(path.stat().st_size == 0, msg)
    local = con if con.name == "duckdb" else engine.own()
    with reading(path.name):
        if con.name == "pyspark" and path.suffix == ".parquet":
            return Raw(con.read_parquet(str(path.resolve())))
        if path.suffix == ".parquet":
            raw = Raw(local.read_parquet(literal(path), hive_partitioning=False))
        else:
            raw = read_text(local, path, encoding)
        return Raw(engine.carried(con, path.name, raw.table), raw.rejects)


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
    stems, rejects, unclear = {s.lower(): s for s in files}, [no_lines()], set[str]()
    try:
        parsed = sqlglot.parse(options.query, dialect=con.dialect)
        statements = [s for s in parsed if s and not isinstance(s, exp.Semicolon)]
        msg = f"The query of [{name}] must be one SELECT. Correct it in cslib.toml."
        DataError.when(len(statements) != 1 or not isinstance(statements[0], exp.Query), msg)
        _refuse_reach(name, statements[0], stems.keys())
        for lower in {t.name.lower() for t in statements[0].find_all(exp.Table)} & stems.keys():
            _refuse_outside(files[stems[lower]], files[stems[lower]].parent, files[stems[lower]].name)
            raw = _file(con, files[stems[lower]], options.encoding)
            plain, odd = _numbers_as_numbers(raw.table, options.reading.decimal)
            con.create_view(stems[lower], plain, overwrite=True)
            rejects.append(raw.rejects)
            unclear |= odd
        checked = statements[0].sql(con.dialect, comments=False)  # and nothing else may run
        table = engine.queried(con, name, checked)
        return Raw(table, pd.concat(rejects, ignore_index=True).astype({"line": "int64"}), frozenset(unclear))
    except engine.errors() as error:
        msg = f"The query of [{name}] fails: {engine.cause(error)}. Correct it in cslib.toml."
        raise DataError(msg) from error


def _refuse_reach(name: str, query: exp.Expr, files: Collection[str]) -> None:
    """Refuse a query that reads anything but tables: files, settings, what an engine tells of itself."""
    made = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        called = table.this.sql_name().lower() if isinstance(table.this, exp.Func) else ""
        called = str(table.this.this).lower() if isinstance(table.this, exp.Anonymous) else called
        other = (called or not table.name) and called not in TABLE_FUNCTIONS
        own = table.name.lower() in made or (files and table.name.lower() in files)
        odd = not own and (files or re.search(r"[/\\:*]|\.\w+$", table.name) or CATALOGUE.match(table.name))
        closed = table.db.lower() in CLOSED or table.catalog.lower() in CLOSED
        _refuse(name, called or table.sql(), (other or closed or (odd and not called)))
    for call in query.find_all(exp.Func):
        called = str(call.this) if isinstance(call, exp.Anonymous) else call.sql_name()
        _refuse(name, called, bool(TELLING.match(called)))


def _refuse(name: str, what: str, odd: object) -> None:
    msg = f"The query of [{name}] reads {what}, which is no table of these data. Read their tables only."
    DataError.when(bool(odd), msg)


def _numbers_as_numbers(raw: ir.Table, decimal: str) -> tuple[ir.Table, set[str]]:
    """Give a query numbers to reckon with, never at the cost of an id; name those of which 1.234 may be 1234.

    A text column becomes whole numbers where every value is one, and decimals where every value is a
    whole or decimal number; a blank, a sign ``+``, an exponent, a leading zero or more than 15 digits
    in any value keeps the column text. So ``1E5``, ``00123`` and `` 12`` stay what they are; only
    ``12.10`` and ``12.1`` are one number, as prices are: ids of that form want a cast at the source.
    Where the decimal sign is a comma, ``1.234`` stays text, to be read by it.
    """
    texts = [c for c in raw.columns if raw[c].type().is_string()]
    plain = raw.drop(ROW) if ROW in raw.columns else raw
    if not texts:
        return plain, set()
    asked = {f"r{i}": _rank(raw[c], decimal).max() for i, c in enumerate(texts)}
    asked |= {f"s{i}": sign_of_thousands(raw[c]).max() for i, c in enumerate(texts)}
    found = raw.aggregate(**asked).execute().iloc[0]
    types = {c: NUMBERS[rank] for i, c in enumerate(texts) if (rank := found[f"r{i}"]) in NUMBERS}
    unclear = {c for i, c in enumerate(texts) if c in types and found[f"s{i}"] == 1 and not decimal}
    return plain.mutate(**{c: plain[c].cast(t) for c, t in types.items()}), unclear


def _rank(text: ir.StringValue, decimal: str) -> ir.IntegerValue:
    """Tell a whole number (0) from a decimal (1) and any other text (2)."""
    fraction = text.re_search(DECIMAL) & (text.length() <= 16) & ibis.literal(decimal != ",")
    return ibis.cases((text.re_search(INTEGER), 0), (fraction, 1), (text.notnull(), 2))


def as_spelt(
    name: str, table: ir.Table, columns: Mapping[str, str], notes: list[str], *, named: Iterable[str] = ()
) -> ir.Table:
    """Rename columns that only case, blanks or dashes tell from what the options or the contract ask for."""
    there = set(table.columns)
    own = (c for c in {**CONTRACT[name], **TENURE, "currency": None} if c not in columns)
    wanted = [*columns.values(), *own, *(c for c in named if c not in columns)]
    plain: dict[str, list[str]] = {}
    for column in table.columns:
        plain.setdefault(plain_name(column), []).append(column)
    found: dict[str, str] = {}
    for ours in (w for w in wanted if w not in there):
        alike = plain.get(plain_name(ours), [])
        if len(alike) == 1 and alike[0] not in (*columns.values(), *found.values(), *named):
            found[ours] = alike[0]
    notes += [f"{name}: the column {theirs!r} is taken for {ours!r}." for ours, theirs in found.items()]
    return table.rename(found) if found else table


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
    left_out = [c for c in own if c not in rest]
    why = "of the source is left out, as columns maps another to its name."
    notes += [f"{name}: the column {c!r} {why}" for c in left_out]
    return table.select(**{k: table[v] for k, v in named.items()}, **{c: table[c] for c in rest}) if named else table
