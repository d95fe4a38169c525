"""Encryption as the rest of the service uses it."""

from collections.abc import Callable, Mapping
from typing import Any

from appservice.clock import Clock
from appservice.matrix.crypto.device import Device
from appservice.matrix.crypto.machine import Machine, passphrase_of
from appservice.matrix.crypto.reading import NoKey, Unreadable, read
from appservice.matrix.crypto.traffic import Traffic
from appservice.matrix.crypto.writing import Writer
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.store.db import Database
from appservice.store.lent import LentDatabase
from appservice.store.unit import Store
from appservice.wire import encrypted


class Crypto:
    """The bot's device with all that belongs to it. `came` is called when a key has come for which something may
    wait."""

    def __init__(
        self, database: Database, store: Store, clock: Clock, homeserver: Homeserver, as_token: str,
        came: Callable[[], None],
    ) -> None:  # fmt: skip
        self.passphrase = passphrase_of(as_token)
        self._store = store
        machine = Machine(homeserver.client(), LentDatabase(database), self.passphrase)
        self.device = Device(store, clock, machine, homeserver)
        self.traffic = Traffic(store, clock, machine, self.device, homeserver, came)
        self._writer = Writer(store, clock, machine, homeserver, self.device.used)

    async def is_encrypted(self, room_id: str) -> bool:
        """Tell whether what is said in a room has to be encrypted."""
        async with self._store.look() as unit:
            room = await unit.rooms.get(room_id)
        return room is not None and room.encryption is not None

    async def encrypt(self, room_id: str, type: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """Give the content of the event that says this in an encrypted room; None where the room is none. Raises
        HomeserverError."""
        return await self._writer.encrypt(room_id, type, content)

    async def plain(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Give an event of a room as its sender wrote it; as it is where that can never be read. Raises HomeserverError
        (503) where its key has not come yet."""
        if raw.get("type") != encrypted.TYPE:
            return raw
        async with self._store.unit() as unit:
            found = await read(unit.keys, self.passphrase, raw, unit.now)
        if isinstance(found, NoKey):
            raise HomeserverError(503, "NO_KEY", "its key has not come yet")
        return raw if isinstance(found, Unreadable) else found

    async def others_read(self, room_id: str) -> None:
        """Note that somebody was taken out of a room: what is said from now on is not for them."""
        async with self._store.unit() as unit:
            await unit.rooms.changed([room_id])
