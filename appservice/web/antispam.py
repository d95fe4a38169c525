"""The door before the event: the homeserver asks whether a local user may join or invite, before it lets them.

Made for the Synapse module `synapse-http-antispam`: to it, any 2xx is a yes, and an error in JSON is a no that the
user's client is shown. It asks about every join and invitation of the homeserver, so that whatever goes wrong here (a
wrong token, a body that asks nothing, a database that is slow) must not be a no: it is an error in plain text, which
stands open, or a yes. Who should not have come in is removed afterwards.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import web

from appservice.matrix.intake import Refused, authenticate, json_object
from appservice.present.words import door as say
from appservice.wire.content import text_at

log = logging.getLogger("coterie.antispam")

PREFIX = "/_coterie/antispam"
MOST_BYTES = 2**16
PATIENCE_S = 1.5

Handler = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
Allowed = Callable[[str, str], Coroutine[Any, Any, bool]]
"""Tells whether a user may do it in a room; given the user id and the room id."""


class No(Refused):
    """The answer that somebody may not join, or not invite."""


class Antispam:
    """The handlers. Without a token there is no door."""

    def __init__(self, token: str | None, may_join: Allowed, may_invite: Allowed) -> None:
        self._token = token
        self._may_join = may_join
        self._may_invite = may_invite

    def add_to(self, app: web.Application) -> None:
        """Answer on this site too; its errors are put into the spec's form there."""
        if self._token is not None:
            app.router.add_post(f"{PREFIX}/user_may_join_room", _no_or_open(self._join))
            app.router.add_post(f"{PREFIX}/user_may_invite", _no_or_open(self._invite))
            app.router.add_post(f"{PREFIX}/ping", _no_or_open(self._ping))
        app.router.add_route("*", f"{PREFIX}{{path:.*}}", _nothing_here)

    async def _join(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        return await _answer(self._may_join, _text(body, "user"), _text(body, "room"), say.NO_JOINING)

    async def _invite(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        return await _answer(self._may_invite, _text(body, "inviter"), _text(body, "room_id"), say.NO_INVITING)

    async def _ping(self, request: web.Request) -> web.Response:
        body = await self._read(request)
        return web.json_response({"id": _text(body, "id"), "status": "ok"})

    async def _read(self, request: web.Request) -> dict[str, Any]:
        assert self._token is not None
        authenticate(request, self._token, "antispam_token")
        # shallow: nothing that is asked here is nested
        return json_object(await request.clone(client_max_size=MOST_BYTES).read(), shallow=True)


def _text(body: dict[str, Any], key: str) -> str:
    text = text_at(body, key)
    if text is None:
        raise Refused(400, "M_BAD_JSON", f"{key} must be a text")
    return text


async def _answer(allowed: Allowed, user_id: str, room_id: str, no: str) -> web.Response:
    try:
        is_allowed = await _in_time(allowed(user_id, room_id))
    except Exception as error:
        log.warning("the door stood open, since nobody could tell in time: %s", type(error).__name__)
        is_allowed = True
    if is_allowed:
        return web.json_response({})
    log.debug("refused %s at the door of %s", user_id, room_id)
    raise No(403, "M_FORBIDDEN", no)


async def _nothing_here(request: web.Request) -> web.Response:
    return web.Response(status=404, text="There is no such question, or the door is not set up")


def _no_or_open(handler: Handler) -> Handler:
    """Let a no through, and make plain text of every other error: in JSON it would stop the whole homeserver."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except No:
            raise
        except Refused as refused:
            log.warning("the door stands open, since it was asked wrongly: %s", refused.message)
            return web.Response(status=refused.status, text=refused.message)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=error.reason)

    return answered


async def _in_time(question: Coroutine[Any, Any, bool]) -> bool:
    """Give the answer to a question, or raise TimeoutError. Not asyncio.timeout: that would wait for the question to be
    cancelled, and a connection to a database that hangs takes a minute and more to be given back."""
    task = asyncio.ensure_future(question)  # noqa: TID251 - only so that it can be left to its end
    _asked.add(task)
    task.add_done_callback(_forget)
    try:
        await asyncio.wait({task}, timeout=PATIENCE_S)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        task.cancel()


_asked: set[asyncio.Task[bool]] = set()
"""Who is not referred to may be collected before its end."""


def _forget(task: asyncio.Task[bool]) -> None:
    _asked.discard(task)
    if not task.cancelled():
        task.exception()  # else it is logged, with what the exception quotes
