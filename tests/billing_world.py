"""Invoice lines and logs of changes, with the subscriptions that they are by hand."""

import pandas as pd

COLUMNS = ["customer_id", "invoiced_on", "amount", "kind", "line_start", "line_end"]
RATES = {
    "currency": ["USD", "USD", "GBP", "GBP", "EUR", "EUR"],
    "rate": [0.90, 0.95, 1.15, 1.20, 1, 1],
    "month": ["2024-01-01", "2024-02-01"] * 3,
}


LOG = {
    "customer_id": ["a", "a", "a", "a", "a", "a", "a", "b", "b"],
    "occurred_on": [
        *("2024-01-01", "2024-03-01", "2024-04-01", "2024-05-01", "2024-06-01", "2024-07-01", "2024-09-01"),
        *("2024-02-01", "2024-02-20"),
    ],
    "kind": ["new", "expansion", "pause", "resume", "contraction", "churn", "reactivation", "new", "expansion"],
}


def month(n, year=2024):
    return f"{year + (n - 1) // 12}-{(n - 1) % 12 + 1:02d}-01"


def monthly(n, amount, kind="recurring", *, start="", end=""):
    """A line for a month of 2024, or for a part of it, invoiced on its first day."""
    start, end = start or month(n), end or month(n + 1)
    return (start, amount, kind, start, end)


