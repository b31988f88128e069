import io
import json
import re
from functools import partial
from html import unescape

import numpy as np
import pandas as pd
import pytest

from cslib.errors import ParameterError
from cslib.revenue.charts import layer_cake, movement_bars, waterfall_chart, with_span
from cslib.show.charts import MUTED, PALETTE, panels_with_bands
from cslib.show.drawing import drawing

KINDS = ["new", "reactivation", "expansion", "contraction", "churn"]


def steps(opening, *moves):
    ends = np.cumsum([opening, *moves])
    names, amounts = ["opening", *KINDS, "closing"], [opening, *moves, ends[-1]]
    return pd.DataFrame(
        {"step": names, "amount": amounts, "start": [0, *ends[:-1], 0], "end": [*ends, ends[-1]]}
    ).astype({"amount": float})


def texts(axes):
    return [t.get_text() for t in axes.texts]


def points(axes):
    """What is told at the points of a chart, series after series."""
    packed = re.search(r"data-points='([^']*)'", drawing(axes.figure, "a", "alt"))[1]
    return [text for _, _, text, _ in json.loads(unescape(packed))]


def drawn(axes):
    axes.figure.savefig(io.BytesIO())
    return axes


def test_every_step_has_its_amount_and_bars_meet():
    axes = drawn(waterfall_chart(steps(100.0, 30.0, 0.0, 10.0, -5.0, -20.0), currency="USD"))
    assert texts(axes) == ["100", "+30", "0", "+10", "−5", "−20", "115"]
    bars = [(p.get_y(), p.get_y() + p.get_height()) for p in axes.patches]
    assert bars[1] == (100, 130)
    assert bars[-2] == (135, 115)


def test_the_line_from_bar_to_bar_has_no_hole_where_nothing_moved():
    axes = waterfall_chart(steps(100.0, 30.0, 0.0, 10.0, -5.0, -20.0))
    lines = [line.get_xdata() for line in axes.lines if line.get_color() == MUTED]
    assert [x for x, _ in lines] == pytest.approx([0.31, 1.31, 1.69, 3.31, 4.31, 5.31])
    assert [x for _, x in lines] == pytest.approx([0.69, 1.69, 2.69, 3.69, 4.69, 5.69])


def test_small_movements_are_seen_and_the_cut_axis_is_said():
    axes = drawn(waterfall_chart(steps(800_000.0, 20_000.0, 0.0, 0.0, 0.0, -10_000.0)))
    assert axes.get_ylim()[0] > 700_000
    assert axes.get_title(loc="left").startswith("the axis starts at ")
    assert axes.patches[0].get_y() == axes.get_ylim()[0]


def test_everything_lost_and_nothing_there():
    assert texts(drawn(waterfall_chart(steps(10.0, 0.0, 0.0, 0.0, 0.0, -10.0))))[-1] == "0"
    with pytest.raises(ParameterError, match="has no rows"):
        waterfall_chart(steps(1.0, 0, 0, 0, 0, 0).iloc[:0])


def months(n):
    table = pd.DataFrame({"month": pd.date_range("2024-01-01", periods=n, freq="MS")})
    return table.assign(new=10.0, expansion=5.0, reactivation=1.0, contraction=-2.0, churn=-4.0)


def test_bars_stand_above_and_below_the_line_with_their_sum():
    axes = drawn(movement_bars(months(6), currency="USD"))
    heights = np.concatenate([path.vertices[:, 1] for bars in axes.collections for path in bars.get_paths()])
    assert (heights.max(), heights.min()) == (16, -6)
    low, high = axes.get_ylim()
    assert low < -6 < 16 < high
    assert axes.lines[0].get_ydata().tolist() == [10.0] * 6
    told = [t.get_text() for t in axes.get_legend().get_texts()]
    assert told == ["net", "new", "expansion", "reactivation", "churn", "contraction"]


def test_only_the_last_months_are_drawn():
    assert len(movement_bars(months(50), most=36).lines[0].get_xdata()) == 36


def test_layers_are_named_and_too_many_are_put_together():
    day = pd.date_range("2024-01-01", periods=3, freq="MS")
    table = pd.DataFrame(
        {"cohort": np.repeat([str(y) for y in range(2010, 2022)], 3), "month": np.tile(day, 12), "mrr": 10.0}
    )
    axes = drawn(layer_cake(table, currency="USD"))
    assert len(axes.collections) == len(PALETTE)
    assert texts(axes)[0] == "until 2014"
    one = drawn(layer_cake(table[table["cohort"] == "2021"].head(1)))
    assert texts(one) == ["2021"]


def test_where_nothing_is_paid_there_is_still_an_axis():
    """Ticks are counted: an axis without a span once had billions."""
    day = pd.date_range("2024-01-01", periods=3, freq="MS")
    nothing = pd.DataFrame({"cohort": "2024", "month": day, "mrr": 0.0})
    still = months(3).assign(new=0.0, expansion=0.0, reactivation=0.0, contraction=0.0, churn=0.0)
    for axes in (layer_cake(nothing), movement_bars(still), waterfall_chart(steps(0.0, 0.0, 0.0, 0.0, 0.0, 0.0))):
        assert len(drawn(axes).get_yticks()) < 20


def test_bars_tell_their_amounts_and_nothing_where_there_is_nothing():
    axes = waterfall_chart(steps(100.0, 20, 0, 5, 0, -30), currency="USD")
    assert points(axes)[:2] == ["at the start\nUSD 100", "new\nUSD 20"]
    moved = pd.DataFrame(
        {"month": pd.to_datetime(["2025-01-01", "2025-02-01"]), **dict.fromkeys(KINDS, 0.0), "new": [5.0, 0]}
    )
    assert points(movement_bars(moved)) == ["new, Jan 2025\n5", "net, Jan 2025\n5"]


def test_nearly_constant_mrr_has_ticks_that_differ():
    axes = waterfall_chart(steps(138_000.0, 1500, 0, 1200, -900, -1600), currency="USD")
    low, high = axes.get_ylim()
    ticks = [axes.yaxis.get_major_formatter()(v) for v in axes.get_yticks() if low <= v <= high]
    assert len(ticks) == len(set(ticks)) > 3
    assert axes.get_title(loc="left").startswith("the axis starts at USD 13")
    assert [t.get_text() for t in axes.texts][::6] == ["138.0 k", "138.2 k"]


def test_months_between_two_days_are_shaded_in_every_panel():
    months = pd.date_range("2024-01-01", periods=6, freq="MS")
    rows = pd.DataFrame({"month": months.repeat(2), "segment": ["A", "B"] * 6, "share": [0.8, 0.9] * 6})
    draw = partial(panels_with_bands, rows, x="month", y="share", x_label="")
    plain, shaded = (with_span(draw, days).figure.axes for days in ([], [months[1], months[3]]))
    assert len(shaded) == 2
    assert [len(panel.patches) for panel in plain] == [0, 0]
    for before, panel in zip(plain, shaded, strict=True):
        (span,) = panel.patches
        first = (months[1] - pd.Timestamp(0)).days
        assert (span.get_x(), span.get_width()) == (first, 60)
        assert panel.get_xlim() == before.get_xlim()
