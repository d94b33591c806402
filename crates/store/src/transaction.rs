//! The unit of work: what an operation changes and what it records, committed together or not at
//! all (invariant 1).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use chancery_event::Timestamp;
use chancery_event::id::EventId;

use crate::filter_sql::Dialect;
use crate::sheet::{Sheet, Sheets};
use crate::{Error, Link, SqlValue, log};

/// An event ready to be recorded: its sealed bytes, its personal part, its pending seal.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Identifier of the event.
    pub event_id: EventId,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Canonical entry bytes.
    pub entry: Vec<u8>,
    /// Salt and canonical JSON of the personal part, where there is one.
    pub part: Option<([u8; 32], Vec<u8>)>,
    /// HMAC over all of the above: the seal of the pending event.
    pub seal: [u8; 32],
}

/// Head and tail of a statement as [`Tx::insert_many`] takes them.
type Late = (&'static str, &'static str);

/// A unit of work in progress. Reads go through the [`Link`] it dereferences to.
///
/// On the embedded engine several units share one commit. With a savepoint every page that changes
/// is copied, and every statement walks through the copies. So units go without: when one fails
/// that has written, the transaction is undone, and those before it run again, from then on each
/// with a savepoint of its own, which is set when the unit first writes.
pub struct Tx {
    pub(crate) link: Link,
    /// Events recorded by units that have already succeeded in this commit.
    pub(crate) recorded: Vec<Arc<Recorded>>,
    /// Events recorded by the unit at work.
    pub(crate) recording: Vec<Arc<Recorded>>,
    /// Rows that units which have succeeded want inserted at the end of this commit.
    late: BTreeMap<Late, Vec<Vec<SqlValue>>>,
    /// The same of the unit at work.
    later: Vec<(Late, Vec<SqlValue>)>,
    /// The unit at work has written: its savepoint is set.
    pub(crate) savepoint: bool,
    /// A unit before it has left its savepoint to be released.
    left_savepoint: bool,
    /// No savepoints are set: a unit that fails is undone with the transaction.
    pub(crate) bare: bool,
    /// The unit at work, or else the last one, has written without a savepoint.
    pub(crate) wrote: bool,
    /// A unit of the embedded engine is at work.
    at_work: bool,
    /// Commits of the embedded engine wait for the disc.
    pub(crate) lasts: bool,
}

impl Deref for Tx {
    type Target = Link;
    fn deref(&self) -> &Link {
        &self.link
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl Tx {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            recorded: Vec::new(),
            recording: Vec::new(),
            late: BTreeMap::new(),
            later: Vec::new(),
            savepoint: false,
            left_savepoint: false,
            bare: false,
            wrote: false,
            at_work: false,
            lasts: true,
        }
    }

    /// Records an event. It is written with the commit of this unit, and only then.
    pub fn record(&mut self, event: impl Into<Arc<Recorded>>) {
        self.recording.push(event.into());
    }

