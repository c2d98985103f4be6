//! No event sourcing: one transaction for each command, on the same tables.

use super::{Contender, Facts, Planned, closed_loop, now};
use crate::ground::Ground;
use rust_decimal::Decimal;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

/// Its name in the table.
pub const NAME: &str = "plain SQL";

/// The tables and a pool.
pub struct Plain {
    pool: PgPool,
    position: Arc<AtomicI64>,
}

impl Plain {
    /// Opens it.
    pub async fn open(ground: &Ground, database: &str) -> anyhow::Result<Self> {
        Ok(Self { pool: ground.pool(database), position: Arc::new(AtomicI64::new(10_000_000)) })
    }
}

async fn add(pool: &PgPool, planned: &Planned, position: i64) -> anyhow::Result<()> {
    let (piece, told, now) = (Uuid::now_v7(), Uuid::now_v7(), now());
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "INSERT INTO owned_items (id, user_id, figure_id, condition, price_amount, price_currency, \
         purchase_date, location, location_key, origin, sort_order, preorder_version, version, created_at, \
         updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11, $12, $12)",
    )
    .bind(piece)
    .bind(planned.user.uuid())
    .bind(planned.figure.id.uuid())
    .bind(Facts::CONDITION)
    .bind(Decimal::from(Facts::PRICE))
    .bind(Facts::CURRENCY)
    .bind(Facts::bought_on())
    .bind(Facts::LOCATION)
    .bind(Facts::LOCATION_KEY)
    .bind(Facts::ORIGIN)
    .bind(planned.version)
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "INSERT INTO activity_events (id, user_id, position, kind, payload, created_at) \
         VALUES ($1, $2, $3, 'piece_added', $4, $5)",
    )
    .bind(told)
    .bind(planned.user.uuid())
    .bind(position)
    .bind(Facts::told(planned, piece))
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    let gone = sqlx::query("DELETE FROM wishlist_items WHERE user_id = $1 AND wished_as = $2")
        .bind(planned.user.uuid())
        .bind(planned.figure.id.uuid())
        .execute(&mut *transaction)
        .await?;
    anyhow::ensure!(gone.rows_affected() == 1, "the wish was there");
    Ok(transaction.commit().await?)
}

#[async_trait::async_trait]
impl Contender for Plain {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let (pool, position) = (self.pool.clone(), self.position.clone());
        closed_loop(clients, work, move |planned| {
            let (pool, position) = (pool.clone(), position.fetch_add(1, Ordering::Relaxed));
            async move { add(&pool, &planned, position).await }
        })
        .await
    }
}
