"""What a group's rooms have to be like, and what puts them right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.guarding import GUARDED, Rules, beyond, drift, kept_key, restores, turns_encryption_on
from appservice.domain.ids import UserId
from appservice.matrix.rooms import power_levels

ROSA, BEN, OTTO, BOT = (UserId(f"@{name}:x.test") for name in ("rosa", "ben", "otto", "coterie"))
LEVELS = power_levels({ROSA: 100, BEN: 50})
MARK = {"shop.coterie.group": {"version": 1, "cap": 30}}
RULES = Rules(LEVELS, MARK)
ENCRYPTED = {"algorithm": "m.megolm.v1.aes-sha2"}
WIDGET = {"type": "m.custom", "url": "https://shop.example"}
ACL = {"allow": ["*"], "deny": ["evil.test"], "allow_ip_literals": False}
OPEN_ACL = {"allow": ["*"], "deny": [], "allow_ip_literals": True}
KEPT = Rules(LEVELS, MARK, {
    "m.room.encryption": ENCRYPTED, "m.room.server_acl": ACL, "im.vector.modular.widgets w1": WIDGET,
    "m.space.parent !space:x.test": {"via": ["x.test"]},
})  # fmt: skip
RIGHT: dict[tuple[str, str], dict[str, Any]] = {
    ("m.room.create", ""): {"room_version": "12"},
    ("m.room.join_rules", ""): {"join_rule": "invite"},
    ("m.room.history_visibility", ""): {"history_visibility": "joined"},
    ("m.room.guest_access", ""): {"guest_access": "forbidden"},
    ("m.room.power_levels", ""): LEVELS | {"historical": 100},
    ("m.room.name", ""): {"name": "Wool circle"},
    ("shop.coterie.group", ""): MARK["shop.coterie.group"],
}

MEDDLED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("m.room.join_rules", "", {"join_rule": "public"}, {"join_rule": "invite"}),
    ("m.room.join_rules", "", {"join_rule": "knock"}, {"join_rule": "invite"}),
    ("m.room.join_rules", "", {"join_rule": "restricted", "allow": []}, {"join_rule": "invite"}),
    ("m.room.join_rules", "", {"join_rule": ["invite"]}, {"join_rule": "invite"}),
    ("m.room.join_rules", "", {}, {"join_rule": "invite"}),
    *(("m.room.history_visibility", "", {"history_visibility": other}, {"history_visibility": "joined"})
      for other in ("shared", "invited", "world_readable", 7)),
    ("m.room.guest_access", "", {"guest_access": "can_join"}, {"guest_access": "forbidden"}),
    ("m.room.guest_access", "", {}, {"guest_access": "forbidden"}),
    ("m.room.power_levels", "", {}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"invite": 0}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"users": {ROSA: 100, BEN: 50, OTTO: 50}}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"users": {ROSA: 100}}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"users_default": 1}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"events": {**LEVELS["events"], "m.room.tombstone": 100}}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"events": {**LEVELS["events"], "m.room.message": 50}}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"events": None, "users": 3}, LEVELS),
    ("m.room.power_levels", "", LEVELS | {"notifications": {"room": 0}}, LEVELS),
    ("m.room.tombstone", "", {"body": "moved", "replacement_room": "!x"}, {}),
    ("m.room.canonical_alias", "", {"alias": "#wool:x.test"}, {}),
    ("m.room.canonical_alias", "", {"alt_aliases": ["#wool:x.test"]}, {}),
    ("m.room.third_party_invite", "token", {"display_name": "a…@m…", "public_key": "x"}, {}),
    ("m.room.policy", "", {"via": "policy.test"}, {}),
    ("m.space.child", "!x", {"via": ["x.test"]}, {}),
    ("m.space.parent", "!x", {"via": ["x.test"]}, {}),
    ("im.vector.modular.widgets", "w1", WIDGET, {}),
    ("io.element.widgets.layout", "", {"widgets": {}}, {}),
    ("m.room.server_acl", "", ACL, OPEN_ACL),
    ("m.room.server_acl", "", {}, OPEN_ACL),
    ("m.room.server_acl", "", {"allow": ["x.test"]}, OPEN_ACL),
    ("m.room.server_acl", "", {"allow": "*"}, OPEN_ACL),
    ("shop.coterie.group", "", {"version": 1, "cap": 400}, MARK["shop.coterie.group"]),
    ("shop.coterie.group", "", {}, MARK["shop.coterie.group"]),
]  # fmt: skip


@pytest.mark.parametrize(("type", "key", "content", "wanted"), MEDDLED)
def test_what_is_meddled_with_is_put_right_for_good(
    type: str, key: str, content: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert restores(RULES, type, key, content) == wanted
    assert restores(RULES, type, key, wanted) is None, "what was put right stays"
    assert drift(RULES, RIGHT | {(type, key): content}) == {(type, key): wanted}


@pytest.mark.parametrize(
    ("type", "key", "content"),
    [
        *((type, key, content) for (type, key), content in RIGHT.items()),
        ("m.room.join_rules", "", {"join_rule": "invite", "allow": []}),
        ("m.room.join_rules", "other", {"join_rule": "public"}),
        ("m.room.power_levels", "@x:y", {}),
        ("m.room.server_acl", "", {"allow": ["*"]}),
        ("m.room.tombstone", "", {}),
        ("m.room.canonical_alias", "", {"alias": None, "alt_aliases": []}),
        ("m.room.third_party_invite", "token", {}),
        ("m.space.child", "!x", {}),
        ("m.room.encryption", "", ENCRYPTED),
        ("m.room.encryption", "", {}),
        ("m.room.topic", "", {"topic": "wool"}),
        ("org.example.thing", "x", {"join_rule": "public"}),
    ],
)
def test_what_harms_nobody_stays(type: str, key: str, content: dict[str, Any]) -> None:
    assert restores(RULES, type, key, content) is None


@pytest.mark.parametrize(
    ("type", "key", "content", "wanted"),
    [
        ("m.room.encryption", "", {}, ENCRYPTED),
        ("m.room.encryption", "", {"algorithm": "none"}, ENCRYPTED),
        ("m.room.encryption", "", {**ENCRYPTED, "rotation_period_msgs": 1_000_000}, ENCRYPTED),
        ("m.room.server_acl", "", {}, ACL),
        ("m.room.server_acl", "", OPEN_ACL, ACL),
        ("im.vector.modular.widgets", "w1", {}, WIDGET),
        ("im.vector.modular.widgets", "w1", {**WIDGET, "url": "https://evil.example"}, WIDGET),
        ("im.vector.modular.widgets", "w2", WIDGET, {}),
        ("m.space.parent", "!space:x.test", {}, {"via": ["x.test"]}),
        ("m.space.parent", "!other:x.test", {"via": ["x.test"]}, {}),
    ],
)
def test_what_a_room_had_when_it_was_adopted_is_kept_as_it_was(
    type: str, key: str, content: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert restores(KEPT, type, key, content) == wanted
    assert restores(KEPT, type, key, wanted) is None


def test_a_room_that_is_as_it_has_to_be_has_no_drift() -> None:
    assert drift(RULES, RIGHT) == {}
    kept = {(name.partition(" ")[0], name.partition(" ")[2]): content for name, content in KEPT.kept.items()}
    assert drift(KEPT, RIGHT | kept) == {}
    assert all(kept_key(*key) in KEPT.kept for key in kept)


def test_what_is_missing_is_drift_and_power_levels_come_first() -> None:
    found = drift(KEPT, {})
    assert list(found)[:2] == [("m.room.power_levels", ""), ("m.room.join_rules", "")]
    assert found == {
        ("m.room.power_levels", ""): LEVELS,
        ("m.room.join_rules", ""): {"join_rule": "invite"},
        ("im.vector.modular.widgets", "w1"): WIDGET,
        ("m.room.encryption", ""): ENCRYPTED,
        ("m.room.guest_access", ""): {"guest_access": "forbidden"},
        ("m.room.history_visibility", ""): {"history_visibility": "joined"},
        ("m.room.server_acl", ""): ACL,
        ("m.space.parent", "!space:x.test"): {"via": ["x.test"]},
        ("shop.coterie.group", ""): MARK["shop.coterie.group"],
    }


def test_a_desk_needs_no_mark_and_keeps_none() -> None:
    desk = Rules(LEVELS)
    assert ("shop.coterie.group", "") not in drift(desk, {})
    assert restores(desk, "shop.coterie.group", "", {"version": 1}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"users": {BEN: 50}}, {"users": {BEN: 50, OTTO: 0}}),
        ({"users": {BEN: 50}}, {"users": {BEN: "50"}, "ban": "50", "kick": " 50 "}),
        ({}, {"users_default": 0, "events_default": 0, "state_default": 50, "ban": 50, "kick": 50, "redact": 50}),
        ({}, {"invite": 0, "notifications": {"room": 50}, "events": {}, "users": {}}),
        ({"state_default": 0}, {"state_default": 0, "events": {"m.room.topic": 0}}),
        ({}, {"ban": "many", "historical": 100, "org.example": True, "invite": True}),
    ],
)
def test_power_levels_are_compared_by_what_they_mean(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert restores(Rules(one), "m.room.power_levels", "", other) is None
    assert restores(Rules(other), "m.room.power_levels", "", one) is None


def test_an_event_level_that_changes_nothing_as_message_but_something_as_state_counts() -> None:
    assert restores(Rules({}), "m.room.power_levels", "", {"events": {"m.room.topic": 0}}) == {"users": {}}


def test_whom_the_bot_cannot_lower_keeps_their_power_and_everything_else_is_restored() -> None:
    levels = power_levels({ROSA: 100, BEN: 50, BOT: 100}, 100)
    rules = Rules(levels, MARK, reach=100)
    meddled = levels | {"users": {ROSA: 100, BEN: 99, OTTO: 100, BOT: 100}, "invite": 0}
    assert beyond(rules, meddled) == {OTTO: 100}
    wanted = levels | {"users": {ROSA: 100, BEN: 50, OTTO: 100, BOT: 100}}
    assert restores(rules, "m.room.power_levels", "", meddled) == wanted
    assert restores(rules, "m.room.power_levels", "", wanted) is None
    assert beyond(rules, levels) == {} == beyond(RULES, meddled), "a creator outranks everybody"


def test_encryption_that_is_turned_on_is_noticed_once() -> None:
    assert turns_encryption_on(RULES, "m.room.encryption", "", ENCRYPTED)
    assert not turns_encryption_on(KEPT, "m.room.encryption", "", ENCRYPTED), "it was on"
    assert not turns_encryption_on(RULES, "m.room.encryption", "x", ENCRYPTED)
    assert not turns_encryption_on(RULES, "m.room.encryption", "", {"algorithm": 5})
    assert not turns_encryption_on(RULES, "m.room.name", "", ENCRYPTED)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ["join_rule", "allow", "deny", "users", "events", "alias", "algorithm", "users_default", "notifications"]
CONTENT = st.dictionaries(st.sampled_from(_FIELDS), JSON, max_size=4)


@given(type=st.sampled_from([*GUARDED, "shop.coterie.group"]), key=st.sampled_from(["", "w1"]), content=CONTENT)
def test_whatever_is_in_an_event_judging_it_ends_and_restoring_it_settles_it(
    type: str, key: str, content: dict[str, Any]
) -> None:
    for rules in (RULES, KEPT, Rules(LEVELS, MARK, reach=100)):
        wanted = restores(rules, type, key, content)
        assert wanted is None or restores(rules, type, key, wanted) is None
        beyond(rules, content)
