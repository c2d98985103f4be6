//! `/api/me/calendar` and `/api/calendar/{token}.ics`: releases and deliveries for a calendar program to follow.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use headers::{ETag, HeaderMapExt, IfNoneMatch};
use operational::share_links::{Kind as LinkKind, Shared};
use projections::preorders;
use sha2::{Digest, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::share_links::{self, Address, BY_LINK, LINK_UNKNOWN, LinkMade, LinkStands, LinkToken, NOT_SHARED};
use crate::{
    answer::Written,
    calendar,
    guard::{fresh, links},
    identity::InPerson,
    problem::{self, Problem},
    problems,
    shown::hides_nsfw,
    state::AppState,
};

/// The read models that the feed is made of.
const READS: &[&str] = &["preorders", "collection", "figures"];
const PLACE: &str = "/api/me/calendar";
const ADDRESS: Address = ("/api/calendar/", ENDING);
const ENDING: &str = ".ics";
/// Long enough for a program that asks twice, short enough for a link that ends.
const KEPT: HeaderValue = HeaderValue::from_static("private, max-age=60");

problems!(LinkProblems = problem::SIGNED_IN);
problems!(BeginProblems = problem::SIGNED_IN, problem::WRITE);
problems!(EndProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_SHARED]);
problems!(FeedProblems = BY_LINK);

/// The routes of this resource.
pub fn routes(state: &AppState) -> OpenApiRouter<AppState> {
    let own = OpenApiRouter::new().routes(routes!(stands, begin, end));
    let by_link = OpenApiRouter::new()
        .routes(routes!(feed))
        .layer(from_fn_with_state(fresh::reads(state, READS), fresh::wait))
        .layer(from_fn_with_state(state.clone(), links::guard));
    own.merge(by_link)
}

/// Whether there is a link to one's calendar.
///
/// For whoever is signed in. Not with its token.
#[utoipa::path(
    get,
    path = "/api/me/calendar",
    tag = "pre-orders",
    security(("session" = [])),
    responses((status = 200, description = "Whether there is a link", body = LinkStands), LinkProblems)
)]
async fn stands(State(state): State<AppState>, who: InPerson) -> Result<Json<LinkStands>, Problem> {
    share_links::stands(&state, &who.user, Shared::Calendar).await
}

/// Makes a link to one's calendar.
///
/// For whoever is signed in. A calendar program that subscribes to it shows when one's pre-orders are released and
/// delivered, and follows when a date moves. The token is in this answer and nowhere else: what is kept is a hash. A
/// link that there was before opens nothing any more. An `Idempotency-Key` is not looked at, since its record would
/// keep the token.
#[utoipa::path(
    post,
    path = "/api/me/calendar",
    tag = "pre-orders",
    security(("session" = [])),
    responses((status = 201, description = "The link, this once with its token", body = LinkMade), BeginProblems)
)]
async fn begin(
    State(state): State<AppState>,
    who: InPerson,
) -> Result<([(HeaderName, HeaderValue); 1], Written<LinkMade>), Problem> {
    share_links::begin(&state, &who.user, Shared::Calendar, ADDRESS, PLACE).await
}

/// Ends the link to one's calendar.
///
/// For whoever is signed in. It opens nothing from now on.
#[utoipa::path(
    delete,
    path = "/api/me/calendar",
    tag = "pre-orders",
    security(("session" = [])),
    responses((status = 200, description = "There is no link any more", body = LinkStands), EndProblems)
)]
async fn end(State(state): State<AppState>, who: InPerson) -> Result<Json<LinkStands>, Problem> {
    share_links::end(&state, &who.user, Shared::Calendar).await
}

/// A calendar behind a link.
///
/// Anybody may read it who has the link. iCalendar (RFC 5545): an all-day event for the release of each live
/// pre-order, and one for its delivery once it is on its way. A release that is announced for a month or a year is on
/// the first day of it and says so. Each event keeps its `UID` when its date moves. With the `ETag` of the answer
/// before as `If-None-Match`, 304 when nothing has changed. NSFW figures are left out unless the owner shows them on
/// their profile and does not hide them, and are then of the category `NSFW`.
#[utoipa::path(
    get,
    path = "/api/calendar/{token}",
    tag = "pre-orders",
    params(("token" = String, Path, description = "The link's token and `.ics`")),
    responses(
        (status = 200, description = "The calendar", body = String, content_type = "text/calendar"),
        (status = 304, description = "It is what `If-None-Match` names"),
        FeedProblems
    )
)]
async fn feed(
    State(state): State<AppState>,
    LinkToken(file): LinkToken,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let token = file.strip_suffix(ENDING).ok_or(LINK_UNKNOWN)?;
    let link = share_links::open(&state, LinkKind::Calendar, token).await?;
    // Its reader is nobody who is known here, and its owner first of all.
    let hide = share_links::nsfw(&link, None).leaves_out() || hides_nsfw(&link.owner);
    let text = calendar::feed(&preorders::dated(&state.pool, link.owner.id, hide).await?);
    let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&text));
    let tag: ETag = format!("\"{digest}\"").parse().map_err(Problem::internal)?;
    let is_new = asked.typed_get::<IfNoneMatch>().is_none_or(|known| known.precondition_passes(&tag));
    let mut response = match is_new {
        true => {
            let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        false => StatusCode::NOT_MODIFIED.into_response(),
    };
    response.headers_mut().typed_insert(tag);
    response.headers_mut().insert(header::CACHE_CONTROL, KEPT);
    Ok(response)
}
