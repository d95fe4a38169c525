"""A direct question and its help room, with real clients on a real homeserver."""

from __future__ import annotations

from tests.harness.circle import CircleFactory


async def test_a_direct_question_is_answered_in_a_room_of_its_own(circle: CircleFactory) -> None:
    here = await circle(["ben"], ["ana"])
    ben, ana = here
    talk = str((await here.welcome_of(ana))["room_id"])
    asked = await ana.say(talk, "Is it soft?")
    await ana.sees_that(lambda: ana.reactions(talk, asked) == {"⏳": {here.bot}})
    line = await ben.sees(here.desk, "Is it soft?")
    assert line["content"]["msgtype"] == "m.text" and ben.user_id in line["content"]["m.mentions"]["user_ids"]
    ana.auto_join_from.clear()
    await ben.react(here.desk, line["event_id"], "👀")
    room = (await ana.invited_to(lambda invite: invite.name.startswith("Help for "))).room_id
    await ben.sees_join(room, ben.user_id)
    assert await ben.is_encrypted(room)
    answer = await ben.say(room, "Yes, very")
    await ben.sees_that(lambda: "Answered by" in ben.shown(here.desk, line["event_id"])["body"])
    await ana.join(room)
    assert await ana.joined_members(room) == {ana.user_id, ben.user_id, here.bot}
    assert (await ana.sees(room, lambda e: e["event_id"] == answer))["content"]["body"] == "Yes, very"
    await ana.sees(room, "This room is for what")
    more = await ana.say(room, "And warm?")
    await ben.sees(room, "And warm?")
    await ben.sees_that(lambda: "has it." in ben.shown(here.desk, line["event_id"])["body"])
    await ben.react(room, more, "✅")
    await ben.sees_that(lambda: "Closed by" in ben.shown(here.desk, line["event_id"])["body"])
    assert ana.new_messages(here.group, here.bot) == [] and here.errors() == []
