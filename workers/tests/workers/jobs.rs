//! Jobs: once across processes, on record, ended by anybody who may, closed when their process is gone.

use crate::support::Ledger;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::testing::eventually;
use operational::server_job_runs::{self, INTERRUPTED, KEPT, Run, Start, Trigger};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use workers::jobs::{Failure, Job, JobError, Jobs, Schedule, Turn};

/// What the job of a test does.
enum Does {
    Nothing,
    WaitForTheEnd,
    Panic,
    Fail,
}

struct Chore {
    does: Does,
    runs: Arc<AtomicUsize>,
}

#[async_trait]
impl Job for Chore {
    fn name(&self) -> &'static str {
        "chore"
    }
    fn about(&self) -> &'static str {
        "Does what the test says"
    }
    fn schedule(&self) -> Schedule {
        Schedule::Fixed("0 4 * * *")
    }
    async fn run(&self, turn: &Turn) -> Result<Value, Failure> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        match self.does {
            Does::Nothing => Ok(json!({"done": true})),
            Does::WaitForTheEnd => {
                turn.cancelled.cancelled().await;
                Ok(json!({"came": "so far"}))
            }
            Does::Panic => panic!("as the test says"),
            Does::Fail => {
                Err(Failure { message: "the dog ate it".to_owned(), result: Some(json!({"eaten": 1})) })
            }
        }
    }
}

/// A process that has the job.
fn process(ledger: &Ledger, does: Does) -> (Jobs, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let chore: Arc<dyn Job> = Arc::new(Chore { does, runs: runs.clone() });
    (Jobs::new(ledger.db.pool.clone(), vec![chore]), runs)
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

async fn of(ledger: &Ledger) -> Vec<Run> {
    server_job_runs::of(&ledger.db.pool, "chore").await.unwrap()
}

async fn ended(ledger: &Ledger) -> Run {
    let mut last = None;
    eventually("the run ends", async || {
        last = of(ledger).await.into_iter().next().filter(|run| run.state != "running");
        last.is_some()
    })
    .await;
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_the_schedule_is_run_once_across_all_processes() {
    let ledger = Ledger::new().await;
    let processes: Vec<_> = (0..4).map(|_| process(&ledger, Does::Nothing)).collect();
    let (before, after) = (time("2026-11-02T03:59:59.9Z"), time("2026-11-02T04:00:00.4Z"));
    let ticks = processes.iter().map(|(jobs, _)| jobs.tick(before, after));
    futures::future::join_all(ticks).await;
    ended(&ledger).await;
    // The late one comes when the run is over.
    processes[0].0.tick(before, after).await;
    let all: usize = processes.iter().map(|(_, runs)| runs.load(Ordering::SeqCst)).sum();
    assert_eq!((all, of(&ledger).await.len()), (1, 1));
    let run = ended(&ledger).await;
    assert_eq!((run.state.as_str(), run.result), ("succeeded", Some(json!({"done": true}))));
    assert_eq!(run.scheduled_for, Some(time("2026-11-02T04:00:00Z")));
    processes[1].0.tick(after, time("2026-11-02T04:01:00Z")).await;
    assert_eq!(of(&ledger).await.len(), 1, "no other minute is its");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_is_not_started_again_and_any_process_ends_it() {
    let ledger = Ledger::new().await;
    let (here, _) = process(&ledger, Does::WaitForTheEnd);
    let (elsewhere, runs) = process(&ledger, Does::WaitForTheEnd);
    here.run_now("chore", None).await.unwrap();
    assert!(matches!(elsewhere.run_now("chore", None).await, Err(JobError::Running)));
    elsewhere.tick(time("2026-11-02T03:59:00Z"), time("2026-11-02T04:00:00Z")).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    elsewhere.cancel("chore").await.unwrap();
    let run = ended(&ledger).await;
    assert_eq!((run.state.as_str(), run.result), ("cancelled", Some(json!({"came": "so far"}))));
    eventually("the right to run it is given back", async || match elsewhere.cancel("chore").await {
        Err(JobError::NotRunning) => {
            server_job_runs::close_interrupted(&ledger.db.pool, "chore").await.is_ok()
        }
        other => panic!("{other:?}"),
    })
    .await;
    assert!(matches!(elsewhere.run_now("nothing", None).await, Err(JobError::Unknown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_is_gone_is_closed_with_that_reason() {
    let ledger = Ledger::new().await;
    let start =
        Start { job_name: "chore", trigger: Trigger::Schedule, requested_by: None, scheduled_for: None };
    let claim = server_job_runs::begin(&ledger.db.pool, start).await.unwrap().unwrap();
    let (jobs, _) = process(&ledger, Does::Nothing);
    let ticking = jobs.start().await.unwrap();
    assert_eq!(of(&ledger).await[0].state, "running", "somebody holds it");
    ticking.stop().await;
    // Its process dies: its connections with it.
    drop(claim);
    eventually("it is closed", async || {
        server_job_runs::close_interrupted(&ledger.db.pool, "chore").await.unwrap();
        of(&ledger).await[0].state == "failed"
    })
    .await;
    let run = of(&ledger).await.remove(0);
    assert_eq!(run.error_message.as_deref(), Some(INTERRUPTED));
    assert!(run.finished_at.is_some());
    jobs.run_now("chore", None).await.unwrap();
    assert_eq!(ended(&ledger).await.state, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_runs_and_says_so() {
    let ledger = Ledger::new().await;
    let (jobs, _) = process(&ledger, Does::WaitForTheEnd);
    jobs.run_now("chore", None).await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(30), jobs.stop()).await.expect("it stops");
    let run = ended(&ledger).await;
    assert_eq!((run.state.as_str(), run.result), ("failed", Some(json!({"came": "so far"}))));
    assert!(run.error_message.unwrap().contains("the server was stopped"));
    assert!(matches!(jobs.run_now("chore", None).await, Err(JobError::Running)), "nothing is begun any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_or_panics_leaves_the_reason_and_how_far_it_came() {
    let ledger = Ledger::new().await;
    let (jobs, _) = process(&ledger, Does::Fail);
    jobs.run_now("chore", None).await.unwrap();
    let run = ended(&ledger).await;
    assert_eq!((run.state.as_str(), run.error_message.as_deref()), ("failed", Some("the dog ate it")));
    assert_eq!(run.result, Some(json!({"eaten": 1})));
    let ledger = Ledger::new().await;
    let (jobs, _) = process(&ledger, Does::Panic);
    jobs.run_now("chore", None).await.unwrap();
    let run = ended(&ledger).await;
    assert_eq!(run.state, "failed");
    assert!(run.error_message.unwrap().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_thirty_runs_of_a_job_are_kept() {
    let ledger = Ledger::new().await;
    let pool = &ledger.db.pool;
    let mut last = None;
    for _ in 0..KEPT + 3 {
        let start =
            Start { job_name: "chore", trigger: Trigger::Admin, requested_by: None, scheduled_for: None };
        let mut claim = None;
        eventually("the lock is free", async || {
            claim = server_job_runs::begin(pool, start).await.unwrap();
            claim.is_some()
        })
        .await;
        let claim = claim.unwrap();
        last = Some(claim.run.id);
        let end = server_job_runs::End {
            state: server_job_runs::RunState::Succeeded,
            result: None,
            error_message: None,
        };
        claim.end(pool, &end).await.unwrap();
    }
    let kept = of(&ledger).await;
    assert_eq!((kept.len(), Some(kept[0].id)), (usize::try_from(KEPT).unwrap(), last));
}
