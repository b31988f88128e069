"""From a file as it is exported to the right figure: one test for each shape, each figure reckoned by hand.

Column names are those of the vendors' public documentation and of exports in public repositories; the rows are made up.
"""

import pytest
from propose_world import keys, left, loaded, mrr, nps, sections, spent, written

from cslib.errors import DataError

pytestmark = pytest.mark.slow  # each loads a data set


def test_crm_list_and_orders(tmp_path):
    crm = """
Account ID,Account Name,Owner,Plan,Industry,Region,Phone
A-1001,Acme,Ann,Pro,Retail,EMEA,0123
A-1002,Beta,Bob,Pro,Retail,EMEA,0124
A-1003,Cargo,Ann,Free,Logistics,AMER,0125
A-1004,Delta,Bob,Free,Logistics,AMER,0126
"""
    orders = """
Order Number,Account ID,Order Date,Total,Status
1,A-1001,2024-01-05,10.50,paid
2,A-1001,2024-02-05,20.00,paid
3,A-1003,2024-02-09,5.25,paid
4,A-1004,2024-03-01,4.25,paid
"""
    found = written(tmp_path, {"crm_accounts.csv": crm, "orders_2024.csv": orders})
    assert keys(found)["customers"]["columns"] == {"customer_id": "Account ID"}
    assert keys(found)["customers"]["segments"][0] == "Plan"
    assert keys(found)["orders"]["columns"] == {
        "customer_id": "Account ID",
        "ordered_on": "Order Date",
        "amount": "Total",
    }
    data = loaded(found)
    assert spent(data) == 40.00
    t = data.table("orders")
    assert round(float(t.filter(t.Plan == "Pro").amount.sum().execute()), 2) == 30.50


def test_crm_list_with_dates(tmp_path):
    crm = """
Customer ID;Name;Signup Date;Cancellation Date;Plan;Monthly Fee
7;Ann;31.01.2024;;Pro;12,50
8;Bob;15.02.2024;30.06.2024;Free;0,00
9;Cem;28.02.2024;31.07.2024;Pro;1.012,50
"""
    found = written(tmp_path, {"kunden.csv": crm})
    assert keys(found)["customers"]["date_format"] == "%d.%m.%Y"
    assert keys(found)["customers"]["decimal"] == ","
    data = loaded(found)
    assert left(data) == (3, 2)
    assert data.as_of.isoformat() == "2024-07-31"
    assert float(data.table("customers").mrr.sum().execute()) == 1025.0


@pytest.mark.long
def test_stripe_subscriptions(tmp_path):
    text = """
id,Customer ID,Customer Description,Customer Email,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start (UTC),Current Period Start (UTC),Current Period End (UTC),Trial Start (UTC),Trial End (UTC),Canceled At (UTC),Ended At (UTC)
sub_1,cus_A1,,a@x.com,pro-monthly,1,usd,month,49.00,active,2024-01-03 10:11,2024-01-03 10:11,2024-06-03 10:11,2024-07-03 10:11,,,,
sub_2,cus_B2,,b@x.com,pro-yearly,1,usd,year,480.00,active,2024-02-01 09:00,2024-02-01 09:00,2024-02-01 09:00,2025-02-01 09:00,,,,
sub_3,cus_C3,,c@x.com,pro-monthly,1,usd,month,49.00,canceled,2024-01-20 12:00,2024-01-20 12:00,2024-04-20 12:00,2024-05-20 12:00,,,2024-05-01 08:00,2024-05-20 12:00
sub_4,cus_D4,,d@x.com,team-monthly,1,usd,month,99.00,active,2024-06-01 00:30,2024-06-01 00:30,2024-06-01 00:30,2024-07-01 00:30,,,,
"""
    found = written(tmp_path, {"subscriptions.csv": text})
    section = keys(found)["subscriptions"]
    assert section["columns"] == {
        "customer_id": "Customer ID", "started_on": "Start (UTC)", "mrr": "Amount", "ended_on": "Ended At (UTC)",
    }  # fmt: skip
    assert section["unit"] == "Interval"
    assert keys(found)["currency"] == "USD"
    assert mrr(loaded(found)) == 49 + 40 + 99


