"""Leaving a group, and closing one."""

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.records import file_of, mentions
from tests.flows.service import DAY, HOUR, MINUTE, Service

NEWS = (
    "This group closes on Tuesday 24 November, 13:00 (Vienna time): its owner has decided so. Nobody comes in any "
    "more, and then everybody is removed. What you have ordered stays ordered. Send me !mydata directly to see what I "
    "keep about you."
)
GOES_ON = "This group does not close after all: its owner has decided so. Everything goes on."


async def status(play: Journey) -> str:
    [row] = await play.service.rows("SELECT status FROM coterie_group WHERE room_id = $1", play.group)
    return str(row["status"])


async def sunset(play: Journey) -> str:
    """Rosa closes the group; nobody is out yet."""
    return await play.tell(play.rosa, f"!sunset {play.group_id} confirm")


async def past_the_end(play: Journey) -> None:
    """The day goes by, and some minutes more."""
    await play.days(1)
    await play.service.wait(6 * MINUTE)


# Leaving


async def test_who_asks_to_leave_is_taken_out_and_who_waits_gets_the_seat(
    engine: str, circle: Journey, hs: FakeHomeserver, nobody_exposed: None
) -> None:
    lena = circle.person("lena")
    await circle.fill()
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert await circle.waiting() == ["lena"]
    asked = await circle.tell(circle.ana, "!leave")
    assert circle.signs(asked) == ["✅"]
    [removal] = [e for e in circle.room.events if e.state_key == circle.ana.mxid and e.content["membership"] == "leave"]
    assert removal.sender == hs.bot and removal.content["reason"] == "left by their own wish"
    assert (await circle.members())["ana"] == ("left", 0) and circle.room.membership(lena.mxid) == "join"
    assert circle.told(circle.ana)[-1] == (
        "I am taking you out of “Wool circle”. To come back, ask to be invited again: you keep your alias."
    )


async def test_pledges_stand_and_who_leaves_is_asked_about_them(shop: Journey) -> None:
    await shop.plus(shop.ana, 3)
    await shop.tell(shop.ana, "!leave")
    assert shop.told(shop.ana)[-1].startswith("You have left “Wool circle”. What you pledged stands")
    assert await shop.units() == {"ana": 3}


async def test_a_concierge_who_leaves_is_out_of_the_desk_too(circle: Journey, hs: FakeHomeserver) -> None:
    await circle.tell(circle.ben, "!leave")
    assert circle.room.membership(circle.ben.mxid) == hs.room(circle.desk).membership(circle.ben.mxid) == "leave"
    assert (await circle.members())["ben"] == ("left", 0)


async def test_of_two_groups_the_one_is_left_that_is_named(circle: Journey, hs: FakeHomeserver) -> None:
    first = circle.group
    await circle.make_group("Second")
    await circle.tell(circle.rosa, f'!invite {circle.ana.mxid} "Second"')
    asked = await circle.tell(circle.ana, "!leave")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.ana)[-1].startswith("In which group?")
    await circle.tell(circle.ana, "!leave Second")
    assert circle.room.membership(circle.ana.mxid) == "leave" and hs.room(first).membership(circle.ana.mxid) == "join"


# Closing a group


async def test_the_first_step_only_says_what_would_happen(circle: Journey, service: Service) -> None:
    for person, place in ((circle.rosa, None), (circle.rosa, circle.desk)):
        asked = await (circle.say(person, "!sunset", to=place) if place else circle.tell(person, "!sunset"))
        assert circle.signs(asked) == []
    assert f"send: !sunset {circle.group_id} confirm" in circle.told(circle.rosa)[-1]
    assert "for all 5 people in it" in circle.posted(circle.desk)[-1]
    await past_the_end(circle)
    assert await status(circle) == "open" and circle.posted() == []


@pytest.mark.parametrize("name", ["ben", "ana"])
async def test_only_the_owner_closes_a_group(circle: Journey, name: str) -> None:
    asked = await circle.tell(circle.person(name), f"!sunset {circle.group_id} confirm")
    assert circle.signs(asked) == ["⚠️"] and await status(circle) == "open" and circle.posted() == []


async def test_a_group_with_an_open_buy_is_not_closed(shop: Journey) -> None:
    before = shop.posted()
    asked = await sunset(shop)
    assert shop.signs(asked) == ["⚠️"] and await status(shop) == "open" and shop.posted() == before
    assert shop.told(shop.rosa)[-1] == (
        f"A group buy ({shop.buy}) is still to end. Take it to !buy done, or !buy cancel it, then send the same again."
    )


