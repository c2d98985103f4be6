//! The past: `?as_of=`, and that it is folded as the present is.

use chrono::{TimeDelta, Utc};
use domain::{
    commands::{MergeEntities, MergeFigures},
    entity::EntityKind,
    stream::Position,
};
use serde_json::{Value, json};

use crate::{
    figures::{add, id},
    owned::{run, user_id, walk},
    seed,
    support::{TestApp, TestClient},
};

/// Listings whose answers must not depend on how they were read.
const LISTS: [&str; 9] = [
    "/api/me/owned?archived=all&limit=200",
    "/api/me/owned?sort=name&state=owned",
    "/api/me/owned?sort=-price&archived=all&q=a",
    "/api/me/owned?sort=manufacturer&location=shelf%201",
    "/api/me/preorders?limit=200",
    "/api/me/preorders?live=true&sort=-price",
    "/api/me/preorders?sort=name&store=harbour-hobby&q=mina",
    "/api/me/wishlist?limit=200",
    "/api/me/wishlist?sort=target",
];
const NAMES: [&str; 6] =
    ["Harbour Pilot Mina", "Teapot Keeper Io", "Mina in the Rain", "Anchor Girl", "Ｂ side", "灯台の少女"];

/// A small generator with a seed, so that a failure can be told again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.roll(of.len())) }
    }

    fn maybe(&mut self, value: Value) -> Value {
        if self.roll(2) == 0 { Value::Null } else { value }
    }
}

fn ids(page: &Value, field: &str) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item[field].as_str())
        .map(str::to_owned)
        .collect()
}

fn known(body: Value) -> Value {
    Value::Object(
        body.as_object()
            .unwrap()
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    )
}

