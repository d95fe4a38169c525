"""Invitation codes: for handing over outside Matrix, once, within a week, and written down nowhere."""

from __future__ import annotations

import re

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, Service
from tests.store.engine import TABLES

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"
BAD = "That code is not good: it was mistyped, used before, or is older than 7 days. Ask whoever gave it to you."
ENOUGH = "Too many wrong codes came from you, so I look at no more of them for an hour."


async def everything_kept(service: Service) -> str:
    """Every row of every table as one text."""
    return "\n".join([str(row) for table in TABLES for row in await service.rows(f"SELECT * FROM {table}")])


async def live(play: Journey) -> int:
    """How many codes can be used."""
    return len(await play.service.rows("SELECT id FROM code WHERE status = 'live'"))


async def bring(play: Journey, person: Person, code: str) -> str:
    """Somebody sends a code to the bot; gives the answer."""
    await play.tell(person, code)
    return play.told(person)[-1]


# ---- made -----------------------------------------------------------------------------------------


async def test_a_concierge_gets_a_code_at_once_and_whoever_brings_it_is_invited(engine: str, circle: Journey) -> None:
    asked = await circle.tell(circle.ben, "!code")
    assert circle.signs(asked) == ["✅"]
    code = circle.told_code(circle.ben)
    assert circle.told(circle.ben)[-1] == (
        f"{code}\nIt lets one person into {NAME} within 7 days, and its seat is kept until then. Hand it to them "
        f"outside Matrix; they send it to me, {circle.hs.bot}, in a direct message. You are their sponsor."
    )
    assert re.fullmatch(r"[2-9a-z]{4}-[2-9a-z]{4}-[2-9a-z]{4}", code) and await circle.seats() == 6
    pia = circle.newcomer("@pia:remote.test")
    brought = await circle.tell(pia, code)
    assert circle.signs(brought) == ["✅"]
    assert circle.told(pia) == [f"The code is good: I have invited you to {NAME}."]
    assert circle.told(circle.ben)[-1] == f"Your invitation code for {NAME} has been used."
    assert circle.room.invited == {pia.mxid} and await circle.seats() == 6 and await live(circle) == 0
    pia.join(circle.group)
    await circle.rest()
    assert (await circle.sponsors())["pia"] == "ben" and await circle.seats() == 6
    facts = [line[:2] for line in await circle.ledger()][-3:]
    assert facts == [("code_made", "ben"), ("code_used", "ben"), ("joined", "pia")]
    assert circle.posted() == circle.posted(circle.desk) == []


async def test_a_member_gets_a_code_once_a_concierge_has_said_yes(engine: str, circle: Journey) -> None:
    await circle.settled()
    asked = await circle.tell(circle.ana, "!code")
    assert circle.signs(asked) == ["⏳"] and await live(circle) == 0 and await circle.seats() == 5
    assert circle.told(circle.ana)[-1] == (
        "I have put your wish for an invitation code before the concierges, and tell you what they decide."
    )
    ana, ben = await circle.alias(circle.ana), await circle.alias(circle.ben)
    [line] = circle.hs.room(circle.desk).messages(circle.hs.bot)
    assert line.body == f"{ana} asks for an invitation code\n✅ to give it to them, ❌ to decline."
    await circle.decide(circle.ben, line.event_id)
    assert circle.posted(circle.desk) == [f"{ana} has an invitation code now. {ben} decided."]
    code = circle.told_code(circle.ana)
    pia = circle.newcomer()
    assert await bring(circle, pia, code) == f"The code is good: I have invited you to {NAME}."
    pia.join(circle.group)
    await circle.rest()
    assert (await circle.sponsors())["pia"] == "ana"
    assert circle.told(circle.ana)[-1] == f"Your invitation code for {NAME} has been used."


async def test_a_member_to_whom_a_concierge_says_no_gets_none(circle: Journey) -> None:
    await circle.settled()
    await circle.tell(circle.ana, "!code")
    [line] = circle.hs.room(circle.desk).messages(circle.hs.bot)
    await circle.decide(circle.ben, line.event_id, "❌")
    assert circle.told(circle.ana)[-1] == (
        f"The concierges of {NAME} have decided not to give you an invitation code. To learn why, ask them."
    )
    assert await circle.service.rows("SELECT id FROM code") == [] and await circle.seats() == 5


