"""What concierges would pledge for members, until these have confirmed it."""

from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import BuyId, EventId, GroupId, Number
from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Proposal:
    """A pledge for the member of a `number`, in the `words` in which they would type it; empty once it is confirmed.
    `event_id` is the direct message that asks them, None until it is known to have been sent."""

    id: str
    group_id: GroupId
    number: Number
    buy_id: BuyId
    words: str
    made_by: Number
    made_at: int
    event_id: EventId | None = None


class Proposals:
    """Proposals on one connection. Whoever adds one holds the group's lock, who confirms one the buy's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, one: Proposal) -> None:
        """Write a new proposal down."""
        await self._connection.execute(
            "INSERT INTO proposal (id, group_id, number, buy_id, words, made_by, made_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            one.id, one.group_id, one.number, one.buy_id, one.words, one.made_by, one.made_at,
        )  # fmt: skip

    async def get(self, id: str) -> Proposal | None:
        """Give a proposal."""
        return _proposal(await self._connection.fetchrow("SELECT * FROM proposal WHERE id = $1", id))

    async def by_event(self, event_id: str) -> Proposal | None:
        """Give the proposal that a direct message is about."""
        return _proposal(await self._connection.fetchrow("SELECT * FROM proposal WHERE event_id = $1", event_id))

    async def newest(self, group_id: str, number: int, buy_id: str) -> Proposal | None:
        """Give what was last proposed to a member for a buy; what came before it counts no more."""
        row = await self._connection.fetchrow(
            "SELECT * FROM proposal WHERE group_id = $1 AND number = $2 AND buy_id = $3"
            " ORDER BY made_at DESC, id LIMIT 1",
            group_id, number, buy_id,
        )  # fmt: skip
        return _proposal(row)

    async def is_sending_to(self, user_id: str) -> bool:
        """Tell whether a proposal to a person may have been sent without our knowing its event yet."""
        id = await self._connection.fetchval(
            "SELECT p.id FROM proposal p JOIN member m ON m.group_id = p.group_id AND m.number = p.number"
            " WHERE m.user_id = $1 AND p.event_id IS NULL LIMIT 1",
            user_id,
        )
        return id is not None

    async def set_event(self, id: str, event_id: str) -> None:
        """Note which direct message is about a proposal."""
        await self._connection.execute("UPDATE proposal SET event_id = $2 WHERE id = $1", id, event_id)

    async def confirm(self, id: str) -> None:
        """Note that a proposal was confirmed, and forget what it said."""
        await self._connection.execute("UPDATE proposal SET words = '' WHERE id = $1", id)

    async def prune(self, before: int) -> None:
        """Forget proposals made before then (ms)."""
        await self._connection.execute("DELETE FROM proposal WHERE made_at < $1", before)


def _proposal(row: Any) -> Proposal | None:
    if row is None:
        return None
    return Proposal(
        row["id"], GroupId(row["group_id"]), Number(row["number"]), BuyId(row["buy_id"]), row["words"],
        Number(row["made_by"]), row["made_at"], EventId(row["event_id"]) if row["event_id"] else None,
    )  # fmt: skip
