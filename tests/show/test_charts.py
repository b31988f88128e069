import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.image import imread
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from seaborn.utils import relative_luminance

from cslib import load
from cslib.data.lifetimes import lifetimes
from cslib.errors import ParameterError
from cslib.show import colours
from cslib.show.charts import (
    GROUND,
    INK,
    MUTED,
    OBSERVED,
    PALETTE,
    _around_lines,
    _spread,
    lines_with_bands,
    new_axes,
    nice_step,
    panels_with_bands,
)
from cslib.show.colours import BESIDE, DARK, SHADES
from cslib.show.drawing import SVG_LIMIT, drawing
from cslib.show.estimates import MAX_COHORTS, coloured_cells, retention_heatmap
from cslib.show.hover import points_of
from cslib.stats.survival import survival_curve


def triangle(cohorts=4):
    rows = []
    for i, day in enumerate(pd.date_range("2024-01-01", periods=cohorts, freq="MS")):
        for k in range(cohorts - i):
            known = i + k < cohorts - 1
            rows.append(("All", day, k, 100 + i, 1 - 0.1 * k if known else np.nan))
    return pd.DataFrame(rows, columns=["segment", "cohort", "period_index", "n_customers", "retention_rate"])


def test_heatmap_shows_percent_sizes_and_hatches_the_unfinished():
    axes = retention_heatmap(triangle())
    assert sorted(t.get_text() for t in axes.texts if t.get_text().isdigit()) == ["100", "100", "100", "80", "90", "90"]
    assert axes.get_yticklabels()[0].get_text().split() == ["Jan", "2024", "100"]
    assert sum(isinstance(p, Rectangle) and bool(p.get_hatch()) for p in axes.patches) == 4


def test_a_heatmap_runs_its_colours_over_what_is_shown_and_no_less_than_thirty_points():
    """From 90 to 80 % at later ages; with one cell of 20 % the whole range is shown."""
    table = triangle()
    assert retention_heatmap(table).collections[0].get_clim() == pytest.approx((0.6, 0.9))
    low = table.assign(retention_rate=table["retention_rate"].replace(0.8, 0.2))
    assert retention_heatmap(low).collections[0].get_clim() == pytest.approx((0.2, 0.9))


def test_on_dark_ground_more_is_lighter_and_every_number_can_be_read():
    """Each shade with its text, (L + 0.05) / (L' + 0.05): more than 4.5 on either ground."""
    rates = pd.DataFrame([np.linspace(0, 1, len(SHADES))])
    axes = new_axes(1)
    coloured_cells(axes, rates, rates.map("{:.2f}".format), limits=(0, 1))
    texts = [to_hex(t.get_color()) for t in axes.texts]
    light, dark = (*SHADES, *BESIDE), [DARK[s] for s in (*SHADES, *BESIDE)]
    for grounds, inks in ((light, 2 * texts), (dark, 2 * [DARK.get(t, t) for t in texts])):
        pairs = [
            (relative_luminance(g) + 0.05, relative_luminance(i) + 0.05) for g, i in zip(grounds, inks, strict=True)
        ]
        assert min(max(pair) / min(pair) for pair in pairs) >= 5.2
    light, dark = ([relative_luminance(c) for c in colours] for colours in (SHADES, map(DARK.get, SHADES)))
    assert (light, dark) == (sorted(light, reverse=True), sorted(dark))
    drawn = drawing(axes.figure, "shades", "Shades")
    assert f"light-dark({SHADES[0]}, {DARK[SHADES[0]]})" in drawn
    assert "light-dark(#030303, #ffffff)" in drawn


@pytest.mark.parametrize(("columns", "pressed"), [(25, True), (12, False)])
def test_three_digits_leave_a_margin_in_a_narrow_cell(columns, pressed):
    """7.1 inches for 25 cells: 20.4 points each, of which 82 % are 16.8 and three digits 18."""
    rates = pd.DataFrame([[1.0] * columns, [0.5] * columns])
    axes = new_axes(1)
    coloured_cells(axes, rates, (100 * rates).map("{:.0f}".format), limits=(0, 1))
    drawn = drawing(axes.figure, "cells", "Cells")
    assert drawn.count('textLength="16.8" lengthAdjust="spacingAndGlyphs"') == columns * pressed
    assert drawn.count("textLength") == columns * pressed
    assert "pressed" not in drawn


def test_all_cohorts_together_may_be_known_at_fewer_ages_than_each():
    pooled = triangle().query("period_index < 2").groupby(["segment", "period_index"], as_index=False).mean("n")
    axes = retention_heatmap(triangle(), pooled=pooled)
    assert axes.get_yticklabels()[0].get_text().startswith("All cohorts")


