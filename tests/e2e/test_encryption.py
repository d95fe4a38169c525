"""What encryption promises, with real clients: who can read what, and that nothing written is lost or counted twice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from urllib.parse import quote

import pytest

from tests.e2e.conftest import in_days
from tests.e2e.trial import Trial
from tests.harness.circle import BUY, ORDER, Circle, CircleFactory
from tests.harness.person import Event, Person, PersonFactory
from tests.harness.service import Service, ServiceFactory
from tests.harness.sighting import kind

THROW = '"Merino throw" 89.00 https://shop.example/throw'
IN_CLEAR = "That came unencrypted in an encrypted room, where homeservers can read it, so I did nothing with it."
REACHED = "the minimum order is reached"
NO_KEY = "I cannot read what you wrote there: your client has not given me its key."


async def _buy(here: Circle, terms: str = "2:79 4:75 6:69") -> str:
    """The card of a buy that Ben, the first of the circle, has opened."""
    await here.post_product(here.people[0], THROW)
    return await here.open_buy(here.people[0], f"merino {terms} until {in_days(5)} 18:00")


async def _sealed(witness: Person, room: str, by: str, *, since: str | None = None) -> list[Event]:
    """What somebody has said in a room, since an event or ever, as the homeserver has it; oldest first."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=500"
    events = list(reversed((await witness.request("GET", path))["chunk"]))
    start = [event["event_id"] for event in events].index(since) if since else 0
    return [event for event in events[start:] if event["sender"] == by and event["type"] == "m.room.encrypted"]


async def _gone(witness: Person, room: str, user_id: str) -> str:
    """The id of the event by which somebody is out of a room."""

    def leaves(event: Event) -> bool:
        return event.get("state_key") == user_id and event["content"]["membership"] == "leave"

    return str((await witness.sees(room, leaves))["event_id"])


async def _pledged(here: Circle, who: Person, words: str, card: str) -> str:
    """Have somebody pledge; the id of their message, once it counts."""
    asked = await who.say(here.group, words, reply_to=card)
    await who.sees_that(lambda: who.reactions(here.group, asked) == {"✅": {here.bot}})
    return asked


# Who can read what


