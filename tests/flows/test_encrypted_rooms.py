"""Encrypted rooms: which ones are, what is not acted on in them, and what their state may tell."""

from __future__ import annotations

from typing import Any

import pytest

from appservice.actions import directs
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.effect import Tell, direct_lane
from appservice.domain.ids import RoomId, UserId
from appservice.store.rooms import DirectStatus
from appservice.store.unit import Unit
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import Service
from tests.flows.test_adoption import in_wait, looked_at
from tests.flows.test_guarding import ENCRYPTED, change
from tests.flows.test_refusals import all_rows
from tests.flows.test_requests import MUG, message, put_back

ENCRYPTION = "m.room.encryption"
IN_CLEAR = (
    "That came unencrypted in an encrypted room, where homeservers can read it, so I did nothing with it. Send it "
    "again with a client that encrypts, such as Element."
)
IN_STATE = (
    "The room is encrypted, but homeservers can read what stands in its state: there one can only close or cancel a "
    "group buy. Ask for all else by an encrypted message: see docs/events.md."
)
OTHER = {"algorithm": "org.example.rot13"}


async def encryption_of(service: Service, room_id: str) -> Any:
    async with service.store.look() as unit:
        room = await unit.rooms.get(room_id)
    assert room is not None
    return room.encryption


async def sealed(play: Journey) -> Journey:
    """The group's room is encrypted by now, its desk is not, so that what is said there can be read here."""
    await change(play, play.ben, ENCRYPTION, ENCRYPTED)
    await play.service.wait(3_000)
    return play


async def picture(play: Journey) -> dict[str, Any]:
    """What the state of the group's room tells of the buy."""
    content = play.room.content(BUY, play.buy)
    assert isinstance(content, dict)
    return content


def asked_encrypted(hs: FakeHomeserver, since: int) -> list[bool]:
    """Whether each room that was made since then was asked for with encryption."""
    bodies = [request.body for request in hs.requests("POST .*createRoom")[since:]]
    return [{"type": ENCRYPTION, "state_key": "", "content": ENCRYPTED} in body["initial_state"] for body in bodies]


async def nothing_to_join(unit: Unit, room_id: str) -> None:
    """The room of the test exists on no homeserver."""
    joining = await unit.outbox.head(f"join {room_id}", unit.now)
    assert joining is not None
    await unit.outbox.finish(joining)


# Which rooms are encrypted


