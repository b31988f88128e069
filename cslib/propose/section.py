"""A section of the proposed ``cslib.toml`` while it is made, and how names of somebody else are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from cslib.data.config import stem
from cslib.data.presets import PRESETS
from cslib.propose.match import Match
from cslib.propose.values import Seen

ENDING: Final = ("churned_on", "ended_on", "line_end", "answered_on")  # what may not be there yet


@dataclass
class Section:
    """Keys in their order, and sentences about them."""

    match: Match
    keys: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)  # what is decided, and could be otherwise
    unsure: list[str] = field(default_factory=list)  # what may be wrong: somebody must look
    replaced: dict[str, str] = field(default_factory=dict)  # columns that a query computes
    where: list[str] = field(default_factory=list)  # rows that a query keeps
    surveys: tuple[str, ...] = ()  # of which it has answers
    parameters: list[str] = field(default_factory=list)  # that a report of it needs
    last: date | None = None  # the latest day seen
    currency: str = ""

    @property
    def sure(self) -> str:
        """How sure the whole is, in a word."""
        return "guess" if self.unsure else self.match.sure

    @property
    def queried(self) -> bool:
        """Whether a query reads it, which finds files by their folder only."""
        return "query" in self.keys or "lines" in PRESETS.get(self.keys.get("preset", ""), {}).get(self.match.table, {})

    def seen(self, role: str) -> Seen:
        """Find the column of a role."""
        column = self.match.look.column(self.match.columns[role])
        return column.ends if role in ENDING else column

    def roles(self, wanted: Iterable[str]) -> list[str]:
        """Keep the roles that have a column."""
        return [r for r in wanted if r in self.match.columns]

    def ask(self) -> None:
        """Read the file by a query in place of its name, where that is needed."""
        if not (self.replaced or self.where or self.match.more):
            return
        where = f" WHERE {' AND '.join(self.where)}" if self.where else ""
        self.keys.pop("table", None)
        self.keys["query"] = f"SELECT {self._columns()} FROM {self._files()}{where}"

    def _columns(self) -> str:
        if not self.replaced:
            return "*"
        if self.match.look.size:
            changed = ", ".join(f"{value} AS {quoted(name)}" for name, value in self.replaced.items())
            return f"* REPLACE ({changed})"
        own = {c.name: quoted(c.name) for c in self.match.look.columns}  # not every warehouse can replace
        return ", ".join(f"{self.replaced[n]} AS {q}" if n in self.replaced else q for n, q in own.items())

    def _files(self) -> str:
        files = [quoted(stem(Path(name))) for name in (self.match.look.name, *self.match.more)]
        both = " UNION ALL ".join(f"SELECT * FROM {file}" for file in files)
        return files[0] if len(files) == 1 else f"({both}) AS files"


def shown(text: object) -> str:
    r"""Write a name of somebody else so that it cannot be taken for anything but a name.

    Examples
    --------
    >>> print(shown("Plan"), shown('a"b'), shown("x\x1b[2J"))
    "Plan" "a\"b" "x\u001b[2J"
    """
    name = escaped(str(text))
    return '"' + (name if len(name) <= 80 else name[:77].rstrip("\\") + "…") + '"'


def escaped(text: str) -> str:
    """Write a text as it stands between quotes, in TOML and elsewhere."""
    return "".join("\\" + c if c in '"\\' else visible(c) for c in text)


def visible(text: str) -> str:
    r"""Write what cannot be seen, or moves a terminal's cursor, as its number.

    Examples
    --------
    >>> print(visible("a\x1b[2Jb"))
    a\u001b[2Jb
    """
    return "".join(
        c if c.isprintable() else f"\\u{ord(c):04x}" if c < "\U00010000" else f"\\U{ord(c):08x}" for c in text
    )


def quoted(name: str) -> str:
    """Write a name for a query.

    Examples
    --------
    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'
