"""Group buys with their tranches, cards and orders."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from appservice.domain.group_buy import GroupBuy, Pledged, Pledger, Status, Terms
from appservice.domain.ids import BuyId, EventId, GroupId, Number, ProductId, RoomId
from appservice.store.db import Connection
from appservice.store.terms import format_extras, parse_terms


@dataclass(frozen=True, slots=True)
class Card:
    """A buy's card in a room. `shown` is the JSON of what it shows; `event_id` is None until it was sent."""

    buy_id: BuyId
    room_id: RoomId
    event_id: EventId | None
    shown: str
    edited_at: int


class Buys:
    """The group buys on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, buy_id: str) -> GroupBuy:
        """Give a buy, and hold everyone else off it until the unit ends (by writing first)."""
        row = await self._connection.fetchrow(
            "UPDATE group_buy SET revision = revision + 1 WHERE id = $1 RETURNING *", buy_id
        )
        return await self._whole(row, buy_id)

    async def get(self, buy_id: str) -> GroupBuy:
        """Give a buy as it is, without a lock."""
        row = await self._connection.fetchrow("SELECT * FROM group_buy WHERE id = $1", buy_id)
        return await self._whole(row, buy_id)

    async def find(self, buy_id: str) -> GroupBuy | None:
        """Give a buy as it is, or None where there is none of that id."""
        row = await self._connection.fetchrow("SELECT * FROM group_buy WHERE id = $1", buy_id)
        return await self._whole(row, buy_id) if row else None

    async def _whole(self, row: Any, buy_id: str) -> GroupBuy:
        if row is None:
            raise LookupError(f"there is no group buy {buy_id}")
        tranches = await self._connection.fetch("SELECT * FROM tranche WHERE buy_id = $1 ORDER BY position, id", buy_id)
        return _buy(row, tuple(_pledged(tranche) for tranche in tranches))

    async def live_of(self, group_id: str) -> list[BuyId]:
        """Give the ids of the buys shown in a group that take pledges, newest first."""
        return await self.shown_in(group_id, (Status.OPEN, Status.CLOSING))

    async def shown_in(self, group_id: str, statuses: Sequence[Status]) -> list[BuyId]:
        """Give the ids of a group's own buys and of those shared with it that are so far, newest first."""
        names = ", ".join(f"'{status.value}'" for status in statuses)
        rows = await self._connection.fetch(
            f"SELECT id FROM group_buy WHERE status IN ({names}) AND (group_id = $1"  # noqa: S608 - words of ours
            " OR id IN (SELECT buy_id FROM shown_in WHERE group_id = $1)) ORDER BY opened_at DESC, id",
            group_id,
        )
        return [BuyId(row["id"]) for row in rows]

    async def overdue(self, now: int) -> list[BuyId]:
        """Give the ids of the buys that are open, or have yet to open, and whose deadline has come."""
        rows = await self._connection.fetch(
            "SELECT id FROM group_buy WHERE status IN ('scheduled', 'open') AND deadline_at <= $1 ORDER BY id", now
        )
        return [BuyId(row["id"]) for row in rows]

    async def of_product(self, product_id: str) -> list[BuyId]:
        """Give the ids of all buys of a product, newest first."""
        rows = await self._connection.fetch(
            "SELECT id FROM group_buy WHERE product_id = $1 ORDER BY opened_at DESC, id", product_id
        )
        return [BuyId(row["id"]) for row in rows]

    async def closed_since(self, group_id: str, since: int) -> list[BuyId]:
        """Give the ids of the buys shown in a group that have closed after a time (ms), newest first."""
        ended = [status for status in Status if status.is_cleared or status is Status.FAILED]
        found = [await self.get(buy_id) for buy_id in await self.shown_in(group_id, ended)]
        return [buy.id for buy in found if buy.terms.deadline_at >= since]

    async def groups_of(self, buy: GroupBuy) -> list[GroupId]:
        """Give the groups in which a buy is shown: its own, then `group 2` and so on."""
        rows = await self._connection.fetch("SELECT group_id FROM shown_in WHERE buy_id = $1 ORDER BY place", buy.id)
        return [buy.group_id, *(GroupId(row["group_id"]) for row in rows)]

    async def share(self, buy: GroupBuy, group_id: str) -> bool:
        """Show a locked buy in another group as well; tells whether it was not shown there before."""
        groups = await self.groups_of(buy)
        if group_id not in groups:
            await self._connection.execute(
                "INSERT INTO shown_in (buy_id, group_id, place) VALUES ($1, $2, $3)", buy.id, group_id, len(groups)
            )
        return group_id not in groups

    async def add(self, buy: GroupBuy) -> None:
        """Write a new buy down."""
        terms = buy.terms
        await self._connection.execute(
            "INSERT INTO group_buy (id, group_id, product_id, status, currency, tiers, pack, cap, deadline_at,"
            " announced, opened_by, opened_at, opens_at, extras)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            buy.id, buy.group_id, buy.product_id, buy.status.value, terms.currency, _tiers(terms), terms.pack,
            terms.cap, terms.deadline_at, buy.announced, buy.opened_by, buy.opened_at, terms.opens_at, _extras(terms),
        )  # fmt: skip

    async def save(self, before: GroupBuy, after: GroupBuy) -> None:
        """Write down what changed of a locked buy."""
        terms = after.terms
        await self._connection.execute(
            "UPDATE group_buy SET status = $2, tiers = $3, pack = $4, cap = $5, deadline_at = $6, announced = $7,"
            " opened_at = $8, opens_at = $9, extras = $10, frozen = $11 WHERE id = $1",
            after.id, after.status.value, _tiers(terms), terms.pack, terms.cap, terms.deadline_at, after.announced,
            after.opened_at, terms.opens_at, _extras(terms), int(after.frozen),
        )  # fmt: skip
        old = {tranche.id: tranche for tranche in before.pledged}
        new = {tranche.id: tranche for tranche in after.pledged}
        for gone in old.keys() - new.keys():
            await self._connection.execute("DELETE FROM tranche WHERE buy_id = $1 AND id = $2", after.id, gone)
        for tranche in after.pledged:
            if old.get(tranche.id) != tranche:
                await self._save_tranche(after.id, tranche)

    async def _save_tranche(self, buy_id: str, tranche: Pledged) -> None:
        await self._connection.execute(
            "INSERT INTO tranche (buy_id, id, group_id, number, quantity, flex, max_minor, position, variant,"
            " suspended) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (buy_id, id) DO UPDATE SET"
            " quantity = excluded.quantity, flex = excluded.flex, max_minor = excluded.max_minor,"
            " suspended = excluded.suspended",
            buy_id, tranche.id, tranche.pledger.group_id, tranche.pledger.number, tranche.quantity, tranche.flex,
            tranche.max_price, tranche.position, tranche.variant, int(tranche.suspended),
        )  # fmt: skip

    async def pledged_by_event(self, event_id: str) -> BuyId | None:
        """Give the buy to which an event added units that are still pledged."""
        buy_id = await self._connection.fetchval("SELECT buy_id FROM tranche WHERE id = $1", event_id)
        return BuyId(buy_id) if buy_id else None

    # Cards

    async def add_card(self, card: Card) -> None:
        """Note that a card was posted."""
        await self._connection.execute(
            "INSERT INTO card (buy_id, room_id, event_id, shown, edited_at) VALUES ($1, $2, $3, $4, $5)",
            card.buy_id, card.room_id, card.event_id, card.shown, card.edited_at,
        )  # fmt: skip

    async def set_card_event(self, buy_id: str, room_id: str, event_id: str) -> None:
        """Note which event is the card."""
        await self._connection.execute(
            "UPDATE card SET event_id = $3 WHERE buy_id = $1 AND room_id = $2", buy_id, room_id, event_id
        )
        await self._connection.execute(
            "INSERT INTO card_event (event_id, buy_id) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING",
            event_id, buy_id,
        )  # fmt: skip

    async def set_result(self, buy_id: str, room_id: str, event_id: str) -> None:
        """Note which event says the result of a buy in a room."""
        await self._connection.execute(
            "UPDATE card SET result_id = $3 WHERE buy_id = $1 AND room_id = $2", buy_id, room_id, event_id
        )

    async def results(self, buy_id: str) -> dict[RoomId, EventId]:
        """Give the event that says the result of a buy, by room."""
        rows = await self._connection.fetch(
            "SELECT room_id, result_id FROM card WHERE buy_id = $1 AND result_id IS NOT NULL", buy_id
        )
        return {RoomId(row["room_id"]): EventId(row["result_id"]) for row in rows}

    async def shown_by(self, event_id: str) -> BuyId | None:
        """Give the buy of which an event is or was a card."""
        buy_id = await self._connection.fetchval("SELECT buy_id FROM card_event WHERE event_id = $1", event_id)
        return BuyId(buy_id) if buy_id else None

    async def set_card_shown(self, buy_id: str, room_id: str, shown: str, now: int) -> None:
        """Note what a card shows from now on."""
        await self._connection.execute(
            "UPDATE card SET shown = $3, edited_at = $4 WHERE buy_id = $1 AND room_id = $2",
            buy_id, room_id, shown, now,
        )  # fmt: skip

    async def cards(self, buy_id: str) -> list[Card]:
        """Give the cards of a buy."""
        rows = await self._connection.fetch("SELECT * FROM card WHERE buy_id = $1 ORDER BY room_id", buy_id)
        return [_card(row) for row in rows]

    async def card_by_event(self, event_id: str) -> Card | None:
        """Give the card that an event is."""
        row = await self._connection.fetchrow("SELECT * FROM card WHERE event_id = $1", event_id)
        return _card(row) if row else None