async def test_what_the_service_makes_is_encrypted_unless_the_group_is_made_without(
    engine: str, play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await play.configure(encrypted=True)
    before = len(hs.requests("POST .*createRoom"))
    await play.tell(play.rosa, '!group create "Wool circle" cap 30')
    assert asked_encrypted(hs, before) == [True, True]
    for name in ("Wool circle", "Desk: Wool circle"):
        assert await encryption_of(service, hs.room_named(name).room_id) == ENCRYPTED
    before = len(hs.requests("POST .*createRoom"))
    await play.tell(play.rosa, '!group create "Open" cap 20 unencrypted')
    await play.tell(play.rosa, '!group create "Plain" unencrypted')
    assert asked_encrypted(hs, before) == [False] * 4
    for name in ("Open", "Desk: Open", "Plain", "Desk: Plain"):
        assert await encryption_of(service, hs.room_named(name).room_id) is None
    assert await service.rows("SELECT name, cap, encrypted FROM coterie_group ORDER BY name") == [
        {"name": "Open", "cap": 20, "encrypted": 0},
        {"name": "Plain", "cap": 200, "encrypted": 0},
        {"name": "Wool circle", "cap": 30, "encrypted": 1},
    ]


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_direct_room_of_the_services_making_is_as_it_is_configured(
    circle: Journey, hs: FakeHomeserver, service: Service, encrypted: bool
) -> None:
    await circle.configure(encrypted=encrypted)
    before = len(hs.requests("POST .*createRoom"))
    pia = circle.person("pia")
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    assert asked_encrypted(hs, before) == [encrypted]
    [room] = circle.direct_rooms(pia)
    assert await encryption_of(service, room.room_id) == (ENCRYPTED if encrypted else None)


@pytest.mark.parametrize("encryption", [ENCRYPTED, None])
async def test_the_service_knows_how_a_direct_room_is_before_it_says_anything_there(
    play: Journey, hs: FakeHomeserver, service: Service, encryption: dict[str, str] | None
) -> None:
    state = [{"type": ENCRYPTION, "state_key": "", "content": encryption}] if encryption else []
    room = play.ana.create_room(
        preset="trusted_private_chat", is_direct=True, invite=[hs.bot], initial_state=state
    )  # fmt: skip
    await play.rest()
    assert await encryption_of(service, room) == encryption


async def test_what_a_person_says_while_the_service_comes_in_is_answered_once_the_room_is_known(
    play: Journey, service: Service
) -> None:
    ana, room_id = UserId("@ana:fake.test"), RoomId("!new")
    async with service.store.unit() as unit:
        work = Work(unit, service.config, Cause("$x", unit.now))
        await directs.accept(work, room_id, ana)
        await directs.heard(work, ana, room_id)
        direct = await unit.rooms.direct(ana)
        assert direct is not None and (direct.room_id, direct.status) == (room_id, DirectStatus.INVITED)
        await directs.joined(work, ana, room_id, [], ENCRYPTED)
        await directs.heard(work, ana, room_id)
        direct, room = await unit.rooms.direct(ana), await unit.rooms.get(room_id)
        assert direct is not None and direct.status is DirectStatus.JOINED
        assert room is not None and room.encryption == ENCRYPTED
        await nothing_to_join(unit, room_id)


async def test_a_person_with_another_direct_room_is_answered_where_they_spoke_last_though_that_is_not_known_yet(
    play: Journey, service: Service
) -> None:
    ana, old, new = UserId("@ana:fake.test"), RoomId("!old"), RoomId("!new")
    async with service.store.unit() as unit:
        work = Work(unit, service.config, Cause("$x", unit.now))
        await directs.accept(work, old, ana)
        await directs.joined(work, ana, old, [], None)
        await work.owe(Tell(ana, {"msgtype": "m.notice", "body": "of before"}))
        await directs.accept(work, new, ana)
        await directs.heard(work, ana, new)
        direct = await unit.rooms.direct(ana)
        assert direct is not None and (direct.room_id, direct.status) == (new, DirectStatus.INVITED)
        await work.owe(Tell(ana, {"msgtype": "m.notice", "body": "the answer"}))
        assert await unit.outbox.count_held(direct_lane(ana)) == 2, "nothing is said in the old room"
        await directs.joined(work, ana, new, [], ENCRYPTED)
        assert await unit.outbox.count_held(direct_lane(ana)) == 0
        for lane in (f"join {old}", f"join {new}", direct_lane(ana), direct_lane(ana)):  # these rooms exist nowhere
            effect = await unit.outbox.head(lane, unit.now)
            assert effect is not None
            await unit.outbox.finish(effect)


async def test_a_direct_room_in_which_the_service_finds_others_is_forgotten_though_its_person_has_spoken(
    play: Journey, service: Service
) -> None:
    ana, room_id = UserId("@ana:fake.test"), RoomId("!new")
    async with service.store.unit() as unit:
        work = Work(unit, service.config, Cause("$x", unit.now))
        await directs.accept(work, room_id, ana)
        await directs.heard(work, ana, room_id)
        await directs.not_joined(work, ana, room_id)
        assert await unit.rooms.direct(ana) is None and await unit.rooms.get(room_id) is None
        await nothing_to_join(unit, room_id)


async def test_encryption_that_a_person_turns_on_in_their_direct_room_stays_on(play: Journey, service: Service) -> None:
    room = await play.direct(play.ana)
    await change(play, play.ana, ENCRYPTION, {"rotation_period_ms": 5}, room=room)
    assert await encryption_of(service, room) is None, "no algorithm: it is not on"
    await change(play, play.ana, ENCRYPTION, ENCRYPTED, room=room)
    for weaker in ({}, OTHER):
        await change(play, play.ana, ENCRYPTION, weaker, room=room)
    assert await encryption_of(service, room) == ENCRYPTED


async def test_an_owner_has_group_and_desk_encrypted_for_good(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    rows = await all_rows(shop)
    await shop.tell(shop.rosa, "!group encrypt")
    assert "It cannot be turned off again. If you want that, send the same with confirm" in shop.told(shop.rosa)[-1]
    await shop.tell(shop.ben, "!group encrypt confirm")
    assert await all_rows(shop) == rows
    assert [await encryption_of(service, room) for room in (shop.group, shop.desk)] == [None, None]
    asked = await shop.tell(shop.rosa, "!group encrypt confirm")
    assert shop.signs(asked) == ["✅"]
    assert "are encrypted from now on, for good." in shop.told(shop.rosa)[-1]
    for room in (shop.group, shop.desk):
        assert await encryption_of(service, room) == ENCRYPTED == hs.room(room).content(ENCRYPTION)
    assert set(await picture(shop)) == {"version", "id", "status", "closes_at", "card"}
    facts = await service.rows("SELECT fact FROM ledger WHERE fact = 'encryption_on'")
    assert len(facts) == 1
    await shop.tell(shop.rosa, "!group encrypt confirm")
    assert shop.told(shop.rosa)[-1].endswith("are encrypted already.")
    for room in (shop.group, shop.desk):
        await change(shop, shop.rosa, ENCRYPTION, {}, room=room)
        assert hs.room(room).content(ENCRYPTION) == ENCRYPTED


@pytest.mark.parametrize(
    "words", ["encrypt now", "encrypt confirm please", 'create "Wool" 5 unencrypted', "unencrypted", ""]
)
async def test_other_words_about_encryption_do_nothing(circle: Journey, hs: FakeHomeserver, words: str) -> None:
    rows, rooms = await all_rows(circle), len(hs.world.rooms)
    asked = await circle.tell(circle.rosa, f"!group {words}")
    assert circle.signs(asked) == ["⚠️"] and "!group encrypt" in circle.told(circle.rosa)[-1]
    assert await all_rows(circle) == rows and len(hs.world.rooms) == rooms


async def test_encryption_that_the_service_cannot_read_is_said_at_the_desk(circle: Journey, service: Service) -> None:
    await change(circle, circle.ben, ENCRYPTION, OTHER)
    assert "It is of a kind that I cannot read" in circle.posted(circle.desk)[-1]
    assert await encryption_of(service, circle.group) == OTHER


async def test_an_adopted_encrypted_room_is_known_as_such_and_gets_an_encrypted_desk(
    play: Journey, hs: FakeHomeserver, service: Service
) -> None:
    knitting = await looked_at(play, initial_state=[{"type": ENCRYPTION, "state_key": "", "content": ENCRYPTED}])
    assert "The room is encrypted: what I write there is encrypted too" in play.told(play.rosa)[-1]
    before = len(hs.requests("POST .*createRoom"))
    await knitting.adopted()
    assert await encryption_of(service, knitting.room_id) == ENCRYPTED
    assert asked_encrypted(hs, before) == [True]
    await change(play, play.ben, ENCRYPTION, {**ENCRYPTED, "rotation_period_msgs": 99_999})
    assert knitting.room.content(ENCRYPTION) == ENCRYPTED


async def test_a_room_whose_encryption_cannot_be_read_is_not_adopted(play: Journey, hs: FakeHomeserver) -> None:
    knitting = await in_wait(play, initial_state=[{"type": ENCRYPTION, "state_key": "", "content": OTHER}])
    before = knitting.state()
    play.rosa.invite(knitting.room_id, hs.bot)
    await play.rest()
    assert play.told(play.rosa)[-1].startswith("That room is encrypted in a way that I cannot read")
    assert knitting.state() == before and knitting.room.membership(hs.bot) == "leave"


# What comes in clear


@pytest.mark.parametrize(
    ("who", "typed", "replies"),
    [
        ("ana", "!pledge 3", False),
        ("ana", "!withdraw", False),
        ("ana", "+2", True),
        ("ana", "!help", False),
        ("ana", "!recommend merino-throw warm", False),
        ("ben", "!buy close", False),
        ("ben", '!product add "Mug" 12.50 https://shop.example/mug', False),
    ],
)
async def test_what_is_asked_in_clear_in_an_encrypted_group_is_refused_and_changes_nothing(
    shop: Journey, hs: FakeHomeserver, who: str, typed: str, replies: bool
) -> None:
    await sealed(shop)
    person = shop.person(who)
    await shop.direct(person)
    rows, told, desk, events = (
        await all_rows(shop),
        len(shop.told(person)),
        shop.posted(shop.desk),
        len(shop.room.events),
    )
    asked = person.say(shop.group, typed, reply_to=shop.card if replies else None, clear=True)
    await shop.rest()
    assert shop.told(person)[told:] == [IN_CLEAR] and shop.signs(asked) == ["⚠️"]
    assert await all_rows(shop) == rows and shop.posted(shop.desk) == desk
    assert [event.type for event in shop.room.events[events + 1 :]] == ["m.reaction"]


@pytest.mark.parametrize(
    ("who", "type", "content"),
    [
        ("ana", "shop.coterie.pledge", {"version": 1, "mode": "set", "units": 3}),
        ("ben", "m.room.message", message("shop.coterie.product", MUG)),
        ("ben", "m.room.message", message(BUY, {"status": "closing"})),
    ],
    ids=["pledge", "product", "buy"],
)
async def test_what_programs_ask_in_clear_in_an_encrypted_group_is_refused_as_well(
    shop: Journey, who: str, type: str, content: dict[str, Any]
) -> None:
    await sealed(shop)
    person = shop.person(who)
    await shop.direct(person)
    if type == "shop.coterie.pledge":
        content = {**content, "buy": shop.buy}
    elif BUY in content:
        content = {**content, BUY: {**content[BUY], "id": shop.buy}}
    rows, told = await all_rows(shop), len(shop.told(person))
    asked = person.send(shop.group, type, content, clear=True)
    await shop.rest()
    assert shop.told(person)[told:] == [IN_CLEAR] and shop.signs(asked) == ["⚠️"]
    assert await all_rows(shop) == rows


async def test_what_is_asked_in_clear_in_an_encrypted_desk_or_direct_room_is_refused(shop: Journey) -> None:
    direct = await shop.direct(shop.ana)
    for who, room in ((shop.ben, shop.desk), (shop.ana, direct)):
        await change(shop, who, ENCRYPTION, ENCRYPTED, room=room)
    rows = await all_rows(shop)
    for who, room, typed in (
        (shop.ben, shop.desk, "!buy close"),
        (shop.ana, direct, "+2"),
        (shop.ana, direct, "!pledge 3"),
        (shop.ana, direct, "KXQ7-M2PF-9TRD"),
    ):
        asked = who.say(room, typed, clear=True)
        await shop.rest()
        assert shop.signs(asked) == ["⚠️"], typed
    assert await all_rows(shop) == rows and await shop.units() == {}


async def test_reactions_are_never_encrypted_and_count(shop: Journey) -> None:
    await sealed(shop)
    await shop.react(shop.ana, "+2")
    assert await shop.units() == {"ana": 2}


async def test_in_clear_or_not_what_exposes_people_is_removed_and_other_bots_are_left_alone(
    shop: Journey, hs: FakeHomeserver
) -> None:
    await sealed(shop)
    exposing = shop.ana.say(shop.group, "!invite @pia:fake.test", clear=True)
    other = shop.ana.say(shop.group, "!weather vienna", clear=True)
    await shop.rest()
    assert hs.event(exposing).content == {} and "so I removed your message there" in shop.told(shop.ana)[-1]
    assert shop.signs(other) == [] and len(shop.told(shop.ana)) == 1


# What state tells


async def test_the_state_of_an_encrypted_room_tells_nothing_of_what_is_bought(shop: Journey) -> None:
    before = await picture(shop)
    assert before["tiers"] and before["product"]
    await sealed(shop)
    expected = {"version": 1, "id": shop.buy, "status": "open", "closes_at": before["closes_at"], "card": shop.card}
    assert await picture(shop) == expected
    await shop.plus(shop.ana, 5)
    await shop.react(shop.otto, "+5")  # a tier is reached
    await shop.service.wait(6_000)
    assert await picture(shop) == expected


@pytest.mark.parametrize(("status", "comes_to"), [("closed", "failed"), ("cancelled", "cancelled")])
async def test_a_state_event_in_an_encrypted_room_may_close_or_cancel(
    shop: Journey, status: str, comes_to: str
) -> None:
    await sealed(shop)
    asked = {**await picture(shop), "status": status} | ({"reason": "too late"} if status == "cancelled" else {})
    said = shop.posted(shop.desk)
    shop.ben.put_state(shop.group, BUY, asked, state_key=shop.buy)
    await shop.rest()
    await shop.settle()
    assert await shop.status() == comes_to
    stands = await picture(shop)
    assert stands["status"] == comes_to and set(stands) == {"version", "id", "status", "closes_at", "card"}
    assert not any("put it back" in line for line in shop.posted(shop.desk)[len(said) :])


@pytest.mark.parametrize(
    "changed",
    [
        {"tiers": [{"minimum": 5, "unit_price": 100}]},
        {"closes_at": 1_795_885_200_000},
        {"status": "open", "cap": 5},
        {"status": "cancelled", "reason": "too late", "pack": 2},
        {"status": "ordered"},
        {"org.example.note": "ana wants five"},
    ],
    ids=["tiers", "closes_at", "cap", "two", "step", "note"],
)
async def test_terms_in_the_state_of_an_encrypted_room_are_overwritten_and_refused(
    shop: Journey, changed: dict[str, Any]
) -> None:
    await sealed(shop)
    stands, ben, rows = await picture(shop), await shop.alias(shop.ben), await all_rows(shop)
    said = len(shop.posted(shop.desk))
    for _ in range(2):
        shop.ben.put_state(shop.group, BUY, {**stands, **changed}, state_key=shop.buy)
        await shop.rest()
        assert await picture(shop) == stands
    assert shop.posted(shop.desk)[said:] == [put_back(ben, IN_STATE)], "once"
    assert await all_rows(shop) == rows


async def test_no_buy_is_opened_by_the_state_of_an_encrypted_room(shop: Journey) -> None:
    await sealed(shop)
    new = {
        "product": {"sku": "merino-throw"},
        "tiers": [{"minimum": 2, "unit_price": 100}],
        "closes_at": 1_795_885_200_000,
    }
    rows, ben = await all_rows(shop), await shop.alias(shop.ben)
    shop.ben.put_state(shop.group, BUY, new, state_key="k3x9qf")
    await shop.rest()
    assert shop.room.content(BUY, "k3x9qf") == {}
    assert shop.posted(shop.desk)[-1] == put_back(ben, IN_STATE) and await all_rows(shop) == rows


async def test_what_comes_encrypted_is_acted_on_as_anywhere(shop: Journey) -> None:
    await sealed(shop)
    pledged = await shop.say(shop.ana, "!pledge 3")
    assert await shop.units() == {"ana": 3} and shop.signs(pledged) == ["✅"]
    shop.ben.send(shop.group, "m.room.message", message(BUY, {"id": shop.buy, "status": "cancelled", "reason": "late"}))
    await shop.rest()
    assert await shop.status() == "cancelled"
