//! What is named keeps its name for as long as something asks for it, however that is spelled.

use chancery_engine::automation::Class;
use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::{Context, Engine, Role};
use chancery_event::id::{AccountId, AttributeId};
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::new_account;
use crate::reaction::{context, save};
use crate::upload::start;

/// What refers to the group, the RA profile, the attribute and the account `web`, and how.
fn users() -> Vec<(&'static str, Class, Value)> {
    let rule = |filter: &str| (Class::Rule, json!({ "filter": filter }));
    let tree = json!({ "filter": { "not": { "field": "object.profile", "op": "in",
        "value": ["other", "web"] } } });
    let steps = |steps: Value| (Class::Action, json!({ "steps": [steps] }));
    let monitor = |filter: &str| {
        let schedule = json!({ "cron": "0 * * * *", "time_zone": "UTC" });
        let body = json!({ "kind": "certificate_expiry", "schedule": schedule,
            "thresholds": ["30d"], "filter": filter });
        (Class::Monitor, body)
    };
    let template = json!({ "event_types": ["certificate.expiring"], "subject": "{{ object.cn }}",
        "text": "{{ object.attribute.web }}" });
    [
        ("group", rule("object.group:web")),
        ("group", rule("object.group=WEB")),
        ("group", rule("detail.days_left<9 -(object.group != \"web\")")),
        ("group", rule("\"object.group\":other,web")),
        ("group", monitor("group == web")),
        ("ra_profile", rule("object.profile:web")),
        ("ra_profile", (Class::Rule, tree)),
        ("ra_profile", monitor("profile:=web")),
        ("account", rule("object.owner=web")),
        ("account", monitor("owner!=web")),
        ("attribute", rule("object.attribute.WEB~\"^a\"")),
        ("attribute", rule("count(object.attribute.web)>1")),
        ("attribute", monitor("attribute.web:*")),
        (
            "attribute",
            steps(json!({ "step": "set_owner", "owner": { "from": "object.attribute.web" } })),
        ),
        ("attribute", steps(json!({ "step": "set_path", "path": "/{object.attribute.web}" }))),
        (
            "attribute",
            steps(json!({ "step": "raise_alert", "kind": "k", "severity": "info",
                "title": "t", "key": "{object.attribute.web}" })),
        ),
        ("attribute", (Class::Template, template)),
    ]
    .map(|(noun, (class, body))| (noun, class, body))
    .into()
}

/// What is called `web`, beside what is called nearly so.
struct Things {
    groups: Vec<String>,
    profiles: Vec<String>,
    attributes: Vec<AttributeId>,
    accounts: Vec<AccountId>,
}

async fn things(engine: &Engine, context: &Context) -> Things {
    let label = |name: &str| LabelDraft { name: name.to_owned(), description: String::new() };
    let attribute = |name: &str| AttributeDraft {
        name: name.to_owned(),
        label: name.to_owned(),
        description: String::new(),
        kind: "string".to_owned(),
        choices: Vec::new(),
        required: false,
    };
    let mut things = Things {
        groups: Vec::new(),
        profiles: Vec::new(),
        attributes: Vec::new(),
        accounts: Vec::new(),
    };
    for name in ["web", "web_2", "other"] {
        let group = engine.create_label(context, LabelClass::Group, label(name)).await;
        things.groups.push(group.unwrap());
        let profile = engine.create_label(context, LabelClass::RaProfile, label(name)).await;
        things.profiles.push(profile.unwrap());
        things.attributes.push(engine.create_attribute(context, attribute(name)).await.unwrap());
        let account = engine.create_account(context, new_account(name, Role::Viewer)).await;
        things.accounts.push(account.unwrap().0);
    }
    things
}

on_each_backend!(a_name_that_is_asked_for_stays, 2);

async fn a_name_that_is_asked_for_stays() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = context(engine);
    let things = things(engine, &context).await;
    let delete = async |noun: &str, place: usize| match noun {
        "group" => engine.delete_label(&context, LabelClass::Group, &things.groups[place]).await,
        "ra_profile" => {
            engine.delete_label(&context, LabelClass::RaProfile, &things.profiles[place]).await
        }
        "attribute" => engine.delete_attribute(&context, things.attributes[place]).await,
        _ => engine.delete_account(&context, things.accounts[place]).await,
    };
    let rename = async |class, id: &str| {
        let draft = LabelDraft { name: "Net".to_owned(), description: String::new() };
        engine.update_label(&context, class, id, None, draft).await
    };
    for (noun, class, body) in users() {
        save(engine, &[(class, "user", body.clone())])
            .await
            .unwrap_or_else(|why| panic!("{body}: {why}"));
        let user = format!("named by {class} “user”");
        let refused = delete(noun, 0).await.expect_err(&body.to_string());
        assert!(refused.to_string().contains(&user), "{body}: {refused}");
        let renamed = match noun {
            "group" => rename(LabelClass::Group, &things.groups[0]).await,
            "ra_profile" => rename(LabelClass::RaProfile, &things.profiles[0]).await,
            _ => Err(refused),
        };
        let refused = renamed.expect_err(&body.to_string());
        assert!(refused.to_string().contains(&user), "{body}: {refused}");
        engine.delete_automation(&context, class, "user").await.unwrap();
    }
    for (noun, class, body) in users() {
        let text = body.to_string().to_lowercase().replace("web", "other");
        save(engine, &[(class, &noun.replace('_', "-"), serde_json::from_str(&text).unwrap())])
            .await
            .expect(&text);
    }
    for noun in ["group", "ra_profile", "attribute", "account"] {
        delete(noun, 0).await.expect("nothing asks for it any more");
        delete(noun, 1).await.expect("another name");
    }
    running.stop().await.unwrap();
}

on_each_backend!(a_condition_names_what_there_is, 2);

async fn a_condition_names_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path()).await;
    let engine = running.engine();
    let context = context(engine);
    for (noun, class, body) in users() {
        if noun == "attribute" {
            continue;
        }
        let refused = save(engine, &[(class, "user", body.clone())]).await.unwrap_err();
        let said = refused.to_string();
        let word = if noun == "ra_profile" { "RA profile" } else { noun };
        let place = format!("{class}/user#/filter");
        assert!(said.starts_with(&place), "{said}");
        assert!(said.contains(&format!("there is no {word} “")), "{body}: {said}");
    }
    things(engine, &context).await;
    for part in ["web*", "*eb", "nothing*"] {
        let filter = json!({ "filter": format!("object.group:{part}") });
        save(engine, &[(Class::Rule, "part", filter)]).await.expect("part of a name");
    }
    running.stop().await.unwrap();
}
