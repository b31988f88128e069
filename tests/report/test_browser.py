"""A report in a real browser: offline, no request, no error, and usable on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from notebook_world import write
from playwright.sync_api import Browser

from cslib.report import batch, html
from cslib.show.formats import unbroken

OpenReport = Callable[..., Any]
NOTEBOOK = [
    ("md", "# Who leaves, when, and why?\n\nAsked every month."),
    ("parameters", 'segment_by: str = "plan"  # column\nseed: int = 7'),
    (
        "code",
        "import matplotlib.pyplot as plt, numpy as np, pandas as pd\nfrom cslib.show import display as d\n"
        'd.data_check({"as_of": "2025-06-30", "share_censored": 0.7, "warnings": ["11 odd rows"], "notes": [],\n'
        '"tables": [{"table": "customers", "rows": 7043, "first": "2022-07-01", "last": "2025-06-30"}]})',
    ),
    (
        "code",
        'd.note("Month-to-month customers leave early: **30 % are gone within a year**.", kind="answer")\n'
        'd.cards(d.Card("Still here after 12 months", 0.843, "percent", 0.834, 0.852, 7043),\n'
        'd.Card("Median stay", 35, "months", 33, 37, 3875), d.Card("Churn rate", 0.019, "percent", status="missed", target="at most 1 %",'
        ' trend=(0.01, 0.02, 0.019), limits=(0.01, 0.02)), d.Card("NPS", 40, status="met", target="at least 30"),'
        'd.Card("CSAT", 0.7, "percent", status="not clear", target="at least 70 %"),\n'
        'd.Card("Money at risk", 411800, "money", 388000, 437000, 1204, "USD"))',
    ),
    ("md", "## How long do they stay?"),
    (
        "code",
        'd.note("All customers together.")\n'
        'fig, ax = plt.subplots(figsize=(9.2, 3.6), facecolor="none"); ax.text(1, 0.5, "small", fontsize=7)\n'
        'ax.plot(np.exp(-np.arange(73) * 0.02), color="#0f8496"); ax.set_facecolor("none")\n'
        "from cslib.show import hover\n"
        "for s in range(2):\n"
        "    (line,) = ax.plot([0, 36, 72], [1 - s / 2, 0.5 - s / 4, 0.2 - s / 10]); hover.belongs(s, line)\n"
        '    texts = [f"{name}, month {x}\\n{x} %" for name in [("All", "Team")[s]] for x in (0, 36, 72)]\n'
        "    hover.tell(ax, [0, 36, 72], [1 - s / 2, 0.5 - s / 4, 0.2 - s / 10], texts, series=s)\n"
        'd.figure(fig, name="curve", title="Half have left after 35 months", subtitle="Share.", alt="Falls.")',
    ),
    ("how", "Follow the line."),
    ("md", "## Whom to call first"),
    (
        "code",
        "risk = np.array([0.2, 0.9, np.nan, 0.05, 0.6])\n"
        'd.table(pd.DataFrame({"customer": list("abcde"), "risk": risk, "a_rather_long_column": "x" * 80,\n'
        '"another_long_column": "y", **{f"n_{i}": 1234567 for i in range(6)}}), name="at_risk", caption="By risk",\n'
        'formats={"risk": "percent"}, labels={"n_1": "a heading of several words", "n_2": "p, adjusted"})',
    ),
    ("code", "pd.DataFrame(np.zeros((3, 30)))"),
    (
        "code",
        'd.table(pd.DataFrame({"customer": [f"c{i:03d}" for i in range(300)], "plan": ["Pro", "Team", "Free"] * 100,\n'
        '"money": [(i * 7919) % 300 / 3 for i in range(300)], **{f"x{i}": 1 for i in range(11)}}), name="calls", caption="Whom to call")',
    ),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("browser")
    run = batch.render_all([write(base / "notebooks", "who_leaves", NOTEBOOK)], out=base / "out", parameters={})[0]
    assert run.error == ""
    return base / "out" / "who_leaves.html"


def check_quiet_and_narrow(open_report: OpenReport, path: Path, width: int, scheme: str) -> None:
    """Any report: asks for nothing but itself, complains of nothing, never scrolls sideways."""
    with open_report(path, width=width, scheme=scheme) as opened:
        opened.page.mouse.wheel(0, 20_000)
        assert opened.requests == [path.resolve().as_uri()]
        assert opened.complaints == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1240])
def test_a_report_is_quiet_and_fits(open_report: OpenReport, report: Path, width: int, scheme: str) -> None:
    check_quiet_and_narrow(open_report, report, width, scheme)


@pytest.mark.slow
def test_the_index_is_quiet_and_leads_to_the_report(open_report: OpenReport, report: Path) -> None:
    index = report.with_name("index.html")
    check_quiet_and_narrow(open_report, index, 360, "dark")
    with open_report(index) as opened:
        link = opened.page.get_by_role("link", name="Who leaves, when, and why?")
        assert link.get_attribute("href") == report.name


@pytest.mark.slow
def test_scripts_other_than_its_own_do_not_run(open_report: OpenReport, report: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.html"
    forged.write_text(
        report.read_text(encoding="utf-8").replace("<main", "<script>document.title='x'</script><main"),
        encoding="utf-8",
    )
    with open_report(forged) as opened:
        assert opened.page.title() == "Who leaves, when, and why?"
        assert any("Content Security Policy" in text for text in opened.complaints)


@pytest.mark.long
def test_a_click_on_a_heading_sorts(open_report: OpenReport, report: Path) -> None:
    with open_report(report) as opened:
        table = opened.page.locator(".cs-table table").first
        customers = table.locator("tbody td:first-child")
        heading = table.get_by_role("columnheader", name="risk")
        orders = []
        for _ in range(2):
            heading.get_by_role("button").click()
            orders.append((heading.get_attribute("aria-sort"), "".join(customers.all_inner_texts())))
        assert orders == [("descending", "beadc"), ("ascending", "daebc")]  # the missing one stays last


@pytest.mark.long
def test_all_rows_of_a_table_are_searched_filtered_and_sorted(open_report: OpenReport, report: Path) -> None:
    with open_report(report) as opened:
        box = opened.page.locator(".cs-table", has_text="Whom to call")
        first, count = box.locator("tbody tr:first-child td:first-child"), box.locator(".cs-count")
        assert count.inner_text() == "15 of 300 rows, 13 of 14 columns"
        box.get_by_role("button", name="money").click()  # the largest first, which is not among the first fifteen
        assert first.inner_text() == f"c{next(i for i in range(300) if i * 7919 % 300 == 299):03d}"
        box.get_by_label("plan").select_option(label="Team")
        assert count.inner_text() == "15 of 100 rows found, of 300, 13 of 14 columns"
        assert set(box.locator("tbody td:nth-child(2)").all_inner_texts()) == {"Team"}
        box.get_by_role("searchbox").fill("C01")
        found = [f"c{i:03d}" for i in sorted(range(10, 20), key=lambda i: -(i * 7919 % 300)) if i % 3 == 1]
        assert box.locator("tbody td:first-child").all_inner_texts() == found
        assert count.inner_text() == f"{len(found)} rows found, of 300, 13 of 14 columns"
        assert not box.get_by_role("button", name="Show more").is_visible()
        box.get_by_role("searchbox").fill("")
        box.get_by_label("plan").select_option(label="plan: all")
        box.get_by_role("button", name="Show more").click()
        assert count.inner_text() == "65 of 300 rows, 13 of 14 columns"
        assert opened.complaints == []


@pytest.mark.slow
def test_headings_are_plain_while_a_page_is_printed_so_that_they_are_repeated(
    open_report: OpenReport, report: Path
) -> None:
    with open_report(report) as opened:
        headings = opened.page.locator(".cs-table th")
        words, buttons = headings.all_inner_texts(), headings.locator("button")
        assert buttons.count() == len(words)
        opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert (buttons.count(), headings.all_inner_texts()) == (0, words)
        opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert (buttons.count(), headings.all_inner_texts()) == (len(words), words)
        box = opened.page.locator(".cs-table", has_text="Whom to call")
        box.get_by_role("button", name="money").click()
        assert box.locator("th[aria-sort]").inner_text() == "money"
        assert opened.complaints == []


@pytest.mark.long
def test_a_chart_tells_its_points_to_pointer_finger_and_keyboard(open_report: OpenReport, report: Path) -> None:
    with open_report(report) as opened:
        page, chart, tip = opened.page, opened.page.locator("svg[data-points]"), opened.page.locator(".cs-tip")
        chart.scroll_into_view_if_needed()
        assert tip.is_hidden()
        place = chart.evaluate(
            "e => { const p = JSON.parse(e.dataset.points)[4], r = e.getBoundingClientRect(),"
            " k = r.width / e.viewBox.baseVal.width; return [r.left + p[0] * k, r.top + p[1] * k]; }"
        )
        page.mouse.move(place[0] + 3, place[1] + 3)
        assert tip.inner_text() == "Team, month 36\n36 %"
        assert chart.locator('[data-s="0"]').evaluate("e => e.classList.contains('cs-faded')")
        page.mouse.move(2, 2)
        assert tip.is_hidden()
        page.locator(".cs-scroll", has=chart).focus()
        told = []
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowLeft"):
            page.keyboard.press(key)
            told.append(page.locator(".cs-voice").inner_text())
        assert [t.split(",")[:2] for t in told] == [
            [name, f" month {x}"] for name, x in (("All", 0), ("All", 36), ("Team", 36), ("Team", 36), ("Team", 0))
        ]
        page.keyboard.press("Escape")
        assert tip.is_hidden()
        assert opened.complaints == []


@pytest.mark.slow
def test_the_arrow_down_leads_to_the_same_month_of_the_next_line_however_steep(browser: Browser) -> None:
    script = (Path(html.__file__).parent / "template" / "charts.js").read_text(encoding="utf-8")
    points = '[[0,0,"A 0",0],[10,100,"A 1",0],[0,90,"B 0",1],[10,190,"B 1",1]]'  # B 0 is the nearest to A 1
    chart = f"<svg viewBox='0 0 200 200' width='200' data-points='{points}'></svg>"
    page = browser.new_page()
    page.set_content(f'<div class="cs-scroll" tabindex="0">{chart}</div><script>{script}</script>')
    page.locator(".cs-scroll").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator(".cs-voice").inner_text() == "B 1"
    page.close()


@pytest.mark.slow
def test_a_point_is_told_where_it_is_in_a_chart_that_scrolls(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=360) as opened:
        page, chart = opened.page, opened.page.locator("svg[data-points]")
        region, dot = page.locator(".cs-scroll", has=chart), page.locator(".cs-dot")
        region.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")  # to the last point, which lies outside
        assert page.locator(".cs-voice").inner_text().startswith("All, month 72")
        assert region.evaluate("e => e.scrollLeft") > 0
        place = "document.querySelector('.cs-dot').getBoundingClientRect().left + 5.5"
        point = (
            "(e => e.getBoundingClientRect().left + JSON.parse(e.dataset.points)[2][0] * e.getBoundingClientRect().width"
            " / e.viewBox.baseVal.width)(document.querySelector('svg[data-points]'))"
        )
        page.wait_for_function(f"Math.abs({place} - {point}) < 1")
        assert 0 < page.evaluate(place) < 360
        region.evaluate("e => { e.scrollLeft = 0; }")
        dot.wait_for(state="hidden")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert opened.complaints == []


@pytest.mark.slow
def test_the_contents_follow_the_reader(open_report: OpenReport, report: Path) -> None:
    with open_report(report) as opened:
        current = opened.page.locator(".toc [aria-current]")
        assert current.all_inner_texts() == ["Answer"]
        opened.page.locator(".toc a", has_text="Data check").click()
        opened.page.wait_for_function("scrollY > 0")
        opened.page.mouse.wheel(0, 20_000)
        opened.page.wait_for_function("document.querySelector('.toc [aria-current]').textContent === 'Downloads'")
        assert current.all_inner_texts() == ["Downloads"]


@pytest.mark.slow
def test_a_wide_chart_scrolls_by_itself_and_stays_legible(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=360) as opened:
        sizes = opened.page.locator(".cs-figure .cs-scroll").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert sizes[0] > 1.5 * sizes[1]
        scale = "e => e.getBoundingClientRect().width / e.viewBox.baseVal.width"
        assert opened.page.locator(".cs-figure svg").evaluate(scale) >= 0.99


@pytest.mark.slow
def test_what_is_wider_than_its_place_shows_that_it_goes_on(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=680) as opened:
        box = opened.page.locator(".cs-table .cs-scroll").first
        ends = (
            "(e, to) => { e.scrollLeft = to; return new Promise(r => setTimeout(() => r(e.matches('.goes-on')), 60)); }"
        )
        assert [box.evaluate(ends, to) for to in (0, 10_000, 20)] == [True, False, True]
        said = "e => getComputedStyle(e.querySelector('caption'), '::after').content"
        assert "goes on to the right" in box.evaluate(said)
        first = "e => e.querySelector('td').getBoundingClientRect().left - e.getBoundingClientRect().left"
        assert box.evaluate(first) == 0  # the names of rows stay


@pytest.mark.long
def test_a_table_too_wide_for_a_telephone_has_its_columns_below_the_names_of_rows(
    open_report: OpenReport, report: Path
) -> None:
    with open_report(report, width=360) as opened:
        table = opened.page.locator(".cs-table table").first
        assert table.locator("xpath=..").evaluate("e => e.scrollWidth <= e.clientWidth")
        row = table.locator("tbody tr").first
        right = "e => Math.max(...[...e.cells].map(cell => cell.getBoundingClientRect().right))"
        assert row.evaluate(right) <= 360
        said = row.locator("td").evaluate_all("e => e.map(td => getComputedStyle(td, '::before').content)")
        assert said[:3] == ["none", '"risk\xa0"', '"a rather long column\xa0"']
        order, names = opened.page.get_by_label("Sort by").first, table.locator("tbody td:first-child")
        for way, first in (("risk: highest first", "beadc"), ("customer: Z to A", "edcba"), ("Sort by", "abcde")):
            order.select_option(label=way)
            assert "".join(names.all_inner_texts()) == first
        opened.page.emulate_media(media="print")
        assert row.evaluate("e => getComputedStyle(e).display") == "table-row"


SHORT = """e => e.filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 28).map(e => e.textContent)"""


@pytest.mark.slow
def test_on_a_telephone_the_answer_comes_first_and_what_is_touched_is_high_enough(
    open_report: OpenReport, report: Path
) -> None:
    with open_report(report, width=360) as opened:
        contents = opened.page.locator(".toc")
        assert contents.locator("a").first.is_hidden()
        assert opened.page.locator(".cs-answer").evaluate("e => e.getBoundingClientRect().top") < 300
        assert opened.page.locator("summary, th button, .cs-rows a, .files a, .site a").evaluate_all(SHORT) == []
        contents.locator("summary").click()
        contents.get_by_text("Whom to call first").click()
        opened.page.wait_for_function("scrollY > 0")
        assert contents.locator("a").first.is_hidden()


@pytest.mark.long
def test_a_table_of_sentences_is_not_squeezed_on_a_telephone(open_report: OpenReport, tables: Path) -> None:
    said = "e => getComputedStyle(e.querySelector('tbody tr')).display"
    for width, display in ((360, "flex"), (794, "table-row")):
        with open_report(tables, width=width) as opened:
            assert opened.page.locator(".cs-table", has_text="What it means").locator("table").evaluate(said) == display


SMALLEST = """e => Math.min(...[...e.querySelectorAll("text")].map(t =>
    parseFloat(getComputedStyle(t).fontSize) * e.getBoundingClientRect().width / e.viewBox.baseVal.width))"""


@pytest.mark.slow
def test_no_text_of_a_chart_is_too_small_on_a_phone(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=390) as opened:
        assert opened.page.locator(".cs-figure svg").evaluate(SMALLEST) >= 10


BROKEN_WORDS = """() => [...document.querySelectorAll(".cs-table th, .cs-table .cs-num")].filter(cell => {
  const nodes = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const range = document.createRange();
    for (const word of nodes.currentNode.data.matchAll(/[^\\s-]+/g)) {
      range.setStart(nodes.currentNode, word.index);
      range.setEnd(nodes.currentNode, word.index + word[0].length);
      if (range.getClientRects().length > 1) return true;
    }
  }
}).map(cell => cell.textContent)"""


@pytest.mark.slow
@pytest.mark.parametrize("media", ["screen", "print"])
@pytest.mark.parametrize("width", [360, 680, 1240])
def test_headings_and_numbers_are_never_cut_inside_a_word(
    open_report: OpenReport, report: Path, width: int, media: str
) -> None:
    with open_report(report, width=width) as opened:
        opened.page.emulate_media(media=media)
        assert opened.page.evaluate(BROKEN_WORDS) == []
        heights = opened.page.locator(".cs-table th").evaluate_all("e => e.map(th => th.textContent.trim())")
        assert "a heading of several words" in heights


GAPS = """() => [...document.querySelectorAll(".cs-table .cs-num + :not(.cs-num)")].map(cell =>
  parseFloat(getComputedStyle(cell).paddingLeft)
  + parseFloat(getComputedStyle(cell.previousElementSibling).paddingRight))"""


@pytest.mark.slow
@pytest.mark.parametrize("media", ["screen", "print"])
def test_what_begins_after_a_column_of_numbers_stands_apart_from_it(
    open_report: OpenReport, report: Path, media: str
) -> None:
    with open_report(report, width=1240) as opened:
        opened.page.emulate_media(media=media)
        gaps = opened.page.evaluate(GAPS)
        assert len(gaps) >= 6
        assert min(gaps) >= 20


@pytest.mark.slow
@pytest.mark.parametrize(("width", "beside"), [(1240, True), (1100, False), (794, False)])
def test_the_contents_stand_beside_the_page_only_where_a_table_of_many_columns_has_room(
    open_report: OpenReport, report: Path, width: int, beside: bool
) -> None:
    with open_report(report, width=width) as opened:
        left = [opened.page.locator(part).evaluate(LEFT) for part in (".toc", "main")]
        assert (left[0] < left[1]) is beside
        assert opened.page.locator("main").evaluate("e => e.clientWidth") > 750


@pytest.mark.slow
def test_words_of_a_table_break_where_there_is_less_room_and_figures_do_not(
    open_report: OpenReport, tables: Path
) -> None:
    with open_report(tables, width=794) as opened:
        cells = opened.page.locator(".cs-table", has_text="Told").locator("tbody tr").first.locator("td")
        spaces = cells.evaluate_all("e => e.map(e => getComputedStyle(e).whiteSpace)")
        assert spaces == ["normal", "nowrap", "nowrap"]


LEFT = "e => e.getBoundingClientRect().left"


@pytest.mark.slow
def test_the_reports_stand_at_the_same_place_on_every_page(open_report: OpenReport, report: Path) -> None:
    places = []
    for page in (report, report.with_name("index.html")):
        with open_report(page, width=1240) as opened:
            places.append([opened.page.locator(part).evaluate(LEFT) for part in (".site a >> nth=0", "h1")])
    assert places[0] == places[1]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "columns"), [(1240, 4), (1024, 4), (794, 4), (700, 2), (360, 2)])
def test_figures_of_cards_are_level_and_no_row_of_three_leaves_one_over(
    open_report: OpenReport, report: Path, width: int, columns: int
) -> None:
    with open_report(report, width=width) as opened:
        tops = opened.page.locator(".cs-value").evaluate_all("e => e.map(e => e.getBoundingClientRect().top)")
        assert tops == sorted(tops)
        assert [tops.count(top) for top in sorted({*tops})] == ([4, 2] if columns == 4 else [2, 2, 2])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_search_field_asks_for_is_as_dark_as_other_words(
    open_report: OpenReport, report: Path, scheme: str
) -> None:
    with open_report(report, scheme=scheme) as opened:
        ink = opened.page.get_by_role("searchbox").evaluate("e => getComputedStyle(e, '::placeholder').color")
        assert ink == opened.page.locator(".subtitle").first.evaluate("e => getComputedStyle(e).color")


DOTS = """dots => dots.map(dot => {
  const parts = dot.closest(".cs-parts"), text = document.createRange();
  text.selectNodeContents(parts.firstElementChild);
  const begins = dot.parentElement.offsetTop > dot.parentElement.previousElementSibling.offsetTop;
  return [begins, dot.getBoundingClientRect().right <= text.getBoundingClientRect().left + 0.5];
})"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1240])
def test_no_dot_hangs_where_a_line_breaks(open_report: OpenReport, report: Path, width: int) -> None:
    """Left of the text of a card, or a header, a dot is cut off: where its part begins a line, and nowhere else."""
    with open_report(report, width=width) as opened:
        found = opened.page.locator(".cs-parts i").evaluate_all(DOTS)
        assert all(begins == cut for begins, cut in found)
        assert {begins for begins, _ in found} >= {width == 360}
        assert opened.page.locator("header .cs-parts i").count()


