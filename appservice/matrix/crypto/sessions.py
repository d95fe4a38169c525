"""Olm sessions and device lists in our database: mautrix's store, where it trusts too much."""

from collections import Counter
from itertools import islice

from mautrix.crypto import PgCryptoStore, Session
from mautrix.types import DeviceID, DeviceIdentity, IdentityKey, UserID

from appservice.store.lent import LentDatabase

MOST_SESSIONS = 5
"""Kept with one identity key: more are an attack, and each of them is tried."""
MOST_DEVICES = 250
"""Of one person that are given keys."""


class SessionStore(PgCryptoStore):
    """`changed` counts what the homeserver said of somebody's devices, `asked` has what it was when they were asked
    for."""

    def __init__(self, lent: LentDatabase, passphrase: str) -> None:
        super().__init__("", passphrase, lent)  # type: ignore[arg-type]
        self.lent = lent
        self.changed: Counter[str] = Counter()
        self.asked: dict[str, int] = {}

    async def add_session(self, key: IdentityKey, session: Session, owner: str = "") -> None:
        """Keep a session, and of its owner's with this key only the newest. Without an owner it is one that the key's
        holder has begun."""
        async with self.lent.transaction() as connection:
            await super().add_session(key, session)
            await connection.execute(
                "UPDATE crypto_olm_session SET owner = $2 WHERE session_id = $1", session.id, owner
            )
            await connection.execute(
                "DELETE FROM crypto_olm_session WHERE sender_key = $1 AND owner = $2 AND session_id NOT IN (SELECT"
                " session_id FROM crypto_olm_session WHERE sender_key = $1 AND owner = $2"
                " ORDER BY last_decrypted DESC LIMIT $3)",
                key, owner, MOST_SESSIONS,
            )  # fmt: skip

    async def add_session_with(self, device: DeviceIdentity, session: Session) -> None:
        """Keep a session that we have begun by the one-time key of this device: another who names the same identity
        key has not shown that it is theirs."""
        await self.add_session(device.identity_key, session, _name(device))

    async def session_with(self, device: DeviceIdentity) -> Session | None:
        """Give the session by which to write to a device: one that it began, or we with it."""
        session_id = await self.db.fetchval(
            "SELECT session_id FROM crypto_olm_session WHERE sender_key = $1 AND owner IN ('', $2)"
            " ORDER BY last_decrypted DESC LIMIT 1",
            device.identity_key, _name(device),
        )  # fmt: skip
        if session_id is None:
            return None
        sessions = await self.get_sessions(device.identity_key)
        return next((session for session in sessions if session.id == session_id), None)

    async def put_devices(self, user_id: UserID, devices: dict[DeviceID, DeviceIdentity]) -> None:
        """Keep somebody's devices; where they changed while they were asked for, only until they are asked again."""
        async with self.lent.transaction() as connection:
            await super().put_devices(user_id, few(devices))
            if self.changed[user_id] != self.asked.get(user_id, 0):
                await connection.execute("DELETE FROM crypto_tracked_user WHERE user_id = $1", user_id)


def few(devices: dict[DeviceID, DeviceIdentity]) -> dict[DeviceID, DeviceIdentity]:
    """Give no more devices of one person than are given keys."""
    return dict(islice(devices.items(), MOST_DEVICES))


def _name(device: DeviceIdentity) -> str:
    return f"{device.user_id} {device.device_id}"
