//! `chancery forwarders` and `chancery channels`, against a running server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::installation::{Installation, Server};

/// Answers every request with this status; its port.
fn receiver(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // All of it is read: closing earlier may take the answer away with it.
            let mut request = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while request.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            request.read_exact(&mut vec![0; length]).unwrap();
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Who asked may have gone.
            let _ = stream.write_all(head.as_bytes());
        }
    });
    port
}

#[test]
fn a_trial_that_is_not_delivered_fails_the_command() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start_with(&installation, &["network.allowed_addresses=127.0.0.1"]);
    for command in ["channels", "forwarders"] {
        for (name, answer, status) in [("good", "200 OK", 0), ("bad", "503 Service Unavailable", 1)]
        {
            let port = receiver(answer);
            let file = installation.beside("body.json");
            let settings = json!({ "url": format!("http://127.0.0.1:{port}/") });
            let body = json!({ "kind": "webhook", "settings": settings });
            std::fs::write(&file, body.to_string()).unwrap();
            let name = format!("{command}-{name}");
            server.run(&token, &[command, "create", &name, file.to_str().unwrap()]).well();
            let tried = server.run(&token, &[command, "test", &name]);
            assert_eq!(tried.status, status, "{name}: {tried:?}");
            assert_eq!(tried.document()["delivered"], status == 0, "{tried:?}");
            assert_eq!(tried.err.contains("not delivered"), status == 1, "{tried:?}");
        }
    }
    server.stop();
}

/// Members of a list of the API.
async fn items(client: &reqwest::Client, url: &str, token: &str) -> Vec<Value> {
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["items"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

/// Makes groups, all at once; ends when so many are acknowledged.
async fn groups(client: &reqwest::Client, url: &str, token: &str, cycle: usize, enough: usize) {
    let mut making = tokio::task::JoinSet::new();
    for number in 0..24 {
        let body = json!({ "name": format!("group {cycle} {number}") });
        let call = client.post(format!("{url}/api/v1/groups")).bearer_auth(token).json(&body);
        making.spawn(call.send());
    }
    for _ in 0..enough {
        making.join_next().await.unwrap().unwrap().unwrap().error_for_status().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_it_delivers_leaves_each_event_with_one_effect() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let receiver = chancery_testkit::Receiver::plain().await;
    let allowed = ["network.allowed_addresses=127.0.0.1"];
    let mut server = Server::start_with(&installation, &allowed);
    let select = json!({ "event_types": ["configuration.create"], "filter": "detail.class:group" });
    for (name, settings) in
        [("webhook", json!({ "url": receiver.url() })), ("file", json!({ "file": "groups" }))]
    {
        let body = json!({ "kind": name, "settings": settings, "select": select });
        let file = installation.beside("body.json");
        std::fs::write(&file, body.to_string()).unwrap();
        let file = file.to_str().unwrap();
        server.run(&token, &["forwarders", "create", name, file]).well();
    }
    for cycle in 0..5 {
        let client = reqwest::Client::new();
        groups(&client, &server.url, &token, cycle, 4 * cycle + 3).await;
        // It dies as it is, with deliveries under way.
        drop(server);
        server = Server::start_with(&installation, &allowed);
    }
    let client = reqwest::Client::new();
    let at = |path: &str| format!("{}/api/v1/{path}", server.url);
    let began = std::time::Instant::now();
    loop {
        let list = items(&client, &at("forwarders"), &token).await;
        if list.iter().all(|one| one["backlog_log"] == 0 && one["backlog_waiting"] == 0) {
            break;
        }
        assert!(began.elapsed().as_secs() < 40, "no lease of the dead is waited for: {list:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let path = at("events?limit=1000&filter=type:configuration.create%20outcome:success");
    let sealed = items(&client, &path, &token).await;
    let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
    let events = sealed.iter().map(|item| &item["event"]);
    let groups = events.filter(|event| event["data"]["detail"]["class"] == "group");
    let expected: BTreeSet<String> = groups.map(id).collect();
    assert!(expected.len() >= 55, "{}", expected.len());
    let mut effects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for received in receiver.received() {
        let event: Value = serde_json::from_slice(&received.body).unwrap();
        effects.entry(id(&event)).or_default().insert(received.headers["webhook-id"].clone());
    }
    assert!(effects.values().all(|ids| ids.len() == 1), "one identifier each: {effects:?}");
    assert_eq!(effects.into_keys().collect::<BTreeSet<_>>(), expected);
    let file = installation.data_dir().join("forwarders/groups");
    let text = std::fs::read_to_string(file).unwrap();
    let lines: BTreeSet<String> = text
        .lines()
        .map(|line| id(&serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line}"))))
        .collect();
    assert_eq!(lines, expected);
    server.stop();
}
