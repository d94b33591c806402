//! How long anybody waits for the server, all of it from two settings.
//!
//! The server gives up first, so that what it says is heard; the client's own limit is for a
//! network that swallows the answer.

use std::time::Duration;

/// What is waited for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long a statement may take.
    pub(crate) statement: Duration,
    /// How long a session may rest in the middle of a transaction: whoever is frozen there holds
    /// what others wait for.
    pub(crate) rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement: Duration::from_secs(20), rest: Duration::from_secs(10) }
    }
}

/// However short a statement may be, a machine under load needs this long to connect.
const LEAST: Duration = Duration::from_secs(2);

impl Limits {
    /// After this long without an answer a connection is given up.
    pub(crate) fn answer(self) -> Duration {
        if cfg!(test) { Duration::from_secs(8) } else { self.statement * 5 / 4 }
    }

    /// How long reaching the server may take.
    pub(crate) fn connect(self) -> Duration {
        (self.statement / 4).max(LEAST)
    }

    /// How long a caller waits for a connection to read by.
    pub(crate) fn acquire(self) -> Duration {
        (self.statement * 2 / 5).max(LEAST)
    }

    /// How long the server is asked what became of a commit.
    pub(crate) fn uncertain(self) -> Duration {
        if cfg!(test) { Duration::from_secs(1) } else { self.statement * 3 / 4 }
    }

    /// The settings of a session that follow from it, written as the server shows them.
    pub(super) fn session(self) -> [(&'static str, String); 3] {
        [
            ("statement_timeout", shown(self.statement)),
            ("lock_timeout", shown(self.statement * 3 / 4)),
            ("idle_in_transaction_session_timeout", shown(self.rest)),
        ]
    }
}

/// A length of time as the server writes it: in the largest unit that leaves nothing over.
fn shown(time: Duration) -> String {
    let millis = time.as_millis();
    for (unit, width) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        if millis >= width && millis.is_multiple_of(width) {
            return format!("{}{unit}", millis / width);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_server_shows_them() {
        let written = |millis| shown(Duration::from_millis(millis));
        let said = [(20_000, "20s"), (15_500, "15500ms"), (60_000, "1min"), (90_000, "90s")];
        for (millis, text) in said {
            assert_eq!(written(millis), text);
        }
        assert_eq!(written(7_200_000), "2h");
    }
}
