//! What commands write on standard output and standard error.
//!
//! Either may be closed, or full: `head` has read enough, a disc is at its end. Then a command ends
//! with a status and never with a panic; where nobody reads any more, also without a word.

use std::fmt;
use std::io::{self, Write};

/// Writes a line on standard output; answers whether that worked.
macro_rules! outln {
    ($($text:tt)*) => { $crate::terminal::line(format_args!($($text)*)) };
}

/// Writes a line on standard error. Where that does not work, there is nobody to tell.
macro_rules! errln {
    ($($text:tt)*) => { $crate::terminal::complain(format_args!($($text)*)) };
}

/// Standard output, whose errors say that they are its own.
#[derive(Debug)]
pub struct Out(io::Stdout);

/// Standard output.
pub fn out() -> Out {
    Out(io::stdout())
}

/// Standard output cannot be written.
#[derive(Debug)]
struct Lost(io::Error);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl std::error::Error for Lost {}

fn lost(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Lost(error))
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(lost)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(lost)
    }
}

/// Writes a line on standard output.
///
/// # Errors
/// It is closed or full.
pub fn line(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = out();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes a line on standard error, if there is one.
pub fn complain(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether this came of a reader of standard output that has gone: nothing to complain about.
pub fn is_nobody_reading(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| {
            error.kind() == io::ErrorKind::BrokenPipe
                && error.get_ref().is_some_and(|inner| inner.is::<Lost>())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_output_may_end_without_a_word() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_nobody_reading(&lost(broken()).into()));
        assert!(is_nobody_reading(&anyhow::Error::new(lost(broken())).context("listing")));
        assert!(!is_nobody_reading(&broken().into()), "a connection");
        let full = lost(io::ErrorKind::StorageFull.into());
        assert!(full.to_string().starts_with("cannot write to standard output: "), "{full}");
        assert!(!is_nobody_reading(&full.into()));
    }
}
