"""Products of a group."""

import json
from dataclasses import asdict
from typing import Any

from appservice.domain.attachment import FileKey
from appservice.domain.ids import EventId, GroupId, Number, ProductId
from appservice.domain.product import Picture, Product
from appservice.store.db import Connection


class Products:
    """The products on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, product: Product) -> None:
        """Write a new product down."""
        await self._connection.execute(
            "INSERT INTO product (id, group_id, sku, name, price_minor, currency, link, picture, posted_by, posted_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            product.id, product.group_id, product.sku, product.name, product.price, product.currency, product.link,
            json.dumps(asdict(product.picture)) if product.picture else None, product.posted_by, product.posted_at,
        )  # fmt: skip

    async def get(self, product_id: str) -> Product:
        """Give a product."""
        row = await self._connection.fetchrow("SELECT * FROM product WHERE id = $1", product_id)
        if row is None:
            raise LookupError(f"there is no product {product_id}")
        return _product(row)

    async def of_group(self, group_id: str) -> list[Product]:
        """Give a group's products, newest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM product WHERE group_id = $1 ORDER BY posted_at DESC, id", group_id
        )
        return [_product(row) for row in rows]

    async def shown_in(self, group_id: str) -> list[Product]:
        """Give a group's products and those whose group buys are shared with it, newest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM product WHERE group_id = $1 OR id IN (SELECT b.product_id FROM group_buy b"
            " JOIN shown_in s ON s.buy_id = b.id WHERE s.group_id = $1) ORDER BY posted_at DESC, id",
            group_id,
        )
        return [_product(row) for row in rows]

    async def set_picture(self, product_id: str, picture: Picture) -> None:
        """Set the picture of a product."""
        await self._connection.execute(
            "UPDATE product SET picture = $2 WHERE id = $1", product_id, json.dumps(asdict(picture))
        )

    async def set_event(self, product_id: str, event_id: str) -> None:
        """Note the event that shows the product."""
        await self._connection.execute("UPDATE product SET event_id = $2 WHERE id = $1", product_id, event_id)

    async def by_event(self, event_id: str) -> Product | None:
        """Give the product that an event shows."""
        row = await self._connection.fetchrow("SELECT * FROM product WHERE event_id = $1", event_id)
        return _product(row) if row else None


def _picture(stored: str) -> Picture:
    fields = json.loads(stored)
    key = fields.get("key")
    return Picture(**fields | {"key": FileKey(**key) if key else None})


def _product(row: Any) -> Product:
    return Product(
        id=ProductId(row["id"]),
        group_id=GroupId(row["group_id"]),
        sku=row["sku"],
        name=row["name"],
        price=row["price_minor"],
        currency=row["currency"],
        link=row["link"],
        posted_by=Number(row["posted_by"]),
        posted_at=row["posted_at"],
        picture=_picture(row["picture"]) if row["picture"] else None,
        event_id=EventId(row["event_id"]) if row["event_id"] else None,
    )
