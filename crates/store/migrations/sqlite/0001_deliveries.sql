-- What leaves the house: destinations, deliveries, attempts. Belongs to the first step.

-- Forwarders and notification channels: the version that counts, and how it goes with them.
CREATE TABLE destination (
    name            TEXT NOT NULL PRIMARY KEY,     -- its identity; never changes
    class           TEXT NOT NULL,                 -- forwarder | channel
    kind            TEXT NOT NULL,                 -- webhook, syslog, file, nats, email, …
    version         BIGINT NOT NULL,
    enabled         BIGINT NOT NULL,
    path            TEXT NOT NULL,                 -- folder it lives in, such as /prod
    created_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    disabled_because TEXT,                         -- by_hand | failing | gone; NULL: it is enabled
    next_index      BIGINT NOT NULL,               -- cursor: the next log index it has not looked at
    replay_to       BIGINT,                        -- it sends again up to this index; NULL: it does not
    resume_at       BIGINT,                        -- where it goes on after that
    batch_at        BIGINT,                        -- when its next batch is due; NULL: at once
    lease           TEXT,                          -- token of the node that serves it; NULL: nobody
    lease_until     BIGINT,
    failures        BIGINT NOT NULL,               -- failed attempts in a row
    failing_since   BIGINT,                        -- first of them
    open_until      BIGINT,                        -- circuit breaker: nothing is sent before
    last_attempt_at BIGINT,
    last_success_at BIGINT,
    tested_at       BIGINT,                        -- when a trial got through last
    last_error      TEXT,                          -- of the last attempt; NULL: it got through
    lagging         BIGINT NOT NULL                -- it has been said that it is behind
);
CREATE INDEX destination_by_lease ON destination (lease_until);

-- Every version there ever was: a change adds one, and so does a deletion.
CREATE TABLE destination_version (
    name       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    enabled    BIGINT NOT NULL,
    body       TEXT NOT NULL,                      -- JSON without secrets; null: deleted
    secrets    BLOB,                               -- encrypted JSON; never shown
    created_at BIGINT NOT NULL,
    created_by TEXT,                               -- account; NULL: the program
    PRIMARY KEY (name, version)
);

-- One event, batch or message for one destination.
CREATE TABLE delivery (
    id               TEXT NOT NULL PRIMARY KEY,    -- stable: the receiver sees it with every attempt
    destination      TEXT NOT NULL,
    reason           TEXT NOT NULL,                -- log | replay | message | test
    first_index      BIGINT,                       -- of its events; NULL: a message
    last_index       BIGINT,
    events           BIGINT NOT NULL,              -- how many events it carries
    event_type       TEXT,                         -- of its first event
    content          TEXT NOT NULL,                -- JSON: log indexes, or a message
    state            TEXT NOT NULL,                -- waiting | delivered | dead
    attempts         BIGINT NOT NULL,
    next_at          BIGINT NOT NULL,              -- not tried before
    created_at       BIGINT NOT NULL,
    first_attempt_at BIGINT,
    last_attempt_at  BIGINT,
    completed_at     BIGINT,
    status           BIGINT,                       -- of the last answer, such as 503
    error            TEXT                          -- why the last attempt failed
);
CREATE INDEX delivery_waiting ON delivery (destination, next_at, id) WHERE state = 'waiting';
CREATE INDEX delivery_dead ON delivery (destination, created_at)
    WHERE state = 'dead' AND reason <> 'test';
CREATE INDEX delivery_by_destination ON delivery (destination, id);
CREATE INDEX delivery_ended ON delivery (completed_at, id) WHERE completed_at IS NOT NULL;
CREATE INDEX delivery_by_index ON delivery (first_index) WHERE first_index IS NOT NULL;
CREATE INDEX delivery_by_span ON delivery (last_index) WHERE events > 1;

-- One try. Never a body: it could hold what the one who set up the address must not see.
CREATE TABLE delivery_attempt (
    delivery TEXT NOT NULL,
    number   BIGINT NOT NULL,                      -- from 1
    at       BIGINT NOT NULL,
    took_us  BIGINT NOT NULL,
    outcome  TEXT NOT NULL,                        -- delivered | failed
    status   BIGINT,                               -- of the answer, where there are such
    request  TEXT NOT NULL,                        -- JSON: head of what was sent, secrets left out
    response TEXT NOT NULL,                        -- JSON: head of what came back
    error    TEXT,
    node     TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
);

-- Who besides administrators may manage forwarders.
CREATE TABLE forwarder_access (
    account    TEXT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    forwarders TEXT NOT NULL,                      -- none | named | all
    names      TEXT NOT NULL,                      -- JSON: forwarders that may be managed
    paths      TEXT NOT NULL,                      -- JSON: folders whose forwarders may be managed
    changed_at BIGINT NOT NULL
);

-- Which events an account may see, where that is less than its role says.
CREATE TABLE event_access (
    account    TEXT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    events     TEXT NOT NULL,                      -- none | scoped | all
    paths      TEXT NOT NULL,                      -- JSON: folders of certificates
    filter     TEXT NOT NULL,                      -- a filter of events; empty for none
    changed_at BIGINT NOT NULL
);
