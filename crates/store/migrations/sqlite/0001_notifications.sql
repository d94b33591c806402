-- Who is told of what, and every decision about it. Belongs to the first step.

-- A wish of a trigger to tell of an event through a profile.
CREATE TABLE notification_call (
    id              TEXT NOT NULL PRIMARY KEY,
    log_index       BIGINT,                        -- of the event; NULL: it was not sealed yet
    event_id        TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    object          TEXT,                          -- what the event is about, such as certificate/ID
    profile         TEXT NOT NULL,                 -- name of the notification profile
    trigger_name    TEXT NOT NULL,                 -- the trigger; canary | test where there is none
    title           TEXT NOT NULL,                 -- what the step says besides; empty: nothing
    message         TEXT NOT NULL,
    candidate       TEXT,                          -- JSON: a certificate that was not let in; NULL: none
    state           TEXT NOT NULL,                 -- waiting | done
    outcome         TEXT NOT NULL,                 -- why nobody was asked, such as profile_off; empty: decided
    at              BIGINT NOT NULL,
    done_at         BIGINT
);
CREATE INDEX notification_call_waiting ON notification_call (id) WHERE state = 'waiting';
CREATE INDEX notification_call_by_event ON notification_call (event_id);
CREATE INDEX notification_call_by_time ON notification_call (at);

-- One decision: whether one recipient is told by one channel, and why not.
CREATE TABLE notice (
    id              TEXT NOT NULL PRIMARY KEY,
    call            TEXT NOT NULL,                 -- of notification_call
    log_index       BIGINT,
    event_id        TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    object          TEXT,
    severity        TEXT NOT NULL,
    profile         TEXT NOT NULL,
    profile_version BIGINT NOT NULL,
    level           BIGINT NOT NULL,               -- 0: at once; n: the n-th escalation
    account         TEXT,                          -- whom; NULL: an address, a group, or the channel itself
    address         TEXT,                          -- mail address it goes to
    channel         TEXT NOT NULL,                 -- name of the channel; bell
    paths           TEXT NOT NULL,                 -- JSON: how the profile leads there, such as owner
    decision        TEXT NOT NULL,                 -- sent | held | skipped
    reason          TEXT NOT NULL,                 -- why it is held or skipped, or what was wrong with it
    due_at          BIGINT,                        -- until when it is held
    heading         TEXT NOT NULL,                 -- under which it stands in a digest
    delivery        TEXT,                          -- what carries it
    alert           TEXT,                          -- the alert in the bell
    at              BIGINT NOT NULL
);
CREATE INDEX notice_due ON notice (due_at, profile) WHERE decision = 'held';
CREATE INDEX notice_held_call ON notice (call) WHERE decision = 'held';
CREATE INDEX notice_by_event ON notice (event_id);
CREATE INDEX notice_by_account ON notice (account, id) WHERE account IS NOT NULL;
CREATE INDEX notice_by_object ON notice (object, id) WHERE object IS NOT NULL;
CREATE INDEX notice_by_decision ON notice (decision, reason, id);
CREATE INDEX notice_by_profile ON notice (profile, id);
CREATE INDEX notice_by_channel ON notice (channel, id);
CREATE INDEX notice_by_delivery ON notice (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX notice_by_time ON notice (at);

-- Repetitions of one thing that goes on.
CREATE TABLE notice_stream (
    profile         TEXT NOT NULL,
    object          TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    threshold       TEXT NOT NULL,                 -- of a monitoring event; empty: none
    policy          TEXT NOT NULL,                 -- frequency and repetitions it was counted under
    sent            BIGINT NOT NULL,               -- how often it was told
    first_at        BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,               -- when it was told last
    seen_at         BIGINT NOT NULL,               -- when it came up last, told or not
    forget_at       BIGINT NOT NULL,               -- when it is forgotten unless it comes up again
    PRIMARY KEY (profile, object, event_type, threshold)
);
CREATE INDEX notice_stream_by_time ON notice_stream (forget_at);
CREATE INDEX notice_stream_by_object ON notice_stream (object);

-- An alert that must be acknowledged by a time.
CREATE TABLE escalation (
    id              TEXT NOT NULL PRIMARY KEY,
    call            TEXT NOT NULL,
    alert           TEXT NOT NULL,
    profile         TEXT NOT NULL,
    level           BIGINT NOT NULL,               -- from 1
    due_at          BIGINT NOT NULL,
    state           TEXT NOT NULL,                 -- waiting | told | dropped
    ended_at        BIGINT
);
CREATE INDEX escalation_due ON escalation (due_at) WHERE state = 'waiting';
CREATE INDEX escalation_ended ON escalation (due_at) WHERE state <> 'waiting';
CREATE INDEX escalation_waiting_call ON escalation (call) WHERE state = 'waiting';
CREATE INDEX escalation_by_alert ON escalation (alert);

-- How accounts and groups are reached, besides an account's own mail address.
CREATE TABLE contact (
    kind            TEXT NOT NULL,                 -- account | group
    id              TEXT NOT NULL,
    email           TEXT,                          -- instead of the account's; of a group: its list
    chat            TEXT,                          -- how chats mention them, such as <@U024BE7LH>
    quiet           TEXT NOT NULL,                 -- JSON: their own quiet hours; empty: none
    changed_at      BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- The accounts of a group.
CREATE TABLE group_member (
    group_id        TEXT NOT NULL REFERENCES certificate_group (id) ON DELETE CASCADE,
    account         TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, account)
);
CREATE INDEX group_member_by_account ON group_member (account);

-- Mail addresses that a server refused for good.
CREATE TABLE address_state (
    address         TEXT NOT NULL PRIMARY KEY,     -- lower-case
    refused_since   BIGINT NOT NULL,
    last_at         BIGINT NOT NULL,
    refusals        BIGINT NOT NULL,
    channel         TEXT NOT NULL,
    error           TEXT NOT NULL
);

-- Certificates of which nobody hears, or not by a message: derived, kept by a loop.
CREATE TABLE certificate_reach (
    certificate     TEXT NOT NULL PRIMARY KEY REFERENCES certificate (id) ON DELETE CASCADE,
    state           TEXT NOT NULL,                 -- nobody | fallback | bell
    reason          TEXT NOT NULL,                 -- why, such as unowned
    not_after       BIGINT NOT NULL,               -- of the certificate: the list is in its order
    looked_at       BIGINT NOT NULL
);
CREATE INDEX certificate_reach_by_end ON certificate_reach (state, not_after, certificate);
CREATE INDEX certificate_reach_by_reason ON certificate_reach (state, reason, not_after, certificate);
