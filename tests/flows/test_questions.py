"""Questions in a group: how one is asked, and what becomes of it when its asker edits or removes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flows.asked import asks, facts, in_thread, replies, rings, shown, statuses
from tests.flows.helped import line_now, lines, questions, standing
from tests.flows.homeserver import FakeHomeserver
from tests.flows.journey import Journey
from tests.flows.records import mentions
from tests.flows.service import MINUTE, Service

pytestmark = pytest.mark.usefixtures("nobody_exposed")

Extra = dict[str, Any]


def pill(mxid: str) -> Extra:
    """A message with a mention as clients wrote it before there was `m.mentions`."""
    html = f'<a href="https://matrix.to/#/{mxid}">Ben</a>: Is it soft?'
    return {"msgtype": "m.text", "body": "Is it soft?", "format": "org.matrix.custom.html", "formatted_body": html}


# Asked


async def test_a_mention_of_a_concierge_is_a_question_with_a_line_that_rings_those_on_duty(
    engine: str, circle: Journey, hs: FakeHomeserver
) -> None:
    asked = await asks(circle, circle.ana, "Is the throw washable?")
    [line] = lines(circle)
    alias = await circle.alias(circle.ana)
    assert line.content["body"].split("\n") == [
        f"❔ {alias} asks · 13:00", "> Is the throw washable?", "👀 takes it.",
        f"Open the message: https://matrix.to/#/{circle.group}/{asked}?via=fake.test",
    ]  # fmt: skip
    assert rings(circle) == [(f"❔ {alias} asks · 13:00", {"rosa", "ben"})]
    assert await standing(circle) == ("open", None, True) and await facts(circle) == ["asked"]
    assert circle.posted() == [] and circle.signs(asked) == []


@pytest.mark.parametrize("way", ["bot", "ask", "thread", "emote"])
async def test_however_it_is_asked_it_is_a_question(way: str, circle: Journey, hs: FakeHomeserver) -> None:
    extra: Extra = {
        "bot": {"mentions": [hs.bot]},
        "ask": {},
        "thread": {**in_thread("$elsewhere"), "m.mentions": {"user_ids": [circle.ben.mxid]}},
        "emote": {"msgtype": "m.emote", "mentions": [circle.ben.mxid]},
    }[way]
    said = "!ask Is it soft?" if way == "ask" else "Is it soft?"
    asked = circle.ana.say(circle.group, said, **extra)
    await circle.rest()
    [text] = shown(circle)
    assert "> Is it soft?" in text and asked in text and "!ask" not in text
    assert circle.posted() == [] and circle.signs(asked) == (["⏳"] if way == "ask" else [])


@pytest.mark.parametrize("whom", ["ben", "coterie"])
async def test_a_mention_by_an_older_client_is_one(whom: str, circle: Journey) -> None:
    circle.ana.send(circle.group, "m.room.message", pill(f"@{whom}:fake.test"))
    await circle.rest()
    assert "> Is it soft?" in shown(circle)[0]


async def test_a_reply_to_a_card_that_is_no_pledge_is_a_question(shop: Journey) -> None:
    await replies(shop, shop.ana, "Is it washable?", shop.card)
    await replies(shop, shop.otto, "Who made it?", shop.product)
    await replies(shop, shop.mia, "+2", shop.card)
    assert [text.split("\n")[1] for text in shown(shop)] == ["> Is it washable?", "> Who made it?"]
    assert await shop.units() == {"mia": 2}


@pytest.mark.parametrize("way", ["nobody", "a member", "a reply", "notice", "concierge", "machine", "stranger"])
async def test_what_is_for_nobody_of_them_opens_no_question(way: str, circle: Journey, service: Service) -> None:
    ben, said = circle.ben.mxid, await circle.say(circle.otto, "hello")
    if way == "machine":
        async with service.store.unit() as unit:
            await unit._connection.execute("UPDATE member SET machine = 1 WHERE user_id = $1", circle.ana.mxid)
    if way == "stranger":
        circle.ana.leave(circle.group)
        await circle.rest()
    who = circle.rosa if way == "concierge" else circle.ana
    extra: Extra = {
        "nobody": {},
        "a member": {"mentions": [circle.otto.mxid]},
        "a reply": {"reply_to": said},
        "notice": {"mentions": [ben], "msgtype": "m.notice"},
        "stranger": {"mentions": [ben], "m.relates_to": {}},
    }.get(way, {"mentions": [ben]})
    if way != "stranger":
        who.say(circle.group, "Is it soft?", **extra)
    await circle.rest()
    assert await questions(circle) == [] and lines(circle) == [] and await mentions(service, "soft") == []


async def test_a_concierge_makes_chatter_a_question(engine: str, circle: Journey, service: Service) -> None:
    said = await circle.say(circle.ana, "I wonder whether it is soft")
    assert await mentions(service, "I wonder") == []
    service.clock.advance(5 * MINUTE)
    for concierge in (circle.ben, circle.rosa):
        concierge.react(circle.group, said, "❓")
        await circle.rest()
    [text] = shown(circle)
    alias = await circle.alias(circle.ana)
    assert text.startswith(f"❔ {alias} asks · 13:00, 5 minutes ago\n> I wonder whether it is soft\n") and said in text
    [entry] = await service.rows("SELECT number, actor FROM ledger WHERE fact = 'question_asked'")
    assert entry == {"number": 3, "actor": 2}


async def test_a_question_mark_on_what_is_a_question_changes_nothing(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    circle.ben.react(circle.group, asked, "❓")
    await circle.rest()
    assert len(lines(circle)) == 1 and await facts(circle) == ["asked"]


@pytest.mark.parametrize("what", ["by a member", "on a concierge's", "on a notice", "on the service's"])
async def test_a_question_mark_by_others_or_on_others_does_nothing(
    what: str, shop: Journey, hs: FakeHomeserver
) -> None:
    said = {
        "on a concierge's": shop.ben.say(shop.group, "I wonder too"),
        "on a notice": shop.ana.say(shop.group, "beep", msgtype="m.notice"),
        "on the service's": shop.card,
    }.get(what, shop.ana.say(shop.group, "I wonder"))
    (shop.otto if what == "by a member" else shop.ben).react(shop.group, said, "❓")
    await shop.rest()
    assert await questions(shop) == [] and lines(shop) == []


async def test_in_an_encrypted_group_questions_and_chatter_are_read_all_the_same(
    sealed: None, circle: Journey, service: Service, hs: FakeHomeserver
) -> None:
    said = await circle.say(circle.ana, "I wonder whether it is soft")
    await asks(circle, circle.otto, "Is it red?")
    circle.ben.react(circle.group, said, "❓")
    await circle.rest()
    assert [text.split("\n")[1] for text in shown(circle)] == ["> Is it red?", "> I wonder whether it is soft"]
    assert {line.client()["type"] for line in lines(circle)} == {"m.room.encrypted"}


async def test_in_an_encrypted_group_nothing_in_clear_is_a_question_or_an_answer(
    sealed: None, circle: Journey, service: Service
) -> None:
    chatter = circle.mia.say(circle.group, "I wonder", clear=True)
    clear = circle.ana.say(circle.group, "Is it soft?", mentions=[circle.ben.mxid], clear=True)
    await circle.rest()
    circle.ben.react(circle.group, chatter, "❓")
    await circle.rest()
    assert await questions(circle) == [] and circle.signs(clear) == ["⚠️"]
    asked = await asks(circle, circle.ana)
    circle.ben.say(circle.group, "Yes", reply_to=asked, clear=True)
    circle.ben.say(circle.group, "Yes", mentions=[circle.ana.mxid], clear=True)
    circle.otto.say(circle.group, "I think so", reply_to=asked, clear=True)
    circle.ana.edit(circle.group, asked, "Is it hard?", clear=True)
    await circle.rest()
    assert await standing(circle) == ("open", None, True) and await facts(circle) == ["asked"]
    assert "> Is it soft?" in shown(circle)[0]


async def test_the_same_words_again_are_the_same_question(circle: Journey) -> None:
    first = await asks(circle, circle.ana)
    circle.service.clock.advance(MINUTE)
    second = await asks(circle, circle.ana, "is it SOFT?", to=circle.rosa)
    await asks(circle, circle.otto)
    assert len(lines(circle)) == 2 and shown(circle)[0].count("> ") == 1
    await replies(circle, circle.ben, "Yes", second)
    assert await statuses(circle) == ["waiting_member", "open"]
    circle.ana.redact(circle.group, first)
    await circle.rest()
    assert "> is it SOFT?" in shown(circle)[-1], "what she said twice still stands once"
    assert (await statuses(circle))[0] == "waiting_member"


async def test_words_that_were_answered_before_are_a_new_question(circle: Journey) -> None:
    await replies(circle, circle.ben, "Yes", await asks(circle, circle.ana))
    circle.service.clock.advance(MINUTE)
    await asks(circle, circle.ana)
    assert await statuses(circle) == ["waiting_member", "open"]


async def test_what_the_asker_writes_in_the_thread_is_read_with_the_question(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    circle.ana.say(circle.group, "And is it warm?", **in_thread(asked))
    await circle.rest()
    await replies(circle, circle.ana, "I am cold", asked)
    [text] = shown(circle)
    assert [line for line in text.split("\n") if line.startswith("> ")] == [
        "> Is it soft?", "> And is it warm?", "> I am cold",
    ]  # fmt: skip


async def test_somebody_elses_call_in_the_thread_is_a_question_of_their_own(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    circle.otto.say(circle.group, "Mine too?", mentions=[circle.ben.mxid], **in_thread(asked))
    await circle.rest()
    assert [text.split("\n")[1] for text in shown(circle)] == ["> Is it soft?", "> Mine too?"]


async def test_a_picture_is_shown_in_the_thread(circle: Journey, hs: FakeHomeserver) -> None:
    await show_a_picture(circle, hs)


async def test_an_encrypted_picture_is_shown_in_the_thread(sealed: None, circle: Journey, hs: FakeHomeserver) -> None:
    await show_a_picture(circle, hs)


async def show_a_picture(circle: Journey, hs: FakeHomeserver) -> None:
    circle.ana.image(circle.group, "Is this moth?", filename="hole.png", mentions=[circle.ben.mxid])
    await circle.rest()
    [line] = lines(circle)
    assert "> Is this moth?" in line.content["body"]
    [picture] = [e for e in hs.room(circle.desk).messages(hs.bot) if e.content["msgtype"] == "m.image"]
    assert picture.relation["rel_type"] == "m.thread" and picture.relation["event_id"] == line.event_id


# Edited, removed


async def test_an_edit_shows(circle: Journey) -> None:
    asked = await asks(circle, circle.ana)
    told = await circle.say(circle.otto, "!ask Is it red?")
    circle.ana.edit(circle.group, asked, "Is it warm?", mentions=[circle.ben.mxid])
    circle.otto.edit(circle.group, told, "!ask Is it blue?")
    circle.mia.edit(circle.group, asked, "Is it ugly?", **{"m.mentions": {}})
    await circle.rest()
    assert [text.split("\n")[1] for text in shown(circle)] == ["> Is it warm?", "> Is it blue?"]
    assert len(lines(circle)) == 2 and len(rings(circle)) == 2, "an edit rings nobody"


async def test_who_takes_their_question_back_leaves_nothing_of_it_at_the_desk(
    engine: str, circle: Journey, service: Service, hs: FakeHomeserver
) -> None:
    asked = await asks(circle, circle.ana, "Is it for my bad skin?")
    circle.ana.edit(circle.group, asked, "Is it for my very bad skin?")
    await circle.rest()
    line = lines(circle)[0]
    await circle.decide(circle.ben, line.event_id, "👀")
    circle.ana.redact(circle.group, asked)
    await circle.rest()
    assert await statuses(circle) == ["resolved"] and (await facts(circle))[-1] == "withdrawn"
    left = [json.dumps(event.content) for event in hs.room(circle.desk).events]
    assert not [text for text in left if "skin" in text]
    assert await mentions(service, "skin") == []
    assert "Taken back by its asker." in shown(circle)[-1] and len(rings(circle)) == 1
    await service.wait(120 * MINUTE)
    assert len(rings(circle)) == 1, "nobody has to see to it any more"


async def test_a_picture_that_its_asker_removes_is_gone_from_the_desk(circle: Journey, hs: FakeHomeserver) -> None:
    asked = circle.ana.image(circle.group, mentions=[circle.ben.mxid])
    await circle.rest()
    assert "> (a picture, below)" in shown(circle)[0]
    circle.ana.redact(circle.group, asked)
    await circle.rest()
    assert not [e for e in hs.room(circle.desk).events if e.content.get("msgtype") == "m.image"]
    assert await statuses(circle) == ["resolved"]


async def test_of_two_messages_the_one_that_is_removed_is_gone(circle: Journey, hs: FakeHomeserver) -> None:
    asked = await asks(circle, circle.ana)
    more = await replies(circle, circle.ana, "It is for my bad skin", asked)
    circle.ana.redact(circle.group, more)
    await circle.rest()
    assert await standing(circle) == ("open", None, True)
    assert "> Is it soft?" in shown(circle)[-1]
    assert not [e for e in hs.room(circle.desk).events if "skin" in json.dumps(e.content)]


async def test_a_moderators_removal_takes_the_text_and_leaves_the_question(circle: Journey, hs: FakeHomeserver) -> None:
    asked = await asks(circle, circle.ana, "Is it soft, you fool?")
    circle.ben.redact(circle.group, asked)
    await circle.rest()
    assert await standing(circle) == ("open", None, True)
    assert "> (removed)" in shown(circle)[-1]
    assert not [e for e in hs.room(circle.desk).events if "fool" in json.dumps(e.content)]


async def test_a_line_that_somebody_removes_from_the_desk_comes_again(circle: Journey) -> None:
    await asks(circle, circle.ana)
    [line] = lines(circle)
    circle.rosa.redact(circle.desk, line.event_id)
    await circle.rest()
    assert "> Is it soft?" in shown(circle)[-1] and len(rings(circle)) == 1
    await circle.decide(circle.ben, lines(circle)[-1].event_id, "👀")
    assert await standing(circle) == ("claimed", "ben", True)
    assert line_now(circle, lines(circle)[-1]).startswith("👀")
