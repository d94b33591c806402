//! Any text as a filter: it is refused with a place inside the text, or its canonical spelling and
//! its JSON give the same tree back.
#![no_main]

use chancery_event::filter::{Field, FieldKind, Filter, Keywords, Schema};
use libfuzzer_sys::fuzz_target;

fn schema() -> Schema {
    let kinds = [
        ("type", FieldKind::Keyword(Keywords::open())),
        ("severity", FieldKind::Ordered(Keywords::known(["info", "warning", "error"]))),
        ("name", FieldKind::Text),
        ("id", FieldKind::Id),
        ("size", FieldKind::Integer),
        ("ratio", FieldKind::Decimal),
        ("ca", FieldKind::Boolean),
        ("expires", FieldKind::Timestamp),
    ];
    Schema::new("thing", kinds.into_iter().map(|(name, kind)| Field::new(name, kind, "")).collect())
}

fuzz_target!(|bytes: &[u8]| {
    let schema = schema();
    if let Ok(json) = serde_json::from_slice(bytes) {
        let _ = Filter::from_json(&json, &schema);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(filter) = Filter::parse(text, &schema) else { return };
    let again = Filter::from_json(&filter.to_json(), &schema).expect("JSON reads back");
    assert_eq!(again.normal(), filter.normal());
});
