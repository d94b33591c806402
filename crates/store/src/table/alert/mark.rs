//! What an account has read. The latest statement counts: one about a single alert, or that
//! everything up to a time is read. News after it make an alert unread again.

use chancery_event::Timestamp;
use chancery_event::id::{AccountId, AlertId};

use crate::{Error, Link, Tx, args, value};

/// Up to when an account has read everything, and what that was before.
pub async fn reader(link: &mut Link, account: AccountId) -> Result<(i64, i64), Error> {
    let sql = "SELECT read_until, before FROM alert_reader WHERE account = $1";
    match link.row(sql, vec![value::id(account)]).await? {
        Some(row) => Ok((row.int("read_until")?, row.int("before")?)),
        None => Ok((0, 0)),
    }
}

/// Notes that an account has read everything up to a time.
pub async fn set_reader(
    tx: &mut Tx,
    account: AccountId,
    until: i64,
    before: i64,
) -> Result<(), Error> {
    let sql = "INSERT INTO alert_reader (account, read_until, before) VALUES ($1, $2, $3)
               ON CONFLICT (account) DO UPDATE SET read_until = excluded.read_until,
               before = excluded.before";
    let mut values = vec![value::id(account)];
    values.extend(args![until, before]);
    tx.execute(sql, values).await.map(|_| ())
}

/// Notes for single alerts that an account has read them, or wants them to count as unread.
pub async fn set(
    tx: &mut Tx,
    account: AccountId,
    alerts: &[AlertId],
    unread: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let rows = alerts
        .iter()
        .map(|alert| {
            let mut row = vec![value::id(account), value::id(*alert)];
            row.extend(args![unread, now]);
            row
        })
        .collect();
    tx.insert_many(
        "INSERT INTO alert_mark (account, alert, unread, at)",
        "ON CONFLICT (account, alert) DO UPDATE SET unread = excluded.unread, at = excluded.at",
        rows,
    )
    .await
}

/// Names whom an alert rings for, besides those it rings for already: accounts by their
/// identifiers, roles as `role:NAME`.
pub async fn address(tx: &mut Tx, alert: AlertId, readers: &[String]) -> Result<(), Error> {
    let head = "INSERT INTO alert_audience (alert, reader)";
    let rows = readers.iter().map(|reader| vec![value::id(alert), reader.as_str().into()]);
    tx.insert_many(head, "ON CONFLICT (alert, reader) DO NOTHING", rows.collect()).await
}

/// A condition that the alert `a` rings for an account, a placeholder: it is addressed to nobody,
/// to them, to their role, or it was given to them.
fn rings(account: &str) -> String {
    format!(
        "(a.addressed = 0 OR a.assigned_to = {account} OR EXISTS (
             SELECT 1 FROM alert_audience u WHERE u.alert = a.id AND (u.reader = {account}
             OR u.reader = (SELECT 'role:' || o.role FROM account o WHERE o.id = {account}))))"
    )
}

/// A condition, never NULL, that the alert `a` with the mark `m` (left-joined) counts as unread for
/// an account that has read everything up to `until`; both are placeholders.
pub(super) fn unread_condition(account: &str, until: &str) -> String {
    let rings = rings(account);
    format!(
        "CASE WHEN m.at IS NOT NULL AND m.at >= {until} AND m.unread = 1 THEN 1
         WHEN NOT coalesce({rings}, FALSE) THEN 0
         WHEN m.at IS NOT NULL AND m.at >= {until}
         THEN CASE WHEN a.news_at > m.at THEN 1 ELSE 0 END
         ELSE CASE WHEN a.news_at > {until} THEN 1 ELSE 0 END END = 1"
    )
}

/// How many alerts that are neither resolved nor snoozed an account has not read, counted up to
/// `most`.
pub async fn unread_count(link: &mut Link, account: AccountId, most: u64) -> Result<u64, Error> {
    let (until, _) = reader(link, account).await?;
    // News since everything was read: an index has these. Below, what was marked as unread later.
    let rings = rings("$1");
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM (
            SELECT a.id FROM alert a WHERE a.resolved_at IS NULL AND a.news_at > $2
            AND a.state <> 'snoozed' AND {rings} AND NOT EXISTS (
                SELECT 1 FROM alert_mark m WHERE m.account = $1 AND m.alert = a.id
                AND m.unread = 0 AND m.at >= $2 AND m.at >= a.news_at)
            LIMIT $3) AS news)
        + (SELECT COUNT(*) FROM (
            SELECT a.id FROM alert_mark m JOIN alert a ON a.id = m.alert
            WHERE m.account = $1 AND m.unread = 1 AND m.at >= $2
            AND (a.news_at <= $2 OR NOT coalesce({rings}, FALSE))
            AND a.resolved_at IS NULL AND a.state <> 'snoozed'
            LIMIT $3) AS marked) AS n"
    );
    let mut values = vec![value::id(account)];
    values.extend(args![until, most]);
    let found = link.number(sql, values).await?;
    Ok(u64::try_from(found).unwrap_or(0).min(most))
}

/// Those of these alerts that count as unread for an account.
pub async fn unread_among(
    link: &mut Link,
    account: AccountId,
    alerts: &[AlertId],
) -> Result<Vec<AlertId>, Error> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let (until, _) = reader(link, account).await?;
    let places: Vec<_> = (3..3 + alerts.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT a.id FROM alert a LEFT JOIN alert_mark m ON m.alert = a.id AND m.account = $1
         WHERE a.id IN ({}) AND {}",
        places.join(", "),
        unread_condition("$1", "$2")
    );
    let mut values = vec![value::id(account), until.into()];
    values.extend(alerts.iter().map(|id| value::id(*id)));
    link.rows(sql, values).await?.iter().map(|row| row.id("id")).collect()
}
