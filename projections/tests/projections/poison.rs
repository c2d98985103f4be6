//! Events that cannot be folded.

use crate::support::{
    Ledger, PATIENCE, catalogued, differences, figure, named, on_figure, reached, status, stretch,
};
use database::testing::eventually;
use domain::entity::EntityKind;
use domain::figure::FigureEvent;
use domain::stream::Position;
use projections::engine::{Definition, EngineError, State, Waited};
use projections::figures::Figures;

/// A figure, an event of a figure that does not exist, another figure, an entity.
async fn poisoned(ledger: &Ledger) -> (Position, Position) {
    ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    let nsfw = FigureEvent::NsfwMarked { is_nsfw: true };
    let poison = ledger.append(&[on_figure(666, nsfw)]).await;
    let last =
        ledger.append(&[catalogued(2, "After", |_| ()), named(1, EntityKind::Series, "Vocaloid")]).await;
    (poison, last)
}

async fn figures(ledger: &Ledger) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM figures ORDER BY name").fetch_all(ledger.pool()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_folded_stops_its_projection_alone_and_there() {
    let ledger = Ledger::new().await;
    let (poison, last) = poisoned(&ledger).await;
    let projections = ledger.projections().await;
    let running = projections.run();
    assert_eq!(projections.wait_for(&["entities"], last, PATIENCE).await, Waited::Reached);
    // Does not wait for what will not come.
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(projections.wait_for(&["entities", "figures"], last, PATIENCE).await, behind);
    assert_eq!(figures(&ledger).await, ["Before"], "what precedes it is folded");
    let stopped = status(&projections, "figures").await;
    assert_eq!(stopped.state, State::Stopped);
    assert_eq!((stopped.failed_position, stopped.position), (Some(poison), Position(poison.0 - 1)));
    let error = stopped.error.unwrap();
    assert!(error.contains("figure.nsfw_marked") && error.contains("no row"), "{error}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_is_passed_over_by_the_live_fold_by_rebuilding_and_by_verifying() {
    let ledger = Ledger::new().await;
    let (poison, last) = poisoned(&ledger).await;
    let projections = ledger.projections().await;
    let running = projections.run();
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(projections.wait_for(&["figures"], last, PATIENCE).await, behind);
    assert!(matches!(projections.rebuild(&["figures"], |_| ()).await, Err(EngineError::Failed { .. })));
    let rebuilding = projections.begin_rebuild(&["figures"], "somebody").await.unwrap();
    // What is rebuilt may hold that event already.
    let skipped = projections.skip("figures", "of a figure that never was", "operator").await;
    assert!(matches!(skipped, Err(EngineError::Busy("figures"))), "{skipped:?}");
    assert!(rebuilding.run(|_| ()).await.is_err());
    assert_eq!(projections.skip("figures", "of a figure that never was", "operator").await.unwrap(), poison);
    // Others may still find it stopped for a moment; another process finds it running at last.
    eventually("figures go on", async || {
        projections.wait_for(&["figures"], last, PATIENCE).await == Waited::Reached
    })
    .await;
    assert_eq!(figures(&ledger).await, ["After", "Before"]);
    projections.rebuild(&["figures"], |_| ()).await.unwrap();
    assert_eq!(figures(&ledger).await, ["After", "Before"]);
    running.stop().await;
    let verified = projections.verify(&["figures"], |_| (), |_, _| ()).await.unwrap();
    assert_eq!(verified[0].differences, 0);
    assert!(matches!(
        projections.skip("figures", "again", "operator").await,
        Err(EngineError::NothingToSkip("figures"))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_those_that_read_its_streams() {
    let ledger = Ledger::new().await;
    let head = ledger.append(&stretch(0)).await;
    let id = figure(1).to_string();
    let damaged = ("figure".to_owned(), id, None, "figure.renamed".to_owned(), "{\"renamed\": 3}".to_owned());
    ledger.append_raw(&[damaged]).await;
    let last = ledger.append(&[named(900, EntityKind::Store, "AmiAmi")]).await;
    let projections = ledger.projections().await;
    let running = projections.run();
    assert_eq!(projections.wait_for(&["entities"], last, PATIENCE).await, Waited::Reached);
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(projections.wait_for(&["figures"], last, PATIENCE).await, behind);
    let stopped = status(&projections, "figures").await;
    assert_eq!((stopped.state, stopped.position), (State::Stopped, head));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_table_refuses_stop_the_projection_at_their_event() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    let (stream, twin) = catalogued(50, "Twin", |entry| entry.slug = "taken".to_owned());
    let (other, same_slug) = catalogued(51, "Other twin", |entry| entry.slug = "taken".to_owned());
    let good = ledger.append(&[(stream, twin)]).await;
    let bad = ledger.append(&[(other, same_slug)]).await;
    ledger.append(&[catalogued(52, "After", |_| ())]).await;
    let running = projections.run();
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(projections.wait_for(&["figures"], bad, PATIENCE).await, behind);
    let stopped = status(&projections, "figures").await;
    assert_eq!((stopped.position, stopped.failed_position), (good, Some(bad)));
    assert!(stopped.error.unwrap().contains("figures_slug_key"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_projection_waits_until_it_may_go_on() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    projections.pause("figures").await.unwrap();
    let running = projections.run();
    let head = ledger.append(&stretch(0)).await;
    assert_eq!(projections.wait_for(&["entities"], head, PATIENCE).await, Waited::Reached);
    let paused = status(&projections, "figures").await;
    assert_eq!((paused.state, paused.position, paused.lag), (State::Paused, Position(0), head.0));
    projections.resume("figures").await.unwrap();
    eventually("figures go on", async || {
        projections.wait_for(&["figures"], head, PATIENCE).await == Waited::Reached
    })
    .await;
    reached(&projections, head).await;
    running.stop().await;
    assert_eq!(differences(&projections).await, []);
    assert!(matches!(projections.pause("nothing").await, Err(EngineError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_cannot_fold_an_event_stops_visibly_and_the_old_rows_serve_on() {
    let ledger = Ledger::new().await;
    let before = ledger.projections_of(vec![Definition::of::<Figures>()]).await;
    ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    ledger.fold_all(&before).await;
    let poison = ledger.append(&[on_figure(666, FigureEvent::NsfwMarked { is_nsfw: true })]).await;
    let mut raised = Definition::of::<Figures>();
    raised.version += 1;
    let after = ledger.projections_of(vec![raised]).await;
    let running = after.run();
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(after.wait_for(&["figures"], poison, PATIENCE).await, behind);
    let stopped = status(&after, "figures").await;
    assert_eq!((stopped.state, stopped.failed_position), (State::Stopped, Some(poison)));
    assert_eq!((stopped.version, stopped.release_version), (raised.version - 1, raised.version));
    assert_eq!(figures(&ledger).await, ["Before"]);
    after.skip("figures", "of a figure that never was", "operator").await.unwrap();
    eventually("figures go on", async || {
        after.wait_for(&["figures"], poison, PATIENCE).await == Waited::Reached
    })
    .await;
    assert_eq!(status(&after, "figures").await.version, raised.version);
    running.stop().await;
}

/// Writes into an event what a failing disk or a careless hand might; gives what stood there.
async fn overwrite(ledger: &Ledger, position: Position, payload: &str) -> String {
    let mut transaction = ledger.pool().begin().await.unwrap();
    let before: String = sqlx::query_scalar("SELECT payload::text FROM events WHERE position = $1")
        .bind(position.0)
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("ALTER TABLE events DISABLE TRIGGER events_stay").execute(&mut *transaction).await.unwrap();
    sqlx::query("UPDATE events SET payload = $2::json WHERE position = $1")
        .bind(position.0)
        .bind(payload)
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("ALTER TABLE events ENABLE TRIGGER events_stay").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_corrupted_on_disk_is_named_by_rebuilding_and_verifying_and_the_live_tables_serve_on() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let damaged = ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    let rows = ledger.dump(&projections).await;
    let whole = overwrite(&ledger, damaged, r#"{"catalogued": {"name": 7}}"#).await;
    for outcome in [
        projections.rebuild(&["figures"], |_| ()).await.map(drop),
        projections.verify(&["figures"], |_| (), |_, one| panic!("{one}")).await.map(drop),
    ] {
        match outcome {
            Err(EngineError::Failed { projection, failure }) => {
                assert_eq!((projection, failure.position), ("figures", damaged));
                assert_eq!(failure.event_type, "figure.catalogued");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ledger.dump(&projections).await, rows);
    // What is behind it goes on: it was folded when it was whole.
    let running = projections.run();
    reached(&projections, ledger.append(&[catalogued(70, "After", |_| ())]).await).await;
    running.stop().await;
    overwrite(&ledger, damaged, &whole).await;
    assert_eq!(differences(&projections).await, []);
    projections.rebuild(&["figures"], |_| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_stopped_at_a_corrupted_payload_goes_on_once_it_is_mended_and_not_before() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    let damaged = ledger.append(&[catalogued(2, "Damaged", |_| ())]).await;
    let last = ledger.append(&[catalogued(3, "After", |_| ())]).await;
    let whole = overwrite(&ledger, damaged, r#""nothing of it is left""#).await;
    let running = projections.run();
    let is_stopped = async || {
        let figures = status(&projections, "figures").await;
        figures.state == State::Stopped && figures.failed_position == Some(damaged)
    };
    eventually("it stops at the event", is_stopped).await;
    assert!(status(&projections, "figures").await.error.unwrap().contains("figure.catalogued"));
    // Nobody can resume or pause what has stopped, nor try again what has not.
    assert!(matches!(projections.resume("figures").await, Err(EngineError::NotPaused("figures"))));
    assert!(matches!(projections.pause("figures").await, Err(EngineError::NotRunning("figures"))));
    assert!(matches!(projections.retry("entities").await, Err(EngineError::NotStopped("entities"))));
    projections.retry("figures").await.unwrap();
    eventually("it stops there again", is_stopped).await;
    assert_eq!(figures(&ledger).await, ["Before"]);
    overwrite(&ledger, damaged, &whole).await;
    projections.retry("figures").await.unwrap();
    eventually("it goes on", async || {
        projections.wait_for(&["figures"], last, PATIENCE).await == Waited::Reached
    })
    .await;
    assert_eq!(figures(&ledger).await, ["After", "Before", "Damaged"]);
    running.stop().await;
    assert!(status(&projections, "figures").await.error.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_can_take_what_the_one_before_stopped_at_rebuilds_at_its_start() {
    let ledger = Ledger::new().await;
    ledger.append(&[catalogued(1, "Before", |_| ())]).await;
    let last = ledger.append(&[catalogued(2, "After", |_| ())]).await;
    let payload = overwrite(&ledger, last, "{}").await;
    let before = ledger.projections_of(vec![Definition::of::<Figures>()]).await;
    let running = before.run();
    let behind = Waited::Behind(vec!["figures".to_owned()]);
    assert_eq!(before.wait_for(&["figures"], last, PATIENCE).await, behind);
    running.stop().await;
    // To this release it is an event like any other.
    overwrite(&ledger, last, &payload).await;
    let mut raised = Definition::of::<Figures>();
    raised.version += 1;
    let after = ledger.projections_of(vec![raised]).await;
    let running = after.run();
    eventually("figures go on", async || {
        after.wait_for(&["figures"], last, PATIENCE).await == Waited::Reached
    })
    .await;
    assert_eq!(figures(&ledger).await, ["After", "Before"]);
    assert_eq!(status(&after, "figures").await.state, State::Running);
    running.stop().await;
}
