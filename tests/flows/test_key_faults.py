"""Dishonest people and their servers in encrypted rooms: what is not theirs does not count, and nobody else suffers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from appservice.actions.keyless import PATIENCE_MS
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_device import MEGOLM, OLM, Device
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import MINUTE, Service
from tests.flows.test_refusals import all_rows

pytestmark = pytest.mark.usefixtures("sealed")


async def inbound(service: Service, person: Person) -> set[tuple[str, str]]:
    """The room and id of each session that a person has given the bot."""
    rows = await service.rows("SELECT room_id, session_id FROM megolm_inbound WHERE user_id = $1", person.mxid)
    return {(row["room_id"], row["session_id"]) for row in rows}


async def nothing_came_of_it(play: Journey, do: Callable[[], Any]) -> None:
    """Whatever somebody does changes nothing and gets no answer."""
    rows, said = await all_rows(play), len(play.hs.events_by(play.hs.bot))
    do()
    await play.rest()
    assert await all_rows(play) == rows and len(play.hs.events_by(play.hs.bot)) == said


def session_of(device: Device, room: str) -> str:
    return str(device.outbound[room].session.session_id)


async def counts(play: Journey, person: Person, units: int = 3) -> None:
    """What this person says now, in a new session, is read."""
    person.device.outbound.clear()
    before = (await play.units()).get(person.mxid[1:].partition(":")[0], 0)
    asked = await play.plus(person, units)
    assert play.signs(asked) == ["✅"]
    assert (await play.units())[person.mxid[1:].partition(":")[0]] == before + units


# Messages


async def test_what_another_has_written_does_not_count_under_ones_own_name(engine: str, shop: Journey) -> None:
    pledge = await shop.plus(shop.ana, 2)
    await shop.direct(shop.otto)
    replay = shop.otto.mischief.replay(shop.group, pledge)
    await shop.rest()
    await shop.service.wait(PATIENCE_MS)
    await shop.rest()
    assert await shop.units() == {"ana": 2} and shop.signs(replay) == ["⚠️"]
    await counts(shop, shop.ana)


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_message_counts_once_however_often_it_comes(
    engine: str, shop: Journey, hs: FakeHomeserver, is_late: bool
) -> None:
    late = hs.crypto.hold(sender=shop.ana) if is_late else None
    pledge = await shop.plus(shop.ana, 2)
    for _ in range(2):
        shop.ana.mischief.replay(shop.group, pledge)
        await shop.rest()
    if late:
        late.release()
        await shop.rest()
    assert await shop.pledged() == {"ana": [(2, 0, None)]} and shop.signs(pledge) == ["✅"]


async def test_of_two_messages_in_one_place_of_a_session_the_first_counts(engine: str, shop: Journey) -> None:
    first, second = shop.ana.mischief.twice(shop.group, "!pledge 2", "!pledge 5")
    await shop.rest()
    assert await shop.units() == {"ana": 2}
    assert shop.signs(first) == ["✅"] and shop.signs(second) == []


async def test_a_damaged_message_does_nothing(shop: Journey) -> None:
    await shop.plus(shop.ana, 1)
    await nothing_came_of_it(shop, lambda: shop.ana.mischief.corrupted(shop.group, "!pledge 5"))
    await counts(shop, shop.ana)


async def test_a_message_written_for_another_room_does_nothing(engine: str, shop: Journey) -> None:
    await shop.plus(shop.ana, 1)
    for room in (shop.desk, "", None, 5):
        inside = {"room_id": room}
        await nothing_came_of_it(
            shop, lambda inside=inside: shop.ana.mischief.sealed(shop.group, "!pledge 5", inside=inside)
        )


@pytest.mark.parametrize(
    ("type", "content"),
    [
        ("m.room.redaction", {"redacts": "PLEDGE"}),
        ("m.room.member", {"membership": "leave"}),
        ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "CARD", "key": "+5"}}),
        ("m.room.encrypted", {"algorithm": MEGOLM}),
        ("shop.coterie.group_buy", {"status": "cancelled", "reason": "mine"}),
        ("m.room.encryption", {"algorithm": "none"}),
        (None, {"body": "!pledge 5", "msgtype": "m.text"}),
        ("m.room.message", None),
        ("m.room.message", "!pledge 5"),
    ],
)
async def test_only_messages_and_pledges_may_come_encrypted(
    engine: str, shop: Journey, type: Any, content: Any
) -> None:
    pledge = await shop.plus(shop.ana, 1)
    if isinstance(content, dict) and "redacts" in content:
        content = {"redacts": pledge}
    elif isinstance(content, dict) and "m.relates_to" in content:
        content = {"m.relates_to": content["m.relates_to"] | {"event_id": shop.card}}
    inside = {"type": type, "content": content, "redacts": pledge, "state_key": shop.otto.mxid}
    await nothing_came_of_it(shop, lambda: shop.ana.mischief.sealed(shop.group, "", inside=inside))
    assert await shop.units() == {"ana": 1}


async def test_what_was_encrypted_of_a_relation_counts_and_not_what_stands_in_clear(shop: Journey) -> None:
    other = await shop.say(shop.otto, "not a card")
    relation = {"m.in_reply_to": {"event_id": shop.card}}
    content = {"msgtype": "m.text", "body": "+2", "m.relates_to": relation}
    altered = {"m.relates_to": {"rel_type": "m.replace", "event_id": other}}
    asked = shop.ana.mischief.sealed(shop.group, "", inside={"content": content}, **altered)
    await shop.rest()
    assert shop.signs(asked) == ["✅"] and await shop.units() == {"ana": 2}


@pytest.mark.parametrize("name", ["session_id", "ciphertext", "algorithm", "m.relates_to"])
async def test_an_envelope_with_whatever_in_it_does_nothing(engine: str, shop: Journey, name: str) -> None:
    await shop.plus(shop.ana, 1)
    random_text = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789+/", k=9_000))
    for value in ("\0" * 43, random_text, "", "é" * 43, 5, None, ["a"], {"b": {}}):
        if name != "m.relates_to":
            await nothing_came_of_it(
                shop, lambda value=value: shop.ana.mischief.sealed(shop.group, "!pledge 5", **{name: value})
            )
        else:
            shop.ana.mischief.sealed(shop.group, "!pledge 5", **{name: value})
            await shop.rest()
            assert await shop.units() == {"ana": 5}


# Keys


@pytest.mark.parametrize("first", ["the thief", "the owner"])
async def test_who_passes_off_anothers_session_as_their_own_takes_nothing_from_them(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, first: str
) -> None:
    late = hs.crypto.hold(sender=shop.ana)
    pledge = await shop.plus(shop.ana, 2)
    if first == "the owner":
        late.release()
        await shop.rest()
    for _ in range(2):
        shop.otto.mischief.stolen_key(shop.group, shop.ana.device)
        shop.otto.mischief.replay(shop.group, pledge)
        await shop.rest()
    late.release()
    await shop.rest()
    assert shop.signs(pledge) == ["✅"]
    assert (await shop.pledged())["ana"] == [(2, 0, None)], "her words are hers, whoever repeats them"
    await shop.plus(shop.ana, 1)
    assert (await shop.units())["ana"] == 3


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_key_of_ones_own_under_the_id_of_anothers_session_is_none(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, is_late: bool
) -> None:
    late = hs.crypto.hold(sender=shop.ana) if is_late else None
    pledge = await shop.plus(shop.ana, 2)
    session = session_of(shop.ana.device, shop.group)
    shop.otto.mischief.forged_key(shop.group, session)
    await shop.rest()
    assert (shop.group, session) not in await inbound(service, shop.otto)
    if late:
        late.release()
        await shop.rest()
    assert await shop.units() == {"ana": 2} and shop.signs(pledge) == ["✅"]


async def test_keys_in_anothers_name_and_keys_at_second_hand_are_not_taken(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    lost = hs.crypto.drop(sender=shop.ana)
    pledge = await shop.plus(shop.ana, 2)
    shop.otto.mischief.forwarded_key(shop.group, shop.ana.device)
    shop.otto.mischief.impersonated_key(shop.group, shop.ana.mxid)
    await shop.rest()
    session = session_of(shop.ana.device, shop.group)
    assert (shop.group, session) not in await inbound(service, shop.otto) | await inbound(service, shop.ana)
    assert shop.signs(pledge) == [] and await shop.units() == {}
    lost.end()
    await shop.redact(shop.ana, pledge)
    await counts(shop, shop.ana)


async def test_a_key_for_another_room_reads_nothing_here(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    direct = await shop.direct(shop.ana)
    asked = shop.ana.mischief.unshared(shop.group, "!pledge 2")
    for keys in hs.crypto.readers(shop.ana.device, shop.group).values():
        hs.crypto.give(shop.ana.device, keys, "m.room_key", {**shop.ana.device.room_key(shop.group), "room_id": direct})
    await shop.rest()
    assert (direct, session_of(shop.ana.device, shop.group)) in await inbound(service, shop.ana)
    assert shop.signs(asked) == [] and await shop.units() == {}
    shop.ana.mischief.share(shop.group)
    await shop.rest()
    assert shop.signs(asked) == ["✅"] and await shop.units() == {"ana": 2}


async def test_no_key_is_given_to_who_asks_for_it(shop: Journey, hs: FakeHomeserver) -> None:
    await shop.settle()
    session = next(key.session for key in reversed(hs.crypto.keys_sent) if key.room == shop.group)
    sent, got = len(hs.crypto.keys_sent), len(shop.otto.device.received)
    for person in (shop.otto, shop.person("stranger")):
        person.mischief.request_key(shop.group, session)
    await shop.rest()
    await shop.service.wait(2 * MINUTE)
    assert len(hs.crypto.keys_sent) == sent and len(shop.otto.device.received) == got


def garbage(identity_key: str, theirs: str) -> list[Any]:
    """To-device messages as nobody honest sends them."""

    def olm(kind: Any, body: Any, key: Any = theirs) -> Any:
        return {"algorithm": OLM, "sender_key": key, "ciphertext": {identity_key: {"type": kind, "body": body}}}

    bodies = ["", "A", "AAAA", "!" * 40, "\0", "Awog" + "A" * 200, 5, None, ["x"], "é"]
    contents = [
        *(olm(kind, body) for kind in (0, 1, 2, -1, "0", None) for body in bodies),
        *(olm(0, "Awog" + "A" * 200, key) for key in ("", "\0", "x" * 43, 7, None, "A" * 9_000)),
        {"algorithm": OLM, "sender_key": theirs, "ciphertext": {}},
        {"algorithm": OLM, "sender_key": theirs, "ciphertext": []},
        {"algorithm": MEGOLM, "ciphertext": "x", "session_id": "y"},
        {"algorithm": 5}, {}, [], None, "text",
    ]  # fmt: skip
    clear = [{"type": type, "content": content} for type in ("m.room_key", "m.dummy", "\0", 5) for content in ({}, 5)]
    return [{"type": "m.room.encrypted", "content": content} for content in contents] + clear


async def test_garbage_among_the_keys_keeps_no_key_from_coming(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.ana, 1)
    [(bot, device)] = [slot for slot in hs.world.keys.queues if slot[0] == hs.bot]
    own = hs.world.keys.device_keys[bot][device]["keys"][f"curve25519:{device}"]
    for message in garbage(own, shop.otto.device.identity_key):
        hs.world.keys.enqueue(bot, device, {"sender": shop.otto.mxid, **message})
    for message in ({"sender": shop.otto.mxid}, {"type": "m.room.encrypted", "content": {}}):
        hs.world.keys.enqueue(bot, device, message)
    for sender in ("@\0:remote.test", "@\ud800:remote.test", "@x" * 200, "", 5, None, ["x"]):
        hs.world.keys.enqueue(bot, device, {"sender": sender, "type": "m.room.encrypted", "content": {}})
    hs.crypto.wake()
    await counts(shop, shop.ana)
    await counts(shop, shop.otto)


@pytest.mark.parametrize(
    "changed",
    [
        {"session_key": "x"},
        {"session_key": 5},
        {"session_id": "\0"},
        {"room_id": "\0"},
        {"room_id": None},
        {"room_id": "!" + "x" * 9_000},
        {"algorithm": "m.megolm.v2"},
        {"session_id": ["x"]},
    ],
    ids=str,
)
async def test_a_room_key_that_is_none_keeps_no_other_from_coming(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, changed: dict[str, Any]
) -> None:
    had = await inbound(service, shop.otto)
    shop.otto.device.new_outbound(shop.group)
    for keys in hs.crypto.readers(shop.otto.device, shop.group).values():
        hs.crypto.give(shop.otto.device, keys, "m.room_key", {**shop.otto.device.room_key(shop.group), **changed})
        await counts(shop, shop.ana)
    assert len(await inbound(service, shop.otto) - had) <= 1
    await counts(shop, shop.otto)
