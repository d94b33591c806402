//! Monitors and schedules through the API and the pages: every type of event they record, what is
//! refused and where, and that the first page says whether everything is being watched.

use std::sync::Arc;

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::environment::{ManualClock, SeededEntropy};
use chancery_event::{Environment, Timestamp};
use chancery_pki::make::{self, Key, Template};
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;

const DAY: i64 = Timestamp::DAY;
const HOUR: i64 = DAY / 24;

/// A server whose clock a test moves. Credentials end with it: each step takes a new token.
struct Office {
    server: TestServer,
    clock: Arc<ManualClock>,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let clock = ManualClock::new(Environment::system().now());
        let environment = Environment::new(clock.clone(), SeededEntropy::new(7));
        let server =
            TestServer::start_in(environment, |settings, _| settings.monitors = true).await;
        let token = server.admin().to_owned();
        Self { server, clock, token }
    }

    async fn pass(&mut self, micros: i64) {
        self.server.settle().await;
        self.clock.advance(micros);
        self.server.renew().await;
        self.server.admin().clone_into(&mut self.token);
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, status: u16) -> Value {
        let call = self.server.call(method, path).bearer(&self.token);
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        call.send().await.expect(status).json()
    }

    async fn run(&self, name: &str) -> Value {
        self.server.settle().await;
        self.call(Method::POST, &format!("/api/v1/monitors/{name}/run"), None, 200).await
    }

    async fn change(&self, name: &str, definition: Value) -> Value {
        let body = json!({ "definition": definition });
        self.call(Method::PUT, &format!("/api/v1/monitors/{name}"), Some(&body), 200).await
    }

    /// Events of a type as the API lists them.
    async fn events(&self, event_type: &str) -> Vec<Value> {
        self.server.settle().await;
        let path = format!("/api/v1/events?filter=type:{event_type}&limit=1000");
        let page = self.call(Method::GET, &path, None, 200).await;
        page["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
    }

    async fn upload(&self, pem: String) {
        let call = self.server.call(Method::POST, "/api/v1/certificates").bearer(&self.token);
        call.body("text/plain", pem).send().await.expect(201);
    }

    async fn finish(self) {
        self.server.finish().await;
    }
}

fn detail(event: &Value) -> &Value {
    &event["data"]["detail"]
}

#[tokio::test]
async fn certificates_and_authorities_are_told_before_and_after_their_end() {
    let office = Office::open().await;
    let now = office.server.now();
    let authority = Authority::new("Test CA", now);
    office.upload(authority.leaf("near.example.org", now, 3).to_pem()).await;
    let key = Key::from_seed(b"x").unwrap();
    let at = |days: i64| now.plus(days * DAY).micros();
    let over = Template::leaf(&["over.example.org"], at(-50), at(-1));
    let near = Template::ca("Ending CA", at(-900), at(80));
    for template in [over, near] {
        let der = make::certificate(&template, &key, None).unwrap();
        office.upload(chancery_pki::Certificate::parse(&der).unwrap().to_pem()).await;
    }
    let run = office.run("certificate-expiry").await;
    assert_eq!(
        (&run["fired"], &run["watched"], &run["inventory"]),
        (&json!(2), &json!(3), &json!(3))
    );
    let expiring = office.events("certificate.expiring").await;
    assert_eq!(expiring.len(), 1);
    let told = detail(&expiring[0]);
    assert_eq!((&told["threshold"], &told["days_left"]), (&json!("30d/33%"), &json!(2)));
    assert_eq!(office.events("certificate.expired").await.len(), 1);
    office.run("authority-expiry").await;
    let authorities = office.events("authority.expiring").await;
    assert_eq!(authorities[0]["data"]["outcome"]["reason"], "EXPIRING_3_MONTHS");
    let runs = office.events("monitor.run").await;
    assert!(runs.iter().any(|run| detail(run)["monitor"] == "certificate-expiry"));
    assert!(!office.events("monitor.start").await.is_empty());
    let again = office.run("certificate-expiry").await;
    assert_eq!(again["fired"], 0);
    let list =
        office.call(Method::GET, "/api/v1/monitors/certificate-expiry/runs", None, 200).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let path = "/api/v1/monitors/certificate-expiry/forecast?days=100";
    let forecast = office.call(Method::GET, path, None, 200).await;
    assert!(forecast["fires"].as_u64().unwrap() >= 2, "{forecast}");
    let wrong = "/api/v1/monitors/certificate-expiry/forecast?days=0";
    assert_eq!(office.call(Method::GET, wrong, None, 422).await["field"], "days");
    office.finish().await;
}

