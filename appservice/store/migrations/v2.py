"""Groups that stay private: aliases, vouching, codes, waitlist, adoption."""

STATEMENTS = (
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
