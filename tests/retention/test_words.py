from datetime import date

import pandas as pd
import pytest
from retention_world import comparison, curve

from cslib.data.drift import Drift
from cslib.retention.cohorts import COMPARISON
from cslib.retention.headlines import Landmarks, borne_out, contrast
from cslib.retention.words import Wording
from cslib.show.charts import left_out
from cslib.show.formats import inline, percent

NOTHING = pd.DataFrame(columns=COMPARISON)


def marked(table, joined=pd.NaT):
    return Landmarks().of(table).assign(joined=joined, within=0)


def answer(table, contrasts, source, **more):
    return Wording(source).answer(marked(table, **more), contrast(contrasts), pd.DataFrame())


def cards(table, contrasts, source, **more):
    return Wording(source).cards(marked(table, **more), contrast(contrasts))


def segments(table, source="customers"):
    return Wording(source).segments(Landmarks().extremes(table), marked(table))


def test_answer_names_rate_interval_and_change():
    text = answer(curve(All=0.6), comparison(0.001), "subscriptions", joined=pd.Timestamp("2023-06-01"))
    assert text == (
        "**60 % of customers who joined by June 2023 were still customers 12 months on** (95 % interval 57 to 63 %, 1,000 "
        "customers). **Newer customers stay longer**: 70 % of those who joined since March 2024, the newer half of the cohorts "
        "compared, were still customers 6 months on, 60 % of earlier ones."
    )
    alike = answer(curve(All=0.6), comparison(0.2, 0.02), "subscriptions")
    assert alike.endswith("customers followed that long). Newer customers do not clearly differ from earlier ones.")
    weekly = Wording("usage", period="week").answer(
        marked(curve(All=0.6), pd.Timestamp("2023-06-04")), None, pd.DataFrame()
    )
    assert weekly.startswith("**60 % of customers who joined by 4 June 2023 were active in week 12**")
    tenure = answer(curve(All=0.6), NOTHING, "tenure")
    assert tenure.startswith(
        "**60 % of customers were still customers 12 months on** (95 % interval 57 to 63 %, 1,000 customers followed that long)."
    )


@pytest.mark.parametrize(
    ("compared", "words"),
    [
        (comparison(0.01, 0.1), "Newer customers stay longer**: 70 % of those"),
        (comparison(0.01, -0.1), "Newer customers leave sooner**: 70 % of those"),
        (comparison(0.2, 0.02), "do not clearly differ from earlier ones: 70 % vs 68 % were still customers 6 months on, which may be chance."),
        (comparison(0.01, 0.02), "differ from earlier ones over the first 6 months together, but not clearly at the end"),
        (comparison(0.06, 0.1), "are 10.0 points ahead: 70 % vs 60 % were still customers 6 months on, but over the first 6 months together the difference may be chance."),
        (comparison(0.06, -0.1, together=-0.1), "are 10.0 points behind: 70 % vs 80 %"),
        (comparison(0.01, 0.1, together=-0.4), "differ from earlier ones over the first 6 months together"),
        (comparison(float("nan"), 0.0), "do not clearly differ"),
        (comparison(0.01, which="newest cohort"), "Customers who joined in March 2024 stay longer"),
    ],
)  # fmt: skip
def test_a_verdict_never_contradicts_the_interval_beside_it(compared, words):
    assert words in Wording("customers").difference(contrast(compared))


@pytest.mark.parametrize(
    ("period", "words"),
    [("week", "in the week from 1 March 2024"), ("day", "on 1 March 2024"), ("month", "in March 2024")],
)
def test_the_newest_cohort_is_named_by_its_period(period, words):
    text = Wording("customers", period=period).difference(contrast(comparison(0.01, which="newest cohort")))
    assert text.startswith(f"**Customers who joined {words} stay longer")


