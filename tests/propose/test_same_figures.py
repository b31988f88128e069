"""The same business, exported in other ways: what is proposed for each reads the same rows."""

import pandas as pd
import pytest
from propose_world import loaded, sections

from cslib import load
from cslib.propose.write import propose, write

GERMAN = {
    "customers": ("kunden", {"customer_id": "Kundennummer", "started_on": "Vertragsbeginn", "churned_on": "Kündigungsdatum", "acquisition_cost": "Akquisekosten", "plan": "Tarif", "region": "Region", "channel": "Kanal"}),
    "subscriptions": ("abos", {"customer_id": "Kundennummer", "started_on": "Beginn", "ended_on": "Gekündigt am", "mrr": "Monatsbeitrag", "plan": "Tarif"}),
    "orders": ("bestellungen", {"customer_id": "Kundennummer", "ordered_on": "Bestelldatum", "amount": "Betrag", "product": "Artikel"}),
    "usage": ("nutzung", {"customer_id": "Kundennummer", "occurred_at": "Zeitpunkt", "feature": "Funktion"}),
    "surveys": ("umfragen", {"customer_id": "Kundennummer", "asked_on": "Versendet am", "survey": "Umfrage", "score": "Bewertung", "answered_on": "Beantwortet am"}),
}  # fmt: skip
AMERICAN = {
    "customers": ("crm accounts", {"customer_id": "Account ID", "started_on": "Signup Date", "churned_on": "Cancellation Date", "acquisition_cost": "CAC", "plan": "Plan", "region": "Region", "channel": "Channel"}),
    "subscriptions": ("Subscriptions Export", {"customer_id": "Account ID", "started_on": "Start Date", "ended_on": "Canceled At", "mrr": "MRR", "plan": "Plan"}),
    "orders": ("order history", {"customer_id": "Account ID", "ordered_on": "Order Date", "amount": "Total", "product": "SKU"}),
    "usage": ("product events", {"customer_id": "Account ID", "occurred_at": "Timestamp", "feature": "Event Name"}),
    "surveys": ("survey responses", {"customer_id": "Account ID", "asked_on": "Sent At", "survey": "Survey Type", "score": "Score", "answered_on": "Responded At"}),
}  # fmt: skip
pytestmark = pytest.mark.slow
DATES = ("started_on", "churned_on", "ended_on", "ordered_on", "asked_on", "answered_on", "occurred_at")
MONEY = ("acquisition_cost", "mrr", "amount")


@pytest.fixture(scope="module")
def frames(small):
    """The tables as text, as a program would export them."""
    names = [p.stem for p in small.glob("*.csv") if p.stem in GERMAN]
    return {n: pd.read_csv(small / f"{n}.csv", dtype=str, keep_default_na=False) for n in names}


def german(frame):
    dates = {c: pd.to_datetime(frame[c]).dt.strftime("%d.%m.%Y").fillna("") for c in DATES if c in frame}
    money = {
        c: frame[c].map(lambda v: v and f"{float(v):,.2f} €".translate(str.maketrans(",.", ".,")))
        for c in MONEY
        if c in frame
    }
    return frame.assign(**dates, **money)


def american(frame):
    dates = {c: pd.to_datetime(frame[c]).dt.strftime("%m/%d/%Y").fillna("") for c in DATES if c in frame}
    money = {c: frame[c].map(lambda v: v and f"${float(v):,.2f}") for c in MONEY if c in frame}
    return frame.assign(**dates, **money)


def exported(folder, frames, change, words, **options):
    for table, (file, columns) in words.items():
        frame = change(frames[table])
        frame.rename(columns=columns).to_csv(folder / f"{file}.csv", index=False, **options)
    found = propose(str(folder))
    write(found)
    return found


def rows(data, table, columns):
    frame = data.table(table).select(*columns).execute()
    return frame.sort_values(columns, ignore_index=True).round(6)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "words", "options"),
    [(german, GERMAN, {"sep": ";", "encoding": "cp1252"}), (american, AMERICAN, {})],
    ids=["German", "American"],
)
def test_an_export_in_another_language_reads_the_same_rows(tmp_path, small, frames, change, words, options):
    found = exported(tmp_path, frames, change, words, **options)
    assert set(sections(found)) == set(words)
    assert all(not s.unsure for s in found.sections)
    known, data = load(small), loaded(found, as_of=load(small).as_of)
    for table, (_, columns) in words.items():
        own = [c for c in columns if c not in ("plan", "region", "channel")]
        pd.testing.assert_frame_equal(rows(data, table, own), rows(known, table, own), check_dtype=False)


@pytest.mark.long
def test_typed_parquet_reads_the_same_rows(tmp_path, small, frames):
    for table, (file, columns) in AMERICAN.items():
        frame = frames[table].replace("", None)
        dates = {c: pd.to_datetime(frame[c]) for c in DATES if c in frame}
        numbers = {c: frame[c].astype(float) for c in (*MONEY, "score") if c in frame}
        frame.assign(**dates, **numbers).rename(columns=columns).to_parquet(tmp_path / f"{file}.parquet")
    found = propose(str(tmp_path))
    write(found)
    known, data = load(small), loaded(found, as_of=load(small).as_of)
    for table, (_, columns) in AMERICAN.items():
        own = [c for c in columns if c not in ("plan", "region", "channel")]
        pd.testing.assert_frame_equal(rows(data, table, own), rows(known, table, own), check_dtype=False)
