//! `/api/figure-types` and `/api/admin/figure-types`: what kinds of figure there are.

use axum::{Json, extract::State};
use operational::figure_types::{self, FigureType, TypeCode, TypeLabel, TypeList, TypeRefused};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::Written,
    extract::{AdminUser, Body, CurrentUser},
    problem::{self, INVALID_FIELD, Problem},
    problems,
    state::AppState,
};

problems!(ReadProblems = problem::SIGNED_IN);
problems!(AdminReadProblems = problem::ADMIN);
problems!(ReplaceProblems = problem::ADMIN, problem::BODY);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(list_for_admins, replace))
}

/// The whole list that is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = example_types)]
pub struct ReplaceFigureTypes {
    /// 1 to 200 types, in the order in which they are shown.
    items: Vec<FigureTypeBody>,
}

/// One kind of figure.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FigureType)]
pub struct FigureTypeBody {
    /// Its lasting name: 1 to 40 of `a-z`, `0-9` and `_`.
    #[schema(value_type = String, example = "nendoroid", pattern = "^[a-z0-9][a-z0-9_]{0,39}$")]
    code: TypeCode,
    /// What people read: 1 to 80 characters.
    #[schema(value_type = String, example = "Nendoroid", min_length = 1, max_length = 80)]
    label: TypeLabel,
}

/// Every kind of figure, in the order in which they are shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_types)]
pub struct FigureTypes {
    /// The types.
    items: Vec<FigureTypeBody>,
}

fn example_types() -> Value {
    json!({"items": [
        {"code": "scale", "label": "Scale figure"},
        {"code": "nendoroid", "label": "Nendoroid"},
        {"code": "other", "label": "Other"}
    ]})
}

impl From<Vec<FigureType>> for FigureTypes {
    fn from(types: Vec<FigureType>) -> Self {
        let body = |one: FigureType| FigureTypeBody { code: one.code, label: one.label };
        Self { items: types.into_iter().map(body).collect() }
    }
}

/// What kinds of figure there are.
///
/// For whoever is signed in.
#[utoipa::path(
    get,
    path = "/api/figure-types",
    tag = "figure types",
    security(("session" = [])),
    responses((status = 200, description = "The list", body = FigureTypes), ReadProblems)
)]
async fn list(State(state): State<AppState>, _user: CurrentUser) -> Result<Json<FigureTypes>, Problem> {
    Ok(Json(figure_types::list(&state.pool).await?.into()))
}

/// What kinds of figure there are.
///
/// For admins.
#[utoipa::path(
    get,
    path = "/api/admin/figure-types",
    tag = "admin",
    security(("session" = [])),
    responses((status = 200, description = "The list", body = FigureTypes), AdminReadProblems)
)]
async fn list_for_admins(
    State(state): State<AppState>,
    _admin: AdminUser,
) -> Result<Json<FigureTypes>, Problem> {
    Ok(Json(figure_types::list(&state.pool).await?.into()))
}

/// Replaces the list of kinds of figure.
///
/// For admins. The list given takes the place of the one in force, all or nothing. Figures keep a type that
/// is taken off; no figure can be given it any more.
#[utoipa::path(
    put,
    path = "/api/admin/figure-types",
    tag = "admin",
    security(("session" = [])),
    request_body = ReplaceFigureTypes,
    responses((status = 200, description = "The list as it now is", body = FigureTypes), ReplaceProblems)
)]
async fn replace(
    State(state): State<AppState>,
    _admin: AdminUser,
    Body(given): Body<ReplaceFigureTypes>,
) -> Result<Written<FigureTypes>, Problem> {
    let types: Vec<FigureType> =
        given.items.into_iter().map(|one| FigureType { code: one.code, label: one.label }).collect();
    let list = TypeList::try_from(types).map_err(|refused: TypeRefused| {
        Problem::from(INVALID_FIELD).detail(refused.to_string()).field("items")
    })?;
    figure_types::replace(&state.pool, &list).await?;
    Ok(Written::done(figure_types::list(&state.pool).await?.into()))
}
