-- The first schema. Conventions, the same on both engines: identifiers are TEXT (hyphenated UUIDs),
-- times are BIGINT (microseconds since the Unix epoch, UTC), booleans are BIGINT 0 or 1, JSON is TEXT,
-- and what a person filters by is a column with an index.

-- The log ------------------------------------------------------------------------------------------

-- Events recorded with their change and not yet given an index. Drained by the sealer.
CREATE TABLE pending_event (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- arrival; not an order anybody reads by
    event_id    TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    entry       BLOB NOT NULL,                     -- canonical bytes that will be sealed
    salt        BLOB,                              -- salt of the personal part
    part        BLOB,                              -- canonical JSON of the personal part
    seal        BLOB                               -- HMAC over the columns above; NULL: injected
);

-- Pending rows whose seal was missing or wrong: kept as evidence, never sealed.
CREATE TABLE quarantined_event (
    seq            BIGINT NOT NULL,
    event_id       TEXT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    entry          BLOB NOT NULL,
    seal           BLOB,
    reason         TEXT NOT NULL,                  -- unsealed | invalid_seal | unreadable | duplicate
    quarantined_at BIGINT NOT NULL
);

-- Sealed events. The primary key is the one total order; as SQLite's row number it needs no index
-- of its own, and stands behind the columns of every index of this table.
CREATE TABLE event (
    log_index    INTEGER NOT NULL PRIMARY KEY,
    id           TEXT NOT NULL,
    type         TEXT NOT NULL,
    severity     TEXT NOT NULL,                    -- debug | info | warning | error | critical
    result       TEXT NOT NULL,
    reason       TEXT,
    origin       TEXT NOT NULL,
    time         BIGINT NOT NULL,
    sealed_at    BIGINT NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor_id     TEXT,
    actor_name   TEXT,                             -- personal: cleared by erasure
    client_ip    TEXT,                             -- personal: cleared by erasure
    subject_kind TEXT,
    subject_id   TEXT,
    subject_name TEXT,
    transaction_id TEXT,
    cause        TEXT,
    node         TEXT NOT NULL,
    entry        BLOB NOT NULL,                    -- the sealed bytes
    salt         BLOB,                             -- personal: cleared by erasure
    part         BLOB                              -- personal: cleared by erasure
);
CREATE UNIQUE INDEX event_by_id ON event (id);
-- A class is a type with a severity and a result; there are a few hundred. Any condition on these
-- columns is a list of classes, and each class is a run of this index in the order of the log. New
-- entries go to the ends of few runs, so it costs one insertion on warm pages, where one index for
-- each column would cost three.
CREATE INDEX event_by_class ON event (type, severity, result);
-- Grows at its end.
CREATE INDEX event_by_time ON event (time);

-- Projections, kept a moment behind the log by their own cursor ("projection").

-- Every target of every event.
CREATE TABLE event_target (
    reference TEXT NOT NULL,                       -- kind/id
    log_index BIGINT NOT NULL,
    PRIMARY KEY (reference, log_index)
) WITHOUT ROWID;

-- Small keys that events are found by: actor id, actor name, client address, transaction, cause.
CREATE TABLE event_key (
    name      TEXT NOT NULL,                       -- actor_id | actor_name | client_ip | transaction | cause
    value     TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (name, value, log_index)
) WITHOUT ROWID;
CREATE INDEX event_key_by_event ON event_key (log_index) WHERE name IN ('actor_name', 'client_ip');

-- Counts per hour: any histogram or facet over these columns is a sum over few rows.
CREATE TABLE event_hour (
    hour     BIGINT NOT NULL,                      -- microseconds, start of the hour
    type     TEXT NOT NULL,
    severity TEXT NOT NULL,
    result   TEXT NOT NULL,
    origin   TEXT NOT NULL,
    events   BIGINT NOT NULL,
    PRIMARY KEY (hour, type, severity, result, origin)
) WITHOUT ROWID;

-- The same per day, so that counting years reads few rows as well.
CREATE TABLE event_day (
    day      BIGINT NOT NULL,                      -- microseconds, start of the day, UTC
    type     TEXT NOT NULL,
    severity TEXT NOT NULL,
    result   TEXT NOT NULL,
    origin   TEXT NOT NULL,
    events   BIGINT NOT NULL,
    PRIMARY KEY (day, type, severity, result, origin)
) WITHOUT ROWID;

