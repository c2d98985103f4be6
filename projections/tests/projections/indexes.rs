//! Every index of the read models has somebody who needs it.

use crate::support::{Ledger, stretch};
use domain::gtin::Gtin;
use projections::figures::queries::{self as figures, Filter, Sort};
use projections::views::Viewer;
use sqlx::postgres::PgPoolOptions;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes beside those of keys and unique values, and what would read whole tables without each. "fold" asks for
/// rows by that value while it folds, "owner" when a person is erased.
const NEEDED: &[(&str, &str)] = &[
    ("achievement_counters_entity_id_idx", "fold: the counters of a merged maker or series"),
    ("achievement_pieces_user_id_idx", "owner"),
    ("activity_events_user_id_idx", "GET /api/me/activity; owner"),
    ("activity_pieces_user_id_idx", "owner"),
    ("cabinets_user_id_idx", "GET /api/me/locations; fold: the next place in the order; owner"),
    ("characters_sort_name_idx", "GET /api/characters in order"),
    ("characters_sort_name_trgm_idx", "GET /api/characters?q="),
    ("cote_pieces_figure_id_idx", "fold: the pieces whose worth a price changes"),
    ("cote_pieces_user_id_idx", "GET /api/me/cote; owner"),
    ("documents_owned_item_id_idx", "GET /api/me/owned/{id}/documents; fold: a piece is deleted"),
    ("documents_storage_key_idx", "scan_cleanup: what names a stored file"),
    ("documents_user_id_idx", "owner"),
    ("entity_aliases_entity_id_idx", "fold: what leads to a merged entity"),
    ("figure_aliases_figure_id_idx", "fold: what leads to a merged figure"),
    ("figure_characters_character_id_idx", "GET /api/figures?character=; fold: a character is renamed"),
    ("figure_entity_names_merged_into_idx", "fold: what leads to a merged entity"),
    ("figure_links_store_id_idx", "fold: a store is merged"),
    ("figure_photos_blob_keys_idx", "scan_cleanup: what names a stored file"),
    ("figure_photos_figure_id_idx", "covers; GET /api/figures/{id}/photos; fold: a figure is merged"),
    ("figure_price_history_figure_id_idx", "GET /api/figures/{id}/prices; fold: a figure is merged"),
    ("figure_provider_prices_store_id_idx", "fold: a store is merged"),
    ("figure_series_series_id_idx", "GET /api/figures?series=; fold: a series is renamed"),
    ("figure_store_stock_store_id_idx", "fold: a store is merged"),
    ("figures_created_at_idx", "GET /api/figures?sort=newest"),
    ("figures_gtin_idx", "finding by barcode"),
    ("figures_manufacturer_id_idx", "GET /api/figures?manufacturer=; fold: a maker is renamed"),
    ("figures_mfc_id_idx", "finding by MyFigureCollection id"),
    ("figures_release_date_idx", "GET /api/figures?sort=release"),
    ("figures_sculptor_id_idx", "fold: a sculptor is renamed"),
    ("figures_search_text_idx", "GET /api/figures?q="),
    ("figures_sort_name_idx", "GET /api/figures?sort=name"),
    ("manufacturers_sort_name_idx", "GET /api/manufacturers in order"),
    ("manufacturers_sort_name_trgm_idx", "GET /api/manufacturers?q="),
    ("owned_items_figure_id_idx", "what a figure is to the viewer; fold: a figure is merged"),
    ("owned_items_merged_stores_winner_id_idx", "fold: a store is merged again"),
    ("owned_items_store_id_idx", "fold: a store is merged"),
    ("owned_items_user_id_idx", "GET /api/me/owned; fold: a cabinet is renamed; owner"),
    ("photos_blob_keys_idx", "scan_cleanup: what names a stored file"),
    ("photos_owned_item_id_idx", "GET /api/me/owned/{id}/photos; fold: a piece is deleted"),
    ("photos_user_id_idx", "owner"),
    ("preorder_chapters_figure_id_idx", "fold: a figure is merged"),
    ("preorder_chapters_owned_item_id_idx", "GET /api/me/preorders/{id}/history; fold: a piece is deleted"),
    ("preorder_chapters_store_id_idx", "fold: a store is merged"),
    ("preorder_chapters_user_id_idx", "GET /api/me/stats; owner"),
    ("preorder_date_history_preorder_id_idx", "GET /api/me/preorders/{id}/history; fold: the latest change"),
    ("preorders_figure_id_idx", "what a figure is to the viewer; fold: a figure's release is announced"),
    ("preorders_store_id_idx", "fold: a store is merged"),
    ("preorders_user_id_idx", "GET /api/me/preorders; owner"),
    ("price_merged_stores_winner_id_idx", "fold: a store is merged again"),
    ("scans_blob_keys_idx", "scan_cleanup: what names a stored file"),
    ("scans_owned_item_id_idx", "GET /api/me/owned/{id}/scans; fold: a piece is deleted"),
    ("scans_user_id_idx", "owner"),
    ("sculptors_sort_name_idx", "GET /api/sculptors in order"),
    ("sculptors_sort_name_trgm_idx", "GET /api/sculptors?q="),
    ("series_mal_id_idx", "GET /api/public/figures/by-mal/{mal_id}; GET /api/me/crossings"),
    ("series_sort_name_idx", "GET /api/series in order"),
    ("series_sort_name_trgm_idx", "GET /api/series?q="),
    ("stores_sort_name_idx", "GET /api/stores in order"),
    ("stores_sort_name_trgm_idx", "GET /api/stores?q="),
    ("wishes_while_owned_figure_id_idx", "fold: a figure is merged"),
    ("wishlist_items_figure_id_idx", "who wishes for a figure, for alerts; fold: a figure is merged"),
];

