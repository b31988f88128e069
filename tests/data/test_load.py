"""The data contract: every fault, alone and together, with its message."""

import gzip
import re
import tempfile
import time
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import ibis
import numpy as np
import pandas as pd
import pytest

from cslib import DataError, ParameterError, check, load
from cslib.churn.rates import churn_rates
from cslib.data.dataset import rewind
from cslib.data.lifetimes import lifetimes
from cslib.revenue.movements import movements

CUSTOMERS = {"customer_id": ["00123", "00124"], "started_on": ["2025-01-01", "2025-02-01"], "churned_on": [None, None]}
ORDERS = {"customer_id": ["00123"], "ordered_on": ["2025-01-03"], "amount": [9.5]}
SURVEYS = {"customer_id": ["1"], "asked_on": ["2025-01-03"], "survey": ["nps"], "score": [9]}
SUBSCRIPTIONS = {"customer_id": ["1"], "started_on": ["2025-01-03"], "ended_on": [None], "mrr": [10.0]}
USAGE = {"customer_id": ["1"], "occurred_at": ["2025-01-03 10:00:00"]}
TOUCHPOINTS = {"customer_id": ["1"], "occurred_on": ["2025-01-03"], "kind": ["webinar"]}
COSTS = {"month": ["2025-01-01"], "kind": ["acquisition"], "amount": [100]}


def frames(name, base, **changed):
    return {name: pd.DataFrame(base | changed)}


def messages(data, **options):
    return [f.message for f in check(data, **options).faults]


def test_all_seven_tables_load():
    everything = {
        "customers": CUSTOMERS, "orders": ORDERS, "surveys": SURVEYS, "subscriptions": SUBSCRIPTIONS,
        "usage": USAGE, "touchpoints": TOUCHPOINTS, "costs": COSTS,
    }  # fmt: skip
    data = load({n: pd.DataFrame(t) for n, t in everything.items()})
    assert list(data.tables) == ["customers", "subscriptions", "orders", "usage", "surveys", "touchpoints", "costs"]
    assert data.table("costs").amount.execute().tolist() == [100.0]
    assert data.table("usage").occurred_at.execute()[0] == pd.Timestamp("2025-01-03 10:00")


FAULTS = [
    (frames("customers", CUSTOMERS, customer_id=["1", None]), r"customers.customer_id has 1 row with no id \(first: nothing in row 2\)"),
    (frames("customers", CUSTOMERS, customer_id=["1", "  "]), r"1 row with no id"),
    (frames("customers", CUSTOMERS, customer_id=["1", "1"]), r"2 rows with an id that is there more than once \(first: 1 in row 1, 1 in row 2\)"),
    (frames("customers", CUSTOMERS, started_on=["2025-01-01", "03/02/2025"]), r"started_on has 1 row with a value that is no date \(first: 03/02/2025 in row 2\). Write dates as YYYY-MM-DD. Correct them first"),
    (frames("customers", CUSTOMERS, started_on=["2025-01-01", "2025-02-30"]), r"no date \(first: 2025-02-30 in row 2\)"),
    (frames("customers", CUSTOMERS, started_on=["2025-01-01", None]), r"started_on has 1 row with no value"),
    (frames("customers", CUSTOMERS, started_on=[20250101, 20250102]), r"2 rows with a value that is no date"),
    (frames("customers", CUSTOMERS, churned_on=["2024-12-31", None]), r"churned_on has 1 row with a date before started_on \(first: 2024-12-31 in row 1\)"),
    (frames("customers", CUSTOMERS, churned_on=["3000-12-31", None]), r"a date outside 1900–2199 \(first: 3000-12-31 in row 1\). Leave it empty for still running"),
    (frames("customers", CUSTOMERS, churn_kind=["voluntary", "lost"]), r"a value other than voluntary, involuntary \(first: lost in row 2\)"),
    (frames("subscriptions", SUBSCRIPTIONS, mrr=[-1]), r"subscriptions.mrr has 1 row with a value below 0 \(first: -1 in row 1\)"),
    (frames("subscriptions", SUBSCRIPTIONS, mrr=["1,000.50"]), r"no number \(first: 1,000.50 in row 1\)"),
    (frames("subscriptions", SUBSCRIPTIONS, ended_on=["2025-01-02"]), r"a date before started_on"),
    (frames("orders", ORDERS, amount=["nan"]), r"orders.amount has 1 row with a value that is no number \(first: nan"),
    (frames("orders", ORDERS, amount=[np.inf]), r"no number"),
    (frames("orders", ORDERS, kind=["gift"]), r"other than new, renewal, upsell, cross_sell \(first: gift"),
    (frames("surveys", SURVEYS, score=[11]), r"surveys.score has 1 row with a score outside the whole numbers 0–10 \(nps\) \(first: 11 in row 1\)"),
    (frames("surveys", SURVEYS, score=[8.5]), r"outside the whole numbers 0–10"),
    (frames("surveys", SURVEYS, survey=["csat"], score=[0]), r"outside the whole numbers 1–5 \(csat\)"),
    (frames("surveys", SURVEYS, score=[-2147483648]), r"first: -2147483648"),
    (frames("surveys", SURVEYS, survey=["pulse"]), r"other than nps, csat, ces"),
    (frames("surveys", SURVEYS, asked_on=[None]), r"asked_on has 1 row with no value.*An answer without an invitation takes the day it was given"),
    (frames("surveys", SURVEYS, answered_on=["2025-01-01"]), r"answered_on has 1 row with a date before asked_on"),
    (frames("orders", {"customer_id": ["1"], "orderd_on": ["2025-01-01"], "amount": [1]}), r"no column 'ordered_on'. Did you mean 'orderd_on'\?.*Rename it\.$"),
    (frames("customers", {"customer_id": ["1"]}), r"no column 'started_on'.*Or give tenure_months and churned"),
    (frames("orders", ORDERS, customer_id=[], ordered_on=[], amount=[]), r"orders has no rows. Supply some"),
    ({"customers": pd.DataFrame({"customer_id": ["1"], "tenure_months": [-3], "churned": ["perhaps"]})}, r"neither true nor false \(first: perhaps"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "pattern"), FAULTS)
def test_each_fault_alone(data, pattern):
    with pytest.raises(DataError, match=pattern):
        load(data)


@pytest.mark.slow
def test_all_faults_together():
    together = {}
    for data, _ in FAULTS[:23:4]:
        together |= data
    listed = "\n".join(messages(together))
    for name in together:
        assert name in listed
    with pytest.raises(DataError, match=r"has \d faults:\n- .*\n- "):
        load(together | {"orders": pd.DataFrame(ORDERS | {"amount": [None], "customer_id": [None]})})


def test_two_currencies():
    data = frames("orders", ORDERS, currency=["EUR"]) | frames("subscriptions", SUBSCRIPTIONS, currency=["USD"])
    with pytest.raises(DataError, match=r"2 currencies \(EUR, USD\). Convert them"):
        load(data)
    same = frames("orders", ORDERS, currency=["eur "]) | frames("subscriptions", SUBSCRIPTIONS, currency=["EUR"])
    assert load(same).currency == "EUR"


