//! Every type in every dialect: kept, read back, and judged by parsers that others wrote.

use std::collections::BTreeMap;
use std::process::Command;

use chancery_event::catalogue::EventType;
use chancery_event::{Dialect, Event, LogIndex, Outcome, PersonalPart, Shown};
use serde_json::Value;

use crate::{check_kept, crate_folder};

/// The native shape is kept with the types.
const KEPT: &[Dialect] = &[
    Dialect::CloudEventsBinary,
    Dialect::Okta,
    Dialect::OktaHook,
    Dialect::Akeyless,
    Dialect::AkeylessTypes,
    Dialect::Horizon,
    Dialect::Czertainly,
    Dialect::Qcecuring,
    Dialect::Ocsf,
    Dialect::Ecs,
    Dialect::Cef,
    Dialect::Leef,
    Dialect::Syslog,
];

/// The example as it is, and as it would be had it failed.
fn both(event_type: EventType) -> [Event; 2] {
    let good = event_type.example();
    let mut bad = good.clone();
    bad.outcome = Outcome::failure("not_allowed", "The request was refused: a=b|c \"d\" ]\\ \n é");
    bad.severity = event_type.info().severity_on_failure;
    [good, bad]
}

fn rendered(dialect: Dialect, event: &Event) -> String {
    let rendered = dialect.render(Shown::sealed(event, LogIndex(48_213)));
    String::from_utf8(rendered.bytes).unwrap()
}

#[test]
fn every_type_is_kept_in_every_dialect() {
    for &dialect in KEPT {
        let mut page = String::new();
        for &event_type in EventType::ALL {
            let mut text = rendered(dialect, &event_type.example());
            if dialect == Dialect::CloudEventsBinary {
                // Its attributes stand in headers.
                let shown = event_type.example();
                let headers = dialect.render(Shown::sealed(&shown, LogIndex(48_213))).headers;
                text = format!("{} {text}", serde_json::to_string(&headers).unwrap());
            }
            assert!(!text.contains('\n'), "{dialect}: {event_type} is one line");
            page.push_str(&text);
            page.push('\n');
        }
        let version = env!("CARGO_PKG_VERSION");
        let page = page.replace(&format!("\"{version}\""), "\"VERSION\"");
        let page = page.replace(&format!("|{version}|"), "|VERSION|");
        check_kept(&crate_folder().join(format!("tests/dialect/golden/{dialect}.txt")), &page);
    }
}

/// JSON where it is, else the text.
fn meant(dialect: Dialect, text: &str) -> Value {
    match dialect.is_text() {
        true => text.into(),
        false => serde_json::from_str(text).unwrap(),
    }
}

#[test]
fn an_entry_at_hand_changes_nothing_that_is_said() {
    for &dialect in Dialect::ALL {
        for &event_type in EventType::ALL {
            let [good, bad] = both(event_type);
            for whole in [good, bad] {
                let entry = whole.entry([7; 32]).unwrap();
                let bare = Event::open(&entry.bytes, None).unwrap();
                for event in [&whole, &bare] {
                    let without = Shown::sealed(event, LogIndex(48_213));
                    let with = without.with_entry(&entry.bytes);
                    let [one, other] =
                        [with, without].map(|shown| dialect.render(shown).text().into_owned());
                    assert_eq!(meant(dialect, &one), meant(dialect, &other), "{event_type}");
                    let [one, other] = [with, without]
                        .map(|shown| dialect.render_batch(&[shown, shown]).text().into_owned());
                    let is_lines = dialect.is_text() || one.contains('\n');
                    let [one, other] = [&one, &other].map(|text| match is_lines {
                        true => Value::from(text.as_str()),
                        false => meant(dialect, text),
                    });
                    assert_eq!(one, other, "{event_type}");
                }
            }
        }
    }
}

#[test]
fn who_may_not_see_people_sees_none_in_any_dialect() {
    for &dialect in Dialect::ALL {
        for &event_type in EventType::ALL {
            let event = event_type.example();
            let PersonalPart::Clear(personal) = event.personal.clone() else { continue };
            let entry = event.entry([7; 32]).unwrap();
            let committed = Event::open(&entry.bytes, None).unwrap();
            let text = rendered(dialect, &committed);
            let names = [&personal.actor_name, &personal.client_ip, &personal.user_agent];
            let names = names.into_iter().flatten();
            let details = personal.detail.values().filter_map(Value::as_str);
            for name in names.map(String::as_str).chain(details) {
                // Short names may be part of other words, such as “ada” in “metadata”.
                let quoted = [format!("\"{name}\""), format!("={name} "), format!("={name}\t")];
                assert!(
                    !quoted.iter().any(|quoted| text.contains(quoted)),
                    "{dialect}: {event_type} shows {name}: {text}"
                );
            }
        }
    }
}