def test_a_season_is_allowed_for_or_said_to_be_possible():
    alike, young = (contrast(comparison(0.01, season=season)) for season in ("allowed for", "unknown"))
    say = Wording("customers")
    assert say.difference(alike).endswith("60 % of earlier ones.")
    assert say.difference(young).endswith(
        "60 % of earlier ones; with less than two years of data, this may be the season."
    )
    assert "season" not in say.difference(contrast(comparison(0.2, 0.02, season="unknown")))
    compared = say.compared(comparison(0.01, season="allowed for"))
    assert compared.startswith(
        "Newer against older cohorts over their first 6 months (tested with the season allowed for)"
    )


def changed(*, faster=False):
    return Drift(date(2024, 7, 1), 0.04, 0.06, faster, 0.001, carries=True)


def test_a_change_of_churn_is_of_newer_customers_or_of_all():
    say, row = Wording("customers"), contrast(comparison(0.01))
    now, unclear = "Customers leave more slowly now, as the churn report says", "for earlier ones it is not clear."
    newer = f"{now}. That shows in those who joined since March 2024; {unclear}"
    assert say.bridge(changed(), None, row) == say.bridge(changed(), changed(faster=True), row) == newer
    both = f"{now}, also those who joined before March 2024: it is not only about whom we sign now."
    assert say.bridge(changed(), changed(), row) == both
    faster = say.bridge(changed(faster=True), None, row)
    assert faster.startswith("Customers leave faster now, as the churn report says. That shows in")
    assert faster.endswith(unclear)


def test_the_share_of_the_churn_report_is_told_where_it_is_another_one():
    mark = pd.Series({"retention_rate": 0.506, "joined": pd.Timestamp("2024-06-30"), "within": 0}, dtype=object)
    say = Wording("customers")
    assert say.beside_churn(mark, 0.525) == (
        "The churn report says that 52 % stay longer than 12 months: it counts to the day. Here each customer counts once, at the end of the twelfth month "
        "after that of the start."
    )
    assert "it counts every stay, to the day. Here" in say.beside_churn(mark, 0.45, unit="stay")
    assert say.beside_churn(mark, 0.508) == say.at_the_pace(mark, 0.508) == ""
    assert say.at_the_pace(mark, 0.585) == (
        "The churn report says that 58 % stay longer than 12 months: that is what to expect if customers go on leaving as in the last 12 months. The 51 % here "
        "is what happened to those who joined by June 2024."
    )
    year = pd.Series({**mark, "within": 12}, dtype=object)
    assert say.at_the_pace(year, 0.585, by="plan") == (
        "The churn report says that 58 % stay longer than 12 months: its shares, also those by plan, are what to expect if customers go on leaving as in the "
        "last 12 months. The 51 % here is what happened to those who joined in the 12 months to June 2024."
    )


def test_what_the_line_between_cohorts_splits_is_said():
    line = (
        "The dashed line only splits the cohorts compared into an older and a newer half; nothing happened on that day."
    )
    young = [
        line,
        f"{line} The newest cohort is too young to compare.",
        f"{line} The newest 6 cohorts are too young to compare.",
    ]
    rows = [contrast(comparison(0.01).assign(n_too_young=n)) for n in (0, 1, 6)]
    assert [Wording("customers").split(row) for row in rows] == young


def test_the_first_point_of_a_curve_is_named():
    assert Wording("customers").axis == "months since the start (0: the month they joined)"
    assert Wording("tenure").axis == "months since the start"
    assert Wording("customers", period="week").how_to_read.endswith(
        "end of the week they joined in, by when some have left already."
    )
    assert "joined in" not in Wording("orders").how_to_read


