//! Values of custom attributes, in and out; names and choices of definitions.

use chancery_event::Timestamp;
use chancery_event::id::AttributeId;
use chancery_store::table::attribute::Attribute;
use chancery_store::table::certificate::AttributeValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::value::Kind;
use super::{AttributeDraft, KINDS, check as check_draft, choices, display, parse, to_json};
use crate::Error;

fn definition(kind: Kind, choices: &[&str]) -> Attribute {
    Attribute {
        id: "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse::<AttributeId>().unwrap(),
        name: "cost_centre".to_owned(),
        label: "Cost centre".to_owned(),
        description: String::new(),
        kind: word(kind).to_owned(),
        choices: choices.iter().map(|&c| c.to_owned()).collect(),
        required: false,
        version: 1,
        created_at: Timestamp::from_micros(0),
    }
}

fn word(kind: Kind) -> &'static str {
    KINDS.into_iter().find(|word| Kind::parse(word) == Some(kind)).unwrap()
}

/// What a value is shown as and what JSON it becomes; or the message of the refusal.
fn check(kind: Kind, given: Value, expected: Result<(&str, Value), &str>) {
    let definition = definition(kind, &["red", "green"]);
    let definition = Attribute {
        choices: if kind == Kind::List { definition.choices } else { Vec::new() },
        ..definition
    };
    match (parse(&definition, &given), expected) {
        (Ok(values), Ok((shown, json))) => {
            let texts: Vec<_> = values.iter().map(|v| display(word(kind), v)).collect();
            assert_eq!(texts.join("|"), shown, "{kind:?} {given}");
            assert_eq!(to_json(word(kind), &values), json, "{kind:?} {given}");
            assert_eq!(parse(&definition, &json).unwrap(), values, "{kind:?} {given} again");
        }
        (Err(Error::Invalid { field, message }), Err(expected)) => {
            assert_eq!(field, "attributes.cost_centre");
            assert!(message.contains(expected), "{kind:?} {given}: {message}");
        }
        (result, expected) => panic!("{kind:?} {given}: {result:?}, expected {expected:?}"),
    }
}

#[test]
fn texts_have_their_limits() {
    check(Kind::String, json!(" 4711 "), Ok(("4711", json!("4711"))));
    check(Kind::String, json!(""), Ok(("", Value::Null)));
    check(Kind::String, Value::Null, Ok(("", Value::Null)));
    check(Kind::String, json!(4711), Err("a text"));
    check(Kind::String, json!("a\nb"), Err("one line"));
    check(Kind::String, json!("é".repeat(255)), Ok((&"é".repeat(255), json!("é".repeat(255)))));
    check(Kind::String, json!("x".repeat(256)), Err("255"));
    check(Kind::Text, json!("a\nb"), Ok(("a\nb", json!("a\nb"))));
    check(Kind::Text, json!("a\u{0}b"), Err("control"));
    check(Kind::Text, json!("x".repeat(10_001)), Err("10000"));
}

#[test]
fn numbers_are_whole_exact_and_finite_where_they_must_be() {
    let most = 9_007_199_254_740_991_i64;
    check(Kind::Integer, json!(most), Ok(("9007199254740991", json!(most))));
    check(Kind::Integer, json!(-most), Ok(("-9007199254740991", json!(-most))));
    check(Kind::Integer, json!(most + 1), Err("whole number"));
    check(Kind::Integer, json!("-12"), Ok(("-12", json!(-12))));
    check(Kind::Integer, json!(3.0), Ok(("3", json!(3))));
    check(Kind::Integer, json!(3.5), Err("whole number"));
    check(Kind::Integer, json!(1e300), Err("whole number"));
    check(Kind::Integer, json!([1]), Err("whole number"));
    check(Kind::Decimal, json!("12.5"), Ok(("12.5", json!(12.5))));
    check(Kind::Decimal, json!(-0.0), Ok(("0", json!(0.0))));
    check(Kind::Decimal, json!("inf"), Err("a number"));
    check(Kind::Decimal, json!("NaN"), Err("a number"));
    check(Kind::Boolean, json!(true), Ok(("true", json!(true))));
    check(Kind::Boolean, json!("false"), Ok(("false", json!(false))));
    check(Kind::Boolean, json!(1), Err("true or false"));
}

