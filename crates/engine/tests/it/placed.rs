//! What steps and requests want of a certificate's place: what conditions see of it, and what is in
//! the inventory afterwards.

use std::collections::BTreeMap;

use chancery_engine::access::NewAccount;
use chancery_engine::automation::Class;
use chancery_engine::configuration::LabelClass;
use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::inventory::{CertificateView, PlacementRequest, Upload, UploadAnswer};
use chancery_engine::{Engine, Error, Role};
use chancery_event::id::{AccountId, CertificateId};
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::{events, new_account};
use crate::kept_out::pem;
use crate::reaction::{action, context, group, kept, moved, rule, running, save, trigger};
use crate::upload::{leaf, upload_of};

/// Two groups, an RA profile, an account and two attributes.
async fn furnish(engine: &Engine) -> AccountId {
    for name in ["east", "west"] {
        group(engine, LabelClass::Group, name).await;
    }
    group(engine, LabelClass::RaProfile, "p").await;
    let new = NewAccount { password: None, ..new_account("ada", Role::Operator) };
    let (ada, _) = engine.create_account(&context(engine), new).await.unwrap();
    for name in ["team", "boss"] {
        let draft = AttributeDraft {
            name: name.to_owned(),
            label: name.to_owned(),
            description: String::new(),
            kind: "string".to_owned(),
            choices: Vec::new(),
            required: false,
        };
        engine.create_attribute(&context(engine), draft).await.unwrap();
    }
    ada
}

fn attributes(values: &[(&str, &str)]) -> BTreeMap<String, Value> {
    values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}

async fn upload(
    engine: &Engine,
    bytes: Vec<u8>,
    placement: PlacementRequest,
) -> Vec<Result<CertificateId, Error>> {
    let upload = Upload { placement, ..upload_of(bytes) };
    match engine.upload(&context(engine), upload).await.unwrap() {
        UploadAnswer::Done(items) => items.into_iter().map(|item| item.result).collect(),
        UploadAnswer::Queued(_) => panic!("a synchronous upload is done"),
    }
}

/// Groups, RA profile, owner, path and attributes, as text.
fn place(view: &CertificateView) -> String {
    let groups: Vec<_> = view.groups.iter().map(|(_, name)| name.as_str()).collect();
    let values = view.attributes.iter().map(|one| format!("{}={}", one.name, one.values.join("+")));
    let values: Vec<_> = values.collect();
    format!(
        "{} | {} | {} | {} | {}",
        groups.join(","),
        view.ra_profile_name.as_deref().unwrap_or("-"),
        view.owner_name.as_deref().unwrap_or("-"),
        view.row.path,
        values.join(",")
    )
}

on_each_backend!(what_steps_set_is_in_the_inventory, 2);

async fn what_steps_set_is_in_the_inventory() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    furnish(engine).await;
    let fixed = json!([
        { "step": "set_groups", "groups": ["east", "west"] },
        { "step": "set_ra_profile", "ra_profile": "p" },
        { "step": "set_owner", "owner": "ada" },
        { "step": "set_attribute", "attribute": "team", "value": "blue" },
    ]);
    let copied = json!([
        { "step": "set_groups", "groups": { "from": "object.attribute.team" } },
        { "step": "set_ra_profile", "ra_profile": "" },
        { "step": "set_owner", "owner": { "from": "object.attribute.boss" } },
        { "step": "set_attribute", "attribute": "team", "value": { "from": "object.cn" } },
        { "step": "set_attribute", "attribute": "boss", "value": { "from": "origin" } },
        { "step": "set_path", "path": "/{subject_kind}/{object.cn}" },
    ]);
    let cleared = json!([
        { "step": "set_groups", "groups": [] },
        { "step": "set_owner", "owner": "" },
        { "step": "set_attribute", "attribute": "team" },
    ]);
    let mut objects = Vec::new();
    for (name, steps) in [("fixed", fixed), ("copied", copied), ("cleared", cleared)] {
        let filter = format!("object.path:/{name} detail.changes.member:path");
        objects.push((Class::Rule, name, rule(&filter)));
        objects.push((Class::Action, name, action(steps)));
        objects.push((Class::Trigger, name, trigger(&["certificate.update"], &[name], &[name])));
    }
    save(engine, &objects).await.unwrap();
    // The versions that acted are known: of this action and its trigger there is a second one.
    let second = action(json!([{ "step": "set_owner", "owner": "ada" }]));
    save(engine, &[(Class::Action, "fixed", second), objects[2].clone()]).await.unwrap();
    save(engine, &[objects[1].clone()]).await.unwrap();
    let wish = PlacementRequest {
        attributes: attributes(&[("boss", "ada"), ("team", "x")]),
        ..PlacementRequest::default()
    };
    let id = upload(engine, leaf("www.example.com"), wish).await.remove(0).unwrap();
    moved(engine, id, "/fixed").await;
    let rows = kept(engine, "trigger:fixed verdict:matched").await;
    let steps: Value = serde_json::from_str(&rows[0].steps).unwrap();
    let why: Value = serde_json::from_str(&rows[0].explanation).unwrap();
    assert_eq!((rows[0].revision, rows[0].trigger_version), (3, 1), "{rows:?}");
    assert_eq!((&steps[0]["version"], &why[0]["version"]), (&json!(3), &json!(1)));
    let seen = async || place(&engine.certificate(&context(engine), id).await.unwrap());
    assert_eq!(seen().await, "east,west | p | ada | /fixed | boss=ada,team=blue");

    let wish = PlacementRequest {
        attributes: attributes(&[("team", "west")]),
        owner: Some(String::new()),
        path: Some("/copied".to_owned()),
        ..PlacementRequest::default()
    };
    engine.update_certificate(&context(engine), id, None, wish).await.unwrap();
    assert_eq!(kept(engine, "trigger:copied verdict:matched").await.len(), 1);
    let wanted = "west | - | ada | /certificate/www.example.com | boss=cli,team=www.example.com";
    assert_eq!(seen().await, wanted);

    moved(engine, id, "/cleared").await;
    assert_eq!(kept(engine, "trigger:cleared verdict:matched").await.len(), 1);
    assert_eq!(seen().await, " | - | - | /cleared | boss=cli");
    running.stop().await.unwrap();
}

