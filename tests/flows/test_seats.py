"""Seats: joined, invited and reserved ones are never more than the cap, and who waits comes in order."""

from __future__ import annotations

import sqlite3

import pytest

from tests.flows.growth import SEATS
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED, UNKNOWN_USER, UNREACHABLE, Event, Refused
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, MINUTE, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"


def force_in(play: Journey, person: Person) -> None:
    """They come in without an invitation, as a power-level slip or another server's view of the room allows."""
    person.put_state(play.group, "m.room.member", {"membership": "join"}, state_key=person.mxid, force=True)


async def full_but_for(play: Journey, *invited: Person) -> None:
    """Ben invites these, who do not answer; with that the group is full."""
    for person in invited:
        await play.say(play.ben, f"!invite {person.mxid}", to=play.desk)
    await play.fill()


async def wait_for(play: Journey, *people: Person) -> None:
    """Ben asks for more than there are seats for."""
    for person in people:
        await play.say(play.ben, f"!invite {person.mxid}", to=play.desk)


# ---- taken before the invitation leaves --------------------------------------------------------


async def test_no_invitation_leaves_before_its_seat_is_taken_and_no_seat_is_taken_twice(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await circle.fill(9)
    seen: list[tuple[str, int]] = []

    def look(event: Event) -> None:
        if event.room_id == circle.group and event.content.get("membership") == "invite":
            with sqlite3.connect(service.database.partition(":")[2]) as database:
                [(taken,)] = database.execute(SEATS.replace("$1", "?"), [circle.group]).fetchall()
                query = "SELECT presence FROM member WHERE user_id = ?"
                [(presence,)] = database.execute(query, [event.state_key]).fetchall()
            seen.append((presence, taken))

    hs.world.observers.append(look)
    people = [circle.newcomer(f"p{n}") for n in range(9)]
    codes = [await circle.code(circle.ben)]
    rosas = await circle.direct(circle.rosa)
    directs = [await circle.direct(person) for person in people]
    hs.pause_delivery()
    for person, direct in zip(people, directs, strict=True):
        circle.rosa.say(rosas, f"!invite {person.mxid}")
        circle.ben.say(circle.desk, f"!invite {person.mxid}")
        person.say(direct, codes[0])
    hs.resume()
    await circle.rest()
    invited = sorted(circle.room.invited)
    assert len(invited) == 4 and await circle.seats() == 9
    assert sorted(await circle.waiting()) == sorted({f"p{n}" for n in range(9)} - {i[1:3] for i in invited})
    assert [presence for presence, _ in seen] == ["invited"] * 4
    assert all(taken <= 9 for _, taken in seen), seen


async def test_all_doors_at_once_let_in_exactly_as_many_as_there_are_seats(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    await circle.fill(8)
    code = await circle.code(circle.ben)
    ways = [circle.newcomer(f"w{n}") for n in range(9)]
    desk, rosas = circle.desk, await circle.direct(circle.rosa)
    directs = {person.mxid: await circle.direct(person) for person in ways[:3]}
    hs.pause_delivery()
    for person in ways[:3]:
        person.say(directs[person.mxid], code)
    for person in ways[3:6]:
        circle.ben.say(desk, f"!invite {person.mxid}")
        circle.rosa.say(rosas, f"!invite {person.mxid}")
    for person in ways[6:]:
        force_in(circle, person)
    hs.resume()
    await circle.rest()
    present = circle.room.joined | circle.room.invited
    assert len(present - {hs.bot}) == 8 == await circle.seats()
    rows = await circle.service.rows("SELECT status FROM code")
    assert [row["status"] for row in rows] == ["used"]
    assert len(set(await circle.waiting()) | {mxid[1:3] for mxid in present if mxid[1] == "w"}) == 7  # two had no code


async def test_concierges_take_a_seat_the_service_and_the_backup_account_take_none(
    play: Journey, hs: FakeHomeserver
) -> None:
    backup = play.person("backup")
    await play.configure(backup_creator=backup.mxid)
    await play.make_group(cap=2)
    await play.tell(play.rosa, f"!concierge add {play.ben.mxid}")
    assert await play.seats() == 2
    assert backup.mxid in play.room.joined, "it was invited as soon as the room was there"
    asked = await play.tell(play.rosa, f"!invite {backup.mxid}")
    assert play.signs(asked) == ["✅"]
    assert await play.seats() == 2 and "backup" not in await play.members()
    assert hs.bot in play.room.joined and len(play.room.joined) == 4
    await play.tell(play.rosa, f"!invite {play.ana.mxid}")
    assert await play.waiting() == ["ana"] and play.ana.mxid not in play.room.members


# ---- given back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["declines", "is taken back", "is banned", "expires", "is blocked", "is unknown"])
async def test_the_next_on_the_waitlist_is_invited_at_once_when_an_invitation(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service, way: str
) -> None:
    pia, sam, tim = circle.newcomer("@pia:remote.test"), circle.newcomer("sam"), circle.newcomer("tim")
    if way in ("is blocked", "is unknown"):
        await circle.fill(await circle.seats() + 1)
        hs.pause_delivery()
        hs.refuse_invites(pia.mxid, INVITE_BLOCKED if way == "is blocked" else UNKNOWN_USER)
        for person in (pia, sam, tim):
            circle.ben.say(circle.desk, f"!invite {person.mxid}")
        hs.resume()
        await circle.rest()
    else:
        await full_but_for(circle, pia)
        await wait_for(circle, sam, tim)
        assert sam.invitations == tim.invitations == [] and await circle.waiting() == ["sam", "tim"]
    match way:
        case "declines":
            pia.leave(circle.group)
        case "is taken back":
            circle.ben.kick(circle.group, pia.mxid)
        case "is banned":
            circle.ben.ban(circle.group, pia.mxid)
        case "expires":
            await circle.days(7)
    await circle.rest()
    assert circle.group in [room.room_id for room in sam.invitations] and await circle.waiting() == ["tim"]
    assert pia.mxid not in circle.room.joined | circle.room.invited and tim.mxid not in circle.room.members
    assert await circle.seats() == 6
    free = f"A seat in {NAME} has become free, and I have invited {sam.mxid}, who was next on the waitlist."
    was_in_time = f"Invited {sam.mxid} to {NAME}." in circle.posted(circle.desk)  # pia's was refused before that
    assert circle.told(circle.ben).count(free) == (0 if was_in_time else 1)


@pytest.mark.parametrize("way", ["leaves", "is removed", "is banned"])
async def test_the_next_on_the_waitlist_is_invited_at_once_when_a_member(circle: Journey, way: str) -> None:
    await circle.fill()
    sam = circle.newcomer("sam")
    await wait_for(circle, sam)
    match way:
        case "leaves":
            circle.ana.leave(circle.group)
        case "is removed":
            circle.ben.kick(circle.group, circle.ana.mxid)
        case "is banned":
            circle.ben.ban(circle.group, circle.ana.mxid)
    await circle.rest()
    assert circle.room.membership(sam.mxid) == "invite" and await circle.waiting() == []
    assert await circle.seats() == 5


async def test_an_invitation_lasts_seven_days_and_not_a_moment_less(circle: Journey, service: Service) -> None:
    pia = circle.newcomer()
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    service.clock.advance(7 * DAY - 1)
    service.ring()
    await circle.rest()
    assert circle.room.membership(pia.mxid) == "invite"
    service.clock.advance(1)
    service.ring()
    await circle.rest()
    assert circle.room.membership(pia.mxid) == "leave"
    last = circle.room.state["m.room.member", pia.mxid]
    assert (last.sender, last.content["reason"]) == (circle.hs.bot, "the invitation has expired")
    assert circle.told(circle.ben)[-1] == (
        f"{pia.mxid} has not answered the invitation to {NAME}. It has expired, and I take it back."
    )
    assert await circle.seats() == 5


async def test_who_accepts_within_the_time_keeps_their_seat_when_it_is_over(circle: Journey) -> None:
    pia = circle.newcomer()
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    await circle.days(6.9)
    pia.join(circle.group)
    await circle.rest()
    await circle.days(1)
    assert (await circle.members())["pia"] == ("joined", 0) and circle.room.membership(pia.mxid) == "join"


async def test_an_invitation_that_is_sent_again_after_its_person_has_declined_is_taken_back(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    pia, sam = circle.newcomer(), circle.newcomer("sam")
    await circle.fill(6)
    hs.faults.on_request(Fault.ANSWER_502, match="POST .*/invite")
    await circle.tell(circle.ben, f"!invite {pia.mxid}")
    pia.leave(circle.group)
    await circle.rest()
    await wait_for(circle, sam)
    await service.wait(MINUTE)
    invited = [event for event in circle.room.events if event.state_key == pia.mxid]
    assert [event.content["membership"] for event in invited] == ["invite", "leave", "invite", "leave"]
    assert circle.room.invited == {sam.mxid} and await circle.seats() == 6
    assert (await circle.members())["pia"] == ("left", 0)


async def test_a_server_that_cannot_be_reached_keeps_the_seat_while_it_is_tried_and_then_gives_it_back(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    pia, sam = circle.newcomer("@pia:remote.test"), circle.newcomer("sam")
    await circle.fill(6)
    hs.refuse_invites("remote.test", UNREACHABLE)
    await wait_for(circle, pia, sam)
    assert await circle.seats() == 6 and await circle.waiting() == ["sam"]
    await service.wait(MINUTE)
    why = f"{pia.mxid} could not be invited: their server cannot be reached. The seat is free again."
    assert why in circle.told(circle.ben)
    assert circle.room.invited == {sam.mxid} and await circle.seats() == 6


# ---- the third door -----------------------------------------------------------------------------


async def test_who_gets_in_over_the_cap_is_removed_told_why_and_first_on_the_waitlist(
    engine: str, circle: Journey
) -> None:
    await circle.fill()
    sam, eve = circle.newcomer("sam"), circle.newcomer("eve")
    await wait_for(circle, sam)
    force_in(circle, eve)
    await circle.rest()
    out = circle.room.state["m.room.member", eve.mxid]
    assert (out.sender, out.content) == (
        circle.hs.bot,
        {"membership": "leave", "reason": "removed by the service"},
    )
    eve.join_all()
    await circle.rest()
    assert circle.told(eve) == [
        f"{NAME} is full, and you came in without one of its 5 seats, so I had to remove you. You are first on the "
        "waitlist: I invite you when a seat is free. You need not do anything."
    ]
    assert await circle.waiting() == ["eve", "sam"] and await circle.seats() == 5
    assert circle.posted(circle.desk)[-1].startswith("Somebody came in although all 5 seats are taken")
    assert [line[0] for line in await circle.ledger()][-1] == "turned_away"
    assert "eve" not in await circle.members() and circle.posted() == []
    circle.mia.leave(circle.group)
    await circle.rest()
    assert circle.room.invited == {eve.mxid} and await circle.waiting() == ["sam"]
    assert circle.told(eve)[-1] == f"A seat in {NAME} has become free, and I have invited you."


async def test_who_waits_already_and_gets_in_over_the_cap_is_first_on_the_waitlist_all_the_same(
    circle: Journey,
) -> None:
    await circle.fill()
    sam, tim, eve = circle.newcomer("sam"), circle.newcomer("tim"), circle.newcomer("eve")
    await wait_for(circle, sam, tim, eve)
    force_in(circle, eve)
    await circle.rest()
    assert circle.room.membership(eve.mxid) == "leave" and await circle.waiting() == ["eve", "sam", "tim"]


async def test_of_two_who_get_in_at_once_the_newest_goes(engine: str, circle: Journey, hs: FakeHomeserver) -> None:
    await circle.fill(6)
    first, second = circle.newcomer("one"), circle.newcomer("two")
    hs.pause_delivery()
    force_in(circle, first)
    force_in(circle, second)
    hs.resume()
    await circle.rest()
    assert first.mxid in circle.room.joined and circle.room.membership(second.mxid) == "leave"
    assert await circle.seats() == 6 and await circle.waiting() == ["two"]


async def test_who_gets_in_while_there_is_a_free_seat_stays_and_is_welcome(circle: Journey) -> None:
    eve = circle.newcomer("eve")
    force_in(circle, eve)
    await circle.rest()
    eve.join_all()
    await circle.rest()
    assert eve.mxid in circle.room.joined and circle.welcomes(eve)[0].startswith(f"Welcome to {NAME}.")


async def test_who_was_banned_is_not_invited_until_the_ban_is_lifted(circle: Journey, hs: FakeHomeserver) -> None:
    circle.ben.ban(circle.group, circle.mia.mxid)
    await circle.rest()
    for person in (circle.rosa, circle.ben):
        asked = await circle.tell(person, f"!invite {circle.mia.mxid}")
        assert circle.signs(asked) == ["⚠️"] and circle.told(person)[-1].startswith("That person was banned")
    assert circle.room.membership(circle.mia.mxid) == "ban" and await circle.waiting() == []
    hs.world.set_membership(circle.ben.mxid, circle.group, circle.mia.mxid, "unban")
    await circle.rest()
    asked = await circle.tell(circle.rosa, f"!invite {circle.mia.mxid}")
    assert circle.signs(asked) == ["✅"] and (await circle.members())["mia"] == ("joined", 0)


async def test_a_stranger_who_was_banned_beforehand_is_not_invited_and_kept_out(circle: Journey) -> None:
    eve = circle.newcomer("eve")
    circle.ben.ban(circle.group, eve.mxid)
    await circle.rest()
    asked = await circle.tell(circle.rosa, f"!invite {eve.mxid}")
    assert circle.signs(asked) == ["⚠️"] and circle.room.membership(eve.mxid) == "ban"
    with pytest.raises(Refused, match="banned"):
        eve.join(circle.group)
    force_in(circle, eve)
    await circle.rest()
    assert circle.room.membership(eve.mxid) == "leave" and await circle.waiting() == []
