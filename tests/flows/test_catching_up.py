"""A homeserver that stops forgets what it had queued behind a transaction in flight: the rooms are read back."""

import asyncio

import pytest

from appservice.domain.ids import GroupId
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import HOUR, MINUTE, HandClock, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna
LOOKS = "GET .*/messages"


@pytest.fixture
async def hold(engine: str, service: Service):
    """Keeps the service from journaling anything: it is busy."""

    async def until(done) -> None:
        async with service.store.unit() as unit:
            if engine == "postgres":
                await unit._connection.execute("LOCK TABLE arrival IN EXCLUSIVE MODE")
            async with asyncio.timeout(5):
                while not done():  # noqa: ASYNC110 - the fake tells nobody
                    await asyncio.sleep(0.002)

    return until


async def crash(play: Journey) -> None:
    """The service ends without having been stopped."""
    await play.service.stop()
    await play.service.rows("UPDATE setting SET value = '1' WHERE name = 'running' RETURNING name")


async def test_what_was_queued_behind_a_transaction_that_was_cut_off_is_looked_up(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, hold
) -> None:
    first = await shop.plus(shop.ana, 2)
    direct = await shop.direct(shop.mia)
    hs.delivery.cuts, hs.delivery.cut_after = 1, 0.05
    tried = len(hs.delivery.attempts)
    in_flight = shop.ana.say(shop.group, "+1", reply_to=shop.card)
    lost = [
        shop.otto.say(shop.group, "+3", reply_to=shop.card),
        shop.mia.say(direct, "+4"),
    ]
    reaction = shop.otto.react(shop.group, shop.card, "+5")
    shop.ana.redact(shop.group, first)

    def is_cut() -> bool:
        if len(hs.delivery.attempts) > tried:
            hs.delivery.forget()
        return any(attempt.note for attempt in hs.delivery.attempts[tried:])

    hs.delivery.batch = "single"
    await hold(is_cut)
    await service.rest()
    assert await shop.units() == {"ana": 1, "otto": 8, "mia": 4}
    assert [shop.signs(event) for event in (in_flight, *lost)] == [["✅"]] * 3
    assert hs.event(reaction).redaction is None
    looks = len(hs.requests(LOOKS))
    assert looks == len(await service.rows("SELECT room_id FROM room"))
    await service.wait(MINUTE)
    assert len(hs.requests(LOOKS)) == looks, "once"


async def test_what_was_never_delivered_is_looked_up_after_a_crash(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.ana, 2)
    await crash(shop)
    lost = shop.otto.say(shop.group, "+3", reply_to=shop.card)
    hs.delivery.forget()
    late = shop.mia.say(shop.group, "+4", reply_to=shop.card)
    await service.start()
    assert shop.signs(lost) == shop.signs(late) == ["✅"]
    assert await shop.units() == {"ana": 2, "otto": 3, "mia": 4}
    received = "SELECT received_at FROM arrival WHERE id IN ($1, $2) ORDER BY seq"
    assert len(await service.rows(received, lost, late)) == 2


