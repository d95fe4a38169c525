"""Timers: what has to happen at a time. "Due by now", so that nothing is missed while the process was down."""

from dataclasses import dataclass

from appservice.store.db import Connection


@dataclass(frozen=True, slots=True)
class Timer:
    """A thing to do at `due_at` (ms), one for each kind and subject."""

    kind: str
    subject: str
    due_at: int


class Timers:
    """The timers on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, kind: str, subject: str, due_at: int) -> None:
        """Set or move a timer."""
        await self._connection.execute(
            "INSERT INTO timer (kind, subject, due_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at",
            kind, subject, due_at,
        )  # fmt: skip

    async def set_earlier(self, kind: str, subject: str, due_at: int) -> None:
        """Set a timer, or move it if that makes it earlier."""
        await self._connection.execute(
            "INSERT INTO timer (kind, subject, due_at) VALUES ($1, $2, $3) ON CONFLICT (kind, subject)"
            " DO UPDATE SET due_at = excluded.due_at WHERE excluded.due_at < timer.due_at",
            kind, subject, due_at,
        )  # fmt: skip

    async def clear(self, kind: str, subject: str) -> None:
        """Take a timer off."""
        await self._connection.execute("DELETE FROM timer WHERE kind = $1 AND subject = $2", kind, subject)

    async def claim(self, timer: Timer) -> bool:
        """Take a due timer off to act on it; False where it was moved or taken meanwhile."""
        subject = await self._connection.fetchval(
            "DELETE FROM timer WHERE kind = $1 AND subject = $2 AND due_at = $3 RETURNING subject",
            timer.kind, timer.subject, timer.due_at,
        )  # fmt: skip
        return subject is not None

    async def due(self, now: int, limit: int) -> list[Timer]:
        """Give the timers that are due by now."""
        rows = await self._connection.fetch(
            "SELECT kind, subject, due_at FROM timer WHERE due_at <= $1 ORDER BY due_at LIMIT $2", now, limit
        )
        return [Timer(row["kind"], row["subject"], row["due_at"]) for row in rows]

    async def next_due_at(self) -> int | None:
        """Give when the next timer becomes due."""
        due_at: int | None = await self._connection.fetchval("SELECT MIN(due_at) FROM timer")
        return due_at
