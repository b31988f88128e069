"""Charts: a result table in, matplotlib Axes out. Knows columns, not the analysis behind them.

Ink, muted, grid and ground are fixed colours that a page may swap for its theme; series colours hold a
contrast of 3:1 on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MultipleLocator, PercentFormatter
from numpy.typing import NDArray

from cslib.errors import ParameterError

__all__ = ["GRID", "GROUND", "INK", "MUTED", "PALETTE", "lines_with_bands", "retention_heatmap"]

INK: Final = "#1b1f24"
MUTED: Final = "#5b6570"
GRID: Final = "#e3e6ea"
GROUND: Final = "#ffffff"
PALETTE: Final = (
    *("#0f8496", "#d9541e", "#8a63d2", "#a37a00"),
    *("#c2518f", "#3b7dd8", "#3f8f4f", "#8d6e58"),
)
DARK_TEXT: Final = "#12282d"  # not INK: it stands on the colour of a cell in both themes
MAX_COHORTS: Final = 36
WIDTH: Final = 9.2
STYLE: Final[Any] = {
    "font.size": 10.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "hatch.linewidth": 0.7,
    "text.parse_math": False,  # a plan called "$19 to $29" is no formula
}


def _axes(height: float) -> Axes:
    with sns.axes_style("white", rc={"font.family": ["sans-serif"]}), mpl.rc_context(STYLE):
        return Figure(figsize=(WIDTH, height), layout="constrained").add_subplot()


def _require(table: pd.DataFrame, *columns: str) -> None:
    missing = [c for c in columns if c not in table.columns]
    if missing or table.empty:
        what = f"has no column {missing[0]!r}" if missing else "has no rows"
        msg = f"The table to draw {what}. It needs {', '.join(columns)} and at least one row."
        raise ParameterError(msg)


def cohort_label(day: Any, period: str) -> str:
    """Name a cohort as its readers would.

    Examples
    --------
    >>> [cohort_label(pd.Timestamp("2025-04-01"), p) for p in ("month", "quarter", "year", "week")]
    ['Apr 2025', 'Q2 2025', '2025', '1 Apr 2025']
    """
    forms = {"month": f"{day:%b %Y}", "quarter": f"Q{day.quarter} {day.year}", "year": f"{day.year}"}
    return forms.get(period, f"{day.day} {day:%b %Y}")


@mpl.rc_context(STYLE)
def retention_heatmap(
    triangle: pd.DataFrame, *, period: str = "month", segment: str = "All", names: Mapping[int, str] | None = None
) -> Axes:
    """Draw a retention triangle: a row per cohort with its size, a column per period, percent in cells.

    Parameters
    ----------
    triangle
        ``segment``, ``cohort``, ``period_index``, ``n_customers``, ``retention_rate`` (0–1; missing cells
        are hatched: their period is not fully observed).
    period
        For the names of cohorts and of the axis.
    segment
        The segment to draw.
    names
        What to call a period index, for brackets.

    Returns
    -------
    matplotlib.axes.Axes
        At most the 36 latest cohorts.

    Raises
    ------
    ParameterError
        A column is missing, or the segment has no rows.
    """
    columns = ("segment", "cohort", "period_index", "n_customers", "retention_rate")
    _require(triangle, *columns)
    own = triangle[triangle["segment"] == segment]
    _require(own, *columns)
    rates = own.pivot(index="cohort", columns="period_index", values="retention_rate").iloc[-MAX_COHORTS:]
    begun = own.pivot(index="cohort", columns="period_index", values="n_customers").reindex(rates.index)
    axes = _axes(0.75 + 0.27 * len(rates))
    _cells(axes, rates)
    _hatch(axes, rates, begun)
    sizes = begun.max(axis=1).astype(int)
    rows = [f"{cohort_label(day, period)}   {n:,}" for day, n in sizes.items()]
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, rotation=0)
    axes.set_xticks(
        np.arange(rates.shape[1]) + 0.5, [(names or {}).get(int(k), str(k)) for k in rates.columns], rotation=0
    )
    axes.tick_params(length=0, labelsize=10)
    axes.xaxis.tick_top()
    axes.set_xlabel(f"{period}s since the cohort began", loc="right")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("")
    axes.text(-0.008, 1.005, "cohort, customers", transform=axes.transAxes, ha="right", va="bottom", color=MUTED)
    return axes


def _cells(axes: Axes, rates: pd.DataFrame) -> None:
    later = rates.to_numpy()[:, np.asarray(rates.columns) != 0]
    top = float(np.nanmax(later)) if np.isfinite(later).any() else 1.0
    colours = (
        sns.light_palette(PALETTE[0], as_cmap=True)
        if top < 0.5
        else sns.blend_palette(["#eef6f7", "#7cc0ca", "#0f8496", "#0a4a57"], as_cmap=True)
    )
    percent = (rates * 100).round(0)
    text = percent.map(lambda v: "" if pd.isna(v) else f"{v:.0f}")
    sns.heatmap(
        rates, ax=axes, cmap=colours, vmin=0, vmax=max(top, 0.05), cbar=False, annot=text, fmt="",
        linewidths=1.2, linecolor=GROUND, annot_kws={"fontsize": 9.5},
    )  # fmt: skip
    for label, rate in zip(axes.texts, rates.to_numpy()[rates.notna().to_numpy()], strict=True):
        label.set_color(DARK_TEXT if _luminance(colours(rate / max(top, 0.05))) > 0.25 else "white")


def _luminance(colour: tuple[float, float, float, float]) -> float:
    """Relative luminance, WCAG 2.1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _hatch(axes: Axes, rates: pd.DataFrame, begun: pd.DataFrame) -> None:
    unfinished = begun.notna().to_numpy() & rates.isna().to_numpy()
    for row, column in zip(*np.nonzero(unfinished), strict=True):
        cell = Rectangle(
            (column + 0.04, row + 0.06), 0.92, 0.88, fill=False, hatch="////", edgecolor=MUTED, linewidth=0
        )
        axes.add_patch(cell)


