//! Events that are alike in some columns, counted together: what looks at little of each event need
//! not read them one by one.

use chancery_event::LogIndex;

use super::sealed::{COLUMNS, COVERED, Sealed, read};
use crate::{Error, Link, SqlValue, args};

/// A column that events can be alike in. There are few values of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alike {
    /// How much it matters.
    Severity,
    /// How it ended.
    Result,
    /// Why it ended so.
    Reason,
    /// By which way it came in.
    Origin,
    /// Kind of who acted.
    ActorKind,
    /// Kind of what it is about.
    SubjectKind,
}

impl Alike {
    fn column(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Result => "result",
            Self::Reason => "reason",
            Self::Origin => "origin",
            Self::ActorKind => "actor_kind",
            Self::SubjectKind => "subject_kind",
        }
    }
}

/// Some events that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their type.
    pub type_name: String,
    /// What they have in the columns that were asked for, in that order.
    pub values: Vec<Option<String>>,
    /// How many there are.
    pub count: u64,
}

/// Sealed events of some types with indexes `from..to`, those that are alike in `columns` counted
/// together. No event is opened.
pub async fn alike(
    link: &mut Link,
    (from, to): (LogIndex, LogIndex),
    types: &[&str],
    columns: &[Alike],
) -> Result<Vec<Group>, Error> {
    if types.is_empty() || from >= to {
        return Ok(Vec::new());
    }
    // Joined to nothing, so that the planner stays on the order of the log.
    let keys: Vec<_> = std::iter::once("(e.type || '')".to_owned())
        .chain(columns.iter().map(|column| format!("e.{}", column.column())))
        .collect();
    let named: Vec<_> =
        keys.iter().enumerate().map(|(place, key)| format!("{key} AS k{place}")).collect();
    let sql = format!(
        "SELECT {}, COUNT(*) AS n FROM event e WHERE e.log_index >= ? AND e.log_index < ?
         AND (e.type || '') IN ({}) AND {COVERED} GROUP BY {}",
        named.join(", "),
        vec!["?"; types.len()].join(","),
        keys.join(", ")
    );
    let mut values = args![from, to];
    values.extend(types.iter().map(|name| SqlValue::from(*name)));
    let group = |row: &crate::Row| {
        let values = (1..=columns.len()).map(|place| row.maybe_text(&format!("k{place}")));
        Ok(Group {
            type_name: row.text("k0")?,
            values: values.collect::<Result<_, Error>>()?,
            count: row.count("n")?,
        })
    };
    link.rows(sql, values).await?.iter().map(group).collect()
}

/// The newest events of some groups with indexes `from..to`, the newest first, `limit` at most.
pub async fn newest_of(
    link: &mut Link,
    (from, to): (LogIndex, LogIndex),
    groups: &[&Group],
    columns: &[Alike],
    limit: usize,
) -> Result<Vec<Sealed>, Error> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = args![from, to];
    let mut one = |group: &Group| {
        values.push(group.type_name.as_str().into());
        let mut parts = vec!["(e.type || '') = ?".to_owned()];
        for (column, value) in columns.iter().zip(&group.values) {
            parts.push(match value {
                None => format!("e.{} IS NULL", column.column()),
                Some(value) => {
                    values.push(value.as_str().into());
                    format!("(e.{} || '') = ?", column.column())
                }
            });
        }
        format!("({})", parts.join(" AND "))
    };
    let wanted: Vec<_> = groups.iter().map(|group| one(group)).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM event e WHERE e.log_index >= ? AND e.log_index < ?
         AND ({}) AND {COVERED} ORDER BY e.log_index DESC LIMIT ?",
        wanted.join(" OR ")
    );
    values.push(limit.into());
    link.rows(sql, values).await?.iter().map(read).collect()
}
