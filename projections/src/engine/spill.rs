//! Folding the whole log with bounded memory: rows that are in the way are put into the database, and fetched
//! again when a fold asks for them.
//!
//! While everything fits, nothing is put away and nothing is asked for: what is not in memory does not exist.
//! After that, a filter of a few bits per row says which rows may be in the database. A row that it does not know
//! exists nowhere, so new rows, which are most, are made without asking; about one in a thousand is asked for in
//! vain. What a batch of events folded can be taken back by a journal, since a batch is folded again once the
//! rows are there that it missed.

use super::fold::Fold;
use super::rows::{CopyBuffer, Row};
use super::table::{ROWS_PER_STATEMENT, Table, columns, delete_by_keys, upsert};
use fastbloom::BloomFilter;
use rustc_hash::FxHashSet;
use sqlx::postgres::PgArguments;
use sqlx::{Executor, PgConnection};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// How many bytes of rows are gathered before they are sent.
const COPY_CHUNK: usize = 1 << 18;
/// What a row takes besides its columns, until it is known how long its texts are.
const HEAP_GUESS: usize = 400;
/// What an entry of an index takes.
const INDEX_ENTRY: usize = 64;
/// How many keys the first filter holds; every further one holds twice as many as the one before.
const FIRST_FILTER: usize = 1 << 14;
const IN_VAIN: f64 = 0.001;
/// Tables below this part of the memory are left alone: it is not they that fill it.
const WORTH_IT: usize = 24;
/// What a replay of a small log may keep in memory, and how many bytes more for each event.
const BASE: usize = 48 << 20;
const PER_EVENT: usize = 16;
/// What it may keep of the largest.
const MOST: usize = 256 << 20;

/// How many bytes of rows all folds of one replay may keep together.
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// So many bytes; unless told, what suits a log of that many events.
    pub fn new(told: Option<usize>, events: i64) -> Self {
        let events = usize::try_from(events).unwrap_or_default();
        let suits = BASE.saturating_add(events.saturating_mul(PER_EVENT)).min(MOST);
        Self { limit: told.unwrap_or(suits), used: AtomicUsize::new(0) }
    }

    /// One of them takes so much now and took that much before; whether all of them take too much.
    pub fn weighed(&self, before: usize, now: usize) -> bool {
        let used = if now >= before {
            self.used.fetch_add(now - before, Ordering::Relaxed).saturating_add(now - before)
        } else {
            self.used.fetch_sub(before - now, Ordering::Relaxed).saturating_sub(before - now)
        };
        used > self.limit
    }
}

/// Things that are in the database, or a few that are not.
#[derive(Default)]
struct Known {
    filters: Vec<BloomFilter>,
    room: usize,
}

impl Known {
    fn may_hold(&self, one: &impl Hash) -> bool {
        self.filters.iter().any(|filter| filter.contains(one))
    }

    fn add(&mut self, one: &impl Hash) {
        if self.may_hold(one) {
            return;
        }
        if self.room == 0 {
            self.room = FIRST_FILTER << self.filters.len().min(16);
            self.filters.push(BloomFilter::with_false_pos(IN_VAIN).expected_items(self.room));
        }
        self.room -= 1;
        if let Some(newest) = self.filters.last_mut() {
            newest.insert(one);
        }
    }
}

/// What is known of the rows of a table that are in the database and not in memory.
pub struct Spilled<R: Row> {
    keys: Known,
    values: Known,
    /// People of whom every row is in memory.
    pub(super) owners: FxHashSet<Uuid>,
    /// What this batch of events replaced, oldest first.
    pub(super) journal: Vec<(R::Key, Option<Option<R>>)>,
    /// Columns with an index to find rows again by.
    indexed: BTreeSet<&'static str>,
    /// Whether the table has the indexes that it is going to have.
    is_indexed: bool,
    /// What a row takes besides its columns.
    heap: usize,
}

impl<R: Row> Default for Spilled<R> {
    fn default() -> Self {
        Self {
            keys: Known::default(),
            values: Known::default(),
            owners: FxHashSet::default(),
            journal: Vec::new(),
            indexed: BTreeSet::new(),
            is_indexed: false,
            heap: HEAP_GUESS,
        }
    }
}

impl<R: Row> Spilled<R> {
    pub(super) fn may_hold(&self, key: &R::Key) -> bool {
        self.keys.may_hold(key)
    }

    pub(super) fn may_hold_value(&self, index: usize, value: Uuid) -> bool {
        self.values.may_hold(&(index, value))
    }

    /// Makes an index to find rows by a column, the first time that somebody looks for one.
    pub(super) async fn index(
        &mut self,
        connection: &mut PgConnection,
        column: &'static str,
    ) -> sqlx::Result<()> {
        if self.is_indexed || !self.indexed.insert(column) {
            return Ok(());
        }
        let sql = format!("CREATE INDEX spill_{0}_{column} ON {0} ({column})", R::TABLE);
        connection.execute(sql.as_str()).await.map(drop)
    }

