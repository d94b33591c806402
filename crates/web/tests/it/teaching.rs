//! Forms that teach: what the steps of an action can name, examples that can be saved, and what the
//! filter of a monitor sees and selects.

use chancery_engine::access::NewAccount;
use chancery_engine::reaction::{STEP_KINDS, all_fields};
use chancery_engine::{Context, Role};
use chancery_testkit::TestServer;
use serde_json::{Value, json};

use super::automation::upload;
use super::browser::{Browser, form};

const NEW: &str = "/automation/actions/new";

/// An installation with something of everything that a step can name.
async fn world() -> TestServer {
    let server = TestServer::start().await;
    let profile = json!({ "recipients": ["owner"], "description": "Who is <on> call" });
    for (path, wish) in [
        ("groups", json!({ "name": "web servers", "description": "Everything in front" })),
        ("ra-profiles", json!({ "name": "internal-tls" })),
        ("attributes", json!({ "name": "size", "label": "Size", "kind": "integer" })),
        ("attributes", json!({ "name": "team", "label": "Team", "kind": "string" })),
        ("automation/notification_profiles", json!({ "name": "on-call", "body": profile })),
    ] {
        server.post(&format!("/api/v1/{path}")).json(&wish).send().await.expect(201);
    }
    server
}

/// The part of a page from an element's id to the end of its section.
fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {page}"));
    let rest = &page[start..];
    &rest[..rest.find("</section>").unwrap_or(rest.len())]
}

/// What a click on a name of a list puts into its box.
fn puts(list: &str, insert: &str, into: &str) -> bool {
    let insert = insert.replace('&', "&amp;").replace('"', "&quot;");
    list.contains(&format!("data-insert=\"{insert}\" data-into=\"{into}\""))
}

#[tokio::test]
async fn beside_the_steps_stands_what_they_can_name() {
    let server = world().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get(NEW).await.expect(200).text();
    let list = part(&page, "names");
    for insert in [
        "\"web servers\"",
        "\"internal-tls\"",
        "\"team\"",
        "\"on-call\"",
        "\"administrator.one\"",
        "\"role:operator\"",
        "\"owner\"",
        "\"certificate.validate\"",
    ] {
        assert!(puts(list, insert, "steps"), "{insert}: {list}");
    }
    for doc in ["Everything in front", "Who is &lt;on&gt; call", "integer", "Team"] {
        assert!(list.contains(doc), "{doc}: {list}");
    }
    // Every field that a text can name, with what the catalogue says of it.
    let fields = all_fields(&[]);
    assert!(fields.fields().len() > 100);
    for field in fields.fields() {
        assert!(puts(list, &format!("{{{}}}", field.name), "steps"), "{}", field.name);
    }
    let documented = fields.field("object.key_size").unwrap();
    assert!(list.contains(&documented.doc), "{}", documented.doc);
    assert!(puts(list, "{object.attribute.team}", "steps"));
    // The same beside an action that is there.
    let steps = "[[steps]]\nstep=\"set_path\"\npath=\"/prod\"";
    let saved = [("name", "place"), ("enabled", "1"), ("steps", steps)];
    session.post(NEW, &saved).await.expect(303);
    let edit = session.get("/automation/actions/place/edit").await.expect(200).text();
    assert!(puts(part(&edit, "names"), "\"on-call\"", "steps"));
    server.finish().await;
}

#[tokio::test]
async fn of_many_accounts_the_first_are_listed_and_the_others_counted() {
    let server = TestServer::start().await;
    let context = Context::command_line(server.engine().environment());
    for number in 0..60 {
        let new = NewAccount {
            name: format!("many.{number:02}"),
            display_name: format!("Number {number}"),
            email: None,
            role: Role::Viewer.to_string(),
            password: None,
            expires_at: None,
        };
        server.engine().create_account(&context, new).await.unwrap();
    }
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let all = server.engine().accounts(&context).await.unwrap();
    let page = session.get(NEW).await.expect(200).text();
    let list = part(&page, "names");
    let (listed, left): (Vec<_>, Vec<_>) =
        all.iter().partition(|one| puts(list, &format!("\"{}\"", one.name), "steps"));
    assert_eq!((listed.len(), left.len()), (50, all.len() - 50));
    assert!(list.contains(&format!("And {} more: ", left.len())), "{list}");
    server.finish().await;
}

