"""The schema, append only: a landed migration is never edited, a new one is added below it.

`*_at` are ms since the epoch, `*_minor` integer minor units; booleans are 0 and 1; JSON is TEXT (PostgreSQL's own
type would refuse or reorder what a homeserver may send).
"""

from mautrix.util.async_db import Scheme, UpgradeTable
from mautrix.util.async_db.connection import LoggingConnection

VERSION_TABLE = "coterie_version"
UPGRADES = UpgradeTable(version_table_name=VERSION_TABLE, database_name="Coterie's database")

_V1 = (
    # What arrived: raw events, answers to our own requests. `content` goes when the arrival is done.
    """CREATE TABLE arrival (
        seq         {serial},
        id          TEXT    NOT NULL UNIQUE,
        lane        TEXT    NOT NULL,
        type        TEXT    NOT NULL,
        content     TEXT,
        received_at BIGINT  NOT NULL,
        status      TEXT    NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        due_at      BIGINT  NOT NULL,
        error       TEXT
    )""",
    "CREATE INDEX arrival_waiting ON arrival (lane, seq) WHERE status = 'waiting'",
    "CREATE INDEX arrival_done ON arrival (received_at) WHERE status = 'done'",
    # What is owed to the outside world.
    """CREATE TABLE effect (
        seq        {serial},
        id         TEXT    NOT NULL UNIQUE,
        lane       TEXT    NOT NULL,
        kind       TEXT    NOT NULL,
        content    TEXT,
        status     TEXT    NOT NULL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        created_at BIGINT  NOT NULL,
        due_at     BIGINT  NOT NULL,
        error      TEXT
    )""",
    "CREATE INDEX effect_waiting ON effect (lane, seq) WHERE status = 'waiting'",
    "CREATE INDEX effect_held ON effect (lane) WHERE status = 'held'",
    "CREATE INDEX effect_sent ON effect (created_at) WHERE status = 'sent'",
    """CREATE TABLE timer (
        kind    TEXT   NOT NULL,
        subject TEXT   NOT NULL,
        due_at  BIGINT NOT NULL,
        PRIMARY KEY (kind, subject)
    )""",
    "CREATE INDEX timer_due ON timer (due_at)",
    "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE room (
        room_id TEXT PRIMARY KEY,
        kind    TEXT NOT NULL,
        subject TEXT NOT NULL
    )""",
    """CREATE TABLE direct (
        user_id TEXT PRIMARY KEY,
        room_id TEXT,
        status  TEXT NOT NULL
    )""",
    """CREATE TABLE coterie_group (
        id          TEXT    PRIMARY KEY,
        name        TEXT    NOT NULL,
        owner       TEXT    NOT NULL,
        cap         INTEGER NOT NULL,
        currency    TEXT    NOT NULL,
        locale      TEXT    NOT NULL,
        time_zone   TEXT    NOT NULL,
        status      TEXT    NOT NULL,
        room_id     TEXT    UNIQUE,
        desk_id     TEXT    UNIQUE,
        last_number INTEGER NOT NULL DEFAULT 0,
        revision    BIGINT  NOT NULL DEFAULT 0,
        created_at  BIGINT  NOT NULL
    )""",
    """CREATE TABLE member (
        group_id   TEXT    NOT NULL REFERENCES coterie_group (id),
        user_id    TEXT    NOT NULL,
        presence   TEXT    NOT NULL,
        power      INTEGER NOT NULL,
        number     INTEGER,
        alias      TEXT,
        invited_by TEXT,
        since_at   BIGINT  NOT NULL,
        PRIMARY KEY (group_id, user_id),
        UNIQUE (group_id, number)
    )""",
    "CREATE INDEX member_user ON member (user_id)",
    """CREATE TABLE product (
        id          TEXT    PRIMARY KEY,
        group_id    TEXT    NOT NULL REFERENCES coterie_group (id),
        sku         TEXT    NOT NULL,
        name        TEXT    NOT NULL,
        price_minor BIGINT  NOT NULL,
        currency    TEXT    NOT NULL,
        link        TEXT    NOT NULL,
        picture     TEXT,
        posted_by   INTEGER NOT NULL,
        posted_at   BIGINT  NOT NULL,
        event_id    TEXT,
        UNIQUE (group_id, sku)
    )""",
    """CREATE TABLE group_buy (
        id          TEXT    PRIMARY KEY,
        group_id    TEXT    NOT NULL REFERENCES coterie_group (id),
        product_id  TEXT    NOT NULL REFERENCES product (id),
        status      TEXT    NOT NULL,
        currency    TEXT    NOT NULL,
        tiers       TEXT    NOT NULL,
        pack        INTEGER NOT NULL,
        cap         INTEGER,
        deadline_at BIGINT  NOT NULL,
        announced   INTEGER NOT NULL,
        opened_by   INTEGER NOT NULL,
        opened_at   BIGINT  NOT NULL,
        revision    BIGINT  NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX group_buy_live ON group_buy (group_id) WHERE status IN ('open', 'closing')",
    """CREATE TABLE tranche (
        buy_id     TEXT    NOT NULL REFERENCES group_buy (id),
        id         TEXT    NOT NULL,
        number     INTEGER NOT NULL,
        quantity   INTEGER NOT NULL,
        flex       INTEGER NOT NULL,
        max_minor  BIGINT,
        position   BIGINT  NOT NULL,
        PRIMARY KEY (buy_id, id)
    )""",
    "CREATE INDEX tranche_id ON tranche (id)",
    # A card in a room. `shown` is the content last put on it, `edited_at` when.
    """CREATE TABLE card (
        buy_id    TEXT   NOT NULL REFERENCES group_buy (id),
        room_id   TEXT   NOT NULL,
        event_id  TEXT   UNIQUE,
        shown     TEXT   NOT NULL,
        edited_at BIGINT NOT NULL,
        PRIMARY KEY (buy_id, room_id)
    )""",
    # Every event that is or was a card: a pledge on any card of a buy counts.
    """CREATE TABLE card_event (
        event_id TEXT PRIMARY KEY,
        buy_id   TEXT NOT NULL REFERENCES group_buy (id)
    )""",
    """CREATE TABLE purchase_order (
        id          TEXT    PRIMARY KEY,
        buy_id      TEXT    NOT NULL REFERENCES group_buy (id),
        line_id     TEXT    NOT NULL UNIQUE,
        number      INTEGER NOT NULL,
        units       INTEGER NOT NULL,
        unit_minor  BIGINT  NOT NULL,
        total_minor BIGINT  NOT NULL,
        currency    TEXT    NOT NULL,
        created_at  BIGINT  NOT NULL,
        UNIQUE (buy_id, number)
    )""",
    # Append only. What happened, in order, to whose account, by whom and why.
    """CREATE TABLE ledger (
        seq          {serial},
        at           BIGINT  NOT NULL,
        group_id     TEXT    NOT NULL,
        buy_id       TEXT,
        number       INTEGER,
        fact         TEXT    NOT NULL,
        units        INTEGER NOT NULL DEFAULT 0,
        amount_minor BIGINT  NOT NULL DEFAULT 0,
        currency     TEXT,
        detail       TEXT    NOT NULL,
        actor        INTEGER,
        cause        TEXT    NOT NULL
    )""",
    "CREATE INDEX ledger_buy ON ledger (buy_id, seq)",
    "CREATE INDEX ledger_group ON ledger (group_id, seq)",
)


