"""The service itself as an operator runs it: `python -m appservice --config FILE run` in a subprocess."""

# ruff: noqa: ASYNC109 - the time limit belongs to the failure's message

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.harness.ports import reserve_port
from tests.harness.process import Process
from tests.harness.synapse import Synapse

_REPOSITORY = Path(__file__).resolve().parents[2]


class Service:
    """One Coterie against `homeserver`; `async with` starts it and stops it, which must succeed.

    Port and tokens are fixed when the object is made: pass `registration()` to the homeserver before
    that starts. `config` holds whole or partial sections that are laid over the defaults, for example
    `{"groups": {"owners": ["@rosa:coterie.test"]}}`; it may be changed between stop and start.
    """

    def __init__(
        self,
        directory: Path,
        homeserver: Synapse,
        *,
        bot: str = "coterie",
        config: Mapping[str, Any] | None = None,
        port: int | None = None,
    ) -> None:
        self.directory = directory
        self.homeserver = homeserver
        self.bot = bot
        self.port = port or reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.as_token = f"as-token-of-{bot}".ljust(40, "-")
        self.hs_token = f"hs-token-of-{bot}".ljust(40, "-")
        self.config: dict[str, Any] = dict(config or {})
        self.process = self._process()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.stop()
        else:  # the test's own failure is the one to show
            await self.kill9()

    @property
    def bot_id(self) -> str:
        return self.homeserver.user_id(self.bot)

    @property
    def config_file(self) -> Path:
        return self.directory / "config.yaml"

    def registration(self) -> dict[str, Any]:
        """What the homeserver's `app_service_config_files` needs to know."""
        domain = re.escape(self.homeserver.server_name) + "$"
        return {
            "id": self.bot,
            "url": self.url,
            "as_token": self.as_token,
            "hs_token": self.hs_token,
            "sender_localpart": f"_{self.bot}_sender",
            "rate_limited": False,
            "receive_ephemeral": False,
            "io.element.msc4190": True,
            "namespaces": {
                "users": [
                    {"exclusive": True, "regex": f"@{self.bot}:{domain}"},
                    {"exclusive": True, "regex": f"@{self.bot}_.*:{domain}"},
                ],
                "aliases": [],
                "rooms": [],
            },
        }

    def settings(self) -> dict[str, Any]:
        """The whole configuration as it is written to the file."""
        defaults = {
            "homeserver": {"address": self.homeserver.url, "domain": self.homeserver.server_name},
            "appservice": {
                "address": self.url,
                "hostname": "127.0.0.1",
                "port": self.port,
                "id": self.bot,
                "bot_username": self.bot,
                "bot_displayname": "Coterie",
                "as_token": self.as_token,
                "hs_token": self.hs_token,
                "database": "sqlite:coterie.db",
            },
            "logging": {"level": "info"},
        }
        return _laid_over(defaults, self.config)

    async def start(self, *, timeout: float = 30) -> None:
        """Write the configuration and return when GET /health answers 200."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(yaml.safe_dump(self.settings(), sort_keys=False, allow_unicode=True))
        self.process.spawn()
        try:
            await self.process.ready(f"{self.url}/health", timeout=timeout)
        except BaseException:
            await self.process.kill()
            raise

    async def stop(self, *, timeout: float = 15) -> None:
        """SIGTERM; raises if it had crashed, needed to be killed or ended with another code than 0."""
        if not self.process.started:
            return
        code = await self.process.terminate(timeout=timeout)
        if code != 0:
            raise self.process.failure(f"ended with exit code {code}, not with 0 on SIGTERM")

    async def kill9(self) -> None:
        await self.process.kill()

    async def restart(self) -> None:
        """Stop in order and start again: same port, same database."""
        await self.stop()
        await self.start()

    def log_tail(self, lines: int = 30) -> str:
        return self.process.log_tail(lines)

    def errors(self) -> list[str]:
        """The lines of the log, since the very first start, that report an error or a traceback."""
        lines = self.process.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "[error" in line or "[critical" in line or line.startswith("Traceback")]

    async def cli(self, *words: str, timeout: float = 60) -> tuple[int, str]:
        """Exit code and output of another command with the same configuration, such as `check`."""
        argv = [sys.executable, "-m", "appservice", "--config", str(self.config_file), *words]
        env = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=self.directory, env=env, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def _process(self) -> Process:
        argv = [sys.executable, "-m", "appservice", "--config", str(self.config_file), "run"]
        # It runs in its own directory, so that stray files land there.
        env = {"PYTHONPATH": str(_REPOSITORY)}
        log = self.directory / "service.log"
        return Process(f"service {self.bot}", argv, log=log, cwd=self.directory, env=env)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merged at every depth; elsewhere `above` wins."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _laid_over(old, value)
        else:
            merged[key] = value
    return merged


ServiceFactory = Callable[..., Awaitable[Service]]
"""`await coterie(groups={…})`, the fixture of the end-to-end tests."""
