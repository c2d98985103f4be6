//! `/api/me`: the account of whoever is signed in.

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
};
use chrono::{DateTime, Utc};
use domain::{ids::UserId, money::Currency, refusal::Code};
use operational::{
    passwords::{Password, TypedPassword},
    users::{self, Email, NsfwVisibility, ProfileChange, TimeZone, User},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{admin::users::LAST_ADMIN, auth::EMAIL_TAKEN};
use crate::{
    answer::Written,
    change::{self, Change},
    extract::{Body, CurrentUser},
    guard::{client_address::ClientAddress, correlation::CorrelationId},
    identity::{self, InPerson, Proof},
    problem::{self, Kind, Problem, TOO_MANY_ATTEMPTS},
    problems,
    state::AppState,
};

const UNKNOWN_CURRENCY: Kind =
    Kind::refusal(Code::UnknownCurrency, "the currency must be one of EUR, USD, JPY, GBP, CHF, CAD")
        .on("preferred_currency");
const PASSWORD_NEEDED: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "current_password_needed",
    "give current_password to change the e-mail address or the password",
)
.on("current_password");
/// It is too long since they signed in.
pub const SIGN_IN_AGAIN: Kind = Kind::new(
    StatusCode::FORBIDDEN,
    "sign_in_again",
    "it is more than ten minutes since you signed in; sign in again first",
);
const WRONG_PASSWORD: Kind =
    Kind::new(StatusCode::FORBIDDEN, "wrong_password", "this is not the account's password")
        .on("current_password");

problems!(ReadProblems = problem::SIGNED_IN);
problems!(
    ChangeProblems = problem::SIGNED_IN,
    problem::BODY,
    &[UNKNOWN_CURRENCY, EMAIL_TAKEN, PASSWORD_NEEDED, WRONG_PASSWORD, SIGN_IN_AGAIN, TOO_MANY_ATTEMPTS],
);

const ERASURE_UNDER_WAY: Kind = Kind::new(
    StatusCode::ACCEPTED,
    "erasure_under_way",
    "the account is gone and nobody can sign in to it; the rest of it is still being erased, by itself",
);
problems!(
    EraseProblems = problem::SIGNED_IN,
    problem::BODY,
    &[PASSWORD_NEEDED, WRONG_PASSWORD, SIGN_IN_AGAIN, TOO_MANY_ATTEMPTS, LAST_ADMIN, ERASURE_UNDER_WAY],
);

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, change, erase))
}

/// What it takes to erase one's own account.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"current_password": "correct horse battery"}))]
pub struct EraseMe {
    /// The password in force.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = String, format = Password)]
    current_password: Option<TypedPassword>,
}

/// The account is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Erased {
    /// Always true.
    erased: bool,
}

/// What to change of one's own account; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"preferred_currency": "EUR", "nsfw_visibility": "hide", "time_zone": "Europe/Paris"}))]
pub struct ChangeMe {
    /// A new address. Needs `current_password`.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, format = "email", max_length = 254)]
    email: Option<Email>,
    /// A new password. Needs `current_password`, if the account has one; it ends every other session.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 200)]
    password: Option<Password>,
    /// The password in force.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, format = Password)]
    current_password: Option<TypedPassword>,
    /// `hide`, `blur` or `show`.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>, pattern = "^(hide|blur|show)$")]
    nsfw_visibility: Option<NsfwVisibility>,
    /// EUR, USD, JPY, GBP, CHF or CAD; null for amounts as they were recorded.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 3, max_length = 3)]
    preferred_currency: Change<String>,
    /// Whether `/u/{username}` exists.
    #[serde(default, deserialize_with = "change::not_null")]
    public_profile: Option<bool>,
    /// Whether that page shows NSFW pieces.
    #[serde(default, deserialize_with = "change::not_null")]
    public_profile_show_nsfw: Option<bool>,
    /// Whether that page shows what the collection is worth.
    #[serde(default, deserialize_with = "change::not_null")]
    public_profile_show_value: Option<bool>,
    /// A zone of the IANA database.
    #[serde(default, deserialize_with = "change::not_null")]
    #[schema(value_type = Option<String>)]
    time_zone: Option<TimeZone>,
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = example_me)]
pub struct Me {
    #[schema(value_type = Uuid)]
    id: UserId,
    username: String,
    email: Option<String>,
    is_admin: bool,
    #[schema(value_type = String)]
    nsfw_visibility: NsfwVisibility,
    #[schema(value_type = Option<String>)]
    preferred_currency: Option<Currency>,
    public_profile: bool,
    public_profile_show_nsfw: bool,
    public_profile_show_value: bool,
    #[schema(value_type = String)]
    time_zone: TimeZone,
    created_at: DateTime<Utc>,
}

/// The account in the examples.
pub(super) fn example_me() -> Value {
    json!({
        "id": "0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b7a",
        "username": "alice",
        "email": "alice@example.org",
        "is_admin": false,
        "nsfw_visibility": "blur",
        "preferred_currency": null,
        "public_profile": false,
        "public_profile_show_nsfw": false,
        "public_profile_show_value": false,
        "time_zone": "UTC",
        "created_at": "2026-01-17T09:30:00Z"
    })
}

