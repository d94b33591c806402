//! Slack: an incoming webhook, Block Kit. The address is the secret (`url`).

use std::sync::Arc;

use chancery_engine::Error;
use chancery_engine::delivery::{Address, Checked, Definition, Parcel, Secrets, Sent};
use serde_json::{Value, json};

use super::webhook::{broken, not_in_clear};
use super::{Notice, notices};
use crate::body::batch_or_one;
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::http::{ANSWER, Call, Client};
use crate::wire::limits::Limits;
use crate::wire::tls;

/// Events of one message at most.
pub(crate) const BATCH_MAX: usize = 10;

/// What chats have in common: the address is a secret.
pub(crate) fn read(
    definition: &Definition,
    secrets: &Secrets,
) -> Result<(Target, Arc<rustls::ClientConfig>, Limits), Error> {
    let settings = Settings::new(&definition.settings);
    let url = secrets
        .find("url")
        .ok_or_else(|| Error::invalid("secrets/url", "the address of the webhook is needed"))?;
    let target = Target::http("secrets/url", url)?;
    not_in_clear("secrets/url", &target, true)?;
    let tls = tls::config(&settings, secrets, target.tls)?;
    let limits = Limits::read(&settings, ANSWER)?;
    settings.finish()?;
    Ok((target, tls, limits))
}

/// Checks a chat.
pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let (target, ..) = read(definition, secrets)?;
    if definition.dialect.as_deref().is_some_and(|dialect| !dialect.is_empty()) {
        return Err(Error::invalid("dialect", "people read it: it has no dialect"));
    }
    if definition.batch_max.is_some_and(|max| max > BATCH_MAX) {
        return Err(Error::invalid("batch_max", format!("a message holds {BATCH_MAX} events")));
    }
    let endpoint = format!("{}/…", target.origin());
    let hosts = vec![("secrets/url".to_owned(), target.host, target.port)];
    let batch_max = batch_or_one(definition, BATCH_MAX);
    Ok(Checked { hosts, endpoint, batch_max })
}

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    post(client, address, card(parcel)).await
}

/// Posts JSON to the secret address.
pub(crate) async fn post(client: &Client, address: &Address, body: Value) -> Sent {
    let (target, tls, limits) = match read(&address.definition, &address.secrets) {
        Ok(read) => read,
        Err(error) => return broken(&error),
    };
    let call = Call {
        owner: (address.name.clone(), address.version),
        target,
        method: http::Method::POST,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        tls,
        secret_headers: Vec::new(),
        path_is_secret: true,
        limits,
    };
    client.send(call).await
}

/// Characters of a section at most: Slack refuses a message with a longer one.
const SECTION_MAX: usize = 2_900;
/// People that one message mentions at most.
const MENTIONS_MAX: usize = 20;

/// A text with the characters escaped that Slack's markup gives a meaning, cut so that it has at
/// most so many characters then.
fn escaped(text: &str, most: usize) -> String {
    let mut escaped = String::new();
    let mut left = most.saturating_sub(1);
    for c in text.chars() {
        let shown = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        let length = if shown.is_empty() { 1 } else { shown.len() };
        let Some(rest) = left.checked_sub(length) else {
            escaped.push('…');
            break;
        };
        left = rest;
        match shown {
            "" => escaped.push(c),
            shown => escaped.push_str(shown),
        }
    }
    escaped
}

/// The text of a notice, of at most so many characters; lines that lead somewhere are links.
fn body(notice: &Notice, most: usize) -> String {
    if notice.line_links.is_empty() {
        return escaped(&notice.text, most);
    }
    let mut body = String::new();
    let mut left = most.saturating_sub(1);
    for (line, link) in notice.lines() {
        let line = match link {
            // The first stroke ends the address; another would be read as one by some clients.
            Some(url) => format!("<{url}|{}>\n", escaped(line, SECTION_MAX).replace('|', "¦")),
            None => format!("{}\n", escaped(line, SECTION_MAX)),
        };
        // Half a link would be none.
        let Some(rest) = left.checked_sub(line.chars().count()) else {
            body.push('…');
            return body;
        };
        left = rest;
        body.push_str(&line);
    }
    body.trim_end().to_owned()
}

