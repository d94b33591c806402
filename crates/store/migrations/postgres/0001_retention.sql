-- Written from the step of the same number in migrations/sqlite, with UPDATE=1 cargo test -p
-- chancery-store. BYTEA for BLOB, identities for row numbers, TSVECTOR for full text, and on every
-- TEXT the collation "C": text is ordered by code points, and only ASCII changes case.

-- Growth: parts of the hot tables, rules by which events leave them, holds that keep them. Belongs
-- to the first step.

-- Parts that event, event_target, event_key and event_text are divided into on a server: each holds
-- a range of log indexes.
CREATE TABLE log_part (
    first_index BIGINT NOT NULL PRIMARY KEY,
    end_index   BIGINT NOT NULL                    -- of the next part
);

-- Rules: which events leave the database, and when. Runs name the version that they followed.
CREATE TABLE retention_rule (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- its identity; never changes
    version    BIGINT NOT NULL,
    enabled    BIGINT NOT NULL,
    filter     TEXT COLLATE "C" NOT NULL,          -- empty: every event
    basis      TEXT COLLATE "C" NOT NULL,          -- event: its time | expiry: of its certificate
    after_days BIGINT NOT NULL,                    -- so long after that
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Legal holds: what no rule removes while they last.
CREATE TABLE legal_hold (
    name        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    filter      TEXT COLLATE "C" NOT NULL,         -- events that are held
    reason      TEXT COLLATE "C" NOT NULL,         -- for people
    placed_by   TEXT COLLATE "C" NOT NULL,         -- kind/id of the actor
    placed_at   BIGINT NOT NULL,
    released_by TEXT COLLATE "C",
    released_at BIGINT                             -- NULL: it lasts
);
CREATE INDEX legal_hold_by_end ON legal_hold (released_at);

-- Every run of a rule: also what is told of an event that it removed.
CREATE TABLE retention_run (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- also of the event about it
    rule         TEXT COLLATE "C" NOT NULL,
    rule_version BIGINT NOT NULL,
    rule_text    TEXT COLLATE "C" NOT NULL,        -- what the rule said, in a sentence
    state        TEXT COLLATE "C" NOT NULL,        -- running | succeeded | failed
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    removed      BIGINT NOT NULL,
    held         BIGINT NOT NULL,                  -- kept back by legal holds
    first_index  BIGINT,                           -- of what it removed
    last_index   BIGINT,
    message      TEXT COLLATE "C"                  -- why it failed
);
CREATE INDEX retention_run_by_start ON retention_run (started_at, id);

-- Where an event stands that was removed.
CREATE TABLE removed_event (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    log_index BIGINT NOT NULL
);

-- Neighbours that one run removed.
CREATE TABLE removed_span (
    first_index BIGINT NOT NULL PRIMARY KEY,
    last_index  BIGINT NOT NULL,
    run         TEXT COLLATE "C" NOT NULL
);
CREATE INDEX removed_span_by_run ON removed_span (run, last_index);
