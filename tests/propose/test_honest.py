"""Where data do not tell, the proposal says so, and names what to set."""

import pytest
from propose_world import keys, left, loaded, mrr, nps, sections, spent, written

import cslib
from cslib.errors import DataError
from cslib.propose.look import look
from cslib.propose.match import joined, matches
from cslib.propose.write import propose, write

pytestmark = pytest.mark.slow  # each loads a data set

CUSTOMERS = "customer_id,started_on,churned_on\n"
SUBSCRIPTIONS = "customer_id,started_on,ended_on,{}\n"


@pytest.mark.parametrize(
    ("name", "text", "doubt"),
    [
        ("orders.csv", "customer_id,date,amount\na,04/03/2024,5\nb,02/11/2024,6\n", "the first is taken for the day"),
        ("orders.csv", 'customer_id,ordered_on,amount\na,2024-01-05,"1,234"\nb,2024-01-06,"5,678"\n', "do not tell the sign of thousands"),
        ("subscriptions.csv", SUBSCRIPTIONS.format("price") + "a,2024-01-05,,5\nb,2024-01-06,,6\n", "No column says for what period"),
        ("subscriptions.csv", "customer_id,started_on,mrr\na,2024-01-05,5\nb,2024-01-06,6\n", "No column says when a subscription ended"),
        ("subscriptions.csv", SUBSCRIPTIONS.format("mrr,currency") + "a,2024-01-05,,5,EUR\nb,2024-01-06,,6,USD\n", "Amounts are in 2 currencies"),
        ("subscriptions.csv", SUBSCRIPTIONS.format("amount,interval,quantity") + "a,2024-01-05,,5,month,3\nb,2024-01-06,,6,month,1\n", '"quantity" is above 1'),
        ("subscriptions.csv", SUBSCRIPTIONS.format("amount,interval,interval_count") + "a,2024-01-05,,5,month,3\nb,2024-01-06,,6,month,1\n", "counts periods and is not always 1"),
        ("members.csv", "Member ID,Tenure,Churned\na,3,1\nb,5,0\n", "months or years"),
        ("answers.csv", "customer_id,Survey Date,Score\na,2024-01-05,3\nb,2024-01-06,5\n", "Nothing names the survey: answers from 3 to 5 are taken for csat"),
        ("answers.csv", "customer_id,Survey Date,Score\na,2024-01-05,3\nb,2024-01-06,7\n", "are taken for ces"),
        ("nps.csv", "customer_id,Survey Date,Score\n" + "".join(f"c{i},2024-01-05,{i % 5 + 1}\n" for i in range(20)), "which goes from 0 to 10, but no answer is above 5"),
        ("csat.csv", "customer_id,Survey Date,Score\na,2024-01-05,3\nb,2024-01-06,9\n", "are not on the scale of csat"),
        ("nps.csv", "Response ID,Survey Date,Score\n1,2024-01-05,3\n2,2024-01-06,9\n", "answers cannot be joined with customers"),
    ],
)  # fmt: skip
def test_doubt_makes_it_a_guess(tmp_path, name, text, doubt):
    found = written(tmp_path, {name: text})
    (made,) = found.sections
    assert made.sure == "guess"
    assert any(doubt in line for line in made.unsure)
    assert doubt in found.text  # as a comment beside the table


@pytest.mark.parametrize("taken", ["%d/%m/%Y", "%m/%d/%Y"])
def test_another_column_tells_day_from_month(tmp_path, taken):
    other = "25/03/2024" if taken == "%d/%m/%Y" else "03/25/2024"
    text = f"customer_id,started_on,churned_on\na,04/03/2024,{other}\nb,02/11/2023,\n"
    found = written(tmp_path, {"customers.csv": text})
    assert keys(found)["customers"]["date_format"] == taken
    assert sections(found)["customers"].unsure == []


def test_dates_in_two_ways_are_not_mixed(tmp_path):
    text = (
        "customer_id,asked_on,Submitted at,survey,score\na,2024-01-05,06.01.2024,nps,9\nb,2024-01-06,27.01.2024,nps,3\n"
    )
    found = written(tmp_path, {"surveys.csv": text})
    assert "left out: its dates are written in another way (%d.%m.%Y)" in found.text


@pytest.mark.long
@pytest.mark.parametrize("unit", ["year", "Jährlich", "annual", "12 months"])
def test_a_yearly_price_is_a_twelfth_a_month(tmp_path, unit):
    text = f"customer_id,started_on,ended_on,price,billing period\na,2024-01-05,,120,{unit}\nb,2024-01-06,,10,month\n"
    assert mrr(loaded(written(tmp_path, {"subscriptions.csv": text}))) == 20.0