    /// Runs a statement that changes rows; returns how many.
    pub async fn execute(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<u64, Error> {
        self.set_savepoint().await?;
        self.link.execute(sql, args).await
    }

    /// Runs a statement that changes rows and answers with rows (`RETURNING`).
    pub async fn execute_returning(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Vec<SqlValue>,
    ) -> Result<Vec<crate::Row>, Error> {
        self.set_savepoint().await?;
        self.link.rows(sql, args).await
    }

    /// Runs several statements that change rows, one after another. Their arguments are unnumbered
    /// (`?`).
    pub async fn execute_all(
        &mut self,
        statements: impl IntoIterator<Item = (Cow<'static, str>, Vec<SqlValue>)>,
    ) -> Result<(), Error> {
        self.set_savepoint().await?;
        for (statement, arguments) in statements {
            self.link.execute(statement, arguments).await?;
        }
        Ok(())
    }

    /// Inserts a row at the end of the commit, together with such rows of other units: for indexes
    /// that are costly to write one by one. Nothing within the commit can read it. `head` and
    /// `tail` are as for [`Tx::insert_many`].
    pub(crate) fn insert_late(
        &mut self,
        head: &'static str,
        tail: &'static str,
        row: Vec<SqlValue>,
    ) {
        self.later.push(((head, tail), row));
    }

    /// Inserts rows in as few statements as the engines' argument limit allows.
    ///
    /// `head` is everything before `VALUES`, `tail` everything after the rows (such as
    /// `ON CONFLICT DO NOTHING`). All rows have the same number of values.
    pub async fn insert_many(
        &mut self,
        head: &str,
        tail: &str,
        rows: Vec<Vec<SqlValue>>,
    ) -> Result<(), Error> {
        let width = rows.first().map_or(1, Vec::len).max(1);
        let mut rows = rows.into_iter();
        let mut left = rows.len();
        while left > 0 {
            // Few distinct statement texts, so that prepared statements are found again. As many
            // rows as fit: the text index writes itself out at the end of each statement.
            let most = largest_power_of_two((8_000 / width).clamp(1, 2_048));
            let take = match self.dialect() {
                // Its statement is the same for any number of rows.
                Dialect::Postgres => left.min(8_192),
                Dialect::Sqlite if left >= most => most,
                Dialect::Sqlite => largest_power_of_two(left),
            };
            self.set_savepoint().await?;
            self.link.insert_rows(head, tail, rows.by_ref().take(take).collect()).await?;
            left -= take;
        }
        Ok(())
    }

    /// Inserts rows, on the embedded engine with a statement each. One statement for several copies
    /// every page before it changes it, for the case that a later row fails; where each row changes
    /// many pages that costs more than the statements.
    pub(crate) async fn insert_each(
        &mut self,
        head: &str,
        rows: Vec<Vec<SqlValue>>,
    ) -> Result<(), Error> {
        if self.dialect() == Dialect::Postgres {
            return self.insert_many(head, "", rows).await;
        }
        let statement = values_statement(head, "", rows.first().map_or(0, Vec::len), 1);
        self.execute_all(rows.into_iter().map(|row| (Cow::Owned(statement.clone()), row))).await
    }

    /// Inserts the rows of a sheet, `most` (a power of two) of them with one statement of the
    /// embedded engine. `head` and `tail` are as for [`Tx::insert_many`].
    pub(crate) async fn insert_sheet(
        &mut self,
        head: &str,
        tail: &str,
        sheet: &Sheet,
        most: usize,
    ) -> Result<(), Error> {
        self.insert_all(head, tail, std::slice::from_ref(sheet), most).await
    }

    /// The same for the rows of several sheets.
    pub(crate) async fn insert_sheets(
        &mut self,
        head: &str,
        tail: &str,
        sheets: &Sheets,
        most: usize,
    ) -> Result<(), Error> {
        self.insert_all(head, tail, sheets.all(), most).await
    }

    async fn insert_all(
        &mut self,
        head: &str,
        tail: &str,
        sheets: &[Sheet],
        most: usize,
    ) -> Result<(), Error> {
        if sheets.iter().all(|sheet| sheet.len() == 0) {
            return Ok(());
        }
        self.set_savepoint().await?;
        self.link.insert_sheets(head, tail, sheets, most).await
    }

    async fn set_savepoint(&mut self) -> Result<(), Error> {
        self.whole()?;
        self.wrote |= self.bare;
        if !self.savepoint && !self.bare {
            if std::mem::replace(&mut self.left_savepoint, true) {
                self.link.execute("RELEASE unit", Vec::new()).await?;
            }
            self.link.execute("SAVEPOINT unit", Vec::new()).await?;
            self.savepoint = true;
        }
        Ok(())
    }

    /// Forgets everything of the commit that was under way: it has ended or is to be undone.
    pub(crate) fn forget(&mut self) {
        self.recorded.clear();
        self.recording.clear();
        self.late.clear();
        self.later.clear();
        self.savepoint = false;
        self.left_savepoint = false;
        self.at_work = false;
    }

    /// Begins a unit of the embedded engine.
    pub(crate) fn begin_unit(&mut self) {
        self.wrote = false;
        self.at_work = true;
    }

    /// After some failures, such as a full disc, SQLite has undone the transaction. Whatever was
    /// written then would be durable by itself, as half of something.
    ///
    /// # Errors
    /// It has.
    pub(crate) fn whole(&mut self) -> Result<(), Error> {
        if self.at_work && self.link.is_undone() {
            let why = "a failure of the disc undid the commit that was under way";
            return Err(Error::Unavailable(why.to_owned()));
        }
        Ok(())
    }

    /// Ends the unit at work: keeps what it did, or undoes it. Its savepoint stays until the next
    /// one is set, or until the commit, which releases all.
    pub(crate) async fn end_unit(&mut self, keep: bool) -> Result<(), Error> {
        let whole = self.whole();
        self.at_work = false;
        whole?;
        if keep {
            self.recorded.append(&mut self.recording);
            for (statement, row) in self.later.drain(..) {
                self.late.entry(statement).or_default().push(row);
            }
        } else {
            self.recording.clear();
            self.later.clear();
        }
        if std::mem::take(&mut self.savepoint) && !keep {
            self.link.execute("ROLLBACK TO unit", Vec::new()).await?;
        }
        Ok(())
    }

    /// Writes what all units of this commit have left to its end: their events first.
    pub(crate) async fn write_recorded(&mut self) -> Result<usize, Error> {
        let recorded = std::mem::take(&mut self.recorded);
        let late = std::mem::take(&mut self.late);
        let count = recorded.len();
        // The savepoint of a unit must not cover this; a failure here is one of the commit.
        self.left_savepoint = false;
        self.savepoint = true;
        let written = self.write_late(recorded, late).await;
        self.savepoint = false;
        written.map(|()| count)
    }

    async fn write_late(
        &mut self,
        recorded: Vec<Arc<Recorded>>,
        late: BTreeMap<Late, Vec<Vec<SqlValue>>>,
    ) -> Result<(), Error> {
        log::insert_pending(self, &recorded).await?;
        for ((head, tail), rows) in late {
            self.insert_many(head, tail, rows).await?;
        }
        Ok(())
    }
}

fn largest_power_of_two(n: usize) -> usize {
    1 << (usize::BITS - 1 - n.leading_zeros())
}

pub(crate) fn values_statement(head: &str, tail: &str, width: usize, rows: usize) -> String {
    // Without numbers: SQLite keeps those as names in a list that every binding walks through,
    // which made 40 % of all time here.
    let row = format!("({})", vec!["?"; width].join(","));
    let mut sql = format!("{head} VALUES ");
    for position in 0..rows {
        if position > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    sql.push(' ');
    sql.push_str(tail);
    sql
}
