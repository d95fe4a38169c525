"""mautrix's Olm machine on our store. Of Megolm it does nothing: those sessions are ours (reading, writing)."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from mautrix.client import Client
from mautrix.crypto import OlmAccount, OlmMachine, StateStore
from mautrix.crypto.signature import verify_signature_json
from mautrix.types import (
    JSON,
    DecryptedOlmEvent,
    DeviceID,
    DeviceIdentity,
    EncryptionKeyAlgorithm,
    EventType,
    IdentityKey,
    RoomEncryptionStateEventContent,
    RoomID,
    ToDeviceEvent,
    TrustState,
    UserID,
)

from appservice.domain.duration import HOUR_MS
from appservice.matrix.crypto.sessions import SessionStore, few
from appservice.matrix.homeserver import HomeserverError
from appservice.store.lent import LentDatabase

log = logging.getLogger("coterie.keys")

_UNWEDGING_S = 5
Devices = dict[UserID, dict[DeviceID, DeviceIdentity]]


def passphrase_of(as_token: str) -> str:
    """Give what keys are kept under in the database, so that a stolen copy of it alone reads nothing."""
    return hmac.digest(as_token.encode(), b"coterie keys", hashlib.sha256).hex()


class _NoRooms(StateStore):
    """Which rooms are encrypted is known to our own store; the machine is never asked about one."""

    async def is_encrypted(self, room_id: RoomID) -> bool:
        raise NotImplementedError

    async def get_encryption_info(self, room_id: RoomID) -> RoomEncryptionStateEventContent | None:
        raise NotImplementedError

    async def find_shared_rooms(self, user_id: UserID) -> list[RoomID]:
        raise NotImplementedError


class Machine(OlmMachine):
    """Olm sessions with people's devices, their device lists, and the bot's own keys."""

    def __init__(self, client: Client, lent: LentDatabase, passphrase: str) -> None:
        self.store = SessionStore(lent, passphrase)
        self.lent, self.passphrase = lent, passphrase
        super().__init__(client, self.store, _NoRooms())
        self.send_keys_min_trust = self.share_keys_min_trust = TrustState.UNVERIFIED  # most have no cross-signing
        self._wedged: dict[UserID, IdentityKey] = {}
        self._unwedged_at: dict[UserID, int] = {}

    @property
    def keys(self) -> OlmAccount:
        """The keys of the bot's device; they have been loaded."""
        assert self.account is not None
        return self.account

    async def reload(self) -> None:
        """Have in memory what is in the database, as what was written of it may have been undone."""
        self.forget()
        await self.remember()

    def forget(self) -> None:
        """Forget what is in memory; the name of the device, too, which would go over to other keys."""
        self.store._olm_cache.clear()
        self.store._account = None
        self.store._device_id = DeviceID("")

    async def remember(self) -> None:
        """Load the keys of the device if they were forgotten."""
        if self.store._account is None:
            await self.load()

    async def open(self, raw: Mapping[str, Any]) -> DecryptedOlmEvent:
        """Decrypt a to-device event. Raises DecryptionError, and whatever hostile content causes."""
        return await self._decrypt_olm_event(ToDeviceEvent.deserialize(cast(JSON, raw)))

    async def on_devices_changed(self, user_id: UserID) -> None:
        """Nothing: rooms were told when the homeserver told us."""

    async def _unwedge_session(self, sender: UserID, sender_key: IdentityKey) -> None:
        self._wedged[sender] = sender_key  # no network inside a unit

    async def unwedge(self, now: int) -> None:
        """Begin anew with a device whose sessions with us are broken, if there is one; for one person at most once an
        hour (`now`, ms), and not for long: keys wait meanwhile."""
        if not self._wedged:
            return
        sender, sender_key = self._wedged.popitem()
        if now - self._unwedged_at.get(sender, 0) < HOUR_MS:
            return
        self._unwedged_at[sender] = now
        try:
            async with asyncio.timeout(_UNWEDGING_S):
                device = await self.get_or_fetch_device_by_key(sender, sender_key)
                if device is not None:
                    await self._begin_anew(device)
        except (HomeserverError, TimeoutError) as error:
            log.warning("a broken session was not begun anew: %s", type(error).__name__)

    async def _begin_anew(self, device: DeviceIdentity) -> None:
        user, device_id = device.user_id, device.device_id
        claimed = await self._claimed({user: {device_id: EncryptionKeyAlgorithm.SIGNED_CURVE25519}})
        await self._begun({device_id: device}, claimed.get(user, {}))
        async with self._olm_lock, self.lent.transaction():
            session = await self.store.session_with(device)
            if session is None:
                return
            sealed = await self._encrypt_olm_event(session, device, EventType.TO_DEVICE_DUMMY, {})
        await self.client.send_to_one_device(EventType.TO_DEVICE_ENCRYPTED, user, device_id, sealed)

    async def devices_of(self, users: Iterable[str]) -> tuple[Devices, list[UserID]]:
        """Give the devices of people, asked for where they are not known; and the people whose server did not say."""
        found: Devices = {}
        unknown = []
        for user in map(UserID, users):
            devices = await self.store.get_devices(user)
            if devices is None:
                unknown.append(user)
            else:
                found[user] = devices
        fetched = await self._asked(unknown) if unknown else {}
        own = DeviceID(self.client.device_id)
        for user, devices in (found | fetched).items():
            if user == self.client.mxid:
                devices.pop(own, None)
        known = {user: few(devices) for user, devices in (found | fetched).items()}
        return known, [user for user in unknown if user not in fetched]

    async def meet(self, devices: Devices) -> None:
        """Begin an Olm session with each device that we have none with, where its server still has a key for it."""
        wanted: dict[UserID, dict[DeviceID, EncryptionKeyAlgorithm]] = {}
        for user, theirs in devices.items():
            for device_id, device in theirs.items():
                if await self.store.session_with(device) is None:
                    wanted.setdefault(user, {})[device_id] = EncryptionKeyAlgorithm.SIGNED_CURVE25519
        for user, by_device in (await self._claimed(wanted)).items() if wanted else ():
            await self._begun(devices.get(user, {}), by_device)

    async def _begun(self, devices: Mapping[DeviceID, DeviceIdentity], found: Mapping[DeviceID, Any]) -> None:
        try:
            async with self._olm_lock, self.lent.transaction():
                for device_id, keys in found.items():
                    if device_id in devices:
                        await self._begin(devices[device_id], keys)
        except BaseException:  # or it would be taken for one that we have
            self.store._olm_cache.clear()
            raise

    async def _begin(self, device: DeviceIdentity, keys: Mapping[str, Any]) -> None:
        try:
            (key,) = keys.values()
            if not verify_signature_json(cast(Any, key), device.user_id, device.device_id, device.signing_key):
                raise ValueError("no good signature")
            session = self.keys.new_outbound_session(device.identity_key, key["key"])
        except Exception as error:  # whatever somebody's homeserver says of them
            log.warning("a device gets no keys, as its one-time key is none: %s", type(error).__name__)
            return
        await self.store.add_session_with(device, session)

    async def _asked(self, users: Sequence[UserID]) -> Devices:
        """Ask for the devices of people; what one's homeserver says of them must not keep the others from theirs."""
        self.store.asked.update({user: self.store.changed[user] for user in users})
        try:
            return await self._fetch_keys(list(users), include_untracked=True)
        except HomeserverError:
            raise
        except Exception as error:
            if len(users) == 1:
                log.warning("somebody's devices cannot be read: %s", type(error).__name__)
                return {}
            half = len(users) // 2
            return await self._asked(users[:half]) | await self._asked(users[half:])

    async def _claimed(self, wanted: Mapping[UserID, Any]) -> Mapping[UserID, Any]:
        """Give a one-time key of each device, in the same way."""
        try:
            return (await self.client.claim_keys(dict(wanted))).one_time_keys
        except HomeserverError:
            raise
        except Exception as error:
            if len(wanted) == 1:
                log.warning("somebody's one-time keys cannot be read: %s", type(error).__name__)
                return {}
            users, half = list(wanted), len(wanted) // 2
            parts = ({user: wanted[user] for user in some} for some in (users[:half], users[half:]))
            return {user: keys for part in parts for user, keys in (await self._claimed(part)).items()}
