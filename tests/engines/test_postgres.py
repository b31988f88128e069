"""PostgreSQL as it is met: a role that may only read, schemas, queries, zones, and what it says when it refuses."""

import json
import traceback
import weakref

import engine_world
import ibis
import pandas as pd
import psycopg
import pytest

import cslib as cs
from cslib.data import engine
from cslib.data.snapshot import AT_HAND, made_from, save_answers
from cslib.errors import DataError

pytestmark = pytest.mark.slow
DAY = pd.Timestamp("2024-01-31 23:30", tz="UTC")


@pytest.fixture(scope="module")
def shop(postgres):
    orders = {"customer_id": ["v1", "f2"], "ordered_on": ["2024-01-05", "2024-02-29"], "amount": ["5.50", "7"]}
    used = {"customer_id": ["v1", "f2"], "occurred_at": [DAY, DAY + pd.Timedelta(days=30)], "feature": ["a", "b"]}
    tables = {"orders": ibis.memtable(orders), "usage": ibis.memtable(pd.DataFrame(used))}
    return engine_world.fill(postgres, "shop", tables, schema="billing")


def connected(url, **options):
    con = ibis.connect(url, **options)
    weakref.finalize(con, con.con.close)
    return con


def declared(folder, url, *lines):
    (folder / "cslib.toml").write_text("\n".join([f'source = "{url}"', *lines]))
    return folder


@pytest.mark.parametrize("table", ["billing.orders", "shop.billing.orders", '\\"billing\\".orders'])
def test_a_table_is_found_in_its_schema(shop, tmp_path, table):
    data = cs.load(declared(tmp_path, shop, "[orders]", f'table = "{table}"'))
    assert data.statistics["orders"] == {"rows": 2, "first": "2024-01-05", "last": "2024-02-29", "sum_amount": 12.5}


def test_a_query_needs_no_right_to_make_views(shop, tmp_path):
    query = "select customer_id, ordered_on::date, amount::numeric(9, 2) from billing.orders where amount <> '7'"
    data = cs.load(declared(tmp_path, shop, "[orders]", f'query = """{query}"""'))
    assert data.table("orders").execute().to_dict("list")["amount"] == [5.5]


def test_a_small_file_stands_beside_the_warehouse_and_a_large_one_is_refused(shop, tmp_path):
    (tmp_path / "costs.csv").write_text("month,kind,amount\n2024-01-01,acquisition,5.5\n2024-02-01,retention,\n")
    lines = ("[orders]", 'table = "billing.orders"', "[costs]", 'table = "costs.csv"', 'on_fault = "set_aside"')
    data = cs.load(declared(tmp_path, shop, *lines))
    assert data.table("costs").execute()["amount"].tolist() == [5.5]
    (tmp_path / "costs.csv").write_text("month,kind,amount\n" + "2024-01-01,acquisition,5.5\n" * 10_001)
    with pytest.raises(DataError, match=r"costs.csv has 10,001 rows, more than the 10,000 that can be read beside"):
        cs.load(declared(tmp_path, shop, *lines)).table("costs")


def test_a_zoned_time_is_utc_and_another_zone_of_the_caller_is_refused(shop):
    con = connected(shop, schema="billing")
    con.raw_sql("SET TIME ZONE 'UTC'").close()
    data = cs.load({"usage": con.table("usage")})
    assert data.table("usage").execute()["occurred_at"].tolist() == [
        DAY.tz_localize(None),
        DAY.tz_localize(None) + pd.Timedelta(days=30),
    ]
    con.raw_sql("SET TIME ZONE 'America/New_York'").close()
    with pytest.raises(DataError, match="your connection speaks America/New_York"):
        cs.load({"usage": con.table("usage")})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("reader@", "nobody:hush@"), "it refuses the user or the password"),
        (("/shop", "/nothing"), "it has no database of that name"),
        (("127.0.0.1", "no.such.host.invalid"), "its host is not known"),
        (("127.0.0.1", "[::1]"), "nothing answers at its address"),
        (("reader@", "reader:hush/hush@"), "its URL cannot be read; a sign such as / or @"),
        (("/shop", "/shop?sslmode=require"), "it does not encrypt as its URL asks"),
        (("/shop", "/shop?hush=hush"), "its URL has an option that does not exist"),
    ],
)
def test_why_it_cannot_be_reached_is_said_without_the_password(shop, change, why):
    with pytest.raises(DataError, match=f"Cannot connect to the postgresql source: {why}.*Check its URL") as refused:
        cs.load(shop.replace(*change))
    shown = "".join(traceback.format_exception(refused.value))  # as in a log
    assert [word for word in ("hush", "nobody", "reader", "127.0.0.1", "such.host") if word in shown] == []


