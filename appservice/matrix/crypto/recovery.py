"""The recovery key, which opens what the homeserver keeps of the bot's identity: for when the database is lost.

Both lie in the account data as the specification has it (Secret storage, m.secret_storage.v1.aes-hmac-sha2).
"""

import secrets
from typing import Any, cast

from mautrix.crypto.cross_signing_key import CrossSigningSeeds
from mautrix.crypto.ssss.key import Key, KeyMetadata
from mautrix.crypto.ssss.types import EncryptedKeyData
from mautrix.types import JSON

from appservice.matrix.crypto.device import DEFAULT_KEY, Device, KeysUnreadable
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.olm import InboundGroupSession, OlmGroupSessionError
from appservice.store import settings
from appservice.store.unit import Store

MADE_AT = "shop.coterie.made_at"
_SECRETS = {
    "m.cross_signing.master": "master_key",
    "m.cross_signing.self_signing": "self_signing_key",
    "m.cross_signing.user_signing": "user_signing_key",
}


class NoIdentity(Exception):
    """The bot has no identity yet that could be recovered."""


class NotRestored(Exception):
    """The recovery key did not bring the identity back."""


class Recovery:
    """Makes a recovery key, and brings the bot's identity back by it."""

    def __init__(self, store: Store, homeserver: Homeserver, device: Device) -> None:
        self._store = store
        self._homeserver = homeserver
        self._device = device

    async def kept(self) -> tuple[str | None, int]:
        """Give the id of the recovery key that the database knows of, and when (ms) it was made."""
        async with self._store.look() as unit:
            key_id = await unit.settings.get(settings.RECOVERY_KEY)
            made_at = await unit.settings.get(settings.RECOVERY_KEY_AT)
        return key_id or None, int(made_at or 0)

    async def there(self) -> str | None:
        """Give the id of the recovery key that the homeserver knows of. Raises HomeserverError."""
        key_id = (await self._homeserver.account_data(DEFAULT_KEY)).get("key")
        return key_id if isinstance(key_id, str) and key_id else None

    async def identity(self) -> CrossSigningSeeds:
        """Give what there is to recover. Raises NoIdentity and KeysUnreadable."""
        seeds = await self._device.identity()
        if seeds is None:
            raise NoIdentity(
                "the database has no identity of the bot: start the service once, or, if the database was lost,"
                " coterie crypto recovery --restore"
            )
        return seeds

    async def make(self) -> str:
        """Make a recovery key, in groups of four; one that was made before opens nothing from now on.

        Raises HomeserverError (then there is none), NoIdentity and KeysUnreadable.
        """
        seeds = await self.identity()
        key = Key.generate()
        key.id = secrets.token_hex(16)  # goes into a path, and not every proxy lets a slash in it through
        await self._note("", 0)
        async with self._store.look() as unit:
            now = unit.now
        about = {**cast(dict[str, Any], key.metadata.serialize()), MADE_AT: now}
        await self._homeserver.set_account_data(f"m.secret_storage.key.{key.id}", about)
        for type, name in _SECRETS.items():
            sealed = key.encrypt(type, getattr(seeds, name)).serialize()
            await self._homeserver.set_account_data(type, {"encrypted": {key.id: sealed}})
        await self._homeserver.set_account_data(DEFAULT_KEY, {"key": key.id})
        await self._note(key.id, now)
        return key.recovery_key

    async def restore(self, recovery_key: str) -> None:
        """Have the identity back that a recovery key opens; the next start signs the bot's device by it.

        Raises HomeserverError and NotRestored.
        """
        key_id = await self.there()
        if key_id is None:
            raise NotRestored("the homeserver keeps nothing that a recovery key could open")
        about = await self._homeserver.account_data(f"m.secret_storage.key.{key_id}")
        try:
            key = KeyMetadata.deserialize(cast(JSON, about)).verify_recovery_key(key_id, "".join(recovery_key.split()))
        except Exception as error:  # whatever is wrong with what somebody has typed, or with what is kept
            raise NotRestored("this is not the bot's recovery key; an older one opens nothing any more") from error
        found = {}
        for type, name in _SECRETS.items():
            sealed = await self._homeserver.account_data(type)
            try:
                found[name] = key.decrypt(type, EncryptedKeyData.deserialize(sealed["encrypted"][key_id]))
            except Exception as error:
                raise NotRestored(f"the key is right, but what the homeserver keeps as {type} is not whole") from error
        if any(len(seed) != 32 for seed in found.values()):
            raise NotRestored("the key is right, but what the homeserver keeps is no identity")
        seeds = CrossSigningSeeds(**found)
        published = await self._device.published_identity()
        if published not in (None, seeds.to_keys().public_keys.master_key):
            raise NotRestored("the key is right, but the bot has another identity by now; no homeserver takes one back")
        await self._device.keep_identity(seeds)
        made_at = about.get(MADE_AT)
        await self._note(key_id, made_at if isinstance(made_at, int) else 0)

    async def _note(self, key_id: str, made_at: int) -> None:
        async with self._store.unit() as unit:
            await unit.settings.put(settings.RECOVERY_KEY, key_id)
            await unit.settings.put(settings.RECOVERY_KEY_AT, str(made_at))


async def reset(store: Store, device: Device, passphrase: str, *, identity: bool) -> bool:
    """Forget the keys of the bot's device, and have a new identity if that is wanted; the next start makes a device.
    Tells whether the service can start: not with an identity that another as_token has written.

    What others have given it to read is kept if it can be read.
    """

    def is_readable(pickle: str) -> bool:
        try:
            InboundGroupSession.from_pickle(pickle, passphrase)
        except OlmGroupSessionError:
            return False
        return True

    async with store.unit() as unit:
        await unit.keys.forget_device()
        await unit.keys.forget_inbound(is_readable)
        if identity:
            await unit.settings.put(settings.RECOVERY_KEY, "")
    if identity:
        await device.new_identity()
    try:
        await device.identity()
    except KeysUnreadable:
        return False
    return True
