//! Where figures are sold.

use super::figure::BuyLink;
use crate::views::EntityRef;
use sqlx::PgPool;
use std::collections::HashMap;
use uuid::Uuid;

/// The buy links of some figures, each figure's in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn buy_links(pool: &PgPool, figures: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Vec<BuyLink>>> {
    let rows: Vec<(Uuid, Uuid, String, String, String)> = sqlx::query_as(
        "SELECT l.figure_id, s.id, s.name, s.slug, l.path \
         FROM figure_links AS l JOIN stores AS s ON s.id = l.store_id \
         WHERE l.figure_id = ANY ($1) ORDER BY l.figure_id, l.position",
    )
    .bind(figures)
    .fetch_all(pool)
    .await?;
    let mut links: HashMap<Uuid, Vec<BuyLink>> = HashMap::new();
    for (figure, id, name, slug, path) in rows {
        links.entry(figure).or_default().push(BuyLink { store: EntityRef { id, name, slug }, path });
    }
    Ok(links)
}
