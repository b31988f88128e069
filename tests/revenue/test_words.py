from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cslib import load
from cslib.data.contract import Fault
from cslib.data.kpi import Target
from cslib.errors import DataError
from cslib.retention.revenue import revenue_levels, revenue_retention
from cslib.revenue.headlines import Kept, Moves, held_by_year, largest_moves, recent_sales, shares_by_year, spread
from cslib.revenue.kpis import aims
from cslib.revenue.movements import conventions, layers, movements, trailing, waterfall
from cslib.revenue.spending import conversions, retention_cost
from cslib.revenue.words import Wording
from cslib.show.formats import plain

SAY, USD = Wording(), Wording("USD")


def lonely(*rows, as_of="2025-04-30"):
    return load(
        {"subscriptions": pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "mrr"])}, as_of=as_of
    )


def test_the_answer_on_the_sample(sample):
    text = USD.answer(Moves(movements(sample)).balance, trailing(sample))
    assert text.startswith(
        "**Monthly recurring revenue is USD 818 k** at the end of June 2025, 4.1 % more than a month before and 77 % more "
        "than a year before."
    )
    assert "**We kept 89 % of last year's revenue** (NRR, 95 % interval 84 to 94 %, 1,307 customers)" in text
    assert text.endswith("and 76 % without expansion (GRR).")
    flat = trailing(sample).assign(nrr=trailing(sample)["grr"])
    assert USD.answer(Moves(movements(sample)).balance, flat).endswith("; nobody pays more than a year ago.")
    least = pd.Series({"segment": "Pro", "share_of_mrr": 0.468, "nrr": 0.8096, "flat": True})
    said = USD.answer(Moves(movements(sample)).balance, trailing(sample), least)
    assert said == f"{text} Pro, 47 % of MRR, kept 81 %, and none of its customers pays more than a year ago."
    assert USD.answer(Moves(movements(sample)).balance, trailing(sample), least.replace(True, False)).endswith(
        "kept 81 %."
    )


@pytest.mark.long
def test_young_and_empty_businesses():
    young = lonely(("a", "2025-04-02", None, 10))
    text = SAY.answer(Moves(movements(young)).balance, trailing(young))
    assert text == (
        "**Monthly recurring revenue is 10** at the end of April 2025. Nobody paid anything a year ago, so we cannot say "
        "how much revenue we keep."
    )
    gone = movements(lonely(("a", "2025-01-02", "2025-03-02", 10)))
    text = SAY.answer(Moves(gone).balance, trailing(young))
    assert text.startswith("**Monthly recurring revenue is 0** at the end of April 2025.")
    card = SAY.cards(gone, trailing(young))[-1]
    assert np.isnan(card.value)
    assert (card.label, card.detail) == ("Customer churn, April 2025", "no customers at the start of the month")


@pytest.mark.slow
def test_cards_show_how_kpis_stand_to_their_targets(sample):
    moved, kept = movements(sample), trailing(sample)
    given = {
        "mrr": 900_000,
        "nrr": 0.95,
        "grr": [0.5, 0.9],
        "customer_churn_rate": 0.04,
        "upsell_rate": "not read here",
    }
    targets = aims(replace(sample, targets=given))
    mrr, nrr, grr, churn = Wording("USD", targets).cards(moved, kept, Moves(moved).left_in_a_year)
    assert (mrr.status, mrr.target, mrr.aims) == ("missed", "at least USD 900 k", (900_000.0,))
    assert (nrr.status, nrr.target) == ("missed", "at least 95 %")
    assert (grr.status, grr.target) == ("met", "50 to 90 %")
    assert (churn.label, churn.status) == ("Customer churn a month", "not clear")
    assert churn.detail == "12 months to June 2025\nJune alone: 3.1 (2.4 to 3.9)"
    alone = Wording("USD", targets).cards(moved, kept)[-1]
    assert (alone.label, alone.status) == ("Customer churn, June 2025", "met")
    assert [card.status for card in USD.cards(moved, kept, Moves(moved).left_in_a_year)] == [""] * 4
    assert USD.cards(moved, kept, Moves(moved).left_in_a_year)[-1].label == "Customer churn, June 2025"


