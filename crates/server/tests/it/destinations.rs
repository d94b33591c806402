//! `chancery forwarders` and `chancery channels`, against a running server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use chancery_testkit::Received;
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

#[test]
fn a_forwarder_lives_its_life_on_the_command_line() {
    let installation = Installation::new();
    let token = installation.token("administrator");
    let server = Server::start_with(&installation, &["network.allowed_addresses=127.0.0.1"]);
    let run = |arguments: &[&str]| {
        let mut all = vec!["forwarders"];
        all.extend(arguments);
        server.run(&token, &all)
    };
    let file = installation.beside("soc.json");
    let body = |title: &str| {
        let settings = json!({ "url": format!("http://127.0.0.1:{}/", receiver("200 OK")) });
        let body = json!({ "kind": "webhook", "title": title, "settings": settings,
            "select": { "event_types": ["configuration.*"], "filter": "detail.class:intake_source" } });
        std::fs::write(&file, body.to_string()).unwrap();
    };
    let path = file.to_str().unwrap();
    body("The SOC");
    let preview = run(&["preview", path]).well().document();
    assert_eq!(preview["last_7_days"], 0, "{preview}");
    let made = run(&["create", "soc", path]).well().document();
    let first = made["generated"]["signing"].as_str().unwrap().to_owned();
    let again = run(&["create", "soc", path]);
    assert_eq!(again.status, 1, "{again:?}");
    assert!(again.err.contains("name"), "{again:?}");
    let list = run(&["list"]).well().out;
    assert!(list.contains("soc") && list.contains("webhook") && list.contains("on"), "{list}");
    let delivered = |count: usize| {
        for _ in 0..3_000 {
            let arguments = ["deliveries", "--forwarder", "soc", "--state", "delivered", "--json"];
            let rows = run(&arguments).well().document();
            if rows.as_array().unwrap().len() >= count {
                return rows;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("{}", run(&["deliveries"]).out);
    };
    run(&["disable", "soc"]).well();
    assert_eq!(run(&["show", "soc"]).well().document()["enabled"], false);
    server.run(&token, &["sources", "add", "firewall", "cef"]).well();
    run(&["enable", "soc"]).well();
    let id = delivered(1)[0]["id"].as_str().unwrap().to_owned();
    let table = run(&["deliveries"]).well().out;
    assert!(table.contains(&id) && table.contains("configuration.create"), "{table}");
    assert!(run(&["resend", &id]).well().out.contains("waits to be sent again"));
    let unknown = run(&["resend", "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4"]);
    assert_eq!(unknown.status, 1, "{unknown:?}");
    body("The other SOC");
    assert_eq!(run(&["update", "soc", path]).well().document()["version"], 2);
    assert_eq!(run(&["show", "soc"]).well().document()["body"]["title"], "The other SOC");
    run(&["replay", "soc", "--from", "0"]).well();
    delivered(2);
    let beyond = run(&["replay", "soc", "--from", "999999"]);
    assert_eq!(beyond.status, 1, "{beyond:?}");
    assert!(beyond.err.contains("from_index"), "{beyond:?}");
    let recovered = run(&["recover", "soc", "--since", "2026-01-01T00:00:00Z"]).well().document();
    assert_eq!(recovered["deliveries"], 0, "nothing was given up");
    let rotated = run(&["rotate-secret", "soc", "--overlap-hours", "1"]).well().document();
    let second = rotated["generated"]["signing"].as_str().unwrap();
    assert!(second.starts_with("whsec_") && second != first, "{rotated}");
    run(&["delete", "soc"]).well();
    let gone = run(&["show", "soc"]);
    assert_eq!(gone.status, 1, "{gone:?}");
    assert!(run(&["list", "--json"]).well().document().as_array().unwrap().is_empty());
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

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

/// Identifiers of the events about groups.
fn group_events(items: &[Value]) -> BTreeSet<String> {
    let events = items.iter().map(|item| &item["event"]);
    events.filter(|event| event["data"]["detail"]["class"] == "group").map(id).collect()
}

/// The events that a receiver got, with the identifiers of their deliveries.
fn effects(received: &[Received]) -> BTreeMap<String, BTreeSet<String>> {
    let mut effects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in received {
        let event: Value = serde_json::from_slice(&one.body).unwrap();
        effects.entry(id(&event)).or_default().insert(one.headers["webhook-id"].clone());
    }
    effects
}

/// The events of a file; its last line may be on its way.
fn lines(text: &str) -> BTreeSet<String> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line}"));
    whole.lines().map(|line| id(&read(line))).collect()
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
    let path = at("events?limit=1000&filter=type:configuration.create%20outcome:success");
    let file = installation.data_dir().join("forwarders/groups");
    loop {
        let expected = group_events(&items(&client, &path, &token).await);
        let sent = effects(&receiver.received());
        let written = lines(&std::fs::read_to_string(&file).unwrap_or_default());
        assert!(sent.values().all(|ids| ids.len() == 1), "one identifier each: {sent:?}");
        // 3, 7, 11, 15 and 19 were acknowledged.
        let sent: BTreeSet<String> = sent.into_keys().collect();
        if expected.len() >= 55 && sent == expected && written == expected {
            break;
        }
        let counts = (expected.len(), sent.len(), written.len());
        assert!(began.elapsed().as_secs() < 50, "no lease of the dead is waited for: {counts:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    server.stop();
}
