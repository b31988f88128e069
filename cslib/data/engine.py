"""Where engines differ: what Ibis writes that an engine does not take, or takes for something else, is mended here.

Topics write plain Ibis. A connection that :func:`prepared` has seen compiles it so that every engine gives what
DuckDB gives; what no compiler can mend is a function of this module. Nothing here writes to an engine but DuckDB.
"""

from __future__ import annotations

import re
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.backends.duckdb import Backend
from ibis.common.exceptions import IbisError, TableNotFound
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cslib.errors import CslibError, DataError, counted
from cslib.shared import shared

EXACT: Final = 2.0**53  # from here on floats skip whole numbers
CONNECTING: Final = 15  # seconds
RUNS: Final = {"postgres": "postgres", "postgresql": "postgres", "spark": "spark", "pyspark": "spark"}  # and its extra
COMPILES: Final = ("bigquery", "clickhouse", "databricks", "snowflake", "trino")
SPARK_HERE: Final = "spark://local"
ELSEWHERE: Final = "Load the data into DuckDB, PostgreSQL or Spark."
MADE: Final = re.compile(r"ibis_\w+_[a-z2-7]{26}")  # a name that Ibis made up
REMEMBERED: Final = 2_000  # queries
MANY: Final = 200  # columns: from here on what takes a moment for each of them is done otherwise
INLINE: Final = 10_000  # rows of memory that a query to a warehouse may carry
ERRORS: Final = (IbisError, TableNotFound, duckdb.Error, SqlglotError, pa.ArrowException)
DRIVERS: Final = {"psycopg": "Error", "pyspark.errors": "PySparkException", "py4j.protocol": "Py4JError"}
PLAIN: Final = {  # types of PostgreSQL that are read as they are, by number; any other is read as text
    **{16: "boolean", 17: "bytea", 20: "bigint", 21: "smallint", 23: "integer", 700: "real", 701: "double precision"},
    **{25: "text", 1043: "text", 1700: "numeric"},
    **{1082: "date", 1114: "timestamp", 1184: "timestamptz"},
}
MONEY: Final = {790: "numeric"}
LOST: Final = {"psycopg": "OperationalError", "py4j.protocol": "Py4JNetworkError"}  # of these, where nobody answers
REFUSALS: Final = {  # what a driver says, and what it means
    "pg_hba.conf": "it lets that user in from elsewhere only, or not without encryption",
    "connection slots": "it takes no more connections",
    "too many": "it takes no more connections",
    "permission denied": "its role may not connect to that database",
    "password authentication": "it refuses the user or the password",
    'role "': "it refuses the user or the password",
    'database "': "it has no database of that name",
    "SSL": "it does not encrypt as its URL asks",
    "refused": "nothing answers at its address",
    "No such file": "nothing answers at its address",
    "resolve": "its host is not known",
    "not known": "its host is not known",
    "timeout": "it does not answer in time",
    "invalid": "its URL has an option that does not exist, or with a value that does not",
}


def errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """List what engines and their drivers throw, of those that are in use, and ``more``."""
    return (*more, *ERRORS, *_thrown(DRIVERS))


def _thrown(kinds: Mapping[str, str]) -> tuple[type[Exception], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in kinds.items() if module in sys.modules)


def refusal(error: Exception) -> str:
    """Say why an engine cannot be reached, without what only its owner should know.

    Examples
    --------
    >>> refusal(OSError('connection to "10.0.0.7" failed: FATAL: password authentication failed for user "joe"'))
    'it refuses the user or the password'
    """
    if isinstance(error, ValueError):
        return "its URL cannot be read; a sign such as / or @ in a password is written %2F or %40"
    return next((why for words, why in REFUSALS.items() if words in str(error)), type(error).__name__)


def cause(error: Exception) -> str:
    """Say what an engine has thrown, in one line without its full stop, and without the address that a driver may add.

    Examples
    --------
    >>> cause(OSError("<psycopg.Connection [BAD] (host=10.0.0.7 user=joe database=shop) at 0x7f>: it is closed."))
    'the connection: it is closed'
    """
    line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return re.sub(r"<psycopg\S* .*? at 0x\w+>|connection to server .*?(?= failed)", "the connection", line)


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), "timestamp"))
def strptime(text: str, date_format: str) -> datetime:
    """Read a time by its format, null where it is another: of DuckDB alone."""
    return datetime.strptime(text, date_format)


