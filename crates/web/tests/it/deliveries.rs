//! Deliveries through the API: searching and exporting them, where an event went, and every event
//! that is told of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use chancery_engine::delivery::DeliveryQuery;
use chancery_engine::{Context, Role};
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_testkit::{Answer, Authority, Mailbox, Manner, Receiver, TestServer};
use serde_json::{Value, json};

use crate::browser::Browser;

fn webhook(receiver: &Receiver) -> Value {
    json!({ "kind": "webhook", "settings": { "url": receiver.url() },
        "select": { "event_types": ["configuration.create"], "filter": "detail.class:group" } })
}

async fn group(server: &TestServer, name: &str) {
    server.post("/api/v1/groups").json(&json!({ "name": name })).send().await.expect(201);
}

async fn items(server: &TestServer, path: &str) -> Vec<Value> {
    let answer = server.get(path).send().await.expect(200).json();
    answer["items"].as_array().unwrap().clone()
}

/// Waits until a list has so many items.
async fn eventually(server: &TestServer, path: &str, count: usize) -> Vec<Value> {
    for _ in 0..3_000 {
        let found = items(server, path).await;
        if found.len() == count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path}: {}", server.get(path).send().await.text());
}

chancery_testkit::on_each_backend!(deliveries_are_searched_exported_and_kept_as_views);

