//! Leases: what only one node may do at a time.
//!
//! Two kinds. Those in the table `lease` have no time: no clock of one node is compared with that
//! of another. A holder counts its beat up; who would take over watches the beat by its own clock,
//! and takes the lease when it has stood still for the agreed time. Taking it gives the next
//! token. What is done under the lease calls [`keep`] in its own transaction: a holder that was
//! frozen, and woke up after another one took over, finds its token refused, and nothing of that
//! transaction is written.
//!
//! Those on rows (jobs, tasks, destinations) last for a [`Term`], in the time that all nodes share:
//! that of the server (`Store::shared_time`). Clocks of nodes may differ as they like.

use chancery_event::Timestamp;

use crate::{Error, Link, Tx, args};

/// From when to when a lease on a row lasts, in the time that all nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The present.
    pub from: Timestamp,
    /// When it ends unless it is renewed.
    pub until: Timestamp,
}

impl Term {
    /// A lease that ends so many microseconds later than this is nobody's: the clock was put back.
    const SLACK: i64 = 10 * 60 * Timestamp::SECOND;

    /// From now on for so many microseconds.
    pub fn of(from: Timestamp, micros: i64) -> Self {
        Self { from, until: from.plus(micros) }
    }

    /// What ends later than that was never given.
    pub fn latest(&self) -> Timestamp {
        self.until.plus(Self::SLACK)
    }
}

/// How a lease was seen to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The node that holds it; `None`: given back.
    pub holder: Option<String>,
    /// Grows with every holder.
    pub token: i64,
    /// Grows while its holder lives.
    pub beat: i64,
}

/// The right to do what a lease is for, until another node takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    name: &'static str,
    token: i64,
}

impl Tenure {
    /// The token that fences off earlier holders.
    pub fn token(&self) -> i64 {
        self.token
    }
}

/// How a lease stands; `None`: nobody ever held it.
pub async fn look(link: &mut Link, name: &str) -> Result<Option<Seen>, Error> {
    let sql = "SELECT holder, token, beat FROM lease WHERE name = $1";
    link.row(sql, args![name])
        .await?
        .map(|row| {
            Ok(Seen {
                holder: row.maybe_text("holder")?,
                token: row.int("token")?,
                beat: row.int("beat")?,
            })
        })
        .transpose()
}

/// All leases with their names, by name.
pub async fn all(link: &mut Link) -> Result<Vec<(String, Seen)>, Error> {
    link.rows("SELECT name, holder, token, beat FROM lease ORDER BY name", vec![])
        .await?
        .iter()
        .map(|row| {
            let seen = Seen {
                holder: row.maybe_text("holder")?,
                token: row.int("token")?,
                beat: row.int("beat")?,
            };
            Ok((row.text("name")?, seen))
        })
        .collect()
}

/// Takes a lease if it still stands as it was seen; `None` if somebody else was faster.
pub async fn take(
    tx: &mut Tx,
    name: &'static str,
    holder: &str,
    seen: Option<&Seen>,
) -> Result<Option<Tenure>, Error> {
    let (token, taken) = match seen {
        None => {
            let sql = "INSERT INTO lease (name, holder, token, beat) VALUES ($1, $2, 1, 0)
                       ON CONFLICT (name) DO NOTHING";
            (1, tx.execute(sql, args![name, holder]).await?)
        }
        Some(seen) => {
            let sql = "UPDATE lease SET holder = $2, token = token + 1, beat = 0
                       WHERE name = $1 AND token = $3 AND beat = $4";
            let taken = tx.execute(sql, args![name, holder, seen.token, seen.beat]).await?;
            (seen.token + 1, taken)
        }
    };
    Ok((taken == 1).then_some(Tenure { name, token }))
}

/// Shows that the holder lives, and that it is still the holder when this transaction commits.
///
/// # Errors
/// [`Error::Conflict`] if another node has taken the lease.
pub async fn keep(tx: &mut Tx, tenure: &Tenure) -> Result<(), Error> {
    let sql = "UPDATE lease SET beat = beat + 1 WHERE name = $1 AND token = $2";
    match tx.execute(sql, args![tenure.name, tenure.token]).await? {
        1 => Ok(()),
        _ => Err(Error::Conflict("the lease")),
    }
}

/// Gives a lease back, so that the next node need not wait; no error if it was lost already.
pub async fn give_back(tx: &mut Tx, tenure: &Tenure) -> Result<(), Error> {
    let sql = "UPDATE lease SET holder = NULL, beat = beat + 1 WHERE name = $1 AND token = $2";
    tx.execute(sql, args![tenure.name, tenure.token]).await.map(|_| ())
}