    /// The table is about to get its own indexes.
    pub(super) async fn drop_indexes(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        self.is_indexed = true;
        for column in std::mem::take(&mut self.indexed) {
            connection.execute(format!("DROP INDEX spill_{}_{column}", R::TABLE).as_str()).await?;
        }
        Ok(())
    }
}

impl<R: Row> Table<R> {
    /// About how many bytes its rows take.
    pub(super) fn weigh(&self) -> usize {
        let heap = self.spilled.as_ref().map_or(HEAP_GUESS, |spilled| spilled.heap);
        // A map has room for more than it holds, an eighth of which it never uses.
        let slots = (self.stored.capacity() + self.changed.capacity()).saturating_mul(8) / 7;
        let rows = self.stored.len() + self.changed.len();
        slots
            .saturating_mul(size_of::<(R::Key, Option<R>)>() + 1)
            .saturating_add(rows.saturating_mul(heap + R::INDEXES.len() * INDEX_ENTRY))
    }

    /// Undoes what was folded since the batch began.
    pub(super) fn take_back(&mut self) {
        let Some(journal) = self.spilled.as_mut().map(|spilled| std::mem::take(&mut spilled.journal)) else {
            return;
        };
        for (key, before) in journal.into_iter().rev() {
            self.unindex(&key);
            match before {
                Some(row) => self.changed.insert(key.clone(), row),
                None => self.changed.remove(&key),
            };
            if let Some(Some(row)) = self.changed.get(&key).or_else(|| self.stored.get(&key)).cloned() {
                self.index(&key, &row);
            }
        }
    }

    /// Puts all rows into the database's table and forgets them.
    pub(super) async fn put_away(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let mut spilled = self.spilled.take().unwrap_or_default();
        let (gone, kept) = self.differences();
        for keys in gone.chunks(ROWS_PER_STATEMENT) {
            let mut arguments = PgArguments::default();
            <R::Key as super::rows::Key>::bind(keys, &mut arguments).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(&delete_by_keys::<R>(0), arguments).execute(&mut *connection).await?;
        }
        let (new, old): (Vec<&R>, Vec<&R>) = kept.into_iter().partition(|row| {
            let key = row.key();
            !matches!(self.stored.get(&key), Some(Some(_))) && !spilled.may_hold(&key)
        });
        for rows in old.chunks(ROWS_PER_STATEMENT) {
            let mut arguments = PgArguments::default();
            R::bind(rows, &mut arguments).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(&upsert::<R>(0), arguments).execute(&mut *connection).await?;
        }
        if !new.is_empty() {
            let bytes = copy_in(connection, &new).await?;
            spilled.heap = (bytes / new.len()).saturating_mul(2);
        }
        for row in new.into_iter().chain(old) {
            spilled.keys.add(&row.key());
            for index in 0..R::INDEXES.len() {
                if let Some(value) = row.indexed(index) {
                    spilled.values.add(&(index, value));
                }
            }
        }
        spilled.owners.clear();
        spilled.journal = Vec::new();
        self.spilled = Some(spilled);
        // Not cleared: an empty map keeps its memory.
        self.stored = Default::default();
        self.changed = Default::default();
        self.indexes = R::INDEXES.iter().map(|_| Default::default()).collect();
        self.complete.clear();
        Ok(())
    }
}

/// Fills a table with rows that it does not hold; gives how many bytes they were.
async fn copy_in<R: Row>(connection: &mut PgConnection, rows: &[&R]) -> sqlx::Result<usize> {
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", R::TABLE, columns::<R>(""));
    let mut copy = connection.copy_in_raw(&sql).await?;
    let mut buffer = CopyBuffer::default();
    let mut sent = 0_usize;
    copy.send(CopyBuffer::HEADER).await?;
    for row in rows {
        row.encode(&mut buffer).map_err(sqlx::Error::Encode)?;
        if buffer.bytes().len() >= COPY_CHUNK {
            sent += buffer.bytes().len();
            copy.send(buffer.bytes()).await?;
            buffer = CopyBuffer::default();
        }
    }
    sent += buffer.bytes().len();
    copy.send(buffer.bytes()).await?;
    copy.send(CopyBuffer::TRAILER).await?;
    copy.finish().await?;
    Ok(sent)
}

impl Fold {
    /// About how many bytes its rows take in memory.
    pub fn weight(&mut self) -> usize {
        self.tables().iter().map(|table| table.weight()).sum()
    }

    /// From now on its rows can be put away, and what is in the database is asked for.
    pub fn begin_spilling(&mut self) {
        self.tables().into_iter().for_each(|table| table.begin_spilling());
    }

