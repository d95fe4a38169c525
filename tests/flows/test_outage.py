"""The service was not there when a group buy was to close: what people wrote meanwhile still counts."""

import pytest

from appservice.store.inbox import NewArrival
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import BUY, Journey
from tests.flows.service import HOUR, MINUTE, HandClock, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna
GRACE = 30 * MINUTE
LONGER = "Merino throw: I was not here when it was to close, so pledges are taken longer. The group buy closes "
STARTED = "shop.coterie.started"


async def out(play: Journey, *, back_after: int, before: int | None = None) -> None:
    """The service stops, at once or so long (ms) before the deadline; the clock stands so long after the deadline."""
    service, clock = play.service, play.service.clock
    await service.stop()
    if before is not None:
        clock.advance(FRIDAY_18 - before - clock.now())
        await service.start()
        await service.stop()
    clock.advance(FRIDAY_18 + back_after - clock.now())


def announced(play: Journey) -> list[str]:
    """When the group was told that the buy closes, because the service was not there."""
    return [text.removeprefix(LONGER) for text in play.posted() if text.startswith(LONGER)]


def at_desk(play: Journey, words: str) -> list[str]:
    return [text for text in play.posted(play.desk) if words in text]


async def deadline(play: Journey) -> int:
    [row] = await play.service.rows("SELECT deadline_at FROM group_buy WHERE id = $1", play.buy)
    return int(row["deadline_at"])


