//! What a browser test begins with: a server over a prepared directory, a driver, people.

use std::path::{Path, PathBuf};

use chancery_engine::access::{NewAccount, NewToken};
use chancery_engine::automation::Class;
use chancery_engine::configuration::attribute::AttributeDraft;
use chancery_engine::configuration::{LabelClass, LabelDraft};
use chancery_engine::intake::NewSource;
use chancery_engine::inventory::{PlacementRequest, Source, Upload, UploadMode};
use chancery_engine::{Context, Engine, Error, Role, Settings};
use chancery_event::Environment;
use chancery_testkit::{Authority, Driver, Tab, Wishes};
use serde_json::json;
use tempfile::TempDir;

use crate::process::{ORIGIN, Process};

/// Of the administrator, `admin`.
pub(super) const PASSWORD: &str = "correct horse battery staple";
/// A name that is longer than any column.
pub(super) const LONG: &str = "a-host-name-as-long-as-the-names-that-machines-make-up.\
     with-several-labels-of-sixty-three-characters-and-no-place-to-break.internal.example.org";

/// A server in its own directory, and a driver for browsers.
pub(super) struct World {
    pub(super) process: Process,
    driver: Driver,
    dir: TempDir,
}

impl World {
    /// As a new installation has it.
    pub(super) async fn new() -> Self {
        Self::with(false).await
    }

    /// With certificates, labels, attributes, jobs, refusals and people in it.
    pub(super) async fn furnished() -> Self {
        Self::with(true).await
    }

    async fn with(furnished: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path(), furnished).await;
        let process = Process::start(dir.path());
        Self { process, driver: Driver::start(), dir }
    }

    /// Where the browsers of this world put what they download.
    pub(super) fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    /// A browser where nobody has signed in.
    pub(super) async fn tab(&self) -> Tab {
        let downloads = self.downloads();
        std::fs::create_dir_all(&downloads).unwrap();
        let wishes = Wishes { downloads: Some(&downloads), ..Wishes::default() };
        self.driver.open(&self.process.url, wishes).await
    }

    /// A browser where scripts do not run.
    pub(super) async fn tab_without_scripts(&self) -> Tab {
        let wishes = Wishes { without_scripts: true, ..Wishes::default() };
        self.driver.open(&self.process.url, wishes).await
    }

    /// A browser where the administrator has signed in.
    pub(super) async fn administrator(&self) -> Tab {
        let tab = self.tab().await;
        sign_in(&tab, "admin", PASSWORD).await;
        tab
    }

    /// Ends the browsers, then the server, in order.
    pub(super) fn end(self) {
        drop(self.driver);
        self.process.stop();
    }
}

/// Signs in through the page, and waits until that has led somewhere else.
pub(super) async fn sign_in(tab: &Tab, name: &str, password: &str) {
    tab.go("/login").await;
    tab.fill("input[name=name]", name).await;
    tab.fill("input[name=password]", password).await;
    tab.click("form.form button").await;
    tab.find("header.top").await;
}

async fn prepare(dir: &Path, furnished: bool) {
    let settings = Settings {
        log_origin: ORIGIN.to_owned(),
        allow_unencrypted_key: true,
        admin_password: Some(PASSWORD.to_owned().into()),
        database: chancery_throwaway::database_of(dir).map(|url| url.parse().unwrap()),
        ..Settings::new(dir)
    };
    let running = Engine::start(settings, Environment::system()).await.unwrap();
    if furnished {
        furnish(running.engine()).await;
    }
    running.stop().await.unwrap();
}

/// Triggers that match, that nearly match and that ignore.
async fn automate(engine: &Engine, context: &Context) {
    let objects = [
        (
            Class::Rule,
            "weak-keys",
            json!({ "title": "Weak RSA keys",
            "description": "What has to be issued anew with a longer key.",
            "filter": "object.key_algorithm:RSA object.key_size<3072" }),
        ),
        (Class::Rule, "unwanted", json!({ "filter": "object.cn:unwanted.example.org" })),
        (
            Class::Action,
            "warn",
            json!({ "title": "Warn the operators", "steps": [
            { "step": "raise_alert", "kind": "weak_key", "severity": "warning",
              "title": "{object.cn} has a weak key", "message": "{object.key_size} bits." },
            { "step": "notify", "to": "role:operator", "title": "{object.cn} came in" } ] }),
        ),
        (
            Class::Action,
            "own",
            json!({ "steps": [
            { "step": "set_owner", "owner": { "from": "object.attribute.ticket" } } ] }),
        ),
        (
            Class::Trigger,
            "weak-keys",
            json!({ "title": "Weak keys that come in",
            "event_types": ["certificate.uploaded", "certificate.status_changed"],
            "rules": ["weak-keys"], "actions": ["warn"], "order": 10 }),
        ),
        (
            Class::Trigger,
            "everything",
            json!({ "event_types": ["certificate.uploaded"],
            "actions": ["own"], "order": 20 }),
        ),
        (
            Class::Trigger,
            "unwanted",
            json!({ "event_types": ["certificate.uploaded"],
            "rules": ["unwanted"], "ignore": true }),
        ),
        (
            Class::Scope,
            "web-team",
            json!({ "kind": "group", "name": "web team",
            "mode": "replace" }),
        ),
    ];
    for (class, name, body) in objects {
        engine.create_automation(context, class, name, body, true).await.unwrap();
    }
}

