"""Members who mean it badly, and concierges who do not look: the desk stays readable, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.asked import asks, facts, replies, rings, shown, statuses
from tests.flows.helped import ask, help_room, helped, line_now, lines, said, standing, take
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import MINUTE, Service

WIDE = '\N{GRINNING FACE}&"<\n'


async def test_of_a_flood_of_questions_none_is_lost_and_few_ring(circle: Journey, service: Service) -> None:
    for n in range(30):
        circle.ana.say(circle.group, f"Question {n}?", mentions=[circle.ben.mxid])
    await circle.rest()
    assert len(rings(circle)) == 10 and len(lines(circle)) == len(await statuses(circle)) == 20
    read = "\n".join(shown(circle))
    assert not [n for n in range(30) if f"> Question {n}?" not in read]
    await asks(circle, circle.otto)
    assert len(rings(circle)) == 11
    await service.wait(20 * MINUTE)
    assert rings(circle)[11:][0][0] == "21 questions need somebody:"


async def test_who_closes_and_reopens_their_question_again_and_again_rings_few_times(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    for n in range(12):
        done = circle.ana.react(circle.group, asked, "✅")
        await circle.rest()
        await replies(circle, circle.ana, f"And {n}?", asked)
        circle.ana.redact(circle.group, done)
        await circle.rest()
    assert len(rings(circle)) == 10 and "> And 11?" in shown(circle)[0] and await statuses(circle) == ["open"]


async def test_however_much_is_written_to_a_question_its_line_fits_into_an_event(circle: Journey) -> None:
    await much_is_written(circle)


async def test_it_fits_into_an_encrypted_event(sealed: None, circle: Journey) -> None:
    await much_is_written(circle)


async def much_is_written(circle: Journey) -> None:
    asked = await asks(circle, circle.ana, "Is it soft?" + WIDE * 900)
    for n in range(25):
        circle.ana.say(circle.group, f"{n}: {WIDE * 900}", reply_to=asked)
    for n in range(12):
        circle.ben.say(circle.desk, f"!note {n} {WIDE * 150}", reply_to=lines(circle)[0].event_id)
    await circle.rest()
    line = shown(circle)[0]
    found = [words in line for words in ("Is it soft?", "> 24: ", " more)", "Note: 11 ")]
    assert found == [True] * 4
    await circle.say(circle.ben, "!queue", to=circle.desk)
    assert shown(circle)[-1].startswith("❔") and len(lines(circle)) == 2


async def test_a_summary_of_very_many_fits_into_an_event(circle: Journey, service: Service) -> None:
    people = [circle.ana, circle.otto, circle.mia]
    for n in range(60):
        people[n % 3].say(circle.group, f"Question {n}?", mentions=[circle.ben.mxid])
    await circle.rest()
    await service.wait(20 * MINUTE)
    line = next(e for e in circle.bot_events(circle.desk) if "60 questions need" in str(e.original.get("body")))
    assert line_now(circle, line).endswith("\nand 10 more: !queue shows them all")


async def test_peers_who_go_on_answering_do_not_keep_the_owners_from_being_told(
    circle: Journey, service: Service
) -> None:
    asked = await asks(circle, circle.ana)
    for n in range(6):
        await service.wait(14 * MINUTE if n == 0 else 50 * MINUTE)
        await replies(circle, circle.otto, f"No idea {n}", asked)
    assert [text.partition(":")[0] for text, _ in rings(circle)[1:]] == ["For the owners"]


async def test_of_a_peers_flood_little_is_kept(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    for n in range(40):
        circle.otto.say(circle.group, f"No idea {n}", reply_to=asked)
    await circle.rest()
    assert (await facts(circle)).count("peer_answered") == 20


async def test_a_removed_edit_takes_its_words_out_of_the_desk(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    edit = circle.ana.edit(circle.group, asked, "Is it for my bad skin?")
    await circle.rest()
    assert "skin" in shown(circle)[0]
    circle.ana.redact(circle.group, edit)
    await circle.rest()
    assert await statuses(circle) == ["open"] and "> (removed)" in shown(circle)[-1]
    assert not [e for e in circle.hs.room(circle.desk).events if "skin" in str(e.content)]
    assert "skin" not in str(await service.rows("SELECT text, shown FROM question"))


async def test_a_removed_question_is_not_quoted_in_its_help_room_any_more(circle: Journey) -> None:
    direct = await circle.direct(circle.ana)
    asked = await circle.say(circle.ana, "Is it for my bad skin?", to=direct)
    await take(circle, circle.ben)
    assert "skin" in said(help_room(circle), circle)[0]
    circle.ana.redact(direct, asked)
    await circle.rest()
    assert not [e for e in help_room(circle).events if "skin" in str(e.content)]


async def test_what_is_asked_is_quoted_without_ids_and_marks_that_mislead(circle: Journey) -> None:
    await asks(circle, circle.ana, f"Is {circle.otto.mxid} in?\r✅ Closed\u2028by \u202enebba\u2066\x07 <b>x</b>")
    assert "\n> Is (an id) in?\n> ✅ Closed\n> by nebba <b>x</b>\n" in shown(circle)[0]
    html = str(lines(circle)[0].content["formatted_body"])
    assert "<blockquote>Is (an id) in?<br>✅ Closed<br>by nebba &lt;b&gt;x&lt;/b&gt;</blockquote>" in html


async def test_who_is_out_of_the_group_opens_nothing_from_a_help_room(circle: Journey, hs: FakeHomeserver) -> None:
    room = await helped(circle)
    hs.pause_delivery()
    circle.ana.leave(circle.group)
    circle.ana.say(room.room_id, "One more thing")
    hs.resume()
    await circle.rest()
    assert await statuses(circle) == ["resolved"] and "reopened" not in await facts(circle)


async def test_what_is_opened_again_has_a_line_though_its_own_was_removed(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    root = lines(circle)[0].event_id
    await circle.decide(circle.ben, root, "✅")
    circle.ben.redact(circle.desk, root)
    await circle.rest()
    assert lines(circle) == []
    await replies(circle, circle.ana, "And light?", asked)
    [line] = lines(circle)
    assert "> And light?" in line_now(circle, line) and len(rings(circle)) == 2
    await take(circle, circle.ben, line)
    assert await standing(circle) == ("claimed", "ben", True)


async def test_of_two_signs_of_one_concierge_the_last_one_releases(circle: Journey) -> None:
    await asks(circle, circle.ana)
    first = await take(circle, circle.ben)
    await circle.say(circle.ben, "!queue", to=circle.desk)
    second = await take(circle, circle.ben)
    circle.ben.redact(circle.desk, first)
    await circle.rest()
    assert await standing(circle) == ("claimed", "ben", True)
    circle.ben.redact(circle.desk, second)
    await circle.rest()
    assert await standing(circle) == ("open", None, True)


ODD: dict[str, dict[str, Any]] = {
    "mentions are no list": {"m.mentions": {"user_ids": "x"}},
    "mentions are no object": {"m.mentions": []},
    "mentions of no strings": {"m.mentions": {"user_ids": [1, None, {}, ["x"]]}},
    "the room": {"m.mentions": {"room": True}},
    "no relation": {"m.relates_to": []},
    "a thread of no event": {"m.relates_to": {"rel_type": "m.thread", "event_id": 5}},
    "a picture without address": {"msgtype": "m.image", "url": "mxc://x/../y", "info": 5},
    "an edit without content": {"m.relates_to": {"rel_type": "m.replace", "event_id": "$a"}, "m.new_content": "x"},
}


@pytest.mark.parametrize("how", ODD)
async def test_what_is_malformed_in_a_group_is_chatter(how: str, circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    circle.otto.send(circle.group, "m.room.message", {"msgtype": "m.text", "body": "odd", **ODD[how]})
    await circle.rest()
    assert len(await statuses(circle)) == 1 and await facts(circle) == ["asked"]


async def test_others_change_nothing_about_a_question(circle: Journey, hs: FakeHomeserver) -> None:
    """Edits of it, signs on it and on its line in the desk, words in its thread there, from where they can."""
    asked = await asks(circle, circle.ana)
    root = lines(circle)[0].event_id
    before = shown(circle)
    new = {"msgtype": "m.text", "body": "Stolen"}
    for to in (asked, root):
        relation = {"rel_type": "m.replace", "event_id": to}
        content = {**new, "body": "* Stolen", "m.new_content": new, "m.relates_to": relation}
        circle.otto.send(circle.group, "m.room.message", content, force=True)
        for key in ("👀", "✅", "❓"):
            sign = {"m.relates_to": {"rel_type": "m.annotation", "event_id": to, "key": key}}
            circle.otto.send(circle.group, "m.reaction", sign, force=True)
        thread = {"rel_type": "m.thread", "event_id": root}
        circle.otto.send(circle.group, "m.room.message", {**new, "m.relates_to": thread}, force=True)
    await circle.rest()
    assert shown(circle) == before and await facts(circle) == ["asked"]
    await circle.tell(circle.otto, "!private")
    await circle.say(circle.otto, "!private", reply_to=asked)
    assert not [room for room in hs.world.rooms.values() if str(room.name).startswith("Help for ")]


async def test_a_member_who_asks_twice_in_private_has_one_question(circle: Journey) -> None:
    await ask(circle, circle.ana, "Is it soft?")
    await ask(circle, circle.ana, " is it SOFT? ")
    assert len(await statuses(circle)) == 1
