"""Direct messages: one room per person; the service talks to one person at a time."""

from __future__ import annotations

from tests.harness.circle import CircleFactory
from tests.harness.person import PersonFactory


async def test_the_service_leaves_a_direct_room_when_a_third_person_comes(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle(members=["ana"])
    (ana,) = here
    room = await ana.create_direct(here.bot)
    await ana.say(room, "!help")
    await ana.sees(room, "take your pledge back")
    zoe = await person("zoe")
    await ana.invite(room, zoe.user_id)
    await ana.sees(room, lambda e: e["state_key"] == here.bot and e["content"]["membership"] == "leave")
    fresh = await ana.create_direct(here.bot)
    await ana.say(fresh, "!help")
    await ana.sees(fresh, "take your pledge back")


async def test_the_service_stays_out_of_a_room_of_three_and_of_one_that_is_not_direct(
    circle: CircleFactory, person: PersonFactory
) -> None:
    here = await circle(members=["ana"])
    (ana,) = here
    zoe = await person("zoe")
    three = await ana.create_room(preset="private_chat", is_direct=True, invite=[zoe.user_id, here.bot])
    common = await ana.create_room(preset="private_chat", invite=[here.bot])
    for room in (three, common):
        await ana.sees(room, lambda e: e["state_key"] == here.bot and e["content"]["membership"] == "leave")


async def test_what_the_service_has_to_say_waits_until_the_person_joins(circle: CircleFactory) -> None:
    here = await circle(members=["ana"])
    (ana,) = here
    ana.auto_join_from.clear()
    await ana.say(here.group, "!pledge 3")
    invite = await ana.invited_to(lambda i: i.is_direct)
    assert (invite.sender, invite.name) == (here.bot, "Coterie")
    await ana.join(invite.room_id)
    told = await ana.direct_message_from(here.bot)
    assert told["content"]["body"] == "There is no open group buy that this could be for."
    await ana.say(invite.room_id, "good morning")
    await ana.direct_message_from(here.bot, "I am the group's stage crew")
    assert [room for room in ana.seen.direct_rooms if ana.timeline(room)] == [invite.room_id]
