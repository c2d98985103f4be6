//! Films and models of scans: asking for them, and getting them.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use domain::ids::ScanId;
use operational::{
    app_settings::{self, CREATION_POLICY},
    renders::{self, Asked, MOST_OF_A_PERSON, RenderKind},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::photos::{NSFW_GATE, gate},
    OpenScan, SCAN_NOT_FOUND, digest, own,
    views::RenderView,
};
use crate::{
    answer::Written,
    extract::{Body, CurrentUser, Path, Query},
    perform::Caller,
    problem::{self, INVALID_FIELD, Kind, NOT_FOUND, Problem},
    problems,
    served::{self, Privacy, RANGE_NOT_SATISFIABLE},
    state::AppState,
    uploads::STORAGE_UNAVAILABLE,
};

const GSPLAT_NOT_ALLOWED: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "gsplat_not_allowed",
    "only admins may ask for 3D reconstructions here; ask for a turntable, or an admin",
);
const TOO_MANY_RENDERS: Kind = Kind::new(
    StatusCode::CONFLICT,
    "too_many_renders",
    "you have ten under way already; wait until one of them is done",
);

problems!(
    AskProblems = problem::SIGNED_IN,
    problem::BODY,
    &[SCAN_NOT_FOUND, GSPLAT_NOT_ALLOWED, TOO_MANY_RENDERS],
);
problems!(
    ShowProblems = problem::SIGNED_IN,
    problem::LISTING,
    &[SCAN_NOT_FOUND, NOT_FOUND, NSFW_GATE, RANGE_NOT_SATISFIABLE, STORAGE_UNAVAILABLE],
);

/// What to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AskRender)]
pub struct AskBody {
    /// `turntable`, a film of the frames, or `gsplat`, a 3D model.
    #[schema(example = "turntable")]
    kind: String,
}

/// Asks for a film or a 3D model of a scan.
///
/// For whoever is signed in, their own scans alone; a model (`gsplat`) only for admins, unless the setting
/// `gsplat.creation_policy` says `everyone`. It is made in the background: read the scan to see how far it is. While the same is under way, that is
/// the answer.
#[utoipa::path(
    post,
    path = "/api/scans/{id}/render",
    tag = "pictures",
    operation_id = "render_scan",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan")),
    request_body = AskBody,
    responses(
        (status = 201, description = "It is queued", body = RenderView),
        (status = 200, description = "It is under way already", body = RenderView),
        AskProblems
    )
)]
pub(super) async fn ask(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(body): Body<AskBody>,
) -> Result<Written<RenderView>, Problem> {
    let kind: RenderKind = body
        .kind
        .parse()
        .map_err(|()| Problem::from(INVALID_FIELD).detail("kind is turntable or gsplat").field("kind"))?;
    let scan = own(&state, &caller.user, id).await?;
    if kind == RenderKind::Gsplat && !caller.user.is_admin && !is_for_everyone(&state).await? {
        return Err(GSPLAT_NOT_ALLOWED.into());
    }
    match renders::ask(&state.pool, ScanId(scan.id), &digest(&scan), caller.user.id, kind).await? {
        Asked::Queued(render) => {
            state.renders.wake();
            let place = format!("/api/scans/{id}/renders/{}", render.id);
            Ok(Written::created(render.into(), place))
        }
        Asked::UnderWay(render) => Ok(Written::done(render.into())),
        Asked::TooMany => Err(Problem::from(TOO_MANY_RENDERS).extra("most", MOST_OF_A_PERSON)),
    }
}

async fn is_for_everyone(state: &AppState) -> Result<bool, Problem> {
    let policy: Option<String> =
        app_settings::get(&state.pool, CREATION_POLICY).await.map_err(|error| match error {
            app_settings::SettingError::Database(error) => Problem::from(error),
            shape @ app_settings::SettingError::Shape { .. } => Problem::internal(shape),
        })?;
    Ok(policy.as_deref() == Some("everyone"))
}

/// What was made of a scan.
///
/// For whoever is signed in, their own scans alone. A turntable is an animated WebP; a model is whatever the worker made.
/// Who hides NSFW figures is asked first, with `confirm_nsfw=true`.
#[utoipa::path(
    get,
    path = "/api/scans/{id}/renders/{render}",
    tag = "pictures",
    operation_id = "show_render",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The scan"), ("render" = Uuid, Path, description = "What was made"), OpenScan),
    responses((status = 200, description = "The file", content_type = "application/octet-stream"), ShowProblems)
)]
pub(super) async fn show(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path((id, render)): Path<(Uuid, Uuid)>,
    Query(query): Query<OpenScan>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scan = own(&state, &user, id).await?;
    gate(scan.is_nsfw, &user, query.confirm_nsfw)?;
    let render = renders::find(&state.pool, render).await?;
    let is_shown = |render: &renders::Render| render.scan_id == scan.id && render.is_of(&digest(&scan));
    let render = render.filter(is_shown).ok_or(NOT_FOUND)?;
    let key = render.blob_key.as_deref().and_then(|key| key.parse().ok()).ok_or(NOT_FOUND)?;
    let media_type = render.media_type.as_deref().unwrap_or("application/octet-stream");
    served::blob(&state, &headers, &key, media_type, Privacy::Private).await
}
