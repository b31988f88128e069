"""A process that has imported what every report needs, and its forks, which become kernels.

A fresh kernel takes two seconds to import that. Here this is done once: each kernel is a fork, with its own memory,
folder and environment, and no kernel ever serves two reports. This module itself imports next to nothing, so that the
process can begin before anything else does.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

FORKS: Final = sys.platform == "linux"  # elsewhere libraries do not survive it
INLINE: Final = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
IMPORTED: Final = [
    *(f"cslib.{topic}.study" for topic in ("churn", "retention", "revenue", "scorecard", "surveys", "value")),
    *("cslib.data.load", "cslib.report.marks", "ibis.backends.duckdb", "lifelines", "matplotlib.pyplot"),
    *("matplotlib.backends.backend_svg", "seaborn", "ipykernel.kernelapp"),  # the inline backend wants its shell
    # what every kernel loads besides, for a fifth of a second
    *(
        "ipykernel.debugger",
        "IPython.core.debugger",
        "IPython.core.oinspect",
        "IPython.extensions.storemagic",
        "sqlite3",
    ),
    *(
        "ibis.backends.duckdb.converter",
        "pandas.io.formats.csvs",
        "pandas.io.formats.html",
        "psutil",
        "pyarrow.dataset",
    ),
]


class Forked:
    """What provisioners ask of a ``subprocess.Popen``, of a forked process."""

    stdin = stdout = stderr = None

    def __init__(self, **asked: Any) -> None:
        self._parent = warm()
        self.pid = int(self._parent.ask(**asked))
        self._code: int | None = None

    def poll(self) -> int | None:
        """Give its exit code, or None while it runs."""
        if self._code is None:
            with suppress(OSError, ValueError):
                self._code = self._parent.ask(poll=self.pid)
        return self._code

    wait = poll  # asked once it has ended

    def send_signal(self, signum: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it now."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class _Parent:
    """The process that kernels are forked from, seen from the one that asks for them; they end with either."""

    def __init__(self) -> None:
        own, other = socket.socketpair()
        code = f"from cslib.report.forks import serve; serve({other.fileno()})"
        env = {"OPENBLAS_NUM_THREADS": "1"} | os.environ | INLINE  # reports side by side share the processors
        quiet: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code], pass_fds=[other.fileno()], env=env, start_new_session=True, **quiet
            )
        self._own, self._answers, self._lock = own, own.makefile("r", encoding="utf-8"), threading.Lock()

        self._asked = False
        atexit.register(self.close)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and what kernels are left."""
        if not self._asked:
            self._process.kill()  # it may still be importing
        self._answers.close()
        self._own.close()
        self._process.wait()

    def ask(self, **asked: Any) -> Any:
        with self._lock:
            self._asked = True
            self._own.sendall((json.dumps(asked) + "\n").encode())
            return json.loads(self._answers.readline())


_parents: Final[dict[int, _Parent]] = {}  # by the process that asks: a fork of it cannot share one
_starting: Final = threading.Lock()


def warm() -> _Parent:
    """Begin to import what kernels need, in a process of its own; who calls can go on meanwhile."""
    with _starting:
        parent = _parents.get(os.getpid())
        if parent is None or not parent.alive:
            parent = _parents[os.getpid()] = _Parent()
        return parent


def serve(control: int) -> None:
    """Import what kernels need, then fork one whenever that is asked for, until nobody is there to ask."""
    for name in IMPORTED:
        import_module(name)
    import_module("pandas").set_option("display.max_columns", 20)  # as it does itself where it is imported in a kernel
    gc.freeze()  # what is never written to stays shared
    codes: dict[int, int | None] = {}
    with socket.socket(fileno=control) as asking:
        for line in asking.makefile("r", encoding="utf-8"):
            asked = json.loads(line)
            if pid := asked.get("poll"):
                codes[pid] = _ended(pid) if codes[pid] is None else codes[pid]
                answer = codes[pid]
            elif answer := os.fork():
                codes[answer] = None
            else:
                asking.close()
                _be_kernel(**asked)
            asking.sendall((json.dumps(answer) + "\n").encode())
    for pid, code in codes.items():
        if code is None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    os._exit(0)  # to take all that was imported down again takes a quarter of a second


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _be_kernel(argv: list[str], env: Mapping[str, str], folder: str, log: str) -> None:
    """Turn into a kernel, and end with it."""
    parent = os.getppid()
    os.setsid()
    code = 1
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        tempfile.tempdir = None  # as that of the process it is a fork of
        for number in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
        sys.argv = ["ipykernel_launcher", *argv]
        app = import_module("ipykernel.kernelapp").IPKernelApp.instance(parent_handle=parent)
        app.initialize(argv)
        app.start()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    finally:
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(code)
