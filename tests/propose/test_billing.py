"""Invoices and logs of changes: subscriptions are made of them where there are none."""

import pytest
from billing_world import STRIPE_INVOICES, STRIPE_LINES
from propose_world import keys, loaded, mrr, written

from cslib.data import presets
from cslib.propose import roles

pytestmark = pytest.mark.slow  # each loads a data set

INVOICES = """
id,Amount Due,Currency,Customer,Date (UTC),Number,Paid,Subscription,Subtotal,Tax,Total,Status,Minimum Line Item Period Start (UTC),Maximum Line Item Period End (UTC)
in_1,49.00,usd,cus_1,2024-01-03 10:11,A-1,TRUE,sub_1,49.00,0,49.00,paid,2024-01-03 10:11,2024-02-03 10:11
in_2,49.00,usd,cus_1,2024-02-03 10:11,A-2,TRUE,sub_1,49.00,0,49.00,paid,2024-02-03 10:11,2024-03-03 10:11
in_3,480.00,usd,cus_2,2024-02-10 10:11,A-3,TRUE,sub_2,480.00,0,480.00,paid,2024-02-10 10:11,2025-02-10 10:11
"""
SUBSCRIPTIONS = """
id,Customer ID,Plan,Currency,Interval,Amount,Status,Start (UTC),Ended At (UTC)
sub_1,cus_1,pro-monthly,usd,month,49.00,active,2024-01-03 10:11,
sub_2,cus_2,pro-yearly,usd,year,480.00,active,2024-02-10 10:11,
"""


def test_invoices_beside_subscriptions_are_left_out(tmp_path):
    found = written(tmp_path, {"invoices.csv": INVOICES, "subscriptions.csv": SUBSCRIPTIONS})
    assert found.left_out == {"invoices.csv": "has invoices, but subscriptions say already what is paid"}
    assert mrr(loaded(found)) == 89.0


@pytest.mark.long
def test_invoices_of_periods(tmp_path):
    found = written(tmp_path, {"invoices.csv": INVOICES})
    section = keys(found)["invoices"]
    assert section["columns"]["line_end"] == "Maximum Line Item Period End (UTC)"
    assert section["values"] == {"kind": "recurring"}
    assert "No column says what a line is" in found.text
    assert mrr(loaded(found, as_of="2024-02-10")) == 89.0


@pytest.mark.long
def test_words_of_a_line(tmp_path):
    text = "Rechnungsnummer;Kundennummer;Rechnungsdatum;Leistungsbeginn;Leistungsende;Betrag;Art\n"
    text += "1;K1;01.01.2024;01.01.2024;01.02.2024;100,00;Abo\n2;K2;15.01.2024;15.01.2024;15.01.2025;1.200,00;Abo\n3;K2;15.01.2024;;;99,00;Setup\n"
    found = written(tmp_path, {"rechnungen.csv": text})
    assert keys(found)["invoices"]["labels"] == {"kind": {"Abo": "recurring", "Setup": "one_off"}}
    assert mrr(loaded(found)) == 200.0


@pytest.mark.long
def test_a_preset_where_the_columns_are_its_own(tmp_path):
    text = "account_code,invoice_number,invoice_billed_date,adjustment_origin,adjustment_plan_code,adjustment_currency,adjustment_subtotal,adjustment_start_at,adjustment_end_at,subscription_id\n"
    text += "a1,1,2024-01-05,plan,gold,EUR,30.00,2024-01-05,2024-02-05,s1\na2,2,2024-01-10,plan,gold,EUR,360.00,2024-01-10,2025-01-10,s2\n"
    found = written(tmp_path, {"adjustments.csv": text})
    assert keys(found)["invoices"]["preset"] == "recurly"
    assert mrr(loaded(found)) == 60.0


def test_movements(tmp_path):
    text = "Date,Customer ID,Movement Type,MRR Movement\n2024-01-05,c1,new_biz,50\n2024-02-05,c2,new_biz,30\n2024-03-05,c1,expansion,25\n2024-04-05,c2,churn,-30\n"
    found = written(tmp_path, {"mrr_movements.csv": text})
    assert keys(found)["movements"]["labels"] == {"kind": {"new_biz": "new"}}
    assert mrr(loaded(found)) == 75.0


@pytest.mark.parametrize("known", roles.EXPORTS, ids=lambda e: f"{e.preset} {e.table}")
def test_a_preset_that_is_proposed_exists(known):
    section = presets.PRESETS[known.preset][known.table]
    text = section.get("query", "") + str(section.get("columns"))
    assert known.who in text
    assert known.beside in text


@pytest.mark.long
def test_tables_of_stripe(tmp_path):
    files = {"export.csv": STRIPE_LINES, "invoices.csv": STRIPE_INVOICES}
    found = written(tmp_path, files)
    assert keys(found)["invoices"] == {"table": "export.csv", "preset": "stripe"}
    assert found.left_out == {}
    assert mrr(loaded(found, as_of="2024-02-10")) == 250.0


def test_tables_of_stripe_beside_its_subscriptions(tmp_path):
    subscriptions = "id,customer_id,status,price_id,start_date\nsub_1,cus_1,active,price_pro,2024-01-15\n"
    written(tmp_path, {"invoice_line_items.csv": STRIPE_LINES, "subscriptions.csv": subscriptions})
    text = (tmp_path / "cslib.toml").read_text()
    assert '"invoices" is not there. Export it, too.' in text
    assert '"subscriptions.csv" has the name of a table and is read as one: rename it.' in text


@pytest.mark.long
def test_lines_of_paddle(tmp_path):
    head = "status,origin,customer_id,subscription_id,currency_code,billed_at,price_id,billing_period.starts_at,"
    head += "billing_period.ends_at,totals.subtotal,totals.discount,product.name,price.billing_cycle.interval\n"
    text = head + "completed,web,ctm_1,sub_1,USD,2024-01-15T08:00:00.5Z,pri_1,2024-01-15T08:00:00Z,"
    text += "2025-01-15T08:00:00Z,120000,0,Pro,year\n"
    text += "completed,web,ctm_1,sub_1,USD,2024-01-15T08:00:00.5Z,pri_2,2024-01-15T08:00:00Z,"
    text += "2025-01-15T08:00:00Z,5000,0,Setup,\n"
    found = written(tmp_path, {"paddle lines.csv": text})
    assert keys(found)["invoices"] == {"table": "paddle lines.csv", "preset": "paddle"}
    assert mrr(loaded(found)) == 100.0
