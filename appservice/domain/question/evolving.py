"""What a fact makes of a question."""

from dataclasses import replace
from typing import assert_never

from appservice.domain.ids import Number
from appservice.domain.question.fact import (
    Accepted,
    Added,
    Answered,
    AnswerRemoved,
    Asked,
    Claimed,
    Escalated,
    Fact,
    HandedOver,
    Nudged,
    Overdue,
    PeerAnswered,
    Released,
    Reopened,
    Resolved,
    Snoozed,
    Unresolved,
    Withdrawn,
    Woken,
)
from appservice.domain.question.state import Answer, Question, Status


def evolve(question: Question, fact: Fact, now: int) -> Question:
    """Give the question after a fact of that time (ms)."""
    match fact:
        case Asked(_, at):
            return replace(question, episode_at=at, queued_at=at)
        case Added():
            return question
        case Claimed(by) | HandedOver(to=by):
            return _taken(question, by, now)
        case Released():
            return _standing(replace(question, claimant=None, queued_at=now, nudged=False, rung_at=None))
        case Answered(by, event_id, at):
            return _standing(_with(question, Answer(event_id, by, at)))
        case PeerAnswered(by, event_id, at):
            return _with(question, Answer(event_id, by, at, is_peer=True))
        case AnswerRemoved(event_id):
            left = tuple(one for one in question.answers if one.event_id != event_id)
            after = _standing(replace(question, answers=left))
            return _back(after, now) if question.answer is not None and after.waiting_since is not None else after
        case Accepted(peer):
            return replace(question, credited=peer)
        case Resolved(by, at):
            return replace(question, status=Status.RESOLVED, resolved_at=at, resolved_by=by, snoozed_until=None)
        case Withdrawn(at):
            return replace(
                question, status=Status.RESOLVED, resolved_at=at, resolved_by=question.asker, snoozed_until=None
            )
        case Unresolved():
            opened = replace(question, status=Status.OPEN, resolved_at=None, resolved_by=None, credited=None)
            return _standing(_back(opened, now))
        case Reopened(_, at):
            return _standing(
                replace(
                    question, status=Status.OPEN, episode=question.episode + 1, episode_at=at, answers=(),
                    queued_at=at, nudged=False, rung_at=None, escalated=False, back_at=None, resolved_at=None,
                    resolved_by=None, credited=None, snoozed_until=None,
                )
            )  # fmt: skip
        case Snoozed(_, until):
            return replace(question, status=Status.SNOOZED, snoozed_until=until)
        case Woken():
            return _standing(_back(replace(question, status=Status.OPEN, snoozed_until=None), now))
        case Nudged():
            return replace(question, nudged=True, rung_at=now)
        case Overdue():
            return replace(question, rung_at=now)
        case Escalated():
            return replace(question, escalated=True, rung_at=now)
        case _:
            assert_never(fact)


def _taken(question: Question, by: Number, now: int) -> Question:
    return _standing(replace(question, claimant=by, queued_at=now, nudged=False, rung_at=None, snoozed_until=None))


def _back(question: Question, now: int) -> Question:
    """Give the question with as much time as one that has just come."""
    return replace(question, queued_at=now, nudged=False, rung_at=None, back_at=now)


def _with(question: Question, answer: Answer) -> Question:
    return replace(question, answers=(*question.answers, answer))


def _standing(question: Question) -> Question:
    """Give the question with the status that follows from who has it and whether it is answered."""
    if question.status is Status.RESOLVED:
        return question
    if question.answer is not None:
        return replace(question, status=Status.WAITING_MEMBER, snoozed_until=None)
    if question.snoozed_until is not None:
        return replace(question, status=Status.SNOOZED)
    return replace(question, status=Status.OPEN if question.claimant is None else Status.CLAIMED)
