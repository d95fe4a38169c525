"""Who is given the bot's keys, and what other people's servers and devices cannot spoil for the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_crypto import KeySent
from tests.flows.homeserver_device import SIGNED, Unreadable
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import MINUTE, Service
from tests.flows.test_seats import force_in

pytestmark = pytest.mark.usefixtures("sealed")
Spoil = Callable[[dict[str, Any]], Any]


def given(play: Journey, since: int = 0) -> list[KeySent]:
    """The keys of the group's room that the bot has given away."""
    return [key for key in play.hs.crypto.keys_sent[since:] if key.room == play.group]


async def news(play: Journey, units: int = 1) -> str:
    """The bot says something in the group; gives the event."""
    await play.plus(play.otto, units)
    await play.settle()
    return play.bot_events(type="m.room.message")[-1].event_id


def reads(person: Person, event_id: str) -> bool:
    try:
        person.reads(event_id)
    except Unreadable:
        return False
    return True


async def test_keys_are_for_those_who_are_in_and_not_for_who_is_invited(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    pia = shop.person("pia", auto_join=False)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    assert pia.mxid in shop.room.invited
    before = await news(shop)
    assert not [key for key in hs.crypto.keys_sent if key.user == pia.mxid and key.room == shop.group]
    pia.join(shop.group)
    await shop.rest()
    after = await news(shop)
    assert reads(pia, after) and not reads(pia, before)
    assert {key.membership for key in hs.crypto.keys_sent} == {"join"}


@pytest.mark.parametrize("how", ["join", "leave", "kick", "ban", "new device", "removed device"])
async def test_whoever_comes_or_goes_the_bot_writes_in_a_new_session(
    engine: str, shop: Journey, hs: FakeHomeserver, how: str
) -> None:
    mia = shop.mia
    device = mia.add_device() if how == "removed device" else mia.device
    await shop.rest()
    await news(shop)
    same = given(shop)[-1].session
    await news(shop)
    assert given(shop)[-1].session == same, "nobody came or went"
    since = len(hs.crypto.keys_sent)
    if how == "join":
        mia = shop.person("pia")
        device = mia.device
        await shop.tell(shop.rosa, f"!invite {mia.mxid}")
    elif how == "leave":
        mia.leave(shop.group)
    elif how == "kick":
        shop.rosa.kick(shop.group, mia.mxid)
    elif how == "ban":
        shop.rosa.ban(shop.group, mia.mxid)
    elif how == "new device":
        device = mia.add_device()
    else:
        mia.remove_device(device)
    await shop.rest()
    said = await news(shop)
    new = given(shop, since)
    assert new and same not in {key.session for key in new}
    devices = {(key.user, key.device) for key in new if key.session == new[-1].session}
    assert {user for user, _ in devices} == shop.room.joined - {hs.bot}
    assert ((mia.mxid, device.device_id) in devices) == (how in ("join", "new device"))
    assert reads(mia, said) == (how in ("join", "new device", "removed device"))


async def test_a_device_whose_server_does_not_answer_gets_the_key_later_and_reads_from_there(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    pia = shop.person("@pia:remote.test")
    hs.crypto.fail_server("remote.test")
    hs.crypto.excuse(pia)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    missed = await news(shop)
    assert not reads(pia, missed) and reads(shop.ana, missed)
    hs.crypto.heal_server("remote.test")
    soon = await news(shop)
    assert not reads(pia, soon), "not asked again with every message"
    await service.wait(MINUTE)
    since = len(hs.crypto.keys_sent)
    later = await news(shop)
    assert reads(pia, later) and not reads(pia, missed) and not reads(pia, soon)
    [key] = given(shop, since)
    assert key.user == pia.mxid and key.index > 0
    assert reads(shop.ana, later)


async def test_who_is_put_out_by_the_bot_reads_nothing_of_what_it_says_then(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    await shop.fill()
    eve = shop.newcomer("eve")
    force_in(shop, eve)
    said = shop.posted()
    await shop.rest()
    assert eve.mxid not in shop.room.joined and shop.posted() == said
    since = len(hs.crypto.keys_sent)
    after = await news(shop)
    assert {key.user for key in given(shop, since)} == shop.room.joined - {hs.bot}
    assert reads(shop.ana, after) and not reads(eve, after)


@pytest.mark.parametrize("what", ["query", "claim"])
async def test_a_server_that_fails_in_one_step_alone_is_asked_again(
    shop: Journey, hs: FakeHomeserver, service: Service, what: str
) -> None:
    pia = shop.person("@pia:remote.test")
    hs.crypto.fail_server("remote.test", query=what == "query", claim=what == "claim")
    hs.crypto.excuse(pia)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    assert not reads(pia, await news(shop))
    hs.crypto.heal_server("remote.test")
    await service.wait(MINUTE)
    assert reads(pia, await news(shop))


async def test_who_has_left_meanwhile_is_not_given_the_key_that_they_missed(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    pia = shop.person("@pia:remote.test")
    hs.crypto.fail_server("remote.test")
    hs.crypto.excuse(pia)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    await news(shop)
    pia.leave(shop.group)
    await shop.rest()
    hs.crypto.heal_server("remote.test")
    await service.wait(MINUTE)
    await news(shop)
    assert not [key for key in given(shop) if key.user == pia.mxid]


def _only(found: dict[str, Any]) -> dict[str, Any]:
    value = next(iter(found.values()))
    assert isinstance(value, dict)
    return value


BROKEN_DEVICES: dict[str, Spoil] = {
    "no object": lambda devices: devices.update(dict.fromkeys(devices, 5)),
    "empty": lambda devices: devices.update({name: {} for name in devices}),
    "no keys": lambda devices: _only(devices).update(keys={}),
    "keys are a list": lambda devices: _only(devices).update(keys=[]),
    "no signature": lambda devices: _only(devices).update(signatures={}),
    "signatures are text": lambda devices: _only(devices).update(signatures="x"),
    "a bad signature": lambda devices: _only(devices).update(user_id="@pia:remote.test", algorithms=[]),
    "another's name": lambda devices: _only(devices).update(user_id="@ana:fake.test"),
    "long keys": lambda devices: _only(devices).update(
        keys={key: value + "A" * 99 for key, value in _only(devices)["keys"].items()}
    ),
    "NUL": lambda devices: devices.update({"\0": _only(devices)}),
}


@pytest.mark.parametrize("name", BROKEN_DEVICES)
async def test_broken_devices_of_one_person_keep_nobody_else_from_reading(
    engine: str, shop: Journey, hs: FakeHomeserver, name: str
) -> None:
    pia = shop.person("@pia:remote.test")
    hs.crypto.devices(pia.mxid)
    BROKEN_DEVICES[name](hs.world.keys.device_keys[pia.mxid])
    hs.crypto.excuse(pia)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    said = await news(shop)
    assert all(reads(person, said) for person in (shop.rosa, shop.ben, shop.ana, shop.otto, shop.mia))


@pytest.mark.parametrize(
    "key", [5, {}, [], "x", {"key": 5}, {"key": "\0"}, {"key": "A" * 43}, {"key": "A" * 43, "signatures": 5}], ids=str
)
async def test_broken_one_time_keys_of_one_person_keep_nobody_else_from_reading(
    engine: str, shop: Journey, hs: FakeHomeserver, key: Any
) -> None:
    pia = shop.person("@pia:remote.test")
    hs.crypto.devices(pia.mxid)
    slot = (pia.mxid, pia.device.device_id)
    hs.world.keys.one_time[slot] = {f"{SIGNED}:{number}": copy.deepcopy(key) for number in range(9)}
    hs.crypto.excuse(pia)
    await shop.tell(shop.rosa, f"!invite {pia.mxid}")
    said = await news(shop)
    assert not reads(pia, said)
    assert all(reads(person, said) for person in (shop.rosa, shop.ben, shop.ana, shop.otto, shop.mia))


async def test_two_hundred_devices_read_what_is_said(circle: Journey, hs: FakeHomeserver) -> None:
    for _ in range(200 - 5):
        circle.mia.add_device()
    await circle.rest()
    await circle.add_product()
    said = circle.product
    for device in circle.mia.devices:
        event = hs.event(said)
        device.unseal(event.event_id, event.room_id, event.sender, event.sealed or event.original)
    assert len({key.device for key in given(circle) if key.user == circle.mia.mxid}) == 196


async def test_who_begins_with_the_bot_while_it_is_down_is_read_though_its_one_time_keys_run_out(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    [slot] = [slot for slot in hs.world.keys.fallback if slot[0] == hs.bot]
    before = hs.world.keys.fallback[slot][SIGNED].key_id
    await service.stop()
    assert len(hs.crypto.exhaust(hs.bot, 60)) == 60
    assert hs.world.keys.counts(*slot)[SIGNED] == 0
    for person in (shop.ana, shop.otto, shop.mia):
        person.use(person.add_device())
        person.say(shop.group, "+2", reply_to=shop.card)
    await service.start()
    await shop.rest()
    assert await shop.units() == {"ana": 2, "otto": 2, "mia": 2}
    assert hs.world.keys.counts(*slot)[SIGNED] == 50
    assert hs.world.keys.unused_fallbacks(*slot) == [SIGNED]
    assert hs.world.keys.fallback[slot][SIGNED].key_id != before
