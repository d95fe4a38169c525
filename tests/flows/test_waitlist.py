"""The waitlist of a full group: first in, first out."""

from __future__ import annotations

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.test_seats import NAME, wait_for

pytestmark = pytest.mark.usefixtures("nobody_exposed")


async def test_who_asks_when_the_group_is_full_is_told_the_place_on_the_waitlist(engine: str, circle: Journey) -> None:
    await circle.fill()
    for place, name in enumerate(("pia", "sam", "tim"), 1):
        person = circle.newcomer(name)
        asked = await circle.say(circle.ben, f"!invite {person.mxid}", to=circle.desk)
        assert circle.signs(asked) == ["✅"] and person.mxid not in circle.room.members
        assert circle.posted(circle.desk)[-1] == (
            f"{NAME} is full: {person.mxid} is no. {place} on the waitlist and is invited when a seat is free."
        )
    await circle.say(circle.ben, "!invite @sam:fake.test", to=circle.desk)
    assert "is no. 2 on the waitlist" in circle.posted(circle.desk)[-1]
    assert await circle.waiting() == ["pia", "sam", "tim"] and await circle.seats() == 5


async def test_raising_the_cap_invites_from_the_waitlist_in_order(engine: str, circle: Journey) -> None:
    await circle.fill()
    people = [circle.newcomer(name) for name in ("zoe", "abe", "moe", "kim")]
    await wait_for(circle, *people)
    await circle.tell(circle.rosa, "!cap 8")
    invited = [event.state_key for event in circle.room.events if event.content.get("membership") == "invite"][-3:]
    assert sorted(map(str, invited)) == sorted(person.mxid for person in people[:3])
    assert await circle.waiting() == ["kim"] and await circle.seats() == 8
    assert circle.room.content("shop.coterie.group") == {"version": 1, "cap": 8}
    await circle.tell(circle.rosa, "!cap 9")
    assert await circle.waiting() == [] and circle.room.membership(people[3].mxid) == "invite"


async def test_a_cap_below_the_seats_taken_is_refused_and_nothing_changes(circle: Journey) -> None:
    pia = circle.newcomer()
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    await circle.code(circle.ben)  # 5 joined, 1 invited, 1 reserved
    ledger, state = await circle.ledger(), circle.room.content("shop.coterie.group")
    asked = await circle.tell(circle.rosa, "!cap 6")
    assert circle.signs(asked) == ["⚠️"]
    assert circle.told(circle.rosa)[-1] == "7 seats are taken, so the cap cannot be lower than that."
    assert await circle.ledger() == ledger and circle.room.content("shop.coterie.group") == state
    assert [row["cap"] for row in await circle.service.rows("SELECT cap FROM coterie_group")] == [200]
    asked = await circle.tell(circle.rosa, "!cap 7")
    assert circle.signs(asked) == ["✅"] and circle.room.content("shop.coterie.group")["cap"] == 7


async def test_the_desk_sees_who_waits_by_their_sponsors_and_can_take_people_off(circle: Journey) -> None:
    await circle.fill()
    assert await circle.say(circle.ben, "!waitlist", to=circle.desk)
    assert circle.posted(circle.desk)[-1] == f"Nobody waits for a seat in {NAME}."
    pia, sam = circle.newcomer(), circle.newcomer("sam")
    await wait_for(circle, pia)
    await circle.tell(circle.rosa, f"!invite {sam.mxid}")
    await circle.say(circle.ben, "!waitlist", to=circle.desk)
    ben, rosa = await circle.alias(circle.ben), await circle.alias(circle.rosa)
    assert circle.posted(circle.desk)[-1].split("\n")[0] == f"Waiting for a seat in {NAME}:"
    assert [ben in line for line in circle.posted(circle.desk)[-1].split("\n")[1:]] == [True, False]
    assert circle.posted(circle.desk)[-1].split("\n")[2] == f"2. {sam.mxid} ({rosa} vouches for them)"
    dropped = await circle.say(circle.rosa, f"!waitlist drop {pia.mxid}", to=circle.desk)
    assert circle.signs(dropped) == ["✅"] and await circle.waiting() == ["sam"]
    again = await circle.say(circle.rosa, f"!waitlist drop {pia.mxid}", to=circle.desk)
    assert circle.signs(again) == ["⚠️"] and circle.posted(circle.desk)[-1] == "That person does not wait for a seat."
    elsewhere = await circle.tell(circle.rosa, f"!waitlist drop {sam.mxid}")
    assert circle.signs(elsewhere) == ["⚠️"] and await circle.waiting() == ["sam"]


async def test_who_was_a_member_before_is_shown_and_dropped_by_alias(circle: Journey) -> None:
    await circle.tell(circle.mia, "!alias Quiet River Otter")
    circle.mia.leave(circle.group)
    await circle.rest()
    await circle.fill()
    await circle.tell(circle.rosa, f"!invite {circle.mia.mxid}")
    await circle.say(circle.ben, "!waitlist", to=circle.desk)
    assert "\n1. Quiet River Otter (" in circle.posted(circle.desk)[-1] and await circle.waiting() == ["mia"]
    dropped = await circle.say(circle.ben, "!waitlist drop quiet river otter", to=circle.desk)
    assert circle.signs(dropped) == ["✅"] and await circle.waiting() == []


async def test_a_concierge_to_be_is_lowered_to_an_ordinary_wish_while_they_wait(circle: Journey) -> None:
    await circle.fill()
    pia = circle.person("pia")
    await circle.tell(circle.rosa, f"!concierge add {pia.mxid}")
    asked = await circle.tell(circle.rosa, f"!concierge remove {pia.mxid}")
    assert circle.signs(asked) == ["✅"]
    assert circle.told(circle.rosa)[-1] == f"{pia.mxid} waits for a seat in {NAME} as an ordinary member now."
    again = await circle.tell(circle.rosa, f"!concierge remove {pia.mxid}")
    assert circle.signs(again) == ["⚠️"] and await circle.waiting() == ["pia"]
    circle.mia.leave(circle.group)
    await circle.rest()
    assert (await circle.members())["pia"] == ("joined", 0)
    assert [event for event in circle.hs.room(circle.desk).events if event.state_key == pia.mxid] == []


async def test_a_concierge_who_waits_becomes_one_with_their_seat_also_if_they_waited_before(
    circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.fill()
    pia, sam = circle.person("pia"), circle.person("sam")
    await wait_for(circle, pia)
    for person, place in ((pia, 1), (sam, 2)):
        asked = await circle.tell(circle.rosa, f"!concierge add {person.mxid}")
        assert circle.signs(asked) == ["✅"] and person.mxid not in hs.room(circle.desk).members
        assert circle.told(circle.rosa)[-1] == (
            f"{NAME} is full: {person.mxid} is no. {place} on the waitlist, and becomes a concierge with their seat."
        )
    await circle.tell(circle.rosa, "!cap 7")
    for person in (pia, sam):
        assert (await circle.members())[person.mxid[1:4]] == ("joined", 50)
        assert person.mxid in hs.room(circle.desk).joined and circle.room.level(person.mxid) == 50
