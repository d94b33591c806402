//! Which processes run on this database.
//!
//! A node counts its beat up; the others watch by their own clocks, and whoever first sees a beat
//! stand still for the agreed time declares the node gone: [`vanish`] lets one of them through. No
//! clock of one node is compared with that of another.

use std::collections::HashMap;

use chancery_event::Timestamp;
use chancery_event::id::NodeId;

use crate::{Error, Link, Row, Tx, args, value};

/// Rows of nodes that ended that are kept.
const KEPT: i64 = 50;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its identifier, new with every start.
    pub id: NodeId,
    /// Name of its machine.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// `running`, `stopped` or `vanished`.
    pub state: String,
    /// Grows while it lives.
    pub beat: i64,
    /// Sealed entries that it knew of at that beat.
    pub log_size: u64,
    /// Microseconds that its clock was ahead of the server's at that beat.
    pub ahead: i64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last beat, by its own clock.
    pub seen_at: Timestamp,
    /// When it stopped, or was found to be gone.
    pub ended_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, host, version, state, beat, log_size, ahead, started_at, seen_at, ended_at";

fn read(row: &Row) -> Result<Node, Error> {
    Ok(Node {
        id: row.id("id")?,
        host: row.text("host")?,
        version: row.text("version")?,
        state: row.text("state")?,
        beat: row.int("beat")?,
        log_size: row.count("log_size")?,
        ahead: row.int("ahead")?,
        started_at: row.time("started_at")?,
        seen_at: row.time("seen_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}

/// All nodes that are known: those that run first, then the newest.
pub async fn all(link: &mut Link) -> Result<Vec<Node>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM node
         ORDER BY CASE WHEN state = 'running' THEN 0 ELSE 1 END, started_at DESC, id"
    );
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// Nodes that have not ended, as far as anybody knows.
pub async fn running(link: &mut Link) -> Result<Vec<Node>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE state = 'running' ORDER BY started_at, id");
    link.rows(sql, vec![]).await?.iter().map(read).collect()
}

/// How much a node holds by leases on rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Forwarders that it serves.
    pub forwarders: u64,
    /// Channels that it serves.
    pub channels: u64,
    /// Jobs that it does.
    pub jobs: u64,
    /// Monitors and schedules that it runs.
    pub runs: u64,
}

/// How much each node holds by leases that last at `now`, in the time that leases go by.
pub async fn held(link: &mut Link, now: Timestamp) -> Result<HashMap<String, Held>, Error> {
    let sql = "SELECT class AS what, lease, COUNT(*) AS n FROM destination
               WHERE lease_until > $1 GROUP BY class, lease
               UNION ALL SELECT 'job', lease, COUNT(*) FROM job
               WHERE state = 'running' AND lease_until > $1 GROUP BY lease
               UNION ALL SELECT 'run', lease, COUNT(*) FROM task
               WHERE lease_until > $1 GROUP BY lease";
    let mut all: HashMap<String, Held> = HashMap::new();
    for row in link.rows(sql, args![now]).await? {
        let token = row.maybe_text("lease")?.unwrap_or_default();
        let Some((node, _)) = token.split_once('/') else { continue };
        let held = all.entry(node.to_owned()).or_default();
        let kind = match row.text("what")?.as_str() {
            "forwarder" => &mut held.forwarders,
            "channel" => &mut held.channels,
            "job" => &mut held.jobs,
            _ => &mut held.runs,
        };
        *kind += row.count("n")?;
    }
    Ok(all)
}

/// Adds a node that starts, and forgets the oldest of those that ended.
pub async fn enter(tx: &mut Tx, node: &Node) -> Result<(), Error> {
    let sql =
        format!("INSERT INTO node ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let mut values = vec![value::id(node.id)];
    values.extend(args![
        &node.host,
        &node.version,
        &node.state,
        node.beat,
        node.log_size,
        node.ahead,
        node.started_at,
        node.seen_at,
        node.ended_at,
    ]);
    tx.execute(sql, values).await?;
    let sql = "DELETE FROM node WHERE state <> 'running' AND started_at <
               (SELECT started_at FROM node WHERE state <> 'running'
                ORDER BY started_at DESC LIMIT 1 OFFSET $1)";
    tx.execute(sql, args![KEPT]).await.map(|_| ())
}

/// Shows that a node lives; false if it does not count as running any more.
pub async fn beat(
    tx: &mut Tx,
    id: NodeId,
    (log_size, ahead): (u64, i64),
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE node SET beat = beat + 1, log_size = $2, seen_at = $3, ahead = $4
               WHERE id = $1 AND state = 'running'";
    let mut values = vec![value::id(id)];
    values.extend(args![log_size, now, ahead]);
    Ok(tx.execute(sql, values).await? == 1)
}

/// Declares a node gone whose beat still is what it was, and lets others have what it held; false
/// if the beat has moved, or somebody else said so first.
pub async fn vanish(tx: &mut Tx, id: NodeId, beat: i64, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE node SET state = 'vanished', ended_at = $3
               WHERE id = $1 AND beat = $2 AND state = 'running'";
    let mut values = vec![value::id(id)];
    values.extend(args![beat, now]);
    let gone = tx.execute(sql, values).await? == 1;
    if gone {
        // If it wakes up again, its token is refused as soon as somebody else has one.
        free_leases(tx, id).await?;
    }
    Ok(gone)
}

/// Lets others have at once what a node that is gone held by itself: jobs, monitors and schedules,
/// destinations. Their tokens begin with the node.
async fn free_leases(tx: &mut Tx, id: NodeId) -> Result<(), Error> {
    // What begins with the node and a stroke; the sign after the stroke ends the range.
    let (from, to) = (format!("{id}/"), format!("{id}0"));
    for table in ["job", "task", "destination"] {
        let sql = format!(
            "UPDATE {table} SET lease_until = 0
             WHERE lease >= $1 AND lease < $2 AND lease_until > 0"
        );
        tx.execute(sql, args![&from, &to]).await?;
    }
    Ok(())
}

/// A node that was declared gone is back; answers since when it counted as gone, `None` if it was
/// not.
pub async fn come_back(
    tx: &mut Tx,
    id: NodeId,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT ended_at FROM node WHERE id = $1 AND state = 'vanished'";
    let Some(row) = tx.row(sql, vec![value::id(id)]).await? else { return Ok(None) };
    let since = row.maybe_time("ended_at")?.unwrap_or(now);
    let sql = "UPDATE node SET state = 'running', beat = beat + 1, seen_at = $2, ended_at = NULL
               WHERE id = $1";
    let mut values = vec![value::id(id)];
    values.extend(args![now]);
    tx.execute(sql, values).await?;
    Ok(Some(since))
}

/// A node stops in order.
pub async fn stop(tx: &mut Tx, id: NodeId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE node SET state = 'stopped', seen_at = $2, ended_at = $2 WHERE id = $1";
    let mut values = vec![value::id(id)];
    values.extend(args![now]);
    tx.execute(sql, values).await.map(|_| ())
}
