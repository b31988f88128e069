"""The study of retention, in process: its findings on the sample and on odd data, and what it says where one is absent."""

import pytest
from study_world import kept, loaded, shown

from cslib import ParameterError, Retention, load
from cslib.errors import MissingTableError

COLUMNS = {
    "retention": ["segment", "cohort", "period_index", "n_customers", "n_retained", "retention_rate", "ci_lower", "ci_upper"],
    "retention_curve": ["segment", "period_index", "n_customers", "n_retained", "retention_rate", "ci_lower", "ci_upper"],
    "revenue_retention": ["segment", "cohort", "period_index", "mrr_start", "mrr", "net_retention", "gross_retention"],
    "revenue_curve": ["segment", "period_index", "n_customers", "mrr_start", "mrr", "net_retention", "net_ci_lower", "net_ci_upper", "gross_retention", "gross_ci_lower", "gross_ci_upper"],
    "cohort_years": ["segment", "period_index", "n_customers", "n_retained", "retention_rate", "ci_lower", "ci_upper"],
}  # fmt: skip


@pytest.fixture(scope="module")
def by_plan(sample):
    return Retention(sample, by="plan")


def test_five_lines_give_table_title_and_chart(sample):
    study = Retention(sample, by="plan")
    assert study.by_age.table.query("period_index == 12").segment.tolist() == ["All", "Enterprise", "Starter", "Team"]
    assert (
        study.by_age.title == "62 % of Enterprise customers were still customers 24 months on, against 23 % of Starter"
    )
    axes = study.by_age.plot()
    assert axes.get_xlabel() == "months since the start (0: the month they joined)"
    assert study.by_age is study.by_age
    assert repr(study).startswith("Retention(by='plan')\n  .by_age ")


def test_every_finding_answers_a_question():
    questions = Retention.findings()
    assert list(questions) == ["by_age", "cohorts", "years", "comparison", "revenue", "revenue_by_segment"]
    assert all(q.endswith("?") for q in questions.values())


@pytest.mark.long
@pytest.mark.parametrize(
    ("parameters", "keep"),
    [
        ({"by": "plan"}, {}),
        ({"source": "usage", "period": "week", "max_periods": 12, "kind": "on_or_after"}, {}),
        ({"source": "orders", "period": "quarter", "kind": "1-2,3-4", "by": "region"}, {"where": "plan=Team"}),
        ({"source": "customers", "period": "year"}, {"as_of": "2025-03-15"}),
        ({"by": "channel"}, {"where": "plan=Starter and region=EMEA"}),
        ({"source": "orders", "period": "day", "max_periods": 30}, {"as_of": "2025-06-15"}),
    ],
    ids=str,
)
def test_every_choice_shows_itself(monkeypatch, small, sample, parameters, keep):
    study = Retention(load(small, **keep) if keep else sample, **parameters)
    parts = shown(monkeypatch, study)
    tables = kept(study)
    for name, columns in COLUMNS.items():
        assert list(tables[name]) == columns
    assert tables["retention"].segment.iloc[0] == "All"
    assert study.answer.text
    texts = " ".join(b.get("text", "") for b in parts)
    assert ("Do not compare newer with older cohorts by it" in texts) == (parameters.get("kind") == "on_or_after")
    assert all(r.caption for result in study.results() for r in (result, *result.also))


@pytest.mark.long
def test_the_planted_change_is_found(by_plan):
    """Cohorts from January 2024 on have 0.65 times the hazard; the whole and each plan's order must show."""
    assert by_plan.answer.text == (
        "**54 % of customers who joined in the 12 months to June 2024 were still customers 12 months on** (95 % interval 51 to "
        "56 %, 1,325 customers), against 46 % of those who joined in the 12 months before. **Newer customers stay longer**."
    )
    assert [card.n for card in by_plan.answer.cards[:3]] == [3109, 2330, 1005], "of all who have come so far"
    assert by_plan.cohorts.title == (
        "Newer customers stay longer: the newer half of the cohorts compared is 10.1 points ahead in month 6 (6.6 to 13.7)"
    )
    year = by_plan.by_age.table.query("period_index == 12").set_index("segment").retention_rate
    assert year["Starter"] < year["Team"] < year["Enterprise"]
    assert by_plan.comparison.table.set_index("comparison").loc["newer half", "p_adjusted"] < 0.001
    years = by_plan.years.table.query("period_index == 3").set_index("segment").retention_rate
    assert years["2022"] < years["2024"]
    assert by_plan.years.title.startswith("71 % of customers who joined in 202")
    assert by_plan.answer.notes == (  # who joined earlier leaves as before: the change was planted by cohort
        "The churn report says that 59 % stay longer than 12 months: its shares, also those by plan, are what to expect if customers go on leaving as in the "
        "last 12 months. The 54 % here is what happened to those who joined in the 12 months to June 2024.",
        "Customers leave more slowly now, as the churn report says. That shows in those who joined since October 2023; for "
        "earlier ones it is not clear.",
    )
    assert "season" not in by_plan.answer.text
    money = by_plan.revenue.table.query("segment == 'All'")
    assert (money.gross_retention <= money.net_retention).all()
    assert (money.net_ci_lower <= money.net_retention).all()