def test_no_comparison_is_said():
    assert "Too few cohorts" in Wording("orders").difference(contrast(NOTHING))
    assert len(cards(curve(All=0.6), NOTHING, "orders")) == 3
    newer = cards(curve(All=0.6), comparison(0.01), "orders")[-1]
    assert (newer.n, newer.label, newer.detail) == (
        100,
        "Newer minus older customers, 6 months on",
        "since March 2024:\nmore than chance",
    )
    newest = cards(curve(All=0.6), comparison(0.01, which="newest cohort"), "orders")[-1]
    assert (newest.label[:6], newest.detail[:11]) == ("Newest", "March 2024:")
    verdicts = [
        cards(curve(All=0.6), comparison(*c), "orders")[-1].detail.split("\n")[1]
        for c in ((0.2, 0.02), (0.06, 0.1), (0.01, 0.02))
    ]
    assert verdicts == ["may be chance", "clear in month 6 alone", "clear over all months together, not at the end"]


def test_cards_are_named_for_what_is_retained():
    assert [c.label for c in cards(curve(All=0.6), NOTHING, "orders")] == [
        *("Ordered in month 3", "Ordered in month 6", "Ordered in month 12"),
    ]
    first = cards(curve(All=0.6), NOTHING, "subscriptions", joined=pd.Timestamp("2023-06-01"))[0]
    assert (first.label, first.detail) == ("Still customers 3 months on", "joined by June 2023")
    assert cards(curve(All=0.6), NOTHING, "tenure")[0].detail == "followed that long"


def test_where_years_are_told_halves_say_how_far_they_are_apart():
    change = contrast(comparison(0.001))
    known = {"shared_age": 6, "season": "allowed for", "together": True}
    ahead = pd.Series({**change, **known, "difference": 0.101, "ci_lower": 0.066, "ci_upper": 0.137})
    behind = pd.Series({**ahead, "difference": -0.101, "ci_lower": -0.137, "ci_upper": -0.066})
    half = "the newer half of the cohorts compared is 10.1 points"
    assert Wording("customers").ahead(ahead) == f"Newer customers stay longer: {half} ahead in month 6 (6.6 to 13.7)"
    assert Wording("customers").ahead(behind) == f"Newer customers leave sooner: {half} behind in month 6 (6.6 to 13.7)"
    assert Wording("orders", period="week").ahead(ahead).startswith("Newer customers order more: ")


def test_a_day_names_the_newer_cohorts_by_week():
    text = Wording("usage", period="week").difference(contrast(comparison(0.2, 0.02)))
    assert text.startswith(
        "Customers who joined since 1 March 2024, the newer half of the cohorts compared, do not clearly differ from earlier ones: 70 % vs 68 % were active"
    )
    more = (Wording(source).difference(contrast(comparison(0.01, 0.1))) for source in ("usage", "orders"))
    assert [text.split("**")[1] for text in more] == ["Newer customers are more active", "Newer customers order more"]


def test_the_answer_names_years_of_start_that_bear_out_the_change():
    """2024 keeps 70 %, 2023 60 %: more than the halves say. Years that go the other way, or may be the season, do not."""
    change = contrast(comparison(0.001))
    years = Landmarks().extremes(curve(**{"2023": 0.6, "2024": 0.7})).assign(whole=True)
    text = Wording("subscriptions").answer(marked(curve(All=0.6)), change, borne_out(years, change))
    said = "**Newer customers stay longer**: 70 % of those who joined in 2024 were still customers 12 months on"
    assert text.endswith(f"{said}, 60 % of those of 2023.")
    worse = contrast(comparison(0.001, -0.1))
    assert borne_out(years, worse).empty
    assert borne_out(years.assign(segment=["2023", "2024"]), worse)["segment"].tolist() == ["2024", "2023"]
    assert borne_out(years.assign(segment=["2023", "2024"]), change).empty
    for silent in (years.assign(whole=False), years.assign(clear=False), years.head(0)):
        assert borne_out(silent, change).empty
    assert borne_out(years, contrast(comparison(0.2, 0.02))).empty
    assert borne_out(years, None).empty


