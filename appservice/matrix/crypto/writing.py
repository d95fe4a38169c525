"""Writing into encrypted rooms: by a Megolm session that is shared with those who are in the room now, only."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mautrix.types import EncryptionAlgorithm, EventType, RoomID, RoomKeyEventContent, SessionID

from appservice.clock import Clock
from appservice.domain.duration import DAY_MS, MINUTE_MS
from appservice.matrix.crypto.machine import Devices, Machine
from appservice.matrix.crypto.reading import plaintext
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.matrix.olm import OutboundGroupSession
from appservice.store.keys import Device, Outbound
from appservice.store.unit import Store
from appservice.wire.encrypted import MEGOLM

log = logging.getLogger("coterie.keys")

T = TypeVar("T")

MOST_MESSAGES = 100
LONGEST_MS = 7 * DAY_MS
"""So many messages, and so long, a session is used where the room does not say otherwise (as clients do)."""
_RETRY_MS = MINUTE_MS
_TRIES = 3
_AT_ONCE = 100
"""To-device messages in one request."""


class Writer:
    """Encrypts for rooms, one message of a room after another; `used` is called when keys of the device were."""

    def __init__(
        self, store: Store, clock: Clock, machine: Machine, homeserver: Homeserver,
        used: Callable[[], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._machine = machine
        self._homeserver = homeserver
        self._used = used
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def encrypt(self, room_id: str, type: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the content of the m.room.encrypted event that says this; None where the room is not encrypted.

        Relations stay in clear, as the spec has it. Raises HomeserverError where the key could not be shared.
        """
        async with self._store.look() as unit:
            room = await unit.rooms.get(room_id)
        if room is None or room.encryption is None:
            return None
        if room.encryption.get("algorithm") != MEGOLM:
            raise HomeserverError(400, "UNKNOWN_ALGORITHM", "the room asks for an encryption that is not known here")
        async with self._locks[room_id]:
            outbound = await self._usable(room_id, room.encryption)
            session = OutboundGroupSession.from_pickle(outbound.session, self._machine.passphrase)
            ciphertext = session.encrypt(plaintext(room_id, type, content))
            pickle = session.pickle(self._machine.passphrase).decode()
            used = replace(outbound, session=pickle, messages=outbound.messages + 1)
            async with self._store.unit() as unit:  # before it is sent: no place of a session is used twice
                await unit.keys.put_outbound(used)
        encrypted = {
            "algorithm": MEGOLM,
            "ciphertext": ciphertext,
            "session_id": outbound.session_id,
            "sender_key": self._machine.keys.identity_key,
            "device_id": self._machine.client.device_id,
        }
        related = content.get("m.relates_to")
        return encrypted | ({"m.relates_to": related} if related else {})

    async def _usable(self, room_id: str, encryption: Mapping[str, Any]) -> Outbound:
        async with self._store.look() as unit:
            outbound = await unit.keys.outbound(room_id)
        now = self._clock.now()
        if outbound is None or _is_used_up(outbound, encryption, now):
            return await self._share(room_id)
        if outbound.missing and outbound.retry_at <= now:
            return await self._share_again(outbound)
        return outbound

    async def _share(self, room_id: str) -> Outbound:
        """Make a session, and give its key to everybody who is in the room; anew if that changes meanwhile."""
        for _ in range(_TRIES):
            async with self._store.look() as unit:
                epoch = await unit.rooms.epoch(room_id)
            users = await self._homeserver.joined(room_id)
            session = OutboundGroupSession()
            missing = await self._give(session, room_id, users)
            now = self._clock.now()
            pickle = session.pickle(self._machine.passphrase).decode()
            outbound = Outbound(room_id, session.id, pickle, epoch, 0, now, missing, now + _RETRY_MS)
            async with self._store.unit() as unit:
                await unit.keys.put_outbound(outbound)
                if await unit.rooms.epoch(room_id) == epoch:
                    return outbound
        raise HomeserverError(503, "CHANGING", "people come and go faster than they can be given a key")

    async def _share_again(self, outbound: Outbound) -> Outbound:
        """Give the key, as it is now, to devices that could not be given it before."""
        session = OutboundGroupSession.from_pickle(outbound.session, self._machine.passphrase)
        joined = set(await self._homeserver.joined(outbound.room_id))
        missing = [(user, device) for user, device in outbound.missing if user in joined]
        left = await self._give(session, outbound.room_id, {user for user, _ in missing}, only=missing)
        again = replace(outbound, missing=left, retry_at=self._clock.now() + _RETRY_MS)
        async with self._store.unit() as unit:
            await unit.keys.put_outbound(again)
            is_stale = await unit.rooms.epoch(outbound.room_id) != outbound.epoch
        return await self._share(outbound.room_id) if is_stale else again

    async def _give(
        self, session: OutboundGroupSession, room_id: str, users: Any, only: Sequence[Device] | None = None
    ) -> list[Device]:
        """Give a session's key to the devices of people; gives those that could not be reached. A person whose
        devices are not known stands with an empty device."""
        devices, unknown = await self._machine.devices_of(users)
        if only is not None:
            devices = {
                user: {id: one for id, one in theirs.items() if (user, id) in only or (user, "") in only}
                for user, theirs in devices.items()
            }
        try:
            await self._machine.meet(devices)
        except HomeserverError as error:
            log.warning("no one-time keys were to be had (%s), trying again later", error.errcode)
        messages, missing = await self._sealed(session, room_id, devices)
        self._used()
        for part in _parts(messages):
            await self._machine.client.send_to_device(EventType.TO_DEVICE_ENCRYPTED, part)
        return [*missing, *((user, "") for user in unknown)]

    async def _sealed(
        self, session: OutboundGroupSession, room_id: str, devices: Devices
    ) -> tuple[list[tuple[str, str, Any]], list[Device]]:
        key = RoomKeyEventContent(
            EncryptionAlgorithm.MEGOLM_V1, RoomID(room_id), SessionID(session.id), session.session_key
        )
        messages: list[tuple[str, str, Any]] = []
        missing: list[Device] = []
        machine = self._machine
        every = [device for theirs in devices.values() for device in theirs.values()]
        for some in _batched(every, _AT_ONCE):
            async with machine._olm_lock, machine.lent.transaction():
                for device in some:
                    olm = await machine.store.session_with(device)
                    if olm is None:
                        missing.append((device.user_id, device.device_id))
                        continue
                    sealed = await machine._encrypt_olm_event(olm, device, EventType.ROOM_KEY, key)
                    messages.append((device.user_id, device.device_id, sealed))
        return messages, missing


def _is_used_up(outbound: Outbound, encryption: Mapping[str, Any], now: int) -> bool:
    most = _limit(encryption.get("rotation_period_msgs"), MOST_MESSAGES)
    longest = _limit(encryption.get("rotation_period_ms"), LONGEST_MS)
    return outbound.messages >= most or now - outbound.made_at >= longest


def _limit(asked: object, most: int) -> int:
    """Give what a room asks for, but never more than usual: somebody else may have written it."""
    return min(asked, most) if isinstance(asked, int) and asked > 0 else most


def _parts(messages: list[tuple[str, str, Any]]) -> list[Any]:
    parts = []
    for some in _batched(messages, _AT_ONCE):
        part: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for user, device_id, sealed in some:
            part[user][device_id] = sealed
        parts.append(part)
    return parts


def _batched(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Give the items in parts of at most this size."""
    return [items[start : start + size] for start in range(0, len(items), size)]