def test_cells_are_coloured_by_how_far_they_are_from_all_cohorts_at_their_age():
    """All keep 80 % at every age: 100, 90 and 80 % are 20, 10 and 0 points above, 50 % is 30 below, at the end."""
    table = triangle().replace({"retention_rate": {0.9: 0.5}})
    pooled = table.groupby(["segment", "period_index"], as_index=False).mean("n").assign(retention_rate=0.8)
    grid = retention_heatmap(table, pooled=pooled).collections[0]
    assert grid.get_clim() == pytest.approx((-0.25, 0.25))
    known = np.ma.compressed(grid.get_array())
    assert known.round(2).tolist() == [0, 0, 0, 0, 0.2, -0.3, 0, 0.2, -0.3, 0.2]
    unknown = retention_heatmap(table, pooled=pooled.head(1)).collections[0].get_array()
    assert np.ma.compressed(unknown).round(2).tolist() == [0, 0.2, 0, 0, 0.2, 0, 0.2]
    shown = [t.get_text() for t in retention_heatmap(table, pooled=pooled).axes.texts if t.get_text().isdigit()]
    assert shown.count("50") == 2


def test_heatmap_keeps_the_latest_cohorts():
    axes = retention_heatmap(triangle(MAX_COHORTS + 5))
    assert len(axes.get_yticklabels()) == MAX_COHORTS
    assert axes.get_yticklabels()[0].get_text().startswith("Jun 2024")


def curve(names):
    parts = [
        pd.DataFrame(
            {
                "segment": name,
                "period_index": range(13),
                "rate": 0.99 ** np.arange(13.0),
                "ci_lower": 0.5,
                "ci_upper": 1.0,
                "n_customers": 1000 - 10 * i,
            }
        )
        for i, name in enumerate(names)
    ]
    return pd.concat(parts, ignore_index=True)


def draw(table):
    return lines_with_bands(table, x="period_index", y="rate", x_label="months", n="n_customers")


def test_lines_have_a_band_a_label_and_the_customers_below():
    axes = draw(curve(["All", "Pro", "Free"]))
    texts = [t.get_text() for t in axes.texts]
    assert {"All", "Pro", "Free", "customers", "1,000", "990", "980"} <= set(texts)
    assert len(axes.lines) == len(axes.collections) == 3
    assert axes.get_ylim() == (0, 1)


def test_of_lines_that_end_at_one_height_the_shortest_is_named_first():
    table = curve(["Long", "Short", "Shortest"]).assign(rate=0.5)
    ends = table["segment"].map({"Long": 12, "Short": 5, "Shortest": 2})
    axes = draw(table[table["period_index"] <= ends])
    places = {t.get_text(): t.xyann[1] for t in named(axes)}
    assert sorted(places, key=places.get, reverse=True) == ["Shortest", "Short", "Long"]


def test_each_segment_has_a_panel_on_one_scale_with_all_behind_it():
    table = curve(["All", "Pro", "Free"])
    table.loc[table["segment"] == "Pro", "rate"] /= 2
    axes = panels_with_bands(table, x="period_index", y="rate", x_label="months", n="n_customers")
    both = axes.figure.axes
    assert [panel.get_title(loc="left") for panel in both] == ["Pro", "Free"]
    assert [[t.get_text() for t in panel.texts] for panel in both] == [
        ["990 customers", "44 %"],
        ["980 customers", "89 %"],
    ]
    assert axes.figure.get_suptitle() == "dashed: all customers, 89 % at the end"
    assert both[0].get_ylim() == both[1].get_ylim() == (0, 1)
    for panel, level in zip(both, (0.5, 1.0), strict=True):
        assert [line.get_linestyle() for line in panel.lines] == ["--", "-"]
        assert [line.get_ydata()[0] for line in panel.lines] == [1.0, level]
        assert len(panel.collections) == 1, "the band of the segment alone"
    told = [text for *_, text, _ in points_of(drawing(axes.figure, "a", "alt"))]
    assert "Pro, 12 months\n44.3 % (50.0 to 100)\n990 customers" in told
    assert "All, 12 months\n88.6 %\n1,000 customers" in told


def test_panels_stand_evenly_apart_and_each_value_at_the_end_of_its_line():
    table = curve(["All", "Pro", "Free", "Team"])
    table = table[(table["segment"] != "Free") | (table["period_index"] <= 11)]
    axes = panels_with_bands(
        table, x="period_index", y="rate", x_label="months", n="n_customers", n_label="still there"
    )
    drawing(axes.figure, "a", "alt")
    panels = axes.figure.axes
    gaps = [b.get_position().x0 - a.get_position().x1 for a, b in itertools.pairwise(panels)]
    assert gaps == pytest.approx([gaps[0]] * 2)
    assert [panel.texts[-1].xy[0] for panel in panels] == [12, 11, 12]
    assert [panel.texts[-1].xyann[1] == 0 for panel in panels] == [True, False, True], "clear of the line of all"
    assert axes.figure.get_suptitle().startswith("dashed: all customers, ")


def test_a_value_stands_at_its_line_where_the_line_of_all_has_ended():
    table = curve(["All", "Pro", "Free"])
    ends = table["segment"].map({"All": 9, "Pro": 12, "Free": 11})
    axes = panels_with_bands(table[table["period_index"] <= ends], x="period_index", y="rate", x_label="months")
    assert [panel.texts[-1].xyann[1] for panel in axes.figure.axes] == [0, 0]


@pytest.mark.parametrize(("last", "ticks"), [(35, [0, 12, 24, 35]), (29, [0, 12, 24]), (36, [0, 12, 24, 36])])
def test_small_charts_have_a_tick_at_their_last_age_where_it_is_far_from_the_others(last, ticks):
    table = pd.DataFrame({"segment": np.repeat(["Pro", "Free"], last + 1), "age": [*range(last + 1)] * 2, "rate": 0.5})
    assert panels_with_bands(table, x="age", y="rate", x_label="months").get_xticks().tolist() == ticks


