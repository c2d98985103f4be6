//! What the suite rests on can fail: each check finds what it is there for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use database::testing::TestDb;
use faults::checks::{self, Acknowledged, Others, Verdict};
use faults::notifications;
use sqlx::PgPool;
use uuid::Uuid;

const ALICE: Uuid = Uuid::from_u128(0xa11ce);

/// One event of a figure's stream.
async fn event(pool: &PgPool, position: i64, sequence: i64, command: u128) {
    sqlx::query(
        "INSERT INTO events (position, sequence, recorded_at, event_id, aggregate_type, aggregate_id, event_type, \
                             event_version, payload, metadata) \
         VALUES ($1, $2, now(), gen_random_uuid(), 'figure', 'one', 'figure.renamed', '1', '{}', \
                 json_build_object('command_id', $3::uuid))",
    )
    .bind(position)
    .bind(sequence)
    .bind(Uuid::from_u128(command))
    .execute(pool)
    .await
    .unwrap();
}

async fn record(pool: &PgPool, key: &str, command: u128, position: i64) {
    sqlx::query(
        "INSERT INTO command_records (actor, command_id, position, created_at, key, command, request_hash, answer, \
                                      versions) \
         VALUES ($1, $2, $3, now(), $4, 'test', '', 'null', '[]')",
    )
    .bind(ALICE)
    .bind(Uuid::from_u128(command))
    .bind(position)
    .bind(key)
    .execute(pool)
    .await
    .unwrap();
}

fn told(key: &str, status: u16, position: Option<i64>) -> Acknowledged {
    Acknowledged { actor: ALICE, key: key.to_owned(), kind: "test", status, position }
}

async fn judged(pool: &PgPool, acknowledged: &[Acknowledged]) -> Verdict {
    checks::log(pool, acknowledged, &Others::default()).await.unwrap()
}

fn says(verdict: &Verdict, words: &str) -> bool {
    verdict.complaints.iter().any(|one| one.contains(words))
}

/// Two commands, of two events and of one, both told of; and a refusal.
async fn sound() -> (TestDb, Vec<Acknowledged>) {
    let db = TestDb::new().await;
    event(&db.pool, 1, 1, 1).await;
    event(&db.pool, 2, 2, 1).await;
    event(&db.pool, 3, 3, 2).await;
    record(&db.pool, "a", 1, 2).await;
    record(&db.pool, "b", 2, 3).await;
    (db, vec![told("a", 201, Some(2)), told("b", 200, Some(3)), told("c", 409, None)])
}

#[tokio::test]
async fn a_sound_log_raises_no_complaint() {
    let (db, acknowledged) = sound().await;
    let verdict = judged(&db.pool, &acknowledged).await;
    assert_eq!((verdict.lost, verdict.doubled, verdict.complaints), (0, 0, vec![]));
}

#[tokio::test]
async fn an_acknowledged_write_without_a_record_is_lost() {
    let (db, mut acknowledged) = sound().await;
    acknowledged.push(told("d", 200, Some(4)));
    let verdict = judged(&db.pool, &acknowledged).await;
    assert_eq!((verdict.lost, verdict.doubled), (1, 0), "{:?}", verdict.complaints);
}

#[tokio::test]
async fn a_command_that_nobody_was_told_of_is_a_double() {
    let (db, acknowledged) = sound().await;
    event(&db.pool, 4, 4, 9).await;
    let verdict = judged(&db.pool, &acknowledged).await;
    assert_eq!((verdict.lost, verdict.doubled), (0, 1), "{:?}", verdict.complaints);
}

#[tokio::test]
async fn half_a_command_a_gap_and_another_position_are_found() {
    let (db, mut acknowledged) = sound().await;
    event(&db.pool, 4, 4, 3).await;
    event(&db.pool, 5, 6, 4).await;
    record(&db.pool, "d", 3, 5).await;
    record(&db.pool, "e", 4, 5).await;
    acknowledged.extend([told("d", 200, Some(5)), told("e", 200, Some(4))]);
    let verdict = judged(&db.pool, &acknowledged).await;
    assert!(says(&verdict, "in pieces"), "{:?}", verdict.complaints);
    assert!(says(&verdict, "stands number 6"), "{:?}", verdict.complaints);
    assert!(says(&verdict, "recorded at another position, 5"), "{:?}", verdict.complaints);
}

#[tokio::test]
async fn what_is_left_of_an_erased_person_is_found() {
    let db = TestDb::new().await;
    checks::read_models(&db.pool).await.unwrap();
    let complaints = checks::erased(&db.pool, &[ALICE]).await.unwrap();
    assert!(complaints.iter().any(|one| one.contains("nothing is known")), "{complaints:?}");
    for left in [
        "INSERT INTO erasures (user_id, finished_at) VALUES ($1, now())",
        "INSERT INTO achievements (user_id, code, tier, unlocked_at) VALUES ($1, 'x', 'gold', now())",
    ] {
        sqlx::query(left).bind(ALICE).execute(&db.pool).await.unwrap();
    }
    record(&db.pool, "a", 1, 2).await;
    let complaints = checks::erased(&db.pool, &[ALICE]).await.unwrap().join("; ");
    assert!(complaints.contains("left in achievements") && complaints.contains("left in command_records"));
    assert!(!complaints.contains("nothing is known"), "{complaints}");
}

