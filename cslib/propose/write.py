"""The proposed ``cslib.toml``: what is in it, and how sure that is, in comments."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cslib.data.config import SUFFIXES, stem
from cslib.data.contract import CONTRACT
from cslib.errors import DataError, ParameterError
from cslib.propose.look import Place, copy_of_sample, look
from cslib.propose.match import apart, matches
from cslib.propose.options import section
from cslib.propose.section import Section, escaped, shown, visible

NAME: Final = "cslib.toml"
BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
SOURCE: Final = "CSLIB_SOURCE"
LARGE: Final = 48 << 20  # bytes from which on samples are checked, and not the whole


@dataclass(frozen=True)
class Proposal:
    """A ``cslib.toml`` that is not written yet."""

    place: Place
    sections: tuple[Section, ...]
    left_out: Mapping[str, str]
    said: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it belongs."""
        return self.place.folder / NAME

    @property
    def whole(self) -> bool:
        """Whether everything was looked at, and not samples only."""
        return all(s.match.look.whole for s in self.sections)

    @property
    def size(self) -> int:
        """Bytes of the files that it reads."""
        return sum(s.match.look.size for s in self.sections)

    @property
    def in_the_way(self) -> list[str]:
        """Files that no section names, but that would be read by their own name."""
        named = {n for s in self.sections for n in (s.match.look.name, *s.match.more)}
        mapped = {s.match.table for s in self.sections}
        files = [] if self.place.source else [f.name for f in self.place.folder.iterdir() if f.name.endswith(SUFFIXES)]
        return sorted(f for f in files if f not in named and stem(Path(f)) in CONTRACT.keys() - mapped)

    @property
    def closed(self) -> bool:
        """Whether nothing but the named files is to be read; a query finds its files by the folder only."""
        return bool(self.in_the_way) and not any(s.queried for s in self.sections)

    @property
    def text(self) -> str:
        """The file."""
        return toml(self)

    @property
    def lines(self) -> list[str]:
        """What it says, for the terminal: a line a table, then what is left out."""
        found = [line for s in self.sections for line in _told(s)]
        rest = [f"left out: {shown(name)} {why}." for name, why in self.left_out.items()]
        return [visible(line) for line in (*found, *self.said, *rest)]

    @property
    def command(self) -> list[str]:
        """What to run once the data are sound, word by word."""
        own = [w for s in self.sections for w in s.surveys]
        name = "nps" if not own or "nps" in own else own[0]
        more = [f"survey={name}"] * (name != "nps") + [p for s in self.sections for p in s.parameters if name == "ces"]
        return ["cslib", "report", "--data", self._data, *(word for p in more for word in ("-p", p))]

    @property
    def _data(self) -> str:
        return str(self.path if self.place.source else self.place.folder)

    def next_steps(self, errors: int) -> list[str]:
        """Say what to do after the check."""
        look = ["Only samples were checked, as the data are large."] * (self.size >= LARGE)
        if SOURCE in self.place.source:
            look.append(f"Set {SOURCE} in the environment to the address of the source first.")
        step = ["cslib", "check", self._data] if errors or self.size >= LARGE else self.command
        what = f"Correct {NAME} or the data, then check again:" if errors else "Next:"
        return [*look, f"{what} {visible(shlex.join(step))}"]


def propose(data: str) -> Proposal:
    """Look at data and propose how to read them.

    Parameters
    ----------
    data
        A folder, a CSV or Parquet file, or a connection URL.

    Returns
    -------
    Proposal

    Raises
    ------
    ParameterError
        There is nothing of that name, or a ``cslib.toml`` is there.
    DataError
        Nothing in it is a table that cslib knows; the message says why not, file by file.
    """
    refuse_to_overwrite(data)
    place = look(data)
    found, left_out = matches(place.looks)
    left_out = {**place.left_out, **left_out}
    if not found:
        why = "".join(f"\n- {shown(name)} {visible(why)}." for name, why in left_out.items())
        where = shown(data) if "://" not in data else f"the {data.split('://')[0]} source"  # whose address is private
        msg = f"Nothing in {where} can be taken for one of the tables {', '.join(CONTRACT)}.{why}"
        raise DataError(msg + ("" if why else " It holds no CSV or Parquet file."))
    sections = tuple(section(m, place.looks) for m in found)
    _once(sections)
    alone = apart(found)
    made = Proposal(place, sections, left_out, tuple(alone))
    read = (
        []
        if made.closed
        else [f"{shown(n)} has the name of a table and is read as one: rename it." for n in made.in_the_way]
    )
    return replace(made, said=(*alone, *read))


def _once(sections: Sequence[Section]) -> None:
    """Keep a segment in the first table that has it."""
    seen: set[str] = set()
    for s in sections:
        s.keys["segments"] = [name for name in s.keys.get("segments", ()) if name not in seen]
        seen |= {*s.keys["segments"]}


def write(proposal: Proposal) -> None:
    """Write the proposal where it belongs.

    Raises
    ------
    ParameterError
        Something of its name is there.
    """
    try:
        with proposal.path.open("x", encoding="utf-8") as file:
            file.write(proposal.text)
    except FileExistsError as error:
        msg = f"{shown(proposal.path)} is there already, and init never overwrites. Move it away to get a new one."
        raise ParameterError(msg) from error


