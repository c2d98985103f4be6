//! `/api/admin/settings`: policies of the instance that hold without a restart.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use operational::app_settings::{self, KNOWN, Known, Setting, SettingError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    extract::{AdminUser, Body, Path},
    pages::Page,
    problem::{self, INVALID_FIELD, NOT_FOUND, Problem},
    problems,
    state::AppState,
};

problems!(ListProblems = problem::ADMIN);
problems!(ReadProblems = problem::ADMIN, &[NOT_FOUND]);
problems!(WriteProblems = problem::ADMIN, problem::BODY, &[NOT_FOUND]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, write))
}

/// What a setting is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"value": "0 4 * * *"}))]
pub struct WriteSetting {
    /// Whatever the setting takes.
    value: Value,
}

/// A setting as it holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppSetting, example = example_setting)]
pub struct SettingView {
    key: &'static str,
    /// What it is for.
    meaning: &'static str,
    /// What holds now.
    value: Value,
    /// What holds as long as nobody sets it.
    default: Value,
    /// When somebody last set it.
    updated_at: Option<DateTime<Utc>>,
    /// Who did; null for people erased since.
    #[schema(value_type = Option<Uuid>)]
    updated_by: Option<UserId>,
}

fn example_setting() -> Value {
    json!({
        "key": "cote.price_cron",
        "meaning": "When market prices are asked for: five fields of cron, UTC. Empty: never",
        "value": "0 4 * * *",
        "default": "",
        "updated_at": "2026-11-01T18:20:00Z",
        "updated_by": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a"
    })
}

impl SettingView {
    fn of(known: &'static Known, set: Option<Setting>) -> Self {
        let (updated_at, updated_by) =
            set.as_ref().map_or((None, None), |set| (Some(set.updated_at), set.updated_by));
        Self {
            key: known.key,
            meaning: known.meaning,
            value: set.map_or_else(|| known.default(), |set| set.value),
            default: known.default(),
            updated_at,
            updated_by,
        }
    }
}

/// Every setting.
///
/// For admins. By key; `next_cursor` is always null.
#[utoipa::path(
    get,
    path = "/api/admin/settings",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "The settings", body = Page<SettingView>), ListProblems)
)]
async fn list(State(state): State<AppState>, _admin: AdminUser) -> Result<Json<Page<SettingView>>, Problem> {
    let mut set = app_settings::list(&state.pool).await?;
    let mut items = Vec::with_capacity(KNOWN.len());
    for known in KNOWN {
        let place = set.iter().position(|set| set.key == known.key);
        items.push(SettingView::of(known, place.map(|place| set.swap_remove(place))));
    }
    Ok(Json(Page { items, next_cursor: None }))
}

/// One setting.
///
/// For admins.
#[utoipa::path(
    get,
    path = "/api/admin/settings/{key}",
    tag = "admin",
    security(("session" = [])),
    params(("key" = String, Path, description = "The setting's key", example = "cote.price_cron")),
    responses((status = 200, description = "The setting", body = SettingView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    _admin: AdminUser,
    Path(key): Path<String>,
) -> Result<Json<SettingView>, Problem> {
    let known = Known::find(&key).ok_or(NOT_FOUND)?;
    Ok(Json(SettingView::of(known, app_settings::find(&state.pool, known.key).await?)))
}

/// Changes a setting.
///
/// For admins. It holds at once, in every process, without a restart. What the setting cannot be is refused with what
/// it can.
#[utoipa::path(
    put,
    path = "/api/admin/settings/{key}",
    tag = "admin",
    security(("session" = [])),
    params(("key" = String, Path, description = "The setting's key", example = "cote.price_cron")),
    request_body = WriteSetting,
    responses((status = 200, description = "The setting as it now holds", body = SettingView), WriteProblems)
)]
async fn write(
    State(state): State<AppState>,
    admin: AdminUser,
    Path(key): Path<String>,
    Body(given): Body<WriteSetting>,
) -> Result<Written<SettingView>, Problem> {
    let known = Known::find(&key).ok_or(NOT_FOUND)?;
    let value = known
        .checked(&given.value)
        .map_err(|wrong| Problem::from(INVALID_FIELD).detail(wrong).field("value"))?;
    app_settings::set(&state.pool, known.key, &value, Some(admin.id)).await?;
    Ok(Written::done(SettingView::of(known, app_settings::find(&state.pool, known.key).await?)))
}

impl From<SettingError> for Problem {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Database(error) => error.into(),
            error @ SettingError::Shape { .. } => Self::internal(error),
        }
    }
}
