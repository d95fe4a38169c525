"""What somebody has asked, and what was written down for them, is theirs: they can read it, and it goes with them."""

from __future__ import annotations

from appservice.domain.ids import Number
from appservice.store.questions import Note
from tests.flows.homeserver import FakeHomeserver
from tests.flows.homeserver_people import Person
from tests.flows.journey import Journey
from tests.flows.records import file_of, mentions
from tests.flows.service import MINUTE, Service
from tests.flows.test_canned import ask

ASKED, NOTED, PLEDGED, ELSEWHERE = (
    "Is it warm enough for my bad knee?",
    "knows a doctor",
    "2 max 71.00",
    "And for cats?",
)


async def a_question_of_hers(play: Journey, who: Person, text: str = ASKED) -> str:
    """Somebody asks, a concierge notes something about it; gives the line in the desk."""
    line = await ask(play, who, text)
    [row] = await play.service.rows("SELECT question_id FROM question_event WHERE event_id = $1", line)
    async with play.service.store.unit() as unit:
        await unit.questions.note(row["question_id"], Note(unit.now, Number(2), NOTED))
    return line


async def something_unplaced(play: Journey, who: Person) -> None:
    """What somebody asked directly waits for them to say which group it is for."""
    await play.service.rows(
        "INSERT INTO unplaced_question (event_id, user_id, room_id, text, asked_at)"
        " VALUES ('$unplaced', $1, $2, $3, 1800000000000) RETURNING event_id",
        who.mxid, await play.direct(who), ELSEWHERE,
    )  # fmt: skip


async def written_down(play: Journey, who: Person) -> None:
    await play.direct(who)
    await play.say(play.ben, f"!pledge-for {await play.alias(who)} {PLEDGED}", to=play.desk)


async def forget(play: Journey, who: Person) -> None:
    await play.tell(who, "!forget me confirm")
    await play.service.wait(15 * MINUTE)


async def test_the_file_shows_questions_with_notes_and_what_was_written_down(
    engine: str, shop: Journey, nobody_exposed: None
) -> None:
    await a_question_of_hers(shop, shop.ana)
    await something_unplaced(shop, shop.ana)
    await written_down(shop, shop.ana)
    await shop.tell(shop.ana, "!mydata")
    file = file_of(shop, shop.ana)
    [group] = file["groups"]
    [question], [proposed], [unplaced] = (
        group["questions"], group["pledges_written_down_for_you"], file["questions_without_a_group"],
    )  # fmt: skip
    assert question["you_wrote"] == [ASKED] and question["status"] == "open"
    assert question["noted_by_concierges"] == [NOTED] and question["with_a_picture"] is False
    assert (proposed["buy"], proposed["pledge"]) == (shop.buy, PLEDGED)
    assert (unplaced["you_wrote"], unplaced["with_a_picture"]) == (ELSEWHERE, False)
    await shop.tell(shop.otto, "!mydata")
    other = file_of(shop, shop.otto)
    assert other["questions_without_a_group"] == [] and other["groups"][0]["questions"] == []
    assert other["groups"][0]["pledges_written_down_for_you"] == []


async def test_what_a_forgotten_person_has_asked_is_gone(
    engine: str, shop: Journey, hs: FakeHomeserver, service: Service
) -> None:
    line = await a_question_of_hers(shop, shop.ana)
    await something_unplaced(shop, shop.ana)
    await written_down(shop, shop.ana)
    [asked] = await service.rows("SELECT event_id FROM question")
    assert await mentions(service, "bad knee", NOTED, PLEDGED, ELSEWHERE, asked["event_id"])
    await forget(shop, shop.ana)
    gone = [row for row in await mentions(service, "bad knee", NOTED, PLEDGED, ELSEWHERE) if "effect: " not in row[:9]]
    assert gone == [] and await mentions(service, shop.ana.mxid) == []
    for table in ("question_note", "question_event", "unplaced_question", "proposal"):
        assert await service.rows(f"SELECT * FROM {table}") == [], table
    [row] = await service.rows("SELECT * FROM question")
    assert (row["status"], row["waits"], row["due_at"]) == ("resolved", 0, None)
    left = {row[name] for name in ("room_id", "event_id", "text", "picture", "root_id", "shown")}
    assert left == {None}
    assert hs.event(line).content == {}
    facts = [fact for fact, *_ in await shop.ledger()]
    assert "question_asked" in facts and "question_withdrawn" in facts


async def test_the_sign_of_a_forgotten_person_confirms_nothing(shop: Journey) -> None:
    await written_down(shop, shop.ana)
    [question] = [e for e in shop.hs.direct_events(shop.ana) if PLEDGED in str(e.content.get("body"))]
    await shop.tell(shop.ana, "!forget me confirm")
    await shop.service.wait(MINUTE)
    shop.ana.react(question.room_id, question.event_id, "✅", force=True)
    await shop.rest()
    assert await shop.units() == {}


async def test_a_question_that_was_closed_goes_as_well(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    line = await a_question_of_hers(shop, shop.ana)
    shop.ben.react(shop.desk, line, "✅")
    await shop.rest()
    [row] = await shop.service.rows("SELECT status, resolved_at FROM question")
    assert row["status"] == "resolved"
    await forget(shop, shop.ana)
    [after] = await shop.service.rows("SELECT status, resolved_at, text, shown FROM question")
    assert after == {**row, "text": None, "shown": None} and hs.event(line).content == {}
    assert "question_withdrawn" not in [fact for fact, *_ in await shop.ledger()]


async def test_the_questions_of_others_stay_as_they_are(engine: str, shop: Journey, hs: FakeHomeserver) -> None:
    line = await a_question_of_hers(shop, shop.otto)
    [before] = await shop.service.rows("SELECT * FROM question")
    answer = await shop.say(shop.ana, "It is, mine is fine.", reply_to=before["event_id"])
    roles = await shop.service.rows("SELECT role, number FROM question_event WHERE event_id = $1", answer)
    assert [row["role"] for row in roles] == ["peer"]
    await forget(shop, shop.ana)
    [after] = await shop.service.rows("SELECT * FROM question")
    kept = ("status", "text", "event_id", "root_id")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert await shop.service.rows("SELECT * FROM question_event WHERE event_id = $1", answer) == []
    assert [row["text"] for row in await shop.service.rows("SELECT text FROM question_note")] == [NOTED]
    assert hs.event(line).content != {}


async def test_a_group_closed_long_ago_keeps_nobodys_questions(shop: Journey, service: Service) -> None:
    await a_question_of_hers(shop, shop.ana)
    await shop.say(shop.ben, f"!buy cancel {shop.buy} for good", to=shop.desk)
    await shop.tell(shop.rosa, "!sunset")
    await shop.tell(shop.rosa, "!sunset confirm")
    for days in (2, 1, 85):
        await shop.days(days)
    [row] = await service.rows("SELECT event_id FROM question")
    assert row["event_id"] is not None
    await shop.days(10)
    [row] = await service.rows("SELECT * FROM question")
    assert {row[name] for name in ("room_id", "event_id", "text", "picture", "root_id", "shown")} == {None}
    assert row["status"] == "resolved" and await service.rows("SELECT * FROM question_event") == []