@pytest.mark.slow
def test_a_heading_stays_with_the_figure_that_follows(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=680) as opened:
        opened.page.emulate_media(media="print")
        breaks = "e => getComputedStyle(e).breakAfter"
        section = opened.page.locator("#how-long-do-they-stay")
        assert [section.locator(part).evaluate(breaks) for part in ("h2", "p.cs-note", ".cs-title")] == ["avoid"] * 3


@pytest.mark.long
def test_one_chart_serves_both_themes(open_report: OpenReport, report: Path) -> None:
    inks = []
    for scheme in ("light", "dark"):
        with open_report(report, scheme=scheme) as opened:
            text = opened.page.locator(".cs-figure svg text").first
            inks.append(text.evaluate("e => getComputedStyle(e).fill"))
    assert inks == ["rgb(27, 31, 36)", "rgb(232, 234, 237)"]


@pytest.mark.slow
def test_what_belongs_together_is_printed_on_one_page(open_report: OpenReport, report: Path) -> None:
    with open_report(report, width=680) as opened:
        opened.page.emulate_media(media="print")
        before, after = (f"e => e.map(e => getComputedStyle(e).{side})" for side in ("breakBefore", "breakAfter"))
        rows = opened.page.locator(".cs-table", has_text="Whom to call").locator("tbody tr")
        # At least three rows stand on either side of a break.
        assert rows.evaluate_all(before) == ["avoid"] + ["auto"] * 12 + ["avoid"] * 2
        assert rows.evaluate_all(after) == ["avoid"] * 2 + ["auto"] * 13
        for kept in (".cs-rows", "details.how", "footer"):
            assert set(opened.page.locator(kept).evaluate_all(before)) == {"avoid"}, kept


