"""What charts tell at their points lies where the points are drawn."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cslib.show import hover
from cslib.show.charts import lines_with_bands, new_axes
from cslib.show.drawing import drawing
from cslib.show.estimates import calibration_plot, forest_plot, retention_heatmap
from cslib.show.formats import without_secrets
from cslib.show.hover import points_of, sharing


def drawn(axes) -> tuple[str, list[list]]:
    html = drawing(axes.figure, "a", "alt")
    return html, points_of(html)


def test_points_lie_on_the_line():
    axes = new_axes(3)
    (line,) = axes.plot([0, 3, 7], [5.0, 1.0, 4.0])
    hover.belongs(4, line)
    hover.tell(axes, [0, 3, 7], [5.0, 1.0, 4.0], ["a", "b", "c"], series=4)
    html, points = drawn(axes)
    path = re.search(r'data-s="4"><path d="([^"]*)"', html)[1]
    ends = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", path)]
    assert [text for _, _, text, _ in points] == ["a", "b", "c"]
    assert {series for *_, series in points} == {4}
    assert np.allclose([p[:2] for p in points], ends, atol=0.1)


def test_the_scale_of_a_picture_is_told_with_it(monkeypatch):
    axes = new_axes(3)
    hover.tell(axes, [0.5], [0.5], ["half"])
    monkeypatch.setattr("cslib.show.drawing.SVG_LIMIT", 0)
    html, points = drawn(axes)
    width = float(re.search(r'data-width="([\d.]+)"', html)[1])
    shown = float(re.search(r"width:(\d+)px", html)[1])
    assert html.startswith("<img")
    assert shown == pytest.approx(width * 96 / 72, abs=2)
    assert 0 < points[0][0] < width


def test_a_figure_that_tells_nothing_has_no_points():
    assert "data-points" not in drawn(new_axes(3))[0]
    axes = new_axes(3)
    hover.tell(axes, [np.nan, 1.0], [1.0, np.inf], ["a", "b"])
    assert "data-points" not in drawn(axes)[0]


@pytest.mark.long
@given(st.integers(1, 2000))
def test_long_lines_tell_a_limited_number_of_points_and_the_last(n):
    axes = new_axes(2)
    hover.tell(axes, range(n), np.zeros(n), map(str, range(n)), line=True)
    kept = [text for _, _, text in hover._told.pop(axes.figure)[0].points]
    assert len(kept) <= hover.MOST + 1
    assert (kept[0], kept[-1]) == ("0", str(n - 1))
    assert len(kept) == n or n > hover.MOST


CURVE = pd.DataFrame(
    {"segment": ["All", "All", "Team", "Team"], "month": [0, 1, 0, 1], "share": [1.0, 0.5, 1.0, 0.25],
     "ci_lower": [np.nan, 0.4, np.nan, 0.1], "ci_upper": [np.nan, 0.6, np.nan, 0.4], "n_at_risk": [90, 40, 30, 12]}
)  # fmt: skip


def test_a_line_tells_value_interval_and_n():
    axes = lines_with_bands(CURVE, x="month", y="share", x_label="months on", n="n_at_risk", n_label="still followed")
    texts = [text for _, _, text, _ in drawn(axes)[1]]
    assert "All, 1 month on\n50.0 % (40.0 to 60.0)\n40 still followed" in texts
    assert "Team, 1 month on\n25.0 % (10.0 to 40.0)\n12 still followed" in texts
    assert "Team, 0 months on\n100 %\n30 still followed" in texts


def test_one_line_alone_needs_no_name_and_dates_are_named():
    dated = CURVE[CURVE["segment"] == "All"].assign(month=pd.to_datetime(["2025-01-01", "2025-02-01"]))
    texts = [text for *_, text, _ in drawn(lines_with_bands(dated, x="month", y="share", x_label=""))[1]]
    assert texts[1] == "Feb 2025\n50.0 % (40.0 to 60.0)"


def test_every_line_and_its_name_belong_together():
    html, points = drawn(lines_with_bands(CURVE, x="month", y="share", x_label="months on"))
    for series, name in enumerate(("Team", "All")):
        assert len(re.findall(f'data-s="{series}"', html)) == 3  # line, band, name
        assert {s for *_, text, s in points if text.startswith(name)} == {series}


def test_estimates_cells_and_groups_tell_theirs():
    rows = pd.DataFrame({"plan": ["Pro"], "ratio": [1.5], "ci_lower": [1.1], "ci_upper": [2.0], "n": [120]})
    chart = forest_plot(rows, estimate="ratio", label="plan", x_label="times", n="n", reference=1, log_scale=True)
    assert [t for *_, t, _ in drawn(chart)[1]] == ["Pro\n1.50 (1.10 to 2.00)\nn 120"]
    groups = pd.DataFrame({"predicted": [0.2], "observed": [0.25], "ci_lower": [0.2], "ci_upper": [0.3]})
    chart = calibration_plot(groups, x_label="predicted", y_label="observed")
    assert [t for *_, t, _ in drawn(chart)[1]] == ["predicted 20.0 %\n25.0 % observed (20.0 to 30.0)"]
    cells = pd.DataFrame(
        {"segment": "All", "cohort": pd.to_datetime(["2025-01-01"] * 2 + ["2025-02-01"]), "period_index": [0, 1, 0],
         "n_customers": [8, 8, 5], "retention_rate": [1.0, 0.75, 1.0]}
    )  # fmt: skip
    found = {t: (x, y) for x, y, t, _ in drawn(retention_heatmap(cells))[1]}
    assert set(found) == {f"{c}, {k} month{'s' * (k != 1)} on\n{r} %\nof {n} customers" for c, k, r, n in (
        ("Jan 2025", 0, "100", 8), ("Jan 2025", 1, "75.0", 8), ("Feb 2025", 0, "100", 5))}  # fmt: skip
    one, other, below = (found[t] for t in sorted(found, key=lambda t: ("Feb" in t, ", 1" in t)))
    assert one[1] == other[1] < below[1]
    assert one[0] == below[0] < other[0]


def test_every_cell_of_a_large_triangle_tells_its_own():
    months = pd.date_range("2022-01-01", periods=24, freq="MS")
    cells = [
        (month, k, 0.9**k, 100 + row) for row, month in enumerate(months) for k in range(24 - row)
    ]  # fmt: skip
    table = pd.DataFrame(cells, columns=["cohort", "period_index", "retention_rate", "n_customers"])
    _, points = drawn(retention_heatmap(table.assign(segment="All"), period="month"))
    assert len(points) == 24 * 25 / 2
    assert len({text for _, _, text, _ in points}) == len(points)


def test_points_stay_whole_where_addresses_lose_their_secrets():
    axes = new_axes(3)
    hover.tell(axes, [0, 1], [0, 1], ["https://x.org/?a=1\n63 %\nof 7", 'from "https://joe:secret@x.org/?b"'])
    html, points = drawn(axes)
    assert [text for _, _, text, _ in points] == ["https://x.org/\n63 %\nof 7", 'from "https://x.org/"']
    assert points_of(without_secrets(html)) == points


def test_a_drawing_shares_the_texts_of_another_and_keeps_its_own_places():
    axes, other = new_axes(3), new_axes(3)
    hover.tell(axes, [0, 1], [0, 1], ["it's <b>", "b"], series=1)
    hover.tell(other, [0, 1, 2], [5, 6, 7], ["it's <b>", "b", "own"], series=1)
    wide, slim = drawn(axes)[0], drawn(other)[0]
    shared, full = points_of(sharing(slim, wide)), points_of(slim)
    assert [p[:2] for p in shared] == [p[:2] for p in full]
    assert [p[2:] for p in shared] == [[0], [1], ["own", 1]]
    assert sharing("<svg></svg>", wide) == "<svg></svg>"
