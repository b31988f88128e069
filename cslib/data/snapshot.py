"""A data set as it was loaded, in one DuckDB file: read, typed and checked once, opened by any number of analyses."""

from __future__ import annotations

import json
import os
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa
from ibis.common.exceptions import IbisError, TableNotFound

from cslib.data.contract import CONTRACT, Fault
from cslib.data.dataset import DataSet
from cslib.data.engine import own
from cslib.errors import ParameterError

SEGMENT: Final = "CSLIB_SEGMENT"  # set by it, too: the column and the value of the one segment that a kernel is for
AT_HAND: Final = "CSLIB_SNAPSHOT"  # set by the report engine for its kernels: the file, and what it was made from
SUFFIX: Final = ".cslib"
FORMAT: Final = 6
FACTS: Final = "cslib_facts"
ASIDE: Final = "set_aside_"
ACCOUNT: Final = "account_"
ALONE: Final = "cslib_alone"  # the one column of an answer that is no table
PLAIN: Final = (
    *("currency", "gross_margin", "value_feature", "pause_months", "label", "targets", "statistics", "listed"),
    "as_of_declared",
)
TUPLES: Final = ("segments", "notes", "derived")
DAYS: Final = ("as_of", "observed_from")


def save(data: DataSet, path: Path) -> bool:
    """Write a data set to a file that :func:`opened` reads; whole or not at all.

    Parameters
    ----------
    data
        As from :func:`cslib.load`, without ``where``.
    path
        Of the file. What stands there is replaced.

    Returns
    -------
    bool
        False where the tables are in a warehouse: they stay there, and nothing is written.
    """
    con: Any = next(iter(data.tables.values())).get_backend()
    if con.name != "duckdb":
        return False
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    os.unlink(name)
    try:
        _write(data, name)
        os.replace(name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    return True


def _write(data: DataSet, name: str) -> None:
    facts: dict[str, Any] = {key: getattr(data, key) for key in (*PLAIN, *TUPLES)}
    facts |= {key: day.isoformat() if (day := getattr(data, key)) else None for key in DAYS}
    facts |= {"faults": [asdict(fault) for fault in data.faults], "format": FORMAT}
    facts["set_aside"] = {name: frame.dtypes.astype(str).to_dict() for name, frame in data.set_aside.items()}
    facts["accounts"] = {name: frame.dtypes.astype(str).to_dict() for name, frame in data.accounts.items()}
    beside = {ASIDE + n: frame for n, frame in data.set_aside.items()}
    beside |= {ACCOUNT + n: frame for n, frame in data.accounts.items()}
    with duckdb.connect(name, config={"autoinstall_known_extensions": False}) as file:
        for table, rows in data.tables.items():
            file.register("rows", rows.to_pyarrow_batches())
            file.execute(f'CREATE TABLE "{table}" AS SELECT * FROM rows')
        for table, frame in beside.items():
            file.register("rows", _typed(frame))
            file.execute(f'CREATE TABLE "{table}" AS SELECT * FROM rows')
        file.execute(f"CREATE TABLE {FACTS} AS SELECT ? AS facts", [json.dumps(facts, default=str)])


def _typed(frame: pd.DataFrame) -> pa.Table:
    """Take a column without any value for one of text."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [f.with_type(pa.string()) if pa.types.is_null(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields))


def opened(path: Path, *, threads: int = 0) -> DataSet:
    """Open a saved data set; nothing is read, typed or checked anew.

    Parameters
    ----------
    path
        Of the file.
    threads
        That the engine may use; 0: as many as there are processors.

    Raises
    ------
    ParameterError
        The file is not one of ours, or of another version.
    """
    msg = f"{path.name} is no snapshot of cslib, or one of another version. Make it anew: cslib load DATA --to FILE."
    try:
        con = own(path, read_only=True, **({"threads": threads} if threads else {}))
        con.raw_sql("SET TimeZone = 'UTC'")
        facts = json.loads(con.table(FACTS).execute()["facts"].iloc[0])
    except (duckdb.Error, IbisError, TableNotFound, ValueError, KeyError) as error:
        raise ParameterError(msg) from error
    ParameterError.when(facts.get("format") != FORMAT, msg)
    names = con.list_tables()
    tables = {n: con.table(n) for n in CONTRACT if n in names}
    aside = {n: con.table(f"{ASIDE}{n}").execute().astype(kinds) for n, kinds in facts["set_aside"].items()}
    accounts = {n: con.table(f"{ACCOUNT}{n}").execute().astype(kinds) for n, kinds in facts["accounts"].items()}
    more: Any = {key: facts[key] for key in PLAIN} | {key: tuple(facts[key]) for key in TUPLES}
    more |= {key: date.fromisoformat(facts[key]) if facts[key] else None for key in DAYS}
    more["faults"] = tuple(Fault(**fault) for fault in facts["faults"])
    return DataSet(tables, set_aside=aside, accounts=accounts, **more)


def made_from(data: str | Path, as_of: str | date, pause_months: int | None) -> dict[str, Any]:
    """Tell what a snapshot is made from: whoever asks for the same, in the same folder, may have it."""
    return {"data": str(data), "as_of": str(as_of), "pause_months": pause_months, "folder": os.getcwd()}


def save_answers(data: DataSet, path: Path) -> None:
    """Write what a warehouse told while it was loaded, for kernels of ours, which then need not ask again.

    It is text and tables, so that reading it runs nothing, whoever wrote it; what is neither is asked again.
    """
    packed = {}
    for query, answer in data.answers.items():
        frame = answer if isinstance(answer, pd.DataFrame) else pd.DataFrame({ALONE: [answer]})
        with suppress(pa.ArrowException):
            packed[query] = _packed(pa.Table.from_pandas(frame, preserve_index=False))
    path.write_text(json.dumps(packed), "utf-8")


def _packed(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return b64encode(sink.getvalue()).decode()


def saved_answers(path: Path) -> dict[str, Any]:
    """Read what :func:`save_answers` has written."""
    packed = json.loads(path.read_text("utf-8"))
    frames = {
        q: pa.ipc.open_stream(b64decode(text)).read_all().to_pandas(ignore_metadata=True) for q, text in packed.items()
    }
    return {q: frame[ALONE].item() if ALONE in frame else frame for q, frame in frames.items()}


def at_hand(wanted: Mapping[str, Any]) -> DataSet | Mapping[str, Any]:
    """Give the data set that was loaded for all reports of a run, if it is the one wanted, or a warehouse's answers."""
    known = json.loads(os.environ.get(AT_HAND, "{}"))
    if not known or known["asked"] != wanted:
        return {}
    path = Path(known["path"])
    if known["warehouse"]:
        with suppress(OSError, ValueError):  # else all is asked again
            return saved_answers(path)
        return {}
    return opened(path, threads=known["threads"])


def segment_at_hand() -> tuple[str, str] | None:
    """Tell the column and the value of the one segment that this kernel is for; None for all customers."""
    column, value = json.loads(os.environ.get(SEGMENT, "[null, null]"))
    return (column, value) if column else None


def named(path: Path, as_of: str | date, pause_months: int | None, day: Callable[[str | date, str], date]) -> DataSet:
    """Open the snapshot that somebody names as ``data``.

    Raises
    ------
    ParameterError
        It was made as of another day, or with other pauses.
    """
    data = opened(path)
    msg = f"{path.name} was made as of {data.as_of}. Load the source itself for another day, or leave as_of out."
    ParameterError.when(as_of and day(as_of, "as_of") != data.as_of, msg)
    msg = f"{path.name} was made with pause_months {data.pause_months}. Load the source itself for others."
    ParameterError.when(pause_months is not None and pause_months != data.pause_months, msg)
    return replace(data, label=path.name)