WARNINGS = [
    (frames("customers", CUSTOMERS, customer_id=["17850.0", "2"]), {}, r"customer_id has 1 row with an id that looks like a decimal \(first: 17850.0"),
    (frames("customers", CUSTOMERS, customer_id=["ab", "AB "]), {}, r"1 id differing from another only by case or blanks"),
    ({n: pd.concat([t, t]) for n, t in frames("orders", ORDERS).items()}, {}, r"orders has 1 row repeating another exactly"),
    (frames("customers", CUSTOMERS), {"as_of": "2025-01-31"}, r"customers.started_on is after as_of 2025-01-31 in 1 row, left out"),
    (frames("customers", CUSTOMERS) | frames("surveys", SURVEYS, customer_id=["00123"], asked_on=["2024-01-01"]), {}, r"surveys.asked_on has 1 row before the customer's start"),
    (frames("customers", CUSTOMERS) | frames("surveys", SURVEYS, customer_id=["9"]), {}, r"surveys.customer_id has 1 row of customers not in the customers table"),
    (frames("surveys", SURVEYS, score=[6], label=["Passives"]), {}, r"surveys.label calls 1 answer another thing than the score says \(first: 6 called Passives\); the score counts"),
    ({"surveys": pd.DataFrame(SURVEYS).loc[[0, 0]]}, {}, r"surveys has 1 row repeating another exactly, of which one counts"),
    (frames("customers", CUSTOMERS) | frames("orders", ORDERS, ordered_on=["2024-01-01"]), {}, r"orders.ordered_on has 1 row before the customer's start"),
    (frames("customers", CUSTOMERS) | frames("orders", ORDERS, customer_id=["9"]), {}, r"orders.customer_id has 1 row of customers not in the customers table"),
    (frames("customers", CUSTOMERS), {"as_of": "2025-03-15"}, r"March 2025 is observed only up to 2025-03-15"),
    (frames("subscriptions", {"customer_id": ["1", "1"], "started_on": ["2025-01-01", "2025-02-01"], "ended_on": ["2025-03-01", None], "mrr": [1, 2]}), {}, r"1 row starting before an earlier one of the customer ends"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "options", "pattern"), WARNINGS)
def test_each_warning_is_said_and_does_not_stop(data, options, pattern):
    found = load(data, **options)
    assert any(pd.Series([f.message]).str.contains(pattern).all() for f in found.faults if f.severity == "warning")


def test_empty_segments_are_counted(tmp_path):
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on,plan\n1,2025-01-01,,\n2,2025-01-01,,Pro\n"
    )
    (tmp_path / "cslib.toml").write_text('[customers]\nsegments = ["plan"]\n')
    assert "customers.plan is empty in 1 row; they count as (missing)." in messages(tmp_path)


def test_left_truncation_is_suspected():
    starts = pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")
    ends = [None] * 199 + ["2022-01-01"]
    data = {
        "customers": pd.DataFrame(
            {"customer_id": [str(i) for i in range(200)], "started_on": starts, "churned_on": ends}
        )
    }
    assert any("earlier losses seem unrecorded. Set observed_from" in m for m in messages(data))


def test_ids_stay_text():
    frame = pd.DataFrame({"customer_id": [17850.0, 17851.0], "started_on": ["2025-01-01"] * 2, "churned_on": None})
    assert sorted(load({"customers": frame}).table("customers").customer_id.execute()) == ["17850", "17851"]
    mixed = frame.assign(customer_id=["00123", 17850.0])
    assert sorted(load({"customers": mixed}).table("customers").customer_id.execute()) == ["00123", "17850"]


def test_inputs_are_not_changed():
    frame = pd.DataFrame(ORDERS)
    before = frame.copy()
    load({"orders": frame})
    pd.testing.assert_frame_equal(frame, before)


def write(folder, text, name="customers.csv", encoding="utf-8", **options):
    (folder / name).write_bytes(text.encode(encoding, **options))
    return folder


HEAD = "customer_id,started_on,churned_on,city\n"


def test_text_files_of_every_kind(tmp_path):
    rows = '00123,2025-01-01,,"Köln, West"\r\n00124,2025-02-01,2025-03-01,\r\n\r\n'  # lines end in both ways
    write(tmp_path, "\ufeff" + HEAD.replace("\n", "\r\n") + rows)
    found = load(tmp_path).table("customers").execute()
    assert found.customer_id.tolist() == ["00123", "00124"]
    assert found.city.tolist() == ["Köln, West", None]
    (tmp_path / "customers.csv").unlink()
    (tmp_path / "customers.csv.gz").write_bytes(gzip.compress((HEAD + rows).encode()))
    assert len(load(tmp_path).table("customers").execute()) == 2


def test_latin_1_is_named_and_can_be_declared(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,Köln\n", encoding="latin-1")
    with pytest.raises(DataError, match=r'customers.csv is not UTF-8 text \(first in line 2\).*encoding = "latin-1"'):
        load(tmp_path)
    (tmp_path / "cslib.toml").write_text('[customers]\nencoding = "latin-1"\n')
    assert load(tmp_path).table("customers").city.execute().tolist() == ["Köln"]


def test_latin_1_in_the_header(tmp_path):
    with pytest.raises(DataError, match=r"customers.csv is not UTF-8 text \(first in its header\)"):
        load(write(tmp_path, HEAD.replace("city", "stadt_köln"), encoding="latin-1"))


def garbage(tmp_path, on_fault="stop"):
    good = [f"{i:05d},2025-01-{i % 28 + 1:02d},,x" for i in range(90)]
    bad = (
        ["only one field"] * 4
        + ["a,b,c,d,e,f"] * 3
        + ["00200,yesterday,,x", ",2025-01-01,,x", "00201,2025-01-05,2024-01-01,x"]
    )
    write(tmp_path, HEAD + "\n".join(good[:50] + bad + good[50:]) + "\n")
    (tmp_path / "cslib.toml").write_text(f'[customers]\non_fault = "{on_fault}"\n')
    return tmp_path


def test_ten_percent_garbage_stops_with_every_fault(tmp_path):
    with pytest.raises(DataError) as error:
        load(garbage(tmp_path))
    for part in (
        "7 broken lines",
        "line 52: 'only one field'",
        "1 row with no id",
        "yesterday in row",
        "before started_on",
    ):
        assert part in str(error.value)


def test_ten_percent_garbage_set_aside_is_counted_and_kept(tmp_path):
    data = load(garbage(tmp_path, "set_aside"))
    assert data.statistics["customers"]["rows"] == 90
    aside = data.set_aside["customers"]
    assert len(aside) == 10
    assert aside.reason.value_counts().to_dict() == {
        "broken line": 7, "started_on: unreadable": 1, "customer_id: empty": 1, "churned_on: end before start": 1,
    }  # fmt: skip
    assert aside.loc[aside.reason == "started_on: unreadable", "started_on"].tolist() == ["yesterday"]
    assert data.describe()["tables"][0]["set_aside"] == 10
    assert sum("left out (set_aside_customers)" in m for m in data.describe()["warnings"]) == 4


def test_nothing_left_after_setting_aside(tmp_path):
    write(tmp_path, HEAD + "1,never,,x\n")
    (tmp_path / "cslib.toml").write_text('[customers]\non_fault = "set_aside"\n')
    with pytest.raises(DataError, match="All rows of customers have faults"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "customers.csv is an empty file"),
        (HEAD, "customers has no rows"),
        ("a,a\n1,2\n", "the column 'a' twice. Rename one"),
        ("\x00\x01\x02garbage\n\x00\n", "customers.csv is no text file"),
    ],
)
def test_unusable_files(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, text))


