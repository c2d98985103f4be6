//! The rows of one table while events are folded.

mod any;
mod changes;
mod indexes;
mod reads;
mod statements;
#[cfg(test)]
mod testing;

pub use any::AnyTable;
pub(super) use statements::{ROWS_PER_STATEMENT, columns, delete_by_keys, list, upsert};

use super::projection::FoldError;
use super::rows::Row;
use super::spill::Spilled;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use uuid::Uuid;

/// What a fold asked for that was not in memory.
struct Wanted<K> {
    keys: FxHashSet<K>,
    values: FxHashSet<(usize, Uuid)>,
    owners: FxHashSet<Uuid>,
}

impl<K> Default for Wanted<K> {
    fn default() -> Self {
        Self { keys: FxHashSet::default(), values: FxHashSet::default(), owners: FxHashSet::default() }
    }
}

/// The rows of one table, as far as a fold needs them.
///
/// A fold reads and changes rows as if all of them were here. What is not, is noted; the engine then loads
/// it, forgets what was folded, and folds again. So a fold must not mind seeing `None` for a row that
/// exists: that round is thrown away.
///
/// What a fold changed stays apart from what the database holds until [`settle`](AnyTable::settle); only
/// the rows that really differ are written.
pub struct Table<R: Row> {
    /// As the database holds them; `None` is known to be absent.
    pub(super) stored: FxHashMap<R::Key, Option<R>>,
    /// As folded; `None` is deleted.
    pub(super) changed: FxHashMap<R::Key, Option<R>>,
    /// For each indexed column, the keys of the rows as folded, in order.
    pub(super) indexes: Vec<FxHashMap<Uuid, Vec<R::Key>>>,
    /// Values of indexed columns of which every row is here.
    pub(super) complete: FxHashSet<(usize, Uuid)>,
    /// People of whom every row is here; in a whole table, people who ever had one, so that erasing somebody
    /// who never had any costs nothing.
    owners: FxHashSet<Uuid>,
    /// Every row there is, is here: what is not in memory does not exist.
    whole: bool,
    /// What is known of rows of a whole table that were put away; none before the first was.
    pub(super) spilled: Option<Box<Spilled<R>>>,
    wanted: RefCell<Wanted<R::Key>>,
}

impl<R: Row> Default for Table<R> {
    fn default() -> Self {
        Self {
            stored: FxHashMap::default(),
            changed: FxHashMap::default(),
            indexes: R::INDEXES.iter().map(|_| FxHashMap::default()).collect(),
            complete: FxHashSet::default(),
            owners: FxHashSet::default(),
            whole: false,
            spilled: None,
            wanted: RefCell::default(),
        }
    }
}

impl<R: Row> Table<R> {
    /// The keys to delete and the rows to write, in the order of their keys: every process takes row locks
    /// in the same order, and indexes are filled from left to right.
    pub(super) fn differences(&self) -> (Vec<R::Key>, Vec<&R>) {
        let mut gone = Vec::new();
        let mut kept = Vec::new();
        for (key, row) in &self.changed {
            match (row, self.stored.get(key)) {
                (None, Some(None)) => {}
                (None, _) => gone.push(key.clone()),
                (Some(row), Some(Some(stored))) if row == stored => {}
                (Some(row), _) => kept.push((key, row)),
            }
        }
        gone.sort_unstable();
        kept.sort_unstable_by_key(|(key, _)| *key);
        (gone, kept.into_iter().map(|(_, row)| row).collect())
    }

    /// Takes a row from the database, unless it is here already.
    fn take_in(&mut self, row: R) {
        let key = row.key();
        if !self.stored.contains_key(&key) {
            if !self.changed.contains_key(&key) {
                self.index(&key, &row);
            }
            self.stored.insert(key, Some(row));
        }
    }
}

fn no_row<R: Row>(key: &R::Key) -> FoldError {
    FoldError::NoRow { table: R::TABLE, key: format!("{key:?}") }
}

#[cfg(test)]
mod tests {
    use super::testing::{LinkRow, ids, link};
    use super::*;

    #[test]
    fn a_row_from_the_database_never_replaces_a_folded_one() {
        let mut table = Table::<LinkRow>::default();
        table.insert(link(1, 20, "folded"));
        table.take_in(link(1, 10, "stored"));
        assert_eq!(table.get(&Uuid::from_u128(1)).map(|row| row.label.as_str()), Some("folded"));
        assert_eq!((ids(&table, 10), ids(&table, 20)), (vec![], vec![1]));
        table.roll_back();
        assert_eq!((ids(&table, 10), ids(&table, 20)), (vec![1], vec![]));
    }
}
