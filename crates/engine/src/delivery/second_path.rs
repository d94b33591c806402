//! Telling administrators outside of this program that a destination was switched off: through
//! channels that get through. An alert alone would wait for somebody who looks.
//!
//! What is told by profiles is another matter: who made none, or whose only trigger tells through
//! the channel that failed, hears of it all the same.

use chancery_event::Severity;
use chancery_event::id::{AlertId, DeliveryId};
use chancery_store::Tx;
use chancery_store::table::{account, contact, destination};

use super::{Class, Message, enqueue};
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
    let mut told = Vec::new();
    for channel in channels {
        let is_mail = channel.kind == "email";
        let recipients = if is_mail { administrators(tx).await? } else { Vec::new() };
        if is_mail && recipients.is_empty() {
            continue;
        }
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
        told.push(channel.name);
        if told.len() == PATHS_MAX {
            break;
        }
    }
    Ok(told)
}

/// Mail addresses of administrators who can log in, without those that are refused.
async fn administrators(tx: &mut Tx) -> Result<Vec<String>, Error> {
    let refused = contact::refused(tx).await?;
    let mut addresses = Vec::new();
    for account in account::all(tx).await? {
        if account.disabled || account.role != Role::Administrator.as_str() {
            continue;
        }
        let own = contact::find(tx, "account", &account.id.to_string()).await?;
        let Some(address) = own.and_then(|own| own.email).or(account.email) else { continue };
        if !refused.iter().any(|row| row.address.eq_ignore_ascii_case(&address)) {
            addresses.push(address);
        }
    }
    addresses.dedup();
    Ok(addresses)
}
