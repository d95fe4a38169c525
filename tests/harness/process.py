"""A server subprocess: one log file, readiness over HTTP, bounded shutdown, never an orphan."""

# ruff: noqa: ASYNC109, ASYNC110 - the time limit belongs to the failure's message; only polling needs no loop

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

# Runs before the real program: asks Linux to kill it together with us, even after a `kill -9` of ours.
# Done by exec and not by `preexec_fn`, which may deadlock in a program with threads.
_GUARD = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent process is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
_alive: weakref.WeakSet[Process] = weakref.WeakSet()


class ProcessFailedError(AssertionError):
    """A server ended early, was not ready in time or did not end as it should; quotes its log."""


class Process:
    """One program that can be started, stopped, killed and started again.

    Start it from the main thread: Linux ties the child's life to the *thread* that made it.
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._cwd = cwd
        self._env = dict(env or {})
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def started(self) -> bool:
        """Whether there is something to stop; also true after it ended by itself."""
        return self._popen is not None

    @property
    def pid(self) -> int:
        """Process id of the running program (the guard became it by exec)."""
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

    def spawn(self) -> None:
        """Start the program; output is appended to the log file."""
        assert not self.running, f"{self.name} runs already"
        guard = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid())]
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                guard + self._argv,
                cwd=self._cwd,
                env={**os.environ, **self._env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal reaches us only; we stop it in order
            )
        _alive.add(self)

    async def ready(self, url: str, *, timeout: float) -> None:
        """Return when GET `url` answers 200; raise with the log's tail after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        last = "no answer"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
            while time.monotonic() < deadline:
                if not self.running:
                    raise self.failure(f"ended with exit code {self.exit_code} before it was ready")
                try:
                    async with http.get(url) as answer:
                        if answer.status == 200:
                            return
                        last = f"{answer.status} {(await answer.text())[:200]}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    last = str(error) or type(error).__name__
                await asyncio.sleep(0.05)
        raise self.failure(f"was not ready after {timeout:g} s (GET {url}: {last})")

    async def terminate(self, *, timeout: float) -> int:
        """SIGTERM, then SIGKILL after `timeout` seconds; the exit code (negative: the signal)."""
        popen = self._popen
        if popen is None:
            return 0
        popen.terminate()
        if await self._ended(timeout) is None:
            await self.kill()
        return popen.returncode

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone; afterwards it counts as never started."""
        if self._popen is not None:
            self._popen.kill()
            if await self._ended(10) is None:
                raise self.failure("did not end 10 s after SIGKILL")
            self._popen = None

    @property
    def exit_code(self) -> int:
        code = self._popen.returncode if self._popen is not None else None
        assert code is not None, f"{self.name} did not end"
        return code

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log file."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def failure(self, what: str) -> ProcessFailedError:
        return ProcessFailedError(f"{self.name} {what}; last lines of {self.log}:\n{self.log_tail()}")

    async def _ended(self, timeout: float) -> int | None:
        assert self._popen is not None
        deadline = time.monotonic() + timeout
        while self._popen.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self._popen.poll()

    def kill_now(self) -> None:
        """Last resort without a loop, at interpreter exit."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(5)


@atexit.register
def _kill_all() -> None:
    for process in list(_alive):
        process.kill_now()
