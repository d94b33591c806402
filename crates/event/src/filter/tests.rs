//! Tests of the filter: spellings by table, round trips and totality by property.

use std::{borrow::Cow, collections::BTreeMap};

use proptest::prelude::*;
use serde_json::json;

use super::*;

mod properties;
mod scim;

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
    .with_fields([
        Field::new("attribute.Cost centre", FieldKind::Text, "Who pays."),
        Field::new("attribute.a_date", FieldKind::Timestamp, "When."),
    ])
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
    check("a b OR c d", "a b OR c d");
    check("(a OR b) c", "(a OR b) c");
    check("a AND (b AND c)", "a b c");
    check("NOT (a b)", "-(a b)");
    check("-type:* NOT trusted:yes", "-type:* -trusted:true");
    check("-(-type:*)", "--type:*");
    check("actor:a,\"b c\",d*", "actor:a,\"b c\" OR actor:d*");
    check("actor:x actor:a,d*", "actor:x (actor:a OR actor:d*)");
    check("actor!=a,b", "-actor:a,b");
    check("actor!=Ada", "actor!=Ada");
    check(
        r#"actor:"a*" actor:*b* actor:*"c d" actor:""*"#,
        r#"actor:"a*" actor:*b* actor:*"c d" actor:""*"#,
    );
    check(r#"actor~^a(b|c)\.d$"#, r#"actor~"^a(b|c)\\.d$""#);
    check(r#"(actor!~"x\.y")"#, r#"-actor~"x\\.y""#);
    check("size >= 2048", "size>=2048");
    check("size:2048..4096 score:..1.5", "size>=2048 size<=4096 score<=1.5");
    check("severity:>=warn", "severity>=warning");
    check("severity:notice..error", "severity>=notice severity<=error");
    check("time:2026-11-21", "time>=2026-11-21T00:00:00Z time<2026-11-22T00:00:00Z");
    check("time!=2026-11-21", "-(time>=2026-11-21T00:00:00Z time<2026-11-22T00:00:00Z)");
    check(
        "time>2026-11-21 time<=2026-11-30",
        "time>=2026-11-22T00:00:00Z time<2026-12-01T00:00:00Z",
    );
    check("time:2026-11-01..2026-11-21", "time>=2026-11-01T00:00:00Z time<2026-11-22T00:00:00Z");
    check("time:2026-11-21T10:00:00+02:00", "time:2026-11-21T08:00:00Z");
    check("time>2026-11-21T10:00", "time>2026-11-21T10:00:00Z");
    check("expires<6mo time>-1h30m", "expires<180d time>-90m");
    check("expires:next(2w) time:last(24h)", "expires:next(14d) time:last(1d)");
    check("count(san)>3 COUNT(names):1", "count(names)>3 count(names)=1");
    check(r#""attribute.cost centre":x*"#, r#""attribute.Cost centre":x*"#);
    check("id:0192AA", "id:0192aa");
    check("www.Example.com conn*", "www example com conn*");
    check(r#""Connection Timeout"* other"#, "connection timeout* other");
    check("grüße \"a\u{a0}b\"", "grüße \"a\u{a0}b\"");
    check(r#""or" "And" "not"* "#, r#""or" "and" not*"#);
    check(r#"a "or" b or* -"not" (oR-x)"#, r#"a "or" b or* "or" x -"not""#);
}

/// A text is refused with this message, at this place.
fn fault(text: &str, offset: usize, length: usize, expected: &str) {
    let error = Filter::parse(text, &schema()).expect_err(text);
    assert_eq!(error.to_string(), expected, "{text}");
    assert_eq!(error.place, Place::Text { offset, length }, "{text}");
}

#[test]
fn faults_of_fields_and_values() {
    let check = fault;
    check("a OR expirse<30d", 5, 7, "unknown field “expirse” at 5; did you mean “expires”?");
    check("https://x", 0, 5, "unknown field “https”; put text to search for in quotes at 0");
    check(
        "type:certificate.isue",
        5,
        16,
        "“certificate.isue” is not a value of type at 5; did you mean “certificate.issue”?",
    );
    check(
        "severity:bogus",
        9,
        5,
        "“bogus” is not a value of severity; its values are info, notice, warning, error at 9",
    );
    // What both have in front of the dot makes them no nearer.
    check(
        "attribute.nope:1",
        0,
        14,
        "unknown field “attribute.nope”; put text to search for in quotes at 0",
    );
    check(
        "\"attribute.Cost center\":1",
        0,
        24,
        "unknown field “attribute.Cost center” at 0; did you mean “attribute.Cost centre”?",
    );
    check("type:certificat.*", 5, 12, "no value of type starts with “certificat.” at 5");
    check("size:big", 5, 3, "“big” is not a whole number at 5");
    check("size:9223372036854775808", 5, 19, "“9223372036854775808” is not a whole number at 5");
    check("score:nan", 6, 3, "“nan” is not a number at 6");
    check("trusted:maybe", 8, 5, "“maybe” is neither true nor false at 8");
    check("size:20*", 5, 3, "size starts with nothing: it is a whole number at 5");
    check("actor>b", 6, 1, "actor has no order: it is text at 6");
    check("type:next(3d)", 10, 2, "type is not a time, it is a keyword at 10");
    check("time:next(soon)", 10, 4, "“soon” is not a duration; write 30d, 12h or 1h30m at 10");
    check(
        "time:30d",
        5,
        3,
        "time never equals a relative time exactly; use <, > or time:next(…) at 5",
    );
    check(
        "time<99999999999y",
        5,
        12,
        "“99999999999y” is not a time; write 2026-11-21, 2026-11-21T10:00:00Z, 30d or -24h at 5",
    );
}

#[test]
fn faults_of_shape() {
    let check = fault;
    check("actor:\"a b", 6, 4, "this quote is never closed at 6");
    check("(a", 0, 1, "this parenthesis is never closed at 0");
    check("a)", 1, 1, "this parenthesis was never opened at 1");
    check("a OR", 4, 0, "a condition is missing here at 4");
    check("OR a", 0, 2, "a condition is missing before OR at 0");
    let capitals = |text: &str, offset: usize, word: &str, operator: &str| {
        let length = word.len();
        let expected = format!(
            "operators are written in capitals; to look for the word, quote it: \"{word}\" at \
             {offset}; did you mean “{operator}”?"
        );
        check(text, offset, length, &expected);
    };
    capitals("actor:a or actor:b", 8, "or", "OR");
    capitals("actor:a And(actor:b)", 8, "And", "AND");
    capitals("not actor:a", 0, "not", "NOT");
    capitals("(Not)", 1, "Not", "NOT");
    capitals("a -oR", 3, "oR", "OR");
    check("()", 1, 1, "a condition is missing before this parenthesis at 1");
    check("actor: x", 6, 0, "a value is missing here at 6");
    check("actor:a,", 8, 0, "a value is missing here at 8");
    check("actor:a(b)", 6, 2, "put the whole value in quotes at 6");
    check("actor:\"a\"b", 6, 3, "put the whole value in quotes at 6");
    check("!!", 0, 2, "there is nothing to search for: words are made of letters and digits at 0");
    check("actor:\"\0\"", 6, 3, "the value contains a NUL character at 6");
    check(
        "actor~[a",
        6,
        2,
        "“[a” is not a usable regular expression: error: unclosed character class at 6",
    );
    check(
        "actor~\\w{9999}",
        6,
        8,
        "“\\w{9999}” is not a usable regular expression: it is too large at 6",
    );
    let error = Filter::parse("actor:a*b", &schema()).unwrap_err();
    assert!(error.message.starts_with("a * stands only at the beginning"), "{error}");
}

#[test]
fn limits() {
    let fails = |text: &str| Filter::parse(text, &schema()).unwrap_err().message;
    assert_eq!(fails(&"a".repeat(4097)), "the filter is longer than 4096 bytes");
    let nested =
        |levels: usize| format!("{}size:1{}", "-(a OR ".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&nested(16), &schema()).is_ok());
    assert_eq!(fails(&nested(17)), "the filter is nested more than 32 levels deep");
    assert_eq!(fails(&"-".repeat(4000)), "the filter is nested more than 32 levels deep");
    assert_eq!(fails(&"(".repeat(4000)), "the filter is nested more than 32 levels deep");
    assert!(Filter::parse(&"size:1 ".repeat(256), &schema()).is_ok());
    assert_eq!(fails(&"size:1 ".repeat(257)), "the filter has more than 256 comparisons");
    assert_eq!(fails(&"a ".repeat(65)), "the filter searches for more than 64 words");
    assert_eq!(
        fails(&format!("size:{}1", "1,".repeat(1000))),
        "the list has more than 1000 values"
    );
    let mut json = json!({ "all": true });
    for _ in 0..33 {
        json = json!({ "not": json });
    }
    let error = Filter::from_json(&json, &schema()).unwrap_err();
    assert_eq!(error.message, "the filter is nested more than 32 levels deep");
    let deep = (0..33).fold(Filter::All, |filter, _| Filter::Not(Box::new(filter)));
    assert!(deep.compile(&schema()).is_err());
}

#[test]
fn meaning() {
    let check = |text: &str, expected: bool| {
        assert_eq!(holds(text, &thing()), expected, "{text}");
        assert_eq!(holds(&format!("-({text})"), &thing()), !expected, "-({text})");
    };
    for text in [
        "type:certificate.*",
        "type:certificate.issue",
        "actor:ADA",
        "actor:*d*",
        "actor~^ADA$",
        "severity>=warning severity<error severity>info",
        "names:www.example.COM names:api.example.com",
        "names:WWW.*",
        "names:*.com",
        "names!=example.com",
        "count(names)=2 count(note)=0 count(size)=1",
        "size:2048 size>1000 size:1024..2048",
        "score<1.6 score>=1.5",
        "trusted:yes",
        "expires<30d expires>9d expires:next(10d)",
        "time>-24h1us time:last(24h)",
        "-note:* note!=x -note:x",
        "connection TIMEOUT 443",
        "größe time*",
        "id:0192*",
    ] {
        check(text, true);
    }
    for text in [
        "type:certificate.revoke",
        "actor:a",
        "names:example.com",
        "names!=api.example.com",
        "id:92*",
        "severity>warning",
        "size>2048",
        "note:* OR note:x OR note:\"\" OR note:*\"\"* OR note~x",
        "attribute.unknown:* OR \"attribute.Cost centre\":*",
        "expires:next(9d) OR expires:last(30d)",
        "time:next(30d) OR time>-24h",
        "onnection",
        "größ",
        "-*",
    ] {
        match Filter::parse(text, &schema()) {
            Ok(_) => check(text, false),
            Err(error) => assert!(text.starts_with("attribute.unknown"), "{error}"),
        }
    }
}

#[test]
fn json_spelling() {
    let check = |json: serde_json::Value, text: &str| {
        assert_eq!(Filter::from_json(&json, &schema()).unwrap().to_text(), text);
    };
    check(json!({}), "");
    check(
        json!({"and": [
            {"field": "type", "op": "starts_with", "value": "certificate."},
            {"field": "size", "op": "equals", "value": "2048"},
            {"field": "expires", "op": "less", "value": "30d"},
            {"not": {"field": "actor", "op": "contains", "value": "*"}},
            {"words": "connection timeout*"},
        ]}),
        "type:certificate.* size:2048 expires<30d -actor:*\"*\"* connection timeout*",
    );
    check(
        json!({"field": "names", "op": "count", "compare": "greater", "value": 3}),
        "count(names)>3",
    );
    check(json!({"field": "actor", "op": "in", "value": ["a", "b*"]}), "actor:a,\"b*\"");
    check(json!({"field": "time", "op": "within_last", "value": "24h"}), "time:last(1d)");
    let filter = parse("type:certificate.* count(names)>3 score<1.5 -id:*");
    let expected = json!({"and": [
        {"field": "type", "op": "starts_with", "value": "certificate."},
        {"field": "names", "op": "count", "compare": "greater", "value": 3},
        {"field": "score", "op": "less", "value": 1.5},
        {"field": "id", "op": "empty"},
    ]});
    assert_eq!(filter.to_json(), expected);
}

#[test]
fn faults_in_json() {
    let check = |json: serde_json::Value, expected: &str| {
        assert_eq!(Filter::from_json(&json, &schema()).unwrap_err().to_string(), expected);
    };
    check(json!([]), "a condition is a JSON object at the root");
    check(
        json!({"and": [{"all": true}, {"field": "actr", "op": "equals", "value": "a"}]}),
        "unknown field “actr” at /and/1/field; did you mean “actor”?",
    );
    check(
        json!({"not": {"field": "actor", "op": "equal", "value": "a"}}),
        "unknown operator “equal” at /not/op; did you mean “equals”?",
    );
    check(
        json!({"field": "actor", "op": "eq", "value": "a"}),
        "unknown operator “eq”; the operators are equals, not_equals, less, less_or_equal, \
         greater, greater_or_equal, in, contains, starts_with, ends_with, matches, exists, empty, \
         within_next, within_last, count at /op",
    );
    check(
        json!({"field": "size", "op": "in", "value": [1, "x"]}),
        "“x” is not a whole number at /value/1",
    );
    check(json!({"field": "size", "op": "equals"}), "a value is missing at /value");
    check(
        json!({"field": "size", "op": "exists", "value": 1}),
        "“exists” takes no value at /value",
    );
    check(
        json!({"field": "size", "op": "equals", "value": null}),
        "a string, a number, true or false is expected at /value",
    );
    check(json!({"field": "size", "op": "in", "value": []}), "the list has no values at /value");
    check(
        json!({"field": "size", "op": "less", "compare": "less", "value": 1}),
        "only count has “compare” at /compare",
    );
    check(
        json!({"field": "size", "op": "count", "compare": "in", "value": 1}),
        "“compare” is one of the six comparing operators at /compare",
    );
    check(json!({"or": []}), "the list has no conditions at /or");
    check(json!({"a/b~c": 1}), "unknown kind of condition “a/b~c” at /a~1b~0c");
    check(
        json!({"and": [], "or": []}),
        "a condition has one of and, or, not, words, field at the root",
    );
    check(
        json!({"field": "size", "op": "equals", "value": 1, "x": 1}),
        "a comparison has no “x” at /x",
    );
}

#[test]
fn a_tree_that_does_not_fit_is_refused() {
    let check = |operator, operand, expected: &str| {
        let filter = Filter::Comparison(Comparison { field: "size".to_owned(), operator, operand });
        assert_eq!(filter.compile(&schema()).unwrap_err().to_string(), expected);
        assert!(!filter.to_text().is_empty());
    };
    let text = || Literal::Text("5".to_owned());
    check(Operator::Equals, Operand::One(text()), "size is a whole number");
    check(Operator::In, Operand::Many(vec![text()]), "size is a whole number");
    check(
        Operator::Exists,
        Operand::One(text()),
        "“has a value” does not fit size, which is a whole number",
    );
    check(
        Operator::Contains,
        Operand::One(text()),
        "“contains” does not fit size, which is a whole number",
    );
    check(Operator::Equals, Operand::None, "“equals” does not fit size, which is a whole number");
}

#[test]
fn times_asked_for() {
    let always = (i64::MIN, i64::MAX);
    let day = |n: i64| NOW.div_euclid(DAY) * DAY + n * DAY;
    let date = |n: i64| literal::time_text(day(n)).get(..10).unwrap().to_owned();
    for (text, expected) in [
        ("*".to_owned(), always),
        ("time>-1d".to_owned(), (NOW - DAY + 1, i64::MAX)),
        ("type:certificate.* time>=-2d time<-1d".to_owned(), (NOW - 2 * DAY, NOW - DAY)),
        ("time:last(3d)".to_owned(), (NOW - 3 * DAY, NOW + 1)),
        (format!("time:{}", date(-9)), (day(-9), day(-8))),
        (format!("time:{}..{}", date(-9), date(-7)), (day(-9), day(-6))),
        (format!("time<={} expires>5d", date(-9)), (i64::MIN, day(-8))),
        // Neither what alternatives ask for nor what is denied bounds all.
        ("time>-1d OR type:certificate.*".to_owned(), always),
        ("-time:last(3d)".to_owned(), always),
        ("expires>5d".to_owned(), always),
    ] {
        assert_eq!(parse(&text).times("time", &schema(), NOW), expected, "{text}");
    }
}

#[test]
fn explanation() {
    let explain = |text: &str| parse(text).compile(&schema()).unwrap().explain(&thing(), NOW);
    let nearly = |text: &str| explain(text).nearly;
    assert!(nearly("outcome:success"));
    assert!(nearly("outcome:success actor:ada"));
    assert!(!nearly("outcome:success actor:bob"));
    assert!(!nearly("outcome:failure"));
    assert!(nearly("(outcome:success OR actor:bob) size:2048"));
    assert!(nearly("-(outcome:failure actor:ada)"));
    assert!(!nearly("-(outcome:failure OR actor:ada)"));
    assert!(!nearly("-*"));
    assert_eq!(
        explain("names:www.* expires<-1d -timeout").to_json(),
        json!({
            "holds": false,
            "nearly": false,
            "reason": {"and": [
                {
                    "field": "names", "op": "starts_with", "text": "names:www.*", "expected": "www.",
                    "actual": ["www.Example.com", "api.example.com"], "actual_count": 2, "holds": true,
                },
                {
                    "field": "expires", "op": "less", "text": "expires<-1d",
                    "expected": "2026-09-20T14:13:20Z", "actual": ["2026-10-01T14:13:20Z"],
                    "actual_count": 1, "holds": false,
                },
                {"not": {"words": ["timeout"], "missing": [], "holds": true}, "holds": false},
            ], "holds": false},
        })
    );
    let mut long = Thing::default().with("note", "é".repeat(300));
    (0..30).for_each(|_| long = long.clone().with("names", "x"));
    let found = parse("note:x names:y").compile(&schema()).unwrap().explain(&long, NOW);
    let [Reason::Comparison { actual: note, .. }, Reason::Comparison { actual, actual_count, .. }] =
        found.reason.leaves()[..]
    else {
        panic!("{found:?}")
    };
    assert_eq!((note[0].chars().count(), actual.len(), *actual_count), (200, 20, 30));
}

/// How fast one object is evaluated: `cargo test --release -p chancery-event speed -- --ignored
/// --nocapture`.
#[test]
#[ignore = "measures; run in release"]
fn speed() {
    struct Event<'a>(&'a str, &'a str, i64);
    impl Object for Event<'_> {
        fn values(&self, field: &str) -> Values<'_> {
            match field {
                "type" => self.0.into(),
                "actor" => self.1.into(),
                "expires" => Values::time(self.2),
                _ => Values::None,
            }
        }
    }
    let filter = parse("type:certificate.* -actor:system expires<30d").compile(&schema()).unwrap();
    let events: Vec<Event<'_>> = (0..1000)
        .map(|n| {
            Event(
                ["certificate.issue", "authority.create"][n % 2],
                "Ada Lovelace",
                NOW + n as i64 * DAY / 20,
            )
        })
        .collect();
    let rounds = 20_000;
    let start = std::time::Instant::now();
    let mut held = 0;
    for _ in 0..rounds {
        held +=
            events.iter().filter(|event| filter.holds(std::hint::black_box(*event), NOW)).count();
    }
    let seconds = start.elapsed().as_secs_f64();
    assert_eq!(held, rounds * 300);
    println!(
        "{:.1} million evaluations per second",
        (rounds * events.len()) as f64 / seconds / 1e6
    );
}
