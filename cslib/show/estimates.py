"""Charts of estimates with intervals: many of them in rows, or predicted against observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullLocator
from numpy.typing import NDArray

from cslib.errors import ParameterError, counted
from cslib.show import charts, hover
from cslib.show.charts import GROUND, INK, MUTED, PALETTE, STYLE, is_slim
from cslib.show.colours import BESIDE, ON_SHADES, SHADES
from cslib.show.drawing import PRESSED
from cslib.show.formats import format_value

MAX_ROWS: Final = 30
LONGEST: Final = 36  # letters of a label
LETTERS: Final = 52  # in a line of a slim chart
BEHIND: Final = 0.9  # what texts hide, such as the line of the reference
PLATE: Final = 0.95  # texts between that and the marks of a chart
Floats = NDArray[np.float64]
REACH: Final = 8  # an interval is cut where it is this many times beyond all estimates
DARK_TEXT: Final = "#020202"  # not INK: it stands on a colour that is the same in both themes
DIGIT: Final = 6.1  # points
NAMES: Final = 2.1  # inches that names take beside cells
FILLED: Final = 0.82  # of the width of a cell, by its digits
NARROW: Final = 0.3  # shares over which colours run at least: less would draw what may be chance
APART: Final = (0.15, 0.25)  # of shares from all cohorts in the strongest colours, at least and at most
MAX_COHORTS: Final = 36


@mpl.rc_context(STYLE)
def forest_plot(
    table: pd.DataFrame, *, estimate: str, label: str, x_label: str, group: str = "", n: str = "",
    reference: float | None = None, log_scale: bool = False,
) -> Axes:  # fmt: skip
    """Draw one row per estimate, with its interval and both in figures at the right.

    Parameters
    ----------
    table
        At most 30 rows, drawn in their order: the columns named, ``ci_lower`` and ``ci_upper``. A row
        without interval is a hollow point; one without estimate a dash. Where there is a column ``clear``
        (bool), such as a p-value adjusted for many comparisons gives it, its true rows are in colour.
    estimate, label
        Columns of the numbers and of their names.
    x_label
        What the numbers are, with their unit.
    group
        Column of headings over the rows; empty for none.
    n
        Column of numbers of customers or answers; empty for none.
    reference
        Where a dashed line stands, such as 1 for ratios and 0 for differences. Without ``clear``, intervals that
        exclude it are in colour; without a reference all are.
    log_scale
        True for ratios, false for amounts, differences and scores.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, there are no rows or too many, or a ratio is not above 0.
    """
    charts.require(table, estimate, label, "ci_lower", "ci_upper", *(c for c in (group, n) if c))
    charts.require(table.dropna(subset=[estimate]), estimate)
    table, names, at = _grouped(table, label, group)
    msg = f"{estimate} has {table[estimate].min():g}, which no scale of ratios holds. Leave log_scale out."
    ParameterError.when(log_scale and table[estimate].min() <= 0, msg)
    values = table[[estimate, "ci_lower", "ci_upper"]].to_numpy(float)
    texts, sizes = written(values, log_scale), [f"{v:,.0f}" if v == v else "–" for v in table[n]] if n else []
    figures = [f"{t} · n {n}" for t, n in zip(texts, sizes, strict=True)] if sizes else texts
    long = too_long(map(str, table[label]), figures)
    axes = charts.new_axes(0.7 + row_height(long) * len(names))
    value_axis(axes, _limits(values, reference, log_scale), log_scale)
    clear = table["clear"] if "clear" in table else _beside(values, reference)
    _intervals(axes, at, values, np.where(clear, PALETTE[0], MUTED))
    if reference is not None:
        axes.axvline(reference, color=MUTED, linestyle="--", linewidth=1.2, zorder=BEHIND)
    name_rows(axes, names, at, long=long)
    axes.set_xlabel(charts.folded(x_label), loc="right")
    if is_slim():
        right_of(axes, at, figures, 0, "right")
    else:
        _figures(axes, at, texts, sizes)
    told = [f"{name}\n{text}" for name, text in zip(table[label], texts, strict=True)]
    if n:
        told = [t if v != v else f"{t}\nn {v:,.0f}" for t, v in zip(told, table[n], strict=True)]
    hover.tell(axes, values[:, 0], at, told)
    return axes


def _grouped(table: pd.DataFrame, label: str, group: str) -> tuple[pd.DataFrame, list[str], list[int]]:
    """Bring rows together by their headings, if there are not too many, and give them lines of the chart."""
    msg = f"There are {len(table)} rows to draw. Keep {MAX_ROWS} at most, such as those with the most customers."
    ParameterError.when(len(table) > MAX_ROWS, msg)
    groups = table.groupby(group, sort=False, dropna=False) if group else [("", table)]
    names, at = _layout(groups, label, bool(group))
    return pd.concat([own for _, own in groups]), names, at


def _figures(axes: Axes, at: list[int], texts: list[str], sizes: list[str]) -> None:
    """Write estimates at the right, with the numbers that they rest on where there are any."""
    right_of(axes, at, texts, 74 if sizes else 14, "left")
    if sizes:
        right_of(axes, at, sizes, 60, "right")
        axes.annotate("n", (1, 1), (60, 2), "axes fraction", "offset points", ha="right", color=MUTED, fontsize=9.5)


def _layout(groups: Iterable[tuple[Any, pd.DataFrame]], label: str, headed: bool) -> tuple[list[str], list[int]]:
    """Name each line of the chart, headings among them, and tell which ones hold estimates."""
    names, at = list[str](), list[int]()
    for heading, own in groups:
        names += [str(heading)] if headed else []
        at += range(len(names), len(names) + len(own))
        names += [str(name) for name in own[label]]
    return names, at


def _beside(values: Floats, reference: float | None) -> NDArray[np.bool_]:
    """Tell which intervals exclude the reference; all where there is none."""
    if reference is None:
        return np.ones(len(values), bool)
    return np.asarray((values[:, 1] > reference) | (values[:, 2] < reference))


def _limits(values: Floats, reference: float | None, log_scale: bool) -> tuple[float, float]:
    """Leave room for all estimates and the reference; only an extreme interval is cut."""
    marks = [] if reference is None else [reference]
    if not log_scale:
        seen = np.append(values[np.isfinite(values)], marks)
        pad = 0.05 * np.ptp(seen) or 1.0
        return float(seen.min() - pad), float(seen.max() + pad)
    low, high = np.nanmin(values[:, 0]), np.nanmax(values[:, 0])
    lowest = min([max(np.nanmin(values), low / REACH), *(m / 2 for m in marks)])
    highest = max([min(np.nanmax(values), high * REACH), *(m * 2 for m in marks)])
    return float(lowest / 1.1), float(highest * 1.1)


def value_axis(axes: Axes, limits: tuple[float, float], log_scale: bool, most: int = 8) -> None:
    """Give an axis of estimates its limits and round ticks."""
    low, high = limits
    most = charts.ticks_at_most(most)
    if not log_scale:
        axes.xaxis.set_major_locator(MultipleLocator(charts.nice_step(high - low, most, 1e-9)))
    else:
        axes.set_xscale("log")
        halves, decades = low > 0.1 and high < 20, high / low > 2000
        subs = (1.0,) if halves or decades else (1.0, 2.0, 5.0)
        axes.xaxis.set_major_locator(LogLocator(base=2 if halves else 10, subs=subs, numticks=30))
        axes.xaxis.set_minor_locator(NullLocator())
    plain = FuncFormatter(lambda v, _: format(v, ",.0f" if abs(v) >= 1000 else "g").replace("-", "−"))
    axes.xaxis.set_major_formatter(plain)
    axes.set_xlim(low, high)
    axes.grid(axis="x", linewidth=0.8)


def _intervals(axes: Axes, at: list[int], values: Floats, colours: NDArray[np.str_]) -> None:
    level, lower, upper = values.T
    low, high = axes.get_xlim()
    axes.hlines(at, np.clip(lower, low, high), np.clip(upper, low, high), color=list(colours), linewidth=2)
    filled = np.where(np.isnan(lower) | np.isnan(upper), GROUND, colours)
    axes.scatter(level, at, s=38, facecolors=list(filled), edgecolors=list(colours), linewidths=1.6, zorder=3)


def too_long(names: Iterable[str], texts: Iterable[str]) -> bool:
    """Tell whether a row of a slim chart has no room for its name and its figures in one line."""
    both = zip(names, texts, strict=True)
    return is_slim() and any(min(len(name), LONGEST) + len(text) > LETTERS for name, text in both)


def row_height(long: bool) -> float:
    """Return how many inches a row takes: its name and its figures stand above it in a slim chart."""
    return (0.66 if long else 0.5) if is_slim() else 0.27


def name_rows(axes: Axes, names: list[str], at: list[int], *, long: bool = False) -> None:
    """Write a name beside every line, above it in a slim chart, in bold where it is a heading.

    Above its figures, too, where they are too long for one line.
    """
    axes.set_ylim(len(names) - 0.4, -0.6)
    if is_slim():
        axes.set_yticks([])
        for place, name in enumerate(names):
            weight: Any = {"fontweight": "normal" if place in at else "bold"}
            _above_row(axes, place - 0.25 * long, charts.short(name, LONGEST), 0.0, color=INK, **weight)
        return
    axes.set_yticks(range(len(names)), [charts.short(name, LONGEST) for name in names])
    for place, text in enumerate(axes.get_yticklabels()):
        text.set_fontweight("normal" if place in at else "bold")
    axes.tick_params(axis="y", labelcolor=INK)


def _above_row(axes: Axes, place: float, text: str, x: float, **how: Any) -> None:
    """Write above a line of a slim chart, at its left (0) or right end (1)."""
    where: Any = {"transform": axes.get_yaxis_transform(), "ha": "right" if x else "left", "va": "center"}
    plate: Any = {"facecolor": GROUND, "edgecolor": "none", "pad": 4.5}  # a line may run behind it, but no bar
    axes.text(x, place - 0.43, text, bbox=plate, zorder=PLATE, **where, **how)


def right_of(axes: Axes, at: list[int], texts: Iterable[str], offset: float, side: str) -> None:
    """Write texts beyond the right end of the lines, above it in a slim chart."""
    for place, text in zip(at, texts, strict=True):
        if is_slim():
            _above_row(axes, place, text, 1.0, color=MUTED, fontsize=9.5)
            continue
        axes.annotate(
            text, (1, place), xycoords=axes.get_yaxis_transform(), xytext=(offset, 0), textcoords="offset points",
            ha=side, va="center", color=MUTED, fontsize=9.5,
        )  # fmt: skip


def written(values: Floats, log_scale: bool) -> list[str]:
    """Write estimates with their intervals, of which the columns are estimate, lower and upper bound."""
    largest = np.nanmax(np.abs(values[:, 0]))
    places = 0 if largest >= 100 else 1 if largest >= 1 else 2
    texts = []
    for row in values:
        level, lower, upper = [_ratio(v) if log_scale else f"{v:z,.{places}f}".replace("-", "−") for v in row]
        known = level if np.isnan(row[1:]).any() else f"{level} ({lower} to {upper})"
        texts.append("–" if np.isnan(row[0]) else known)
    return texts


def _ratio(value: float) -> str:
    """Write a ratio as far as it means anything.

    Examples
    --------
    >>> [_ratio(v) for v in (0.001, 0.052, 1.816, 31.44, 1e9)]
    ['under 0.01', '0.05', '1.82', '31.4', 'over 1,000']
    """
    if value < 0.005:
        return "under 0.01"
    return "over 1,000" if value >= 1000 else f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def whole_groups(table: pd.DataFrame, group: str, *, most: int = 30) -> pd.DataFrame:
    """Keep the first groups of a table that fit into a forest plot, none of them cut; at least the first.

    Examples
    --------
    >>> table = pd.DataFrame({"term": ["a", "a", "b", "c", "c"]})
    >>> whole_groups(table, "term", most=4)["term"].tolist()
    ['a', 'a', 'b']
    """
    ends = table.groupby(group, sort=False).size().cumsum()
    return table[table[group].isin(ends.index[(ends <= most) | (ends == ends.min())])]


@mpl.rc_context(STYLE)
def calibration_plot(table: pd.DataFrame, *, x_label: str, y_label: str) -> Axes:
    """Draw observed against predicted shares, with intervals, beside the line where both agree.

    Parameters
    ----------
    table
        One row per group: ``predicted`` and ``observed`` (0–1), ``ci_lower`` and ``ci_upper`` of the observed share
        (no bar where missing).
    x_label, y_label
        What was predicted and what was observed.

    Returns
    -------
    matplotlib.axes.Axes
        Square: both axes have the same scale.

    Raises
    ------
    ParameterError
        A column is missing, or no row has both shares.
    """
    columns = ["predicted", "observed", "ci_lower", "ci_upper"]
    charts.require(table, *columns)
    table = table.dropna(subset=columns[:2])
    charts.require(table, *columns[:2])
    values = table[columns].to_numpy(float)
    axes = charts.new_axes(4.6)
    axes.set_xlim(charts.set_scale(axes.xaxis, values, "hazard"))
    axes.set_ylim(charts.set_scale(axes.yaxis, values, "hazard"))
    axes.plot(axes.get_xlim(), axes.get_ylim(), "--", color=MUTED, linewidth=1.2)
    reach = np.abs(values[:, 2:] - values[:, 1:2]).T
    axes.errorbar(values[:, 0], values[:, 1], yerr=reach, fmt="o", color=INK, markersize=6, linewidth=1.8)
    hover.tell(axes, values[:, 0], values[:, 1], [
        hover.lines(f"predicted {format_value(x, 'percent')}", y, "percent", bounds=(low, high), of="observed")
        for x, y, low, high in values
    ])  # fmt: skip
    axes.text(0.03, 0.97, "more than predicted", transform=axes.transAxes, va="top", color=MUTED, fontsize=9.5)
    axes.text(0.97, 0.03, "fewer than predicted", transform=axes.transAxes, ha="right", color=MUTED, fontsize=9.5)
    axes.set_aspect("equal", anchor="W")
    axes.grid(linewidth=0.8)
    axes.tick_params(pad=6)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return axes


@mpl.rc_context(STYLE)
def retention_heatmap(
    triangle: pd.DataFrame, *, period: str = "month", segment: str = "All", names: Mapping[int, str] | None = None,
    pooled: pd.DataFrame | None = None, split: Any = None,
) -> Axes:  # fmt: skip
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
    pooled
        All cohorts together, in the same columns without ``cohort``: a row above the others, which colours hold them
        against, age by age. Without it colours tell how large a share is.
    split
        The first of the newer cohorts: a line sets them apart from the older ones.

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
    charts.require(triangle, *columns)
    own = triangle[triangle["segment"] == segment]
    charts.require(own, *columns)
    own = own[own["period_index"].isin(_with_room(own["period_index"]))]
    rates = own.pivot(index="cohort", columns="period_index", values="retention_rate").iloc[-MAX_COHORTS:]
    begun = own.pivot(index="cohort", columns="period_index", values="n_customers").reindex(rates.index)
    axes = charts.new_axes(0.75 + 0.27 * len(rates))
    rows = [f"{charts.cohort_label(day, period)}\N{EM SPACE}{n:,}" for day, n in begun.max(axis=1).astype(int).items()]
    periods = [(names or {}).get(int(k), str(k)) for k in rates.columns]
    blank = (begun.notna() & rates.isna()).to_numpy()
    how = _shares_coloured(rates)
    told = _cells_told(own, rates, period, names or {})
    first_new = list(rates.index).index(split) + (pooled is not None) if split in rates.index else 0
    if pooled is not None:
        rates, told, whole = _with_all(rates, told, pooled[pooled["segment"] == segment])
        rows, blank = [whole, *rows], np.vstack([np.zeros(len(periods), bool), blank])
        how = _beside_all(rates)
        axes.axhline(1, color=GROUND, linewidth=5, zorder=3)
    text = (rates * 100).round(0).map(lambda v: "" if pd.isna(v) else f"{v:.0f}")
    coloured_cells(axes, how.pop("values").set_axis(rows).set_axis(periods, axis=1), text, told=told, **how)
    hatch(axes, blank)
    charts.slanted(axes)
    if first_new:
        _set_apart(axes, first_new, len(periods))
    axes.tick_params(labelsize=10)
    axes.set_xlabel(f"{period}s since the cohort began", loc="right")
    axes.set_ylabel("")
    axes.text(-0.008, 1.005, "cohort, customers", transform=axes.transAxes, ha="right", va="bottom", color=MUTED)
    return axes


def _shares_coloured(rates: pd.DataFrame) -> dict[str, Any]:
    """Colour shares by their size, over the range of those at later ages."""
    later = rates.to_numpy()[:, np.asarray(rates.columns) != 0]
    known = bool(np.isfinite(later).any())
    least, top = (float(np.nanmin(later)), float(np.nanmax(later))) if known else (0.0, 1.0)
    return {"values": rates, "limits": (max(min(least, top - NARROW), 0.0), max(top, 0.05)), "pale": top < 0.5}


def _beside_all(rates: pd.DataFrame) -> dict[str, Any]:
    """Colour shares by how far they are from the first row, of all cohorts at the same age; 0 where that is unknown."""
    apart = (rates - rates.iloc[0]).fillna(0.0).where(rates.notna())
    most = float(np.clip(np.abs(np.nan_to_num(apart.to_numpy(float))).max(), *APART))
    return {"values": apart, "limits": (-most, most), "shades": BESIDE}


def _with_room(periods: pd.Series[int]) -> NDArray[np.int64]:
    """Keep the columns of a triangle that there is room for: in a slim chart about eight of them."""
    known = np.sort(periods.unique())
    return known[:: charts.tick_step(len(known) - 1, 8)] if is_slim() else known


def _set_apart(axes: Axes, row: int, n_columns: int) -> None:
    """Draw a line above the first of the newer cohorts."""
    axes.axhline(row, color=INK, linewidth=1.4, linestyle=(0, (4, 2)), zorder=3)
    place: Any = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
    axes.annotate("older\nnewer", (n_columns, row), color=MUTED, fontsize=9.5, **place)


def _with_all(rates: pd.DataFrame, told: pd.DataFrame, pooled: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Put the row of all cohorts before the others."""
    own = pooled.set_index("period_index").reindex(rates.columns)
    bounds = own[[*charts.BOUNDS]].itertuples(index=False) if "ci_lower" in own else [(np.nan, np.nan)] * len(own)
    texts = [
        hover.lines(f"All cohorts, {k}", rate, "percent", bounds=(low, high), n=f"of {counted(n, 'customer')}")
        for k, rate, n, (low, high) in zip(own.index, own["retention_rate"], own["n_customers"], bounds, strict=True)
    ]
    first = pd.Series(texts, own.index).where(own["retention_rate"].notna())
    shares = pd.concat([own["retention_rate"].to_frame().T, rates])
    return shares, pd.concat([first.to_frame().T, told]), f"All cohorts   {own['n_customers'].max():,.0f}"


