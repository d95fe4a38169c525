"""Events as the fake homeserver keeps them, and what it refuses to accept. Pure."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

PDU_LIMIT = 65_536
PDU_OVERHEAD = 400  # hashes, signatures, auth and previous events: in the PDU, not in the client format
LARGEST = 2**53 - 1
EVERYTHING = frozenset({"*"})
KEPT_BY_REDACTION = {
    "m.room.create": EVERYTHING,
    "m.room.member": frozenset({"membership", "join_authorised_via_users_server"}),
    "m.room.join_rules": frozenset({"join_rule", "allow"}),
    "m.room.power_levels": frozenset(
        {"ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users"} | {"users_default"}
    ),
    "m.room.history_visibility": frozenset({"history_visibility"}),
    "m.room.redaction": frozenset({"redacts"}),
}


class Refused(Exception):
    """What a client gets instead of an answer: HTTP status, `errcode`, message."""

    def __init__(self, status: int, errcode: str, error: str, **extra: Any) -> None:
        super().__init__(f"{status} {errcode}: {error}")
        self.status = status
        self.errcode = errcode
        self.error = error
        self.extra = extra

    @property
    def body(self) -> Json:
        return {"errcode": self.errcode, "error": self.error, **self.extra}

    def again(self) -> Refused:
        """The same refusal, to be raised once more."""
        return Refused(self.status, self.errcode, self.error, **self.extra)


INVITE_BLOCKED = Refused(403, "M_INVITE_BLOCKED", "You are not permitted to invite this user.")
UNKNOWN_USER = Refused(404, "M_NOT_FOUND", "User does not exist")
UNREACHABLE = Refused(502, "M_UNKNOWN", "Can't connect to server")


def forbidden(error: str) -> Refused:
    return Refused(403, "M_FORBIDDEN", error)


@dataclass(eq=False)
class Event:
    """One event of a room. `content` is what the room shows now; `original` is as it was sent.

    One that was encrypted shows type and content of what was inside; `sealed` is then the content on the wire, and
    what the service sent has been read by `read_by`, and could not be by `unread_by`, though they were joined.
    """

    event_id: str
    room_id: str
    type: str
    sender: str
    content: Json
    ts: int
    order: int
    state_key: str | None = None
    previous: Event | None = None
    redaction: Event | None = None
    stripped: list[Json] | None = None
    original: Json = field(default_factory=dict)
    sealed: Json | None = None
    read_by: set[str] | None = None
    unread_by: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.content = copy.deepcopy(self.content)
        self.original = copy.deepcopy(self.content)

    @property
    def relation(self) -> Json:
        found = self.content.get("m.relates_to")
        return found if isinstance(found, dict) else {}

    @property
    def replaces(self) -> str | None:
        """Event id that this message edits."""
        return self.relation.get("event_id") if self.relation.get("rel_type") == "m.replace" else None

    @property
    def body(self) -> str:
        return str(self.content.get("body", ""))

    def reveal(self, type: str, content: Json) -> None:
        """Show what is inside this encrypted event; on the wire it stays as it was."""
        self.sealed, self.type = self.original, type
        relation = {"m.relates_to": self.sealed["m.relates_to"]} if "m.relates_to" in self.sealed else {}
        self.original = copy.deepcopy({**relation, **content})
        self.content = copy.deepcopy(self.original) if self.redaction is None else {}

    def readable_by(self, user: str) -> bool:
        """Whether a person has what is inside. Fails if they should and do not."""
        assert user not in self.unread_by, f"{user} cannot read {self.event_id}: {self.unread_by[user]}"
        return self.read_by is None or user in self.read_by

    def redact(self, by: Event) -> None:
        kept = KEPT_BY_REDACTION.get(self.type, frozenset())
        self.redaction = by
        if "*" not in kept:
            self.content = {key: value for key, value in self.content.items() if key in kept}

    def client(self, *, stored: bool = True) -> Json:
        """Client format. `stored=False`: as it was when it was new, before any redaction."""
        unsigned: Json = {"age": 20}
        content = self.content if stored else self.original
        if self.sealed is not None:
            content = {} if stored and self.redaction is not None else self.sealed
        out: Json = {
            "event_id": self.event_id,
            "room_id": self.room_id,
            "type": self.type if self.sealed is None else "m.room.encrypted",
            "sender": self.sender,
            "origin_server_ts": self.ts,
            "content": copy.deepcopy(content),
            "unsigned": unsigned,
        }
        if self.type == "m.room.redaction" and "redacts" in out["content"]:
            out["redacts"] = out["content"]["redacts"]
        if self.state_key is not None:
            out["state_key"] = self.state_key
        if self.previous is not None:
            unsigned["prev_content"] = copy.deepcopy(self.previous.content)
            unsigned["prev_sender"] = self.previous.sender
            unsigned["replaces_state"] = self.previous.event_id
        if self.stripped is not None:
            unsigned["invite_room_state"] = copy.deepcopy(self.stripped)
        if self.redaction is not None and stored:
            unsigned["redacted_by"] = self.redaction.event_id
            unsigned["redacted_because"] = self.redaction.client()
        return out

    def delivered(self, *, stored: bool = True) -> Json:
        """What Synapse puts into a transaction: client format with the legacy fields at the top level."""
        out = self.client(stored=stored)
        legacy = {k: v for k, v in out["unsigned"].items() if k not in ("prev_sender", "redacted_by")}
        return {**legacy, "user_id": self.sender, **out}


def canonical(value: Any) -> bytes:
    """Canonical JSON; lone surrogates are kept as three bytes, so that a size can always be told."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", "surrogatepass")


