//! Microsoft Teams: a Workflows webhook that takes an Adaptive Card. The address is the secret
//! (`url`).

use chancery_engine::delivery::{Address, Parcel, Sent};
use serde_json::{Value, json};

use super::{Notice, OPEN, cut, notices, slack};
use crate::wire::http::Client;

pub(crate) async fn send(client: &Client, address: &Address, parcel: &Parcel) -> Sent {
    slack::post(client, address, card(parcel)).await
}

fn card(parcel: &Parcel) -> Value {
    let notices = notices(parcel);
    let open = |notice: &Notice| -> Vec<Value> {
        let ways = notice.ways().into_iter();
        ways.map(|(name, to)| json!({ "type": "Action.OpenUrl", "title": name, "url": to }))
            .collect()
    };
    let (items, actions): (Vec<Value>, Vec<Value>) = match notices.as_slice() {
        [only] => (items(only), open(only)),
        // Each has its link below it: one at the foot of the card would be that of the first.
        many => {
            let with_link = |notice: &Notice| {
                let actions = Some(open(notice)).filter(|actions| !actions.is_empty());
                let set = actions.map(|all| json!({ "type": "ActionSet", "actions": all }));
                items(notice).into_iter().chain(set)
            };
            (many.iter().take(slack::BATCH_MAX).flat_map(with_link).collect(), Vec::new())
        }
    };
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

/// Lines of one message at most.
const LINES_MAX: usize = 60;
/// Characters of those lines at most.
const TEXT_MAX: usize = 2_000;

/// What a card shows of one notice. Texts are runs of plain text, because a card gives others'
/// words, such as the name in a certificate, the meaning of markup: links in an official message.
fn items(notice: &Notice) -> Vec<Value> {
    let colour = match notice.severity.as_str() {
        "critical" | "error" => "attention",
        "warning" => "warning",
        _ => "default",
    };
    let title = format!("{} ({})", cut(&notice.title, 300), notice.severity);
    let run = json!({ "type": "TextRun", "text": title, "weight": "bolder", "color": colour });
    let mut items = vec![json!({ "type": "RichTextBlock", "inlines": [run] })];
    let mut left = TEXT_MAX;
    let lines = notice.lines().filter(|(line, _)| !line.trim().is_empty());
    for (line, link) in lines.take(LINES_MAX) {
        let mut run = json!({ "type": "TextRun", "text": cut(line, left) });
        // A line that is nothing but the address of its event or alert leads there.
        let own = notice.ways().into_iter().map(|(_, to)| to).find(|to| *to == line.trim());
        if let Some(url) = link.or(own) {
            run["selectAction"] = json!({ "type": "Action.OpenUrl", "title": OPEN, "url": url });
        }
        items.push(json!({ "type": "RichTextBlock", "inlines": [run], "spacing": "small" }));
        left = left.saturating_sub(line.chars().count() + 1);
        if left == 0 {
            break;
        }
    }
    // A table knows no plain text: what would be a link is taken apart.
    let plain = |text: &str| text.replace("](", "] (");
    let facts: Vec<Value> = notice
        .facts
        .iter()
        .take(20)
        .map(|(name, value)| json!({ "title": plain(name), "value": plain(&cut(value, 500)) }))
        .collect();
    if !facts.is_empty() {
        items.push(json!({ "type": "FactSet", "facts": facts }));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_no_markup() {
        let link = "[Renew now](https://evil.example)";
        let notice = Notice {
            title: link.to_owned(),
            severity: "warning".to_owned(),
            facts: vec![("certificate".to_owned(), link.to_owned())],
            link: None,
            alert: None,
            text: format!("one\n\n{link}"),
            line_links: vec![(2, "https://chancery.example/alerts/1".to_owned())],
            mentions: Vec::new(),
        };
        let items = items(&notice);
        let kinds: Vec<&str> = items.iter().map(|item| item["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["RichTextBlock", "RichTextBlock", "RichTextBlock", "FactSet"]);
        assert_eq!(items[2]["inlines"][0]["text"], link);
        let action = &items[2]["inlines"][0]["selectAction"];
        assert_eq!(action["url"], "https://chancery.example/alerts/1", "where we say it leads");
        assert!(items[1]["inlines"][0].get("selectAction").is_none());
        assert_eq!(items[3]["facts"][0]["value"], "[Renew now] (https://evil.example)");
    }
}
