"""The command: what it writes, prints and refuses, on data of strangers, and how little it reads."""

import gzip
import os
import shlex
import tomllib

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from propose_world import keys, loaded, sections, spent, written

from cslib.cli import main
from cslib.errors import DataError, ParameterError
from cslib.propose import look as looking
from cslib.propose import write as writing
from cslib.propose.look import ROWS, look
from cslib.propose.write import propose, value

ORDERS = "customer_id,ordered_on,amount\na,2024-01-05,5\nb,2024-02-05,6\n"
CSAT = "customer_id,asked_on,survey,score\na,2024-01-05,csat,5\nb,2024-02-05,csat,4\n"
SHOP = "Email,Created at,Total,Lineitem name\na@x.com,2024-01-05,5.5,Tea\na@x.com,2024-01-05,,Oil\nb@x.com,2024-02-05,6,Tea\n"


def run(*words):
    return CliRunner().invoke(main, ["init", *map(str, words)])


def test_it_writes_checks_and_names_the_next_command(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    done = run(tmp_path)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith('orders: "orders.csv" (sure): customer_id = "customer_id"')
    assert f"{tmp_path.name}: 0 errors, 1 warning. orders 2 rows" in lines
    assert lines[-1] == f"Next: cslib report --data {tmp_path}"
    assert tomllib.loads((tmp_path / "cslib.toml").read_text()) == {"orders": {}}


def test_the_next_command_names_the_survey_that_there_is(tmp_path):
    (tmp_path / "surveys.csv").write_text(CSAT)
    assert run(tmp_path).output.splitlines()[-1].endswith(" -p survey=csat")


def test_effort_has_a_scale_and_a_direction(tmp_path):
    (tmp_path / "effort.csv").write_text("Customer ID,Survey Date,How easy was it?\na,2024-01-05,7\nb,2024-02-05,2\n")
    last = run(tmp_path).output.splitlines()[-1]
    assert last.endswith("-p survey=ces -p ces_scale=7 -p ces_lower_is_easier=false")


def test_a_file_gets_its_proposal_beside_it(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "surveys.csv").write_text(CSAT)
    assert run(tmp_path / "orders.csv").exit_code == 0
    read = tomllib.loads((tmp_path / "cslib.toml").read_text())
    assert read == {"source": "", "orders": {"table": "orders.csv"}}  # and surveys.csv is not read by its name


def test_errors_of_the_check_end_with_1_and_say_what_to_do(tmp_path):
    (tmp_path / "surveys.csv").write_text(CSAT.replace("csat,5", "csat,9"))
    done = run(tmp_path)
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == f"Correct cslib.toml or the data, then check again: cslib check {tmp_path}"


@pytest.mark.parametrize("kind", ["file", "link to nowhere"])
def test_it_never_overwrites(tmp_path, kind):
    (tmp_path / "orders.csv").write_text(ORDERS)
    there = tmp_path / "cslib.toml"
    there.write_text("# mine\n") if kind == "file" else there.symlink_to(tmp_path / "gone.toml")
    done = run(tmp_path)
    assert done.exit_code == 2
    assert "never overwrites" in done.output
    assert not (tmp_path / "gone.toml").exists()
    assert kind != "file" or there.read_text() == "# mine\n"


def test_nor_what_came_while_it_looked(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    proposal = propose(str(tmp_path))
    (tmp_path / "cslib.toml").write_text("# mine\n")
    with pytest.raises(ValueError, match="never overwrites"):
        writing.write(proposal)
    assert (tmp_path / "cslib.toml").read_text() == "# mine\n"


def test_what_is_not_there_is_said(tmp_path):
    done = run(tmp_path / "nowhere")
    assert done.exit_code == 2
    assert "is not there. Name a folder" in done.output


def test_an_empty_folder(tmp_path):
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "It holds no CSV or Parquet file." in done.output
    assert not (tmp_path / "cslib.toml").exists()


def test_a_folder_with_nothing_usable_says_why_file_by_file(tmp_path):
    (tmp_path / "weather.csv").write_text("day,rain\n2024-01-05,5\n2024-01-06,0\n")
    (tmp_path / "letters.csv").write_text("a,b\nx,y\nz,w\n")
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "none.csv").write_text("")
    (tmp_path / "SHOUT.CSV").write_text(ORDERS)
    with pytest.raises(DataError) as error:
        propose(str(tmp_path))
    assert '"book.xlsx" is a workbook' in str(error.value)
    assert '"none.csv" is an empty file' in str(error.value)
    assert '"SHOUT.CSV" has an ending in capitals' in str(error.value)
    assert '"letters.csv" has no column for an id of customers or a date' in str(error.value)
    assert '"weather.csv" has no column for an id of customers.' in str(error.value)


def test_what_is_left_out_is_said_beside_what_is_taken(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "letters.csv").write_text("a,b\nx,y\nz,w\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "orders.csv").write_text(ORDERS)
    out = run(tmp_path).output
    assert 'left out: "letters.csv" has no column for an id of customers or a date.' in out
    assert 'left out: "sub" is a folder' in out
    assert '# Left out: "letters.csv" has no column' in (tmp_path / "cslib.toml").read_text()


HOSTILE = [
    'a"b', "a]\n[targets]\ntax = 1\n#x", "\x1b[2J\x1b[31mred", "x'); DROP TABLE orders; --", "\u202egnp.exe", "a\tb", "ünï çødé",
    "a\\", "{0}%s$HOME`ls`", "=cmd|' /C calc'!A0", "  ",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_strangers_stay_names(tmp_path, name):
    cell = '"' + f"Total {name}".replace('"', '""').replace("\n", " ") + '"'
    text = SHOP.replace("Total", cell).replace("Lineitem name", '"' + name.replace('"', '""').replace("\n", " ") + '"')
    file = (name.replace("/", "").replace("\x00", "").strip() or "blank") + ".csv"
    found = written(tmp_path, {file: text})
    assert list(keys(found)) == ["orders"]
    assert all(line.isprintable() for line in (*found.lines, *found.text.splitlines()))
    assert spent(loaded(found)) == 11.5


def test_the_terminal_gets_no_control_signs(tmp_path):
    (tmp_path / "o\x1b[2Jrders.csv").write_text(SHOP.replace("Lineitem name", "\x1b[31mred").replace("b@", "\x07b@"))
    out = run(tmp_path).output
    assert all(line.isprintable() for line in out.splitlines())
    assert "\\u001b[2J" in out


@given(st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.integers(-9, 9)))
def test_what_is_written_reads_back(text, texts, words):
    written_as = "\n".join(f"{k} = {value(v)}" for k, v in (("a", text), ("b", texts), ("c", {"d": words})))
    assert tomllib.loads(written_as) == {"a": text, "b": texts, "c": {"d": words}}


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "secret.csv").write_text(ORDERS)
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match="is a link that leads out of the folder"):
        propose(str(data))


