"""The fake homeserver's encryption: endpoints as Synapse has them, and people's devices."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_bot import ANA, BEN, PIA, Bot, ana, ben, bot, hs, room
from tests.flows.homeserver_device import SIGNED, Unreadable, sign
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_people import Person
from tests.flows.homeserver_spec import load_validator

__all__ = ["ana", "ben", "bot", "hs", "room"]


# ---- endpoints -----------------------------------------------------------------------------
async def test_a_device_is_made_shown_and_deleted_with_its_keys(hs: FakeHomeserver, bot: Bot) -> None:
    assert (await bot.call("PUT", "/devices/TWO", {"display_name": "spare"}))[0] == 201
    assert (await bot.call("PUT", "/devices/TWO", {}))[0] == 200
    assert (await bot.good("GET", "/devices/TWO"))["display_name"] == "spare"
    assert {device["device_id"] for device in (await bot.good("GET", "/devices"))["devices"]} == {"BOT", "TWO"}
    await bot.good("DELETE", "/devices/BOT", device_id="TWO")
    assert (await bot.call("GET", "/devices/BOT", device_id="TWO"))[0] == 404
    assert (await bot.call("GET", "/account/whoami"))[1]["errcode"] == "M_UNKNOWN_DEVICE"
    found = await bot.good("POST", "/keys/query", {"device_keys": {hs.bot: []}}, device_id="TWO")
    assert found["device_keys"] == {hs.bot: {}}


async def test_a_one_time_key_is_not_replaced_under_its_id(hs: FakeHomeserver, bot: Bot) -> None:
    new = {f"{SIGNED}:NEW": sign(bot.device.account, hs.bot, "BOT", {"key": "one"})}
    assert (await bot.good("POST", "/keys/upload", {"one_time_keys": new}))["one_time_key_counts"] == {SIGNED: 6}
    assert (await bot.good("POST", "/keys/upload", {"one_time_keys": new}))["one_time_key_counts"] == {SIGNED: 6}
    other = {f"{SIGNED}:NEW": sign(bot.device.account, hs.bot, "BOT", {"key": "two"})}
    status, answer = await bot.call("POST", "/keys/upload", {"one_time_keys": other})
    assert status == 400 and "already exists" in answer["error"]
    assert hs.world.keys.one_time[hs.bot, "BOT"][f"{SIGNED}:NEW"]["key"] == "one"


async def test_keys_that_are_badly_signed_are_reported(hs: FakeHomeserver, bot: Bot) -> None:
    hs.assert_conformant()
    bad = {f"{SIGNED}:BAD": {**sign(bot.device.account, hs.bot, "BOT", {"key": "one"}), "key": "two"}}
    await bot.good("POST", "/keys/upload", {"one_time_keys": bad})
    with pytest.raises(AssertionError, match="BAD is not signed"):
        hs.assert_conformant()


async def test_one_time_keys_are_used_up_in_order_and_then_the_fallback_key(hs: FakeHomeserver, bot: Bot) -> None:
    uploaded = [key["key"] for key in hs.world.keys.one_time[hs.bot, "BOT"].values()]
    assert (await bot.sync())["device_unused_fallback_key_types"] == [SIGNED]
    claimed = [next(iter(found.values())) for found in hs.crypto.exhaust(hs.bot, claims=60)]
    assert len(claimed) == 60 and [key["key"] for key in claimed[:5]] == uploaded
    assert all(key["fallback"] is True for key in claimed[5:])
    answer = await bot.sync()
    assert answer["device_one_time_keys_count"] == {SIGNED: 0} and answer["device_unused_fallback_key_types"] == []


async def test_without_a_fallback_key_nothing_can_be_claimed_any_more(hs: FakeHomeserver) -> None:
    async with aiohttp.ClientSession() as session:
        bot = Bot(hs, session)
        await bot.begin(fallback=False)
        assert len(hs.crypto.exhaust(hs.bot, claims=60)) == 5
        wanted = {"one_time_keys": {hs.bot: {"BOT": SIGNED}}}
        assert (await bot.good("POST", "/keys/claim", wanted))["one_time_keys"] == {}


async def test_cross_signing_keys_are_shown_but_the_user_signing_key_only_to_its_owner(
    hs: FakeHomeserver, bot: Bot, ana: Person
) -> None:
    ana.verify()
    ana.add_device()
    found = await bot.good("POST", "/keys/query", {"device_keys": {ANA: [], "@nobody:fake.test": []}})
    assert found["device_keys"]["@nobody:fake.test"] == {} and len(found["device_keys"][ANA]) == 2
    assert found["master_keys"][ANA]["usage"] == ["master"] and ANA in found["self_signing_keys"]
    assert found["user_signing_keys"] == {} and found["failures"] == {}
    signed = {name: len(keys["signatures"][ANA]) for name, keys in found["device_keys"][ANA].items()}
    assert sorted(signed.values()) == [1, 2]


async def test_to_device_messages_are_sent_once_for_each_transaction(hs: FakeHomeserver, bot: Bot, ana: Person) -> None:
    body = {"messages": {ANA: {"*": {"text": "hello"}}}}
    ana.add_device()
    for _ in range(2):
        await bot.good("PUT", "/sendToDevice/m.dummy/1", body)
    await bot.good("PUT", "/sendToDevice/m.dummy/2", body)
    assert [len(device.received) for device in ana.devices] == [2, 2]


async def test_account_data_and_filters_are_kept(hs: FakeHomeserver, bot: Bot) -> None:
    own = f"/user/{quote(hs.bot)}"
    assert (await bot.call("GET", f"{own}/account_data/m.some"))[0] == 404
    await bot.good("PUT", f"{own}/account_data/m.some", {"key": "value"})
    assert await bot.good("GET", f"{own}/account_data/m.some") == {"key": "value"}
    assert (await bot.call("PUT", f"/user/{quote(ANA)}/account_data/m.some", {}))[0] == 403
    wanted = {"room": {"rooms": []}, "account_data": {"not_types": ["*"]}, "presence": {"types": []}}
    filter_id = (await bot.good("POST", f"{own}/filter", wanted))["filter_id"]
    assert "next_batch" in await bot.good("GET", "/sync", filter=filter_id)
    assert (await bot.call("GET", "/sync"))[1]["errcode"] == "M_UNRECOGNIZED"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("file", "path", "body"),
    [
        ("device_management", "GET /devices", None),
        ("device_management", "GET /devices/{deviceId}", None),
        ("keys", "POST /keys/upload", {}),
        ("keys", "POST /keys/query", {"device_keys": {ANA: [], PIA: []}}),
        ("keys", "POST /keys/claim", {"one_time_keys": {ANA: {"DEVICE1": SIGNED}}}),
        ("to_device", "PUT /sendToDevice/{eventType}/{txnId}", {"messages": {ANA: {"*": {}}}}),
    ],
)
async def test_answers_are_as_the_spec_has_them(
    hs: FakeHomeserver, bot: Bot, ana: Person, file: str, path: str, body: Json | None
) -> None:
    validator = load_validator()
    if validator is None:
        pytest.skip("the spec's schemas are not at hand")
    ana.verify()
    hs.crypto.fail_server("remote.test")
    method, template = path.split(" ")
    concrete = template.replace("{deviceId}", "BOT").replace("{eventType}", "m.dummy").replace("{txnId}", "1")
    answer = _without_nulls(await bot.good(method, concrete, body))  # Synapse has them where the spec has no key
    where = f"/paths/{template.replace('/', '~1')}/{method.lower()}/responses/200/content/application~1json/schema"
    spec: Any = validator.__self__  # type: ignore[attr-defined]
    spec.check(answer, f"data/api/client-server/{file}.yaml", where)


# ---- people --------------------------------------------------------------------------------
async def test_the_service_reads_what_people_say(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    first = ana.say(room, "+2")
    reply = ana.say(room, "+3", reply_to=first)
    await bot.sync()
    assert [bot.reads(event) for event in (first, reply)] == ["+2", "+3"]
    wire = hs.event(reply).client()
    assert wire["type"] == "m.room.encrypted" and "body" not in wire["content"]
    assert wire["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": first}}
    assert hs.event(hs.user(BEN).react(room, first, "+1")).client()["type"] == "m.reaction"
    assert hs.timeline(room) == [(ANA, "+2"), (ANA, "+3")]
    edit = ana.edit(room, first, "+4")
    ana.redact(room, reply)
    assert bot.reads(edit) == "* +4" and hs.timeline(room) == [(ANA, "+4")]
    assert hs.event(reply).client()["content"] == {} and hs.event(reply).delivered(stored=False)["content"] != {}


async def test_people_read_what_the_service_says(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    second = ana.add_device()
    said = await bot.say(room, "Welcome", to=[ANA, BEN])
    assert hs.timeline(room) == [(hs.bot, "Welcome")] and ana.heard(room) == ["Welcome"]
    assert hs.event(said).client()["type"] == "m.room.encrypted"
    session = bot.device.outbound[room].session.session_id
    got = {(key.user, key.device, key.index) for key in hs.crypto.keys_sent if key.session == session}
    ben = hs.user(BEN).device
    assert got == {(ANA, ana.device.device_id, 0), (ANA, second.device_id, 0), (BEN, ben.device_id, 0)}
    hs.assert_conformant()


async def test_who_is_joined_and_cannot_read_is_reported(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    await bot.say(room, "Welcome", to=[ANA])
    assert ana.heard(room) == ["Welcome"]
    with pytest.raises(AssertionError, match=f"{BEN} cannot read .* never got the key"):
        hs.user(BEN).heard(room)
    with pytest.raises(AssertionError, match=f"{BEN} cannot read"):
        hs.assert_conformant()
    hs.crypto.excuse(BEN)
    assert hs.user(BEN).heard(room) == []
    hs.assert_conformant()


async def test_what_nobody_can_read_is_no_empty_room(hs: FakeHomeserver, bot: Bot, room: str) -> None:
    await bot.say(room, "Welcome", to=[])
    with pytest.raises(AssertionError, match="read by nobody"):
        hs.timeline(room)


async def test_a_key_for_somebody_who_is_not_joined_is_reported(hs: FakeHomeserver, bot: Bot, room: str) -> None:
    await bot.say(room, "Welcome", to=[ANA, BEN, PIA])
    with pytest.raises(AssertionError, match=f"not joined.*{PIA}"):
        hs.assert_conformant()


async def test_two_peoples_devices_understand_each_other(
    hs: FakeHomeserver, ana: Person, ben: Person, room: str
) -> None:
    hs.crypto.everyone = True
    assert ben.reads(ana.say(room, "Hello"))["body"] == "Hello"
    assert ana.reads(ben.say(room, "Hello, ana"))["body"] == "Hello, ana"
    late = ben.add_device()
    known = late.inbound
    ana.say(room, "again")
    assert [inbound.session.first_known_index for inbound in known.values()] == [1]


async def test_who_has_left_reads_nothing_more(hs: FakeHomeserver, ana: Person, ben: Person, room: str) -> None:
    hs.crypto.everyone = True
    ana.say(room, "Hello")
    ben.leave(room)
    with pytest.raises(Unreadable, match="never got the key"):
        ben.reads(ana.say(room, "They have gone"))


async def test_a_copy_of_the_state_stands_on_its_own(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    ana.say(room, "one")
    keys, secrets = copy.deepcopy((hs.world.keys, hs.world.secrets))
    said = ana.say(room, "two")
    index = hs.world.secrets.devices[ANA][0].outbound[room].session.message_index
    assert (secrets.devices[ANA][0].outbound[room].session.message_index, index) == (1, 2)
    hs.world.keys, hs.world.secrets = keys, secrets
    assert ana.say(room, "three") != said and ana.device.outbound[room].session.message_index == 2


async def test_a_picture_in_an_encrypted_room_is_encrypted(hs: FakeHomeserver, ana: Person, room: str) -> None:
    content = hs.event(ana.image(room, data=b"picture")).content
    assert "url" not in content and hs.world.media[content["file"]["url"].rpartition("/")[2]][0] != b"picture"
    assert hs.sealed_file(content) == (b"picture", "image/png")
