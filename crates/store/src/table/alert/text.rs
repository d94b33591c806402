//! The words that alerts are found by: those of title, public message and name, as a text beside
//! each alert and as rows that find what a rare word stands in.

use std::collections::{BTreeMap, HashSet};

use chancery_event::filter::{Filter, Word, words as tokenised};
use chancery_event::id::AlertId;

use super::Alert;
use crate::{Error, Link, SqlValue, Tx, args, value};

/// A word that stands in at most so many alerts is rare: the list of these is read instead of every
/// alert.
const RARE_MAX: usize = 2_000;
/// A word that so many alerts of one batch have may have become common.
const FREQUENT: usize = 64;
/// Words, or pairs of word and alert, in one statement at most.
const PART: usize = 400;

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

/// Writes rows for the words of alerts, those that are common left out: what every alert of a
/// monitor says finds nothing, and its rows would cost more than all the rest of the alert.
pub(super) async fn insert(tx: &mut Tx, of: &[(AlertId, String)]) -> Result<(), Error> {
    // Sorted, so that neighbouring words land on the same pages.
    let mut places: BTreeMap<&str, Vec<AlertId>> = BTreeMap::new();
    for (id, words) in of {
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let alerts = places.entry(word).or_default();
            if alerts.last() != Some(id) {
                alerts.push(*id);
            }
        }
    }
    let words: Vec<&str> = places.keys().copied().collect();
    let common = common(tx, &words).await?;
    let (mut rows, mut new) = (Vec::new(), Vec::new());
    for (word, alerts) in places {
        if common.contains(word) {
            continue;
        }
        if alerts.len() >= FREQUENT
            && standing_in(tx, (word.to_owned(), word.to_owned())).await? + alerts.len() > RARE_MAX
        {
            new.push(vec![word.into()]);
            continue;
        }
        rows.extend(alerts.into_iter().map(|id| vec![word.into(), value::id(id)]));
    }
    tx.insert_many("INSERT INTO alert_common_word (word)", "ON CONFLICT DO NOTHING", new).await?;
    tx.insert_many("INSERT INTO alert_word (word, alert)", "", rows).await
}

/// Those of these words that are common.
async fn common(link: &mut Link, words: &[&str]) -> Result<HashSet<String>, Error> {
    let mut common = HashSet::new();
    for part in words.chunks(PART) {
        let places = vec!["?"; part.len()].join(",");
        let sql = format!("SELECT word FROM alert_common_word WHERE word IN ({places})");
        let values = part.iter().map(|word| SqlValue::from(*word)).collect();
        for row in link.rows(sql, values).await? {
            common.insert(row.text("word")?);
        }
    }
    Ok(common)
}

/// In how many alerts words of this span stand, as far as it matters.
async fn standing_in(link: &mut Link, (from, to): (String, String)) -> Result<usize, Error> {
    let sql = "SELECT COUNT(*) AS n FROM
               (SELECT alert FROM alert_word WHERE word >= $1 AND word <= $2 LIMIT $3) AS found";
    let found = link.number(sql, args![from, to, RARE_MAX + 1]).await?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Deletes the rows of alerts, whose words are as they were stored.
pub(super) async fn delete(tx: &mut Tx, of: &[(AlertId, String)]) -> Result<(), Error> {
    let pairs: Vec<(AlertId, &str)> = of
        .iter()
        .flat_map(|(id, words)| words.split(' ').map(|word| (*id, word)))
        .filter(|(_, word)| !word.is_empty())
        .collect();
    for part in pairs.chunks(PART) {
        let places = vec!["(?, ?)"; part.len()].join(", ");
        let sql = format!("DELETE FROM alert_word WHERE (word, alert) IN (VALUES {places})");
        let pair = |(id, word): &(AlertId, &str)| [SqlValue::from(*word), value::id(*id)];
        tx.execute(sql, part.iter().flat_map(pair).collect()).await?;
    }
    Ok(())
}

/// Those words of a filter that are rare.
pub(super) async fn rare(link: &mut Link, filter: &Filter) -> Result<HashSet<Word>, Error> {
    let mut words = Vec::new();
    gather(filter, &mut words);
    let mut rare = HashSet::new();
    for word in words {
        let (from, to) = ends(&word);
        let sql = "SELECT COUNT(*) AS n FROM alert_common_word WHERE word >= $1 AND word <= $2";
        let is_common = link.number(sql, args![&from, &to]).await? > 0;
        if !is_common && standing_in(link, (from, to)).await? <= RARE_MAX {
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
