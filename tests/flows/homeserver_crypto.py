"""Encryption in the rooms of the fake homeserver: people's devices write and read by themselves.

What a person sends into an encrypted room is encrypted, its key shared with the service; what the service sends is
decrypted by every device of everyone who is joined, and the event then shows what was inside.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vodozemac import Account

from tests.flows.homeserver_device import ROTATION_MESSAGES, SIGNED, Device, Outbound, Unreadable, inbound_session, sign
from tests.flows.homeserver_events import Event, Json
from tests.flows.homeserver_key_faults import KeyFaults
from tests.flows.homeserver_keys import USAGES, KeyStore

if TYPE_CHECKING:
    from tests.flows.homeserver_world import World

CLEAR_TYPES = ("m.reaction", "m.room.redaction")  # never encrypted
ENCRYPTED = "m.room.encrypted"
FORWARDED = "m.forwarded_room_key"


@dataclass(frozen=True)
class KeySent:
    """A Megolm session that the service gave away, from which index; `membership` of that person then."""

    room: str
    session: str
    user: str
    device: str
    index: int
    membership: str
    forwarded: bool = False


@dataclass
class Secrets:
    """What people's devices know, and who could read what. A copy of it stands on its own."""

    devices: dict[str, list[Device]] = field(default_factory=dict)
    cross_signing: dict[str, dict[str, Account]] = field(default_factory=dict)
    keys_sent: list[KeySent] = field(default_factory=list)
    unread: dict[tuple[str, str], str] = field(default_factory=dict)  # by event and user, the room
    excused: set[str] = field(default_factory=set)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


