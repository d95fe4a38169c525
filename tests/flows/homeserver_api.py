"""The client-server API of the fake homeserver, as far as an application service calls it."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aiohttp import web

from tests.flows.homeserver_calls import Answer, Call, Cut, SentRequest
from tests.flows.homeserver_endpoints import ENDPOINTS
from tests.flows.homeserver_events import Json, Refused
from tests.flows.homeserver_faults import AFTER_APPLYING, Fault

if TYPE_CHECKING:
    from tests.flows.homeserver import FakeHomeserver


Handler = Callable[[Call], Answer | Json | Awaitable[Json]]


class ClientApi:
    """Takes the service's requests one by one: records, lets in, strikes with faults, answers."""

    def __init__(self, hs: FakeHomeserver) -> None:
        self.hs = hs
        self.in_flight = 0
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            (method, re.compile(f"/_matrix{path}"), handler) for method, path, handler in ENDPOINTS
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Every request of the service ends up here."""
        raw_path = request.rel_url.raw_path
        sent = SentRequest(request.method, unquote(raw_path), at=asyncio.get_running_loop().time())
        self.hs.sent.append(sent)
        self.in_flight += 1
        self.hs.touch()
        try:
            return await self._handle(request, raw_path, sent)
        finally:
            self.in_flight -= 1
            self.hs.touch()

    async def _handle(self, request: web.Request, raw_path: str, sent: SentRequest) -> web.StreamResponse:
        raw = await request.read()
        faults = self.hs.faults
        sent.fault = faults.pick(sent.line)
        await faults.wait()
        if sent.fault is not None and sent.fault not in AFTER_APPLYING:
            return await self._strike(request, sent)
        try:
            answer = await self._answer(request, raw_path, raw, sent)
        except Cut:
            return self._cut(request, sent)
        sent.status, sent.errcode = answer.status, answer.errcode
        if sent.fault is not None:
            return await self._strike(request, sent)
        return answer.response()

    async def _strike(self, request: web.Request, sent: SentRequest) -> web.StreamResponse:
        fault, faults = sent.fault, self.hs.faults
        if fault in (Fault.ERROR_429, Fault.ERROR_500, Fault.ERROR_502, Fault.ANSWER_502, Fault.TIMEOUT):
            if fault is Fault.TIMEOUT:
                await asyncio.sleep(faults.timeout)
            sent.status = {Fault.ERROR_500: 500, Fault.TIMEOUT: 504}.get(fault, 502)
            if fault is Fault.ERROR_429:
                sent.status = 429
                return Answer(
                    429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 100}
                ).response()
            if fault is Fault.ERROR_500:
                return web.json_response({"errcode": "M_UNKNOWN", "error": "Internal server error"}, status=500)
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html", status=sent.status)
        if fault in (Fault.HANG, Fault.ANSWER_HANGS):
            released = faults.released
            while not (released.is_set() or faults.closing or request.transport is None):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self._cut(request, sent)

    def _cut(self, request: web.Request, sent: SentRequest) -> web.Response:
        sent.status = 0
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _answer(self, request: web.Request, raw_path: str, raw: bytes, sent: SentRequest) -> Answer:
        try:
            call, handler = self._let_in(request, raw_path, raw, sent)
            result = handler(call)
            answer = await result if inspect.isawaitable(result) else result
        except Refused as refusal:
            if refusal.status in (400, 401, 404, 405, 413) and refusal.errcode in NEVER_RIGHT:
                self.hs.failures.append(f"{sent.line}: {refusal}")
            return Answer(refusal.status, refusal.body)
        sent.applied = True
        return answer if isinstance(answer, Answer) else Answer(200, answer)

    def _let_in(self, request: web.Request, raw_path: str, raw: bytes, sent: SentRequest) -> tuple[Call, Handler]:
        handler, args = self._route(request.method, raw_path)
        query = dict(request.query)
        user, device = "", None
        if not raw_path.endswith("/client/versions"):
            user, device = self._who(request, query)
        sent.user, sent.device = user, device
        mime = request.headers.get("Content-Type", "application/octet-stream")
        body: Json = {}
        if not raw_path.startswith("/_matrix/media/") and request.method in ("PUT", "POST"):
            body = sent.body = parse_json(raw, required=request.method == "PUT")
        call = Call(self.hs, user, device, raw_path, args, query, body, raw, mime.partition(";")[0])
        call.is_gone = lambda: request.transport is None or request.transport.is_closing()
        return call, handler

    def _route(self, method: str, raw_path: str) -> tuple[Handler, list[str]]:
        status = 404
        for known, pattern, handler in self._routes:
            match = pattern.fullmatch(raw_path)
            if match and known == method:
                return handler, [unquote(group or "") for group in match.groups()]
            status = 405 if match else status
        raise Refused(status, "M_UNRECOGNIZED", "Unrecognized request")

    def _who(self, request: web.Request, query: dict[str, str]) -> tuple[str, str | None]:
        hs, header = self.hs, request.headers.get("Authorization", "")
        if not header.startswith("Bearer "):
            raise Refused(401, "M_MISSING_TOKEN", "Missing access token")
        if header.removeprefix("Bearer ") != hs.as_token:
            raise Refused(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        user = query.get("user_id", hs.sender)
        if not hs.is_service_user(user):
            raise Refused(403, "M_FORBIDDEN", f"Application service cannot masquerade as this user ({user}).")
        registering = request.rel_url.raw_path.endswith("/register")
        if user not in hs.world.accounts and user != hs.sender and not registering:
            raise Refused(403, "M_FORBIDDEN", f"Application service has not registered this user ({user})")
        device = query.get("device_id", query.get("org.matrix.msc3202.device_id"))
        if device is not None and (user, device) not in hs.world.devices:
            raise Refused(
                400,
                "M_UNKNOWN_DEVICE",
                f"Application service trying to use a device that doesn't exist ('{device}' for {user})",
            )
        return user, device


NEVER_RIGHT = {  # refusals that only a mistake of the service brings about
    "M_UNRECOGNIZED",
    "M_MISSING_TOKEN",
    "M_UNKNOWN_TOKEN",
    "M_UNKNOWN_DEVICE",
    "M_NOT_JSON",
    "M_BAD_JSON",
    "M_TOO_LARGE",
    "M_INVALID_PARAM",
    "M_UNKNOWN",
}


def parse_json(raw: bytes, *, required: bool) -> Json:
    """The JSON object in a body; an empty body is an empty object unless one is required."""
    if not raw and not required:
        return {}
    try:
        found = json.loads(raw.decode())
    except ValueError:
        raise Refused(400, "M_NOT_JSON", "Content not JSON.") from None
    if not isinstance(found, dict):
        raise Refused(400, "M_BAD_JSON", "Content must be a JSON object.")
    return found
