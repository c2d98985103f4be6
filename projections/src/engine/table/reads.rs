//! What a fold asks a table for; what is not in memory is noted.

use super::{Table, no_row};
use crate::engine::projection::FoldError;
use crate::engine::rows::{Index, Row};
use uuid::Uuid;

impl<R: Row> Table<R> {
    /// The row, if it exists.
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        match self.changed.get(key).or_else(|| self.stored.get(key)) {
            Some(row) => row.as_ref(),
            None => {
                if self.may_be_elsewhere(key) {
                    self.wanted.borrow_mut().keys.insert(key.clone());
                }
                None
            }
        }
    }

    /// Whether a row that is not in memory may be in the database.
    pub(super) fn may_be_elsewhere(&self, key: &R::Key) -> bool {
        self.spilled.as_ref().map_or(!self.whole, |spilled| spilled.may_hold(key))
    }

    /// The row, which the events before this one must have made.
    ///
    /// # Errors
    /// [`FoldError::NoRow`]. In a loop over many keys, prefer [`get`](Self::get) or
    /// [`change`](Self::change), or call [`prefetch`](Self::prefetch) first: an error ends the round, so
    /// rows would be loaded one by one.
    pub fn require(&self, key: &R::Key) -> Result<&R, FoldError> {
        self.get(key).ok_or_else(|| no_row::<R>(key))
    }

    /// Says that these rows will be asked for.
    pub fn prefetch<'a>(&self, keys: impl IntoIterator<Item = &'a R::Key>) {
        for key in keys {
            self.get(key);
        }
    }

    /// The keys of all rows with that value in an indexed column, in ascending order.
    pub fn keys_where(&self, index: Index<R>, value: Uuid) -> Vec<R::Key> {
        let may_be_more =
            self.spilled.as_ref().map_or(!self.whole, |spilled| spilled.may_hold_value(index.0, value));
        if may_be_more && !self.complete.contains(&(index.0, value)) {
            self.wanted.borrow_mut().values.insert((index.0, value));
        }
        self.indexes.get(index.0).and_then(|index| index.get(&value)).cloned().unwrap_or_default()
    }

    /// All rows with that value in an indexed column, in ascending order of their keys.
    pub fn rows_where(&self, index: Index<R>, value: Uuid) -> Vec<&R> {
        self.keys_where(index, value).iter().filter_map(|key| self.get(key)).collect()
    }

    /// Every row in memory, in no particular order. Of a table that is here as a whole, that is all of them.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &R> {
        let unchanged = self.stored.iter().filter(|(key, _)| !self.changed.contains_key(*key));
        self.changed.values().chain(unchanged.map(|(_, row)| row)).flatten()
    }

    /// The keys of all rows of a person, in ascending order. It looks at every row in memory: for erasing
    /// somebody, not for every event.
    pub fn keys_owned_by(&self, owner: Uuid) -> Vec<R::Key> {
        if !self.owners.contains(&owner) {
            if !self.whole {
                self.wanted.borrow_mut().owners.insert(owner);
            }
            return Vec::new();
        }
        if self.spilled.as_ref().is_some_and(|spilled| !spilled.owners.contains(&owner)) {
            self.wanted.borrow_mut().owners.insert(owner);
        }
        let stored = self.stored.iter().filter(|(key, _)| !self.changed.contains_key(*key));
        let rows = self.changed.iter().chain(stored);
        let of_owner = rows.filter(|(_, row)| row.as_ref().is_some_and(|row| row.owner() == Some(owner)));
        let mut keys: Vec<R::Key> = of_owner.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::super::AnyTable;
    use super::super::testing::{LinkRow, ids};
    use super::*;

    #[test]
    fn what_is_not_in_memory_is_asked_for_once_and_then_known_to_be_absent() {
        let mut table = Table::<LinkRow>::default();
        assert_eq!(table.get(&Uuid::from_u128(1)), None);
        assert!(table.change(&Uuid::from_u128(2), |_| ()).is_ok(), "it may exist; the round is repeated");
        assert!(table.is_wanting());
        table.wanted.take();
        table.stored.insert(Uuid::from_u128(2), None);
        assert!(table.change(&Uuid::from_u128(2), |_| ()).is_err());
        assert!(!table.is_wanting());
    }

    #[test]
    fn a_whole_table_asks_for_nothing() {
        let mut table = Table::<LinkRow>::default();
        table.make_whole();
        assert_eq!(table.get(&Uuid::from_u128(1)), None);
        assert!(ids(&table, 1).is_empty());
        assert!(!table.is_wanting());
    }
}
