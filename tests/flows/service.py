"""The service beside the fake homeserver: in this process by a test's own clock, or as a program to be killed."""

# ruff: noqa: ASYNC109 - the time limit belongs to the failure's message; only polling needs no loop

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from appservice import app
from appservice.config import Appservice, Config, Groups, Homeserver, Purchase
from appservice.store import db
from appservice.store.unit import Store
from appservice.workers.running import Crew
from tests.flows.homeserver import FakeHomeserver
from tests.harness.ports import reserve_port
from tests.harness.process import Process

MONDAY = 1_795_435_200_000  # 2026-11-23 12:00 UTC
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
OWNER = "@rosa:fake.test"
TOKENS = {"as_token": "as-token".ljust(40, "-"), "hs_token": "hs-token".ljust(40, "-")}


class HandClock:
    """A clock that stands still until it is set, or runs on from there."""

    def __init__(self, at: int = MONDAY) -> None:
        self._at = at
        self._running_since: float | None = None

    def now(self) -> int:
        if self._running_since is None:
            return self._at
        return self._at + int((time.monotonic() - self._running_since) * 1000)

    def advance(self, ms: int) -> None:
        assert ms >= 0, f"time goes forward, not {ms} ms"
        self._at += ms

    def run(self) -> None:
        """Run as fast as time does."""
        self._running_since = time.monotonic()

    def stand(self) -> None:
        """Stand still again."""
        self._at, self._running_since = self.now(), None


class NoRest(AssertionError):
    """The service did not come to rest; the message says what was still due."""


def configured(hs: FakeHomeserver, port: int, database: str, **groups: Any) -> Config:
    """A configuration for a service beside this homeserver; keywords are keys of its section `groups`. What it makes is
    not encrypted unless `encrypted=True`."""
    return Config(
        Homeserver(hs.url, hs.domain),
        Appservice(hs.as_token, hs.hs_token, f"http://127.0.0.1:{port}", port=port, database=database),
        Groups(**{"owners": (OWNER,), "time_zone": "Europe/Vienna", "encrypted": False, **groups}),
        Purchase(),
    )


