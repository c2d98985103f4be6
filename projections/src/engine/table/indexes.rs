//! The keys of the rows by the values of their indexed columns, kept as the rows change.

use super::Table;
use crate::engine::rows::Row;
use rustc_hash::FxHashMap;
use uuid::Uuid;

impl<R: Row> Table<R> {
    pub(in crate::engine) fn index(&mut self, key: &R::Key, row: &R) {
        for (place, index) in self.indexes.iter_mut().enumerate() {
            if let Some(value) = row.indexed(place) {
                let keys = index.entry(value).or_default();
                // Keys are mostly made in ascending order, so this mostly appends.
                if let Err(place) = keys.binary_search(key) {
                    keys.insert(place, key.clone());
                }
            }
        }
    }

    /// Takes the row under this key, as it is now, out of the indexes.
    pub(in crate::engine) fn unindex(&mut self, key: &R::Key) {
        if self.indexes.is_empty() {
            return;
        }
        let Some(Some(row)) = self.changed.get(key).or_else(|| self.stored.get(key)) else { return };
        unindex(&mut self.indexes, key, row);
    }

    pub(super) fn unindex_row(&mut self, key: &R::Key, row: &R) {
        unindex(&mut self.indexes, key, row);
    }
}

fn unindex<R: Row>(indexes: &mut [FxHashMap<Uuid, Vec<R::Key>>], key: &R::Key, row: &R) {
    for (place, index) in indexes.iter_mut().enumerate() {
        let Some(value) = row.indexed(place) else { continue };
        let Some(keys) = index.get_mut(&value) else { continue };
        if let Ok(place) = keys.binary_search(key) {
            keys.remove(place);
        }
        if keys.is_empty() {
            index.remove(&value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::AnyTable;
    use super::super::testing::{LinkRow, ids, link};
    use super::*;

    #[test]
    fn an_index_follows_every_change_and_its_undoing() {
        let mut table = Table::<LinkRow>::default();
        table.make_whole();
        for id in [3, 1, 2] {
            table.insert(link(id, 10, "a"));
        }
        assert_eq!(ids(&table, 10), [1, 2, 3], "in the order of their keys");
        table.settle();
        table.update(&Uuid::from_u128(2), |row| row.parent = Some(Uuid::from_u128(20)));
        table.remove(&Uuid::from_u128(3));
        table.insert(link(4, 10, "b"));
        assert_eq!((ids(&table, 10), ids(&table, 20)), (vec![1, 4], vec![2]));
        table.roll_back();
        assert_eq!((ids(&table, 10), ids(&table, 20)), (vec![1, 2, 3], vec![]));
    }
}
