"""Questions: the rules one by one, and over random histories against a clock that is read off the history anew."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.ids import EventId, GroupId, Number
from appservice.domain.question import (
    Accept,
    Accepted,
    Added,
    Answered,
    AnswerRemoved,
    Asked,
    Claim,
    Claimed,
    Escalated,
    Fact,
    HandedOver,
    HandOver,
    Nudged,
    Overdue,
    PeerAnswered,
    PeerReply,
    Question,
    QuestionId,
    Release,
    Released,
    Reopened,
    Reply,
    Request,
    Resolve,
    Resolved,
    Say,
    Snooze,
    Snoozed,
    Status,
    TakeBack,
    Undo,
    Unresolved,
    Withdrawn,
    decide,
    due_at,
    evolve,
    fall_due,
)
from appservice.domain.question.due import After
from appservice.domain.question.state import REOPENS_MS
from appservice.domain.refusal import Reason, Refusal

ANA, OTTO, MIA, BEN, KIM = (Number(n) for n in (1, 2, 3, 11, 12))
"""Who asks, two other members, two concierges."""
T0 = 100 * DAY_MS
E1, E2, E3 = EventId("$1"), EventId("$2"), EventId("$3")


def always(start: int, service: int) -> int:
    return start + service


def half(start: int, service: int) -> int:
    """Service in the first half of each hour."""
    before = start // HOUR_MS * (HOUR_MS // 2) + min(start % HOUR_MS, HOUR_MS // 2)
    whole, rest = divmod(before + service, HOUR_MS // 2)
    at = whole * HOUR_MS + rest if rest else (whole - 1) * HOUR_MS + HOUR_MS // 2
    return max(at, start)


def asked(at: int = T0, now: int | None = None) -> Question:
    blank = Question(QuestionId("q"), GroupId("g"), ANA, asked_at=at)
    return evolve(blank, Asked(ANA, at), now or at)


def after(question: Question, *requests: Request, now: int = T0) -> Question:
    """The question once somebody has asked for all that."""
    for request in requests:
        facts = decide(question, request, now)
        assert not isinstance(facts, Refusal), facts
        question = with_facts(question, facts, now)
    return question


def with_facts(question: Question, facts: list[Fact], now: int) -> Question:
    for fact in facts:
        question = evolve(question, fact, now)
    return question


def refused(question: Question, request: Request, now: int = T0) -> Reason | None:
    outcome = decide(question, request, now)
    return outcome.reason if isinstance(outcome, Refusal) else None


TAKEN = after(asked(), Claim(BEN))
ANSWERED = after(asked(), Reply(BEN, E1, T0 + 5))
CLOSED = after(ANSWERED, Resolve(BEN), now=T0 + 9)


# Rules


@pytest.mark.parametrize(
    ("question", "request_", "facts"),
    [
        (asked(), Claim(BEN), [Claimed(BEN)]),
        (TAKEN, Claim(BEN), []),
        (TAKEN, Release(BEN), [Released(BEN)]),
        (TAKEN, Release(KIM), []),
        (CLOSED, Release(BEN), []),
        (asked(), Reply(BEN, E1, T0 + 5), [Claimed(BEN), Answered(BEN, E1, T0 + 5)]),
        (TAKEN, Reply(KIM, E1, T0 + 5), [Answered(KIM, E1, T0 + 5)]),
        (asked(), Reply(BEN, E1, T0 - 5), [Claimed(BEN), Answered(BEN, E1, T0)]),
        (asked(), Reply(ANA, E1, T0), []),
        (ANSWERED, Reply(BEN, E1, T0 + 7), []),
        (CLOSED, Reply(KIM, E2, T0 + 7), [Answered(KIM, E2, T0 + 7)]),
        (asked(), PeerReply(OTTO, E1, T0 + 5), [PeerAnswered(OTTO, E1, T0 + 5)]),
        (asked(), PeerReply(ANA, E1, T0 + 5), []),
        (asked(), Say(E1, T0), [Added(E1)]),
        (TAKEN, Say(E1, T0), [Added(E1)]),
        (ANSWERED, Say(E2, T0 + 7), [Reopened(E2, T0 + 7)]),
        (CLOSED, Say(E2, T0 + 9 + REOPENS_MS), [Reopened(E2, T0 + 9 + REOPENS_MS)]),
        (asked(), Resolve(ANA), [Resolved(ANA, T0)]),
        (CLOSED, Resolve(KIM), []),
        (CLOSED, Undo(BEN), [Unresolved(BEN)]),
        (CLOSED, Undo(KIM), []),
        (ANSWERED, Undo(BEN), []),
        (asked(), Snooze(BEN, T0 + 9), [Snoozed(BEN, T0 + 9)]),
        (asked(), Snooze(ANA, T0 + 9), [Snoozed(ANA, T0 + 9)]),
        (TAKEN, Snooze(KIM, T0 + 9), [Snoozed(KIM, T0 + 9)]),
        (TAKEN, HandOver(BEN, KIM, "yours"), [HandedOver(BEN, KIM, "yours")]),
        (ANSWERED, TakeBack(E1), [AnswerRemoved(E1)]),
        (ANSWERED, TakeBack(E2), []),
        (asked(), TakeBack(E2, whole=True), [Withdrawn(T0)]),
        (CLOSED, TakeBack(E2, whole=True), []),
    ],
)
def test_what_follows_from_a_request(question: Question, request_: Request, facts: list[Fact]) -> None:
    assert decide(question, request_, T0) == facts


@pytest.mark.parametrize(
    ("question", "request_", "reason", "details"),
    [
        (TAKEN, Claim(KIM), Reason.QUESTION_TAKEN, {"by": BEN}),
        (CLOSED, Claim(KIM), Reason.QUESTION_DONE, {}),
        (asked(), Claim(ANA), Reason.NOT_YOUR_QUESTION, {"you": True}),
        (ANSWERED, Snooze(BEN, T0 + 9), Reason.QUESTION_DONE, {}),
        (CLOSED, Snooze(BEN, T0 + 9), Reason.QUESTION_DONE, {}),
        (CLOSED, HandOver(BEN, KIM, ""), Reason.QUESTION_DONE, {}),
        (TAKEN, HandOver(BEN, BEN, ""), Reason.ALREADY_YOURS, {"you": True}),
        (TAKEN, HandOver(KIM, BEN, ""), Reason.ALREADY_YOURS, {"you": False}),
        (TAKEN, HandOver(BEN, ANA, ""), Reason.NOT_YOUR_QUESTION, {"you": False}),
        (CLOSED, Say(E2, T0 + 10 + REOPENS_MS), Reason.QUESTION_DONE, {}),
    ],
)
def test_what_is_refused(question: Question, request_: Request, reason: Reason, details: dict[str, object]) -> None:
    outcome = decide(question, request_, T0)
    assert isinstance(outcome, Refusal) and outcome.reason is reason and outcome.details == details


def test_after_a_week_a_closing_stays() -> None:
    assert refused(CLOSED, Undo(BEN), T0 + 9 + REOPENS_MS) is None
    assert refused(CLOSED, Undo(BEN), T0 + 10 + REOPENS_MS) is Reason.TOO_LATE_TO_UNDO


def test_a_peers_answer_is_credited_once_by_another_and_closes() -> None:
    told = after(asked(), PeerReply(OTTO, E1, T0), PeerReply(MIA, E2, T0))
    assert decide(told, Accept(OTTO, E1), T0) == [] == decide(told, Accept(ANA, E3), T0)
    closed = after(told, Accept(ANA, E1))
    assert decide(told, Accept(ANA, E1), T0) == [Accepted(OTTO, ANA), Resolved(ANA, T0)]
    assert decide(closed, Accept(BEN, E2), T0) == []
    assert decide(after(told, Resolve(BEN)), Accept(ANA, E2), T0) == [Accepted(MIA, ANA)]
    undone = after(closed, Undo(ANA))
    assert undone.credited is None and undone.status is Status.OPEN


def test_a_concierges_answer_is_no_peers() -> None:
    assert decide(ANSWERED, Accept(ANA, E1), T0) == []


def test_the_first_answer_that_is_left_stops_the_clock() -> None:
    both = after(ANSWERED, Reply(KIM, E2, T0 + 3))
    assert both.answer is not None and both.answer.event_id == E2
    left = after(both, TakeBack(E2))
    assert left.answer is not None and left.answer.at == T0 + 5 and left.status is Status.WAITING_MEMBER
    none = after(left, TakeBack(E1))
    assert (none.answer, none.waiting_since, none.status) == (None, T0, Status.CLAIMED)


@pytest.mark.parametrize(("before", "claimant", "woken"), [(asked(), None, Status.OPEN), (TAKEN, BEN, Status.CLAIMED)])
def test_a_snoozed_question_wakes_when_its_asker_writes_or_somebody_takes_it(
    before: Question, claimant: Number | None, woken: Status
) -> None:
    snoozed = after(before, Snooze(BEN, T0 + DAY_MS))
    assert (snoozed.status, snoozed.claimant, snoozed.waiting_since) == (Status.SNOOZED, claimant, T0)
    assert after(snoozed, Say(E1, T0)).status is woken
    handed = after(snoozed, HandOver(BEN, KIM, "x"))
    assert handed.status is Status.CLAIMED and handed.snoozed_until is None
    assert after(snoozed, Reply(KIM, E1, T0)).status is Status.WAITING_MEMBER
    released = after(snoozed, Release(BEN))
    assert released.status is Status.SNOOZED and released.claimant is None


# What falls due


def falling(question: Question, minutes: list[int], of: After = always) -> list[tuple[int, str]]:
    """What falls due when one looks at these minutes."""
    found = []
    for minute in minutes:
        now = T0 + minute * MINUTE_MS
        facts = fall_due(question, now, of)
        question = with_facts(question, facts, now)
        found += [(minute, type(fact).__name__) for fact in facts]
    return found


def test_in_the_queue_those_on_duty_are_rung_the_owners_after_an_hour_and_then_each_day() -> None:
    day, hour = 24 * 60, 60
    assert falling(asked(), list(range(4 * day))) == [
        (15, "Overdue"), (hour, "Escalated"),
        *((hour + n * day + n, "Overdue") for n in (1, 2, 3)),  # in the minute after, as one looks once a minute
    ]  # fmt: skip


def test_a_daily_ring_that_comes_outside_service_hours_comes_at_their_next_moment() -> None:
    day = 24 * 60

    def but_the_second_and_third_day(start: int, service: int) -> int:
        closed, opens = T0 + DAY_MS, T0 + 3 * DAY_MS
        left = max(0, closed - start)
        return start + service if service <= left or start >= opens else opens + service - left

    assert falling(asked(), list(range(4 * day + 2)), but_the_second_and_third_day) == [
        (15, "Overdue"), (60, "Escalated"), (3 * day + 1, "Overdue"),
    ]  # fmt: skip


def test_who_has_it_is_nudged_once_and_loses_it() -> None:
    assert falling(TAKEN, list(range(59))) == [(15, "Nudged"), (30, "Released"), (45, "Overdue")]


def test_after_an_outage_each_comes_once() -> None:
    assert [what for _, what in falling(TAKEN, [5 * 24 * 60])] == ["Nudged", "Released", "Escalated"]
    assert [what for _, what in falling(asked(), [5 * 24 * 60])] == ["Overdue", "Escalated"]
    late = asked(now=T0 + 5 * DAY_MS)
    assert [what for _, what in falling(late, [5 * 24 * 60])] == ["Overdue", "Escalated"]


def test_outside_service_hours_nothing_falls_due() -> None:
    def tomorrow(start: int, service: int) -> int:
        return max(start, T0 + DAY_MS) + service

    assert falling(asked(), list(range(0, 26 * 60, 5)), tomorrow) == [(24 * 60 + 15, "Overdue"), (25 * 60, "Escalated")]


def test_a_peers_answer_puts_everything_off_for_an_hour() -> None:
    told = after(asked(), PeerReply(OTTO, E1, T0 + 10 * MINUTE_MS), now=T0 + 10 * MINUTE_MS)
    assert falling(told, list(range(400))) == [(70, "Escalated")]
    assert falling(after(told, TakeBack(E1)), list(range(100)))[0] == (15, "Overdue")


def test_what_was_put_off_comes_to_the_owners_an_hour_after_it_is_back() -> None:
    until = T0 + 300 * MINUTE_MS
    assert falling(after(asked(), Snooze(BEN, until)), list(range(400))) == [
        (300, "Woken"), (315, "Overdue"), (360, "Escalated"),
    ]  # fmt: skip
    assert falling(after(TAKEN, Snooze(BEN, until)), list(range(400))) == [
        (300, "Woken"), (315, "Nudged"), (330, "Released"), (345, "Overdue"), (360, "Escalated"),
    ]  # fmt: skip


def test_who_removes_their_answer_has_as_much_time_as_at_first() -> None:
    removed = after(ANSWERED, TakeBack(E1), now=T0 + 300 * MINUTE_MS)
    assert removed.waiting_since == T0
    assert falling(removed, list(range(300, 400))) == [
        (315, "Nudged"), (330, "Released"), (345, "Overdue"), (360, "Escalated"),
    ]  # fmt: skip
    assert after(after(ANSWERED, Reply(KIM, E2, T0 + 9)), TakeBack(E1), now=T0 + 10).back_at is None


# Random histories

Move = tuple[str, int, int]
"""What is done, by whom or with what, and how many minutes pass before."""
KINDS = (
    "claim", "release", "reply", "reply", "peer", "say", "say", "resolve", "undo", "accept", "snooze", "hand",
    "remove", "withdraw", "wait", "wait",
)  # fmt: skip
moves = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.sampled_from((0, 0, 1, 7, 31, 300, 3000, 11000))),
    max_size=25,
)


@dataclass(frozen=True)
class Line:
    kind: str
    at: int
    event: EventId = E1


class History:
    """What people did, line by line, with what came of it; the clock is read off these lines, and off nothing else."""

    def __init__(self, of: After) -> None:
        self.now, self.of = T0, of
        self.question = asked()
        self.lines: list[Line] = []

    def play(self, move: Move) -> None:
        kind, choice, minutes = move
        self.now += minutes * MINUTE_MS
        due = fall_due(self.question, self.now, self.of)
        assert len({type(fact) for fact in due}) == len(due), "each thing once"
        self.question = with_facts(self.question, due, self.now)
        assert (due_at(self.question, self.of) or self.now + 1) > self.now, "and then no more"
        request = self.request(kind, choice)
        if request is None:
            return
        was_live = self.question.status is not Status.RESOLVED
        outcome = decide(self.question, request, self.now)
        if isinstance(outcome, Refusal):
            return
        self.question = with_facts(self.question, outcome, self.now)
        self.note(request, outcome, was_live=was_live)

    def request(self, kind: str, choice: int) -> Request | None:
        concierge, member = (BEN, KIM)[choice % 2], (OTTO, MIA)[choice % 2]
        closer, event = (ANA, BEN, KIM)[choice % 3], EventId(f"${len(self.lines)}")
        sent = self.now - choice * MINUTE_MS
        answers = [line.event for line in self.lines if line.kind in ("reply", "peer")]
        one = answers[choice % len(answers)] if answers else event
        requests: dict[str, Request] = {
            "claim": Claim(concierge),
            "release": Release(concierge),
            "reply": Reply(concierge, event, sent),
            "peer": PeerReply(member, event, sent),
            "say": Say(event, self.now),
            "resolve": Resolve(closer),
            "undo": Undo(closer),
            "accept": Accept(closer, one),
            "snooze": Snooze(concierge, self.now + (choice + 1) * HOUR_MS),
            "hand": HandOver(concierge, (KIM, BEN)[choice % 2], "x"),
            "remove": TakeBack(one),
            "withdraw": TakeBack(event, whole=True),
        }
        return requests.get(kind)

    def note(self, request: Request, outcome: list[Fact], *, was_live: bool) -> None:
        """Write down what was done, not what it means."""
        match request:
            case Reply(_, event, at):
                self.lines.append(Line("reply", at, event))
            case PeerReply(_, event, at):
                self.lines.append(Line("peer", at, event))
            case Say(event, at):
                self.lines.append(Line("say", at, event))
            case TakeBack(event, whole=False):
                self.lines.append(Line("remove", self.now, event))
            case Resolve() | Accept() | TakeBack() if was_live and outcome:
                self.lines.append(Line("close", self.now))
            case Undo() if outcome:
                self.lines.append(Line("open", self.now))
            case _:
                pass

    def clock(self) -> tuple[int, int | None, bool]:
        """Give when the episode began, when its clock stopped, and whether the question is closed: the lines since the
        asker last wrote when nobody waited for anything."""
        began, episode = T0, list[Line]()
        for line in self.lines:
            if line.kind == "say" and (is_closed(episode) or stopped(episode, began) is not None):
                began, episode = line.at, []
            episode.append(line)
        return began, stopped(episode, began), is_closed(episode)


def is_closed(episode: list[Line]) -> bool:
    doors = [line.kind for line in episode if line.kind in ("close", "open")]
    return doors[-1:] == ["close"]


def stopped(episode: list[Line], began: int) -> int | None:
    gone = {line.event for line in episode if line.kind == "remove"}
    replies = sorted(line.at for line in episode if line.kind == "reply" and line.event not in gone)
    return max(replies[0], began) if replies else None


@settings(max_examples=300, deadline=None)
@given(moves, st.sampled_from((always, half)))
def test_the_clock_stops_at_the_first_public_answer_that_is_left_and_nothing_is_lost(
    moves: list[Move], of: After
) -> None:
    history = History(of)
    for move in moves:
        history.play(move)
        check(history)


def check(history: History) -> None:
    question, (began, stop, closed) = history.question, history.clock()
    assert question.episode_at == began
    assert (question.answer.at if question.answer else None) == stop
    assert question.waiting_since == (None if closed or stop is not None else began)
    # one status, and it is that of its parts
    put_off = question.snoozed_until is not None
    expected = {
        Status.RESOLVED: closed,
        Status.WAITING_MEMBER: not closed and stop is not None,
        Status.SNOOZED: not closed and stop is None and put_off,
        Status.CLAIMED: not closed and stop is None and not put_off and question.claimant is not None,
        Status.OPEN: not closed and stop is None and not put_off and question.claimant is None,
    }
    assert [status for status, is_so in expected.items() if is_so] == [question.status]
    assert (question.resolved_at is None) == (question.resolved_by is None) == (not closed)
    assert question.credited is None or closed
    assert question.claimant != ANA
    # nobody is forgotten: closed, answered, or something is still to come
    due = due_at(question, history.of)
    assert (due is None) == (closed or stop is not None)
    last_peer = max((one.at for one in question.answers if one.is_peer), default=None)
    if due is not None and last_peer is not None and not put_off:
        waited_from = max(question.episode_at, question.back_at or 0)
        assert due >= min(history.of(last_peer, HOUR_MS), history.of(waited_from, 2 * HOUR_MS))


@settings(max_examples=200, deadline=None)
@given(moves, st.integers(1, 20 * 24 * 60), st.sampled_from((always, half)))
def test_whoever_waits_is_heard_of_within_two_hours_of_service_and_once_the_owners_are_told_each_day(
    moves: list[Move], minutes: int, of: After
) -> None:
    """After any history, whenever one looks again: where a member waits and nothing was put off, somebody is rung."""
    history = History(of)
    for move in moves:
        history.play(move)
    question = history.question
    if question.waiting_since is None or question.status is Status.SNOOZED:
        return
    due = due_at(question, of)
    latest = of(history.now + DAY_MS, 1) if question.escalated else of(history.now, 2 * HOUR_MS)
    assert due is not None and due <= latest
    now = max(due, history.now + minutes * MINUTE_MS)
    facts = fall_due(question, now, of)
    assert facts and all(isinstance(fact, Nudged | Released | Overdue | Escalated) for fact in facts)
    assert len({type(fact) for fact in facts}) == len(facts)
