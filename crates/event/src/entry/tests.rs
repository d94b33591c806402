//! Entries: their bytes, their commitments, and every way in which JSON is refused.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::canonical;
use crate::envelope::{
    Actor, ActorKind, Authentication, Origin, Outcome, Severity, Target, TargetKind, Verdict,
};
use crate::id::Id;
use crate::time::Timestamp;

fn an_id<T: Id>(low: u128) -> T {
    T::from_uuid(uuid::Uuid::from_u128(0x0193_7f0e_5a3c_7d21_9c1e_0000_0000_0000 | low))
}

fn sample() -> Event {
    let Value::Object(detail) = json!({"format": "pem", "size_bytes": 1867}) else { panic!() };
    Event {
        id: an_id(1),
        source: Cow::Borrowed("https://chancery.example"),
        type_name: Cow::Borrowed("certificate.upload"),
        type_version: 1,
        time: Timestamp::from_micros(1_795_253_400_000_000),
        outcome: Outcome::failure("duplicate", "it exists already"),
        severity: Severity::Info,
        actor: Actor { kind: ActorKind::Account, id: Some("7".into()), role: Some("admin".into()) },
        authentication: Some(Authentication { method: "token".into(), credential: None }),
        origin: Origin::Api,
        transaction: Some(an_id(2)),
        cause: Some(an_id(3)),
        depth: 1,
        targets: vec![Target::new(TargetKind::Certificate, "c1").named("CN=a")],
        node: an_id(4),
        detail,
        personal: PersonalPart::Clear(Personal {
            actor_name: Some("ada".into()),
            ..Personal::default()
        }),
    }
}

