"""Why something happens: the arrival or timer behind a decision."""

from dataclasses import dataclass
from enum import StrEnum

from appservice.domain.ids import EventId, RoomId, UserId


class Way(StrEnum):
    """How a person asked, which decides how they are answered."""

    MESSAGE = "message"
    REACTION = "reaction"
    REDACTION = "redaction"
    OTHER = "other"


class Place(StrEnum):
    """Where a person asked."""

    GROUP = "group"
    DESK = "desk"
    DIRECT = "direct"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Cause:
    """`id` is unique for ever (an event id, an answer's or a timer's id); effects are numbered under it.

    `received_at` (ms) is when it was journaled, `position` its place in the journal. `in_clear`: it was written so that
    homeservers could read it, in a room that is encrypted. `thread` is the first event of the thread it was written in,
    `sent_at` (ms) when its sender's homeserver says that it was written.
    """

    id: str
    received_at: int
    position: int = 0
    sender: UserId = UserId("")
    room_id: RoomId = RoomId("")
    place: Place = Place.DIRECT
    way: Way = Way.OTHER
    in_clear: bool = False
    thread: EventId | None = None
    sent_at: int | None = None

    @property
    def event_id(self) -> EventId:
        """The event that can be answered by a reaction."""
        return EventId(self.id)