def test_a_relative_path_serves_with_a_query_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.csv").write_text(SHOP)
    done = run("shop")
    assert "query" in (tmp_path / "shop" / "cslib.toml").read_text()
    assert (done.exit_code, shlex.split(done.output.splitlines()[-1])[-1]) == (0, "shop")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "Kundennummer;Bestelldatum;Betrag\nMüller – 1;05.01.2024;5,50\nÖzil;17.02.2024;6,00\n"
    assert spent(loaded(written(tmp_path, {"bestellungen.csv": text}, encoding))) == 11.5


def test_compressed_text(tmp_path):
    (tmp_path / "sales.csv.gz").write_bytes(gzip.compress(ORDERS.encode()))
    found = propose(str(tmp_path))
    writing.write(found)
    assert spent(loaded(found)) == 11.0


def test_a_database_is_looked_into(tmp_path):
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as con:
        con.sql(
            "CREATE TABLE sales AS SELECT 'c' || i AS client_id, DATE '2024-01-01' + i::INT AS order_date, 2.5 AS total FROM range(10) t(i)"
        )
        con.sql("CREATE TABLE letters AS SELECT 'a' AS a")
    url = f"duckdb://{tmp_path / 'crm.duckdb'}"
    done = run(url)
    assert done.exit_code == 0
    assert 'left out: "letters"' in done.output
    read = tomllib.loads((tmp_path / "cslib.toml").read_text())
    assert read["source"] == "duckdb://crm.duckdb"
    assert read["orders"]["table"] == "sales"


def test_a_password_is_never_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = looking.Place(tmp_path, (look_of(tmp_path),), source=looking._address("postgresql://joe:secret@host/shop"))
    monkeypatch.setattr(writing, "look", lambda data: place)
    found = propose("postgresql://joe:secret@host/shop")
    assert keys(found)["source"] == "${CSLIB_SOURCE}"
    assert "secret" not in found.text + "".join(found.lines + found.next_steps(0))
    assert found.next_steps(0)[0].startswith("Set CSLIB_SOURCE in the environment")


