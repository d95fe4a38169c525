"""Arrivals: what came in, kept until it is done. The id of an arrival is its idempotency key."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appservice.store.db import Connection, is_sqlite, storable

_JOURNALING_LOCK = 0x6A6F75726E616C  # "journal"
MOST_ATTEMPTS = 5
_LANES_OF_GROUP = (
    "SELECT room_id FROM room WHERE subject = $3 OR subject IN (SELECT user_id FROM member WHERE group_id = $3)"
    " OR subject IN (SELECT id FROM question WHERE group_id = $3)"
)
KEY_WAIT_MS = 5 * 60 * 1000
"""For how long a group buy's close, or anything else that takes place after what came before it, waits for keys."""
KEPT_KEYLESS_MS = 7 * 24 * 3600 * 1000
"""How long something that cannot be decrypted waits for its key."""
KEPT_MS = 30 * 24 * 3600 * 1000
"""How long the ids of done arrivals are remembered, so that a late repeat is known; contents go at once."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that came in. `seq` is its place in the journal; `received_at` decides what is in time.
    `was_encrypted` is set where the content has been decrypted since."""

    seq: int
    id: str
    lane: str
    type: str
    content: Mapping[str, Any]
    received_at: int
    attempts: int
    was_encrypted: bool = False


@dataclass(frozen=True, slots=True)
class NewArrival:
    """What is to be written down. `content` is the raw event, as JSON text; `member` is whose membership of the room
    `lane` it is about, if it is about one."""

    id: str
    lane: str
    type: str
    content: str
    member: str | None = None


