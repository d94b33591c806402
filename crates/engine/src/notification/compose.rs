//! Messages: what a template sees of a notice, and how one notice or many become one message.

use std::collections::BTreeMap;

use chancery_event::filter::{Object as _, Value as Held};
use chancery_event::id::AlertId;
use chancery_event::{Event, EventType, LogIndex, TargetKind, Timestamp, sentence};
use chancery_store::table::certificate::search as inventory;
use serde_json::{Map, Value, json};

use super::template::{Rendered, Template, weight};
use crate::delivery::Message;
use crate::reaction::Subject;

/// Notices that one digest shows in full at most; the others are counted.
const DIGEST_MAX: usize = 100;
/// Fields of a certificate that have several values.
const LISTS: [&str; 2] = ["name", "group"];

/// An event as somebody is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Notified {
    /// The event.
    pub(crate) event: Event,
    /// Its place in the log.
    pub(crate) index: Option<LogIndex>,
    /// The certificate it is about, as it is now.
    pub(crate) subject: Option<Subject>,
    /// What the step says; empty: the event's sentence.
    pub(crate) title: String,
    /// What the step says besides.
    pub(crate) message: String,
    /// Name and address of whom it goes to.
    pub(crate) recipient: (String, String),
    /// The profile, the trigger, the channel.
    pub(crate) names: [String; 3],
    /// The alert that tells the same.
    pub(crate) alert: Option<AlertId>,
    /// Where people reach this installation.
    pub(crate) public_url: String,
}

impl Notified {
    /// A plausible event of a type.
    pub(crate) fn example(event_type: EventType) -> Self {
        Self {
            event: event_type.example(),
            index: None,
            subject: None,
            title: String::new(),
            message: String::new(),
            recipient: ("Ada".to_owned(), "ada@example.org".to_owned()),
            names: ["default".to_owned(), "example".to_owned(), "mail".to_owned()],
            alert: None,
            public_url: "https://chancery.example.org".to_owned(),
        }
    }

    /// One line.
    pub(crate) fn title(&self) -> String {
        match self.title.as_str() {
            "" => sentence::sentence(&self.event),
            title => title.to_owned(),
        }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.trim_end_matches('/'))
    }

    /// The page of the event.
    pub(crate) fn link(&self) -> String {
        self.at(&format!("/events/{}", self.event.id))
    }

    fn links(&self) -> Value {
        let alert = self.alert.map(|id| self.at(&format!("/alerts/{id}"))).unwrap_or_default();
        let certificate = self.event.targets.iter().find(|t| t.kind == TargetKind::Certificate);
        let object = match (&self.subject, certificate) {
            (Some(subject), _) => self.at(&format!("/certificates/{}", subject.row.id)),
            (None, Some(target)) => self.at(&format!("/certificates/{}", target.id)),
            (None, None) => String::new(),
        };
        json!({ "event": self.link(), "alert": alert, "object": object })
    }
}

/// What a template sees.
pub(crate) fn context(notified: &Notified) -> Value {
    let event = &notified.event;
    let [profile, trigger, channel] = &notified.names;
    let object = notified.subject.as_ref().map_or(Value::Null, object);
    json!({
        "title": notified.title(),
        "message": notified.message,
        "event": {
            "id": event.id.to_string(),
            "type": event.type_name,
            "time": event.time.to_string(),
            "severity": event.severity.as_str(),
            "outcome": event.outcome.result.as_str(),
            "reason": event.outcome.reason,
            "sentence": sentence::sentence(event),
            "index": notified.index.map(|index| index.0),
        },
        "detail": event.detail,
        "object": object,
        "recipient": { "name": notified.recipient.0, "address": notified.recipient.1 },
        "links": notified.links(),
        "profile": profile,
        "trigger": trigger,
        "channel": channel,
    })
}

/// A certificate by the names of the inventory's fields.
fn object(subject: &Subject) -> Value {
    let seen = subject.searchable();
    let mut members = Map::new();
    for field in inventory::schema(&[]).fields() {
        let value = shown(seen.values(&field.name).as_slice(), LISTS.contains(&&*field.name));
        members.insert(field.name.clone(), value.clone());
        for alias in &field.aliases {
            members.insert(alias.clone(), value.clone());
        }
    }
    let mut attributes = Map::new();
    for (name, ..) in &subject.attributes {
        let values = seen.values(&format!("attribute.{name}"));
        attributes.insert(name.clone(), shown(values.as_slice(), values.as_slice().len() > 1));
    }
    members.insert("attribute".to_owned(), Value::Object(attributes));
    Value::Object(members)
}

fn shown(values: &[Held<'_>], is_list: bool) -> Value {
    let one = |value: &Held<'_>| match value {
        Held::Text(text) => json!(text),
        Held::Integer(number) => json!(number),
        Held::Decimal(number) => json!(number),
        Held::Boolean(flag) => json!(flag),
        Held::Time(micros) => json!(Timestamp::from_micros(*micros).to_string()),
    };
    match values {
        values if is_list => values.iter().map(one).collect(),
        [value] => one(value),
        [] => Value::Null,
        values => values.iter().map(one).collect(),
    }
}

/// One notice, filled: what a template made of it, or the built-in one if it cannot be filled.
pub(crate) fn render(template: &Template, notified: &Notified) -> (Rendered, bool) {
    let context = context(notified);
    match template.fill(&context) {
        Ok(rendered) => (rendered, true),
        Err(_) => (Template::built_in().fill(&context).unwrap_or_default(), false),
    }
}

