"""A listener in the service's place, so that `coterie check` can test the way back before the first run."""

import errno
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from appservice.config import Config


@dataclass(slots=True)
class StandIn:
    """Whether it listens (else something has the port already), and of each ping if its token was right."""

    listens: bool = False
    heard: list[bool] = field(default_factory=list)


@asynccontextmanager
async def stand_in(config: Config) -> AsyncIterator[StandIn]:
    """A listener that answers pings only; a transaction gets 503, so that it comes again.

    Raises OSError if the address cannot be listened on for another reason than that it is taken.
    """
    found = StandIn()
    runner = web.AppRunner(_site(config, found), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        found.listens = await _listen(runner, config)
        yield found
    finally:
        await runner.cleanup()


def _site(config: Config, found: StandIn) -> web.Application:
    right = f"Bearer {config.appservice.hs_token}".encode()

    async def ping(request: web.Request) -> web.Response:
        said = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        found.heard.append(hmac.compare_digest(said, right))
        if found.heard[-1]:
            return web.json_response({})
        return web.json_response({"errcode": "M_FORBIDDEN", "error": "wrong hs_token"}, status=403)

    async def yes(request: web.Request) -> web.Response:
        return web.json_response({})

    async def later(request: web.Request) -> web.Response:
        return web.json_response({"errcode": "M_UNKNOWN", "error": "Coterie is being checked"}, status=503)

    site = web.Application(client_max_size=config.web.max_body_bytes)
    site.router.add_post("/_matrix/app/v1/ping", ping)
    # to the antispam module an error is a no, to every join and invitation of the homeserver
    site.router.add_post("/_coterie/antispam/{callback}", yes)
    site.router.add_route("*", "/{path:.*}", later)
    return site


async def _listen(runner: web.AppRunner, config: Config) -> bool:
    try:
        await web.TCPSite(runner, config.appservice.hostname, config.appservice.port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
