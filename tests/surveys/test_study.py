"""The study on odd data, in process: what it says, what it keeps, and that everything shows and draws itself."""

from dataclasses import replace
from functools import cache

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes

import cslib as cs
from cslib.data.customers import segment_of
from cslib.errors import DataError, MissingTableError, ParameterError
from cslib.show.colours import answers
from cslib.surveys.kpis import as_asked

ASKED = ["customer_id", "asked_on", "survey", "score", "answered_on"]


def surveys(*rows):
    return pd.DataFrame(rows, columns=ASKED)


def asked(i):
    """One of 60 customers; every third is silent, the others give the answers from 0 to 10 in turn."""
    month = f"2024-1{i % 3}"
    return f"c{i}", f"{month}-10", "nps", *((i * 7 % 11, f"{month}-12") if i % 3 else (None, None))


SCORES = surveys(*map(asked, range(60)))
ONE = surveys(("a", "2025-01-01", "nps", 9, "2025-01-02"))
ALIKE = surveys(*((f"c{i}", "2025-01-10", "ces", 4, None) for i in range(20)))
TENURE = pd.DataFrame({"customer_id": ["a", "b", "c"], "tenure_months": [3, 0, 12], "churned": [True, False, False]})
OLD = pd.DataFrame(
    [(f"c{i}", f"2024-0{i % 9 + 1}-05", None if i % 6 else "2025-06-20") for i in range(60)],
    columns=["customer_id", "started_on", "churned_on"],
)
MANY = pd.DataFrame(
    [
        (f"c{i}", f"2024-{i % 12 + 1:02d}-05", "2025-01-20" if i % 3 else None, f"$\\foo${i % 12} <b>")
        for i in range(480)
    ],
    columns=["customer_id", "started_on", "churned_on", "plan"],
)
ODD = {
    "surveys alone": (
        {"surveys": SCORES},
        {},
        "NPS is −48 over the last 12 months (95 % interval −67 to −21, 40 customers)",
    ),
    "one answer": ({"surveys": ONE}, {}, "NPS is 100"),
    "all alike": (
        {"surveys": ALIKE},
        {"survey": "ces"},
        "CES is 4.0 over the last 12 months (no interval, 20 customers)",
    ),
    "tenures": ({"surveys": SCORES, "customers": TENURE}, {"by": "churned"}, "NPS is −48"),
    "every group small": (
        {"surveys": SCORES, "customers": OLD},
        {"as_of": "2025-12-31", "window": "all", "min_group": 1000},
        "NPS is −48",
    ),
    "odd segment names": ({"surveys": SCORES, "customers": MANY}, {"by": "plan"}, "NPS is −48"),
}


def study(tables, as_of="", **parameters):
    return cs.Surveys(cs.load(tables, as_of=as_of), **parameters)


@cache
def odd(name):
    """Each study on odd data, computed once."""
    tables, parameters, _ = ODD[name]
    return study(tables, **parameters)


@pytest.fixture(scope="module")
def by_plan(sample):
    return cs.Surveys(sample, by="plan")


def shown(study, capsys):
    """Show every finding as in a notebook, and draw those with a chart."""
    for result in study.results():
        result._ipython_display_()
        if result.chart and not result.absent:
            assert isinstance(result.plot(), Axes)
            plt.close("all")
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ODD)
def test_odd_data_give_a_stated_answer(name):
    assert ODD[name][2] in odd(name).answer.text.replace("**", "")


@pytest.mark.long
@pytest.mark.parametrize("name", ODD)
def test_on_odd_data_every_finding_is_shown_or_says_why_not(name, capsys):
    for result in odd(name).results():
        kept_only = result.name in KEPT_ONLY and not result.most
        assert result.title or len(result.absent) > 20 or kept_only
        assert result.caption
        assert all(kept.caption for kept in result.also)
    assert shown(odd(name), capsys)


KEPT_ONLY = (
    "crossed",
    "nps_drivers",
    "ces_drivers",
    "nps_trend",
    "csat_trend",
    "ces_trend",
    "nps_response",
    "ces_response",
)
ABSENT = {
    "crossing": "",
    "trend": "No year with answers is complete yet.",
    "change": "There are no earlier answers to compare with.",
    "drivers": "There is no column to compare answers by.",
    "stakes": "The data hold no start dates, so nobody can be followed.",
    "second_survey": "Nobody answered CSAT from 4 January 2024 to 3 January 2025.",
    "third_survey": "Nobody answered CES from 4 January 2024 to 3 January 2025.",
}


