//! Where a value came from, so that a message can name the place to mend.

use std::fmt;
use std::path::PathBuf;

/// The origin of one value. The order is the precedence: later variants win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of the file, counted from one.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag, as typed.
    Flag(String),
}

impl Source {
    /// The precedence alone: two values of the same rank contradict each other.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
