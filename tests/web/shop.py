"""A shop whose orders are paid at Stripe, with the stand-in for it, and a browser."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from appservice import app, routes
from appservice.actions.orders import carry_out
from appservice.actions.work import Work
from appservice.config import Config, Purchase, Stripe, Web
from appservice.domain.cause import Cause
from appservice.domain.clearing import Tier
from appservice.domain.duration import DAY_MS
from appservice.domain.effect import Effect, EndCheckout
from appservice.domain.fulfilment import Fulfilment, Pay, Payment, Request
from appservice.domain.group_buy import Order, OrderStatus, Pledger, Status, Terms
from appservice.domain.ids import Number, OrderId, UserId
from appservice.matrix.intake import Intake
from appservice.payment.links import pay_link
from appservice.store import db
from appservice.store.unit import Store
from appservice.web.payment import LANE, WEBHOOK, PaymentDoor
from appservice.workers.inbox import handle_lane
from appservice.workers.outbox import send_head
from tests.harness.stripe import API_KEY, WEBHOOK_SECRET, FakeStripe
from tests.store.engine import SetClock, fetch
from tests.store.given import BUY, CONFIG, GROUP, PRODUCT, group_exists

PUBLIC = "https://shop.example/coterie"
ORDER, OTHER = OrderId("ord234"), OrderId("ord567")
STILL_SET = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


async def _never(*_: object) -> Any:
    raise AssertionError("the intake is asked nothing here")


async def _healthy() -> Mapping[str, bool]:
    return {"database": True}


def order(id: OrderId, number: int, total: int, pay_by: int) -> Order:
    pledger = Pledger(GROUP.id, Number(number))
    return Order(id, f"line-{id}", pledger, (("", 2),), total // 2, 0, 0, total, pay_by)


class Shop:
    """A cleared buy with two orders that are paid at Stripe, and a browser."""

    def __init__(self, store: Store, database: db.Database, clock: SetClock, account: FakeStripe) -> None:
        self.store, self.database, self.clock, self.account = store, database, clock, account
        keys = Stripe(API_KEY, WEBHOOK_SECRET, account.url)
        self.config: Config = replace(CONFIG, purchase=Purchase("stripe", stripe=keys), web=Web(public_url=PUBLIC))
        self.client: TestClient[Any, Any]
        self.door: PaymentDoor

    async def open(self, stack: AsyncExitStack, currency: str = "EUR", total: int = 15800) -> None:
        """Put the buy there and listen."""
        await group_exists(self.store, members=3)
        terms = Terms(currency, (Tier(2, total // 2),), self.clock.now())
        buy = replace(BUY, terms=terms, status=Status.COLLECTING)
        pay_by = self.clock.now() + 3 * DAY_MS
        orders = (order(ORDER, 1, total, pay_by), order(OTHER, 2, total, pay_by))
        self.state = Fulfilment(BUY.id, terms, Status.COLLECTING, total // 2, 4, 2, orders)
        async with self.store.unit() as unit:
            await unit.products.add(PRODUCT)
            await unit.buys.add(buy)
            await unit.orders.save(None, self.state, unit.now)
        stripe = await stack.enter_async_context(app._account(self.config))
        assert stripe is not None
        self.end = app._ending(stripe)
        self.door = PaymentDoor(self.config, self.store, stripe, self.store.journal)
        intake = Intake(self.config.appservice.hs_token, UserId("@coterie:example.org"), _never, _never, _healthy)
        application = intake.application(16 * 2**20)
        self.door.add_to(application)
        server = TestServer(application)
        self.client = await stack.enter_async_context(TestClient(server))
        self.account.webhook = str(server.make_url(WEBHOOK))

    def link(self, order_id: OrderId = ORDER) -> str:
        found = pay_link(self.config, order_id)
        assert found is not None
        assert found.startswith(f"{PUBLIC}/pay/")
        return found.removeprefix(PUBLIC)

    async def get(self, path: str) -> tuple[int, str]:
        """Status, and where it leads or what the page says."""
        async with self.client.get(path, allow_redirects=False) as response:
            for name, value in STILL_SET.items():
                assert response.headers[name] == value
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            if response.status == 303:
                return 303, response.headers["Location"]
            assert response.content_type == "text/html"
            return response.status, await response.text()

    async def click(self, order_id: OrderId = ORDER) -> str:
        """The id of the session to which the link leads."""
        status, where = await self.get(self.link(order_id))
        assert status == 303, where
        assert where.startswith(f"{self.account.url}/c/pay/")
        return where.rpartition("/")[2]

    async def change(self, *payments: Payment, status: OrderStatus | None = None) -> None:
        """Let something have happened to the first order."""
        first, *rest = self.state.orders
        orders = (replace(first, status=status or first.status), *rest)
        after = replace(self.state, orders=orders, payments=(*self.state.payments, *payments))
        async with self.store.unit() as unit:
            await unit.orders.save(self.state, after, unit.now)
        self.state = after

    async def act(self, request: Request, id: str = "act") -> None:
        """Let a concierge, member 3, do something."""
        async with self.store.unit() as unit:
            assert await carry_out(Work(unit, self.config, Cause(id, unit.now)), BUY.id, request, Number(3)) is None

    async def pay_cash(self, amount: int, id: str = "cash") -> None:
        await self.act(Pay(ORDER, amount, "EUR", id, Number(3), "in cash"), id)

    async def send(self) -> None:
        """Let what is owed to Stripe be done."""
        lanes = "SELECT DISTINCT lane FROM effect WHERE kind = 'EndCheckout' AND status = 'waiting'"
        for (lane,) in await fetch(self.database, lanes):
            await send_head(self.store, self.clock, self._perform, lane)

    async def _perform(self, effect: Effect, id: str) -> dict[str, Any]:
        assert isinstance(effect, EndCheckout)
        await self.end(effect.session_id)
        return {}

    async def handle(self) -> None:
        """Let what was reported be handled."""
        due = "SELECT 1 FROM arrival WHERE status = 'waiting' AND due_at <= $1"
        while await fetch(self.database, due, self.clock.now()):
            await handle_lane(self.store, lambda unit, arrival: routes.handle(unit, self.config, arrival), LANE)

    async def report(self, event: dict[str, Any]) -> None:
        assert await self.account.send(event) == 200
        await self.handle()

    async def fulfilment(self) -> Fulfilment:
        async with self.store.look() as unit:
            found = await unit.orders.get(await unit.buys.get(BUY.id))
        assert found is not None
        return found

    async def status(self, order_id: OrderId = ORDER) -> OrderStatus:
        found = (await self.fulfilment()).order(order_id)
        assert found is not None
        return found.status