async def test_a_group_with_a_planned_buy_is_not_closed(circle: Journey) -> None:
    await circle.add_product()
    await circle.say(circle.ben, "!buy open merino-throw 10:79 until friday 18:00 opens tomorrow 9:00")
    asked = await sunset(circle)
    assert circle.signs(asked) == ["⚠️"] and await status(circle) == "open"


async def test_everybody_is_told_and_nobody_comes_in_any_more(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service, nobody_exposed: None
) -> None:
    pia, lena = circle.person("pia", auto_join=False), circle.person("lena")
    await circle.tell(circle.rosa, f"!invite {pia.mxid}")
    await circle.tell(circle.ben, "!code")
    await circle.fill()
    await circle.tell(circle.ben, f"!invite {lena.mxid}")
    assert await circle.waiting() == ["lena"]
    asked = await sunset(circle)
    assert circle.signs(asked) == ["✅"] and await status(circle) == "closing"
    assert circle.posted() == [NEWS] and circle.room.messages(hs.bot)[-1].content["msgtype"] == "m.notice"
    assert circle.posted(circle.desk)[-1].startswith("The owner closes the group on Tuesday 24 November, 13:00")
    assert circle.room.membership(pia.mxid) == "leave" and await circle.waiting() == []
    assert circle.told(circle.ben)[-1] == (
        f"“Wool circle” is being closed, so there will be no seat for {lena.mxid}. They are off its waitlist."
    )
    code = await circle.tell(lena, circle.told_code(circle.ben))
    invited = await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    bought = await circle.tell(circle.ben, '!product add "Mug" 12 https://shop.example/mug')
    assert [circle.signs(event) for event in (code, invited, bought)] == [["⚠️"]] * 3
    assert lena.mxid not in circle.room.members and await circle.seats() == 5
    assert len(circle.room.joined) == 6


async def test_a_code_that_was_asked_for_before_is_not_made_any_more(circle: Journey, service: Service) -> None:
    await circle.settled()
    await circle.tell(circle.ana, "!code")
    line = circle.hs.room(circle.desk).messages(circle.hs.bot)[-1].event_id
    await sunset(circle)
    await circle.decide(circle.ben, line)
    assert await service.rows("SELECT * FROM code WHERE status = 'live'") == []


async def test_within_the_day_it_can_be_taken_back(engine: str, circle: Journey, service: Service) -> None:
    await sunset(circle)
    service.clock.advance(DAY - MINUTE)
    asked = await circle.tell(circle.rosa, f"!sunset {circle.group_id} cancel")
    assert circle.signs(asked) == ["✅"] and circle.posted() == [NEWS, GOES_ON]
    await circle.days(30)
    assert await status(circle) == "open" and len(circle.room.joined) == 6
    lena = circle.person("lena")
    await circle.tell(circle.rosa, f"!invite {lena.mxid}")
    assert lena.mxid in circle.room.members
    facts = [row["fact"] for row in await service.rows("SELECT fact FROM ledger WHERE actor = 1 ORDER BY seq")]
    assert facts[-3:] == ["sunset", "sunset_cancelled", "invited"]


async def test_while_it_closes_commands_say_so_and_help_lists_what_still_works(circle: Journey) -> None:
    await circle.days(8)
    await sunset(circle)
    for person, typed in (
        (circle.rosa, "!cap 50"),
        (circle.rosa, f"!cap 50 {circle.group_id}"),
        (circle.ana, "!invite @pia:fake.test"),
        (circle.ana, "!code"),
        (circle.ana, "!alias Kiwi Bird"),
        (circle.ben, '!product add "X" 5 https://x.example/'),
    ):
        asked = await circle.tell(person, typed)
        assert circle.signs(asked) == ["⚠️"] and circle.told(person)[-1].startswith("The group is being closed"), typed
    asked = await circle.say(circle.rosa, "!cap 50", to=circle.desk)
    assert circle.posted(circle.desk)[-1].startswith("The group is being closed")
    await circle.tell(circle.ben, "!cap 50")
    assert circle.told(circle.ben)[-1].startswith("I know of no group")
    await circle.tell(circle.rosa, "!help")
    await circle.tell(circle.ana, "!help")
    owner, member = circle.told(circle.rosa)[-1], circle.told(circle.ana)[-1]
    assert "!sunset cancel" in owner and "!leave" in owner and "!cap" not in owner
    assert "!leave" in member and "!sunset" not in member and "!alias" not in member
    [row] = await circle.service.rows("SELECT cap FROM coterie_group")
    assert row["cap"] != 50


