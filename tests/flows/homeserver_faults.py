"""What can go wrong between the service and the homeserver, switched on and off while a test runs."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What happens to one request of the service."""

    ERROR_429 = "429, nothing applied"
    ERROR_500 = "500, nothing applied"
    ERROR_502 = "502, nothing applied"
    TIMEOUT = "504 after a while, nothing applied"
    RESET = "connection cut, nothing applied"
    HANG = "no answer until released, nothing applied"
    ANSWER_LOST = "applied, then connection cut"
    ANSWER_502 = "applied, then 502"
    ANSWER_HANGS = "applied, then no answer until released"


CUTS = frozenset({Fault.RESET, Fault.ANSWER_LOST})
REPEATED_WITHIN = 0.1  # seconds
AFTER_APPLYING = frozenset({Fault.ANSWER_LOST, Fault.ANSWER_502, Fault.ANSWER_HANGS})
RECOVERABLE = (Fault.ERROR_500, Fault.ERROR_502, Fault.RESET, Fault.ANSWER_LOST, Fault.ANSWER_502)


@dataclass
class Rule:
    """Strikes requests whose "METHOD path" matches: after `skip` of them, `times` times, by `chance`."""

    faults: tuple[Fault, ...]
    match: re.Pattern[str]
    skip: int = 0
    times: int | None = 1
    chance: float = 1.0
    struck: int = 0

    def pick(self, line: str, rng: random.Random) -> Fault | None:
        if (self.times is not None and self.struck >= self.times) or not self.match.search(line):
            return None
        if self.skip > 0:
            self.skip -= 1
            return None
        if self.chance < 1.0 and rng.random() >= self.chance:
            return None
        self.struck += 1
        return rng.choice(self.faults) if len(self.faults) > 1 else self.faults[0]


@dataclass
class RateLimit:
    """429 on what is sent to one room; `impatient` counts requests that came before the time was up."""

    retry_after_ms: int
    times: int | None
    answered: int = 0
    impatient: int = 0
    not_before: float = 0.0


class Faults:
    """Faults of the client-server API. Everything random comes from one seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.rules: list[Rule] = []
        self.rate_limits: dict[str, RateLimit] = {}
        self.latency: tuple[float, float] = (0.0, 0.0)
        self.timeout = 0.3
        self.down = False
        self.closing = False
        self._released = asyncio.Event()
        self._cut: dict[str, tuple[Fault, float]] = {}

    def on_request(self, fault: Fault, *, nth: int = 1, times: int | None = 1, match: str = "") -> Rule:
        """Strike the n-th request from now on (and the `times - 1` after it) that matches."""
        rule = Rule((fault,), re.compile(match), skip=nth - 1, times=times)
        self.rules.append(rule)
        return rule

    def sometimes(
        self,
        chance: float,
        faults: Iterable[Fault] = RECOVERABLE,
        *,
        match: str = "",
        times: int | None = None,
    ) -> Rule:
        """Strike each matching request with this probability, by one of the faults."""
        rule = Rule(tuple(faults), re.compile(match), times=times, chance=chance)
        self.rules.append(rule)
        return rule

    def rate_limit(self, room_id: str, retry_after_ms: int = 100, *, times: int | None = 1) -> RateLimit:
        """Answer the next `times` sends to this room (None: all, until `clear()`) with 429."""
        self.rate_limits[room_id] = RateLimit(retry_after_ms, times)
        return self.rate_limits[room_id]

    def clear(self) -> None:
        """No more faults, and whatever hangs goes on."""
        self.rules.clear()
        self.rate_limits.clear()
        self.latency = (0.0, 0.0)
        self.down = False
        self.release()

    def release(self) -> None:
        """Let go of every request that hangs now: its connection is cut."""
        self._released.set()
        self._released = asyncio.Event()

    def pick(self, line: str) -> Fault | None:
        """The fault that strikes this request; every rule counts it.

        aiohttp's client repeats a GET, PUT or DELETE once by itself when its connection is cut. That
        repetition is cut as well and not counted, or the service would never get to see a cut.
        """
        if self.down:
            return Fault.RESET
        now = asyncio.get_running_loop().time()
        before, at = self._cut.pop(line, (None, 0.0))
        if before is not None and now - at < REPEATED_WITHIN:
            return before
        found = [fault for rule in self.rules if (fault := rule.pick(line, self.rng)) is not None]
        if found and found[0] in CUTS and not line.startswith("POST "):
            self._cut[line] = (found[0], now)
        return found[0] if found else None

    def limited(self, room_id: str) -> int | None:
        """`retry_after_ms` if this send has to wait."""
        limit = self.rate_limits.get(room_id)
        if limit is None:
            return None
        now = asyncio.get_running_loop().time()
        limit.impatient += limit.answered > 0 and now < limit.not_before
        if limit.times is not None and limit.answered >= limit.times:
            return None
        limit.answered += 1
        limit.not_before = now + limit.retry_after_ms / 1000
        return limit.retry_after_ms

    async def wait(self) -> None:
        """The latency of one request."""
        low, high = self.latency
        if high > 0:
            await asyncio.sleep(self.rng.uniform(low, high))

    @property
    def released(self) -> asyncio.Event:
        return self._released