def test_tables_hold_together(by_plan):
    """What is shown by plan is the net curve of the same table, and a test has its rates beside it."""
    pooled, parts = by_plan.revenue.table, by_plan.revenue_by_segment.table
    assert parts["share"].tolist() == pooled["net_retention"].tolist()
    assert by_plan.revenue_by_segment.title == (
        "12 months on, we still earn 94 % of what Team customers first paid, 75 % of what Starter and 76 % of what "
        "Enterprise customers did"
    )
    panels = by_plan.revenue_by_segment.plot().figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["Enterprise", "Starter", "Team"]
    assert by_plan.comparison.shown["comparison"].tolist() == [
        *("all cohorts, any difference", "newer half", "newest cohort old enough"),
    ]
    assert by_plan.comparison.caption == (
        "Newer against older cohorts over their first 6 months (tested with the season allowed for), with the shares by "
        "then; 6 cohorts are too young to compare"
    )


@pytest.mark.slow
def test_subtitles_say_what_is_plotted_and_left_out(sample, by_plan):
    assert (
        by_plan.answer.subtitle
        == "4,000 customers in 36 monthly cohorts · retained: still a customer at the end of the month"
    )
    assert (
        by_plan.cohorts.subtitle
        == "Percent of each cohort retained, by months since it began. Blue-green: higher than all cohorts together at that age. "
        "Ochre: lower. Month 0 is the month they joined: by its end some have left."
    )
    assert "hatched" not in by_plan.cohorts.subtitle.lower()
    weekly = Retention(sample, source="usage", period="week", kind="1-4,5-8")
    assert weekly.answer.subtitle.endswith("retained: active in the week or another of its bracket")
    assert "The latest 36 of 1" in weekly.cohorts.subtitle
    assert weekly.cohorts.title == "Retention by cohort"
    assert "were active in weeks 5–8" in weekly.years.title


ONE = "customer_id,started_on,churned_on,plan\n00123,2025-01-05,,Pro\n"
GONE = "customer_id,started_on,churned_on\n" + "".join(
    f"c{i},2025-0{i % 3 + 1}-05,2025-0{i % 3 + 3}-20\n" for i in range(12)
)
STAY = "customer_id,started_on,churned_on\n" + "".join(f"c{i},2025-0{i % 3 + 1}-05,\n" for i in range(12))
LATE = "customer_id,started_on,churned_on\na,2025-06-05,\n"
ORDERS = "customer_id,ordered_on,amount\na,2025-01-03,5\na,2025-02-03,5\nb,2025-02-07,5\n"
MANY = "customer_id,started_on,churned_on,plan\n" + "".join(
    f"c{i},2024-{i % 12 + 1:02d}-05,{'2025-01-20' if i % 3 else ''},$\\foo${i % 12} <b>\n" for i in range(480)
)
TENURE = "customer_id,tenure_months,churned\na,3,yes\nb,0,no\nc,12,no\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("tables", "as_of", "by", "words"),
    [
        (
            {"customers": ONE},
            "2025-04-30",
            "plan",
            "100 % of customers who joined by January 2025 were still customers 3 months on",
        ),
        ({"customers": GONE}, "2025-12-31", "", "0 % of customers who joined by March 2025 were still customers"),
        (
            {"customers": STAY},
            "2025-12-31",
            "",
            "100 % of customers who joined by March 2025 were still customers 6 months on",
        ),
        ({"customers": LATE}, "2025-06-20", "", "not known"),
        ({"orders": ORDERS}, "2025-03-31", "", "ordered in month 1"),
        ({"customers": TENURE}, "", "", "were still customers"),
        ({"customers": MANY}, "2025-04-30", "plan", "were still customers"),
    ],
    ids=["one customer", "all gone", "all stay", "nothing complete", "three orders", "tenures", "odd segment names"],
)
def test_odd_data_give_a_stated_correct_report(monkeypatch, tables, as_of, by, words):
    study = Retention(loaded(tables, as_of=as_of), by=by)
    assert words in study.answer.text.replace("**", "")
    assert shown(monkeypatch, study)
    assert study.revenue.absent == "The data hold no subscriptions with dates, so revenue cannot be followed."
    assert list(study.revenue.table) == COLUMNS["revenue_curve"]


def test_tenures_have_a_curve_and_no_cohorts():
    study = Retention(loaded({"customers": TENURE}), source="orders", period="week", kind="1-3")
    assert study.by_age.caption == "Still here by month of tenure (Kaplan–Meier)"
    assert study.by_age.table.retention_rate.iloc[[0, 12]].tolist() == [1.0, 0.5]
    assert study.answer.subtitle == "3 customers by tenure · retained: not yet left"
    assert study.cohorts.absent.startswith("The data hold no start dates, only how long customers have stayed")
    assert study.years.absent == "There are no two years of start to compare yet."
    assert study.comparison.absent
    with pytest.raises(ParameterError, match="so there are no cohorts"):
        study.cohorts.plot()


