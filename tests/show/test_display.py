"""The display verbs: what a notebook shows, escaped and exact."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cslib.errors import ParameterError
from cslib.show import display
from cslib.show.display import MIME, Card
from cslib.show.drawing import sparkline
from cslib.show.formats import format_interval, format_value, unbroken, without_secrets

EVIL = "<script>alert('x')</script>\"&"
CHECK: dict[str, Any] = {
    "source": "data",
    "as_of": "2025-06-30",
    "tables": [{"table": "customers", "rows": 4000, "first": "2022-07-01", "last": "2025-06-30", "set_aside": 3}],
    "share_censored": 0.47,
    "notes": [],
    "warnings": [],
}
Show = Callable[..., dict[str, Any]]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Call a verb and give back what it displayed."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))

    def call(verb: Callable[..., None], *args: object, **options: object) -> dict[str, Any]:
        verb(*args, **options)
        return shown.pop()

    return call


@pytest.fixture
def run_dir(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "some_report"
    folder.mkdir()
    monkeypatch.setenv(display.RUN_DIR, str(folder))
    return folder


def body(data: dict[str, Any]) -> str:
    html = data["text/html"]
    assert html.startswith(display.JUPYTER_STYLE)
    return str(html.removeprefix(display.JUPYTER_STYLE))


def chart(points: int = 3) -> Figure:
    fig = Figure(figsize=(4, 2))
    axes = fig.add_subplot()
    axes.plot(range(points), np.sin(range(points)), color="#1b1f24", marker="o")
    axes.text(0, 0, EVIL)
    axes.text(1, 0, "on a mark", color="#ffffff")
    return fig


WORDS = {"name": "x", "title": "It falls", "subtitle": "share", "alt": "A line falls."}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8431, "percent", "84.3 %"),
        (1.0, "percent", "100 %"),
        (0.0004, "percent", "0.04 %"),
        *[(0.00009, "percent", "< 0.1 %"), (1e-12, "percent", "< 0.1 %"), (-1e-9, "percent", "> −0.1 %")],
        *[(0.9994, "percent", "99.9 %"), (0.9999, "percent", "> 99.9 %"), (1 - 1e-15, "percent", "> 99.9 %")],
        *[(1.0001, "percent", "< 100.1 %"), (-0.9999, "percent", "< −99.9 %"), (-1.0001, "percent", "> −100.1 %")],
        *[(0.0, "percent", "0 %"), (-0.0, "percent", "0 %"), (-1.0, "percent", "−100 %"), (1.4, "percent", "140.0 %")],
        (-0.0004, "number", "−0.0004"),
        (float("nan"), "percent", "not measured"),
        (None, "money", "not measured"),
        (float("inf"), "months", "∞"),
        (0.098, "points", "+9.8 points"),
        (-0.0004, "points", "0.0 points"),
        (5e-8, "p_value", "< 0.001"),
        (0.034, "p_value", "0.034"),
        (1, "months", "1 month"),
        (5.94, "months", "5.9 months"),
        (34.6, "months", "34.6 months"),
        (134.6, "months", "135 months"),
        (411_800, "money", "412 k"),
        (4_352.71, "money", "4,350"),
        (-1_004.9, "money", "−1,000"),
        (650.9, "money", "651"),
        (9_994, "money", "9,990"),
        (9_995, "money", "10.0 k"),
        (999_499, "money", "999 k"),
        (999_500, "money", "1.0 M"),
        (-999_960_000, "money", "−1.0 bn"),
        (1_240_000, "money", "1.2 M"),
        (1234.5, "amount", "1,234"),
        (12_345_678, "number", "12,345,678"),
        (-0.0, "number", "0"),
        (np.float64(3.14159), "number", "3.14"),
        (1, "days", "1 day"),
        (17.5, "days", "18 days"),
        (2.54, "days", "2.5 days"),
        *[(9.456, "times", "9.5 ×"), (142.3, "times", "142 ×")],
    ],
)
def test_values_are_never_more_precise_than_needed(value: float | None, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_an_unknown_unit_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'percent'"):
        format_value(1, "percents")


def test_a_card_shows_value_interval_and_n(show: Show) -> None:
    data = show(display.cards, Card("Stay", 0.843, "percent", 0.834, 0.852, 7043, detail="vs May"))
    assert data["text/plain"] == "Stay · 84.3 % · 83.4 to 85.2 · 7,043\N{NO-BREAK SPACE}customers · vs May"
    assert re.sub(r"<[^>]+>", "|", body(data)).count("84.3\N{NO-BREAK SPACE}%") == 1


@pytest.mark.parametrize(
    ("unit", "lower", "upper", "text"),
    [
        *[("points", 0.063, 0.132, "6.3 to 13.2"), ("points", -0.021, 0.045, "−2.1 to 4.5")],
        *[("percent", 0.97, 0.9999, "97.0 to > 99.9"), ("months", 0.96, 37, "1.0 to 37")],
        *[
            ("money", 388_000, 1_240_000, "388 k to 1.2 M"),
            ("percent", 0.1, None, ""),
            ("percent", float("nan"), 1, ""),
        ],
        ("months", 33, float("inf"), "33 to ∞"),
    ],
)
def test_an_interval_reads_from_one_number_to_the_other(
    unit: str, lower: float | None, upper: float | None, text: str
) -> None:
    assert format_interval(lower, upper, unit) == text


def test_an_amount_stays_on_one_line(show: Show) -> None:
    told = "USD 5.2 M of 12 months, < 0.1 % or +2.3 points"
    whole = "USD_5.2_M of 12 months, <_0.1_% or +2.3_points".replace("_", "\N{NO-BREAK SPACE}")
    assert unbroken(told) == whole
    assert escape(whole) in body(show(display.cards, Card("MRR", 5_200_000.0, "money", detail=told)))
    data = show(display.table, pd.DataFrame({"told": [told]}), name="t", caption="T")
    assert f">{escape(whole)}</td>" in body(data)
    assert told in data["text/plain"]


def test_a_card_shows_its_target_and_past(show: Show) -> None:
    nan = float("nan")
    card = Card("NPS", 43.6, status="missed", target="at least 50 %", trend=(40, nan, 44, 43.6), limits=(38, 46))
    data = show(display.cards, card)
    assert "<span>✗ missed</span><span><i> · </i>at least 50\N{NO-BREAK SPACE}%</span></span></div>" in body(data)
    path = re.search(r'<path d="([^"]*)"', body(data))
    assert path is not None
    assert re.sub(r"[\d. ]", "", path[1]) == "MML"  # the missing one is a gap
    assert 'aria-hidden="true"' in body(data)
    assert data[MIME]["cards"][0]["trend"] == [40, None, 44, 43.6]


def test_a_card_of_a_kpi_is_called_as_it_is_and_keeps_its_id(show: Show) -> None:
    kpi = SimpleNamespace(id="stay_12m", label="Stay", unit="percent", noun="stay")
    card = display.card_of(kpi, 0.843, interval=(0.834, 0.852), n=7043, detail="vs May")
    assert card == Card("Stay", 0.843, "percent", 0.834, 0.852, 7043, detail="vs May", kpi="stay_12m", noun="stay")
    data = show(display.cards, card, Card("Other", 1))
    assert [c["kpi"] for c in data[MIME]["cards"]] == ["stay_12m", ""]
    assert "stay_12m" not in body(data)
    assert display.card_of(kpi, None).ci_lower is None


def test_a_small_line_needs_two_values_and_survives_equal_ones() -> None:
    nan = float("nan")
    assert sparkline([1.0, nan]) == ""
    assert sparkline([]) == ""
    aimed = sparkline([0.0, 1.0], aims=(0.5, 2.0))
    assert re.findall(r'class="cs-aim" d="M0 ([\d.]+)H150"', aimed) == ["25.0", "4.0"]  # within 4 and 32
    level = sparkline([2.0, 2.0])
    assert level.count("32.0") == 3  # two points and the dot, at the bottom
    assert "<circle" not in sparkline([1.0, 2.0, nan])


def test_other_reports_are_pointed_to_in_a_report_only(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "NRR is **89 %**. [What is kept?](revenue#what-is-kept)"
    assert "<a" not in body(show(display.note, said))
    monkeypatch.setenv(display.RUN_DIR, str(tmp_path))
    evil = body(show(display.note, f"[{EVIL}](revenue)"))
    assert '<a href="revenue.html" data-to="revenue">&lt;script&gt;' in evil
    data = show(display.note, said, kind="attention")
    assert '<a href="revenue.html#what-is-kept" data-to="revenue#what-is-kept">What is kept?</a>' in body(data)
    assert data["text/plain"] == "NRR is 89 %. What is kept?"
    assert "<a" not in body(show(display.note, "[x](javascript:alert) [x](../y) [x](a.b#c)"))


def test_a_status_of_a_longer_time_keeps_its_sign(show: Show) -> None:
    shown = pd.DataFrame({"kpi": ["a", "b"], "status": ["missed over 12 months", "not set up"]})
    html = body(show(display.table, shown, name="t", caption="T", formats={"status": "status"})).replace("\xa0", " ")
    assert '<span class="cs-status cs-bad">✗ missed over 12 months</span>' in html
    assert "<td>not set up</td>" in html


def test_a_name_says_what_it_means_to_pointer_and_keyboard(show: Show) -> None:
    told = '<abbr class="cs-term" tabindex="0" title="Share &lt; 1.">NRR</abbr>'
    card = display.Card("NRR", 0.8, "percent", means="Share < 1.")
    assert f'<div class="cs-label">{told}</div>' in body(show(display.cards, card))
    frame = pd.DataFrame({"KPI": ["NRR", "Churn"], "Like": ["NRR", "Churn"]})
    html = body(show(display.table, frame, name="t", caption="c", terms={"NRR": "Share < 1."}))
    assert f"<tr><td>{told}</td><td>NRR</td></tr><tr><td>Churn</td>" in html


def test_interval_and_n_of_a_card_share_a_line(show: Show) -> None:
    html = body(show(display.cards, Card("NPS", 43.6, ci_lower=37.7, ci_upper=49.0, n=560, noun="answer")))
    parts = '<span class="cs-parts"><span>37.7 to 49.0</span><span><i> · </i>560\xa0answers</span></span>'
    assert f'<div class="cs-interval">{parts}</div>' in html
    assert '<div class="cs-interval">560\xa0answers</div>' in body(
        show(display.cards, Card("a", 1, n=560, noun="answer"))
    )


def test_what_one_is_called_may_break_between_its_words(show: Show) -> None:
    """Held together, "customer months" is wider than a card on a telephone and was cut inside a word."""
    card = Card("Churn", 0.039, "percent", n=20269, noun="customer month")
    assert '<div class="cs-interval">20,269\xa0customer months</div>' in body(show(display.cards, card))


def test_a_card_without_value_says_why(show: Show) -> None:
    card = Card("Median stay", float("nan"), "months", detail="half have not left yet")
    data = show(display.cards, card)
    assert data["text/plain"] == "Median stay · not measured · half have not left yet"
    assert data[MIME]["cards"][0]["value"] is None  # NaN is not JSON


@pytest.mark.parametrize(
    ("verb", "args", "options"),
    [
        (display.cards, [Card(EVIL, 1, detail=EVIL, currency=EVIL)], {}),
        (display.cards, [Card("a", 1, status="met", target=EVIL)], {}),
        (display.note, [EVIL], {"kind": "answer"}),
        (display.note, [f"**{EVIL}**"], {"kind": "warning"}),
        (display.note, [EVIL], {"kind": "subtitle"}),
        (display.note, [EVIL], {"kind": "how_to_read"}),
        (display.table, [pd.DataFrame({EVIL: [EVIL]})], {"name": "t", "caption": EVIL}),
        (display.table, [pd.DataFrame({"a": [1]})], {"name": "t", "caption": "", "labels": {"a": EVIL}}),
        (display.figure, [chart()], {"name": "f", "title": EVIL, "subtitle": EVIL, "alt": EVIL}),
        (display.data_check, [{**CHECK, "warnings": [EVIL] * 7, "notes": [EVIL]}], {}),
        (display.data_check, [{**CHECK, "tables": [{"table": EVIL, "rows": 1, "note": EVIL}]}], {}),
    ],
)
def test_everything_is_escaped(show: Show, verb: Any, args: list[Any], options: dict[str, Any]) -> None:
    html = body(show(verb, *args, **options))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("texts", "right"),
    [
        (["2,190", "7.3 %", "USD 4,350", "−1.2 M", ""], True),
        (["1.2 to 3.4", "−0.4 to +15", "–"], True),
        (["11.3 M (9.8 M to 12.8 M)", "+592 k (1 to 2)"], True),
        (["≥ 95 %", "3 to 6 %", "3 months"], True),
        (["7.3 %", "not known", "∞"], True),
        (["not known"], False),
        (["7.3 %", "soon"], False),
        (["2025-01-03", "soon"], False),
        (["101.6 %, above", "89.0 k"], True),
        (["101.6 %, above or so"], False),
        (["", "–"], False),
    ],
)
def test_texts_that_are_figures_stand_to_the_right_but_not_the_names_of_rows(
    show: Show, texts: list[str], right: bool
) -> None:
    html = body(show(display.table, pd.DataFrame({"id": texts, "value": texts}), name="told", caption="Told"))
    assert ('<th scope="col" class="cs-right">value</th>' in html) is right
    assert '<th scope="col">id</th>' in html
    assert html.count('<td class="cs-right">') == len(texts) * right


@pytest.mark.parametrize("days", [["2025-01-03", None], pd.to_datetime(["2025-01-03", "2025-02-01"])])
def test_days_are_kept_whole(show: Show, days: Any) -> None:
    html = body(show(display.table, pd.DataFrame({"id": ["a", "b"], "day": days}), name="told", caption="Told"))
    assert '<td class="cs-day">2025-01-03</td>' in html


def test_a_range_is_kept_whole_beside_other_texts(show: Show) -> None:
    words = ["as usual", "within 2.7 to 6.8 %", "a range within 2.7 to 6.8"]
    html = body(show(display.table, pd.DataFrame({"id": list("abc"), "change": words}), name="told", caption="Told"))
    kept = unbroken(words[1])
    assert f"<td>{words[0]}</td>" in html
    assert f"<td class=cs-whole>{kept}</td>" in html
    assert html.count("cs-whole") == 1


def test_a_table_shows_the_first_rows_and_says_so(show: Show) -> None:
    df = pd.DataFrame({"plan": ["a"] * 1204, "mrr_total": range(1204)})
    data = show(display.table, df, name="big", caption="Plans")
    html = body(data)
    assert html.count("<tr>") == 16
    assert "15 of 1,204 rows" in html
    assert '<th scope="col" class="cs-num">mrr total</th>' in html
    assert data[MIME] == {
        "kind": "table",
        "name": "big",
        "rows": 1204,
        "columns": ["plan", "mrr_total"],
        "caption": "Plans",
    }


def test_no_download_is_offered_outside_a_report(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(display.RUN_DIR, raising=False)
    html = body(show(display.table, pd.DataFrame({"a": [1]}), name="t", caption="T"))
    assert "href" not in html


def test_cells_follow_their_type(show: Show) -> None:
    df = pd.DataFrame(
        {
            "share": [0.5, None],
            "day": pd.to_datetime(["2025-01-31", None]),
            "left": [True, False],
            "id": ["007", pd.NA],
            "whole": pd.array([3, None], dtype="Int64"),
        }
    )
    html = body(show(display.table, df, name="t", caption="T", formats={"share": "percent"}))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    assert cells == ["50.0\N{NO-BREAK SPACE}%", "2025-01-31", "yes", "007", "3", "–", "–", "no", "–", "–"]


def test_a_table_without_rows_is_not_shown_and_its_file_has_the_header(show: Show, run_dir: Any) -> None:
    data = show(display.table, pd.DataFrame({"a": [], "b": []}), name="none", caption="Nobody")
    assert body(data) == ""
    assert data["text/plain"] == "Nobody (0 rows)"
    assert (run_dir / "none.csv").read_text() == "a,b\n"


def rows_for_the_script(html: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(html.split('<script type="application/json">')[1].split("</script>")[0])
    return found


def test_a_report_holds_all_rows_of_a_table_for_its_reader_to_search(show: Show, run_dir: Any) -> None:
    df = pd.DataFrame(
        {"who": [f"{EVIL}{i}" for i in range(20)], "risk": [0.5, float("nan"), *[0.25] * 18], "new": True}
    )
    html = body(show(display.table, df, name="all", caption="All", formats={"risk": "percent"}))
    assert html.count("<script") == 1  # what stands in the rows is none
    packed = rows_for_the_script(html)
    assert packed["rows"][0] == [f"{EVIL}0", "50.0\N{NO-BREAK SPACE}%", "yes"]
    assert packed["rows"][1] == [f"{EVIL}1", "–", "yes"]
    assert packed["ranks"] == {"1": [2, None, *[1] * 18]}


@pytest.mark.parametrize("text", ['see "https://x.org/?q=1"', "https://joe:secret@x.org/a\\", 'https://x.org?a="&b="'])
def test_rows_for_the_script_stay_whole_where_addresses_lose_their_secrets(show: Show, run_dir: Any, text: str) -> None:
    html = body(show(display.table, pd.DataFrame({"who": [text] * 20}), name="all", caption="All"))
    packed = rows_for_the_script(html)
    assert packed["rows"][0] == [without_secrets(text)]
    assert rows_for_the_script(without_secrets(html)) == packed


@pytest.mark.parametrize("n", [15, display.MOST_ROWS + 1])
def test_a_page_holds_no_more_rows_than_there_are_to_search(show: Show, run_dir: Any, n: int) -> None:
    assert "<script" not in body(show(display.table, pd.DataFrame({"n": range(n)}), name="n", caption="N"))


def test_a_notebook_keeps_the_shown_rows_only(show: Show) -> None:
    assert "<script" not in body(show(display.table, pd.DataFrame({"n": range(99)}), name="n", caption="N"))


def test_the_file_is_exact(show: Show, run_dir: Any) -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame(
        {
            "x": rng.random(50) * 10.0 ** rng.integers(-20, 20, 50),
            "n": rng.integers(-5, 5, 50),
            "day": pd.date_range("2024-02-27", periods=50),
            "at": pd.date_range("2024-02-27 12:30:01", periods=50, freq="h"),
            "id": [f"{i:05d}" for i in range(50)],
            "month": pd.period_range("2024-01", periods=50, freq="M"),
            "group": pd.Categorical(["-a", "b"] * 25),
        }
    )
    df.loc[3, ["x", "day", "id"]] = None
    before = df.copy()
    show(display.table, df, name="exact", caption="T")
    back = pd.read_csv(run_dir / "exact.csv", dtype={"id": str}, float_precision="round_trip")
    pd.testing.assert_frame_equal(df, before)
    assert (back["x"].dropna() == df["x"].dropna()).all()
    assert (back["n"] == df["n"]).all()
    assert list(back.loc[3, ["x", "day", "id"]].isna()) == [True, True, True]
    assert back.loc[0, ["day", "at", "id", "month", "group"]].tolist() == [
        *("2024-02-27", "2024-02-27T12:30:01.000000", "00000", "2024-01", "'-a")
    ]


def test_a_spreadsheet_runs_no_cell_as_a_formula(show: Show, run_dir: Any) -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "fine", "a=b", -1, 2.5, None]
    df = pd.DataFrame({"=head": pd.Series(cells, dtype=object), "number": -1.5})
    show(display.table, df, name="guard", caption="T")
    back = pd.read_csv(run_dir / "guard.csv", keep_default_na=False, dtype=str)
    assert back["'=head"].tolist() == [*("'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "fine", "a=b", "-1", "2.5", "")]
    assert set(back["number"]) == {"-1.5"}


@pytest.mark.parametrize("name", ["", "Big", "1st", "../x", "a-b", "a.csv"])
def test_names_that_cannot_name_a_file_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="cannot name a file"):
        display.table(pd.DataFrame({"a": [1]}), name=name, caption="T")


def test_a_label_for_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'region'"):
        display.table(pd.DataFrame({"region": [1]}), name="t", caption="T", labels={"regoin": "x"})


def test_a_figure_is_the_same_bytes_each_time(show: Show) -> None:
    first, second = (body(show(display.figure, chart(), **WORDS)) for _ in range(2))
    assert first == second
    assert "date" not in first.lower()


def test_figures_keep_to_themselves_in_a_page(show: Show) -> None:
    one, two = (body(show(display.figure, chart(), **{**WORDS, "name": n})) for n in ("one", "two"))
    ids = [set(re.findall(r' id="([^"]+)"', html)) for html in (one, two)]
    assert ids[0]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', one))
    assert used == ids[0]
    assert "<style" not in one


def test_a_figure_takes_the_colours_of_the_page(show: Show) -> None:
    html = body(show(display.figure, chart(), **WORDS))
    assert "stroke: var(--ink, #1b1f24)" in html
    assert "fill: var(--ground, #ffffff)" in html
    assert re.search(r"<text[^>]*fill: #ffffff[^>]*>on a mark", html)  # as on a dark cell of a heat map
    assert "DejaVu" not in html


def test_a_figure_says_in_words_what_it_shows(show: Show) -> None:
    data = show(display.figure, chart(), **WORDS)
    assert 'role="img" aria-label="A line falls."' in body(data)
    with pytest.raises(ParameterError, match="alt"):
        display.figure(chart(), **{**WORDS, "alt": " "})


def test_a_figure_brings_its_table(show: Show, run_dir: Any) -> None:
    html = body(show(display.figure, chart(), **WORDS, data=pd.DataFrame({"a": [1]})))
    assert (run_dir / "x.csv").read_text() == "a\n1\n"
    assert 'href="some_report/x.csv"' in html


@pytest.mark.parametrize("size", [4, 7, 10, 14])
def test_the_smallest_text_of_a_figure_stays_legible(show: Show, size: int) -> None:
    fig = chart()
    fig.axes[0].text(0, 0, "small", fontsize=size)
    html = body(show(display.figure, fig, **WORDS))
    width, least, most = (
        float(re.search(p, html)[1]) for p in (r'viewBox="0 0 (\S+)', r"min-width:(\d+)", r"max-width:(\d+)")
    )  # type: ignore[index]
    assert min(size, 10) * least / width >= 10
    assert most >= least


def test_many_marks_become_a_picture(show: Show) -> None:
    html = body(show(display.figure, chart(6000), **WORDS))
    assert '<img alt="A line falls."' in html
    assert "<svg" not in html


def test_a_figure_is_closed(show: Show) -> None:
    mpl.use("agg")
    from matplotlib import pyplot as plt

    fig, _ = plt.subplots()
    show(display.figure, fig, **WORDS)
    assert not plt.fignum_exists(fig.number)


def test_a_note_knows_bold_only(show: Show) -> None:
    data = show(display.note, "**30 %** leave _early_", kind="answer")
    assert body(data) == '<p class="cs cs-answer"><strong>30\N{NO-BREAK SPACE}%</strong> leave _early_</p>'
    assert data["text/plain"] == "30 % leave _early_"
    assert data[MIME] == {"kind": "answer", "text": "**30 %** leave _early_"}
    with pytest.raises(ParameterError, match="Did you mean 'answer'"):
        display.note("x", kind="anser")


def test_a_note_can_be_the_subtitle_or_say_how_to_read(show: Show) -> None:
    assert body(show(display.note, "12 **orders**", kind="subtitle")) == (
        '<p class="cs cs-subtitle">12 <strong>orders</strong></p>'
    )
    data = show(display.note, "Down is **worse**.", kind="how_to_read")
    assert body(data) == (
        '<details class="cs how"><summary>How to read this</summary><p>Down is <strong>worse</strong>.</p></details>'
    )
    assert data[MIME] == {"kind": "how_to_read", "text": "Down is **worse**."}


@pytest.mark.parametrize("day", ["2025-13-01", "soon", "2025-02-30", 20250101])
def test_a_data_check_has_a_day_or_none(day: object) -> None:
    with pytest.raises(ParameterError, match=f"as_of is {day!r}, which is no date. Write it as YYYY-MM-DD"):
        display.data_check({**CHECK, "as_of": day})


def test_one_row_is_one_row(show: Show) -> None:
    table = {"table": "customers", "rows": 1, "first": None, "last": None, "set_aside": 1}
    html = body(show(display.data_check, {**CHECK, "tables": [table]}))
    assert "<span>customers 1 row</span><span><i> · </i>" in html
    assert ">customers: 1 row set aside</li>" in html
    assert "<li" not in body(show(display.data_check, {**CHECK, "tables": [{**table, "set_aside": 0}]}))


def test_the_data_check_is_never_a_wall(show: Show) -> None:
    data = show(display.data_check, {**CHECK, "warnings": [f"warning {i}" for i in range(40)]})
    html = body(data)
    assert "customers 4,000 rows, 1 July 2022 to 30 June 2025" in html
    assert "customers: 3 rows set aside" in html
    assert "47.0\N{NO-BREAK SPACE}% are still customers" in html
    assert html.split("<details>")[0].count("<li>warning") == 5
    assert "35 more" in html


def test_a_bare_data_check_shows(show: Show) -> None:
    bare = {"source": "data", "as_of": None, "tables": [], "share_censored": None}
    assert show(display.data_check, bare)[MIME]["check"]["as_of"] is None


def test_of_a_wide_table_the_first_columns_are_shown_and_all_are_kept(show: Show, run_dir: Any) -> None:
    wide = pd.DataFrame([range(20)], columns=[f"c{i}" for i in range(20)])
    html = body(show(display.table, wide, name="wide", caption="Wide"))
    assert "1 row, 13 of 20 columns" in html
    assert "c12" in html
    assert "c13" not in html
    assert pd.read_csv(run_dir / "wide.csv").shape == (1, 20)


def test_a_file_that_holds_other_rows_than_are_shown_says_how_many(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(display.RUN_DIR, str(tmp_path))
    some, every = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2, 3]})
    told = body(show(display.table, some, name="some", caption="Some", data=every))
    assert re.search(r"Download some.csv \(3 rows\)</a> · <span [^>]*>1 row shown<", told)
    alike = body(show(display.table, every, name="every", caption="Every"))
    assert re.search(r"Download every.csv</a> · <span [^>]*>3 rows<", alike)
