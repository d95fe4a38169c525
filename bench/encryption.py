"""What writing into an encrypted room costs: a real local Synapse, people with real devices, our own writer.

    python -m bench.encryption [devices] [database URL]

Local only; ends by itself after a minute or two. Prints how long the first message takes, which gives its key to every
device, how long the next ones take, and the first one after somebody has left.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import vodozemac

from appservice.clock import SystemClock
from appservice.domain.ids import RoomId, UserId
from appservice.matrix.crypto.crypto import Crypto
from appservice.matrix.homeserver import Homeserver
from appservice.store import db
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store
from appservice.wire.encrypted import MEGOLM, TYPE
from tests.harness.synapse import Synapse

TOKEN = "as-token-of-the-bench".ljust(40, "-")
REGISTRATION = {
    "id": "bench", "url": None, "as_token": TOKEN, "hs_token": "hs" * 20, "sender_localpart": "_bench_sender",
    "rate_limited": False, "io.element.msc4190": True,
    "namespaces": {"users": [{"exclusive": True, "regex": "@coterie.*"}], "aliases": [], "rooms": []},
}  # fmt: skip
SAID = {"msgtype": "m.notice", "body": "Group buy: Merino throw " + "x" * 600}


class Person:
    """A member with one device, whose keys are at the homeserver."""

    def __init__(self, session: aiohttp.ClientSession, url: str, account: dict[str, Any]) -> None:
        self.user_id, self.device_id = account["user_id"], account["device_id"]
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {account['access_token']}"}
        self._keys = vodozemac.Account()

    async def call(self, path: str, content: dict[str, Any]) -> None:
        request = self._session.post(f"{self._url}/_matrix/client/v3/{path}", json=content, headers=self._headers)
        async with request as response:
            assert response.status == 200, await response.text()

    def _signed(self, content: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
        signature = self._keys.sign(text).to_base64()
        return content | {"signatures": {self.user_id: {f"ed25519:{self.device_id}": signature}}}

    async def publish(self) -> None:
        self._keys.generate_one_time_keys(10)
        public = {
            f"curve25519:{self.device_id}": self._keys.curve25519_key.to_base64(),
            f"ed25519:{self.device_id}": self._keys.ed25519_key.to_base64(),
        }
        device = {"user_id": self.user_id, "device_id": self.device_id, "algorithms": [MEGOLM], "keys": public}
        once = {f"signed_curve25519:{id}": key for id, key in self._keys.one_time_keys.items()}
        once = {id: self._signed({"key": key.to_base64()}) for id, key in once.items()}
        await self.call("keys/upload", {"device_keys": self._signed(device), "one_time_keys": once})


async def arrived(session: aiohttp.ClientSession, synapse: Synapse, name: str) -> Person:
    """Give a new account that has logged in with one device."""
    user_id = await synapse.register_user(name, "secret")
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user_id}, "password": "secret"}
    async with session.post(f"{synapse.url}/_matrix/client/v3/login", json=login) as response:
        person = Person(session, synapse.url, await response.json())
    await person.publish()
    return person


async def send(homeserver: Homeserver, crypto: Crypto, room_id: str, number: int) -> tuple[float, float]:
    """Encrypt and send one message; gives the seconds for each."""
    start = time.perf_counter()
    encrypted = await crypto.encrypt(room_id, "m.room.message", SAID)
    middle = time.perf_counter()
    assert encrypted is not None
    await homeserver.send(room_id, TYPE, encrypted, f"bench {number}")
    return middle - start, time.perf_counter() - middle


async def measure(homeserver: Homeserver, crypto: Crypto, store: Store, people: list[Person]) -> None:
    room_id = RoomId(await homeserver.create_room({"preset": "private_chat", "room_version": "12"}))
    for person in people:
        await homeserver.invite(room_id, person.user_id)
        await person.call(f"rooms/{room_id}/join", {})
    async with store.unit() as unit:
        await unit.rooms.add(Room(room_id, RoomKind.GROUP, "g", {"algorithm": MEGOLM}))
    first, _ = await send(homeserver, crypto, room_id, 0)
    print(f"first message to {len(people)} devices: {first:.2f} s")
    steady = sorted([await send(homeserver, crypto, room_id, number) for number in range(1, 51)])
    print(f"then, of 50: encrypted in {1000 * steady[25][0]:.1f} ms (median), {1000 * steady[47][0]:.1f} ms (95 %);"
          f" sent in {1000 * sorted(sent for _, sent in steady)[25]:.1f} ms")  # fmt: skip
    await homeserver.kick(room_id, people[-1].user_id, "bench")
    await crypto.others_read(room_id)
    again, _ = await send(homeserver, crypto, room_id, 99)
    print(f"first message after somebody left: {again:.2f} s")


logging.getLogger("mau.crypto").setLevel(logging.CRITICAL)


async def main(devices: int = 200, url: str | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        synapse = Synapse(Path(folder) / "hs")
        synapse.add_registration(REGISTRATION)
        async with (
            synapse, aiohttp.ClientSession() as session, db.opened(url or f"sqlite://{folder}/bench.db") as database
        ):  # fmt: skip
            store = Store(database, SystemClock().now)
            homeserver = Homeserver(session, synapse.url, TOKEN, UserId(synapse.user_id("coterie")))
            await homeserver.prepare("coterie", "Coterie")
            crypto = Crypto(database, store, SystemClock(), homeserver, TOKEN, lambda: None)
            await crypto.device.prepare()
            people = [await arrived(session, synapse, f"m{number}") for number in range(devices)]
            await measure(homeserver, crypto, store, people)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 200, sys.argv[2] if sys.argv[2:] else None))
