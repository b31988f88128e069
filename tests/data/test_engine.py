"""What engines do not do alike, without any of them but DuckDB."""

import gc
import weakref
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import ibis
import ibis.expr.types as ir
import pandas as pd
import pytest
from ibis.backends.duckdb import Backend

import cslib as cs
from cslib.data import engine
from cslib.data.contract import Column
from cslib.data.reading import Reading, possible, typed
from cslib.errors import DataError
from cslib.shared import SHARED

DUCKDB = ibis.duckdb.connect()


def of(frame, **schema):
    return engine.inlined(DUCKDB, pd.DataFrame(frame), schema)


def test_a_frame_in_a_query_is_what_it_was():
    frame = pd.DataFrame(
        {
            "t": ["a'b", None, "\v\\", "ü"], "n": [1, 2, None, -(2**53)], "x": [1e-7, None, -2.5, 1e300],
            "d": pd.to_datetime(["2024-02-29", None, "1999-12-31", "2025-01-01"]), "b": [True, None, False, True],
        }
    )  # fmt: skip
    back = of(frame, t="string", n="int64", x="float64", d="timestamp", b="boolean").execute()
    assert back["t"].tolist() == ["a'b", None, "\v\\", "ü"]
    assert back["n"].tolist()[::3] == [1, -(2**53)]
    assert back["x"].tolist()[::2] == [1e-7, -2.5]
    assert back["d"].tolist()[0] == pd.Timestamp("2024-02-29")
    assert back["b"].tolist() == [True, None, False, True]
    assert back.isna().sum().sum() == 5


def test_no_rows_are_no_rows():
    assert of({"t": []}, t="string").count().execute() == 0


MOMENTS = [
    "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-2-9", "2024-04-31", "2024-4-30", "2024-11-31", "2024-13-01",
    "2024-00-10", "2024-01-00", "2024-01-32", "0000-01-01", "2024-12-31 23:59:59", "2024-12-31T24:00", "2024-12-31 9:05",
    "2024-01-01 10:60", "2024-01-01 10:00:00Z", "2024-01-01 10:00:00+05:30", "2024-01-01 00:10:00-0800", "2024-02-30 10:00",
    "2024-01-01 10:00:00.25", "x", "", None, "2024-01-01 ",
]  # fmt: skip
NUMBERS = ["1", "-2.5", "+3", ".5", "5.", "1e3", "1E-5", "1e", "", None, "1,5", "0x1", "nan", "12 ", "1e99"]


@pytest.mark.parametrize(("kind", "texts"), [("time", MOMENTS), ("date", MOMENTS), ("number", NUMBERS)])
def test_an_engine_that_cannot_try_reads_what_others_read(kind, texts):
    """Plain casts behind the guard, which would fail on the first bad value that it lets pass."""
    table = ibis.memtable({"t": texts}, schema={"t": "string"})
    column = Column(kind)
    both = [
        possible(typed(table.t, column, Reading(), try_cast=tries), column).name(name)
        for tries, name in ((True, "a"), (False, "b"))
    ]
    found = table.select("t", *both).execute()
    assert found["a"].notna().sum() >= 9
    pd.testing.assert_series_equal(found["a"], found["b"], check_names=False)


def test_an_engine_that_lacks_what_is_needed_is_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    con = ibis.sqlite.connect()
    con.create_table("orders", schema=ibis.schema({"customer_id": "string", "ordered_on": "date", "amount": "float64"}))
    with pytest.raises(
        DataError, match=r"sqlite cannot be used: it lacks what cslib needs .*DuckDB, PostgreSQL or Spark"
    ):
        cs.load({"orders": con.table("orders")})
    for url in ("sqlite://x.db", "mysql://root@127.0.0.1/x", "nothing://x"):
        with pytest.raises(DataError, match=r"of the kind \w+ cannot be used"):
            cs.load(url)
    assert not list(tmp_path.iterdir()), "nothing is made by looking"


def test_a_driver_that_is_missing_is_named():
    with pytest.raises(
        DataError, match=r"driver of snowflake is not installed.*ibis-framework\[snowflake\]"
    ) as refused:
        cs.load("snowflake://joe:hush@account/shop")
    assert "hush" not in str(refused.value)


def test_an_engine_that_counts_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(type(DUCKDB), "name", "other")
    rows = engine.inlined(DUCKDB, pd.DataFrame({"t": ["x"]}), {"t": "string"})
    monkeypatch.setattr(type(rows.t), "strip", lambda text: text)
    with pytest.raises(DataError, match="other cannot be used: it gives other values than DuckDB for trimmed text"):
        engine.prepared(ibis.duckdb.connect())


def test_what_is_known_is_not_asked_again():
    asked = []
    table = ibis.memtable({"x": [1, 2]})
    ask = engine._Remembering(lambda expr, **options: asked.append(options) or 3)
    assert ask(table.x.sum()) == 3
    with engine.remembering({}) as answers:
        assert [ask(table.x.sum()), ask(table.x.sum()), ask(table.x.max())] == [3, 3, 3]
    with engine.remembering(answers) as more:
        assert ask(table.x.max()) == 3
        assert ask(table.x.max(), limit="default", params=None) == 3  # as Ibis asks
    assert len(asked) == 3
    assert more == answers
    with engine.remembering(answers):
        assert ask(table.x.max(), limit=1) == 3
    assert asked[3:] == [{"limit": 1}]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            'FATAL: no pg_hba.conf entry for host "10.0.0.7", user "joe", database "shop", no encryption',
            "lets that user",
        ),
        (
            'FATAL: permission denied for database "shop"\nDETAIL: User has no CONNECT privilege.',
            "role may not connect",
        ),
        ("FATAL: remaining connection slots are reserved for superusers", "takes no more connections"),
        ('FATAL: too many connections for role "joe"', "takes no more connections"),
        ('FATAL: role "joe" is not permitted to log in', "refuses the user"),
        ('connection to server on socket "/run/x.5432" failed: No such file or directory', "nothing answers"),
    ],
)
def test_what_a_driver_says_is_told_for_what_it_means(said, why):
    assert why in engine.refusal(OSError(said))