def test_a_wrong_target_of_revenue_is_refused(sample):
    with pytest.raises(DataError, match="nrr is 95, but it is a share of 1"):
        aims(replace(sample, targets={"nrr": 95}))
    with pytest.raises(DataError, match="customer_churn_rate is 3, but it is a share of 1"):
        aims(replace(sample, targets={"customer_churn_rate": 3}))


def test_churn_that_was_never_recorded_is_held_against_no_target(sample):
    unknown = replace(sample, faults=[Fault("customers", "churned_on", "no churn", "warning", 1, "never recorded")])
    assert set(aims(unknown)) == {"nrr"}
    assert set(aims(sample)) == {"nrr", "customer_churn_rate"}
    assert aims(replace(sample, targets={"customer_retention_rate": 0.97})) == {
        "customer_churn_rate": Target(-np.inf, 0.03)
    }


def test_the_lowest_segments_are_named_together_where_they_cannot_be_told_apart():
    rows = pd.DataFrame({"segment": list("abcde"), "nrr": [0.7, 0.71, 0.72, 0.73, 1.1], "grr": 0.7, "n_opening": 90})
    kept, ends = rows.assign(segment="All", nrr=0.9), rows.iloc[[4, 0]].assign(but_few=False)

    def said(n):
        return SAY.kept(kept, None, ends, rows.head(n))

    assert said(1) == said(0) == "NRR is 90 %, from 70 % (a) to 110 % (e)"
    assert said(2).endswith("lowest for a (70 %) and b (71 %), highest for e (110 %)")
    assert "lowest for a (70 %), b (71 %), c (72 %) and 1 more, highest for e (110 %)" in said(4)
    assert said(5) == "NRR is 90 %, from 70 % (a) to 110 % (e), which cannot be told apart"
    assert SAY.kept(kept, None, ends.assign(nrr=0.0)) == "NRR is 90 %, alike in all segments"
    marked = rows.head(3).assign(segment=["**a**", "**b**", "c"])
    text = SAY.kept(kept, None, ends.assign(segment=["**e**", "**a**"]), marked.head(2))
    assert plain(text) == text, "names keep their marks"
    assert text.replace("\N{WORD JOINER}", "").endswith(
        "lowest for **a** (70 %) and **b** (71 %), highest for **e** (110 %)"
    )
    assert plain(SAY.kept(kept, None, ends.assign(segment=["**e**", "**a**"]))).count("*") == 8


@pytest.mark.parametrize(
    ("n", "nrr", "words"),
    [
        (1, 0.0, "The one customer of a year ago pays nothing now: too few to say how much revenue we keep"),
        (1, 1.5, "The one customer of a year ago pays 150 % of what they paid then: too few to say how much revenue we keep"),
        (22, 0.6, "The 22 customers of a year ago pay 60 % of what they paid then: too few to say how much revenue we keep"),
        (29, 0.0, "The 29 customers of a year ago pay nothing now: too few to say how much revenue we keep"),
        (30, 0.6, "We kept 60 % of last year's revenue (NRR), 50 % without expansion (GRR)"),
    ],
)  # fmt: skip
def test_a_rate_of_few_customers_is_no_headline(n, nrr, words):
    row = {"segment": "All", "month": pd.Timestamp("2025-06-01"), "n_opening": n, "nrr": nrr, "grr": 0.5}
    kept = pd.DataFrame([row | {f"{rate}_ci_{end}": 0.5 for rate in ("nrr", "grr") for end in ("lower", "upper")}])
    moved = movements(lonely(("a", "2025-01-02", None, 10)))
    assert SAY.kept(kept, None, kept.head(0)) == words
    said = SAY.answer(Moves(moved).balance, kept)
    assert said.endswith(f". {words}.") == (n < 30)
    assert ("95 % interval" in said) == (n >= 30)


