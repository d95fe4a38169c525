"""Sessions at Stripe in which an order can be paid, or was."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appservice.domain.ids import OrderId
from appservice.store.db import Connection


class CheckoutStatus(StrEnum):
    """ASKED until Stripe has answered; OPEN while one can pay; UNDER_WAY where the money takes days."""

    ASKED = "asked"
    OPEN = "open"
    UNDER_WAY = "under_way"
    PAID = "paid"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One session, good until `expires_at` (ms). `id` is the key by which Stripe gives the same one for the same
    request; `payment` is Stripe's name of the money that came."""

    id: str
    order_id: OrderId
    amount: int
    status: CheckoutStatus
    asked_at: int
    expires_at: int
    session_id: str | None = None
    url: str | None = None
    payment: str | None = None


class Checkouts:
    """The sessions on one connection. Whoever changes them holds the lock of the buy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_order(self, order_id: str) -> list[Checkout]:
        """Give the sessions of an order, in the order in which they were asked for."""
        rows = await self._connection.fetch(
            "SELECT * FROM checkout WHERE order_id = $1 ORDER BY asked_at, id", order_id
        )
        return [_checkout(row) for row in rows]

    async def open_of_buy(self, buy_id: str) -> list[Checkout]:
        """Give the sessions in which the orders of a buy can be paid now."""
        rows = await self._connection.fetch(
            "SELECT c.* FROM checkout c JOIN purchase_order o ON o.id = c.order_id"
            " WHERE o.buy_id = $1 AND c.status = 'open' ORDER BY c.asked_at, c.id",
            buy_id,
        )
        return [_checkout(row) for row in rows]

    async def get(self, id: str) -> Checkout | None:
        """Give a session by the key of its request."""
        row = await self._connection.fetchrow("SELECT * FROM checkout WHERE id = $1", id)
        return _checkout(row) if row else None

    async def by_payment(self, payment: str) -> Checkout | None:
        """Give the session in which some money came."""
        row = await self._connection.fetchrow("SELECT * FROM checkout WHERE payment = $1", payment)
        return _checkout(row) if row else None

    async def save(self, checkout: Checkout) -> None:
        """Write a session down, or what has become of it."""
        await self._connection.execute(
            "INSERT INTO checkout (id, order_id, amount_minor, status, asked_at, expires_at, session_id, url, payment)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, asked_at = excluded.asked_at,"
            " session_id = excluded.session_id, url = excluded.url, payment = excluded.payment",
            checkout.id, checkout.order_id, checkout.amount, checkout.status.value, checkout.asked_at,
            checkout.expires_at, checkout.session_id, checkout.url, checkout.payment,
        )  # fmt: skip

    async def forget(self, id: str) -> None:
        """Take out a request by which no session was made."""
        await self._connection.execute("DELETE FROM checkout WHERE id = $1", id)


def _checkout(row: Any) -> Checkout:
    return Checkout(
        row["id"], OrderId(row["order_id"]), row["amount_minor"], CheckoutStatus(row["status"]), row["asked_at"],
        row["expires_at"], row["session_id"], row["url"], row["payment"],
    )  # fmt: skip
