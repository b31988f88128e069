import json
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from alert_folder import AT_LEAST_95, calm, fail, nrr, series, write_run
from click.testing import CliRunner

from cslib.cli import main
from cslib.data.kpi import Target
from cslib.errors import ParameterError, ReportError
from cslib.report import alert
from cslib.report.alert import tell
from cslib.report.digest import Digest, News, in_order, markdown, page, plain_text
from cslib.report.home import write_index

MAY, JUNE, JULY = "2025-05-31", "2025-06-30", "2025-07-31"


def texts(digest):
    return [one.text.replace("**", "") for one in digest.news]


def kinds(digest):
    return [one.kind for one in digest.news]


def two_runs(out, before=0.96, now=0.89, **more):
    write_run(out, nrr(MAY, before), as_of=MAY)
    write_run(out, nrr(JUNE, before, now), as_of=JUNE, **more)


def test_a_target_that_is_newly_missed_is_told_once(tmp_path):
    two_runs(tmp_path)
    digest = tell(tmp_path)
    told = "NRR over 12 months fell below its target: 89 % (87 to 91 %), target at least 95 %. It was 96 % in May."
    assert texts(digest) == [told]
    assert digest.news[0].link == "scorecard.html#retention"
    assert digest.title == "Customer KPIs: 1 thing to know · 30 June 2025"
    again = tell(tmp_path)
    assert again.news == ()
    assert again.notes == ("Scorecard, still so: NRR over 12 months misses its target.",)


def test_the_home_page_leads_to_the_digest_as_soon_as_there_is_one(tmp_path):
    two_runs(tmp_path)
    index = write_index(tmp_path)
    assert "digest.html" not in index.read_text("utf-8")
    tell(tmp_path)
    assert '<a href="digest.html">Alerts</a>' in index.read_text("utf-8")


def test_what_was_so_in_the_run_before_is_not_new(tmp_path):
    two_runs(tmp_path, before=0.88)
    assert tell(tmp_path).news == ()


def test_without_a_run_before_all_that_stands_is_told(tmp_path):
    write_run(tmp_path, nrr(JUNE, 0.89), as_of=JUNE)
    digest = tell(tmp_path)
    assert texts(digest) == ["NRR over 12 months misses its target: 89 % (87 to 91 %), target at least 95 %."]
    assert digest.notes == ("Scorecard has no run before to compare with, so all that stands in it is told.",)
    assert tell(tmp_path).news == ()


def test_a_target_that_only_the_year_tells_missed_is_told_once_by_the_year(tmp_path):
    year = {"kpi": "customer_churn_rate", "segment": "All", "value": 0.039, "ci_lower": 0.0367, "ci_upper": 0.0413}
    targets = {"customer_churn_rate": Target(-np.inf, 0.03)}
    write_run(tmp_path, calm(JUNE), as_of=JUNE, targets=targets, years=[year])
    digest = tell(tmp_path)
    told = "Customer churn misses its target: 3.9 % a month over 12 months (3.7 to 4.1 %), target at most 3 %; "
    assert texts(digest) == [f"{told}June 2025 alone (3.1 %) is above it, but not clearly."]
    again = tell(tmp_path)
    assert (again.news, again.notes) == ((), ("Scorecard, still so: Customer churn misses its target over 12 months.",))
    met = year | {"value": 0.025, "ci_lower": 0.023, "ci_upper": 0.027}
    write_run(tmp_path, calm(JULY), as_of=JULY, targets=targets, years=[met])
    told = "Customer churn meets its target again: 2.5 % a month over 12 months (2.3 to 2.7 %), target at most 3 %."
    assert texts(tell(tmp_path)) == [told]