@mpl.rc_context(STYLE)
def lines_with_bands(
    table: pd.DataFrame, *, x: str, y: str, x_label: str, n: str = "", names: Mapping[int, str] | None = None
) -> Axes:
    """Draw one line per segment with its interval, labelled at its end, and the n below.

    Parameters
    ----------
    table
        ``segment`` (at most eight beside ``All``), the columns named by ``x`` and ``y`` (0–1), ``ci_lower`` and
        ``ci_upper`` where there is an interval, and the column named by ``n``.
    x, y
        Columns.
    x_label
        What the horizontal axis counts, with its unit.
    n
        Column of customers to print below the axis; empty for none.
    names
        What to call values of ``x`` that are brackets, not points: then points with error bars are drawn.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, there are no rows, or too many segments.
    """
    _require(table, "segment", x, y, *([n] if n else []))
    table = table.assign(segment=table["segment"].map(_short))
    colours = _colours(table)
    axes = _axes(3.6 + (0.22 * len(colours) if n else 0))
    for place, (segment, colour) in enumerate(colours.items()):
        own = table[(table["segment"] == segment) & table[y].notna()]
        apart = own.assign(**{x: own[x] + 0.06 * place}) if names else own
        (_points if names or len(own) == 1 else _line)(axes, apart, x, y, colour)
    _finish(axes, table, x, y, names or {})
    axes.set_xlabel(x_label, loc="right")
    _end_labels(axes, table, colours, x, y, 26 if names else 8)
    if n:
        _numbers_below(axes, table, colours, x, n)
    return axes


def _short(segment: object) -> str:
    text = " ".join(str(segment).split())
    return text if len(text) <= 24 else text[:23] + "…"


def _colours(table: pd.DataFrame) -> dict[str, str]:
    names = list(dict.fromkeys(table["segment"]))
    named = [s for s in names if s != "All"]
    if len(named) > len(PALETTE):
        msg = f"There are {len(named)} segments to draw. Keep {len(PALETTE)} at most: cohorts.largest_segments does."
        raise ParameterError(msg)
    if not named:
        return {"All": PALETTE[0]}
    return dict(zip(named, PALETTE, strict=False)) | ({"All": MUTED} if "All" in names else {})


