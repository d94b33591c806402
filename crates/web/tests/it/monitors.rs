//! Monitors and schedules through the API and the pages: every type of event they record, what is
//! refused and where, and that the first page says whether everything is being watched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_event::environment::ManualClock;
use chancery_pki::make::{self, Key, Template};
use chancery_testkit::{Authority, TestServer};
use serde_json::{Value, json};

use super::browser::Browser;
use super::jobs::ended;

const DAY: i64 = Timestamp::DAY;

/// A server whose clock a test moves. Credentials end with it: each step takes a new token.
struct Office {
    server: TestServer,
    clock: Arc<ManualClock>,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let (server, clock) = TestServer::start_standing(7, |settings, _| {
            settings.monitors = true;
            settings.password_days_max = 60;
        })
        .await;
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

    /// Runs a monitor; where the clock runs it at this moment, right after that.
    async fn run(&self, name: &str) -> Value {
        let mut sealed = self.server.engine().sealed();
        loop {
            sealed.mark_unchanged();
            self.server.settle().await;
            let path = format!("/api/v1/monitors/{name}/run");
            let answer = self.server.call(Method::POST, &path).bearer(&self.token).send().await;
            if answer.status != 409 {
                return answer.expect(200).json();
            }
            let grown = tokio::time::timeout(Duration::from_secs(60), sealed.changed());
            grown.await.expect("the end of a run").expect("a running sealer");
        }
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

    /// A token of the administrator that outlasts the test; answers its identifier.
    async fn lasting_token(&self) -> String {
        let engine = self.server.engine();
        let context = chancery_engine::Context::command_line(engine.environment());
        let accounts = engine.accounts(&context).await.unwrap();
        let new = chancery_engine::access::NewToken {
            name: "lasting".to_owned(),
            account: Some(accounts[0].id.to_string()),
            role: None,
            days: 300,
        };
        engine.create_token(&context, new).await.unwrap().id.to_string()
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
    assert_eq!((&told["threshold"], &told["days_left"]), (&json!("30d/33%"), &json!(3)));
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
    let agreed = |until: &str| {
        let limits = json!({ "valid_until": until });
        json!({ "kind": "limits", "schedule": hourly, "limits": limits })
    };
    office.change("limits", agreed("2020-12-31")).await;
    office.run("limits").await;
    office.run("limits").await;
    let checks = office.events("license.check").await;
    assert_eq!(checks.len(), 1, "once, not with every run");
    assert_eq!(checks[0]["data"]["outcome"]["reason"], "expired");
    assert_eq!(detail(&checks[0])["valid_until"], "2021-01-01T00:00:00.000000Z");
    office.change("limits", agreed("2099-12-31")).await;
    office.run("limits").await;
    let checks = office.events("license.check").await;
    let results: Vec<_> =
        checks.iter().map(|check| check["data"]["outcome"]["result"].clone()).collect();
    assert_eq!(results, ["success", "failure"], "newest first");
    let lasting = office.lasting_token().await;
    office.pass(100 * DAY).await;
    office.run("token-unused").await;
    let mut unused = office.events("secret.unused").await;
    // The account itself may have been found unused in the moment before it was used again.
    unused.retain(|event| detail(event)["secret_kind"] == "token");
    assert_eq!(unused.len(), 1, "those that have ended are not unused: {unused:#?}");
    assert_eq!(detail(&unused[0])["secret_id"], lasting);
    assert_eq!(detail(&unused[0])["interval_days"], 90);
    let idle = json!({ "kind": "account_unused", "schedule": hourly, "thresholds": ["-10d"] });
    office.change("account-unused", idle).await;
    let dormant = json!({ "name": "dormant", "role": "viewer" });
    let dormant = office.call(Method::POST, "/api/v1/accounts", Some(&dormant), 201).await;
    // Nobody has used that account for eleven days.
    office.pass(11 * DAY).await;
    office.run("account-unused").await;
    let unused = office.events("secret.unused").await;
    let idle = unused.iter().find(|event| detail(event)["secret_id"] == dormant["id"]).unwrap();
    assert_eq!(detail(idle)["secret_kind"], "account");
    assert_eq!(idle["data"]["targets"][0]["kind"], "account");
    office.finish().await;
}

#[tokio::test]
async fn accounts_and_passwords_are_told_before_and_at_their_end() {
    let mut office = Office::open().await;
    let now = office.server.now();
    let (near, later) = (now.plus(20 * DAY), now.plus(90 * DAY));
    let wish = |name: &str, end: Timestamp| {
        json!({ "name": name, "role": "viewer", "password": "correct horse battery",
            "expires_at": end.to_string() })
    };
    let made = office.call(Method::POST, "/api/v1/accounts", Some(&wish("grace", near)), 201).await;
    assert_eq!(made["expires_at"], near.to_string());
    let past = wish("ada", now.plus(-DAY));
    let refused = office.call(Method::POST, "/api/v1/accounts", Some(&past), 422).await;
    assert_eq!(refused["field"], "expires_at");
    office.run("account-expiry").await;
    office.run("password-expiry").await;
    let methods = async |office: &Office, event_type: &str| -> Vec<(String, String)> {
        let events = office.events(event_type).await;
        let of = |event: &Value, name: &str| detail(event)[name].as_str().unwrap_or("").to_owned();
        let all = events.iter().map(|event| (of(event, "method_kind"), of(event, "threshold")));
        let mut all: Vec<_> = all.filter(|(kind, _)| kind != "token").collect();
        all.sort();
        all
    };
    // Passwords may grow sixty days old here, so none of them is near.
    assert_eq!(methods(&office, "authentication_method.expiring").await, []);
    let moved = json!({ "expires_at": later.to_string() });
    let path = format!("/api/v1/accounts/{}", made["id"].as_str().unwrap());
    office.call(Method::PATCH, &path, Some(&moved), 200).await;
    let updated = office.events("account.update").await;
    assert_eq!(detail(&updated[0])["changed"], json!(["expires_at"]));
    office.pass(45 * DAY).await;
    office.run("account-expiry").await;
    office.run("password-expiry").await;
    let expiring = methods(&office, "authentication_method.expiring").await;
    assert_eq!(expiring.iter().filter(|(kind, _)| kind == "password").count(), 2, "{expiring:?}");
    assert!(!expiring.iter().any(|(kind, _)| kind == "account"), "{expiring:?}");
    office.pass(50 * DAY).await;
    office.run("account-expiry").await;
    office.run("password-expiry").await;
    let expired = methods(&office, "authentication_method.expired").await;
    assert!(expired.iter().any(|(kind, _)| kind == "account"), "{expired:?}");
    assert!(expired.iter().any(|(kind, _)| kind == "password"), "{expired:?}");
    let key = format!("cause:account/{}/expiry", made["id"].as_str().unwrap());
    let alerts = async |office: &Office| {
        let path = format!("/api/v1/alerts?filter={key}");
        office.call(Method::GET, &path, None, 200).await["items"].as_array().unwrap().clone()
    };
    let alert = alerts(&office).await.remove(0);
    assert_eq!((&alert["kind"], &alert["occurrences"]), (&json!("expired"), &json!(1)), "{alert}");
    let title = alert["title"].as_str().unwrap();
    assert!(title.starts_with("An account ended on 20") && !title.contains("grace"), "{title}");
    a_password_of_age_is_changed_at_the_next_sign_in(&mut office).await;
    let cleared = json!({ "expires_at": null });
    let account = office.call(Method::PATCH, &path, Some(&cleared), 200).await;
    assert_eq!((&account["expires_at"], &account["must_change"]), (&Value::Null, &json!(true)));
    office.server.settle().await;
    office.run("account-expiry").await;
    assert!(alerts(&office).await.is_empty(), "it has no end any more");
    office.finish().await;
}

/// Who signs in with such a password is led to change it, and can.
async fn a_password_of_age_is_changed_at_the_next_sign_in(office: &mut Office) {
    let words = ("a first password of some length", "another password of some length");
    let context = chancery_engine::Context::command_line(office.server.engine().environment());
    let eve = chancery_engine::access::NewAccount {
        name: "eve".to_owned(),
        display_name: String::new(),
        email: None,
        role: Role::Viewer.to_string(),
        password: Some(words.0.to_owned().into()),
        expires_at: None,
    };
    office.server.engine().create_account(&context, eve).await.unwrap();
    office.pass(60 * DAY).await;
    let mut browser = Browser::new(&office.server);
    let fields = [("name", "eve"), ("password", words.0), ("next", "/events")];
    let answer = browser.post("/login", &fields).await.expect(303);
    assert_eq!(answer.header("location"), "/account/password");
    let page = browser.get("/account/password").await.expect(200).text();
    assert!(page.contains("has reached the age"), "{page}");
    let fields = [("present_password", words.0), ("new", words.1), ("again", words.1)];
    browser.post("/account/password", &fields).await.expect(303);
    browser.get("/events").await.expect(200);
    let page = browser.get("/account").await.expect(200).text();
    assert!(page.contains("Password to be changed"), "{page}");
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
        let grown = tokio::time::timeout(Duration::from_secs(60), sealed.changed());
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
    let (server, _clock) =
        TestServer::start_standing(17, |settings, _| settings.monitors = true).await;
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

/// The first page, as who may do everything sees it.
async fn home(server: &TestServer, browser: &mut Browser<'_>) -> String {
    server.settle().await;
    browser.get("/").await.expect(200).text()
}

#[tokio::test]
async fn the_first_page_tells_one_truth_about_what_is_watched() {
    let (server, _clock) = TestServer::start_standing(20, |settings, _| {
        settings.monitors = true;
        // No backup can be made there.
        settings.backup_dir = "/dev/null/backups".into();
    })
    .await;
    let leaf = Authority::new("Test CA", server.now()).leaf("www.example.org", server.now(), 90);
    server.post("/api/v1/certificates").body("text/plain", leaf.to_pem()).send().await.expect(201);
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let here = "/monitors/certificate-expiry";
    browser.post(&format!("{here}/run"), &[]).await.expect(303);
    let page = home(&server, &mut browser).await;
    assert!(page.contains("Watched: </strong>certificates, 1 of 1 evaluated at"), "{page}");
    assert!(page.contains("; everything is being watched."), "{page}");
    assert!(page.contains("Every certificate is judged"), "{page}");
    // Something else is wrong: certificates are watched all the same.
    let nightly = json!({ "name": "nightly", "definition": {
        "job_kind": "backup.create", "cron": "0 3 * * *", "time_zone": "UTC" } });
    server.post("/api/v1/schedules").json(&nightly).send().await.expect(201);
    let run = server.post("/api/v1/schedules/nightly/run").send().await.expect(200).json();
    let job = ended(&server, run["job"].as_str().unwrap()).await;
    assert_eq!(job["state"], "failed", "{job}");
    browser.post("/monitors/internal/run", &[]).await.expect(303);
    let page = home(&server, &mut browser).await;
    assert!(page.contains("Watched: </strong>certificates, 1 of 1 evaluated at"), "{page}");
    assert!(page.contains("Chancery itself: the newest job of nightly failed."), "{page}");
    assert!(page.contains("; everything is being watched."), "{page}");
    // Paused or gone, nobody looks at certificates: everything on the page says so.
    for action in ["pause", "delete"] {
        browser.post(&format!("{here}/{action}"), &[]).await.expect(303);
        let page = home(&server, &mut browser).await;
        let none = "No monitor watches the ends of all certificates.";
        assert_eq!(page.matches(none).count(), 2, "{action}: {page}");
        assert!(page.contains("Not watched: "), "{action}: {page}");
        assert!(page.contains("; not everything is being watched."), "{action}: {page}");
        assert!(!page.contains("; everything is being watched."), "{action}: {page}");
        assert!(!page.contains("Every certificate is judged"), "{action}: {page}");
    }
    server.finish().await;
}

#[tokio::test]
async fn runs_are_paged_through() {
    let office = Office::open().await;
    for _ in 0..30 {
        office.run("limits").await;
        office.clock.advance(Timestamp::SECOND);
    }
    let mut browser = Browser::sign_in_as(&office.server, Role::Viewer).await;
    let rows = |page: &str| {
        let table = page.split("id=\"run-list\"").nth(1).expect("runs");
        let table = table.split("</table>").next().expect("a table");
        table.matches("<tr").count() - 1
    };
    let page = browser.get("/monitors/limits").await.expect(200).text();
    assert_eq!(rows(&page), 25, "{page}");
    let next = page.split("rel=\"next\" href=\"").nth(1).expect("a way further");
    let next = next.split('"').next().unwrap().to_owned();
    let older = browser.get(&next).await.expect(200).text();
    assert!((5..=10).contains(&rows(&older)), "{older}");
    assert!(older.contains("First page") && !older.contains("rel=\"next\""), "{older}");
    office.finish().await;
}

/// Codes by which Horizon would know the events of a type.
async fn codes(office: &Office, event_type: &str) -> Vec<String> {
    office.server.settle().await;
    let path = format!("/api/v1/events?filter=type:{event_type}&dialect=horizon&limit=1000");
    let lines = office.server.call(Method::GET, &path).bearer(&office.token).send().await;
    let code = |line: &str| serde_json::from_str::<Value>(line).unwrap()["code"].clone();
    let codes = lines.expect(200).text().lines().map(code).collect::<Vec<_>>();
    codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn runs_are_named_as_horizon_names_them() {
    let mut office = Office::open().await;
    let wish = json!({ "name": "team", "kind": "string" });
    let made = office.server.post("/api/v1/attributes").json(&wish).send().await.expect(201);
    let id = made.header("location").rsplit('/').next().unwrap().parse().unwrap();
    let hourly = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
    let body = json!({ "kind": "certificate_expiry", "schedule": hourly, "thresholds": ["1d"],
        "filter": "attribute.team:x" });
    let body = json!({ "name": "mine", "definition": body });
    office.call(Method::POST, "/api/v1/monitors", Some(&body), 201).await;
    let run = "/api/v1/schedules/log-verification/run";
    let run = office.call(Method::POST, run, None, 200).await;
    ended(&office.server, run["job"].as_str().unwrap()).await;
    office.run("internal").await;
    for (event_type, code) in [
        ("schedule.start", "SCHEDULED-TASK-RUN"),
        ("schedule.finished", "SCHEDULED-TASK-COMPLETE"),
        ("monitor.run", "INTERNAL-MONITOR-RUN"),
    ] {
        let found = codes(&office, event_type).await;
        assert!(found.iter().any(|one| one == code), "{event_type}: {found:?}");
    }
    // Somebody takes the attribute out of the store itself: the monitor cannot be set up again.
    office.server.lose_attribute(id).await;
    office.call(Method::POST, "/api/v1/monitors/jobs/pause", None, 200).await;
    office.pass(Timestamp::HOUR).await;
    office.run("internal").await;
    // That is tried by the clock, not by the run.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut failed = codes(&office, "monitor.start").await;
    while !failed.iter().any(|code| code == "INTERNAL-MONITOR-INIT") {
        assert!(Instant::now() < deadline, "{failed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        failed = codes(&office, "monitor.start").await;
    }
    let told = failed.iter().filter(|code| *code == "INTERNAL-MONITOR-INIT").count();
    assert_eq!(told, 1, "{failed:?}");
    let home = office.call(Method::GET, "/api/v1/monitors/mine", None, 200).await;
    assert!(home["problem"].as_str().unwrap().contains("team"), "{home}");
    office.finish().await;
}