def test_a_survey_that_nobody_answered_of_late_is_told_by_its_year(tmp_path):
    """Nothing of the last quarter is known: a late answer is no correction of what was told."""
    year = {"kpi": "nps", "segment": "All", "value": 30.0, "ci_lower": 27.0, "ci_upper": 33.0, "n": 900}
    rows = series("nps", [30.0, np.nan], until=JUNE)
    how = {"as_of": JUNE, "targets": {"nps": Target(40, np.inf)}, "years": [year]}
    write_run(tmp_path, rows, **how)
    told = "NPS misses its target: 30 over 12 months (27 to 33), target at least 40; "
    assert texts(tell(tmp_path)) == [f"{told}April to June 2025 alone is not measured."]
    write_run(tmp_path, rows.fillna({"value": 35.0, "ci_lower": 30.0, "ci_upper": 41.0}), number=1, **how)
    again = tell(tmp_path)
    assert (again.news, again.notes) == ((), ("Scorecard, still so: NPS misses its target over 12 months.",))


def test_a_survey_that_fell_clearly_but_not_surely_enough_for_an_alarm_is_named(tmp_path):
    """Quarters of 0.60, 0.80 and so on, and one of 0.62, each ± 4 points: below the mean, inside the usual range."""
    rows = series("csat", [0.6, *[0.7, 0.8] * 5, 0.62], until=JUNE).assign(n=500)
    rows = rows.assign(ci_lower=rows["value"] - 0.04, ci_upper=rows["value"] + 0.04)
    write_run(tmp_path, rows, as_of=JUNE)
    digest = tell(tmp_path)
    assert digest.news == ()
    assert "Scorecard, seen but less sure: CSAT is clearly below all quarters before, taken together." in digest.notes


def test_a_first_run_with_nothing_amiss_tells_nothing(tmp_path):
    write_run(tmp_path, nrr(JUNE, 0.97), calm(JUNE), as_of=JUNE)
    assert tell(tmp_path).news == ()


def test_a_kpi_outside_its_usual_range_and_back_in_it(tmp_path):
    """The interval of 0.4 points decides: 2.9 % ± 3 · 0.4 / 1.96, and a little more for two years of a season."""
    write_run(tmp_path, calm(MAY), as_of=MAY, targets={})
    write_run(tmp_path, calm(JUNE, last=[0.06]), as_of=JUNE, targets={})
    told = "Customer churn rose above its usual range: 6.0 % (5.6 to 6.4 %) in June 2025, usually 2.2 to 3.6 % at this time of the year. It was 3.1 % in May."
    assert texts(tell(tmp_path)) == [told]
    write_run(tmp_path, calm(JULY, last=[0.06, 0.061]), as_of=JULY, targets={})
    assert tell(tmp_path).news == ()
    write_run(tmp_path, calm("2025-08-31", last=[0.06, 0.061, 0.031]), as_of="2025-08-31", targets={})
    digest = tell(tmp_path)
    assert kinds(digest) == ["back"]
    assert texts(digest)[0].startswith(
        "Customer churn is back within its usual range: 3.1 % (2.7 to 3.5 %) in August 2025"
    )


def test_a_target_that_is_met_again_is_told_and_one_that_may_be_is_not(tmp_path):
    two_runs(tmp_path)
    tell(tmp_path)
    write_run(tmp_path, nrr(JULY, 0.96, 0.89, 0.955), as_of=JULY)
    assert tell(tmp_path).news == ()  # 93.5 to 97.5 %: nobody knows
    write_run(tmp_path, nrr("2025-08-31", 0.96, 0.89, 0.955, 0.98), as_of="2025-08-31")
    assert texts(tell(tmp_path)) == [
        "NRR over 12 months meets its target again: 98 % (96 to 100 %), target at least 95 %."
    ]


def test_the_same_day_again_tells_nothing_and_corrected_data_do(tmp_path):
    two_runs(tmp_path, now=0.96)
    assert tell(tmp_path).news == ()
    write_run(tmp_path, nrr(JUNE, 0.96, 0.96), as_of=JUNE, number=1)
    assert tell(tmp_path).news == ()
    write_run(tmp_path, nrr(JUNE, 0.96, 0.89), as_of=JUNE, number=2)
    digest = tell(tmp_path)
    assert texts(digest)[0].endswith("target at least 95 %. It was 96 % before the data were corrected.")
    assert digest.notes[0] == "Scorecard: 1 value of the last time is different in today's data."


