"""Group buys, whole: terms, variants, orders with payments, units that wait, buys in several groups."""

STATEMENTS = (
    "ALTER TABLE group_buy ADD COLUMN opens_at BIGINT",
    # JSON of what else the terms have: limits for a member, variants, shared cost, tax.
    "ALTER TABLE group_buy ADD COLUMN extras TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE group_buy ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0",
    "UPDATE group_buy SET frozen = 1 WHERE id IN (SELECT buy_id FROM tranche)",
    # What the clearing came to, NULL before it; `house` and `house_arrived` are JSON of units by variant.
    "ALTER TABLE group_buy ADD COLUMN unit_minor BIGINT",
    "ALTER TABLE group_buy ADD COLUMN total INTEGER",
    "ALTER TABLE group_buy ADD COLUMN minimum INTEGER",
    "ALTER TABLE group_buy ADD COLUMN house TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE group_buy ADD COLUMN house_arrived TEXT",
    "ALTER TABLE group_buy ADD COLUMN absorbed INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE group_buy ADD COLUMN at_risk INTEGER NOT NULL DEFAULT 0",
    # The group of a member who pledges: a buy may be shown in several.
    "ALTER TABLE tranche ADD COLUMN group_id TEXT NOT NULL DEFAULT ''",
    "UPDATE tranche SET group_id = (SELECT group_id FROM group_buy WHERE id = tranche.buy_id)",
    "ALTER TABLE tranche ADD COLUMN variant TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE tranche ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX tranche_pledger ON tranche (group_id, number)",
    # Other groups in which a buy is shown: `place` 1 is "group 2".
    """CREATE TABLE shown_in (
        buy_id   TEXT    NOT NULL REFERENCES group_buy (id),
        group_id TEXT    NOT NULL REFERENCES coterie_group (id),
        place    INTEGER NOT NULL,
        PRIMARY KEY (buy_id, group_id)
    )""",
    "CREATE INDEX shown_in_group ON shown_in (group_id)",
    "CREATE INDEX ledger_cause ON ledger (cause)",
    # The message with the result of a buy, in the room of the card: its lines are kept up to date.
    "ALTER TABLE card ADD COLUMN result_id TEXT",
    # Made anew, as a member may have several orders of one buy. `ordered` and `arrived` are JSON of units by variant.
    "ALTER TABLE purchase_order RENAME TO purchase_order_v1",
    """CREATE TABLE purchase_order (
        id           TEXT    PRIMARY KEY,
        buy_id       TEXT    NOT NULL REFERENCES group_buy (id),
        place        INTEGER NOT NULL,
        line_id      TEXT    NOT NULL UNIQUE,
        group_id     TEXT    NOT NULL,
        number       INTEGER NOT NULL,
        ordered      TEXT    NOT NULL,
        unit_minor   BIGINT  NOT NULL,
        shared_minor BIGINT  NOT NULL DEFAULT 0,
        tax_minor    BIGINT  NOT NULL DEFAULT 0,
        total_minor  BIGINT  NOT NULL,
        currency     TEXT    NOT NULL,
        pay_by       BIGINT  NOT NULL,
        status       TEXT    NOT NULL,
        arrived      TEXT,
        reminders    INTEGER NOT NULL DEFAULT 0,
        created_at   BIGINT  NOT NULL,
        UNIQUE (buy_id, place)
    )""",
    "INSERT INTO purchase_order (id, buy_id, place, line_id, group_id, number, ordered, unit_minor, total_minor,"
    " currency, pay_by, status, created_at)"
    " SELECT o.id, o.buy_id, (SELECT COUNT(*) FROM purchase_order_v1 e WHERE e.buy_id = o.buy_id"
    " AND e.number < o.number), o.line_id, b.group_id, o.number, '[[\"\", ' || o.units || ']]', o.unit_minor,"
    " o.total_minor, o.currency, o.created_at + 604800000, 'owed', o.created_at"
    " FROM purchase_order_v1 o JOIN group_buy b ON b.id = o.buy_id",
    "DROP TABLE purchase_order_v1",
    "CREATE INDEX purchase_order_pledger ON purchase_order (group_id, number)",
    # Money that came or went back, kept for ever.
    """CREATE TABLE payment (
        buy_id       TEXT    NOT NULL REFERENCES group_buy (id),
        reference    TEXT    NOT NULL,
        place        INTEGER NOT NULL,
        order_id     TEXT    NOT NULL REFERENCES purchase_order (id),
        amount_minor BIGINT  NOT NULL,
        reverses     TEXT,
        at           BIGINT  NOT NULL,
        PRIMARY KEY (buy_id, reference)
    )""",
    # Units of a member that found no place, in the order in which they are offered what becomes free.
    """CREATE TABLE unplaced (
        buy_id    TEXT    NOT NULL REFERENCES group_buy (id),
        id        TEXT    NOT NULL,
        place     INTEGER NOT NULL,
        group_id  TEXT    NOT NULL,
        number    INTEGER NOT NULL,
        variant   TEXT    NOT NULL,
        units     INTEGER NOT NULL,
        offered   INTEGER NOT NULL,
        answer_by BIGINT  NOT NULL,
        passed    INTEGER NOT NULL,
        PRIMARY KEY (buy_id, id)
    )""",
    "UPDATE group_buy SET status = 'collecting' WHERE status = 'succeeded'",
    "UPDATE group_buy SET unit_minor = (SELECT MAX(unit_minor) FROM purchase_order WHERE buy_id = group_buy.id)"
    " WHERE status = 'collecting'",
    # Sessions at Stripe in which an order can be, or was, paid. `id` is the idempotency key, `payment` Stripe's name of
    # the money that came.
    """CREATE TABLE checkout (
        id           TEXT   PRIMARY KEY,
        order_id     TEXT   NOT NULL REFERENCES purchase_order (id),
        amount_minor BIGINT NOT NULL,
        status       TEXT   NOT NULL,
        asked_at     BIGINT NOT NULL,
        expires_at   BIGINT NOT NULL,
        session_id   TEXT,
        url          TEXT,
        payment      TEXT   UNIQUE
    )""",
    "CREATE INDEX checkout_order ON checkout (order_id)",
    # What members say for a product, and the reactions by which they like it.
    """CREATE TABLE recommendation (
        product_id TEXT    NOT NULL REFERENCES product (id),
        group_id   TEXT    NOT NULL,
        number     INTEGER NOT NULL,
        why        TEXT    NOT NULL,
        event_id   TEXT    NOT NULL UNIQUE,
        at         BIGINT  NOT NULL,
        PRIMARY KEY (product_id, group_id, number)
    )""",
    """CREATE TABLE liked (
        event_id   TEXT    PRIMARY KEY,
        product_id TEXT    NOT NULL REFERENCES product (id),
        group_id   TEXT    NOT NULL,
        number     INTEGER NOT NULL
    )""",
    "CREATE INDEX liked_product ON liked (product_id)",
    "ALTER TABLE coterie_group ADD COLUMN private_pledges INTEGER NOT NULL DEFAULT 0",
)
