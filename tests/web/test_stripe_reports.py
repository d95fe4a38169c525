"""What Stripe reports of payments: only what it signed, each once, and nothing is confirmed that does not fit."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from appservice.domain.fulfilment import Payment
from appservice.domain.group_buy import Cancel, OrderStatus
from appservice.domain.ids import Number
from appservice.web.payment import MOST_BYTES, WEBHOOK
from tests.harness.stripe import sign
from tests.store.engine import count, counts, fetch
from tests.store.given import DESK
from tests.web.shop import ORDER, OTHER, Shop


async def desk(shop: Shop) -> list[str]:
    """What was said in the desk."""
    rows = await fetch(shop.database, "SELECT content FROM effect WHERE kind = 'SendEvent' ORDER BY seq")
    said = [json.loads(content) for (content,) in rows]
    return [each["content"]["body"] for each in said if each["room_id"] == DESK]


async def facts(shop: Shop) -> list[str]:
    return [fact for (fact,) in await fetch(shop.database, "SELECT fact FROM ledger ORDER BY seq")]


async def told(shop: Shop) -> int:
    """How many direct messages are owed."""
    ((found,),) = await fetch(shop.database, "SELECT COUNT(*) FROM effect WHERE kind = 'Tell'")
    return int(found)


async def test_a_payment_that_stripe_reports_pays_the_order(shop: Shop) -> None:
    session_id = await shop.click()
    assert await shop.account.send(shop.account.pay(session_id)) == 200
    assert await shop.status() is OrderStatus.OWED, "it is written down first"
    await shop.handle()
    assert await shop.status() is OrderStatus.PAID
    assert await shop.status(OTHER) is OrderStatus.OWED
    assert (await shop.fulfilment()).payments == (Payment(f"pi_{session_id}", ORDER, 15800),)
    assert await facts(shop) == ["payment", "paid"]
    assert await desk(shop) == []
    assert await told(shop) == 1
    assert "This order is paid." in (await shop.get(shop.link()))[1]


async def test_what_stripe_says_of_people_is_not_kept(shop: Shop) -> None:
    assert await shop.account.send(shop.account.pay(await shop.click())) == 200
    [(id, content)] = await fetch(shop.database, "SELECT id, content FROM arrival")
    assert id.startswith("stripe evt_")
    assert "example.com" not in content
    assert "Otto" not in content


async def test_a_report_that_comes_twice_is_one(shop: Shop) -> None:
    event = shop.account.pay(await shop.click())
    for _ in range(2):
        await shop.report(event)
    after = await counts(shop.database)
    again = {**event, "id": "evt_again"}
    for _ in range(2):
        await shop.report(again)
    assert len((await shop.fulfilment()).payments) == 1
    assert await desk(shop) == []
    assert await counts(shop.database) == {**after, "arrival": 2}


SIGNED_WRONGLY: dict[str, dict[str, Any]] = {
    "by another": {"secret": "whsec_" + "x" * 24},
    "long ago": {"age_s": 400},
    "not at all": {"signature": ""},
    "without a time": {"signature": "v1=" + "0" * 64},
    "without a signature": {"signature": "t=1"},
    "by an older way": {"signature": "t=1,v0=" + "0" * 64},
    "in no letters": {"signature": "t=1,v1=é"},
    "in nonsense": {"signature": "nonsense"},
}


@pytest.mark.parametrize("how", SIGNED_WRONGLY)
async def test_what_stripe_did_not_sign_is_refused_and_counted(
    shop: Shop, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    event = shop.account.pay(await shop.click())
    before = await counts(shop.database)
    assert await shop.account.send(event, **SIGNED_WRONGLY[how]) == 400
    await shop.handle()
    assert shop.door.refused == 1
    assert await counts(shop.database) == before
    assert await shop.status() is OrderStatus.OWED
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("a report was refused: it")
    assert line.endswith(" (1 since the start)")


async def test_a_report_that_was_changed_on_its_way_is_refused(shop: Shop) -> None:
    body = json.dumps(shop.account.pay(await shop.click())).encode()
    signature = sign(body)
    changed = body.replace(b'"amount_total": 15800', b'"amount_total": 15801')
    assert changed != body
    assert await shop.account.send(changed, signature=signature) == 400
    assert await shop.account.send(body, signature=signature) == 200
    assert await count(shop.database, "arrival") == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 90_000, b'{"object": "v2.core.event"}', b"{}", b'{"id": 1}',
             b'{"id": "evt_1", "data": {"object": []}}'],
    ids=repr,
)  # fmt: skip
async def test_a_body_that_is_no_event_is_refused(shop: Shop, body: bytes) -> None:
    signature = sign(body[:8] if body == b"\xff" else body)
    assert await shop.account.send(body, signature=signature) == 400
    assert await count(shop.database, "arrival") == 0


async def test_a_body_that_is_too_large_is_refused(shop: Shop) -> None:
    assert await shop.account.send(b" " * (MOST_BYTES + 1)) == 413
    async with shop.client.get(WEBHOOK) as response:
        assert response.status == 405


async def test_a_report_is_answered_only_once_it_is_written_down(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    event = shop.account.pay(await shop.click())

    async def fails(*_: object) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(shop.door, "_journal", fails)
    assert await shop.account.send(event) == 500
    monkeypatch.undo()
    await shop.report(event)
    assert await shop.status() is OrderStatus.PAID


@pytest.mark.parametrize(
    ("came", "rest"),
    [
        (10000, "still owes €\xa058,00: it is not paid yet."),
        (20000, "€\xa042,00 of it is too much: give that back in Stripe’s dashboard."),
    ],
)
async def test_another_amount_is_recorded_and_told_but_pays_nothing(shop: Shop, came: int, rest: str) -> None:
    await shop.report(shop.account.pay(await shop.click(), amount_total=came))
    assert await shop.status() is OrderStatus.OWED
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [came]
    assert await facts(shop) == ["payment"]
    [line] = await desk(shop)
    assert f"€\xa0{came // 100},00 came by Stripe for the order ord234 of Member 1, " in line
    assert rest in line
    assert await told(shop) == 0


async def test_another_currency_is_told_and_books_nothing(shop: Shop) -> None:
    await shop.report(shop.account.pay(await shop.click(), currency="usd"))
    assert await shop.status() is OrderStatus.OWED
    assert (await shop.fulfilment()).payments == ()
    assert await facts(shop) == ["stripe_odd"]
    [line] = await desk(shop)
    assert line.startswith("Stripe says that ")
    assert "158,00 came for the order ord234." in line
    assert "Nothing was booked; look at pi_cs_test_1 in Stripe’s dashboard." in line


async def test_an_order_that_is_not_known_is_told_where_its_buy_is_known(shop: Shop) -> None:
    event = shop.account.pay(await shop.click())
    event["data"]["object"]["metadata"] = {"coterie_order": "gone", "coterie_buy": "b1"}
    event["data"]["object"]["payment_intent"] = "pi_other"
    await shop.report(event)
    assert (await shop.fulfilment()).payments == ()
    assert await facts(shop) == ["stripe_odd"]
    [line] = await desk(shop)
    assert "the order gone. There is no such order. Nothing was booked; look at pi_other" in line


async def test_a_payment_that_is_nobodys_is_kept_for_the_operator(shop: Shop) -> None:
    event = shop.account.pay(await shop.click())
    event["data"]["object"]["metadata"] = {"coterie_order": "gone", "coterie_buy": "gone too"}
    assert await shop.account.send(event) == 200
    while await fetch(shop.database, "SELECT 1 FROM arrival WHERE status = 'waiting'"):
        shop.clock.pass_ms(600_000)
        await shop.handle()
    [(status, error)] = await fetch(shop.database, "SELECT status, error FROM arrival")
    assert status == "parked"
    assert error == "UnknownOrder: payment pi_cs_test_1 is for an order that is not known"
    assert await facts(shop) == []


async def test_what_another_shop_on_the_same_account_sells_is_nobody_of_ours_business(shop: Shop) -> None:
    session_id = await shop.click()
    before = await counts(shop.database)
    paid = shop.account.pay(session_id, metadata={}, client_reference_id=None, payment_intent="pi_theirs")
    assert await shop.account.send(paid) == 200
    assert await shop.account.send(shop.account.event("customer.created", {"id": "cus_1"})) == 200
    assert await shop.account.send(shop.account.event("charge.refunded", {"amount_refunded": 5})) == 200
    assert await counts(shop.database) == before
    dispute = shop.account.dispute(session_id)
    dispute["data"]["object"]["payment_intent"] = "pi_theirs"
    await shop.report(dispute)
    assert await counts(shop.database) == {**before, "arrival": 1}


async def test_what_comes_after_the_order_was_given_up_is_recorded_and_to_be_given_back(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.change(status=OrderStatus.DROPPED)
    await shop.report(shop.account.pay(session_id))
    assert await shop.status() is OrderStatus.DROPPED
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [15800]
    [line] = await desk(shop)
    assert "158,00 of it is too much: give that back in Stripe’s dashboard." in line
    await shop.report(shop.account.refund(session_id, 15800))
    assert await shop.status() is OrderStatus.REFUNDED
    assert len(await desk(shop)) == 1


async def test_an_order_that_was_paid_twice_keeps_both_payments_in_the_books(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.change(Payment("cash", ORDER, 15800), status=OrderStatus.PAID)
    await shop.report(shop.account.pay(session_id))
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [15800, 15800]
    [line] = await desk(shop)
    assert "158,00 of it is too much" in line


async def test_a_refund_of_what_was_owed_is_told_and_books_nothing(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.report(shop.account.pay(session_id))
    await shop.report(shop.account.refund(session_id, 100))
    [line] = await desk(shop)
    assert "went back of the order ord234" in line
    assert "Nothing was booked" in line
    assert len((await shop.fulfilment()).payments) == 1
    await shop.act(Cancel("the wool is gone", Number(3)))
    await shop.report(shop.account.refund(session_id, 15800))
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [15800, -15800], "all of it, at last"
    assert await shop.status() is OrderStatus.REFUNDED


async def test_refunds_of_what_was_too_much_add_up_in_any_order(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.report(shop.account.pay(session_id, amount_total=20000))
    reports = [shop.account.refund(session_id, so_far) for so_far in (1000, 3000, 4200)]
    for event in (reports[0], reports[2], reports[1], reports[2]):
        await shop.report(event)
    amounts = [payment.amount for payment in (await shop.fulfilment()).payments]
    assert amounts == [20000, -1000, -3200]
    assert len(await desk(shop)) == 1, "that it was too much"
    assert await shop.status() is OrderStatus.PAID, "just what was owed has stayed"


async def test_a_payment_that_takes_days_pays_when_it_has_come(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.report(shop.account.pay(session_id, under_way=True))
    assert await shop.status() is OrderStatus.OWED
    assert await facts(shop) == []
    status, text = await shop.get(shop.link())
    assert (status, "Your payment is under way." in text) == (200, True)
    await shop.report(shop.account.settle(session_id, paid=True))
    assert await shop.status() is OrderStatus.PAID
    assert len(shop.account.sessions) == 1


async def test_reports_that_overtake_each_other_come_to_the_same(shop: Shop) -> None:
    session_id = await shop.click()
    under_way = shop.account.pay(session_id, under_way=True)
    await shop.report(shop.account.settle(session_id, paid=True))
    await shop.report(under_way)
    assert await shop.status() is OrderStatus.PAID
    assert "This order is paid." in (await shop.get(shop.link()))[1]
    await shop.report(shop.account.dispute(session_id))
    assert await shop.click() != session_id, "nothing is under way any more"


async def test_who_chose_a_way_that_failed_is_told_and_may_pay_again(shop: Shop) -> None:
    first = await shop.click()
    await shop.report(shop.account.pay(first, under_way=True))
    await shop.report(shop.account.settle(first, paid=False))
    [(content,)] = await fetch(shop.database, "SELECT content FROM effect WHERE kind = 'Tell'")
    assert "did not go through" in content
    assert shop.link() in content
    assert await shop.click() != first


async def test_a_payment_that_the_bank_takes_back_is_owed_again(shop: Shop) -> None:
    first = await shop.click()
    await shop.report(shop.account.pay(first))
    await shop.report(shop.account.dispute(first))
    assert await shop.status() is OrderStatus.OWED
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [15800, -15800]
    [line] = await desk(shop)
    assert line.startswith("The payer’s bank took back ")
    await shop.report({**shop.account.dispute(first), "id": "evt_later"})
    assert len((await shop.fulfilment()).payments) == 2
    assert await shop.click() != first


async def test_a_part_that_the_bank_takes_back_is_for_people_to_judge(shop: Shop) -> None:
    session_id = await shop.click()
    await shop.report(shop.account.pay(session_id))
    await shop.report(shop.account.dispute(session_id, 500))
    assert await shop.status() is OrderStatus.PAID
    [line] = await desk(shop)
    assert "was taken back by the payer’s bank of the order ord234. That is not the whole of a payment" in line
    assert await facts(shop) == ["payment", "paid", "stripe_odd"]
