"""What members ask concierges to approve: people and codes. And the codes themselves, of which only hashes are kept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from appservice.domain.ids import EventId, GroupId, Number, UserId
from appservice.store.db import Connection


class VouchStatus(StrEnum):
    """PENDING until a concierge decides; APPROVED and DECLINED for good; EXPIRED where nobody did."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Vouch:
    """A member's word for a person, or for whoever will get the code. `user_id` is None for a code, and after the
    decision; `event_id` is the line in the desk, None until it is known to be there."""

    id: str
    group_id: GroupId
    sponsor: Number
    user_id: UserId | None
    why: str
    status: VouchStatus = VouchStatus.PENDING
    event_id: EventId | None = None
    decided_by: Number | None = None
    is_code: bool = False


class Vouches:
    """Vouches on one connection. Whoever changes one holds the group's lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, vouch: Vouch, now: int) -> None:
        """Write a new vouch down."""
        await self._connection.execute(
            "INSERT INTO vouch (id, group_id, kind, sponsor, user_id, why, status, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            vouch.id, vouch.group_id, "code" if vouch.is_code else "person", vouch.sponsor, vouch.user_id, vouch.why,
            vouch.status.value, now,
        )  # fmt: skip

    async def get(self, id: str) -> Vouch | None:
        """Give a vouch."""
        row = await self._connection.fetchrow("SELECT * FROM vouch WHERE id = $1", id)
        return _vouch(row) if row else None

    async def by_event(self, event_id: str) -> Vouch | None:
        """Give the vouch that a line in the desk is about."""
        row = await self._connection.fetchrow("SELECT * FROM vouch WHERE event_id = $1", event_id)
        return _vouch(row) if row else None

    async def set_event(self, id: str, event_id: str | None) -> None:
        """Note which line in the desk is about a vouch; None while it is being posted."""
        await self._connection.execute("UPDATE vouch SET event_id = $2 WHERE id = $1", id, event_id)

    async def decide(self, id: str, status: VouchStatus, decided_by: int | None) -> bool:
        """Settle a pending vouch and forget whom it was for; False where somebody else was first."""
        done = await self._connection.fetchval(
            "UPDATE vouch SET status = $2, decided_by = $3, user_id = NULL, why = ''"
            " WHERE id = $1 AND status = 'pending' RETURNING id",
            id, status.value, decided_by,
        )  # fmt: skip
        return done is not None

    async def pending(self, group_id: str) -> list[Vouch]:
        """Give what waits for a decision in a group, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM vouch WHERE group_id = $1 AND status = 'pending' ORDER BY created_at, id", group_id
        )
        return [_vouch(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Code:
    """A live invitation code; `maker` is the number of its maker."""

    id: str
    group_id: GroupId
    maker: Number


class Codes:
    """Invitation codes on one connection. Whoever changes one holds the group's lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, code: Code, hash: str, expires_at: int) -> None:
        """Write a new code down by its hash; from now on it reserves a seat."""
        await self._connection.execute(
            "INSERT INTO code (id, group_id, maker, hash, status, expires_at) VALUES ($1, $2, $3, $4, 'live', $5)",
            code.id, code.group_id, code.maker, hash, expires_at,
        )  # fmt: skip

    async def live(self, hash: str, now: int) -> Code | None:
        """Give the code with that hash while it can be used."""
        row = await self._connection.fetchrow(
            "SELECT id, group_id, maker FROM code WHERE hash = $1 AND status = 'live' AND expires_at > $2", hash, now
        )
        return Code(row["id"], GroupId(row["group_id"]), Number(row["maker"])) if row else None

    async def get(self, id: str) -> Code | None:
        """Give a code that is live, even beyond its time."""
        row = await self._connection.fetchrow(
            "SELECT id, group_id, maker FROM code WHERE id = $1 AND status = 'live'", id
        )
        return Code(row["id"], GroupId(row["group_id"]), Number(row["maker"])) if row else None

    async def end(self, id: str, status: str) -> bool:
        """Take a live code out of use (`used`, `expired`); False where somebody else was first."""
        done = await self._connection.fetchval(
            "UPDATE code SET status = $2 WHERE id = $1 AND status = 'live' RETURNING id", id, status
        )
        return done is not None

    async def end_of(self, group_id: str, maker: int, status: str) -> list[str]:
        """Take the live codes of a person in a group out of use; gives their ids."""
        rows = await self._connection.fetch(
            "UPDATE code SET status = $3 WHERE group_id = $1 AND maker = $2 AND status = 'live' RETURNING id",
            group_id, maker, status,
        )  # fmt: skip
        return [row["id"] for row in rows]

    async def end_all(self, group_id: str, status: str) -> None:
        """Take every live code of a group out of use."""
        await self._connection.execute(
            "UPDATE code SET status = $2 WHERE group_id = $1 AND status = 'live'", group_id, status
        )

    async def count_live(self, group_id: str, maker: int) -> int:
        """Count the live codes of a person in a group."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM code WHERE group_id = $1 AND maker = $2 AND status = 'live'", group_id, maker
        )
        return count

    async def guessed(self, user_id: str, now: int) -> None:
        """Note that a person has tried a wrong code."""
        await self._connection.execute("INSERT INTO guess (user_id, at) VALUES ($1, $2)", user_id, now)

    async def count_guesses(self, user_id: str, since: int) -> int:
        """Count the wrong codes that a person has tried since then (ms)."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM guess WHERE user_id = $1 AND at > $2", user_id, since
        )
        return count

    async def prune_guesses(self, before: int) -> None:
        """Forget wrong codes tried before then (ms)."""
        await self._connection.execute("DELETE FROM guess WHERE at < $1", before)


def _vouch(row: Any) -> Vouch:
    return Vouch(
        id=row["id"],
        group_id=GroupId(row["group_id"]),
        sponsor=Number(row["sponsor"]),
        user_id=UserId(row["user_id"]) if row["user_id"] else None,
        why=row["why"],
        status=VouchStatus(row["status"]),
        event_id=EventId(row["event_id"]) if row["event_id"] else None,
        decided_by=Number(row["decided_by"]) if row["decided_by"] is not None else None,
        is_code=row["kind"] == "code",
    )
