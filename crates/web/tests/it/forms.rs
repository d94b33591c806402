//! What the forms of the pages do, without scripts: post, redirect, notice.

use std::time::Duration;

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Authority, TestServer};
use futures::StreamExt as _;

use super::browser::Browser;

fn certificate(server: &TestServer, name: &str) -> String {
    Authority::new("Forms CA", server.now()).leaf(name, server.now(), 50).to_pem()
}

#[tokio::test]
async fn signing_in_goes_on_to_where_one_wanted_and_nowhere_else() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let sent = browser.get("/events?q=a").await.expect(303);
    assert_eq!(sent.header("location"), "/login?next=/events%3Fq%3Da");
    let form = browser.get(sent.header("location")).await.expect(200).text();
    assert!(form.contains("name=\"next\" value=\"/events?q=a\""), "{form}");
    let evil = browser.get("/login?next=//evil.example/").await.expect(200).text();
    assert!(evil.contains("name=\"next\" value=\"/\""), "{evil}");
    let wrong = [("name", "admin"), ("password", "wrong"), ("next", "/jobs")];
    let page = browser.post("/login", &wrong).await.expect(401).text();
    assert!(page.contains("value=\"admin\"") && page.contains("value=\"/jobs\""), "{page}");
    for _ in 0..4 {
        browser.post("/login", &wrong).await.expect(401);
    }
    // A lock answers as a wrong password does, and a name that nobody has as well.
    let said = |answer: chancery_testkit::Answer| {
        let text = answer.expect(401).text();
        assert!(text.contains("The name or the password is wrong"), "{text}");
        text.replace("nobody", "admin")
    };
    let locked = said(browser.post("/login", &wrong).await);
    let unknown = [("name", "nobody"), ("password", "wrong"), ("next", "/jobs")];
    assert_eq!(locked, said(browser.post("/login", &unknown).await));
    server.finish().await;
}

#[tokio::test]
async fn a_password_for_one_time_leads_to_choosing_another() {
    let server = TestServer::start().await;
    let context = chancery_engine::Context::command_line(server.engine().environment());
    let new = chancery_engine::access::NewAccount {
        name: "grace".to_owned(),
        display_name: "Grace".to_owned(),
        email: None,
        role: Role::Viewer.to_string(),
        password: None,
        expires_at: None,
    };
    let (_, password) = server.engine().create_account(&context, new).await.unwrap();
    let first = password.unwrap().expose().clone();
    let mut browser = Browser::new(&server);
    let sign_in = [("name", "grace"), ("password", first.as_str()), ("next", "/events")];
    let answer = browser.post("/login", &sign_in).await.expect(303);
    assert_eq!(answer.header("location"), "/account/password");
    let page = browser.get("/account/password").await.expect(200).text();
    assert!(page.contains("must be changed before you go on"), "{page}");
    assert!(browser.get("/events").await.status != 200);
    let change = |new: &'static str| {
        [("present_password", first.clone()), ("new", new.to_owned()), ("again", new.to_owned())]
    };
    let fields = change("a password of her own");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/account/password", &fields).await.expect(303);
    browser.get("/events").await.expect(200);
    let mut again = Browser::new(&server);
    again.post("/login", &sign_in).await.expect(401);
    server.finish().await;
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    assert_eq!(browser.post("/logout", &[]).await.expect(303).header("location"), "/login");
    assert!(browser.get("/events").await.expect(303).header("location").starts_with("/login"));
    server.finish().await;
}

#[tokio::test]
async fn preferences_are_kept_without_scripts() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    browser.post("/preferences", &[("theme", "dark")]).await.expect(303);
    browser.post("/preferences", &[("zone", "local")]).await.expect(303);
    browser.post("/preferences", &[("theme", "\"><script>")]).await.expect(303);
    let page = browser.get("/account").await.expect(200).text();
    assert!(page.contains("data-theme=\"dark\" data-zone=\"local\""));
    server.finish().await;
}

