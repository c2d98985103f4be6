//! What the clock tells people of, and what they unlock.

use super::{House, at};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use database::testing::eventually;
use domain::ids::UserId;
use operational::notifications;
use operational::server_job_runs::{self, RunState};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;
use workers::fx::Fx;
use workers::jobs::{JobError, Jobs, ReleaseCron};
use workers::policies::{self, Policies};

/// A clock that a test sets.
type Hands = Arc<Mutex<DateTime<Utc>>>;

/// A pre-order as a test keeps it for itself.
#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    id: Uuid,
    piece: Uuid,
    owner: UserId,
    zone: chrono_tz::Tz,
    status: &'static str,
    release: NaiveDate,
    precision: &'static str,
    shipped: Option<DateTime<Utc>>,
    days: i32,
    archived: bool,
}

/// The read models as far as the job looks: rows put there by the test, so that it can set their times.
struct Month {
    house: House,
    hands: Hands,
    figure: Uuid,
}

impl Month {
    async fn new(now: &str) -> Self {
        let house = House::new().await;
        let figure = Uuid::now_v7();
        house.ledger.shown().await;
        sqlx::query(
            "INSERT INTO figures (id, slug, name, figure_type, is_nsfw, sort_name, search_text, version, created_at, \
                 updated_at) VALUES ($1, 'mina', 'Mina', 'scale', false, 'mina', 'mina', 1, now(), now())",
        )
        .bind(figure)
        .execute(house.pool())
        .await
        .unwrap();
        Self { house, hands: Arc::new(Mutex::new(at(now))), figure }
    }

    fn set(&self, now: DateTime<Utc>) {
        *self.hands.lock().unwrap() = now;
    }

    fn jobs(&self) -> Jobs {
        let hands = self.hands.clone();
        let job = ReleaseCron {
            pool: self.house.pool().clone(),
            store: self.house.ledger.store.clone(),
            projections: self.house.ledger.projections.clone(),
            clock: Arc::new(move || *hands.lock().unwrap()),
        };
        Jobs::new(self.house.pool().clone(), vec![Arc::new(job)])
    }

    /// Has the job run once, to its end.
    async fn run(&self, jobs: &Jobs) -> server_job_runs::Run {
        // The lock of the run before goes a moment after its row is written.
        let mut begun = None;
        eventually("it begins", async || match jobs.run_now("release_cron", None).await {
            Ok(run) => {
                begun = Some(run);
                true
            }
            Err(JobError::Running) => false,
            Err(error) => panic!("{error}"),
        })
        .await;
        let mut run = begun.unwrap();
        eventually("it ends", async || {
            run = server_job_runs::find(self.house.pool(), run.id).await.unwrap().unwrap();
            run.state != "running"
        })
        .await;
        run
    }

