"""`!stats`, the weekly figures and `!record`: from the ledger, in words, as a picture and as a table, in the desk."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from appservice.actions import record, stats
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.ids import GroupId
from appservice.store.ledger import Entry
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_events import Json
from tests.flows.homeserver_faults import Fault
from tests.flows.journey import Journey
from tests.flows.service import DAY, HOUR, MINUTE, MONDAY, Service

LAST_WEEK = MONDAY - 7 * DAY  # Monday, 16 November 2026, 12:00 UTC


async def number(play: Journey, name: str) -> int:
    [row] = await play.service.rows(
        "SELECT number FROM member WHERE group_id = $1 AND user_id = $2", play.group_id, play.person(name).mxid
    )
    return int(row["number"])


async def write(play: Journey, *lines: tuple[str, int, int | None, int | None, Mapping[str, Any]]) -> None:
    """Write facts into the ledger: name, time, whom it is about, who did it, and what it says."""
    async with play.service.store.unit() as unit:
        for fact, at, whom, who, detail in lines:
            await unit.ledger.append(Entry(play.group_id, fact, number=whom, actor=who, detail=detail, at=at))


async def ask(play: Journey, askers: int, *, at: int = LAST_WEEK, answered: bool = True, first: int = 101) -> None:
    """As many members ask one question each, and ben answers the nth after n times ten minutes."""
    ben = await number(play, "ben")
    for n in range(1, askers + 1):
        about = {"question": f"q{at}{n}", "episode": 1}
        asker = first + n
        await write(play, ("question_asked", at, asker, asker, {**about, "at": at, "direct": False}))
        if answered:
            then = at + 10 * n * MINUTE
            await write(play, ("question_answered", then, asker, ben, {**about, "at": then, "event": f"$a{at}{n}"}))


def posted(play: Journey, msgtype: str) -> list[Json]:
    """What the service has posted in the desk, of a kind."""
    return [event.content for event in play.hs.room(play.desk).messages(play.hs.bot)
            if event.content["msgtype"] == msgtype]  # fmt: skip


def data(play: Journey, content: Json) -> bytes:
    if "file" in content:
        return play.hs.sealed_file(content)[0]
    return play.hs.world.media[content["url"].rpartition("/")[2]][0]


def table(play: Journey) -> list[dict[str, str]]:
    """The rows of the newest table."""
    text = data(play, posted(play, "m.file")[-1]).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_stats_gives_the_last_seven_days_in_words_as_a_picture_and_as_a_table(
    engine: str, circle: Journey, nobody_exposed: None
) -> None:
    await ask(circle, 6)
    asked = await circle.say(circle.ben, "!stats", to=circle.desk)
    assert circle.signs(asked) == ["✅"]
    alias = await circle.alias(circle.ben)
    said = posted(circle, "m.notice")[-1]["body"]
    assert said.splitlines() == [
        "Questions, 16 November to 22 November 2026",
        "• Asked: 6 questions by 6 members",
        "• Answered by a concierge: 6, another member: 0, nobody: 0",
        f"• Answered first by {alias}: 6",
        "• First answer of a concierge: half within 30 min, nine of ten within 1 h",
        "• Waiting now: nobody",
        "• Followed by a pledge of who asked, within 72 hours: 0",
    ]
    [image] = posted(circle, "m.image")
    assert (image["filename"], image["body"]) == ("questions-2026-11-16-to-2026-11-22.png", said)
    picture = Image.open(io.BytesIO(data(circle, image)))
    assert (picture.format, picture.size) == ("PNG", (image["info"]["w"], image["info"]["h"]))
    assert image["info"]["size"] == len(data(circle, image)) and image["info"]["mimetype"] == "image/png"
    monday, *others, whole = table(circle)
    assert (monday["from"], monday["to"], monday["questions"], monday["answer_p90_s"]) == (
        "2026-11-16", "2026-11-16", "6", "3600",
    )  # fmt: skip
    assert [row["questions"] for row in others] == ["0"] * 6
    assert (whole["from"], whole["to"], whole["askers"]) == ("2026-11-16", "2026-11-22", "6")


@pytest.mark.usefixtures("sealed")
async def test_in_an_encrypted_desk_picture_and_table_are_encrypted(circle: Journey) -> None:
    await ask(circle, 5)
    await circle.say(circle.ben, "!stats", to=circle.desk)
    [image] = posted(circle, "m.image")
    [file] = posted(circle, "m.file")
    assert "url" not in image and "url" not in file
    assert Image.open(io.BytesIO(data(circle, image))).format == "PNG"
    assert table(circle)[-1]["askers"] == "5"


async def test_of_fewer_than_five_members_there_is_no_figure_and_the_reason_once(circle: Journey) -> None:
    await ask(circle, 4)
    await ask(circle, 3, at=MONDAY - HOUR, answered=False)
    await circle.say(circle.ben, "!stats 16 november to 22 november", to=circle.desk)
    said = posted(circle, "m.notice")[-1]["body"]
    assert not any(digit in said.partition("\n")[2].replace("72 hours", "") for digit in "123456789"), said
    assert said.count("fewer than five members") == 1
    *days, whole = table(circle)
    assert (whole["questions"], whole["askers"], whole["answer_median_s"]) == ("", "", "")
    assert [row["questions"] for row in days] == ["", "0", "0", "0", "0", "0", "0"]


async def more_members(play: Journey, *names: str) -> None:
    for name in names:
        await play.tell(play.rosa, f"!invite {play.person(name).mxid}")
        await play.direct(play.person(name))


@pytest.mark.slow
async def test_what_members_ask_and_ben_answers_is_counted_and_who_waits_whatever_the_period(
    circle: Journey, service: Service
) -> None:
    await more_members(circle, "lea", "tom", "ida")
    askers = [circle.person(name) for name in ("ana", "otto", "mia", "lea", "tom", "ida")]
    for person in askers:
        await circle.say(person, f"!ask Is it warm, {person.mxid[1:4]}?")
    first = await circle.say(circle.ana, "!ask And is it soft?")
    await service.wait(10 * MINUTE)
    await circle.say(circle.ben, "Very.", reply_to=first)
    await service.wait(10 * DAY)
    await circle.say(circle.ben, "!stats yesterday", to=circle.desk)
    said = posted(circle, "m.notice")[-1]["body"]
    assert "Nobody asked anything" in said
    assert "• Waiting now: 6 questions, the oldest for 10 days" in said
    await circle.say(circle.ben, "!stats 23 november", to=circle.desk)
    said = posted(circle, "m.notice")[-1]["body"]
    assert "• Asked: 7 questions by 6 members\n• Answered by a concierge: 1, another member: 0, nobody: 6" in said


async def test_money_and_what_followed_recommendations_are_told(shop: Journey) -> None:
    buyers = [shop.person(name) for name in ("ana", "otto", "mia", "lea", "tom", "ida")]
    await more_members(shop, "lea", "tom", "ida")
    product = (await shop.service.rows("SELECT product_id FROM group_buy WHERE id = $1", shop.buy))[0]["product_id"]
    await write(shop, *(("recommended", MONDAY - n, 100 + n, None, {"product": product}) for n in range(1, 6)))
    await write(shop, ("duty_on", MONDAY - 2 * HOUR, 1, 1, {}), ("duty_off", MONDAY, 1, 1, {}))
    for person in buyers:
        await shop.tell(person, "!pledge 2")
    await shop.close()
    await shop.say(shop.ben, "!stats 2026-11-22", to=shop.desk)
    said = posted(shop, "m.notice")[-1]["body"]
    assert "• Recommendations: 5, after which others placed 6 orders" in said
    assert "• Turnover: €948.00, €474.00 for each hour of a concierge on duty" in said
    assert table(shop)[-1]["turnover_EUR"] == "948.00"
    assert sum(amount for *_, amount in await shop.ledger()) == 94_800


# Every week


@pytest.mark.slow
async def test_every_monday_at_eight_the_week_that_is_over_is_posted(circle: Journey, service: Service) -> None:
    await ask(circle, 5, at=MONDAY + DAY)
    await service.wait(6 * DAY + 18 * HOUR)
    assert posted(circle, "m.image") == []
    await service.wait(HOUR)
    [image] = posted(circle, "m.image")
    assert image["filename"] == "questions-2026-11-23-to-2026-11-29.png"
    assert posted(circle, "m.notice")[-1]["body"].startswith("Questions, 23 November to 29 November 2026\n")
    assert len(posted(circle, "m.file")) == 1
    assert circle.posted() == circle.posted(circle.group), "nothing in the group"


async def test_after_a_long_outage_only_the_last_week_is_posted_once(circle: Journey, service: Service) -> None:
    await ask(circle, 5, at=MONDAY + DAY)
    await ask(circle, 5, at=MONDAY + 15 * DAY)
    await service.stop()
    service.clock.advance(23 * DAY)
    await service.start()
    await circle.rest()
    assert [content["filename"] for content in posted(circle, "m.image")] == ["questions-2026-12-07-to-2026-12-13.png"]


@pytest.mark.slow
async def test_a_week_without_a_question_is_not_worth_a_word(circle: Journey, service: Service) -> None:
    before = circle.posted(circle.desk)
    await service.wait(15 * DAY)
    assert circle.posted(circle.desk) == before


async def test_a_group_from_before_there_were_figures_gets_them_too(circle: Journey, service: Service) -> None:
    await service.stop()
    async with service.store.unit() as unit:
        await unit.timers.clear("stats", circle.group_id)
    await service.start()
    await circle.rest()
    [timer] = await service.rows("SELECT due_at FROM timer WHERE kind = 'stats'")
    assert timer["due_at"] == MONDAY + 7 * DAY - 5 * HOUR, "8:00 in Vienna"


async def test_a_closing_group_gets_no_figures(circle: Journey, service: Service) -> None:
    await ask(circle, 5, at=MONDAY + DAY)
    await circle.say(circle.rosa, "!sunset", to=circle.desk)
    await circle.say(circle.rosa, "!sunset confirm", to=circle.desk)
    await service.wait(8 * DAY)
    assert posted(circle, "m.image") == []


# What goes wrong


async def test_where_nothing_can_be_uploaded_the_desk_is_told_once_for_each_posting(
    circle: Journey, hs: FakeHomeserver, service: Service
) -> None:
    await ask(circle, 5)
    hs.faults.on_request(Fault.ERROR_502, match="POST .*/upload", times=None)
    for _ in range(2):
        await circle.say(circle.ben, "!stats", to=circle.desk)
        await service.wait(5 * MINUTE)
    told = [content["body"] for content in posted(circle, "m.notice") if "could not upload" in content["body"]]
    assert told == [
        "I could not upload questions-2026-11-16-to-2026-11-22.png about the questions: the homeserver does not answer."
        " Write !stats again later."
    ] * 2  # fmt: skip
    assert posted(circle, "m.image") == posted(circle, "m.file") == []
    hs.faults.clear()
    await circle.say(circle.ben, "!stats", to=circle.desk)
    assert len(posted(circle, "m.image")) == len(posted(circle, "m.file")) == 1


@pytest.mark.parametrize("match", ["POST .*/upload", "PUT .*/send/m.room.message"])
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.ANSWER_LOST])
async def test_picture_and_table_are_posted_once_whatever_is_lost(
    circle: Journey, hs: FakeHomeserver, service: Service, fault: Fault, match: str
) -> None:
    await ask(circle, 5)
    hs.faults.on_request(fault, match=match, times=3)
    await circle.say(circle.ben, "!stats", to=circle.desk)
    await service.wait(2 * MINUTE)
    assert len(posted(circle, "m.image")) == len(posted(circle, "m.file")) == 1


async def test_what_is_no_period_is_answered_with_how_to_write_one(circle: Journey) -> None:
    asked = await circle.say(circle.ben, "!stats soon", to=circle.desk)
    said = "Write it like this: !stats, or !stats 1 november to 15 november, or !stats 2026-11-01"
    assert (circle.signs(asked), circle.posted(circle.desk)[-1]) == (["⚠️"], said)
    assert posted(circle, "m.image") == posted(circle, "m.file") == []


async def test_in_the_group_it_is_removed_and_by_direct_message_refused(circle: Journey, hs: FakeHomeserver) -> None:
    asked = await circle.say(circle.ben, "!stats")
    assert hs.event(asked).content == {}
    await circle.tell(circle.ben, "!stats")
    assert circle.told(circle.ben)[-1] == "!stats does not work here. Write it in the desk."
    assert posted(circle, "m.image") == []


# Records


async def test_any_member_may_see_the_record_of_the_concierges(shop: Journey) -> None:
    await ask(shop, 6)
    await shop.plus(shop.ana, 20)
    await shop.close()
    await shop.tell(shop.mia, "!record")
    ben, rosa = await shop.alias(shop.ben), await shop.alias(shop.rosa)
    kept = "1 group buy kept, 0 cancelled, answers usually within 30 min of service hours"
    assert sorted(shop.told(shop.mia)[-1].splitlines()) == sorted([
        "What the ledger says of the concierges:", f"• {ben}: {kept}",
        f"• {rosa}: no group buy and no answers to five members yet",
    ])  # fmt: skip
    await shop.tell(shop.mia, f"!record {ben}")
    assert shop.told(shop.mia)[-1].splitlines()[1:] == [f"• {ben}: {kept}"]
    await shop.say(shop.ben, f"!record {ben}", to=shop.desk)
    assert shop.posted(shop.desk)[-1].splitlines()[1:] == [f"• {ben}: {kept}"]
    assert await line(shop, "ben") == kept and await line(shop, "rosa") == ""


async def test_a_cancelled_buy_and_money_not_yet_back_stand_in_the_record_until_it_is(shop: Journey) -> None:
    await shop.plus(shop.ana, 20)
    await shop.close()
    [order] = [row["id"] for row in await shop.service.rows("SELECT id FROM purchase_order")]
    await shop.say(shop.ben, f"!order {order} paid 1580.00 by bank transfer", to=shop.desk)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} the mill has closed", to=shop.desk)
    assert await line(shop, "ben") == "0 group buys kept, 1 cancelled, refunds still to be made"
    await shop.say(shop.ben, f"!order {order} refund 1580.00 by bank transfer", to=shop.desk)
    assert await line(shop, "ben") == "0 group buys kept, 1 cancelled", "of one refund there is no figure"


async def test_who_is_no_concierge_has_no_record(circle: Journey) -> None:
    await circle.tell(circle.mia, f"!record {await circle.alias(circle.ana)}")
    assert circle.told(circle.mia)[-1] == "That person is no concierge of the group."
    await circle.tell(circle.mia, "!record Nobody Known")
    assert circle.told(circle.mia)[-1].startswith("I know of nobody")


async def line(play: Journey, name: str) -> str:
    """The record as the welcome shows it."""
    async with play.service.store.unit() as unit:
        work = Work(unit, play.service.config, Cause("test", unit.now))
        group = await unit.groups.get(play.group_id)
        member = await unit.groups.member(play.group_id, play.person(name).mxid)
        assert member is not None
        return await record.line(work, group, member)


async def test_the_usual_answer_time_is_known_from_five_askers_on(circle: Journey) -> None:
    async def usual() -> int | None:
        async with circle.service.store.unit() as unit:
            work = Work(unit, circle.service.config, Cause("test", unit.now))
            return await stats.usual_answer_of(work, await unit.groups.get(GroupId(circle.group_id)))

    await ask(circle, 4)
    assert await usual() is None
    await ask(circle, 1, at=LAST_WEEK + HOUR, first=200)
    assert await usual() == 20 * MINUTE