#[tokio::test]
async fn a_certificate_is_uploaded_placed_archived_and_deleted() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let group = [("name", "web team"), ("description", "")];
    let made = browser.post("/administration/groups", &group).await;
    assert!(browser.follow(made).await.text().contains("The group is made."));
    let attribute = [
        ("name", "cost"),
        ("kind", "list"),
        ("label", "Cost centre"),
        ("choices", "a1\r\nb2"),
        ("required", "1"),
    ];
    browser.post("/administration/attributes", &attribute).await.expect(303);
    let pem = certificate(&server, "forms.example.org");
    let without = [("path", "/prod"), ("groups", "web team"), ("attributes.cost", "")];
    let refused = browser.upload("/certificates/upload", &without, pem.as_bytes()).await;
    assert!(
        refused.text().contains("certificate needs a value of “Cost centre”"),
        "{}",
        refused.text()
    );
    let fields = [("path", "/prod"), ("groups", "web team"), ("attributes.cost", "b2")];
    let sent = browser.upload("/certificates/upload", &fields, pem.as_bytes()).await.expect(303);
    let home = sent.header("location").to_owned();
    let page = browser.follow(sent).await.expect(200).text();
    for text in
        ["forms.example.org", "web team", "/prod", "Cost centre", "b2", "is in the inventory"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!browser.get(&home).await.text().contains("is in the inventory."), "shown once");
    let again = browser.upload("/certificates/upload", &fields, pem.as_bytes()).await.expect(200);
    assert!(again.text().contains("Was there already") && again.text().contains(&home));
    let edit = browser.get(&format!("{home}/edit")).await.expect(200).text();
    assert!(edit.contains("value=\"/prod\"") && edit.contains("name=\"version\" value=\""));
    let change = [("path", "/stage"), ("groups", ""), ("owner", ""), ("ra_profile", "")];
    browser.post(&format!("{home}/edit"), &change).await.expect(303);
    let page = browser.get(&home).await.text();
    assert!(page.contains("/stage") && page.contains("b2"), "what was not sent stays");
    let wrong = [("path", "/stage"), ("owner", "nobody-there")];
    let refused = browser.post(&format!("{home}/edit"), &wrong).await.expect(422).text();
    assert!(refused.contains("There is no account") && refused.contains("value=\"nobody-there\""));
    let stale = [("path", "/other"), ("version", "1")];
    let refused = browser.post(&format!("{home}/edit"), &stale).await.expect(422).text();
    assert!(refused.contains("decide again"), "{refused}");
    browser.post(&format!("{home}/archive"), &[("note", "moved")]).await.expect(303);
    assert!(browser.get(&home).await.text().contains("Take back"));
    browser.post(&format!("{home}/restore"), &[]).await.expect(303);
    let gone = browser.post(&format!("{home}/delete"), &[]).await.expect(303);
    assert_eq!(gone.header("location"), "/certificates");
    browser.get(&home).await.expect(404);
    server.settle().await;
    let story = browser.get("/events?q=type:certificate.*").await.text();
    for word in ["archived", "deleted"] {
        assert!(story.contains(word), "{word}");
    }
    server.finish().await;
}

#[tokio::test]
async fn an_upload_that_cannot_be_read_says_why_and_keeps_the_form() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Operator).await;
    let fields = [("path", "/kept")];
    let refused = browser.upload("/certificates/upload", &fields, b"nonsense").await.expect(422);
    assert!(refused.text().contains("value=\"/kept\""), "{}", refused.text());
    let empty = browser.upload("/certificates/upload", &fields, b"").await.expect(422);
    assert!(empty.text().contains("Choose a file"), "{}", empty.text());
    let pasted = [("files_text", certificate(&server, "pasted.example.org"))];
    let pasted: Vec<(&str, &str)> = pasted.iter().map(|(n, v)| (*n, v.as_str())).collect();
    browser.upload("/certificates/upload", &pasted, b"").await.expect(303);
    let job = [("mode", "async")];
    let bundle = certificate(&server, "job.example.org");
    let queued = browser.upload("/certificates/upload", &job, bundle.as_bytes()).await.expect(303);
    assert!(queued.header("location").starts_with("/jobs/"));
    assert!(browser.follow(queued).await.expect(200).text().contains("certificate.upload"));
    server.finish().await;
}

#[tokio::test]
async fn every_form_is_refused_without_the_token_of_the_session() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let id = "01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4";
    let mut posts = 0;
    for route in server.routes().to_vec() {
        let is_page = !route.path.starts_with("/api/") && route.path != "/login";
        // Systems that send events in have a secret of their own, and no session.
        let is_intake = route.path.starts_with("/intake/");
        if route.method != Method::POST || !is_page || is_intake {
            continue;
        }
        posts += 1;
        let path = route.path.replace("{id}", id);
        for token in [&[("a", "b")][..], &[("csrf", "wrong")], &[("csrf", "")]] {
            let answer = browser.post_exactly(&path, token).await;
            assert_eq!(answer.status, 403, "{path}");
        }
    }
    assert!(posts > 20, "only {posts} forms");
    server.finish().await;
}