async fn furnish(engine: &Engine) {
    let context = Context::command_line(engine.environment());
    engine.load_demonstration(None).await.unwrap();
    for name in ["web team", "payments", LONG] {
        let draft = LabelDraft { name: name.chars().take(100).collect(), description: LONG.into() };
        engine.create_label(&context, LabelClass::Group, draft).await.unwrap();
    }
    let profile = LabelDraft { name: "public servers".into(), description: String::new() };
    engine.create_label(&context, LabelClass::RaProfile, profile).await.unwrap();
    let attribute = |name: &str, kind: &str, choices: &[&str]| AttributeDraft {
        name: name.to_owned(),
        label: format!("The {name}"),
        description: "What is written down about it.".to_owned(),
        kind: kind.to_owned(),
        choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        required: false,
    };
    for draft in [
        attribute("ticket", "string", &[]),
        attribute("remarks", "text", &[]),
        attribute("critical", "boolean", &[]),
        attribute("stages", "list", &["test", "production"]),
    ] {
        engine.create_attribute(&context, draft).await.unwrap();
    }
    automate(engine, &context).await;
    receive(engine, &context).await;
    let authority = Authority::new("Furniture CA", engine.environment().now());
    let leaf = authority.leaf(LONG, engine.environment().now(), 20).to_pem();
    let placement = PlacementRequest {
        groups: Some(vec!["web team".to_owned(), "payments".to_owned()]),
        ra_profile: Some("public servers".to_owned()),
        owner: Some("admin".to_owned()),
        path: Some("/production/a-folder-with-a-long-name/another-folder-with-a-long-name".into()),
        ..PlacementRequest::default()
    };
    let upload = |pem: &str, mode| Upload {
        bytes: pem.as_bytes().to_vec(),
        password: None,
        placement: placement.clone(),
        mode,
        source: Source::Upload,
    };
    engine.upload(&context, upload(&leaf, UploadMode::Sync)).await.unwrap();
    // A duplicate and a bad one: refusals are events too.
    engine.upload(&context, upload(&leaf, UploadMode::Sync)).await.unwrap();
    engine.upload(&context, upload("nothing of the kind", UploadMode::Sync)).await.unwrap_err();
    engine.upload(&context, upload(&authority.pem(), UploadMode::Async)).await.unwrap();
    let viewer = NewAccount {
        name: "vera.viewer".to_owned(),
        display_name: "Vera Viewer".to_owned(),
        email: Some("vera@example.org".to_owned()),
        role: Role::Viewer.to_string(),
        password: Some("a first password of some length".to_owned().into()),
        expires_at: None,
    };
    engine.create_account(&context, viewer).await.unwrap();
    let admin = engine.accounts(&context).await.unwrap().remove(0);
    let token = NewToken {
        name: "for the nightly report".to_owned(),
        account: Some(admin.id.to_string()),
        role: Some(Role::Auditor.to_string()),
        days: 1,
    };
    engine.create_token(&context, token).await.unwrap();
    run_monitors(engine, &context).await;
}

/// A source that may send.
async fn receive(engine: &Engine, context: &Context) {
    let source = NewSource {
        name: "okta".to_owned(),
        dialect: "okta".to_owned(),
        addresses: vec!["10.0.0.0/8".to_owned()],
        ..NewSource::default()
    };
    engine.create_intake_source(context, source).await.unwrap();
}

/// Lets monitors and a schedule run once.
async fn run_monitors(engine: &Engine, context: &Context) {
    let patience = std::time::Duration::from_secs(60);
    assert!(engine.settle(patience).await && engine.reacted(patience).await);
    // What was queued before has come in.
    let deadline = std::time::Instant::now() + patience;
    let open = engine.parse_job_filter("state:queued,running").unwrap();
    while engine.job_count(context, &open).await.unwrap() > 0 {
        assert!(std::time::Instant::now() < deadline, "a job does not end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(engine.settle(patience).await && engine.reacted(patience).await);
    for name in ["certificate-expiry", "internal", "limits", "jobs", "token-expiry"] {
        // At the full hour the clock runs it, too.
        while let Err(error) = engine.run_task(context, Class::Monitor, name).await {
            let is_running = matches!(&error, Error::Conflict { reason: "running", .. });
            assert!(is_running && std::time::Instant::now() < deadline, "{name}: {error}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    engine.run_task(context, Class::Schedule, "log-verification").await.unwrap();
    assert!(engine.settle(patience).await && engine.reacted(patience).await);
}
