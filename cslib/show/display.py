"""What a notebook shows and a report keeps: cards, tables, figures, notes and the data check.

Nothing else in cslib emits HTML. Each verb shows well in JupyterLab and carries a small bundle for
the report engine, so a report exports exactly what was shown. All values are escaped.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cslib.errors import ParameterError, ReportError, check_choice, counted, refuse_unknown
from cslib.show.drawing import drawing, sparkline
from cslib.show.formats import LINK, format_day, format_interval, format_value, inline, plain, unbroken, without_secrets
from cslib.show.hover import sharing
from cslib.show.seal import RUN_DIR, sealed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MIME = "application/vnd.cslib+json"
MOST_ROWS = 5000  # of a table, that a page holds for its reader to search
MOST_COLUMNS = 13  # shown of a table; a printed page holds no more
FIGURE = r"[−+≥≤<>↑↓]? ?\d[\d,.]*(?: (?:k|M|bn|%|×|points?|months?|days?|times))*"
UNTOLD = re.compile(r"|–|∞|not \w+")  # what may stand in a column of figures
DAY = re.compile(r"\d{4}-\d\d-\d\d( 00:00:00)?")
FIGURES = re.compile(rf"(?:[A-Z]{{3}} )?{FIGURE}(?: to {FIGURE})?(?: \({FIGURE} to {FIGURE}\))?(?:, \w+)?")
WITHIN = re.compile(rf"\w+ {FIGURE} to {FIGURE}")  # a text of a cell that stays on one line
STATUS = {"met": ("good", "✓"), "missed": ("bad", "✗"), "not clear": ("warn", "?")}
# Sent with every fragment and taken off again by the report engine, whose page has its own sheet.
JUPYTER_STYLE = f"<style>{(Path(__file__).parent / 'jupyter.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Card:
    """One headline number with what it rests on.

    Attributes
    ----------
    label
        What is measured.
    value
        The number; None or NaN shows "not measured", with `detail` as the reason.
    unit
        A unit of `format_value`: "number", "percent" (a share 0 to 1), "months" or "money".
    ci_lower, ci_upper
        Ends of the interval, in the unit of the value.
    n
        How many the number rests on.
    currency
        Code before an amount of money, such as "USD".
    detail
        Short extra lines, such as "vs May: +0.3 points, within noise".
    status
        "met", "missed" or "not clear"; shown with `target`.
    target
        What was to be reached, in words.
    trend
        The last values, the earliest first, for a small line; missing ones are gaps.
    limits
        Lower and upper end of a band behind that line.
    kpi
        Id of the KPI that the number is, where it is one.
    aims
        The target in the unit of the value, or both ends of its band: dashed lines in the small one.
    noun
        What one of `n` is called.
    means
        What the label means, in a line, where it needs that: told to a pointer and to the keyboard.

    Examples
    --------
    >>> Card("NPS", 43.6, ci_lower=41.2, ci_upper=46.0, n=2400, noun="answer", kpi="nps").value
    43.6
    """

    label: str
    value: float | None
    unit: str = "number"
    ci_lower: float | None = None
    ci_upper: float | None = None
    n: int | None = None
    currency: str = ""
    detail: str = ""
    status: str = ""
    target: str = ""
    trend: tuple[float, ...] = ()
    limits: tuple[float, float] | None = None
    kpi: str = ""
    aims: tuple[float, ...] = ()
    noun: str = "customer"
    means: str = ""


class Named(Protocol):
    """What a card needs of a KPI, see :class:`cslib.data.kpi.Kpi`."""

    @property
    def id(self) -> str:
        """Its name in files."""

    @property
    def label(self) -> str:
        """Its name for readers."""

    @property
    def unit(self) -> str:
        """A unit of `format_value`."""

    @property
    def noun(self) -> str:
        """What one of n is called."""


def card_of(
    kpi: Named, value: float | None, *, interval: tuple[float | None, float | None] = (None, None),
    n: int | None = None, currency: str = "", detail: str = "",
) -> Card:  # fmt: skip
    """Make the card of a KPI: it is called and told alike in every report, the figures are the caller's own.

    Parameters
    ----------
    kpi
        An entry of a topic's ``KPIS``; the value must be over its base and its period.
    value, n, currency, detail
        As in :class:`Card`.
    interval
        Its two ends.

    Returns
    -------
    Card

    Examples
    --------
    >>> from cslib.churn.kpis import KPIS
    >>> card = card_of(KPIS["customer_churn_rate"], 0.03, interval=(0.02, 0.04), n=900)
    >>> card.kpi, card.label, card.unit
    ('customer_churn_rate', 'Customer churn', 'percent')
    """
    return Card(kpi.label, value, kpi.unit, *interval, n, currency, detail, kpi=kpi.id, noun=kpi.noun)


def _show(html: str, text: str, bundle: Mapping[str, object]) -> None:
    from IPython import display

    html, own = sealed(JUPYTER_STYLE + html, bundle)
    data = {"text/html": html, "text/plain": text, MIME: own}
    display.display(data, raw=True)  # type: ignore[no-untyped-call]


def _checked(name: str) -> str:
    message = f"The name {name!r} cannot name a file. Use small letters, digits and _, a letter first."
    ParameterError.when(not re.fullmatch(r"[a-z][a-z0-9_]*", name), message)
    return name


def _finite(value: object) -> object:
    if isinstance(value, tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cards(*cards: Card) -> None:
    """Show headline numbers side by side, each with its interval and n.

    Parameters
    ----------
    cards
        The numbers, most important first; two to five read well, and none show nothing.
    """
    if not cards:
        return
    html = "".join(card_html(card) for card in cards)
    text = "\n".join(" · ".join(filter(None, (c.label, *_card_lines(c)))) for c in cards)
    bundle = [{key: _finite(value) for key, value in asdict(card).items()} for card in cards]
    _show(f'<div class="cs cs-cards">{html}</div>', text, {"kind": "cards", "cards": bundle})


def _card_lines(card: Card) -> tuple[str, str, str, str]:
    """Value, interval, n and detail of a card."""
    interval = format_interval(card.ci_lower, card.ci_upper, card.unit, value=card.value)
    size = "" if card.n is None else counted(card.n, card.noun).replace(" ", "\N{NO-BREAK SPACE}", 1)
    value = format_value(card.value, card.unit, card.currency)
    return value, interval, size, card.detail


def card_html(card: Card) -> str:
    """Draw one card."""
    value, *lines = (escape(unbroken(line)) for line in _card_lines(card))
    status = ""
    if card.status:
        kind, sign = STATUS[card.status]
        judged = _apart(escape(f"{sign} {card.status}"), escape(unbroken(card.target)))
        status = f'<div class="cs-status cs-{kind}">{judged}</div>'
    interval, size, detail = lines
    rows = {"interval": _apart(interval, size), "detail": detail}
    html = "".join(f'<div class="cs-{kind}">{line}</div>' for kind, line in rows.items() if line)
    head = f'<div class="cs-label">{_term(card.label, card.means)}</div><div class="cs-value">{value}</div>'
    return f'<div class="cs-card">{head}{status}{sparkline(card.trend, card.limits, card.aims)}{html}</div>'


def _term(text: str, means: str) -> str:
    """Write a name, with what it means where that is known."""
    told = f'<abbr class="cs-term" tabindex="0" title="{escape(means)}">'
    return f"{told}{escape(text)}</abbr>" if means else escape(text)


def parted(line: str) -> str:
    """Write a line of parts with dots between them, none of which stays where the line breaks, as HTML.

    Examples
    --------
    >>> parted("6 reports · 2 < 3")
    '<span class="cs-parts"><span>6 reports</span><span><i> · </i>2 &lt; 3</span></span>'
    """
    return _apart(*(escape(part) for part in line.split(" · ")))


def _apart(*parts: str) -> str:
    """Set parts of a line apart by dots, none of which stays where the line breaks.

    Examples
    --------
    >>> _apart("", "560 answers")
    '560 answers'
    """
    first, *others = [part for part in parts if part] or [""]
    rest = "".join(f"<span><i> · </i>{part}</span>" for part in others)
    return f'<span class="cs-parts"><span>{first}</span>{rest}</span>' if rest else first


def table(
    df: pd.DataFrame, *, name: str, caption: str, formats: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None, max_rows: int = 15, data: pd.DataFrame | None = None,
    terms: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Show the first rows and 13 columns of a table; without rows nothing is shown.

    A report keeps all as ``<name>.csv``, and its page holds up to 5,000 rows to sort, search and filter.

    Parameters
    ----------
    df
        A tidy table; its index is not shown.
    name
        File name of the CSV, without its ending: small letters, digits and ``_``.
    caption
        What the table holds, one line.
    formats
        Unit of `format_value` per column; numbers without one are "number".
    labels
        Heading per column; without one, the column's name with spaces for ``_``.
    max_rows
        How many rows are shown at first.
    data
        The tidy table that a report keeps, where what is shown are texts made of it; by default `df`.
    terms
        What names in the first column mean, in a line, as of :class:`Card`.

    Raises
    ------
    ParameterError
        The name is not usable, or `formats` or `labels` names a column that is not there.
    """
    for column in (*(formats or {}), *(labels or {})):
        refuse_unknown(column, [str(c) for c in df.columns], f"The table has no column {column!r}.")
    kept = df if data is None else data
    link = _export(kept, _checked(name))
    if len(kept) != len(df):  # the file holds other rows than are shown
        link = link.replace("</a>", f" ({counted(len(kept), 'row')})</a>")
    shown = df.iloc[:max_rows, :MOST_COLUMNS]
    count = f"{len(shown):,} of " * (len(shown) < len(df)) + counted(len(df), "row")
    if shown.shape[1] < df.shape[1]:
        count += f", {shown.shape[1]} of {df.shape[1]} columns"
    count += " shown" * (len(kept) != len(df))
    foot = " · ".join(filter(None, (link, f'<span class="cs-count">{count}</span>')))
    html = ""
    if len(df):
        body = _grid(shown, caption, dict(formats or {}), dict(labels or {}), dict(terms or {}))
        more = len(shown) < len(df)
        rest = link and more and len(df) <= MOST_ROWS
        every = _packed(df.iloc[:, :MOST_COLUMNS], dict(formats or {})) if rest else ""
        part = " data-part" * (more and not every)  # the script must not sort or search what is not all
        html = f'<div class="cs cs-table"{part}>{body}{every}<p class="cs-rows">{foot}</p></div>'
    text = f"{caption} ({count})\n{shown.to_string(index=False) if len(df) else ''}".rstrip()
    _show(html, text, _bundle("table", name, kept, caption=caption))


