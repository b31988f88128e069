"""How the texts of sources are read: numbers and dates of several countries, words for nothing, zones, periods."""

from datetime import date, datetime, timedelta

import ibis
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cslib import DataError, load
from cslib.data.contract import Column
from cslib.data.load import check
from cslib.data.reading import NOTHING, Reading, typed
from cslib.data.texts import says
from cslib.errors import MissingTableError
from cslib.revenue.movements import movements


def folder(tmp_path, toml="", **files):
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "cslib.toml").write_text(toml, encoding="utf-8")
    return tmp_path


def column(tmp_path, values, *, kind="amount", keys="", table="orders"):
    """Read one column of orders as the section's keys say."""
    row = {"customer_id": "c", "ordered_on": "2024-01-03", "amount": "1"}
    rows = pd.DataFrame([row | {kind: value} for value in values])
    rows.to_csv(tmp_path / f"{table}.csv", index=False)
    (tmp_path / "cslib.toml").write_text(f"[{table}]\n{keys}\n", encoding="utf-8")
    return load(tmp_path).table(table)[kind].execute().tolist()


COMMA = [
    ("12,50", 12.5), ("1.234,56", 1234.56), ("1 234,5 €", 1234.5), ("-1.000", -1000.0), ("(12,50)", -12.5), ("12,50-", -12.5),
    ("kr. 99", 99.0), ("1'234,50 CHF", 1234.5), ("R$ 1.234.567,8", 1234567.8), ("−5", -5.0), (",5", 0.5), ("1\u202f234,5", 1234.5),
]  # fmt: skip
POINT = [
    ("$1,234.50", 1234.5), ("-$12", -12.0), ("$-12.5", -12.5), ("1,23,456.7", 123456.7), ("US$ 5", 5.0), ("£.5", 0.5), ("7.", 7.0),
    ("USD 1,000", 1000.0), ("12.50", 12.5),
]  # fmt: skip


@pytest.mark.parametrize(("sign", "cases"), [(",", COMMA), (".", POINT)], ids=["comma", "point"])
def test_numbers_by_hand(sign, cases):
    texts, numbers = zip(*cases, strict=True)
    raw = ibis.memtable(pd.DataFrame({"i": range(len(texts)), "text": texts}))
    read = typed(raw.text, Column("number"), Reading(decimal=sign), try_cast=True)
    assert raw.mutate(read=read).order_by("i").execute()["read"].tolist() == list(numbers)


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (".", "12,50"),
        (".", "abc12"),
        (",", "1.5"),
        (",", "12.50"),
        (",", "1,2,3"),
        (".", "1.2.3"),
        (".", "12 apples"),
        (",", "1-2"),
    ],
)
def test_what_is_no_such_number_is_refused(tmp_path, sign, text):
    with pytest.raises(DataError, match="1 row with a value that is no number"):
        column(tmp_path, [text], keys=f'decimal = "{sign}"')


DATES = [
    ("%m/%d/%y %H:%M", "12/1/10 8:26", date(2010, 12, 1)),
    ("%d %b %Y", "1 Feb 2025", date(2025, 2, 1)),
    ("%B %d, %Y %I:%M %p", "February 1, 2025 11:05 PM", date(2025, 2, 1)),
    ("%Y-%j", "2025-032", date(2025, 2, 1)),
    ("%b %Y", "May 2025", date(2025, 5, 1)),
    ("%a %d.%m.%y", "Sat 01.02.25", date(2025, 2, 1)),
    ("%Y-%m-%dT%H:%M:%S%z", "2025-01-31T23:30:00-0200", date(2025, 2, 1)),
    ("excel", "45658", date(2025, 1, 1)),
    ("excel", "45658.99", date(2025, 1, 1)),
    ("excel", "2025-02-03", date(2025, 2, 3)),
    ("unix", "1738368000", date(2025, 2, 1)),
    ("unix_ms", "1738367999999", date(2025, 2, 1)),
    ("unix_us", "1738368000000000", date(2025, 2, 1)),
]


@pytest.mark.parametrize(("date_format", "text", "day"), DATES)
def test_dates_by_a_format(tmp_path, date_format, text, day):
    read = column(tmp_path, [text], kind="ordered_on", keys=f'date_format = "{date_format}"')
    assert read == [pd.Timestamp(day)]


def test_unix_seconds_are_whole_seconds(tmp_path):
    folder(tmp_path, '[usage]\ndate_format = "unix"\n', usage="customer_id,occurred_at\na,1738367999\n")
    assert load(tmp_path).table("usage").occurred_at.execute().tolist() == [pd.Timestamp("2025-01-31 23:59:59")]


