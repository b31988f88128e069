"""Invoices and movements become subscriptions: each rule by hand, then what holds of any lines."""

import calendar
from datetime import date, timedelta

import ibis
import ibis.backends.sql.compilers as compilers
import pandas as pd
import pytest
from billing_world import CASES, COLUMNS, LOG, RATES, YEAR, month, monthly
from hypothesis import given, settings
from hypothesis import strategies as st

import cslib as cs
from cslib.data import billing, movements
from cslib.data.calendar import billed_months
from cslib.data.contract import CONTRACT
from cslib.data.dataset import rewind
from cslib.data.engine import COMPILES, _postgres, _spark, held
from cslib.data.lives import lives
from cslib.data.snapshot import opened, save
from cslib.errors import DataError

AS_OF = "2025-12-31"


def load(rows, *, as_of=AS_OF, rates=None, **more):
    """Load invoice lines: customer, day, amount, kind, and their period or nothing."""
    full = [(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows]
    tables = {"invoices": pd.DataFrame(full, columns=COLUMNS).assign(**more)}
    if rates is not None:
        tables["rates"] = pd.DataFrame(rates)
    return cs.load(tables, as_of=as_of)


def paid(data, *more):
    """Give the subscriptions as (customer, start, end or nothing, MRR, …)."""
    columns = ["customer_id", "started_on", "ended_on", "mrr", *more]
    rows = data.table("subscriptions").execute()[columns].sort_values(["customer_id", "started_on", *more, "mrr"])
    day = lambda v: None if pd.isna(v) else str(v)[:10]  # noqa: E731
    return [(who, day(a), day(b), float(m), *rest) for who, a, b, m, *rest in rows.itertuples(index=False)]


def buckets(data, column="converted"):
    table = data.accounts["reconciliation"]
    return table.groupby("bucket")[column].sum().round(2).to_dict()


@pytest.fixture(scope="module")
def business():
    """All cases in one data set, each a customer."""
    return load([(case, *row) for case, (rows, _) in CASES.items() for row in rows])


@pytest.fixture(scope="module")
def subscriptions(business):
    return paid(business)


@pytest.mark.parametrize("case", CASES)
def test_by_hand(subscriptions, case):
    assert [row[1:] for row in subscriptions if row[0] == case] == CASES[case][1]


def test_what_was_made_and_how_is_said(business):
    assert "customers" in business.tables
    assert business.derived == ("customers", "subscriptions")
    for said in (
        "it is made of invoices",
        "13 recurring lines without line_start and line_end",
        "3 gaps of up to 3 days",
    ):
        assert any(said in note for note in business.notes), (said, business.notes)
    assert any("takes off more than there is to pay of 1 customer" in f.message for f in business.faults)
    table = business.accounts["reconciliation"]
    assert table[table["bucket"] == "discount"][["in_mrr", "amount"]].values.tolist() == [["no", -5.0], ["yes", -192.0]]


def test_a_gap_in_which_a_month_ends_is_churn_and_return():
    rows = [("a", *monthly(1, 50)), ("a", *monthly(4, 50))]
    assert int(lives(load(rows, as_of="2024-04-30")).count().execute()) == 2


def test_the_last_day_paid_may_be_said_inclusively(tmp_path):
    line = ("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-01-31")
    pd.DataFrame([line], columns=COLUMNS).to_csv(tmp_path / "invoices.csv", index=False)
    (tmp_path / "cslib.toml").write_text('as_of = 2024-12-31\n[invoices]\nends = "inclusive"\n')
    assert paid(cs.load(tmp_path)) == [("a", "2024-01-01", "2024-02-01", 100.0)]


LAST_DAYS = [  # one line, and nothing after it
    (("2024-01-01", 1200, "recurring", "2024-01-01", "2024-12-31"), ("2024-01-01", "2025-01-01", 100.0)),
    (("2024-03-15", 1200, "recurring", "2024-03-15", "2025-03-14"), ("2024-03-15", "2025-03-15", 100.0)),
    (("2024-02-29", 1200, "recurring", "2024-02-29", "2025-02-27"), ("2024-02-29", "2025-02-28", 100.0)),
    (("2024-01-01", 300, "recurring", "2024-01-01", "2024-03-31"), ("2024-01-01", "2024-04-01", 100.0)),
    (("2024-01-31", 50, "recurring", "2024-01-31", "2024-02-28"), ("2024-01-31", "2024-02-29", 50.0)),
]


@pytest.mark.long
@pytest.mark.parametrize(("line", "made"), LAST_DAYS)
def test_a_day_that_lacks_for_whole_months_was_the_last_one_paid(line, made):
    data = load([("a", *line)])
    assert paid(data) == [("a", *made)]
    (said,) = [f.message for f in data.faults if f.rule == "inclusive ends"]
    assert (
        'in 1 line that nothing follows, and is taken for the last day paid. If that is so, set ends = "inclusive"'
        in said
    )


@pytest.mark.long
def test_inclusive_renewals_pay_the_same_to_their_last_day():
    year = [("a", f"{y}-01-01", 1200, "recurring", f"{y}-01-01", f"{y}-12-31") for y in (2022, 2023, 2024)]
    month_ = [
        ("b", start, 50, "recurring", start, end)
        for start, end in (("2024-10-01", "2024-10-31"), ("2024-11-01", "2024-11-30"))
    ]
    data = load([*year, *month_], as_of="2024-12-31")
    assert paid(data) == [("a", "2022-01-01", None, 100.0), ("b", "2024-10-01", "2024-12-01", 50.0)]


@pytest.mark.long
def test_an_end_stays_where_others_begin_on_theirs():
    exact = [("b", *monthly(1, 50)), ("b", *monthly(2, 50))]
    (first, *_) = paid(load([("a", "2024-01-01", 1200, "recurring", "2024-01-01", "2024-12-31"), *exact]))
    assert first == ("a", "2024-01-01", "2024-12-31", 100.27)  # 1,200 over 11 months and 30 of 31 days
    own = [("a", "2023-01-01", 1200, "recurring", "2023-01-01", "2023-12-31"), ("a", *YEAR[:4], "2024-12-31")]
    assert paid(load([*own, *exact, ("b", *monthly(3, 50))]))[0] == ("a", "2023-01-01", "2025-01-01", 100.0)


@pytest.mark.long
def test_one_offs_tax_and_refunds_change_no_mrr():
    data = load(
        [
            ("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-02-01"),
            ("a", "2024-01-01", 500, "one_off", "2024-01-01", "2024-02-01"),
            ("a", "2024-01-01", 19, "tax"),
            ("a", "2024-01-20", -100, "refund"),
            ("a", "2024-01-20", -30, "credit"),
            ("b", "2024-01-01", 70, "one_off"),
        ]
    )
    assert paid(data) == [("a", "2024-01-01", "2024-02-01", 100.0)]
    assert buckets(data) == {
        "recurring": 100.0, "one_off": 570.0, "tax": 19.0, "refund": -100.0, "credit": -30.0, "invoiced": 559.0,
    }  # fmt: skip
    table = data.accounts["reconciliation"].set_index("bucket")
    assert table["in_mrr"].to_dict() == {
        "recurring": "yes", "credit": "no", "one_off": "no", "refund": "no", "tax": "no", "invoiced": "",
    }  # fmt: skip
    assert any("1 credit or proration without a period" in note for note in data.notes)


@pytest.mark.long
def test_a_discount_is_shared_in_proportion():
    rows = [
        ("a", "2024-01-01", 300, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-01", -40, "discount", "2024-01-01", "2024-02-01"),
    ]
    data = load(rows, plan=["Base", "Extra", None])
    assert paid(data, "plan") == [
        ("a", "2024-01-01", "2024-02-01", 270.0, "Base"),
        ("a", "2024-01-01", "2024-02-01", 90.0, "Extra"),
    ]


@pytest.mark.long
def test_a_discount_of_a_subscription_leaves_the_others_alone():
    rows = [
        ("a", "2024-01-01", 300, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-01", -40, "discount", "2024-01-01", "2024-02-01"),
    ]
    own = {"plan": ["Base", "Extra", None], "subscription_id": ["s1", "s2", "s2"]}
    assert [row[3:] for row in paid(load(rows, **own), "plan")] == [(300.0, "Base"), (60.0, "Extra")]
    own["subscription_id"] = ["s1", "s2", None]  # of all, then
    assert [row[3:] for row in paid(load(rows, **own), "plan")] == [(270.0, "Base"), (90.0, "Extra")]


@pytest.mark.long
def test_prorations_know_their_plan():
    rows = [
        ("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-01", 30, "recurring", "2024-01-01", "2024-02-01"),
        ("a", "2024-01-16", -51.61, "proration", "2024-01-16", "2024-02-01"),
        ("a", "2024-01-16", 103.23, "proration", "2024-01-16", "2024-02-01"),
    ]
    assert paid(load(rows, plan=["Base", "Extra", None, "Pro"]), "plan") == [
        ("a", "2024-01-01", "2024-01-16", 100.0, "Base"),
        ("a", "2024-01-01", "2024-02-01", 30.0, "Extra"),
        ("a", "2024-01-16", "2024-02-01", 200.02, "Pro"),
    ]


@pytest.mark.long
def test_a_credit_by_months_ends_the_plan_it_is_for():
    half = ("a", "2024-07-01", -600, "recurring", month(7), month(13))
    rows = [("a", *YEAR), half, ("a", "2024-07-01", 900, "recurring", month(7), month(13))]
    assert paid(load(rows, plan=["Base", "Base", "Pro"]), "plan") == [
        ("a", month(1), month(7), 100.0, "Base"), ("a", month(7), month(13), 150.0, "Pro"),
    ]  # fmt: skip


@pytest.mark.long
def test_what_was_invoiced_later_is_not_known_yet():
    rows = [("a", f"2024-{m:02d}-01", 50, "recurring", f"2024-{m:02d}-01", f"2024-{m + 1:02d}-01") for m in (1, 2, 3)]
    rows += [("a", "2024-03-05", -50, "credit", "2024-01-01", "2024-02-01")]
    assert paid(load(rows, as_of="2024-02-15")) == [("a", "2024-01-01", None, 50.0)]


@pytest.mark.long
def test_what_was_known_on_an_earlier_day_is_what_loading_it_then_gives():
    rows = [("a", *monthly(m, 50 + m)) for m in range(1, 7)] + [("b", *monthly(1, 20)), ("b", *monthly(2, 20))]
    data, then = load(rows, as_of="2024-06-30"), date(2024, 3, 31)
    assert paid(rewind(data, then)) == paid(load(rows, as_of=then)) == [
        ("a", month(1), month(2), 51.0), ("a", month(2), month(3), 52.0), ("a", month(3), None, 53.0),
        ("b", month(1), month(3), 20.0),
    ]  # fmt: skip


def test_a_refund_for_a_period_is_a_credit_note():
    data = load([("a", *monthly(1, 100)), ("a", *monthly(2, 100)), ("a", *monthly(2, -40, "refund"))])
    assert [row[3] for row in paid(data)] == [100.0, 60.0]


@pytest.mark.long
def test_currencies_are_converted_by_the_rate_of_the_month():
    rows = [
        ("a", "2024-01-10", 100, "recurring", "2024-01-10", "2024-02-10"),
        ("a", "2024-02-10", 100, "recurring", "2024-02-10", "2024-03-10"),
        ("b", "2024-01-01", 10.01, "recurring", "2024-01-01", "2024-02-01"),
        ("c", "2024-01-01", 5, "tax"),
    ]
    data = load(rows, rates=RATES, currency=["usd", "USD", "GBP", None])
    assert data.currency == "EUR"
    assert paid(data) == [
        ("a", "2024-01-10", "2024-02-10", 90.0), ("a", "2024-02-10", "2024-03-10", 95.0),
        ("b", "2024-01-01", "2024-02-01", 11.51),
    ]  # fmt: skip
    table = data.accounts["reconciliation"].set_index(["currency", "bucket"])
    assert table["amount"].to_dict() == {
        ("EUR", "tax"): 5.0, ("EUR", "invoiced"): 5.0, ("GBP", "recurring"): 10.01, ("GBP", "invoiced"): 10.01,
        ("USD", "recurring"): 200.0, ("USD", "invoiced"): 200.0,
    }  # fmt: skip
    assert table["converted"].loc["USD"].tolist() == [185.0, 185.0]


@pytest.mark.long
def test_one_rate_for_all_months():
    data = load(
        [("a", "2024-01-10", 100, "recurring")], rates={"currency": ["USD", "EUR"], "rate": [0.9, 1]}, currency="USD"
    )
    assert paid(data)[0][3] == 90.0


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (
            {"currency": ["EUR"], "rate": [1.0]},
            r"no rate of USD, in which invoices has 1 row\. Add what 1 USD is in EUR",
        ),
        (
            {"currency": ["EUR", "USD"], "rate": [1, 0.9], "month": ["2024-01-01", "2024-02-01"]},
            "rates has no rate of USD for 2024-01, in which invoices has 1 row",
        ),
        ({"currency": ["EUR", "USD", "usd "], "rate": [1, 0.9, 0.8]}, "rates has 2 rates of USD. Keep one"),
        ({"currency": ["USD"], "rate": [0.9]}, 'into which currency is not declared. Set currency = "EUR"'),
        ({"currency": ["EUR", "USD"], "rate": [1, -1]}, "subscriptions are made of rates, which has faults"),
    ],
)
def test_a_rate_that_is_missing_is_named(rates, said):
    with pytest.raises(DataError, match=said):
        load([("a", "2024-01-10", 100, "recurring")], rates=rates, currency="USD").table("subscriptions")


def test_without_rates_two_currencies_are_refused():
    rows = [("a", "2024-01-10", 100, "recurring"), ("b", "2024-01-10", 100, "recurring")]
    with pytest.raises(DataError, match=r"2 currencies .* Or supply their rates"):
        load(rows, currency=["USD", "EUR"])


def test_one_account_of_mrr_is_enough():
    invoices = pd.DataFrame([("a", "2024-01-10", 100, "recurring")], columns=COLUMNS[:4])
    subscriptions = pd.DataFrame({"customer_id": ["a"], "started_on": "2024-01-01", "ended_on": None, "mrr": 1})
    with pytest.raises(DataError, match="subscriptions and invoices each say what customers pay. Keep one"):
        cs.load({"invoices": invoices, "subscriptions": subscriptions}).table("subscriptions")


BROKEN = [
    ({"amount": "many"}, "amount has 1 row with a value that is no number"),
    ({"kind": "gift"}, "kind has 1 row with a value other than recurring, proration"),
    ({"invoiced_on": "soon"}, "invoiced_on has 1 row with a value that is no date"),
    ({"line_end": "2023-01-01"}, "line_end has 1 row with a date before line_start"),
    ({"customer_id": ""}, "customer_id has 1 row with no id"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_a_broken_line_is_named(change, said):
    row = dict(zip(COLUMNS, ("a", "2024-01-01", "100", "recurring", "2024-01-01", "2024-02-01"), strict=True))
    with pytest.raises(DataError, match=rf"invoices\.{said}"):
        cs.load({"invoices": pd.DataFrame([row, row | change])})


def test_ends_that_are_last_days_are_suspected():
    rows = [
        ("a", month(m), 50, "recurring", month(m), f"2024-{m:02d}-{d}") for m, d in ((1, 31), (2, 29), (3, 31), (4, 30))
    ]
    data = load(rows)
    assert paid(data) == [("a", "2024-01-01", "2024-05-01", 50.0)]
    assert any("one day before the next line in 3 of 3 renewals" in f.message for f in data.faults)


@pytest.mark.long
def test_credits_above_0_are_warned_of():
    data = load([("a", "2024-01-01", 100, "recurring"), ("a", "2024-01-01", 10, "discount")])
    assert any("above 0 in 1 discount, credit or refund" in f.message for f in data.faults)


@pytest.mark.long
def test_only_columns_of_few_values_come_along():
    rows = [("a", str(date(2024, 1, 1) + timedelta(7 * i)), 10, "recurring") for i in range(60)]
    data = load(rows, plan="Pro", note=[f"invoice {i}" for i in range(60)])
    assert {"plan", "note"} & {*data.table("subscriptions").columns} == {"plan"}


@pytest.mark.long
def test_nobody_who_pays_is_nobody():
    data = load([("a", "2024-01-01", 70, "one_off")])
    assert paid(data) == []
    assert buckets(data)["invoiced"] == 70.0


@pytest.mark.long
def test_the_account_is_kept_in_a_snapshot(tmp_path):
    data = load([("a", "2024-01-01", 100, "recurring"), ("a", "2024-01-01", 19, "tax")])
    assert save(data, tmp_path / "x.cslib")
    pd.testing.assert_frame_equal(
        opened(tmp_path / "x.cslib").accounts["reconciliation"], data.accounts["reconciliation"]
    )


@pytest.mark.long
def test_revenue_is_that_of_the_lines():
    rows = [("a", "2024-01-01", 1200, "recurring", "2024-01-01", "2025-01-01")]
    rows += [("b", f"2024-{m:02d}-01", 50, "recurring", f"2024-{m:02d}-01", f"2024-{m + 1:02d}-01") for m in (1, 2, 3)]
    moved = cs.Revenue(load(rows, as_of="2024-06-30")).by_month.table
    whole = moved[moved["segment"] == "All"].sort_values("month")
    assert whole["closing"].tolist() == [150.0, 150.0, 150.0, 100.0, 100.0, 100.0]
    assert whole["churn"].tolist() == [0.0, 0.0, 0.0, -50.0, 0.0, 0.0]


def test_months_are_billed_whole():
    day = ibis.date
    spans = {
        ("2024-01-31", "2024-02-29"): 1.0, ("2024-02-29", "2024-03-31"): 1.0, ("2023-02-28", "2023-03-30"): 1.0,
        ("2024-01-15", "2024-02-15"): 1.0, ("2024-01-01", "2024-01-16"): 15 / 31, ("2024-03-15", "2025-03-15"): 12.0,
    }  # fmt: skip
    for (start, end), months in spans.items():
        assert float(billed_months(day(start), day(end)).execute()) == pytest.approx(months)


KINDS = CONTRACT["invoices"]["kind"].choices
DAYS = st.integers(0, 700).map(lambda n: date(2023, 1, 1) + timedelta(n))
PERIOD = st.one_of(st.none(), st.tuples(DAYS, st.integers(0, 400)))
FAR = "2027-12-31"


@st.composite
def line(draw):
    period = draw(PERIOD)
    start, end = (period[0], period[0] + timedelta(period[1])) if period else (None, None)
    amount, kind = draw(st.integers(-50_000, 200_000)) / 100, draw(st.sampled_from(KINDS))
    return draw(st.sampled_from("abcdefgh")), draw(DAYS), amount, kind, start, end


@pytest.mark.long
@settings(max_examples=8)
@given(st.lists(line(), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_every_line_lands_in_one_bucket_and_order_does_not_matter(rows, random):
    data = load(rows)
    table = data.accounts["reconciliation"]
    whole = table["bucket"] == "invoiced"
    cents = sum(round(row[2] * 100) for row in rows)
    for column in ("amount", "converted"):
        assert sum((table.loc[~whole, column] * 100).round().astype(int)) == cents
        assert sum((table.loc[whole, column] * 100).round().astype(int)) == cents
    assert table.loc[~whole, "lines"].sum() == len(rows)
    assert all(row[3] >= 0 for row in paid(data))
    again = load(random.sample(rows, len(rows)))
    assert paid(again) == paid(data)
    pd.testing.assert_frame_equal(again.accounts["reconciliation"], table)


def months(start, end):
    """Months of a period, by another way than the engine's: whole ones by the calendar, the rest by its days."""
    if start.day == calendar.monthrange(start.year, start.month)[1] and end.day >= start.day:
        return (end.year - start.year) * 12 + end.month - start.month
    at = lambda n: (pd.Timestamp(start) + pd.DateOffset(months=n)).date()  # noqa: E731
    whole = max(n for n in range(40) if at(n) <= end)
    return whole + (end - at(whole)).days / (at(whole + 1) - at(whole)).days


SPANS = st.lists(st.tuples(DAYS, st.integers(10, 400), st.integers(0, 90_000)), min_size=1, max_size=8)


@pytest.mark.long
@settings(max_examples=6)
@given(st.lists(SPANS, min_size=5, max_size=25))
def test_mrr_of_a_day_is_the_sum_of_its_lines(customers):
    """An account day by day. Lines ending together, of which one may be read as part of another, are left out."""
    lines = {}
    for i, spans in enumerate(customers):
        own = [(start, start + timedelta(n), c) for start, n, c in spans]
        ends = [end for _, end, _ in own]
        apart = all(not 0 < (start - end).days <= billing.GAP for start, _, _ in own for end in ends)
        lines |= {f"c{i:02d}": own} if apart and len({*ends}) == len(ends) else {}
    rows = [(who, s, c / 100, "recurring", s, e) for who, own in lines.items() for s, e, c in own]
    exact = [("z", *monthly(1, 50)), ("z", *monthly(2, 50))]  # so no end was a last day
    found = paid(load([*rows, *exact], as_of=FAR))
    for who, own in lines.items():
        for day in {day for s, e, _ in own for day in (s, e, e - timedelta(1))}:
            want = sum(round(c / months(s, e)) for s, e, c in own if s <= day < e)
            have = sum(round(m * 100) for w, s, e, m in found if w == who and s <= str(day) < e)
            assert have == pytest.approx(want, abs=len(own)), (who, day)


@pytest.mark.long
@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(2, 12), st.integers(1, 500), DAYS, st.integers(1, 11)), min_size=10, max_size=40))
def test_a_line_in_two_adjoining_halves_is_one_line(cases):
    whole, halves = [], []
    for i, (n, mrr, start, at) in enumerate(cases):
        start, at, who = start.replace(day=min(start.day, 28)), min(at, n - 1), f"c{i:02d}"
        middle, end = ((pd.Timestamp(start) + pd.DateOffset(months=m)).date() for m in (at, n))
        whole.append((who, start, mrr * n, "recurring", start, end))
        halves.append((who, start, mrr * at, "recurring", start, middle))
        halves.append((who, start, mrr * (n - at), "recurring", middle, end))
    want = [(row[0], str(row[4]), str(row[5]), row[2] / case[0]) for row, case in zip(whole, cases, strict=True)]
    assert paid(load(halves, as_of=FAR)) == paid(load(whole, as_of=FAR)) == want


LEVELS = [100, 150, None, None, 120, 0, 80, 10, 25]
CHANGES = [100, 50, -150, 150, -30, -120, 80, 10, 15]
UNSIGNED = [100, 50, None, None, 30, 120, 80, 10, 15]
BY_HAND = [
    ("a", "2024-01-01", "2024-03-01", 100.0), ("a", "2024-03-01", "2024-04-01", 150.0),
    ("a", "2024-05-01", "2024-06-01", 150.0), ("a", "2024-06-01", "2024-07-01", 120.0), ("a", "2024-09-01", None, 80.0),
    ("b", "2024-02-01", "2024-02-20", 10.0), ("b", "2024-02-20", None, 25.0),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    "values", [{"mrr": LEVELS}, {"change": CHANGES}, {"change": UNSIGNED}], ids=["levels", "changes", "unsigned"]
)
def test_a_log_of_levels_or_of_changes_gives_what_a_table_by_hand_says(values):
    data = cs.load({"movements": pd.DataFrame({**LOG, **values})}, as_of="2024-12-31")
    assert paid(data) == BY_HAND
    assert data.derived == ("customers", "subscriptions")
    table = pd.DataFrame(BY_HAND, columns=["customer_id", "started_on", "ended_on", "mrr"])
    own = cs.load({"subscriptions": table}, as_of="2024-12-31")
    pd.testing.assert_frame_equal(cs.Revenue(data).by_month.table, cs.Revenue(own).by_month.table)


@st.composite
def story(draw):
    """What happens to a customer, as (kind, level after it), the level of a pause being 0 and what it was before after it."""
    level, paused, rows = draw(st.integers(1, 100)), False, []
    rows.append(("new", level))
    for _ in range(draw(st.integers(0, 6))):
        here = level > 0 and not paused
        kind = draw(st.sampled_from(["expansion", "contraction", "pause", "churn"] if here else ["back"]))
        if kind == "back":
            kind, level = ("resume", level) if paused else ("reactivation", draw(st.integers(1, 100)))
        elif kind in ("expansion", "contraction"):
            level = level + draw(st.integers(1, 50)) if kind == "expansion" else draw(st.integers(1, level))
        paused, level = kind == "pause", 0 if kind == "churn" else level
        rows.append((kind, 0 if paused else level))
    return rows


@pytest.mark.long
@settings(max_examples=6)
@given(st.lists(story(), min_size=5, max_size=40))
def test_levels_and_changes_of_any_story_give_the_same(stories):
    rows, want = [], []
    for i, events in enumerate(stories):
        days = [str(date(2024, 1, 1) + timedelta(20 * n)) for n in range(len(events))]
        levels = [level for _, level in events]
        before = [0, *levels[:-1]]
        rows += [(f"c{i:02d}", d, k, v, v - b) for d, (k, v), b in zip(days, events, before, strict=True)]
        spans = zip(days, [*days[1:], None], levels, strict=True)
        want += [(f"c{i:02d}", start, end, float(level)) for start, end, level in spans if level]
    log = pd.DataFrame(rows, columns=["customer_id", "occurred_on", "kind", "mrr", "change"])
    for column in ("mrr", "change"):
        data = cs.load({"movements": log.drop(columns={"mrr": "change", "change": "mrr"}[column])}, as_of=FAR)
        assert paid(data) == want


def test_a_log_needs_a_level_or_a_change():
    with pytest.raises(DataError, match="movements has neither mrr .* nor change"):
        cs.load({"movements": pd.DataFrame(LOG)}).table("subscriptions")


def test_subscriptions_of_a_log_stand_for_themselves():
    log = pd.DataFrame(
        {
            "customer_id": "a",
            "occurred_on": ["2024-01-01 10:00", "2024-03-01 12:00:00", "2024-03-01 12:00:01"],
            "kind": ["new", "churn", "new"],
            "change": [100, -100, 150],
            "subscription_id": ["i1", "i1", "i2"],
            "plan": ["Base", "Base", "Pro"],
        }
    )
    data = cs.load({"movements": log}, as_of="2024-12-31")
    assert paid(data, "plan") == [
        ("a", "2024-01-01", "2024-03-01", 100.0, "Base"),
        ("a", "2024-03-01", None, 150.0, "Pro"),
    ]


def test_the_log_is_converted_too():
    log = pd.DataFrame({**LOG, "mrr": LEVELS, "currency": "USD"})
    data = cs.load({"movements": log, "rates": pd.DataFrame({"currency": ["USD", "EUR"], "rate": [0.5, 1]})})
    assert paid(data)[-1][3] == 12.5


def test_a_log_that_takes_off_too_much_is_warned_of():
    log = pd.DataFrame({"customer_id": ["a"] * 2, "occurred_on": ["2024-01-01", "2024-02-01"], "change": [10, 15]})
    data = cs.load({"movements": log.assign(kind=["new", "contraction"])})
    assert any("movements takes off more than there was 1 time" in f.message for f in data.faults)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["postgres", "pyspark", *COMPILES])
def test_every_query_is_written_for_other_engines(asked, engine):
    own = {"postgres": _postgres, "pyspark": _spark}
    if engine == "pyspark":
        pytest.importorskip("pyspark")
        assert ibis.pyspark  # whose options the compiler asks for
    compiler = own[engine]() if engine in own else getattr(compilers, engine).compiler
    texts = [compiler.to_sqlglot(table).sql(compiler.dialect, copy=False) for table in asked]
    assert len(texts) > 10
    assert all("SELECT" in text for text in texts)


@pytest.fixture(scope="module")
def asked():
    """Every query of loading billing, that of subscriptions and those of its account whole, as no warehouse holds parts."""
    seen, duckdb = [], type(ibis.duckdb.connect())
    rows = [("a", "2024-01-01", 100, "recurring", "2024-01-01", "2024-02-01"), ("a", "2024-01-01", -9, "discount")]

    def kept(table):
        if "started_on" not in table.columns:
            return table
        seen.append(table)
        return held(table)  # what is asked of subscriptions is written alike, whatever they are made of

    with pytest.MonkeyPatch.context() as patch:
        ask = duckdb.execute
        patch.setattr(duckdb, "execute", lambda con, expr, **more: seen.append(expr) or ask(con, expr, **more))
        for module in (billing, movements):
            patch.setattr(module, "kept", kept)
        load(rows, rates=RATES, currency="USD", plan="Pro", subscription_id="s")
        for values in ({"mrr": LEVELS}, {"change": CHANGES}):
            cs.load({"movements": pd.DataFrame({**LOG, **values})})
    return [expr.as_table().unbind() for expr in seen]
