"""Put a finished report in place, in one moment or not at all, and leave alone what no report has written."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from html import escape, unescape
from pathlib import Path
from typing import Any, Final

from cslib.errors import ReportError, listed
from cslib.report.parameters import checked_slug, output_folder
from cslib.show.formats import bare_address, without_secrets

RECORD: Final = "run.json"
VERSIONS: Final = ".versions"  # with a dot, so that no report can have that name
ID: Final = r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}"
MOST_VERSIONS: Final = 20
KEPT_SECONDS: Final = 3600
BAR: Final = re.compile(r'(<ul class="bar">).*?(</ul>)', re.S)
TO: Final = re.compile(r'href="[^"]*" data-to="([a-z0-9_]+(?:#[a-z0-9-]+)?)"')
PATH = re.compile(r"([A-Za-z]:)?[\\/]|~|\.\.?([\\/]|$)|.*[\\/]\.\.([\\/]|$)")


def public(value: object) -> object:
    """Publish a path as its last part, and an address without credentials and query.

    Examples
    --------
    >>> public("../../srv/joe/data/"), public("postgresql://joe:secret@db.example/shop?sslkey=x"), public("a/b")
    ('data', 'postgresql://db.example/shop', 'a/b')
    """
    if not isinstance(value, str):
        return value
    scheme, sign, rest = value.partition("://") if re.match(r"[\w+.-]+://", value) else ("", "", value)
    rest = bare_address(rest) if sign else rest
    last = re.split(r"[\\/]", rest.rstrip("\\/"))[-1] if PATH.match(rest) or os.path.exists(rest) else rest
    return scheme + sign + (last if sign else without_secrets(last))


def cleaned(content: Any, values: Iterable[object], folders: Iterable[Path]) -> Any:
    """Make a text, or every text in lists and dicts, fit to be published.

    Parameters
    ----------
    content
        The text.
    values
        What the run was given; what is public of it in part only does not stand in the text in full.
    folders
        Folders that are not to be named.

    Returns
    -------
    Any
        The same, without secrets and folders.
    """
    if isinstance(content, Mapping):
        return {key: cleaned(entry, values, folders) for key, entry in content.items()}
    if isinstance(content, list):
        return [cleaned(entry, values, folders) for entry in content]
    return _cleaned_text(content, values, folders) if isinstance(content, str) else content


def _cleaned_text(text: str, values: Iterable[object], folders: Iterable[Path]) -> str:
    private = [v for v in values if isinstance(v, str) and public(v) != v]
    for value in sorted(private, key=len, reverse=True):
        short = str(public(value))
        text = text.replace(value, short).replace(escape(value), escape(short))
    roots = [os.path.dirname(os.path.abspath(value)) for value in private if "://" not in value]
    return without_folders(without_secrets(text), [*roots, *folders])


def without_folders(text: str, roots: Iterable[str | os.PathLike[str]]) -> str:
    """Take the names of this machine's folders out of a text that will be published."""
    here = (Path.cwd(), Path.home(), sys.prefix, sys.base_prefix, tempfile.gettempdir(), Path(__file__).parents[2])
    return _any_of(tuple(str(root) for root in (*roots, *here))).sub("", text)