async def test_what_is_not_being_closed_cannot_be_taken_back(circle: Journey) -> None:
    asked = await circle.tell(circle.rosa, "!sunset cancel")
    assert circle.signs(asked) == ["⚠️"] and circle.told(circle.rosa)[-1] == "The group is not being closed."
    assert circle.posted() == []


async def test_in_the_desk_it_works_with_and_without_the_groups_id(circle: Journey) -> None:
    await circle.say(circle.rosa, f"!sunset {circle.group_id} confirm", to=circle.desk)
    assert await status(circle) == "closing"
    await circle.say(circle.rosa, "!sunset cancel", to=circle.desk)
    assert await status(circle) == "open"


async def test_after_a_day_everybody_is_out_and_then_the_service_leaves(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await sunset(circle)
    await past_the_end(circle)
    assert await status(circle) == "closed"
    for room in (circle.group, circle.desk):
        out = [e for e in hs.room(room).events if e.type == "m.room.member" and e.content["membership"] == "leave"]
        assert hs.room(room).joined == set() and out[-1].state_key == hs.bot
        reasons = {e.content.get("reason") for e in out[:-1]}
        assert reasons <= {"the group has closed", "no longer a concierge"}
    late = await circle.tell(circle.rosa, f"!sunset {circle.group_id} cancel")
    assert circle.signs(late) == ["⚠️"] and await status(circle) == "closed"
    await circle.tell(circle.ana, "!mydata")
    [group] = file_of(circle, circle.ana)["groups"]
    assert (group["status"], group["presence"]) == ("closed", "not in the group any more")
    facts = [row["fact"] for row in await service.rows("SELECT fact FROM ledger ORDER BY seq")]
    assert facts.index("sunset") < facts.index("everybody_out") < facts.index("closed")
    await circle.days(2)  # what else is due for the group finds nothing to do
    assert hs.room(circle.group).events[-1].state_key == hs.bot


async def test_the_service_stays_until_the_last_one_is_out(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await sunset(circle)
    hs.faults.on_request(Fault.ERROR_500, times=None, match="POST .*kick")
    await circle.days(1)
    await service.wait(HOUR)
    assert circle.ana.mxid in circle.room.joined and hs.bot in circle.room.joined
    assert await status(circle) == "closing"
    hs.faults.clear()
    await service.wait(HOUR)
    assert circle.room.joined == set() and await status(circle) == "closed"


async def test_after_the_retention_time_who_the_members_were_is_erased(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """In this group; whom another group knows stays known there."""
    first, group_id = circle.group, circle.group_id
    await circle.make_group("Second")
    await circle.tell(circle.rosa, f'!invite {circle.ana.mxid} "Second"')
    direct = {person.mxid: await circle.direct(person) for person in (circle.ana, circle.otto)}
    await circle.tell(circle.rosa, f"!sunset {group_id} confirm")
    await past_the_end(circle)
    assert hs.room(first).joined == set() and hs.bot in circle.room.joined
    gone = [person.mxid for person in (circle.ben, circle.otto, circle.mia)]
    await circle.days(89)
    assert await mentions(service, *gone)
    await circle.days(1)
    await service.wait(15 * MINUTE)
    assert await mentions(service, *gone) == []
    left = await service.rows("SELECT user_id FROM member WHERE group_id = $1 ORDER BY number", group_id)
    assert [row["user_id"] for row in left] == [f"erased {n}" for n in range(1, 6)]
    second = await service.rows("SELECT user_id FROM member WHERE group_id <> $1 ORDER BY number", group_id)
    assert [row["user_id"] for row in second] == [circle.rosa.mxid, circle.ana.mxid]
    bots = {mxid: hs.room(room).membership(hs.bot) for mxid, room in direct.items()}
    assert bots == {circle.ana.mxid: "join", circle.otto.mxid: "leave"}


@pytest.mark.slow
async def test_the_data_of_many_are_erased_bit_by_bit(play: Journey, service: Service) -> None:
    await play.open_group(members=60)
    await sunset(play)
    await past_the_end(play)
    await play.days(90)
    await service.wait(15 * MINUTE)
    assert await mentions(service, play.rosa.mxid, play.ana.mxid, "@m1:fake.test", "@m60:fake.test") == []
    [row] = await service.rows("SELECT COUNT(*) AS n FROM ledger WHERE fact = 'forgotten'")
    assert row["n"] == 65
