//! Requests refused at the door of an edge, before they became an operation (event
//! `access.denied`).
//!
//! Each caller leaves a few events a minute, and all callers together a few hundred: what goes
//! beyond is counted and told by the next event of the same caller, or by the sweep when the caller
//! has gone. So nobody can fill the log by being refused, and no refusal goes untold.
//!
//! The counts are in memory: a crash loses those of the last minutes, never a recorded event.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use chancery_event::types::account as types;
use chancery_event::{Outcome, Timestamp, Verdict};

use super::limit::{Answer, Limiter};
use crate::scribe::Draft;
use crate::{Context, Engine, Error, Permission};

/// Events each caller leaves a minute at most.
pub const REFUSALS_RECORDED_MAX: u32 = 5;
/// Events all callers together leave a minute at most.
const RECORDED_MAX: u32 = 300;
/// Callers counted one by one at most; beyond that, they are counted together.
const CALLERS_MAX: usize = 10_000;
/// How long a caller's count runs, in microseconds.
const WINDOW: i64 = 60 * Timestamp::SECOND;

/// What was refused, and why.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Method of the request.
    pub method: String,
    /// The declared route: parameters in braces, so that nothing somebody typed gets sealed.
    pub route: String,
    /// The permission it asks for.
    pub permission: Option<Permission>,
    /// Stable word of the problem that was answered.
    pub reason: &'static str,
    /// What was wrong, in words of the program.
    pub message: String,
}

/// Counts refusals by caller.
pub(crate) struct Tally {
    callers: Mutex<HashMap<String, Window>>,
    total: Limiter,
}

struct Window {
    since: Timestamp,
    recorded: u32,
    /// Refusals that no event has told yet, and the last of them.
    untold: u64,
    last: Option<(Context, Refusal)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { callers: Mutex::default(), total: Limiter::new(RECORDED_MAX) }
    }

    /// Counts a refusal; answers how many the event to be recorded now stands for, if one is.
    fn count(&self, context: &Context, refusal: &Refusal, now: Timestamp) -> Option<u64> {
        // A poisoned lock only means that another thread panicked while counting.
        let mut callers = self.callers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut key = caller(context);
        if callers.len() >= CALLERS_MAX && !callers.contains_key(&key) {
            key = String::new();
        }
        let fresh = Window { since: now, recorded: 0, untold: 0, last: None };
        let window = callers.entry(key).or_insert(fresh);
        if now.since(window.since) >= WINDOW {
            (window.since, window.recorded) = (now, 0);
        }
        if window.recorded < REFUSALS_RECORDED_MAX
            && matches!(self.total.take("", now), Answer::Allowed)
        {
            window.recorded += 1;
            window.last = None;
            return Some(std::mem::take(&mut window.untold) + 1);
        }
        window.untold += 1;
        window.last = Some((context.clone(), refusal.clone()));
        None
    }

    /// Takes out what was counted and not told in windows that began before `until`.
    fn over(&self, until: Timestamp) -> Vec<(Context, Refusal, u64)> {
        let mut callers = self.callers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut found = Vec::new();
        callers.retain(|_, window| {
            if window.since > until {
                return true;
            }
            if let Some((context, refusal)) = window.last.take() {
                found.push((context, refusal, window.untold));
            }
            false
        });
        found
    }

    /// Takes back what was taken out and could not be told.
    fn take_back(&self, context: Context, refusal: Refusal, untold: u64, now: Timestamp) {
        let mut callers = self.callers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = Window { since: now, recorded: 0, untold: 0, last: None };
        let window = callers.entry(caller(&context)).or_insert(fresh);
        window.untold += untold;
        window.last.get_or_insert((context, refusal));
    }
}

/// Who is counted together: an account, or an address; of IPv6 the network, because whoever has one
/// address of it has 2^64.
pub(super) fn caller(context: &Context) -> String {
    if let Some(account) = context.account_id() {
        return account.to_string();
    }
    let text = context.client.ip.as_deref().unwrap_or_default();
    match text.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => text.to_owned(),
    }
}

