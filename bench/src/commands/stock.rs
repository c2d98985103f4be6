//! The framework as it comes: `postgres-es`'s repository and a `GenericQuery`, in a schema of their own.

use super::{Contender, Facts, Planned, closed_loop};
use crate::ground::{Ground, POOL_SIZE};
use cqrs_es::persist::GenericQuery;
use cqrs_es::{EventEnvelope, View};
use domain::collection::{
    Collection, CollectionCommand, CollectionEvent, Condition, NewPiece, Origin, UnwishReason,
};
use domain::ids::{FigureId, PieceId, UserId};
use domain::text::Location;
use postgres_es::{PostgresCqrs, PostgresViewRepository, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgPool};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Its name in the table.
pub const NAME: &str = "cqrs-es, stock";

/// What a person's page shows: pieces, wishes and the newest lines of the feed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Page {
    pieces: HashMap<PieceId, FigureId>,
    wishes: Vec<FigureId>,
    told: Vec<serde_json::Value>,
}

impl View<Collection> for Page {
    fn update(&mut self, event: &EventEnvelope<Collection>) {
        match &event.payload {
            CollectionEvent::PieceAdded { piece_id, figure_id, .. } => {
                self.pieces.insert(*piece_id, *figure_id);
                self.told.push(serde_json::json!({"figure": figure_id, "piece": piece_id}));
                let old = self.told.len().saturating_sub(20);
                self.told.drain(..old);
            }
            CollectionEvent::Unwished { figure_id, .. } => self.wishes.retain(|wish| wish != figure_id),
            CollectionEvent::Wished { figure_id, .. } => self.wishes.push(*figure_id),
            _ => {}
        }
    }
}

/// The framework.
pub struct Stock {
    framework: Arc<PostgresCqrs<Collection>>,
    pool: PgPool,
}

impl Stock {
    /// Makes its tables and fills them as the log is.
    pub async fn open(ground: &Ground, database: &str, users: &[UserId]) -> anyhow::Result<Self> {
        let options = ground.options(database).options([("search_path", "stock")]);
        let pool = ground.pool_of(options, POOL_SIZE);
        pool.execute(
            "CREATE SCHEMA stock;
             CREATE TABLE stock.events (
                 aggregate_type text NOT NULL, aggregate_id text NOT NULL,
                 sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL,
                 event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
                 PRIMARY KEY (aggregate_type, aggregate_id, sequence)
             );
             CREATE TABLE stock.pages (
                 view_id text NOT NULL, version bigint CHECK (version >= 0) NOT NULL, payload json NOT NULL,
                 PRIMARY KEY (view_id)
             );
             INSERT INTO stock.events
             SELECT aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata
             FROM public.events WHERE aggregate_type = 'collection';
             INSERT INTO stock.pages
             SELECT user_id::text, 1,
                    json_build_object('pieces', '{}'::json, 'told', '[]'::json, 'wishes', json_agg(figure_id))
             FROM public.wishlist_items GROUP BY user_id;",
        )
        .await?;
        let pages: i64 = sqlx::query_scalar("SELECT count(*) FROM pages").fetch_one(&pool).await?;
        anyhow::ensure!(usize::try_from(pages)? == users.len(), "a page for each");
        let views = Arc::new(PostgresViewRepository::<Page, Collection>::new("pages", pool.clone()));
        let mut query = GenericQuery::new(views);
        query.use_error_handler(Box::new(|error| eprintln!("stock: {error}")));
        Ok(Self { framework: Arc::new(postgres_cqrs(pool.clone(), vec![Box::new(query)], ())), pool })
    }
}

fn command(planned: &Planned) -> anyhow::Result<CollectionCommand> {
    Ok(CollectionCommand::AddPiece(Box::new(NewPiece {
        piece_id: PieceId(Uuid::now_v7()),
        figure_id: planned.figure.id,
        same_figure: vec![planned.figure.id],
        preordered: false,
        condition: Some(Condition::MibSealed),
        cost: crate::history::cost()?,
        purchase_date: Some(Facts::bought_on()),
        store_id: None,
        location: Some(Location::new(Facts::LOCATION)?),
        notes: None,
        origin: Origin::Purchased,
        origin_from: None,
        value: None,
        source: None,
        unwish: UnwishReason::Owned,
    })))
}

#[async_trait::async_trait]
impl Contender for Stock {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn round(&self, clients: usize, work: Vec<Planned>) -> anyhow::Result<Duration> {
        let framework = self.framework.clone();
        let last = work.last().map(|planned| planned.user);
        let took = closed_loop(clients, work, move |planned| {
            let framework = framework.clone();
            async move {
                let id = planned.user.to_string();
                framework.execute(&id, command(&planned)?).await.map_err(|e| anyhow::anyhow!("{e}"))
            }
        })
        .await?;
        if let Some(user) = last {
            let page: serde_json::Value = sqlx::query_scalar("SELECT payload FROM pages WHERE view_id = $1")
                .bind(user.to_string())
                .fetch_one(&self.pool)
                .await?;
            let pieces = page.get("pieces").and_then(|pieces| pieces.as_object()).map_or(0, |all| all.len());
            anyhow::ensure!(pieces > 0, "the view follows");
        }
        Ok(took)
    }
}
