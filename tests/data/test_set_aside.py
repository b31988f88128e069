"""Every rule of the contract, alone, by every way in: one faulty row is set aside, and the others are read as meant."""

import re
from collections import Counter
from collections.abc import Iterator

import pandas as pd
import pytest

from cslib import check, load
from cslib.data.contract import CONTRACT, SCALES

SOUND = {
    "customers": {"customer_id": ["a", "b"], "started_on": ["2024-01-01", "2024-02-01"], "churned_on": ["2024-05-01", None],
                  "churn_kind": [" Voluntary", None], "acquisition_cost": ["5", "6.5"], "mrr": ["10", "20"]},
    "subscriptions": {"customer_id": ["a", "b"], "started_on": ["2024-01-01", "2024-02-01"], "ended_on": ["2024-05-01", None], "mrr": ["1", "2"]},
    "orders": {"customer_id": ["a", "b"], "ordered_on": ["2024-01-01", "2024-02-01"], "amount": ["1", "2"], "kind": ["Renewal ", "UPSELL"]},
    "usage": {"customer_id": ["a", "b"], "occurred_at": ["2024-01-01 10:00:00", "2024-02-01 11:00:00"]},
    "surveys": {"customer_id": ["a", "b"], "asked_on": ["2024-01-01", "2024-02-01"], "survey": ["NPS", " Csat "], "score": ["10", "5"],
                "answered_on": ["2024-01-02", None]},
    "touchpoints": {"customer_id": ["a", "b"], "occurred_on": ["2024-01-01", "2024-02-01"], "kind": [" call", "Webinar "]},
    "costs": {"month": ["2024-01-01", "2024-02-01"], "kind": ["Acquisition", "RETENTION"], "amount": ["1", "2"]},
    "invoices": {"customer_id": ["a", "b"], "invoiced_on": ["2024-01-01", "2024-02-01"], "amount": ["1", "2"], "kind": ["Recurring ", "TAX"],
                 "line_start": ["2024-01-01", None], "line_end": ["2024-05-01", None], "currency": ["EUR", None], "subscription_id": ["s", None]},
    "movements": {"customer_id": ["a", "b"], "occurred_on": ["2024-01-01 10:00:00", "2024-02-01"], "kind": ["New", " expansion"],
                  "mrr": ["1", "2"], "change": ["1", None], "currency": ["EUR", None], "subscription_id": ["s", None]},
    "rates": {"currency": ["EUR", "USD"], "rate": ["1", "0.9"], "month": ["2024-01-01", "2024-01-01"]},
}  # fmt: skip
TENURES = {"customer_id": ["a", "b"], "tenure_months": ["3", "4"], "churned": ["Yes", "no"]}
WORDS = [("surveys", "survey", ["nps", "csat"]), ("costs", "kind", ["acquisition", "retention"]),
         ("orders", "kind", ["renewal", "upsell"]), ("customers", "churn_kind", ["voluntary", None]),
         ("touchpoints", "kind", ["call", "Webinar"])]  # fmt: skip
WAYS = ("csv", "parquet", "query")
UNREADABLE = {"date": "soon", "time": "soon", "number": "many", "flag": "perhaps"}


def faulty() -> Iterator[tuple[str, dict[str, str | None]]]:
    """Give each rule as a table and what of a sound row must change to break it."""
    for name, spec in CONTRACT.items():
        for column, asked in spec.items():
            if not asked.nullable:
                yield name, {column: None}
            if asked.kind in UNREADABLE:
                yield name, {column: UNREADABLE[asked.kind]}
            if asked.dated:
                yield name, {column: "2999-01-01"}
            if asked.minimum is not None:
                yield name, {column: "-1"}
            if asked.choices:
                yield name, {column: "else"}
    yield "customers", {"started_on": "2024-05-01", "churned_on": "2024-04-01"}
    yield "subscriptions", {"started_on": "2024-05-01", "ended_on": "2024-04-01"}
    yield "surveys", {"asked_on": "2024-05-01", "answered_on": "2024-04-01"}
    yield "invoices", {"line_start": "2024-05-01", "line_end": "2024-04-01"}
    for survey, (low, high) in SCALES.items():
        for score in (low - 1, high + 1, low + 0.5):
            yield "surveys", {"survey": survey.upper(), "score": str(score)}


APART = [["invoices", "rates"], ["movements"]]  # as one table tells what is paid
TOGETHER = [[name for name in CONTRACT if not any(name in group for group in APART)], *APART]


def unreadable(change: dict[str, str | None]) -> bool:
    """Tell whether a fault is one that no type can hold, so that its column is read as text."""
    return any(value in UNREADABLE.values() for value in change.values())


TURNS = [
    {name: [change for table, change in faulty() if table == name and unreadable(change) == as_text] for name in group}
    for group in TOGETHER
    for as_text in (False, True)
]


