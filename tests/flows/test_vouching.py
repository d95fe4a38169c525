"""Growing by word of mouth: a member vouches, a concierge decides, the sponsor is remembered."""

from __future__ import annotations

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"


def desk_line(play: Journey, line: str) -> str:
    """A line in the desk as it stands."""
    room = play.hs.room(play.desk)
    return str(room.content_now(play.hs.event(line))["body"])


async def test_a_member_vouches_a_concierge_approves_and_the_person_is_invited(engine: str, grown: Journey) -> None:
    pia = grown.newcomer()
    direct = await grown.direct(grown.ana)
    asked = await grown.say(grown.ana, f"!invite {pia.mxid} knits like nobody else", to=direct)
    ana, ben = await grown.alias(grown.ana), await grown.alias(grown.ben)
    assert grown.signs(asked) == ["⏳"] and pia.invitations == []
    assert grown.told(grown.ana)[-1] == (
        "I have put your word for them before the concierges, and tell you what they decide."
    )
    [line] = [event.event_id for event in grown.hs.room(grown.desk).messages(grown.hs.bot)]
    assert desk_line(grown, line) == (
        f"{ana} vouches for a person: {pia.mxid}\n“knits like nobody else”\n✅ to invite them, ❌ to decline."
    )
    assert grown.hs.event(line).content["msgtype"] == "m.notice" and grown.signs(line) == ["✅", "❌"]
    await grown.decide(grown.ben, line)
    assert [room.room_id for room in pia.invitations] == [grown.group]
    assert desk_line(grown, line) == f"{ana} vouches for a person: invited. {ben} decided."
    assert pia.mxid not in str(grown.hs.room(grown.desk).content_now(grown.hs.event(line)))
    assert grown.told(grown.ana)[-1] == (
        f"The concierges have approved whom you vouched for in {NAME}, and I have invited them."
    )
    pia.join(grown.group)
    await grown.rest()
    assert (await grown.sponsors())["pia"] == "ana" and grown.posted() == []
    rows = await grown.service.rows("SELECT status, user_id, why FROM vouch")
    assert rows == [{"status": "approved", "user_id": None, "why": ""}]
    facts = [line[:2] for line in await grown.ledger() if line[0].startswith("vouch") or line[1] == "pia"]
    assert facts == [("vouch_approved", "ana"), ("joined", "pia")]