def test_dates_that_are_numbers_already(tmp_path):
    orders = pd.DataFrame({"customer_id": ["a"], "ordered_on": [45658.5], "amount": [1.0]})
    orders.to_parquet(tmp_path / "orders.parquet")
    (tmp_path / "cslib.toml").write_text('[orders]\ndate_format = "excel"\n')
    assert load(tmp_path).table("orders").ordered_on.execute().tolist() == [pd.Timestamp("2025-01-01")]


@pytest.mark.parametrize("text", ["31.02.2025", "1 Foo 2025", "2025-01-01", "soon"])
def test_dates_of_another_form_are_refused(tmp_path, text):
    with pytest.raises(DataError, match="1 row with a value that is no date"):
        column(tmp_path, [text], kind="ordered_on", keys='date_format = "%d %b %Y"')


LOCALES = {  # date_format, decimal, thousands
    "de": ("%d.%m.%Y", ",", "."), "us": ("%m/%d/%y", ".", ","), "fr": ("%d/%m/%Y", ",", "\u202f"), "se": ("%Y/%m/%d", ",", " "),
}  # fmt: skip


@pytest.mark.long
@settings(max_examples=16)
@given(
    st.sampled_from(sorted(LOCALES)),
    st.lists(
        st.tuples(st.dates(date(1970, 1, 1), date(2068, 12, 31)), st.integers(-(10**9), 10**9)), min_size=1, max_size=60
    ),
)
def test_whatever_a_country_writes_is_read(tmp_path_factory, locale, rows):
    date_format, decimal, thousands = LOCALES[locale]
    marks = str.maketrans({",": thousands, ".": decimal})
    texts = [(day.strftime(date_format), f"{n / 100:,.2f}".translate(marks)) for day, n in rows]
    path = tmp_path_factory.mktemp("locale")
    lines = "\n".join(f"c;{day};{amount}" for day, amount in texts)
    keys = f'[orders]\ndate_format = "{date_format}"\ndecimal = "{decimal}"\n'
    found = load(folder(path, keys, orders=f"customer_id;ordered_on;amount\n{lines}\n")).table("orders").execute()
    assert [d.date() for d in pd.to_datetime(found["ordered_on"])] == [day for day, _ in rows]
    assert found["amount"].tolist() == [n / 100 for _, n in rows]


NOBODY = ["NULL", "N/A", r"\N", "0000-00-00", "NaT", "null", "-", "9999-12-31", ""]


def test_words_for_no_date_yet_are_known(tmp_path):
    rows = "\n".join(f"c{i},2024-01-01,{word}" for i, word in enumerate([*NOBODY, "2024-03-01"]))
    data = load(folder(tmp_path, customers=f"customer_id,started_on,churned_on\n{rows}\n"))
    churned = data.table("customers").churned_on.execute()
    assert len(churned) == 10
    assert churned.notna().sum() == 1


def test_words_for_nothing_may_be_named(tmp_path):
    toml = '[surveys]\nnull_values = ["not asked", "k.A."]\n'
    rows = "a,2025-01-01,nps,not asked,Pro\nb,2025-01-02,nps,9,K.A.\n"
    data = load(folder(tmp_path, toml, surveys=f"customer_id,asked_on,survey,score,plan\n{rows}"))
    found = data.table("surveys").order_by("customer_id").execute()
    assert found["score"].isna().tolist() == [True, False]
    assert found["plan"].isna().tolist() == [False, True]


def test_an_end_that_cannot_be_read_is_never_set_aside_by_advice(tmp_path):
    rows = "\n".join(f"c{i},2024-01-01,{'offen' if i == 5 else ''}" for i in range(100))
    found = check(folder(tmp_path, customers=f"customer_id,started_on,churned_on\n{rows}\n")).faults
    said = next(f.message for f in found if f.severity == "error")
    assert 'If it stands for not yet, set null_values = ["offen"] in [customers] of cslib.toml' in said
    assert "set_aside" not in said


def test_leaving_out_is_offered_with_its_share_where_it_is_small(tmp_path):
    lines = "\n".join(f"c{i},2024-01-01,{'x' if i == 5 else '1'}" for i in range(100))
    found = check(folder(tmp_path, orders=f"customer_id,ordered_on,amount\n{lines}\n")).faults[0].message
    assert 'set on_fault = "set_aside" to leave them out (1.0 % of the rows).' in found
    lines = "\n".join(f"c{i},2024-01-01,{'x' if i % 10 else '1'}" for i in range(100))
    found = check(folder(tmp_path, orders=f"customer_id,ordered_on,amount\n{lines}\n")).faults[0].message
    assert "set_aside" not in found


def test_following_the_advice_mends_it(tmp_path):
    rows = "a;03.01.2024;12,50\nb;17.01.2024;1.234,56\n"
    folder(tmp_path, orders=f"customer_id;ordered_on;amount\n{rows}")
    said = " ".join(f.message for f in check(tmp_path).faults)
    assert 'Set date_format = "%d.%m.%Y" in [orders]' in said
    assert 'Set decimal = "," in [orders]' in said
    (tmp_path / "cslib.toml").write_text('[orders]\ndate_format = "%d.%m.%Y"\ndecimal = ","\n')
    assert load(tmp_path).table("orders").amount.execute().tolist() == [12.5, 1234.56]


