"""Who waits for a seat in a full group: first in, first out. Whoever changes it holds the group's lock."""

from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import GroupId, Number, UserId
from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person who gets the next free seat but the ones before; `asked_by` is told of their invitation."""

    group_id: GroupId
    user_id: UserId
    asked_by: UserId
    power: int = 0
    sponsor: Number | None = None


class Waitlist:
    """The waitlists on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, waiting: Waiting, now: int, *, first: bool = False) -> int:
        """Put a person at the end, or at the front; gives their place, counted from 1. Who waits already keeps theirs
        unless it is the front, and becomes a concierge if either wish was for one."""
        query = (
            "SELECT COALESCE(MIN(position) - 1, 0) FROM waiting WHERE group_id = $1"
            if first
            else "SELECT COALESCE(MAX(position) + 1, 0) FROM waiting WHERE group_id = $1"
        )
        position = await self._connection.fetchval(query, waiting.group_id)
        await self._connection.execute(
            "INSERT INTO waiting (group_id, user_id, position, power, sponsor, asked_by, since_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (group_id, user_id) DO UPDATE SET power ="
            " CASE WHEN excluded.power > waiting.power THEN excluded.power ELSE waiting.power END,"
            " position = CASE WHEN $8 = 1 THEN excluded.position ELSE waiting.position END",
            waiting.group_id, waiting.user_id, position, waiting.power, waiting.sponsor, waiting.asked_by, now,
            int(first),
        )  # fmt: skip
        place = await self.place(waiting.group_id, waiting.user_id)
        return place or 1

    async def place(self, group_id: str, user_id: str) -> int | None:
        """Give a person's place, counted from 1, or None where they do not wait."""
        place: int | None = await self._connection.fetchval(
            "SELECT (SELECT COUNT(*) FROM waiting b WHERE b.group_id = w.group_id AND b.position <= w.position)"
            " FROM waiting w WHERE w.group_id = $1 AND w.user_id = $2",
            group_id, user_id,
        )  # fmt: skip
        return place

    async def take_first(self, group_id: str) -> Waiting | None:
        """Take the first off and give them."""
        row = await self._connection.fetchrow(
            "DELETE FROM waiting WHERE group_id = $1 AND position ="
            " (SELECT MIN(position) FROM waiting WHERE group_id = $1) RETURNING *",
            group_id,
        )
        return _waiting(row) if row else None

    async def drop(self, group_id: str, user_id: str) -> bool:
        """Take a person off; False where they did not wait."""
        dropped = await self._connection.fetchval(
            "DELETE FROM waiting WHERE group_id = $1 AND user_id = $2 RETURNING user_id", group_id, user_id
        )
        return dropped is not None

    async def lower(self, group_id: str, user_id: str) -> bool:
        """Let a person wait as an ordinary member; False where they do not wait as more."""
        lowered = await self._connection.fetchval(
            "UPDATE waiting SET power = 0 WHERE group_id = $1 AND user_id = $2 AND power > 0 RETURNING user_id",
            group_id, user_id,
        )  # fmt: skip
        return lowered is not None

    async def all(self, group_id: str) -> list[Waiting]:
        """Give everybody who waits, in order."""
        rows = await self._connection.fetch("SELECT * FROM waiting WHERE group_id = $1 ORDER BY position", group_id)
        return [_waiting(row) for row in rows]


def _waiting(row: Any) -> Waiting:
    return Waiting(
        group_id=GroupId(row["group_id"]),
        user_id=UserId(row["user_id"]),
        asked_by=UserId(row["asked_by"]),
        power=row["power"],
        sponsor=Number(row["sponsor"]) if row["sponsor"] is not None else None,
    )
