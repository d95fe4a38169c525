"""Rooms that their owners want to have adopted, until it is done."""

from dataclasses import dataclass

from appservice.domain.ids import RoomId, UserId
from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Wish:
    """A room that an owner wants to have adopted as a group of up to `cap` people; `proposed` once they were told what
    that would change."""

    room_id: RoomId
    owner: UserId
    cap: int
    proposed: bool = False


class Adoptions:
    """The wishes on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, wish: Wish, now: int) -> bool:
        """Write a wish down, unless another owner's stands for the room; tells whether it was."""
        saved = await self._connection.fetchval(
            "INSERT INTO adoption (room_id, owner, cap, proposed, asked_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (room_id) DO UPDATE SET cap = excluded.cap, proposed = excluded.proposed,"
            " asked_at = excluded.asked_at WHERE adoption.owner = excluded.owner RETURNING room_id",
            wish.room_id, wish.owner, wish.cap, int(wish.proposed), now,
        )  # fmt: skip
        return saved is not None

    async def lock(self, room_id: str) -> Wish | None:
        """Give the wish to have a room adopted, and hold everyone else off it until the unit ends."""
        row = await self._connection.fetchrow(
            "UPDATE adoption SET asked_at = asked_at WHERE room_id = $1 RETURNING *", room_id
        )
        if row is None:
            return None
        return Wish(RoomId(row["room_id"]), UserId(row["owner"]), row["cap"], bool(row["proposed"]))

    async def drop(self, room_id: str) -> None:
        """Forget a wish."""
        await self._connection.execute("DELETE FROM adoption WHERE room_id = $1", room_id)
