"""People of an adopted room with as much power as the bot: it cannot lower, remove or uninvite them, and tries not."""

from __future__ import annotations

import re

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, Service
from tests.flows.test_adoption import Knitting, looked_at


async def coowned(play: Journey, words: str = "") -> Knitting:
    """The adopted room, in which otto has as much power as rosa and the bot."""
    users = {play.rosa.mxid: 100, play.hs.bot: 100, play.ben.mxid: 50, play.otto.mxid: 100}
    knitting = await looked_at(play, power_level_content_override={"users": users})
    await knitting.adopted(words)
    return knitting


def users_of(knitting: Knitting) -> dict[str, int]:
    users: dict[str, int] = knitting.room.content("m.room.power_levels")["users"]
    return users


def empower(knitting: Knitting, by: Person, *people: str) -> None:
    levels = knitting.room.content("m.room.power_levels")
    users = {**levels["users"], **dict.fromkeys(people, 100)}
    by.put_state(knitting.room_id, "m.room.power_levels", {**levels, "users": users}, force=True)


async def test_a_co_owner_who_is_invited_back_keeps_what_cannot_be_taken(play: Journey, service: Service) -> None:
    knitting = await coowned(play)
    play.otto.auto_join = False
    play.otto.leave(knitting.room_id)
    await play.rest()
    await play.tell(play.rosa, f"!invite {play.otto.mxid}")
    await play.tell(play.rosa, f"!concierge add {play.ana.mxid}")
    await service.assert_nothing_set_aside()
    assert (await play.members())["otto"] == ("invited", 100)
    users = {play.rosa.mxid: 100, play.ben.mxid: 50, play.ana.mxid: 50, play.otto.mxid: 100, play.hs.bot: 100}
    assert users_of(knitting) == users
    await service.wait(2 * HOUR)
    assert users_of(knitting) == users


async def test_a_co_owner_may_step_down_but_the_owner_hands_over(play: Journey, service: Service) -> None:
    knitting = await coowned(play)
    levels = knitting.room.content("m.room.power_levels")
    play.otto.put_state(
        knitting.room_id,
        "m.room.power_levels",
        {**levels, "invite": 0, "users": {**levels["users"], play.otto.mxid: 0}},
    )
    await play.rest()
    assert (await play.members())["otto"] == ("joined", 0)
    assert play.otto.mxid not in users_of(knitting)
    assert knitting.room.content("m.room.power_levels")["invite"] == 100
    assert f"{await play.alias(play.otto)} gave up power in the group's room." in play.posted(play.desk)
    levels = knitting.room.content("m.room.power_levels")
    users = {user: level for user, level in levels["users"].items() if user != play.rosa.mxid}
    play.rosa.put_state(knitting.room_id, "m.room.power_levels", {**levels, "users": users})
    await play.rest()
    assert users_of(knitting)[play.rosa.mxid] == 100
    await service.assert_nothing_set_aside()


async def test_power_given_while_ours_is_on_its_way_is_not_taken(play: Journey, service: Service) -> None:
    knitting = await coowned(play)
    room = re.escape(knitting.room_id)
    play.hs.faults.on_request(Fault.ERROR_500, match=f"PUT .*{room}.*m.room.power_levels", times=1)
    await play.tell(play.rosa, f"!concierge add {play.ana.mxid}")
    empower(knitting, play.otto, "@pia:fake.test")
    await play.rest()
    assert play.ana.mxid not in users_of(knitting)
    await service.wait(HOUR)
    await service.assert_nothing_set_aside()
    assert users_of(knitting)["@pia:fake.test"] == 100 and users_of(knitting)[play.ana.mxid] == 50


async def test_a_forgotten_co_owner_keeps_the_power_and_is_written_down_nowhere(
    engine: str, play: Journey, service: Service
) -> None:
    knitting = await coowned(play)
    await play.tell(play.otto, "!forget me confirm")
    play.otto.leave(knitting.room_id)
    await play.rest()
    await service.wait(2 * DAY)
    before = len(play.posted(play.desk))
    levels = knitting.room.content("m.room.power_levels")
    play.rosa.put_state(knitting.room_id, "m.room.power_levels", {**levels, "invite": 0})
    await play.rest()
    await play.tell(play.rosa, f"!concierge add {play.ana.mxid}")
    await service.assert_nothing_set_aside()
    assert users_of(knitting)[play.otto.mxid] == 100 and users_of(knitting)[play.ana.mxid] == 50
    assert knitting.room.content("m.room.power_levels")["invite"] == 100
    assert "otto" not in await play.members()
    assert play.otto.mxid not in str(await service.rows("SELECT * FROM told"))
    assert not any(play.otto.mxid in text for text in play.posted(play.desk)[before:])
    play.otto.auto_join = False
    play.rosa.invite(knitting.room_id, play.otto.mxid)
    await play.rest()
    assert knitting.room.membership(play.otto.mxid) == "invite"
    assert "a person who is no member" in play.posted(play.desk)[-1]
    play.otto.join(knitting.room_id)
    await play.rest()
    await service.assert_nothing_set_aside()
    assert (await play.members())["otto"] == ("joined", 100)