/// Something that somebody may do, allowed or not. Nothing here may fail otherwise than by a refusal.
async fn act(dice: &mut Dice, client: &TestClient, figures: &[String]) {
    let figure = dice.pick(figures).unwrap().clone();
    let pieces = ids(&client.get(LISTS[0]).await.ok(), "id");
    let preorders = ids(&client.get(LISTS[4]).await.ok(), "id");
    let piece = dice.pick(&pieces).map(|id| format!("/api/me/owned/{id}"));
    let preorder = dice.pick(&preorders).map(|id| format!("/api/me/preorders/{id}"));
    let shelf = format!("Shelf {}", dice.roll(3));
    let stores = ["Harbour Hobby", "Pier Nine Figures"];
    let store = *dice.pick(&stores).unwrap();
    let cost = json!({
        "price_amount": format!("{}.50", 10 + dice.roll(90)),
        "price_currency": if dice.roll(2) == 0 { "EUR" } else { "USD" },
        "shipping_amount": dice.maybe(json!("7.25")),
        "store": dice.maybe(json!(store)),
    });
    let with_cost = |more: Value| {
        let mut body = cost.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        known(body)
    };
    let answer = match (dice.roll(20), piece, preorder) {
        (0..=2, ..) => {
            let more = json!({"figure_id": figure, "location": dice.maybe(json!(shelf)), "notes": dice.maybe(json!("a note"))});
            client.post("/api/me/owned", with_cost(more)).await
        }
        (3, ..) => {
            let body = known(
                json!({"max_price_amount": "80", "max_price_currency": "EUR", "note": dice.maybe(json!("soon"))}),
            );
            client.put(&format!("/api/me/wishlist/{figure}"), body).await
        }
        (4, ..) => client.put(&format!("/api/me/wishlist/{figure}"), json!({})).await,
        (5, ..) if dice.roll(3) == 0 => client.delete(&format!("/api/me/wishlist/{figure}")).await,
        (5, ..) => client.post(&format!("/api/me/wishlist/{figure}/acquire"), with_cost(json!({}))).await,
        (6..=7, ..) => {
            let more = json!({"figure_id": figure, "release_date": dice.maybe(json!("2099-05")), "deposit_amount": "5"});
            client.post("/api/me/preorders", with_cost(more)).await
        }
        (8, Some(piece), _) => {
            let body = json!({"condition": "displayed", "location": dice.maybe(json!(shelf)), "store": dice.maybe(json!(store))});
            client.patch(&piece, body).await
        }
        (9, Some(piece), _) => {
            client.patch(&piece, known(json!({"price_amount": "33", "price_currency": "EUR"}))).await
        }
        (10, Some(piece), _) => {
            client.post(&format!("{piece}/archive"), json!({"reason": "gifted", "refund_amount": "0"})).await
        }
        (11, Some(piece), _) => client.post(&format!("{piece}/restore"), json!({})).await,
        (12, Some(piece), _) => client.delete(&format!("{piece}?refund_amount=0")).await,
        (13, Some(piece), _) if dice.roll(2) == 0 => {
            client
                .put(&format!("{piece}/value"), json!({"value_amount": "240", "value_currency": "JPY"}))
                .await
        }
        (13, Some(piece), _) => {
            let place = json!({"id": piece.rsplit('/').next().unwrap(), "location": shelf, "sort_order": 3});
            client.put("/api/me/owned/arrange", json!({"items": [place]})).await
        }
        (14, ..) => client.post("/api/me/locations", json!({"name": shelf})).await,
        (15, ..) => {
            let places = client.get("/api/me/locations").await.ok();
            let known: Vec<&str> =
                places["items"].as_array().unwrap().iter().filter_map(|place| place["id"].as_str()).collect();
            let Some(place) = dice.pick(&known) else { return };
            let path = format!("/api/me/locations/{place}");
            if dice.roll(2) == 0 {
                client.delete(&path).await
            } else {
                client.patch(&path, json!({"name": format!("Room {}", dice.roll(9))})).await
            }
        }
        (16, _, Some(preorder)) => {
            client
                .post(
                    &format!("{preorder}/slip"),
                    json!({"new_date": format!("2099-{:02}", 1 + dice.roll(12))}),
                )
                .await
        }
        (17, _, Some(preorder)) if dice.roll(2) == 0 => {
            client
                .post(
                    &format!("{preorder}/ship"),
                    json!({"shipped_at": "2026-06-01", "estimated_delivery_days": 9}),
                )
                .await
        }
        (17, _, Some(preorder)) => {
            client.post(&format!("{preorder}/receive"), json!({"condition": "mib_sealed"})).await
        }
        (18, _, Some(preorder)) => {
            client.patch(&preorder, json!({"balance_paid": dice.roll(2) == 0, "tracking_url": null})).await
        }
        (19, _, Some(preorder)) if dice.roll(3) == 0 => {
            client.post(&format!("{preorder}/replace"), with_cost(json!({}))).await
        }
        (19, _, Some(preorder)) => {
            client.post(&format!("{preorder}/cancel"), json!({"refund_amount": "2"})).await
        }
        _ => return,
    };
    let status = answer.status.as_u16();
    assert!([200, 201, 404, 409, 422].contains(&status), "{answer:?}");
}

/// What every list answers now, read through this parameter.
async fn seen(client: &TestClient, as_of: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for list in LISTS {
        let mut page = client.get(&format!("{list}{as_of}")).await.ok();
        assert_eq!(page.as_object_mut().unwrap().remove("as_of").is_some(), !as_of.is_empty(), "{list}");
        all.push(page);
    }
    all
}

async fn head(app: &TestApp) -> Position {
    app.state.store.head().await.unwrap()
}

async fn catalogue(client: &TestClient) -> Vec<String> {
    let mut figures = Vec::new();
    for (at, name) in NAMES.into_iter().enumerate() {
        let maker = if at % 2 == 0 { "Good Maker" } else { "Other Maker" };
        let mut more = json!({"manufacturer": maker, "series": ["Tides of Cobalt"]});
        if at < 2 {
            more["release_date"] = json!("2099-05");
        }
        figures.push(id(&add(client, name, more).await).to_owned());
    }
    figures
}

fn same(now: &[Value], past: &[Value], what: &str) {
    for ((list, now), past) in LISTS.iter().zip(now).zip(past) {
        assert_eq!(now, past, "{what}: {list}");
    }
}