@contextmanager
def to_check(proposal: Proposal) -> Iterator[Path]:
    """Give what ``check`` is to look at: the data, or samples of them where they are large."""
    if proposal.size < LARGE:
        yield proposal.path
        return
    with tempfile.TemporaryDirectory(prefix="cslib-init-") as temporary:
        folder = Path(temporary) / "samples"
        folder.mkdir()
        for s in proposal.sections:
            for name in (s.match.look.name, *s.match.more):
                copy_of_sample(proposal.place.folder / name, folder, s.match.look.encoding, s.match.look.rows)
        (folder / NAME).write_text(proposal.text, encoding="utf-8")
        yield folder / NAME


def refuse_to_overwrite(data: str) -> None:
    """Refuse where a ``cslib.toml`` is there already: it is somebody's work.

    Raises
    ------
    ParameterError
        Says where.
    """
    if "://" not in data and Path(data).exists():
        folder = Path(data) if Path(data).is_dir() else Path(data).parent
        path = folder / NAME
        msg = f"{shown(path)} is there already, and init never overwrites. Move it away to get a new one."
        ParameterError.when(path.exists() or path.is_symlink(), msg)


def _told(s: Section) -> list[str]:
    columns = ", ".join(f"{role} = {shown(name)}" for role, name in s.match.columns.items())
    segments = f"; segments {', '.join(map(shown, s.keys['segments']))}" if s.keys.get("segments") else ""
    line = f"{s.match.table}: {shown(s.match.look.name)} ({s.sure}): {columns}{segments}"
    return [line, *(f"  ? {text}" for text in s.unsure), *(f"  - {text}" for text in s.said)]


def toml(proposal: Proposal) -> str:
    """Write the proposal as TOML, with comments."""
    lines = [
        "# Proposed by cslib init from names and samples of values. Read it, correct it, keep it.",
        "# sure: name and values agree; likely: one of them; guess: somebody has to look.",
    ]
    lines += _top(proposal)
    for s in proposal.sections:
        lines += ["", *_section(s, named=proposal.closed)]
    if proposal.left_out or proposal.said:
        lines += ["", *(f"# {text}" for text in proposal.said)]
        lines += [f"# Left out: {shown(name)} {_one_line(why)}." for name, why in proposal.left_out.items()]
    return "\n".join(lines) + "\n"


def _top(proposal: Proposal) -> list[str]:
    lines = [f"source = {value(proposal.place.source)}"] if proposal.place.source else []
    lines += ['source = ""  # no file of this folder but those named below'] if proposal.closed else []
    lines += _last(proposal)
    codes = sorted({s.currency for s in proposal.sections if s.currency})
    if len(codes) == 1:
        lines.append(f"currency = {value(codes[0])}")
    elif codes:
        lines.append(f"# currency: the tables speak of {', '.join(codes)}; convert to one, and name it here")
    elif any({"mrr", "amount"} & s.match.columns.keys() for s in proposal.sections):
        lines.append('# currency = "EUR"  # nothing names it: say here what amounts are in')
    return lines


def _last(proposal: Proposal) -> list[str]:
    """Declare the last day where ends lie behind the last start; cslib finds it otherwise."""
    days = [s.last for s in proposal.sections if s.last]
    if not days:
        return []
    where = "the latest day seen" if proposal.whole else "the latest day in a sample"
    held = any(s.match.table in ("customers", "subscriptions") for s in proposal.sections)
    mark = "" if proposal.whole and held else "# "
    what = "it should be the last day that the data know completely: renew it with each export"
    return [f"{mark}as_of = {max(days).isoformat()}  # {where}; {what}"]


def _section(s: Section, *, named: bool) -> list[str]:
    about = [f"# {shown(s.match.look.name)}: {s.sure}", *(f"# ? {_one_line(t)}" for t in s.unsure)]
    about += [f"# {_one_line(t)}" for t in s.said]
    keys = [f"{key} = {value(content)}" for key, content in s.keys.items() if content not in ({}, [])]
    if not named and (s.keys.get("table") == s.match.table or _own_name(s)):
        keys = [k for k in keys if not k.startswith("table = ")]
    return [*about, f"[{s.match.table}]", *keys]


def _own_name(s: Section) -> bool:
    return "table" in s.keys and s.match.look.size > 0 and stem(Path(s.match.look.name)) == s.match.table


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def value(content: Any) -> str:
    r"""Write a value as TOML.

    Examples
    --------
    >>> print(value('a"b\n'), value(["x"]), value({"score": {"Very good": 5}}))
    "a\"b\u000a" ["x"] { score = { "Very good" = 5 } }
    """
    if isinstance(content, Mapping):
        return "{ " + ", ".join(f"{key(k)} = {value(v)}" for k, v in content.items()) + " }"
    if isinstance(content, (list, tuple)):
        return "[" + ", ".join(map(value, content)) + "]"
    if isinstance(content, (bool, int, float)):
        return str(content).lower()
    return f'"{escaped(str(content))}"'


def key(name: str) -> str:
    """Write a key as TOML.

    Examples
    --------
    >>> print(key("score"), key("Very good"))
    score "Very good"
    """
    return name if BARE.fullmatch(name) else value(name)
