"""The end of a group buy: in time or too late, orders, receipts, and what everyone is told."""

import json
import re

import pytest

from appservice.domain.clearing import Tier, Tranche, clear
from appservice.store.inbox import NewArrival
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_faults import Fault
from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, HandClock, Service

FRIDAY_18 = 1_795_798_800_000  # 2026-11-27 18:00 in Vienna
TOO_LATE = "Too late: this group buy is closed, so nothing changed. If you are in, your receipt says what you owe."


async def test_closing_by_command_makes_orders_receipts_and_a_result(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.ana, 20)
    await shop.react(shop.otto, "+5")
    await shop.say(shop.mia, "!pledge 3 max 60")
    await shop.settle()
    messages = len(shop.posted())
    service.clock.advance(1)
    asked = await shop.say(shop.ben, "!buy close")
    await shop.settle()
    assert shop.signs(asked) == ["✅"] and await shop.status() == "collecting"
    assert await shop.orders() == {"ana": (20, 6900, 138000), "otto": (5, 6900, 34500)}
    assert shop.posted()[messages:] == [
        "Merino throw: closed with 25 units at €69.00 each. Everyone who is in gets a receipt with the purchase link "
        "by direct message."
    ]
    result = shop.room.messages(hs.bot)[-1].content[BUY]
    assert (result["id"], result["status"], result["unit_price"]) == (shop.buy, "succeeded", 6900)
    [receipt] = shop.receipts(shop.ana)
    order, line, pay_by = receipt.pop("id"), receipt.pop("line"), receipt.pop("pay_by")
    assert 0 < pay_by - (service.clock.now() + 3 * DAY) + 10_000 < 10_001
    link = f"https://shop.example/throw?reference={order}&amount=1380.00&currency=EUR"
    assert receipt == {
        "version": 1, "buy": shop.buy, "units": 20, "unit_price": 6900, "total": 138000, "priceCurrency": "EUR",
        "exponent": 2, "url": link,
    }  # fmt: skip
    [told] = shop.told(shop.ana)
    assert told == (
        f"Receipt: Merino throw\n20 × €69.00 = €1,380.00\nPay by Thursday 26 November, 13:00 (Vienna time): {link}\n"
        f"Order {order} of {await shop.alias(shop.ana)} in “Wool circle”; line {line} of the published result."
    )
    [_, message] = hs.direct_events(shop.ana)
    assert message.content["msgtype"] == "m.text" and message.content["m.mentions"] == {"user_ids": [shop.ana.mxid]}
    assert sorted(map(tuple, result["lines"])) == sorted([(line, 20), (shop.receipts(shop.otto)[0]["line"], 5)])
    assert shop.told(shop.mia) == [
        "Merino throw: the group buy has closed and the price did not come down to your maximum. You owe nothing."
    ]
    assert shop.posted(shop.desk)[-1] == (
        f"Merino throw ({shop.buy}) closed: 25 units, 2 orders, €1,725.00.\n"
        f"{await shop.alias(shop.ana)}: 20, €1,380.00\n{await shop.alias(shop.otto)}: 5, €345.00\n"
        f"{await shop.alias(shop.mia)}: not in"
    )
    assert shop.room.pinned == []
    assert shop.room.content(BUY, shop.buy)["status"] == "succeeded"
    assert shop.card_text.split("\n")[1] == "Closed at €69.00 each"
    assert shop.card_text.split("\n")[3] == "Closed Monday 23 November, 13:00 (Vienna time)"
    assert "To join" not in shop.card_text
    assert [line for line in await shop.ledger() if line[0] in ("order", "succeeded", "closing")] == [
        ("closing", None, 0, 0), ("succeeded", None, 0, 0), ("order", "ana", 20, 138000), ("order", "otto", 5, 34500),
    ]  # fmt: skip


async def test_the_deadline_closes_by_the_clock_alone(engine: str, shop: Journey, service: Service) -> None:
    await shop.plus(shop.ana, 10)
    await service.wait(FRIDAY_18 - MONDAY - 1)
    assert await shop.status() == "open"
    await service.wait(6_000)
    assert await shop.status() == "collecting"
    assert await shop.orders() == {"ana": (10, 7900, 79000)}
    assert len(shop.receipts(shop.ana)) == 1 and shop.room.pinned == []
    await service.wait(DAY)
    assert len(shop.told(shop.ana)) == 1


