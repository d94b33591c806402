//! Values of custom attributes, in and out.

use serde_json::json;

use super::*;

fn definition(kind: &str, choices: &[&str]) -> Attribute {
    Attribute {
        id: chancery_event::Environment::system().id(),
        name: "cost_centre".to_owned(),
        label: "Cost centre".to_owned(),
        description: String::new(),
        kind: kind.to_owned(),
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
        required: false,
        version: 1,
        created_at: Timestamp::default(),
    }
}

#[test]
fn values_of_each_kind_come_out_as_they_went_in() {
    for (kind, json, text) in [
        ("string", json!("A-17"), "A-17"),
        ("text", json!("two\nlines"), "two\nlines"),
        ("integer", json!(42), "42"),
        ("integer", json!("42"), "42"),
        ("decimal", json!(1.5), "1.5"),
        ("boolean", json!(true), "true"),
        ("date", json!("2026-11-21"), "2026-11-21"),
        ("datetime", json!("2026-11-21T09:30:00Z"), "2026-11-21T09:30:00.000000Z"),
    ] {
        let definition = definition(kind, &[]);
        let values = parse(&definition, &json).unwrap();
        assert_eq!(display(kind, &values[0]), text, "{kind}");
    }
    let values = parse(&definition("list", &["a", "b"]), &json!(["a", "b"])).unwrap();
    assert_eq!(values.len(), 2);
}

#[test]
fn values_of_another_kind_are_refused_with_the_field_and_what_was_expected() {
    for (kind, json, expected) in [
        ("integer", json!(1.5), "whole number"),
        ("integer", json!(9_007_199_254_740_992_i64), "whole number"),
        ("boolean", json!("maybe"), "true or false"),
        ("date", json!("21.11.2026"), "a date"),
        ("datetime", json!("2026-11-21"), "a date and time"),
        ("list", json!(["c"]), "not one of: a, b"),
    ] {
        let error = parse(&definition(kind, if kind == "list" { &["a", "b"] } else { &[] }), &json);
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("attributes.cost_centre: "), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}