def test_what_one_answer_cannot_tell():
    one = study({"surveys": ONE}, as_of="2025-01-03", period="year")
    assert {n: getattr(one, n).absent for n in ABSENT} == ABSENT
    assert one.silence.title == "The data hold nothing about those who did not answer"
    assert one.change.notes == ("All answers are alike, so there is no telling how many it takes to detect a change.",)
    with pytest.raises(ParameterError, match="No year with answers is complete yet"):
        one.trend.plot()


@pytest.mark.long
def test_tables_that_hold_nothing_keep_their_columns(by_plan):
    one = odd("one answer")
    for name in ("change", "trend", "stakes", "drivers", "third_survey"):
        assert list(getattr(one, name).table) == list(getattr(by_plan, name).table)


NPS = {
    "nps": ["segment_by", "segment", "n_invited", "n_responses", "response_rate", "n_promoters", "n_passives", "n_detractors", "nps", "ci_lower", "ci_upper", "difference_from_rest", "p_value", "p_adjusted", "contribution"],
    "nps_trend": ["segment", "period", "n_responses", "nps", "ci_lower", "ci_upper"],
    "nps_change": ["segment", "n_before", "n_now", "score_before", "score_now", "change", "ci_lower", "ci_upper", "mix_effect", "within_effect", "p_value", "p_adjusted", "share_before", "share_now"],
    "nps_churn": ["group", "n", "n_churned", "survival_12m", "ci_lower", "ci_upper", "rmst_difference_months"],
    "nps_response": ["segment_by", "segment", "n_invited", "n_responses", "response_rate", "response_ci_lower", "response_ci_upper", "difference_from_rest", "difference_ci_lower", "difference_ci_upper", "p_adjusted", "clear"],
    "nps_drivers": ["segment_by", "segment", "level", "share", "n_responses", "difference", "ci_lower", "ci_upper", "p_adjusted", "clear", "contribution"],
    "nps_non_response": ["weighted_by", "nps", "ci_lower", "ci_upper", "n_effective"],
    "nps_groups": ["segment_by", "segment", "n_invited", "n_responses", "response_rate", "n_promoters", "n_passives", "n_detractors", "nps", "ci_lower", "ci_upper"],
    "distribution": ["score", "group", "n", "share", "ci_lower", "ci_upper"],
    "csat": ["segment_by", "segment", "n_invited", "n_responses", "response_rate", "n_satisfied", "n_neutral", "n_dissatisfied", "csat", "ci_lower", "ci_upper"],
    "nps_other_answers": ["segment_by", "segment", "level", "share", "n_responses", "difference", "ci_lower", "ci_upper", "p_adjusted", "clear", "contribution"],
    "nps_churn_by_segment": ["segment", "group", "n", "n_churned", "survival_12m", "ci_lower", "ci_upper"],
    "nps_unhappy": ["customer_id", "plan", "money_at_risk", "mrr", "p_churn", "score", "answered_on"],
    "ces": ["segment_by", "segment", "n_invited", "n_responses", "response_rate", "n_easy", "n_neutral", "n_hard", "ces", "ci_lower", "ci_upper"],
}  # fmt: skip


def tables(study):
    return {kept.name: kept.table for result in study.results() for kept in (result, *result.also)}


@pytest.mark.long
def test_every_table_has_its_columns(by_plan):
    found = tables(by_plan)
    for name, columns in NPS.items():
        assert list(found[name])[: len(columns)] == columns
    assert set(found) == {*NPS, "crossed", "csat_trend", "ces_trend"}
    assert list(found["nps"]) == NPS["nps"]


@pytest.mark.long
@pytest.mark.parametrize(
    "parameters",
    [
        {"survey": "csat", "window": "all", "by": "plan,region", "period": "month"},
        {"survey": "ces", "window": "2025-Q1", "compare_to": "year before"},
    ],
    ids=str,
)
def test_the_other_surveys_of_the_sample(sample, parameters, capsys):
    found, survey = cs.Surveys(sample, **parameters), parameters["survey"]
    assert f"{survey.upper()} is" in found.answer.text
    kept = tables(found)
    assert {survey, f"{survey}_trend", f"{survey}_churn", f"{survey}_non_response", "nps"} <= set(kept)
    assert (kept[survey]["n_responses"].iloc[1:] >= 10).all()
    assert shown(found, capsys)