def test_chargebee_subscriptions(tmp_path):
    text = """
Subscription Id,Customer Id,Customer Email,Plan Id,Plan Quantity,Currency,Subscription Status,Subscription Billing Period,Subscription Billing Period Unit,Created At,Started At,Activated At,Current Term Start,Current Term End,Cancelled At,Cancel Reason,MRR
1mhuIiS1,cb_001,a@x.com,basic,1,EUR,Active,1,month,15-Jan-2024 10:00,15-Jan-2024 10:00,15-Jan-2024 10:00,15-Jun-2024 10:00,15-Jul-2024 10:00,,,29.00
2mhuIiS2,cb_002,b@x.com,premium,1,EUR,Active,1,year,01-Feb-2024 10:00,01-Feb-2024 10:00,01-Feb-2024 10:00,01-Feb-2024 10:00,01-Feb-2025 10:00,,,80.00
3mhuIiS3,cb_003,c@x.com,basic,1,EUR,Cancelled,1,month,20-Feb-2024 10:00,20-Feb-2024 10:00,20-Feb-2024 10:00,20-Apr-2024 10:00,20-May-2024 10:00,20-May-2024 10:00,Not Paid,29.00
4mhuIiS4,cb_004,d@x.com,basic,1,EUR,Active,1,month,28-Jun-2024 10:00,28-Jun-2024 10:00,28-Jun-2024 10:00,28-Jun-2024 10:00,28-Jul-2024 10:00,,,29.00
"""
    found = written(tmp_path, {"Subscriptions.csv": text})
    section = keys(found)["subscriptions"]
    assert section["columns"]["ended_on"] == "Cancelled At"
    assert section["columns"]["mrr"] == "MRR"
    assert section["date_format"] == "%d-%b-%Y %H:%M"
    assert "unit" not in section
    assert mrr(loaded(found)) == 29 + 80 + 29


def test_recurly_subscriptions(tmp_path):
    text = """
uuid,account_code,email,plan_code,plan_name,state,quantity,unit_amount,currency,activated_at,trial_started_at,trial_ends_at,current_period_started_at,current_period_ends_at,canceled_at,expires_at,plan_interval_length,plan_interval_unit
b964b5439c2548a489,acct-10,a@x.com,gold,Gold,active,1,30.00,GBP,2024-01-27T07:00:00Z,,,2024-06-27T07:00:00Z,2024-07-27T07:00:00Z,,,1,months
b964b5439c2548a490,acct-11,b@x.com,gold,Gold,expired,1,30.00,GBP,2024-02-10T07:00:00Z,,,2024-04-10T07:00:00Z,2024-05-10T07:00:00Z,2024-04-20T07:00:00Z,2024-05-10T07:00:00Z,1,months
b964b5439c2548a491,acct-12,c@x.com,silver,Silver,active,1,12.00,GBP,2024-06-30T07:00:00Z,,,2024-06-30T07:00:00Z,2024-07-30T07:00:00Z,,,1,months
"""
    found = written(tmp_path, {"recurly_subscriptions.csv": text})
    section = keys(found)["subscriptions"]
    assert section["columns"] == {
        "customer_id": "account_code", "started_on": "activated_at", "mrr": "unit_amount", "ended_on": "expires_at",
    }  # fmt: skip
    assert section["unit"] == "plan_interval_unit"
    assert keys(found)["currency"] == "GBP"
    assert mrr(loaded(found)) == 42


@pytest.mark.long
def test_chartmogul_subscriptions_in_cents(tmp_path):
    text = """
CUSTOMER_UUID,CUSTOMER_NAME,BILLING_SYSTEM,PLAN_NAME,QUANTITY,MRR,ARR,STATUS,BILLING_CYCLE,START_DATE,END_DATE
cus_9bf6482d-01e5-4944-957d-5bc730d2cda3,Ann,Stripe,Gold,1,5000,60000,Active,month,2024-01-05,
cus_9bf6482d-01e5-4944-957d-5bc730d2cda4,Bob,Stripe,Gold,1,5000,60000,Cancelled,month,2024-01-09,2024-05-09
cus_9bf6482d-01e5-4944-957d-5bc730d2cda5,Cem,Stripe,Silver,1,1250,15000,Active,month,2024-06-20,
"""
    found = written(tmp_path, {"chartmogul_subscriptions.csv": text})
    section = keys(found)["subscriptions"]
    assert section["columns"]["customer_id"] == "CUSTOMER_UUID"
    assert "/ 100" in section["query"]
    assert mrr(loaded(found)) == 62.5


