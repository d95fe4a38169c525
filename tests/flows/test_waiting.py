"""What falls due while members wait, who is rung for it, and what changes when concierges come and go."""

from __future__ import annotations

import pytest

from tests.flows.asked import answered_at, asks, facts, replies, rings, shown, statuses, types
from tests.flows.helped import lines, standing, thread
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, MINUTE, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

TOGETHER = MINUTE
"""Longer than the service waits for what falls due at nearly the same time."""


async def kim_comes(play: Journey, name: str = "kim") -> Person:
    """One more concierge."""
    kim = play.person(name)
    await play.tell(play.rosa, f"!concierge add {kim.mxid}")
    await play.settle()
    assert kim.mxid in play.hs.room(play.desk).joined
    return kim


def rung_in_threads(play: Journey) -> bool:
    """Whether everything that rang but for the lines themselves is in the thread of the only question."""
    roots = {line.event_id for line in lines(play)}
    events = [e for e in play.bot_events(play.desk, "m.room.message") if e.original.get("msgtype") == "m.text"]
    return all(e.event_id in roots or e.relation.get("event_id") in roots for e in events)


# In the queue, and taken


async def test_a_question_that_nobody_takes_rings_again_and_then_the_owners(
    engine: str, circle: Journey, service: Service
) -> None:
    await asks(circle, circle.ana)
    ana = await circle.alias(circle.ana)
    await service.wait(14 * MINUTE)
    assert len(rings(circle)) == 1
    await service.wait(TOGETHER + MINUTE)
    overdue = f"Nobody has taken this: {ana} has waited for 15 minutes. 👀 on the question takes it."
    assert rings(circle)[1:] == [(overdue, {"rosa", "ben"})]
    await service.wait(45 * MINUTE)
    assert rings(circle)[2:] == [
        (f"For the owners: {ana} has waited for 1 hour, and no concierge has answered.", {"rosa", "ben"})
    ]
    for days in range(3):
        await service.wait(DAY)
        assert [text[:21] for text, _ in rings(circle)[3:]] == ["Nobody has taken this"] * (days + 1)
    assert rung_in_threads(circle) and circle.posted() == []
    assert (await facts(circle))[:3] == ["asked", "overdue", "escalated"]


async def test_who_has_it_is_nudged_and_then_it_goes_back_into_the_queue(
    engine: str, circle: Journey, service: Service
) -> None:
    await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    ana, ben = await circle.alias(circle.ana), await circle.alias(circle.ben)
    await service.wait(16 * MINUTE)
    nudge = f"{ben}, {ana} has waited for your answer for 15 minutes."
    assert rings(circle)[1:] == [(nudge, {"ben"})] and await standing(circle) == ("claimed", "ben", True)
    await service.wait(15 * MINUTE)
    back = (
        f"Back in the queue: {ana} has waited for 30 minutes. {ben} had it, and has not answered. "
        "👀 on the question takes it."
    )
    assert rings(circle)[2:] == [(back, {"rosa", "ben"})] and await standing(circle) == ("open", None, True)
    assert shown(circle)[0].startswith("❔") and rung_in_threads(circle)
    assert await facts(circle) == ["asked", "claimed", "nudged", "released"]
    await circle.decide(circle.rosa, lines(circle)[0].event_id, "👀")
    assert await standing(circle) == ("claimed", "rosa", True)


