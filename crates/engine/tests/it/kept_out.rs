//! What triggers keep out of the inventory: what the log says of it, and whom it is told.

use std::time::{Duration, Instant};

use chancery_engine::automation::{Class, Edit};
use chancery_engine::history::SeenEvent;
use chancery_engine::inventory::{UploadAnswer, UploadMode};
use chancery_engine::reaction::record::EvaluationQuery;
use chancery_engine::{Context, Engine, Error, Role, Settings};
use chancery_event::Environment;
use chancery_throwaway::on_each_backend;
use serde_json::{Value, json};

use crate::access::events;
use crate::notification::World;
use crate::upload::{leaf, settings, upload_of};

const LIMIT: Duration = Duration::from_secs(60);
/// More than are uploaded one by one.
const MANY: usize = 120;

/// A trigger that keeps out what is called `*.test`, and what it does then.
async fn keep_out(engine: &Engine, steps: Value) {
    let put = |class, name: &str, body: Value| Edit {
        class,
        name: name.to_owned(),
        body: Some(body),
        enabled: true,
    };
    let trigger = json!({ "event_types": ["certificate.uploaded"], "rules": ["test"],
        "actions": ["tell"], "ignore": true });
    let edits = vec![
        put(Class::Rule, "test", json!({ "filter": "object.cn:*.test" })),
        put(Class::Action, "tell", json!({ "steps": steps })),
        put(Class::Trigger, "no-tests", trigger),
    ];
    let context = Context::command_line(engine.environment());
    engine.apply_automation(&context, None, edits).await.unwrap();
}

pub(crate) fn pem(names: impl Iterator<Item = String>) -> Vec<u8> {
    let one = |name: String| {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(leaf(&name));
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    names.map(one).collect::<String>().into_bytes()
}

/// The uploads that failed, as soon as there are so many.
async fn refusals(engine: &Engine, wanted: usize) -> Vec<SeenEvent> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let refused = events(engine, "type:certificate.upload outcome:failure").await;
        if refused.len() >= wanted {
            return refused;
        }
        assert!(Instant::now() < deadline, "{} of {wanted}", refused.len());
    }
}

on_each_backend!(only_a_verbose_audit_says_which_certificate_was_kept_out, 2);
async fn only_a_verbose_audit_says_which_certificate_was_kept_out() {
    for verbose in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            allow_unencrypted_key: true,
            monitors: false,
            verbose_audit: verbose,
            ..settings(dir.path())
        };
        let running = Engine::start(settings, Environment::system()).await.unwrap();
        let engine = running.engine();
        let context = Context::command_line(engine.environment());
        keep_out(engine, json!([{ "step": "raise_alert", "kind": "odd", "title": "kept out" }]))
            .await;

        // One at once, twice; one as a job; many together.
        let der = leaf("sync.test");
        for _ in 0..2 {
            let answer = engine.upload(&context, upload_of(der.clone())).await.unwrap();
            let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
            assert!(
                matches!(&items[0].result, Err(Error::Ignored { trigger }) if trigger == "no-tests")
            );
        }
        let mut later = upload_of(leaf("async.test"));
        later.mode = UploadMode::Async;
        engine.upload(&context, later).await.unwrap();
        let bulk = pem((0..MANY).map(|number| format!("n{number}.bulk.test")));
        let answer = engine.upload(&context, upload_of(bulk)).await.unwrap();
        let UploadAnswer::Done(items) = answer else { panic!("a synchronous upload is done") };
        assert!(items.iter().all(|item| matches!(item.result, Err(Error::Ignored { .. }))));

        let wanted = 3 + MANY;
        let refused = refusals(engine, wanted).await;
        let mut named = 0;
        for seen in &refused {
            let (event, detail) = (&seen.event, Value::Object(seen.event.detail.clone()));
            assert_eq!(event.outcome.reason.as_deref(), Some("ignored"), "{detail}");
            assert!(event.outcome.message.as_deref().unwrap().contains("no-tests"));
            assert_eq!(detail["fingerprint_sha256"].is_string(), verbose, "{detail}");
            assert_eq!(format!("{event:?}").contains(".test\""), verbose, "{event:?}");
            if verbose {
                assert_eq!(detail["fingerprint_sha256"].as_str().unwrap().len(), 64);
                named += usize::from(detail["subject_dn"] == "CN=async.test");
            }
            let reactions = engine.reactions(&context, event.id).await.unwrap();
            assert_eq!(reactions.len(), 1, "each refusal has its own record");
            assert_eq!((&*reactions[0].verdict, reactions[0].object.as_deref()), ("ignored", None));
        }
        assert_eq!(named, usize::from(verbose));
        let modes =
            |mode: &str| refused.iter().filter(|one| one.event.detail["mode"] == mode).count();
        assert_eq!((modes("async"), modes("sync")), (1, wanted - 1));
        // Records never say which it was, and one alert stands for what is sent again.
        let filter = engine.parse_evaluation_filter("trigger:no-tests").unwrap();
        let query = EvaluationQuery { filter, before: None, after: None, limit: 1_000 };
        let rows = engine.evaluations(&context, &query).await.unwrap().items;
        assert_eq!(rows.len(), wanted);
        let told = format!("{rows:?}");
        assert!(!told.contains("sync.test") && !told.contains("bulk.test"), "{told}");
        assert_eq!(events(engine, "type:alert.raised origin:trigger").await.len(), wanted - 1);
        let all = engine.parse_certificate_filter("").await.unwrap();
        assert_eq!(engine.certificate_count(&context, &all).await.unwrap(), 0);
        running.stop().await.unwrap();
    }
}

on_each_backend!(whoever_is_told_of_what_was_kept_out_learns_which_it_was);
async fn whoever_is_told_of_what_was_kept_out_learns_which_it_was() {
    let mut world = World::start().await;
    world.account("ada", Role::Operator).await;
    let context = world.context.clone();
    let template = json!({
        "event_types": ["certificate.upload"],
        "subject": "Kept out: {{ object.cn }}",
        "text": "{{ object.subject }} of {{ object.issuer }}, {{ object.serial }}, \
                 {{ object.fingerprint }}, until {{ object.expires }}, by {{ trigger }}",
    });
    let profile = json!({ "recipients": ["account:ada"], "channels": ["mail"], "template": "t" });
    for (class, name, body) in [(Class::Template, "t", template), (Class::Profile, "p", profile)] {
        world.engine().create_automation(&context, class, name, body, true).await.unwrap();
    }
    keep_out(world.engine(), json!([{ "step": "notify", "profile": "p" }])).await;
    let der = leaf("secret.test");
    let known = chancery_pki::Certificate::parse(&der).unwrap();
    world.engine().upload(&context, upload_of(der)).await.unwrap();
    world.settle().await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1);
    let message = &mails[0].1;
    assert_eq!(message.subject, "Kept out: secret.test");
    let fingerprint: String =
        known.fingerprint_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let end = chancery_event::Timestamp::from_micros(known.not_after);
    let (words, link) = message.text.split_once("\n\n").unwrap();
    assert!(link.contains("/events/"), "{link}");
    assert_eq!(
        words,
        format!(
            "CN=secret.test of CN=secret.test, {}, {fingerprint}, until {end}, by no-tests",
            known.serial
        )
    );
}
