"""The bot's device: its keys at the homeserver, its signature, and a new one where the old one is of no use."""

import base64
import json
import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from mautrix.crypto import OlmAccount
from mautrix.crypto.cross_signing_key import CrossSigningSeeds
from mautrix.crypto.signature import sign_olm
from mautrix.types import DeviceID, UserID

from appservice.clock import Clock
from appservice.domain.duration import MINUTE_MS
from appservice.matrix.crypto.machine import Machine
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.matrix.olm import OlmAccountError
from appservice.store import settings
from appservice.store.unit import Store
from appservice.wire import keys as wire_keys
from appservice.wire.content import integer_at, mapping_at
from appservice.wire.encrypted import ONE_TIME_KEY

log = logging.getLogger("coterie.keys")

DEVICE_PREFIX = "COTERIE"
DEFAULT_KEY = "m.secret_storage.default_key"
"""Names the recovery key that opens what the homeserver keeps of the bot's identity."""
_ONE_TIME_KEYS = 50
_NOTED_MS = MINUTE_MS


class KeysUnreadable(Exception):
    """The keys in the database were written under another as_token."""


class Device:
    """Prepares the device, and keeps enough one-time keys at the homeserver, so that nobody is ever turned away."""

    def __init__(self, store: Store, clock: Clock, machine: Machine, homeserver: Homeserver) -> None:
        self._store = store
        self._clock = clock
        self._machine = machine
        self._homeserver = homeserver
        self._fernet = Fernet(base64.urlsafe_b64encode(bytes.fromhex(machine.passphrase)))
        self._noted_at = 0
        self._used = False

    async def prepare(self) -> bool:
        """Have a device whose keys the homeserver knows; tells whether it had to be a new one in place of another whose
        keys are lost, and nobody was told yet. Raises HomeserverError and KeysUnreadable."""
        if await self._is_outdated():
            log.warning("the keys in the database are older than those in use: the bot gets a new device")
            async with self._store.unit() as unit:
                await unit.keys.forget_device()
                await unit.settings.put(settings.RENEWED, "yes")
                await unit.settings.put(settings.CRYPTO_SYNC, "")
        else:
            async with self._store.unit() as unit:
                await unit.keys.forget_outbound()
        await self._load()
        store, account = self._machine.store, self._machine.keys
        device_id = await store.get_device_id() or DeviceID(f"{DEVICE_PREFIX}_{secrets.token_hex(4).upper()}")
        store._device_id = device_id
        self._machine.client.device_id = device_id
        await self._homeserver.make_device(device_id)
        if not account.shared:
            await store.put_device_id(device_id)
            await self._upload(device_keys=account.get_device_keys(UserID(self._homeserver.bot), device_id).serialize())
            account.shared = True
            await store.put_account(account)
        await self._note()
        await self.replenish()
        await self._sign()
        await self._homeserver.drop_devices(lambda one: one.startswith(DEVICE_PREFIX) and one != device_id)
        async with self._store.look() as unit:
            return bool(await unit.settings.get(settings.RENEWED))

    async def _load(self) -> None:
        with _readable():
            await self._machine.reload()

    async def known(self) -> tuple[str, OlmAccount] | None:
        """Give the device and its keys as they are in the database, making none. Raises KeysUnreadable."""
        device_id = await self._machine.store.get_device_id()
        if not device_id:
            return None
        with _readable():
            return str(device_id), await self._machine.store.get_account()

    async def _is_outdated(self) -> bool:
        """Tell whether the homeserver knows of a later state of our keys than the database, or of another device."""
        await self._load()
        account, device_id = self._machine.keys, await self._machine.store.get_device_id()
        told_of, generation = wire_keys.parse_keys(await self._homeserver.account_data(wire_keys.TYPE))
        if not account.shared or not device_id:
            return told_of is not None
        if (told_of is not None and told_of != device_id) or generation > await self._generation():
            return True
        theirs = mapping_at(await self._homeserver.own_keys(), "device_keys", self._homeserver.bot, device_id, "keys")
        if theirs is None:  # lost over there: they are uploaded again
            account.shared = False
            await self._machine.store.put_account(account)
        return theirs is not None and theirs.get(f"ed25519:{device_id}") != account.signing_key

    async def _generation(self) -> int:
        async with self._store.look() as unit:
            return int(await unit.settings.get(settings.KEYS_GENERATION) or 0)

    def used(self) -> None:
        """Say that keys have been used, so that a backup of the database from before is outdated."""
        self._used = True

    async def note(self) -> None:
        """Tell the homeserver so, once in a while."""
        if self._used and self._clock.now() - self._noted_at >= _NOTED_MS:
            await self._note()

    async def _note(self) -> None:
        generation = await self._generation() + 1
        async with self._store.unit() as unit:
            await unit.settings.put(settings.KEYS_GENERATION, str(generation))
        told = wire_keys.format_keys(str(self._machine.client.device_id), generation)
        await self._homeserver.set_account_data(wire_keys.TYPE, told)
        self._noted_at, self._used = self._clock.now(), False

    async def replenish(self) -> None:
        """Have enough one-time keys at the homeserver, and a fallback key for when they run out.

        Keys are written down before they are uploaded: one that is lost here could not be answered. What is left of
        an upload of which the end is not known is not uploaded again: somebody may have used it since.
        """
        account, store = self._machine.keys, self._machine.store
        counts = (await self._upload())["one_time_key_counts"]
        left = account.one_time_keys["curve25519"].keys()
        account.generate_one_time_keys(max(0, _ONE_TIME_KEYS - (integer_at(counts, ONE_TIME_KEY) or 0)))
        await store.put_account(account)
        new = {key_id: key for key_id, key in account.one_time_keys["curve25519"].items() if key_id not in left}
        if new:
            fallback = self._signed(account.fallback_key["curve25519"], {"fallback": True})
            await self._upload(one_time_keys=self._signed(new, {}), fallback_keys=fallback)
            account.mark_keys_as_published()
            await store.put_account(account)

    async def renew_fallback(self) -> None:
        """Give the homeserver a new fallback key; the one before still opens what was sent by it until the next."""
        account, store = self._machine.keys, self._machine.store
        if not account.fallback_key["curve25519"]:
            account.generate_fallback_key()
            await store.put_account(account)
        await self._upload(fallback_keys=self._signed(account.fallback_key["curve25519"], {"fallback": True}))
        account.mark_keys_as_published()
        await store.put_account(account)

    def _signed(self, keys: Mapping[str, str], more: Mapping[str, Any]) -> dict[str, Any]:
        account, bot, device_id = self._machine.keys, self._homeserver.bot, self._machine.client.device_id
        signed = {}
        for key_id, key in keys.items():
            body = {"key": key, **more}
            signatures = {bot: {f"ed25519:{device_id}": sign_olm(dict(body), account)}}
            signed[f"{ONE_TIME_KEY}:{key_id}"] = body | {"signatures": signatures}
        return signed

    async def _upload(self, **keys: Any) -> dict[str, Any]:
        return await self._homeserver.upload_keys({name: some for name, some in keys.items() if some})

    async def _sign(self) -> None:
        """Sign the device by the bot's own identity, which is made where there is none.

        One that the homeserver knows is not replaced while a recovery key can bring it back, nor published again after
        another one was: Synapse takes none twice.
        """
        machine, device_id = self._machine, str(self._machine.client.device_id)
        async with self._store.look() as unit:
            kept, signed = await unit.settings.get(settings.CROSS_SIGNING), await unit.settings.get(settings.SIGNED)
        if kept and signed == device_id:
            return
        published = await self.published_identity()
        if not kept and published and await self._homeserver.account_data(DEFAULT_KEY):
            log.warning("the bot's device is not signed, its identity is not in the database: coterie crypto status")
            return
        seeds = self._seeds(kept) if kept else await self.new_identity()
        machine._import_cross_signing_keys(seeds)
        is_published = published == seeds.to_keys().public_keys.master_key
        if published and signed and not is_published:
            log.warning("the bot's device is not signed, its identity was replaced: coterie crypto status")
            return
        try:
            if not is_published:
                await machine._publish_cross_signing_keys(seeds.to_keys())
            await machine.sign_own_device(machine.own_identity)
        except HomeserverError as error:
            if error.is_temporary:
                raise
            log.warning("the bot's device is not signed (%s): see coterie crypto status", error.errcode)
            return
        async with self._store.unit() as unit:
            await unit.settings.put(settings.SIGNED, device_id)

    def _seeds(self, kept: str) -> CrossSigningSeeds:
        try:
            seeds = json.loads(self._fernet.decrypt(kept))
        except InvalidToken as error:
            raise KeysUnreadable(
                "the bot's identity was written under another as_token: put that back, or run"
                " `coterie crypto recovery --restore`, or `coterie crypto reset --identity`"
            ) from error
        return CrossSigningSeeds(**{name: bytes.fromhex(seed) for name, seed in seeds.items()})

    async def identity(self) -> CrossSigningSeeds | None:
        """Give the bot's own identity, if it has one. Raises KeysUnreadable."""
        async with self._store.look() as unit:
            kept = await unit.settings.get(settings.CROSS_SIGNING)
        return self._seeds(kept) if kept else None

    async def published_identity(self) -> str | None:
        """Give the public key of the bot's identity that the homeserver knows."""
        keys = mapping_at(await self._homeserver.own_keys(), "master_keys", self._homeserver.bot, "keys") or {}
        return next((str(key) for key in keys.values()), None)

    async def new_identity(self) -> CrossSigningSeeds:
        """Have an identity of one's own from now on."""
        seeds = CrossSigningSeeds.generate()
        await self.keep_identity(seeds)
        return seeds

    async def keep_identity(self, seeds: CrossSigningSeeds) -> None:
        """Have this identity; the next `prepare` publishes it and signs the device by it."""
        hexed = {name: getattr(seeds, name).hex() for name in ("master_key", "user_signing_key", "self_signing_key")}
        kept = self._fernet.encrypt(json.dumps(hexed).encode()).decode()
        async with self._store.unit() as unit:
            await unit.settings.put(settings.CROSS_SIGNING, kept)
            await unit.settings.put(settings.SIGNED, "")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OlmAccountError as error:
        raise KeysUnreadable(
            "the keys in the database were written under another as_token: put that back, or run `coterie crypto reset`"
        ) from error