def test_annual_recurring_revenue_is_of_a_year(tmp_path):
    text = "customer_id,started_on,ended_on,ARR\na,2024-01-05,,120\nb,2024-01-06,,240\n"
    assert mrr(loaded(written(tmp_path, {"contracts.csv": text}))) == 30.0


def test_an_mrr_that_is_twelve_times_as_high_in_yearly_rows_is_doubted(tmp_path):
    text = "customer_id,started_on,ended_on,mrr,interval\na,2024-01-05,,1200,year\nb,2024-01-06,,100,month\n"
    found = written(tmp_path, {"subscriptions.csv": text})
    assert sections(found)["subscriptions"].sure == "guess"
    assert mrr(loaded(found)) == 200.0


def test_ends_that_are_the_last_day_paid(tmp_path):
    rows = "a,2024-01-01,2024-01-31,5\na,2024-02-01,2024-02-29,5\na,2024-03-01,2024-03-31,5\n"
    found = written(tmp_path, {"subscriptions.csv": SUBSCRIPTIONS.format("mrr") + rows})
    assert keys(found)["subscriptions"]["ends"] == "inclusive"


def test_a_planned_end_moves_no_last_day(tmp_path):
    text = "customer_id,started_on,valid until,mrr\na,2024-01-01,2025-01-01,5\nb,2024-03-01,2025-03-01,5\n"
    assert keys(written(tmp_path, {"subscriptions.csv": text}))["as_of"].isoformat() == "2024-03-01"


def test_price_times_quantity(tmp_path):
    text = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    text += "1,A,6,12/1/2010 8:26,2.50,17850,UK\n1,B,2,12/1/2010 8:26,3.00,17850,UK\n2,A,1,12/13/2010 9:00,2.50,12583,FR\n3,A,1,12/14/2010 9:00,2.50,,UK\n"
    found = written(tmp_path, {"Online Retail.csv": text})
    assert spent(loaded(found)) == 23.50
    assert "are of nobody" in found.text


def test_files_of_the_same_columns_are_one_table(tmp_path):
    head = "customer_id,ordered_on,amount\n"
    found = written(
        tmp_path, {"orders_2023.csv": head + "a,2023-01-05,5\n", "orders_2024.csv": head + "b,2024-01-05,6\n"}
    )
    assert spent(loaded(found)) == 11.0
    assert '"orders_2024.csv" has the same columns' in found.text


def test_of_two_files_for_one_table_the_other_is_left_out(tmp_path):
    files = {
        "orders.csv": "customer_id,ordered_on,amount\na,2023-01-05,5\n",
        "sales.csv": "client,date,total,note\nb,2024-01-05,6,x\n",
    }
    found = written(tmp_path, files)
    assert found.left_out == {"sales.csv": "looks like orders, which another file is already"}


def test_ids_that_meet_are_taken(tmp_path):
    crm = "Record ID,Email,Country\n" + "".join(f"9{i},p{i}@x.com,DE\n" for i in range(6))
    shop = "Email,Order Date,Total\n" + "".join(f"p{i}@x.com,2024-01-0{i + 1},5\n" for i in range(5))
    (tmp_path / "contacts.csv").write_text(crm)
    (tmp_path / "orders.csv").write_text(shop)
    found, _ = matches(look(str(tmp_path)).looks)
    assert [m.columns["customer_id"] for m in joined(found)] == ["Email", "Email"]


@pytest.mark.parametrize("table", ["customers", "subscriptions"])
def test_ids_that_never_meet_are_told(tmp_path, table):
    head, row = (CUSTOMERS, "") if table == "customers" else (SUBSCRIPTIONS.format("mrr"), ",5")
    crm = head + "".join(f"A{i},2024-01-01,{row}\n" for i in range(5))
    answers = "customer_id,asked_on,survey,score\n" + "".join(f"B{i},2024-01-02,nps,9\n" for i in range(5))
    found = written(tmp_path, {f"{table}.csv": crm, "surveys.csv": answers})
    assert f"No id of surveys is among those of {table}: they cannot be joined." in found.lines


@pytest.mark.parametrize(
    "text",
    ["Record ID,Company name,Create Date\n1,A,2024-01-05\n2,B,2024-01-06\n", "Customer ID,Plan\n1,Pro\n2,Free\n"],
)
def test_customers_that_nothing_dates_are_no_table(tmp_path, text):
    with pytest.raises(DataError, match="lists customers, but not when each left"):
        written(tmp_path, {"companies.csv": text})


