//! The rows of one table while events are folded.

use super::compare::{self, Difference};
use super::projection::FoldError;
use super::rows::{Index, Key, Row};
use super::spill::Spilled;
use async_trait::async_trait;
use event_store::Compound;
use futures::TryStreamExt;
use rustc_hash::{FxHashMap, FxHashSet};
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use std::cell::RefCell;
use uuid::Uuid;

/// How many rows one statement writes.
pub(super) const ROWS_PER_STATEMENT: usize = 4_000;

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
    fn may_be_elsewhere(&self, key: &R::Key) -> bool {
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

    pub(super) fn index(&mut self, key: &R::Key, row: &R) {
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
    pub(super) fn unindex(&mut self, key: &R::Key) {
        if self.indexes.is_empty() {
            return;
        }
        let Some(Some(row)) = self.changed.get(key).or_else(|| self.stored.get(key)) else { return };
        unindex(&mut self.indexes, key, row);
    }

    fn unindex_row(&mut self, key: &R::Key, row: &R) {
        unindex(&mut self.indexes, key, row);
    }

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

fn no_row<R: Row>(key: &R::Key) -> FoldError {
    FoldError::NoRow { table: R::TABLE, key: format!("{key:?}") }
}

/// The part of a [`Table`] that needs no knowledge of its rows: how the engine moves them.
#[async_trait]
pub trait AnyTable: Send {
    /// The table, without a schema.
    fn name(&self) -> &'static str;
    /// From now on, what is not in memory does not exist.
    fn make_whole(&mut self);
    /// Whether a fold asked for something that is not in memory.
    fn is_wanting(&self) -> bool;
    /// Loads what was asked for, one query for the keys and one for each indexed column.
    ///
    /// # Errors
    /// When the database does.
    async fn load(&mut self, connection: &mut PgConnection) -> sqlx::Result<()>;
    /// Forgets what was folded since the last [`settle`](Self::settle).
    fn roll_back(&mut self);
    /// Writes what was folded since then, and nothing that is as it was.
    ///
    /// # Errors
    /// When the database does.
    async fn write(&mut self, connection: &mut PgConnection) -> sqlx::Result<()>;
    /// The same as parts of a larger statement.
    ///
    /// # Errors
    /// When a value has no binary form.
    fn write_into(&mut self, compound: &mut Compound) -> Result<(), BoxDynError>;
    /// What was folded is now what the database holds.
    fn settle(&mut self);
    /// The same, but of what is in memory only that stays which a fold has asked for and may ask for again,
    /// and no more than so many rows.
    fn settle_keeping(&mut self, most: usize);
    /// About how many bytes its rows take in memory.
    fn weight(&self) -> usize;
    /// From now on its rows can be put away.
    fn begin_spilling(&mut self);
    /// What was folded since the last time stands, and is not forgotten by [`roll_back`](Self::roll_back).
    fn accept(&mut self);
    /// Puts every row in memory into the database's table, and keeps none.
    ///
    /// # Errors
    /// When the database does.
    async fn spill(&mut self, connection: &mut PgConnection) -> sqlx::Result<()>;
    /// Drops the indexes that were made to find rows again.
    ///
    /// # Errors
    /// When the database does.
    async fn drop_spill_indexes(&mut self, connection: &mut PgConnection) -> sqlx::Result<()>;
    /// Compares the rows of the live table with those of the temporary one of the same name.
    ///
    /// # Errors
    /// When the database does.
    async fn compare(
        &mut self,
        connection: &mut PgConnection,
        report: &mut (dyn FnMut(Difference) + Send),
    ) -> sqlx::Result<()>;
}

#[async_trait]
impl<R: Row> AnyTable for Table<R> {
    fn name(&self) -> &'static str {
        R::TABLE
    }

    fn make_whole(&mut self) {
        self.whole = true;
    }

    fn is_wanting(&self) -> bool {
        let wanted = self.wanted.borrow();
        !wanted.keys.is_empty() || !wanted.values.is_empty() || !wanted.owners.is_empty()
    }

    async fn load(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let Wanted { keys, values, owners } = self.wanted.take();
        let mut by_index: Vec<Vec<Uuid>> = R::INDEXES.iter().map(|_| Vec::new()).collect();
        for (index, value) in &values {
            if let Some(list) = by_index.get_mut(*index) {
                list.push(*value);
            }
        }
        for (column, list) in R::INDEXES.iter().zip(by_index) {
            if list.is_empty() {
                continue;
            }
            if let Some(spilled) = &mut self.spilled {
                spilled.index(connection, column).await?;
            }
            let sql = format!("SELECT {} FROM {} WHERE {column} = ANY($1)", columns::<R>(""), R::TABLE);
            let mut rows = sqlx::query(&sql).bind(list).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                self.take_in(R::read(&row)?);
            }
        }
        self.complete.extend(values);
        if let Some(column) = R::OWNER
            && !owners.is_empty()
        {
            if let Some(spilled) = &mut self.spilled {
                spilled.index(connection, column).await?;
            }
            let wanted: Vec<Uuid> = owners.iter().copied().collect();
            let sql = format!("SELECT {} FROM {} WHERE {column} = ANY($1)", columns::<R>(""), R::TABLE);
            let mut rows = sqlx::query(&sql).bind(wanted).fetch(&mut *connection);
            while let Some(row) = rows.try_next().await? {
                self.take_in(R::read(&row)?);
            }
        }
        match &mut self.spilled {
            Some(spilled) => spilled.owners.extend(owners),
            None => self.owners.extend(owners),
        }
        let keys: Vec<R::Key> = keys.into_iter().filter(|key| !self.stored.contains_key(key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let sql = load_by_keys::<R>();
        let mut arguments = PgArguments::default();
        R::Key::bind(&keys, &mut arguments).map_err(sqlx::Error::Encode)?;
        let mut rows = sqlx::query_with(&sql, arguments).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            self.take_in(R::read(&row)?);
        }
        drop(rows);
        for key in keys {
            self.stored.entry(key).or_insert(None);
        }
        Ok(())
    }

    fn roll_back(&mut self) {
        if self.spilled.is_some() {
            self.take_back();
            return;
        }
        let keys: Vec<R::Key> = self.changed.keys().cloned().collect();
        for key in keys {
            self.unindex(&key);
            self.changed.remove(&key);
            if let Some(Some(row)) = self.stored.get(&key).cloned() {
                self.index(&key, &row);
            }
        }
    }

    async fn write(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let (gone, kept) = self.differences();
        for keys in gone.chunks(ROWS_PER_STATEMENT) {
            let mut arguments = PgArguments::default();
            R::Key::bind(keys, &mut arguments).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(&delete_by_keys::<R>(0), arguments).execute(&mut *connection).await?;
        }
        for rows in kept.chunks(ROWS_PER_STATEMENT) {
            let mut arguments = PgArguments::default();
            R::bind(rows, &mut arguments).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(&upsert::<R>(0), arguments).execute(&mut *connection).await?;
        }
        Ok(())
    }

    fn write_into(&mut self, compound: &mut Compound) -> Result<(), BoxDynError> {
        let (gone, kept) = self.differences();
        if !gone.is_empty() && kept.is_empty() {
            let bound = compound.bound();
            R::Key::bind(&gone, compound.arguments())?;
            compound.part(delete_by_keys::<R>(bound));
        } else if !gone.is_empty() {
            // A value that must be unique may move from a row that goes to one that stays.
            let mut arguments = PgArguments::default();
            R::Key::bind(&gone, &mut arguments)?;
            compound.first(delete_by_keys::<R>(0), arguments);
        }
        if !kept.is_empty() {
            let bound = compound.bound();
            R::bind(&kept, compound.arguments())?;
            compound.part(upsert::<R>(bound));
        }
        Ok(())
    }

    fn settle(&mut self) {
        if self.stored.is_empty() && self.whole {
            self.stored = std::mem::take(&mut self.changed);
        } else {
            self.stored.extend(self.changed.drain());
        }
        if self.whole {
            self.stored.retain(|_, row| row.is_some());
        }
    }

    fn settle_keeping(&mut self, most: usize) {
        // Knowing all rows of something would have to be kept up; it is asked for too rarely for that.
        if !self.complete.is_empty() || !self.owners.is_empty() || self.stored.len() > most {
            *self = Self::default();
            return;
        }
        for (key, row) in std::mem::take(&mut self.changed) {
            match self.stored.get_mut(&key) {
                Some(stored) => *stored = row,
                None => {
                    if let Some(row) = row {
                        self.unindex_row(&key, &row);
                    }
                }
            }
        }
    }

    fn weight(&self) -> usize {
        self.weigh()
    }

    fn begin_spilling(&mut self) {
        self.spilled.get_or_insert_default();
    }

    fn accept(&mut self) {
        if let Some(spilled) = &mut self.spilled {
            spilled.journal.clear();
        }
    }

    async fn spill(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        self.put_away(connection).await
    }

    async fn drop_spill_indexes(&mut self, connection: &mut PgConnection) -> sqlx::Result<()> {
        match &mut self.spilled {
            Some(spilled) => spilled.drop_indexes(connection).await,
            None => Ok(()),
        }
    }

    async fn compare(
        &mut self,
        connection: &mut PgConnection,
        report: &mut (dyn FnMut(Difference) + Send),
    ) -> sqlx::Result<()> {
        compare::tables::<R>(connection, report).await
    }
}

pub(super) fn columns<R: Row>(prefix: &str) -> String {
    list(R::COLUMNS, ", ", |column| format!("{prefix}{column}"))
}

pub(super) fn list(names: &[&str], separator: &str, each: impl Fn(&str) -> String) -> String {
    names.iter().map(|name| each(name)).collect::<Vec<_>>().join(separator)
}

/// So many parameters that follow those bound already.
fn parameters(bound: usize, count: usize) -> String {
    (bound + 1..=bound + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// Finds the rows with the given keys one by one in the index of the key. A join would leave the planner the choice
/// to walk through the whole table, which it makes while it takes the table for small, and keeps.
fn found_by_keys<R: Row>(bound: usize, columns: &str) -> String {
    let (parameters, names) = (parameters(bound, R::KEY.len()), list(R::KEY, ", ", str::to_owned));
    let same = list(R::KEY, " AND ", |column| format!("t.{column} = wanted.{column}"));
    format!(
        "SELECT found.* FROM UNNEST({parameters}) AS wanted ({names}) \
         CROSS JOIN LATERAL (SELECT {columns} FROM {} AS t WHERE {same} OFFSET 0) AS found",
        R::TABLE
    )
}

fn load_by_keys<R: Row>() -> String {
    match R::KEY {
        [key] => format!("SELECT {} FROM {} WHERE {key} = ANY($1)", columns::<R>(""), R::TABLE),
        _ => found_by_keys::<R>(0, &columns::<R>("t.")),
    }
}

pub(super) fn delete_by_keys<R: Row>(bound: usize) -> String {
    match R::KEY {
        [key] => format!("DELETE FROM {} WHERE {key} = ANY({})", R::TABLE, parameters(bound, 1)),
        _ => format!(
            "DELETE FROM {} WHERE ctid = ANY(ARRAY({}))",
            R::TABLE,
            found_by_keys::<R>(bound, "t.ctid")
        ),
    }
}

pub(super) fn upsert<R: Row>(bound: usize) -> String {
    let rest = R::COLUMNS.get(R::KEY.len()..).unwrap_or_default();
    let action = if rest.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", list(rest, ", ", |column| format!("{column} = EXCLUDED.{column}")))
    };
    let all = columns::<R>("");
    let (selected, named) = if R::CASTS.iter().all(|cast| cast.is_empty()) {
        ("*".to_owned(), String::new())
    } else {
        let cast = R::COLUMNS.iter().zip(R::CASTS).map(|(column, cast)| format!("{column}{cast}"));
        (cast.collect::<Vec<_>>().join(", "), format!(" AS new ({all})"))
    };
    format!(
        "INSERT INTO {} ({all}) SELECT {selected} FROM UNNEST({}){named} ON CONFLICT ({}) DO {action}",
        R::TABLE,
        parameters(bound, R::COLUMNS.len()),
        list(R::KEY, ", ", str::to_owned),
    )
}

#[cfg(test)]
mod tests {
    use super::super::rows::row;
    use super::*;

    row! {
        struct LinkRow in "links", key(id: Uuid), index(parent) { parent: Option<Uuid>, label: String }
    }

    fn link(id: u128, parent: u128, label: &str) -> LinkRow {
        LinkRow { id: Uuid::from_u128(id), parent: Some(Uuid::from_u128(parent)), label: label.to_owned() }
    }

    fn ids(table: &Table<LinkRow>, parent: u128) -> Vec<u128> {
        table.keys_where(LinkRow::parent, Uuid::from_u128(parent)).iter().map(Uuid::as_u128).collect()
    }

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

    #[test]
    fn a_whole_table_asks_for_nothing() {
        let mut table = Table::<LinkRow>::default();
        table.make_whole();
        assert_eq!(table.get(&Uuid::from_u128(1)), None);
        assert!(ids(&table, 1).is_empty());
        assert!(!table.is_wanting());
    }

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

    #[test]
    fn statements_name_every_column() {
        assert_eq!(
            upsert::<LinkRow>(0),
            "INSERT INTO links (id, parent, label) SELECT * FROM UNNEST($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET parent = EXCLUDED.parent, label = EXCLUDED.label"
        );
        assert_eq!(load_by_keys::<LinkRow>(), "SELECT id, parent, label FROM links WHERE id = ANY($1)");
        assert_eq!(delete_by_keys::<LinkRow>(3), "DELETE FROM links WHERE id = ANY($4)");
        row! { struct TagRow in "tags", key(id: i32) { words: Vec<String> } }
        assert_eq!(
            upsert::<TagRow>(0),
            "INSERT INTO tags (id, words) SELECT id, words::text[] FROM UNNEST($1, $2) AS new (id, words) \
             ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words"
        );
        row! { struct PairRow in "pairs", key(left: Uuid, right: Uuid) { label: String } }
        assert_eq!(
            load_by_keys::<PairRow>(),
            "SELECT found.* FROM UNNEST($1, $2) AS wanted (left, right) CROSS JOIN LATERAL \
             (SELECT t.left, t.right, t.label FROM pairs AS t WHERE t.left = wanted.left AND \
             t.right = wanted.right OFFSET 0) AS found"
        );
    }
}