def test_what_cannot_be_read_is_left_out_and_said(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "orders.csv").write_text(ORDERS)
    (data / "again.csv").symlink_to(data / "orders.csv")
    (data / "gone.csv").symlink_to(data / "nothing.csv")
    (data / "loop.csv").symlink_to(data / "loop.csv")
    (data / "empty.csv").write_text("")
    (data / "blank.csv").write_text("\n\n")
    (data / "bad.csv.gz").write_bytes(b"x")
    (data / "bad.parquet").write_bytes(b"x" * 40)
    (data / "noise.csv").write_bytes(bytes(range(256)) * 4)
    (data / "copy.csv").write_text(ORDERS)
    (data / "own").mkdir()
    (data / "own" / "cslib.toml").write_text("")
    os.mkfifo(data / "pipe.csv")
    made = propose(str(data))
    said = made.left_out
    assert [s.match.look.name for s in made.sections] == ["orders.csv"]
    assert said["again.csv"] == "is a link to orders.csv, which is read itself"
    assert said["copy.csv"] == "has the same rows as orders.csv"
    assert said["gone.csv"] == said["loop.csv"] == "is a link that leads nowhere"
    assert said["empty.csv"] == said["blank.csv"] == "is an empty file. Export it again, with a header line and rows"
    assert said["own"] == "is a folder with a cslib.toml of its own: name it in place of this one"
    assert said["pipe.csv"] == "is no file"
    assert all(
        said[name].startswith(("cannot be read", "is no", "is not"))
        for name in ("bad.csv.gz", "bad.parquet", "noise.csv")
    )


def test_what_is_not_there_is_said_before_what_is(tmp_path):
    (tmp_path / "cslib.toml").write_text("# mine\n")
    with pytest.raises(ParameterError, match="'.*gone' is not there. Name a folder"):
        propose(str(tmp_path / "gone"))


def look_of(folder):
    (folder / "orders.csv").write_text(ORDERS)
    return look(str(folder / "orders.csv")).looks[0]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_of_a_large_file_only_samples_are_read(tmp_path, suffix, monkeypatch):
    """300,000 rows as 3,000: a sample of the same size, which knows the last day, and a check of no more."""
    days = "DATE '2020-01-01' + (i // 300)::INT"
    query = f'SELECT \'C-\' || (i * 7919 % 5000) AS "Customer ID", {days} AS "Order Date", i % 100 / 4 AS Total FROM range({{}}) t(i)'
    sizes = {}
    for n in (3_000, 300_000):
        folder = tmp_path / str(n)
        folder.mkdir()
        duckdb.sql(
            f"COPY ({query.format(n)}) TO '{folder / 'sales'}.{suffix}' {'(ROW_GROUP_SIZE 20000)' if suffix == 'parquet' else ''}"
        )
        monkeypatch.setattr(looking, "HEAD", 1 << 14)
        monkeypatch.setattr(writing, "LARGE", 1)
        found = propose(str(folder))
        sizes[n] = found.sections[0].match.look.rows
        with writing.to_check(found) as path:
            rows = loaded_rows(path)
        assert (found.whole, rows <= ROWS + 1) == (False, True)
    assert max(sizes.values()) <= ROWS + 1
    assert f"# as_of = {'2022-' if suffix == 'csv' else '2022-0'}" in found.text
    assert keys(found)["orders"]["columns"]["customer_id"] == "Customer ID"


def loaded_rows(path):
    from cslib import load

    return load(path).table("orders").count().execute()


def test_the_bytes_that_are_read_do_not_grow_with_the_file(tmp_path, monkeypatch):
    """A file of 200 MB, most of it a hole that would be no rows: whoever read it all would fail."""
    path = tmp_path / "orders.csv"
    with path.open("wb") as file:
        file.write(b"customer_id,ordered_on,amount\n" + b"a,2024-01-05,5\n" * 400_000)
        file.seek(200 << 20)
        file.write(b"\nb,2024-03-05,5\n" * 10)
    assert os.path.getsize(path) > 200 << 20
    opened = []
    real = looking._opened
    monkeypatch.setattr(looking, "_opened", lambda p: opened.append(p) or real(p))
    (seen,) = look(str(path)).looks
    assert not seen.whole
    assert seen.rows <= ROWS + 1
    assert sections(propose(str(tmp_path)))["orders"].sure == "sure"