async def upgrade_v1(connection: LoggingConnection, scheme: Scheme) -> None:
    """Make the first schema."""
    await _run(connection, scheme, _V1)


async def _run(connection: LoggingConnection, scheme: Scheme, statements: tuple[str, ...]) -> None:
    serial = (
        "INTEGER PRIMARY KEY AUTOINCREMENT"
        if scheme is Scheme.SQLITE
        else "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    )
    for statement in statements:
        await connection.execute(statement.replace("{serial}", serial))


UPGRADES.register(upgrade_v1, description="The main job: groups, products, group buys, orders")

_V2 = (
    # NULL where the bot created the room; else its power level in the adopted one.
    "ALTER TABLE coterie_group ADD COLUMN bot_power INTEGER",
    "ALTER TABLE coterie_group ADD COLUMN kept TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE coterie_group ADD COLUMN shown_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE member ADD COLUMN sponsor INTEGER",
    "ALTER TABLE member ADD COLUMN joined_at BIGINT",
    "ALTER TABLE member ADD COLUMN suspended TEXT",
    "ALTER TABLE member ADD COLUMN name_key TEXT",
    "UPDATE member SET joined_at = since_at WHERE number IS NOT NULL",
    # Every alias that anyone ever had: none is given to somebody else.
    """CREATE TABLE alias (
        group_id TEXT    NOT NULL REFERENCES coterie_group (id),
        key      TEXT    NOT NULL,
        number   INTEGER NOT NULL,
        alias    TEXT    NOT NULL,
        given_at BIGINT  NOT NULL,
        PRIMARY KEY (group_id, key)
    )""",
    # What a member asks the concierges to approve: a person (`user_id`) or a code (`kind`).
    """CREATE TABLE vouch (
        id         TEXT    PRIMARY KEY,
        group_id   TEXT    NOT NULL REFERENCES coterie_group (id),
        kind       TEXT    NOT NULL,
        sponsor    INTEGER NOT NULL,
        user_id    TEXT,
        why        TEXT    NOT NULL,
        status     TEXT    NOT NULL,
        event_id   TEXT    UNIQUE,
        decided_by INTEGER,
        created_at BIGINT  NOT NULL
    )""",
    "CREATE INDEX vouch_pending ON vouch (group_id) WHERE status = 'pending'",
    # The code itself is written nowhere: `hash` is its SHA-256. A live one reserves a seat.
    """CREATE TABLE code (
        id         TEXT    PRIMARY KEY,
        group_id   TEXT    NOT NULL REFERENCES coterie_group (id),
        maker      INTEGER NOT NULL,
        hash       TEXT    NOT NULL UNIQUE,
        status     TEXT    NOT NULL,
        expires_at BIGINT  NOT NULL
    )""",
    "CREATE INDEX code_live ON code (group_id) WHERE status = 'live'",
    # Who waits for a seat; the lowest position comes first.
    """CREATE TABLE waiting (
        group_id TEXT    NOT NULL REFERENCES coterie_group (id),
        user_id  TEXT    NOT NULL,
        position BIGINT  NOT NULL,
        power    INTEGER NOT NULL,
        sponsor  INTEGER,
        asked_by TEXT    NOT NULL,
        since_at BIGINT  NOT NULL,
        PRIMARY KEY (group_id, user_id),
        UNIQUE (group_id, position)
    )""",
    # Wrong codes that a person has tried.
    """CREATE TABLE guess (
        seq     {serial},
        user_id TEXT   NOT NULL,
        at      BIGINT NOT NULL
    )""",
    "CREATE INDEX guess_user ON guess (user_id, at)",
    # What was said once and is not to be repeated.
    """CREATE TABLE told (
        subject TEXT   NOT NULL,
        what    TEXT   NOT NULL,
        at      BIGINT NOT NULL,
        PRIMARY KEY (subject, what)
    )""",
    # Rooms that their owners want to have adopted.
    """CREATE TABLE adoption (
        room_id  TEXT    PRIMARY KEY,
        owner    TEXT    NOT NULL,
        cap      INTEGER NOT NULL,
        proposed INTEGER NOT NULL,
        asked_at BIGINT  NOT NULL
    )""",
)


async def upgrade_v2(connection: LoggingConnection, scheme: Scheme) -> None:
    """Seats, aliases, vouching, codes, adopted rooms."""
    await _run(connection, scheme, _V2)


UPGRADES.register(upgrade_v2, description="Groups that stay private: aliases, vouching, codes, waitlist, adoption")
