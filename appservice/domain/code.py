"""One-time invitation codes: what they look like, and how they are recognised without being kept."""

import hashlib
import hmac
import re

from appservice.domain.ids import ALPHABET

LENGTH = 12
"""Characters of a code: 30^12 possibilities, 58 bits."""
_TYPED = re.compile(rf"(?:code[: ]+)?([{ALPHABET}]{{4}})([- ]?)([{ALPHABET}]{{4}})\2([{ALPHABET}]{{4}})")


def code_text(secret: str, code_id: str) -> str:
    """Give the code of that id as people hand it over: `7kqd-2mvw-x9hp`. Derived by HMAC-SHA256, so that it can be
    said again and need not be written down."""
    digest = hmac.digest(secret.encode(), f"coterie invitation code {code_id}".encode(), "sha256")
    number = int.from_bytes(digest)
    letters = []
    for _ in range(LENGTH):
        number, at = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[at])
    text = "".join(letters)
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"


def parse_code(text: str) -> str | None:
    """Give the code that a person typed, in the form in which it is handed over, or None where it is none.

    Case does not matter; dashes may be spaces, or left out where a digit shows that it is no word.
    """
    match = _TYPED.fullmatch(text.strip().lower())
    if match is None or not (match[2] or any(char.isdigit() for char in match[0])):
        return None
    return f"{match[1]}-{match[3]}-{match[4]}"


def code_hash(code: str) -> str:
    """Give the form in which a code is kept: its SHA-256, which nobody can turn around for 58 random bits in the days
    that a code lives."""
    return hashlib.sha256(code.encode()).hexdigest()
