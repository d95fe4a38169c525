"""The main job: groups, products, group buys, orders."""

STATEMENTS = (
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
