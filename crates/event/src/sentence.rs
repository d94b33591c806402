//! One plain English sentence for every event.
//!
//! Read: [`sentence`], then `sentence/words.rs`, which holds the templates. A template names
//! `{actor}`, `{object}` or a member of the detail; the first one whose names are all known is
//! used, so that an event with little in it still reads well. A type that is not in the catalogue
//! (a newer program wrote it) gets a sentence from its name alone.
//!
//! Sentences are for reading: nothing may parse them, and they may change in any release.

mod operations;
mod words;

use serde_json::Value;

use crate::catalogue::{EventType, Kind};
use crate::envelope::{ActorKind, Event, Origin, Target, TargetKind, Verdict};

/// What happened, as one sentence without its full stop. Names of people appear only where the
/// personal part is in clear.
pub fn sentence(event: &Event) -> String {
    let kind = EventType::of(event).map(|event_type| event_type.info().kind);
    let text = match (kind, event.outcome.result) {
        (Some(Kind::Occurrence | Kind::Monitoring), _) => came_about(event),
        (_, Verdict::Success | Verdict::Allow) => done(event),
        (_, result) => not_done(event, result),
    };
    capitalised(event, text)
}

fn came_about(event: &Event) -> String {
    let text = words::occurrences(&event.type_name)
        .iter()
        .find_map(|template| fill(event, template))
        .unwrap_or_else(|| {
            let state = spaced(last_part(event));
            format!("{}: {state}", object(event))
        });
    match event.outcome.result {
        Verdict::Success | Verdict::Allow => text,
        _ => format!("{text}{}", because(event)),
    }
}

fn done(event: &Event) -> String {
    let templates = words::operations(&event.type_name).map_or(&[][..], |phrase| phrase.done);
    if let Some(text) = templates.iter().find_map(|template| fill(event, template)) {
        return text;
    }
    match words::verb(last_part(event)) {
        Some((past, _)) => format!("{} {past} {}", actor(event), object(event)),
        None => format!("{} did {} to {}", actor(event), event.type_name, object(event)),
    }
}

fn not_done(event: &Event, result: Verdict) -> String {
    let templates = words::operations(&event.type_name).map_or(&[][..], |phrase| phrase.noun);
    let filled = templates.iter().find_map(|template| fill(event, template));
    let noun = filled.unwrap_or_else(|| match words::verb(last_part(event)) {
        Some((_, noun)) => format!("{noun} of {}", object(event)),
        None => format!("{} of {}", event.type_name, object(event)),
    });
    // Who failed to log in is not the actor; who speaks a protocol is named with it.
    let named = event.type_name == "session.create"
        || matches!(event.origin, Origin::Acme | Origin::Est | Origin::Scep | Origin::Crmp)
        || event.actor.kind == ActorKind::System;
    let by = if named { String::new() } else { format!(" by {}", actor(event)) };
    format!("{noun}{by} {}{}", ending(result), because(event))
}

fn ending(result: Verdict) -> &'static str {
    match result {
        Verdict::Success | Verdict::Allow => "succeeded",
        Verdict::Failure => "failed",
        Verdict::Skipped => "was not needed",
        Verdict::Deny => "was refused",
        Verdict::Challenge => "needs more proof",
        Verdict::Unknown => "ended in a way that is not known",
        Verdict::RateLimit => "was refused because there was too much of it",
        Verdict::Deferred => "was put off",
        Verdict::Scheduled => "is planned",
        Verdict::Abandoned => "was given up",
        Verdict::Unanswered => "was not answered",
    }
}

fn because(event: &Event) -> String {
    match (&event.outcome.message, &event.outcome.reason) {
        (Some(message), _) => format!(": {}", message.trim_end_matches('.')),
        (None, Some(reason)) => format!(": {}", spaced(reason)),
        (None, None) => String::new(),
    }
}

/// The template with its names filled in, or nothing when one of them is not known.
fn fill(event: &Event, template: &str) -> Option<String> {
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&match name {
            "actor" => actor(event),
            "object" => object(event),
            member => match member.split_once(':') {
                Some((member, forms)) => counted(event, member, forms)?,
                None => member_text(event, member)?,
            },
        });
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

