//! What an error of the engine is on the wire: the one place where it is decided.
//!
//! 400 is what cannot be read at all, 422 what was understood and refused. Texts of the store and
//! of the program's own failures stay inside; they are logged here, once.

use axum::http::StatusCode;
use chancery_engine::Error;
use chancery_event::filter::FilterError;
use chancery_event::filter::error::Place;
use serde_json::json;

use super::Problem;
use super::problem::FilterFault;

/// Seconds after which a transient failure may be gone.
const RETRY_SECONDS: u64 = 5;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let new = |status, title| Self::new(status, error.reason(), title);
        match &error {
            Error::Unauthenticated => Self::unauthenticated(),
            Error::WrongCredentials => {
                new(StatusCode::UNAUTHORIZED, "The credentials are wrong").with_detail(text)
            }
            Error::Locked { minutes } => {
                let mut problem = new(StatusCode::TOO_MANY_REQUESTS, "The account is locked");
                problem.retry_after = u64::try_from(minutes.saturating_mul(60)).ok();
                problem.with_detail(text)
            }
            Error::RateLimited { seconds } => {
                let mut problem = new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
                problem.retry_after = Some(*seconds);
                problem.with_detail(text)
            }
            Error::Forbidden { .. } => {
                new(StatusCode::FORBIDDEN, "This is not permitted").with_detail(text)
            }
            Error::ConfirmationDue => {
                let detail = format!("{text} (POST /api/v1/me/confirmation)");
                new(StatusCode::FORBIDDEN, "The password is asked for again").with_detail(detail)
            }
            Error::Invalid { field, message } => Self::invalid(field, message),
            Error::Unreadable { .. } => {
                new(StatusCode::UNPROCESSABLE_ENTITY, "The upload cannot be used").with_detail(text)
            }
            Error::Duplicate { id } => {
                let mut problem = new(StatusCode::CONFLICT, "It is in the inventory already");
                problem.existing = Some(*id);
                problem.with_detail(text)
            }
            Error::Ignored { .. } => {
                new(StatusCode::UNPROCESSABLE_ENTITY, "A rule refused it").with_detail(text)
            }
            Error::NotFound { .. } => {
                new(StatusCode::NOT_FOUND, "There is no such thing here").with_detail(text)
            }
            Error::Conflict { .. } => {
                new(StatusCode::CONFLICT, "The state forbids it").with_detail(text)
            }
            Error::Filter(error) => Self::from(error.clone()),
            Error::LogDamaged(_) => {
                tracing::error!(%error, "a request met a damaged log");
                new(StatusCode::INTERNAL_SERVER_ERROR, "The sealed log is damaged")
                    .with_detail("nothing is sealed until somebody looked; see /health/ready")
            }
            Error::Archive(_) => archive(&error),
            Error::Store(inner) => store(&error, inner.is_storage_full()),
            Error::Internal(_) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}

fn archive(error: &Error) -> Problem {
    tracing::warn!(%error, "a request met an archive that is away");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let mut problem = Problem::new(status, error.reason(), "The archive is away");
    problem.retry_after = Some(RETRY_SECONDS);
    problem.with_detail(
        "the archive is not reachable, or lacks what was removed from the database; try again, and \
         see the program's own log",
    )
}

fn store(error: &Error, full: bool) -> Problem {
    let new = |status, title| Problem::new(status, error.reason(), title);
    if full {
        return new(StatusCode::INSUFFICIENT_STORAGE, "Storage is full")
            .with_detail("nothing was written; reads go on");
    }
    if error.is_transient() {
        tracing::warn!(%error, "the store is unavailable");
        let mut problem = new(StatusCode::SERVICE_UNAVAILABLE, "The store is unavailable");
        problem.retry_after = Some(RETRY_SECONDS);
        // It may have gone away between a change and the reading of what is told about it.
        return problem.with_detail(
            "try again; a change that was under way may have been made: look first, or repeat it \
             with its Idempotency-Key",
        );
    }
    if error.reason() == "changed_meanwhile" {
        return new(StatusCode::CONFLICT, "Somebody else changed it meanwhile")
            .with_detail("read it again, and decide again");
    }
    tracing::error!(%error, "the store failed");
    Problem::internal()
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "filter", "The filter cannot be understood")
                .with_detail(error.to_string());
        problem.field = Some("filter".into());
        let position = match error.place {
            Place::Text { offset, length } => Some(json!({ "offset": offset, "length": length })),
            Place::Json(pointer) => Some(json!({ "pointer": pointer })),
            Place::Tree => None,
        };
        let suggestion = error.suggestion;
        problem.filter = Some(Box::new(FilterFault { position, suggestion }));
        problem
    }
}

impl Problem {
    /// A conflict of versions where the caller named the version (`If-Match`): 412 (RFC 9110
    /// §13.1.1).
    #[must_use]
    pub fn under_condition(mut self, conditional: bool) -> Self {
        if conditional && self.reason() == "changed_meanwhile" {
            self.status = StatusCode::PRECONDITION_FAILED;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_engine::{Permission, Role};

    fn check(error: Error, status: u16, reason: &str) {
        let problem = Problem::from(error);
        assert_eq!((problem.status.as_u16(), problem.reason()), (status, reason));
    }

    #[test]
    fn every_error_has_its_status_and_its_word() {
        let id = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse().unwrap();
        check(Error::Unauthenticated, 401, "unauthenticated");
        check(Error::WrongCredentials, 401, "wrong_credentials");
        check(Error::Locked { minutes: 3 }, 429, "locked");
        check(Error::RateLimited { seconds: 3 }, 429, "rate_limited");
        let (permission, role) = (Permission::Backup, Role::Viewer);
        check(Error::Forbidden { permission, role }, 403, "forbidden");
        check(Error::ConfirmationDue, 403, "confirmation_due");
        check(Error::invalid("path", "no"), 422, "invalid");
        let message = || "no".to_owned();
        check(Error::Unreadable { reason: "empty", message: message() }, 422, "empty");
        check(Error::Duplicate { id }, 409, "duplicate");
        check(Error::Ignored { trigger: message() }, 422, "ignored");
        check(Error::not_found("job", 1), 404, "not_found");
        check(Error::Conflict { reason: "in_use", message: message() }, 409, "in_use");
        check(Error::LogDamaged(message()), 500, "log_damaged");
        check(Error::Archive(message()), 503, "archive_unavailable");
        check(Error::Internal(message()), 500, "internal");
    }

    #[test]
    fn what_happened_inside_stays_inside() {
        let secret = || "SECRET".to_owned();
        let errors =
            [Error::Internal(secret()), Error::LogDamaged(secret()), Error::Archive(secret())];
        for error in errors {
            let text = serde_json::to_string(&Problem::from(error)).unwrap();
            assert!(!text.contains("SECRET"), "{text}");
        }
    }

    #[test]
    fn a_named_version_turns_the_conflict_into_a_failed_precondition() {
        let conflict =
            || Problem::new(StatusCode::CONFLICT, "changed_meanwhile", "Somebody changed it");
        assert_eq!(conflict().under_condition(true).status, 412);
        assert_eq!(conflict().under_condition(false).status, 409);
        let other = Problem::new(StatusCode::CONFLICT, "in_use", "In use");
        assert_eq!(other.under_condition(true).status, 409);
    }
}