def _bundle(kind: str, name: str, df: pd.DataFrame | None, **more: object) -> dict[str, object]:
    rows = {} if df is None else {"rows": len(df), "columns": [str(c) for c in df.columns]}
    return {"kind": kind, "name": name, **rows, **more}


def _grid(
    df: pd.DataFrame, caption: str, formats: dict[str, str], labels: dict[str, str], terms: dict[str, str]
) -> str:  # fmt: skip
    right = [_side(df.iloc[:, i], first=not i) for i in range(df.shape[1])]
    names = [labels.get(c, c.replace("_", " ")) for c in map(str, df.columns)]
    head = "".join(f'<th scope="col"{r}>{escape(name)}</th>' for name, r in zip(names, right, strict=True))
    units = [formats.get(c, "number") for c in map(str, df.columns)]
    rows = [*df.astype(object).mask(df.isna(), other=None).itertuples(index=False, name=None)]
    means = ([terms.get(str(row[0]), ""), *[""] * (len(row) - 1)] for row in rows)
    body = "".join("<tr>" + "".join(map(_cell, *own, units, right)) + "</tr>" for own in zip(rows, means, strict=True))
    top = f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
    return _scroll(caption, f"<table>{top}<tbody>{body}</tbody></table>")


def _side(column: pd.Series, *, first: bool) -> str:
    """Set numbers to the right, and texts that are figures, but for the names of rows; keep days whole."""
    if column.dtype.kind in "iuf":
        return ' class="cs-num"'
    texts = [text for text in map(str, column.dropna()) if not UNTOLD.fullmatch(text)]
    if first or not texts:
        return ""
    kinds = {"cs-right": FIGURES, "cs-day": DAY}
    return next((f' class="{kind}"' for kind, form in kinds.items() if all(map(form.fullmatch, texts))), "")