@pytest.mark.slow
def test_a_printed_chart_is_smaller_than_on_a_screen_but_not_by_its_shape(
    open_report: OpenReport, report: Path
) -> None:
    with open_report(report, width=1240) as opened:
        wide = "e => e.getBoundingClientRect().width / parseFloat(e.style.maxWidth)"
        opened.page.emulate_media(media="print")
        assert opened.page.locator(".cs-figure svg").evaluate(wide) == pytest.approx(0.613, abs=0.01)


def test_print_is_light_opened_and_without_what_leads_elsewhere(open_report: OpenReport, report: Path) -> None:
    with open_report(report, scheme="dark", width=794) as opened:
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.locator(".toc").is_visible()  # in a few lines, one part after the other
        assert opened.page.locator(".toc").evaluate("e => e.getBoundingClientRect().height") < 80
        assert opened.page.locator(".site").is_hidden()
        line = "e => [getComputedStyle(e).listStyleType, getComputedStyle(e).textDecorationLine]"
        assert opened.page.locator("details.how summary").evaluate(line) == ["none", "none"]
        assert opened.page.locator(".files a").first.evaluate(line)[1] == "none"
        ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        assert opened.page.locator("details.how p").is_visible()
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 794
        rules = "[...document.styleSheets].flatMap(s => [...s.cssRules]).filter(r => r.type === CSSRule.PAGE_RULE)"
        margins = opened.page.evaluate(f"{rules}.map(r => r.cssText).join()")
        assert "counter(pages)" in margins
        assert '"Who leaves, when, and why? · as of 30 June 2025"' in margins
        assert opened.page.locator("h3").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
        assert not opened.page.locator("[id='downloads'], .toc a[href='#downloads']").filter(visible=True).count()
        assert len(opened.page.pdf()) > 10_000


