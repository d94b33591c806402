//! What is wrong with a filter, and where: made to be shown to the person who wrote it.

/// A filter that cannot be read, or that does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// Where the fault is.
    pub place: Place,
    /// One sentence without a full stop.
    pub message: String,
    /// What the author probably meant; a name or value to put in the place of the faulty one.
    pub suggestion: Option<String>,
}

/// Where in the source of a filter a fault is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the text spelling.
    Text {
        /// Bytes before the fault.
        offset: usize,
        /// Bytes of the faulty part; 0 if something is missing.
        length: usize,
    },
    /// In the JSON spelling: a JSON pointer (RFC 6901).
    Json(String),
    /// In a tree that was built by a program.
    Tree,
}

/// A fault whose place the caller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub suggestion: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    pub fn or_rather(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }

    pub fn at(self, place: Place) -> FilterError {
        FilterError { place, message: self.message, suggestion: self.suggestion }
    }
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match &self.place {
            Place::Text { offset, .. } => write!(f, " at {offset}")?,
            Place::Json(pointer) if pointer.is_empty() => f.write_str(" at the root")?,
            Place::Json(pointer) => write!(f, " at {pointer}")?,
            Place::Tree => {}
        }
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean “{suggestion}”?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}
