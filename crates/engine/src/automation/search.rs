//! Searching objects of automation. There are few of them, and how it goes with them is not stored:
//! the filter is asked of each one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chancery_event::filter::{
    Field, FieldKind, Filter, Keywords, Object as Searched, Schema, Value as FieldValue, Values,
};
use chancery_event::{EventType, Timestamp};
use serde_json::Value;

use super::{Class, Object};
use crate::monitor::{Kind, TaskView};
use crate::{Context, Engine, Error};

/// An object of automation with how it goes.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The object.
    pub object: Object,
    /// What keeps it from working, where something does.
    pub problem: Option<String>,
    /// How it runs: monitors and schedules.
    pub task: Option<TaskView>,
}

impl Listed {
    /// How it goes, in the word that filters use: `on`, `off` or `broken`; of monitors and
    /// schedules `on_time`, `paused`, `broken`, `running`, `missing` or `failed`.
    pub fn state(&self) -> &'static str {
        let failed = |task: &TaskView| task.last.as_ref().is_some_and(|run| run.state == "failed");
        match &self.task {
            _ if self.problem.is_some() => "broken",
            Some(task) if task.missing => "missing",
            Some(task) if task.running => "running",
            Some(_) if !self.object.enabled => "paused",
            Some(task) if failed(task) => "failed",
            Some(_) => "on_time",
            None if self.object.enabled => "on",
            None => "off",
        }
    }

    /// The values of a field as texts, for counting.
    pub fn words(&self, field: &str) -> Vec<String> {
        let text = |value: &FieldValue<'_>| match value {
            FieldValue::Text(text) => Some(text.to_string()),
            _ => None,
        };
        self.values(field).as_slice().iter().filter_map(text).collect()
    }

    /// The values of a member of the body: a text, a list of texts, or a condition.
    fn member(&self, name: &str) -> Values<'_> {
        match &self.object.body[name] {
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => Values::texts(items.iter().filter_map(Value::as_str)),
            Value::Null => Values::None,
            // A condition may be a tree.
            tree => Filter::from_json(tree, &crate::reaction::all_fields(&[]))
                .map_or(Values::None, |filter| filter.to_text().into()),
        }
    }
}

/// The fields of a class, beside those that all have.
fn own_fields(class: Class) -> Vec<Field> {
    let text = |name: &str, doc: &str| Field::new(name, FieldKind::Text, doc);
    let open = |name: &str, doc: &str| Field::new(name, FieldKind::Keyword(Keywords::open()), doc);
    let known = |name: &str, doc: &str, words: Vec<&str>| {
        Field::new(name, FieldKind::Keyword(Keywords::known(words)), doc)
    };
    let event_type = || {
        let words = EventType::ALL.iter().map(|known| known.name()).collect();
        known("event_type", "A type of events that it names", words)
    };
    let bound = || {
        let words = vec!["platform", "group", "ra_profile", "discovery"];
        known("scope", "What it is bound to", words)
    };
    match class {
        Class::Rule => vec![text("condition", "Its condition, as text")],
        Class::Action => vec![open("step", "The word of a step")],
        Class::Trigger => vec![
            event_type(),
            open("rule", "A rule that has to hold"),
            open("action", "An action that it carries out"),
            Field::new("ignore", FieldKind::Boolean, "Whether it keeps a certificate out"),
            bound(),
        ],
        Class::Scope => vec![
            bound(),
            known("mode", "How its triggers go together with others", vec!["add", "replace"]),
        ],
        Class::Monitor => {
            vec![known("kind", "What it looks at", Kind::ALL.map(Kind::as_str).to_vec())]
        }
        Class::Schedule => vec![open("job", "The kind of job that it queues")],
        Class::Profile => vec![
            open("recipient", "Whom it tells: owner, role:operator, …"),
            open("channel", "A channel that it tells by"),
            open("template", "The template that it writes with"),
        ],
        Class::Template => vec![event_type(), text("subject", "Its subject")],
    }
}

fn is_task(class: Class) -> bool {
    matches!(class, Class::Monitor | Class::Schedule)
}

fn states(class: Class) -> Keywords {
    match class {
        class if is_task(class) => {
            let words = ["on_time", "paused", "broken", "running", "missing", "failed"];
            Keywords::known(words).alias("on", "on_time").alias("off", "paused")
        }
        Class::Trigger => Keywords::known(["on", "off", "broken"]),
        _ => Keywords::known(["on", "off"]),
    }
}

