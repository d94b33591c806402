//! Splitting text into the tokens that a word search compares: the same as SQLite's FTS5 tokenizer
//! `ascii`, so that the full-text index and the interpreter agree on every text.

use std::borrow::Cow;

/// One token that a text has to contain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    /// The token: not empty, ASCII-lower-cased.
    pub token: String,
    /// Whether a token that starts with it is enough.
    pub prefix: bool,
}

impl Word {
    /// The words of a text. A `*` right behind the last token, if `star` allows it, makes it a
    /// prefix.
    pub fn all(text: &str, star: bool) -> Vec<Word> {
        let mut words: Vec<Word> = tokens(text)
            .map(|token| Word { token: token.to_ascii_lowercase(), prefix: false })
            .collect();
        let body = text.strip_suffix('*').filter(|body| star && body.ends_with(is_token_char));
        if let (Some(_), Some(last)) = (body, words.last_mut()) {
            last.prefix = true;
        }
        words
    }

    /// Whether a token of a text, in any ASCII case, is this word.
    pub fn is(&self, token: &str) -> bool {
        if self.prefix {
            starts_with_folded(token, &self.token)
        } else {
            token.eq_ignore_ascii_case(&self.token)
        }
    }
}

/// The tokens of a text, in their own case.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_token_char(c)).filter(|token| !token.is_empty())
}

/// Whether every word occurs in one of the texts.
pub(crate) fn all_occur(words: &[Word], texts: &[Cow<'_, str>]) -> bool {
    words.iter().all(|word| occurs(word, texts))
}

/// Whether the word occurs in one of the texts.
pub(crate) fn occurs(word: &Word, texts: &[Cow<'_, str>]) -> bool {
    texts.iter().any(|text| tokens(text).any(|token| word.is(token)))
}

/// The query, in the syntax of SQLite's FTS5, for rows that contain all the words.
pub fn fts5_query(words: &[Word]) -> String {
    let quoted = words.iter().map(|word| {
        let star = if word.prefix { "*" } else { "" };
        format!("\"{}\"{star}", word.token.replace('"', "\"\""))
    });
    quoted.collect::<Vec<_>>().join(" AND ")
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii()
}

pub(crate) fn starts_with_folded(text: &str, prefix: &str) -> bool {
    let head = text.as_bytes().get(..prefix.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}
