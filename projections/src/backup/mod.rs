//! Everything that a person has, as it goes into a backup and comes out of one.
//!
//! [`format`](self::format) is the shape of the file; the queries here read it in pages, so that no collection is
//! held in memory as a whole. Docs: `docs/backup.md`.

pub mod format;

use domain::ids::UserId;
use format::{BackupCabinet, BackupFigure, BackupLeftOut, BackupPiece, BackupWish};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

/// How many of each kind of thing somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// Catalogue entries that their pieces and wishes name.
    pub figures: i64,
    /// Registered locations.
    pub cabinets: i64,
    /// Pieces, archived ones too.
    pub pieces: i64,
    /// Pre-orders, without the earlier chapters of a piece.
    pub preorders: i64,
    /// Wishes.
    pub wishes: i64,
}

/// Counts what a person has.
///
/// # Errors
/// When the database does not answer.
pub async fn counts(pool: &PgPool, user: UserId) -> sqlx::Result<Counts> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM figures AS f WHERE f.id IN \
                 (SELECT figure_id FROM owned_items WHERE user_id = $1 \
                  UNION SELECT figure_id FROM wishlist_items WHERE user_id = $1)) AS figures, \
             (SELECT count(*) FROM cabinets WHERE user_id = $1) AS cabinets, \
             (SELECT count(*) FROM owned_items WHERE user_id = $1) AS pieces, \
             (SELECT count(*) FROM preorders WHERE user_id = $1) AS preorders, \
             (SELECT count(*) FROM wishlist_items WHERE user_id = $1) AS wishes",
    )
    .bind(user.uuid())
    .fetch_one(pool)
    .await
}

/// Counts what a person has that a backup leaves out.
///
/// # Errors
/// When the database does not answer.
pub async fn left_out(pool: &PgPool, user: UserId) -> sqlx::Result<BackupLeftOut> {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM photos WHERE user_id = $1) AS photos, \
             (SELECT count(*) FROM scans WHERE user_id = $1) AS scans, \
             (SELECT count(*) FROM documents WHERE user_id = $1) AS documents",
    )
    .bind(user.uuid())
    .fetch_one(pool)
    .await
}

/// Entities' names as an array, in the order in which a figure names them.
fn names(kind: &str, link: &str, key: &str) -> String {
    format!(
        "(SELECT coalesce(jsonb_agg(e.name ORDER BY l.position), '[]') FROM {link} AS l \
         JOIN {kind} AS e ON e.id = l.{key} WHERE l.figure_id = f.id)"
    )
}