def test_our_own_connection_cannot_write(shop, postgres, tmp_path):
    owner = f"postgresql://owner@{postgres}/shop"
    query = "with gone as (delete from billing.orders returning *) select * from gone"
    with pytest.raises(DataError, match="must be one SELECT|fails|reads"):
        cs.load(declared(tmp_path, owner, "[orders]", f'query = "{query}"'))
    data = cs.load(declared(tmp_path, owner, "[orders]", 'table = "billing.orders"'))
    con = data.table("orders").get_backend()
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        con.raw_sql("delete from billing.orders")
    assert data.table("orders").count().execute() == 2


def test_impossible_values_are_faults_and_no_failure(postgres):
    rows = {
        "customer_id": ["a", "b", "c", "d"],
        "ordered_on": ["2024-02-30", "0000-01-01", "2024-02-29", "soon"],
        "amount": ["1e999", "5", "nan", "1"],
    }
    con = connected(engine_world.fill(postgres, "odd", {"orders": ibis.memtable(rows)}))
    with pytest.raises(DataError) as refused:
        cs.load({"orders": con.table("orders")})
    assert "orders.ordered_on has 3 rows with a value that is no date" in str(refused.value)
    assert "orders.amount has 2 rows with a value that is no number" in str(refused.value)


@pytest.fixture(scope="module")
def odd(postgres):
    """Address of a database with tables as their owner has made them; what each holds the role may read."""
    address = engine_world.fill(postgres, "owned", {})
    with psycopg.connect(f"postgresql://owner@{postgres}/owned") as con:
        con.execute(OWNED)
    return address


OWNED = """
CREATE EXTENSION citext;
CREATE TYPE kinds AS ENUM ('upsell', 'new');
CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE typed AS SELECT c.*, DATE '2024-01-05' AS ordered_on, 1.5::money AS amount, 'new'::kinds AS kind FROM (
    VALUES ('123e4567-e89b-12d3-a456-426614174000'::uuid, 'Ab'::citext, 'ab'::char(9), 'a@b'::mail, 'new'::kinds,
            '[{}]'::json, '(1,2)'::point, '<a/>'::xml, '{1,2}'::int[], 9007199254740993)
) AS c(uuid, citext, char, domain, enum, json, point, xml, list, bigint);
CREATE TABLE "Odd.Name" AS SELECT enum AS "a.b", ordered_on AS "c""d", amount AS "%s", kind AS "order" FROM typed;
CREATE MATERIALIZED VIEW orders AS SELECT domain AS customer_id, ordered_on, amount FROM typed;
CREATE TABLE system_orders AS SELECT 'a' AS customer_id, day::date AS ordered_on, 1 AS amount, 'it''s 100%' AS note
    FROM generate_series('2024-01-01'::date, '2024-03-01'::date, '1 month') AS day;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
"""


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("uuid", "123e4567-e89b-12d3-a456-426614174000"), ("citext", "Ab"), ("char", "ab"), ("domain", "a@b"),
        ("enum", "new"), ("json", "[{}]"), ("point", "(1,2)"), ("xml", "<a/>"), ("list", "{1,2}"),
        ("bigint", "9007199254740993"),
    ],
)  # fmt: skip
def test_a_type_of_its_own_is_text_and_money_a_number(odd, tmp_path, column, text):
    data = cs.load(declared(tmp_path, odd, "[orders]", 'table = "typed"', f'columns = {{ customer_id = "{column}" }}'))
    rows = data.table("orders").select("customer_id", "amount", "kind")
    assert rows.distinct().execute().to_numpy().tolist() == [[text, 1.5, "new"]]


def test_the_callers_own_table_has_plain_types_too(odd):
    table = connected(odd).table("typed").rename(customer_id="enum").mutate(more=1)
    assert cs.load({"orders": table}).table("orders").execute()["customer_id"].tolist() == ["new"]


def test_a_materialised_view_is_found_by_its_name(odd):
    assert cs.load(odd).statistics["orders"]["sum_amount"] == 1.5


@pytest.mark.parametrize("table", ["Odd.Name", '\\"Odd.Name\\"', 'public.\\"Odd.Name\\"'])
def test_odd_names_are_names(odd, tmp_path, table):
    columns = """columns = { customer_id = 'a.b', ordered_on = 'c"d', amount = '%s', kind = 'order' }"""
    data = cs.load(declared(tmp_path, odd, "[orders]", f'table = "{table}"', columns), where="kind=new")
    assert data.statistics["orders"]["sum_amount"] == 1.5


