"""From an executed notebook to the HTML of a report: one file, offline, no request, no code shown.

Own fragments of `cslib.display` go through as they are; everything else is cleaned first.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import bleach  # type: ignore[import-untyped]
import jinja2
from markupsafe import Markup

from cslib.errors import ReportError, counted
from cslib.report.imports import without
from cslib.report.parameters import in_force, words
from cslib.report.publish import public
from cslib.show.display import JUPYTER_STYLE, MIME, how_to_read, parted
from cslib.show.formats import format_day, inline
from cslib.show.seal import opened

# With it, jsonschema compiles 38 grammars of addresses, which take 1.4 s and which no notebook is checked by.
with without("rfc3987_syntax"):
    from nbconvert.filters import strip_ansi
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

TEMPLATES = Path(__file__).parent / "template"
SCRIPTS = ("segments", "report", "tables", "charts")  # of the page, one after the other
TEXT_TAGS = (
    "a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p pre s small span strong sub sup"
)
TAGS = frozenset(re.findall(r"\w+", TEXT_TAGS + " caption table tbody td tfoot th thead tr u ul var"))
PROTOCOLS = frozenset({"http", "https", "mailto"})  # beside # and relative addresses
ATTRIBUTES = {"a": ["href", "title"], "td": ["colspan", "rowspan"], "th": ["colspan", "rowspan", "scope"]}
SCRIPTED = frozenset({"application/javascript", "application/vnd.jupyter.widget-view+json"})
# What turns the text that follows around, or cannot be seen at all; a browser shows a sign in its place.
UNSEEN = dict.fromkeys(
    [*range(9), 11, 12, *range(14, 32), 127, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    "\N{REPLACEMENT CHARACTER}",
)
ALL = "all"  # the view of all customers
MARK = re.compile(r'(<(?:path|text|use|tspan)\b(?:(?! class=| style=)[^<>])*) style="([^"]*)"')  # of a chart
REGION = re.compile(r'((?:cs-slim)?" tabindex="0" role="region" aria-label=")([^"]*)')  # one of both drawings is seen
# Before an id of the page; what is text, or told by a chart, is passed over.
OWN_ID = re.compile(r"""(>[^<]+|data-points='[^']*')|(?<= id=")|(?<= aria-labelledby=")|(?<=href="#)|(?<=url\(#)""")
FOLDED = {
    "method": "Formulas, models and references",
    "definitions": "What every word means here",
    "references": "Where the formulas come from",
}  # sections by title
LEFT_OUT = '<p class="cs cs-warning">An interactive output is left out: a report carries no scripts.</p>'


@dataclass(frozen=True)
class Part:
    """One thing on the page: its kind (of a bundle, or "prose" or "output") and its HTML."""

    kind: str
    html: Markup


@dataclass(eq=False)
class Section:
    """What stands under one H2; the first section has no title and holds what comes before."""

    title: str
    id: str
    parts: list[Part] = field(default_factory=list)

    @property
    def folded(self) -> str:
        """What its line says, where it is folded away; empty where it stands open."""
        return FOLDED.get(self.title.lower(), "")


def trust_own(notebook: Any, key: str) -> None:
    """Leave bundles to what the display verbs have sealed in this run; anything else is an output like others."""
    for cell in notebook.cells:
        for data in (output["data"] for output in cell.get("outputs", []) if MIME in output.get("data", {})):
            bundle = data.pop(MIME)
            own = opened(key, data.get("text/html"), bundle) if isinstance(bundle, Mapping) else None
            data |= {MIME: own} if own else {}


