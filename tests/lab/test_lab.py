"""Every notebook in JupyterLab, run by hand on another segment: all is there, as in the report, and nothing else."""

from collections import Counter

import lab_world
import pytest

from cslib.report.parameters import find_notebooks

NAMES = [n.name for n in find_notebooks()]
pytestmark = pytest.mark.slow
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def seen(lab):
    """All notebooks one after the other, while the reports to compare them with are made."""
    return {name: lab_world.run_all(lab, name, "plan") for name in [*NAMES, "faulty"]}


def parted(fragments):
    """Texts and sides of what is shown, and apart from them what a line opens: of these the page has more."""
    own = Counter((f["kind"], *f["texts"], *f["sides"]) for f in fragments)
    folded = Counter({key: n for key, n in own.items() if key[0] == "cs how"})
    return own - folded, folded


@each
def test_every_cell_runs_and_none_complains(seen, name):
    assert seen[name]["complaints"] == []
    assert seen[name]["prompts"] == [f"[{i + 1}]:" for i in range(len(seen[name]["prompts"]))]


@each
def test_everything_is_drawn_and_nothing_is_cut_off(seen, name):
    kinds = {f["kind"] for f in seen[name]["fragments"]}
    assert {"cs cs-cards", "cs cs-table"} <= kinds
    assert ("cs cs-figure" in kinds) == (name != "scorecard")
    assert all(len(sizes) == 1 for sizes in seen[name]["figures"])  # of two drawings the one for this width
    assert min([*seen[name]["drawn"], *(sizes[0] for sizes in seen[name]["figures"])]) > 40
    assert seen[name]["wide"] == []


@each
def test_sentences_figures_and_tables_are_those_of_the_report(seen, browser, reports, name):
    shown, folded = parted(seen[name]["fragments"])
    there, more = parted(lab_world.page_of(browser, reports / f"{name}.html"))
    assert shown == there
    assert folded <= more


def test_what_must_not_be_seen_would_be(seen):
    """The others can fail."""
    own = seen["faulty"]
    last = [text.splitlines()[-1].strip() for text in own["complaints"]]
    assert last == ['warnings.warn("for programmers")', "ValueError: stop"]
    assert own["prompts"][-2:] == ["[8]:", "[ ]:"]
    assert own["wide"] == ["x" * 200, "Long"]
    assert [f["sides"] for f in own["fragments"] if f["sides"]] == [["right", "left"]]
    assert ["Line 7, by plan"] in [f["texts"] for f in own["fragments"]]
