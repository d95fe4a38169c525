"""Encrypted messages and keys as no honest client would send them, by one device of a person."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from vodozemac import InboundGroupSession

from tests.flows.homeserver_device import MEGOLM, Device, padless, unpadded
from tests.flows.homeserver_events import Json

if TYPE_CHECKING:
    from tests.flows.homeserver_world import World

ENCRYPTED = "m.room.encrypted"


class Mischief:
    """Every method sends something, and returns the event id where it is an event."""

    def __init__(self, world: World, device: Device) -> None:
        self.world = world
        self.device = device

    def _text(self, body: str, extra: Json) -> Json:
        return {"msgtype": "m.text", "body": body, "m.mentions": {}, **extra}

    def _send(self, room_id: str, sealed: Json, inside: Json | None = None) -> str:
        shown = ("m.room.message", inside) if inside is not None else None
        return self.world.send(self.device.user, room_id, ENCRYPTED, sealed, force=True, inside=shown).event_id

    # ---- messages ------------------------------------------------------------------------
    def unshared(self, room_id: str, body: str, **extra: Any) -> str:
        """A message in a new session, whose key nobody gets until `share()`; what is said next shares it as well."""
        content = self._text(body, extra)
        self.device.new_outbound(room_id)
        return self._send(room_id, self.device.seal(room_id, "m.room.message", content), content)

    def share(self, room_id: str) -> None:
        """Send the key of the present session, from its beginning on, to everybody who should have it."""
        self._give(room_id, self._first_key(self.device, room_id))

    def replay(self, room_id: str, event_id: str) -> str:
        """The ciphertext of an event (somebody else's, or the own one: the same message index twice) once more."""
        return self._send(room_id, copy.deepcopy(self._sealed(event_id)))

    def twice(self, room_id: str, first: str, second: str) -> tuple[str, str]:
        """Two messages under the same message index."""
        outbound = self.world.crypto.share(self.device, room_id)
        before = copy.deepcopy(outbound.session)
        contents = [self._text(body, {}) for body in (first, second)]
        sealed = [self.device.seal(room_id, "m.room.message", contents[0])]
        outbound.session = before
        sealed.append(self.device.seal(room_id, "m.room.message", contents[1]))
        ids = [self._send(room_id, one, content) for one, content in zip(sealed, contents, strict=True)]
        return ids[0], ids[1]

    def corrupted(self, room_id: str, body: str) -> str:
        """A message whose ciphertext was damaged on its way."""
        self.world.crypto.share(self.device, room_id)
        sealed = self.device.seal(room_id, "m.room.message", self._text(body, {}))
        damaged = bytearray(padless(sealed["ciphertext"]))
        damaged[len(damaged) // 2] ^= 0xFF
        return self._send(room_id, {**sealed, "ciphertext": unpadded(bytes(damaged))})

    def sealed(self, room_id: str, body: str, *, inside: Json | None = None, **changed: Any) -> str:
        """A message with parts of the encrypted event replaced, and of its payload by `inside` (`room_id`, `type`)."""
        self.world.crypto.share(self.device, room_id)
        made = self.device.seal(room_id, "m.room.message", self._text(body, {}), inside)
        return self._send(room_id, {**made, **changed})

    # ---- keys ----------------------------------------------------------------------------
    def forged_key(self, room_id: str, session_id: str) -> None:
        """A key of one's own under the id of somebody else's session."""
        self.world.crypto.share(self.device, room_id)
        self._give(room_id, self.device.room_key(room_id, session_id=session_id))

    def stolen_key(self, room_id: str, victim: Device) -> None:
        """The key of somebody else's session, as if it were one's own."""
        self._give(room_id, self._first_key(victim, room_id))

    def forwarded_key(self, room_id: str, victim: Device) -> None:
        """The same by `m.forwarded_room_key`, for which nobody has asked."""
        session: InboundGroupSession = victim.inbound[room_id, victim.outbound[room_id].session.session_id].session
        exported = session.export_at(session.first_known_index)
        assert exported is not None
        content = {
            "algorithm": MEGOLM,
            "room_id": room_id,
            "session_id": session.session_id,
            "session_key": exported.to_base64(),
            "sender_key": victim.identity_key,
            "sender_claimed_ed25519_key": victim.signing_key,
            "forwarding_curve25519_key_chain": [],
        }
        self._give(room_id, content, "m.forwarded_room_key")

    def impersonated_key(self, room_id: str, victim: str) -> None:
        """A key of one's own whose payload names somebody else as its sender."""
        self.world.crypto.share(self.device, room_id)
        self._give(room_id, self.device.room_key(room_id), sender=victim)

    def request_key(self, room_id: str, session_id: str, sender_key: str = "") -> None:
        """Ask everybody in the room for the key of a session."""
        body = {"algorithm": MEGOLM, "room_id": room_id, "session_id": session_id, "sender_key": sender_key}
        content = {
            "action": "request",
            "body": body,
            "request_id": f"{self.device.device_id}-{session_id}",
            "requesting_device_id": self.device.device_id,
        }
        users = {user for user, _ in self.world.crypto.readers(self.device, room_id)}
        messages = {user: {"*": content} for user in sorted(users)}
        self.world.crypto.send_to_device(self.device.user, "m.room_key_request", messages)

    def _give(self, room_id: str, content: Json, type: str = "m.room_key", **changed: Any) -> None:
        for keys in self.world.crypto.readers(self.device, room_id).values():
            self.world.crypto.give(self.device, keys, type, content, **changed)

    def _first_key(self, device: Device, room_id: str) -> Json:
        return device.room_key(room_id, session_key=device.outbound[room_id].first_key)

    def _sealed(self, event_id: str) -> Json:
        event = next(event for room in self.world.rooms.values() if (event := room.event(event_id)))
        return event.sealed or event.original