@ibis.udf.scalar.builtin(name="try_strptime", signature=(("string", "string"), "timestamp('UTC')"))
def strptime_zoned(text: str, date_format: str) -> datetime:
    """Read a time with its zone by a format."""
    return datetime.strptime(text, date_format)


@ibis.udf.scalar.builtin(name="timezone", signature=(("string", "timestamp('UTC')"), "timestamp"))
def _in_zone(zone: str, moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


@ibis.udf.scalar.builtin(name="from_utc_timestamp", signature=(("timestamp", "string"), "timestamp"))
def _from_utc(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


def local(moment: ir.TimestampValue, zone: str) -> ir.TimestampValue:
    """Take a time of UTC to the clock of a zone.

    Raises
    ------
    DataError
        The engine is none that this is known of.
    """
    if zone == "UTC":
        return moment
    name = moment.get_backend().name
    msg = f"timezone is {zone}, and times of {name} stay in UTC. Leave it out, or cast them in a query."
    DataError.when(name not in ("duckdb", "postgres", "pyspark"), msg)
    if name == "pyspark":
        return _from_utc(moment, zone)
    return _in_zone(zone, moment.cast("timestamp('UTC')"))


@ibis.udf.scalar.builtin
def md5(text: str) -> str:
    """Hash a text, alike on every engine."""
    return text


class _DuckDB(Backend):
    """DuckDB that compiles queries of one shape once, whatever the tables that cslib makes are called in each.

    Ibis takes most of the time of a query on little data to write it, and the same are asked of every data set.
    """

    def compile(self, expr: ir.Expr, /, *, limit: Any = None, params: Any = None, pretty: bool = False) -> str:
        if params or pretty:
            return str(super().compile(expr, limit=limit, params=params, pretty=pretty))
        shape, names = _shape(expr.op())
        key = (shape, limit)
        write = super().compile
        written = _WRITTEN.get(key) or shared(key, lambda: _nameless(write(expr, limit=limit), names))
        with _WRITING:
            _WRITTEN.pop(key, None)
            _WRITTEN[key] = written  # the latest is the last to be forgotten
            if len(_WRITTEN) > REMEMBERED:
                del _WRITTEN[next(iter(_WRITTEN))]
        for given, name in names.items():
            written = written.replace(name, given)
        return written


_WRITTEN: dict[tuple[Any, ...], str] = {}
_WRITING: Final = threading.Lock()


def _nameless(query: str, names: Mapping[str, str]) -> str:
    for given, name in names.items():
        query = query.replace(given, name)
    return query


def _shape(root: ops.Node) -> tuple[tuple[Any, ...], dict[str, str]]:
    """Describe an expression by its steps, each after those it needs, with the names made for its tables by number.

    It holds no table and no connection, so that what is remembered keeps none of them from being closed.
    """
    places: dict[ops.Node, int] = {}
    names: dict[str, str] = {}
    steps, left = [], [root]
    while left:
        if left[-1] in places or not (ahead := [n for n in left[-1].__children__ if n not in places]):
            node = left.pop()
            if node not in places:
                places[node] = len(places)
                steps.append((type(node), *(_part(arg, places) for arg in _said_of(node, names))))
        else:
            left += ahead
    return tuple(steps), names


def _said_of(node: ops.Node, names: dict[str, str]) -> tuple[Any, ...]:
    if isinstance(node, (ops.DatabaseTable, ops.InMemoryTable)):
        name = names.setdefault(node.name, f"\0{len(names)}\0") if MADE.fullmatch(node.name) else node.name
        return name, *node.schema.items(), getattr(node, "namespace", None)
    return tuple(node.__args__)


def _part(value: Any, places: Mapping[ops.Node, int]) -> Any:
    """Describe a part of a step, so that equal descriptions are written alike: 1, 1.0 and true are three things."""
    if isinstance(value, ops.Node):
        return places[value]
    if isinstance(value, tuple):
        return tuple(_part(v, places) for v in value)
    if isinstance(value, Mapping):
        return tuple((k, _part(v, places)) for k, v in value.items())
    if isinstance(value, BaseBackend):
        return type(value)
    equal_but_other = isinstance(value, (float, Decimal, date, time, timedelta))  # −0.0, 1.0 and 1.00, two zones
    return type(value), repr(value) if equal_but_other else value


def only_row(table: ir.Table) -> dict[str, Any]:
    """Give the one row of a table as plain values: a frame of many columns takes longer to make than to ask for."""
    con = table.get_backend()
    if con.name != "duckdb":
        return {str(k): v for k, v in table.execute().iloc[0].items()}
    con._run_pre_execute_hooks(table)  # tables of memory
    return dict(zip(table.columns, con.raw_sql(con.compile(table)).fetchone(), strict=True))


def own(path: str | Path = ":memory:", **options: Any) -> Any:
    """Open DuckDB as cslib uses it, by default in memory."""
    return _DuckDB().connect(path, **options)


def held(table: ir.Table) -> ir.Table:
    """Let the engine compute a table once, for as long as it is used; a warehouse is only read."""
    con = table.get_backend()
    if con.name != "duckdb":
        return table
    made = as_made(con, ibis.util.gen_name("cslib"), table)
    weakref.finalize(made.op(), _dropped, con, made.op().name).atexit = False
    return made


def kept(table: ir.Table) -> ir.Table:
    """Let Spark compute a table once, too: its plans grow with every use of a part, until they do not fit into memory.

    It keeps the rows in its own memory, under a name of the session; nothing is written to its catalog.
    """
    con = table.get_backend()
    if con.name != "pyspark":
        return held(table)
    name, session = ibis.util.gen_name("cslib"), con._session
    session.sql(con.compile(table)).localCheckpoint().createOrReplaceTempView(name)
    return con.table(name)


def as_made(con: Any, name: str, rows: ir.Table) -> ir.Table:
    """Make a temporary table of DuckDB, compiled once and not described anew, as create_table and cache() do.

    One of very many columns is made without naming their types, which takes seconds.
    """
    con._run_pre_execute_hooks(rows)  # tables of memory
    sql = con.compile(rows)
    if len(rows.columns) > MANY:
        con.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {sql}')
    else:
        kind = con.compiler.type_mapper.to_string
        columns = ", ".join(f'"{c.replace(chr(34), chr(34) * 2)}" {kind(t)}' for c, t in rows.schema().items())
        con.raw_sql(f'CREATE OR REPLACE TEMP TABLE "{name}" ({columns})')
        con.raw_sql(f'INSERT INTO temp."{name}" {sql}')
    return temporary(con, name, rows.schema())


def temporary(con: Any, name: str, schema: ibis.Schema) -> ir.Table:
    """Speak of a temporary table of DuckDB whose columns are known."""
    place = ops.Namespace(catalog="temp", database="main")
    return ops.DatabaseTable(name=name, schema=schema, source=con, namespace=place).to_expr()


def _dropped(con: Any, name: str) -> None:
    with suppress(duckdb.Error):  # whose connection has been closed
        con.raw_sql(f'DROP TABLE IF EXISTS temp."{name}"')


def connected(url: str) -> Any:
    """Connect to an engine by its address, in UTC and only to read where it can be told so.

    Raises
    ------
    DataError
        It cannot be reached, or is none that cslib can use.
    """
    kind = url.split("://")[0].lower()
    msg = f"A source of the kind {kind} cannot be used: it lacks what cslib needs. {ELSEWHERE}"
    DataError.when(kind not in (*RUNS, *COMPILES), msg)
    try:
        return _connect(url)
    except ImportError as error:
        package = f"cslib[{RUNS[kind]}]" if kind in RUNS else f"ibis-framework[{kind}]"
        msg = f"The driver of {kind} is not installed. Install it: pip install '{package}'."
        raise DataError(msg) from error
    except CslibError:
        raise
    except errors(OSError, ValueError) as error:
        why = refusal(error)
        msg = (
            f"Cannot connect to the {kind} source: {why}. Check its URL, and the user and password in the environment."
        )
        raise DataError(msg) from _unnamed(error)


def _unnamed(error: Exception) -> ConnectionError:
    """Keep of an error what a log may show: no user, host or piece of a password."""
    return ConnectionError(re.sub(r"""(["'])[^"']*\1""", r"\1…\1", cause(error)))


def _connect(url: str) -> Any:
    if url.startswith("spark://"):
        return ibis.pyspark.connect(_spark_session(url))
    con = ibis.connect(url, **_spelled(url) if url.lower().startswith(("postgres://", "postgresql://")) else {})
    if con.name == "postgres":
        con.raw_sql("SET TIME ZONE 'UTC'").close()
        con.raw_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").close()
        weakref.finalize(con, con.con.close)
        msg = "The source has no schema of the name in its URL, or none that its role may use. Correct the URL."
        DataError.when(con.current_database is None, msg)
    return con


def _spelled(url: str) -> dict[str, Any]:
    """Read what an address of PostgreSQL says as its own programs do: a + is a +. Ibis takes it for a blank."""
    parts = urlsplit(url)
    given = {"user": parts.username, "password": parts.password, "database": parts.path[1:].split("/")[0]}
    return {"connect_timeout": CONNECTING, **{key: unquote(value) for key, value in given.items() if value}}


def _spark_session(url: str) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("cslib").config("spark.ui.enabled", "false")
    if url != SPARK_HERE:
        return builder.master(url).getOrCreate()
    here: dict[str, Any] = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return builder.master("local[*]").config(map=here).getOrCreate()


def prepared(con: Any) -> Any:
    """Let a connection compile what cslib asks of it, and prove on known values that its engine does it right.

    Raises
    ------
    DataError
        The engine cannot do what is needed, or does it otherwise.
    """
    makers = {"postgres": _postgres, "pyspark": _spark}
    if con.name in makers and type(con.compiler).__module__ != __name__:
        con.compiler = makers[con.name]()
    if con.name != "duckdb":
        con.execute = _Remembering(type(con).execute.__get__(con))
        _probe(con)
    return con


@contextmanager
def remembering(known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Let no warehouse be asked in vain for what is ``known``, by query; give that and all that it answers now."""
    answers = dict(known)
    token = _ANSWERS.set(answers)
    try:
        yield answers
    finally:
        _ANSWERS.reset(token)


@dataclass(frozen=True)
class _Remembering:
    """Executes an expression, or gives the answer that is known."""

    ask: Callable[..., Any]

    def __call__(self, expr: ir.Expr, /, **options: Any) -> Any:
        answers = _ANSWERS.get()
        if answers is None or not {*options.values()} <= {None, "default"}:
            return self._asked(expr, options)
        query = str(expr.get_backend().compile(expr))
        if query not in answers:
            answers[query] = self._asked(expr, options)
        return deepcopy(answers[query])

    def _asked(self, expr: ir.Expr, options: Mapping[str, Any]) -> Any:
        try:
            return self.ask(expr, **options)
        except _thrown(LOST) as error:
            name = expr.get_backend().name
            msg = f"The {name} source gave no answer: {cause(error)}. Run it again once it is there."
            raise DataError(msg) from error


def _probe(con: Any) -> None:
    rows = inlined(con, pd.DataFrame({"k": [0, 40], "t": ["\v a\v", None], "d": [date(2024, 1, 31)] * 2}), PROBED)
    week, found = ibis.literal(date(2024, 2, 29)), {}
    asked = {
        "trimmed text": (rows.t.strip().max(), "a"),
        "counts of what is true": ((rows.k == 40).cast("int64").sum(), 1),
        "bits": ((ibis.literal(1, "int64") << rows.k).sum(), 2**40 + 1),
        "days between dates": (week.delta(rows.d.min(), unit="day"), 29),
        "patterns": (rows.t.re_search(r"^\sa\s$|a").cast("int64").sum(), 1),
        "whole numbers": ((rows.k / 3).floor().cast("int64").max(), 13),
        "rounded halves": (((rows.k - 12.5).round() + (rows.k + 0.5).round()).sum(), 57),
        "numbers that are none": (ibis.literal(float("nan")).isnan(), True),
    }
    why = f"{con.name} cannot be used"
    try:
        found = rows.aggregate(**{f"p{i}": value for i, (value, _) in enumerate(asked.values())}).execute().iloc[0]
    except CslibError:
        raise
    except errors(NotImplementedError, TypeError, ValueError) as error:
        msg = f"{why}: it lacks what cslib needs ({cause(error)}). {ELSEWHERE}"
        raise DataError(msg) from error
    wrong = [what for what, got, (_, want) in zip(asked, found, asked.values(), strict=True) if got != want]
    msg = f"{why}: it gives other values than DuckDB for {', '.join(wrong)}. {ELSEWHERE}"
    DataError.when(wrong, msg)


_ANSWERS: ContextVar[dict[str, Any] | None] = ContextVar("answers", default=None)
ZONE: Final = ibis.schema({"z": "string"})
PROBED: Final = {"k": "int64", "t": "string", "d": "date"}


def can(table: ir.Table, operation: type[ops.Node]) -> bool:
    """Tell whether the engine of a table has an operation."""
    compiler = _connection(table).compiler
    method = getattr(compiler, f"visit_{operation.__name__}", None)
    return method not in (None, compiler.visit_Undefined, compiler.visit_Unsupported)


def can_try(con: Any) -> bool:
    """Tell whether an engine can cast without failing: PostgreSQL cannot, whatever Ibis says."""
    return con.name != "postgres" and con.has_operation(ops.TryCast)


def session_zone(con: Any) -> str:
    """Return the time zone in which a connection reads and casts times with a zone."""
    if con.name not in ("duckdb", "postgres"):
        return "UTC"
    return str(con.sql("SELECT current_setting('TimeZone') AS z", schema=ZONE).execute()["z"].iloc[0])


def _connection(table: ir.Table) -> Any:
    return table.get_backend()


def beside(table: ir.Table, frame: pd.DataFrame, schema: dict[str, str]) -> ir.Table:
    """Put a small frame beside a table: in memory for DuckDB, inside the query elsewhere, where nothing is written.

    Parameters
    ----------
    table
        Of the engine that is to read the frame.
    frame
        Its rows.
    schema
        Types by column of the frame.
    """
    con = _connection(table)
    return ibis.memtable(frame, schema=schema) if con.name == "duckdb" else inlined(con, frame, schema)


def inlined(con: Any, frame: pd.DataFrame, schema: Any) -> ir.Table:
    """Write a frame into a query."""
    there, plain = frame[list(schema)].notna().to_numpy(), frame[list(schema)].astype(object).to_numpy()
    pairs = (zip(row, known, strict=True) for row, known in zip(plain, there, strict=True))
    rows = [tuple(exp.convert(value if known else None) for value, known in row) for row in pairs]
    names = [f"c{i}" for i in range(len(schema))]
    source = exp.values(rows or [tuple(exp.null() for _ in names)], alias="given", columns=names)
    kinds = [con.compiler.type_mapper.from_ibis(ibis.dtype(kind)) for kind in schema.values()]
    typed = [exp.cast(exp.column(name), kind) for name, kind in zip(names, kinds, strict=True)]
    query = exp.select(*(exp.alias_(value, name, quoted=True) for value, name in zip(typed, schema, strict=True)))
    query = query.from_(source) if rows else query.from_(source).where("1 = 0")
    return con.sql(query.sql(con.dialect), schema=ibis.schema(schema))


def carried(con: Any, name: str, table: ir.Table) -> ir.Table:
    """Carry a table of memory or of a file into an engine; for a warehouse, where nothing is written, into its queries.

    Raises
    ------
    DataError
        It has too many rows.
    """
    if con.name == "duckdb":
        return _registered(con, table) if isinstance(table.op(), ops.InMemoryTable) else table
    n, schema = int(table.count().execute()), table.schema()
    msg = (
        f"{name} has {counted(n, 'row')}, more than the {INLINE:,} that can be read beside the tables of a warehouse. "
    )
    DataError.when(n > INLINE, f"{msg}Load it into the warehouse.")
    return inlined(con, table.execute(), {k: ibis.dtype("string") if v.is_null() else v for k, v in schema.items()})


def _registered(con: Any, table: ir.Table) -> ir.Table:
    """Let DuckDB read a table of memory where it is, for as long as it is used."""
    con._run_pre_execute_hooks(table)
    made = temporary(con, table.get_name(), table.schema())
    weakref.finalize(made.op(), _unregistered, con, table.op()).atexit = False
    return made


def _unregistered(con: Any, rows: ops.InMemoryTable) -> None:
    with suppress(duckdb.Error):  # whose connection has been closed
        con.con.unregister(rows.name)


def tables(con: Any) -> list[str]:
    """Name the tables of an engine. Ibis forgets the materialised views of PostgreSQL."""
    names: list[str] = con.list_tables()
    if con.name == "postgres":
        views = "SELECT matviewname AS name FROM pg_matviews WHERE schemaname = current_schema()"
        names = [*names, *con.sql(views, schema=ibis.schema({"name": "string"})).execute()["name"]]
    return names


def queried(con: Any, name: str, query: str) -> ir.Table:
    """Take the query of a table for that table. Ibis would make a view of it in PostgreSQL to learn its columns.

    Raises
    ------
    DataError
        Two of its columns have one name.
    """
    if con.name != "postgres":
        return con.sql(query)
    columns = _described(con, query)
    twice = [name for name, n in Counter(name for name, _ in columns).items() if n > 1]
    msg = f"The query of [{name}] has the column {', '.join(map(repr, twice))} twice. Name each column once."
    DataError.when(twice, msg)
    return _of_plain_types(con, query, columns)


def plain(con: Any, table: ir.Table) -> ir.Table:
    """Give columns of a type that only some engines have, such as an enum or a map, as text or number."""
    if con.name == "pyspark":
        odd = [column for column, kind in table.schema().items() if kind.is_nested()]
        return table.mutate(**{column: table[column].cast("string") for column in odd}) if odd else table
    if con.name != "postgres":
        return table
    from ibis.backends.sql.compilers.base import SQLGlotCompiler

    as_it_is: Any = SQLGlotCompiler.to_sqlglot  # that of PostgreSQL changes JSON and places
    query = as_it_is(con.compiler, table).sql(con.dialect)
    columns = _described(con, query)
    return table if all(kind in PLAIN for _, kind in columns) else _of_plain_types(con, query, columns)


def _described(con: Any, query: str) -> list[tuple[str, int]]:
    """Name the columns of a query to PostgreSQL, with the numbers of their types (domains are what they are of)."""
    with con.con.cursor() as cursor, con.con.transaction():
        cursor.execute(f"SELECT * FROM ({query}) AS asked LIMIT 0")
        return [(column.name, column.type_code) for column in cursor.description]


def _of_plain_types(con: Any, query: str, columns: list[tuple[str, int]]) -> ir.Table:
    kinds = {name: (PLAIN | MONEY).get(kind, "text") for name, kind in columns}
    as_one = [exp.alias_(exp.cast(exp.column(n, quoted=True), kind), n, quoted=True) for n, kind in kinds.items()]
    schema = {name: con.compiler.type_mapper.from_string(kind) for name, kind in kinds.items()}
    return con.sql(f"{exp.select(*as_one).sql(con.dialect)} FROM ({query}) AS asked", schema=ibis.schema(schema))


def earliest(value: ir.Value, moment: ir.Value) -> ir.Value:
    """Take the first value of a group, and of several at the same moment the first in the alphabet on any engine."""
    return value.argmin(moment.cast("string") + value.cast("string"))


def _with_shifts(compiler: Any) -> Any:
    class Shifting(compiler):
        """Shifts of 64 bits, by numbers of any size."""

        __slots__ = ()

        def visit_BitwiseLeftShift(self, op: Any, *, left: Any, right: Any) -> Any:  # noqa: N802
            left, right = self.cast(left, op.dtype), self.cast(right, ibis.dtype("int32"))
            return super().visit_BitwiseLeftShift(op, left=left, right=right)

        def visit_BitwiseRightShift(self, op: Any, *, left: Any, right: Any) -> Any:  # noqa: N802
            return super().visit_BitwiseRightShift(op, left=left, right=self.cast(right, ibis.dtype("int32")))

    return Shifting


def _postgres() -> Any:
    from ibis.backends.sql.compilers.postgres import PostgresCompiler

    base: Any = _with_shifts(PostgresCompiler)

    class Compiler(base):
        __slots__ = ()

        def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
            if op.arg.dtype.is_boolean() and to.is_numeric():
                arg = self.cast(arg, ibis.dtype("int32"))  # the only number for which it takes a truth
            return super().visit_Cast(op, arg=arg, to=to)

        def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:  # noqa: N802
            if not (op.dtype.is_integer() and op.arg.dtype.is_floating()):
                return super().visit_Round(op, arg=arg, digits=digits)
            whole = self.f.trunc(arg)  # its own takes a half to the even number, and a decimal knows 15 digits
            return self.cast(whole + self.f.trunc(2 * (arg - whole)), op.dtype)

    return Compiler()


def _spark() -> Any:
    from ibis.backends.sql.compilers.pyspark import PySparkCompiler
    from ibis.backends.sql.dialects import PySpark

    class Spark(PySpark):
        """Spark knows no escape for three signs and takes their letters for themselves: they stand as they are."""

    Spark.ESCAPED_SEQUENCES = {k: v for k, v in PySpark.ESCAPED_SEQUENCES.items() if k not in "\a\f\v"}

    base: Any = _with_shifts(PySparkCompiler)

    class Compiler(base):
        __slots__ = ()
        dialect = Spark

        def visit_BitOr(self, op: Any, *, arg: Any, where: Any) -> Any:  # noqa: N802
            return self.agg.bit_or(arg, where=where)

    return Compiler()