def test_segments_that_lie_far_apart_have_a_scale_each_from_zero_and_all_a_panel():
    table = curve(["All", "Pro", "Free"])
    table.loc[table["segment"] == "Pro", ["rate", "ci_lower", "ci_upper"]] *= 20_000
    axes = panels_with_bands(
        table, x="period_index", y="rate", x_label="months", n="n_customers", unit="number", scale="own"
    )
    panels = axes.figure.axes
    assert [panel.get_label() for panel in panels] == ["All", "Pro", "Free"]
    assert [panel.get_ylim() for panel in panels] == [(0, 1), (0, 20_000), (0, 1)]
    assert [[line.get_linestyle() for line in panel.lines] for panel in panels] == [["-"]] * 3
    assert [len(panel.collections) for panel in panels] == [1, 1, 1], "each its own band"
    assert [panel.texts[1].get_text() for panel in panels] == ["0.89", "17.7 k", "0.89"]
    assert axes.figure.get_suptitle() == "each panel has its own scale"
    with pytest.raises(ParameterError, match="scale"):
        panels_with_bands(table, x="period_index", y="rate", x_label="months", scale="log")


def test_one_customer_is_written_in_the_singular():
    table = curve(["All", "Pro", "Free"]).assign(n_customers=1)
    axes = panels_with_bands(table, x="period_index", y="rate", x_label="", n="n_customers", n_label="customers of all")
    assert axes.texts[0].get_text() == "1 customer of all"


def test_panels_may_have_a_segment_behind_them_and_steps():
    table = curve(["Happy", "Pro", "Free"])
    axes = panels_with_bands(table, x="period_index", y="rate", x_label="months", line="steps", behind="Happy")
    panels = axes.figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["Pro", "Free"]
    assert axes.figure.get_suptitle() == "dashed: Happy, 89 % at the end"
    for panel, colour in zip(panels, PALETTE[1:], strict=False):
        styles = [(line.get_linestyle(), line.get_color(), line.get_drawstyle()) for line in panel.lines]
        assert styles == [("--", MUTED, "steps-post"), ("-", colour, "steps-post")]
        assert len(panel.collections) == 1
    answers = panels_with_bands(table, x="period_index", y="rate", x_label="months", behind="Happy", meaning="answers")
    assert [panel.lines[1].get_color() for panel in answers.figure.axes] == [*colours.answers(3)[1:]]
    first = [(panel.lines[0].get_color(), panel.lines[0].get_linestyle()) for panel in answers.figure.axes]
    assert first == [(colours.WELL, "--")] * 2, "the best answers have their colour here, too"
    with pytest.raises(ParameterError, match="line is 'dashed'"):
        panels_with_bands(table, x="period_index", y="rate", x_label="months", line="dashed")


def wide_at_first(low, high, *, width):
    """Two lines between low and high, with a band of 0.02 on both sides but for the first of twelve rows of one."""
    rates = np.tile(np.linspace(high, low, 12), 2)
    table = pd.DataFrame({"segment": np.repeat(["Pro", "Free"], 12), "month": np.tile(np.arange(12), 2), "rate": rates})
    around = np.where(table.index == 12, width, 0.02)
    return table.assign(ci_lower=(rates - around).clip(0), ci_upper=rates + around)


def panels(table, unit="percent"):
    return panels_with_bands(table, x="month", y="rate", x_label="months", unit=unit)


def test_a_wide_band_of_one_panel_is_cut_so_that_lines_have_half_of_the_height():
    """Lines of 2 to 12 %, a band up to 52 %: five eighths of the height for them make an axis to 16.1 %, rounded up."""
    axes = panels(wide_at_first(0.02, 0.12, width=0.4), unit="hazard")
    assert axes.get_ylim() == pytest.approx((0, 0.18))
    assert axes.figure.get_suptitle() == "bands are cut at 18 %"
    assert all(panel.get_ylim() == axes.get_ylim() for panel in axes.figure.axes)
    axes = panels(wide_at_first(0.60, 1.0, width=0.5))
    assert axes.get_ylim() == pytest.approx((0.5, 1.2))
    assert axes.figure.get_suptitle() == "the axis starts at 50 % · bands are cut at 120 %"


def test_an_axis_is_kept_where_lines_have_half_of_it_or_where_all_bands_are_wide():
    assert panels(wide_at_first(0.02, 0.12, width=0.02), unit="hazard").get_ylim() == pytest.approx((0, 0.15))
    everywhere = wide_at_first(0.45, 0.5, width=0.02).assign(ci_lower=0.1, ci_upper=0.9)
    assert panels(everywhere).get_ylim() == pytest.approx((0, 1))
    assert panels(wide_at_first(0.45, 0.5, width=0).drop(columns=["ci_lower", "ci_upper"])).get_ylim() == (0, 0.5)