def test_a_value_before_is_that_of_todays_data(tmp_path):
    two_runs(tmp_path, now=0.96)
    tell(tmp_path)
    write_run(tmp_path, nrr(JULY, 0.96, 0.98, 0.89), as_of=JULY)
    digest = tell(tmp_path)
    assert texts(digest)[0].endswith("It was 98 % in June.")
    assert digest.notes == ("Scorecard: 1 value of the last time is different in today's data.",)


def test_a_run_of_an_earlier_day_is_not_compared_and_changes_nothing(tmp_path):
    two_runs(tmp_path)
    tell(tmp_path)
    write_run(tmp_path, nrr(MAY, 0.98), as_of=MAY, number=1)
    digest = tell(tmp_path)
    assert digest.news == ()
    assert digest.notes[0].startswith("Scorecard is as of 2025-05-31, before 2025-06-30, which was told last")
    write_run(tmp_path, nrr(JUNE, 0.96, 0.89), as_of=JUNE, number=2)
    assert tell(tmp_path).news == ()


def test_a_target_that_was_raised_is_told_with_the_one_before(tmp_path):
    two_runs(tmp_path, now=0.96)
    tell(tmp_path)
    write_run(tmp_path, nrr(JULY, 0.96, 0.96, 0.96), as_of=JULY, targets={"nrr": Target(1.0, np.inf)})
    told = "NRR over 12 months misses its new target: 96 % (94 to 98 %), target at least 100 %, before at least 95 %. It was 96 % in June."
    assert texts(tell(tmp_path)) == [told]
    write_run(tmp_path, nrr("2025-08-31", 0.96), as_of="2025-08-31", targets={})
    assert tell(tmp_path).news == ()  # whoever takes a target away has not met it


def test_kpis_that_come_and_go(tmp_path):
    two_runs(tmp_path)
    tell(tmp_path)
    write_run(tmp_path, calm(JULY), as_of=JULY)
    assert tell(tmp_path).news == ()
    targets = {"nps": Target(40.0, np.inf), **AT_LEAST_95}
    write_run(
        tmp_path,
        nrr("2025-08-31", 0.89),
        series("nps", [10.0], until="2025-08-31", half=3),
        as_of="2025-08-31",
        targets=targets,
    )
    assert texts(tell(tmp_path)) == ["NPS misses its target: 10 (7 to 13), target at least 40."]


def test_a_margin_declared_otherwise_begins_anew(tmp_path):
    """It counts as a parameter; that no margin is known is what 1.0 said before it could be declared."""
    calm_run = calm(JUNE)
    write_run(tmp_path, calm_run, as_of=JUNE, given={"gross_margin": 1.0})
    assert tell(tmp_path).notes == ("Scorecard has no run before to compare with, so all that stands in it is told.",)
    write_run(tmp_path, calm_run, as_of=JUNE, given={"gross_margin": 0.0}, number=1)
    assert tell(tmp_path).notes == ()
    check = {"currency": "USD", "gross_margin": 0.4}
    write_run(tmp_path, calm(JULY), as_of=JULY, given={"gross_margin": 0.0}, data_check=check)
    assert "other parameters than before" in tell(tmp_path).notes[0]


def test_other_parameters_begin_anew(tmp_path):
    two_runs(tmp_path)
    tell(tmp_path)
    write_run(tmp_path, nrr(JULY, 0.89), as_of=JULY, given={"where": "plan=Team", "data": "tuesday.cslib"})
    digest = tell(tmp_path)
    assert kinds(digest) == ["missed"]
    assert digest.notes == ("Scorecard was made with other parameters than before, so all that stands in it is told.",)
    write_run(tmp_path, nrr("2025-08-31", 0.89), as_of="2025-08-31", given={"where": "plan=Team", "data": "wednesday"})
    assert tell(tmp_path).news == ()


