"""What can go wrong with to-device messages and with other servers' keys, switched on and off while a test runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Rule:
    """What becomes of to-device messages from a sender, to a recipient (None: of everybody), until `end()`."""

    kind: str  # hold, drop or duplicate
    sender: str | None
    to: str | None
    held: list[Callable[[], None]] = field(default_factory=list)
    struck: int = 0
    ended: bool = False

    def matches(self, sender: str, to: str) -> bool:
        return not self.ended and self.sender in (None, sender) and self.to in (None, to)

    def end(self) -> None:
        """It strikes no more; what was held back stays so until `release()`."""
        self.ended = True

    def release(self) -> None:
        """End it, and deliver what was held back, in order."""
        self.ended = True
        held, self.held = self.held, []
        for deliver in held:
            deliver()


@dataclass(frozen=True)
class KeyFailure:
    """What a remote server does not answer, and how long it takes to notice (in seconds)."""

    query: bool
    claim: bool
    after: float


class KeyFaults:
    """Rules for to-device messages, the first that matches counts, and the servers that cannot be asked for keys."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.failing: dict[str, KeyFailure] = {}

    def hold(self, sender: Any = None, to: Any = None) -> Rule:
        """Hold back the to-device messages of a sender or to a recipient, until `release()` of the rule."""
        return self._rule("hold", sender, to)

    def drop(self, sender: Any = None, to: Any = None) -> Rule:
        """Lose them."""
        return self._rule("drop", sender, to)

    def duplicate(self, sender: Any = None, to: Any = None) -> Rule:
        """Deliver each twice."""
        return self._rule("duplicate", sender, to)

    def _rule(self, kind: str, sender: Any, to: Any) -> Rule:
        self.rules.append(Rule(kind, _id(sender), _id(to)))
        return self.rules[-1]

    def fail_server(self, server: str, *, query: bool = True, claim: bool = True, after: float = 0.0) -> None:
        """A remote server cannot be asked for keys: it is among the `failures` after so many seconds."""
        self.failing[server] = KeyFailure(query, claim, after)

    def heal_server(self, server: str) -> None:
        self.failing.pop(server, None)

    def post(self, sender: str, to: str, deliver: Callable[[], None]) -> None:
        """By the rules: at once, later, twice or never."""
        rule = next((rule for rule in self.rules if rule.matches(sender, to)), None)
        if rule is None:
            deliver()
            return
        rule.struck += 1
        if rule.kind == "hold":
            rule.held.append(deliver)
        elif rule.kind == "duplicate":
            deliver()
            deliver()


def _id(who: Any) -> str | None:
    """Of a person or a user id."""
    return None if who is None else str(getattr(who, "mxid", who))
