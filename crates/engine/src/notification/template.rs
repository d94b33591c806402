//! Templates: how a notice reads. minijinja over the catalogue's fields.
//!
//! A template is refused when it is saved if it names a field, a filter or a test that does not
//! exist, or if it cannot be filled from an example of an event it is for, with its certificate and
//! without. What it may say is in `language`: whoever may write one can spend little and read
//! nothing else.
//!
//! | name | what it holds |
//! |---|---|
//! | `title`, `message` | what the step says; the title is the event's sentence otherwise |
//! | `event` | `id`, `type`, `time`, `severity`, `outcome`, `reason`, `sentence`, `index` |
//! | `detail` | the detail of the event, by its names in the catalogue |
//! | `object` | the certificate, by the names of the inventory; `object.attribute.NAME` |
//! | `recipient` | `name`, `address` |
//! | `links` | `event`, `alert`, `object` |
//! | `profile`, `trigger`, `channel` | names |

use chancery_event::filter::Schema;
use chancery_event::{EventType, Severity};
use chancery_store::table::attribute::Attribute;
use minijinja::ErrorKind;
use minijinja::value::{Serde, Value as Filled};
use serde_json::{Value, json};

use super::compose::{Notified, context, example_object};
use crate::Error;
use crate::reaction::body::Body;
use crate::reaction::field;

mod language;

/// Longest part of a template, in characters.
const PART_MAX: usize = 8_000;
/// Longest text that comes of one, in bytes.
const FILLED_MAX: usize = 120_000;

/// Members of `event`.
const EVENT: [&str; 8] =
    ["id", "type", "time", "severity", "outcome", "reason", "sentence", "index"];
/// Names without members.
const PLAIN: [&str; 5] = ["title", "message", "profile", "trigger", "channel"];

/// A template, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Types of events it is for; empty: all.
    pub event_types: Vec<EventType>,
    /// One line.
    pub subject: String,
    /// The whole as plain text.
    pub text: String,
    /// The whole as HTML; empty: made of the text.
    pub html: String,
}

/// What a template came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML, where the template has such.
    pub html: Option<String>,
}

impl Template {
    /// The template of a profile that names none.
    pub fn built_in() -> Self {
        Self {
            event_types: Vec::new(),
            subject: "[{{ event.severity }}] {{ title }}".to_owned(),
            text: BUILT_IN.to_owned(),
            html: String::new(),
        }
    }

    /// Reads a body.
    pub(crate) fn read(json: &Value) -> Result<Self, Error> {
        let mut body = Body::new(json, "")?;
        body.words()?;
        let mut event_types = Vec::new();
        for (position, name) in body.texts("event_types")?.iter().enumerate() {
            let place = format!("{}/{position}", body.at("event_types"));
            let found = EventType::parse(name).ok_or_else(|| {
                Error::invalid(place, format!("the catalogue has no type “{name}”"))
            })?;
            event_types.push(found);
        }
        let subject = body.need_text("subject")?.to_owned();
        let text = body.need_text("text")?.to_owned();
        let html = body.text("html")?.unwrap_or_default().to_owned();
        for (name, part) in [("subject", &subject), ("text", &text), ("html", &html)] {
            if part.chars().count() > PART_MAX {
                return Err(body.fault(name, format!("at most {PART_MAX} characters")));
            }
        }
        body.finish()?;
        Ok(Self { event_types, subject, text, html })
    }

    /// Refuses a template that cannot be filled: its fields, filters and tests must exist, and an
    /// example of each type it is for must fill it.
    pub(crate) fn check(json: &Value, attributes: &[Attribute]) -> Result<(), Error> {
        let template = Self::read(json)?;
        let types = match template.event_types.as_slice() {
            [] => EventType::ALL,
            some => some,
        };
        let schema = field::schema(types, attributes);
        for (member, source) in template.parts() {
            check_part(member, source, &schema)?;
        }
        let examples: &[EventType] = match template.event_types.as_slice() {
            [] => &[EventType::CertificateExpiring, EventType::TokenCreate],
            some => some,
        };
        for event_type in examples {
            let mut seen = context(&Notified::example(*event_type));
            template.fill(&seen)?;
            if field::has_certificate(*event_type) {
                seen["object"] = example_object(attributes);
                template.fill(&seen)?;
            }
        }
        Ok(())
    }

    fn parts(&self) -> Vec<(&'static str, &str)> {
        let mut parts = vec![("subject", self.subject.as_str()), ("text", self.text.as_str())];
        if !self.html.is_empty() {
            parts.push(("html", &self.html));
        }
        parts
    }

