"""A server is looked into: its tables are proposed, and its address stays in the environment."""

import tomllib

import engine_world
import ibis
import pytest
from click.testing import CliRunner

import cslib as cs
from cslib.cli import main

pytestmark = pytest.mark.slow


def test_tables_of_a_server_are_proposed(postgres, tmp_path, monkeypatch):
    sales = {
        "client_id": ["a", "b", "a"],
        "order_date": ["2024-01-05", "2024-02-05", "2024-02-06"],
        "total_cents": [550, 600, 100],
    }
    url = engine_world.fill(postgres, "crm", {"sales": ibis.memtable(sales), "letters": ibis.memtable({"a": ["x"]})})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["init", url])
    assert done.exit_code == 0, done.output
    assert 'left out: "letters" has no column for an id of customers or a date.' in done.output
    assert "Set CSLIB_SOURCE in the environment" in done.output
    text = (tmp_path / "cslib.toml").read_text()
    assert url not in text + done.output
    assert tomllib.loads(text)["source"] == "${CSLIB_SOURCE}"
    monkeypatch.setenv("CSLIB_SOURCE", url)
    orders = cs.load("cslib.toml").table("orders")
    assert round(float(orders.amount.sum().execute()), 2) == 12.50


def test_a_server_without_a_table_of_ours_is_not_named_by_its_address(postgres, tmp_path, monkeypatch):
    url = engine_world.fill(postgres, "empty", {"letters": ibis.memtable({"a": ["x"]})})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["init", url])
    assert (done.exit_code, "Nothing in the postgresql source can be taken" in done.output) == (1, True)
    assert url not in done.output
