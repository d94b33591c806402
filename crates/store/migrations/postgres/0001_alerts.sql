-- Written from the step of the same number in migrations/sqlite, with UPDATE=1 cargo test -p
-- chancery-store. BYTEA for BLOB, identities for row numbers, TSVECTOR for full text, and on every
-- TEXT the collation "C": text is ordered by code points, and only ASCII changes case.

-- What somebody has to look at. Belongs to the first step.

-- What a person has to look at: one row for each time that a cause appeared.
CREATE TABLE alert (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    cause_key       TEXT COLLATE "C" NOT NULL,     -- at most one alert that is not resolved has it
    kind            TEXT COLLATE "C" NOT NULL,     -- job_failed, account_locked, …
    severity        TEXT COLLATE "C" NOT NULL,     -- info | warning | error | critical
    severity_rank   BIGINT NOT NULL,               -- 1 to 4: the order of the above
    state           TEXT COLLATE "C" NOT NULL,     -- open | acknowledged | snoozed | resolved
    title           TEXT COLLATE "C" NOT NULL,     -- names no person
    message         TEXT COLLATE "C" NOT NULL,
    message_private BIGINT NOT NULL,               -- the message may be about a person: cleared by erasure
    words           TEXT COLLATE "C" NOT NULL,     -- tokens of title and public message between spaces
    object_kind     TEXT COLLATE "C",
    object_id       TEXT COLLATE "C",
    object_name     TEXT COLLATE "C",              -- NULL: nameless, or the name of a person
    source          TEXT COLLATE "C" NOT NULL,     -- job, trigger/NAME, monitor/NAME, …
    occurrences     BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,               -- the cause was first seen
    last_seen_at    BIGINT NOT NULL,               -- the cause was last seen
    news_at         BIGINT NOT NULL,               -- raised, escalated, woken or reopened
    acknowledged_by TEXT COLLATE "C",              -- account; accounts may be deleted
    acknowledged_at BIGINT,
    assigned_to     TEXT COLLATE "C",              -- account
    assigned_by     TEXT COLLATE "C",              -- account that gave it; NULL: nobody did, or the program
    snoozed_until   BIGINT,                        -- a snooze always ends
    snooze_ends_on_change BIGINT NOT NULL,
    resolved_at     BIGINT,
    resolved_by     TEXT COLLATE "C",              -- account; NULL: the cause went away
    resolved_because TEXT COLLATE "C",             -- a word, such as job_succeeded or by_hand
    previous        TEXT COLLATE "C",              -- the alert of the same cause before this one
    raised_event    TEXT COLLATE "C" NOT NULL,     -- the event alert.raised
    last_event      TEXT COLLATE "C",              -- the event that last brought the cause
    addressed       BIGINT NOT NULL,               -- 1: it rings for those in alert_audience alone
    version         BIGINT NOT NULL
);
CREATE UNIQUE INDEX alert_unresolved ON alert (cause_key) WHERE resolved_at IS NULL;
CREATE INDEX alert_by_cause ON alert (cause_key, created_at);
CREATE INDEX alert_by_created ON alert (created_at, id);
CREATE INDEX alert_by_seen ON alert (last_seen_at, id);
CREATE INDEX alert_by_severity ON alert (severity_rank, id);
CREATE INDEX alert_by_state ON alert (state, created_at, id);
-- The same orders over what is not resolved: a list of a few among many that are.
CREATE INDEX alert_unresolved_by_created ON alert (created_at, id) WHERE resolved_at IS NULL;
CREATE INDEX alert_unresolved_by_seen ON alert (last_seen_at, id) WHERE resolved_at IS NULL;
CREATE INDEX alert_unresolved_by_severity ON alert (severity_rank, id) WHERE resolved_at IS NULL;
CREATE INDEX alert_unresolved_by_news ON alert (news_at) WHERE resolved_at IS NULL;
-- Facets are counted from this alone: groups of all of them at once are few.
CREATE INDEX alert_unresolved_by_facets ON alert (state, severity, kind, object_kind, source)
    WHERE resolved_at IS NULL;
CREATE INDEX alert_by_object ON alert (object_id) WHERE object_id IS NOT NULL;
CREATE INDEX alert_snoozed ON alert (snoozed_until) WHERE state = 'snoozed';
CREATE INDEX alert_by_raised_event ON alert (raised_event);

-- Whom an alert rings for that is addressed to somebody. Others find it in the list, and it is no news
-- to them.
CREATE TABLE alert_audience (
    alert  TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    reader TEXT COLLATE "C" NOT NULL,              -- identifier of an account, or role:NAME
    PRIMARY KEY (alert, reader)
);

-- What an account said of one alert: it has read it, or wants it to count as unread. Counts only
-- while it is newer than alert_reader.read_until.
CREATE TABLE alert_mark (
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    alert   TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    unread  BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (account, alert)
);
CREATE INDEX alert_mark_by_alert ON alert_mark (alert);

-- What an account has read as a whole: everything whose news are not newer than this.
CREATE TABLE alert_reader (
    account    TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    read_until BIGINT NOT NULL,
    before     BIGINT NOT NULL                     -- what it was before, to undo it once
);

-- What people changed about alerts within the last day, to take it back exactly.
CREATE TABLE alert_change (
    id      TEXT COLLATE "C" NOT NULL,             -- of the change: its first event
    alert   TEXT COLLATE "C" NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE, -- who made it
    was     TEXT COLLATE "C" NOT NULL,             -- JSON: how the alert stood before
    became  TEXT COLLATE "C" NOT NULL,             -- JSON: how it stood after
    at      BIGINT NOT NULL,
    PRIMARY KEY (id, alert)
);
CREATE INDEX alert_change_by_at ON alert_change (at);
CREATE INDEX alert_change_by_alert ON alert_change (alert);
CREATE INDEX alert_change_by_account ON alert_change (account);