@pytest.mark.slow
def test_the_page_is_whole_without_scripts(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(report.resolve().as_uri())
    assert page.locator("tbody tr").count() == 8 + 15
    assert page.get_by_role("heading", level=2).all_inner_texts() == [
        *("How long do they stay?", "Whom to call first", "Data check", "Downloads")
    ]
    context.close()


TABLES = [
    ("md", "# Tables"),
    ("parameters", "seed: int = 7"),
    (
        "code",
        "import pandas as pd\nfrom cslib.show import display as d\n"
        'd.table(pd.DataFrame({"n": range(6000), "plan": ["a", "b"] * 3000}), name="long", caption="Long", max_rows=20)\n'
        'd.table(pd.DataFrame({"told": ["999", "not reached", "−4.1 %", "1,204 (1,100 to 1,300)", "–", "3.25 %", "3.3 %", "not measured",'
        ' "USD 12 k", "−10 %"], "day": ["2024-02-01", "2023-12-31", "2024-11-05"] * 3 + ["2024-11-05"],'
        ' "x": [1.0, float("inf"), -2.0, float("-inf"), 5.0, 4.0, 3.0, float("nan"), 2.0, 0.5]}), name="told", caption="Told")\n'
        'd.table(pd.DataFrame({"word": ["a", "b"], "here": ["what is counted of all customers in a month of the year"] * 2, "there": ["in a year"] * 2}), '
        'name="words", caption="What it means")',
    ),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("tables")
    run = batch.render_all([write(base / "notebooks", "tables", TABLES)], out=base / "out", parameters={})[0]
    assert run.error == ""
    return base / "out" / "tables.html"


@pytest.mark.slow
def test_a_table_of_which_the_page_holds_a_part_is_neither_sorted_nor_searched(
    open_report: OpenReport, tables: Path
) -> None:
    with open_report(tables) as opened:
        box = opened.page.locator(".cs-table", has_text="Long")
        assert box.locator(".cs-count").inner_text() == "20 of 6,000 rows"
        assert box.locator("button, input, select").count() == 0
        assert opened.page.locator(".cs-wide").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("heading", "order"),
    [
        (
            "told",
            [
                "−10 %",
                "−4.1 %",
                "3.25 %",
                "3.3 %",
                "999",
                "1,204 (1,100 to 1,300)",
                "USD 12 k",
                "not reached",
                "–",
                "not measured",
            ],
        ),
        ("day", ["2023-12-31"] * 3 + ["2024-02-01"] * 3 + ["2024-11-05"] * 4),
        ("x", ["∞", "5", "4", "3", "2", "1", "0.50", "−2", "−∞", "–"]),
    ],
)
def test_texts_that_are_numbers_are_sorted_as_numbers(
    open_report: OpenReport, tables: Path, heading: str, order: list[str]
) -> None:
    with open_report(tables) as opened:
        box = opened.page.locator(".cs-table", has_text="Told")
        box.get_by_role("button", name=heading).click()
        place = ["told", "day", "x"].index(heading) + 1
        assert box.locator(f"tbody td:nth-child({place})").all_inner_texts() == [unbroken(text) for text in order]
