"""A service with one device that speaks HTTP and encrypts as clients do: for the tests of the fake homeserver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_device import SIGNED, Device
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_people import Person

ANA, BEN, PIA = "@ana:fake.test", "@ben:fake.test", "@pia:remote.test"
NOTHING_ELSE = '{"room":{"rooms":[]},"account_data":{"types":[]},"presence":{"types":[]}}'
ENCRYPTION = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
JOINED = {"type": "m.room.history_visibility", "content": {"history_visibility": "joined"}}


class Bot:
    """A service with one device: it asks for keys, shares, sends and reads by HTTP."""

    def __init__(self, hs: FakeHomeserver, session: aiohttp.ClientSession) -> None:
        self.hs, self.session = hs, session
        self.device = Device(hs.bot, "BOT")
        self.since: str | None = None
        self.txn = 0

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Json]:
        params = {"user_id": self.hs.bot, "device_id": "BOT", **query}
        url, token = f"{self.hs.url}/_matrix/client/v3{path}", {"Authorization": f"Bearer {self.hs.as_token}"}
        data = None if method == "GET" else body or {}
        try:
            async with self.session.request(method, url, params=params, json=data, headers=token) as response:
                return response.status, await response.json()
        except aiohttp.ClientError:
            return 0, {}

    async def good(self, method: str, path: str, body: Any = None, **query: str) -> Json:
        status, answer = await self.call(method, path, body, **query)
        assert status == 200, (status, answer)
        return answer

    async def begin(self, count: int = 5, *, fallback: bool = True) -> None:
        register = {"type": "m.login.application_service", "username": "coterie"}
        url, token = f"{self.hs.url}/_matrix/client/v3/", {"Authorization": f"Bearer {self.hs.as_token}"}
        await self.session.post(f"{url}register", json=register, headers=token)
        created = {"user_id": self.hs.bot}
        assert (await self.session.put(f"{url}devices/BOT", json={}, headers=token, params=created)).status == 201
        body = {"device_keys": self.device.keys(), "one_time_keys": self.device.one_time_keys(count)}
        await self.good(
            "POST", "/keys/upload", body | ({"fallback_keys": self.device.fallback_keys()} if fallback else {})
        )

    async def sync(self, wait: int = 0, **query: str) -> Json:
        """One look, whose token is kept; what came is read."""
        token = {"since": self.since} if self.since else {}
        answer = await self.good("GET", "/sync", timeout=str(wait), filter=NOTHING_ELSE, **token, **query)
        self.since = answer["next_batch"]
        for event in answer.get("to_device", {}).get("events", []):
            if event["type"] == "m.room.encrypted":
                inside = self.device.open(event["sender"], event["content"])
                content = inside["content"]
                names = (content["room_id"], content["session_id"], content["session_key"])
                self.device.keep(*names, inside["sender"], inside["sender_key"])
        return answer

    async def say(self, room: str, body: str, *, to: list[str]) -> str:
        """Share a new session with these people, and say something in it."""
        outbound = self.device.new_outbound(room)
        found = await self.good("POST", "/keys/query", {"device_keys": {user: [] for user in to}})
        messages: Json = {}
        for user, devices in found["device_keys"].items():
            for name, keys in devices.items():
                wanted = {user: {name: SIGNED}}
                claimed = await self.good("POST", "/keys/claim", {"one_time_keys": wanted})
                key = next(iter(claimed["one_time_keys"][user][name].values()))["key"]
                self.device.begin(keys["keys"][f"curve25519:{name}"], key)
                sealed = self.device.to_device(keys, "m.room_key", self.device.room_key(room))
                messages.setdefault(user, {})[name] = sealed
        self.txn += 1
        await self.good("PUT", f"/sendToDevice/m.room.encrypted/{self.txn}", {"messages": messages})
        assert outbound.session.message_index == 0
        content = self.device.seal(room, "m.room.message", {"msgtype": "m.notice", "body": body})
        path = f"/rooms/{quote(room)}/send/m.room.encrypted/{self.txn}"
        return str((await self.good("PUT", path, content))["event_id"])

    def reads(self, event_id: str) -> str:
        event = self.hs.event(event_id)
        wire = event.client()
        return str(self.device.unseal(event_id, event.room_id, event.sender, wire["content"])[1]["body"])


@pytest.fixture
async def hs() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver() as server:
        for mxid in (ANA, BEN, PIA):
            server.user(mxid, auto_join=True)
        yield server


@pytest.fixture
async def bot(hs: FakeHomeserver) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        made = Bot(hs, session)
        await made.begin()
        yield made


@pytest.fixture
def ana(hs: FakeHomeserver) -> Person:
    return hs.user(ANA)


@pytest.fixture
def ben(hs: FakeHomeserver) -> Person:
    return hs.user(BEN)


@pytest.fixture
async def room(hs: FakeHomeserver, bot: Bot, ana: Person, ben: Person) -> str:
    """An encrypted room with ana, ben and the bot."""
    found = ana.create_room(initial_state=[ENCRYPTION, JOINED], invite=[hs.bot, BEN])
    ben.join(found)
    hs.world.set_membership(hs.bot, found, hs.bot, "join")
    return found