#[test]
fn days_and_times_are_those_of_the_calendar() {
    check(Kind::Date, json!("2028-02-29"), Ok(("2028-02-29", json!("2028-02-29"))));
    check(Kind::Date, json!("2026-02-29"), Err("a date"));
    check(Kind::Date, json!("2026-2-9"), Err("a date"));
    check(Kind::Date, json!("21.11.2026"), Err("a date"));
    check(Kind::Date, json!(20_261_121), Err("a date"));
    let expected = "2026-11-21T09:30:00.000000Z";
    check(Kind::Datetime, json!("2026-11-21T10:30:00+01:00"), Ok((expected, json!(expected))));
    check(Kind::Datetime, json!("2026-11-21"), Err("date and time"));
    let day = parse(&definition(Kind::Date, &[]), &json!("1970-01-02")).unwrap();
    assert_eq!(day, [AttributeValue::Time(Timestamp::from_micros(Timestamp::DAY))]);
}

#[test]
fn a_list_takes_only_what_may_be_chosen() {
    check(Kind::List, json!(["green", "red", "green"]), Ok(("green|red", json!(["green", "red"]))));
    check(Kind::List, json!("red, green,"), Ok(("red|green", json!(["red", "green"]))));
    check(Kind::List, json!([]), Ok(("", json!([]))));
    check(Kind::List, json!(["blue"]), Err("“blue” is not one of: red, green"));
    check(Kind::List, json!([1]), Err("a text"));
    let any = definition(Kind::List, &[]);
    assert_eq!(parse(&any, &json!(["blue"])).unwrap().len(), 1);
    let many: Vec<_> = (0..101).map(|n| n.to_string()).collect();
    assert!(parse(&any, &json!(many)).is_err());
}

#[test]
fn a_required_attribute_cannot_be_cleared() {
    let required = Attribute { required: true, ..definition(Kind::String, &[]) };
    assert_eq!(parse(&required, &json!(" ")).unwrap_err().reason(), "invalid");
    assert_eq!(parse(&required, &json!("x")).unwrap().len(), 1);
}

#[test]
fn names_and_choices_are_checked() {
    let draft = |name: &str| AttributeDraft {
        name: name.to_owned(),
        label: String::new(),
        description: String::new(),
        kind: "string".to_owned(),
        choices: Vec::new(),
        required: false,
    };
    for good in ["a", "cost_centre", "a9"] {
        assert_eq!(check_draft(&draft(good)).unwrap().label, good);
    }
    for bad in ["", "9a", "_a", "A", "a-b", "ä", &"a".repeat(51)] {
        assert!(check_draft(&draft(bad)).is_err(), "{bad}");
    }
    for kind in KINDS {
        assert!(Kind::parse(kind).is_some(), "{kind}");
    }
    let list = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>();
    assert_eq!(choices("list", &list(&["a", " b", "a"])).unwrap(), ["a", "b"]);
    assert!(choices("list", &list(&["a", ""])).is_err());
    assert!(choices("string", &list(&["a"])).is_err());
    assert!(choices("string", &[]).unwrap().is_empty());
}

proptest! {
    #[test]
    fn every_value_survives_the_way_to_json_and_back(number in any::<f64>(), whole in -(1_i64 << 53) + 1..1_i64 << 53) {
        let decimal = definition(Kind::Decimal, &[]);
        if let Ok(values) = parse(&decimal, &json!(number)) {
            prop_assert_eq!(parse(&decimal, &to_json("decimal", &values)).unwrap(), values);
        }
        let integer = definition(Kind::Integer, &[]);
        let values = parse(&integer, &json!(whole)).unwrap();
        prop_assert_eq!(to_json("integer", &values), json!(whole));
        prop_assert_eq!(display("integer", &values[0]), whole.to_string());
    }
}
