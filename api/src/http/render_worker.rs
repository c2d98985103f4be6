//! `/api/render-worker`: for programs that make films and 3D models of scans, on a machine with a GPU.
//!
//! They send `RENDER_WORKER_TOKEN`, take one scan at a time, and have it as long as they say that they are still at it.

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::ids::ScanId;
use operational::renders::{self, Made, Render, RenderKind};
use projections::pictures::OwnedScan;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;
use workers::renders::{LEASE, Useless, again, scan_of};

use crate::{
    extract::{Body, Path, Query},
    http::{metrics::same, scans::FRAME_NOT_FOUND},
    problem::{self, BODY_CUT_OFF, BODY_TOO_LARGE, BODY_TOO_SLOW, BUSY, INVALID_FIELD, Kind, Problem},
    problems,
    served::{self, Privacy},
    state::AppState,
    uploads::{self, STORAGE_UNAVAILABLE},
};

/// Most bytes of a result.
const RESULT_LIMIT: usize = 64 * 1024 * 1024;
/// What a result may be. None of them is anything that a browser would run.
const MEDIA_TYPES: [&str; 6] = [
    "image/webp",
    "video/mp4",
    "model/gltf-binary",
    "application/x-ply",
    "application/x-splat",
    "application/octet-stream",
];

const NO_WORKER: Kind = Kind::new(
    StatusCode::UNAUTHORIZED,
    "no_worker",
    "this is for workers that send RENDER_WORKER_TOKEN as a bearer token; the operator sets it",
);
const LEASE_OVER: Kind = Kind::new(
    StatusCode::CONFLICT,
    "lease_over",
    "this is not yours any more: the lease ran out, the scan is gone, or its frames are others now; leave it, and \
     claim the next",
);

problems!(ClaimProblems = problem::BODY, &[NO_WORKER]);
problems!(GoOnProblems = problem::BODY, &[NO_WORKER, LEASE_OVER]);
problems!(FrameProblems = problem::LISTING, &[NO_WORKER, LEASE_OVER, FRAME_NOT_FOUND, STORAGE_UNAVAILABLE]);
problems!(
    ResultProblems = problem::WRITE,
    problem::LISTING,
    &[NO_WORKER, LEASE_OVER, BODY_TOO_LARGE, BODY_TOO_SLOW, BODY_CUT_OFF, BUSY, STORAGE_UNAVAILABLE],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(claim))
        .routes(routes!(go_on))
        .routes(routes!(frame))
        .routes(routes!(result))
        .routes(routes!(failed))
}

/// Somebody who sent the token.
struct Worker;

impl FromRequestParts<AppState> for Worker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let offered = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let offered = offered.and_then(|value| value.strip_prefix("Bearer "));
        let token = state.config.render_worker_token.as_ref().map(|token| token.as_str());
        match offered.zip(token).is_some_and(|(offered, token)| same(offered, token)) {
            true => Ok(Self),
            false => Err(NO_WORKER.into()),
        }
    }
}

/// What a worker can make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ClaimRender)]
pub struct ClaimBody {
    /// `turntable`, `gsplat` or both.
    #[schema(example = json!(["gsplat"]))]
    kinds: Vec<String>,
    /// What it calls itself, for admins; at most 100 characters.
    #[schema(example = "garage-4090")]
    worker: String,
}

/// Something to make.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example)]
pub struct ClaimedRender {
    id: Uuid,
    /// `turntable` or `gsplat`.
    kind: String,
    /// Goes with everything that is said of it.
    lease: Uuid,
    /// Until when it is the worker's, unless it goes on.
    leased_until: DateTime<Utc>,
    /// Which try this is, from 1.
    attempt: i32,
    /// Where the frames are, in their order.
    frames: Vec<String>,
}

/// That a worker is still at it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GoOnWithRender)]
pub struct GoOnBody {
    lease: Uuid,
    /// Percent.
    progress: i32,
}

/// Until when it has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoesOn {
    leased_until: DateTime<Utc>,
}

/// That it came to nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = FailRender)]
pub struct FailBody {
    lease: Uuid,
    /// Why, in a sentence, for the owner and for admins.
    reason: String,
    /// Whether another try may do better.
    again: bool,
}