#[tokio::test]
async fn an_achievement_that_was_not_told_of_or_twice_or_for_nothing_and_a_policy_nobody_reckons_are_found() {
    let db = TestDb::new().await;
    checks::read_models(&db.pool).await.unwrap();
    for sql in [
        "INSERT INTO users (id, username) VALUES ($1, 'alice')",
        "INSERT INTO policy_checkpoints (name, position, begun_at) SELECT name, 0, 0 \
         FROM unnest(ARRAY['price_alerts', 'restock_alerts', 'achievement_alerts']) AS name WHERE $1 IS NOT NULL",
        "INSERT INTO achievements (user_id, code, tier, unlocked_at) \
         VALUES ($1, 'pieces_owned_1', 'bronze', '2026-01-02'), ($1, 'scans_made_1', 'bronze', '2026-01-03')",
    ] {
        sqlx::query(sql).bind(ALICE).execute(&db.pool).await.unwrap();
    }
    let complaints = async || notifications::check(&db.pool, &[]).await.unwrap().complaints;
    let tell = async |code: &str, day: &str| {
        sqlx::query(
            "INSERT INTO notifications (id, user_id, event_type, payload, created_at) \
             VALUES (gen_random_uuid(), $1, 'achievement_unlocked', \
                     json_build_object('code', $2, 'tier', 'bronze'), $3::timestamptz)",
        )
        .bind(ALICE)
        .bind(code)
        .bind(day)
        .execute(&db.pool)
        .await
        .unwrap();
        sqlx::query("INSERT INTO notification_dedup (user_id, dedup_key) VALUES ($1, $2)")
            .bind(ALICE)
            .bind(format!("achievement_unlocked:{code}:{}", Uuid::now_v7()))
            .execute(&db.pool)
            .await
            .unwrap();
    };
    tell("pieces_owned_1", "2026-01-02").await;
    let found = complaints().await;
    assert!(
        found.len() == 1 && found[0].contains("never told") && found[0].contains("scans_made_1"),
        "{found:?}"
    );
    tell("scans_made_1", "2026-01-03").await;
    assert_eq!(complaints().await, Vec::<String>::new());
    tell("scans_made_1", "2026-01-03").await;
    tell("maker_5", "2026-01-03").await;
    let found = complaints().await.join("; ");
    assert!(found.contains("told 2 times") && found.contains("for nothing"), "{found}");
    sqlx::query("INSERT INTO policy_checkpoints (name, position, begun_at) VALUES ('more_alerts', 0, 0)")
        .execute(&db.pool)
        .await
        .unwrap();
    assert!(complaints().await.iter().any(|one| one.contains("more_alerts")));
}

#[tokio::test]
async fn a_refusal_with_a_record_is_a_contradiction() {
    let (db, mut acknowledged) = sound().await;
    record(&db.pool, "c", 3, 3).await;
    let verdict = judged(&db.pool, &acknowledged).await;
    assert!(says(&verdict, "was refused and is recorded"), "{:?}", verdict.complaints);
    acknowledged.pop();
    assert!(judged(&db.pool, &acknowledged).await.complaints.is_empty());
}

#[tokio::test]
async fn a_reader_that_missed_an_event_is_noticed() {
    let (db, acknowledged) = sound().await;
    let all: Vec<(i64, Uuid)> = sqlx::query_as("SELECT position, event_id FROM events ORDER BY position")
        .fetch_all(&db.pool)
        .await
        .unwrap();
    let others = Others { seen: all.clone(), ..Others::default() };
    let verdict = checks::log(&db.pool, &acknowledged, &others).await.unwrap();
    assert!(verdict.complaints.is_empty(), "{:?}", verdict.complaints);
    let others = Others { seen: vec![all[0], all[2]], ..Others::default() };
    let verdict = checks::log(&db.pool, &acknowledged, &others).await.unwrap();
    assert!(says(&verdict, "a reader that followed the log"), "{:?}", verdict.complaints);
}

#[tokio::test]
async fn a_row_and_an_index_that_changed_are_found() {
    let db = TestDb::new().await;
    let models = checks::read_models(&db.pool).await.unwrap();
    let before = checks::dumps(&db.pool, &models).await.unwrap();
    assert!(before.len() >= 15 && before.contains_key("owned_items"), "{:?}", before.keys());
    assert!(checks::compare(&before, &before).is_empty());
    assert!(checks::verify(&models).await.unwrap().is_empty());
    for change in [
        "INSERT INTO achievements (user_id, code, tier, unlocked_at) SELECT gen_random_uuid(), 'x', 'gold', now()",
        "CREATE INDEX one_more ON figures (created_at)",
    ] {
        sqlx::query(change).execute(&db.pool).await.unwrap();
        let after = checks::dumps(&db.pool, &models).await.unwrap();
        assert!(!checks::compare(&before, &after).is_empty(), "{change}");
    }
    let complaints = checks::verify(&models).await.unwrap();
    assert!(complaints.iter().any(|one| one.contains("achievements")), "{complaints:?}");
}
