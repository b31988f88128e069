"""What docs/data.md shows works, and it lists every key, table and code."""

import re
import tomllib
from pathlib import Path

import pandas as pd

from cslib import load
from cslib.data.config import SECTION, TOP
from cslib.data.contract import CONTRACT
from cslib.data.moments import CODES, COUNTED
from cslib.data.presets import PRESETS
from cslib.data.reading import NOTHING

PAGE = (Path(__file__).parents[1] / "docs" / "data.md").read_text("utf-8")
TOML = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)


def test_every_key_is_explained():
    for key in {**SECTION, **TOP}:
        assert f"`{key}`" in PAGE or re.search(rf"^{key} *=", PAGE, flags=re.M) or key == "targets", key


def test_every_column_of_the_contract_is_listed():
    for table in ("customers", "subscriptions", "orders", "usage", "surveys", "touchpoints", "costs"):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{table}`"))
        assert all(f"`{column}`" in row for column in CONTRACT[table]), table


def test_every_code_of_a_date_is_listed():
    assert {c for c in CODES if f"`%{c}`" not in PAGE} == set()
    assert all(f'`"{word}"`' in PAGE for word in COUNTED)


def test_words_for_no_date_are_among_those_that_are_understood():
    listed = PAGE.split("understood without a key: ")[1].split(".\n")[0]
    assert {word.lower() for word in re.findall(r"`([^`]+)`", listed)} <= set(NOTHING)


def test_the_first_example_is_read(tmp_path):
    (tmp_path / "cslib.toml").write_text(TOML[0], "utf-8")
    text = "Kunde;Datum;Betrag;Region\nA;31.12.2024;1.234,50 €;Nord\n"
    (tmp_path / "Umsatz 2025.csv").write_text(text, "utf-8")
    data = load(tmp_path)
    assert data.currency == "EUR"
    row = data.table("orders").execute().iloc[0]
    assert (row.customer_id, row.amount, row.ordered_on) == ("A", 1234.5, pd.Timestamp("2024-12-31"))


def test_a_warehouse_is_read(tmp_path, monkeypatch):
    import duckdb

    with duckdb.connect(str(tmp_path / "crm.ddb")) as con:
        con.execute("create schema billing")
        con.execute("create table billing.periods (account text, valid_from date, valid_to date, mrr double)")
        con.execute("insert into billing.periods values ('007', '2025-01-03', null, 20)")
    monkeypatch.setenv("CSLIB_CRM", f"duckdb://{tmp_path}/crm.ddb")
    declared = tomllib.loads(TOML[1])["source"]
    (tmp_path / "cslib.toml").write_text(TOML[1].replace(declared, "${CSLIB_CRM}"))
    assert load(tmp_path).table("subscriptions").mrr.execute().tolist() == [20.0]


def test_mrr_by_month_is_read_by_a_query(tmp_path):
    (tmp_path / "mrr_by_month.csv").write_text("customer,month,mrr\na,2024-01-01,10\na,2024-02-01,10\nb,2024-01-01,5\n")
    (tmp_path / "cslib.toml").write_text(next(t for t in TOML if "mrr_by_month" in t))
    rows = (
        load(tmp_path, as_of="2024-03-31").table("subscriptions").execute().sort_values(["customer_id", "started_on"])
    )
    assert [str(day)[:10] for day in rows["ended_on"]] == ["2024-02-01", "2024-03-01", "2024-02-01"]
    assert rows["mrr"].tolist() == [10, 10, 5]


BILLING = (Path(__file__).parents[1] / "docs" / "billing.md").read_text("utf-8")


def test_the_page_on_billing_lists_every_column_kind_and_preset():
    for table in ("invoices", "movements", "rates"):
        assert all(f"`{column}`" in BILLING for column in CONTRACT[table] if column != "month"), table
        kind = CONTRACT[table].get("kind")
        assert all(f"`{word}`" in BILLING for word in (kind.choices if kind else ())), table
    assert all(f"| `{name}` | `[{table}]` |" in BILLING for name, known in PRESETS.items() for table in known)


def test_the_example_of_billing_is_read(tmp_path):
    (tmp_path / "cslib.toml").write_text(re.findall(r"```toml\n(.*?)```", BILLING, flags=re.S)[0], "utf-8")
    lines = (
        "Account,Date,amount,kind,From,To,currency,plan\nA,2024-03-15,1200,recurring,2024-03-15,2025-03-15,USD,Pro\n"
    )
    (tmp_path / "lines.csv").write_text(lines)
    (tmp_path / "rates.csv").write_text("currency,rate\nUSD,0.9\n")
    row = load(tmp_path).table("subscriptions").execute().iloc[0]
    assert (row.customer_id, row.plan, row.mrr, str(row.ended_on)[:10]) == ("A", "Pro", 90.0, "2025-03-15")


def test_the_gallery_is_light_and_offers_nothing_that_is_not_there(root):
    pages = {p.name: p.read_text("utf-8") for p in (root / "docs/gallery").glob("*.html")}
    assert set(pages) == {"index.html", "scorecard.html", "churn_survival.html", "revenue.html"}
    assert sum(map(len, pages.values())) < 1_500_000
    for page in pages.values():
        assert {link.partition("#")[0] for link in re.findall(r'<a [^>]*href="([^"]*)"', page)} <= {"", *pages}
