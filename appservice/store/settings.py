"""Small facts about this installation, such as the bot's device."""

from appservice.store.db import Connection

OWN_ROOM = "own_room"
"""Names the room in which the bot is alone, where it makes the homeserver deliver."""
STARTED_AT = "started_at"
"""Since when (ms) this instance works."""
CAUGHT_UP_AT = "caught_up_at"
"""When (ms) all that the homeserver held back at a start had been journaled; before STARTED_AT: at an earlier start."""
RUNNING = "running"
"""Not empty while an instance works, and after it was killed."""
LOOK_BACK_TO = "look_back_to"
"""From which time on (ms) the rooms are to be read for what was never delivered; empty where they are not."""

CRYPTO_SYNC = "crypto_sync"
"""Up to where the bot's crypto traffic has been read."""
KEYS_GENERATION = "keys_generation"
"""Counts the states of the bot's keys of which the homeserver was told."""
CROSS_SIGNING = "cross_signing"
"""The bot's own identity, by which it signs its devices; encrypted."""
RENEWED = "renewed"
"""Not empty while the bot has a new device in place of one whose keys were lost, and the groups were not told."""
SIGNED = "signed"
"""The device that was signed by it."""
RECOVERY_KEY = "recovery_key"
"""Names the recovery key of that identity; empty where there is none."""
RECOVERY_KEY_AT = "recovery_key_at"
"""When (ms) it was made."""


class Settings:
    """Named values on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, name: str) -> str | None:
        """Give a value, or None where it was never set."""
        value: str | None = await self._connection.fetchval("SELECT value FROM setting WHERE name = $1", name)
        return value

    async def put(self, name: str, value: str) -> None:
        """Set a value."""
        await self._connection.execute(
            "INSERT INTO setting (name, value) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name, value,
        )  # fmt: skip
