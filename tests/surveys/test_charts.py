import io
from contextlib import nullcontext
from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from survey_world import by_period, counted

from cslib.errors import ParameterError
from cslib.show.charts import GROUND, INK, PALETTE, panels_with_bands
from cslib.show.colours import WELL
from cslib.show.drawing import drawing, slim
from cslib.show.estimates import MAX_ROWS
from cslib.show.hover import points_of
from cslib.surveys.charts import (
    answer_bars,
    answer_distribution,
    bar_rows,
    said_alone,
    score_heatmap,
    trend_rows,
    with_dots,
)
from cslib.surveys.scores import scores, trend

GROUPS = ("n_promoters", "n_passives", "n_detractors")


def bars(rows=2, **more):
    table = pd.DataFrame(
        {"name": [f"s{i}" for i in range(rows)], "n_responses": 20, "nps": 45.0, "ci_lower": 10.0, "ci_upper": 70.0}
    )
    table = table.assign(n_promoters=10, n_passives=9, n_detractors=1).assign(**more)
    return answer_bars(table, label="name", groups=GROUPS, score="nps", score_label="NPS, −100 to 100")


def texts(axes):
    return [t.get_text() for t in axes.texts]


def test_bars_are_shares_of_a_whole_from_best_to_worst():
    axes = bars()
    widths = np.array([p.get_width() for p in axes.patches]).reshape(3, 2)
    assert widths[:, 0] == pytest.approx([0.5, 0.45, 0.05])
    assert widths.sum(axis=0) == pytest.approx(1)
    assert to_hex(axes.patches[0].get_facecolor()) == WELL


def test_only_wide_parts_have_a_figure_and_all_groups_a_name():
    names = ["promoters", "passives", "detractors"]
    assert texts(bars(1)) == ["50", "45", "5", *names]
    narrow = bars(1, n_responses=100, n_promoters=50, n_passives=47, n_detractors=3)
    assert texts(narrow) == ["50", "47", "3", *names]
    beside = narrow.texts[2]
    assert beside.get_position()[0] > 1, "the worst stand last: their figure has room beside the bar"
    assert narrow.get_xlim()[1] > 1
    assert texts(bars(2, n_promoters=10, n_passives=[9.5, 6], n_detractors=[0.5, 4]))[4:6] == ["2", "20"], "all beside"
    assert texts(bars(1, n_responses=100, n_promoters=2, n_passives=98, n_detractors=0)) == ["98", *names]


def test_shares_are_read_off_to_the_whole_whose_tick_ends_at_the_bars():
    axes = bars()
    axes.figure.savefig(io.BytesIO())
    labels = axes.get_xticklabels()
    assert [(t.get_text(), t.get_ha()) for t in (labels[0], labels[-1])] == [("0 %", "center"), ("100 %", "right")]


def test_both_axes_stand_apart():
    axes = bars()
    axes.figure.savefig(io.BytesIO())
    shares, scored = (panel.get_position() for panel in axes.figure.axes)
    assert 72 * axes.figure.get_figwidth() * (scored.x0 - shares.x1) > 15


def test_the_score_stands_beside_with_its_interval():
    scores = bars().figure.axes[1]
    assert texts(scores) == ["45.0 (10.0 to 70.0)"] * 2
    assert scores.get_xlabel() == "NPS, −100 to 100"


@pytest.mark.parametrize("width", [nullcontext, slim])
@pytest.mark.parametrize(("low", "high"), [(3.05, 4.05), (20, 51), (0.6, 0.8), (-80, 90), (3.4, 3.6)])
def test_an_axis_of_scores_has_three_ticks_at_least(low, high, width):
    with width():
        axes = bars(nps=(low + high) / 2, ci_lower=low, ci_upper=high).figure.axes[1]
        inside = [at for at in axes.get_xticks() if axes.get_xlim()[0] <= at <= axes.get_xlim()[1]]
    assert 3 <= len(inside) <= 9


def test_a_row_without_an_interval_and_one_without_answers():
    axes = bars(2, ci_lower=[np.nan, 10], ci_upper=[np.nan, 70], n_responses=[0, 20], nps=[np.nan, 45])
    assert texts(axes.figure.axes[1])[0] == "–"
    assert axes.patches[0].get_width() == 0


def test_too_many_rows_and_missing_columns_are_refused():
    with pytest.raises(ParameterError, match=f"Keep {MAX_ROWS} at most"):
        bars(MAX_ROWS + 1)
    with pytest.raises(ParameterError, match="no column 'score'"):
        answer_distribution(pd.DataFrame({"a": [1]}), groups=("x", "y", "z"), x_label="")


def test_distribution_has_a_bar_and_a_number_per_answer():
    table = pd.DataFrame(
        {"score": range(1, 6), "group": ["bad", "bad", "so", "good", "good"], "n": [0, 5, 5, 1200, 20]}
    )
    share = table["n"] / table["n"].sum()
    axes = answer_distribution(
        table.assign(share=share, ci_lower=share, ci_upper=share + 0.01), groups=("good", "so", "bad"), x_label="answer"
    )
    assert [p.get_height() for p in axes.patches] == pytest.approx(list(share))
    assert [to_hex(lines.get_color()[0]) for lines in axes.collections] == [GROUND, INK], "seen on bars of every colour"
    assert {"1,200", "good", "so", "bad"} <= set(texts(axes))
    assert to_hex(axes.patches[4].get_facecolor()) == WELL