/// Whom a message is for. A handle is markup only if it means one person or one group of them: what
/// people enter about themselves wakes no whole channel.
fn mentioned(whom: &[String]) -> String {
    let one = |handle: &String| {
        let id = handle.strip_prefix("<@").or_else(|| handle.strip_prefix("<!subteam^"));
        let is_id = id.and_then(|id| id.strip_suffix('>')).is_some_and(|id| {
            let good = id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            good && (1..=40).contains(&id.len())
        });
        if is_id { handle.clone() } else { escaped(handle, 60) }
    };
    let mut names: Vec<String> = whom.iter().take(MENTIONS_MAX).map(one).collect();
    if whom.len() > names.len() {
        names.push(format!("{} more", whom.len() - names.len()));
    }
    names.join(", ")
}

fn card(parcel: &Parcel) -> Value {
    let notices = notices(parcel);
    let mut blocks = Vec::new();
    for notice in notices.iter().take(BATCH_MAX) {
        let mark = match notice.severity.as_str() {
            "critical" | "error" => ":red_circle:",
            "warning" => ":large_yellow_circle:",
            _ => ":large_blue_circle:",
        };
        let title = escaped(&notice.title, 500);
        let mut text = format!("{mark} *{title}* ({})", notice.severity);
        if !notice.mentions.is_empty() {
            text.push_str(&format!("\nFor {}", mentioned(&notice.mentions)));
        }
        if !notice.text.is_empty() {
            let left = SECTION_MAX.saturating_sub(text.chars().count() + 1);
            text.push('\n');
            text.push_str(&body(notice, left));
        }
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
        let fields: Vec<Value> = notice
            .facts
            .iter()
            .take(10)
            .map(|(name, value)| {
                let text = format!("*{}*\n{}", escaped(name, 200), escaped(value, 1_000));
                json!({ "type": "mrkdwn", "text": text })
            })
            .collect();
        if !fields.is_empty() {
            blocks.push(json!({ "type": "section", "fields": fields }));
        }
        let ways: Vec<String> =
            notice.ways().into_iter().map(|(name, to)| format!("<{to}|{name}>")).collect();
        if !ways.is_empty() {
            let text = ways.join(" · ");
            let element = json!({ "type": "mrkdwn", "text": text });
            blocks.push(json!({ "type": "context", "elements": [element] }));
        }
    }
    let title = notices.first().map_or("Chancery", |notice| notice.title.as_str());
    json!({ "text": escaped(title, 500), "blocks": blocks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_person_or_a_group_is_mentioned_by_markup() {
        let whom = ["<@U024BE7LH>", "<!subteam^S01>", "<!channel>", "<!here|x>", "ada", "<@u1>"];
        let whom: Vec<String> = whom.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(
            mentioned(&whom),
            "<@U024BE7LH>, <!subteam^S01>, &lt;!channel&gt;, &lt;!here|x&gt;, ada, &lt;@u1&gt;"
        );
        assert!(mentioned(&vec!["<@U1>".to_owned(); 100]).ends_with(", 80 more"));
    }

    #[test]
    fn a_line_that_leads_somewhere_is_a_link_or_is_left_out_whole() {
        let url = "https://chancery.example/alerts/1";
        let notice = Notice {
            title: "2 notices".to_owned(),
            severity: "warning".to_owned(),
            facts: Vec::new(),
            link: None,
            alert: None,
            text: "web (2)\na|b <https://evil.example|Renew>\nwww ends\nand 3 more".to_owned(),
            line_links: vec![(1, url.to_owned()), (2, url.to_owned())],
            mentions: Vec::new(),
        };
        let first = format!("<{url}|a¦b &lt;https://evil.example¦Renew&gt;>");
        let whole = format!("web (2)\n{first}\n<{url}|www ends>\nand 3 more");
        assert_eq!(body(&notice, SECTION_MAX), whole);
        let room = "web (2)\n".len() + first.chars().count() + 10;
        assert_eq!(body(&notice, room), format!("web (2)\n{first}\n…"));
    }

    #[test]
    fn a_text_is_cut_after_it_is_escaped_and_between_characters() {
        assert_eq!(escaped("a&b", 100), "a&amp;b");
        let cut = escaped(&"&".repeat(2_000), 100);
        assert!(cut.chars().count() <= 100 && cut.ends_with("&amp;…"), "{cut}");
    }
}
