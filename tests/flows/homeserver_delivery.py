"""Delivery of events to the service: transactions in order, one in flight, retried for ever."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from tests.flows.homeserver_events import Event, Json, Refused


@dataclass
class Item:
    """One event to be delivered. `stored`: read again from the database, so redactions show."""

    event: Event
    stored: bool = False


@dataclass
class Attempt:
    """One transaction sent to the service. `status` 0: no answer came, or it was dropped on purpose."""

    txn_id: str
    event_ids: list[str]
    status: int
    note: str = ""


class Delivery:
    """Pushes events to the service. The attributes below may be changed at any time.

    duplicate: what comes after each accepted transaction: nothing, the same again, the same under a new id,
        or the same again while the first is still being handled ("at_once").
    reorder: shuffle the events inside a transaction.
    batch: "full" up to `max_events`, "single" one event each, "random" any size.
    linger: wait so long before a transaction is put together, so that events gather in it.
    delay: wait so long before each attempt.
    lose_answers: number of good answers still to be dropped, so that a handled transaction comes again.
    lose_answer_chance: drop each good answer with this probability.
    cuts: number of requests still to be cut if they are not answered within `cut_after` seconds.
    """

    max_events = 100

    def __init__(self, hs_token: str, rng: random.Random) -> None:
        self.hs_token = hs_token
        self.rng = rng
        self.duplicate: Literal["same", "new", "at_once"] | None = None
        self.reorder = False
        self.batch: Literal["full", "single", "random"] = "full"
        self.linger = 0.0
        self.delay = 0.0
        self.lose_answers = 0
        self.lose_answer_chance = 0.0
        self.cuts = 0
        self.cut_after = 0.01
        self.backoff, self.backoff_cap = 0.02, 0.2
        self.timeout = 10.0
        self.attempts: list[Attempt] = []
        self.delivered: list[Event] = []
        self.last_activity = 0.0
        self._queue: deque[Item] = deque()
        self._busy = self._failing = False
        self._paused = False
        self._held = False  # waits for `resume()` or for an address
        self._service_url: str | None = None
        self._next_txn = 1
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None

    # ---- switches ------------------------------------------------------------------------
    @property
    def service_url(self) -> str | None:
        return self._service_url

    @service_url.setter
    def service_url(self, value: str | None) -> None:
        self._service_url = value.rstrip("/") if value else None
        self._held = False
        self._wake.set()

    def pause(self) -> None:
        """Deliver nothing until `resume()`; a transaction under way is finished, or retried afterwards."""
        self._paused = True

    def resume(self) -> None:
        self._paused = self._held = False
        self._wake.set()
        self._hurry.set()

    def restart_ids(self) -> None:
        """Count transaction ids from 1 again, as Synapse on SQLite does after a restart."""
        self._next_txn = 1

    def forget(self) -> None:
        """As a Synapse that stops: what waits behind the transaction under way is never delivered."""
        self._queue.clear()

    def calm(self) -> None:
        """No more faults."""
        self.duplicate, self.reorder, self.batch = None, False, "full"
        self.linger = self.delay = self.lose_answer_chance = 0.0
        self.lose_answers = self.cuts = 0

    def redeliver(self, events: Iterable[Event] | None = None) -> None:
        """Deliver again, in new transactions, these events or everything so far."""
        again = list(self.delivered if events is None else events)
        self._queue.extend(Item(event, stored=True) for event in again)
        self._wake.set()

    # ---- the queue -----------------------------------------------------------------------
    @property
    def idle(self) -> bool:
        """Nothing under way, and nothing waiting that could be delivered now."""
        return self._held or not (self._busy or self._queue)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def enqueue(self, event: Event) -> None:
        self._queue.append(Item(event, stored=self._paused or self._failing))
        self._wake.set()

    def start(self) -> None:
        self._session = aiohttp.ClientSession()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self) -> None:
        while True:
            await self._ready()
            self._busy = bool(self._queue)
            if not self._busy:
                await self._wake.wait()
                continue
            try:
                await asyncio.sleep(self.linger)
                await self._deliver(self._take())
            finally:
                self._busy = False
                self._touch()

    async def _ready(self) -> None:
        """Returns when there may be something to deliver and delivery is allowed."""
        while True:
            self._wake.clear()
            if self._service_url and not self._paused:
                return
            self._held = True
            await self._wake.wait()
            self._held = False

    def _take(self) -> list[Item]:
        most = min(self.max_events, len(self._queue))
        size = {"full": most, "single": 1, "random": self.rng.randint(1, most)}[self.batch]
        items = [self._queue.popleft() for _ in range(size)]
        if self.reorder:
            self.rng.shuffle(items)
        return items

    async def _deliver(self, items: list[Item]) -> None:
        txn_id, wait = self._new_id(), self.backoff
        while not await self._attempt(txn_id, items):
            self._failing = True
            items = [Item(item.event, stored=True) for item in items]
            self._hurry.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._hurry.wait()
            except TimeoutError:
                wait = min(wait * 2, self.backoff_cap)
            await self._ready()
        self._failing = False
        self.delivered.extend(item.event for item in items)
        if self.duplicate in ("same", "new"):
            again = txn_id if self.duplicate == "same" else self._new_id()
            await self._put(again, items, "duplicate")

    def _new_id(self) -> str:
        txn_id = str(self._next_txn)
        self._next_txn += 1
        return txn_id

    async def _attempt(self, txn_id: str, items: list[Item]) -> bool:
        await asyncio.sleep(self.delay)
        if self.duplicate == "at_once":
            both = (self._put(txn_id, items), self._put(txn_id, items, "duplicate at once"))
            return all(await asyncio.gather(*both))
        return await self._put(txn_id, items)

    async def _put(self, txn_id: str, items: list[Item], note: str = "") -> bool:
        """Send one transaction; True if the service took it, as far as the homeserver can tell."""
        body = {"events": [item.event.delivered(stored=item.stored) for item in items]}
        attempt = Attempt(txn_id, [item.event.event_id for item in items], 0, note)
        self.attempts.append(attempt)
        self._touch()
        cut = self.cuts > 0
        self.cuts -= cut
        try:
            async with asyncio.timeout(self.cut_after if cut else self.timeout):
                status, good = await self._request("PUT", f"/transactions/{txn_id}", body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            attempt.note = f"{note} {type(error).__name__}: {error}".strip()
            return False
        finally:
            self._touch()
        if good and self._lose_answer():
            attempt.note = f"{note} answer {status} dropped".strip()
            return False
        attempt.status = status
        return good

    def _lose_answer(self) -> bool:
        if self.lose_answers > 0:
            self.lose_answers -= 1
            return True
        return self.lose_answer_chance > 0 and self.rng.random() < self.lose_answer_chance

    async def _request(self, method: str, path: str, body: Json) -> tuple[int, bool]:
        assert self._session is not None, "start() was not called"
        async with self._session.request(
            method,
            f"{self._service_url}/_matrix/app/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.hs_token}", "Content-Type": "application/json"},
        ) as response:
            text = await response.text()
            return response.status, 200 <= response.status < 300 and _is_json(text)

    async def ping(self, transaction_id: Any) -> Json:
        """`POST …/ping` to the service, as the service asked for; also makes a retry happen at once."""
        if not self._service_url:
            raise Refused(400, "M_URL_NOT_SET", "The application service does not have a URL set")
        self._hurry.set()
        began = asyncio.get_running_loop().time()
        body = {} if transaction_id is None else {"transaction_id": transaction_id}
        try:
            async with asyncio.timeout(self.timeout):
                status, _ = await self._request("POST", "/ping", body)
        except TimeoutError:
            raise Refused(504, "M_CONNECTION_TIMEOUT", "The service did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Refused(502, "M_CONNECTION_FAILED", str(error)) from None
        if not 200 <= status < 300:
            raise Refused(502, "M_BAD_STATUS", f"HTTP {status}")
        return {"duration_ms": int((asyncio.get_running_loop().time() - began) * 1000)}

    def _touch(self) -> None:
        self.last_activity = asyncio.get_running_loop().time()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
