"""Who comes into help rooms and goes, and how these end."""

from __future__ import annotations

from tests.flows.helped import (
    ask,
    help_room,
    help_rooms,
    helped,
    later,
    lines,
    off_duty,
    people,
    said,
    standing,
    take,
    thread,
)
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import INVITE_BLOCKED, UNREACHABLE
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, MINUTE, Service

# Who comes and goes


async def test_a_question_that_is_handed_over_takes_its_room_along(circle: Journey) -> None:
    room = await helped(circle)
    alias = await circle.alias(circle.rosa)
    await circle.say(circle.ben, f'!hand "{alias}" knows the maker', to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert people(room, circle) == {"ana", "rosa"} and await standing(circle) == ("claimed", "rosa", True)
    assert alias in said(room, circle)[-1] and len(said(room, circle)) == 2


async def test_a_concierge_who_leaves_the_room_is_followed_by_the_next(circle: Journey) -> None:
    room = await helped(circle)
    circle.ben.leave(room.room_id)
    await circle.rest()
    assert people(room, circle) == {"ana", "rosa"} and await standing(circle) == ("claimed", "rosa", True)


async def test_a_concierge_who_is_none_any_more_is_out_and_followed_by_the_next(circle: Journey) -> None:
    room = await helped(circle)
    await circle.tell(circle.rosa, f"!concierge remove {circle.ben.mxid}")
    assert people(room, circle) == {"ana", "rosa"} and await standing(circle) == ("claimed", "rosa", True)


async def test_a_concierge_who_leaves_the_group_is_out_of_its_help_rooms(circle: Journey) -> None:
    room = await helped(circle)
    circle.ben.leave(circle.group)
    await circle.rest()
    assert people(room, circle) == {"ana", "rosa"}


async def test_with_nobody_to_follow_the_question_is_in_the_queue_and_the_desk_knows(circle: Journey) -> None:
    room = await helped(circle)
    await off_duty(circle, circle.rosa)
    circle.ben.leave(room.room_id)
    await circle.rest()
    assert await standing(circle) == ("open", None, True) and people(room, circle) == {"ana"}
    assert any("No concierge is in the private room" in text for text in thread(circle))
    await take(circle, circle.rosa)
    assert people(room, circle) == {"ana", "rosa"} and help_rooms(circle) == [room]


async def test_a_concierge_who_left_after_closing_is_asked_in_again_when_the_member_goes_on(circle: Journey) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    circle.ben.leave(room.room_id)
    await circle.rest()
    assert people(room, circle) == {"ana"}
    await circle.say(circle.ana, "And warm?", to=room.room_id)
    assert people(room, circle) == {"ana", "ben"} and await standing(circle) == ("claimed", "ben", True)


async def test_a_member_who_declines_is_told_of_in_the_desk(circle: Journey) -> None:
    await ask(circle, circle.ana)
    circle.ana.auto_join = False
    await take(circle, circle.ben)
    circle.ana.leave(help_room(circle).room_id)
    await circle.rest()
    assert "has declined the private room" in thread(circle)[-1]


async def test_a_member_who_does_not_come_is_told_of_once(circle: Journey) -> None:
    await ask(circle, circle.ana)
    circle.ana.auto_join = False
    await take(circle, circle.ben)
    await later(circle, HOUR)
    await later(circle, 2 * DAY)
    assert len([text for text in thread(circle) if "has not come into the private room yet" in text]) == 1


async def test_a_member_who_cannot_be_invited_is_told_of_and_can_be_invited_again(
    circle: Journey, hs: FakeHomeserver
) -> None:
    hs.refuse_invites(circle.ana.mxid, INVITE_BLOCKED)
    await ask(circle, circle.ana)
    await take(circle, circle.ben)
    room = help_room(circle)
    assert "could not be invited to the private room: they do not accept" in thread(circle)[-1]
    hs.refuse_invites(circle.ana.mxid, None)
    await circle.say(circle.ben, "!private", to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert people(room, circle) == {"ana", "ben"}


async def test_a_members_server_that_is_down_is_told_of_in_the_desk(circle: Journey, hs: FakeHomeserver) -> None:
    pia = circle.person("@pia:remote.test")
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    await ask(circle, pia)
    hs.refuse_invites("remote.test", UNREACHABLE)
    await take(circle, circle.ben)
    await circle.service.wait(30 * MINUTE)
    assert any("their server cannot be reached" in text for text in thread(circle))
    assert people(help_room(circle), circle) == {"ben"}


async def test_a_concierge_who_cannot_be_invited_is_followed_by_the_next(circle: Journey, hs: FakeHomeserver) -> None:
    hs.refuse_invites(circle.ben.mxid, INVITE_BLOCKED)
    await ask(circle, circle.ana)
    await take(circle, circle.ben)
    assert people(help_room(circle), circle) == {"ana", "rosa"}


async def test_a_room_that_the_homeserver_does_not_make_is_told_of_and_tried_again_on_demand(
    circle: Journey, hs: FakeHomeserver
) -> None:
    hs.faults.on_request(Fault.ERROR_502, match="POST .*createRoom", times=6)
    await ask(circle, circle.ana)
    await take(circle, circle.ben)
    await circle.service.wait(5 * MINUTE)
    assert help_rooms(circle) == [] and "I could not make a private room" in thread(circle)[-1]
    await circle.say(circle.ben, "!private", to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert people(help_room(circle), circle) == {"ana", "ben"}


# The end of a room


async def test_a_week_after_closing_the_service_says_one_line_and_leaves(engine: str, circle: Journey) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    await later(circle, DAY)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    await later(circle, 7 * DAY - MINUTE)
    assert circle.hs.bot in room.joined and len(said(room, circle)) == 1
    await later(circle, 2 * MINUTE)
    assert circle.hs.bot not in room.joined and said(room, circle)[-1].startswith("This question was closed a week ago")
    assert people(room, circle) == {"ana", "ben"}
    assert await circle.service.rows("SELECT * FROM room WHERE kind = 'help'") == []
    before = len(lines(circle))
    await circle.tell(circle.ana, "Is it red?")
    assert len(lines(circle)) == before + 1


async def test_what_is_said_last_is_encrypted_too(sealed: None, circle: Journey) -> None:
    room = await helped(circle)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    await later(circle, 8 * DAY)
    last = room.messages(circle.hs.bot)[-1]
    assert last.sealed and circle.hs.bot not in room.joined


async def test_a_question_that_is_opened_again_keeps_its_room(circle: Journey) -> None:
    room = await helped(circle)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    await later(circle, 6 * DAY)
    await circle.say(circle.ana, "And warm?", to=room.room_id)
    await later(circle, 20 * DAY)
    assert circle.hs.bot in room.joined and people(room, circle) == {"ana", "ben"}


async def test_the_room_of_a_member_who_leaves_the_group_is_closed(circle: Journey) -> None:
    room = await helped(circle)
    circle.ana.leave(circle.group)
    await circle.rest()
    assert people(room, circle) == set()
    await later(circle, 10 * MINUTE)
    assert circle.hs.bot not in room.joined


async def test_nothing_is_left_of_the_room_of_somebody_who_is_forgotten(circle: Journey, service: Service) -> None:
    room = await helped(circle)
    await circle.tell(circle.ana, "!forget me confirm")
    for _ in range(4):
        await later(circle, 15 * MINUTE)
    assert people(room, circle) == set() and circle.hs.bot not in room.joined
    for table in ("told", "timer", "effect", "arrival", "question", "room", "direct"):
        for row in await service.rows(f"SELECT * FROM {table}"):
            assert circle.ana.mxid not in str(dict(row)), table


async def test_a_group_that_is_closed_takes_its_help_rooms_along(circle: Journey) -> None:
    room = await helped(circle)
    await circle.tell(circle.rosa, "!sunset confirm")
    await later(circle, DAY + MINUTE)
    await later(circle, 30 * MINUTE)
    assert people(room, circle) == set() and circle.hs.bot not in room.joined


async def test_a_room_from_which_the_service_was_taken_is_told_of_and_made_anew(
    circle: Journey, hs: FakeHomeserver
) -> None:
    room = await helped(circle)
    hs.world.set_membership(hs.bot, room.room_id, hs.bot, "leave")  # by somebody with the bot's token
    await circle.rest()
    assert "I am out of the private room" in thread(circle)[-1]
    await circle.say(circle.ben, "!private", to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert [people(one, circle) for one in help_rooms(circle)] == [{"ana", "ben"}, {"ana", "ben"}]


async def test_all_of_it_happens_once_when_everything_is_delivered_twice(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    hs.delivery.redeliver()
    await circle.rest()
    await circle.service.restart()
    assert help_rooms(circle) == [room] and len(said(room, circle)) == 1
    assert await standing(circle) == ("waiting_member", "ben", False)
