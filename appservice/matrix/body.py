"""Reading what a homeserver sends: whatever its own parser lets through must not be an error of the whole request."""

import json
import re
from typing import Any

DEEPEST = 100
"""What is nested deeper is cut off where this Python cannot read all of it (from 3.11 on: some 950, 1,450, 9,950 deep);
nothing that is acted on is nested more than five deep."""
_LONGEST_INTEGER = 100
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def read_json(body: bytes, *, shallow: bool = False) -> Any:
    """Give the JSON value. Raises ValueError where it is none, RecursionError where it is too deep, unless `shallow`:
    then null stands for what is nested more than DEEPEST deep."""
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    return json.loads(_cut(text) if shallow else text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    """Python refuses to read integers of more than 4,300 digits; no number beyond 2^53 means anything in Matrix."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _cut(text: str) -> str:
    kept, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        match token[0][0]:
            case "[" | "{":
                depth += 1
                if depth == DEEPEST + 1:
                    kept.append(text[start : token.start()])
            case "]" | "}":
                if depth == DEEPEST + 1:
                    kept.append("null")
                    start = token.end()
                depth -= 1
    if depth <= DEEPEST:
        kept.append(text[start:])
    return "".join(kept)
