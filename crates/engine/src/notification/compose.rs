//! Messages: what a template sees of a notice, and how one notice or many become one message.

use std::collections::BTreeMap;

use chancery_event::filter::{FieldKind, Object as _, Value as Held};
use chancery_event::id::AlertId;
use chancery_event::{Event, EventType, LogIndex, TargetKind, Timestamp, sentence};
use chancery_store::table::attribute::Attribute;
use chancery_store::table::certificate::search as inventory;
use serde_json::{Map, Value, json};

use super::template::{Rendered, Template, weight};
use crate::Error;
use crate::delivery::Message;
use crate::inventory::Candidate;
use crate::reaction::Subject;

/// Notices that one digest shows at most; the others are counted.
pub(super) const DIGEST_MAX: usize = 100;
/// Characters of a digest in a chat, as the chat counts them.
const CHAT_MAX: usize = 1_800;
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
    /// The fields of the certificate that was not let in, if it is about one.
    pub(crate) candidate: Option<Value>,
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
            candidate: None,
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

    /// The page of the alert that tells the same.
    fn alert_link(&self) -> Option<String> {
        self.alert.map(|id| self.at(&format!("/alerts/{id}")))
    }

    fn links(&self) -> Value {
        let alert = self.alert_link().unwrap_or_default();
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
    let object = match (&notified.subject, &notified.candidate) {
        (Some(subject), _) => object(subject),
        (None, Some(candidate)) => candidate.clone(),
        (None, None) => Value::Null,
    };
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

/// The fields of a certificate that is not let in, as templates see them: there is no other place
/// to look them up.
pub(crate) fn candidate(candidate: &Candidate) -> Value {
    object(&Subject::candidate(candidate.row.clone(), candidate.names.clone()))
}

/// A plausible certificate, as templates see one.
pub(super) fn example_object(attributes: &[Attribute]) -> Value {
    let value = |kind: &FieldKind| match kind {
        FieldKind::Integer => json!(7),
        FieldKind::Decimal => json!(7.5),
        FieldKind::Boolean => json!(true),
        FieldKind::Timestamp => json!("2027-01-31T12:00:00.000000Z"),
        _ => json!("example"),
    };
    let (mut members, mut own) = (Map::new(), Map::new());
    for field in inventory::schema(attributes).fields() {
        let value = match LISTS.contains(&&*field.name) {
            true => json!(["www.example.org", "example.org"]),
            false => value(&field.kind),
        };
        match field.name.strip_prefix("attribute.") {
            Some(name) => drop(own.insert(name.to_owned(), value)),
            None => {
                for name in field.aliases.iter().chain([&field.name]) {
                    members.insert(name.clone(), value.clone());
                }
            }
        }
    }
    members.insert("attribute".to_owned(), Value::Object(own));
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

/// A message, and what kept the template from being used for it: the built-in one was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Composed {
    /// What is sent.
    pub(crate) message: Message,
    /// Why it does not read as it should.
    pub(crate) problem: Option<String>,
}

/// One notice, filled, and what kept the template from it.
fn render(template: &Template, notified: &Notified) -> (Rendered, Option<String>) {
    match filled(template, notified) {
        Ok(rendered) => (rendered, None),
        Err(error) => {
            let rendered = filled(&Template::built_in(), notified).unwrap_or_default();
            (rendered, Some(error.to_string()))
        }
    }
}

/// A template, filled. Every message leads to its event and its alert: where the template does not,
/// the links stand at its end.
///
/// # Errors
/// It cannot be filled from what is there: the field names the part.
pub(super) fn filled(template: &Template, notified: &Notified) -> Result<Rendered, Error> {
    let mut rendered = template.fill(&context(notified))?;
    let links: Vec<String> =
        std::iter::once(notified.link()).chain(notified.alert_link()).collect();
    let missing: Vec<&str> =
        links.iter().map(String::as_str).filter(|link| !rendered.text.contains(link)).collect();
    if !missing.is_empty() {
        rendered.text = format!("{}\n\n{}", rendered.text, missing.join("\n"));
    }
    if let Some(html) = &mut rendered.html {
        let missing: Vec<String> =
            links.iter().map(|link| escaped(link)).filter(|link| !html.contains(link)).collect();
        if !missing.is_empty() {
            let link = |link: &String| format!("<a href=\"{link}\">{link}</a>");
            let links: Vec<String> = missing.iter().map(link).collect();
            let end = html.rfind("</body>").unwrap_or(html.len());
            html.insert_str(end, &format!("<p>{}</p>", links.join("<br>")));
        }
    }
    Ok(rendered)
}

/// Whether messages of a kind of channel are read in a chat, which shows little.
fn is_chat(kind: &str) -> bool {
    matches!(kind, "slack" | "teams")
}

/// Says whom a message is for. Slack mentions people by a markup of its own, which only its sender
/// may write: everything else in a text is somebody's words.
fn addressed(message: &mut Message, kind: &str, whom: &[String]) {
    if kind == "email" || whom.is_empty() {
        return;
    }
    match kind {
        "slack" => message.mentions = whom.to_vec(),
        _ => {
            message.text = format!("For {}\n{}", whom.join(", "), message.text);
            message.line_links.iter_mut().for_each(|(line, _)| *line += 1);
        }
    }
}

/// The message for one notice.
pub(crate) fn one(
    template: &Template,
    notified: &Notified,
    kind: &str,
    whom: &[String],
) -> Composed {
    let (rendered, problem) = render(template, notified);
    let mut text = rendered.text;
    if kind != "email" {
        // A chat shows the subject above the text.
        let title = notified.title();
        text = text.strip_prefix(title.as_str()).unwrap_or(&text).trim_start().to_owned();
    }
    let html = rendered.html.unwrap_or_else(|| html_of(&text));
    let mut message = Message {
        subject: rendered.subject,
        html: (kind == "email").then_some(html),
        text,
        severity: Some(notified.event.severity.as_str().to_owned()),
        link: Some(notified.link()),
        event: Some(notified.event.id.to_string()),
        event_type: Some(notified.event.type_name.to_string()),
        outcome: Some(notified.event.outcome.result.as_str().to_owned()),
        alert_link: notified.alert_link(),
        profile: Some(notified.names[0].clone()),
        key: notified.event.subject().map(|target| target.reference()),
        object_name: notified.event.subject().and_then(|target| target.name.clone()),
        depth: notified.event.depth.saturating_add(1),
        ..Message::default()
    };
    addressed(&mut message, kind, whom);
    Composed { message, problem }
}

/// What a digest tells of: some of it in full, the rest counted.
#[derive(Default)]
pub(crate) struct Many {
    /// Events with the heading that each stands under.
    pub(crate) shown: Vec<(String, Notified)>,
    /// How many more there are under each heading.
    pub(crate) more: BTreeMap<String, usize>,
}

impl Many {
    fn count(&self) -> usize {
        self.shown.len() + self.more.values().sum::<usize>()
    }

    fn parts(&self) -> BTreeMap<&str, (Vec<&Notified>, usize)> {
        let mut parts: BTreeMap<&str, (Vec<&Notified>, usize)> = BTreeMap::new();
        for (heading, notified) in &self.shown {
            parts.entry(heading).or_default().0.push(notified);
        }
        for (heading, more) in &self.more {
            parts.entry(heading).or_default().1 += more;
        }
        parts
    }
}

/// One message for many notices, each under its heading.
pub(crate) fn digest(template: &Template, many: &Many, kind: &str, whom: &[String]) -> Composed {
    if let ([(_, only)], true) = (many.shown.as_slice(), many.more.is_empty()) {
        return one(template, only, kind, whom);
    }
    let parts = many.parts();
    let (text, html, problem, line_links) = match is_chat(kind) {
        true => {
            let (text, links) = titles(many, &parts);
            (text, String::new(), None, links)
        }
        false => {
            let (text, html, problem) = in_full(template, &parts);
            (text, html, problem, Vec::new())
        }
    };
    let worst = many.shown.iter().map(|(_, notified)| notified.event.severity).max();
    let first = many.shown.first().map(|(_, notified)| notified);
    let depth = many.shown.iter().map(|(_, one)| one.event.depth).max().unwrap_or(0);
    let mut message = Message {
        subject: match parts.len() {
            1 => format!("{} notices: {}", many.count(), parts.keys().next().unwrap_or(&"")),
            headings => format!("{} notices under {headings} headings", many.count()),
        },
        text,
        html: (kind == "email").then_some(html),
        severity: worst.map(|severity| severity.as_str().to_owned()),
        link: first.map(|notified| notified.at("/notifications/notices")),
        line_links,
        facts: vec![("Notices".to_owned(), many.count().to_string())],
        event: first.map(|notified| notified.event.id.to_string()),
        profile: first.map(|notified| notified.names[0].clone()),
        depth: depth.saturating_add(1),
        ..Message::default()
    };
    addressed(&mut message, kind, whom);
    Composed { message, problem }
}

type Parts<'a> = BTreeMap<&'a str, (Vec<&'a Notified>, usize)>;

/// Every notice as its template has it, as text and as HTML.
fn in_full(template: &Template, parts: &Parts<'_>) -> (String, String, Option<String>) {
    let (mut text, mut html) = (String::new(), String::from("<!doctype html><html><body>"));
    let mut problem = None;
    for (heading, (list, more)) in parts {
        let counted = format!("{heading} ({})", list.len() + more);
        text.push_str(&format!("{counted}\n{}\n\n", "=".repeat(counted.chars().count().min(60))));
        html.push_str(&format!("<h2>{}</h2>", escaped(&counted)));
        for notified in list {
            let (rendered, why) = render(template, notified);
            problem = problem.or(why);
            let mark = weight(notified.event.severity);
            let whole =
                if mark.is_empty() { rendered.text } else { format!("{mark} {}", rendered.text) };
            text.push_str(&format!("{whole}\n\n"));
            html.push_str(&rendered.html.unwrap_or_else(|| paragraphs(&whole)));
            html.push_str("<hr>");
        }
        if *more > 0 {
            text.push_str(&format!("and {more} more\n\n"));
            html.push_str(&format!("<p>and {more} more</p>"));
        }
    }
    html.push_str("</body></html>");
    (text.trim_end().to_owned(), html, problem)
}

/// A line for each notice, as far as a chat shows them, and how many there are besides; with the
/// lines that lead to an alert, or to the event where there is none.
fn titles(many: &Many, parts: &Parts<'_>) -> (String, Vec<(usize, String)>) {
    // A chat may need several characters for one that its markup gives a meaning.
    let length = |line: &str| -> usize {
        line.chars().map(|c| if matches!(c, '&' | '<' | '>') { 5 } else { 1 }).sum::<usize>() + 1
    };
    let (mut text, mut left, mut shown) = (String::new(), CHAT_MAX, 0);
    let (mut links, mut lines) = (Vec::new(), 0);
    'all: for (heading, (list, more)) in parts {
        let heading = format!("{heading} ({})", list.len() + more);
        let Some(rest) = left.checked_sub(length(&heading)) else { break };
        left = rest;
        text.push_str(&format!("{heading}\n"));
        lines += 1;
        for notified in list {
            let mark = weight(notified.event.severity);
            let title: String = notified.title().chars().take(200).collect();
            let line = format!("{mark} {title}").trim_start().to_owned();
            let link = notified.alert_link().unwrap_or_else(|| notified.link());
            // A chat may have the address in its text, with three characters around it.
            let whole = length(&line) + link.len() + 3;
            let Some(rest) = left.checked_sub(whole) else { break 'all };
            left = rest;
            text.push_str(&format!("{line}\n"));
            links.push((lines, link));
            (lines, shown) = (lines + 1, shown + 1);
        }
    }
    let text = match many.count() - shown {
        0 => text.trim_end().to_owned(),
        more => format!("{text}and {more} more"),
    };
    (text, links)
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
        let mail = one(&Template::built_in(), &notified, "email", &[]).message;
        let link = notified.link();
        assert!(mail.text.contains(&link) && mail.subject.starts_with("[warning] "), "{mail:?}");
        assert!(mail.html.unwrap().contains(&format!("<a href=\"{link}\">")));
        let whom = ["<@U1>".to_owned(), "ada".to_owned()];
        let chat = one(&Template::built_in(), &notified, "teams", &whom).message;
        assert!(chat.html.is_none() && chat.text.starts_with("For <@U1>, ada\n"), "{}", chat.text);
        assert!(!chat.text.contains(&notified.title()), "the title stands above");
        let slack = one(&Template::built_in(), &notified, "slack", &whom).message;
        assert_eq!(slack.mentions, whom);
        assert!(!slack.text.contains("U1"), "{}", slack.text);
    }

    fn many(notified: &Notified, count: usize) -> Many {
        let heading = |n: usize| if n.is_multiple_of(3) { "web" } else { "mail" }.to_owned();
        let shown = (0..count).map(|n| (heading(n), notified.clone())).collect();
        Many { shown, more: BTreeMap::from([("web".to_owned(), 20)]) }
    }

    #[test]
    fn a_digest_has_one_heading_for_each_group_and_shows_each_notice_once() {
        let notified = Notified::example(EventType::CertificateExpiring);
        let all = many(&notified, 99);
        let message = digest(&Template::built_in(), &all, "email", &[]).message;
        assert_eq!(message.subject, "119 notices under 2 headings");
        assert!(message.text.contains("mail (66)") && message.text.contains("web (53)"));
        assert_eq!(message.text.matches(&notified.link()).count(), 99);
        assert!(message.text.ends_with("and 20 more"), "{}", message.text);
        let single = Many { shown: all.shown[..1].to_vec(), more: BTreeMap::new() };
        assert_eq!(
            digest(&Template::built_in(), &single, "email", &[]),
            one(&Template::built_in(), &notified, "email", &[])
        );
    }

    #[test]
    fn a_chat_says_how_many_it_does_not_show() {
        let mut notified = Notified::example(EventType::CertificateExpiring);
        notified.title = "a&b ".repeat(60);
        for kind in ["slack", "teams"] {
            let text = digest(&Template::built_in(), &many(&notified, 99), kind, &[]).message.text;
            let lines = text.lines().filter(|line| line.contains("a&b")).count();
            assert!((2..20).contains(&lines), "{lines}");
            assert!(text.ends_with(&format!("and {} more", 119 - lines)), "{text}");
            assert!(text.replace('&', "&amp;").chars().count() < 2_000);
        }
    }

    #[test]
    fn each_line_of_a_digest_in_a_chat_leads_to_its_alert_or_event() {
        let without = Notified::example(EventType::CertificateExpiring);
        let mut notified = without.clone();
        notified.alert = Some("01937f0e-5a3c-7d21-9c1e-2b6f00a1c3d4".parse().unwrap());
        let shown = vec![("web".to_owned(), notified.clone()), ("web".to_owned(), without.clone())];
        let both = Many { shown, more: BTreeMap::new() };
        for (kind, before) in [("slack", 0), ("teams", 1)] {
            let whom = ["ada".to_owned()];
            let message = digest(&Template::built_in(), &both, kind, &whom).message;
            let wanted = [notified.alert_link().unwrap(), without.link()];
            let links: Vec<_> = message.line_links.iter().map(|(_, to)| to.clone()).collect();
            assert_eq!(links, wanted, "{kind}");
            for (line, _) in &message.line_links {
                let text = message.text.lines().nth(*line).unwrap();
                assert!(text.contains(&notified.title()), "{kind}: {text}");
            }
            assert_eq!(message.line_links[0].0, before + 1, "below its heading");
        }
    }

    #[test]
    fn a_template_that_cannot_be_filled_says_so() {
        let notified = Notified::example(EventType::CertificateExpiring);
        let template = Template { text: "{{ title - 3 }}".to_owned(), ..Template::built_in() };
        let sent = one(&template, &notified, "email", &[]);
        assert!(sent.problem.unwrap().contains("line 1"));
        assert!(sent.message.text.contains(&notified.link()), "the built-in one is used");
    }
}
