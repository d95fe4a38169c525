"""A group buy whose orders are paid at Stripe, from the receipt to the last order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from appservice.config import Purchase, Stripe, Web
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.service import Service
from tests.harness.stripe import API_KEY, WEBHOOK_SECRET, FakeStripe


@pytest.fixture
async def account(shop: Journey, service: Service) -> AsyncIterator[FakeStripe]:
    """The account into which the orders of the shop are paid."""
    async with FakeStripe(now=service.clock.now) as account:
        public = service.config.appservice.address
        account.webhook = f"{public}/stripe/webhook"
        keys = Stripe(API_KEY, WEBHOOK_SECRET, account.url)
        await service.stop()
        service.config = replace(service.config, purchase=Purchase("stripe", stripe=keys), web=Web(public_url=public))
        await service.start()
        yield account
        await service.stop()


async def click(shop: Journey, person: Person) -> str:
    """Follow the link of a receipt; gives the session behind it."""
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(shop.receipts(person)[-1]["url"], allow_redirects=False) as answer,
    ):
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"].rpartition("/")[2]


@pytest.mark.usefixtures("nobody_exposed")
async def test_who_follows_the_link_of_a_receipt_pays_at_stripe(
    engine: str, shop: Journey, account: FakeStripe, service: Service
) -> None:
    await shop.plus(shop.ana, 8)
    await shop.plus(shop.otto, 2)
    await shop.close()
    sessions = [await click(shop, person) for person in (shop.ana, shop.otto)]
    assert [account.sessions[id]["amount_total"] for id in sessions] == [63200, 15800]
    for asked in account.asked:
        words = " ".join(asked.form.values())
        assert not [
            name for name in ("ana", "otto", "fake.test", (await shop.alias(shop.ana)).lower()) if name in words.lower()
        ]
    before = len(shop.told(shop.ana)), len(shop.told(shop.otto))
    assert await account.send(account.pay(sessions[0])) == 200
    await service.rest()
    assert (len(shop.told(shop.ana)), len(shop.told(shop.otto))) == (before[0] + 1, before[1])
    statuses = "SELECT status FROM purchase_order ORDER BY place"
    assert [row["status"] for row in await service.rows(statuses)] == ["paid", "owed"]
    service.clock.advance(1)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} the mill has closed", to=shop.desk)
    await shop.settle()
    assert account.sessions[sessions[1]]["status"] == "expired", "nobody pays for what was called off"
    assert account.sessions[sessions[0]]["status"] == "complete"
