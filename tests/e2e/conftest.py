"""Fixtures for tests against real servers and real clients.

Loops: every test runs in an event loop of its own (the default of pytest-asyncio; pytest-aiohttp relies
on it too). What is expensive is session-scoped and says `loop_scope="session"`, which only means that its
set-up and tear-down run in a loop that lives long enough. That is safe because those objects hold no loop:
a `Synapse` is a subprocess and a URL, each of its methods opens its own connection. Clients (`person`) and
services (`coterie`) belong to one test and its loop. So tests need no mark, and a fixture that keeps a
socket or a task must not be session-scoped.

One homeserver serves all tests. Isolation comes from names: each `person("ana")` is a new account, and each
`coterie()` a bot with a registration of its own, from a fixed number of slots, since Synapse reads
registrations at its start only.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.harness.circle import Circle, CircleFactory
from tests.harness.person import Event, Person, PersonFactory
from tests.harness.postgres import Postgres
from tests.harness.service import Service, ServiceFactory
from tests.harness.sighting import Sightings
from tests.harness.spec import MISSING, load_spec
from tests.harness.synapse import Synapse, make_federated_pair, running

SLOTS = 80
"""How many services one session may start per homeserver; raise it when a test says so."""

_numbers = itertools.count(1)

Slots = dict[Synapse, Iterator[Service]]


def in_days(days: int) -> str:
    """A date to come, as people type it."""
    return f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days):%Y-%m-%d}"


@pytest.fixture(scope="session")
def slots() -> Slots:
    """Services that a homeserver knows already and that no test has used yet."""
    return {}


def _reserve_slots(homeserver: Synapse, slots: Slots) -> None:
    names = [f"coterie{n}" for n in range(1, SLOTS + 1)]
    services = [Service(homeserver.directory / name, homeserver, bot=name) for name in names]
    for service in services:
        homeserver.add_registration(service.registration())
    slots[homeserver] = iter(services)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synapse(tmp_path_factory: pytest.TempPathFactory, slots: Slots) -> AsyncIterator[Synapse]:
    """The homeserver `coterie.test`. A test that stops it must start it again."""
    homeserver = Synapse(tmp_path_factory.mktemp("synapse"))
    _reserve_slots(homeserver, slots)
    async with homeserver:
        yield homeserver


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def federated(tmp_path_factory: pytest.TempPathFactory, slots: Slots) -> AsyncIterator[tuple[Synapse, Synapse]]:
    """Two homeservers that federate; services run on the first."""
    pair = make_federated_pair(tmp_path_factory.mktemp("federated"))
    _reserve_slots(pair[0], slots)
    async with running(*pair):
        yield pair


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The PostgreSQL server; `async with postgres.fresh_database() as url` for a test's own database."""
    with Postgres() as server:
        yield server


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of a fresh database; asked for before the service, so that it outlives it."""
    if request.param == "sqlite":
        yield "sqlite:coterie.db"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    async with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def spec() -> Any:
    """The Matrix spec's validator; skips the test where the spec is not at hand."""
    return load_spec() or pytest.skip(MISSING)


@pytest.fixture
def homeserver(request: pytest.FixtureRequest) -> Synapse:
    """Where a test's people and services live by default: the first of `federated` if it uses that.

    Not async, since an async fixture cannot ask for another one while its loop runs.
    """
    if "federated" in request.fixturenames:
        return request.getfixturevalue("federated")[0]
    return request.getfixturevalue("synapse")


@pytest.fixture(scope="session")
def sent_by_services() -> dict[str, Event]:
    """By id, every event of a service that any client of any test has seen so far."""
    return {}


@contextlib.asynccontextmanager
async def people(homeserver: Synapse, sent_by_services: dict[str, Event]) -> AsyncIterator[PersonFactory]:
    """New accounts on demand, logged in and syncing until the end of the block."""
    async with contextlib.AsyncExitStack() as stack:

        async def log_in(
            name: str, *, on: Synapse | None = None, auto_join_from: Iterable[str] = (), client: type[Person] = Person
        ) -> Person:
            place, localpart = on or homeserver, f"{name}{next(_numbers)}"
            await place.register_user(localpart, localpart, name.capitalize())
            one = client(place.url, localpart, localpart, auto_join_from=auto_join_from)
            await stack.enter_async_context(one)
            stack.callback(_remember, one.seen, sent_by_services)
            return one

        yield log_in


def _remember(seen: Sightings, sent: dict[str, Event]) -> None:
    state = (event for events in seen.state.values() for event in events.values())
    sent.update((event["event_id"], event) for event in (*state, *seen.all) if event["sender"].startswith("@coterie"))


@pytest_asyncio.fixture
async def person(homeserver: Synapse, sent_by_services: dict[str, Event]) -> AsyncIterator[PersonFactory]:
    """`await person("ana", on=federated[1], auto_join_from={bot})`: a new account, logged in and syncing."""
    async with people(homeserver, sent_by_services) as log_in:
        yield log_in


@pytest_asyncio.fixture
async def coterie(homeserver: Synapse, slots: Slots) -> AsyncIterator[ServiceFactory]:
    """`await coterie(groups={"owners": [rosa.user_id]})`: a running service of its own.

    Keywords are sections of its configuration. At the end it is stopped, which must succeed
    (nothing happens if the test killed it).
    """
    async with contextlib.AsyncExitStack() as stack:

        async def start(**sections: Any) -> Service:
            service = next(slots[homeserver], None)
            assert service, f"all {SLOTS} services are used: raise SLOTS in {__file__}"
            service.config = sections
            await service.start()
            stack.push_async_callback(service.stop)
            return service

        yield start


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def resident(synapse: Synapse, slots: Slots) -> AsyncIterator[Service]:
    """A service for all tests that neither restart it nor want a configuration of their own; every Rosa is an owner."""
    service = next(slots[synapse])
    service.config = {"groups": {"owners": [synapse.user_id(f"rosa{n}") for n in range(1, 1000)], **_GROUPS}}
    async with service:
        yield service


_GROUPS = {"time_zone": "Europe/Vienna"}


@pytest.fixture
def circle(request: pytest.FixtureRequest, person: PersonFactory) -> CircleFactory:
    """`await circle(concierges=["ben"], members=["ana", "otto"])`: a group of Rosa's with these people in it.

    Names may be people who are there already. `circle.service` is the resident service, or one of the test's own
    that is started with `database`, or that the test itself has started for `rosa`.
    """

    async def gather(
        concierges: Iterable[str | Person] = (),
        members: Iterable[str | Person] = (),
        *,
        name: str = "Wool circle",
        cap: int | None = None,
        encrypted: bool = True,
        service: Service | None = None,
        rosa: Person | None = None,
    ) -> Circle:
        where = service or resident
        assert where is not None, "this test has to bring its own service"
        circle = await Circle.found(rosa or await person("rosa"), where, name, cap=cap, encrypted=encrypted)
        await circle.appoint(*[one if isinstance(one, Person) else await person(one) for one in concierges])
        await circle.welcome(*[one if isinstance(one, Person) else await person(one) for one in members])
        return circle

    own_service = {"coterie", "federated"} & set(request.fixturenames)
    resident: Service | None = None if own_service else request.getfixturevalue("resident")
    return gather


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What judges the events of all journeys comes after them."""
    items.sort(key=lambda item: item.path.name == "test_conformance.py")
