"""A unit: claim of the arrival, new state, ledger and owed effects in one database transaction, with one `now`."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from appservice.domain.ids import ALPHABET
from appservice.store.adoptions import Adoptions
from appservice.store.aliases import Aliases
from appservice.store.buys import Buys
from appservice.store.canned import Canned
from appservice.store.checkouts import Checkouts
from appservice.store.db import Connection, Database, UnitLost
from appservice.store.erasing import Erasing
from appservice.store.groups import Groups
from appservice.store.inbox import Inbox, NewArrival
from appservice.store.keys import Keys
from appservice.store.ledger import Ledger
from appservice.store.orders import Orders
from appservice.store.outbox import Outbox
from appservice.store.personal import Personal
from appservice.store.products import Products
from appservice.store.proposals import Proposals
from appservice.store.questions import Questions
from appservice.store.recommendations import Recommendations
from appservice.store.rooms import Rooms
from appservice.store.settings import Settings
from appservice.store.timers import Timers
from appservice.store.told import Told
from appservice.store.unplaced import Unplaced
from appservice.store.vouches import Codes, Vouches
from appservice.store.waitlist import Waitlist


def fresh_id(length: int = 6) -> str:
    """Give a random id that people can read out."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


class Unit:
    """Everything that one decision may read and write; no network inside."""

    def __init__(self, connection: Connection, now: int) -> None:
        self.now = now
        self.inbox = Inbox(connection)
        self.outbox = Outbox(connection)
        self.timers = Timers(connection)
        self.settings = Settings(connection)
        self.rooms = Rooms(connection)
        self.groups = Groups(connection)
        self.products = Products(connection)
        self.questions = Questions(connection)
        self.canned = Canned(connection)
        self.proposals = Proposals(connection)
        self.unplaced = Unplaced(connection)
        self.recommendations = Recommendations(connection)
        self.buys = Buys(connection)
        self.orders = Orders(connection)
        self.checkouts = Checkouts(connection)
        self.ledger = Ledger(connection)
        self.aliases = Aliases(connection)
        self.vouches = Vouches(connection)
        self.codes = Codes(connection)
        self.waitlist = Waitlist(connection)
        self.told = Told(connection)
        self.adoptions = Adoptions(connection)
        self.personal = Personal(connection)
        self.erasing = Erasing(connection)
        self.keys = Keys(connection)
        self._connection = connection

    @property
    def connection(self) -> Connection:
        """The connection itself, to be lent to mautrix's crypto store."""
        return self._connection

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what was done inside if it raises, and only that. Raises UnitLost where that cannot be done: SQLite
        takes everything back by itself when the disk is full, and a connection may be lost."""
        await self._connection.execute("SAVEPOINT part")
        try:
            yield
        except Exception as error:
            try:
                await self._connection.execute("ROLLBACK TO SAVEPOINT part")
                await self._connection.execute("RELEASE SAVEPOINT part")
            except Exception:
                raise UnitLost(f"{type(error).__name__}: {error}") from error
            raise
        await self._connection.execute("RELEASE SAVEPOINT part")


class Store:
    """The door to units."""

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """Give a unit: committed on leaving, undone on any exception or cancellation."""
        async with self._database.transaction() as connection:
            yield Unit(connection, self._now())

    async def journal(self, arrivals: Sequence[NewArrival]) -> int:
        """Write arrivals down once each, with one `received_at`; gives how many were new.

        Where somebody has come or gone, others read what is said from now on; and while they were out, nobody told us
        of their devices (seen on Synapse).
        """
        async with self._database.transaction() as connection:
            inbox = Inbox(connection)
            await inbox.begin_journaling()
            new = await inbox.journal(arrivals, self._now())
            moved = [arrival for arrival in arrivals if arrival.member is not None]
            await Rooms(connection).changed(sorted({arrival.lane for arrival in moved}))
            await Keys(connection).devices_changed(sorted({str(arrival.member) for arrival in moved}))
            return new

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Unit]:
        """Give the stores as they are at one moment, for reading what belongs together."""
        async with self._database.snapshot() as connection:
            yield Unit(connection, self._now())

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Unit]:
        """Give the stores outside a transaction, for reading."""
        async with self._database.reading() as connection:
            yield Unit(connection, self._now())
