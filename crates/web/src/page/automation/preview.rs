//! What a rule or trigger would have made of the past, while it is written. What cannot be understood
//! yet is said here, without refusing anything: somebody is still typing.

use chancery_engine::Error;
use chancery_engine::automation::Class;
use chancery_engine::reaction::trial::Tried;
use chancery_event::EventType;
use maud::{Markup, html};
use serde_json::Value;

use super::{form, trial};
use crate::edge::Problem;
use crate::page::shell::Shell;
use crate::page::typed::{Typed, sentence};

/// Newest events that a preview looks at.
const PREVIEW_MAX: u64 = 50_000;

/// The events of a type that a condition fits.
pub(super) async fn rule(shell: &Shell, text: &str, of: EventType) -> Result<Markup, Problem> {
    let filter = Value::from(text);
    told(shell.engine().preview_rule(shell.context(), &filter, &[of], PREVIEW_MAX).await)
}

/// What a trigger would have done.
pub(super) async fn trigger(shell: &Shell, typed: &Typed) -> Result<Markup, Problem> {
    let body = form::body(typed, Class::Trigger)?;
    told(shell.engine().preview_trigger(shell.context(), &body, PREVIEW_MAX).await)
}

fn told(tried: Result<Tried, Error>) -> Result<Markup, Problem> {
    match tried {
        Ok(tried) => Ok(trial::told(&tried)),
        Err(Error::Invalid { message, .. }) => Ok(html! {
            p.unfinished { "Not yet: " (sentence(&message)) }
        }),
        Err(error) => Err(error.into()),
    }
}
