"""Look at data that nobody has described: which files or tables there are, and a sample of each.

A sample is the beginning of a file and some places further on, read as :mod:`cslib.data.sources` reads it; what a file
holds beside it is never read. So a hundred gigabytes take as long as a hundred megabytes.
"""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from cslib.data import engine
from cslib.data.config import SUFFIXES, Config
from cslib.data.contract import ROW
from cslib.data.sources import connect, read_text, reading
from cslib.errors import CslibError, DataError, ParameterError
from cslib.propose.values import Seen, headers

ROWS: Final = 2_000  # of a sample
ALL: Final = 20_000  # of the samples of many files
CELLS: Final = 400_000  # of a sample, which has fewer rows where there are many columns
HEAD: Final = 4 << 20  # bytes of the beginning
PLACES: Final = 8
BLOCK: Final = 1 << 16  # bytes at each place
LINE: Final = 1 << 20
DELIMITERS: Final = ",;\t|"
TITLES: Final = 20  # lines among which the header is
OF_TABLES: Final = "is a folder; move its files here, or run init there"
OTHERS: Final = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "is a workbook; export its sheets as CSV"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".avro", ".orc"), "is neither CSV nor Parquet; export it as CSV"),
    **dict.fromkeys((".zip", ".7z", ".tar"), "is an archive; unpack it"),
    ".txt": "is a text file; name it .csv if it is a table",
}


@dataclass(frozen=True)
class Look:
    """A table as far as it was looked at; ``whole`` says whether the sample is all of it."""

    name: str
    columns: tuple[Seen, ...]
    whole: bool = True
    encoding: str = "utf-8"
    delimiter: str = ","
    size: int = 0

    def column(self, name: str) -> Seen:
        """Find a column by its name."""
        return next(c for c in self.columns if c.name == name)

    @property
    def rows(self) -> int:
        """Rows of the sample."""
        return len(self.columns[0].cells) if self.columns else 0

    @property
    def skip(self) -> int:
        """Rows at the top that are headers still."""
        return self.columns[0].skip if self.columns else 0


