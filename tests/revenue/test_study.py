"""The study of revenue, in process: its findings on the sample and on odd data, and what it says where one is absent."""

import pytest
from study_world import kept, loaded, shown

from cslib import DataError, ParameterError, Revenue, Value, load
from cslib.data.customers import segment_of
from cslib.errors import MissingTableError
from cslib.sample.world import TRUTH
from cslib.value.prices import acquisition

COLUMNS = {
    "last_month": ["step", "amount", "start", "end"],
    "mrr_movements": ["segment", "month", "opening", "new", "expansion", "contraction", "churn", "reactivation", "closing", "n_opening", "n_new", "n_churned", "n_reactivated", "n_closing", "nrr", "nrr_ci_lower", "nrr_ci_upper", "grr", "grr_ci_lower", "grr_ci_upper", "quick_ratio", "arpa", "logo_churn_rate"],
    "nrr_12_months": ["segment", "month", "n_opening", "n_kept", "opening", "mrr", "churn", "contraction", "expansion", "nrr", "nrr_ci_lower", "nrr_ci_upper", "grr", "grr_ci_lower", "grr_ci_upper", "customer_retention"],
    "nrr_steps": ["step", "amount", "start", "end"],
    "mrr_movers": ["customer_id"],
    "layers": ["cohort", "month", "mrr"],
    "conversions": ["month", "kind", "n", "amount", "n_all", "rate", "ci_lower", "ci_upper"],
    "crc": ["month", "retention_cost", "n_retained", "crc", "margin", "share_of_margin", "acquisition_cost", "n_new", "cac"],
    "definitions": ["measure", "convention", "value", "formula", "used_here"],
}  # fmt: skip


@pytest.fixture(scope="module")
def by_plan(sample):
    return Revenue(sample, by="plan", gross_margin=0.8)


def test_five_lines_give_table_title_and_chart(sample):
    study = Revenue(sample, by="plan")
    assert study.kept.table.segment.head(4).tolist() == ["All", "Enterprise", "Starter", "Team"]
    assert study.kept.title == (
        "NRR is 89 %, below the target of 95 %, lowest for Enterprise (81 %) and Starter (82 %), "
        "highest for Team (102 %)"
    )
    assert [len(panel.get_lines()) for panel in study.kept.plot().figure.axes] == [3, 3, 3]  # its own, all, the target
    assert study.kept is study.kept
    assert repr(study).startswith("Revenue(by='plan')\n  .last_month ")


@pytest.mark.long
def test_a_segment_says_what_a_month_far_out_among_all_did_to_its_nrr(sample):
    """In April 2024 Enterprise customers paid more, as they did in no other month; Team's did so in others, too."""
    study = Revenue(segment_of(sample, "plan", "Enterprise"))
    assert study.by_month.notes[1:] == (
        "Expansion was USD 15.0 k in April 2024, more than twice as much as in any other month: 7.9 % of MRR, where none is "
        "usual; 180 of 183 customers paid more, as after a price rise.",
    )
    assert (
        "In April 2025 NRR went from 86 % to 81 %, as April 2024 is no longer among its twelve months."
        in study.kept.notes
    )
    assert Revenue(segment_of(sample, "plan", "Team")).by_month.notes[1:] == ()


def test_every_finding_answers_a_question():
    questions = Revenue.findings()
    assert list(questions) == [
        *("last_month", "by_month", "kept", "year", "movers", "layers", "sold", "costs", "definitions"),
    ]
    assert all(q.endswith("?") for q in questions.values())


@pytest.mark.long
def test_every_finding_shows_itself_and_keeps_its_tables(monkeypatch, by_plan, teams):
    for study in (by_plan, Revenue(teams)):
        assert shown(monkeypatch, study)
        tables = kept(study)
        for name, columns in COLUMNS.items():
            assert list(tables[name])[: len(columns)] == columns
        assert all(r.caption for result in study.results() for r in (result, *result.also))


def test_it_reconciles_to_the_cent(by_plan):
    moved = by_plan.by_month.table
    cents = (moved[["opening", "new", "expansion", "contraction", "churn", "reactivation", "closing"]] * 100).round()
    assert (cents.iloc[:, :-1].sum(axis=1) == cents["closing"]).all()
    last = moved[moved["month"] == moved["month"].max()].set_index("segment").closing
    assert last["All"] == pytest.approx(last.drop("All").sum())
    layered = by_plan.layers.table
    assert layered[layered["month"] == layered["month"].max()].mrr.sum() == pytest.approx(last["All"])
    assert by_plan.last_month.table.amount.iloc[-1] == last["All"]


