"""The closed list of what the service may do to the outside world.

A decision writes effects; the outbox carries them out afterwards, at least once. `lane` keeps order: what shares a
lane is done one after another. `answer` names the route by which the outcome comes back as an arrival, with `subject`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appservice.domain.ids import EventId, RoomId, UserId

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SendEvent:
    """Send a message-like event."""

    room_id: RoomId
    type: str
    content: Content
    answer: str | None = None
    subject: str = ""

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class SendPicture:
    """Send an `m.image`, its file encrypted where the room is. Where the picture cannot be had, nothing is sent, what
    comes after it is not held up, and the answer says why."""

    room_id: RoomId
    content: Content
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class SendState:
    """Set a state event.

    Power levels with a `reach` leave everybody as they are in the room then who has that much there, or more: the bot
    cannot lower them, and the homeserver would refuse all of it.
    """

    room_id: RoomId
    type: str
    state_key: str
    content: Content
    reach: int | None = None

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class Pin:
    """Pin one event first (or last) and take others off, leaving what concierges pinned."""

    room_id: RoomId
    pinned: EventId | None
    unpinned: Sequence[EventId] = ()
    last: bool = False

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class Redact:
    """Remove an event; with `by`, only if that person has sent it."""

    room_id: RoomId
    event_id: EventId
    reason: str | None = None
    by: UserId | None = None

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a message into the direct room with a person; it waits until they have joined that room."""

    user_id: UserId
    content: Content
    answer: str | None = None
    subject: str = ""

    @property
    def lane(self) -> str:
        return direct_lane(self.user_id)


@dataclass(frozen=True, slots=True)
class TellFile:
    """Send a file of text into the direct room with a person, with a line about it; waits as `Tell` does."""

    user_id: UserId
    name: str
    mimetype: str
    text: str
    body: str

    @property
    def lane(self) -> str:
        return direct_lane(self.user_id)


@dataclass(frozen=True, slots=True)
class SendFile:
    """Send a file of text into a room, shown by its name; the answer says so, or why the homeserver would not."""

    room_id: RoomId
    name: str
    mimetype: str
    text: str
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class SendChart:
    """Draw a chart and send it into a room as a picture; `body` says in words what it shows. The answer says that it is
    there, or why the homeserver would not. `chart` has what `matrix/chart.py` draws."""

    room_id: RoomId
    name: str
    body: str
    chart: Content
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class TellCode:
    """Hand an invitation code to its maker. Only the sender puts the code where `content` says CODE, so that it is
    written down nowhere, not even here."""

    user_id: UserId
    code_id: str
    content: Content

    @property
    def lane(self) -> str:
        return direct_lane(self.user_id)


@dataclass(frozen=True, slots=True)
class CreateRoom:
    """Make a room. `request` is the body of POST /createRoom; a repeat finds the room made before."""

    request: Content
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return f"create {self.answer} {self.subject}"


@dataclass(frozen=True, slots=True)
class Invite:
    """Invite a person into a room. Has a lane of its own: a dead server must not hold up the room."""

    room_id: RoomId
    user_id: UserId
    answer: str | None = None
    subject: str = ""
    is_direct: bool = False

    @property
    def lane(self) -> str:
        return invite_lane(self.room_id, self.user_id)


@dataclass(frozen=True, slots=True)
class Kick:
    """Remove a person from a room, or take back an invitation; with `invited_only` nothing is done to who has come
    in."""

    room_id: RoomId
    user_id: UserId
    reason: str
    invited_only: bool = False

    @property
    def lane(self) -> str:
        return invite_lane(self.room_id, self.user_id)


@dataclass(frozen=True, slots=True)
class Join:
    """Accept an invitation; the answer brings what was said in the room just before. In a lane of its own, as the
    room's server may be slow."""

    room_id: RoomId
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return f"join {self.room_id}"


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave a room, or decline an invitation."""

    room_id: RoomId

    @property
    def lane(self) -> str:
        return self.room_id


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """Look an event up; the answer brings it."""

    room_id: RoomId
    event_id: EventId
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return f"read {self.room_id}"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Read what was written in a room since a time (ms, by the senders' clocks); the answer brings the messages that
    the service has to know."""

    room_id: RoomId
    since: int
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return f"read {self.room_id}"


@dataclass(frozen=True, slots=True)
class Inspect:
    """Look at a room as our homeserver has it: its state, members, aliases and listing; the answer brings them.

    With `join` the bot enters first. `asked_at` (ms) comes back: what changed here after it is newer than what was
    found.
    """

    room_id: RoomId
    answer: str
    subject: str
    asked_at: int
    join: bool = False

    @property
    def lane(self) -> str:
        return f"join {self.room_id}" if self.join else f"read {self.room_id}"


@dataclass(frozen=True, slots=True)
class Unlist:
    """Take a room out of our homeserver's directory and remove aliases of it; the answer says which would not go."""

    room_id: RoomId
    aliases: Sequence[str]
    answer: str
    subject: str

    @property
    def lane(self) -> str:
        return f"read {self.room_id}"


@dataclass(frozen=True, slots=True)
class EndCheckout:
    """End a session at Stripe, so that nobody pays there what is not owed any more."""

    session_id: str

    @property
    def lane(self) -> str:
        return f"stripe {self.session_id}"


Effect = (
    SendEvent | SendChart | SendFile | SendPicture | SendState | Pin | Redact | Tell | TellFile | TellCode | CreateRoom
    | Invite | Kick | Join | Leave | ReadEvent | ReadBack | Inspect | Unlist | EndCheckout
)  # fmt: skip
EFFECTS: tuple[type[Effect], ...] = (
    SendEvent, SendChart, SendFile, SendPicture, SendState, Pin, Redact, Tell, TellFile, TellCode, CreateRoom, Invite,
    Kick, Join, Leave, ReadEvent, ReadBack, Inspect, Unlist, EndCheckout,
)  # fmt: skip
DIRECT_EFFECTS = (Tell, TellFile, TellCode)
"""What is said in a person's direct room, and waits until they are in it."""
CODE = "{code}"
"""Stands for the code in what `TellCode` says."""


DOORS = ("join", "invite")
"""First words of the lanes in which another server may keep us waiting."""


def invite_lane(room_id: str, user_id: str) -> str:
    """Give the lane of what is asked of the homeserver about a person in a room."""
    return f"invite {room_id} {user_id}"


def direct_lane(user_id: str) -> str:
    """Give the lane of what is said to a person directly."""
    return f"direct {user_id}"
