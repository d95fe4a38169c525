"""What was said once and is not to be repeated."""

from appservice.store.db import Connection


class Told:
    """The things said, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def first(self, subject: str, what: str, now: int) -> bool:
        """Tell whether this is the first time, and note that it has been said."""
        first = await self._connection.fetchval(
            "INSERT INTO told (subject, what, at) VALUES ($1, $2, $3)"
            " ON CONFLICT (subject, what) DO NOTHING RETURNING subject",
            subject, what, now,
        )  # fmt: skip
        return first is not None

    async def again(self, subject: str, what: str, now: int, after: int) -> bool:
        """Tell whether it may be said now: for the first time, or so long (ms) after the last; note it if so."""
        said = await self._connection.fetchval(
            "INSERT INTO told (subject, what, at) VALUES ($1, $2, $3) ON CONFLICT (subject, what)"
            " DO UPDATE SET at = excluded.at WHERE told.at <= $4 RETURNING subject",
            subject, what, now, now - after,
        )  # fmt: skip
        return said is not None

    async def count(self, subject: str, after: int) -> int:
        """Count what was said about a subject after a time (ms)."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM told WHERE subject = $1 AND at > $2", subject, after
        )
        return count

    async def prune(self, beginning: str, before: int) -> None:
        """Forget what was said up to a time (ms) about subjects that begin with this word or these words."""
        await self._connection.execute(
            "DELETE FROM told WHERE substr(subject, 1, length($1)) = $1 AND at <= $2", f"{beginning} ", before
        )

    async def knows(self, subject: str, what: str) -> bool:
        """Tell whether it has been said; notes nothing."""
        said = await self._connection.fetchval("SELECT at FROM told WHERE subject = $1 AND what = $2", subject, what)
        return said is not None

    async def said(self, subject: str) -> list[str]:
        """Give what was said about a subject, oldest first."""
        rows = await self._connection.fetch("SELECT what FROM told WHERE subject = $1 ORDER BY at, what", subject)
        return [row["what"] for row in rows]

    async def forget(self, subject: str) -> bool:
        """Forget what was said about a subject; tells whether anything was."""
        said = await self._connection.fetchval("DELETE FROM told WHERE subject = $1 RETURNING subject", subject)
        return said is not None