async def test_a_code_is_in_no_table_not_even_while_it_waits_for_its_maker_to_be_reachable(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    circle.ben.auto_join = False
    for room in hs.direct_rooms(circle.ben):
        circle.ben.leave(room.room_id)
    await circle.rest()
    await circle.say(circle.ben, "!code", to=circle.desk)
    held = await everything_kept(service)
    assert "TellCode" in held and await live(circle) == 1
    service.clock.advance(1)
    await service.restart()
    room = next(room for room in hs.direct_rooms(circle.ben) if room.membership(circle.ben.mxid) == "invite")
    circle.ben.join(room.room_id)
    await circle.rest()
    code = circle.told_code(circle.ben)
    sent = await everything_kept(service)
    for kept in (held, sent):
        assert code not in kept and code.replace("-", "") not in kept and code.upper() not in kept
    pia = circle.newcomer()
    assert "The code is good" in await bring(circle, pia, f"Code: {code.upper()}")
    assert code not in (await everything_kept(service)).lower()
    assert code not in "\n".join(circle.posted(circle.desk)) and len(circle.posted(circle.desk)) == 0


async def test_a_person_has_at_most_three_codes_made_or_asked_for(circle: Journey) -> None:
    await circle.settled()
    for _ in range(3):
        await circle.tell(circle.ben, "!code")
        await circle.tell(circle.ana, "!code")
    lines = circle.hs.room(circle.desk).messages(circle.hs.bot)
    await circle.decide(circle.ben, lines[0].event_id)
    for person in (circle.ben, circle.ana):
        asked = await circle.tell(person, "!code")
        assert circle.signs(asked) == ["⚠️"] and "You have 3 invitation codes" in circle.told(person)[-1]
    assert await live(circle) == 4 and len(circle.hs.room(circle.desk).messages(circle.hs.bot)) == 3
    await bring(circle, circle.newcomer(), circle.told_code(circle.ben))
    await circle.decide(circle.ben, lines[1].event_id, "❌")
    for person, sign in ((circle.ben, "✅"), (circle.ana, "⏳")):
        assert circle.signs(await circle.tell(person, "!code")) == [sign]


async def test_a_code_reserves_its_seat_and_a_full_group_makes_none(circle: Journey) -> None:
    await circle.settled()
    await circle.tell(circle.ana, "!code")
    [line] = circle.hs.room(circle.desk).messages(circle.hs.bot)
    await circle.fill(6)
    code, pia = await circle.code(circle.ben), circle.newcomer()
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    assert await circle.waiting() == ["pia"] and pia.mxid not in circle.room.members
    asked = await circle.tell(circle.rosa, "!code")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.rosa)[-1] == (
        "The group is full: all 6 seats are taken."
    )
    await circle.decide(circle.ben, line.event_id)
    assert circle.posted(circle.desk)[-1] == "The group is full: all 6 seats are taken." and await live(circle) == 1
    rows = await circle.service.rows("SELECT status FROM vouch")
    assert rows == [{"status": "pending"}]
    sam = circle.newcomer("sam")
    assert "The code is good" in await bring(circle, sam, code)
    assert circle.room.invited == {sam.mxid} and await circle.waiting() == ["pia"] and await circle.seats() == 6


async def test_no_code_is_made_or_taken_from_the_limit_of_members_on(circle: Journey) -> None:
    await circle.settled()
    code = await circle.code(circle.ben)
    await circle.tell(circle.ana, "!code")
    [line] = circle.hs.room(circle.desk).messages(circle.hs.bot)
    await circle.configure(code_limit=5)
    pia = circle.newcomer()
    for person, typed in ((circle.ben, "!code"), (circle.ana, "!code"), (pia, code)):
        asked = await circle.tell(person, typed)
        assert circle.signs(asked) == ["⚠️"]
        assert circle.told(person)[-1].startswith("Invitation codes work only while a group has fewer than 5 members.")
    await circle.decide(circle.ben, line.event_id)
    assert await live(circle) == 1 and pia.mxid not in circle.room.members
    circle.otto.leave(circle.group)
    await circle.rest()
    assert "The code is good" in await bring(circle, pia, code)


# ---- brought --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write", [str.upper, lambda c: c.replace("-", " "), lambda c: f"  {c}\n", lambda c: f"code {c}"]
)
async def test_case_and_spaces_are_forgiven(circle: Journey, write: object) -> None:
    code = await circle.code(circle.ben)
    assert "The code is good" in await bring(circle, circle.newcomer(), write(code))  # type: ignore[operator]


async def test_of_two_who_bring_a_code_at_once_one_is_invited(engine: str, circle: Journey, hs: FakeHomeserver) -> None:
    code = await circle.code(circle.ben)
    people = [circle.newcomer(f"p{n}") for n in range(6)]
    directs = [await circle.direct(person) for person in people]
    hs.pause_delivery()
    for person, direct in zip(people, directs, strict=True):
        person.say(direct, code)
    hs.resume()
    await circle.rest()
    assert len(circle.room.invited) == 1 and await circle.seats() == 6
    answers = sorted(text for person in people for text in circle.told(person))
    assert answers == sorted([BAD] * 5 + [f"The code is good: I have invited you to {NAME}."])
    assert [text for text in circle.told(circle.ben) if "has been used" in text] == [
        f"Your invitation code for {NAME} has been used."
    ]