/// The network of an address: /24, of IPv6 /48. What is behind one line or one rented range.
pub(super) fn network(context: &Context) -> Option<String> {
    match context.client.ip.as_deref()?.parse().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

impl Engine {
    /// Records that a request was refused before it became an operation (event `access.denied`),
    /// or counts it if this caller was told of enough already.
    ///
    /// # Errors
    /// It could not be recorded; it stays refused all the same.
    pub async fn note_refusal(&self, context: &Context, refusal: Refusal) -> Result<(), Error> {
        let now = self.environment().now();
        let Some(refused) = self.0.refusals.count(context, &refusal, now) else { return Ok(()) };
        let told = self.tell_refusal(context, refusal.clone(), refused).await;
        if told.is_err() {
            self.0.refusals.take_back(context.clone(), refusal, refused, now);
        }
        told
    }

    /// Records that a caller was refused because it asked too much (event `client.rate_limited`).
    ///
    /// # Errors
    /// It could not be recorded.
    pub async fn note_rate_limit(
        &self,
        context: &Context,
        limited: &'static str,
        limiter: &Limiter,
    ) -> Result<(), Error> {
        let payload = types::ClientRateLimited {
            limited: limited.into(),
            limit: limiter.per_minute(),
            window_s: 60,
            client_address: context.client.ip.clone(),
        };
        self.note(context, Draft::new(&payload)?).await
    }

    /// Tells what was only counted, of windows that are over; at the end of the program of all.
    pub(crate) async fn tell_refusals(&self, all: bool) -> Result<(), Error> {
        let now = self.environment().now();
        let until = if all { now } else { now.plus(-WINDOW) };
        let mut told = Ok(());
        for (context, refusal, refused) in self.0.refusals.over(until) {
            if told.is_ok() {
                told = self.tell_refusal(&context, refusal.clone(), refused).await;
            }
            if told.is_err() {
                self.0.refusals.take_back(context, refusal, refused, until);
            }
        }
        told
    }

    async fn tell_refusal(
        &self,
        context: &Context,
        refusal: Refusal,
        refused: u64,
    ) -> Result<(), Error> {
        let payload = types::AccessDenied {
            method: refusal.method.into(),
            route: refusal.route,
            permission: refusal.permission.map(|permission| permission.as_str().into()),
            refused,
        };
        let outcome = Outcome {
            result: Verdict::Deny,
            reason: Some(refusal.reason.into()),
            message: Some(refusal.message),
        };
        self.note(context, Draft::new(&payload)?.outcome(outcome)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;
    use chancery_event::{Environment, Origin};

    fn from(ip: &str) -> Context {
        let client = Client { ip: Some(ip.to_owned()), user_agent: None };
        Context::anonymous(&Environment::system(), Origin::Api, client)
    }

    fn refusal() -> Refusal {
        Refusal {
            method: "POST".to_owned(),
            route: "/x/{id}".to_owned(),
            permission: None,
            reason: "unauthenticated",
            message: "no".to_owned(),
        }
    }

    #[test]
    fn a_caller_leaves_a_few_events_a_minute_and_every_refusal_is_told_once() {
        let tally = Tally::new();
        let start = Timestamp::from_micros(1_000_000_000_000);
        let (a, b) = (from("192.0.2.1"), from("192.0.2.2"));
        let told: Vec<_> = (0..12).map(|_| tally.count(&a, &refusal(), start)).collect();
        assert_eq!(told.iter().flatten().count(), 5);
        assert_eq!(tally.count(&b, &refusal(), start), Some(1), "another caller is on its own");
        let later = start.plus(WINDOW);
        assert_eq!(tally.count(&a, &refusal(), later), Some(8), "seven before it, and itself");
        for _ in 0..6 {
            tally.count(&a, &refusal(), later);
        }
        assert!(tally.over(start).is_empty(), "the window of a runs, b has nothing left to tell");
        let rest: Vec<_> = tally.over(later).into_iter().map(|(_, _, refused)| refused).collect();
        assert_eq!(rest, [2]);
        assert!(tally.over(later).is_empty(), "told once");
    }

    #[test]
    fn all_callers_together_leave_a_bounded_number() {
        let tally = Tally::new();
        let now = Timestamp::from_micros(1_000_000_000_000);
        let count = |i: u32| {
            let ip = std::net::Ipv4Addr::from(0x0a00_0000 + i).to_string();
            tally.count(&from(&ip), &refusal(), now)
        };
        let told: u64 = (0..11_000).filter_map(count).sum();
        assert_eq!(told, u64::from(RECORDED_MAX));
        let untold: u64 = tally.over(now).into_iter().map(|(_, _, refused)| refused).sum();
        assert_eq!(told + untold, 11_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_could_not_be_told_is_told_later() {
        let dir = tempfile::tempdir().unwrap();
        let settings = crate::Settings {
            allow_unencrypted_key: true,
            monitors: false,
            ..crate::Settings::new(dir.path())
        };
        let stepped = crate::Stepped::open(settings, Environment::system()).await.unwrap();
        let engine = stepped.engine();
        for ip in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            for _ in 0..8 {
                engine.note_refusal(&from(ip), refusal()).await.unwrap();
            }
        }
        engine.0.store.inject("note", chancery_store::Fault::NotPersisted);
        assert!(engine.tell_refusals(true).await.is_err());
        engine.0.store.inject("note", chancery_store::Fault::NotPersisted);
        assert!(engine.note_refusal(&from("192.0.2.4"), refusal()).await.is_err());
        engine.tell_refusals(true).await.unwrap();
        stepped.seal().await.unwrap();
        let mut link = engine.link().await.unwrap();
        let first = chancery_event::LogIndex(0);
        let events = chancery_store::log::range(&mut link, first, 1_000).await.unwrap();
        let denied = events.iter().filter(|e| e.event().type_name == "access.denied");
        let told: u64 = denied.filter_map(|e| e.event().detail["refused"].as_u64()).sum();
        assert_eq!(told, 3 * 8 + 1);
        drop(link);
        stepped.kill().await;
    }

    #[test]
    fn addresses_of_one_network_are_one_caller() {
        assert_eq!(caller(&from("2001:db8:1:2::1")), caller(&from("2001:db8:1:2:3:4:5:6")));
        assert_ne!(caller(&from("2001:db8:1:2::1")), caller(&from("2001:db8:1:3::1")));
        assert_ne!(caller(&from("192.0.2.1")), caller(&from("192.0.2.2")));
        assert_eq!(network(&from("192.0.2.1")), network(&from("192.0.2.200")));
        assert_ne!(network(&from("192.0.2.1")), network(&from("192.0.3.1")));
        assert_eq!(network(&from("2001:db8:1:2::1")), network(&from("2001:db8:1:3::1")));
        assert_ne!(network(&from("2001:db8:1:2::1")), network(&from("2001:db8:2::1")));
        assert_eq!(network(&from("")), None);
    }
}
