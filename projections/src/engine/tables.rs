//! Making the tables of a projection, and putting rebuilt ones in their place.

use super::checkpoint::{self, State};
use super::projection::Definition;
use domain::stream::Position;
use sqlx::{Executor, PgConnection, PgPool};

/// Serialises the making of tables between processes. The number means nothing.
const TABLES_LOCK: i64 = 0x7072_6f6a_6563_0001;

/// Runs statements that take no parameters.
pub(super) async fn run(connection: &mut PgConnection, sql: &str) -> sqlx::Result<()> {
    connection.execute(sql).await.map(drop)
}

/// The schema in which a projection is rebuilt.
pub(super) fn shadow_schema(name: &str) -> String {
    format!("shadow_{name}")
}

/// The statements of a projection's DDL: those that make tables, and those that come after the rows are
/// in, since an index is made faster than it is kept.
pub(super) fn statements(ddl: &str) -> (String, String) {
    let (mut first, mut then) = (String::new(), String::new());
    let code: String = ddl
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    for statement in code.split_inclusive(';') {
        let makes_table = statement.trim_start().starts_with("CREATE TABLE");
        (if makes_table { &mut first } else { &mut then }).push_str(statement);
    }
    (first, then)
}

/// Makes the tables of every projection that has none, at position 0. Those of another version stay as
/// they are: they serve until they are rebuilt.
pub(super) async fn install(pool: &PgPool, definitions: &[Definition]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(TABLES_LOCK).execute(&mut *transaction).await?;
    for definition in definitions {
        let tables = definition.tables();
        let present: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY($1)",
        )
        .bind(&tables)
        .fetch_one(&mut *transaction)
        .await?;
        if let Some(known) = checkpoint::read(&mut transaction, definition.name).await?
            && (known.version != definition.version || usize::try_from(present) == Ok(tables.len()))
        {
            continue;
        }
        // A part of the tables, or tables without a checkpoint, cannot be trusted.
        drop_tables(&mut transaction, &tables).await?;
        run(&mut transaction, "SET LOCAL search_path TO public").await?;
        run(&mut transaction, definition.ddl).await?;
        checkpoint::set(
            &mut transaction,
            definition.name,
            definition.version,
            Position::default(),
            State::Running,
        )
        .await?;
    }
    transaction.commit().await
}

async fn drop_tables(connection: &mut PgConnection, tables: &[&str]) -> sqlx::Result<()> {
    for table in tables {
        run(connection, &format!("DROP TABLE IF EXISTS public.{table}")).await?;
    }
    Ok(())
}

/// Drops the tables of a rebuild that came to nothing.
pub(super) async fn drop_shadow(connection: &mut PgConnection, shadow: &str) -> sqlx::Result<()> {
    run(connection, &format!("DROP SCHEMA IF EXISTS {shadow} CASCADE")).await
}

/// Puts the tables of the shadow schema in the place of the live ones.
pub(super) async fn swap(connection: &mut PgConnection, definition: &Definition) -> sqlx::Result<()> {
    let shadow = shadow_schema(definition.name);
    let tables = definition.tables();
    drop_tables(connection, &tables).await?;
    for table in tables {
        run(connection, &format!("ALTER TABLE {shadow}.{table} SET SCHEMA public")).await?;
    }
    run(connection, &format!("DROP SCHEMA {shadow}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_come_after_the_rows() {
        let (first, then) = statements(
            "-- One.\nCREATE TABLE a (\n    id uuid PRIMARY KEY\n);\nCREATE INDEX a_idx ON a (id);\n\n\
             -- Two; no, a half.\nCREATE TABLE b (id uuid);\n",
        );
        assert!(first.contains("CREATE TABLE a"));
        assert!(then.contains("a_idx"));
        assert!(!first.contains("a_idx"));
    }
}
