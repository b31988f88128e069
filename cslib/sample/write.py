"""Synthetic customers of a software business, seeded, with every truth planted and written down.

What an analysis finds in these data can be held against what is in them: `TRUTH` is the world that the
generator reads, not a copy of it.
"""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cslib.errors import ParameterError, check_choice
from cslib.sample.world import TABLES, TRUTH, Truth, draw

Progress = Callable[[int], None]
Tables = Iterable[tuple[str, pd.DataFrame]]
Writers = dict[Path, Any]
_TEMPLATES = Path(__file__).parent / "template"
_HEADING = "# Sample data of cslib"  # of the README: the folder is ours


def write_sample(
    out: Path, *, customers: int = 4000, seed: int = 7, file_format: str = "csv", progress: Progress | None = None
) -> dict[str, int]:
    """Write a synthetic data set: seven tables, a `cslib.toml` and a README that states the planted truth.

    Parameters
    ----------
    out
        Folder; made where missing. A data set that this function wrote there before is replaced.
    customers
        Number of customers, 1 or more. Memory does not grow with it.
    seed
        Whole number, 0 or more. The same seed and number of customers give the same bytes.
    file_format
        ``"csv"`` or ``"parquet"``.
    progress
        Called with the number of customers just done, every 10,000 customers.

    Returns
    -------
    dict of str to int
        Rows written per table.

    Raises
    ------
    ParameterError
        A parameter is outside its choices, `out` is a file, or `out` holds files of the same names that
        this function did not write.

    Notes
    -----
    Everything is written beside its place first and moved at the end, so an interrupted run leaves what was
    there. Customer `i` of a full chunk of 10,000 is the same whatever the number of customers.

    Examples
    --------
    >>> import tempfile
    >>> rows = write_sample(Path(tempfile.mkdtemp()), customers=50)
    >>> rows["customers"], rows["costs"]
    (50, 72)
    """
    _check(out, customers, seed, file_format)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sample-", dir=out) as scratch:
        rows = _fill(Path(scratch), draw(customers, seed=seed), file_format, progress)
        _explain(Path(scratch), rows, seed)
        for name in _targets():
            if Path(scratch, name).exists():
                Path(scratch, name).replace(out / name)
            else:
                (out / name).unlink(missing_ok=True)
    return rows


def _targets() -> list[str]:
    # The README comes first: it marks the folder as ours even when the moves are interrupted.
    return ["README.md", "cslib.toml", *(f"{name}.{suffix}" for name in TABLES for suffix in _SINKS)]


def _check(out: Path, customers: int, seed: int, file_format: str) -> None:
    readme = out / "README.md"
    ours = readme.is_file() and readme.read_bytes().startswith(_HEADING.encode())
    foreign = [] if ours else [name for name in _targets() if (out / name).exists()]
    inside_file = any(place.is_file() for place in (out, *out.parents))
    check_choice("file_format", file_format, _SINKS)
    faults = {
        f"customers is {customers}: it must be 1 or more.": customers < 1,
        f"seed is {seed}: it must be 0 or more.": seed < 0,
        f"out is {str(out)!r}, a file or inside one: please name a folder.": inside_file,
        f"out is {str(out)!r}, which holds other data: {foreign}. Please name another folder.": foreign,
    }
    for message, wrong in faults.items():
        if wrong:
            raise ParameterError(message)


def _fill(folder: Path, tables: Tables, file_format: str, progress: Progress | None) -> dict[str, int]:
    rows, writers = dict.fromkeys(TABLES, 0), Writers()
    try:
        for name, frame in tables:
            _SINKS[file_format](folder / f"{name}.{file_format}", frame, writers)
            rows[name] += len(frame)
            if progress and name == "customers":  # the last of their chunk
                progress(len(frame))
    finally:
        for writer in writers.values():
            writer.close()
    return rows


def _csv(path: Path, frame: pd.DataFrame, _: Writers) -> None:
    layout: dict[str, Any] = {"lineterminator": "\n", "float_format": "%.2f", "date_format": "%Y-%m-%d"}
    frame.to_csv(path, mode="a", header=not path.exists(), index=False, **layout)


def _parquet(path: Path, frame: pd.DataFrame, writers: Writers) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"M": pa.date32(), "f": pa.float64(), "i": pa.int8(), "O": pa.string()}
    schema = pa.schema([(column, types[dtype.kind]) for column, dtype in frame.dtypes.items()])
    if path not in writers:
        writers[path] = pq.ParquetWriter(path, schema)
    writers[path].write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))


_SINKS = {"csv": _csv, "parquet": _parquet}


def _explain(folder: Path, rows: dict[str, int], seed: int) -> None:
    # Read from the source: python -OO leaves no docstring, and the page must not lose its text.
    text = inspect.cleandoc(inspect.getsource(Truth).split('"""')[1])
    meaning = {name: " ".join(lines.split()) for name, lines in re.findall(r"(\w+)\n((?: +.+\n?)+)", text)}
    truths = "\n".join(f"- `{name}` = {_shown(value)}. {meaning[name]}" for name, value in vars(TRUTH).items())
    about = text.partition("\n\nAttributes\n")[0]
    facts = {"about": about, "truths": truths, "seed": seed, **rows, **vars(TRUTH)}
    for template in _TEMPLATES.iterdir():
        page = template.read_text(encoding="utf-8").format(**facts)
        (folder / template.name).write_text(page, encoding="utf-8", newline="\n")


def _shown(value: object) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
