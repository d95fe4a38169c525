"""What can be made to go wrong with encrypted messages and keys in the fake homeserver."""

from __future__ import annotations

import time

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_bot import ANA, BEN, PIA, Bot, ana, ben, bot, hs, room
from tests.flows.homeserver_device import Unreadable
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person

__all__ = ["ana", "ben", "bot", "hs", "room"]


async def test_keys_are_held_back_and_released_in_order(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    rule = hs.crypto.hold(sender=ana)
    said = ana.say(room, "+2")
    hs.crypto.send_to_device(ANA, "m.dummy", {hs.bot: {"BOT": {}}})
    assert "to_device" not in await bot.sync()
    with pytest.raises(Unreadable):
        bot.reads(said)
    rule.release()
    found = (await bot.sync())["to_device"]["events"]
    assert [event["type"] for event in found] == ["m.room.encrypted", "m.dummy"] and bot.reads(said) == "+2"


async def test_keys_of_the_service_arrive_late(hs: FakeHomeserver, bot: Bot, ben: Person, room: str) -> None:
    rule = hs.crypto.hold(to=BEN)
    await bot.say(room, "Welcome", to=[ANA, BEN])
    with pytest.raises(AssertionError):
        hs.assert_conformant()
    rule.release()
    assert ben.heard(room) == ["Welcome"]
    hs.assert_conformant()


async def test_keys_are_lost_or_come_twice(hs: FakeHomeserver, bot: Bot, ana: Person, ben: Person, room: str) -> None:
    lost = hs.crypto.drop(sender=ana)
    said = ana.say(room, "+2")
    assert "to_device" not in await bot.sync() and lost.struck == 1
    with pytest.raises(Unreadable):
        bot.reads(said)
    hs.crypto.duplicate(sender=ben)
    ben.say(room, "+3")
    first, again = hs.world.keys.queues[hs.bot, "BOT"]
    assert first[1] == again[1]


async def test_messages_that_nobody_should_believe(
    hs: FakeHomeserver, bot: Bot, ana: Person, ben: Person, room: str
) -> None:
    said = ana.say(room, "+2")
    later = ben.mischief.unshared(room, "+7")
    again = ana.mischief.replay(room, said)
    borrowed = ben.mischief.replay(room, said)
    damaged = ana.mischief.corrupted(room, "+3")
    elsewhere = ana.mischief.sealed(room, "+4", inside={"room_id": "!other"})
    await bot.sync()
    assert bot.reads(said) == "+2"
    for event, reason in (
        (later, "never got the key"),
        (again, "was \\$"),
        (borrowed, "one of @ana"),
        (damaged, "from index 0"),
        (elsewhere, "written for room !other"),
    ):
        with pytest.raises(Unreadable, match=reason):
            bot.reads(event)
    ben.mischief.share(room)
    await bot.sync()
    assert bot.reads(later) == "+7"
    clear = hs.event(ana.say(room, "+9", clear=True)).client()
    assert (clear["type"], clear["content"]["body"]) == ("m.room.message", "+9")


async def test_one_index_for_two_messages(hs: FakeHomeserver, bot: Bot, ana: Person, room: str) -> None:
    first, second = ana.mischief.twice(room, "+1", "+100")
    await bot.sync()
    assert bot.reads(first) == "+1"
    with pytest.raises(Unreadable, match="index 0"):
        bot.reads(second)


async def test_keys_that_nobody_should_believe(
    hs: FakeHomeserver, bot: Bot, ana: Person, ben: Person, room: str
) -> None:
    said = ana.say(room, "+2")
    session = ana.device.outbound[room].session.session_id
    ben.mischief.forged_key(room, session)
    with pytest.raises(Unreadable, match="under the name"):
        await bot.sync()
    ben.mischief.impersonated_key(room, ANA)
    with pytest.raises(Unreadable, match="was sent what names"):
        await bot.sync()
    ben.mischief.stolen_key(room, ana.device)
    ben.mischief.request_key(room, session)
    found = [event["type"] for event in (await bot.sync())["to_device"]["events"]]
    assert found == ["m.room.encrypted", "m.room_key_request"] and bot.reads(said) == "+2"


async def test_a_person_writes_with_another_device_or_none(
    hs: FakeHomeserver, bot: Bot, ana: Person, room: str
) -> None:
    old, new = ana.device, ana.add_device(is_verified=True)
    ana.use(new)
    said = ana.say(room, "+2")
    await bot.sync()
    assert bot.reads(said) == "+2" and hs.event(said).client()["content"]["device_id"] == new.device_id
    ana.remove_device(old)
    assert ana.devices == [new]


async def test_a_remote_server_that_cannot_be_asked_is_among_the_failures(hs: FakeHomeserver, bot: Bot) -> None:
    device = hs.user(PIA).device
    hs.crypto.fail_server("remote.test", after=0.1)
    began = time.monotonic()
    found = await bot.good("POST", "/keys/query", {"device_keys": {PIA: [], ANA: []}})
    assert set(found["failures"]) == {"remote.test"} and set(found["device_keys"]) == {ANA}
    assert time.monotonic() - began >= 0.1
    wanted = {"one_time_keys": {PIA: {device.device_id: "signed_curve25519"}}}
    claimed = await bot.good("POST", "/keys/claim", wanted)
    assert set(claimed["failures"]) == {"remote.test"} and claimed["one_time_keys"] == {}
    hs.crypto.heal_server("remote.test")
    assert PIA in (await bot.good("POST", "/keys/claim", wanted))["one_time_keys"]


async def test_requests_for_keys_are_limited_like_any_other(hs: FakeHomeserver, bot: Bot) -> None:
    hs.faults.on_request(Fault.ERROR_429, match="keys/query")
    status, answer = await bot.call("POST", "/keys/query", {"device_keys": {ANA: []}})
    assert (status, answer["errcode"], answer["retry_after_ms"]) == (429, "M_LIMIT_EXCEEDED", 100)
    assert (await bot.call("POST", "/keys/query", {"device_keys": {ANA: []}}))[0] == 200