def test_unreadable_parquet(tmp_path):
    with pytest.raises(DataError, match="orders.parquet cannot be read"):
        load(write(tmp_path, "this is no parquet", name="orders.parquet"))


def test_missing_files(tmp_path):
    with pytest.raises(ParameterError, match="'nowhere' is not there. Name a folder"):
        load("nowhere")
    with pytest.raises(DataError, match="holds none of the tables customers, subscriptions"):
        load(tmp_path)
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    (tmp_path / "cslib.toml").write_text('[orders]\ntable = "order.csv"\n')
    with pytest.raises(DataError, match="The file 'order.csv' of table orders is not there"):
        load(tmp_path).table("orders")


def test_same_table_twice(tmp_path):
    write(tmp_path, HEAD)
    write(tmp_path, "x", name="customers.parquet")
    with pytest.raises(DataError, match=r"Both customers.csv and customers.parquet are there"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("as_off = 2025-01-01", "unknown name 'as_off'. Did you mean 'as_of'"),
        ("[custmers]\n", "unknown name 'custmers'. Did you mean 'customers'"),
        ('[customers]\ncolumn = {a = "b"}', "unknown name 'column'. Did you mean 'columns'"),
        ('[customers]\non_fault = "skip"', "on_fault is 'skip'. Choose 'stop' or 'set_aside'"),
        ('[customers]\ntable = "a"\nquery = "b"', "both table and query"),
        ("as_of = ", "cannot be read as TOML"),
        ('source = "elsewhere"', "source 'elsewhere' of .* is not a folder"),
        ('[customers]\ncolumns = { started_on = "begin" }', "no column 'begin'"),
        ('[customers]\nsegments = ["plan"]', "no column 'plan'. .*There are: churned_on, city"),
        ('[customers]\nencoding = "utf-99"', "encoding 'utf-99' is unknown"),
        ('[customers]\ndate_format = "%d %Q %Y"', "date_format '%d %Q %Y' cannot be read.*unknown: %Q"),
        ('[customers]\ndate_format = "%d %b"', "date_format '%d %b' cannot be read: it has no year"),
        ('timezone = "Berlin"', "timezone is 'Berlin', which is no time zone"),
        ('[orders]\nunit = "year"', "unit is for subscriptions and customers, whose mrr is a price"),
        ('[customers]\ndecimal = "x"', "decimal is 'x'. Choose '.' or ','"),
        ('[customers]\nvalues = { city = "x" }', "customers has a column 'city' itself, and values gives it one value"),
        ("[customers]\nlabels = { plan = 5 }", "labels is .* It takes a table of words for each column"),
        ('[customers]\nvalues = { City = "x" }', "customers has a column 'city' itself, and values gives it one value"),
        ('[customers]\nvalues = { plan = "x", Plan = "y" }', "values has both 'plan' and 'Plan', which are the same"),
        ('[customers]\nlabels = { city = { x = "a", "X " = "b" } }', "labels of city has both 'x' and 'X ', which are"),
        ('[customers]\ntrue_values = ["Ja", "j"]\nfalse_values = ["J"]', "true_values and false_values both have j"),
        ('[customers]\nsegments = ["Cty"]', "customers has no column 'Cty'. Did you mean 'city'"),
        ('[customers]\nquery = "select nothing from customers"', r"The query of \[customers\] fails.*nothing"),
    ],
)
def test_bad_toml(tmp_path, toml, message):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    (tmp_path / "cslib.toml").write_text(toml)
    with pytest.raises((DataError, ParameterError), match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    "key", ['segments = ["CITY"]', 'labels = { City = { x = "y", X = "y" } }', 'segments = ["city "]']
)
def test_columns_that_keys_name_are_found_in_any_spelling(tmp_path, key):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    (tmp_path / "cslib.toml").write_text(f"[customers]\n{key}\n")
    data = load(tmp_path)
    assert any("the column 'city' is taken for" in note for note in data.notes)
    column = next(c for c in data.table("customers").columns if c.strip().lower() == "city")
    assert data.table("customers")[column].execute().tolist() == ["y" if "labels" in key else "x"]


def test_mapping_of_foreign_data(tmp_path):
    write(tmp_path, "Kunde;Beginn;Ende;Tarif\n007;31.12.2024;;A\n008;01.02.2025;28.02.2025;B\n", name="kunden.csv")
    (tmp_path / "cslib.toml").write_text(
        'as_of = 2025-06-30\ncurrency = "EUR"\ngross_margin = 0.75\nvalue_feature = "Chat"\n[targets]\nnps = 30\n[customers]\n'
        'table = "kunden.csv"\n'
        'columns = { customer_id = "Kunde", started_on = "Beginn", churned_on = "Ende" }\n'
        'date_format = "%d.%m.%Y"\nsegments = ["Tarif"]\n'
    )
    data = load(tmp_path)
    found = data.table("customers").execute()
    assert found.customer_id.tolist() == ["007", "008"]
    assert pd.Timestamp(found.churned_on[1]) == pd.Timestamp("2025-02-28")
    assert (data.currency, data.segments, dict(data.targets)) == ("EUR", ("Tarif",), {"nps": 30})
    assert (data.value_feature, data.describe()["value_feature"]) == ("Chat", "Chat")
    assert [data.margin(), data.margin(0.5), replace(data, gross_margin=0.0).margin()] == [0.75, 0.5, 1.0]


def test_query_has_numbers_and_keeps_ids(tmp_path):
    lines = "InvoiceNo,CustomerID,Quantity,UnitPrice,Day\n1,00123,2,2.50,2025-01-01\nC2,00123,1,2.50,2025-01-02\n3,00124,3,1,2025-01-03\n"
    write(tmp_path, lines, name="online_retail.csv")
    (tmp_path / "cslib.toml").write_text(
        '[orders]\nquery = "select CustomerID as customer_id, Day as ordered_on, Quantity * UnitPrice as amount '
        "from online_retail where InvoiceNo not like 'C%'\"\n"
    )
    found = load(tmp_path).table("orders").execute().sort_values("customer_id")
    assert found.customer_id.tolist() == ["00123", "00124"]
    assert found.amount.tolist() == [5.0, 3.0]


def test_tenure_form_and_true_values(tmp_path):
    write(tmp_path, 'id,tenure,left,charge\n1,3,Gone," "\n2,0,Here,7\n', name="base.csv")
    (tmp_path / "cslib.toml").write_text(
        '[customers]\ntable = "base.csv"\ncolumns = { customer_id = "id", tenure_months = "tenure", churned = "left" }\n'
        'true_values = ["gone"]\nfalse_values = ["here"]\nnumbers = ["charge"]\n'
    )
    data = load(tmp_path)
    found = data.table("customers").execute()
    assert found.churned.tolist() == [True, False]
    assert found.charge.isna().tolist() == [True, False]
    assert data.as_of is None
    assert not data.has_dates("customers")


