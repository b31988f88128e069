import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from cslib.errors import ParameterError
from cslib.show.charts import GROUND, MUTED, PALETTE
from cslib.show.estimates import MAX_ROWS, _limits, calibration_plot, forest_plot

DRIVERS = pd.DataFrame(
    [
        ("contract", "Month-to-month", 1.0, np.nan, np.nan, 3875),
        ("contract", "One year", 0.5, 0.4, 0.625, 1473),
        ("region", "Europe", 1.0, np.nan, np.nan, 900),
        ("region", "Asia", 1.816, 0.96, 3.44, 1200),
    ],
    columns=["term", "level", "hazard_ratio", "ci_lower", "ci_upper", "n"],
)


def forest(table=DRIVERS, **more):
    frame = {
        "estimate": "hazard_ratio",
        "label": "level",
        "x_label": "hazard ratio",
        "reference": 1.0,
        "log_scale": True,
    } | more
    return forest_plot(table, **frame)


def scores(values, **more):
    values = np.asarray(values, float)
    table = pd.DataFrame({"segment": [f"s{i}" for i in range(len(values))], "score": values})
    table = table.assign(ci_lower=values - 5, ci_upper=values + 5)
    return forest_plot(table, **{"estimate": "score", "label": "segment", "x_label": "NPS", "reference": 0} | more)


def texts(axes):
    return [t.get_text() for t in axes.texts]


def shown(axis):
    low, high = axis.get_view_interval()
    axis.axes.figure.savefig(io.BytesIO())
    marks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in marks if low <= place <= high]


def test_rows_stand_under_their_headings():
    labels = forest(group="term").get_yticklabels()
    assert [(t.get_text(), t.get_fontweight()) for t in labels] == [
        ("contract", "bold"),
        ("Month-to-month", "normal"),
        ("One year", "normal"),
        ("region", "bold"),
        ("Europe", "normal"),
        ("Asia", "normal"),
    ]


def test_every_row_has_its_figures_at_its_height():
    axes = forest(group="term", n="n")
    at = {t.get_text(): t.xy[1] for t in axes.texts if t.get_text() != "n"}
    assert at["0.50 (0.40 to 0.62)"] == at["1,473"] == 2
    assert at["1.82 (0.96 to 3.44)"] == at["1,200"] == 5
    assert texts(axes).count("1.00") == 2


def test_scattered_groups_are_brought_together_with_their_numbers():
    axes = forest(DRIVERS.iloc[[0, 2, 1, 3]], group="term", n="n")
    assert [t.get_text() for t in axes.get_yticklabels()][:3] == ["contract", "Month-to-month", "One year"]
    assert {t.get_text(): t.xy[1] for t in axes.texts}["1,473"] == 2
    assert axes.collections[-1].get_offsets()[1].tolist() == [0.5, 2]


def test_only_an_interval_beside_the_reference_is_in_colour_and_no_interval_is_hollow():
    points = forest().collections[-1]
    assert [to_hex(c) for c in points.get_edgecolors()] == [MUTED, PALETTE[0], MUTED, MUTED]
    assert [to_hex(c) for c in points.get_facecolors()] == [GROUND, PALETTE[0], GROUND, MUTED]


def test_a_column_clear_decides_the_colour_instead_of_the_interval():
    """Of 0.4–0.625 and 0.96–3.44 the first alone excludes 1; regrouped, the rows keep their own word."""
    axes = forest(DRIVERS.iloc[[0, 3, 1, 2]].assign(clear=[False, True, False, False]), group="term")
    assert [to_hex(c) for c in axes.collections[-1].get_edgecolors()] == [MUTED, MUTED, PALETTE[0], MUTED]


def test_the_reference_is_a_dashed_line():
    line = scores([10, 20], reference=17.5).lines[0]
    assert (list(line.get_xdata()), line.get_linestyle()) == ([17.5, 17.5], "--")


def ratios(*rows):
    table = pd.DataFrame(rows, columns=["hazard_ratio", "ci_lower", "ci_upper"])
    return forest(table.assign(level=[f"level {i}" for i in range(len(rows))]))


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([(0.5, 0.24, 0.9), (2, 1.5, 4.1)], ["0.25", "0.5", "1", "2", "4"]),
        ([(1.01, 0.99, 1.03)], ["0.5", "1", "2"]),
        ([(0.05, 0.04, 0.06), (30, 20, 45)], ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10", "20"]),
        ([(0.001, 0.0006, 0.002), (900, 500, 1500)], ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"]),
    ],
)
def test_ratios_have_readable_ticks(rows, names):
    assert shown(ratios(*rows).xaxis) == names


def test_an_extreme_interval_is_cut_but_written():
    axes = ratios((2, 1e-6, np.inf), (0.5, 0.4, 0.6))
    assert "2.00 (under 0.01 to over 1,000)" in texts(axes)
    assert axes.get_xlim() == pytest.approx((0.5 / 8 / 1.1, 2 * 8 * 1.1))
    assert axes.collections[0].get_segments()[0][:, 0] == pytest.approx(axes.get_xlim())