def hashed_id(*parts: object) -> str:
    """43 characters like the hash in a real event id; the same parts give the same id."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def check_content(value: Any, *, text: Refused | None = None) -> None:
    """Refuse what Synapse refuses in a local event; `text` is the refusal for NUL and lone surrogates."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, float):
        raise Refused(400, "M_BAD_JSON", "Bad JSON value: float")
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise Refused(400, "M_BAD_JSON", "JSON integer out of range")
    elif isinstance(value, str):
        _check_text(value, text)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key, text)
            check_content(inner, text=text)
    else:
        for inner in value:
            check_content(inner, text=text)


def _check_text(value: str, refusal: Refused | None) -> None:
    if "\x00" in value:
        raise refusal.again() if refusal else Refused(400, "M_BAD_JSON", "Bad JSON value: string with U+0000")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise (
            refusal.again() if refusal else Refused(400, "M_BAD_JSON", "Bad JSON value: string with a lone surrogate")
        )


def check_size(type: str, room_id: str, sender: str, state_key: str | None, content: Json) -> None:
    """Refuse an event whose PDU would be over 65,536 bytes, or a name over 255 bytes."""
    for name, text in (("type", type), ("state_key", state_key or "")):
        if len(text.encode("utf-8", "surrogatepass")) > 255:
            raise Refused(413, "M_TOO_LARGE", f"'{name}' too large")
    pdu = [type, room_id, sender, state_key, content]
    if len(canonical(pdu)) + PDU_OVERHEAD > PDU_LIMIT:
        raise Refused(413, "M_TOO_LARGE", "event too large")


def check_shape(type: str, content: Json) -> None:
    """The few shapes that Synapse checks in local events."""
    needed = {"m.room.message": ("body", "msgtype"), "m.room.topic": ("topic",), "m.room.name": ("name",)}
    needed["m.room.tombstone"] = ("replacement_room",)
    for key in needed.get(type, ()):
        if key not in content:
            raise Refused(400, "M_UNKNOWN", f"'{key}' not in content")
        if not isinstance(content[key], str):
            raise Refused(400, "M_UNKNOWN", f"'{key}' not a string type")
    mentions = content.get("m.mentions", {})
    users = mentions.get("user_ids", []) if isinstance(mentions, dict) else None
    if not isinstance(users, list) or not all(isinstance(user, str) for user in users):
        raise Refused(400, "M_BAD_JSON", "m.mentions is not of the right type")
