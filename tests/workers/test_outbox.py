"""The outbox at work: what is tried again, how long it waits, what is given up, and who hears of it."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections import defaultdict
from typing import Any

import asyncpg
import pytest

from appservice.domain.effect import (
    CreateRoom,
    Effect,
    Inspect,
    Invite,
    Join,
    Kick,
    Leave,
    ReadEvent,
    SendEvent,
    Tell,
    Unlist,
)
from appservice.domain.ids import EventId, RoomId, UserId
from appservice.matrix.homeserver import HomeserverError
from appservice.routes import ANSWER
from appservice.store.db import Database
from appservice.store.inbox import MOST_ATTEMPTS
from appservice.store.unit import Store
from appservice.workers.outbox import LONGEST_WAIT_MS, outbox_lanes, send_head
from tests.store.engine import START, SetClock, fetch
from tests.workers.conftest import SOON, running, until

A, B = RoomId("!a"), RoomId("!b")
ANA = UserId("@ana:example.org")
SEND = SendEvent(A, "m.room.message", {"body": "secret"})
ASKED = SendEvent(A, "m.room.message", {"body": "secret"}, answer="card", subject="b1")
INVITING = Invite(A, ANA, answer="invited", subject="g1")


class Sender:
    """Stands for the homeserver: answers, or fails as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Effect]] = []
        self.tries: list[str] = []
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        self.gates: dict[str, asyncio.Event] = {}
        self.answer: dict[str, Any] = {"event_id": "$sent"}

    def fail(self, id: str, *errors: Exception) -> None:
        self.failures[id].extend(errors)

    async def perform(self, effect: Effect, id: str) -> dict[str, Any]:
        self.tries.append(id)
        if id in self.gates:
            await self.gates[id].wait()
        if self.failures[id]:
            raise self.failures[id].pop(0)
        self.sent.append((id, effect))
        return dict(self.answer)


def refused(status: int, errcode: str = "M_UNKNOWN", retry_after_ms: int | None = None) -> HomeserverError:
    return HomeserverError(status, errcode, "why", retry_after_ms)


@pytest.fixture
def sender() -> Sender:
    return Sender()


async def put(store: Store, **effects: Effect) -> None:
    async with store.unit() as unit:
        for id, effect in effects.items():
            await unit.outbox.put(id, effect, unit.now)


async def row(database: Database, id: str) -> tuple[Any, ...]:
    (found,) = await fetch(database, "SELECT status, attempts, due_at, error FROM effect WHERE id = $1", id)
    return found


async def arrivals(database: Database) -> list[tuple[str, str, str, Any]]:
    rows = await fetch(database, "SELECT id, lane, type, content FROM arrival ORDER BY seq")
    return [(id, lane, type, json.loads(content)) for id, lane, type, content in rows]


# Carried out


async def test_a_lane_without_anything_due_is_left_alone(store: Store, clock: SetClock, sender: Sender) -> None:
    assert await send_head(store, clock, sender.perform, A) is False
    assert sender.tries == []


async def test_what_was_carried_out_is_done_and_its_id_is_the_transaction_id(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=SEND)
    assert await send_head(store, clock, sender.perform, A) is False, "nobody wants an answer"
    assert sender.sent == [("one", SEND)]
    assert (await row(database, "one"))[0] == "sent"
    assert await arrivals(database) == []


async def test_an_answer_comes_back_as_an_arrival_once_and_without_the_content(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=ASKED)
    sender.answer = {"room_id": A, "event_id": "$sent"}
    assert await send_head(store, clock, sender.perform, A) is True
    assert await arrivals(database) == [
        ("answer one", A, ANSWER + "card",
         {"room_id": A, "event_id": "$sent", "subject": "b1", "effect": {"room_id": A}}),
    ]  # fmt: skip
    assert await send_head(store, clock, sender.perform, A) is False
    assert len(await arrivals(database)) == 1