#[tokio::test]
async fn every_past_reads_as_the_present_did_then() {
    for seed in 1..=2 {
        let app = TestApp::new().await;
        let (alice, bob) = (app.register("alice").await, app.register("bob").await);
        let figures = catalogue(&alice).await;
        let (mut dice, mut remembered) = (Dice(seed), Vec::new());
        for step in 0..40 {
            act(&mut dice, &alice, &figures).await;
            if step % 4 == 0 {
                act(&mut dice, &bob, &figures).await;
            }
            let position = head(&app).await;
            app.folded(position).await;
            remembered.push((position, Utc::now(), seen(&alice, "").await));
        }
        let told: usize =
            remembered.iter().map(|(_, _, lists)| lists[0]["items"].as_array().unwrap().len()).sum();
        assert!(told > 40, "seed {seed} did too little to show anything");
        for (step, (position, at, then)) in remembered.iter().enumerate() {
            let at = at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
            let moment = if step % 4 == 0 { at } else { position.to_string() };
            same(then, &seen(&alice, &format!("&as_of={moment}")).await, &format!("seed {seed}, {moment}"));
        }
    }
}

#[tokio::test]
async fn now_reads_the_same_from_the_log_whatever_became_of_the_catalogue() {
    for seed in 11..=13 {
        let app = TestApp::new().await;
        let alice = app.register("alice").await;
        let figures = catalogue(&alice).await;
        let mut dice = Dice(seed);
        for _ in 0..60 {
            act(&mut dice, &alice, &figures).await;
            let figure = dice.pick(&figures).unwrap().clone();
            let path = format!("/api/figures/{figure}");
            match dice.roll(12) {
                0 => drop(alice.patch(&path, json!({"name": format!("Name {}", dice.roll(99))})).await),
                1 => drop(
                    alice
                        .patch(&path, json!({"release_date": format!("2098-{:02}", 1 + dice.roll(12))}))
                        .await,
                ),
                2 if figures.len() > 2 => {
                    let into = dice.pick(&figures).unwrap();
                    let (loser_id, winner_id) = (figure.parse().unwrap(), into.parse().unwrap());
                    merge(&app, MergeFigures { loser_id, winner_id }).await;
                }
                3 => merge_stores(&app, &alice).await,
                _ => {}
            }
        }
        let position = head(&app).await;
        app.folded(position).await;
        let now = seen(&alice, "").await;
        assert!(!now[0]["items"].as_array().unwrap().is_empty());
        same(&now, &seen(&alice, &format!("&as_of={position}")).await, &format!("seed {seed}"));
        let at = Utc::now().format("%Y-%m-%dT%H:%M:%S%.6fZ");
        same(&now, &seen(&alice, &format!("&as_of={at}")).await, &format!("seed {seed}"));
        for kind in ["owned", "preorders"] {
            for one in ids(&alice.get(&format!("/api/me/{kind}?limit=200")).await.ok(), "id") {
                let path = format!("/api/me/{kind}/{one}");
                let mut past = alice.get(&format!("{path}?as_of={position}")).await.ok();
                past.as_object_mut().unwrap().remove("as_of");
                assert_eq!(alice.get(&path).await.ok(), past);
                for part in ["history", "breakdown"].iter().filter(|_| kind == "preorders") {
                    let path = format!("{path}/{part}");
                    let mut past = alice.get(&format!("{path}?as_of={position}")).await.ok();
                    assert!(past.as_object_mut().unwrap().remove("as_of").is_some(), "{past}");
                    assert_eq!(alice.get(&path).await.ok(), past, "{path}");
                }
            }
        }
    }
}

async fn merge(app: &TestApp, command: MergeFigures) {
    if command.loser_id != command.winner_id {
        // The same twice is refused, and the dice may well say so.
        let circumstances = domain::world::Circumstances {
            actor: None,
            is_admin: true,
            now: Utc::now(),
            command_id: domain::ids::CommandId(uuid::Uuid::now_v7()),
        };
        let _ = app.state.store.execute(&command, &event_store::Execution::new(circumstances)).await;
        app.folded(head(app).await).await;
    }
}

