//! Nobody gets the same message twice: not of one event through several paths, and not through
//! several profiles. What is sent now goes before what only waits: a digest silences no one.

use std::collections::{HashMap, HashSet};

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, NoticeId};
use chancery_store::Tx;
use chancery_store::table::notice;

use super::decide::{Decision, Verdict};
use super::profile::BELL;
use super::write::{Case, Work, whom};
use crate::Error;

impl Work {
    /// Leaves out what was sent already of the same event, by another path. What only waits gives
    /// way to what is sent now.
    pub(super) async fn without_duplicates(
        &self,
        tx: &mut Tx,
        case: &Case,
        decisions: &mut [Decision],
    ) -> Result<(), Error> {
        self.once_each(decisions);
        let (mut sent, mut held) = (HashSet::new(), HashMap::<_, Vec<NoticeId>>::new());
        for row in notice::reached(tx, case.sealed.event().id).await? {
            let key = self.same(&row.channel, row.account, row.address.as_deref());
            match row.is_held {
                true => held.entry(key).or_default().push(row.id),
                false => drop(sent.insert(key)),
            }
        }
        let mut overtaken = Vec::new();
        for decision in decisions.iter_mut().filter(|one| one.tells()) {
            let (account, address) = whom(decision.person.as_ref(), &decision.channel);
            let key = self.same(&decision.channel, account, address);
            if sent.contains(&key) {
                decision.verdict = Verdict::Skip("duplicate");
            } else if decision.verdict == Verdict::Send {
                overtaken.extend(held.remove(&key).unwrap_or_default());
            }
        }
        notice::settle(tx, &overtaken, None, "duplicate").await?;
        Ok(())
    }

    /// One message for each address, the earliest: two accounts may share one.
    pub(super) fn once_each(&self, decisions: &mut [Decision]) {
        let when = |one: &Decision| match one.verdict {
            Verdict::Send => None,
            Verdict::Hold(_, at) => Some(at),
            Verdict::Skip(_) => Some(Timestamp::from_micros(i64::MAX)),
        };
        let mut order: Vec<usize> = (0..decisions.len()).collect();
        order.sort_by_key(|place| when(&decisions[*place]));
        let mut once = HashSet::new();
        for place in order {
            let one = &mut decisions[place];
            if !one.tells() || !self.is_mail(&one.channel) {
                continue;
            }
            let address = one.person.as_ref().and_then(|person| person.address.clone());
            if !once.insert((one.channel.clone(), address)) {
                one.verdict = Verdict::Skip("duplicate");
            }
        }
    }

    /// What tells messages apart: whoever reads a chat reads it together, mail goes to an address,
    /// the bell rings for an account.
    fn same(
        &self,
        channel: &str,
        account: Option<AccountId>,
        address: Option<&str>,
    ) -> (String, String) {
        let whom = match (self.directory.is_shared(channel), address, account) {
            (true, ..) | (false, None, None) => String::new(),
            (false, Some(address), _) => address.to_owned(),
            (false, None, Some(account)) => account.to_string(),
        };
        (channel.to_owned(), whom)
    }

    pub(super) fn is_mail(&self, channel: &str) -> bool {
        channel != BELL && !self.directory.is_shared(channel)
    }
}