async def test_a_buy_that_does_not_reach_its_minimum_fails_and_nobody_owes(shop: Journey) -> None:
    await shop.plus(shop.ana, 9)
    await shop.close()
    assert await shop.status() == "failed" and await shop.orders() == {}
    assert shop.posted()[-1] == (
        "Merino throw: closed. The minimum order of 10 was not reached, so nobody owes anything."
    )
    assert shop.told(shop.ana) == [
        "Merino throw: the group buy has closed and the minimum order was not reached. You owe nothing."
    ]
    assert shop.card_text.split("\n")[1] == "The minimum order was not reached: nobody owes anything."
    assert shop.room.content(BUY, shop.buy)["status"] == "failed" and shop.room.pinned == []
    assert shop.receipts(shop.ana) == []


async def test_a_buy_without_any_pledge_fails_quietly(shop: Journey) -> None:
    await shop.close()
    assert await shop.status() == "failed"
    assert [shop.told(person) for person in (shop.ana, shop.otto, shop.mia)] == [[], [], []]


async def test_a_pledge_journaled_before_the_deadline_counts_though_it_is_handled_after(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    """It was written down, as was the end of the buy, and the service stopped before either was acted on."""
    await shop.plus(shop.ana, 10)
    await service.stop()
    await shop.service.store.journal([_arrival(shop, shop.otto, "+5")])
    clock.advance(1)
    await shop.service.store.journal([_arrival(shop, shop.ben, "!buy close")])
    clock.advance(60_000)
    late = shop.mia.say(shop.group, "+7", reply_to=shop.card)
    await service.start()
    await service.wait(10_000)
    assert await shop.orders() == {"ana": (10, 7900, 79000), "otto": (5, 7900, 39500)}
    assert shop.signs(late) == ["⚠️"] and shop.told(shop.mia) == [TOO_LATE]


def _arrival(shop: Journey, person: Person, body: str) -> NewArrival:
    """What the intake writes down of a reply to the card."""
    shop.hs.pause_delivery()
    event = shop.hs.event(person.say(shop.group, body, reply_to=shop.card))
    shop.hs.delivery._queue.clear()
    shop.hs.resume()
    return NewArrival(event.event_id, shop.group, event.type, json.dumps(event.client()))


async def test_what_comes_after_the_deadline_is_told_so_and_changes_nothing(shop: Journey, service: Service) -> None:
    pledge = await shop.plus(shop.ana, 10)
    reaction = await shop.react(shop.otto, "+5")
    await service.wait(FRIDAY_18 - MONDAY)
    orders = await shop.orders()
    assert await shop.status() == "collecting"
    ledger, told = len(await shop.ledger()), {p.mxid: len(shop.told(p)) for p in (shop.ana, shop.otto, shop.mia)}
    message = await shop.plus(shop.mia, 1)
    late = await shop.react(shop.mia, "+1")
    assert shop.signs(message) == ["⚠️"] and shop.hs.event(late).redaction is not None
    assert shop.told(shop.mia)[told[shop.mia.mxid] :] == [TOO_LATE, TOO_LATE]
    await shop.redact(shop.ana, pledge)
    await shop.redact(shop.otto, reaction)
    command = await shop.say(shop.ana, f"!pledge 0 {shop.buy}")
    assert shop.signs(command) == ["⚠️"]
    assert shop.told(shop.ana)[told[shop.ana.mxid] :] == [TOO_LATE, TOO_LATE]
    assert shop.told(shop.otto)[told[shop.otto.mxid] :] == [TOO_LATE]
    assert await shop.orders() == orders and len(await shop.ledger()) == ledger


async def test_a_pledge_that_came_with_the_closing_command_in_one_transaction_counts(
    engine: str, shop: Journey, hs: FakeHomeserver
) -> None:
    """Everything in a transaction is journaled at one moment; who spoke before the close was in time."""
    await shop.plus(shop.ana, 10)
    direct = await shop.direct(shop.otto)
    hs.pause_delivery()
    by_message = shop.mia.say(shop.group, "+1", reply_to=shop.card)
    by_direct = shop.otto.say(direct, "+3")
    shop.ben.say(shop.group, "!buy close")
    hs.resume()
    await shop.rest()
    await shop.settle()
    assert shop.signs(by_message) == ["✅"] and shop.signs(by_direct) == ["✅"]
    assert await shop.orders() == {"ana": (10, 7900, 79000), "mia": (1, 7900, 7900), "otto": (3, 7900, 23700)}


async def test_receipts_reach_who_has_left_the_group(shop: Journey, hs: FakeHomeserver) -> None:
    await shop.plus(shop.ana, 10)
    shop.ana.leave(shop.group)
    await shop.rest()
    await shop.close()
    assert shop.room.membership(shop.ana.mxid) == "leave"
    assert [receipt["units"] for receipt in shop.receipts(shop.ana)] == [10]


async def test_a_receipt_waits_until_its_person_has_joined_the_direct_room(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.leave_direct(shop.ana)
    shop.ana.auto_join = False
    await shop.plus(shop.ana, 10)
    await shop.close()
    await service.wait(DAY)
    [direct] = shop.direct_rooms(shop.ana)
    assert direct.membership(shop.ana.mxid) == "invite" and direct.messages() == []
    assert await shop.status() == "collecting" and shop.posted(shop.desk)
    shop.ana.join(direct.room_id)
    await shop.rest()
    assert [receipt["units"] for receipt in shop.receipts(shop.ana)] == [10]


async def test_orders_are_what_clearing_says(shop: Journey, service: Service) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "5:10 12:8 until friday 18:00 cap 14 pack 2")
    await shop.say(shop.ana, "!pledge 4 max 9", reply_to=shop.card)
    await shop.plus(shop.otto, 5)
    await shop.say(shop.mia, "!pledge 2-6", reply_to=shop.card)
    await shop.plus(shop.ben, 3)
    await shop.close()
    tranches = [Tranche("a", 4, 0, 900), Tranche("o", 5), Tranche("m", 2, 4), Tranche("b", 3)]
    cleared = clear([Tier(5, 1000), Tier(12, 800)], tranches, pack=2, cap=14)
    assert cleared is not None and cleared.unit_price == 800
    names = {"a": "ana", "o": "otto", "m": "mia", "b": "ben"}
    wanted = {names[id]: (units, 800, units * 800) for id, units in cleared.units.items() if units}
    assert await shop.orders() == wanted and sum(order[0] for order in wanted.values()) == cleared.total == 14


async def test_somebody_cut_by_the_cap_is_told_how_many_they_get(shop: Journey) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    await shop.open_named("Mug", "2:10 until friday 18:00 cap 4")
    await shop.plus(shop.ana, 3)
    await shop.plus(shop.otto, 2)
    await shop.plus(shop.mia, 2)
    await shop.close()
    assert "1 × €10.00 = €10.00 (1 of your 2: the rest found no place)" in shop.told(shop.otto)[-1]
    assert shop.told(shop.mia)[-1] == (
        "Mug: the group buy has closed and there was no place left for your pledge. You owe nothing."
    )


async def test_anyone_finds_their_line_in_the_result_and_adds_up_the_rest(shop: Journey, hs: FakeHomeserver) -> None:
    for person, units in ((shop.ana, 5), (shop.otto, 6), (shop.mia, 7)):
        await shop.plus(person, units)
    await shop.close()
    lines = dict(map(tuple, shop.room.messages(hs.bot)[-1].content[BUY]["lines"]))
    assert len(lines) == 3 and sum(lines.values()) == 18
    for person in (shop.ana, shop.otto, shop.mia):
        [receipt] = shop.receipts(person)
        assert lines[receipt["line"]] == receipt["units"]
        assert re.fullmatch("[2-9a-hjkmnp-z]{8}", receipt["line"])


@pytest.mark.slow
async def test_closing_waits_for_a_journal_that_is_behind_but_not_for_ever(
    shop: Journey, hs: FakeHomeserver, service: Service, errors: list[str], clock: HandClock
) -> None:
    """An arrival from before the deadline that fails again and again holds the end up for five minutes at most."""
    errors.append("arrival a")
    await shop.plus(shop.ana, 10)
    await service.wait(FRIDAY_18 - MONDAY - MINUTE)
    await service.store.journal([NewArrival("$broken", shop.group, "m.room.message", '{"not": "an event"}')])
    await service.wait(MINUTE + 250)
    assert await shop.status() == "open"
    await service.wait(6 * MINUTE)
    assert await shop.status() == "collecting"


async def test_a_receipt_is_one_message_even_if_its_answer_is_lost(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await shop.plus(shop.ana, 10)
    service.clock.advance(1)
    hs.faults.on_request(Fault.ANSWER_LOST, times=4, match="PUT .*/send/m.room.message")
    await shop.say(shop.ben, "!buy close")
    await service.wait(HOUR)
    assert len(shop.receipts(shop.ana)) == 1
    assert len([text for text in shop.posted() if "closed with" in text]) == 1
