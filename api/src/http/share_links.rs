//! What links to a wishlist, a cabinet and a calendar have in common.

use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams},
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
};
use chrono::{DateTime, Utc};
use operational::{
    share_links::{self, Kind, Opened, Shared},
    users::User,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{api_keys::UNKEPT, auth_reset};
use crate::{
    answer::Written,
    problem::{self, Kind as Refusal, Problem, SUSPENDED},
    shown::PublicNsfw,
    state::AppState,
};

/// One answer, whatever is wrong with the link.
pub(super) const LINK_UNKNOWN: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "link_unknown",
    "this link opens nothing: it never did, was replaced by a newer one, or is no longer shared",
);
/// There is nothing to stop.
pub(super) const NOT_SHARED: Refusal =
    Refusal::new(StatusCode::NOT_FOUND, "not_shared", "this is not shared by a link");
/// What everything behind a link may refuse.
pub(super) const BY_LINK: &[Refusal] = &[LINK_UNKNOWN, problem::TOO_MANY_ATTEMPTS];

/// A link, this once with its token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "token": "QSBsaW5rIHRvIGZpZ3VyZXMsIGZpZ3VyZXMsIGZpZ3VyZXM",
    "url": "https://figures.example/api/g/QSBsaW5rIHRvIGZpZ3VyZXMsIGZpZ3VyZXMsIGZpZ3VyZXM",
    "shared_at": "2026-11-02T08:15:00Z"
}))]
pub struct LinkMade {
    /// What opens it. It cannot be shown again.
    token: String,
    /// The address to give to others, with the token in it.
    url: String,
    shared_at: DateTime<Utc>,
}

/// Whether something is shared by a link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"shared": true, "shared_at": "2026-11-02T08:15:00Z"}))]
pub struct LinkStands {
    shared: bool,
    /// When the link in force was made; null when there is none. Its token cannot be shown again.
    shared_at: Option<DateTime<Utc>>,
}

/// Where a link leads: what stands before its token, and after it.
pub(super) type Address = (&'static str, &'static str);

/// Makes a link, or a new one in the place of the one there is. `place` is where one asks whether there is a link.
pub(super) async fn begin(
    state: &AppState,
    owner: &User,
    shared: Shared,
    (before, after): Address,
    place: &str,
) -> Result<([(HeaderName, HeaderValue); 1], Written<LinkMade>), Problem> {
    let (token, shared_at) = share_links::begin(&state.pool, owner.id, shared).await?.ok_or(SUSPENDED)?;
    let url = format!("{}{before}{}{after}", auth_reset::place(&state.config), token.as_str());
    let made = LinkMade { token: token.as_str().to_owned(), url, shared_at };
    Ok((UNKEPT, Written::created(made, place)))
}

/// Whether there is a link.
pub(super) async fn stands(
    state: &AppState,
    owner: &User,
    shared: Shared,
) -> Result<Json<LinkStands>, Problem> {
    let shared_at = share_links::since(&state.pool, owner.id, shared).await?;
    Ok(Json(LinkStands { shared: shared_at.is_some(), shared_at }))
}

/// Ends a link.
pub(super) async fn end(state: &AppState, owner: &User, shared: Shared) -> Result<Json<LinkStands>, Problem> {
    match share_links::end(&state.pool, owner.id, shared).await? {
        true => Ok(Json(LinkStands { shared: false, shared_at: None })),
        false => Err(NOT_SHARED.into()),
    }
}

/// The part of an address that opens it, whatever it is made of.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct LinkToken(pub(super) String);

impl FromRequestParts<AppState> for LinkToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Ok(places) = RawPathParams::from_request_parts(parts, state).await else {
            return Err(LINK_UNKNOWN.into());
        };
        let token = places.iter().find(|(name, _)| *name == "token").map(|(_, token)| Self(token.to_owned()));
        token.ok_or_else(|| LINK_UNKNOWN.into())
    }
}

/// What a token opens.
///
/// # Errors
/// [`LINK_UNKNOWN`], or when the database does not answer.
pub(super) async fn open(state: &AppState, kind: Kind, token: &str) -> Result<Opened, Problem> {
    share_links::opened(&state.pool, kind, token).await?.ok_or_else(|| LINK_UNKNOWN.into())
}

/// What this viewer is shown of NSFW figures behind a link.
pub(super) fn nsfw(link: &Opened, viewer: Option<&User>) -> PublicNsfw {
    PublicNsfw::of(&link.owner, viewer)
}
