"""The page behind the link of a receipt, which leads to Stripe; on both engines."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from appservice.actions.checkouts import ANSWER_MS, MOST_A_DAY, SESSION_MS
from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.fulfilment import Payment
from appservice.domain.group_buy import Cancel, OrderStatus
from appservice.domain.ids import Number, OrderId
from appservice.payment.session import Session, Wanted
from tests.store.engine import count, fetch
from tests.web.shop import ORDER, OTHER, PUBLIC, Shop


async def test_a_receipts_link_leads_to_a_page_of_stripes_for_just_what_is_owed(shop: Shop) -> None:
    session_id = await shop.click()
    [asked] = shop.account.asked
    form = asked.form
    ahead = int(form.pop("expires_at")) * 1000 - shop.clock.now()
    assert ahead == SESSION_MS
    checkout = form.pop("metadata[coterie_checkout]")
    assert asked.key == checkout
    assert form.pop("payment_intent_data[metadata][coterie_checkout]") == checkout
    back = f"{PUBLIC}{shop.link()}?back"
    words = "Merino throw × 2, order ord234"
    assert form == {
        "mode": "payment",
        "client_reference_id": "ord234",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "15800",
        "line_items[0][price_data][product_data][name]": words,
        "adaptive_pricing[enabled]": "false",
        "metadata[coterie_order]": "ord234",
        "metadata[coterie_buy]": "b1",
        "payment_intent_data[metadata][coterie_order]": "ord234",
        "payment_intent_data[metadata][coterie_buy]": "b1",
        "payment_intent_data[description]": words,
        "success_url": back,
        "cancel_url": back,
    }
    assert shop.account.sessions[session_id]["amount_total"] == 15800


async def test_the_same_page_is_used_until_it_ends(shop: Shop) -> None:
    first = await shop.click()
    shop.clock.pass_ms(SESSION_MS - HOUR_MS)
    assert await shop.click() == first
    assert len(shop.account.asked) == 1
    shop.clock.pass_ms(HOUR_MS)
    second = await shop.click()
    assert second != first
    assert len(shop.account.sessions) == 2


async def test_each_order_has_its_own_page(shop: Shop) -> None:
    assert await shop.click(ORDER) != await shop.click(OTHER)
    assert [asked.form["client_reference_id"] for asked in shop.account.asked] == [ORDER, OTHER]


async def test_many_clicks_at_once_make_one_page(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.get(shop.link()) for _ in range(12)))
    assert len(shop.account.sessions) == 1
    [session] = shop.account.sessions.values()
    assert (303, session["url"]) in answers
    for status, said in answers:
        assert (status, said) == (303, session["url"]) or (status == 200 and "is being made" in said)
    assert await count(shop.database, "checkout") == 1


async def test_nobody_gets_further_without_the_right_link(shop: Shop) -> None:
    right = shop.link()
    token = right.rpartition("/")[2]
    unknown = shop.link(OrderId("nobody"))
    wrong = [f"/pay/{OTHER}/{token}", f"/pay/{ORDER}/{token[:-1]}", f"/pay/{ORDER}/{token}0", f"/pay/{ORDER}/%ED%A0%80",
             f"/pay/%00/{token}", f"/pay/{ORDER}/{'é' * 32}", unknown]  # fmt: skip
    answers = {await shop.get(path) for path in wrong}
    assert len(answers) == 1, "one cannot tell an unknown order from a wrong link"
    [(status, text)] = answers
    assert status == 404
    assert "no order behind this link" in text
    assert shop.account.asked == []
    assert await count(shop.database, "checkout") == 0


async def test_who_only_looks_makes_nothing(shop: Shop) -> None:
    status, text = await shop.get(f"{shop.link()}?back")
    assert status == 200
    assert "Not paid yet" in text
    assert "158,00" in text
    assert '<a href="?">' in text
    async with shop.client.head(shop.link()) as response:
        assert response.status == 405
    assert shop.account.asked == []
    await shop.click()
    assert (await shop.get(f"{shop.link()}?back"))[1] == text


@pytest.mark.parametrize("fault", [0, 500])
async def test_while_stripe_is_down_the_page_says_so_and_the_link_stays_good(shop: Shop, fault: int) -> None:
    shop.account.fault = fault
    status, text = await shop.get(shop.link())
    assert status == 503
    assert "cannot be reached just now. Nothing was charged." in text
    assert "Try again" in text
    assert shop.account.sessions == {}
    failed = {asked.key for asked in shop.account.asked}
    assert len(failed) == 1
    shop.account.fault = None
    await shop.click()
    key = shop.account.asked[-1].key
    assert (key in failed) == (fault == 0), "an answer is kept under its key; without one, the session may exist"
    assert len(shop.account.sessions) == 1


async def test_a_page_of_which_the_answer_was_lost_is_found_again(shop: Shop) -> None:
    class Lost(Exception):
        pass

    async def lost(*_: object) -> None:
        raise Lost

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appservice.actions.checkouts.given", lost)
        async with shop.client.get(shop.link(), allow_redirects=False) as response:
            assert response.status == 500
    assert "is being made" in (await shop.get(shop.link()))[1]
    shop.clock.pass_ms(ANSWER_MS)
    session_id = await shop.click()
    assert list(shop.account.sessions) == [session_id]
    assert len(shop.account.asked) == 2


async def test_what_stripe_refuses_is_said_and_not_asked_under_the_same_key(bare: Shop) -> None:
    async with AsyncExitStack() as stack:
        await bare.open(stack, total=40)
        for _ in range(2):
            status, text = await bare.get(bare.link())
            assert status == 200
            assert "cannot be paid by this page. Ask a concierge" in text
        assert len({asked.key for asked in bare.account.asked}) == 2
        assert await count(bare.database, "checkout") == 0


@pytest.mark.parametrize(
    ("currency", "total", "asked"), [("JPY", 500, "500"), ("KWD", 5120, "5120"), ("ISK", 50, "5000")]
)
async def test_every_currency_is_charged_as_the_receipt_says(bare: Shop, currency: str, total: int, asked: str) -> None:
    async with AsyncExitStack() as stack:
        await bare.open(stack, currency, total)
        await bare.click()
        assert bare.account.asked[0].form["line_items[0][price_data][unit_amount]"] == asked


async def test_an_amount_that_stripe_cannot_charge_is_not_rounded(bare: Shop) -> None:
    async with AsyncExitStack() as stack:
        await bare.open(stack, "KWD", 5124)
        status, text = await bare.get(bare.link())
        assert status == 200
        assert "cannot be paid by this page. Ask a concierge" in text
        assert bare.account.asked == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (OrderStatus.DROPPED, "was not paid in time"),
        (OrderStatus.CANCELLED, "was called off"),
        (OrderStatus.REFUNDED, "what was paid for it is back"),
    ],
)
async def test_an_order_that_is_over_leads_nowhere(shop: Shop, status: OrderStatus, says: str) -> None:
    await shop.click()
    await shop.change(status=status)
    for path in (shop.link(), f"{shop.link()}?back"):
        code, text = await shop.get(path)
        assert code == 200
        assert says in text
        assert "<a" not in text
    assert len(shop.account.asked) == 1


async def test_a_paid_order_leads_nowhere(shop: Shop) -> None:
    await shop.change(Payment("cash", ORDER, 15800), status=OrderStatus.PAID)
    status, text = await shop.get(shop.link())
    assert (status, "This order is paid." in text) == (200, True)
    assert shop.account.asked == []


async def test_what_was_paid_otherwise_is_not_asked_for_again(shop: Shop) -> None:
    before, other = await shop.click(), await shop.click(OTHER)
    await shop.pay_cash(5800)
    await shop.send()
    assert shop.account.sessions[before]["status"] == "expired", "nobody pays the old sum any more"
    assert shop.account.sessions[other]["status"] == "open"
    after = await shop.click()
    assert shop.account.sessions[after]["amount_total"] == 10000
    assert await shop.click() == after


async def test_what_was_called_off_cannot_be_paid_any_more_once_stripe_is_back(shop: Shop) -> None:
    sessions = [await shop.click(), await shop.click(OTHER)]
    shop.account.fault = 500
    await shop.act(Cancel("the wool is gone", Number(3)))
    await shop.send()
    assert [shop.account.sessions[id]["status"] for id in sessions] == ["open", "open"]
    shop.account.fault = None
    shop.clock.pass_ms(60_000)
    await shop.send()
    assert [shop.account.sessions[id]["status"] for id in sessions] == ["expired", "expired"]
    assert await fetch(shop.database, "SELECT 1 FROM effect WHERE kind = 'EndCheckout' AND status <> 'sent'") == []


async def test_a_page_that_was_paid_meanwhile_is_left_to_its_report(shop: Shop) -> None:
    session_id = await shop.click()
    paid = shop.account.pay(session_id)
    await shop.pay_cash(15800)
    await shop.send()
    assert await fetch(shop.database, "SELECT 1 FROM effect WHERE kind = 'EndCheckout' AND status <> 'sent'") == []
    await shop.report(paid)
    assert [payment.amount for payment in (await shop.fulfilment()).payments] == [15800, 15800]


async def test_money_that_comes_while_stripe_makes_the_page_is_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = shop.door._stripe.create

    async def slow(wanted: Wanted) -> Session:
        session = await made(wanted)
        await shop.pay_cash(5800)
        return session

    monkeypatch.setattr(shop.door._stripe, "create", slow)
    status, text = await shop.get(shop.link())
    assert (status, "Not paid yet" in text) == (200, True)
    assert "100,00" in text
    await shop.send()
    assert [session["status"] for session in shop.account.sessions.values()] == ["expired"]


async def test_nobody_makes_thousands_of_pages(shop: Shop) -> None:
    for paid in range(MOST_A_DAY):
        await shop.click()
        await shop.pay_cash(100, f"cash {paid}")
    status, text = await shop.get(shop.link())
    assert status == 429
    assert "opened too often today" in text
    assert len(shop.account.sessions) == MOST_A_DAY
    shop.clock.pass_ms(DAY_MS)
    await shop.click()


async def test_nobody_is_led_to_where_stripe_is_not(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made = shop.account._session
    monkeypatch.setattr(shop.account, "_session", lambda form: made(form) | {"url": "javascript:alert(1)"})
    status, text = await shop.get(shop.link())
    assert status == 200
    assert "cannot be paid by this page" in text


@pytest.mark.parametrize("other", [{"amount_total": 15801}, {"currency": "usd"}])
async def test_a_page_for_another_sum_than_was_asked_for_is_shown_to_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, other: dict[str, object]
) -> None:
    made = shop.account._session
    monkeypatch.setattr(shop.account, "_session", lambda form: made(form) | other)
    status, text = await shop.get(shop.link())
    assert (status, "cannot be paid by this page" in text) == (200, True)
    assert [session["status"] for session in shop.account.sessions.values()] == ["expired"]


async def test_a_name_with_markup_is_only_text(shop: Shop) -> None:
    async with shop.store.unit() as unit:
        await unit._connection.execute("UPDATE product SET name = $1", "<script>&\"'")
    _, text = await shop.get(f"{shop.link()}?back")
    assert "&lt;script&gt;&amp;&quot;&#x27;" in text
    assert "<script" not in text
