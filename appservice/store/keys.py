"""Megolm sessions: those by which people's messages are read, and those by which the bot writes."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from appservice.domain.duration import DAY_MS
from appservice.store.db import Connection, is_sqlite

KEPT_MS = 7 * DAY_MS
"""How long the key to what people have written is kept after it was used last; clients use one for a week."""
Device = tuple[str, str]
"""A user id and a device id."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A session of a person, as they gave it to us: it reads what they wrote from `first_index` on. `session` is
    pickled."""

    room_id: str
    session_id: str
    user_id: str
    sender_key: str
    session: str
    first_index: int


@dataclass(frozen=True, slots=True)
class Outbound:
    """The bot's own session of a room, shared with those who were in it at `epoch`; `missing` are the devices that
    could not be given the key, to be tried again at `retry_at` (ms). `session` is pickled."""

    room_id: str
    session_id: str
    session: str
    epoch: int
    messages: int
    made_at: int
    missing: Sequence[Device] = ()
    retry_at: int = 0


class Keys:
    """The Megolm sessions on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hold(self, session_id: str) -> None:
        """Let nobody else find or bring the key of a session until the unit ends: whoever does not find it says that
        it is waited for, and whoever brings it looks who waits."""
        if not is_sqlite(self._connection):
            await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", session_id)

    async def put_inbound(self, inbound: Inbound, now: int) -> bool:
        """Keep a session; tells whether it reads more than what was there before."""
        first = await self._connection.fetchval(
            "INSERT INTO megolm_inbound (room_id, session_id, user_id, sender_key, session, first_index, used_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (room_id, session_id, user_id) DO UPDATE"
            " SET session = excluded.session, sender_key = excluded.sender_key, first_index = excluded.first_index"
            " WHERE excluded.first_index < megolm_inbound.first_index RETURNING session_id",
            inbound.room_id, inbound.session_id, inbound.user_id, inbound.sender_key, inbound.session,
            inbound.first_index, now,
        )  # fmt: skip
        return first is not None

    async def inbound(self, room_id: str, session_id: str, user_id: str) -> Inbound | None:
        """Give the session by which a person wrote in a room, if they have given it to us."""
        row = await self._connection.fetchrow(
            "SELECT * FROM megolm_inbound WHERE room_id = $1 AND session_id = $2 AND user_id = $3",
            room_id, session_id, user_id,
        )  # fmt: skip
        if row is None:
            return None
        return Inbound(room_id, session_id, user_id, row["sender_key"], row["session"], row["first_index"])

    async def is_first(self, session_id: str, user_id: str, index: int, event_id: str, now: int) -> bool:
        """Tell whether no other event of this person has used this place of a session, and note it: a second one is a
        replay. Whoever passes off another's session as their own does not take its places away."""
        first = await self._connection.fetchval(
            "INSERT INTO megolm_index (session_id, user_id, message_index, event_id, read_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_id, user_id, message_index)"
            " DO UPDATE SET session_id = excluded.session_id RETURNING event_id",
            session_id, user_id, index, event_id, now,
        )  # fmt: skip
        await self._connection.execute(
            "UPDATE megolm_inbound SET used_at = $3 WHERE session_id = $1 AND user_id = $2 AND used_at < $4",
            session_id, user_id, now, now - DAY_MS,
        )  # fmt: skip
        return bool(first == event_id)

    async def prune(self, now: int) -> None:
        """Forget the keys to what was written long ago. What it was read for stays known a while longer, so that
        nothing is read again by a key that comes back."""
        await self._connection.execute("DELETE FROM megolm_inbound WHERE used_at < $1", now - KEPT_MS)
        await self._connection.execute("DELETE FROM megolm_index WHERE read_at < $1", now - 5 * KEPT_MS)

    async def outbound(self, room_id: str) -> Outbound | None:
        """Give the bot's session of a room, unless others than then may read there now."""
        row = await self._connection.fetchrow(
            "SELECT o.* FROM megolm_outbound o JOIN room r ON r.room_id = o.room_id AND r.epoch = o.epoch"
            " WHERE o.room_id = $1",
            room_id,
        )
        if row is None:
            return None
        missing = [(user_id, device_id) for user_id, device_id in json.loads(row["missing"])]
        return Outbound(
            room_id, row["session_id"], row["session"], row["epoch"], row["messages"], row["made_at"], missing,
            row["retry_at"],
        )  # fmt: skip

    async def put_outbound(self, outbound: Outbound) -> None:
        """Keep the bot's session of a room in place of the one before."""
        await self._connection.execute(
            "INSERT INTO megolm_outbound (room_id, session_id, session, epoch, messages, made_at, missing, retry_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (room_id) DO UPDATE SET session_id ="
            " excluded.session_id, session = excluded.session, epoch = excluded.epoch, messages = excluded.messages,"
            " made_at = excluded.made_at, missing = excluded.missing, retry_at = excluded.retry_at",
            outbound.room_id, outbound.session_id, outbound.session, outbound.epoch, outbound.messages,
            outbound.made_at, json.dumps(outbound.missing), outbound.retry_at,
        )  # fmt: skip

    async def forget_outbound(self) -> None:
        """Forget every session of the bot's: those of a database that was restored have been written with since."""
        await self._connection.execute("DELETE FROM megolm_outbound")

    async def devices_changed(self, user_ids: Iterable[str]) -> None:
        """Note that the devices of these people are not known any more; they are asked for when they are needed."""
        for user_id in user_ids:
            await self._connection.execute("DELETE FROM crypto_tracked_user WHERE user_id = $1", user_id)

    async def forget_inbound(self, is_readable: Callable[[str], bool]) -> int:
        """Forget the sessions of others that cannot be read, as they would stand in the way of the same ones given
        again; `is_readable` is asked of each pickle. Gives how many there were."""
        rows = await self._connection.fetch("SELECT room_id, session_id, user_id, session FROM megolm_inbound")
        broken = [row for row in rows if not is_readable(row["session"])]
        for row in broken:
            await self._connection.execute(
                "DELETE FROM megolm_inbound WHERE room_id = $1 AND session_id = $2 AND user_id = $3",
                row["room_id"], row["session_id"], row["user_id"],
            )  # fmt: skip
        return len(broken)

    async def forget_device(self) -> None:
        """Forget what belongs to the bot's device; what others have given it to read stays."""
        for table in ("crypto_account", "crypto_olm_session", "megolm_outbound"):
            await self._connection.execute(f"DELETE FROM {table}")  # noqa: S608
