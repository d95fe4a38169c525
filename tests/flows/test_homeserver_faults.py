"""A homeserver that fails: the journey completes all the same, and nothing is done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_calls import SentRequest
from tests.flows.homeserver_events import Event
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.outcome import differences, outcome
from tests.flows.service import Service

SOME = (Fault.ERROR_500, Fault.RESET, Fault.ANSWER_LOST, Fault.ANSWER_HANGS)
HANGS = (Fault.HANG, Fault.ANSWER_HANGS)
EVERY = 6
"""Of so many requests one is struck; over as many runs each one is."""


@pytest.fixture
def tolerant(play: Journey, hs: FakeHomeserver, service: Service) -> Journey:
    """People who wait until the service has tried again whatever failed."""
    service.patient = True
    hs.faults.timeout = 0.01
    return play


def strike_every(hs: FakeHomeserver, fault: Fault, first: int, every: int = EVERY) -> list[SentRequest]:
    """Strike each `every`-th request from the `first` on; gives, later, those that were struck."""
    struck: list[SentRequest] = []
    count = 0
    usual = hs.faults.pick

    def pick(line: str) -> Fault | None:
        nonlocal count
        count += 1
        if count % every != first % every:
            return usual(line)
        hs.faults.on_request(fault)
        struck.append(hs.sent[-1])
        return usual(line)

    hs.faults.pick = pick  # type: ignore[method-assign]
    return struck


async def release_what_hangs(hs: FakeHomeserver) -> None:
    """Cut what hangs, again and again: the service's own limit is over a minute."""
    while True:
        await asyncio.sleep(0.02)
        hs.faults.release()


def assert_nothing_twice(play: Journey, hs: FakeHomeserver) -> None:
    """One card, one room of each kind and person, one receipt for each order, one news for each tier."""
    names = [room.name for room in hs.world.rooms.values() if room.name not in ("", "Coterie")]
    assert len(names) == len(set(names)), names
    assert len([event for event in hs.cards(play.group) if "tiers" in event.content["shop.coterie.group_buy"]]) == 1
    assert all(len(play.receipts(person)) <= 1 for person in play.hs._people.values())
    posted = play.posted()
    assert len(posted) == len(set(posted)), posted
    assert all(len(hs.direct_rooms(person)) <= 1 for person in play.hs._people.values())


async def run(play: Journey, hs: FakeHomeserver, fault: Fault, first: int, calm: dict[str, Any]) -> None:
    struck = strike_every(hs, fault, first)
    releasing = asyncio.create_task(release_what_hangs(hs)) if fault in HANGS else None
    try:
        await play.main_job()
    finally:
        if releasing is not None:
            releasing.cancel()
    assert len(struck) >= 15
    assert differences(await outcome(play), calm) == []
    assert_nothing_twice(play, hs)


@pytest.mark.slow
@pytest.mark.parametrize("fault", SOME, ids=lambda fault: fault.name.lower())
async def test_failures_of_every_sixth_request_are_survived(
    tolerant: Journey, hs: FakeHomeserver, calm: dict[str, Any], fault: Fault
) -> None:
    await run(tolerant, hs, fault, list(Fault).index(fault), calm)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(EVERY))
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower())
async def test_every_kind_of_failure_of_every_request_is_survived(
    engine: str, tolerant: Journey, hs: FakeHomeserver, calm: dict[str, Any], fault: Fault, first: int
) -> None:
    await run(tolerant, hs, fault, first, calm)


async def test_any_mixture_of_failures_is_survived(
    engine: str, tolerant: Journey, hs: FakeHomeserver, calm: dict[str, Any]
) -> None:
    """Of invitations and new rooms the fourth failure in a row would be final, which other tests are about."""
    hs.faults.sometimes(0.3, match="/(send|redact|m.room.pinned_events|m.room.power_levels|shop.coterie.group_buy)")
    hs.delivery.lose_answer_chance, hs.delivery.batch = 0.2, "random"
    await tolerant.main_job()
    assert len([request for request in hs.sent if request.fault]) > 30
    assert differences(await outcome(tolerant), calm) == []
    assert_nothing_twice(tolerant, hs)


async def test_a_room_that_is_rate_limited_holds_nobody_else_up_and_is_waited_for(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    service.clock.run()
    limit = hs.faults.rate_limit(shop.group, 300, times=3)
    pledge = shop.ana.say(shop.group, "+2", reply_to=shop.card)
    direct = hs.direct_rooms(shop.rosa)[-1].room_id
    await service.until(lambda: limit.answered == 1)
    asked = shop.rosa.say(direct, "!help")
    await service.until(lambda: shop.signs(asked) == ["✅"] and len(shop.told(shop.rosa)) > 6)
    assert shop.signs(pledge) == []
    await service.until(lambda: shop.signs(pledge) == ["✅"])
    assert limit.answered == 3 and limit.impatient == 0
    service.clock.stand()


async def test_each_room_keeps_its_order_while_sends_fail(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    service.patient = True
    hs.faults.sometimes(0.4, [Fault.ERROR_500, Fault.ANSWER_502])
    direct = await shop.direct(shop.ana)
    asked = [shop.ana.say(direct, f"!unknown{n}") for n in range(12)]
    await shop.rest()
    assert [text.split(".")[0] for text in shop.told(shop.ana)] == [f"There is no !unknown{n}" for n in range(12)]
    assert all(shop.signs(event_id) == ["⚠️"] for event_id in asked)


async def test_a_homeserver_that_restarts_and_forgets_gets_nothing_twice(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """Answers are lost, and the homeserver has been restarted before the service tries again."""
    hs.faults.on_request(Fault.ANSWER_LOST, times=20, match="PUT .*/send/")
    pledge = await shop.plus(shop.ana, 12)
    for _ in range(8):
        hs.restart()
        await service.wait(2_000)
    hs.faults.clear()
    await service.wait(120_000)
    assert shop.signs(pledge) == ["✅"]
    assert len([text for text in shop.posted() if "minimum order is reached" in text]) == 1
    sent = [request.path for request in hs.requests("PUT .*/send/m.room.message/") if request.applied]
    events = [event for event in shop.room.events if event.sender == hs.bot and event.type == "m.room.message"]
    assert len(sent) > len({*sent}) and len({*sent}) >= len(events) - 2


async def test_what_the_homeserver_refuses_for_good_is_set_aside_and_the_rest_goes_on(
    shop: Journey, hs: FakeHomeserver, service: Service, errors: list[str]
) -> None:
    errors.append("was refused, parked")
    bot = shop.room.state["m.room.member", hs.bot].content

    def throw_out(event: Event) -> None:
        if event.sender == shop.ana.mxid:
            bot["membership"] = "leave"  # somebody's mistake

    hs.world.observers.append(throw_out)
    await shop.plus(shop.ana, 2)
    bot["membership"] = "join"
    parked = await service.rows("SELECT kind, error FROM effect WHERE status = 'parked'")
    assert {row["kind"] for row in parked} == {"SendEvent"} and "M_FORBIDDEN" in parked[0]["error"]
    await shop.plus(shop.otto, 3)
    assert await shop.units() == {"ana": 2, "otto": 3}
