//! `/api/me/identities`: the accounts elsewhere with which one signs in.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
};
use chrono::{DateTime, Utc};
use operational::{
    oidc_identities::{self, Link},
    users,
};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth_oidc, me::SIGN_IN_AGAIN};
use crate::{
    extract::Path,
    guard::client_address::ClientAddress,
    identity::InPerson,
    problem::{self, Kind, NOT_FOUND, Problem, TOO_MANY_ATTEMPTS},
    problems,
    state::AppState,
};

/// Unlinking would lock its owner out.
pub const ONLY_WAY_IN: Kind = Kind::new(
    StatusCode::CONFLICT,
    "only_way_in",
    "this identity is the only way into the account; set a password first, with PATCH /api/me",
);
const PROVIDER_DOWN: Kind = Kind::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "provider_unavailable",
    "the provider does not answer; try again later",
);

problems!(ListProblems = problem::SIGNED_IN);
problems!(
    LinkProblems = problem::SIGNED_IN,
    problem::WRITE,
    &[NOT_FOUND, PROVIDER_DOWN, TOO_MANY_ATTEMPTS, SIGN_IN_AGAIN]
);
problems!(UnlinkProblems = problem::SIGNED_IN, problem::WRITE, &[NOT_FOUND, ONLY_WAY_IN]);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(link, unlink))
}

/// One identity.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_identity)]
pub struct IdentityView {
    /// `google` or `generic`.
    provider: String,
    /// The address that the provider last told.
    email: Option<String>,
    linked_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

/// All of one's identities.
#[derive(Debug, Serialize, ToSchema)]
pub struct Identities {
    items: Vec<IdentityView>,
    /// Whether one can also sign in with a password.
    has_password: bool,
}

/// Where to go to link an identity.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkBegun {
    /// The provider's page, to be opened in the browser that sent this request.
    url: String,
}

/// An identity is linked no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unlinked {
    provider: String,
    /// Always true.
    unlinked: bool,
}

fn example_identity() -> Value {
    json!({
        "provider": "google",
        "email": "alice@example.org",
        "linked_at": "2026-01-17T09:30:00Z",
        "last_used_at": "2026-02-01T18:00:00Z"
    })
}

impl From<Link> for IdentityView {
    fn from(link: Link) -> Self {
        Self {
            provider: link.provider,
            email: link.email,
            linked_at: link.created_at,
            last_used_at: link.last_used_at,
        }
    }
}

/// One's identities elsewhere.
///
/// For whoever is signed in.
#[utoipa::path(
    get,
    path = "/api/me/identities",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The identities", body = Identities), ListProblems)
)]
async fn list(State(state): State<AppState>, who: InPerson) -> Result<Json<Identities>, Problem> {
    let links = oidc_identities::of_user(&state.pool, who.user.id).await?;
    let has_password = users::keeps_password(&state.pool, who.user.id).await?;
    Ok(Json(Identities { items: links.into_iter().map(IdentityView::from).collect(), has_password }))
}

/// Begins to link an identity to one's account.
///
/// For whoever is signed in, since ten minutes at most. The person has to go to the address in the answer, with the cookie that comes with it;
/// the link is made when they come back.
#[utoipa::path(
    post,
    path = "/api/me/identities/{provider}",
    tag = "me",
    security(("session" = [])),
    params(("provider" = String, Path, description = "`google` or `generic`", example = "google")),
    responses((status = 200, description = "Where to go", body = LinkBegun), LinkProblems)
)]
async fn link(
    State(state): State<AppState>,
    who: InPerson,
    ClientAddress(address): ClientAddress,
    Path(provider): Path<String>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<LinkBegun>), Problem> {
    let provider = state.oidc.get(&provider).ok_or(NOT_FOUND)?;
    let user = auth_oidc::may_link(who)?;
    state.attempts.take(address)?;
    let (url, cookie) = auth_oidc::begin(&state, provider, "/".to_owned(), Some(&user)).await?;
    Ok(([cookie], Json(LinkBegun { url: url.into() })))
}

/// Unlinks an identity.
///
/// For whoever is signed in. The last way into an account stays: 409 until it has a password.
#[utoipa::path(
    delete,
    path = "/api/me/identities/{provider}",
    tag = "me",
    security(("session" = [])),
    params(("provider" = String, Path, description = "`google` or `generic`", example = "google")),
    responses((status = 200, description = "It opens the account no more", body = Unlinked), UnlinkProblems)
)]
async fn unlink(
    State(state): State<AppState>,
    who: InPerson,
    Path(provider): Path<String>,
) -> Result<Json<Unlinked>, Problem> {
    match oidc_identities::unlink(&state.pool, who.user.id, &provider, &state.oidc.ids()).await? {
        true => Ok(Json(Unlinked { provider, unlinked: true })),
        false => Err(NOT_FOUND.into()),
    }
}
