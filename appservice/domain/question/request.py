"""What can be asked about a question. `by` is the number of who asks; whether they may is decided before, but for what
depends on the question itself."""

from dataclasses import dataclass

from appservice.domain.ids import EventId, Number


@dataclass(frozen=True, slots=True)
class Claim:
    """A concierge takes it."""

    by: Number


@dataclass(frozen=True, slots=True)
class Release:
    """A concierge takes their hand off it."""

    by: Number


@dataclass(frozen=True, slots=True)
class Reply:
    """A concierge answers where everybody in the room reads it; `at` (ms) is when."""

    by: Number
    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class PeerReply:
    """Another member answers; `at` (ms) is when."""

    by: Number
    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class Say:
    """The asker writes on; `at` (ms) is when."""

    event_id: EventId
    at: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """A concierge or the asker closes it."""

    by: Number


@dataclass(frozen=True, slots=True)
class Accept:
    """A concierge or the asker accepts a peer's answer, which closes the question."""

    by: Number
    event_id: EventId


@dataclass(frozen=True, slots=True)
class Undo:
    """Who closed it takes that back."""

    by: Number


@dataclass(frozen=True, slots=True)
class Snooze:
    """A concierge puts it off until a time (ms)."""

    by: Number
    until: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """A concierge gives it to another one, with a note for them."""

    by: Number
    to: Number
    note: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A message is gone: an answer, or the question itself (`whole`), which its asker took back."""

    event_id: EventId
    whole: bool = False


Request = Claim | Release | Reply | PeerReply | Say | Resolve | Accept | Undo | Snooze | HandOver | TakeBack
