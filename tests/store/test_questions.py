"""Questions as they are kept, and when many reach for one at once."""

from __future__ import annotations

import json
from dataclasses import replace

from appservice.actions import questions
from appservice.actions.questions import Said
from appservice.actions.work import Work
from appservice.domain.cause import Cause
from appservice.domain.ids import EventId, Number, RoomId
from appservice.domain.question import Answer, Claim, Question, QuestionId, Release, Reply, Request, Resolve, Status
from appservice.domain.refusal import Reason, Refusal
from appservice.store.db import Database
from appservice.store.questions import Note, Part, Put, Role
from appservice.store.unit import Store
from tests.store.engine import START, SetClock, at_once, count, fetch
from tests.store.given import CONFIG, GROUP, ROOM, group_exists, member

LARGEST = 2**53 - 1
ASKED, MORE = EventId("$asked"), EventId("$more")
ASKER = Number(1)


def question(id: str, **changes: object) -> Question:
    blank = Question(QuestionId(id), GROUP.id, ASKER, asked_at=START, episode_at=START, queued_at=START)
    return replace(blank, **changes)  # type: ignore[arg-type]


def put(id: str = "q1", **changes: object) -> Put:
    return Put(question(id, **changes), ROOM, ASKED, {ASKED: "Is it soft?"})


async def added(store: Store, *puts: Put, due_at: int | None = None) -> None:
    async with store.unit() as unit:
        for one in puts:
            await unit.questions.add(one, due_at)


async def asked(store: Store, members: int = 3) -> QuestionId:
    """The first member of a group has asked."""
    await group_exists(store, members=members)
    async with store.unit() as unit:
        work = Work(unit, CONFIG, Cause("$asked", START))
        group = await unit.groups.lock(GROUP.id)
        return await questions.ask(work, group, member(1), Said("Is it soft?", None, ROOM, ASKED, START))


async def act(store: Store, n: int, id: QuestionId, request: Request) -> Refusal | None:
    async with store.unit() as unit:
        return await questions.act(Work(unit, CONFIG, Cause(f"$act{n}", START, n)), id, request)


async def facts(database: Database) -> list[tuple[str, int]]:
    found = await fetch(database, "SELECT fact, actor FROM ledger WHERE fact LIKE 'question%' ORDER BY seq")
    return [(fact.removeprefix("question_"), actor) for fact, actor in found]


# At once


async def claimed_at_once(stores: list[Store], database: Database, many: int) -> None:
    """So many take it in the same moment: one has it, and everybody else is told who."""
    id = await asked(stores[0], members=many + 1)
    numbers = [Number(n) for n in range(2, many + 2)]
    claims = [act(stores[n % len(stores)], n, id, Claim(n)) for n in numbers]
    outcomes = dict(zip(numbers, await at_once(claims), strict=True))
    [winner] = [number for number, outcome in outcomes.items() if outcome is None]
    for number, outcome in outcomes.items():
        if number != winner:
            assert outcome is not None and outcome.reason is Reason.QUESTION_TAKEN
            assert outcome.details == {"by": f"Member {winner}"}
    async with stores[0].look() as unit:
        kept = await unit.questions.get(id)
    assert kept is not None and (kept.question.claimant, kept.question.status) == (winner, Status.CLAIMED)
    assert await fetch(database, "SELECT claimant, status FROM question") == [(winner, "claimed")]
    assert await facts(database) == [("asked", 1), ("claimed", winner)]


async def test_of_two_who_take_a_question_at_once_one_has_it(stores: list[Store], database: Database) -> None:
    await claimed_at_once(stores, database, 2)


async def test_of_fifty_who_take_a_question_at_once_one_has_it(stores: list[Store], database: Database) -> None:
    await claimed_at_once(stores, database, 50)


