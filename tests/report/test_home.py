"""The home page: what needs attention first, links that lead somewhere, and what changed since the run before."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cslib.report.home import HOLDS, write_index

GOOD: dict[str, Any] = {"title": "Where do we stand?", "label": "Scorecard", "ended": "2025-07-01T06:00:12Z"}
GOOD |= {"notebook": "scorecard", "status": "ok", "as_of": "2025-06-30", "answer": "**1 of 6** targets is missed."}
GOOD |= {"subtitle": "28 of 28 KPIs measured"}
NRR = {"label": "NRR", "value": 0.889, "unit": "percent", "ci_lower": 0.84, "ci_upper": 0.936, "n": 1307}
NRR |= {"currency": "", "detail": "June 2025", "status": "missed", "target": "at least 95 %", "kpi": "nrr"}
NRR |= {"trend": [0.9, None, 0.889], "limits": None}
PAGE = '<nav><ul class="bar"></ul></nav><a href="x" data-to="revenue#kept">Kept</a><p>{}</p>'


def put(out: Path, slug: str, version: str = "20250701T060012-00000000", **more: Any) -> None:
    record = GOOD | {"slug": slug, "notebook": slug, "version": version} | more
    home = out / f"{slug}.versions" / version
    home.mkdir(parents=True)
    (home / "run.json").write_text(json.dumps(record))
    (out / f"{slug}.html").write_text(f'<meta name="cslib-version" content="{version}">' + PAGE.format(slug))
    (out / slug).unlink(missing_ok=True)
    (out / slug).symlink_to(home.relative_to(out))


def text(out: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<script>.*?</script>", "", raw(out), flags=re.S))


def raw(out: Path) -> str:
    return write_index(out).read_text(encoding="utf-8")


def scorecard(out: Path, version: str = "20250701T060012-00000000", **more: Any) -> None:
    sentence = "**NRR is 88.9 %**. [What is kept?](revenue#kept)"
    put(out, "scorecard", version, **({"attention": [sentence], "cards": [NRR]} | more))


def test_it_is_the_front_of_what_needs_attention(tmp_path: Path) -> None:
    scorecard(tmp_path)
    put(tmp_path, "revenue", title="What recurs?", label="Revenue", answer="MRR grew.")
    page = text(tmp_path)
    assert "<h1>What needs attention first?</h1>" in page
    made = "2 reports, made on 1 July 2025, 06:00 UTC"
    assert f'<span class="cs-parts"><span>Data up to 30 June 2025</span><span><i> · </i>{made}</span>' in page
    assert 'class="cs-value">88.9' in page
    assert "missed</span><span><i> · </i>at least" in page
    assert '<strong>NRR is 88.9 %</strong>. <a href="revenue.html#kept"' in page
    order = ("1 of 6", "NRR is 88.9 %", "<h2>Where do we stand?</h2>", 'class="cs-value">88.9', "What recurs?")
    assert sorted(order, key=page.index) == list(order)
    listed = (
        f'<h3><a href="scorecard.html">Where do we stand?</a></h3> <p class="answer">{HOLDS}28 of 28 KPIs measured.</p>'
    )
    assert listed in page
    assert page.count("1 of 6") == page.count("<h1>") == 1
    assert "As of" not in page
    put(tmp_path, "revenue", "20250701T070012-00000000", label="Revenue", as_of="2025-05-31")
    assert text(tmp_path).count("As of 31 May 2025</span><span><i> · </i>ran 1 July 2025") == 1
    assert [int(level) for level in re.findall(r"<h(\d)", page)] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("declared", "ended", "told"),
    [
        (False, "2025-11-29", "The data end on 30 June 2025, 5 months before these reports were made."),
        (False, "2025-08-05", "The data end on 30 June 2025, 1 month before these reports were made."),
        (False, "2025-08-04", ""),
        (True, "2025-11-29", ""),
        (None, "2025-11-29", ""),  # made before it was noted
    ],
)
def test_it_says_that_the_data_end_long_before_unless_that_is_declared(
    tmp_path: Path, declared: bool | None, ended: str, told: str
) -> None:
    check = {} if declared is None else {"as_of_declared": declared}
    scorecard(tmp_path, ended=f"{ended}T06:00:12Z", data_check=check)
    page = text(tmp_path)
    assert ("The data end on" in page) == bool(told)
    assert told in page


def test_its_headlines_have_the_switch_of_their_report(tmp_path: Path) -> None:
    team = {"folder": "plan-team", "answer": "**None of 6** is missed.", "cards": [NRR | {"value": 0.95}], "error": ""}
    lite = {"folder": "plan-lite", "answer": None, "cards": None, "error": "Too few customers."}
    scorecard(tmp_path, parameters={"segment_by": "plan"}, segments={"Team": team, "Lite": lite})
    page = text(tmp_path)
    whole, own, none = page.split('<div class="view"')[1:]
    assert '<fieldset class="switch" data-column="plan" hidden>' in page
    assert re.findall(r'value="([^"]+)" data-value="([^"]+)"', page) == [
        ("all", "All"),
        ("plan-team", "Team"),
        ("plan-lite", "Lite"),
    ]
    assert '"cs-value">88.9' in whole
    assert '<ol class="attention">' in whole
    assert own.startswith(' data-view="plan-team" hidden>')
    assert '<p class="subtitle">Team only</p>' in own
    assert "<strong>None of 6</strong> is missed." in own
    assert '"cs-value">95.0' in own
    assert '<ol class="attention">' not in own  # a run that noted none
    assert '<p class="cs-warning">Too few customers.</p>' in none
    assert '<a href="scorecard.html" data-column="plan">' in page
    scorecard(tmp_path, "20250701T070012-00000000")
    assert "switch" not in text(tmp_path)
    assert "<script" not in raw(tmp_path)


def test_each_view_has_its_own_attention_and_answers(tmp_path: Path) -> None:
    by = {"parameters": {"segment_by": "plan"}}
    seen = {"folder": "plan-team", "answer": "Fine.", "subtitle": "27 of 28 KPIs", "attention": ["**CES** fell."]}
    scorecard(tmp_path, segments={"Team": seen}, **by)
    put(
        tmp_path, "churn", label="Churn", answer="Half leave.", segments={"Team": seen | {"answer": "Few leave."}}, **by
    )
    put(tmp_path, "revenue", label="Revenue", answer="MRR grew.")
    put(tmp_path, "value", label="Value", answer="")
    put(tmp_path, "value-team", label="Value", answer="Worth 9.", group="plan: Team")
    page = text(tmp_path)
    assert '<p class="answer">Worth 9.</p>' in page
    whole, own = page.split('<div class="view"')[1:]
    assert ("NRR is 88.9 %" in whole, "CES" in whole) == (True, False)
    assert "<li><strong>CES</strong> fell.</li>" in own
    told = re.findall(r'<p class="answer" data-view="([^"]+)"( hidden)?>([^<]*)</p>', page)
    assert told == [
        ("all", "", f"{HOLDS}28 of 28 KPIs measured."),
        ("plan-team", " hidden", f"{HOLDS}27 of 28 KPIs."),
        ("all", "", "Half leave."),
        ("plan-team", " hidden", "Few leave."),
        ("all", "", "MRR grew."),
        ("plan-team", " hidden", "Not of this segment alone: MRR grew."),
    ]


@pytest.mark.long
def test_the_switch_of_the_home_page_leads_on_to_reports_of_the_segment(open_report: Any, tmp_path: Path) -> None:
    by = {"parameters": {"segment_by": "plan"}}
    team = {"folder": "plan-team", "answer": "**None of 6** is missed.", "cards": [NRR]}
    scorecard(tmp_path, segments={"Team": team}, **by)
    put(tmp_path, "revenue", label="Revenue", **by)
    with open_report(write_index(tmp_path)) as opened:
        page = opened.page
        page.get_by_label("Team", exact=True).check(force=True)
        assert page.locator(".cs-answer:visible").inner_text() == "None of 6 is missed."
        hrefs = [link.get_attribute("href") for link in page.locator(".bar a").all()]
        assert [href.partition("#")[2] for href in hrefs] == ["plan=Team", ""]
        assert opened.complaints == []


def test_the_bar_tells_which_reports_have_which_switch(tmp_path: Path) -> None:
    by = {"parameters": {"segment_by": "plan"}}
    put(tmp_path, "churn", label="Churn", segments={"Team": {}}, **by)
    put(tmp_path, "revenue", label="Revenue", **by)  # of one plan only
    write_index(tmp_path)
    bar = re.search(r'<ul class="bar">(.*?)</ul>', (tmp_path / "revenue.html").read_text())[1]
    assert 'href="churn.html" data-column="plan">Churn' in bar
    assert 'href="revenue.html" aria-current="page">Revenue' in bar


def test_without_it_the_reports_are_listed(tmp_path: Path) -> None:
    put(tmp_path, "revenue", title="What recurs?")
    page = text(tmp_path)
    assert "<h1>Reports</h1>" in page
    assert '<h2><a href="revenue.html">What recurs?</a></h2>' in page


def test_at_most_eight_headlines_and_three_sentences(tmp_path: Path) -> None:
    cards = [{**NRR, "label": f"KPI {i}"} for i in range(12)]
    scorecard(tmp_path, cards=cards, attention=[f"Sentence {i}." for i in range(5)])
    page = text(tmp_path)
    assert [f"KPI {i}<" in page for i in range(12)] == [True] * 8 + [False] * 4
    assert [f"Sentence {i}" in page for i in range(5)] == [True] * 3 + [False] * 2
    assert '<p><a href="scorecard.html#what-needs-attention">And 2 more in Scorecard</a></p>' in page
    scorecard(tmp_path, "20250701T070012-00000000", cards=cards, attention=["Sentence 0."] * 3)
    assert "more in Scorecard" not in text(tmp_path)
    scorecard(
        tmp_path,
        "20250702T070012-00000000",
        attention=["Sentence 0."] * 3 + ["**CES is 2**, up. [Why?](x)", "**NPS is 3.5**; so is June. [y](x)"],
    )
    link = '<a href="scorecard.html#what-needs-attention">All in Scorecard</a>'
    page = text(tmp_path)
    assert "<li>CES is 2, up.</li> <li>NPS is 3.5.</li>" in page
    assert f"<p>{link}</p>" in page


def test_a_card_of_the_report_is_told_in_short(tmp_path: Path) -> None:
    scorecard(tmp_path, cards=[NRR | {"detail": "June 2025\ndown from 90.0 % in May\nusually 87 to 93"}])
    page = text(tmp_path)
    assert "June 2025" in page
    assert "84.0 to 93.6" in page
    assert "down from" not in page
    assert "usual" not in page


def test_every_page_gets_a_bar_and_links_that_lead_somewhere(tmp_path: Path) -> None:
    scorecard(tmp_path)
    put(tmp_path, "churn", label="Churn")
    assert 'href="index.html#revenue"' in raw(tmp_path)  # there is none yet
    page = (tmp_path / "churn.html").read_text()
    assert re.findall(r'<li><a href="([^"]+)"( aria-current="page")?>', page) == [
        ("scorecard.html", ""), ("churn.html", ' aria-current="page"')
    ]  # fmt: skip
    assert 'href="index.html#revenue" data-to="revenue#kept"' in page
    put(tmp_path, "revenue", label="Revenue")
    assert 'href="revenue.html#kept"' in raw(tmp_path)
    page = (tmp_path / "churn.html").read_text()
    assert 'href="revenue.html#kept" data-to="revenue#kept"' in page
    assert re.findall(r'<li><a href="([^"]+)"', page) == ["scorecard.html", "churn.html", "revenue.html"]
    assert page.endswith("<p>churn</p>")


def test_it_leads_to_the_alerts_where_there_are_any(tmp_path: Path) -> None:
    scorecard(tmp_path)
    assert "digest.html" not in raw(tmp_path)
    (tmp_path / "digest.html").write_text("<p>Nothing new.</p>")
    assert '<a href="digest.html">Alerts</a>' in raw(tmp_path)


def test_groups_are_bound_to_their_own(tmp_path: Path) -> None:
    put(tmp_path, "revenue", label="Revenue")
    for plan in ("pro", "team"):
        put(tmp_path, f"churn-plan-{plan}", notebook="churn", label="Churn", group=f"plan: {plan}")
    put(tmp_path, "revenue-plan-pro", notebook="revenue", label="Revenue", group="plan: pro")
    write_index(tmp_path)
    to = {p: re.findall(r'href="([^"]+)"', (tmp_path / f"churn-plan-{p}.html").read_text()) for p in ("pro", "team")}
    assert to["pro"] == ["churn-plan-pro.html", "revenue-plan-pro.html", "revenue-plan-pro.html#kept"]
    assert to["team"] == ["churn-plan-team.html", "revenue.html#kept"]


def test_a_failed_report_is_explained_where_links_lead(tmp_path: Path) -> None:
    scorecard(tmp_path)
    failed = GOOD | {"slug": "revenue", "notebook": "revenue", "status": "failed", "error": "No MRR."}
    (tmp_path / "revenue.failed.json").write_text(json.dumps(failed))
    page = text(tmp_path)
    assert 'href="index.html#revenue"' in page
    assert '<article class="failed" id="revenue">' in page
    assert "No MRR." in page


def test_figures_of_a_scorecard_whose_last_run_failed_are_said_to_be_old(tmp_path: Path) -> None:
    scorecard(tmp_path)
    assert "The last run of this report failed" not in text(tmp_path)
    failed = GOOD | {"slug": "scorecard", "status": "failed", "error": "No MRR.", "ended": "2025-07-08T06:00:12Z"}
    (tmp_path / "scorecard.failed.json").write_text(json.dumps(failed))
    page = text(tmp_path)
    assert "The last run of this report failed. What you see is from the run of 1 July 2025, 06:00 UTC" in page
    assert '<a href="#scorecard">' in page
    assert '<article class="failed" id="scorecard">' in page
    assert page.index("The last run of this report failed") < page.index("88.9 %")


BEFORE = "20250601T060012-00000000"


def test_it_tells_what_changed_since_the_run_before(tmp_path: Path) -> None:
    old = {**NRR, "value": 0.96, "status": "met"}
    scorecard(tmp_path, BEFORE, cards=[old], as_of="2025-05-31", ended="2025-06-01T06:00:12Z")
    assert "What changed" not in text(tmp_path)
    scorecard(tmp_path)
    page = text(tmp_path)
    assert "Headlines that moved since the run of 1 June 2025, 06:00 UTC, with data up to 31 May 2025" in page
    row = '<td>NRR</td><td class="cs-num">96.0 %</td><td class="cs-num">88.9 %</td><td>met → missed</td>'
    assert row in page


def test_it_says_that_nothing_changed(tmp_path: Path) -> None:
    scorecard(tmp_path, BEFORE)
    scorecard(tmp_path)
    assert "No headline has changed since the run of 1 July 2025" in text(tmp_path)


@pytest.mark.parametrize(
    "odd", [{"cards": [{"label": 3}]}, {"cards": 7}, {"cards": [[]]}, {"attention": 7}, {"cards": None}]
)
def test_odd_records_break_nothing(tmp_path: Path, odd: dict[str, Any]) -> None:
    scorecard(tmp_path, BEFORE, **odd)
    scorecard(tmp_path, **odd)
    put(tmp_path, "revenue", title="What recurs?")
    assert "What recurs?" in text(tmp_path)


def test_what_it_shows_is_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    scorecard(tmp_path, cards=[{**NRR, "label": evil, "target": evil, "detail": evil}], attention=[evil], title=evil)
    assert "<img" not in raw(tmp_path)


@pytest.mark.parametrize(
    ("answer", "brief"),
    [
        ("**Half leave** (at 9 to 12 %). Risk is high. **4 to call**; they pay.", "**Half leave** (at 9 to 12 %). **4 to call**; they pay."),
        ("**Worth 9**, from 1 (S. Basic) to 20 (Acme Inc. Gold). Then. **19 M** today.", "**Worth 9**, from 1 (S. Basic) to 20 (Acme Inc. Gold). **19 M** today."),
        ("**A. Both stay. Up**. Rest.", "**A. Both stay. Up**."),
        ("Nothing is bold. At all.", "Nothing is bold. At all."),
    ],
)  # fmt: skip
def test_a_report_is_listed_by_the_findings_of_its_answer(tmp_path: Path, answer: str, brief: str) -> None:
    scorecard(tmp_path)
    put(tmp_path, "churn", label="Churn", answer=answer)
    shown = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", brief)
    assert f'<p class="answer">{shown}</p>' in text(tmp_path)
