"""The application service API (spec: Application Service API, v1): write it down, then say 200.

Only broken infrastructure refuses a transaction: the homeserver delivers strictly in order and retries for ever, so
one event that always failed would block everything. A bad event is journaled and parked by the inbox.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from appservice.domain.ids import UserId
from appservice.matrix.body import read_json
from appservice.store.db import is_transient
from appservice.store.inbox import NewArrival
from appservice.wire import membership
from appservice.wire.event import Event, parse_event

log = logging.getLogger("coterie.intake")

PREFIX = "/_matrix/app/v1"
MALFORMED = "coterie.malformed"
MOST_EVENTS = 10_000

Journal = Callable[[list[NewArrival]], Awaitable[int]]
Wanted = Callable[[list[Event]], Awaitable[set[str]]]
Healthy = Callable[[], Awaitable[Mapping[str, bool]]]
CutOff = Callable[[], Awaitable[None]]


class Refused(Exception):
    """A request that is answered with an error of the spec's form."""

    def __init__(self, status: int, errcode: str, message: str) -> None:
        super().__init__(message)
        self.status, self.errcode, self.message = status, errcode, message


class Intake:
    """The handlers. `wanted` tells which events are written down at all: the journal keeps no chatter. `cut_off` is
    called when the homeserver has not waited for an answer: one that stops forgets what was to come next."""

    def __init__(
        self, token: str, bot: UserId, journal: Journal, wanted: Wanted, healthy: Healthy, cut_off: CutOff | None = None
    ) -> None:
        self._token = token
        self._bot = bot
        self._journal = journal
        self._wanted = wanted
        self._healthy = healthy
        self._cut_off = cut_off

    def application(self, most_bytes: int) -> web.Application:
        """Give the site: the application service API and GET /health."""
        app = web.Application(client_max_size=most_bytes, middlewares=[_spec_errors, self._authenticated])
        app.router.add_put(f"{PREFIX}/transactions/{{txn_id}}", self._transaction)
        app.router.add_post(f"{PREFIX}/ping", self._ping)
        app.router.add_get(f"{PREFIX}/users/{{user_id}}", self._user)
        app.router.add_get(f"{PREFIX}/rooms/{{alias}}", self._nothing)
        for kind in ("location", "user"):
            app.router.add_get(f"{PREFIX}/thirdparty/{kind}", self._no_third_party)
            app.router.add_get(f"{PREFIX}/thirdparty/{kind}/{{protocol}}", self._no_third_party)
        app.router.add_get(f"{PREFIX}/thirdparty/protocol/{{protocol}}", self._nothing)
        app.router.add_get("/health", self._health)
        return app

    @web.middleware
    async def _authenticated(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Let only the homeserver in; the token is taken from the Authorization header, never from the query."""
        known = request.match_info.http_exception is None
        if not known or not request.path.startswith(PREFIX):
            response: web.StreamResponse = await handler(request)
            return response
        authenticate(request, self._token, "hs_token")
        response = await handler(request)
        return response

    async def _transaction(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            arrivals = await self._arrivals(_events(body))
        except RecursionError:  # a member can nest deeper than this Python reads; a refusal would be for ever
            log.warning("a transaction was nested too deeply, its depths were cut off")
            arrivals = await self._arrivals(_events(body, shallow=True))
        if arrivals:  # a transaction without anything for us is answered without a commit: replaying it is harmless
            new = await self._journal(arrivals)
            log.debug("journaled %d of %d events", new, len(arrivals))
        if self._cut_off is not None and (request.transport is None or request.transport.is_closing()):
            log.warning("the homeserver has gone before it had the answer to a transaction")
            await self._cut_off()
        return web.json_response({})

    async def _arrivals(self, raw_events: list[Any]) -> list[NewArrival]:
        parsed = [(raw, parse_event(raw)) for raw in raw_events]
        wanted = await self._wanted_ids([event for _, event in parsed if event is not None])
        arrivals = []
        for raw, event in parsed:
            if event is not None and event.event_id not in wanted:
                continue
            text = json.dumps(raw)  # in ASCII: NUL and lone surrogates stay escaped, which both engines can keep
            if event is None:
                digest = hashlib.sha256(text.encode()).hexdigest()
                log.warning("an event that is none was journaled, to be parked")
                arrivals.append(NewArrival(f"malformed {digest}", MALFORMED, MALFORMED, text))
            else:
                member = event.state_key if event.type == membership.TYPE else None
                arrivals.append(NewArrival(event.event_id, event.room_id, event.type, text, member))
        return arrivals

    async def _wanted_ids(self, events: list[Event]) -> set[str]:
        """Tell which events are written down; one about which that cannot be told is, for the inbox to park."""
        try:
            return await self._wanted(events)
        except Exception as error:
            if is_transient(error):
                raise
        told: list[Event] = []
        found: set[str] = set()
        for event in events:
            try:
                found |= await self._wanted([*told, event])
                told.append(event)
            except Exception as error:
                if is_transient(error):
                    raise
                log.error("an event could not be told from chatter: %s", type(error).__name__)
                found.add(event.event_id)
        return found

    async def _ping(self, request: web.Request) -> web.Response:
        body = await request.read()
        if body:  # the spec does not ask for one
            json_object(body, shallow=True)
        return web.json_response({})

    async def _user(self, request: web.Request) -> web.Response:
        if request.match_info["user_id"] == self._bot:
            return web.json_response({})
        raise Refused(404, "M_NOT_FOUND", "There is no such user here")

    async def _nothing(self, request: web.Request) -> web.Response:
        raise Refused(404, "M_NOT_FOUND", "There is nothing of this kind here")

    async def _no_third_party(self, request: web.Request) -> web.Response:
        return web.json_response([])

    async def _health(self, request: web.Request) -> web.Response:
        parts = await self._healthy()
        return web.json_response(dict(parts), status=200 if all(parts.values()) else 503)


def authenticate(request: web.Request, right: str, name: str) -> None:
    """Raise Refused for a request whose Authorization header has not the right token, compared in constant time."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "M_MISSING_TOKEN", f"The Authorization header with the {name} is missing")
    if not hmac.compare_digest(token.strip().encode("utf-8", "replace"), right.encode()):
        raise Refused(403, "M_FORBIDDEN", f"This is not the {name}")


def _events(body: bytes, *, shallow: bool = False) -> list[Any]:
    events = json_object(body, shallow=shallow).get("events")
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise Refused(400, "M_BAD_JSON", "events must be a list")
    return events


def json_object(body: bytes, *, shallow: bool = False) -> dict[str, Any]:
    """Give the JSON object that a body is. Raises Refused where it is none."""
    try:
        value = read_json(body, shallow=shallow)
    except ValueError as error:
        raise Refused(400, "M_NOT_JSON", "The body is not JSON") from error
    if not isinstance(value, dict):
        raise Refused(400, "M_BAD_JSON", "The body is not a JSON object")
    return value


@web.middleware
async def _spec_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer every error in the spec's form, and tell nothing of what went wrong inside."""
    try:
        response: web.StreamResponse = await handler(request)
        return response
    except Refused as refused:
        return _error(refused.status, refused.errcode, refused.message)
    except web.HTTPRequestEntityTooLarge:
        return _error(413, "M_TOO_LARGE", "The body is too large")
    except web.RequestPayloadError:
        return _error(400, "M_NOT_JSON", "The body cannot be read")
    except web.HTTPNotFound:
        return _error(404, "M_UNRECOGNIZED", "Unknown path")
    except web.HTTPMethodNotAllowed as error:
        answer = _error(405, "M_UNRECOGNIZED", "This path does not take this method")
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return answer
    except web.HTTPException as error:
        return _error(error.status, "M_UNKNOWN", error.reason)
    except Exception:
        log.exception("a request could not be answered: %s %s", request.method, request.path)
        return _error(500, "M_UNKNOWN", "Internal error")


def _error(status: int, errcode: str, message: str) -> web.Response:
    return web.json_response({"errcode": errcode, "error": message}, status=status)
