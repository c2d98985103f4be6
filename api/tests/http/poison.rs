//! An event that cannot be read, wherever it is met.

use domain::{
    commands::EditFigure,
    ids::{CommandId, FigureId},
    stream::Position,
    world::Circumstances,
};
use event_store::{ExecuteError, Execution};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    seed::{self, Seed},
    support::TestApp,
};

/// What is done on this figure's stream by a server that knows nothing of it yet.
async fn rename(app: &TestApp, figure_id: FigureId) -> Result<Position, ExecuteError> {
    let seed = Seed::at(&app.db.pool).await;
    let circumstances = Circumstances {
        actor: None,
        is_admin: true,
        now: chrono::Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    };
    let command = EditFigure { name: Some("Mina".parse().unwrap()), ..EditFigure::of(figure_id) };
    seed.store.execute(&command, &Execution::new(circumstances)).await.map(|done| done.position)
}

#[tokio::test]
async fn a_command_on_a_corrupted_stream_is_refused_by_the_event_and_writes_nothing_and_others_go_on() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    // Catalogued through another server: this one has not got the stream in memory.
    let (mina, position) = Seed::at(&app.db.pool).await.figure_at("Harbour Pilot Mina").await;
    let (io, last) = app.seed(None).figure_at("Teapot Keeper Io").await;
    app.folded(last).await;
    let whole: String = sqlx::query_scalar("SELECT payload::text FROM events WHERE position = $1")
        .bind(position.0)
        .fetch_one(&app.db.pool)
        .await
        .unwrap();
    seed::overwrite(&app.db.pool, position, r#"{"catalogued": 7}"#).await;
    match rename(&app, mina).await {
        Err(ExecuteError::Undecodable(event)) => {
            assert_eq!((event.position, &*event.event_type), (position, "figure.catalogued"));
        }
        other => panic!("{other:?}"),
    }
    // Whoever sent it learns that it is no fault of theirs, and what to tell the operator; nothing of what the
    // event holds.
    let refused = root.patch(&format!("/api/figures/{mina}"), json!({"name": "Mina"})).await;
    assert!(!refused.text.contains("catalogued"), "{}", refused.text);
    let refused = refused.refused(503, "stream_unreadable");
    assert_eq!(refused["position"], position.0);
    let wish = root.put(&format!("/api/me/wishlist/{mina}"), json!({})).await;
    assert_eq!(wish.refused(503, "stream_unreadable")["position"], position.0);
    let shown = root.get(&format!("/api/admin/events?stream_type=figure&stream_id={mina}")).await.ok();
    assert_eq!(shown["items"][0]["position"], position.0);
    assert_eq!(app.state.store.head().await.unwrap(), last);
    let renamed = rename(&app, io).await.unwrap();
    app.folded(renamed).await;
    // Whoever looks is shown the event as it is stored, and why it cannot be read.
    let shown = root.get(&format!("/api/admin/streams/figure/{mina}?at=1")).await.ok();
    assert_eq!((&shown["payload"], &shown["state"]), (&json!({"catalogued": 7}), &Value::Null));
    assert!(shown["undecodable"].is_string(), "{shown}");
    seed::overwrite(&app.db.pool, position, &whole.replace('\'', "''")).await;
    let mended = rename(&app, mina).await.unwrap();
    app.folded(mended).await;
}

#[tokio::test]
async fn a_command_on_a_stream_of_a_later_release_is_refused_and_read_models_stop_and_say_so() {
    let app = TestApp::with(&[("METRICS_TOKEN", "a token for the metrics")]).await;
    // Catalogued through another server: this one has not got the stream in memory.
    let (mina, position) = Seed::at(&app.db.pool).await.figure_at("Harbour Pilot Mina").await;
    app.folded(position).await;
    let poison = seed::from_a_later_release(&app.db.pool, mina).await;
    app.stopped("figures").await;
    match rename(&app, mina).await {
        Err(ExecuteError::Undecodable(event)) => assert_eq!(event.position, poison),
        other => panic!("{other:?}"),
    }
    let alice = app.register("alice").await;
    let refused = alice.post("/api/me/owned", json!({"figure_id": mina})).await;
    assert_eq!(refused.refused(503, "stream_unreadable")["position"], poison.0);
    let ready = app.visitor().get("/api/health/ready").await.refused(503, "not_ready");
    assert!(ready["projections"].as_array().unwrap().contains(&json!("figures")));
    let visitor = app.visitor();
    let metrics =
        visitor.http.get(format!("{}/metrics", visitor.base)).bearer_auth("a token for the metrics");
    let text = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains(r#"figure_ledger_projection_state{projection="figures",state="stopped"} 1"#),
        "{text}"
    );
}