def test_zoned_times_become_utc_and_say_so(tmp_path):
    times = pd.to_datetime(["2025-01-31 23:30", "2025-02-01 00:00"]).tz_localize("America/New_York")
    frame = pd.DataFrame({"customer_id": ["1", "2"], "occurred_at": times})
    frame.to_parquet(tmp_path / "usage.parquet")
    for data in (load({"usage": frame}), load(tmp_path)):
        assert data.table("usage").occurred_at.max().execute() == pd.Timestamp("2025-02-01 05:00")
        assert "usage.occurred_at has times with a zone; they were converted to UTC." in data.notes
    write(tmp_path, "customer_id,occurred_at\n1,2025-01-31T23:30:00-05:00\n", name="usage.csv")
    (tmp_path / "usage.parquet").unlink()
    assert load(tmp_path).table("usage").occurred_at.execute()[0] == pd.Timestamp("2025-02-01 04:30")


def test_as_of_declared_given_or_latest(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,2025-03-05,x\n2,2025-04-01,,x\n")
    assert load(tmp_path).as_of.isoformat() == "2025-04-01"
    assert "2025-04-01 in customers.started_on" in load(tmp_path).notes[0]
    (tmp_path / "cslib.toml").write_text("as_of = 2025-03-01\n")
    data = load(tmp_path)
    assert data.as_of.isoformat() == "2025-03-01"
    assert data.table("customers").churned_on.execute().isna().tolist() == [True]
    assert load(tmp_path, as_of="2025-06-30").as_of.isoformat() == "2025-06-30"


def test_as_of_before_all_data_or_no_date(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    with pytest.raises(
        ParameterError, match=r"as_of 2020-01-01 is before all data \(first: customers.started_on on 2025-01-01\)"
    ):
        load(tmp_path, as_of="2020-01-01")
    with pytest.raises(ParameterError, match="as_of is 'June', which is no date. Write it as YYYY-MM-DD"):
        load(tmp_path, as_of="June")


def test_later_answers_and_ends_are_unknown_at_as_of():
    data = load(
        frames("surveys", SURVEYS, answered_on=["2025-02-01"])
        | frames("subscriptions", SUBSCRIPTIONS, ended_on=["2025-02-01"]),
        as_of="2025-01-31",
    )
    assert data.table("surveys").score.execute().isna().all()
    assert data.table("subscriptions").ended_on.execute().isna().all()


def test_customers_are_derived_from_subscriptions():
    rows = [
        ("a", "2025-01-01", "2025-02-01", 5, "S"),
        ("a", "2025-03-01", "2025-04-01", 5, "M"),
        ("b", "2025-01-05", None, 9, "L"),
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr", "plan"])
    data = load({"subscriptions": frame}, as_of="2025-04-30")
    found = data.table("customers").execute().sort_values("customer_id")
    assert [str(d)[:10] for d in found.started_on] == ["2025-01-01", "2025-01-05"]
    assert [str(d)[:10] for d in found.churned_on] == ["2025-04-01", "NaT"]
    assert found.plan.tolist() == ["S", "L"]
    assert any("derived from paid subscriptions" in n for n in data.notes)
    assert data.derived == ("customers",)


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("plan=Pro", ["1", "3"]),
        ("plan!=Pro", ["2"]),
        ("plan=Pro and city=Bonn", ["3"]),
        ("city=(missing)", ["2"]),
        ('plan="Pro" and city!="Bonn"', ["1"]),
        ('city="Köln" ', ["1"]),
    ],
)
def test_where_keeps_customers_in_every_table(where, ids):
    customers = {"customer_id": ["1", "2", "3"], "started_on": "2025-01-01", "churned_on": None}
    customers |= {"plan": ["Pro", "Free", "Pro"], "city": ["Köln", None, "Bonn"]}
    orders = {"customer_id": ["1", "2", "3"], "ordered_on": "2025-01-02", "amount": 1}
    data = load({"customers": pd.DataFrame(customers), "orders": pd.DataFrame(orders)}, where=where)
    assert sorted(data.table("orders").customer_id.execute()) == ids
    assert f"Only customers with {where}." in data.notes


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("plan=Prro", "leaves nothing. Did you mean 'Pro'"),
        ("plna=Pro", "no table has the column 'plna'. Did you mean 'plan'"),
        ("Pro", "cannot be read at 'Pro'. Write column=value"),
        ("plan=Pro and ", "cannot be read|leaves nothing"),
        ('plan="Pro', "leaves nothing"),
        ('plan="a ""b"" and c"', "leaves nothing"),
    ],
)
def test_bad_where(where, message):
    with pytest.raises(ParameterError, match=message):
        load(frames("customers", CUSTOMERS, plan=["Pro", "Free"]), where=where)


def test_missing_table_says_how_to_supply_it():
    with pytest.raises(DataError, match=r"no table 'usage', which this needs \(columns: customer_id, occurred_at\)"):
        load(frames("orders", ORDERS)).table("usage")
    with pytest.raises(DataError, match="unknown name 'order'. Did you mean 'orders'"):
        load({"order": pd.DataFrame(ORDERS)})