def _packed(df: pd.DataFrame, formats: dict[str, str]) -> str:
    """Put all rows beside a table, for the page's script: texts, and of columns of numbers their ranks.

    Addresses lose their secrets here: in JSON it could not be told where they end.
    """
    units = [formats.get(c, "number") for c in map(str, df.columns)]
    numeric = [kind.kind in "iuf" for kind in df.dtypes]
    rows = df.astype(object).mask(df.isna(), other=None).itertuples(index=False, name=None)
    texts = [
        [without_secrets(_text(value, unit, n)) for value, unit, n in zip(row, units, numeric, strict=True)]
        for row in rows
    ]
    places = {i: df.iloc[:, i].rank(method="dense") for i, n in enumerate(numeric) if n}
    ranks = {i: [None if r != r else int(r) for r in column] for i, column in places.items()}
    packed = json.dumps({"rows": texts, "ranks": ranks}, ensure_ascii=False, separators=(",", ":"))
    return f'<script type="application/json">{packed.replace("<", chr(92) + "u003c")}</script>'


def _scroll(label: str, html: str, kind: str = "") -> str:
    """Let a wide thing scroll by itself, by keyboard too."""
    kinds = f"cs-scroll {kind}".strip()
    return f'<div class="{kinds}" tabindex="0" role="region" aria-label="{escape(label)}">{html}</div>'


