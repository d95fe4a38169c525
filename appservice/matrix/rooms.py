"""Room building: the bodies of POST /createRoom for groups, desks and direct rooms (matrix-facts: Rooms).

Each is version 12 and created by the bot, which therefore outranks everyone and is never listed in `users`. Only the
creator can invite, so the cap holds by construction, over federation too. Power-level overrides merge shallowly:
the maps are listed in full.
"""

from collections.abc import Mapping
from typing import Any

from appservice.domain.group import Group
from appservice.domain.guarding import ENCRYPTED, ENCRYPTION, GUARDED, HISTORY
from appservice.domain.ids import UserId
from appservice.wire import group as wire_group
from appservice.wire import group_buy as wire_buy

CREATOR_ONLY = 150
ROOM_VERSION = "12"
REQUEST = "shop.coterie.request"
"""Key in the creation content by which a repeated request finds the room made before."""

_CONCIERGES_MAY = ("m.room.name", "m.room.topic", "m.room.avatar", "m.room.pinned_events", wire_buy.TYPE)


def power_levels(users: Mapping[UserId, int], guard: int = CREATOR_ONLY) -> dict[str, Any]:
    """Give the whole content of a room's power levels, with concierges at 50 and owners at 100; `guard` is what
    inviting and every policy event take."""
    return {
        "users": dict(users),
        "users_default": 0,
        "events_default": 0,
        "state_default": 100,
        "invite": guard,
        "kick": 50,
        "ban": 50,
        "redact": 50,
        "notifications": {"room": 50},
        "events": dict.fromkeys(GUARDED, guard) | dict.fromkeys(_CONCIERGES_MAY, 50),
    }


def group_powers(group: Group, bot: UserId, users: Mapping[UserId, int]) -> dict[str, Any]:
    """Give the power levels of a group's room: in an adopted one the bot, which has not created it, stands among the
    users, and nobody's guards can be above it."""
    if group.bot_power is None:
        return power_levels(users)
    return power_levels({**users, bot: group.bot_power}, min(CREATOR_ONLY, group.bot_power))


def group_room(group: Group, backup: str | None = None) -> dict[str, Any]:
    """Give the request for the room of a group; `backup` is created with the bot's own rights."""
    marker = {"type": wire_group.TYPE, "state_key": "", "content": wire_group.format_group(group.cap)}
    request = _room(group.name, power_levels({group.owner: 100}), marker, encrypted=group.encrypted)
    return request | {"creation_content": {"additional_creators": [backup]}} if backup else request


def desk_room(group: Group) -> dict[str, Any]:
    """Give the request for the desk of a group: the private back-office room of its concierges."""
    return _room(f"Desk: {group.name}", power_levels({group.owner: 100}), encrypted=group.encrypted)


def direct_room(name: str, *, encrypted: bool) -> dict[str, Any]:
    """Give the request for a direct room. The person is invited once the room is known here, so that their joining
    cannot be overlooked; what is said waits for it."""
    return _room(name, power_levels({}), encrypted=encrypted) | {"is_direct": True}


def help_room(group: Group, alias: str) -> dict[str, Any]:
    """Give the request for a room in which one concierge helps one member, called `alias`. Nobody in it has any power,
    and who is invited reads from then on: what a concierge writes must not be lost before the member has come. They are
    invited once the room is known here."""
    history = {"type": HISTORY, "state_key": "", "content": {"history_visibility": "invited"}}
    request = _room(f"Help for {alias} ({group.name})", power_levels({}), encrypted=group.encrypted)
    state = [history if event["type"] == HISTORY else event for event in request["initial_state"]]
    return request | {"initial_state": state}


def encryption_in(request: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the m.room.encryption with which a room is asked for; None where it is not encrypted."""
    state = request.get("initial_state", ())
    return next((event["content"] for event in state if event["type"] == ENCRYPTION), None)


def _room(name: str, levels: dict[str, Any], *state: dict[str, Any], encrypted: bool) -> dict[str, Any]:
    if encrypted:
        state = (*state, {"type": ENCRYPTION, "state_key": "", "content": dict(ENCRYPTED)})
    return {
        "room_version": ROOM_VERSION,
        "preset": "private_chat",
        "visibility": "private",
        "name": name,
        "power_level_content_override": levels,
        "initial_state": [
            {"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "invite"}},
            {
                "type": "m.room.history_visibility",
                "state_key": "",
                "content": {"history_visibility": "joined"},
            },
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
            *state,
        ],
    }
