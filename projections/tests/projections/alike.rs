//! Finding figures that a title may mean in a catalogue of fifty thousand that all resemble each other.

use crate::support::Ledger;
use projections::figures::queries::resembling;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const FIGURES: i32 = 50_000;

/// Figures of a few words in many orders, as catalogues have them, and four hundred versions of one.
async fn filled(pool: &PgPool) {
    sqlx::query(
        "INSERT INTO figures (id, slug, name, figure_type, version_name, is_nsfw, sort_name, search_text, version, \
             created_at, updated_at) \
         SELECT gen_random_uuid(), 'figure-' || n, name, 'scale', said, false, lower(name), \
             lower(concat_ws(' ', name, said, 'tidewater figures')), 1, now(), now() \
         FROM (SELECT n, CASE WHEN n % 125 = 0 THEN 'Maris: Storm Lantern' \
                 ELSE concat_ws(' ', 'Figure', words[1 + n % 8], words[1 + (n / 8) % 8], words[1 + (n / 64) % 8], \
                     'No.', n) END AS name, \
                 CASE WHEN n % 125 = 0 THEN 'Evening ' || to_char(n, 'FM00000') || ' Ver.' END AS said \
             FROM generate_series(1, $1) AS n, \
                 (SELECT ARRAY['Lantern', 'Harbour', 'Storm', 'Maris', 'Oriel', 'Tide', 'Night', 'Garden'] AS words) AS w) \
             AS made",
    )
    .bind(FIGURES)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("VACUUM ANALYZE figures").execute(pool).await.unwrap();
}

async fn whole_readings(pool: &PgPool) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(pool).await.unwrap();
    sqlx::query_scalar(
        "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'figures' AND schemaname = 'public'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn among_fifty_thousand_the_nearest_come_first_and_no_more_than_are_compared() {
    let ledger = Ledger::new().await;
    let _models = ledger.projections().await;
    // What was counted is told by a connection when it is idle, so by the one that asks.
    let pool = PgPoolOptions::new().max_connections(1).connect_with(ledger.db.options()).await.unwrap();
    filled(&pool).await;
    let before = whole_readings(&pool).await;
    let rare = resembling(&pool, "Clockwork Parasol: Quayside", Some("Dusk Ver.")).await.unwrap();
    assert!(rare.is_empty(), "{rare:?}");
    assert_eq!(whole_readings(&pool).await, before, "what few resemble is found through the indexes");

    let names = |found: &[projections::figures::queries::Resembling]| -> Vec<String> {
        found.iter().map(|one| one.name.clone()).collect()
    };
    let found = resembling(&pool, "Figure Lantern Harbour Storm No. 4711", None).await.unwrap();
    assert!(found.len() <= 200, "{}", found.len());
    let spelt = resembling(&pool, "Figure Harbor Lantern Lantern No. 1", None).await.unwrap();
    assert!(names(&spelt).iter().any(|name| name == "Figure Harbour Lantern Lantern No. 1"), "{spelt:?}");

    // Four hundred figures have this very title, more than are compared.
    let versions = resembling(&pool, "Maris: Storm Lantern", Some("Evening 49875 Ver.")).await.unwrap();
    assert_eq!(versions.len(), 200);
    assert_eq!(versions[0].version_name.as_deref(), Some("Evening 49875 Ver."));
    assert!(names(&versions).iter().all(|name| name == "Maris: Storm Lantern"));
    let beside = resembling(&pool, "Maris: Storm Lantern Evening 00125 Ver.", None).await.unwrap();
    assert_eq!(beside[0].version_name.as_deref(), Some("Evening 00125 Ver."));
    // Of those that are as near, it is the same ones each time.
    let again = resembling(&pool, "Maris: Storm Lantern", Some("Evening 49875 Ver.")).await.unwrap();
    assert_eq!(versions, again);
}