/// Which lease.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Lease {
    /// The lease.
    lease: Uuid,
}

fn example() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4d01",
        "kind": "gsplat",
        "lease": "7a4f9a0c-0a55-4c3a-9f0a-3b1f8c1f4a11",
        "leased_until": "2026-11-02T10:16:00Z",
        "attempt": 1,
        "frames": ["/api/render-worker/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4d01/frames/0"]
    })
}

/// What is made under a lease, and the scan that it is made of. Where that has other frames by now, it ends here.
async fn under(state: &AppState, id: Uuid, lease: Uuid) -> Result<(Render, OwnedScan), Problem> {
    let render = renders::under(&state.pool, id, lease).await?.ok_or(LEASE_OVER)?;
    match scan_of(&state.pool, ScanId(render.scan_id), render.frames.as_deref()).await {
        Ok(scan) => Ok((render, scan)),
        Err(Useless::Database(error)) => Err(error.into()),
        Err(useless) => {
            renders::fail(&state.pool, id, lease, &useless.to_string(), None).await?;
            Err(LEASE_OVER.into())
        }
    }
}

/// Takes the scan that waits longest.
///
/// Anybody who sends `RENDER_WORKER_TOKEN` may. It is theirs for a minute; a heartbeat makes it a minute more. What a worker
/// leaves is tried again, three times in all.
#[utoipa::path(
    post,
    path = "/api/render-worker/claim",
    tag = "render workers",
    operation_id = "claim_render",
    request_body = ClaimBody,
    responses(
        (status = 200, description = "What to make", body = ClaimedRender),
        (status = 204, description = "Nothing waits; ask again in some seconds"),
        ClaimProblems
    )
)]
async fn claim(
    State(state): State<AppState>,
    _worker: Worker,
    Body(body): Body<ClaimBody>,
) -> Result<Response, Problem> {
    let invalid =
        |field: &'static str, detail: &'static str| Problem::from(INVALID_FIELD).detail(detail).field(field);
    let kinds: Result<Vec<RenderKind>, ()> = body.kinds.iter().map(|kind| kind.parse()).collect();
    let kinds = kinds.ok().filter(|kinds| !kinds.is_empty());
    let kinds = kinds.ok_or_else(|| invalid("kinds", "at least one of turntable, gsplat"))?;
    let name = body.worker.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(invalid("worker", "1 to 100 characters that can be seen"));
    }
    // What is of no use any more is not anything to bother a worker with. Each of these ends here, so there is an end.
    while let Some(claimed) = renders::claim(&state.pool, &kinds, name, LEASE).await? {
        let scan = match scan_of(&state.pool, ScanId(claimed.scan_id), claimed.frames.as_deref()).await {
            Ok(scan) => scan,
            Err(Useless::Database(error)) => return Err(error.into()),
            Err(useless) => {
                renders::fail(&state.pool, claimed.id, claimed.lease, &useless.to_string(), None).await?;
                continue;
            }
        };
        let frames = (0..scan.frames.len()).map(|n| format!("/api/render-worker/{}/frames/{n}", claimed.id));
        return Ok(Json(ClaimedRender {
            id: claimed.id,
            kind: claimed.kind,
            lease: claimed.lease,
            leased_until: claimed.leased_until,
            attempt: claimed.attempts,
            frames: frames.collect(),
        })
        .into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Says that a worker is still at it.
///
/// Anybody who sends `RENDER_WORKER_TOKEN` and has the lease may.
#[utoipa::path(
    post,
    path = "/api/render-worker/{id}/heartbeat",
    tag = "render workers",
    operation_id = "go_on_with_render",
    params(("id" = Uuid, Path, description = "What is made")),
    request_body = GoOnBody,
    responses((status = 200, description = "Until when it has it", body = GoesOn), GoOnProblems)
)]
async fn go_on(
    State(state): State<AppState>,
    _worker: Worker,
    Path(id): Path<Uuid>,
    Body(body): Body<GoOnBody>,
) -> Result<Json<GoesOn>, Problem> {
    under(&state, id, body.lease).await?;
    let leased_until = renders::go_on(&state.pool, id, body.lease, body.progress, LEASE).await?;
    Ok(Json(GoesOn { leased_until: leased_until.ok_or(LEASE_OVER)? }))
}

