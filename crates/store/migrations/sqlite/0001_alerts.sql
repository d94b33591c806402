-- What somebody has to look at. Belongs to the first step.

-- What a person has to look at: one row for each time that a cause appeared.
CREATE TABLE alert (
    id              TEXT NOT NULL PRIMARY KEY,
    cause_key       TEXT NOT NULL,                 -- at most one alert that is not resolved has it
    kind            TEXT NOT NULL,                 -- job_failed, account_locked, …
    severity        TEXT NOT NULL,                 -- info | warning | error | critical
    severity_rank   BIGINT NOT NULL,               -- 1 to 4: the order of the above
    state           TEXT NOT NULL,                 -- open | acknowledged | snoozed | resolved
    title           TEXT NOT NULL,                 -- names no person
    message         TEXT NOT NULL,
    message_private BIGINT NOT NULL,               -- the message may be about a person: cleared by erasure
    words           TEXT NOT NULL,                 -- tokens of title and public message between spaces
    object_kind     TEXT,
    object_id       TEXT,
    object_name     TEXT,                          -- NULL: nameless, or the name of a person
    source          TEXT NOT NULL,                 -- job, trigger/NAME, monitor/NAME, …
    occurrences     BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,               -- the cause was first seen
    last_seen_at    BIGINT NOT NULL,               -- the cause was last seen
    news_at         BIGINT NOT NULL,               -- raised, escalated, woken or reopened
    acknowledged_by TEXT,                          -- account; accounts may be deleted
    acknowledged_at BIGINT,
    assigned_to     TEXT,                          -- account
    assigned_by     TEXT,                          -- account that gave it; NULL: nobody did, or the program
    snoozed_until   BIGINT,                        -- a snooze always ends
    snooze_ends_on_change BIGINT NOT NULL,
    resolved_at     BIGINT,
    resolved_by     TEXT,                          -- account; NULL: the cause went away
    resolved_because TEXT,                         -- a word, such as job_succeeded or by_hand
    previous        TEXT,                          -- the alert of the same cause before this one
    raised_event    TEXT NOT NULL,                 -- the event alert.raised
    last_event      TEXT,                          -- the event that last brought the cause
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
    alert  TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    reader TEXT NOT NULL,                          -- identifier of an account, or role:NAME
    PRIMARY KEY (alert, reader)
) WITHOUT ROWID;

-- What an account said of one alert: it has read it, or wants it to count as unread. Counts only
-- while it is newer than alert_reader.read_until.
CREATE TABLE alert_mark (
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    alert   TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    unread  BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (account, alert)
);
CREATE INDEX alert_mark_by_alert ON alert_mark (alert);

-- What an account has read as a whole: everything whose news are not newer than this.
CREATE TABLE alert_reader (
    account    TEXT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    read_until BIGINT NOT NULL,
    before     BIGINT NOT NULL                     -- what it was before, to undo it once
);

-- What people changed about alerts within the last day, to take it back exactly.
CREATE TABLE alert_change (
    id      TEXT NOT NULL,                         -- of the change: its first event
    alert   TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, -- who made it
    was     TEXT NOT NULL,                         -- JSON: how the alert stood before
    became  TEXT NOT NULL,                         -- JSON: how it stood after
    at      BIGINT NOT NULL,
    PRIMARY KEY (id, alert)
);
CREATE INDEX alert_change_by_at ON alert_change (at);
CREATE INDEX alert_change_by_alert ON alert_change (alert);
CREATE INDEX alert_change_by_account ON alert_change (account);
