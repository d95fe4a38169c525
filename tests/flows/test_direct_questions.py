"""Questions asked by direct message: which group gets them, what the member sees of it, and what the desk sees."""

from __future__ import annotations

import pytest

from tests.flows.helped import ask, line_now, lines, questions
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import DAY, Service

WHICH = "For which group is that?"
TAKEN = "I have passed that on to the concierges of “Wool circle”"


async def two_groups(play: Journey) -> tuple[str, str]:
    """Ana is in a second group as well; gives both desks."""
    wool, desk = play.group, play.desk
    await play.make_group("Books")
    await play.tell(play.rosa, f"!invite {play.ana.mxid} {play.group_id}")
    books = play.desk
    play.group, play.desk = wool, desk
    return desk, books


async def test_a_direct_message_opens_a_question_in_the_desk(engine: str, circle: Journey) -> None:
    event_id = await circle.tell(circle.ana, "Is it soft?")
    [line] = lines(circle)
    assert f"{await circle.alias(circle.ana)} asks directly" in line.content["body"]
    assert "Is it soft?" in line.content["body"]
    assert circle.signs(event_id) == ["⏳"]
    [told] = circle.told(circle.ana)
    assert told.startswith(TAKEN)
    assert circle.posted() == []


async def test_the_line_that_says_who_answers_comes_once_only(circle: Journey) -> None:
    await ask(circle, circle.ana)
    await ask(circle, circle.ana, "And is it warm?")
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    second = await circle.tell(circle.ana, "One more thing")
    assert len(circle.told(circle.ana)) == 1 and circle.signs(second) == ["⏳"]
    await ask(circle, circle.otto, "Is it red?")
    assert len(circle.told(circle.otto)) == 1


async def test_that_line_says_when_concierges_answer(circle: Journey) -> None:
    await circle.say(circle.rosa, "!hours mon-fri 9:00-18:00", to=circle.desk)
    await ask(circle, circle.ana)
    assert "Their hours: " in circle.told(circle.ana)[-1] and "9:00" in circle.told(circle.ana)[-1]


async def test_what_follows_goes_with_the_question_while_it_is_open(circle: Journey) -> None:
    line = await ask(circle, circle.ana, "Is it soft?")
    more = await circle.tell(circle.ana, "And is it warm?")
    assert lines(circle) == [line] and circle.signs(more) == ["⏳"]
    shown = line_now(circle, line)
    assert "Is it soft?" in shown and "And is it warm?" in shown


async def test_after_it_was_closed_a_new_message_is_a_new_question(circle: Journey) -> None:
    line = await ask(circle, circle.ana, "Is it soft?")
    await circle.decide(circle.ben, line.event_id, "✅")
    await circle.tell(circle.ana, "Is it red?")
    assert len(lines(circle)) == 2
    assert sorted(row["status"] for row in await questions(circle)) == ["open", "resolved"]


async def test_a_reply_to_a_closed_question_opens_it_again(circle: Journey) -> None:
    asked = await circle.tell(circle.ana, "Is it soft?")
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    await circle.tell(circle.ana, "I meant the other one", reply_to=asked)
    [row] = await questions(circle)
    assert row["status"] == "open" and row["waits"] == 1


async def test_a_picture_alone_is_a_question(circle: Journey, hs: FakeHomeserver) -> None:
    direct = await circle.direct(circle.ana)
    image = circle.ana.image(direct, "stain.png")
    await circle.rest()
    assert circle.signs(image) == ["⏳"] and len(lines(circle)) == 1
    pictures = [e for e in hs.room(circle.desk).messages(hs.bot) if e.content["msgtype"] == "m.image"]
    assert len(pictures) == 1


async def test_commands_pledges_and_notices_are_no_questions(shop: Journey) -> None:
    await shop.tell(shop.ana, "!help")
    await shop.tell(shop.ana, "+2")
    direct = await shop.direct(shop.ana)
    shop.ana.send(direct, "m.room.message", {"msgtype": "m.notice", "body": "I am a bot"})
    await shop.rest()
    assert await questions(shop) == [] and await shop.units() == {"ana": 2}


async def test_a_stranger_opens_no_question(circle: Journey) -> None:
    stranger = circle.person("zoe")
    event_id = await circle.tell(stranger, "Is it soft?")
    assert await questions(circle) == [] and lines(circle) == [] and circle.signs(event_id) == ["⚠️"]


async def test_a_concierge_asks_nobody_by_direct_message(circle: Journey) -> None:
    event_id = await circle.tell(circle.ben, "what now?")
    assert await questions(circle) == [] and circle.signs(event_id) == ["⚠️"]
    assert "read commands only" in circle.told(circle.ben)[-1]


