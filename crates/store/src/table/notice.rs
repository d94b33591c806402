//! Decisions: whether one recipient was told by one channel, and why not.

pub mod search;

use std::collections::HashSet;

use chancery_event::id::{AccountId, AlertId, DeliveryId, EventId, NoticeId, NotificationId};
use chancery_event::{LogIndex, Timestamp};

use crate::{Error, Link, Row, SqlValue, Tx, args, value};

pub use search::{Query, counts, page};

/// A decision as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its identifier.
    pub id: NoticeId,
    /// The call that was decided.
    pub call: NotificationId,
    /// Place of the event in the log.
    pub log_index: Option<LogIndex>,
    /// The event.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// `kind/id` of what it is about.
    pub object: Option<String>,
    /// Word of its severity.
    pub severity: String,
    /// The profile.
    pub profile: String,
    /// Its version.
    pub profile_version: i64,
    /// 0: at once; n: the n-th escalation.
    pub level: i64,
    /// Whom; `None`: an address, a group, or the channel itself.
    pub account: Option<AccountId>,
    /// Mail address it goes to.
    pub address: Option<String>,
    /// Name of the channel, or `bell`.
    pub channel: String,
    /// JSON: how the profile leads there.
    pub paths: String,
    /// `sent`, `held` or `skipped`.
    pub decision: String,
    /// Why it is held or skipped.
    pub reason: String,
    /// Until when it is held.
    pub due_at: Option<Timestamp>,
    /// Under which it stands in a digest.
    pub heading: String,
    /// What carries it.
    pub delivery: Option<DeliveryId>,
    /// The alert in the bell.
    pub alert: Option<AlertId>,
    /// When it was decided.
    pub at: Timestamp,
}

const COLUMNS: &str = "id, call, log_index, event_id, event_type, object, severity, profile,
    profile_version, level, account, address, channel, paths, decision, reason, due_at, heading,
    delivery, alert, at";

fn read(row: &Row) -> Result<Notice, Error> {
    let log_index = row.maybe_int("log_index")?.map(|index| u64::try_from(index).unwrap_or(0));
    Ok(Notice {
        id: row.id("id")?,
        call: row.id("call")?,
        log_index: log_index.map(LogIndex),
        event_id: row.id("event_id")?,
        event_type: row.text("event_type")?,
        object: row.maybe_text("object")?,
        severity: row.text("severity")?,
        profile: row.text("profile")?,
        profile_version: row.int("profile_version")?,
        level: row.int("level")?,
        account: row.maybe_id("account")?,
        address: row.maybe_text("address")?,
        channel: row.text("channel")?,
        paths: row.text("paths")?,
        decision: row.text("decision")?,
        reason: row.text("reason")?,
        due_at: row.maybe_time("due_at")?,
        heading: row.text("heading")?,
        delivery: row.maybe_id("delivery")?,
        alert: row.maybe_id("alert")?,
        at: row.time("at")?,
    })
}

/// Inserts decisions.
pub async fn insert(tx: &mut Tx, rows: &[Notice]) -> Result<(), Error> {
    let values = rows.iter().map(|row| {
        let mut values = vec![value::id(row.id), value::id(row.call)];
        values.push(row.log_index.map(|index| index.0).into());
        values.push(value::id(row.event_id));
        values.extend(args![&row.event_type, row.object.as_deref(), &row.severity]);
        values.extend(args![&row.profile, row.profile_version, row.level]);
        values.push(row.account.map(|id| id.to_string()).into());
        values.extend(args![row.address.as_deref(), &row.channel, &row.paths]);
        values.extend(args![&row.decision, &row.reason, row.due_at, &row.heading]);
        values.push(row.delivery.map(|id| id.to_string()).into());
        values.push(row.alert.map(|id| id.to_string()).into());
        values.push(row.at.into());
        values
    });
    let head = format!("INSERT INTO notice ({COLUMNS})");
    tx.insert_many(&head, "", values.collect()).await
}

