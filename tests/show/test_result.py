"""Results, answers and studies: what they show, keep and say of themselves."""

import re
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import pytest

from cslib.errors import ParameterError
from cslib.show import display
from cslib.show.charts import new_axes
from cslib.show.result import Answer, Cards, Result, Study

TABLE = pd.DataFrame({"plan": ["Pro", "Team"], "share": [0.25, 0.5]})
MORE = Result("more", TABLE.head(1), caption="The first plan")


@pytest.fixture
def shown(monkeypatch):
    """Show something and give back the bundles and texts that a report reads."""
    seen = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: seen.append(data))

    def show(thing):
        seen.clear()
        thing._ipython_display_()
        return [(data[display.MIME], data["text/plain"]) for data in seen]

    return show


def charted(**more):
    return Result("plans", TABLE, "Team holds half", "Share by plan.", lambda: new_axes(2), **more)


def test_a_chart_is_shown_under_its_finding_with_its_table(shown):
    (bundle, text), (how, _) = shown(charted(how_to_read="Look right.", caption="Plans"))
    assert (bundle["kind"], bundle["name"], bundle["rows"]) == ("figure", "plans", 2)
    assert bundle["alt"] == "Line chart. Team holds half."
    assert bundle["caption"] == "Plans"
    assert text.startswith("Team holds half\nShare by plan.")
    assert how == {"kind": "how_to_read", "text": "Look right."}


def test_a_table_says_how_to_read_it_too(shown):
    parts = shown(Result("plans", TABLE, caption="Plans", how_to_read="Look.", notes=("Last.",)))
    assert [b.get("text", b["kind"]) for b, _ in parts] == ["table", "Look.", "Last."]


def test_sentences_stand_above_and_below(shown):
    parts = shown(charted(warnings=("Beware.",), before=("First.",), notes=("Last.",)))
    assert [b.get("text", b["kind"]) for b, _ in parts] == ["Beware.", "First.", "figure", "Last."]


def test_a_table_is_shown_in_its_units(shown):
    formats = {"share": "percent", "left out": "number"}
    (bundle, text), *_ = shown(Result("plans", TABLE, caption="Plans", formats=formats))
    assert bundle["kind"] == "table"
    assert text.startswith("Plans (2 rows)")


def test_headings_begin_with_a_capital_unless_they_are_told(monkeypatch):
    pages = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: pages.append(data["text/html"]))
    table = pd.DataFrame({"n_left": [1], "MRR": [2.0], "p": [0.1], "free": [3]})
    Result("plans", table, labels={"p": "p", "free": "free", "away": "Away"})._ipython_display_()
    assert re.findall(r"<th [^>]*>([^<]*)<", pages[0]) == ["N left", "MRR", "p", "free"]


def test_a_table_of_no_rows_to_show_is_kept_behind_its_sentence(shown):
    (title, _), (kept, _) = shown(Result("plans", TABLE, "Team holds half", caption="Plans", most=0))
    assert title["text"] == "Team holds half"
    assert [f["name"] for f in kept["files"]] == ["plans"]


def test_texts_can_be_shown_in_place_of_the_numbers_that_are_kept(shown):
    texts = pd.DataFrame({"plan": ["Pro"], "said": ["a quarter"]})
    (bundle, text), *_ = shown(Result("plans", TABLE, caption="Plans", shown=texts, formats={"share": "percent"}))
    assert "a quarter" in text
    assert (bundle["rows"], bundle["columns"]) == (2, ["plan", "share"])


def test_what_is_absent_says_why_and_keeps_its_table(shown):
    (note, _), (kept, text) = shown(charted(absent="Nobody left."))
    assert note["text"] == "Nobody left."
    assert [f["name"] for f in kept["files"]] == ["plans"]
    assert text == "Tables kept: plans (2 rows)"


def test_further_tables_are_kept(shown):
    kept = shown(charted(also=(MORE,)))[-1][0]
    assert kept["files"] == [
        {"kind": "file", "name": "more", "rows": 1, "columns": ["plan", "share"], "caption": "The first plan"}
    ]


def test_plot_draws_anew_or_says_why_not():
    chart = charted()
    assert chart.plot() is not chart.plot()
    with pytest.raises(ParameterError, match="plans is a table, which has no chart"):
        Result("plans", TABLE).plot()
    with pytest.raises(ParameterError, match="Nobody left"):
        charted(absent="Nobody left.").plot()


def test_an_answer_is_subtitle_sentence_cards(shown):
    answer = Answer("12 customers", "**Half** stay.", (display.Card("Stay", 0.5, "percent"),), ("Few.",), ("See.",))
    assert [b["kind"] for b, _ in shown(answer)] == ["subtitle", "answer", "cards", "warning", "note"]


def several(**more):
    return Cards("plans", TABLE, cards=(display.Card("Stay", 0.5, "percent"),), **more)


def test_cards_stand_between_sentences_and_make_no_file(shown):
    parts = shown(several(before=("First.",), how_to_read="Look.", notes=("Last.",)))
    assert [b.get("text", b["kind"]) for b, _ in parts] == ["First.", "cards", "Look.", "Last."]
    assert not any("files" in b or "rows" in b for b, _ in parts)


def test_cards_point_nowhere_without_links(shown):
    assert [b["kind"] for b, _ in shown(several())] == ["cards"]
    with pytest.raises(ParameterError, match=r"use \.table"):
        several().plot()


@dataclass(frozen=True, repr=False, eq=False)
class _Plans(Study):
    data: object
    by: str = ""

    @cached_property
    def shares(self) -> Result:
        """Who holds how much?"""
        return charted()

    @cached_property
    def few(self) -> Cards:
        """And in a few numbers?"""
        return several()

    @cached_property
    def _hidden(self) -> Result:
        return charted()

    @cached_property
    def table(self) -> pd.DataFrame:
        return TABLE


def test_a_study_lists_its_findings_and_computes_each_once():
    study = _Plans(object(), by="plan")
    assert study.findings() == {"shares": "Who holds how much?", "few": "And in a few numbers?"}
    assert repr(study) == "_Plans(by='plan')\n  .shares  Who holds how much?\n  .few     And in a few numbers?"
    assert next(study.results()) is study.shares
