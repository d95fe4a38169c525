"""What people do with questions: take them, answer, close, open again, hand over; and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from appservice.store.inbox import NewArrival
from tests.flows.asked import answered_at, asks, facts, in_thread, replies, rings, shown, statuses, types
from tests.flows.helped import lines, questions, standing, thread
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, MINUTE, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

LATE = "That question is answered or closed; its asker's next message opens it again."


async def in_group(play: Journey) -> int:
    """How many messages the service has put into the group."""
    return len(play.bot_events(type="m.room.message"))


async def machine(service: Service, mxid: str) -> None:
    async with service.store.unit() as unit:
        await unit._connection.execute("UPDATE member SET machine = 1 WHERE user_id = $1", mxid)


# Taken


async def test_a_concierge_takes_a_question_and_gives_it_back(engine: str, circle: Journey) -> None:
    await asks(circle, circle.ana)
    [line] = lines(circle)
    taken = await circle.decide(circle.ben, line.event_id, "👀")
    assert await standing(circle) == ("claimed", "ben", True)
    assert f"{await circle.alias(circle.ben)} has it." in shown(circle)[0] and shown(circle)[0].startswith("👀")
    circle.ben.redact(circle.desk, taken)
    await circle.rest()
    assert await standing(circle) == ("open", None, True) and shown(circle)[0].startswith("❔")
    assert await facts(circle) == ["asked", "claimed", "released"] and len(rings(circle)) == 1


async def test_of_two_who_take_it_in_one_transaction_the_first_has_it_and_the_other_is_told(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    await asks(circle, circle.ana)
    [line] = lines(circle)
    hs.pause_delivery()
    first = circle.rosa.react(circle.desk, line.event_id, "👀")
    second = circle.ben.react(circle.desk, line.event_id, "👀")
    hs.resume()
    await circle.rest()
    assert await standing(circle) == ("claimed", "rosa", True) and await facts(circle) == ["asked", "claimed"]
    rosa = await circle.alias(circle.rosa)
    assert circle.told(circle.ben) == [f"{rosa} was faster and has that question. They can hand it over with !hand."]
    assert hs.event(second).redaction is not None and hs.event(first).redaction is None
    circle.ben.react(circle.desk, line.event_id, "👀")
    await circle.rest()
    assert await standing(circle) == ("claimed", "rosa", True)
    circle.rosa.redact(circle.desk, first)
    await circle.rest()
    assert await standing(circle) == ("open", None, True)


async def test_a_reaction_that_is_quicker_than_the_line_is_known_takes_it(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await asks(circle, circle.ana)
    [line] = lines(circle)
    async with service.store.unit() as unit:  # as if the answer to its sending were still on its way
        [put] = await unit.questions.live(circle.group_id)
        await unit.questions.unsay(put.question.id, line.event_id)
        await unit.questions.set_root(put.question.id, None, put.shown)
    circle.ben.react(circle.desk, line.event_id, "👀")
    await circle.rest()
    assert await standing(circle) == ("open", None, True)
    async with service.store.unit() as unit:
        answer = f'{{"subject": "{put.question.id} 0", "room_id": "{circle.desk}", "event_id": "{line.event_id}"}}'
        await unit.inbox.journal(
            [NewArrival("answered again", circle.desk, "coterie.answer.question_line", answer)], unit.now
        )
    service.ring()
    await circle.rest()
    assert await standing(circle) == ("claimed", "ben", True)


@pytest.mark.parametrize("key", ["👀", "✅"])
async def test_the_signs_of_members_and_of_machine_accounts_do_nothing(
    key: str, circle: Journey, service: Service, hs: FakeHomeserver
) -> None:
    asked = await asks(circle, circle.ana)
    [line] = lines(circle)
    circle.otto.react(circle.group, asked, key)
    await machine(service, circle.ben.mxid)
    circle.ben.react(circle.desk, line.event_id, key)
    circle.ben.react(circle.group, asked, key)
    if key == "👀":
        circle.ana.react(circle.group, asked, key)
    await circle.rest()
    assert await standing(circle) == ("open", None, True) and await facts(circle) == ["asked"]
    assert circle.told(circle.otto) == circle.told(circle.ben) == []


# Answered


@pytest.mark.parametrize("way", ["reply", "thread", "mention", "pill", "picture"])
async def test_a_concierge_who_answers_in_public_stops_the_clock_and_has_it(way: str, circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    circle.service.clock.advance(7 * MINUTE)
    ana, moment = circle.ana.mxid, circle.service.clock.now()
    html = f'<a href="https://matrix.to/#/{ana}">x</a>'
    pill = {"msgtype": "m.text", "body": "yes", "format": "org.matrix.custom.html", "formatted_body": html}
    match way:
        case "reply":
            circle.ben.say(circle.group, "Yes", reply_to=asked)
        case "thread":
            circle.ben.say(circle.group, "Yes", **in_thread(asked))
        case "mention":
            circle.ben.say(circle.group, "Yes, it is", mentions=[ana])
        case "pill":
            circle.ben.send(circle.group, "m.room.message", pill)
        case "picture":
            circle.ben.image(circle.group, "label.png", reply_to=asked)
    await circle.rest()
    assert await standing(circle) == ("waiting_member", "ben", False)
    assert await answered_at(circle) == moment
    ben = await circle.alias(circle.ben)
    assert f"Answered by {ben} after 7 minutes. ✅ closes it." in shown(circle)[0]
    assert await facts(circle) == ["asked", "claimed", "answered"]
    await circle.service.wait(3 * HOUR)
    assert len(rings(circle)) == 1 and await in_group(circle) == 0


@pytest.mark.parametrize(
    "way", ["note", "reaction", "desk", "asker", "peer", "notice", "machine", "chatter", "another", "edit"]
)
async def test_nothing_else_stops_it(way: str, circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    [line] = lines(circle)
    before = circle.ben.say(circle.group, "hello")
    await circle.rest()
    service.clock.advance(7 * MINUTE)
    match way:
        case "note":
            await types(circle, circle.ben, "!note it is soft")
        case "reaction":
            circle.ben.react(circle.group, asked, "👍")
            circle.ben.react(circle.desk, line.event_id, "👀")
        case "desk":
            circle.ben.say(circle.desk, "I think it is soft", mentions=[circle.ana.mxid], **in_thread(line.event_id))
        case "asker":
            circle.ana.say(circle.group, "Or is it hard?", reply_to=asked)
            circle.ana.say(circle.group, "Hello?", **in_thread(asked))
        case "peer":
            circle.otto.say(circle.group, "It is soft", reply_to=asked)
        case "notice":
            circle.ben.say(circle.group, "It is soft", reply_to=asked, msgtype="m.notice")
        case "machine":
            await machine(service, circle.ben.mxid)
            circle.ben.say(circle.group, "It is soft", reply_to=asked)
        case "chatter":
            circle.ben.say(circle.group, "It is a nice day")
        case "another":
            circle.ben.say(circle.group, "It is a nice day", mentions=[circle.otto.mxid])
        case "edit":
            circle.ben.edit(circle.group, before, "It is soft", **{"m.mentions": {"user_ids": [circle.ana.mxid]}})
    await circle.rest()
    status, _, waits = await standing(circle)
    assert (status, waits) == ("claimed" if way == "reaction" else "open", True)
    assert await answered_at(circle) is None and await in_group(circle) == 0


async def test_a_mention_answers_what_the_concierge_has_taken_else_the_oldest(circle: Journey) -> None:
    await asks(circle, circle.ana, "Is it soft?")
    circle.service.clock.advance(MINUTE)
    await asks(circle, circle.ana, "Is it red?")
    circle.service.clock.advance(MINUTE)
    await asks(circle, circle.otto, "Is it mine?")
    await circle.decide(circle.ben, lines(circle)[1].event_id, "👀")
    circle.ben.say(circle.group, "Red, and yours", mentions=[circle.ana.mxid, circle.otto.mxid])
    await circle.rest()
    assert await statuses(circle) == ["open", "waiting_member", "waiting_member"]
    circle.rosa.say(circle.group, "Soft", mentions=[circle.ana.mxid])
    await circle.rest()
    assert await statuses(circle) == ["waiting_member"] * 3


async def test_question_and_answer_in_one_transaction_are_both_heard(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    hs.pause_delivery()
    asked = circle.ana.say(circle.group, "Is it soft?", mentions=[circle.ben.mxid])
    circle.otto.say(circle.group, "I think so", reply_to=asked)
    circle.ben.say(circle.group, "Yes", reply_to=asked)
    other = circle.mia.say(circle.group, "Is it red?", mentions=[circle.ben.mxid])
    circle.rosa.say(circle.group, "No", mentions=[circle.mia.mxid])
    circle.mia.react(circle.group, other, "✅")
    hs.resume()
    await circle.rest()
    assert sorted(await statuses(circle)) == ["resolved", "waiting_member"]
    assert (await facts(circle)).count("answered") == 2 and (await facts(circle)).count("peer_answered") == 1


async def test_an_answer_counts_from_when_it_was_written(circle: Journey, hs: FakeHomeserver) -> None:
    asked = await asks(circle, circle.ana)
    moment = circle.service.clock.now()
    await circle.service.stop()
    circle.service.clock.advance(3 * MINUTE)
    circle.ben.say(circle.group, "Yes", reply_to=asked)
    circle.service.clock.advance(2 * DAY)
    await circle.service.start()
    assert await answered_at(circle) == moment + 3 * MINUTE and len(rings(circle)) == 1


async def test_a_removed_answer_answers_nothing(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    first = await replies(circle, circle.ben, "Yes", asked)
    circle.service.clock.advance(MINUTE)
    second = await replies(circle, circle.rosa, "Certainly", asked)
    circle.ben.redact(circle.group, first)
    await circle.rest()
    assert await standing(circle) == ("waiting_member", "ben", False)
    assert await answered_at(circle) == circle.service.clock.now()
    circle.ben.redact(circle.group, second)
    await circle.rest()
    assert await standing(circle) == ("claimed", "ben", True) and await answered_at(circle) is None


async def test_a_peer_who_answers_pauses_the_rings_and_is_credited(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    service.clock.advance(5 * MINUTE)
    answer = await replies(circle, circle.otto, "It is soft", asked)
    otto = await circle.alias(circle.otto)
    assert f"{otto} has answered; no concierge has." in shown(circle)[0]
    await service.wait(50 * MINUTE)
    assert len(rings(circle)) == 1
    await service.wait(15 * MINUTE)
    assert len(rings(circle)) > 1, "a peer's answer does not end it"
    sign = circle.ana.react(circle.group, answer, "✅")
    await circle.rest()
    assert await standing(circle) == ("resolved", None, False)
    assert f"Closed: {otto}’s answer was accepted." in shown(circle)[0] and "accepted" in await facts(circle)
    circle.ana.redact(circle.group, sign)
    await circle.rest()
    assert await standing(circle) == ("open", None, True) and "accepted" not in shown(circle)[0]


async def test_nobody_credits_themselves(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    answer = await replies(circle, circle.otto, "It is soft", asked)
    circle.otto.react(circle.group, answer, "✅")
    circle.mia.react(circle.group, answer, "✅")
    await circle.rest()
    assert await standing(circle) == ("open", None, True)
    circle.ben.react(circle.group, answer, "✅")
    await circle.rest()
    assert await statuses(circle) == ["resolved"]


# Closed, and opened again


async def test_a_concierge_closes_and_takes_that_back(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    [line] = lines(circle)
    await replies(circle, circle.ben, "Yes", asked)
    sign = await circle.decide(circle.rosa, line.event_id, "✅")
    rosa, ben = await circle.alias(circle.rosa), await circle.alias(circle.ben)
    assert f"Answered by {ben} after less than a minute. Closed by {rosa}." in shown(circle)[0]
    assert shown(circle)[0].startswith("✅")
    circle.rosa.redact(circle.desk, sign)
    await circle.rest()
    assert await standing(circle) == ("waiting_member", "ben", False)


async def test_a_closing_cannot_be_taken_back_after_a_week(circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    sign = await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    await circle.days(8)
    circle.ben.redact(circle.desk, sign)
    await circle.rest()
    assert await statuses(circle) == ["resolved"]


@pytest.mark.parametrize("on", ["asked", "answer"])
async def test_the_asker_closes_in_the_group(on: str, circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    answer = await replies(circle, circle.ben, "Yes", asked)
    circle.otto.react(circle.group, asked, "✅")
    await circle.rest()
    assert await statuses(circle) == ["waiting_member"]
    sign = circle.ana.react(circle.group, {"asked": asked, "answer": answer}[on], "✅")
    await circle.rest()
    assert await statuses(circle) == ["resolved"]
    circle.ana.redact(circle.group, sign)
    await circle.rest()
    assert await statuses(circle) == ["waiting_member"] and await in_group(circle) == 0


async def test_within_a_week_the_askers_words_open_it_again_and_ring(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    answer = await replies(circle, circle.ben, "Yes", asked)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    service.clock.advance(6 * DAY)
    circle.otto.say(circle.group, "I have one too", **in_thread(asked))
    await circle.rest()
    assert await statuses(circle) == ["resolved"]
    await replies(circle, circle.ana, "And is it warm?", answer)
    assert await standing(circle) == ("claimed", "ben", True) and len(lines(circle)) == 1
    assert rings(circle)[1:] == [(f"{await circle.alias(circle.ana)} has written again: see above.", {"ben"})]
    assert "> Is it soft?\n> And is it warm?\n" in shown(circle)[0]
    [row] = await service.rows("SELECT detail FROM ledger WHERE fact = 'question_reopened'")
    assert '"episode": 2' in str(row["detail"])
    await circle.decide(circle.rosa, lines(circle)[0].event_id, "✅")
    assert await statuses(circle) == ["resolved"], "a thank you is closed without an answer"


async def test_after_a_week_they_are_a_new_question(circle: Journey, service: Service) -> None:
    asked = await asks(circle, circle.ana)
    await replies(circle, circle.ben, "Yes", asked)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    service.clock.advance(8 * DAY)
    await replies(circle, circle.ana, "And is it warm?", asked)
    assert await statuses(circle) == ["resolved", "open"] and len(lines(circle)) == 2
    assert rings(circle)[-1][1] == {"rosa", "ben"}


async def test_what_the_asker_adds_to_an_answered_question_needs_an_answer_again(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    await replies(circle, circle.ben, "Yes", asked)
    await replies(circle, circle.ana, "How soft?", asked)
    assert await standing(circle) == ("claimed", "ben", True) and rings(circle)[-1][1] == {"ben"}


# Tools


async def test_a_note_stays_at_the_desk(circle: Journey, hs: FakeHomeserver) -> None:
    await asks(circle, circle.ana)
    noted = await types(circle, circle.ben, "!note asked the maker,\nanswer by Friday")
    assert circle.signs(noted) == ["✅"]
    assert f"Note: asked the maker, answer by Friday ({await circle.alias(circle.ben)})" in shown(circle)[0]
    assert await in_group(circle) == 0 and circle.told(circle.ana) == [] and len(rings(circle)) == 1


async def test_handing_over_rings_the_one_who_gets_it_with_the_note(circle: Journey) -> None:
    await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    rosa, ben, ana = [await circle.alias(one) for one in (circle.rosa, circle.ben, circle.ana)]
    handed = await types(circle, circle.ben, f"!hand {rosa} knows the maker")
    assert circle.signs(handed) == ["✅"] and await standing(circle) == ("claimed", "rosa", True)
    line = f"{rosa}, {ben} hands {ana}’s question over to you: knows the maker"
    assert rings(circle)[1:] == [(line, {"rosa"})] and line in thread(circle)
    assert f"Note: knows the maker ({ben})" in shown(circle)[0]


async def test_who_is_named_by_the_alias_in_any_case_or_by_id_gets_it(circle: Journey) -> None:
    await asks(circle, circle.ana)
    alias = await circle.alias(circle.rosa)
    for name in (f"@{alias.lower()}:", circle.rosa.mxid):
        await types(circle, circle.ben, f"!hand {name} knows the maker")
        assert await standing(circle) == ("claimed", "rosa", True)
        await types(circle, circle.rosa, f"!hand {await circle.alias(circle.ben)} is back")
        assert await standing(circle) == ("claimed", "ben", True)


@pytest.mark.parametrize("name", ["Ben B.", "Ben B.:", "Someone else"])
async def test_who_is_mentioned_gets_it_whatever_their_client_writes_for_them(name: str, circle: Journey) -> None:
    circle.ben.set_name(circle.group, "Ben B.")
    await asks(circle, circle.ana)
    await types(circle, circle.rosa, f"!hand {name} knows the maker", mentions=[circle.ben.mxid])
    words = "knows the maker" if name.startswith("Ben") else "else knows the maker"
    assert await standing(circle) == ("claimed", "ben", True)
    assert f"Note: {words} ({await circle.alias(circle.rosa)})" in shown(circle)[0]


@pytest.mark.parametrize("whom", [(), ("ana",), ("ben", "kim")])
async def test_without_one_concierge_who_is_mentioned_a_display_name_says_nothing(
    whom: tuple[str, ...], circle: Journey
) -> None:
    await circle.tell(circle.rosa, f"!concierge add {circle.person('kim').mxid}")
    await circle.settle()
    circle.ben.set_name(circle.group, "Ben B.")
    await asks(circle, circle.ana)
    mentions = [circle.person(name).mxid for name in whom]
    typed = await types(circle, circle.rosa, "!hand Ben B. knows the maker", mentions=mentions)
    assert circle.signs(typed) == ["⚠️"] and thread(circle)[-1] == "That person is no concierge of the group."
    assert await standing(circle) == ("open", None, True) and "Note" not in shown(circle)[0] and len(rings(circle)) == 1


async def test_a_snoozed_question_comes_back(circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    put_off = await types(circle, circle.ben, "!snooze until tomorrow 9:00")
    assert circle.signs(put_off) == ["✅"] and await standing(circle) == ("snoozed", "ben", True)
    assert f"{await circle.alias(circle.ben)} has put it off until 24 Nov, 09:00." in shown(circle)[0]
    await service.wait(19 * HOUR)
    assert len(rings(circle)) == 1 and await standing(circle) == ("snoozed", "ben", True)
    await service.wait(70 * MINUTE)
    assert rings(circle)[1] == (
        f"Back from snoozing: {await circle.alias(circle.ana)} has waited for 20 hours.",
        {"ben"},
    )
    assert shown(circle)[0].startswith("👀")


async def test_a_question_that_nobody_has_is_not_taken_by_snoozing_it(circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    put_off = await types(circle, circle.ben, "!snooze in 2 hours")
    assert circle.signs(put_off) == ["✅"] and await standing(circle) == ("snoozed", None, True)
    assert "\nPut off until 15:00." in shown(circle)[0] and await facts(circle) == ["asked", "snoozed"]
    await service.wait(2 * HOUR + MINUTE)
    woken = f"Back from snoozing: {await circle.alias(circle.ana)} has waited for 2 hours."
    assert rings(circle)[1:] == [(woken, {"rosa", "ben"})] and await standing(circle) == ("open", None, True)


async def test_the_askers_words_wake_it(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    await circle.decide(circle.ben, lines(circle)[0].event_id, "👀")
    await types(circle, circle.ben, "!snooze in 3 days")
    assert await standing(circle) == ("snoozed", "ben", True)
    await replies(circle, circle.ana, "It is urgent now", asked)
    assert await standing(circle) == ("claimed", "ben", True) and rings(circle)[-1][1] == {"ben"}


async def test_the_queue_posts_what_is_open_quietly_and_oldest_first(circle: Journey) -> None:
    typed = await circle.say(circle.ben, "!queue", to=circle.desk)
    assert circle.posted(circle.desk) == ["No question is open."] and circle.signs(typed) == []
    await asks(circle, circle.ana)
    circle.service.clock.advance(MINUTE)
    await asks(circle, circle.otto, "Is it red?")
    await replies(circle, circle.ben, "No", await asks(circle, circle.mia, "Is it mine?"))
    await circle.decide(circle.ben, lines(circle)[-1].event_id, "✅")
    count = len(lines(circle))
    await circle.say(circle.rosa, "!queue", to=circle.desk)
    assert [text.split("\n")[1] for text in shown(circle)[count:]] == ["> Is it soft?", "> Is it red?"]
    assert "2 questions are open: they follow." in circle.posted(circle.desk)
    ana = await circle.alias(circle.ana)
    assert shown(circle)[0] == f"↓ {ana}’s question goes on below, in a newer line.", "an old line misleads nobody"
    assert len(rings(circle)) == 3
    await circle.decide(circle.ben, lines(circle)[count].event_id, "👀")
    assert shown(circle)[count].startswith("👀")


async def test_without_a_thread_the_only_question_that_one_has_taken_is_meant(circle: Journey) -> None:
    await asks(circle, circle.ana)
    await asks(circle, circle.otto, "Is it red?")
    await circle.decide(circle.ben, lines(circle)[1].event_id, "👀")
    await circle.say(circle.ben, "!note it is red", to=circle.desk)
    assert "Note: it is red" in shown(circle)[1] and "Note" not in shown(circle)[0]
    await circle.say(circle.rosa, "!note it is soft", to=circle.desk, reply_to=lines(circle)[0].event_id)
    assert "Note: it is soft" in shown(circle)[0]


@pytest.mark.parametrize(
    ("who", "typed", "why"),
    [
        ("ben", "!note", "Write it like this: !note"),
        ("ben", f"!note {'x' * 1001}", "That is too long"),
        ("ben", "!hand", "Write it like this: !hand"),
        ("ben", "!hand ROSA", "That needs a note"),
        ("ben", "!hand ANA knows the maker", "That person is no concierge of the group."),
        ("ben", "!hand nobody knows the maker", "That person is no concierge of the group."),
        ("ben", "!snooze", "Write it like this: !snooze"),
        ("ben", "!snooze until yesterday", "That deadline has already passed."),
        ("ben", "!snooze until the cows come home", "I could not read"),
    ],
)
async def test_what_cannot_be_done_is_said_in_the_thread_and_changes_nothing(
    who: str, typed: str, why: str, circle: Journey
) -> None:
    await asks(circle, circle.ana)
    for name in ("ROSA", "ANA"):
        typed = typed.replace(name, await circle.alias(circle.person(name.lower())))
    before, said = await questions(circle), len(thread(circle))
    refused = await types(circle, circle.person(who), typed)
    assert circle.signs(refused) == ["⚠️"]
    [line] = thread(circle)[said:]
    assert line.startswith(why), line
    assert unlocked(await questions(circle)) == unlocked(before)


def unlocked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "revision"} for row in rows]


async def test_what_is_no_more_to_be_done_is_refused(circle: Journey) -> None:
    await asks(circle, circle.ana)
    rosa, ben = await circle.alias(circle.rosa), await circle.alias(circle.ben)
    await types(circle, circle.ben, f"!hand {ben} I take it")
    for typed, why in (
        (f"!hand {ben} I take it", "You have that question already."),
        ("!hand ROSA", "That needs a note"),
    ):
        await types(circle, circle.ben, typed.replace("ROSA", rosa))
        assert thread(circle)[-1].startswith(why)
    await types(circle, circle.rosa, f"!hand {ben} yours")
    assert thread(circle)[-1] == "They have that question already."
    await circle.decide(circle.ben, lines(circle)[0].event_id, "✅")
    for typed in ("!snooze in 2 hours", f"!hand {rosa} for later"):
        await types(circle, circle.ben, typed)
        assert thread(circle)[-1] == LATE
    sign = circle.rosa.react(circle.desk, lines(circle)[0].event_id, "👀")
    await circle.rest()
    assert circle.told(circle.rosa)[-1] == LATE and circle.hs.event(sign).redaction is not None
    assert await statuses(circle) == ["resolved"]


async def test_a_concierge_does_not_answer_their_own_question(circle: Journey) -> None:
    asked = await circle.say(circle.ben, "!ask Is it soft?")
    [line] = lines(circle)
    assert rings(circle)[0][1] == {"rosa"}
    sign = circle.ben.react(circle.desk, line.event_id, "👀")
    await circle.rest()
    own = "own question: another concierge has to take it."
    assert circle.told(circle.ben)[-1] == f"That is your {own}" and circle.hs.event(sign).redaction is not None
    await types(circle, circle.rosa, f"!hand {await circle.alias(circle.ben)} yours")
    assert thread(circle)[-1] == f"That is their {own}"
    await replies(circle, circle.ben, "Anybody?", asked)
    assert await standing(circle) == ("open", None, True) and "> Anybody?" in shown(circle)[0]
    await replies(circle, circle.rosa, "Yes", asked)
    assert await standing(circle) == ("waiting_member", "rosa", False)


@pytest.mark.parametrize("command", ["note soft", "hand Ben soft", "snooze in 2 hours", "queue"])
async def test_the_tools_work_for_concierges_at_the_desk_only(command: str, circle: Journey) -> None:
    await asks(circle, circle.ana)
    before = await questions(circle)
    typed = await circle.say(circle.ben, f"!{command}")
    assert circle.hs.event(typed).redaction is not None
    await circle.tell(circle.ana, f"!{command}")
    assert "desk" in circle.told(circle.ana)[-1] and len(lines(circle)) == 1
    assert unlocked(await questions(circle)) == unlocked(before)


@pytest.mark.parametrize("command", ["note soft", "hand ROSA soft", "snooze in 2 hours"])
async def test_they_do_not_work_for_machine_accounts(command: str, circle: Journey, service: Service) -> None:
    await asks(circle, circle.ana)
    await machine(service, circle.ben.mxid)
    typed = await types(circle, circle.ben, f"!{command.replace('ROSA', await circle.alias(circle.rosa))}")
    assert circle.signs(typed) == ["⚠️"] and await standing(circle) == ("open", None, True)
    assert "Note" not in shown(circle)[0] and len(rings(circle)) == 1


async def test_which_question_is_asked_where_none_or_several_fit(circle: Journey) -> None:
    await asks(circle, circle.ana)
    await asks(circle, circle.otto, "Is it red?")
    for taken in (0, 2):
        for line in lines(circle)[:taken]:
            await circle.decide(circle.ben, line.event_id, "👀")
        typed = await circle.say(circle.ben, "!note soft", to=circle.desk)
        assert circle.signs(typed) == ["⚠️"]
    assert await circle.service.rows("SELECT * FROM question_note") == []


async def test_an_ask_without_words_is_refused(circle: Journey) -> None:
    typed = await circle.say(circle.ana, "!ask")
    assert circle.signs(typed) == ["⚠️"] and circle.told(circle.ana)[-1].startswith("Write it like this: !ask")
    assert await questions(circle) == []


async def test_in_a_whole_conversation_the_group_gets_no_message_of_the_service(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    events = [event.event_id for event in circle.bot_events()]
    [line] = lines(circle)
    await circle.decide(circle.ben, line.event_id, "👀")
    await types(circle, circle.ben, "!note soft")
    answer = await replies(circle, circle.ben, "Yes", asked)
    circle.ana.react(circle.group, answer, "✅")
    await circle.rest()
    await replies(circle, circle.ana, "Thanks!", answer)
    await circle.decide(circle.ben, line.event_id, "✅")
    await circle.service.wait(DAY)
    assert [event.event_id for event in circle.bot_events()] == events
    assert await statuses(circle) == ["resolved"] and len(lines(circle)) == 1
