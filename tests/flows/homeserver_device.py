"""One device of a person, with a client's cryptography: Olm, Megolm and signatures by vodozemac. No rooms, no HTTP."""

from __future__ import annotations

import base64
import copyreg
import json
from dataclasses import dataclass, field
from typing import Any

import vodozemac

from tests.flows.homeserver_events import Json, canonical

OLM, MEGOLM = "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"
SIGNED = "signed_curve25519"
ONE_TIME_KEYS = 20  # the fallback key comes after them
ROTATION_MESSAGES = 100

_PICKLE_KEY = bytes(32)


def _pickled(one: Any) -> tuple[Any, tuple[str, bytes]]:
    return type(one).from_pickle, (one.pickle(_PICKLE_KEY), _PICKLE_KEY)


for _kind in (vodozemac.Account, vodozemac.Session, vodozemac.GroupSession, vodozemac.InboundGroupSession):
    copyreg.pickle(_kind, _pickled)  # so that copy.deepcopy copies devices


class Unreadable(Exception):
    """A message that this device cannot read; says why."""


def unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def padless(text: str) -> bytes:
    """What unpadded base64 stands for."""
    return base64.b64decode(text + "=" * (-len(text) % 4))


def signable(value: Json) -> bytes:
    return canonical({key: inner for key, inner in value.items() if key not in ("signatures", "unsigned")})


def sign(account: vodozemac.Account, user: str, name: str, value: Json) -> Json:
    """The same with one more signature, under `ed25519:name`."""
    signature = account.sign(signable(value)).to_base64()
    signatures = {who: dict(found) for who, found in value.get("signatures", {}).items()}
    signatures.setdefault(user, {})[f"ed25519:{name}"] = signature
    return {**value, "signatures": signatures}


def verifies(value: Json, user: str, name: str, key: str) -> bool:
    """Whether it bears a good signature under that name."""
    try:
        signature = vodozemac.Ed25519Signature.from_base64(value["signatures"][user][f"ed25519:{name}"])
        vodozemac.Ed25519PublicKey.from_base64(key).verify_signature(signable(value), signature)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def inbound_session(key: str) -> vodozemac.InboundGroupSession:
    """What an `m.room_key` gives, by its `session_key`."""
    return vodozemac.InboundGroupSession(vodozemac.SessionKey(key))


@dataclass
class Inbound:
    """A Megolm session that this device can read, from whom, and which event had which message index."""

    session: vodozemac.InboundGroupSession
    sender: str
    sender_key: str
    seen: dict[int, str] = field(default_factory=dict)


@dataclass
class Outbound:
    """A Megolm session that this device writes with, and by user and device the identity keys that have it."""

    session: vodozemac.GroupSession
    first_key: str
    shared_with: dict[tuple[str, str], str] = field(default_factory=dict)
    messages: int = 0


