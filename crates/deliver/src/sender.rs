//! One file for each kind of destination.

pub(crate) mod email;
pub(crate) mod file;
pub(crate) mod nats;
pub(crate) mod servicenow;
pub(crate) mod slack;
pub(crate) mod syslog;
pub(crate) mod teams;
pub(crate) mod webhook;

use chancery_engine::delivery::{Content, Parcel};
use chancery_event::{Event, TargetKind};

/// The fact of an event in a few words: what chat and mail show.
pub(crate) struct Notice {
    /// One line.
    pub(crate) title: String,
    /// Word of its severity.
    pub(crate) severity: String,
    /// Names and values.
    pub(crate) facts: Vec<(String, String)>,
    /// Where to go on.
    pub(crate) link: Option<String>,
    /// The alert that tells the same.
    pub(crate) alert: Option<String>,
    /// More text, where there is some.
    pub(crate) text: String,
    /// Lines of the text that lead somewhere of their own: their numbers, from 0, and where to.
    pub(crate) line_links: Vec<(usize, String)>,
    /// Whom it is for, where the chat can mention people: handles and names.
    pub(crate) mentions: Vec<String>,
}

/// A parcel as notices: one for each event, or the message.
pub(crate) fn notices(parcel: &Parcel) -> Vec<Notice> {
    match &parcel.content {
        Content::Message(message) => vec![Notice {
            title: message.subject.clone(),
            severity: message.severity.clone().unwrap_or_else(|| "info".to_owned()),
            facts: message.facts.clone(),
            link: message.link.clone(),
            alert: message.alert_link.clone(),
            text: message.text.clone(),
            line_links: message.line_links.clone(),
            mentions: message.mentions.clone(),
        }],
        Content::Events(events) => {
            events.iter().map(|sealed| of_event(sealed.event(), &parcel.public_url)).collect()
        }
    }
}

fn of_event(event: &Event, public_url: &str) -> Notice {
    let mut facts = vec![
        ("Event".to_owned(), event.type_name.to_string()),
        ("Outcome".to_owned(), event.outcome.result.as_str().to_owned()),
        ("Time".to_owned(), event.time.to_string()),
    ];
    for target in event.targets.iter().take(5) {
        let name = target.name.clone().unwrap_or_else(|| target.id.clone());
        facts.push((target.kind.to_string(), name));
    }
    Notice {
        title: chancery_event::sentence::sentence(event),
        severity: event.severity.as_str().to_owned(),
        facts,
        link: Some(format!("{}/events/{}", public_url.trim_end_matches('/'), event.id)),
        alert: alert_of(event, public_url),
        text: String::new(),
        line_links: Vec::new(),
        mentions: Vec::new(),
    }
}

/// The page of the alert that an event is about, if it is about one.
pub(crate) fn alert_of(event: &Event, public_url: &str) -> Option<String> {
    let alert = event.targets.iter().find(|target| target.kind == TargetKind::Alert)?;
    Some(format!("{}/alerts/{}", public_url.trim_end_matches('/'), alert.id))
}

/// What the link to an event is called.
pub(crate) const OPEN: &str = "Open in Chancery";
/// What the link to an alert is called.
pub(crate) const OPEN_ALERT: &str = "Open the alert";

impl Notice {
    /// Where to go on: what the link is called, and where it leads.
    pub(crate) fn ways(&self) -> Vec<(&'static str, &str)> {
        // Some messages have nothing but an alert to lead to.
        let alert = self.alert.as_deref().filter(|_| self.alert != self.link);
        let event = self.link.as_deref().map(|link| (OPEN, link));
        event.into_iter().chain(alert.map(|link| (OPEN_ALERT, link))).collect()
    }

    /// The lines of its text, each with where it leads.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let link = |number: usize| self.line_links.iter().find(|(line, _)| *line == number);
        let lines = self.text.lines().enumerate();
        lines.map(move |(number, line)| (line, link(number).map(|(_, to)| to.as_str())))
    }
}

/// Text of at most so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