def test_times_are_those_of_the_business(tmp_path):
    rows = "a,2025-01-31T17:30:00Z,1\nb,2025-02-01T00:30:00+08:00,1\nc,2025-01-31 23:30:00,1\n"
    orders = f"customer_id,ordered_on,amount\n{rows}"
    days = load(folder(tmp_path, 'timezone = "Asia/Singapore"\n', orders=orders)).table("orders").execute()
    assert [str(d)[:10] for d in days["ordered_on"]] == ["2025-02-01", "2025-02-01", "2025-01-31"]
    days = load(folder(tmp_path, "", orders=orders)).table("orders").execute()
    assert [str(d)[:10] for d in days["ordered_on"]] == ["2025-01-31", "2025-01-31", "2025-01-31"]


def test_times_of_summer_and_winter(tmp_path):
    moments = ["2025-01-15T22:30:00Z", "2025-07-15T22:30:00Z"]  # Berlin is one hour ahead in winter, two in summer
    usage = "customer_id,occurred_at\n" + "".join(f"a,{m}\n" for m in moments)
    data = load(folder(tmp_path, 'timezone = "Europe/Berlin"\n', usage=usage))
    assert sorted(data.table("usage").occurred_at.execute()) == [
        datetime(2025, 1, 15, 23, 30),
        datetime(2025, 7, 16, 0, 30),
    ]
    assert any("converted to Europe/Berlin" in note for note in data.notes)


SUBSCRIPTIONS = "customer_id,started_on,ended_on,mrr,interval\na,2024-06-01,,1200,{}\nb,2024-06-01,,100,month\n"


@pytest.mark.parametrize(
    ("word", "mrr"),
    [("year", 100), ("annual", 100), ("Yearly", 100), ("quarter", 400), ("every 3 months", 400), ("P1Y", 100), ("12", 100),
     ("2 years", 50), ("half-year", 200), ("jährlich", 100), ("mensuel", 1200), ("monthly", 1200), ("trimestral", 400)],
)  # fmt: skip
def test_prices_by_a_column_of_periods(tmp_path, word, mrr):
    toml = 'as_of = 2024-12-31\n[subscriptions]\nunit = "interval"\n'
    data = load(folder(tmp_path, toml, subscriptions=SUBSCRIPTIONS.format(word)))
    assert movements(data).iloc[-1].closing == mrr + 100


@pytest.mark.parametrize(
    ("unit", "mrr"), [("year", 100), ("month", 1200), ("week", 1200 * 365.25 / 84), ("day", 36525)]
)
def test_prices_of_one_period(tmp_path, unit, mrr):
    toml = f'as_of = 2024-12-31\n[subscriptions]\nunit = "{unit}"\n'
    rows = "customer_id,started_on,ended_on,mrr\na,2024-06-01,,1200\n"
    assert load(folder(tmp_path, toml, subscriptions=rows)).table("subscriptions").mrr.execute()[0] == pytest.approx(
        mrr
    )


def test_unknown_periods_are_told(tmp_path):
    toml = '[subscriptions]\nunit = "interval"\n'
    with pytest.raises(
        DataError, match=r"interval has 1 row with a value that is no period of a price \(first: fortnight"
    ):
        load(folder(tmp_path, toml, subscriptions=SUBSCRIPTIONS.format("fortnight")))
    with pytest.raises(DataError, match="unit of subscriptions is 'intervall', .* Did you mean 'interval'"):
        load(folder(tmp_path, toml.replace("interval", "intervall"), subscriptions=SUBSCRIPTIONS.format("year")))


@pytest.mark.parametrize("word", ["year", "Jährlich", "3 months"])
def test_prices_that_may_be_of_another_period_are_told(tmp_path, word):
    data = load(folder(tmp_path, "as_of = 2024-12-31\n", subscriptions=SUBSCRIPTIONS.format(word)))
    said = [f.message for f in data.faults if f.rule == "price period"]
    assert len(said) == 1
    assert 'set unit = "interval" in [subscriptions]; if it is one of a month, set unit = "month"' in said[0]
    quiet = load(folder(tmp_path, '[subscriptions]\nunit = "month"\n', subscriptions=SUBSCRIPTIONS.format(word)))
    assert not [f for f in quiet.faults if f.rule == "price period"]


