//! What certificates are found by beside their columns: words, and parts of words.
//!
//! A part of a word is found by its grams, every three characters that follow each other in it.
//! They stand in the index of words, each behind a mark that no word has.

use chancery_event::filter::Test;
use chancery_event::filter::words::{Word, tokens};
use chancery_event::id::CertificateId;

use super::{Certificate, Name};
use crate::filter_sql::implied_pieces;
use crate::{Error, Tx, args, value};

/// Characters of a gram.
const GRAM: usize = 3;

/// Whose texts a gram is of. The marks are no characters, so that no text has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GramsOf {
    /// Subject and names.
    Subject,
    /// Issuer.
    Issuer,
}

impl GramsOf {
    fn mark(self) -> char {
        match self {
            Self::Subject => '\u{fdd0}',
            Self::Issuer => '\u{fdd1}',
        }
    }
}

/// The texts of a certificate that it is found by.
pub(crate) struct Texts<'a> {
    pub(crate) subject: &'a str,
    pub(crate) common_name: Option<&'a str>,
    pub(crate) issuer: &'a str,
    pub(crate) serial: &'a str,
    pub(crate) fingerprint: &'a str,
    /// All of them, with spaces between.
    pub(crate) names: &'a str,
}

/// What a certificate is found by.
pub(super) fn words(row: &Certificate, names: &[Name]) -> String {
    texts(row, &joined(names)).words()
}

fn texts<'a>(row: &'a Certificate, names: &'a str) -> Texts<'a> {
    Texts {
        subject: &row.subject_dn,
        common_name: row.subject_cn.as_deref(),
        issuer: &row.issuer_dn,
        serial: &row.serial,
        fingerprint: &row.fingerprint_sha256,
        names,
    }
}

fn joined(names: &[Name]) -> String {
    names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(" ")
}

impl Texts<'_> {
    fn words(&self) -> String {
        let Self { subject, issuer, serial, fingerprint, names, .. } = self;
        format!("{subject} {issuer} {serial} {fingerprint} {names}")
    }

    /// The words with the grams behind them.
    pub(crate) fn indexed(&self) -> String {
        let mut text = self.words();
        let mut grams = Vec::new();
        for part in [self.subject, self.common_name.unwrap_or_default(), self.names] {
            gather(part, &mut grams);
        }
        append(&mut text, grams, GramsOf::Subject);
        let mut grams = Vec::new();
        gather(self.issuer, &mut grams);
        append(&mut text, grams, GramsOf::Issuer);
        text
    }
}

fn gather(text: &str, grams: &mut Vec<[char; GRAM]>) {
    for token in tokens(text) {
        let mut last = ['\0'; GRAM];
        for (place, next) in token.chars().enumerate() {
            last = [last[1], last[2], next.to_ascii_lowercase()];
            if place + 1 >= GRAM {
                grams.push(last);
            }
        }
    }
}

fn append(text: &mut String, mut grams: Vec<[char; GRAM]>, of: GramsOf) {
    grams.sort_unstable();
    grams.dedup();
    for gram in grams {
        text.extend([' ', of.mark()]);
        text.extend(gram);
    }
}

/// The grams that a text has if the test of it holds, as words; none: nothing is implied.
pub(super) fn implied_grams(test: &Test, of: GramsOf) -> Vec<Word> {
    let mut grams = Vec::new();
    implied_pieces(test).into_iter().for_each(|piece| gather(piece, &mut grams));
    let mut marked = String::new();
    append(&mut marked, grams, of);
    Word::all(&marked, false)
}

/// Written with the commit: the index writes itself out at every savepoint of a unit.
pub(super) fn insert(tx: &mut Tx, row: &Certificate, names: &[Name]) {
    let words = texts(row, &joined(names)).indexed();
    let dialect = tx.dialect();
    let (head, tail) = dialect.certificate_words();
    let words = dialect.stored_words(&words).into_owned();
    tx.insert_late(head, tail, vec![value::id(row.id), words.into()]);
}

pub(super) async fn delete(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = tx.dialect().delete_certificate_words();
    tx.execute(sql, args![id.to_string()]).await.map(|_| ())
}