class Inbox:
    """The journal of arrivals on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def journal(self, arrivals: Iterable[NewArrival], now: int) -> int:
        """Write arrivals down once each, in order; gives how many were new."""
        new = 0
        for arrival in arrivals:
            seq = await self._connection.fetchval(
                "INSERT INTO arrival (id, lane, type, content, received_at, status, due_at)"
                " VALUES ($1, $2, $3, $4, $5, 'waiting', $5) ON CONFLICT (id) DO NOTHING RETURNING seq",
                arrival.id, arrival.lane, arrival.type, arrival.content, now,
            )  # fmt: skip
            new += seq is not None
        return new

    async def known(self, ids: Sequence[str]) -> set[str]:
        """Give those of the ids that were journaled before."""
        found = [await self._connection.fetchval("SELECT id FROM arrival WHERE id = $1", one) for one in ids]
        return {one for one in found if one is not None}

    async def heard_at(self) -> int:
        """Give when the last arrival was journaled (ms), or 0."""
        heard_at: int | None = await self._connection.fetchval("SELECT MAX(received_at) FROM arrival")
        return heard_at or 0

    async def due_lanes(self, now: int, limit: int) -> list[str]:
        """Give the lanes in which something is due, the longest waiting first."""
        rows = await self._connection.fetch(
            "SELECT lane FROM arrival WHERE status = 'waiting' AND due_at <= $1"
            " GROUP BY lane ORDER BY MIN(seq) LIMIT $2",
            now, limit,
        )  # fmt: skip
        return [row["lane"] for row in rows]

    async def next_due_at(self) -> int | None:
        """Give when the next arrival becomes due."""
        due_at: int | None = await self._connection.fetchval("SELECT MIN(due_at) FROM arrival WHERE status = 'waiting'")
        return due_at

    async def is_busy(self, lane: str) -> bool:
        """Tell whether something in a lane is still to be handled."""
        seq = await self._connection.fetchval(
            "SELECT seq FROM arrival WHERE lane = $1 AND status IN ('waiting', 'keyless') LIMIT 1", lane
        )
        return seq is not None

    async def due(self, lane: str, now: int, limit: int) -> list[Arrival]:
        """Give the due arrivals of a lane in order."""
        rows = await self._connection.fetch(
            "SELECT * FROM arrival WHERE status = 'waiting' AND lane = $1 AND due_at <= $2 ORDER BY seq LIMIT $3",
            lane, now, limit,
        )  # fmt: skip
        return [_arrival(row) for row in rows]

    async def claim(self, arrival: Arrival) -> bool:
        """Mark an arrival done and forget its content; False where another worker was first."""
        seq = await self._connection.fetchval(
            "UPDATE arrival SET status = 'done', content = NULL, error = NULL, session_id = NULL, sender = NULL"
            " WHERE seq = $1 AND status = 'waiting' RETURNING seq",
            arrival.seq,
        )
        return seq is not None

    async def fail(self, arrival: Arrival, error: str, now: int) -> bool:
        """Note a failed attempt: try again later, or park it after MOST_ATTEMPTS. Tells whether it was parked."""
        attempts = arrival.attempts + 1
        parked = attempts >= MOST_ATTEMPTS
        await self._connection.execute(
            "UPDATE arrival SET status = $2, attempts = $3, due_at = $4, error = $5"
            " WHERE seq = $1 AND status = 'waiting'",
            arrival.seq, "parked" if parked else "waiting", attempts, now + 250 * 4**attempts, storable(error),
        )  # fmt: skip
        return parked

    async def wait_for_key(self, arrival: Arrival, session_id: str) -> None:
        """Have an arrival wait until the key of its Megolm session is there."""
        await self._connection.execute(
            "UPDATE arrival SET status = 'keyless', session_id = $2, sender = $3"
            " WHERE seq = $1 AND status = 'waiting'",
            arrival.seq, session_id, arrival.content["sender"],
        )  # fmt: skip

    async def waits_since(self, arrival: Arrival, since: int) -> int | None:
        """Give since when (ms), if later than `since`, something waits for its key that the same person has sent in the
        same room before."""
        received_at: int | None = await self._connection.fetchval(
            "SELECT MIN(received_at) FROM arrival WHERE sender = $1 AND lane = $2 AND status = 'keyless'"
            " AND seq < $3 AND received_at > $4",
            arrival.content["sender"], arrival.lane, arrival.seq, since,
        )  # fmt: skip
        return received_at

    async def put_off(self, arrival: Arrival, due_at: int) -> None:
        """Have an arrival wait until a time (ms), or until a key has come in its room."""
        await self._connection.execute(
            "UPDATE arrival SET due_at = $2, sender = $3 WHERE seq = $1 AND status = 'waiting'",
            arrival.seq, due_at, arrival.content["sender"],
        )  # fmt: skip

    async def key_came(self, room_id: str, session_id: str, now: int) -> None:
        """Let the arrivals go that waited for the key of a Megolm session, in their places."""
        await self._connection.execute(
            "UPDATE arrival SET status = 'waiting', due_at = $3"
            " WHERE session_id = $2 AND lane = $1 AND status = 'keyless'",
            room_id, session_id, now,
        )  # fmt: skip
        await self._connection.execute(
            "UPDATE arrival SET due_at = $2 WHERE lane = $1 AND status = 'waiting' AND attempts = 0 AND due_at > $2",
            room_id, now,
        )  # fmt: skip

    async def forget(self, seq: int) -> None:
        """Forget that something was ever there: chatter, which could not be told before it was decrypted."""
        await self._connection.execute("DELETE FROM arrival WHERE seq = $1", seq)

    async def keyless(self, room_id: str, session_id: str) -> list[Arrival]:
        """Give what waits for the key of a Megolm session, in order."""
        rows = await self._connection.fetch(
            "SELECT * FROM arrival WHERE session_id = $2 AND lane = $1 AND status = 'keyless' ORDER BY seq",
            room_id, session_id,
        )  # fmt: skip
        return [_arrival(row) for row in rows]

    async def keyless_since(self) -> tuple[int, int | None]:
        """Count what waits for a key, and give when (ms) the oldest of it came."""
        row = await self._connection.fetchrow(
            "SELECT COUNT(*) AS waiting, MIN(received_at) AS oldest FROM arrival WHERE status = 'keyless'"
        )
        return row["waiting"], row["oldest"]

    async def removed(self, event_id: str, by: str) -> bool:
        """Forget an event that waits for its key or for one before it, if it is its sender who has removed it; tells
        whether there was one."""
        seq = await self._connection.fetchval(
            "UPDATE arrival SET status = 'done', content = NULL, session_id = NULL, sender = NULL"
            " WHERE id = $1 AND status IN ('keyless', 'waiting') AND sender = $2 RETURNING seq",
            event_id, by,
        )  # fmt: skip
        return seq is not None

    async def begin_journaling(self) -> None:
        """Let `is_waiting_before` wait for this transaction; the time of receipt is read after this."""
        if not is_sqlite(self._connection):
            await self._connection.execute("SELECT pg_advisory_xact_lock_shared($1)", _JOURNALING_LOCK)

    async def is_waiting_before(self, received_before: int, now: int, group_id: str | None = None) -> bool:
        """Tell whether anything journaled before that moment is still to be handled; on demand only what can be about
        a group: in its rooms, and in the direct rooms of those who are or were in it. What waits for its key counts for
        KEY_WAIT_MS after it came.

        Waits for those who are writing to the journal right now, so that nothing received in time is overlooked
        (SQLite has one writer anyway).
        """
        if not is_sqlite(self._connection):
            await self._connection.execute("SELECT pg_advisory_xact_lock($1)", _JOURNALING_LOCK)
        query = (
            "SELECT seq FROM arrival WHERE received_at < $1"
            " AND (status = 'waiting' OR (status = 'keyless' AND received_at > $2))"
        )
        since = now - KEY_WAIT_MS
        if group_id is None:
            row = await self._connection.fetchval(f"{query} LIMIT 1", received_before, since)
        else:
            row = await self._connection.fetchval(
                f"{query} AND lane IN ({_LANES_OF_GROUP}) LIMIT 1", received_before, since, group_id
            )
        return row is not None

    async def prune(self, now: int) -> None:
        """Forget the ids of arrivals that were done long ago, and what has waited for its key for too long."""
        await self._connection.execute(
            "UPDATE arrival SET status = 'done', content = NULL, session_id = NULL, sender = NULL"
            " WHERE status = 'keyless' AND received_at < $1",
            now - KEPT_KEYLESS_MS,
        )
        await self._connection.execute("DELETE FROM arrival WHERE status = 'done' AND received_at < $1", now - KEPT_MS)


def _arrival(row: Any) -> Arrival:
    try:
        content = json.loads(row["content"])
    except (ValueError, RecursionError):  # parked in the end, as any other that cannot be handled
        content = {}
    return Arrival(
        row["seq"], row["id"], row["lane"], row["type"], content, row["received_at"], row["attempts"]
    )  # fmt: skip