def test_columns_of_one_value_and_words_with_a_meaning(tmp_path):
    toml = """
[surveys]
values = { survey = "csat" }
labels = { score = { "Very satisfied" = 5, "4 - satisfied" = 4 } }
[customers]
columns = { churned = "active" }
inverted = ["churned"]
labels = { churn_kind = { "Payment failed" = "involuntary" } }
"""
    surveys = "customer_id,asked_on,score\na,2025-01-01,very satisfied\nb,2025-01-02,4 - Satisfied\nc,2025-01-02,3\n"
    customers = "customer_id,tenure_months,active,churn_kind\na,3,Yes,\nb,4,No,payment failed\nc,4,yes,\n"
    data = load(folder(tmp_path, toml, surveys=surveys, customers=customers))
    found = data.table("surveys").order_by("customer_id").execute()
    assert found["score"].tolist() == [5, 4, 3]
    assert set(found["survey"]) == {"csat"}
    people = data.table("customers").order_by("customer_id").execute()
    assert people["churned"].tolist() == [False, True, False]
    assert people["churn_kind"].tolist()[1] == "involuntary"


@pytest.mark.parametrize(
    "header",
    [
        "CUSTOMER_ID,ORDERED_ON,AMOUNT",
        "Customer ID,Ordered on,Amount",
        "customer-id, ordered-on ,amount",
        "CustomerID,orderedOn,Amount",
    ],
)
def test_names_of_columns_in_other_spellings(tmp_path, header):
    data = load(folder(tmp_path, orders=f"{header}\na,2024-01-03,5\n"))
    assert data.table("orders").columns == ("customer_id", "ordered_on", "amount")
    assert sum("is taken for" in note for note in data.notes) >= 2


def test_a_query_may_give_its_columns_in_any_case(tmp_path):
    toml = '[orders]\nquery = "select ID as CUSTOMER_ID, Day as Ordered_On, Price as AMOUNT from sales"\n'
    data = load(folder(tmp_path, toml, sales="ID,Day,Price\n007,2024-01-03,5\n"))
    assert data.table("orders").execute().to_dict("records")[0]["customer_id"] == "007"


ABOVE = [
    "",
    "\n\n",
    "sep=;\n",
    "Report of January\n",
    "Report of January\nMade by us\n\n",
    "sep=;\n\n",
    "Sales, by us\n",
    "A; title\n\n",
    "Report of January;;;\n",
    '"Report; of January";;;\n;;;\nMade by us;;;\n',
    "Orders;January;2024;all\n",
    "Orders;01/2024 - 03/2024;EUR;all\n;;;\n",
]


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_stands_above_a_table(tmp_path, above, encoding):
    text = f'{above}customer_id;ordered_on;amount;note\na;2024-01-03;5;"two\nlines"\nb;2024-01-04;6;x\n'
    (tmp_path / "orders.csv").write_text(text, encoding=encoding)
    found = load(tmp_path).table("orders").execute()
    assert found["customer_id"].tolist() == ["a", "b"]
    assert found["note"].tolist() == ["two\nlines", "x"]


HEADERS = [  # no titles: above them is nothing, and below them what a survey tool adds, or little
    ("customer_id,ordered_on,amount,Q1\nID,Day,Amount,Question\na,2024-01-03,5,x\n", ["a"]),
    ("customer_id,ordered_on,amount,2024\na,2024-01-03,5,x\nb,2024-01-04,6,y\n", ["a", "b"]),
    ("customer_id,ordered_on,amount,\na,2024-01-03,5,\nb,2024-01-04,6,\n", ["a", "b"]),
    ("customer_id,ordered_on,amount,note\na,2024-01-03,5,\n", ["a"]),
]


@pytest.mark.parametrize(("text", "ids"), HEADERS)
def test_a_header_is_no_title(tmp_path, text, ids):
    (tmp_path / "cslib.toml").write_text('[orders]\non_fault = "set_aside"\n')
    (tmp_path / "orders.csv").write_text(text)
    assert load(tmp_path).table("orders").customer_id.execute().tolist() == ids


def test_completed_months_and_the_month_they_left_in(tmp_path):
    """Of four, one left before the first month was over, one in the third: hazards 1/4 and 1/2 in months 1 and 3."""
    from cslib.data.lifetimes import lifetimes
    from cslib.stats.survival import survival_curve

    toml = '[customers]\ntenures = "completed"\n'
    text = "customer_id,tenure_months,churned\na,0,yes\nb,2,yes\nc,2,no\nd,5,no\n"
    curve = survival_curve(lifetimes(load(folder(tmp_path, toml, customers=text))))
    at = curve.set_index("duration_months")["survival"]
    assert at[[1.0, 3.0]].tolist() == pytest.approx([3 / 4, 3 / 8])
    plain = survival_curve(lifetimes(load(folder(tmp_path, "", customers=text)))).set_index("duration_months")[
        "survival"
    ]
    assert plain[2.0] == pytest.approx(3 / 4 * 2 / 3)


