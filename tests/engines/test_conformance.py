"""Every study gives on every engine what it gives on DuckDB, of plain data and of nasty ones."""

import weakref

import engine_world
import ibis
import pandas as pd
import pytest
from study_world import kept

import cslib as cs

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


def told(data):
    return sorted(f.message for f in data.faults), data.statistics, data.as_of


class Conformance:
    """What is asked of every engine; each has a class, which one worker runs, as an engine takes a while to start."""

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