#[test]
fn a_batch_holds_every_event_in_order() {
    let events: Vec<Event> = EventType::ALL.iter().map(|event_type| event_type.example()).collect();
    let batch: Vec<Shown<'_>> = events.iter().map(Shown::from).collect();
    for &dialect in Dialect::ALL {
        let text = String::from_utf8(dialect.render_batch(&batch).bytes).unwrap();
        let mut at = 0;
        for event in &events {
            let id = event.id.to_string();
            let id = if dialect == Dialect::Horizon { id[24..].to_owned() } else { id };
            let found = match dialect {
                // Grouped by type.
                Dialect::Akeyless | Dialect::AkeylessTypes => text.find(&id),
                _ => text[at..].find(&id).map(|found| found + at),
            };
            assert!(found.is_some(), "{dialect}: {} is not in the batch", event.type_name);
            at = found.unwrap();
        }
    }
}

/// The parsers are Python packages that `cargo xtask test` installs under `target/tools`.
#[test]
fn parsers_of_others_accept_every_type_in_every_dialect() {
    let root = crate_folder().join("../..");
    let tools = root.join("target/tools/dialects");
    assert!(
        tools.join("ocsf_json_schema").is_dir(),
        "the parsers are missing: `cargo xtask tools` installs them"
    );
    let folder = std::env::temp_dir().join(format!("chancery-dialects-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for &dialect in Dialect::ALL {
        let mut page = String::new();
        for event in EventType::ALL.iter().flat_map(|event_type| both(*event_type)) {
            let shown = Shown::sealed(&event, LogIndex(48_213));
            let rendered = dialect.render(shown);
            let line = serde_json::json!({
                "type": event.type_name,
                "id": event.id,
                "body": rendered.text(),
                "headers": rendered.headers,
                "media_type": rendered.media_type,
                "native": event.to_json(),
            });
            page.push_str(&line.to_string());
            page.push('\n');
        }
        std::fs::write(folder.join(format!("{dialect}.ndjson")), page).unwrap();
    }
    let judged = Command::new("python3")
        .arg(crate_folder().join("tests/dialect/judge.py"))
        .arg(&folder)
        .env("PYTHONPATH", &tools)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&judged.stderr).into_owned();
    let schemas = std::fs::read(folder.join("ocsf.schemas.json")).unwrap_or_default();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(judged.status.success(), "{said}\n{complaint}");
    fits_the_schemas_of_ocsf(&serde_json::from_slice(&schemas).unwrap());
    let expected = format!("{} events each", EventType::ALL.len() * 2);
    assert!(said.contains(&expected), "{said}");
}

/// `schemas` by the number of the class, as the package of others has them.
fn fits_the_schemas_of_ocsf(schemas: &Value) {
    let validators: BTreeMap<&String, jsonschema::Validator> = schemas
        .as_object()
        .unwrap()
        .iter()
        .map(|(class, schema)| (class, jsonschema::draft202012::new(schema).unwrap()))
        .collect();
    assert!(validators.len() >= 5, "{:?}", validators.keys());
    for event in EventType::ALL.iter().flat_map(|event_type| both(*event_type)) {
        let body: Value = serde_json::from_str(&rendered(Dialect::Ocsf, &event)).unwrap();
        let validator = &validators[&body["class_uid"].to_string()];
        let problem = validator.iter_errors(&body).next();
        let problem = problem.map(|error| format!("{}: {error}", error.instance_path()));
        assert_eq!(problem, None, "{}", event.type_name);
        let mut bad = body;
        bad["no_such_member"] = Value::Null;
        assert!(!validator.is_valid(&bad), "{}", event.type_name);
    }
}

/// A field of the Elastic Common Schema, as Elastic publishes it.
struct EcsField<'a> {
    kind: &'a str,
    is_list: bool,
    /// Values it may have, each with the types that are expected beside it.
    allowed: Vec<(&'a str, Vec<&'a str>)>,
}

