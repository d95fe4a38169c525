"""What people asked directly, until they have said for which of their groups it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId, RoomId, UserId
from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Unasked:
    """A message whose group is not known yet; `picture` is the content of an `m.image`, `at` (ms) when it was sent."""

    user_id: UserId
    room_id: RoomId
    event_id: EventId
    text: str
    picture: Mapping[str, Any] | None
    at: int


class Unplaced:
    """These messages on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, one: Unasked) -> None:
        """Keep a message."""
        await self._connection.execute(
            "INSERT INTO unplaced_question (event_id, user_id, room_id, text, picture, asked_at)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (event_id) DO NOTHING",
            one.event_id, one.user_id, one.room_id, one.text, json.dumps(one.picture) if one.picture else None, one.at,
        )  # fmt: skip

    async def of(self, user_id: str) -> list[Unasked]:
        """Give what a person has asked, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM unplaced_question WHERE user_id = $1 ORDER BY asked_at, event_id", user_id
        )
        return [
            Unasked(
                UserId(row["user_id"]), RoomId(row["room_id"]), EventId(row["event_id"]), row["text"],
                json.loads(row["picture"]) if row["picture"] else None, row["asked_at"],
            )
            for row in rows
        ]  # fmt: skip

    async def reword(self, event_id: str, user_id: str, text: str, picture: Mapping[str, Any] | None) -> bool:
        """Note what a message says since its author has edited it; tells whether it is one of these."""
        found = await self._connection.fetchval(
            "UPDATE unplaced_question SET text = $3, picture = $4 WHERE event_id = $1 AND user_id = $2"
            " RETURNING event_id",
            event_id, user_id, text, json.dumps(picture) if picture else None,
        )  # fmt: skip
        return found is not None

    async def remove(self, event_id: str, user_id: str) -> bool:
        """Forget a message that its author has removed; tells whether it is one of these."""
        found = await self._connection.fetchval(
            "DELETE FROM unplaced_question WHERE event_id = $1 AND user_id = $2 RETURNING event_id", event_id, user_id
        )
        return found is not None

    async def clear(self, user_id: str) -> None:
        """Forget what a person has asked."""
        await self._connection.execute("DELETE FROM unplaced_question WHERE user_id = $1", user_id)

    async def prune(self, before: int) -> None:
        """Forget what was asked before then (ms) by people who never said for which group."""
        await self._connection.execute("DELETE FROM unplaced_question WHERE asked_at < $1", before)