YEAR = ("2024-01-01", 1200, "recurring", "2024-01-01", "2025-01-01")
JANUARY = monthly(1, 100)
REST = {"start": "2024-01-16"}  # 16 of 31 days
CASES = {
    "an annual line is spread over its months": (
        [("2024-03-15", 1200, "recurring", "2024-03-15", "2025-03-15")],
        [("2024-03-15", "2025-03-15", 100.0)],
    ),
    "quarterly lines": (
        [("2024-01-01", 300, "recurring", month(1), month(4)), ("2024-04-01", 360, "recurring", month(4), month(7))],
        [(month(1), month(4), 100.0), (month(4), month(7), 120.0)],
    ),
    "renewals at one price are one run, also at the end of months": (
        [
            ("2024-01-31", 50, "recurring", "2024-01-31", "2024-02-29"),
            ("2024-02-29", 50, "recurring", "2024-02-29", "2024-03-31"),
            ("2024-03-31", 50, "recurring", "2024-03-31", "2024-04-30"),
        ],
        [("2024-01-31", "2024-04-30", 50.0)],
    ),
    "lines that overlap add up": (
        [YEAR, ("2024-03-01", 60, "recurring", month(3), month(6))],
        [(month(1), month(3), 100.0), (month(3), month(6), 120.0), (month(6), month(13), 100.0)],
    ),
    "a monthly line that ends with an annual one is no proration": (
        [YEAR, monthly(12, 60)],
        [(month(1), month(12), 100.0), (month(12), month(13), 160.0)],
    ),
    "a discount with a period is taken off then": (
        [YEAR, ("2024-01-01", -60, "discount", month(1), month(4))],
        [(month(1), month(4), 80.0), (month(4), month(13), 100.0)],
    ),
    "a discount without a period is taken off its invoice, and off no other": (
        [YEAR, monthly(1, 120), ("2024-01-01", -132, "discount"), monthly(2, 120), ("2024-07-01", -5, "discount")],
        [(month(1), month(2), 198.0), (month(2), month(3), 210.0), (month(3), month(13), 90.0)],
    ),
    "a credit note for a period is taken off it": (
        [YEAR, ("2024-03-10", -100, "credit", month(3), month(4))],
        [(month(1), month(3), 100.0), (month(3), month(4), 0.0), (month(4), month(13), 100.0)],
    ),
    "MRR never falls below 0": (
        [JANUARY, monthly(1, -150, "credit"), monthly(2, 100)],
        [(month(1), month(2), 0.0), (month(2), month(3), 100.0)],
    ),
    "free is paid, with nothing": ([monthly(1, 0), monthly(2, 10)], [(month(1), month(2), 0.0), (month(2), month(3), 10.0)]),
    **{
        f"a proration, {kind}, {name}: the old price until the change and the new one after, 100 × 16 / 31 = 51.61": (
            [JANUARY, monthly(1, -51.61, kind, **REST), monthly(1, charge, kind, **REST), monthly(2, new)],
            [(month(1), "2024-01-16", 100.0), ("2024-01-16", month(3), new)],
        )
        for kind in ("proration", "recurring")
        for name, charge, new in (("up", 77.42, 150.0), ("down", 25.81, 50.0))
    },
    "a proration of a year is measured in its days: 1,200 × 176 / 365 = 578.63, and 867.95 of 1,800": (
        [
            ("2024-03-15", 1200, "recurring", "2024-03-15", "2025-03-15"),
            ("2024-09-20", -578.63, "proration", "2024-09-20", "2025-03-15"),
            ("2024-09-20", 867.95, "proration", "2024-09-20", "2025-03-15"),
        ],
        [("2024-03-15", "2024-09-20", 100.0), ("2024-09-20", "2025-03-15", 150.0)],
    ),
    "a proration of a year by months: half of 1,200 back, half of 1,800 to pay": (
        [YEAR, ("2024-07-01", -600, "proration", month(7), month(13)), ("2024-07-01", 900, "proration", month(7), month(13))],
        [(month(1), month(7), 100.0), (month(7), month(13), 150.0)],
    ),
    "a change late in the day leaves no trace: at 21:36 on the 30th 1.1 of 31 days are left, not 2": (
        [
            JANUARY, monthly(1, -3.55, "proration", start="2024-01-30"),
            monthly(1, 7.10, "proration", start="2024-01-30"), monthly(2, 200),
        ],
        [(month(1), "2024-01-30", 100.0), ("2024-01-30", month(3), 200.0)],
    ),
    "two changes in one month": (
        [
            JANUARY, monthly(1, -51.61, "proration", **REST), monthly(1, 103.23, "proration", **REST),
            monthly(1, -70.97, "proration", start="2024-01-21"), monthly(1, 106.45, "proration", start="2024-01-21"),
            monthly(2, 300),
        ],
        [(month(1), "2024-01-16", 100.0), ("2024-01-16", "2024-01-21", 200.02), ("2024-01-21", month(3), 300.0)],
    ),
    "a credit for the rest alone ends the line": (
        [JANUARY, monthly(1, -51.61, "proration", **REST)],
        [(month(1), "2024-01-16", 100.0)],
    ),
    "two of ten seats given back take off their part: 20 × 16 / 31 = 10.32": (
        [JANUARY, monthly(1, -10.32, "proration", **REST)],
        [(month(1), "2024-01-16", 100.0), ("2024-01-16", month(2), 80.0)],
    ),
    "a seat added": (
        [JANUARY, monthly(1, 5.16, "proration", **REST), monthly(2, 110)],
        [(month(1), "2024-01-16", 100.0), ("2024-01-16", month(3), 110.0)],
    ),
    "two alike are credited one by one": (
        [JANUARY, JANUARY, monthly(1, -51.61, "proration", **REST)],
        [(month(1), "2024-01-16", 200.0), ("2024-01-16", month(2), 100.0)],
    ),
    "a line without a period is for the month from its day": (
        [(day, 50, "recurring") for day in ("2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31")],
        [("2024-01-31", "2024-04-30", 50.0), ("2024-05-31", "2024-06-30", 50.0)],
    ),
    "three days early is no second price": (
        [("2024-01-01", 50, "recurring"), ("2024-01-29", 50, "recurring")],
        [("2024-01-01", "2024-02-29", 50.0)],
    ),
    "three days late is no gap": (
        [("2024-01-01", 50, "recurring"), ("2024-02-04", 50, "recurring")],
        [("2024-01-01", "2024-03-04", 50.0)],
    ),
    "four days late is one": (
        [("2024-01-01", 50, "recurring"), ("2024-02-05", 50, "recurring")],
        [("2024-01-01", "2024-02-01", 50.0), ("2024-02-05", "2024-03-05", 50.0)],
    ),
    "an addition dated before the renewal does not cut the line short": (
        [("2024-01-01", 50, "recurring"), ("2024-01-30", 5, "recurring"), ("2024-02-01", 50, "recurring")],
        [("2024-01-01", "2024-01-30", 50.0), ("2024-01-30", "2024-02-29", 55.0), ("2024-02-29", "2024-03-01", 50.0)],
    ),
    "a gap of a day is closed": (
        [monthly(1, 50, end="2024-01-31"), monthly(2, 60)],
        [(month(1), month(2), 50.0), (month(2), month(3), 60.0)],
    ),
    "a longer gap stays": ([monthly(1, 50), monthly(4, 50)], [(month(1), month(2), 50.0), (month(4), month(5), 50.0)]),
}  # fmt: skip


