"""What a homeserver knows and decides: accounts, rooms, events, media. In memory, synchronous, no HTTP.

The application service reaches it through `homeserver_api`, people act on it directly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.flows.homeserver_crypto import Crypto, Secrets
from tests.flows.homeserver_events import Event, Json, Refused, check_shape, check_size, forbidden, hashed_id
from tests.flows.homeserver_keys import KeyStore
from tests.flows.homeserver_rooms import CREATOR_RULES, Room

FIRST_TS = 1_790_000_000_000
PRESETS: dict[str, Json] = {
    "private_chat": {"join_rule": "invite", "guest_access": "can_join", "power": {"invite": 0}},
    "trusted_private_chat": {"join_rule": "invite", "guest_access": "can_join", "power": {"invite": 0}},
    "public_chat": {"join_rule": "public", "guest_access": "forbidden", "power": {}},
}


class World:
    """Accounts, rooms and media of one homeserver and of the remote people in its rooms."""

    def __init__(
        self,
        domain: str,
        *,
        clock: Callable[[], int] | None = None,
        is_service: Callable[[str], bool] = lambda mxid: False,
    ) -> None:
        ticks = itertools.count(FIRST_TS)
        self.domain = domain
        self.clock = clock or (lambda: next(ticks))
        self.rooms: dict[str, Room] = {}
        self.accounts: dict[str, Json] = {}
        self.devices: set[tuple[str, str]] = set()
        self.media: dict[str, tuple[bytes, str]] = {}
        self.aliases: dict[str, str] = {}
        self.removable_aliases: set[str] = set()
        self.listed: set[str] = set()
        self.invite_refusals: dict[str, Refused] = {}
        self.keys = KeyStore()
        self.secrets = Secrets()
        self.crypto = Crypto(self, is_service)
        self.observers: list[Callable[[Event], None]] = [self.crypto.seen]
        self._order = itertools.count(1)
        self._media = itertools.count(1)

    # ---- accounts ------------------------------------------------------------------------
    def account(self, mxid: str) -> Json:
        """Profile of a local account, made when it does not exist."""
        return self.accounts.setdefault(mxid, {"displayname": mxid[1:].partition(":")[0]})

    def is_local(self, mxid: str) -> bool:
        return mxid.partition(":")[2] == self.domain

    # ---- rooms ---------------------------------------------------------------------------
    def room(self, room_id: str) -> Room:
        if room_id not in self.rooms:
            raise forbidden(f"Unknown room {room_id}")
        return self.rooms[room_id]

    def rooms_of(self, user: str, membership: str = "join") -> list[Room]:
        return [room for room in self.rooms.values() if room.membership(user) == membership]

    def create_room(self, creator: str, body: Json) -> Room:
        """`POST /createRoom`: the events that Synapse makes, in its order.

        A refused invitation refuses the request *after* the room was made, as in Synapse.
        """
        usual = "public_chat" if body.get("visibility") == "public" else "private_chat"
        name = body.get("preset") or usual
        if name not in PRESETS:
            raise Refused(400, "M_BAD_JSON", f"'{name}' is not a valid preset")
        invited = list(body.get("invite", []))
        for user in invited:
            check_user_id(user)
        version = str(body.get("room_version", "12"))
        created = {**body.get("creation_content", {}), "room_version": version}
        if version in CREATOR_RULES and name == "trusted_private_chat" and invited:
            created["additional_creators"] = sorted({*created.get("additional_creators", []), *invited})
        levels = self._first_levels(creator, body, name, version, created)
        room = self._open_room(creator, version, created)
        self._fill_room(room, creator, body, PRESETS[name], levels)
        for user in invited:
            extra = {"is_direct": True} if body.get("is_direct") else {}
            self.set_membership(creator, room.room_id, user, "invite", extra)
        return room

    def _first_levels(self, creator: str, body: Json, preset: str, version: str, created: Json) -> Json:
        outranks = version in CREATOR_RULES
        levels: Json = {
            "users": {} if outranks else {creator: 100},
            "users_default": 0,
            "events": {
                "m.room.name": 50,
                "m.room.power_levels": 100,
                "m.room.history_visibility": 100,
                "m.room.canonical_alias": 50,
                "m.room.avatar": 50,
                "m.room.tombstone": 150 if outranks else 100,
                "m.room.server_acl": 100,
                "m.room.encryption": 100,
            },
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": 50,
            "historical": 100,
        }
        if preset == "trusted_private_chat" and not outranks:
            levels["users"].update(dict.fromkeys(body.get("invite", []), 100))
        levels |= {**PRESETS[preset]["power"], **body.get("power_level_content_override", {})}
        creators = {creator, *created.get("additional_creators", [])} if outranks else set()
        for user in sorted(creators & set(levels["users"])):
            raise Refused(400, "M_UNKNOWN", f"Creator user {user} must not appear in content.users")
        return levels

    def _open_room(self, creator: str, version: str, created: Json) -> Room:
        order = next(self._order)
        hashed = hashed_id("room", self.domain, order)
        outranks = version in CREATOR_RULES
        room = Room(f"!{hashed}" if outranks else f"!{hashed[:18]}:{self.domain}", version)
        self.rooms[room.room_id] = room
        self._append(room, "m.room.create", creator, created, "", event_id=f"${hashed}")
        self.set_membership(creator, room.room_id, creator, "join")
        return room

    def _fill_room(self, room: Room, creator: str, body: Json, preset: Json, levels: Json) -> None:
        given = {(item["type"], item.get("state_key", "")): item["content"] for item in _initial(body)}
        state: dict[tuple[str, str], Json] = {
            ("m.room.power_levels", ""): levels,
            ("m.room.join_rules", ""): {"join_rule": preset["join_rule"]},
            ("m.room.history_visibility", ""): {"history_visibility": "shared"},
            ("m.room.guest_access", ""): {"guest_access": preset["guest_access"]},
            **given,
        }
        if "name" in body:
            state["m.room.name", ""] = {"name": body["name"]}
        if "topic" in body:
            topic = body["topic"]
            state["m.room.topic", ""] = {"topic": topic, "m.topic": {"m.text": [{"body": topic}]}}
        for (type, key), content in state.items():
            self.put_state(creator, room.room_id, type, key, content)

    # ---- the directory -------------------------------------------------------------------
    def make_alias(self, sender: str, room_id: str, alias: str) -> None:
        """Any member may; it leaves no event in the room."""
        if self.room(room_id).membership(sender) != "join":
            raise forbidden("You must be in the room to create an alias for it")
        if alias in self.aliases:
            raise Refused(409, "M_UNKNOWN", f"Room alias {alias} already exists")
        self.aliases[alias] = room_id

    def aliases_of(self, room_id: str) -> list[str]:
        return sorted(alias for alias, room in self.aliases.items() if room == room_id)

    def list_room(self, sender: str, room_id: str, *, listed: bool, force: bool = False) -> None:
        """Whoever may set the canonical alias may; `force` stands for the operator."""
        room = self.room(room_id)
        if not force and room.level(sender) < room.send_level("m.room.canonical_alias", state=True):
            raise forbidden("You must be a moderator to publish this room")
        (self.listed.add if listed else self.listed.discard)(room_id)

    # ---- events --------------------------------------------------------------------------
    def send(
        self,
        sender: str,
        room_id: str,
        type: str,
        content: Json,
        *,
        force: bool = False,
        inside: tuple[str, Json] | None = None,
    ) -> Event:
        """A message event. `force` lets anything through, as odd remote servers do; `inside` is what is encrypted."""
        room = self.room(room_id)
        if not force:
            room.check_send(sender, type, None, content)
            if self.is_local(sender):
                self._check_relation(room, sender, type, content)
        if type == "m.room.redaction" and isinstance(content.get("redacts"), str):
            return self._redact(room, sender, content, force=force)
        return self._append(room, type, sender, content, None, inside=inside)

    def put_state(
        self, sender: str, room_id: str, type: str, state_key: str, content: Json, *, force: bool = False
    ) -> Event:
        """A state event; the event that is there already if nothing would change."""
        room = self.room(room_id)
        if type == "m.room.member" and not force:
            return self._put_member(sender, room, state_key, content)
        if not force:
            room.check_send(sender, type, state_key, content)
        current = room.state.get((type, state_key))
        if current is not None and current.sender == sender and current.content == content and not force:
            return current
        return self._append(room, type, sender, content, state_key)

    def redact(
        self, sender: str, room_id: str, event_id: str, content: Json | None = None, *, force: bool = False
    ) -> Event:
        """A redaction. One of an unknown event is accepted, but reaches nobody."""
        room = self.room(room_id)
        if not force:
            room.check_send(sender, "m.room.redaction", None, {})
        return self._redact(room, sender, {**(content or {}), "redacts": event_id}, force=force)

    def _redact(self, room: Room, sender: str, content: Json, *, force: bool) -> Event:
        target = room.event(content["redacts"])
        if target is not None and not force:
            if target.type in ("m.room.create", "m.room.server_acl"):
                raise forbidden(f"Redacting {target.type} events is not permitted")
            if target.sender != sender and room.level(sender) < room.named_level("redact", 50):
                raise forbidden("You don't have permission to redact events")
        event = self._append(room, "m.room.redaction", sender, content, None, silent=target is None)
        if target is not None and target.redaction is None:
            target.redact(event)
        return event

    def _check_relation(self, room: Room, sender: str, type: str, content: Json) -> None:
        relation = content.get("m.relates_to")
        if not isinstance(relation, dict) or relation.get("rel_type") != "m.annotation":
            return
        target, key = relation.get("event_id"), relation.get("key")
        if not isinstance(target, str) or room.event(target) is None:
            raise Refused(400, "M_UNKNOWN", "Can't send relation to unknown event")
        for event in room.events:
            same = (event.type, event.sender, event.redaction) == (type, sender, None)
            if same and (event.relation.get("event_id"), event.relation.get("key")) == (target, key):
                raise Refused(400, "M_DUPLICATE_ANNOTATION", "Can't send same reaction twice")

    # ---- membership ----------------------------------------------------------------------
    def set_membership(self, sender: str, room_id: str, target: str, action: str, extra: Json | None = None) -> Event:
        """Join, invite, leave, kick, ban or unban; the present event if nothing would change."""
        check_user_id(target)
        if room_id not in self.rooms:
            raise Refused(404, "M_UNKNOWN", "Not a known room")
        room = self.rooms[room_id]
        if action == "invite":
            self._check_invitable(target)
        membership = {"join": "join", "invite": "invite", "ban": "ban"}.get(action, "leave")
        content: Json = {"membership": membership, **(extra or {})}
        if membership in ("join", "invite") and (self.is_local(target) or membership == "join"):
            content = {**self._profile(target), **content}
        current = room.state.get(("m.room.member", target))
        if current is not None and action == "leave" and current.content.get("membership") == "leave":
            return current
        if current is not None and current.sender == sender and current.content == content:
            return current
        room.check_membership(sender, target, action)
        return self._append(room, "m.room.member", sender, content, target)

    def _put_member(self, sender: str, room: Room, target: str, content: Json) -> Event:
        membership = content.get("membership")
        if membership not in ("join", "invite", "leave", "ban", "knock"):
            raise Refused(400, "M_UNKNOWN", "Invalid membership key")
        action = "kick" if membership == "leave" and sender != target else str(membership)
        extra = {key: value for key, value in content.items() if key != "membership"}
        return self.set_membership(sender, room.room_id, target, action, extra)

    def _check_invitable(self, target: str) -> None:
        refusal = self.invite_refusals.get(target) or self.invite_refusals.get(target.partition(":")[2])
        if refusal is not None:
            raise refusal.again()

    def _profile(self, mxid: str) -> Json:
        return {key: value for key, value in self.accounts.get(mxid, {}).items() if value}

    # ---- media ---------------------------------------------------------------------------
    def store_media(self, data: bytes, mime: str) -> str:
        """Keep a file; returns its mxc URI."""
        media_id = hashed_id("media", next(self._media))[:24]
        self.media[media_id] = (data, mime)
        return f"mxc://{self.domain}/{media_id}"

    # ---- the end of every road -----------------------------------------------------------
    def _append(
        self,
        room: Room,
        type: str,
        sender: str,
        content: Json,
        state_key: str | None,
        *,
        event_id: str = "",
        silent: bool = False,
        inside: tuple[str, Json] | None = None,
    ) -> Event:
        order = next(self._order)
        event = Event(
            event_id=event_id or f"${hashed_id('event', self.domain, order)}",
            room_id=room.room_id,
            type=type,
            sender=sender,
            content=content,
            ts=self.clock(),
            order=order,
            state_key=state_key,
        )
        if state_key is not None:
            event.previous = room.state.get((type, state_key))
            if type == "m.room.member" and content.get("membership") == "invite":
                event.stripped = room.stripped(sender)
        if inside is not None:
            event.reveal(*inside)
        room.append(event)
        if not silent:
            for observer in list(self.observers):
                observer(event)
        return event


def check_user_id(value: Any) -> None:
    if not isinstance(value, str) or not value.startswith("@"):
        raise Refused(400, "M_INVALID_PARAM", "Expected UserID string to start with '@'")
    if ":" not in value:
        raise Refused(400, "M_INVALID_PARAM", "Invalid user ID")


def check_local_event(type: str, room_id: str, sender: str, key: str | None, content: Json) -> None:
    """Shapes and sizes that a homeserver checks in what its own clients send."""
    check_shape(type, content)
    check_size(type, room_id, sender, key, content)


def _initial(body: Json) -> list[Json]:
    found = body.get("initial_state", [])
    return [item for item in found if isinstance(item, dict) and isinstance(item.get("content"), dict)]
