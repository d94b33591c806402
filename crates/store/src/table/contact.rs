//! How accounts and groups are reached, who belongs to a group, and addresses that were refused.

use chancery_event::Timestamp;
use chancery_event::id::AccountId;

use crate::{Error, Link, Row, Tx, args, value};

/// How an account or a group is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// `account` or `group`.
    pub kind: String,
    /// Its identifier.
    pub id: String,
    /// A mail address: instead of the account's own; of a group its list.
    pub email: Option<String>,
    /// How chats mention them.
    pub chat: Option<String>,
    /// JSON of their own quiet hours; empty: none.
    pub quiet: String,
    /// When it was changed.
    pub changed_at: Timestamp,
}

fn read(row: &Row) -> Result<Contact, Error> {
    Ok(Contact {
        kind: row.text("kind")?,
        id: row.text("id")?,
        email: row.maybe_text("email")?,
        chat: row.maybe_text("chat")?,
        quiet: row.text("quiet")?,
        changed_at: row.time("changed_at")?,
    })
}

/// The contact data of one account or group.
pub async fn find(link: &mut Link, kind: &str, id: &str) -> Result<Option<Contact>, Error> {
    let sql = "SELECT * FROM contact WHERE kind = $1 AND id = $2";
    link.row(sql, args![kind, id]).await?.as_ref().map(read).transpose()
}

/// All contact data.
pub async fn all(link: &mut Link) -> Result<Vec<Contact>, Error> {
    link.rows("SELECT * FROM contact ORDER BY kind, id", vec![]).await?.iter().map(read).collect()
}

/// Sets contact data.
pub async fn put(tx: &mut Tx, row: &Contact) -> Result<(), Error> {
    let sql = "INSERT INTO contact (kind, id, email, chat, quiet, changed_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (kind, id) DO UPDATE SET email = excluded.email, chat = excluded.chat,
               quiet = excluded.quiet, changed_at = excluded.changed_at";
    let (email, chat) = (row.email.as_deref(), row.chat.as_deref());
    let values = args![&row.kind, &row.id, email, chat, &row.quiet, row.changed_at];
    tx.execute(sql, values).await.map(|_| ())
}

/// Forgets contact data: its account or group is gone.
pub async fn delete(tx: &mut Tx, kind: &str, id: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM contact WHERE kind = $1 AND id = $2", args![kind, id]).await?;
    Ok(())
}

/// Who belongs to which group: pairs of group and account.
pub async fn members(link: &mut Link) -> Result<Vec<(String, AccountId)>, Error> {
    let sql = "SELECT group_id, account FROM group_member ORDER BY group_id, account";
    let rows = link.rows(sql, vec![]).await?;
    rows.iter().map(|row| Ok((row.text("group_id")?, row.id("account")?))).collect()
}

/// The accounts of a group.
pub async fn members_of(link: &mut Link, group: &str) -> Result<Vec<AccountId>, Error> {
    let sql = "SELECT account FROM group_member WHERE group_id = $1 ORDER BY account";
    link.rows(sql, args![group]).await?.iter().map(|row| row.id("account")).collect()
}

/// Replaces the accounts of a group.
pub async fn set_members(tx: &mut Tx, group: &str, accounts: &[AccountId]) -> Result<(), Error> {
    tx.execute("DELETE FROM group_member WHERE group_id = $1", args![group]).await?;
    let rows = accounts.iter().map(|id| vec![group.into(), value::id(*id)]).collect();
    tx.insert_many("INSERT INTO group_member (group_id, account)", "ON CONFLICT DO NOTHING", rows)
        .await
}

/// A mail address that a server refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The address, lower-case.
    pub address: String,
    /// Since when.
    pub refused_since: Timestamp,
    /// When it was refused last.
    pub last_at: Timestamp,
    /// How often.
    pub refusals: i64,
    /// By the server of which channel.
    pub channel: String,
    /// What it said.
    pub error: String,
}

fn read_refused(row: &Row) -> Result<Refused, Error> {
    Ok(Refused {
        address: row.text("address")?,
        refused_since: row.time("refused_since")?,
        last_at: row.time("last_at")?,
        refusals: row.int("refusals")?,
        channel: row.text("channel")?,
        error: row.text("error")?,
    })
}

/// Addresses that are refused.
pub async fn refused(link: &mut Link) -> Result<Vec<Refused>, Error> {
    let sql = "SELECT * FROM address_state ORDER BY address";
    link.rows(sql, vec![]).await?.iter().map(read_refused).collect()
}

/// Notes that an address was refused; true if it was not before.
pub async fn refuse(
    tx: &mut Tx,
    address: &str,
    channel: &str,
    error: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let address = address.to_lowercase();
    let known = tx
        .number("SELECT COUNT(*) AS n FROM address_state WHERE address = $1", args![&address])
        .await?;
    let sql = "INSERT INTO address_state
               (address, refused_since, last_at, refusals, channel, error)
               VALUES ($1, $2, $3, 1, $4, $5)
               ON CONFLICT (address) DO UPDATE SET last_at = excluded.last_at,
               refusals = address_state.refusals + 1, channel = excluded.channel,
               error = excluded.error";
    tx.execute(sql, args![&address, now, now, channel, error]).await?;
    Ok(known == 0)
}

/// An address counts again; true if it was refused.
pub async fn accept(tx: &mut Tx, address: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM address_state WHERE address = $1";
    Ok(tx.execute(sql, args![address.to_lowercase()]).await? == 1)
}