def test_shrinking_is_said():
    shrunk = movements(lonely(("a", "2025-01-02", None, 10), ("b", "2025-01-02", "2025-04-02", 30)))
    assert "at the end of April 2025, 75 % less than a month before." in SAY.answer(
        Moves(shrunk).balance, pd.DataFrame()
    )


@pytest.mark.slow
def test_waterfall_says_what_was_largest(sample):
    text = USD.waterfall(largest_moves(waterfall(movements(sample))), period="June 2025")
    assert text == (
        "MRR grew by USD 32.3 k in June 2025: USD 50.3 k added, mainly from new customers; USD 18.0 k lost, all to churn"
    )
    still = waterfall(movements(lonely(("a", "2025-01-02", None, 10))))
    assert SAY.waterfall(largest_moves(still), period="April 2025") == "MRR stayed the same in April 2025"
    back = {
        "net": 2,
        "gain": "reactivation",
        "gained": 5,
        "loss": "churn",
        "lost": 3,
        "one_gain": True,
        "one_loss": False,
    }
    text = SAY.waterfall(pd.Series(back), period="May")
    assert text == "MRR grew by 2 in May: 5 added, all won back; 3 lost, mainly to churn"


@pytest.mark.slow
def test_movements_and_what_was_kept(sample):
    moved, kept = movements(sample, segment_by="plan"), trailing(sample, segment_by="plan")
    text = USD.quick(Moves(moved).quick_ratios())
    assert text == "We added USD 2.65 for every USD 1 lost in the last 12 months, after 2.76 in the 12 before"
    last = Moves(moved).quick_ratios(months=1)
    assert USD.last_quick(last, moved["month"].max()) == ("In June 2025 alone it was 2.80, as on the scorecard.",)
    held, before = "NRR is 89 %, after 87 % a year ago; GRR is 76 %, after 69 %", Kept(kept).a_year_before
    assert USD.kept(kept, before, Kept(kept).best_and_worst) == "NRR is 89 %, from 81 % (Enterprise) to 102 % (Team)"
    least = pd.Series({"segment": "**y**", "share_of_mrr": 0.468, "nrr": 0.8096, "flat": False})
    assert (
        plain(USD.answer(Moves(moved).balance, kept, least))
        .replace("\N{WORD JOINER}", "")
        .endswith(" **y**, 47 % of MRR, kept 81 %.")
    )
    for target, told in {
        Target(0.95, np.inf): ", below the target of 95 %, from 81 %",
        Target(0.7, 0.8): ", above the target of 70 to 80 %, from 81 %",
        Target(0.9, np.inf): "NRR is 89 %, from 81 %",  # too close to call
    }.items():
        assert told in replace(USD, targets={"nrr": target}).kept(kept, before, Kept(kept).best_and_worst)
    assert USD.kept(kept, before, Kept(kept).best_and_worst, Kept(kept).alike_at_the_bottom) == (
        "NRR is 89 %, lowest for Enterprise (81 %) and Starter (82 %), highest for Team (102 %)"
    )
    assert USD.kept(kept, before, Kept(kept).best_and_worst.assign(but_few=True)).endswith(
        " to 102 % (Team), among segments of 30 customers or more"
    )
    assert USD.kept(kept, before, Kept(kept.head(0)).best_and_worst) == held
    young = "We kept 89 % of last year's revenue (NRR), 76 % without expansion (GRR)"
    assert USD.kept(kept, None, Kept(kept.head(0)).best_and_worst) == young
    grown = movements(lonely(("a", "2025-01-02", None, 10)))
    assert SAY.quick(Moves(grown).quick_ratios()) == "We lost nothing in the last 4 months"
    free = movements(lonely(("a", "2025-01-02", None, 0)))
    assert SAY.quick(Moves(free).quick_ratios()) == "There was no MRR in the last 4 months"


