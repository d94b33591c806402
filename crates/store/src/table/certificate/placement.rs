//! Where a certificate belongs: owner, RA profile, path, groups, custom attributes, trust.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, AttributeId, CertificateId, GroupId, RaProfileId};

use crate::{Error, Link, Tx, args, value};

/// The columns of a certificate's placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Who answers for it.
    pub owner: Option<AccountId>,
    /// Its RA profile.
    pub ra_profile: Option<RaProfileId>,
    /// Folder.
    pub path: String,
    /// Chains may end here.
    pub trust_anchor: bool,
}

/// One value of a custom attribute; lists have several.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// `string`, `text`, `list`.
    Text(String),
    /// `integer`, `decimal`, `boolean` (0 or 1).
    Number(f64),
    /// `date`, `datetime`.
    Time(Timestamp),
}

/// Writes a placement if the version is still `version`, and counts it up.
///
/// # Errors
/// [`Error::Conflict`] if somebody else changed the certificate first.
pub async fn update_placement(
    tx: &mut Tx,
    id: CertificateId,
    version: i64,
    placement: &Placement,
) -> Result<(), Error> {
    let sql = "UPDATE certificate SET owner = $3, ra_profile = $4, path = $5, trust_anchor = $6,
               version = version + 1 WHERE id = $1 AND version = $2";
    let mut values = vec![value::id(id)];
    values.extend(args![
        version,
        placement.owner.map(|id| id.to_string()),
        placement.ra_profile.map(|id| id.to_string()),
        &placement.path,
        placement.trust_anchor
    ]);
    if tx.execute(sql, values).await? == 1 {
        Ok(())
    } else {
        Err(Error::Conflict("the certificate"))
    }
}

/// Groups of a certificate, with their names, by name.
pub async fn groups(link: &mut Link, id: CertificateId) -> Result<Vec<(GroupId, String)>, Error> {
    let sql = "SELECT g.id, g.name FROM certificate_in_group m
               JOIN certificate_group g ON g.id = m.group_id
               WHERE m.certificate = $1 ORDER BY lower(g.name), g.id";
    link.rows(sql, vec![value::id(id)])
        .await?
        .iter()
        .map(|row| Ok((row.id("id")?, row.text("name")?)))
        .collect()
}

/// Replaces the groups of a certificate.
pub async fn put_groups(tx: &mut Tx, id: CertificateId, groups: &[GroupId]) -> Result<(), Error> {
    let sql = "DELETE FROM certificate_in_group WHERE certificate = $1";
    tx.execute(sql, vec![value::id(id)]).await?;
    let rows = groups.iter().map(|group| vec![value::id(id), value::id(*group)]).collect();
    let head = "INSERT INTO certificate_in_group (certificate, group_id)";
    tx.insert_many(head, "ON CONFLICT DO NOTHING", rows).await
}

/// Values of custom attributes of a certificate, by attribute, in order.
pub async fn attributes(
    link: &mut Link,
    id: CertificateId,
) -> Result<Vec<(AttributeId, AttributeValue)>, Error> {
    let sql = "SELECT attribute, text_value, number_value, time_value
               FROM certificate_attribute WHERE certificate = $1 ORDER BY attribute, position";
    link.rows(sql, vec![value::id(id)]).await?.iter().map(attribute_value).collect()
}

fn attribute_value(row: &crate::Row) -> Result<(AttributeId, AttributeValue), Error> {
    let value = match (row.maybe_text("text_value")?, row.maybe_time("time_value")?) {
        (Some(text), _) => AttributeValue::Text(text),
        (None, Some(time)) => AttributeValue::Time(time),
        (None, None) => AttributeValue::Number(row.maybe_real("number_value")?.unwrap_or(0.0)),
    };
    Ok((row.id("attribute")?, value))
}

/// The same of several certificates.
pub async fn attributes_of(
    link: &mut Link,
    ids: &[String],
) -> Result<Vec<(CertificateId, AttributeId, AttributeValue)>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT certificate, attribute, text_value, number_value, time_value
         FROM certificate_attribute WHERE certificate IN ({})
         ORDER BY certificate, attribute, position",
        vec!["?"; ids.len()].join(", ")
    );
    let ids = ids.iter().map(|id| id.as_str().into()).collect();
    let read = |row: &crate::Row| {
        let (attribute, value) = attribute_value(row)?;
        Ok((row.id("certificate")?, attribute, value))
    };
    link.rows(sql, ids).await?.iter().map(read).collect()
}

/// Replaces the values of one custom attribute of a certificate; no values: removes it.
pub async fn put_attributes(
    tx: &mut Tx,
    id: CertificateId,
    attribute: AttributeId,
    values: &[AttributeValue],
) -> Result<(), Error> {
    let sql = "DELETE FROM certificate_attribute WHERE certificate = $1 AND attribute = $2";
    tx.execute(sql, vec![value::id(id), value::id(attribute)]).await?;
    let rows = values
        .iter()
        .enumerate()
        .map(|(position, one)| {
            let (text, number, time) = match one {
                AttributeValue::Text(text) => (Some(text.as_str()), None, None),
                AttributeValue::Number(number) => (None, Some(*number), None),
                AttributeValue::Time(time) => (None, None, Some(*time)),
            };
            let mut row = vec![value::id(id), value::id(attribute)];
            row.extend(args![position, text, number, time]);
            row
        })
        .collect();
    let head = "INSERT INTO certificate_attribute
                (certificate, attribute, position, text_value, number_value, time_value)";
    tx.insert_many(head, "", rows).await
}
