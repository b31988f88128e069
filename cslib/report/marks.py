"""What a kernel does for the engine: it says whose an error is and which table was read last, and shows no flood."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

from cslib.errors import CslibError, counted
from cslib.report.clock import PROFILE
from cslib.show.seal import take_key

OWN = "raised by cslib"  # the name alone does not say whose an exception is, pandas has a DataError too
LAST_READ = "last table read: "
FLOOD: Final = "cslib_flood"  # source of the payload that tells the engine
MOST_BYTES: Final = 5_000_000  # shown by a cell; a page has two million at most
MOST_OUTPUTS: Final = 1_000  # of a cell; so many are on their way at once, and of more some would be lost


def begin(shell: Any) -> None:
    """Prepare an IPython shell, before the first cell."""
    take_key()
    mark_errors(shell)
    bound_outputs(shell)
    if os.environ.get(PROFILE):
        from cslib.report import clock

        clock.begin(shell)


def mark_errors(shell: Any) -> None:
    """Add a line of ours to every traceback that an IPython shell prints."""

    def show(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
        read = getattr(sys.modules.get("cslib.data.dataset"), "READ", [])  # a kernel starts twice as fast without it
        mark = OWN if isinstance(error, CslibError) else LAST_READ + "".join(read)
        shell._showtraceback(kind, error, [*shell.InteractiveTB.structured_traceback(kind, error, trace), mark])

    shell.set_custom_exc((Exception,), show)


class _Shown:
    """What a cell has shown so far."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.begin()

    def begin(self) -> None:
        """Count anew, for the next cell."""
        self._bytes = self._outputs = 0
        self.over = False

    def add(self, size: int, outputs: int = 0) -> None:
        """Count what is about to be shown; too much of it stops the cell."""
        self._bytes, self._outputs = self._bytes + size, self._outputs + outputs
        if self._bytes > MOST_BYTES or self._outputs > MOST_OUTPUTS:
            self._stop()

    def _stop(self) -> None:
        most = f"{MOST_BYTES // 10**6} MB" if self._bytes > MOST_BYTES else counted(MOST_OUTPUTS, "output")
        msg = f"it printed or showed more than {most}, the most that a report takes of a cell"
        first, self.over = not self.over, True
        self._shell.payload_manager.write_payload({"source": FLOOD, "text": msg})
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt(msg)  # which a cell that goes on after any Exception does not catch
        if first:  # what a process of the cell prints comes by another thread
            os.kill(os.getpid(), signal.SIGINT)


def bound_outputs(shell: Any) -> None:
    """Stop a cell that prints or shows more than a report takes, before it is sent."""
    shown = _Shown(shell)

    def before() -> None:
        shown.begin()
        for stream in (sys.stdout, sys.stderr):
            if not hasattr(stream.write, "bounded"):  # IPython sets another one for the time of a cell
                stream.write = _bounded_write(stream.write, shown)  # type: ignore[method-assign]

    shell.events.register("pre_execute", before)
    shell.display_pub.publish = _bounded_data(shell.display_pub.publish, shown)
    shell.displayhook.write_format_data = _bounded_data(shell.displayhook.write_format_data, shown)


def _bounded_write(write: Callable[[str], int], shown: _Shown) -> Callable[[str], int]:
    def bounded(text: str) -> int:
        shown.add(len(text))
        return len(text) if shown.over else write(text)

    bounded.bounded = True  # type: ignore[attr-defined]
    return bounded


def _bounded_data(send: Callable[..., None], shown: _Shown) -> Callable[..., None]:
    def bounded(data: Mapping[str, object], *rest: Any, **more: Any) -> None:
        shown.add(sum(len(v) for v in data.values() if isinstance(v, (str, bytes))), 1)
        send(data, *rest, **more)

    return bounded
