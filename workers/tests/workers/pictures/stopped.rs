//! Films that are under way when the server is stopped.

use super::Studio;
use operational::renders;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use workers::renders::Renders;

#[tokio::test(flavor = "multi_thread")]
async fn stopping_the_server_is_no_try_of_the_film_that_was_under_way() {
    let studio = Studio::new().await;
    let pool = &studio.db.pool;
    let (user, film) = (Uuid::now_v7(), Uuid::now_v7());
    let person = sqlx::query("INSERT INTO users (id, username) VALUES ($1, 'alice')");
    person.bind(user).execute(pool).await.unwrap();
    let asked =
        sqlx::query("INSERT INTO renders (id, scan_id, user_id, kind) VALUES ($1, $2, $3, 'turntable')");
    asked.bind(film).bind(Uuid::now_v7()).bind(user).execute(pool).await.unwrap();
    let films = Renders::new(pool, &studio.blobs, &studio.pictures);
    let stopping = CancellationToken::new();
    stopping.cancel();
    for stop in 0..=renders::MOST_TRIES {
        assert!(films.make_next(&stopping).await.unwrap(), "stop {stop}");
        let left: (String, i32) = sqlx::query_as("SELECT state, attempts FROM renders WHERE id = $1")
            .bind(film)
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(left, ("queued".to_owned(), 0), "stop {stop}");
    }
}
