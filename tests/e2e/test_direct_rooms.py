"""Direct messages: one room per person; the service talks to one person at a time."""

from __future__ import annotations

from tests.e2e.conftest import in_days
from tests.harness.circle import ORDER, CircleFactory
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
    welcome_room = (await here.welcome_of(ana))["room_id"]
    ana.auto_join_from.clear()
    await ana.leave(welcome_room)
    await ana.say(here.group, "!pledge 3")
    invite = await ana.invited_to(lambda i: i.is_direct)
    assert (invite.sender, invite.name) == (here.bot, "Coterie")
    await ana.join(invite.room_id)
    await ana.sees(invite.room_id, lambda e: e["sender"] == here.bot and e["type"] == "m.room.message")
    (told,) = ana.new_messages(invite.room_id, here.bot)
    assert told["content"]["body"] == "There is no open group buy that this could be for."
    await ana.say(invite.room_id, "good morning")
    await ana.direct_message_from(here.bot, "I have passed that on to the concierges")
    assert {room for room in ana.seen.direct_rooms if ana.timeline(room)} == {welcome_room, invite.room_id}


async def test_what_is_said_before_the_service_has_joined_is_heard_once(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    await here.open_buy(ben, f"merino 3:79 until {in_days(5)} 18:00")
    room = await ana.create_direct(here.bot, joined_within=None)
    hasty = [await ana.say(room, "+1"), await ana.say(room, "+1")]
    await ana.sees_join(room, here.bot)
    for event in hasty:
        await ana.sees_that(lambda: ana.reactions(room, event) == {"✅": {here.bot}})  # noqa: B023
    before = len(ana.new_messages(here.group, here.bot))
    await ana.say(room, "+1")
    await ana.sees(here.group, "the minimum order is reached")
    assert len(ana.new_messages(here.group, here.bot)) == before + 1


async def test_who_has_left_the_group_still_gets_the_receipt(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    await here.post_product(ben, '"Merino throw" 89.00 https://shop.example/throw')
    card = await here.open_buy(ben, f"merino 2:79 until {in_days(5)} 18:00")
    await ana.say(here.group, "+2", reply_to=card)
    await ana.sees(here.group, "the minimum order is reached")
    await ana.leave(here.group)
    await ben.sees(here.group, lambda e: e["state_key"] == ana.user_id and e["content"]["membership"] == "leave")
    await here.owner.say(here.desk, "!buy close")
    receipt = await ana.direct_message_from(here.bot, lambda e: ORDER in e["content"])
    assert "2 × €79.00 = €158.00" in receipt["content"]["body"]
