//! Slack: an incoming webhook, Block Kit. The address is the secret (`url`).

use std::sync::Arc;

use chancery_engine::Error;
use chancery_engine::delivery::{Address, Checked, Definition, Parcel, Secrets, Sent};
use serde_json::{Value, json};

use super::webhook::{broken, not_in_clear};
use super::{cut, notices};
use crate::settings::Settings;
use crate::wire::address::Target;
use crate::wire::http::{Call, Client};
use crate::wire::tls;

/// Events of one message at most.
pub(crate) const BATCH_MAX: usize = 10;

/// What chats have in common: the address is a secret.
pub(crate) fn read(
    definition: &Definition,
    secrets: &Secrets,
) -> Result<(Target, Arc<rustls::ClientConfig>), Error> {
    let settings = Settings::new(&definition.settings);
    let url = secrets
        .find("url")
        .ok_or_else(|| Error::invalid("secrets/url", "the address of the webhook is needed"))?;
    let target = Target::http("secrets/url", url)?;
    not_in_clear("secrets/url", &target, true)?;
    let tls = tls::config(&settings, secrets)?;
    settings.finish()?;
    Ok((target, tls))
}

/// Checks a chat.
pub(crate) fn check(definition: &Definition, secrets: &Secrets) -> Result<Checked, Error> {
    let (target, _) = read(definition, secrets)?;
    if definition.dialect.as_deref().is_some_and(|dialect| !dialect.is_empty()) {
        return Err(Error::invalid("dialect", "people read it: it has no dialect"));
    }
    if definition.batch_max.is_some_and(|max| max > BATCH_MAX) {
        return Err(Error::invalid("batch_max", format!("a message holds {BATCH_MAX} events")));
    }
    let endpoint = format!("{}/…", target.origin());
    let hosts = vec![("secrets/url".to_owned(), target.host, target.port)];
    Ok(Checked { hosts, endpoint, batch_max: 1 })
}

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    post(client, address, card(parcel)).await
}

/// Posts JSON to the secret address.
pub(crate) async fn post(client: &Client, address: &Address, body: Value) -> Sent {
    let (target, tls) = match read(&address.definition, &address.secrets) {
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
    };
    client.send(call).await
}

/// The characters that Slack's markup gives a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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
        let title = escaped(&cut(&notice.title, 300));
        let mut text = format!("{mark} *{title}* ({})", notice.severity);
        if !notice.text.is_empty() {
            text.push('\n');
            text.push_str(&escaped(&cut(&notice.text, 2_000)));
        }
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
        let fields: Vec<Value> = notice
            .facts
            .iter()
            .take(10)
            .map(|(name, value)| {
                let text = format!("*{}*\n{}", escaped(name), escaped(&cut(value, 500)));
                json!({ "type": "mrkdwn", "text": text })
            })
            .collect();
        if !fields.is_empty() {
            blocks.push(json!({ "type": "section", "fields": fields }));
        }
        if let Some(link) = &notice.link {
            let text = format!("<{link}|Open in Chancery>");
            let element = json!({ "type": "mrkdwn", "text": text });
            blocks.push(json!({ "type": "context", "elements": [element] }));
        }
    }
    let title = notices.first().map_or("Chancery", |notice| notice.title.as_str());
    json!({ "text": escaped(&cut(title, 300)), "blocks": blocks })
}
