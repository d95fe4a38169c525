"""After a group buy has cleared: paying, reminders, dropped orders, offers, shortfalls, delivery, refunds."""

import re

import pytest

from tests.flows.homeserver_people import Person
from tests.flows.journey import BUY, Journey
from tests.flows.service import DAY, HOUR, Service


@pytest.fixture
async def sold(circle: Journey, service: Service) -> Journey:
    """Ana has 6 of 10 units, Otto 4, and Mia waits for 3."""
    await circle.add_product()
    await circle.open_buy("!buy open merino-throw 5:79 until friday 18:00 cap 10 pack 5")
    for person, units in ((circle.ana, 6), (circle.otto, 4), (circle.mia, 3)):
        await circle.plus(person, units)
        service.clock.advance(1)
    await circle.close()
    assert await circle.orders() == {"ana": (6, 7900, 47400), "otto": (4, 7900, 31600)}
    return circle


def order_of(sold: Journey, person: Person) -> str:
    return str(sold.receipts(person)[-1]["id"])


async def desk(sold: Journey, words: str) -> tuple[list[str], list[str]]:
    """What a concierge's words in the desk are answered with: signs and lines."""
    lines = len(sold.posted(sold.desk))
    asked = await sold.say(sold.ben, words, to=sold.desk)
    await sold.settle()
    return sold.signs(asked), sold.posted(sold.desk)[lines:]


async def pay(sold: Journey, person: Person, amount: str) -> None:
    assert await desk(sold, f"!order {order_of(sold, person)} paid {amount} by bank transfer") == (["✅"], [])


async def stands(sold: Journey) -> dict[str, str]:
    rows = await sold.service.rows(
        "SELECT m.user_id, o.status FROM purchase_order o JOIN member m ON m.group_id = o.group_id"
        " AND m.number = o.number ORDER BY o.place"
    )
    return {row["user_id"][1:].split(":")[0]: row["status"] for row in rows}


async def balances(sold: Journey) -> dict[str | None, int]:
    sums: dict[str | None, int] = {}
    for _, name, _, amount in await sold.ledger():
        sums[name] = sums.get(name, 0) + amount
    return {name: amount for name, amount in sums.items() if amount}


async def test_a_receipt_says_until_when_to_pay_and_a_concierge_confirms_the_payment(sold: Journey) -> None:
    [told] = sold.told(sold.ana)
    assert "6 × €79.00 = €474.00" in told and "Pay by Thursday 26 November" in told
    await pay(sold, sold.ana, "474.00")
    assert await stands(sold) == {"ana": "paid", "otto": "owed"}
    assert sold.told(sold.ana)[1:] == [f"Merino throw: your order {order_of(sold, sold.ana)} is paid, €474.00."]
    assert await balances(sold) == {"otto": 31600}


async def test_what_does_not_fit_where_the_orders_stand_is_refused_and_changes_nothing(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    before = await sold.ledger()
    signs, [why] = await desk(sold, f"!order {order_of(sold, sold.ana)} drop")
    assert signs == ["⚠️"] and "Nothing is owed" in why
    await sold.service.wait(3 * DAY + HOUR)  # Otto is dropped, Mia is asked
    during = await sold.ledger()
    signs, [why] = await desk(sold, f"!buy ordered {sold.buy}")
    assert signs == ["⚠️"] and "offer" in why and await sold.ledger() == during != before
    await sold.tell(sold.mia, "!take")
    await sold.settle()
    taken = await sold.ledger()
    signs, [why] = await desk(sold, f"!buy offer {sold.buy}")
    assert signs == ["⚠️"] and "obody" in why and await sold.ledger() == taken
    await desk(sold, f"!buy absorb {sold.buy}")
    for step in ("ordered", "arrived"):
        await desk(sold, f"!buy {step} {sold.buy}")
    stands = await sold.ledger()
    signs, [why] = await desk(sold, f"!buy deliver {sold.buy} 5 by hand {order_of(sold, sold.ana)} 4")
    assert signs == ["⚠️"] and "5" in why and await sold.ledger() == stands


async def test_part_of_the_money_is_recorded_and_nothing_is_confirmed(sold: Journey) -> None:
    await pay(sold, sold.ana, "400")
    assert await stands(sold) == {"ana": "owed", "otto": "owed"} and len(sold.told(sold.ana)) == 1
    assert await balances(sold) == {"ana": 7400, "otto": 31600}
    await pay(sold, sold.ana, "74")
    assert (await stands(sold))["ana"] == "paid"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("paid 474.00", "!order"),
        ("paid 474.001 cash", "474.001"),
        ("paid -4 cash", "-4"),
        ("refund 1.00 sorry", "nothing to refund"),
        ("undo nothing slip", "nothing"),
        ("drop", ""),
        ("eat it", "!order"),
    ],
)
async def test_what_cannot_be_booked_is_refused_and_changes_nothing(sold: Journey, words: str, why: str) -> None:
    before = await sold.ledger(), await stands(sold), sold.told(sold.ana)
    signs, lines = await desk(sold, f"!order {order_of(sold, sold.ana)} {words}")
    assert signs == ["⚠️"] and why in lines[0]
    assert (await sold.ledger(), await stands(sold), sold.told(sold.ana)) == before