#[tokio::test]
async fn every_index_is_named_with_what_needs_it() {
    let ledger = Ledger::new().await;
    let models = ledger.projections().await;
    let tables: Vec<&str> = models.definitions().iter().flat_map(|definition| definition.tables()).collect();
    let there: BTreeSet<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid \
         WHERE t.relnamespace = 'public'::regnamespace AND t.relname = ANY ($1) \
         AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)",
    )
    .bind(&tables)
    .fetch_all(ledger.pool())
    .await
    .unwrap()
    .into_iter()
    .collect();
    let needed: BTreeSet<String> = NEEDED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, needed);
}

/// What the catalogue is asked does go through the indexes that are there for it, where a plan has the choice.
#[tokio::test]
async fn the_catalogues_queries_can_use_their_indexes() {
    let ledger = Ledger::new().await;
    let models = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&models).await;
    let options = ledger.db.options().options([("enable_seqscan", "off"), ("enable_sort", "off")]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let anyone = Viewer { user_id: None, hides_nsfw: false };
    for sort in [Sort::Name, Sort::Newest, Sort::Release] {
        figures::list(&pool, &Filter::default(), sort, anyone, None, 5).await.unwrap();
    }
    let words = Filter { q: Some("figure".to_owned()), ..Filter::default() };
    figures::list(&pool, &words, Sort::Relevance, anyone, None, 5).await.unwrap();
    figures::find_by_jan(&pool, &Gtin::new("036000291452").unwrap(), anyone).await.unwrap();
    figures::find_by_mfc_id(&pool, 287, anyone).await.unwrap();
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(&pool).await.unwrap();
    let scans: BTreeMap<String, i64> = sqlx::query_as(
        "SELECT indexrelname::text, idx_scan FROM pg_stat_user_indexes WHERE relname = 'figures' AND schemaname = 'public'",
    )
    .fetch_all(&pool)
    .await
    .unwrap()
    .into_iter()
    .collect();
    for index in ["sort_name", "created_at", "release_date", "search_text", "gtin", "mfc_id"] {
        let used = scans.get(&format!("figures_{index}_idx")).copied().unwrap_or_default();
        assert!(used > 0, "nothing goes through the index on {index}: {scans:?}");
    }
}
