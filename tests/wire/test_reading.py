"""Reading what other people send: the right thing, or nothing."""

import json
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.refusal import Reason, Refusal
from appservice.wire.attachment import file_key, format_file
from appservice.wire.content import integer_at, is_storable, mapping_at, readable, text_at
from appservice.wire.event import parse_event
from appservice.wire.membership import parse_membership
from appservice.wire.message import parse_message, parse_picture
from appservice.wire.pledge import MoreUnits, WholePledge, is_pledge_button, looks_like_pledge, parse_more, parse_whole
from appservice.wire.reaction import parse_reaction

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["type", "event_id", "room_id", "sender", "state_key", "content", "body", "msgtype", "m.relates_to", "rel_type",
     "event_id", "key", "m.in_reply_to", "m.new_content", "membership", "is_direct", "url", "info", "w", "redacts",
     "file", "key", "k", "iv", "hashes", "sha256", "v"]
)  # fmt: skip
matrix_like = st.recursive(
    json_values | st.sampled_from(["m.text", "m.image", "m.replace", "m.annotation", "$e", "!r", "@a:x", "join", "+1"]),
    lambda inner: st.dictionaries(names, inner, max_size=8),
    max_leaves=40,
)


@given(matrix_like)
def test_nothing_that_can_be_sent_makes_reading_fail(raw: Any) -> None:
    event = parse_event(raw)
    content = raw if isinstance(raw, dict) else {}
    parse_message(content)
    parse_picture(raw)
    parse_reaction(content)
    if event is not None:
        parse_membership(event)
        assert all(is_storable(part) for part in (event.event_id, event.room_id, event.sender, event.type))


@given(st.text())
def test_no_text_makes_reading_a_pledge_fail(text: str) -> None:
    parse_more(text)
    parse_whole(text, "EUR")
    looks_like_pledge(text)


@pytest.mark.parametrize("value", [None, 3, "", "x" * 256, "a\0", "\ud800", ["x"], {"x": 1}])
def test_what_is_no_text_is_not_taken_for_one(value: object) -> None:
    assert text_at({"a": {"b": value}}, "a", "b") is None


@pytest.mark.parametrize("value", [None, True, 1.0, "1", -1, 2**53])
def test_what_is_no_integer_is_not_taken_for_one(value: object) -> None:
    assert integer_at({"a": value}, "a") is None


def test_a_path_through_something_else_leads_nowhere() -> None:
    assert text_at({"a": [1]}, "a", "b", "c") is None and mapping_at("x", "a") is None


def test_a_body_stays_readable_whatever_is_in_it() -> None:
    assert readable("a\0b\ud800c") == "a\ufffdb\ufffdc" and len(readable("x" * 60_000)) == 4000


def message(body: object, **more: object) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, **more}


def test_the_quote_that_older_clients_put_before_a_reply_is_taken_off() -> None:
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": "$card"}}}
    read = parse_message(message("> <@a:x> Group buy\n> line two\n\n+2", **reply))
    assert read is not None and (read.body, read.reply_to) == ("+2", "$card")
    only_a_quote = parse_message(message("> mine", **reply))
    assert only_a_quote is not None and only_a_quote.body == ""
    assert (parse_message(message("> no reply")) or pytest.fail()).body == "> no reply"


def test_an_edit_is_read_with_its_new_words_and_its_target() -> None:
    content = message(
        "* +3", **{"m.new_content": message("+3"), "m.relates_to": {"rel_type": "m.replace", "event_id": "$p"}}
    )
    read = parse_message(content)
    assert read is not None and (read.body, read.edits) == ("+3", "$p")


@pytest.mark.parametrize("content", [{}, {"msgtype": "m.notice", "body": "x"}, {"msgtype": "m.text"}, message(7)])
def test_what_no_person_typed_is_no_message(content: dict[str, Any]) -> None:
    assert parse_message(content) is None


def test_a_picture_is_read_with_what_is_known_of_it() -> None:
    info = {"w": 640, "h": "tall", "mimetype": "image/png", "size": -1}
    picture = parse_picture({"msgtype": "m.image", "url": "mxc://x/y", "info": info})
    assert picture is not None and (picture.width, picture.height, picture.size) == (640, None, None)


FILE = format_file("mxc://x/y", file_key(b"k" * 32, b"i" * 16, b"s" * 32))


def without(*path: str) -> dict[str, Any]:
    """FILE, but for what is at a path."""
    file: dict[str, Any] = json.loads(json.dumps(FILE))
    *way, last = path
    reduce(dict.__getitem__, way, file).pop(last)
    return file


def test_an_encrypted_picture_is_read_with_its_key_and_written_as_it_was() -> None:
    padded = FILE | {"iv": FILE["iv"] + "==", "url": "mxc://x/y", "more": 1}
    for file in (FILE, padded):
        picture = parse_picture({"msgtype": "m.image", "file": file, "info": {"w": 640}})
        assert picture is not None and picture.key is not None and picture.width == 640
        assert format_file(picture.url, picture.key) == FILE
        assert picture.key.key not in repr(picture)


@pytest.mark.parametrize(
    "file",
    [
        *(without(*path) for path in (("url",), ("v",), ("iv",), ("key",), ("key", "k"), ("key", "alg"), ("key", "kty"),
                                      ("hashes",), ("hashes", "sha256"))),
        FILE | {"v": "v1"},
        FILE | {"url": "https://x/y"},
        FILE | {"iv": "AAAA"},
        FILE | {"iv": 7},
        FILE | {"key": FILE["key"] | {"alg": "A128CTR"}},
        FILE | {"key": FILE["key"] | {"k": FILE["key"]["k"][:-1]}},
        FILE | {"hashes": {"sha256": "no base64, but as long as a digest is: 43"}},
        FILE | {"hashes": {"sha256": "é" * 43}},
        "mxc://x/y",
        [],
    ],
)  # fmt: skip
def test_a_picture_that_cannot_be_opened_is_none(file: object) -> None:
    assert parse_picture({"msgtype": "m.image", "file": file}) is None