class Service:
    """The service in this process. `rest()` returns when nothing is due any more at the clock's time.

    `store` is a look of the test's own at the database, also while the service is stopped. A `patient` one lets time
    pass at each rest until nothing that failed is still to be tried again.
    """

    def __init__(self, hs: FakeHomeserver, clock: HandClock, database: str, **groups: Any) -> None:
        apart = abs(hs.world.clock() - clock.now())
        assert apart < HOUR, "a service does not act on what its homeserver says was sent long ago: one clock for both"
        self.hs, self.clock, self.database = hs, clock, database
        self.port = reserve_port()
        self.config = configured(hs, self.port, database, **groups)
        self.store: Store
        self.known: dict[str, Any] = {}
        self.patient = False
        self.stopped_itself = asyncio.Event()
        self._looking = AsyncExitStack()
        self._running: AsyncExitStack | None = None
        self._crew: Crew | None = None

    async def __aenter__(self) -> Service:
        self.store = Store(await self._looking.enter_async_context(db.opened(self.database)), self.clock.now)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._looking.aclose()

    async def start(self) -> None:
        """Start it and connect the homeserver; returns once it works and rests."""
        if self._crew is not None:
            self.clock.advance(1)  # no two starts at one moment: each has the rooms looked at under an id of its own
        self._running = AsyncExitStack()
        made: list[Crew] = []

        class Known(Crew):
            def __init__(self) -> None:
                super().__init__()
                made.append(self)

        usual, app.Crew = app.Crew, Known  # type: ignore[misc]
        try:
            await self._running.enter_async_context(app.running(self.config, self.clock, self.stopped_itself))
        finally:
            app.Crew = usual  # type: ignore[misc]
        self._crew = made[0]
        self.hs.connect(self.config.appservice.address)
        await self.until(lambda: self._crew is not None and self._crew.working)
        await self.rest()

    async def stop(self) -> None:
        """Stop it in order; the homeserver keeps trying."""
        if self._running is not None:
            running, self._running = self._running, None
            await running.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def ring(self) -> None:
        """Wake the workers: the clock was set."""
        if self._crew is not None:
            self._crew.ring_all()

    async def until(self, true: Callable[[], bool], timeout: float = 10) -> None:
        """Return when something has become true."""
        end = time.monotonic() + timeout
        while not true():
            if time.monotonic() > end:
                raise NoRest(f"not true after {timeout} s\n{await self.unrest()}")
            await asyncio.sleep(0.002)

    async def rest(self, timeout: float = 15) -> None:
        """Return when everything is delivered and nothing is due."""
        await self._calm(timeout)
        while self.patient and (retry_at := await self._retry_at()) is not None:
            self.clock.advance(max(0, retry_at - self.clock.now()))
            self.ring()
            await self._calm(timeout)

    async def _retry_at(self) -> int | None:
        """When something that has failed is tried again."""
        query = "SELECT MIN(due_at) AS at FROM {} WHERE status = 'waiting' AND attempts > 0"
        found = [(await self.rows(query.format(table)))[0]["at"] for table in ("arrival", "effect")]
        return min((at for at in found if at is not None), default=None)

    async def _calm(self, timeout: float) -> None:
        """Wait until nothing is due: the same twice, as one makes work for the other."""
        end, calm = time.monotonic() + timeout, 0
        while calm < 2:
            await asyncio.sleep(0.002)
            is_idle = self.hs.delivery.idle and self.hs.polls.idle
            calm = calm + 1 if is_idle and await self._nothing_due() else 0
            if time.monotonic() > end:
                raise NoRest(f"no rest after {timeout} s\n{await self.unrest()}")

    async def wait(self, ms: int) -> None:
        """Let time pass, stopping at each moment at which something becomes due."""
        target = self.clock.now() + ms
        while True:
            self.ring()
            await self.rest()
            due_at = await self.next_due_at()
            now = self.clock.now()
            if due_at is None or due_at > target:
                self.clock.advance(max(0, target - now))
                return
            self.clock.advance(max(0, due_at - now))

    async def next_due_at(self) -> int | None:
        """When something becomes due next."""
        async with self.store.look() as unit:
            found = [await unit.inbox.next_due_at(), await unit.outbox.next_due_at(), await unit.timers.next_due_at()]
        return min((at for at in found if at is not None), default=None)

    async def _nothing_due(self) -> bool:
        async with self.store.look() as unit:
            return not (
                await unit.inbox.due_lanes(unit.now, 1)
                or await unit.outbox.due_lanes(unit.now, 1)
                or await unit.timers.due(unit.now, 1)
            )

    async def rows(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """Rows of the database by a query of the test's own."""
        async with self.store._database.reading() as connection:
            return [dict(row) for row in await connection.fetch(query, *args)]

    async def unrest(self) -> str:
        """What is not done yet or was set aside, for a failure's message."""
        lines = [f"delivery idle: {self.hs.delivery.idle}, {self.hs.delivery.waiting} events wait"]
        for row in await self.rows("SELECT * FROM arrival WHERE status <> 'done' ORDER BY seq"):
            lines.append(f"  arrival {row['status']} {row['type']} {row['lane']} {row['attempts']} {row['error']}")
        for row in await self.rows("SELECT * FROM effect WHERE status NOT IN ('sent', 'held') ORDER BY seq"):
            lines.append(f"  effect {row['status']} {row['kind']} {row['lane']} {row['attempts']} {row['error']}")
        for row in await self.rows("SELECT * FROM timer WHERE due_at <= $1", self.clock.now()):
            lines.append(f"  timer {row['kind']} {row['subject']}")
        return "\n".join(lines + [f"  request {request}" for request in self.hs.sent[-10:]])

    async def assert_nothing_set_aside(self) -> None:
        """Nothing is parked, and nothing that failed waits to be tried again."""
        found = [
            *await self.rows("SELECT type, error FROM arrival WHERE status = 'parked' OR attempts > 0"),
            *await self.rows("SELECT kind, error FROM effect WHERE status = 'parked'"),
        ]
        assert not found, found


class Program(Service):
    """The service as an operator runs it, in a process that can be killed; it goes by the machine's clock.

    `rest()` returns when nothing waits any more to be delivered, handled or sent, whatever its time.
    """

    def __init__(self, hs: FakeHomeserver, directory: Path, database: str, **groups: Any) -> None:
        clock = HandClock(time.time_ns() // 1_000_000)
        clock.run()
        super().__init__(hs, clock, database, **groups)
        file = directory / "config.yaml"
        sections = {
            "homeserver": asdict(self.config.homeserver),
            "appservice": asdict(self.config.appservice),
            "groups": {**asdict(self.config.groups), "owners": [OWNER]},
        }
        file.write_text(yaml.safe_dump(sections))
        argv = [sys.executable, "-m", "appservice", "--config", str(file), "run"]
        repository = Path(__file__).resolve().parents[2]
        self.process = Process(
            "service", argv, log=directory / "service.log", cwd=directory, env={"PYTHONPATH": str(repository)}
        )

    async def start(self) -> None:
        """Start it; returns when it is healthy."""
        self.spawn()
        await self.healthy()

    async def healthy(self) -> None:
        """Returns when it answers that it is healthy."""
        await self.process.ready(f"{self.config.appservice.address}/health", timeout=30)

    def spawn(self) -> None:
        """Start it, and do not wait."""
        self.process.spawn()
        self.hs.connect(self.config.appservice.address)

    async def kill9(self) -> None:
        await self.process.kill()

    async def stop(self) -> None:
        """SIGTERM, which must end it in order."""
        if self.process.started:
            code = await self.process.terminate(timeout=15)
            assert code == 0, self.process.failure(f"ended with {code}")

    async def rest(self, timeout: float = 90) -> None:
        end, calm = time.monotonic() + timeout, 0
        while calm < 2:
            await asyncio.sleep(0.02)
            calm = calm + 1 if await self._is_at_rest() else 0
            if time.monotonic() > end:
                raise NoRest(f"no rest after {timeout} s\n{await self.unrest()}\n{self.process.log_tail()}")

    async def _is_at_rest(self) -> bool:
        """One look at the database, and no delivery meanwhile: nothing can pass from one to the other unseen."""
        delivery = self.hs.delivery
        was_idle, attempts = delivery.idle and self.hs.polls.idle, len(delivery.attempts)
        waiting = await self.rows("SELECT 1 FROM arrival WHERE status = 'waiting'"
                                  " UNION ALL SELECT 1 FROM effect WHERE status = 'waiting' LIMIT 1")  # fmt: skip
        return not waiting and was_idle and delivery.idle and len(delivery.attempts) == attempts

    async def wait(self, ms: int) -> None:
        await self.rest()