on_each_backend!(the_log_says_where_a_certificate_belongs_on_entry, 2);

async fn the_log_says_where_a_certificate_belongs_on_entry() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    let ada = furnish(engine).await;
    // As it is: there is nothing to say.
    upload(engine, leaf("plain.example"), PlacementRequest::default()).await.remove(0).unwrap();
    let steps = json!([
        { "step": "set_groups", "groups": ["west", "east"] },
        { "step": "set_owner", "owner": "admin" },
        { "step": "set_attribute", "attribute": "boss", "value": "Grace" },
    ]);
    let objects = [
        (Class::Rule, "asked", rule("object.path:/prod detail.changes.member:trust_anchor")),
        (Class::Action, "place", action(steps)),
        (Class::Trigger, "placing", trigger(&["certificate.uploaded"], &["asked"], &["place"])),
    ];
    save(engine, &objects).await.unwrap();
    let wish = PlacementRequest {
        owner: Some("ada".to_owned()),
        path: Some("/prod".to_owned()),
        trust_anchor: Some(true),
        attributes: attributes(&[("team", "blue")]),
        ..PlacementRequest::default()
    };
    upload(engine, leaf("www.example"), wish.clone()).await.remove(0).unwrap();
    let many = upload(engine, pem((0..101).map(|number| format!("{number}.example"))), wish).await;
    assert!(many.iter().all(Result::is_ok));

    let told = events(engine, "type:certificate.uploaded").await;
    assert_eq!((told.len(), told[0].event.detail.get("changes")), (103, None));
    let wanted = json!([
        { "member": "owner", "after": ada.to_string() },
        { "member": "path", "after": "/prod" },
        { "member": "trust_anchor", "after": true },
        { "member": "groups", "after": ["east", "west"] },
        { "member": "attributes.boss" },
        { "member": "attributes.team" },
    ]);
    let values = json!([
        { "member": "attributes.boss", "before": null, "after": "Grace" },
        { "member": "attributes.team", "before": null, "after": "blue" },
    ]);
    for seen in &told[1..] {
        assert_eq!(seen.event.detail["changes"], wanted);
        assert_eq!(seen.event.personal().unwrap().detail["changes"], values);
    }
    running.stop().await.unwrap();
}

on_each_backend!(conditions_see_what_an_upload_asks_for, 2);

async fn conditions_see_what_an_upload_asks_for() {
    let (_dir, running) = running().await;
    let engine = running.engine();
    furnish(engine).await;
    let ignore = json!({ "event_types": ["certificate.uploaded"], "rules": ["unowned"],
        "ignore": true });
    let steps = json!([
        { "step": "set_ra_profile", "ra_profile": "p" },
        { "step": "set_attribute", "attribute": "team", "value": "lost" },
        { "step": "set_attribute", "attribute": "boss", "value": { "from": "object.owner" } },
    ]);
    let asked = "object.path:/prod object.attribute.team:x object.group:west object.owner:ada";
    let objects = [
        (Class::Rule, "unowned", rule("-object.owner:*")),
        (Class::Rule, "asked", rule(asked)),
        (Class::Action, "place", action(steps)),
        (Class::Trigger, "no-orphans", ignore),
        (Class::Trigger, "placing", trigger(&["certificate.uploaded"], &["asked"], &["place"])),
    ];
    save(engine, &objects).await.unwrap();
    let wish = || PlacementRequest {
        groups: Some(vec!["west".to_owned()]),
        owner: Some("ada".to_owned()),
        path: Some("/prod".to_owned()),
        attributes: attributes(&[("team", "x")]),
        ..PlacementRequest::default()
    };
    let orphan = upload(engine, leaf("a.example"), PlacementRequest::default()).await.remove(0);
    assert!(matches!(orphan, Err(Error::Ignored { trigger }) if trigger == "no-orphans"));
    // The request has the last word on what it says itself.
    let placed = "west | p | ada | /prod | boss=ada,team=x";
    let id = upload(engine, leaf("b.example"), wish()).await.remove(0).unwrap();
    let view = engine.certificate(&context(engine), id).await.unwrap();
    assert_eq!(place(&view), placed);

    // Many at once are asked about in the same way.
    let names = (0..120).map(|number| format!("{number}.example"));
    let entered = upload(engine, pem(names.clone()), wish()).await;
    assert_eq!(entered.len(), 120);
    let last = entered.into_iter().last().unwrap().unwrap();
    let view = engine.certificate(&context(engine), last).await.unwrap();
    assert_eq!(place(&view), placed);
    let more = names.map(|name| format!("www.{name}"));
    let ignored = upload(engine, pem(more), PlacementRequest::default()).await;
    assert!(ignored.iter().all(|one| matches!(one, Err(Error::Ignored { .. }))));

    // Who is not there cannot be seen, and that is what is wrong with the request.
    let nobody = PlacementRequest { owner: Some("zoe".to_owned()), ..wish() };
    let refused = upload(engine, leaf("c.example"), nobody).await.remove(0);
    assert!(
        matches!(&refused, Err(Error::Invalid { field, .. }) if field == "owner"),
        "{refused:?}"
    );
    let failed = events(engine, "type:certificate.upload outcome:failure reason:invalid").await;
    assert_eq!(failed.len(), 1);
    running.stop().await.unwrap();
}
