"""The main job whole: on a calm day, and on days when deliveries come twice, late, shuffled or in pieces."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.outcome import differences, outcome
from tests.flows.service import HandClock, Service

ORDERS = {
    "mia": (2, 6900, 13800),
    "sam": (2, 6900, 13800),
    "pia": (5, 6900, 34500),
    "ana": (5, 6900, 34500),
    "otto": (3, 6900, 20700),
}


async def test_the_whole_job_runs_from_the_group_to_the_receipts(
    engine: str, play: Journey, hs: FakeHomeserver
) -> None:
    await play.main_job()
    assert await play.orders() == ORDERS
    found = await outcome(play)
    assert found["receipts"] == {"ana": 1, "ben": 0, "mia": 1, "otto": 1, "pia": 1, "rosa": 0, "sam": 1}
    assert found["signs"]["sam: !pledge 2 max 70"] == ["⏳"] and found["signs"]["mia: +0"] == ["⚠️"]
    assert found["posted"] == [
        "Merino throw",
        "Merino throw\n€89.00\nhttps://shop.example/throw",
        "Group buy: Merino throw\nClosed at €69.00 each\nPrice by total: 8+ €79.00 · 16+ €69.00, at most 40\n"
        "Closed Monday 23 November, hh:mm (Vienna time)\nhttps://shop.example/throw",
        "Merino throw: the minimum order is reached, everyone pays €79.00 now. N more and everyone pays €69.00.",
        "Merino throw: 16 are reached, everyone pays €69.00 now. That is the best price.",
        "Merino throw: closed with 17 units at €69.00 each. Everyone who is in gets a receipt with the purchase "
        "link by direct message.",
    ]
    assert found["desk"] == [
        "Merino throw (ID) closed: 17 units, 5 orders, €1,173.00.\nana: 5, €345.00\nmia: 2, €138.00\notto: 3, €207.00\n"
        "pia: 5, €345.00\nsam: 2, €138.00"
    ]
    units = {name: sum(line[2] for line in await play.ledger() if line[:2] == ("pledged", name)) for name in ORDERS}
    taken = {name: sum(line[2] for line in await play.ledger() if line[:2] == ("withdrawn", name)) for name in ORDERS}
    assert {name: units[name] + taken[name] for name in ORDERS} == {n: order[0] for n, order in ORDERS.items()}
    assert sum(line[3] for line in await play.ledger()) == sum(order[2] for order in ORDERS.values())


@pytest.mark.parametrize(
    ("engine", "duplicate", "batch"),
    [
        ("sqlite", "same", "single"),
        ("sqlite", "new", "random"),
        ("sqlite", "at_once", "random"),
        ("postgres", "at_once", "single"),
    ],
    indirect=["engine"],
)
async def test_transactions_that_come_twice_or_in_pieces_change_nothing(
    engine: str, play: Journey, hs: FakeHomeserver, calm: dict[str, Any], duplicate: Any, batch: Any
) -> None:
    hs.delivery.duplicate, hs.delivery.batch = duplicate, batch
    await play.main_job()
    assert differences(await outcome(play), calm) == []


async def test_answers_to_transactions_that_are_lost_change_nothing(
    engine: str, play: Journey, hs: FakeHomeserver, calm: dict[str, Any]
) -> None:
    hs.delivery.lose_answer_chance = 0.4
    hs.delivery.cuts, hs.delivery.cut_after = 5, 0.002
    await play.main_job()
    assert len([attempt for attempt in hs.delivery.attempts if "dropped" in attempt.note]) > 10
    assert differences(await outcome(play), calm) == []


async def test_transaction_ids_that_start_again_lose_nothing(
    play: Journey, hs: FakeHomeserver, calm: dict[str, Any]
) -> None:
    settle = play.settle

    async def settle_and_restart() -> None:
        await settle()
        hs.restart()

    play.settle = settle_and_restart  # type: ignore[method-assign]
    await play.main_job()
    assert [attempt.txn_id for attempt in hs.delivery.attempts].count("1") >= 6
    assert differences(await outcome(play), calm) == []


async def test_everything_delivered_again_at_the_end_changes_nothing(
    play: Journey, hs: FakeHomeserver, calm: dict[str, Any]
) -> None:
    await play.main_job()
    hs.delivery.redeliver()
    await play.rest()
    hs.delivery.batch = "single"
    hs.delivery.redeliver(reversed(hs.delivery.delivered))
    await play.rest()
    await play.service.restart()
    hs.delivery.redeliver()
    await play.settle()
    assert differences(await outcome(play), calm) == []


@pytest.mark.parametrize("seed", range(3))
async def test_events_of_one_transaction_in_any_order_come_to_the_same_orders(
    play: Journey, hs: FakeHomeserver, seed: int
) -> None:
    """No homeserver shuffles what one room has seen; that nothing is lost or doubled must not rest on it."""
    hs.delivery.rng.seed(seed)
    hs.delivery.linger = 0.01
    await play.make_group(cap=20)
    hs.delivery.reorder = True
    people = [play.ana, play.otto, play.mia, play.ben]
    direct = await play.direct(play.rosa)
    for person in people:
        play.rosa.say(direct, f"!invite {person.mxid}")
    play.rosa.say(direct, f"!concierge add {play.ben.mxid}")
    await play.settle()
    await play.open_buy()
    hs.pause_delivery()
    for number in range(1, 9):
        for person in people[:3]:
            person.say(play.group, f"+{number}", reply_to=play.card)
    play.ana.react(play.group, play.card, "+5")
    hs.resume()
    await play.settle()
    assert await play.units() == {"ana": 41, "otto": 36, "mia": 36}
    hs.pause_delivery()
    for person in people[:3]:
        person.say(play.group, "!pledge 7")
    hs.resume()
    await play.settle()
    await play.close()
    assert await play.orders() == {"ana": (7, 7900, 55300), "otto": (7, 7900, 55300), "mia": (7, 7900, 55300)}
    assert [len(play.receipts(person)) for person in people] == [1, 1, 1, 0]


async def test_a_service_that_is_stopped_and_started_between_all_steps_loses_nothing(
    engine: str, play: Journey, hs: FakeHomeserver, calm: dict[str, Any]
) -> None:
    settle = play.settle

    async def restart_and_settle() -> None:
        await play.service.restart()
        await settle()

    play.settle = restart_and_settle  # type: ignore[method-assign]
    await play.main_job()
    assert differences(await outcome(play), calm) == []


async def test_what_was_said_while_the_service_was_down_counts_when_it_is_up(
    shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await service.stop()
    pledges = [shop.ana.say(shop.group, "+1", reply_to=shop.card) for _ in range(5)]
    reaction = shop.otto.react(shop.group, shop.card, "+5")
    shop.otto.redact(shop.group, reaction)
    await service.start()
    assert await shop.units() == {"ana": 5} and all(shop.signs(pledge) == ["✅"] for pledge in pledges)


async def test_an_outage_of_the_homeserver_is_sat_out(
    shop: Journey, hs: FakeHomeserver, service: Service, clock: HandClock
) -> None:
    pledge = shop.ana.say(shop.group, "+12", reply_to=shop.card)
    await service.until(lambda: hs.delivery.idle)
    hs.go_down()
    service.patient = False
    await service.wait(60_000)
    hs.come_up()
    service.patient = True
    await shop.settle()
    assert shop.signs(pledge) == ["✅"] and "12 pledged" in shop.card_text
    assert len([text for text in shop.posted() if "minimum order is reached" in text]) == 1
