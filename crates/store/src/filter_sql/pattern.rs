//! Regular expressions of the `regex` crate in the syntax of PostgreSQL.
//!
//! The two read the same text differently: flags, names of groups, `\b`, classes in sets and what a
//! letter is beyond ASCII. So nothing of the text is handed on. It is read here as the interpreter
//! in memory reads it, and what it means is written down from the few parts that PostgreSQL reads
//! one way only: characters by number, sets of them, groups, repetitions, and looking ahead and
//! behind.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look, Repetition};

/// The most repetitions that PostgreSQL counts.
const TIMES_MAX: u32 = 255;
/// Matches nowhere: something after the end.
const NEVER: &str = r"(?:\Z[a])";

/// Letters, digits and what else stands in a word, as [`chancery_event::filter`] sees them.
static WORD: LazyLock<String> = LazyLock::new(|| class_of(r"\w"));
static ASCII_WORD: LazyLock<String> = LazyLock::new(|| class_of(r"[0-9A-Za-z_]"));

/// What a regular expression means, as PostgreSQL says it.
pub(super) fn postgres(meaning: &Hir) -> String {
    let mut text = String::new();
    write(meaning, &mut text);
    text
}

fn class_of(pattern: &str) -> String {
    regex_syntax::parse(pattern).map_or_else(|_| NEVER.to_owned(), |set| postgres(&set))
}

fn write(meaning: &Hir, text: &mut String) {
    match meaning.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            String::from_utf8_lossy(&literal.0).chars().for_each(|c| character(c, text));
        }
        HirKind::Class(Class::Unicode(set)) => class(set, text),
        // Without the flag u a set is one of bytes; one of ASCII alone is all that is accepted.
        HirKind::Class(Class::Bytes(set)) => match set.to_unicode_class() {
            Some(set) => class(&set, text),
            None => text.push_str(NEVER),
        },
        HirKind::Look(look) => text.push_str(&edge(*look)),
        HirKind::Repetition(repetition) => repeated(repetition, text),
        HirKind::Capture(capture) => group(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| match part.kind() {
            HirKind::Alternation(_) => group(part, text),
            _ => write(part, text),
        }),
        HirKind::Alternation(parts) => {
            for (place, part) in parts.iter().enumerate() {
                text.push_str(if place > 0 { "|" } else { "" });
                write(part, text);
            }
        }
    }
}

fn group(meaning: &Hir, text: &mut String) {
    text.push_str("(?:");
    write(meaning, text);
    text.push(')');
}

/// Whether more or fewer are taken does not matter where the question is whether there is a match.
fn repeated(repetition: &Repetition, text: &mut String) {
    let mut once = String::new();
    group(&repetition.sub, &mut once);
    let (mut min, mut max) = (repetition.min, repetition.max);
    while min > TIMES_MAX {
        text.push_str(&format!("{once}{{{TIMES_MAX}}}"));
        min -= TIMES_MAX;
        max = max.map(|max| max.saturating_sub(TIMES_MAX));
    }
    let Some(mut max) = max else {
        text.push_str(&format!("{once}{{{min},}}"));
        return;
    };
    while max > TIMES_MAX {
        // No more than TIMES_MAX in one, and no fewer than `min` in all.
        text.push_str(&format!("{once}{{{min},{TIMES_MAX}}}"));
        (min, max) = (0, max - TIMES_MAX);
    }
    text.push_str(&format!("{once}{{{min},{max}}}"));
}

/// A character, as itself where it has no other meaning anywhere, by its number otherwise.
fn character(c: char, text: &mut String) {
    match u32::from(c) {
        _ if c.is_ascii_alphanumeric() => text.push(c),
        number @ ..0x10000 => text.push_str(&format!("\\u{number:04x}")),
        number => text.push_str(&format!("\\U{number:08x}")),
    }
}

fn class(set: &ClassUnicode, text: &mut String) {
    // NUL stands in no text of PostgreSQL and is not accepted in a pattern.
    let spans = set.ranges().iter().map(|span| (span.start().max('\u{1}'), span.end()));
    let mut spans = spans.filter(|(from, to)| from <= to).peekable();
    if spans.peek().is_none() {
        text.push_str(NEVER);
        return;
    }
    text.push('[');
    for (from, to) in spans {
        character(from, text);
        if from < to {
            text.push('-');
            character(to, text);
        }
    }
    text.push(']');
}

/// A place between characters.
fn edge(look: Look) -> String {
    let word: &str = match look {
        Look::WordUnicode
        | Look::WordUnicodeNegate
        | Look::WordStartUnicode
        | Look::WordEndUnicode
        | Look::WordStartHalfUnicode
        | Look::WordEndHalfUnicode => &WORD,
        _ => &ASCII_WORD,
    };
    let (after, not_after) = (format!("(?<={word})"), format!("(?<!{word})"));
    let (before, not_before) = (format!("(?={word})"), format!("(?!{word})"));
    match look {
        Look::Start => r"\A".to_owned(),
        Look::End => r"\Z".to_owned(),
        Look::StartLF => r"(?<![^\u000a])".to_owned(),
        Look::EndLF => r"(?![^\u000a])".to_owned(),
        Look::StartCRLF => r"(?:\A|(?<=\u000a)|(?<=\u000d)(?!\u000a))".to_owned(),
        Look::EndCRLF => r"(?:\Z|(?=\u000d)|(?<!\u000d)(?=\u000a))".to_owned(),
        Look::WordAscii | Look::WordUnicode => {
            format!("(?:{after}{not_before}|{not_after}{before})")
        }
        Look::WordAsciiNegate | Look::WordUnicodeNegate => {
            format!("(?:{after}{before}|{not_after}{not_before})")
        }
        Look::WordStartAscii | Look::WordStartUnicode => format!("{not_after}{before}"),
        Look::WordEndAscii | Look::WordEndUnicode => format!("{after}{not_before}"),
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => not_after,
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => not_before,
    }
}
