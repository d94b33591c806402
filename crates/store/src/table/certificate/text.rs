//! The words that certificates are found by. SQLite's full-text index; PostgreSQL will have its
//! own.

use chancery_event::id::CertificateId;

use super::{Certificate, Name};
use crate::{Error, Tx, args, value};

pub(super) async fn insert(tx: &mut Tx, row: &Certificate, names: &[Name]) -> Result<(), Error> {
    let mut words =
        format!("{} {} {} {}", row.subject_dn, row.issuer_dn, row.serial, row.fingerprint_sha256);
    for name in names {
        words.push(' ');
        words.push_str(&name.value);
    }
    let sql = "INSERT INTO certificate_text (rowid, words)
               SELECT rowid, $2 FROM certificate WHERE id = $1";
    tx.execute(sql, vec![value::id(row.id), words.into()]).await.map(|_| ())
}

pub(super) async fn delete(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = "DELETE FROM certificate_text
               WHERE rowid IN (SELECT rowid FROM certificate WHERE id = $1)";
    tx.execute(sql, args![id.to_string()]).await.map(|_| ())
}