async def test_what_was_pledged_while_the_service_was_down_counts_and_the_buy_closes_half_an_hour_after_its_start(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    desk = len(shop.posted(shop.desk))
    late = [shop.otto.say(shop.group, "+5", reply_to=shop.card), shop.mia.react(shop.group, shop.card, "+5")]
    await service.start()
    assert await shop.status() == "open" and await shop.units() == {"ana": 10, "otto": 5, "mia": 5}
    assert announced(shop) == ["Friday 27 November, 19:30 (Vienna time)."]
    assert shop.signs(late[0]) == ["✅"] and hs.event(late[1]).redaction is None
    assert shop.room.content(BUY, shop.buy)["closes_at"] == FRIDAY_18 + HOUR + 1 + GRACE
    await service.wait(GRACE - 2)
    after = await shop.plus(shop.mia, 5)
    assert shop.signs(after) == ["✅"] and await shop.status() == "open"
    await service.wait(6_000)
    assert await shop.status() == "collecting"
    assert await shop.orders() == {"ana": (10, 6900, 69000), "otto": (5, 6900, 34500), "mia": (10, 6900, 69000)}
    assert len(announced(shop)) == 1 and [len(shop.receipts(p)) for p in (shop.ana, shop.otto, shop.mia)] == [1, 1, 1]
    assert not [text for text in shop.posted() if "closes in an hour" in text]
    assert len(shop.posted(shop.desk)) == desk + 1, "nothing but the list of orders"
    assert [line[0] for line in await shop.ledger() if line[0] in ("grace", "closing")] == ["grace", "closing"]


async def test_grace_takes_pledges_that_were_journaled_at_the_start_before_anything_was_handled(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    """What is delivered while the service still waits to work is handled after the deadline has been moved."""
    await out(shop, back_after=HOUR)
    shop.otto.say(shop.group, "!pledge 12")
    shop.otto.say(shop.group, "!withdraw")
    shop.mia.say(shop.group, "!pledge 11 max 80")
    await service.start()
    assert await shop.units() == {"mia": 11} and shop.told(shop.otto) == shop.told(shop.mia) == []


async def test_a_pledge_after_the_grace_is_too_late(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    await service.start()
    await service.wait(GRACE + 6_000)
    assert shop.signs(await shop.plus(shop.otto, 1)) == ["⚠️"]
    assert await shop.orders() == {"ana": (10, 7900, 79000)}


async def test_the_operator_says_how_long_the_grace_is(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await shop.configure(grace_minutes=5)
    await out(shop, back_after=HOUR)
    await service.start()
    await service.wait(5 * MINUTE - 1)
    assert await shop.status() == "open"
    await service.wait(6_000)
    assert await shop.status() == "collecting"


@pytest.mark.parametrize(("before", "back"), [(1_000, -500), (HOUR, -1_000)], ids=["quick", "long"])
async def test_a_restart_that_ends_before_the_deadline_gives_no_grace(
    engine: str, shop: Journey, service: Service, clock: HandClock, before: int, back: int
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, before=before, back_after=back)
    shop.otto.say(shop.group, "+1", reply_to=shop.card)
    await service.start()
    await service.wait(FRIDAY_18 - clock.now() - 1)
    assert await shop.status() == "open"
    await service.wait(1)
    service.ring()
    await service.rest()
    assert await shop.status() == "collecting" and announced(shop) == []
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (1, 7900, 7900)}


async def test_what_the_homeserver_still_holds_back_at_the_deadline_after_an_outage_counts(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    """The service is back before the deadline, but what was written while it was down comes after it."""
    await shop.plus(shop.ana, 10)
    await out(shop, before=HOUR, back_after=-1_000)
    hs.pause_delivery()
    otto = shop.otto.say(shop.group, "+1", reply_to=shop.card)
    await service.start()
    await service.wait(MINUTE)
    assert await shop.status() == "open" and len(announced(shop)) == 1
    hs.resume()
    await service.rest()
    assert shop.signs(otto) == ["✅"]
    await service.wait(GRACE)
    assert await shop.status() == "collecting" and len(announced(shop)) == 1
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (1, 7900, 7900)}


async def test_a_buy_waits_longer_while_the_homeserver_has_not_delivered_what_it_held_back(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    otto = shop.otto.say(shop.group, "+5", reply_to=shop.card)
    await service.start()
    await service.wait(2 * GRACE + MINUTE)
    assert await shop.status() == "open" and await deadline(shop) == FRIDAY_18 + HOUR + 1 + 3 * GRACE
    assert len(announced(shop)) == 1, "the group is told once"
    [told] = at_desk(shop, "has not handed me yet")
    assert told == (
        f"Merino throw ({shop.buy}) stays open until Friday 27 November, 20:00 (Vienna time): the homeserver has not "
        "handed me yet what was written while I was not running, and pledges may be among it. The operator can look "
        "into it with coterie check. To end the buy all the same: !buy close."
    )
    assert "Closes Friday 27 November, 20:30 (Vienna time)" in shop.card_text
    hs.resume()
    await service.rest()
    assert shop.signs(otto) == ["✅"]
    await service.wait(GRACE)
    assert await shop.status() == "collecting" and len(announced(shop)) == len(at_desk(shop, "handed me yet")) == 1
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (5, 7900, 39500)}


async def test_a_buy_does_not_wait_for_ever(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    await service.start()
    await service.wait(9 * GRACE - MINUTE)
    assert await shop.status() == "open" and at_desk(shop, "closes now") == []
    await service.wait(MINUTE + 6_000)
    assert await shop.status() == "collecting" and len(announced(shop)) == 1
    [told] = at_desk(shop, "closes now")
    assert told == (
        f"Merino throw ({shop.buy}) closes now, although the homeserver has never handed me what was written while I "
        "was not running. Pledges that still arrive are too late: ask the group whether one is missing."
    )
    assert await shop.orders() == {"ana": (10, 7900, 79000)}


async def test_each_start_waits_anew(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    await service.start()
    await service.wait(5 * GRACE)
    await service.restart()
    await service.wait(5 * GRACE)
    assert await shop.status() == "open" and at_desk(shop, "closes now") == []
    hs.resume()
    await service.wait(GRACE + 6_000)
    assert await shop.status() == "collecting"


async def test_a_sign_that_the_homeserver_has_forgotten_is_sent_again(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    await service.start()
    hs.delivery.forget()
    hs.resume()
    await service.wait(GRACE + MINUTE)
    assert await shop.status() == "open", "it did not know that all has come"
    await service.wait(GRACE)
    assert await shop.status() == "collecting" and len(announced(shop)) == 1


async def test_the_sign_of_an_earlier_start_is_none(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    """Two starts, and only what was sent at the first has come back: something may still be behind it."""
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    await service.start()
    [first] = [item for item in hs.delivery._queue if item.event.type == STARTED]
    await service.restart()
    hs.delivery.forget()
    hs.delivery.redeliver([first.event])
    hs.resume()
    await service.wait(GRACE + MINUTE)
    assert await shop.status() == "open"


async def test_nobody_else_can_send_the_sign(shop: Journey, hs: FakeHomeserver, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.pause_delivery()
    await service.start()
    hs.delivery.forget()
    hs.resume()
    [row] = await service.rows("SELECT value FROM setting WHERE name = 'started_at'")
    shop.ana.send(shop.group, STARTED, {"version": 1, "started_at": int(row["value"])})
    await service.wait(GRACE + MINUTE)
    assert await shop.status() == "open"


async def test_a_second_restart_within_the_grace_says_nothing_again(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    await service.start()
    closes = await deadline(shop)
    await service.restart()
    await service.wait(MINUTE)
    await service.restart()
    assert await deadline(shop) == closes
    await service.wait(GRACE)
    assert await shop.status() == "collecting" and len(announced(shop)) == 1


async def test_a_second_outage_across_the_grace_gives_grace_again_and_says_so(
    shop: Journey, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    await service.start()
    await service.stop()
    clock.advance(HOUR)
    late = shop.otto.say(shop.group, "+5", reply_to=shop.card)
    await service.start()
    assert shop.signs(late) == ["✅"] and len(announced(shop)) == 2
    await service.wait(GRACE + 6_000)
    assert await shop.status() == "collecting" and len(announced(shop)) == 2


async def test_a_buy_that_was_being_closed_when_the_service_ended_gets_no_grace(
    engine: str, shop: Journey, service: Service, clock: HandClock, errors: list[str]
) -> None:
    """It was closed by hand, and waited for something that had come before."""
    errors.append("arrival a")
    await shop.plus(shop.ana, 10)
    await service.store.journal([NewArrival("$broken", shop.group, "m.room.message", '{"not": "an event"}')])
    clock.advance(1)
    await shop.say(shop.ben, "!buy close")
    assert await shop.status() == "closing"
    await out(shop, back_after=HOUR)
    late = shop.otto.say(shop.group, "+5", reply_to=shop.card)
    await service.start()
    await service.wait(6_000)
    assert await shop.status() == "collecting" and announced(shop) == []
    assert shop.signs(late) == ["⚠️"] and await shop.orders() == {"ana": (10, 7900, 79000)}


async def test_a_close_by_hand_during_the_outage_ends_the_buy_where_it_stands_in_the_queue(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    hs.delivery.batch = "single"
    before = shop.otto.say(shop.group, "+5", reply_to=shop.card)
    shop.ben.say(shop.group, "!buy close")
    await service.start()
    await service.wait(6_000)
    assert await shop.status() == "collecting" and shop.signs(before) == ["✅"]
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (5, 7900, 39500)}


async def test_a_close_by_hand_in_the_grace_ends_it(shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await out(shop, back_after=HOUR)
    await service.start()
    await shop.close()
    assert await shop.status() == "collecting"
    await service.wait(HOUR)
    assert len(shop.receipts(shop.ana)) == 1 and len(announced(shop)) == 1


async def test_a_condition_on_the_price_is_not_suspended_by_the_grace(shop: Journey, service: Service) -> None:
    await shop.say(shop.ana, "!pledge 12 max 80")
    await out(shop, back_after=HOUR)
    await service.start()
    await service.wait(GRACE + 6_000)
    assert await shop.orders() == {"ana": (12, 7900, 94800)}


async def test_every_buy_that_was_to_close_gets_grace_and_others_keep_their_time(
    engine: str, shop: Journey, service: Service
) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "2:10 until friday 18:30")
    await shop.say(shop.ben, '!product add "Linen" 12 https://shop.example/linen')
    await shop.open_named("Linen", "2:10 until saturday 18:00")
    await out(shop, back_after=HOUR)
    await service.start()
    rows = await service.rows("SELECT deadline_at FROM group_buy ORDER BY opened_at, deadline_at")
    came = FRIDAY_18 + HOUR + 1
    assert sorted(row["deadline_at"] for row in rows) == [came + GRACE, came + GRACE, FRIDAY_18 + 24 * HOUR]
    longer = [text.split(":")[0] for text in shop.posted() if "pledges are taken longer" in text]
    assert sorted(longer) == ["Merino throw", "Mug"]
