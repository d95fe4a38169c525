"""The service turned by hand, so that each unit and each send can be cancelled at any of its suspensions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiohttp import web

from appservice import routes
from appservice.domain.code import code_text
from appservice.domain.ids import RoomId, UserId
from appservice.matrix.crypto.crypto import Crypto
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.intake import Intake
from appservice.matrix.sender import Sender
from appservice.store.inbox import NewArrival
from appservice.store.settings import CRYPTO_SYNC
from appservice.wire.event import Event
from appservice.workers.inbox import handle_lane
from appservice.workers.outbox import send_head
from appservice.workers.timers import fire_timer
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_sync import Token, answer
from tests.flows.service import HandClock, Service

Work = Callable[[], Coroutine[Any, Any, object]]


async def _never(session_id: str) -> None:
    raise AssertionError("nothing is paid at Stripe here")


class Cranked(Service):
    """As `Service`, but nothing works by itself: `rest()` does what is due, each piece cut off again and again.

    A piece is first cancelled at its 1st suspension, then, repeated, at the 2nd, and so on, until it comes to its end
    before that; `twice`: cancelled again at the next suspension, while it is on its way out. `crashes`: what is known
    in memory of keys is lost each time, as if the process had ended.
    """

    def __init__(
        self,
        hs: FakeHomeserver,
        clock: HandClock,
        database: str,
        *,
        twice: bool = False,
        crashes: bool = False,
        **groups: Any,
    ) -> None:
        super().__init__(hs, clock, database, **groups)
        self.twice = twice
        self.crashes = crashes
        self.cuts = 0

    async def start(self) -> None:
        """Listen, and connect the homeserver."""
        self._running = AsyncExitStack()
        session = await self._running.enter_async_context(aiohttp.ClientSession())
        bot = UserId(self.config.bot_mxid)
        self.homeserver = Homeserver(session, self.hs.url, self.config.appservice.as_token, bot)
        await self.homeserver.prepare(self.config.appservice.bot_username, self.config.appservice.bot_displayname)
        self.forget_keys()
        intake = Intake(self.config.appservice.hs_token, bot, self._journal, self._wanted, self._healthy)
        runner = web.AppRunner(intake.application(self.config.web.max_body_bytes), access_log=None)
        await runner.setup()
        self._running.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.hs.connect(self.config.appservice.address)
        if self.config.groups.encrypted:
            await self.cut(lambda: self.crypto.device.prepare())

    def forget_keys(self) -> None:
        """Begin with what the database knows of keys."""
        as_token = self.config.appservice.as_token
        self.crypto = Crypto(self.store._database, self.store, self.clock, self.homeserver, as_token, lambda: None)
        self.sender = Sender(
            self.homeserver, self._direct_room_of, self._known_rooms, self._code_of, _never, self._wanted, self.crypto
        )

    async def _journal(self, arrivals: list[NewArrival]) -> int:
        return await self.store.journal(arrivals)

    async def _wanted(self, events: list[Event]) -> set[str]:
        async with self.store.look() as unit:
            return await routes.wanted(unit, self.config, events)

    async def _healthy(self) -> dict[str, bool]:
        return {}

    async def _direct_room_of(self, user_id: str) -> RoomId | None:
        async with self.store.look() as unit:
            direct = await unit.rooms.direct(user_id)
            return direct.room_id if direct else None

    async def _known_rooms(self) -> set[str]:
        async with self.store.look() as unit:
            return await unit.rooms.all_ids()

    def _code_of(self, code_id: str) -> str:
        return code_text(self.config.appservice.as_token, code_id)

    # ---- turning -------------------------------------------------------------------------
    async def _calm(self, timeout: float) -> None:  # noqa: ASYNC109 - as in Service
        async with asyncio.timeout(timeout * 4):
            while True:
                while not self.hs.delivery.idle:  # noqa: ASYNC110 - it has no event for this
                    await asyncio.sleep(0.001)
                work = await self._due()
                if not work and self.hs.delivery.idle:
                    return
                for piece in work:
                    await self.cut(piece)

    async def _due(self) -> list[Work]:
        """What is due now, one piece for each lane and timer."""
        now = self.clock.now()
        async with self.store.look() as unit:
            inbox, outbox = await unit.inbox.due_lanes(now, 99), await unit.outbox.due_lanes(now, 99)
            timers = await unit.timers.due(now, 99)
        return [
            *([self._listen] if await self._has_traffic() else []),
            *(self._handling(lane) for lane in inbox),
            *(self._sending(lane) for lane in outbox),
            *((lambda timer=timer: fire_timer(self.store, self._fire, timer)) for timer in timers),
        ]

    async def _has_traffic(self) -> bool:
        """Tell whether there is something to be had from the homeserver by /sync."""
        async with self.store.look() as unit:
            since = await unit.settings.get(CRYPTO_SYNC)
        if not self.config.groups.encrypted:
            return False
        device = str(self.crypto.device._machine.client.device_id)
        return not since or answer(self.hs, self.hs.bot, device, Token.parse(since))[1]

    async def _listen(self) -> None:
        if await self._has_traffic():  # else it would wait for some
            await self.crypto.traffic._sync()

    def _handling(self, lane: str) -> Work:
        return lambda: handle_lane(
            self.store,
            lambda unit, arrival: routes.handle(unit, self.config, arrival),
            lane,
            lambda unit, arrival: routes.opened(unit, self.crypto.passphrase, arrival),
        )

    def _sending(self, lane: str) -> Work:
        return lambda: send_head(self.store, self.clock, self.sender.perform, lane)

    async def _fire(self, unit: Any, timer: Any) -> None:
        await routes.fire(unit, self.config, timer)

    async def cut(self, piece: Work, between: Work | None = None) -> None:
        """Do a piece of work, cut off at each of its suspensions before; `between` is done after each time."""
        at = 1
        while True:
            task = asyncio.create_task(_cancelled_at(piece(), at, twice=self.twice))
            await asyncio.wait({task}, timeout=20)
            assert task.done(), f"hangs after being cancelled at its suspension {at}: {task.get_stack()}"
            if not task.cancelled():
                task.result()
                return
            self.cuts += 1
            at += 1
            if between is not None:
                await between()
            elif self.crashes:
                await self._crash()

    async def _crash(self) -> None:
        self.forget_keys()
        await self.crypto.device.prepare()


class _Suspensions:
    """Awaits a coroutine; at its n-th suspension the task is cancelled, as `Task.cancel` does it from outside."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], at: int, *, twice: bool) -> None:
        self._coroutine = coroutine
        self._at = {at, at + 1} if twice else {at}

    def __await__(self) -> Generator[Any, Any, object]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        inner = self._coroutine.__await__()
        error: BaseException | None = None
        count = 0
        while True:
            try:
                waits_for = inner.send(None) if error is None else inner.throw(error)
            except StopIteration as end:
                return end.value
            count += 1
            if count in self._at:
                loop.call_soon(task.cancel)
            try:
                error = None
                yield waits_for
            except BaseException as thrown:
                error = thrown


async def _cancelled_at(coroutine: Coroutine[Any, Any, object], at: int, *, twice: bool) -> object:
    return await _Suspensions(coroutine, at, twice=twice)
