"""What follows from a request about a question: facts, none where nothing changes, or why not."""

from typing import assert_never

from appservice.domain.ids import EventId
from appservice.domain.question.fact import (
    Accepted,
    Added,
    Answered,
    AnswerRemoved,
    Claimed,
    Fact,
    HandedOver,
    PeerAnswered,
    Released,
    Reopened,
    Resolved,
    Snoozed,
    Unresolved,
    Withdrawn,
    Woken,
)
from appservice.domain.question.request import (
    Accept,
    Claim,
    HandOver,
    PeerReply,
    Release,
    Reply,
    Request,
    Resolve,
    Say,
    Snooze,
    TakeBack,
    Undo,
)
from appservice.domain.question.state import REOPENS_MS, Answer, Question, Status
from appservice.domain.refusal import Reason, Refusal, refuse

MOST_BY_PEER = 20
"""What one peer says to an episode beyond this is chatter."""
DONE = (Status.WAITING_MEMBER, Status.RESOLVED)
"""Where nobody waits for a concierge."""


def decide(question: Question, request: Request, now: int) -> list[Fact] | Refusal:
    """Give what follows from a request at a time (ms).

    Refuses with QUESTION_TAKEN (`by`), QUESTION_DONE, NOT_YOUR_QUESTION, TOO_LATE_TO_UNDO or ALREADY_YOURS.
    """
    match request:
        case Claim(by):
            return _claim(question, request)
        case Release(by):
            return [Released(by)] if question.claimant == by and question.status is not Status.RESOLVED else []
        case Reply():
            return _reply(question, request)
        case PeerReply(by, event_id, at):
            said = sum(one.is_peer and one.by == by for one in question.answers)
            if by == question.asker or _answer(question, event_id) or said >= MOST_BY_PEER:
                return []
            return [PeerAnswered(by, event_id, max(at, question.episode_at))]
        case Say():
            return _say(question, request)
        case Resolve(by):
            return [] if question.status is Status.RESOLVED else [Resolved(by, now)]
        case Accept(by, event_id):
            answer = _answer(question, event_id)
            if answer is None or not answer.is_peer or answer.by == by or question.credited is not None:
                return []
            accepted: list[Fact] = [Accepted(answer.by, by)]
            return accepted if question.status is Status.RESOLVED else [*accepted, Resolved(by, now)]
        case Undo(by):
            if question.status is not Status.RESOLVED or question.resolved_by != by or question.resolved_at is None:
                return []
            if now - question.resolved_at > REOPENS_MS:
                return refuse(Reason.TOO_LATE_TO_UNDO)
            return [Unresolved(by)]
        case Snooze(by, until):
            if question.status in DONE:
                return refuse(Reason.QUESTION_DONE)
            return [Snoozed(by, until)]
        case HandOver(by, to, note):
            if question.status is Status.RESOLVED:
                return refuse(Reason.QUESTION_DONE)
            if question.claimant == to:
                return refuse(Reason.ALREADY_YOURS, you=by == to)
            if question.asker == to:
                return refuse(Reason.NOT_YOUR_QUESTION, you=by == to)
            return [HandedOver(by, to, note)]
        case TakeBack(event_id, whole):
            if whole:
                return [] if question.status is Status.RESOLVED else [Withdrawn(now)]
            return [AnswerRemoved(event_id)] if _answer(question, event_id) else []
        case _:
            assert_never(request)


def _claim(question: Question, request: Claim) -> list[Fact] | Refusal:
    if question.status is Status.RESOLVED:
        return refuse(Reason.QUESTION_DONE)
    if question.claimant == request.by:
        return []
    if question.claimant is not None:
        return refuse(Reason.QUESTION_TAKEN, by=question.claimant)
    if question.asker == request.by:
        return refuse(Reason.NOT_YOUR_QUESTION, you=True)
    return [Claimed(request.by)]


def _reply(question: Question, request: Reply) -> list[Fact]:
    """Who answers has taken it, unless somebody else has, or it is closed. To one's own question one adds."""
    if request.by == question.asker or _answer(question, request.event_id):
        return []
    takes = question.claimant is None and question.status is not Status.RESOLVED
    claimed: list[Fact] = [Claimed(request.by)] if takes else []
    return [*claimed, Answered(request.by, request.event_id, max(request.at, question.episode_at))]


def _say(question: Question, request: Say) -> list[Fact] | Refusal:
    match question.status:
        case Status.OPEN | Status.CLAIMED:
            return [Added(request.event_id)]
        case Status.SNOOZED:
            return [Added(request.event_id), Woken()]
        case Status.WAITING_MEMBER:
            return [Reopened(request.event_id, request.at)]
        case Status.RESOLVED:
            is_late = question.resolved_at is None or request.at - question.resolved_at > REOPENS_MS
            return refuse(Reason.QUESTION_DONE) if is_late else [Reopened(request.event_id, request.at)]


def _answer(question: Question, event_id: EventId) -> Answer | None:
    return next((one for one in question.answers if one.event_id == event_id), None)
