"""The desk: questions with what was said about them, duty, service hours, drafts, help rooms."""

STATEMENTS = (
    # Service hours as JSON ({}: always), the commission in hundredths of a per cent, and the group's own card.
    "ALTER TABLE coterie_group ADD COLUMN hours TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE coterie_group ADD COLUMN commission INTEGER",
    "ALTER TABLE coterie_group ADD COLUMN card_id TEXT",
    "ALTER TABLE coterie_group ADD COLUMN card_shown TEXT",
    # NULL until a concierge has said whether they are on duty; when they were last given a help room; whether the
    # account is another program's.
    "ALTER TABLE member ADD COLUMN duty INTEGER",
    "ALTER TABLE member ADD COLUMN helped_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE member ADD COLUMN machine INTEGER NOT NULL DEFAULT 0",
    # `state` is JSON of what the rules need to know; what is searched for has columns. `root_id` is the newest line in
    # the desk that is about it, `shown` what it says; `due_at` when something falls due. `helper` is the concierge who
    # is let into the help room.
    """CREATE TABLE question (
        id           TEXT    PRIMARY KEY,
        group_id     TEXT    NOT NULL REFERENCES coterie_group (id),
        number       INTEGER NOT NULL,
        room_id      TEXT,
        event_id     TEXT,
        text         TEXT,
        picture      TEXT,
        asked_at     BIGINT  NOT NULL,
        is_direct    INTEGER NOT NULL,
        status       TEXT    NOT NULL,
        claimant     INTEGER,
        waits        INTEGER NOT NULL,
        resolved_at  BIGINT,
        due_at       BIGINT,
        state        TEXT    NOT NULL,
        root_id      TEXT,
        shown        TEXT,
        help_room_id TEXT,
        helper       INTEGER,
        revision     BIGINT  NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX question_live ON question (group_id, status)",
    "CREATE INDEX question_due ON question (group_id, due_at)",
    # Which events have to do with a question: its own (`asked`, `more`), answers (`answer`, `peer`), lines in the desk
    # (`root`) and the reactions that mean something (`claim`, `done`); `number` is whose it is.
    """CREATE TABLE question_event (
        event_id    TEXT    NOT NULL,
        question_id TEXT    NOT NULL REFERENCES question (id),
        role        TEXT    NOT NULL,
        number      INTEGER,
        at          BIGINT  NOT NULL,
        PRIMARY KEY (event_id, question_id)
    )""",
    "CREATE INDEX question_event_of ON question_event (question_id, role)",
    """CREATE TABLE question_note (
        question_id TEXT    NOT NULL REFERENCES question (id),
        at          BIGINT  NOT NULL,
        number      INTEGER NOT NULL,
        text        TEXT    NOT NULL
    )""",
    "CREATE INDEX question_note_of ON question_note (question_id, at)",
    # What somebody asked directly, message by message, until they have said which group it is for.
    """CREATE TABLE unplaced_question (
        event_id TEXT   PRIMARY KEY,
        user_id  TEXT   NOT NULL,
        room_id  TEXT   NOT NULL,
        text     TEXT   NOT NULL,
        picture  TEXT,
        asked_at BIGINT NOT NULL
    )""",
    "CREATE INDEX unplaced_question_of ON unplaced_question (user_id, asked_at)",
    """CREATE TABLE canned (
        group_id TEXT NOT NULL REFERENCES coterie_group (id),
        name     TEXT NOT NULL,
        text     TEXT NOT NULL,
        PRIMARY KEY (group_id, name)
    )""",
    # What a concierge would pledge for a member, until the member has confirmed it by a reaction to `event_id`.
    """CREATE TABLE proposal (
        id       TEXT    PRIMARY KEY,
        group_id TEXT    NOT NULL REFERENCES coterie_group (id),
        number   INTEGER NOT NULL,
        buy_id   TEXT    NOT NULL REFERENCES group_buy (id),
        words    TEXT    NOT NULL,
        made_by  INTEGER NOT NULL,
        made_at  BIGINT  NOT NULL,
        event_id TEXT
    )""",
    "CREATE INDEX proposal_event ON proposal (event_id)",
)