@pytest.mark.long
def test_surveys_of_a_past_day(root, capsys):
    found = cs.Surveys(
        cs.load(root / "data", as_of="2024-03-15"), window="90 days", compare_to="", min_group=25, gross_margin=0.8
    )
    assert "NPS is" in found.answer.text
    assert (tables(found)["nps"]["n_responses"].iloc[1:] >= 25).all()
    assert shown(found, capsys)


@pytest.mark.long
def test_a_finding_is_asked_for_in_three_lines(sample):
    surveys = cs.Surveys(sample, survey="nps")
    assert surveys.trend.title == "NPS of Q2 2025 alone is 44, no clear change from the 11 quarters before"
    assert "Up from 34 in the 12 months before, within the margin of error; estimated" in surveys.answer.text
    assert list(surveys.trend.table) == NPS["nps_trend"]
    assert isinstance(surveys.trend.plot(), Axes)
    plt.close("all")


def test_a_study_lists_what_it_can_be_asked(by_plan):
    questions = cs.Surveys.findings()
    assert list(questions) == [
        *("groups", "distribution", "trend", "change", "drivers", "crossing", "stakes", "unhappy"),
        *("second_survey", "second_trend", "third_survey", "third_trend", "response", "silence"),
    ]
    assert all(question.endswith("?") for question in questions.values())
    assert repr(by_plan).startswith("Surveys(by='plan')\n  .groups")


def test_findings_of_one_column_are_told_apart_from_those_of_all(by_plan):
    assert set(by_plan.groups.table["segment_by"]) == {"All", "plan"}
    every, _ = by_plan.drivers.also
    assert every.name == "nps"
    assert {"plan", "region", "CSAT answer"} <= set(every.table["segment_by"])
    assert set(by_plan.drivers.table["segment_by"]) == {"plan", "region", "channel", "onboarding"}
    assert set(by_plan.second_survey.table["segment_by"]) == {"All", "plan"}
    assert by_plan.crossing.name == "crossed"


def test_groups_are_drawn_once(sample, by_plan):
    """Where nothing is clear, the chart of groups is enough; else there are two by plan, and one of everything."""
    every = cs.Surveys(sample)
    assert by_plan.drivers.chart is every.drivers.chart is by_plan.crossing.chart is None
    assert by_plan.drivers.title == (
        "By region, channel and onboarding, and by plan and region together, no difference in NPS is clear."
    )
    assert every.drivers.title == "By plan and region together no difference in NPS is clear."
    assert set(by_plan.crossing.table["segment_by"]) == {"All", "plan × region"}, "the table is kept"
    clear = cs.Surveys(sample, by="plan", survey="ces").drivers
    assert clear.subtitle.endswith("95 % intervals allow for 11 groups compared. In colour: clearly different.")
    tables = [study.drivers.also[0].table.set_index(["segment_by", "segment"]) for study in (every, by_plan)]
    assert tables[0]["p_adjusted"].to_dict() == pytest.approx(tables[1]["p_adjusted"].to_dict(), nan_ok=True)
    assert set(every.drivers.table["segment"]) <= set(every.groups.table["segment"])


def test_segments_stand_in_one_order(by_plan):
    best_first = by_plan.groups.table["segment"].tolist()
    assert best_first == ["All", "Starter", "Team", "Enterprise"]
    axes = cs.Surveys(by_plan.data, by="plan,region").crossing.plot()
    assert [text.get_text() for text in axes.get_yticklabels()] == best_first[1:]
    plt.close("all")


def test_what_a_clear_change_is_made_of_is_told():
    """All who are asked give a 9 now and gave a 0 before."""
    rows = [(f"c{i}", f"{y}-0{i % 6 + 1}-10", "nps", s, None) for i in range(60) for y, s in ((2024, 0), (2025, 9))]
    tables = {"surveys": surveys(*rows), "customers": MANY.assign(started_on="2023-01-05", churned_on=None)}
    found = study(tables, as_of="2025-12-31", by="plan", window="2025", compare_to="2024", min_group=1)
    assert found.change.title == "NPS is 100, up from −100 in the window before, more than chance"
    assert found.change.notes[1].startswith("Of the +200 points, +200 points come from customers of the same plan")


