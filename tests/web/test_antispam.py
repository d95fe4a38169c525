"""The door before the event: who may ask, what is answered, and by which rule, on both engines."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from appservice import app
from appservice.domain.group import GroupStatus
from appservice.domain.ids import Number, RoomId, UserId
from appservice.domain.member import Member, Presence
from appservice.matrix.intake import Intake
from appservice.store import db
from appservice.store.rooms import Room, RoomKind
from appservice.store.unit import Store
from appservice.store.vouches import Code
from appservice.web import antispam
from appservice.web.antispam import MOST_BYTES, PREFIX, Antispam
from tests.store.engine import ENGINES, SetClock, counts, drop_shared_database, empty_database
from tests.store.given import CONFIG, DESK, GROUP, ROOM, group_exists, member

TOKEN = "door-" + "d" * 40
JOIN, INVITE, PING = f"{PREFIX}/user_may_join_room", f"{PREFIX}/user_may_invite", f"{PREFIX}/ping"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
ZOE, BOT, GHOST = "@zoe:example.org", "@coterie:example.org", "@coterie_2:example.org"
NO_JOINING = "You cannot join this room now. Ask whoever told you of it."
NO_INVITING = "Only the service invites into this room: send it !invite and the person's Matrix id, by direct message."


class Door:
    """What the module would do: ask, and read the answer."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client

    async def post(self, path: str, body: object, headers: Mapping[str, str] = AUTH) -> ClientResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(path, data=data, headers=headers)

    async def join(self, user_id: str, room_id: str = ROOM, *, is_invited: bool = False) -> str | None:
        """None, or the sentence that the user's client is shown."""
        return await _no(await self.post(JOIN, {"user": user_id, "room": room_id, "is_invited": is_invited}))

    async def invite(self, inviter: str, room_id: str = ROOM, invitee: str = "@mia:example.org") -> str | None:
        return await _no(await self.post(INVITE, {"inviter": inviter, "invitee": invitee, "room_id": room_id}))


async def _no(response: ClientResponse) -> str | None:
    body = await response.json()
    if response.status == 200:
        assert body == {}
        return None
    assert (response.status, body["errcode"]) == (403, "M_FORBIDDEN")
    return str(body["error"])


async def stands_open(response: ClientResponse) -> int:
    """The status of an error that the module must not take for a no: it is not JSON."""
    assert response.content_type == "text/plain"
    assert TOKEN not in await response.text()
    return response.status


async def error_of(response: ClientResponse) -> tuple[int, str]:
    """Status and errcode, of an answer that must have the form of the spec."""
    body = await response.json()
    assert set(body) == {"errcode", "error"}
    return response.status, body["errcode"]


async def _never(*_: object) -> Any:
    raise AssertionError("the intake is asked nothing here")


async def _healthy() -> Mapping[str, bool]:
    return {"database": True}


def site(door: Antispam) -> TestServer:
    """The door on the same site as the intake."""
    application = Intake(CONFIG.appservice.hs_token, UserId(BOT), _never, _never, _healthy).application(16 * 2**20)
    door.add_to(application)
    return TestServer(application)


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    asyncio.run(drop_shared_database())


