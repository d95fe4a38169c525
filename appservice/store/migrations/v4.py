"""Encryption: which rooms are encrypted, arrivals that wait for their key, and the keys of the bot's device.

The `crypto_` tables are those of mautrix's PgCryptoStore (schema 10) that it still has here; Megolm sessions are ours,
and so is `crypto_olm_session.owner`: the device by whose one-time key we began the session.
"""

STATEMENTS = (
    # The content of m.room.encryption as JSON, NULL in a room that is not encrypted; `epoch` counts changes of who
    # may read what is said next.
    "ALTER TABLE room ADD COLUMN encryption TEXT",
    "ALTER TABLE room ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
    # Whether rooms that are made for a group are encrypted; those before were not.
    "ALTER TABLE coterie_group ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0",
    # The Megolm session for whose key an arrival waits, and who sent it; NULL unless it does.
    "ALTER TABLE arrival ADD COLUMN session_id TEXT",
    "ALTER TABLE arrival ADD COLUMN sender TEXT",
    "CREATE INDEX arrival_session ON arrival (session_id)",
    "CREATE INDEX arrival_sender ON arrival (sender)",
    # Sessions of others, by the person who gave them to us: nobody can stand in for another.
    """CREATE TABLE megolm_inbound (
        room_id     TEXT   NOT NULL,
        session_id  TEXT   NOT NULL,
        user_id     TEXT   NOT NULL,
        sender_key  TEXT   NOT NULL,
        session     TEXT   NOT NULL,
        first_index BIGINT NOT NULL,
        used_at     BIGINT NOT NULL,
        PRIMARY KEY (room_id, session_id, user_id)
    )""",
    "CREATE INDEX megolm_inbound_age ON megolm_inbound (used_at)",
    # Which message of a session each event was: a second one of the same person is a replay.
    """CREATE TABLE megolm_index (
        session_id    TEXT   NOT NULL,
        user_id       TEXT   NOT NULL,
        message_index BIGINT NOT NULL,
        event_id      TEXT   NOT NULL,
        read_at       BIGINT NOT NULL,
        PRIMARY KEY (session_id, user_id, message_index)
    )""",
    "CREATE INDEX megolm_index_age ON megolm_index (read_at)",
    # Our own session of each room, shared when `epoch` was the room's; `missing` is JSON of the devices that could not
    # be given the key, tried again at `retry_at`.
    """CREATE TABLE megolm_outbound (
        room_id    TEXT    NOT NULL PRIMARY KEY,
        session_id TEXT    NOT NULL,
        session    TEXT    NOT NULL,
        epoch      INTEGER NOT NULL,
        messages   INTEGER NOT NULL,
        made_at    BIGINT  NOT NULL,
        missing    TEXT    NOT NULL,
        retry_at   BIGINT  NOT NULL
    )""",
    """CREATE TABLE crypto_account (
        account_id TEXT    PRIMARY KEY,
        device_id  TEXT    NOT NULL,
        shared     BOOLEAN NOT NULL,
        sync_token TEXT    NOT NULL,
        account    bytea   NOT NULL
    )""",
    "CREATE TABLE crypto_tracked_user (user_id TEXT PRIMARY KEY)",
    """CREATE TABLE crypto_device (
        user_id      TEXT,
        device_id    TEXT,
        identity_key CHAR(43) NOT NULL,
        signing_key  CHAR(43) NOT NULL,
        trust        SMALLINT NOT NULL,
        deleted      BOOLEAN  NOT NULL,
        name         TEXT     NOT NULL,
        PRIMARY KEY (user_id, device_id)
    )""",
    """CREATE TABLE crypto_olm_session (
        account_id     TEXT,
        session_id     CHAR(43),
        sender_key     CHAR(43)  NOT NULL,
        session        bytea     NOT NULL,
        created_at     timestamp NOT NULL,
        last_decrypted timestamp NOT NULL,
        last_encrypted timestamp NOT NULL,
        owner          TEXT      NOT NULL DEFAULT '',
        PRIMARY KEY (account_id, session_id)
    )""",
    "CREATE INDEX crypto_olm_session_of ON crypto_olm_session (sender_key)",
    """CREATE TABLE crypto_cross_signing_keys (
        user_id        TEXT,
        usage          TEXT,
        key            CHAR(43) NOT NULL,
        first_seen_key CHAR(43) NOT NULL,
        PRIMARY KEY (user_id, usage)
    )""",
    """CREATE TABLE crypto_cross_signing_signatures (
        signed_user_id TEXT,
        signed_key     TEXT,
        signer_user_id TEXT,
        signer_key     TEXT,
        signature      CHAR(88) NOT NULL,
        PRIMARY KEY (signed_user_id, signed_key, signer_user_id, signer_key)
    )""",
)
