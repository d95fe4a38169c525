"""What follows a buy's clearing: orders, payments, units that wait."""

import json
from dataclasses import dataclass
from typing import Any

from appservice.domain.fulfilment import Fulfilment, Payment, Waiting
from appservice.domain.group_buy import GroupBuy, Order, OrderStatus, Pledger
from appservice.domain.ids import BuyId, GroupId, Number, OrderId
from appservice.domain.order import Units
from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Offering:
    """Units that are offered to a member who waits, by the id under which they wait."""

    buy_id: BuyId
    id: str
    pledger: Pledger


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A member's order that is not done with: what is still `due` (minor units; below 0: to be given back), to be paid
    before `pay_by` (ms). `live`: its units are theirs."""

    due: int
    currency: str
    pay_by: int
    live: bool


class Orders:
    """The orders of group buys on one connection. Whoever changes them holds the lock of the buy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def buy_of(self, order_id: str) -> BuyId | None:
        """Give the buy to which an order belongs, or None where there is no such order."""
        buy_id = await self._connection.fetchval("SELECT buy_id FROM purchase_order WHERE id = $1", order_id)
        return BuyId(buy_id) if buy_id else None

    async def unsettled_of(self, group_id: str) -> BuyId | None:
        """Give a buy of a group whose orders are not handed out yet, or of which somebody has money to come back."""
        buy_id = await self._connection.fetchval(
            "SELECT b.id FROM group_buy b WHERE b.group_id = $1 AND b.unit_minor IS NOT NULL"
            " AND (b.status NOT IN ('done', 'cancelled') OR EXISTS (SELECT 1 FROM purchase_order o"
            " WHERE o.buy_id = b.id AND o.status IN ('dropped', 'cancelled') AND (SELECT"
            " COALESCE(SUM(p.amount_minor), 0) FROM payment p WHERE p.buy_id = b.id AND p.order_id = o.id) > 0))"
            " ORDER BY b.opened_at LIMIT 1",
            group_id,
        )
        return BuyId(buy_id) if buy_id else None

    async def open_of(self, group_id: str, number: int) -> list[OpenOrder]:
        """Give a member's orders that are not handed out yet, or of which they have money to come back, oldest
        first."""
        rows = await self._connection.fetch(
            "SELECT o.total_minor, o.currency, o.pay_by, o.status, b.status AS buy_status,"
            " (SELECT COALESCE(SUM(p.amount_minor), 0) FROM payment p WHERE p.buy_id = o.buy_id AND p.order_id = o.id)"
            " AS received FROM purchase_order o JOIN group_buy b ON b.id = o.buy_id"
            " WHERE o.group_id = $1 AND o.number = $2 ORDER BY o.pay_by, o.created_at, o.id",
            group_id, number,
        )  # fmt: skip
        found = []
        for row in rows:
            live = OrderStatus(row["status"]).is_live
            due = (row["total_minor"] if live else 0) - int(row["received"])
            if (live and row["buy_status"] not in ("done", "cancelled")) or due < 0:
                found.append(OpenOrder(due, row["currency"], row["pay_by"], live))
        return found

    async def offers_to(self, user_id: str) -> list[Offering]:
        """Give what is offered to a person now, of whatever buy, also where they have left the group."""
        rows = await self._connection.fetch(
            "SELECT u.* FROM unplaced u JOIN member m ON m.group_id = u.group_id AND m.number = u.number"
            " WHERE m.user_id = $1 AND u.offered > 0 ORDER BY u.answer_by, u.buy_id, u.place",
            user_id,
        )
        return [Offering(BuyId(row["buy_id"]), row["id"], _pledger(row)) for row in rows]

    async def get(self, buy: GroupBuy) -> Fulfilment | None:
        """Give what follows the clearing of a buy, or None where it has not succeeded."""
        row = await self._connection.fetchrow(
            "SELECT unit_minor, total, minimum, house, house_arrived, absorbed, at_risk FROM group_buy WHERE id = $1",
            buy.id,
        )
        if row is None or row["unit_minor"] is None:
            return None
        orders = await self._all("purchase_order", buy.id)
        waiting = await self._all("unplaced", buy.id)
        payments = await self._all("payment", buy.id)
        return Fulfilment(
            buy.id, buy.terms, buy.status, row["unit_minor"], row["total"], row["minimum"],
            tuple(_order(order) for order in orders),
            tuple(_waiting(each) for each in waiting),
            tuple(_payment(payment) for payment in payments),
            _units(row["house"]), None if row["house_arrived"] is None else _units(row["house_arrived"]),
            row["absorbed"], row["at_risk"],
        )  # fmt: skip

    async def _all(self, table: str, buy_id: str) -> list[Any]:
        query = f"SELECT * FROM {table} WHERE buy_id = $1 ORDER BY place"  # noqa: S608 - names of ours
        return await self._connection.fetch(query, buy_id)

    async def save(self, before: Fulfilment | None, after: Fulfilment, now: int) -> None:
        """Write down what changed; `before` is None when the buy has just succeeded."""
        await self._connection.execute(
            "UPDATE group_buy SET unit_minor = $2, total = $3, minimum = $4, house = $5, house_arrived = $6,"
            " absorbed = $7, at_risk = $8 WHERE id = $1",
            after.buy_id, after.unit_price, after.total, after.minimum, json.dumps(after.house),
            None if after.house_arrived is None else json.dumps(after.house_arrived), after.absorbed, after.at_risk,
        )  # fmt: skip
        old_orders = {order.id: order for order in before.orders} if before else {}
        for place, order in enumerate(after.orders):
            if old_orders.get(order.id) != order:
                await self._save_order(after, place, order, now)
        for place, payment in enumerate(after.payments[len(before.payments) if before else 0 :]):
            await self._add_payment(after, (len(before.payments) if before else 0) + place, payment, now)
        await self._save_waiting(before.waiting if before else (), after)

    async def _save_order(self, state: Fulfilment, place: int, order: Order, now: int) -> None:
        await self._connection.execute(
            "INSERT INTO purchase_order (id, buy_id, place, line_id, group_id, number, ordered, unit_minor,"
            " shared_minor, tax_minor, total_minor, currency, pay_by, status, arrived, reminders, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
            " ON CONFLICT (id) DO UPDATE SET tax_minor = excluded.tax_minor, total_minor = excluded.total_minor,"
            " pay_by = excluded.pay_by, status = excluded.status, arrived = excluded.arrived,"
            " reminders = excluded.reminders",
            order.id, state.buy_id, place, order.line_id, order.pledger.group_id, order.pledger.number,
            json.dumps(order.ordered), order.unit_price, order.shared, order.tax, order.total, state.terms.currency,
            order.pay_by, order.status.value, None if order.arrived is None else json.dumps(order.arrived),
            order.reminders, now,
        )  # fmt: skip

    async def _add_payment(self, state: Fulfilment, place: int, payment: Payment, now: int) -> None:
        await self._connection.execute(
            "INSERT INTO payment (buy_id, reference, place, order_id, amount_minor, reverses, at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            state.buy_id, payment.reference, place, payment.order_id, payment.amount, payment.reverses, now,
        )  # fmt: skip

    async def _save_waiting(self, before: tuple[Waiting, ...], after: Fulfilment) -> None:
        if before == after.waiting:
            return
        await self._connection.execute("DELETE FROM unplaced WHERE buy_id = $1", after.buy_id)
        for place, waiting in enumerate(after.waiting):
            await self._connection.execute(
                "INSERT INTO unplaced (buy_id, id, place, group_id, number, variant, units, offered, answer_by,"
                " passed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                after.buy_id, waiting.id, place, waiting.pledger.group_id, waiting.pledger.number, waiting.variant,
                waiting.units, waiting.offered, waiting.answer_by, int(waiting.passed),
            )  # fmt: skip


def _pledger(row: Any) -> Pledger:
    return Pledger(GroupId(row["group_id"]), Number(row["number"]))


def _units(text: str) -> Units:
    return tuple((variant, units) for variant, units in json.loads(text))


def _order(row: Any) -> Order:
    return Order(
        OrderId(row["id"]), row["line_id"], _pledger(row), _units(row["ordered"]), row["unit_minor"],
        row["shared_minor"], row["tax_minor"], row["total_minor"], row["pay_by"], OrderStatus(row["status"]),
        None if row["arrived"] is None else _units(row["arrived"]), row["reminders"],
    )  # fmt: skip


def _payment(row: Any) -> Payment:
    return Payment(row["reference"], OrderId(row["order_id"]), row["amount_minor"], row["reverses"])


def _waiting(row: Any) -> Waiting:
    return Waiting(
        row["id"], _pledger(row), row["variant"], row["units"], row["offered"], row["answer_by"], bool(row["passed"])
    )