async def test_an_answer_in_time_rings_nobody(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    await service.wait(14 * MINUTE)
    await replies(circle, circle.ben, "Yes", asked)
    await service.wait(2 * DAY)
    assert len(rings(circle)) == 1 and await statuses(circle) == ["waiting_member"]


async def test_only_those_on_duty_are_rung_unless_nobody_is(circle: Journey, service: Service) -> None:
    await circle.say(circle.rosa, "!duty off", to=circle.desk)
    await asks(circle, circle.ana)
    assert rings(circle)[0][1] == {"ben"}
    await circle.say(circle.ben, "!duty off", to=circle.desk)
    await asks(circle, circle.otto, "Is it red?")
    assert len(rings(circle)) == 1 and lines(circle)[-1].content["msgtype"] == "m.notice"
    await service.wait(16 * MINUTE)
    assert [whom for _, whom in rings(circle)[1:]] == [{"rosa", "ben"}] * 2, "somebody has to hear of it"


async def test_more_than_three_at_once_ring_once(circle: Journey, service: Service) -> None:
    for n in range(4):
        await asks(circle, circle.ana, f"Question {n}?")
    await service.wait(16 * MINUTE)
    [(head, whom)] = rings(circle)[4:]
    assert head == "4 questions need somebody:" and whom == {"rosa", "ben"}


# Service hours


async def test_outside_the_service_hours_the_time_stands_still(circle: Journey, service: Service) -> None:
    await circle.say(circle.rosa, "!hours mon-fri 9:00-18:00", to=circle.desk)
    await service.wait(4 * HOUR + 50 * MINUTE)  # 17:50 in Vienna
    before = len(rings(circle))
    await asks(circle, circle.ana)
    await service.wait(15 * HOUR + 10 * MINUTE)
    assert len(rings(circle)) == before + 1
    await service.wait(7 * MINUTE)
    assert rings(circle)[before + 1][0].startswith("Nobody has taken this:") and len(rings(circle)) == before + 2
    await service.wait(42 * MINUTE)
    assert len(rings(circle)) == before + 2
    await service.wait(5 * MINUTE)
    assert rings(circle)[-1][0].startswith("For the owners:")


async def test_other_service_hours_change_when_it_is_due(circle: Journey, service: Service) -> None:
    await circle.say(circle.rosa, "!hours sat 9:00-18:00", to=circle.desk)
    await asks(circle, circle.ana)
    await service.wait(HOUR)
    assert len(rings(circle)) == 1
    await circle.say(circle.rosa, "!hours always", to=circle.desk)
    await service.wait(TOGETHER)
    assert rings(circle)[-1][0].startswith("For the owners:")


# Outages


async def test_after_five_days_away_there_is_one_summary_in_order_and_no_flood(
    engine: str, circle: Journey, service: Service, hs: FakeHomeserver
) -> None:
    await asks(circle, circle.ana, "Taken before?")
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    service.clock.advance(MINUTE)
    await asks(circle, circle.ana, "Put off before?")
    await circle.decide(circle.rosa, lines(circle)[1].event_id, "👀")
    await types(circle, circle.rosa, "!snooze until tomorrow 9:00")
    service.clock.advance(MINUTE)
    answered = await asks(circle, circle.mia, "Answered meanwhile?")
    await service.stop()
    service.clock.advance(5 * MINUTE)
    circle.ben.say(circle.group, "Yes", reply_to=answered)
    for day in range(4):
        service.clock.advance(DAY)
        circle.otto.say(circle.group, f"Day {day}?", mentions=[circle.ben.mxid])
    service.clock.advance(DAY - HOUR)
    before, messages = len(rings(circle)), len(hs.room(circle.desk).messages(hs.bot))
    await service.start()
    await service.wait(2 * TOGETHER)
    [(head, whom)] = rings(circle)[before:]
    assert head == "6 questions need somebody:" and whom == {"rosa", "ben"}
    summary = next(text for text in circle.posted(circle.desk) if text.startswith(head))
    ana, otto = await circle.alias(circle.ana), await circle.alias(circle.otto)
    said = [line.partition(" https")[0] for line in summary.split("\n")[1:]]
    escalated = "no concierge has answered; the owners are asked to see to it"
    assert said == [
        f"{ana}, waiting for 4 days: {escalated}", f"{ana}, waiting for 4 days: back from snoozing",
        *(f"{otto}, waiting for {n}: {escalated}" for n in ("3 days", "2 days", "1 day", "23 hours")),
    ]  # fmt: skip
    without = [line.content["body"] for line in lines(circle) if line.event_id not in summary]
    assert [text.split("\n")[1] for text in without] == ["> Answered meanwhile?"]
    assert len(hs.room(circle.desk).messages(hs.bot)) == messages + 4 + 1
    assert sorted(await statuses(circle)) == ["claimed", *["open"] * 5, "waiting_member"]


@pytest.mark.parametrize("hours", ["always", "mon-fri 9:00-18:00"])
async def test_what_came_or_came_again_during_an_outage_rings_once_and_together(
    hours: str, circle: Journey, service: Service
) -> None:
    await circle.say(circle.rosa, f"!hours {hours}", to=circle.desk)
    answered = [await asks(circle, circle.ana, f"Question {n}?") for n in range(4)]
    for asked in answered:
        await replies(circle, circle.ben, "Yes", asked)
    await service.stop()
    service.clock.advance(5 * DAY)  # Saturday
    before = len(rings(circle))
    for asked in answered:
        circle.ana.say(circle.group, "And why?", reply_to=asked)
        circle.otto.say(circle.group, f"Also {asked}?", mentions=[circle.ben.mxid])
    service.clock.advance(16 * MINUTE)
    await service.start()
    assert len(await statuses(circle)) == 8 and "waiting_member" not in await statuses(circle)
    await service.wait(2 * TOGETHER)
    assert len(rings(circle)) == before + (hours == "always")
    await service.wait(0 if hours == "always" else 44 * HOUR)  # Monday, 9:16
    assert [text for text, _ in rings(circle)[before:]] == ["8 questions need somebody:"]


async def test_after_an_outage_what_was_answered_meanwhile_rings_nobody(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    at = service.clock.now()
    await service.stop()
    service.clock.advance(10 * MINUTE)
    circle.ben.say(circle.group, "Yes", reply_to=asked)
    service.clock.advance(5 * DAY)
    await service.start()
    await service.wait(HOUR)
    assert len(rings(circle)) == 1 and await answered_at(circle) == at + 10 * MINUTE


async def test_a_restart_changes_nothing(circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    await service.restart()
    await service.wait(16 * MINUTE)
    await service.restart()
    await service.wait(10 * MINUTE)
    assert len(rings(circle)) == 2 and len(lines(circle)) == 1


# Concierges come and go


@pytest.mark.parametrize("name", ["kim", "@kim:remote.test"])
async def test_who_comes_to_the_desk_later_sees_what_is_open(name: str, circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana, "Is it soft?")
    service.clock.advance(MINUTE)
    await asks(circle, circle.otto, "Is it red?")
    await replies(circle, circle.ben, "Yes", await asks(circle, circle.mia, "Is it mine?"))
    await circle.decide(circle.ben, lines(circle)[2].event_id, "✅")
    kim = await kim_comes(circle, name)
    seen = [text.split("\n")[1] for text in kim.heard(circle.desk) if " asks" in text]
    assert seen == ["> Is it soft?", "> Is it red?"] and len(rings(circle)) == 3
    await circle.decide(kim, lines(circle)[-1].event_id, "👀")
    assert (await statuses(circle))[-1] == "claimed" or "claimed" in await statuses(circle)
    kim.say(circle.group, "Red", mentions=[circle.otto.mxid])
    await circle.rest()
    assert sorted(await statuses(circle)) == ["open", "resolved", "waiting_member"]


@pytest.mark.parametrize("way", ["removed", "left", "kicked", "snoozed"])
async def test_who_is_no_concierge_any_more_gives_back_what_they_have(way: str, circle: Journey) -> None:
    await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    ana, ben = await circle.alias(circle.ana), await circle.alias(circle.ben)
    if way == "snoozed":
        await types(circle, circle.ben, "!snooze until tomorrow 9:00")
    if way == "left":
        circle.ben.leave(circle.group)
    elif way == "kicked":
        circle.rosa.kick(circle.group, circle.ben.mxid)
    else:
        await circle.tell(circle.rosa, f"!concierge remove {circle.ben.mxid}")
    await circle.settle()
    assert await standing(circle) == ("open", None, True)
    gone = f"{ben} is no concierge here any more: {ana}’s question is back in the queue. 👀 on it takes it."
    assert rings(circle)[1:] == [(gone, {"rosa"})] and shown(circle)[0].startswith("❔")
    await circle.service.wait(16 * MINUTE)
    assert rings(circle)[-1][1] == {"rosa"}


async def test_what_they_have_answered_stays_answered(circle: Journey) -> None:
    await replies(circle, circle.ben, "Yes", await asks(circle, circle.ana))
    await circle.tell(circle.rosa, f"!concierge remove {circle.ben.mxid}")
    await circle.settle()
    assert await standing(circle) == ("waiting_member", None, False) and len(rings(circle)) == 1


async def test_the_questions_of_who_leaves_are_closed(circle: Journey) -> None:
    await asks(circle, circle.ana)
    circle.ana.leave(circle.group)
    await circle.settle()
    assert await statuses(circle) == ["resolved"]
    await circle.service.wait(2 * HOUR)
    assert len(rings(circle)) == 1


async def test_a_desk_with_one_concierge_works(circle: Journey, service: Service) -> None:
    await circle.tell(circle.rosa, f"!concierge remove {circle.ben.mxid}")
    asked = await asks(circle, circle.ana, to=circle.rosa)
    assert rings(circle) == [(f"❔ {await circle.alias(circle.ana)} asks · 13:00", {"rosa"})]
    await circle.decide(circle.rosa, lines(circle)[0].event_id, "👀")
    await service.wait(90 * MINUTE)
    assert {frozenset(whom) for _, whom in rings(circle)} == {frozenset({"rosa"})} and len(rings(circle)) == 5
    await types(circle, circle.rosa, f"!hand {await circle.alias(circle.ben)} yours")
    assert thread(circle)[-1] == "That person is no concierge of the group."
    await replies(circle, circle.rosa, "Yes", asked)
    assert await standing(circle) == ("waiting_member", "rosa", False)


async def test_words_that_are_removed_while_their_line_is_on_its_way_do_not_stay(
    circle: Journey, service: Service, hs: FakeHomeserver
) -> None:
    """The desk cannot be written to for a while; what was owed to it then goes out after its removal."""
    service.patient = True
    hs.faults.rate_limit(circle.desk, 60_000, times=1)
    asked = circle.ana.say(circle.group, "Is it for my bad skin?", mentions=[circle.ben.mxid])
    await service.until(lambda: any("send" in request.path and request.status == 429 for request in hs.sent))
    circle.ana.redact(circle.group, asked)
    await circle.rest()
    assert await statuses(circle) == ["resolved"]
    left = [str(event.content) for event in hs.room(circle.desk).events]
    assert not [text for text in left if "skin" in text]
    assert "Taken back by its asker." in shown(circle)[-1]
