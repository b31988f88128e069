"""Read delimited text files: as text, every column of them, with each line that is no row told.

Types come later, by contract, so that an id such as ``00123`` never meets a type guesser.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd

from cslib.contract import ROW
from cslib.errors import DataError

__all__ = ["Raw", "column_names", "literal", "no_lines", "read_text"]

NATIVE: Final = {"utf-8": "utf-8", "iso8859-1": "latin-1"}  # the encodings that DuckDB reads by itself
LONGEST: Final = 1_000_000
MAGIC: Final = {
    b"\x1f\x8b": "is compressed. Name it .csv.gz",
    b"PAR1": "is Parquet. Name it .parquet",
    b"PK\x03\x04": "is a workbook or a zip archive. Export it as CSV",
    b"\xff\xfe": 'is UTF-16 text. Save it as UTF-8, or set encoding = "utf-16"',
    b"\xfe\xff": 'is UTF-16 text. Save it as UTF-8, or set encoding = "utf-16"',
}


def no_lines() -> pd.DataFrame:
    """Return rejects of a table that has none."""
    return pd.DataFrame({"line": [], "text": [], "n_lines": []}).astype({"line": "int64", "text": "object"})


@dataclass(frozen=True)
class Raw:
    """A table as the source has it; ``rejects`` are lines of a text file that are no rows at all."""

    table: ir.Table
    rejects: pd.DataFrame = field(default_factory=no_lines)


def literal(path: Path) -> str:
    """Return the path as DuckDB must be given it: it takes ``*``, ``?`` and ``[`` for patterns."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def _encoding(name: str) -> str:
    try:
        "".encode(name)  # refuses what is a codec but not of text
        return codecs.lookup(name).name.removesuffix("-sig")
    except LookupError as error:
        msg = f"encoding {name!r} is unknown. Use 'utf-8', 'latin-1' or 'utf-16'."
        raise DataError(msg) from error


def read_text(con: ibis.BaseBackend, path: Path, encoding: str) -> Raw:
    """Read a text file into a temporary DuckDB table, every column as text, rows numbered.

    Raises
    ------
    DataError
        It is empty, in another encoding, no text at all, or its header cannot be told.
    """
    encoding = _encoding(encoding)
    names, delimiter, blank = _header(path, encoding)
    unique = ibis.util.gen_name("cslib")
    options: dict[str, Any] = {
        **{"auto_detect": False, "header": True, "skip": blank, "delim": delimiter, "quote": '"', "escape": '"'},
        **{"columns": dict.fromkeys(names, "VARCHAR"), "hive_partitioning": False},
        **{"store_rejects": True, "rejects_table": f"{unique}_rejects", "rejects_scan": f"{unique}_scans"},
        "rejects_limit": 0,
    }
    table = _text_table(con, unique, path, encoding, options)
    rejects = con.sql(f"SELECT line, csv_line AS text, error_type FROM {unique}_rejects").execute()
    bad = rejects.loc[rejects["error_type"] == "INVALID ENCODING", "line"]
    if len(bad):
        raise _other_encoding(path, encoding, f"first in line {bad.min()}")
    lines = rejects.sort_values("line").drop_duplicates("line")[["line", "text"]]
    lines = lines.assign(text=lines["text"].str.strip())
    return Raw(table, lines.assign(n_lines=_n_lines(lines, path, encoding)))


def _n_lines(lines: pd.DataFrame, path: Path, encoding: str) -> pd.Series[int]:
    """Lines of the file that each reject stands for: all to its end where a quote is never closed."""
    counts = lines["text"].str.count("\n").add(1).astype("int64")
    endless = (counts > 1) & (lines["text"].str.count('"') % 2 == 1)
    if endless.any():
        with _text(path, encoding, "replace") as file:
            last = sum(1 for _ in file)
        counts = counts.where(~endless, last - lines["line"] + 1)
    return counts


def _text_table(con: ibis.BaseBackend, name: str, path: Path, encoding: str, options: Mapping[str, Any]) -> ir.Table:
    if path.suffix == ".gz":
        _read_through(path)
    if encoding in NATIVE:
        try:
            return _numbered(con, name, con.read_csv(literal(path), **options, encoding=NATIVE[encoding]))
        except duckdb.InvalidInputException as error:
            if "state machine" not in str(error):
                raise
    alike = _rewritten(path, encoding)  # or else lines end in different ways, which the strict reader does not take
    try:
        return _numbered(con, name, con.read_csv(str(alike), **options, encoding="utf-8"))
    finally:
        alike.unlink()


def _numbered(con: ibis.BaseBackend, name: str, text: ir.Table) -> ir.Table:
    return con.create_table(name, text.mutate(**{ROW: ibis.row_number() + 1}), temp=True, overwrite=True)


def _read_through(path: Path) -> None:
    """Read a compressed file to its end, because DuckDB takes a truncated one for a whole."""
    with gzip.open(path) as file:
        while file.read(1 << 20):
            pass


def _rewritten(path: Path, encoding: str) -> Path:
    handle, name = tempfile.mkstemp(suffix=".csv")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as new, _text(path, encoding) as old:
            new.writelines(old)
    except UnicodeError as error:
        Path(name).unlink()
        raise _other_encoding(path, encoding, str(error)) from error
    return Path(name)


def _text(path: Path, encoding: str, errors: str = "strict") -> IO[str]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors=errors)


