"""What becomes of a vouch besides a plain decision: its line removed, posted again, too old, or too slow; the person or
the sponsor forgotten."""

from __future__ import annotations

import asyncio

import pytest

from tests.flows.homeserver_events import Event
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.test_vouching import desk_line

pytestmark = pytest.mark.usefixtures("nobody_exposed")

NAME = "“Wool circle”"
MINUTES = 60_000


def lines(play: Journey) -> list[Event]:
    """The service's messages in the desk that were not removed."""
    return [event for event in play.hs.room(play.desk).messages(play.hs.bot) if event.redaction is None]


async def statuses(play: Journey) -> list[str]:
    """What has become of each vouch, oldest first."""
    return [str(row["status"]) for row in await play.service.rows("SELECT status FROM vouch ORDER BY created_at, id")]


# ---- the line in the desk -------------------------------------------------------------------------


async def test_a_line_that_a_concierge_removes_is_posted_anew_with_its_buttons(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.redact(grown.ben, line)
    [anew] = lines(grown)
    assert anew.event_id != line and pia.mxid in anew.body and grown.signs(anew.event_id) == ["✅", "❌"]
    await grown.decide(grown.ben, line)  # the old one means nothing any more
    assert await statuses(grown) == ["pending"] and pia.invitations == []
    await grown.decide(grown.ben, anew.event_id)
    assert len(pia.invitations) == 1
    await grown.redact(grown.ben, anew.event_id)  # decided: nothing to ask for
    assert lines(grown) == [] and await statuses(grown) == ["approved"]


async def test_vouches_posts_afresh_what_waits_for_who_came_into_the_desk_later(engine: str, grown: Journey) -> None:
    pia, sam = grown.newcomer(), grown.newcomer("sam")
    old = [await grown.vouch(grown.ana, pia), await grown.vouch(grown.otto, sam)]
    await grown.decide(grown.ben, old[1], "❌")
    await grown.tell(grown.ana, "!code")
    await grown.tell(grown.rosa, f"!concierge add {grown.otto.mxid}")
    asked = await grown.say(grown.ben, "!vouches", to=grown.desk)
    assert grown.signs(asked) == ["✅"]
    declined, *rest = lines(grown)
    person, code = sorted(rest, key=lambda event: "asks for" in event.body)
    assert declined.event_id == old[1] and pia.mxid in person.body and "asks for an invitation code" in code.body
    assert grown.hs.event(old[0]).redaction is not None
    for event in (person, code):
        assert grown.signs(event.event_id) == ["✅", "❌"] and event.body in grown.otto.heard(grown.desk)
        await grown.decide(grown.otto, event.event_id)
    assert len(pia.invitations) == 1 and grown.told_code(grown.ana)
    await grown.say(grown.ben, "!vouches", to=grown.desk)
    assert grown.posted(grown.desk)[-1] == f"Nothing waits for a decision in {NAME}."
    asked = await grown.tell(grown.ben, "!vouches")
    assert grown.signs(asked) == ["⚠️"] and len(lines(grown)) == 4


async def test_a_reaction_that_is_handled_before_the_answer_to_its_line_is_not_lost(
    engine: str, grown: Journey
) -> None:
    pia = grown.newcomer()
    direct = await grown.direct(grown.ana)
    grown.hs.faults.on_request(Fault.ANSWER_LOST, match=r"PUT .*send/m.room.message", times=3)
    grown.ana.say(direct, f"!invite {pia.mxid}")
    for _ in range(200):
        if lines(grown):
            break
        await asyncio.sleep(0.02)
    [line] = lines(grown)
    grown.ana.react(grown.group, line.event_id, "✅", force=True)
    grown.ben.react(grown.desk, line.event_id, "❌")
    grown.rosa.react(grown.desk, line.event_id, "✅")
    for _ in range(200):
        if early := await grown.service.rows("SELECT what FROM told WHERE subject LIKE 'early %'"):
            break
        await asyncio.sleep(0.02)
    assert [str(row["what"]).split()[0] for row in early] == ["no"] and await statuses(grown) == ["pending"]
    await grown.service.wait(MINUTES)
    ana, ben = await grown.alias(grown.ana), await grown.alias(grown.ben)
    assert desk_line(grown, line.event_id) == f"{ana}'s wish: declined. {ben} decided."
    assert await statuses(grown) == ["declined"] and pia.invitations == []
    assert await grown.service.rows("SELECT what FROM told WHERE subject LIKE 'early %'") == []


async def test_a_reaction_in_the_desk_of_another_group_decides_nothing(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.tell(grown.rosa, '!group create "Second"')
    grown.rosa.react(grown.hs.room_named("Desk: Second").room_id, line, "✅", force=True)
    await grown.rest()
    assert await statuses(grown) == ["pending"] and pia.invitations == []
    await grown.decide(grown.rosa, line)
    assert len(pia.invitations) == 1


# ---- without a decision ---------------------------------------------------------------------------


async def test_after_thirty_days_without_a_decision_a_vouch_is_void_and_its_sponsor_knows(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.days(29.9)
    assert await statuses(grown) == ["pending"] and pia.mxid in desk_line(grown, line)
    await grown.days(0.2)
    ana = await grown.alias(grown.ana)
    assert await statuses(grown) == ["expired"]
    assert desk_line(grown, line) == f"{ana}'s wish: not decided within 30 days, and void."
    assert grown.told(grown.ana)[-1] == (
        f"The concierges of {NAME} have not decided on the person whom you vouched for within 30 days. You can ask "
        "again."
    )
    await grown.decide(grown.ben, line)
    assert pia.invitations == [] and await grown.vouch(grown.ana, pia)
    await grown.say(grown.ben, "!audit", to=grown.desk)
    assert f"nobody decided in time on what {ana} had asked for" in grown.posted(grown.desk)[-1]


async def test_what_is_decided_in_time_does_not_expire(grown: Journey) -> None:
    await grown.decide(grown.ben, await grown.vouch(grown.ana, grown.newcomer()), "❌")
    assert await grown.service.rows("SELECT subject FROM timer WHERE kind = 'vouch'") == []


async def test_of_who_is_forgotten_while_vouched_for_no_line_is_left_and_the_sponsor_is_told(grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.tell(grown.ana, "!code")
    await grown.tell(pia, "!forget me confirm")
    await grown.service.wait(30 * MINUTES)
    assert grown.hs.event(line).redaction is not None and "body" not in grown.hs.event(line).content
    assert await grown.service.rows("SELECT kind, status, user_id FROM vouch ORDER BY kind") == [
        {"kind": "code", "status": "pending", "user_id": None},
        {"kind": "person", "status": "declined", "user_id": None},
    ]
    assert grown.told(grown.ana)[-1] == (
        f"The person whom you vouched for in {NAME} cannot be invited any more, and I have taken it back."
    )
    code = lines(grown)[0].body
    await grown.decide(grown.ben, line)
    assert await grown.service.rows("SELECT id FROM code") == [] and pia.invitations == []
    await grown.say(grown.ben, "!vouches", to=grown.desk)
    assert [event.body for event in lines(grown)] == [code]


async def test_what_a_forgotten_sponsor_had_asked_for_is_taken_back(engine: str, grown: Journey) -> None:
    pia = grown.newcomer()
    line = await grown.vouch(grown.ana, pia)
    await grown.tell(grown.ana, "!code")
    await grown.tell(grown.ana, "!forget me confirm")
    await grown.service.wait(30 * MINUTES)
    assert lines(grown) == [] and "pending" not in await statuses(grown)
    await grown.decide(grown.ben, line)
    assert pia.invitations == [] and await grown.service.rows("SELECT subject FROM timer WHERE kind = 'vouch'") == []


# ---- codes of who must not bring anybody in -------------------------------------------------------


@pytest.mark.parametrize("how", ["suspended", "banned", "kicked", "left"])
async def test_codes_end_with_their_makers_right_to_vouch_and_their_seats_go_to_who_waits(
    grown: Journey, how: str
) -> None:
    await grown.tell(grown.ana, "!code")
    await grown.decide(grown.ben, lines(grown)[-1].event_id)
    code = grown.told_code(grown.ana)
    await grown.tell(grown.ana, "!code")
    wish = lines(grown)[-1].event_id
    await grown.fill()
    pia, eve = grown.newcomer(), grown.newcomer("eve")
    await grown.tell(grown.ben, f"!invite {pia.mxid}")
    assert await grown.waiting() == ["pia"]
    match how:
        case "suspended":
            await grown.say(grown.ben, f"!suspend {await grown.alias(grown.ana)} strangers", to=grown.desk)
        case "banned":
            grown.ben.ban(grown.group, grown.ana.mxid)
        case "kicked":
            grown.ben.kick(grown.group, grown.ana.mxid)
        case "left":
            grown.ana.leave(grown.group)
    await grown.rest()
    assert await grown.service.rows("SELECT status FROM code") == [{"status": "ended"}]
    assert grown.room.invited == {pia.mxid} and await grown.waiting() == []
    assert await grown.service.rows("SELECT subject FROM timer WHERE kind = 'code'") == []
    await grown.tell(eve, code)
    assert "That code is not good" in grown.told(eve)[-1] and eve.invitations == []
    if how == "suspended":
        assert grown.told(grown.ana)[-1].endswith("Your invitation codes that were not used are good no more.")
    await grown.tell(grown.rosa, "!cap 100")
    await grown.decide(grown.ben, wish)
    assert "declined, since they are out of the group or may not vouch" in desk_line(grown, wish)
    assert len(await grown.service.rows("SELECT id FROM code")) == 1