def test_chartmogul_customers_know_no_end(tmp_path):
    text = """
UUID,NAME,MRR,ARR,PLAN_NAME,BILLING_CYCLE,COUNTRY,SUBSCRIBER_SINCE,STATUS
cus_1,Ann,5000,60000,Gold,month,DE,2024-01-05,Active
cus_2,Bob,0,0,Gold,month,DE,2024-01-09,Cancelled
"""
    with pytest.raises(DataError, match="lists customers, but not when each left"):
        written(tmp_path, {"chartmogul_customers.csv": text})


@pytest.mark.long
def test_surveymonkey(tmp_path):
    text = """
Respondent ID,Collector ID,Start Date,End Date,IP Address,Email Address,First Name,Last Name,Custom Data 1,How likely is it that you would recommend this company to a friend or colleague?,What should we change?
,,,,,,,,,,Open-Ended Response
118000001,430001,01/15/2024 10:22:33 AM,01/15/2024 10:25:01 AM,10.0.0.1,a@x.com,Ann,A,,10,more
118000002,430001,01/16/2024 09:00:00 AM,01/16/2024 09:02:00 AM,10.0.0.2,b@x.com,Bob,B,,9,
118000003,430001,01/17/2024 01:10:00 PM,01/17/2024 01:12:00 PM,10.0.0.3,c@x.com,Cem,C,,3,price
118000004,430001,01/18/2024 08:10:00 AM,01/18/2024 08:12:00 AM,10.0.0.4,d@x.com,Dan,D,,8,
"""
    found = written(tmp_path, {"Customer Feedback.csv": text})
    section = keys(found)["surveys"]
    assert section["values"] == {"survey": "nps"}
    assert section["date_format"] == "%m/%d/%Y %I:%M:%S %p"
    assert section["on_fault"] == "set_aside"
    assert section["columns"]["customer_id"] == "Email Address"
    assert nps(loaded(found)) == 25.0  # two promoters, one passive, one detractor


def test_typeform(tmp_path):
    text = """
#,How likely are you to recommend Acme to a friend?,Why?,Response Type,Start Date (UTC),Stage Date (UTC),Submit Date (UTC),Network ID,Tags
odwdp4nzj1xg6m9l36odwdp4nzlv2gcw,10,great,completed,2024-10-05 02:39:31,,2024-10-05 02:41:38,653e97acae,
pdwdp4nzj1xg6m9l36odwdp4nzlv2gcx,9,ok,completed,2024-10-06 02:39:31,,2024-10-06 02:41:38,653e97acaf,
qdwdp4nzj1xg6m9l36odwdp4nzlv2gcy,2,slow,completed,2024-10-07 02:39:31,,2024-10-07 02:41:38,653e97acb0,
"""
    found = written(tmp_path, {"responses.csv": text})
    section = keys(found)["surveys"]
    assert section["columns"]["asked_on"] == "Start Date (UTC)"
    assert section["columns"]["answered_on"] == "Submit Date (UTC)"
    assert sections(found)["surveys"].sure == "guess"
    assert "cannot be joined with customers" in found.text
    assert nps(loaded(found)) == 33.33


def test_delighted(tmp_path):
    text = """
Response ID,Person ID,Survey Type,Score,Comment,Permalink,Created At,Updated At,Name,Email
100,p1,nps,10,,https://delighted.com/r/1,2024-01-15 10:22:33 UTC,2024-01-15 10:22:33 UTC,Ann,a@x.com
101,p2,nps,6,meh,https://delighted.com/r/2,2024-01-16 10:22:33 UTC,2024-01-16 10:22:33 UTC,Bob,b@x.com
102,p3,csat,5,,https://delighted.com/r/3,2024-01-17 10:22:33 UTC,2024-01-17 10:22:33 UTC,Cem,c@x.com
103,p4,nps,9,,https://delighted.com/r/4,2024-01-18 10:22:33 UTC,2024-01-18 10:22:33 UTC,Dan,d@x.com
104,p1,csat,4,,https://delighted.com/r/5,2024-01-19 10:22:33 UTC,2024-01-19 10:22:33 UTC,Ann,a@x.com
"""
    found = written(tmp_path, {"delighted.csv": text})
    section = keys(found)["surveys"]
    assert section["columns"] == {
        "customer_id": "Person ID", "asked_on": "Created At", "score": "Score", "survey": "Survey Type",
    }  # fmt: skip
    data = loaded(found)
    assert nps(data) == 33.33
    assert nps(data, "csat") == 4.5