    async fn put(&self, one: &Waiting) {
        let archived = one.archived.then(Utc::now);
        sqlx::query("DELETE FROM preorders WHERE id = $1")
            .bind(one.id)
            .execute(self.house.pool())
            .await
            .unwrap();
        sqlx::query("DELETE FROM owned_items WHERE id = $1")
            .bind(one.piece)
            .execute(self.house.pool())
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO owned_items (id, user_id, figure_id, origin, sort_order, archived_at, preorder_version, \
                 version, created_at, updated_at) VALUES ($1, $2, $3, 'purchased', 0, $4, 1, 1, now(), now())",
        )
        .bind(one.piece)
        .bind(one.owner.uuid())
        .bind(self.figure)
        .bind(archived)
        .execute(self.house.pool())
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO preorders (id, user_id, owned_item_id, figure_id, status, release_date_current, \
                 release_date_precision, shipped_at, estimated_delivery_days, slip_count, created_at, updated_at, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, now(), now(), 1)",
        )
        .bind(one.id)
        .bind(one.owner.uuid())
        .bind(one.piece)
        .bind(self.figure)
        .bind(one.status)
        .bind(one.release)
        .bind(one.precision)
        .bind(one.shipped)
        .bind(one.days)
        .execute(self.house.pool())
        .await
        .unwrap();
    }

    async fn person(&self, name: &str, zone: &str) -> (UserId, chrono_tz::Tz) {
        let person = self.house.person(name).await;
        sqlx::query("UPDATE users SET time_zone = $2 WHERE id = $1")
            .bind(person.uuid())
            .bind(zone)
            .execute(self.house.pool())
            .await
            .unwrap();
        (person, zone.parse().unwrap())
    }

    fn waiting(&self, (owner, zone): (UserId, chrono_tz::Tz), release: &str) -> Waiting {
        Waiting {
            id: Uuid::now_v7(),
            piece: Uuid::now_v7(),
            owner,
            zone,
            status: "preordered",
            release: release.parse().unwrap(),
            precision: "day",
            shipped: None,
            days: 5,
            archived: false,
        }
    }

    /// Everything that was told: of which pre-order, what, and of which date.
    async fn told(&self) -> BTreeSet<(Uuid, String, String)> {
        let rows: Vec<(String, serde_json::Value)> =
            self.house.ledger.rows("SELECT event_type, payload FROM notifications").await;
        let all: Vec<_> = rows
            .into_iter()
            .map(|(kind, payload)| {
                let text = |field: &str| payload[field].as_str().unwrap().to_owned();
                (text("preorder_id").parse().unwrap(), kind, text("date"))
            })
            .collect();
        let set: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(set.len(), all.len(), "something was told twice");
        set
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn today_is_the_persons_own_day() {
    let month = Month::new("2026-12-01T03:00:00Z").await;
    let tokyo = month.person("tokyo", "Asia/Tokyo").await;
    let honolulu = month.person("honolulu", "Pacific/Honolulu").await;
    for (person, release) in [(tokyo, "2026-12-01"), (honolulu, "2026-12-01"), (honolulu, "2026-12-07")] {
        month.put(&month.waiting(person, release)).await;
    }
    let jobs = month.jobs();
    assert_eq!(month.run(&jobs).await.state, RunState::Succeeded.as_str());
    let told = async || -> Vec<(String, String)> {
        month
            .house
            .ledger
            .rows(
                "SELECT username, event_type FROM notifications JOIN users ON users.id = user_id \
                                 ORDER BY told_at, event_type",
            )
            .await
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(
        told().await,
        // In Honolulu it is still the 30th, a week before the 7th.
        [pair("honolulu", "preorder_release_j7"), pair("tokyo", "preorder_release_today")]
            .into_iter()
            .collect::<Vec<_>>()
    );
    month.set(at("2026-12-01T10:00:00Z"));
    month.run(&jobs).await;
    assert_eq!(told().await[2..], [pair("honolulu", "preorder_release_today")]);
    let keys: Vec<(String,)> = month.house.ledger.rows("SELECT dedup_key FROM notification_dedup").await;
    assert!(keys.iter().all(|(key,)| key.starts_with("preorder_release_")), "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_makes_up_for_the_days_since_the_last_good_one_however_many_failed_between() {
    let month = Month::new("2026-12-01T12:00:00Z").await;
    let alice = month.person("alice", "Europe/Paris").await;
    let jobs = month.jobs();
    month.run(&jobs).await;
    let mina = month.waiting(alice, "2026-12-04");
    month.put(&mina).await;
    // More runs failed than are kept.
    for minute in 0..40 {
        let start = server_job_runs::Start {
            job_name: "release_cron",
            trigger: server_job_runs::Trigger::Schedule,
            requested_by: None,
            scheduled_for: Some(at("2026-12-02T00:00:00Z") + TimeDelta::minutes(minute)),
        };
        let mut claim = None;
        eventually("it begins", async || {
            claim = server_job_runs::begin(month.house.pool(), start).await.unwrap();
            claim.is_some()
        })
        .await;
        let claim = claim.unwrap();
        let end = server_job_runs::End { state: RunState::Failed, result: None, error_message: None };
        claim.end(month.house.pool(), &end).await.unwrap();
    }
    month.set(at("2026-12-09T12:00:00Z"));
    let run = month.run(&jobs).await;
    assert_eq!(run.result.as_ref().unwrap()["told"], 1, "{run:?}");
    let told = month.told().await;
    assert_eq!(
        told.into_iter().next().unwrap(),
        (mina.id, "preorder_release_today".to_owned(), "2026-12-04".to_owned())
    );
    assert_eq!(month.run(&jobs).await.result.unwrap()["told"], 0);
}

/// What a person should have been told by the end of a day, reckoned day by day from how things stood on each of them.
fn expected_on(
    one: &Waiting,
    now: DateTime<Utc>,
    since: DateTime<Utc>,
    told: &mut BTreeSet<(Uuid, String, String)>,
) {
    let local = |time: DateTime<Utc>| time.with_timezone(&one.zone).date_naive();
    let mut day = local(since);
    while day <= local(now) {
        let mut tell = |kind: &str, date: NaiveDate| {
            told.insert((one.id, kind.to_owned(), date.to_string()));
        };
        let is_live = !one.archived && !["received", "cancelled"].contains(&one.status);
        if is_live && one.status == "shipped" {
            let expected = one.shipped.unwrap().date_naive() + Days::new(u64::try_from(one.days).unwrap());
            if day == expected {
                tell("preorder_delivery_today", expected);
            }
            if day == expected + Days::new(1) {
                tell("preorder_delivery_overdue", expected);
            }
        } else if is_live && one.precision == "day" {
            if day == one.release {
                tell("preorder_release_today", one.release);
            }
            if day + Days::new(7) == one.release {
                tell("preorder_release_j7", one.release);
            }
        } else if is_live
            && one.precision == "month"
            && day.format("%Y-%m").to_string() == one.release.format("%Y-%m").to_string()
        {
            tell("preorder_release_today", one.release);
        }
        day = day + Days::new(1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_slips_deliveries_and_restarts_tells_what_was_reckoned_beside_it() {
    let seed = 20_261_123;
    let mut dice = StdRng::seed_from_u64(seed);
    let month = Month::new("2026-11-20T00:00:00Z").await;
    let mut people = Vec::new();
    for (name, zone) in [
        ("auckland", "Pacific/Auckland"),
        ("kathmandu", "Asia/Kathmandu"),
        ("paris", "Europe/Paris"),
        ("utc", "UTC"),
        ("los_angeles", "America/Los_Angeles"),
    ] {
        people.push(month.person(name, zone).await);
    }
    let first: NaiveDate = "2026-11-15".parse().unwrap();
    let mut all = Vec::new();
    for number in 0..60_usize {
        let mut one = month.waiting(people[number % people.len()], "2026-12-01");
        one.release = first + Days::new(dice.random_range(0..50));
        if dice.random_bool(0.2) {
            one.precision = "month";
            one.release = chrono::Datelike::with_day(&one.release, 1).unwrap();
        }
        month.put(&one).await;
        all.push(one);
    }
    let mut jobs = month.jobs();
    let mut expected = BTreeSet::new();
    let mut overdue_before = BTreeSet::new();
    let (mut now, end) = (at("2026-11-20T00:00:00Z"), at("2026-12-21T00:00:00Z"));
    let mut last_good = now;
    while now < end {
        // Things happen between two runs.
        for one in &mut all {
            if !dice.random_bool(0.02) {
                continue;
            }
            match dice.random_range(0..5) {
                0 | 1 if one.status == "preordered" && one.precision == "day" => {
                    one.release = one.release + Days::new(dice.random_range(1..20));
                }
                2 if one.status == "preordered" => {
                    one.status = "shipped";
                    one.shipped = Some(now);
                    one.days = dice.random_range(1..8);
                }
                3 if one.status == "shipped" => one.status = "received",
                4 => one.archived = !one.archived,
                _ => continue,
            }
            month.put(one).await;
        }
        month.set(now);
        // Now and then the server is away for up to three days, and comes back as another process.
        if dice.random_bool(0.05) {
            now += TimeDelta::hours(dice.random_range(1..72));
            jobs = month.jobs();
            continue;
        }
        for one in &all {
            expected_on(one, now, last_good, &mut expected);
        }
        let run = month.run(&jobs).await;
        assert_eq!(run.state, "succeeded", "{run:?}");
        last_good = now;
        now += TimeDelta::hours(6);
    }
    // A pre-order is late once, whatever its estimates were.
    expected.retain(|(id, kind, _)| kind != "preorder_delivery_overdue" || overdue_before.insert(*id));
    let told = month.told().await;
    let kinds = |of: &BTreeSet<(Uuid, String, String)>| {
        let mut counts = BTreeMap::new();
        for (_, kind, _) in of {
            *counts.entry(kind.clone()).or_insert(0) += 1;
        }
        counts
    };
    assert_eq!(told, expected, "{:?} {:?}", kinds(&told), kinds(&expected));
    assert_eq!(kinds(&told).len(), 4, "every event came up: {:?}", kinds(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_unlocks_is_told_once_and_a_rebuild_tells_nothing() {
    use domain::commands::{AddPiece, CatalogueFigure, PieceFields};
    let house = House::new().await;
    let alice = house.person("alice").await;
    let fx = Fx::open(house.pool()).await.unwrap();
    let policies =
        Policies::new(house.pool(), &house.ledger.store, &house.ledger.projections, &fx, policies::all());
    let running = policies.run();
    let settled = async || {
        let head = house.ledger.head().await;
        assert!(policies.wait_for(head, Duration::from_secs(60)).await, "{:?}", policies.status().await);
    };
    settled().await;
    let figure_id = domain::ids::FigureId(Uuid::now_v7());
    house
        .ledger
        .execute(
            alice,
            &CatalogueFigure {
                details: domain::figure::Details::default(),
                is_nsfw: true,
                ..CatalogueFigure::named(figure_id, "Mina".parse().unwrap(), "scale".parse().unwrap())
            },
        )
        .await;
    for _ in 0..10 {
        house
            .ledger
            .execute(
                alice,
                &AddPiece {
                    user_id: alice,
                    piece_id: domain::ids::PieceId(Uuid::now_v7()),
                    figure_id,
                    fields: PieceFields::default(),
                },
            )
            .await;
    }
    settled().await;
    let keys = async || -> Vec<(String,)> {
        house.ledger.rows("SELECT dedup_key FROM notification_dedup ORDER BY created_at, dedup_key").await
    };
    let expected = [
        "achievement_unlocked:pieces_owned_1:bronze",
        "achievement_unlocked:nsfw_5:bronze",
        "achievement_unlocked:pieces_owned_10:bronze",
    ];
    let got: BTreeSet<String> = keys().await.into_iter().map(|(key,)| key).collect();
    assert_eq!(got, expected.map(str::to_owned).into_iter().collect());
    let shown = notifications::list(house.pool(), alice, false, true, None, 10).await.unwrap();
    assert_eq!(shown.len(), 2, "whoever hides NSFW figures is not told of those");
    house.ledger.projections.rebuild(&[], |_| ()).await.unwrap();
    settled().await;
    running.stop().await;
    assert_eq!(keys().await.len(), 3);
}
