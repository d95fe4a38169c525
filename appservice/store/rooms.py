"""Which rooms are ours, and the direct room of each person."""

from dataclasses import dataclass
from enum import StrEnum

from appservice.domain.ids import RoomId, UserId
from appservice.store.db import Connection


class RoomKind(StrEnum):
    """What a room is for."""

    GROUP = "group"
    DESK = "desk"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the service; `subject` is its group's id, or the person's user id for a direct room."""

    room_id: RoomId
    kind: RoomKind
    subject: str


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
        return Room(RoomId(row["room_id"]), RoomKind(row["kind"]), row["subject"]) if row else None

    async def all_ids(self) -> set[str]:
        """Give the ids of every room of ours."""
        return {row["room_id"] for row in await self._connection.fetch("SELECT room_id FROM room")}

    async def add(self, room: Room) -> None:
        """Remember a room."""
        await self._connection.execute(
            "INSERT INTO room (room_id, kind, subject) VALUES ($1, $2, $3)"
            " ON CONFLICT (room_id) DO UPDATE SET kind = excluded.kind, subject = excluded.subject",
            room.room_id, room.kind.value, room.subject,
        )  # fmt: skip

    async def forget(self, room_id: str) -> None:
        """Forget a room."""
        await self._connection.execute("DELETE FROM room WHERE room_id = $1", room_id)

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
