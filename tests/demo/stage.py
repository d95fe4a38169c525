"""The servers of the demo and the clients of its people."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from tests.demo.cast import EVERYBODY, OWNER, PASSWORD
from tests.demo.transcript import show
from tests.harness.person import Person
from tests.harness.ports import claim_port
from tests.harness.service import Service
from tests.harness.synapse import Synapse

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 28008
TIME_ZONE = "Europe/Vienna"


class Refused(Exception):
    """The demo cannot be played here; the message says why and what to do."""


class Stage:
    """A homeserver and the service, both running, and everybody logged in: `stage["Ana"]`."""

    def __init__(self, homeserver: Synapse, service: Service) -> None:
        self.homeserver = homeserver
        self.service = service
        self.people: dict[str, Person] = {}

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    @property
    def bot(self) -> str:
        return self.service.bot_id


@contextlib.asynccontextmanager
async def set_up() -> AsyncIterator[Stage]:
    """Start everything afresh, with progress, and stop it at the end. Raises Refused."""
    port = _port()
    folder = REPOSITORY / ".demo" / f"port-{port}"
    _claim(port, port + 1)
    shutil.rmtree(folder, ignore_errors=True)
    homeserver = Synapse(folder / "synapse", port=port)
    owners = [homeserver.user_id(OWNER.lower())]
    groups = {"owners": owners, "time_zone": TIME_ZONE}
    service = Service(folder / "service", homeserver, port=port + 1, config={"groups": groups})
    homeserver.add_registration(service.registration())
    stage = Stage(homeserver, service)
    show("Coterie, the demo: ten people found a group and buy a wool throw together.")
    show()
    show(f"Starting on this machine, with data and logs in {_shown(folder)}:")
    async with contextlib.AsyncExitStack() as stack:
        with _timed(f"a homeserver (Synapse, {homeserver.url})"):
            await stack.enter_async_context(homeserver)
        with _timed("the service (Coterie, on SQLite)"):
            await stack.enter_async_context(service)
        with _timed(f"{len(EVERYBODY)} people with a client each (matrix-nio)"):
            await asyncio.gather(*(_log_in(stage, name, stack) for name in EVERYBODY))
        yield stage


async def _log_in(stage: Stage, name: str, stack: contextlib.AsyncExitStack) -> None:
    hs, user = stage.homeserver, name.lower()
    await hs.register_user(user, PASSWORD, name)
    person = Person(hs.url, user, PASSWORD, auto_join_from={stage.bot})
    stage.people[name] = await stack.enter_async_context(person)


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"  {what:<60}", end="", flush=True)
    try:
        yield
    except BaseException:
        print(flush=True)
        raise
    print(f"{time.monotonic() - began:5.1f} s", flush=True)


def _port() -> int:
    text = os.environ.get("COTERIE_DEMO_PORT") or str(DEFAULT_PORT)
    if not text.isdigit() or not 1024 <= int(text) < 65535:
        raise Refused(f"COTERIE_DEMO_PORT is {text}; it has to be a number from 1024 to 65534.")
    return int(text)


def _claim(*ports: int) -> None:
    for port in ports:
        if not claim_port(port):
            raise Refused(
                f"Port {port} of this machine is in use, perhaps by another demo. "
                f"End that, or choose another port: make demo COTERIE_DEMO_PORT={ports[0] + 100}"
            )


def _shown(folder: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(folder.relative_to(Path.cwd()))
    return str(folder)