def _cell(value: object, means: str, unit: str, right: str) -> str:
    numeric = "cs-num" in right
    text = _text(value, unit, numeric)
    status = text.partition(" over ")[0]  # such as missed over 12 months
    if unit == "status" and status in STATUS:
        kind, sign = STATUS[status]
        whole = f"{sign} {status}".replace(" ", "\N{NO-BREAK SPACE}")
        text = f"{whole}{unbroken(text.removeprefix(status))}"
        return f'<td{right}><span class="cs-status cs-{kind}">{text}</span></td>'
    if value is not None and numeric:
        number = repr(float(value)).replace("inf", "Infinity")  # type: ignore[arg-type]
        return f'<td{right} data-value="{number}">{escape(text)}</td>'
    return f"<td{right or _kept(text)}>{_term(text, means)}</td>"


def _kept(text: str) -> str:
    """Tell apart long texts, which may be broken where there is room, and ranges, which may not."""
    if len(text) > 40:
        return " class=cs-long"
    return " class=cs-whole" * bool(WITHIN.fullmatch(text.replace("\N{NO-BREAK SPACE}", " ")))


def _text(value: object, unit: str, numeric: bool) -> str:
    if value is None:
        return "–"
    if numeric:
        return unbroken(format_value(float(value), unit))  # type: ignore[arg-type]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return unbroken(str(value).removesuffix(" 00:00:00"))


def _export(df: pd.DataFrame, name: str) -> str:
    """Write the whole table for a report; a link to it, or nothing outside a report."""
    folder = os.environ.get(RUN_DIR)
    if not folder:
        return ""
    try:
        write_csv(df, Path(folder) / f"{name}.csv")
    except OSError as error:
        message = (
            f"{name}.csv cannot be written: {error.strerror}. Make room where the reports are, or name another --out."
        )
        raise ReportError(message) from error
    return f'<a href="{escape(f"{_beside_page(Path(folder))}/{name}.csv")}" download>Download {name}.csv</a>'