class Asked:
    """Answers in the place of the rules; says what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer: bool | Exception = True

    async def __call__(self, user_id: str, room_id: str) -> bool:
        self.asked.append((user_id, room_id))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def rule() -> Asked:
    return Asked()


@pytest.fixture
async def door(rule: Asked) -> AsyncIterator[Door]:
    """The door before a rule that the test sets."""
    async with TestClient(site(Antispam(TOKEN, rule, rule))) as client:
        yield Door(client)


# Who may ask

BODIES: dict[str, dict[str, Any]] = {
    JOIN: {"user": ZOE, "room": ROOM, "is_invited": False},
    INVITE: {"inviter": ZOE, "invitee": "@mia:example.org", "room_id": ROOM},
    PING: {"id": "abc"},
}
every_path = pytest.mark.parametrize("path", BODIES)


@every_path
async def test_without_a_token_or_with_another_nobody_is_answered(door: Door, rule: Asked, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):
        assert await stands_open(await door.post(path, BODIES[path], headers)) == 401
    own = CONFIG.appservice
    for token in ("wrong", TOKEN[:-1], TOKEN + "d", own.hs_token, own.as_token):
        headers = {"Authorization": f"Bearer {token}"}
        assert await stands_open(await door.post(path, BODIES[path], headers)) == 403
    query = await door.post(f"{path}?access_token={TOKEN}", BODIES[path], {})
    assert await stands_open(query) == 401
    assert rule.asked == []


async def test_tokens_are_compared_in_constant_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr("appservice.matrix.intake.hmac.compare_digest", watched)
    for token in (TOKEN, "short"):
        await door.post(PING, {"id": "x"}, {"Authorization": f"Bearer {token}"})
    assert compared == [(TOKEN.encode(), TOKEN.encode()), (b"short", TOKEN.encode())]


async def test_the_two_doors_do_not_take_each_others_token(door: Door) -> None:
    ping = "/_matrix/app/v1/ping"
    assert await error_of(await door.post(ping, {}, AUTH)) == (403, "M_FORBIDDEN")
    hs = {"Authorization": f"Bearer {CONFIG.appservice.hs_token}"}
    assert (await door.post(ping, {}, hs)).status == 200
    async with door.client.get("/health") as health:
        assert (health.status, await health.json()) == (200, {"database": True})


@every_path
async def test_without_a_token_in_the_configuration_there_is_no_door(rule: Asked, path: str) -> None:
    async with TestClient(site(Antispam(None, rule, rule))) as client:
        for headers in ({}, AUTH, {"Authorization": "Bearer None"}):
            assert await stands_open(await Door(client).post(path, BODIES[path], headers)) == 404
    assert rule.asked == []


async def test_other_questions_than_the_two_have_no_answer(door: Door, rule: Asked) -> None:
    for callback in ("check_event_for_spam", "accept_make_join", "federated_user_may_invite", "", "ping/x"):
        assert await stands_open(await door.post(f"{PREFIX}/{callback}", {})) == 404
    for path in BODIES:
        assert await stands_open(await door.client.get(path, headers=AUTH)) == 404
    assert rule.asked == []


# What is asked and answered


async def test_the_ping_of_the_module_is_answered_as_it_wants(door: Door) -> None:
    response = await door.post(PING, {"id": "AbCdEfGh"})
    assert (response.status, await response.json()) == (200, {"id": "AbCdEfGh", "status": "ok"})


async def test_the_rule_is_asked_about_who_acts_and_where(door: Door, rule: Asked) -> None:
    assert await door.join(ZOE, "!a:example.org") is None
    assert await door.invite(ZOE, "!b:example.org", invitee="@mia:far.test") is None
    assert rule.asked == [(ZOE, "!a:example.org"), (ZOE, "!b:example.org")]
    rule.answer = False
    assert await door.join(ZOE) == NO_JOINING
    assert await door.invite(ZOE) == NO_INVITING


@pytest.mark.parametrize("path", [JOIN, INVITE])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        {},
        {"user": ZOE, "inviter": ZOE},
        {"user": 1, "inviter": [ZOE], "room": ROOM, "room_id": ROOM},
        {"user": ZOE, "inviter": ZOE, "room": None, "room_id": {}},
        {"user": "", "inviter": "", "room": ROOM, "room_id": ROOM},
        {"user": "@a\0b:x", "inviter": "@a\0b:x", "room": ROOM, "room_id": ROOM},
        {"user": ZOE, "inviter": ZOE, "room": "!\ud800", "room_id": "!\ud800"},
        {"user": "@" + "a" * 255, "inviter": "@" + "a" * 255, "room": ROOM, "room_id": ROOM},
    ],
    ids=str,
)  # fmt: skip
async def test_a_body_that_asks_nothing_is_refused(door: Door, rule: Asked, path: str, body: object) -> None:
    assert await stands_open(await door.post(path, body)) == 400
    assert rule.asked == []


async def test_a_body_that_is_too_large_is_refused(door: Door, rule: Asked) -> None:
    small = {"user": ZOE, "room": ROOM, "more": ""}
    small["more"] = "x" * (MOST_BYTES - len(json.dumps(small)))
    assert (await door.post(JOIN, small)).status == 200
    assert rule.asked == [(ZOE, ROOM)]
    large = {**small, "more": small["more"] + "x"}
    assert await stands_open(await door.post(JOIN, large)) == 413
    assert rule.asked == [(ZOE, ROOM)]


# What goes wrong is a yes


async def test_whatever_goes_wrong_is_a_yes_and_a_warning_without_names(
    door: Door, rule: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    rule.answer = LookupError(f"there is no {ZOE}")
    assert await door.join(ZOE) is None
    assert await door.invite(ZOE) is None
    warned = [record for record in caplog.records if record.name == "coterie.antispam"]
    assert [record.levelname for record in warned] == ["WARNING", "WARNING"]
    assert "LookupError" in warned[0].getMessage()
    assert "zoe" not in caplog.text
    assert "!" not in warned[0].getMessage()


async def test_nothing_that_is_logged_above_debug_names_anybody(
    door: Door, rule: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rule.answer = False
    assert await door.join(ZOE) == NO_JOINING
    assert [r.levelname for r in caplog.records if "zoe" in r.getMessage() or ROOM in r.getMessage()] == ["DEBUG"]


async def test_a_slow_database_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(antispam, "PATIENCE_S", 0.1)
    let_go = asyncio.Event()

    async def slow(user_id: str, room_id: str) -> bool:
        await let_go.wait()
        return False

    async with TestClient(site(Antispam(TOKEN, slow, slow))) as client, asyncio.timeout(5):
        assert await Door(client).join(ZOE) is None
        assert await Door(client).invite(ZOE) is None
        let_go.set()
        assert await Door(client).join(ZOE) == NO_JOINING


async def test_nobody_waits_for_a_connection_that_cannot_even_be_given_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(antispam, "PATIENCE_S", 0.1)
    let_go, ended = asyncio.Event(), asyncio.Event()

    async def hung(user_id: str, room_id: str) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            await let_go.wait()
            ended.set()
            raise OSError(f"{ZOE} was never told apart")

    async with TestClient(site(Antispam(TOKEN, hung, hung))) as client, asyncio.timeout(5):
        assert await Door(client).join(ZOE) is None
        assert not ended.is_set()
        let_go.set()
        await ended.wait()
        await asyncio.sleep(0)
    assert "zoe" not in caplog.text


# The rule


class House(Door):
    """The door before a real store."""

    def __init__(self, client: TestClient[Any, Any], store: Store, database: db.Database) -> None:
        super().__init__(client)
        self.store, self.database = store, database

    async def know(self, person: Member) -> str:
        async with self.store.unit() as unit:
            await unit.groups.save_member(person, unit.now)
        return person.user_id


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A group of ten seats with two members, behind the door."""
    async with db.opened(await empty_database(request.param, tmp_path)) as database:
        store = Store(database, SetClock().now)
        await group_exists(store, members=2)
        config = replace(
            CONFIG,
            appservice=replace(CONFIG.appservice, antispam_token=TOKEN),
            groups=replace(CONFIG.groups, backup_creator="@vault:example.org"),
        )
        async with TestClient(site(app._antispam(config, store))) as client:
            yield House(client, store, database)