def test_differences_have_round_ticks_and_a_true_minus():
    axes = scores([-12.25, 30], n="")
    assert shown(axes.xaxis) == ["−10", "0", "10", "20", "30"]
    assert texts(axes) == ["−12.2 (−17.2 to −7.2)", "30.0 (25.0 to 35.0)"]


def test_small_differences_have_two_decimals():
    table = pd.DataFrame({"segment": ["a"], "score": [0.052], "ci_lower": [0.01], "ci_upper": [0.094]})
    axes = forest_plot(table, estimate="score", label="segment", x_label="", reference=0)
    assert texts(axes) == ["0.05 (0.01 to 0.09)"]


def test_amounts_stand_on_a_plain_scale_unless_it_is_asked_for_ratios():
    axes = forest_plot(
        pd.DataFrame({"segment": ["a", "b"], "ltv": [5900.0, 7300.0], "ci_lower": [5700, 7000], "ci_upper": [6100, 7600]}),
        estimate="ltv", label="segment", x_label="EUR",
    )  # fmt: skip
    assert texts(axes) == ["5,900 (5,700 to 6,100)", "7,300 (7,000 to 7,600)"]
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] > 5000
    assert len(axes.lines) == 0
    assert {to_hex(c) for c in axes.collections[-1].get_edgecolors()} == {PALETTE[0]}


def test_ratios_need_no_reference():
    assert forest(reference=None).get_xlim() == pytest.approx((0.4 / 1.1, 3.44 * 1.1))


def test_what_is_not_known_is_a_dash():
    assert texts(scores([np.nan, 20]))[0] == "–"
    assert "–" in texts(forest(DRIVERS.assign(n=[np.nan, 1, 2, 3]), n="n"))


@given(st.lists(st.tuples(*[st.floats(0.01, 100)] * 3).map(sorted), min_size=1, max_size=5))
def test_every_estimate_and_the_reference_lie_inside_the_axis(rows):
    low, high = _limits(np.array([[m, lo, hi] for lo, m, hi in rows]), 1.0, True)
    assert low < min(1, *(m for _, m, _ in rows))
    assert high > max(1, *(m for _, m, _ in rows))


@pytest.mark.parametrize("values", [[7], [0, 0, 0], [-40, -40]])
def test_equal_values_have_an_axis(values):
    low, high = scores(values).get_xlim()
    assert low < min(values) <= max(values) < high


@pytest.mark.long
def test_nothing_overlaps_with_long_names_and_many_rows():
    names = [f"{i} is a segment whose name has more than forty letters" for i in range(MAX_ROWS)]
    table = pd.DataFrame({"level": names, "hazard_ratio": 1.5, "ci_lower": 1.2, "ci_upper": 2.0, "n": 1_234_567})
    axes = forest(table, n="n")
    axes.figure.savefig(io.BytesIO())
    found = [t.get_window_extent() for t in [*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels()]]
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])
    assert min(t.get_fontsize() for t in [*axes.texts, *axes.get_yticklabels()]) >= 9


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.concat([DRIVERS] * 8), "There are 32 rows to draw. Keep 30 at most"),
        (DRIVERS.assign(hazard_ratio=[1, -0.5, 1, 1]), "hazard_ratio has -0.5, which no scale of ratios holds"),
        (DRIVERS.assign(hazard_ratio=np.nan), "has no rows"),
        (DRIVERS.drop(columns="ci_upper"), "no column 'ci_upper'"),
    ],
)
def test_a_forest_that_cannot_be_drawn_is_refused(table, message):
    with pytest.raises(ParameterError, match=message):
        forest(table)


def calibration(predicted, observed, reach=0.02):
    table = pd.DataFrame({"predicted": predicted, "observed": observed}, dtype=float)
    table = table.assign(ci_lower=table["observed"] - reach, ci_upper=table["observed"] + reach)
    return calibration_plot(table, x_label="predicted to leave", y_label="left")


def test_calibration_has_equal_axes_in_percent_and_a_diagonal():
    axes = calibration([0.1, 0.3], [0.12, 0.28])
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((0, 0.3))
    assert axes.get_aspect() == 1
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], list(axes.get_xlim())[1:] * 2]
    assert shown(axes.xaxis)[:3] == ["0 %", "5 %", "10 %"]


def test_calibration_draws_each_group_with_its_interval():
    axes = calibration([0.1, 0.3, np.nan], [0.12, 0.28, 0.2])
    (container,) = axes.containers
    assert container[0].get_xydata().tolist() == [[0.1, 0.12], [0.3, 0.28]]
    assert np.allclose([s[:, 1] for s in container[2][0].get_segments()], [[0.1, 0.14], [0.26, 0.3]])


def test_calibration_without_intervals_keeps_the_points():
    axes = calibration([0.002], [0.001], reach=np.nan)
    assert axes.containers[0][0].get_xydata().tolist() == [[0.002, 0.001]]
    assert shown(axes.yaxis) == ["0.0 %", "0.1 %", "0.2 %"]


def test_calibration_without_shares_is_refused():
    with pytest.raises(ParameterError, match="has no rows"):
        calibration([np.nan], [0.1])
    with pytest.raises(ParameterError, match="no column 'observed'"):
        calibration_plot(pd.DataFrame({"predicted": [0.1]}), x_label="", y_label="")
