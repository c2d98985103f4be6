//! What a fold changes in a table: rows put in, changed and taken out.

use super::{Table, no_row};
use crate::engine::projection::FoldError;
use crate::engine::rows::{Index, Row};
use uuid::Uuid;

impl<R: Row> Table<R> {
    /// Takes out all rows of a person.
    pub fn remove_owned_by(&mut self, owner: Uuid) {
        for key in self.keys_owned_by(owner) {
            self.remove(&key);
        }
    }

    /// Puts a row in, in place of the one with its key, if there is one.
    pub fn insert(&mut self, row: R) {
        let key = row.key();
        if self.whole
            && let Some(owner) = row.owner()
        {
            self.owners.insert(owner);
        }
        self.unindex(&key);
        self.index(&key, &row);
        self.put(key, Some(row));
    }

    fn put(&mut self, key: R::Key, row: Option<R>) {
        match &mut self.spilled {
            None => {
                self.changed.insert(key, row);
            }
            Some(spilled) => {
                let before = self.changed.insert(key.clone(), row);
                spilled.journal.push((key, before));
            }
        }
    }

    /// Changes a row; whether it exists is the answer.
    pub fn update(&mut self, key: &R::Key, with: impl FnOnce(&mut R)) -> bool {
        // The common case of a rebuild: changed before, and no index to keep.
        if R::INDEXES.is_empty()
            && self.spilled.is_none()
            && let Some(Some(row)) = self.changed.get_mut(key)
        {
            with(row);
            return true;
        }
        let Some(mut row) = self.get(key).cloned() else { return false };
        with(&mut row);
        self.insert(row);
        true
    }

    /// Changes a row that the events before this one must have made.
    ///
    /// # Errors
    /// [`FoldError::NoRow`].
    pub fn change(&mut self, key: &R::Key, with: impl FnOnce(&mut R)) -> Result<(), FoldError> {
        // A row that is yet to be loaded is no error: the round is folded again, and the fold shall go on
        // to ask for whatever else it needs.
        if self.update(key, with) || self.is_wanted(key) { Ok(()) } else { Err(no_row::<R>(key)) }
    }

    /// Changes a row, made first when it does not exist.
    pub fn upsert(&mut self, key: &R::Key, new: impl FnOnce() -> R, with: impl FnOnce(&mut R)) {
        let mut row = self.get(key).cloned().unwrap_or_else(new);
        with(&mut row);
        self.insert(row);
    }

    /// Takes a row out.
    pub fn remove(&mut self, key: &R::Key) {
        self.unindex(key);
        if self.whole && !self.stored.contains_key(key) && !self.may_be_elsewhere(key) {
            let before = self.changed.remove(key);
            if let Some(spilled) = &mut self.spilled {
                spilled.journal.push((key.clone(), before));
            }
        } else {
            self.put(key.clone(), None);
        }
    }

    /// Takes out all rows with that value in an indexed column.
    pub fn remove_where(&mut self, index: Index<R>, value: Uuid) {
        for key in self.keys_where(index, value) {
            self.remove(&key);
        }
    }

    fn is_wanted(&self, key: &R::Key) -> bool {
        self.wanted.borrow().keys.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::AnyTable;
    use super::*;
    use crate::engine::rows::row;

    #[test]
    fn the_rows_of_a_person_are_asked_for_and_taken_out_and_no_others() {
        row! { struct NoteRow in "notes", key(id: Uuid), owner(user_id) { user_id: Uuid } }
        let (anna, ben) = (Uuid::from_u128(100), Uuid::from_u128(200));
        let note = |id, user_id| NoteRow { id: Uuid::from_u128(id), user_id };
        let mut part = Table::<NoteRow>::default();
        part.remove_owned_by(anna);
        assert!(part.is_wanting(), "they may be in the database");
        let mut whole = Table::<NoteRow>::default();
        whole.make_whole();
        for (id, user) in [(1, anna), (2, ben)] {
            whole.insert(note(id, user));
        }
        whole.settle();
        whole.insert(note(3, anna));
        whole.remove_owned_by(anna);
        assert!(!whole.is_wanting());
        let left: Vec<u128> = (1..=3).filter(|id| whole.get(&Uuid::from_u128(*id)).is_some()).collect();
        assert_eq!(left, [2]);
    }
}