@lru_cache(maxsize=64)
def _any_of(roots: tuple[str, ...]) -> re.Pattern[str]:
    """Match each of these folders where a text names it."""
    names = {name for root in roots for name in (os.path.abspath(root), os.path.realpath(root))}
    longest_first = sorted((n for n in names if len(n) > 3), key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?:file://|(?<![\w+=<.:/-]))(?:{pattern})(?:/|\b)")


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder to oneself until the end of the block, or of the process, however it ends."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


@contextmanager
def run_folder(out: Path, slug: str) -> Iterator[Path]:
    """Give a run a folder of its own until its end; what killed runs have left is mended first."""
    checked_slug(slug)
    out = output_folder(out)
    try:
        with ExitStack() as held:
            with locked(out):
                _recover(out)
                folder = Path(tempfile.mkdtemp(prefix=f".run-{slug}-", dir=out))
                held.enter_context(locked(folder))
            yield folder
    finally:
        with locked(out):
            _recover(out)


def new_version(folder: Path, slug: str) -> Path:
    """Make the folder that takes the files of a run: in its run folder, as it will stand beside the page."""
    version = folder / f"{slug}{VERSIONS}" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    version.mkdir(parents=True)
    return version


def _recover(out: Path, *, keep: Path | None = None) -> None:
    """Clear away what runs have left that are over, nobody holds their folders, and end what they had begun."""
    for folder in out.glob(".run-*"):
        if folder != keep:
            with suppress(OSError), locked(folder, wait=False):  # a live run's is locked; a faulty one waits
                point(out, folder.name.removeprefix(".run-").rpartition("-")[0])
                shutil.rmtree(folder)


def version_of(page: Path) -> str:
    """Read from a page of which version it is; empty where it says nothing."""
    with suppress(OSError, UnicodeDecodeError), page.open(encoding="utf-8") as file:
        found = re.search(rf'<meta name="cslib-version" content="({ID})">', file.read(4000))
        return found[1] if found else ""
    return ""


def point(out: Path, slug: str) -> None:
    """Let the stable folder of a report be the version that its page shows; a copy where there are no links."""
    wanted = Path(f"{slug}{VERSIONS}") / version_of(out / f"{slug}.html")
    place = out / slug
    if not (out / wanted / RECORD).is_file() or (place.is_symlink() and Path(os.readlink(place)) == wanted):
        return
    with tempfile.TemporaryDirectory(prefix=f".run-{slug}-", dir=out) as made:
        new, old = Path(made) / "new", Path(made) / "old"
        try:
            new.symlink_to(wanted)
        except OSError:  # a disk without links
            shutil.copytree(out / wanted, new)
        if new.is_symlink() and (place.is_symlink() or not place.exists()):
            os.replace(new, place)
        else:
            with suppress(FileNotFoundError):
                os.replace(place, old)
            os.replace(new, place)


def publish(folder: Path, slug: str, version: Path) -> Path:
    """Move a finished run into place: its page, its tables and its run.json change in one moment.

    Each run has a folder of its own, ``<slug>.versions/<version>/``, and its page links to that: whoever has opened a
    page gets the files of this page, also when a new one has come since. The page is put in place last, by one
    ``os.replace``. ``<slug>/``, the address that stays, is a link to the version of the page; it follows at once, and
    if the process is killed in between, when the next run starts. The version before stays, and those replaced within
    the last hour.

    Parameters
    ----------
    folder
        The run folder, inside the folder of the reports: holds ``<slug>.html``.
    slug
        Name of the report.
    version
        Its files, as from :func:`new_version`.

    Returns
    -------
    Path
        The published page.

    Raises
    ------
    ReportError
        What stands under that name was not written by a report, or the page offers a file that is not there.
    """
    out, page = folder.parent, folder / f"{slug}.html"
    _check_offered(page, version)
    for path in [*version.rglob("*"), version, page, folder]:
        sync(path)
    with locked(out):
        _recover(out, keep=folder)
        refuse_foreign(out, slug)
        before, place = version_of(out / page.name), out / version.relative_to(folder)
        place.parent.mkdir(exist_ok=True)
        os.replace(version, place)
        sync(place.parent)
        sync(out)
        try:
            os.replace(page, out / page.name)
        finally:
            if page.exists():
                shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # the report is published; who starts next, or this run at its end, tries again
            point(out, slug)
        for stale in (f"{slug}.failed.json", f"{slug}.failed.log"):
            (out / stale).unlink(missing_ok=True)
        _prune(place, before)
        sync(out)
    return out / page.name


def _check_offered(page: Path, version: Path) -> None:
    """Refuse a page that links to a file of its version which is not there."""
    beside = re.escape(f"{version.parent.name}/{version.name}/")
    offered = re.findall(rf'href="{beside}([^"]+)"', page.read_text(encoding="utf-8"))
    missing = sorted({name for name in offered if not (version / unescape(name)).is_file()})
    if missing:
        message = f"The page offers {listed(missing)}, which is not there: the notebook has taken it away again."
        raise ReportError(message)


def _prune(current: Path, before: str) -> None:
    """Remove old versions: all but this one, the one before, and up to 20 that were replaced within an hour."""
    others = [version for version in versions(current.parent) if version.name not in (current.name, before)]
    if before:
        with suppress(FileNotFoundError):
            os.utime(current.parent / before)  # from now on it is old
    newest = sorted(others, key=lambda p: p.stat().st_mtime, reverse=True)
    for i, version in enumerate(newest):
        if i >= MOST_VERSIONS or time.time() - version.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(version, ignore_errors=True)


def refuse_foreign(out: Path, slug: str) -> None:
    """Never replace what no report has written: the version that the page names, or its folder, has a run.json."""
    there = [name for name in (f"{slug}/", f"{slug}.html") if os.path.lexists(out / name.rstrip("/"))]
    homes = (out / slug, out / f"{slug}{VERSIONS}" / (version_of(out / f"{slug}.html") or "none"))
    if there and not any(read_record(home / RECORD, slug) for home in homes):
        message = f"{there[0]} in {out.name} was not written by a report: {slug}/run.json is missing or foreign."
        message += " Move it away, or name another folder with --out."
        raise ReportError(message)


def read_record(path: Path, slug: str) -> dict[str, Any]:
    """Read what a run has noted of itself; empty where the file is none of ours."""
    with suppress(OSError, ValueError, RecursionError):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(facts, dict) and facts.get("slug") == checked_slug(slug):
            return facts
    return {}


def bound(out: Path, pages: Iterable[Mapping[str, str]]) -> None:
    """Bind the reports of a folder together: each gets a bar that leads to the others, and its links lead somewhere.

    Parameters
    ----------
    out
        The folder of the reports, held by the caller.
    pages
        Of each report, in the order of the bar: ``slug``, ``notebook``, ``label``, ``group`` and the ``column`` of its
        switch, so that a link to it keeps the segment.

    Notes
    -----
    A link is written as ``data-to="report#section"``. Its address is that of the report of this name, of the same group
    where there are several; what is not there is explained on the home page.
    """
    groups: dict[str, list[Mapping[str, str]]] = {}
    for page in pages:
        groups.setdefault(page["group"], []).append(page)
    for own in groups.values():
        known = {page["notebook"]: page["slug"] for page in (*groups.get("", ()), *own)}
        for page in own:
            with suppress(OSError, UnicodeDecodeError):
                _bind(out / f"{page['slug']}.html", own, known)


def _bind(path: Path, group: Iterable[Mapping[str, str]], known: Mapping[str, str]) -> None:
    bar = "".join(_bar_entry(page, here=page["slug"] == path.stem) for page in group)
    text = path.read_text(encoding="utf-8")
    new = BAR.sub(lambda ends: f"{ends[1]}{bar}{ends[2]}", text, count=1)
    new = with_addresses(new, known)
    if new != text:
        put(path, new)


def _bar_entry(page: Mapping[str, str], *, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    switch = f' data-column="{escape(page["column"])}"' if page["column"] else ""
    return f'<li><a href="{escape(page["slug"])}.html"{current}{switch}>{escape(page["label"])}</a></li>'


def with_addresses(html: str, known: Mapping[str, str]) -> str:
    """Give every link to a section of a report its address.

    Examples
    --------
    >>> with_addresses('<a href="#" data-to="revenue#kept">Kept</a>', {"revenue": "revenue-plan-team"})
    '<a href="revenue-plan-team.html#kept" data-to="revenue#kept">Kept</a>'
    >>> with_addresses('<a href="#" data-to="revenue#kept">Kept</a>', {})
    '<a href="index.html#revenue" data-to="revenue#kept">Kept</a>'
    """

    def address(link: re.Match[str]) -> str:
        name, sign, section = link[1].partition("#")
        place = f"{escape(known[name])}.html{sign}{section}" if name in known else f"index.html#{name}"
        return f'href="{place}" data-to="{link[1]}"'

    return TO.sub(address, html)


def earlier_record(out: Path, slug: str) -> dict[str, Any]:
    """Read what the run before the published one has noted of itself; empty where there was none."""
    current = version_of(out / f"{slug}.html")
    before = [version for version in versions(out / f"{slug}{VERSIONS}") if version.name != current]
    return read_record(before[0] / RECORD, slug) if before else {}


def versions(home: Path) -> list[Path]:
    """List the folders of a report's runs, the latest first."""
    return sorted((p for p in home.glob("*") if re.fullmatch(ID, p.name)), reverse=True)


def put(path: Path, html: str) -> Path:
    """Write a page that is whole at any moment, without secrets."""
    new = path.with_name(f".{path.name}")
    new.write_text(without_secrets(html), encoding="utf-8")
    sync(new)
    return new.replace(path)


def sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk before it is moved into place."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
