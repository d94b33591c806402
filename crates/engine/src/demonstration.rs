//! The demonstration: a small authority of its own and certificates close to and past their end,
//! plainly marked, so that a newcomer sees the program at work.

use std::time::Duration;

use chancery_event::Timestamp;
use chancery_pki::Certificate;
use chancery_pki::make::{self, Issuer, Key, MakeError, Template};
use chancery_store::Tx;
use chancery_store::table::{automation as definitions, task};
use serde_json::json;

use crate::automation::Class;
use crate::configuration::{LabelClass, LabelDraft};
use crate::inventory::{PlacementRequest, Source, Upload, UploadMode};
use crate::{Context, Engine, Error};

/// Name, days since its start, days until its end (negative: past).
const LEAVES: &[(&str, i64, i64)] = &[
    ("www.demonstration.example", 60, 29),
    ("www.demonstration.example", 120, -31),
    ("shop.demonstration.example", 85, 4),
    ("api.demonstration.example", 89, 1),
    ("mail.demonstration.example", 380, 17),
    ("vpn.demonstration.example", 400, -2),
    ("wiki.demonstration.example", 30, 60),
    ("build.demonstration.example", 10, 37),
    ("registry.demonstration.example", 5, 85),
    ("git.demonstration.example", 365, -14),
    ("git.demonstration.example", 20, 345),
    ("legacy.demonstration.example", 800, 12),
];

impl Engine {
    /// Brings in the machine's own CA certificates as trust anchors, and the demonstration's.
    /// Answers how many of each entered.
    ///
    /// # Errors
    /// The store refuses. A bundle that cannot be read counts as empty.
    pub async fn load_demonstration(
        &self,
        bundle: Option<Vec<u8>>,
    ) -> Result<(usize, usize), Error> {
        let mut of_machine = 0;
        if let Some(bytes) = bundle {
            let placement = PlacementRequest {
                path: Some("/machine/ca-certificates".to_owned()),
                trust_anchor: Some(true),
                ..PlacementRequest::default()
            };
            of_machine = self.bring_in(bytes, placement, Source::Import).await?;
        }
        let made = authority(self.environment().now(), &self.environment().random::<16>())
            .map_err(|error| Error::Internal(format!("demonstration: {error}")))?;
        let anchor = PlacementRequest {
            path: Some("/demonstration".to_owned()),
            trust_anchor: Some(true),
            ..PlacementRequest::default()
        };
        let mut own = self.bring_in(made.root, anchor, Source::Demonstration).await?;
        let placement = PlacementRequest {
            path: Some("/demonstration/servers".to_owned()),
            ..PlacementRequest::default()
        };
        for der in made.leaves {
            own += self.bring_in(der, placement.clone(), Source::Demonstration).await?;
        }
        Ok((of_machine, own))
    }

    /// Makes a rule, an action and a trigger that put the servers of the demonstration into a
    /// group as they come in.
    ///
    /// # Errors
    /// They are there already, or the store refuses.
    pub async fn demonstrate_automation(&self) -> Result<(), Error> {
        let context = Context::command_line(self.environment());
        let group = LabelDraft {
            name: "Demonstration servers".to_owned(),
            description: "Filled by the trigger of the demonstration.".to_owned(),
        };
        self.create_label(&context, LabelClass::Group, group).await?;
        let objects = [
            (Class::Rule, json!({ "filter": "object.name:*.demonstration.example" })),
            (
                Class::Action,
                json!({ "steps": [{ "step": "add_group", "group": "Demonstration servers" }] }),
            ),
            (
                Class::Trigger,
                json!({
                    "title": "Demonstration servers belong together",
                    "event_types": ["certificate.uploaded"],
                    "rules": ["demonstration-servers"],
                    "actions": ["demonstration-servers"],
                }),
            ),
        ];
        for (class, body) in objects {
            let name = "demonstration-servers";
            self.create_automation(&context, class, name, body, true).await?;
        }
        Ok(())
    }

    /// Lets the monitors run as soon as all that is there is under seal, so that a newcomer sees
    /// what they report and need not wait for their timetables. Gives up after a minute: the first
    /// page does not wait for this.
    ///
    /// # Errors
    /// The store refuses.
    pub async fn hasten_monitors(&self) -> Result<(), Error> {
        let class = Class::Monitor.as_str();
        let mut sealed = self.sealed();
        for _ in 0..300 {
            sealed.mark_unchanged();
            let mut link = self.link().await?;
            let wanted = definitions::of_class(&mut link, class).await?.len();
            let tasks = task::all(&mut link).await?;
            if tasks.iter().filter(|task| task.class == class).count() == wanted {
                break;
            }
            drop(link);
            let _ = tokio::time::timeout(Duration::from_millis(100), sealed.changed()).await;
        }
        self.settle(Duration::from_secs(30)).await;
        let now = self.environment().now();
        self.0
            .store
            .transaction("demonstration.hasten", move |tx: &mut Tx| {
                Box::pin(async move {
                    for task in task::all(tx).await?.iter().filter(|task| task.class == class) {
                        task::plan(tx, class, &task.name, now).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }

    async fn bring_in(
        &self,
        bytes: Vec<u8>,
        placement: PlacementRequest,
        source: Source,
    ) -> Result<usize, Error> {
        let upload = Upload { bytes, password: None, placement, mode: UploadMode::Sync, source };
        // Each upload is a request of its own.
        let context = Context::command_line(self.environment());
        match self.upload(&context, upload).await? {
            crate::inventory::UploadAnswer::Done(items) => {
                Ok(items.iter().filter(|item| item.result.is_ok()).count())
            }
            crate::inventory::UploadAnswer::Queued(_) => Ok(0),
        }
    }
}

struct Made {
    root: Vec<u8>,
    leaves: Vec<Vec<u8>>,
}

fn authority(now: Timestamp, seed: &[u8; 16]) -> Result<Made, MakeError> {
    let key = |name: &str| Key::from_seed(&[seed.as_slice(), name.as_bytes()].concat());
    let at = |days: i64| now.plus(days * Timestamp::DAY).micros();
    let root_key = key("root")?;
    let name = "Chancery demonstration CA (not for use)";
    let mut template = Template::ca(name, at(-900), at(1_000));
    template.serial = make::serial(&[seed.as_slice(), b"root"].concat());
    let root = make::certificate(&template, &root_key, None)?;
    let parsed = Certificate::parse(&root).map_err(|_| MakeError::Refused)?;
    let issuer = Issuer { certificate: &parsed, key: &root_key };
    let mut leaves = Vec::with_capacity(LEAVES.len() + 1);
    for (position, (name, since, until)) in LEAVES.iter().enumerate() {
        let mut template = Template::leaf(&[name], at(-since), at(*until));
        template.serial = make::serial(&[seed.as_slice(), &position.to_be_bytes()].concat());
        let label = format!("{name} {position}");
        leaves.push(make::certificate(&template, &key(&label)?, Some(&issuer))?);
    }
    // One that nobody vouches for.
    let alone = "printer.demonstration.example";
    let template = Template::leaf(&[alone], at(-200), at(165));
    leaves.push(make::certificate(&template, &key(alone)?, None)?);
    Ok(Made { root, leaves })
}
