"""What is extrapolated is dashed and hatched in charts of customer value."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from cslib.show.charts import GROUND, lines_with_bands, panels_with_bands
from cslib.value.charts import earned_back, foretold, told_apart

LINE = pd.DataFrame(
    {"segment": "All", "month": range(5), "value": [-2.0, 0, 2, 4, 6], "beyond": [False] * 3 + [True] * 2}
)
LINE = LINE.assign(ci_lower=LINE["value"] - 1, ci_upper=LINE["value"] + 1)


def drawn(table):
    lines = partial(lines_with_bands, table, x="month", y="value", x_label="months", unit="number")
    return told_apart(lines, table, x="month", y="value", beyond="beyond")


def dashes(axes):
    return [line.get_xdata().tolist() for line in axes.lines if line.get_color() == GROUND]


def test_what_is_not_observed_is_dashed_from_the_last_point_that_is():
    axes = drawn(LINE)
    assert dashes(axes) == [[2, 3, 4]]
    assert axes.get_title(loc="left").endswith("dashed: extrapolated")
    assert sum(bool(band.get_hatch()) for band in axes.collections) == 1
    assert any(np.allclose(line.get_ydata(), 0) for line in axes.lines)  # where the cost is recovered


def test_what_was_foretold_is_dashed_beside_what_happened():
    table = pd.concat([LINE.assign(segment=name) for name in ("what happened", "expected")], ignore_index=True)
    lines = partial(lines_with_bands, table, x="month", y="value", x_label="", unit="number", meaning="kinds")
    drawn = {line.get_label(): line.get_linestyle() for line in foretold(lines, segment="expected").lines}
    assert drawn == {"what happened": "-", "expected": "--"}


def test_what_is_all_observed_is_drawn_as_it_is():
    axes = drawn(LINE.assign(beyond=False, value=[2.0, 3, 4, 5, 6], ci_lower=1.0, ci_upper=7.0))
    assert dashes(axes) == []
    assert not axes.texts
    assert len(axes.lines) == 1


@pytest.mark.parametrize("segments", [("All", "Pro"), ("Pro", "Team")])
def test_each_segment_is_dashed_from_its_own_age_and_none_otherwise(segments):
    """Dashes mean one thing: the line of all customers, dashed elsewhere, is whole here."""
    early = LINE.assign(segment=segments[0], beyond=[False] + [True] * 4)
    axes = drawn(pd.concat([early, LINE.assign(segment=segments[1], value=LINE["value"] + 3)], ignore_index=True))
    assert sorted(dashes(axes)) == [[0, 1, 2, 3, 4], [2, 3, 4]]
    assert all(line.get_linestyle() == "-" for line in axes.lines if line.get_color() != GROUND)


def test_the_month_by_which_the_cost_is_recovered_is_marked_where_it_is():
    """Pro has brought it back after two months; Team has not, and Free cost nothing."""
    table = pd.concat([LINE.assign(segment=name) for name in ("Pro", "Team", "Free")]).rename(
        columns={"value": "net_value"}
    )
    pay = pd.DataFrame(
        {"segment": ["Pro", "Team", "Free"], "cac": [9.0, 9.0, 0.0], "payback_months": [2.0, np.inf, 1.0]}
    )
    axes = earned_back(
        partial(lines_with_bands, table, x="month", y="net_value", x_label="months", unit="number"), table, pay
    )
    assert axes.collections[-1].get_offsets().tolist() == [[2, 2]]


def test_in_panels_each_segment_is_dashed_and_marked_in_its_own():
    """Pro is dashed from its first point, Team from the third; Pro has its cost back in month 2, Team in month 3."""
    pro = LINE.assign(segment="Pro", beyond=[False] + [True] * 4)
    table = pd.concat([pro, LINE.assign(segment="Team", value=10 * LINE["value"])]).assign(
        net_value=lambda t: t["value"]
    )
    how = {"x": "month", "y": "net_value", "x_label": "months", "unit": "number", "scale": "own"}
    lines = partial(
        told_apart, partial(panels_with_bands, table, **how), table, x="month", y="net_value", beyond="beyond"
    )
    pay = pd.DataFrame({"segment": ["Pro", "Team"], "cac": 2.0, "payback_months": [2.0, 3.0]})
    axes = earned_back(lines, table, pay)
    first, second = axes.figure.axes
    assert (dashes(first), dashes(second)) == ([[0, 1, 2, 3, 4]], [[2, 3, 4]])
    assert [panel.collections[-1].get_offsets().tolist() for panel in (first, second)] == [[[2, 2]], [[3, 40]]]
    assert axes.figure.get_suptitle() == "each panel has its own scale · dashed: extrapolated"
    assert not [text for text in first.texts if "dashed" in text.get_text()]