class Crypto(KeyFaults):
    """Encryption among the accounts of one world.

    everyone: people share their sessions with all who may read the room, and not only with the service.
    excuse(person): they need not be able to read what the service sends.
    """

    def __init__(self, world: World, is_service: Callable[[str], bool]) -> None:
        super().__init__()
        self.world = world
        self.is_service = is_service
        self.everyone = False
        self.news = asyncio.Event()

    @property
    def keys(self) -> KeyStore:
        return self.world.keys

    @property
    def secrets(self) -> Secrets:
        return self.world.secrets

    @property
    def keys_sent(self) -> list[KeySent]:
        return self.world.secrets.keys_sent

    def wake(self) -> None:
        """There may be something new for who waits for it by `/sync`."""
        self.news.set()
        self.news = asyncio.Event()

    # ---- devices -------------------------------------------------------------------------
    def devices(self, user: str) -> list[Device]:
        """A person's devices; everybody has had one from the beginning."""
        if user not in self.secrets.devices and user in self.world.accounts and not self.is_service(user):
            self.secrets.devices[user] = []
            self.add_device(user, silent=True)
        return self.secrets.devices.get(user, [])

    def add_device(self, user: str, name: str | None = None, *, silent: bool = False) -> Device:
        """A new device with its keys uploaded. `silent`: nobody is told that there is one more."""
        device = Device(user, name or f"DEVICE{next(self.secrets.numbers)}")
        self.secrets.devices.setdefault(user, []).append(device)
        self.world.devices.add((user, device.device_id))
        one_time, fallback = device.one_time_keys(), device.fallback_keys()
        body = {"device_keys": device.keys(), "one_time_keys": one_time, "fallback_keys": fallback}
        self.keys.upload(user, device.device_id, body)
        if not silent:
            self.note_change(user)
        return device

    def add_service_device(self, user: str, device_id: str, name: str | None) -> bool:
        """`PUT /devices/{id}` of an application service; says whether it is new."""
        is_new = (user, device_id) not in self.world.devices
        self.world.devices.add((user, device_id))
        if name:
            self.keys.names[user, device_id] = name
        if is_new:
            self.note_change(user)
        return is_new

    def remove_device(self, user: str, device_id: str) -> None:
        """A device is logged out."""
        self.world.devices.discard((user, device_id))
        self.keys.forget_device(user, device_id)
        kept = [device for device in self.secrets.devices.get(user, []) if device.device_id != device_id]
        if user in self.secrets.devices:
            self.secrets.devices[user] = kept
        self.note_change(user)

    def note_change(self, user: str) -> None:
        """Somebody's devices or cross-signing keys changed."""
        self.keys.note_change(user, (room.room_id for room in self.world.rooms_of(user)))
        self.wake()

    def exhaust(self, user: str, claims: int = 60) -> list[Json]:
        """Claim so many keys of each device of a user, as strangers might; returns those that were to be had."""
        self.devices(user)
        wanted = {user: dict.fromkeys(self.keys.device_keys.get(user, {}), SIGNED)}
        return [found for _ in range(claims) for found in self.keys.claim(wanted).get(user, {}).values()]

    # ---- to-device messages --------------------------------------------------------------
    def send_to_device(self, sender: str, type: str, messages: dict[str, dict[str, Json]]) -> None:
        """Whoever sends; `*` stands for all devices of a user."""
        for user, devices in messages.items():
            known = [name for owner, name in sorted(self.world.devices) if owner == user]
            for device, content in devices.items():
                for name in known if device == "*" else [device] if device in known else []:
                    message = {"sender": sender, "type": type, "content": content}
                    self.post(sender, user, self._delivery(user, name, message))
        self.wake()

    def _delivery(self, user: str, name: str, message: Json) -> Callable[[], None]:
        device = next((device for device in self.devices(user) if device.device_id == name), None)
        if device is None:
            return lambda: self._queue(user, name, message)
        inside = self._opened(device, message)  # at once, so that it is known who was joined then
        return lambda: self._receive(device, inside)

    def _queue(self, user: str, name: str, message: Json) -> None:
        self.keys.enqueue(user, name, message)
        self.wake()

    def _opened(self, device: Device, message: Json) -> Json:
        """What a person's device got, with the complaint under `unreadable` if it cannot read it."""
        if message["type"] != ENCRYPTED:
            return message
        try:
            inside = {**device.open(message["sender"], message["content"]), "encrypted": True}
        except Unreadable as complaint:
            return {**message, "unreadable": str(complaint)}
        if inside["type"] in ("m.room_key", FORWARDED) and self.is_service(message["sender"]):
            self._note_key(device, inside)
        return inside

    def _note_key(self, device: Device, inside: Json) -> None:
        content = inside["content"]
        room = self.world.rooms.get(content["room_id"])
        membership = room.membership(device.user) if room else "leave"
        names = (content["room_id"], content["session_id"], device.user, device.device_id)
        forwarded = inside["type"] == FORWARDED
        index = 0 if forwarded else inbound_session(content["session_key"]).first_known_index
        self.keys_sent.append(KeySent(*names, index, membership, forwarded))

    def _receive(self, device: Device, inside: Json) -> None:
        device.received.append(inside)
        if inside["type"] == "m.room_key" and inside.get("encrypted"):
            content = inside["content"]
            names = (content["room_id"], content["session_id"], content["session_key"])
            device.keep(*names, inside["sender"], inside["sender_key"])
            for (event_id, user), room_id in list(self.secrets.unread.items()):
                event = self.world.room(room_id).event(event_id)
                if (user, room_id) == (device.user, content["room_id"]) and event is not None:
                    self._read(event, user)

    # ---- cross-signing -------------------------------------------------------------------
    def cross_sign(self, user: str, devices: Iterable[Device]) -> None:
        """Sign a person's devices with their cross-signing keys, which are made if there are none."""
        known = self.secrets.cross_signing.get(user)
        if known is None:
            known = self.secrets.cross_signing[user] = {usage: Account() for usage in USAGES}
            master = known["master"]
            keys = {usage: _cross_signing_key(user, usage, account) for usage, account in known.items()}
            for usage in USAGES[1:]:
                keys[usage] = sign(master, user, master.ed25519_key.to_base64(), keys[usage])
            self.keys.upload_cross_signing(user, {f"{usage}_key": key for usage, key in keys.items()})
        signer = known["self_signing"]
        signed = {device.device_id: sign(signer, user, signer.ed25519_key.to_base64(), device.keys())
                  for device in devices}  # fmt: skip
        failures, _ = self.keys.upload_signatures(user, {user: signed})
        assert not failures, failures
        self.note_change(user)

    # ---- writing -------------------------------------------------------------------------
    def encrypts(self, room_id: str, type: str) -> bool:
        """Whether a client encrypts this type of event in this room."""
        return type not in CLEAR_TYPES and bool(self.world.room(room_id).content("m.room.encryption"))

    def send(self, sender: str, room_id: str, type: str, content: Json, *, force: bool = False) -> Event:
        """A message, encrypted by the first device of a person after its key was shared with who needs it."""
        assert self.devices(sender), f"{sender} has no device to encrypt with"
        device = self.devices(sender)[0]
        self.share(device, room_id)
        sealed = device.seal(room_id, type, content)
        return self.world.send(sender, room_id, ENCRYPTED, sealed, force=force, inside=(type, content))

    def share(self, device: Device, room_id: str) -> Outbound:
        """The session for a room, new where somebody who had it may not read any more, given to who lacks it."""
        readers = self.readers(device, room_id)
        outbound = device.outbound.get(room_id)
        period = self.world.room(room_id).content("m.room.encryption").get("rotation_period_msgs", ROTATION_MESSAGES)
        if outbound is None or outbound.messages >= period or set(outbound.shared_with) - set(readers):
            outbound = device.new_outbound(room_id)
        for slot, keys in readers.items():
            if slot not in outbound.shared_with and self.give(device, keys, "m.room_key", device.room_key(room_id)):
                outbound.shared_with[slot] = keys["keys"][f"curve25519:{slot[1]}"]
        return outbound

    def readers(self, device: Device, room_id: str) -> dict[tuple[str, str], Json]:
        """The devices that get this device's session, with their keys."""
        room = self.world.room(room_id)
        visibility = room.content("m.room.history_visibility").get("history_visibility", "shared")
        users = room.joined if visibility == "joined" else room.joined | room.invited
        wanted = sorted(user for user in users if self.is_service(user) or self.everyone)
        for user in wanted:
            self.devices(user)
        return {
            (user, name): keys
            for user in wanted
            for name, keys in self.keys.device_keys.get(user, {}).items()
            if (user, name) != (device.user, device.device_id)
        }

    def give(self, device: Device, keys: Json, type: str, content: Json, **changed: Any) -> bool:
        """Send one encrypted to-device message; False if the other device had no key left to begin with."""
        user, name = keys["user_id"], keys["device_id"]
        identity_key = keys["keys"][f"curve25519:{name}"]
        if identity_key not in device.olm:
            found = self.keys.claim({user: {name: SIGNED}}).get(user, {}).get(name)
            if found is None:
                return False
            device.begin(identity_key, next(iter(found.values()))["key"])
        sealed = device.to_device(keys, type, content, **changed)
        self.send_to_device(device.user, ENCRYPTED, {user: {name: sealed}})
        return True

    # ---- reading -------------------------------------------------------------------------
    def seen(self, event: Event) -> None:
        """A new event: what the service encrypted is read by everyone who is joined."""
        if event.type != ENCRYPTED or not self.is_service(event.sender):
            return
        event.read_by = set()
        for user in sorted(self.world.room(event.room_id).joined):
            if self.devices(user):
                self._read(event, user)

    def _read(self, event: Event, user: str) -> None:
        slot = (event.event_id, user)
        try:
            inside = self.read(event, user)
        except Unreadable as complaint:
            self.secrets.unread[slot] = event.room_id
            if user not in self.secrets.excused:
                event.unread_by[user] = str(complaint)
            return
        self.secrets.unread.pop(slot, None)
        event.unread_by.pop(user, None)
        event.read_by = {*(event.read_by or ()), user}
        if event.sealed is None:
            event.reveal(*inside)

    def read(self, event: Event, user: str) -> tuple[str, Json]:
        """Type and content inside an encrypted event, by any device of this person; `Unreadable` says why not."""
        sealed = event.sealed or event.original
        complaints = [f"{user} has no device"]
        for device in self.devices(user):
            try:
                return device.unseal(event.event_id, event.room_id, event.sender, sealed)
            except Unreadable as complaint:
                complaints.append(str(complaint))
        raise Unreadable("; ".join(complaints[1:] or complaints))

    def excuse(self, user: Any) -> None:
        """This person (or user id) need not be able to read what the service sends, from the beginning on."""
        mxid = str(getattr(user, "mxid", user))
        self.secrets.excused.add(mxid)
        for event in self._unread():
            event.unread_by.pop(mxid, None)

    def _unread(self) -> list[Event]:
        found = {event_id: room_id for (event_id, _), room_id in self.secrets.unread.items()}
        events = [self.world.room(room_id).event(event_id) for event_id, room_id in found.items()]
        return [event for event in events if event is not None and event.redaction is None]

    def complaints(self) -> list[str]:
        """What the service did wrong: messages that somebody joined cannot read, keys for somebody who was not."""
        unread = [
            f"{user} cannot read {event.event_id} in {event.room_id}: {why}"
            for event in self._unread()
            for user, why in event.unread_by.items()
        ]
        astray = [key for key in self.keys_sent if key.membership != "join"]
        return unread + [f"key for somebody who was not joined: {key}" for key in astray]


def _cross_signing_key(user: str, usage: str, account: Account) -> Json:
    key = account.ed25519_key.to_base64()
    return {"user_id": user, "usage": [usage], "keys": {f"ed25519:{key}": key}}
