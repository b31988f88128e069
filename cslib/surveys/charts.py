"""Charts of answers: groups with their score, the distribution over the scale, segments crossed; and what they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from cslib.errors import ParameterError, counted
from cslib.show import charts, estimates, hover
from cslib.show.charts import GROUND, INK, MUTED, PALETTE, STYLE, new_axes, new_row, require, short, well_observed
from cslib.show.colours import ILL, MIDDLE, WELL
from cslib.show.estimates import (
    DARK_TEXT,
    MAX_ROWS,
    coloured_cells,
    hatch,
    name_rows,
    right_of,
    row_height,
    too_long,
    value_axis,
)
from cslib.stats.intervals import FIRM, Floats

ALL: Final = "All"

COLOURS: Final = (WELL, MIDDLE, ILL)  # best, middle, worst
LEAST_LABELLED: Final = 0.04  # of a bar: narrower parts have no figure in them
BESIDE: Final = 0.05  # of a bar: room for the figures of the last parts, where one is too narrow
CUTS: Final = (5, 8, 12)  # parts of an axis of scores at most, the fewest that leave three ticks
DOT: Final[Any] = {"markersize": 5, "linewidth": 1.8, "capsize": 3}
FEW_COLUMNS: Final = 4  # of a slim grid, whose names have room for two lines
MOST_COUNTED: Final = 6  # columns of a slim grid whose cells have room for a number of answers


@mpl.rc_context(STYLE)
def answer_bars(
    table: pd.DataFrame, *, label: str, groups: Sequence[str], score: str, score_label: str, unit: str = "number"
) -> Axes:
    """Draw, per row, the shares of best, middle and worst answers, and beside them the score with its interval.

    Parameters
    ----------
    table
        At most 30 rows, in their order: the columns named, ``n_responses``, ``ci_lower``, ``ci_upper``.
    label
        Column of the names of rows.
    groups
        Columns of counts: best, middle, worst.
    score
        Column of the score.
    score_label
        What it is, with its unit.
    unit
        ``number``, or ``percent`` for a share.

    Notes
    -----
    Scores whose row is ``clear``, if there is that column, are in colour; a dashed line marks the first row if it is
    that of all.

    Returns
    -------
    matplotlib.axes.Axes
        Of the bars; those of the scores are the figure's second.

    Raises
    ------
    ParameterError
        A column is missing, or there are no rows or too many.
    """
    require(table, label, *groups, score, "n_responses", "ci_lower", "ci_upper")
    msg = f"There are {len(table)} rows to draw. Keep {MAX_ROWS} at most, such as those with the most answers."
    ParameterError.when(len(table) > MAX_ROWS, msg)
    values = table[[score, "ci_lower", "ci_upper"]].to_numpy(float) * (100 if unit == "percent" else 1)
    names, at, written = [str(name) for name in table[label]], list(range(len(table))), _written(values)
    long = too_long(names, written)
    bars, scores = new_row(1.1 + max(0.34, row_height(long)) * len(table), [1.5, 1])
    _stack(bars, table, label, groups)
    name_rows(bars, names, at)
    clear = table["clear"].to_numpy(bool) if "clear" in table else np.zeros(len(table), bool)
    _dots(scores, values, score_label, clear)
    if charts.is_slim():  # they stand below the bars, not beside them
        name_rows(scores, names, at, long=long)
    each = zip(table[label], written, table["n_responses"], strict=True)
    told = [f"{name}\n{score_label}: {text}\n{counted(n, 'customer')}" for name, text, n in each]
    hover.tell(scores, values[:, 0], range(len(table)), told)
    if table[label].iloc[0] == ALL:
        scores.axvline(values[0, 0], color=MUTED, linewidth=1.2, linestyle="--", zorder=0)
    return bars


def _stack(axes: Axes, table: pd.DataFrame, label: str, groups: Sequence[str]) -> None:
    n = table["n_responses"].to_numpy(float)
    left = np.zeros(len(table))
    for column, colour in zip(groups, COLOURS, strict=True):
        share = np.nan_to_num(table[column].to_numpy(float) / np.where(n > 0, n, np.nan))
        how: Any = {"height": 0.4 if charts.is_slim() else 0.68, "edgecolor": GROUND, "linewidth": 1}
        axes.barh(range(len(table)), share, left=left, color=colour, **how)
        beside = column == groups[-1] and bool(((share > 0) & (share < LEAST_LABELLED)).any())
        _figures(axes, share, left, DARK_TEXT if colour == COLOURS[1] else "white", beside=beside)
        named = [f"{name}, {column.removeprefix('n_')}" for name in table[label]]
        each = zip(named, share, table[column], strict=True)
        told = [hover.lines(name, v, "percent", n=counted(int(k), "answer")) for name, v, k in each]
        hover.tell(axes, left + share / 2, range(len(table)), told)
        left += share
    names = [column.removeprefix("n_") for column in groups]
    for i, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        place: Any = {"ha": ("left", "center", "right")[i], "va": "bottom", "transform": axes.transAxes}
        shown = MUTED if colour == COLOURS[1] else colour
        axes.text(
            (0.0, 0.5, 1.0)[i],
            1.03 if charts.is_slim() else 1.01,
            name,
            color=shown,
            fontweight="bold",
            fontsize=9.5,
            **place,
        )
    axes.set_xlim(0, 1 + BESIDE * beside)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.get_xticklabels()[-1].set(ha="right")  # else it would run into the axis of the scores
    axes.set_xlabel("share of answers", loc="right")


def _figures(axes: Axes, share: Floats, left: Floats, ink: str, *, beside: bool) -> None:
    """Write the shares of a part into the bars where they are wide enough, or all of them beside the bars."""
    how: Any = {"ha": "left" if beside else "center", "va": "center", "color": MUTED if beside else ink}
    for row in np.flatnonzero((share > 0) & (beside | (share >= LEAST_LABELLED))):
        at = 1.01 if beside else float(left[row] + share[row] / 2)
        axes.text(at, float(row), f"{100 * share[row]:.0f}", fontsize=9.5, **how)


def _dots(axes: Axes, values: Floats, label: str, clear: NDArray[np.bool_]) -> None:
    seen = values[np.isfinite(values)]
    pad = 0.06 * np.ptp(seen) or 1.0
    low, high = float(seen.min() - pad), float(seen.max() + pad)
    value_axis(axes, (low, high), log_scale=False, most=_cuts(low, high))
    rows = np.arange(len(values))
    colours = np.where(clear, PALETTE[0], INK)
    axes.hlines(rows, values[:, 1], values[:, 2], colors=list(colours), linewidth=2)
    axes.scatter(values[:, 0], rows, s=38, color=list(colours), zorder=3)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xlabel(label, loc="right")
    right_of(axes, list(rows), _written(values), 10, "left")


def _cuts(low: float, high: float) -> int:
    """Choose into how many parts at most an axis is cut, so that three ticks stand on it."""
    steps = {most: charts.nice_step(high - low, charts.ticks_at_most(most), 1e-9) for most in CUTS}
    return next((m for m, step in steps.items() if np.floor(high / step) - np.ceil(low / step) >= 2), CUTS[-1])


def _written(values: Floats) -> list[str]:
    return estimates.written(values, log_scale=False)


@mpl.rc_context(STYLE)
def answer_distribution(table: pd.DataFrame, *, groups: Sequence[str], x_label: str) -> Axes:
    """Draw how many gave each answer of the scale, coloured by group.

    Parameters
    ----------
    table
        One row per answer: ``score``, ``group``, ``n``, ``share``, ``ci_lower``, ``ci_upper``.
    groups
        Best, middle and worst.
    x_label
        What the answers are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing.
    """
    require(table, "score", "group", "n", "share", "ci_lower", "ci_upper")
    axes = new_axes(3.2)
    colours = table["group"].map(dict(zip(groups, COLOURS, strict=True)))
    at, share = table["score"].to_numpy(float), table["share"].to_numpy(float)
    axes.bar(at, share, width=0.78, color=list(colours))
    low, high = table["ci_lower"].to_numpy(float), table["ci_upper"].to_numpy(float)
    for colour, width in ((GROUND, 3.6), (INK, 1.4)):  # seen on bars of every colour
        axes.vlines(at, low, high, color=colour, linewidth=width)
    upright = 90 * (charts.is_slim() and len(table) > 6)
    above: Any = {"textcoords": "offset points", "ha": "center", "color": MUTED, "fontsize": 9.5}
    for x, top, n in zip(at, high, table["n"], strict=True):
        axes.annotate(f"{n:,.0f}", (x, top), (0, 7 if upright else 3), rotation=upright, **above)
    facts = zip(table["score"], share, low, high, table["n"], strict=True)
    told = [
        hover.lines(f"answer {x}", v, "percent", bounds=(a, b), n=counted(int(n), "answer")) for x, v, a, b, n in facts
    ]
    hover.tell(axes, at, share, told)
    axes.set_xticks(at)
    axes.set_ylim(0, float(high.max()) * (1.25 if upright else 1.12))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y", linewidth=0.8)
    axes.set_title("share of customers", loc="left", fontsize=10.5, color=MUTED)
    axes.set_xlabel(x_label, loc="right", labelpad=28 if charts.is_slim() else None)
    for group, colour in zip(groups, COLOURS, strict=True):
        lower = charts.is_slim() and group == groups[1]  # else it would touch the others
        own = table[table["group"] == group]["score"]
        shown = MUTED if colour == COLOURS[1] else colour
        axes.annotate(
            group, (float(own.mean()), 0), (0, -26 - 12 * lower), xycoords="data", textcoords="offset points",
            ha="center", color=shown, fontweight="bold", fontsize=9.5, annotation_clip=False,
        )  # fmt: skip
    return axes


@mpl.rc_context(STYLE)
def score_heatmap(
    table: pd.DataFrame, *, row: str, column: str, score: str, unit: str = "number", least: float = 0.0
) -> Axes:
    """Draw the score of two columns crossed, with the number of answers under it; hidden cells are hatched.

    Parameters
    ----------
    table
        One row per cell that may be shown: ``row`` and ``column`` (values), the score, ``n_responses``.
    row, column
        What the values of rows and columns are, for the axes.
    score
        Column of the score.
    unit
        ``number``, or ``percent`` for a share.
    least
        Of the score, from the palest to the darkest colour at least, so that small differences look small.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, or there is no cell.
    """
    require(table, "row", "column", score, "n_responses")
    size = 100 if unit == "percent" else 1
    table = table.assign(**{score: table[score] * size})
    grid = table.pivot(index="row", columns="column", values=score)
    n = table.pivot(index="row", columns="column", values="n_responses")
    places = 0 if unit == "percent" or np.nanmax(np.abs(grid)) >= 20 else 1
    text = grid.map(lambda v: "" if pd.isna(v) else f"{v:.{places}f}".replace("-", "−"))
    full = text + n.map(lambda v: "" if pd.isna(v) else f"\nn {v:,.0f}")
    many = grid.shape[1] > FEW_COLUMNS
    axes = new_axes(1.0 + 0.5 * len(grid) + 1.5 * (many and charts.is_slim()))
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    half = max(0.7 * (high - low), size * least / 2) or 1.0
    limits = ((low + high) / 2 - half, (low + high) / 2 + half)
    cells = full.where(grid.notna()).apply(lambda own: f"{own.name}\n" + own)
    cells = cells.apply(lambda own: f"{own.name}, " + own, axis=1)
    named = grid.rename(index=partial(_heading, letters=16), columns=partial(_heading, letters=24 if many else 12))
    counted_too = not charts.is_slim() or grid.shape[1] <= MOST_COUNTED
    coloured_cells(axes, named, full if counted_too else text, limits=limits, told=cells)
    charts.slanted(axes)
    hatch(axes, grid.isna().to_numpy())
    axes.set_xlabel(column, loc="right")
    axes.set_ylabel(row)
    return axes


def _heading(name: object, letters: int) -> str:
    return charts.folded(short(name), letters=letters)


def bar_rows(table: pd.DataFrame, *, most: int = 24) -> pd.DataFrame:
    """Keep the rows that a chart of groups has room for, and name them; one column's segments by themselves.

    Parameters
    ----------
    table
        As from :func:`cslib.surveys.scores.scores`.
    most
        Rows at most, in their order.

    Returns
    -------
    pandas.DataFrame
        The rows with answers, with ``name``.
    """
    rows = table[table["n_responses"] > 0].head(most)
    several = table["segment_by"].nunique() > 2
    name = rows["segment_by"] + ": " + rows["segment"] if several else rows["segment"]
    return rows.assign(name=name.where(rows["segment"] != ALL, ALL))


def trend_rows(trend: pd.DataFrame, *, most: int = 4) -> pd.DataFrame:
    """Keep the whole and the largest segments of a trend, with the answers as ``n_customers``.

    Parameters
    ----------
    trend
        As from :func:`cslib.surveys.scores.trend`.
    most
        Segments to keep beside the whole.

    Returns
    -------
    pandas.DataFrame
        The rows of those segments; without values of fewer than 30 answers, where any has so many.
    """
    sizes = trend.groupby("segment")["n_responses"].sum().drop(ALL, errors="ignore")
    kept = [ALL, *sizes.sort_values(ascending=False, kind="stable").index[:most]]
    rows = trend[trend["segment"].isin(kept)].assign(n_customers=trend["n_responses"].astype(float))
    return well_observed(rows, least=FIRM)


def alone(shown: pd.DataFrame, y: str) -> pd.DataFrame:
    """Keep the rows of a trend that have a value, and none right before and after it.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-01", "2025-04-01", "2025-07-01"])
    >>> alone(pd.DataFrame({"segment": "A", "period": days, "nps": [None, 31.0, None]}), "nps")["nps"].tolist()
    [31.0]
    """
    known = shown[y].notna()
    beside = known.groupby(shown["segment"], sort=False)
    near = beside.shift(1, fill_value=False) | beside.shift(-1, fill_value=False)
    return shown[known & ~near & (shown["segment"] != ALL)]


def said_alone(shown: pd.DataFrame, y: str, *, period: str) -> str:
    """Say why a value stands alone, where one does."""
    return f" A dot alone: too few answers in the {period}s beside it." * bool(len(alone(shown, y)))


def with_dots(draw: Callable[[], Axes], shown: pd.DataFrame, y: str) -> Axes:
    """Draw the values of a trend that stand alone as dots with their interval: no line and no band shows them.

    Parameters
    ----------
    draw
        Draws the trend, as in ``partial(panels_with_bands, shown, …)``.
    shown
        What it draws, with ``segment``, ``ci_lower``, ``ci_upper``.
    y
        Its column of values.

    Returns
    -------
    matplotlib.axes.Axes
    """
    axes = draw()
    rows: Any = alone(shown, y).assign(value=lambda table: table[y]).itertuples()
    panels = {panel.get_label(): panel for panel in axes.figure.axes}
    for row in rows:
        panel = panels.get(row.segment, axes)
        bounds = [[row.value - row.ci_lower], [row.ci_upper - row.value]]
        for line in [line for line in panel.lines if line.get_label() == row.segment]:  # none of a few dots
            at = np.asarray(line.get_xdata(), float)[np.asarray(line.get_ydata(), float) == row.value][:1]
            panel.errorbar(at, [row.value], yerr=bounds, fmt="o", color=line.get_color(), **DOT)
    return axes