@pytest.mark.long
@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=24), st.lists(st.floats(0, 3), min_size=24, max_size=24),
    st.sampled_from(["percent", "hazard", "number", "score"]),
)  # fmt: skip
def test_of_a_line_nothing_is_ever_cut(values, widths, unit):
    lines, bounds = np.array(values), np.outer(widths[: len(values)], [-1, 1]) + np.array(values)[:, None]
    low, high = _around_lines(new_axes(2).yaxis, lines, bounds, unit)
    assert low <= lines.min() + 1e-9
    assert high >= lines.max() - 1e-9
    assert high > low


def test_panels_leave_out_a_segment_that_few_are_observed_of_and_end_where_it_ends():
    table = curve(["All", "Pro", "Free", "Tiny", "Once"]).assign(n_at_risk=100)
    table.loc[table["segment"] == "Tiny", "n_at_risk"] = 9
    last = table["segment"].map({"Free": 6, "Once": 0}).fillna(12)
    axes = panels_with_bands(table[table["period_index"] <= last], x="period_index", y="rate", x_label="months")
    panels = axes.figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["Pro", "Free", "Once"]
    ends = [[t.xy[0] for t in panel.texts if t.get_fontweight() == "bold"] for panel in panels]
    assert ends == [[12], [6], [0]]
    assert len(panels[2].containers) == 1, "one point with its interval"


def test_panels_of_one_segment_or_of_a_segment_without_values_are_one_chart():
    table = curve(["All", "Pro", "Free"])
    alone = table[table["segment"] == "All"]
    gone = table.assign(rate=table["rate"].mask(table["segment"] == "Free"))
    for few in (alone, gone):
        axes = panels_with_bands(few, x="period_index", y="rate", x_label="months")
        assert axes.figure.axes == [axes]
        assert axes.get_title(loc="left") == ""
    with pytest.raises(ParameterError, match="9 segments"):
        panels_with_bands(curve([*"abcdefghi"]), x="period_index", y="rate", x_label="months")


def named(axes):
    """Names at the ends of lines, which alone are bold."""
    return [t for t in axes.texts if t.get_fontweight() == "bold"]


@pytest.mark.long
def test_names_stand_in_one_column_beyond_the_axis_apart():
    table = curve(["All", *"abcdefgh"])
    ends = table["segment"].map({name: 12 - i for i, name in enumerate(["All", *"abcdefgh"])})
    axes = draw(table[table["period_index"] <= ends])
    assert len(named(axes)) == 9
    assert overlapping(named(axes)) == 0
    assert len({box.x0 for box in boxes(named(axes))}) == 1
    assert all(box.x0 > axes.bbox.x1 for box in boxes(named(axes)))


def test_too_many_segments_are_refused():
    with pytest.raises(
        ParameterError, match=r"There are 20 segments to draw. Keep 8 at most, as show.charts.largest_segments"
    ):
        draw(curve([f"s{i}" for i in range(20)]))


def test_text_is_never_read_as_a_formula():
    axes = draw(curve(["All", r"Pro $\foo$ to $29$", "a name\nof two lines that goes on and on"]))
    axes.figure.savefig(io.StringIO(), format="svg")
    texts = {t.get_text() for t in axes.texts}
    assert {r"Pro $\foo$ to $29$", "a name of two lines tha…"} <= texts


def test_a_leader_joins_the_name_to_a_line_that_ends_far_from_it():
    """12 % of 12 months are 1.44: month 11 is near, month 5 far."""
    table = curve(["All", "near", "far"])
    ends = table["segment"].map({"All": 12, "near": 11, "far": 5})
    texts = named(draw(table[table["period_index"] <= ends]))
    assert {t.get_text(): (t.xy[0], t.arrow_patch is not None) for t in texts} == {
        "All": (12, False), "near": (11, False), "far": (5, True),
    }  # fmt: skip
    (leader,) = [t.arrow_patch for t in texts if t.arrow_patch]
    assert (leader.get_linewidth(), leader.get_linestyle()) == (0.8, (0, (1, 3)))  # no line goes on to there
    assert leader.get_connectionstyle().rad > 0, "bowed"
    assert to_hex(leader.get_edgecolor()) == MUTED


def test_a_line_that_ends_early_has_its_name_at_its_end_where_no_other_line_runs():
    """At month 5 Pro is 0.95 and Free 0.48; a third line at Pro's height needs a leader, as does a long name."""
    table = curve(["All", "Pro", "Free"])
    table.loc[table["segment"] == "Free", "rate"] /= 2
    early = table[(table["segment"] == "All") | (table["period_index"] <= 5)]
    free, pro = (next(t for t in named(draw(early)) if t.get_text() == name) for name in ("Free", "Pro"))
    assert (free.xyann, free.arrow_patch) == ((5, pytest.approx(0.99**5 / 2)), None)
    assert (pro.xyann[0], pro.arrow_patch is not None) == (12, True)
    long = early.assign(segment=early["segment"].replace("Free", "Free, from before the change"))
    assert [t.arrow_patch is not None for t in named(draw(long[long["period_index"] <= 7]))] == [True, True, False]
    crossed = early.assign(rate=early["rate"].where(early["segment"] != "All", 0.96 - 0.08 * early["period_index"]))
    assert all(t.arrow_patch for t in named(draw(crossed)) if t.get_text() == "Free")