def test_customers_without_dates_are_a_list(tmp_path):
    orders = "customer_id,ordered_on,amount\na,2024-01-05,5\nb,2024-02-05,5\na,2024-02-07,5\nz,2024-02-08,5\n"
    data = load(folder(tmp_path, customers="customer_id,plan\na,Pro\nb,Free\nc,Pro\n", orders=orders))
    assert list(data.tables) == ["orders"]
    assert data.table("orders").order_by("ordered_on").plan.execute().tolist()[:3] == ["Pro", "Free", "Pro"]
    assert any("1 row of customers not in the customers table" in f.message for f in data.faults)
    assert any("a list of attributes: orders tell who is a customer" in note for note in data.notes)
    with pytest.raises(MissingTableError, match=r"only lists attributes, .* Map the columns that say so"):
        data.table("customers")


def test_products_of_a_list_are_not_what_was_bought(tmp_path):
    files = {
        "customers": "customer_id,product,Feature,plan\na,Suite,chat,Pro\n",
        "orders": "customer_id,ordered_on,amount\na,2024-01-05,5\n",
        "usage": "customer_id,occurred_at\na,2024-01-05\n",
    }
    data = load(folder(tmp_path, **files))
    assert data.listed
    assert data.table("orders").columns == ("customer_id", "ordered_on", "amount", "Feature", "plan")
    assert data.table("usage").columns == ("customer_id", "occurred_at", "product", "plan")


def test_a_list_of_customers_beside_subscriptions(tmp_path):
    from cslib.data.dataset import rewind

    files = {
        "customers": "customer_id,started_on,region\na,2020-01-01,North\nb,2020-01-01,South\n",
        "subscriptions": "customer_id,started_on,ended_on,mrr\na,2024-03-01,2024-09-01,5\nb,2024-04-01,,6\n",
    }
    data = load(folder(tmp_path, "as_of = 2024-12-31\n", **files))
    for known in (data, rewind(data, date(2024, 6, 30))):
        rows = known.table("customers").order_by("customer_id").execute()
        assert rows["region"].tolist() == ["North", "South"]
        assert [str(d)[:10] for d in rows["started_on"]] == ["2024-03-01", "2024-04-01"]
    assert any("started_on of customers not used" in note for note in data.notes)


def test_customers_alone_must_say_who_left(tmp_path):
    with pytest.raises(DataError, match="customers has no column 'started_on'"):
        load(folder(tmp_path, customers="customer_id,plan\na,Pro\n"))


def test_subscriptions_without_ends_all_run(tmp_path):
    data = load(folder(tmp_path, "as_of = 2024-05-31\n", subscriptions="customer_id,started_on,mrr\na,2024-03-01,5\n"))
    assert movements(data).iloc[-1].closing == 5
    assert any("all of them are taken to run still" in f.message for f in data.faults)


def test_a_broken_table_stops_only_what_needs_it(tmp_path):
    surveys = "customer_id,asked_on,survey,score\na,2025-01-01,nps,11\n"
    subscriptions = "customer_id,started_on,ended_on,mrr\na,2024-03-01,,5\n"
    data = load(folder(tmp_path, "as_of = 2025-01-31\n", surveys=surveys, subscriptions=subscriptions))
    assert movements(data).iloc[-1].closing == 5
    with pytest.raises(DataError, match=r"surveys of .* has 1 fault:\n- surveys.score has 1 row with a score outside"):
        data.table("surveys")


def test_broken_customers_are_not_made_of_subscriptions(tmp_path):
    customers = "customer_id,started_on,churned_on\na,2024-03-01,soon\n"
    subscriptions = "customer_id,started_on,ended_on,mrr\na,2024-03-01,,5\n"
    data = load(folder(tmp_path, customers=customers, subscriptions=subscriptions))
    with pytest.raises(DataError, match="customers.churned_on has 1 row with a value that is no date"):
        data.table("customers")


def test_answers_on_another_scale_are_told(tmp_path):
    rows = "".join(f"c{i},2025-01-01,nps,{1 + i % 5}\n" for i in range(30))
    data = load(folder(tmp_path, surveys=f"customer_id,asked_on,survey,score\n{rows}"))
    assert any("30 answers called nps, and none above 5" in f.message for f in data.faults)
    fine = load(folder(tmp_path, surveys=f"customer_id,asked_on,survey,score\n{rows}d,2025-01-01,nps,6\n"))
    assert not any(f.rule == "nps scale" for f in fine.faults)


def test_a_table_that_ends_before_the_others_is_told(tmp_path):
    orders = "customer_id,ordered_on,amount\na,2024-01-05,5\n"
    usage = "customer_id,occurred_at\na,2024-01-05\na,2024-05-05\n"
    data = load(folder(tmp_path, orders=orders, usage=usage))
    assert any(f.message.startswith("orders ends on 2024-01-05, 121 days before usage does") for f in data.faults)
    assert timedelta(121) == date(2024, 5, 5) - date(2024, 1, 5)