def test_kpis_that_say_the_same_share_a_sentence(tmp_path):
    churn = calm(JUNE, last=[0.06])
    stay = churn.assign(kpi="customer_retention_rate", value=1 - churn["value"])
    stay = stay.assign(ci_lower=1 - churn["ci_upper"], ci_upper=1 - churn["ci_lower"])
    write_run(tmp_path, churn, stay, as_of=JUNE, targets={"customer_retention_rate": Target(0.96, np.inf)})
    (told,) = texts(tell(tmp_path))
    assert told.startswith(
        "Customer retention misses its target: 94 % (93.6 to 94.4 %), target at least 96 %, usually 96 to 98 %"
    )
    assert told.endswith(" The same shows in Customer churn.")


@pytest.mark.long
def test_groups_are_told_apart_and_judged_together(tmp_path):
    """0.027 below, with half an interval of 0.02, is 2.65 standard errors: 0.004 is enough among 3, not among 14."""
    for i in range(14):
        now = 0.923 if i == 0 else 0.96
        write_run(tmp_path, nrr(JUNE, now), as_of=JUNE, slug=f"scorecard-plan-{i}", group=f"plan: {i}")
    digest = tell(tmp_path)
    assert digest.news == ()
    assert "Scorecard · plan: 0, seen but less sure: NRR over 12 months misses its target." in digest.notes
    for i in range(3, 14):
        (tmp_path / f"scorecard-plan-{i}.html").unlink()
    told = [(one.kind, one.where, one.link) for one in tell(tmp_path).news]
    assert told == [("missed", "Scorecard · plan: 0, retention", "scorecard-plan-0.html#retention")]


def test_a_report_that_failed_is_told_once_with_since_when_and_what_stays(tmp_path):
    two_runs(tmp_path, now=0.96)
    write_run(tmp_path, nrr(MAY, 1.0), as_of="2025-05-27", slug="revenue", notebook="revenue", label="Revenue")
    fail(tmp_path)
    told = "Revenue has failed since 3 June 2025: The table orders is empty. The report of 27 May 2025 stays."
    assert texts(tell(tmp_path)) == [told]
    fail(tmp_path, started="2025-06-10T05:00:00Z")
    assert tell(tmp_path).news == ()
    (tmp_path / "revenue.failed.json").unlink()
    assert texts(tell(tmp_path)) == ["Revenue works again, after failing since 3 June 2025."]
    assert tell(tmp_path).news == ()


def test_a_scorecard_that_failed_from_the_first_is_told(tmp_path):
    fail(tmp_path, "scorecard", error="")
    assert texts(tell(tmp_path)) == ["Revenue has failed since 3 June 2025. There is no earlier report."]


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="There is no folder .*nowhere. Make reports first"):
        tell(tmp_path / "nowhere")
    (tmp_path / "index.html").write_text("<h1>Mine</h1>")
    (tmp_path / "x.failed.json").write_text("[1")
    (tmp_path / "a b.failed.json").write_text("{}")
    fail(tmp_path, started="soon")
    with pytest.raises(ReportError, match="holds no report of the scorecard. Make one first: cslib report scorecard"):
        tell(tmp_path)
    folder = write_run(tmp_path, nrr(JUNE, 0.96), as_of=JUNE)
    table = pd.read_csv(folder / "kpis.csv")
    table.drop(columns=["change", "season"]).to_csv(folder / "kpis.csv")
    with pytest.raises(ReportError, match="kpis.csv of the report scorecard lacks the column change, season. Make the"):
        tell(tmp_path)
    table.assign(value="many").to_csv(folder / "kpis.csv")
    with pytest.raises(ReportError, match="kpis.csv of the report scorecard cannot be read"):
        tell(tmp_path)
    (folder / "kpis.csv").unlink()
    with pytest.raises(
        ReportError, match="kpis.csv of the report scorecard cannot be read. Make the report scorecard anew"
    ):
        tell(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '{"format": 1}', '{"format": 1, "scorecards": [], "failed": {}, "waiting": []}',
     '{"format": 1, "scorecards": {}, "failed": {}, "waiting": [{"x": 1}]}',
     '{"format": 1, "scorecards": {"scorecard": {"kpis": {"nrr": {}}}}, "failed": {}, "waiting": []}',
     '{"format": 1, "scorecards": {}, "failed": {"revenue": "soon"}, "waiting": []}',
     '{"format": 1, "scorecards": {}, "failed": {"revenue": 3}, "waiting": []}',
     '{"format": 1, "scorecards": {}, "failed": {}, "waiting": '
     '[{"kind": "odd", "size": 1, "text": "", "link": "", "where": ""}]}',
     '{"format": 1, "scorecards": {"s": {"as_of": 1, "setting": 2, "kpis": {}}}, "failed": {}, "waiting": []}'],
)  # fmt: skip
def test_a_broken_state_is_refused_and_left_as_it_is(tmp_path, text):
    two_runs(tmp_path)
    (tmp_path / "alerts.json").write_text(text)
    with pytest.raises(ReportError, match="alerts.json cannot be read. Move it away: the next call then tells all"):
        tell(tmp_path)
    assert (tmp_path / "alerts.json").read_text() == text


