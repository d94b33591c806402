//! Microsoft Teams: a Workflows webhook that takes an Adaptive Card. The address is the secret
//! (`url`).

use chancery_engine::delivery::{Address, Parcel, Sent};
use serde_json::{Value, json};

use super::{Notice, cut, notices, slack};
use crate::wire::http::Client;

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    slack::post(client, address, card(parcel)).await
}

fn card(parcel: &Parcel) -> Value {
    let notices = notices(parcel);
    let shown = notices.iter().take(slack::BATCH_MAX);
    let items: Vec<Value> = shown.flat_map(items).collect();
    let link = notices.first().and_then(|notice| notice.link.clone());
    let actions: Vec<Value> = link
        .into_iter()
        .map(|url| json!({ "type": "Action.OpenUrl", "title": "Open in Chancery", "url": url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": items,
                "actions": actions,
            },
        }],
    })
}

fn items(notice: &Notice) -> Vec<Value> {
    let colour = match notice.severity.as_str() {
        "critical" | "error" => "attention",
        "warning" => "warning",
        _ => "default",
    };
    let title = format!("{} ({})", cut(&notice.title, 300), notice.severity);
    let mut items = vec![json!({ "type": "TextBlock", "text": title, "weight": "bolder",
        "color": colour, "wrap": true })];
    if !notice.text.is_empty() {
        items.push(json!({ "type": "TextBlock", "text": cut(&notice.text, 2_000), "wrap": true }));
    }
    let facts: Vec<Value> = notice
        .facts
        .iter()
        .take(20)
        .map(|(name, value)| json!({ "title": name, "value": cut(value, 500) }))
        .collect();
    if !facts.is_empty() {
        items.push(json!({ "type": "FactSet", "facts": facts }));
    }
    items
}