#[test]
fn an_entry_holds_the_commitment_and_not_the_person() {
    let event = sample();
    let entry = event.entry([7; 32]).unwrap();
    let part = entry.personal.unwrap();
    assert_eq!(part.part, br#"{"actor_name":"ada"}"#);
    let text = String::from_utf8(entry.bytes.clone()).unwrap();
    assert!(!text.contains("ada"), "{text}");
    assert!(text.contains(&format!(r#""personal":{{"commitment":"{}"}}"#, part.commitment())));
    assert_eq!(Event::open(&entry.bytes, Some(&part)).unwrap(), event);
    assert!(!format!("{part:?}").contains("ada"));

    let committed = Event::open(&entry.bytes, None).unwrap();
    assert_eq!(committed.personal, PersonalPart::Committed(part.commitment()));
    let again = committed.entry([9; 32]).unwrap();
    assert_eq!(again, Entry { bytes: entry.bytes, personal: None });
}

#[test]
fn another_part_another_salt_and_a_clear_entry_are_refused() {
    let event = sample();
    let entry = event.entry([7; 32]).unwrap();
    let part = entry.personal.unwrap();
    let forged = SaltedPart { salt: part.salt, part: br#"{"actor_name":"eve"}"#.to_vec() };
    let resalted = SaltedPart { salt: [8; 32], part: part.part.clone() };
    for other in [forged, resalted] {
        let refused = Event::open(&entry.bytes, Some(&other)).unwrap_err();
        assert!(matches!(refused, OpenError::Mismatch { .. }), "{refused}");
    }
    let clear = canonical::to_vec(&event.to_json()).unwrap();
    assert!(matches!(Event::open(&clear, None), Err(OpenError::Clear)));
    let none = Event { personal: PersonalPart::None, ..event }.entry([7; 32]).unwrap();
    assert!(none.personal.is_none());
    assert!(matches!(Event::open(&none.bytes, Some(&part)), Err(OpenError::Uncommitted)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut event = sample();
    let room = ENTRY_BYTES_MAX - event.entry([0; 32]).unwrap().bytes.len();
    event.detail.insert("x".into(), json!("y".repeat(room - r#","x":"""#.len())));
    assert_eq!(event.entry([0; 32]).unwrap().bytes.len(), ENTRY_BYTES_MAX);
    event.detail.insert("x".into(), json!("y".repeat(room - r#","x":"""#.len() + 1)));
    assert_eq!(event.entry([0; 32]).unwrap_err(), EntryError::TooLarge { bytes: 65_536 });

    let mut event = sample();
    event.detail.insert("ratio".into(), json!(0.5));
    let EntryError::Number(error) = event.entry([0; 32]).unwrap_err() else { panic!() };
    assert_eq!(error.pointer, "/data/detail/ratio");

    let name = Some("n".repeat(ENTRY_BYTES_MAX));
    event = sample();
    event.personal = PersonalPart::Clear(Personal { actor_name: name, ..Personal::default() });
    assert!(matches!(event.entry([0; 32]), Err(EntryError::PersonalTooLarge { .. })));
    event.personal = PersonalPart::Committed("sha256:ABC".into());
    assert!(matches!(event.entry([0; 32]), Err(EntryError::Commitment(_))));
}

#[test]
fn json_is_refused_where_it_is_wrong() {
    let good = sample().to_json();
    assert_eq!(Event::from_json(&good).unwrap(), sample());
    let commitment = json!({"commitment": "sha256:00"});
    for (pointer, wrong) in [
        ("/specversion", json!("0.3")),
        ("/id", json!("1")),
        ("/source", json!(1)),
        ("/type", Value::Null),
        ("/subject", json!("certificate/c2")),
        ("/time", json!("yesterday")),
        ("/datacontenttype", json!("text/plain")),
        ("/dataschema", json!("urn:chancery:event-type:certificate.upload:2")),
        ("/data", json!([])),
        ("/data/version", json!(65_536)),
        ("/data/outcome/result", json!("fine")),
        ("/data/outcome/reason", json!({})),
        ("/data/severity", json!("INFO")),
        ("/data/actor/kind", json!("ghost")),
        ("/data/authentication/method", json!(null)),
        ("/data/origin", json!("fax")),
        ("/data/transaction", json!("t")),
        ("/data/cause", json!(7)),
        ("/data/depth", json!(-1)),
        ("/data/targets/0/kind", json!("cat")),
        ("/data/targets", json!({})),
        ("/data/node", json!("n")),
        ("/data/detail", json!("d")),
        ("/data/personal/actor_name", json!(["a"])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        let error = Event::from_json(&bad).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{error}");
        if pointer.contains("authentication") || pointer.contains("personal") {
            continue;
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let object = bad.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        object.remove(name);
        match Event::from_json(&bad) {
            Err(error) => assert_eq!(error.pointer(), pointer, "{error}"),
            Ok(_) => assert!(
                ["/data/outcome/reason", "/data/transaction", "/data/cause"].contains(&pointer),
                "{pointer} may not be missing"
            ),
        }
    }
    let mut bad = good;
    bad["data"]["personal"] = commitment;
    assert_eq!(Event::from_json(&bad).unwrap_err().pointer(), "/data/personal/commitment");
    assert!(matches!(Event::from_slice(b"{"), Err(ReadError::Json(_))));
}

#[test]
fn unknown_members_are_left_out() {
    let mut json = sample().to_json();
    for place in ["", "/data", "/data/actor", "/data/outcome", "/data/personal"] {
        let object = json.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("from_the_future".into(), json!({"a": 1}));
    }
    assert_eq!(Event::from_json(&json).unwrap(), sample());
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", any::<String>()]
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(any::<String>(), canonical::tests::any_value(), 0..4)
        .prop_map(|map| map.into_iter().rev().collect())
}

fn personal() -> impl Strategy<Value = PersonalPart> {
    let one = || prop::option::of(text());
    let names = prop::collection::btree_map(text(), text(), 0..3);
    let clear = (one(), one(), one(), one(), names, object()).prop_map(
        |(actor_name, client_ip, user_agent, session, targets, detail)| Personal {
            actor_name,
            client_ip,
            user_agent,
            session,
            targets,
            detail,
        },
    );
    prop_oneof![
        Just(PersonalPart::None),
        "[0-9a-f]{64}".prop_map(|hex| PersonalPart::Committed(format!("sha256:{hex}"))),
        clear.prop_map(|part| {
            if part.is_empty() { PersonalPart::None } else { PersonalPart::Clear(part) }
        }),
    ]
}

prop_compose! {
    fn any_event()(
        ids in any::<[u64; 4]>(),
        words in (text(), text(), prop::option::of(text()), prop::option::of(text()), text()),
        numbers in any::<(u16, u16)>(),
        micros in 0_i64..4_102_444_800_000_000,
        picks in any::<[prop::sample::Index; 4]>(),
        some in any::<[bool; 4]>(),
        targets in prop::collection::vec((any::<prop::sample::Index>(), text(), prop::option::of(text())), 0..4),
        detail in object(),
        personal in personal(),
    ) -> Event {
        let (source, type_name, one, other, method) = words;
        Event {
            id: an_id(ids[0].into()),
            source: Cow::Owned(source),
            type_name: Cow::Owned(type_name),
            type_version: numbers.0,
            time: Timestamp::from_micros(micros),
            outcome: Outcome {
                result: *picks[0].get(Verdict::ALL),
                reason: one.clone().map(Cow::Owned),
                message: other.clone(),
            },
            severity: *picks[1].get(Severity::ALL),
            actor: Actor { kind: *picks[2].get(ActorKind::ALL), id: one.clone(), role: other.map(Cow::Owned) },
            authentication: some[0].then_some(Authentication { method: Cow::Owned(method), credential: one }),
            origin: *picks[3].get(Origin::ALL),
            transaction: some[1].then(|| an_id(ids[1].into())),
            cause: some[2].then(|| an_id(ids[2].into())),
            depth: numbers.1,
            targets: targets
                .into_iter()
                .map(|(kind, id, name)| Target { kind: *kind.get(TargetKind::ALL), id, name })
                .collect(),
            node: an_id(ids[3].into()),
            detail,
            personal,
        }
    }
}

proptest! {
    #[test]
    fn an_opened_event_has_the_same_bytes(event in any_event(), salt in any::<[u8; 32]>()) {
        let entry = event.entry(salt).unwrap();
        let opened = Event::open(&entry.bytes, entry.personal.as_ref()).unwrap();
        prop_assert_eq!(&opened, &event);
        prop_assert_eq!(opened.entry(salt).unwrap(), entry);
    }

    #[test]
    fn the_fast_writer_agrees_with_the_canonical_form_of_the_json(event in any_event()) {
        let entry = event.entry([3; 32]).unwrap();
        let committed = Event::open(&entry.bytes, None).unwrap();
        let expected = serde_json_canonicalizer::to_vec(&committed.to_json()).unwrap();
        prop_assert_eq!(&entry.bytes, &expected);
        prop_assert_eq!(entry.bytes, canonical::to_vec(&committed.to_json()).unwrap());
        if let (PersonalPart::Clear(part), Some(salted)) = (&event.personal, entry.personal) {
            prop_assert_eq!(salted.part, serde_json_canonicalizer::to_vec(part).unwrap());
        }
    }
}

#[test]
fn what_is_too_long_for_an_entry_is_cut_and_says_what_it_was() {
    let long = "界".repeat(30_000);
    let whole = digest::digest(&digest::SHA256, long.as_bytes());
    let whole: String = whole.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("… (90000 bytes in all, SHA-256 {whole})");
    let mut event = sample();
    event.detail.insert("changes".into(), json!([{"field": "a", "before": long, "after": "b"}]));
    event.detail.insert("names".into(), json!(vec!["a.example"; 100_000]));
    event.targets[0].name = Some(long.clone());
    let unchanged = event.personal.clone();
    let entry = event.fitting_entry([7; 32]).unwrap();
    assert!(entry.bytes.len() <= ENTRY_BYTES_MAX);
    assert_eq!(Event::open(&entry.bytes, entry.personal.as_ref()).unwrap(), event);
    assert_eq!(event.personal, unchanged);
    assert_eq!(event.detail["size_bytes"], 1_867);
    assert_eq!(event.detail["changes"][0]["after"], "b");
    for cut in [event.detail["changes"][0]["before"].as_str(), event.targets[0].name.as_deref()] {
        assert!(cut.is_some_and(|cut| cut.starts_with("界界") && cut.ends_with(&mark)), "{cut:?}");
    }
    let names = event.detail["names"].as_array().unwrap();
    assert_eq!(names.last().unwrap(), "… (100000 in all)");

    let person = Personal { user_agent: Some(long), ..Personal::default() };
    let mut event = Event { personal: PersonalPart::Clear(person), ..sample() };
    let before = event.detail.clone();
    event.fitting_entry([7; 32]).unwrap();
    assert_eq!(event.detail, before);
    assert!(event.personal().unwrap().user_agent.as_ref().unwrap().ends_with(&mark));

    let many: Map<_, _> = (0..9_000).map(|n| (format!("member {n}"), json!(n))).collect();
    let mut event = Event { detail: many, ..sample() };
    let refused = event.fitting_entry([7; 32]);
    assert!(matches!(refused, Err(EntryError::TooLarge { .. })));
}