/// The figures that a person's pieces and wishes name, in the order of their ids, after one; `limit` at most.
///
/// # Errors
/// When the database does not answer.
pub async fn figures(
    pool: &PgPool,
    user: UserId,
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<BackupFigure>> {
    let sql = format!(
        "SELECT jsonb_build_object('id', f.id, 'slug', f.slug, 'name', f.name, 'figure_type', f.figure_type, \
             'manufacturer', m.name, 'sculptor', p.name, 'series', {}, 'characters', {}, 'scale', f.scale, \
             'height_mm', f.height_mm, 'materials', f.materials, 'version_name', f.version_name, \
             'edition', f.edition, 'official_image_url', f.official_image_url, 'description', f.description, \
             'releases', (SELECT coalesce(jsonb_agg(jsonb_build_object('date', r.release_date, \
                 'precision', r.release_date_precision) ORDER BY r.position), '[]') FROM figure_releases AS r \
                 WHERE r.figure_id = f.id), \
             'msrp_amount', f.msrp_amount::text, 'msrp_currency', f.msrp_currency, 'jan', f.jan, \
             'mfc_id', f.mfc_id, 'is_nsfw', f.is_nsfw, \
             'buy_links', (SELECT coalesce(jsonb_agg(jsonb_build_object('store', s.name, 'path', l.path) \
                 ORDER BY l.position), '[]') FROM figure_links AS l JOIN stores AS s ON s.id = l.store_id \
                 WHERE l.figure_id = f.id)) \
         FROM figures AS f LEFT JOIN manufacturers AS m ON m.id = f.manufacturer_id \
         LEFT JOIN sculptors AS p ON p.id = f.sculptor_id \
         WHERE f.id IN (SELECT figure_id FROM owned_items WHERE user_id = $1 \
                        UNION SELECT figure_id FROM wishlist_items WHERE user_id = $1) \
             AND ($2::uuid IS NULL OR f.id > $2) \
         ORDER BY f.id LIMIT $3",
        names("series", "figure_series", "series_id"),
        names("characters", "figure_characters", "character_id"),
    );
    page(sqlx::query_scalar(&sql).bind(user.uuid()).bind(after).bind(limit).fetch_all(pool).await?)
}

/// A person's pieces with their pre-orders, in the order in which they were added, after one; `limit` at most.
///
/// # Errors
/// When the database does not answer.
pub async fn pieces(
    pool: &PgPool,
    user: UserId,
    after: Option<&BackupPiece>,
    limit: i64,
) -> sqlx::Result<Vec<BackupPiece>> {
    let chapter = |from: &str| {
        format!(
            "SELECT c.version, jsonb_build_object('id', c.id, 'status', c.status, \
                 'release_date_original', c.release_date_original, \
                 'release_date_original_precision', c.release_date_original_precision, \
                 'release_date_current', c.release_date_current, 'release_date_precision', c.release_date_precision, \
                 'price_amount', c.price_amount::text, 'price_currency', c.price_currency, \
                 'price_fx_rate', c.price_fx_rate::text, 'shipping_amount', c.shipping_amount::text, \
                 'deposit_amount', c.deposit_amount::text, 'deposit_refund_amount', c.deposit_refund_amount::text, \
                 'balance_paid_at', c.balance_paid_at, 'shipped_at', c.shipped_at, 'received_at', c.received_at, \
                 'cancelled_at', c.cancelled_at, 'estimated_delivery_days', c.estimated_delivery_days, \
                 'tracking_url', c.tracking_url, 'store', s.name, 'placed_at', c.created_at, \
                 'dates', (SELECT coalesce(jsonb_agg(jsonb_build_object('previous_date', h.previous_date, \
                     'previous_precision', h.previous_precision, 'new_date', h.new_date, \
                     'new_precision', h.new_precision, 'source', h.source, 'note', h.note, \
                     'recorded_at', h.recorded_at) ORDER BY h.position), '[]') \
                     FROM preorder_date_history AS h WHERE h.preorder_id = c.id)) AS told \
             FROM {from} AS c LEFT JOIN stores AS s ON s.id = c.store_id WHERE c.owned_item_id = o.id"
        )
    };
    let pinned = |kind: &str, from: &str, order: &str| {
        format!(
            "SELECT jsonb_build_object('kind', '{kind}', 'place', \
                 (SELECT count(*) FROM {from} AS b WHERE b.owned_item_id = o.id AND (b.{order}, b.id) < (p.{order}, p.id))) \
             FROM {from} AS p WHERE p.owned_item_id = o.id AND p.id = o.cover_{kind}_id"
        )
    };
    let sql = format!(
        "SELECT jsonb_build_object('id', o.id, 'figure_id', o.figure_id, 'condition', o.condition, \
             'price_amount', o.price_amount::text, 'price_currency', o.price_currency, \
             'shipping_amount', o.shipping_amount::text, 'fees_amount', o.fees_amount::text, \
             'price_fx_rate', o.price_fx_rate::text, 'value_amount', o.value_amount::text, \
             'value_currency', o.value_currency, 'purchase_date', o.purchase_date, 'store', s.name, \
             'location', o.location, 'notes', o.notes, 'origin', o.origin, 'origin_from', o.origin_from, \
             'sort_order', o.sort_order, 'added_at', o.created_at, 'archived_at', o.archived_at, \
             'archive_reason', o.archive_reason, 'sold_amount', o.sold_amount::text, \
             'sold_currency', o.sold_currency, 'sold_on', o.sold_on, 'cover', coalesce(({}), ({})), \
             'preorders', (SELECT coalesce(jsonb_agg(p.told ORDER BY p.version), '[]') FROM ({} UNION ALL {}) AS p)) \
         FROM owned_items AS o LEFT JOIN stores AS s ON s.id = o.store_id \
         WHERE o.user_id = $1 AND ($2::timestamptz IS NULL OR (o.created_at, o.id) > ($2, $3)) \
         ORDER BY o.created_at, o.id LIMIT $4",
        pinned("photo", "photos", "position"),
        pinned("scan", "scans", "created_at"),
        chapter("preorders"),
        chapter("preorder_chapters"),
    );
    let rows = sqlx::query_scalar(&sql)
        .bind(user.uuid())
        .bind(after.map(|piece| piece.added_at))
        .bind(after.map(|piece| piece.id))
        .bind(limit)
        .fetch_all(pool)
        .await?;
    page(rows)
}

/// A person's cabinets, in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn cabinets(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<BackupCabinet>> {
    sqlx::query_as("SELECT id, name FROM cabinets WHERE user_id = $1 ORDER BY sort_order, created_at, id")
        .bind(user.uuid())
        .fetch_all(pool)
        .await
}

/// A person's wishes, in the order of their figures' ids, after one; `limit` at most.
///
/// # Errors
/// When the database does not answer.
pub async fn wishes(
    pool: &PgPool,
    user: UserId,
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<BackupWish>> {
    let rows = sqlx::query_scalar(
        "SELECT jsonb_build_object('figure_id', figure_id, 'max_price_amount', max_price_amount::text, \
             'max_price_currency', max_price_currency, 'note', note, 'added_at', created_at) \
         FROM wishlist_items WHERE user_id = $1 AND ($2::uuid IS NULL OR figure_id > $2) \
         ORDER BY figure_id LIMIT $3",
    )
    .bind(user.uuid())
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    page(rows)
}

fn page<T>(rows: Vec<Json<T>>) -> sqlx::Result<Vec<T>> {
    Ok(rows.into_iter().map(|Json(row)| row).collect())
}
