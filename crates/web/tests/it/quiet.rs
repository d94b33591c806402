//! Quiet hours through the API and the forms: what waits for their end, whole days without hours,
//! and that nothing that was typed is dropped.

use axum::http::Method;
use chancery_engine::Role;
use chancery_event::Timestamp;
use chancery_testkit::TestServer;
use serde_json::json;

use super::browser::Browser;
use super::notifications::World;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The number of a day since 1970, and the day of the week that it is.
fn day(at: Timestamp) -> (i64, usize) {
    let number = at.micros().div_euclid(Timestamp::DAY);
    // 1970-01-01 was a Thursday.
    (number, usize::try_from((number + 3).rem_euclid(7)).unwrap())
}

#[tokio::test]
async fn what_comes_on_a_quiet_day_is_sent_when_no_quiet_day_of_theirs_holds() {
    let (server, clock) = TestServer::start_standing(24, |_, _| {}).await;
    let mut world = World::over(server).await;
    let ada = world.account("ada", "operator", Some("ada@example.org")).await;
    let (number, today) = day(world.server.now());
    let tomorrow = DAYS[(today + 1) % 7];
    // The profile is quiet today, and ada today and tomorrow.
    let quiet = json!({ "whole_days": [DAYS[today]], "except": ["critical"] });
    let profile =
        json!({ "recipients": ["owner"], "channels": ["mail", "bell"], "quiet_hours": quiet });
    world.tells_of(json!(["certificate.update"]), "p", profile).await;
    let contact = json!({ "quiet_hours": { "whole_days": [DAYS[today], tomorrow] } });
    let path = format!("/api/v1/accounts/{ada}/contact");
    let call = world.server.call(Method::PUT, &path).bearer(world.server.admin());
    call.json(&contact).send().await.expect(204);
    let shown = world.server.get(&path).send().await.expect(200).json();
    let own = json!({ "whole_days": [DAYS[today], tomorrow], "days": [], "except": [],
        "time_zone": "UTC" });
    assert_eq!(shown["quiet_hours"], own, "no hours, whole days alone");
    world.owned("www.example.org", "ada").await;
    let held = world.notices("reason=quiet_hours", |items| !items.is_empty()).await;
    let due: Timestamp = held[0]["due_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(due.micros(), (number + 2) * Timestamp::DAY, "the day after tomorrow");
    world.notices("decision=sent&channel=bell", |items| !items.is_empty()).await;
    world.server.settle().await;
    assert!(world.mailbox.mails().is_empty(), "it is quiet");
    clock.advance(due.since(world.server.now()) + Timestamp::SECOND);
    world.server.renew().await;
    let mails = world.mailbox.wait_for(1).await;
    assert_eq!(mails[0].recipients, ["ada@example.org"]);
    world.server.finish().await;
}

#[tokio::test]
async fn the_form_of_a_profile_takes_whole_days_alone_and_drops_nothing() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    let base = [("name", "p"), ("recipients", "owner"), ("enabled", "1")];
    for (member, value, said) in [
        ("quiet_hours/days", "mon", "These days have no hours"),
        ("quiet_hours/except", "critical", "Nothing is quiet"),
        ("quiet_hours/time_zone", "Europe/Prague", "Nothing is quiet"),
        ("quiet_hours/from", "22:00", "quiet-hours-to-error"),
        ("digest/time_zone", "Europe/Prague", "digest-cron-error"),
        ("digest/except", "critical", "digest-cron-error"),
        ("digest/group_by", "team", "digest-cron-error"),
    ] {
        let typed: Vec<_> = base.iter().copied().chain([(member, value)]).collect();
        let refused = browser.post("/notifications/profiles/new", &typed).await;
        let page = refused.expect(422).text();
        assert!(page.contains(said), "{member}: {page}");
    }
    let wanted = [
        ("quiet_hours/whole_days", "sat"),
        ("quiet_hours/whole_days", "sun"),
        ("quiet_hours/time_zone", "Europe/Prague"),
        ("quiet_hours/except", "critical"),
        ("digest/group_by", "cause"),
    ];
    let typed: Vec<_> = base.into_iter().chain(wanted).collect();
    browser.post("/notifications/profiles/new", &typed).await.expect(303);
    let page = browser.get("/notifications/profiles/p").await.expect(200).text();
    let words = "all day on sat, sun (Europe/Prague); except critical";
    assert!(page.contains(words), "{page}");
    let form = browser.get("/notifications/profiles/p/edit").await.expect(200).text();
    for day in DAYS {
        let tick = format!("id=\"quiet-hours-whole-days-{day}\"");
        let (_, tag) = form.split_once(&tick).unwrap();
        let tag = tag.split_once('>').unwrap().0;
        assert_eq!(tag.contains("checked"), matches!(day, "sat" | "sun"), "{day}: {tag}");
    }
    let path = "/api/v1/automation/notification_profiles/p";
    let saved = server.get(path).send().await.expect(200).json();
    assert_eq!(saved["body"]["quiet_hours"]["whole_days"], json!(["sat", "sun"]), "{saved}");
    assert!(saved["body"].get("digest").is_none(), "nobody asked for one: {saved}");
    server.finish().await;
}

#[tokio::test]
async fn the_form_of_ones_own_contact_takes_whole_days_alone_and_drops_nothing() {
    let server = TestServer::start().await;
    let mut browser = Browser::sign_in_as(&server, Role::Administrator).await;
    for (member, value, said) in [
        ("quiet_hours/days", "mon", "These days have no hours"),
        ("quiet_hours/time_zone", "Europe/Prague", "quiet-from-error"),
        ("quiet_hours/except", "critical", "quiet-from-error"),
    ] {
        let refused = browser.post("/account/contact", &[(member, value)]).await;
        let page = refused.expect(422).text();
        assert!(page.contains(said), "{member}: {page}");
    }
    let typed = [("quiet_hours/whole_days", "sat"), ("quiet_hours/time_zone", "Europe/Prague")];
    browser.post("/account/contact", &typed).await.expect(303);
    let page = browser.get("/account/contact").await.expect(200).text();
    let (_, tag) = page.split_once("id=\"whole-days-sat\"").unwrap();
    assert!(tag.split_once('>').unwrap().0.contains("checked"), "{page}");
    // Hours without a zone have none in the form, and go when they are taken out of it.
    let hours = [("quiet_hours/from", "22:00"), ("quiet_hours/to", "07:00")];
    browser.post("/account/contact", &hours).await.expect(303);
    let page = browser.get("/account/contact").await.expect(200).text();
    assert!(page.contains("value=\"22:00\"") && !page.contains("value=\"UTC\""), "{page}");
    browser.post("/account/contact", &[]).await.expect(303);
    let page = browser.get("/account/contact").await.expect(200).text();
    assert!(!page.contains("value=\"22:00\""), "{page}");
    server.finish().await;
}