@pytest.mark.slow
async def test_an_unanswered_invitation_of_an_equal_stays_and_its_asker_is_told(
    play: Journey, service: Service
) -> None:
    knitting = await coowned(play)
    alias = await play.alias(play.otto)
    play.otto.auto_join = False
    play.otto.leave(knitting.room_id)
    await play.rest()
    await play.tell(play.rosa, f"!invite {play.otto.mxid}")
    await service.wait(8 * DAY)
    await service.assert_nothing_set_aside()
    assert play.told(play.rosa)[-1] == (
        f"{alias} has not answered the invitation to “Knitting”. They have as much power there as I have, so I cannot "
        "take it back: it stays, with its seat."
    )
    assert knitting.room.membership(play.otto.mxid) == "invite"
    assert (await play.members())["otto"] == ("invited", 100)


async def test_an_equal_who_comes_in_over_the_cap_counts_and_the_desk_is_told_once(
    play: Journey, service: Service
) -> None:
    knitting = await coowned(play, "cap 4")
    eve = play.person("@eve:evil.test", auto_join=False)
    empower(knitting, play.otto, eve.mxid)
    await play.rest()
    before = len(play.posted(play.desk))
    play.otto.invite(knitting.room_id, eve.mxid)
    await play.rest()
    eve.join(knitting.room_id)
    await play.rest()
    await service.wait(3 * HOUR)
    await service.assert_nothing_set_aside()
    assert (await play.members())["eve"] == ("joined", 100) and await play.seats() == 5
    otto, alias = await play.alias(play.otto), await play.alias(eve)
    assert play.posted(play.desk)[before:] == [
        f"{otto} invited a person who is no member past me, who has as much power in the room as I have: I cannot take "
        "it back, and they take a seat when they come in.",
        f"{alias} came in although all 4 seats are taken, and has as much power in the room as I have: I cannot remove "
        "them, and they take a seat over the cap.",
    ]
    assert eve.mxid in knitting.room.joined
    assert await service.rows("SELECT * FROM waiting") == []


async def test_many_who_are_made_equals_at_once_make_one_line_in_the_desk(play: Journey, service: Service) -> None:
    knitting = await coowned(play)
    before = len(play.posted(play.desk))
    empower(knitting, play.otto, *(f"@z{n:03}:evil.test" for n in range(300)))
    await play.rest()
    (line,) = play.posted(play.desk)[before:]
    assert "@z000:evil.test, @z001:evil.test, @z002:evil.test, @z003:evil.test, @z004:evil.test and 295 others" in line
    assert "they count as owners now" in line
    assert [fact for fact, *_ in await play.ledger()].count("owner_by_power") == 1
    await play.tell(play.rosa, f"!concierge add {play.ana.mxid}")
    await service.assert_nothing_set_aside()
    assert users_of(knitting)["@z299:evil.test"] == 100 and users_of(knitting)[play.ana.mxid] == 50


async def test_who_answers_an_invitation_before_it_is_taken_back_stays(circle: Journey, hs: FakeHomeserver) -> None:
    pia = circle.newcomer("pia")
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    hs.faults.on_request(Fault.ERROR_500, match="POST .*kick", times=1)
    await circle.days(7)
    assert pia.mxid in circle.room.invited
    pia.join(circle.group)
    await circle.rest()
    await circle.service.wait(HOUR)
    assert pia.mxid in circle.room.joined
    assert (await circle.members())["pia"] == ("joined", 0)


async def test_a_room_in_which_the_bot_has_boundless_power_is_not_adopted(
    engine: str, play: Journey, service: Service
) -> None:
    knitting = await looked_at(play, bot=2**53 - 1)
    assert "Have it set to 100 or 101" in play.told(play.rosa)[-1]
    await service.assert_nothing_set_aside()
    assert await service.rows("SELECT * FROM coterie_group") == []
    assert knitting.room.membership(play.hs.bot) == "leave"


async def test_the_wish_of_the_first_owner_to_ask_stands(play: Journey, hs: FakeHomeserver, service: Service) -> None:
    eve = play.person("eve")
    await play.configure(owners=(play.rosa.mxid, eve.mxid))
    knitting = await looked_at(play, bot=120)
    empower(knitting, play.rosa, eve.mxid)
    play.rosa.invite(knitting.room_id, eve.mxid)
    await play.rest()
    for words in ("", "confirm", "cap 30"):
        assert (await knitting.tell(words, by=eve)).startswith("Another owner has asked me to adopt that room")
    (wish,) = await service.rows("SELECT owner, cap, proposed FROM adoption")
    assert (wish["owner"], wish["cap"], wish["proposed"]) == (play.rosa.mxid, 200, 1)
    await play.configure(owners=(eve.mxid,))  # whose wish it is may not adopt any more
    assert (await knitting.tell(by=eve)).startswith("I can adopt “Knitting”.")
