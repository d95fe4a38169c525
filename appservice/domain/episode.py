"""What became of questions, read from the ledger: who asked when, who answered, and whether that still stands."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appservice.domain.entry import Entry

FACTS = (
    "question_asked", "question_reopened", "question_answered", "question_peer_answered", "question_answer_removed",
    "question_accepted", "question_resolved", "question_unresolved", "question_withdrawn",
)  # fmt: skip
"""The facts that are read."""


@dataclass(frozen=True, slots=True)
class Episode:
    """From a member's message at `began_at` (ms) on. `author` is the concierge whose answer came first, at
    `answered_at`; `peer` the member whose answer was accepted. An answer that was removed is none."""

    began_at: int
    author: int | None = None
    answered_at: int | None = None
    peer: int | None = None
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the member `asker`, with the episodes that count: a later one that was closed and not answered
    was a word of thanks. One that was taken back has none. `waits_since` (ms) is when the episode began in which its
    asker still waits for a concierge; None where nobody waits."""

    asker: int
    at: int
    episodes: tuple[Episode, ...]
    waits_since: int | None = None

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether its asker has taken it back."""
        return not self.episodes


def read(entries: Iterable[Entry]) -> list[Asked]:
    """Give the questions whose beginning is among some lines of a ledger, in the order in which they were asked."""
    found: dict[str, _Question] = {}
    for entry in entries:
        id = str(entry.detail.get("question"))
        if entry.fact == "question_asked" and entry.number is not None:
            found[id] = _Question(entry.number, entry.detail["at"])
        if entry.fact in FACTS and id in found:
            found[id].take(entry)
    return [question.told() for question in found.values()]


@dataclass(slots=True)
class _Episode:
    began_at: int
    answers: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    peers: dict[str, int | None] = field(default_factory=dict)
    accepted: int | None = None
    is_closed: bool = False

    def told(self) -> Episode:
        at, author = min(self.answers.values(), key=lambda one: one[0], default=(None, None))
        peer = self.accepted if self.accepted in self.peers.values() else None
        return Episode(self.began_at, author, at, peer, self.is_closed)


@dataclass(slots=True)
class _Question:
    asker: int
    at: int
    is_withdrawn: bool = False
    episodes: dict[int, _Episode] = field(default_factory=dict)

    def take(self, entry: Entry) -> None:
        detail = entry.detail
        number = detail.get("episode", 1)
        if entry.fact in ("question_asked", "question_reopened"):
            self.episodes[number] = _Episode(detail["at"])
            self.is_withdrawn = False
        episode = self.episodes.get(number)
        if episode is None:
            return
        match entry.fact:
            case "question_answered":
                episode.answers[detail["event"]] = detail["at"], entry.actor
            case "question_peer_answered":
                episode.peers[detail["event"]] = entry.actor
            case "question_answer_removed":
                episode.answers.pop(detail["event"], None)
                episode.peers.pop(detail["event"], None)
            case "question_accepted":
                episode.accepted = detail["peer"]
            case "question_resolved":
                episode.is_closed = True
            case "question_unresolved":
                episode.is_closed = self.is_withdrawn = False
            case "question_withdrawn":
                episode.is_closed = self.is_withdrawn = True

    def told(self) -> Asked:
        if self.is_withdrawn:
            return Asked(self.asker, self.at, ())
        episodes = [(number, episode.told()) for number, episode in self.episodes.items()]
        counted = tuple(one for number, one in episodes if number == 1 or _counts(one))
        _, last = episodes[-1]
        waits = last.author is None and not last.is_closed
        return Asked(self.asker, self.at, counted, last.began_at if waits else None)


def _counts(later: Episode) -> bool:
    return later.author is not None or later.peer is not None or not later.is_closed
