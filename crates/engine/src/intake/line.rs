//! Lines of syslog: read one by one, taken in together.
//!
//! Unlike a body over HTTP, lines that come together have nothing to do with each other: one that
//! cannot be read is refused by itself. A sender is never answered, so what is not taken in must be
//! counted here. A line without an identifier and without a time is taken in as often as it comes.

use std::sync::Arc;

use chancery_event::Origin;
use chancery_event::dialect::{Dialect, Foreign, Unreadable};
use chancery_store::Tx;

use super::{MALFORMED, Refused, Sender, Taken, Undated, refuse, take_all};
use crate::access::Refusal;
use crate::{Client, Context, Engine, Error};

/// The priority of a line that has none (RFC 3164 §4.3.3).
const NO_PRIORITY: &str = "<13>";

impl Engine {
    /// Takes in lines of syslog, each one event; those that cannot be read are refused. Answers
    /// what was taken in and how many were refused.
    ///
    /// # Errors
    /// The store cannot be written; none of the lines was taken in then, and they can be handed in
    /// again.
    pub async fn take_in_lines(
        &self,
        sender: &Sender,
        lines: &[String],
    ) -> Result<(Taken, u64), Error> {
        let (mut events, mut refused) = (Vec::new(), MALFORMED);
        for line in lines {
            match read(sender.dialect, line) {
                Ok(found) => events.extend(found),
                Err(problem) => {
                    refused.count += 1;
                    refused.bytes += line.len();
                    refused.problem = problem.to_string();
                }
            }
        }
        let count = u64::try_from(refused.count).unwrap_or(0);
        let told = count > 0 && self.tells_refusal(sender);
        let (sender, scribe) = (sender.clone(), self.scribe(&sender.context));
        let work = Arc::new((events, refused));
        // All of it or nothing: who hands the lines in again would make some of them twice.
        let taken = self.0.store.transaction("intake.lines", move |tx: &mut Tx| {
            let (sender, scribe, work) = (sender.clone(), scribe.clone(), work.clone());
            Box::pin(async move {
                let (events, refused) = &*work;
                let mut taken = Taken::default();
                if !events.is_empty() {
                    taken = take_all(tx, &scribe, &sender, events, Undated::Never).await?;
                }
                if refused.count > 0 {
                    refuse(tx, &scribe, &sender, refused, told).await?;
                }
                Ok::<Taken, Error>(taken)
            })
        });
        Ok((taken.await?, count))
    }

    /// Counts lines that are longer than what is taken.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn refuse_lines(
        &self,
        sender: &Sender,
        count: u64,
        problem: &str,
    ) -> Result<(), Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.refuse(sender, Refused { count, problem: problem.to_owned(), ..MALFORMED }).await
    }

    /// Counts lines for which there was no room.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn note_dropped_lines(&self, sender: &Sender, count: u64) -> Result<(), Error> {
        let refused = Refused {
            reason: "overflow",
            count: i64::try_from(count).unwrap_or(i64::MAX),
            bytes: 0,
            problem: format!("{count} lines came faster than they can be written"),
        };
        self.refuse(sender, refused).await
    }

    /// Records that somebody sent syslog who is no source (event `access.denied`), a few times a
    /// minute; the rest is counted in the next one.
    ///
    /// # Errors
    /// It could not be recorded.
    pub async fn note_unknown_sender(
        &self,
        address: std::net::IpAddr,
        transport: &'static str,
        why: &'static str,
    ) -> Result<(), Error> {
        let client = Client { ip: Some(address.to_canonical().to_string()), user_agent: None };
        let context = Context::anonymous(self.environment(), Origin::Intake, client);
        let refusal = Refusal {
            method: "SYSLOG".to_owned(),
            route: transport.to_owned(),
            permission: None,
            reason: "unauthenticated",
            message: why.to_owned(),
        };
        self.note_refusal(&context, refusal).await
    }
}

/// The events of one line, in the dialect of its source or in what stands inside it.
fn read(dialect: Dialect, line: &str) -> Result<Vec<Foreign>, Unreadable> {
    let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if dialect.is_text() && dialect != Dialect::Syslog {
        return dialect.parse(line.as_bytes());
    }
    if line.starts_with('<') {
        return Dialect::Syslog.parse(line.as_bytes());
    }
    Dialect::Syslog.parse(format!("{NO_PRIORITY}{line}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_line_is_read() {
        let code = |dialect, line: &str| read(dialect, line).map(|found| found[0].code.clone());
        let syslog = Dialect::Syslog;
        for (dialect, line, expected) in [
            (syslog, "<34>1 2026-11-21T09:00:00Z h su - ID47 - failed", "su/ID47"),
            (syslog, "<34>Nov 21 09:00:00 host su[12]: failed for ada", "su"),
            (syslog, "su: failed for ada", "su"),
            (syslog, "<13>Nov 21 09:00:00 h CEF:0|V|P|1|77|n|3|externalId=7", "77"),
            (Dialect::Cef, "<13>Nov 21 09:00:00 h CEF:0|V|P|1|77|n|3|externalId=7", "77"),
            (Dialect::Leef, "LEEF:1.0|V|P|1|Login|sev=3\tsrc=192.0.2.1", "Login"),
            (
                Dialect::Horizon,
                "<109>1 2026-11-21T09:00:00Z h horizon - - - {\"code\":\"SERVICE-START\"}\n",
                "SERVICE-START",
            ),
        ] {
            assert_eq!(code(dialect, line).as_deref(), Ok(expected), "{line}");
        }
        assert!(code(Dialect::Cef, "<13>no cef").is_err());
        assert!(code(syslog, "<999>x").is_err());
    }
}
