"""What a person said, as clients write it: threads, replies, mentions, captions, pictures; and as nobody should."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.wire.content import is_storable
from appservice.wire.remark import Remark, parse_remark, thread_of
from tests.wire.test_reading import json_values

ANA, BEN = "@ana:example.org", "@ben:[2001:db8::1]:8448"
URL = "mxc://example.org/abc"
KEY = {
    "v": "v2", "iv": "w+sE15fzSc0AAAAAAAAAAA", "hashes": {"sha256": "fdSLu/YkRx3Wyh3KQabP3rd6+SFiKg5lsJZQHtkSAYA"},
    "key": {
        "kty": "oct", "alg": "A256CTR", "ext": True, "key_ops": ["encrypt", "decrypt"],
        "k": "aWF6-32KGYaC3A_FEUCk1Bt0JA37zP0wrStgmdCaW-0",
    },
}  # fmt: skip
INFO = {"mimetype": "image/png", "w": 640, "h": 480, "size": 1000}


def said(body: Any = "Is it soft?", **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": body, **more}


def read(content: dict[str, Any]) -> Remark:
    remark = parse_remark(content)
    assert remark is not None
    return remark


def relates(**relation: Any) -> dict[str, Any]:
    return {"m.relates_to": relation}


def image(body: str = "hole.png", **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.image", "body": body, "url": URL, "info": INFO, **more}


def html(text: str) -> dict[str, Any]:
    return said(format="org.matrix.custom.html", formatted_body=text)


# Words, replies, threads


def test_plain_words_are_for_nobody_and_in_no_thread() -> None:
    assert read(said("  Is it soft?\n")) == Remark("Is it soft?")


@pytest.mark.parametrize("msgtype", ["m.text", "m.emote", "m.location"])
def test_whatever_people_say_is_read(msgtype: str) -> None:
    assert read(said(msgtype=msgtype)) == Remark("Is it soft?")


def test_a_notice_is_a_programs() -> None:
    assert read(said(msgtype="m.notice")) == Remark("Is it soft?", is_notice=True)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"msgtype": "m.text"},
        {"body": "x"},
        said(7),
        said(None),
        said({"x": 1}),
        said(msgtype="m.server_notice"),
        said(msgtype="m.key.verification.request"),
        said(msgtype=["m.text"]),
        said(msgtype=None),
    ],
)
def test_what_says_nothing_is_nothing(content: dict[str, Any]) -> None:
    assert parse_remark(content) is None


def test_a_reply_names_what_it_answers_without_the_quote_of_older_clients() -> None:
    quoted = said(
        "> <@ben:example.org> It is nice\n> really\n\nIs it soft?", **relates(**{"m.in_reply_to": {"event_id": "$a"}})
    )
    assert read(quoted) == Remark("Is it soft?", reply_to="$a")  # type: ignore[arg-type]
    own = said("> my own quote\nIs it soft?")
    assert read(own).text == "> my own quote\nIs it soft?"


def test_in_a_thread_the_reply_for_older_clients_is_none() -> None:
    falling = relates(
        rel_type="m.thread", event_id="$root", is_falling_back=True, **{"m.in_reply_to": {"event_id": "$x"}}
    )
    assert read(said(**falling)) == Remark("Is it soft?", thread="$root")  # type: ignore[arg-type]
    real = relates(
        rel_type="m.thread", event_id="$root", is_falling_back=False, **{"m.in_reply_to": {"event_id": "$x"}}
    )
    assert read(said(**real)) == Remark("Is it soft?", thread="$root", reply_to="$x")  # type: ignore[arg-type]
    bare = relates(rel_type="m.thread", event_id="$root")
    assert read(said(**bare)) == Remark("Is it soft?", thread="$root")  # type: ignore[arg-type]
    assert thread_of(said(**bare)) == "$root"


@pytest.mark.parametrize(
    "relation",
    [None, [], "m.thread", {"rel_type": "m.thread"},
     {"rel_type": "m.thread", "event_id": 7}, {"rel_type": ["m.thread"]},
     {"rel_type": "m.thread", "event_id": "x" * 256}, {"rel_type": "m.thread", "event_id": "$\0"},
     {"m.in_reply_to": "$a"}, {"m.in_reply_to": {"event_id": {}}}, {"rel_type": "m.replace"},
     {"rel_type": "m.reference", "event_id": "$a"}],
)  # fmt: skip
def test_a_broken_relation_is_none(relation: Any) -> None:
    assert read(said(**{"m.relates_to": relation})) == Remark("Is it soft?")


def test_an_edit_says_what_is_new_and_whom_it_mentions_now() -> None:
    new = said("Is it warm?", **{"m.mentions": {"user_ids": [BEN]}})
    edit = said("* Is it warm?", **{"m.new_content": new, "m.mentions": {"user_ids": [ANA]}})
    edit |= relates(rel_type="m.replace", event_id="$a")
    assert read(edit) == Remark("Is it warm?", edits="$a", mentions=frozenset({BEN}))  # type: ignore[arg-type]
    for broken in (None, 7, [], "x"):
        assert read(edit | {"m.new_content": broken}).text == "* Is it warm?"
    assert read(edit | {"m.new_content": {"body": 7}}).text == ""


# Mentions


def test_mentions_are_those_that_the_client_names() -> None:
    assert read(said(**{"m.mentions": {"user_ids": [ANA, BEN, ANA]}})).mentions == {ANA, BEN}
    assert read(said(**{"m.mentions": {"room": True}})).mentions == set()


@pytest.mark.parametrize(
    "link",
    [
        f'<a href="https://matrix.to/#/{ANA}">Ana</a>: soft?',
        f"<a href='https://matrix.to/#/{ANA}'>Ana</a>",
        f'<A HREF="https://matrix.to/#/{ANA}?via=example.org">Ana</A>',
        '<a href="https://matrix.to/#/%40ana%3Aexample.org">Ana</a>',
        f'<a class="pill" href="https://matrix.to/#/{ANA}">Ana</a>',
    ],
)
def test_an_older_clients_link_to_a_person_mentions_them(link: str) -> None:
    assert read(html(link)).mentions == {ANA}
    assert read(html(link) | {"m.mentions": {}}).mentions == set(), "a newer client has said that it mentions nobody"


@pytest.mark.parametrize(
    "link",
    [
        f'<a href="https://example.org/#/{ANA}">Ana</a>',
        '<a href="https://matrix.to/#/!room:example.org/$event">a message</a>',
        '<a href="https://matrix.to/#/#wool:example.org">a room</a>',
        f"https://matrix.to/#/{ANA}",
        7,
        None,
    ],
)
def test_other_links_mention_nobody(link: Any) -> None:
    assert read(html(link)).mentions == set()


@pytest.mark.parametrize(
    "mentions",
    [None, [], "x", {"user_ids": "@ana:example.org"}, {"user_ids": {"@a:b": 1}}, {"user_ids": [1, None, [], "x\0"]},
                 {"user_ids": ["@" + "x" * 255]}]
)  # fmt: skip
def test_broken_mentions_are_none(mentions: Any) -> None:
    assert read(said(**{"m.mentions": mentions})).mentions == set()


def test_no_more_than_fifty_are_mentioned() -> None:
    everybody = [f"@m{n}:example.org" for n in range(200)]
    assert read(said(**{"m.mentions": {"user_ids": everybody}})).mentions == set(everybody[:50])
    pills = "".join(f'<a href="https://matrix.to/#/{one}">x</a>' for one in everybody)
    assert len(read(html(pills)).mentions) == 50


# Pictures and files


def test_a_picture_can_be_sent_on_without_its_name() -> None:
    remark = read(image(**{"m.mentions": {"user_ids": [BEN]}}))
    assert remark.text == "" and remark.mentions == {BEN}
    assert remark.picture == {"msgtype": "m.image", "body": "picture", "url": URL, "info": INFO, "m.mentions": {}}


def test_an_encrypted_picture_keeps_its_key() -> None:
    content = image(file={**KEY, "url": URL})
    del content["url"]
    picture = read(content).picture
    assert picture is not None and "url" not in picture
    assert picture["file"]["url"] == URL and picture["file"]["key"]["k"] == KEY["key"]["k"]  # type: ignore[index]


def test_a_caption_is_what_was_said() -> None:
    assert read(image("Is this moth?", filename="hole.png")).text == "Is this moth?"
    assert read(image("hole.png", filename="hole.png")).text == ""
    assert read(image("hole.png", filename=7)).text == ""


@pytest.mark.parametrize(
    ("msgtype", "text"),
    [("m.file", "(a file: hole.png)"), ("m.audio", "(a recording: hole.png)"), ("m.video", "(a video: hole.png)")],
)
def test_other_files_are_named(msgtype: str, text: str) -> None:
    remark = read(image() | {"msgtype": msgtype})
    assert remark.text == text and remark.picture is None
    assert read(image("Look", filename="hole.png") | {"msgtype": msgtype}).text == "Look"
    assert len(read(image("x" * 1000) | {"msgtype": msgtype}).text) < 130


@pytest.mark.parametrize(
    "broken",
    [{"url": None}, {"url": "https://example.org/x.png"}, {"url": 7}, {"url": None, "file": {"url": URL}}]
)  # fmt: skip
def test_a_picture_that_cannot_be_fetched_is_none(broken: dict[str, Any]) -> None:
    assert read(image("Is this moth?", filename="a.png") | broken) == Remark("Is this moth?")


def test_a_pictures_broken_sizes_are_left_out() -> None:
    picture = read(image(info={"w": "640", "h": -1, "size": 1.5, "mimetype": 7})).picture
    assert picture is not None and picture["info"] == {}


# Anything at all

FIELDS = (
    "msgtype",
    "body",
    "m.relates_to",
    "m.mentions",
    "formatted_body",
    "m.new_content",
    "filename",
    "url",
    "file",
    "info",
)
contents = st.dictionaries(st.sampled_from(FIELDS), json_values)
relations = st.fixed_dictionaries(
    {}, optional={
        "rel_type": st.sampled_from(["m.thread", "m.replace", "m.annotation"]) | json_values,
        "event_id": st.just("$a") | json_values,
        "is_falling_back": st.booleans() | json_values,
        "m.in_reply_to": st.fixed_dictionaries({"event_id": st.just("$b") | json_values}) | json_values,
    },
)  # fmt: skip


@given(contents, st.sampled_from(["m.text", "m.notice", "m.image", "m.file", "m.emote"]), st.text(), relations)
def test_whatever_comes_is_read_or_left_and_can_be_kept(
    content: dict[str, Any], msgtype: str, body: str, relation: dict[str, Any]
) -> None:
    parse_remark(content)
    remark = read(content | {"msgtype": msgtype, "body": body, "m.relates_to": relation})
    assert is_storable(remark.text)
    assert all(isinstance(one, str) and is_storable(one) for one in remark.mentions)
    for event_id in (remark.thread, remark.reply_to, remark.edits):
        assert event_id is None or (isinstance(event_id, str) and is_storable(event_id))
    assert remark.thread is None or remark.edits is None
