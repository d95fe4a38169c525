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
        self._acting_on: Timer | None = None

    async def set(self, kind: str, subject: str, due_at: int) -> None:
        """Set or move a timer."""
        self._is_anew(kind, subject)
        await self._connection.execute(
            "INSERT INTO timer (kind, subject, due_at) VALUES ($1, $2, $3)"
            " ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at",
            kind, subject, due_at,
        )  # fmt: skip

    async def set_earlier(self, kind: str, subject: str, due_at: int) -> None:
        """Set a timer, or move it if that makes it earlier; the one that is acted on counts as gone."""
        if self._is_anew(kind, subject):
            return await self.set(kind, subject, due_at)
        await self._connection.execute(
            "INSERT INTO timer (kind, subject, due_at) VALUES ($1, $2, $3) ON CONFLICT (kind, subject)"
            " DO UPDATE SET due_at = excluded.due_at WHERE excluded.due_at < timer.due_at",
            kind, subject, due_at,
        )  # fmt: skip

    async def clear(self, kind: str, subject: str) -> None:
        """Take a timer off."""
        self._is_anew(kind, subject)
        await self._connection.execute("DELETE FROM timer WHERE kind = $1 AND subject = $2", kind, subject)

    async def due_at(self, kind: str, subject: str) -> int | None:
        """Give when a timer is due (ms), or None where it is not set."""
        due_at: int | None = await self._connection.fetchval(
            "SELECT due_at FROM timer WHERE kind = $1 AND subject = $2", kind, subject
        )
        return due_at

    async def begin(self, timer: Timer) -> bool:
        """Tell whether a due timer may be acted on; False where it was moved or taken meanwhile.

        It is taken off by `finish`, at the end: whoever sets it has locked what it is about before, and in the
        opposite order two units would wait for each other.
        """
        due_at = await self._connection.fetchval(
            "SELECT due_at FROM timer WHERE kind = $1 AND subject = $2", timer.kind, timer.subject
        )
        self._acting_on = timer if due_at == timer.due_at else None
        return self._acting_on is not None

    async def finish(self) -> bool:
        """Take the timer off that was acted on, unless it was set anew; False where somebody else was first."""
        timer, self._acting_on = self._acting_on, None
        return timer is None or await self.claim(timer)

    def _is_anew(self, kind: str, subject: str) -> bool:
        """Tell whether this is the timer that is acted on; from now on it is not to be taken off."""
        timer = self._acting_on
        if timer is None or (timer.kind, timer.subject) != (kind, subject):
            return False
        self._acting_on = None
        return True

    async def claim(self, timer: Timer) -> bool:
        """Take a due timer off; False where it was moved or taken meanwhile."""
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
