"""Adopting a room that was there before: whether it can be done, what becomes of everybody in it, and what changes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from appservice.domain import guarding
from appservice.domain.guarding import Content, Key, Rules, kept_key
from appservice.domain.ids import UserId
from appservice.domain.member import Presence, Role
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import LONGEST_NAME, clean_name

MOST_MEMBERS = 500
"""A room with more people in it is not adopted."""
MOST_POWER = 1_000_000
"""Where the bot has more, a room is not adopted: others could have more than the database holds."""
VERSIONS = ("10", "11", "12")
"""Room versions that are adopted; from 12 on only where the service itself has made the room."""
_KEPT = (
    guarding.SERVER_ACL,
    "m.room.policy",
    "m.space.child",
    "m.space.parent",
    "im.vector.modular.widgets",
    "io.element.widgets.layout",
)
"""Policy that stays as its people have made it; the service guards it from then on."""
_NAMELESS = "Group"


class Change(StrEnum):
    """What is not as it has to be in a group, and will be changed; power levels always are."""

    JOIN_RULE = "join_rule"
    HISTORY = "history"
    GUESTS = "guests"
    ADDRESSES = "addresses"
    LISTING = "listing"


class Found(Protocol):
    """A piece of state."""

    @property
    def content(self) -> Content: ...


class Standing(Protocol):
    """A person, how they stand with the room, and what they are called there."""

    @property
    def user_id(self) -> UserId: ...
    @property
    def membership(self) -> str: ...
    @property
    def name(self) -> str | None: ...


class Room(Protocol):
    """A room as our homeserver has it (see wire/room_state.py); of the members, the longest there come first."""

    @property
    def version(self) -> str: ...
    @property
    def events(self) -> Mapping[Key, Found]: ...
    @property
    def members(self) -> Sequence[Standing]: ...
    @property
    def creators(self) -> frozenset[UserId]: ...
    @property
    def aliases(self) -> Sequence[str]: ...
    @property
    def listed(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Person:
    """What becomes of a person: their presence and power in the group, and their display name in the room."""

    user_id: UserId
    presence: Presence
    power: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What adopting a room comes to.

    `people` has everybody whom the group has to know, in the order in which they get their numbers. `uninvited` are
    those whose invitation finds no seat. `bot_power` is the bot's power level, None where the bot made the room.
    `encryption` is the room's m.room.encryption, None where it is not encrypted.
    """

    name: str
    owner: UserId
    cap: int
    bot_power: int | None
    people: tuple[Person, ...]
    uninvited: tuple[UserId, ...]
    kept: Mapping[str, Any]
    encryption: Content | None
    changes: tuple[Change, ...]

    @property
    def joined(self) -> tuple[Person, ...]:
        """Those who are in the room, the longest there first."""
        return tuple(person for person in self.people if person.presence is Presence.JOINED)

    @property
    def invited(self) -> tuple[Person, ...]:
        """Those who keep their invitation."""
        return tuple(person for person in self.people if person.presence is Presence.INVITED)

    @property
    def equals(self) -> int:
        """How many others in the room have as much power as the bot, and could undo what it does."""
        return sum(self.bot_power is not None and person.power >= self.bot_power for person in self.joined)

    def count(self, role: Role) -> int:
        """Count those in the room who will be that."""
        return sum(Role.of(person.power) is role for person in self.joined)


def plan(room: Room, bot: UserId, owner: UserId, cap: int, is_own: Callable[[str], bool]) -> Plan | Refusal:
    """Tell what adopting a room for an owner comes to, or why it is not adopted.

    `is_own` tells the service's own and backup accounts, which take no seat.
    """
    refusal = _unfit(room, is_own) or _powerless(room, bot, owner)
    if refusal is not None:
        return refusal
    bot_power = None if room.creators else _level(room, bot)
    people = [_person(room, one, bot_power) for one in room.members if not is_own(one.user_id)]
    joined = [_as_owner(one) if one.user_id == owner else one for one in people if one.presence is Presence.JOINED]
    invited = [one for one in people if one.presence is Presence.INVITED]
    fixed = [one for one in invited if bot_power is not None and one.power >= bot_power]  # cannot be taken back
    invited = [*fixed, *(one for one in invited if one not in fixed)]
    if len(joined) > MOST_MEMBERS:
        return refuse(Reason.UNADOPTABLE, why="people", most=MOST_MEMBERS)
    free = max(len(fixed), cap - len(joined))
    outside = [one for one in people if one.presence is Presence.BANNED]
    outside += _not_there(room, bot, bot_power, {one.user_id for one in people})
    return Plan(
        name=_name(room),
        owner=owner,
        cap=cap,
        bot_power=bot_power,
        people=(*joined, *invited[:free], *outside),
        uninvited=tuple(one.user_id for one in invited[free:]),
        kept=_kept(room),
        encryption=_encryption(room),
        changes=tuple(_changes(room)),
    )


