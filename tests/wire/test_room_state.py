"""A room as the homeserver has it: what is odd is left out, and nothing of it raises."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appservice.wire.room_state import InRoom, RoomState, StateEvent, parse_room

ROSA, BOT, ANA = "@rosa:x.test", "@coterie:x.test", "@ana:y.test"


def event(type: Any, content: Any, key: Any = "", sender: Any = ROSA, at: Any = 5) -> dict[str, Any]:
    return {
        "type": type, "state_key": key, "sender": sender, "content": content, "event_id": f"${type}{key}",
        "origin_server_ts": at,
    }  # fmt: skip


def member(user: str, membership: str, at: int, sender: str = ROSA, **more: Any) -> dict[str, Any]:
    return event("m.room.member", {"membership": membership, **more}, user, sender, at)


def answer(*state: Any, **more: Any) -> dict[str, Any]:
    return {"room_id": "!r:x.test", "state": list(state), "aliases": [], "listed": False, "asked_at": 9, **more}


def test_a_room_is_read_with_its_people_the_longest_there_first() -> None:
    room = parse_room(answer(
        event("m.room.create", {"room_version": "12", "additional_creators": [BOT]}),
        member(ANA, "join", 30, ANA, displayname="Ana"),
        member(BOT, "invite", 20),
        member("@evil:x.test", "ban", 10),
        event("m.space.child", {"via": ["x.test"]}, "!x"),
        aliases=["#wool:x.test"], listed=True,
    ))  # fmt: skip
    assert room == RoomState(
        room_id="!r:x.test",
        version="12",
        events={
            ("m.room.create", ""): StateEvent(
                "$m.room.create", ROSA, {"room_version": "12", "additional_creators": [BOT]}, 5
            ),
            ("m.space.child", "!x"): StateEvent("$m.space.child!x", ROSA, {"via": ["x.test"]}, 5),
        },
        members=(
            InRoom("@evil:x.test", "ban", ROSA, 10),
            InRoom(BOT, "invite", ROSA, 20),
            InRoom(ANA, "join", ANA, 30, "Ana"),
        ),
        creators=frozenset({ROSA, BOT}),
        aliases=("#wool:x.test",),
        listed=True,
        asked_at=9,
    )  # fmt: skip
    assert room.content("m.space.child", "!x") == {"via": ["x.test"]} and room.content("m.room.name") == {}
    assert [one.user_id for one in room.with_membership("join", "invite")] == [BOT, ANA]


def test_creators_outrank_nobody_before_version_12() -> None:
    for created in ({"room_version": "11", "additional_creators": [BOT]}, {"room_version": "9"}, {}):
        room = parse_room(answer(event("m.room.create", created)))
        assert room is not None and room.creators == frozenset()
        assert room.version == created.get("room_version", "1")


def test_what_is_odd_is_left_out() -> None:
    room = parse_room(answer(
        event("m.room.name", {"name": "Wool"}),
        event(7, {}), event("m.room.topic", "text"), event("m.room.avatar", {}, key=None), event("a\0b", {}), "x", None,
        event("m.x", {}, sender=None), event("m.y", {}, at="late"),
        member(ANA, "join", 1, displayname="N\0l"), member("nobody", "join", 1), member(BOT, "leave", 1),
        member(ROSA, "dancing", 1),
        aliases=["#a:x.test", 7],
    ))  # fmt: skip
    assert room is not None
    assert set(room.events) == {("m.room.name", ""), ("m.y", "")}
    assert room.members == (InRoom(ANA, "join", ROSA, 1, "N\ufffdl"),)
    assert room.aliases == ("#a:x.test",) and not room.listed


def test_what_is_no_room_at_all_is_none() -> None:
    assert parse_room({"state": []}) is None
    assert parse_room({"room_id": "!r", "state": {}}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["type", "state_key", "sender", "content", "event_id", "origin_server_ts"]


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6) | JSON, max_size=3), JSON, JSON)
def test_whatever_comes_is_read_without_an_error(state: list[Any], aliases: Any, asked_at: Any) -> None:
    assert parse_room(answer(*state, aliases=aliases, asked_at=asked_at)) is not None
