"""A question as it stands."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from appservice.domain.duration import DAY_MS
from appservice.domain.ids import EventId, GroupId, Number

QuestionId = NewType("QuestionId", str)
REOPENS_MS = 7 * DAY_MS
"""So long after a question was resolved its asker's next message reopens it."""


class Status(StrEnum):
    """OPEN in the queue; CLAIMED by a concierge; WAITING_MEMBER once a concierge has answered; SNOOZED until a time;
    RESOLVED for good, unless its asker writes again."""

    OPEN = "open"
    CLAIMED = "claimed"
    WAITING_MEMBER = "waiting_member"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Answer:
    """A message that everybody in the room could read: by a concierge, or by a peer where `is_peer`. `at` in ms."""

    event_id: EventId
    by: Number
    at: int
    is_peer: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A member's message that a concierge has to answer, in one or more timed episodes.

    `episode_at` (ms) is the message with which this episode began, `answers` what was said to it since. `queued_at` is
    when it was written, last taken, or put back into the queue. `rung_at` is when those whose turn it is were last
    rung for it, None if never since; `nudged` that the claimant was. `back_at` is when it last came back in this
    episode: from being snoozed or closed, or since its answer was removed. `resolved_by` is who closed it, `credited`
    the peer whose answer was accepted.
    """

    id: QuestionId
    group_id: GroupId
    asker: Number
    asked_at: int
    is_direct: bool = False
    status: Status = Status.OPEN
    episode: int = 1
    episode_at: int = 0
    claimant: Number | None = None
    queued_at: int = 0
    answers: tuple[Answer, ...] = ()
    snoozed_until: int | None = None
    nudged: bool = False
    rung_at: int | None = None
    escalated: bool = False
    back_at: int | None = None
    resolved_at: int | None = None
    resolved_by: Number | None = None
    credited: Number | None = None

    @property
    def answer(self) -> Answer | None:
        """The first answer of a concierge in this episode: it stopped the clock."""
        return min((one for one in self.answers if not one.is_peer), key=lambda one: one.at, default=None)

    @property
    def waiting_since(self) -> int | None:
        """Since when (ms) the member waits for a concierge; None once one has answered, or it is resolved."""
        return None if self.answer or self.status is Status.RESOLVED else self.episode_at

    @property
    def peer_at(self) -> int | None:
        """When (ms) a peer last answered in this episode."""
        return max((one.at for one in self.answers if one.is_peer), default=None)