async def test_an_answer_without_a_room_arrives_in_the_lane_of_its_effect(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    read = ReadEvent(A, EventId("$picture"), answer="picture", subject="p1 @ana")
    await put(store, one=read)
    sender.answer = {"event": {"content": {}}}
    assert await send_head(store, clock, sender.perform, read.lane)
    ((_, lane, _, content),) = await arrivals(database)
    assert lane == read.lane
    assert content["effect"] == {"room_id": A, "event_id": "$picture"}


async def test_an_answer_that_came_twice_counts_once(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    """Two who carry the same effect out, as after a change of instance: at least once, but one answer."""
    await put(store, one=ASKED)
    together = asyncio.Barrier(2)

    async def perform(effect: Effect, id: str) -> dict[str, Any]:
        await together.wait()
        return await sender.perform(effect, id)

    answered = await asyncio.gather(*(send_head(store, clock, perform, A) for _ in range(2)))
    assert sorted(answered) == [False, True]
    assert sender.tries == ["one", "one"]
    assert len(await arrivals(database)) == 1


async def test_what_was_cancelled_while_it_was_sent_is_sent_again_under_the_same_id(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=SEND)
    sender.gates["one"] = asyncio.Event()
    task = asyncio.create_task(send_head(store, clock, sender.perform, A))
    await until(lambda: sender.tries == ["one"])
    task.cancel()
    await asyncio.wait({task})
    assert await row(database, "one") == ("waiting", 0, START, None)
    sender.gates["one"].set()
    await send_head(store, clock, sender.perform, A)
    assert sender.tries == ["one", "one"]
    assert (await row(database, "one"))[0] == "sent"


# Tried again


@pytest.mark.parametrize(
    ("error", "wait_ms"),
    [
        (refused(429, "M_LIMIT_EXCEEDED", 12_345), 12_345),
        (refused(429, "M_LIMIT_EXCEEDED", 3_600_000), 3_600_000),
        (refused(429, "M_LIMIT_EXCEEDED"), 1_000),
        (refused(429, "M_LIMIT_EXCEEDED", 0), 1_000),
        (refused(500), 1_000),
        (refused(502), 1_000),
        (refused(503, "M_UNKNOWN", 7), 7),
        (refused(504), 1_000),
        (refused(0, "UNREACHABLE"), 1_000),
        (refused(408), 1_000),
        (refused(401, "M_UNKNOWN_TOKEN"), 1_000),
    ],
    ids=lambda value: f"{value.status} {value.retry_after_ms}" if isinstance(value, HomeserverError) else "",
)
async def test_what_may_succeed_later_waits_as_long_as_was_asked_for_or_a_second(
    store: Store, clock: SetClock, sender: Sender, database: Database, error: HomeserverError, wait_ms: int
) -> None:
    await put(store, one=SEND, two=SEND)
    sender.fail("one", error)
    clock.pass_ms(3)
    assert await send_head(store, clock, sender.perform, A) is False
    status, attempts, due_at, noted = await row(database, "one")
    assert (status, attempts, due_at - clock.at) == ("waiting", 1, wait_ms)
    assert noted == str(error)
    assert await send_head(store, clock, sender.perform, A) is False
    assert sender.tries == ["one"], "the second does not go before the first"
    clock.pass_ms(wait_ms)
    await send_head(store, clock, sender.perform, A)
    await send_head(store, clock, sender.perform, A)
    assert [id for id, _ in sender.sent] == ["one", "two"]


async def test_our_own_homeserver_is_tried_for_ever_with_ever_longer_waits(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=ASKED)
    sender.fail("one", *(refused(503) for _ in range(40)))
    waits = []
    for _ in range(40):
        assert await send_head(store, clock, sender.perform, A) is False
        status, _, due_at, _ = await row(database, "one")
        assert status == "waiting"
        waits.append(due_at - clock.at)
        clock.at = due_at
    assert waits == [1_000 * 2**n for n in range(9)] + [LONGEST_WAIT_MS] * 31
    assert await send_head(store, clock, sender.perform, A) is True


async def test_a_rate_limited_room_does_not_hold_up_the_others(store: Store, clock: SetClock, sender: Sender) -> None:
    await put(store, a1=SEND, a2=SEND, **{f"b{n}": Leave(B) for n in range(20)})
    sender.fail("a1", refused(429, "M_LIMIT_EXCEEDED", 60_000))
    async with running(outbox_lanes(store, clock, sender.perform, lambda: None)):
        await until(lambda: len(sender.sent) == 20)
        await asyncio.sleep(0.02)
        assert sender.tries.count("a1") == 1
        assert [id for id, _ in sender.sent] == [f"b{n}" for n in range(20)]


# Given up


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413])
async def test_a_refusal_without_anyone_to_tell_is_parked_and_the_lane_goes_on(
    store: Store, clock: SetClock, sender: Sender, database: Database, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    await put(store, one=SEND, two=SEND)
    sender.fail("one", refused(status, "M_FORBIDDEN"))
    assert await send_head(store, clock, sender.perform, A) is False
    assert await row(database, "one") == ("parked", 1, START, f"{status} M_FORBIDDEN: why")
    assert "parked: see coterie parked (M_FORBIDDEN)" in caplog.text
    assert "secret" not in caplog.text
    await send_head(store, clock, sender.perform, A)
    assert [id for id, _ in sender.sent] == ["two"]


async def test_a_refusal_with_someone_to_tell_comes_back_as_an_answer_with_its_error(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=INVITING)
    sender.fail("one", refused(403, "M_FORBIDDEN"))
    assert await send_head(store, clock, sender.perform, INVITING.lane) is True
    effect = {"room_id": A, "user_id": ANA}
    assert await arrivals(database) == [
        ("answer one", INVITING.lane, ANSWER + "invited", {"error": "M_FORBIDDEN", "subject": "g1", "effect": effect})
    ]
    assert (await row(database, "one"))[0] == "sent"


async def test_a_card_that_is_refused_is_set_aside_and_not_taken_for_posted(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=ASKED)
    sender.fail("one", refused(403, "M_FORBIDDEN"))
    assert await send_head(store, clock, sender.perform, A) is False
    assert await arrivals(database) == []
    assert (await row(database, "one"))[0] == "parked"


DEPENDS_ON_OTHERS: list[Effect] = [
    Invite(A, ANA, answer="invited", subject="g1"),
    Join(A, answer="direct_joined", subject=ANA),
    ReadEvent(A, EventId("$p"), answer="picture", subject="p1"),
    CreateRoom({}, answer="group_room", subject="g1"),
]


@pytest.mark.parametrize("effect", DEPENDS_ON_OTHERS, ids=lambda effect: type(effect).__name__)
async def test_what_depends_on_another_server_is_given_up_after_six_tries_and_whoever_asked_is_told(
    store: Store, clock: SetClock, sender: Sender, database: Database, effect: Any
) -> None:
    await put(store, one=effect)
    sender.fail("one", *(refused(502, "M_BAD_GATEWAY") for _ in range(9)))
    for attempt in range(1, 6):
        assert await send_head(store, clock, sender.perform, effect.lane) is False
        assert (await row(database, "one"))[:2] == ("waiting", attempt)
        clock.pass_ms(LONGEST_WAIT_MS)
    assert await send_head(store, clock, sender.perform, effect.lane) is True
    ((_, _, type, content),) = await arrivals(database)
    assert (type, content["error"], content["subject"]) == (ANSWER + effect.answer, "UNREACHABLE", effect.subject)


async def test_an_invitation_that_nobody_asked_about_is_parked_after_six_tries(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    invite = Invite(A, ANA)
    await put(store, one=invite)
    sender.fail("one", *(refused(502) for _ in range(6)))
    for _ in range(6):
        await send_head(store, clock, sender.perform, invite.lane)
        clock.pass_ms(LONGEST_WAIT_MS)
    assert (await row(database, "one"))[:2] == ("parked", 6)


async def test_an_invitation_for_which_nobody_answers_at_all_is_given_up_after_half_an_hour(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    """Our own homeserver may only be restarting, or wait for a server that hangs."""
    await put(store, one=DEPENDS_ON_OTHERS[0])
    sender.fail("one", *(refused(0, "UNREACHABLE") for _ in range(20)))
    begun, tries = clock.at, 0
    while not await send_head(store, clock, sender.perform, DEPENDS_ON_OTHERS[0].lane):
        tries += 1
        status, attempts, due_at, _ = await row(database, "one")
        assert (status, attempts) == ("waiting", tries)
        clock.at = due_at
    assert 12 * 60_000 < clock.at - begun < 40 * 60_000
    ((_, _, _, content),) = await arrivals(database)
    assert content["error"] == "UNREACHABLE"


async def test_a_kick_from_our_own_room_is_not_given_up_when_the_homeserver_is_broken(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    kick = Kick(A, ANA, "why")
    await put(store, one=kick)
    sender.fail("one", *(refused(500) for _ in range(10)))
    for _ in range(10):
        await send_head(store, clock, sender.perform, kick.lane)
        clock.pass_ms(LONGEST_WAIT_MS)
    assert (await row(database, "one"))[:2] == ("waiting", 10)


# Not foreseen


@pytest.mark.parametrize("error", [KeyError("event_id"), TypeError("int is not iterable"), RecursionError()], ids=repr)
async def test_what_fails_in_a_way_that_nobody_foresaw_is_parked_in_the_end_and_does_not_hold_its_room_up(
    store: Store, clock: SetClock, sender: Sender, database: Database, error: Exception
) -> None:
    """Such as an answer of an odd shape, or state of a room that a concierge made so."""
    await put(store, one=SEND, two=SEND)
    sender.fail("one", *([error] * 50))
    for attempt in range(1, MOST_ATTEMPTS):
        assert await send_head(store, clock, sender.perform, A) is False
        assert (await row(database, "one"))[:2] == ("waiting", attempt)
        clock.pass_ms(LONGEST_WAIT_MS)
    assert await send_head(store, clock, sender.perform, A) is False
    status, attempts, _, noted = await row(database, "one")
    assert (status, attempts) == ("parked", MOST_ATTEMPTS)
    assert type(error).__name__ in noted
    await send_head(store, clock, sender.perform, A)
    assert [id for id, _ in sender.sent] == ["two"]


async def test_whoever_asked_is_told_of_a_failure_that_nobody_foresaw(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=INVITING)
    sender.fail("one", *(KeyError("event_id") for _ in range(MOST_ATTEMPTS)))
    answered = []
    for _ in range(MOST_ATTEMPTS):
        answered.append(await send_head(store, clock, sender.perform, INVITING.lane))
        clock.pass_ms(LONGEST_WAIT_MS)
    assert answered == [False] * (MOST_ATTEMPTS - 1) + [True]
    ((_, _, _, content),) = await arrivals(database)
    assert content["error"] == "UNFORESEEN"


async def test_an_answer_that_cannot_be_written_down_is_not_asked_for_for_ever(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"": deep}
    sender.answer = {"event": deep}
    await put(store, one=ReadEvent(A, EventId("$p"), answer="picture", subject="p1"))
    answered = []
    for _ in range(MOST_ATTEMPTS):
        answered.append(await send_head(store, clock, sender.perform, f"read {A}"))
        clock.pass_ms(LONGEST_WAIT_MS)
    assert answered == [False] * (MOST_ATTEMPTS - 1) + [True]
    ((_, _, _, content),) = await arrivals(database)
    assert content["error"] == "UNFORESEEN"
    while deep:  # or Python takes it apart by recursion
        deep = deep.pop("")


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), asyncpg.InterfaceError("closed")])
async def test_a_database_that_fails_during_the_sending_is_no_attempt(
    store: Store, clock: SetClock, sender: Sender, database: Database, error: Exception
) -> None:
    await put(store, one=SEND)
    sender.fail("one", error)
    with pytest.raises(type(error)):
        await send_head(store, clock, sender.perform, A)
    assert await row(database, "one") == ("waiting", 0, START, None)


async def test_a_server_that_answers_with_what_cannot_be_stored_does_not_hold_the_room_up(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    await put(store, one=SEND, two=SEND)
    sender.fail("one", HomeserverError(403, "M_\ud800", "NUL \0 and \udfff"))
    await send_head(store, clock, sender.perform, A)
    assert (await row(database, "one"))[0] == "parked"


# Together


async def test_the_worker_carries_everything_out_in_order_and_rings_for_answers(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    rung = 0

    def ring() -> None:
        nonlocal rung
        rung += 1

    await put(store, a1=ASKED, b1=Leave(B), a2=SEND, b2=Leave(B), a3=ASKED)
    async with running(outbox_lanes(store, clock, sender.perform, ring)):
        await until(lambda: len(sender.sent) == 5)
        await until(lambda: rung == 2)
    for lane in "ab":
        order = [id for id, _ in sender.sent if id.startswith(lane)]
        assert order == sorted(order)
    assert await fetch(database, "SELECT DISTINCT status FROM effect") == [("sent",)]
    assert len(await arrivals(database)) == 2


async def test_what_waits_on_other_servers_can_have_a_worker_of_its_own(
    store: Store, clock: SetClock, sender: Sender
) -> None:
    """A server that hangs takes up that worker only."""
    doors: dict[str, Effect] = {f"i{n}": Invite(A, UserId(f"@p{n}:slow.example")) for n in range(3)}
    await put(store, **doors, send=SEND, leave=Leave(B), read=DEPENDS_ON_OTHERS[2], create=DEPENDS_ON_OTHERS[3])
    for id in doors:
        sender.gates[id] = asyncio.Event()
    slow = outbox_lanes(store, clock, sender.perform, lambda: None, width=2, doors=True)
    others = outbox_lanes(store, clock, sender.perform, lambda: None, width=1, doors=False)
    async with running(slow), running(others):
        await until(lambda: len(sender.sent) == 4)
        assert {id for id, _ in sender.sent} == {"send", "leave", "read", "create"}
        assert {id for id in sender.tries if id in doors} == {"i0", "i1"}
        for gate in sender.gates.values():
            gate.set()
        await until(lambda: len(sender.sent) == 7)
    assert sorted(sender.tries) == sorted([*doors, "send", "leave", "read", "create"])


async def test_held_messages_are_not_sent_before_their_release(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    tell = Tell(ANA, {"body": "x"})
    async with store.unit() as unit:
        await unit.outbox.put("one", tell, unit.now, held=True)
    worker = outbox_lanes(store, clock, sender.perform, lambda: None)
    async with running(worker):
        await asyncio.sleep(0.05)
        assert sender.tries == []
        async with store.unit() as unit:
            await unit.outbox.release(tell.lane, unit.now)
        worker.ring()
        await until(lambda: sender.sent == [("one", tell)])


async def test_stopping_finishes_the_request_in_hand_and_its_answer_is_kept(
    store: Store, clock: SetClock, sender: Sender, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await put(store, one=ASKED, two=ASKED)
    sender.gates["one"] = asyncio.Event()
    worker = outbox_lanes(store, clock, sender.perform, lambda: None)
    with caplog.at_level(logging.WARNING):
        async with running(worker) as task:
            await until(lambda: sender.tries == ["one"])
            worker.stop()
            await asyncio.sleep(0.01)
            sender.gates["one"].set()
            await asyncio.wait_for(task, SOON)
    assert [id for id, _, _, _ in await arrivals(database)] == ["answer one"]
    assert (await row(database, "two"))[0] == "waiting"
    assert caplog.text == ""


async def test_a_room_that_cannot_be_joined_yet_is_tried_again_before_it_is_given_up(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    """A remote server sends its invitation before it has stored it: the first join may be refused."""
    joining = Join(A, answer="direct_joined", subject=ANA)
    await put(store, one=joining, two=joining)
    sender.fail("one", refused(403, "M_FORBIDDEN"))
    sender.answer = {"room_id": A, "said": []}
    assert await send_head(store, clock, sender.perform, joining.lane) is False
    clock.pass_ms(LONGEST_WAIT_MS)
    assert await send_head(store, clock, sender.perform, joining.lane) is True
    sender.fail("two", *(refused(403, "M_FORBIDDEN") for _ in range(4)))
    answered = []
    for _ in range(4):
        answered.append(await send_head(store, clock, sender.perform, joining.lane))
        clock.pass_ms(LONGEST_WAIT_MS)
    assert answered == [False, False, False, True]


async def test_a_room_that_may_not_be_looked_at_is_answered_at_once_unless_the_bot_was_to_enter_it(
    store: Store, clock: SetClock, sender: Sender, database: Database
) -> None:
    looking = Inspect(A, answer="inspected", subject="g1", asked_at=5)
    entering = Inspect(A, answer="looked_at", subject=A, asked_at=5, join=True)
    unlisting = Unlist(A, ["#a:example.org"], answer="unlisted", subject="g1")
    assert looking.lane == unlisting.lane != entering.lane and entering.lane.startswith("join ")
    await put(store, one=looking, two=unlisting, three=entering)
    for id in ("one", "two", "three"):
        sender.fail(id, refused(403, "M_FORBIDDEN"))
    assert await send_head(store, clock, sender.perform, looking.lane) is True
    assert await send_head(store, clock, sender.perform, looking.lane) is True
    assert await send_head(store, clock, sender.perform, entering.lane) is False
    assert [(type, content) for _, _, type, content in await arrivals(database)] == [
        (ANSWER + "inspected", {"error": "M_FORBIDDEN", "subject": "g1", "effect": {"room_id": A}}),
        (ANSWER + "unlisted", {"error": "M_FORBIDDEN", "subject": "g1", "effect": {"room_id": A}}),
    ]
    clock.pass_ms(LONGEST_WAIT_MS)
    sender.answer = {"room_id": A, "asked_at": 5}
    assert await send_head(store, clock, sender.perform, entering.lane) is True
    assert (await arrivals(database))[-1][3] == {
        "room_id": A, "asked_at": 5, "subject": A, "effect": {"room_id": A},
    }  # fmt: skip
