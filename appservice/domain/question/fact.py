"""What has happened to a question."""

from dataclasses import dataclass

from appservice.domain.ids import EventId, Number


@dataclass(frozen=True, slots=True)
class Asked:
    """The first episode begins, at the member's message (ms)."""

    by: Number
    at: int


@dataclass(frozen=True, slots=True)
class Added:
    """The asker has written on; nothing changes but what there is to read."""

    event_id: EventId


@dataclass(frozen=True, slots=True)
class Claimed:
    by: Number


@dataclass(frozen=True, slots=True)
class Released:
    """It is back in the queue; `late`: its claimant did not answer in time, and did not give it back."""

    by: Number
    late: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A concierge has answered: the clock of the episode stops at the first of these."""

    by: Number
    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class PeerAnswered:
    by: Number
    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class AnswerRemoved:
    """A removed answer answers nothing; without another one the clock runs on, from where it began."""

    event_id: EventId


@dataclass(frozen=True, slots=True)
class Accepted:
    """A peer's answer was accepted."""

    peer: Number
    by: Number


@dataclass(frozen=True, slots=True)
class Resolved:
    by: Number
    at: int


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Who closed it has taken that back."""

    by: Number


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Its asker has taken it back."""

    at: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """The asker has written again: a new timed episode begins (ms)."""

    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class Snoozed:
    by: Number
    until: int


@dataclass(frozen=True, slots=True)
class Woken:
    """The time for which it was snoozed is over, or its asker wrote."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    by: Number
    to: Number
    note: str


@dataclass(frozen=True, slots=True)
class Nudged:
    """Its claimant is reminded."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """Nobody has taken it: those on duty are rung again."""


@dataclass(frozen=True, slots=True)
class Escalated:
    """The owners are told that nobody has answered."""


Fact = (
    Asked | Added | Claimed | Released | Answered | PeerAnswered | AnswerRemoved | Accepted | Resolved | Unresolved
    | Withdrawn | Reopened | Snoozed | Woken | HandedOver | Nudged | Overdue | Escalated
)  # fmt: skip