async def test_who_comes_late_has_no_key_of_what_was_said_before_they_joined_invited_or_not(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle(["ben"], ["ana"])
    _, ana = here
    card = await _buy(here)
    zoe = await person("zoe")
    await here.owner.say(here.direct, f"!invite {zoe.user_id}")
    await zoe.invited_to(lambda invite: invite.room_id == here.group)
    before_invitation = len(await _sealed(ana, here.group, here.bot))
    await _pledged(here, ana, "+2", card)
    await ana.sees(here.group, REACHED)
    before = await _sealed(ana, here.group, here.bot)
    assert len(before) > before_invitation >= 2, "something was said in between as well"

    await zoe.join(here.group)
    await ana.sees_join(here.group, zoe.user_id)
    await _pledged(here, ana, "+2", card)
    first = await zoe.sees(here.group, "4 are reached")
    assert [event for event in before if zoe.device.has_key(here.group, event["content"])] == []
    assert zoe.undecryptable(here.group) == {}
    later = await _sealed(ana, here.group, here.bot, since=first["event_id"])
    assert later and all(zoe.device.has_key(here.group, event["content"]) for event in later)
    assert all(ana.device.has_key(here.group, event["content"]) for event in (*before, *later))


async def test_who_was_kicked_by_a_concierge_or_by_the_service_has_no_key_of_what_is_said_after(
    circle: CircleFactory,
) -> None:
    here = await circle(["ben", "till"], ["ana", "otto"])
    ben, till, ana, otto = here
    card = await _buy(here)
    await ben.kick(here.group, otto.user_id)
    otto_gone = await _gone(ana, here.group, otto.user_id)
    await _pledged(here, ana, "+2", card)
    await ana.sees(here.group, REACHED)

    await here.owner.say(here.desk, f"!concierge remove {till.user_id}")
    till_gone = await _gone(ben, here.desk, till.user_id)
    asked = await ben.say(here.desk, "!waitlist")
    await ben.sees(here.desk, lambda e: e["sender"] == here.bot and kind(e) == "message", after=asked)
    for gone, room, since in ((otto, here.group, otto_gone), (till, here.desk, till_gone)):
        said = await _sealed(ben, room, here.bot, since=since)
        assert said and all(ben.device.has_key(room, event["content"]) for event in said)
        assert [event for event in said if gone.device.has_key(room, event["content"])] == []
    assert otto.device.has_key(here.group, (await _sealed(ana, here.group, here.bot))[0]["content"])
    assert here.errors() == []


async def test_each_device_of_a_member_reads_the_card_and_none_that_was_logged_out(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana", "otto"])
    ben, ana, otto = here
    await ana.cross_sign()  # the others have none
    tablet = await ana.another_device()  # which nobody has signed
    card = await _buy(here)
    phone = await otto.another_device()
    for device, words, news in ((ana, "+2", REACHED), (phone, "+2", "4 are reached"), (tablet, "+2", "6 are reached")):
        await device.say(here.group, words, reply_to=card)
        for reader in (ben, ana, tablet, otto, phone):
            await reader.sees(here.group, news)

    before = {event["content"]["session_id"] for event in await _sealed(ana, here.group, here.bot)}
    await phone.log_out()
    await ana.sees_that(lambda: _devices(ana, otto) == {otto.client.device_id})
    await here.owner.say(here.desk, "!buy close")
    for reader in (ben, ana, tablet, otto):
        result = await reader.sees(here.group, "closed with 6 units")
        await reader.sees_that(lambda: "Closed at" in reader.shown(here.group, card)["body"])  # noqa: B023
        assert reader.undecryptable(here.group) == {}
    (sealed,) = [e for e in await _sealed(ana, here.group, here.bot) if e["event_id"] == result["event_id"]]
    assert sealed["content"]["session_id"] not in before, "the removed device has the key of none but these"
    for one, units in ((ana, 4), (otto, 2)):
        receipt = await one.direct_message_from(here.bot, lambda e: ORDER in e["content"])
        assert receipt["content"][ORDER]["units"] == units


def _devices(viewer: Person, of: Person) -> set[str]:
    return {device.id for device in viewer.client.device_store.active_user_devices(of.user_id)}


# Nothing lost, nothing twice


def _unread(service: Service) -> int:
    """How many arrivals wait for a key, or behind one that does."""
    with closing(sqlite3.connect(service.directory / "coterie.db")) as connection:
        query = "SELECT COUNT(*) FROM arrival WHERE type = 'm.room.encrypted' AND status IN ('keyless', 'waiting')"
        return int(connection.execute(query).fetchone()[0])


async def _wait_for_keys(service: Service, number: int) -> None:
    """Return when so many arrivals wait."""
    for _ in range(200):
        if _unread(service) == number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{_unread(service)} arrivals wait for a key, not {number}")


async def _patience_ends(service: Service) -> None:
    """Start it again when keys that are late are so for longer than it waits in silence."""
    await service.stop()
    with closing(sqlite3.connect(service.directory / "coterie.db")) as connection, connection:
        assert connection.execute("UPDATE timer SET due_at = due_at - 60000 WHERE kind = 'key'").rowcount == 1
    await service.start()


async def test_a_pledge_whose_key_comes_late_waits_over_restarts_and_counts_once_in_its_place(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle(["ben"], ["ana", "otto"], rosa=rosa, service=service)
    _, ana, otto = here
    card = await _buy(here)
    async with ana.keys_held_back(here.bot):
        late = [await ana.say(here.group, words, reply_to=card) for words in ("+2", "+3")]
        await _wait_for_keys(service, 2)
        await _pledged(here, otto, "+1", card)  # others need not wait
        assert not any(ana.reactions(here.group, event) for event in late)
        await _patience_ends(service)
        await ana.sees_that(lambda: ana.reactions(here.group, late[0]) == {"⚠️": {here.bot}})
        await ana.direct_message_from(here.bot, NO_KEY)
        late.append(await ana.say(here.group, "!pledge 4"))
        await _wait_for_keys(service, 3)
        await service.stop()
    await service.start()
    for event in late:
        await ana.sees_that(lambda: "✅" in ana.reactions(here.group, event), timeout=20)  # noqa: B023
    assert _unread(service) == 0
    await here.owner.say(here.desk, "!buy close")
    receipts = [await one.direct_message_from(here.bot, lambda e: ORDER in e["content"]) for one in (ana, otto)]
    assert [receipt["content"][ORDER]["units"] for receipt in receipts] == [4, 1], "the last word counts, in its place"
    assert len([e for e in ana.direct_messages(here.bot) if NO_KEY in e["content"]["body"]]) == 1
    assert not [e for e in otto.direct_messages(here.bot) if NO_KEY in e["content"]["body"]]
    assert here.errors() == []


@pytest.mark.slow
async def test_sixty_new_devices_that_begin_with_the_service_while_it_is_down_are_all_counted_once(
    person: PersonFactory, coterie: ServiceFactory, circle: CircleFactory
) -> None:
    """There are fifty one-time keys; whoever comes after gets the fallback key."""
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    here = await circle(["ben"], rosa=rosa, service=service)
    for _ in range(4):
        await here.welcome(*[await person("mia") for _ in range(5)])
    ben, *members = here
    await _buy(here, "5:79 60:69")
    await service.stop()
    for _ in range(3):
        phones = await asyncio.gather(*(member.another_device() for member in members))
        for member, phone in zip(members, phones, strict=True):
            await phone.say((await here.welcome_of(member))["room_id"], "+1")
    await service.start()
    await ben.sees(here.group, "60 are reached", timeout=60)
    await here.owner.say(here.desk, "!buy close")
    told = await asyncio.gather(
        *(one.direct_message_from(here.bot, lambda e: ORDER in e["content"], timeout=60) for one in members)
    )
    assert {receipt["content"][ORDER]["units"] for receipt in told} == {3}
    assert _unread(service) == 0 and here.errors() == []


# Encrypted or not


async def test_what_is_asked_in_clear_in_an_encrypted_group_is_refused_in_private_and_nothing_happens(
    circle: CircleFactory,
) -> None:
    trial = await Trial.begin(await circle(["ben"], ["ana", "otto"]))
    here, ben, ana = trial.here, trial.ben, trial.ana
    for who, words, reply_to in (
        (ana, "+2", trial.card),
        (ana, "!pledge 3", None),
        (ben, "!buy close", None),
        (ben, '!product add "Mug" 12.50 https://shop.example/mug', None),
    ):
        before = len(trial.told(who))
        asked = await who.say(here.group, words, reply_to=reply_to, clear=True)
        await who.sees_that(lambda: len(trial.told(who)) > before)  # noqa: B023
        (told,) = trial.told(who)[before:]
        assert told["content"]["body"].startswith(IN_CLEAR) and told["encrypted"]
        await who.sees_that(lambda: who.reactions(here.group, asked) == {"⚠️": {here.bot}})  # noqa: B023
    await trial.ends_well()


async def test_a_group_that_was_made_unencrypted_is_encrypted_when_its_owner_confirms(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"], encrypted=False)
    rosa, (ben, ana) = here.owner, here
    card = await _buy(here)
    await _pledged(here, ana, "+2", card)
    assert "encrypted" not in await ana.sees(here.group, REACHED)

    await rosa.say(here.direct, "!group encrypt")
    asked = await rosa.direct_message_from(here.bot, "It cannot be turned off again.")
    assert await rosa.state(here.group, "m.room.encryption") is None
    await rosa.say(here.direct, "!group encrypt confirm")
    await rosa.direct_message_from(here.bot, "encrypted", after=asked["event_id"])
    for one, room in ((ana, here.group), (ben, here.group), (ben, here.desk), (rosa, here.desk)):
        await one.sees(room, lambda e: e["type"] == "m.room.encryption")
    sealed = {"version", "id", "status", "closes_at", "card"}
    await ana.sees(here.group, lambda e: e["type"] == BUY and e["content"].keys() == sealed)
    await _pledged(here, ana, "+3", card)
    assert (await ana.sees(here.group, "4 are reached"))["encrypted"]
    asked_in_clear = await ana.say(here.group, "+1", reply_to=card, clear=True)
    await ana.sees_that(lambda: ana.reactions(here.group, asked_in_clear) == {"⚠️": {here.bot}})
    await rosa.say(here.desk, "!buy close")
    receipt = await ana.direct_message_from(here.bot, lambda e: ORDER in e["content"])
    assert receipt["content"][ORDER]["units"] == 5
    await ben.sees(here.desk, "closed: 5 units, 1 order")
    assert ana.sent_in_clear(here.group, here.bot) == ben.sent_in_clear(here.desk, here.bot) == []
    assert here.errors() == []


@pytest.mark.parametrize("encrypted", [False, True])
async def test_a_direct_room_that_a_person_makes_is_used_as_it_is(circle: CircleFactory, encrypted: bool) -> None:
    here = await circle(members=["ana"])
    (ana,) = here
    talk = await ana.create_direct(here.bot, encrypted=encrypted)
    asked = await ana.say(talk, "!help")
    answer = await ana.sees(talk, "take your pledge back", after=asked)
    assert answer.get("encrypted", False) is encrypted
    if not encrypted:  # until she turns it on
        await ana.turn_on_encryption(talk)
        asked = await ana.say(talk, "!help")
        assert (await ana.sees(talk, "take your pledge back", after=asked))["encrypted"]