OWN = [BOT, GHOST, "@_coterie_sender:example.org", "@vault:example.org"]


async def test_rooms_that_are_not_ours_are_nobody_of_ours_business(house: House) -> None:
    assert await house.join(ZOE, "!other:example.org") is None
    assert await house.invite(ZOE, "!other:example.org") is None


async def test_a_group_lets_in_up_to_the_cap(house: House) -> None:
    assert await house.join(ZOE) is None
    for number in range(3, 10):
        await house.know(member(number))
    assert await house.join(ZOE) is None
    await house.know(member(10, Presence.INVITED))
    before = await counts(house.database)
    assert await house.join(ZOE) == NO_JOINING
    assert await house.join(ZOE, is_invited=True) == NO_JOINING
    assert await house.join("@zoe:far.test") == NO_JOINING
    assert await counts(house.database) == before


async def test_a_live_code_keeps_its_seat(house: House) -> None:
    for number in range(3, 10):
        await house.know(member(number))
    assert await house.join(ZOE) is None
    async with house.store.unit() as unit:
        await unit.codes.add(Code("c1", GROUP.id, Number(1)), "hash", unit.now + 1)
    assert await house.join(ZOE) == NO_JOINING
    async with house.store.unit() as unit:
        await unit.codes.end("c1", "expired")
    assert await house.join(ZOE) is None


