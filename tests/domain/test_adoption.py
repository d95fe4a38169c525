"""Whether a room can be adopted, and what becomes of everybody in it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from appservice.domain.adoption import MOST_MEMBERS, Change, Person, Plan, plan
from appservice.domain.ids import EventId, RoomId, UserId
from appservice.domain.member import Presence, Role
from appservice.domain.refusal import Reason, Refusal
from appservice.wire.room_state import InRoom, RoomState, StateEvent

BOT, ROSA, BEN, ANA = (UserId(f"@{name}:x") for name in ("coterie", "rosa", "ben", "ana"))
BACKUP = UserId("@backup:x")


@dataclass
class Making:
    """A room that can be adopted, until a test changes it."""

    version: str = "11"
    creators: frozenset[UserId] = frozenset()
    levels: dict[str, Any] = field(default_factory=lambda: {"users": {ROSA: 100, BOT: 100, BEN: 50}})
    state: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    members: list[tuple[UserId, str]] = field(
        default_factory=lambda: [(ROSA, "join"), (BEN, "join"), (ANA, "join"), (BOT, "join")]
    )
    aliases: tuple[str, ...] = ()
    listed: bool = False

    def room(self) -> RoomState:
        contents: dict[tuple[str, str], dict[str, Any]] = {
            ("m.room.create", ""): {"room_version": self.version},
            ("m.room.power_levels", ""): self.levels,
            ("m.room.join_rules", ""): {"join_rule": "invite"},
            ("m.room.history_visibility", ""): {"history_visibility": "joined"},
            ("m.room.guest_access", ""): {"guest_access": "forbidden"},
            ("m.room.name", ""): {"name": "Knitting"},
            **self.state,
        }
        events = {key: StateEvent(EventId("$e"), ROSA, content, 1) for key, content in contents.items()}
        members = tuple(
            InRoom(user_id, standing, user_id, at, user_id[1:4].upper())
            for at, (user_id, standing) in enumerate(self.members)
        )
        return RoomState(
            RoomId("!r:x"), self.version, events, members, self.creators, self.aliases, self.listed, asked_at=9
        )


def planned(made: Making, cap: int = 200) -> Plan:
    found = decided(made, cap)
    assert isinstance(found, Plan), found
    return found


def refused(made: Making) -> Refusal:
    found = decided(made)
    assert isinstance(found, Refusal), found
    assert found.reason is Reason.UNADOPTABLE
    return found


def decided(made: Making, cap: int = 200) -> Plan | Refusal:
    return plan(made.room(), BOT, ROSA, cap, lambda user_id: user_id in (BOT, BACKUP))


def test_owners_concierges_and_members_are_told_by_their_power_level() -> None:
    made = Making()
    eve, dan, leo = UserId("@eve:y"), UserId("@dan:x"), UserId("@leo:x")
    made.members += [(eve, "join"), (dan, "join"), (leo, "join")]
    made.levels = {"users": {ROSA: 100, BOT: 150, eve: 120, BEN: 99, dan: 50, leo: 49}}
    found = planned(made)
    assert found.bot_power == 150
    assert found.joined == (
        Person(ROSA, Presence.JOINED, 100, "ROS"),
        Person(BEN, Presence.JOINED, 50, "BEN"),
        Person(ANA, Presence.JOINED, 0, "ANA"),
        Person(eve, Presence.JOINED, 100, "EVE"),
        Person(dan, Presence.JOINED, 50, "DAN"),
        Person(leo, Presence.JOINED, 0, "LEO"),
    )
    assert (found.count(Role.OWNER), found.count(Role.CONCIERGE), found.count(Role.MEMBER)) == (2, 2, 2)
    assert (found.name, found.owner, found.cap, found.equals) == ("Knitting", ROSA, 200, 0)


def test_nobody_at_the_bots_own_level_is_lowered_wherever_they_are() -> None:
    made = Making()
    gone, banned, low = UserId("@gone:x"), UserId("@banned:x"), UserId("@low:x")
    made.members += [(banned, "ban"), (low, "ban"), (BACKUP, "join")]
    made.levels = {"users": {ROSA: 150, BOT: 150, BEN: 150, gone: 150, banned: 150, low: 50, BACKUP: 150}}
    found = planned(made)
    assert [(one.user_id, one.presence, one.power) for one in found.people] == [
        (ROSA, Presence.JOINED, 150),
        (BEN, Presence.JOINED, 150),
        (ANA, Presence.JOINED, 0),
        (banned, Presence.BANNED, 150),
        (low, Presence.BANNED, 0),
        (BACKUP, Presence.LEFT, 150),
        (gone, Presence.LEFT, 150),
    ]
    assert found.equals == 2


def test_what_everybody_has_by_default_makes_nobody_a_concierge_but_the_owner_stays_one() -> None:
    made = Making(levels={"users_default": 100, "users": {}})
    found = planned(made)
    assert {one.user_id: one.power for one in found.joined} == {ROSA: 100, BEN: 0, ANA: 0}


def test_the_longest_there_come_first_and_own_accounts_take_no_seat() -> None:
    made = Making(members=[(BACKUP, "join"), (ANA, "join"), (BOT, "join"), (ROSA, "join")])
    assert [one.user_id for one in planned(made).people] == [ANA, ROSA]


@pytest.mark.parametrize(
    ("cap", "invited", "uninvited"), [(5, 2, 0), (4, 1, 1), (3, 0, 2), (2, 0, 2)], ids=lambda value: str(value)
)
def test_those_in_the_room_stay_over_the_cap_and_invitations_as_far_as_there_are_seats(
    cap: int, invited: int, uninvited: int
) -> None:
    zoe, uma = UserId("@zoe:x"), UserId("@uma:x")
    made = Making()
    made.members += [(zoe, "invite"), (uma, "invite")]
    found = planned(made, cap)
    assert len(found.joined) == 3
    assert [one.user_id for one in found.invited] == [zoe, uma][:invited]
    assert list(found.uninvited) == [zoe, uma][invited:]
    assert uninvited == len(found.uninvited)


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ({("m.room.join_rules", ""): {"join_rule": "public"}}, Change.JOIN_RULE),
        ({("m.room.join_rules", ""): {}}, Change.JOIN_RULE),
        ({("m.room.join_rules", ""): {"join_rule": "restricted", "allow": []}}, Change.JOIN_RULE),
        ({("m.room.history_visibility", ""): {"history_visibility": "shared"}}, Change.HISTORY),
        ({("m.room.guest_access", ""): {"guest_access": "can_join"}}, Change.GUESTS),
        ({("m.room.canonical_alias", ""): {"alias": "#knitting:x"}}, Change.ADDRESSES),
        ({("m.room.canonical_alias", ""): {"alt_aliases": ["#knitting:x"]}}, Change.ADDRESSES),
    ],
)
def test_what_is_not_private_enough_is_named(state: dict[tuple[str, str], dict[str, Any]], change: Change) -> None:
    assert planned(Making(state=state)).changes == (change,)


def test_an_address_and_a_listing_without_an_event_are_named_too() -> None:
    assert planned(Making()).changes == ()
    assert planned(Making(aliases=("#a:x",), listed=True)).changes == (Change.ADDRESSES, Change.LISTING)


def test_encryption_widgets_spaces_and_server_rules_are_kept_as_they_are() -> None:
    acl = {"allow": ["x", "y"], "deny": ["evil"]}
    widget = {"type": "m.custom", "url": "https://shop.example"}
    made = Making(
        state={
            ("m.room.encryption", ""): {"algorithm": "m.megolm.v1.aes-sha2"},
            ("m.room.server_acl", ""): acl,
            ("im.vector.modular.widgets", "one"): widget,
            ("im.vector.modular.widgets", "gone"): {},
            ("m.space.parent", "!s:x"): {"via": ["x"]},
            ("m.room.third_party_invite", "token"): {"display_name": "z"},
            ("m.room.topic", ""): {"topic": "wool"},
        }
    )
    found = planned(made)
    assert found.kept == {
        "m.room.server_acl": acl,
        "im.vector.modular.widgets one": widget,
        "m.space.parent !s:x": {"via": ["x"]},
    }
    assert found.encryption == {"algorithm": "m.megolm.v1.aes-sha2"}
    assert planned(Making()).encryption is None
    assert planned(Making(state={("m.room.encryption", ""): {"rotation_period_ms": 5}})).encryption is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Wool\n circle", "Wool circle"), ("w" * 300, "w" * 80), ("", "Group"), ("\u200b", "Group"), (7, "Group")],
)
def test_a_room_without_a_usable_name_is_called_group(name: object, shown: str) -> None:
    assert planned(Making(state={("m.room.name", ""): {"name": name}})).name == shown


# Refusals


@pytest.mark.parametrize("version", ["1", "9", "13", "org.matrix.hydra.11", "X"])
def test_other_room_versions_are_not_adopted(version: str) -> None:
    assert refused(Making(version=version)).details == {"why": "version", "version": version}


def test_a_replaced_room_and_a_space_are_not_adopted() -> None:
    assert refused(Making(state={("m.room.tombstone", ""): {"body": "moved"}})).details == {"why": "replaced"}
    assert planned(Making(state={("m.room.tombstone", ""): {}})).name == "Knitting"
    space = {("m.room.create", ""): {"room_version": "11", "type": "m.space"}}
    assert refused(Making(state=space)).details == {"why": "type"}


def test_a_room_of_version_12_is_adopted_only_where_the_service_made_it() -> None:
    made = Making(version="12", creators=frozenset({ROSA}))
    assert refused(made).details == {"why": "creator", "version": "12"}
    made.creators = frozenset({BOT, ROSA})
    assert refused(made).details == {"why": "creator", "version": "12"}
    made.creators = frozenset({BOT, BACKUP})
    made.levels = {"users": {ROSA: 100, BEN: 400}}
    found = planned(made)
    assert found.bot_power is None
    assert {one.user_id: one.power for one in found.people} == {ROSA: 100, BEN: 100, ANA: 0}
    assert found.equals == 0


@pytest.mark.parametrize("standing", ["invite", "ban", None])
def test_only_who_is_in_the_room_can_have_it_adopted(standing: str | None) -> None:
    made = Making(members=[(BEN, "join"), (BOT, "join")])
    made.members += [(ROSA, standing)] if standing else []
    assert refused(made).details == {"why": "owner"}


def test_only_an_owner_of_the_room_can_have_it_adopted() -> None:
    assert refused(Making(levels={"users": {ROSA: 99, BOT: 100}})).details == {"why": "owner"}


@pytest.mark.parametrize(
    ("levels", "level", "needed"),
    [
        ({"users": {ROSA: 100}}, 0, 100),
        ({"users": {ROSA: 100, BOT: 99}}, 99, 100),
        ({"users": {ROSA: 101, BOT: 100}}, 100, 101),
        ({"users": {ROSA: 100, BOT: 100, "@gone:y": 110}}, 100, 110),
        ({"users": {ROSA: 100, BOT: 100}, "invite": 120}, 100, 120),
        ({"users": {ROSA: 100, BOT: 100}, "events": {"m.room.name": 130}}, 100, 130),
        ({"users": {ROSA: 100, BOT: 100}, "notifications": {"room": 140}}, 100, 140),
    ],
)
def test_nobody_and_nothing_may_be_above_the_bot(levels: dict[str, Any], level: int, needed: int) -> None:
    assert refused(Making(levels=levels)).details == {"why": "power", "level": level, "needed": needed}


def test_five_hundred_people_are_adopted_and_no_more() -> None:
    made = Making()
    made.members += [(UserId(f"@m{n}:x"), "join") for n in range(MOST_MEMBERS - 3)]
    assert len(planned(made, cap=50).joined) == MOST_MEMBERS
    made.members += [(UserId("@late:x"), "join")]
    assert refused(made).details == {"why": "people", "most": 500}


@pytest.mark.parametrize(
    "levels", [{}, {"users": None}, {"users": [1]}, {"users": {ROSA: "100", BOT: True}}, {"events": 5, "users": {}}]
)
def test_odd_power_levels_give_nobody_power(levels: dict[str, Any]) -> None:
    assert refused(Making(levels=levels)).details == {"why": "owner"}


def test_an_invitation_of_somebody_at_the_bots_level_stays_without_a_seat() -> None:
    zoe, eve = UserId("@zoe:x"), UserId("@eve:x")
    made = Making(levels={"users": {ROSA: 100, BOT: 100, eve: 100}})
    made.members += [(zoe, "invite"), (eve, "invite")]
    found = planned(made, cap=3)
    assert [one.user_id for one in found.invited] == [eve]
    assert found.uninvited == (zoe,)
    assert [one.user_id for one in planned(made, cap=5).invited] == [eve, zoe]


def test_more_power_than_can_be_kept_account_of_is_refused() -> None:
    assert planned(Making(levels={"users": {ROSA: 100, BOT: 1_000_000}})).bot_power == 1_000_000
    found = refused(Making(levels={"users": {ROSA: 100, BOT: 1_000_001}}))
    assert found.details == {"why": "much", "level": 1_000_001, "most": 1_000_000}
