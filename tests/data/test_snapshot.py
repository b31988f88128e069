"""A data set kept in a file is the one that was loaded: every table, every remark, every figure."""

import json
import os
import pickle
from dataclasses import fields, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

import cslib as cs
from cslib.data.dataset import rewind
from cslib.data.snapshot import AT_HAND, made_from, opened, save, save_answers, saved_answers
from cslib.errors import DataError, ParameterError

CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["007", "b'c", "ü", "d"],
        "started_on": ["2024-01-31", "2024-02-01", "2024-03-05", "2024-05-01"],
        "churned_on": [None, "2024-12-01", None, "2025-09-01"],
        "plan": ["a", "b", None, 'x"y'],
        "flag": ["yes", "no", "", "yes"],
    }
)
SUBSCRIPTIONS = pd.DataFrame(
    {
        "customer_id": ["007", "007", "b'c", "ü"],
        "started_on": ["2024-01-31", "2024-06-01", "2024-02-01", "2024-03-05"],
        "ended_on": ["2024-03-31", None, None, None],
        "mrr": ["10.10", "20", "5.5", "-3"],
    }
)
TOML = 'as_of = "2025-06-30"\ncurrency = "EUR"\ngross_margin = 0.75\nvalue_feature = "reports"\n[targets]\nnps = 40\n[subscriptions]\non_fault = "set_aside"\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir()
    CUSTOMERS.to_csv(tmp_path / "own" / "customers.csv", index=False)
    SUBSCRIPTIONS.to_csv(tmp_path / "own" / "subscriptions.csv", index=False)
    (tmp_path / "own" / "cslib.toml").write_text(TOML)
    return tmp_path / "own"


def kept(data: cs.DataSet, path: Path) -> cs.DataSet:
    assert save(data, path)
    return opened(path)


def assert_same(data: cs.DataSet, other: cs.DataSet) -> None:
    for name in (f.name for f in fields(data) if f.name not in ("tables", "set_aside", "unfiltered", "kept")):
        assert getattr(other, name) == getattr(data, name), name
    assert other.describe() == data.describe()
    assert list(other.tables) == list(data.tables)
    for name, table in data.tables.items():
        assert other.tables[name].schema() == table.schema()
        pd.testing.assert_frame_equal(other.tables[name].execute(), table.execute())
    assert other.set_aside.keys() == data.set_aside.keys()
    for name, rows in data.set_aside.items():
        pd.testing.assert_frame_equal(other.set_aside[name], rows)


@pytest.mark.long
def test_everything_is_kept(folder, tmp_path):
    data = cs.load(folder)
    assert data.set_aside["subscriptions"]["mrr"].tolist() == ["-3"]
    assert_same(data, kept(data, tmp_path / "kept.cslib"))


@pytest.mark.parametrize("name", ["parquet", "tenures", "derived", "pauses"])
def test_everything_is_kept_of_other_ways_in(name, folder, tmp_path):
    if name == "parquet":
        typed = CUSTOMERS.assign(started_on=pd.to_datetime(CUSTOMERS["started_on"]), score=np.float32(0.1))
        typed.to_parquet(tmp_path / "customers.parquet")
        data = cs.load(tmp_path / "customers.parquet")
    elif name == "tenures":
        data = cs.load({"customers": pd.DataFrame({"customer_id": [1, 2], "tenure_months": [3, 4], "churned": [1, 0]})})
    else:
        data = cs.load({"subscriptions": SUBSCRIPTIONS[:3]}, as_of="2025-06-30", pause_months=3 * (name == "pauses"))
    assert_same(data, kept(data, tmp_path / "kept.cslib"))


@pytest.mark.long
def test_what_is_kept_answers_alike(folder, tmp_path):
    own, other = cs.load(folder, where="plan=a"), tmp_path / "it's kept.cslib"
    save(cs.load(folder), other)
    again = cs.load(other, where="plan=a")
    assert again.everybody.statistics == own.everybody.statistics
    assert_same(own, replace(again, label="own"))
    for data in (own, again):
        assert rewind(data, pd.Timestamp("2024-04-30").date()).statistics["subscriptions"]["rows"] == 1
    assert cs.Revenue(again).answer.text == cs.Revenue(own).answer.text