#[tokio::test]
async fn tokens_and_limits_are_told() {
    let mut office = Office::open().await;
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let expiry = json!({ "kind": "token_expiry", "schedule": hourly, "thresholds": ["30d", "0d"] });
    office.change("token-expiry", expiry).await;
    office.run("token-expiry").await;
    let expiring = office.events("authentication_method.expiring").await;
    assert_eq!(detail(&expiring[0])["method_kind"], "token");
    office.pass(2 * DAY).await;
    office.run("token-expiry").await;
    assert!(!office.events("authentication_method.expired").await.is_empty());
    let limits = json!({ "certificates": 1, "accounts": 1 });
    let limits = json!({ "kind": "limits", "schedule": hourly, "limits": limits });
    office.change("limits", limits).await;
    let now = office.server.now();
    let leaf = Authority::new("Test CA", now).leaf("one.example.org", now, 60);
    office.upload(leaf.to_pem()).await;
    office.run("limits").await;
    let reached = office.events("license.limit_reached").await;
    assert_eq!(detail(&reached[0])["counted"], "certificates");
    assert_eq!(office.events("client.count_reached").await.len(), 1);
    office.pass(100 * DAY).await;
    office.run("token-unused").await;
    let unused = office.events("secret.unused").await;
    assert_eq!(detail(&unused[0])["interval_days"], 90);
    let idle = json!({ "kind": "account_unused", "schedule": hourly, "thresholds": ["-10d"] });
    office.change("account-unused", idle).await;
    office.server.token(Role::Viewer).await;
    // By the clock: nobody has used that account for eleven days.
    office.pass(11 * DAY).await;
    let mut sealed = office.server.engine().sealed();
    let mut runs = 0;
    let idle = loop {
        sealed.mark_unchanged();
        let unused = office.events("secret.unused").await;
        if let Some(idle) =
            unused.into_iter().find(|event| detail(event)["secret_kind"] == "account")
        {
            break idle;
        }
        // A run that began before the account was known to the monitors passes it over; the next
        // one does not.
        let of_accounts = |run: &&Value| detail(run)["monitor"] == "account-unused";
        let now = office.events("monitor.run").await.iter().filter(of_accounts).count();
        if now > runs {
            runs = now;
            office.pass(HOUR).await;
        }
        let grown = tokio::time::timeout(std::time::Duration::from_secs(20), sealed.changed());
        grown.await.expect("a run").expect("a running sealer");
    };
    assert_eq!(idle["data"]["targets"][0]["kind"], "account");
    office.finish().await;
}

