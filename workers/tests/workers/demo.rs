use crate::support::Ledger;
use operational::passwords::{Cost, Passwords, TypedPassword};
use operational::users;
use workers::demo::{PASSWORD, USERNAME, fill};

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_there_to_look_at_and_filling_it_again_changes_nothing() {
    let ledger = Ledger::new().await;
    let passwords = Passwords::new(Cost::Least, 1).unwrap();
    let filled = fill(&ledger.store, &ledger.db.pool, &passwords).await.unwrap();
    assert!(filled.collection && filled.figures == 25);
    assert_eq!(filled.position, ledger.head().await);

    let typed = TypedPassword::new(PASSWORD);
    let user = users::by_credentials(&ledger.db.pool, &passwords, USERNAME, &typed).await.unwrap().unwrap();
    assert_eq!(user.id, filled.user_id);

    ledger.shown().await;
    assert_eq!(ledger.count("SELECT count(*) FROM owned_items").await, 23);
    assert_eq!(ledger.count("SELECT count(*) FROM owned_items WHERE archived_at IS NOT NULL").await, 2);
    assert_eq!(
        ledger.count("SELECT count(*) FROM wishlist_items WHERE max_price_amount IS NOT NULL").await,
        4
    );
    assert_eq!(ledger.count("SELECT count(*) FROM cabinets").await, 3);
    let statuses: Vec<(String, i64)> =
        ledger.rows("SELECT status, count(*) FROM preorders GROUP BY 1 ORDER BY 1").await;
    let statuses: Vec<(&str, i64)> = statuses.iter().map(|(s, n)| (s.as_str(), *n)).collect();
    let expected =
        [("cancelled", 1), ("in_production", 1), ("preordered", 1), ("received", 1), ("shipped", 1)];
    assert_eq!(statuses, expected);
    let slips = "SELECT count(*) FROM preorder_date_history h JOIN preorders p ON p.id = h.preorder_id \
                 WHERE p.status = 'received'";
    assert_eq!(ledger.count(slips).await, 3);

    let again = fill(&ledger.store, &ledger.db.pool, &passwords).await.unwrap();
    assert!(!again.collection && again.figures == 0);
    assert_eq!(ledger.head().await, filled.position);
}
