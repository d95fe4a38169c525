"""The composition root: puts the parts together, starts them, and stops them in order."""

import asyncio
import logging
import logging.config
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import structlog
from aiohttp import web

from appservice import routes
from appservice.actions import catching_up, door, keyless, outages
from appservice.actions.work import Work
from appservice.clock import Clock, SystemClock
from appservice.config import Config
from appservice.domain.cause import Cause
from appservice.domain.code import code_text
from appservice.domain.group import GroupStatus
from appservice.domain.ids import RoomId, UserId
from appservice.matrix.crypto.crypto import Crypto
from appservice.matrix.homeserver import Homeserver, HomeserverError
from appservice.matrix.intake import Intake
from appservice.matrix.sender import Sender
from appservice.payment.session import NotGiven
from appservice.store import db
from appservice.store.inbox import NewArrival
from appservice.store.settings import OWN_ROOM, RECOVERY_KEY
from appservice.store.unit import Store, Unit, fresh_id
from appservice.web.antispam import Antispam
from appservice.wire import started
from appservice.wire.event import Event
from appservice.workers.inbox import inbox_lanes
from appservice.workers.outbox import outbox_lanes
from appservice.workers.running import Crew, run_together
from appservice.workers.timers import TimerWorker

if TYPE_CHECKING:
    from appservice.payment.stripe import StripeCheckout

log = logging.getLogger("coterie")

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=75)


async def run(config: Config, clock: Clock | None = None) -> None:
    """Run the service until SIGTERM or Ctrl-C; the unit in hand is finished first."""
    set_up_logging(config)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config, clock or SystemClock(), stop):
        await stop.wait()
        log.info("stopping")
    log.info("stopped")


