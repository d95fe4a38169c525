"""Effects that are owed: written in the unit that decided them, carried out afterwards, at least once."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from appservice.domain.effect import DOORS, EFFECTS, Effect
from appservice.store.db import Connection, storable

_HEADS = (
    "FROM effect e JOIN (SELECT MIN(seq) AS seq FROM effect WHERE status = 'waiting' GROUP BY lane) head"
    " ON e.seq = head.seq"
)
KEPT_MS = 7 * 24 * 3600 * 1000
_BY_NAME = {effect.__name__: effect for effect in EFFECTS}


@dataclass(frozen=True, slots=True)
class Owed:
    """An effect that waits. Its `id` is unique over all users of the service and becomes the transaction id."""

    seq: int
    id: str
    lane: str
    effect: Effect
    attempts: int
    created_at: int


class Outbox:
    """The owed effects on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def put(self, id: str, effect: Effect, now: int, *, held: bool = False) -> None:
        """Owe an effect; a held one waits until its lane is released."""
        await self._connection.execute(
            "INSERT INTO effect (id, lane, kind, content, status, created_at, due_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $6)",
            id, effect.lane, type(effect).__name__, json.dumps(asdict(effect)), "held" if held else "waiting", now,
        )  # fmt: skip

    async def release(self, lane: str, now: int) -> None:
        """Let the held effects of a lane go."""
        await self._connection.execute(
            "UPDATE effect SET status = 'waiting', due_at = $2 WHERE lane = $1 AND status = 'held'", lane, now
        )

    async def count_held(self, lane: str) -> int:
        """Count what is kept back in a lane."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM effect WHERE lane = $1 AND status = 'held'", lane
        )
        return count

    async def is_waiting(self, lane: str) -> bool:
        """Tell whether something in a lane is still to be sent."""
        row = await self._connection.fetchval(
            "SELECT seq FROM effect WHERE lane = $1 AND status = 'waiting' LIMIT 1", lane
        )
        return row is not None

    async def lanes_held_since(self, before: int) -> set[str]:
        """Give the lanes in which something has been kept back from before then (ms)."""
        rows = await self._connection.fetch(
            "SELECT DISTINCT lane FROM effect WHERE status = 'held' AND created_at < $1", before
        )
        return {row["lane"] for row in rows}

    async def is_busy(self, lane: str, since: int) -> bool:
        """Tell whether something in a lane waits, or was owed at a time (ms) or later."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM effect WHERE lane = $1 AND (status = 'waiting' OR created_at >= $2)", lane, since
        )
        return count > 0

    async def hold(self, lane: str) -> None:
        """Keep back what waits in a lane."""
        await self._connection.execute("UPDATE effect SET status = 'held' WHERE lane = $1 AND status = 'waiting'", lane)

    async def due_lanes(self, now: int, limit: int, *, doors: bool | None = None) -> list[str]:
        """Give the lanes whose first effect is due, the longest waiting first; on demand only those in which another
        server may keep us waiting (`doors`), or only the others."""
        query = f"SELECT e.lane {_HEADS} WHERE e.due_at <= $1{_which(doors)} ORDER BY e.seq LIMIT $2"
        return [row["lane"] for row in await self._connection.fetch(query, now, limit)]

    async def next_due_at(self) -> int | None:
        """Give when the first effect of some lane becomes due."""
        due_at: int | None = await self._connection.fetchval(f"SELECT MIN(e.due_at) {_HEADS}")
        return due_at

    async def head(self, lane: str, now: int) -> Owed | None:
        """Give the first effect of a lane, if it is due."""
        row = await self._connection.fetchrow(
            "SELECT * FROM effect WHERE lane = $1 AND status = 'waiting' ORDER BY seq LIMIT 1", lane
        )
        if row is None or row["due_at"] > now:
            return None
        return Owed(row["seq"], row["id"], row["lane"], _effect(row), row["attempts"], row["created_at"])

    async def finish(self, owed: Owed) -> bool:
        """Mark an effect as carried out and forget its content; False where it was before."""
        seq = await self._connection.fetchval(
            "UPDATE effect SET status = 'sent', content = NULL, error = NULL"
            " WHERE seq = $1 AND status = 'waiting' RETURNING seq",
            owed.seq,
        )
        return seq is not None

    async def postpone(self, owed: Owed, due_at: int, error: str) -> None:
        """Note a failed attempt; the lane waits until `due_at` (ms)."""
        await self._connection.execute(
            "UPDATE effect SET attempts = attempts + 1, due_at = $2, error = $3"
            " WHERE seq = $1 AND status = 'waiting'",
            owed.seq, due_at, storable(error),
        )  # fmt: skip

    async def park(self, owed: Owed, error: str) -> None:
        """Set an effect aside for the operator; the lane goes on without it."""
        await self._connection.execute(
            "UPDATE effect SET status = 'parked', attempts = attempts + 1, error = $2"
            " WHERE seq = $1 AND status = 'waiting'",
            owed.seq, storable(error),
        )  # fmt: skip

    async def prune(self, now: int) -> None:
        """Forget effects carried out long ago."""
        await self._connection.execute("DELETE FROM effect WHERE status = 'sent' AND created_at < $1", now - KEPT_MS)


def _which(doors: bool | None) -> str:
    at_a_door = " OR ".join(f"e.lane LIKE '{word} %'" for word in DOORS)
    return "" if doors is None else f" AND {'' if doors else 'NOT '}({at_a_door})"


def _effect(row: Any) -> Effect:
    stored: dict[str, Any] = json.loads(row["content"])
    fields: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in stored.items()}
    return _BY_NAME[row["kind"]](**fields)
