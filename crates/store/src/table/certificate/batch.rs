//! Many certificates in few statements: an import writes this way.

use std::collections::{BTreeMap, HashMap};

use super::{COLUMNS, Certificate, Name, text, values};
use crate::{Error, Tx, args};

/// A certificate to insert together with others.
#[derive(Clone, Copy, Debug)]
pub struct NewCertificate<'a> {
    /// Its row.
    pub row: &'a Certificate,
    /// Its original bytes.
    pub der: &'a [u8],
    /// Its names.
    pub names: &'a [Name],
    /// How many certificates bore its issuer's name when it was judged, counted as
    /// [`super::bearers`] does.
    pub issuers_known: usize,
}

/// Certificates that bear one subject name are counted up to this number.
const BEARERS_MAX: usize = 32;

/// Inserts certificates with their bytes and names. Those are due for validation at once for whose
/// issuer's name the count has changed, as with [`super::insert`]; others of the same batch count.
///
/// # Errors
/// [`Error::Exists`] if a fingerprint is in the inventory, or twice in the batch. Then nothing of
/// the unit may be kept.
pub async fn insert_all(tx: &mut Tx, batch: &[NewCertificate<'_>]) -> Result<(), Error> {
    if batch.is_empty() {
        return Ok(());
    }
    let head = format!("INSERT INTO certificate ({})", COLUMNS.replace("c.", ""));
    tx.insert_each(&head, batch.iter().map(|new| values(new.row)).collect()).await?;
    let der = |new: &NewCertificate<'_>| args![new.row.id.to_string(), new.der];
    let head = "INSERT INTO certificate_der (certificate, der)";
    tx.insert_many(head, "", batch.iter().map(der).collect()).await?;
    let mut names = Vec::new();
    for new in batch {
        let id = new.row.id.to_string();
        names.extend(new.names.iter().map(|name| args![&id, &name.kind, &name.value]));
        text::insert(tx, new.row, new.names);
    }
    let head = "INSERT INTO certificate_name (certificate, kind, value)";
    tx.insert_many(head, "ON CONFLICT DO NOTHING", names).await?;
    make_changed_due(tx, batch).await
}

/// Makes those due whose verdict was reached with other issuers than there are now.
async fn make_changed_due(tx: &mut Tx, batch: &[NewCertificate<'_>]) -> Result<(), Error> {
    let mut issuers: HashMap<&str, usize> = HashMap::new();
    let mut due: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for NewCertificate { row, issuers_known, .. } in batch {
        let bearers = match issuers.get(row.issuer_key.as_str()) {
            Some(&known) => known,
            None => {
                // One more than is told: the certificate itself may be among them.
                let sql = "SELECT COUNT(*) AS n FROM
                           (SELECT 1 AS one FROM certificate WHERE subject_key = $1
                           LIMIT 33) AS few";
                let found = tx.number(sql, args![&row.issuer_key]).await?;
                let found = usize::try_from(found).unwrap_or(0);
                issuers.insert(&row.issuer_key, found);
                found
            }
        };
        let itself = usize::from(row.subject_key == row.issuer_key);
        if bearers.saturating_sub(itself).min(BEARERS_MAX) != *issuers_known {
            due.entry(row.created_at.micros()).or_default().push(row.id.to_string());
        }
    }
    for (at, ids) in due {
        for ids in ids.chunks(128) {
            let places = vec!["?"; ids.len()].join(", ");
            let sql = format!("UPDATE certificate SET status_due_at = ? WHERE id IN ({places})");
            let mut values = args![at];
            values.extend(ids.iter().map(Into::into));
            tx.execute(sql, values).await?;
        }
    }
    Ok(())
}