def test_heatmap_writes_the_score_and_the_answers_and_hatches_what_is_hidden():
    table = pd.DataFrame(
        {"row": list("aab"), "column": list("xyx"), "nps": [40.2, -3.0, 12.0], "n_responses": [10, 20, 30]}
    )
    axes = score_heatmap(table, row="plan", column="region", score="nps")
    assert sorted(texts(axes)) == ["12\nn 30", "40\nn 10", "−3\nn 20"]
    assert sum(bool(p.get_hatch()) for p in axes.patches) == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("region", "plan")


def test_small_differences_look_small():
    """30 and 40 of 200 possible points: a tenth of the colours apart if 100 are the least, else most of them."""
    table = pd.DataFrame({"row": ["a", "b"], "column": "c", "nps": [30.0, 40.0], "n_responses": 50})

    def apart(**more):
        shades = score_heatmap(table, row="r", column="c", score="nps", **more).collections[0]
        return float(np.ptp(shades.norm(np.array([30.0, 40.0]))))

    assert apart(least=100) == pytest.approx(0.1)
    assert apart(least=20) == pytest.approx(0.5)
    assert apart() == pytest.approx(1 / 1.4)


def test_a_slim_heatmap_without_room_for_numbers_tells_them_at_its_cells():
    table = pd.DataFrame({"row": "a", "column": list("tuvwxyz"), "nps": range(7), "n_responses": 20})
    with slim():
        axes = score_heatmap(table, row="plan", column="region", score="nps")
    assert "3.0" in texts(axes)
    assert points_of(drawing(axes.figure, "x", "Scores."))[3][2] == "a, w\n3.0\nn 20"


def test_heatmap_of_shares_is_in_percent_and_of_means_has_a_decimal():
    table = pd.DataFrame(
        {"row": list("ab"), "column": list("xy"), "csat": [0.5, 0.734], "ces": [3.21, 4.0], "n_responses": 9}
    )
    assert "73\nn 9" in texts(score_heatmap(table, row="r", column="c", score="csat", unit="percent"))
    assert "3.2\nn 9" in texts(score_heatmap(table, row="r", column="c", score="ces"))


def test_rows_are_named_by_their_column_where_there_are_several():
    both = counted([{"plan": p, "region": r, "now": 9, "n": 20} for p in "AB" for r in "xy"], ("plan", "region"))
    table = scores(both)
    assert bar_rows(table)["name"].tolist() == ["All", "plan: A", "plan: B", "region: x", "region: y"]
    assert bar_rows(scores(both, columns=["plan"]))["name"].tolist() == ["All", "A", "B"]
    assert len(bar_rows(table, most=3)) == 3


def test_scores_that_are_clearly_different_are_in_colour_beside_the_line_of_all():
    named = {"name": ["All", "A", "B"], "nps": [0.0, 50.0, -5.0], "ci_lower": -40.0}
    clear, plain = (bars(3, **named, **more).figure.axes[1] for more in ({"clear": [False, True, False]}, {}))
    colours = [[to_hex(c) for c in axes.collections[0].get_colors()] for axes in (clear, plain)]
    assert colours == [[INK, PALETTE[0], INK], [INK] * 3]
    assert clear.lines[0].get_xdata()[0] == 0
    assert not bars(3).figure.axes[1].lines


def test_a_trend_shows_the_whole_and_the_largest_segments():
    rows = [
        (pd.Timestamp("2025-01-01"), name, 9, n) for name, n in zip("abcdef", (60, 50, 40, 30, 20, 10), strict=True)
    ]
    shown = trend_rows(trend(by_period(rows)))
    assert shown["segment"].tolist() == ["All", "a", "b", "c", "d"]
    assert shown["n_customers"].tolist() == [210, 60, 50, 40, 30]


def test_a_value_alone_is_a_dot_with_its_interval():
    """Of a, nobody answered in April and October; b was asked throughout."""
    days = pd.to_datetime(["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"])
    named = pd.DataFrame({"segment": np.repeat(["All", "a", "b"], 4), "period": [*days] * 3, "n_customers": 40.0})
    table = named.assign(nps=[5.0] * 4 + [30.0, np.nan, 40.0, np.nan] + [9.0] * 4)
    table = table.assign(ci_lower=table["nps"] - 10, ci_upper=table["nps"] + 20)
    how = {"x": "period", "y": "nps", "x_label": "", "n": "n_customers", "n_label": "answers", "unit": "score"}
    draw = partial(panels_with_bands, table, **how)
    counts = [
        [len(panel.containers) for panel in of().figure.axes] for of in (draw, partial(with_dots, draw, table, "nps"))
    ]
    assert counts == [[0, 0], [2, 0]]
    panel = with_dots(draw, table, "nps").figure.axes[0]
    (bar,) = panel.containers[1].lines[2]
    assert bar.get_segments()[0][:, 1].tolist() == [30.0, 60.0]
    assert said_alone(table, "nps", period="quarter") == " A dot alone: too few answers in the quarters beside it."
    assert said_alone(table[table["segment"] != "a"], "nps", period="quarter") == ""
