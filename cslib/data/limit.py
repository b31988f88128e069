"""What whoever calls allows data: how long reading and checking may take, and which folders they may read.

A query that never ends is stopped, and named.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cslib.errors import LimitError, ParameterError

LOAD_LIMIT: Final = "CSLIB_LOAD_LIMIT"  # by whom calls: seconds
LOAD_SECONDS: Final = 1800
FOLDERS: Final = "CSLIB_FOLDERS"  # by whom calls: folders beyond its own that a data set may read


class Limit:
    """The time that one reading of a data set may take, from when it is made."""

    def __init__(self) -> None:
        given = os.environ.get(LOAD_LIMIT, "") or str(LOAD_SECONDS)
        msg = f"{LOAD_LIMIT} is {given!r}. Give a number of seconds from 1 on, such as {LOAD_SECONDS}."
        ParameterError.when(not (given.isascii() and given.isdigit() and int(given[:10]) > 0), msg)
        self._seconds = int(given[:10])
        self._until = time.monotonic() + self._seconds

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._until

    @contextmanager
    def of(self, con: Any, name: str) -> Iterator[None]:
        """Interrupt what DuckDB is busy with for a table once the time is over; other engines have limits of their own.

        Raises
        ------
        LimitError
            The time was over before the end of the block.
        """
        done = threading.Event()
        watch = threading.Thread(target=self._interrupt, args=(con, done), daemon=True)
        watch.start()
        try:
            yield
        except ValueError as error:  # whatever an interrupted engine throws has been made a DataError by now
            if self.over:
                raise LimitError(self._message(name)) from error
            raise
        finally:
            done.set()
            watch.join()
        LimitError.when(self.over, self._message(name))

    def _interrupt(self, con: Any, done: threading.Event) -> None:
        pause = self._until - time.monotonic()
        while con.name == "duckdb" and not done.wait(max(pause, 0)):
            con.con.interrupt()  # again and again: it stops what runs, and not what comes next
            pause = 0.1

    def _message(self, name: str) -> str:
        return (
            f"{name} was not read and checked within {self._seconds:,} s. If its query in cslib.toml calls itself "
            f"(WITH RECURSIVE), give it an end; if there is so much to read, allow more seconds: --load-limit, or "
            f"{LOAD_LIMIT} in the environment."
        )