@pytest.mark.long
def test_segments_of_which_no_revenue_kept_can_be_drawn_are_named(root, by_plan):
    few = Revenue(load(root / "data", where="region=APAC and channel=Partner"), by="plan")
    drawn, grey, shaded = by_plan.kept.subtitle.partition(" Grey: ")
    assert drawn.endswith("as a share of what they paid then. Bands: 95 %.")
    assert grey + shaded == " Grey: twelve months that hold April 2024, of unusual expansion."
    assert few.kept.subtitle == (
        f"{drawn} Not drawn, with fewer than 30 such customers in each month: Enterprise and Starter."
    )


def test_the_planted_price_rise_shows(by_plan):
    moved = by_plan.by_month.table
    price_rise = moved[(moved["segment"] == "All") & (moved["month"] == "2024-04-01")].iloc[0]
    assert price_rise.expansion > 0.7 * TRUTH.price_rise * price_rise.opening


def test_what_the_sample_says(by_plan):
    assert by_plan.answer.subtitle == "2,193 paying customers at the end of June 2025 · 36 complete months"
    assert "Monthly recurring revenue is USD 818 k" in by_plan.answer.text
    assert by_plan.last_month.title.startswith("MRR grew by USD 32.3 k in June 2025: ")
    steps, last = by_plan.year.table, by_plan.kept.table.iloc[0]
    assert steps["amount"].iloc[-1] / steps["amount"].iloc[0] == pytest.approx(last.nrr, rel=1e-12)
    assert by_plan.year.title == (
        "Of every USD 100 paid a year before, churn took 21.8 and contraction 2.5; expansion added 13.2"
    )
    assert by_plan.movers.title == (
        "Of the 1,307 customers of a year ago, 409 pay nothing now, 18 pay less and 109 pay more; the five largest falls "
        "are 6.7 % of what was lost"
    )
    first = by_plan.movers.shown["change"]
    assert (first[:5] < 0).all()
    assert first[:5].is_monotonic_increasing
    assert (first[5:10] > 0).all()
    assert first[5:10].is_monotonic_decreasing
    assert sorted(first) == pytest.approx(sorted(by_plan.movers.table["change"]), abs=0.5), "whole from 100 on"
    assert by_plan.movers.notes[0] == ("Another 39 stopped paying and pay again: 448 left at some time.")
    assert by_plan.kept.notes[0] == (
        "In April 2025 NRR went from 91 % to 86 %, as April 2024 is no longer among its twelve months."
    )
    assert by_plan.kept.notes[1].startswith("The plan of a customer is the first one paid for: ")
    assert by_plan.layers.title.startswith("43 % of MRR comes from customers who joined in 2024, ")
    assert by_plan.layers.notes[0].startswith("Customers who joined in 2024 together pay 100.3 % of what they paid at")
    assert by_plan.by_month.notes[1:] == (
        "Expansion was USD 34.9 k in April 2024, more than twice as much as in any other month: 9.4 % of MRR, where "
        "1.6 % is usual; 1,089 of 1,136 customers paid more, as after a price rise.",
    )
    assert by_plan.sold.title.startswith("6.9 % of orders are upsells and 13 % are cross-sells; 6.9 % and 9.6 %")
    assert by_plan.sold.notes[0].startswith("In the last twelve months: 232 upsells (6.1 to 7.8 %)")
    assert by_plan.definitions.labels == {"shown": "Last 12 months"}
    assert by_plan.definitions.shown["shown"].iloc[-2:].tolist() == ["2.7 ×", "2.5 ×"]


@pytest.mark.long
def test_what_it_costs_to_keep_some_customers_is_not_told_and_to_win_them_is_as_in_the_value_report(sample, teams):
    whole, part = Revenue(sample).costs, Revenue(teams).costs
    untold = ["retention_cost", "n_retained", "crc", "margin", "share_of_margin"]
    assert whole.table[untold].notna().any().all()
    assert part.table[untold].isna().all().all()
    known = (
        "The cost of keeping customers is booked for all of them together, so that of those shown here is not known."
    )
    assert (whole.notes, part.notes) == ((), (known,))
    won, paid = acquisition(teams, months=12).iloc[-1], Value(teams).payback.table
    assert won.cac == pytest.approx(paid.cac.iloc[0], rel=1e-12)
    assert part.title.startswith(
        f"In the 12 months to June 2025, winning a customer cost USD {won.cac:.0f} (a year before: "
    )


