"""Put a finished report in place, whole or not at all, and keep this machine's names out of it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cslib.errors import ParameterError

__all__ = ["checked_slug", "public", "publish", "sync", "without_folders"]


def checked_slug(slug: str) -> str:
    """Give back a name that can stand in a file name and in a link, or refuse it."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", slug) or slug.lower() == "index":
        message = f"{slug!r} cannot name a report. Use letters, digits, _ and -, not - first, and not 'index'."
        raise ParameterError(message)
    return slug


def publish(folder: Path, slug: str) -> Path:
    """Move a finished run folder into place, so that a reader sees the old report or the new, whole.

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
    """
    for path in [*folder.rglob("*"), folder]:
        sync(path)
    out, old = folder.parent, folder / "old"
    with suppress(FileNotFoundError):
        os.replace(out / slug, old)
    try:
        os.replace(folder / slug, out / slug)
        os.replace(folder / f"{slug}.html", out / f"{slug}.html")
    except OSError:
        if old.exists() and not (out / slug).exists():
            os.replace(old, out / slug)
        raise
    for stale in (f"{slug}.failed.json", f"{slug}.failed.log"):
        (out / stale).unlink(missing_ok=True)
    sync(out)
    return out / f"{slug}.html"


def sync(path: Path) -> None:
    """Make sure that a file or folder is on the disk before it is moved into place."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def public(value: object) -> object:
    """Publish a path as its last part and an address without its credentials."""
    if not isinstance(value, str):
        return value
    return os.path.basename(value.rstrip("/")) if os.path.isabs(value) else re.sub(r"://[^/@\s]*@", "://", value)


def without_folders(text: str, roots: Iterable[str | os.PathLike[str]]) -> str:
    """Take the names of this machine's folders out of a text that will be published."""
    own = [*roots, Path.cwd(), Path.home(), sys.prefix, sys.base_prefix, tempfile.gettempdir()]
    own += [Path(__file__).parents[1]]
    names = {name for root in own for name in (os.path.abspath(root), os.path.realpath(root))}
    longest_first = sorted((n for n in names if len(n) > 3), key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    return re.sub(rf"(?:file://|(?<![\w+=<.:/-]))(?:{pattern})(?:/|\b)", "", text)
