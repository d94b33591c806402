//! How fast an event becomes an entry. Run with
//! `cargo test -p chancery-event --release -- --ignored --nocapture speed`.

use std::time::Instant;

use chancery_event::Event;
use serde_json::json;

/// A certificate event of the usual size, about 1.2 kB.
fn sample() -> Event {
    Event::from_json(&json!({
        "specversion": "1.0",
        "id": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4",
        "source": "https://chancery.example",
        "type": "certificate.uploaded",
        "subject": "certificate/01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d5",
        "time": "2026-11-21T09:30:00.123456Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:chancery:event-type:certificate.uploaded:1",
        "data": {
            "version": 1,
            "outcome": {"result": "success"},
            "severity": "info",
            "actor": {"kind": "account", "id": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d6"},
            "authentication": {"method": "password"},
            "origin": "ui",
            "transaction": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d7",
            "depth": 0,
            "targets": [{"kind": "certificate", "id": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d5",
                         "name": "CN=www.example.com"}],
            "node": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d8",
            "detail": {
                "certificate_id": "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d5",
                "fingerprint_sha256":
                    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "serial_number": "0a1b2c3d4e5f", "subject_dn": "CN=www.example.com,O=Example",
                "issuer_dn": "CN=Example Issuing CA 1,O=Example", "not_before":
                "2026-11-01T00:00:00.000000Z", "not_after": "2027-02-01T00:00:00.000000Z",
                "format": "pem", "size_bytes": 1867, "count": 1, "group_ids": []
            },
            "personal": {"actor_name": "ada", "client_ip": "192.0.2.7",
                         "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "session": "s-1"}
        }
    }))
    .unwrap()
}

#[test]
#[ignore = "a measurement, not a test"]
fn entries_per_second() {
    let event = sample();
    let rounds = 300_000_u32;
    for _ in 0..3 {
        let start = Instant::now();
        let mut bytes = 0;
        for _ in 0..rounds {
            bytes += event.entry([7; 32]).unwrap().bytes.len();
        }
        let made = f64::from(rounds) / start.elapsed().as_secs_f64();
        let entry = event.entry([7; 32]).unwrap();
        let start = Instant::now();
        for _ in 0..rounds / 10 {
            assert!(Event::open(&entry.bytes, entry.personal.as_ref()).is_ok());
        }
        let opened = f64::from(rounds / 10) / start.elapsed().as_secs_f64();
        println!("entry: {made:.0}/s of {} bytes; open: {opened:.0}/s", bytes / rounds as usize);
    }
}