def test_paths_ibis_tables_and_frames_mix(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    con = ibis.duckdb.connect()
    con.create_table("o", pd.DataFrame(ORDERS))
    data = load({"customers": tmp_path / "customers.csv", "orders": con.table("o"), "surveys": pd.DataFrame(SURVEYS)})
    assert data.table("orders").join(data.table("customers"), "customer_id").count().execute() == 0
    with pytest.raises(DataError, match="live in 2 connections"):
        load({"orders": con.table("o"), "usage": ibis.duckdb.connect().create_table("u", pd.DataFrame(USAGE))})


def test_connection_url(tmp_path):
    path = tmp_path / "warehouse.ddb"
    con = ibis.duckdb.connect(path)
    con.create_table("customers", pd.DataFrame(CUSTOMERS).astype({"churned_on": "string"}))
    con.create_table("bookings", pd.DataFrame(ORDERS))
    con.disconnect()
    data = load(f"duckdb://{path}")
    assert list(data.tables) == ["customers"]
    (tmp_path / "cslib.toml").write_text(f'source = "duckdb://{path}"\n[orders]\ntable = "bookings"\n')
    assert list(load(tmp_path).tables) == ["customers", "orders"]
    (tmp_path / "cslib.toml").write_text(f'source = "duckdb://{path}"\n[orders]\ntable = "booking"\n')
    with pytest.raises(DataError, match="no table 'booking' for orders. Did you mean 'bookings'"):
        load(tmp_path).table("orders")
    with pytest.raises(DataError, match="A source of the kind nosuch cannot be used"):
        load("nosuch://host/db")


def test_one_file(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    assert list(load(tmp_path / "customers.csv").tables) == ["customers"]
    write(tmp_path, HEAD, name="people.csv")
    with pytest.raises(DataError, match="the file name 'people.csv' has the unknown name 'people'"):
        load(tmp_path / "people.csv")


def test_everything_is_described_in_plain_values():
    import json

    described = load(frames("customers", CUSTOMERS)).describe()
    assert json.loads(json.dumps(described)) == described
    assert described["tables"][0] | {"fingerprint": 0} == {
        "table": "customers", "rows": 2, "first": "2025-01-01", "last": "2025-02-01",
        "set_aside": 0, "note": "", "fingerprint": 0,
    }  # fmt: skip
    assert described["share_censored"] == 1
    assert not described["as_of_declared"]
    assert load(frames("customers", CUSTOMERS), as_of="2025-06-30").describe()["as_of_declared"]


def toml(folder, text):
    (folder / "cslib.toml").write_text(text)
    return folder


ORDER_HEAD = "customer_id,ordered_on,amount\n"


def test_a_mapped_column_wins_over_one_of_that_name(tmp_path):
    write(tmp_path, "order_date,customer_id,ordered_on,amount\n2024-05-05,7,2025-01-01,1\n", name="orders.csv")
    data = load(toml(tmp_path, '[orders]\ncolumns = { ordered_on = "order_date" }\n'))
    assert str(data.table("orders").ordered_on.execute()[0])[:10] == "2024-05-05"
    assert any("'ordered_on' of the source is left out" in n for n in data.notes)
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    found = load(toml(tmp_path, '[customers]\ncolumns = { a = "city", b = "city" }\n')).table("customers").execute()
    assert (found.a[0], found.b[0]) == ("x", "x")


def test_broken_lines_of_a_queried_file_are_told(tmp_path):
    write(tmp_path, ORDER_HEAD + "1,2025-01-01,5\nbroken\n2,2025-01-02,5\n", name="raw.csv")
    with pytest.raises(DataError, match=r"1 broken line, .*line 3: 'broken'"):
        load(toml(tmp_path, '[orders]\nquery = "select * from RAW"\n'))


@pytest.mark.parametrize("ids", [["1E5", "100000"], [" 12", "12"], ["00123", "123"], ["9" * 16, "9" * 15], ["-0", "0"]])
def test_a_query_keeps_ids_apart(tmp_path, ids):
    write(tmp_path, ORDER_HEAD + "".join(f"{i},2025-01-01,5\n" for i in ids), name="raw.csv")
    found = load(toml(tmp_path, '[orders]\nquery = "select * from raw"\n')).table("orders").execute()
    assert sorted(found.customer_id) == sorted(ids)


def test_a_query_reads_dates_written_as_numbers(tmp_path):
    write(tmp_path, ORDER_HEAD + "12,20250101,5\n", name="raw.csv")
    toml(tmp_path, '[orders]\nquery = "select * from raw;"\ndate_format = "%Y%m%d"\n')
    assert load(tmp_path).as_of.isoformat() == "2025-01-01"
    frame = pd.DataFrame({"customer_id": ["1"], "ordered_on": [20250101.0], "amount": [1]})
    frame.to_parquet(tmp_path / "raw.parquet")
    (tmp_path / "raw.csv").unlink()
    assert load(tmp_path).as_of.isoformat() == "2025-01-01"


@pytest.mark.parametrize("query", ["drop table customers", "select 1; select 2", "describe customers"])
def test_a_query_is_one_select(tmp_path, query):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    with pytest.raises(DataError, match="must be one SELECT"):
        load(toml(tmp_path, f'[customers]\nquery = "{query}"\n'))


def test_latin_1_with_mixed_line_ends_never_merges_customers(tmp_path):
    before = set(Path(tempfile.gettempdir()).glob("*.csv"))
    write(tmp_path, HEAD + "Müller,2025-01-01,,a\r\nMöller,2025-01-02,,b\n", encoding="latin-1")
    with pytest.raises(DataError, match='not UTF-8 text .*encoding = "latin-1"'):
        load(tmp_path)
    found = load(toml(tmp_path, '[customers]\nencoding = "LATIN1"\n')).table("customers").execute()
    assert found.customer_id.tolist() == ["Müller", "Möller"]
    assert set(Path(tempfile.gettempdir()).glob("*.csv")) <= before


@pytest.mark.parametrize("name", ["run*", "run[1]", "plan=Pro"])
def test_a_path_is_a_path_and_no_pattern(tmp_path, name):
    for folder, customer in ((name, "right"), ("runX", "wrong")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, ORDER_HEAD + f"{customer},2025-01-01,5\n", name="orders.csv")
        frames("orders", ORDERS, customer_id=[customer])["orders"].to_parquet(tmp_path / folder / "x.parquet")
    data = load(tmp_path / name)
    assert data.table("orders").customer_id.execute().tolist() == ["right"]
    assert set(load({"orders": tmp_path / name / "x.parquet"}).table("orders").columns) == set(ORDERS)


LATEST = [
    (frames("customers", CUSTOMERS, churned_on=["2025-06-30", None]), "2025-06-30"),  # alone: churn counts
    (frames("customers", CUSTOMERS, churned_on=["2099-12-31", None]), "2025-02-01"),  # stands for never
    (frames("customers", CUSTOMERS, churned_on=["2025-06-30", None]) | frames("orders", ORDERS), "2025-02-01"),
    (frames("subscriptions", SUBSCRIPTIONS, ended_on=["2026-01-03"]), "2025-01-03"),
    (frames("orders", ORDERS) | frames("costs", COSTS, month=["2025-12-01"]), "2025-01-03"),
    (frames("surveys", SURVEYS, answered_on=["2025-01-09"]), "2025-01-09"),
]


@pytest.mark.parametrize(("data", "day"), LATEST)
def test_as_of_is_the_latest_start_or_event(data, day):
    assert load(data).as_of.isoformat() == day


@pytest.mark.parametrize(
    "day", [datetime(2025, 3, 31, 12), pd.Timestamp("2025-03-31"), np.datetime64("2025-03-31"), date(2025, 3, 31)]
)
def test_as_of_of_any_type(day):
    assert load(frames("customers", CUSTOMERS), as_of=day).as_of == date(2025, 3, 31)


@pytest.mark.parametrize("day", [20250331, "0000-00-00", "9999-12-31", pd.NaT])
def test_as_of_that_is_no_day(day):
    with pytest.raises(ParameterError, match="as_of is "):
        load(frames("customers", CUSTOMERS), as_of=day)


def test_observed_from_after_all_data(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    with pytest.raises(ParameterError, match="observed_from 2030-01-01 is after all data"):
        load(toml(tmp_path, "observed_from = 2030-01-01\n"))


def test_a_stray_quote_that_swallows_rows_is_an_error(tmp_path):
    lines = [f"{i},2025-01-01,5,x\n" for i in range(100)]
    lines[10], lines[90] = '10,2025-01-01,5,"x\n', '90,2025-01-01,5,x"\n'
    write(tmp_path, ORDER_HEAD.replace("\n", ",note\n") + "".join(lines), name="orders.csv")
    with pytest.raises(DataError, match=r"orders.note has 1 row with more than 20 line breaks .*in row 11\)"):
        load(tmp_path)
    lines[90] = "90,2025-01-01,5,x\n"
    write(tmp_path, ORDER_HEAD.replace("\n", ",note\n") + "".join(lines), name="orders.csv")
    with pytest.raises(DataError, match="orders has 90 broken lines"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[customers]\nsegments = "plan"', r'segments is \'plan\'. It takes a list of texts: segments = \["plan"\]'),
        ("[customers]\nsegments = [5]", r"segments is \[5\]. It takes a list of texts"),
        ("[customers]\ncolumns = { plan = 5 }", "columns is {'plan': 5}. It takes a table of texts"),
        ("[customers]\ntable = 5", "table is 5. It takes a text"),
        ('customers = "x.csv"', r"customers is 'x.csv'. It takes a table: \[customers\]"),
        ("targets = 5", "targets is 5. It takes a table"),
        ("gross_margin = 80", "gross_margin is 80. It takes a share above 0 and up to 1: gross_margin = 0.8."),
        ("gross_margin = 0", "gross_margin is 0. It takes a share"),
        ("gross_margin = true", "gross_margin is True. It takes a share"),
        ('gross_margin = "80 %"', "gross_margin is '80 %'. It takes a share"),
        ("as_of = true", "as_of is True. It takes a date: as_of = 2025-06-30"),
        ('[customers]\nnumbers = ["started_on"]', "numbers names 'started_on', whose type the contract knows"),
        ('[customers]\nquery = " "', "query is empty"),
    ],
)
def test_wrong_types_in_toml(tmp_path, text, message):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    with pytest.raises(DataError, match=message):
        load(toml(tmp_path, text))


def test_toml_with_a_mark_and_toml_that_is_a_folder(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n")
    (tmp_path / "cslib.toml").write_bytes(b"\xef\xbb\xbfas_of = 2025-01-31\n")
    assert load(tmp_path).as_of.isoformat() == "2025-01-31"
    (tmp_path / "cslib.toml").unlink()
    (tmp_path / "cslib.toml").mkdir()
    with pytest.raises(DataError, match="cslib.toml is a folder"):
        load(tmp_path)


IDS = [
    (pd.Series([1.0, np.nan]), r"1 row with no id"),
    (pd.Series([1.0, np.inf]), r"too large to be told exactly \(first: inf"),
    (pd.Series([1e20, 2.0]), r"too large to be told exactly"),
    (pd.Series([Decimal("1.0"), Decimal(10**30)]), ["1", "1" + "0" * 30]),
    (pd.Series([b"a", b"b"]), ["a", "b"]),
    (pd.Series([UUID(int=1), UUID(int=2)]), [str(UUID(int=1)), str(UUID(int=2))]),
    (pd.Series([10**25, 2]), ["1" + "0" * 25, "2"]),
]


@pytest.mark.parametrize(("ids", "expected"), IDS)
def test_ids_of_odd_types(ids, expected):
    data = frames("customers", CUSTOMERS, customer_id=ids)
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            load(data)
    else:
        assert sorted(load(data).table("customers").customer_id.execute()) == sorted(expected)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.PeriodIndex(["2025-01", "2025-02"], freq="M")),
        pd.Series(pd.arrays.SparseArray([1.0, 2.0])),
        pd.Series(pd.IntervalIndex.from_breaks([0, 1, 2])),
        pd.Series([1 + 1j, 2]),
        pd.Series([1, 2], dtype="float16"),
        pd.Series([b"\xff", b"a"]),
        pd.Series(pd.to_datetime(["2025-01-01 23:59:59.999999999"] * 2)),
        pd.Series([[1], {"a": 2}]),
        pd.Series(pd.to_timedelta([1, 2], unit="D")),
    ],
)
def test_frames_with_columns_of_odd_types_load(column):
    assert len(load(frames("customers", CUSTOMERS, extra=column)).table("customers").execute()) == 2


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, 5, pd.Series([1])])
def test_a_mapping_of_something_else(value):
    with pytest.raises(DataError, match="orders is a .*Give a DataFrame, a path or an Ibis table"):
        load({"orders": value})
    with pytest.raises(ParameterError, match="data is a list"):
        load([value])


