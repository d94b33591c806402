//! A certificate as the filter sees it in memory: for triggers, and to hold SQL against.

use std::borrow::Cow;

use chancery_event::filter::{Object, Value, Values};

use super::super::text;
use crate::table::certificate::{AttributeValue, Certificate, Name};

/// A certificate with everything that the fields of its filter are taken from.
#[derive(Clone, Copy, Debug)]
pub struct Searchable<'a> {
    /// Its row.
    pub row: &'a Certificate,
    /// Its subject alternative names.
    pub names: &'a [Name],
    /// Names of the groups it is in.
    pub groups: &'a [String],
    /// Login name of its owner.
    pub owner: Option<&'a str>,
    /// Name of its RA profile.
    pub ra_profile: Option<&'a str>,
    /// Values of its custom attributes, each with the attribute's name and kind.
    pub attributes: &'a [(String, String, AttributeValue)],
}

impl Object for Searchable<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let row = self.row;
        match field {
            "status" => row.status.as_str().into(),
            "expires" => Values::time(row.not_after.micros()),
            "issued" => Values::time(row.not_before.micros()),
            "added" => Values::time(row.created_at.micros()),
            "name" => self.names.iter().map(|name| name.value.as_str()).collect(),
            "cn" => row.subject_cn.as_deref().into(),
            "subject" => row.subject_dn.as_str().into(),
            "issuer" => row.issuer_dn.as_str().into(),
            "issuer_cn" => row.issuer_cn.as_deref().into(),
            "serial" => row.serial.as_str().into(),
            "fingerprint" => row.fingerprint_sha256.as_str().into(),
            "sha1" => row.fingerprint_sha1.as_str().into(),
            "spki" => row.spki_sha256.as_str().into(),
            "id" => row.id.to_string().into(),
            "key_algorithm" => row.key_algorithm.as_str().into(),
            "key_size" => row.key_size.into(),
            "signature_algorithm" => row.signature_algorithm.as_str().into(),
            "key_usage" => row.key_usage.as_str().into(),
            "eku" => row.extended_key_usage.as_str().into(),
            "ca" => row.is_ca.into(),
            "trust_anchor" => row.trust_anchor.into(),
            "demo" => row.demonstration.into(),
            "archived" => row.archived.into(),
            "replaced" => row.replaced_by.is_some().into(),
            "owner" => self.owner.into(),
            "group" => self.groups.iter().collect(),
            "ra_profile" => self.ra_profile.into(),
            "path" => row.path.as_str().into(),
            "source" => row.source.as_str().into(),
            _ => match field.strip_prefix("attribute.") {
                Some(name) => self.attribute(name),
                None => Values::None,
            },
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Owned(text::words(self.row, self.names))]
    }
}

impl Searchable<'_> {
    fn attribute(&self, wanted: &str) -> Values<'_> {
        let of_it = self.attributes.iter().filter(|(name, _, _)| name == wanted);
        of_it
            .map(|(_, kind, value)| match value {
                AttributeValue::Text(text) => Value::Text(Cow::Borrowed(text)),
                AttributeValue::Time(time) => Value::Time(time.micros()),
                AttributeValue::Number(number) if kind == "boolean" => {
                    Value::Boolean(*number != 0.0)
                }
                AttributeValue::Number(number) => Value::Decimal(*number),
            })
            .collect()
    }
}