def _other_encoding(path: Path, encoding: str, where: str) -> DataError:
    other = "latin-1" if encoding == "utf-8" else "utf-16-le" if encoding == "utf-16" else "utf-8"
    return DataError(
        f"{path.name} is not {encoding.upper()} text ({where}). Save it as UTF-8, or set "
        f'encoding = "{other}" in its section of cslib.toml.'
    )


def _header(path: Path, encoding: str) -> tuple[list[str], str, int]:
    """Column names, delimiter and number of blank lines above them."""
    blank, start = _first_line(path, encoding)
    if "\ufffd" in start:
        raise _other_encoding(path, encoding, "first in its header")
    if "\x00" in start:
        msg = f"{path.name} is no text file. Export it again as CSV in UTF-8, or name a Parquet file .parquet."
        raise DataError(msg)
    if len(start) == LONGEST or start.count('"') % 2:
        msg = f"The header of {path.name} has no end. Close its quotes, and put it on one line."
        raise DataError(msg)
    bare = re.sub(r'"[^"]*"', "", start)
    delimiter = max(",;\t|", key=bare.count)
    return column_names(next(csv.reader([start], delimiter=delimiter)), path.name), delimiter, blank


def _first_line(path: Path, encoding: str) -> tuple[int, str]:
    with open(path, "rb") as file:
        magic = file.read(4)
    for mark, what in MAGIC.items():
        if magic.startswith(mark) and path.suffix != ".gz" and not encoding.startswith("utf-16"):
            msg = f"{path.name} {what}."
            raise DataError(msg)
    try:
        with _text(path, encoding, "replace") as lines:
            blank = 0
            while (start := lines.readline(LONGEST)) and not start.strip():
                blank += 1
    except UnicodeError as error:
        raise _other_encoding(path, encoding, str(error)) from error
    if not start:
        msg = f"{path.name} is an empty file. Export it again, with a header line and rows."
        raise DataError(msg)
    return blank, start


def column_names(given: Iterable[object], where: str) -> list[str]:
    """Names of columns, as engines want them: none empty, none twice whatever the case."""
    names = [str(n).strip() or f"column_{i + 1}" for i, n in enumerate(given)]
    for i, name in enumerate(names):
        earlier = next((n for n in names[:i] if n.lower() == name.lower()), None)
        if earlier is not None:
            other = f", also as {earlier!r}" if earlier != name else ""
            msg = f"{where} has the column {name!r} twice{other}. Rename one of them."
            raise DataError(msg)
    return names
