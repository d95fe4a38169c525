"""What a name may be: one line of visible text."""

import re
import unicodedata

LONGEST_NAME = 80
_SHOWN = frozenset("LNPSM")
_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_USER_ID = re.compile(r"@[^\s:@]+:[\w.-]+(?::\d+)?|@[^\s:@]+:\[[0-9A-Fa-f:.]+\](?::\d+)?")


def clean_name(text: str, longest: int = LONGEST_NAME) -> str | None:
    """Give a name on one line without control, format (bidi, zero width) or private characters.

    None where nothing visible is left, or where it is longer than `longest` characters.
    """
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(" " if char.isspace() else char for char in normal if _visible(char))
    name = " ".join(kept.split())
    return name if 0 < len(name) <= longest and any(_base(char) for char in name) else None


def without_ids(text: str) -> str:
    """Give what a person wrote as others may read it: without Matrix ids."""
    return _USER_ID.sub("(an id)", text)


def as_written(text: str) -> str:
    """Give lines of a person as they may be quoted to others: without Matrix ids, without marks that turn the writing
    round or cannot be seen, and with no other ends of lines than these."""
    lines = without_ids("\n".join(text.splitlines()).replace("\t", " "))
    return "".join(char for char in lines if char == "\n" or not _misleads(char))


def fold(text: str) -> str:
    """Give the form under which two names count as the same: without case and accents."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(bare.casefold().split())


def _misleads(char: str) -> bool:
    return unicodedata.category(char) == "Cc" or unicodedata.bidirectional(char) in _TURNS


def _visible(char: str) -> bool:
    return char.isspace() or unicodedata.category(char)[0] in _SHOWN


def _base(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS"