@pytest.mark.long
def test_qualtrics(tmp_path):
    text = """
StartDate,EndDate,Status,IPAddress,Progress,Duration (in seconds),Finished,RecordedDate,ResponseId,RecipientEmail,ExternalReference,DistributionChannel,UserLanguage,Q1_NPS_GROUP,Q1,Q2
Start Date,End Date,Response Type,IP Address,Progress,Duration (in seconds),Finished,Recorded Date,Response ID,Recipient Email,External Data Reference,Distribution Channel,User Language,How likely are you to recommend us? - Group,How likely are you to recommend us?,Why?
"{""ImportId"":""startDate"",""timeZone"":""America/Denver""}","{""ImportId"":""endDate""}","{""ImportId"":""status""}","{""ImportId"":""ipAddress""}","{""ImportId"":""progress""}","{""ImportId"":""duration""}","{""ImportId"":""finished""}","{""ImportId"":""recordedDate""}","{""ImportId"":""_recordId""}","{""ImportId"":""recipientEmail""}","{""ImportId"":""externalDataReference""}","{""ImportId"":""distributionChannel""}","{""ImportId"":""userLanguage""}","{""ImportId"":""QID1_NPS_GROUP""}","{""ImportId"":""QID1""}","{""ImportId"":""QID2_TEXT""}"
2024-03-01 10:00:00,2024-03-01 10:05:00,IP Address,10.0.0.1,100,300,True,2024-03-01 10:05:01,R_1a,a@x.com,C-01,email,EN,Promoter,9,
2024-03-02 10:00:00,2024-03-02 10:05:00,IP Address,10.0.0.2,100,300,True,2024-03-02 10:05:01,R_2b,b@x.com,C-02,email,EN,Detractor,2,slow
2024-03-03 10:00:00,2024-03-03 10:05:00,IP Address,10.0.0.3,100,300,True,2024-03-03 10:05:01,R_3c,c@x.com,C-03,email,EN,Promoter,10,
2024-03-04 10:00:00,2024-03-04 10:05:00,IP Address,10.0.0.4,100,300,True,2024-03-04 10:05:01,R_4d,d@x.com,C-04,email,EN,Passive,8,
"""
    found = written(tmp_path, {"NPS Survey_March 5, 2024.csv": text})
    section = keys(found)["surveys"]
    assert section["columns"]["score"] == "Q1"
    assert section["columns"]["customer_id"] == "ExternalReference"
    assert section["on_fault"] == "set_aside"
    data = loaded(found)
    assert nps(data) == 25.0
    assert len(data.set_aside["surveys"]) == 2


def test_shopify_orders(tmp_path):
    text = """
Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku
#1001,a@x.com,paid,2024-01-07 09:50:26 +0100,fulfilled,2024-01-08 14:21:21 +0100,yes,EUR,53.91,0.00,0.00,53.91,,0.00,Post,2024-01-07 09:50:26 +0100,3,Mask,34.90,M1
#1001,a@x.com,,,,,,,,,,,,,,2024-01-07 09:50:26 +0100,1,Soap,4.90,S1
#1002,b@x.com,paid,2024-02-07 09:50:26 +0100,fulfilled,2024-02-08 14:21:21 +0100,yes,EUR,20.00,5.00,0.00,25.00,,0.00,Post,2024-02-07 09:50:26 +0100,1,Soap,20.00,S1
#1003,a@x.com,refunded,2024-03-07 09:50:26 +0100,fulfilled,2024-03-08 14:21:21 +0100,no,EUR,10.00,0.00,0.00,10.00,,0.00,Post,2024-03-07 09:50:26 +0100,1,Mask,10.00,M1
"""
    found = written(tmp_path, {"orders_export_1.csv": text})
    section = keys(found)["orders"]
    assert section["columns"]["customer_id"] == "Email"
    assert section["columns"]["ordered_on"] == "Created at"
    assert section["columns"]["amount"] == "Total"
    assert "refunded" in found.text  # and said
    assert "has times with a zone" in found.text
    data = loaded(found)
    assert spent(data) == 88.91
    assert data.table("orders").count().execute() == 3
    assert keys(found)["currency"] == "EUR"


