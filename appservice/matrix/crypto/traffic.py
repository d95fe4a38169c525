"""The crypto traffic: what devices send to the bot's device, by its own /sync (matrix-facts: Encryption).

What a batch says is written down with its token in one unit: after a crash it comes again, whole. Nothing that a batch
says needs the network; who has new devices is asked for them when there is something to tell them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from mautrix.types import EventType, RoomKeyEventContent

from appservice.clock import Clock
from appservice.domain.duration import HOUR_MS
from appservice.matrix.crypto.device import Device
from appservice.matrix.crypto.machine import Machine
from appservice.matrix.crypto.reading import inbound_of
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.store import settings
from appservice.store.db import is_transient
from appservice.store.unit import Store, Unit
from appservice.wire.content import integer_at, is_storable, text_at
from appservice.wire.encrypted import MEGOLM, ONE_TIME_KEY

log = logging.getLogger("coterie.keys")

POLL_S = 30
_LONGEST_WAIT_S = 60
_FEW_KEYS = 25
_MOST_OF_A_STRANGER = 30
_MOST_STRANGERS = 1_000


class Traffic:
    """Reads the bot's crypto traffic until it is stopped; `came` is called when a key has come."""

    def __init__(
        self, store: Store, clock: Clock, machine: Machine, device: Device, homeserver: Homeserver,
        came: Callable[[], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._machine = machine
        self._device = device
        self._homeserver = homeserver
        self._came = came
        self._stop = asyncio.Event()
        self._polling: asyncio.Timeout | None = None
        self._strangers: Counter[str] = Counter()
        self._counted_since = 0

    def ring(self) -> None:
        """Nothing: the homeserver itself says when there is something."""

    def stop(self) -> None:
        """End `run`; what is in hand is finished."""
        self._stop.set()
        if self._polling is not None:
            self._polling.reschedule(0)

    async def run(self) -> None:
        """Read until stopped; after a failure again, a little later."""
        wait_s = 1
        while not self._stop.is_set():
            try:
                if await self._sync():
                    wait_s = 1
                continue
            except HomeserverError as error:
                log.warning("no crypto traffic (%s), trying again in %d s", error.errcode, wait_s)
            except Exception as error:
                log.error("crypto traffic could not be handled (%s), trying again", type(error).__name__)
                log.debug("crypto traffic", exc_info=error)
                self._machine.forget()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def _sync(self) -> bool:
        await self._machine.remember()
        async with self._store.look() as unit:
            since = await unit.settings.get(settings.CRYPTO_SYNC) or ""
        answer = await self._poll(since)
        if answer is None:
            return False
        await self._take(answer)
        if (integer_at(answer, "device_one_time_keys_count", ONE_TIME_KEY) or 0) < _FEW_KEYS:
            await self._device.replenish()
        unused = answer.get("device_unused_fallback_key_types")
        if isinstance(unused, list) and ONE_TIME_KEY not in unused:
            await self._device.renew_fallback()
        await self._machine.unwedge(self._clock.now())
        await self._device.note()
        return True

    async def _poll(self, since: str) -> dict[str, Any] | None:
        """Wait for news, but not beyond the end."""
        if self._stop.is_set():
            return None
        try:
            async with asyncio.timeout(None) as self._polling:
                return await self._homeserver.sync(since, POLL_S if since else 0)
        except TimeoutError:
            return None
        finally:
            self._polling = None

    async def _take(self, answer: Mapping[str, Any]) -> None:
        """Write down what a batch says, and its token."""
        events = (answer.get("to_device") or {}).get("events") or []
        lists = answer.get("device_lists") or {}
        changed, left = ([user for user in lists.get(name) or [] if is_storable(user)] for name in ("changed", "left"))
        self._machine.store.changed.update([*changed, *left])
        keys = 0
        try:
            # what a writer keeps of an Olm session must not have read what is not written down yet
            async with self._machine._olm_lock, self._store.unit() as unit:
                with self._machine.lent.lending(unit.connection):
                    for raw in events:
                        keys += await self._heard(unit, raw)
                    await unit.keys.devices_changed([*changed, *left])
                    for user in changed:
                        await unit.rooms.changed(await unit.rooms.shared_with(user))
                    await unit.settings.put(settings.CRYPTO_SYNC, str(answer["next_batch"]))
        except BaseException:
            self._machine.forget()
            raise
        if events:
            self._device.used()
        if keys:
            self._came()

    async def _heard(self, unit: Unit, raw: Any) -> bool:
        """Take in one to-device event; tells whether it was a key. One that cannot be read is let go: its sender's
        device begins anew with us, and what it was to open waits for another."""
        if not isinstance(raw, dict) or raw.get("type") != "m.room.encrypted":
            return False  # requests for keys are not answered
        sender = text_at(raw, "sender")
        if sender is None or (not await unit.rooms.knows(sender) and self._are_too_many(sender, unit.now)):
            return False
        try:
            async with unit.savepoint():
                opened = await self._machine.open(raw)
                if opened.type != EventType.ROOM_KEY or not isinstance(opened.content, RoomKeyEventContent):
                    return False
                return await self._key(unit, str(opened.sender), str(opened.sender_key), opened.content)
        except Exception as error:
            if is_transient(error):
                raise  # the message is good: it comes again with the whole batch
            log.warning("a to-device message could not be read: %s", type(error).__name__)
            log.debug("a to-device message", exc_info=error)
            await self._machine.reload()
            return False

    def _are_too_many(self, stranger: str, now: int) -> bool:
        """Tell whether somebody whom we do not know has sent enough for this hour: in a room that is being adopted,
        nobody is known yet."""
        if now - self._counted_since >= HOUR_MS:
            self._strangers.clear()
            self._counted_since = now
        self._strangers[stranger] += 1
        return self._strangers[stranger] > _MOST_OF_A_STRANGER or len(self._strangers) > _MOST_STRANGERS

    async def _key(self, unit: Unit, user_id: str, sender_key: str, content: RoomKeyEventContent) -> bool:
        if str(content.algorithm) != MEGOLM:
            return False
        inbound = inbound_of(str(content.room_id), user_id, sender_key, content.session_key, self._machine.passphrase)
        await unit.keys.hold(inbound.session_id)
        if inbound.session_id == content.session_id and await unit.keys.put_inbound(inbound, unit.now):
            await unit.inbox.key_came(inbound.room_id, inbound.session_id, unit.now)
        return True
