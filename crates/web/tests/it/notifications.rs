//! Notifications through the API: from a certificate to a real mailbox, with every decision kept.

use axum::http::Method;
use chancery_engine::Role;

use chancery_testkit::{Authority, Mailbox, Receiver, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

pub(super) const BASE: &str = "/api/v1/automation";

/// A server with accounts, a mail channel and triggers that tell through the profile `p`.
pub(super) struct World {
    pub(super) server: TestServer,
    pub(super) mailbox: Mailbox,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::over(TestServer::start().await).await
    }

    pub(super) async fn over(server: TestServer) -> Self {
        let mailbox = Mailbox::start().await;
        let body = json!({ "kind": "email", "settings": { "server": mailbox.server(),
            "security": "none", "from": "chancery@example.org" } });
        let new = json!({ "name": "mail", "body": body });
        server.post("/api/v1/channels").json(&new).send().await.expect(201);
        Self { server, mailbox }
    }

    pub(super) async fn account(&self, name: &str, role: &str, email: Option<&str>) -> String {
        let wish = json!({ "name": name, "role": role, "email": email,
            "display_name": name, "password": "a long enough passphrase" });
        let made = self.server.post("/api/v1/accounts").json(&wish).send().await.expect(201);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn make(&self, class: &str, name: &str, body: Value) {
        let new = json!({ "name": name, "body": body });
        self.server.post(&format!("{BASE}/{class}")).json(&new).send().await.expect(201);
    }

    /// A profile, and a trigger that tells of uploads and changes through it.
    pub(super) async fn tells(&self, name: &str, profile: Value) {
        self.tells_of(json!(["certificate.status_changed", "certificate.update"]), name, profile)
            .await;
    }

    /// A profile, and a trigger that tells of events of these types through it.
    pub(super) async fn tells_of(&self, types: Value, name: &str, profile: Value) {
        self.make("notification_profiles", name, profile).await;
        let steps = json!([{ "step": "notify", "profile": name,
            "title": "{object.cn} came in", "message": "Look at it." }]);
        self.make("actions", name, json!({ "steps": steps })).await;
        let trigger = json!({ "event_types": types, "actions": [name] });
        self.make("triggers", name, trigger).await;
    }

    /// Uploads a certificate, and makes `owner` its owner, which the triggers hear of.
    pub(super) async fn owned(&self, cn: &str, owner: &str) -> String {
        let now = self.server.now();
        let pem = Authority::new("Notify CA", now).leaf(cn, now, 50).to_pem();
        let sent = self.server.post("/api/v1/certificates").body("application/x-pem-file", pem);
        let taken = sent.send().await.expect(201).json();
        let id = taken["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/certificates/{id}");
        let change = json!({ "owner": owner });
        self.server.patch(&path).json(&change).send().await.expect(200);
        id
    }

    pub(super) async fn notices(
        &self,
        query: &str,
        holds: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        for _ in 0..3_000 {
            let path = format!("/api/v1/notices?{query}");
            let list = self.server.get(&path).send().await.expect(200).json();
            let items = list["items"].as_array().unwrap();
            if holds(items) {
                return items.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let counts = self.server.get("/api/v1/notices").send().await.text();
        panic!("{query}: {counts}");
    }
}

#[tokio::test]
async fn an_owner_gets_a_mail_that_links_to_its_event_and_the_decision_is_kept() {
    let world = World::start().await;
    let ada = world.account("ada", "operator", Some("ada@example.org")).await;
    world.tells("p", json!({ "recipients": ["owner"] })).await;
    let id = world.owned("www.example.org", "ada").await;
    let mail = world.mailbox.wait_for(1).await.remove(0);
    assert_eq!(mail.recipients, ["ada@example.org"]);
    assert!(mail.header("Subject").contains("www.example.org came in"), "{}", mail.raw);
    let notices = world
        .notices("decision=sent&channel=mail", |items| {
            items.iter().any(|one| one["delivery_state"] == "delivered")
        })
        .await;
    let notice = &notices[0];
    let event = notice["event"].as_str().unwrap();
    assert!(mail.text().contains(&format!("/events/{event}")), "{}", mail.text());
    assert!(mail.text().contains("Look at it."));
    assert_eq!(notice["object"], format!("certificate/{id}"));
    assert_eq!((&notice["account"], &notice["account_name"]), (&json!(ada), &json!("ada")));
    assert_eq!(notice["paths"], json!(["owner"]));
    let delivery = notice["delivery"].as_str().unwrap();
    assert!(mail.header("Message-ID").contains(delivery), "the delivery keeps its identifier");
    // Its page says so as well.
    let mut browser = Browser::sign_in_as(&world.server, Role::Administrator).await;
    let page = browser.get(&format!("/events/{event}")).await.expect(200).text();
    let told = page.split("Who was told").nth(1).expect(&page);
    let row = "ada</a></td><td role=\"cell\" data-label=\"By\">mail</td>";
    assert!(told.contains(row), "{told}");
    let why = format!("/notifications/why?event={event}&account={ada}");
    for (path, theirs) in [
        ("/notifications", "one for each recipient and channel"),
        ("/notifications/profiles", "href=\"/notifications/profiles/p\""),
        ("/notifications/profiles/p", "Whom it would tell now"),
        ("/notifications/profiles/p/edit", "<textarea class=\"code\" id=\"recipients\""),
        ("/notifications/notices", "data-label=\"By\">mail<"),
        ("/notifications/coverage", "Only the fallback"),
        (why.as_str(), "ada was told by mail through the profile p (owner)"),
    ] {
        let page = browser.get(path).await.expect(200).text();
        assert!(page.contains(theirs), "{path}: {page}");
    }
    // The bell rings for the same person, with an alert that the mail links to.
    let bell = world.notices("channel=bell", |items| !items.is_empty()).await;
    let alert = bell[0]["alert"].as_str().unwrap();
    assert!(mail.text().contains(&format!("/alerts/{alert}")), "{}", mail.text());
    // Why?
    let path = format!("/api/v1/notices/why?event={event}&account={ada}");
    let why = world.server.get(&path).send().await.expect(200).json();
    let answer = why["answer"].to_string();
    assert!(answer.contains("was told by mail") && answer.contains("it got through"), "{answer}");
    let bob = world.account("bob", "viewer", Some("bob@example.org")).await;
    let path = format!("/api/v1/notices/why?event={event}&account={bob}");
    let why = world.server.get(&path).send().await.expect(200).json();
    let answer = why["answer"].to_string();
    assert!(answer.contains("bob is not among its recipients"), "{answer}");
    taken_out(&world, &mut browser, &ada, &id).await;
    // A viewer asks about nobody but themselves.
    let viewer = world.server.token(Role::Viewer).await;
    let call = |path: &str| world.server.call(Method::GET, path).bearer(&viewer);
    call(&path).send().await.expect(403);
    let own = call("/api/v1/notices").send().await.expect(200).json();
    assert_eq!(own["items"], json!([]));
    world.server.finish().await;
}

/// The list is taken out as it is narrowed, and that is an event.
async fn taken_out(world: &World, browser: &mut Browser<'_>, account: &str, certificate: &str) {
    let export = format!("/api/v1/notices/export?format=csv&account={account}&decision=sent");
    let csv = world.server.get(&export).send().await.expect(200).text();
    let lines: Vec<_> = csv.lines().collect();
    assert!(lines[0].starts_with("id,at,decision,reason,reason_text,account_name,"), "{csv}");
    assert!(lines.iter().skip(1).all(|line| line.contains(",sent,") && line.contains(",ada,")));
    assert!(
        lines.iter().any(|line| line.contains(&format!(",certificate/{certificate},"))),
        "{csv}"
    );
    let none = world.server.get("/api/v1/notices/export?reason=digest").send().await.expect(200);
    assert_eq!(none.text(), "");
    world.server.get("/api/v1/notices/export?decision=maybe").send().await.expect(422);
    let page = browser.get("/notifications/notices?decision=sent").await.expect(200).text();
    assert!(page.contains("/api/v1/notices/export?format=csv&amp;decision=sent"), "{page}");
    world.server.settle().await;
    let exports = "/api/v1/events?limit=2&order=oldest&filter=type:notification.export";
    let told = world.server.get(exports).send().await.expect(200).json();
    let detail = &told["items"][0]["event"]["data"]["detail"];
    assert_eq!(detail["count"], json!(lines.len() - 1), "{told}");
    assert_eq!((&detail["format"], &detail["filtered"]), (&json!("csv"), &json!(true)));
}

#[tokio::test]
async fn several_paths_to_one_person_are_one_message_and_nobody_is_told_as_such() {
    let world = World::start().await;
    world.account("ada", "operator", Some("team@example.org")).await;
    world.account("grace", "operator", Some("team@example.org")).await;
    world.account("mute", "viewer", None).await;
    let profile = json!({ "recipients": ["owner", "account:ada", "role:operator",
        "address:team@example.org", "account:mute"], "channels": ["mail"] });
    world.tells("one", profile).await;
    world.tells("two", json!({ "recipients": ["owner"], "channels": ["mail"] })).await;
    world.owned("www.example.org", "ada").await;
    let sent = |items: &[Value]| items.iter().any(|one| one["profile"] == "two");
    world.notices("profile=two", sent).await;
    world.server.settle().await;
    let events: std::collections::BTreeSet<String> = world
        .notices("decision=sent", |items| !items.is_empty())
        .await
        .iter()
        .map(|one| one["event"].to_string())
        .collect();
    world.mailbox.wait_for(events.len()).await;
    assert_eq!(world.mailbox.mails().len(), events.len(), "one for each event");
    world.notices("reason=duplicate", |items| !items.is_empty()).await;
    let mute = world.notices("reason=no_address", |items| !items.is_empty()).await;
    assert_eq!(mute[0]["account_name"], "mute");
    world.server.finish().await;
}

#[tokio::test]
async fn frequency_and_repetitions_keep_quiet_say_so_and_can_be_reset() {
    let world = World::start().await;
    world.account("ada", "operator", Some("ada@example.org")).await;
    let profile = json!({ "recipients": ["owner"], "channels": ["mail"], "repetitions": 1 });
    world.tells("p", profile).await;
    let id = world.owned("www.example.org", "ada").await;
    world.notices("decision=sent", |items| !items.is_empty()).await;
    let path = format!("/api/v1/certificates/{id}");
    let change = async |folder: &str| {
        let change = json!({ "path": folder });
        world.server.patch(&path).json(&change).send().await.expect(200);
    };
    change("/a").await;
    let skipped = world.notices("reason=repetitions", |items| !items.is_empty()).await;
    assert_eq!(skipped[0]["decision"], "skipped");
    let sent = world.notices("decision=sent&profile=p", |_| true).await.len();
    let reset = json!({ "object": format!("certificate/{id}") });
    let done = world.server.post("/api/v1/notices/reset").json(&reset).send().await.expect(200);
    assert!(done.json()["streams"].as_u64() >= Some(1));
    change("/b").await;
    world.notices("decision=sent", |items| items.len() > sent).await;
    // Another policy begins anew as well.
    let body = json!({ "recipients": ["owner"], "channels": ["mail"], "frequency": "24h" });
    let at = format!("{BASE}/notification_profiles/p");
    let update = json!({ "body": body });
    world
        .server
        .call(Method::PUT, &at)
        .bearer(world.server.admin())
        .json(&update)
        .send()
        .await
        .expect(200);
    change("/c").await;
    world.notices("decision=sent", |items| items.len() > sent + 1).await;
    change("/d").await;
    world.notices("reason=frequency", |items| !items.is_empty()).await;
    world.server.finish().await;
}

#[tokio::test]
async fn a_refused_address_bounces_until_the_contact_data_change_and_the_channel_goes_on() {
    let world = World::start().await;
    let ada = world.account("ada", "operator", Some("gone@example.org")).await;
    world.account("grace", "operator", Some("grace@example.org")).await;
    world.mailbox.refuse("gone@example.org", true);
    let profile = json!({ "recipients": ["role:operator"], "channels": ["mail"],
        "fallback": ["role:administrator"] });
    world.tells("p", profile).await;
    let id = world.owned("www.example.org", "ada").await;
    let refused = "/api/v1/notifications/refused-addresses";
    let bounced = |list: &Value| list["items"][0]["address"] == "gone@example.org";
    world.server.until(refused, bounced).await;
    let path = format!("/api/v1/certificates/{id}");
    world.server.patch(&path).json(&json!({ "path": "/a" })).send().await.expect(200);
    let bouncing = world.notices("reason=bouncing", |items| !items.is_empty()).await;
    assert_eq!(bouncing[0]["address"], "gone@example.org");
    world.mailbox.wait_for(2).await;
    assert!(world.mailbox.mails().iter().all(|mail| mail.recipients == ["grace@example.org"]));
    let channel = world.server.get("/api/v1/channels/mail").send().await.expect(200).json();
    assert_eq!(channel["failures"], 0, "the channel works: {channel}");
    let events = "/api/v1/events?filter=type:recipient.refused";
    let events = world.server.get(events).send().await.expect(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), 1, "said once");
    let contact = json!({ "email": "ada@example.org", "chat": "@ada" });
    let at = format!("/api/v1/accounts/{ada}/contact");
    world
        .server
        .call(Method::PUT, &at)
        .bearer(world.server.admin())
        .json(&contact)
        .send()
        .await
        .expect(204);
    world.server.patch(&path).json(&json!({ "path": "/b" })).send().await.expect(200);
    world.mailbox.wait_for_one_to("ada@example.org").await;
    world.server.finish().await;
}

async fn what_is_referred_to_stays(server: &TestServer) {
    for path in [
        "/api/v1/channels/chat",
        &format!("{BASE}/notification_templates/short"),
        &format!("{BASE}/notification_profiles/p"),
    ] {
        let refused = server.delete(path).send().await.expect(409).json();
        assert_eq!(refused["type"], "urn:chancery:problem:in_use", "{path}: {refused}");
    }
}

#[tokio::test]
async fn groups_object_contacts_chats_and_templates() {
    let world = World::start().await;
    world.account("ada", "viewer", Some("ada@example.org")).await;
    let receiver = Receiver::plain().await;
    let body = json!({ "kind": "webhook", "settings": { "url": receiver.url(),
        "signature": "none" } });
    let new = json!({ "name": "chat", "body": body });
    world.server.post("/api/v1/channels").json(&new).send().await.expect(201);
    let group = json!({ "name": "Web" });
    let group = world.server.post("/api/v1/groups").json(&group).send().await.expect(201).json();
    let contact = json!({ "email": "web@example.org", "chat": "@web", "members": ["ada"] });
    let at = format!("/api/v1/groups/{}/contact", group["id"].as_str().unwrap());
    world
        .server
        .call(Method::PUT, &at)
        .bearer(world.server.admin())
        .json(&contact)
        .send()
        .await
        .expect(204);
    let attribute = json!({ "name": "contact", "label": "Contact", "kind": "text" });
    world.server.post("/api/v1/attributes").json(&attribute).send().await.expect(201);
    let wrong =
        json!({ "name": "short", "body": { "subject": "{{ object.colour }}", "text": "x" } });
    let at = format!("{BASE}/notification_templates");
    let refused = world.server.post(&at).json(&wrong).send().await.expect(422).json();
    assert_eq!(refused["field"], "/subject", "{refused}");
    let template = json!({ "event_types": ["certificate.update"],
        "subject": "About {{ object.cn }}",
        "text": "{{ recipient.name }}: {{ object.cn }} at {{ links.object }}" });
    world.make("notification_templates", "short", template).await;
    for (profile, field) in [
        (json!({ "recipients": ["group:nobody"] }), "/recipients/0"),
        (json!({ "recipients": ["account:nobody"] }), "/recipients/0"),
        (json!({ "recipients": ["object_contact:nothing"] }), "/recipients/0"),
        (json!({ "recipients": ["owner"], "channels": ["pager"] }), "/channels/0"),
        (json!({ "recipients": ["owner"], "template": "long" }), "/template"),
    ] {
        let at = format!("{BASE}/notification_profiles");
        let new = json!({ "name": "wrong", "body": profile });
        let refused = world.server.post(&at).json(&new).send().await.expect(422).json();
        assert_eq!(refused["field"], field, "{refused}");
    }
    let profile = json!({ "recipients": ["group:web", "object_contact:contact"],
        "channels": ["mail", "chat"], "template": "short" });
    world.tells("p", profile).await;
    let now = world.server.now();
    let pem = Authority::new("Notify CA", now).leaf("www.example.org", now, 50).to_pem();
    let sent = world.server.post("/api/v1/certificates").body("application/x-pem-file", pem);
    let taken = sent.send().await.expect(201).json();
    let path = format!("/api/v1/certificates/{}", taken["id"].as_str().unwrap());
    let change = json!({ "attributes": { "contact": "ops@example.org; pki@example.org" } });
    world.server.patch(&path).json(&change).send().await.expect(200);
    world.mailbox.wait_for(4).await;
    for address in ["ada@example.org", "web@example.org", "ops@example.org", "pki@example.org"] {
        let mails = world.mailbox.to(address);
        assert!(mails.iter().any(|m| m.header("Subject") == "About www.example.org"), "{address}");
    }
    assert!(world.mailbox.to("ada@example.org")[0].text().starts_with("ada: www.example.org at "));
    let chat: Value = serde_json::from_slice(&receiver.wait_for(1).await[0].body).unwrap();
    assert!(chat["text"].as_str().unwrap().starts_with("For ada, @web"), "{chat}");
    what_is_referred_to_stays(&world.server).await;
    world.server.finish().await;
}

#[tokio::test]
async fn a_preview_shows_who_would_be_told_and_a_trial_goes_to_the_caller_alone() {
    let world = World::start().await;
    world.account("ada", "operator", Some("ada@example.org")).await;
    world.account("gone", "operator", None).await;
    let profile = json!({ "recipients": ["role:operator"] });
    world.make("notification_profiles", "p", profile).await;
    let preview = async |wish: Value| {
        let path = "/api/v1/notifications/preview";
        world.server.post(path).json(&wish).send().await.expect(200).json()
    };
    let shown = preview(json!({ "profile": "p" })).await;
    assert_eq!(shown["event_type"], "certificate.expiring", "an example, where there is no event");
    let id = world.owned("www.example.org", "ada").await;
    world.server.settle().await;
    let events = "/api/v1/events?filter=type:certificate.update";
    let events = world.server.get(events).send().await.expect(200).json();
    let event = events["items"][0]["event"]["id"].as_str().unwrap();
    let shown = preview(json!({ "profile": "p", "event": event,
        "template": { "subject": "{{ object.id }}", "text": "{{ event.sentence }}" } }))
    .await;
    assert_eq!(shown["subject"], id);
    let row = |name: &str, channel: &str| {
        let rows = shown["recipients"].as_array().unwrap();
        rows.iter().find(|one| one["name"] == name && one["channel"] == channel).cloned()
    };
    assert_eq!(row("ada", "mail").unwrap()["decision"], "send");
    assert_eq!(row("gone", "mail").unwrap()["reason"], "there is no mail address for them");
    assert_eq!(row("gone", "bell").unwrap()["decision"], "send");
    assert!(world.mailbox.mails().is_empty(), "nothing is sent");
    let path = "/api/v1/notifications/profiles/p/test";
    let refused = world.server.post(path).json(&json!({})).send().await.expect(409).json();
    assert_eq!(refused["type"], "urn:chancery:problem:no_address", "{refused}");
    let me = world.server.get("/api/v1/me").send().await.expect(200).json();
    let at = format!("/api/v1/accounts/{}/contact", me["id"].as_str().unwrap_or(""));
    let contact = json!({ "email": "me@example.org" });
    world
        .server
        .call(Method::PUT, &at)
        .bearer(world.server.admin())
        .json(&contact)
        .send()
        .await
        .expect(204);
    world.server.post(path).json(&json!({ "event": event })).send().await.expect(200);
    let mail = world.mailbox.wait_for(1).await.remove(0);
    assert_eq!(mail.recipients, ["me@example.org"]);
    assert!(mail.header("Subject").starts_with("Trial: "));
    // Through a channel that is off it would go out whenever somebody switches it on.
    let named = json!({ "recipients": ["role:operator"], "channels": ["mail"] });
    world.make("notification_profiles", "named", named).await;
    let off = json!({ "enabled": false });
    world.server.post("/api/v1/channels/mail/switch").json(&off).send().await.expect(204);
    let path = "/api/v1/notifications/profiles/named/test";
    let refused = world.server.post(path).json(&json!({})).send().await.expect(409).json();
    assert_eq!(refused["type"], "urn:chancery:problem:channel_off", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("the channel mail is"), "{refused}");
    let waiting = world.server.get("/api/v1/deliveries?state=waiting").send().await.expect(200);
    assert_eq!(waiting.json()["items"], json!([]), "nothing is left to go out later");
    world.server.finish().await;
}

#[tokio::test]
async fn the_forms_of_profiles_and_templates_show_what_is_refused_where_it_stands() {
    let world = World::start().await;
    let mut browser = Browser::sign_in_as(&world.server, Role::Administrator).await;
    let form = browser.get("/notifications/profiles/new").await.expect(200).text();
    assert!(form.contains("Whom would it tell") && form.contains("channels-mail"), "{form}");
    let wrong = [("name", "p"), ("recipients", "somebody"), ("enabled", "1")];
    let refused = browser.post("/notifications/profiles/new", &wrong).await.expect(422).text();
    assert!(refused.contains("recipients-error") && refused.contains("is no recipient"));
    let wrong = [("name", "p"), ("recipients", "owner"), ("level1/after", "1h")];
    let refused = browser.post("/notifications/profiles/new", &wrong).await.expect(422).text();
    // The level of the form that it is about, not the first one, which is empty.
    assert!(refused.contains("level-1-recipients-error"), "{refused}");
    assert!(!refused.contains("level-0-recipients-error"), "{refused}");
    let right = [
        ("name", "p"),
        ("recipients", "owner\nrole:operator"),
        ("channels", "mail"),
        ("frequency", "24h"),
        ("quiet_hours/from", "22:00"),
        ("quiet_hours/to", "07:00"),
        ("digest/cron", "0 8 * * *"),
        ("level0/after", "30m"),
        ("level0/recipients", "role:administrator"),
        ("enabled", "1"),
    ];
    browser.post("/notifications/profiles/new", &right).await.expect(303);
    let page = browser.get("/notifications/profiles/p").await.expect(200).text();
    for words in ["22:00", "as a digest", "after 30m", "Whom it would tell now"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let wrong = [("name", "t"), ("subject", "{{ nothing }}"), ("text", "x")];
    let refused = browser.post("/notifications/templates/new", &wrong).await.expect(422).text();
    assert!(refused.contains("subject-error") && refused.contains("nothing"), "{refused}");
    let right = [
        ("name", "t"),
        ("subject", "{{ title }}"),
        ("text", "{{ event.sentence }}"),
        ("event_types", "certificate.expiring"),
    ];
    browser.post("/notifications/templates/new", &right).await.expect(303);
    let page = browser.get("/notifications/templates/t").await.expect(200).text();
    assert!(page.contains("On a past event"), "{page}");
    let preview = [("name", "t"), ("subject", "{{ title }}"), ("text", "x"), ("do", "preview")];
    browser.post("/notifications/templates/new", &preview).await.expect(200);
    browser.post("/notifications/templates/t/delete", &[]).await.expect(303);
    let contact = [("email", "x"), ("chat", "@me")];
    browser.post("/account/contact", &contact).await.expect(422);
    let contact = [("email", "me@example.org"), ("chat", "@me")];
    browser.post("/account/contact", &contact).await.expect(303);
    assert!(browser.get("/account/contact").await.expect(200).text().contains("me@example.org"));
    world.server.finish().await;
}

#[tokio::test]
async fn an_administrator_lets_mail_go_to_a_refused_address_again() {
    let world = World::start().await;
    world.account("ada", "operator", Some("gone@example.org")).await;
    world.mailbox.refuse("gone@example.org", true);
    let profile = json!({ "recipients": ["role:operator"], "channels": ["mail"] });
    world.tells("p", profile).await;
    let id = world.owned("www.example.org", "ada").await;
    let list = "/api/v1/notifications/refused-addresses";
    let refused = async || {
        let list = world.server.get(list).send().await.expect(200).json();
        list["items"].as_array().unwrap().len()
    };
    let one_is = |list: &Value| list["items"].as_array().is_some_and(|items| items.len() == 1);
    world.server.until(list, one_is).await;
    let one = format!("{list}/Gone@example.org");
    let operator = world.server.token(chancery_engine::Role::Operator).await;
    let call = world.server.call(Method::DELETE, &one).bearer(&operator);
    call.send().await.expect(403);
    assert_eq!(refused().await, 1, "not for everybody to say");
    world.mailbox.refuse("gone@example.org", false);
    world.server.delete(&one).send().await.expect(204);
    assert_eq!(refused().await, 0);
    world.server.delete(&one).send().await.expect(404);
    let path = format!("/api/v1/certificates/{id}");
    world.server.patch(&path).json(&json!({ "path": "/a" })).send().await.expect(200);
    world.mailbox.wait_for_one_to("gone@example.org").await;
    let events = "/api/v1/events?filter=type:configuration.delete%20outcome:success";
    let events = world.server.get(events).send().await.expect(200).json();
    let told = &events["items"][0]["event"]["data"]["detail"];
    assert_eq!(told["class"], "refused_address", "{events}");
    assert!(events.to_string().contains("gone@example.org"), "who may see people: {events}");
    let mut browser =
        Browser::sign_in_as(&world.server, chancery_engine::Role::Administrator).await;
    world.mailbox.refuse("gone@example.org", true);
    world.server.patch(&path).json(&json!({ "path": "/b" })).send().await.expect(200);
    world.server.until(list, one_is).await;
    let page = browser.get("/notifications").await.expect(200).text();
    assert!(page.contains("Send to it again"), "{page}");
    let typed = [("address", "gone@example.org")];
    browser.post("/notifications/refused-addresses", &typed).await.expect(303);
    assert_eq!(refused().await, 0);
    world.server.finish().await;
}