def test_names_stand_in_the_order_of_the_ends():
    tables = [survival(name, shares=(1, 0.8, last)) for name, last in (("a", 0.3), ("b", 0.32), ("c", 0.31))]
    height = {t.get_text(): t.xyann[1] for t in named(step_chart(pd.concat(tables)))}
    assert sorted(height, key=height.get) == ["a", "c", "b"]


def test_each_row_of_numbers_has_its_name_in_its_colour():
    axes = step_chart(pd.concat([survival("All"), survival("Pro", sizes=(7, 6, 5)), survival("Free")]), line="steps")
    below = {t.get_text(): t for t in axes.texts if t not in named(axes) and t.xy[0] == axes.get_xlim()[1]}
    assert {name: t.get_color() for name, t in below.items()} == {"Pro": PALETTE[0], "Free": PALETTE[1], "All": MUTED}
    heights = {name: t.xyann[1] for name, t in below.items()}
    assert sorted(heights, key=heights.get, reverse=True) == ["All", "Pro", "Free"]
    seven = next(t for t in axes.texts if t.get_text() == "7")
    assert (seven.xyann[1], seven.get_color()) == (below["Pro"].xyann[1], PALETTE[0])


def test_rows_in_the_middle_of_months_have_the_number_at_their_beginning_and_gaps_none():
    table = pd.DataFrame({"segment": "All", "age": np.arange(0.5, 10), "rate": 0.5, "n": range(90, 80, -1)})
    how = {"x": "age", "y": "rate", "x_label": "months", "n": "n", "n_label": "followed"}
    shown = [t.get_text() for t in lines_with_bands(table, **how).texts]
    assert shown == ["followed", *(str(n) for n in range(89, 80, -1))]
    shown = [t.get_text() for t in lines_with_bands(table[table["age"] != 4.5], **how).texts]
    assert "86" not in shown
    assert "85" in shown


def test_a_chart_saved_plainly_has_a_white_ground_and_in_a_page_that_of_the_page():
    figure = draw(curve(["All", "Pro"])).figure
    picture = io.BytesIO()
    figure.savefig(picture)
    picture.seek(0)
    assert imread(picture)[0, 0].tolist() == [1, 1, 1, 1]
    assert "--ground" not in drawing(figure, "x", "Lines.")


@pytest.mark.parametrize("limit", [SVG_LIMIT, 0])
def test_a_chart_drawn_once_is_the_picture_that_matplotlib_saves(limit, monkeypatch):
    def axes():
        return step_chart(pd.concat([survival("All"), survival("Pro", sizes=(7, 6, 5))]))

    monkeypatch.setattr("cslib.show.drawing.SVG_LIMIT", limit)
    monkeypatch.setattr("cslib.show.drawing._svg", saved_by_matplotlib)
    plain = drawing(axes().figure, "x", "Lines.")
    monkeypatch.undo()
    monkeypatch.setattr("cslib.show.drawing.SVG_LIMIT", limit)
    once = drawing(axes().figure, "x", "Lines.")
    last = r"#x-[mp]\w+|id=\S+|(?<=\.\d{4})\d+"  # ids, which are made of the last digits, and these
    told = r""" data-(?:points='[^']*'|width="[^"]*")"""  # only ours
    assert re.sub(last, "", re.sub(told, "", once)) == re.sub(last, "", plain)
    assert once.startswith("<svg" if limit else "<img")


def saved_by_matplotlib(figure):
    no_dates = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer := io.StringIO(), format="svg", facecolor="none", metadata=no_dates)
    return buffer.getvalue(), ""


@pytest.mark.parametrize("last", [24, 25, 26])
def test_names_of_rows_touch_no_number_and_no_label(last):
    ages = np.arange(last + 1.0)
    tables = [survival(name, ages, 0.97**ages, np.full(last + 1, 9_999_999)) for name in ("All", *"abcdefgh")]
    axes = step_chart(pd.concat(tables), line="steps")
    assert overlapping([*axes.texts, axes.xaxis.label]) == 0


def test_the_only_row_needs_no_name():
    assert "All" not in [t.get_text() for t in step_chart(survival()).texts]


@pytest.mark.parametrize("name", ["All", "Pro"])
def test_the_only_line_has_the_colour_of_all_and_no_dashes(name):
    """It cannot know which colour is its own where segments are compared."""
    (line,) = step_chart(survival(name)).lines
    assert (line.get_color(), line.get_linestyle()) == (MUTED, "-")


@pytest.mark.parametrize("line", ["steps", "straight"])
def test_a_segment_without_values_keeps_its_colour_and_draws_nothing(line):
    table = pd.concat([survival("Free", shares=[np.nan] * 3), survival("Pro"), survival("All")])
    axes = step_chart(table, line=line)
    assert [drawn.get_color() for drawn in axes.lines] == [PALETTE[1], MUTED]
    assert {t.get_text(): t.get_color() for t in named(axes)} == {"Pro": PALETTE[1], "All": MUTED}
    assert "Free" not in [t.get_text() for t in axes.texts]


def test_brackets_are_points_with_their_names():
    table = curve(["All", "Pro"]).query("period_index in (1, 4, 7)")
    axes = lines_with_bands(
        table, x="period_index", y="rate", x_label="months", n="n_customers", names={1: "1–3", 4: "4–6", 7: "7–12"}
    )
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1–3", "4–6", "7–12"]
    assert len(axes.containers) == 2
    assert [t.xyann[0] for t in named(axes)] == [axes.get_xlim()[1]] * 2
    assert {"1,000", "990"} <= {t.get_text() for t in axes.texts}


