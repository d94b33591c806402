//! The words that alerts are found by: those of title, public message and name, as a text beside
//! each alert and as rows that find what a rare word stands in.

use std::collections::{BTreeSet, HashSet};

use chancery_event::filter::{Filter, Word, words as tokenised};
use chancery_event::id::AlertId;

use super::Alert;
use crate::{Error, Link, Tx, args, value};

/// A word that stands in at most so many alerts is rare: the list of these is read instead of every
/// alert.
const RARE_MAX: usize = 2_000;

/// The tokens that text search compares, each between spaces.
pub(super) fn words(alert: &Alert) -> String {
    let message = if alert.message_private { "" } else { alert.message.as_str() };
    let name = alert.object_name.as_deref().unwrap_or_default();
    let mut text = String::from(" ");
    for token in [alert.title.as_str(), message, name].into_iter().flat_map(tokenised::tokens) {
        text.push_str(&token.to_ascii_lowercase());
        text.push(' ');
    }
    text
}

/// The words of an alert as they are stored.
pub(super) async fn stored(tx: &mut Tx, id: AlertId) -> Result<Option<String>, Error> {
    let sql = "SELECT words FROM alert WHERE id = $1";
    tx.row(sql, vec![value::id(id)]).await?.map(|row| row.text("words")).transpose()
}

pub(super) async fn insert(tx: &mut Tx, of: &[(AlertId, String)]) -> Result<(), Error> {
    // Sorted, so that neighbouring words land on the same pages.
    let words = |(id, words): &'_ (AlertId, String)| -> Vec<(String, AlertId)> {
        words
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(|word| (word.to_owned(), *id))
            .collect()
    };
    let rows: BTreeSet<_> = of.iter().flat_map(words).collect();
    let rows = rows.into_iter().map(|(word, id)| vec![word.into(), value::id(id)]).collect();
    tx.insert_many("INSERT INTO alert_word (word, alert)", "", rows).await
}

pub(super) async fn delete(tx: &mut Tx, id: AlertId) -> Result<(), Error> {
    tx.execute("DELETE FROM alert_word WHERE alert = $1", vec![value::id(id)]).await.map(|_| ())
}

/// Those words of a filter that are rare.
pub(super) async fn rare(link: &mut Link, filter: &Filter) -> Result<HashSet<Word>, Error> {
    let mut words = Vec::new();
    gather(filter, &mut words);
    let mut rare = HashSet::new();
    for word in words {
        let (from, to) = ends(&word);
        let sql = "SELECT COUNT(*) AS n FROM
                   (SELECT alert FROM alert_word WHERE word >= $1 AND word <= $2 LIMIT $3) AS found";
        let found = link.number(sql, args![from, to, RARE_MAX + 1]).await?;
        if usize::try_from(found).unwrap_or(usize::MAX) <= RARE_MAX {
            rare.insert(word);
        }
    }
    Ok(rare)
}

/// The first and the last word that fit.
pub(super) fn ends(word: &Word) -> (String, String) {
    let last = if word.prefix { format!("{}\u{10FFFF}", word.token) } else { word.token.clone() };
    (word.token.clone(), last)
}

fn gather(filter: &Filter, words: &mut Vec<Word>) {
    match filter {
        Filter::Words(some) => words.extend(some.iter().cloned()),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| gather(part, words)),
        Filter::Not(part) => gather(part, words),
        Filter::All | Filter::Comparison(_) => {}
    }
}
