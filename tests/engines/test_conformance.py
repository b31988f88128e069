"""Every study gives on every engine what it gives on DuckDB, of plain data and of nasty ones."""

import weakref

import billing_world
import engine_world
import ibis
import pandas as pd
import pytest
from study_world import kept

import cslib as cs
from cslib.data.contract import Column
from cslib.data.engine import can_try, prepared
from cslib.data.reading import NOTHING, Reading, as_meant, months_of, typed
from cslib.data.texts import says

STUDIES = [cs.Retention, cs.Churn, cs.Revenue, cs.Value, cs.Surveys, cs.Scorecard]
# Spark's own gateway leaves its sockets to the garbage collector
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]


def in_postgres(postgres, name, tables):
    con = ibis.connect(engine_world.fill(postgres, name, tables))
    weakref.finalize(con, con.con.close)
    return {n: con.table(n) for n in tables}


def in_spark(spark, name, tables):
    con = ibis.pyspark.connect(spark)
    spark.sql(f"CREATE DATABASE IF NOT EXISTS {name}")
    for n, table in tables.items():
        frame = spark.createDataFrame(table.to_pyarrow())
        frame.write.mode("overwrite").saveAsTable(f"{name}.{n}")
    return {n: con.table(n, database=name) for n in tables}


@pytest.fixture(scope="class")
def elsewhere(request):
    """Put tables into the engine of a class, once each."""
    cls, made = request.cls, {}
    server = request.getfixturevalue(cls.engine)

    def put(name, tables, **options):
        if name not in made:
            made[name] = cs.load(cls.put(server, name, tables), **options)
        return made[name]

    return put


@pytest.fixture(scope="module")
def nasty():
    tables = engine_world.nasty()
    return cs.load(tables, as_of="2025-01-15"), {n: ibis.memtable(f) for n, f in tables.items()}


@pytest.fixture(scope="session")
def ours():
    """What DuckDB gives, once for all engines."""
    return {}


def alike(ours, name, study, other):
    if name not in ours:
        ours[name] = kept(study())
    own, there = ours[name], kept(other)
    assert own.keys() == there.keys()
    for name, table in own.items():
        pd.testing.assert_frame_equal(table, there[name], rtol=1e-9, atol=1e-9, obj=name)


TEXTS = pd.DataFrame(
    {
        "i": range(6),
        "comma": ["12,50", "1.234,56 €", "(1\u202f000)", "-,5", "1.5", "kr. 7"],
        "point": ["$1,234.5", "12,50", "7-", "US$ 5", "", "x"],
        "zoned": [
            "2025-01-31T23:30:00Z",
            "2025-07-31 23:30:00+02:00",
            "2025-02-01",
            "2025-02-30",
            "soon",
            "2025-03-30T01:30:00Z",
        ],
        "serial": ["45658", "45658.75", "2025-02-03", "", "x", "-1"],
        "unix": ["1738367999", "0", "", "x", "1e9", "-86400"],
        "dated": ["31.12.2024", "1.2.2025", "31.02.2025", "", "2025-01-01", "01.01.1999"],
        "period": ["year", "P3M", "every 2 weeks", "12", "jährlich", "fortnight"],
        "end": ["NULL", "\\N", "9999-12-31", "2025-01-01", " n/a ", "0000-00-00"],
    }
)


def as_read(table):
    """Read each text in its way."""
    can = can_try(table.get_backend())
    table = table.mutate(nothing=says(table.end, NOTHING))
    meant = as_meant(table, {"end": Column("date", nullable=True)}, Reading(labels={"period": {"Year": "12"}}))

    def by(column, kind, **how):
        return typed(meant[column], Column(kind), Reading(**how), try_cast=can)

    read = {
        "comma": by("comma", "number", decimal=","), "point": by("point", "number", decimal="."),
        "zoned": by("zoned", "time", timezone="Europe/Berlin"), "utc": by("zoned", "time"),
        "serial": by("serial", "time", date_format="excel"),
        "unix": by("unix", "time", date_format="unix", timezone="Asia/Kolkata"),
        "dated": by("dated", "date", date_format="%d.%m.%Y"), "months": months_of(meant.period),
    }  # fmt: skip
    rows = meant.mutate(**read).order_by("i").select("i", *read, "end", "period", "nothing").execute()
    return rows.assign(
        **{c: pd.to_datetime(rows[c]).astype("datetime64[us]") for c in ("zoned", "utc", "serial", "unix", "dated")}
    )


