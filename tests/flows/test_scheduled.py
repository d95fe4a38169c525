"""A group buy that opens by itself at a time that was fixed before."""

import json

from appservice.store.inbox import NewArrival
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, MINUTE, HandClock, Service

TUESDAY_12 = 1_795_518_000_000  # 2026-11-24 12:00 in Vienna
FRIDAY_18 = 1_795_798_800_000
PLANNED = "!buy open merino-throw 10:79 25:69 opens tuesday 12:00 until friday 18:00"


async def plan(play: Journey) -> None:
    """Ben plans a buy for Tuesday noon, in the desk, where its id is told."""
    await play.add_product()
    await play.say(play.ben, PLANNED)
    [row] = await play.service.rows("SELECT id, status FROM group_buy")
    assert row["status"] == "scheduled"
    play.buy = row["id"]


async def pass_to(play: Journey, at: int) -> None:
    """The service is down until a time."""
    await play.service.stop()
    play.service.clock.advance(at - play.service.clock.now())


def shown(play: Journey) -> int:
    return len([event for event in play.hs.cards(play.group) if "tiers" in event.content[BUY]])


async def test_a_planned_buy_is_seen_by_nobody_before_it_opens_by_itself(
    engine: str, circle: Journey, service: Service, clock: HandClock
) -> None:
    await plan(circle)
    await service.wait(TUESDAY_12 - clock.now() - 1)
    assert await circle.status() == "scheduled" and shown(circle) == 0
    assert circle.room.pinned == [] and circle.room.content(BUY, circle.buy) == {}
    await service.wait(1)
    service.ring()
    await service.rest()
    assert await circle.status() == "open" and shown(circle) == 1
    circle.find_card()
    assert circle.room.pinned == [circle.card]
    assert circle.room.content(BUY, circle.buy)["opens_at"] == TUESDAY_12
    await circle.plus(circle.ana, 10)
    assert await circle.units() == {"ana": 10}


async def test_a_pledge_opens_the_buy_when_its_time_has_come_and_its_timer_is_late(
    engine: str, circle: Journey, service: Service, clock: HandClock
) -> None:
    await plan(circle)
    await pass_to(circle, TUESDAY_12 + 1)
    await service.rows("UPDATE timer SET due_at = $1 WHERE kind = 'open' RETURNING kind", TUESDAY_12 + HOUR)
    await service.start()
    assert await circle.status() == "scheduled"
    asked = await circle.tell(circle.ana, f"!pledge 12 {circle.buy}")
    assert circle.signs(asked) == ["✅"] and await circle.status() == "open" and shown(circle) == 1
    assert [line[0] for line in await circle.ledger()][-4:] == ["opened", "pledged", "options", "tier_reached"]
    await service.wait(2 * HOUR)
    assert shown(circle) == 1 and await circle.status() == "open"


async def test_a_pledge_before_the_opening_is_refused_also_when_it_is_handled_after(
    engine: str, circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await plan(circle)
    asked = await circle.tell(circle.ana, f"!pledge 2 {circle.buy}")
    assert circle.signs(asked) == ["⚠️"]
    room = await circle.direct(circle.otto)
    await pass_to(circle, TUESDAY_12 - 1)
    await service.store.journal([_arrival(circle, circle.otto, room, f"!pledge 2 {circle.buy}")])
    service.clock.advance(MINUTE)
    await service.start()
    assert await circle.status() == "open" and await circle.units() == {}
    assert [len(circle.told(person)) for person in (circle.ana, circle.otto)] == [1, 1]
    assert circle.told(circle.ana) == circle.told(circle.otto)


def _arrival(play: Journey, person: Person, room: str, body: str) -> NewArrival:
    """What the intake writes down of a message."""
    event = play.hs.event(person.say(room, body))
    play.hs.delivery._queue.clear()
    return NewArrival(event.event_id, room, event.type, json.dumps(event.client()))


async def test_an_outage_across_the_opening_only_delays_the_card(
    engine: str, circle: Journey, service: Service
) -> None:
    await plan(circle)
    room = await circle.direct(circle.ana)
    await pass_to(circle, TUESDAY_12 + HOUR)
    asked = circle.ana.say(room, f"!pledge 10 {circle.buy}")
    await service.start()
    assert await circle.status() == "open" and shown(circle) == 1
    assert circle.signs(asked) == ["✅"] and await circle.units() == {"ana": 10}
    assert circle.room.content(BUY, circle.buy)["opens_at"] == TUESDAY_12


async def test_an_outage_across_the_opening_and_the_deadline_calls_the_buy_off(
    engine: str, circle: Journey, service: Service
) -> None:
    """Nobody has seen it, and nobody may be given terms that no concierge wanted."""
    await plan(circle)
    room, posted = await circle.direct(circle.ana), len(circle.posted())
    await pass_to(circle, FRIDAY_18 + HOUR)
    asked = circle.ana.say(room, f"!pledge 10 {circle.buy}")
    await service.start()
    assert await circle.status() == "cancelled" and shown(circle) == 0 and len(circle.posted()) == posted
    assert circle.posted(circle.desk)[-1] == (
        f"Merino throw ({circle.buy}) was cancelled. I was not running from the time when it was to open until it was "
        "to close. Nobody owes anything."
    )
    assert circle.signs(asked) == ["⚠️"] and await circle.units() == {}
    assert circle.told(circle.ana)[-1].startswith("Too late")
    assert await service.rows("SELECT * FROM timer WHERE subject = $1 AND kind <> 'state'", circle.buy) == []
    await service.wait(2 * DAY)
    assert len(circle.posted()) == posted


async def test_a_planned_buy_can_be_called_off_before_anybody_has_seen_it(circle: Journey, service: Service) -> None:
    await plan(circle)
    posted = len(circle.posted())
    await circle.say(circle.ben, f"!buy cancel {circle.buy} The supplier has none left")
    assert await circle.status() == "cancelled" and len(circle.posted()) == posted
    await service.wait(2 * DAY)
    assert await circle.status() == "cancelled" and shown(circle) == 0
