//! Canonical bytes against a second implementation and against the RFC's own traps.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn check(value: &Value, expected: &str) {
    assert_eq!(String::from_utf8(to_vec(value).unwrap()).unwrap(), expected);
}

#[test]
fn members_are_sorted_by_utf16_and_strings_escaped_shortly() {
    check(
        &json!({"b": 1, "a": [true, false, null], "": {}}),
        r#"{"":{},"a":[true,false,null],"b":1}"#,
    );
    // U+FB33 is one unit above the surrogates of U+1F600: UTF-8 order would be the other way round.
    check(&json!({"\u{fb33}": 1, "\u{1f600}": 2}), "{\"\u{1f600}\":2,\"\u{fb33}\":1}");
    check(
        &json!("\u{8}\u{c}\n\r\t\"\\/\u{1}\u{1f}\u{7f}ä"),
        "\"\\b\\f\\n\\r\\t\\\"\\\\/\\u0001\\u001f\u{7f}ä\"",
    );
}

#[test]
fn numbers_outside_the_safe_integers_are_refused_where_they_stand() {
    check(&json!([INTEGER_MAX, -INTEGER_MAX, 0]), "[9007199254740991,-9007199254740991,0]");
    for (value, number) in [
        (json!(1.5), "1.5"),
        (json!(1.0), "1.0"),
        (json!(INTEGER_MAX + 1), "9007199254740992"),
        (json!(-INTEGER_MAX - 1), "-9007199254740992"),
        (json!(u64::MAX), "18446744073709551615"),
    ] {
        let error = to_vec(&json!({"a/b": [0, {"~": value}]})).unwrap_err();
        assert_eq!(error.number, number);
        assert_eq!(error.pointer, "/a~1b/1/~0");
    }
}

/// Any JSON value whose numbers are safe integers.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().rev().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_a_second_implementation(value in any_value()) {
        let ours = to_vec(&value).unwrap();
        prop_assert_eq!(&ours, &serde_json_canonicalizer::to_vec(&value).unwrap());
        prop_assert_eq!(serde_json::from_slice::<Value>(&ours).unwrap(), value);
    }
}