def write_csv(df: pd.DataFrame, path: Path) -> None:
    """Write a table as a file that a spreadsheet opens without running what stands in it."""
    safe = df.set_axis([_guarded(str(c)) for c in df.columns], axis=1)
    for i in range(len(safe.columns)):
        safe.isetitem(i, _plain_column(safe.iloc[:, i]).array)
    # RFC 4180 line ends: with "\n" alone the csv module leaves a cell with "\r" unquoted, which breaks its row.
    safe.to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8")


def _beside_page(folder: Path) -> str:
    """Name the folder of the files as the page does: versions of a report stand together, in them those of segments."""
    home = next((parent for parent in (folder.parent, folder.parent.parent) if parent.suffix), folder.parent)
    return folder.relative_to(home.parent).as_posix() if home.suffix else folder.name


def _plain_column(column: pd.Series) -> pd.Series:
    """Text guarded, dates in ISO; numbers are left alone, which pandas writes in full."""
    kind = column.dtype.kind
    if kind == "M":
        days = (column.dropna() == column.dropna().dt.normalize()).all()
        column = column.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%dT%H:%M:%S.%f")
    return column if kind in "iufbcM" else column.astype(object).map(_guarded, na_action="ignore")


def _guarded(value: object) -> object:
    """Keep a spreadsheet from running a text cell as a formula."""
    return "'" + value if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def figure(
    fig: Figure, *, name: str, title: str, subtitle: str, alt: str, data: pd.DataFrame | None = None, caption: str = "",
    slim: Figure | None = None,
) -> None:  # fmt: skip
    """Show a chart under the sentence it proves, and close it.

    Parameters
    ----------
    fig
        A matplotlib figure, drawn in the colours of `THEME` where it should follow the page's theme.
    name
        Unique in the notebook: small letters, digits and ``_``.
    title
        The finding, computed.
    subtitle
        What is plotted, and in which unit.
    alt
        What the chart shows, in words, for those who do not see it.
    data
        The tidy table behind the chart, which a report keeps as ``<name>.csv``.
    caption
        What that table holds, one line, for the list of files; by default the title.
    slim
        The same chart for where there is no room for the first, such as a telephone, see
        :func:`cslib.show.drawing.slim`.

    Raises
    ------
    ParameterError
        The name is not usable, or title or alt is empty.
    """
    _checked(name)
    message = f"Figure {name!r} needs a title that states the finding, and alt: the same in words."
    ParameterError.when(not (title.strip() and alt.strip()), message)
    link = "" if data is None else _export(data, name)
    head = f'<h3 class="cs-title">{escape(unbroken(title))}</h3><p class="cs-subtitle">{parted(unbroken(subtitle))}</p>'
    drawn = drawing(fig, name, alt)
    body = _scroll(title, drawn) + (f"<p class=cs-rows>{link}</p>" if link else "")
    if slim is not None:
        body = _scroll(title, sharing(drawing(slim, f"{name}-slim", alt), drawn), "cs-slim") + body
    html = f'<figure class="cs cs-figure"><figcaption>{head}</figcaption>{body}</figure>'
    bundle = _bundle("figure", name, data, title=title, alt=alt, caption=caption or title)
    _show(html, f"{title}\n{subtitle}\n{alt}", bundle)


def files(tables: Mapping[str, tuple[str, pd.DataFrame]]) -> None:
    """Hand tables to a report that are not shown: each becomes ``<name>.csv`` and a line in its list of files.

    Parameters
    ----------
    tables
        By name: what the table holds, one line, and the table.

    Raises
    ------
    ParameterError
        A name is not usable.
    """
    for name, (_, df) in tables.items():
        _export(df, _checked(name))
    text = ", ".join(f"{name} ({counted(len(df), 'row')})" for name, (_, df) in tables.items())
    kept = [_bundle("file", name, df, caption=caption) for name, (caption, df) in tables.items()]
    _show("", f"Tables kept: {text}" if text else "", {"kind": "files", "files": kept})


