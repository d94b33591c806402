//! The words that certificates are found by. SQLite's full-text index; PostgreSQL will have its
//! own.

use chancery_event::id::CertificateId;

use super::{Certificate, Name};
use crate::{Error, Tx, args, value};

/// The certificate may be gone again by the end of the commit: then so are its words.
const HEAD: &str = "WITH word (id, words) AS (";
const TAIL: &str = ") INSERT INTO certificate_text (rowid, words)
    SELECT c.number, word.words FROM word JOIN certificate c ON c.id = word.id";

/// What a certificate is found by.
pub(super) fn words(row: &Certificate, names: &[Name]) -> String {
    let mut words =
        format!("{} {} {} {}", row.subject_dn, row.issuer_dn, row.serial, row.fingerprint_sha256);
    for name in names {
        words.push(' ');
        words.push_str(&name.value);
    }
    words
}

/// Written with the commit: the index writes itself out at every savepoint of a unit.
pub(super) fn insert(tx: &mut Tx, row: &Certificate, names: &[Name]) {
    let words = words(row, names);
    tx.insert_late(HEAD, TAIL, vec![value::id(row.id), words.into()]);
}

pub(super) async fn delete(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = "DELETE FROM certificate_text
               WHERE rowid IN (SELECT number FROM certificate WHERE id = $1)";
    tx.execute(sql, args![id.to_string()]).await.map(|_| ())
}