@pytest.mark.long
def test_the_list_of_the_unhappy_has_the_risks_of_the_churn_report(by_plan):
    """One customer has one risk, and one expected loss, in both."""
    assert by_plan.unhappy.caption.endswith("; expected loss = MRR × 80 % margin × risk of leaving within 12 months")
    told = ["money_at_risk", "mrr", "p_churn"]
    table = by_plan.unhappy.table.set_index("customer_id")[told]
    assert table["money_at_risk"].is_monotonic_decreasing
    listed = cs.Churn(by_plan.data, by="plan").at_risk.table.set_index("customer_id")[told]
    pd.testing.assert_frame_equal(table, listed.loc[table.index])
    shown, exact = by_plan.unhappy.shown["mrr"], by_plan.unhappy.table["mrr"]
    assert (shown.iloc[:4].tolist(), exact.iloc[0]) == ([1476, 1221, 1017, 988], 1475.95), "the file keeps the cents"
    assert shown[exact < 100].equals(exact[exact < 100])
    (order,) = by_plan.unhappy.notes
    assert order.startswith("Those come first with whom we expect to lose most. Risks are as in the churn report")
    team = cs.Surveys(segment_of(by_plan.data, "plan", "Team")).unhappy.table
    own = table[table.index.isin(team["customer_id"])]
    pd.testing.assert_frame_equal(team.set_index("customer_id")[told], own)


def test_after_an_answer_each_group_has_a_panel_with_promoters_behind_it(by_plan):
    panels = by_plan.stakes.plot().figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["passives", "no answer", "detractors"]
    assert panels[0].figure.get_suptitle() == "the axis starts at 40 % · dashed: promoters, 73 % at the end"
    assert [text.get_text() for text in panels[2].texts] == ["52 still followed", "53 %"]
    assert [panel.lines[1].get_color() for panel in panels] == [*answers(4)[1:]]
    assert {line.get_drawstyle() for panel in panels for line in panel.lines} == {"steps-post"}
    plt.close("all")


@pytest.mark.long
def test_segments_that_the_trend_cannot_draw_are_named(root, by_plan):
    few = cs.load(root / "data", where="region=APAC and channel=Partner")
    drawn = "NPS by quarter of the invitation, from 30 answers on. Bands: 95 % intervals."
    assert cs.Surveys(few, by="plan").trend.subtitle == (
        f"{drawn} A dot alone: too few answers in the quarters beside it. Not drawn, with fewer than 30 answers to show in each quarter: Enterprise."
    )
    assert by_plan.trend.subtitle == drawn


def test_two_columns_are_crossed(sample):
    found = cs.Surveys(sample, by="region,channel")
    assert found.crossing.subtitle == "NPS by region and channel; n: answers."
    assert set(found.crossing.table["segment_by"]) == {"All", "region × channel"}


