"""Just enough of a homeserver for `coterie check`, with every fault that it has to find."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.harness.ports import reserve_port


@dataclass
class Homeserver:
    """Answers as Synapse does to an application service with this registration."""

    registration: dict[str, Any]
    domain: str = "example.org"
    port: int = field(default_factory=reserve_port)
    users: set[str] = field(default_factory=set)
    room_versions: tuple[str, ...] = ("11", "12")
    names_itself: bool = True
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Homeserver"]:
        site = web.Application()
        site.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(site, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        if request.path in self.answers:
            status, body = self.answers[request.path]
            return web.Response(status=status, body=body)
        token = request.headers.get("Authorization")
        right = f"Bearer {self.registration['as_token']}"
        if token is not None and token != right:  # to whoever asks for the versions, too
            return _error(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        if request.path == "/_matrix/client/versions":
            return web.json_response({"versions": ["v1.11"]})
        if request.path == "/_matrix/federation/v1/version" and self.names_itself:
            return web.json_response({"server": {"name": "Synapse", "version": "1.163.2"}})
        if token != right:
            return _error(401, "M_MISSING_TOKEN", "Missing access token")
        if request.path == "/_matrix/client/v3/account/whoami":
            return self._whoami(request.query.get("user_id"))
        if request.path == "/_matrix/client/v3/delete_devices":
            if not self.registration.get("io.element.msc4190"):  # newer versions of Synapse do without
                return _error(500, "M_UNKNOWN", "Internal server error")
            return web.json_response({})
        if request.path == "/_matrix/client/v3/capabilities":
            versions = {"default": "11", "available": dict.fromkeys(self.room_versions, "stable")}
            return web.json_response({"capabilities": {"m.room_versions": versions}})
        if request.path == f"/_matrix/client/v1/appservice/{self.registration['id']}/ping":
            return await self._ping(await request.json())
        if request.path.endswith("/ping"):
            return _error(403, "M_FORBIDDEN", "Mismatching application service ID in path")
        return _error(404, "M_UNRECOGNIZED", "Unrecognized request")

    def _whoami(self, user_id: str | None) -> web.Response:
        user_id = user_id or f"@{self.registration['sender_localpart']}:{self.domain}"
        regexes = [namespace["regex"] for namespace in self.registration["namespaces"]["users"]]
        sender = f"@{self.registration['sender_localpart']}:{self.domain}"
        if user_id != sender and not any(re.match(regex, user_id) for regex in regexes):
            text = f"Application service cannot masquerade as this user ({user_id})."
            return _error(403, "M_FORBIDDEN", text)
        if user_id != sender and user_id not in self.users:
            return _error(403, "M_FORBIDDEN", f"Application service has not registered this user ({user_id})")
        return web.json_response({"user_id": user_id, "is_guest": False})

    async def _ping(self, content: dict[str, Any]) -> web.Response:
        url = f"{self.registration['url']}/_matrix/app/v1/ping"
        headers = {"Authorization": f"Bearer {self.registration['hs_token']}"}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json=content, headers=headers) as it,
            ):
                if it.status == 200:
                    return web.json_response({"duration_ms": 3})
                more = {"status": it.status, "body": await it.text()}
                return _error(502, "M_BAD_STATUS", f"HTTP {it.status} {it.reason}", **more)
        except aiohttp.ClientError:
            return _error(502, "M_CONNECTION_FAILED", "ConnectionRefusedError: refused by other side.")


def _error(code: int, errcode: str, error: str, **more: Any) -> web.Response:
    return web.json_response({"errcode": errcode, "error": error, **more}, status=code)
