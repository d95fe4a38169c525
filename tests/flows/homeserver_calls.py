"""One request of the service and its answer, as the fake homeserver's parts hand them to each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.flows.homeserver_events import Json
from tests.flows.homeserver_faults import Fault

if TYPE_CHECKING:
    from tests.flows.homeserver import FakeHomeserver

SEG = "/([^/]+)"
CLIENT = "/client/(?:v3|r0)"


class Cut(Exception):
    """The connection is cut instead of an answer."""


@dataclass
class SentRequest:
    """One request of the service. `status` is what the service got to see: 0 if the connection was cut."""

    method: str
    path: str
    user: str = ""
    device: str | None = None
    body: Any = None
    status: int | None = None
    errcode: str | None = None
    fault: Fault | None = None
    applied: bool = False
    at: float = 0.0

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        fault = f" [{self.fault}]" if self.fault else ""
        return f"{self.line} {self.status} {self.errcode or ''}{fault}".strip()


@dataclass
class Call:
    """A request that was let in: who asks, for what. `is_gone` says whether they have hung up."""

    hs: FakeHomeserver
    user: str
    device: str | None
    path: str
    args: list[str]
    query: dict[str, str]
    body: Json
    raw: bytes
    mime: str
    is_gone: Callable[[], bool] = lambda: False


@dataclass
class Answer:
    """Status and body of an answer: JSON, or bytes with their type."""

    status: int = 200
    body: Any = field(default_factory=dict)
    data: bytes | None = None
    mime: str = ""

    @property
    def errcode(self) -> str | None:
        return self.body.get("errcode") if isinstance(self.body, dict) else None

    def response(self) -> web.Response:
        if self.data is not None:
            return web.Response(status=self.status, body=self.data, content_type=self.mime)
        headers = {}
        if "retry_after_ms" in self.body:
            headers["Retry-After"] = str(math.ceil(self.body["retry_after_ms"] / 1000))
        return web.json_response(self.body, status=self.status, headers=headers)
