"""The schema, append only: a landed migration is never edited, a new one is added below it.

`*_at` are ms since the epoch, `*_minor` integer minor units; booleans are 0 and 1; JSON is TEXT (PostgreSQL's own
type would refuse or reorder what a homeserver may send).
"""

import json

from mautrix.util.async_db import Scheme, UpgradeTable
from mautrix.util.async_db.connection import LoggingConnection

from appservice.store.migrations import v1, v2, v3, v4, v5

VERSION_TABLE = "coterie_version"
UPGRADES = UpgradeTable(version_table_name=VERSION_TABLE, database_name="Coterie's database")


async def upgrade_v1(connection: LoggingConnection, scheme: Scheme) -> None:
    """Make the first schema."""
    await _run(connection, scheme, v1.STATEMENTS)


async def upgrade_v2(connection: LoggingConnection, scheme: Scheme) -> None:
    """Seats, aliases, vouching, codes, adopted rooms."""
    await _run(connection, scheme, v2.STATEMENTS)


async def upgrade_v3(connection: LoggingConnection, scheme: Scheme) -> None:
    """What follows a group buy's close, and what its terms may be."""
    await _run(connection, scheme, v3.STATEMENTS)
    for row in await connection.fetch("SELECT id, tiers, unit_minor FROM group_buy WHERE unit_minor IS NOT NULL"):
        reached = [tier["minimum"] for tier in json.loads(row["tiers"]) if tier["unit_price"] == row["unit_minor"]]
        orders = await connection.fetch("SELECT ordered FROM purchase_order WHERE buy_id = $1", row["id"])
        total = sum(units for order in orders for _, units in json.loads(order["ordered"]))
        await connection.execute(
            "UPDATE group_buy SET total = $2, minimum = $3 WHERE id = $1", row["id"], total, max(reached, default=1)
        )


async def upgrade_v4(connection: LoggingConnection, scheme: Scheme) -> None:
    """What encryption needs."""
    await _run(connection, scheme, v4.STATEMENTS)


async def upgrade_v5(connection: LoggingConnection, scheme: Scheme) -> None:
    """What the desk needs."""
    await _run(connection, scheme, v5.STATEMENTS)


async def _run(connection: LoggingConnection, scheme: Scheme, statements: tuple[str, ...]) -> None:
    serial = (
        "INTEGER PRIMARY KEY AUTOINCREMENT"
        if scheme is Scheme.SQLITE
        else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    )
    for statement in statements:
        await connection.execute(statement.replace("{serial}", serial))


UPGRADES.register(upgrade_v1, description="The main job: groups, products, group buys, orders")
UPGRADES.register(upgrade_v2, description="Groups that stay private: aliases, vouching, codes, waitlist, adoption")
UPGRADES.register(upgrade_v3, description="Group buys, whole: terms, variants, payments, waiting units, several groups")
UPGRADES.register(upgrade_v4, description="Encryption: keys, encrypted rooms, arrivals that wait for their key")
UPGRADES.register(upgrade_v5, description="The desk: questions, duty, service hours, drafts, help rooms")
