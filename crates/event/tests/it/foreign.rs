//! What the dialects write is read back, and what the other systems really send is understood.

use chancery_event::catalogue::{EventType, OutcomeClass};
use chancery_event::dialect::{Foreign, NamedCertificate, Unreadable};
use chancery_event::{Dialect, Event, LogIndex, Outcome, Severity, Shown, Timestamp, Verdict};

fn one(dialect: Dialect, body: &str) -> Foreign {
    let mut events = dialect.parse(body.as_bytes()).unwrap_or_else(|e| panic!("{dialect}: {e}"));
    assert_eq!(events.len(), 1, "{dialect}");
    events.remove(0)
}

fn refusal(dialect: Dialect, body: &str) -> String {
    dialect.parse(body.as_bytes()).unwrap_err().to_string()
}

fn both(event_type: EventType) -> [Event; 2] {
    let good = event_type.example();
    let mut bad = good.clone();
    bad.outcome = Outcome::failure("not_allowed", "Refused: a=b|c \"d\" ]\\ é");
    bad.severity = event_type.info().severity_on_failure;
    [good, bad]
}

fn is_failure(result: Verdict) -> bool {
    let outcome = Outcome { result, reason: None, message: None };
    OutcomeClass::of(&outcome, Severity::Info) == OutcomeClass::Failure
}

#[test]
fn what_is_written_is_read_back() {
    for &dialect in Dialect::ALL {
        for event in EventType::ALL.iter().flat_map(|event_type| both(*event_type)) {
            let rendered = dialect.render(Shown::sealed(&event, LogIndex(7)));
            let read = if dialect == Dialect::CloudEventsBinary {
                let headers = rendered.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
                let headers = headers.chain([("content-type", "application/json")]);
                Dialect::parse_binary(headers, &rendered.bytes).unwrap()
            } else {
                one(dialect, &rendered.text())
            };
            let name = format!("{dialect}: {}", event.type_name);
            assert_eq!(read.meaning, EventType::of(&event), "{name}: {}", read.code);
            let id = read.id.unwrap_or_else(|| panic!("{name} has an identifier"));
            let own = event.id.to_string();
            assert!(id.contains(&own) || dialect == Dialect::Horizon, "{name}: {id}");
            let time = read.time.unwrap_or_else(|| panic!("{name} has a time"));
            assert_eq!(time.micros() / 1_000, event.time.micros() / 1_000, "{name}");
            assert_eq!(is_failure(read.result), is_failure(event.outcome.result), "{name}");
            if event.detail.contains_key("serial_number") && event.type_name != "job.finished" {
                // These nine payloads have it by contract; the shapes of the others carry it too.
                let wanted = event.detail["fingerprint_sha256"].as_str().map(str::to_owned);
                let found =
                    read.certificates.iter().any(|found| found.fingerprint_sha256 == wanted);
                assert!(found, "{name}: {:?}", read.certificates);
            }
        }
    }
}

#[test]
fn a_batch_is_read_back_whole() {
    let events: Vec<Event> = EventType::ALL.iter().map(|event_type| event_type.example()).collect();
    let batch: Vec<Shown<'_>> = events.iter().map(Shown::from).collect();
    for &dialect in Dialect::ALL {
        let rendered = dialect.render_batch(&batch);
        let reader = match dialect {
            Dialect::CloudEventsBinary => Dialect::CloudEvents,
            dialect => dialect,
        };
        let read = reader.parse(&rendered.bytes).unwrap_or_else(|e| panic!("{dialect}: {e}"));
        assert_eq!(read.len(), events.len(), "{dialect}");
    }
}

