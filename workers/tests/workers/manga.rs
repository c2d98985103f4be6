//! Reading shelves of a MangaCollector server that looks at what it is sent, and of one that lies.

use crate::support::Ledger;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Utc;
use database::testing::eventually;
use domain::ids::UserId;
use futures::StreamExt;
use operational::manga_links::{self, Page, Slug};
use operational::manga_servers::{self, Verdict};
use operational::server_job_runs;
use operational::users::{AccessChange, change_access};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;
use workers::jobs::{Jobs, MangaSync};
use workers::manga::{Manga, MangaError, Options, Profile};
use workers::outbound::Limits;

const MEGABYTE: usize = 1 << 20;

/// What stands behind a slug.
#[derive(Clone)]
enum Reply {
    Shelf(Value),
    Raw(u16, &'static str, String),
    To(String),
    Slow,
    Drip,
    Huge,
    /// A shelf, once somebody says so.
    When(Arc<Notify>, Value),
}

#[derive(Default)]
struct Known {
    replies: Mutex<HashMap<String, Reply>>,
    asked: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
    huge_sent: AtomicUsize,
}

/// A MangaCollector server.
struct Shelves {
    address: SocketAddr,
    known: Arc<Known>,
    server: JoinHandle<()>,
}

impl Drop for Shelves {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shelves {
    async fn open() -> Self {
        let known = Arc::new(Known::default());
        let routes = Router::new().fallback(answer).with_state(known.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, known, server }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn show(&self, slug: &str, reply: Reply) {
        self.known.replies.lock().unwrap().insert(slug.to_owned(), reply);
    }

    fn asked(&self) -> usize {
        self.known.asked.lock().unwrap().len()
    }

    fn faults(&self) -> Vec<String> {
        self.known.faults.lock().unwrap().clone()
    }
}

fn shelf(mal_ids: &[i64]) -> Value {
    let library: Vec<Value> = mal_ids
        .iter()
        .map(|id| json!({"mal_id": id, "name": format!("Series {id}"), "read_percent": 50}))
        .collect();
    json!({"display_name": "Mina", "library": library, "joined": "2019"})
}

/// What a request has that it should not, and lacks that it should have.
fn fault(request: &Request) -> Option<String> {
    let of = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let whole = [
        (request.method() == Method::GET, "the method"),
        (request.uri().query().is_none(), "a query"),
        (of(header::ACCEPT) == "application/json", "what is accepted"),
        (of(header::USER_AGENT).starts_with("figure-ledger/"), "who asks"),
        (of(header::COOKIE).is_empty() && of(header::AUTHORIZATION).is_empty(), "something secret"),
        (of(header::REFERER).is_empty(), "where from"),
    ];
    whole.iter().find(|(right, _)| !right).map(|(_, what)| format!("{what}: {request:?}"))
}

async fn answer(State(known): State<Arc<Known>>, request: Request) -> Response {
    if let Some(fault) = fault(&request) {
        known.faults.lock().unwrap().push(fault);
        return StatusCode::IM_A_TEAPOT.into_response();
    }
    let path = request.uri().path().to_owned();
    known.asked.lock().unwrap().push(path.clone());
    let Some(slug) = path.strip_prefix("/api/public/u/") else {
        known.faults.lock().unwrap().push(path);
        return StatusCode::IM_A_TEAPOT.into_response();
    };
    let reply = known.replies.lock().unwrap().get(slug).cloned();
    match reply {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Reply::Shelf(shelf)) => axum::Json(shelf).into_response(),
        Some(Reply::Raw(status, kind, body)) => {
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, kind)], body).into_response()
        }
        Some(Reply::To(place)) => Redirect::temporary(&place).into_response(),
        Some(Reply::Slow) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            axum::Json(shelf(&[1])).into_response()
        }
        Some(Reply::Drip) => {
            let drops = futures::stream::iter(0..600).then(|_| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, std::io::Error>(Bytes::from_static(b" "))
            });
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(drops)).into_response()
        }
        Some(Reply::Huge) => {
            let chunk = Bytes::from(vec![b' '; MEGABYTE]);
            let chunks = futures::stream::iter(0..50).map(move |_| {
                known.huge_sent.fetch_add(1, Ordering::SeqCst);
                Ok::<_, std::io::Error>(chunk.clone())
            });
            ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response()
        }
        Some(Reply::When(said, shelf)) => {
            said.notified().await;
            axum::Json(shelf).into_response()
        }
    }
}

