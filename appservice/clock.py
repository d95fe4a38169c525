"""The only reader of time: everything else is given the time as an argument."""

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time; a test brings its own."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> int:
        """Milliseconds since 1970-01-01 00:00 UTC; may step back when the machine's clock is set."""
        return time.time_ns() // 1_000_000
