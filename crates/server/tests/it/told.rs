//! `chancery notices` and `chancery channels`, each of their commands, against a running server.

use std::net::TcpListener;
use std::time::Instant;

use chancery_event::Environment;
use chancery_testkit::Authority;
use serde_json::{Value, json};

use crate::installation::{Installation, PATIENCE, Run, Server};

/// A profile that tells administrators of each certificate once, by the bell and by a chat.
const TELLS: &str = r#"
[notification_profile.p]
recipients = ["role:administrator"]
channels = ["bell", "chat"]
repetitions = 1

[action.p]
[[action.p.steps]]
step = "notify"
profile = "p"

[trigger.p]
event_types = ["certificate.update"]
actions = ["p"]
"#;

/// A running server and its administrator.
struct World {
    installation: Installation,
    server: Server,
    token: String,
}

impl World {
    fn start() -> Self {
        let installation = Installation::new();
        let token = installation.token("administrator");
        let allowed = ["network.allowed_addresses=127.0.0.1"];
        let server = Server::start_with(&installation, &allowed);
        Self { installation, server, token }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.server.run(&self.token, arguments)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.installation.beside(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The body of a channel that nobody answers on.
    fn chat(&self, title: &str) -> String {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = json!({ "url": format!("http://127.0.0.1:{port}/"), "signature": "none" });
        let body = json!({ "kind": "webhook", "title": title, "settings": settings });
        self.file("chat.json", &body.to_string())
    }

    fn notices(&self, filter: &str, enough: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let run = self.run(&["notices", "list", "--filter", filter, "--json"]).well();
            let found = run.document().as_array().unwrap().clone();
            if found.len() >= enough {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{filter}: {run:?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    fn moves(&self, certificate: &str, folder: &str) {
        let url = format!("{}/api/v1/certificates/{certificate}", self.server.url);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let call = reqwest::Client::new().patch(url).bearer_auth(&self.token);
            let sent = call.json(&json!({ "path": folder })).send().await.unwrap();
            sent.error_for_status().unwrap();
        });
    }
}

#[test]
fn channels_are_made_changed_switched_and_deleted() {
    let world = World::start();
    world.run(&["channels", "create", "chat", &world.chat("First")]).well();
    let shown = world.run(&["channels", "show", "chat"]).well().document();
    assert_eq!(
        (&shown["body"]["title"], &shown["enabled"]),
        (&json!("First"), &json!(true)),
        "{shown}"
    );
    world.run(&["channels", "update", "chat", &world.chat("Second")]).well();
    let shown = world.run(&["channels", "show", "chat"]).well().document();
    assert_eq!(
        (&shown["body"]["title"], &shown["version"]),
        (&json!("Second"), &json!(2)),
        "{shown}"
    );
    let list = world.run(&["channels", "list"]).well();
    assert!(list.out.contains("CHANNEL") && list.out.contains("chat  "), "{list:?}");
    for (command, enabled) in [("disable", false), ("enable", true)] {
        let done = world.run(&["channels", command, "chat", "--json"]).well().document();
        assert_eq!(done, json!({ "channel": "chat", "enabled": enabled }));
        let list = world.run(&["channels", "list", "--json"]).well().document();
        assert_eq!(list[0]["enabled"], enabled, "{list}");
    }
    let tried = world.run(&["channels", "test", "chat"]);
    assert_eq!(tried.status, 1, "nobody answers: {tried:?}");
    let recovered = world.run(&["channels", "recover", "chat"]).well().document();
    assert!(recovered.is_object(), "{recovered}");
    let deleted = world.run(&["channels", "delete", "chat"]).well();
    assert!(deleted.out.contains("deleted"), "{deleted:?}");
    let gone = world.run(&["channels", "show", "chat"]);
    assert_eq!(gone.status, 1, "{gone:?}");
    assert_eq!(world.run(&["channels", "list", "--json"]).well().document(), json!([]));
    world.server.stop();
}

#[test]
fn notices_say_who_was_told_why_and_begin_anew() {
    let world = World::start();
    world.run(&["channels", "create", "chat", &world.chat("Chat")]).well();
    world.run(&["config", "apply", &world.file("tells.toml", TELLS)]).well();
    let now = Environment::system().now();
    let pem = Authority::new("Told CA", now).leaf("www.example.org", now, 50).to_pem();
    world.run(&["certificates", "upload", &world.file("www.pem", &pem)]).well();
    let list = world.run(&["certificates", "list", "--json"]).well().out;
    let id = list.split("\"id\":").nth(1).and_then(|rest| rest.split('"').nth(1)).expect(&list);
    world.moves(id, "/a");
    let told = world.notices("channel:bell decision:sent profile:p", 1);
    let (event, account) = (told[0]["event"].as_str().unwrap(), told[0]["account"].as_str());
    let object = format!("certificate/{id}");
    assert_eq!(told[0]["object"], object.as_str(), "{told:?}");
    let table = world.run(&["notices", "list", "--decision", "sent", "--profile", "p"]).well();
    assert!(table.out.contains("WHOM") && table.out.contains("certificate.update"), "{table:?}");
    let wrong = world.run(&["notices", "list", "--filter", "colour:red"]);
    assert!(wrong.status == 1 && wrong.err.contains("colour"), "{wrong:?}");
    let why = world.run(&["notices", "why", event, "--account", account.unwrap()]).well();
    assert!(why.out.contains("was told by bell through the profile p"), "{why:?}");
    // Once, until it begins anew.
    world.moves(id, "/b");
    world.notices("reason:repetitions channel:bell", 1);
    let reset = world.run(&["notices", "reset", &object, "--profile", "other"]).well();
    assert!(reset.out.starts_with("Begun anew: 0."), "{reset:?}");
    let reset = world.run(&["notices", "reset", &object, "--json"]).well().document();
    assert_eq!(reset, json!({ "streams": 1 }));
    world.moves(id, "/c");
    world.notices("channel:bell decision:sent profile:p", 2);
    // Who would hear.
    let coverage = world.run(&["notices", "coverage", id]).well().document();
    assert!(coverage["state"].is_string() && coverage["routes"].is_array(), "{coverage}");
    let began = Instant::now();
    loop {
        let found = world.run(&["notices", "unreached", "--path", "/c", "--json"]).well();
        if found.document()[0]["certificate"] == id {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{found:?}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let table = world.run(&["notices", "unreached"]).well();
    assert!(table.out.contains("WHO HEARS") && table.out.contains("unowned"), "{table:?}");
    let preview = world.run(&["notices", "preview", "p", "--event", event]).well().document();
    assert_eq!(preview["event"], event, "{preview}");
    assert!(preview["text"].as_str().unwrap().contains("www.example.org"), "{preview}");
    assert_eq!(world.run(&["notices", "bouncing", "--json"]).well().document(), json!([]));
    let clear = world.run(&["notices", "clear", "ada@example.org"]);
    assert_eq!(clear.status, 1, "no server refuses it: {clear:?}");
    world.server.stop();
}
