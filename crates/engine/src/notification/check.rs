//! What is refused when a profile is saved: names of what is not there, and whom none of its
//! channels reaches.

use serde_json::Value;

use super::profile::{ALL, BELL, Profile, Recipient};
use crate::Error;
use crate::reaction::configuration::Surroundings;

/// Refuses a profile that names an account, a group, an attribute or a channel that is not there.
pub(crate) fn check_profile(json: &Value, around: &Surroundings) -> Result<(), Error> {
    let profile = Profile::read(json)?;
    for (place, recipient) in profile.named() {
        let missing = |noun: &str, name: &str| {
            Err(Error::invalid(place.clone(), format!("there is no {noun} “{name}”")))
        };
        match recipient {
            Recipient::Account(name) if !around.accounts.contains(name) => {
                return missing("account", name);
            }
            Recipient::Group(name) if !around.groups.contains(&name.to_lowercase()) => {
                return missing("group", name);
            }
            Recipient::ObjectContact(name)
                if !around.attributes.iter().any(|one| one.name == *name) =>
            {
                return missing("custom attribute", name);
            }
            _ => {}
        }
    }
    for (place, channel) in profile.named_channels() {
        if !around.channels.iter().any(|one| one.name == channel) {
            return Err(Error::invalid(place, format!("there is no channel “{channel}”")));
        }
    }
    reachable(&profile, around)
}

/// Refuses recipients that no channel can reach, whoever they are.
fn reachable(profile: &Profile, around: &Surroundings) -> Result<(), Error> {
    let receives = |name: &String| {
        name == ALL || around.channels.iter().any(|one| one.name == *name && one.receives)
    };
    if profile.recipients == [Recipient::Nobody] && !profile.channels.iter().any(receives) {
        let message = "without recipients, name a channel that has a receiver of its own: a chat, \
                       or mail with addresses that it goes to";
        return Err(Error::invalid("/channels", message));
    }
    for (place, recipient) in profile.named() {
        let level = place.strip_prefix("/escalation/").and_then(|rest| rest.split('/').next());
        let level = level.and_then(|number| profile.escalation.get(number.parse::<usize>().ok()?));
        let channels = match level {
            Some(level) if !level.channels.is_empty() => &level.channels,
            _ => &profile.channels,
        };
        let only_bell = !channels.is_empty() && channels.iter().all(|name| name == BELL);
        if only_bell && matches!(recipient, Recipient::Address(_) | Recipient::ObjectContact(_)) {
            let message = "the bell rings for accounts alone: name a mail channel as well";
            return Err(Error::invalid(place, message));
        }
    }
    Ok(())
}

/// Whether a profile's body names what is called so: an `account`, a `group`, an `attribute` or a
/// `channel`.
pub(crate) fn names(json: &Value, noun: &str, same: &dyn Fn(&str) -> bool) -> bool {
    let Ok(profile) = Profile::read(json) else { return false };
    if noun == "channel" {
        return profile.named_channels().iter().any(|(_, name)| same(name));
    }
    profile.named().iter().any(|(_, recipient)| match (noun, recipient) {
        ("account", Recipient::Account(name))
        | ("group", Recipient::Group(name))
        | ("attribute", Recipient::ObjectContact(name)) => same(name),
        _ => false,
    })
}