def _line(axes: Axes, own: pd.DataFrame, x: str, y: str, colour: str) -> None:
    dashed = "--" if colour == MUTED else "-"
    axes.plot(own[x], own[y], dashed, color=colour, linewidth=2, marker="o", markersize=2.5)
    if "ci_lower" in own:
        lower, upper = own["ci_lower"], own["ci_upper"]
        axes.fill_between(own[x].astype(float), lower, upper, color=colour, alpha=0.16, linewidth=0)


def _points(axes: Axes, own: pd.DataFrame, x: str, y: str, colour: str) -> None:
    reach = [own[y] - own["ci_lower"], own["ci_upper"] - own[y]] if "ci_lower" in own else None
    axes.errorbar(own[x], own[y], yerr=reach, fmt="o", color=colour, markersize=5, linewidth=1.8, capsize=3)


def _finish(axes: Axes, table: pd.DataFrame, x: str, y: str, names: Mapping[int, str]) -> None:
    highest = float(table[[y, *[c for c in ("ci_upper",) if c in table]]].max().max())
    step = 0.2 if highest > 0.5 else 0.1 if highest > 0.2 else 0.05
    axes.set_ylim(0, np.ceil(highest / step - 1e-9) * step)
    axes.yaxis.set_major_locator(MultipleLocator(step))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.xaxis.set_major_locator(MultipleLocator(_tick_step(float(table[x].max() - table[x].min()))))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    axes.set_xlim(float(table[x].min()), max(float(table[x].max()), float(table[x].min()) + 1))
    axes.grid(axis="y", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    if names:
        axes.set_xticks(list(names), list(names.values()))
        axes.margins(x=0.08)
        axes.autoscale(axis="x")


def _tick_step(span: float) -> int:
    """At most ten ticks, at steps that suit months."""
    return next((s for s in (1, 2, 3, 6, 12, 24, 60) if span / s <= 9), 120)


def _end_labels(axes: Axes, table: pd.DataFrame, colours: Mapping[str, str], x: str, y: str, aside: float) -> None:
    """Name each line where it ends; names that would cover each other move apart."""
    ends = table[table[y].notna()].sort_values(x).groupby("segment")[[x, y]].last()
    wanted = [s for s in colours if s in ends.index]
    if wanted == ["All"]:
        return
    top = axes.get_ylim()[1]
    right = ends[x] >= table[x].max()
    for place in (True, False):
        own = [s for s in wanted if right[s] == place]
        heights = _spread(ends.loc[own, y].to_numpy(float), 0.062 * top, top)
        for segment, height in zip(own, heights, strict=True):
            axes.annotate(
                segment, (ends.loc[segment, x], height), xytext=(aside, 0), textcoords="offset points", va="center",
                color=colours[segment], fontweight="bold", annotation_clip=False,
            )  # fmt: skip


def _spread(heights: NDArray[np.float64], gap: float, top: float) -> NDArray[np.float64]:
    """Move labels apart so that none covers another, within 0 and the top where they fit."""
    order = np.argsort(heights, kind="stable")
    placed = heights.copy()
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    ceiling = top
    for label in order[::-1]:
        placed[label] = min(placed[label], ceiling)
        ceiling = placed[label] - gap
    return placed


def _numbers_below(axes: Axes, table: pd.DataFrame, colours: Mapping[str, str], x: str, n: str) -> None:
    ticks = [t for t in axes.get_xticks() if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.annotate(
        "customers", (0, 0), xycoords="axes fraction", xytext=(0, -34), textcoords="offset points",
        ha="center", color=MUTED, fontsize=9,
    )  # fmt: skip
    for row, (segment, colour) in enumerate(colours.items()):
        sizes = table[table["segment"] == segment].set_index(x)[n]
        for tick in ticks:
            if tick in sizes.index:
                axes.annotate(
                    f"{int(sizes[tick]):,}", (tick, 0), xycoords=axes.get_xaxis_transform(),
                    xytext=(0, -48 - 14 * row), textcoords="offset points", ha="center", color=colour, fontsize=9.5,
                )  # fmt: skip
