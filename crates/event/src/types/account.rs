//! Accounts, their sessions and tokens, and the ways in which they prove who they are.

use super::Word;
use crate::id::{AccountId, TokenId};
use crate::time::Timestamp;

payloads! {
    /// Somebody tried to log in.
    SessionCreate {
        /// The account, when the name that was given belongs to one.
        account_id: Option<AccountId>,
        /// How they tried: `password`, `token`, `certificate`, `oidc` and so on.
        method: Word,
        /// Until when the session lasts at most.
        expires_at: Option<Timestamp>,
        /// Failed attempts in a row on this account, this one included.
        failed_attempts: Option<u32>,
    }
    personal {
        /// The name that was given, as it was given.
        attempted_name,
    }

    /// The password was asked for once more within a session, before what gives power away.
    SessionConfirm {
        /// Whose session.
        account_id: Option<AccountId>,
        /// How they proved again who they are: `password`.
        method: Word,
    }

    /// A session ended.
    SessionEnd {
        /// The account it belonged to; empty if there was no such session.
        account_id: Option<AccountId>,
        /// How: `logout`, `expired`, `idle`, `revoked` or `password_changed`.
        ended_by: Word,
        /// When it had begun.
        started_at: Option<Timestamp>,
    }

    /// A local account was created.
    Create {
        /// Identifier it was given.
        account_id: Option<AccountId>,
        /// `person` or `service`.
        account_kind: Word,
        /// The role it was given.
        role: Word,
        /// From when on it may not be used; absent when it has no end.
        expires_at: Option<Timestamp>,
    }
    personal {
        /// Login name.
        login_name,
        /// Name of the person.
        display_name,
        /// E-mail address.
        email,
    }

    /// A local account was changed; a change of the password by its owner is one.
    Update {
        /// The account.
        account_id: Option<AccountId>,
        /// Names of the members that changed.
        changed: Vec<String>,
        /// Role before, when it changed.
        old_role: Option<Word>,
        /// Role after, when it changed.
        new_role: Option<Word>,
        /// From when on it may not be used; absent when it has no end or that is not told here.
        expires_at: Option<Timestamp>,
    }
    personal {
        /// Login name after the change.
        login_name,
        /// Name of the person after the change.
        display_name,
        /// E-mail address after the change.
        email,
    }

    /// Accounts were taken out as a file.
    Export {
        /// `ndjson` or `csv`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// API tokens, without their secrets, were taken out as a file.
    TokenExport {
        /// `ndjson` or `csv`.
        format: Word,
        /// How many were exported.
        count: u64,
        /// Whether a query chose them; without one they were all that the caller may see.
        filtered: bool,
    }
    personal {
        /// The query that chose them, as text; it may name people.
        query,
    }

    /// A local account was deleted.
    Delete {
        /// The account.
        account_id: Option<AccountId>,
    }
    personal {
        /// Login name it had.
        login_name,
    }

    /// The password of a local account was set anew by somebody else, or by a recovery.
    PasswordReset {
        /// The account.
        account_id: Option<AccountId>,
        /// `administrator`, `recovery` or `command_line`.
        reset_by: Word,
        /// Whether another password must be set at the next login.
        must_change: bool,
        /// How many sessions it ended.
        sessions_ended: Option<u32>,
    }
    personal {
        /// Login name.
        login_name,
    }

    /// An account was locked: after failed logins in a row, or by an administrator.
    Locked {
        /// The account.
        account_id: AccountId,
        /// `failed_logins` or `administrator`.
        locked_by: Word,
        /// Failed logins in a row.
        failed_attempts: u32,
        /// Until when; absent when somebody has to unlock it.
        locked_until: Option<Timestamp>,
    }
    personal {
        /// Login name.
        login_name,
    }

    /// A locked account was unlocked.
    Unlock {
        /// The account.
        account_id: Option<AccountId>,
    }
    personal {
        /// Login name.
        login_name,
    }

    /// A client was refused because it asked too much; recorded once per window.
    ClientRateLimited {
        /// What is limited, such as `login`.
        limited: Word,
        /// How many were allowed in the window.
        limit: u32,
        /// Length of the window, in seconds.
        window_s: u32,
    }
    personal {
        /// Address of the client.
        client_address,
    }

    /// A request was refused at the door, before it became an operation: nobody proved who they
    /// are, or their role does not allow it. Each caller gets a few of these a minute; what goes
    /// beyond is counted, and told by the next.
    AccessDenied {
        /// Method of the request, such as `POST`.
        method: Word,
        /// The route that was asked for, with the names of its parameters in braces.
        route: String,
        /// The permission that the route asks for.
        permission: Option<Word>,
        /// How many refusals of this caller the event stands for.
        refused: u64,
    }

    /// The number of clients has reached a set number.
    ClientCountReached {
        /// Number of clients.
        count: u64,
        /// The set number.
        limit: u64,
    }

    /// An API token was created.
    TokenCreate {
        /// Identifier it was given.
        token_id: Option<TokenId>,
        /// The account it acts for.
        account_id: Option<AccountId>,
        /// What it may do.
        scopes: Vec<String>,
        /// Until when it is good; absent when without end.
        expires_at: Option<Timestamp>,
    }
    personal {
        /// What its owner calls it.
        token_name,
    }

    /// An API token was revoked.
    TokenRevoke {
        /// The token.
        token_id: Option<TokenId>,
        /// The account it acted for.
        account_id: Option<AccountId>,
        /// When it was last used.
        last_used_at: Option<Timestamp>,
    }
    personal {
        /// What its owner called it.
        token_name,
    }

    /// The credential of an authentication method was rotated, or was due and was not.
    MethodRotate {
        /// The authentication method.
        method_id: Option<String>,
        /// How much of its time had passed, in percent.
        percent_passed: Option<u32>,
    }

    /// A monitor found that an authentication method nears its end.
    MethodExpiring {
        /// The authentication method.
        method_id: String,
        /// What it is: `token`, `account` or `password`.
        method_kind: Word,
        /// The account it stands for.
        account_id: Option<AccountId>,
        /// Its end.
        expires_at: Timestamp,
        /// The threshold that was crossed, as in the definition, such as `30d`.
        threshold: String,
        /// The same in seconds before the end.
        threshold_s: i64,
        /// Thresholds that were crossed since the last look and are covered by this event.
        passed: Vec<String>,
    }

    /// A monitor found that an authentication method has passed its end.
    MethodExpired {
        /// The authentication method.
        method_id: String,
        /// What it is: `token`, `account` or `password`.
        method_kind: Word,
        /// The account it stands for.
        account_id: Option<AccountId>,
        /// Its end.
        expires_at: Timestamp,
    }

    /// An invited person accepted an authentication method.
    MethodApprove {
        /// The authentication method.
        method_id: Option<String>,
    }
    personal {
        /// E-mail address that was invited.
        email,
    }
}