@pytest.mark.long
def test_a_file_of_another_day_or_kind_is_refused(folder, tmp_path):
    path = tmp_path / "kept.cslib"
    save(cs.load(folder), path)
    assert cs.load(path, as_of="2025-06-30", pause_months=0).label == "kept.cslib"
    with pytest.raises(ParameterError, match="made as of 2025-06-30. Load the source itself"):
        cs.load(path, as_of="2025-05-31")
    with pytest.raises(ParameterError, match="made with pause_months 0"):
        cs.load(path, pause_months=2)
    for name, content in (("text.cslib", b"a,b\n1,2\n"), ("empty.cslib", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ParameterError, match=f"{name} is no snapshot of cslib.*cslib load DATA --to FILE"):
            cs.load(tmp_path / name)
    duckdb.connect(str(tmp_path / "other.cslib")).close()
    with pytest.raises(ParameterError, match="no snapshot"):
        cs.load(tmp_path / "other.cslib")


@pytest.mark.long
def test_a_snapshot_is_never_half_written(folder, tmp_path, monkeypatch):
    data, path = cs.load(folder), tmp_path / "kept.cslib"
    save(data, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        save(data, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if "kept" in p.name] == ["kept.cslib"]


@pytest.mark.long
def test_what_is_at_hand_is_taken_for_the_same_only(folder, tmp_path, monkeypatch):
    path = tmp_path / "kept.cslib"
    save(cs.load(folder), path)
    at_hand = {"path": str(path), "asked": made_from(folder, "", None), "threads": 1, "warehouse": False}
    monkeypatch.setenv(AT_HAND, json.dumps(at_hand))
    (folder / "customers.csv").write_text("nothing that could be loaded\n")
    assert cs.load(folder).statistics["customers"]["rows"] == 4
    assert cs.load(folder, where="plan=a").statistics["customers"]["rows"] == 1
    for more in ({"as_of": "2025-05-31"}, {"pause_months": 1}):
        with pytest.raises(DataError, match="customers"):
            cs.load(folder, **more).table("customers")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="customers"):
        cs.load(folder).table("customers")


ANSWERS = {
    "a": pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan], "t": ["ü'", None], "b": [True, False]}),
    "b": pd.DataFrame(
        {"day": pd.to_datetime(["2024-02-29", None]).as_unit("s"), "none": pd.Series([None] * 2, dtype=object)}
    ),
    "c": pd.DataFrame({"t": pd.Series([], dtype=object)}),
    **{"d": 2**53 + 1, "e": 0.1, "f": "text", "g": True, "h": None, "i": pd.Timestamp("2024-02-29").as_unit("s")},
}


def test_answers_of_a_warehouse_are_kept_as_they_are(tmp_path):
    path = tmp_path / "answers"
    save_answers(replace(cs.load({"customers": CUSTOMERS}), answers=ANSWERS | {"odd": pd.Series([object()])}), path)
    again = saved_answers(path)
    assert again.keys() == ANSWERS.keys()
    for name, answer in ANSWERS.items():
        if isinstance(answer, pd.DataFrame):
            pd.testing.assert_frame_equal(again[name], answer)
        else:
            assert (type(again[name]), again[name]) == (type(answer), answer)


class _Trap:
    def __reduce__(self):
        return os.mkdir, ("caught",)


@pytest.mark.long
def test_answers_of_somebody_else_run_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "answers"
    path.write_bytes(pickle.dumps({"q": _Trap()}))
    shared = {"path": str(path), "asked": made_from(folder, "", None), "threads": 1, "warehouse": True}
    monkeypatch.setenv(AT_HAND, json.dumps(shared))
    assert cs.load(folder).statistics["customers"]["rows"] == 4
    assert not (tmp_path / "caught").exists()