@pytest.mark.parametrize("churned", [[0.6, 1.0], [np.nan, 1.0]])
def test_a_flag_is_not_rounded(churned):
    frame = pd.DataFrame({"customer_id": ["1", "2"], "tenure_months": [1, 2], "churned": churned})
    with pytest.raises(DataError, match=r"customers.churned has 1 row with (no value|a value that is neither)"):
        load({"customers": frame})


NAMES = [
    "started",
    "known",
    "before",
    "place",
    "value",
    "row",
    "reason",
    "line",
    "text",
    "__same",
    "__typed_x",
    "",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_any_other_column_name_is_taken(name):
    customers = pd.DataFrame(CUSTOMERS | {name: ["x", "y"]})
    subscriptions = pd.DataFrame(SUBSCRIPTIONS | {"customer_id": ["00123"], name: ["x"]})
    found = load({"customers": customers, "subscriptions": subscriptions})
    assert found.table("customers").execute()[name or "column_4"].tolist() == ["x", "y"]
    derived = load({"subscriptions": subscriptions.assign(churned_on="x")}).table("customers")
    assert derived.churned_on.execute().isna().tolist() == [True]


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(ORDERS | {"Amount": [1]}), pd.DataFrame(ORDERS).assign(**{"1": 1, " 1": 2})]
)
def test_names_that_engines_take_for_one(frame):
    with pytest.raises(DataError, match=r"orders has the column '.*' twice.*Rename one"):
        load({"orders": frame})


def test_faulty_rows_with_reserved_names_are_set_aside(tmp_path):
    write(tmp_path, "customer_id,started_on,churned_on,row,line\n1,never,,a,b\nbroken\n2,2025-01-01,,c,d\n")
    aside = load(toml(tmp_path, '[customers]\non_fault = "set_aside"\n')).set_aside["customers"]
    assert aside.columns.tolist()[:2] == ["reason", "row"]
    assert aside.row_raw.tolist()[0] == "a"
    assert aside.row.isna().tolist() == [False, True]
    assert aside.line.tolist()[1] == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("customers.csv.gz", gzip.compress((HEAD + "1,2025-01-01,,x\n" * 999).encode())[:60], "ended before the end"),
        ("customers.csv", gzip.compress(HEAD.encode()), "is compressed. Name it .csv.gz"),
        ("customers.csv", HEAD.encode("utf-16-le"), "is no text file"),
        ("customers.csv", b"PAR1" + b"\x00" * 9, "is Parquet. Name it .parquet"),
        ("customers.csv", b"a" * 200_000 + b",b\n1,2\n", "field larger than field limit"),
        ("customers.csv", b"\n \n", "is an empty file"),
    ],
    ids=["cut", "compressed", "utf-16 without mark", "parquet", "endless field", "blank"],
)
def test_files_of_another_kind(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", "utf-16-le", "cp1252", "utf-8-sig"])
def test_encodings_by_any_name(tmp_path, encoding):
    write(tmp_path, "\n" + HEAD.replace(",", ";") + '1;2025-01-01;;"a,b,c,d,e ö"\n', encoding=encoding)
    data = load(toml(tmp_path, f'[customers]\nencoding = "{encoding}"\n'))
    assert data.table("customers").city.execute().tolist() == ["a,b,c,d,e ö"]


def test_faults_of_files_and_rows_come_together(tmp_path):
    write(tmp_path, HEAD + "1,never,,x\n")
    write(tmp_path, "", name="orders.csv")
    write(tmp_path, "customer_id,occurred_at\n1,nope\n", name="usage.csv")
    listed = "\n".join(messages(toml(tmp_path, '[customers]\nsegments = ["plan"]\n')))
    for part in ("no column 'plan'", "never in row 1", "orders.csv is an empty file", "nope in row 1"):
        assert part in listed


def test_a_table_is_found_from_the_folder_of_the_toml(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", HEAD + "1,2025-01-01,,x\n", name="c.csv")
    toml(tmp_path, '[customers]\ntable = "sub/c.csv"\n')
    monkeypatch.chdir("/")
    assert load(tmp_path).statistics["customers"]["rows"] == 1


def test_a_mapping_does_not_read_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, HEAD + "1,2025-01-01,,x\n"))
    assert list(load(frames("orders", ORDERS)).tables) == ["orders"]


