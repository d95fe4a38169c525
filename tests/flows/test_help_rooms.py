"""Help rooms: one member, one concierge and the service; how they come about, and what is said there."""

from __future__ import annotations

from tests.flows.asked import facts, rings, types
from tests.flows.helped import (
    ask,
    ask_all,
    help_room,
    help_rooms,
    helped,
    later,
    line_now,
    lines,
    off_duty,
    people,
    said,
    standing,
    take,
    thread,
)
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, Service

# How a room comes about


async def test_taking_a_direct_question_opens_a_room_of_asker_concierge_and_service(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    line = await ask(circle, circle.ana)
    assert help_rooms(circle) == []
    await take(circle, circle.ben)
    room = help_room(circle)
    assert people(room, circle) == {"ana", "ben"} and hs.bot in room.joined
    assert room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert room.content("m.room.guest_access") == {"guest_access": "forbidden"}
    assert room.content("m.room.power_levels")["users"] == {} and room.content("m.room.power_levels")["invite"] == 150
    alias, helper = await circle.alias(circle.ana), await circle.alias(circle.ben)
    [greeting] = said(room, circle)
    assert "“Is it soft?”" in greeting and alias in greeting and helper in greeting
    assert room.room_id.split(":")[0].removeprefix("!") in line_now(circle, line)
    assert circle.posted() == [] and await standing(circle) == ("claimed", "ben", True)


async def test_putting_a_direct_question_off_opens_no_room(circle: Journey, service: Service) -> None:
    line = await ask(circle, circle.ana)
    await types(circle, circle.ben, "!snooze in 2 hours")
    assert await standing(circle) == ("snoozed", None, True) and help_rooms(circle) == []
    await service.wait(2 * HOUR + MINUTE)
    assert await standing(circle) == ("open", None, True) and help_rooms(circle) == []
    await take(circle, circle.rosa, line)
    assert people(help_room(circle), circle) == {"ana", "rosa"}


async def test_a_question_in_the_group_gets_no_room_by_being_taken(circle: Journey) -> None:
    await ask_all(circle, circle.ana)
    await take(circle, circle.ben)
    assert help_rooms(circle) == [] and await standing(circle) == ("claimed", "ben", True)


async def test_a_room_is_as_encrypted_as_its_group(sealed: None, circle: Journey) -> None:
    room = await helped(circle)
    assert room.content("m.room.encryption") == {"algorithm": "m.megolm.v1.aes-sha2"}
    assert len(said(room, circle)) == 1
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    assert await standing(circle) == ("waiting_member", "ben", False)
    await circle.say(circle.ana, "And warm?", to=room.room_id)
    assert await standing(circle) == ("claimed", "ben", True)


async def test_two_who_take_it_at_once_make_one_room_of_the_first(circle: Journey, hs: FakeHomeserver) -> None:
    line = await ask(circle, circle.ana)
    hs.pause_delivery()
    circle.ben.react(circle.desk, line.event_id, "👀")
    circle.rosa.react(circle.desk, line.event_id, "👀")
    hs.resume()
    await circle.rest()
    assert people(help_room(circle), circle) == {"ana", "ben"} and await standing(circle) == ("claimed", "ben", True)


async def test_a_room_whose_making_was_not_answered_is_found_again(circle: Journey, hs: FakeHomeserver) -> None:
    line = await ask(circle, circle.ana)
    hs.faults.on_request(Fault.ANSWER_LOST, match="POST .*createRoom")
    await take(circle, circle.ben, line)
    await later(circle, MINUTE)
    assert people(help_room(circle), circle) == {"ana", "ben"}


async def test_what_the_concierge_writes_before_the_member_has_come_is_there_for_them(circle: Journey) -> None:
    await ask(circle, circle.ana)
    circle.ana.auto_join = False
    await take(circle, circle.ben)
    room = help_room(circle)
    answer = await circle.say(circle.ben, "Yes, very", to=room.room_id)
    assert await standing(circle) == ("waiting_member", "ben", False) and said(room, circle) == []
    circle.ana.join(room.room_id)
    await circle.rest()
    assert answer in [event.event_id for event in room.visible_to(circle.ana.mxid)] and len(said(room, circle)) == 1


async def test_a_member_has_a_question_of_the_group_answered_in_private(circle: Journey) -> None:
    await ask_all(circle, circle.ana)
    typed = await circle.say(circle.ana, "!private")
    room = help_room(circle)
    assert circle.signs(typed) == ["✅"] and "ana" in people(room, circle) and len(people(room, circle)) == 2
    assert circle.told(circle.ana)[-1].startswith("I invite you to a private room with")
    assert circle.posted() == [] and (await standing(circle))[0] == "claimed"


async def test_a_concierge_opens_a_room_in_the_thread_of_a_question(circle: Journey) -> None:
    await ask_all(circle, circle.ana)
    await take(circle, circle.ben)
    await circle.say(circle.ben, "!private", to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert people(help_room(circle), circle) == {"ana", "ben"}


async def test_asking_for_privacy_twice_gives_the_same_room_and_lets_in_who_has_left(circle: Journey) -> None:
    room = await helped(circle)
    circle.ana.leave(room.room_id)
    await circle.rest()
    assert "has left the private room" in thread(circle)[-1] and people(room, circle) == {"ben"}
    await circle.tell(circle.ana, "!private")
    await circle.tell(circle.ana, "!private")
    assert help_rooms(circle) == [room] and people(room, circle) == {"ana", "ben"}


async def test_turns_go_round_among_those_on_duty(circle: Journey) -> None:
    kim = circle.person("kim")
    await circle.tell(circle.rosa, f"!concierge add {kim.mxid}")
    for person in (circle.ana, circle.otto, circle.mia):
        await ask_all(circle, person, f"!ask Is it soft, says {person.mxid[1]}?")
        await circle.say(person, "!private")
    assert sorted(sorted(people(room, circle)) for room in help_rooms(circle)) == [
        ["ana", "rosa"], ["ben", "otto"], ["kim", "mia"],
    ]  # fmt: skip


async def test_with_nobody_on_duty_the_room_comes_once_somebody_takes_the_question(circle: Journey) -> None:
    for concierge in (circle.ben, circle.rosa):
        await off_duty(circle, concierge)
    await ask_all(circle, circle.ana)
    await circle.say(circle.ana, "!private")
    assert help_rooms(circle) == [] and "No concierge is on duty now" in circle.told(circle.ana)[-1]
    await take(circle, circle.ben)
    assert people(help_room(circle), circle) == {"ana", "ben"}


async def test_privacy_for_no_question_is_refused(circle: Journey) -> None:
    typed = await circle.say(circle.ana, "!private")
    assert circle.signs(typed) == ["⚠️"] and "You have no open question" in circle.told(circle.ana)[-1]
    assert help_rooms(circle) == []


async def test_privacy_for_one_of_several_questions_needs_a_reply_to_it(circle: Journey) -> None:
    first = await ask_all(circle, circle.ana)
    await ask_all(circle, circle.ana, "!ask Is it warm?")
    for typed in (await circle.say(circle.ana, "!private"), await circle.tell(circle.ana, "!private")):
        assert circle.signs(typed) == ["⚠️"] and "as a reply to the message" in circle.told(circle.ana)[-1]
    assert help_rooms(circle) == []
    await circle.say(circle.ana, "!private", reply_to=first)
    assert "“Is it soft?”" in said(help_room(circle), circle)[0]


async def test_a_closed_question_gets_no_room(circle: Journey) -> None:
    await ask_all(circle, circle.ana)
    line = lines(circle)[0].event_id
    await circle.decide(circle.ben, line, "✅")
    typed = await circle.say(circle.ben, "!private", to=circle.desk, reply_to=line)
    assert circle.signs(typed) == ["⚠️"] and help_rooms(circle) == []


# What is said there


async def test_the_concierges_message_answers_and_the_members_opens_again(engine: str, circle: Journey) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    assert await standing(circle) == ("waiting_member", "ben", False)
    await circle.say(circle.ana, "And warm?", to=room.room_id)
    assert await standing(circle) == ("claimed", "ben", True)
    assert len(said(room, circle)) == 1 and circle.posted() == []


async def test_the_members_further_words_there_open_it_again_and_ring_nobody(circle: Journey, service: Service) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    rung = rings(circle)
    await circle.say(circle.ana, "And warm?", to=room.room_id)
    assert await standing(circle) == ("claimed", "ben", True) and (await facts(circle))[-1] == "reopened"
    assert rings(circle) == rung
    await service.wait(16 * MINUTE)
    nudge = f"{await circle.alias(circle.ben)}, {await circle.alias(circle.ana)} has waited for your answer"
    assert rings(circle)[len(rung) :] == [(f"{nudge} for 15 minutes.", {"ben"})]


async def test_a_removed_answer_answers_nothing(circle: Journey) -> None:
    room = await helped(circle)
    answer = await circle.say(circle.ben, "Yes, very", to=room.room_id)
    await circle.redact(circle.ben, answer)
    assert await standing(circle) == ("claimed", "ben", True)


async def test_what_is_said_in_a_help_room_is_written_down_nowhere(circle: Journey, service: Service) -> None:
    room = await helped(circle)
    await circle.say(circle.ana, "SECRET one", to=room.room_id)
    await circle.say(circle.ben, "SECRET two", to=room.room_id)
    chatter = await circle.say(circle.ben, "SECRET three", to=room.room_id)
    assert await service.rows("SELECT id FROM arrival WHERE id = $1", chatter) == []
    for table in ("arrival", "effect", "question", "question_note", "ledger"):
        for row in await service.rows(f"SELECT * FROM {table}"):
            assert "SECRET" not in str(dict(row)), table
    assert "SECRET" not in str([event.content for event in circle.hs.room(circle.desk).messages()])


async def test_an_answer_that_came_with_what_it_answers_counts(circle: Journey, hs: FakeHomeserver) -> None:
    room = await helped(circle)
    await circle.say(circle.ben, "Yes, very", to=room.room_id)
    hs.pause_delivery()
    circle.ana.say(room.room_id, "And warm?")
    circle.ben.say(room.room_id, "That too")
    hs.resume()
    await circle.rest()
    assert await standing(circle) == ("waiting_member", "ben", False)


async def test_a_check_mark_in_the_room_closes_the_question(circle: Journey) -> None:
    room = await helped(circle)
    thanks = await circle.say(circle.ana, "Thanks, I see", to=room.room_id)
    done = circle.ben.react(room.room_id, thanks, "✅")
    await circle.rest()
    assert (await standing(circle))[0] == "resolved"
    await circle.redact(circle.ben, done)
    assert (await standing(circle))[0] == "claimed"


async def test_the_members_command_works_there_as_by_direct_message(shop: Journey) -> None:
    room = await helped(shop)
    typed = await shop.say(shop.ana, "!pledge 3", to=room.room_id)
    assert await shop.units() == {"ana": 3} and shop.signs(typed) == ["✅"]
    await shop.say(shop.ana, "+2", to=room.room_id)
    assert await shop.units() == {"ana": 3}


async def test_what_is_not_for_both_is_removed_there_and_refused(circle: Journey, hs: FakeHomeserver) -> None:
    room = await helped(circle)
    told = await circle.say(circle.ben, "!note she always asks", to=room.room_id)
    assert hs.event(told).content == {} and circle.told(circle.ben)[-1].startswith("!note is not for both")
    assert "Write it in the desk" in circle.told(circle.ben)[-1]
    left = await circle.say(circle.ana, "!leave", to=room.room_id)
    assert hs.event(left).content == {} and "Send it to me here" in circle.told(circle.ana)[-1]
    assert circle.ana.mxid in circle.room.joined
    assert await circle.service.rows("SELECT * FROM question_note") == []


async def test_nobody_else_stays_in_a_help_room(circle: Journey, hs: FakeHomeserver) -> None:
    room = await helped(circle)
    hs.world.set_membership(hs.bot, room.room_id, circle.otto.mxid, "invite")  # by somebody with the bot's token
    await circle.rest()
    assert people(room, circle) == {"ana", "ben"}
