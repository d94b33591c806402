//! Tests of the filter: spellings by table, round trips and totality by property.

use std::{borrow::Cow, collections::BTreeMap};

use proptest::prelude::*;

use super::*;

mod properties;

const NOW: i64 = 1_790_000_000_000_000;
const DAY: i64 = 86_400_000_000;

pub(super) fn schema() -> Schema {
    let types =
        ["certificate.issue", "certificate.expiring", "certificate.revoke", "authority.create"];
    let types = Keywords::known(types)
        .alias("LIFECYCLE-ENROLL", "certificate.issue")
        .alias("certificate_life", "certificate.issue")
        .alias("certificate_life", "certificate.expiring");
    Schema::new(
        "event",
        vec![
            Field::new("type", FieldKind::Keyword(types), "The event type.").alias("event").facet(),
            Field::new(
                "outcome",
                FieldKind::Keyword(Keywords::known(["success", "failure"])),
                "Outcome.",
            ),
            Field::new("actor", FieldKind::Text, "Who did it."),
            Field::new("note", FieldKind::Text, "A note."),
            Field::new("origin", FieldKind::Keyword(Keywords::open()), "Where it came in."),
            Field::new(
                "severity",
                FieldKind::Ordered(
                    Keywords::known(["info", "notice", "warning", "error"])
                        .alias("warn", "warning"),
                ),
                "How grave.",
            ),
            Field::new("names", FieldKind::Text, "Names of the certificate.").alias("san"),
            Field::new("size", FieldKind::Integer, "Key size in bits."),
            Field::new("score", FieldKind::Decimal, "Grade."),
            Field::new("trusted", FieldKind::Boolean, "Trust."),
            Field::new("expires", FieldKind::Timestamp, "End of validity.").sortable(),
            Field::new("time", FieldKind::Timestamp, "When."),
            Field::new("id", FieldKind::Id, "Identifier."),
        ],
    )
    .with_fields([Field::new("attribute.Cost centre", FieldKind::Text, "Who pays.")])
}

/// An object from a table of values.
#[derive(Clone, Debug, Default)]
pub(super) struct Thing {
    values: BTreeMap<&'static str, Vec<Value<'static>>>,
    text: Option<&'static str>,
}

impl Thing {
    fn with<T: Into<Value<'static>>>(mut self, field: &'static str, value: T) -> Self {
        self.values.entry(field).or_default().push(value.into());
        self
    }

    fn at(mut self, field: &'static str, micros: i64) -> Self {
        self.values.entry(field).or_default().push(Value::Time(micros));
        self
    }
}

impl Object for Thing {
    fn values(&self, field: &str) -> Values<'_> {
        self.values.get(field).map_or(Values::None, |values| Values::Many(values.clone()))
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        self.text.map(Cow::Borrowed).into_iter().collect()
    }
}

fn parse(text: &str) -> Filter {
    Filter::parse(text, &schema()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn holds(text: &str, thing: &Thing) -> bool {
    parse(text).compile(&schema()).unwrap().holds(thing, NOW)
}

fn thing() -> Thing {
    let mut thing = Thing::default()
        .with("type", "certificate.issue")
        .with("outcome", "failure")
        .with("actor", "Ada")
        .with("severity", "warning")
        .with("names", "www.Example.com")
        .with("names", "api.example.com")
        .with("size", 2048)
        .with("score", 1.5)
        .with("trusted", true)
        .with("id", "0192aa")
        .at("expires", NOW + 10 * DAY)
        .at("time", NOW - DAY);
    thing.text = Some("Connection timeout to größe.example.com:443");
    thing
}

#[test]
fn canonical_text() {
    let check = |text: &str, expected: &str| {
        let filter = parse(text);
        assert_eq!(filter.to_text(), expected, "{text}");
        assert_eq!(parse(expected), filter, "{text}");
        assert_eq!(Filter::from_json(&filter.to_json(), &schema()).unwrap(), filter, "{text}");
    };
    check("", "");
    check("  ", "");
    check("*", "");
    check("NOT *", "-*");
    check(
        r#"type:certificate.* outcome:failure -actor:system expires<30d "timeout""#,
        "type:certificate.* outcome:failure -actor:system expires<30d timeout",
    );
    check("event:LIFECYCLE-ENROLL", "type:certificate.issue");
    check("type:certificate_life", "type:certificate.issue,certificate.expiring");
    check("type!=certificate_life", "-type:certificate.issue,certificate.expiring");
}

#[test]
fn meaning() {
    assert!(holds("type:certificate.*", &thing()));
}
