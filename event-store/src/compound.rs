//! Many writes as one statement: one round trip for a whole batch.

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Encode, Error, PgConnection, Postgres, Row, Type};
use std::fmt::Write;

/// Writes that are sent to the database together, as parts of one statement.
///
/// No part sees what another one writes, and nothing is promised about their order; so no two of them may
/// touch the same row, and whatever must come earlier goes into [`first`](Self::first).
#[derive(Default)]
pub struct Compound {
    earlier: Vec<(String, PgArguments)>,
    parts: Vec<String>,
    /// Parts of which the number of rows is known beforehand.
    counted: Vec<(usize, i64)>,
    /// What must have been so before; nothing of all this is to stand otherwise.
    premise: Option<String>,
    arguments: PgArguments,
}

/// What came of a compound.
pub(crate) enum Ran {
    Done,
    /// The premise does not hold.
    Otherwise,
    /// A counted part changed more or fewer rows than it should.
    Miscounted,
}

impl Compound {
    /// Binds a value; the answer is what stands for it in the SQL.
    ///
    /// # Errors
    /// When the value has no form that PostgreSQL understands.
    pub fn bind<'v, T>(&mut self, value: T) -> Result<String, BoxDynError>
    where
        T: 'v + Encode<'v, Postgres> + Type<Postgres>,
    {
        self.arguments.add(value)?;
        Ok(format!("${}", self.arguments.len()))
    }

    /// The values bound so far, to bind more; the next one is `$n` with n = [`bound`](Self::bound) + 1.
    pub const fn arguments(&mut self) -> &mut PgArguments {
        &mut self.arguments
    }

    /// How many values are bound.
    pub fn bound(&self) -> usize {
        self.arguments.len()
    }

    /// Adds an `INSERT`, `UPDATE` or `DELETE`.
    pub fn part(&mut self, sql: String) {
        self.parts.push(sql);
    }

    /// Adds one that must change so many rows, or nothing of all this is to stand.
    pub fn counted_part(&mut self, sql: &str, rows: i64) {
        self.counted.push((self.parts.len(), rows));
        self.parts.push(format!("{sql} RETURNING 1"));
    }

    /// Adds a statement of its own, run before the parts.
    pub fn first(&mut self, sql: String, arguments: PgArguments) {
        self.earlier.push((sql, arguments));
    }

    /// Demands that something is true of what was there before.
    pub(crate) fn premise(&mut self, sql: String) {
        self.premise = Some(sql);
    }

    /// Sends everything in a transaction of the caller's; whether every counted part counted as it should.
    /// Unless it did, the transaction is to be rolled back.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn write(self, connection: &mut PgConnection) -> Result<bool, Error> {
        Ok(matches!(self.run(connection).await?, Ran::Done))
    }

    /// Sends everything. Unless it is done, the transaction is to be rolled back.
    pub(crate) async fn run(self, connection: &mut PgConnection) -> Result<Ran, Error> {
        for (sql, arguments) in self.earlier {
            sqlx::query_with(&sql, arguments).execute(&mut *connection).await?;
        }
        if self.parts.is_empty() {
            return Ok(Ran::Done);
        }
        let mut sql = String::with_capacity(self.parts.iter().map(|part| part.len() + 16).sum());
        for (n, part) in self.parts.iter().enumerate() {
            let head = if n == 0 { "WITH" } else { "," };
            let _ = write!(sql, "{head} part_{n} AS ({part})");
        }
        let _ = write!(sql, " SELECT {}", self.premise.as_deref().unwrap_or("true"));
        for (part, _) in &self.counted {
            let _ = write!(sql, ", (SELECT count(*) FROM part_{part})");
        }
        let row = sqlx::query_with(&sql, self.arguments).fetch_one(connection).await?;
        if row.try_get::<Option<bool>, _>(0)? != Some(true) {
            return Ok(Ran::Otherwise);
        }
        for (n, (_, wanted)) in (1..).zip(&self.counted) {
            if row.try_get::<i64, _>(n)? != *wanted {
                return Ok(Ran::Miscounted);
            }
        }
        Ok(Ran::Done)
    }
}
