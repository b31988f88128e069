"""How long a report may take, and what it spends its time on, told by its kernel where `--profile` asks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final

PROFILE: Final = "CSLIB_PROFILE"
SPENT: Final = "cslib_spent"  # source of the payload that tells the engine
PHASES: Final = ("start", "load", "engine", "estimate", "draw", "page")


@dataclass(frozen=True)
class Limits:
    """How long a cell and a report in all may take, in seconds."""

    cell: int = 3600
    report: int = 7200


USUAL: Final = Limits()


class Clock:
    """Sums seconds by phase; a phase within another counts for itself alone."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now, self._phases, self._since = now, ["estimate"], now()
        self.spent: dict[str, float] = defaultdict(float)

    def switch(self) -> None:
        """Book the time since the last switch on the phase under way."""
        now = self._now()
        self.spent[self._phases[-1]] += now - self._since
        self._since = now

    def timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function book its time on a phase."""

        @wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self._phases.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self._phases.pop()

        return measured

    def begin_cell(self, *_: Any) -> None:
        """Leave out what lies between two cells."""
        self._since = self._now()


def begin(shell: Any) -> None:
    """Measure what the cells of an IPython shell do from now on, and tell it with the answer to each."""
    import ibis.expr.types as ir

    from cslib.data import load
    from cslib.show import result

    clock = Clock()
    load._loaded = clock.timed("load", load._loaded)
    ir.Expr.execute = clock.timed("engine", ir.Expr.execute)
    ir.Table.cache = clock.timed("engine", ir.Table.cache)
    for shown in (result.Result, result.Answer):
        shown._ipython_display_ = clock.timed("draw", shown._ipython_display_)  # type: ignore[method-assign]

    def end_cell(*_: Any) -> None:
        clock.switch()
        shell.payload_manager.write_payload({"source": SPENT, "spent": dict(clock.spent)})

    shell.events.register("pre_run_cell", clock.begin_cell)
    shell.events.register("post_run_cell", end_cell)
