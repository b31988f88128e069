"""Charts: a result table in, matplotlib Axes out. Knows columns, not the analysis behind them.

Ink, muted, grid and ground are fixed colours that a page may swap for its theme; so are texts in the colours of series,
which hold a contrast of 4.5:1 to light ground and to white text, and as marks of 3:1 to dark ground.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from cslib.errors import ParameterError, check_choice, listed
from cslib.show import hover
from cslib.show.colours import MEANINGS, YEARS, lettered
from cslib.show.colours import PALETTE as PALETTE  # charts of topics take both from here
from cslib.show.drawing import is_slim as is_slim
from cslib.show.formats import format_value, money, percent

BOUNDS: Final = ("ci_lower", "ci_upper")
SIZES: Final = ("n_customers", "n_at_risk", "n_start")
INK: Final = "#1b1f24"
MUTED: Final = "#5b6570"
GRID: Final = "#e3e6ea"
GROUND: Final = "#ffffff"
OBSERVED: Final = "Kaplan–Meier"  # the segment that models are held against
FIXED: Final = {"All": MUTED, OBSERVED: INK}
BEYOND: Final = 10  # points from the axis to the names at its right
FAR: Final = 0.12  # of the width, from the end of a line to the names: needs its own there, or a leader
BESIDE: Final = 1.6  # inches a chart is wider than its axes
LETTER: Final = 7.5  # points of a letter of a name
APART: Final = 0.06  # between points of the same bracket
MOST_POINTS: Final = 250  # of a line
TOLD: Final = {"hazard": "percent", "score": "number"}  # units of axes, as values are written
FINEST: Final = {"percent": 0.05, "hazard": 0.001, "number": 1.0, "score": 1.0}  # least step between ticks

WIDTH: Final = 9.2
SLIM: Final = 4.1  # for a telephone: a point of it is a pixel of a screen of 360
LETTERS: Final = 36  # below the axis of a slim chart
PANEL: Final = 2.8  # inches a small chart is high
SLIM_PANEL: Final = 2.4
CLEAR: Final = 9.0  # points from a line to the middle of a value that stands beside it
VALUE: Final = 0.25  # of the width of a small chart, by such a value
LEAST_USED: Final = 0.5  # of the height of small charts, by their lines
USED: Final = 0.625  # of it, where bands are cut for that, before limits are rounded
LINE: Final = 0.186  # inches a line of text takes
STYLE: Final[Any] = {
    **dict.fromkeys(("axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), MUTED),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "axes.spines.left"), False),
    **{"axes.facecolor": "none", "figure.facecolor": GROUND, "text.color": INK, "grid.color": GRID},
    **{"font.size": 10.5, "hatch.linewidth": 0.7, "xtick.major.size": 0, "ytick.major.size": 0},
    "text.parse_math": False,  # a plan called "$19 to $29" is no formula
    "axes.titley": 1.0,  # else all ticks are measured to find where it goes, three times a drawing
}


def _size(curve: pd.DataFrame) -> pd.Series[Any]:
    return curve[next(c for c in SIZES if c in curve)]


def largest_segments(curve: pd.DataFrame, *, most: int = 8) -> pd.DataFrame:
    """Keep the whole and the largest segments of a curve: as many lines as a chart can show.

    Parameters
    ----------
    curve
        With ``segment`` and ``n_customers``, or else ``n_at_risk`` or ``n_start``.
    most
        Segments to keep beside ``All``.

    Returns
    -------
    pandas.DataFrame
        The rows of those segments, unchanged.
    """
    sizes = _size(curve[curve["segment"] != "All"]).groupby(curve["segment"]).max()
    kept = {"All", *sizes.sort_values(ascending=False, kind="stable").index[:most]}
    return curve[curve["segment"].isin(kept)]


def well_observed(curve: pd.DataFrame, *, least: int = 10) -> pd.DataFrame:
    """Leave out of a curve the estimates that rest on fewer customers; keep all where none has so many.

    Returns
    -------
    pandas.DataFrame
        The same rows, so that every segment keeps its place; of few customers all is missing that is no whole number,
        date or text, whatever it is called.

    Examples
    --------
    >>> well_observed(pd.DataFrame({"n_customers": [90, 40, 3], "share": [1.0, 0.5, 0.0]}))["share"].tolist()
    [1.0, 0.5, nan]
    """
    return _firm(curve, curve.select_dtypes("float").columns.difference([*SIZES]), _size(curve), least)


def _firm(table: pd.DataFrame, columns: Iterable[str], sizes: pd.Series[Any], least: int) -> pd.DataFrame:
    shown = {c: table[c].mask(sizes < least) for c in columns if c in table}
    return table.assign(**shown) if (sizes >= least).any() else table


def new_axes(height: float) -> Axes:
    """Make a figure of the common width."""
    return new_row(height, [1])[0]


def new_row(height: float, widths: Sequence[float]) -> list[Axes]:
    """Make a figure of the common width, with axes side by side in these proportions; slim: one below the other."""
    if is_slim():
        return _grid(height * len(widths), len(widths), 1)
    row = _grid(height, 1, len(widths), width_ratios=widths)
    layout: Any = row[0].figure.get_layout_engine()
    layout.set(wspace=0.06)  # the last tick of one does not stand at the first of the next
    return row


def _grid(height: float, down: int, across: int, **how: Any) -> list[Axes]:
    """Make a figure as wide as its reader's screen, with axes in rows and columns, row by row."""
    with sns.axes_style("white", rc={"font.family": ["sans-serif"]}), mpl.rc_context(STYLE):
        figure = Figure(figsize=(width(), height), layout="constrained")
        return list(figure.subplots(down, across, squeeze=False, **how).flat)