def test_churn_that_was_never_recorded_is_told(tmp_path):
    rows = "".join(f"c{i},2024-01-01,\n" for i in range(25))
    text = f"customer_id,started_on,churned_on\n{rows}"
    young = load(folder(tmp_path, "as_of = 2024-05-31\n", customers=text))
    assert not any(f.rule == "no churn" for f in young.faults)
    data = load(folder(tmp_path, "as_of = 2024-06-30\n", customers=text))
    assert any(
        "churned_on is empty for all 25 customers: churn was never recorded, or nobody" in f.message
        for f in data.faults
    )


@pytest.mark.long
def test_churn_that_was_never_recorded_is_no_rate(tmp_path):
    from cslib import Churn, Scorecard

    rows = "".join(f"c{i},2024-01-01,\n" for i in range(25))
    orders = "customer_id,ordered_on,amount\n" + "".join(f"c{i},2024-0{1 + i % 6}-05,5\n" for i in range(25))
    text = f"customer_id,started_on,churned_on\n{rows}"
    data = load(folder(tmp_path, "as_of = 2024-06-30\n", customers=text, orders=orders))
    answer = Churn(data).answer
    assert "**No churn is on record**: all 25 customers count as still here." in answer.text
    assert not [card for card in answer.cards if card.label.startswith("Customer churn")]
    measured = Scorecard(data).measured
    assert "customer_churn_rate" not in set(measured.history["kpi"])
    assert "churn was never recorded" in measured.reasons["customer_churn_rate"]


@pytest.mark.long
@pytest.mark.parametrize(("least", "told"), [(13, True), (1, False)])
def test_nothing_is_said_of_ages_that_nobody_has(tmp_path, least, told):
    from cslib import Churn

    rows = "".join(f"c{i},{least + i % 30},{'Yes' if i % 3 == 0 else 'No'}\n" for i in range(60))
    data = load(folder(tmp_path, customers=f"customer_id,tenure_months,churned\n{rows}"))
    churn = Churn(data)
    assert pd.isna(churn.summary.table["survival_12m"].iloc[0]) == told
    assert any("has none below 13 among 60 customers" in f.message for f in data.faults) == told
    said = " ".join([churn.answer.text, churn.survival.title])
    assert (
        ("longer than 1" not in said and "100 %" not in said) if told else "12 months" in said + str(churn.answer.cards)
    )


def test_answers_to_another_survey_are_named(tmp_path):
    from cslib import Surveys

    rows = "".join(f"c{i},2025-01-01,csat,{1 + i % 5}\n" for i in range(30))
    data = load(folder(tmp_path, surveys=f"customer_id,asked_on,survey,score\n{rows}"))
    with pytest.raises(MissingTableError, match=r"no nps answer at all. There are: 30 csat .* -p survey=csat\."):
        _ = Surveys(data).answer


def test_amounts_in_two_currencies_are_not_added(tmp_path):
    with pytest.raises(DataError, match=r"orders.amount has amounts in 2 currencies \(\$, €\)"):
        column(tmp_path, ["10 €", "10 $"], keys='decimal = ","')
    assert column(tmp_path, ["10 €", "EUR 10", "5"], keys='decimal = ","') == [10, 10, 5]


def test_what_is_set_is_not_advised_otherwise(tmp_path):
    folder(tmp_path, '[orders]\ndecimal = ","\n', orders="customer_id;ordered_on;amount\na;2024-01-03;1.23\n")
    assert "decimal = " not in check(tmp_path).faults[0].message
    folder(tmp_path, '[orders]\ndate_format = "%d.%m.%Y"\n', orders="customer_id,ordered_on,amount\na,1/2/2024,1\n")
    assert "date_format = " not in check(tmp_path).faults[0].message
    folder(tmp_path, '[orders]\ndate_format = "unix"\n', orders="customer_id,ordered_on,amount\na,1738367999999,1\n")
    assert 'Set date_format = "unix_ms" in [orders]' in check(tmp_path).faults[0].message


UNCLEAR = [  # amounts without a key, and whether 1.234 may be 1234
    (["1.234", "12.345", "999"], True), (["1.234"], True), (["-1.234", "0", ""], True), (["1.234", "1.5"], False),
    (["1.234", "4000"], False), (["0.125", "1.234"], False), (["1.234", "1234.567"], False), (["12.50"], False), (["950"], False),
]  # fmt: skip


def warned(tmp_path, *, rule="unclear sign"):
    return [f.message for f in check(tmp_path).faults if f.rule == rule]


