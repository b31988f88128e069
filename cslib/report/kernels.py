"""Kernels that run notebooks: forks where that is possible, or processes started anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from cslib.report.forks import FORKS, INLINE, Forked
from cslib.show.seal import RUN_DIR

MARK: Final = '__import__("cslib.report.marks").report.marks.begin(get_ipython())'  # run in every kernel
MOMENT: Final = 0.01  # seconds; a kernel that is one late is asked for once more
LONGEST: Final = 64_000_000  # bytes of a message from a kernel; one that sends more is cut off


def kernel_class(run_dir: Path, sockets: Path, log: Path, more: Mapping[str, str]) -> type:
    """Make a kernel manager for this interpreter, whatever kernel specs are installed.

    It talks over sockets in a private folder: no port is open, and ipykernel does not warn of one. What it needs for a
    time is there, too, and goes with the folder, however the kernel ends. `more` is added to its environment.
    """
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    argv += [f"--IPKernelApp.exec_lines={[MARK]!r}"]
    spec = KernelSpec(argv=argv, name="python3", display_name="Python 3", language="python")
    transport = "ipc" if os.name == "posix" else "tcp"
    env = os.environ | {RUN_DIR: str(run_dir), "TMPDIR": str(sockets)} | INLINE | dict(more)

    class OwnKernel(AsyncKernelManager):
        kernel_spec = spec
        client_factory = _Client

        def __init__(self, **options: Any) -> None:
            super().__init__(transport=transport, connection_file=str(sockets / "kernel.json"), **options)
            self.context.setsockopt(zmq.MAXMSGSIZE, LONGEST)

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            self.provisioner = _Provisioner(kernel_id=self.kernel_id, kernel_spec=spec, parent=self)
            with log.open("a", encoding="utf-8") as said:
                await self._async_start_kernel(env=env, stdout=said, stderr=said, **options)

        async def _async_wait(self, pollinterval: float = MOMENT) -> None:
            await super()._async_wait(MOMENT)

    return OwnKernel


class _Outputs(AsyncZMQSocketChannel):
    """What cells show, without the fifth of a second that a new client waits for what nobody has asked for."""

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        return await super().get_msg(timeout if timeout is None else min(timeout, MOMENT))


class _Client(AsyncKernelClient):
    iopub_channel_class = _Outputs


class _Provisioner(LocalProvisioner):
    """Starts a kernel by a fork where that is possible, and is to it what the base is to a process of its own."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        with suppress(OSError, ValueError):  # what forks is gone, or has never been
            if FORKS:
                folder = str(kwargs.get("cwd") or os.getcwd())
                process = Forked(argv=cmd[3:], env=kwargs["env"], folder=folder, log=kwargs["stdout"].name)
                self.process, self.pid, self.pgid = process, process.pid, process.pid  # type: ignore[assignment]
        if self.process is None:
            await super().launch_kernel(cmd, **kwargs)
        _running.add(self)
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        _running.discard(self)
        await super().cleanup(restart=restart)


_running: Final[set[_Provisioner]] = set()


def stop_all() -> None:
    """Kill every kernel that runs for this process; who waits for one sees that it died."""
    for kernel in list(_running):
        with suppress(OSError):
            if kernel.process is not None:
                kernel.process.kill()