async def test_after_an_orderly_stop_nothing_is_looked_up(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await shop.plus(shop.ana, 2)
    await service.restart()
    shop.otto.say(shop.group, "+3", reply_to=shop.card)
    await service.restart()
    assert hs.requests(LOOKS) == [] and await shop.units() == {"ana": 2, "otto": 3}


async def test_rooms_are_read_only_after_all_that_comes_by_itself_has_come(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """Somebody who joins and pledges is known to have joined when the pledge is handled."""
    lena = shop.person("lena", auto_join=False)
    await shop.tell(shop.rosa, f"!invite {lena.mxid}")
    await crash(shop)
    lena.join(shop.group)
    pledge = lena.say(shop.group, "+2", reply_to=shop.card)
    hs.pause_delivery()
    await service.start()
    assert hs.requests(LOOKS) == []
    hs.resume()
    await service.rest()
    assert shop.signs(pledge) == ["✅"] and hs.requests(LOOKS) != []


async def test_a_lost_message_is_found_behind_pages_of_chatter_of_which_nothing_is_written_down(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await crash(shop)
    await service.rows("CREATE TABLE seen (content TEXT)")
    await service.rows("CREATE TRIGGER see AFTER INSERT ON arrival BEGIN INSERT INTO seen VALUES (new.content); END")
    lost = shop.otto.say(shop.group, "+3", reply_to=shop.card)
    for n in range(250):
        shop.mia.say(shop.group, f"what lovely weather {n}")
    hs.delivery.forget()
    await service.start()
    assert shop.signs(lost) == ["✅"]
    seen = [row["content"] for row in await service.rows("SELECT content FROM seen")]
    assert any(lost in text for text in seen) and not any("weather" in text for text in seen)
    assert len([look for look in hs.requests(LOOKS) if shop.group in look.path]) >= 3


async def test_reading_back_ends_at_what_is_too_old_to_have_been_lost(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    for n in range(250):
        shop.mia.say(shop.group, f"what lovely weather {n}")
    old = shop.otto.say(shop.group, "+3", reply_to=shop.card)
    hs.delivery.forget()
    await shop.settle()
    service.clock.advance(20 * MINUTE)
    await shop.plus(shop.ana, 2)
    await crash(shop)
    await service.start()
    assert await shop.units() == {"ana": 2} and shop.signs(old) == []
    assert len([look for look in hs.requests(LOOKS) if shop.group in look.path]) == 2


async def test_a_room_that_cannot_be_read_holds_nobody_up(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await service.stop()
    async with service.store.unit() as unit:
        await unit.settings.put("running", "1")
        [group] = await service.rows("SELECT id FROM coterie_group")
        await unit._connection.execute(
            "INSERT INTO room (room_id, kind, subject) VALUES ('!gone:fake.test', 'group', $1)", GroupId(group["id"])
        )
    lost = shop.otto.say(shop.group, "+3", reply_to=shop.card)
    hs.delivery.forget()
    await service.start()
    assert shop.signs(lost) == ["✅"]


async def test_a_crash_before_the_rooms_were_read_is_made_up_for(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """What the first start was to look up, the second does, as far back as the first was to."""
    await crash(shop)
    lost = shop.otto.say(shop.group, "+3", reply_to=shop.card)
    hs.delivery.forget()
    hs.pause_delivery()
    await service.start()
    await service.wait(2 * HOUR)
    await crash(shop)
    hs.resume()
    await service.start()
    assert shop.signs(lost) == ["✅"]


async def test_joins_that_were_lost_are_found_by_looking_at_the_room_and_not_replayed(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    lena = shop.person("lena", auto_join=False)
    await shop.tell(shop.rosa, f"!invite {lena.mxid}")
    await crash(shop)
    service.clock.advance(2 * MINUTE)
    lena.join(shop.group)
    shop.mia.leave(shop.group)
    shop.otto.say(shop.group, "+3", reply_to=shop.card)
    hs.delivery.forget()
    await service.start()
    members = await shop.members()
    assert (members["lena"][0], members["mia"][0], await shop.units()) == ("joined", "left", {"otto": 3})
    lost = [event.event_id for event in shop.room.events if event.type == "m.room.member"][-2:]
    assert await service.rows("SELECT id FROM arrival WHERE id IN ($1, $2)", *lost) == []


async def test_a_homeserver_that_goes_away_just_before_a_deadline_is_waited_for(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, hold, clock: HandClock
) -> None:
    """What it had taken in time, and has forgotten, still counts."""
    await shop.plus(shop.ana, 10)
    await service.stop()
    clock.advance(FRIDAY_18 - MINUTE - clock.now())
    await service.start()
    hs.delivery.cuts, hs.delivery.cut_after, hs.delivery.batch = 1, 0.05, "single"
    tried = len(hs.delivery.attempts)
    shop.ana.say(shop.group, "+1", reply_to=shop.card)
    lost = shop.otto.say(shop.group, "+3", reply_to=shop.card)

    def is_cut() -> bool:
        if len(hs.delivery.attempts) > tried:
            hs.delivery.forget()
            hs.pause_delivery()
        return any(attempt.note for attempt in hs.delivery.attempts[tried:])

    await hold(is_cut)
    await service.wait(10 * MINUTE)
    assert await shop.status() == "open" and shop.signs(lost) == []
    hs.resume()
    await service.wait(HOUR)
    assert await shop.status() == "collecting" and shop.signs(lost) == ["✅"]
    assert await shop.orders() == {"ana": (11, 7900, 86900), "otto": (3, 7900, 23700)}
