"""Charts drawn for a telephone: as wide as its screen, nothing cut, no text on another."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from cslib.report.html import _belonging as belonging
from cslib.revenue.charts import layer_cake, movement_bars, waterfall_chart
from cslib.show import charts, estimates
from cslib.show.drawing import drawing, is_slim, slim
from cslib.show.result import Result
from cslib.surveys.charts import answer_bars, answer_distribution, score_heatmap

SCREEN = 325  # pixels beside the margins of a telephone of 360
LONG = ["Education and public sector", "Gross- und Einzelhandel", "Unternehmensberatungsgesellschaften", "SMB"]
SHORT = ["Starter", "Team", "Enterprise"]
MONTHS = pd.date_range("2022-07-01", periods=36, freq="MS")


def curves(names: list[str], x: Any, n: int = 12_345) -> pd.DataFrame:
    parts = []
    for i, name in enumerate(names):
        level = 0.9 - 0.1 * i - 0.4 * np.linspace(0, 1, len(x))
        part = pd.DataFrame({"segment": name, "x": x, "y": level, "ci_lower": level - 0.05, "ci_upper": level + 0.05})
        parts.append(part.assign(n=np.linspace(n, 100, len(x)).astype(int) + i))
    return pd.concat(parts, ignore_index=True)


def lines(segments: list[str], x: Any, **how: Any) -> Callable[[], Axes]:
    return lambda: charts.lines_with_bands(
        curves(segments, x), x="x", y="y", x_label="months since the customer's first paid day", n="n",
        y_label="customers who were there at the start and have stayed until then", **how,
    )  # fmt: skip


def panels(segments: list[str], **how: Any) -> Callable[[], Axes]:
    return lambda: charts.panels_with_bands(curves(segments, MONTHS), x="x", y="y", x_label="", n="n", **how)


def forest(names: list[str], **how: Any) -> Callable[[], Axes]:
    level = np.linspace(0.4, 1.9, len(names))
    table = pd.DataFrame({"name": names, "level": level, "ci_lower": level * 0.8, "ci_upper": level * 1.3, "n": 12_345})
    table = table.assign(term=["plan", "region"] * (len(names) // 2) + ["plan"] * (len(names) % 2)).sort_values("term")
    columns = {"estimate": "level", "label": "name", "group": "term", "n": "n", "x_label": "rate of leaving"}
    return lambda: estimates.forest_plot(table, **columns, **how)


def triangle(period: str, names: dict[int, str] | None = None) -> Callable[[], Axes]:
    ages = range(len(names)) if names else range(25)
    rows = [
        (day, k, 1_234 + i, 0.99**k if k <= 36 - i else np.nan) for i, day in enumerate(MONTHS) for k in ages
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["cohort", "period_index", "n_customers", "retention_rate"])
    pooled = pd.DataFrame({"period_index": ages, "n_customers": 45_678, "retention_rate": 0.5}).assign(segment="All")
    how: Any = {"period": period, "names": names, "pooled": pooled, "split": MONTHS[20]}
    return lambda: estimates.retention_heatmap(table.assign(segment="All"), **how)


def bars(names: list[str]) -> Callable[[], Axes]:
    table = pd.DataFrame({"name": names, "n_promoters": 500, "n_passives": 300, "n_detractors": 200})
    table = table.assign(n_responses=1000, nps=30.0, ci_lower=25.0, ci_upper=35.0)
    groups = ["n_promoters", "n_passives", "n_detractors"]
    return lambda: answer_bars(table, label="name", groups=groups, score="nps", score_label="NPS, −100 to 100")


def scores() -> Axes:
    groups = ["detractors"] * 7 + ["passives"] * 2 + ["promoters"] * 2
    table = pd.DataFrame({"score": range(11), "group": groups, "n": 1_234, "share": np.linspace(0.01, 0.3, 11)})
    table = table.assign(ci_lower=table["share"] * 0.9, ci_upper=table["share"] * 1.1)
    return answer_distribution(table, groups=["promoters", "passives", "detractors"], x_label="answer, 0 to 10")


def grid(names: list[str], columns: list[str]) -> Callable[[], Axes]:
    rows = [(a, b, 10.0 * i - 3 * k, 1_234) for i, a in enumerate(names) for k, b in enumerate(columns)]
    table = pd.DataFrame(rows, columns=["row", "column", "nps", "n_responses"])
    return lambda: score_heatmap(table, row="industry", column="region", score="nps")


def waterfall() -> Axes:
    moved = {"new": 28_600.0, "reactivation": 4_611.0, "expansion": 17_100.0, "contraction": -900.0, "churn": -18_000.0}
    ends = 785_000.0 + np.cumsum([0.0, *moved.values()])
    steps = pd.DataFrame({"step": ["opening", *moved], "amount": [785_000.0, *moved.values()], "end": ends})
    steps["start"] = [0.0, *ends[:-1]]
    last = {"step": "closing", "amount": ends[-1], "start": 0.0, "end": ends[-1]}
    return waterfall_chart(pd.concat([steps, pd.DataFrame([last])], ignore_index=True), currency="USD")


def movements() -> Axes:
    amounts = {"new": 30_000.0, "expansion": 9_000.0, "reactivation": 2_000.0, "churn": -9_000.0, "contraction": -900.0}
    return movement_bars(pd.DataFrame({"month": MONTHS, **amounts}), currency="USD")


def cake() -> Axes:
    years = [str(y) for y in range(2014, 2026)]
    rows = [(y, month, 1e5) for y in years for month in MONTHS]
    return layer_cake(pd.DataFrame(rows, columns=["cohort", "month", "mrr"]), currency="USD")


def calibration() -> Axes:
    table = pd.DataFrame({"predicted": [0.05, 0.1, 0.4], "observed": [0.06, 0.1, 0.3]})
    return estimates.calibration_plot(
        table.assign(ci_lower=table["observed"] - 0.02, ci_upper=table["observed"] + 0.02),
        x_label="predicted share leaving within six months", y_label="observed share",
    )  # fmt: skip


BRACKETS = {i: f"{7 * i + 1} to {7 * i + 7}" for i in range(6)}
CHARTS = {
    "one line": lines(["All"], range(37)),
    "lines": lines(["All", *SHORT], range(37)),
    "steps": lines(SHORT, range(37), line="steps"),
    "long names": lines(["All", *LONG], range(37)),
    "eight long names": lines([f"{name} {k}" for name in LONG for k in (1, 2)], range(37)),
    "dates": lines(["All", *SHORT], MONTHS),
    "few dates": lines(["All"], MONTHS[:3]),
    "brackets": lines(["2023", "2024"], range(6), names=BRACKETS),
    "one point": lines(SHORT, [0]),
    "panels": panels(["All", *SHORT]),
    "eight panels": panels(
        ["All", *(f"{name} {k}" for name in LONG for k in (1, 2))], y_label="of what they paid first"
    ),
    "money": lines(["expected", "what happened"], MONTHS, unit="number"),
    "ratios": forest([*SHORT, *LONG], reference=1.0, log_scale=True),
    "differences": forest([*SHORT, *LONG], reference=0.0),
    "many rows": forest([f"Industry number {i}" for i in range(30)]),
    "triangle": triangle("month"),
    "triangle of weeks": triangle("week", BRACKETS),
    "bars": bars(["All", *SHORT]),
    "bars of long names": bars([f"industry: {name}" for name in LONG]),
    "answers": scores,
    "grid": grid(SHORT, ["APAC", "Americas", "EMEA"]),
    "grid of long names": grid(LONG, [*LONG, *SHORT, "Other"]),
    "waterfall": waterfall,
    "movements": movements,
    "layers": cake,
    "calibration": calibration,
}


def texts(axes: Axes) -> list[tuple[str, Any]]:
    """All texts of a chart with the boxes that they take, in points."""
    figure = axes.figure
    figure.dpi = 72
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = figure.findobj(lambda a: isinstance(a, Text) and a.get_visible() and a.get_text().strip())
    straight = [t for t in found if _drawn(t) and t.get_rotation() in (0, 90)]  # else the box says little
    return [(t.get_text(), Text.get_window_extent(t, canvas.get_renderer())) for t in straight]


def _drawn(text: Any) -> bool:
    """Leave out labels of ticks beyond the ends of their axis, which are never drawn."""
    axes = [axis for a in text.figure.axes for axis in (a.xaxis, a.yaxis)]
    own = [(axis, t) for axis in axes for t in axis.get_major_ticks() if text in (t.label1, t.label2)]
    ends = [(t.get_loc(), *sorted(axis.get_view_interval())) for axis, t in own]
    return all(low - 1e-9 <= at <= high + 1e-9 for at, low, high in ends)


@pytest.mark.long
@pytest.mark.parametrize("name", CHARTS)
def test_a_slim_chart_is_as_wide_as_a_telephone_with_texts_of_ten_pixels_none_on_another(name: str) -> None:
    with slim():
        axes = CHARTS[name]()
        found = texts(axes)
        html = drawing(axes.figure, "a", "alt")
    assert 250 < int(html.split("min-width:")[1].split("px")[0]) <= SCREEN
    assert len(found) > 3
    for (one, a), (other, b) in combinations(found, 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(across, down) < 2, (one, other)


@pytest.mark.parametrize("name", ["bars", "bars of long names"])
def test_no_name_or_its_ground_reaches_into_a_bar(name: str) -> None:
    with slim():
        axes = CHARTS[name]()
        texts(axes)
    tops = [patch.get_window_extent() for patch in axes.patches]
    for text in axes.texts:
        under = Text.get_window_extent(text)
        clear = [bar.y1 < under.y0 - 1 or bar.y0 > under.y1 or bar.width == 0 for bar in tops]
        assert all(clear) or text.get_text().isdigit(), text.get_text()
        assert text.get_zorder() < axes.patches[0].get_zorder() or not text.get_bbox_patch()


def test_figures_have_a_ground_over_the_line_of_the_reference() -> None:
    with slim():
        axes = CHARTS["ratios"]()
    reference = next(line for line in axes.lines if line.get_linestyle() == "--")
    figures = [t for t in axes.texts if " n " in t.get_text()]
    assert figures
    for text in figures:
        assert text.get_bbox_patch().get_facecolor()[3] == 1
        assert reference.get_zorder() < text.get_zorder()


def test_a_result_shows_both_drawings_and_the_wide_one_stands_alone_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    table = curves(SHORT, range(37))
    how: Any = {"x": "x", "y": "y", "x_label": "months"}
    result = Result("curve", table, title="They leave", chart=lambda: charts.lines_with_bands(table, **how))
    result._ipython_display_()
    html = shown[0]["text/html"]
    slim_one, wide = re.findall(r'<div class="(cs-scroll[^"]*)"[^>]*><svg viewBox="0 0 ([\d.]+) ', html)
    assert (slim_one[0], wide[0]) == ("cs-scroll cs-slim", "cs-scroll")
    assert float(slim_one[1]) < SCREEN < 600 < float(wide[1])
    views = re.findall('role="region" aria-label="([^"]*)"', belonging(html * 2, "all"))
    assert views == ["They leave", "They leave", "They leave (2)", "They leave (2)"]  # one of both is seen at a time
    assert not is_slim()
    assert result.plot().figure.get_figwidth() == charts.WIDTH