def test_margin_is_what_costs_are_held_against(sample, by_plan):
    full = Revenue(sample, gross_margin=1.0).costs.table
    assert by_plan.costs.table.margin.to_numpy() == pytest.approx(0.8 * full.margin.to_numpy())


PAID = "customer_id,started_on,ended_on,mrr\n"
ORDERS = "customer_id,ordered_on,amount\na,2025-01-03,5\na,2025-02-03,5\nb,2025-02-07,5\n"
EVERYTHING = (
    PAID
    + "a,2024-01-05,2024-03-01,20\na,2024-02-01,2025-01-10,30\na,2025-03-05,,5\nb,2024-06-05,2024-06-05,9\nc,2024-06-05,,0\n"
)
COSTS = "month,kind,amount\n2025-03-01,retention,9\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("tables", "as_of", "by", "words"),
    [
        ({"subscriptions": PAID + "a,2025-04-02,,10\n"}, "2025-04-30", "", "Monthly recurring revenue is 10 at the end of April 2025."),
        ({"subscriptions": PAID + "a,2025-01-02,2025-02-10,10\n"}, "2025-04-30", "", "recurring revenue is 0 at"),
        ({"subscriptions": EVERYTHING}, "2025-06-15", "mrr", "is 5 at the end of May 2025, the same as a month before and 83 % less than a year before."),
        ({"subscriptions": PAID + "a,2025-01-02,,0\n", "costs": COSTS}, "2025-04-30", "", "recurring revenue is 0 at"),
        ({"subscriptions": PAID + "a,2024-01-02,,10\n", "orders": ORDERS}, "2025-04-30", "", "The one customer of a year ago pays 100 % of what they paid then: too few to say"),
    ],
    ids=["one month", "all gone", "gaps, overlaps, trials", "only trials", "one customer"],
)  # fmt: skip
def test_odd_data_give_a_stated_revenue_report(monkeypatch, tables, as_of, by, words):
    study = Revenue(loaded(tables, as_of=as_of), by=by)
    assert words in study.answer.text.replace("**", "")
    assert shown(monkeypatch, study)
    for name, columns in COLUMNS.items():
        assert list(kept(study)[name])[: len(columns)] == columns


def test_what_is_absent_says_why():
    study = Revenue(loaded({"subscriptions": PAID + "a,2025-04-02,,10\n"}, as_of="2025-04-30"))
    assert study.kept.absent == "Nobody paid anything twelve months ago, so there is no NRR or GRR over a year."
    assert study.sold.absent == "Upsells and cross-sells are not measured: this needs orders with a kind."
    assert (
        study.costs.absent == "The cost of keeping and winning customers is not measured: this needs a table of costs."
    )
    assert study.last_month.title == "MRR grew by 10 in April 2025: 10 added, all from new customers"
    with pytest.raises(ParameterError, match="needs orders"):
        study.sold.plot()


def test_only_trials_bring_nothing_and_cost_something():
    study = Revenue(loaded({"subscriptions": PAID + "a,2025-01-02,,0\n", "costs": COSTS}, as_of="2025-04-30"))
    assert study.layers.absent.startswith("Nobody has paid anything at the end of a month")
    assert study.costs.title == (
        "No costs are known for the 4 months to April 2025, so neither is the cost of keeping or winning."
    )
    assert study.definitions.title == "There is no rate, as there was no MRR at the start"
    assert study.by_month.title == "There was no MRR in the last 4 months"


def test_orders_long_past_are_kept_and_not_told():
    orders = "customer_id,ordered_on,amount,kind\na,2023-01-03,5,upsell\n"
    tables = {"subscriptions": PAID + "a,2023-01-02,,10\n", "orders": orders}
    study = Revenue(loaded(tables, as_of="2025-04-30"))
    assert (study.sold.title, study.sold.notes, study.sold.absent) == ("", (), "")
    assert len(study.sold.table) == 4 * 28


def test_without_subscriptions_it_says_what_to_add():
    study = Revenue(loaded({"orders": ORDERS}))
    for finding in ("answer", "last_month", "kept", "layers"):
        with pytest.raises(MissingTableError, match="no table 'subscriptions'"):
            getattr(study, finding)


def test_a_month_that_is_not_over_is_refused():
    study = Revenue(loaded({"subscriptions": PAID + "a,2025-04-02,,10\n"}, as_of="2025-04-20"))
    with pytest.raises(DataError, match="No month of subscriptions is complete"):
        _ = study.last_month


def test_a_column_that_is_not_there_is_named(sample):
    with pytest.raises(ParameterError, match="Did you mean 'plan'"):
        _ = Revenue(sample, by="plam").answer
