"""A data set of somebody else reads its own tables, and nothing else of this machine."""

import os

import duckdb
import pytest

import cslib as cs
from cslib.data import sources
from cslib.errors import DataError

ORDERS = "customer_id,ordered_on,amount\n1,2025-01-01,5\n"
SECRET = "customer_id,ordered_on,amount\nsecret,2025-01-01,5\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of data, beside one that they must not read."""
    monkeypatch.setenv("CSLIB_FOLDERS", "")
    for name, text in (("own", ORDERS), ("other", SECRET)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "orders.csv").write_text(text)
    return tmp_path


def declared(place, *lines):
    (place / "own" / "cslib.toml").write_text("\n".join(lines))
    return place / "own"


def queried(place, query):
    return declared(place, "[orders]", f"query = '''{query}'''")


ATTACKS = [
    "select * from read_csv('{other}/orders.csv')",
    "select * from read_csv_auto('{other}/orders.csv')",
    "select * from '{other}/orders.csv'",
    'select * from "{other}/orders.csv"',
    "from '{other}/orders.csv'",
    "select content as customer_id, date '2025-01-01' as ordered_on, 1 as amount from read_text('{other}/orders.csv')",
    "select filename as customer_id, date '2025-01-01' as ordered_on, 1 as amount from read_blob('{other}/*')",
    "select file as customer_id, date '2025-01-01' as ordered_on, 1 as amount from glob('{other}/*')",
    "with x as (select * from read_csv('{other}/orders.csv')) select * from x",
    "select * from orders where amount in (select amount from read_csv('{other}/orders.csv'))",
    "select customer_id, ordered_on, (select content from read_text('{other}/orders.csv')) as amount from orders",
    "select * from orders union all select * from read_csv('{other}/orders.csv')",
    "select * from read_parquet('https://127.0.0.1:9/x.parquet')",
    "select * from 'https://127.0.0.1:9/x.csv'",
    "select name as customer_id, date '2025-01-01' as ordered_on, 1 as amount from duckdb_settings()",
    "select name as customer_id, date '2025-01-01' as ordered_on, 1 as amount from pg_catalog.pg_settings",
    "select table_name as customer_id, date '2025-01-01' as ordered_on, 1 as amount from information_schema.tables",
    "select current_setting('home_directory') as customer_id, ordered_on, amount from orders",
    "select getenv('HOME') as customer_id, ordered_on, amount from orders",
    "select * from query('select * from read_csv(''{other}/orders.csv'')')",
    "select * from query_table('orders')",
    "select delimiter as customer_id, date '2025-01-01' as ordered_on, 1 as amount from sniff_csv('{other}/orders.csv')",
    "select * from parquet_metadata('{other}/x.parquet')",
    "select * from sqlite_scan('{other}/x.db', 'x')",
    "select * from postgres_scan('host=127.0.0.1', 'public', 'x')",
    "attach '{other}/x.db'",
    "copy orders to '{other}/stolen.csv'",
    "pragma database_list",
    "set enable_external_access = true",
    "select 1; select * from read_csv('{other}/orders.csv')",
    "install httpfs",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_query_reads_its_own_tables_only(place, attack):
    with pytest.raises(
        DataError, match=r"reads .* no table of these data|must be one SELECT|The query of .orders. fails"
    ):
        cs.load(queried(place, attack.format(other=place / "other")))
    assert sorted(p.name for p in (place / "other").iterdir()) == ["orders.csv"]


@pytest.mark.parametrize("attack", [a for a in ATTACKS if "{other}" in a or "https" in a or "set " in a])
def test_what_a_query_says_is_not_all_that_protects(place, attack, monkeypatch):
    """The engine itself is locked, in case somebody finds words that we do not know."""
    monkeypatch.setattr(sources, "_refuse_reach", lambda *_: None)
    with pytest.raises(DataError, match="must be one SELECT|fails|cannot be read"):
        cs.load(queried(place, attack.format(other=place / "other")))


@pytest.mark.parametrize(
    "query",
    [
        "select * from orders",
        "with x as (select * from Orders) select * from x",
        "select o.* from orders o join (select 1 as i) s on s.i = 1",
        "select o.customer_id, o.ordered_on, n as amount from orders o, generate_series(1, 2) g(n)",
        "select customer_id, ordered_on, unnest([1, 2]) as amount from orders",
        "select customer_id, ordered_on, amount from orders where customer_id::text glob '1*'",
    ],
)
def test_an_honest_query_goes_through(place, query):
    assert cs.load(queried(place, query)).statistics["orders"]["rows"] >= 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['source = "../other"'], "source '../other' leads out"),
        (['source = "{other}"'], "leads out"),
        (["[orders]", 'table = "../other/orders.csv"'], "table '../other/orders.csv' leads out"),
        (["[orders]", 'table = "{other}/orders.csv"'], "leads out"),
        (['source = "duckdb://{other}/x.db"'], "The database 'x.db' leads out"),
    ],
)
def test_a_path_that_leads_out_is_refused_unless_who_calls_allows_it(place, lines, message, monkeypatch):
    with duckdb.connect(str(place / "other" / "x.db")) as con:
        con.execute("create table orders as select 1 as customer_id, date '2025-01-01' as ordered_on, 1 as amount")
    folder = declared(place, *(line.format(other=place / "other") for line in lines))
    with pytest.raises(DataError, match=message) as refused:
        cs.load(folder)
    assert "CSLIB_FOLDERS" in str(refused.value)
    monkeypatch.setenv("CSLIB_FOLDERS", os.pathsep.join([str(place / "no"), str(place / "other")]))
    assert cs.load(folder).statistics["orders"]["rows"] == 1