#[tokio::test]
async fn a_schedule_queues_its_job_and_hears_of_its_end() {
    let office = Office::open().await;
    let path = "/api/v1/schedules/log-verification";
    let run = office.call(Method::POST, &format!("{path}/run"), None, 200).await;
    assert!(run["job"].is_string(), "{run}");
    let mut sealed = office.server.engine().sealed();
    let finished = loop {
        sealed.mark_unchanged();
        let finished = office.events("schedule.finished").await;
        if !finished.is_empty() {
            break finished;
        }
        let grown = tokio::time::timeout(std::time::Duration::from_secs(20), sealed.changed());
        grown.await.expect("the job ends").expect("a running sealer");
    };
    assert_eq!(detail(&finished[0])["state"], "succeeded");
    let started = office.events("schedule.start").await;
    assert_eq!(finished[0]["data"]["cause"], started[0]["id"]);
    let task = office.call(Method::GET, path, None, 200).await;
    assert_eq!(task["last_run"]["state"], "succeeded");
    let paused = office.call(Method::POST, &format!("{path}/pause"), None, 200).await;
    assert_eq!((&paused["paused"], &paused["next_at"]), (&json!(true), &Value::Null));
    let resumed = office.call(Method::POST, &format!("{path}/resume"), None, 200).await;
    assert!(resumed["next_at"].is_string());
    office.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_said_at_its_field() {
    let office = Office::open().await;
    let wish = |definition: Value| json!({ "name": "mine", "definition": definition });
    let schedule = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let refused = [
        (json!({ "kind": "weather", "schedule": schedule }), "/kind"),
        (json!({ "kind": "certificate_expiry", "schedule": { "cron": "x" } }), "/schedule/cron"),
        (
            json!({ "kind": "certificate_expiry", "schedule": schedule, "thresholds": ["soon"] }),
            "/thresholds/0",
        ),
        (
            json!({ "kind": "certificate_expiry", "schedule": schedule, "thresholds": ["1d"],
                "filter": "colour:red" }),
            "/filter",
        ),
    ];
    for (definition, field) in refused {
        let body = wish(definition);
        let problem = office.call(Method::POST, "/api/v1/monitors", Some(&body), 422).await;
        assert_eq!(problem["field"], field);
    }
    office.call(Method::GET, "/api/v1/monitors/none", None, 404).await;
    office.call(Method::POST, "/api/v1/monitors/none/run", None, 404).await;
    let good = json!({ "kind": "certificate_expiry", "schedule": schedule, "thresholds": ["1d"] });
    office.call(Method::POST, "/api/v1/monitors", Some(&wish(good.clone())), 201).await;
    office.call(Method::POST, "/api/v1/monitors", Some(&wish(good)), 409).await;
    let viewer = office.server.token(Role::Viewer).await;
    let call = |path: &str| office.server.call(Method::POST, path).bearer(&viewer);
    call("/api/v1/monitors/mine/run").send().await.expect(403);
    call("/api/v1/monitors/mine/pause").send().await.expect(403);
    let gone = office.server.call(Method::DELETE, "/api/v1/monitors/mine").bearer(&office.token);
    gone.send().await.expect(204);
    office.finish().await;
}

#[tokio::test]
async fn pages_show_run_change_and_pause_a_monitor() {
    let server = TestServer::start_with(|settings, _| settings.monitors = true).await;
    let leaf = Authority::new("Test CA", server.now()).leaf("www.example.org", server.now(), 3);
    server.post("/api/v1/certificates").body("text/plain", leaf.to_pem()).send().await.expect(201);
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let here = "/monitors/certificate-expiry";
    browser.post(&format!("{here}/run"), &[]).await.expect(303);
    let page = browser.get(here).await.expect(200).text();
    assert!(page.contains("The next 30 days") && page.contains("1 of 1"), "{page}");
    let home = browser.get("/").await.expect(200).text();
    assert!(home.contains("1 of 1 evaluated at"), "{home}");
    for path in ["/monitors", "/schedules", "/schedules/log-verification", "/monitors/internal"] {
        browser.get(path).await.expect(200);
    }
    let form = [
        ("kind", "certificate_expiry"),
        ("cron", "0 6 * * *"),
        ("time_zone", "Europe/Prague"),
        ("thresholds", "60d 30d"),
    ];
    let mut preview = form.to_vec();
    preview.push(("do", "preview"));
    let change = format!("{here}/change");
    let shown = browser.post(&change, &preview).await.expect(200).text();
    assert!(shown.contains("Next runs"), "{shown}");
    browser.post(&change, &form).await.expect(303);
    let page = browser.get(&change).await.expect(200).text();
    assert!(page.contains("60d, 30d"), "{page}");
    let mut wrong = form;
    wrong[1].1 = "often";
    let refused = browser.post(&change, &wrong).await.expect(422).text();
    assert!(refused.contains("cron-error"), "{refused}");
    browser.post(&format!("{here}/pause"), &[]).await.expect(303);
    let page = browser.get(here).await.expect(200).text();
    assert!(page.contains("paused"), "{page}");
    let home = browser.get("/").await.expect(200).text();
    assert!(home.contains("No monitor watches the ends of all certificates"), "{home}");
    server.finish().await;
}