/// Merges one store into the other, both ways in turn being refused the second time.
async fn merge_stores(app: &TestApp, client: &TestClient) {
    let stores: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM stores ORDER BY name").fetch_all(&app.db.pool).await.unwrap();
    if let [one, other, ..] = stores.as_slice() {
        let (loser_id, winner_id) = (one.to_string().parse().unwrap(), other.to_string().parse().unwrap());
        run(app, None, MergeEntities { kind: EntityKind::Store, loser_id, winner_id }).await;
        app.folded(head(app).await).await;
    }
    client.get("/api/me").await.ok();
}

#[tokio::test]
async fn a_past_says_which_moment_it_is_and_pages_like_the_present() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    for _ in 0..5 {
        alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made();
    }
    let position = head(&app).await;
    let then = Utc::now();
    let recorded = app.scalar::<chrono::DateTime<Utc>>("SELECT max(recorded_at) FROM events").await;
    for piece in ids(&alice.get("/api/me/owned").await.ok(), "id") {
        alice.delete(&format!("/api/me/owned/{piece}")).await.ok();
    }
    assert_eq!(alice.get("/api/me/owned").await.ok()["items"], json!([]));
    let page = alice.get(&format!("/api/me/owned?as_of={position}")).await.ok();
    let at = recorded.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    assert_eq!(page["as_of"], json!({"position": position.0, "at": at, "catalogue": "current"}));
    assert_eq!(page["items"].as_array().unwrap().len(), 5);
    let asked = then.format("%Y-%m-%dT%H:%M:%S%.3f%%2B00:00");
    let page = alice.get(&format!("/api/me/wishlist?as_of={asked}")).await.ok();
    assert_eq!(page["as_of"]["position"], position.0);
    assert_eq!((&page["totals"], &page["items"]), (&json!([]), &json!([])));
    let whole = walk(&alice, &format!("/api/me/owned?as_of={position}"), 2).await;
    assert_eq!(whole.len(), 5);
    let piece = alice.get(&format!("/api/me/owned/{}?as_of={position}", id(&whole[0]))).await;
    assert_eq!(piece.header("etag"), "", "nothing can be written to the past");
    assert_eq!(piece.ok()["figure"]["name"], "Mina");
    alice.get(&format!("/api/me/owned/{}", id(&whole[0]))).await.refused(404, "piece_not_found");
}

#[tokio::test]
async fn names_are_todays_and_merged_entries_lead_on() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let (mina, io) = (add(&alice, "Mina", json!({})).await, add(&alice, "Io", json!({})).await);
    let body = json!({"figure_id": id(&mina), "store": "Harbour Hobby"});
    let piece = alice.post("/api/me/owned", body).await.made();
    alice.put(&format!("/api/me/wishlist/{}", id(&io)), json!({"note": "one day"})).await.made();
    let position = head(&app).await;
    alice.patch(&format!("/api/figures/{}", id(&mina)), json!({"name": "Mina, storm"})).await.ok();
    let page = alice.get(&format!("/api/me/owned?as_of={position}")).await.ok();
    assert_eq!(page["items"][0]["figure"]["name"], "Mina, storm");
    // Afterwards both turn out to be one figure: the wish was one then, and says so still.
    let (loser_id, winner_id) = (id(&mina).parse().unwrap(), id(&io).parse().unwrap());
    merge(&app, MergeFigures { loser_id, winner_id }).await;
    assert_eq!(alice.get("/api/me/wishlist").await.ok()["items"], json!([]), "it waits behind the piece now");
    let wishes = alice.get(&format!("/api/me/wishlist?as_of={position}")).await.ok();
    assert_eq!(wishes["items"][0]["note"], "one day");
    let pieces = alice.get(&format!("/api/me/owned?as_of={position}&figure_id={}", id(&mina))).await.ok();
    assert_eq!(pieces["items"][0]["id"], piece["id"]);
    assert_eq!(pieces["items"][0]["figure_id"], io["id"]);
    assert_eq!(pieces["items"][0]["figure"]["name"], "Io");
    let wish = alice.get(&format!("/api/me/wishlist/{}?as_of={position}", id(&io))).await.ok();
    assert_eq!(wish["note"], "one day");
}