@pytest.mark.parametrize(
    "content", [None, {}, {"msgtype": "m.image", "url": "https://x/y"}, {"msgtype": "m.file", "url": "mxc://x/y"}]
)
def test_what_is_no_picture_is_none(content: object) -> None:
    assert parse_picture(content) is None


def test_a_reaction_is_read_without_variation_selectors() -> None:
    read = parse_reaction({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$c", "key": "+1\ufe0f"}})
    assert read is not None and (read.key, read.event_id) == ("+1", "$c")


def test_a_redaction_names_its_target_in_either_place() -> None:
    base = {"event_id": "$r", "room_id": "!r", "type": "m.room.redaction", "sender": "@a:x"}
    for extra in ({"content": {"redacts": "$t"}}, {"content": {}, "redacts": "$t"}):
        event = parse_event({**base, **extra})
        assert event is not None and event.redacts == "$t"


def test_an_event_that_was_redacted_before_it_came_is_an_empty_one() -> None:
    event = parse_event({"event_id": "$r", "room_id": "!r", "type": "m.room.message", "sender": "@a:x", "content": {}})
    assert event is not None and parse_message(event.content) is None


@pytest.mark.parametrize(("text", "units"), [("+2", 2), ("+ 2", 2), ("+9999", 9999), ("+02", 2)])
def test_plus_and_a_number_adds(text: str, units: int) -> None:
    assert parse_more(text) == MoreUnits(units)


@pytest.mark.parametrize(
    "text", ["+0", "+-3", "+99999999999999999999", "2,5", "+2.5", "2", "+", "+2 max 9", "++2", "+٢", "+1e3"]
)
def test_anything_else_adds_nothing(text: str) -> None:
    refusal = parse_more(text)
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_QUANTITY


@pytest.mark.parametrize(
    ("text", "pledge"),
    [
        ("3", WholePledge(3)),
        ("0", WholePledge(0)),
        ("2-4", WholePledge(2, 2)),
        ("2 – 4", WholePledge(2, 2)),
        ("2 max 9.00", WholePledge(2, 0, 900)),
        ("2-4 MAX 9", WholePledge(2, 2, 900)),
        ("3-3", WholePledge(3, 0)),
    ],
)
def test_a_whole_pledge_is_read(text: str, pledge: WholePledge) -> None:
    assert parse_whole(text, "EUR") == pledge


@pytest.mark.parametrize("text", ["1e9", "-1", "2,5", "4-2", "0-4", "three", "", "99999", "2 9.00", "2 max"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    refusal = parse_whole(text, "EUR")
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_QUANTITY


@pytest.mark.parametrize("text", ["2 max 9.001", "2 max free", "2 max 0"])
def test_a_maximum_that_is_no_amount_is_refused(text: str) -> None:
    refusal = parse_whole(text, "EUR")
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BAD_AMOUNT


@pytest.mark.parametrize("text", ["+2", "2", "2,5", "+-3", "-1", "+99999999999999999999", "2 max 9"])
def test_a_short_reply_that_starts_with_a_number_is_meant_as_a_pledge(text: str) -> None:
    assert looks_like_pledge(text)


@pytest.mark.parametrize(
    "text", ["is it warm?", "", "2 of my friends would like to know more", "2 colours available?", "- no", "!pledge 2"]
)
def test_words_are_not_taken_for_a_pledge(text: str) -> None:
    assert not looks_like_pledge(text)


@pytest.mark.parametrize("field", ["event_id", "room_id", "sender"])
def test_an_event_cannot_pass_for_an_arrival_of_our_own(field: str) -> None:
    raw = {"event_id": "$r", "room_id": "!r", "type": "m.room.message", "sender": "@a:x", "content": {}}
    assert parse_event(raw) is not None
    assert parse_event({**raw, field: "answer $r:0"}) is None


def test_in_a_thread_what_replies_to_nothing_is_said_to_its_root() -> None:
    relation = {
        "rel_type": "m.thread",
        "event_id": "$card",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$x"},
    }
    read = parse_message(message("+2", **{"m.relates_to": relation}))
    assert read is not None and read.reply_to == "$card"
    read = parse_message(message("+2", **{"m.relates_to": {**relation, "is_falling_back": False}}))
    assert read is not None and read.reply_to == "$x"


@pytest.mark.parametrize("text", ["\u200f+2", "\uff0b\uff12", "+\u200b2"])
def test_what_a_keyboard_adds_to_a_number_does_not_matter(text: str) -> None:
    assert looks_like_pledge(text) and parse_more(text) == MoreUnits(2)


def test_a_number_may_be_as_long_as_it_likes_and_is_still_meant_as_a_pledge() -> None:
    assert looks_like_pledge("+" + "9" * 4000) and isinstance(parse_more("+" + "9" * 4000), Refusal)


@pytest.mark.parametrize(
    ("key", "meant"), [("+1", True), ("+0", True), ("+-1", True), ("+\U0001f4af", False), ("+", False)]
)
def test_a_reaction_is_a_pledge_only_with_a_number(key: str, meant: bool) -> None:
    assert is_pledge_button(key) is meant