/// The fields that the objects of a class are filtered by.
pub fn schema(class: Class) -> Schema {
    let time = |name: &str, doc: &str| Field::new(name, FieldKind::Timestamp, doc);
    let mut fields = vec![
        Field::new("name", FieldKind::Keyword(Keywords::open()), "Its name"),
        Field::new("title", FieldKind::Text, "What people call it"),
        Field::new("state", FieldKind::Keyword(states(class)), "How it goes"),
        Field::new("version", FieldKind::Integer, "Counts its changes"),
        time("changed", "When it was changed last"),
    ];
    if is_task(class) {
        fields.push(time("last_run", "When it ran last"));
        fields.push(time("next_run", "When it is due"));
    }
    fields.extend(own_fields(class));
    Schema::new(class.as_str(), fields)
}

impl Searched for Listed {
    fn values(&self, field: &str) -> Values<'_> {
        let (object, task) = (&self.object, self.task.as_ref());
        let time = |at: Option<Timestamp>| at.map_or(Values::None, |at| Values::time(at.micros()));
        match field {
            "name" => object.name.as_str().into(),
            "title" => object.title().into(),
            "state" => self.state().into(),
            "version" => object.version.into(),
            "changed" => time(Some(object.changed_at)),
            "last_run" => time(task.and_then(|task| Some(task.last.as_ref()?.started_at))),
            "next_run" => time(task.and_then(|task| task.next_at)),
            "ignore" => (object.body["ignore"] == true).into(),
            "step" => {
                let steps = object.body["steps"].as_array().into_iter().flatten();
                Values::texts(steps.filter_map(|step| step["step"].as_str()))
            }
            "scope" if object.class == Class::Trigger => {
                object.body["scope"]["kind"].as_str().unwrap_or("platform").into()
            }
            "scope" => self.member("kind"),
            "mode" => object.body["mode"].as_str().unwrap_or("add").into(),
            "event_type" => self.member("event_types"),
            "rule" => self.member("rules"),
            "action" => self.member("actions"),
            "condition" => self.member("filter"),
            "job" => self.member("job_kind"),
            "recipient" => self.member("recipients"),
            "channel" => self.member("channels"),
            "kind" | "template" | "subject" => self.member(field),
            _ => Values::None,
        }
    }

    fn texts(&self) -> Vec<Cow<'_, str>> {
        let mut texts = vec![Cow::Borrowed(self.object.name.as_str())];
        said(&self.object.body, &mut texts);
        texts
    }
}

/// Every text of a body.
fn said<'a>(value: &'a Value, texts: &mut Vec<Cow<'a, str>>) {
    match value {
        Value::String(text) => texts.push(Cow::Borrowed(text)),
        Value::Array(items) => items.iter().for_each(|item| said(item, texts)),
        Value::Object(members) => members.values().for_each(|member| said(member, texts)),
        _ => {}
    }
}

impl Engine {
    /// The objects of a class that fit a filter, by name.
    ///
    /// # Errors
    /// The filter cannot be understood, or the caller may not see them.
    pub async fn find_automation(
        &self,
        context: &Context,
        class: Class,
        filter: &str,
    ) -> Result<Vec<Listed>, Error> {
        let schema = schema(class);
        let filter = Filter::parse(filter, &schema)?.compile(&schema)?;
        let now = self.environment().now().micros();
        let mut listed = self.listed(context, class).await?;
        listed.retain(|one| filter.holds(one, now));
        Ok(listed)
    }

    async fn listed(&self, context: &Context, class: Class) -> Result<Vec<Listed>, Error> {
        if is_task(class) {
            let tasks = self.tasks(context, class).await?;
            let listed = tasks.into_iter().map(|task| Listed {
                object: task.object.clone(),
                problem: task.problem.clone(),
                task: Some(task),
            });
            return Ok(listed.collect());
        }
        let mut broken: BTreeMap<String, String> = match class {
            Class::Trigger => self.broken_triggers(context).await?.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        let objects = self.automation(context, class).await?;
        let listed = objects.into_iter().map(|object| Listed {
            problem: broken.remove(&object.name),
            object,
            task: None,
        });
        Ok(listed.collect())
    }
}
