"""Canned drafts of a group, by name."""

from appservice.store.db import Connection


class Canned:
    """The drafts on one connection. Whoever changes a group's holds its lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def save(self, group_id: str, name: str, text: str) -> None:
        """Write a draft down, in the place of what had its name."""
        await self._connection.execute(
            "INSERT INTO canned (group_id, name, text) VALUES ($1, $2, $3)"
            " ON CONFLICT (group_id, name) DO UPDATE SET text = excluded.text",
            group_id, name, text,
        )  # fmt: skip

    async def all(self, group_id: str) -> dict[str, str]:
        """Give a group's drafts by name, in the order of their names."""
        rows = await self._connection.fetch("SELECT name, text FROM canned WHERE group_id = $1 ORDER BY name", group_id)
        return {row["name"]: row["text"] for row in rows}

    async def remove(self, group_id: str, name: str) -> None:
        """Forget a draft."""
        await self._connection.execute("DELETE FROM canned WHERE group_id = $1 AND name = $2", group_id, name)