def _cells_told(own: pd.DataFrame, rates: pd.DataFrame, period: str, names: Mapping[int, str]) -> pd.DataFrame:
    """Write what each cell of a triangle tells."""
    shown = own[own["cohort"].isin(rates.index)].dropna(subset="retention_rate")
    bounds = shown[[*charts.BOUNDS]] if "ci_lower" in shown else pd.DataFrame(np.nan, shown.index, [*charts.BOUNDS])

    def named(day: Any, k: int) -> str:
        return f"{charts.cohort_label(day, period)}, {names.get(k, str(k))} {period}{'s' * (k != 1)} on"

    facts = (shown[c] for c in ("cohort", "period_index", "retention_rate", "n_customers"))
    texts = [
        hover.lines(named(day, int(k)), rate, "percent", bounds=(low, high), n=f"of {counted(n, 'customer')}")
        for day, k, rate, n, low, high in zip(*facts, *(bounds[c] for c in charts.BOUNDS), strict=True)
    ]
    table = shown.assign(text=texts).pivot(index="cohort", columns="period_index", values="text")
    return table.reindex(index=rates.index, columns=rates.columns)


def coloured_cells(
    axes: Axes, values: pd.DataFrame, text: pd.DataFrame, *, limits: tuple[float, float], pale: bool = False,
    told: pd.DataFrame | None = None, shades: tuple[str, ...] = SHADES,
) -> None:  # fmt: skip
    """Draw a grid of values as colours with a text on each, named by index and columns; missing cells stay empty.

    `told`, of the same shape, holds what a reader is told at each cell.
    """
    low, high = limits[0], limits[1] + 0.5 * pale * (limits[1] - limits[0])
    colours = ListedColormap(shades)
    unnamed: Any = {"xticklabels": False, "yticklabels": False}  # else each name is measured by a renderer of its own
    sns.heatmap(
        values, ax=axes, cmap=colours, vmin=low, vmax=high, cbar=False, annot=text, fmt="",
        linewidths=1.2, linecolor=GROUND, annot_kws={"fontsize": 9.5}, **unnamed,
    )  # fmt: skip
    axes.collections[0].set_clip_on(False)  # every cell lies inside
    room = FILLED * 72 * (charts.width() - NAMES) / values.shape[1]
    for label in axes.texts:
        label.set_color(ON_SHADES)
        label.set_in_layout(False)  # it is inside its cell: to measure each takes longer than to draw them
        if label.get_text().isdigit() and DIGIT * len(label.get_text()) > room:
            label.set_gid(f"{PRESSED}{room:.1f}")
    if told is not None:
        rows, columns = np.nonzero(told.notna().to_numpy())
        hover.tell(axes, columns + 0.5, rows + 0.5, told.to_numpy()[rows, columns])
    axes.set_yticks(np.arange(len(values)) + 0.5, values.index, rotation=0)
    axes.set_xticks(np.arange(values.shape[1]) + 0.5, values.columns, rotation=0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")


def hatch(axes: Axes, cells: NDArray[np.bool_]) -> None:
    """Hatch cells of a grid."""
    for row, column in zip(*np.nonzero(cells), strict=True):
        corner = (column + 0.04, row + 0.06)
        axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, hatch="////", edgecolor=MUTED, linewidth=0))