def with_faults(name, changes):
    """Give the rows of a table and more, each of them faulty in one way only."""
    bad = [{c: values[0] for c, values in SOUND[name].items()} for _ in changes]
    for i, (row, change) in enumerate(zip(bad, changes, strict=True)):
        row.update(({"customer_id": f"c{i}"} if "customer_id" in row else {}) | change)
    return {c: [*values, *(row[c] for row in bad)] for c, values in SOUND[name].items()}


def named(changes):
    """Count the columns that faults are told of: of two dates, the later one."""
    return Counter([*change][-1] for change in changes)


def written(folder, tables, way):
    """Write tables that set faulty rows aside."""
    options = ""
    for name, rows in tables.items():
        frame = pd.DataFrame(rows)
        if way == "parquet":
            of_types(frame, CONTRACT[name]).to_parquet(folder / f"{name}.parquet", index=False)
        else:
            frame.to_csv(folder / f"{'raw_' * (way == 'query')}{name}.csv", index=False)
        query = f'query = "select * from raw_{name}"\n' * (way == "query")
        options += f'[{name}]\non_fault = "set_aside"\n{query}'
    (folder / "cslib.toml").write_text(options)


def of_types(frame, spec):
    """Type the columns as databases do, unless a fault is one that no type can hold."""
    try:
        return pd.DataFrame({c: values.map(native(spec[c])) for c, values in frame.items()})
    except (KeyError, ValueError):
        return frame


def native(asked):
    if asked.kind == "number":
        return lambda v: None if v is None else float(v)
    return pd.Timestamp if asked.dated else lambda v: v


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_each_faulty_row_is_set_aside_for_its_fault_and_the_others_are_read(tmp_path, turn, way):
    written(tmp_path, {n: with_faults(n, changes) for n, changes in TURNS[turn].items()}, way)
    data = load(tmp_path, as_of="2024-12-31")
    assert data.set_aside.keys() == {n for n, changes in TURNS[turn].items() if changes}
    for name, rows in data.set_aside.items():
        assert Counter(reason.split(":")[0] for reason in rows["reason"]) == named(TURNS[turn][name])
    assert all(int(data.table(n).count().execute()) == 2 for n in TURNS[turn])
    for table, column, words in WORDS:
        if table in TURNS[turn]:
            assert sorted(data.table(table)[column].execute().dropna()) == sorted(w for w in words if w)


@pytest.mark.long
@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_frames_name_each_fault(turn):
    faults = check({n: pd.DataFrame(with_faults(n, changes)) for n, changes in TURNS[turn].items()}).faults
    for name, changes in TURNS[turn].items():
        own = [f.message for f in faults if f.severity == "error" and f.table == name]
        told = Counter()
        for column, n in [re.match(rf"{name}\.(\w+) has (\d+) row", message).groups() for message in own]:
            told[column] += int(n)
        assert told == named(changes)


@pytest.mark.parametrize("way", ["csv", "parquet", "query"])
@pytest.mark.parametrize(
    "change",
    [
        {"tenure_months": "-1"},
        {"tenure_months": "x"},
        {"tenure_months": None},
        {"churned": "perhaps"},
        {"churned": None},
    ],
)
def test_faulty_tenures_are_set_aside_by_every_way_in(tmp_path, change, way):
    bad = {"customer_id": "c", "tenure_months": "1", "churned": "no"} | change
    written(tmp_path, {"customers": {c: [*values, bad[c]] for c, values in TENURES.items()}}, way)
    data = load(tmp_path, as_of="2024-12-31")
    assert len(data.set_aside["customers"]) == 1
    assert sorted(data.table("customers").churned.execute()) == [False, True]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("copy", "left"), [({}, 2), ({"churned_on": "2024-06-01"}, 1)], ids=["repeated row", "duplicate id"]
)
def test_customers_that_are_there_twice_are_set_aside_by_every_way_in(tmp_path, copy, left, way):
    sound = SOUND["customers"]
    again = {c: values[0] for c, values in sound.items()} | copy
    written(tmp_path, {"customers": {c: [*values, again[c]] for c, values in sound.items()}}, way)
    data = load(tmp_path, as_of="2024-12-31")
    assert (len(data.set_aside["customers"]), int(data.table("customers").count().execute())) == (3 - left, left)


@pytest.mark.long
@pytest.mark.parametrize("way", [*WAYS, "frames"])
def test_words_are_read_as_meant_by_every_way_in(tmp_path, way):
    sound = {name: SOUND[name] for name in TOGETHER[0]}
    if way != "frames":
        written(tmp_path, sound, way)
    data = load(
        {n: pd.DataFrame(rows) for n, rows in sound.items()} if way == "frames" else tmp_path, as_of="2024-12-31"
    )
    for table, column, words in WORDS:
        assert sorted(data.table(table)[column].execute().dropna()) == sorted(w for w in words if w)