    /// Fills the template.
    ///
    /// # Errors
    /// It cannot be filled from what is there: the field names the part.
    pub(crate) fn fill(&self, context: &Value) -> Result<Rendered, Error> {
        let mut filled = Rendered::default();
        for (member, source) in self.parts() {
            let text = fill(member, source, context)?;
            match member {
                "subject" => filled.subject = text.split_whitespace().collect::<Vec<_>>().join(" "),
                "text" => filled.text = text.trim().to_owned(),
                _ => filled.html = Some(text),
            }
        }
        filled.subject = filled.subject.chars().take(250).collect();
        Ok(filled)
    }
}

fn fill(member: &'static str, source: &str, context: &Value) -> Result<String, Error> {
    let environment = language::environment();
    let template = environment
        .template_from_named_str(member, source)
        .map_err(|error| wrong(member, &error))?;
    let mut filled = language::Sheet::new(FILLED_MAX);
    let context = Filled::from(Serde(context));
    match template.render_captured_to(context, &mut filled) {
        Ok(_) => Ok(filled.into_text()),
        Err(_) if filled.is_full() => {
            Err(Error::invalid(format!("/{member}"), "what comes of it is too long"))
        }
        Err(error) => Err(wrong(member, &error)),
    }
}

fn wrong(member: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    let what = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    };
    Error::invalid(format!("/{member}"), format!("{line}{what}"))
}

fn check_part(member: &'static str, source: &str, schema: &Schema) -> Result<(), Error> {
    language::check(member, source)?;
    let environment = language::environment();
    let template = environment
        .template_from_named_str(member, source)
        .map_err(|error| wrong(member, &error))?;
    let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    names.sort();
    for name in names {
        if !is_known(&name, schema) {
            let message = format!("there is no field “{name}” for the events it is for");
            return Err(Error::invalid(format!("/{member}"), message));
        }
    }
    Ok(())
}

fn is_known(name: &str, schema: &Schema) -> bool {
    let (root, rest) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
    let one_of = |names: &[&str]| rest.is_none_or(|rest| names.contains(&rest));
    match root {
        "event" => one_of(&EVENT),
        "recipient" => one_of(&["name", "address"]),
        "links" => one_of(&["event", "alert", "object"]),
        "detail" | "object" => {
            let Some(_) = rest else { return true };
            if name == "object.attribute" {
                return true;
            }
            let below = format!("{name}.");
            schema.field(name).is_some()
                || schema.fields().iter().any(|field| field.name.starts_with(&below))
        }
        // What loops of the language bring.
        "loop" => true,
        root => PLAIN.contains(&root) && rest.is_none(),
    }
}

/// A severity as a mark that stands before a title in plain text.
pub(super) fn weight(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Error => "!!",
        Severity::Warning => "!",
        _ => "",
    }
}

/// The names that templates can use for events of these types, with what they hold: for the form.
pub fn fields(types: &[EventType], attributes: &[Attribute]) -> Vec<(String, String)> {
    let schema = field::schema(if types.is_empty() { EventType::ALL } else { types }, attributes);
    let fixed = [
        ("title", "What the action says; otherwise the event in one sentence"),
        ("message", "What the action says besides"),
        ("event.type", "Type of the event"),
        ("event.time", "When it happened"),
        ("event.severity", "Its severity"),
        ("event.sentence", "The event in one sentence"),
        ("recipient.name", "Whom it goes to"),
        ("links.event", "The page of the event"),
        ("links.alert", "The page of its alert"),
        ("links.object", "The page of the certificate"),
    ];
    let mut fields: Vec<(String, String)> =
        fixed.iter().map(|(name, doc)| ((*name).to_owned(), (*doc).to_owned())).collect();
    let own = schema
        .fields()
        .iter()
        .filter(|field| field.name.starts_with("detail.") || field.name.starts_with("object."));
    fields.extend(own.map(|field| (field.name.clone(), field.doc.to_string())));
    fields
}

const BUILT_IN: &str = "{{ title }}
{% if message %}
{{ message }}
{% endif %}
{% if object.id %}Certificate: {{ object.subject }}
{% if object.name %}Names: {{ object.name | join(', ') }}
{% endif %}Issuer: {{ object.issuer }}
Serial number: {{ object.serial }}
Valid until: {{ object.expires }}
{% if object.owner %}Owner: {{ object.owner }}
{% endif %}{% if object.group %}Groups: {{ object.group | join(', ') }}
{% endif %}{% endif %}When: {{ event.time }}
Event: {{ event.type }}

{{ links.event }}
{% if links.alert %}{{ links.alert }}
{% endif %}";