async def test_whatever_comes_at_once_happens_one_after_the_other(stores: list[Store], database: Database) -> None:
    """Ten take it and give it back, ten answer, five close it: what is kept is what the ledger says, in its order."""
    id = await asked(stores[0], members=30)
    requests: list[Request] = []
    for n in range(2, 12):
        by = Number(n)
        requests += [Claim(by), Release(by), Reply(by, EventId(f"$answer{n}"), START + n)]
    requests += [Resolve(Number(n)) for n in range(12, 17)]
    outcomes = await at_once([act(stores[n % len(stores)], n, id, one) for n, one in enumerate(requests)])
    assert {one.reason for one in outcomes if one} <= {Reason.QUESTION_TAKEN, Reason.QUESTION_DONE}
    async with stores[0].look() as unit:
        kept = await unit.questions.get(id)
    assert kept is not None and kept.question.status is Status.RESOLVED
    assert len(kept.question.answers) == 10 and kept.question.answer is not None
    assert kept.question.answer.at == START + 2
    claimant = None
    said = await facts(database)
    for fact, actor in said:
        assert (fact, claimant) != ("claimed", actor)
        assert fact != "claimed" or claimant is None, said
        claimant = actor if fact == "claimed" else None if fact == "released" else claimant
    assert kept.question.claimant == claimant
    assert [fact for fact, _ in said].count("resolved") == 1
    assert [fact for fact, _ in said].count("answered") == 10


async def test_the_same_words_twice_at_once_are_one_question(stores: list[Store], database: Database) -> None:
    await group_exists(stores[0], members=1)

    async def ask(n: int) -> QuestionId:
        async with stores[n % len(stores)].unit() as unit:
            group = await unit.groups.lock(GROUP.id)
            said = Said("Is it soft?", None, ROOM, EventId(f"$asked{n}"), START)
            return await questions.ask(Work(unit, CONFIG, Cause(f"$asked{n}", START)), group, member(1), said)

    assert len(set(await at_once([ask(n) for n in range(8)]))) == 1
    assert await count(database, "question") == 1 and len(await facts(database)) == 1
    assert await count(database, "question_event") == 8


# Kept


async def test_a_question_is_read_back_as_it_was(store: Store) -> None:
    await group_exists(store)
    plain = put()
    full = Put(
        question(
            "q2", is_direct=True, status=Status.RESOLVED, episode=3, episode_at=LARGEST, claimant=Number(2),
            answers=(Answer(EventId("$a"), Number(2), START), Answer(EventId("$p"), Number(3), START, is_peer=True)),
            snoozed_until=LARGEST, nudged=True, rung_at=START, escalated=True, back_at=START, resolved_at=START,
            resolved_by=Number(2), credited=Number(3),
        ),
        None, None, {MORE: "Größe\n\u0000 🕯", ASKED: ""}, {"msgtype": "m.image", "url": "mxc://a/b"},
        EventId("$root"), "❔ asks", RoomId("!help:example.org"),
    )  # fmt: skip
    await added(store, plain, full)
    async with store.unit() as unit:
        assert await unit.questions.get("q1") == plain == await unit.questions.lock("q1")
        found = await unit.questions.get("q2")
        assert found == full
        assert found is not None and list(found.texts) == [MORE, ASKED], "in the order in which it was said"
        assert await unit.questions.get("nothing") is None


async def test_what_changes_is_kept(store: Store) -> None:
    await group_exists(store)
    await added(store, put())
    taken = question("q1", status=Status.CLAIMED, claimant=Number(2))
    picture = {"msgtype": "m.image", "url": "mxc://a/b"}
    async with store.unit() as unit:
        await unit.questions.save(taken, LARGEST)
        await unit.questions.set_texts("q1", {MORE: "x"}, picture)
        await unit.questions.set_root("q1", "$root", "shown")
        await unit.questions.set_help_room("q1", "!help:example.org", 2)
        assert await unit.questions.get("q1") == Put(
            taken, ROOM, ASKED, {MORE: "x"}, picture, EventId("$root"), "shown", RoomId("!help:example.org"), Number(2)
        )
        assert await unit.questions.next_due(GROUP.id) == LARGEST
        await unit.questions.set_texts("q1", {}, None)
        await unit.questions.set_root("q1", None, None)
        await unit.questions.set_help_room("q1", None, None)
        left = await unit.questions.get("q1")
        assert left == Put(taken, ROOM, ASKED, {})


async def test_open_questions_are_given_oldest_first_and_those_of_others_apart(store: Store) -> None:
    await group_exists(store)
    await group_exists(store, replace(GROUP, id=GROUP.id + "x", room_id=None, desk_id=None))  # type: ignore[arg-type]
    await added(
        store,
        put("q3", asked_at=START + 2),
        put("q1", asked_at=START, asker=Number(2)),
        put("q2", asked_at=START + 1, status=Status.WAITING_MEMBER),
        put("q0", asked_at=START - 1, status=Status.RESOLVED, resolved_at=START),
        put("other", group_id=GROUP.id + "x"),
    )
    async with store.look() as unit:
        assert [one.question.id for one in await unit.questions.live(GROUP.id)] == ["q1", "q2", "q3"]
        assert [one.question.id for one in await unit.questions.of_asker(GROUP.id, ASKER)] == ["q2", "q3"]
        assert await unit.questions.all_of_asker(GROUP.id, ASKER) == ["q0", "q2", "q3"]