def asked(folder, url, query):
    return cs.load(declared(folder, url, "[orders]", f"query = '''{query}'''"))


@pytest.mark.parametrize(
    ("query", "amount"),
    [
        ("select * from system_orders -- all of them", 3),
        ("select * from system_orders; -- all of them", 3),
        ("select * from system_orders where note like '%100%' and amount % 2 = 1 ;;", 3),
        ("select *, note as \"%s\" from system_orders where note <> $$100% :x ${CSLIB_NONE}$$", 3),
        ("select 'a' as customer_id, d::date as ordered_on, 1 as amount "
         "from generate_series('2024-01-01'::date, '2024-02-01'::date, '1 month') as d", 2),
    ],
)  # fmt: skip
def test_a_query_may_be_written_as_people_do(odd, tmp_path, query, amount):
    assert asked(tmp_path, odd, query).statistics["orders"]["sum_amount"] == amount


@pytest.mark.parametrize("more", ["amount", "1, 2"])
def test_two_columns_of_one_name_are_told(odd, tmp_path, more):
    with pytest.raises(DataError, match=r"The query of \[orders\] has the column '.*' twice. Name each column once"):
        asked(tmp_path, odd, f"select *, {more} from system_orders")


@pytest.mark.parametrize(
    "call",
    [
        "pg_sleep(9)", "pg_catalog.pg_read_file('/etc/hosts')", "set_config('TimeZone', 'Asia/Tokyo', false)",
        "query_to_xml('select pg_read_file(1)', true, true, '')", "table_to_xml('pg_authid', true, true, '')",
        "database_to_xml(true, true, '')", "ts_stat('select 1')", "nextval('s')", "lo_import('/etc/hosts')",
        "inet_server_addr()", "dblink('', '')",
    ],
)  # fmt: skip
def test_a_query_calls_nothing_that_reaches_beyond_its_tables(postgres, odd, tmp_path, call):
    owner = f"postgresql://owner@{postgres}/owned"
    with pytest.raises(DataError, match=r"reads \w+, which is no table of these data"):
        asked(tmp_path, owner, f"select *, cast({call} as text) as z from system_orders")


def test_an_address_is_read_as_the_programs_of_postgresql_read_it(postgres, monkeypatch):
    with psycopg.connect(f"postgresql://owner@{postgres}/postgres", autocommit=True) as con:
        con.execute('CREATE DATABASE "a b"')
        con.execute('CREATE ROLE "joe@corp" LOGIN')
    connect, seen = psycopg.connect, {}
    monkeypatch.setattr(psycopg, "connect", lambda **given: seen.update(given) or connect(**given))
    with pytest.raises(DataError, match="holds none of the tables"):
        cs.load(f"postgresql://joe%40corp:a+b%2Fc%25@{postgres}/a%20b")
    assert seen["password"] == "a+b/c%"


def test_a_schema_that_is_not_there_is_told(shop):
    assert cs.load(f"{shop}?schema=billing").statistics["orders"]["rows"] == 2
    with pytest.raises(DataError, match="The source has no schema of the name in its URL"):
        cs.load(f"{shop}?schema=nix")


def test_a_lost_connection_is_told_and_nothing_of_where_it_led(shop, postgres):
    data = cs.load(f"{shop}?schema=billing&application_name=doomed")
    with psycopg.connect(f"postgresql://owner@{postgres}/shop") as con:
        con.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'")
    for _ in range(2):
        with pytest.raises(DataError, match=r"The postgres source gave no answer: .*\. Run it again") as lost:
            data.table("orders").count().execute()
        assert "127.0.0.1" not in str(lost.value)


def test_what_was_told_once_is_not_asked_again(shop, tmp_path, monkeypatch):
    address = f"{shop}?schema=billing"
    first, path = cs.load(address), tmp_path / "answers"
    save_answers(first, path)
    shared = {"path": str(path), "asked": made_from(address, "", None), "threads": 1, "warehouse": True}
    monkeypatch.setenv(AT_HAND, json.dumps(shared))
    monkeypatch.setattr(engine._Remembering, "_asked", lambda *_: pytest.fail("asked again"))
    again = cs.load(address)
    assert (again.statistics, again.faults, again.as_of) == (first.statistics, first.faults, first.as_of)