@dataclass(frozen=True)
class Place:
    """Where data are: what was looked at, what could not be, and where their ``cslib.toml`` belongs."""

    folder: Path
    looks: tuple[Look, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    source: str = ""


def look(data: str) -> Place:
    """Look at a folder, a file or a connection.

    Raises
    ------
    ParameterError
        There is nothing of that name.
    DataError
        The connection cannot be made.
    """
    if "://" in data:
        return _connection(data)
    path = Path(data)
    if not path.exists():
        msg = f"{data!r} is not there. Name a folder, a CSV or Parquet file, or a connection URL."
        raise ParameterError(msg)
    folder = path if path.is_dir() else path.parent
    found = {f: _why_not(f, folder) for f in (sorted(path.iterdir()) if path.is_dir() else [path])}
    files = [f for f, why in found.items() if why is None]
    left_out, looks = {f.name: why for f, why in found.items() if why}, []
    con = ibis.duckdb.connect()
    for file in files:
        try:
            looks.append(_look_at(con, file, _share(len(files))))
        except CslibError as error:
            why = str(error).removeprefix(file.name).removeprefix(file.name.removesuffix(".gz"))
            left_out[file.name] = why.strip().rstrip(".")
    con.disconnect()
    return Place(folder, tuple(looks), left_out)


def _share(n_files: int) -> int:
    return max(200, min(ROWS, ALL // n_files))


def _why_not(file: Path, folder: Path) -> str | None:
    """Say why a file is none to look at; an empty text where there is nothing to say either."""
    if file.is_dir() or file.name.startswith("."):
        own = "is a folder with a cslib.toml of its own: name it in place of this one"
        return own if (file / "cslib.toml").is_file() else OF_TABLES * _holds_tables(file)
    if not file.name.endswith(SUFFIXES):
        if file.name.lower().endswith(SUFFIXES):
            return "has an ending in capitals; write it in small letters"
        return next((why for end, why in OTHERS.items() if file.name.lower().endswith(end)), "")
    if file.is_symlink() and (why := _why_no_link(file, folder)):
        return why
    return None if file.is_file() else "is no file"


def _why_no_link(link: Path, folder: Path) -> str:
    real = Path(os.path.realpath(link))
    if not real.exists():
        return "is a link that leads nowhere"
    if not real.is_relative_to(folder.resolve()):
        return "is a link that leads out of the folder"
    read = real.parent == folder.resolve() and real.name.endswith(SUFFIXES)
    return f"is a link to {real.name}, which is read itself" if read else ""


def _holds_tables(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK) and folder.is_dir() and any(map(_is_table, folder.iterdir()))


def _is_table(file: Path) -> bool:
    return file.name.endswith(SUFFIXES)


def _look_at(con: Any, path: Path, most: int) -> Look:
    """Read a sample of a file, of so many rows at most."""
    with reading(path.name):
        return _parquet(con, path, most) if path.suffix == ".parquet" else _text(con, path, most)


def _parquet(con: Any, path: Path, most: int) -> Look:
    """Take rows from the beginning of some row groups, the last of them included."""
    with pq.ParquetFile(path) as file:
        n, groups = _rows(file.schema_arrow.names, most), _places(file.num_row_groups)
        batches = [next(file.iter_batches(max(n // len(groups), 1), row_groups=[g]), None) for g in groups]
        rows = pa.Table.from_batches([b for b in batches if b is not None], file.schema_arrow)
        whole = file.metadata.num_rows <= rows.num_rows
    table = con.create_table(ibis.util.gen_name("cslib"), rows, temp=True)
    return Look(path.name, _columns(table.columns, _cells(con, table)), whole, size=path.stat().st_size)


def _places(n: int) -> list[int]:
    """Choose some of so many pieces, evenly, the first and the last among them."""
    return sorted({i * (n - 1) // PLACES for i in range(PLACES + 1)}) if n else []


def _rows(names: Sequence[str], most: int = ROWS) -> int:
    return max(50, min(most, CELLS // max(len(names), 1)))


def _cells(con: Any, table: ir.Table) -> list[tuple[str, ...]]:
    """Take the rows of a sample, column by column, as text."""
    odd = {c: table[c].cast("string") for c, kind in table.schema().items() if not kind.is_string()}
    texts = table.mutate(**odd) if odd else table
    if con.name == "duckdb":  # without a frame of thousands of columns
        rows = con.raw_sql(con.compile(texts)).fetchall()
    else:
        frame = texts.execute()
        rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    cells = [tuple("" if v is None else str(v).strip() for v in column) for column in zip(*rows, strict=True)]
    return cells or [() for _ in table.columns]


def _columns(names: Any, cells: list[tuple[str, ...]]) -> tuple[Seen, ...]:
    skip = headers(cells)
    return tuple(Seen(name, column, skip) for name, column in zip(names, cells, strict=True))


def _text(con: Any, path: Path, most: int) -> Look:
    encoding = encoding_of(path)
    with tempfile.TemporaryDirectory(prefix="cslib-init-") as folder:
        copy = Path(folder) / path.name.removesuffix(".gz")
        whole = _copied(path, copy, encoding, most)
        raw = read_text(con, copy, "utf-8").table
        names = [c for c in raw.columns if c != ROW]
        columns = _columns(names, _cells(con, raw.drop(ROW)))
        first = copy.read_text(encoding="utf-8").splitlines()[:TITLES]
        return Look(path.name, columns, whole, encoding, _delimiter(first), path.stat().st_size)


def copy_of_sample(path: Path, folder: Path, encoding: str, most: int = ROWS) -> None:
    """Copy the first rows of a file into a folder, under its name."""
    copy = folder / path.name
    if path.suffix == ".parquet":
        with reading(path.name), pq.ParquetFile(path) as file:
            first = next(file.iter_batches(most), None)
            pq.write_table(pa.Table.from_batches([first] if first else [], file.schema_arrow), copy)
        return
    _copied(path, copy, encoding, most, to=encoding)
    if path.name.endswith(".gz"):
        copy.write_bytes(gzip.compress(copy.read_bytes()))


def _delimiter(lines: Sequence[str]) -> str:
    """Tell the delimiter from the first line that has one."""
    header = next((line for line in lines[:TITLES] if any(d in line for d in DELIMITERS)), "")
    return max(DELIMITERS, key=header.count)


def encoding_of(path: Path) -> str:
    """Tell the encoding of a text file from its beginning and its end."""
    with _opened(path) as file:
        start = file.read(LINE)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    pieces = [start, *(block for block in _blocks(path) if not path.name.endswith(".gz"))]
    if all(_is_utf8(piece) for piece in pieces):
        return "utf-8"
    return "cp1252" if any(0x80 <= byte < 0xA0 for piece in pieces for byte in piece) else "latin-1"


def _is_utf8(piece: bytes) -> bool:
    try:
        piece[:-4].lstrip(bytes(range(0x80, 0xC0))).decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(piece) - 9  # cut within a sign
    return True


def _opened(path: Path) -> IO[bytes]:
    opener: Any = gzip.open if path.name.endswith(".gz") else open
    return opener(path, "rb")


def _copied(path: Path, copy: Path, encoding: str, most: int, *, to: str = "utf-8") -> bool:
    """Write the sample of a text file: its first lines, and some further on; tell whether it is all of it."""
    with _opened(path) as file:
        head = file.read(HEAD)
        more = bool(file.read(1))
    text = head.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    lines = io.StringIO(text, newline="").readlines()
    lines = lines[:-1] if more and len(lines) > 1 else lines  # the last may be cut
    n = _rows(max((line.split(_delimiter(lines)) for line in lines[:TITLES]), key=len, default=()), most)
    kept = _first_lines(lines, n if len(lines) <= n + 1 and not more else n // 2)
    plain = all(line.count('"') % 2 == 0 for line in kept)  # no line ends within quotes
    if more and encoding != "utf-16" and not path.name.endswith(".gz") and plain:
        blocks = (_inner(b.decode(encoding, errors="replace")) for b in _blocks(path))
        kept += [line for block in blocks for line in block[-max(n // 2 // PLACES, 1) :]]
    copy.write_text("".join(kept), encoding=to, errors="replace", newline="")
    return not more and len(kept) == len(lines)


def _first_lines(lines: list[str], n: int) -> list[str]:
    """Keep so many lines below the header, and none that ends within quotes."""
    kept = lines[: n + 1]
    while len(kept) < len(lines) and "".join(kept).count('"') % 2:
        kept.append(lines[len(kept)])
    return kept


def _blocks(path: Path) -> Iterator[bytes]:
    """Read some places of a file, the last of them its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for i in range(1, PLACES + 1) if size > HEAD else ():
            file.seek((size - BLOCK) * i // PLACES)
            yield file.read(BLOCK)


def _inner(block: str) -> list[str]:
    """Keep the whole lines of a block."""
    lines = io.StringIO(block, newline="").readlines()[1:]
    return [line for line in lines if line.endswith("\n") and line.count('"') % 2 == 0]


def _connection(url: str) -> Place:
    config = Config(label=url.split("://")[0], source=url, own=True)
    con = connect(config)
    try:
        looks, left_out = [], {}
        for name in sorted(engine.tables(con)):
            try:
                with reading(name):
                    looks.append(_of_engine(con, name))
            except DataError as error:
                left_out[name] = str(error).rstrip(".")
        return Place(_home(url), tuple(looks), left_out, _address(url))
    finally:
        con.disconnect()


def _of_engine(con: Any, name: str) -> Look:
    table = engine.plain(con, con.table(name))
    cells = _cells(con, table.limit(_rows(table.columns)))
    whole = bool(cells) and len(cells[0]) < _rows(table.columns)
    return Look(name, _columns(table.columns, cells), whole)


def _home(url: str) -> Path:
    return Path(url.split("://", 1)[1].split("?")[0]).parent if url.startswith("duckdb://") else Path()


def _address(url: str) -> str:
    """Write the address of a source: a file by its name, a server by a variable, as passwords are nobody's business."""
    if url.startswith("duckdb://"):
        return f"duckdb://{Path(url.split('://', 1)[1].split('?')[0]).name}"
    return "${CSLIB_SOURCE}"
