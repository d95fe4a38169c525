"""Guarding: the state that a group's room and its desk have to have, and what puts it right where it is not so.

Pure and total: whatever a room's state is like, `restores` says for one piece of it whether it may stay, `drift` for
all of it. Defaults are those of the Matrix specification (Client-Server API, "Room Events").
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Content = Mapping[str, Any]
Key = tuple[str, str]
"""Type and state key of a piece of state."""

JOIN_RULES, HISTORY, GUESTS = "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access"
POWER_LEVELS, ENCRYPTION, SERVER_ACL = "m.room.power_levels", "m.room.encryption", "m.room.server_acl"
CANONICAL_ALIAS, THIRD_PARTY_INVITE = "m.room.canonical_alias", "m.room.third_party_invite"
TOMBSTONE = "m.room.tombstone"
MEGOLM = "m.megolm.v1.aes-sha2"
"""The one algorithm that the service can read and write."""
GUARDED = (
    JOIN_RULES,
    HISTORY,
    POWER_LEVELS,
    ENCRYPTION,
    SERVER_ACL,
    TOMBSTONE,
    GUESTS,
    CANONICAL_ALIAS,
    THIRD_PARTY_INVITE,
    "m.room.policy",
    "m.space.child",
    "m.space.parent",
    "im.vector.modular.widgets",
    "m.widget",
    "io.element.widgets.layout",
    "m.room.retention",
)
"""Policy events: only the service may send them; in an adopted room others may be able to, and are corrected."""

_KEYED = (THIRD_PARTY_INVITE, "m.space.child", "m.space.parent", "im.vector.modular.widgets", "m.widget")
"""Those whose state key says which one of several it is; all others mean something with an empty key only."""
_CLOSED: Mapping[str, Content] = {
    JOIN_RULES: {"join_rule": "invite"},
    HISTORY: {"history_visibility": "joined"},
    GUESTS: {"guest_access": "forbidden"},
}
ENCRYPTED: Content = {"algorithm": MEGOLM}
"""How rooms are encrypted that the service has made."""
_OPEN_TO_ALL_SERVERS: Content = {"allow": ["*"], "deny": [], "allow_ip_literals": True}
"""What stands for no server ACL: an empty one shuts out every server."""
_DEFAULTS = {"users_default": 0, "events_default": 0, "state_default": 50, "invite": 0}
_DEFAULTS |= {"kick": 50, "ban": 50, "redact": 50}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one room has to have: its power levels, `own` state of ours by type, and what it may keep as it was when it
    was adopted (by type, or "type state_key").

    `reach` is the bot's power level in a room that it has not created: whoever has as much cannot be lowered.
    """

    power_levels: Content
    own: Mapping[str, Content] = field(default_factory=dict)
    kept: Mapping[str, Content] = field(default_factory=dict)
    reach: int | None = None


def kept_key(type: str, state_key: str = "") -> str:
    """Give the name under which a piece of state is kept."""
    return f"{type} {state_key}" if state_key else type


def restores(rules: Rules, type: str, state_key: str, content: Content) -> Content | None:
    """Give the content that puts a piece of state right, or None where it may stay as it is."""
    if state_key and type not in _KEYED:
        return None
    if type in rules.own:
        return None if content == rules.own[type] else rules.own[type]
    if type in _CLOSED:
        return None if _has(content, _CLOSED[type]) else _CLOSED[type]
    if type == POWER_LEVELS:
        users = {**_mapping(rules.power_levels, "users"), **beyond(rules, content)}
        reachable = {**rules.power_levels, "users": users}
        return None if _meaning(content) == _meaning(reachable) else reachable
    return _like_kept(type, content, rules.kept.get(kept_key(type, state_key))) if type in GUARDED else None


def beyond(rules: Rules, power_levels: Content) -> dict[str, int]:
    """Give those whom somebody has given a power level from which the bot cannot lower them."""
    if rules.reach is None:
        return {}
    wanted, found = _mapping(rules.power_levels, "users"), _mapping(power_levels, "users")
    levels = {user: _level(level, 0) for user, level in found.items()}
    high = {user: level for user, level in levels.items() if level >= rules.reach}
    return {user: level for user, level in high.items() if level > _level(wanted.get(user), 0)}


def level_of(power_levels: Content, user_id: str) -> int:
    """Give the power level that a person has by a room's power levels."""
    default = _level(power_levels.get("users_default"), 0)
    return _level(_mapping(power_levels, "users").get(user_id), default)


def turns_encryption_on(rules: Rules, type: str, state_key: str, content: Content) -> bool:
    """Tell whether a room is encrypted from now on that was not before; that is accepted, and kept."""
    is_on = is_encrypted(content)
    return type == ENCRYPTION and not state_key and ENCRYPTION not in rules.kept and is_on


def is_encrypted(content: Content) -> bool:
    """Tell whether a room with this m.room.encryption is encrypted, readable to the service or not."""
    return isinstance(content.get("algorithm"), str)


def drift(rules: Rules, state: Mapping[Key, Content]) -> dict[Key, Content]:
    """Give what puts a room's state right, by type and state key. Power levels come first, so that who has changed the
    rest cannot do so again."""
    needed = [*_CLOSED, POWER_LEVELS, *rules.own]
    keys = {*state, *((type, "") for type in needed), *(_key(name) for name in rules.kept)}
    first = {POWER_LEVELS: 0, JOIN_RULES: 1}
    ordered = sorted(keys, key=lambda key: (first.get(key[0], 2), key))
    found = {key: restores(rules, *key, state.get(key, {})) for key in ordered}
    return {key: content for key, content in found.items() if content is not None}


def _key(name: str) -> Key:
    type, _, state_key = name.partition(" ")
    return type, state_key


def _has(content: Content, wanted: Content) -> bool:
    return all(content.get(key) == value for key, value in wanted.items())


def _like_kept(type: str, content: Content, kept: Content | None) -> Content | None:
    """Judge what a room may only have if it had it when it was adopted."""
    if type == THIRD_PARTY_INVITE:  # lets whoever has its token in
        return {} if content else None
    if kept:
        return None if content == kept else kept
    match type:
        case "m.room.encryption":
            return None
        case "m.room.server_acl":
            is_open = content.get("allow_ip_literals", True) is not False and not content.get("deny")
            is_open = is_open and "*" in _list(content.get("allow"))
            return None if is_open else _OPEN_TO_ALL_SERVERS
        case "m.room.canonical_alias":
            return {} if content.get("alias") or content.get("alt_aliases") else None
        case _:
            return {} if content else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


# What power levels mean


def _meaning(content: Content) -> dict[str, Any]:
    """Give the power levels with every default filled in and all left out that changes nothing."""
    levels: dict[str, Any] = {key: _level(content.get(key), default) for key, default in _DEFAULTS.items()}
    users = {user: _level(level, 0) for user, level in _mapping(content, "users").items()}
    usual = {levels["events_default"], levels["state_default"]}
    events = {type: _level(level, 0) for type, level in _mapping(content, "events").items()}
    levels["users"] = {user: level for user, level in users.items() if level != levels["users_default"]}
    levels["events"] = {type: level for type, level in events.items() if usual != {level}}
    levels["notifications"] = _level(_mapping(content, "notifications").get("room"), 50)
    return levels


def _mapping(content: Content, key: str) -> Mapping[str, object]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _level(value: object, default: int) -> int:
    """Give a level; before room version 10 it may be written as text."""
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        value = int(value) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default