async def test_what_is_due_comes_in_the_order_in_which_it_was(store: Store) -> None:
    await group_exists(store)
    await added(store, put("late"), due_at=START + 5)
    await added(store, put("soon"), due_at=START + 1)
    await added(store, put("never"), due_at=None)
    async with store.look() as unit:
        assert await unit.questions.due(GROUP.id, START) == []
        assert await unit.questions.due(GROUP.id, START + 4) == ["soon"]
        assert await unit.questions.due(GROUP.id, START + 5) == ["soon", "late"]
        assert await unit.questions.next_due(GROUP.id) == START + 1
        assert await unit.questions.next_due("other") is None


async def test_an_event_has_one_part_in_a_question_and_may_have_one_in_each(store: Store) -> None:
    await group_exists(store)
    await added(store, put("q1"), put("q2"))
    async with store.unit() as unit:
        assert await unit.questions.say("q1", "$a", Part.ANSWER, 2, START)
        assert not await unit.questions.say("q1", "$a", Part.ASKED, 3, START)
        assert await unit.questions.say("q2", "$a", Part.ROOT, None, START + 1)
        assert await unit.questions.roles("$a") == [
            Role(QuestionId("q1"), Part.ANSWER, Number(2)), Role(QuestionId("q2"), Part.ROOT, None),
        ]  # fmt: skip
        await unit.questions.say("q1", "$b", Part.ANSWER, 2, START - 1)
        assert await unit.questions.events("q1", Part.ANSWER) == ["$b", "$a"]
        await unit.questions.unsay("q1", "$a")
        assert await unit.questions.events("q1", Part.ANSWER) == ["$b"]
        assert [role.question_id for role in await unit.questions.roles("$a")] == ["q2"]


async def test_only_what_was_closed_long_ago_is_pruned(store: Store, database: Database) -> None:
    await group_exists(store)
    picture = {"url": "mxc://a/b"}
    done = {"status": Status.RESOLVED}
    await added(
        store,
        replace(put("old", **done, resolved_at=START - 1), picture=picture),
        replace(put("new", **done, resolved_at=START), picture=picture),
        replace(put("open"), picture=picture),
    )
    async with store.unit() as unit:
        for id in ("old", "new", "open"):
            await unit.questions.note(id, Note(START, Number(2), "asked the maker"))
            await unit.questions.say(id, "$root", Part.ROOT, None, START)
        await unit.questions.prune(START)
        assert [len(await unit.questions.notes(id)) for id in ("old", "new", "open")] == [0, 1, 1]
        for id, left in (("old", False), ("new", True), ("open", True)):
            kept = await unit.questions.get(id)
            assert kept is not None and bool(kept.texts) is left and bool(kept.picture) is left
    assert await count(database, "question_event") == 3, "who reacts to its line is still answered"


async def test_who_is_erased_leaves_a_question_without_words_or_events(store: Store, database: Database) -> None:
    id = await asked(store)
    await act(store, 1, id, Reply(Number(2), EventId("$answer"), START))
    async with store.unit() as unit:
        await unit.questions.say(id, "$answer", Part.ANSWER, 2, START)
        await unit.questions.note(id, Note(START, Number(2), "she has a bad skin"))
        await unit.questions.set_root(id, "$root", "❔ Member 1 asks")
        await unit.erasing.in_group(GROUP.id, member(1).user_id, 1)
    kept = json.dumps(await fetch(database, "SELECT * FROM question"), default=str)
    assert not [word for word in ("soft", "Member 1", "$asked", "$root", "!group") if word in kept], kept
    assert await count(database, "question_note") == await count(database, "question_event") == 0
    async with store.look() as unit:
        found = await unit.questions.get(id)
        assert found is not None and found.question.answer is not None, "the figures stay as they were"


async def test_the_timer_is_set_to_what_is_due_next_and_cleared_where_nothing_is(store: Store, clock: SetClock) -> None:
    id = await asked(store)
    async with store.look() as unit:
        assert await unit.timers.due_at("desk", GROUP.id) == START + 15 * 60_000
    await act(store, 1, id, Resolve(Number(2)))
    async with store.look() as unit:
        assert await unit.timers.due_at("desk", GROUP.id) is None