#[tokio::test]
async fn secrets_are_shown_once() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let fields = [("name", "ci"), ("days", "30"), ("role", "viewer")];
    let page = browser.post("/account/tokens", &fields).await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    let text = page.text();
    let token = text.split("chy_").nth(1).and_then(|rest| rest.split('<').next()).expect("a token");
    let bearer = format!("chy_{token}");
    server.call(Method::GET, "/api/v1/me").bearer(&bearer).send().await.expect(200);
    for path in ["/account", "/administration/tokens"] {
        assert!(!browser.get(path).await.text().contains(token), "{path}");
    }
    let wrong = [("name", "ci"), ("days", "0"), ("role", "viewer")];
    let refused = browser.post("/account/tokens", &wrong).await.expect(422).text();
    assert!(refused.contains("Between 1 and 366"), "{refused}");
    let account = [("name", "new.one"), ("display_name", "New"), ("role", "viewer"), ("email", "")];
    let made = browser.post("/administration/accounts", &account).await.expect(200).text();
    assert!(made.contains("shown once") && made.contains("new.one"));
    let twice = browser.post("/administration/accounts", &account).await;
    assert!(matches!(twice.status.as_u16(), 409 | 422), "{}", twice.status);
    server.finish().await;
}

#[tokio::test]
async fn a_view_is_saved_used_and_deleted() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    let view = [("list", "events"), ("query", "q=outcome:failure"), ("name", "Failures <1>")];
    let saved = browser.post("/views", &view).await.expect(303);
    assert_eq!(saved.header("location"), "/events?q=outcome:failure");
    let page = browser.follow(saved).await.expect(200).text();
    assert!(
        page.contains("Failures &lt;1&gt;") && page.contains("href=\"/events?q=outcome:failure\"")
    );
    let id = page.split("action=\"/views/").nth(1).and_then(|rest| rest.split('/').next());
    let path = format!("/views/{}/delete", id.expect("a form"));
    browser.post(&path, &[("list", "events")]).await.expect(303);
    assert!(!browser.get("/events").await.text().contains("Failures &lt;1"));
    server.finish().await;
}

#[tokio::test]
async fn personal_data_is_erased_and_the_proof_stays() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    server.settle().await;
    let list = browser.get("/events?q=type:session.create").await.expect(200).text();
    let path = list.split("data-href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let path = path.expect("an event").to_owned();
    let before = browser.get(&path).await.expect(200).text();
    assert!(before.contains("administrator.one") && before.contains("Erase personal data"));
    let done = browser.post(&format!("{path}/erase"), &[("ground", "request")]).await.expect(303);
    let after = browser.follow(done).await.expect(200).text();
    assert!(!after.contains(">administrator.one<") && after.contains("It was erased"));
    assert!(after.contains("Verify in this browser"));
    server.finish().await;
}

#[tokio::test]
async fn the_log_is_verified_at_the_press_of_a_button() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Auditor).await;
    let done = browser.post("/log-view/verify", &[]).await.expect(303);
    assert!(browser.follow(done).await.text().contains("lead to the signed root"));
    server.finish().await;
}

#[tokio::test]
async fn the_live_tail_sends_rows_from_where_it_was() {
    let server = TestServer::start().await;
    server.settle().await;
    let mut browser = Browser::sign_in_as(&server, Role::Viewer).await;
    server.settle().await;
    let response = browser.open("/events/live?q=type:log.key_create&from=0").await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body().into_data_stream();
    let first = tokio::time::timeout(Duration::from_secs(60), body.next()).await.expect("in time");
    let text = String::from_utf8(first.expect("a row").expect("bytes").to_vec()).expect("text");
    assert!(text.contains("event: row") && text.contains("data: <tr"), "{text}");
    assert!(text.contains("id: "), "{text}");
    let wrong = browser.get("/events/live?q=outcom:x").await;
    assert_eq!(wrong.status, 400);
    server.finish().await;
}