def told(data):
    return sorted(f.message for f in data.faults), data.statistics, data.as_of


class Conformance:
    """What is asked of every engine; each has a class, which one worker runs, as an engine takes a while to start."""

    def test_billing_gives_the_same(self, elsewhere):
        frames = {"invoices": billing_world.invoices(), "rates": pd.DataFrame(billing_world.RATES)}
        frames["rates"]["month"] = pd.to_datetime(frames["rates"]["month"])
        frames["invoices"]["invoiced_on"] = frames["invoices"]["invoiced_on"].map(lambda day: day.replace(month=1))
        own = cs.load(frames, as_of="2025-12-31")
        other = elsewhere("billing", {n: ibis.memtable(f) for n, f in frames.items()}, as_of="2025-12-31")
        pd.testing.assert_frame_equal(other.accounts["reconciliation"], own.accounts["reconciliation"])
        assert told(other) == told(own)
        order = ["customer_id", "started_on", "mrr", "plan"]
        both = [d.table("subscriptions").execute()[[*order, "ended_on"]].astype(str) for d in (other, own)]
        pd.testing.assert_frame_equal(*[frame.sort_values(order, ignore_index=True) for frame in both])

    def test_a_log_gives_the_same(self, elsewhere):
        log = pd.DataFrame({**billing_world.LOG, "change": [100.0, 50, None, None, 30, 120, 80, 10, 15]})
        log["occurred_on"] = pd.to_datetime(log["occurred_on"])
        own, other = cs.load({"movements": log}), elsewhere("log", {"movements": ibis.memtable(log)})
        both = [d.table("subscriptions").order_by(["customer_id", "started_on"]).execute() for d in (other, own)]
        pd.testing.assert_frame_equal(*both)

    @pytest.mark.parametrize("by", ["", "plan"])
    @pytest.mark.parametrize("study", STUDIES, ids=lambda s: s.__name__)
    def test_the_sample_gives_the_same(self, ours, small, elsewhere, study, by):
        other = elsewhere("sample", small.tables, as_of=small.as_of)
        alike(ours, (study, by), lambda: study(cs.load(small.tables, as_of=small.as_of), by=by), study(other, by=by))

    @pytest.mark.parametrize("study", STUDIES, ids=lambda s: s.__name__)
    def test_nasty_data_give_the_same(self, ours, nasty, elsewhere, study):
        data, tables = nasty
        other = elsewhere("nasty", tables, as_of="2025-01-15")
        assert told(data)[1:] == told(other)[1:]
        alike(ours, (study, "nasty"), lambda: study(data, by="plan"), study(other, by="plan"))

    def test_texts_are_read_alike(self, request):
        server = request.getfixturevalue(self.engine)
        there = self.put(server, "texts", {"orders": ibis.memtable(TEXTS)})["orders"]
        prepared(there.get_backend())
        own = ibis.duckdb.connect().create_table("orders", ibis.memtable(TEXTS))
        pd.testing.assert_frame_equal(as_read(own), as_read(there), check_dtype=False)


class TestPostgres(Conformance):
    engine, put = "postgres", staticmethod(in_postgres)


class TestSpark(Conformance):
    engine, put = "spark", staticmethod(in_spark)

    def test_a_map_or_a_list_beside_the_columns_of_the_contract_is_text(self, spark):
        spark.sql(
            "CREATE OR REPLACE TEMP VIEW odd AS SELECT 'a' AS customer_id, DATE'2024-01-05' AS ordered_on, 1.5 AS amount, "
            "map('k', 1) AS map, array(1, 2) AS list, named_struct('x', 1) AS pair"
        )
        rows = cs.load({"orders": ibis.pyspark.connect(spark).table("odd")}).table("orders")
        shown = rows.distinct().execute()[["map", "list", "pair"]]
        assert shown.to_numpy().tolist() == [["{k -> 1}", "[1, 2]", "{1}"]]
