"""A heatmap: a retention triangle in, matplotlib Axes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from cslib.charts import GROUND, MUTED, PALETTE, STYLE, cohort_label, new_axes, require

__all__ = ["DARK_TEXT", "MAX_COHORTS", "coloured_cells", "hatch", "retention_heatmap"]

DARK_TEXT: Final = "#12282d"  # not INK: it stands on the colour of a cell in both themes
MAX_COHORTS: Final = 36


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
    require(triangle, *columns)
    own = triangle[triangle["segment"] == segment]
    require(own, *columns)
    rates = own.pivot(index="cohort", columns="period_index", values="retention_rate").iloc[-MAX_COHORTS:]
    begun = own.pivot(index="cohort", columns="period_index", values="n_customers").reindex(rates.index)
    axes = new_axes(0.75 + 0.27 * len(rates))
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
    text = (rates * 100).round(0).map(lambda v: "" if pd.isna(v) else f"{v:.0f}")
    coloured_cells(axes, rates, text, limits=(0, max(top, 0.05)), pale=top < 0.5)


def coloured_cells(
    axes: Axes, values: pd.DataFrame, text: pd.DataFrame, *, limits: tuple[float, float], pale: bool = False
) -> None:
    """Draw a grid of values as colours with a text on each; missing cells stay empty."""
    low, high = limits
    colours = (
        sns.light_palette(PALETTE[0], as_cmap=True)
        if pale
        else sns.blend_palette(["#eef6f7", "#7cc0ca", "#0f8496", "#0a4a57"], as_cmap=True)
    )
    sns.heatmap(
        values, ax=axes, cmap=colours, vmin=low, vmax=high, cbar=False, annot=text, fmt="",
        linewidths=1.2, linecolor=GROUND, annot_kws={"fontsize": 9.5},
    )  # fmt: skip
    for label, value in zip(axes.texts, values.to_numpy()[values.notna().to_numpy()], strict=True):
        label.set_color(DARK_TEXT if _luminance(colours((value - low) / (high - low))) > 0.25 else "white")


def _luminance(colour: tuple[float, float, float, float]) -> float:
    """Relative luminance, WCAG 2.1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _hatch(axes: Axes, rates: pd.DataFrame, begun: pd.DataFrame) -> None:
    hatch(axes, begun.notna().to_numpy() & rates.isna().to_numpy())


def hatch(axes: Axes, cells: NDArray[np.bool_]) -> None:
    """Hatch cells of a grid."""
    for row, column in zip(*np.nonzero(cells), strict=True):
        cell = Rectangle(
            (column + 0.04, row + 0.06), 0.92, 0.88, fill=False, hatch="////", edgecolor=MUTED, linewidth=0
        )
        axes.add_patch(cell)