async def test_a_payment_that_was_none_is_taken_out_of_the_books_by_an_entry_of_its_own(sold: Journey) -> None:
    await pay(sold, sold.ana, "474.00")
    order = order_of(sold, sold.ana)
    _, [shown] = await desk(sold, f"!order {order}")
    [reference] = re.findall(r"reference (\S+)", shown)
    assert await desk(sold, f"!order {order} undo {reference} wrong account") == (["✅"], [])
    assert (await stands(sold))["ana"] == "owed" and (await balances(sold))["ana"] == 47400
    assert "wrong account" in sold.told(sold.ana)[-1]
    signs, _ = await desk(sold, f"!order {order} undo {reference} once more")
    assert signs == ["⚠️"] and (await balances(sold))["ana"] == 47400


async def test_who_does_not_pay_is_reminded_then_dropped_and_who_waits_is_asked(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    await sold.service.wait(2 * DAY + HOUR)
    reminder = sold.told(sold.otto)[-1]
    assert (
        reminder.startswith("Not paid yet: Merino throw\n4 × €79.00 = €316.00\nPay by")
        and len(sold.told(sold.ana)) == 2
    )
    await sold.service.wait(DAY)
    assert await stands(sold) == {"ana": "paid", "otto": "dropped"}
    assert "was not paid in time and has ended, so you owe nothing" in sold.told(sold.otto)[-1]
    offer = sold.told(sold.mia)[-1]
    assert (
        offer.startswith("Merino throw: 3 became free for you at €79.00 each. Until ") and f"!take {sold.buy}" in offer
    )
    assert await balances(sold) == {}
    taken = await sold.tell(sold.mia, "!take")
    await sold.settle()
    assert sold.signs(taken) == ["✅"]
    assert (await sold.orders())["mia"] == (3, 7900, 23700) and await balances(sold) == {"mia": 23700}
    assert "3 × €79.00 = €237.00" in sold.told(sold.mia)[-1]
    await sold.settle()
    result = next(e for e in sold.room.messages(sold.hs.bot) if "lines" in e.content.get(BUY, {}))
    now = {sold.receipts(person)[-1]["line"]: units for person, units in ((sold.ana, 6), (sold.mia, 3))}
    assert dict(sold.room.content_now(result)[BUY]["lines"]) == now, "everyone finds their line and adds up the rest"
    again = await sold.tell(sold.mia, "!take")
    assert sold.signs(again) == ["⚠️"] and await balances(sold) == {"mia": 23700}


async def test_an_offer_that_nobody_answers_or_wants_leaves_the_buy_at_risk_and_the_concierge_chooses(
    sold: Journey,
) -> None:
    await pay(sold, sold.ana, "474")
    await sold.service.wait(3 * DAY + HOUR)
    lines = len(sold.posted(sold.desk))
    declined = await sold.tell(sold.mia, f"!decline {sold.buy}")
    await sold.settle()
    assert sold.signs(declined) == ["✅"]
    [risk] = sold.posted(sold.desk)[lines:]
    assert "is 4 units short of what has to be ordered, and nobody waits" in risk
    signs, [why] = await desk(sold, f"!buy ordered {sold.buy}")
    assert signs == ["⚠️"] and "4" in why and await sold.status() == "collecting"
    # asked again, Mia takes three of the four that are free, and the house the last one
    assert await desk(sold, f"!buy offer {sold.buy}") == (["✅"], [])
    await sold.tell(sold.mia, "!take")
    await sold.settle()
    signs, _ = await desk(sold, f"!buy house {sold.buy} 1")
    assert signs == ["✅"] and "The house takes 1" in sold.card_text
    assert await desk(sold, f"!buy ordered {sold.buy} by e-mail") == (["✅"], [])
    assert await sold.status() == "ordered" and "Ordered" in sold.card_text
    assert await balances(sold) == {"mia": 23700, None: 7900}


async def test_going_on_without_what_is_missing_raises_nobodys_price(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    await sold.service.wait(5 * DAY)
    assert "short of what has to be ordered" in sold.posted(sold.desk)[-1]
    signs, _ = await desk(sold, f"!buy absorb {sold.buy} the supplier agrees")
    assert signs == ["✅"]
    assert await desk(sold, f"!buy ordered {sold.buy}") == (["✅"], [])
    assert await sold.orders() == {"ana": (6, 7900, 47400), "otto": (4, 7900, 31600)} and await balances(sold) == {}


async def test_a_short_delivery_is_shared_out_and_the_difference_credited(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    for step in ("ordered", "arrived"):
        assert (await desk(sold, f"!buy {step} {sold.buy}"))[0] == ["✅"]
    signs, [line] = await desk(sold, f"!buy deliver {sold.buy} 5 pro rata")
    assert signs == ["✅"] and "These get less than they ordered" in line
    assert await sold.orders() == {"ana": (3, 7900, 23700), "otto": (2, 7900, 15800)}
    assert "3 of 6 arrived" in sold.told(sold.ana)[-1] and "€237.00 will be paid back to you" in sold.told(sold.ana)[-1]
    assert "€158.00 is still to be paid" in sold.told(sold.otto)[-1]
    assert await balances(sold) == {"ana": -23700, "otto": 15800}
    signs, _ = await desk(sold, f"!order {order_of(sold, sold.ana)} refund 237.00 sent back")
    assert signs == ["✅"] and "€237.00 of your order" in sold.told(sold.ana)[-1]
    assert await balances(sold) == {"otto": 15800}
    assert (await desk(sold, f"!buy handing-out {sold.buy} Saturday at Ben's"))[0] == ["✅"]
    assert "can be collected, 3. Saturday at Ben's." in sold.told(sold.ana)[-1]
    assert (await desk(sold, f"!buy done {sold.buy}"))[0] == ["✅"]
    assert await sold.status() == "done" and "Handed out" in sold.card_text


async def test_steps_go_forward_only_and_one_by_one(sold: Journey) -> None:
    before = await sold.ledger()
    for step in ("arrived", "handing-out", "done"):
        signs, [why] = await desk(sold, f"!buy {step} {sold.buy}")
        assert signs == ["⚠️"] and "ordered" in why
    assert await sold.status() == "collecting" and await sold.ledger() == before


@pytest.mark.slow
async def test_nothing_arrives_by_itself(sold: Journey) -> None:
    for person, amount in ((sold.ana, "474"), (sold.otto, "316")):
        await pay(sold, person, amount)
    await sold.service.wait(10 * DAY)
    assert await sold.status() == "collecting" and await stands(sold) == {"ana": "paid", "otto": "paid"}


async def test_a_cancelled_buy_owes_nobody_anything_and_pays_back(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    before = len(sold.posted())
    signs, _ = await desk(sold, f"!buy cancel {sold.buy} The supplier is gone")
    assert signs == ["✅"] and await sold.status() == "cancelled"
    assert sold.posted()[before:] == ["Merino throw: the group buy was cancelled. The supplier is gone."]
    assert "The €474.00 that you paid will be paid back" in sold.told(sold.ana)[-1]
    assert sold.told(sold.otto)[-1].endswith("has ended and you owe nothing.")
    assert await balances(sold) == {"ana": -47400}
    await desk(sold, f"!order {order_of(sold, sold.ana)} refund 474 sent back")
    assert await balances(sold) == {} and (await stands(sold))["ana"] == "refunded"


async def test_an_order_with_part_of_the_money_is_left_to_the_concierge(sold: Journey) -> None:
    await pay(sold, sold.otto, "100")
    await sold.service.wait(5 * DAY)
    assert await stands(sold) == {"ana": "dropped", "otto": "owed"}
    [line] = [line for line in sold.posted(sold.desk) if "is missing" in line]
    assert "€100.00" in line and "€216.00 is missing" in line
    signs, _ = await desk(sold, f"!order {order_of(sold, sold.otto)} drop")
    assert signs == ["✅"] and (await stands(sold))["otto"] == "dropped" and (await balances(sold))["otto"] == -10000


async def test_a_reminder_comes_before_the_end_also_after_an_outage(sold: Journey, service: Service) -> None:
    await service.stop()
    service.clock.advance(10 * DAY)
    await service.start()
    await sold.rest()
    assert await stands(sold) == {"ana": "owed", "otto": "owed"}
    assert sold.told(sold.otto)[-1].startswith("Not paid yet")
    await service.wait(DAY)
    assert await stands(sold) == {"ana": "dropped", "otto": "dropped"}


async def test_who_has_left_gets_the_receipt_and_can_take_what_becomes_free(sold: Journey) -> None:
    sold.mia.leave(sold.group)
    await sold.settle()
    await pay(sold, sold.ana, "474")
    await sold.service.wait(3 * DAY + HOUR)
    assert "became free for you" in sold.told(sold.mia)[-1]
    await sold.tell(sold.mia, "!take")
    await sold.settle()
    assert (await sold.orders())["mia"] == (3, 7900, 23700)


async def test_members_cannot_touch_orders(sold: Journey) -> None:
    before = await sold.ledger(), await stands(sold)
    for words in (
        f"!order {order_of(sold, sold.ana)} paid 474 me", "!orders", f"!buy cancel {sold.buy} no",
        f"!buy ordered {sold.buy}",
        f"!buy house {sold.buy} 3", f"!buy absorb {sold.buy}",
    ):  # fmt: skip
        asked = await sold.tell(sold.ana, words)
        assert sold.signs(asked) == ["⚠️"], words
    assert (await sold.ledger(), await stands(sold)) == before


async def test_orders_are_listed_with_what_is_owed(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    _, [listed] = await desk(sold, "!orders")
    ana, otto, mia = [await sold.alias(person) for person in (sold.ana, sold.otto, sold.mia)]
    lines = listed.split("\n")
    assert lines[0] == f"Merino throw ({sold.buy}), collecting: 2 orders, €316.00 to come"
    assert lines[1] == f"{ana}: 6, €474.00, order {order_of(sold, sold.ana)}, paid"
    assert lines[2].startswith(f"{otto}: 4, €316.00, order {order_of(sold, sold.otto)}, owes €316.00 until ")
    assert lines[3] == f"{mia}: waits for 3"


@pytest.mark.parametrize(
    "words",
    [
        "!buy cancel zzzzzz none left", "!buy cancel none left", "!buy ordered k3x9ql", "!buy close zzzzzz",
        "!buy absorb the supplier agrees", "!buy house zzzzzz 1",
    ],
)  # fmt: skip
async def test_words_that_name_no_buy_of_the_group_never_come_to_the_only_one(sold: Journey, words: str) -> None:
    before = await sold.ledger(), await sold.status()
    signs, _ = await desk(sold, words)
    assert signs == ["⚠️"] and (await sold.ledger(), await sold.status()) == before


async def test_a_reply_to_the_card_of_a_product_without_a_buy_comes_to_no_other(shop: Journey) -> None:
    await shop.say(shop.ben, '!product add "Mug" 12 https://shop.example/mug')
    mug = shop.hs.cards(shop.group, "shop.coterie.product")[-1].event_id
    before = await shop.ledger()
    for person, words in ((shop.ana, "!pledge 4"), (shop.ben, "!buy close"), (shop.ben, "!buy cancel sold out")):
        asked = await shop.say(person, words, reply_to=mug)
        await shop.settle()
        assert shop.signs(asked) == ["⚠️"], words
    assert await shop.ledger() == before and await shop.status() == "open"


async def test_a_payment_entered_twice_is_answered_with_how_to_take_it_out(sold: Journey) -> None:
    await pay(sold, sold.ana, "474")
    signs, [line] = await desk(sold, f"!order {order_of(sold, sold.ana)} paid 474 cash")
    assert signs == ["✅"] and "€474.00 more than order" in line
    undo = line[line.index("!order") :]
    assert (await desk(sold, undo))[0] == ["✅"]
    assert await balances(sold) == {"otto": 31600} and (await stands(sold))["ana"] == "paid"


async def test_money_for_an_order_that_has_ended_is_told_to_both(sold: Journey) -> None:
    await sold.service.wait(3 * DAY + HOUR)
    signs, [line] = await desk(sold, f"!order {order_of(sold, sold.otto)} paid 316 late")
    assert signs == ["✅"] and "€316.00 more than order" in line
    assert "which had ended. You owe nothing, and it will be paid back" in sold.told(sold.otto)[-1]
    assert (await balances(sold))["otto"] == -31600


async def test_a_group_is_not_closed_while_orders_are_open(sold: Journey) -> None:
    asked = await sold.tell(sold.rosa, "!sunset confirm")
    assert sold.signs(asked) == ["⚠️"] and sold.buy in sold.told(sold.rosa)[-1]


async def test_notes_carry_no_matrix_ids(sold: Journey) -> None:
    await desk(sold, f"!buy cancel {sold.buy} ask {sold.otto.mxid} why")
    assert sold.otto.mxid not in sold.posted()[-1] and "(an id)" in sold.posted()[-1]