async fn person(ledger: &Ledger, name: &str) -> UserId {
    let id = Uuid::now_v7();
    sqlx::query("INSERT INTO users (id, username) VALUES ($1, $2)")
        .bind(id)
        .bind(name)
        .execute(&ledger.db.pool)
        .await
        .unwrap();
    id.into()
}

/// An approved server at an address.
async fn approved(ledger: &Ledger, url: &str) -> Uuid {
    let by = person(ledger, &format!("p{}", &Uuid::now_v7().simple().to_string()[20..])).await;
    let server = manga_servers::propose(&ledger.db.pool, &url.parse().unwrap(), by).await.unwrap();
    manga_servers::review(&ledger.db.pool, server.id, &Verdict::Approve, by, Utc::now()).await.unwrap();
    server.id
}

async fn linked(ledger: &Ledger, name: &str, server: Uuid, slug: &str) -> (UserId, Page) {
    let user = person(ledger, name).await;
    let slug: Slug = slug.parse().unwrap();
    let link = manga_links::set(&ledger.db.pool, user, server, &slug).await.unwrap();
    (user, link.page())
}

/// What asks: quickly out of patience, and never out of trust.
fn options() -> Options {
    let limits =
        Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(3), bytes: 5 * MEGABYTE };
    Options { limits, failures: 1_000, pace: 1_000.try_into().unwrap(), ..Options::default() }
}

fn manga(ledger: &Ledger, options: Options) -> Manga {
    Manga::new(&ledger.db.pool, "127.0.0.0/8".parse().unwrap(), options).unwrap()
}

async fn kept(ledger: &Ledger) -> i64 {
    ledger.count("SELECT count(*) FROM external_lookups").await
}