RUNNING = {"customer_id": ["a", "a", "a"], "started_on": ["2025-01-01", "2025-01-05", "2025-02-01"]}
RUNNING |= {"ended_on": ["2025-03-01", "2025-01-10", None], "mrr": [1, 1, 1]}
PAIR = {"customer_id": ["a", "b"], "started_on": ["2025-01-02"] * 2, "churned_on": ["2025-01-31", None]}
RELATIONS = [
    (frames("subscriptions", RUNNING), "2 rows starting before an earlier one"),
    (frames("customers", PAIR) | frames("subscriptions", RUNNING), "1 customer with a subscription still running"),
    (frames("customers", PAIR) | frames("subscriptions", RUNNING), "subscriptions.started_on has 1 row before"),
    (frames("customers", PAIR) | frames("subscriptions", RUNNING), "1 customer without any subscription"),
    (frames("customers", PAIR) | frames("subscriptions", SUBSCRIPTIONS), "subscriptions.customer_id has 1 row of customers not"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), RELATIONS)
def test_tables_that_do_not_agree(data, message):
    assert any(message in m for m in messages(data))


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2025-02-15", "churned_on is after as_of 2025-02-15 in 1 row, planned or later ends: open at as_of"),
        ("2026-01-31", "Nothing happened after 2025-03-01 (customers.churned_on): is as_of 2026-01-31 right?"),
    ],
)
def test_as_of_that_does_not_fit_is_said(day, message):
    assert message in "\n".join(messages(frames("customers", CUSTOMERS, churned_on=["2025-03-01", None]), as_of=day))


def test_one_of_exact_copies_is_kept(tmp_path):
    write(tmp_path, HEAD + "1,2025-01-01,,x\n1,2025-01-01,,x\n2,2025-01-01,,x\n2,2025-01-02,,x\n3,2025-01-01,,x\n")
    data = load(toml(tmp_path, '[customers]\non_fault = "set_aside"\n'))
    assert sorted(data.table("customers").customer_id.execute()) == ["1", "3"]


@pytest.mark.long
def test_where_on_subscriptions_filters_rows_and_customers():
    rows = {"customer_id": ["a", "a", "b"], "started_on": ["2025-01-01"] * 3, "ended_on": [None] * 3}
    rows |= {"mrr": [100.0, 5, 7], "plan": ["S", "M", "M"]}
    both = frames("customers", PAIR, churned_on=[None, None]) | frames("subscriptions", rows)
    for where, n_customers, n_rows in (("plan=M", 2, 2), ("mrr=100", 1, 1), ("mrr!=100 and plan=M", 2, 2)):
        data = load(both, where=where)
        assert data.statistics["customers"]["rows"] == n_customers
        assert data.statistics["subscriptions"]["rows"] == n_rows
    with pytest.raises(ParameterError, match="no table has the column 'kind'"):
        load(both | frames("costs", COSTS), where="kind=acquisition")


def test_a_foreign_connection_keeps_its_zone():
    con = ibis.duckdb.connect()
    con.raw_sql("SET TimeZone = 'America/New_York'")
    con.create_table("o", pd.DataFrame(ORDERS))
    load({"orders": con.table("o")})
    assert con.raw_sql("SELECT current_setting('TimeZone')").fetchone() == ("America/New_York",)
    times = pd.to_datetime(["2025-01-31 23:30"]).tz_localize("UTC")
    con.create_table("u", pd.DataFrame({"customer_id": ["1"], "occurred_at": times}))
    with pytest.raises(DataError, match="your connection speaks America/New_York. Run SET TimeZone"):
        load({"usage": con.table("u")})


def test_advice_for_a_mapping_needs_no_toml():
    listed = messages(frames("orders", {"customer_id": ["1"], "ordered_on": ["x"], "net": [1]}))
    listed += messages(frames("orders", ORDERS, ordered_on=["x"]))
    assert not any("cslib.toml" in m or "on_fault" in m or "date_format" in m for m in listed)


def test_empty_segments_are_counted_in_the_table_that_has_them(tmp_path):
    write(tmp_path, ORDER_HEAD.replace("\n", ",shop\n") + "1,2025-01-01,5,\n", name="orders.csv")
    assert "orders.shop is empty in 1 row; they count as (missing)." in messages(
        toml(tmp_path, '[orders]\nsegments = ["shop"]\n')
    )


COMPARED = ("tables", "as_of", "notes", "warnings", "fingerprint")


def test_everybody_is_the_same_without_where_and_reads_no_file_anew(tmp_path):
    (tmp_path / "customers.csv").write_text(
        "customer_id,started_on,churned_on,plan\n1,2025-01-01,,x\n2,2025-01-05,,y\n"
    )
    (tmp_path / "costs.csv").write_text("month,kind,amount\n2025-01-01,retention,9\n")
    plain, part = (load(tmp_path, as_of="2025-03-15", where=w) for w in ("", "plan=x"))
    for path in tmp_path.iterdir():
        path.unlink()
    assert part.statistics["customers"]["rows"] == 1
    assert {k: part.everybody.describe()[k] for k in COMPARED} == {k: plain.describe()[k] for k in COMPARED}
    assert sorted(part.everybody.table("customers").customer_id.execute()) == ["1", "2"]
    assert part.everybody is part.everybody
    assert part.everybody.everybody is part.everybody


def test_everybody_is_itself_without_where_and_goes_back_too():
    rows = {"customer_id": ["1", "2", "3"], "started_on": ["2025-01-01", "2025-01-05", "2025-03-01"]}
    tables = {"customers": pd.DataFrame(rows | {"churned_on": None, "plan": ["x", "y", "y"]})}
    plain, part = (load(tables, as_of="2025-03-31", where=w) for w in ("", "plan=x"))
    assert plain.everybody is plain
    then = rewind(part, date(2025, 2, 28))
    assert (then.statistics["customers"]["rows"], then.everybody.statistics["customers"]["rows"]) == (1, 2)
    assert then.everybody.as_of == date(2025, 2, 28)


DATED = {"customer_id": ["a", "b"], "started_on": ["2024-01-01", "2024-02-01"], "churned_on": ["2024-05-01", None]}
BOTH = DATED | {"tenure_months": [9, 9], "churned": ["no", "Yes"]}


