//! Telling administrators outside of this program that a destination was switched off: through
//! channels that get through. An alert alone would wait for somebody who looks.
//!
//! What is told by profiles is another matter: who made none, or whose only trigger tells through
//! the channel that failed, hears of it all the same.

use chancery_event::Severity;
use chancery_event::id::{AlertId, DeliveryId};
use chancery_store::Tx;
use chancery_store::table::destination;

use super::{Class, Message, enqueue};
use crate::notification::recipient::Directory;
use crate::scribe::Scribe;
use crate::{Error, Role};

/// Channels that are told through at most.
const PATHS_MAX: usize = 2;

/// Queues a message for administrators through channels that work; answers their names.
pub(super) async fn tell(
    tx: &mut Tx,
    scribe: &Scribe,
    failed: &str,
    (subject, text): (String, String),
    alert: AlertId,
    public_url: &str,
) -> Result<Vec<String>, Error> {
    let mut channels = destination::all(tx, Some(Class::Channel.as_str())).await?;
    channels.retain(|row| row.enabled && row.name != failed && row.course.failures == 0);
    channels.sort_by_key(|row| std::cmp::Reverse(row.course.last_success_at));
    let directory = Directory::read(tx, scribe.now()).await?;
    let administrators = directory.addresses_of(Role::Administrator);
    let mut told = Vec::new();
    for channel in channels {
        // Each by itself: one address that is refused must not keep it from the others.
        let recipients: Vec<Vec<String>> = match channel.kind == "email" {
            true => administrators.iter().map(|address| vec![address.clone()]).collect(),
            false => vec![Vec::new()],
        };
        if recipients.is_empty() {
            continue;
        }
        for recipients in recipients {
            let message = Message {
                subject: subject.clone(),
                text: text.clone(),
                recipients,
                severity: Some(Severity::Error.as_str().to_owned()),
                link: Some(format!("{}/alerts/{alert}", public_url.trim_end_matches('/'))),
                ..Message::default()
            };
            let id = scribe.environment().id::<DeliveryId>();
            enqueue(tx, id, &channel.name, "message", &message, scribe.now()).await?;
        }
        told.push(channel.name);
        if told.len() == PATHS_MAX {
            break;
        }
    }
    Ok(told)
}