-- The same per block, with the time in which its events happened: of an hour that is asked for in part,
-- and of anything shorter, the blocks are counted that lie in it.
CREATE TABLE event_block_count (
    block      BIGINT NOT NULL,                    -- log index / 256
    type       TEXT NOT NULL,
    severity   TEXT NOT NULL,
    result     TEXT NOT NULL,
    origin     TEXT NOT NULL,
    events     BIGINT NOT NULL,
    first_time BIGINT NOT NULL,                    -- microseconds
    last_time  BIGINT NOT NULL,                    -- microseconds
    PRIMARY KEY (block, type, severity, result, origin)
) WITHOUT ROWID;

-- Which part of the log holds the events of an hour: where to look for a time.
CREATE TABLE event_span (
    hour        BIGINT NOT NULL PRIMARY KEY,       -- microseconds, start of the hour
    first_index BIGINT NOT NULL,
    last_index  BIGINT NOT NULL
);

-- Which values the events of a block have in fields of few values: a search for a rare one reads the
-- blocks that have it.
CREATE TABLE event_block (
    field TEXT NOT NULL,                           -- node | actor_kind | subject_kind | reason
    value TEXT NOT NULL,
    block BIGINT NOT NULL,                         -- log index / 256
    PRIMARY KEY (field, value, block)
) WITHOUT ROWID;
CREATE INDEX event_block_by_block ON event_block (block);

-- Words of the sealed bytes, for text search. Rows are log indexes. Nothing is ranked: how long the
-- texts are is not kept.
CREATE VIRTUAL TABLE event_text USING fts5 (
    words, content = '', contentless_delete = 0, columnsize = 0, detail = none, tokenize = 'ascii'
);

-- Where each consumer of the log stands: the next index it has not handled.
CREATE TABLE log_cursor (
    name       TEXT NOT NULL PRIMARY KEY,
    next_index BIGINT NOT NULL,
    moved_at   BIGINT NOT NULL
);

-- The tree: how many entries have an index, how many a signed checkpoint covers.
CREATE TABLE log_state (
    one         BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    size        BIGINT NOT NULL,
    signed_size BIGINT NOT NULL
);
INSERT INTO log_state (one, size, signed_size) VALUES (1, 0, 0);

-- Hash tiles (C2SP tlog-tiles); the rightmost tile of each level is partial and grows in place.
CREATE TABLE log_tile (
    level      BIGINT NOT NULL,
    tile_index BIGINT NOT NULL,
    hashes     BLOB NOT NULL,
    PRIMARY KEY (level, tile_index)
);

-- Signed checkpoints: the newest, and one an hour of the older ones.
CREATE TABLE log_checkpoint (
    size      BIGINT NOT NULL PRIMARY KEY,
    root      BLOB NOT NULL,
    note      TEXT NOT NULL,
    signed_at BIGINT NOT NULL
);

-- Settings of the installation that must survive (instance identity, secrets derived once). ---------
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- The inventory -------------------------------------------------------------------------------------