/// A decision by which somebody is told of an event, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The decision.
    pub id: NoticeId,
    /// It waits for its time.
    pub is_held: bool,
    /// The channel.
    pub channel: String,
    /// Whom.
    pub account: Option<AccountId>,
    /// Mail address it goes to.
    pub address: Option<String>,
}

/// Who is told of an event, now or later.
pub async fn reached(link: &mut Link, event: EventId) -> Result<Vec<Reached>, Error> {
    let sql = "SELECT id, decision, channel, account, address FROM notice
               WHERE event_id = $1 AND decision IN ('sent', 'held') ORDER BY id";
    let rows = link.rows(sql, vec![value::id(event)]).await?;
    let read = |row: &Row| {
        Ok(Reached {
            id: row.id("id")?,
            is_held: row.text("decision")? == "held",
            channel: row.text("channel")?,
            account: row.maybe_id("account")?,
            address: row.maybe_text("address")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Which of these events were told of by a channel: to an address, or to anybody.
pub async fn sent_of(
    link: &mut Link,
    channel: &str,
    whose: Whose<'_>,
    events: &[EventId],
) -> Result<HashSet<EventId>, Error> {
    let mut found = HashSet::new();
    for chunk in events.chunks(400) {
        let places = vec!["?"; chunk.len()].join(",");
        let mut sql = format!(
            "SELECT DISTINCT event_id FROM notice WHERE event_id IN ({places})
             AND decision = 'sent' AND channel = ?"
        );
        let mut values: Vec<SqlValue> = chunk.iter().map(|id| value::id(*id)).collect();
        values.extend(args![channel]);
        match whose {
            Whose::Everybody => {}
            Whose::Account(account) => {
                sql.push_str(" AND account = ?");
                values.push(value::id(account));
            }
            Whose::Address(Some(address)) => {
                sql.push_str(" AND address = ?");
                values.extend(args![address]);
            }
            Whose::Address(None) => sql.push_str(" AND account IS NULL AND address IS NULL"),
        }
        for row in link.rows(sql, values).await? {
            found.insert(row.id("event_id")?);
        }
    }
    Ok(found)
}

/// Holds decisions on.
pub async fn hold(
    tx: &mut Tx,
    ids: &[NoticeId],
    reason: &str,
    until: Timestamp,
) -> Result<(), Error> {
    for chunk in ids.chunks(400) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!(
            "UPDATE notice SET reason = ?, due_at = ? WHERE decision = 'held' AND id IN ({places})"
        );
        let mut values = args![reason, until];
        values.extend(chunk.iter().map(|id| value::id(*id)));
        tx.execute(sql, values).await?;
    }
    Ok(())
}

/// Gives held decisions another address.
pub async fn readdress(tx: &mut Tx, ids: &[NoticeId], address: &str) -> Result<(), Error> {
    for chunk in ids.chunks(400) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql =
            format!("UPDATE notice SET address = ? WHERE decision = 'held' AND id IN ({places})");
        let mut values = args![address];
        values.extend(chunk.iter().map(|id| value::id(*id)));
        tx.execute(sql, values).await?;
    }
    Ok(())
}

/// The decision that has been held and due for longest.
pub async fn first_due(link: &mut Link, now: Timestamp) -> Result<Option<Notice>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notice WHERE decision = 'held' AND due_at <= $1
         ORDER BY due_at, profile, id LIMIT 1"
    );
    link.row(sql, args![now]).await?.as_ref().map(read).transpose()
}

/// To whom what is held goes as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// To everybody who reads the channel.
    Everybody,
    /// To an account.
    Account(AccountId),
    /// To an address without an account.
    Address(Option<&'a str>),
}