@pytest.mark.slow
def test_layers_and_definitions(sample):
    split = layers(revenue_retention(revenue_levels(sample, max_periods=1200)))
    shares, held = shares_by_year(split), held_by_year(split)
    text = "Customers who joined in 2024 together pay 100.3 % of what they paid at the end of that year, 6 months on."
    assert SAY.held(held) == SAY.held(held.head(1)) == (text,)
    assert SAY.held(held.head(0)) == ()
    assert SAY.layers(shares) == (
        "43 % of MRR comes from customers who joined in 2024, 26 % from those of 2025, 22 % from those of 2023 and 9.0 % from "
        "those of 2022"
    )
    assert SAY.layers(shares.tail(1)) == "All MRR comes from customers who joined in 2025"
    assert SAY.layers(pd.Series({"2021": 0.04, "2022": 0.06, "2023": 0.15, "2024": 0.45, "2025": 0.3})) == (
        "45 % of MRR comes from customers who joined in 2024, 30 % from those of 2025, 15 % from those of 2023 and 10 % "
        "from others"
    )
    assert SAY.layers(shares.head(0)) == "No MRR is left"
    ways = conventions(movements(sample))
    text = SAY.definitions(spread(ways))
    assert text == "Net revenue churn is 0.8 to 1.3 % a month, depending on the definition"
    assert SAY.rates(ways)[-2:] == ["2.7 ×", "2.5 ×"]
    nothing = conventions(movements(lonely(("a", "2025-04-02", None, 10))))
    assert SAY.definitions(spread(nothing)) == "There is no rate, as there was no MRR at the start"


@pytest.mark.slow
def test_sales_and_costs(sample):
    sales = recent_sales(conversions(sample, months=12))
    title, counts = USD.sold(sales)
    assert title == "6.9 % of orders are upsells and 13 % are cross-sells; 6.9 % and 9.6 % in the twelve months before"
    assert counts == (
        "In the last twelve months: 232 upsells (6.1 to 7.8 %) and 436 cross-sells (12 to 14 %) of 3,381 orders."
    )
    assert USD.sold(sales.assign(rate_before=np.nan))[0] == "6.9 % of orders are upsells and 13 % are cross-sells"
    costs = retention_cost(sample, movements(sample), months=12)
    text = USD.costs(costs)
    assert (
        text
        == "In the 12 months to June 2025, keeping a customer cost USD 13.04 a month (3.5 % of their margin), and winning one cost USD 651 "
        "(a year before: USD 13.62 and USD 652)."
    )
    nothing = "No costs are known for the 12 months to June 2025, so neither is the cost of keeping or winning."
    assert USD.costs(costs.assign(crc=np.nan, cac=np.nan)) == nothing
    assert USD.costs(costs.assign(crc=np.nan)) == (
        "In the 12 months to June 2025, winning a customer cost USD 651 (a year before: USD 652)."
    )


def test_who_moved_in_words():
    counts = {"churn": 1, "contraction": 0, "expansion": 2, "n_opening": 40, "of_few": float("nan")}
    say = Wording().movers
    assert say(pd.Series(counts), cut=False) == "Of the 40 customers of a year ago, 1 pays nothing now and 2 pay more"
    more = pd.Series(counts | {"contraction": 1, "of_few": 0.25})
    assert say(more, cut=False) == (
        "Of the 40 customers of a year ago, 1 pays nothing now, 1 pays less and 2 pay more; the five largest falls are "
        "25 % of what was lost"
    )
    assert say(more, cut=True).startswith("Among the largest changes, 1 pays nothing now, 1 pays less")
    assert say(pd.Series(counts | {"churn": 0, "expansion": 0}), cut=False) == ""
    one = pd.Series(counts | {"expansion": 0, "n_opening": 1})
    assert say(one, cut=False) == "The one customer of a year ago pays nothing now"