@pytest.mark.parametrize(("amounts", "unclear"), UNCLEAR)
@pytest.mark.parametrize("query", ["", 'query = "select * from orders"'])
def test_amounts_that_may_be_thousands_are_told_with_the_line_to_write(tmp_path, amounts, unclear, query):
    rows = "".join(f"c,2024-01-03,{a}\n" for a in amounts if a or not query)
    folder(tmp_path, f"[orders]\n{query}\n", orders=f"customer_id,ordered_on,amount\n{rows}")
    said = warned(tmp_path)
    assert bool(said) == unclear
    number = amounts[0]
    assert not unclear or f'If {number} means {number.replace(".", "")}, set decimal = "," in [orders]' in said[0]
    for sign in ",.":
        (tmp_path / "cslib.toml").write_text(f'[orders]\n{query}\ndecimal = "{sign}"\n')
        assert not warned(tmp_path)


@pytest.mark.parametrize("query", ["", 'query = "select * from orders"'])
def test_a_decimal_comma_holds_for_numbers_with_a_point(tmp_path, query):
    folder(
        tmp_path, f'[orders]\n{query}\ndecimal = ","\n', orders="customer_id,ordered_on,amount\na,2024-01-03,1.234\n"
    )
    assert load(tmp_path).table("orders").amount.execute().tolist() == [1234.0]


def test_an_amount_of_another_column_tells_the_sign(tmp_path):
    rows = "customer_id,started_on,churned_on,mrr,acquisition_cost\na,2024-01-03,,1.234,99.5\n"
    assert not warned(folder(tmp_path, customers=rows))
    assert warned(folder(tmp_path, customers=rows.replace("99.5", "99")))
    assert not warned(folder(tmp_path, customers=rows.replace("99.5", "4000")))


def test_scores_tenures_and_rates_are_not_doubted(tmp_path):
    folder(tmp_path, customers="customer_id,tenure_months,churned\na,12.345,yes\nb,1.500,no\n")
    assert not warned(tmp_path)
    other = tmp_path / "rated"
    other.mkdir()
    folder(
        other,
        'currency = "EUR"\n',
        rates="currency,rate\nUSD,1.085\n",
        orders="customer_id,ordered_on,amount\na,2024-01-03,5\n",
    )
    assert not warned(other)


def test_numbers_of_an_engine_are_not_doubted():
    orders = pd.DataFrame({"customer_id": ["a"], "ordered_on": ["2024-01-03"], "amount": [1.234]})
    assert not [f for f in check({"orders": orders}).faults if f.rule == "unclear sign"]
    assert [f for f in check({"orders": orders.astype({"amount": str})}).faults if f.rule == "unclear sign"]


ADVICE = [
    (["1,234", "2,500"], 'Set decimal = "." if 1,234 is 1234, and decimal = "," if it is 1.234, in [orders]'),
    (["1.234 €", "950 €"], 'Set decimal = "." if 1.234 € is 1.234, and decimal = "," if it is 1234, in [orders]'),
    ([*["1,234"] * 6, "12,50"], 'Set decimal = "," in [orders]'),
    ([*["1,234"] * 6, "1,234.5"], 'Set decimal = "." in [orders]'),
    (["$1,234", "$12.5"], 'Set decimal = "." in [orders]'),
]


@pytest.mark.parametrize(("amounts", "line"), ADVICE)
def test_the_sign_is_told_from_all_values_and_both_are_named_where_none_tells(tmp_path, amounts, line):
    rows = "".join(f'c,2024-01-03,"{a}"\n' for a in amounts)
    assert line in warned(folder(tmp_path, orders=f"customer_id,ordered_on,amount\n{rows}"), rule="unreadable")[0]


DATED = [
    (["03/04/2024", "05/06/2024"], 'Set date_format = "%d/%m/%Y" or "%m/%d/%Y" in [orders]'),
    ([*["03/04/2024"] * 6, "12/31/2024"], 'Set date_format = "%m/%d/%Y" in [orders]'),
    (["3 Jan 2024", "14 May 2024"], 'Set date_format = "%d %b %Y" in [orders]'),
    (["20240103", "20240514"], 'Set date_format = "%Y%m%d" in [orders]'),
]


@pytest.mark.parametrize(("days", "line"), DATED)
def test_the_format_of_dates_is_told_from_all_values(tmp_path, days, line):
    rows = "".join(f"c,{day},1\n" for day in days)
    assert line in warned(folder(tmp_path, orders=f"customer_id,ordered_on,amount\n{rows}"), rule="unreadable")[0]


def test_unknown_words_name_the_key_that_mends_them(tmp_path):
    orders = "customer_id,ordered_on,amount,kind\na,2024-01-03,1,Cross-sell\nb,2024-01-03,1,abo\n"
    said = check(folder(tmp_path, orders=orders)).faults[0].message
    line = 'labels = { kind = { "Cross-sell" = "cross_sell", "abo" = "…" } }'
    assert line in said
    toml = f"[orders]\n{line}\n".replace("…", "renewal")
    assert load(folder(tmp_path, toml, orders=orders)).table("orders").kind.execute().tolist() == [
        "cross_sell",
        "renewal",
    ]


