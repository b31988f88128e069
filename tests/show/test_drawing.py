"""A chart by itself is laid out as matplotlib's constrained layout does, in one measuring instead of two."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cslib.show import drawing


def chart(*, texts="", columns=1, **grid):
    fig = Figure(figsize=(6, 3), layout="constrained")
    for axes in np.atleast_1d(fig.subplots(1, columns, **grid)):
        axes.plot([0, 40], [0, 120_000])
        axes.set_ylabel("USD a month")
        axes.set_title("What a customer brings", loc="left")
        axes.annotate("Enterprise", (40, 120_000), xytext=(10, 0), textcoords="offset points", annotation_clip=False)
    fig.suptitle(texts)
    return fig


def placed(fig):
    """Where its axes stand once it was drawn, and where the layout engine of matplotlib puts them."""
    drawing.drawing(fig, "a", "alt")
    drawn = [axes.get_position().bounds for axes in fig.axes]
    fig.dpi = 72
    fig.get_layout_engine().execute(fig)
    return np.array(drawn), np.array([axes.get_position().bounds for axes in fig.axes])


@pytest.mark.parametrize(
    "how", [{}, {"columns": 2}, {"texts": "Above"}, {"gridspec_kw": {"left": 0.2}}, {"subplot_kw": {"aspect": "equal"}}]
)
def test_axes_stand_where_the_engine_puts_them(how):
    drawn, expected = placed(chart(**how))
    assert drawn == pytest.approx(expected, abs=1e-3)


def test_one_of_two_places_leaves_the_other_free():
    fig = Figure(figsize=(6, 3), layout="constrained")
    fig.add_subplot(1, 2, 1).plot([0, 1])
    drawn, expected = placed(fig)
    assert drawn == pytest.approx(expected, abs=1e-3)
    assert drawn[0][2] < 0.5


def test_without_a_layout_axes_stay_and_a_figure_without_any_is_drawn():
    fig = Figure()
    fig.add_axes((0.3, 0.3, 0.2, 0.2)).plot([0, 1])
    assert drawing.drawing(fig, "a", "alt").startswith("<svg")
    assert fig.axes[0].get_position().bounds == pytest.approx((0.3, 0.3, 0.2, 0.2))
    assert drawing.drawing(Figure(), "a", "alt").startswith("<svg")


def test_other_layouts_are_the_engines_own():
    with mpl.rc_context({"figure.constrained_layout.use": False}):
        fig = chart()
        fig.set_layout_engine("tight")
    assert drawing.drawing(fig, "a", "alt").count("Enterprise") == 1


def test_names_wider_than_the_chart_are_drawn_all_the_same(recwarn):
    fig = Figure(figsize=(1, 1), layout="constrained")
    fig.subplots().set_yticks([0], ["a name that is wider than the whole picture"])
    assert "wider than the whole" in drawing.drawing(fig, "a", "alt")


@pytest.mark.parametrize("own", ["rect", "patch"])
def test_what_else_a_figure_holds_keeps_its_place(own):
    fig = chart()
    if own == "rect":
        fig.get_layout_engine().set(rect=(0.2, 0.2, 0.5, 0.5))
    else:
        fig.add_artist(Rectangle((0.9, 0.9), 0.1, 0.1))
    drawn, expected = placed(fig)
    assert drawn == pytest.approx(expected, abs=3e-3)