async def test_a_concierge_declines_and_nobody_is_invited(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    ana = await grown.alias(grown.ana)
    assert desk_line(grown, line) == f"{ana} vouches for a person: {pia.mxid}\n✅ to invite them, ❌ to decline."
    await grown.decide(grown.rosa, line, "❌")
    rosa = await grown.alias(grown.rosa)
    assert desk_line(grown, line) == f"{ana}'s wish: declined. {rosa} decided."
    assert grown.told(grown.ana)[-1] == (
        f"The concierges of {NAME} have decided not to invite the person whom you vouched for. To learn why, ask them."
    )
    assert pia.invitations == [] and "pia" not in await grown.members() and await grown.seats() == 5
    assert [line[0] for line in await grown.ledger()][-1] == "vouch_declined"


@pytest.mark.parametrize("key", ["+1", "👍", "❓", "no"])
async def test_other_reactions_decide_nothing(grown: Journey, key: str) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    before = desk_line(grown, line)
    await grown.decide(grown.ben, line, key)
    assert desk_line(grown, line) == before and pia.invitations == []
    await grown.decide(grown.ben, line, "✅\ufe0f")  # with the variation selector that some keyboards add
    assert desk_line(grown, line) != before and len(pia.invitations) == 1


async def test_who_is_no_concierge_decides_nothing_even_in_the_desk(grown: Journey, hs: FakeHomeserver) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    before = desk_line(grown, line)
    for person in (grown.ana, grown.otto):
        person.put_state(grown.desk, "m.room.member", {"membership": "join"}, state_key=person.mxid, force=True)
        person.react(grown.desk, line, "✅", force=True)
        await grown.rest()
    assert desk_line(grown, line) == before and pia.invitations == [] and await grown.seats() == 5
    rows = await grown.service.rows("SELECT status FROM vouch")
    assert rows == [{"status": "pending"}]


async def test_of_two_concierges_who_decide_at_once_the_first_counts(
    engine: str, grown: Journey, hs: FakeHomeserver
) -> None:
    pia, sam = grown.newcomer(), grown.newcomer("sam")
    lines = [await grown.vouch(grown.ana, pia), await grown.vouch(grown.otto, sam)]
    hs.pause_delivery()
    grown.ben.react(grown.desk, lines[0], "❌")
    grown.rosa.react(grown.desk, lines[0], "✅")
    grown.rosa.react(grown.desk, lines[1], "✅")
    grown.ben.react(grown.desk, lines[1], "❌")
    hs.resume()
    await grown.rest()
    assert pia.invitations == [] and [room.room_id for room in sam.invitations] == [grown.group]
    assert "declined" in desk_line(grown, lines[0]) and "invited" in desk_line(grown, lines[1])
    edits = [len(hs.room(grown.desk).edits(line)) for line in lines]
    assert edits == [1, 1]
    facts = [line[:2] for line in await grown.ledger() if line[0].startswith("vouch")]
    assert facts == [("vouch_declined", "ana"), ("vouch_approved", "otto")]


async def test_changing_ones_mind_about_a_decided_vouch_changes_nothing(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    yes = await grown.decide(grown.ben, line)
    outcome, told = desk_line(grown, line), grown.told(grown.ana)
    await grown.decide(grown.rosa, line, "❌")
    await grown.redact(grown.ben, yes)
    assert desk_line(grown, line) == outcome and grown.told(grown.ana) == told
    assert grown.room.membership(pia.mxid) == "invite"


async def test_whom_a_full_group_has_no_seat_for_waits_in_order_of_approval(grown: Journey) -> None:
    await grown.fill()
    pia, sam = grown.newcomer(), grown.newcomer("sam")
    first, second = await grown.vouch(grown.ana, pia), await grown.vouch(grown.otto, sam)
    await grown.decide(grown.ben, second)
    await grown.decide(grown.ben, first)
    ana, otto, ben = [await grown.alias(person) for person in (grown.ana, grown.otto, grown.ben)]
    assert desk_line(grown, first) == f"{ana} vouches for a person: no. 2 on the waitlist. {ben} decided."
    assert await grown.waiting() == ["sam", "pia"]
    assert grown.told(grown.ana)[-1] == (
        f"The concierges have approved whom you vouched for in {NAME}. The group is full: they are no. 2 on the "
        "waitlist, and are invited when a seat is free."
    )
    await grown.say(grown.ben, "!waitlist", to=grown.desk)
    assert grown.posted(grown.desk)[-1] == (
        f"Waiting for a seat in {NAME}:\n"
        f"1. {sam.mxid} ({otto} vouches for them)\n"
        f"2. {pia.mxid} ({ana} vouches for them)"
    )
    grown.mia.leave(grown.group)
    await grown.rest()
    assert grown.room.invited == {sam.mxid}
    free = f"A seat in {NAME} has become free, and I have invited {sam.mxid}, who was next on the waitlist."
    assert grown.told(grown.otto)[-1] == free and free not in grown.told(grown.ana)
    sam.join(grown.group)
    await grown.rest()
    assert (await grown.sponsors())["sam"] == "otto"


@pytest.mark.parametrize(
    ("meanwhile", "outcome"),
    [
        ("invited", "That person is already invited and has not answered yet."),
        ("joined", "That person is already in the group."),
        ("banned", "That person was banned from the group."),
    ],
)
async def test_a_vouch_that_is_overtaken_ends_with_the_reason_told_to_desk_and_sponsor(
    grown: Journey, meanwhile: str, outcome: str
) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    if meanwhile == "banned":
        grown.ben.ban(grown.group, pia.mxid)
        await grown.rest()
    else:
        await grown.tell(grown.rosa, f"!invite {pia.mxid}")
    if meanwhile == "joined":
        pia.join(grown.group)
        await grown.rest()
    before = await grown.seats()
    await grown.decide(grown.ben, line)
    assert outcome in desk_line(grown, line) and pia.mxid not in desk_line(grown, line)
    assert outcome in grown.told(grown.ana)[-1] and await grown.seats() == before
    assert (await grown.sponsors())["pia"] == (None if meanwhile == "banned" else "rosa")


async def test_a_sponsor_who_has_left_meanwhile_still_hears_and_stays_the_sponsor(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    grown.ana.leave(grown.group)
    await grown.rest()
    await grown.decide(grown.ben, line)
    assert "have approved" in grown.told(grown.ana)[-1]
    pia.join(grown.group)
    await grown.rest()
    assert (await grown.sponsors())["pia"] == "ana"


async def test_the_sponsor_is_who_brought_a_person_in_and_for_good(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.decide(grown.ben, line)
    pia.leave(grown.group)  # declined: otto has more luck
    await grown.rest()
    line = await grown.vouch(grown.otto, pia)
    await grown.decide(grown.ben, line)
    pia.join(grown.group)
    await grown.rest()
    assert (await grown.sponsors())["pia"] == "otto"
    pia.leave(grown.group)
    await grown.rest()
    line = await grown.vouch(grown.mia, pia)
    assert await grown.alias(pia) in desk_line(grown, line) and pia.mxid not in desk_line(grown, line)
    await grown.decide(grown.ben, line)
    pia.join(grown.group)
    await grown.rest()
    assert (await grown.sponsors())["pia"] == "otto"


async def test_nobody_comes_to_stand_below_those_whom_they_vouched_for(grown: Journey) -> None:
    async with grown.service.store.unit() as unit:  # ana came before sponsors were recorded
        await unit._connection.execute("UPDATE member SET sponsor = NULL WHERE user_id = $1", grown.ana.mxid)
    pia = grown.person("pia")
    await grown.decide(grown.ben, await grown.vouch(grown.ana, pia))
    await grown.settled()
    grown.ana.leave(grown.group)
    await grown.rest()
    await grown.decide(grown.ben, await grown.vouch(pia, grown.ana))
    assert grown.ana.mxid in grown.room.joined
    await grown.say(grown.ben, "!tree", to=grown.desk)
    lines = grown.posted(grown.desk)[-1].split("\n")
    assert await grown.alias(grown.ana) in lines and f"  {await grown.alias(pia)}" in lines


async def test_an_owner_who_has_left_can_invite_themselves_again(circle: Journey) -> None:
    circle.rosa.leave(circle.group)
    await circle.rest()
    asked = await circle.tell(circle.rosa, f"!invite {circle.rosa.mxid}")
    assert circle.signs(asked) == ["✅"] and circle.rosa.mxid in circle.room.joined
    assert circle.room.level(circle.rosa.mxid) == 100


async def test_whom_a_concierge_names_by_alias_is_called_by_it_in_every_answer(grown: Journey) -> None:
    await grown.tell(grown.mia, "!alias Otter")
    grown.mia.auto_join = False
    grown.mia.leave(grown.group)
    await grown.rest()
    await grown.tell(grown.ben, "!invite Otter")
    assert grown.told(grown.ben)[-1] == f"Invited Otter to {NAME}." and grown.room.invited == {grown.mia.mxid}
    grown.mia.leave(grown.group)
    await grown.rest()
    await grown.fill()
    pia = grown.newcomer()
    await grown.tell(grown.rosa, "!cap 5")
    await grown.tell(grown.rosa, f"!invite {pia.mxid}")
    await grown.tell(grown.ben, "!invite Otter")
    assert grown.told(grown.ben)[-1].startswith(f"{NAME} is full: Otter is no. 1 on the waitlist")
    pia.leave(grown.group)
    await grown.rest()
    assert grown.told(grown.ben)[-1] == (
        f"A seat in {NAME} has become free, and I have invited Otter, who was next on the waitlist."
    )
