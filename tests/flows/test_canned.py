"""Canned drafts: a concierge gets a text to send themselves; the service sends it to nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey

pytestmark = pytest.mark.usefixtures("nobody_exposed")

HELLO = "!canned add delivery Hello {alias}, it comes on {day} to {group}."


async def ask(play: Journey, who: Person, text: str = "When does it come?") -> str:
    """A member asks in the group; gives the line about it in the desk."""
    who.say(play.group, text, mentions=[play.hs.bot])
    await play.rest()
    lines = [e for e in play.hs.room(play.desk).messages(play.hs.bot) if text in str(e.content.get("body"))]
    return lines[-1].event_id


async def in_thread(play: Journey, who: Person, root: str, body: str) -> str:
    """Somebody types something in a thread of the desk."""
    content = {"msgtype": "m.text", "body": body, "m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    event_id = who.send(play.desk, "m.room.message", content)
    await play.rest()
    return event_id


def answered(play: Journey) -> dict[str, Any]:
    """The newest line of the service in the desk."""
    return play.hs.room(play.desk).messages(play.hs.bot)[-1].content


async def drafts(play: Journey) -> dict[str, str]:
    return {row["name"]: row["text"] for row in await play.service.rows("SELECT name, text FROM canned")}


async def test_a_draft_is_filled_in_for_the_concierge_alone(engine: str, circle: Journey) -> None:
    kept = await circle.say(circle.ben, HELLO, to=circle.desk)
    assert circle.signs(kept) == ["✅"]
    root = await ask(circle, circle.ana)
    posted, told = circle.posted(), circle.told(circle.ana)
    await in_thread(circle, circle.ben, root, '!canned delivery day="Friday the 4th"')
    ana = await circle.alias(circle.ana)
    content = answered(circle)
    assert content["body"] == (
        f"A draft for {ana}. I send it to nobody: copy it, change what is not true, and send it yourself.\n\n"
        f"Hello {ana}, it comes on Friday the 4th to Wool circle."
    )
    assert content["msgtype"] == "m.notice" and content["m.mentions"] == {}
    assert content["m.relates_to"]["rel_type"] == "m.thread" and content["m.relates_to"]["event_id"] == root
    assert circle.posted() == posted and circle.told(circle.ana) == told


async def test_a_draft_stops_no_clock(circle: Journey) -> None:
    await circle.say(circle.ben, "!canned add soon Soon.", to=circle.desk)
    root = await ask(circle, circle.ana)
    await in_thread(circle, circle.ben, root, "!canned soon")
    [row] = await circle.service.rows("SELECT status, waits, claimant FROM question")
    assert row == {"status": "open", "waits": 1, "claimant": None}


async def test_what_is_missing_is_asked_for_and_what_is_unknown_is_named(circle: Journey) -> None:
    await circle.say(circle.ben, "!canned add delivery {alias}: {what} on {Day}", to=circle.desk)
    root = await ask(circle, circle.ana)
    typed = await in_thread(circle, circle.ben, root, "!canned delivery")
    assert circle.signs(typed) == ["⚠️"]
    assert answered(circle)["body"] == 'I need what, day for it: !canned delivery what="…" day="…"'
    await in_thread(circle, circle.ben, root, "!canned delivery WHAT=throws colour=red")
    assert answered(circle)["body"] == (
        'delivery has nothing to fill in for colour. I need day for it: !canned delivery day="…"'
    )
    await in_thread(circle, circle.ben, root, "!canned delivery what=„two throws“ day=Friday")
    assert str(answered(circle)["body"]).endswith(f"\n\n{await circle.alias(circle.ana)}: two throws on Friday")


async def test_what_is_in_a_value_is_no_variable_and_no_html(circle: Journey) -> None:
    await circle.say(circle.ben, "!canned add odd <b>{what}</b> & {not one} {}\nline two", to=circle.desk)
    root = await ask(circle, circle.ana)
    await in_thread(circle, circle.ben, root, '!canned odd what="{alias} <i>"')
    content = answered(circle)
    assert str(content["body"]).endswith("\n\n<b>{alias} <i></b> & {not one} {}\nline two")
    quoted = "<blockquote>&lt;b&gt;{alias} &lt;i&gt;&lt;/b&gt; &amp; {not one} {}<br>line two</blockquote>"
    assert str(content["formatted_body"]).endswith(quoted)


async def test_drafts_are_listed_replaced_and_removed(circle: Journey) -> None:
    await circle.say(circle.ben, "!canned", to=circle.desk)
    assert str(answered(circle)["body"]).startswith("There are no drafts yet.")
    await circle.say(circle.ben, "!canned add Thanks Thank you!", to=circle.desk)
    await circle.say(circle.rosa, HELLO, to=circle.desk)
    await circle.say(circle.rosa, "!canned add thanks Thank you\nvery much", to=circle.desk)
    await circle.say(circle.ben, "!canned list", to=circle.desk)
    assert answered(circle)["body"] == (
        "Drafts, for use in a question's thread:\n• delivery: Hello {alias}, it comes on {day} to {group}.\n"
        "• thanks: Thank you very much"
    )
    await circle.say(circle.ben, "!canned remove Delivery", to=circle.desk)
    assert await drafts(circle) == {"thanks": "Thank you\nvery much"}


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("!canned add list Hello", "Write it like this: !canned delivery"),
        ("!canned add so:so Hello", "Write it like this: !canned delivery"),
        ("!canned add " + "a" * 31 + " Hello", "Write it like this: !canned delivery"),
        ("!canned add hello", "Write it like this: !canned delivery"),
        ("!canned add long " + "x" * 2001, "That is too long: at most 2000 characters"),
        ("!canned remove bye", "There is no draft “bye”. There are none yet"),
        ("!canned bye day", "Write it like this: !canned delivery"),
        ("!canned bye day=" + "x" * 301, "Write it like this: !canned delivery"),
    ],
)
async def test_what_is_no_draft_is_not_kept(circle: Journey, typed: str, answer: str) -> None:
    asked = await circle.say(circle.ben, typed, to=circle.desk)
    assert circle.signs(asked) == ["⚠️"] and str(answered(circle)["body"]).startswith(answer)
    assert await drafts(circle) == {}


async def test_a_draft_needs_a_question(circle: Journey) -> None:
    await circle.say(circle.ben, HELLO, to=circle.desk)
    typed = await circle.say(circle.ben, "!canned delivery day=Friday", to=circle.desk)
    assert circle.signs(typed) == ["⚠️"] and "Hello" not in str(answered(circle))


async def test_an_unknown_name_is_answered_with_those_there_are(circle: Journey) -> None:
    await circle.say(circle.ben, HELLO, to=circle.desk)
    typed = await in_thread(circle, circle.ben, await ask(circle, circle.ana), "!canned deliver")
    assert circle.signs(typed) == ["⚠️"]
    assert answered(circle)["body"] == "There is no draft “deliver”. There are: delivery."


async def test_what_comes_to_too_much_is_refused(circle: Journey) -> None:
    await circle.say(circle.ben, "!canned add long " + "{x}" * 20, to=circle.desk)
    root = await ask(circle, circle.ana)
    typed = await in_thread(circle, circle.ben, root, "!canned long x=" + "<" * 300)
    assert circle.signs(typed) == ["⚠️"]
    assert answered(circle)["body"] == "That is too long: at most 4000 characters, please."


async def test_a_group_keeps_fifty_drafts(circle: Journey) -> None:
    for n in range(50):
        circle.ben.say(circle.desk, f"!canned add n{n} Text {n}")
    await circle.rest()
    typed = await circle.say(circle.ben, "!canned add more Text", to=circle.desk)
    assert circle.signs(typed) == ["⚠️"] and len(await drafts(circle)) == 50
    assert str(answered(circle)["body"]).startswith("There are 50 drafts, and no more are kept.")
    again = await circle.say(circle.ben, "!canned add n7 Another", to=circle.desk)
    assert circle.signs(again) == ["✅"] and (await drafts(circle))["n7"] == "Another"


async def test_ids_stay_out_of_drafts(circle: Journey) -> None:
    await circle.say(circle.ben, f"!canned add call Write to {circle.otto.mxid}, {{who}}.", to=circle.desk)
    root = await ask(circle, circle.ana)
    await in_thread(circle, circle.ben, root, f"!canned call who={circle.mia.mxid}")
    assert "Write to (an id), (an id)" in str(answered(circle)["body"])


async def test_members_and_other_groups_see_none_of_them(circle: Journey, hs: FakeHomeserver) -> None:
    await circle.say(circle.ben, HELLO, to=circle.desk)
    for person in (circle.ana, circle.ben):
        typed = await circle.tell(person, "!canned")
        assert circle.signs(typed) == ["⚠️"] and "delivery" not in json.dumps(circle.told(person))
    in_group = await circle.say(circle.ben, "!canned delivery day=Friday")
    assert hs.event(in_group).content == {}
    await circle.make_group("Second")
    await circle.say(circle.rosa, "!canned", to=circle.desk)
    assert str(answered(circle)["body"]).startswith("There are no drafts yet.")