def test_the_state_of_a_newer_version_is_refused(tmp_path):
    two_runs(tmp_path)
    (tmp_path / "alerts.json").write_text('{"format": 2, "more": 1}')
    with pytest.raises(ReportError, match="alerts.json is of format 2; this version of cslib knows 1. Update cslib"):
        tell(tmp_path)


def test_what_did_not_reach_everybody_is_sent_again_with_what_is_new(tmp_path):
    two_runs(tmp_path)
    with pytest.raises(ReportError, match="did not reach receiver 2. What is new is kept, and sent with the next call"):
        tell(tmp_path, lambda digest: ["receiver 2"])
    write_run(tmp_path, nrr(JULY, 0.96, 0.89, 0.98), as_of=JULY)
    sent = []
    assert kinds(tell(tmp_path, lambda digest: sent.append(digest) or [])) == ["missed", "met"]
    assert [kinds(digest) for digest in sent] == [["missed", "met"]]
    assert tell(tmp_path, lambda digest: sent.append(digest) or []).news == ()
    assert len(sent) == 1  # nothing new: nobody is disturbed


@pytest.mark.parametrize("at", ["digest.html", "digest.md", "send", "last"])
def test_a_call_that_ends_anywhere_loses_no_alert(tmp_path, monkeypatch, at):
    two_runs(tmp_path)
    put, written = alert.put, []

    def dies(path, text):
        written.append(path.name)
        if path.name == at or (at == "last" and written.count("alerts.json") == 2):
            raise KeyboardInterrupt
        return put(path, text)

    def send(digest):
        if at == "send":
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr(alert, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        tell(tmp_path, send)
    monkeypatch.setattr(alert, "put", put)
    assert kinds(tell(tmp_path)) == ["missed"]
    assert tell(tmp_path).news == ()


@pytest.mark.long
def test_a_process_that_is_killed_while_it_sends_loses_no_alert(tmp_path):
    two_runs(tmp_path)
    code = "import os, signal, sys; from pathlib import Path; from cslib.report.alert import tell;"
    code += "tell(Path(sys.argv[1]), lambda digest: os.kill(os.getpid(), signal.SIGKILL))"
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == -signal.SIGKILL
    assert kinds(tell(tmp_path)) == ["missed"]


def test_calls_at_the_same_time_tell_it_once(tmp_path):
    two_runs(tmp_path)
    told = []
    calls = [threading.Thread(target=lambda: told.append(len(tell(tmp_path).news))) for _ in range(4)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert sorted(told) == [0, 0, 0, 1]


def test_the_command_ends_with_3_where_something_is_new(tmp_path):
    two_runs(tmp_path)
    ends = [CliRunner().invoke(main, ["alert", "--out", str(tmp_path)]) for _ in range(2)]
    assert [end.exit_code for end in ends] == [3, 0]
    lines = ends[0].output.splitlines()
    assert lines[0] == "Customer KPIs: 1 thing to know · 30 June 2025"
    assert lines[1].startswith("- NRR over 12 months fell below its target: 89 %")
    assert lines[-1] == str(tmp_path / "digest.html")
    assert (
        "No target is newly missed, no KPI has surely left its usual range, and no report has failed." in ends[1].output
    )


@pytest.mark.parametrize(
    ("out", "code", "message"), [("nowhere", 2, "There is no folder"), (".", 1, "holds no report")]
)
def test_the_command_says_what_is_wrong(tmp_path, out, code, message):
    end = CliRunner().invoke(main, ["alert", "--out", os.path.join(tmp_path, out)])
    assert end.exit_code == code
    assert message in end.output


def news(n=1, kind="missed", text="**A <b>** fell_below [x](y) `z`", **more):
    return [News(kind, float(i), text, "scorecard.html#retention", "Scorecard, retention") for i in range(n)]


def digest_of(*told, notes=()):
    return Digest(in_order(told), tuple(notes), JUNE, 20)


def test_ten_are_told_in_full_and_the_weightiest_first():
    digest = digest_of(*news(8, "better"), *news(5, "missed"), *news(1, "failed"))
    assert [(one.kind, one.size) for one in digest.news[:7]] == [
        *[("missed", float(i)) for i in (4, 3, 2, 1, 0)],
        *[("failed", 0.0), ("better", 7.0)],
    ]
    for text in (markdown(digest), page(digest), plain_text(digest)):
        assert "and 4 more, in the reports" in text
        assert len(re.findall(r"Scorecard, retention", text)) == 10


def test_texts_are_no_markup():
    digest = digest_of(*news(), notes=["<i>"])
    html, text = page(digest), markdown(digest)
    assert "<strong>A &lt;b&gt;</strong>" in html
    assert "&lt;i&gt;" in html
    assert r"- **A \<b\>** fell\_below \[x\](y) \`z\` [Scorecard, retention](scorecard.html#retention)" in text


def test_the_page_is_small_stands_alone_and_leads_to_the_reports():
    html = page(digest_of(*news(10)))
    assert len(html) < 10_000
    assert not re.findall(r"<script|<style|<link|src=|://", html)
    assert set(re.findall(r'href="([^"]+)"', html)) == {"scorecard.html#retention", "index.html"}
    assert "at most 1 run in 20 raises a false alarm, over all KPIs together (20 comparisons" in html
    plain = digest_of(*news(10, text="**A** fell."))
    assert "href" not in page(plain, links=False)
    assert "](" not in markdown(plain, links=False)


def test_nothing_new_is_said():
    for text in (page(digest_of()), markdown(digest_of()), plain_text(digest_of())):
        assert "Customer KPIs: nothing new · 30 June 2025" in text
        assert "No target is newly missed" in text


@pytest.mark.long
def test_alarms_and_their_ends_take_turns(tmp_path):
    """Over two years of months in any order, a miss is never told twice without "met again" in between."""
    write_run(tmp_path, nrr("2023-01-31", 0.97), as_of="2023-01-31")
    values, rng, told = [0.97], np.random.default_rng(3), []
    for until in pd.date_range("2023-02-28", periods=24, freq="ME"):
        values.append(rng.choice([0.89, 0.94, 0.98]))
        rows = nrr(until, *values).tail(6)  # a year before is not among them: only the target is judged
        write_run(tmp_path, rows, as_of=f"{until:%Y-%m-%d}")
        told += kinds(tell(tmp_path))
    assert len(told) >= 6
    assert told == [("missed", "met")[i % 2] for i in range(len(told))]


def test_the_state_holds_no_more_than_what_was_told(tmp_path):
    two_runs(tmp_path)
    tell(tmp_path)
    state = json.loads((tmp_path / "alerts.json").read_text())
    told = {"value": 0.89, "until": JUNE, "target": "at least 95 %", "missed": True, "moved": ""}
    assert state["scorecards"] == {"scorecard": {"as_of": JUNE, "setting": {"where": ""}, "kpis": {"nrr": told}}}
    assert (state["failed"], state["waiting"]) == ({}, [])
