-- Events of other systems. Belongs to the first step.

-- Where events come from: one row for each system that may send.
CREATE TABLE intake_source (
    name         TEXT NOT NULL PRIMARY KEY,        -- its identity; in the address it sends to
    dialect      TEXT NOT NULL,                    -- what it speaks: okta, akeyless, horizon …
    secret_hash  BLOB NOT NULL,                    -- SHA-256 of its secret
    enabled      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    accepted     BIGINT NOT NULL,                  -- events taken in
    repeated     BIGINT NOT NULL,                  -- events that were there already
    unknown      BIGINT NOT NULL,                  -- events taken in whose code is not known
    refused      BIGINT NOT NULL,                  -- bodies that could not be read
    last_at      BIGINT,                           -- when something came last
    last_problem TEXT,                             -- what was wrong last
    dropped      BIGINT NOT NULL,                  -- lines of syslog for which there was no room
    addresses    TEXT NOT NULL,                    -- ranges it sends syslog from; a JSON list
    certificates TEXT NOT NULL,                    -- client certificates it sends with; a JSON list
    poll         TEXT,                             -- what is fetched from it; JSON
    poll_secrets BLOB,                             -- what that needs to know, encrypted
    poll_next    TEXT,                             -- where to go on: path and query
    poll_turn    BIGINT NOT NULL,                  -- counts bookings: the fence of who fetches
    poll_at      BIGINT,                           -- when it is due
    poll_done_at BIGINT,                           -- when it was last answered
    poll_failing BIGINT NOT NULL,                  -- failures in a row
    poll_error   TEXT,                             -- why it failed last
    poll_newest_at BIGINT                          -- time of the newest event that came
);

-- Which events of a source are there already; kept for some months.
CREATE TABLE intake_seen (
    source  TEXT NOT NULL,
    key     BLOB NOT NULL,                         -- SHA-256 of the source's identifier of it
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (source, key)
) WITHOUT ROWID;
CREATE INDEX intake_seen_by_time ON intake_seen (seen_at);
