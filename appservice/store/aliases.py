"""Every alias that anyone in a group has or had; none is ever given to somebody else."""

from appservice.store.db import Connection


class Aliases:
    """The aliases on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def give(self, group_id: str, key: str, number: int, alias: str, now: int) -> bool:
        """Give an alias to a member if nobody else has or had one with that key; tells whether it is theirs now."""
        owner = await self._connection.fetchval(
            "INSERT INTO alias (group_id, key, number, alias, given_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT (group_id, key) DO UPDATE SET alias ="
            " CASE WHEN alias.number = excluded.number THEN excluded.alias ELSE alias.alias END RETURNING number",
            group_id, key, number, alias, now,
        )  # fmt: skip
        return bool(owner == number)

    async def has(self, group_id: str, key: str, number: int) -> bool:
        """Tell whether a member has, or once had, the alias with that key."""
        owner = await self._connection.fetchval(
            "SELECT number FROM alias WHERE group_id = $1 AND key = $2", group_id, key
        )
        return bool(owner == number)

    async def count_of(self, group_id: str, number: int) -> int:
        """Count the aliases that a member has had."""
        count: int = await self._connection.fetchval(
            "SELECT COUNT(*) FROM alias WHERE group_id = $1 AND number = $2", group_id, number
        )
        return count

    async def of_member(self, group_id: str, number: int) -> list[str]:
        """Give the aliases that a member has had, oldest first."""
        rows = await self._connection.fetch(
            "SELECT alias FROM alias WHERE group_id = $1 AND number = $2 ORDER BY given_at, key", group_id, number
        )
        return [row["alias"] for row in rows]
