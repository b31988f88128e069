"""A report by segment holds the same report on each segment, with the figures that stand beside the others."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from notebook_world import write

import cslib as cs
from cslib.data.customers import segment_of, segment_sizes
from cslib.data.drift import drift
from cslib.errors import DataError, ParameterError
from cslib.report import batch, html, publish, segments

PARAMETERS = 'data: str = ""\nas_of: str = ""\nsegment_by: str = ""\nwhere: str = ""'
NOTEBOOK = [
    ("md", "# How many?\n\nAsked every month."),
    ("parameters", PARAMETERS),
    ("code", "import cslib as cs\nimport pandas as pd\nfrom cslib.show import display as d, hover\n"
             "tables = cs.load(data, as_of=as_of, where=where)\nrows = tables.table('customers').execute()"),
    ("md", "## Answer"),
    ("code", 'd.note(f"**{len(rows)} customers** {sorted(set(rows.plan))}", kind="answer")'),
    ("code", 'assert len(rows) != 1, "one alone"\n'
             'if len(rows) == 2: tables.table("surveys")\n'
             'd.cards(d.Card("customers", len(rows)))'),
    ("md", "## Who?"),
    ("code", 'd.table(rows, name="who", caption="Customers")'),
    ("md", "## What is it?"),
    ("code", "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(); ax.scatter(range(len(rows)), range(len(rows)))\n"
             'd.figure(fig, name="chart", title="It rises", subtitle="", alt="Rises")'),
    ("md", "## Limits\n\nNone."),
]  # fmt: skip


def customers(**plans: int) -> pd.DataFrame:
    each = [plan for plan, n in plans.items() for _ in range(n)]
    return pd.DataFrame({"customer_id": range(len(each)), "started_on": "2024-01-05", "churned_on": None, "plan": each})


def made(base: Path, table: pd.DataFrame, **given: Any) -> Any:
    (base / "data").mkdir()
    table.to_csv(base / "data" / "customers.csv", index=False)
    notebook = write(base / "n", "count", NOTEBOOK)
    parameters = {"data": str(base / "data"), "as_of": "2024-06-30", "segment_by": "plan"} | given
    return batch.render_all([notebook], out=base / "out", parameters=parameters)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = made(tmp_path_factory.mktemp("segments"), customers(Team=4, Pro=3, **{"Größe <b>": 5}))
    assert run.error == ""
    return run


def test_the_page_holds_the_whole_and_every_segment_in_the_order_of_charts(run: Any) -> None:
    page = run.html.read_text(encoding="utf-8")
    views = re.findall(r'name="view" value="([^"]*)" data-value="([^"]*)"', page)
    names = [("all", "All"), ("plan-groe-b", "Größe &lt;b&gt;"), ("plan-pro", "Pro"), ("plan-team", "Team")]
    assert views == names
    assert [re.search(rf"<strong>{n} customers</strong> \[", page) is not None for n in (12, 5, 4, 3)] == [True] * 4
    assert run.answer.startswith("**12 customers**")
    assert page.count("<p>None.</p>") == 4  # limits stand in each, after what they limit


def test_ids_are_unique_and_charts_find_their_own(run: Any) -> None:
    page = run.html.read_text(encoding="utf-8")
    ids = re.findall(r'<[^<>]* id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert {to for to in re.findall(r'(?:href="#|url\(#|aria-labelledby=")([\w.-]+)', page)} <= set(ids)
    assert {"who", "plan-team--who", "plan-pro--who"} <= set(ids)


def test_every_segment_keeps_its_files_and_stands_in_the_record(run: Any) -> None:
    home = run.html.with_suffix("")
    for folder, n in (("", 12), ("plan-team", 4), ("plan-pro", 3)):
        assert len(pd.read_csv(home / folder / "who.csv")) == n
    page = run.html.read_text(encoding="utf-8")
    offered = [f for f in re.findall(r'href="(count\.versions/[^"]+)"', page) if f.endswith("who.csv")]
    assert len(offered) == 8  # beside the table, and in the list
    assert all((run.html.parent / file).is_file() for file in offered)
    record = json.loads((home / "run.json").read_text())
    assert record["segments"]["Team"]["answer"] == "**4 customers** ['Team']"
    assert record["segments"]["Team"]["folder"] == "plan-team"
    assert [card["value"] for card in record["segments"]["Pro"]["cards"]] == [3]
    assert record["parameters"]["segment_by"] == "plan"


@pytest.mark.long
def test_a_segment_with_too_little_says_why_and_the_rest_is_published(tmp_path: Path) -> None:
    run = made(tmp_path, customers(Team=4, Pro=2))
    assert run.error == ""
    page = run.html.read_text(encoding="utf-8")
    said = re.search(r'data-view="plan-pro" hidden>\s*<p class="cs-warning">(.*?)</p>', page)[1]
    assert "surveys.csv" in said
    assert json.loads((tmp_path / "out/count/run.json").read_text())["segments"]["Pro"]["error"] == unescape(said)


@pytest.mark.long
def test_a_segment_that_fails_otherwise_fails_the_report(tmp_path: Path) -> None:
    run = made(tmp_path, customers(Team=4, Pro=1))
    assert not run.ok
    assert run.error.startswith("Of plan Pro: The notebook stopped at")
    assert "an error that cslib did not expect" in run.error
    assert not (tmp_path / "out" / "count.html").exists()


@pytest.mark.long
@pytest.mark.parametrize(("bytes_each", "shown"), [(600_000, 2), (2_000_000, 0)])
def test_a_page_holds_as_many_segments_as_can_be_sent(tmp_path, monkeypatch, bytes_each, shown):
    monkeypatch.setattr(html, "weight", lambda _: bytes_each)
    page = made(tmp_path, customers(Team=16, Pro=15, Free=14)).html.read_text(encoding="utf-8")
    assert re.findall(r'data-value="([^"]*)"', page) == {2: ["All", "Pro", "Team"], 0: []}[shown]
    why = {2: "The 2 largest of 3. For the others", 0: "There is no room for segments. For each"}[shown]
    assert f"{why}: cslib report --each plan" in page


@pytest.mark.long
def test_a_segment_that_turns_out_too_large_is_left_out_with_its_files(tmp_path, monkeypatch):
    sizes = iter([1_000_000, 1_200_000])  # the whole, and the first segment
    monkeypatch.setattr(html, "weight", lambda _: next(sizes))
    run = made(tmp_path, customers(Team=16, Pro=15))
    assert "There is no room for segments. For each: cslib report --each plan" in run.html.read_text(encoding="utf-8")
    home = run.html.with_suffix("")
    assert "segments" not in json.loads((home / "run.json").read_text())
    assert [path for path in home.iterdir() if path.is_dir()] == []


@pytest.mark.long
def test_of_many_segments_the_largest_are_there_and_it_is_said(tmp_path: Path) -> None:
    run = made(tmp_path, customers(**{f"P{i}": 14 - i for i in range(10)}))
    page = run.html.read_text(encoding="utf-8")
    assert re.findall(r'data-value="([^"]*)"', page) == ["All", *(f"P{i}" for i in range(8))]
    assert "The 8 largest of 10. For the others: cslib report --each plan" in page


@pytest.mark.parametrize("given", [{"segment_by": "plna"}, {"segment_by": ""}, {"where": "plan=Team"}])
def test_where_there_is_nothing_to_switch_to_there_is_no_switch(given: dict[str, str]) -> None:
    data = cs.load({"customers": customers(Team=4, Pro=3)}, as_of="2024-06-30")
    asked = {"segment_by": "plan", "where": ""} | given
    found = segments.segments_of(data, asked["segment_by"], asked["where"]) if asked["segment_by"] else segments.NONE
    assert found == segments.NONE


@pytest.mark.slow
def test_the_switch_is_offline_by_keyboard_and_remembered(open_report: Any, run: Any) -> None:
    with open_report(run.html) as opened:
        page, answer = opened.page, opened.page.locator(".cs-answer:visible")
        assert answer.inner_text().startswith("12 customers")
        page.get_by_label("All", exact=True).focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        assert answer.inner_text().startswith("4 customers")
        assert page.evaluate("location.hash") == "#plan=Team"
        assert page.locator(".toc a", has_text="Who?").get_attribute("href") == "#plan-team--who"
        page.locator(".toc a", has_text="Who?").click()
        assert page.locator(".view:visible tbody tr").count() == 4
        page.get_by_label("All", exact=True).check(force=True)
        assert answer.inner_text().startswith("12 customers")
        assert (len(opened.requests), opened.complaints) == (1, [])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hash_", "n"),
    [
        ("#plan=Pro", 3),
        ("#Plan=%20pro", 3),
        ("#plan-team--who", 4),
        ("#plan-team--gone", 4),
        ("#plan=None", 12),
        ("#%E0%A4%A=x", 12),
    ],
)
def test_an_address_leads_to_its_segment(browser: Any, run: Any, hash_: str, n: int) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(run.html.resolve().as_uri() + hash_)
    assert page.locator(".cs-answer:visible").inner_text().startswith(f"{n} customers")
    context.close()


@pytest.mark.slow
def test_a_segment_that_is_not_there_is_named_until_another_is_chosen(open_report: Any, run: Any) -> None:
    with open_report(run.html) as opened:
        page, said = opened.page, opened.page.locator(".stays [role=status]")
        assert said.inner_text() == ""
        page.evaluate("location.hash = 'plan=%3Cb%3EGone'")  # as text, not as markup
        page.wait_for_function("document.querySelector('.stays [role=status]').textContent")
        assert said.inner_text() == "There is no plan <b>Gone in this report: these are all customers."
        page.get_by_label("Team").check(force=True)
        assert said.inner_text() == ""
        assert opened.complaints == []


LINKS = '<a href="other.html#who" data-to="other#who">Who</a><a href="plain.html" data-to="plain">Plain</a>'


@pytest.mark.slow
def test_links_keep_the_segment_where_the_other_report_has_it(open_report: Any, run: Any, tmp_path: Path) -> None:
    """Of three reports, one is by no column, as its place in the bar says."""
    bar = '<ul class="bar"><li><a href="other.html" data-column="plan">O</a><a href="plain.html">P</a></li></ul>'
    text = run.html.read_text(encoding="utf-8")
    text = text.replace("</header>", f"{LINKS}</header>")
    (tmp_path / "own.html").write_text(publish.BAR.sub(bar, text), encoding="utf-8")
    with open_report(tmp_path / "own.html") as opened:
        page = opened.page
        links = page.locator(".bar a, header a")
        before = links.evaluate_all("all => all.map(link => link.href)")
        page.get_by_label("Größe <b>").check(force=True)
        assert [link.get_attribute("href").partition("other.html")[2] for link in links.all()] == [
            "#plan=Gr%C3%B6%C3%9Fe%20%3Cb%3E", "", "#plan-groe-b--who", "",
        ]  # fmt: skip
        page.get_by_label("All", exact=True).check(force=True)
        assert links.evaluate_all("all => all.map(link => link.href)") == before


def test_two_columns_have_no_switch_and_it_is_said(tmp_path: Path) -> None:
    run = made(tmp_path, customers(Team=4, Pro=3), segment_by="plan,  region")
    assert run.error == ""
    page = run.html.read_text(encoding="utf-8")
    assert 'class="switch"' not in page
    assert "This report is by plan and region. To switch between segments, name one column." in page


@pytest.mark.long
def test_long_values_that_begin_alike_have_files_of_their_own(tmp_path: Path) -> None:
    long = "a" * 300
    run = made(tmp_path, customers(**{f"{long}1": 4, f"{long}2": 3}))
    assert run.error == ""
    record = json.loads((run.html.with_suffix("") / "run.json").read_text())
    folders = [own["folder"] for own in record["segments"].values()]
    assert folders == [f"plan-{'a' * 60}", f"plan-{'a' * 60}-2"]
    assert [len(pd.read_csv(run.html.with_suffix("") / folder / "who.csv")) for folder in folders] == [4, 3]
    ended, started = (pd.Timestamp(record[key]) for key in ("ended", "started"))
    assert (ended - started).total_seconds() == pytest.approx(record["seconds"], abs=1.1)


@pytest.mark.slow
def test_what_is_marked_is_what_is_shown_whatever_the_address_does(open_report: Any, run: Any) -> None:
    with open_report(run.html) as opened:
        page, answer = opened.page, opened.page.locator(".cs-answer:visible")
        for hash_, n in (("plan=Team", 4), ("plan=Gone", 12), ("plan=Pro", 3), ("plan-team--who", 4)):
            page.evaluate("hash => { location.hash = hash; }", hash_)
            page.wait_for_function(
                "n => document.querySelector('.view:not([hidden])').innerText.includes(n)", arg=str(n)
            )
            assert answer.inner_text().startswith(f"{n} customers")
        page.go_back()
        page.go_back()
        page.go_back()
        page.go_back()
        assert page.evaluate("location.hash") == ""
        assert answer.inner_text().startswith("12 customers")
        page.locator("[value=plan-team]").evaluate(
            "team => { team.checked = true; dispatchEvent(new Event('pageshow')); }"
        )
        assert page.locator("[name=view]:checked").get_attribute("value") == "all"
        assert opened.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1240])
def test_the_switch_covers_no_heading_and_fits(open_report: Any, run: Any, width: int) -> None:
    with open_report(run.html, width=width) as opened:
        page = opened.page
        if width == 360:
            page.locator(".toc summary").click()
        page.locator(".toc a", has_text="Who?").click()
        heading, stays = (
            page.locator("h2:visible", has_text="Who?").bounding_box(),
            page.locator(".stays").bounding_box(),
        )
        assert heading["y"] >= stays["y"] + stays["height"]
        place = page.locator(".stays").evaluate("e => getComputedStyle(e).position")
        assert place == ("sticky" if width > 960 else "static")
        assert stays["height"] < 70 or place == "static"
        chips = [label.bounding_box() for label in page.locator(".switch label").all()]
        assert max(chip["x"] + chip["width"] for chip in chips) <= width
        assert page.evaluate("document.documentElement.scrollWidth") == width
        if width > 960:
            assert page.locator(".toc").bounding_box()["y"] >= stays["y"] + stays["height"]


def test_only_ids_get_the_name_of_the_view_and_no_text_that_looks_like_one() -> None:
    told = """<svg id="a" data-points='[[1,2,"by id=",0]]'><path clip-path="url(#a)"/></svg>"""
    text = '<td>url(#a) id="b" href="#c"</td><script type="application/json">["by id=","href="]</script>'
    found = html._belonging(f'{told}{text}<a href="#a">a</a>', "plan-team")
    assert found == (
        told.replace('svg id="a', 'svg id="plan-team--a').replace("(#a", "(#plan-team--a")
        + text + '<a href="#plan-team--a">a</a>'
    )  # fmt: skip


def test_who_belongs_to_a_segment_is_who_is_counted_as_such() -> None:
    data = cs.load({"customers": customers(Team=4, Pro=3)}, as_of="2024-06-30")
    assert segment_sizes(data, "plan").to_dict() == {"Team": 4, "Pro": 3}
    team = segment_of(data, "plan", "Team")
    assert team.table("customers").count().execute() == 4
    assert team.everybody.table("customers").count().execute() == 7
    with pytest.raises(ParameterError, match="'Taem'.*Did you mean 'Team'"):
        segment_of(data, "plan", "Taem")


@pytest.mark.long
def test_a_notebook_without_data_has_no_segments_of_those_of_another(tmp_path: Path) -> None:
    table = tmp_path / "data"
    table.mkdir()
    customers(Team=4, Pro=3).to_csv(table / "customers.csv", index=False)
    own = [("md", "# Own"), ("parameters", 'segment_by: str = ""'), ("code", "1 + 1")]
    notebooks = [write(tmp_path / "n", "count", NOTEBOOK), write(tmp_path / "n", "own", own)]
    given = {"data": str(table), "as_of": "2024-06-30", "segment_by": "plan"}
    runs = batch.render_all(notebooks, out=tmp_path / "out", parameters=given)
    assert [run.error for run in runs] == ["", ""]
    assert ['class="switch"' in run.html.read_text(encoding="utf-8") for run in runs] == [True, False]


def test_a_column_of_answers_parts_no_customers() -> None:
    answers = pd.DataFrame({"customer_id": [0, 0, 1, 1], "survey": "nps", "score": [9, 0, 0, 9], "way": ["a", "b"] * 2})
    answers["asked_on"] = answers["answered_on"] = ["2024-02-01", "2024-03-01"] * 2
    data = cs.load({"customers": customers(Team=4, Pro=3), "surveys": answers}, as_of="2024-06-30")
    assert segment_sizes(data, "way").to_dict() == {"(missing)": 5, "a": 2}  # by the first answer, the last was by b
    assert segments.segments_of(data, "way", "") == segments.NONE
    assert segments.segments_of(data, "plan", "").values == ("Team", "Pro")


def test_who_is_in_no_row_of_the_table_belongs_to_the_missing() -> None:
    used = pd.DataFrame({"customer_id": range(4), "occurred_at": "2024-02-01", "device": ["web", "web", "app", None]})
    data = cs.load({"customers": customers(Team=4, Pro=3), "usage": used}, as_of="2024-06-30")
    assert segment_sizes(data, "device").to_dict() == {"(missing)": 4, "web": 2, "app": 1}
    both = cs.Churn(data, by="device").summary.table.set_index("segment")["n_customers"]
    alone = segment_of(data, "device", "(missing)")
    assert both["(missing)"] == cs.Churn(alone).summary.table["n_customers"].iloc[0] == 4


@pytest.mark.long
def test_a_segment_alone_has_the_figures_that_it_has_beside_the_others(root: Path) -> None:
    data = cs.load(root / "data")
    both = cs.Churn(data, by="plan").summary.table.set_index("segment")
    nrr = cs.Revenue(data, by="plan").by_month.table.set_index(["segment", "month"])
    asked = cs.Surveys(data, by="plan").groups.table.set_index("segment")
    assert drift(data) is not None
    for plan in ("Starter", "Team", "Enterprise"):
        own = segment_of(data, "plan", plan)
        alone = cs.Churn(own).summary.table.iloc[0]
        columns = ["n_customers", "n_events", "median_months", "survival_12m"]
        assert alone[columns].tolist() == pytest.approx(both.loc[plan, columns].tolist())
        last = cs.Revenue(own).by_month.table.set_index("month").sort_index().iloc[-1]
        assert last[["closing", "nrr"]].tolist() == pytest.approx(
            nrr.loc[(plan, last.name), ["closing", "nrr"]].tolist()
        )
        assert cs.Surveys(own).groups.table["nps"].iloc[0] == pytest.approx(asked.loc[plan, "nps"])


@pytest.mark.long
@pytest.mark.parametrize(("column", "value"), [("plan", "Team"), ("region", "APAC")])
def test_a_segment_alone_is_worth_what_it_is_beside_the_others(root: Path, column: str, value: str) -> None:
    """To the last digit, intervals too: quarters of start are told apart, and draws begun, within each segment.

    APAC is the sum of its plans, and by itself would not show that customers leave more slowly now.
    """
    data = cs.load(root / "data")
    both, alone = cs.Value(data, by=column), cs.Value(segment_of(data, column, value))
    for table in ("base", "what_if", "payback", "backtest"):
        beside, own = (getattr(study, table).table for study in (both, alone))
        beside = beside[beside["segment"] == value].drop(columns="segment").reset_index(drop=True)
        pd.testing.assert_frame_equal(own.drop(columns="segment").reset_index(drop=True), beside)


def of_team_since(ids: range, *, moved: int, left: str = "") -> cs.DataSet:
    """All began with Starter; who is not the first of so many is of Team since, and only the last may have left."""
    people = pd.DataFrame({"customer_id": ids, "started_on": "2023-01-05", "churned_on": None})
    people["plan"] = ["Team" if i % moved else "Starter" for i in ids]
    first = people.drop(columns="churned_on").assign(plan="Starter", mrr=10.0, ended_on=None)
    first.loc[people["plan"] == "Team", "ended_on"] = "2023-12-31"
    then = first[people["plan"] == "Team"].assign(plan="Team", started_on="2024-01-01", ended_on=None)
    then.loc[then["customer_id"] == ids[-1], "ended_on"] = left or None
    answers = people[["customer_id"]].assign(survey="nps", asked_on="2024-05-01", answered_on="2024-05-01")
    answers["score"] = [0 if i % 4 == 1 else 9 for i in ids]
    tables = {"customers": people, "subscriptions": pd.concat([first, then]), "surveys": answers}
    return cs.load(tables, as_of="2024-06-30")


@pytest.mark.long
def test_surveys_of_a_segment_are_those_of_who_is_in_it_now() -> None:
    """Ten of forty are of Starter still: comparisons of answers count the others as Team."""
    data = of_team_since(range(40), moved=4)
    beside = cs.Surveys(data, by="plan").groups.table.set_index("segment")
    assert segment_sizes(data, "plan").to_dict() == {"Starter": 40}
    alone = cs.Surveys(segment_of(data, "plan", "Starter")).groups.table.set_index("segment")
    assert alone.loc["All", "n_responses"] == beside.loc["Starter", "n_responses"] == 10
    assert alone.loc["All", "nps"] == beside.loc["Starter", "nps"] == 100


@pytest.mark.long
def test_whom_to_call_of_a_segment_is_who_is_in_it_now() -> None:
    """All 40 began with Starter; ten of them are of it still, the others of Team, of whom one has left."""
    data = of_team_since(range(40), moved=4, left="2024-03-31")
    alone = cs.Churn(segment_of(data, "plan", "Starter"))
    assert sorted(alone.at_risk.table["customer_id"].astype(int)) == list(range(0, 40, 4))
    said = "The list holds the 10 customers whose plan is Starter today"
    assert alone.at_risk.notes[0] == f"{said}; the rest of this report is about those who began with it."
    assert alone.forecast.table["n_active"].iloc[0] == 39
    assert not any(
        "add up to" in note for note in alone.forecast.notes
    )  # the list and the forecast are of other customers: nothing to add up
    beside = cs.Churn(data, by="plan").at_risk
    assert (beside.table["segment"] == "Starter").sum() == 10
    assert "The list holds" not in " ".join(beside.notes)


def test_where_nobody_is_in_a_segment_any_more_nobody_is_called_and_no_answers_are_there() -> None:
    nobody = segment_of(of_team_since(range(1, 4), moved=4), "plan", "Starter")
    assert cs.Churn(nobody).at_risk.title == "Nobody is a customer today, so there is nobody to call"
    with pytest.raises(DataError, match="surveys has no rows up to 2024-06-30"):
        _ = cs.Surveys(nobody).groups
