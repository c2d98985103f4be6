//! `/metrics`: what Prometheus collects.
//!
//! What happens (commands, appends, requests) is counted where it happens, through the `metrics` facade; how
//! things stand (lag, queue, pool) is looked up when it is asked for. `docs/operations.md` says what each means.

use std::{fmt::Write, sync::OnceLock, time::Duration};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use operational::{
    erasures, notification_deliveries,
    server_job_runs::{self, RunState},
};
use projections::engine::{EngineError, Rebuild, State as ProjectionState, Status};
use sha2::{Digest, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    extract::AdminUser,
    problem::{self, Problem},
    problems,
    state::AppState,
};

/// Upper bounds of the buckets of times, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the buckets of batches.
const BATCHES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0];
/// How long the database may take to say how things stand.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often what was measured is put into its buckets, so that it does not pile up where nobody collects it.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

problems!(ShowProblems = problem::ADMIN);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Starts to count, once in a process; before, nothing is counted.
pub fn start() {
    handle();
}

fn handle() -> Option<&'static PrometheusHandle> {
    let install = || {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .and_then(|it| {
                it.set_buckets_for_metric(Matcher::Prefix("figure_ledger_append_batch_".to_owned()), BATCHES)
            });
        match builder.map(|it| it.build_recorder()) {
            Ok(recorder) => {
                let handle = recorder.handle();
                metrics::set_global_recorder(recorder).ok().map(|()| handle)
            }
            Err(error) => {
                tracing::error!(%error, "nothing is measured");
                None
            }
        }
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Keeps what is measured small, until the server stops.
pub async fn keep_up(state: AppState) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = state.stopping() => return,
        }
        if let Some(handle) = handle() {
            handle.run_upkeep();
        }
    }
}

/// What Prometheus collects.
///
/// For admins, and for whoever sends `Authorization: Bearer` with `METRICS_TOKEN`. In the text format of
/// Prometheus. When the database does not answer it says so in `figure_ledger_database_up` and leaves out what only
/// the database knows.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"), ShowProblems)
)]
async fn show(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _body) = request.into_parts();
    let offered = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let offered = offered.and_then(|value| value.strip_prefix("Bearer "));
    let token = state.config.metrics_token.as_ref().map(|token| token.as_str());
    if !offered.zip(token).is_some_and(|(offered, token)| same(offered, token)) {
        AdminUser::from_request_parts(&mut parts, &state).await?;
    }
    let mut text = handle().map(PrometheusHandle::render).unwrap_or_default();
    let looked = tokio::time::timeout(PATIENCE, standing(&state)).await;
    let up = match looked {
        Ok(Ok(standing)) => {
            text.push_str(&standing);
            true
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "how things stand cannot be measured");
            false
        }
        Err(_late) => false,
    };
    let mut own = Lines::default();
    own.gauge("database_up", "Whether the database answers.");
    own.value("database_up", "", i64::from(up));
    let (waiting, room) = state.store.queued();
    own.gauge("append_queue_depth", "Commands that wait to be written.");
    own.value("append_queue_depth", "", waiting);
    own.gauge("append_queue_capacity", "How many may wait before callers are answered with 503.");
    own.value("append_queue_capacity", "", room);
    let (open, idle) = (state.pool.size(), state.pool.num_idle());
    own.gauge(
        "pool_connections",
        "Connections of this server's pool; database_connections has those beside it.",
    );
    own.value("pool_connections", "{state=\"idle\"}", idle);
    own.value(
        "pool_connections",
        "{state=\"used\"}",
        usize::try_from(open).unwrap_or(idle).saturating_sub(idle),
    );
    own.gauge("pool_connections_max", "How many there may be.");
    own.value("pool_connections_max", "", state.pool.options().get_max_connections());
    own.gauge("leading", "Whether this process folds the read models.");
    own.value("leading", "", u8::from(state.projections.is_leading()));
    text.push_str(&own.0);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Equal or not, in a time that tells nothing of where they differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    Sha256::digest(a) == Sha256::digest(b)
}

/// Lines of the text format.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn gauge(&mut self, name: &str, help: &str) {
        // Writing to a text never fails.
        let _ = writeln!(self.0, "# HELP figure_ledger_{name} {help}\n# TYPE figure_ledger_{name} gauge");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "figure_ledger_{name}{labels} {value}");
    }
}

