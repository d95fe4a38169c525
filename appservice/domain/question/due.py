"""What becomes due while a member waits: a nudge, back to the queue, the owners."""

from collections.abc import Callable, Iterator

from appservice.domain.duration import DAY_MS, HOUR_MS, MINUTE_MS
from appservice.domain.question.evolving import evolve
from appservice.domain.question.fact import Escalated, Fact, Nudged, Overdue, Released, Woken
from appservice.domain.question.state import Question, Status

NUDGE_MS = 15 * MINUTE_MS
RELEASE_MS = 30 * MINUTE_MS
ESCALATE_MS = HOUR_MS
AGAIN_MS = DAY_MS
"""After the owners were told, those whose turn it is are rung so often."""
PEER_MS = HOUR_MS
"""So long a peer's answer may stand before somebody is rung for it again. They can go on answering: all of them
together hold the rings up for no longer than this after the owners would have been told."""

After = Callable[[int, int], int]
"""Gives the moment (ms) at which so many ms of service time have passed since another moment."""


def due_at(question: Question, after: After) -> int | None:
    """Give when (ms) something is due for a question as it stands; None while nobody waits."""
    return min((at for at, _ in _coming(question, after)), default=None)


def fall_due(question: Question, now: int, after: After) -> list[Fact]:
    """Give what has become due by a time (ms), in order. However long the service was down, each thing comes once: the
    last ring stands for those before it."""
    facts: list[Fact] = []
    while True:
        at, fact = min(_coming(question, after), key=lambda one: one[0], default=(now + 1, None))
        if fact is None or at > now:
            return facts
        facts.append(fact)
        question = evolve(question, fact, now)


def _coming(question: Question, after: After) -> Iterator[tuple[int, Fact]]:
    if question.status is Status.SNOOZED and question.snoozed_until is not None:
        yield question.snoozed_until, Woken()
    if question.status not in (Status.OPEN, Status.CLAIMED):
        return
    began, waited_from = question.queued_at, max(question.episode_at, question.back_at or 0)
    not_before = 0
    if question.peer_at is not None:
        not_before = min(after(question.peer_at, PEER_MS), after(waited_from, ESCALATE_MS + PEER_MS))
    if not question.escalated:
        yield max(after(waited_from, ESCALATE_MS), not_before), Escalated()
    if question.claimant is not None:
        if not question.nudged:
            yield max(after(began, NUDGE_MS), not_before), Nudged()
        else:
            yield max(after(began, RELEASE_MS), not_before), Released(question.claimant, late=True)
    elif question.rung_at is None:
        yield max(after(began, NUDGE_MS), not_before), Overdue()
    else:
        yield max(after(question.rung_at + AGAIN_MS, 1), not_before), Overdue()
