"""Which rooms are ours, and the direct room of each person."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appservice.domain.ids import RoomId, UserId
from appservice.store.db import Connection


class RoomKind(StrEnum):
    """What a room is for."""

    GROUP = "group"
    DESK = "desk"
    DIRECT = "direct"
    HELP = "help"

    @property
    def is_of_group(self) -> bool:
        """Tell whether it is one of the two rooms of a group, whose id is the subject."""
        return self in (RoomKind.GROUP, RoomKind.DESK)


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the service; `subject` is its group's id, the person's user id for a direct room, the question's id for
    a help room. `encryption` is the content of its m.room.encryption; None where it is not encrypted."""

    room_id: RoomId
    kind: RoomKind
    subject: str
    encryption: Mapping[str, Any] | None = None


class DirectStatus(StrEnum):
    """WANTED: to be made; INVITED: made or being made, the person has not joined; JOINED: can be spoken in."""

    WANTED = "wanted"
    INVITED = "invited"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class Direct:
    """The direct room of a person; `room_id` is None while it is being made."""

    user_id: UserId
    room_id: RoomId | None
    status: DirectStatus


class Rooms:
    """The rooms on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, room_id: str) -> Room | None:
        """Give the room of that id, if it is one of ours."""
        row = await self._connection.fetchrow("SELECT * FROM room WHERE room_id = $1", room_id)
        if row is None:
            return None
        encryption = json.loads(row["encryption"]) if row["encryption"] else None
        return Room(RoomId(row["room_id"]), RoomKind(row["kind"]), row["subject"], encryption)

    async def all_ids(self) -> set[str]:
        """Give the ids of every room of ours."""
        return {row["room_id"] for row in await self._connection.fetch("SELECT room_id FROM room")}

    async def add(self, room: Room) -> None:
        """Remember a room; one that is known to be encrypted stays so."""
        encryption = None if room.encryption is None else json.dumps(room.encryption)
        await self._connection.execute(
            "INSERT INTO room (room_id, kind, subject, encryption) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (room_id) DO UPDATE SET kind = excluded.kind, subject = excluded.subject,"
            " encryption = COALESCE(excluded.encryption, room.encryption)",
            room.room_id, room.kind.value, room.subject, encryption,
        )  # fmt: skip

    async def encrypt(self, room_id: str, encryption: Mapping[str, Any]) -> None:
        """Note that a room is encrypted from now on, and how."""
        await self._connection.execute(
            "UPDATE room SET encryption = $2 WHERE room_id = $1", room_id, json.dumps(encryption)
        )

    async def changed(self, room_ids: Iterable[str]) -> None:
        """Note that others may read what is said next in these rooms than until now."""
        for room_id in room_ids:
            await self._connection.execute("UPDATE room SET epoch = epoch + 1 WHERE room_id = $1", room_id)

    async def epoch(self, room_id: str) -> int:
        """Give how often it has changed who may read in a room."""
        epoch: int | None = await self._connection.fetchval("SELECT epoch FROM room WHERE room_id = $1", room_id)
        return epoch or 0

    async def knows(self, user_id: str) -> bool:
        """Tell whether a person has to do with a group, or has a direct room."""
        known = await self._connection.fetchval(
            "SELECT 1 FROM member WHERE user_id = $1 UNION ALL"
            " SELECT 1 FROM room WHERE kind = 'direct' AND subject = $1 LIMIT 1",
            user_id,
        )
        return known is not None

    async def shared_with(self, user_id: str) -> list[RoomId]:
        """Give the encrypted rooms in which a person may be."""
        rows = await self._connection.fetch(
            "SELECT room_id FROM room WHERE encryption IS NOT NULL AND ((kind = 'direct' AND subject = $1)"
            " OR subject IN (SELECT group_id FROM member WHERE user_id = $1)"
            " OR subject IN (SELECT q.id FROM question q JOIN member m ON m.group_id = q.group_id"
            " WHERE m.user_id = $1)) ORDER BY room_id",
            user_id,
        )
        return [RoomId(row["room_id"]) for row in rows]

    async def count(self) -> tuple[int, int]:
        """Count the rooms, and those of them that are encrypted."""
        row = await self._connection.fetchrow("SELECT COUNT(*) AS rooms, COUNT(encryption) AS encrypted FROM room")
        return row["rooms"], row["encrypted"]

    async def forget(self, room_id: str) -> None:
        """Forget a room."""
        await self._connection.execute("DELETE FROM room WHERE room_id = $1", room_id)
        await self._connection.execute("DELETE FROM megolm_outbound WHERE room_id = $1", room_id)

    async def count_direct(self, user_id: str) -> int:
        """Count the direct rooms with a person that we know of, accepted ones that are not joined yet included."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM room WHERE kind = 'direct' AND subject = $1", user_id
        )
        return count

    async def direct_rooms(self, user_id: str) -> list[RoomId]:
        """Give every direct room with a person that we know of."""
        rows = await self._connection.fetch(
            "SELECT room_id FROM room WHERE kind = 'direct' AND subject = $1 ORDER BY room_id", user_id
        )
        return [RoomId(row["room_id"]) for row in rows]

    async def direct(self, user_id: str) -> Direct | None:
        """Give a person's direct room."""
        row = await self._connection.fetchrow("SELECT * FROM direct WHERE user_id = $1", user_id)
        if row is None:
            return None
        room_id = RoomId(row["room_id"]) if row["room_id"] else None
        return Direct(UserId(row["user_id"]), room_id, DirectStatus(row["status"]))

    async def save_direct(self, direct: Direct) -> None:
        """Set a person's direct room."""
        await self._connection.execute(
            "INSERT INTO direct (user_id, room_id, status) VALUES ($1, $2, $3) ON CONFLICT (user_id)"
            " DO UPDATE SET room_id = excluded.room_id, status = excluded.status",
            direct.user_id, direct.room_id, direct.status.value,
        )  # fmt: skip

    async def forget_direct(self, user_id: str) -> None:
        """Forget a person's direct room."""
        await self._connection.execute("DELETE FROM direct WHERE user_id = $1", user_id)

    async def want_direct(self, user_id: str) -> bool:
        """Note that a direct room is needed; True for who asks first, and thus has to make it."""
        first = await self._connection.fetchval(
            "INSERT INTO direct (user_id, room_id, status) VALUES ($1, NULL, 'wanted')"
            " ON CONFLICT (user_id) DO NOTHING RETURNING user_id",
            user_id,
        )
        return first is not None