/// An example body, for the form.
pub fn example() -> Value {
    json!({ "subject": "[{{ event.severity }}] {{ title }}", "text": BUILT_IN })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: Value) -> (String, String) {
        match Template::check(&body, &[]) {
            Err(Error::Invalid { field, message }) => (field, message),
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_names_nothing_is_refused_where_it_stands() {
        let expiring = json!(["certificate.expiring"]);
        for (subject, text, place, word) in [
            ("{{ titel }}", "x", "/subject", "titel"),
            ("x", "{{ detail.days_left_over }}", "/text", "detail.days_left_over"),
            ("x", "{{ object.colour }}", "/text", "object.colour"),
            ("x", "{{ event.colour }}", "/text", "event.colour"),
            ("x", "{{ title | shout }}", "/text", "shout"),
            ("x", "{% if title is loud %}y{% endif %}", "/text", "loud"),
            ("x", "{% if title %}", "/text", ""),
            ("x", "{{ title", "/text", ""),
            ("{% include 'x' %}", "x", "/subject", ""),
            // A filter behind a text that ends like an expression.
            ("x", "{{ ('}}' ~ title) | safe }}", "/text", "safe"),
            ("x", "{{ ('}}' ~ title) | shout }}", "/text", "shout"),
            // What would take the memory of the server.
            ("x", "{% set a = title %}{{ a ~ a }}", "/text", "set"),
            ("x", "{{ 'x' * 100000000 }}", "/text", "*"),
            ("x", "{{ title * 900 * 900 }}", "/text", "*"),
            (
                "x",
                "{% for a in [title, title] %}{% for b in [a, a] %}y{% endfor %}{% endfor %}",
                "/text",
                "in",
            ),
            ("x", "{% for a in title ~ title %}y{% endfor %}", "/text", "in"),
            ("x", "{{ range(100000) | join('xxxxxxxxxxxxxxxx') }}", "/text", "range"),
            (
                "x",
                "{{ title | replace('e', event.sentence) | replace('e', event.sentence) | replace('e', event.sentence) | replace('e', event.sentence) | replace('e', event.sentence) }}",
                "/text",
                "long",
            ),
            (
                "x",
                "{{ event | string | list | string | list | string | list | string | list | string | list | string }}",
                "/text",
                "long",
            ),
            ("x", "{% macro m() %}x{% endmacro %}", "/text", ""),
            // It cannot be filled where there is a certificate.
            ("x", "{% if object %}{{ object.expires - 3 }}{% endif %}", "/text", ""),
            (
                "x",
                "{% for a in event.sentence %}{% for b in event.sentence %}\
                 {% for c in event.sentence %}{% if c %}{% endif %}{% endfor %}{% endfor %}{% endfor %}",
                "/text",
                "steps",
            ),
        ] {
            let body = json!({ "subject": subject, "text": text, "event_types": expiring });
            let (field, message) = refused(body);
            assert_eq!(field, place, "{subject} {text}");
            assert!(message.contains(word), "{message}");
        }
        assert_eq!(
            refused(json!({ "subject": "x", "text": "y", "event_types": ["a.b"] })).0,
            "/event_types/0"
        );
        assert_eq!(refused(json!({ "subject": "x" })).0, "/text");
    }

    #[test]
    fn the_built_in_one_fits_every_type_of_the_catalogue() {
        for event_type in EventType::ALL {
            let notified = Notified::example(*event_type);
            let filled = Template::built_in().fill(&context(&notified)).unwrap();
            assert!(!filled.subject.is_empty() && filled.text.contains(event_type.name()));
        }
        Template::check(&example(), &[]).unwrap();
    }

    #[test]
    fn what_templates_are_for_can_be_said() {
        for text in [
            "{{ object.name | join(', ') }} {{ title | replace('a', 'b') | upper }}",
            "{% for name in object.name | sort %}{{ loop.index }}. {{ name }}\n{% endfor %}",
            "{% if event.severity in ['error', 'critical'] %}!{% else %}-{% endif %}",
            "{{ 'far' if detail.days_left > 30 else 'near: ' ~ detail.days_left * 24 ~ ' h' }}",
            "{{ object.cn | default('?') }} {{ object.serial[:8] }} {{ detail | length | string }}",
            "{% raw %}{{ not this }}{% endraw %}{# nor {{ this }} #}{{ '{% set x %}' }}",
        ] {
            let body = json!({ "subject": "x", "text": text,
                "event_types": ["certificate.expiring"] });
            Template::check(&body, &[]).unwrap();
        }
    }

    #[test]
    fn a_long_text_is_cut_off_while_it_is_written() {
        let template = Template {
            text: "{% for a in title %}{{ title }}{% endfor %}".to_owned(),
            ..Template::built_in()
        };
        let error = template.fill(&json!({ "title": "x".repeat(5_000) })).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let template = Template {
            event_types: Vec::new(),
            subject: "{{ title }}".to_owned(),
            text: "{{ title }}".to_owned(),
            html: "<p>{{ title }}</p>".to_owned(),
        };
        let filled = template.fill(&json!({ "title": "a <b> & c" })).unwrap();
        assert_eq!(filled.text, "a <b> & c");
        assert_eq!(filled.html.unwrap(), "<p>a &lt;b&gt; &amp; c</p>");
    }
}