def test_a_cause_has_no_address():
    said = 'connection to server at "10.0.0.7", port 5432 failed: <psycopg.Connection [OK] (host=h user=joe) at 0x7f2a> x.\ny'
    assert engine.cause(OSError(said)) == "the connection failed: the connection x"


def of_memory(con, **columns):
    return engine.carried(con, "rows", ibis.memtable(columns))


def test_a_query_of_one_shape_is_written_once_with_the_names_of_its_own_tables(monkeypatch):
    written = []
    plain = Backend.compile
    monkeypatch.setattr(Backend, "compile", lambda self, expr, **how: written.append(expr) or plain(self, expr, **how))
    con, other = engine.own(), engine.own()
    for where, text in ((con, "a"), (con, "b"), (other, "c")):
        rows, more = (of_memory(where, k=[1, 2], shaped_once=[text, text]) for _ in range(2))
        both = rows.join(more.mutate(k=more.k + 1), "k").aggregate(n=ibis._.count(), t=ibis._.shaped_once.max())
        assert both.execute().iloc[0].tolist() == [1, text]
        assert where.compile(both) == plain(where, both)
    assert len(written) == 2  # to run it, and to read it here


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True),
        (-1, -2),
        (0.0, -0.0),
        ("a", "b", None),
        (ibis.literal(1, "int8"), ibis.literal(1, "int64")),
        (date(2024, 1, 1), datetime(2024, 1, 1)),
        (datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))),
        (Decimal("1.0"), Decimal("1.00")),
    ],
)
def test_what_is_equal_but_not_the_same_is_written_as_it_is(values):
    rows = of_memory(engine.own(), k=[1])
    con = rows.get_backend()
    for value in (*values, *values[::-1]):
        query = rows.mutate(v=ibis.literal(value) if not isinstance(value, ir.Value) else value)
        assert con.compile(query) == Backend.compile(con, query)
        limited = rows.limit(3) if value is values[0] else rows.limit(4)
        assert con.compile(limited, limit=2) == Backend.compile(con, limited, limit=2)


def test_kernels_of_a_run_share_the_queries_that_they_have_written(monkeypatch, tmp_path):
    written = []
    plain = Backend.compile
    monkeypatch.setattr(Backend, "compile", lambda self, expr, **how: written.append(expr) or plain(self, expr, **how))
    monkeypatch.setenv(SHARED, str(tmp_path))
    for text in ("a", "b"):  # each as a kernel that remembers nothing
        monkeypatch.setattr(engine, "_WRITTEN", {})
        rows = of_memory(engine.own(), k=[1, 2], shared_once=[text, text])
        assert rows.aggregate(t=ibis._.shared_once.max()).execute()["t"].tolist() == [text]
    assert len(written) == len([*tmp_path.iterdir()]) == 1
    for value in (
        1,
        1.0,
        True,
        -0.0,
        0.0,
        "1",
        "a\r\nb\r",
        None,
        Decimal("1.0"),
        Decimal("1.00"),
        date(2024, 1, 1),
    ) * 2:
        monkeypatch.setattr(engine, "_WRITTEN", {})
        query = rows.mutate(v=ibis.literal(value))
        assert rows.get_backend().compile(query) == plain(rows.get_backend(), query)
    monkeypatch.setenv(SHARED, str(tmp_path / "gone"))
    monkeypatch.setattr(engine, "_WRITTEN", {})
    assert rows.mutate(v=3).execute()["v"].tolist() == [3, 3]


def test_what_is_remembered_holds_no_connection_and_is_bounded(monkeypatch):
    monkeypatch.setattr(engine, "REMEMBERED", 3)
    known = engine._WRITTEN
    monkeypatch.setattr(engine, "_WRITTEN", {})
    con = engine.own()
    for n in range(5):
        of_memory(con, k=[1]).mutate(n=n).execute()
    assert len(engine._WRITTEN) == 3
    gone = weakref.ref(con)
    del con
    gc.collect()
    assert gone() is None
    assert known is not engine._WRITTEN


def test_what_is_held_is_let_go_with_its_last_use():
    con = engine.own()
    made = engine.held(of_memory(con, k=[1, 2]).mutate(d=ibis._.k * 2))
    later = made.filter(made.k > 1)
    name = made.op().name
    del made
    gc.collect()
    assert later.execute()["d"].tolist() == [4]
    del later
    gc.collect()
    assert name not in {row[0] for row in con.raw_sql("SELECT table_name FROM duckdb_tables()").fetchall()}


def test_a_table_of_memory_is_let_go_with_its_last_use():
    con = engine.own()
    rows = of_memory(con, k=[1, 2])
    name, total = rows.get_name(), rows.k.sum()
    del rows
    gc.collect()
    assert total.execute() == 3
    del total
    gc.collect()
    assert name not in con.raw_sql("SELECT view_name FROM duckdb_views()").df()["view_name"].tolist()
