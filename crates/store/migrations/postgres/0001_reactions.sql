-- Written from the step of the same number in migrations/sqlite, with UPDATE=1 cargo test -p
-- chancery-store. BYTEA for BLOB, identities for row numbers, TSVECTOR for full text, and on every
-- TEXT the collation "C": text is ordered by code points, and only ASCII changes case.

-- How events act: what runs by the clock, and automation. Belongs to the first step.

-- What runs by the clock -----------------------------------------------------------------------------

-- One row for each monitor and schedule that has been set up, beside its definition.
CREATE TABLE task (
    class       TEXT COLLATE "C" NOT NULL,         -- monitor | schedule
    name        TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,                   -- of the definition that it was set up from
    problem     TEXT COLLATE "C",                  -- why it cannot run, if it cannot
    next_at     BIGINT NOT NULL,                   -- when it is due next
    lease       TEXT COLLATE "C",                  -- token of the runner; NULL: nobody runs it
    lease_until BIGINT,
    PRIMARY KEY (class, name)
);

-- Every run: at work, ended, or broken off.
CREATE TABLE task_run (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- also that of the event about the run
    class      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    due_at     BIGINT,                             -- NULL: somebody asked for it
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    state      TEXT COLLATE "C" NOT NULL,          -- running | succeeded | failed | broken_off | refused
    inventory  BIGINT NOT NULL,                    -- objects there are
    watched    BIGINT NOT NULL,                    -- objects that are watched
    evaluated  BIGINT NOT NULL,                    -- objects that were due
    fired      BIGINT NOT NULL,                    -- objects that were reported
    reasons    TEXT COLLATE "C" NOT NULL,          -- JSON: reasons for skipping, with counts
    repaired   BIGINT NOT NULL,
    message    TEXT COLLATE "C",                   -- what went wrong, or what was found
    job        TEXT COLLATE "C"                    -- the job of a schedule
);
CREATE INDEX task_run_by_task ON task_run (class, name, started_at, id);
CREATE INDEX task_run_by_job ON task_run (job) WHERE job IS NOT NULL;

-- What each monitor watches, and when it looks at it next. A run reads what is due and nothing else.
CREATE TABLE monitor_watch (
    monitor   TEXT COLLATE "C" NOT NULL,
    object    TEXT COLLATE "C" NOT NULL,           -- identifier; its kind is that of the monitor
    due_at    BIGINT NOT NULL,                     -- the end of the year 9999: nothing is left to come
    handled   BIGINT NOT NULL,                     -- thresholds up to this instant have fired
    held_by   TEXT COLLATE "C",                    -- it is silent as long as this object holds
    verdict   TEXT COLLATE "C" NOT NULL,           -- of the last look: fired, or why not
    looked_at BIGINT,
    PRIMARY KEY (monitor, object)
);
-- How many rows each monitor has there: kept with each change, because a run compares it with what there is.
CREATE TABLE monitor_count (
    monitor TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    watched BIGINT NOT NULL
);
CREATE INDEX monitor_watch_due ON monitor_watch (monitor, due_at);
CREATE INDEX monitor_watch_held ON monitor_watch (held_by) WHERE held_by IS NOT NULL;

-- Automation ----------------------------------------------------------------------------------------

-- Rules, actions, triggers, scopes, monitors, schedules: the version that counts.
CREATE TABLE automation (
    class      TEXT COLLATE "C" NOT NULL,          -- rule | action | trigger | scope | monitor | schedule
    name       TEXT COLLATE "C" NOT NULL,          -- its identity; never changes
    version    BIGINT NOT NULL,
    enabled    BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (class, name)
);

-- Every version there ever was: a change adds one, and so does a deletion.
CREATE TABLE automation_version (
    class      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    revision   BIGINT NOT NULL,                    -- of the whole configuration, from 1
    enabled    BIGINT NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,          -- JSON; null: deleted
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C",                   -- account; NULL: the program
    PRIMARY KEY (class, name, version)
);
CREATE INDEX automation_version_by_revision ON automation_version (revision);

-- What came of asking a trigger: one row for each trigger that an event concerned. Kept for a bounded
-- time and number.
CREATE TABLE evaluation (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- grows with time: the order of lists
    log_index       BIGINT,                        -- NULL: evaluated before its event was sealed
    event_id        TEXT COLLATE "C" NOT NULL,     -- of an ignored upload: the failed operation
    event_type      TEXT COLLATE "C" NOT NULL,     -- that the trigger listened to
    object          TEXT COLLATE "C",              -- kind/id; NULL: none, or one that was not let in
    scope           TEXT COLLATE "C" NOT NULL,     -- platform, group/NAME, ra_profile/NAME, …
    trigger_name    TEXT COLLATE "C" NOT NULL,
    trigger_version BIGINT NOT NULL,
    revision        BIGINT NOT NULL,               -- of the whole configuration
    verdict         TEXT COLLATE "C" NOT NULL,     -- matched | ignored | nearly | not_matched | not_reached
    failed          BIGINT NOT NULL,               -- some step could not be carried out
    explanation     TEXT COLLATE "C" NOT NULL,     -- JSON: rules with every comparison
    steps           TEXT COLLATE "C" NOT NULL,     -- JSON: steps with their results
    took_us         BIGINT NOT NULL,
    at              BIGINT NOT NULL
);
-- A trigger acts once on an event, whatever happens.
CREATE UNIQUE INDEX evaluation_once ON evaluation (log_index, trigger_name) WHERE log_index IS NOT NULL;
CREATE INDEX evaluation_by_event ON evaluation (event_id);
CREATE INDEX evaluation_by_trigger ON evaluation (trigger_name, id);
CREATE INDEX evaluation_by_object ON evaluation (object, id) WHERE object IS NOT NULL;
CREATE INDEX evaluation_by_verdict ON evaluation (verdict, id);
CREATE INDEX evaluation_by_type ON evaluation (event_type, id);
CREATE INDEX evaluation_by_time ON evaluation (at);

-- Alerts: what the table of the first file is searched and tidied by -------------------------------------

-- One row for each word of title and public message that is not common: finds what a rare word stands in.
-- Other words are looked for in alert.words, row by row. Who deletes an alert deletes its words.
CREATE TABLE alert_word (
    word  TEXT COLLATE "C" NOT NULL,
    alert TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (word, alert)
);
-- Words that stood in very many alerts once: they have no rows from then on.
CREATE TABLE alert_common_word (
    word TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
-- Resolved alerts are kept for a bounded time.
CREATE INDEX alert_by_resolved ON alert (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX alert_by_previous ON alert (previous) WHERE previous IS NOT NULL;
