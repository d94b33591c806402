//! Names, the three modes of CloudEvents, batches. All types in all dialects are looked at in
//! `tests/it/dialect.rs`.

use serde_json::Value;

use super::*;
use crate::catalogue::EventType;

#[test]
fn names_round_trip_and_others_are_refused_with_the_list() {
    for &dialect in Dialect::ALL {
        assert_eq!(Dialect::named(dialect.name()), Ok(dialect));
    }
    let refused = Dialect::named("klingon").unwrap_err().to_string();
    assert!(refused.contains("“klingon”") && refused.contains("cloudevents-binary"), "{refused}");
}

#[test]
fn cloudevents_is_the_native_json_with_the_log_index_as_sequence() {
    let event = EventType::CertificateIssue.example();
    let rendered = Dialect::CloudEvents.render(Shown::sealed(&event, LogIndex(7)));
    assert_eq!(rendered.media_type, "application/cloudevents+json");
    let mut value: Value = serde_json::from_slice(&rendered.bytes).unwrap();
    let sequence = value.as_object_mut().unwrap().remove("sequence");
    assert_eq!(sequence, Some(Value::from("00000000000000000007")));
    assert_eq!(value, event.to_json());
    let unsealed = Dialect::CloudEvents.render(Shown::from(&event));
    assert_eq!(unsealed.text(), event.to_json().to_string());
}

#[test]
fn binary_mode_has_attributes_in_headers_and_data_in_the_body() {
    let event = EventType::CertificateIssue.example();
    let rendered = Dialect::CloudEventsBinary.render(Shown::sealed(&event, LogIndex(7)));
    assert_eq!(rendered.media_type, "application/json");
    let header = |name: &str| {
        let found = rendered.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(header("ce-id"), Some(event.id.to_string()));
    assert_eq!(header("ce-type").as_deref(), Some("certificate.issue"));
    assert_eq!(header("ce-datacontenttype"), None);
    let data: Value = serde_json::from_slice(&rendered.bytes).unwrap();
    assert_eq!(data, event.to_json()["data"]);
    assert_eq!(header_value("Zoë \"1%\""), "Zo%C3%AB%20%221%25%22");
}

#[test]
fn a_batch_keeps_the_order_and_may_be_empty() {
    let (first, second) =
        (EventType::CertificateIssue.example(), EventType::CertificateRevoke.example());
    let batch = [Shown::from(&first), Shown::from(&second)];
    let rendered = Dialect::CloudEvents.render_batch(&batch);
    assert_eq!(rendered.media_type, "application/cloudevents-batch+json");
    let value: Value = serde_json::from_slice(&rendered.bytes).unwrap();
    assert_eq!(value[0]["type"], "certificate.issue");
    assert_eq!(value[1]["type"], "certificate.revoke");
    assert_eq!(Dialect::CloudEvents.render_batch(&[]).text(), "[]");
}
