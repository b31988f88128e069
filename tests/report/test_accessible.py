"""Every page for every reader: axe-core finds nothing, no text is faint, links lead somewhere, ids are unique."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from cslib.report.alert import tell
from cslib.report.batch import render_all
from cslib.report.parameters import find_notebooks

pytestmark = pytest.mark.long
PAGES = ["index", "digest", *(n.name for n in find_notebooks())]
SETTINGS = [(1240, "light"), (1240, "dark"), (360, "light")]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")

# Charts of which not one drawing is seen, or which scrolls, or is cut.
CUT = """() => [...document.querySelectorAll(".cs-figure")].filter(f => f.checkVisibility()).filter(figure => {
  const [seen, ...more] = [...figure.querySelectorAll(".cs-scroll")].filter(r => r.checkVisibility());
  if (!seen || more.length || seen.scrollWidth > seen.clientWidth) return true;
  const {left, right, top, bottom} = seen.firstElementChild.getBoundingClientRect();
  return [...seen.querySelectorAll("text")].map(t => t.getBoundingClientRect()).some(
    t => t.left < left - 1 || t.right > right + 1 || t.top < top - 1 || t.bottom > bottom + 1);
}).map(figure => figure.innerText.slice(0, 200))"""


@pytest.fixture(scope="module")
def reports(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All reports of a small business, one of them by plan."""
    out, every = tmp_path_factory.mktemp("reports"), find_notebooks()
    split = [n for n in every if n.name == "revenue"]
    for notebooks, by in ((split, {"segment_by": "plan"}), ([n for n in every if n not in split], {})):
        runs = render_all(notebooks, out=out, parameters={"data": str(small), **by}, jobs=1)
        assert [run.error for run in runs] == [""] * len(runs)
    tell(out)
    return out


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_and_no_text_is_faint(browser: Browser, reports: Path, page: str) -> None:
    for width, scheme in SETTINGS:
        view: Any = {"width": width, "height": 900}
        context = browser.new_context(viewport=view, color_scheme=scheme, bypass_csp=True)  # axe is a script of its own
        opened = context.new_page()
        opened.goto((reports / f"{page}.html").as_uri())
        found = Axe().run(opened, options={"resultTypes": ["violations", "incomplete"]}).response
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found["violations"]] == [], (width, scheme)
        # What lies behind a text in a drawing, or behind what has been scrolled away, axe cannot tell.
        assert {v["id"] for v in found["incomplete"]} <= {"color-contrast"}
        assert opened.evaluate(CONTRAST) == [], (width, scheme)
        assert opened.evaluate(CUT) == [], width
        assert opened.evaluate("document.documentElement.scrollWidth") == width
        context.close()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(reports: Path, page: str) -> None:
    html = (reports / f"{page}.html").read_text("utf-8")
    ids = re.findall(r'<[^<>]* id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'<a [^>]*href="([^"]*)"', html):
        file, _, section = link.partition("#")
        assert not file or (reports / file).is_file(), link
        there = (reports / file).read_text("utf-8") if file else html
        assert not section or f' id="{section}"' in there, link


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_in_order(reports: Path, page: str) -> None:
    html = (reports / f"{page}.html").read_text("utf-8")
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_light_enough_to_send(reports: Path, page: str) -> None:
    assert (reports / f"{page}.html").stat().st_size < 2_000_000


def test_a_telephone_is_told_what_a_wide_screen_is_told(browser: Browser, reports: Path) -> None:
    told = []
    for width, kind in ((1240, ".cs-scroll:not(.cs-slim)"), (360, ".cs-slim")):
        opened = browser.new_page(viewport={"width": width, "height": 900})
        opened.goto((reports / "cohort_retention.html").as_uri())
        regions, said = opened.locator(f".cs-figure {kind}:has([data-points]):visible"), []
        for i in range(regions.count()):
            regions.nth(i).focus()
            opened.keyboard.press("ArrowRight")
            said.append(opened.locator(".cs-voice").inner_text())
        told.append(said)
        opened.close()
    assert told[0] == told[1]
    assert len(told[0]) > 3
    assert all("%" in text for text in told[0])
