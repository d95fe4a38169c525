"""What a check says, for `coterie check` and `coterie crypto status`."""

import enum
import os
from dataclasses import dataclass

SECONDS = 5
"""How long each step of a check may take."""


class Verdict(enum.Enum):
    """How a check ended."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what mends it if it is bad. May quote errors that quote a secret."""

    subject: str
    verdict: Verdict
    says: str
    mend: str = ""


def in_words(error: BaseException) -> str:
    """Give an error in a few words; they may quote a secret."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # aiohttp and asyncio say the address again, in Python's words
    return " ".join(str(error).split()) or type(error).__name__
