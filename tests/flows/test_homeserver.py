"""The fake homeserver itself, against a service of a few lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from tests.flows.homeserver import FakeHomeserver, NotQuiet
from tests.flows.homeserver_events import INVITE_BLOCKED, UNKNOWN_USER, UNREACHABLE, Json, Refused
from tests.flows.homeserver_faults import Fault

ANA, BEN = "@ana:fake.test", "@ben:remote.test"
GROUP = {
    "preset": "private_chat",
    "room_version": "12",
    "name": "Friends of wool",
    "initial_state": [
        {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    ],
    "power_level_content_override": {"invite": 150, "users": {ANA: 50}},
}


@dataclass
class Tiny:
    """A service that remembers its transactions and talks to the homeserver as the bot."""

    hs: FakeHomeserver
    session: aiohttp.ClientSession
    transactions: list[tuple[str, list[str]]] = field(default_factory=list)
    events: dict[str, Json] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    async def transaction(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer hs-token"
        if self.statuses:
            return web.json_response({}, status=self.statuses.pop(0))
        events = (await request.json())["events"]
        self.transactions.append((request.match_info["txn"], [event["event_id"] for event in events]))
        self.events |= {event["event_id"]: event for event in events}
        return web.json_response({})

    async def ping(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def call(
        self, method: str, path: str, body: Any = None, *, user: str | None = None, **query: str
    ) -> tuple[int, Json]:
        """Status and JSON; path elements are already quoted. Status 0: the connection was cut."""
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        url = self.hs.url + (path if path.startswith("/_") else f"/_matrix/client/v3{path}")
        try:
            async with self.session.request(
                method,
                URL(url, encoded=True).update_query(user_id=user or self.hs.bot, **query),
                data=None if method == "GET" else data,
                headers={"Authorization": f"Bearer {self.hs.as_token}"},
            ) as response:
                return response.status, await response.json(content_type=None) if response.ok or (
                    response.content_type == "application/json"
                ) else {}
        except aiohttp.ClientError:
            return 0, {}

    async def make_group(self) -> str:
        status, answer = await self.call("POST", "/createRoom", GROUP)
        assert status == 200
        return str(answer["room_id"])

    async def say(self, room: str, txn: str, body: str = "hello", **query: str) -> tuple[int, Json]:
        content = {"msgtype": "m.notice", "body": body}
        return await self.call("PUT", f"/rooms/{quote(room)}/send/m.room.message/{txn}", content, **query)


@pytest.fixture
async def hs() -> AsyncIterator[FakeHomeserver]:
    async with FakeHomeserver() as server:
        server.user(ANA)
        server.user(BEN)
        yield server


@pytest.fixture
async def tiny(hs: FakeHomeserver) -> AsyncIterator[Tiny]:
    async with aiohttp.ClientSession() as session:
        service = Tiny(hs, session)
        app = web.Application()
        app.router.add_put("/_matrix/app/v1/transactions/{txn}", service.transaction)
        app.router.add_post("/_matrix/app/v1/ping", service.ping)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hs.connect(f"http://127.0.0.1:{runner.addresses[0][1]}")
        register = {"type": "m.login.application_service", "username": "coterie"}
        assert (await service.call("POST", "/register", register))[0] == 200
        await service.call("PUT", "/devices/BOT")
        yield service
        await runner.cleanup()


async def quiet(hs: FakeHomeserver) -> None:
    await hs.quiet(timeout=3, settle=0.02)


async def test_an_account_registers_once_and_only_in_the_namespace(hs: FakeHomeserver, tiny: Tiny) -> None:
    again = {"type": "m.login.application_service", "username": "coterie"}
    assert (await tiny.call("POST", "/register", again))[1]["errcode"] == "M_USER_IN_USE"
    assert (await tiny.call("POST", "/register", {**again, "username": "ana"}))[1]["errcode"] == "M_EXCLUSIVE"
    assert (await tiny.call("GET", "/account/whoami", device_id="BOT"))[1]["device_id"] == "BOT"
    assert (await tiny.call("GET", "/account/whoami", user=ANA))[0] == 403
    assert (await tiny.call("GET", "/account/whoami", device_id="NONE"))[1]["errcode"] == "M_UNKNOWN_DEVICE"
    assert (await tiny.call("GET", "/account/whoami", user="@coterie_ghost:fake.test"))[0] == 403


async def test_a_created_room_is_as_synapse_makes_it(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = hs.room(await tiny.make_group())
    assert ":" not in room.room_id and room.events[0].event_id == "$" + room.room_id[1:]
    assert room.content("m.room.guest_access") == {"guest_access": "can_join"}
    assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
    levels = room.content("m.room.power_levels")
    assert levels["invite"] == 150 and levels["users"] == {ANA: 50} and levels["events"]["m.room.tombstone"] == 150
    hs.assert_conformant()
    listed = {**GROUP, "power_level_content_override": {"users": {hs.bot: 100}}}
    assert (await tiny.call("POST", "/createRoom", listed))[0] == 400
    assert len(hs.world.rooms) == 1


async def test_only_the_creator_can_invite_where_invite_is_150(hs: FakeHomeserver, tiny: Tiny) -> None:
    room, ana = await tiny.make_group(), hs.user(ANA)
    invite = f"/rooms/{quote(room)}/invite"
    with pytest.raises(Refused, match="not invited"):
        ana.join(room)
    assert (await tiny.call("POST", invite, {"user_id": ANA}))[0] == 200
    ana.join(room)
    with pytest.raises(Refused, match="permission to invite"):
        ana.invite(room, BEN)
    assert (await tiny.call("POST", invite, {"user_id": ANA}))[1]["error"] == f"{ANA} is already in the room."
    assert ana.put_state(room, "m.room.name", {"name": "Wool"})
    with pytest.raises(Refused, match="permission"):
        ana.put_state(room, "m.room.power_levels", {})
    assert (await tiny.call("POST", f"/rooms/{quote(room)}/kick", {"user_id": ANA}))[0] == 200
    assert hs.room(room).members == {hs.bot: "join", ANA: "leave"}


async def test_invitations_can_be_refused(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    for refusal, status in ((INVITE_BLOCKED, 403), (UNKNOWN_USER, 404), (UNREACHABLE, 502)):
        hs.refuse_invites("remote.test", refusal)
        got = await tiny.call("POST", f"/rooms/{quote(room)}/invite", {"user_id": BEN})
        assert got == (status, {"errcode": refusal.errcode, "error": refusal.error})
    hs.refuse_invites("remote.test", None)
    assert (await tiny.call("POST", f"/rooms/{quote(room)}/invite", {"user_id": BEN}))[0] == 200


async def test_sends_are_idempotent_and_with_a_device_over_a_restart(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    with_device = [await tiny.say(room, "t1", device_id="BOT") for _ in range(2)]
    without = [await tiny.say(room, "t2") for _ in range(2)]
    assert with_device[0] == with_device[1] and without[0] == without[1]
    hs.restart()
    assert await tiny.say(room, "t1", device_id="BOT") == with_device[0]
    assert await tiny.say(room, "t2") != without[0]
    assert len(hs.timeline(room)) == 3


async def test_the_same_reaction_twice_and_the_same_state_twice(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    event_id = (await tiny.say(room, "t1"))[1]["event_id"]
    content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event_id, "key": "+1"}}
    path = f"/rooms/{quote(room)}/send/m.reaction/"
    first = (await tiny.call("PUT", path + "r1", content))[1]["event_id"]
    assert (await tiny.call("PUT", path + "r2", content))[1]["errcode"] == "M_DUPLICATE_ANNOTATION"
    assert hs.bot_reactions(event_id) == ["+1"]
    await tiny.call("PUT", f"/rooms/{quote(room)}/redact/{quote(first)}/x1", {})
    assert hs.bot_reactions(event_id) == [] and hs.event(first).content == {}
    assert (await tiny.call("PUT", path + "r3", content))[0] == 200
    state = f"/rooms/{quote(room)}/state/shop.coterie.group_buy/a%2Fb"
    ids = [(await tiny.call("PUT", state, {"status": "open"}))[1]["event_id"] for _ in range(2)]
    assert ids[0] == ids[1] and hs.room(room).content("shop.coterie.group_buy", "a/b") == {"status": "open"}
    assert await tiny.call("GET", state) == (200, {"status": "open"})


@pytest.mark.parametrize(
    ("extra", "status", "errcode"),
    [
        ({"price": 1.5}, 400, "M_BAD_JSON"),
        ({"price": 2**53}, 400, "M_BAD_JSON"),
        ({"name": "a\x00b"}, 400, "M_BAD_JSON"),
        ({"name": "a\ud800b"}, 400, "M_BAD_JSON"),
        ({"body": "x" * 65_500}, 413, "M_TOO_LARGE"),
        ({"body": None}, 400, "M_UNKNOWN"),
    ],
)
async def test_content_that_synapse_refuses_is_refused_and_reported(
    hs: FakeHomeserver, tiny: Tiny, extra: Json, status: int, errcode: str
) -> None:
    room = await tiny.make_group()
    content = {"msgtype": "m.text", "body": "x", **extra}
    got = await tiny.call("PUT", f"/rooms/{quote(room)}/send/m.room.message/t1", content)
    assert (got[0], got[1]["errcode"]) == (status, errcode)
    assert hs.timeline(room) == []
    with pytest.raises(AssertionError, match=errcode):
        hs.assert_conformant()


async def test_an_unknown_endpoint_is_a_failure(hs: FakeHomeserver, tiny: Tiny) -> None:
    assert (await tiny.call("POST", "/publicRooms"))[0] == 404
    assert (await tiny.call("DELETE", "/joined_rooms"))[0] == 405
    assert [str(request) for request in hs.sent[-2:]] == [
        "POST /_matrix/client/v3/publicRooms 404 M_UNRECOGNIZED",
        "DELETE /_matrix/client/v3/joined_rooms 405 M_UNRECOGNIZED",
    ]
    assert len(hs.failures) == 2


async def test_events_are_delivered_in_order_from_where_the_bot_is_joined(hs: FakeHomeserver, tiny: Tiny) -> None:
    ana = hs.user(ANA)
    direct = ana.create_direct(hs.bot)
    ana.say(direct, "before the bot joined")
    await quiet(hs)
    (invitation,) = tiny.events.values()
    assert invitation["content"]["is_direct"] is True and invitation["state_key"] == hs.bot
    assert (await tiny.call("POST", f"/join/{quote(direct)}"))[0] == 200
    said = [ana.say(direct, f"no. {n}") for n in range(5)]
    odd = ana.say(direct, "\x00\ud800" + "x" * 60_000, price=1.5)
    await quiet(hs)
    assert [event_id for _, ids in tiny.transactions for event_id in ids][2:] == [*said, odd]
    assert tiny.events[odd]["content"]["body"].startswith("\x00\ud800")
    assert tiny.events[said[0]]["unsigned"]["age"] == 20
    await tiny.say(direct, "t1")
    await quiet(hs)
    assert list(tiny.events.values())[-1]["sender"] == hs.bot


async def test_a_transaction_is_retried_under_its_id_until_it_is_accepted(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    await quiet(hs)
    tiny.transactions.clear()
    tiny.statuses, hs.delivery.lose_answers, hs.delivery.cuts = [500, 413], 1, 1
    first = (await tiny.say(room, "t1"))[1]["event_id"]
    second = (await tiny.say(room, "t2"))[1]["event_id"]
    await quiet(hs)
    txns = [txn for txn, ids in tiny.transactions if first in ids]
    assert len(txns) >= 2 and len(set(txns)) == 1
    assert tiny.transactions[-1][1] == [second]
    assert [event.event_id for event in hs.delivery.delivered][-2:] == [first, second]


async def test_deliveries_can_be_paused_split_merged_shuffled_doubled_and_renumbered(
    hs: FakeHomeserver, tiny: Tiny
) -> None:
    room = await tiny.make_group()
    await quiet(hs)
    tiny.transactions.clear()
    hs.pause_delivery()
    ids = [(await tiny.say(room, f"t{n}"))[1]["event_id"] for n in range(6)]
    await quiet(hs)
    assert tiny.transactions == []
    hs.delivery.reorder, hs.delivery.duplicate = True, "new"
    hs.delivery.restart_ids()
    hs.resume()
    await quiet(hs)
    (one, first), (two, again) = tiny.transactions
    assert (one, two) == ("1", "2") and first == again != ids and sorted(first) == sorted(ids)
    hs.delivery.calm()
    hs.delivery.batch = "single"
    hs.delivery.redeliver(hs.delivery.delivered[-6:])
    await quiet(hs)
    assert [len(events) for _, events in tiny.transactions[2:]] == [1] * 6


async def test_what_was_redacted_while_the_service_was_away_arrives_empty(hs: FakeHomeserver, tiny: Tiny) -> None:
    ana, direct = hs.user(ANA), hs.user(ANA).create_direct(hs.bot)
    await tiny.call("POST", f"/join/{quote(direct)}")
    live = ana.say(direct, "live")
    ana.redact(direct, live)
    await quiet(hs)
    assert tiny.events[live]["content"]["body"] == "live"
    hs.pause_delivery()
    late = ana.say(direct, "late")
    redaction = ana.redact(direct, late)
    hs.resume()
    await quiet(hs)
    assert tiny.events[late]["content"] == {}
    assert tiny.events[late]["unsigned"]["redacted_because"]["event_id"] == redaction
    assert tiny.events[redaction]["content"]["redacts"] == late == tiny.events[redaction]["redacts"]


async def test_a_person_reads_only_what_was_sent_while_joined(hs: FakeHomeserver, tiny: Tiny) -> None:
    ana = hs.user(ANA)
    direct = {**GROUP, "is_direct": True, "invite": [ANA]}
    room = (await tiny.call("POST", "/createRoom", direct))[1]["room_id"]
    await tiny.say(room, "t1", "too early")
    assert [invited.room_id for invited in ana.invitations] == [room]
    ana.join_all()
    shown = (await tiny.say(room, "t2", "now"))[1]["event_id"]
    edit: Json = {"m.new_content": {"msgtype": "m.notice", "body": "then"}}
    edit |= {"msgtype": "m.notice", "body": "* then"}
    edit |= {"m.relates_to": {"rel_type": "m.replace", "event_id": shown}}
    await tiny.call("PUT", f"/rooms/{quote(room)}/send/m.room.message/t3", edit)
    ana.leave(room)
    await tiny.say(room, "t4", "too late")
    assert hs.direct_messages(ANA) == ["then"] == ana.heard(room)
    assert hs.timeline(room) == [(hs.bot, "too early"), (hs.bot, "then"), (hs.bot, "too late")]
    assert [e.body for e in ana.sees(room) if e.type == "m.room.message"] == ["now", "* then"]
    assert [event.content["membership"] for event in hs.events_by(ana)] == ["join", "leave"]
    assert len(hs.room(room).edits(shown)) == 1


async def test_auto_join_accepts_invitations_and_a_card_shows_its_newest_edit(hs: FakeHomeserver, tiny: Tiny) -> None:
    hs.user(BEN, displayname="Ben", auto_join=True)
    room = await tiny.make_group()
    await tiny.call("POST", f"/rooms/{quote(room)}/invite", {"user_id": BEN})
    await quiet(hs)
    assert hs.room(room).membership(BEN) == "join" and hs.room_named("Friends of wool").room_id == room
    path = f"/rooms/{quote(room)}/send/m.room.message/"
    card = {"msgtype": "m.notice", "body": "89", "shop.coterie.group_buy": {"price": 8900}}
    event_id = (await tiny.call("PUT", path + "c1", card))[1]["event_id"]
    relation = {"rel_type": "m.replace", "event_id": event_id}
    new = {"msgtype": "m.notice", "body": "79", "shop.coterie.group_buy": {"price": 7900}}
    await tiny.call("PUT", path + "c2", {**new, "m.new_content": new, "m.relates_to": relation})
    hs.assert_conformant()
    assert hs.card(room)["shop.coterie.group_buy"] == {"price": 7900}
    assert [event.event_id for event in hs.cards(room)] == [event_id]


async def test_requests_fail_as_told_before_or_after_they_are_applied(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    hs.faults.timeout = 0.01
    seen = {}
    for n, fault in enumerate((Fault.ERROR_500, Fault.ERROR_502, Fault.TIMEOUT, Fault.RESET)):
        hs.faults.on_request(fault, match="/send/")
        seen[fault] = (await tiny.say(room, f"a{n}"))[0]
    assert list(seen.values()) == [500, 502, 504, 0] and hs.timeline(room) == []
    for n, fault in enumerate((Fault.ANSWER_LOST, Fault.ANSWER_502)):
        hs.faults.on_request(fault, match="/send/")
        assert (await tiny.say(room, f"b{n}"))[0] in (0, 502)
        assert (await tiny.say(room, f"b{n}"))[0] == 200
        assert len(hs.timeline(room)) == n + 1
    hs.faults.on_request(Fault.HANG, nth=2)
    assert (await tiny.say(room, "c1"))[0] == 200
    hanging = asyncio.ensure_future(tiny.say(room, "c2"))
    with pytest.raises(NotQuiet, match="1 requests under way"):
        await hs.quiet(timeout=0.1, settle=0.02)
    hs.faults.clear()
    assert (await hanging)[0] == 200 and len(hs.timeline(room)) == 4  # aiohttp repeats a PUT that was cut
    hs.go_down()
    assert (await tiny.say(room, "c3"))[0] == 0
    hs.come_up()
    hs.faults.sometimes(0.5)
    assert len({(await tiny.say(room, f"d{n}"))[0] for n in range(30)}) > 2
    hs.faults.clear()
    assert [(await tiny.say(room, f"d{n}"))[0] for n in range(30)] == [200] * 30
    assert len(hs.timeline(room)) == 34


async def test_a_rate_limited_room_answers_429_and_counts_the_impatient(hs: FakeHomeserver, tiny: Tiny) -> None:
    room, other = await tiny.make_group(), await tiny.make_group()
    limit = hs.faults.rate_limit(room, 40, times=1)
    status, body = await tiny.say(room, "t1")
    assert status == 429 and body["retry_after_ms"] == 40 and body["errcode"] == "M_LIMIT_EXCEEDED"
    assert (await tiny.say(other, "t1"))[0] == 200 and limit.impatient == 0
    assert (await tiny.say(room, "t1"))[0] == 200 and limit.impatient == 1


async def test_reading_the_room_back(hs: FakeHomeserver, tiny: Tiny) -> None:
    room = await tiny.make_group()
    event_id = (await tiny.say(room, "t1"))[1]["event_id"]
    base = f"/rooms/{quote(room)}"
    assert (await tiny.call("GET", f"{base}/event/{quote(event_id)}"))[1]["content"]["body"] == "hello"
    assert (await tiny.call("GET", f"{base}/event/%24none"))[0] == 404
    assert list((await tiny.call("GET", f"{base}/joined_members"))[1]["joined"]) == [hs.bot]
    assert (await tiny.call("GET", "/joined_rooms"))[1] == {"joined_rooms": [room]}
    assert len((await tiny.call("GET", f"{base}/state"))[1]) == len(hs.room(room).state)
    page = (await tiny.call("GET", f"{base}/messages", dir="b", limit="3"))[1]
    rest = (await tiny.call("GET", f"{base}/messages", dir="b", limit="99", **{"from": page["end"]}))[1]
    ids = [event["event_id"] for event in page["chunk"] + rest["chunk"]]
    assert ids == [event.event_id for event in reversed(hs.room(room).events)]


async def test_media_and_ping(hs: FakeHomeserver, tiny: Tiny) -> None:
    _, body = await tiny.call("POST", "/_matrix/media/v3/upload", b"{}")
    media = body["content_uri"].removeprefix("mxc://")
    assert await tiny.call("GET", f"/_matrix/client/v1/media/download/{media}") == (200, {})
    assert (await tiny.call("GET", f"/_matrix/media/v3/download/{media}"))[0] == 404
    ping = "/_matrix/client/v1/appservice/coterie/ping"
    assert (await tiny.call("POST", ping, {"transaction_id": "p"}))[0] == 200
    hs.connect("http://127.0.0.1:9")
    assert (await tiny.call("POST", ping))[1]["errcode"] == "M_CONNECTION_FAILED"


async def test_what_breaks_the_spec_is_collected() -> None:
    def refuse_html(event: Json) -> None:
        assert "formatted_body" not in event["content"], "html"

    async with FakeHomeserver(validate=refuse_html) as hs:
        hs.world.account(hs.bot)
        room = hs.world.create_room(hs.bot, {}).room_id
        hs.assert_conformant()
        hs.world.send(hs.bot, room, "m.room.message", {"m.new_content": {"formatted_body": "<b>"}})
        with pytest.raises(AssertionError, match="html"):
            hs.assert_conformant()


async def test_any_member_makes_an_address_which_the_service_may_not_remove(hs: FakeHomeserver, tiny: Tiny) -> None:
    room, ana, ben = await tiny.make_group(), hs.user(ANA), hs.user(BEN)
    with pytest.raises(Refused, match="must be in the room"):
        ana.make_alias(room, "wool")
    for person in (ana, ben):
        assert (await tiny.call("POST", f"/rooms/{quote(room)}/invite", {"user_id": person.mxid}))[0] == 200
        person.join(room)
    events = len(hs.room(room).events)
    alias = ben.make_alias(room, "wool")
    assert len(hs.room(room).events) == events, "no event tells"
    aliases = f"/rooms/{quote(room)}/aliases"
    assert await tiny.call("GET", aliases) == (200, {"aliases": [alias]})
    removal = f"/directory/room/{quote(alias)}"
    assert (await tiny.call("DELETE", removal))[1]["errcode"] == "M_EXCLUSIVE"
    hs.world.removable_aliases.add(alias)
    assert (await tiny.call("DELETE", removal))[0] == 200
    assert await tiny.call("GET", aliases) == (200, {"aliases": []})
    assert (await tiny.call("DELETE", removal))[1]["errcode"] == "M_NOT_FOUND"


async def test_only_who_may_set_the_canonical_alias_puts_a_room_into_the_directory(
    hs: FakeHomeserver, tiny: Tiny
) -> None:
    room, ana = await tiny.make_group(), hs.user(ANA)
    listing = f"/directory/list/room/{quote(room)}"
    assert await tiny.call("GET", listing) == (200, {"visibility": "private"})
    with pytest.raises(Refused, match="moderator"):
        hs.user(BEN).publish(room)
    ana.publish(room)
    assert await tiny.call("GET", listing) == (200, {"visibility": "public"})
    assert (await tiny.call("PUT", listing, {"visibility": "private"}))[0] == 200
    assert await tiny.call("GET", listing) == (200, {"visibility": "private"})
    assert (await tiny.call("GET", "/directory/list/room/!x"))[0] == 404