def note(text: str, *, kind: str = "note") -> None:
    """Show a computed sentence.

    Parameters
    ----------
    text
        The sentence; its markup is ``**bold**`` and ``[words](report#section)``, a link to a section of a report.
    kind
        "answer" for the one sentence that answers the notebook's question (it also stands on the home
        page), "attention" (what the home page says needs attention, in this order), "finding" (what the
        table below it shows, as a heading), "note", "warning", "how_to_read" (under a chart, can be
        folded), or "subtitle" (what the report is about, under its title, in place of the number of customers).

    Raises
    ------
    ParameterError
        The kind is none of those.
    """
    check_choice("kind", kind, ("answer", "attention", "finding", "how_to_read", "note", "subtitle", "warning"))
    how, marked = kind == "how_to_read", inline(text if RUN_DIR in os.environ else LINK.sub(r"\1", text))
    html = how_to_read(f"<p>{marked}</p>") if how else f'<p class="cs cs-{kind}">{marked}</p>'
    html = f'<h3 class="cs cs-title">{marked}</h3>' if kind == "finding" else html
    _show(html, plain(text), {"kind": kind, "text": text})


def how_to_read(html: str) -> str:
    """Put a piece of a page behind a line that folds it."""
    return f'<details class="cs how"><summary>How to read this</summary>{html}</details>'


def data_check(check: Mapping[str, Any]) -> None:
    """Show what the data hold and what is odd about them.

    Parameters
    ----------
    check
        As the loader gives it: ``source``, ``as_of``, ``currency``, ``fingerprint``, ``tables`` (each with
        ``table``, ``rows``, ``first``, ``last``, ``set_aside``, ``note``), ``share_censored``, ``notes`` and
        ``warnings``.

    Raises
    ------
    ParameterError
        ``as_of`` is no date.
    """
    _check_day(check.get("as_of"))
    tables, share = check["tables"], check.get("share_censored")
    facts = [_sized(entry) for entry in tables]
    if share is not None and math.isfinite(share):
        facts.append(f"{format_value(share, 'percent')} are still customers")
    odd = [f"{e['table']}: {counted(e['set_aside'], 'row')} set aside" for e in tables if e.get("set_aside")]
    remarks = [f"{e['table']}: {e['note']}" for e in tables if e.get("note")]
    warnings, notes = check.get("warnings", []), [*check.get("notes", []), *remarks]
    items = "".join(f'<li class="cs-chip cs-warn">{escape(text)}</li>' for text in odd)
    chips = f'<ul class="cs-chips">{items}</ul>' if odd else ""
    said = _listed(warnings, "cs-warnings") + _listed(notes, "cs-notes")
    held = parted(unbroken(" · ".join(facts)))
    html = f'<div class="cs cs-check"><p class="meta">{held}</p>{chips}{said}</div>'
    text = "\n".join([" · ".join([*facts, *odd]), *(f"! {w}" for w in warnings), *notes])
    _show(html, text, {"kind": "data_check", "check": {k: _finite(v) for k, v in check.items()}})


def _check_day(day: object) -> None:
    with suppress(ValueError):
        if not day or (isinstance(day, str) and date.fromisoformat(day[:10])):
            return
    message = f"as_of is {day!r}, which is no date. Write it as YYYY-MM-DD."
    raise ParameterError(message)


def _sized(entry: Mapping[str, Any]) -> str:
    dated = entry.get("first") and entry.get("last")
    span = f", {format_day(entry['first'])} to {format_day(entry['last'])}" if dated else ""
    return f"{entry['table']} {counted(entry['rows'], 'row')}{span}"


def _listed(texts: list[str], kind: str, *, room: int = 5) -> str:
    """List the first few; the rest waits behind a line that opens."""
    first, rest = ("".join(f"<li>{inline(t)}</li>" for t in part) for part in (texts[:room], texts[room:]))
    more = f'<details><summary>{len(texts) - room} more</summary><ul class="{kind}">{rest}</ul></details>'
    return f'<ul class="{kind}">{first}</ul>' * bool(first) + more * bool(rest)