def test_the_answer_begins_with_the_newest_year_where_it_is_told():
    change = contrast(comparison(0.001))
    years = Landmarks().extremes(curve(**{"2023": 0.6, "2024": 0.7})).assign(whole=True)
    marks = marked(curve(All=0.7), pd.Timestamp("2024-06-30"))
    marks = marks.assign(within=marks["within"].mask(marks["headline"], 12))
    text = Wording("subscriptions").answer(marks, change, borne_out(years, change))
    assert text == (
        "**70 % of customers who joined in the 12 months to June 2024 were still customers 12 months on** (95 % interval 67 to "
        "73 %, 1,000 customers), against 60 % of those who joined in the 12 months before. **Newer customers stay longer**."
    )
    assert Wording("subscriptions").cards(marks, change)[2].detail == "joined in the 12 months to June 2024"


def test_nothing_observed_is_said():
    only = curve(All=0.6).query("period_index == 0")
    assert "not known" in answer(only, NOTHING, "orders")
    assert cards(only, NOTHING, "orders") == []


def test_a_share_is_never_rounded_to_all_or_none():
    assert percent(0.9987) == "99.9 %"
    assert percent(1.0) == "100 %"
    assert percent(0.0) == "0 %"
    assert percent(0.99999) not in ("100 %", "100.0 %")


def test_few_customers_in_every_year_are_not_compared():
    small = curve(**{"2024": 0.5, "2025": 0.6}).assign(n_customers=9)
    assert Wording("customers").years(Landmarks().extremes(small).assign(whole=True)) == "Too few customers to compare"


def test_years_are_compared_where_at_least_two_stand():
    years = curve(**{"2023": 0.5, "2024": 0.7, "2025": 0.6})
    years = years[(years.segment != "2025") | (years.period_index < 1)]
    text = Wording("customers").years(Landmarks().extremes(years).assign(whole=True))
    assert (
        text
        == "70 % of customers who joined in 2024 were still customers 12 months on, against 50 % of those who joined in 2023"
    )
    partial = Wording("customers").years(Landmarks().extremes(years).assign(whole=False))
    assert partial == f"{text}; the years are not complete, so this may be the season"


def test_what_a_chart_leaves_out_is_said():
    many = curve(All=0.5, **{f"s{i}": 0.5 for i in range(10)})
    assert left_out(many, many[many.segment.isin(["All", "s1"])]) == " The 1 largest of 10 segments."
    assert left_out(many, many) == ""


def test_a_heatmap_says_what_it_leaves_out_and_what_hatching_means():
    plotted = "Percent of each cohort retained, by weeks since it began. Blue-green: higher than all cohorts together at that age. Ochre: lower."
    say = Wording("usage", period="week")
    whom = pd.Series({"n_customers": 90, "n_cohorts": 36, "unfinished": False}, dtype=object)
    assert say.heatmap(whom, most=36) == plotted
    assert say.heatmap(pd.Series({**whom, "n_cohorts": 37, "unfinished": True}), most=36) == (
        f"{plotted} The latest 36 of 37 cohorts. Hatched: not complete yet."
    )


def test_what_month_0_is_stands_over_the_triangle_of_customers():
    whom = pd.Series({"n_customers": 90, "n_cohorts": 36, "unfinished": False}, dtype=object)
    first = " Month 0 is the month they joined: by its end some have left."
    assert Wording("customers").heatmap(whom, most=36).endswith(first)
    assert " 0 is" not in Wording("orders").heatmap(whom, most=36) + Wording("customers", "1-3").heatmap(whom, most=36)


def test_too_young_cohorts_are_counted():
    row = comparison(0.01).assign(n_too_young=1)
    assert Wording("orders").compared(row).endswith("with the shares by then; 1 cohort is too young to compare")
    assert Wording("orders").compared(row.assign(n_too_young=0)).endswith("first 6 months, with the shares by then")


