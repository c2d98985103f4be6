//! How the engine moves the rows of a table, whichever they are: loading, writing, settling, putting away.

use super::statements::{ROWS_PER_STATEMENT, columns, delete_by_keys, load_by_keys, upsert};
use super::{Table, Wanted};
use crate::engine::compare::{self, Difference};
use crate::engine::rows::{Key, Row};
use async_trait::async_trait;
use event_store::Compound;
use futures::TryStreamExt;
use sqlx::PgConnection;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use uuid::Uuid;

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