async def test_who_has_a_seat_comes_into_a_full_group(house: House) -> None:
    for number in range(3, 10):
        await house.know(member(number))
    invited = await house.know(member(10, Presence.INVITED))
    left = await house.know(member(12, Presence.LEFT))
    assert await house.join(invited, is_invited=True) is None
    assert await house.join(member(1).user_id) is None, "a new display name is asked about as well"
    assert await house.join(left) == NO_JOINING
    assert [await house.join(own) for own in OWN] == [None] * 4
    assert await house.join("@coterie_2:far.test") == NO_JOINING


async def test_who_was_banned_does_not_come_in(house: House) -> None:
    banned = await house.know(member(3, Presence.BANNED))
    assert await house.join(banned) == NO_JOINING
    assert await house.join(banned, DESK) == NO_JOINING


@pytest.mark.parametrize("status", [GroupStatus.CLOSING, GroupStatus.CLOSED])
async def test_a_group_that_closes_lets_nobody_in_who_is_not_there(house: House, status: GroupStatus) -> None:
    invited = await house.know(member(3, Presence.INVITED))
    async with house.store.unit() as unit:
        await unit.groups.save(replace(GROUP, status=status))
    assert await house.join(ZOE) == NO_JOINING
    assert await house.join(invited, is_invited=True) == NO_JOINING
    assert await house.join(member(1).user_id) is None
    assert await house.join(BOT) is None


async def test_the_desk_is_for_concierges(house: House) -> None:
    concierge = await house.know(replace(member(3, Presence.INVITED), power=50))
    gone = await house.know(replace(member(4, Presence.BANNED), power=50))
    assert await house.join(concierge, DESK) is None
    assert await house.join(gone, DESK) == NO_JOINING
    assert await house.join(member(1).user_id, DESK) == NO_JOINING
    assert await house.join(ZOE, DESK) == NO_JOINING
    assert [await house.join(own, DESK) for own in OWN] == [None] * 4


async def test_a_direct_room_is_for_its_person(house: House) -> None:
    direct = RoomId("!direct:example.org")
    async with house.store.unit() as unit:
        await unit.rooms.add(Room(direct, RoomKind.DIRECT, ZOE))
    assert await house.join(ZOE, direct) is None
    assert await house.join(member(1).user_id, direct) == NO_JOINING
    assert [await house.join(own, direct) for own in OWN] == [None] * 4
    assert await house.invite(ZOE, direct) == NO_INVITING


@pytest.mark.parametrize("room", [ROOM, DESK])
async def test_nobody_but_the_service_invites_into_our_rooms(house: House, room: str) -> None:
    owner = await house.know(replace(member(3), power=100))
    for person in (owner, member(1).user_id, ZOE):
        assert await house.invite(person, room) == NO_INVITING
    assert [await house.invite(own, room) for own in OWN] == [None] * 4


async def test_the_door_stays_open_where_a_room_is_of_a_group_that_is_gone(house: House) -> None:
    async with house.store.unit() as unit:
        await unit.rooms.add(Room(RoomId("!odd:example.org"), RoomKind.GROUP, "gone"))
    assert await house.join(ZOE, "!odd:example.org") is None


async def test_it_is_answered_while_somebody_writes(house: House) -> None:
    async with house.store.unit() as unit:
        await unit.groups.lock(GROUP.id)
        async with asyncio.timeout(2):
            assert await house.join(ZOE) is None
            assert await house.invite(ZOE) == NO_INVITING