def _contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    high, low = sorted([luminance(a), luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", PALETTE)
@pytest.mark.parametrize("ground", ["#ffffff", "#14181d"])
def test_series_hold_three_to_one_on_both_grounds(colour, ground):
    assert _contrast(colour, ground) >= 3


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ParameterError, match="has no rows"):
        retention_heatmap(triangle().iloc[:0])
    with pytest.raises(ParameterError, match="no column 'rate'"):
        draw(curve(["All"]).drop(columns="rate"))
    with pytest.raises(ParameterError, match="has no rows"):
        retention_heatmap(triangle(), segment="Pro")


@pytest.mark.parametrize("meaning", ["years", "kinds"])
def test_years_and_kinds_have_colours_of_their_own(meaning):
    how = {"x": "period_index", "y": "rate", "x_label": "months", "meaning": meaning}
    axes = lines_with_bands(curve(["2023", "2024", "2025"]), **how)
    drawn = [line.get_color() for line in axes.lines]
    assert drawn == [*getattr(colours, meaning)(3)]
    assert {*drawn}.isdisjoint(PALETTE)
    assert [text.get_color() for text in named(axes)] == [*map(colours.lettered, drawn)]
    hollow = [to_hex(line.get_markerfacecolor()) == GROUND for line in axes.lines]
    assert hollow == [False, meaning == "years", False]
    told = drawing(axes.figure, "a", "alt")
    assert all(f"light-dark({colour}, {DARK[colour]})" in told for colour in drawn)
    with pytest.raises(ParameterError, match="meaning is 'cohorts'"):
        lines_with_bands(curve(["All"]), **how | {"meaning": "cohorts"})


def test_a_page_may_make_bands_stronger():
    """As dark pages do; a band has the colour of its line there."""
    told = drawing(draw(curve(["Pro", "All"])).figure, "a", "alt")
    assert f"fill: var(--t0, {PALETTE[0]}); fill-opacity: var(--band, 0.16)" in told


def boxes(texts):
    """Where texts stand, in pixels and without their leaders, once everything has found its place."""
    texts = list(texts)
    texts[0].figure.savefig(io.BytesIO(), dpi=100)
    return [Text.get_window_extent(t) for t in texts if t.get_text()]


def overlapping(texts):
    found = boxes(texts)
    return sum(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])


def ticks(axis):
    low, high = axis.get_view_interval()
    axis.axes.figure.savefig(io.BytesIO())
    marks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    return [label.get_text() for place, label in marks if low - 1e-9 <= place <= high + 1e-9]


def survival(segment="All", ages=(0.0, 1.5, 4.2), shares=(1.0, 0.8, 0.5), sizes=(9, 8, 3)):
    table = pd.DataFrame({"segment": segment, "age": ages, "share": shares, "n_at_risk": sizes})
    return table.assign(ci_lower=table["share"] - 0.1, ci_upper=table["share"])


def step_chart(table, **more):
    return lines_with_bands(
        table, x="age", y="share", x_label="months", n="n_at_risk", n_label="still followed", **more
    )


def test_steps_hold_each_value_until_the_next_age():
    axes = step_chart(survival(), line="steps")
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert axes.lines[0].get_marker() == ""
    band = axes.collections[0].get_paths()[0].vertices
    assert {(1.5, 0.9), (1.5, 0.7), (1.5, 0.8)} <= {tuple(v.round(6)) for v in band}


def test_estimates_of_few_at_risk_are_left_out():
    """The last customer's leaving would bring the curve down to 0; the models beside it have no number at risk."""
    sizes = survival(sizes=(90, 40, 1), shares=(1, 0.8, 0.0))
    model = survival("Weibull").drop(columns="n_at_risk")
    axes = step_chart(pd.concat([sizes, model]))
    assert axes.lines[1].get_ydata() == pytest.approx([1, 0.8, np.nan], nan_ok=True)
    assert axes.lines[0].get_ydata() == pytest.approx([1, 0.8, 0.5])
    assert step_chart(sizes, least=100).lines[0].get_ydata() == pytest.approx([1, 0.8, 0])


def test_a_survival_curve_drawn_as_it_is_shows_what_is_observed_well():
    left = np.repeat([True, True, False], [400, 1, 20])
    people = pd.DataFrame(
        {"customer_id": range(421), "tenure_months": np.r_[np.arange(400) % 20, 40, [30] * 20], "churned": left}
    )
    table = survival_curve(lifetimes(load({"customers": people})))
    axes = lines_with_bands(table, x="duration_months", y="survival", x_label="months", n="n_at_risk", line="steps")
    assert axes.get_xlim() == (0, 30)
    assert np.nanmin(axes.lines[0].get_ydata()) == pytest.approx(21 / 421)
    assert {"421", "21"} <= {t.get_text() for t in axes.texts}


