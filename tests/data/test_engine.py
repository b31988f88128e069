"""What engines do not do alike, without any of them but DuckDB."""

import ibis
import pandas as pd
import pytest

import cslib as cs
from cslib.data import engine
from cslib.data.contract import Column
from cslib.data.reading import Reading, possible, typed
from cslib.errors import DataError

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