CREATE TABLE certificate_group (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificate_group_by_name ON certificate_group (lower(name));

CREATE TABLE ra_profile (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX ra_profile_by_name ON ra_profile (lower(name));

-- Definitions of custom attributes.
CREATE TABLE attribute (
    id          TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,                     -- lower-case word, used as attribute.<name>
    label       TEXT NOT NULL,
    description TEXT NOT NULL,
    kind        TEXT NOT NULL,                     -- string text integer decimal boolean date datetime list
    choices     TEXT NOT NULL,                     -- JSON array: permitted values of a list
    required    BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX attribute_by_name ON attribute (name);

CREATE TABLE certificate (
    number              INTEGER NOT NULL PRIMARY KEY, -- the row of certificate_text; a row number
                                                   -- without a name may change when the file is
                                                   -- copied compactly, as a backup does
    id                  TEXT NOT NULL UNIQUE,
    fingerprint_sha256  TEXT NOT NULL,             -- lower-case hex
    fingerprint_sha1    TEXT NOT NULL,
    serial              TEXT NOT NULL,             -- lower-case hex
    subject_dn          TEXT NOT NULL,
    subject_cn          TEXT,
    issuer_dn           TEXT NOT NULL,
    issuer_cn           TEXT,
    subject_key         TEXT NOT NULL,             -- SHA-256 of the normal form of the subject name
    issuer_key          TEXT NOT NULL,             -- the same of the issuer name: finds issuers
    subject_key_id      TEXT,                      -- hex
    authority_key_id    TEXT,
    spki_sha256         TEXT NOT NULL,
    not_before          BIGINT NOT NULL,
    not_after           BIGINT NOT NULL,
    key_algorithm       TEXT NOT NULL,
    key_size            BIGINT NOT NULL,
    signature_algorithm TEXT NOT NULL,
    is_ca               BIGINT NOT NULL,
    self_issued         BIGINT NOT NULL,
    key_usage           TEXT NOT NULL,             -- comma-separated
    extended_key_usage  TEXT NOT NULL,             -- comma-separated
    trust_anchor        BIGINT NOT NULL,
    demonstration       BIGINT NOT NULL,
    status              TEXT NOT NULL,
    status_reason       TEXT NOT NULL,
    status_checks       TEXT NOT NULL,             -- JSON: every check with its result and reason
    chain               TEXT NOT NULL,             -- JSON array of fingerprints, from this one upwards
    status_at           BIGINT NOT NULL,
    status_due_at       BIGINT NOT NULL,           -- when time alone may change the status
    status_cause        TEXT,                      -- event that made it due, until it is judged
    archived            BIGINT NOT NULL,
    owner               TEXT,                      -- account
    ra_profile          TEXT REFERENCES ra_profile (id),
    path                TEXT NOT NULL,             -- folder, such as /prod/web
    source              TEXT NOT NULL,             -- upload | import | demo
    replaced_by         TEXT,                      -- certificate
    replacement_kind    TEXT,                      -- renewal | rekey | replacement
    created_at          BIGINT NOT NULL,
    version             BIGINT NOT NULL
);
CREATE UNIQUE INDEX certificate_by_fingerprint ON certificate (fingerprint_sha256);
CREATE INDEX certificate_by_not_after ON certificate (not_after, id);
CREATE INDEX certificate_by_not_before ON certificate (not_before);
CREATE INDEX certificate_by_sha1 ON certificate (fingerprint_sha1);
CREATE INDEX certificate_by_created ON certificate (created_at, id);
CREATE INDEX certificate_by_subject_key ON certificate (subject_key);
CREATE INDEX certificate_by_issuer_key ON certificate (issuer_key);
CREATE INDEX certificate_by_due ON certificate (status_due_at);
CREATE INDEX certificate_by_status ON certificate (status, not_after, id);
-- The two further orders of lists. Identifiers grow with time, so that the first is written at the
-- ends of few runs; the second is a random key, and without it a list by subject would sort all
-- certificates for every page.
CREATE INDEX certificate_by_status_order ON certificate (status, id);
CREATE INDEX certificate_by_subject_order ON certificate (subject_dn, id);
CREATE INDEX certificate_by_serial ON certificate (serial);
CREATE INDEX certificate_by_spki ON certificate (spki_sha256);
CREATE INDEX certificate_by_cn ON certificate (lower(subject_cn));
-- What lists are narrowed by, each with the order of lists behind it.
CREATE INDEX certificate_by_owner ON certificate (owner, not_after, id) WHERE owner IS NOT NULL;
CREATE INDEX certificate_by_ra_profile ON certificate (ra_profile, not_after, id)
    WHERE ra_profile IS NOT NULL;
CREATE INDEX certificate_by_path ON certificate (lower(path), not_after, id);
CREATE INDEX certificate_by_issuer_cn ON certificate (lower(issuer_cn), not_after, id);
-- A kind of certificate is what these columns say together; there are a few hundred, and
-- certificate_count knows them. Any condition on them is a list of runs of this index.
CREATE INDEX certificate_by_kind ON certificate (key_algorithm, key_size, signature_algorithm,
    key_usage, extended_key_usage, source, is_ca, trust_anchor, demonstration, not_after, id);
CREATE INDEX certificate_by_archived ON certificate (not_after, id) WHERE archived = 1;
CREATE INDEX certificate_by_replaced ON certificate (replaced_by) WHERE replaced_by IS NOT NULL;
-- Few among many: monitors of authorities count and read them.
CREATE INDEX certificate_by_ca ON certificate (id) WHERE is_ca = 1;

-- The original bytes, apart from what lists read.
CREATE TABLE certificate_der (
    certificate TEXT NOT NULL PRIMARY KEY REFERENCES certificate (id) ON DELETE CASCADE,
    der         BLOB NOT NULL
);

-- Subject alternative names, lower-case.
CREATE TABLE certificate_name (
    certificate TEXT NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL,
    PRIMARY KEY (certificate, kind, value)
) WITHOUT ROWID;
CREATE INDEX certificate_name_by_value ON certificate_name (value);

-- Words of subject, issuer, names, serial number and fingerprint. Rows are numbers of
-- certificates.
CREATE VIRTUAL TABLE certificate_text USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);

CREATE TABLE certificate_in_group (
    certificate TEXT NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,
    group_id    TEXT NOT NULL REFERENCES certificate_group (id),
    PRIMARY KEY (certificate, group_id)
) WITHOUT ROWID;
CREATE INDEX certificate_in_group_by_group ON certificate_in_group (group_id);

-- Counts, kept by the triggers below in the transaction of each change: any count or facet over
-- these columns is a sum over few rows, whatever the size of the inventory.
CREATE TABLE certificate_count (
    group_id            TEXT NOT NULL,             -- '': every certificate, once; otherwise those
                                                   -- that are in this group
    archived            BIGINT NOT NULL,
    status              TEXT NOT NULL,
    replaced            BIGINT NOT NULL,           -- 1: replaced_by is set
    key_algorithm       TEXT NOT NULL,
    key_size            BIGINT NOT NULL,
    signature_algorithm TEXT NOT NULL,
    key_usage           TEXT NOT NULL,
    extended_key_usage  TEXT NOT NULL,
    source              TEXT NOT NULL,
    is_ca               BIGINT NOT NULL,
    trust_anchor        BIGINT NOT NULL,
    demonstration       BIGINT NOT NULL,
    issuer_cn           TEXT NOT NULL,             -- '': none
    ra_profile          TEXT NOT NULL,             -- '': none
    certificates        BIGINT NOT NULL,           -- may have fallen to 0
    PRIMARY KEY (group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
        extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile)
) WITHOUT ROWID;

-- How many end in an hour: any expiry histogram is a sum over few rows.
CREATE TABLE certificate_hour (
    hour         BIGINT NOT NULL,                  -- microseconds, start of the hour of not_after
    archived     BIGINT NOT NULL,
    status       TEXT NOT NULL,
    replaced     BIGINT NOT NULL,                  -- 1: replaced_by is set
    certificates BIGINT NOT NULL,
    PRIMARY KEY (hour, archived, status, replaced)
) WITHOUT ROWID;

-- What each certificate counts as: by itself and in each of its groups.
CREATE VIEW certificate_counted AS
    SELECT c.id, '' AS group_id, c.archived, c.status, CASE WHEN c.replaced_by IS NULL THEN 0 ELSE 1 END AS replaced,
        c.key_algorithm, c.key_size, c.signature_algorithm, c.key_usage, c.extended_key_usage,
        c.source, c.is_ca, c.trust_anchor, c.demonstration, coalesce(c.issuer_cn, '') AS issuer_cn,
        coalesce(c.ra_profile, '') AS ra_profile
    FROM certificate c
    UNION ALL
    SELECT c.id, m.group_id, c.archived, c.status, CASE WHEN c.replaced_by IS NULL THEN 0 ELSE 1 END AS replaced,
        c.key_algorithm, c.key_size, c.signature_algorithm, c.key_usage, c.extended_key_usage,
        c.source, c.is_ca, c.trust_anchor, c.demonstration, coalesce(c.issuer_cn, '') AS issuer_cn,
        coalesce(c.ra_profile, '') AS ra_profile
    FROM certificate_in_group m JOIN certificate c ON c.id = m.certificate;

-- With the bytes, which come in behind the row: under a trigger on the row the embedded engine copies every
-- page that its indexes change, in case the trigger fails. Spelled out: every upload pays for it.
CREATE TRIGGER certificate_enters AFTER INSERT ON certificate_der BEGIN
    INSERT INTO certificate_count
        SELECT '', archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, key_algorithm, key_size,
            signature_algorithm, key_usage, extended_key_usage, source, is_ca, trust_anchor, demonstration,
            coalesce(issuer_cn, ''), coalesce(ra_profile, ''), 1
        FROM certificate WHERE id = NEW.certificate
        ON CONFLICT DO UPDATE SET certificates = certificates + 1;
    INSERT INTO certificate_hour
        SELECT not_after - (not_after % 3600000000 + 3600000000) % 3600000000,
            archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, 1
        FROM certificate WHERE id = NEW.certificate
        ON CONFLICT DO UPDATE SET certificates = certificates + 1;
END;
CREATE TRIGGER certificate_before_change BEFORE UPDATE OF status, archived, trust_anchor, ra_profile, replaced_by
    ON certificate
    WHEN OLD.status <> NEW.status OR OLD.archived <> NEW.archived
    OR OLD.trust_anchor <> NEW.trust_anchor OR OLD.ra_profile IS NOT NEW.ra_profile
    OR (OLD.replaced_by IS NULL) <> (NEW.replaced_by IS NULL) BEGIN
    INSERT INTO certificate_count
        SELECT group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
            extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile, -1
        FROM certificate_counted WHERE id = OLD.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
    INSERT INTO certificate_hour
        SELECT not_after - (not_after % 3600000000 + 3600000000) % 3600000000,
            archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, -1 FROM certificate WHERE id = OLD.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
END;
CREATE TRIGGER certificate_after_change AFTER UPDATE OF status, archived, trust_anchor, ra_profile, replaced_by
    ON certificate
    WHEN OLD.status <> NEW.status OR OLD.archived <> NEW.archived
    OR OLD.trust_anchor <> NEW.trust_anchor OR OLD.ra_profile IS NOT NEW.ra_profile
    OR (OLD.replaced_by IS NULL) <> (NEW.replaced_by IS NULL) BEGIN
    INSERT INTO certificate_count
        SELECT group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
            extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile, 1
        FROM certificate_counted WHERE id = NEW.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
    INSERT INTO certificate_hour
        SELECT not_after - (not_after % 3600000000 + 3600000000) % 3600000000,
            archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, 1 FROM certificate WHERE id = NEW.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
    DELETE FROM certificate_hour WHERE certificates = 0
        AND hour > OLD.not_after - 3600000000 AND hour <= OLD.not_after;
END;
-- Its groups first, while what it counts as can still be read.
CREATE TRIGGER certificate_leaves BEFORE DELETE ON certificate BEGIN
    DELETE FROM certificate_in_group WHERE certificate = OLD.id;
    INSERT INTO certificate_count
        SELECT group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
            extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile, -1
        FROM certificate_counted WHERE id = OLD.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
    INSERT INTO certificate_hour
        SELECT not_after - (not_after % 3600000000 + 3600000000) % 3600000000,
            archived, status, CASE WHEN replaced_by IS NULL THEN 0 ELSE 1 END, -1 FROM certificate WHERE id = OLD.id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
    DELETE FROM certificate_hour WHERE certificates = 0
        AND hour > OLD.not_after - 3600000000 AND hour <= OLD.not_after;
END;
CREATE TRIGGER certificate_joins_group AFTER INSERT ON certificate_in_group BEGIN
    INSERT INTO certificate_count
        SELECT group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
            extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile, 1
        FROM certificate_counted WHERE id = NEW.certificate AND group_id = NEW.group_id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
END;
CREATE TRIGGER certificate_leaves_group BEFORE DELETE ON certificate_in_group BEGIN
    INSERT INTO certificate_count
        SELECT group_id, archived, status, replaced, key_algorithm, key_size, signature_algorithm, key_usage,
            extended_key_usage, source, is_ca, trust_anchor, demonstration, issuer_cn, ra_profile, -1
        FROM certificate_counted WHERE id = OLD.certificate AND group_id = OLD.group_id
        ON CONFLICT DO UPDATE SET certificates = certificates + excluded.certificates;
END;

-- Values of custom attributes; several rows for a list.
CREATE TABLE certificate_attribute (
    certificate TEXT NOT NULL REFERENCES certificate (id) ON DELETE CASCADE,
    attribute   TEXT NOT NULL REFERENCES attribute (id),
    position    BIGINT NOT NULL,
    text_value  TEXT,                              -- string, text, list
    number_value DOUBLE PRECISION,                 -- integer, decimal, boolean (0 or 1)
    time_value  BIGINT,                            -- date, datetime
    PRIMARY KEY (certificate, attribute, position)
) WITHOUT ROWID;
CREATE INDEX certificate_attribute_by_text
    ON certificate_attribute (attribute, lower(text_value)) WHERE text_value IS NOT NULL;
CREATE INDEX certificate_attribute_by_number
    ON certificate_attribute (attribute, number_value) WHERE number_value IS NOT NULL;
CREATE INDEX certificate_attribute_by_time
    ON certificate_attribute (attribute, time_value) WHERE time_value IS NOT NULL;

-- Access --------------------------------------------------------------------------------------------

CREATE TABLE account (
    id              TEXT NOT NULL PRIMARY KEY,
    name            TEXT NOT NULL,                 -- login name, lower-case
    display_name    TEXT NOT NULL,
    email           TEXT,
    role            TEXT NOT NULL,                 -- administrator | operator | auditor | viewer
    password_hash   TEXT,                          -- argon2id, PHC string; NULL: cannot log in
    must_change     BIGINT NOT NULL,
    password_set_at BIGINT,                        -- NULL: has no password
    password_ends_at BIGINT,                       -- must be changed from then on; NULL: never
    disabled        BIGINT NOT NULL,
    expires_at      BIGINT,                        -- cannot be used from then on; NULL: no end
    failures        BIGINT NOT NULL,               -- consecutive failed logins
    locked_until    BIGINT,
    last_login_at   BIGINT,
    created_at      BIGINT NOT NULL,
    version         BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_by_name ON account (name);

CREATE TABLE session (
    id          TEXT NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,                     -- SHA-256 of the cookie value
    csrf        TEXT NOT NULL,
    account     TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    proved_at   BIGINT NOT NULL                    -- when the password was last given in it
);
CREATE UNIQUE INDEX session_by_secret ON session (secret_hash);
CREATE INDEX session_by_account ON session (account);

CREATE TABLE token (
    id          TEXT NOT NULL PRIMARY KEY,
    secret_hash BLOB NOT NULL,                     -- SHA-256 of the token
    name        TEXT NOT NULL,
    account     TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role        TEXT NOT NULL,                     -- never more than its account's
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT,
    used_at     BIGINT,
    made_by     TEXT                               -- the token that made it, if one did
);
CREATE UNIQUE INDEX token_by_secret ON token (secret_hash);
CREATE INDEX token_by_account ON token (account);
CREATE INDEX token_by_maker ON token (made_by);

CREATE TABLE view (
    id         TEXT NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    list       TEXT NOT NULL,                      -- events | certificates | jobs and so on
    name       TEXT NOT NULL,
    query      TEXT NOT NULL,                      -- the query string of the list's URL
    shared     BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX view_by_account ON view (account, list);

-- Answers to writes that carried an idempotency key, kept for a day.
CREATE TABLE idempotency (
    account    TEXT NOT NULL,
    key        TEXT NOT NULL,
    request    BLOB NOT NULL,                      -- SHA-256 of method, path and body
    status     BIGINT NOT NULL,                    -- 0: still at work
    headers    TEXT NOT NULL,                      -- JSON
    body       BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Jobs ----------------------------------------------------------------------------------------------

CREATE TABLE job (
    id           TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL,
    queue        TEXT NOT NULL,                    -- each queue has its own limit
    name         TEXT NOT NULL,
    state        TEXT NOT NULL,                    -- queued | running | success | failed | cancelled
    payload      TEXT NOT NULL,                    -- JSON, shown to people
    input        BLOB,                             -- bytes the job works on, such as an upload
    result       TEXT,                             -- JSON
    error        TEXT,
    attempts     BIGINT NOT NULL,
    attempts_max BIGINT NOT NULL,
    done         BIGINT NOT NULL,                  -- progress
    total        BIGINT NOT NULL,                  -- 0: not known
    unique_key   TEXT,                             -- at most one job with this key
    triggered_by TEXT NOT NULL,                    -- kind/id of the actor
    context      TEXT NOT NULL,                    -- JSON: on whose behalf, origin, cause, depth
    scheduled_at BIGINT NOT NULL,
    run_at       BIGINT NOT NULL,                  -- not before this time
    started_at   BIGINT,
    completed_at BIGINT,
    lease        TEXT,                             -- token of the holder; NULL: free
    lease_until  BIGINT
);
CREATE INDEX job_due ON job (queue, run_at) WHERE state IN ('queued', 'running');
CREATE INDEX job_by_scheduled ON job (scheduled_at, id);
CREATE INDEX job_by_state ON job (state, scheduled_at);
CREATE UNIQUE INDEX job_by_unique_key ON job (unique_key) WHERE unique_key IS NOT NULL;

-- Leases --------------------------------------------------------------------------------------------

-- Who does what only one node may do at a time. A holder shows that it lives by counting its beat
-- up; who sees a beat stand still for long enough takes over with the next token, and nothing that
-- carries an older token is written any more.
CREATE TABLE lease (
    name   TEXT NOT NULL PRIMARY KEY,              -- such as sealer
    holder TEXT,                                   -- node; NULL: given back
    token  BIGINT NOT NULL,                        -- grows with every holder
    beat   BIGINT NOT NULL
);
