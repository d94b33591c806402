//! Regular expressions of filters: their syntax (that of the `regex` crate) and how large they may
//! be. Both engines of the store take every one that is accepted here, and find the same with it.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::error::{Fault, FilterError, Place};

/// The largest compiled regular expression, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// The deepest nesting in a regular expression.
const DEPTH_MAX: u32 = 32;
/// The most signs that a regular expression may stand for, repetitions written out. PostgreSQL
/// needs seconds for a few thousand, and refuses more.
const SIGNS_MAX: usize = 1_000;
/// The most spans of characters in its sets, each as often as it is written. `\w` has 800.
const SPANS_MAX: usize = 100_000;
/// The spans in `\w`, about; what looks for the edge of a word needs it four times.
const SPANS_OF_WORD: usize = 800;

/// What a regular expression means, letter case and classes resolved.
///
/// # Errors
/// It has a fault, or is too large.
pub fn meaning(pattern: &str, fold: bool) -> Result<Hir, FilterError> {
    let mut parser = ParserBuilder::new().case_insensitive(fold).nest_limit(DEPTH_MAX).build();
    parser.parse(pattern).map_err(|error| unusable(pattern, &error.to_string()).at(Place::Tree))
}

/// Compiles a regular expression within the size limits.
pub(super) fn compiled(pattern: &str, fold: bool) -> Result<Regex, Fault> {
    let built = RegexBuilder::new(pattern)
        .case_insensitive(fold)
        .size_limit(BYTES_MAX)
        .dfa_size_limit(BYTES_MAX)
        .nest_limit(DEPTH_MAX)
        .build();
    let too_large = || unusable(pattern, "it is too large");
    let regex = built.map_err(|error| match &error {
        regex::Error::CompiledTooBig(_) => too_large(),
        other => unusable(pattern, &other.to_string()),
    })?;
    let meaning = meaning(pattern, fold).map_err(|_| too_large())?;
    let fits = signs(&meaning) <= SIGNS_MAX && spans(&meaning) <= SPANS_MAX;
    if fits { Ok(regex) } else { Err(too_large()) }
}

fn unusable(pattern: &str, reason: &str) -> Fault {
    let reason = reason.lines().last().unwrap_or_default().trim();
    Fault::new(format!("“{pattern}” is not a usable regular expression: {reason}"))
}

/// How many signs it stands for, repetitions written out.
fn signs(meaning: &Hir) -> usize {
    match meaning.kind() {
        HirKind::Empty | HirKind::Class(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Look(_) => 4,
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            let times = usize::try_from(max.unwrap_or(*min).max(1)).unwrap_or(usize::MAX);
            signs(sub).saturating_mul(times)
        }
        HirKind::Capture(capture) => signs(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(signs).fold(0, usize::saturating_add)
        }
    }
}

/// How many spans its sets have.
fn spans(meaning: &Hir) -> usize {
    match meaning.kind() {
        HirKind::Empty | HirKind::Literal(_) => 0,
        HirKind::Class(Class::Unicode(set)) => set.ranges().len(),
        HirKind::Class(Class::Bytes(set)) => set.ranges().len(),
        HirKind::Look(look) => match look {
            Look::WordUnicode | Look::WordUnicodeNegate => 4 * SPANS_OF_WORD,
            Look::WordStartUnicode | Look::WordEndUnicode => 2 * SPANS_OF_WORD,
            Look::WordStartHalfUnicode | Look::WordEndHalfUnicode => SPANS_OF_WORD,
            _ => 0,
        },
        HirKind::Repetition(repetition) => spans(&repetition.sub),
        HirKind::Capture(capture) => spans(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(spans).fold(0, usize::saturating_add)
        }
    }
}
