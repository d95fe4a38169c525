"""Recommendations and likes of products."""

import json
from typing import Any

from appservice.domain.ids import EventId, GroupId, Number, ProductId
from appservice.domain.pledger import Pledger
from appservice.domain.recommendation import Bought, Praise, Recommendation
from appservice.store.db import Connection


class Recommendations:
    """Recommendations and likes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, one: Recommendation) -> bool:
        """Write a recommendation down, or what a member says of the product now; tells whether it is their first."""
        before = await self._connection.fetchval(
            "SELECT at FROM recommendation WHERE product_id = $1 AND group_id = $2 AND number = $3",
            one.product_id, one.by.group_id, one.by.number,
        )  # fmt: skip
        await self._connection.execute(
            "INSERT INTO recommendation (product_id, group_id, number, why, event_id, at)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (product_id, group_id, number)"
            " DO UPDATE SET why = excluded.why, event_id = excluded.event_id",
            one.product_id, one.by.group_id, one.by.number, one.why, one.event_id, one.at,
        )  # fmt: skip
        return before is None

    async def like(self, event_id: str, product_id: str, by: Pledger) -> None:
        """Write down the reaction by which a member likes a product."""
        await self._connection.execute(
            "INSERT INTO liked (event_id, product_id, group_id, number) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (event_id) DO NOTHING",
            event_id, product_id, by.group_id, by.number,
        )  # fmt: skip

    async def by_event(self, event_id: str) -> ProductId | None:
        """Give the product that is recommended or liked by an event."""
        product_id = await self._connection.fetchval(
            "SELECT product_id FROM recommendation WHERE event_id = $1"
            " UNION SELECT product_id FROM liked WHERE event_id = $1",
            event_id,
        )
        return ProductId(product_id) if product_id else None

    async def drop(self, event_id: str) -> None:
        """Forget what was said by an event."""
        for table in ("recommendation", "liked"):
            await self._connection.execute(f"DELETE FROM {table} WHERE event_id = $1", event_id)  # noqa: S608

    async def praise(self, product_id: str) -> Praise:
        """Count who recommends a product, and who likes it."""
        row = await self._connection.fetchrow(
            "SELECT (SELECT COUNT(*) FROM recommendation WHERE product_id = $1) AS recommended,"
            " (SELECT COUNT(*) FROM (SELECT DISTINCT group_id, number FROM liked WHERE product_id = $1) AS who)"
            " AS liked",
            product_id,
        )
        return Praise(row["recommended"], row["liked"])

    async def of_product(self, product_id: str) -> list[Recommendation]:
        """Give the recommendations of a product, newest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM recommendation WHERE product_id = $1 ORDER BY at DESC, group_id, number", product_id
        )
        return [_recommendation(row) for row in rows]

    async def bought(self, product_id: str) -> list[Bought]:
        """Give what members have ordered of a product, less what was dropped or cancelled."""
        rows = await self._connection.fetch(
            "SELECT o.* FROM purchase_order o JOIN group_buy b ON b.id = o.buy_id"
            " WHERE b.product_id = $1 AND o.status IN ('owed', 'paid') ORDER BY o.created_at, o.id",
            product_id,
        )
        return [
            Bought(_pledger(row), sum(units for _, units in json.loads(row["arrived"] or row["ordered"])),
                   row["created_at"])
            for row in rows
        ]  # fmt: skip


def _pledger(row: Any) -> Pledger:
    return Pledger(GroupId(row["group_id"]), Number(row["number"]))


def _recommendation(row: Any) -> Recommendation:
    return Recommendation(
        ProductId(row["product_id"]), _pledger(row), row["why"], EventId(row["event_id"]), row["at"]
    )  # fmt: skip