def test_a_status_without_a_day_is_told(tmp_path):
    text = "Customer,Price,Billing Cycle,Status,Start Date\nc1,29.00,Monthly,Active,2024-01-05\nc2,29.00,Monthly,Cancelled,2024-02-05\n"
    found = written(tmp_path, {"subscriptions.csv": text})
    assert 'Some have the status "Cancelled", without the day on which they ended.' in found.text


def test_words_of_an_answer(tmp_path):
    text = "Customer ID,Survey Date,How likely are you to recommend us?\na,2024-01-05,10 - Extremely likely\nb,2024-01-06,0 - Not at all\nc,2024-01-07,9\n"
    assert nps(loaded(written(tmp_path, {"answers.csv": text}))) == 33.33


def test_who_is_active_has_not_left(tmp_path):
    found = written(tmp_path, {"members.csv": "Member ID,Months,Active\na,30,yes\nb,40,no\n"})
    t = loaded(found).table("customers")
    assert t.filter(t.churned).customer_id.execute().tolist() == ["b"]


def test_costs_are_for_winning_or_keeping(tmp_path):
    files = {"costs.csv": "Month,Category,Spend\n2024-01-01,Marketing,100\n2024-01-01,Customer Success,50\n", "orders.csv": "customer_id,ordered_on,amount\na,2024-01-05,5\n"}  # fmt: skip
    t = loaded(written(tmp_path, files)).table("costs")
    assert dict(t.select("kind", "amount").execute().values.tolist()) == {"acquisition": 100.0, "retention": 50.0}


def test_an_id_of_deals_is_no_customer(tmp_path):
    deals = "Record ID,Deal Name,Close Date,Amount,Associated Company\n1,New,2024-01-05,100,Acme\n2,Up,2024-02-05,50,Acme\n3,New,2024-02-06,70,Beta\n"
    assert (
        keys(written(tmp_path, {"hubspot-deals.csv": deals}))["orders"]["columns"]["customer_id"]
        == "Associated Company"
    )


def test_an_id_that_never_comes_twice_is_doubted(tmp_path):
    text = "User ID,Order Date,Total\n" + "".join(f"u{i},2024-01-{i % 28 + 1:02d},5\n" for i in range(60))
    assert "is it the customer, and not an id of rows?" in written(tmp_path, {"orders.csv": text}).text


def test_names_join_where_ids_do_not(tmp_path):
    crm = "Account ID,Account Name,Plan\n001,Acme,Pro\n002,Beta,Free\n003,Cargo,Pro\n004,Delta,Free\n"
    sales = "Order No,Customer,Date,Amount\n1,Acme,2024-01-05,10\n2,Beta,2024-01-06,20\n3,Delta,2024-02-06,5\n"
    found = written(tmp_path, {"accounts.csv": crm, "sales 2024.csv": sales})
    assert keys(found)["customers"]["columns"] == {"customer_id": "Account Name"}
    assert loaded(found).table("orders").Plan.execute().tolist() == ["Pro", "Free", "Free"]


def test_customers_in_several_rows_are_told(tmp_path):
    rows = "".join(f"{i // 2},2024-01-05,\n" for i in range(8))
    with pytest.raises(DataError, match="some of them in several rows"):
        written(tmp_path, {"contacts.csv": "Customer ID,Signup Date,Cancel Date\n" + rows})


def test_lines_above_the_header_are_passed_over(tmp_path):
    text = "Umsatzbericht 2024\n\nKundennummer;Datum;Umsatz\n1001;13.01.2024;1.234,50\n1002;05.02.2024;99,00\n"
    assert spent(loaded(written(tmp_path, {"Umsatz.csv": text}))) == 1333.5


LINES = """Account,Invoice date,{start},{end},Type,Amount
A,2024-01-15,2024-01-15,2025-01-15,recurring,1200.00
A,2024-01-15,2024-01-15,2025-01-15,discount,-120.00
B,2024-02-01,2024-02-01,2024-03-01,recurring,50.00
B,2024-03-01,2024-03-01,2024-04-01,recurring,50.00
B,2024-04-01,2024-04-01,2024-05-01,recurring,50.00
"""


@pytest.mark.long
@pytest.mark.parametrize(("start", "end", "known"), [("From", "To", True), ("von", "bis", True), ("X", "Y", False)])
def test_a_line_of_a_year_is_none_of_a_month_without_a_word(tmp_path, start, end, known):
    (tmp_path / "invoices.csv").write_text(LINES.format(start=start, end=end))
    proposal = propose(str(tmp_path))
    write(proposal)
    assert ("counts as one of a month without line_start" in "\n".join(proposal.lines)) != known
    if known:
        assert cslib.Revenue(cslib.load(tmp_path, as_of="2024-04-30")).by_month.table.closing.iloc[0] == 140