/// What is held and due of one profile and channel for the same recipient, in order: a page behind
/// a decision.
pub async fn due(
    link: &mut Link,
    (profile, channel): (&str, &str),
    whose: Whose<'_>,
    now: Timestamp,
    (after, limit): (Option<NoticeId>, usize),
) -> Result<Vec<Notice>, Error> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let mut values = args![now, profile, channel, after, limit];
    let whose = match whose {
        Whose::Everybody => "",
        Whose::Account(account) => {
            values.push(value::id(account));
            " AND account = $6"
        }
        Whose::Address(None) => " AND account IS NULL AND address IS NULL",
        Whose::Address(Some(address)) => {
            values.extend(args![address]);
            " AND account IS NULL AND address = $6"
        }
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM notice WHERE decision = 'held' AND due_at <= $1
         AND profile = $2 AND channel = $3 AND id > $4{whose} ORDER BY id LIMIT $5"
    );
    link.rows(sql, values).await?.iter().map(read).collect()
}

/// Lets what a profile holds be decided again now: it says something else.
pub async fn hasten_profile(tx: &mut Tx, profile: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE notice SET due_at = $2 WHERE decision = 'held' AND profile = $1";
    tx.execute(sql, args![profile, now]).await.map(|_| ())
}

/// Lets what is held for an account be decided again now: its contact data changed.
pub async fn hasten_account(tx: &mut Tx, account: AccountId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE notice SET due_at = $2 WHERE decision = 'held' AND account = $1";
    let mut values = vec![value::id(account)];
    values.extend(args![now]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Lets what is held for an address be decided again now: the list that it was is another one.
pub async fn hasten_address(tx: &mut Tx, address: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE notice SET due_at = $2 WHERE decision = 'held' AND account IS NULL
               AND address = $1";
    tx.execute(sql, args![address, now]).await.map(|_| ())
}

/// Ends held decisions: they were sent by a delivery, or skipped for a reason. Answers those that
/// were held until now: what somebody else has ended is theirs.
pub async fn settle(
    tx: &mut Tx,
    ids: &[NoticeId],
    delivery: Option<DeliveryId>,
    reason: &str,
) -> Result<HashSet<NoticeId>, Error> {
    let decision = if delivery.is_some() { "sent" } else { "skipped" };
    let mut settled = HashSet::with_capacity(ids.len());
    for chunk in ids.chunks(400) {
        let places = vec!["?"; chunk.len()].join(",");
        let sql = format!(
            "UPDATE notice SET decision = ?, delivery = ?, reason = CASE WHEN ? = '' THEN reason
             ELSE ? END, due_at = NULL WHERE decision = 'held' AND id IN ({places}) RETURNING id"
        );
        let delivery = delivery.map(|id| id.to_string());
        let mut values = args![decision, delivery, reason, reason];
        values.extend(chunk.iter().map(|id| value::id(*id)));
        for row in tx.rows(sql, values).await? {
            settled.insert(row.id("id")?);
        }
    }
    Ok(settled)
}

/// Notes about decisions how they were carried out.
pub async fn remark(tx: &mut Tx, delivery: DeliveryId, reason: &str) -> Result<(), Error> {
    let sql = "UPDATE notice SET reason = $2 WHERE delivery = $1";
    let mut values = vec![value::id(delivery)];
    values.extend(args![reason]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Deletes decisions made before a time; answers how many.
pub async fn sweep(tx: &mut Tx, before: Timestamp, most: usize) -> Result<u64, Error> {
    let sql = "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE at < $1
               AND decision <> 'held' ORDER BY at LIMIT $2)";
    tx.execute(sql, args![before, most]).await
}

/// When a channel last carried a message about an object that got through.
pub async fn last_delivered(
    link: &mut Link,
    object: &str,
    channel: &str,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MAX(d.completed_at) AS at FROM notice n JOIN delivery d ON d.id = n.delivery
               WHERE n.object = $1 AND n.channel = $2 AND d.state = 'delivered'";
    match link.row(sql, args![object, channel]).await? {
        Some(row) => row.maybe_time("at"),
        None => Ok(None),
    }
}
