//! What `filter` and `q` ask of a `LogEvent`: looked up in the event as it is answered.
//!
//! Attributes are those of the `LogEvent`, also those that no event of ours has, which fit nothing;
//! a list holds where one of its elements does. `filter` is
//! SCIM (RFC 7644 §3.4.2.2) without brackets; `published` is not filtered by, as there.

use std::sync::LazyLock;

use chancery_event::Timestamp;
use chancery_event::filter::{Compiled, Field, FieldKind, Filter, Object, Schema, Values};
use serde_json::Value;

use super::fault::Fault;

/// Keywords of `q`, and characters of each, at most.
const WORDS: (usize, usize) = (10, 40);

const ATTRIBUTES: &[&str] = &[
    "uuid",
    "eventType",
    "displayMessage",
    "severity",
    "version",
    "legacyEventType",
    "outcome.result",
    "outcome.reason",
    "actor.id",
    "actor.type",
    "actor.alternateId",
    "actor.displayName",
    "client.id",
    "client.device",
    "client.zone",
    "client.ipAddress",
    "client.userAgent.rawUserAgent",
    "client.userAgent.os",
    "client.userAgent.browser",
    "client.geographicalContext.city",
    "client.geographicalContext.state",
    "client.geographicalContext.country",
    "client.geographicalContext.postalCode",
    "securityContext.asOrg",
    "securityContext.isp",
    "securityContext.domain",
    "authenticationContext.authenticationProvider",
    "authenticationContext.credentialProvider",
    "authenticationContext.interface",
    "authenticationContext.credentialType",
    "authenticationContext.externalSessionId",
    "authenticationContext.rootSessionId",
    "transaction.id",
    "transaction.type",
    "transaction.detail.requestApiTokenId",
    "request.ipChain.ip",
    "request.ipChain.version",
    "target.id",
    "target.type",
    "target.alternateId",
    "target.displayName",
    "target.detailEntry.fingerprint",
    "target.detailEntry.serialNumber",
    "target.detailEntry.authorityInstanceId",
    "target.detailEntry.certStatus",
    "debugContext.debugData.origin",
    "debugContext.debugData.chanceryType",
    "debugContext.debugData.logIndex",
    "debugContext.debugData.cause",
    "debugContext.debugData.url",
    "debugContext.debugData.requestUri",
];

fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let field = |name: &&str| Field::new(*name, FieldKind::Text, "as in a LogEvent");
        Schema::new("event", ATTRIBUTES.iter().map(field).collect::<Vec<_>>())
    });
    &SCHEMA
}

/// What is asked of an event.
pub(super) struct Condition {
    filter: Option<Compiled>,
    words: Vec<String>,
}

impl Condition {
    pub(super) fn parse(filter: Option<&str>, words: Option<&str>) -> Result<Self, Fault> {
        let filter = filter.filter(|text| !text.trim().is_empty()).map(|text| {
            let filter = Filter::from_scim(text, schema()).map_err(|error| {
                let text = error.to_string();
                if text.contains("nothing: it is") || text.contains("no order") {
                    Fault::operator(&text)
                } else {
                    Fault::filter(&text)
                }
            })?;
            refuse_pairs(&filter)?;
            filter.compile(schema()).map_err(|error| Fault::filter(&error.to_string()))
        });
        let words: Vec<String> =
            words.unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
        if words.len() > WORDS.0 || words.iter().any(|word| word.chars().count() > WORDS.1) {
            return Err(Fault::validation("q"));
        }
        Ok(Self { filter: filter.transpose()?, words })
    }

    pub(super) fn holds(&self, event: &Value, now: Timestamp) -> bool {
        let fits =
            self.filter.as_ref().is_none_or(|filter| filter.holds(&Told(event), now.micros()));
        fits && (self.words.is_empty() || {
            let mut known = Vec::new();
            tokens(event, &mut known);
            self.words.iter().all(|word| known.contains(word))
        })
    }
}

/// Pairs of operator and attribute that are refused there.
fn refuse_pairs(filter: &Filter) -> Result<(), Fault> {
    let mut refused = None;
    filter.each_comparison(&mut |comparison| {
        let contains = comparison.operator == chancery_event::filter::Operator::Contains;
        let field = comparison.field.as_str();
        if contains && (field.ends_with(".url") || field.ends_with(".requestUri")) {
            refused = Some(format!("co is not supported for {field}"));
        }
    });
    refused.map_or(Ok(()), |text| Err(Fault::operator(&text)))
}

/// Whole words, and the parts of those with hyphens.
fn tokens(value: &Value, known: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let text = text.to_lowercase();
            known.extend(text.split_whitespace().map(str::to_owned));
            let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
            known.extend(parts.map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| tokens(item, known)),
        Value::Object(members) => members.values().for_each(|member| tokens(member, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A `LogEvent` as the filter sees it.
struct Told<'a>(&'a Value);

impl Object for Told<'_> {
    fn values(&self, field: &str) -> Values<'_> {
        let mut found = Vec::new();
        let name = ATTRIBUTES.iter().find(|name| name.eq_ignore_ascii_case(field));
        if let Some(name) = name {
            let path: Vec<&str> = name.split('.').collect();
            collect(self.0, &path, &mut found);
        }
        found.into_iter().collect()
    }

    fn texts(&self) -> Vec<std::borrow::Cow<'_, str>> {
        Vec::new()
    }
}

fn collect(value: &Value, path: &[&str], found: &mut Vec<String>) {
    match (value, path) {
        (Value::Array(items), path) => items.iter().for_each(|item| collect(item, path, found)),
        (Value::String(text), []) => found.push(text.clone()),
        (Value::Number(number), []) => found.push(number.to_string()),
        (Value::Object(members), [first, rest @ ..]) => {
            if let Some(member) = members.get(*first) {
                collect(member, rest, found);
            }
        }
        _ => {}
    }
}