def test_a_link_that_leads_out_is_refused(place):
    (place / "own" / "orders.csv").unlink()
    (place / "own" / "orders.csv").symlink_to(place / "other" / "orders.csv")
    for folder in (place / "own", declared(place, "[orders]", "query = 'select * from orders'")):
        with pytest.raises(DataError, match="orders.csv leads out"):
            cs.load(folder)
    assert cs.load(place / "own" / "orders.csv").statistics["orders"]["rows"] == 1  # named by who calls


def test_variables_are_those_of_data_only(place, monkeypatch):
    with duckdb.connect(str(place / "own" / "x.db")) as con:
        con.execute("create table orders as select 1 as customer_id, date '2025-01-01' as ordered_on, 1 as amount")
    monkeypatch.setenv("CSLIB_DATABASE", "x")
    monkeypatch.setenv("TOKEN", "x")
    assert cs.load(declared(place, 'source = "duckdb://${CSLIB_DATABASE}.db"')).label == "own"
    with pytest.raises(DataError, match="variable TOKEN, which data may not read. Call it CSLIB_TOKEN"):
        cs.load(declared(place, 'source = "duckdb://$TOKEN.db"'))
    monkeypatch.setenv("CSLIB_VARIABLES", "OTHER,TOKEN")
    assert cs.load(declared(place, 'source = "duckdb://$TOKEN.db"')).label == "own"
    with pytest.raises(DataError, match="variable CSLIB_NONE, which is not set"):
        cs.load(declared(place, 'source = "duckdb://${CSLIB_NONE}.db"'))
    with pytest.raises(DataError, match=r"The variable \$\{TOKEN\} holds no connection URL"):
        cs.load(declared(place, 'source = "${TOKEN}"'))
    with pytest.raises(DataError, match=r"source 'x\$TOKEN' of own is not a folder"):
        cs.load(declared(place, 'source = "x$TOKEN"'))
    monkeypatch.setenv("CSLIB_URL", "duckdb://x.db")
    assert cs.load(declared(place, 'source = "$CSLIB_URL"')).label == "own"
    monkeypatch.delenv("CSLIB_VARIABLES")
    monkeypatch.chdir(place / "own")
    assert cs.load("duckdb://$TOKEN.db").label == "duckdb"  # written by who calls


def test_opening_makes_no_file(place, monkeypatch):
    monkeypatch.chdir(place)
    for data in ("duckdb://none.db", declared(place, 'source = "duckdb://none.db"')):
        with pytest.raises(DataError, match="The database 'none.db' is not there"):
            cs.load(data)
    assert not list(place.rglob("none.db"))
