//! Makes an event fit an entry: long texts in it are cut, and say so.

use aws_lc_rs::digest;
use serde_json::{Map, Value};

use crate::envelope::{Event, Personal, PersonalPart};

use super::{Entry, EntryError};

/// How much is left of a text, in bytes: the first of these with which the event fits.
const MEASURES: [usize; 6] = [16_384, 4_096, 1_024, 256, 96, 24];
/// Texts that are longer than the measure by no more than this stay as they are: what is said of
/// the rest would take as much.
const MARK: usize = 128;
/// How many items are left of a list of texts, for each byte that is left of a text.
const ITEMS: usize = 4;

impl Event {
    /// The entry of this event as [`Event::entry`] makes it, of which long texts are cut where it
    /// would not fit otherwise: in the detail, in names, in the message, in the personal part. What
    /// was cut ends in how long it was and in the SHA-256 of the whole, so that whoever has the
    /// whole can prove that it was this. A list of texts that is cut ends in how many there were.
    ///
    /// # Errors
    /// [`EntryError`]: a number without canonical form, or more members than fit however short.
    pub fn fitting_entry(&mut self, salt: [u8; 32]) -> Result<Entry, EntryError> {
        let mut done = self.entry(salt);
        if done.is_ok() {
            return done;
        }
        let whole = self.clone();
        // How many of the measures were tried.
        let (mut all, mut person) = (0, 0);
        loop {
            let tried = match &done {
                Err(EntryError::TooLarge { .. }) => &mut all,
                Err(EntryError::PersonalTooLarge { .. }) => &mut person,
                _ => return done,
            };
            if *tried == MEASURES.len() {
                return done;
            }
            *tried += 1;
            *self = whole.clone();
            if let Some(measure) = MEASURES[..all].last() {
                self.abridge(*measure);
            }
            if let (Some(measure), PersonalPart::Clear(part)) =
                (MEASURES[..person].last(), &mut self.personal)
            {
                abridge_personal(part, *measure);
            }
            done = self.entry(salt);
        }
    }

    /// Cuts everything outside the personal part.
    fn abridge(&mut self, measure: usize) {
        abridge_map(&mut self.detail, measure);
        let names = self.targets.iter_mut().filter_map(|target| target.name.as_mut());
        names.chain(&mut self.outcome.message).for_each(|text| cut(text, measure));
    }
}

fn abridge_personal(personal: &mut Personal, measure: usize) {
    abridge_map(&mut personal.detail, measure);
    let told = [&mut personal.actor_name, &mut personal.user_agent].into_iter().flatten();
    personal.targets.values_mut().chain(told).for_each(|text| cut(text, measure));
}

fn abridge_map(map: &mut Map<String, Value>, measure: usize) {
    map.values_mut().for_each(|value| abridge_value(value, measure));
}

fn abridge_value(value: &mut Value, measure: usize) {
    match value {
        Value::String(text) => cut(text, measure),
        Value::Array(items) => {
            let most = measure * ITEMS;
            if items.len() > most && items.iter().all(Value::is_string) {
                let all = items.len();
                items.truncate(most);
                items.push(Value::from(format!("… ({all} in all)")));
            }
            items.iter_mut().for_each(|item| abridge_value(item, measure));
        }
        Value::Object(members) => abridge_map(members, measure),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves `measure` bytes of a text, and says what it was.
fn cut(text: &mut String, measure: usize) {
    if text.len() <= measure + MARK {
        return;
    }
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let mark = format!("… ({} bytes in all, SHA-256 {digest})", text.len());
    text.truncate(text.floor_char_boundary(measure));
    text.push_str(&mark);
}
