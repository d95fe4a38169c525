"""A matrix-nio client that watches: background sync, and waiting for what the client shows."""

# ruff: noqa: ASYNC109 - a wait that fails must say what was seen instead; asyncio.timeout outside cannot

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import nio

from tests.harness.answers import MatrixError, accepted
from tests.harness.device import Device, NoStore
from tests.harness.sighting import Event, Invite, Predicate, Sightings, describe, is_ciphertext, kind, matches

logging.getLogger("nio").setLevel(logging.ERROR)  # its warnings quote every odd event in full
_Found = TypeVar("_Found")
_SYNC_FILTER = {
    "presence": {"types": []},
    "room": {"timeline": {"limit": 1000}, "ephemeral": {"types": []}},
}
_CONFIG = nio.AsyncClientConfig(
    encryption_enabled=True,
    store=NoStore,
    # a homeserver that restarts is met again within half a second, after 30 s we give up
    max_timeouts=60,
    backoff_factor=0.05,
    max_timeout_retry_wait_time=0.5,
)


class Watcher:
    """One logged-in client that syncs in the background and remembers.

    Events are raw dicts as they came down its own sync, with `room_id` added. Waiting methods look at
    what was seen already, then at what comes, and raise `AssertionError` quoting what was seen instead.
    Invitations from users in `auto_join_from` are accepted. Each object is a device of its own, with keys for
    end-to-end encryption that nobody has verified; what it can decrypt it shows decrypted.
    """

    def __init__(self, homeserver: str, user: str, password: str, *, auto_join_from: Iterable[str] = ()) -> None:
        self.client = nio.AsyncClient(homeserver, user, store_path="nowhere", config=_CONFIG)
        self.password = password
        self.others: list[Watcher] = []
        self.auto_join_from = set(auto_join_from)
        self.seen = Sightings(user)
        self.device = Device(self.client, self.seen)
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Log in, sync once, and keep syncing in the background."""
        accepted(await self.client.login(self.password, device_name="test client"))
        self.seen.user_id = self.user_id
        accepted(await self.client.keys_upload())
        await self._sync(0)
        self._run(self._sync_for_ever())

    async def close(self) -> None:
        for other in self.others:
            await other.close()
        await self.stop_syncing()
        await self.client.close()

    async def stop_syncing(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def user_id(self) -> str:
        return str(self.client.user_id)

    def timeline(self, room: str) -> list[Event]:
        """What the client saw in a room, in its order."""
        return list(self.seen.timeline[room])

    def invites(self) -> list[Invite]:
        """Invitations that are neither accepted nor withdrawn."""
        return list(self.seen.invites.values())

    def undecryptable(self, room: str) -> dict[str, str]:
        """`{event id: session id}` of what came encrypted and has no key here so far."""
        return {
            e["event_id"]: str(e["content"].get("session_id")) for e in self.seen.timeline[room] if is_ciphertext(e)
        }

    def sent_in_clear(self, room: str, by: str) -> list[Event]:
        """What a sender said readable for homeservers since the room is encrypted; reactions always are."""
        switch = next((e["event_id"] for e in self.seen.timeline[room] if e["type"] == "m.room.encryption"), None)
        said = (e for e in _since(self.seen.timeline[room], switch) if e["sender"] == by and "encrypted" not in e)
        return [e for e in said if kind(e) in ("message", "edit", "other") and e["type"] != "m.room.encrypted"]

    # -- waiting -------------------------------------------------------------------------------

    async def sees(self, room: str, predicate: Predicate, *, timeout: float = 10, after: str | None = None) -> Event:
        """The first event of the room that matches, seen already or within `timeout` seconds.

        `after`: only events that the client saw after the one with this id.
        """

        def find() -> Event | None:
            return next((e for e in _since(self.seen.timeline[room], after) if matches(predicate, e)), None)

        return await self._wait(find, timeout, f"no such event in {room}", lambda: self.seen.timeline[room])

    async def sees_join(self, room: str, user_id: str, *, timeout: float = 10) -> None:
        """Return when the member list of this client has the user as joined."""

        def find() -> bool | None:
            member = self.seen.state[room].get(("m.room.member", user_id))
            return True if member and member["content"].get("membership") == "join" else None

        await self._wait(find, timeout, f"{user_id} did not join {room}", lambda: self.seen.timeline[room])

    async def sees_that(self, condition: Callable[[], Any], *, timeout: float = 10) -> Any:
        """The first truthy value of `condition()`, asked again after every sync."""
        return await self._wait(lambda: condition() or None, timeout, "did not come true", lambda: self.seen.all)

    async def invited_to(
        self, predicate: Callable[[Invite], object] = lambda _: True, *, timeout: float = 10
    ) -> Invite:
        """The first pending invitation that matches."""

        def find() -> Invite | None:
            return next((invite for invite in self.invites() if predicate(invite)), None)

        return await self._wait(find, timeout, f"not among {self.invites()}", lambda: self.seen.all)

    async def direct_message_from(
        self, user_id: str, predicate: Predicate = "", *, timeout: float = 10, after: str | None = None
    ) -> Event:
        """The first matching `m.room.message` of the user in a direct room; its `room_id` says which."""

        def meant(event: Event) -> bool:
            wanted = event["sender"] == user_id and event["type"] == "m.room.message"
            return wanted and event["room_id"] in self.seen.direct_rooms and matches(predicate, event)

        def find() -> Event | None:
            return next(filter(meant, _since(self.seen.all, after)), None)

        return await self._wait(find, timeout, f"no such direct message from {user_id}", lambda: self.seen.all)

    async def _wait(
        self,
        find: Callable[[], _Found | None],
        timeout: float,
        what: str,
        quote_from: Callable[[], list[Event]],
    ) -> _Found:
        found: _Found | None = None

        def ready() -> bool:
            nonlocal found
            found = find()
            return found is not None or self._failure is not None

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(ready)
        if found is not None:
            return found
        seen = quote_from()[-10:]
        text = f"{self.user_id}, {timeout:g} s: {what}; last events seen:\n{describe(seen)}"
        raise AssertionError(text) from self._failure

    async def request(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        """Any request with the own access token; the JSON answer, `MatrixError` unless 2xx."""
        body = None if json is None and method == "GET" else nio.Api.to_json(json if json is not None else {})
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"}
        for _ in range(100):
            try:
                answer = await self.client.send(method, path, body, headers)
                break
            except aiohttp.ClientConnectorError:  # nothing was sent: the homeserver is restarting
                await asyncio.sleep(0.2)
        else:
            raise AssertionError(f"{self.client.homeserver} is not there")
        result = await self.client.parse_body(answer)
        if not 200 <= answer.status < 300:
            raise MatrixError(result.get("errcode", str(answer.status)), result.get("error", ""))
        return dict(result)

    # -- syncing -------------------------------------------------------------------------------

    async def _sync_for_ever(self) -> None:
        try:
            while True:
                await self._sync(30_000)
        except Exception as error:
            self._failure = error
            await self._tell()

    async def _sync(self, timeout_ms: int) -> None:
        answer = await self.client.sync(timeout_ms, _SYNC_FILTER)
        if not isinstance(answer, nio.SyncResponse):
            if answer.transport_response.status < 500:
                raise MatrixError(str(answer.status_code), answer.message)
            await asyncio.sleep(0.2)  # the homeserver is going down or coming up
            return
        raw = await self.client.parse_body(answer.transport_response)
        self.device.take_sync(raw)
        for invite in self.seen.take_sync(raw.get("rooms", {})):
            if invite.sender in self.auto_join_from:
                self._run(self._join_quietly(invite.room_id))
        await self._tell()
        await self.device.tend_keys()
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _join_quietly(self, room: str) -> None:
        """Join; refused for good when the invitation was withdrawn meanwhile: who waits will see."""
        for pause in (0.3, 1, 2, 4, 0):
            if not isinstance(await self.client.join(room), nio.ErrorResponse):
                return
            await asyncio.sleep(pause)  # a remote homeserver may send an invitation before it has stored it

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _since(events: list[Event], event_id: str | None) -> list[Event]:
    """The events after the one with this id; none while it was not seen."""
    if event_id is None:
        return events
    at = next((i for i, event in enumerate(events) if event["event_id"] == event_id), len(events))
    return events[at + 1 :]