GROUPED = "Kunde;Datum;Betrag\n1;2024-01-03;1.234\n2;2024-01-09;12.500\n1;2024-02-03;950\n"


@pytest.mark.parametrize(
    ("text", "sign", "total"),
    [
        (GROUPED, ",", 14684.0),
        (GROUPED.replace(";", ","), ".", 963.734),
        (GROUPED.replace("\n", ";9,90\n").replace("Betrag;9,90", "Betrag;Steuer"), ",", 14684.0),
        (GROUPED.replace("950", "9.5"), None, 23.234),
    ],
)
def test_amounts_that_may_be_thousands_are_a_guess(tmp_path, text, sign, total):
    found = written(tmp_path, {"orders.csv": text})
    assert keys(found)["orders"].get("decimal") == sign
    assert ("do not tell the sign of thousands" in found.text) == (sign is not None and "Steuer" not in text)
    assert spent(loaded(found)) == round(total, 2)


SCORES = "customer_id,Survey Date,{}\n" + "".join(
    f"c{i},2024-01-{i + 5:02d},{i % 5 + 5},{i % 4 + 1},{i % 3 + 3},{i}0\n" for i in range(12)
)


@pytest.mark.parametrize(
    ("names", "left"),
    [
        ("How likely to recommend us?,How satisfied are you?,Q3,Seats", '"How satisfied are you?", "Q3"'),
        ("NPS,CSAT Score,CES,Seats", '"CSAT Score", "CES"'),
        ("Score,Q1,Q2,Seats", '"Q1", "Q2"'),
    ],
)
def test_questions_that_are_left_out_are_named(tmp_path, names, left):
    found = written(tmp_path, {"answers.csv": SCORES.format(names)})
    score = names.split(",")[0]
    assert f'Only one question can be taken: "{score}" is, and {left} left out.' in "\n".join(found.lines)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (("never", "2024-03-05", "never"), ["never"]),
        (("Active", "2024-03-05", "active"), ["Active", "active"]),
        (("offen", "2024-03-05", "läuft noch"), ["läuft noch", "offen"]),
        (("2999-12-31", "2024-03-05", ""), ["2999-12-31"]),
    ],
)
def test_words_and_days_for_an_end_that_is_not_there_yet(tmp_path, ends, words):
    rows = "".join(f"{who},2024-0{i + 1}-05,{end}\n" for i, (who, end) in enumerate(zip("abc", ends, strict=True)))
    found = written(tmp_path, {"customers.csv": "Customer ID,Signup Date,Cancel Date\n" + rows})
    assert keys(found)["customers"]["null_values"] == words
    assert left(loaded(found)) == (3, 1)


@pytest.mark.parametrize("name", ["Currency", "currency", "Plan Currency", "Währung"])
def test_amounts_of_two_currencies_are_not_added_whatever_the_column_is_called(tmp_path, name):
    rows = f"Customer,Order Date,Amount,{name}\na,2024-01-03,5,EUR\nb,2024-02-03,6,{{}}\n"
    found = written(tmp_path, {"orders.csv": rows.format("EUR")})
    assert loaded(found).currency == "EUR"
    (tmp_path / "orders.csv").write_text(rows.format("USD"))
    (tmp_path / "cslib.toml").write_text(found.text.replace('currency = "EUR"\n', ""))
    with pytest.raises(DataError, match=r"Amounts are in 2 currencies \(EUR, USD\)"):
        loaded(found)


@pytest.mark.long
def test_seats_times_their_price(tmp_path):
    text = "Customer,Plan,Unit Price,Quantity,Billing Interval,Start Date,End Date\n"
    text += "a,Pro,10.00,3,month,2024-01-05,\nb,Pro,100.00,1,year,2024-02-05,\n"
    assert mrr(loaded(written(tmp_path, {"subscriptions.csv": text}))) == 38.33


def test_indian_thousands(tmp_path):
    text = 'Customer,Order Date,Amount\na,03/01/2024,"₹1,23,456.00"\nb,15/02/2024,"₹99.00"\n'
    found = written(tmp_path, {"orders.csv": text})
    assert (spent(loaded(found)), loaded(found).currency) == (123555.0, "INR")


def test_mrr_by_month_is_told_what_reads_it(tmp_path):
    (tmp_path / "mrr.csv").write_text("customer,month,mrr\na,2024-01-01,10\na,2024-02-01,10\nb,2024-01-01,5\n")
    with pytest.raises(DataError, match="has a row for each customer and month: a query makes subscriptions of it"):
        propose(str(tmp_path))