@pytest.mark.parametrize(
    ("source", "kind", "period", "text"),
    [
        ("orders", "on", "week", "ordered in week 4"),
        ("usage", "on_or_after", "month", "were active in month 4 or later"),
        ("usage", "4-6", "month", "were active in months 4–6"),
        ("tenure", "on", "month", "were still customers 4 months on"),
        ("usage", "on", "day", "were active on day 4"),
        ("customers", "on", "year", "were still customers at the end of year 4"),
        ("subscriptions", "4-6", "month", "were customers at the end of some month of 4–6"),
    ],
)
def test_retained_in_words(source, kind, period, text):
    assert Wording(source, kind, period).retained(4) == text


def test_best_and_worst_segment():
    text = segments(curve(All=0.5, Pro=0.7, Free=0.3))
    assert text == "70 % of Pro customers were still customers 12 months on, against 30 % of Free"
    assert segments(curve(All=0.0, Pro=0.0, Free=0.0)).endswith(" 12 months on, against 0 % of Pro: no difference")
    marked = segments(curve(All=0.5, **{"**Pro**": 0.7, "Free": 0.3}))
    assert "<strong>" not in inline(marked)
    assert segments(curve(All=0.5)) == "50 % of customers were still customers 12 months on"


def test_segments_picked_out_of_noise_are_not_called_different():
    """0.52 against 0.48 of 1,000 clears 95 % as a single pair's interval would almost; of 45 pairs it is noise."""
    many = {f"s{i}": 0.48 + 0.005 * i for i in range(10)}
    assert segments(curve(All=0.5, **many)).endswith("no clear difference")


def test_revenue_in_words():
    pooled = pd.DataFrame(
        {
            "segment": "All", "period_index": [1, 12], "net_retention": [1, 1.04], "gross_retention": [0.98, 0.81],
            "net_ci_lower": 0.99, "net_ci_upper": 1.09,
        }
    )  # fmt: skip
    say = Wording("subscriptions")
    joined = pd.Series({1: pd.Timestamp("2025-05-31"), 12: pd.Timestamp("2024-06-30")})
    assert say.revenue(Landmarks().revenue_kept(pooled), joined) == (
        "12 months on, we still earn 104 % of what customers who joined by June 2024 first paid (99 to 109 %), and 81 % without "
        "expansion"
    )
    young = say.revenue(Landmarks().revenue_kept(pooled.head(1)), joined)
    assert young.startswith("1 month on, we still earn 100 % of what customers who joined by May 2025 first paid")
    assert "yet" in say.revenue(Landmarks().revenue_kept(pooled.iloc[:0]), joined)


def test_segments_that_keep_most_and_least_of_their_revenue():
    rows = [
        ("All", 12, 0.8, 90),
        ("Pro", 12, 0.9, 40),
        ("Lite", 12, 0.6, 50),
        ("Tiny", 12, 0.1, 9),
        ("Pro", 6, 1.1, 99),
    ]
    table = pd.DataFrame(rows, columns=["segment", "period_index", "share", "n_customers"])
    say = Wording("subscriptions")
    for half, end in ((0.05, ""), (0.4, ": no clear difference")):
        shares = table.assign(ci_lower=table["share"] - half, ci_upper=table["share"] + half)
        text = say.revenue_segments(Landmarks().extreme_shares(shares))
        said = "12 months on, we still earn 90 % of what Pro customers first paid, 60 % of what Lite customers did"
        assert text == f"{said}{end}"
    both = pd.DataFrame({"segment": ["Pro", "Lite", "Team"], "period_index": 12, "share": [0.9, 0.6, 0.604]})
    assert say.revenue_segments(both.assign(clear=True)).endswith(", 60 % of what Lite and Team customers did")
    other = both.assign(clear=True, share=[0.9, 0.6, 0.62])
    assert say.revenue_segments(other).endswith(", 60 % of what Lite and 62 % of what Team customers did")
    assert say.revenue_segments(Landmarks().extreme_shares(shares.head(1))).startswith("There are no two segments")
