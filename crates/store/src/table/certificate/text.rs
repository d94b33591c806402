//! The words that certificates are found by.

use chancery_event::id::CertificateId;

use super::{Certificate, Name};
use crate::{Error, Tx, args, value};

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
    let dialect = tx.dialect();
    let (head, tail) = dialect.certificate_words();
    let words = dialect.stored_words(&words).into_owned();
    tx.insert_late(head, tail, vec![value::id(row.id), words.into()]);
}

pub(super) async fn delete(tx: &mut Tx, id: CertificateId) -> Result<(), Error> {
    let sql = tx.dialect().delete_certificate_words();
    tx.execute(sql, args![id.to_string()]).await.map(|_| ())
}