def _unfit(room: Room, is_own: Callable[[str], bool]) -> Refusal | None:
    """Refuse what is no living room of a kind that can be a group."""
    if _content(room, "m.room.tombstone"):
        return refuse(Reason.UNADOPTABLE, why="replaced")
    if _content(room, "m.room.create").get("type"):
        return refuse(Reason.UNADOPTABLE, why="type")
    if room.version not in VERSIONS:
        return refuse(Reason.UNADOPTABLE, why="version", version=room.version)
    if (_encryption(room) or guarding.ENCRYPTED)["algorithm"] != guarding.MEGOLM:
        return refuse(Reason.UNADOPTABLE, why="encryption")
    if not all(is_own(creator) for creator in room.creators):
        return refuse(Reason.UNADOPTABLE, why="creator", version=room.version)
    return None


def _powerless(room: Room, bot: UserId, owner: UserId) -> Refusal | None:
    """Refuse where the owner is none in the room, or the bot cannot rule it: nobody and nothing may be above it."""
    is_there = any(one.user_id == owner and one.membership == "join" for one in room.members)
    if not is_there or _level(room, owner) < Role.OWNER:
        return refuse(Reason.UNADOPTABLE, why="owner")
    if bot in room.creators:
        return None
    if _level(room, bot) > MOST_POWER:
        return refuse(Reason.UNADOPTABLE, why="much", level=_level(room, bot), most=MOST_POWER)
    level, needed = _level(room, bot), max(int(Role.OWNER), _highest(_content(room, guarding.POWER_LEVELS)))
    return refuse(Reason.UNADOPTABLE, why="power", level=level, needed=needed) if level < needed else None


def _person(room: Room, one: Standing, bot_power: int | None) -> Person:
    """Give what becomes of a person. Nobody at the bot's own level can be lowered; others outside have no power."""
    standing = {"join": Presence.JOINED, "invite": Presence.INVITED, "ban": Presence.BANNED}
    presence = standing.get(one.membership, Presence.LEFT)
    level = _given_level(room, one.user_id)
    if bot_power is not None and level >= bot_power:
        return Person(one.user_id, presence, bot_power, one.name)
    return Person(one.user_id, presence, int(Role.of(level)) if presence.takes_seat else 0, one.name)


def _as_owner(person: Person) -> Person:
    return replace(person, power=max(person.power, int(Role.OWNER)))


def _not_there(room: Room, bot: UserId, bot_power: int | None, known: set[UserId]) -> Iterator[Person]:
    """Give those who are not in the room, but whose power level there the bot cannot take away."""
    for raw in sorted(_map(_content(room, guarding.POWER_LEVELS), "users")):
        user_id = UserId(raw)
        if bot_power is not None and user_id not in {bot, *known} and _given_level(room, user_id) >= bot_power:
            yield Person(user_id, Presence.LEFT, bot_power)


def _kept(room: Room) -> dict[str, Any]:
    events = sorted(room.events.items())
    return {
        kept_key(type, key): dict(event.content) for (type, key), event in events if type in _KEPT and event.content
    }


def _encryption(room: Room) -> Content | None:
    content = _content(room, guarding.ENCRYPTION)
    return dict(content) if guarding.is_encrypted(content) else None


def _changes(room: Room) -> Iterator[Change]:
    for change, type in (
        (Change.JOIN_RULE, guarding.JOIN_RULES),
        (Change.HISTORY, guarding.HISTORY),
        (Change.GUESTS, guarding.GUESTS),
    ):
        if _is_wrong(room, type):
            yield change
    if room.aliases or _is_wrong(room, guarding.CANONICAL_ALIAS):
        yield Change.ADDRESSES
    if room.listed:
        yield Change.LISTING


def _is_wrong(room: Room, type: str) -> bool:
    return guarding.restores(Rules({}), type, "", _content(room, type)) is not None


def _name(room: Room) -> str:
    """Give the room's name as a group's: on one line, cut where it is too long."""
    name = _content(room, "m.room.name").get("name")
    line = clean_name(name, 2 * len(name)) if isinstance(name, str) else None
    return (clean_name(line[:LONGEST_NAME]) if line else None) or _NAMELESS


# Power levels, of room versions in which they are integers


def _level(room: Room, user_id: UserId) -> int:
    """Give the level that a person has in the room."""
    levels = _content(room, guarding.POWER_LEVELS)
    return _number(_map(levels, "users").get(user_id, levels.get("users_default")))


def _given_level(room: Room, user_id: UserId) -> int:
    """Give the level that a person was given themselves. What everybody has by default makes nobody a concierge."""
    return _number(_map(_content(room, guarding.POWER_LEVELS), "users").get(user_id))


def _highest(levels: Content) -> int:
    """Give the highest level that anybody has or anything takes: who changes it has to have as much."""
    inner = (value for part in levels.values() if isinstance(part, dict) for value in part.values())
    return max((_number(value) for value in (*levels.values(), *inner)), default=0)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _map(content: Content, key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _content(room: Room, type: str) -> Content:
    event = room.events.get((type, ""))
    return event.content if event else {}
