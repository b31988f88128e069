"""What a kernel adds to a traceback, so that the engine knows whose an error is and which table was read last."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from cslib.errors import CslibError

OWN = "raised by cslib"  # the name alone does not say whose an exception is, pandas has a DataError too
LAST_READ = "last table read: "


def mark_errors(shell: Any) -> None:
    """Add a line of ours to every traceback that an IPython shell prints."""

    def show(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
        read = getattr(sys.modules.get("cslib.data.dataset"), "READ", [])  # a kernel starts twice as fast without it
        mark = OWN if isinstance(error, CslibError) else LAST_READ + "".join(read)
        shell._showtraceback(kind, error, [*shell.InteractiveTB.structured_traceback(kind, error, trace), mark])

    shell.set_custom_exc((Exception,), show)