@dataclass(eq=False)
class Device:
    """One device. `received` holds every to-device message as it was inside, with who sent it."""

    user: str
    device_id: str
    account: vodozemac.Account = field(default_factory=vodozemac.Account)
    olm: dict[str, list[vodozemac.Session]] = field(default_factory=dict)
    inbound: dict[tuple[str, str], Inbound] = field(default_factory=dict)
    outbound: dict[str, Outbound] = field(default_factory=dict)
    received: list[Json] = field(default_factory=list)

    @property
    def identity_key(self) -> str:
        return self.account.curve25519_key.to_base64()

    @property
    def signing_key(self) -> str:
        return self.account.ed25519_key.to_base64()

    def __repr__(self) -> str:
        return f"<Device {self.device_id} of {self.user}>"

    # ---- what is uploaded ----------------------------------------------------------------
    def keys(self) -> Json:
        """The device's public keys, signed by itself."""
        keys = {f"curve25519:{self.device_id}": self.identity_key, f"ed25519:{self.device_id}": self.signing_key}
        unsigned = {"user_id": self.user, "device_id": self.device_id, "algorithms": [OLM, MEGOLM], "keys": keys}
        return sign(self.account, self.user, self.device_id, unsigned)

    def one_time_keys(self, count: int = ONE_TIME_KEYS) -> Json:
        """New signed one-time keys."""
        self.account.generate_one_time_keys(count)
        found = {key_id: key.to_base64() for key_id, key in self.account.one_time_keys.items()}
        self.account.mark_keys_as_published()
        return {f"{SIGNED}:{name}": self._signed({"key": key}) for name, key in found.items()}

    def fallback_keys(self) -> Json:
        """A new signed fallback key."""
        self.account.generate_fallback_key()  # type: ignore[attr-defined]
        found = {key_id: key.to_base64() for key_id, key in self.account.fallback_key.items()}  # type: ignore[attr-defined]
        self.account.mark_keys_as_published()
        return {f"{SIGNED}:{name}": self._signed({"key": key, "fallback": True}) for name, key in found.items()}

    def _signed(self, value: Json) -> Json:
        return sign(self.account, self.user, self.device_id, value)

    # ---- Olm: between two devices --------------------------------------------------------
    def begin(self, identity_key: str, one_time_key: str) -> None:
        """A new Olm session with another device, by a key that was claimed."""
        their = vodozemac.Curve25519PublicKey.from_base64
        session = self.account.create_outbound_session(their(identity_key), their(one_time_key))
        self.olm.setdefault(identity_key, []).insert(0, session)

    def to_device(self, other: Json, type: str, content: Json, **changed: Any) -> Json:
        """Content of an encrypted to-device message for the device with these keys; a session must be there.

        `changed` replaces parts of what is inside: `sender`, `recipient` and so on, as an impostor would.
        """
        name = other["device_id"]
        their_key = other["keys"][f"curve25519:{name}"]
        inside = {
            "type": type,
            "content": content,
            "sender": self.user,
            "sender_device": self.device_id,
            "keys": {"ed25519": self.signing_key},
            "recipient": other["user_id"],
            "recipient_keys": {"ed25519": other["keys"][f"ed25519:{name}"]},
            **changed,
        }
        kind, body = self.olm[their_key][0].encrypt(json.dumps(inside).encode()).to_parts()
        ciphertext = {their_key: {"type": kind, "body": unpadded(body)}}
        return {"algorithm": OLM, "sender_key": self.identity_key, "ciphertext": ciphertext}

    def open(self, sender: str, content: Json) -> Json:
        """What is inside an encrypted to-device message: `type`, `content` and the rest."""
        part = content.get("ciphertext", {}).get(self.identity_key)
        if content.get("algorithm") != OLM or part is None:
            raise Unreadable(f"not encrypted for {self}")
        sender_key = str(content["sender_key"])
        inside = json.loads(self._olm_plaintext(sender_key, part["type"], padless(part["body"])))
        wanted = {"sender": sender, "recipient": self.user, "recipient_keys": {"ed25519": self.signing_key}}
        wrong = {key: inside.get(key) for key, value in wanted.items() if inside.get(key) != value}
        if wrong:
            raise Unreadable(f"{self} was sent what names {wrong}, not {wanted}")
        return {**inside, "sender_key": sender_key}

    def _olm_plaintext(self, sender_key: str, kind: int, body: bytes) -> bytes:
        message = vodozemac.AnyOlmMessage.from_parts(kind, body)
        first = message.to_pre_key()
        sessions = self.olm.setdefault(sender_key, [])
        for session in list(sessions):
            if first is not None and not session.session_matches(first):
                continue
            try:
                found = session.decrypt(message)
            except ValueError:
                continue
            sessions.remove(session)
            sessions.insert(0, session)
            return bytes(found)
        if first is None:
            raise Unreadable(f"{self} has no Olm session for a message of {sender_key}")
        key = vodozemac.Curve25519PublicKey.from_base64(sender_key)
        try:
            session, plaintext = self.account.create_inbound_session(key, first)
        except ValueError as error:
            raise Unreadable(f"{self} cannot begin an Olm session with {sender_key}: {error}") from error
        sessions.insert(0, session)
        return bytes(plaintext)

    # ---- Megolm: in rooms ----------------------------------------------------------------
    def new_outbound(self, room_id: str) -> Outbound:
        """A new Megolm session to write with, which this device can read itself."""
        session = vodozemac.GroupSession()
        self.outbound[room_id] = Outbound(session, session.session_key.to_base64())
        self.keep(room_id, session.session_id, self.outbound[room_id].first_key, self.user, self.identity_key)
        return self.outbound[room_id]

    def room_key(self, room_id: str, **changed: Any) -> Json:
        """Content of the `m.room_key` from the present message index on."""
        session = self.outbound[room_id].session
        content = {"algorithm": MEGOLM, "room_id": room_id, "session_id": session.session_id}
        return {**content, "session_key": session.session_key.to_base64(), **changed}

    def keep(self, room_id: str, session_id: str, key: str, sender: str, sender_key: str) -> int:
        """Keep a Megolm session to read with; returns from which index. One that reaches further back is kept."""
        session = inbound_session(key)
        if session.session_id != session_id:
            raise Unreadable(f"the key of {session.session_id} was sent under the name {session_id}")
        known = self.inbound.get((room_id, session_id))
        if known is None or known.session.first_known_index > session.first_known_index:
            self.inbound[room_id, session_id] = Inbound(session, sender, sender_key, known.seen if known else {})
        return session.first_known_index

    def seal(self, room_id: str, type: str, content: Json, changed: Json | None = None) -> Json:
        """Content of an `m.room.encrypted` in the session that is there; relations stay in clear.

        `changed` replaces parts of what is inside, such as `room_id`.
        """
        outbound = self.outbound[room_id]
        inner = {key: value for key, value in content.items() if key != "m.relates_to"}
        inside = {"type": type, "content": inner, "room_id": room_id, **(changed or {})}
        ciphertext = outbound.session.encrypt(json.dumps(inside).encode()).to_base64()
        outbound.messages += 1
        relation = {"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {}
        return {
            "algorithm": MEGOLM,
            "sender_key": self.identity_key,
            "device_id": self.device_id,
            "session_id": outbound.session.session_id,
            "ciphertext": ciphertext,
            **relation,
        }

    def unseal(self, event_id: str, room_id: str, sender: str, content: Json) -> tuple[str, Json]:
        """Type and content inside an `m.room.encrypted`; `Unreadable` says what a client would complain of."""
        session_id = content.get("session_id")
        inbound = self.inbound.get((room_id, str(session_id)))
        if inbound is None:
            raise Unreadable(f"{self} never got the key of session {session_id} by {sender}")
        try:
            found = inbound.session.decrypt(vodozemac.MegolmMessage.from_base64(content["ciphertext"]))
        except ValueError as error:
            known = inbound.session.first_known_index
            raise Unreadable(f"{self} has session {session_id} from index {known}: {error}") from error
        if inbound.sender != sender:
            raise Unreadable(f"session {session_id} is one of {inbound.sender}, not of {sender}")
        if inbound.seen.setdefault(found.message_index, event_id) != event_id:
            raise Unreadable(f"index {found.message_index} of {session_id} was {inbound.seen[found.message_index]}")
        inside = json.loads(bytes(found.plaintext))
        if inside["room_id"] != room_id:
            raise Unreadable(f"written for room {inside['room_id']}")
        return inside["type"], inside["content"]