def test_the_number_followed_at_a_tick_is_that_of_the_first_age_not_before_it():
    """Ages 0, 1.5 and 4.2 with 9, 8 and 3 followed: at month 0 nine, at 1 eight, at 2, 3 and 4 three."""
    axes = step_chart(survival(), line="steps")
    numbers = sorted((t.xy[0], t.get_text()) for t in axes.texts if t.get_text().isdigit())
    assert numbers == [(0, "9"), (1, "8"), (2, "3"), (3, "3"), (4, "3")]
    assert "still followed" in [t.get_text() for t in axes.texts]


def test_between_points_of_a_straight_line_no_number_is_made_up():
    axes = step_chart(survival())
    assert [(t.xy[0], t.get_text()) for t in axes.texts if t.get_text().isdigit()] == [(0, "9")]


def overlay(models):
    ages = np.arange(61.0)
    curves = [
        pd.DataFrame({"segment": m, "age": ages, "share": np.exp(-0.012 * ages ** (1 + i / 99))})
        for i, m in enumerate(models)
    ]
    return pd.concat([survival(OBSERVED), *curves])


def test_models_stand_before_the_observed_steps_in_ink():
    axes = step_chart(overlay(["Weibull", "sBG"]))
    styles = {line.get_color(): (line.get_drawstyle(), line.get_linewidth(), line.zorder) for line in axes.lines}
    assert styles == {PALETTE[0]: ("default", 1.6, 2), PALETTE[1]: ("default", 1.6, 2), INK: ("steps-post", 3.2, 1.5)}
    assert sum(c.get_paths()[0].vertices.size > 0 for c in axes.collections if c.get_paths()) == 1
    assert {t.get_color() for t in axes.texts if t.get_text().isdigit()} == {INK}


def test_six_models_that_end_alike_have_names_apart():
    models = ["Exponential", "Weibull", "Log-normal", "Log-logistic", "Generalised gamma", "sBG"]
    axes = step_chart(overlay(models))
    assert {t.get_text() for t in named(axes)} == {*models, OBSERVED}
    assert overlapping(named(axes)) == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_names_move_apart_in_order_and_stay_inside(heights):
    heights = np.array(heights)
    placed = _spread(heights, 0.062, 0, 1)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(placed[order]) >= 0.062 - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9


def test_names_far_apart_stay_and_near_ones_share_the_move():
    """0.5 and 0.52 with a gap of 0.1: centre 0.51, so 0.46 and 0.56."""
    assert _spread(np.array([0.52, 0.9, 0.5]), 0.1, 0, 1) == pytest.approx([0.56, 0.9, 0.46])


def calendar(months, level=0.015, start="2022-03-01"):
    days = pd.date_range(start, periods=months, freq="MS")
    return pd.DataFrame({"segment": "All", "month": days, "rate": level, "n_start": 1234})


@pytest.mark.parametrize(
    ("months", "names"),
    [
        (1, ["Mar 2022"]),
        (6, ["Mar 2022", "Apr 2022", "May 2022", "Jun 2022", "Jul 2022", "Aug 2022"]),
        (36, ["Jul 2022", "Jan 2023", "Jul 2023", "Jan 2024", "Jul 2024", "Jan 2025"]),
        (60, ["Jan 2023", "Jan 2024", "Jan 2025", "Jan 2026", "Jan 2027"]),
    ],
)
def test_months_of_the_calendar_are_named_apart(months, names):
    axes = lines_with_bands(calendar(months), x="month", y="rate", x_label="month", n="n_start", unit="hazard")
    assert ticks(axes.xaxis) == names
    lowest = next(t for t in axes.get_yticklabels() if t.get_text() == "0.0 %")
    assert overlapping([*axes.get_xticklabels(), lowest]) == 0
    assert [t.get_text() for t in axes.texts].count("1,234") == len(names)


def test_days_of_the_calendar_are_named_as_days():
    table = calendar(3).assign(month=pd.date_range("2025-01-05", periods=3))
    axes = lines_with_bands(table, x="month", y="rate", x_label="day")
    assert ticks(axes.xaxis) == ["5 Jan 2025", "6 Jan 2025", "7 Jan 2025"]