HUBSPOT = """
Record ID,Company name,Company owner,Create Date,Phone Number,Last Activity Date,City,Country/Region,Industry,Lifecycle Stage,Became a Customer Date{head}
9000000001,Acme,Ann,2023-11-01 10:00,1,2024-05-01 10:00,Bonn,Germany,Retail,Customer,2024-01-15 09:30{a}
9000000002,Beta,Ann,2023-11-02 10:00,2,2024-05-02 10:00,Paris,France,Retail,Customer,2024-02-10 09:30{b}
9000000003,Cargo,Bob,2023-11-03 10:00,3,2024-05-03 10:00,Bonn,Germany,Logistics,Customer,2024-03-01 09:30{c}
"""


def test_hubspot_companies_with_a_date_of_churn(tmp_path):
    text = HUBSPOT.format(head=",Churn Date", a=",", b=",2024-06-30 00:00", c=",")
    found = written(tmp_path, {"hubspot-crm-exports-all-companies.csv": text})
    section = keys(found)["customers"]
    assert section["columns"] == {
        "customer_id": "Record ID", "started_on": "Became a Customer Date", "churned_on": "Churn Date",
    }  # fmt: skip
    data = loaded(found)
    assert left(data) == (3, 1)
    assert data.as_of.isoformat() == "2024-06-30"


def test_mixpanel_events(tmp_path):
    text = """
event,time,distinct_id,$insert_id,$browser,$city,mp_country_code
Signed up,1704103200,u-1,ABC1,Chrome,Bonn,DE
Report made,1704189600,u-1,ABC2,Chrome,Bonn,DE
Report made,1706781600,u-2,ABC3,Firefox,Paris,FR
"""
    found = written(tmp_path, {"mixpanel_export.csv": text})
    section = keys(found)["usage"]
    assert section["columns"] == {"customer_id": "distinct_id", "occurred_at": "time", "feature": "event"}
    assert section["date_format"] == "unix"
    data = loaded(found)
    assert data.as_of.isoformat() == "2024-02-01"
    assert data.table("usage").count().execute() == 3


def test_posthog_events(tmp_path):
    text = """
uuid,event,properties,timestamp,distinct_id,elements_chain,created_at
018daf23-89b3-7cf8-a4f1-94064c96df90,$pageview,"{""a"": 1}",2024-05-22T17:09:29.220Z,user-7,,2024-05-22T17:09:30.000Z
018daf23-89b3-7cf8-a4f1-94064c96df91,report made,"{""a"": 1}",2024-05-23T17:09:29.220Z,user-7,,2024-05-23T17:09:30.000Z
018daf23-89b3-7cf8-a4f1-94064c96df92,report made,"{""a"": 2}",2024-05-24T17:09:29.220Z,user-8,,2024-05-24T17:09:30.000Z
"""
    found = written(tmp_path, {"posthog.csv": text})
    assert keys(found)["usage"]["columns"] == {
        "customer_id": "distinct_id", "occurred_at": "timestamp", "feature": "event",
    }  # fmt: skip
    t = loaded(found).table("usage")
    assert (t.customer_id.nunique().execute(), str(t.occurred_at.max().execute())) == (2, "2024-05-24 17:09:29.220000")


def test_ga4_events(tmp_path):
    text = """
event_date,event_timestamp,event_name,event_value_in_usd,event_bundle_sequence_id,user_id,user_pseudo_id,platform,stream_id
20231005,1696470452486466,scroll,,1,,123526748.1696470000,WEB,7
20231005,1696470418877027,page_view,,2,,123526748.1696470000,WEB,7
20231006,1696556852486466,page_view,,3,,84321567.1696470001,WEB,7
"""
    found = written(tmp_path, {"ga4_events.csv": text})
    section = keys(found)["usage"]
    assert section["columns"]["customer_id"] == "user_pseudo_id"
    assert section["columns"]["feature"] == "event_name"
    data = loaded(found)
    assert data.as_of.isoformat() == "2023-10-06"
    assert data.table("usage").count().execute() == 3


TELCO = """
customerID,gender,SeniorCitizen,Partner,tenure,PhoneService,InternetService,Contract,PaperlessBilling,PaymentMethod,MonthlyCharges,TotalCharges,Churn
7590-VHVEG,Female,0,Yes,1,No,DSL,Month-to-month,Yes,Electronic check,29.85,29.85,No
5575-GNVDE,Male,0,No,34,Yes,DSL,One year,No,Mailed check,56.95,1889.5,No
3668-QPYBK,Male,0,No,2,Yes,DSL,Month-to-month,Yes,Mailed check,53.85,108.15,Yes
7795-CFOCW,Male,1,No,45,No,Fiber optic,One year,No,Electronic check,42.30,1840.75,No
"""