@asynccontextmanager
async def running(config: Config, clock: Clock, stop: asyncio.Event) -> AsyncIterator[None]:
    """Have the service running inside the block. `stop` is set when it cannot go on."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(db.opened(config.appservice.database))
        store = Store(database, clock.now)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=_REQUEST_TIMEOUT))
        bot = UserId(config.bot_mxid)
        homeserver = Homeserver(session, config.homeserver.address, config.appservice.as_token, bot)
        account = await stack.enter_async_context(_account(config))
        crew = Crew()
        crypto = Crypto(database, store, clock, homeserver, config.appservice.as_token, crew.ring_all)
        _man(crew, config, clock, store, homeserver, account, crypto)
        async with store.look() as unit:
            heard_at = await unit.inbox.heard_at()
        await stack.enter_async_context(_listening(config, store, homeserver, crew, account))
        work = _work(config, store, homeserver, crew, stop, heard_at, crypto)
        await stack.enter_async_context(run_together(work, crew))
        yield


@asynccontextmanager
async def _account(config: Config) -> AsyncIterator["StripeCheckout | None"]:
    """Give the account at Stripe, where orders are paid there; only then is its SDK loaded."""
    if config.purchase.provider != "stripe" or config.purchase.stripe is None:
        yield None
        return
    from appservice.payment import stripe

    async with stripe.opened(config.purchase.stripe) as account:
        yield account


def _man(
    crew: Crew, config: Config, clock: Clock, store: Store, homeserver: Homeserver, account: "StripeCheckout | None",
    crypto: Crypto,
) -> None:  # fmt: skip
    """Give the crew its workers, each ringing those for whom it may have made work."""

    async def direct_room_of(user_id: str) -> RoomId | None:
        async with store.look() as unit:
            direct = await unit.rooms.direct(user_id)
            return direct.room_id if direct else None

    async def known_rooms() -> set[str]:
        async with store.look() as unit:
            return await unit.rooms.all_ids()

    def code_of(code_id: str) -> str:
        return code_text(config.appservice.as_token, code_id)

    wanted = _wanted(config, store)
    sender = Sender(homeserver, direct_room_of, known_rooms, code_of, _ending(account), wanted, crypto)
    crew.traffic = crypto.traffic
    crew.inbox = inbox_lanes(
        store,
        clock,
        lambda unit, arrival: routes.handle(unit, config, arrival),
        crew.ring_all,
        opened=lambda unit, arrival: routes.opened(unit, crypto.passphrase, arrival),
    )
    crew.outbox = outbox_lanes(store, clock, sender.perform, crew.ring_all, doors=False)
    crew.doors = outbox_lanes(store, clock, sender.perform, crew.ring_all, width=4, doors=True)
    crew.timers = TimerWorker(store, clock, lambda unit, timer: routes.fire(unit, config, timer), crew.ring_all)


def _wanted(config: Config, store: Store) -> Callable[[list[Event]], Awaitable[set[str]]]:
    """Give what tells which events are journaled."""

    async def wanted(events: list[Event]) -> set[str]:
        async with store.look() as unit:
            return await routes.wanted(unit, config, events)

    return wanted


def _by_itself(config: Config, unit: Unit, why: str) -> Work:
    """Give the means for what the service does without having been asked."""
    return Work(unit, config, Cause(f"{why} {fresh_id(12)}", unit.now))


def _ending(account: "StripeCheckout | None") -> Callable[[str], Awaitable[None]]:
    """Give how a session at Stripe is ended, with errors as the outbox knows them."""

    async def end(session_id: str) -> None:
        try:
            if account is not None:
                await account.expire(session_id)
        except NotGiven as error:
            raise HomeserverError(400 if error.is_final else 503, "STRIPE", str(error)) from error

    return end


@asynccontextmanager
async def _listening(
    config: Config, store: Store, homeserver: Homeserver, crew: Crew, account: "StripeCheckout | None"
) -> AsyncIterator[None]:
    """Answer the homeserver from the first moment on: what arrives is journaled even while the workers wait."""

    async def journal(arrivals: list[NewArrival]) -> int:
        new = await store.journal(arrivals)
        crew.inbox.ring()
        return new

    async def healthy() -> dict[str, bool]:
        return {"database": await _answers(store), "homeserver": await _reachable(homeserver)}

    async def cut_off() -> None:
        async with store.unit() as unit:
            await outages.cut_off(_by_itself(config, unit, "cut"))
        crew.outbox.ring()

    wanted = _wanted(config, store)
    intake = Intake(config.appservice.hs_token, homeserver.bot, journal, wanted, healthy, cut_off)
    application = intake.application(config.web.max_body_bytes)
    _antispam(config, store).add_to(application)
    if account is not None:
        from appservice.web.payment import PaymentDoor

        PaymentDoor(config, store, account, journal).add_to(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.appservice.hostname, config.appservice.port)
        await site.start()
        log.info("listening on %s port %d", config.appservice.hostname, config.appservice.port)
        yield
    finally:
        await runner.cleanup()


def _antispam(config: Config, store: Store) -> Antispam:
    """Give the door before the event; it only looks."""

    async def may_join(user_id: str, room_id: str) -> bool:
        async with store.look() as unit:
            return await door.may_join(unit, config, user_id, room_id)

    async def may_invite(user_id: str, room_id: str) -> bool:
        async with store.look() as unit:
            return await door.may_invite(unit, config, user_id, room_id)

    return Antispam(config.appservice.antispam_token, may_join, may_invite)


async def _work(
    config: Config, store: Store, homeserver: Homeserver, crew: Crew, stop: asyncio.Event, heard_at: int,
    crypto: Crypto,
) -> None:  # fmt: skip
    """Be the one instance that works: prepare the bot, then let the workers run until they are stopped."""
    stood_by = asyncio.Event()

    def stand_by() -> None:
        log.info("another instance works on this database; standing by")
        stood_by.set()

    try:
        async with db.sole_worker(config.appservice.database, stand_by) as lost:
            if stood_by.is_set():  # the other has worked until now
                async with store.look() as unit:
                    heard_at = unit.now
            await _prepare(config, store, homeserver, crew, heard_at, crypto)
            log.info("working as %s", config.bot_mxid)
            await crew.work(lost)
            if lost.is_set():
                raise db.LockLost("the database closed the connection that held the lock; start coterie again")
            async with store.unit() as unit:
                await catching_up.end(_by_itself(config, unit, "end"))
    finally:
        stop.set()


async def _prepare(
    config: Config, store: Store, homeserver: Homeserver, crew: Crew, heard_at: int, crypto: Crypto
) -> None:
    """Wait for the homeserver, make sure that the bot exists, and have what was missed delivered now."""
    wait_s = 1
    while not crew.stopping:
        try:
            await homeserver.prepare(config.appservice.bot_username, config.appservice.bot_displayname)
            if await crypto.device.prepare():
                async with store.unit() as unit:
                    await keyless.device_renewed(_by_itself(config, unit, "device"))
            await _ask_for_delivery(config, store, homeserver, await _begin(config, store, heard_at))
            break
        except HomeserverError as error:
            log.warning("the homeserver is not ready (%s), trying again in %d s", error, wait_s)
            await crew.sleep(wait_s)
            wait_s = min(wait_s * 2, 60)
    async with store.unit() as unit:
        if not await unit.settings.get(RECOVERY_KEY):
            log.info("no recovery key was made yet: coterie crypto recovery")
        await unit.timers.set_earlier(routes.PRUNE, "", unit.now)
        for group in await unit.groups.of_status(GroupStatus.OPEN, GroupStatus.CLOSING):
            await unit.timers.set_earlier("inspection", group.id, unit.now)


async def _begin(config: Config, store: Store, heard_at: int) -> int:
    """Note that this instance works from now on (ms), before anything of this run is handled."""
    async with store.unit() as unit:
        return await outages.begin(_by_itself(config, unit, "start"), heard_at)


async def _ask_for_delivery(config: Config, store: Store, homeserver: Homeserver, started_at: int) -> None:
    """Make the homeserver deliver what it holds back: it starts only with a new event, or (if it has noticed that we
    were down) with a ping. The event goes into a room of the bot's own."""
    async with store.look() as unit:
        room_id = await unit.settings.get(OWN_ROOM)
    if room_id is None:
        room_id = await homeserver.create_room({"preset": "private_chat", "name": "Coterie, nothing to see here"})
        async with store.unit() as unit:
            await unit.settings.put(OWN_ROOM, room_id)
    await homeserver.send(room_id, started.TYPE, started.format_started(started_at), f"started {started_at}")
    try:
        await homeserver.ping(config.appservice.id)
    except HomeserverError as error:
        log.warning("the homeserver cannot reach this service (%s): run coterie check", error)


async def _answers(store: Store) -> bool:
    try:
        async with asyncio.timeout(5), store.look() as unit:
            await unit.settings.get("")
        return True
    except Exception as error:
        log.warning("the database does not answer: %s", type(error).__name__)
        return False


async def _reachable(homeserver: Homeserver) -> bool:
    try:
        async with asyncio.timeout(5):
            await homeserver.versions()
        return True
    except (HomeserverError, TimeoutError):
        return False


def set_up_logging(config: Config) -> None:
    """Have everything logged in one form, to standard error; no member's data above debug."""
    as_json = config.logging.format == "json"
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    before = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "one": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        renderer,
                    ],
                    "foreign_pre_chain": before,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one"}},
            "loggers": {
                "coterie": {"level": config.logging.level.upper()},
                # quotes the headers of requests that are none, the token among them
                "aiohttp.server": {"level": "CRITICAL"},
                # names people and their devices in its warnings
                "mau.crypto": {"level": "DEBUG" if config.logging.level == "debug" else "CRITICAL"},
                "mau": {"level": "DEBUG" if config.logging.level == "debug" else "WARNING"},
            },
            "root": {"handlers": ["stderr"], "level": "WARNING"},
        }
    )
