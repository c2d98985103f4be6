//! Accounts that are signed in already, so that no run begins with thousands of password hashes. Sessions are as
//! `api/src/identity.rs` makes them.

use crate::ground::Ground;
use anyhow::Context;
use chrono::Utc;
use domain::ids::UserId;
use futures::{StreamExt, TryStreamExt, stream};
use operational::{sessions, users};
use serde_json::json;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use tower_sessions::Session;
use tower_sessions_sqlx_store::PostgresStore;
use uuid::Uuid;

/// What somebody's browser sends with every request: `name=value`.
pub type Cookies = HashMap<UserId, String>;

/// Makes an account for each of these ids and signs it in.
pub async fn sign_in(
    ground: &Ground,
    database: &str,
    ids: &[UserId],
    admins: bool,
) -> anyhow::Result<Cookies> {
    let pool = ground.pool_of(ground.options(database).options([("synchronous_commit", "off")]), 8);
    let uuids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query(
        "INSERT INTO users (id, username, is_admin) \
         SELECT id, 'b-' || substr(md5(id::text), 1, 20), $2 FROM UNNEST($1::uuid[]) AS made (id)",
    )
    .bind(&uuids)
    .bind(admins)
    .execute(&pool)
    .await?;
    let (schema, table) = sessions::TABLE;
    let store = PostgresStore::new(pool.clone());
    let store = store.with_schema_name(schema).and_then(|store| store.with_table_name(table));
    let store = Arc::new(store.map_err(anyhow::Error::msg)?);
    let cookies = stream::iter(ids.iter().copied().map(|id| session(&pool, store.clone(), id)))
        .buffer_unordered(8)
        .try_collect()
        .await?;
    pool.close().await;
    Ok(cookies)
}

async fn session(pool: &PgPool, store: Arc<PostgresStore>, id: UserId) -> anyhow::Result<(UserId, String)> {
    let user = users::by_id(pool, id).await?.context("an account that was just made")?;
    let session = Session::new(None, store, None);
    let begun = sessions::begin(pool, id, "password", None, sessions::Lifetimes::default()).await?;
    let signed_in = json!({
        "user_id": id,
        "generation": user.session_generation,
        "renewed_at": Utc::now(),
        "session": begun,
    });
    session.insert("signed_in", signed_in).await?;
    session.save().await?;
    let token = session.id().context("a session that was saved")?;
    Ok((id, format!("figure_ledger_session={token}")))
}