async def test_a_used_code_is_used_up_even_if_its_person_declines(circle: Journey) -> None:
    code = await circle.code(circle.ben)
    pia = circle.newcomer()
    await bring(circle, pia, code)
    pia.leave(circle.group)
    await circle.rest()
    assert await bring(circle, pia, code) == BAD and await circle.seats() == 5


async def test_a_code_lasts_seven_days_then_its_seat_goes_to_who_waits(
    engine: str, circle: Journey, service: Service
) -> None:
    await circle.fill(6)
    code = await circle.code(circle.ben)
    pia, sam = circle.newcomer(), circle.newcomer("sam")
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    service.clock.advance(7 * DAY - 1)
    service.ring()
    await circle.rest()
    assert await circle.waiting() == ["pia"] and await live(circle) == 1
    await circle.direct(sam)
    service.clock.advance(1)
    assert await bring(circle, sam, code) == BAD
    service.ring()
    await circle.rest()
    assert circle.room.invited == {pia.mxid} and await circle.seats() == 6 and await live(circle) == 0
    assert f"An invitation code of yours for {NAME} was not used in time. Its seat is free again." in (
        circle.told(circle.ben)
    )


async def test_a_code_that_somebody_brings_who_needs_none_can_still_be_used(
    circle: Journey, hs: FakeHomeserver
) -> None:
    code = await circle.code(circle.ben)
    sam, eve = circle.newcomer("sam"), circle.newcomer("eve")
    await circle.tell(circle.ben, f"!invite {sam.mxid}")
    circle.ben.ban(circle.group, eve.mxid)
    await circle.rest()
    ledger = await circle.ledger()
    for person, why in ((circle.ana, "in the group already"), (sam, "are invited already"), (eve, "were banned")):
        brought = await circle.tell(person, code)
        assert circle.signs(brought) == ["⚠️"] and why in circle.told(person)[-1]
    assert await live(circle) == 1 and await circle.ledger() == ledger and await circle.seats() == 7
    assert "The code is good" in await bring(circle, circle.newcomer(), code)


async def test_who_waits_for_a_seat_and_brings_a_code_waits_no_more(circle: Journey) -> None:
    await circle.fill(6)
    code = await circle.code(circle.ben)
    pia = circle.newcomer()
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    assert await circle.waiting() == ["pia"]
    await bring(circle, pia, code)
    assert circle.room.invited == {pia.mxid} and await circle.waiting() == [] and await circle.seats() == 6


async def test_after_five_wrong_codes_in_an_hour_even_a_right_one_is_not_looked_at(
    engine: str, circle: Journey, service: Service
) -> None:
    code = await circle.code(circle.ben)
    eve, pia = circle.newcomer("eve"), circle.newcomer()
    for n in range(5):
        assert await bring(circle, eve, f"2222-3333-444{n + 2}") == BAD
        service.clock.advance(1)
    for typed in ("2222-3333-4449", code):
        assert (await bring(circle, eve, typed)).startswith(ENOUGH)
    assert await live(circle) == 1 and eve.mxid not in circle.room.members
    service.clock.advance(HOUR - 6)
    assert (await bring(circle, eve, code)).startswith(ENOUGH)
    service.clock.advance(1)
    assert "The code is good" in await bring(circle, eve, code)
    other = await circle.code(circle.ben)
    assert "The code is good" in await bring(circle, pia, other)  # others are not held up by eve


async def test_a_code_for_a_group_that_is_being_closed_is_not_used_up(circle: Journey, service: Service) -> None:
    code, pia = await circle.code(circle.ben), circle.newcomer()
    for status, answer in (("closing", "The group is being closed"), ("open", "The code is good")):
        async with service.store.unit() as unit:
            await unit._connection.execute("UPDATE coterie_group SET status = $1", status)
        assert answer in await bring(circle, pia, code)
    assert circle.room.invited == {pia.mxid}


async def test_in_the_group_a_code_is_chatter(circle: Journey) -> None:
    code = await circle.code(circle.ben)
    said = await circle.say(circle.ana, code)
    assert circle.signs(said) == [] and circle.hs.event(said).redaction is None and await live(circle) == 1
    rows = await circle.service.rows("SELECT id FROM arrival WHERE id = $1", said)
    assert rows == []


async def test_a_person_who_is_blocked_to_invitations_is_told_so_and_the_seat_is_free_again(
    circle: Journey, hs: FakeHomeserver
) -> None:
    code = await circle.code(circle.ben)
    pia = circle.newcomer("@pia:remote.test")
    await circle.direct(pia)
    hs.refuse_invites(pia.mxid, INVITE_BLOCKED)
    assert (await bring(circle, pia, code)).startswith("I could not invite you:")
    assert await circle.seats() == 5 and pia.mxid not in circle.room.members
