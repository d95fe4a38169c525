"""What the homeserver answered to a client, or the error that it gave."""

from __future__ import annotations

from typing import Any

import nio


class MatrixError(Exception):
    """The homeserver refused; `errcode` as in the spec, e.g. `M_FORBIDDEN`."""

    def __init__(self, errcode: str, message: str) -> None:
        super().__init__(f"{errcode}: {message}")
        self.errcode = errcode


def accepted(answer: Any) -> Any:
    """The answer, unless it is one of nio's error answers."""
    if isinstance(answer, nio.ErrorResponse):
        raise MatrixError(str(answer.status_code), answer.message)
    return answer