#[tokio::test]
async fn before_the_first_event_there_is_nothing_and_the_future_is_refused() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let empty = alice.get("/api/me/owned?as_of=0").await.ok();
    assert_eq!(empty["as_of"], json!({"position": 0, "at": null, "catalogue": "current"}));
    let figure = add(&alice, "Mina", json!({})).await;
    alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made();
    let position = head(&app).await;
    for early in ["0", "1", "1999-01-01T00:00:00Z", "0001-01-01T00:00:00%2B12:00"] {
        for list in ["owned", "preorders", "wishlist"] {
            let page = alice.get(&format!("/api/me/{list}?as_of={early}")).await.ok();
            assert_eq!(page["items"], json!([]), "{list} {early}");
        }
    }
    let soon = (Utc::now() + TimeDelta::minutes(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let later = (position.0 + 1).to_string();
    let garbage = [
        "yesterday",
        "2026-01-01",
        "2026-13-01T00:00:00Z",
        "-1",
        "1.5",
        "2026-01-01T00:00:00+02:00",
        "%C3%A9",
    ];
    let future = [soon.as_str(), later.as_str(), "9223372036854775808", "9999-12-31T23:59:59Z"];
    for wrong in garbage.into_iter().chain(future) {
        for list in ["owned", "preorders", "wishlist"] {
            let answer = alice.get(&format!("/api/me/{list}?as_of={wrong}")).await;
            answer.refused_field(422, "invalid_as_of", "as_of");
        }
    }
    let empty = alice.get("/api/me/owned?as_of=").await.ok();
    assert_eq!(
        (empty.get("as_of"), empty["items"].as_array().unwrap().len()),
        (None, 1),
        "nothing given is now"
    );
}

#[tokio::test]
async fn a_preorders_dates_and_price_can_be_read_as_they_were() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let mina = add(&alice, "Mina", json!({"release_date": "2098-01-01"})).await;
    let order = json!({"figure_id": id(&mina), "price_amount": "100", "price_currency": "EUR",
        "release_date": "2098-01-01", "release_date_precision": "day"});
    let preorder = alice.post("/api/me/preorders", order).await.made();
    let path = format!("/api/me/preorders/{}", id(&preorder));
    let placed = head(&app).await;
    alice.patch(&path, json!({"release_date": "2098-02-01", "price_amount": "110"})).await.ok();
    let slipped = head(&app).await;
    alice.patch(&path, json!({"release_date": "2098-03-01"})).await.ok();
    let dates = async |as_of: &str| {
        let page = alice.get(&format!("{path}/history{as_of}")).await.ok();
        assert_eq!(page.get("as_of").is_some(), !as_of.is_empty());
        page["items"].as_array().unwrap().iter().map(|one| one["new_date"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(dates(&format!("?as_of={placed}")).await, Vec::<Value>::new());
    assert_eq!(dates(&format!("?as_of={slipped}")).await, [json!("2098-02-01")]);
    assert_eq!(dates("").await, [json!("2098-02-01"), json!("2098-03-01")]);
    let price = async |as_of: &str| {
        let parts = alice.get(&format!("{path}/breakdown{as_of}")).await.ok();
        (parts["figure"].clone(), parts["as_of"]["catalogue"].clone())
    };
    assert_eq!(price(&format!("?as_of={placed}")).await, (json!("100.00"), json!("current")));
    assert_eq!(price("").await, (json!("110.00"), Value::Null));
    for part in ["history", "breakdown"] {
        let part = format!("{path}/{part}");
        alice.get(&format!("{part}?as_of=0")).await.refused(404, "preorder_not_found");
        bob.get(&format!("{part}?as_of={slipped}")).await.refused(404, "preorder_not_found");
        alice.get(&format!("{part}?as_of=tomorrow")).await.refused_field(422, "invalid_as_of", "as_of");
        app.visitor().get(&format!("{part}?as_of=1")).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn nobody_sees_another_persons_past() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let figure = add(&alice, "Mina", json!({})).await;
    let piece = alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made();
    let position = head(&app).await;
    assert_eq!(bob.get(&format!("/api/me/owned?as_of={position}")).await.ok()["items"], json!([]));
    let path = format!("/api/me/owned/{}", id(&piece));
    bob.get(&format!("{path}?as_of={position}")).await.refused(404, "piece_not_found");
    bob.get(&format!("{path}/history")).await.refused(404, "piece_not_found");
    assert_eq!(bob.get("/api/me/timeline").await.ok()["items"], json!([]));
    for path in ["/api/me/owned?as_of=1", "/api/me/timeline", &format!("{path}/history")] {
        app.visitor().get(path).await.refused(401, "not_signed_in");
    }
}

#[tokio::test]
async fn a_history_too_long_is_refused_and_never_folded() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let user = user_id(&alice).await;
    // What they say does not matter: they are counted first.
    sqlx::query(
        "INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, aggregate_id, \
                             event_type, event_version, payload, metadata) \
         SELECT n, n, '2026-01-01', gen_random_uuid(), $1, 'collection', $1::text, 'collection.hummed', '1', '{}', '{}' \
         FROM generate_series(1, 200001) AS n",
    )
    .bind(user.uuid())
    .execute(&app.db.pool)
    .await
    .unwrap();
    alice.get("/api/me/owned?as_of=200001").await.refused(422, "too_much_history");
    let answer = alice.get("/api/me/owned?as_of=200000").await;
    answer.refused(503, "read_model_behind");
}

/// An event of this person's that no release reads.
async fn poisoned(app: &TestApp, client: &TestClient) -> Position {
    let user = user_id(client).await;
    let position: i64 = sqlx::query_scalar(
        "INSERT INTO events (position, sequence, recorded_at, event_id, owner_id, aggregate_type, aggregate_id, \
                             event_type, event_version, payload, metadata) \
         SELECT max(position) + 1, max(sequence) FILTER (WHERE aggregate_id = $1::text) + 1, max(recorded_at), \
                gen_random_uuid(), $1, 'collection', $1::text, 'collection.sung_about', '1', '{}', \
                json_build_object('command_id', gen_random_uuid()) \
         FROM events RETURNING position",
    )
    .bind(user.uuid())
    .fetch_one(&app.db.pool)
    .await
    .unwrap();
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(event_store::CHANNEL)
        .bind(position.to_string())
        .execute(&app.db.pool)
        .await
        .unwrap();
    Position(position)
}

#[tokio::test]
async fn what_is_skipped_by_the_live_read_models_is_skipped_in_the_past() {
    let app = TestApp::new().await;
    let alice = app.register("alice").await;
    let figure = add(&alice, "Mina", json!({})).await;
    alice.post("/api/me/owned", json!({"figure_id": id(&figure)})).await.made();
    let poison = poisoned(&app, &alice).await;
    for name in ["collection", "preorders"] {
        app.stopped(name).await;
    }
    let path = |position: Position| format!("/api/me/owned?as_of={position}");
    assert_eq!(ids(&alice.get(&path(Position(poison.0 - 1))).await.ok(), "id").len(), 1);
    alice.get(&path(poison)).await.refused(503, "read_model_behind");
    for name in ["collection", "preorders"] {
        app.state.projections.skip(name, "nobody sings", "a test").await.unwrap();
    }
    assert_eq!(ids(&alice.get(&path(poison)).await.ok(), "id").len(), 1);
    let told = alice.get("/api/me/timeline").await.ok();
    assert_eq!(told["items"][0]["event"], "collection.sung_about");
    assert_eq!(told["items"][0]["facts"], Value::Null);
}

#[tokio::test]
async fn an_event_of_the_catalogue_that_nobody_reads_stops_only_those_who_name_it() {
    let app = TestApp::new().await;
    let (alice, bob) = (app.register("alice").await, app.register("bob").await);
    let (mina, io) = (add(&alice, "Mina", json!({})).await, add(&alice, "Io", json!({})).await);
    alice.post("/api/me/owned", json!({"figure_id": id(&mina)})).await.made();
    bob.post("/api/me/owned", json!({"figure_id": id(&io)})).await.made();
    let poison = seed::from_a_later_release(&app.db.pool, id(&mina).parse().unwrap()).await;
    alice.get(&format!("/api/me/owned?as_of={poison}")).await.refused(503, "read_model_behind");
    let page = bob.get(&format!("/api/me/owned?as_of={poison}")).await.ok();
    assert_eq!(ids(&page, "id").len(), 1);
}
