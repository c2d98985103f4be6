//! Erasing people, by themselves and from the command line.

use database::testing::{TestDb, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cli::{Server, program, run},
    gift_list,
    support::{Answer, PASSWORD, TestApp, TestClient},
};

/// Words that only the person to be erased has ever used.
const SECRETS: [&str; 6] =
    ["alice", "behind the wardrobe", "a gift for mother", "Alcove 7", "told-nobody", "Great-aunt Kaguya"];

/// One of everything that a person can have.
async fn life(alice: &TestClient, figures: &[String; 3]) {
    alice.post("/api/me/locations", json!({"name": "Alcove 7"})).await.made();
    let piece = json!({"figure_id": figures[0], "notes": "behind the wardrobe", "location": "Alcove 7"});
    let keyed =
        |request: reqwest::RequestBuilder| request.header("idempotency-key", "told-nobody").json(&piece);
    alice.send(Method::POST, "/api/me/owned", keyed).await.made();
    let wish = json!({"note": "a gift for mother"});
    alice.put(&format!("/api/me/wishlist/{}", figures[1]), wish).await.made();
    let preorder = json!({"figure_id": figures[2], "release_date": "2098-01"});
    let preorder = alice.post("/api/me/preorders", preorder).await.made();
    let slip = format!("/api/me/preorders/{}/slip", preorder["id"].as_str().unwrap());
    alice.post(&slip, json!({"new_date": "2098-05"})).await.ok();
    alice.post("/api/me/calendar", json!({})).await.made();
    let list = gift_list::share(alice).await;
    let reserve = format!("{list}/items/{}/reserve", figures[1]);
    let giver = TestClient::at(&alice.base);
    giver.post(&reserve, json!({"name": "Great-aunt Kaguya"})).await.made();
}

async fn figures(client: &TestClient) -> [String; 3] {
    let mut ids = Vec::new();
    for name in ["Harbour Pilot Mina", "Teapot Keeper Io", "Comet Courier Lyra"] {
        let made = client.post("/api/figures", json!({"name": name, "figure_type": "scale"})).await.made();
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    ids.try_into().unwrap()
}

/// Every row of every table, as text, without the catalogue's own history.
async fn everything(db: &TestDb) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let sql = format!("SELECT t::text FROM public.{table} AS t");
        let rows: Vec<String> = sqlx::query_scalar(&sql).fetch_all(&db.pool).await.unwrap();
        all.extend(rows);
    }
    all
}

async fn user_id(db: &TestDb, name: &str) -> String {
    sqlx::query_scalar("SELECT id::text FROM users WHERE username = $1")
        .bind(name)
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

async fn nothing_is_left(db: &TestDb, id: &str) {
    let all = everything(db).await;
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret:?} is still there");
    }
    // In a session it stands as bytes.
    let bytes: String = id.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!all.contains(&bytes), "a session is left");
    let unfinished: i64 = sqlx::query_scalar("SELECT count(*) FROM erasures WHERE finished_at IS NULL")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    assert_eq!(unfinished, 0);
}

/// The correlation id of the event that ended somebody's streams.
async fn asked_by(db: &TestDb, id: &str) -> Option<String> {
    let sql = "SELECT metadata->>'correlation_id' FROM events \
               WHERE event_type = 'collection.person_erased' AND aggregate_id = $1";
    sqlx::query_scalar(sql).bind(id).fetch_one(&db.pool).await.unwrap()
}

/// How many events of somebody are blank.
async fn blank(db: &TestDb, id: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM events WHERE owner_id = $1::uuid AND event_type LIKE '%.erased'")
        .bind(id)
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

async fn erase(client: &TestClient, body: Value) -> Answer {
    client.send(Method::DELETE, "/api/me", |request| request.json(&body)).await
}

#[tokio::test]
async fn erasing_oneself_needs_the_password() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let needed = ("current_password_needed", "current_password");
    alice.delete("/api/me").await.refused_field(403, needed.0, needed.1);
    erase(&alice, json!({})).await.refused_field(403, needed.0, needed.1);
    let wrong = erase(&alice, json!({"current_password": "not this one"})).await;
    wrong.refused_field(403, "wrong_password", "current_password");
    erase(&alice, json!({"password": PASSWORD})).await.refused(422, "unknown_field");
    erase(&app.visitor(), json!({"current_password": PASSWORD})).await.refused(401, "not_signed_in");
    alice.get("/api/me").await.ok();
}

#[tokio::test]
async fn nothing_of_an_erased_person_is_left_but_what_they_gave_to_everybody() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let elsewhere = app.visitor();
    elsewhere.post("/api/auth/login", json!({"username": "alice", "password": PASSWORD})).await.ok();
    let figures = figures(&alice).await;
    life(&alice, &figures).await;
    let bobs = bob.post("/api/me/owned", json!({"figure_id": figures[0]})).await.made();
    let id = user_id(&app.db, "alice").await;
    let before = everything(&app.db).await;
    assert!(SECRETS.iter().all(|secret| before.contains(secret)), "or the test below tests nothing");

    let answer = erase(&alice, json!({"current_password": PASSWORD})).await;
    assert_eq!(asked_by(&app.db, &id).await.as_deref(), Some(answer.header("x-request-id")));
    assert_eq!(answer.ok(), json!({"erased": true}));
    nothing_is_left(&app.db, &id).await;
    for client in [&alice, &elsewhere] {
        client.get("/api/me").await.refused(401, "not_signed_in");
        client.get("/api/me/owned").await.refused(401, "not_signed_in");
    }
    let login = json!({"username": "alice", "password": PASSWORD});
    app.visitor().post("/api/auth/login", login).await.refused(401, "wrong_credentials");

    let shared = bob.get(&format!("/api/figures/{}", figures[0])).await.ok();
    assert_eq!((&shared["name"], &shared["can_edit"]), (&json!("Harbour Pilot Mina"), &json!(false)));
    bob.get(&format!("/api/me/owned/{}", bobs["id"].as_str().unwrap())).await.ok();
    let mut found = Vec::new();
    app.state.projections.verify(&[], |_| (), |_, difference| found.push(difference)).await.unwrap();
    assert_eq!(found, []);
    app.state.projections.rebuild(&[], |_| ()).await.unwrap();
    nothing_is_left(&app.db, &id).await;

    let another = app.register("alice").await;
    assert_ne!(user_id(&app.db, "alice").await, id);
    for path in ["/api/me/owned", "/api/me/preorders", "/api/me/wishlist", "/api/me/activity"] {
        assert_eq!(another.get(path).await.ok()["items"], json!([]), "{path}");
    }
    another.post("/api/me/owned", json!({"figure_id": figures[1]})).await.made();
}