def test_effects_add_up_and_the_silent_feel_worse(by_plan):
    whole = by_plan.change.table.iloc[0]
    assert whole.mix_effect + whole.within_effect == pytest.approx(whole.change)
    silent = by_plan.silence.table.set_index("weighted_by")["nps"]
    assert silent["all of these"] < silent["nothing"]
    assert (
        " Up from 34 in the 12 months before, within the margin of error; estimated for everyone asked, it is 32. **Det"
        in by_plan.answer.text
    )
    assert by_plan.answer.notes == (
        "**The NPS to quote is 37**. The scorecard's 43.6 is of the 3 months to June 2025 alone (560 customers).",
    )
    assert by_plan.answer.text.endswith(
        "it is 32. **Detractors left more often**: 47 % over 12 months, against 27 % of promoters. **CSAT of Q2 2025 alone "
        "is 69 %**, clearly below the 11 quarters before (74 %), though Q1 2024 was lower, at 67 %."
    )
    assert by_plan.change.notes[0] == (
        "**Enterprise (plan) moved most**: from 40 to 30 (−9.9 points, 95 % interval −24 to +4.9). Allowing for 3 segments compared, "
        "that may be chance."
    )
    assert len(by_plan.change.notes) == 2, "what a change within the margin of error is made of is not told"
    assert by_plan.change.notes[1].endswith("; we have 951 and 1,563.")
    assert by_plan.change.most == 0, "nor in a table"
    assert "the quarters together come to 41 (1,941 answers)" in by_plan.trend.how_to_read
    assert by_plan.second_survey.notes == (), "that it is another is the heading of its chart"
    assert by_plan.second_trend.title == (
        "CSAT of Q2 2025 alone is 69 %, clearly below the 11 quarters before (74 %), though Q1 2024 was lower, at 67 %"
    )
    assert by_plan.second_trend.chart is not None
    assert set(by_plan.second_trend.table["segment"]) == {"All", "Enterprise", "Starter", "Team"}
    assert by_plan.third_survey.notes == (), "3.5 as on the scorecard"
    assert (by_plan.third_trend.title, by_plan.third_trend.chart) == ("", None), "of CES there is no clear change"
    assert list(by_plan.third_trend.table)[:4] == ["segment", "period", "n_responses", "ces"]
    assert by_plan.response.title == (
        "63 % of those asked over the last 12 months answered; no clear difference by plan, region, channel and onboarding"
    )
    rates = by_plan.drivers.also[0].table.set_index(["segment_by", "segment"])["response_rate"]
    told = by_plan.response.table.set_index(["segment_by", "segment"])["response_rate"]
    assert told[rates.index].to_dict() == pytest.approx(rates.to_dict()), "one rate of each group"
    assert by_plan.response.notes == (
        "**Clearly fewer answered among those never asked for NPS before**: 56 %. "
        "Clearly more answered among earlier promoters: 79 %.",
    )
    assert by_plan.silence.how_to_read.startswith("If all who did not answer felt like detractors, NPS would be −14")
    assert by_plan.silence.shown["weighted by"].tolist()[-1] == "everything on record"


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"window": "12 moons"}, "window is '12 moons'. Did you mean"),
        ({"survey": "pulse"}, "survey is 'pulse'"),
        ({"window": "2021"}, "no nps answer to an invitation from 1 January 2021"),
        ({"by": "plam"}, "Did you mean 'plan'?"),
        ({"survey": "ces", "ces_scale": 5}, "CES answers up to 10, beyond 1–5"),
        ({"compare_to": "2025"}, "shares days with the window"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(sample, parameters, words):
    with pytest.raises((ParameterError, DataError)) as refused:
        _ = cs.Surveys(sample, **parameters).answer
    assert words in str(refused.value)


@pytest.mark.parametrize("finding", ["answer", *cs.Surveys.findings()])
def test_data_without_surveys_say_what_to_add(finding):
    empty = cs.Surveys(cs.load({"customers": OLD}, as_of="2025-12-31"))
    with pytest.raises(MissingTableError, match="Add surveys"):
        getattr(empty, finding)


@pytest.mark.parametrize("extra", [{}, {"channel": "mail"}, {"channel": "mail", "place": ["a", "b"] * 30}])
def test_answers_older_than_the_window_are_said_whatever_columns_there_are(extra):
    with pytest.raises(
        DataError, match="surveys has no nps answer to an invitation from 1 July 2029.* There are: 40 nps up to"
    ):
        _ = study({"surveys": SCORES.assign(**extra)}, as_of="2030-06-30").answer


def score_card(data, **parameters):
    return cs.Surveys(data, **parameters).answer.cards[0]


@pytest.mark.long
def test_the_score_of_a_year_is_held_against_its_target(sample):
    """NPS is 37, 32 weighted to everyone asked; CSAT 80 %."""
    card = score_card(sample)
    assert (card.label, card.status, card.target, card.aims) == ("NPS", "not clear", "at least 40", (40.0,))
    low = score_card(replace(sample, targets={"nps": 33, "csat": "not read here"}))
    assert low.status == "not clear"  # the weighted score misses it
    assert score_card(replace(sample, targets={"nps": 30})).status == "met"
    assert score_card(replace(sample, targets={})).status == ""
    assert score_card(sample, window="6 months").status == ""  # the scorecard judges by 12
    with pytest.raises(DataError, match="nps is 'high'"):
        score_card(replace(sample, targets={"nps": "high"}))


def test_of_one_month_no_number_is_said(sample):
    said = {window: cs.Surveys(sample, window=window)._say for window in ("1 months", "1  quarters", "12 months")}
    assert [say.span for say in said.values()] == [
        f"over the last {long}" for long in ("month", "quarter", "12 months")
    ]
    assert said["1 months"].earlier == "the month before"
    assert cs.Surveys(sample, window="2025-Q1")._say.span == "from 1 January 2025 to 31 March 2025"


def test_effort_has_its_target_on_the_side_that_is_good():
    assert as_asked("ces", lower_is_easier=True).target({"ces": 3}).high == 3
    assert as_asked("ces", lower_is_easier=False).target({"ces": 3}).low == 3
