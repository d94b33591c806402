-- Nodes: which processes run on this database. Belongs to the first step.

-- One row for each process that started; rows of those that ended are kept for a while.
CREATE TABLE node (
    id         TEXT NOT NULL PRIMARY KEY,          -- also the node of its events
    host       TEXT NOT NULL,                      -- name of its machine
    version    TEXT NOT NULL,                      -- of the program
    state      TEXT NOT NULL,                      -- running | stopped | vanished
    beat       BIGINT NOT NULL,                    -- grows while it lives
    log_size   BIGINT NOT NULL,                    -- sealed entries that it knew of at that beat
    ahead      BIGINT NOT NULL DEFAULT 0,          -- microseconds, of its clock before the server's
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,                    -- when it last beat, by its own clock
    ended_at   BIGINT                              -- when it stopped, or was found to be gone
);
CREATE INDEX node_by_state ON node (state, started_at);
