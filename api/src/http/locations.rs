//! `/api/me/locations`: the cabinets of one's collection, and whatever else was typed as a location.

use axum::{Json, extract::State, middleware::from_fn_with_state};
use domain::{
    commands::{CabinetCommand, ChangeCabinets},
    ids::CabinetId,
    refusal::Code,
    stream::{Position, Version},
    text::Location,
};
use operational::share_links::{self, Shared};
use projections::collection::{self, LocationSum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::owned::Deleted;
use crate::{
    answer::Written,
    extract::{Command, CurrentUser, IdempotencyKey, IfMatch, Path},
    guard::fresh,
    pages::Page,
    perform::{Caller, gone_since},
    problem::{self, Kind, Problem},
    problems, shown,
    state::AppState,
};

/// The read models that a location is answered from.
const READS: &[&str] = &["collection", "cote"];
/// Where they are.
const PLACE: &str = "/api/me/locations";

const CABINET_NOT_FOUND: Kind =
    Kind::refusal(Code::CabinetNotFound, "there is no such cabinet in your collection");
const CABINET_NAME_TAKEN: Kind =
    Kind::refusal(Code::CabinetNameTaken, "another cabinet has this name; case does not tell them apart")
        .on("name");
const TOO_MANY: Kind = Kind::refusal(Code::TooMany, "a collection has at most 500 cabinets");

problems!(ListProblems = problem::SIGNED_IN);
problems!(ReadProblems = problem::SIGNED_IN, &[CABINET_NOT_FOUND]);
problems!(
    MakeProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[CABINET_NAME_TAKEN, TOO_MANY],
);
problems!(
    RenameProblems = problem::SIGNED_IN,
    problem::BODY,
    problem::COMMAND,
    &[CABINET_NOT_FOUND, CABINET_NAME_TAKEN],
);
problems!(DeleteProblems = problem::SIGNED_IN, problem::WRITE, problem::COMMAND, &[CABINET_NOT_FOUND]);
problems!(OrderProblems = problem::SIGNED_IN, problem::BODY, problem::COMMAND, &[CABINET_NOT_FOUND]);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(order))
        .routes(routes!(read, rename, delete))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
}

/// A location's name.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Vitrine by the window"}))]
pub struct NameLocation {
    /// 1 to 120 characters. Case does not tell two apart.
    #[schema(value_type = String, min_length = 1, max_length = 120)]
    name: Location,
}

/// The order of one's cabinets.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"ids": ["0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b21", "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20"]}))]
pub struct OrderLocations {
    /// Every registered cabinet exactly once.
    ids: Vec<Uuid>,
}

/// A place where pieces stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Location, example = example_location)]
pub struct LocationView {
    /// Its registration; null for a name that is only typed on pieces, and for the unshelved.
    id: Option<Uuid>,
    /// Its name; null for the unshelved.
    name: Option<String>,
    /// `registered`, `typed` (on pieces only) or `unshelved` (the pieces that stand nowhere).
    kind: &'static str,
    /// How many pieces stand there. Archived ones and those yet to be received do not count.
    piece_count: i64,
    /// How many of them have a value.
    valued_count: i64,
    /// What they are worth, a sum for each currency: the owner's valuation of each, else the market price, else the
    /// list price.
    value: Vec<Sum>,
}

/// An amount in its currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"currency": "EUR", "amount": "1290.00"}))]
pub struct Sum {
    pub(crate) currency: String,
    /// A decimal string.
    pub(crate) amount: String,
}

fn example_location() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b20",
        "name": "Vitrine by the window",
        "kind": "registered",
        "piece_count": 14,
        "valued_count": 13,
        "value": [{"currency": "EUR", "amount": "1290.00"}, {"currency": "JPY", "amount": "84000"}]
    })
}

impl From<LocationSum> for LocationView {
    fn from(place: LocationSum) -> Self {
        let kind = match (&place.cabinet, &place.name) {
            (Some(_), _) => "registered",
            (None, Some(_)) => "typed",
            (None, None) => "unshelved",
        };
        let sum = |(currency, amount): (String, _)| Sum {
            amount: shown::amount(amount, Some(&currency)),
            currency,
        };
        Self {
            id: place.cabinet.map(|cabinet| cabinet.id),
            name: place.name,
            kind,
            piece_count: place.pieces,
            valued_count: place.valued,
            value: place.value.into_iter().map(sum).collect(),
        }
    }
}

/// The whole list: it is bounded by how many names one person types, so it comes in one page.
async fn all(state: &AppState, caller: domain::ids::UserId) -> Result<Page<LocationView>, Problem> {
    let places = collection::locations(&state.pool, caller).await?;
    Ok(Page { items: places.into_iter().map(Into::into).collect(), next_cursor: None })
}

async fn written(
    state: &AppState,
    caller: &Caller,
    id: CabinetId,
    position: Position,
) -> Result<Written<LocationView>, Problem> {
    state.readable(position, READS, &format!("{PLACE}/{id}")).await?;
    let found = found(state, caller.user.id, id).await;
    Ok(found.map_err(|problem| gone_since(problem, position))?.at(position))
}