def _card(row: Any) -> Card:
    event_id = EventId(row["event_id"]) if row["event_id"] else None
    return Card(BuyId(row["buy_id"]), RoomId(row["room_id"]), event_id, row["shown"], row["edited_at"])


def _tiers(terms: Terms) -> str:
    return json.dumps([asdict(tier) for tier in terms.tiers])


def _extras(terms: Terms) -> str:
    return json.dumps(format_extras(terms))


def _pledged(row: Any) -> Pledged:
    return Pledged(
        row["id"], Pledger(GroupId(row["group_id"]), Number(row["number"])), row["quantity"], row["position"],
        row["flex"], row["max_minor"], row["variant"], bool(row["suspended"]),
    )  # fmt: skip


def _buy(row: Any, pledged: tuple[Pledged, ...]) -> GroupBuy:
    columns = {name: row[name] for name in ("currency", "deadline_at", "pack", "cap", "opens_at")}
    return GroupBuy(
        id=BuyId(row["id"]),
        group_id=GroupId(row["group_id"]),
        product_id=ProductId(row["product_id"]),
        terms=parse_terms({**json.loads(row["extras"]), **columns, "tiers": json.loads(row["tiers"])}),
        opened_by=Number(row["opened_by"]),
        opened_at=row["opened_at"],
        status=Status(row["status"]),
        announced=row["announced"],
        pledged=pledged,
        frozen=bool(row["frozen"]),
    )