impl From<User> for Me {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            is_admin: user.is_admin,
            nsfw_visibility: user.nsfw_visibility,
            preferred_currency: user.preferred_currency,
            public_profile: user.public_profile,
            public_profile_show_nsfw: user.public_profile_show_nsfw,
            public_profile_show_value: user.public_profile_show_value,
            time_zone: user.time_zone,
            created_at: user.created_at,
        }
    }
}

/// One's own account.
///
/// For whoever is signed in.
#[utoipa::path(
    get,
    path = "/api/me",
    tag = "me",
    security(("session" = [])),
    responses((status = 200, description = "The account", body = Me, example = example_me), ReadProblems)
)]
async fn read(CurrentUser(user): CurrentUser) -> Json<Me> {
    Json(user.into())
}

/// Changes one's own account.
///
/// For whoever is signed in. A new address or password needs the one in force; a new password ends every
/// other session of the account.
#[utoipa::path(
    patch,
    path = "/api/me",
    tag = "me",
    security(("session" = [])),
    request_body = ChangeMe,
    responses((status = 200, description = "The account as it now is", body = Me, example = example_me), ChangeProblems)
)]
async fn change(
    State(state): State<AppState>,
    who: InPerson,
    ClientAddress(address): ClientAddress,
    session: Session,
    headers: HeaderMap,
    Body(given): Body<ChangeMe>,
) -> Result<Written<Me>, Problem> {
    let preferred_currency = given
        .preferred_currency
        .try_map(|code| code.parse::<Currency>())
        .map_err(|_unknown| UNKNOWN_CURRENCY)?
        .into_option();
    if given.email.is_some() || given.password.is_some() {
        let attempt = || state.attempts.take(address);
        given_proof(identity::prove(&state, &who, given.current_password.as_ref(), attempt).await?)?;
    }
    let signs_in_again = given.password.is_some();
    let change = ProfileChange {
        email: given.email,
        password: given.password,
        nsfw_visibility: given.nsfw_visibility,
        preferred_currency,
        public_profile: given.public_profile,
        public_profile_show_nsfw: given.public_profile_show_nsfw,
        public_profile_show_value: given.public_profile_show_value,
        time_zone: given.time_zone,
    };
    let changed = users::update_profile(&state.pool, &state.passwords, who.user.id, &change).await?;
    if signs_in_again {
        identity::sign_in(&state, &session, &changed, "password", &headers).await?;
    }
    Ok(Written::done(changed.into()))
}

fn given_proof(proof: Proof) -> Result<(), Problem> {
    match proof {
        Proof::Given => Ok(()),
        Proof::PasswordNeeded => Err(PASSWORD_NEEDED.into()),
        Proof::WrongPassword => Err(WRONG_PASSWORD.into()),
        Proof::SignInAgain => Err(SIGN_IN_AGAIN.into()),
    }
}

/// Erases one's own account, for good.
///
/// For whoever is signed in. Pieces, pre-orders, wishes, the feed and achievements go, in the read models and in
/// the log, and the username is free again. What the account added to the shared catalogue stays, without a name.
/// Needs the password in force; an account without one needs to
/// have signed in within ten minutes.
#[utoipa::path(
    delete,
    path = "/api/me",
    tag = "me",
    security(("session" = [])),
    request_body = EraseMe,
    responses(
        (status = 200, description = "Nothing is left", body = Erased, example = json!({"erased": true})),
        EraseProblems
    )
)]
async fn erase(
    State(state): State<AppState>,
    who: InPerson,
    ClientAddress(address): ClientAddress,
    CorrelationId(correlation_id): CorrelationId,
    session: Session,
    request: Request,
) -> Result<Json<Erased>, Problem> {
    // Many clients send no body with a DELETE unless told to: what they forgot is the password.
    let given = if request.headers().contains_key(header::CONTENT_TYPE) {
        Body::<EraseMe>::from_request(request, &state).await?.0
    } else {
        EraseMe::default()
    };
    let attempt = || state.attempts.take(address);
    let proof = identity::prove(&state, &who, given.current_password.as_ref(), attempt).await?;
    given_proof(proof).map_err(|problem| match proof {
        Proof::PasswordNeeded => problem.detail("give current_password to erase the account"),
        _ => problem,
    })?;
    let user = who.user;
    let eraser = state.eraser();
    eraser.begin(user.id, Some(user.id), correlation_id).await?;
    identity::sign_out(&state, &session).await?;
    // A task of its own: a caller who hangs up does not stop it.
    let erasing = tokio::spawn(async move { eraser.carry_on_with(user.id).await });
    match erasing.await {
        Ok(Ok(())) => Ok(Json(Erased { erased: true })),
        Ok(Err(error)) => {
            tracing::warn!(%error, "an erasure is not finished; it is tried again");
            Err(ERASURE_UNDER_WAY.into())
        }
        Err(panicked) => Err(Problem::internal(panicked)),
    }
}
