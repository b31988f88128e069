import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from cslib.charts import MAX_COHORTS, PALETTE, lines_with_bands, retention_heatmap
from cslib.errors import ParameterError


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


def test_labels_never_cover_each_other():
    axes = draw(curve(["All", *"abcdefgh"]))
    heights = sorted(t.xy[1] for t in axes.texts if t.get_text() in "abcdefgh" or t.get_text() == "All")
    assert np.diff(heights).min() > 0.05
    assert heights[-1] <= axes.get_ylim()[1]


def test_too_many_segments_are_refused():
    with pytest.raises(
        ParameterError, match=r"There are 20 segments to draw. Keep 8 at most: cohorts.largest_segments"
    ):
        draw(curve([f"s{i}" for i in range(20)]))


def test_text_is_never_read_as_a_formula():
    axes = draw(curve(["All", r"Pro $\foo$ to $29$", "a name\nof two lines that goes on and on"]))
    axes.figure.savefig(io.StringIO(), format="svg")
    texts = {t.get_text() for t in axes.texts}
    assert {r"Pro $\foo$ to $29$", "a name of two lines tha…"} <= texts


def test_a_line_is_named_where_it_ends():
    table = curve(["All", "old", "young"])
    axes = draw(table[(table.segment != "young") | (table.period_index < 5)])
    ends = {t.get_text(): t.xy[0] for t in axes.texts if t.get_text() in ("old", "young")}
    assert ends == {"old": 12, "young": 4}


def test_brackets_are_points_with_their_names():
    table = curve(["All", "Pro"]).query("period_index in (1, 4, 7)")
    axes = lines_with_bands(
        table, x="period_index", y="rate", x_label="months", n="n_customers", names={1: "1–3", 4: "4–6", 7: "7–12"}
    )
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1–3", "4–6", "7–12"]
    assert len(axes.containers) == 2
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
