//! What a new installation tells of, and whom: ordinary definitions that anybody may change or
//! delete. With one mail channel they work as they are.
//!
//! Whom an event concerns is told by the bell and by every mail channel: the owner of a certificate
//! and its groups. Where that reaches nobody, administrators are, who then know that somebody has
//! to be found.

use serde_json::{Value, json};

use crate::automation::Class;

/// Name of the profile that is there from the beginning.
pub(crate) const PROFILE: &str = "default";

/// Classes, names and bodies.
pub(crate) fn defaults() -> Vec<(Class, (&'static str, Value))> {
    let profile = json!({
        "title": "Whom it concerns",
        "description": "The owner and the groups of the certificate, by the bell and by mail. Where that reaches nobody, the administrators.",
        "recipients": ["default"],
        "fallback": ["role:administrator"],
    });
    let action = json!({
        "title": "Tell whom it concerns",
        "steps": [{ "step": "notify", "profile": PROFILE }],
    });
    let trigger = json!({
        "title": "Certificates, authorities, tokens, accounts and passwords near or past their end",
        "event_types": ["certificate.expiring", "certificate.expired", "authority.expiring",
            "authentication_method.expiring", "authentication_method.expired"],
        "actions": ["tell-whom-it-concerns"],
    });
    let canary = json!({
        "title": "The canary, through every channel",
        "description": "Says nothing but that it arrived. Whatever it does not arrive through is told.",
        "recipients": ["role:administrator"],
        "channels": ["all"],
    });
    let canary_action = json!({
        "title": "Let the canary sing",
        "steps": [{ "step": "notify", "profile": "canary",
            "title": "The canary is alive",
            "message": "A synthetic certificate crossed its threshold, and this message arrived. Nothing has to be done." }],
    });
    let rule = json!({ "title": "The canary", "filter": "object.path:/canary" });
    let canary_trigger = json!({
        "title": "The canary",
        "event_types": ["certificate.expiring"],
        "rules": ["canary"],
        "actions": ["canary"],
        "order": -10,
    });
    let schedule = json!({
        "title": "A canary for every channel",
        "job_kind": "notification.canary",
        "cron": "0 5 * * MON",
        "time_zone": "UTC",
    });
    vec![
        (Class::Rule, ("canary", rule)),
        (Class::Profile, ("canary", canary)),
        (Class::Action, ("canary", canary_action)),
        (Class::Trigger, ("canary", canary_trigger)),
        (Class::Schedule, ("canary", schedule)),
        (Class::Profile, (PROFILE, profile)),
        (Class::Action, ("tell-whom-it-concerns", action)),
        (Class::Trigger, ("tell-of-expiry", trigger)),
    ]
}
