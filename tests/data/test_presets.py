"""Exports as the vendors document them, read by a preset, give the MRR that they are about."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from billing_world import STRIPE_INVOICES, STRIPE_LINES

import cslib as cs
from cslib.data.config import SECTION
from cslib.data.contract import CONTRACT
from cslib.data.presets import PRESETS
from cslib.errors import DataError

RECURLY = """\
account_code,subscription_id,invoice_billed_date,adjustment_start_at,adjustment_end_at,adjustment_currency,adjustment_amount,adjustment_subtotal,adjustment_tax,adjustment_total,adjustment_origin,adjustment_plan_code
A1,s1,2024-01-01 10:00:00 UTC,2024-01-01 10:00:00 UTC,2025-01-01 10:00:00 UTC,USD,1200,1080.00,0,1080.00,plan,gold
A1,s1,2024-01-01 10:00:00 UTC,2024-01-01 10:00:00 UTC,2025-01-01 10:00:00 UTC,USD,120,120.00,0,120.00,add_on,gold
A1,,2024-01-01 10:00:00 UTC,2024-01-01 10:00:00 UTC,,USD,99,99.00,0,99.00,setup_fee,gold
B2,s2,2024-01-01 10:00:00 UTC,2024-01-01 10:00:00 UTC,2024-02-01 10:00:00 UTC,USD,100,100.00,0,100.00,plan,basic
B2,s2,2024-01-16 10:00:00 UTC,2024-01-16 10:00:00 UTC,2024-02-01 10:00:00 UTC,USD,-51.61,-51.61,0,-51.61,plan,basic
B2,s2,2024-01-16 10:00:00 UTC,2024-01-16 10:00:00 UTC,2024-02-01 10:00:00 UTC,USD,77.42,77.42,0,77.42,plan,gold
B2,s2,2024-02-01 10:00:00 UTC,2024-02-01 10:00:00 UTC,2024-03-01 10:00:00 UTC,USD,150,150.00,0,150.00,plan,gold
"""
CHARGEBEE = """\
id,subscription_id,invoice_id,customer_id,amount,date_from,date_to,description,discount_amount,entity_id,entity_type,tax_amount
l1,s1,i1,c1,120000,2024-01-15 00:00:00,2025-01-15 00:00:00,Pro yearly,0,pro-yearly,plan_item_price,22800
l2,s1,i1,c1,60000,2024-01-15 00:00:00,2025-01-15 00:00:00,Seats,0,seats-yearly,addon_item_price,0
l3,s1,i1,c1,50000,2024-01-15 00:00:00,2024-01-15 00:00:00,Setup,0,setup,charge_item_price,0
l4,,i2,c2,1234,2024-02-01 00:00:00,2024-02-01 00:00:00,Adhoc,0,,adhoc,0
"""
STRIPE = """\
local_event_timestamp,event_timestamp,event_type,currency,mrr_change,quantity_change,customer_id,product_id,price_id,subscription_id,subscription_item_id
2024-01-05 09:00:00,2024-01-05 08:00:00,ACTIVE_START,eur,10000,1,cus_1,prod_1,price_1,sub_1,si_1
2024-02-10 09:00:00,2024-02-10 08:00:00,ACTIVE_UPGRADE,eur,5000,1,cus_1,prod_1,price_1,sub_1,si_1
2024-03-10 09:00:00,2024-03-10 08:00:00,ACTIVE_END,eur,-15000,-2,cus_1,prod_1,price_1,sub_1,si_1
2024-03-10 09:00:00,2024-03-10 08:00:00,ACTIVE_START,eur,12000,1,cus_1,prod_2,price_2,sub_1,si_2
2024-04-01 09:00:00,2024-04-01 08:00:00,ACTIVE_DOWNGRADE,eur,-2000,-1,cus_1,prod_2,price_2,sub_1,si_2
2024-01-05 09:00:00,2024-01-05 08:00:00,ACTIVE_START,jpy,3000,1,cus_2,prod_1,price_3,sub_2,si_3
"""
SPLIT = [("2024-01-01", "2024-01-16", 100.0), ("2024-01-16", "2024-03-01", 150.0)]  # 16 of 31 days: 51.61 and 77.42


def load(folder, name, text, preset, *lines):
    (folder / "export.csv").write_text(text)
    head = f'as_of = 2024-12-31\n[{name}]\ntable = "export.csv"\npreset = "{preset}"\n'
    (folder / "cslib.toml").write_text(head + "\n".join(lines))
    return cs.load(folder)


def paid(data):
    rows = data.table("subscriptions").execute().sort_values(["customer_id", "started_on", "mrr"])
    day = lambda v: None if pd.isna(v) else str(v)[:10]  # noqa: E731
    columns = rows[["customer_id", "started_on", "ended_on", "mrr"]]
    return [(who, day(a), day(b), float(m)) for who, a, b, m in columns.itertuples(index=False)]


@pytest.mark.long
def test_recurly(tmp_path):
    data = load(tmp_path, "invoices", RECURLY, "recurly", 'segments = ["plan"]')
    assert data.currency == "USD"
    assert paid(data) == [
        ("A1", "2024-01-01", None, 100.0), ("B2", "2024-01-01", "2024-01-16", 100.0),
        ("B2", "2024-01-16", "2024-03-01", 150.0),
    ]  # fmt: skip
    table = data.accounts["reconciliation"].set_index("bucket")["amount"]
    assert table.to_dict() == {"recurring": 1475.81, "one_off": 99.0, "invoiced": 1574.81}


@pytest.mark.long
def test_chargebee(tmp_path):
    data = load(tmp_path, "invoices", CHARGEBEE, "chargebee")
    assert paid(data) == [("c1", "2024-01-15", None, 50.0), ("c1", "2024-01-15", None, 100.0)]
    table = data.accounts["reconciliation"].set_index("bucket")["amount"]
    assert table.to_dict() == {"recurring": 1800.0, "one_off": 512.34, "invoiced": 2312.34}


def test_stripe(tmp_path):
    (tmp_path / "rates.csv").write_text("currency,rate\nEUR,1\nJPY,0.01\n")
    data = load(tmp_path, "movements", STRIPE, "stripe")
    assert paid(data) == [
        ("cus_1", "2024-01-05", "2024-02-10", 100.0), ("cus_1", "2024-02-10", "2024-03-10", 150.0),
        ("cus_1", "2024-03-10", "2024-04-01", 120.0), ("cus_1", "2024-04-01", None, 100.0),
        ("cus_2", "2024-01-05", None, 30.0),
    ]  # fmt: skip


@pytest.mark.long
def test_stripe_invoices(tmp_path):
    (tmp_path / "invoices.csv").write_text(STRIPE_INVOICES)
    data = load(tmp_path, "invoices", STRIPE_LINES, "stripe")
    assert paid(data) == [("cus_1", "2024-01-15", None, 100.0), *(("cus_2", *rest) for rest in SPLIT)]
    table = data.accounts["reconciliation"].set_index("bucket")["amount"]
    assert table.to_dict() == {"recurring": 1450.0, "proration": 25.81, "one_off": 99.0, "invoiced": 1574.81}


@pytest.mark.long
def test_a_query_of_a_preset_finds_the_lines_by_the_name_of_the_vendor(tmp_path):
    (tmp_path / "invoice_line_items.csv").write_text(STRIPE_LINES)
    (tmp_path / "invoices.csv").write_text(STRIPE_INVOICES)
    (tmp_path / "cslib.toml").write_text('as_of = 2024-12-31\n[invoices]\npreset = "stripe"\n')
    assert [row[-1] for row in paid(cs.load(tmp_path))] == [100.0, 100.0, 150.0]


def transaction(customer, origin, billed, until, *lines, status="completed", currency="USD", cycle="month"):
    """A transaction as the API gives it, of what the preset needs; a line is its product, subtotal and discount."""
    period = {"starts_at": f"{billed}T10:00:00.123456Z", "ends_at": f"{until}T10:00:00.123456Z"} if until else None
    own = [{"id": f"pri_{name}", "billing_cycle": {"interval": cycle, "frequency": 1}} for name, *_ in lines]
    own = [{**p, "billing_cycle": None} if p["id"] == "pri_setup" else p for p in own]
    details = [
        {"price_id": f"pri_{name}", "quantity": 1, "proration": None, "product": {"name": name.title()},
         "totals": {"subtotal": str(subtotal), "discount": str(off), "tax": "19", "total": "0"}}
        for name, subtotal, off in lines
    ]  # fmt: skip
    return {
        "id": "txn_1", "status": status, "origin": origin, "customer_id": customer, "subscription_id": f"sub_{customer}",
        "currency_code": currency, "billed_at": f"{billed}T10:00:02.5Z", "billing_period": period,
        "items": [{"price": p, "quantity": 1} for p in own], "details": {"line_items": details},
    }  # fmt: skip


PADDLE = [
    transaction("ctm_a", "web", "2024-01-15", "2025-01-15", ("pro", 132000, 12000), ("setup", 5000, 0), cycle="year"),
    transaction("ctm_b", "web", "2024-01-01", "2024-02-01", ("basic", 10000, 0)),
    transaction("ctm_b", "subscription_update", "2024-01-16", "2024-02-01", ("basic", -5161, 0), ("plus", 7742, 0)),
    transaction("ctm_b", "subscription_recurring", "2024-02-01", "2024-03-01", ("plus", 15000, 0)),
    transaction("ctm_b", "subscription_charge", "2024-02-10", "", ("hours", 2500, 0), status="billed"),
    transaction("ctm_c", "api", "2024-02-01", "2024-03-01", ("basic", 3000, 0), currency="JPY"),
    transaction("ctm_d", "web", "2024-02-01", "2024-03-01", ("plus", 15000, 0), status="draft"),
    transaction("ctm_d", "web", "2024-02-01", "2024-03-01", ("plus", 15000, 0), status="canceled"),
]


@pytest.mark.long
def test_paddle(tmp_path, root, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "transactions.json").write_text(json.dumps(PADDLE))
    code = re.findall(r"```python\n(.*?)```", (root / "docs" / "billing.md").read_text("utf-8"), flags=re.S)
    exec(code[0], {})  # what the page says to run
    (tmp_path / "rates.csv").write_text("currency,rate\nUSD,1\nJPY,0.01\n")
    data = load(tmp_path, "invoices", Path("transaction_line_items.csv").read_text(), "paddle", "[rates]")
    assert paid(data) == [
        ("ctm_a", "2024-01-15", None, 100.0), *(("ctm_b", *rest) for rest in SPLIT),
        ("ctm_c", "2024-02-01", "2024-03-01", 30.0),
    ]  # fmt: skip
    table = data.accounts["reconciliation"].set_index(["currency", "bucket"])["amount"]
    assert table["JPY"].to_dict() == {"recurring": 3000.0, "invoiced": 3000.0}
    assert table["USD"].to_dict() == {"recurring": 1450.0, "proration": 25.81, "one_off": 75.0, "invoiced": 1550.81}


@pytest.mark.long
def test_own_keys_go_before_those_of_a_preset(tmp_path):
    text = (
        CHARGEBEE.replace("invoice_id", "invoice_date").replace(",i1,", ",2024-01-10,").replace(",i2,", ",2024-02-01,")
    )
    lines = ('columns = { invoiced_on = "invoice_date" }', "minor_units = false")
    data = load(tmp_path, "invoices", text, "chargebee", *lines, 'labels = { kind = { addon_item_price = "one_off" } }')
    assert str(data.table("invoices").invoiced_on.min().execute())[:10] == "2024-01-10"
    assert paid(data) == [("c1", "2024-01-15", None, 10000.0)]


@pytest.mark.parametrize(
    ("name", "preset", "said"),
    [
        (
            "invoices",
            "recurli",
            r"preset is 'recurli'\. Did you mean 'recurly'\? There are: chargebee, paddle, recurly, stripe",
        ),
        ("subscriptions", "stripe", r"the preset 'stripe' is for \[movements\] and \[invoices\]\. Move it there"),
    ],
)
def test_a_preset_that_does_not_fit_is_refused(tmp_path, name, preset, said):
    with pytest.raises(DataError, match=said):
        load(tmp_path, name, "x\n1\n", preset)


def test_minor_units_are_true_or_false(tmp_path):
    with pytest.raises(DataError, match="minor_units is 'yes'. It takes true or false: minor_units = true"):
        load(tmp_path, "invoices", CHARGEBEE, "chargebee", 'minor_units = "yes"')


def test_presets_speak_of_what_is_there():
    for name, section in ((n, s) for known in PRESETS.values() for n, s in known.items()):
        query = section.get("query", "")
        assert section.keys() <= {*SECTION, "lines"}
        assert bool(query) == ("lines" in section)
        words = {*section.get("labels", {}).get("kind", {}).values(), *re.findall(r"(?:THEN|ELSE) '(\w+)'", query)}
        assert words
        assert words <= {*CONTRACT[name]["kind"].choices}
        needed = {c for c, column in CONTRACT[name].items() if column.required}
        assert query or needed <= section["columns"].keys()
