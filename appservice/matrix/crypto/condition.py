"""What `coterie crypto status` finds out: the bot's keys in the database, and what the homeserver has of them.

Nothing here has effects: keys are read, the homeserver is asked, and a look at the crypto traffic takes none away.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mautrix.crypto import OlmAccount
from mautrix.crypto.signature import verify_signature_json
from mautrix.types import DeviceID, SigningKey, UserID

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.matrix.crypto.device import Device, KeysUnreadable
from appservice.matrix.crypto.recovery import Recovery
from appservice.matrix.finding import Finding, Verdict
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.store import settings
from appservice.store.unit import Store
from appservice.wire import keys as wire_keys
from appservice.wire.content import at, mapping_at
from appservice.wire.encrypted import ONE_TIME_KEY

_START = "start the service; if it runs, see its log"
_AGAIN = "start the service; if it runs: stop it, coterie crypto reset, start it"
_NEW_KEY = "coterie crypto recovery"
_RESTORE = "coterie crypto recovery --restore"
_BACK = f"stop the service, {_RESTORE}, start it; without that key: coterie crypto reset --identity"


@dataclass(frozen=True, slots=True)
class _There:
    """What the homeserver has: the answer to /keys/query about the bot, what it was told of the state of the keys,
    the id of its recovery key."""

    keys: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    recovery_key: str | None = None


class Condition:
    """Looks at the keys of the bot."""

    def __init__(self, store: Store, homeserver: Homeserver, device: Device) -> None:
        self._store = store
        self._homeserver = homeserver
        self._device = device
        self._api = homeserver.client().api
        self._recovery = Recovery(store, homeserver, device)

    async def findings(self) -> AsyncIterator[Finding]:
        """Give every finding, those of the database also where the homeserver does not answer."""
        try:
            known = await self._device.known()
        except KeysUnreadable as error:
            known = None
            yield Finding("device", Verdict.BAD, *_told_apart(error))
        else:
            yield _device(known)
        try:
            there = await self._ask()
        except HomeserverError as error:
            there = None
            yield Finding("homeserver", Verdict.BAD, f"cannot be asked: {error}", "see coterie check")
        async for finding in self._about(known, there):
            yield finding
        yield await self._recovery_key(there)
        yield await self._waiting()
        yield await self._rooms()

    async def _about(self, known: tuple[str, OlmAccount] | None, there: _There | None) -> AsyncIterator[Finding]:
        if known is None or there is None:
            why = "there is no device to compare" if known is None else "the homeserver comes first"
            for subject in ("keys", "signature", "one-time keys"):
                yield Finding(subject, Verdict.SKIPPED, f"not known: {why}")
            return
        keys = await self._keys(*known, there)
        yield keys
        if keys.verdict is Verdict.BAD:
            for subject in ("signature", "one-time keys"):
                yield Finding(subject, Verdict.SKIPPED, "not known: the keys come first")
            return
        yield await self._signature(known[0], there)
        yield await self._one_time_keys(known[0])

    async def _ask(self) -> _There:
        keys = await self._homeserver.own_keys()
        return _There(keys, await self._homeserver.account_data(wire_keys.TYPE), await self._recovery.there())

    async def _keys(self, device_id: str, account: OlmAccount, there: _There) -> Finding:
        async with self._store.look() as unit:
            generation = int(await unit.settings.get(settings.KEYS_GENERATION) or 0)
        told_of, later = wire_keys.parse_keys(there.told)
        if (told_of is not None and told_of != device_id) or later > generation:
            says = "the database is older than the keys in use: it was restored from a backup"
            return Finding("keys", Verdict.BAD, says, "start the service: the bot gets a new device")
        theirs = _device_keys(there, self._homeserver.bot, device_id)
        if theirs is None:
            mend = "start the service, or restart it: it uploads them again"
            return Finding("keys", Verdict.BAD, "the homeserver does not know this device", mend)
        if at(theirs, "keys", f"ed25519:{device_id}") != account.signing_key:
            says = "the homeserver has other keys for this device"
            return Finding("keys", Verdict.BAD, says, "restart the service: the bot gets a new device")
        return Finding("keys", Verdict.GOOD, "the homeserver has them")

    async def _signature(self, device_id: str, there: _There) -> Finding:
        try:
            seeds = await self._device.identity()
        except KeysUnreadable as error:
            return Finding("signature", Verdict.BAD, *_told_apart(error))
        bot = UserID(self._homeserver.bot)
        master = _only_key(mapping_at(there.keys, "master_keys", bot))
        if seeds is None and master is not None:
            return Finding("signature", Verdict.BAD, "the bot's identity is not in the database", _BACK)
        if seeds is None or master is None:
            return Finding("signature", Verdict.BAD, "the bot has no identity that could sign its device", _AGAIN)
        if seeds.to_keys().master_key.public_key != master:
            says = "the homeserver has another identity of the bot than the database"
            return Finding("signature", Verdict.BAD, says, _BACK)
        signing = mapping_at(there.keys, "self_signing_keys", bot)
        by = _only_key(signing)
        theirs = _device_keys(there, bot, device_id)
        if not (signing and by and theirs and _is_signed(signing, bot, master) and _is_signed(theirs, bot, by)):
            return Finding("signature", Verdict.BAD, "the device is not signed by the bot's identity", _AGAIN)
        return Finding("signature", Verdict.GOOD, f"the device is signed by the bot's identity: {in_fours(master)}")

    async def _one_time_keys(self, device_id: str) -> Finding:
        self._api.as_device_id = DeviceID(device_id)
        try:
            answer = await self._homeserver.sync("", 0)
        except HomeserverError as error:
            says = f"the homeserver lets the bot read no crypto traffic: {error}"
            return Finding("one-time keys", Verdict.BAD, says, "see coterie check")
        counts = mapping_at(answer, "device_one_time_keys_count") or {}
        count, unused = counts.get(ONE_TIME_KEY, 0), answer.get("device_unused_fallback_key_types") or []
        fallback = "a fallback key" if ONE_TIME_KEY in unused else "no unused fallback key"
        says = f"{count} left at the homeserver, and {fallback}"
        if not count and ONE_TIME_KEY not in unused:
            return Finding("one-time keys", Verdict.BAD, says, _START)
        return Finding("one-time keys", Verdict.GOOD, says)

    async def _recovery_key(self, there: _There | None) -> Finding:
        key_id, made_at = await self._recovery.kept()
        if key_id is None:
            if there is not None and there.recovery_key is not None:
                says = "the homeserver knows of one, this database does not"
                mend = f"if the database was lost: {_RESTORE}; else make a new one: {_NEW_KEY}"
                return Finding("recovery key", Verdict.WARNING, says, mend)
            return Finding("recovery key", Verdict.WARNING, "none was made", f"make one: {_NEW_KEY}")
        when = f"made {_day(made_at)}" if made_at else "made some time ago"
        if there is None:
            return Finding("recovery key", Verdict.GOOD, f"{when}; not known whether the homeserver still has it")
        if there.recovery_key != key_id:
            says = f"{when}, but the homeserver has another one now" if there.recovery_key else f"{when}, but gone"
            return Finding("recovery key", Verdict.BAD, says, f"make a new one: {_NEW_KEY}")
        return Finding("recovery key", Verdict.GOOD, when)

    async def _waiting(self) -> Finding:
        async with self._store.look() as unit:
            count, oldest = await unit.inbox.keyless_since()
            now = unit.now
        if not count or oldest is None:
            return Finding("messages", Verdict.GOOD, "none waits for its key")
        what = "1 message waits for its key" if count == 1 else f"{count} messages wait for their keys"
        return Finding("messages", Verdict.WARNING, f"{what}, the oldest for {_span(now - oldest)}")

    async def _rooms(self) -> Finding:
        async with self._store.look() as unit:
            rooms, encrypted = await unit.rooms.count()
        return Finding("rooms", Verdict.GOOD, f"{encrypted} of {rooms} are encrypted")


def in_fours(key: str) -> str:
    """Give a key as clients show it to be compared."""
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def _device(known: tuple[str, OlmAccount] | None) -> Finding:
    if known is None:
        return Finding("device", Verdict.BAD, "there is none yet", "start the service, which makes one")
    device_id, account = known
    return Finding("device", Verdict.GOOD, f"{device_id}, fingerprint {in_fours(account.signing_key)}")


def _told_apart(error: KeysUnreadable) -> tuple[str, str]:
    says, _, mend = str(error).partition(": ")
    return says, mend


def _device_keys(there: _There, bot: str, device_id: str) -> Mapping[str, Any] | None:
    return mapping_at(there.keys, "device_keys", bot, device_id)


def _only_key(signed: Mapping[str, Any] | None) -> str | None:
    keys = mapping_at(signed, "keys") or {}
    return next((key for key in keys.values() if isinstance(key, str)), None)


def _is_signed(signed: Mapping[str, Any], bot: UserID, key: str) -> bool:
    return "signatures" in signed and verify_signature_json(signed, bot, key, SigningKey(key))  # type: ignore[arg-type]


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _span(ms: int) -> str:
    for unit, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if ms >= unit:
            count = ms // unit
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"
