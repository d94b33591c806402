//! What is configured: monitors and triggers, and how they change while the estate lives.

use chancery_engine::automation::{Class, Edit};
use serde_json::{Value, json};

use super::Chance;
use super::model::{LISTS, Lead, NARROW};

/// The monitors of certificates.
pub(super) const EVERY: &str = "certificate-expiry";
pub(super) const SOME: &str = "prod-expiry";
pub(super) const OF_AUTHORITIES: &str = "authority-expiry";
pub(super) const OF_TOKENS: &str = "token-expiry";
/// How often the second one says its last threshold again.
pub(super) const REPEAT_DAYS: i64 = 30;

/// What the trigger on ends looks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pressing {
    Everything,
    /// This threshold.
    Threshold,
    /// Where a trigger has put it.
    Prod,
    /// Both.
    Two,
}

/// A trigger that is bound to a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Paused,
    /// Besides those of the platform.
    Adds,
    /// In their place.
    Replaces,
}

/// The configuration of now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Place in [`LISTS`] of the first monitor.
    pub(super) list: usize,
    pub(super) hours: i64,
    /// The second monitor looks at what lies in `/prod`; otherwise at nothing.
    pub(super) looks: bool,
    pub(super) keep_out: bool,
    pub(super) place: bool,
    pub(super) pressing: Option<Pressing>,
    pub(super) settled: bool,
    pub(super) late: Bound,
}

impl Setup {
    /// As it is before anybody changes anything: no triggers of ours.
    pub(super) const FIRST: Self = Self {
        list: 0,
        hours: 1,
        looks: true,
        keep_out: false,
        place: true,
        pressing: Some(Pressing::Everything),
        settled: true,
        late: Bound::Paused,
    };

    pub(super) fn list(&self) -> &'static [Lead] {
        LISTS[self.list]
    }

    /// Somebody changes the monitors.
    pub(super) fn change_monitors(&mut self, chance: &mut Chance) {
        self.list = chance.place(LISTS.len());
        self.hours = if chance.one_in(2) { 1 } else { 3 };
        self.looks = !chance.one_in(3);
    }

    /// Somebody changes the triggers.
    pub(super) fn change_triggers(&mut self, chance: &mut Chance) {
        self.keep_out = chance.one_in(2);
        self.place = !chance.one_in(3);
        self.settled = !chance.one_in(4);
        self.pressing = [
            None,
            Some(Pressing::Everything),
            Some(Pressing::Threshold),
            Some(Pressing::Prod),
            Some(Pressing::Two),
        ][chance.place(5)];
        self.late = [Bound::Paused, Bound::Adds, Bound::Replaces][chance.place(3)];
    }

    /// All of it as one revision.
    pub(super) fn edits(&self) -> Vec<Edit> {
        let mut edits = self.monitors();
        edits.extend(self.triggers());
        edits
    }

    fn monitors(&self) -> Vec<Edit> {
        let texts =
            |list: &[Lead]| list.iter().map(|lead| lead.text.to_owned()).collect::<Vec<_>>();
        let cron = if self.hours == 1 { "0 * * * *" } else { "0 */3 * * *" };
        let every = json!({
            "kind": "certificate_expiry",
            "schedule": { "cron": cron, "time_zone": "Europe/Prague" },
            "thresholds": texts(self.list()),
        });
        let filter = if self.looks { "path:/prod" } else { "path:/prod key_size>4096" };
        let some = json!({
            "kind": "certificate_expiry",
            "filter": filter,
            "schedule": { "cron": "30 */2 * * *", "time_zone": "America/New_York" },
            "thresholds": texts(NARROW),
            "repeat": format!("{REPEAT_DAYS}d"),
        });
        let tokens = json!({
            "kind": "token_expiry",
            "schedule": { "cron": "20 */8 * * *", "time_zone": "UTC" },
            "thresholds": texts(super::model::TOKENS),
        });
        let edit = |name, body| put(Class::Monitor, name, body, true);
        vec![edit(EVERY, every), edit(SOME, some), edit(OF_TOKENS, tokens)]
    }

    fn triggers(&self) -> Vec<Edit> {
        let pressing = match self.pressing {
            None | Some(Pressing::Everything) => "",
            Some(Pressing::Threshold) => "detail.threshold:\"7d/10%\"",
            Some(Pressing::Prod) => "object.path:/prod",
            Some(Pressing::Two) => "object.path:/prod detail.threshold:\"7d/10%\"",
        };
        let press = json!([
            { "step": "add_group", "group": "late" },
            { "step": "raise_alert", "kind": "pressing", "severity": "error",
              "title": "{object.cn} presses" },
            { "step": "start_job", "job": "certificate.validate" },
        ]);
        let raise = json!([{ "step": "raise_alert", "kind": "late", "title": "{object.cn}" }]);
        let resolve = json!([{ "step": "resolve_alert", "kind": "pressing" }]);
        let tell = json!([{ "step": "notify", "to": "role:operator", "title": "kept out" }]);
        let rule = |name, filter: &str| put(Class::Rule, name, json!({ "filter": filter }), true);
        let action = |name, steps: Value| put(Class::Action, name, json!({ "steps": steps }), true);
        let trigger = |name, types: &[&str], rule: Option<&str>, action: &str, enabled| {
            let rules: Vec<_> = rule.into_iter().collect();
            let body = json!({ "event_types": types, "rules": rules, "actions": [action],
                "ignore": name == "keep-out" });
            put(Class::Trigger, name, body, enabled)
        };
        let mut late =
            trigger("late", &["certificate.expiring"], None, "raise", self.late != Bound::Paused);
        if let Some(body) = &mut late.body {
            body["scope"] = json!({ "kind": "group", "name": "late" });
        }
        let mode = if self.late == Bound::Replaces { "replace" } else { "add" };
        let scope = json!({ "kind": "group", "name": "late", "mode": mode });
        let (uploaded, ends) =
            (["certificate.uploaded"], ["certificate.expiring", "certificate.expired"]);
        let pressing_rule = (!pressing.is_empty()).then_some("pressing");
        vec![
            rule("lab", "object.cn:lab-*"),
            rule("prod", r"object.cn~^service-[0-9]*0\.example\.com$"),
            rule("pressing", if pressing.is_empty() { "object.path:/prod" } else { pressing }),
            action("press", press),
            action("raise", raise),
            action("resolve", resolve),
            action("tell", tell),
            action("place", json!([{ "step": "set_path", "path": "/prod" }])),
            trigger("keep-out", &uploaded, Some("lab"), "tell", self.keep_out),
            trigger("place", &uploaded, Some("prod"), "place", self.place),
            trigger("pressing", &ends, pressing_rule, "press", self.pressing.is_some()),
            trigger("settled", &["certificate.replaced"], None, "resolve", self.settled),
            late,
            put(Class::Scope, "late", scope, true),
        ]
    }
}

fn put(class: Class, name: &str, body: Value, enabled: bool) -> Edit {
    Edit { class, name: name.to_owned(), body: Some(body), enabled }
}
