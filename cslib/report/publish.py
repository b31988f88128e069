"""Put a finished report in place, whole or not at all, and leave alone what no report has written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any

from cslib.errors import ReportError
from cslib.report.parameters import checked_slug, output_folder

# The rest of an address after ://, in plain text or in HTML.
ADDRESS = re.compile(r"(?<=://)(?:(?!&(?:quot|[lg]t|#))[^\s<>\"'])+")
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
    rest = _bare_address(rest) if sign else rest
    last = re.split(r"[\\/]", rest.rstrip("\\/"))[-1] if PATH.match(rest) or os.path.exists(rest) else rest
    return scheme + sign + (last if sign else without_secrets(last))


def without_secrets(text: str) -> str:
    """Take credentials and query out of every address in a text.

    Examples
    --------
    >>> without_secrets("No answer from https://joe:secret@db.example/shop?token=x, sorry.")
    'No answer from https://db.example/shop, sorry.'
    """
    return ADDRESS.sub(lambda address: _bare_address(address[0]), text)


def _bare_address(address: str) -> str:
    if re.search(r"\?.*@", address, re.S):  # an @ in the query, or a ? in the password: nobody knows
        return "…"
    user = re.match(r"[^/:@]*:.*@|[^/@]*@", address, re.S)
    return re.sub(r"\?.*?(?=[.,;:)]*\Z)", "", address[user.end() if user else 0 :], flags=re.S)


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
    names = {name for root in (*roots, *here) for name in (os.path.abspath(root), os.path.realpath(root))}
    longest_first = sorted((n for n in names if len(n) > 3), key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?:file://|(?<![\w+=<.:/-]))(?:{pattern})(?:/|\b)", "", text)


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
            (folder / slug).mkdir()
            yield folder
    finally:
        with locked(out):
            _recover(out)


def _recover(out: Path, *, keep: Path | None = None) -> None:
    """Undo and clear away what runs have left that are over: nobody holds their folders."""
    for folder in out.glob(".run-*"):
        if folder != keep:
            with suppress(OSError), locked(folder, wait=False):  # a live run's is locked; a faulty one waits
                slug = folder.name.removeprefix(".run-").rpartition("-")[0]
                _undo(folder, slug)
                (folder / f"{slug}.html").unlink(missing_ok=True)  # first: now nothing is left to undo
                shutil.rmtree(folder)


def _undo(folder: Path, slug: str) -> None:
    """Take back what a publication has moved, unless it came to its end: the page is moved last."""
    out, old = folder.parent, folder / "old"
    if not (folder / f"{slug}.html").exists():
        return
    if not (folder / slug).exists():
        os.replace(out / slug, folder / slug)
    if old.exists():
        os.replace(old, out / slug)


def publish(folder: Path, slug: str) -> Path:
    """Move a finished run folder into place; whatever stops this, the old report is there again.

    The page and every file are whole at any moment. They are moved one after the other, so that for the
    blink between two moves a reader of the old page finds its tables missing or already new. A process
    killed in that blink leaves it so until the next run starts, which puts the old report back.

    Parameters
    ----------
    folder
        The run folder, inside the folder of the reports: holds ``<slug>.html`` and ``<slug>/``.
    slug
        Name of the report.

    Returns
    -------
    Path
        The published page.

    Raises
    ------
    ReportError
        What stands under that name was not written by a report.
    """
    for path in [*folder.rglob("*"), folder]:
        sync(path)
    out = folder.parent
    with locked(out):
        _recover(out, keep=folder)
        refuse_foreign(out, slug)
        try:
            with suppress(FileNotFoundError):
                os.replace(out / slug, folder / "old")
            os.replace(folder / slug, out / slug)
            os.replace(folder / f"{slug}.html", out / f"{slug}.html")
        finally:
            _undo(folder, slug)
        for stale in (f"{slug}.failed.json", f"{slug}.failed.log"):
            (out / stale).unlink(missing_ok=True)
        sync(out)
    return out / f"{slug}.html"


def refuse_foreign(out: Path, slug: str) -> None:
    """Never replace what no report has written: its folder would hold a run.json of that name."""
    there = [name for name in (f"{slug}/", f"{slug}.html") if os.path.lexists(out / name.rstrip("/"))]
    if there and not read_record(out / slug / "run.json", slug):
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