def invoices():
    """All cases as one typed table, each a customer, in three currencies, some with a plan or a subscription."""
    rows = [(case, *row, *[None] * (5 - len(row))) for case, (lines, _) in CASES.items() for row in lines]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"amount": "float64"})
    table = table.assign(**{c: pd.to_datetime(table[c]) for c in ("invoiced_on", "line_start", "line_end")})
    pick = lambda *words: [words[i % len(words)] for i in range(len(table))]  # noqa: E731
    return table.assign(
        currency=pick("USD", "EUR", "gbp"), plan=pick("Base", None), subscription_id=pick("s", "s", None)
    )


STRIPE_LINES = """\
id,invoice_id,amount,currency,description,discountable,period_start,period_end,plan_id,price_id,proration,quantity,source_id,source_type,subscription,subscription_item_id
il_1,in_1,120000,usd,Pro,true,2024-01-15 08:00:00.000,2025-01-15 08:00:00.000,,price_pro,false,1,sub_1,subscription,sub_1,si_1
il_2,in_1,9900,usd,Setup,true,2024-01-15 08:00:00.000,2024-01-15 08:00:00.000,,price_setup,false,1,ii_1,invoiceitem,sub_1,
il_3,in_2,10000,usd,Basic,true,2024-01-01 10:00:00.000,2024-02-01 10:00:00.000,,price_basic,false,1,sub_2,subscription,sub_2,si_2
il_4,in_3,-5161,usd,Unused time on Basic,false,2024-01-16 10:00:00.000,2024-02-01 10:00:00.000,,price_basic,true,1,ii_2,invoiceitem,sub_2,si_2
il_5,in_3,7742,usd,Remaining time on Plus,false,2024-01-16 10:00:00.000,2024-02-01 10:00:00.000,,price_plus,true,1,ii_3,invoiceitem,sub_2,si_2
il_6,in_3,15000,usd,Plus,true,2024-02-01 10:00:00.000,2024-03-01 10:00:00.000,,price_plus,false,1,sub_2,subscription,sub_2,si_2
il_7,in_4,77700,usd,Never sent,true,2024-02-01 10:00:00.000,2024-03-01 10:00:00.000,,price_plus,false,1,sub_2,subscription,sub_2,si_2
"""
STRIPE_INVOICES = """\
id,customer_id,date,status,currency,subscription_id,amount_due
in_1,cus_1,2024-01-15 08:00:00.000,paid,usd,sub_1,129900
in_2,cus_2,2024-01-01 10:00:00.000,paid,usd,sub_2,10000
in_3,cus_2,2024-02-01 10:00:00.000,open,usd,sub_2,17581
in_4,cus_2,2024-02-01 10:00:00.000,draft,usd,sub_2,77700
"""