@pytest.mark.parametrize(
    ("columns", "left", "unused"),
    [
        (["started_on", "churned_on"], 1, ""),
        (["started_on", "churned_on", "tenure_months"], 1, "tenure_months"),
        (["started_on", "churned_on", "churned"], 1, "churned"),
        (["started_on", "churned_on", "tenure_months", "churned"], 1, "tenure_months and churned"),
        (["tenure_months", "churned"], 1, ""),
        (["started_on", "tenure_months", "churned"], 1, "started_on"),
        (["churned_on", "tenure_months", "churned"], 1, "churned_on"),
    ],
)
def test_customers_with_dates_and_tenures_take_one_form_everywhere(columns, left, unused):
    data = load({"customers": pd.DataFrame({c: BOTH[c] for c in ["customer_id", *columns]})}, as_of="2024-12-31")
    said = [f"customers says how long customers stayed in two ways; {unused} not used."] if unused else []
    assert [n for n in data.notes if "two ways" in n] == said
    assert not {*unused.split(" and ")} & {*data.table("customers").columns}
    assert data.has_dates("customers") == ({"started_on", "churned_on"} <= set(columns))
    counts = lifetimes(data)
    assert int(counts["n"].where(counts["event_observed"], 0).sum()) == left


PAID_MONTHS = pd.DataFrame(
    {
        "customer_id": ["a"] * 4 + ["b"],
        "started_on": ["2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01", "2025-01-01"],
        "ended_on": ["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", None],
        "mrr": [10.0] * 4 + [20.0],
    }
)


def paid(folder, way, table="subscriptions", frame=PAID_MONTHS, ends='ends = "inclusive"'):
    query = 'query = "select * from raw"\n' * (way == "query")
    name = "raw" if way == "query" else table
    frame.to_parquet(folder / f"{name}.parquet") if way == "parquet" else frame.to_csv(
        folder / f"{name}.csv", index=False
    )
    toml(folder, f"as_of = 2025-04-30\n[{table}]\n{query}{ends}\n")
    return load(folder)


def inclusive(data):
    return [f.message for f in data.faults if f.rule == "inclusive ends"]


def test_ends_that_seem_inclusive_are_told_with_their_share(tmp_path):
    (message,) = inclusive(paid(tmp_path, "csv", ends=""))
    assert "subscriptions.ended_on lies one day before the customer's next start in 3 of 3 renewals" in message
    assert 'set ends = "inclusive" in [subscriptions]' in message


@pytest.mark.long
@pytest.mark.parametrize("way", ["csv", "parquet", "query"])
def test_declared_inclusive_ends_leave_no_gap(tmp_path, way):
    data = paid(tmp_path, way)
    assert not inclusive(data)
    moved = movements(data)
    assert moved["closing"].tolist() == [30.0] * 4
    assert moved[["churn", "reactivation"]].to_numpy().sum() == 0
    assert data.table("customers").churned_on.execute().isna().all()


def test_a_customer_who_left_on_the_last_day_paid_stayed_the_whole_month(tmp_path):
    people = pd.DataFrame({"customer_id": ["a"], "started_on": ["2025-01-01"], "churned_on": ["2025-01-31"]})
    data = paid(tmp_path, "csv", "customers", people)
    assert data.table("customers").churned_on.execute()[0] == pd.Timestamp("2025-02-01")


@pytest.mark.parametrize("days", [0, 2])
def test_other_gaps_are_no_sign_of_inclusive_ends(tmp_path, days):
    ends = pd.to_datetime(PAID_MONTHS["started_on"]).shift(-1) - pd.Timedelta(days=days)
    frame = PAID_MONTHS.assign(ended_on=ends.dt.strftime("%Y-%m-%d").where(PAID_MONTHS["ended_on"].notna()))
    frame.loc[3, "ended_on"] = "2025-04-30"
    assert not inclusive(paid(tmp_path, "csv", frame=frame, ends=""))


@pytest.mark.parametrize(
    ("table", "ends", "message"),
    [
        ("subscriptions", 'ends = "last day"', "ends is 'last day'. Choose 'exclusive' or 'inclusive'."),
        (
            "orders",
            'ends = "inclusive"',
            "ends is for customers, subscriptions and invoices, whose rows have an end. Leave it out.",
        ),
    ],
)
def test_ends_that_cannot_be_declared(tmp_path, table, ends, message):
    with pytest.raises(DataError, match=re.escape(message)):
        paid(tmp_path, "csv", table, pd.DataFrame(ORDERS) if table == "orders" else PAID_MONTHS, ends)


def freemium(free, paying):
    """Free accounts of whom nine in ten end, one that becomes a paying one, and paying ones that all stay."""
    rows = [(f"f{i}", "2024-01-05", "2024-03-05" if i % 10 else None, 0.0) for i in range(free)]
    rows += [("later", "2024-01-05", "2024-02-05", 0.0), ("later", "2024-02-05", None, 10.0)]
    rows += [(f"p{i}", "2024-01-05", None, 10.0) for i in range(paying)]
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])


def test_free_accounts_and_trials_are_told_apart_from_customers():
    data = load({"subscriptions": freemium(90, 9)}, as_of="2024-06-30")
    people = data.table("customers").execute().set_index("customer_id")
    assert len(people) == 10
    assert people["churned_on"].isna().all()
    assert people.loc["later", "started_on"] == pd.Timestamp("2024-02-05")
    assert "90 accounts have never paid (free, or a trial): no customers, and in no rate, value or price." in data.notes
    past = rewind(data, date(2024, 1, 31))
    assert int(past.table("customers").count().execute()) == 9


def test_churn_and_revenue_know_the_same_customers():
    data = load({"subscriptions": freemium(90, 9)}, as_of="2024-06-30")
    rates = churn_rates(data).query("method == 'start_of_period'").set_index("month")
    moved = movements(data).set_index("month")
    both = rates.join(moved[["n_opening"]], how="inner").query("n_opening > 0")
    assert (both["n_start"] == both["n_opening"]).all()
    assert both["churn_rate"].eq(0).all()


def test_where_nobody_ever_paid_everybody_is_a_customer():
    data = load({"subscriptions": freemium(90, 0).assign(mrr=0.0)}, as_of="2024-06-30")
    assert int(data.table("customers").count().execute()) == 91
    assert not [n for n in data.notes if "never paid" in n]


@pytest.mark.long
def test_a_table_of_very_many_columns_is_checked_in_seconds(tmp_path):
    """Each column had measures of its own: 2,000 of them took a minute, 10,000 many."""
    others = {f"c{i}": [f"v{i}", None] for i in range(2_000)}
    others |= {"c7": ["\tx ", "y"], 'C 8"': ["a\n" * 30, "b"]}
    rows = pd.DataFrame({"customer_id": ["1", "2"], "started_on": "2025-01-01", "churned_on": None, **others})
    rows.to_csv(tmp_path / "customers.csv", index=False)
    begun = time.process_time()
    found = check(tmp_path)
    assert time.process_time() - begun < 15
    assert [f.rule for f in found.faults if f.severity == "error"] == ["broken line"]
    rows.drop(columns='C 8"').to_csv(tmp_path / "customers.csv", index=False)
    read = load(tmp_path).table("customers").execute()
    assert read["c7"].tolist() == ["x", "y"]
    assert read["c1999"].tolist() == ["v1999", None]