fn ids(profile: &Profile) -> Vec<i64> {
    profile.entries.keys().copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_is_asked_for_in_the_one_documented_way_and_kept() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let server = approved(&ledger, &shelves.url()).await;
    let (_, page) = linked(&ledger, "mina", server, "Mina.s-shelf_2").await;
    shelves.show("Mina.s-shelf_2", Reply::Shelf(shelf(&[21, 7])));
    let manga = manga(&ledger, options());
    assert_eq!(manga.kept(&page).await.unwrap().profile, None);
    let fetched = manga.fetch(&page).await.unwrap();
    assert_eq!(ids(&fetched.payload), [7, 21]);
    assert_eq!(shelves.faults(), Vec::<String>::new());
    assert_eq!(*shelves.known.asked.lock().unwrap(), ["/api/public/u/Mina.s-shelf_2"]);
    let kept = manga.kept(&page).await.unwrap();
    assert!(kept.is_fresh(Utc::now()) && !kept.is_fresh(Utc::now() + chrono::TimeDelta::hours(25)));
    assert_eq!(kept.profile.unwrap().payload, fetched.payload);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_has_its_outcome_is_on_record_and_leaves_what_was_read_before() {
    let (ledger, shelves, elsewhere) = (Ledger::new().await, Shelves::open().await, Shelves::open().await);
    let server = approved(&ledger, &shelves.url()).await;
    let manga = manga(&ledger, options());
    let json = "application/json";
    let raw = |kind, body: &str| Reply::Raw(200, kind, body.to_owned());
    let status = |status| Reply::Raw(status, "text/plain", "no".to_owned());
    let cases = [
        ("html", raw("text/html", "<html><body>Sign in first</body></html>"), "not_a_profile"),
        ("empty", raw(json, ""), "not_a_profile"),
        ("cut", raw(json, "{\"library\": [{\"mal_id\": 1"), "not_a_profile"),
        ("array", raw(json, "[1, 2]"), "not_a_profile"),
        ("shape", raw(json, "{\"library\": {\"1\": {}}}"), "not_a_profile"),
        ("deep", raw(json, &format!("{{\"x\": {}", "[".repeat(100_000))), "not_a_profile"),
        ("huge", Reply::Huge, "too_large"),
        ("slow", Reply::Slow, "timed_out"),
        ("drip", Reply::Drip, "timed_out"),
        ("inward", Reply::To("http://169.254.169.254/latest/meta-data/".to_owned()), "redirected"),
        ("other-port", Reply::To(format!("{}/api/public/u/other-port", elsewhere.url())), "redirected"),
        ("loop", Reply::To("/api/public/u/loop".to_owned()), "redirected"),
        ("user", Reply::To(format!("http://a:b@{}/api/public/u/mina", shelves.address)), "redirected"),
        ("gone", status(410), "no_page"),
        ("nobody", status(404), "no_page"),
        ("broken", status(500), "unexpected_status"),
        ("secret", status(401), "unexpected_status"),
        ("nothing", status(204), "unexpected_status"),
    ];
    for (slug, reply, code) in cases {
        let (_, page) = linked(&ledger, &format!("of-{slug}"), server, slug).await;
        shelves.show(slug, Reply::Shelf(shelf(&[3])));
        let before = manga.fetch(&page).await.unwrap();
        shelves.show(slug, reply);
        let error = manga.fetch(&page).await.unwrap_err();
        assert_eq!(error.code(), code, "{slug}: {error}");
        let kept = manga.kept(&page).await.unwrap();
        assert_eq!(kept.profile.map(|kept| kept.payload), Some(before.payload), "{slug}");
        let failure = kept.failure.unwrap().payload;
        assert_eq!((failure.code.as_str(), failure.detail), (code, error.to_string()), "{slug}");
        shelves.show(slug, Reply::Shelf(shelf(&[4])));
        manga.fetch(&page).await.unwrap();
        assert_eq!(manga.kept(&page).await.unwrap().failure, None, "{slug}: it is over");
    }
    let sent = shelves.known.huge_sent.load(Ordering::SeqCst);
    assert!(sent < 40, "{sent} MB of 50 were read");
    assert_eq!((shelves.faults(), elsewhere.asked()), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_on_the_same_server_is_followed_and_ids_that_lie_are_passed_over() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let server = approved(&ledger, &shelves.url()).await;
    let (_, page) = linked(&ledger, "mina", server, "moved").await;
    let library = json!({"library": [
        {"mal_id": -1}, {"mal_id": 0}, {"mal_id": "9"}, {"mal_id": 9}, {"mal_id": "nine"}, {"mal_id": 1e9}, {"name": "x"},
        7, {"mal_id": 11, "read_percent": 5000, "volumes": -4}
    ]});
    shelves.show("moved", Reply::To("/api/public/u/here".to_owned()));
    shelves.show("here", Reply::Shelf(library));
    let read = manga(&ledger, options()).fetch(&page).await.unwrap().payload;
    assert_eq!((ids(&read), read.passed_over), (vec![9, 11], 7));
    assert_eq!((read.entries[&11].read_percent, read.entries[&11].volumes), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_asked_only_when_the_operator_opened_them() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    shelves.show("mina", Reply::Shelf(shelf(&[1])));
    let port = shelves.address.port();
    let closed = Manga::new(&ledger.db.pool, "10.0.0.0/8".parse().unwrap(), options()).unwrap();
    for (number, host) in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"].iter().enumerate()
    {
        let server = approved(&ledger, &format!("http://{host}:{port}")).await;
        let (_, page) = linked(&ledger, &format!("reader{number}"), server, "mina").await;
        let error = closed.fetch(&page).await.unwrap_err();
        assert_eq!(error.code(), "not_allowed", "{host}: {error}");
    }
    assert_eq!(shelves.asked(), 0);
    assert_eq!(ledger.count("SELECT count(*) FROM external_lookups WHERE provider = 'manga'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_ask_once() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let server = approved(&ledger, &shelves.url()).await;
    let (_, page) = linked(&ledger, "mina", server, "mina").await;
    let said = Arc::new(Notify::new());
    shelves.show("mina", Reply::When(said.clone(), shelf(&[5])));
    let manga = manga(&ledger, options());
    let asking: Vec<_> = (0..12)
        .map(|_| {
            let (manga, page) = (manga.clone(), page.clone());
            tokio::spawn(async move { manga.fetch(&page).await.map(|read| ids(&read.payload)) })
        })
        .collect();
    eventually("the first one asks", async || shelves.asked() == 1).await;
    said.notify_one();
    let answers = futures::future::join_all(asking).await;
    for answer in answers {
        assert_eq!(answer.unwrap().unwrap(), [5]);
    }
    assert_eq!(shelves.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_rests_and_no_other_does() {
    let (ledger, bad, good) = (Ledger::new().await, Shelves::open().await, Shelves::open().await);
    let manga = manga(&ledger, Options { failures: 3, ..options() });
    let (_, page) = linked(&ledger, "mina", approved(&ledger, &bad.url()).await, "mina").await;
    let (_, other) = linked(&ledger, "oriel", approved(&ledger, &good.url()).await, "oriel").await;
    bad.show("mina", Reply::Raw(500, "text/plain", String::new()));
    good.show("oriel", Reply::Shelf(shelf(&[2])));
    for _ in 0..3 {
        assert_eq!(manga.fetch(&page).await.unwrap_err().code(), "unexpected_status");
    }
    assert!(matches!(manga.fetch(&page).await, Err(MangaError::Resting)));
    assert_eq!(bad.asked(), 3);
    let failure = manga.kept(&page).await.unwrap().failure.unwrap();
    assert_eq!(failure.payload.code, "unexpected_status", "that it rests is no news of the server");
    manga.fetch(&other).await.unwrap();
    // A wrong slug is its person's mistake.
    for _ in 0..5 {
        let (_, nobody) = (0, Page { slug: "nobody".parse().unwrap(), ..other.clone() });
        assert_eq!(manga.fetch(&nobody).await.unwrap_err().code(), "no_page");
    }
    manga.fetch(&other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_of_a_link_that_went_while_it_was_asked_for() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let (pool, manga) = (&ledger.db.pool, manga(&ledger, Options { limits: Limits::default(), ..options() }));
    for what in ["unlinked", "erased", "revoked", "moved"] {
        let server = approved(&ledger, &shelves.url()).await;
        let (user, page) = linked(&ledger, what, server, what).await;
        let said = Arc::new(Notify::new());
        shelves.show(what, Reply::When(said.clone(), shelf(&[5])));
        let before = shelves.asked();
        let asking = tokio::spawn({
            let (manga, page) = (manga.clone(), page.clone());
            async move { manga.fetch(&page).await.map(|read| ids(&read.payload)) }
        });
        eventually("it is asked for", async || shelves.asked() > before).await;
        match what {
            "unlinked" => assert!(manga_links::remove(pool, user).await.unwrap()),
            "erased" => operational::erasures::begin(pool, user, None, None).await.unwrap(),
            "revoked" => {
                let verdict = Verdict::Revoke("it lies".parse().unwrap());
                manga_servers::review(pool, server, &verdict, user, Utc::now()).await.unwrap();
            }
            _ => {
                let moved = "https://moved.example".parse().unwrap();
                manga_servers::rename(pool, server, None, Some(&moved)).await.unwrap();
            }
        }
        said.notify_one();
        assert_eq!(asking.await.unwrap().unwrap(), [5], "{what}: whoever asked has it");
        assert_eq!(kept(&ledger).await, 0, "{what}");
        // The address is free for the next.
        if what != "moved" {
            manga_links::remove(pool, user).await.unwrap();
            manga_servers::delete(pool, server).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_of_a_person_goes_with_their_last_link() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let (pool, manga) = (&ledger.db.pool, manga(&ledger, options()));
    let server = approved(&ledger, &shelves.url()).await;
    let (mina, page) = linked(&ledger, "mina", server, "ours").await;
    let (oriel, _) = linked(&ledger, "oriel", server, "ours").await;
    shelves.show("ours", Reply::Shelf(shelf(&[5])));
    manga.fetch(&page).await.unwrap();
    shelves.show("ours", Reply::Slow);
    manga.fetch(&page).await.unwrap_err();
    assert_eq!(kept(&ledger).await, 2);
    operational::erasures::begin(pool, mina, None, None).await.unwrap();
    assert_eq!(kept(&ledger).await, 2, "somebody else shows the same shelf");
    manga_links::set(pool, oriel, server, &"other".parse().unwrap()).await.unwrap();
    assert_eq!(kept(&ledger).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_reads_shelves_whose_day_is_over_and_of_nobody_else() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let (pool, manga) = (ledger.db.pool.clone(), manga(&ledger, options()));
    let server = approved(&ledger, &shelves.url()).await;
    let admin = person(&ledger, "root").await;
    let pending = manga_servers::propose(&pool, &"http://127.0.0.1:1".parse().unwrap(), admin).await.unwrap();
    for name in ["mina", "oriel", "sealed", "lost", "fresh"] {
        linked(&ledger, name, server, name).await;
        shelves.show(name, Reply::Shelf(shelf(&[5])));
    }
    linked(&ledger, "second", server, "mina").await;
    linked(&ledger, "waiting", pending.id, "waiting").await;
    shelves.show("lost", Reply::Raw(404, "text/plain", String::new()));
    let sealed: Uuid =
        sqlx::query_scalar("SELECT id FROM users WHERE username = 'sealed'").fetch_one(&pool).await.unwrap();
    let suspend = AccessChange { suspended: Some(true), ..AccessChange::default() };
    change_access(&pool, sealed.into(), suspend).await.unwrap();
    let fresh = Page { server_id: server, base_url: shelves.url(), slug: "fresh".parse().unwrap() };
    manga.fetch(&fresh).await.unwrap();
    let before = shelves.asked();

    let jobs =
        Jobs::new(pool.clone(), vec![Arc::new(MangaSync { pool: pool.clone(), manga: manga.clone() })]);
    let ran = async || {
        jobs.run_now("manga_sync", None).await.unwrap();
        let mut result = None;
        eventually("the run ends", async || {
            let run = server_job_runs::of(&pool, "manga_sync").await.unwrap().into_iter().next().unwrap();
            result = Some(run.result.clone().unwrap_or_default());
            run.state == "succeeded"
        })
        .await;
        result.unwrap()
    };
    assert_eq!(ran().await, json!({"due": 3, "read": 2, "failed": {"no_page": 1}}));
    let asked: Vec<String> = shelves.known.asked.lock().unwrap()[before..].to_vec();
    assert_eq!(asked, ["lost", "mina", "oriel"].map(|slug| format!("/api/public/u/{slug}")));
    eventually("the right to run it is given back", async || {
        server_job_runs::close_interrupted(&pool, "manga_sync").await.is_ok()
    })
    .await;
    let mut again = None;
    eventually("it can be run again", async || {
        again = jobs.run_now("manga_sync", None).await.ok();
        again.is_some()
    })
    .await;
    let again = again.unwrap().id;
    eventually("the second run ends", async || {
        let runs = server_job_runs::of(&pool, "manga_sync").await.unwrap();
        runs.iter()
            .any(|run| run.id == again && run.result == Some(json!({"due": 0, "read": 0, "failed": {}})))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_unlink_a_page_at_once_the_last_takes_along_what_was_kept() {
    let (ledger, shelves) = (Ledger::new().await, Shelves::open().await);
    let server = approved(&ledger, &shelves.url()).await;
    let (mina, page) = linked(&ledger, "mina", server, "shared").await;
    let (oriel, _) = linked(&ledger, "oriel", server, "shared").await;
    shelves.show("shared", Reply::Shelf(shelf(&[21])));
    manga(&ledger, options()).fetch(&page).await.unwrap();
    assert_eq!(kept(&ledger).await, 1);
    let pool = ledger.db.pool.clone();
    let leaves = async |user: UserId| {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("UPDATE users SET manga_server_id = NULL, manga_slug = NULL WHERE id = $1")
            .bind(user.uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
        tx
    };
    // Neither sees that the other is leaving, too.
    let (mut first, mut second) = (leaves(mina).await, leaves(oriel).await);
    manga_links::forget_if_unlinked(&mut first, server, "shared").await.unwrap();
    let last = tokio::spawn(async move {
        manga_links::forget_if_unlinked(&mut second, server, "shared").await.unwrap();
        second.commit().await.unwrap();
    });
    eventually("the second waits for the first", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        last.is_finished() || ledger.count(waiting).await == 1
    })
    .await;
    first.commit().await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), last).await.unwrap().unwrap();
    assert_eq!(kept(&ledger).await, 0);
}