/// A number and the noun that goes with it, of the two forms `one|many`.
fn counted(event: &Event, member: &str, forms: &str) -> Option<String> {
    let number = member_text(event, member)?;
    let (one, many) = forms.split_once('|')?;
    Some(format!("{number} {}", if number == "1" { one } else { many }))
}

fn member_text(event: &Event, name: &str) -> Option<String> {
    let personal = event.personal().and_then(|part| part.detail.get(name));
    match event.detail.get(name).or(personal)? {
        Value::String(text) if name.ends_with("_at") || name.contains("not_") => {
            Some(text.get(..10).unwrap_or(text).to_owned())
        }
        Value::String(text) if words::is_word(name) => Some(spaced(text)),
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(", "))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

fn actor(event: &Event) -> String {
    if let Some(name) = event.personal().and_then(|part| part.actor_name.as_ref()) {
        return name.clone();
    }
    match (event.actor.kind, &event.actor.id) {
        (ActorKind::System, _) => "Chancery".to_owned(),
        (ActorKind::Anonymous, _) => "somebody unknown".to_owned(),
        (ActorKind::External, Some(id)) => id.clone(),
        (ActorKind::External, None) => "another system".to_owned(),
        (ActorKind::Account, Some(id)) => format!("account {id}"),
        (ActorKind::Account, None) => "an account".to_owned(),
    }
}

fn object(event: &Event) -> String {
    let Some(target) = event.subject() else {
        let resource = EventType::of(event).map(|event_type| event_type.info().resource);
        return match resource {
            Some(kind) => with_article(&noun(event, kind)),
            None => "something".to_owned(),
        };
    };
    let noun = noun(event, target.kind);
    match name(event, target) {
        Some(name) => format!("the {noun} {}", shortened(&name)),
        None => format!("the {noun} {}", target.id),
    }
}

fn name(event: &Event, target: &Target) -> Option<String> {
    let personal = event.personal();
    let named = personal.and_then(|part| part.targets.get(&target.reference()));
    let by_member = |name: &str| member_text(event, name);
    named.or(target.name.as_ref()).cloned().or_else(|| match target.kind {
        TargetKind::Certificate => by_member("subject_dn"),
        TargetKind::Account => by_member("login_name"),
        TargetKind::Token => by_member("token_name"),
        _ => by_member("object_name"),
    })
}

fn noun(event: &Event, kind: TargetKind) -> String {
    let mut parts = event.type_name.split('.');
    let family = parts.next().unwrap_or_default();
    match kind {
        TargetKind::Configuration | TargetKind::Other => {
            let noun = member_text(event, "class").unwrap_or_else(|| spaced(family));
            noun.replace("scim", "SCIM").replace("ra profile", "RA profile")
        }
        TargetKind::Protocol => {
            let noun = if parts.clone().count() > 1 { parts.next() } else { None };
            format!("{} {}", family.to_uppercase(), noun.unwrap_or("request"))
        }
        TargetKind::Crl => "revocation list".to_owned(),
        TargetKind::RaProfile => "RA profile".to_owned(),
        TargetKind::Token => "API token".to_owned(),
        kind => spaced(kind.as_str()),
    }
}

/// A distinguished name by its first part alone when that is a common name.
fn shortened(name: &str) -> &str {
    match name.split_once(',') {
        Some((first, _)) if first.starts_with("CN=") && !first.ends_with('\\') => first,
        _ => name,
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'A']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn last_part(event: &Event) -> &str {
    event.type_name.rsplit('.').next().unwrap_or_default()
}

fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// Raises the first letter, unless the sentence begins with a name, which keeps its spelling.
fn capitalised(event: &Event, text: String) -> String {
    let name = event.personal().and_then(|part| part.actor_name.as_ref());
    let external = event.actor.id.as_ref().filter(|_| event.actor.kind == ActorKind::External);
    if name.or(external).is_some_and(|name| text.starts_with(name.as_str())) {
        return text;
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests;
