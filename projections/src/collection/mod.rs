//! Collections: `owned_items` holds the pieces, `cabinets` the registered locations, `wishlist_items` the
//! wishes.

mod fold;
pub(crate) mod keyset;
mod locations;
mod pieces;
mod rows;
mod shared;
#[cfg(test)]
mod tests;
mod wishers;
mod wishes;

pub use fold::Collections;
pub use keyset::{InvalidKey, ListError, ListKey};
pub use locations::{CabinetRecord, LocationSum, cabinet, locations};
pub use pieces::{
    Archived, LocationFilter, Piece, PieceFilter, PieceOrder, PiecePreorder, PieceSort, PieceState, list,
    list_from, piece, piece_now,
};
pub use rows::{CabinetRow, CollectionRows, MergedStoreRow, OwnedItemRow, WaitingWishRow, WishRow};
pub use shared::{CabinetShown, cabinet_shown, wish_count, wish_ids};
pub use wishers::{Wisher, wishers};
pub use wishes::{Target, Wish, WishOrder, WishSort, totals, wish, wishes};

use domain::ids::FigureId;
use sqlx::PgPool;
use uuid::Uuid;

/// The figure that an id stands for now: ids of merged ones lead on.
///
/// # Errors
/// When the database does not answer.
pub async fn figure_now(pool: &PgPool, id: FigureId) -> sqlx::Result<FigureId> {
    let now: Option<Uuid> =
        sqlx::query_scalar("SELECT figure_id FROM figure_aliases WHERE namespace = 'id' AND alias = $1")
            .bind(id.to_string())
            .fetch_optional(pool)
            .await?;
    Ok(now.map_or(id, FigureId))
}