/// The published list of fields (`tests/dialect/ecs-8.17.0.tsv`), by name.
fn fields_of_ecs(text: &str) -> BTreeMap<&str, EcsField<'_>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let column = |at: usize| columns.get(at).copied().unwrap_or_default();
            let allowed = column(3).split('|').filter(|one| !one.is_empty()).map(|one| {
                let (value, expected) = one.split_once(':').unwrap_or((one, ""));
                (value, expected.split(',').filter(|one| !one.is_empty()).collect())
            });
            let (kind, is_list) = (column(1), column(2) == "array");
            (column(0), EcsField { kind, is_list, allowed: allowed.collect() })
        })
        .collect()
}

/// What the schema says against a value.
fn against(field: &EcsField<'_>, value: &Value) -> Option<&'static str> {
    let values: Vec<&Value> = match value {
        Value::Array(values) if field.is_list => values.iter().collect(),
        Value::Array(_) => return Some("a list where one value belongs"),
        one if field.is_list => {
            return Some("one value where a list belongs").filter(|_| !one.is_null());
        }
        one => vec![one],
    };
    let fits = |value: &Value| match field.kind {
        "keyword" | "constant_keyword" | "wildcard" | "match_only_text" | "text" => {
            value.is_string()
        }
        "long" | "integer" => value.is_i64() || value.is_u64(),
        "date" => value.as_str().is_some_and(|text| {
            let parsed: Result<chancery_event::Timestamp, _> = text.parse();
            parsed.is_ok()
        }),
        "ip" => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
        "boolean" => value.is_boolean(),
        "object" | "flattened" => value.is_object(),
        _ => true,
    };
    let allowed = |value: &Value| {
        field.allowed.is_empty()
            || value.as_str().is_some_and(|text| field.allowed.iter().any(|(one, _)| *one == text))
    };
    if !values.iter().copied().all(fits) {
        return Some("a value of another type");
    }
    (!values.iter().copied().all(allowed)).then_some("a value that is not allowed")
}

/// The leaves of a document below `name`, by what the schema calls them.
fn complaints_of_ecs(
    fields: &BTreeMap<&str, EcsField<'_>>,
    name: &str,
    value: &Value,
    found: &mut Vec<String>,
) {
    match (value, fields.get(name)) {
        (_, Some(field)) => {
            found
                .extend(against(field, value).map(|problem| format!("{name}: {problem}: {value}")));
        }
        (Value::Object(members), None) => {
            for (member, value) in members {
                let name =
                    if name.is_empty() { member.clone() } else { format!("{name}.{member}") };
                // What is ours stands under our own name, which the schema leaves to us.
                if name != "chancery" {
                    complaints_of_ecs(fields, &name, value, found);
                }
            }
        }
        (_, None) => found.push(format!("{name}: the schema has no such field")),
    }
}

#[test]
fn elastic_has_every_field_that_ecs_is_written_with() {
    let path = crate_folder().join("tests/dialect/ecs-8.17.0.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let fields = fields_of_ecs(&text);
    assert!(fields.len() > 1_500 && !fields.keys().any(|name| name.starts_with("chancery")));
    let categories = &fields["event.category"].allowed;
    for event in EventType::ALL.iter().flat_map(|event_type| both(*event_type)) {
        let body: Value = serde_json::from_str(&rendered(Dialect::Ecs, &event)).unwrap();
        assert_eq!(body["ecs"]["version"], "8.17.0");
        for needed in ["@timestamp", "message"] {
            assert!(body[needed].is_string(), "{}: {needed}", event.type_name);
        }
        let mut found = Vec::new();
        complaints_of_ecs(&fields, "", &body, &mut found);
        assert_eq!(found, Vec::<String>::new(), "{}", event.type_name);
        let (category, kind) = (&body["event"]["category"][0], &body["event"]["type"][0]);
        let (_, expected) = categories.iter().find(|(name, _)| category == name).unwrap();
        assert!(
            expected.iter().any(|one| kind == one),
            "{}: {category} goes with {expected:?}, not with {kind}",
            event.type_name
        );
        let mut bad = body;
        bad["event"]["no_such_field"] = 1.into();
        bad["event"]["severity"] = "high".into();
        complaints_of_ecs(&fields, "", &bad, &mut found);
        assert_eq!(found.len(), 2, "the check can fail: {found:?}");
    }
}
