"""What a homeserver keeps for end-to-end encryption: devices' keys, cross-signing, to-device queues. No HTTP, no rooms.

As in Synapse 1.163: one-time keys are used up in the order of their upload, then the fallback key, which stays.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.flows.homeserver_device import verifies
from tests.flows.homeserver_events import Json, Refused

USAGES = ("master", "self_signing", "user_signing")
AT_ONCE = 100  # to-device messages in one answer

Slot = tuple[str, str]  # user, device


@dataclass
class Fallback:
    """The key that is given out when no one-time key is left; `used` since its upload or not."""

    key_id: str
    key: Json
    used: bool = False


@dataclass(frozen=True)
class Change:
    """Somebody's devices changed when they were in these rooms."""

    position: int
    user: str
    rooms: frozenset[str]


class KeyStore:
    """Keys of the devices of everybody, local or remote. A copy of it (`copy.deepcopy`) stands on its own."""

    def __init__(self) -> None:
        self.device_keys: dict[str, dict[str, Json]] = {}
        self.names: dict[Slot, str] = {}
        self.one_time: dict[Slot, dict[str, Json]] = {}
        self.fallback: dict[Slot, dict[str, Fallback]] = {}
        self.cross_signing: dict[str, dict[str, Json]] = {}
        self.signatures: dict[Slot, dict[str, dict[str, str]]] = {}
        self.queues: dict[Slot, list[tuple[int, Json]]] = {}
        self.transactions: set[tuple[str, str | None, str, str]] = set()
        self.account_data: dict[str, dict[str, Json]] = {}
        self.filters: list[tuple[str, Json]] = []
        self.changes: list[Change] = []
        self.position = 0

    def moved(self) -> int:
        """The next position in the streams of to-device messages and of changed devices."""
        self.position += 1
        return self.position

    def note_change(self, user: str, rooms: Iterable[str]) -> None:
        self.changes.append(Change(self.moved(), user, frozenset(rooms)))

    # ---- upload --------------------------------------------------------------------------
    def upload(self, user: str, device: str, body: Json) -> bool:
        """`POST /keys/upload`; says whether the device's own keys are others than before."""
        slot, found = (user, device), body.get("device_keys")
        if found and (found.get("user_id"), found.get("device_id")) != slot:
            raise Refused(400, "M_BAD_JSON", "`device_keys` are those of another user or device")
        for key_id, key in (body.get("one_time_keys") or {}).items():
            old = self.one_time.get(slot, {}).get(key_id)
            if old is not None and _unsigned(old) != _unsigned(key):
                raise Refused(400, "M_UNKNOWN", f"One time key {key_id} already exists. Old key: {old}; new key: {key}")
        changed = bool(found) and found != self.device_keys.get(user, {}).get(device)
        if found:
            self.device_keys.setdefault(user, {})[device] = copy.deepcopy(found)
        for key_id, key in (body.get("one_time_keys") or {}).items():
            self.one_time.setdefault(slot, {}).setdefault(key_id, key)
        for key_id, key in (body.get("fallback_keys") or {}).items():
            algorithm = key_id.partition(":")[0]
            self.fallback.setdefault(slot, {})[algorithm] = Fallback(key_id, key)
        return changed

    def counts(self, user: str, device: str) -> dict[str, int]:
        """One-time keys left, by algorithm; the one that everybody uses is always named."""
        algorithms = (key_id.partition(":")[0] for key_id in self.one_time.get((user, device), {}))
        return {"signed_curve25519": 0, **Counter(algorithms)}

    def unused_fallbacks(self, user: str, device: str) -> list[str]:
        found = self.fallback.get((user, device), {})
        return sorted(algorithm for algorithm, key in found.items() if not key.used)

    def forget_device(self, user: str, device: str) -> None:
        """A device was deleted: its keys and what waits for it are gone."""
        self.device_keys.get(user, {}).pop(device, None)
        for kept in (self.names, self.one_time, self.fallback, self.queues, self.signatures):
            kept.pop((user, device), None)

    # ---- query and claim -----------------------------------------------------------------
    def query(self, asker: str, wanted: dict[str, list[str]]) -> Json:
        """`POST /keys/query`: everybody asked for is named, if only with no device."""
        out: Json = {"device_keys": {}, "master_keys": {}, "self_signing_keys": {}, "user_signing_keys": {}}
        for user, devices in wanted.items():
            found = self.device_keys.get(user, {})
            out["device_keys"][user] = {
                device: self._shown(asker, user, device, keys)
                for device, keys in found.items()
                if not devices or device in devices
            }
            for usage, key in self.cross_signing.get(user, {}).items():
                if usage != "user_signing" or user == asker:
                    out[f"{usage}_keys"][user] = self._signed(asker, user, public_key(key), key)
        return out

    def _shown(self, asker: str, user: str, device: str, keys: Json) -> Json:
        if not isinstance(keys, dict):  # another server says so
            return keys
        name = self.names.get((user, device))
        unsigned = {"device_display_name": name} if name else {}
        return {**self._signed(asker, user, device, keys), "unsigned": unsigned}

    def _signed(self, asker: str, user: str, target: str, keys: Json) -> Json:
        """With the signatures that were added to it later, by its owner or by who asks."""
        out = copy.deepcopy(keys)
        for signer, found in self.signatures.get((user, target), {}).items():
            if signer in (asker, user):
                out.setdefault("signatures", {}).setdefault(signer, {}).update(found)
        return out

    def claim(self, wanted: dict[str, dict[str, str]]) -> Json:
        """`POST /keys/claim`: a key for each device that still has one."""
        out: Json = {}
        for user, devices in wanted.items():
            for device, algorithm in devices.items():
                found = self._take((user, device), algorithm)
                if found is not None:
                    out.setdefault(user, {})[device] = {found[0]: found[1]}
        return out

    def _take(self, slot: Slot, algorithm: str) -> tuple[str, Json] | None:
        keys = self.one_time.get(slot, {})
        key_id = next((key_id for key_id in keys if key_id.startswith(f"{algorithm}:")), None)
        if key_id is not None:
            return key_id, keys.pop(key_id)
        fallback = self.fallback.get(slot, {}).get(algorithm)
        if fallback is None:
            return None
        fallback.used = True
        return fallback.key_id, fallback.key

    # ---- cross-signing -------------------------------------------------------------------
    def upload_cross_signing(self, user: str, body: Json) -> bool:
        """`POST /keys/device_signing/upload`; says whether something changed that others see."""
        keys = {usage: body[f"{usage}_key"] for usage in USAGES if isinstance(body.get(f"{usage}_key"), dict)}
        known = self.cross_signing.setdefault(user, {})
        master = keys.get("master", known.get("master"))
        if master is None:
            raise Refused(400, "M_MISSING_PARAM", "No master key available")
        for usage, key in keys.items():
            if key.get("user_id") != user or usage not in key.get("usage", []) or len(key.get("keys", {})) != 1:
                raise Refused(400, "M_INVALID_PARAM", f"Invalid {usage} key")
            if usage != "master" and not verifies(key, user, public_key(master), public_key(master)):
                raise Refused(400, "M_INVALID_SIGNATURE", f"Invalid signature on the {usage} key")
        changed = any(known.get(usage) != key for usage, key in keys.items() if usage != "user_signing")
        known.update(copy.deepcopy(keys))
        return changed

    def upload_signatures(self, signer: str, body: Json) -> tuple[Json, set[str]]:
        """`POST /keys/signatures/upload`: the failures, and whose keys have new signatures that the signer sees."""
        failures: Json = {}
        signed: set[str] = set()
        for user, targets in body.items():
            for target, given in targets.items():
                problem = self._add_signatures(signer, user, target, given)
                if problem:
                    failures.setdefault(user, {})[target] = problem
                else:
                    signed.add(user)
        return failures, signed

    def _add_signatures(self, signer: str, user: str, target: str, given: Json) -> Json | None:
        crossed = {public_key(key): key for key in self.cross_signing.get(user, {}).values()}
        known = self.device_keys.get(user, {}).get(target) or crossed.get(target)
        if known is None:
            return {"errcode": "M_NOT_FOUND", "error": "Unknown device"}
        if _unsigned(known) != _unsigned(given):
            return {"errcode": "M_INVALID_PARAM", "error": "Key does not match"}
        added = given.get("signatures", {}).get(signer, {})
        present = known.get("signatures", {}).get(signer, {})
        new = {key_id: signature for key_id, signature in added.items() if key_id not in present}
        for key_id in new:
            if not verifies(given, signer, key_id.partition(":")[2], self._signing_key(signer, key_id)):
                return {"errcode": "M_INVALID_SIGNATURE", "error": "Invalid signature"}
        self.signatures.setdefault((user, target), {}).setdefault(signer, {}).update(new)
        return None

    def _signing_key(self, user: str, key_id: str) -> str:
        """The public key under a name like `ed25519:DEVICE`, or the name itself for cross-signing keys."""
        name = key_id.partition(":")[2]
        device = self.device_keys.get(user, {}).get(name)
        return str(device["keys"][f"ed25519:{name}"]) if device else name

    # ---- to-device messages --------------------------------------------------------------
    def enqueue(self, user: str, device: str, message: Json) -> None:
        self.queues.setdefault((user, device), []).append((self.moved(), message))

    def acknowledge(self, user: str, device: str, position: int) -> None:
        """A client came back with a token: what it got up to there is forgotten."""
        queue = self.queues.get((user, device), [])
        queue[:] = [item for item in queue if item[0] > position]

    def waiting(self, user: str, device: str, since: int) -> tuple[list[Json], int]:
        """The next messages for a device, and up to where they go."""
        found = [item for item in self.queues.get((user, device), []) if item[0] > since]
        if len(found) > AT_ONCE:
            return [message for _, message in found[:AT_ONCE]], found[AT_ONCE - 1][0]
        return [message for _, message in found], self.position


def public_key(key: Json) -> str:
    """The one public key in a cross-signing key."""
    return str(next(iter(key["keys"].values())))


def _unsigned(key: Any) -> Any:
    if not isinstance(key, dict):
        return key
    return {name: value for name, value in key.items() if name not in ("signatures", "unsigned")}
