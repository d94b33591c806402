//! The life of one event, as ARCHITECTURE.md tells it: a certificate is uploaded over the API of the
//! real program; its events are found, proven, and the proof verified off-line.
//!
//! The transcript is golden: `UPDATE=1` writes it anew.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use chancery_event::Event;
use chancery_pki::Certificate;
use chancery_pki::make::{Key, Template, certificate};
use chancery_seal::Trust;
use chancery_seal::tlog_proof::TlogProof;
use chancery_throwaway::on_each_backend;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::process::{ORIGIN, Process, prepare, verify};

struct Visitor {
    http: Client,
    url: String,
    token: String,
    transcript: String,
}

impl Visitor {
    async fn get(&mut self, path: &str) -> (StatusCode, String) {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    fn tell(&mut self, line: &str) {
        let _ = writeln!(self.transcript, "{line}");
    }

    /// Events about a certificate, once `count` of them are sealed.
    async fn events(&mut self, id: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let path = format!("/api/v1/events?filter=target:certificate/{id}&order=oldest");
        loop {
            let (status, text) = self.get(&path).await;
            assert_eq!(status, StatusCode::OK, "{text}");
            let page: Value = serde_json::from_str(&text).unwrap();
            let items = page["items"].as_array().unwrap().clone();
            if items.len() >= count {
                return items;
            }
            assert!(Instant::now() < deadline, "{text}");
            tokio::task::yield_now().await;
        }
    }
}

/// What differs from run to run, replaced by what it is.
fn settled(transcript: &str, names: &HashMap<String, &str>) -> String {
    names.iter().fold(transcript.to_owned(), |text, (value, name)| text.replace(value, name))
}

on_each_backend!(one_certificate_from_upload_to_verified_proof, 2);

async fn one_certificate_from_upload_to_verified_proof() {
    let dir = tempfile::tempdir().unwrap();
    let token = prepare(dir.path()).await;
    let server = Process::start(dir.path());
    let mut visitor =
        Visitor { http: Client::new(), url: server.url.clone(), token, transcript: String::new() };
    let key = Key::from_seed(b"walkthrough").unwrap();
    // Valid from 2026-01-01 to 2056-01-01: its story does not depend on the day of the test.
    let template =
        Template::leaf(&["www.example.com"], 1_767_225_600_000_000, 2_713_910_400_000_000);
    let der = certificate(&template, &key, None).unwrap();
    let parsed = Certificate::parse(&der).unwrap();

    visitor.tell("POST /api/v1/certificates");
    let upload = |visitor: &Visitor| {
        let request = visitor.http.post(format!("{}/api/v1/certificates", visitor.url));
        request
            .bearer_auth(&visitor.token)
            .header("content-type", "application/x-pem-file")
            .body(parsed.to_pem())
            .send()
    };
    let answer = upload(&visitor).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let created: Value = answer.json().await.unwrap();
    let id = created["id"].as_str().unwrap().to_owned();
    visitor.tell(&format!("  201: {} is {}", created["id"], created["status"]));
    let again = upload(&visitor).await.unwrap();
    let status = again.status();
    let problem: Value = again.json().await.unwrap();
    visitor.tell(&format!("  {}: {}", status.as_u16(), problem["detail"]));

    visitor.tell("GET /api/v1/events?filter=target:certificate/{id}");
    let events = visitor.events(&id, 3).await;
    for record in &events {
        let event = &record["event"];
        visitor.tell(&format!(
            "  {} {}: {}",
            event["type"], event["data"]["outcome"]["result"], record["sentence"]
        ));
    }
    prove(&mut visitor, &events[0]).await;

    let names = HashMap::from([
        (id, "{id}"),
        (parsed.fingerprint_sha256.iter().map(|b| format!("{b:02x}")).collect(), "{sha256}"),
    ]);
    let transcript = settled(&visitor.transcript, &names);
    println!("{transcript}");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/walkthrough.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &transcript).unwrap();
    }
    assert_eq!(transcript, std::fs::read_to_string(&golden).unwrap_or_default());
    server.stop();
    assert!(verify(dir.path()), "the log that it left behind holds");
}

/// Fetches what an auditor needs and checks it with the pure crates alone.
async fn prove(visitor: &mut Visitor, record: &Value) {
    let id = record["event"]["id"].as_str().unwrap().to_owned();
    visitor
        .tell("GET /api/v1/events/{event}/entry, GET /api/v1/events/{event}/proof, GET /log/vkey");
    let (_, entry) = visitor.get(&format!("/api/v1/events/{id}/entry")).await;
    let (_, proof) = visitor.get(&format!("/api/v1/events/{id}/proof")).await;
    let (_, vkey) = visitor.get("/log/vkey").await;
    let event = Event::open(entry.as_bytes(), None).unwrap();
    assert_eq!(event.id.to_string(), id);
    let proof: TlogProof = proof.parse().unwrap();
    let trust = Trust::new(ORIGIN, vec![vkey.trim().parse().unwrap()]);
    let opened = proof.verify(entry.as_bytes(), &trust).unwrap();
    visitor.tell(&format!(
        "  the entry of {} is in the log {} that the checkpoint covers: verified",
        event.type_name,
        opened.checkpoint.origin()
    ));
    let mut other = entry.clone().into_bytes();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert!(proof.verify(&other, &trust).is_err());
    visitor.tell("  with one bit changed: refused");
}