@pytest.mark.slow
def test_what_is_absent_says_why():
    late = Retention(loaded({"customers": LATE}, as_of="2025-06-20"))
    assert late.by_age.absent == "No period is complete yet, so there is no line to draw."
    alone = Retention(
        loaded({"subscriptions": "customer_id,started_on,ended_on,mrr\na,2025-01-05,,10\n"}, as_of="2025-04-30")
    )
    assert alone.revenue.title.startswith("3 months on, we still earn 100 % of what customers who joined by ")
    told = alone.revenue_by_segment
    assert (told.title, told.absent, told.most, len(told.table)) == ("", "", 0, 0)
    assert alone.comparison.absent == "There are too few cohorts to compare newer with older ones."


@pytest.mark.slow
def test_trials_alone_have_no_share_of_revenue_to_follow(monkeypatch):
    tables = {"subscriptions": "customer_id,started_on,ended_on,mrr,plan\na,2025-01-02,,0,x\n"}
    study = Retention(loaded(tables, as_of="2025-04-30"), by="plan")
    assert study.by_age.title == "100 % of customers who joined by January 2025 were still customers 3 months on"
    assert study.revenue.absent.startswith("No cohort pays anything at the end of its first period")
    assert study.revenue_by_segment.absent == ""
    assert shown(monkeypatch, study)


def test_the_triangle_has_a_row_of_all_and_a_line_between_older_and_newer(sample):
    study = Retention(sample)
    axes = study.cohorts.plot()
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows[0] == "All cohorts   4,000"
    (row,) = (line.get_ydata()[0] for line in axes.lines if line.get_linestyle() != "-")
    assert rows[int(row)].startswith("Oct 2023")
    first = [text.get_text() for text in axes.texts[:25]]
    year = study.by_age.table.set_index("period_index").retention_rate[12]
    assert first[12] == f"{100 * year:.0f}"
    assert study.cohorts.notes[0].endswith(
        "nothing happened on that day. The newest 6 cohorts are too young to compare."
    )


def test_a_first_period_in_which_all_are_active_is_not_drawn_beside_rare_ones():
    rows = "".join(f"c{i},2025-01-03,5\n" + f"c{i},2025-03-03,5\n" * (i < 2) for i in range(20))
    study = Retention(loaded({"orders": f"customer_id,ordered_on,amount\n{rows}"}, as_of="2025-04-30"))
    assert study.by_age.table.retention_rate.tolist() == [1, 0, 0.1, 0]
    assert study.by_age.plot().get_ylim()[1] < 0.5


def test_years_are_not_compared_by_or_later(sample):
    study = Retention(sample, source="orders", kind="on_or_after")
    assert "which looks too low for recent ones" in study.years.absent
    assert study.by_age.warnings[0].startswith("“Or later” looks too low for recent periods")
    assert Retention(sample, source="orders").by_age.warnings == ()


def test_data_without_dates_of_customers_stop_it():
    surveys = {"surveys": "customer_id,asked_on,survey,score\na,2025-01-01,nps,9\n"}
    with pytest.raises(MissingTableError, match="has none of subscriptions, customers, usage, orders with dates"):
        _ = Retention(loaded(surveys)).by_age


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"by": "plam"}, "Did you mean 'plan'?"),
        ({"source": "orderz"}, "Did you mean 'orders'?"),
        ({"period": "fortnight"}, "period is 'fortnight'"),
        ({"kind": "3-1"}, "Choose 'on', 'on_or_after', or rising brackets"),
        ({"max_periods": 0}, "Did you mean 1"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(sample, parameters, words):
    with pytest.raises(ParameterError, match=words):
        _ = Retention(sample, **parameters).answer


@pytest.mark.parametrize("max_periods", [0, -1])
def test_cohorts_are_not_followed_for_less_than_a_period(max_periods):
    tables = {"subscriptions": "customer_id,started_on,ended_on,mrr\na,2025-01-02,,10\n"}
    tenures = {"customers": "customer_id,tenure_months,churned\na,3,yes\nb,5,no\n"}
    for data in (loaded(tables, as_of="2025-04-30"), loaded(tenures)):
        with pytest.raises(ParameterError, match=f"max_periods is {max_periods}. Did you mean 1"):
            Retention(data, max_periods=max_periods)


def test_a_share_to_the_day_is_told_beside_one_of_the_month_s_end():
    """Of 80 who began on 5 January 2023 a quarter left on 20 January 2024: after 12 months, before month 12 had ended."""
    rows = [f"c{i},2023-01-05,{'2024-01-20' if i % 4 == 0 else ''}" for i in range(80)]
    customers = "customer_id,started_on,churned_on\n" + "\n".join(rows) + "\n"
    study = Retention(loaded({"customers": customers}, as_of="2024-12-31"))
    assert study.answer.text.startswith("**75 % of customers who joined by January 2023")
    assert study.answer.notes == (
        "The churn report says that 100 % stay longer than 12 months: it counts to the day. Here each customer counts once, at the end of the twelfth "
        "month after that of the start.",
    )
    later = customers.replace("2024-01-20", "2024-02-20")
    assert Retention(loaded({"customers": later}, as_of="2024-12-31")).answer.notes == ()