async fn found(
    state: &AppState,
    user: domain::ids::UserId,
    id: CabinetId,
) -> Result<Written<LocationView>, Problem> {
    let place = collection::cabinet(&state.pool, user, id).await?.ok_or(CABINET_NOT_FOUND)?;
    let version = place.cabinet.as_ref().map_or(0, |cabinet| cabinet.version);
    Ok(Written::done(LocationView::from(place)).version(Version(version)))
}

/// Where one's pieces stand.
///
/// For whoever is signed in. The registered cabinets in their order, then what is only typed on pieces by
/// name, then the unshelved. All of one's pieces count, NSFW ones too.
#[utoipa::path(
    get,
    path = "/api/me/locations",
    tag = "collection",
    operation_id = "list_locations",
    security(("session" = [])),
    responses((status = 200, description = "Every place, in one page", body = Page<LocationView>), ListProblems)
)]
async fn list(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
) -> Result<Json<Page<LocationView>>, Problem> {
    Ok(Json(all(&state, user.id).await?))
}

/// One registered cabinet.
///
/// For whoever is signed in; other people's cabinets are not found.
#[utoipa::path(
    get,
    path = "/api/me/locations/{id}",
    tag = "collection",
    operation_id = "read_location",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    responses((status = 200, description = "The cabinet", body = LocationView), ReadProblems)
)]
async fn read(
    State(state): State<AppState>,
    CurrentUser(user): CurrentUser,
    Path(id): Path<Uuid>,
) -> Result<Written<LocationView>, Problem> {
    found(&state, user.id, CabinetId(id)).await
}

/// Registers a cabinet.
///
/// For whoever is signed in. Pieces on which its name was typed already stand in it.
#[utoipa::path(
    post,
    path = "/api/me/locations",
    tag = "collection",
    operation_id = "make_location",
    security(("session" = [])),
    request_body = NameLocation,
    responses((status = 201, description = "The cabinet", body = LocationView), MakeProblems)
)]
async fn make(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<NameLocation>,
) -> Result<Written<LocationView>, Problem> {
    let cabinet_id = CabinetId(Uuid::now_v7());
    let change = CabinetCommand::Create { cabinet_id, name: body.name };
    let command = ChangeCabinets { user_id: caller.user.id, change };
    let done = state.perform(&caller, idempotency, &command).await?;
    let id = done.answer.unwrap_or(cabinet_id);
    let made = written(&state, &caller, id, done.position).await?;
    Ok(made.made_at(format!("{PLACE}/{id}")))
}

/// Renames a cabinet.
///
/// For whoever is signed in; other people's cabinets are not found. Its pieces move along.
#[utoipa::path(
    patch,
    path = "/api/me/locations/{id}",
    tag = "collection",
    operation_id = "rename_location",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    request_body = NameLocation,
    responses((status = 200, description = "The cabinet as it now is", body = LocationView), RenameProblems)
)]
async fn rename(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    Command { body, idempotency }: Command<NameLocation>,
) -> Result<Written<LocationView>, Problem> {
    let cabinet_id = CabinetId(id);
    let change = CabinetCommand::Rename { cabinet_id, expected, name: body.name };
    let command = ChangeCabinets { user_id: caller.user.id, change };
    let done = state.perform(&caller, idempotency, &command).await?;
    written(&state, &caller, cabinet_id, done.position).await
}

/// Deletes a cabinet.
///
/// For whoever is signed in; other people's cabinets are not found. Its pieces are unshelved and never
/// deleted.
#[utoipa::path(
    delete,
    path = "/api/me/locations/{id}",
    tag = "collection",
    operation_id = "delete_location",
    security(("session" = [])),
    params(("id" = Uuid, Path, description = "The cabinet")),
    responses((status = 200, description = "It is gone", body = Deleted), DeleteProblems)
)]
async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    IfMatch(expected): IfMatch,
    IdempotencyKey(idempotency): IdempotencyKey,
) -> Result<Written<Deleted>, Problem> {
    let change = CabinetCommand::Delete { cabinet_id: CabinetId(id), expected };
    let command = ChangeCabinets { user_id: caller.user.id, change };
    let done = state.perform(&caller, idempotency, &command).await?;
    // A link to it finds no cabinet any more; this only takes what is left of it.
    share_links::end(&state.pool, caller.user.id, Shared::Cabinet(CabinetId(id))).await?;
    state.readable(done.position, READS, PLACE).await?;
    Ok(Written::done(Deleted { id, deleted: true }).at(done.position))
}

/// Puts the cabinets in order.
///
/// For whoever is signed in. Every registered cabinet is named exactly once.
#[utoipa::path(
    put,
    path = "/api/me/locations/order",
    tag = "collection",
    operation_id = "order_locations",
    security(("session" = [])),
    request_body = OrderLocations,
    responses(
        (status = 200, description = "Every place, in one page", body = Page<LocationView>),
        OrderProblems
    )
)]
async fn order(
    State(state): State<AppState>,
    caller: Caller,
    Command { body, idempotency }: Command<OrderLocations>,
) -> Result<Written<Page<LocationView>>, Problem> {
    let change = CabinetCommand::Order { cabinet_ids: body.ids.into_iter().map(CabinetId).collect() };
    let command = ChangeCabinets { user_id: caller.user.id, change };
    let done = state.perform(&caller, idempotency, &command).await?;
    state.readable(done.position, READS, PLACE).await?;
    Ok(Written::done(all(&state, caller.user.id).await?).at(done.position))
}
