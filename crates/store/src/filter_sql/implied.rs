//! What a test of a field implies for the words of the object, where the text of that field is
//! among what words are searched in: an index on words then finds the few that the test has to look
//! at.

use chancery_event::filter::words::{Word, tokens};
use chancery_event::filter::{Scalar, Test};

/// The words that lie wholly within what was asked for; none: nothing is implied. Prefixes are left
/// out: a short one names everything.
pub(crate) fn implied_words(test: &Test) -> Vec<Word> {
    let Some((text, from_start, to_end)) = asked(test) else { return Vec::new() };
    let start = text.as_ptr().addr();
    tokens(text)
        .filter(|token| {
            let at = token.as_ptr().addr() - start;
            (at > 0 || from_start) && (at + token.len() < text.len() || to_end)
        })
        .map(|token| Word { token: token.to_ascii_lowercase(), prefix: false })
        .collect()
}

/// The pieces of words, whole ones among them, that what was asked for consists of: each lies
/// within one word of a text for which the test holds.
pub(crate) fn implied_pieces(test: &Test) -> Vec<&str> {
    asked(test).map(|(text, ..)| tokens(text).collect()).unwrap_or_default()
}

/// The one text that a test looks for, whether a value begins with it, and whether one ends with
/// it.
fn asked(test: &Test) -> Option<(&str, bool, bool)> {
    Some(match test {
        Test::AnyOf { values, .. } => match values.as_slice() {
            [Scalar::Text(text)] => (text, true, true),
            _ => return None,
        },
        Test::StartsWith { text, .. } => (text, true, false),
        Test::EndsWith { text, .. } => (text, false, true),
        Test::Contains { text, .. } => (text, false, false),
        _ => return None,
    })
}