def test_telco(tmp_path):
    found = written(tmp_path, {"WA_Fn-UseC_-Telco-Customer-Churn.csv": TELCO})
    section = keys(found)["customers"]
    assert section["columns"] == {
        "customer_id": "customerID", "tenure_months": "tenure", "churned": "Churn", "mrr": "MonthlyCharges",
    }  # fmt: skip
    assert section["segments"][0] == "Contract"
    t = loaded(found).table("customers")
    assert (int(t.churned.sum().execute()), round(float(t.mrr.sum().execute()), 2)) == (1, 182.95)


def test_telco_in_words(tmp_path):
    text = """
Customer ID,Gender,Tenure in Months,Contract,Monthly Charge,Customer Status
0002-ORFBO,Female,9,One Year,65.6,Stayed
0003-MKNFE,Male,9,Month-to-Month,-4,Stayed
0004-TLHLJ,Male,4,Month-to-Month,73.9,Churned
0011-IGKFF,Male,1,Month-to-Month,98,Joined
"""
    found = written(tmp_path, {"telecom_customer_churn.csv": text.replace("-4,", "4,")})
    section = keys(found)["customers"]
    assert section["true_values"] == ["Churned"]
    assert set(section["false_values"]) == {"Stayed", "Joined"}
    assert int(loaded(found).table("customers").churned.sum().execute()) == 1


def test_superstore(tmp_path):
    text = """
Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer Name,Segment,Country,City,State,Postal Code,Region,Product ID,Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit
1,CA-2016-152156,11/8/2016,11/11/2016,Second Class,CG-12520,Claire Gute,Consumer,United States,Henderson,Kentucky,42420,South,FUR-BO-10001798,Furniture,Bookcases,Bush Café Bookcase,261.96,2,0,41.9136
2,CA-2016-152156,11/8/2016,11/11/2016,Second Class,CG-12520,Claire Gute,Consumer,United States,Henderson,Kentucky,42420,South,FUR-CH-10000454,Furniture,Chairs,Hon Chair,731.94,3,0,219.582
3,CA-2016-138688,6/12/2016,6/16/2016,Second Class,DV-13045,Darrin Van Huff,Corporate,United States,Los Angeles,California,90036,West,OFF-LA-10000240,Office Supplies,Labels,Label,14.62,2,0,6.8714
"""
    found = written(tmp_path, {"Sample - Superstore.csv": text}, encoding="latin-1")
    section = keys(found)["orders"]
    assert section["columns"]["amount"] == "Sales"
    assert section["columns"]["ordered_on"] == "Order Date"
    assert section["date_format"] == "%m/%d/%Y"
    assert section["encoding"] == "latin-1"
    data = loaded(found)
    assert spent(data) == 1008.52
    assert data.as_of.isoformat() == "2016-11-08"


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("Bestellungen.csv", "Kundennummer;Bestelldatum;Betrag;Artikel\nK-1;03.01.2024;12,50 €;Tee\nK-2;17.01.2024;1.234,56 €;Öl\nK-1;28.02.2024;7,94 €;Tee\n", "cp1252"),
        ("commandes.csv", "N° client;Date de commande;Montant TTC;Produit\nC-1;03/01/2024;12,50;Thé\nC-2;17/01/2024;1 234,56;Huile\nC-1;28/02/2024;7,94;Thé\n", "utf-8-sig"),
        ("sales.csv", "Customer Number,Order Date,Amount,Product\nC-1,1/3/2024,$12.50,Tea\nC-2,1/17/2024,\"$1,234.56\",Oil\nC-1,2/28/2024,$7.94,Tea\n", "utf-8"),
        ("uk orders.csv", "Customer,Order date,Amount\nC1,03/01/2024,£12.50\nC2,17/01/2024,\"£1,234.56\"\nC1,28/02/2024,£7.94\n", "utf-8"),
        ("verkaeufe.csv", "Kundennr;Datum;Betrag CHF\n1001;03.01.2024;12.50\n1002;17.01.2024;1'234.56\n1001;28.02.2024;7.94\n", "cp1252"),
    ],
    ids=["German", "French", "American", "British", "Swiss"],
)  # fmt: skip
def test_excel_csv_of_a_locale(tmp_path, name, text, encoding):
    data = loaded(written(tmp_path, {name: text}, encoding=encoding))
    assert spent(data) == 1255.00
    assert data.as_of.isoformat() == "2024-02-28"
