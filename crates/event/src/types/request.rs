//! Wishes for an operation, and decisions on them.

use super::Word;
use crate::time::Timestamp;

payloads! {
    /// An operation or an access was asked for.
    Submit {
        /// Identifier of the request.
        request_id: Option<String>,
        /// What is asked for: `enroll`, `renew`, `revoke`, `recover`, `import`, `access` and so on.
        workflow: Word,
        /// What it is about, as `kind/id`.
        object: Option<String>,
        /// What may then be done, such as `read`.
        capabilities: Vec<String>,
        /// How long an access is to last, in minutes.
        ttl_minutes: Option<u32>,
    }
    personal {
        /// Why, in the words of the requester.
        justification,
    }

    /// A request was approved.
    Approve {
        /// Identifier of the request.
        request_id: Option<String>,
        /// What was asked for.
        workflow: Option<Word>,
        /// How long an access is to last, in minutes.
        ttl_minutes: Option<u32>,
    }
    personal {
        /// Comment of who decided.
        comment,
    }

    /// A request was refused.
    Deny {
        /// Identifier of the request.
        request_id: Option<String>,
        /// What was asked for.
        workflow: Option<Word>,
    }
    personal {
        /// Comment of who decided.
        comment,
    }

    /// A request was withdrawn by the requester.
    Cancel {
        /// Identifier of the request.
        request_id: Option<String>,
        /// What was asked for.
        workflow: Option<Word>,
    }

    /// The form of a request was asked for.
    Template {
        /// What it is a form for.
        workflow: Option<Word>,
        /// Name of the module or profile.
        profile: Option<String>,
    }

    /// A request, or the access that it gave, has run past its time.
    Expired {
        /// Identifier of the request.
        request_id: String,
        /// When its time was over.
        expired_at: Timestamp,
    }

    /// Somebody gave a reason for an access.
    Justify {
        /// What was accessed, as `kind/id`.
        object: Option<String>,
    }
    personal {
        /// The reason, in their words.
        justification,
    }

    /// A step of an approval waits for a decision.
    ApprovalRequested {
        /// Identifier of the approval.
        approval_id: String,
        /// Name of the approval profile.
        approval_profile: String,
        /// Version of the approval profile.
        approval_profile_version: u32,
        /// What kind of object it is about.
        resource: Word,
        /// The action that waits.
        action: Word,
        /// The object, as `kind/id`.
        object: String,
        /// Until when a decision is possible.
        expires_at: Option<Timestamp>,
        /// Who decides: `account`, `role` or `group`.
        recipient_kind: Option<Word>,
        /// Identifier of who decides.
        recipient_id: Option<String>,
    }
    personal {
        /// Login name of who asked.
        requester_name,
    }

    /// An approval was given, refused, or its time was over.
    ApprovalClosed {
        /// Identifier of the approval.
        approval_id: String,
        /// Name of the approval profile.
        approval_profile: String,
        /// Version of the approval profile.
        approval_profile_version: u32,
        /// `approved`, `rejected` or `expired`.
        status: Word,
        /// What kind of object it is about.
        resource: Word,
        /// The action that waited.
        action: Word,
        /// The object, as `kind/id`.
        object: String,
        /// When it was closed.
        closed_at: Timestamp,
    }
    personal {
        /// Login name of who asked.
        requester_name,
    }
}