    /// The events folded since the last time stand.
    pub fn accept(&mut self) {
        self.tables().into_iter().for_each(|table| table.accept());
    }

    /// Forgets what was folded since then.
    pub fn take_back(&mut self) {
        self.tables().into_iter().for_each(|table| table.roll_back());
    }

    /// Puts away the tables that take the most.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn spill_heavy(&mut self, budget: &Budget, connection: &mut PgConnection) -> sqlx::Result<()> {
        for table in self.tables() {
            if table.weight() > budget.limit / WORTH_IT {
                table.spill(connection).await?;
            }
        }
        Ok(())
    }

    /// Puts away everything.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn spill(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        for table in self.tables() {
            table.spill(connection).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::row;
    use super::super::table::AnyTable;
    use super::*;

    row! {
        struct NoteRow in "notes", key(id: Uuid), index(parent), owner(user_id) {
            parent: Option<Uuid>, user_id: Uuid, text: String
        }
    }

    fn note(id: u128, parent: u128, text: &str) -> NoteRow {
        let parent = Some(Uuid::from_u128(parent));
        NoteRow { id: Uuid::from_u128(id), parent, user_id: Uuid::from_u128(7), text: text.to_owned() }
    }

    fn whole() -> Table<NoteRow> {
        let mut table = Table::default();
        table.make_whole();
        table.begin_spilling();
        table
    }

    #[test]
    fn a_row_that_was_never_put_away_is_not_asked_for() {
        let mut table = whole();
        assert_eq!(table.get(&Uuid::from_u128(1)), None);
        assert!(table.keys_where(NoteRow::parent, Uuid::from_u128(9)).is_empty());
        table.insert(note(1, 9, "a"));
        table.remove(&Uuid::from_u128(2));
        assert!(!table.is_wanting());
    }

    #[test]
    fn a_row_that_was_put_away_is_asked_for_by_key_value_and_owner() {
        for ask in [
            |table: &Table<NoteRow>| table.get(&Uuid::from_u128(1)).is_some(),
            |table: &Table<NoteRow>| !table.keys_where(NoteRow::parent, Uuid::from_u128(9)).is_empty(),
            |table: &Table<NoteRow>| !table.keys_owned_by(Uuid::from_u128(7)).is_empty(),
        ] {
            let mut table = whole();
            table.insert(note(1, 9, "a"));
            table.remove(&Uuid::from_u128(1));
            table.accept();
            let spilled = table.spilled.get_or_insert_default();
            spilled.keys.add(&Uuid::from_u128(1));
            spilled.values.add(&(0_usize, Uuid::from_u128(9)));
            assert!(!ask(&table), "it is not here");
            assert!(table.is_wanting());
        }
    }

    #[test]
    fn a_batch_is_taken_back_and_nothing_before_it() {
        let mut table = whole();
        table.insert(note(1, 9, "a"));
        table.insert(note(2, 9, "b"));
        table.accept();
        table.update(&Uuid::from_u128(1), |row| row.text = "x".to_owned());
        table.update(&Uuid::from_u128(1), |row| row.parent = None);
        table.remove(&Uuid::from_u128(2));
        table.insert(note(2, 8, "y"));
        table.insert(note(3, 9, "c"));
        table.roll_back();
        let ids = |parent| {
            let keys = table.keys_where(NoteRow::parent, Uuid::from_u128(parent));
            keys.iter().map(Uuid::as_u128).collect::<Vec<_>>()
        };
        assert_eq!((ids(9), ids(8)), (vec![1, 2], vec![]));
        assert_eq!(table.get(&Uuid::from_u128(1)), Some(&note(1, 9, "a")));
        assert_eq!(table.get(&Uuid::from_u128(2)), Some(&note(2, 9, "b")));
        assert_eq!(table.get(&Uuid::from_u128(3)), None);
    }

    #[test]
    fn what_was_added_is_known_however_much_it_is() {
        let mut known = Known::default();
        for n in 0..50_000_u32 {
            known.add(&n);
        }
        assert!((0..50_000_u32).all(|n| known.may_hold(&n)));
        let in_vain = (50_000..100_000_u32).filter(|n| known.may_hold(n)).count();
        assert!(in_vain < 1_000, "{in_vain}");
    }

    #[test]
    fn memory_is_shared_and_grows_with_the_log_up_to_a_bound() {
        let budget = Budget::new(Some(100), 0);
        assert!(!budget.weighed(0, 60));
        assert!(budget.weighed(0, 60));
        assert!(!budget.weighed(60, 10));
        let limit = |events| Budget::new(None, events).limit;
        assert!(limit(0) < limit(1_000_000) && limit(1_000_000) < limit(9_000_000));
        assert_eq!(limit(i64::MAX), MOST);
    }
}