async fn deliveries_are_searched_exported_and_kept_as_views() {
    let server = TestServer::start().await;
    let (good, bad) = (Receiver::plain().await, Receiver::plain().await);
    bad.behave(Manner::Status(503, ""));
    for (name, receiver) in [("good", &good), ("bad", &bad)] {
        let new = json!({ "name": name, "body": webhook(receiver) });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    group(&server, "one").await;
    group(&server, "two").await;
    eventually(&server, "/api/v1/deliveries?filter=state:delivered", 2).await;
    eventually(&server, "/api/v1/deliveries?filter=status%3E=500%20attempts%3E0", 2).await;
    for (filter, count) in [
        ("destination:bad", 2),
        ("destination:bad state:delivered", 0),
        ("503", 2),
        ("-destination:bad type:configuration.*", 2),
        ("created<-1h", 0),
        ("events:1", 4),
    ] {
        let filter = filter.replace(' ', "%20").replace('<', "%3C");
        let found = items(&server, &format!("/api/v1/deliveries?filter={filter}")).await;
        assert_eq!(found.len(), count, "{filter}");
    }
    let refused = server.get("/api/v1/deliveries?filter=colour:red").send().await.expect(400);
    assert_eq!(refused.json()["field"], "filter", "{}", refused.text());
    let path = "/api/v1/deliveries/export?format=csv&filter=destination:good";
    let csv = server.get(path).send().await.expect(200).text();
    assert!(csv.starts_with("id,destination,state"), "{csv}");
    assert_eq!((csv.lines().count(), csv.matches(",good,delivered,").count()), (3, 2), "{csv}");
    let lines = server.get("/api/v1/deliveries/export").send().await.expect(200).text();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    server.settle().await;
    let told = items(&server, "/api/v1/events?filter=type:delivery.export").await;
    assert_eq!(told.len(), 2, "the export is an event");
    let viewer = server.token(Role::Viewer).await;
    let call = server.call(Method::GET, "/api/v1/deliveries/export").bearer(&viewer);
    call.send().await.expect(403);
    let context = Context::command_line(server.engine().environment());
    let (from, to) = (server.now().plus(-Timestamp::HOUR), server.now().plus(Timestamp::HOUR));
    for (text, expected) in [("", 4), ("destination:bad", 2), ("destination:none", 0)] {
        let filter = server.engine().parse_delivery_filter(text).unwrap();
        let query = DeliveryQuery { filter, ..DeliveryQuery::default() };
        let width = 2 * Timestamp::HOUR;
        let bars = server.engine().delivery_histogram(&context, query, (from, to), width).await;
        let bars = bars.unwrap();
        assert_eq!(bars.iter().map(|(_, count)| count).sum::<u64>(), expected, "{text}");
        assert!(bars.iter().all(|(start, _)| *start == from), "{bars:?}");
    }
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/deliveries?q=destination:good&state=delivered").await.expect(200);
    assert!(page.text().contains("delivery-histogram"));
    let text = page.text();
    let links = text.split("href=\"/deliveries/").skip(1);
    let shown: std::collections::BTreeSet<&str> = links.map(|rest| &rest[..36]).collect();
    assert_eq!(shown.len(), 2, "{text}");
    assert!(page.text().contains("name=\"state\" value=\"delivered\""), "the search keeps it");
    assert!(page.text().contains("deliveries/export?format=csv"));
    let wrong = browser.get("/deliveries?q=colour:red").await.expect(200);
    assert!(wrong.text().contains("search-error"), "{}", wrong.text());
    let view = [("list", "deliveries"), ("name", "Good ones"), ("query", "q=destination:good")];
    browser.post("/views", &view).await.expect(303);
    assert!(browser.get("/deliveries").await.expect(200).text().contains("Good ones"));
    server.finish().await;
}

#[tokio::test]
async fn forwarders_channels_and_tokens_are_searched() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    for name in ["alpha", "beta"] {
        let new = json!({ "name": name, "body": webhook(&receiver) });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    let off = json!({ "enabled": false });
    server.post("/api/v1/forwarders/beta/switch").json(&off).send().await.expect(204);
    for (list, filter, count) in [
        ("forwarders", "state:off", 1),
        ("forwarders", "alpha", 1),
        ("forwarders", "kind:webhook%20waiting:0", 2),
        ("channels", "kind:webhook", 0),
        ("tokens", "role:administrator%20state:active", 1),
        ("tokens", "state:revoked", 0),
    ] {
        let found = items(&server, &format!("/api/v1/{list}?filter={filter}")).await;
        assert_eq!(found.len(), count, "{list} {filter}");
    }
    for list in ["forwarders", "channels", "tokens"] {
        let path = format!("/api/v1/{list}?filter=colour:red");
        server.get(&path).send().await.expect(400);
    }
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get("/forwarders?q=state:off").await.expect(200).text();
    assert!(page.contains("/forwarders/beta") && !page.contains("/forwarders/alpha"), "{page}");
    let page = browser.get("/administration/tokens?q=state:revoked").await.expect(200).text();
    assert!(page.contains("No token fits"), "{page}");
    server.finish().await;
}

chancery_testkit::on_each_backend!(an_event_says_where_it_went_to_whom_may_know);

async fn an_event_says_where_it_went_to_whom_may_know() {
    let server = TestServer::start().await;
    let receiver = Receiver::plain().await;
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    group(&server, "web").await;
    eventually(&server, "/api/v1/deliveries?state=delivered", 1).await;
    let event: Value = serde_json::from_slice(&receiver.received()[0].body).unwrap();
    let id = event["id"].as_str().unwrap();
    let path = format!("/api/v1/events/{id}/deliveries");
    let went = items(&server, &path).await;
    assert_eq!((went.len(), &went[0]["destination"]), (1, &json!("soc")));
    let operator = server.token(Role::Operator).await;
    let seen = server.call(Method::GET, &path).bearer(&operator).send().await.expect(200).json();
    assert_eq!(seen["items"], json!([]), "an operator sees what they were given");
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get(&format!("/events/{id}")).await.expect(200).text();
    let link = format!("/deliveries/{}", went[0]["id"].as_str().unwrap());
    assert!(page.contains("Where it was forwarded") && page.contains(&link), "{page}");
    server.finish().await;
}

/// A server whose clock the test moves, and a token that lives long enough.
struct Years {
    server: TestServer,
    clock: Arc<ManualClock>,
    token: String,
}

impl Years {
    async fn start() -> Self {
        let clock = ManualClock::new("2026-11-21T00:00:00Z".parse().unwrap());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(11));
        let server = TestServer::start_in(environment, |_, _| {}).await;
        let wish = json!({ "name": "t", "days": 366 });
        // In a session: what a token makes does not outlast it.
        let (cookie, csrf) = server.session();
        let call = server.call(Method::POST, "/api/v1/tokens").header("cookie", &cookie);
        let made = call.header("x-csrf-token", &csrf).json(&wish).send().await.expect(201).json();
        let token = made["token"].as_str().unwrap().to_owned();
        Self { server, clock, token }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.server.call(method, path).bearer(&self.token).json(body).send().await
    }

    async fn events(&self, event_type: &str) -> usize {
        let path = format!("/api/v1/events?filter=type:{event_type}");
        let call = self.server.call(Method::GET, &path).bearer(&self.token);
        call.send().await.expect(200).json()["items"].as_array().unwrap().len()
    }

    /// The detail of the newest event of a type.
    async fn told(&self, event_type: &str) -> Value {
        let path = format!("/api/v1/events?filter=type:{event_type}");
        let call = self.server.call(Method::GET, &path).bearer(&self.token);
        let found = call.send().await.expect(200).json();
        found["items"][0]["event"]["data"]["detail"].clone()
    }

    /// The detail of the newest event of a type, which succeeded.
    async fn done(&self, event_type: &str) -> Value {
        let path = format!("/api/v1/events?filter=type:{event_type}");
        let call = self.server.call(Method::GET, &path).bearer(&self.token);
        let found = call.send().await.expect(200).json();
        let data = &found["items"][0]["event"]["data"];
        assert_eq!(data["outcome"]["result"], "success", "{data}");
        data["detail"].clone()
    }

    /// Lets time pass until an event of this type is there; now and then something happens.
    async fn until(&self, event_type: &str, step: i64) {
        for round in 0..400 {
            if self.events(event_type).await > 0 {
                return;
            }
            self.clock.advance(step);
            if round % 8 == 0 {
                let name = format!("{event_type} {round}");
                self.ask(Method::POST, "/api/v1/groups", &json!({ "name": name }))
                    .await
                    .expect(201);
            }
            self.server.engine().wake_courier();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("there is no {event_type}");
    }

    /// When the next attempt to send to a forwarder is due, unless nothing waits.
    async fn due(&self, forwarder: &str) -> Option<Timestamp> {
        let ask = async |path: &str| {
            let call = self.server.call(Method::GET, path).bearer(&self.token);
            call.send().await.expect(200).json()
        };
        let time = |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().unwrap());
        let waiting = format!("/api/v1/deliveries?state=waiting&destination={forwarder}");
        let waiting = ask(&waiting).await;
        let times = waiting["items"].as_array().unwrap().iter().map(|item| &item["next_at"]);
        let next = times.filter_map(time).min()?;
        let paused = ask(&format!("/api/v1/forwarders/{forwarder}")).await;
        Some(time(&paused["paused_until"]).map_or(next, |until| until.max(next)))
    }

    /// Lets time pass from attempt to attempt until an event of this type is there: the clock moves
    /// on when what was due has been tried and written down.
    async fn attempts_until(&self, forwarder: &str, event_type: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.events(event_type).await == 0 {
            assert!(Instant::now() < deadline, "there is no {event_type}");
            let now = self.server.now();
            match self.due(forwarder).await {
                Some(due) if due > now => self.clock.advance(due.since(now)),
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
            self.server.engine().wake_courier();
        }
    }
}

/// Recovers what was given up by the form: what was made since now is nothing, since ever is all of
/// it.
async fn recovered_on_the_page(years: &Years) {
    let mut browser = Browser::sign_in_as(&years.server, Role::Administrator).await;
    let now = years.server.now().to_string();
    for (since, is_nothing) in [(now.as_str(), true), ("", false)] {
        let answer = browser.post("/forwarders/soc/recover", &[("since", since)]).await;
        let page = browser.follow(answer).await.expect(200).text();
        assert!(page.contains(" deliveries wait to be sent again"), "{page}");
        assert_eq!(page.contains(">0 deliveries wait"), is_nothing, "{since}: {page}");
    }
}

/// Switches the forwarder on, and sends again in every way what was given up.
async fn sent_again(years: &Years, given_up: u64) {
    let at = |what: &str| format!("/api/v1/forwarders/soc/{what}");
    let (none, minute) = (json!({}), 60 * Timestamp::SECOND);
    years.ask(Method::POST, &at("switch"), &json!({ "enabled": true })).await.expect(204);
    recovered_on_the_page(years).await;
    years.server.settle().await;
    let recovered = years.done("delivery.recover").await;
    assert_eq!(recovered["destination"], "soc", "{recovered}");
    assert!(recovered["deliveries"].as_u64() >= Some(given_up), "{recovered}");
    let since = json!({ "since": "1970-01-01T00:00:00Z" });
    years.ask(Method::POST, &at("recover"), &since).await.expect(200);
    years.server.settle().await;
    let recovered = years.done("delivery.recover").await;
    assert_eq!(recovered["since"], "1970-01-01T00:00:00.000000Z", "{recovered}");
    assert_eq!(recovered["deliveries"], 0, "the page has put all of them back: {recovered}");
    let replay = json!({ "from_index": 0, "to_index": 1 });
    years.ask(Method::POST, &at("replay"), &replay).await.expect(202);
    years.until("forwarder.replay", minute).await;
    let replayed = years.done("forwarder.replay").await;
    assert_eq!(replayed["destination"], "soc", "{replayed}");
    assert_eq!((&replayed["from_index"], &replayed["to_index"]), (&json!(0), &json!(1)));
    let list = "/api/v1/deliveries?state=delivered";
    let call = years.server.call(Method::GET, list).bearer(&years.token);
    let delivered = call.send().await.expect(200).json();
    let id = delivered["items"][0]["id"].as_str().unwrap();
    years.ask(Method::POST, &format!("/api/v1/deliveries/{id}/resend"), &none).await.expect(202);
    years.until("delivery.resend", minute).await;
    let resent = years.done("delivery.resend").await;
    assert_eq!((&resent["delivery_id"], &resent["destination"]), (&json!(id), &json!("soc")));
    assert_eq!(resent["old_state"], "delivered", "{resent}");
}

/// A trial of a channel is told of as what it is.
async fn posted(years: &Years, receiver: &Receiver) {
    let chat = json!({ "name": "chat",
        "body": { "kind": "webhook", "settings": { "url": receiver.url() } } });
    years.ask(Method::POST, "/api/v1/channels", &chat).await.expect(201);
    years.ask(Method::POST, "/api/v1/channels/chat/test", &json!({})).await.expect(200);
    years.until("notification.post", 60 * Timestamp::SECOND).await;
    let posted = years.done("notification.post").await;
    assert_eq!(
        (&posted["channel_id"], &posted["channel_kind"]),
        (&json!("chat"), &json!("webhook"))
    );
    assert_eq!((&posted["http_status"], &posted["attempts"]), (&json!(200), &json!(1)));
}

#[tokio::test]
async fn whatever_comes_of_deliveries_is_an_event() {
    let years = Years::start().await;
    let receiver = Receiver::plain().await;
    let new = json!({ "name": "soc", "body": webhook(&receiver) });
    years.ask(Method::POST, "/api/v1/forwarders", &new).await.expect(201);
    let (minute, hour) = (60 * Timestamp::SECOND, 3_600 * Timestamp::SECOND);
    receiver.behave(Manner::Status(500, ""));
    years.until("delivery.failing", minute).await;
    let failing = years.told("delivery.failing").await;
    let about = |detail: &Value| {
        let member = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
        (member("destination"), member("destination_kind"))
    };
    let soc = ("soc".to_owned(), "webhook".to_owned());
    assert_eq!((about(&failing), &failing["failure"]), (soc.clone(), &json!("status")));
    assert_eq!(failing["http_status"], 500, "{failing}");
    years.until("forwarder.lagging", 5 * minute).await;
    let lagging = years.told("forwarder.lagging").await;
    assert_eq!(lagging["destination"], "soc");
    assert!(lagging["lag_s"].as_u64() > Some(0), "{lagging}");
    assert!(lagging["next_index"].as_u64() <= lagging["log_size"].as_u64(), "{lagging}");
    receiver.behave(Manner::Well);
    years.until("delivery.recovered", 10 * minute).await;
    let recovered = years.told("delivery.recovered").await;
    assert_eq!(about(&recovered), soc);
    assert!(recovered["failures"].as_u64() >= Some(1), "{recovered}");
    assert!(recovered["failing_since"].is_string(), "{recovered}");
    let received = receiver.received();
    let through = received.iter().any(|one| recovered["delivery_id"] == one.headers["webhook-id"]);
    assert!(through, "the one that got through: {recovered}");
    years.until("forwarder.caught_up", minute).await;
    assert_eq!(years.told("forwarder.caught_up").await["destination"], "soc");
    receiver.behave(Manner::Status(500, ""));
    years.ask(Method::POST, "/api/v1/groups", &json!({ "name": "in vain" })).await.expect(201);
    years.attempts_until("soc", "delivery.exhausted").await;
    let exhausted = years.told("delivery.exhausted").await;
    assert_eq!(about(&exhausted), soc);
    assert!(exhausted["deliveries"].as_u64() >= Some(1), "{exhausted}");
    assert!(exhausted["attempts"].as_u64() >= Some(10), "{exhausted}");
    years.until("destination.disabled", 3 * hour).await;
    let disabled = years.told("destination.disabled").await;
    assert_eq!((about(&disabled), &disabled["because"]), (soc, &json!("failing")));
    assert!(disabled["failures"].as_u64() >= Some(10), "{disabled}");
    let since: Timestamp = disabled["failing_since"].as_str().unwrap().parse().unwrap();
    assert!(years.server.now().since(since) >= 5 * Timestamp::DAY, "{disabled}");
    receiver.behave(Manner::Well);
    sent_again(&years, exhausted["deliveries"].as_u64().unwrap()).await;
    posted(&years, &receiver).await;
    let mut server = years.server;
    server.renew().await;
    server.finish().await;
}

#[tokio::test]
async fn a_message_leads_to_its_event_and_to_the_notices_that_it_carries() {
    let server = TestServer::start().await;
    let mailbox = Mailbox::start().await;
    let body = json!({ "kind": "email", "settings": { "server": mailbox.server(),
        "security": "none", "from": "chancery@example.org" } });
    let post = async |path: &str, wish: Value| {
        server.post(&format!("/api/v1/{path}")).json(&wish).send().await.expect(201).json()
    };
    post("channels", json!({ "name": "mail", "body": body })).await;
    let ada = json!({ "name": "ada", "role": "operator", "email": "ada@example.org",
        "display_name": "ada", "password": "a long enough passphrase" });
    post("accounts", ada).await;
    let profile = json!({ "name": "p", "body": { "recipients": ["owner"] } });
    post("automation/notification_profiles", profile).await;
    let steps = json!([{ "step": "notify", "profile": "p", "title": "{object.cn} has changed" }]);
    post("automation/actions", json!({ "name": "p", "body": { "steps": steps } })).await;
    let trigger = json!({ "event_types": ["certificate.update"], "actions": ["p"] });
    post("automation/triggers", json!({ "name": "p", "body": trigger })).await;
    let pem = Authority::new("Message CA", server.now()).leaf("www.example.org", server.now(), 50);
    let made = post("certificates", json!({ "certificate": pem.to_pem() })).await;
    let path = format!("/api/v1/certificates/{}", made["id"].as_str().unwrap());
    server.patch(&path).json(&json!({ "owner": "ada" })).send().await.expect(200);
    mailbox.wait_for(1).await;
    let rows = eventually(&server, "/api/v1/deliveries?destination=mail&state=delivered", 1).await;
    let id = rows[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/deliveries/{id}");
    let whole = server.get(&path).send().await.expect(200).json();
    let message = &whole["message"];
    assert!(message["subject"].as_str().unwrap().contains("www.example.org has changed"));
    assert_eq!(message["recipients"], json!(["ada@example.org"]));
    let event = message["event"].as_str().unwrap();
    let told = server.get(&format!("/api/v1/events/{event}")).send().await.expect(200).json();
    assert_eq!(told["event"]["type"], "certificate.update", "{told}");
    let notices = server.get("/api/v1/notices?channel=mail").send().await.expect(200).json();
    assert_eq!(message["notices"], json!([notices["items"][0]["id"]]), "{notices}");
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = browser.get(&format!("/deliveries/{id}")).await.expect(200).text();
    let notices = format!("/notifications/notices?delivery={id}");
    for part in ["www.example.org has changed", "ada@example.org", "/channels/mail", &notices] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains(&format!("href=\"/events/{event}\"")), "{page}");
    let list = browser.get(&notices).await.expect(200).text();
    assert!(list.contains(">ada</a>") && list.contains("certificate.update"), "{list}");
    let viewer = server.token(Role::Viewer).await;
    server.call(Method::GET, &path).bearer(&viewer).send().await.expect(403);
    server.finish().await;
}

#[tokio::test]
async fn many_forwarders_are_counted_ordered_paged_and_exported() {
    let server = TestServer::start().await;
    for number in 0..55 {
        let name = format!("f{number:02}");
        let body = json!({ "kind": "file", "settings": { "file": name } });
        let new = json!({ "name": name, "body": body, "enabled": number % 2 == 0 });
        server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    }
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let mut shown = async |query: &str| {
        let page = browser.get(&format!("/forwarders{query}")).await.expect(200).text();
        let mut names: Vec<String> = page
            .split("href=\"/forwarders/f")
            .skip(1)
            .map(|rest| format!("f{}", rest.split('"').next().unwrap()))
            .collect();
        names.dedup();
        (page, names)
    };
    let (page, names) = shown("").await;
    assert_eq!((names.len(), names[0].as_str(), names[49].as_str()), (50, "f00", "f49"));
    assert!(page.contains("1–50 of 55"), "{page}");
    assert!(page.contains("state:off") && page.contains("kind:file"), "facets narrow: {page}");
    assert!(page.contains("deliveries/forwarders/export?"), "{page}");
    let (page, names) = shown("?cursor=50").await;
    assert_eq!((names.len(), names[0].as_str()), (5, "f50"), "{page}");
    assert_eq!(shown("?sort=-name").await.1[0], "f54");
    let (_, by_state) = shown("?sort=state").await;
    assert_eq!(by_state[..2], ["f01", "f03"], "those that are off come before those that are on");
    assert_eq!(shown("?q=state:off").await.1.len(), 27);
    let path = "/api/v1/deliveries/forwarders/export?format=csv&filter=state:off";
    let csv = server.get(path).send().await.expect(200).text();
    assert!(csv.starts_with("name,kind,enabled"), "{csv}");
    assert_eq!((csv.lines().count(), csv.matches(",by_hand,").count()), (28, 27), "{csv}");
    let lines = server.get("/api/v1/deliveries/forwarders/export").send().await.expect(200);
    assert_eq!(lines.text().lines().count(), 55);
    server.settle().await;
    let told = items(&server, "/api/v1/events?filter=type:forwarder.export").await;
    assert_eq!(told.len(), 2, "the export is an event");
    let detail = &told[1]["event"]["data"]["detail"];
    assert_eq!((&detail["count"], &detail["filtered"]), (&json!(27), &json!(true)));
    let viewer = server.token(Role::Viewer).await;
    let call = server.call(Method::GET, "/api/v1/deliveries/forwarders/export").bearer(&viewer);
    call.send().await.expect(403);
    server.finish().await;
}
