//! The pages of notifications: forms that lose nothing, previews on an event of one's choice, what
//! each version said, trials.

use axum::http::Method;
use chancery_engine::Role;
use chancery_testkit::{Receiver, TestServer};
use serde_json::{Value, json};

use super::browser::{Browser, form};
use super::notifications::{BASE, World};

async fn body_of(server: &TestServer, path: &str) -> Value {
    server.get(&format!("{BASE}/{path}")).send().await.expect(200).json()
}

/// Opens the form at a path and sends it back with changes: `None` takes a field away.
async fn send_back(
    browser: &mut Browser<'_>,
    path: &str,
    changes: &[(&str, Option<&str>)],
) -> chancery_testkit::Answer {
    let page = browser.get(path).await.expect(200).text();
    let mut fields = form(&page, path);
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
    }
    let fields: Vec<_> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    browser.post_exactly(path, &fields).await
}

#[tokio::test]
async fn what_a_form_shows_it_saves_and_what_is_off_stays_off() {
    let world = World::over(TestServer::start_with(|settings, _| settings.monitors = true).await);
    let world = world.await;
    let server = &world.server;
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    // The canary goes through every channel, also those that come later.
    let before = body_of(server, "notification_profiles/canary").await;
    assert_eq!(before["body"]["channels"], json!(["all"]), "{before}");
    let edit = "/notifications/profiles/canary/edit";
    let words = [("description", Some("Every Monday."))];
    send_back(&mut browser, edit, &words).await.expect(303);
    let after = body_of(server, "notification_profiles/canary").await;
    assert_eq!(after["body"]["description"], "Every Monday.", "{after}");
    for member in ["channels", "recipients"] {
        assert_eq!(after["body"][member], before["body"][member], "{member}");
    }
    assert_eq!(after["enabled"], true);
    let list = "/notifications/profiles";
    for (query, is_found) in [("", true), ("?q=CANARY+all", true), ("?q=canary+owner", false)] {
        let page = browser.get(&format!("{list}{query}")).await.expect(200).text();
        assert_eq!(page.contains("/notifications/profiles/canary\""), is_found, "{query}: {page}");
        assert_eq!(page.contains("No profile fits"), !is_found, "{query}: {page}");
    }
    // A template that is off.
    let template = json!({ "subject": "{{ title }}", "text": "{{ links.event }}" });
    let new = json!({ "name": "short", "body": template, "enabled": false });
    let at = format!("{BASE}/notification_templates");
    server.post(&at).json(&new).send().await.expect(201);
    let list = browser.get("/notifications/templates").await.expect(200).text();
    assert!(list.contains(">Off<"), "{list}");
    let none = browser.get("/notifications/templates?q=long").await.expect(200).text();
    assert!(none.contains("No template fits"), "{none}");
    let edit = "/notifications/templates/short/edit";
    send_back(&mut browser, edit, &[("title", Some("Short"))]).await.expect(303);
    let saved = body_of(server, "notification_templates/short").await;
    assert_eq!((&saved["enabled"], &saved["body"]["title"]), (&json!(false), &json!("Short")));
    let page = browser.get("/notifications/templates/short").await.expect(200).text();
    assert!(page.contains("It is switched off"), "{page}");
    send_back(&mut browser, edit, &[("enabled", Some("1"))]).await.expect(303);
    assert_eq!(body_of(server, "notification_templates/short").await["enabled"], true);
    send_back(&mut browser, edit, &[("enabled", None)]).await.expect(303);
    assert_eq!(body_of(server, "notification_templates/short").await["enabled"], false);
    // What changed with each version.
    let page = browser.get("/notifications/templates/short").await.expect(200).text();
    let versions = page.split("id=\"versions\"").nth(1).expect(&page);
    assert!(versions.contains("<ins>Short</ins>") && versions.contains("<del>on</del>"), "{page}");
    assert!(versions.contains("What version 1 says"), "{versions}");
    let page = browser.get("/notifications/profiles/canary").await.expect(200).text();
    assert!(page.contains("<ins>Every Monday.</ins>"), "{page}");
    // Those of a channel as well, without what only streams have.
    let settings = json!({ "server": world.mailbox.server(), "security": "none",
        "from": "pki@example.org" });
    let body = json!({ "body": { "kind": "email", "settings": settings } });
    let put = server.call(Method::PUT, "/api/v1/channels/mail").bearer(server.admin());
    put.json(&body).send().await.expect(200);
    let page = browser.get("/channels/mail").await.expect(200).text();
    let versions = page.split("id=\"versions\"").nth(1).expect(&page);
    assert!(versions.contains("<ins>pki@example.org</ins>"), "{versions}");
    assert!(!versions.contains("batch_max"), "{versions}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_preview_is_of_what_is_told_or_of_the_event_that_is_named() {
    let world = World::start().await;
    let server = &world.server;
    world.account("ada", "operator", Some("ada@example.org")).await;
    let template = json!({ "subject": "About {{ event.type }}", "text": "{{ title }}" });
    world.make("notification_templates", "short", template).await;
    let profile = json!({ "recipients": ["account:ada"], "template": "short" });
    world.make("notification_profiles", "p", profile).await;
    let steps = json!([{ "step": "notify", "profile": "p" }]);
    world.make("actions", "p", json!({ "steps": steps })).await;
    let trigger = json!({ "event_types": ["token.create"], "actions": ["p"] });
    world.make("triggers", "p", trigger).await;
    let token = json!({ "name": "reader", "role": "viewer", "days": 1 });
    server.post("/api/v1/tokens").json(&token).send().await.expect(201);
    // A certificate came in since.
    world.owned("www.example.org", "ada").await;
    server.settle().await;
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    for path in ["/notifications/profiles/p", "/notifications/templates/short"] {
        let page = browser.get(path).await.expect(200).text();
        assert!(page.contains("About token.create"), "{path}: {page}");
        assert!(page.contains("ada@example.org"), "{path}: with its recipients");
        let other = browser.get(&format!("{path}?event=0")).await.expect(200).text();
        assert!(other.contains(", index 0<") && !other.contains("About token.create"), "{path}");
        let none = browser.get(&format!("{path}?event=999999")).await.expect(200).text();
        assert!(none.contains("no event has this log index or identifier"), "{path}: {none}");
    }
    let list = server.get("/api/v1/events?filter=type:certificate.update").send().await.json();
    let id = list["items"][0]["event"]["id"].as_str().unwrap().to_owned();
    let on = [("do", Some("preview")), ("event", Some(id.as_str()))];
    for path in ["/notifications/profiles/p/edit", "/notifications/templates/short/edit"] {
        let page = send_back(&mut browser, path, &on[..1]).await.expect(200).text();
        assert!(page.contains("About token.create"), "{path}: {page}");
        let page = send_back(&mut browser, path, &on).await.expect(200).text();
        assert!(page.contains("About certificate.update"), "{path}: {page}");
    }
    // A template that no profile uses shows whom the event concerns.
    let template = json!({ "subject": "x", "text": "{{ title }}",
        "event_types": ["certificate.update"] });
    world.make("notification_templates", "lone", template).await;
    let page = browser.get("/notifications/templates/lone").await.expect(200).text();
    assert!(page.contains("No profile uses it") && page.contains("ada@example.org"), "{page}");
    world.server.finish().await;
}

#[tokio::test]
async fn a_trial_goes_to_the_contact_and_its_delivery_leads_to_its_channel() {
    let world = World::start().await;
    let server = &world.server;
    let me = server.get("/api/v1/me").send().await.expect(200).json();
    let at = format!("/api/v1/accounts/{}/contact", me["id"].as_str().unwrap());
    let contact = json!({ "email": "me@example.org" });
    server.call(Method::PUT, &at).bearer(server.admin()).json(&contact).send().await.expect(204);
    server.post("/api/v1/channels/mail/test").json(&json!({})).send().await.expect(200);
    assert_eq!(world.mailbox.wait_for(1).await[0].recipients, ["me@example.org"]);
    let receiver = Receiver::plain().await;
    let settings = json!({ "url": receiver.url(), "signature": "none" });
    let new = json!({ "name": "soc", "body": { "kind": "webhook", "settings": settings } });
    server.post("/api/v1/forwarders").json(&new).send().await.expect(201);
    server.settle().await;
    server.post("/api/v1/forwarders/soc/test").json(&json!({})).send().await.expect(200);
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    for (name, root) in [("mail", "/channels"), ("soc", "/forwarders")] {
        let path = format!("/api/v1/deliveries?filter=destination:{name}%20reason:test");
        let list = server.get(&path).send().await.expect(200).json();
        let id = list["items"][0]["id"].as_str().expect("a trial");
        let page = browser.get(&format!("/deliveries/{id}")).await.expect(200).text();
        let link = format!("{root}/{name}");
        assert!(page.contains(&format!("href=\"{link}\"")), "{page}");
        browser.get(&link).await.expect(200);
    }
    world.server.finish().await;
}

#[tokio::test]
async fn notices_are_searched_paged_both_ways_and_begin_anew() {
    let world = World::start().await;
    let server = &world.server;
    world.account("ada", "operator", Some("ada@example.org")).await;
    let profile = json!({ "recipients": ["owner"], "repetitions": 1 });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    let id = world.owned("www.example.org", "ada").await;
    let path = format!("/api/v1/certificates/{id}");
    for number in 0..30 {
        let change = json!({ "path": format!("/f{number}") });
        server.patch(&path).json(&change).send().await.expect(200);
    }
    world.notices("reason=repetitions&limit=1000", |items| items.len() == 60).await;
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    let list = "/notifications/notices";
    let first = browser.get(list).await.expect(200).text();
    let rows = |page: &str| {
        let table = page.split("id=\"notices\"").nth(1).expect(page);
        table.split("</table>").next().unwrap().to_owned()
    };
    let link = |page: &str, rel: &str| {
        let (_, rest) = page.split_once(&format!("rel=\"{rel}\" href=\"")).expect(page);
        rest.split('"').next().unwrap().replace("&amp;", "&")
    };
    let second = browser.get(&link(&first, "next")).await.expect(200).text();
    let back = browser.get(&link(&second, "prev")).await.expect(200).text();
    assert_eq!(rows(&back), rows(&first));
    assert_ne!(rows(&second), rows(&first));
    // By words, by fields, by facets.
    for (query, count) in [
        ("q=account:ada+channel:bell+decision:sent", 1),
        ("q=ada@example.org+decision:sent", 1),
        ("channel=mail&decision=sent", 1),
        ("profile=p&q=account:grace", 0),
    ] {
        let page = browser.get(&format!("{list}?{query}")).await.expect(200).text();
        let found = page.matches("data-label=\"By\"").count();
        assert_eq!(found, count, "{query}: {page}");
    }
    let page = browser.get(&format!("{list}?q=channel:mail")).await.expect(200).text();
    assert!(page.contains("filter=channel:mail"), "the export is narrowed as well: {page}");
    let wrong = browser.get(&format!("{list}?q=colour:red")).await.expect(200).text();
    assert!(wrong.contains("colour") && wrong.contains("Nothing is listed until"), "{wrong}");
    let filter = "/api/v1/notices?filter=channel:bell%20decision:sent";
    let found = server.get(filter).send().await.expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    server.get("/api/v1/notices?filter=colour:red").send().await.expect(400);
    // Begun anew on the page of the certificate: the next one is told.
    let here = format!("/certificates/{id}");
    let page = browser.get(&here).await.expect(200).text();
    assert!(page.contains("How often it was told") && page.contains("Begin anew"), "{page}");
    let object = format!("certificate/{id}");
    let narrowed = format!("{list}?object={object}");
    let page = browser.get(&narrowed).await.expect(200).text();
    assert!(page.contains("Let repetitions begin anew"), "{page}");
    let typed = [("object", object.as_str()), ("profile", "p"), ("back", here.as_str())];
    let reset = browser.post("/notifications/notices/reset", &typed).await.expect(303);
    assert_eq!(reset.header("location"), here);
    server.patch(&path).json(&json!({ "path": "/again" })).send().await.expect(200);
    world.notices("decision=sent&channel=mail", |items| items.len() == 2).await;
    // Who may not change alerts has no button, and is refused.
    let mut viewer = Browser::sign_in_as(server, Role::Viewer).await;
    let page = viewer.get(&here).await.expect(200).text();
    assert!(!page.contains("Begin anew"), "{page}");
    viewer.post("/notifications/notices/reset", &typed).await.expect(403);
    world.server.finish().await;
}

#[tokio::test]
async fn who_is_not_reached_is_narrowed_to_a_folder_and_taken_out() {
    let world = World::start().await;
    let server = &world.server;
    world.account("ada", "operator", Some("ada@example.org")).await;
    let one = world.owned("one.example.org", "ada").await;
    world.owned("two.example.org", "ada").await;
    let path = format!("/api/v1/certificates/{one}");
    server.patch(&path).json(&json!({ "path": "/prod/web" })).send().await.expect(200);
    for _ in 0..3_000 {
        let list = "/api/v1/notifications/unreached?path=/prod";
        let found = server.get(list).send().await.expect(200).json();
        let all = server.get("/api/v1/notifications/coverage").send().await.expect(200).json();
        if found["items"].as_array().unwrap().len() == 1 && all["nobody"] == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mut browser = Browser::sign_in_as(server, Role::Administrator).await;
    let page = browser.get("/notifications/coverage?state=nobody").await.expect(200).text();
    assert!(page.contains("one.example.org") && page.contains("two.example.org"), "{page}");
    assert!(page.contains("name=\"path\""), "{page}");
    let narrowed = "/notifications/coverage?state=nobody&path=/prod";
    let page = browser.get(narrowed).await.expect(200).text();
    assert!(page.contains("one.example.org") && !page.contains("two.example.org"), "{page}");
    let export =
        "/api/v1/notifications/unreached/export?format=csv&amp;state=nobody&amp;path=/prod";
    assert!(page.contains(export), "{page}");
    let csv = server.get(&export.replace("&amp;", "&")).send().await.expect(200).text();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    assert_eq!(lines[0], "certificate,subject,owner,path,state,reason,not_after");
    assert!(lines[1].starts_with(&one) && lines[1].contains(",ada,/prod/web,nobody,"), "{csv}");
    let all = server.get("/api/v1/notifications/unreached/export").send().await.expect(200);
    assert_eq!(all.text().lines().count(), 2);
    server.settle().await;
    let told = "/api/v1/events?filter=type:certificate.export%20outcome:success&order=oldest";
    let told = server.get(told).send().await.expect(200).json();
    let detail = &told["items"][0]["event"]["data"]["detail"];
    assert_eq!((&detail["count"], &detail["filtered"]), (&json!(1), &json!(true)), "{told}");
    world.server.finish().await;
}