/// What the database knows.
async fn standing(state: &AppState) -> Result<String, EngineError> {
    let all = state.projections.status().await?;
    let unfinished = erasures::unfinished(&state.pool).await?.len();
    let mut lines = Lines::default();
    lines.gauge("projection_position", "The last event in the tables of a read model.");
    for one in &all {
        lines.value("projection_position", &format!("{{projection=\"{}\"}}", one.name), one.position);
    }
    lines.gauge("projection_lag_events", "How many events a read model is behind the log.");
    for one in &all {
        lines.value("projection_lag_events", &format!("{{projection=\"{}\"}}", one.name), one.lag);
    }
    lines.gauge("projection_lag_seconds", "For how long the next event of a read model has waited.");
    for one in &all {
        lines.value("projection_lag_seconds", &format!("{{projection=\"{}\"}}", one.name), one.lag_seconds);
    }
    lines.gauge("projection_state", "1 for the state that a read model is in.");
    for one in &all {
        for state in [ProjectionState::Running, ProjectionState::Paused, ProjectionState::Stopped] {
            let labels = format!("{{projection=\"{}\",state=\"{}\"}}", one.name, state.as_str());
            lines.value("projection_state", &labels, u8::from(one.state == state));
        }
    }
    // As it is on record, so those of other processes and of the command line as well.
    let running = |one: &'_ Status| one.rebuild.clone().filter(Rebuild::is_running);
    let rebuilding: Vec<(&str, Rebuild)> =
        all.iter().filter_map(|one| Some((one.name.as_str(), running(one)?))).collect();
    lines.gauge(
        "rebuild_events_per_second",
        "How fast a rebuild of any process reads the log; only while there is one.",
    );
    for (name, now) in &rebuilding {
        let labels = format!("{{projection=\"{name}\"}}");
        lines.value("rebuild_events_per_second", &labels, now.events_per_second);
    }
    lines.gauge(
        "rebuild_position",
        "How far a rebuild of any process has read the log; only while there is one.",
    );
    for (name, now) in &rebuilding {
        lines.value("rebuild_position", &format!("{{projection=\"{name}\"}}"), now.position);
    }
    connections(state, &mut lines).await?;
    lines.gauge("job_failed", "Whether the last run of a job failed.");
    for run in server_job_runs::latest(&state.pool).await? {
        let labels = format!("{{job=\"{}\"}}", run.job_name);
        lines.value("job_failed", &labels, u8::from(run.state == RunState::Failed.as_str()));
    }
    let policies = state.policies.status().await?;
    lines.gauge("policy_lag_events", "How many events a policy is behind the log.");
    for one in &policies {
        lines.value("policy_lag_events", &format!("{{policy=\"{}\"}}", one.name), one.lag);
    }
    lines.gauge("policy_parked_events", "Events that a policy has set aside; at most a hundred are counted.");
    for one in &policies {
        lines.value("policy_parked_events", &format!("{{policy=\"{}\"}}", one.name), one.parked.len());
    }
    lines.gauge("deliveries_waiting", "Notifications that wait to go out by a channel, and dead ones.");
    for (channel, delivery_state, count) in notification_deliveries::depth(&state.pool).await? {
        let labels = format!("{{channel=\"{channel}\",state=\"{delivery_state}\"}}");
        lines.value("deliveries_waiting", &labels, count);
    }
    lines.gauge("erasures_unfinished", "People who are being erased.");
    lines.value("erasures_unfinished", "", unfinished);
    Ok(lines.0)
}

/// The connections that PostgreSQL serves, of all processes, by what they call themselves: the pools, the lanes, the
/// read models' pool, and everybody who keeps one.
async fn connections(state: &AppState, lines: &mut Lines) -> Result<(), sqlx::Error> {
    let counted: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT application_name, count(*) FILTER (WHERE state = 'idle'), \
         count(*) FILTER (WHERE state IS DISTINCT FROM 'idle') FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE 'figure-ledger%' \
         GROUP BY application_name ORDER BY application_name",
    )
    .fetch_all(&state.pool)
    .await?;
    lines.gauge("database_connections", "Connections of all processes, by what they call themselves.");
    for (application, idle, used) in counted {
        for (state, count) in [("idle", idle), ("used", used)] {
            let labels = format!("{{application=\"{application}\",state=\"{state}\"}}");
            lines.value("database_connections", &labels, count);
        }
    }
    let sql = "SELECT current_setting('max_connections')::int \
               - current_setting('superuser_reserved_connections')::int";
    let most: i32 = sqlx::query_scalar(sql).fetch_one(&state.pool).await?;
    lines.gauge("database_connections_max", "How many PostgreSQL gives out, to everybody.");
    lines.value("database_connections_max", "", most);
    Ok(())
}