#[tokio::test]
async fn the_last_admin_stays() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    erase(&root, json!({"current_password": PASSWORD})).await.refused(409, "last_admin");
    root.get("/api/me").await.ok();
    app.register_admin("second").await;
    erase(&root, json!({"current_password": PASSWORD})).await.ok();
}

#[tokio::test]
async fn a_halted_read_model_keeps_the_erasure_open_until_it_has_let_go() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    life(&alice, &figures(&alice).await).await;
    let id = user_id(&app.db, "alice").await;
    app.state.projections.pause("activity").await.unwrap();
    let answer = erase(&alice, json!({"current_password": PASSWORD})).await.of(202);
    assert_eq!(answer["code"], "erasure_under_way");
    alice.get("/api/me").await.refused(401, "not_signed_in");
    let left = app.state.eraser().carry_on().await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].1.to_string().contains("activity"), "{}", left[0].1);
    assert_eq!(blank(&app.db, &id).await, 0, "a read model that still folds them would not find them");
    let mut found = Vec::new();
    app.state.projections.verify(&[], |_| (), |_, difference| found.push(difference)).await.unwrap();
    assert_eq!(found, []);
    app.state.projections.resume("activity").await.unwrap();
    app.folded(app.state.store.head().await.unwrap()).await;
    assert!(app.state.eraser().carry_on().await.unwrap().is_empty());
    nothing_is_left(&app.db, &id).await;
}

#[tokio::test]
async fn a_rebuild_or_a_verification_under_way_is_not_robbed_of_events() {
    for (class, name) in [(0x7072_6f6a, "a rebuild"), (0x7072_6f76, "a verification")] {
        let app = TestApp::new().await;
        let alice = app.register("alice").await;
        life(&alice, &figures(&alice).await).await;
        let id = user_id(&app.db, "alice").await;
        // The lock that they hold while they read the log.
        let mut reading = app.db.pool.begin().await.unwrap();
        sqlx::query("SELECT pg_advisory_xact_lock_shared($1, 1)")
            .bind(class)
            .execute(&mut *reading)
            .await
            .unwrap();
        let answer = erase(&alice, json!({"current_password": PASSWORD})).await.of(202);
        assert_eq!(answer["code"], "erasure_under_way");
        let left = app.state.eraser().carry_on().await.unwrap();
        assert!(left[0].1.to_string().contains(name), "{}", left[0].1);
        assert_eq!(blank(&app.db, &id).await, 0);
        reading.commit().await.unwrap();
        assert!(app.state.eraser().carry_on().await.unwrap().is_empty());
        nothing_is_left(&app.db, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_erases_a_person_beside_a_running_server() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    life(&alice, &figures(&alice).await).await;
    let id = user_id(&app.db, "alice").await;
    let (done, _, stderr) = run(&app.db, &["admin", "erase-user", "alice"], "no\n");
    assert!(!done && stderr.contains("nothing was erased"), "{stderr}");
    alice.get("/api/me").await.ok();
    let (done, stdout, stderr) = run(&app.db, &["admin", "erase-user", "ALICE"], "alice\n");
    assert!(done && stdout.contains("nothing of it is left"), "{stdout} {stderr}");
    nothing_is_left(&app.db, &id).await;
    alice.get("/api/me").await.refused(401, "not_signed_in");
    let (done, _, stderr) = run(&app.db, &["admin", "erase-user", "alice", "--yes"], "");
    assert!(!done && stderr.contains("there is no account"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_cut_off_anywhere_is_finished_by_the_next_start() {
    for point in
        ["erasure.after_account", "erasure.after_end", "erasure.amid_blanking", "erasure.before_finish"]
    {
        let app = TestApp::new().await;
        let alice = app.register("alice").await;
        life(&alice, &figures(&alice).await).await;
        let (id, db) = (user_id(&app.db, "alice").await, &app.db);
        let died = program(db, &["admin", "erase-user", "alice", "--yes"])
            .env("FIGURE_LEDGER_CRASH_AT", point)
            .output()
            .unwrap();
        assert!(!died.status.success(), "{point}");
        let server = Server::start(db, &[]);
        eventually("the erasure is finished", async || {
            let sql = "SELECT count(*) FROM erasures WHERE finished_at IS NULL";
            sqlx::query_scalar::<_, i64>(sql).fetch_one(&db.pool).await.unwrap() == 0
        })
        .await;
        nothing_is_left(db, &id).await;
        // Whoever ended the streams, it was for the request that began it.
        assert!(asked_by(db, &id).await.is_some(), "{point}");
        drop(server);
    }
}