def width() -> float:
    """Return how many inches a chart is wide."""
    return SLIM if is_slim() else WIDTH


def ticks_at_most(most: int) -> int:
    """Return how many ticks an axis has room for that may have so many in a wide chart."""
    return -(-most // 2) if is_slim() else most


def slanted(axes: Axes) -> None:
    """Slant the names along a slim chart where they would touch."""
    letters = sum(len(text.get_text()) + 1 for text in axes.get_xticklabels())
    if not is_slim() or letters <= LETTERS:
        return
    above = axes.xaxis.get_ticks_position() == "top"
    axes.tick_params(axis="x", rotation=90 if above else 40)
    for text in [] if above else axes.get_xticklabels():
        text.set(ha="right", rotation_mode="anchor")


def folded(text: str, *, letters: int = 34) -> str:
    """Break a line that a slim chart has no room for."""
    return "\n".join(textwrap.wrap(text, letters)) if is_slim() else text


def require(table: pd.DataFrame, *columns: str) -> None:
    """Refuse a table without rows or without one of the columns.

    Raises
    ------
    ParameterError
        Names what is missing.
    """
    missing = [c for c in columns if c not in table.columns]
    what = f"has no column {missing[0]!r}" if missing else "has no rows"
    msg = f"The table to draw {what}. It needs {', '.join(columns)} and at least one row."
    ParameterError.when(missing or table.empty, msg)


def cohort_label(day: Any, period: str) -> str:
    """Name a cohort as its readers would.

    Examples
    --------
    >>> [cohort_label(pd.Timestamp("2025-04-01"), p) for p in ("month", "quarter", "year", "week")]
    ['Apr 2025', 'Q2 2025', '2025', '1 Apr 2025']
    """
    forms = {"month": f"{day:%b %Y}", "quarter": f"Q{day.quarter} {day.year}", "year": f"{day.year}"}
    return forms.get(period, f"{day.day} {day:%b %Y}")


@dataclass(frozen=True)
class _Lines:
    """Where the lines of a chart go: a part of the table and a colour per segment."""

    axes: Axes
    x: str
    y: str
    parts: Mapping[str, pd.DataFrame]
    drawn: Mapping[str, pd.DataFrame]  # the parts, with the rows that break a line
    colours: Mapping[str, str]
    steps: Collection[str]  # segments drawn in steps
    named: Callable[[float], str]  # a value of x, in words
    unit: str
    of: str  # what the values count
    n: str
    n_label: str
    extrapolated: bool = False


@mpl.rc_context(STYLE)
def lines_with_bands(
    table: pd.DataFrame, *, x: str, y: str, x_label: str, y_label: str = "", n: str = "", n_label: str = "customers",
    names: Mapping[int, str] | None = None, unit: str = "percent", line: str = "straight", least: int = 10,
    meaning: str = "segments", target: Sequence[float] = (), target_of: str = "",
) -> Axes:  # fmt: skip
    """Draw one line per segment with its interval, its name at the right, and the n below.

    Parameters
    ----------
    table
        ``segment`` (at most eight beside ``All`` and ``Kaplan–Meier``, which is always a broad line in steps),
        the columns named by ``x`` and ``y`` (a row without a value is a gap in the line; a segment of such rows
        keeps its colour from the others), ``ci_lower`` and ``ci_upper``
        where there is an interval (no band where missing), and the column named by ``n``.
    x, y
        Columns; ``x`` in numbers or dates.
    x_label, y_label
        What the axes show, with their units.
    n
        Column of numbers to print below the axis; empty for none.
    n_label
        What they count.
    names
        What to call values of ``x`` that are brackets, not points: then points with error bars are drawn.
    unit
        ``percent`` (shares, 0–1), ``hazard`` (shares that may be small: finer ticks), ``number`` (the axis
        starts at 0 only where the values come near it), or ``score`` (such numbers from −100 to 100).
    line
        ``straight`` from point to point; ``dashed`` likewise, for what is extrapolated; or ``steps`` that hold each
        value until the next ``x``; the n at a tick is then that of the first row not before it.
    least
        Estimates of fewer ``n_at_risk``, where the table has that column, are left out: one customer more or less
        would move them far. All are drawn where none has so many.
    meaning
        What the segments are, which chooses their colours: ``segments`` of customers (one alone is grey, as all are
        beside segments, lest it have the colour of another one), ``years`` (the oldest first, the
        newest the strongest), ``answers`` (the best first), or ``kinds`` of one thing, such as ways of leaving.
    target
        Ends of a target, drawn as dotted lines; left out where they are so far off that the lines would lie flat.
    target_of
        Which line has that target; empty: all.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ParameterError
        A column is missing, there is no value, too many segments, an unknown ``unit``, ``line`` or ``meaning``.
    """
    _check_drawn(unit, line, ("straight", "dashed", "steps"), meaning)
    require(table, "segment", x, y, *([n] if n else []))
    colours = _colours(table, meaning)
    dated, every, table = _placed(table, x, y, least)
    parts = {s: own.sort_values(x) for s in colours if not (own := table[table["segment"] == s]).empty}
    drawn = {s: _thinned(every[every["segment"] == s].sort_values(x), x) for s in parts}
    sized = _sized(parts, x, n) if n else {}
    axes = new_axes(_height(parts) + 0.22 * len(sized))
    said = (_named(x_label, names or {}, dated), TOLD.get(unit, unit), y_label, n, n_label)
    stepped = set(parts) if line == "steps" else {OBSERVED}
    lines = _Lines(axes, x, y, parts, drawn, colours, stepped, *said, extrapolated=line == "dashed")
    axes.set_xlabel(folded(x_label), loc="right")
    bounds, heights = (table[[c for c in kept if c in table]].to_numpy(float) for kept in (BOUNDS, (y,)))
    aims = _near(target, np.append(heights, bounds))
    if dated and len(parts) == 1 and bounds.size:  # whose moves would be flat from 0 on
        axes.set_ylim(_around_lines(axes.yaxis, np.array([*heights.ravel(), *aims]), bounds, unit))
    else:
        axes.set_ylim(set_scale(axes.yaxis, np.array([*heights.ravel(), *bounds.ravel(), *aims]), unit))
    dotted = _aims(axes, aims, target_of, unit)
    said_above = [_above(axes, y_label, unit, lines.extrapolated), _cut(axes, bounds, unit), dotted]
    above = " · ".join(filter(None, said_above))
    axes.set_title(folded(above, letters=44), loc="left", fontsize=10.5, color=MUTED)
    axes.grid(axis="y", linewidth=0.8)
    _x_ticks(axes, np.unique(table[x]).astype(float), names or {}, dated)
    for place, (segment, own) in enumerate(parts.items()):
        if names or len(own) == 1:
            _points(lines, segment, place)
        else:
            _line(lines, segment, place)
        _tell(lines, segment, place, APART * place if names or len(own) == 1 else 0.0)
    _end_labels(lines)
    if sized:
        _numbers_below(lines, sized, n, n_label)
    return axes


@mpl.rc_context(STYLE)
def panels_with_bands(
    table: pd.DataFrame, *, x: str, y: str, x_label: str, y_label: str = "", n: str = "", n_label: str = "customers",
    unit: str = "percent", line: str = "straight", least: int = 10, behind: str = "All",
    meaning: str = "segments", scale: str = "one", target: Sequence[float] = (),
) -> Axes:  # fmt: skip
    """Draw each segment with its interval in a panel of its own, on one scale, with a dashed line for all behind it.

    Bands of segments that run close to one another hide each other in one chart. The lines take about half of the
    height: where wide bands would leave them less, these are cut, and the line above the chart says where. Where there
    are not two segments with values, it is the chart of :func:`lines_with_bands`.

    Of segments that lie so far apart that on one scale the lowest would be flat, each can have its own.

    Parameters
    ----------
    table, x, y, x_label, y_label, n, n_label, unit, line, least, meaning, target
        As for :func:`lines_with_bands`; no ``dashed`` line.
    behind
        The segment of the dashed line.
    scale
        ``one`` for all panels; or each its ``own``: then the segment of the dashed line has a panel, too, the first.

    Returns
    -------
    matplotlib.axes.Axes
        Of the first segment; each has the name of its segment for a label.

    Raises
    ------
    ParameterError
        As for :func:`lines_with_bands`.
    """
    how: Any = {"x": x, "y": y, "x_label": x_label, "n": n, "n_label": n_label, "unit": unit, "least": least}
    require(table, "segment", x, y, *([n] if n else []))
    _check_drawn(unit, line, ("straight", "steps"), meaning)
    check_choice("scale", scale, ("one", "own"))
    dated, every, firm = _placed(table, x, y, least)
    segments = [s for s in dict.fromkeys(firm["segment"]) if s not in FIXED and s != behind]
    if len(segments) < 2:
        return lines_with_bands(table, y_label=y_label, line=line, meaning=meaning, target=target, **how)
    alike, there = scale == "one", behind in set(firm["segment"])
    colours = _colours(table, meaning) | dict.fromkeys([behind] * (there and meaning == "segments"), MUTED)
    drawn = {s: every[every["segment"] == s].sort_values(x) for s in colours}
    said = (_named(x_label, {}, dated), TOLD.get(unit, unit), y_label, n, n_label)
    segments = segments if alike else [behind] * there + segments
    at, panels = np.unique(firm[x]).astype(float), _panels(len(segments), alike=alike)
    scaled = _with_bounds(firm, hidden=behind if alike else "")
    aims = _near(target, scaled[[y, *BOUNDS]].to_numpy(float))
    for place, (axes, segment) in enumerate(zip(panels, segments, strict=True)):
        shown = {segment: drawn[segment]}
        if there and alike:
            shown[behind] = drawn[behind].drop(columns=[*BOUNDS], errors="ignore")
        parts = {s: own.dropna(subset=[y]) for s, own in shown.items()}
        lines = _Lines(axes, x, y, parts, shown, colours, parts if line == "steps" else (), *said)
        values, least_of_all = (scaled, []) if alike else (scaled[scaled["segment"] == segment], [0.0])
        heights = np.array([*least_of_all, *values[y], *aims], float)  # else each panel would begin elsewhere
        axes.set_ylim(_around_lines(axes.yaxis, heights, values[[*BOUNDS]].to_numpy(float), unit))
        _x_ticks(axes, at, {}, dated, few=True)
        _panel(lines, segment, place, ending=_ending(parts[segment][y].iloc[-1], unit))
        dotted = _aims(axes, aims, "", unit)
        axes.set_xlabel(folded(x_label), loc="right", fontsize=9.5)
    if alike:
        _evenly_apart(panels)
    else:
        say_above(panels[0], "each panel has its own scale", dotted)
        return panels[0]
    cut = _cut(panels[0], scaled[[*BOUNDS]].to_numpy(float), unit)
    last = f"{_ending(drawn[behind][y].dropna().iloc[-1], unit)} at the end" if there else ""
    whom = n_label if n_label.partition(" ")[0].endswith("s") else "customers"  # such as "still followed"
    dashed = f"dashed: {f'all {whom}' if behind == 'All' else behind}, {last}" if there else ""
    say_above(panels[0], _above(panels[0], y_label, unit, False), cut, dashed, dotted)
    return panels[0]


def _aims(axes: Axes, target: Sequence[float], of: str, unit: str) -> str:
    """Draw a target behind the lines, and name it."""
    for end in target:
        axes.axhline(end, color=MUTED, linewidth=1.3, linestyle=(0, (1, 1.6)), zorder=1.5)
    *least, most = [_limit(end, unit) for end in target] or [""]
    ends = " to ".join([*(end.removesuffix(" %") for end in least), most])
    return f"dotted: target{f' of {of}' * bool(of)}, {ends}" if target else ""


def _near(target: Sequence[float], values: NDArray[np.float64]) -> list[float]:
    """Keep the ends of a target that do not more than double the height of a chart from 0 on."""
    most = np.nanmax(np.abs(values), initial=0.0)
    return [end for end in target if abs(end) <= 2 * most]


def _check_drawn(unit: str, line: str, lines: Collection[str], meaning: str) -> None:
    check_choice("unit", unit, FINEST)
    check_choice("line", line, lines)
    check_choice("meaning", meaning, MEANINGS)


def _with_bounds(table: pd.DataFrame, *, hidden: str) -> pd.DataFrame:
    """Give a table its bounds, missing where there are none, and those of a segment whose band is hidden."""
    known = table if "ci_lower" in table else table.assign(ci_lower=np.nan, ci_upper=np.nan)
    return known.assign(**{end: known[end].mask(known["segment"] == hidden) for end in BOUNDS})


def say_above(axes: Axes, *texts: str) -> None:
    """Add texts to the line above panels."""
    figure = axes.figure
    said = [figure.get_suptitle().replace("\n", " "), *texts]
    figure.suptitle(folded(" · ".join(filter(None, said)), letters=44), x=0.01, ha="left", fontsize=9.5, color=MUTED)


def _counted(n: float, label: str) -> str:
    """Write a number of what a label names in the plural, such as ``customers of this age``."""
    noun, _, more = label.partition(" ")
    return f"{n:,.0f} {noun.removesuffix('s') if n == 1 else noun} {more}".rstrip()


def _ending(value: float, unit: str) -> str:
    if unit in ("percent", "hazard"):
        return percent(value)
    return format_value(round(value)) if unit == "score" else money(value)


def _panels(count: int, *, alike: bool) -> list[Axes]:
    """Make a figure of small axes of one size, as many beside each other as can be read; alike: of one scale."""
    most = 4 if alike and count % 4 != 1 else 3 if alike or count > 4 else 2  # with an axis each they need more room
    across = 1 if is_slim() else min(count, most)
    down = -(-count // across)
    panels = _grid((SLIM_PANEL if is_slim() else PANEL) * down, down, across)
    for unused in panels[count:]:
        unused.remove()
    for place, axes in enumerate(panels[:count]):
        axes.tick_params(axis="y", labelleft=place % across == 0 or not alike)
    return panels[:count]


def _evenly_apart(panels: Sequence[Axes]) -> None:
    """Leave between panels the same room for what stands at the ends of their lines, wherever these end."""
    across = panels[0].get_subplotspec().get_gridspec().ncols  # type: ignore[union-attr]
    ends = [axes.texts[-1] for axes in panels]
    for place, text in enumerate(ends):
        text.set_in_layout(place % across == across - 1)  # that of the last one is at the edge of the chart
    room = BEYOND + LETTER * max(len(text.get_text()) for text in ends)
    layout: Any = panels[0].figure.get_layout_engine()
    layout.set(wspace=across * room / (72 * width()))


def _panel(lines: _Lines, segment: str, place: int, *, ending: str) -> None:
    """Draw a segment before all customers; its name above it with the n of the last value, which stands at its end."""
    axes = lines.axes
    axes.set_label(segment)
    for name in reversed([*lines.parts]):
        series = place if name == segment else len(lines.colours) - 1
        (_points if len(lines.parts[name]) == 1 else _line)(lines, name, series)
        _tell(lines, name, series, 0.0)
        if len(lines.parts[name]) > 1:
            axes.lines[-1].set_linestyle("-" if name == segment else "--")
    axes.grid(axis="y", linewidth=0.8)
    end = lines.parts[segment].iloc[-1]
    about: Any = {"textcoords": "offset points", "annotation_clip": False, "fontsize": 9.5}
    if lines.n and pd.notna(end[lines.n]):
        axes.annotate(
            _counted(end[lines.n], lines.n_label), (0, 1), xycoords="axes fraction", xytext=(0, 4), color=MUTED, **about
        )
    bold: Any = {"color": lettered(lines.colours[segment]), "fontweight": "bold"}
    axes.set_title(short(segment, 20), loc="left", pad=18 if lines.n else 6, fontsize=10.5, **bold)
    others = [own for name, own in lines.parts.items() if name != segment]
    how: Any = {"xytext": (4, _aside(axes, end[[lines.x, lines.y]].to_numpy(float), others, lines)), "va": "center"}
    hover.belongs(place, axes.annotate(ending, (end[lines.x], end[lines.y]), **how | bold | about))


def _aside(axes: Axes, end: NDArray[np.float64], others: Iterable[pd.DataFrame], lines: _Lines) -> float:
    """Return how many points above the end of a line its value stands: clear of what runs on behind it."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    beside = np.linspace(end[0], min(end[0] + VALUE * (right - left), right), 20)
    heights = [np.interp(beside, own[lines.x], own[lines.y], right=np.nan) for own in others if end[0] < right]
    apart = (np.array(heights) - end[1]) * 72 * (PANEL - 1) / (top - bottom)
    apart = apart[np.isfinite(apart)]  # no other line may run on, or have a value there
    if not apart.size or np.abs(apart).min() >= CLEAR:
        return 0.0
    below = min(0.0, float(apart.min()) - CLEAR)
    room = (end[1] - bottom) * 72 * (PANEL - 1) / (top - bottom)
    above = max(0.0, float(apart.max()) + CLEAR)
    return below if apart.mean() > 0 and room + below > CLEAR / 2 else above


def _placed(table: pd.DataFrame, x: str, y: str, least: int) -> tuple[bool, pd.DataFrame, pd.DataFrame]:
    """Tell whether x are dates, and give the rows, x in days then, and those of them with a value that is firm."""
    table = _firm(table, (y, *BOUNDS), table.get("n_at_risk", pd.Series(np.inf, table.index)), least)
    dated = pd.api.types.is_datetime64_any_dtype(table[x])
    if dated:
        table = table.assign(**{x: (table[x] - pd.Timestamp(0)) / pd.Timedelta(days=1)})
    every, table = table.dropna(subset=[x]), table.dropna(subset=[x, y])
    require(table, x, y)
    return dated, every, table


def _sized(parts: Mapping[str, pd.DataFrame], x: str, n: str) -> dict[str, pd.DataFrame]:
    """Give the numbers to print below: by segment, or once where all lines are of the same customers."""
    sized = {s: own.dropna(subset=[n]) for s, own in parts.items() if own[n].notna().any()}
    each = [own[[x, n]].reset_index(drop=True) for own in sized.values()]
    alike = len(each) > 1 and all(each[0].equals(own) for own in each)
    return {"All": next(iter(sized.values()))} if alike else sized


def _above(axes: Axes, y_label: str, unit: str, extrapolated: bool) -> str:
    """Say above a chart what it counts, that it is extrapolated, and that its axis does not start at 0."""
    low = axes.get_ylim()[0]
    cut = f"the axis starts at {_limit(low, unit)}" if unit != "score" and low > 0 else ""
    return " · ".join(filter(None, [y_label, "extrapolated" * extrapolated, cut]))


def _cut(axes: Axes, bounds: NDArray[np.float64], unit: str) -> str:
    """Say where bands are cut by the axis; empty where none is."""
    low, high = axes.get_ylim()
    ends = [end for end, out in ((low, bounds < low - 1e-9), (high, bounds > high + 1e-9)) if out.any()]
    return f"bands are cut at {' and '.join(_limit(end, unit) for end in ends)}" if ends else ""


def _limit(value: float, unit: str) -> str:
    return f"{100 * value:.4g} %" if unit in ("percent", "hazard") else f"{value:,.0f}".replace("-", "−")


def _named(x_label: str, names: Mapping[int, str], dated: bool) -> Callable[[float], str]:
    if dated:
        return lambda x: cohort_label(pd.Timestamp(0) + pd.Timedelta(days=x), "month")
    one = re.sub(r"\A(\w+)s\b", r"\1", x_label)
    return lambda x: f"{names.get(int(x)) or f'{x:,.1f}'.removesuffix('.0')} {one if x == 1 else x_label}".strip()


def _tell(lines: _Lines, segment: str, place: int, shift: float) -> None:
    own = lines.parts[segment]
    x, y = (own[c].to_numpy(float) for c in (lines.x, lines.y))
    bounds = own[[*BOUNDS]].to_numpy(float) if "ci_lower" in own else np.full((len(own), 2), np.nan)
    sizes = own[lines.n] if lines.n else pd.Series(np.nan, own.index)
    about = "" if set(lines.parts) == {"All"} else f"{segment}, "
    texts = [
        hover.lines(
            f"{about}{lines.named(at)}", value, lines.unit, bounds=(low, high), of=lines.of,
            n="" if pd.isna(size) else _counted(size, lines.n_label),
        )
        for at, value, (low, high), size in zip(x, y, bounds, sizes, strict=True)
    ]  # fmt: skip
    hover.tell(lines.axes, x + shift, y, texts, series=place, line=True)


def short(name: object, most: int = 24) -> str:
    """Cut a long name so that it fits a label."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _thinned(curve: pd.DataFrame, x: str) -> pd.DataFrame:
    """Keep of a curve of very many points the last one in each part of its width: more cannot be seen."""
    most = MOST_POINTS // 2 if is_slim() else MOST_POINTS
    if len(curve) <= most:
        return curve
    at = curve[x].to_numpy(float)
    place = np.floor((at - at[0]) / (at[-1] - at[0] or 1.0) * most)
    return curve[np.append(place[:-1] != place[1:], True) | (np.arange(len(at)) == 0)]


def _colours(table: pd.DataFrame, meaning: str = "segments") -> dict[str, str]:
    names = list(dict.fromkeys(table["segment"]))
    named = [s for s in names if s not in FIXED]
    msg = f"There are {len(named)} segments to draw. Keep {len(PALETTE)} at most,"
    msg += " as show.charts.largest_segments does."
    ParameterError.when(len(named) > len(PALETTE), msg)
    if len(names) == 1 and meaning == "segments":  # it cannot know which colour is its own beside the others
        return {names[0]: MUTED}
    return dict(zip(named, MEANINGS[meaning](len(named)), strict=False)) | {s: FIXED[s] for s in FIXED if s in names}


def _line(lines: _Lines, segment: str, place: int) -> None:
    own, colour, stepped = lines.drawn[segment], lines.colours[segment], segment in lines.steps
    at = own[lines.x].to_numpy(float)
    observed, behind = colour == INK, colour == MUTED and len(lines.parts) > 1
    point = 1.5 if behind else 2.5
    how: Any = {"markersize": point, "zorder": 1.5 if observed else 2}
    if colour in YEARS:  # which may run close to one another: every second one has hollow marks, before the others
        how["markersize"] = 4.5
        if (len(lines.parts) - place) % 2 == 0:
            how |= {"markerfacecolor": GROUND, "markeredgewidth": 1.1, "zorder": 2.1}
    drawn: list[Artist] = []
    drawn += lines.axes.plot(
        at, own[lines.y].to_numpy(float), "--" if behind or lines.extrapolated else "-", color=colour,
        linewidth=3.2 if observed else 1.6 if OBSERVED in lines.parts else 2, label=segment,
        marker="" if stepped or len(at) > 40 else "o", drawstyle="steps-post" if stepped else "default", **how,
    )  # fmt: skip
    if "ci_lower" in own:
        band: Any = {"step": "post" if stepped else None, "color": colour, "alpha": 0.16, "linewidth": 0}
        drawn.append(lines.axes.fill_between(at, *own[[*BOUNDS]].to_numpy(float).T, **band))
    hover.belongs(place, *drawn)


def _points(lines: _Lines, segment: str, place: int) -> None:
    own = lines.parts[segment]
    level = own[lines.y].to_numpy(float)
    bounds = own[["ci_lower", "ci_upper"]].to_numpy(float).T if "ci_lower" in own else level
    drawn = lines.axes.errorbar(
        own[lines.x].to_numpy(float) + APART * place, level, yerr=abs(bounds - level) + np.zeros((2, 1)), fmt="o",
        color=lines.colours[segment], markersize=5, linewidth=1.8, capsize=3,
    )  # fmt: skip
    drawn.lines[0].set_clip_on(False)  # the last one is at the edge
    hover.belongs(place, *drawn.get_children())


def nice_step(span: float, most: int, finest: float) -> float:
    """Return the least of 1, 2, 5, 10 … and their tenths that cuts a span into ``most`` parts at most.

    Examples
    --------
    >>> nice_step(100, 7, 1), nice_step(3, 7, 1)
    (20.0, 1.0)
    """
    rough = max(span / most, finest)
    size = 10.0 ** np.floor(np.log10(rough) + 1e-9)
    return float(next(s * size for s in (1, 2, 5, 10) if s * size >= rough * (1 - 1e-9)))


def set_scale(axis: Axis, values: NDArray[np.float64], unit: str, *, most: int = 7) -> tuple[float, float]:
    """Give an axis round ticks around the values, shares or numbers, in ``most`` steps at most; return its limits."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    near = unit in ("number", "score") and (low > high / 2 or low < 0)
    step = nice_step(high - low if near else high, most, FINEST[unit])
    bottom = np.floor(low / step - 0.5) if near else 0.0
    top = max(np.ceil(high / step + (0.5 if near else -1e-9)), bottom + 1)
    if unit == "score" and low >= -100 and high <= 100:
        bottom, top = max(bottom, -100 / step), min(top, 100 / step)
    _ticks(axis, step, unit)
    return bottom * step, top * step


def _around_lines(
    axis: Axis, lines: NDArray[np.float64], bounds: NDArray[np.float64], unit: str
) -> tuple[float, float]:
    """Give an axis ticks, and limits that hold the lines and as much of the bands as leaves the lines enough.

    An axis around all of both is kept where lines have half of its height. Else it holds nine tenths of the bands'
    ends, and of the others what there is room for; and it starts above 0 only where that gives the lines their half.
    """
    every = np.concatenate([lines, bounds.ravel()])
    bottom, top = set_scale(axis, every, unit, most=6)
    low, high = float(np.nanmin(lines)), float(np.nanmax(lines))
    if high == low or high - low >= LEAST_USED * (top - bottom) or np.isnan(bounds).all():
        return bottom, top
    lower = min(low, float(np.nanquantile(bounds[:, 0], 0.1)))
    upper = max(high, float(np.nanquantile(bounds[:, 1], 0.9)))
    below, above = lower - float(np.nanmin(every)), float(np.nanmax(every)) - upper
    room = min(1.0, max(0.0, (high - low) / USED - (upper - lower)) / max(below + above, 1e-9))
    lower, upper = lower - room * below, upper + room * above
    step = nice_step(upper - lower, 12, FINEST[unit])
    above_zero = lower > (upper - lower) / 4 and high - low >= LEAST_USED * (upper - lower)
    if not above_zero and (room == 1 or below + above == 0):
        return bottom, top
    if above_zero:
        bottom = max(bottom, float(np.floor(lower / step + 1e-9)) * step)
    top = min(top, float(np.ceil(upper / step - 1e-9)) * step)
    _ticks(axis, nice_step(top - bottom, 6, FINEST[unit]), unit)
    return bottom, top


def _ticks(axis: Axis, step: float, unit: str) -> None:
    axis.set_major_locator(MultipleLocator(step))
    decimals = max(0, int(np.ceil(-np.log10(step * 100) - 1e-9)))
    percent, whole = PercentFormatter(1, decimals, " %"), FuncFormatter(lambda v, _: f"{v:,.0f}".replace("-", "−"))
    axis.set_major_formatter(whole if unit in ("number", "score") else percent)


def _x_ticks(axes: Axes, at: NDArray[np.float64], names: Mapping[int, str], dated: bool, *, few: bool = False) -> None:
    step = tick_step(at[-1] - at[0], 3 if few else ticks_at_most(9))
    ticks = np.arange(np.ceil(at[0] / step) * step, at[-1] + 1e-9, step) if len(at) > 1 else at
    if few and at[-1].is_integer() and len(ticks) and at[-1] - ticks[-1] >= 2 / 3 * step:
        ticks = np.append(ticks, at[-1])  # in a small chart the last age would be far from the last tick
    labels = [f"{t:,g}" for t in ticks]
    if dated:
        ticks, labels = _date_ticks(at, 2 if few else 3 if is_slim() else 7)
        axes.tick_params(axis="x", pad=8)  # the first one would touch the lowest label of the other axis
    elif names:
        ticks, labels = np.array(list(names), float), list(names.values())
    axes.set_xticks(ticks, labels)
    slanted(axes)
    margin = 2.5 if len(at) == 1 else 0.05 * (at[-1] - at[0]) if names else 0
    axes.set_xlim(at[0] - margin, at[-1] + margin + (APART * len(PALETTE) if names else 0))


def _date_ticks(at: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], list[str]]:
    """Choose some of the dates, Januaries among them, and name them."""
    days = pd.DatetimeIndex(pd.Timestamp(0) + pd.to_timedelta(at, unit="D"))
    period = "month" if days.to_period("M").is_unique else "day"
    every = tick_step(len(days) - 1, most)
    first = int(np.argmax(days.month == 1)) % every
    return at[first::every], [cohort_label(day, period) for day in days[first::every]]


def tick_step(span: float, most: int) -> int:
    """Return a step that suits months and cuts the span into ``most`` parts at most."""
    return next((s for s in (1, 2, 3, 6, 12, 24, 60) if span / s <= most), 120)


def _at_end(segments: Iterable[str]) -> list[str]:
    return [folded(short(segment), letters=13) for segment in segments]


def _most_lines(texts: Iterable[str]) -> int:
    return max(text.count("\n") for text in texts) + 1


def _below() -> float:
    """Return how many inches an axis takes with what stands above it, which is folded in a slim chart."""
    return 1.3 if is_slim() else 0.6


def _height(segments: Collection[str]) -> float:
    """Return how many inches lines and the names at their ends take."""
    return max(3.6, _below() + LINE * _most_lines(_at_end(segments)) * (len(segments) + 1))


def _end_labels(lines: _Lines) -> None:
    """Name the lines in one column beyond the axis, in the order of their ends, or where they end before it.

    A line that ends far from the axis has its name there if no other line runs through it; else a leader, which is
    bowed and dotted lest it be taken for data.
    """
    if set(lines.parts) == {"All"}:
        return
    axes, (left, right), (bottom, top) = lines.axes, lines.axes.get_xlim(), lines.axes.get_ylim()
    ends = np.array([own[[lines.x, lines.y]].iloc[-1] for own in lines.parts.values()], float)
    names, line = _at_end(lines.parts), LINE * (top - bottom) / (_height(lines.parts) - _below())
    line *= _most_lines(names)
    far = right - ends[:, 0] > FAR * (right - left)
    alone = (np.abs(np.subtract.outer(ends[:, 1], ends[:, 1])) < line).sum(axis=0) == 1
    inside = far & alone & [_has_room(lines, end, name, line) for name, end in zip(names, ends, strict=True)]
    heights = ends[:, 1].copy()
    sooner = 1e-9 * (right - ends[:, 0])  # of two lines that end at one height, the leader of the shorter runs above
    if not inside.all():
        heights[~inside] = _spread((heights + sooner)[~inside], line, bottom, top)
    beyond = axes.transData + ScaledTranslation(BEYOND / 72, 0, axes.figure.dpi_scale_trans)
    leader: Any = {"arrowstyle": "-", "linestyle": (0, (1, 3)), "connectionstyle": "arc3,rad=0.06"}
    leader |= {"color": MUTED, "linewidth": 0.8, "relpos": (0, 0.5)}
    for place, (segment, name, end) in enumerate(zip(lines.parts, names, ends, strict=True)):
        label = axes.annotate(
            name, (end[0], end[1]), xytext=(end[0] if inside[place] else right, heights[place]), textcoords=beyond,
            va="center", color=lettered(lines.colours[segment]), fontweight="bold", annotation_clip=False,
            arrowprops=leader if far[place] and not inside[place] else None,
        )  # fmt: skip
        hover.belongs(place, label)


def _has_room(lines: _Lines, end: NDArray[np.float64], name: str, height: float) -> bool:
    """Tell whether a name fits between the end of a line and the axis, with no other line in its way."""
    left, right = lines.axes.get_xlim()
    point = (right - left) / (72 * (width() - BESIDE))
    until = end[0] + point * (BEYOND + LETTER * max(map(len, name.split("\n"))))
    across = np.linspace(end[0] + point, until, 20)
    others = (own[[lines.x, lines.y]].to_numpy(float) for own in lines.parts.values())
    nearest = [np.abs(np.interp(across, own[:, 0], own[:, 1], right=np.inf) - end[1]).min() for own in others]
    return bool(until <= right and min(nearest) >= height / 2)


def _spread(heights: NDArray[np.float64], gap: float, bottom: float, top: float) -> NDArray[np.float64]:
    """Move labels apart so that none covers another, within the bottom and the top where they fit."""
    order = np.argsort(heights, kind="stable")
    room = gap * np.arange(len(heights))
    free = heights[order] - room
    raised, lowered = np.maximum.accumulate(free), np.minimum.accumulate(free[::-1])[::-1]
    placed = np.empty_like(heights)
    placed[order] = np.maximum(np.minimum((raised + lowered) / 2, top - room[-1]), bottom) + room
    return placed


def _numbers_below(lines: _Lines, sized: Mapping[str, pd.DataFrame], n: str, n_label: str) -> None:
    low, high = lines.axes.get_xlim()
    ticks = np.array([t for t in lines.axes.get_xticks() if low <= t <= high])
    if len(ticks) > 7 and max(own[n].max() for own in sized.values()) >= 1e6:
        ticks = ticks[::2]
    below: Final[Any] = {"xycoords": lines.axes.get_xaxis_transform(), "textcoords": "offset points"}
    drop = _room_below(lines.axes)
    lines.axes.annotate(n_label, (low, 0), xytext=(0, -34 - drop), ha="center", color=MUTED, fontsize=9.5, **below)
    halfway = 3 * max(len(f"{v:,.0f}") for own in sized.values() for v in own[n])  # points a number is wide, halved
    beyond = max(BEYOND, 8 + halfway) if (ticks > high - 0.05 * (high - low)).any() else BEYOND
    for row, (segment, own) in enumerate(sorted(sized.items(), key=lambda each: each[0] != "All")):
        style: Any = {"color": lettered(lines.colours.get(segment, MUTED)), "fontsize": 9.5, **below}
        at, height = own[lines.x].to_numpy(float), -48 - drop - 14 * row
        half = 0.5 * np.all(at % 1 == 0.5)  # rows in the middle of months that begin at ticks
        for tick, i in zip(ticks, np.searchsorted(at, ticks - 1e-9), strict=True):
            if i < len(at) and (segment in lines.steps or at[i] <= tick + half + 1e-9):
                lines.axes.annotate(f"{int(own[n].iloc[i]):,}", (tick, 0), xytext=(0, height), ha="center", **style)
        if set(sized) != {"All"}:
            name = short(segment, 12 if is_slim() else 24)
            lines.axes.annotate(name, (high, 0), xytext=(beyond, height), annotation_clip=False, **style)


def _room_below(axes: Axes) -> float:
    """Return how many points lower the numbers of a slim chart begin: below its label and its slanted names."""
    if not is_slim():
        return 0.0
    names, label = axes.get_xticklabels(), axes.get_xlabel()
    slant = 4.0 * max(len(text.get_text()) for text in names) if any(text.get_rotation() for text in names) else 0.0
    return slant + 13.0 * _most_lines([label]) * bool(label)


def left_out(table: pd.DataFrame, shown: pd.DataFrame) -> str:
    """Say which segments a chart leaves out; empty where it shows all."""
    there, drawn = table["segment"].nunique() - 1, shown["segment"].nunique() - 1
    return f" The {drawn} largest of {there} segments." if drawn < there else ""


def undrawn(shown: pd.DataFrame, y: str, *, few: str) -> str:
    """Name the segments of which a chart has no value to draw, and say why; empty where it draws each.

    Examples
    --------
    >>> table = pd.DataFrame({"segment": ["All", "A", "B"], "nps": [30.0, 31.0, None]})
    >>> undrawn(table, "nps", few="fewer than 30 answers in each quarter")
    ' Not drawn, with fewer than 30 answers in each quarter: B.'
    """
    known = shown.groupby("segment", sort=False)[y].count()
    missing = [str(segment) for segment in known.index[known == 0] if segment != "All"]
    return f" Not drawn, with {few}: {listed(missing)}." if missing else ""