async def test_who_is_in_several_groups_is_asked_for_which_it_is(circle: Journey) -> None:
    wool, books = await two_groups(circle)
    event_id = await circle.tell(circle.ana, "Is it soft?")
    assert circle.told(circle.ana)[-1].startswith(WHICH) and circle.signs(event_id) == ["⏳"]
    assert lines(circle, wool) == [] == lines(circle, books)
    answered = await circle.tell(circle.ana, "Books!")
    assert lines(circle, wool) == [] and "Is it soft?" in lines(circle, books)[0].content["body"]
    assert circle.signs(answered) == ["✅"]
    assert await circle.service.rows("SELECT * FROM unplaced_question") == []


def number_of(play: Journey, name: str) -> str:
    """The number that a group has in the list that ana was shown last."""
    shown = play.told(play.ana)[-1].splitlines()
    return next(line.split(".")[0] for line in shown if f" {name} (" in line)


@pytest.mark.parametrize("word", ["number", "wool circle", "“Wool Circle”", "id"])
async def test_the_group_is_named_by_number_name_or_id(circle: Journey, word: str) -> None:
    wool_id = circle.group_id
    wool, books = await two_groups(circle)
    await circle.tell(circle.ana, "Is it soft?")
    words = {"id": wool_id, "number": number_of(circle, "Wool circle")}
    await circle.tell(circle.ana, words.get(word, word))
    assert len(lines(circle, wool)) == 1 and lines(circle, books) == []


async def test_what_is_written_before_the_group_is_known_is_added(circle: Journey) -> None:
    wool, _ = await two_groups(circle)
    await circle.tell(circle.ana, "Is it soft?")
    await circle.tell(circle.ana, "And is it warm?")
    assert [text.startswith(WHICH) for text in circle.told(circle.ana)[-2:]] == [True, True]
    await circle.tell(circle.ana, number_of(circle, "Wool circle"))
    [line] = lines(circle, wool)
    shown = line_now(circle, line)
    assert "Is it soft?" in shown and "And is it warm?" in shown and len(await questions(circle)) == 1


async def test_what_was_removed_or_edited_before_the_group_is_known_counts_as_it_is_then(circle: Journey) -> None:
    wool, _ = await two_groups(circle)
    direct = await circle.direct(circle.ana)
    gone = await circle.tell(circle.ana, "my number is 555")
    await circle.redact(circle.ana, gone)
    assert await circle.service.rows("SELECT * FROM unplaced_question") == []
    asked = await circle.tell(circle.ana, "Is it sotf?")
    circle.ana.edit(direct, asked, "Is it soft?")
    await circle.rest()
    await circle.tell(circle.ana, number_of(circle, "Wool circle"))
    shown = line_now(circle, lines(circle, wool)[0])
    assert "Is it soft?" in shown and "sotf" not in shown and "555" not in shown


async def test_a_group_that_the_person_has_left_is_no_choice_any_more(circle: Journey) -> None:
    _, books = await two_groups(circle)
    await circle.tell(circle.ana, "Is it soft?")
    circle.ana.leave(circle.group)
    await circle.rest()
    await circle.tell(circle.ana, "Hello?")
    [line] = lines(circle, books)
    assert "Is it soft?" in line_now(circle, line) and "Hello?" in line_now(circle, line)


async def test_a_question_for_no_group_is_forgotten_after_a_week(circle: Journey, service: Service) -> None:
    await two_groups(circle)
    await circle.tell(circle.ana, "Is it soft?")
    service.clock.advance(8 * DAY)
    service.ring()
    await circle.rest()
    assert await service.rows("SELECT * FROM unplaced_question") == []


async def test_a_redelivered_question_is_asked_once(engine: str, circle: Journey, hs: FakeHomeserver) -> None:
    await ask(circle, circle.ana)
    hs.delivery.redeliver()
    await circle.rest()
    await circle.service.restart()
    assert len(await questions(circle)) == 1 and len(lines(circle)) == 1 and len(circle.told(circle.ana)) == 1


async def test_its_asker_closes_a_direct_question_by_a_check_mark_and_opens_it_by_taking_that_back(
    circle: Journey,
) -> None:
    asked = await circle.tell(circle.ana, "Is it soft?")
    done = circle.ana.react(await circle.direct(circle.ana), asked, "✅")
    await circle.rest()
    assert [row["status"] for row in await questions(circle)] == ["resolved"]
    await circle.redact(circle.ana, done)
    assert [row["status"] for row in await questions(circle)] == ["open"]


async def test_in_an_encrypted_direct_room_what_came_in_clear_is_no_question(sealed: None, circle: Journey) -> None:
    direct = await circle.direct(circle.ana)
    event_id = circle.ana.say(direct, "Is it soft?", clear=True)
    await circle.rest()
    assert await questions(circle) == [] and circle.signs(event_id) == ["⚠️"]
    await ask(circle, circle.ana, "Is it soft?")
    assert len(await questions(circle)) == 1