def _bundles(notebook: Any) -> Iterator[Mapping[str, Any]]:
    """Give the bundles that the display verbs left in an executed notebook, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                bundle = output.data[MIME]
                yield from bundle.get("files", [bundle])


def gathered(executed: Any) -> dict[str, Any]:
    """Collect what the display verbs handed over; two things of one name would share a file."""
    shown = list(_bundles(executed))
    twice = [name for name, n in Counter(b["name"] for b in shown if "name" in b).items() if n > 1]
    if twice:
        message = f"The name {twice[0]!r} is used twice. Give every table and figure its own name."
        raise ReportError(message)
    check = dict(next((b["check"] for b in shown if b["kind"] == "data_check"), {}))
    if isinstance(check.get("source"), str):
        check["source"] = public(check["source"])
    said = {b["kind"]: b["text"] for b in reversed(shown) if "text" in b}  # the first of each kind
    cards = [card for b in shown if b["kind"] == "cards" for card in b["cards"]]
    tables = [{k: b[k] for k in ("name", "caption", "rows", "columns")} for b in shown if "rows" in b]
    facts = {"answer": said.get("answer", ""), "subtitle": said.get("subtitle", ""), "as_of": check.get("as_of")}
    facts["attention"] = [b["text"] for b in shown if b["kind"] == "attention"]
    return {**facts, "data_check": check, "cards": cards, "tables": tables}


@dataclass(frozen=True)
class Segment:
    """The same report on one segment: its executed notebook with what run.json says of it, or why there is none."""

    value: str
    id: str
    notebook: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class _View:
    """What a reader sees at a time: the report on all customers, or on one segment."""

    value: str
    id: str
    lead: Section
    sections: list[Section]
    files: list[dict[str, Any]]
    subtitle: str
    reason: str = ""

    @property
    def folder(self) -> str:
        """Where its files are, in the folder of the version."""
        return f"{self.id}/" if self.id != ALL else ""


def page(
    notebook: Any, facts: Mapping[str, Any], *, column: str = "", segments: Sequence[Segment] = (), left_out: str = ""
) -> str:
    """Render a report.

    Parameters
    ----------
    notebook
        The executed notebook.
    facts
        What run.json says of the run.
    column, segments
        The column compared by, and the same report on each of its segments, to switch to.
    left_out
        What is said of segments that cannot be switched to.

    Returns
    -------
    str
        The page.
    """
    views = [_view("All", ALL, notebook, facts), *(_view_of(segment) for segment in segments)]
    ran = f"{moment(facts['ended'])} in {facts['seconds']:.1f} s"
    own = {"views": views, "ran": ran, "footer": _footer(facts), "left_out": left_out}
    own |= {"reach": format_day(facts["as_of"]) if facts["as_of"] else ""}
    return _sharing(render_template("report.html", {**facts, **own, "column": column, "column_words": words(column)}))


def weight(notebook: Any) -> int:
    """Return about how many bytes all that a notebook shows takes in a page."""
    shown = "".join(part.html for section in _sections(notebook) for part in section.parts)
    return len(_sharing(f"</style>{shown}").encode())


def _sharing(html: str) -> str:
    """Let the marks of all charts share their styles: what is written more than ten times becomes a class."""
    counts = Counter(m[2] for m in MARK.finditer(html))
    names = {style: f"s{i}" for i, (style, n) in enumerate(counts.most_common()) if n > 10}
    sheet = "".join(f".{name}{{{style}}}" for style, name in names.items())
    html = MARK.sub(lambda m: f'{m[1]} class="{names[m[2]]}"' if m[2] in names else m[0], html)
    return html.replace("</style>", f"{sheet}</style>", 1)


def _view(value: str, name: str, notebook: Any, facts: Mapping[str, Any]) -> _View:
    lead, *sections = _arranged(_sections(notebook))
    files = [{**t, "size": counted(t["rows"], "row")} for t in facts["tables"] if t["rows"]]
    only = f"{value} only · " if name != ALL else ""
    return _View(value, name, lead, sections, files, only + _subtitle(facts))


def _view_of(segment: Segment) -> _View:
    if segment.notebook is None:
        return _View(segment.value, segment.id, Section("", "answer"), [], [], "", segment.reason)
    return _view(segment.value, segment.id, segment.notebook, segment.facts)


def _belonging(html: str, view: str) -> Markup:
    """Give what stands in a view ids of its own, as a page has each id once, and its regions names of their own."""
    prefix = "" if view == ALL else f"{view}--"
    html = OWN_ID.sub(lambda found: found[1] or prefix, html) if prefix else html
    seen = Counter[str]()

    def named(region: re.Match[str]) -> str:
        seen[region[0]] += 1
        return f"{region[0]} ({seen[region[0]]})" if seen[region[0]] > 1 else region[0]

    return Markup(REGION.sub(named, html))


def render_template(name: str, facts: Mapping[str, Any]) -> str:
    """Fill a page of the template folder, with its style sheet, its one script and the script's hash."""
    script = "".join((TEMPLATES / f"{part}.js").read_text(encoding="utf-8") for part in SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sheet = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    own = {"script": Markup(script), "script_hash": f"sha256-{digest}", "sheet": Markup(sheet)}
    return _templates().get_template(name).render({**facts, **own}).translate(UNSEEN)


@cache
def _templates() -> jinja2.Environment:
    """Make ready what fills templates, which are compiled once."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["belonging"] = _belonging
    environment.filters["parted"] = lambda text: Markup(parted(text))
    environment.filters["inline"] = lambda text: Markup(inline(text))
    environment.filters["quoted"] = _quoted
    return environment


def _quoted(text: str) -> Markup:
    r"""Write a text as it stands between quotes in a style sheet, which nothing in it ends.

    Examples
    --------
    >>> _quoted('Who leaves? </style>"')
    Markup('Who leaves\\3f  \\3c \\2f style\\3e \\22 ')
    """
    return Markup("".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in text))


def _sections(notebook: Any) -> list[Section]:
    sections, ids = [Section("", "answer")], {"answer", "contents", "downloads", "main"}
    for cell in notebook.cells:
        if "notebook-only" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            _add_prose(sections, cell, ids)
        parts = [part for output in cell.get("outputs", ()) if (part := _part(output))]
        sections[-1].parts += [part for part in parts if part.kind != "subtitle"]  # it stands under the title
    return sections


def _add_prose(sections: list[Section], cell: Any, ids: set[str]) -> None:
    """Cut a markdown cell at its H2s; H1s are the page's title already."""
    html = re.sub(r"<h1>.*?</h1>", "", _markdown(cell.source), flags=re.S)
    before, *rest = re.split(r"<h2>(.*?)</h2>", html, flags=re.S)
    how = "how-to-read" in cell.metadata.get("tags", [])
    _append(sections[-1], before, ids, how)
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        plain = Markup(title).striptags()
        sections.append(Section(plain, _unique_id(plain, ids)))
        _append(sections[-1], body, ids, how)


def _append(section: Section, html: str, ids: set[str], how: bool) -> None:
    def named(match: re.Match[str]) -> str:
        return f'<h{match[1]} id="{_unique_id(Markup(match[2]).striptags(), ids)}">{match[2]}</h{match[1]}>'

    html = re.sub(r"<h([3-6])>(.*?)</h\1>", named, html.strip(), flags=re.S)
    if html:
        section.parts.append(Part("prose", Markup(how_to_read(html) if how else html)))


def _unique_id(title: str, ids: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
    name = next(n for i in range(1, len(ids) + 2) if (n := f"{stem}-{i}" if i > 1 else stem) not in ids)
    ids.add(name)
    return name


def _arranged(sections: list[Section]) -> list[Section]:
    """Put the answer, its cards and what is said with them first; a data check that stood before them goes last."""
    lead, *others = sections
    answered = [s for s in sections if any(p.kind == "answer" for p in s.parts)]
    early = sections[1 : sections.index(answered[0])] if answered and answered[0] is not lead else []
    checks = [s for s in early if any(p.kind == "data_check" for p in s.parts)]
    answers = [part for section in answered for part in _take(section, "answer")]
    cards = [part for section in dict.fromkeys([lead, *answered]) for part in _take(section, "cards")]
    check = Section("Data check", _unique_id("Data check", _taken(sections)), _take(lead, "data_check"))
    said = [part for section in answered if section is not lead for part in _take(section, "warning", "note")]
    lead.parts = [*answers, *cards, *said, *lead.parts]
    kept = [s for s in others if s not in checks]
    return [lead, *(s for s in [*kept, check, *checks] if s.parts)]


def _taken(sections: list[Section]) -> set[str]:
    """Find the ids of sections, and of the headings in them."""
    inner = (re.findall(r' id="([^"]+)"', part.html) for section in sections for part in section.parts)
    return {section.id for section in sections}.union(*inner)


def _take(section: Section, *kinds: str) -> list[Part]:
    taken = [part for part in section.parts if part.kind in kinds]
    section.parts = [part for part in section.parts if part.kind not in kinds]
    return taken


def _part(output: Any) -> Part | None:
    data = output.get("data", {})
    if MIME in data:
        html = data["text/html"].removeprefix(JUPYTER_STYLE)
        return Part(data[MIME]["kind"], Markup(html)) if html else None
    if output.output_type == "stream":
        html = _preformatted(output.text) if output.name == "stdout" else ""
    else:
        html = _foreign(data)
    return Part("output", Markup(f'<div class="output">{html}</div>')) if html else None


def _foreign(data: Mapping[str, Any]) -> str:
    """Show an analyst's own output plainly: the richest kind that needs no script."""
    if SCRIPTED & set(data):
        return LEFT_OUT
    if "text/html" in data:
        scripted = re.search(r"<script", data["text/html"], re.I)
        return f'<div class="scroll" tabindex="0">{_clean(data["text/html"])}</div>' + LEFT_OUT * bool(scripted)
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return _picture(data) or _preformatted(data.get("text/latex", data.get("text/plain", "")))


def _picture(data: Mapping[str, Any]) -> str:
    """Embed an image as data; an SVG too, because as an image it can run no script and style no page."""
    kind = next((k for k in ("image/svg+xml", "image/png", "image/jpeg") if k in data), "")
    try:
        svg = kind == "image/svg+xml"
        image = data[kind].encode() if svg else base64.b64decode("".join(data[kind].split()), validate=True)
    except (KeyError, ValueError):
        return ""  # there is none, or what is there is no image
    alt, code = escape(data.get("text/plain", "chart")), base64.b64encode(image).decode()
    return f'<div class="scroll" tabindex="0"><img alt="{alt}" src="data:{kind};base64,{code}"></div>'


def _preformatted(text: str) -> str:
    plain = str(strip_ansi(text)).rstrip()  # type: ignore[no-untyped-call]
    return f'<pre tabindex="0">{escape(plain)}</pre>' if text.strip() else ""


class _Renderer(IPythonRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Put its words in the place of an image: the cleaner leaves none, and an attachment may be missing."""
        return escape(text)


def _markdown(source: str) -> str:
    return _clean(MarkdownWithMath(_Renderer(escape=False, exclude_anchor_links=True)).render(source))


def _clean(html: str) -> str:
    """Keep plain markup: no script, style, image, event handler or foreign attribute."""
    html = re.sub(r"<(script|style)\b.*?</\1\s*>", "", html, flags=re.S | re.I)
    return str(bleach.clean(html, tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS, strip=True))


def _subtitle(facts: Mapping[str, Any]) -> str:
    """Say in one line what the report rests on: customers or what the notebook says, last day, segment, filter."""
    tables = {t["table"]: t for t in facts["data_check"].get("tables", [])}
    given = facts["parameters"]
    own = facts["subtitle"].replace("**", "")
    parts = [
        counted(tables["customers"]["rows"], "customer") if "customers" in tables and not own else "",
        f"observed until {format_day(facts['as_of'])}" if facts["as_of"] else "",
        own,
        *(f"{word} {given[name]}" for name, word in (("segment_by", "by"), ("where", "where")) if given.get(name)),
    ]
    line = " · ".join(filter(None, parts))
    return line[:1].upper() + line[1:]


def _footer(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    check, versions = facts["data_check"], dict(facts["versions"])
    rows = [f"{t['table']} {counted(t['rows'], 'row')}" for t in check.get("tables", [])]
    given = in_force(facts["parameters"], check)
    if not given.get("gross_margin", 1):  # which nobody knows
        del given["gross_margin"]
    print_of = [f"fingerprint {check['fingerprint']}"] if check.get("fingerprint") else []
    made = [f"{facts['notebook']} {facts['notebook_sha256'][:12]}", f"cslib {versions.pop('cslib')}"]
    seed = [f"seed {facts['parameters']['seed']}"] if "seed" in facts["parameters"] else []
    lines = [
        ("As of", facts["as_of"] or ""),
        ("Parameters", ", ".join(f"{k} = {v}" for k, v in given.items() if v != "")),
        ("Data", ", ".join([*rows, *print_of])),
        ("Made by", " · ".join([*made, *(f"{k} {v}" for k, v in versions.items()), *seed])),
    ]
    return [(term, text) for term, text in lines if text]


def moment(iso: str) -> str:
    """Write a UTC time stamp for a reader.

    Examples
    --------
    >>> moment("2025-07-01T06:00:12Z")
    '1 July 2025, 06:00 UTC'
    """
    return f"{format_day(iso)}, {iso[11:16]} UTC"