#[test]
fn okta_is_read_from_the_api_and_from_a_hook() {
    let event = r#"{"actor":{"id":"00u1","type":"User","alternateId":"ada@example.com",
        "displayName":"Ada","detailEntry":null},"client":{"ipAddress":"192.0.2.7"},
        "displayMessage":"Revoke certificate","eventType":"pki.cert.revoke",
        "outcome":{"result":"SUCCESS","reason":null},"published":"2026-11-20T08:00:00.123Z",
        "severity":"WARN","uuid":"9f6f4a5e-0000-11ee-be56-0242ac120002","version":"0",
        "target":[{"id":"c1","type":"Certificate","displayName":"laptop",
        "detailEntry":{"fingerprint":"AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
        "fingerprint_algorithm":"SHA1"}}]}"#;
    let read = one(Dialect::Okta, event);
    assert_eq!(read.meaning, Some(EventType::CertificateRevoke));
    assert_eq!(read.id.as_deref(), Some("9f6f4a5e-0000-11ee-be56-0242ac120002"));
    assert_eq!(read.severity, Some(Severity::Warning));
    assert_eq!(read.actor.as_deref(), Some("ada@example.com"));
    assert_eq!(read.time.unwrap(), "2026-11-20T08:00:00.123Z".parse::<Timestamp>().unwrap());
    let sha1 = "aabbccddeeff00112233445566778899aabbccdd";
    let expected =
        NamedCertificate { fingerprint_sha1: Some(sha1.to_owned()), ..Default::default() };
    assert_eq!(read.certificates, [expected]);
    let short = one(Dialect::Okta, &event.replace("EE:FF:", ""));
    assert!(short.certificates.is_empty(), "it is no fingerprint");
    let hook =
        format!(r#"{{"eventType":"com.okta.event_hook","data":{{"events":[{event},{event}]}}}}"#);
    assert_eq!(Dialect::OktaHook.parse(hook.as_bytes()).unwrap().len(), 2);
    let alias = event.replace("pki.cert.revoke", "pki.cert.lifecycle.crl_download_failure");
    assert_eq!(one(Dialect::Okta, &alias).meaning, Some(EventType::CrlFetch));
    let unknown = event.replace("pki.cert.revoke", "user.session.start");
    let read = one(Dialect::Okta, &unknown);
    assert_eq!((read.code.as_str(), read.meaning), ("user.session.start", None));
    let refused = refusal(Dialect::Okta, r#"{"eventType":"pki.ca.add"}"#);
    assert_eq!(refused, "event 1: `uuid` is missing");
}

#[test]
fn akeyless_is_read_in_every_spelling() {
    for (key, expected) in [
        ("Certificate_Expired", EventType::CertificateExpired),
        ("Certificate Expired", EventType::CertificateExpired),
        ("certificate-expired", EventType::CertificateExpired),
        ("Certificate About to Expire", EventType::CertificateExpiring),
        ("Request_Access", EventType::RequestSubmit),
        ("rotation-usage", EventType::SecretUnrotated),
    ] {
        for outer in ["Akeyless_Events", "Akeyless Events", ""] {
            let types = format!(r#"{{"{key}":[{{"name":"/prod/a"}},{{"name":"/prod/b"}}]}}"#);
            let body = match outer {
                "" => types,
                outer => format!(r#"{{"{outer}":{types}}}"#),
            };
            let read = Dialect::Akeyless.parse(body.as_bytes()).unwrap();
            assert_eq!(read.len(), 2, "{body}");
            assert_eq!(read[0].meaning, Some(expected), "{body}");
            assert_eq!(read[1].subject.as_deref(), Some("/prod/b"));
        }
    }
    let failed = one(Dialect::Akeyless, r#"{"certificate-provisioning-failure":[{"name":"/a"}]}"#);
    assert_eq!(failed.result, Verdict::Failure);
    let refused = refusal(Dialect::Akeyless, r#"{"Akeyless_Events":{"x":3}}"#);
    assert_eq!(refused, "event 1: `x` is not a list of events");
}

#[test]
fn horizon_is_read_from_its_api_its_log_lines_and_syslog() {
    let event = r#"{"_id":"65a1b2c3d4e5f60718293a4b","code":"LIFECYCLE-REVOKE","module":"webra",
        "node":"h1","timestamp":1795253400000,"status":"failure","details":[
        {"key":"certificateSerial","value":"00:AB:12"},
        {"key":"certificateIssuer","value":"CN=Example CA"},
        {"key":"certificateDn","value":"CN=www.example.com"},
        {"key":"actorId","value":"grace"},{"key":"message","value":"no such certificate"}]}"#;
    let event = event.replace('\n', " ");
    let read = one(Dialect::Horizon, &event);
    assert_eq!(read.meaning, Some(EventType::CertificateRevoke));
    assert_eq!((read.result, read.severity), (Verdict::Failure, Some(Severity::Error)));
    assert_eq!(read.actor.as_deref(), Some("grace"));
    let expected = NamedCertificate {
        fingerprint_sha256: None,
        fingerprint_sha1: None,
        serial_number: Some("ab12".to_owned()),
        issuer_dn: Some("CN=Example CA".to_owned()),
        subject_dn: Some("CN=www.example.com".to_owned()),
    };
    assert_eq!(read.certificates, [expected]);
    let wrapped = format!(r#"{{"event":{event},"type":"event"}}"#);
    let lines = format!("{wrapped}\n{wrapped}\n");
    assert_eq!(Dialect::Horizon.parse(lines.as_bytes()).unwrap().len(), 2);
    for header in
        ["<134>1 2026-11-21T09:30:00Z h1 horizon 1 - - ", "<134>Nov 21 09:30:00 h1 horizon[1]: "]
    {
        let read = one(Dialect::Syslog, &format!("{header}{wrapped}"));
        assert_eq!(read.meaning, Some(EventType::CertificateRevoke), "{header}");
    }
}

#[test]
fn czertainly_and_qcecuring_are_read_as_they_send() {
    let body = r#"{"event":"certificate_expiring","resource":"certificates","recipients":[],
        "notificationData":{"certificateUuid":"8f2c","fingerprint":"2fe1eaa07aab1b608f02fbabaa911bc2dbf1f9dc951eb4f0ce83ab78bc1c40bb",
        "serialNumber":"3f9a","subjectDn":"CN=a","issuerDn":"CN=b","expiresAt":"2026-12-16T09:30:00+01:00"}}"#;
    let read = one(Dialect::Czertainly, body);
    assert_eq!(read.meaning, Some(EventType::CertificateExpiring));
    assert_eq!(read.certificates.len(), 1);
    assert_eq!(read.subject.as_deref(), Some("CN=a"));
    let alert = r#"{"severity":"ERROR","type":"ERROR","title":"Renewal failed","message":"CA timed out",
        "entity":"Certificate","created":"2026-11-20T08:00:00Z"}"#;
    let read = one(Dialect::Qcecuring, alert);
    assert_eq!(read.meaning, Some(EventType::AlertRaised));
    assert_eq!(read.severity, Some(Severity::Error));
    let job = r#"{"id":"j1","name":"x","type":"RENEW_CERT","status":"FAILED","output":"no route"}"#;
    let read = one(Dialect::Qcecuring, job);
    assert_eq!(read.meaning, Some(EventType::CertificateRenew));
    assert_eq!((read.result, read.message.as_deref()), (Verdict::Failure, Some("no route")));
}

#[test]
fn lines_of_strangers_are_read() {
    let read =
        one(Dialect::Syslog, "<34>1 2026-11-21T22:14:15.003Z host su - ID47 - 'su root' failed");
    assert_eq!((read.code.as_str(), read.severity), ("su/ID47", Some(Severity::Critical)));
    assert_eq!(read.message.as_deref(), Some("'su root' failed"));
    let read = one(Dialect::Syslog, "<13>Feb  5 17:32:18 10.0.0.99 cron[7]: started");
    assert_eq!((read.code.as_str(), read.time), ("cron", None));
    let read = one(
        Dialect::Cef,
        r"<13>Feb  5 17:32:18 h CEF:0|V|P|1|100|worm \| stopped|10|src=10.0.0.1 msg=a\=b c\nd spt=1232",
    );
    assert_eq!((read.code.as_str(), read.severity), ("100", Some(Severity::Critical)));
    assert_eq!(read.message.as_deref(), Some("a=b c d"));
    let read = one(Dialect::Leef, "LEEF:2.0|V|P|1|login|^|src=10.0.0.1^usrName=ada^sev=9");
    assert_eq!((read.code.as_str(), read.actor.as_deref()), ("login", Some("ada")));
    let read = one(Dialect::Leef, "LEEF:1.0|V|P|1|login|src=10.0.0.1\tusrName=ada");
    assert_eq!(read.client_ip.as_deref(), Some("10.0.0.1"));
    let inside =
        r#"<13>1 - h app - - [x@1 a="b\"]"] CEF:0|V|P|1|LIFECYCLE-ENROLL|n|3|externalId=7"#;
    let read = one(Dialect::Syslog, inside);
    assert_eq!(read.meaning, Some(EventType::CertificateIssue));
    assert_eq!(read.id.as_deref(), Some("7"));
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    assert_eq!(Dialect::Okta.parse(&[0xFF]).unwrap_err(), Unreadable::Encoding);
    assert!(matches!(Dialect::Horizon.parse(b"{").unwrap_err(), Unreadable::Json(_)));
    let missing = refusal(Dialect::Horizon, r#"[{"code":"SEC-ROLE-ADD"},{"status":"success"}]"#);
    assert_eq!(missing, "event 2: `code` is missing: it tells what happened");
    let missing = refusal(Dialect::CloudEvents, r#"{"specversion":"1.0","id":"1","type":"x"}"#);
    assert_eq!(missing, "event 1: the attribute `source` is missing");
    let many = format!("[{}{{}}]", "{},".repeat(1_000));
    assert_eq!(Dialect::Ecs.parse(many.as_bytes()).unwrap_err(), Unreadable::TooMany(1_001));
    assert!(refusal(Dialect::Cef, "hello").contains("CEF:0|vendor"));
    assert!(refusal(Dialect::Syslog, "<999>1 - - - - - -").contains("<PRI>"));
    let no_attribute = Dialect::parse_binary([("ce-a_b", "x")], b"").unwrap_err();
    assert_eq!(no_attribute.to_string(), "event 1: `ce-a_b` is no attribute");
}

#[test]
fn our_names_in_their_spelling_mean_nothing_else() {
    use chancery_event::catalogue::System;
    for &system in System::ALL {
        let dialect = match system {
            System::Okta => Dialect::Okta,
            System::Akeyless => Dialect::AkeylessTypes,
            System::Czertainly => Dialect::Czertainly,
            System::Horizon => Dialect::Horizon,
            System::Qcecuring => Dialect::Qcecuring,
        };
        let codes = |event_type: &EventType| {
            let names = event_type.info().dialects.iter();
            let names = names.filter(|name| name.system == system);
            names.map(|name| name.code).collect::<Vec<_>>()
        };
        for event_type in EventType::ALL {
            for code in codes(event_type) {
                let body = match dialect {
                    Dialect::Okta => format!(r#"{{"eventType":"{code}","uuid":"1"}}"#),
                    Dialect::AkeylessTypes => format!(r#"{{"{code}":[{{"name":"/a"}}]}}"#),
                    Dialect::Czertainly => format!(r#"{{"event":"{code}"}}"#),
                    Dialect::Horizon => format!(r#"{{"code":"{code}"}}"#),
                    _ => format!(r#"{{"action":"{code}"}}"#),
                };
                assert_eq!(one(dialect, &body).meaning, Some(*event_type), "{system:?}: {code}");
            }
        }
    }
}