@pytest.mark.parametrize(
    ("date_format", "never"), [("%d.%m.%Y", "31.12.9999"), ("%m/%d/%Y", "12/31/9999"), ("%Y%m%d", "99991231")]
)
def test_the_last_year_there_is_means_not_yet_in_any_format(tmp_path, date_format, never):
    rows = f"customer_id,started_on,churned_on\na,{date(2024, 1, 3):{date_format}},{never}\n"
    data = load(folder(tmp_path, f'[customers]\ndate_format = "{date_format}"\n', customers=rows))
    assert data.table("customers").churned_on.isnull().all().execute()
    started = rows.replace(f"{date(2024, 1, 3):{date_format}}", never)
    with pytest.raises(DataError, match="started_on has 1 row with a date outside 1900–2199"):
        load(folder(tmp_path, f'[customers]\ndate_format = "{date_format}"\n', customers=started))


def test_ends_that_stand_for_never_name_the_key(tmp_path):
    customers = "customer_id,started_on,churned_on\na,01.01.2024,31.12.2999\n"
    toml = '[customers]\ndate_format = "%d.%m.%Y"\n'
    said = check(folder(tmp_path, toml, customers=customers)).faults[0].message
    assert 'If it stands for not yet, set null_values = ["31.12.2999"] in [customers]' in said
    data = load(folder(tmp_path, toml + 'null_values = ["31.12.2999"]\n', customers=customers))
    assert data.table("customers").churned_on.execute().isna().all()


def test_ids_of_nobody_are_told(tmp_path):
    orders = "customer_id,ordered_on,amount\nNULL,2024-01-03,1\nN/A,2024-01-03,1\nb,2024-01-03,1\n"
    found = [f.message for f in load(folder(tmp_path, orders=orders)).faults if f.rule == "id of nobody"]
    assert found[0].startswith("orders.customer_id has 2 rows with an id that stands for nothing (first: NULL in row 1")


@given(st.lists(st.text(alphabet=" \t\n\v\fnNuUlL/aA-#\\0iİK9", max_size=6), min_size=1, max_size=30))
@example(["\\N", " \\n\t", "NULL", "nul", "-", "--", "---", "#N/A", "x null", "", " ", "9999-12-31T00:00:00"])
@settings(max_examples=60, deadline=None)
def test_a_word_is_found_in_any_case_and_with_blanks_around(texts):
    rows = ibis.memtable(pd.DataFrame({"i": range(len(texts)), "t": texts}), schema={"i": "int64", "t": "string"})
    found = rows.mutate(said=says(rows.t, NOTHING)).order_by("i").execute()["said"].tolist()
    assert found == [text.strip(" \t\n\r\v\f").lower() in NOTHING for text in texts]


@pytest.mark.long
def test_yearly_lines_without_a_period_are_told(tmp_path):
    rows = "customer_id,invoiced_on,amount,kind\na,2023-01-01,1200,recurring\na,2024-01-01,1200,recurring\n"
    data = load(folder(tmp_path, invoices=rows))
    assert any("1 recurring line without a period whose next comes months later" in f.message for f in data.faults)


def test_declared_segments_are_told(tmp_path):
    data = load(
        folder(
            tmp_path,
            '[customers]\nsegments = ["plan"]\n',
            customers="customer_id,started_on,churned_on,plan\na,2024-01-01,,P\n",
        )
    )
    assert "Segments to compare by: plan." in data.notes


@pytest.mark.parametrize("zone", ["Z", " UTC", "+00:00", " Etc/UTC"])
def test_a_zone_may_be_named(tmp_path, zone):
    (tmp_path / "orders.csv").write_text(f"customer_id,ordered_on,amount\na,2025-01-31 23:30:00{zone},1\n")
    (tmp_path / "cslib.toml").write_text('timezone = "Europe/Berlin"\n')
    assert load(tmp_path).table("orders").ordered_on.execute().tolist() == [pd.Timestamp("2025-02-01")]


@pytest.mark.parametrize(("currency", "mrr"), [("JPY", 10_000.0), ("EUR", 100.0)])
def test_minor_units_are_those_of_the_declared_currency(tmp_path, currency, mrr):
    keys = f'currency = "{currency}"\n[subscriptions]\nminor_units = true\n'
    data = load(folder(tmp_path, keys, subscriptions="customer_id,started_on,ended_on,mrr\na,2025-01-01,,10000\n"))
    assert data.table("subscriptions").mrr.execute().tolist() == [mrr]


def test_a_list_of_customers_tells_nothing_that_an_order_may_say_itself(tmp_path):
    customers = "customer_id,kind,plan,PLACE\na,private,Pro,N\n"
    orders = "customer_id,ordered_on,amount,Plan,place\na,2025-01-01,5,Old,S\n"
    found = load(folder(tmp_path, customers=customers, orders=orders)).table("orders")
    assert [*found.columns] == ["customer_id", "ordered_on", "amount", "Plan", "place"]