@pytest.mark.parametrize(
    ("highest", "unit", "names"),
    [
        (0.02, "hazard", ["0.0 %", "0.5 %", "1.0 %", "1.5 %", "2.0 %"]),
        (0.3, "hazard", ["0 %", "5 %", "10 %", "15 %", "20 %", "25 %", "30 %"]),
        (0.02, "percent", ["0 %", "5 %"]),
        (1.0, "percent", ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (0, "hazard", ["0.0 %", "0.1 %"]),
        (3, "number", ["0", "1", "2", "3"]),
        (4000, "number", ["0", "1,000", "2,000", "3,000", "4,000"]),
    ],
)
def test_ticks_are_round_and_distinct(highest, unit, names):
    table = survival(shares=[0, highest / 2, highest])[["segment", "age", "share"]]
    axes = lines_with_bands(table, x="age", y="share", x_label="months", unit=unit)
    assert ticks(axes.yaxis) == names


@pytest.mark.parametrize(
    ("values", "limits"),
    [((2400, 2250, 2100), (2050, 2450)), ((2400,) * 3, (2399, 2401)), ((-3, 0, 4), (-4, 5)), ((10, 60, 90), (0, 100))],
)
def test_numbers_far_above_zero_show_their_shape(values, limits):
    table = survival(shares=values)[["segment", "age", "share"]]
    axes = lines_with_bands(table, x="age", y="share", x_label="months", unit="number", y_label="customers")
    assert axes.get_ylim() == limits
    cut = f" · the axis starts at {limits[0]:,}" * (limits[0] > 0)
    assert axes.get_title(loc="left") == f"customers{cut}"


def test_what_is_extrapolated_is_dashed_and_said_to_be():
    axes = step_chart(survival(), line="dashed")
    assert axes.lines[0].get_linestyle() == "--"
    assert axes.get_title(loc="left") == "extrapolated"
    assert step_chart(survival(), line="straight").get_title(loc="left") == ""


def test_numbers_of_the_same_customers_are_printed_once():
    alike = step_chart(pd.concat([survival("net"), survival("gross")]))
    other = step_chart(pd.concat([survival("net"), survival("gross", sizes=(9, 6, 4))]))
    assert len(other.texts) - len(alike.texts) == 1 + 2  # the number at 0, and the names of two


@given(st.floats(1e-6, 1e9), st.integers(3, 12))
def test_steps_are_round_and_few(span, most):
    step = nice_step(span, most, 1e-9)
    assert f"{step:.6e}"[:8] in {"1.000000", "2.000000", "5.000000"}
    assert span / step <= most * (1 + 1e-6)
    assert span / step > most / 2.5 * (1 - 1e-6)


def test_no_band_where_the_bounds_are_missing():
    table = survival().assign(ci_lower=np.nan, ci_upper=np.nan)
    assert all(not p.vertices.size for c in step_chart(table).collections for p in c.get_paths())


def test_one_age_is_a_point_with_an_error_bar():
    axes = draw(curve(["All", "Pro"]).query("period_index == 3"))
    assert len(axes.containers) == 2
    assert ticks(axes.xaxis) == ["3"]


def test_names_that_begin_alike_are_still_two_lines():
    long = "Enterprise, prepaid for a whole year, "
    axes = draw(curve([long + "Europe", long + "Americas"]))
    assert len(axes.lines) == 2
    assert [t.get_text() for t in named(axes)] == ["Enterprise, prepaid for…"] * 2


def test_millions_below_the_axis_do_not_touch():
    ages, names = np.arange(26.0), [f"A name of many letters, {i}" for i in range(8)]
    tables = [survival(name, ages, 0.97**ages, np.full(26, 9_999_999 - i)) for i, name in enumerate(names)]
    below = [t for t in step_chart(pd.concat(tables)).texts if t.get_text().startswith("9,999,99")]
    assert len(below) == 8 * 5
    assert overlapping(below) == 0


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"unit": "percnt"}, "unit is 'percnt'. Did you mean 'percent'"),
        ({"line": "step"}, "line is 'step'. Did you mean 'steps'"),
    ],
)
def test_an_unknown_choice_is_refused(choice, message):
    with pytest.raises(ParameterError, match=message):
        step_chart(survival(), **choice)


def test_a_curve_without_values_is_an_error_and_the_table_stays_as_it_was():
    table = survival().assign(share=np.nan)
    before = table.copy()
    with pytest.raises(ParameterError, match="has no rows"):
        step_chart(table)
    pd.testing.assert_frame_equal(table, before)


def aimed(target, **more):
    months = pd.date_range("2024-01-01", periods=6, freq="MS")
    table = pd.DataFrame({"segment": "All", "month": months, "rate": [0.05, 0.06, 0.05, 0.04, 0.05, 0.06]})
    table = table.assign(ci_lower=table["rate"] - 0.01, ci_upper=table["rate"] + 0.01)
    both = pd.concat([table, table.assign(segment="Pro"), table.assign(segment="Lite")]) if "draw" in more else table
    draw = more.pop("draw", lines_with_bands)
    return draw(both, x="month", y="rate", x_label="", unit="hazard", target=target, **more)


def dotted(axes):
    return [line.get_ydata()[0] for line in axes.lines if [*line.get_xdata()] == [0, 1]]  # across the axes


@pytest.mark.parametrize(
    ("target", "drawn", "said"),
    [
        ((0.03,), [0.03], "dotted: target, 3 %"),
        ((0.03, 0.1), [0.03, 0.1], "dotted: target, 3 to 10 %"),
        ((0.4,), [], ""),  # the lines would lie flat
        ((), [], ""),
    ],
)
def test_a_target_is_dotted_and_named_where_it_is_near(target, drawn, said):
    axes = aimed(target)
    assert dotted(axes) == drawn
    assert axes.get_title(loc="left").endswith(said)
    assert ("dotted" in axes.get_title(loc="left")) == bool(drawn)
    low, high = axes.get_ylim()
    assert all(low <= end <= high for end in drawn)


def test_a_target_is_in_every_panel_and_may_be_of_one_line():
    panels = aimed((0.03,), draw=panels_with_bands).figure
    assert [dotted(axes) for axes in panels.axes] == [[0.03], [0.03]]
    assert panels.get_suptitle().endswith("dotted: target, 3 %")
    assert aimed((0.03,), target_of="NRR").get_title(loc="left").endswith("dotted: target of NRR, 3 %")
