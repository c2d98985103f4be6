//! Telling that live rows are not what the log says.

use crate::support::{Ledger, differences, entity, figure, stretch};
use domain::figure::FigureEvent;
use domain::money::{Currency, Money};
use domain::stream::{Event, StreamId};
use projections::engine::EngineError;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_value_is_named_by_table_key_and_column() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    // The table keeps it with two places; that alone is no difference, also in a row that has one.
    let msrp = Money::new("2037".parse().unwrap(), Currency::Jpy).unwrap();
    let priced = FigureEvent::MsrpSet { msrp: Some(msrp) };
    ledger.append(&[(StreamId::Figure(figure(3)), Event::Figure(priced))]).await;
    ledger.fold_all(&projections).await;
    assert_eq!(differences(&projections).await, []);
    sqlx::query("UPDATE figures SET name = 'Nobody', height_mm = 1 WHERE id = $1")
        .bind(figure(3).uuid())
        .execute(ledger.pool())
        .await
        .unwrap();
    let found = differences(&projections).await;
    let columns: Vec<_> = found.iter().map(|(name, difference)| (*name, difference.column)).collect();
    assert_eq!(columns, [("figures", Some("name")), ("figures", Some("height_mm"))]);
    let difference = &found[0].1;
    assert_eq!((difference.table, &difference.key), ("figures", &vec![json!(figure(3).uuid())]));
    assert_eq!((&difference.live, &difference.folded), (&Some(json!("Nobody")), &Some(json!("Figure 3"))));
    assert_eq!(
        difference.to_string(),
        format!("figures (\"{}\") name: live \"Nobody\", folded \"Figure 3\"", figure(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_too_few_and_a_row_too_many_are_told_whole() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    sqlx::raw_sql(&format!(
        "DELETE FROM figure_series WHERE figure_id = '{}'; \
         INSERT INTO figure_characters VALUES ('{0}', '{1}', 5)",
        figure(3),
        entity(99)
    ))
    .execute(ledger.pool())
    .await
    .unwrap();
    let found = differences(&projections).await;
    assert_eq!(found.len(), 2);
    let (missing, extra) = (&found[0].1, &found[1].1);
    let key = |entity: uuid::Uuid| vec![json!(figure(3).uuid()), json!(entity)];
    assert_eq!((missing.table, &missing.key), ("figure_series", &key(entity(1).uuid())));
    assert_eq!((&missing.live, missing.column), (&None, None));
    assert_eq!((extra.table, &extra.key), ("figure_characters", &key(entity(99).uuid())));
    assert_eq!(extra.live.as_ref().unwrap()["position"], json!(5));
    assert_eq!(extra.folded, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_compared_does_not_keep_the_others_from_it() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let head = ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    sqlx::query("UPDATE projection_checkpoints SET version = version + 1 WHERE projection = 'entities'")
        .execute(ledger.pool())
        .await
        .unwrap();
    let outcomes = projections.verify_each(&[], |_| (), |_, one| panic!("{one}")).await.unwrap();
    assert_eq!(outcomes.len(), projections.definitions().len());
    for (definition, outcome) in outcomes {
        match outcome {
            Ok(verified) => assert_eq!((verified.position, verified.differences), (head, 0)),
            Err(EngineError::OtherVersion { projection: "entities", .. })
                if definition.name == "entities" => {}
            Err(error) => panic!("{}: {error}", definition.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_projection_is_compared_at_its_own_position() {
    let ledger = Ledger::new().await;
    let projections = ledger.projections().await;
    let head = ledger.append(&stretch(0)).await;
    ledger.fold_all(&projections).await;
    ledger.append(&stretch(1)).await;
    let verified = projections.verify(&[], |_| (), |_, _| ()).await.unwrap();
    assert!(verified.iter().all(|verified| verified.position == head && verified.differences == 0));
}
