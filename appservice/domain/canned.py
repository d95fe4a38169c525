"""Canned drafts: texts that a group's concierges keep for their answers, with variables in braces (pure)."""

import re
from collections.abc import Mapping

MOST = 50
"""Drafts in one group."""
LONGEST = 2000
"""Characters of a draft's text."""
LONGEST_FILLED = 4000
LONGEST_VALUE = 300
WORDS = ("add", "list", "remove")
"""What follows !canned and is no draft's name."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
_VARIABLE = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,29})\}")
_GIVEN = re.compile(r'([A-Za-z][A-Za-z0-9_]{0,29})=(?:"([^"]*)"|[“„]([^“”]*)[”“]|(\S*))')


def parse_name(text: str) -> str | None:
    """Give a draft's name, in small letters; None where it is none."""
    name = text.lower()
    return name if _NAME.fullmatch(name) and name not in WORDS else None


def parse_values(text: str) -> dict[str, str] | None:
    """Read `day=Friday what="Merino throw"`, names in small letters; None where anything else stands there."""
    given = {match[1].lower(): next(filter(None, match.groups()[1:]), "") for match in _GIVEN.finditer(text)}
    short = all(len(value) <= LONGEST_VALUE for value in given.values())
    return given if short and not _GIVEN.sub("", text).strip() else None


def variables(text: str) -> tuple[str, ...]:
    """Give the names of a draft's variables, in small letters and in order, each once."""
    return tuple(dict.fromkeys(match[1].lower() for match in _VARIABLE.finditer(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Give a draft with its variables filled in; what is in a value is never read as a variable."""
    return _VARIABLE.sub(lambda match: values[match[1].lower()], text)