/// A frame of the scan.
///
/// Anybody who sends `RENDER_WORKER_TOKEN` and has the lease may. At full size, as it is kept.
#[utoipa::path(
    get,
    path = "/api/render-worker/{id}/frames/{n}",
    tag = "render workers",
    operation_id = "read_render_frame",
    params(("id" = Uuid, Path, description = "What is made"), ("n" = usize, Path, description = "Which, from 0"), Lease),
    responses((status = 200, description = "The picture", content_type = "image/*"), FrameProblems)
)]
async fn frame(
    State(state): State<AppState>,
    _worker: Worker,
    Path((id, n)): Path<(Uuid, usize)>,
    Query(Lease { lease }): Query<Lease>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, scan) = under(&state, id, lease).await?;
    let frame = scan.frames.get(n).ok_or(FRAME_NOT_FOUND)?;
    served::blob(&state, &headers, &frame.original, frame.media_type.as_str(), Privacy::Private).await
}

fn media_type(headers: &HeaderMap) -> Result<&'static str, Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    MEDIA_TYPES.into_iter().find(|known| Some(*known) == said).ok_or_else(|| {
        let detail = format!("Content-Type is one of {}", MEDIA_TYPES.join(", "));
        Problem::from(INVALID_FIELD).detail(detail).field("Content-Type")
    })
}

/// Hands the result in.
///
/// Anybody who sends `RENDER_WORKER_TOKEN` and has the lease may. The body is the file, at most 64 MiB. It may take 15
/// minutes to arrive, and pause for 30 seconds; heartbeats go on meanwhile. `Content-Type` says what it is:
/// `image/webp`, `video/mp4`, `model/gltf-binary`, `application/x-ply`, `application/x-splat` or
/// `application/octet-stream`.
#[utoipa::path(
    put,
    path = "/api/render-worker/{id}/result",
    tag = "render workers",
    operation_id = "finish_render",
    params(("id" = Uuid, Path, description = "What was made"), Lease),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The file"),
    responses((status = 204, description = "It is done"), ResultProblems)
)]
async fn result(
    State(state): State<AppState>,
    _worker: Worker,
    Path(id): Path<Uuid>,
    Query(Lease { lease }): Query<Lease>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let media_type = media_type(request.headers());
    let ready = async {
        let media_type = media_type?;
        under(&state, id, lease).await?;
        let place = state.results.try_acquire();
        let place = place.map_err(|_full| Problem::from(BUSY).header(header::RETRY_AFTER, 5_i64))?;
        Ok::<_, Problem>((media_type, place))
    };
    let (media_type, _place) = match ready.await {
        Ok(ready) => ready,
        Err(problem) => return Err(uploads::turned_away(request, problem).await),
    };
    let content = uploads::whole(request, RESULT_LIMIT).await?;
    if content.is_empty() {
        return Err(Problem::from(INVALID_FIELD).detail("the body is empty; send the file"));
    }
    // It may have taken long to arrive.
    under(&state, id, lease).await?;
    let bytes = i64::try_from(content.len()).unwrap_or(i64::MAX);
    let key = state.blobs.put(content, media_type).await?;
    match renders::finish(&state.pool, id, lease, Made { key: &key, media_type, bytes }).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(LEASE_OVER.into()),
    }
}

/// Gives it up.
///
/// Anybody who sends `RENDER_WORKER_TOKEN` and has the lease may. It is tried again in a while if another try may do better, three times in all.
#[utoipa::path(
    post,
    path = "/api/render-worker/{id}/failed",
    tag = "render workers",
    operation_id = "fail_render",
    params(("id" = Uuid, Path, description = "What came to nothing")),
    request_body = FailBody,
    responses((status = 204, description = "It is on record"), GoOnProblems)
)]
async fn failed(
    State(state): State<AppState>,
    _worker: Worker,
    Path(id): Path<Uuid>,
    Body(body): Body<FailBody>,
) -> Result<StatusCode, Problem> {
    let (render, _) = under(&state, id, body.lease).await?;
    let when = body.again.then(|| again(render.attempts));
    match renders::fail(&state.pool, id, body.lease, body.reason.trim(), when).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(LEASE_OVER.into()),
    }
}