/// The message for one notice.
pub(crate) fn one(template: &Template, notified: &Notified, kind: &str, whom: &str) -> Message {
    let (rendered, _) = render(template, notified);
    let mut text = rendered.text;
    if kind != "email" {
        // A chat shows the subject above the text.
        let title = notified.title();
        text = text.strip_prefix(title.as_str()).unwrap_or(&text).trim_start().to_owned();
        if !whom.is_empty() {
            text = format!("For {whom}\n{text}");
        }
    }
    let html = rendered.html.unwrap_or_else(|| html_of(&text));
    Message {
        subject: rendered.subject,
        html: (kind == "email").then_some(html),
        text,
        severity: Some(notified.event.severity.as_str().to_owned()),
        link: Some(notified.link()),
        event: Some(notified.event.id.to_string()),
        key: notified.event.subject().map(|target| target.reference()),
        depth: notified.event.depth.saturating_add(1),
        ..Message::default()
    }
}

/// One message for many notices, each under its heading.
pub(crate) fn digest(
    template: &Template,
    notices: &[(String, Notified)],
    kind: &str,
    whom: &str,
) -> Message {
    if let [(_, only)] = notices {
        return one(template, only, kind, whom);
    }
    let mut parts: BTreeMap<&str, Vec<&Notified>> = BTreeMap::new();
    for (heading, notified) in notices {
        parts.entry(heading).or_default().push(notified);
    }
    let worst = notices.iter().max_by_key(|(_, notified)| notified.event.severity);
    let (mut text, mut html) = (String::new(), String::from("<!doctype html><html><body>"));
    if kind != "email" && !whom.is_empty() {
        text.push_str(&format!("For {whom}\n\n"));
    }
    let mut left = DIGEST_MAX;
    for (heading, list) in &parts {
        let counted = format!("{heading} ({})", list.len());
        text.push_str(&format!("{counted}\n{}\n\n", "=".repeat(counted.chars().count().min(60))));
        html.push_str(&format!("<h2>{}</h2>", escaped(&counted)));
        for notified in list.iter().take(left) {
            let (rendered, _) = render(template, notified);
            let mark = weight(notified.event.severity);
            let whole =
                if mark.is_empty() { rendered.text } else { format!("{mark} {}", rendered.text) };
            text.push_str(&format!("{whole}\n\n"));
            html.push_str(&rendered.html.unwrap_or_else(|| paragraphs(&whole)));
            html.push_str("<hr>");
        }
        let more = list.len().saturating_sub(left);
        left = left.saturating_sub(list.len());
        if more > 0 {
            text.push_str(&format!("and {more} more\n\n"));
            html.push_str(&format!("<p>and {more} more</p>"));
        }
    }
    html.push_str("</body></html>");
    let first = notices.first().map(|(_, notified)| notified);
    Message {
        subject: match parts.len() {
            1 => format!("{} notices: {}", notices.len(), parts.keys().next().unwrap_or(&"")),
            many => format!("{} notices under {many} headings", notices.len()),
        },
        text: text.trim_end().to_owned(),
        html: (kind == "email").then_some(html),
        severity: worst.map(|(_, notified)| notified.event.severity.as_str().to_owned()),
        link: first.map(|notified| notified.at("/notifications/notices")),
        facts: vec![("Notices".to_owned(), notices.len().to_string())],
        event: first.map(|notified| notified.event.id.to_string()),
        depth: notices.iter().map(|(_, one)| one.event.depth).max().unwrap_or(0).saturating_add(1),
        ..Message::default()
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn html_of(text: &str) -> String {
    format!("<!doctype html><html><body>{}</body></html>", paragraphs(text))
}

/// Text as paragraphs, addresses as links.
fn paragraphs(text: &str) -> String {
    let line = |line: &str| {
        let linked = line.split(' ').map(|word| match word {
            word if word.starts_with("https://") || word.starts_with("http://") => {
                let word = escaped(word);
                format!("<a href=\"{word}\">{word}</a>")
            }
            word => escaped(word),
        });
        linked.collect::<Vec<_>>().join(" ")
    };
    let paragraph = |part: &str| {
        let lines: Vec<_> = part.lines().map(line).collect();
        format!("<p>{}</p>", lines.join("<br>"))
    };
    text.split("\n\n").filter(|part| !part.trim().is_empty()).map(paragraph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_notice_is_text_and_html_with_its_link() {
        let notified = Notified::example(EventType::CertificateExpiring);
        let mail = one(&Template::built_in(), &notified, "email", "");
        let link = notified.link();
        assert!(mail.text.contains(&link) && mail.subject.starts_with("[warning] "), "{mail:?}");
        assert!(mail.html.unwrap().contains(&format!("<a href=\"{link}\">")));
        let chat = one(&Template::built_in(), &notified, "slack", "<@U1>");
        assert!(chat.html.is_none() && chat.text.starts_with("For <@U1>\n"), "{}", chat.text);
        assert!(!chat.text.contains(&notified.title()), "the title stands above");
    }

    #[test]
    fn a_digest_has_one_heading_for_each_group_and_shows_each_notice_once() {
        let notified = Notified::example(EventType::CertificateExpiring);
        let many: Vec<_> = (0..120)
            .map(|n| (if n % 3 == 0 { "web" } else { "mail" }.to_owned(), notified.clone()))
            .collect();
        let message = digest(&Template::built_in(), &many, "email", "");
        assert_eq!(message.subject, "120 notices under 2 headings");
        assert!(message.text.contains("mail (80)") && message.text.contains("web (40)"));
        assert_eq!(message.text.matches(&notified.link()).count(), 100);
        assert!(message.text.contains("and 20 more"), "{}", message.text);
        let single = digest(&Template::built_in(), &many[..1], "email", "");
        assert_eq!(single, one(&Template::built_in(), &notified, "email", ""));
    }
}