#[tokio::test]
async fn every_example_of_a_step_can_be_saved_as_it_is() {
    let server = world().await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get(NEW).await.expect(200).text();
    let mut words: Vec<_> = STEP_KINDS.iter().map(|(word, _, _)| *word).collect();
    words.push("notify.profile");
    for word in words {
        let button = format!("step:{word}");
        assert!(page.contains(&format!("value=\"{button}\"")), "{word}: {page}");
        let name = word.replace(['_', '.'], "-");
        let asked = [("name", name.as_str()), ("enabled", "1"), ("do", button.as_str())];
        let example = session.post(NEW, &asked).await.expect(200).text();
        let fields = form(&example, NEW);
        let fields: Vec<_> = fields
            .iter()
            .filter(|(name, _)| name != "csrf")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let saved = session.post(NEW, &fields).await;
        assert_eq!(saved.status, 303, "{word}: {fields:?} {}", saved.text());
    }
    let path = "/api/v1/automation/actions/notify-profile";
    let told: Value = server.get(path).send().await.expect(200).json();
    assert_eq!(told["body"]["steps"][0]["profile"], "on-call");
    // Examples come behind what is there.
    let first = "[[steps]]\nstep = \"set_path\"\npath = \"/a\"";
    let more = [("steps", first), ("do", "step:notify.profile")];
    let both = session.post(NEW, &more).await.expect(200).text();
    let steps = form(&both, NEW).into_iter().find(|(name, _)| name == "steps").unwrap().1;
    assert!(steps.contains(first) && steps.contains("profile = \"on-call\""), "{steps}");
    let unknown = session.post(NEW, &[("steps", first), ("do", "step:fly")]).await.expect(200);
    assert!(!unknown.text().contains("fly"), "{}", unknown.text());
    server.finish().await;
}

#[tokio::test]
async fn beside_the_filter_of_a_monitor_stands_what_it_sees_and_what_it_selects() {
    let server = world().await;
    upload(&server, "www.prod.example").await;
    upload(&server, "www.test.example").await;
    let mut session = Browser::sign_in_as(&server, Role::Administrator).await;
    let page = session.get("/monitors/new").await.expect(200).text();
    let list = part(&page, "fields");
    let schema = server.engine().certificate_schema().await.unwrap();
    for field in schema.fields() {
        assert!(puts(list, &format!("{}:", field.name), "filter"), "{}: {list}", field.name);
    }
    let documented = schema.field("key_size").unwrap();
    assert!(list.contains(&documented.doc), "{}: {list}", documented.doc);
    assert!(
        list.contains("Custom attributes") && puts(list, "attribute.team:", "filter"),
        "{list}"
    );
    assert!(part(&page, "selected").contains(">2 certificates</a>"), "{page}");
    for (kind, filter, said) in [
        ("certificate_expiry", "cn:*.prod.example", ">1 certificate</a>"),
        ("authority_expiry", "cn:nothing", ">0 certificates</a>"),
        ("certificate_expiry", "cn:(", "Not yet: "),
        ("certificate_expiry", "colour:red", "Not yet: "),
    ] {
        let fields =
            [("kind", kind), ("filter", filter), ("cron", "0 6 * * *"), ("time_zone", "UTC")];
        let shown = [&fields[..], &[("do", "preview")]].concat();
        let shown = session.post("/monitors/new", &shown).await.expect(200).text();
        let selected = part(&shown, "selected");
        assert!(selected.contains(said), "{kind} {filter}: {selected}");
        assert!(shown.contains("Next runs: "), "{shown}");
    }
    let schedule = session.get("/schedules/new").await.expect(200).text();
    assert!(
        !schedule.contains("data-insert") && !schedule.contains("id=\"selected\""),
        "{schedule}"
    );
    server.finish().await;
}
